/*
 * Fuzz target: authenticator data, as an authenticator may send any. Views of what was read lie
 * within it, and it is read to its last byte: neither more nor less of it passes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_credential(const struct pb_webauthn_data *read, const char *from, const char *end)
{
    static const uint8_t nothing[1];
    struct pb_webauthn_used used = { { "{}", 2 }, { from, 37 }, { (const char *)nothing, 1 } };
    struct pb_webauthn_want want = { "", "", nothing };
    const char *why = NULL;
    uint32_t counter;

    check(read->id.text > from && read->id.text + read->id.bytes < end);
    check(read->id.bytes > 0 && read->id.bytes <= PB_WEBAUTHN_ID_BYTES_MAX);
    check(read->key.bytes == 32 || read->key.bytes == 64 || read->key.bytes == 259);
    check(pb_webauthn_verify_used(&want, &used, &read->key, 0, &counter, &why) == PB_BAD_INPUT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str bytes = { (const char *)data, (uint32_t)size };
    struct pb_webauthn_data read, again;
    const char *why = NULL;
    char *more;

    if (size > UINT32_MAX || !pb_webauthn_read_data(bytes, &read, &why)) {
        check(size > UINT32_MAX || why != NULL);
        return 0;
    }
    check(size <= PB_WEBAUTHN_DATA_BYTES_MAX && read.site_sha256 == data);
    if ((read.flags & PB_WEBAUTHN_HAS_CREDENTIAL) != 0)
        check_credential(&read, bytes.text, bytes.text + bytes.bytes);
    bytes.bytes--;
    check(!pb_webauthn_read_data(bytes, &again, &why));
    more = malloc(size + 1);
    check(more != NULL);
    memcpy(more, data, size);
    more[size] = 0;
    check(!pb_webauthn_read_data((struct pb_str){ more, (uint32_t)size + 1 }, &again, &why));
    free(more);
    return 0;
}
