/*
 * Notes, verifier keys and checkpoints: the examples of the specifications, round trips, refusals.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/encode.h"
#include "audit/note.h"
#include "base/base64.h"

#define DASH "\xe2\x80\x94"
#define EXAMPLE_KEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define EXAMPLE_TEXT "This is an example message.\n"
#define EXAMPLE_LINE                                                                     \
    DASH " example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ" \
         "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
#define CHECKPOINT                  \
    "example.com/behind-the-sofa\n" \
    "20852163\n"                    \
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

static struct pb_str
str(const char *text)
{
    return pb_str_from(text);
}

/* A key pair that is always the same. */
static void
make_key(const char *name, enum pb_key_type type, uint8_t seed_byte, struct pb_vkey *ret_key,
         uint8_t ret_secret[64])
{
    uint8_t seed[32], public_key[32];

    memset(seed, seed_byte, sizeof(seed));
    (void)crypto_sign_seed_keypair(public_key, ret_secret, seed);
    pb_vkey_make(str(name), type, public_key, ret_key);
}

static void
the_example_of_the_note_specification_verifies(void **state)
{
    struct pb_error error = { .message = "" };
    struct pb_note note;
    struct pb_vkey key;
    struct pb_str line;
    uint64_t time_s = 7;
    char text[PB_VKEY_BYTES_MAX];

    (void)state;
    assert_int_equal(PB_OK, pb_vkey_parse(str(EXAMPLE_KEY), &key, &error));
    pb_vkey_format(&key, text);
    assert_string_equal(EXAMPLE_KEY, text);
    assert_int_equal(PB_OK, pb_note_parse(str(EXAMPLE_TEXT "\n" EXAMPLE_LINE), &note, &error));
    assert_true(pb_str_equal(str(EXAMPLE_TEXT), note.text));
    assert_int_equal(1, note.signature_count);
    assert_int_equal(PB_OK, pb_note_verify(&note, &key, &line, &time_s));
    assert_true(pb_str_equal(str(EXAMPLE_LINE), line));
    assert_int_equal(0, time_s);
}

static void
verifier_keys_have_one_spelling(void **state)
{
    static const char *const refused[] = {
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", /* id */
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d90zz+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fo o+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k ",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U==",
        /* a type that is not known: 02 */
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct pb_vkey key;
        struct pb_error error = { .message = "" };

        if (pb_vkey_parse(str(refused[i]), &key, &error) != PB_BAD_INPUT)
            fail_msg("taken: %s", refused[i]);
        assert_true(error.message[0] != '\0');
    }
}

static void
names_of_keys_have_no_spaces_plus_or_controls(void **state)
{
    static const struct {
        const char *name;
        bool is_valid;
    } cases[] = {
        { "a", true },
        { "logs.example/agency/a42", true },
        { "\xc3\xbc", true },
        { "", false },
        { "a b", false },
        { "a+b", false },
        { "a\tb", false },
        { "a\x01", false },
        { "\xff", false },
        { "a\xc2\xa0", false },     /* no-break space */
        { "a\xe3\x80\x80", false }, /* ideographic space */
        { "a\xe2\x80\xa8", false }, /* line separator */
        { "a\xe2\x80\xaf", false },
        { "a\xe2\x81\x9f", false }, /* narrow and mathematical */
        { "a\xe1\x9a\x80", false },
        { "a\xe2\x80\x83", false }, /* ogham, em space */
        { "a\xc2\x85", false },
        { "a\xe2\x80\xa9", false },
        { "a\xe2\x80\x80", false }, /* en quad, the first of its row */
        { "a\xe2\x80\x8a", false }, /* hair space, the last */
        { "a\xe2\x80\x8b", true },  /* zero width space, which Unicode counts as none */
        { "a\xe2\x80\xaa", true },
        { "a\xe3\x80\x81", true },
    };
    char longest[PB_NOTE_NAME_BYTES_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pb_note_name_is_valid(str(cases[i].name)) != cases[i].is_valid)
            fail_msg("case %zu", i);
    }
    memset(longest, 'x', sizeof(longest));
    longest[PB_NOTE_NAME_BYTES_MAX] = '\0';
    assert_true(pb_note_name_is_valid(str(longest)));
    longest[PB_NOTE_NAME_BYTES_MAX] = 'x';
    longest[PB_NOTE_NAME_BYTES_MAX + 1] = '\0';
    assert_false(pb_note_name_is_valid(str(longest)));
}

