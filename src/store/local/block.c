/*
 * Block codec.
 *
 * Each column is written in the smallest of a few forms. All forms but DELTA give any one
 * value in a few instructions; packed values lie lowest bit first, at most 56 bits
 * wide, so that one eight-byte load and a shift extract one.
 */
#include "store/local/block.h"

#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "base/bytes.h"

#define HEADER_BYTES 16u
#define BLOB_HEADER_BYTES 12u
#define FLAG_BLOB 1u
#define WIDTH_MAX 56u
#define VARINT_BYTES_MAX 10u
#define COLUMN_HEAD_BYTES 2u
#define COLUMN_BYTES_MAX \
    (COLUMN_HEAD_BYTES + 4u + 2 * VARINT_BYTES_MAX + PB_BLOCK_ROWS_MAX * 8u + 64u)
#define DICT_VALUES_MAX 128u
#define CHAIN_ROWS 32u /* differences are summed up from a multiple of this */
#define UNIT_COUNT 32u

/* Units that packed values are multiples of. Index 0 is 1. Numbers are on disk: only add. */
static const uint64_t units[UNIT_COUNT] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    60000000,
    UINT64_C(3600000000),
    UINT64_C(86400000000),
    UINT64_C(1) << 6,
    UINT64_C(1) << 12,
    UINT64_C(1) << 18,
    UINT64_C(1) << 24,
    UINT64_C(1) << 30,
    UINT64_C(1) << 36,
    UINT64_C(1) << 42,
    UINT64_C(1) << 48,
    UINT64_C(1) << 54,
};
static const uint8_t time_units[] = { 9, 8, 7, 6, 3 };
static const uint8_t decimal_units[] = { 6, 5, 4, 3, 2, 1 };
#define UNIT_CODE_FIRST 10u

static uint8_t
bits_of(uint64_t value)
{
    return value == 0 ? 0 : (uint8_t)(64 - __builtin_clzll(value));
}

static size_t
packed_bytes(uint64_t count, unsigned width)
{
    return (size_t)((count * width + 7) / 8);
}

static uint64_t
low_mask(unsigned width)
{
    return width == 0 ? 0 : UINT64_MAX >> (64 - width);
}

static inline uint64_t
extract(const uint8_t *bits, uint64_t index, unsigned width)
{
    uint64_t bit = index * width;

    return (pb_get_le64(bits + (bit >> 3)) >> (bit & 7)) & low_mask(width);
}

/* Writes count values of width bits; returns the bytes used. */
static size_t
pack(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out)
{
    uint64_t pending = 0;
    unsigned filled = 0;
    size_t used = 0;

    assert(width <= WIDTH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        pending |= values[i] << filled;
        if (filled + width >= 64) {
            pb_put_le64(out + used, pending);
            used += 8;
            pending = values[i] >> (64 - filled); /* of so narrow a value filled is not 0 */
            filled = filled + width - 64;
        } else {
            filled += width;
        }
    }
    while (filled > 0) {
        out[used++] = (uint8_t)pending;
        pending >>= 8;
        filled = filled > 8 ? filled - 8 : 0;
    }
    return used;
}

static size_t
put_varint(uint8_t *out, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
    size_t used = 0;

    while (rest >= 0x80) {
        out[used++] = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    out[used++] = (uint8_t)rest;
    return used;
}

/* Returns the bytes used, 0 where the number is cut short or too long. */
static size_t
get_varint(const uint8_t *bytes, size_t count, int64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count && i < VARINT_BYTES_MAX; i++) {
        value |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] < 0x80) {
            *ret_value = (int64_t)((value >> 1) ^ (0 - (value & 1)));
            return i + 1;
        }
    }
    return 0;
}

/* ---- encoding ---- */

static bool
all_multiples(const uint64_t *values, uint32_t count, uint64_t unit)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] % unit != 0)
            return false;
    }
    return true;
}

/* The largest unit that the hints allow and every value is a multiple of. */
static uint8_t
choose_unit(const uint64_t *values, uint32_t count, uint64_t all_bits, unsigned hints)
{
    if ((hints & PB_HINT_CODE) && all_bits != 0) {
        unsigned sixes = (unsigned)__builtin_ctzll(all_bits) / 6;

        return sixes == 0 ? 0 : (uint8_t)(UNIT_CODE_FIRST + (sixes > 9 ? 9 : sixes) - 1);
    }
    if (hints & PB_HINT_TIME) {
        for (size_t i = 0; i < sizeof(time_units); i++) {
            if (all_multiples(values, count, units[time_units[i]]))
                return time_units[i];
        }
    }
    if (hints & PB_HINT_DECIMAL) {
        for (size_t i = 0; i < sizeof(decimal_units); i++) {
            if (all_multiples(values, count, units[decimal_units[i]]))
                return decimal_units[i];
        }
    }
    return 0;
}

/* Divides by the common units as by constants, which is several times faster. */
static void
divide(uint64_t *values, uint32_t count, uint8_t unit)
{
    if (unit == 0)
        return;
    if (unit >= UNIT_CODE_FIRST) {
        unsigned shift = 6u * (unit - UNIT_CODE_FIRST + 1u);

        for (uint32_t i = 0; i < count; i++)
            values[i] >>= shift;
    } else if (unit == 3) {
        for (uint32_t i = 0; i < count; i++)
            values[i] /= 1000;
    } else {
        for (uint32_t i = 0; i < count; i++)
            values[i] /= units[unit];
    }
}

static void
set_bit(uint8_t *bitmap, uint32_t index)
{
    bitmap[index >> 3] = (uint8_t)(bitmap[index >> 3] | (1u << (index & 7)));
}

