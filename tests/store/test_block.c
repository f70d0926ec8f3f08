/*
 * Blocks: any columns come back, one by one and as a whole; damage is refused, and forged
 * blocks with a fitting checksum are read without harm.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/env.h"
#include "read/read_maker.h"
#include "store/failing_zstd.h"
#include "store/local/block.h"

#define SEED UINT64_C(0x1234567890ABCDEF)
#define TABLE 3u
#define NUMBER 77u
#define ROUNDS 1500u
#define FORGED_ROUNDS 600u
#define SHAPES 12u

/* ---- columns of every shape ---- */

static void
fill_column(uint64_t *random, uint32_t shape, uint32_t rows, const int64_t *before,
            int64_t *ret_values)
{
    uint64_t width = 1 + maker_below(random, 63);
    uint64_t mask = UINT64_MAX >> (64 - width);
    uint64_t base = maker_random(random) >> maker_below(random, 64);
    uint64_t sum = base & (UINT64_MAX >> 2);
    uint64_t dictionary[8];

    for (int i = 0; i < 8; i++)
        dictionary[i] = maker_random(random) & mask;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t value = maker_random(random);
        uint64_t last = i > 0 ? (uint64_t)ret_values[i - 1] : 0;

        switch (shape) {
        case 0: value = base; break;
        case 1: value = base + (value & mask); break;
        case 2: value = (value % 100000) * UINT64_C(60000000) + (base & 1); break; /* minutes */
        case 3: value = (value & 0xFFFFF) * 1000; break;
        case 4: value = dictionary[value % 8]; break;
        case 5: value = value % 16 == 0 ? value >> 16 & mask : 0; break;
        case 6: value = value % 8 != 0 && i > 0 ? last : value & mask; break;
        case 7: sum += value % 16 == 0 ? value & 0xFFFFFFFF : value & 15; value = sum; break;
        case 8: value = (value & 0xFFFFFF) << 36; break; /* plate codes */
        case 9: value = before != NULL && before[i] != 0 ? value & mask : 0; break;
        case 10: value = value % 32 == 0 ? value : value & 31; break; /* few wide ones */
        default: value = i % 40 == 0 ? value & 0xFF : last + value % 9; break;
        }
        ret_values[i] = (int64_t)value;
    }
}

struct sample {
    int64_t values[PB_BLOCK_COLUMNS_MAX][PB_BLOCK_ROWS_MAX];
    uint16_t hints[PB_BLOCK_COLUMNS_MAX];
    uint8_t blob[3000];
    struct pb_block_input input;
    uint8_t *bytes; /* owned; padding behind it */
    size_t count;
};

static void
make_sample(struct sample *sample, uint64_t *random)
{
    struct pb_block_input *input = &sample->input;

    memset(input, 0, sizeof(*input));
    input->table = TABLE;
    input->number = NUMBER;
    input->seed = SEED;
    input->rows = maker_below(random, 3) == 0 ? PB_BLOCK_ROWS_MAX : 1 + maker_below(random, 256);
    input->columns = 1 + maker_below(random, PB_BLOCK_COLUMNS_MAX);
    for (uint32_t c = 0; c < input->columns; c++) {
        fill_column(random, maker_below(random, SHAPES), input->rows,
                    c == 0 ? NULL : sample->values[c - 1], sample->values[c]);
        input->values[c] = sample->values[c];
        sample->hints[c] = (uint16_t)(maker_random(random) & 1023);
        /* A column has to be ascending to be given as such, and the first has none before it. */
        for (uint32_t i = 1; i < input->rows; i++) {
            if ((uint64_t)sample->values[c][i] < (uint64_t)sample->values[c][i - 1])
                sample->hints[c] &= (uint16_t)~PB_HINT_SORTED;
        }
        if (c == 0)
            sample->hints[c] &= (uint16_t)~PB_HINT_ALSO;
    }
    input->hints = sample->hints;
    input->blob = sample->blob;
    input->blob_bytes = maker_below(random, 2) == 0 ? 0 : maker_below(random, 3000);
    for (size_t i = 0; i < input->blob_bytes; i++)
        sample->blob[i] = (uint8_t)(maker_random(random) % (1 + i % 200));
    sample->count = pb_block_bound(input->columns, input->blob_bytes);
    sample->bytes = malloc(sample->count + PB_BLOCK_PADDING);
    assert_non_null(sample->bytes);
    {
        size_t used = pb_block_encode(input, sample->bytes);

        assert_true(used > 0 && used <= sample->count);
        sample->count = used;
        /* Exactly the padding that is promised, so that a sanitizer sees one byte more. */
        sample->bytes = realloc(sample->bytes, used + PB_BLOCK_PADDING);
        assert_non_null(sample->bytes);
        memset(sample->bytes + used, 0xEE, PB_BLOCK_PADDING);
    }
}

