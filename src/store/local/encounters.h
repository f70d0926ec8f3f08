/*
 * Encounters: reads of a run that are found by an event id, beside the rows of a segment that have
 * their identities.
 *
 * Such rows lie anywhere in the segment. So they are looked up in order of identities, side by side
 * with the run's, and then looked at in order of rows: each block is decoded once.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_ENCOUNTERS_H
#define PB_STORE_LOCAL_ENCOUNTERS_H

#include "store/local/run.h"
#include "store/local/sorter.h"

/* Adds to known[i] what the segment, which has events, knows of events[i]: identities, ascending,
 * and rows of the run; at least one, and none a correction, which may concern what is no event. */
PB_MUST_CHECK enum pb_status pb_encounters_find(const struct pb_run *run,
                                                const struct pb_segment *segment,
                                                const struct pb_pair *events, uint64_t count,
                                                struct pb_known *known, struct pb_error *error);

#endif