/* Finds distinct values; returns their count, 0 where there are more than DICT_VALUES_MAX. */
static uint32_t
find_distinct(const uint64_t *values, uint32_t count, uint64_t *ret_distinct,
              uint64_t *ret_indexes)
{
    uint16_t slots[512] = { 0 };
    uint32_t distinct = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (uint32_t)((values[i] * UINT64_C(0x9e3779b97f4a7c15)) >> 55);

        while (slots[slot] != 0 && ret_distinct[slots[slot] - 1] != values[i])
            slot = (slot + 1) & 511;
        if (slots[slot] == 0) {
            if (distinct == DICT_VALUES_MAX)
                return 0;
            ret_distinct[distinct++] = values[i];
            slots[slot] = (uint16_t)distinct;
        }
        ret_indexes[i] = slots[slot] - 1u;
    }
    return distinct;
}

/* Mode in 4 bits, unit in 5, width in 7; then the base. */
static size_t
put_column_head(uint8_t *out, enum pb_column_mode mode, uint8_t unit, uint8_t width, int64_t base)
{
    pb_put_le16(out, (uint16_t)((unsigned)mode | (unsigned)unit << 4 | (unsigned)width << 9));
    return COLUMN_HEAD_BYTES + put_varint(out + COLUMN_HEAD_BYTES, base);
}

/* How a list of values is split: by width, into two classes (one bitmap) or four (two). */
struct split {
    uint8_t class_count;
    uint8_t widths[PB_SPLIT_CLASSES]; /* ascending */
    uint64_t bits;                    /* of values, bitmaps and widths */
};

/* Costs of splitting the widths that occur (ascending, with counts): cost[k][i] is the least number
 * of bits for widths[0 .. i] in k + 1 groups, each value costing the widest of its group;
 * from[k][i] is where the last group begins. */
struct split_costs {
    uint64_t cost[PB_SPLIT_CLASSES][WIDTH_MAX + 1];
    uint8_t from[PB_SPLIT_CLASSES][WIDTH_MAX + 1];
};

static void
find_costs(const uint8_t *widths, const uint32_t *counts, uint32_t width_count,
           struct split_costs *costs)
{
    uint64_t rows = 0;

    for (uint32_t i = 0; i < width_count; i++) {
        rows += counts[i];
        costs->cost[0][i] = rows * widths[i];
        costs->from[0][i] = 0;
    }
    for (uint32_t k = 1; k < PB_SPLIT_CLASSES; k++) {
        for (uint32_t i = k; i < width_count; i++) {
            uint64_t best = UINT64_MAX;
            uint64_t sum = 0;

            for (uint32_t j = i; j >= k; j--) {
                uint64_t here = 0;

                sum += counts[j];
                here = costs->cost[k - 1][j - 1] + sum * widths[i];
                if (here < best) {
                    best = here;
                    costs->from[k][i] = (uint8_t)j;
                }
            }
            costs->cost[k][i] = best;
        }
    }
}

static void
take_split(const struct split_costs *costs, const uint8_t *widths, uint32_t width_count,
           uint32_t rows, uint8_t class_count, struct split *ret_split)
{
    uint32_t end = width_count - 1;

    ret_split->class_count = class_count;
    ret_split->bits = costs->cost[class_count - 1][end] + (uint64_t)rows * (class_count / 2)
                      + 8u * class_count;
    for (uint32_t k = class_count; k-- > 0;) {
        ret_split->widths[k] = widths[end];
        end = costs->from[k][end] - 1u;
    }
}

/* The better of two and four classes; false where there are too few widths to split. */
static bool
choose_split(const uint64_t *values, uint32_t rows, struct split *ret_split)
{
    uint32_t all_counts[WIDTH_MAX + 1] = { 0 };
    uint8_t widths[WIDTH_MAX + 1];
    uint32_t counts[WIDTH_MAX + 1];
    struct split_costs costs;
    uint32_t width_count = 0;
    struct split four;

    for (uint32_t i = 0; i < rows; i++)
        all_counts[bits_of(values[i])]++;
    for (uint8_t width = 0; width <= WIDTH_MAX; width++) {
        if (all_counts[width] != 0) {
            widths[width_count] = width;
            counts[width_count++] = all_counts[width];
        }
    }
    if (width_count < 2)
        return false;
    find_costs(widths, counts, width_count, &costs);
    take_split(&costs, widths, width_count, rows, 2, ret_split);
    if (width_count < PB_SPLIT_CLASSES)
        return true;
    take_split(&costs, widths, width_count, rows, PB_SPLIT_CLASSES, &four);
    if (four.bits < ret_split->bits)
        *ret_split = four;
    return true;
}

/* Writes the class count, the widths, the bitmaps, and the values class by class. */
static size_t
put_split(const uint64_t *values, uint32_t rows, const struct split *split, uint8_t *out)
{
    uint64_t chosen[PB_SPLIT_CLASSES][PB_BLOCK_ROWS_MAX];
    uint32_t counts[PB_SPLIT_CLASSES] = { 0 };
    size_t bitmap_bytes = packed_bytes(rows, 1);
    size_t bitmaps_at = 1u + split->class_count;
    size_t used = bitmaps_at + bitmap_bytes * (split->class_count / 2u);

    out[0] = split->class_count;
    memcpy(out + 1, split->widths, split->class_count);
    memset(out + bitmaps_at, 0, used - bitmaps_at);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t class = 0;

        while (bits_of(values[i]) > split->widths[class])
            class++;
        chosen[class][counts[class]++] = values[i];
        if (class & 1)
            set_bit(out + bitmaps_at, i);
        if (class & 2)
            set_bit(out + bitmaps_at + bitmap_bytes, i);
    }
    for (uint32_t k = 0; k < split->class_count; k++)
        used += pack(chosen[k], counts[k], split->widths[k], out + used);
    return used;
}