static void
columns_of_any_shape_come_back(void **state)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    uint64_t random = 5;

    (void)state;
    assert_non_null(sample);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct pb_block block;
        const char *what = NULL;
        int64_t all[PB_BLOCK_ROWS_MAX];
        uint8_t blob[3000];

        make_sample(sample, &random);
        assert_int_equal(PB_OK, pb_block_open(sample->bytes, sample->count, TABLE, NUMBER, SEED,
                                              &block, &what));
        assert_int_equal(sample->count, pb_block_bytes(&block));
        assert_int_equal(sample->input.rows, block.rows);
        for (uint32_t c = 0; c < sample->input.columns; c++) {
            struct pb_column column;

            assert_int_equal(PB_OK, pb_block_column(&block, c, &column));
            pb_column_all(&column, all);
            for (uint32_t i = 0; i < block.rows; i++) {
                if (all[i] != sample->values[c][i]
                    || pb_column_get(&column, i) != sample->values[c][i])
                    fail_msg("round %u, column %u, row %u, mode %d, hints %u: %lld, %lld instead "
                             "of %lld", round, c, i, (int)column.mode, sample->hints[c],
                             (long long)all[i], (long long)pb_column_get(&column, i),
                             (long long)sample->values[c][i]);
            }
        }
        assert_int_equal(sample->input.blob_bytes, block.blob_raw);
        assert_int_equal(PB_OK, pb_block_blob(&block, blob, &what));
        assert_memory_equal(sample->blob, blob, sample->input.blob_bytes);
        free(sample->bytes);
    }
    free(sample);
}

static void
any_flipped_bit_and_any_cut_is_refused(void **state)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    uint64_t random = 9;

    (void)state;
    assert_non_null(sample);
    for (uint32_t round = 0; round < 30; round++) {
        struct pb_block block;
        const char *what = NULL;
        uint8_t blob[3000];

        make_sample(sample, &random);
        for (size_t bit = 0; bit < sample->count * 8; bit += 1 + bit % 5) {
            sample->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (pb_block_open(sample->bytes, sample->count, TABLE, NUMBER, SEED, &block, &what)
                == PB_OK)
                assert_int_equal(PB_E_CORRUPT, pb_block_blob(&block, blob, &what));
            assert_non_null(what);
            sample->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < sample->count; cut++)
            assert_int_equal(PB_E_CORRUPT, pb_block_open(sample->bytes, cut, TABLE, NUMBER, SEED,
                                                         &block, &what));
        /* Right bytes in a wrong place. */
        assert_int_equal(PB_E_CORRUPT, pb_block_open(sample->bytes, sample->count, TABLE + 1,
                                                     NUMBER, SEED, &block, &what));
        assert_int_equal(PB_E_CORRUPT, pb_block_open(sample->bytes, sample->count, TABLE,
                                                     NUMBER + 1, SEED, &block, &what));
        assert_int_equal(PB_E_CORRUPT, pb_block_open(sample->bytes, sample->count, TABLE, NUMBER,
                                                     SEED + 1, &block, &what));
        free(sample->bytes);
    }
    free(sample);
}

