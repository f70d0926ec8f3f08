/*
 * A store that is loaded while somebody else stores things, too, and numbered reads to load.
 */
#ifndef PB_TESTS_STORE_LOAD_ROOM_H
#define PB_TESTS_STORE_LOAD_ROOM_H

#include "store/store_room.h"

#include <pthread.h>
#include <stdio.h>

#include "store/local/local.h"

#define FEW_ROWS 8192u /* so few of a lane are appended rather than written as a segment */

/* What is done, once, when a file is synced and the store is not locked: a segment of the load is
 * as good as written then. */
static struct {
    const struct pb_file_ops *files;
    struct pb_file_ops own;
    struct store_room *room;
    void (*on_sync)(void);
    uint32_t segments; /* that were begun */
} spy;

static inline enum pb_status
spy_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
         struct pb_error *error)
{
    spy.segments += mode == PB_OPEN_CREATE && strstr(path, ".seg") != NULL;
    return spy.files->open(context, path, mode, ret_file, error);
}

static inline enum pb_status
spy_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    void (*on_sync)(void) = spy.on_sync;

    if (on_sync != NULL && pthread_mutex_trylock(&spy.room->store->writing) == 0) {
        (void)pthread_mutex_unlock(&spy.room->store->writing);
        spy.on_sync = NULL;
        on_sync();
    }
    return spy.files->sync(context, file, error);
}

static inline void
begin(struct store_room *room, uint64_t memory_bytes)
{
    struct pb_store_options options = { .memory_bytes = memory_bytes };

    room_init_on(room, sim_fs_new());
    spy.files = room->fault.env.files;
    spy.own = *spy.files;
    spy.own.open = spy_open;
    spy.own.sync = spy_sync;
    spy.room = room;
    spy.on_sync = NULL;
    spy.segments = 0;
    room->fault.env.files = &spy.own;
    room_expect(room, PB_OK, pb_store_create(room->env, ROOM_PATH, &room->error), "create");
    room_expect(room, PB_OK,
                pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error), "open");
}

static inline void
add(struct store_room *room, struct pb_loader *loader, unsigned lane, const struct pb_read *read)
{
    room_expect(room, PB_OK, pb_lane_add(pb_loader_lane(loader, lane), read, 1, &room->error),
                "add");
}

static inline void
finish(struct store_room *room, struct pb_loader *loader)
{
    room_expect(room, PB_OK, pb_loader_finish(loader, &room->error), "finish");
}

static inline void
expect_counts(const struct pb_loader *loader, uint64_t stored, uint64_t duplicate,
              uint64_t conflict)
{
    struct pb_load_counts counts;

    pb_loader_counts(loader, &counts);
    if (counts.stored != stored || counts.duplicate != duplicate || counts.conflict != conflict)
        fail_msg("%llu stored, %llu duplicates, %llu conflicts", (unsigned long long)counts.stored,
                 (unsigned long long)counts.duplicate, (unsigned long long)counts.conflict);
    assert_int_equal(0, counts.rejected);
}

/* Each seventh plate is longer than a plate code holds. */
static inline struct pb_read
numbered(uint32_t number, bool is_event, char text[48])
{
    struct pb_read read;

    (void)snprintf(text, 24, number % 7 == 3 ? "ALONGPLATE%05u" : "P%05u", number);
    read = room_read(text, "gate-1", (int64_t)number);
    if (is_event) {
        (void)snprintf(text + 24, 24, "E%u", number);
        read.event_id = pb_str_from(text + 24);
        read.is_revisable = true;
    }
    return read;
}

#endif
