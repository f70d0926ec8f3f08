/*
 * Forged segments: a good file in which one block says something else, with all checksums right.
 * So what a reader makes of it is not left to the checksums.
 */
#ifndef PB_TESTS_STORE_FORGED_H
#define PB_TESTS_STORE_FORGED_H

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "store/local/segment_format.h"
#include "store/store_room.h"

#define FORGED_BLOB_MAX 65536u

struct forged_file {
    uint8_t *bytes; /* owned */
    size_t size;
};

/* One block taken apart. */
struct forged_block {
    enum pb_table table;
    uint32_t number, rows;
    int64_t values[PB_BLOCK_COLUMNS_MAX][PB_BLOCK_ROWS_MAX];
    uint8_t blob[FORGED_BLOB_MAX];
    size_t blob_bytes;
    uint32_t undecodable; /* a bit for each column whose head is made wrong */
};

static inline void
forged_read(struct store_room *room, const char *path, struct forged_file *ret_file)
{
    const struct pb_file_ops *files = room->base.files;
    struct pb_file *file = NULL;
    uint64_t size = 0;

    assert_int_equal(PB_OK, files->open(room->base.file_context, path, PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_OK, files->size(room->base.file_context, file, &size, NULL));
    ret_file->size = (size_t)size;
    ret_file->bytes = calloc(1, ret_file->size + PB_BLOCK_PADDING);
    assert_non_null(ret_file->bytes);
    assert_int_equal(PB_OK, files->read(room->base.file_context, file, 0, ret_file->bytes,
                                        ret_file->size, NULL));
    files->close(room->base.file_context, file);
}

static inline void
forged_write(struct store_room *room, const char *path, const struct forged_file *from)
{
    const struct pb_file_ops *files = room->base.files;
    struct pb_file *file = NULL;

    assert_int_equal(PB_OK, files->unlink(room->base.file_context, path, NULL));
    assert_int_equal(PB_OK,
                     files->open(room->base.file_context, path, PB_OPEN_CREATE, &file, NULL));
    assert_int_equal(PB_OK,
                     files->write(room->base.file_context, file, 0, from->bytes, from->size, NULL));
    files->close(room->base.file_context, file);
}

static inline uint8_t *
forged_footer(const struct forged_file *file)
{
    return file->bytes + file->size - PB_SEGMENT_TRAILER_BYTES - PB_FOOTER_BYTES;
}

static inline uint8_t *
forged_table(const struct forged_file *file, enum pb_table table)
{
    return forged_footer(file) + PB_FOOTER_FIXED_BYTES + PB_FOOTER_NAMES_BYTES +
           (size_t)table * PB_FOOTER_TABLE_BYTES;
}

static inline uint64_t
forged_seed(const struct forged_file *file)
{
    return pb_get_le64(forged_footer(file) + 84);
}

/* Puts the checksums of names, indexes and footer right. */
static inline void
forged_seal(struct forged_file *file)
{
    uint8_t *footer = forged_footer(file);
    uint8_t *names = footer + PB_FOOTER_FIXED_BYTES;
    uint64_t seed = forged_seed(file);
    uint64_t offset = pb_get_le64(names);
    uint64_t bytes = pb_get_le64(names + 8);

    if (offset <= file->size && bytes <= file->size - offset)
        pb_put_le64(names + 24, XXH3_64bits_withSeed(file->bytes + offset, (size_t)bytes, seed));
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        uint8_t *table = forged_table(file, (enum pb_table)t);

        offset = pb_get_le64(table + 16);
        bytes = pb_get_le64(table + 24);
        if (offset <= file->size && bytes <= file->size - offset)
            pb_put_le64(table + 32,
                        XXH3_64bits_withSeed(file->bytes + offset, (size_t)bytes, seed));
    }
    pb_put_le64(footer + PB_FOOTER_BYTES + 16, XXH3_64bits(footer, PB_FOOTER_BYTES));
}

