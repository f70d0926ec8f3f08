/*
 * WebAuthn: what is accepted of a browser's answer, and every reason why not.
 */
#include "api/authenticator.h"

#include <jansson.h>
#include <stdlib.h>

#include "api/cbor.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define VECTORS "../shared/data/webauthn-vectors/vectors.json"

static const uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES] = { 1, 2, 3, 250, 251, 252, 253, 254 };
static const struct pb_webauthn_want want = {
    .origin = "https://plates.example.org",
    .site = "plates.example.org",
    .challenge = challenge,
};
static const int algorithms[] = { PB_WEBAUTHN_ES256, PB_WEBAUTHN_EDDSA, PB_WEBAUTHN_RS256 };

static enum pb_status
verify_made(const struct answer *answer, struct pb_webauthn_data *data, const char **why)
{
    struct pb_webauthn_made made = { blob_str(&answer->client_data),
                                     blob_str(&answer->attestation) };

    *why = "";
    return pb_webauthn_verify_made(&want, &made, data, why);
}

static void
expect_made(const struct answer *answer, const char *has)
{
    struct pb_webauthn_data data;
    const char *why;
    enum pb_status status = verify_made(answer, &data, &why);

    if (status != (has == NULL ? PB_OK : PB_BAD_INPUT) || (has != NULL && !strstr(why, has)))
        fail_msg("wanted %s, got %s: %s", has != NULL ? has : "ok", pb_status_name(status), why);
}

static void
key_of(const struct authenticator *authenticator, struct pb_webauthn_key *ret_key)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct pb_webauthn_data data;
    const char *why;

    answer_made(&answer, authenticator, "none");
    assert_int_equal(PB_OK, verify_made(&answer, &data, &why));
    *ret_key = data.key;
}

static void
expect_used(const struct answer *answer, const struct pb_webauthn_key *key, uint32_t before,
            const char *has)
{
    struct pb_webauthn_used used = { blob_str(&answer->client_data), blob_str(&answer->data),
                                     blob_str(&answer->signature) };
    const char *why = "";
    uint32_t counter = 77;
    enum pb_status status = pb_webauthn_verify_used(&want, &used, key, before, &counter, &why);

    if (status != (has == NULL ? PB_OK : PB_BAD_INPUT) || (has != NULL && !strstr(why, has)))
        fail_msg("wanted %s, got %s: %s", has != NULL ? has : "ok", pb_status_name(status), why);
    assert_true(has == NULL || counter == 77);
}

/* ---- what is accepted ---- */

static void
a_passkey_of_each_algorithm_is_made_and_used(void **state)
{
    static const char *const formats[] = { "none", "packed" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms) * COUNT_OF(formats); i++) {
        struct answer made = answer_usual("webauthn.create", challenge);
        struct answer used = answer_usual("webauthn.get", challenge);
        struct authenticator authenticator;
        struct pb_webauthn_data data;
        const char *why;

        authenticator_init(&authenticator, algorithms[i / 2]);
        answer_made(&made, &authenticator, formats[i % 2]);
        if (verify_made(&made, &data, &why) != PB_OK)
            fail_msg("%d %s: %s", algorithms[i / 2], formats[i % 2], why);
        assert_int_equal(algorithms[i / 2], data.key.algorithm);
        assert_int_equal(32, data.id.bytes);
        assert_memory_equal(authenticator.id, data.id.text, 32);
        assert_int_equal(0xa0, data.model[0]);
        assert_int_equal(0, data.counter);
        answer_used(&used, &authenticator);
        expect_used(&used, &data.key, 0, NULL);
        authenticator_done(&authenticator);
    }
}

static void
extensions_nobody_asked_for_are_no_harm(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    answer.flags |= PB_WEBAUTHN_HAS_EXTENSIONS;
    answer_made(&answer, &authenticator, "none");
    expect_made(&answer, NULL);
    answer_made(&answer, &authenticator, "packed");
    expect_made(&answer, NULL);
    authenticator_done(&authenticator);
}

