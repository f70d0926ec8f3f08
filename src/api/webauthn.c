/*
 * WebAuthn: three readers, and the two ceremonies in the order of the standard.
 */
#include "api/webauthn.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "api/cbor.h"
#include "base/base64.h"
#include "base/text.h"

#define DATA_BYTES_MIN 37u
#define MODEL_BYTES 16u
#define HASH_BYTES 32u
#define MAP_PAIRS_MAX 16u

static bool
refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static const uint8_t *
bytes_of(struct pb_str view)
{
    return (const uint8_t *)view.text;
}

/* ---- client data ---- */

static bool
is_text(const json_t *object, const char *key, const char *wanted)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) &&
           pb_str_equal((struct pb_str){ json_string_value(value),
                                         (uint32_t)json_string_length(value) },
                        pb_str_from(wanted));
}

static bool
is_challenge(const json_t *object, const uint8_t *challenge)
{
    const json_t *value = json_object_get(object, "challenge");
    uint8_t bytes[PB_WEBAUTHN_CHALLENGE_BYTES];
    size_t count = 0;

    return json_is_string(value) &&
           pb_base64url_decode((struct pb_str){ json_string_value(value),
                                                (uint32_t)json_string_length(value) },
                               bytes, sizeof(bytes), &count) == PB_OK &&
           count == sizeof(bytes) && sodium_memcmp(bytes, challenge, sizeof(bytes)) == 0;
}

static bool
check_client_object(const json_t *object, const char *kind, const struct pb_webauthn_want *want,
                    const char **ret_why)
{
    const json_t *crossing = json_object_get(object, "crossOrigin");

    if (!json_is_object(object))
        return refuse(ret_why, "client data: not one JSON object");
    if (!is_text(object, "type", kind))
        return refuse(ret_why, "client data: of another kind");
    if (!is_challenge(object, want->challenge))
        return refuse(ret_why, "client data: another challenge");
    if (!is_text(object, "origin", want->origin))
        return refuse(ret_why, "client data: another origin");
    if (crossing != NULL && !json_is_false(crossing))
        return refuse(ret_why, "client data: within a page of another origin");
    if (json_object_get(object, "topOrigin") != NULL)
        return refuse(ret_why, "client data: below another origin");
    return true;
}

bool
pb_webauthn_check_client_data(struct pb_str json, const char *kind,
                              const struct pb_webauthn_want *want, const char **ret_why)
{
    json_t *object = NULL;
    json_error_t error;
    bool is_good;

    if (json.bytes > PB_WEBAUTHN_CLIENT_DATA_BYTES_MAX)
        return refuse(ret_why, "client data: too long");
    object = json_loadb(json.text, json.bytes, JSON_REJECT_DUPLICATES, &error);
    is_good = check_client_object(object, kind, want, ret_why);
    json_decref(object);
    return is_good;
}

/* ---- keys ---- */

/* A COSE_Key of the kinds that are taken; a parameter that stands twice makes it bad. */
struct cose {
    int64_t kind, algorithm, curve;
    struct pb_str x, y; /* of an RSA key: -1 the modulus, -2 the exponent */
    unsigned seen;
};

enum { COSE_KIND = 1, COSE_ALGORITHM = 3, COSE_CURVE = -1, COSE_X = -2, COSE_Y = -3 };

static void
take_parameter(struct pb_cbor *cbor, struct cose *cose)
{
    int64_t label = pb_cbor_number(cbor);
    unsigned bit = label >= -3 && label <= 3 ? 1u << (label + 3) : 0;

    if ((cose->seen & bit) != 0)
        cbor->is_bad = true;
    cose->seen |= bit;
    if (label == COSE_KIND)
        cose->kind = pb_cbor_number(cbor);
    else if (label == COSE_ALGORITHM)
        cose->algorithm = pb_cbor_number(cbor);
    else if (label == COSE_CURVE && cose->kind == 3)
        cose->x = pb_cbor_bytes(cbor);
    else if (label == COSE_CURVE)
        cose->curve = pb_cbor_number(cbor);
    else if (label == COSE_X && cose->kind == 3)
        cose->y = pb_cbor_bytes(cbor);
    else if (label == COSE_X)
        cose->x = pb_cbor_bytes(cbor);
    else if (label == COSE_Y)
        cose->y = pb_cbor_bytes(cbor);
    else
        (void)pb_cbor_any(cbor);
}

