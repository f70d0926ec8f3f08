#include "store/local/segment_index.h"

#include <assert.h>
#include <stdatomic.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/limits.h"
#include "store/local/segment_format.h"

#define DAMAGE "the checksum of a table's index does not fit"

/* Whether the checksum fits. */
enum { UNKNOWN, GOOD, BAD };

struct pb_table_index {
    uint64_t offset, bytes, checksum; /* of all of it, in the file */
    const uint8_t *bases;             /* u64 for each 64 blocks */
    const uint8_t *nears;             /* u32 a block, to add to its base */
    const uint8_t *keys;              /* u64 a block, or NULL */
    _Atomic uint8_t state;            /* whoever finds it unknown finds the same of it */
};

/* ---- opening ---- */

static enum pb_status
open_table(struct pb_segment *segment, enum pb_table number, const uint8_t *entry,
           struct pb_error *error)
{
    struct pb_table_view *table = &segment->tables[number];
    struct pb_table_index *index = &segment->indexes[number];
    const struct pb_table_format *format = &pb_table_formats[number];
    uint64_t groups = 0;

    table->rows = pb_get_le64(entry);
    table->blocks = pb_get_le32(entry + 8);
    table->rows_per_block = pb_get_le32(entry + 12);
    index->offset = pb_get_le64(entry + 16);
    index->bytes = pb_get_le64(entry + 24);
    index->checksum = pb_get_le64(entry + 32);
    if (table->rows_per_block != format->rows_per_block ||
        table->rows > (uint64_t)PB_SEGMENT_ROWS_MAX * (PB_ALTERNATES_MAX + 1) ||
        table->blocks != (table->rows + table->rows_per_block - 1) / table->rows_per_block ||
        index->bytes != pb_table_index_bytes(number, table->blocks) ||
        index->offset > segment->size || index->bytes > segment->size - index->offset)
        return pb_segment_fail(segment, index->offset, "a table's index is out of range", error);
    groups = ((uint64_t)table->blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP;
    index->bases = segment->bytes + index->offset;
    index->nears = index->bases + groups * 8;
    index->keys = format->has_keys ? index->nears + (uint64_t)table->blocks * 4 : NULL;
    return PB_OK;
}

enum pb_status
pb_indexes_open(struct pb_segment *segment, const uint8_t *footer, struct pb_error *error)
{
    const uint8_t *tables = footer + PB_FOOTER_FIXED_BYTES + PB_FOOTER_NAMES_BYTES;
    enum pb_status status = PB_OK;

    segment->indexes = pb_calloc(segment->env, PB_TABLE_COUNT, sizeof(*segment->indexes));
    if (segment->indexes == NULL)
        return PB_E_NOMEM;
    for (int t = 0; t < PB_TABLE_COUNT && status == PB_OK; t++)
        status = open_table(segment, (enum pb_table)t, tables + (size_t)t * PB_FOOTER_TABLE_BYTES,
                            error);
    return status;
}

/* ---- checking ---- */

static bool
is_good(const struct pb_segment *segment, enum pb_table table)
{
    struct pb_table_index *index = &segment->indexes[table];
    uint8_t state = atomic_load_explicit(&index->state, memory_order_relaxed);

    if (state == UNKNOWN) {
        segment->env->files->fetch(segment->env->file_context, index->bases, index->bytes);
        state = XXH3_64bits_withSeed(index->bases, (size_t)index->bytes, segment->seed) ==
                        index->checksum
                    ? GOOD
                    : BAD;
        atomic_store_explicit(&index->state, state, memory_order_relaxed);
    }
    return state == GOOD;
}

enum pb_status
pb_index_check(const struct pb_segment *segment, enum pb_table table, struct pb_error *error)
{
    return is_good(segment, table)
               ? PB_OK
               : pb_segment_fail(segment, segment->indexes[table].offset, DAMAGE, error);
}

enum pb_status
pb_index_blame(const struct pb_segment *segment, enum pb_table table, uint64_t offset,
               const char *what, struct pb_error *error)
{
    enum pb_status status = pb_index_check(segment, table, error);

    return status == PB_OK ? pb_segment_fail(segment, offset, what, error) : status;
}

enum pb_status
pb_segment_check_indexes(const struct pb_segment *segment, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (int t = 0; t < PB_TABLE_COUNT && status == PB_OK; t++)
        status = pb_index_check(segment, (enum pb_table)t, error);
    return status;
}

/* ---- asking ---- */

uint64_t
pb_index_block_offset(const struct pb_segment *segment, enum pb_table table, uint32_t block)
{
    const struct pb_table_index *index = &segment->indexes[table];

    return pb_get_le64(index->bases + (size_t)(block / PB_INDEX_GROUP) * 8) +
           pb_get_le32(index->nears + (size_t)block * 4);
}

uint64_t
pb_index_plate_ordinal(const struct pb_segment *segment, uint32_t block)
{
    return pb_get_le64(segment->indexes[PB_TABLE_READS].keys + (size_t)block * 8);
}

enum pb_status
pb_segment_keys(const struct pb_segment *segment, enum pb_table table,
                struct pb_block_keys *ret_keys, struct pb_error *error)
{
    const struct pb_table_index *index = &segment->indexes[table];

    enum pb_status status = pb_index_check(segment, table, error);

    assert(index->keys != NULL);
    if (status == PB_OK)
        *ret_keys = (struct pb_block_keys){ index->keys, segment->tables[table].blocks };
    return status;
}

uint64_t
pb_block_key(const struct pb_block_keys *keys, uint32_t block)
{
    assert(block < keys->count);
    return pb_get_le64(keys->bytes + (size_t)block * 8);
}

uint32_t
pb_block_keys_find(const struct pb_block_keys *keys, uint64_t key)
{
    uint32_t first = 0;
    uint32_t end = keys->count;

    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;

        if (pb_block_key(keys, middle) <= key)
            first = middle;
        else
            end = middle;
    }
    return first;
}
