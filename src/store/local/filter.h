/*
 * Filter: of a set of hashes, whether one is surely not in it.
 *
 * An append looks for each read's identity in every segment, and nearly always there is none. A
 * filter of the segment's events says so with one look at memory, where the table would cost a
 * search, a checksum and a block to decode.
 *
 * Each hash sets some bits of one 64-bit word, which its upper half chooses in proportion: so a
 * sorted table fills the words in order. What is not in the set is taken for in it about once in
 * 50 times.
 *
 * Threads: filling belongs to one; then any may ask.
 */
#ifndef PB_STORE_LOCAL_FILTER_H
#define PB_STORE_LOCAL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

struct pb_env;
struct pb_filter; /* opaque */

/* For about count hashes. */
PB_MUST_CHECK enum pb_status pb_filter_new(const struct pb_env *env, uint64_t count,
                                           struct pb_filter **ret_filter);
void pb_filter_free(struct pb_filter *filter); /* NULL is fine */
/* hash: 48 bits count, those above are not looked at. */
void pb_filter_add(struct pb_filter *filter, uint64_t hash);
/* False: it was not added. */
bool pb_filter_may_have(const struct pb_filter *filter, uint64_t hash);
uint64_t pb_filter_bytes(const struct pb_filter *filter);

#endif