static void
a_statement_of_another_format_is_not_looked_at(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    answer_made(&answer, &authenticator, "android-key");
    expect_made(&answer, NULL);
    authenticator_done(&authenticator);
}

static void
a_counter_may_stay_at_nothing_and_otherwise_grows(void **state)
{
    static const struct {
        uint32_t before, now;
        bool is_good;
    } cases[] = {
        { 0, 0, true },           { 0, 1, true },           { 1, 2, true },
        { 5, 5, false },          { 5, 4, false },          { 5, 0, false },
        { 0, UINT32_MAX, true },  { UINT32_MAX, 0, false }, { UINT32_MAX - 1, UINT32_MAX, true },
        { 0x80000000, 1, false },
    };
    struct authenticator authenticator;
    struct pb_webauthn_key key;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    key_of(&authenticator, &key);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer = answer_usual("webauthn.get", challenge);

        authenticator.counter = cases[i].now;
        answer_used(&answer, &authenticator);
        expect_used(&answer, &key, cases[i].before, cases[i].is_good ? NULL : "counter");
    }
    authenticator_done(&authenticator);
}

/* ---- what is refused ---- */

/* Answers that are signed well and say the wrong thing. */
static const struct {
    const char *kind, *origin, *site, *more;
    int challenge_byte;
    unsigned flags_on, flags_off;
    const char *has;
} wrong_answers[] = {
    { .kind = "webauthn.other", .has = "another kind" },
    { .kind = "", .has = "another kind" },
    { .origin = "https://plates.example.com", .has = "another origin" },
    { .origin = "http://plates.example.org", .has = "another origin" },
    { .origin = "https://plates.example.org:444", .has = "another origin" },
    { .origin = "https://plates.example.org/", .has = "another origin" },
    { .origin = "https://plates.example.org.evil.example", .has = "another origin" },
    { .origin = "https://evil.example/https://plates.example.org", .has = "another origin" },
    { .origin = "https://PLATES.example.org", .has = "another origin" },
    { .origin = "", .has = "another origin" },
    { .challenge_byte = 1, .has = "another challenge" },
    { .more = ",\"crossOrigin\":true", .has = "another origin" },
    { .more = ",\"crossOrigin\":\"false\"", .has = "another origin" },
    { .more = ",\"topOrigin\":\"https://plates.example.org\"", .has = "below another" },
    { .more = ",\"origin\":\"https://plates.example.org\"", .has = "JSON" },
    { .more = ",", .has = "JSON" },
    { .more = "}{", .has = "JSON" },
    { .more = ",\"a\":\"\xff\"", .has = "JSON" },
    { .site = "example.org", .has = "another site" },
    { .site = "", .has = "another site" },
    { .flags_off = PB_WEBAUTHN_PRESENT, .has = "present" },
    { .flags_off = PB_WEBAUTHN_VERIFIED, .has = "verified" },
    { .flags_on = PB_WEBAUTHN_IS_BACKED_UP, .has = "backed up" },
};

static void
spoil_answer(struct answer *answer, size_t i)
{
    if (wrong_answers[i].kind != NULL)
        answer->kind = wrong_answers[i].kind;
    if (wrong_answers[i].origin != NULL)
        answer->origin = wrong_answers[i].origin;
    if (wrong_answers[i].site != NULL)
        answer->site = wrong_answers[i].site;
    if (wrong_answers[i].more != NULL)
        answer->more = wrong_answers[i].more;
    answer->challenge[31] ^= (uint8_t)wrong_answers[i].challenge_byte;
    answer->flags |= wrong_answers[i].flags_on;
    answer->flags &= ~wrong_answers[i].flags_off;
}

static void
an_answer_to_another_question_is_refused(void **state)
{
    struct authenticator authenticator;
    struct pb_webauthn_key key;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    key_of(&authenticator, &key);
    for (size_t i = 0; i < COUNT_OF(wrong_answers); i++) {
        struct answer made = answer_usual("webauthn.create", challenge);
        struct answer used = answer_usual("webauthn.get", challenge);

        spoil_answer(&made, i);
        answer_made(&made, &authenticator, "packed");
        expect_made(&made, wrong_answers[i].has);
        spoil_answer(&used, i);
        answer_used(&used, &authenticator);
        expect_used(&used, &key, 0, wrong_answers[i].has);
    }
    authenticator_done(&authenticator);
}