/* The sanitizers watch: only what is read matters, not what comes out. */
static void
forged_blocks_are_read_without_harm(void **state)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    uint64_t random = 13;
    uint32_t opened = 0;

    (void)state;
    assert_non_null(sample);
    for (uint32_t round = 0; round < FORGED_ROUNDS; round++) {
        make_sample(sample, &random);
        for (int forgery = 0; forgery < 20; forgery++) {
            struct pb_block block;
            const char *what = NULL;
            uint32_t columns_end = pb_get_le16(sample->bytes + 14);
            uint32_t changes = 1 + maker_below(&random, 4);
            int64_t all[PB_BLOCK_ROWS_MAX];

            while (changes-- > 0)
                sample->bytes[8 + maker_below(&random, columns_end - 8)]
                    = (uint8_t)maker_random(&random);
            columns_end = pb_get_le16(sample->bytes + 14);
            if (columns_end < 16 || columns_end > sample->count) {
                pb_put_le16(sample->bytes + 14, 16);
                continue;
            }
            pb_put_le32(sample->bytes, (uint32_t)XXH3_64bits_withSeed(
                                           sample->bytes + 4, columns_end - 4, SEED));
            if (pb_block_open(sample->bytes, sample->count, sample->bytes[8], NUMBER, SEED, &block,
                              &what) != PB_OK)
                continue;
            opened++;
            for (uint32_t c = 0; c < PB_BLOCK_COLUMNS_MAX; c++) {
                struct pb_column column;

                if (pb_block_column(&block, c, &column) != PB_OK)
                    continue;
                pb_column_all(&column, all);
                for (uint32_t i = 0; i < block.rows; i += 7)
                    (void)pb_column_get(&column, i);
            }
            if (block.blob_raw > 0) {
                uint8_t *blob = malloc(block.blob_raw);

                assert_non_null(blob);
                (void)!pb_block_blob(&block, blob, &what);
                free(blob);
            }
        }
        free(sample->bytes);
    }
    free(sample);
    assert_true(opened > 1000);
}

/* ---- blocks made by hand ---- */

#define HEADER_BYTES 16u
#define HAND_BYTES 80u
#define HAND_COLUMNS 3u
#define HAND_ROWS 9u /* a bitmap of these takes two bytes */

/* Head of a column, and 0 for its base. */
#define HEAD(mode, unit, width) HEAD_ONLY(mode, unit, width), 0
#define HEAD_ONLY(mode, unit, width) \
    (uint8_t)((mode) | (unit) << 4), (uint8_t)((unit) >> 4 | (width) << 1)

struct hand_column {
    size_t count; /* 0: there is none */
    uint8_t bytes[HAND_BYTES];
};

static void
seal(uint8_t *bytes)
{
    pb_put_le32(bytes, (uint32_t)XXH3_64bits_withSeed(bytes + 4, pb_get_le16(bytes + 14) - 4u,
                                                      SEED));
}

/* Bytes are exact, so that a sanitizer sees it where more is read than the padding allows. */
static uint8_t *
hand_block(const struct hand_column *columns, size_t *ret_count)
{
    uint32_t present = 0;
    size_t used = HEADER_BYTES;
    uint8_t *bytes = NULL;
    uint32_t place = 0;

    for (uint32_t c = 0; c < HAND_COLUMNS; c++) {
        present += columns[c].count != 0;
        used += columns[c].count + (columns[c].count != 0 ? 2 : 0);
    }
    bytes = calloc(1, used + PB_BLOCK_PADDING);
    assert_non_null(bytes);
    pb_put_le32(bytes + 4, NUMBER);
    bytes[8] = TABLE;
    pb_put_le16(bytes + 10, HAND_ROWS);
    pb_put_le16(bytes + 14, (uint16_t)used);
    *ret_count = used;
    used = HEADER_BYTES + 2 * present;
    for (uint32_t c = 0; c < HAND_COLUMNS; c++) {
        if (columns[c].count == 0)
            continue;
        pb_put_le16(bytes + 12, (uint16_t)(pb_get_le16(bytes + 12) | 1u << c));
        pb_put_le16(bytes + HEADER_BYTES + 2 * place++, (uint16_t)used);
        memcpy(bytes + used, columns[c].bytes, columns[c].count);
        used += columns[c].count;
    }
    seal(bytes);
    return bytes;
}

