/*
 * Token cache: a table in which two ids that meet push each other out.
 */
#include "api/token_cache.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

void
pb_api_token_cache_init(struct pb_api_token_cache *cache)
{
    memset(cache, 0, sizeof(*cache));
    (void)pthread_mutex_init(&cache->lock, NULL);
}

void
pb_api_token_cache_done(struct pb_api_token_cache *cache)
{
    (void)pthread_mutex_destroy(&cache->lock);
}

static unsigned
place_of(struct pb_str id)
{
    assert(id.bytes == PB_TOKEN_ID_BYTES);
    return (unsigned)(pb_hash_bytes(id.text, id.bytes) % PB_TOKEN_CACHED_MAX);
}

uint32_t
pb_api_token_cache_get(struct pb_api_token_cache *cache, struct pb_str id, int64_t now_ns,
                       char room[PB_TOKEN_CACHED_BYTES], uint64_t *ret_drops)
{
    unsigned place = place_of(id);
    uint32_t bytes = 0;

    (void)pthread_mutex_lock(&cache->lock);
    if (memcmp(cache->entries[place].id, id.text, PB_TOKEN_ID_BYTES) == 0 &&
        now_ns - cache->entries[place].read_ns < PB_TOKEN_FRESH_NS) {
        bytes = cache->entries[place].note_bytes;
        memcpy(room, cache->entries[place].note, bytes);
    }
    *ret_drops = cache->drops;
    (void)pthread_mutex_unlock(&cache->lock);
    return bytes;
}

void
pb_api_token_cache_put(struct pb_api_token_cache *cache, struct pb_str id, int64_t now_ns,
                       struct pb_str note, uint64_t drops)
{
    unsigned place = place_of(id);

    if (note.bytes > PB_TOKEN_CACHED_BYTES)
        return;
    (void)pthread_mutex_lock(&cache->lock);
    if (drops == cache->drops) {
        memcpy(cache->entries[place].id, id.text, PB_TOKEN_ID_BYTES);
        cache->entries[place].note_bytes = note.bytes;
        cache->entries[place].read_ns = now_ns;
        memcpy(cache->entries[place].note, note.text, note.bytes);
    }
    (void)pthread_mutex_unlock(&cache->lock);
}

bool
pb_api_token_cache_knows(struct pb_api_token_cache *cache, struct pb_str id)
{
    unsigned place = place_of(id);
    bool is_known;

    (void)pthread_mutex_lock(&cache->lock);
    is_known = memcmp(cache->entries[place].id, id.text, PB_TOKEN_ID_BYTES) == 0;
    (void)pthread_mutex_unlock(&cache->lock);
    return is_known;
}

void
pb_api_token_cache_drop(struct pb_api_token_cache *cache, struct pb_str id)
{
    unsigned place = place_of(id);

    (void)pthread_mutex_lock(&cache->lock);
    cache->drops++;
    if (memcmp(cache->entries[place].id, id.text, PB_TOKEN_ID_BYTES) == 0)
        cache->entries[place].id[0] = '\0';
    (void)pthread_mutex_unlock(&cache->lock);
}
