/*
 * Arena: memory that is freed all at once.
 *
 * Threads: one at a time.
 */
#ifndef PB_BASE_ARENA_H
#define PB_BASE_ARENA_H

#include <platebase/read.h>

#include "base/env.h"

struct pb_arena_chunk;

struct pb_arena {
    const struct pb_env *env;     /* borrowed */
    struct pb_arena_chunk *chunk; /* owned: newest first */
    size_t chunk_bytes;           /* size of the next chunk */
    size_t total_bytes;           /* held from env */
};

void pb_arena_init(struct pb_arena *arena, const struct pb_env *env, size_t chunk_bytes);
/* Frees everything; the arena may be used again. */
void pb_arena_clear(struct pb_arena *arena);
/* Forgets everything but keeps the newest chunk for reuse. */
void pb_arena_reset(struct pb_arena *arena);
/* 8-byte aligned; NULL if there is no memory. bytes may be 0. */
void *pb_arena_alloc(struct pb_arena *arena, size_t bytes);
/* Copies text; PB_E_NOMEM leaves ret_copy alone. An empty text needs no memory. */
PB_MUST_CHECK enum pb_status pb_arena_copy(struct pb_arena *arena, struct pb_str text,
                                           struct pb_str *ret_copy);
/* A copy of text that ends with a NUL; NULL without memory. */
char *pb_arena_text(struct pb_arena *arena, struct pb_str text);

#endif
