/*
 * Places: the rows of a segment on their way into the order by place.
 *
 * Pairs of a place key and a row go into bins by key, which are sorted one by one at the end, by
 * the crew; so that sorting needs little memory beside that of the pairs.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_PLACES_H
#define PB_STORE_LOCAL_PLACES_H

#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"
#include "store/local/crew.h"
#include "store/local/sorter.h"

struct pb_places; /* opaque */

/* spill_path: of a file that is made when memory does not do, and deleted by free; copied. crew may
 * be NULL. */
PB_MUST_CHECK enum pb_status pb_places_new(const struct pb_env *env, const char *spill_path,
                                           size_t memory_bytes, struct pb_crew *crew,
                                           struct pb_places **ret_places);
void pb_places_free(struct pb_places *places); /* NULL is fine */
/* Rows are added in ascending order, and of one key come out so. */
PB_MUST_CHECK enum pb_status pb_places_add(struct pb_places *places, uint64_t key, uint32_t row,
                                           struct pb_error *error);
/* Ends adding, when it is called first. Gives the next pairs in order of their keys, borrowed until
 * the next call: PB_OK, PB_END, or a failure. */
PB_MUST_CHECK enum pb_status pb_places_next(struct pb_places *places,
                                            const struct pb_pair **ret_pairs, size_t *ret_count,
                                            struct pb_error *error);

#endif
