/*
 * Passkeys in JSON: what a page sends of one, as a browser's PublicKeyCredential.toJSON() gives
 * it, and the words that stand beside it.
 *
 * Members that browsers add and nobody here needs are not looked at; bytes are base64url.
 *
 * Threads: everything here is without state.
 * Source:  W3C Web Authentication Level 3, 5.1 (RegistrationResponseJSON,
 *          AuthenticationResponseJSON).
 */
#ifndef PB_API_PASSKEY_JSON_H
#define PB_API_PASSKEY_JSON_H

#include <stdbool.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena;

struct pb_api_credential {
    struct pb_str word; /* of the member beside it; empty: it was not there */
    struct pb_str id, client_data;
    struct pb_str attestation;           /* of one that was made */
    struct pb_str data, signature, user; /* of one that was used; user may be empty */
};

/*
 * A body { "credential": {...}, "<word>": "..." }, in arena.
 *
 * is_made  an answer to "make a passkey", otherwise to "show that you have it"
 * word     the name of the member beside it; NULL: there is none
 *
 * PB_BAD_INPUT: *ret_field and *ret_why say what is wrong, static. PB_E_NOMEM.
 */
PB_MUST_CHECK enum pb_status pb_api_passkey_read(struct pb_arena *arena, struct pb_str body,
                                                    bool is_made, const char *word,
                                                    struct pb_api_credential *ret_credential,
                                                    const char **ret_field, const char **ret_why);

#endif
