/*
 * A software authenticator and the browser in front of it: makes keys, and answers with what a
 * test tells it to get wrong.
 */
#ifndef PB_TESTS_API_AUTHENTICATOR_H
#define PB_TESTS_API_AUTHENTICATOR_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/webauthn.h"
#include "base/text.h"

struct blob {
    uint8_t bytes[8192];
    size_t count;
};

static inline void
blob_put(struct blob *blob, const void *bytes, size_t count)
{
    assert_true(count <= sizeof(blob->bytes) - blob->count);
    if (count > 0)
        memcpy(blob->bytes + blob->count, bytes, count);
    blob->count += count;
}

static inline void
blob_byte(struct blob *blob, unsigned byte)
{
    uint8_t one = (uint8_t)byte;

    blob_put(blob, &one, 1);
}

/* The head of a CBOR item in its shortest form. */
static inline void
blob_head(struct blob *blob, unsigned major, size_t number)
{
    if (number < 24) {
        blob_byte(blob, major << 5 | (unsigned)number);
    } else if (number < 256) {
        blob_byte(blob, major << 5 | 24);
        blob_byte(blob, (unsigned)number);
    } else {
        blob_byte(blob, major << 5 | 25);
        blob_byte(blob, (unsigned)(number >> 8));
        blob_byte(blob, (unsigned)(number & 255u));
    }
}

static inline void
blob_number(struct blob *blob, int number)
{
    if (number >= 0)
        blob_head(blob, 0, (size_t)number);
    else
        blob_head(blob, 1, (size_t)(-1 - number));
}

static inline void
blob_text(struct blob *blob, const char *text)
{
    blob_head(blob, 3, strlen(text));
    blob_put(blob, text, strlen(text));
}

static inline void
blob_bytes(struct blob *blob, const void *bytes, size_t count)
{
    blob_head(blob, 2, count);
    blob_put(blob, bytes, count);
}

static inline struct pb_str
blob_str(const struct blob *blob)
{
    return (struct pb_str){ (const char *)blob->bytes, (uint32_t)blob->count };
}

struct authenticator {
    int algorithm; /* of COSE */
    gnutls_privkey_t key;
    struct blob cose; /* its public key */
    uint8_t id[32];
    uint32_t counter;
};

/* A big number of GnuTLS, without or with zeros before it, as `count` bytes. */
static inline void
put_padded(struct blob *blob, const gnutls_datum_t *number, size_t count)
{
    static const uint8_t zeros[512];
    size_t skip = number->size > count ? number->size - count : 0;
    size_t bytes = number->size - skip;

    blob_head(blob, 2, count);
    blob_put(blob, zeros, count - bytes);
    blob_put(blob, number->data + skip, bytes);
}

static inline void
authenticator_ecc(struct authenticator *authenticator, gnutls_datum_t *x, gnutls_datum_t *y)
{
    struct blob *cose = &authenticator->cose;
    bool is_ed = authenticator->algorithm == PB_WEBAUTHN_EDDSA;

    blob_head(cose, 5, is_ed ? 4 : 5);
    blob_number(cose, 1);
    blob_number(cose, is_ed ? 1 : 2);
    blob_number(cose, 3);
    blob_number(cose, authenticator->algorithm);
    blob_number(cose, -1);
    blob_number(cose, is_ed ? 6 : 1);
    blob_number(cose, -2);
    put_padded(cose, x, 32);
    if (!is_ed) {
        blob_number(cose, -3);
        put_padded(cose, y, 32);
    }
}

static inline void
authenticator_rsa(struct authenticator *authenticator, gnutls_datum_t *n, gnutls_datum_t *e)
{
    struct blob *cose = &authenticator->cose;

    blob_head(cose, 5, 4);
    blob_number(cose, 1);
    blob_number(cose, 3);
    blob_number(cose, 3);
    blob_number(cose, authenticator->algorithm);
    blob_number(cose, -1);
    put_padded(cose, n, 256);
    blob_number(cose, -2);
    put_padded(cose, e, 3);
}

static inline void
authenticator_init(struct authenticator *authenticator, int algorithm)
{
    gnutls_datum_t x = { NULL, 0 }, y = { NULL, 0 };
    gnutls_ecc_curve_t curve;

    memset(authenticator, 0, sizeof(*authenticator));
    authenticator->algorithm = algorithm;
    randombytes_buf(authenticator->id, sizeof(authenticator->id));
    assert_int_equal(0, gnutls_privkey_init(&authenticator->key));
    if (algorithm == PB_WEBAUTHN_RS256) {
        assert_int_equal(0, gnutls_privkey_generate(authenticator->key, GNUTLS_PK_RSA, 2048, 0));
        assert_int_equal(0, gnutls_privkey_export_rsa_raw2(authenticator->key, &x, &y, NULL, NULL,
                                                           NULL, NULL, NULL, NULL, 0));
        authenticator_rsa(authenticator, &x, &y);
    } else {
        bool is_ed = algorithm == PB_WEBAUTHN_EDDSA;
        gnutls_ecc_curve_t wanted = is_ed ? GNUTLS_ECC_CURVE_ED25519 : GNUTLS_ECC_CURVE_SECP256R1;

        assert_int_equal(0,
                         gnutls_privkey_generate(authenticator->key,
                                                 is_ed ? GNUTLS_PK_EDDSA_ED25519 : GNUTLS_PK_ECDSA,
                                                 GNUTLS_CURVE_TO_BITS(wanted), 0));
        assert_int_equal(0, gnutls_privkey_export_ecc_raw2(authenticator->key, &curve, &x, &y, NULL,
                                                           0));
        authenticator_ecc(authenticator, &x, &y);
    }
    gnutls_free(x.data);
    gnutls_free(y.data);
}

