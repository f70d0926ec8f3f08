/*
 * Places where rows can lie: what holds of reads must hold in each of them.
 */
#ifndef PB_TESTS_MOVES_H
#define PB_TESTS_MOVES_H

#include "store/store_room.h"

static inline void
stay(struct store_room *room)
{
    (void)room;
}

static inline void
merge_all(struct store_room *room)
{
    room_flush(room);
    room_merge(room);
}

static inline void
flush_and_reopen(struct store_room *room)
{
    room_flush(room);
    room_reopen(room);
}

typedef void move_fn(struct store_room *room);
static const struct {
    move_fn *move;
    const char *name;
} moves[] = {
    { stay, "in the buffer" },          { room_reopen, "from the log" },
    { room_flush, "in a segment" },     { flush_and_reopen, "in a segment, reopened" },
    { merge_all, "in a merged segment" },
};
#define MOVE_COUNT (sizeof(moves) / sizeof(moves[0]))

#endif