static void
one_ceremony_does_not_pass_for_the_other(void **state)
{
    struct answer made = answer_usual("webauthn.get", challenge);
    struct answer used = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;
    struct pb_webauthn_key key;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    key_of(&authenticator, &key);
    answer_made(&made, &authenticator, "none");
    expect_made(&made, "another kind");
    answer_used(&used, &authenticator);
    expect_used(&used, &key, 0, "another kind");
    authenticator_done(&authenticator);
}

static void
any_changed_bit_of_what_is_signed_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct authenticator authenticator, other;
        struct answer answer = answer_usual("webauthn.get", challenge), changed;
        struct pb_webauthn_key key;

        authenticator_init(&authenticator, algorithms[i]);
        authenticator_init(&other, algorithms[i]);
        key_of(&authenticator, &key);
        authenticator.counter = 9;
        answer_used(&answer, &authenticator);
        expect_used(&answer, &key, 8, NULL);

        changed = answer;
        changed.data.bytes[36] ^= 2;
        expect_used(&changed, &key, 8, "signature");
        changed = answer;
        changed.client_data.bytes[changed.client_data.count - 2] ^= 0x20;
        expect_used(&changed, &key, 8, "JSON");
        changed = answer;
        changed.client_data.bytes[changed.client_data.count - 1] = ' ';
        blob_byte(&changed.client_data, '}');
        expect_used(&changed, &key, 8, "signature");
        for (size_t at = 0; at < answer.signature.count; at += 7) {
            changed = answer;
            changed.signature.bytes[at] ^= 1;
            expect_used(&changed, &key, 8, "signature");
        }
        changed = answer;
        changed.signature.count--;
        expect_used(&changed, &key, 8, "signature");
        changed.signature.count = 0;
        expect_used(&changed, &key, 8, "length");
        changed.signature.count = PB_WEBAUTHN_SIGNATURE_BYTES_MAX + 1;
        expect_used(&changed, &key, 8, "length");

        answer_sign(&answer, &other);
        expect_used(&answer, &key, 8, "signature");
        authenticator_done(&authenticator);
        authenticator_done(&other);
    }
}

static void
a_wrong_attestation_is_refused(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator, other;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    authenticator_init(&other, PB_WEBAUTHN_EDDSA);
    answer_made(&answer, &authenticator, "packed");
    answer.signature.bytes[answer.signature.count - 1] ^= 1;
    answer_attest(&answer, &authenticator, "packed");
    expect_made(&answer, "signature");
    /* By another algorithm than the key's. */
    answer_sign(&answer, &other);
    answer_attest(&answer, &other, "packed");
    expect_made(&answer, "signature");
    authenticator_done(&authenticator);
    authenticator_done(&other);
}

/* ---- shapes ---- */

static void
expect_attestation(const struct blob *blob, const char *has)
{
    struct pb_webauthn_attestation parts;
    const char *why = "";
    bool is_good = pb_webauthn_read_attestation(blob_str(blob), &parts, &why);

    if (is_good != (has == NULL) || (has != NULL && strstr(why, has) == NULL))
        fail_msg("wanted %s, got %s", has != NULL ? has : "ok", why);
}

