/*
 * Token cache: notes of tokens as they were a moment ago.
 *
 * A reader that sends one read at a time would have its token looked up in the database each time,
 * by all threads at once. So the note of one that was good is believed for PB_TOKEN_FRESH_NS: so
 * long may a revocation by another process go unseen. One through this server is seen at once.
 *
 * Threads: `lock` guards all; held for a copy.
 */
#ifndef PB_API_TOKEN_CACHE_H
#define PB_API_TOKEN_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/token.h"

#define PB_TOKEN_FRESH_NS INT64_C(1000000000)
#define PB_TOKEN_CACHED_MAX 1024u
#define PB_TOKEN_CACHED_BYTES 512u /* a longer note, of many readers, is looked up each time */

struct pb_api_token_cache {
    pthread_mutex_t lock;
    uint64_t drops; /* so far: what was looked up before one is not kept after it */
    struct {
        char id[PB_TOKEN_ID_BYTES]; /* first byte NUL: empty */
        uint32_t note_bytes;
        int64_t read_ns;
        char note[PB_TOKEN_CACHED_BYTES];
    } entries[PB_TOKEN_CACHED_MAX];
};

void pb_api_token_cache_init(struct pb_api_token_cache *cache);
void pb_api_token_cache_done(struct pb_api_token_cache *cache);
/* Copies the note into room; 0 where none is there that can be believed. ret_drops: to be given to
 * put, with what is looked up instead. */
uint32_t pb_api_token_cache_get(struct pb_api_token_cache *cache, struct pb_str id, int64_t now_ns,
                                char room[PB_TOKEN_CACHED_BYTES], uint64_t *ret_drops);
void pb_api_token_cache_put(struct pb_api_token_cache *cache, struct pb_str id, int64_t now_ns,
                            struct pb_str note, uint64_t drops);
/* Whether a token of this id was good once, however long ago. */
bool pb_api_token_cache_knows(struct pb_api_token_cache *cache, struct pb_str id);
void pb_api_token_cache_drop(struct pb_api_token_cache *cache, struct pb_str id);

#endif