static inline uint64_t
forged_block_offset(const struct forged_file *file, enum pb_table table, uint32_t number)
{
    const uint8_t *entry = forged_table(file, table);
    const uint8_t *bases = file->bytes + pb_get_le64(entry + 16);
    uint32_t blocks = pb_get_le32(entry + 8);
    size_t groups = (blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP;

    assert_true(number < blocks);
    return pb_get_le64(bases + (size_t)(number / PB_INDEX_GROUP) * 8) +
           pb_get_le32(bases + groups * 8 + (size_t)number * 4);
}

static inline void
forged_take(const struct forged_file *file, enum pb_table table, uint32_t number,
            struct forged_block *ret_block)
{
    uint64_t offset = forged_block_offset(file, table, number);
    struct pb_block block;
    const char *what = NULL;

    memset(ret_block, 0, sizeof(*ret_block));
    assert_int_equal(PB_OK,
                     pb_block_open(file->bytes + offset, file->size - (size_t)offset,
                                   (uint8_t)table, number, forged_seed(file), &block, &what));
    ret_block->table = table;
    ret_block->number = number;
    ret_block->rows = block.rows;
    for (uint32_t c = 0; c < pb_table_formats[table].columns; c++) {
        struct pb_column column;

        assert_int_equal(PB_OK, pb_block_column(&block, c, &column));
        pb_column_all(&column, ret_block->values[c]);
    }
    ret_block->blob_bytes = block.blob_raw;
    assert_true(block.blob_raw <= FORGED_BLOB_MAX);
    assert_int_equal(PB_OK, pb_block_blob(&block, ret_block->blob, &what));
}

/* Encodes the block; returns its bytes. */
static inline size_t
forged_encode(const struct forged_block *from, uint64_t seed, uint8_t *ret_bytes)
{
    static const uint16_t no_hints[PB_BLOCK_COLUMNS_MAX];
    struct pb_block_input input = { .table = (uint8_t)from->table,
                                    .number = from->number,
                                    .rows = from->rows,
                                    .columns = pb_table_formats[from->table].columns,
                                    .hints = no_hints, /* what should ascend may not */
                                    .blob = from->blob,
                                    .blob_bytes = from->blob_bytes,
                                    .seed = seed };
    size_t bytes = 0;
    unsigned present = 0;

    for (uint32_t c = 0; c < input.columns; c++)
        input.values[c] = from->values[c];
    bytes = pb_block_encode(&input, ret_bytes);
    assert_true(bytes != 0);
    for (uint32_t c = 0; c < input.columns; c++) {
        size_t head = 16u + (from->blob_bytes != 0 ? 12u : 0u) + 2u * present;

        if ((pb_get_le16(ret_bytes + 12) & 1u << c) == 0)
            continue;
        present++;
        if (from->undecodable >> c & 1)
            ret_bytes[pb_get_le16(ret_bytes + head)] |= 15; /* there is no such mode */
    }
    pb_put_le32(ret_bytes, (uint32_t)XXH3_64bits_withSeed(ret_bytes + 4,
                                                          pb_get_le16(ret_bytes + 14) - 4u, seed));
    return bytes;
}

/* Puts the block, behind all others, in the place of the one of its table and number. */
static inline void
forged_replace(struct forged_file *file, const struct forged_block *block)
{
    static uint8_t bytes[FORGED_BLOB_MAX * 2];
    uint64_t at = pb_get_le64(forged_footer(file) + PB_FOOTER_FIXED_BYTES); /* the names' place */
    size_t count = forged_encode(block, forged_seed(file), bytes);
    uint8_t *larger = calloc(1, file->size + count + PB_BLOCK_PADDING);
    uint8_t *index = NULL;
    uint8_t *near_at = NULL;
    uint8_t *trailer = NULL;
    uint32_t blocks = 0;

    assert_non_null(larger);
    memcpy(larger, file->bytes, (size_t)at);
    memcpy(larger + at, bytes, count);
    memcpy(larger + at + count, file->bytes + at, file->size - (size_t)at);
    free(file->bytes);
    file->bytes = larger;
    file->size += count;
    pb_put_le64(forged_footer(file) + PB_FOOTER_FIXED_BYTES, at + count);
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        uint8_t *entry = forged_table(file, (enum pb_table)t);

        pb_put_le64(entry + 16, pb_get_le64(entry + 16) + count);
    }
    blocks = pb_get_le32(forged_table(file, block->table) + 8);
    index = file->bytes + pb_get_le64(forged_table(file, block->table) + 16);
    near_at =
        index + (blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP * 8 + (size_t)block->number * 4;
    pb_put_le32(near_at,
                (uint32_t)(at - pb_get_le64(index + (size_t)(block->number / PB_INDEX_GROUP) * 8)));
    trailer = file->bytes + file->size - PB_SEGMENT_TRAILER_BYTES;
    pb_put_le64(trailer, file->size - PB_SEGMENT_TRAILER_BYTES - PB_FOOTER_BYTES);
    forged_seal(file);
}

/* Makes the manifest mean the file as it is now. */
static inline void
forged_name(struct store_room *room, uint64_t number, const struct forged_file *file)
{
    struct pb_manifest manifest;
    bool is_unknown = false;

    pb_manifest_init(&manifest, room->env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room->error));
    for (uint32_t i = 0; i < manifest.segment_count; i++) {
        if (manifest.segments[i].number != number)
            continue;
        manifest.segments[i].bytes = file->size;
        manifest.segments[i].checksum =
            pb_get_le64(file->bytes + file->size - PB_SEGMENT_TRAILER_BYTES + 16);
    }
    assert_int_equal(PB_OK, pb_manifest_write(&manifest, ROOM_PATH, &is_unknown, &room->error));
    pb_manifest_done(&manifest);
}

#endif
