/*
 * The binary form of reads: layout.
 *
 * Source: docs/formats/pbr.md.
 */
#ifndef PB_INGEST_PBR_H
#define PB_INGEST_PBR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/limits.h"

#define PB_PBR_VERSION 1u
#define PB_PBR_HEAD_BYTES 16u
#define PB_PBR_MAGIC "\x89PBR\r\n\x1a\n"
#define PB_PBR_MAGIC_BYTES 8u

#define PB_PBR_BLOCK_HEADER_BYTES 32u
#define PB_PBR_BLOCK_MAGIC "PBRB\xF1K\r\n"
#define PB_PBR_PAYLOAD_BYTES_MAX (PB_BLOCK_BYTES_MAX - PB_PBR_BLOCK_HEADER_BYTES)

struct pb_pbr_block {
    uint32_t payload_bytes;
    uint32_t record_count;
    uint64_t payload_checksum;
};

/* Writes the head of a file. */
void pb_pbr_head_put(uint8_t ret_bytes[PB_PBR_HEAD_BYTES]);
/* PB_OK, or PB_BAD_INPUT: bytes, of which there are at least PB_PBR_HEAD_BYTES, are no head
 * that this version reads. */
PB_MUST_CHECK enum pb_status pb_pbr_head_get(const uint8_t *bytes, struct pb_error *error);

void pb_pbr_block_put(const struct pb_pbr_block *block,
                      uint8_t ret_bytes[PB_PBR_BLOCK_HEADER_BYTES]);
/* false where bytes, of which there are at least PB_PBR_BLOCK_HEADER_BYTES, are no header that
 * passes. */
bool pb_pbr_block_get(const uint8_t *bytes, struct pb_pbr_block *ret_block);

#endif