/* Of a block with these columns, the last one that is there; its first and last value. */
static enum pb_status
open_last_column(const struct hand_column *columns, int64_t ret_values[2])
{
    size_t count = 0;
    uint8_t *bytes = hand_block(columns, &count);
    int64_t all[PB_BLOCK_ROWS_MAX];
    struct pb_block block;
    struct pb_column column;
    const char *what = NULL;
    uint32_t last = 0;
    enum pb_status status = PB_OK;

    for (uint32_t c = 0; c < HAND_COLUMNS; c++)
        last = columns[c].count != 0 ? c : last;
    assert_int_equal(PB_OK, pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what));
    status = pb_block_column(&block, last, &column);
    if (status == PB_OK) {
        pb_column_all(&column, all);
        for (uint32_t i = 0; i < HAND_ROWS; i++)
            assert_int_equal(all[i], pb_column_get(&column, i));
        ret_values[0] = all[0];
        ret_values[1] = all[HAND_ROWS - 1];
    }
    free(bytes);
    return status;
}

/* Each form whole, and without its last byte; values by which it can be told. */
static void
a_column_that_is_cut_short_is_refused(void **state)
{
    static const struct {
        const char *name;
        struct hand_column column;
        int64_t first, last;
    } cases[] = {
        { "constant", { 3, { HEAD_ONLY(PB_COLUMN_CONST, 0, 0), 6 } }, 3, 3 },
        { "constant of a long base",
          { 4, { HEAD_ONLY(PB_COLUMN_CONST, 0, 0), 0x81, 0x01 } }, -65, -65 },
        { "packed",
          { 12, { HEAD(PB_COLUMN_PACKED, 0, 8), 1, 2, 3, 4, 5, 6, 7, 8, 9 } }, 1, 9 },
        { "packed in thousands",
          { 12, { HEAD(PB_COLUMN_PACKED, 3, 8), 1, 2, 3, 4, 5, 6, 7, 8, 9 } }, 1000, 9000 },
        { "raw", { 75, { HEAD(PB_COLUMN_RAW, 0, 64), [3] = 9, [67] = 7 } }, 9, 7 },
        { "differences",
          { 12, { HEAD(PB_COLUMN_DELTA, 0, 8), 0, 1, 1, 1, 1, 1, 1, 1, 1 } }, 0, 8 },
        { "dictionary of two, indexes of a bit",
          { 9, { HEAD(PB_COLUMN_DICT, 0, 8), 1, 1, 5, 7, 0x00, 0x01 } }, 5, 7 },
        { "dictionary of one, indexes of none",
          { 6, { HEAD(PB_COLUMN_DICT, 0, 8), 0, 0, 5 } }, 5, 5 },
        { "sparse", { 6, { HEAD(PB_COLUMN_SPARSE, 0, 8), 0x00, 0x01, 7 } }, 0, 7 },
        { "sparse, of two",
          { 7, { HEAD(PB_COLUMN_SPARSE, 0, 8), 0x01, 0x01, 5, 7 } }, 5, 7 },
        { "repeated", { 7, { HEAD(PB_COLUMN_REPEAT, 0, 8), 0x01, 0x01, 5, 7 } }, 5, 7 },
        { "of two widths",
          { 10, { HEAD(PB_COLUMN_SPLIT, 0, 8), 2, 1, 8, 0x00, 0x01, 0x01, 7 } }, 1, 7 },
        { "of four widths",
          { 14, { HEAD(PB_COLUMN_SPLIT, 0, 8), 4, 1, 2, 3, 8, 0x00, 0x01, 0x00, 0x01, 0x01, 7 } },
          1, 7 },
        { "differences of two widths",
          { 10, { HEAD(PB_COLUMN_DELTA_SPLIT, 0, 8), 2, 1, 8, 0x00, 0x01, 0x01, 7 } }, 1, 8 },
        { "near", { 10, { HEAD(PB_COLUMN_NEAR, 0, 8), 2, 1, 8, 0x00, 0x01, 0x00, 14 } }, 0, 7 },
        { "cycle",
          { 11, { HEAD(PB_COLUMN_CYCLE, 0, 8), 20, 2, 1, 8, 0x00, 0x01, 0x01, 7 } }, 1, 8 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hand_column columns[HAND_COLUMNS] = { cases[i].column };
        int64_t values[2] = { 0, 0 };

        if (open_last_column(columns, values) != PB_OK || values[0] != cases[i].first ||
            values[1] != cases[i].last)
            fail_msg("%s: %lld, %lld", cases[i].name, (long long)values[0], (long long)values[1]);
        for (columns[0].count--; columns[0].count > 0; columns[0].count--) {
            if (open_last_column(columns, values) != PB_E_CORRUPT)
                fail_msg("%s: its first %zu bytes were taken", cases[i].name, columns[0].count);
        }
    }
}

static void
a_column_of_no_known_form_is_refused(void **state)
{
    static const struct {
        const char *name;
        struct hand_column column;
    } cases[] = {
        { "mode", { 3, { HEAD(12, 0, 0) } } },
        { "last mode", { 3, { HEAD(15, 0, 0) } } },
        { "unit", { 12, { HEAD(PB_COLUMN_PACKED, 19, 8) } } },
        { "last unit", { 12, { HEAD(PB_COLUMN_PACKED, 31, 8) } } },
        { "width", { 63, { HEAD(PB_COLUMN_SPARSE, 0, 57), 0 } } },
        { "last width", { 63, { HEAD(PB_COLUMN_SPARSE, 0, 127), 0 } } },
        { "base of eleven bytes",
          { 13, { HEAD_ONLY(PB_COLUMN_CONST, 0, 0), 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                  0x80, 0x80, 0 } } },
        { "indexes of nine bits", { 60, { HEAD(PB_COLUMN_DICT, 0, 8), 9, 0, 5 } } },
        { "repeated from the second row on",
          { 6, { HEAD(PB_COLUMN_REPEAT, 0, 8), 0x02, 0x00, 5 } } },
        { "of no width", { 60, { HEAD(PB_COLUMN_SPLIT, 0, 8), 0 } } },
        { "of three widths", { 60, { HEAD(PB_COLUMN_SPLIT, 0, 8), 3, 1, 2, 3 } } },
        { "of widths that are too wide", { 60, { HEAD(PB_COLUMN_SPLIT, 0, 8), 2, 1, 57 } } },
        { "a bitmap of the column before where there is none",
          { 60, { HEAD(PB_COLUMN_SPARSE_ALSO, 0, 8) } } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hand_column columns[HAND_COLUMNS] = { cases[i].column };
        int64_t values[2];

        if (open_last_column(columns, values) != PB_E_CORRUPT)
            fail_msg("%s: was taken", cases[i].name);
    }
}

static void
a_bitmap_is_lent_by_a_sparse_column_alone(void **state)
{
#define SPARSE_OF_7 { 6, { HEAD(PB_COLUMN_SPARSE, 0, 8), 0x00, 0x01, 7 } }
#define ALSO_8 { 4, { HEAD(PB_COLUMN_SPARSE_ALSO, 0, 8), 8 } }
    static const struct {
        const char *name;
        struct hand_column columns[HAND_COLUMNS];
        enum pb_status status;
    } cases[] = {
        { "a sparse one", { SPARSE_OF_7, ALSO_8 }, PB_OK },
        { "a sparse one through another", { SPARSE_OF_7, ALSO_8, ALSO_8 }, PB_OK },
        { "one that is not there", { SPARSE_OF_7, { 0, { 0 } }, ALSO_8 }, PB_E_CORRUPT },
        { "a repeated one",
          { { 6, { HEAD(PB_COLUMN_REPEAT, 0, 8), 0x01, 0x00, 7 } }, ALSO_8 }, PB_E_CORRUPT },
        { "one in a cycle",
          { { 12, { HEAD(PB_COLUMN_CYCLE, 0, 8), 20, 2, 1, 8, 0x00, 0x00, 0x00, 0x00 } }, ALSO_8 },
          PB_E_CORRUPT },
        { "one of no known form", { { 3, { HEAD(13, 0, 8) } }, ALSO_8 }, PB_E_CORRUPT },
        { "a sparse one with more values than follow",
          { { 8, { HEAD(PB_COLUMN_SPARSE, 0, 8), 0x03, 0x01, 7, 7, 7 } },
            { 5, { HEAD(PB_COLUMN_SPARSE_ALSO, 0, 8), 8, 8 } } }, PB_E_CORRUPT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t values[2] = { 0, 0 };
        enum pb_status status = open_last_column(cases[i].columns, values);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].name, pb_status_name(status));
        if (status == PB_OK)
            assert_true(values[0] == 0 && values[1] == 8);
    }
}

/* The first column's place is behind the block. */
static void
a_column_that_is_elsewhere_is_refused(void **state)
{
    static const struct hand_column columns[HAND_COLUMNS] = {
        { 3, { HEAD_ONLY(PB_COLUMN_CONST, 0, 0), 6 } }
    };
    size_t count = 0;
    uint8_t *bytes = hand_block(columns, &count);

    (void)state;
    for (uint32_t offset = (uint32_t)count - 3; offset <= UINT16_MAX; offset += offset / 8 + 1) {
        struct pb_block block;
        struct pb_column column;
        const char *what = NULL;

        pb_put_le16(bytes + HEADER_BYTES, (uint16_t)offset);
        seal(bytes);
        assert_int_equal(PB_OK, pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what));
        assert_int_equal(offset == count - 3 ? PB_OK : PB_E_CORRUPT,
                         pb_block_column(&block, 0, &column));
    }
    free(bytes);
}

