/*
 * Removals: how many reads of which reader, captured on which day, are gone for which reason.
 *
 * What a flush, a merge, a restamp or a purge leaves out is gathered here and told once the change
 * is durable.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_REMOVALS_H
#define PB_STORE_LOCAL_REMOVALS_H

#include <stdint.h>

#include <platebase/store.h>

#include "base/arena.h"

struct pb_removals {
    const struct pb_env *env;
    struct pb_arena arena;      /* readers' ids */
    struct pb_removed *entries; /* owned */
    uint32_t count, room;
    uint32_t *slots;            /* owned: entry + 1, open-addressed; 0 is free */
    uint32_t slot_count;
};

void pb_removals_init(struct pb_removals *removals, const struct pb_env *env);
void pb_removals_done(struct pb_removals *removals); /* also of zeroed memory */
/* reads more of a reader's, captured at or on the day of captured_us. reader is copied. */
PB_MUST_CHECK enum pb_status pb_removals_add(struct pb_removals *removals, struct pb_str reader,
                                             int64_t captured_us, enum pb_removal why,
                                             uint64_t reads);
void pb_removals_tell(const struct pb_removals *removals, pb_removed_fn *on_removed,
                      void *context);

struct pb_segment;
/* Notes every read of a segment that goes as a whole because it has expired. Rows of damaged blocks
 * go with it: they are noted without a reader, on the segment's first day. */
PB_MUST_CHECK enum pb_status pb_removals_add_segment(struct pb_removals *removals,
                                                     const struct pb_segment *segment);

#endif