static size_t
encode_raw(const int64_t *values, uint32_t rows, uint8_t *out)
{
    size_t used = put_column_head(out, PB_COLUMN_RAW, 0, 64, 0);

    for (uint32_t i = 0; i < rows; i++, used += 8)
        pb_put_le64(out + used, (uint64_t)values[i]);
    return used;
}

static size_t
encode_sorted(const int64_t *values, uint32_t rows, unsigned hints, uint8_t *out)
{
    uint64_t deltas[PB_BLOCK_ROWS_MAX];
    struct split split;
    uint64_t all_bits = 0;
    uint8_t width = 0;
    uint8_t unit = 0;
    size_t used = 0;

    deltas[0] = 0;
    for (uint32_t i = 1; i < rows; i++) {
        assert((uint64_t)values[i] >= (uint64_t)values[i - 1]);
        deltas[i] = (uint64_t)values[i] - (uint64_t)values[i - 1];
        all_bits |= deltas[i];
    }
    unit = choose_unit(deltas, rows, all_bits, hints);
    divide(deltas, rows, unit);
    for (uint32_t i = 1; i < rows; i++)
        width = bits_of(deltas[i]) > width ? bits_of(deltas[i]) : width;
    if (width > WIDTH_MAX)
        return encode_raw(values, rows, out);
    if (choose_split(deltas, rows, &split) && split.bits / 8 + 5 < packed_bytes(rows, width)) {
        used = put_column_head(out, PB_COLUMN_DELTA_SPLIT, unit, width, values[0]);
        return used + put_split(deltas, rows, &split, out + used);
    }
    used = put_column_head(out, PB_COLUMN_DELTA, unit, width, values[0]);
    return used + pack(deltas, rows, width, out + used);
}

static bool
is_bit_set(const uint8_t *bitmap, uint32_t index)
{
    return (bitmap[index >> 3] & 1u << (index & 7)) != 0;
}

/* Whether all rows that are not 0 are in bitmap, so that it serves this column, too. */
static bool
is_covered(const int64_t *values, uint32_t rows, const uint8_t *bitmap)
{
    for (uint32_t i = 0; i < rows; i++) {
        if (values[i] != 0 && !is_bit_set(bitmap, i))
            return false;
    }
    return true;
}

/* Writes the values of the rows in bitmap, which stands before them or in another column. */
static size_t
put_marked(const uint64_t *diffs, uint32_t rows, const uint8_t *bitmap, uint8_t width,
           uint8_t *out)
{
    uint64_t marked[PB_BLOCK_ROWS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < rows; i++) {
        if (is_bit_set(bitmap, i))
            marked[count++] = diffs[i];
    }
    return pack(marked, count, width, out);
}

/* The differences that a chain holds: each value's from the one before, from 0 every CHAIN_ROWS. */
static void
make_chain(const uint64_t *values, uint32_t rows, enum pb_column_mode mode, uint64_t modulus,
           uint64_t *ret_chain)
{
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t before = i % CHAIN_ROWS == 0 ? 0 : values[i - 1];
        uint64_t step = values[i] - before;

        if (mode == PB_COLUMN_CYCLE)
            ret_chain[i] = values[i] >= before ? step : step + modulus;
        else
            ret_chain[i] = step << 1 ^ (values[i] < before ? UINT64_MAX : 0);
    }
}

/* Bytes of a split list, a little more than less. */
static size_t
split_bytes(const uint64_t *values, uint32_t rows, struct split *ret_split)
{
    uint64_t all_bits = 0;

    for (uint32_t i = 0; i < rows; i++)
        all_bits |= values[i];
    if (bits_of(all_bits) > WIDTH_MAX || !choose_split(values, rows, ret_split))
        return SIZE_MAX;
    return (size_t)ret_split->bits / 8 + 5;
}

/* A column whose values differ, and the smallest form that was found for it so far. */
struct plan {
    const int64_t *values;
    uint32_t rows;
    int64_t least;
    uint64_t range;        /* of diffs: from 0 */
    uint8_t unit, width;   /* of diffs */
    const uint8_t *bitmap; /* SPARSE_ALSO: of the column before; NULL where it has none */
    enum pb_column_mode mode;
    size_t bytes;          /* that mode takes behind the head, or a little less or more */
    uint32_t distinct;     /* DICT */
    uint8_t index_width;   /* DICT */
    struct split split;    /* SPLIT */
    struct split chain_split;           /* NEAR, CYCLE */
    uint64_t diffs[PB_BLOCK_ROWS_MAX];  /* values less the least, in units */
    uint64_t chosen[PB_BLOCK_ROWS_MAX]; /* DICT */
    uint64_t indexes[PB_BLOCK_ROWS_MAX];
    uint64_t chain[PB_BLOCK_ROWS_MAX];  /* NEAR, CYCLE */
};