static inline void
authenticator_done(struct authenticator *authenticator)
{
    gnutls_privkey_deinit(authenticator->key);
}

static inline void
authenticator_sign(const struct authenticator *authenticator, const struct blob *text,
                   struct blob *ret_signature)
{
    gnutls_sign_algorithm_t how =
        authenticator->algorithm == PB_WEBAUTHN_ES256   ? GNUTLS_SIGN_ECDSA_SHA256
        : authenticator->algorithm == PB_WEBAUTHN_EDDSA ? GNUTLS_SIGN_EDDSA_ED25519
                                                        : GNUTLS_SIGN_RSA_SHA256;
    gnutls_datum_t data = { (unsigned char *)(uintptr_t)text->bytes, (unsigned)text->count };
    gnutls_datum_t signature;

    assert_int_equal(0, gnutls_privkey_sign_data2(authenticator->key, how, 0, &data, &signature));
    ret_signature->count = 0;
    blob_put(ret_signature, signature.data, signature.size);
    gnutls_free(signature.data);
}

/* One answer, and what is wrong with it. */
struct answer {
    const char *kind, *origin, *site;
    const char *more; /* behind the usual members of the client data, with a comma before it */
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    unsigned flags;

    struct blob client_data, data, attestation, signature;
};

static inline struct answer
answer_usual(const char *kind, const uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES])
{
    struct answer answer = {
        .kind = kind,
        .origin = "https://plates.example.org",
        .site = "plates.example.org",
        .more = ",\"crossOrigin\":false",
        .flags = PB_WEBAUTHN_PRESENT | PB_WEBAUTHN_VERIFIED,
    };

    memcpy(answer.challenge, challenge, sizeof(answer.challenge));
    return answer;
}

static inline void
answer_client_data(struct answer *answer)
{
    char text[2048], challenge[64];
    int length;

    (void)sodium_bin2base64(challenge, sizeof(challenge), answer->challenge,
                            sizeof(answer->challenge), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    length =
        snprintf(text, sizeof(text), "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}",
                 answer->kind, challenge, answer->origin, answer->more);
    assert_in_range(length, 1, sizeof(text) - 1);
    answer->client_data.count = 0;
    blob_put(&answer->client_data, text, (size_t)length);
}

static inline void
answer_data(struct answer *answer, const struct authenticator *authenticator)
{
    uint8_t sha256[32], counter[4];
    struct blob *data = &answer->data;

    data->count = 0;
    (void)crypto_hash_sha256(sha256, (const uint8_t *)answer->site, strlen(answer->site));
    blob_put(data, sha256, sizeof(sha256));
    blob_byte(data, answer->flags);
    for (unsigned i = 0; i < 4; i++)
        counter[i] = (uint8_t)(authenticator->counter >> (24 - 8 * i));
    blob_put(data, counter, sizeof(counter));
    if ((answer->flags & PB_WEBAUTHN_HAS_CREDENTIAL) == 0)
        return;
    for (unsigned i = 0; i < 16; i++)
        blob_byte(data, 0xa0 + i);
    blob_byte(data, 0);
    blob_byte(data, sizeof(authenticator->id));
    blob_put(data, authenticator->id, sizeof(authenticator->id));
    blob_put(data, authenticator->cose.bytes, authenticator->cose.count);
    if ((answer->flags & PB_WEBAUTHN_HAS_EXTENSIONS) != 0) {
        blob_head(data, 5, 1);
        blob_text(data, "credProtect");
        blob_number(data, 2);
    }
}

/* Signs data and the hash of the client data, as they are now. */
static inline void
answer_sign(struct answer *answer, const struct authenticator *authenticator)
{
    struct blob text = answer->data;
    uint8_t sha256[32];

    (void)crypto_hash_sha256(sha256, answer->client_data.bytes, answer->client_data.count);
    blob_put(&text, sha256, sizeof(sha256));
    authenticator_sign(authenticator, &text, &answer->signature);
}

/* The attestation around the data: of "packed" by the key itself, of any other format empty. */
static inline void
answer_attest(struct answer *answer, const struct authenticator *authenticator, const char *format)
{
    struct blob *out = &answer->attestation;

    out->count = 0;
    blob_head(out, 5, 3);
    blob_text(out, "fmt");
    blob_text(out, format);
    blob_text(out, "attStmt");
    if (strcmp(format, "packed") == 0) {
        blob_head(out, 5, 2);
        blob_text(out, "alg");
        blob_number(out, authenticator->algorithm);
        blob_text(out, "sig");
        blob_bytes(out, answer->signature.bytes, answer->signature.count);
    } else {
        blob_head(out, 5, 0);
    }
    blob_text(out, "authData");
    blob_bytes(out, answer->data.bytes, answer->data.count);
}

/* A whole answer to "make a passkey". */
static inline void
answer_made(struct answer *answer, const struct authenticator *authenticator, const char *format)
{
    answer->flags |= PB_WEBAUTHN_HAS_CREDENTIAL;
    answer_client_data(answer);
    answer_data(answer, authenticator);
    answer_sign(answer, authenticator);
    answer_attest(answer, authenticator, format);
}

/* A whole answer to "show that you have it". */
static inline void
answer_used(struct answer *answer, const struct authenticator *authenticator)
{
    answer_client_data(answer);
    answer_data(answer, authenticator);
    answer_sign(answer, authenticator);
}

#endif