static bool
fits(const struct cose *cose, int64_t kind, int64_t curve, uint32_t x_bytes, uint32_t y_bytes)
{
    return cose->kind == kind && cose->curve == curve && cose->x.bytes == x_bytes &&
           cose->y.bytes == y_bytes;
}

static bool
key_from_cose(const struct cose *cose, struct pb_webauthn_key *ret_key)
{
    bool is_good = (cose->algorithm == PB_WEBAUTHN_ES256 && fits(cose, 2, 1, 32, 32)) ||
                   (cose->algorithm == PB_WEBAUTHN_EDDSA && fits(cose, 1, 6, 32, 0)) ||
                   (cose->algorithm == PB_WEBAUTHN_RS256 && fits(cose, 3, 0, 256, 3));

    if (!is_good)
        return false;
    ret_key->algorithm = (enum pb_webauthn_algorithm)cose->algorithm;
    ret_key->bytes = cose->x.bytes + cose->y.bytes;
    memcpy(ret_key->point, cose->x.text, cose->x.bytes);
    if (cose->y.bytes > 0)
        memcpy(ret_key->point + cose->x.bytes, cose->y.text, cose->y.bytes);
    return true;
}

/* A key as libfido2 takes it. */
struct fido_key {
    es256_pk_t *es256;
    eddsa_pk_t *eddsa;
    rs256_pk_t *rs256;
    const void *any; /* the one that is there */
};

static void
fido_key_done(struct fido_key *key)
{
    es256_pk_free(&key->es256);
    eddsa_pk_free(&key->eddsa);
    rs256_pk_free(&key->rs256);
}

/* False also for a point that is not on its curve. */
static bool
fido_key_init(struct fido_key *key, const struct pb_webauthn_key *from)
{
    int code = FIDO_ERR_INVALID_ARGUMENT;

    *key = (struct fido_key){ .any = NULL };
    switch (from->algorithm) {
    case PB_WEBAUTHN_ES256:
        key->any = key->es256 = es256_pk_new();
        if (key->es256 != NULL)
            code = es256_pk_from_ptr(key->es256, from->point, from->bytes);
        break;
    case PB_WEBAUTHN_EDDSA:
        key->any = key->eddsa = eddsa_pk_new();
        if (key->eddsa != NULL)
            code = eddsa_pk_from_ptr(key->eddsa, from->point, from->bytes);
        break;
    case PB_WEBAUTHN_RS256:
        key->any = key->rs256 = rs256_pk_new();
        if (key->rs256 != NULL)
            code = rs256_pk_from_ptr(key->rs256, from->point, from->bytes);
        break;
    }
    return code == FIDO_OK;
}

static bool
is_usable(const struct pb_webauthn_key *from)
{
    struct fido_key key;
    bool is_good = fido_key_init(&key, from);

    fido_key_done(&key);
    return is_good;
}

/* ---- authenticator data ---- */

static bool
read_key(struct pb_cbor *cbor, struct pb_webauthn_key *ret_key)
{
    uint32_t pairs = pb_cbor_map(cbor);
    struct cose cose = { .kind = 0 };

    if (pairs > MAP_PAIRS_MAX)
        return false;
    for (uint32_t i = 0; i < pairs && !cbor->is_bad; i++)
        take_parameter(cbor, &cose);
    return !cbor->is_bad && key_from_cose(&cose, ret_key);
}

static bool
read_credential(struct pb_cbor *cbor, struct pb_webauthn_data *data, const char **ret_why)
{
    uint32_t id_bytes;

    if (cbor->end - cbor->at < MODEL_BYTES + 2)
        return refuse(ret_why, "authenticator data: cut short");
    data->model = cbor->at;
    id_bytes = (uint32_t)cbor->at[MODEL_BYTES] << 8 | cbor->at[MODEL_BYTES + 1];
    cbor->at += MODEL_BYTES + 2;
    if (id_bytes == 0 || id_bytes > PB_WEBAUTHN_ID_BYTES_MAX || id_bytes > cbor->end - cbor->at)
        return refuse(ret_why, "authenticator data: the credential's id has no such length");
    data->id = (struct pb_str){ (const char *)cbor->at, id_bytes };
    cbor->at += id_bytes;
    if (!read_key(cbor, &data->key))
        return refuse(ret_why, "authenticator data: no key of ES256, EdDSA or RS256");
    return true;
}

