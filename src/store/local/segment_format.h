/*
 * What writing and reading a segment must agree on. Format: docs/formats/segment-v1.md.
 */
#ifndef PB_STORE_LOCAL_SEGMENT_FORMAT_H
#define PB_STORE_LOCAL_SEGMENT_FORMAT_H

#include "store/local/segment.h"

#define PB_SEGMENT_MAGIC "PBSEG\0\0\1"
#define PB_SEGMENT_MAGIC_BYTES 8u
#define PB_SEGMENT_HEAD_BYTES 16u /* magic and zeros; blocks begin behind it */
#define PB_SEGMENT_VERSION 1u
#define PB_SEGMENT_TRAILER_BYTES 32u /* footer offset, bytes, checksum; magic */

/* Footer: magic, version, store id, number, month, retention, rows, four times, seed, ... */
#define PB_FOOTER_FIXED_BYTES (8u + 4u + 16u + 8u + 4u + 4u + 8u + 32u + 8u)
#define PB_FOOTER_NAMES_BYTES 32u /* offset, stored, raw, checksum */
#define PB_FOOTER_TABLE_BYTES 40u /* rows, blocks, rows a block, index offset, bytes, checksum */
#define PB_FOOTER_BYTES \
    (PB_FOOTER_FIXED_BYTES + PB_FOOTER_NAMES_BYTES + PB_TABLE_COUNT * PB_FOOTER_TABLE_BYTES)

#define PB_INDEX_GROUP 64u /* blocks that share a base offset */

struct pb_table_format {
    uint16_t rows_per_block;
    uint8_t columns;
    bool has_keys;
    uint16_t hints[PB_BLOCK_COLUMNS_MAX];
};

/* By enum pb_table. */
extern const struct pb_table_format pb_table_formats[PB_TABLE_COUNT];

/* Bytes of a table's index: bases, nears, keys. */
uint64_t pb_table_index_bytes(enum pb_table table, uint32_t blocks);

#endif