static void
malformed_notes_are_refused(void **state)
{
    static const char *const refused[] = {
        "",
        "\n",
        "text\n",
        "text\n\n",
        EXAMPLE_TEXT EXAMPLE_LINE,           /* no empty line */
        EXAMPLE_TEXT "\n" EXAMPLE_LINE "x",  /* no line feed at the end */
        EXAMPLE_TEXT "\n" EXAMPLE_LINE "\n", /* an empty line behind */
        EXAMPLE_TEXT "\n" EXAMPLE_LINE "text\n",
        EXAMPLE_TEXT "\n- example.com/foo Uw2QOkn8\n", /* not an em dash */
        EXAMPLE_TEXT "\n" DASH "example.com/foo Uw2QOkn8\n",
        EXAMPLE_TEXT "\n" DASH " \n",
        EXAMPLE_TEXT "\n" DASH " example.com/foo\n",
        EXAMPLE_TEXT "\n" DASH " example.com/foo \n",
        EXAMPLE_TEXT "\n" DASH " example.com/foo Uw2QOg==\n", /* an id and no signature */
        EXAMPLE_TEXT "\n" DASH " example.com/foo Uw2QO\n",
        EXAMPLE_TEXT "\n" DASH " example+com Uw2QOkn8\n",
        EXAMPLE_TEXT "\n" DASH "  Uw2QOkn8\n",
        "text\r\n\n" EXAMPLE_LINE,
        "text\x01\n\n" EXAMPLE_LINE,
        "text\xff\n\n" EXAMPLE_LINE,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct pb_error error = { .message = "" };
        struct pb_note note;

        if (pb_note_parse(str(refused[i]), &note, &error) != PB_BAD_INPUT)
            fail_msg("taken: case %zu", i);
        assert_true(error.message[0] != '\0');
    }
}

static void
notes_past_the_limits_are_refused(void **state)
{
    static char many[PB_NOTE_BYTES_MAX + 2];
    struct pb_error error = { .message = "" };
    struct pb_text_out out = pb_text_out(many, sizeof(many));
    struct pb_note note;

    (void)state;
    pb_put_text(&out, EXAMPLE_TEXT "\n");
    for (unsigned i = 0; i < PB_NOTE_SIGNATURES_MAX; i++)
        pb_put_text(&out, EXAMPLE_LINE);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ many, (uint32_t)(out.at - many) }, &note,
                                          &error));
    assert_int_equal(PB_NOTE_SIGNATURES_MAX, note.signature_count);
    pb_put_text(&out, EXAMPLE_LINE);
    assert_int_equal(PB_BAD_INPUT, pb_note_parse((struct pb_str){ many, (uint32_t)(out.at - many) },
                                                 &note, &error));
    memset(many, 'x', sizeof(many));
    assert_int_equal(PB_BAD_INPUT,
                     pb_note_parse((struct pb_str){ many, sizeof(many) }, &note, &error));
    /* A signature of more bytes than any scheme has. */
    out = pb_text_out(many, sizeof(many));
    pb_put_text(&out, EXAMPLE_TEXT "\n" DASH " a ");
    for (unsigned i = 0; i < PB_NOTE_SIGNATURE_BYTES_MAX / 3 + 2; i++)
        pb_put_text(&out, "AAAA");
    pb_put_char(&out, '\n');
    assert_int_equal(PB_BAD_INPUT, pb_note_parse((struct pb_str){ many, (uint32_t)(out.at - many) },
                                                 &note, &error));
}

static void
only_the_known_key_counts_and_a_false_signature_of_it_spoils_the_note(void **state)
{
    struct pb_vkey key, other, namesake;
    uint8_t secret[64], other_secret[64], namesake_secret[64], short_one[40] = { 0 };
    char text[2048];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    struct pb_error error = { .message = "" };
    struct pb_note note;

    (void)state;
    make_key("log.example", PB_KEY_ED25519, 1, &key, secret);
    make_key("witness.example", PB_KEY_ED25519, 2, &other, other_secret);
    make_key("log.example", PB_KEY_ED25519, 3, &namesake, namesake_secret);
    pb_put_text(&out, EXAMPLE_TEXT "\n");
    pb_note_put_signature(&out, str(EXAMPLE_TEXT), &other, other_secret);
    pb_note_put_signature(&out, str(EXAMPLE_TEXT), &namesake, namesake_secret);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_NOT_FOUND, pb_note_verify(&note, &key, NULL, NULL));
    assert_int_equal(PB_OK, pb_note_verify(&note, &other, NULL, NULL));
    pb_note_put_signature(&out, str(EXAMPLE_TEXT), &key, secret);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_OK, pb_note_verify(&note, &key, NULL, NULL));
    /* One more by the same key, over another text. */
    pb_note_put_signature(&out, str("other\n"), &key, secret);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, NULL));
    /* The key's id, and a signature that is too short. */
    memcpy(short_one, key.id, 4);
    out = pb_text_out(text, sizeof(text));
    pb_put_text(&out, EXAMPLE_TEXT "\n" DASH " log.example ");
    pb_put_base64(&out, short_one, sizeof(short_one));
    pb_put_char(&out, '\n');
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, NULL));
}

