/*
 * Arena: chunks in a list, filled from the newest.
 *
 * Chunks double up to a bound, so that a small use stays small and a large one
 * takes few chunks. What is larger than a chunk gets one of its own, put behind
 * the newest so that the newest one's free end stays in use.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define CHUNK_BYTES_MIN 256u
#define CHUNK_BYTES_GROWTH_MAX ((size_t)1 << 20)

struct pb_arena_chunk {
    struct pb_arena_chunk *next; /* owned: older chunk */
    size_t capacity;             /* bytes that follow this header */
    size_t used;                 /* multiple of 8 */
};

static_assert(sizeof(struct pb_arena_chunk) % 8 == 0, "what follows the header is aligned");

static unsigned char *
chunk_bytes(struct pb_arena_chunk *chunk)
{
    return (unsigned char *)(chunk + 1);
}

void
pb_arena_init(struct pb_arena *arena, const struct pb_env *env, size_t first_chunk_bytes)
{
    assert(arena != NULL && env != NULL);
    if (first_chunk_bytes < CHUNK_BYTES_MIN)
        first_chunk_bytes = CHUNK_BYTES_MIN;
    *arena = (struct pb_arena){
        .env = env,
        .chunk_bytes = first_chunk_bytes,
    };
}

static void
free_from(struct pb_arena *arena, struct pb_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct pb_arena_chunk *next = chunk->next;

        arena->total_bytes -= sizeof(*chunk) + chunk->capacity;
        pb_free(arena->env, chunk);
        chunk = next;
    }
}

void
pb_arena_clear(struct pb_arena *arena)
{
    free_from(arena, arena->chunk);
    arena->chunk = NULL;
    assert(arena->total_bytes == 0);
}

void
pb_arena_reset(struct pb_arena *arena)
{
    struct pb_arena_chunk *newest = arena->chunk;

    if (newest == NULL)
        return;
    free_from(arena, newest->next);
    newest->next = NULL;
    newest->used = 0;
}

static struct pb_arena_chunk *
add_chunk(struct pb_arena *arena, size_t bytes)
{
    bool is_oversized = bytes > arena->chunk_bytes;
    size_t capacity = is_oversized ? bytes : arena->chunk_bytes;
    struct pb_arena_chunk *chunk;

    if (capacity > (size_t)PTRDIFF_MAX - sizeof(*chunk))
        return NULL;
    chunk = pb_alloc(arena->env, sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    arena->total_bytes += sizeof(*chunk) + capacity;

    if (is_oversized && arena->chunk != NULL) {
        chunk->next = arena->chunk->next;
        arena->chunk->next = chunk;
        return chunk;
    }
    chunk->next = arena->chunk;
    arena->chunk = chunk;
    if (!is_oversized && arena->chunk_bytes < CHUNK_BYTES_GROWTH_MAX)
        arena->chunk_bytes *= 2;
    return chunk;
}

void *
pb_arena_alloc(struct pb_arena *arena, size_t bytes)
{
    struct pb_arena_chunk *chunk = arena->chunk;
    void *memory;

    if (bytes > (size_t)PTRDIFF_MAX)
        return NULL;
    bytes = (bytes + 7u) & ~(size_t)7u;
    if (chunk == NULL || bytes > chunk->capacity - chunk->used) {
        chunk = add_chunk(arena, bytes);
        if (chunk == NULL)
            return NULL;
    }
    memory = chunk_bytes(chunk) + chunk->used;
    chunk->used += bytes;
    return memory;
}

enum pb_status
pb_arena_copy(struct pb_arena *arena, struct pb_str text, struct pb_str *ret_copy)
{
    char *copy;

    if (text.bytes == 0) {
        *ret_copy = (struct pb_str){ .text = "", .bytes = 0 };
        return PB_OK;
    }
    copy = pb_arena_alloc(arena, text.bytes);
    if (copy == NULL)
        return PB_E_NOMEM;
    memcpy(copy, text.text, text.bytes);
    *ret_copy = (struct pb_str){ .text = copy, .bytes = text.bytes };
    return PB_OK;
}

char *
pb_arena_text(struct pb_arena *arena, struct pb_str text)
{
    char *copy = pb_arena_alloc(arena, (size_t)text.bytes + 1);

    if (copy == NULL)
        return NULL;
    if (text.bytes > 0)
        memcpy(copy, text.text, text.bytes);
    copy[text.bytes] = '\0';
    return copy;
}
