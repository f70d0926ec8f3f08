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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_any_shape_come_back),
        cmocka_unit_test(any_flipped_bit_and_any_cut_is_refused),
        cmocka_unit_test(forged_blocks_are_read_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
