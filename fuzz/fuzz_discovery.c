/*
 * Fuzz target: what a provider of sign-ins says of itself, its keys and somebody's claims, each
 * read from the same input. Addresses that are taken may be asked; a person that is taken is an id.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/jwt.h"
#include "api/oidc.h"
#include "base/arena.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
read_addresses(struct pb_str json)
{
    struct pb_oidc_addresses addresses;
    const char *why = NULL;

    if (!pb_oidc_read_addresses(json, "https://a.example", &addresses, &why)) {
        check(why != NULL);
        return;
    }
    check(pb_fetch_is_allowed(pb_str_from(addresses.authorization)));
    check(pb_fetch_is_allowed(pb_str_from(addresses.token)));
    check(pb_fetch_is_allowed(pb_str_from(addresses.keys)));
}

static void
read_claims(struct pb_str json)
{
    static const struct pb_oidc_provider provider = {
        .person_claim = "preferred_username",
        .groups_claim = "groups",
        .roles = { { "a", "auditor" }, { "i", "investigator" } },
        .acr = { "gold" },
        .amr = { "mfa" },
    };
    struct pb_oidc_identity identity;
    struct pb_arena arena;
    const char *why = NULL;
    json_error_t error;
    json_t *claims = json_loadb(json.text, json.bytes, JSON_REJECT_DUPLICATES, &error);
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 256);
    status = pb_oidc_read_identity(&provider, claims, &arena, &identity, &why);
    check(status == PB_OK || (status == PB_BAD_INPUT && why != NULL));
    if (status == PB_OK)
        check(identity.person.bytes > 0 && identity.roles < 4 &&
              strspn(identity.person.text, "._:-") == 0);
    pb_arena_clear(&arena);
    json_decref(claims);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str json = { (const char *)data, (uint32_t)size };
    struct pb_jwks *jwks = NULL;
    struct pb_error error;

    if (size > UINT32_MAX)
        return 0;
    read_addresses(json);
    read_claims(json);
    if (pb_jwks_parse(pb_env_system(), json, &jwks, &error) == PB_OK)
        check(pb_jwks_count(jwks) <= PB_JWKS_KEYS_MAX);
    pb_jwks_free(jwks);
    return 0;
}
