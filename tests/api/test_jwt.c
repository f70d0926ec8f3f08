/*
 * JWT: which tokens are opened, and what an ID token must say.
 */
#include "api/signer.h"

#include <stdlib.h>

#include "api/jwt.h"
#include "base/text.h"
#include "support/fault_env.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NOW 1800000000
#define VECTORS "../shared/data/jose-vectors/json_web_signature_test.json"

static const char *const algorithms[] = { "RS256", "PS256", "ES256", "EdDSA" };

static struct pb_jwks *
jwks_of(const char *json)
{
    struct pb_jwks *jwks = NULL;
    struct pb_error error = { "" };

    if (pb_jwks_parse(pb_env_system(), pb_str_from(json), &jwks, &error) != PB_OK)
        fail_msg("%s: %s", error.message, json);
    return jwks;
}

/* A set with the signer's key. more: members with a comma before them. */
static struct pb_jwks *
jwks_with(const struct signer *signer, const char *more)
{
    char json[2200];

    (void)snprintf(json, sizeof(json), "{\"keys\":[{%s%s}]}", signer->jwk, more);
    return jwks_of(json);
}

static enum pb_status
open_text(const char *text, const struct pb_jwks *jwks, const char **why)
{
    struct pb_jwt jwt = { .claims = NULL };
    enum pb_status status;

    *why = "";
    status = pb_jwt_open(pb_env_system(), pb_str_from(text), jwks, &jwt, why);
    assert_true((status == PB_OK) == (jwt.claims != NULL));
    json_decref(jwt.claims);
    return status;
}

static void
expect_open(const char *text, const struct pb_jwks *jwks, enum pb_status wanted, const char *has)
{
    const char *why;
    enum pb_status status = open_text(text, jwks, &why);

    if (status != wanted || strstr(why, has) == NULL)
        fail_msg("wanted %s (%s), got %s (%s): %.200s", pb_status_name(wanted), has,
                 pb_status_name(status), why, text);
}

/* ---- opening ---- */

static void
a_token_of_each_algorithm_is_opened(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        char header[128], text[SIGNER_TOKEN_BYTES], more[64];
        struct pb_jwks *jwks;
        struct signer signer;

        signer_init(&signer, algorithms[i]);
        (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"a\"}",
                       algorithms[i]);
        (void)snprintf(more, sizeof(more), ",\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"%s\"",
                       algorithms[i]);
        signer_token(&signer, header, "{\"sub\":\"x\"}", text);
        jwks = jwks_with(&signer, more);
        assert_int_equal(1, pb_jwks_count(jwks));
        expect_open(text, jwks, PB_OK, "");
        pb_jwks_free(jwks);
        jwks = jwks_with(&signer, "");
        expect_open(text, jwks, PB_NOT_FOUND, "not known"); /* it names a key, the set does not */
        (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
        signer_token(&signer, header, "{\"sub\":\"x\"}", text);
        expect_open(text, jwks, PB_OK, "");
        pb_jwks_free(jwks);
        signer_done(&signer);
    }
}

