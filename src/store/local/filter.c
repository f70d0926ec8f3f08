/*
 * Filter: a Bloom filter whose hashes each live in one word.
 */
#include "store/local/filter.h"

#include "base/env.h"

#define HASHES_PER_WORD 5u
#define WORDS_MAX (UINT32_C(1) << 28) /* so that a product of both halves fits 64 bits */

struct pb_filter {
    const struct pb_env *env; /* borrowed */
    uint32_t word_count;
    uint64_t words[]; /* word_count */
};

enum pb_status
pb_filter_new(const struct pb_env *env, uint64_t count, struct pb_filter **ret_filter)
{
    uint64_t words = count / HASHES_PER_WORD + 1;
    struct pb_filter *filter;

    if (words > WORDS_MAX)
        return PB_OVER_LIMIT;
    filter = pb_calloc(env, 1, sizeof(*filter) + words * sizeof(filter->words[0]));
    if (filter == NULL)
        return PB_E_NOMEM;
    filter->env = env;
    filter->word_count = (uint32_t)words;
    *ret_filter = filter;
    return PB_OK;
}

void
pb_filter_free(struct pb_filter *filter)
{
    if (filter != NULL)
        pb_free(filter->env, filter);
}

static uint32_t
word_of(const struct pb_filter *filter, uint64_t hash)
{
    return (uint32_t)((hash >> 16 & UINT32_MAX) * filter->word_count >> 32);
}

static uint64_t
bits_of(uint64_t hash)
{
    uint64_t spread = (hash << 16) * UINT64_C(0x9E3779B97F4A7C15);

    return UINT64_C(1) << (spread >> 58) | UINT64_C(1) << (spread >> 52 & 63) |
           UINT64_C(1) << (spread >> 46 & 63) | UINT64_C(1) << (spread >> 40 & 63);
}

void
pb_filter_add(struct pb_filter *filter, uint64_t hash)
{
    filter->words[word_of(filter, hash)] |= bits_of(hash);
}

bool
pb_filter_may_have(const struct pb_filter *filter, uint64_t hash)
{
    uint64_t bits = bits_of(hash);

    return (filter->words[word_of(filter, hash)] & bits) == bits;
}

uint64_t
pb_filter_bytes(const struct pb_filter *filter)
{
    return sizeof(*filter) + filter->word_count * sizeof(filter->words[0]);
}
