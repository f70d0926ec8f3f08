/*
 * Fuzz target: one block of a segment.
 *
 * The input is taken as a block as it is; with its checksums, table and number put right; and as
 * numbers to encode, which must come out again as they went in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "store/local/block.h"

#define HEAD_BYTES 16u /* docs/formats/segment-v1.md, "Blocks" */
#define BLOB_HEAD_BYTES 12u
#define TABLE 3u
#define NUMBER 70000u
#define SEED UINT64_C(0x0123456789ABCDEF)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void *
get(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);

    check(memory != NULL);
    return memory;
}

static void
look_at(const uint8_t *bytes, size_t count)
{
    struct pb_block block;
    struct pb_column column;
    int64_t values[PB_BLOCK_ROWS_MAX];
    const char *what = NULL;
    uint8_t *blob = NULL;

    if (pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what) != PB_OK) {
        check(what != NULL);
        return;
    }
    check(block.rows >= 1 && block.rows <= PB_BLOCK_ROWS_MAX && pb_block_bytes(&block) <= count);
    for (uint32_t c = 0; c < PB_BLOCK_COLUMNS_MAX; c++) {
        if (pb_block_column(&block, c, &column) != PB_OK)
            continue;
        check(column.rows == block.rows);
        for (uint32_t row = 0; row < column.rows; row++)
            (void)pb_column_get(&column, row);
        pb_column_all(&column, values);
    }
    blob = get(block.blob_raw);
    (void)!pb_block_blob(&block, blob, &what);
    free(blob);
}

/* Exactly as large as promised, so that AddressSanitizer sees a read past the padding. */
static uint8_t *
padded_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = get(size + PB_BLOCK_PADDING);

    if (size > 0)
        memcpy(copy, data, size);
    memset(copy + size, 0, PB_BLOCK_PADDING);
    return copy;
}

static void
put_right(uint8_t *bytes, size_t size)
{
    size_t columns_end = 0;

    if (size < HEAD_BYTES + BLOB_HEAD_BYTES)
        return;
    columns_end = HEAD_BYTES + pb_get_le16(bytes + 14) % (size - HEAD_BYTES + 1);
    if (columns_end > UINT16_MAX)
        return;
    pb_put_le16(bytes + 14, (uint16_t)columns_end);
    pb_put_le32(bytes + 4, NUMBER);
    bytes[8] = TABLE;
    if ((bytes[9] & 1) != 0 && columns_end >= HEAD_BYTES + BLOB_HEAD_BYTES) {
        size_t stored = pb_get_le32(bytes + HEAD_BYTES);

        if (stored <= size - columns_end)
            pb_put_le32(bytes + HEAD_BYTES + 8,
                        (uint32_t)XXH3_64bits_withSeed(bytes + columns_end, stored, SEED));
    }
    pb_put_le32(bytes, (uint32_t)XXH3_64bits_withSeed(bytes + 4, columns_end - 4, SEED));
}

/* Rows, columns, hints, then values of as many bytes as the hints' spare bits say. */
static void
encode(const uint8_t *data, size_t size)
{
    static int64_t values[PB_BLOCK_COLUMNS_MAX][PB_BLOCK_ROWS_MAX];
    static int64_t found[PB_BLOCK_ROWS_MAX];
    uint16_t hints[PB_BLOCK_COLUMNS_MAX];
    struct pb_block_input input = { .table = TABLE, .number = NUMBER, .seed = SEED };
    struct pb_block block;
    const char *what = NULL;
    uint8_t *bytes = NULL;
    size_t at = 2;
    size_t count = 0;

    if (size < 2)
        return;
    input.rows = data[0] + 1u;
    input.columns = data[1] % PB_BLOCK_COLUMNS_MAX + 1u;
    input.hints = hints;
    for (uint32_t c = 0; c < input.columns; c++) {
        uint32_t width = 1;

        hints[c] = 0;
        if (size - at >= 2) {
            hints[c] = pb_get_le16(data + at) & 1023u;
            width = (data[at + 1] >> 2 & 7u) + 1;
            at += 2;
        }
        for (uint32_t row = 0; row < input.rows; row++) {
            uint64_t value = 0;

            for (uint32_t i = 0; i < width && at < size; i++)
                value = value << 8 | data[at++];
            values[c][row] = (int64_t)value;
            /* What is said to ascend must ascend. */
            if ((hints[c] & PB_HINT_SORTED) != 0 && row > 0
                && value < (uint64_t)values[c][row - 1])
                values[c][row] = values[c][row - 1];
        }
        input.values[c] = values[c];
    }
    input.blob = data;
    input.blob_bytes = size < 4096 ? size : 4096;
    bytes = get(pb_block_bound(input.columns, input.blob_bytes) + PB_BLOCK_PADDING);
    count = pb_block_encode(&input, bytes);
    check(count != 0);
    memset(bytes + count, 0, PB_BLOCK_PADDING);
    check(pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what) == PB_OK);
    check(block.rows == input.rows && pb_block_bytes(&block) == count);
    for (uint32_t c = 0; c < input.columns; c++) {
        struct pb_column column;

        check(pb_block_column(&block, c, &column) == PB_OK);
        pb_column_all(&column, found);
        check(memcmp(found, values[c], input.rows * sizeof(found[0])) == 0);
        for (uint32_t row = 0; row < input.rows; row++)
            check(pb_column_get(&column, row) == values[c][row]);
    }
    check(block.blob_raw == input.blob_bytes);
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = padded_copy(data, size);

    look_at(copy, size);
    put_right(copy, size);
    look_at(copy, size);
    free(copy);
    encode(data, size);
    return 0;
}
