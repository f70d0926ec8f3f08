/*
 * Fuzz target: a token of a provider of sign-ins, as anybody may send one. The input is a set of
 * keys, a line feed, and a token. Nothing opens with an empty set; what opens is of an algorithm
 * that is allowed, and its claims are looked at.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/jwt.h"
#include "base/env.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
open_token(struct pb_str text, const struct pb_jwks *jwks, bool may_open)
{
    struct pb_id_token_want want = {
        .issuer = "joe", .client = "us", .nonce = "n", .access_token = { "t", 1 }, .now_s = 1
    };
    struct pb_jwt jwt = { .claims = NULL };
    const char *why = NULL;
    enum pb_status status = pb_jwt_open(pb_env_system(), text, jwks, &jwt, &why);

    check(status == PB_OK || (status > 0 && why != NULL));
    check(may_open || status != PB_OK);
    check((status == PB_OK) == json_is_object(jwt.claims));
    if (status == PB_OK) {
        check(jwt.algorithm <= PB_JWT_EDDSA);
        (void)pb_jwt_check_id_token(&jwt, &want, &why);
    }
    json_decref(jwt.claims);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_jwks *jwks = NULL, *empty = NULL;
    struct pb_error error;
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct pb_str keys, token;

    if (end == NULL || size > UINT32_MAX)
        return 0;
    keys = (struct pb_str){ (const char *)data, (uint32_t)(end - data) };
    token = (struct pb_str){ (const char *)end + 1, (uint32_t)(size - keys.bytes - 1) };
    check(pb_jwks_parse(pb_env_system(), pb_str_from("{\"keys\":[]}"), &empty, &error) == PB_OK);
    open_token(token, empty, false);
    if (pb_jwks_parse(pb_env_system(), keys, &jwks, &error) == PB_OK)
        open_token(token, jwks, pb_jwks_count(jwks) > 0);
    pb_jwks_free(jwks);
    pb_jwks_free(empty);
    return 0;
}
