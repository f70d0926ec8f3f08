/*
 * Stage: reads of one load on their way from its lanes to segments.
 *
 * Lanes put reads into buckets by plate range, in memory as long as there is some, then in a file
 * of each lane. When the load ends (or the stage is full) the buckets are sorted one by one,
 * each a run of its own (run.h), and poured in order of plate into one segment for each
 * partition. So each read is sorted and encoded once, however large the load.
 *
 * Which of the reads that are found by an event id repeat is not seen plate by plate: the stage is
 * asked for their identities before it is written, says of those that are suspects (suspects.h)
 * that they are in doubt, and is asked afterwards for those that were held back. Corrections are
 * not for a stage.
 *
 * Threads: a lane is one thread's at a time, and lanes may be filled side by side; all else is
 * called while no lane is being filled.
 */
#ifndef PB_STORE_LOCAL_STAGE_H
#define PB_STORE_LOCAL_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/store.h>

#include "store/local/crew.h"
#include "store/local/run.h"
#include "store/local/suspects.h"

struct pb_stage; /* opaque */

/* directory: the store's, copied. number: names the files of this stage. */
PB_MUST_CHECK enum pb_status pb_stage_new(const struct pb_env *env, const char *directory,
                                          uint64_t number, unsigned lane_count, size_t memory_bytes,
                                          struct pb_stage **ret_stage);
void pb_stage_free(struct pb_stage *stage); /* NULL is fine */

/* Takes valid reads; of those that are found by an event id none that are corrections. */
PB_MUST_CHECK enum pb_status pb_stage_add(struct pb_stage *stage, unsigned lane,
                                          const struct pb_read *reads, size_t count,
                                          struct pb_error *error);
/* Whether it should be written before more is added. From any thread. */
bool pb_stage_is_full(const struct pb_stage *stage);
/* Rows of a lane, and of all. */
uint64_t pb_stage_lane_rows(const struct pb_stage *stage, unsigned lane);
uint64_t pb_stage_rows(const struct pb_stage *stage);
/* Of these, rows that are found by an event id. */
uint64_t pb_stage_events(const struct pb_stage *stage);
/* Sifts their identities, or adds them. */
PB_MUST_CHECK enum pb_status pb_stage_sift(struct pb_stage *stage, struct pb_suspects *suspects,
                                           struct pb_error *error);
PB_MUST_CHECK enum pb_status
pb_stage_identities(struct pb_stage *stage, struct pb_suspects *suspects, struct pb_error *error);

#define PB_STAGE_FEW_ROWS 8192u
/* A part with a lane's rows in order of arrival; to be freed before the stage. Only where all have
 * at most PB_STAGE_FEW_ROWS. */
PB_MUST_CHECK enum pb_status pb_stage_run(struct pb_stage *stage, unsigned lane,
                                          struct pb_run **ret_run);

struct pb_stage_target {
    struct pb_run_target run;
    struct pb_crew *crew;               /* may be NULL */
    const struct pb_suspects *suspects; /* whose rows are in doubt; may be NULL */
    uint64_t (*take_number)(void *context);
    void *number_context;
    /* Drops rows of a sorted part that are not to be written; all that are in doubt are not. */
    enum pb_status (*judge)(void *context, struct pb_run *part, struct pb_error *error);
    void *judge_context;
};
/*
 * Writes one segment for each partition that has rows left. Files are synced, their directory is
 * not; on failure there are none. The stage can only be freed then. ret_entries is the caller's to
 * free.
 */
PB_MUST_CHECK enum pb_status pb_stage_write(struct pb_stage *stage,
                                            const struct pb_stage_target *target,
                                            struct pb_segment_entry **ret_entries,
                                            uint32_t *ret_count, struct pb_error *error);
/* Once the stage is written: how many of its reads pb_suspects_is() says are to be judged, and what
 * their texts take; on failure none. */
PB_MUST_CHECK enum pb_status pb_stage_count_suspects(struct pb_stage *stage,
                                                     const struct pb_suspects *suspects,
                                                     uint64_t *ret_count, uint64_t *ret_tail_bytes,
                                                     struct pb_error *error);
/* A run of these reads, to be sorted, in the share `number` of `count` like shares by identity.
 * PB_OVER_LIMIT: it would take more than bytes_max, which is at most PB_RUN_BYTES_MAX. */
PB_MUST_CHECK enum pb_status pb_stage_suspects(struct pb_stage *stage,
                                               const struct pb_suspects *suspects, uint32_t number,
                                               uint32_t count, uint64_t bytes_max,
                                               struct pb_run **ret_run, struct pb_error *error);

#endif