/* RFC 7515, A.2 and A.3, with their keys; RFC 8037, A.4, whose payload is no JSON. */
static void
the_examples_of_the_standards_verify(void **state)
{
    static const char payload[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                  "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    static const char keys[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":"
        "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
        "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXnd"
        "S5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJ"
        "H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    static const char *const signatures[] = {
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F"
        "p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
        "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY"
        "I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    };
    static const char *const headers[] = { "eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJFUzI1NiJ9" };
    struct pb_jwks *jwks = jwks_of(keys);
    char text[1024];

    (void)state;
    assert_int_equal(3, pb_jwks_count(jwks));
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        (void)snprintf(text, sizeof(text), "%s.%s.%s", headers[i], payload, signatures[i]);
        expect_open(text, jwks, PB_OK, "");
        (void)snprintf(text, sizeof(text), "%s.%s.%s", headers[1 - i], payload, signatures[i]);
        expect_open(text, jwks, PB_BAD_INPUT, "signature");
        (void)snprintf(text, sizeof(text), "%s.f%s.%s", headers[i], payload + 1, signatures[i]);
        expect_open(text, jwks, PB_BAD_INPUT, "signature");
    }
    /* Past the signature, and then no claims. */
    expect_open("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_Mu"
                "M0KAg",
                jwks, PB_BAD_INPUT, "claims are no object");
    /* A.1: by a shared secret; A.5: by nobody. */
    (void)snprintf(text, sizeof(text), "%s.%s.%s", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
                   payload, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    expect_open(text, jwks, PB_BAD_INPUT, "not taken");
    (void)snprintf(text, sizeof(text), "eyJhbGciOiJub25lIn0.%s.", payload);
    expect_open(text, jwks, PB_BAD_INPUT, "not taken");
    pb_jwks_free(jwks);
}

static void
headers_that_are_refused(void **state)
{
    static const struct {
        const char *header, *has;
        enum pb_status status;
    } cases[] = {
        { "{\"alg\":\"none\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"None\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"NONE\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":null}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":[\"ES256\"]}", "not taken", PB_BAD_INPUT },
        { "{}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"HS256\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"HS384\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"HS512\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"ES384\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"RS512\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"es256\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"ES256 \"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\\u0000\"}", "object", PB_BAD_INPUT },
        { "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}", "not taken", PB_BAD_INPUT },
        { "{\"alg\":\"RS256\"}", "not known", PB_NOT_FOUND }, /* no key of that kind */
        { "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "object", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "understood", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"crit\":[]}", "understood", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"b64\":false}", "understood", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"zip\":\"DEF\"}", "understood", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", "type", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}", "type", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"typ\":1}", "type", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":1}", "id of its key", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":null}", "id of its key", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":\"b\"}", "not known", PB_NOT_FOUND },
        { "{\"alg\":\"ES256\",\"kid\":\"\"}", "not known", PB_NOT_FOUND },
        { "[\"alg\"]", "object", PB_BAD_INPUT },
        { "\"ES256\"", "object", PB_BAD_INPUT },
        { "", "object", PB_BAD_INPUT },
        { "{\"alg\":\"ES256\"", "object", PB_BAD_INPUT },
        /* What a token brings along is not looked at. */
        { "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/keys\",\"x5u\":\"a\"}", "", PB_OK },
        { "{\"alg\":\"ES256\",\"typ\":\"jwt\",\"kid\":\"a\"}", "", PB_OK },
    };
    struct pb_jwks *jwks;
    struct signer signer;
    char text[SIGNER_TOKEN_BYTES];

    (void)state;
    signer_init(&signer, "ES256");
    jwks = jwks_with(&signer, ",\"kid\":\"a\"");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        signer_token(&signer, cases[i].header, "{\"sub\":\"x\"}", text);
        expect_open(text, jwks, cases[i].status, cases[i].has);
    }
    pb_jwks_free(jwks);
    signer_done(&signer);
}

static void
a_key_that_a_token_brings_along_signs_nothing(void **state)
{
    struct signer known, own;
    char header[2200], text[SIGNER_TOKEN_BYTES];
    struct pb_jwks *jwks;

    (void)state;
    signer_init(&known, "ES256");
    signer_init(&own, "ES256");
    jwks = jwks_with(&known, "");
    (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":{%s}}", own.jwk);
    signer_token(&own, header, "{}", text);
    expect_open(text, jwks, PB_BAD_INPUT, "signature");
    pb_jwks_free(jwks);
    signer_done(&known);
    signer_done(&own);
}

static void
a_key_signs_only_as_its_set_says(void **state)
{
    struct signer signer;
    char text[SIGNER_TOKEN_BYTES];
    struct pb_jwks *jwks;

    (void)state;
    signer_init(&signer, "PS256");
    signer_token(&signer, "{\"alg\":\"PS256\"}", "{}", text);
    jwks = jwks_with(&signer, ",\"alg\":\"RS256\"");
    expect_open(text, jwks, PB_NOT_FOUND, "not known");
    pb_jwks_free(jwks);
    jwks = jwks_with(&signer, ",\"alg\":\"PS256\"");
    expect_open(text, jwks, PB_OK, "");
    /* One way of RSA does not pass for the other. */
    signer_token(&signer, "{\"alg\":\"RS256\"}", "{}", text);
    expect_open(text, jwks, PB_NOT_FOUND, "not known");
    pb_jwks_free(jwks);
    jwks = jwks_with(&signer, "");
    expect_open(text, jwks, PB_BAD_INPUT, "signature");
    pb_jwks_free(jwks);
    signer_done(&signer);
}