static void
cosignatures_sign_their_time(void **state)
{
    struct pb_vkey key;
    uint8_t secret[64];
    char text[2048];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    struct pb_error error = { .message = "" };
    struct pb_note note;
    uint64_t time_s = 0;
    char *digit;

    (void)state;
    make_key("witness.example/w1", PB_KEY_COSIGNATURE, 4, &key, secret);
    pb_put_text(&out, CHECKPOINT "\n");
    pb_note_put_cosignature(&out, str(CHECKPOINT), &key, secret, 1679315147);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_OK, pb_note_verify(&note, &key, NULL, &time_s));
    assert_int_equal(1679315147, time_s);

    /* Change the time, which lies behind the 4 bytes of the id. */
    digit = strstr(text, "w1 ") + 3 + 14;
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, &time_s));

    /* Nobody has signed at time 0, nor after the end of time. */
    for (int i = 0; i < 2; i++) {
        out = pb_text_out(text, sizeof(text));
        pb_put_text(&out, CHECKPOINT "\n");
        pb_note_put_cosignature(&out, str(CHECKPOINT), &key, secret, i == 0 ? 0 : UINT64_MAX);
        assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) },
                                              &note, &error));
        assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, NULL));
    }
    /* A plain signature is no cosignature, though the key's id would say so. */
    out = pb_text_out(text, sizeof(text));
    pb_put_text(&out, CHECKPOINT "\n");
    key.type = PB_KEY_ED25519;
    pb_note_put_signature(&out, str(CHECKPOINT), &key, secret);
    key.type = PB_KEY_COSIGNATURE;
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          &error));
    assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, NULL));
}

/* Whoever looks at a note that nobody has parsed finds no signature in what is none. */
static void
what_is_no_signature_is_passed_over(void **state)
{
    static const char *const lines[] = { DASH " log.example ****\n", DASH " log.example AAA=\n",
                                         DASH " log.example Uw2Q\n" };
    struct pb_vkey key;
    uint8_t secret[64];

    (void)state;
    make_key("log.example", PB_KEY_ED25519, 1, &key, secret);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct pb_note note = { .text = str(EXAMPLE_TEXT), .signatures = str(lines[i]) };

        assert_int_equal(PB_NOT_FOUND, pb_note_verify(&note, &key, NULL, NULL));
    }
}

static void
nobody_cosigns_what_is_longer_than_a_checkpoint(void **state)
{
    static char text[4 * PB_CHECKPOINT_TEXT_BYTES_MAX], large[PB_CHECKPOINT_TEXT_BYTES_MAX + 80];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    struct pb_vkey key;
    struct pb_note note;
    uint8_t secret[64];

    (void)state;
    make_key("witness.example/w1", PB_KEY_COSIGNATURE, 4, &key, secret);
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\n';
    pb_put_bytes(&out, large, sizeof(large));
    pb_put_char(&out, '\n');
    pb_note_put_cosignature(&out, str(CHECKPOINT), &key, secret, 1679315147);
    assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &note,
                                          NULL));
    assert_int_equal(PB_BAD_INPUT, pb_note_verify(&note, &key, NULL, NULL));
}

static void
checkpoints_have_origin_size_and_root(void **state)
{
    static const struct {
        const char *text;
        enum pb_status status;
    } cases[] = {
        { CHECKPOINT, PB_OK },
        { CHECKPOINT "extension\n", PB_OK },
        { "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_OK },
        { "", PB_BAD_INPUT },
        { "a\n", PB_BAD_INPUT },
        { "a\n1\n", PB_BAD_INPUT },
        { "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n4611686018427387905\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n9223372036854775808\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n99999999999999999999\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", PB_BAD_INPUT },
        { "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==\n", PB_BAD_INPUT },
        { "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n", PB_BAD_INPUT }, /* last bits */
        { "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n", PB_BAD_INPUT },
        { CHECKPOINT "\n", PB_BAD_INPUT },
        { CHECKPOINT "extension", PB_BAD_INPUT },
    };
    struct pb_checkpoint checkpoint;
    struct pb_error error = { .message = "" };
    char text[PB_CHECKPOINT_TEXT_BYTES_MAX + 8];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pb_checkpoint_parse(str(cases[i].text), &checkpoint, &error) != cases[i].status)
            fail_msg("case %zu", i);
    }
    assert_int_equal(PB_OK, pb_checkpoint_parse(str(CHECKPOINT), &checkpoint, &error));
    assert_int_equal(20852163, checkpoint.size);
    pb_checkpoint_put(&out, &checkpoint);
    assert_true(pb_str_equal(str(CHECKPOINT), (struct pb_str){ text, (uint32_t)(out.at - text) }));
    memset(text, 'x', sizeof(text));
    assert_int_equal(PB_BAD_INPUT, pb_checkpoint_parse((struct pb_str){ text, sizeof(text) },
                                                       &checkpoint, &error));
}

