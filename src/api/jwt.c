/*
 * JWT: three parts between dots. The header only chooses among what is allowed here.
 */
#include "api/jwt.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/env.h"
#include "base/text.h"

#define KID_BYTES_MAX 255u
#define RSA_BYTES_MIN 256u /* of a modulus: 2,048 bits */
#define RSA_BYTES_MAX 1024u
#define SIGNATURE_BYTES_MAX RSA_BYTES_MAX

enum key_kind { KEY_RSA, KEY_P256, KEY_ED25519 };

struct key {
    enum key_kind kind;
    bool is_bound;                   /* to one algorithm, which its set names */
    enum pb_jwt_algorithm algorithm; /* that */
    char id[KID_BYTES_MAX + 1];      /* "": it has none */
    gnutls_pubkey_t key;             /* owned */
};

struct pb_jwks {
    const struct pb_env *env; /* borrowed */
    uint32_t count;
    struct key keys[PB_JWKS_KEYS_MAX];
};

static const struct algorithm {
    const char *name;
    enum key_kind kind;
    gnutls_sign_algorithm_t signs;
} algorithms[] = {
    [PB_JWT_RS256] = { "RS256", KEY_RSA, GNUTLS_SIGN_RSA_SHA256 },
    [PB_JWT_PS256] = { "PS256", KEY_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256 },
    [PB_JWT_ES256] = { "ES256", KEY_P256, GNUTLS_SIGN_ECDSA_SHA256 },
    [PB_JWT_EDDSA] = { "EdDSA", KEY_ED25519, GNUTLS_SIGN_EDDSA_ED25519 },
};

static bool
find_algorithm(struct pb_str name, enum pb_jwt_algorithm *ret_algorithm)
{
    for (unsigned i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (pb_str_equal(name, pb_str_from(algorithms[i].name))) {
            *ret_algorithm = (enum pb_jwt_algorithm)i;
            return true;
        }
    }
    return false;
}

struct pb_str
pb_jwt_text(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);

    if (!json_is_string(value))
        return (struct pb_str){ NULL, 0 };
    return (struct pb_str){ json_string_value(value), (uint32_t)json_string_length(value) };
}

static bool
is_item(const json_t *value, struct pb_str text)
{
    return json_is_string(value) && json_string_length(value) == text.bytes &&
           memcmp(json_string_value(value), text.text, text.bytes) == 0;
}

bool
pb_jwt_has(const json_t *claims, const char *name, struct pb_str text)
{
    const json_t *value = json_object_get(claims, name), *item;
    size_t i;

    if (is_item(value, text))
        return true;
    json_array_foreach(value, i, item)
    {
        if (is_item(item, text))
            return true;
    }
    return false;
}

/* ---- keys ---- */

static bool
import_rsa(struct key *key, const json_t *jwk)
{
    uint8_t n[RSA_BYTES_MAX + 1], e[8];
    size_t n_bytes = 0, e_bytes = 0;
    gnutls_datum_t modulus, exponent;

    if (pb_base64url_decode(pb_jwt_text(jwk, "n"), n, sizeof(n), &n_bytes) != PB_OK ||
        pb_base64url_decode(pb_jwt_text(jwk, "e"), e, sizeof(e), &e_bytes) != PB_OK)
        return false;
    modulus = (gnutls_datum_t){ n, (unsigned)n_bytes };
    /* Some write a zero before it. */
    while (modulus.size > 0 && modulus.data[0] == 0) {
        modulus.data++;
        modulus.size--;
    }
    exponent = (gnutls_datum_t){ e, (unsigned)e_bytes };
    key->kind = KEY_RSA;
    return modulus.size >= RSA_BYTES_MIN && modulus.size <= RSA_BYTES_MAX &&
           gnutls_pubkey_import_rsa_raw(key->key, &modulus, &exponent) == 0;
}

static bool
import_curve(struct key *key, const json_t *jwk, bool is_p256)
{
    uint8_t x[32], y[32];
    gnutls_datum_t x_datum = { x, sizeof(x) }, y_datum = { y, sizeof(y) };
    size_t x_bytes = 0, y_bytes = 0;

    if (pb_base64url_decode(pb_jwt_text(jwk, "x"), x, sizeof(x), &x_bytes) != PB_OK ||
        x_bytes != sizeof(x))
        return false;
    if (is_p256 && (pb_base64url_decode(pb_jwt_text(jwk, "y"), y, sizeof(y), &y_bytes) != PB_OK ||
                    y_bytes != sizeof(y)))
        return false;
    key->kind = is_p256 ? KEY_P256 : KEY_ED25519;
    return gnutls_pubkey_import_ecc_raw(key->key,
                                        is_p256 ? GNUTLS_ECC_CURVE_SECP256R1
                                                : GNUTLS_ECC_CURVE_ED25519,
                                        &x_datum, is_p256 ? &y_datum : NULL) == 0;
}

