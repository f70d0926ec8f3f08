/*
 * Block: up to 256 rows of up to 16 integer columns, and an optional blob, in as few bits as
 * each column needs. Every table of a segment is a sequence of blocks.
 *
 * A block carries its table and number and a checksum seeded by its segment, so that
 * a block read from a wrong place never passes for another. One value is found without
 * decoding the others (but in an ascending column).
 *
 * Format: docs/formats/segment-v1.md, "Blocks". Threads: everything here is pure.
 */
#ifndef PB_STORE_LOCAL_BLOCK_H
#define PB_STORE_LOCAL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"

#define PB_BLOCK_ROWS_MAX 256u
#define PB_BLOCK_COLUMNS_MAX 16u
#define PB_BLOCK_BLOB_MAX (4u << 20)
/* Bytes that must be readable behind a block's columns: bits are loaded eight bytes at a time.
 * In a segment the footer stands behind the last block. */
#define PB_BLOCK_PADDING 8u

/* What an encoder may try on a column beside a constant and plain packing. */
enum pb_column_hint {
    PB_HINT_TIME = 1,     /* values are often whole ms, s, min, h or days of us */
    PB_HINT_DECIMAL = 2,  /* values often end in decimal zeros */
    PB_HINT_CODE = 4,     /* values often end in zero sixes of bits (plate codes) */
    PB_HINT_DICT = 8,     /* few distinct values */
    PB_HINT_SPARSE = 16,  /* mostly 0 */
    PB_HINT_REPEAT = 32,  /* long runs */
    PB_HINT_SORTED = 64,  /* ascending (as unsigned), always read as a whole */
    PB_HINT_ALSO = 128,   /* 0 where the column before is 0, mostly */
    PB_HINT_NEAR = 256,   /* values lie near the one before, mostly */
    PB_HINT_CYCLE = 512,  /* several ascending stretches, one after another */
};

struct pb_block_input {
    uint8_t table;
    uint32_t number;
    uint32_t rows;    /* 1 to PB_BLOCK_ROWS_MAX */
    uint32_t columns; /* 1 to PB_BLOCK_COLUMNS_MAX */
    const int64_t *values[PB_BLOCK_COLUMNS_MAX]; /* rows each */
    const uint16_t *hints; /* columns of them */
    const uint8_t *blob;
    size_t blob_bytes; /* at most PB_BLOCK_BLOB_MAX */
    uint64_t seed;
};

/* Room that any block of these columns and this blob fits in. */
size_t pb_block_bound(uint32_t columns, size_t blob_bytes);
/* Encodes; returns the bytes written to ret_bytes (which has room for pb_block_bound), 0 where
 * the compressor failed for want of memory. */
size_t pb_block_encode(const struct pb_block_input *input, uint8_t *ret_bytes);

/* A checked block; a view. */
struct pb_block {
    const uint8_t *bytes;
    uint32_t number, rows, columns_end;
    uint16_t mask;
    uint8_t table;
    const uint8_t *offsets;
    uint32_t blob_stored, blob_raw, blob_checksum;
    const uint8_t *blob;
    uint64_t seed;
};

/* Looks at the block at the start of bytes, of which count (padding not counted) may be looked
 * at, and checks it but for the blob. PB_E_CORRUPT with reterr_what, a static text. */
PB_MUST_CHECK enum pb_status pb_block_open(const uint8_t *bytes, size_t count, uint8_t table,
                                           uint32_t number, uint64_t seed,
                                           struct pb_block *ret_block, const char **reterr_what);
/* Bytes of the whole block with its blob. */
size_t pb_block_bytes(const struct pb_block *block);
/* Decompresses the blob into ret_blob, which has room for block->blob_raw bytes. */
PB_MUST_CHECK enum pb_status pb_block_blob(const struct pb_block *block, uint8_t *ret_blob,
                                           const char **reterr_what);

enum pb_column_mode {
    PB_COLUMN_CONST = 0,
    PB_COLUMN_PACKED = 1,
    PB_COLUMN_RAW = 2,          /* 8 bytes each */
    PB_COLUMN_DICT = 3,
    PB_COLUMN_SPARSE = 4,       /* a bitmap tells which rows are not 0 */
    PB_COLUMN_REPEAT = 5,       /* a bitmap tells where a value differs from the one before */
    PB_COLUMN_DELTA = 6,        /* ascending */
    PB_COLUMN_SPLIT = 7,        /* values of two or four widths; bitmaps tell of which each is */
    PB_COLUMN_DELTA_SPLIT = 8,
    PB_COLUMN_SPARSE_ALSO = 9,  /* as SPARSE, with the bitmap of the column before */
    PB_COLUMN_NEAR = 10,        /* differences of either sign; begins anew every 32 rows */
    PB_COLUMN_CYCLE = 11,       /* differences modulo a number; likewise */
    PB_COLUMN_MODES = 12,
};

#define PB_SPLIT_CLASSES 4u

/* A column ready for access; a view. */
struct pb_column {
    enum pb_column_mode mode;
    uint32_t rows;
    int64_t base;
    uint64_t unit;
    uint8_t width;       /* of values, bits */
    uint8_t index_width; /* DICT: of indexes, bits */
    const uint8_t *values;
    const uint8_t *index; /* DICT: indexes; others: bitmap of rows */
    uint32_t value_count; /* DICT, SPARSE, REPEAT */
    /* SPLIT and all that hold differences so: */
    const uint8_t *high_index; /* second bitmap, NULL where there are two widths only */
    uint8_t widths[PB_SPLIT_CLASSES];
    const uint8_t *classes[PB_SPLIT_CLASSES]; /* values of each width */
    uint64_t modulus;     /* CYCLE: all values, before scaling, are below it */
};

/* Opens column `column` of a block (a column that is not there is constant 0). Checks lengths, so
 * that pb_column_get stays inside. PB_E_CORRUPT where they do not fit. */
PB_MUST_CHECK enum pb_status pb_block_column(const struct pb_block *block, uint32_t column,
                                             struct pb_column *ret_column);
/* Whether one value takes a walk over others, so that several are had sooner all at once. */
bool pb_column_is_slow(const struct pb_column *column);
int64_t pb_column_get(const struct pb_column *column, uint32_t row);
void pb_column_all(const struct pb_column *column, int64_t *ret_values);

#endif