static void
of_two_keys_that_suit_the_token_must_name_one(void **state)
{
    struct signer first, second;
    char json[2200], text[SIGNER_TOKEN_BYTES];
    struct pb_jwks *jwks;

    (void)state;
    signer_init(&first, "EdDSA");
    signer_init(&second, "EdDSA");
    (void)snprintf(json, sizeof(json), "{\"keys\":[{%s,\"kid\":\"1\"},{%s,\"kid\":\"2\"}]}",
                   first.jwk, second.jwk);
    jwks = jwks_of(json);
    assert_int_equal(2, pb_jwks_count(jwks));
    signer_token(&second, "{\"alg\":\"EdDSA\"}", "{}", text);
    expect_open(text, jwks, PB_NOT_FOUND, "not known");
    signer_token(&second, "{\"alg\":\"EdDSA\",\"kid\":\"2\"}", "{}", text);
    expect_open(text, jwks, PB_OK, "");
    signer_token(&second, "{\"alg\":\"EdDSA\",\"kid\":\"1\"}", "{}", text);
    expect_open(text, jwks, PB_BAD_INPUT, "signature");
    pb_jwks_free(jwks);
    signer_done(&first);
    signer_done(&second);
}

static void
any_changed_character_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        char header[64], text[SIGNER_TOKEN_BYTES];
        struct pb_jwks *jwks;
        struct signer signer;
        const char *why;

        signer_init(&signer, algorithms[i]);
        (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
        signer_token(&signer, header, "{\"sub\":\"somebody\"}", text);
        jwks = jwks_with(&signer, "");
        expect_open(text, jwks, PB_OK, "");
        for (size_t at = 0; text[at] != '\0'; at += 3) {
            char before = text[at];

            text[at] = before == 'A' ? 'B' : 'A';
            assert_int_not_equal(PB_OK, open_text(text, jwks, &why));
            text[at] = before;
        }
        text[strlen(text) - 1] = '\0';
        assert_int_not_equal(PB_OK, open_text(text, jwks, &why));
        pb_jwks_free(jwks);
        signer_done(&signer);
    }
}

static void
shapes_that_are_no_token(void **state)
{
    static const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "a.b.c",
        "eyJhbGciOiJFUzI1NiJ9.e30.",
        ".e30.AAAA",
        "eyJhbGciOiJFUzI1NiJ9=.e30.AAAA",
        "eyJhbGciOiJFUzI1NiJ9 .e30.AAAA",
        "{\"payload\":\"e30\",\"signatures\":[]}",
    };
    static char longest[PB_JWT_BYTES_MAX + 2];
    struct pb_jwks *jwks;
    struct signer signer;
    const char *why;

    (void)state;
    signer_init(&signer, "ES256");
    jwks = jwks_with(&signer, "");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(PB_BAD_INPUT, open_text(texts[i], jwks, &why));
    memset(longest, 'A', sizeof(longest) - 1);
    longest[10] = longest[20] = '.';
    expect_open(longest, jwks, PB_BAD_INPUT, "decent length");
    longest[PB_JWT_BYTES_MAX] = '\0';
    expect_open(longest, jwks, PB_BAD_INPUT, "header");
    pb_jwks_free(jwks);
    signer_done(&signer);
}

/* ---- sets of keys ---- */

static void
keys_that_are_left_out(void **state)
{
    static const char *const more[] = {
        ",\"use\":\"enc\"",   ",\"use\":1",    ",\"key_ops\":[\"encrypt\"]", ",\"alg\":\"RS256\"",
        ",\"alg\":\"HS256\"", ",\"alg\":null", ",\"alg\":\"ES384\"",
    };
    static const char *const keys[] = {
        "{}",
        "1",
        "null",
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}",
        ("{\"kty\":\"OKP\",\"crv\":\"X25519\","
         "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", /* far too short */
        "{\"kty\":\"RSA\",\"n\":\"****\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
        "{\"kty\":1}",
    };
    struct signer signer;
    char json[2200];

    (void)state;
    signer_init(&signer, "ES256");
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        struct pb_jwks *jwks = jwks_with(&signer, more[i]);

        if (pb_jwks_count(jwks) != 0)
            fail_msg("%s", more[i]);
        pb_jwks_free(jwks);
    }
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct pb_jwks *jwks;

        /* And it does not take the good one behind it along. */
        (void)snprintf(json, sizeof(json), "{\"keys\":[%s,{%s,\"key_ops\":[\"verify\"]}]}", keys[i],
                       signer.jwk);
        jwks = jwks_of(json);
        if (pb_jwks_count(jwks) != 1)
            fail_msg("%s", keys[i]);
        pb_jwks_free(jwks);
    }
    signer_done(&signer);
}

