/*
 * Fuzz target: an attestation object, as a browser may send any, with client data that fits. What
 * is accepted says that somebody was present and verified.
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

static bool
is_within(struct pb_str part, const char *from, size_t bytes)
{
    return part.text > from && part.text + part.bytes <= from + bytes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES] = { 0 };
    static const char client_data[] = "{\"type\":\"webauthn.create\",\"challenge\":"
                                      "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                                      "\"origin\":\"https://plates.example.org\"}";
    struct pb_webauthn_want want = { "https://plates.example.org", "plates.example.org",
                                     challenge };
    struct pb_webauthn_made made = { { client_data, sizeof(client_data) - 1 },
                                     { (const char *)data, (uint32_t)size } };
    struct pb_webauthn_attestation parts;
    struct pb_webauthn_data kept;
    const char *why = NULL;

    if (size > UINT32_MAX)
        return 0;
    if (!pb_webauthn_read_attestation(made.attestation, &parts, &why)) {
        check(why != NULL);
        return 0;
    }
    check(is_within(parts.format, made.attestation.text, size));
    check(is_within(parts.statement, made.attestation.text, size));
    check(is_within(parts.data, made.attestation.text, size));
    if (pb_webauthn_verify_made(&want, &made, &kept, &why) != PB_OK)
        return 0;
    check(is_within(kept.id, parts.data.text, parts.data.bytes));
    check((kept.flags & PB_WEBAUTHN_PRESENT) != 0 && (kept.flags & PB_WEBAUTHN_VERIFIED) != 0);
    return 0;
}