static void
a_head_that_says_what_cannot_be_is_refused(void **state)
{
    enum { ROWS = 10, MASK = 12, END = 14, STORED = 16, RAW = 20, CHECKSUM = 24 };
    static const struct {
        const char *name;
        size_t at, bytes;
        uint32_t value;
        const char *what; /* NULL: it opens */
    } cases[] = {
        { "as it was", MASK, 2, 1, NULL },
        { "shorter than a head", END, 2, HEADER_BYTES - 1, "block length out of range" },
        { "no rows", ROWS, 2, 0, "block head out of range" },
        { "a row too many", ROWS, 2, PB_BLOCK_ROWS_MAX + 1, "block head out of range" },
        { "more columns than there is room for", MASK, 2, 0xFFFF, "block head out of range" },
        { "a blob of no bytes", STORED, 4, 0, "blob length out of range" },
        { "a blob that goes on past the end", STORED, 4, 5, "blob length out of range" },
        { "a blob that was longer than it may be", RAW, 4, PB_BLOCK_BLOB_MAX + 1,
          "blob length out of range" },
        { "a blob that is longer than it was", RAW, 4, 3, "blob length out of range" },
        { "another checksum of the blob", CHECKSUM, 4, 5, "blob checksum does not fit" },
        { "a blob that is no compressed one", RAW, 4, 5, "blob does not decompress" },
        { "a blob that is another's", CHECKSUM, 4, 0, "blob checksum does not fit" },
    };
    static const int64_t values[1] = { 5 };
    static const uint16_t hints[1];
    const struct pb_block_input input = { .table = TABLE,
                                          .number = NUMBER,
                                          .rows = 1,
                                          .columns = 1,
                                          .values = { values },
                                          .hints = hints,
                                          .blob = (const uint8_t *)"blob",
                                          .blob_bytes = 4,
                                          .seed = SEED };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[4096];
        uint8_t blob[8];
        struct pb_block block;
        const char *what = NULL;
        size_t count = pb_block_encode(&input, bytes);
        enum pb_status status = PB_OK;

        assert_true(pb_block_bound(1, 4) <= sizeof(bytes));
        if (cases[i].bytes == 2)
            pb_put_le16(bytes + cases[i].at, (uint16_t)cases[i].value);
        else
            pb_put_le32(bytes + cases[i].at, cases[i].value);
        seal(bytes);
        status = pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what);
        if (status == PB_OK)
            status = pb_block_blob(&block, blob, &what);
        if (cases[i].what == NULL) {
            assert_int_equal(PB_OK, status);
            assert_memory_equal("blob", blob, 4);
        } else if (status != PB_E_CORRUPT || strcmp(cases[i].what, what) != 0) {
            fail_msg("%s: %s: %s", cases[i].name, pb_status_name(status), what);
        }
    }
}