static void
texts_that_are_no_set_of_keys(void **state)
{
    static const char *const texts[] = {
        "", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}"
    };
    static char longest[PB_JWKS_BYTES_MAX + 2];
    struct pb_jwks *jwks = NULL;
    struct pb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(PB_BAD_INPUT,
                         pb_jwks_parse(pb_env_system(), pb_str_from(texts[i]), &jwks, &error));
    memset(longest, ' ', sizeof(longest) - 1);
    assert_int_equal(PB_BAD_INPUT,
                     pb_jwks_parse(pb_env_system(), pb_str_from(longest), &jwks, &error));
    (void)snprintf(longest, sizeof(longest), "{\"keys\":[");
    for (unsigned i = 0; i <= PB_JWKS_KEYS_MAX; i++)
        (void)snprintf(longest + strlen(longest), 8, i == 0 ? "1" : ",1");
    (void)snprintf(longest + strlen(longest), 8, "]}");
    assert_int_equal(PB_BAD_INPUT,
                     pb_jwks_parse(pb_env_system(), pb_str_from(longest), &jwks, &error));
    assert_null(jwks);
    jwks = jwks_of("{\"keys\":[]}");
    assert_int_equal(0, pb_jwks_count(jwks));
    pb_jwks_free(jwks);
}

static void
without_memory_nothing_is_left(void **state)
{
    char json[2200], text[SIGNER_TOKEN_BYTES];
    enum pb_status status = PB_E_NOMEM;
    struct signer signer;
    uint64_t fail_at = 0;

    (void)state;
    signer_init(&signer, "ES256");
    (void)snprintf(json, sizeof(json), "{\"keys\":[{%s}]}", signer.jwk);
    signer_token(&signer, "{\"alg\":\"ES256\"}", "{}", text);
    while (status != PB_OK) {
        struct pb_jwks *jwks = NULL;
        struct pb_jwt jwt = { .claims = NULL };
        struct pb_error error = { "" };
        struct fault_env fault;
        const char *why;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_jwks_parse(&fault.env, pb_str_from(json), &jwks, &error);
        if (status == PB_OK)
            status = pb_jwt_open(&fault.env, pb_str_from(text), jwks, &jwt, &why);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        json_decref(jwt.claims);
        pb_jwks_free(jwks);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_int_equal(3, fail_at);
    signer_done(&signer);
}

/* ---- ID tokens ---- */

static bool
check_claims(const char *claims, enum pb_jwt_algorithm algorithm, const char *access_token,
             const char **why)
{
    struct pb_id_token_want want = {
        .issuer = "https://login.example.org",
        .client = "platebase",
        .nonce = "n-0S6_WzA2Mj",
        .access_token = pb_str_from(access_token),
        .now_s = NOW,
    };
    json_error_t error;
    struct pb_jwt jwt = { algorithm, json_loads(claims, JSON_REJECT_DUPLICATES, &error) };
    bool is_good;

    assert_non_null(jwt.claims);
    *why = "";
    is_good = pb_jwt_check_id_token(&jwt, &want, why);
    json_decref(jwt.claims);
    return is_good;
}

/* Replaces one member of good claims, or leaves it out (NULL). */
static void
claims_with(char ret_claims[1024], const char *key, const char *value)
{
    static const char *const usual[][2] = {
        { "iss", "\"https://login.example.org\"" },
        { "aud", "\"platebase\"" },
        { "sub", "\"8f3c\"" },
        { "exp", "1800000300" },
        { "iat", "1799999990" },
        { "nonce", "\"n-0S6_WzA2Mj\"" },
    };
    bool is_replaced = false;
    int used = snprintf(ret_claims, 1024, "{\"x\":1");

    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        bool is_it = key != NULL && strcmp(key, usual[i][0]) == 0;
        const char *put = is_it ? value : usual[i][1];

        is_replaced |= is_it;
        if (put != NULL)
            used +=
                snprintf(ret_claims + used, (size_t)(1024 - used), ",\"%s\":%s", usual[i][0], put);
    }
    if (key != NULL && !is_replaced)
        used += snprintf(ret_claims + used, (size_t)(1024 - used), ",\"%s\":%s", key, value);
    (void)snprintf(ret_claims + used, (size_t)(1024 - used), "}");
}