static bool
is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");

    return (use == NULL || is_item(use, pb_str_from("sig"))) &&
           (json_object_get(jwk, "key_ops") == NULL ||
            pb_jwt_has(jwk, "key_ops", pb_str_from("verify")));
}

static bool
import_key(struct key *key, const json_t *jwk)
{
    struct pb_str kind = pb_jwt_text(jwk, "kty"), curve = pb_jwt_text(jwk, "crv");

    if (pb_str_equal(kind, pb_str_from("RSA")))
        return import_rsa(key, jwk);
    if (pb_str_equal(kind, pb_str_from("EC")) && pb_str_equal(curve, pb_str_from("P-256")))
        return import_curve(key, jwk, true);
    if (pb_str_equal(kind, pb_str_from("OKP")) && pb_str_equal(curve, pb_str_from("Ed25519")))
        return import_curve(key, jwk, false);
    return false;
}

/* Whether the key is one that we can use. */
static bool
describe_key(struct key *key, const json_t *jwk)
{
    struct pb_str id = pb_jwt_text(jwk, "kid");

    key->is_bound = json_object_get(jwk, "alg") != NULL;
    if (!json_is_object(jwk) || !is_for_signatures(jwk) || id.bytes > KID_BYTES_MAX ||
        (key->is_bound && !find_algorithm(pb_jwt_text(jwk, "alg"), &key->algorithm)))
        return false;
    if (id.bytes > 0)
        memcpy(key->id, id.text, id.bytes);
    key->id[id.bytes] = '\0';
    return import_key(key, jwk) && (!key->is_bound || algorithms[key->algorithm].kind == key->kind);
}

static enum pb_status
add_key(struct pb_jwks *jwks, const json_t *jwk)
{
    struct key *key = &jwks->keys[jwks->count];

    if (gnutls_pubkey_init(&key->key) != 0)
        return PB_E_NOMEM;
    if (describe_key(key, jwk))
        jwks->count++;
    else
        gnutls_pubkey_deinit(key->key);
    return PB_OK;
}

enum pb_status
pb_jwks_parse(const struct pb_env *env, struct pb_str json, struct pb_jwks **ret_jwks,
              struct pb_error *error)
{
    struct pb_jwks *jwks = NULL;
    enum pb_status status = PB_BAD_INPUT;
    json_t *root = NULL;
    const json_t *keys, *item;
    json_error_t wrong;
    size_t i;

    if (json.bytes > PB_JWKS_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "the set of keys is too long");
    root = json_loadb(json.text, json.bytes, JSON_REJECT_DUPLICATES, &wrong);
    keys = json_object_get(root, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > PB_JWKS_KEYS_MAX) {
        (void)pb_fail(error, PB_BAD_INPUT, "not a set of at most %u keys", PB_JWKS_KEYS_MAX);
        goto out;
    }
    jwks = pb_calloc(env, 1, sizeof(*jwks));
    status = jwks != NULL ? PB_OK : PB_E_NOMEM;
    if (jwks == NULL)
        goto out;
    jwks->env = env;
    json_array_foreach(keys, i, item)
    {
        if (status == PB_OK)
            status = add_key(jwks, item);
    }
    if (status == PB_OK) {
        *ret_jwks = jwks;
        jwks = NULL;
    }

out:
    if (status == PB_E_NOMEM)
        (void)pb_fail(error, status, "no memory for a set of keys");
    pb_jwks_free(jwks);
    json_decref(root);
    return status;
}

void
pb_jwks_free(struct pb_jwks *jwks)
{
    if (jwks == NULL)
        return;
    for (uint32_t i = 0; i < jwks->count; i++)
        gnutls_pubkey_deinit(jwks->keys[i].key);
    pb_free(jwks->env, jwks);
}

uint32_t
pb_jwks_count(const struct pb_jwks *jwks)
{
    return jwks->count;
}

static bool
suits(const struct key *key, enum pb_jwt_algorithm algorithm)
{
    return algorithms[algorithm].kind == key->kind &&
           (!key->is_bound || key->algorithm == algorithm);
}

/* The one key that a token means: by its id, or, without one, the only one that suits. */
static const struct key *
find_key(const struct pb_jwks *jwks, enum pb_jwt_algorithm algorithm, struct pb_str id)
{
    const struct key *found = NULL;

    for (uint32_t i = 0; i < jwks->count; i++) {
        const struct key *key = &jwks->keys[i];

        if (!suits(key, algorithm) || (id.text != NULL && !pb_str_equal(id, pb_str_from(key->id))))
            continue;
        if (found != NULL)
            return NULL;
        found = key;
    }
    return found;
}