/* Codes of plates are multiples of up to 64^9 where their ends are empty. */
static void
values_of_any_common_unit_come_back(void **state)
{
    static const uint16_t hints[] = { PB_HINT_CODE, PB_HINT_TIME, PB_HINT_DECIMAL,
                                      PB_HINT_TIME | PB_HINT_DECIMAL };

    (void)state;
    for (size_t h = 0; h < sizeof(hints) / sizeof(hints[0]); h++) {
        for (unsigned shift = 0; shift < 64; shift++) {
            const int64_t values[3] = { 0, (int64_t)(UINT64_C(1) << shift),
                                        (int64_t)(UINT64_C(3) << shift) };
            const struct pb_block_input input = { .table = TABLE,
                                                  .number = NUMBER,
                                                  .rows = 3,
                                                  .columns = 1,
                                                  .values = { values },
                                                  .hints = &hints[h],
                                                  .seed = SEED };
            uint8_t bytes[4096];
            struct pb_block block;
            struct pb_column column;
            const char *what = NULL;
            size_t count = pb_block_encode(&input, bytes);

            assert_int_equal(PB_OK,
                             pb_block_open(bytes, count, TABLE, NUMBER, SEED, &block, &what));
            assert_int_equal(PB_OK, pb_block_column(&block, 0, &column));
            for (uint32_t i = 0; i < 3; i++)
                assert_int_equal(values[i], pb_column_get(&column, i));
            /* With their unit they are small, however large they are. */
            if (hints[h] == PB_HINT_CODE && shift < 62)
                assert_int_equal(PB_COLUMN_PACKED, column.mode);
        }
    }
}

