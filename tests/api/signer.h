/*
 * A signer of tokens: keys of each kind, their JWK, and whatever header and claims a test wants.
 */
#ifndef PB_TESTS_API_SIGNER_H
#define PB_TESTS_API_SIGNER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SIGNER_TOKEN_BYTES 20000u

struct signer {
    const char *algorithm; /* RS256, PS256, ES256, EdDSA */
    gnutls_privkey_t key;
    char jwk[1024]; /* members, without id: "kty":"EC",... */
};

static inline void
base64url(const void *bytes, size_t count, char *ret_text, size_t room)
{
    assert_non_null(
        sodium_bin2base64(ret_text, room, bytes, count, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

static inline void
padded(const gnutls_datum_t *number, uint8_t *ret_bytes, size_t count)
{
    size_t skip = number->size > count ? number->size - count : 0;

    memset(ret_bytes, 0, count);
    memcpy(ret_bytes + count - (number->size - skip), number->data + skip, number->size - skip);
}

static inline void
signer_describe_rsa(struct signer *signer)
{
    gnutls_datum_t n, e;
    uint8_t n_bytes[256], e_bytes[3];
    char n_text[400], e_text[8];

    assert_int_equal(0, gnutls_privkey_export_rsa_raw2(signer->key, &n, &e, NULL, NULL, NULL, NULL,
                                                       NULL, NULL, 0));
    padded(&n, n_bytes, sizeof(n_bytes));
    padded(&e, e_bytes, sizeof(e_bytes));
    base64url(n_bytes, sizeof(n_bytes), n_text, sizeof(n_text));
    base64url(e_bytes, sizeof(e_bytes), e_text, sizeof(e_text));
    (void)snprintf(signer->jwk, sizeof(signer->jwk), "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"",
                   n_text, e_text);
    gnutls_free(n.data);
    gnutls_free(e.data);
}

static inline void
signer_describe_curve(struct signer *signer, bool is_ed)
{
    gnutls_datum_t x = { NULL, 0 }, y = { NULL, 0 };
    gnutls_ecc_curve_t curve;
    uint8_t bytes[32];
    char x_text[64], y_text[64];

    assert_int_equal(0, gnutls_privkey_export_ecc_raw2(signer->key, &curve, &x, &y, NULL, 0));
    padded(&x, bytes, sizeof(bytes));
    base64url(bytes, sizeof(bytes), x_text, sizeof(x_text));
    if (is_ed) {
        (void)snprintf(signer->jwk, sizeof(signer->jwk),
                       "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", x_text);
    } else {
        padded(&y, bytes, sizeof(bytes));
        base64url(bytes, sizeof(bytes), y_text, sizeof(y_text));
        (void)snprintf(signer->jwk, sizeof(signer->jwk),
                       "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"", x_text,
                       y_text);
    }
    gnutls_free(x.data);
    gnutls_free(y.data);
}

static inline void
signer_init(struct signer *signer, const char *algorithm)
{
    bool is_ed = strcmp(algorithm, "EdDSA") == 0, is_ec = strcmp(algorithm, "ES256") == 0;
    gnutls_pk_algorithm_t kind = is_ed   ? GNUTLS_PK_EDDSA_ED25519
                                 : is_ec ? GNUTLS_PK_ECDSA
                                         : GNUTLS_PK_RSA;
    unsigned bits = is_ed   ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)
                    : is_ec ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                            : 2048;

    signer->algorithm = algorithm;
    assert_int_equal(0, gnutls_privkey_init(&signer->key));
    assert_int_equal(0, gnutls_privkey_generate(signer->key, kind, bits, 0));
    if (kind == GNUTLS_PK_RSA)
        signer_describe_rsa(signer);
    else
        signer_describe_curve(signer, is_ed);
}

static inline void
signer_done(struct signer *signer)
{
    gnutls_privkey_deinit(signer->key);
}

/* The raw signature of a text, as a token has it. */
static inline size_t
signer_sign(const struct signer *signer, const char *text, uint8_t ret_bytes[1024])
{
    bool is_ec = strcmp(signer->algorithm, "ES256") == 0;
    gnutls_sign_algorithm_t how =
        is_ec                                     ? GNUTLS_SIGN_ECDSA_SHA256
        : strcmp(signer->algorithm, "EdDSA") == 0 ? GNUTLS_SIGN_EDDSA_ED25519
        : strcmp(signer->algorithm, "PS256") == 0 ? GNUTLS_SIGN_RSA_PSS_RSAE_SHA256
                                                  : GNUTLS_SIGN_RSA_SHA256;
    gnutls_datum_t data = { (unsigned char *)(uintptr_t)text, (unsigned)strlen(text) }, signature;
    gnutls_datum_t r, s;
    size_t count;

    assert_int_equal(0, gnutls_privkey_sign_data2(signer->key, how, 0, &data, &signature));
    if (is_ec) {
        assert_int_equal(0, gnutls_decode_rs_value(&signature, &r, &s));
        padded(&r, ret_bytes, 32);
        padded(&s, ret_bytes + 32, 32);
        gnutls_free(r.data);
        gnutls_free(s.data);
        count = 64;
    } else {
        memcpy(ret_bytes, signature.data, signature.size);
        count = signature.size;
    }
    gnutls_free(signature.data);
    return count;
}

/* Header and claims are JSON, or whatever a test puts in their place. */
static inline void
signer_token(const struct signer *signer, const char *header, const char *claims,
             char ret_text[SIGNER_TOKEN_BYTES])
{
    uint8_t signature[1024];
    size_t used, count;

    base64url(header, strlen(header), ret_text, SIGNER_TOKEN_BYTES);
    used = strlen(ret_text);
    ret_text[used++] = '.';
    base64url(claims, strlen(claims), ret_text + used, SIGNER_TOKEN_BYTES - used);
    count = signer_sign(signer, ret_text, signature);
    used = strlen(ret_text);
    ret_text[used++] = '.';
    base64url(signature, count, ret_text + used, SIGNER_TOKEN_BYTES - used);
}

#endif
