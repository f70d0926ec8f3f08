/*
 * Memo: what names.h answered for reads before, found again with one look at memory.
 *
 * To intern what a read says of its place takes a look into a table, at a text, into a second table
 * and at a context, each far away in memory. Here reader and place, or all words about a vehicle,
 * lie in one cache line with the number that was answered; and that line can be fetched before it
 * is needed. What does not fit in a line, or comes when the memo is full, is not remembered.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_MEMO_H
#define PB_STORE_LOCAL_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>

#include "store/local/names.h"

struct pb_memo_table {
    struct pb_memo_line *lines; /* owned: line_count of them, aligned within memory */
    void *memory;               /* owned */
    uint32_t line_count, used;
};

struct pb_memo {
    const struct pb_env *env; /* borrowed */
    uint32_t lines_max;       /* of each table */
    struct pb_memo_table places, vehicles;
};

void pb_memo_init(struct pb_memo *memo, const struct pb_env *env, size_t bytes_max);
void pb_memo_done(struct pb_memo *memo); /* also of zeroed memory */
size_t pb_memo_memory(const struct pb_memo *memo);

/* Where what a read says is looked for; computed once. */
struct pb_memo_key {
    uint64_t place, vehicle;
};
struct pb_memo_key pb_memo_key(const struct pb_read *read);
/* Fetches the lines of key. */
void pb_memo_fetch(const struct pb_memo *memo, const struct pb_memo_key *key);

/* As pb_names_read_place and pb_names_read_vehicle, of the same names each time. */
PB_MUST_CHECK enum pb_status pb_memo_place(struct pb_memo *memo, struct pb_names *names,
                                           const struct pb_read *read,
                                           const struct pb_memo_key *key, uint32_t *ret_context,
                                           struct pb_context_rest *ret_rest);
PB_MUST_CHECK enum pb_status pb_memo_vehicle(struct pb_memo *memo, struct pb_names *names,
                                             const struct pb_read *read,
                                             const struct pb_memo_key *key, uint32_t *ret_vehicle);

#endif
