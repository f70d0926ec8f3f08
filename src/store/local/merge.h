/*
 * Merge: several segments of one partition become one, without what has expired or was erased.
 *
 * Threads: one at a time for each merge; the segments may be asked meanwhile.
 */
#ifndef PB_STORE_LOCAL_MERGE_H
#define PB_STORE_LOCAL_MERGE_H

#include <stdint.h>

#include <platebase/store.h>

#include "store/local/hidden.h"
#include "store/local/removals.h"
#include "store/local/restamp.h"
#include "store/local/segment.h"

struct pb_merge_options {
    const char *directory;   /* borrowed for the call, as all below */
    const uint8_t *store_id;
    uint64_t number;         /* of the new segment */
    size_t memory_bytes;
    struct pb_crew *crew;    /* may be NULL */
    int64_t now_us;          /* what expires at or before this is left out */
    const struct pb_hidden *hidden;
    struct pb_removals *removals;   /* gets what is left out; may be NULL */
    struct pb_restamp *restamp;     /* new dates and the rows' class; NULL: dates stay */
    const uint64_t *left_out; /* rows of the first segment that go, ascending; NULL: none */
    uint64_t left_out_count;
    const struct pb_progress *progress; /* may be NULL */
    uint64_t progress_done, progress_total; /* rows before this merge, rows of all */
};

/*
 * Merges count segments, which have month and retention class in common, into a new file that is
 * synced (its directory is not). ret_entry->rows is 0 where nothing was left: then there is no
 * file.
 * PB_END where progress asked to stop: nothing was made.
 */
PB_MUST_CHECK enum pb_status pb_merge(const struct pb_env *env,
                                      const struct pb_merge_options *options,
                                      struct pb_segment *const *segments, uint32_t count,
                                      struct pb_segment_entry *ret_entry, struct pb_error *error);

#endif
