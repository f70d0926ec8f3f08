/*
 * JSON index: where the tokens of a JSON text begin, found with vector instructions.
 *
 * The border to simdjson, and the only C++ in the tree (json_simdjson.cpp). It finds
 * tokens and nothing more: what may follow what is json.c's part. Memory comes from C++'s
 * own allocator, bounded by the longest text indexed.
 *
 * Threads: an index belongs to one thread.
 */
#ifndef PB_INGEST_JSON_INDEX_H
#define PB_INGEST_JSON_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PB_JSON_PADDING_BYTES 64u
#define PB_JSON_SENTINELS 4u

struct pb_json_index; /* opaque */

/* NULL if there is no memory. */
struct pb_json_index *pb_json_index_new(void);
void pb_json_index_free(struct pb_json_index *index); /* NULL is fine */

/*
 * Finds the first byte of every token: of `{ } [ ] : ,`, of each string its opening quote, and
 * of each run of other characters that are not white space (a number, true, or a mistake)
 * its first.
 *
 * bytes       count bytes, fewer than 4 GiB; PB_JSON_PADDING_BYTES more must be readable, of any
 *             content
 * ret_starts  set on PB_OK only: ascending offsets, and after the last one PB_JSON_SENTINELS
 *             times `count`, which stands for the end; valid until the next call
 * ret_reason  set on PB_BAD_INPUT only: a static sentence
 *
 * Returns  PB_OK         and then the bytes are UTF-8, every string is closed and holds no raw
 *                        control character
 *          PB_BAD_INPUT  one of these is not so, or there is no token at all
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_json_index_run(struct pb_json_index *index, const uint8_t *bytes,
                                               size_t count, const uint32_t **ret_starts,
                                               const char **ret_reason);

#ifdef __cplusplus
}
#endif

#endif
