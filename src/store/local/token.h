/*
 * Resume tokens: where a question went on from, as text for outside.
 *
 * Format: docs/formats/cursor-token.md. Threads: everything here is pure.
 */
#ifndef PB_STORE_LOCAL_TOKEN_H
#define PB_STORE_LOCAL_TOKEN_H

#include <stdbool.h>

#include <platebase/store.h>

/* The last result given: results come newest first, equal times by identity, then revision
 * (highest first), then tie. */
struct pb_position {
    int64_t captured_us;
    uint64_t identity;
    uint32_t revision;
    uint64_t tie; /* pb_tie_of(), where another read has all the rest in common; else 0 */
};

/* Tells reads apart whose identities agree. Not 0. store_id: PB_STORE_ID_BYTES. */
uint64_t pb_tie_of(const struct pb_read *read, const uint8_t *store_id);

/* Order of results: <0 where a is given before b. */
int pb_position_compare(const struct pb_position *a, const struct pb_position *b);

/* question is a hash of what was asked: a token of another question is refused. */
void pb_token_encode(const struct pb_position *position, uint64_t question,
                     char ret_token[PB_TOKEN_BYTES_MAX]);
/* PB_BAD_INPUT: not a token, damaged, or of another question. */
PB_MUST_CHECK enum pb_status pb_token_decode(struct pb_str token, uint64_t question,
                                             struct pb_position *ret_position);

#endif
