/* Text: comparing, UTF-8, hashing, writing numbers. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void
blanks_go_from_the_ends_alone(void **state)
{
    static const struct {
        const char *text, *trimmed;
    } cases[] = {
        { "", "" },         { " ", "" },    { " \t ", "" },         { "a", "a" },
        { " a", "a" },      { "a\t", "a" }, { "\t a b \t", "a b" }, { "a  b", "a  b" },
        { "\n a", "\n a" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(
            pb_str_equal(pb_str_trim(pb_str_from(cases[i].text)), pb_str_from(cases[i].trimmed)));
}

static void
quotes_end_where_they_should(void **state)
{
    char text[16];
    struct pb_text_out out = pb_text_out(text, sizeof(text) - 1);

    (void)state;
    pb_put_quoted(&out, pb_str_from("a\"b\\c"));
    *out.at = '\0';
    assert_false(out.is_cut);
    assert_string_equal("\"a\\\"b\\\\c\"", text);
    out = pb_text_out(text, 4);
    pb_put_quoted(&out, pb_str_from("abc"));
    assert_true(out.is_cut);
}

static void
texts_compare_by_bytes_then_length(void **state)
{
    static const char *const ordered[] = { "", "A", "AB", "ABC", "B", "Z", "a", "\xC3\x84" };

    (void)state;
    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        for (size_t j = 0; j < sizeof(ordered) / sizeof(ordered[0]); j++) {
            struct pb_str a = pb_str_from(ordered[i]), b = pb_str_from(ordered[j]);
            int order = pb_str_compare(a, b);

            assert_int_equal(i < j, order < 0);
            assert_int_equal(i > j, order > 0);
            assert_int_equal(i == j, pb_str_equal(a, b));
        }
    }
    assert_int_equal(0, pb_str_from(NULL).bytes);
    assert_true(pb_str_equal(pb_str_from(NULL), pb_str_from("")));
}

/* Whatever the length, and wherever the byte that differs. */
static void
short_texts_are_equal_where_all_their_bytes_are(void **state)
{
    (void)state;
    assert_true(pb_short_texts_equal(NULL, NULL, 0));
    for (uint32_t bytes = 1; bytes <= 24; bytes++) {
        char a[24], b[24];

        memset(a, 'x', sizeof(a));
        memset(b, 'x', sizeof(b));
        assert_true(pb_short_texts_equal(a, b, bytes));
        for (uint32_t i = 0; i < sizeof(b); i++) {
            b[i] = 'y';
            assert_int_equal(i >= bytes, pb_short_texts_equal(a, b, bytes));
            assert_int_equal(i >= bytes, pb_short_texts_equal(b, a, bytes));
            b[i] = 'x';
        }
    }
}

static void
the_hash_is_xxh3_and_stays_it(void **state)
{
    (void)state;
    /* The first is the published value for no bytes; all may be on somebody's disk. */
    assert_true(pb_hash_bytes(NULL, 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(pb_hash_bytes("a", 1) == UINT64_C(0xE6C632B61E964E1F));
    assert_true(pb_hash_bytes("abc", 3) == UINT64_C(0x78AF5F94892F3950));
    assert_true(pb_hash_bytes_seeded("abc", 3, 0) == UINT64_C(0x78AF5F94892F3950));
    assert_true(pb_hash_bytes_seeded("abc", 3, 7) == UINT64_C(0x48FF56F569E39912));
}

/* ---- UTF-8 ---- */

static void
text_is_plain_where_all_of_it_is_shown(void **state)
{
    static const struct {
        const char *text;
        uint32_t bytes;
        bool is_plain;
    } cases[] = {
        { NULL, 0, true },
        { "a b~", 4, true },
        { "\xC3\x84\xE4\xBA\xAC\xF0\x9F\x9A\x97", 9, true },
        { "a\xE2\x80\x8E", 4, true }, /* a mark that belongs to Hebrew */
        { "\xC2\xA0", 2, true },
        { "\xF0\x9F\xBF\xBF", 4, true },
        { "\0", 1, false },
        { "a\nb", 3, false },
        { "a\x1F", 2, false },
        { "\x7F", 1, false },
        { "\xC2\x9F", 2, false },
        { "a\xC2\xADz", 4, false }, /* soft hyphen */
        { "a\xE2\x80\xAE"
          "b",
          5, false }, /* turns the order round */
        { "\xE2\x81\xA6"
          "b",
          4, false },
        { "\xEF\xBB\xBF"
          "a",
          4, false },                     /* byte order mark */
        { "\xEF\xBF\xBF", 3, false },     /* no character */
        { "\xF3\xA0\x81\x81", 4, false }, /* tag */
        { "\xF4\x8F\xBF\xBF", 4, false },
        { "a\xC3", 2, false }, /* cut short */
        { "\xFFz", 2, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pb_text_is_plain((struct pb_str){ cases[i].text, cases[i].bytes }) != cases[i].is_plain)
            fail_msg("case %zu", i);
    }
}

static void
every_code_point_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char text[4];
        uint32_t decoded = 0;
        size_t bytes;

        if (code_point >= 0xD800 && code_point <= 0xDFFF)
            continue;
        bytes = pb_utf8_encode(code_point, text);
        if (pb_utf8_next(text, bytes, &decoded) != bytes || decoded != code_point ||
            !pb_utf8_is_valid(text, bytes))
            fail_msg("code point U+%04" PRIX32, code_point);
        /* No shorter beginning of it is valid. */
        for (size_t i = 1; i < bytes; i++)
            assert_false(pb_utf8_is_valid(text, i));
    }
}

