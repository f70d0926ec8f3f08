/*
 * Sorter: pairs of 64-bit numbers in ascending order of (key, value), in bounded memory.
 *
 * Pairs beyond the memory given go to a temporary file as sorted runs and are merged
 * when they are read back. For the second orders of a segment.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_SORTER_H
#define PB_STORE_LOCAL_SORTER_H

#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"

struct pb_pair {
    uint64_t key, value;
};

/* Sorts count pairs by key; equal keys keep their order. scratch has room for count pairs. */
void pb_pairs_sort(struct pb_pair *pairs, struct pb_pair *scratch, size_t count);

struct pb_sorter; /* opaque */

/* spill_path: made when memory does not do, deleted by free; copied. memory_bytes: at least 64 KiB
 * are used. */
PB_MUST_CHECK enum pb_status pb_sorter_new(const struct pb_env *env, const char *spill_path,
                                           size_t memory_bytes, struct pb_sorter **ret_sorter);
void pb_sorter_free(struct pb_sorter *sorter); /* NULL is fine */
/* Pairs with equal keys must be added in ascending order of value to come out so. */
PB_MUST_CHECK enum pb_status pb_sorter_add(struct pb_sorter *sorter, uint64_t key, uint64_t value,
                                           struct pb_error *error);
/* Ends adding; then next gives PB_OK with a pair, PB_END, or a failure. */
PB_MUST_CHECK enum pb_status pb_sorter_finish(struct pb_sorter *sorter, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_sorter_next(struct pb_sorter *sorter, struct pb_pair *ret_pair,
                                            struct pb_error *error);

#endif
