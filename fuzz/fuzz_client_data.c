/*
 * Fuzz target: client data, as a browser may send any. What passes has the origin in it, and does
 * not pass for the other ceremony.
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES] = { 1, 2, 3 };
    static const char origin[] = "https://plates.example.org";
    struct pb_webauthn_want want = { origin, "plates.example.org", challenge };
    struct pb_str json = { (const char *)data, (uint32_t)size };
    const char *why = NULL;

    if (size > UINT32_MAX)
        return 0;
    if (!pb_webauthn_check_client_data(json, "webauthn.get", &want, &why)) {
        check(why != NULL);
        return 0;
    }
    check(size <= PB_WEBAUTHN_CLIENT_DATA_BYTES_MAX);
    check(!pb_webauthn_check_client_data(json, "webauthn.create", &want, &why));
    return 0;
}