static bool
read_extensions(struct pb_cbor *cbor, struct pb_webauthn_data *data)
{
    uint32_t pairs = pb_cbor_map(cbor);

    for (uint32_t i = 0; i < pairs && !cbor->is_bad; i++) {
        if (pb_str_equal(pb_cbor_text(cbor), pb_str_from("credProtect"))) {
            int64_t protection = pb_cbor_number(cbor);

            if (protection < 1 || protection > 3 || data->protection != 0)
                return false;
            data->protection = (int)protection;
        } else
            (void)pb_cbor_any(cbor);
    }
    return !cbor->is_bad;
}

bool
pb_webauthn_read_data(struct pb_str bytes, struct pb_webauthn_data *ret_data, const char **ret_why)
{
    struct pb_webauthn_data data = { .protection = 0 };
    struct pb_cbor cbor = pb_cbor(bytes.text, bytes.bytes);

    if (bytes.bytes < DATA_BYTES_MIN || bytes.bytes > PB_WEBAUTHN_DATA_BYTES_MAX)
        return refuse(ret_why, "authenticator data: has no such length");
    data.site_sha256 = cbor.at;
    data.flags = cbor.at[HASH_BYTES];
    for (unsigned i = HASH_BYTES + 1; i < DATA_BYTES_MIN; i++)
        data.counter = data.counter << 8 | cbor.at[i];
    cbor.at += DATA_BYTES_MIN;
    if ((data.flags & PB_WEBAUTHN_HAS_CREDENTIAL) != 0 && !read_credential(&cbor, &data, ret_why))
        return false;
    if ((data.flags & PB_WEBAUTHN_HAS_EXTENSIONS) != 0 && !read_extensions(&cbor, &data))
        return refuse(ret_why, "authenticator data: extensions cannot be read");
    if (!pb_cbor_is_done(&cbor))
        return refuse(ret_why, "authenticator data: goes on behind its end");
    *ret_data = data;
    return true;
}

static bool
check_data(const struct pb_webauthn_data *data, const char *site, const char **ret_why)
{
    uint8_t sha256[HASH_BYTES];

    (void)crypto_hash_sha256(sha256, (const unsigned char *)site, strlen(site));
    if (memcmp(sha256, data->site_sha256, HASH_BYTES) != 0)
        return refuse(ret_why, "authenticator data: for another site");
    if ((data->flags & PB_WEBAUTHN_PRESENT) == 0)
        return refuse(ret_why, "authenticator data: nobody was present");
    if ((data->flags & PB_WEBAUTHN_VERIFIED) == 0)
        return refuse(ret_why, "authenticator data: who was present was not verified");
    if ((data->flags & PB_WEBAUTHN_IS_BACKED_UP) != 0 &&
        (data->flags & PB_WEBAUTHN_MAY_BACK_UP) == 0)
        return refuse(ret_why, "authenticator data: backed up, which it may not be");
    return true;
}

/* ---- attestation ---- */