static void
a_blob_that_cannot_be_compressed_for_want_of_memory_makes_no_block(void **state)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    uint64_t random = 21;
    uint8_t *bytes = NULL;

    (void)state;
    assert_non_null(sample);
    do {
        free(sample->bytes);
        make_sample(sample, &random);
    } while (sample->input.blob_bytes == 0);
    bytes = malloc(pb_block_bound(sample->input.columns, sample->input.blob_bytes));
    assert_non_null(bytes);
    failing_zstd.fail_at = failing_zstd.calls + 1;
    assert_int_equal(0, pb_block_encode(&sample->input, bytes));
    failing_zstd.fail_at = 0;
    assert_int_equal(sample->count, pb_block_encode(&sample->input, bytes));
    assert_memory_equal(sample->bytes, bytes, sample->count);
    free(bytes);
    free(sample->bytes);
    free(sample);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_any_shape_come_back),
        cmocka_unit_test(any_flipped_bit_and_any_cut_is_refused),
        cmocka_unit_test(forged_blocks_are_read_without_harm),
        cmocka_unit_test(a_column_that_is_cut_short_is_refused),
        cmocka_unit_test(a_column_of_no_known_form_is_refused),
        cmocka_unit_test(a_bitmap_is_lent_by_a_sparse_column_alone),
        cmocka_unit_test(a_column_that_is_elsewhere_is_refused),
        cmocka_unit_test(a_head_that_says_what_cannot_be_is_refused),
        cmocka_unit_test(values_of_any_common_unit_come_back),
        cmocka_unit_test(a_blob_that_cannot_be_compressed_for_want_of_memory_makes_no_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