static void
an_attestation_is_one_map_of_three(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;
    struct blob whole, changed;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    answer_made(&answer, &authenticator, "none");
    whole = answer.attestation;
    expect_attestation(&whole, NULL);
    for (size_t i = 0; i < whole.count; i++) {
        changed = whole;
        changed.count = i;
        expect_attestation(&changed, "attestation");
    }
    changed = whole;
    blob_byte(&changed, 0);
    expect_attestation(&changed, "CBOR");
    changed = whole;
    changed.bytes[0] = 0xa2; /* the third pair is behind the end */
    expect_attestation(&changed, "CBOR");
    changed = whole;
    changed.bytes[0] = 0xbf; /* of no told length */
    expect_attestation(&changed, "CBOR");
    changed = whole;
    changed.bytes[2] = 'g';
    expect_attestation(&changed, "not known");

    changed.count = 0;
    blob_head(&changed, 5, 2);
    blob_text(&changed, "fmt");
    blob_text(&changed, "none");
    blob_text(&changed, "fmt");
    blob_text(&changed, "none");
    expect_attestation(&changed, "twice");

    changed.count = 0;
    blob_head(&changed, 5, 3);
    blob_text(&changed, "fmt");
    blob_text(&changed, "none");
    blob_text(&changed, "attStmt");
    blob_head(&changed, 4, 0);
    blob_text(&changed, "authData");
    blob_bytes(&changed, "x", 1);
    expect_attestation(&changed, "no map");
    authenticator_done(&authenticator);
}

static void
no_attestation_has_no_statement(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;
    struct blob *out = &answer.attestation;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    answer_made(&answer, &authenticator, "none");
    out->count = 0;
    blob_head(out, 5, 3);
    blob_text(out, "fmt");
    blob_text(out, "none");
    blob_text(out, "attStmt");
    blob_head(out, 5, 1);
    blob_text(out, "x");
    blob_number(out, 1);
    blob_text(out, "authData");
    blob_bytes(out, answer.data.bytes, answer.data.count);
    expect_made(&answer, "with a statement");
    authenticator_done(&authenticator);
}

static void
expect_data(const struct blob *blob, const char *has)
{
    struct pb_webauthn_data data;
    const char *why = "";
    bool is_good = pb_webauthn_read_data(blob_str(blob), &data, &why);

    if (is_good != (has == NULL) || (has != NULL && strstr(why, has) == NULL))
        fail_msg("wanted %s, got %s", has != NULL ? has : "ok", why);
}

static void
authenticator_data_is_read_to_its_last_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct answer answer = answer_usual("webauthn.create", challenge);
        struct authenticator authenticator;
        struct blob changed;

        authenticator_init(&authenticator, algorithms[i]);
        answer.flags |= PB_WEBAUTHN_HAS_EXTENSIONS;
        answer_made(&answer, &authenticator, "none");
        expect_data(&answer.data, NULL);
        for (size_t bytes = 0; bytes < answer.data.count; bytes++) {
            changed = answer.data;
            changed.count = bytes;
            expect_data(&changed, "authenticator data");
        }
        changed = answer.data;
        blob_byte(&changed, 0xa0);
        expect_data(&changed, "behind its end");
        changed = answer.data;
        changed.bytes[32] &= (uint8_t)~PB_WEBAUTHN_HAS_EXTENSIONS;
        expect_data(&changed, "behind its end");
        changed = answer.data;
        changed.bytes[changed.count - 1] = 4; /* no such protection */
        expect_data(&changed, "extensions");
        changed = answer.data;
        changed.bytes[53] = 4; /* an id of 1,056 bytes */
        expect_data(&changed, "length");
        changed = answer.data;
        changed.bytes[54] = 0;
        expect_data(&changed, "length");
        authenticator_done(&authenticator);
    }
}

struct parameter {
    int label;
    int number;   /* where bytes is 0 */
    size_t bytes; /* of the authenticator's x, so to say */
};