bool
pb_webauthn_read_attestation(struct pb_str bytes, struct pb_webauthn_attestation *ret_parts,
                             const char **ret_why)
{
    struct pb_webauthn_attestation parts = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    struct pb_cbor cbor = pb_cbor(bytes.text, bytes.bytes), statement;
    uint32_t pairs;

    if (bytes.bytes > PB_WEBAUTHN_ATTESTATION_BYTES_MAX)
        return refuse(ret_why, "attestation: too long");
    pairs = pb_cbor_map(&cbor);
    for (uint32_t i = 0; i < pairs && !cbor.is_bad; i++) {
        struct pb_str key = pb_cbor_text(&cbor);

        if (pb_str_equal(key, pb_str_from("fmt")) && parts.format.text == NULL)
            parts.format = pb_cbor_text(&cbor);
        else if (pb_str_equal(key, pb_str_from("attStmt")) && parts.statement.text == NULL)
            parts.statement = pb_cbor_any(&cbor);
        else if (pb_str_equal(key, pb_str_from("authData")) && parts.data.text == NULL)
            parts.data = pb_cbor_bytes(&cbor);
        else
            return refuse(ret_why, "attestation: a key that is not known, or twice");
    }
    if (!pb_cbor_is_done(&cbor) || parts.format.text == NULL || parts.statement.text == NULL ||
        parts.data.text == NULL)
        return refuse(ret_why, "attestation: not the CBOR of one");
    statement = pb_cbor(parts.statement.text, parts.statement.bytes);
    (void)pb_cbor_map(&statement);
    if (statement.is_bad)
        return refuse(ret_why, "attestation: its statement is no map");
    *ret_parts = parts;
    return true;
}

static bool
has_certificate(struct pb_str statement)
{
    struct pb_cbor cbor = pb_cbor(statement.text, statement.bytes);
    uint32_t pairs = pb_cbor_map(&cbor);
    bool has = false;

    for (uint32_t i = 0; i < pairs && !cbor.is_bad; i++) {
        has |= pb_str_equal(pb_cbor_text(&cbor), pb_str_from("x5c"));
        (void)pb_cbor_any(&cbor);
    }
    return has;
}

/* A credential as libfido2 verifies it; false where a part is not taken. */
static bool
fill_credential(fido_cred_t *credential, const struct pb_webauthn_want *want,
                const struct pb_webauthn_data *data, const struct pb_webauthn_attestation *parts,
                const uint8_t client_sha256[HASH_BYTES])
{
    return fido_cred_set_type(credential, (int)data->key.algorithm) == FIDO_OK &&
           fido_cred_set_rp(credential, want->site, NULL) == FIDO_OK &&
           fido_cred_set_uv(credential, FIDO_OPT_TRUE) == FIDO_OK &&
           fido_cred_set_clientdata_hash(credential, client_sha256, HASH_BYTES) == FIDO_OK &&
           fido_cred_set_authdata_raw(credential, bytes_of(parts->data), parts->data.bytes) ==
               FIDO_OK &&
           (data->protection == 0 || fido_cred_set_prot(credential, data->protection) == FIDO_OK) &&
           fido_cred_set_fmt(credential, "packed") == FIDO_OK &&
           fido_cred_set_attstmt(credential, bytes_of(parts->statement), parts->statement.bytes) ==
               FIDO_OK;
}

static enum pb_status
verify_packed(const struct pb_webauthn_want *want, const struct pb_webauthn_data *data,
              const struct pb_webauthn_attestation *parts, const uint8_t client_sha256[HASH_BYTES],
              const char **ret_why)
{
    fido_cred_t *credential = fido_cred_new();
    bool is_good = false;

    if (credential == NULL)
        return PB_E_NOMEM;
    if (fill_credential(credential, want, data, parts, client_sha256))
        is_good =
            (has_certificate(parts->statement) ? fido_cred_verify(credential)
                                               : fido_cred_verify_self(credential)) == FIDO_OK;
    fido_cred_free(&credential);
    if (!is_good)
        *ret_why = "attestation: its signature is wrong";
    return is_good ? PB_OK : PB_BAD_INPUT;
}

static enum pb_status
verify_attestation(const struct pb_webauthn_want *want, const struct pb_webauthn_data *data,
                   const struct pb_webauthn_attestation *parts,
                   const uint8_t client_sha256[HASH_BYTES], const char **ret_why)
{
    if (pb_str_equal(parts->format, pb_str_from("packed")))
        return verify_packed(want, data, parts, client_sha256, ret_why);
    /* "none" says nothing: its statement is the empty map. */
    if (pb_str_equal(parts->format, pb_str_from("none")) && parts->statement.bytes != 1) {
        *ret_why = "attestation: none, but with a statement";
        return PB_BAD_INPUT;
    }
    return PB_OK;
}

/* ---- the ceremonies ---- */

static void
hash_client_data(struct pb_str client_data, uint8_t ret_sha256[HASH_BYTES])
{
    (void)crypto_hash_sha256(ret_sha256, bytes_of(client_data), client_data.bytes);
}