static void
an_id_token_says_what_it_must(void **state)
{
    static const struct {
        const char *key, *value;
        const char *has; /* NULL: it is good */
    } cases[] = {
        { NULL, NULL, NULL },
        { "iss", NULL, "issuer" },
        { "iss", "\"https://login.example.org/\"", "issuer" },
        { "iss", "\"https://login.example.com\"", "issuer" },
        { "iss", "[\"https://login.example.org\"]", "issuer" },
        { "aud", NULL, "audience" },
        { "aud", "\"platebas\"", "audience" },
        { "aud", "\"Platebase\"", "audience" },
        { "aud", "[]", "audience" },
        { "aud", "[\"other\"]", "audience" },
        { "aud", "{\"platebase\":1}", "audience" },
        { "aud", "[\"platebase\"]", NULL },
        { "aud", "[\"other\",\"platebase\"]", "several" },
        { "azp", "\"platebase\"", NULL },
        { "azp", "\"other\"", "another party" },
        { "azp", "null", "another party" },
        { "sub", NULL, "nobody" },
        { "sub", "\"\"", "nobody" },
        { "sub", "1", "nobody" },
        { "exp", NULL, "over" },
        { "exp", "\"1800000300\"", "over" },
        { "exp", "1799999940", "over" }, /* 60 s are let pass */
        { "exp", "1799999941", NULL },
        { "exp", "1800000300.5", NULL },
        { "exp", "-1", "over" },
        { "exp", "1e300", "over" },
        { "exp", "0", "over" },
        { "iat", NULL, "no time" },
        { "iat", "1800000060", NULL },
        { "iat", "1800000061", "future" },
        { "iat", "1799999400", NULL },
        { "iat", "1799999399", "too long ago" },
        { "iat", "\"now\"", "no time" },
        { "nbf", "1800000060", NULL },
        { "nbf", "1800000061", "not yet" },
        { "nbf", "\"x\"", "not yet" },
        { "nonce", NULL, "another sign-in" },
        { "nonce", "\"\"", "another sign-in" },
        { "nonce", "\"n-0S6_WzA2Mk\"", "another sign-in" },
        { "at_hash", "\"AAAA\"", NULL }, /* no access token came */
    };
    char claims[1024];
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool is_good;

        claims_with(claims, cases[i].key, cases[i].value);
        is_good = check_claims(claims, PB_JWT_ES256, NULL, &why);
        if (is_good != (cases[i].has == NULL) || strstr(why, is_good ? "" : cases[i].has) == NULL)
            fail_msg("%s: %d %s", claims, is_good, why);
    }
}

static void
several_audiences_need_the_one_who_asked(void **state)
{
    static const char before[] =
        "{\"iss\":\"https://login.example.org\",\"sub\":\"1\",\"exp\":1800000300,"
        "\"iat\":1799999990,\"nonce\":\"n-0S6_WzA2Mj\",\"aud\":[\"other\",\"platebase\"],\"azp\":";
    char claims[1024];
    const char *why;

    (void)state;
    (void)snprintf(claims, sizeof(claims), "%s\"platebase\"}", before);
    assert_true(check_claims(claims, PB_JWT_ES256, NULL, &why));
    (void)snprintf(claims, sizeof(claims), "%s\"other\"}", before);
    assert_false(check_claims(claims, PB_JWT_ES256, NULL, &why));
}

