/*
 * Writer of the binary form: records are encoded in place behind the room for their header.
 */
#include "ingest/pbr_writer.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "read/read.h"

#define BLOCK_PAYLOAD_BYTES (256u * 1024u)

static_assert(BLOCK_PAYLOAD_BYTES + PB_RECORD_BYTES_MAX <= PB_PBR_PAYLOAD_BYTES_MAX,
              "a full block is within the limit");

struct pb_pbr_writer {
    const struct pb_env *env; /* borrowed */
    pb_pbr_emit_fn *emit;
    void *context;
    uint32_t payload_bytes;
    uint32_t record_count;
    uint8_t block[PB_PBR_BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES + PB_RECORD_BYTES_MAX];
};

static void
put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void
put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

void
pb_pbr_head_put(uint8_t ret_bytes[PB_PBR_HEAD_BYTES])
{
    memcpy(ret_bytes, PB_PBR_MAGIC, PB_PBR_MAGIC_BYTES);
    put_u32(ret_bytes + 8, PB_PBR_VERSION);
    put_u32(ret_bytes + 12, 0);
}

void
pb_pbr_block_put(const struct pb_pbr_block *block, uint8_t ret_bytes[PB_PBR_BLOCK_HEADER_BYTES])
{
    memcpy(ret_bytes, PB_PBR_BLOCK_MAGIC, PB_PBR_MAGIC_BYTES);
    put_u32(ret_bytes + 8, block->payload_bytes);
    put_u32(ret_bytes + 12, block->record_count);
    put_u64(ret_bytes + 16, block->payload_checksum);
    put_u64(ret_bytes + 24, pb_hash_bytes(ret_bytes, 24));
}

enum pb_status
pb_pbr_writer_new(const struct pb_env *env, pb_pbr_emit_fn *emit, void *context,
                  struct pb_pbr_writer **ret_writer)
{
    struct pb_pbr_writer *writer = pb_alloc(env, sizeof(*writer));

    if (writer == NULL)
        return PB_E_NOMEM;
    writer->env = env;
    writer->emit = emit;
    writer->context = context;
    writer->payload_bytes = 0;
    writer->record_count = 0;
    *ret_writer = writer;
    return PB_OK;
}

void
pb_pbr_writer_free(struct pb_pbr_writer *writer)
{
    if (writer != NULL)
        pb_free(writer->env, writer);
}

enum pb_status
pb_pbr_writer_add(struct pb_pbr_writer *writer, const struct pb_read *read)
{
    uint8_t *payload = writer->block + PB_PBR_BLOCK_HEADER_BYTES;
    size_t bytes = pb_record_encode(read, payload + writer->payload_bytes);

    assert(bytes > 0 && bytes <= PB_RECORD_BYTES_MAX);
    writer->payload_bytes += (uint32_t)bytes;
    writer->record_count++;
    return writer->payload_bytes < BLOCK_PAYLOAD_BYTES ? PB_OK : pb_pbr_writer_flush(writer);
}

enum pb_status
pb_pbr_writer_flush(struct pb_pbr_writer *writer)
{
    struct pb_pbr_block block = {
        .payload_bytes = writer->payload_bytes,
        .record_count = writer->record_count,
    };

    if (writer->record_count == 0)
        return PB_OK;
    block.payload_checksum =
        pb_hash_bytes(writer->block + PB_PBR_BLOCK_HEADER_BYTES, writer->payload_bytes);
    pb_pbr_block_put(&block, writer->block);
    writer->payload_bytes = 0;
    writer->record_count = 0;
    return writer->emit(writer->context, writer->block,
                        PB_PBR_BLOCK_HEADER_BYTES + (size_t)block.payload_bytes);
}
