/*
 * The binary form, read: blocks found and checked, their records decoded in place.
 *
 * Where blocks end must be the same for whoever cuts an input into chunks and for whoever
 * parses a chunk: both walk it with next_stretch().
 */
#include "ingest/pbr.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "ingest/ingest_private.h"
#include "plate/plate_code.h"
#include "read/read.h"

static uint32_t
get_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t
get_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

enum pb_status
pb_pbr_head_get(const uint8_t *bytes, struct pb_error *error)
{
    uint32_t version;

    if (memcmp(bytes, PB_PBR_MAGIC, PB_PBR_MAGIC_BYTES) != 0)
        return pb_fail(error, PB_BAD_INPUT, "these are not Platebase reads in binary");
    version = get_u32(bytes + 8);
    if (version != PB_PBR_VERSION)
        return pb_fail(error, PB_BAD_INPUT,
                       "these binary reads have format version %lu, and this program reads %u",
                       (unsigned long)version, PB_PBR_VERSION);
    if (get_u32(bytes + 12) != 0)
        return pb_fail(error, PB_BAD_INPUT, "the head of these binary reads is damaged");
    return PB_OK;
}

bool
pb_pbr_block_get(const uint8_t *bytes, struct pb_pbr_block *ret_block)
{
    if (memcmp(bytes, PB_PBR_BLOCK_MAGIC, PB_PBR_MAGIC_BYTES) != 0 ||
        get_u64(bytes + 24) != pb_hash_bytes(bytes, 24))
        return false;
    ret_block->payload_bytes = get_u32(bytes + 8);
    ret_block->record_count = get_u32(bytes + 12);
    ret_block->payload_checksum = get_u64(bytes + 16);
    return ret_block->payload_bytes >= 1 && ret_block->payload_bytes <= PB_PBR_PAYLOAD_BYTES_MAX &&
           ret_block->record_count >= 1 && ret_block->record_count <= ret_block->payload_bytes;
}

/* ---- stretches ---- */

enum stretch_kind {
    STRETCH_BLOCK, /* good */
    STRETCH_DAMAGED,
    STRETCH_OPEN, /* not to be told without the bytes that follow */
};

/* Where the next header that passes begins, from `at` on; count where there is none. */
static size_t
find_header(const uint8_t *bytes, size_t count, size_t at)
{
    struct pb_pbr_block block;

    while (at < count) {
        const uint8_t *magic =
            memmem(bytes + at, count - at, PB_PBR_BLOCK_MAGIC, PB_PBR_MAGIC_BYTES);

        if (magic == NULL)
            return count;
        at = (size_t)(magic - bytes);
        if (count - at < PB_PBR_BLOCK_HEADER_BYTES)
            return count;
        if (pb_pbr_block_get(magic, &block))
            return at;
        at++;
    }
    return count;
}

/* What lies at `at` < count, up to *ret_end. is_last: no bytes follow. */
static enum stretch_kind
next_stretch(const uint8_t *bytes, size_t count, size_t at, bool is_last,
             struct pb_pbr_block *ret_block, size_t *ret_end)
{
    struct pb_pbr_block ignored;
    size_t left = count - at, block_bytes;

    if (left >= PB_PBR_BLOCK_HEADER_BYTES && pb_pbr_block_get(bytes + at, ret_block)) {
        block_bytes = PB_PBR_BLOCK_HEADER_BYTES + (size_t)ret_block->payload_bytes;
        *ret_end = at + block_bytes;
        if (block_bytes <= left) {
            if (pb_hash_bytes(bytes + at + PB_PBR_BLOCK_HEADER_BYTES, ret_block->payload_bytes) ==
                ret_block->payload_checksum)
                return STRETCH_BLOCK;
            if (is_last && block_bytes == left)
                return STRETCH_DAMAGED;
            if (left - block_bytes >= PB_PBR_BLOCK_HEADER_BYTES &&
                pb_pbr_block_get(bytes + *ret_end, &ignored))
                return STRETCH_DAMAGED;
        }
        if (!is_last && left < block_bytes + PB_PBR_BLOCK_HEADER_BYTES)
            return STRETCH_OPEN;
    }
    *ret_end = find_header(bytes, count, at + 1);
    return *ret_end == count && !is_last ? STRETCH_OPEN : STRETCH_DAMAGED;
}

