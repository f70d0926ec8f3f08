/*
 * Memory: blocks that know their own size.
 *
 * Each block begins with a header that holds the size asked for, so that the
 * environment's resize is told the old size and callers need not remember it.
 * The header is as large as the strictest alignment, so that what follows it
 * is aligned as malloc's memory is.
 */
#include "base/env.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define HEADER_BYTES 16u

static_assert(HEADER_BYTES >= sizeof(size_t), "the header holds a size");
static_assert(HEADER_BYTES % alignof(max_align_t) == 0, "what follows the header is aligned");

/* Notes the size in a fresh block; NULL where there is none. */
static void *
begin_block(unsigned char *block, size_t bytes)
{
    if (block == NULL)
        return NULL;
    memcpy(block, &bytes, sizeof(bytes));
    return block + HEADER_BYTES;
}

static void *
resize_block(const struct pb_env *env, unsigned char *block, size_t old_bytes, size_t bytes)
{
    size_t old_total = block == NULL ? 0 : HEADER_BYTES + old_bytes;

    /* No object may be larger than PTRDIFF_MAX: pointer differences would overflow. */
    if (bytes > (size_t)PTRDIFF_MAX - HEADER_BYTES)
        return NULL;
    block = env->resize(env->memory_context, block, old_total, HEADER_BYTES + bytes);
    return begin_block(block, bytes);
}

static unsigned char *
block_of(void *memory, size_t *ret_bytes)
{
    unsigned char *block = (unsigned char *)memory - HEADER_BYTES;

    memcpy(ret_bytes, block, sizeof(*ret_bytes));
    return block;
}

void *
pb_alloc(const struct pb_env *env, size_t bytes)
{
    assert(env != NULL);
    return resize_block(env, NULL, 0, bytes);
}

void *
pb_calloc(const struct pb_env *env, size_t count, size_t bytes)
{
    assert(env != NULL);
    if (bytes != 0 && count > ((size_t)PTRDIFF_MAX - HEADER_BYTES) / bytes)
        return NULL;
    return begin_block(env->zeroed(env->memory_context, HEADER_BYTES + count * bytes),
                       count * bytes);
}

void *
pb_realloc(const struct pb_env *env, void *memory, size_t bytes)
{
    unsigned char *block;
    size_t old_bytes;

    assert(env != NULL);
    if (memory == NULL)
        return pb_alloc(env, bytes);
    block = block_of(memory, &old_bytes);
    return resize_block(env, block, old_bytes, bytes);
}

void
pb_free(const struct pb_env *env, void *memory)
{
    unsigned char *block;
    size_t old_bytes;

    assert(env != NULL);
    if (memory == NULL)
        return;
    block = block_of(memory, &old_bytes);
    (void)env->resize(env->memory_context, block, HEADER_BYTES + old_bytes, 0);
}
