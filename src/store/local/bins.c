/*
 * Bins: chunks are cut from slabs, which are large so that they get huge pages, and freed together.
 *
 * Invariant: the records of a bin are, in order of arrival, those of its chunks but the last, of
 * its extents, of its last chunk: a chunk that is written to the file is the last one, and stays it
 * even if there is memory again.
 */
#include "store/local/bins.h"

#include <assert.h>
#include <string.h>

#define SLAB_FIRST_BYTES ((size_t)256 << 10)
#define SLAB_BYTES_MAX ((size_t)8 << 20) /* so many get huge pages */
#define EXTENTS_FIRST 16u

/* Bytes follow it, as they follow a slab. */
struct pb_bins_chunk {
    struct pb_bins_chunk *next;
    size_t bytes; /* of records; of the last chunk the bin knows it */
};

struct pb_bins_slab {
    struct pb_bins_slab *next;
    uint64_t unused; /* so that chunks are aligned */
};

/* There are many, so they are small: the upper 48 bits are the offset, the others the bytes. */
struct pb_bins_extent {
    uint64_t place;
};

static_assert(PB_BINS_CHUNK_BYTES_MAX <= UINT16_MAX, "an extent's bytes");
static_assert(PB_BINS_CHUNK_BYTES_MIN - sizeof(struct pb_bins_chunk) >= PB_BINS_RECORD_BYTES_MAX,
              "any record fits in any chunk");

enum pb_status
pb_bins_init(struct pb_bins *bins, const struct pb_env *env, struct pb_bins_budget *budget,
             const char *path)
{
    size_t path_bytes = strlen(path) + 1;

    *bins = (struct pb_bins){ .env = env, .budget = budget };
    bins->path = pb_alloc(env, path_bytes);
    if (bins->path == NULL)
        return PB_E_NOMEM;
    memcpy(bins->path, path, path_bytes);
    return PB_OK;
}

void
pb_bins_done(struct pb_bins *bins)
{
    const struct pb_env *env = bins->env;

    if (env == NULL)
        return;
    while (bins->slabs != NULL) {
        struct pb_bins_slab *slab = bins->slabs;

        bins->slabs = slab->next;
        pb_free(env, slab);
    }
    if (bins->file != NULL) {
        env->files->close(env->file_context, bins->file);
        /* What is left behind is deleted when the store is opened next. */
        (void)!env->files->unlink(env->file_context, bins->path, NULL);
    }
    pb_free(env, bins->path);
    memset(bins, 0, sizeof(*bins));
}

void
pb_bin_done(struct pb_bin *bin, const struct pb_env *env)
{
    pb_free(env, bin->extents);
    memset(bin, 0, sizeof(*bin));
}

static enum pb_status
add_slab(struct pb_bins *bins, size_t bytes)
{
    struct pb_bins_slab *slab = pb_alloc(bins->env, bytes);

    if (slab == NULL)
        return PB_E_NOMEM;
    (void)atomic_fetch_add_explicit(&bins->budget->used_bytes, bytes, memory_order_relaxed);
    slab->next = bins->slabs;
    bins->slabs = slab;
    bins->slab_at = (uint8_t *)slab + sizeof(*slab);
    bins->slab_end = (uint8_t *)slab + bytes;
    return PB_OK;
}

/* Sees to it that the slab at hand has bytes left; ret_has false where the budget is used up. */
static enum pb_status
reserve(struct pb_bins *bins, size_t bytes, bool *ret_has)
{
    size_t used_bytes = atomic_load_explicit(&bins->budget->used_bytes, memory_order_relaxed);
    size_t slab_bytes = bins->budget->bytes_max / 16; /* for others want some, too */

    slab_bytes = slab_bytes > SLAB_BYTES_MAX ? SLAB_BYTES_MAX : slab_bytes;
    slab_bytes = slab_bytes < SLAB_FIRST_BYTES ? SLAB_FIRST_BYTES : slab_bytes;
    *ret_has = true;
    if ((size_t)(bins->slab_end - bins->slab_at) >= bytes)
        return PB_OK;
    /* The first slab is given whatever the budget. */
    if (bins->slabs == NULL)
        return add_slab(bins, SLAB_FIRST_BYTES);
    if (used_bytes + slab_bytes <= bins->budget->bytes_max)
        return add_slab(bins, slab_bytes);
    *ret_has = false;
    return PB_OK;
}