/* Keys that are none of the three, or are not as they should be. */
static void
keys_that_are_not_taken(void **state)
{
    static const struct parameter keys[][6] = {
        { { 1, 2, 0 }, { 3, -35, 0 }, { -1, 2, 0 }, { -2, 0, 48 }, { -3, 0, 48 } }, /* ES384 */
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 2, 0 }, { -2, 0, 32 }, { -3, 0, 32 } },
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 1, 0 }, { -2, 0, 31 }, { -3, 0, 32 } },
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 1, 0 }, { -2, 0, 32 }, { -3, 0, 33 } },
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 1, 0 }, { -2, 0, 32 } },
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 1, 0 }, { -2, 0, 32 }, { -2, 0, 32 } },
        { { 1, 2, 0 }, { 3, -7, 0 }, { -1, 1, 0 }, { -2, 0, 32 }, { -3, 1, 0 } },
        { { 1, 1, 0 }, { 3, -7, 0 }, { -1, 6, 0 }, { -2, 0, 32 } },
        { { 1, 1, 0 }, { 3, -8, 0 }, { -1, 7, 0 }, { -2, 0, 57 } }, /* Ed448 */
        { { 1, 1, 0 }, { 3, -8, 0 }, { -1, 6, 0 }, { -2, 0, 32 }, { -3, 0, 32 } },
        { { 1, 3, 0 }, { 3, -257, 0 }, { -1, 0, 128 }, { -2, 0, 3 } },
        { { 1, 3, 0 }, { 3, -257, 0 }, { -1, 0, 256 }, { -2, 0, 1 } },
        { { 1, 3, 0 }, { 3, -37, 0 }, { -1, 0, 256 }, { -2, 0, 3 } },    /* PS256 */
        { { 1, 3, 0 }, { 3, -65535, 0 }, { -1, 0, 256 }, { -2, 0, 3 } }, /* by SHA-1 */
        { { 1, 4, 0 }, { 3, 5, 0 }, { -1, 0, 32 } },                     /* a symmetric one */
        { { 3, -7, 0 } },
    };
    static const uint8_t zeros[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct answer answer = answer_usual("webauthn.create", challenge);
        struct authenticator authenticator;
        size_t count = 0;

        authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
        while (count < 6 && keys[i][count].label != 0)
            count++;
        authenticator.cose.count = 0;
        blob_head(&authenticator.cose, 5, count);
        for (size_t at = 0; at < count; at++) {
            blob_number(&authenticator.cose, keys[i][at].label);
            if (keys[i][at].bytes > 0)
                blob_bytes(&authenticator.cose, zeros, keys[i][at].bytes);
            else
                blob_number(&authenticator.cose, keys[i][at].number);
        }
        answer_made(&answer, &authenticator, "none");
        expect_made(&answer, "no key of");
        authenticator_done(&authenticator);
    }
}

static void
a_point_off_the_curve_is_no_key(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    authenticator.cose.bytes[authenticator.cose.count - 1] ^= 1;
    answer_made(&answer, &authenticator, "none");
    expect_made(&answer, "no key that can be used");
    authenticator_done(&authenticator);
}

static void
an_answer_without_a_credential_makes_no_passkey(void **state)
{
    struct answer answer = answer_usual("webauthn.create", challenge);
    struct authenticator authenticator;

    (void)state;
    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    answer_used(&answer, &authenticator);
    answer_attest(&answer, &authenticator, "none");
    expect_made(&answer, "no key that can be used");
    authenticator_done(&authenticator);
}

static void
what_is_too_long_is_not_read(void **state)
{
    static char text[PB_WEBAUTHN_ATTESTATION_BYTES_MAX + 2];
    struct pb_webauthn_attestation parts;
    struct pb_webauthn_data data;
    const char *why;

    (void)state;
    memset(text, ' ', sizeof(text));
    assert_false(
        pb_webauthn_check_client_data((struct pb_str){ text,
                                                       PB_WEBAUTHN_CLIENT_DATA_BYTES_MAX + 1 },
                                      "webauthn.get", &want, &why));
    assert_non_null(strstr(why, "too long"));
    assert_false(
        pb_webauthn_read_attestation((struct pb_str){ text, PB_WEBAUTHN_ATTESTATION_BYTES_MAX + 1 },
                                     &parts, &why));
    assert_non_null(strstr(why, "too long"));
    assert_false(pb_webauthn_read_data((struct pb_str){ text, PB_WEBAUTHN_DATA_BYTES_MAX + 1 },
                                       &data, &why));
    assert_non_null(strstr(why, "length"));
}

/* ---- CBOR ---- */