static void
what_is_not_utf8_is_refused(void **state)
{
    static const char *const bad[] = {
        "\x80",             /* continuation without a beginning */
        "\xBF",             /* the same */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* first surrogate */
        "\xED\xBF\xBF",     /* last surrogate */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xF5\x80\x80\x80", /* beyond */
        "\xF8\x88\x80\x80\x80",
        "\xFF",
        "\xC3(",
        "\xE2\x82(",
        "\xF0\x9F\x98(",
        "\xE2(\x82",
    };

    (void)state;
    /* At each place of a longer text, so that the fast path meets it too. */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t code_point = 0;

        assert_int_equal(0, pb_utf8_next(bad[i], strlen(bad[i]), &code_point));
        for (size_t at = 0; at < 20; at++) {
            char text[40];

            memset(text, 'A', sizeof(text));
            assert_true(pb_utf8_is_valid(text, sizeof(text)));
            memcpy(text + at, bad[i], strlen(bad[i]));
            assert_false(pb_utf8_is_valid(text, sizeof(text)));
            assert_false(pb_utf8_is_valid(text, at + strlen(bad[i])));
        }
    }
    assert_int_equal(0, pb_utf8_next("", 0, &(uint32_t){ 0 }));
    assert_true(pb_utf8_is_valid(NULL, 0));
}

/* ---- writing ---- */

static size_t
length_of(const struct pb_text_out *out, const char *buffer)
{
    return (size_t)(out->at - buffer);
}

static void
integers_are_written_as_printf_does(void **state)
{
    uint64_t value = 1;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        /* Near powers of ten and of two, both signs. */
        uint64_t cases[] = { value, value - 1, value + 1, UINT64_C(0) - value, UINT64_MAX / value };

        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            char expected[64], buffer[64];
            struct pb_text_out out = pb_text_out(buffer, sizeof(buffer));

            pb_put_u64(&out, cases[j]);
            pb_put_char(&out, ' ');
            pb_put_i64(&out, (int64_t)cases[j]);
            pb_put_char(&out, '\0');
            (void)snprintf(expected, sizeof(expected), "%" PRIu64 " %" PRId64, cases[j],
                           (int64_t)cases[j]);
            assert_string_equal(expected, buffer);
            assert_false(out.is_cut);
        }
        value = value > UINT64_MAX / 10 ? 3 + i : value * (i % 2 == 0 ? 10 : 2);
    }
}

static void
fixed_point_keeps_the_decimals_that_are_needed(void **state)
{
    static const struct {
        int64_t value;
        unsigned decimals, decimals_min;
        const char *text;
    } cases[] = {
        { 0, 0, 0, "0" },
        { 0, 7, 0, "0" },
        { 0, 7, 2, "0.00" },
        { 5, 1, 0, "0.5" },
        { -5, 1, 0, "-0.5" },
        { 5, 3, 0, "0.005" },
        { -1, 18, 0, "-0.000000000000000001" },
        { 30000000, 7, 1, "3.0" },
        { 30000000, 7, 0, "3" },
        { -1234500, 7, 1, "-0.12345" },
        { 388977000, 7, 0, "38.8977" },
        { -770365000, 7, 7, "-77.0365000" },
        { 100, 2, 2, "1.00" },
        { 123, 0, 0, "123" },
        { INT64_MIN, 0, 0, "-9223372036854775808" },
        { INT64_MIN, 18, 18, "-9.223372036854775808" },
        { INT64_MAX, 6, 0, "9223372036854.775807" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buffer[64] = { 0 };
        struct pb_text_out out = pb_text_out(buffer, sizeof(buffer));

        pb_put_fixed(&out, cases[i].value, cases[i].decimals, cases[i].decimals_min);
        assert_string_equal(cases[i].text, buffer);
        assert_int_equal(strlen(cases[i].text), length_of(&out, buffer));
    }
}

static void
what_does_not_fit_is_left_out_and_remembered(void **state)
{
    char buffer[8];
    struct pb_text_out out = pb_text_out(buffer, 5);

    (void)state;
    memset(buffer, '#', sizeof(buffer));
    pb_put_text(&out, "abc");
    assert_false(out.is_cut);
    pb_put_u64(&out, 1234);
    assert_true(out.is_cut);
    assert_int_equal(3, length_of(&out, buffer));
    pb_put_i64(&out, -1);
    pb_put_str(&out, (struct pb_str){ NULL, 0 });
    assert_int_equal(5, length_of(&out, buffer));
    pb_put_char(&out, 'x');
    pb_put_fixed(&out, 15, 1, 0);
    assert_true(out.is_cut);
    assert_memory_equal("abc-1###", buffer, 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_go_from_the_ends_alone),
        cmocka_unit_test(quotes_end_where_they_should),
        cmocka_unit_test(texts_compare_by_bytes_then_length),
        cmocka_unit_test(short_texts_are_equal_where_all_their_bytes_are),
        cmocka_unit_test(text_is_plain_where_all_of_it_is_shown),
        cmocka_unit_test(the_hash_is_xxh3_and_stays_it),
        cmocka_unit_test(every_code_point_survives_encoding_and_decoding),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(integers_are_written_as_printf_does),
        cmocka_unit_test(fixed_point_keeps_the_decimals_that_are_needed),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