static void
the_hash_of_the_access_token_fits(void **state)
{
    uint8_t hash[64];
    char quoted[128], claims[1024];
    const char *why;

    (void)state;
    (void)crypto_hash_sha256(hash, (const uint8_t *)"token", 5);
    quoted[0] = '"';
    base64url(hash, 16, quoted + 1, sizeof(quoted) - 1);
    (void)snprintf(quoted + strlen(quoted), 4, "\"");
    claims_with(claims, "at_hash", quoted);
    assert_true(check_claims(claims, PB_JWT_RS256, "token", &why));
    assert_false(check_claims(claims, PB_JWT_RS256, "tokem", &why));
    assert_false(check_claims(claims, PB_JWT_EDDSA, "token", &why));
    base64url(hash, 32, quoted + 1, sizeof(quoted) - 1);
    (void)snprintf(quoted + strlen(quoted), 4, "\"");
    claims_with(claims, "at_hash", quoted); /* the whole hash is another */
    assert_false(check_claims(claims, PB_JWT_RS256, "token", &why));
    (void)crypto_hash_sha512(hash, (const uint8_t *)"token", 5);
    base64url(hash, 32, quoted + 1, sizeof(quoted) - 1);
    (void)snprintf(quoted + strlen(quoted), 4, "\"");
    claims_with(claims, "at_hash", quoted);
    assert_true(check_claims(claims, PB_JWT_EDDSA, "token", &why));
    claims_with(claims, "at_hash", "1");
    assert_false(check_claims(claims, PB_JWT_RS256, "token", &why));
}

/* ---- Wycheproof ---- */

/* Whether the signature of a case holds: its payload need not be claims. */
static bool
is_verified(const json_t *key, const char *text)
{
    json_t *set = json_pack("{s:[O]}", "keys", key);
    char *json = json_dumps(set, JSON_COMPACT);
    struct pb_jwks *jwks = jwks_of(json);
    enum pb_status status;
    const char *why;

    status = open_text(text, jwks, &why);
    pb_jwks_free(jwks);
    free(json);
    json_decref(set);
    return status == PB_OK ||
           (status == PB_BAD_INPUT && strstr(why, "claims are no object") != NULL);
}

static bool
is_taken(const json_t *key)
{
    const char *algorithm = json_string_value(json_object_get(key, "alg"));

    for (size_t i = 0; algorithm != NULL && i < COUNT_OF(algorithms); i++) {
        if (strcmp(algorithm, algorithms[i]) == 0)
            return true;
    }
    return false;
}

/* Returns how many of a group verify. */
static unsigned
check_group(const json_t *group)
{
    const json_t *public = json_object_get(group, "public"), *test;
    const json_t *key = public != NULL ? public : json_object_get(group, "private");
    unsigned verified = 0;
    size_t i;

    json_array_foreach(json_object_get(group, "tests"), i, test)
    {
        const char *result = json_string_value(json_object_get(test, "result"));
        const char *comment = json_string_value(json_object_get(test, "comment"));
        bool is_good = is_verified(key, json_string_value(json_object_get(test, "jws")));
        /* Figure 20 is signed by PS384, which is not taken, whatever its key says. */
        bool is_wanted =
            strcmp(result, "valid") == 0 && is_taken(key) && strcmp(comment, "Figure20") != 0;

        if (is_good != is_wanted)
            fail_msg("case %d (%s): %s", (int)json_integer_value(json_object_get(test, "tcId")),
                     comment, is_good ? "verified" : "refused");
        verified += is_good;
    }
    return verified;
}

static void
the_cases_of_wycheproof_come_out_right(void **state)
{
    json_t *root = json_load_file(VECTORS, 0, NULL);
    const json_t *group;
    unsigned verified = 0;
    size_t i;

    (void)state;
    if (root == NULL) {
        print_message("no %s: skipped\n", VECTORS);
        skip();
    }
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        verified += check_group(group);
    }
    print_message("%u verify\n", verified);
    assert_true(verified > 0);
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_of_each_algorithm_is_opened),
        cmocka_unit_test(the_examples_of_the_standards_verify),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(a_key_that_a_token_brings_along_signs_nothing),
        cmocka_unit_test(a_key_signs_only_as_its_set_says),
        cmocka_unit_test(of_two_keys_that_suit_the_token_must_name_one),
        cmocka_unit_test(any_changed_character_is_noticed),
        cmocka_unit_test(shapes_that_are_no_token),
        cmocka_unit_test(keys_that_are_left_out),
        cmocka_unit_test(texts_that_are_no_set_of_keys),
        cmocka_unit_test(without_memory_nothing_is_left),
        cmocka_unit_test(an_id_token_says_what_it_must),
        cmocka_unit_test(several_audiences_need_the_one_who_asked),
        cmocka_unit_test(the_hash_of_the_access_token_fits),
        cmocka_unit_test(the_cases_of_wycheproof_come_out_right),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
