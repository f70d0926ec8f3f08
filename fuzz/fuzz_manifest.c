/*
 * Fuzz target: a manifest's bytes.
 *
 * The input is parsed as it is, and once more with magic, length and checksum put right, since
 * otherwise hardly an input would get past them. What is taken must be in order and in range.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "read/read.h"
#include "store/local/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static void
parse(const uint8_t *bytes, size_t size)
{
    struct pb_manifest manifest;
    struct pb_error error;
    enum pb_status status;

    pb_manifest_init(&manifest, pb_env_system());
    status = pb_manifest_parse(&manifest, bytes, size, &error);
    check(status == PB_OK || status == PB_E_CORRUPT || status == PB_E_VERSION ||
          status == PB_E_NOT_STORE);
    for (uint32_t i = 0; i < manifest.segment_count; i++) {
        const struct pb_segment_entry *segment = &manifest.segments[i];

        check(segment->number < manifest.next_segment && segment->rows <= PB_SEGMENT_ROWS_MAX);
        check(segment->number > (i == 0 ? 0 : segment[-1].number));
    }
    for (uint32_t i = 0; i < manifest.erasure_count; i++) {
        check(manifest.erasures[i].plate.bytes <= PB_PLATE_BYTES_MAX);
        check(manifest.erasures[i].reader.bytes <= PB_READER_BYTES_MAX);
        (void)pb_hash_bytes(manifest.erasures[i].plate.text, manifest.erasures[i].plate.bytes);
        (void)pb_hash_bytes(manifest.erasures[i].reader.text, manifest.erasures[i].reader.bytes);
    }
    for (uint32_t i = 0; i < manifest.mark_count; i++) {
        const struct pb_mark_entry *mark = &manifest.marks[i];

        check(mark->identity >= (i == 0 ? 1 : mark[-1].identity));
        check(mark->name.bytes <= PB_IDENTITY_BYTES_MAX);
        check(mark->name.bytes == 0 || pb_identity_of_bytes(mark->name) == mark->identity);
    }
    pb_manifest_done(&manifest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    parse(data, size);
    if (size < 24 + 8)
        return 0;
    copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    memcpy(copy, "PBMAN\r\n\x1a", 8);
    pb_put_le64(copy + 16, size);
    pb_put_le64(copy + size - 8, pb_hash_bytes(copy, size - 8));
    parse(copy, size);
    free(copy);
    return 0;
}