size_t
pb_pbr_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count, bool is_last)
{
    struct pb_pbr_block block;
    size_t at = 0, end;

    (void)head;
    if (is_last)
        return count;
    while (at < count && next_stretch(bytes, count, at, false, &block, &end) != STRETCH_OPEN)
        at = end;
    return at;
}

/* ---- records ---- */

static bool
is_folded(struct pb_str plate)
{
    char folded[PB_PLATE_BYTES_MAX];
    uint32_t bytes = 0;

    /* What has a code is of letters that fold to themselves. */
    if (pb_plate_code(plate) != 0)
        return true;
    return pb_plate_fold(plate, folded, &bytes) == PB_OK && bytes == plate.bytes &&
           memcmp(folded, plate.text, bytes) == 0;
}

/* A person's word that no plate can be read. */
static bool
is_unreadable(const struct pb_read *read)
{
    return read->is_correction && read->plate.bytes == 1 &&
           read->plate.text[0] == PB_PLATE_UNREADABLE[0];
}

/* NULL, or what is wrong with the plates of a decoded read. */
static const char *
plates_fault(const struct pb_read *read, const char **ret_field)
{
    *ret_field = "plate";
    if (!is_folded(read->plate) && !is_unreadable(read))
        return "is not a folded plate";
    *ret_field = "alternates";
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        if (!is_folded(read->alternates[i].plate))
            return "have a plate that is not folded";
    }
    *ret_field = "identity_plate";
    return read->identity_plate.bytes > 0 && !is_folded(read->identity_plate)
               ? "is not a folded plate"
               : NULL;
}

/* Takes the records of a good block: the record at hand of the batch. */
static enum pb_status
take_block(struct pb_batch *batch, const uint8_t *bytes, const struct pb_pbr_block *block)
{
    const uint8_t *at = bytes + PB_PBR_BLOCK_HEADER_BYTES;
    size_t left = block->payload_bytes;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < block->record_count && status == PB_OK; i++) {
        struct pb_room *room;
        struct pb_read *read = pb_batch_empty_slot(batch, &room);
        const char *fault, *field;
        size_t used = 0;

        if (left == 0 || pb_record_decode(at, left, &room->record, read, &used) != PB_OK) {
            batch->record = at;
            batch->record_bytes = left;
            return pb_batch_reject(batch, "", "a record that cannot be decoded");
        }
        batch->record = at;
        batch->record_bytes = used;
        batch->is_ascii = pb_record_is_ascii(at, used, read);
        fault = plates_fault(read, &field);
        status = fault != NULL ? pb_batch_reject(batch, field, fault)
                               : pb_batch_push(batch, read->delete_after_us != PB_NEVER);
        at += used;
        left -= used;
    }
    if (status == PB_OK && left > 0) {
        batch->record = at;
        batch->record_bytes = left;
        status = pb_batch_reject(batch, "", "a block with more in it than its header says");
    }
    return status;
}

enum pb_status
pb_pbr_chunk(struct pb_parser *parser, const struct pb_chunk *chunk)
{
    struct pb_batch *batch = &parser->batch;
    enum pb_status status = PB_OK;
    size_t at = 0, end = 0;

    batch->line = 0;
    while (at < chunk->count && status == PB_OK) {
        struct pb_pbr_block block;
        /* The chunk was cut at a border, so nothing that follows it matters. */
        enum stretch_kind kind = next_stretch(chunk->bytes, chunk->count, at, true, &block, &end);

        if (kind == STRETCH_BLOCK) {
            status = take_block(batch, chunk->bytes + at, &block);
        } else {
            batch->record = chunk->bytes + at;
            batch->record_bytes = end - at;
            status = pb_batch_reject(batch, "", "a damaged block");
        }
        at = end;
    }
    return status;
}