static void
cbor_is_bounded_by_what_is_there(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        bool is_good;
    } cases[] = {
        { "\x00", 1, true },
        { "\x17", 1, true },
        { "\x18\xff", 2, true },
        { "\x19\x01", 2, false },
        { "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9, true }, /* skipped, and too large to take */
        { "\x1c", 1, false },
        { "\x1f", 1, false },
        { "\x42\x01", 2, false },
        { "\x5f\x41\x61\xff", 4, false },
        { "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9, false },
        { "\x9b\x00\x00\x00\x01\x00\x00\x00\x00", 9, false },
        { "\xbb\x80\x00\x00\x00\x00\x00\x00\x00", 9, false },
        { "\x82\x01\x02", 3, true },
        { "\x82\x01", 2, false },
        { "\xa1\x01\x02", 3, true },
        { "\xa1\x01", 2, false },
        { "\xf4", 1, true },
        { "\xfb\x00\x00\x00\x00\x00\x00\x00\x00", 9, true },
        { "\xff", 1, false },
        { "\xc0\x00", 2, false }, /* a tag */
        { "\x81\x81\x81\x81\x81\x81\x81\x81\x00", 9, true },
        { "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00", 10, false },
        { "", 0, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_cbor cbor = pb_cbor(cases[i].bytes, cases[i].count);
        struct pb_str item = pb_cbor_any(&cbor);

        if (pb_cbor_is_done(&cbor) != cases[i].is_good)
            fail_msg("case %zu", i);
        assert_int_equal(cases[i].is_good ? cases[i].count : 0, item.bytes);
    }
}

static void
cbor_of_another_kind_is_not_taken(void **state)
{
    struct pb_cbor cbor = pb_cbor("\x61\x61", 2);

    (void)state;
    assert_int_equal(0, pb_cbor_bytes(&cbor).bytes);
    assert_true(cbor.is_bad);
    assert_int_equal(0, pb_cbor_text(&cbor).bytes); /* it stays bad */
    cbor = pb_cbor("\x3b\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    assert_int_equal(0, pb_cbor_number(&cbor));
    assert_true(cbor.is_bad);
    cbor = pb_cbor("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
    assert_true(pb_cbor_number(&cbor) == INT64_MIN);
    assert_true(pb_cbor_is_done(&cbor));
    cbor = pb_cbor("\x81", 1);
    assert_int_equal(0, pb_cbor_map(&cbor));
    assert_true(cbor.is_bad);
    cbor = pb_cbor("\x81\x00", 2);
    assert_int_equal(1, pb_cbor_list(&cbor));
    assert_false(pb_cbor_is_done(&cbor));
}

/* ---- the examples of the standard ---- */

static void
take_hex(const json_t *object, const char *key, struct blob *ret_blob)
{
    const char *hex = json_string_value(json_object_get(object, key));

    assert_non_null(hex);
    assert_int_equal(0, sodium_hex2bin(ret_blob->bytes, sizeof(ret_blob->bytes), hex, strlen(hex),
                                       NULL, &ret_blob->count, NULL));
}

/* What is wrong with an example by our rules, as far as its flags say it. */
static const char *
wanted_of(const char *name, const struct blob *challenge_of, const struct blob *client_data,
          unsigned flags)
{
    const char *text = (const char *)client_data->bytes;
    bool is_crossing = memmem(text, client_data->count, "\"crossOrigin\":true", 18) != NULL;

    if (challenge_of->count != PB_WEBAUTHN_CHALLENGE_BYTES)
        return "another challenge";
    if (is_crossing)
        return "another origin";
    if (strstr(name, "ES384") != NULL || strstr(name, "ES512") != NULL ||
        strstr(name, "Ed448") != NULL || strstr(name, "RS256") != NULL) /* of 3,482 bits */
        return "no key of";
    return (flags & PB_WEBAUTHN_VERIFIED) == 0 ? "verified" : NULL;
}

static void
expect_why(const char *name, const char *wanted, enum pb_status status, const char *why)
{
    if (status != (wanted == NULL ? PB_OK : PB_BAD_INPUT) ||
        (wanted != NULL && strstr(why, wanted) == NULL))
        fail_msg("%s: wanted %s, got %s: %s", name, wanted != NULL ? wanted : "ok",
                 pb_status_name(status), why);
}

/* Returns how many of its two ceremonies were accepted. */
static unsigned
check_example(const json_t *example)
{
    struct pb_webauthn_want given = { .origin = "https://example.org", .site = "example.org" };
    const char *name = json_string_value(json_object_get(example, "name")), *why = "", *wanted;
    const json_t *made = json_object_get(example, "made"), *used = json_object_get(example, "used");
    static struct blob challenge_of, client_data, attestation, data, signature;
    struct pb_webauthn_attestation parts;
    struct pb_webauthn_data kept;
    enum pb_status status;
    uint32_t counter;
    unsigned accepted = 0;

    take_hex(made, "challenge", &challenge_of);
    take_hex(made, "clientDataJSON", &client_data);
    take_hex(made, "attestationObject", &attestation);
    given.challenge = challenge_of.bytes;
    assert_true(pb_webauthn_read_attestation(blob_str(&attestation), &parts, &why));
    wanted = wanted_of(name, &challenge_of, &client_data, (unsigned)(uint8_t)parts.data.text[32]);
    status = pb_webauthn_verify_made(&given,
                                     &(struct pb_webauthn_made){ blob_str(&client_data),
                                                                 blob_str(&attestation) },
                                     &kept, &why);
    expect_why(name, wanted, status, why);
    accepted += status == PB_OK;
    /* Where only the registration lacked what we want, the key is still good for the rest. */
    if (!pb_webauthn_read_data(parts.data, &kept, &why))
        return accepted;
    take_hex(used, "challenge", &challenge_of);
    take_hex(used, "clientDataJSON", &client_data);
    take_hex(used, "authenticatorData", &data);
    take_hex(used, "signature", &signature);
    wanted = wanted_of(name, &challenge_of, &client_data, data.bytes[32]);
    status =
        pb_webauthn_verify_used(&given,
                                &(struct pb_webauthn_used){ blob_str(&client_data), blob_str(&data),
                                                            blob_str(&signature) },
                                &kept.key, 0, &counter, &why);
    expect_why(name, wanted, status, why);
    return accepted + (status == PB_OK);
}

static void
the_examples_of_the_standard_are_judged_as_our_rules_say(void **state)
{
    json_t *root = json_load_file(VECTORS, 0, NULL);
    const json_t *examples = json_object_get(root, "vectors");
    unsigned accepted = 0;
    const json_t *example;
    size_t i;

    (void)state;
    if (root == NULL) {
        print_message("no %s: skipped\n", VECTORS);
        skip();
    }
    json_array_foreach(examples, i, example)
    {
        accepted += check_example(example);
    }
    print_message("%zu examples, %u ceremonies accepted\n", json_array_size(examples), accepted);
    assert_true(accepted > 0);
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passkey_of_each_algorithm_is_made_and_used),
        cmocka_unit_test(extensions_nobody_asked_for_are_no_harm),
        cmocka_unit_test(a_statement_of_another_format_is_not_looked_at),
        cmocka_unit_test(a_counter_may_stay_at_nothing_and_otherwise_grows),
        cmocka_unit_test(an_answer_to_another_question_is_refused),
        cmocka_unit_test(one_ceremony_does_not_pass_for_the_other),
        cmocka_unit_test(any_changed_bit_of_what_is_signed_is_noticed),
        cmocka_unit_test(a_wrong_attestation_is_refused),
        cmocka_unit_test(an_attestation_is_one_map_of_three),
        cmocka_unit_test(no_attestation_has_no_statement),
        cmocka_unit_test(authenticator_data_is_read_to_its_last_byte),
        cmocka_unit_test(keys_that_are_not_taken),
        cmocka_unit_test(a_point_off_the_curve_is_no_key),
        cmocka_unit_test(an_answer_without_a_credential_makes_no_passkey),
        cmocka_unit_test(what_is_too_long_is_not_read),
        cmocka_unit_test(cbor_is_bounded_by_what_is_there),
        cmocka_unit_test(cbor_of_another_kind_is_not_taken),
        cmocka_unit_test(the_examples_of_the_standard_are_judged_as_our_rules_say),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