enum pb_status
pb_webauthn_verify_made(const struct pb_webauthn_want *want, const struct pb_webauthn_made *made,
                        struct pb_webauthn_data *ret_data, const char **ret_why)
{
    struct pb_webauthn_attestation parts;
    uint8_t client_sha256[HASH_BYTES];
    struct pb_webauthn_data data;
    enum pb_status status;

    if (!pb_webauthn_check_client_data(made->client_data, "webauthn.create", want, ret_why) ||
        !pb_webauthn_read_attestation(made->attestation, &parts, ret_why) ||
        !pb_webauthn_read_data(parts.data, &data, ret_why) ||
        !check_data(&data, want->site, ret_why))
        return PB_BAD_INPUT;
    if ((data.flags & PB_WEBAUTHN_HAS_CREDENTIAL) == 0 || !is_usable(&data.key)) {
        *ret_why = "authenticator data: no key that can be used";
        return PB_BAD_INPUT;
    }
    hash_client_data(made->client_data, client_sha256);
    status = verify_attestation(want, &data, &parts, client_sha256, ret_why);
    if (status == PB_OK)
        *ret_data = data;
    return status;
}

static bool
fill_assertion(fido_assert_t *assertion, const struct pb_webauthn_want *want,
               const struct pb_webauthn_used *used)
{
    uint8_t client_sha256[HASH_BYTES];

    hash_client_data(used->client_data, client_sha256);
    return fido_assert_set_count(assertion, 1) == FIDO_OK &&
           fido_assert_set_rp(assertion, want->site) == FIDO_OK &&
           fido_assert_set_up(assertion, FIDO_OPT_TRUE) == FIDO_OK &&
           fido_assert_set_uv(assertion, FIDO_OPT_TRUE) == FIDO_OK &&
           fido_assert_set_clientdata_hash(assertion, client_sha256, HASH_BYTES) == FIDO_OK &&
           fido_assert_set_authdata_raw(assertion, 0, bytes_of(used->data), used->data.bytes) ==
               FIDO_OK &&
           fido_assert_set_sig(assertion, 0, bytes_of(used->signature), used->signature.bytes) ==
               FIDO_OK;
}

static enum pb_status
verify_signature(const struct pb_webauthn_want *want, const struct pb_webauthn_used *used,
                 const struct pb_webauthn_key *from, const char **ret_why)
{
    fido_assert_t *assertion = fido_assert_new();
    struct fido_key key;
    bool is_good;

    if (assertion == NULL)
        return PB_E_NOMEM;
    is_good = fido_key_init(&key, from) && fill_assertion(assertion, want, used) &&
              fido_assert_verify(assertion, 0, (int)from->algorithm, key.any) == FIDO_OK;
    fido_key_done(&key);
    fido_assert_free(&assertion);
    if (!is_good)
        *ret_why = "the signature is wrong";
    return is_good ? PB_OK : PB_BAD_INPUT;
}

enum pb_status
pb_webauthn_verify_used(const struct pb_webauthn_want *want, const struct pb_webauthn_used *used,
                        const struct pb_webauthn_key *key, uint32_t counter, uint32_t *ret_counter,
                        const char **ret_why)
{
    struct pb_webauthn_data data;
    enum pb_status status;

    if (!pb_webauthn_check_client_data(used->client_data, "webauthn.get", want, ret_why) ||
        !pb_webauthn_read_data(used->data, &data, ret_why) ||
        !check_data(&data, want->site, ret_why))
        return PB_BAD_INPUT;
    if (used->signature.bytes == 0 || used->signature.bytes > PB_WEBAUTHN_SIGNATURE_BYTES_MAX) {
        *ret_why = "the signature has no such length";
        return PB_BAD_INPUT;
    }
    status = verify_signature(want, used, key, ret_why);
    if (status != PB_OK)
        return status;
    if ((data.counter != 0 || counter != 0) && data.counter <= counter) {
        *ret_why = "the counter went back: there may be a copy of the key";
        return PB_BAD_INPUT;
    }
    *ret_counter = data.counter;
    return PB_OK;
}