/* ---- tokens ---- */

struct parts {
    struct pb_str header, claims, signature; /* as they stand, in base64url */
    struct pb_str signed_text;
};

static bool
split(struct pb_str text, struct parts *ret_parts)
{
    const char *first, *second, *end = text.text + text.bytes;

    if (text.bytes == 0 || text.bytes > PB_JWT_BYTES_MAX)
        return false;
    first = memchr(text.text, '.', text.bytes);
    second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return false;
    ret_parts->header = (struct pb_str){ text.text, (uint32_t)(first - text.text) };
    ret_parts->claims = (struct pb_str){ first + 1, (uint32_t)(second - first - 1) };
    ret_parts->signature = (struct pb_str){ second + 1, (uint32_t)(end - second - 1) };
    ret_parts->signed_text = (struct pb_str){ text.text, (uint32_t)(second - text.text) };
    return true;
}

/* The object of a part, or NULL. room: PB_JWT_BYTES_MAX bytes to decode into. */
static json_t *
load_part(struct pb_str part, uint8_t *room)
{
    json_t *object;
    json_error_t wrong;
    size_t count = 0;

    if (pb_base64url_decode(part, room, PB_JWT_BYTES_MAX, &count) != PB_OK)
        return NULL;
    object = json_loadb((const char *)room, count, JSON_REJECT_DUPLICATES, &wrong);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

struct header {
    enum pb_jwt_algorithm algorithm;
    struct pb_str key_id; /* text NULL: none */
};

static bool
read_header(const json_t *object, struct header *ret_header, const char **ret_why)
{
    struct pb_str type = pb_jwt_text(object, "typ");

    *ret_why = "token: signed in a way that is not taken";
    if (!find_algorithm(pb_jwt_text(object, "alg"), &ret_header->algorithm))
        return false;
    *ret_why = "token: its header wants what is not understood";
    if (json_object_get(object, "crit") != NULL || json_object_get(object, "b64") != NULL ||
        json_object_get(object, "zip") != NULL)
        return false;
    *ret_why = "token: of another type";
    if (json_object_get(object, "typ") != NULL &&
        !(type.bytes == 3 && strncasecmp(type.text, "JWT", 3) == 0))
        return false;
    *ret_why = "token: the id of its key is no text";
    if (json_object_get(object, "kid") != NULL && !json_is_string(json_object_get(object, "kid")))
        return false;
    ret_header->key_id = pb_jwt_text(object, "kid");
    return true;
}

static bool
verify_bytes(const struct key *key, enum pb_jwt_algorithm algorithm, struct pb_str signed_text,
             gnutls_datum_t signature)
{
    gnutls_datum_t text = { (unsigned char *)(uintptr_t)signed_text.text, signed_text.bytes };

    return gnutls_pubkey_verify_data2(key->key, algorithms[algorithm].signs, 0, &text,
                                      &signature) >= 0;
}

static bool
verify(const struct key *key, enum pb_jwt_algorithm algorithm, const struct parts *parts)
{
    uint8_t bytes[SIGNATURE_BYTES_MAX];
    gnutls_datum_t r = { bytes, 32 }, s = { bytes + 32, 32 }, der = { NULL, 0 };
    size_t count = 0;
    bool is_good;

    if (pb_base64url_decode(parts->signature, bytes, sizeof(bytes), &count) != PB_OK)
        return false;
    if (algorithm != PB_JWT_ES256)
        return verify_bytes(key, algorithm, parts->signed_text,
                            (gnutls_datum_t){ bytes, (unsigned)count });
    /* A token has the two numbers side by side, GnuTLS wants them in DER. */
    if (count != 64 || gnutls_encode_rs_value(&der, &r, &s) != 0)
        return false;
    is_good = verify_bytes(key, algorithm, parts->signed_text, der);
    gnutls_free(der.data);
    return is_good;
}

static enum pb_status
open_parts(const struct parts *parts, const struct pb_jwks *jwks, uint8_t *room,
           struct pb_jwt *ret_jwt, const char **ret_why)
{
    json_t *object = load_part(parts->header, room);
    enum pb_status status = PB_BAD_INPUT;
    struct header header;
    const struct key *key;

    *ret_why = "token: its header is no object";
    if (object == NULL || !read_header(object, &header, ret_why))
        goto out;
    key = find_key(jwks, header.algorithm, header.key_id);
    if (key == NULL) {
        *ret_why = "token: its key is not known";
        status = PB_NOT_FOUND;
        goto out;
    }
    *ret_why = "token: its signature is wrong";
    if (!verify(key, header.algorithm, parts))
        goto out;
    *ret_why = "token: its claims are no object";
    ret_jwt->claims = load_part(parts->claims, room);
    ret_jwt->algorithm = header.algorithm;
    status = ret_jwt->claims != NULL ? PB_OK : PB_BAD_INPUT;

out:
    json_decref(object);
    return status;
}

enum pb_status
pb_jwt_open(const struct pb_env *env, struct pb_str text, const struct pb_jwks *jwks,
            struct pb_jwt *ret_jwt, const char **ret_why)
{
    struct parts parts;
    enum pb_status status;
    uint8_t *room;

    if (!split(text, &parts)) {
        *ret_why = "token: not three parts of a decent length";
        return PB_BAD_INPUT;
    }
    room = pb_alloc(env, PB_JWT_BYTES_MAX);
    if (room == NULL)
        return PB_E_NOMEM;
    status = open_parts(&parts, jwks, room, ret_jwt, ret_why);
    pb_free(env, room);
    return status;
}

/* ---- ID tokens ---- */

static bool
refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* For us, or for us among others where we are said to be the one who asked. */
static bool
check_audience(const json_t *claims, const char *client, const char **ret_why)
{
    const json_t *audience = json_object_get(claims, "aud");
    bool has_party = json_object_get(claims, "azp") != NULL;
    struct pb_str us = pb_str_from(client);

    if (!pb_jwt_has(claims, "aud", us))
        return refuse(ret_why, "ID token: for another audience");
    if (has_party && !pb_str_equal(pb_jwt_text(claims, "azp"), us))
        return refuse(ret_why, "ID token: another party asked for it");
    if (json_array_size(audience) > 1 && !has_party)
        return refuse(ret_why, "ID token: for several, and who asked is not said");
    return true;
}

static bool
take_time(const json_t *claims, const char *name, int64_t *ret_s)
{
    const json_t *value = json_object_get(claims, name);
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= 0 && number < 1e12))
        return false;
    *ret_s = (int64_t)number;
    return true;
}

