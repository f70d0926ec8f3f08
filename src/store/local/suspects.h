/*
 * Suspects: of the reads of a stage that are found by an event id, those that may not be alone.
 *
 * Nearly every event id is new. So a stage only gathers the hashes of its reads' identities; what
 * occurs in them twice, or in a segment of the store as well, is a suspect; everything else is
 * new, whatever its plate. A suspect that is stored already as it is, as all are of a file that is
 * loaded again, is found so beside its plate and moment while the stage is written. What is in
 * doubt after that is held back, and judged with all that is known of it. To take a read for a
 * suspect that is none costs time and nothing else: hashes that agree, and filters that are wrong
 * now and then, do no harm.
 *
 * Life: add the identities; find; then ask, and hold back. What comes into the store while the
 * stage is written is added as common keys, exactly, for reads that were none of the suspects are
 * written by then.
 *
 * Threads: one at a time; after pb_suspects_find() any may ask pb_suspects_has().
 */
#ifndef PB_STORE_LOCAL_SUSPECTS_H
#define PB_STORE_LOCAL_SUSPECTS_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

#include "store/local/segment.h"

/* ---- the events of a segment, by key ---- */

struct pb_event_walk {
    const struct pb_segment *segment;
    uint32_t next_block, at, count;
    struct pb_column rows;           /* of the block before the next one; and its keys: */
    int64_t keys[PB_BLOCK_ROWS_MAX];
};
/* Whether the segment has an event that may be of an identity; to be asked in ascending order. */
PB_MUST_CHECK enum pb_status pb_event_walk_to(struct pb_event_walk *walk, uint64_t identity,
                                              bool *ret_is_there, struct pb_error *error);
/* The row of the event that pb_event_walk_to() found; the walk goes on behind it. */
PB_MUST_CHECK enum pb_status pb_event_walk_take(struct pb_event_walk *walk, uint64_t *ret_row,
                                                struct pb_error *error);
/* The next key. PB_OK, PB_END, or a failure. */
PB_MUST_CHECK enum pb_status pb_event_walk_next(struct pb_event_walk *walk, uint64_t *ret_key,
                                                struct pb_error *error);

/* ---- suspects ---- */

struct pb_suspects; /* opaque */

/* spill_path: as of a sorter; copied. count: of identities that will be added, about. */
PB_MUST_CHECK enum pb_status pb_suspects_new(const struct pb_env *env, const char *spill_path,
                                             size_t memory_bytes, uint64_t count,
                                             struct pb_suspects **ret_suspects);
void pb_suspects_free(struct pb_suspects *suspects); /* NULL is fine */
/* Where the store has no events, all identities may be sifted before they are added: of these, most
 * of those that are there once need not be sorted then. */
PB_MUST_CHECK enum pb_status pb_suspects_sift(struct pb_suspects *suspects, uint64_t identity);
PB_MUST_CHECK enum pb_status pb_suspects_add(struct pb_suspects *suspects, uint64_t identity,
                                             struct pb_error *error);
/* Ends adding, and compares with these segments. */
PB_MUST_CHECK enum pb_status pb_suspects_find(struct pb_suspects *suspects,
                                              struct pb_segment *const *segments, uint32_t count,
                                              struct pb_error *error);
/* Whether a read with this identity is in doubt when the stage is written. */
bool pb_suspects_has(const struct pb_suspects *suspects, uint64_t identity);

/* Notes that a suspect is still in doubt when the stage is written. */
PB_MUST_CHECK enum pb_status pb_suspects_hold_back(struct pb_suspects *suspects, uint64_t identity);
/* Adds the keys that both segments have to the common ones. ret_rows: of the first segment that
 * have these keys, ascending; the caller's to free. */
PB_MUST_CHECK enum pb_status pb_suspects_add_common(struct pb_suspects *suspects,
                                                    const struct pb_segment *segment,
                                                    const struct pb_segment *other,
                                                    uint64_t **ret_rows, uint64_t *ret_count,
                                                    struct pb_error *error);
/* Whether a read with this identity is to be judged once the stage is written. */
bool pb_suspects_is(const struct pb_suspects *suspects, uint64_t identity);

#endif
