/*
 * Passkeys: which keys of WebAuthn belong to which account.
 *
 * Each is a note of the catalog, found by its credential's id. To add or to remove one leaves a
 * leaf in the log of its person's agency before it takes effect. Of a passkey that counts, the
 * newest count is kept, so that a copy is noticed.
 *
 * Threads: every call is safe from any thread.
 * Format:  docs/formats/passkey.md
 */
#ifndef PB_API_PASSKEY_H
#define PB_API_PASSKEY_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "api/webauthn.h"

struct pb_arena;
struct pb_env;
struct pb_site;

#define PB_PASSKEYS_OF_PERSON_MAX 10u
#define PB_PASSKEY_NAME_BYTES_MAX 64u
#define PB_PASSKEY_KEY_BYTES 33u  /* of its note: digits of a hash, with a NUL */
#define PB_PASSKEY_USER_BYTES 32u /* who an authenticator is told that it is for */

/* Views are of an arena. */
struct pb_api_passkey {
    char key[PB_PASSKEY_KEY_BYTES]; /* told to its person; opens nothing */
    struct pb_str person, name;
    struct pb_str id; /* of the credential, as the authenticator gave it */
    struct pb_webauthn_key public_key;
    uint32_t counter;
    bool may_back_up;
    int64_t created_at_us, used_at_us; /* used: 0: not yet */
    struct pb_str note;                /* as it was found */
};

/* The key of a credential's note. */
void pb_api_passkey_key(struct pb_str id, char ret_key[PB_PASSKEY_KEY_BYTES]);
/* The user handle of a person: the same each time, and nothing that others could read a name in. */
void pb_api_passkey_user(const char *site, struct pb_str person,
                         uint8_t ret_user[PB_PASSKEY_USER_BYTES]);

/* By key; PB_NOT_FOUND. */
PB_MUST_CHECK enum pb_status pb_api_passkey_find(struct pb_site *site, const char *key,
                                                 struct pb_arena *arena,
                                                 struct pb_api_passkey *ret_passkey,
                                                 struct pb_error *error);
/* passkey is borrowed for the call; false stops. By key. */
typedef bool pb_api_passkey_fn(void *context, const struct pb_api_passkey *passkey);
PB_MUST_CHECK enum pb_status pb_api_passkey_each(const struct pb_env *env, struct pb_site *site,
                                                 struct pb_str person, pb_api_passkey_fn *each,
                                                 void *context, struct pb_error *error);

/*
 * Keeps what was verified. ret_key is set on PB_OK.
 *
 * PB_BAD_INPUT   the name is no plain text of decent length, or the person is none of the catalog
 * PB_CONFLICT    the credential is somebody's already
 * PB_OVER_LIMIT  the person has PB_PASSKEYS_OF_PERSON_MAX
 */
PB_MUST_CHECK enum pb_status pb_api_passkey_add(const struct pb_env *env, struct pb_site *site,
                                                struct pb_str person, struct pb_str name,
                                                const struct pb_webauthn_data *data,
                                                char ret_key[PB_PASSKEY_KEY_BYTES],
                                                struct pb_error *error);
/* PB_NOT_FOUND: the person has none with this key. */
PB_MUST_CHECK enum pb_status pb_api_passkey_remove(const struct pb_env *env, struct pb_site *site,
                                                   struct pb_str person, const char *key,
                                                   struct pb_error *error);
/* It was used, and counts to counter now. PB_CONFLICT: it was used or removed meanwhile. */
PB_MUST_CHECK enum pb_status pb_api_passkey_used(const struct pb_env *env, struct pb_site *site,
                                                 const struct pb_api_passkey *passkey,
                                                 uint32_t counter, struct pb_error *error);

/* A note from memory, for tests and fuzzing. note: in arena. PB_E_CORRUPT: not one. */
PB_MUST_CHECK enum pb_status pb_api_passkey_decode(struct pb_arena *arena, const char *key,
                                                   struct pb_str note,
                                                   struct pb_api_passkey *ret_passkey);

#endif