static bool
check_times(const json_t *claims, int64_t now_s, const char **ret_why)
{
    int64_t expires_s, issued_s, begins_s;

    if (!take_time(claims, "exp", &expires_s) || now_s >= expires_s + PB_JWT_LEEWAY_S)
        return refuse(ret_why, "ID token: its time is over, or not said");
    if (!take_time(claims, "iat", &issued_s) || issued_s > now_s + PB_JWT_LEEWAY_S)
        return refuse(ret_why, "ID token: from the future, or of no time");
    if (now_s - issued_s > PB_JWT_AGE_MAX_S)
        return refuse(ret_why, "ID token: made too long ago");
    if (json_object_get(claims, "nbf") != NULL &&
        (!take_time(claims, "nbf", &begins_s) || begins_s > now_s + PB_JWT_LEEWAY_S))
        return refuse(ret_why, "ID token: not yet");
    return true;
}

/* The left half of a hash of the access token. */
static bool
check_access_hash(const struct pb_jwt *jwt, struct pb_str access_token)
{
    uint8_t wanted[crypto_hash_sha512_BYTES], given[crypto_hash_sha512_BYTES];
    const unsigned char *text = (const unsigned char *)access_token.text;
    size_t half = jwt->algorithm == PB_JWT_EDDSA ? 32 : 16, count = 0;

    if (jwt->algorithm == PB_JWT_EDDSA)
        (void)crypto_hash_sha512(wanted, text, access_token.bytes);
    else
        (void)crypto_hash_sha256(wanted, text, access_token.bytes);
    return pb_base64url_decode(pb_jwt_text(jwt->claims, "at_hash"), given, sizeof(given), &count) ==
               PB_OK &&
           count == half && sodium_memcmp(given, wanted, half) == 0;
}

bool
pb_jwt_check_id_token(const struct pb_jwt *jwt, const struct pb_id_token_want *want,
                      const char **ret_why)
{
    struct pb_str subject = pb_jwt_text(jwt->claims, "sub");

    if (!pb_str_equal(pb_jwt_text(jwt->claims, "iss"), pb_str_from(want->issuer)))
        return refuse(ret_why, "ID token: of another issuer");
    if (!check_audience(jwt->claims, want->client, ret_why) ||
        !check_times(jwt->claims, want->now_s, ret_why))
        return false;
    if (!pb_str_equal(pb_jwt_text(jwt->claims, "nonce"), pb_str_from(want->nonce)))
        return refuse(ret_why, "ID token: for another sign-in");
    if (subject.bytes == 0 || subject.bytes > 255)
        return refuse(ret_why, "ID token: about nobody");
    if (json_object_get(jwt->claims, "at_hash") != NULL && want->access_token.bytes > 0 &&
        !check_access_hash(jwt, want->access_token))
        return refuse(ret_why, "ID token: made with another access token");
    return true;
}