/* Begins with plain packing; false where a value does not fit it. */
static bool
begin_plan(struct plan *plan, int64_t most, unsigned hints)
{
    uint64_t all_bits = 0;

    for (uint32_t i = 0; i < plan->rows; i++) {
        plan->diffs[i] = (uint64_t)plan->values[i] - (uint64_t)plan->least;
        all_bits |= plan->diffs[i];
    }
    plan->unit = choose_unit(plan->diffs, plan->rows, all_bits, hints);
    plan->range = ((uint64_t)most - (uint64_t)plan->least) / units[plan->unit];
    plan->width = bits_of(plan->range);
    if (plan->width > WIDTH_MAX)
        return false;
    divide(plan->diffs, plan->rows, plan->unit);
    plan->mode = PB_COLUMN_PACKED;
    plan->bytes = packed_bytes(plan->rows, plan->width);
    return true;
}

static void
consider(struct plan *plan, enum pb_column_mode mode, size_t bytes)
{
    if (bytes < plan->bytes) {
        plan->bytes = bytes;
        plan->mode = mode;
    }
}

/* Whether a row is in the bitmap of a SPARSE or a REPEAT column. */
static bool
is_marked(const struct plan *plan, enum pb_column_mode mode, uint32_t row)
{
    if (mode == PB_COLUMN_SPARSE)
        return plan->values[row] != 0;
    return row == 0 || plan->diffs[row] != plan->diffs[row - 1];
}

static void
consider_bitmap(struct plan *plan, enum pb_column_mode mode)
{
    uint32_t marked = 0;

    for (uint32_t i = 0; i < plan->rows; i++)
        marked += is_marked(plan, mode, i);
    consider(plan, mode, packed_bytes(plan->rows, 1) + packed_bytes(marked, plan->width));
}

static void
consider_dict(struct plan *plan)
{
    plan->distinct = find_distinct(plan->diffs, plan->rows, plan->chosen, plan->indexes);
    if (plan->distinct == 0)
        return;
    plan->index_width = bits_of(plan->distinct - 1);
    consider(plan, PB_COLUMN_DICT,
             2 + packed_bytes(plan->distinct, plan->width)
                 + packed_bytes(plan->rows, plan->index_width));
}

static void
consider_chain(struct plan *plan, enum pb_column_mode mode)
{
    make_chain(plan->diffs, plan->rows, mode, plan->range + 1, plan->chain);
    consider(plan, mode, split_bytes(plan->chain, plan->rows, &plan->chain_split));
}

static void
consider_all(struct plan *plan, unsigned hints)
{
    if ((hints & PB_HINT_SPARSE) && plan->least <= 0) {
        consider_bitmap(plan, PB_COLUMN_SPARSE);
        if ((hints & PB_HINT_ALSO) && plan->bitmap != NULL
            && is_covered(plan->values, plan->rows, plan->bitmap))
            plan->mode = PB_COLUMN_SPARSE_ALSO;
    }
    if (hints & PB_HINT_REPEAT)
        consider_bitmap(plan, PB_COLUMN_REPEAT);
    if (plan->mode == PB_COLUMN_PACKED)
        consider(plan, PB_COLUMN_SPLIT, split_bytes(plan->diffs, plan->rows, &plan->split));
    if ((hints & PB_HINT_DICT) && plan->mode != PB_COLUMN_SPARSE_ALSO)
        consider_dict(plan);
    if (hints & PB_HINT_NEAR)
        consider_chain(plan, PB_COLUMN_NEAR);
    else if (hints & PB_HINT_CYCLE)
        consider_chain(plan, PB_COLUMN_CYCLE);
}

static size_t
put_dict(const struct plan *plan, uint8_t *out)
{
    size_t used = 2;

    out[0] = plan->index_width;
    out[1] = (uint8_t)(plan->distinct - 1);
    used += pack(plan->chosen, plan->distinct, plan->width, out + used);
    return used + pack(plan->indexes, plan->rows, plan->index_width, out + used);
}

/* Writes the bitmap and the values of its rows. */
static size_t
put_bitmap(const struct plan *plan, uint8_t *out)
{
    size_t used = packed_bytes(plan->rows, 1);

    memset(out, 0, used);
    for (uint32_t i = 0; i < plan->rows; i++) {
        if (is_marked(plan, plan->mode, i))
            set_bit(out, i);
    }
    return used + put_marked(plan->diffs, plan->rows, out, plan->width, out + used);
}

/* Writes the column as planned. ret_bitmap: its own where it is SPARSE, else NULL. */
static size_t
put_planned(const struct plan *plan, const uint8_t **ret_bitmap, uint8_t *out)
{
    bool is_chain = plan->mode == PB_COLUMN_NEAR || plan->mode == PB_COLUMN_CYCLE;
    size_t used =
        put_column_head(out, plan->mode, plan->unit, is_chain ? 0 : plan->width, plan->least);

    *ret_bitmap = NULL;
    switch (plan->mode) {
    case PB_COLUMN_DICT:
        return used + put_dict(plan, out + used);
    case PB_COLUMN_SPLIT:
        return used + put_split(plan->diffs, plan->rows, &plan->split, out + used);
    case PB_COLUMN_SPARSE_ALSO:
        *ret_bitmap = plan->bitmap;
        return used + put_marked(plan->diffs, plan->rows, plan->bitmap, plan->width, out + used);
    case PB_COLUMN_SPARSE:
        *ret_bitmap = out + used;
        return used + put_bitmap(plan, out + used);
    case PB_COLUMN_REPEAT:
        return used + put_bitmap(plan, out + used);
    case PB_COLUMN_CYCLE:
        used += put_varint(out + used, (int64_t)(plan->range + 1));
        return used + put_split(plan->chain, plan->rows, &plan->chain_split, out + used);
    case PB_COLUMN_NEAR:
        return used + put_split(plan->chain, plan->rows, &plan->chain_split, out + used);
    default: /* PB_COLUMN_PACKED */
        return used + pack(plan->diffs, plan->rows, plan->width, out + used);
    }
}