/* Writes the last chunk of a bin to the file and empties it. */
static enum pb_status
spill(struct pb_bins *bins, struct pb_bin *bin, struct pb_error *error)
{
    const struct pb_file_ops *files = bins->env->files;
    uint8_t *begin = (uint8_t *)(bin->last + 1);
    uint32_t bytes = (uint32_t)(bin->at - begin);
    enum pb_status status = PB_OK;

    if (bins->file == NULL)
        status =
            files->open(bins->env->file_context, bins->path, PB_OPEN_CREATE, &bins->file, error);
    if (status == PB_OK && bin->extent_count == bin->extent_room) {
        uint32_t room = bin->extent_room == 0 ? EXTENTS_FIRST : bin->extent_room * 2;
        struct pb_bins_extent *larger = pb_realloc(bins->env, bin->extents, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        bin->extents = larger;
        bin->extent_room = room;
    }
    if (status == PB_OK)
        status = files->write(bins->env->file_context, bins->file, bins->file_bytes, begin, bytes,
                              error);
    if (status != PB_OK)
        return status;
    bin->extents[bin->extent_count++] =
        (struct pb_bins_extent){ .place = bins->file_bytes << 16 | bytes };
    bins->file_bytes += bytes;
    bin->spilled_bytes += bytes;
    bin->at = begin;
    return PB_OK;
}

enum pb_status
pb_bin_next_chunk(struct pb_bins *bins, struct pb_bin *bin, uint32_t chunk_bytes, bool may_spill,
                  struct pb_error *error)
{
    struct pb_bins_chunk *chunk = NULL;
    bool has_memory = false;
    enum pb_status status = PB_OK;

    if (bin->extent_count > 0)
        return spill(bins, bin, error);
    status = reserve(bins, chunk_bytes, &has_memory);
    if (status == PB_OK && !has_memory && may_spill && bin->last != NULL)
        return spill(bins, bin, error);
    if (status == PB_OK && !has_memory) {
        /* A first chunk, or one of what cannot be spilled. */
        atomic_store_explicit(&bins->budget->is_exceeded, true, memory_order_relaxed);
        status = add_slab(bins, SLAB_FIRST_BYTES);
    }
    if (status != PB_OK)
        return status;
    chunk = (struct pb_bins_chunk *)(void *)bins->slab_at;
    bins->slab_at += chunk_bytes;
    *chunk = (struct pb_bins_chunk){ .next = NULL };
    if (bin->last == NULL) {
        bin->first = chunk;
    } else {
        bin->last->bytes = (size_t)(bin->at - (uint8_t *)(bin->last + 1));
        bin->last->next = chunk;
    }
    bin->last = chunk;
    bin->at = (uint8_t *)(chunk + 1);
    bin->end = (uint8_t *)chunk + chunk_bytes;
    return PB_OK;
}

static enum pb_status
read_extent(const struct pb_bins *bins, const struct pb_bins_extent *extent, uint8_t *ret_bytes,
            size_t *ret_count, struct pb_error *error)
{
    *ret_count = extent->place & UINT16_MAX;
    return bins->env->files->read(bins->env->file_context, bins->file, extent->place >> 16,
                                  ret_bytes, *ret_count, error);
}

enum pb_status
pb_bin_read(const struct pb_bins *bins, const struct pb_bin *bin, uint8_t *ret_bytes,
            struct pb_error *error)
{
    size_t count = 0;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < bin->extent_count && status == PB_OK; i++) {
        status = read_extent(bins, &bin->extents[i], ret_bytes, &count, error);
        ret_bytes += count;
    }
    return status;
}

static enum pb_status
each_extent(const struct pb_bins *bins, const struct pb_bin *bin, pb_bin_fn *each, void *context,
            struct pb_error *error)
{
    uint8_t *bytes = pb_alloc(bins->env, PB_BINS_CHUNK_BYTES_MAX);
    size_t count = 0;
    enum pb_status status = bytes == NULL ? PB_E_NOMEM : PB_OK;

    for (uint32_t i = 0; i < bin->extent_count && status == PB_OK; i++) {
        status = read_extent(bins, &bin->extents[i], bytes, &count, error);
        if (status == PB_OK)
            status = each(context, bytes, count);
    }
    pb_free(bins->env, bytes);
    return status;
}

enum pb_status
pb_bin_each(const struct pb_bins *bins, const struct pb_bin *bin, pb_bin_fn *each, void *context,
            struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (const struct pb_bins_chunk *chunk = bin->first; chunk != NULL && status == PB_OK;
         chunk = chunk->next) {
        const uint8_t *begin = (const uint8_t *)(chunk + 1);
        bool is_last = chunk == bin->last;

        if (is_last && bin->extent_count > 0)
            status = each_extent(bins, bin, each, context, error);
        if (status == PB_OK)
            status = each(context, begin, is_last ? (size_t)(bin->at - begin) : chunk->bytes);
    }
    return status;
}

void
pb_bin_walk_init(struct pb_bin_walk *walk, const struct pb_bin *bin, const uint8_t *spilled)
{
    *walk = (struct pb_bin_walk){ .bin = bin,
                                  .chunk = bin->first,
                                  .spilled = bin->spilled_bytes == 0 ? NULL : spilled };
    assert(bin->spilled_bytes == 0 || spilled != NULL);
}

bool
pb_bin_walk_next(struct pb_bin_walk *walk, const uint8_t **ret_at, const uint8_t **ret_end)
{
    if (walk->spilled != NULL && walk->chunk == walk->bin->last) {
        *ret_at = walk->spilled;
        *ret_end = walk->spilled + walk->bin->spilled_bytes;
        walk->spilled = NULL;
        return true;
    }
    if (walk->chunk == NULL)
        return false;
    *ret_at = (const uint8_t *)(walk->chunk + 1);
    *ret_end = walk->chunk == walk->bin->last ? walk->bin->at : *ret_at + walk->chunk->bytes;
    walk->chunk = walk->chunk->next;
    return true;
}
