/*
 * Places: the rows of a segment on their way into the order by place.
 *
 * Pairs of a place key and a row go into bins by key, which are sorted one by one at the end, by
 * the crew; so that sorting needs little memory beside that of the pairs. It does where the bins
 * are about alike: their borders are drawn from keys that stand for all, or, where the caller has
 * none, from the first rows. Rows come by plate, so the first ones are of one state.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_PLACES_H
#define PB_STORE_LOCAL_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"
#include "store/local/crew.h"
#include "store/local/sorter.h"

#define PB_PLACE_SAMPLE_KEYS 4096u

/* Every stride-th key of those that went by, whatever their number; zeroed memory is empty. */
struct pb_place_sample {
    uint64_t keys[PB_PLACE_SAMPLE_KEYS];
    uint32_t count;
    uint64_t stride, skip;
};

/* Whether the key that goes by is one to be added. */
static inline bool
pb_place_sample_is_due(struct pb_place_sample *sample)
{
    if (sample->skip == 0)
        return true;
    sample->skip--;
    return false;
}
void pb_place_sample_add(struct pb_place_sample *sample, uint64_t key);

struct pb_places; /* opaque */

/* spill_path: of a file that is made when memory does not do, and deleted by free; copied. count:
 * about how many pairs come; 0: not known, which may take memory beyond. crew may be NULL. sample:
 * keys that stand for those to come, in any order, looked at in the call; NULL with sample_count 0:
 * there are none. */
PB_MUST_CHECK enum pb_status pb_places_new(const struct pb_env *env, const char *spill_path,
                                           size_t memory_bytes, uint64_t count,
                                           struct pb_crew *crew, const uint64_t *sample,
                                           size_t sample_count, struct pb_places **ret_places);
void pb_places_free(struct pb_places *places); /* NULL is fine */
/* Rows are added in ascending order, and of one key come out so. */
PB_MUST_CHECK enum pb_status pb_places_add(struct pb_places *places, uint64_t key, uint32_t row,
                                           struct pb_error *error);
/* Ends adding, when it is called first. Gives the next pairs in order of their keys, borrowed until
 * the next call: PB_OK; after PB_END or a failure there is nothing more to ask. */
PB_MUST_CHECK enum pb_status pb_places_next(struct pb_places *places,
                                            const struct pb_pair **ret_pairs, size_t *ret_count,
                                            struct pb_error *error);

#endif