/* Encodes a column that is not constant 0. bitmap: of the column before where that is SPARSE,
 * else NULL; set to this column's where it has one. Returns the bytes written. */
static size_t
encode_column(const int64_t *values, uint32_t rows, unsigned hints, const uint8_t **bitmap,
              uint8_t *out)
{
    int64_t most = values[0];
    struct plan plan;

    plan.values = values;
    plan.rows = rows;
    plan.least = values[0];
    plan.bitmap = *bitmap;
    *bitmap = NULL;
    if (hints & PB_HINT_SORTED)
        return encode_sorted(values, rows, hints, out);
    for (uint32_t i = 1; i < rows; i++) {
        plan.least = values[i] < plan.least ? values[i] : plan.least;
        most = values[i] > most ? values[i] : most;
    }
    if (plan.least == most)
        return put_column_head(out, PB_COLUMN_CONST, 0, 0, most);
    if (!begin_plan(&plan, most, hints))
        return encode_raw(values, rows, out);
    consider_all(&plan, hints);
    return put_planned(&plan, bitmap, out);
}

size_t
pb_block_bound(uint32_t columns, size_t blob_bytes)
{
    return HEADER_BYTES + BLOB_HEADER_BYTES + (size_t)columns * (2 + COLUMN_BYTES_MAX)
           + ZSTD_compressBound(blob_bytes) + PB_BLOCK_PADDING;
}

static bool
is_all_zero(const int64_t *values, uint32_t rows)
{
    int64_t any = 0;

    for (uint32_t i = 0; i < rows; i++)
        any |= values[i];
    return any == 0;
}

/* Writes the blob at out, compressed where that is shorter; returns the bytes, 0 on failure. */
static size_t
encode_blob(const struct pb_block_input *input, uint8_t *out)
{
    size_t bound = ZSTD_compressBound(input->blob_bytes);
    size_t stored = ZSTD_compress(out, bound, input->blob, input->blob_bytes, 1);

    if (ZSTD_isError(stored))
        return 0; /* it had no memory: there is room for all that may come of it */
    if (stored >= input->blob_bytes) {
        memcpy(out, input->blob, input->blob_bytes);
        return input->blob_bytes;
    }
    return stored;
}

size_t
pb_block_encode(const struct pb_block_input *input, uint8_t *out)
{
    bool has_blob = input->blob_bytes != 0;
    size_t blob_at = HEADER_BYTES;
    size_t offsets_at = HEADER_BYTES + (has_blob ? BLOB_HEADER_BYTES : 0);
    uint32_t present = 0;
    uint16_t mask = 0;
    const uint8_t *bitmap = NULL;
    size_t used = 0;
    size_t stored = 0;

    assert(input->rows >= 1 && input->rows <= PB_BLOCK_ROWS_MAX);
    assert(input->columns >= 1 && input->columns <= PB_BLOCK_COLUMNS_MAX);
    assert(input->blob_bytes <= PB_BLOCK_BLOB_MAX);
    for (uint32_t c = 0; c < input->columns; c++) {
        if (!is_all_zero(input->values[c], input->rows)) {
            mask = (uint16_t)(mask | 1u << c);
            present++;
        }
    }
    used = offsets_at + 2u * present;
    present = 0;
    for (uint32_t c = 0; c < input->columns; c++) {
        if (mask & 1u << c) {
            pb_put_le16(out + offsets_at + 2u * present++, (uint16_t)used);
            used += encode_column(input->values[c], input->rows, input->hints[c], &bitmap,
                                  out + used);
        } else {
            bitmap = NULL; /* a column that is not there lends none */
        }
    }
    assert(used <= UINT16_MAX);
    if (has_blob) {
        stored = encode_blob(input, out + used);
        if (stored == 0)
            return 0;
        pb_put_le32(out + blob_at, (uint32_t)stored);
        pb_put_le32(out + blob_at + 4, (uint32_t)input->blob_bytes);
        pb_put_le32(out + blob_at + 8,
                   (uint32_t)XXH3_64bits_withSeed(out + used, stored, input->seed));
    }
    pb_put_le32(out + 4, input->number);
    out[8] = input->table;
    out[9] = has_blob ? FLAG_BLOB : 0;
    pb_put_le16(out + 10, (uint16_t)input->rows);
    pb_put_le16(out + 12, mask);
    pb_put_le16(out + 14, (uint16_t)used);
    pb_put_le32(out, (uint32_t)XXH3_64bits_withSeed(out + 4, used - 4, input->seed));
    return used + stored;
}

/* ---- decoding ---- */

enum pb_status
pb_block_open(const uint8_t *bytes, size_t count, uint8_t table, uint32_t number, uint64_t seed,
              struct pb_block *ret_block, const char **reterr_what)
{
    struct pb_block block = { .bytes = bytes, .seed = seed };
    size_t offsets_at = HEADER_BYTES;

