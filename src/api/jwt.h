/*
 * JWT: signed claims of a provider of sign-ins, and the keys to verify them with.
 *
 * Only what is signed by a key of the set is opened: RS256, PS256, ES256, EdDSA (Ed25519), each
 * by a key of its own kind. "none", everything with a shared secret (HS256 ...), encrypted ones
 * and extensions that would have to be understood ("crit") are refused; keys that a token brings
 * along are not looked at.
 *
 * Threads: everything here is without state; a set of keys never changes.
 * Limits:  PB_JWT_*, PB_JWKS_*.
 * Source:  RFC 7515, 7517, 7518, 7519, 8037, 8725; OpenID Connect Core 1.0, 3.1.3.7.
 */
#ifndef PB_API_JWT_H
#define PB_API_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

#define PB_JWT_BYTES_MAX 16384u
#define PB_JWKS_BYTES_MAX (256u << 10)
#define PB_JWKS_KEYS_MAX 64u
#define PB_JWT_LEEWAY_S 60   /* how far a provider's clock may be from ours */
#define PB_JWT_AGE_MAX_S 600 /* an ID token is used at once */

enum pb_jwt_algorithm { PB_JWT_RS256, PB_JWT_PS256, PB_JWT_ES256, PB_JWT_EDDSA };

struct pb_jwks; /* opaque */

/* Keys of other kinds and uses are left out; a set may be empty. PB_BAD_INPUT: not a set, error
 * says why. PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_jwks_parse(const struct pb_env *env, struct pb_str json,
                                           struct pb_jwks **ret_jwks, struct pb_error *error);
void pb_jwks_free(struct pb_jwks *jwks); /* NULL is fine */
uint32_t pb_jwks_count(const struct pb_jwks *jwks);

struct pb_jwt {
    enum pb_jwt_algorithm algorithm;
    json_t *claims; /* owned: an object */
};

/*
 * Opens a token.
 *
 * Returns  PB_OK         its signature holds; the caller frees ret_jwt->claims with json_decref
 *          PB_NOT_FOUND  it is well formed, and its key is not in the set: it may be in a newer one
 *          PB_BAD_INPUT  *ret_why says why, static
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_jwt_open(const struct pb_env *env, struct pb_str text,
                                         const struct pb_jwks *jwks, struct pb_jwt *ret_jwt,
                                         const char **ret_why);

/* What an ID token must say. */
struct pb_id_token_want {
    const char *issuer, *client;
    const char *nonce;
    struct pb_str access_token; /* that came with it; empty: none */
    int64_t now_s;
};
/* False: *ret_why says why, static. */
bool pb_jwt_check_id_token(const struct pb_jwt *jwt, const struct pb_id_token_want *want,
                           const char **ret_why);

/* A claim that is a text; empty where it is not there, or something else. */
struct pb_str pb_jwt_text(const json_t *claims, const char *name);
/* Whether a claim is this text, or a list in which it stands. */
bool pb_jwt_has(const json_t *claims, const char *name, struct pb_str text);

#endif
