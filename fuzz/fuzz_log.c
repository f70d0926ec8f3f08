/*
 * Fuzz target: one log file's bytes.
 *
 * The input is parsed as it is, and once more with its checksums put right, since otherwise
 * hardly an input would get past them. What is found must lie within the input and ascend.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/log_format.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t store_id[PB_STORE_ID_BYTES] = "synthetic store";

struct seen {
    const uint8_t *begin, *end;
    uint64_t commit;
};

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static enum pb_status
each_record(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    struct seen *seen = context;

    (void)error;
    check(record->payload >= seen->begin && record->payload < seen->end);
    check(record->payload_bytes <= (size_t)(seen->end - record->payload));
    check(record->count >= 1 && record->count <= record->payload_bytes);
    check(record->commit > seen->commit);
    seen->begin = record->payload + record->payload_bytes;
    seen->commit = record->commit;
    return PB_OK;
}

static void
parse(const uint8_t *bytes, size_t size)
{
    struct seen seen = { .begin = bytes, .end = bytes + size };
    struct pb_error error;
    enum pb_status status;

    status = pb_log_parse(bytes, size, store_id, each_record, &seen, &error);
    check(status == PB_OK || status == PB_E_CORRUPT || status == PB_E_VERSION);
}

/* As docs/formats/log-v1.md says; keeps lengths and numbers as they are. */
static void
put_checksums_right(uint8_t *bytes, size_t size)
{
    size_t at = PB_LOG_HEADER_BYTES;

    if (size < PB_LOG_HEADER_BYTES)
        return;
    memcpy(bytes, "PBLOG\r\n\x1a", 8);
    pb_put_le32(bytes + 12, PB_LOG_HEADER_BYTES);
    memcpy(bytes + 16, store_id, PB_STORE_ID_BYTES);
    pb_put_le64(bytes + 88, pb_hash_bytes(bytes, 88));
    while (size - at >= PB_LOG_RECORD_HEADER_BYTES) {
        uint8_t covered[48 + PB_STORE_ID_BYTES + 8];
        size_t rest = size - at - PB_LOG_RECORD_HEADER_BYTES;
        uint32_t payload_bytes = pb_get_le32(bytes + at + 8);

        memcpy(bytes + at, "\xb7REC", 4);
        if (payload_bytes <= rest)
            pb_put_le64(bytes + at + 40, pb_hash_bytes(bytes + at + PB_LOG_RECORD_HEADER_BYTES,
                                                       payload_bytes));
        memcpy(covered, bytes + at, 48);
        memcpy(covered + 48, bytes + 16, PB_STORE_ID_BYTES);
        memcpy(covered + 48 + PB_STORE_ID_BYTES, bytes + 32, 8);
        pb_put_le64(bytes + at + 48, pb_hash_bytes(covered, sizeof(covered)));
        if (payload_bytes > rest)
            break;
        at += PB_LOG_RECORD_HEADER_BYTES + payload_bytes;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    parse(data, size);
    copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    put_checksums_right(copy, size);
    parse(copy, size);
    free(copy);
    return 0;
}