    if (count < HEADER_BYTES) {
        *reterr_what = "block cut short";
        return PB_E_CORRUPT;
    }
    block.columns_end = pb_get_le16(bytes + 14);
    if (block.columns_end < HEADER_BYTES || block.columns_end > count) {
        *reterr_what = "block length out of range";
        return PB_E_CORRUPT;
    }
    if (pb_get_le32(bytes)
        != (uint32_t)XXH3_64bits_withSeed(bytes + 4, block.columns_end - 4, seed)) {
        *reterr_what = "block checksum does not fit";
        return PB_E_CORRUPT;
    }
    block.number = pb_get_le32(bytes + 4);
    block.table = bytes[8];
    block.rows = pb_get_le16(bytes + 10);
    block.mask = pb_get_le16(bytes + 12);
    if (block.table != table || block.number != number) {
        *reterr_what = "another block stands here";
        return PB_E_CORRUPT;
    }
    if (bytes[9] & FLAG_BLOB)
        offsets_at += BLOB_HEADER_BYTES;
    if (block.rows < 1 || block.rows > PB_BLOCK_ROWS_MAX
        || offsets_at + 2u * (unsigned)__builtin_popcount(block.mask) > block.columns_end) {
        *reterr_what = "block head out of range";
        return PB_E_CORRUPT;
    }
    block.offsets = bytes + offsets_at;
    if (bytes[9] & FLAG_BLOB) {
        block.blob_stored = pb_get_le32(bytes + HEADER_BYTES);
        block.blob_raw = pb_get_le32(bytes + HEADER_BYTES + 4);
        block.blob_checksum = pb_get_le32(bytes + HEADER_BYTES + 8);
        block.blob = bytes + block.columns_end;
        if (block.blob_stored > count - block.columns_end || block.blob_raw > PB_BLOCK_BLOB_MAX
            || block.blob_stored == 0 || block.blob_stored > block.blob_raw) {
            *reterr_what = "blob length out of range";
            return PB_E_CORRUPT;
        }
    }
    *ret_block = block;
    return PB_OK;
}

size_t
pb_block_bytes(const struct pb_block *block)
{
    return (size_t)block->columns_end + block->blob_stored;
}

enum pb_status
pb_block_blob(const struct pb_block *block, uint8_t *ret_blob, const char **reterr_what)
{
    size_t raw = 0;

    if (block->blob_raw == 0)
        return PB_OK;
    if ((uint32_t)XXH3_64bits_withSeed(block->blob, block->blob_stored, block->seed)
        != block->blob_checksum) {
        *reterr_what = "blob checksum does not fit";
        return PB_E_CORRUPT;
    }
    if (block->blob_stored == block->blob_raw) {
        memcpy(ret_blob, block->blob, block->blob_raw);
        return PB_OK;
    }
    raw = ZSTD_decompress(ret_blob, block->blob_raw, block->blob, block->blob_stored);
    if (ZSTD_isError(raw) || raw != block->blob_raw) {
        *reterr_what = "blob does not decompress";
        return PB_E_CORRUPT;
    }
    return PB_OK;
}

static uint32_t
count_bits(const uint8_t *bitmap, uint32_t rows)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < rows / 8; i++)
        count += (uint32_t)__builtin_popcount(bitmap[i]);
    if (rows % 8 != 0)
        count += (uint32_t)__builtin_popcount(bitmap[rows / 8] & ((1u << rows % 8) - 1));
    return count;
}

/* Set bits of the bitmap before row. */
static uint32_t
rank_before(const uint8_t *bitmap, uint32_t row)
{
    uint32_t rank = 0;
    uint32_t i = 0;

    for (; i + 64 <= row; i += 64)
        rank += (uint32_t)__builtin_popcountll(pb_get_le64(bitmap + i / 8));
    if (i < row)
        rank += (uint32_t)__builtin_popcountll(pb_get_le64(bitmap + i / 8) & low_mask(row - i));
    return rank;
}

/* How many of the rows before row are of each class. */
static void
count_classes(const struct pb_column *column, uint32_t row, uint32_t ret_counts[PB_SPLIT_CLASSES])
{
    uint32_t low = rank_before(column->index, row);
    uint32_t high = 0;
    uint32_t both = 0;

    if (column->high_index != NULL) {
        for (uint32_t i = 0; i < row; i += 64) {
            uint64_t mask = row - i < 64 ? low_mask(row - i) : UINT64_MAX;
            uint64_t bits = pb_get_le64(column->high_index + i / 8) & mask;

            high += (uint32_t)__builtin_popcountll(bits);
            both += (uint32_t)__builtin_popcountll(bits & pb_get_le64(column->index + i / 8));
        }
    }
    ret_counts[0] = row - low - high + both;
    ret_counts[1] = low - both;
    ret_counts[2] = high - both;
    ret_counts[3] = both;
}

/* Places the bitmap of rows that stands at at; returns what is behind it, NULL where it is cut. */
static const uint8_t *
place_bitmap(struct pb_column *column, const uint8_t *at, const uint8_t *end)
{
    size_t bytes = packed_bytes(column->rows, 1);

    if ((size_t)(end - at) < bytes)
        return NULL;
    column->index = at;
    column->value_count = count_bits(at, column->rows);
    return at + bytes;
}

static enum pb_status
place_dict(struct pb_column *column, const uint8_t *at, const uint8_t *end)
{
    size_t values_bytes = 0;

    if (end - at < 2)
        return PB_E_CORRUPT;
    column->index_width = at[0];
    column->value_count = at[1] + 1u;
    values_bytes = packed_bytes(column->value_count, column->width);
    column->values = at + 2;
    column->index = column->values + values_bytes;
    return column->index_width <= 8
                   && values_bytes + packed_bytes(column->rows, column->index_width)
                          <= (size_t)(end - at) - 2
               ? PB_OK
               : PB_E_CORRUPT;
}