static void
a_checkpoint_counts_only_from_its_own_log(void **state)
{
    struct pb_vkey key, other;
    uint8_t secret[64], other_secret[64];
    struct pb_checkpoint checkpoint;
    struct pb_note note;
    struct pb_error error = { .message = "" };
    char text[1024];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    (void)state;
    make_key("example.com/behind-the-sofa", PB_KEY_ED25519, 1, &key, secret);
    make_key("example.com/other", PB_KEY_ED25519, 1, &other, other_secret);
    assert_int_equal(PB_BAD_INPUT, pb_checkpoint_open(str("x"), &key, &checkpoint, NULL, &error));
    pb_put_text(&out, CHECKPOINT "\n");
    pb_note_put_signature(&out, str(CHECKPOINT), &other, other_secret);
    assert_int_equal(PB_BAD_INPUT,
                     pb_checkpoint_open((struct pb_str){ text, (uint32_t)(out.at - text) }, &key,
                                        &checkpoint, NULL, &error));
    /* Signed by the other log's key, with our origin in it. */
    assert_int_equal(PB_BAD_INPUT,
                     pb_checkpoint_open((struct pb_str){ text, (uint32_t)(out.at - text) }, &other,
                                        &checkpoint, NULL, &error));
    pb_note_put_signature(&out, str(CHECKPOINT), &key, secret);
    assert_int_equal(PB_OK, pb_checkpoint_open((struct pb_str){ text, (uint32_t)(out.at - text) },
                                               &key, &checkpoint, &note, &error));
    assert_int_equal(2, note.signature_count);
    out = pb_text_out(text, sizeof(text));
    pb_put_text(&out, EXAMPLE_TEXT "\n");
    pb_note_put_signature(&out, str(EXAMPLE_TEXT), &key, secret);
    assert_int_equal(PB_BAD_INPUT,
                     pb_checkpoint_open((struct pb_str){ text, (uint32_t)(out.at - text) }, &key,
                                        &checkpoint, NULL, &error));
}

static void
text_forms_have_one_spelling(void **state)
{
    uint8_t bytes[1];
    char text[3];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    uint64_t number = 0;

    (void)state;
    pb_put_hex(&out, (const uint8_t *)"ab", 2);
    assert_true(out.is_cut);
    assert_int_equal(PB_BAD_INPUT, pb_hex_decode(str("0g"), bytes, 1));
    assert_int_equal(PB_BAD_INPUT, pb_hex_decode(str("g0"), bytes, 1));
    assert_int_equal(PB_BAD_INPUT, pb_hex_decode(str("/0"), bytes, 1));
    assert_int_equal(PB_BAD_INPUT, pb_decimal_decode(str(""), &number));
    assert_int_equal(PB_BAD_INPUT, pb_decimal_decode(str("1x"), &number));
    assert_int_equal(PB_BAD_INPUT, pb_decimal_decode(str("/"), &number));
    assert_int_equal(PB_OK, pb_decimal_decode(str("9223372036854775807"), &number));
    assert_true(number == INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_note_specification_verifies),
        cmocka_unit_test(verifier_keys_have_one_spelling),
        cmocka_unit_test(names_of_keys_have_no_spaces_plus_or_controls),
        cmocka_unit_test(malformed_notes_are_refused),
        cmocka_unit_test(notes_past_the_limits_are_refused),
        cmocka_unit_test(only_the_known_key_counts_and_a_false_signature_of_it_spoils_the_note),
        cmocka_unit_test(cosignatures_sign_their_time),
        cmocka_unit_test(what_is_no_signature_is_passed_over),
        cmocka_unit_test(nobody_cosigns_what_is_longer_than_a_checkpoint),
        cmocka_unit_test(checkpoints_have_origin_size_and_root),
        cmocka_unit_test(a_checkpoint_counts_only_from_its_own_log),
        cmocka_unit_test(text_forms_have_one_spelling),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