static enum pb_status
place_split(struct pb_column *column, const uint8_t *at, const uint8_t *end)
{
    size_t bitmap_bytes = packed_bytes(column->rows, 1);
    uint32_t counts[PB_SPLIT_CLASSES] = { 0 };
    uint32_t class_count = 0;

    if (at == end)
        return PB_E_CORRUPT;
    class_count = *at++;
    if ((class_count != 2 && class_count != PB_SPLIT_CLASSES)
        || (size_t)(end - at) < class_count + bitmap_bytes * (class_count / 2))
        return PB_E_CORRUPT;
    memcpy(column->widths, at, class_count);
    column->index = at + class_count;
    column->high_index = class_count == 2 ? NULL : column->index + bitmap_bytes;
    count_classes(column, column->rows, counts);
    at = column->index + bitmap_bytes * (class_count / 2);
    for (uint32_t k = 0; k < class_count; k++) {
        size_t bytes = packed_bytes(counts[k], column->widths[k]);

        if (column->widths[k] > WIDTH_MAX || bytes > (size_t)(end - at))
            return PB_E_CORRUPT;
        column->classes[k] = at;
        at += bytes;
    }
    return PB_OK;
}

/* Places values and index of a column whose head has been read; at is behind the head.
 * SPARSE_ALSO has its bitmap already. */
static enum pb_status
place_column(struct pb_column *column, const uint8_t *at, const uint8_t *end)
{
    size_t bytes = 0;

    switch (column->mode) {
    case PB_COLUMN_DICT:
        return place_dict(column, at, end);
    case PB_COLUMN_CYCLE: {
        int64_t modulus = 0;
        size_t used = get_varint(at, (size_t)(end - at), &modulus);

        column->modulus = (uint64_t)modulus;
        return used == 0 ? PB_E_CORRUPT : place_split(column, at + used, end);
    }
    case PB_COLUMN_SPLIT:
    case PB_COLUMN_DELTA_SPLIT:
    case PB_COLUMN_NEAR:
        return place_split(column, at, end);
    case PB_COLUMN_SPARSE:
    case PB_COLUMN_REPEAT:
        at = place_bitmap(column, at, end);
        if (at == NULL
            || (column->mode == PB_COLUMN_REPEAT && !is_bit_set(column->index, 0)))
            return PB_E_CORRUPT;
        bytes = packed_bytes(column->value_count, column->width);
        break;
    case PB_COLUMN_SPARSE_ALSO:
        bytes = packed_bytes(column->value_count, column->width);
        break;
    case PB_COLUMN_PACKED:
    case PB_COLUMN_DELTA:
        bytes = packed_bytes(column->rows, column->width);
        break;
    case PB_COLUMN_RAW:
        bytes = (size_t)column->rows * 8;
        break;
    default: /* PB_COLUMN_CONST */
        break;
    }
    column->values = at;
    return bytes <= (size_t)(end - at) ? PB_OK : PB_E_CORRUPT;
}

enum pb_status
pb_block_column(const struct pb_block *block, uint32_t column_number, struct pb_column *ret_column)
{
    struct pb_column column = { .mode = PB_COLUMN_CONST, .rows = block->rows, .unit = 1 };
    const uint8_t *end = block->bytes + block->columns_end;
    const uint8_t *at = NULL;
    unsigned below = 0;
    unsigned head = 0;
    size_t used = 0;
    uint32_t offset = 0;
    enum pb_status status = PB_OK;

    assert(column_number < PB_BLOCK_COLUMNS_MAX);
    if ((block->mask & 1u << column_number) == 0) {
        *ret_column = column;
        return PB_OK;
    }
    below = (unsigned)__builtin_popcount(block->mask & ((1u << column_number) - 1));
    offset = pb_get_le16(block->offsets + 2u * below);
    if (offset + COLUMN_HEAD_BYTES + 1 > block->columns_end)
        return PB_E_CORRUPT;
    at = block->bytes + offset;
    head = pb_get_le16(at);
    column.width = (uint8_t)(head >> 9);
    column.unit = units[head >> 4 & (UNIT_COUNT - 1)];
    if ((head & 15) >= PB_COLUMN_MODES || column.unit == 0)
        return PB_E_CORRUPT;
    column.mode = (enum pb_column_mode)(head & 15);
    if (column.mode != PB_COLUMN_RAW && column.width > WIDTH_MAX)
        return PB_E_CORRUPT;
    used = get_varint(at + COLUMN_HEAD_BYTES, (size_t)(end - at) - COLUMN_HEAD_BYTES,
                      &column.base);
    if (used == 0)
        return PB_E_CORRUPT;
    if (column.mode == PB_COLUMN_SPARSE_ALSO) {
        struct pb_column before;

        if (column_number == 0
            || pb_block_column(block, column_number - 1, &before) != PB_OK
            || (before.mode != PB_COLUMN_SPARSE && before.mode != PB_COLUMN_SPARSE_ALSO))
            return PB_E_CORRUPT;
        column.index = before.index;
        column.value_count = before.value_count;
    }
    status = place_column(&column, at + COLUMN_HEAD_BYTES + used, end);
    if (status == PB_OK)
        *ret_column = column;
    return status;
}

static inline int64_t
scaled(const struct pb_column *column, uint64_t packed)
{
    return (int64_t)((uint64_t)column->base + column->unit * packed);
}

/* Adds one difference of a chain to the value before it. */
static inline uint64_t
chain_step(const struct pb_column *column, uint64_t value, uint64_t step)
{
    if (column->mode == PB_COLUMN_NEAR)
        return value + (step >> 1 ^ (0 - (step & 1)));
    value += step;
    return value >= column->modulus ? value - column->modulus : value;
}

/* The value of row of a split list, where counts says how many of each class come before it;
 * counts it. */
static inline uint64_t
split_next(const struct pb_column *column, uint32_t row, uint32_t counts[PB_SPLIT_CLASSES])
{
    uint32_t class = is_bit_set(column->index, row) ? 1 : 0;

    if (column->high_index != NULL && is_bit_set(column->high_index, row))
        class += 2;
    return extract(column->classes[class], counts[class]++, column->widths[class]);
}

/* Values of a chain from first, a multiple of CHAIN_ROWS, up to last, both included. They go to
 * ret_values, where that is not NULL. Returns the last one, before scaling. */
static uint64_t
chain_values(const struct pb_column *column, uint32_t first, uint32_t last, int64_t *ret_values)
{
    uint32_t counts[PB_SPLIT_CLASSES];
    uint64_t value = 0;

    count_classes(column, first, counts);
    for (uint32_t row = first; row <= last; row++) {
        uint64_t step = split_next(column, row, counts);

        value = chain_step(column, row % CHAIN_ROWS == 0 ? 0 : value, step);
        if (ret_values != NULL)
            ret_values[row - first] = scaled(column, value);
    }
    return value;
}

/* The value of a split column, before scaling. */
static uint64_t
split_value(const struct pb_column *column, uint32_t row)
{
    uint32_t counts[PB_SPLIT_CLASSES];

    count_classes(column, row, counts);
    return split_next(column, row, counts);
}

bool
pb_column_is_slow(const struct pb_column *column)
{
    switch (column->mode) {
    case PB_COLUMN_NEAR:
    case PB_COLUMN_CYCLE:
    case PB_COLUMN_SPLIT:
    case PB_COLUMN_DELTA:
    case PB_COLUMN_DELTA_SPLIT:
        return true;
    default:
        return false;
    }
}

int64_t
pb_column_get(const struct pb_column *column, uint32_t row)
{
    uint64_t sum = 0;
    uint64_t index = 0;

    assert(row < column->rows);
    switch (column->mode) {
    case PB_COLUMN_PACKED:
        return scaled(column, extract(column->values, row, column->width));
    case PB_COLUMN_RAW:
        return (int64_t)pb_get_le64(column->values + 8u * row);
    case PB_COLUMN_DICT:
        index = extract(column->index, row, column->index_width);
        if (index >= column->value_count)
            index = column->value_count - 1; /* only in a forged block; stays inside */
        return scaled(column, extract(column->values, index, column->width));
    case PB_COLUMN_SPARSE:
    case PB_COLUMN_SPARSE_ALSO:
        if (!is_bit_set(column->index, row))
            return 0;
        return scaled(column, extract(column->values, rank_before(column->index, row),
                                      column->width));
    case PB_COLUMN_REPEAT:
        return scaled(column, extract(column->values, rank_before(column->index, row + 1) - 1,
                                      column->width));
    case PB_COLUMN_SPLIT:
        return scaled(column, split_value(column, row));
    case PB_COLUMN_NEAR:
    case PB_COLUMN_CYCLE:
        return scaled(column, chain_values(column, row - row % CHAIN_ROWS, row, NULL));
    case PB_COLUMN_DELTA:
        for (uint32_t i = 0; i <= row; i++)
            sum += extract(column->values, i, column->width);
        return scaled(column, sum);
    case PB_COLUMN_DELTA_SPLIT:
        for (uint32_t i = 0; i <= row; i++)
            sum += split_value(column, i);
        return scaled(column, sum);
    default: /* PB_COLUMN_CONST */
        return column->base;
    }
}

/* All values of a split column; summed up where it holds differences. */
static void
split_all(const struct pb_column *column, bool is_delta, int64_t *ret_values)
{
    uint32_t counts[PB_SPLIT_CLASSES] = { 0 };
    uint64_t sum = 0;

    for (uint32_t i = 0; i < column->rows; i++) {
        uint64_t value = split_next(column, i, counts);

        sum = is_delta ? sum + value : value;
        ret_values[i] = scaled(column, sum);
    }
}

void
pb_column_all(const struct pb_column *column, int64_t *ret_values)
{
    uint64_t sum = 0;
    uint32_t next = 0;
    int64_t value = 0;

    switch (column->mode) {
    case PB_COLUMN_PACKED:
        for (uint32_t i = 0; i < column->rows; i++)
            ret_values[i] = scaled(column, extract(column->values, i, column->width));
        return;
    case PB_COLUMN_DELTA:
        for (uint32_t i = 0; i < column->rows; i++) {
            sum += extract(column->values, i, column->width);
            ret_values[i] = scaled(column, sum);
        }
        return;
    case PB_COLUMN_NEAR:
    case PB_COLUMN_CYCLE:
        (void)chain_values(column, 0, column->rows - 1, ret_values);
        return;
    case PB_COLUMN_SPLIT:
    case PB_COLUMN_DELTA_SPLIT:
        split_all(column, column->mode == PB_COLUMN_DELTA_SPLIT, ret_values);
        return;
    case PB_COLUMN_SPARSE:
    case PB_COLUMN_SPARSE_ALSO:
    case PB_COLUMN_REPEAT:
        for (uint32_t i = 0; i < column->rows; i++) {
            bool is_there = is_bit_set(column->index, i);

            if (is_there)
                value = scaled(column, extract(column->values, next++, column->width));
            ret_values[i] = is_there || column->mode == PB_COLUMN_REPEAT ? value : 0;
        }
        return;
    default: /* PB_COLUMN_CONST, PB_COLUMN_RAW, PB_COLUMN_DICT */
        for (uint32_t i = 0; i < column->rows; i++)
            ret_values[i] = pb_column_get(column, i);
        return;
    }
}
