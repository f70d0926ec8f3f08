/* Decimals in text are exact. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "ingest/number.h"

/* From memory of the text's very size, so that reading past it is seen. */
static bool
decimal(const char *text, unsigned decimals, int64_t *ret_value)
{
    uint32_t bytes = (uint32_t)strlen(text);
    char *copy = malloc(bytes > 0 ? bytes : 1);
    bool is_good;

    assert_non_null(copy);
    memcpy(copy, text, bytes);
    is_good = pb_number_decimal((struct pb_str){ .text = copy, .bytes = bytes }, decimals,
                                ret_value);
    free(copy);
    return is_good;
}

static void
decimals_are_exact_and_rounded_half_away_from_zero(void **state)
{
    static const struct {
        const char *text;
        unsigned decimals;
        int64_t value;
    } cases[] = {
        { "34.0522342", 7, 340522342 },
        { "-118.2436849", 7, -1182436849 },
        { "91.609123", 6, 91609123 },
        { "0", 7, 0 },
        { "-0", 7, 0 },
        { "-0.0", 7, 0 },
        { "+12.5", 2, 1250 },
        { "007.50", 2, 750 },
        { "7", 0, 7 },
        { "7", 12, INT64_C(7000000000000) },
        { "12345678", 0, 12345678 },
        { "1234567890123", 2, INT64_C(123456789012300) },
        { "0.00000005", 7, 1 },
        { "0.00000004999999999999999999999", 7, 0 },
        { "0.00000005000000000000000000001", 7, 1 },
        { "-0.00000005", 7, -1 },
        { "0.00000014999", 7, 1 },
        { "0.00000015", 7, 2 },
        { "1.23456785", 7, 12345679 },
        { "89.99999996", 7, 900000000 },
        { "2.5", 0, 3 },
        { "2.4999999999999999999999999999", 0, 2 },
        { "-2.5", 0, -3 },
        { "1e2", 2, 10000 },
        { "5E-05", 7, 500 },
        { "1.5e-3", 6, 1500 },
        { "1e+2", 0, 100 },
        { "0e999999999999", 7, 0 },
        { "1e-999999999999", 7, 0 },
        { "9223372036854775807", 0, INT64_MAX },
        { "-9223372036854775807", 0, -INT64_MAX },
        { "0.000000000000000000000000000000000000000001", 18, 0 },
        { "100000000000000000000000000000e-29", 2, 100 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = INT64_MIN;

        if (!decimal(cases[i].text, cases[i].decimals, &value) || value != cases[i].value)
            fail_msg("%s, %u decimals: %lld", cases[i].text, cases[i].decimals, (long long)value);
    }
}

/* As many digits as a line can have, before the point or behind it, and an exponent that makes up
 * for them. */
static void
an_exponent_makes_up_for_any_number_of_digits(void **state)
{
    static const size_t counts[] = { 1, 18, 19, 20, 99999, 100000, 200000, 1000000 };
    size_t room = PB_LINE_BYTES_MAX;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t value = 0;

        text[0] = '3';
        memset(text + 1, '0', counts[i]);
        (void)snprintf(text + 1 + counts[i], 32, "e-%zu", counts[i]);
        assert_true(decimal(text, 7, &value));
        assert_int_equal(30000000, value);

        memcpy(text, "0.", 2);
        memset(text + 2, '0', counts[i]);
        (void)snprintf(text + 2 + counts[i], 32, "3e%zu", counts[i] + 1);
        assert_true(decimal(text, 7, &value));
        assert_int_equal(30000000, value);
    }
    free(text);
}

static void
what_is_no_decimal_is_refused(void **state)
{
    static const char *const cases[] = {
        "", "-", "+", ".", ".5", "5.", "-.5", "1.2.3", "1,5", " 1", "1 ", "1x", "0x10", "NaN",
        "nan", "inf", "Infinity", "1e", "1e+", "1e-", "1e1.5", "1e1x", "e5", "--1", "1-", "12/",
        "12:", "1.2/", "1234567a", "12345678a", "1.1234567a", "1.12345678a", "9223372036854775808",
        "1e19", "99999999999999999999999", "1e99999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 42;

        if (decimal(cases[i], 0, &value) || value != 42)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void
every_byte_but_digits_ends_a_number(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[] = { '1', '2', (char)byte, '3', '\0' };
        int64_t value = 0;
        bool is_good = decimal(text, 1, &value);

        if (byte >= '0' && byte <= '9')
            assert_true(is_good && value == 12030 + (byte - '0') * 100);
        else if (byte == '.')
            assert_true(is_good && value == 123);
        else if (byte == 'e' || byte == 'E')
            assert_true(is_good && value == 120000);
        else
            assert_false(is_good);
    }
}

static void
numbers_as_printed_read_back_the_same(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        struct pb_text_out out = pb_text_out(text, sizeof(text) - 1);
        int64_t value, read_back = 0;
        unsigned decimals;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        decimals = (unsigned)(random >> 40) % 19;
        value = (int64_t)(random >> (random >> 58)) * ((random & 4) != 0 ? -1 : 1);
        if (value == INT64_MIN)
            value = 0;
        pb_put_fixed(&out, value, decimals, 0);
        *out.at = '\0';
        if (!decimal(text, decimals, &read_back) || read_back != value)
            fail_msg("%s, %u decimals: %lld", text, decimals, (long long)read_back);
    }
}

static void
whole_numbers_are_digits_only(void **state)
{
    static const char *const bad[] = { "", "-1", "+1", "1.0", "1e1", " 1", "12345678901234567890" };
    uint64_t value = 0;

    (void)state;
    assert_true(pb_number_whole(pb_str_from("9999999999999999999"), &value));
    assert_true(value == UINT64_C(9999999999999999999));
    assert_true(pb_number_whole(pb_str_from("007"), &value));
    assert_int_equal(7, value);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(pb_number_whole(pb_str_from(bad[i]), &value));
}

static void
numbers_of_json_are_as_strict_as_the_standard(void **state)
{
    static const struct {
        const char *text;
        unsigned decimals;
        bool is_good;
        int64_t value;
    } cases[] = {
        { "0", 7, true, 0 },
        { "-0", 2, true, 0 },
        { "7", 0, true, 7 },
        { "178.1", 2, true, 17810 },
        { "-118.269557", 7, true, -1182695570 },
        { "9999999.9999999", 7, true, INT64_C(99999999999999) },
        { "84", 6, true, 84000000 },
        { "0.807", 6, true, 807000 },
        { "12345678", 0, false, 0 }, /* good, but too long for this way */
        { "1.12345678", 7, false, 0 },
        { "1.234", 2, false, 0 },
        { "1.5", 0, false, 0 },
        { "1e1", 2, false, 0 },
        { "01", 2, false, 0 },
        { "-01.5", 2, false, 0 },
        { "+1", 2, false, 0 },
        { "-", 2, false, 0 },
        { ".5", 2, false, 0 },
        { "5.", 2, false, 0 },
        { "1.2.3", 2, false, 0 },
        { "1x", 2, false, 0 },
        { "1.5x", 2, false, 0 },
        { " 1", 2, false, 0 },
        { "1 ", 2, false, 0 },
        { "null", 2, false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t bytes = (uint32_t)strlen(cases[i].text);
        char padded[64];
        int64_t value = 0;

        memset(padded, '7', sizeof(padded));
        memcpy(padded, cases[i].text, bytes);
        padded[bytes] = ',';
        assert_int_equal(cases[i].is_good,
                         pb_number_json((struct pb_str){ .text = padded, .bytes = bytes },
                                        cases[i].decimals, &value));
        if (cases[i].is_good)
            assert_int_equal(cases[i].value, value);
    }
}

/* As pb_number_json says it; only a whole number of 8 digits is too long for that. */
static void
expect_the_same_in_short(const char *text, uint32_t bytes)
{
    char padded[64];
    struct pb_str number = { .text = padded, .bytes = bytes };

    memset(padded, '7', sizeof(padded));
    memcpy(padded, text, bytes);
    padded[bytes] = ',';
    for (unsigned decimals = 0; decimals <= 7; decimals++) {
        int64_t value = 0, short_value = 0;
        bool is_good = pb_number_json(number, decimals, &value);

        assert_int_equal(is_good, pb_number_json_short(number, decimals, &short_value));
        if (is_good)
            assert_int_equal(value, short_value);
    }
}

static void
short_numbers_of_json_are_the_same(void **state)
{
    static const char letters[] = "019.-e 7";
    static const char *const longer[] = {
        "1234567",  "123456.7", "1.234567", "0.123456", "12.34567", "9999.999",  "1.23456x",
        "x1.23456", "12345x78", "1234567.", ".1234567", "01.23456", "1.2345.6",  "-1.23456",
        ("123.\xB1" "56"),       "655.34",   "359.99",   "123456.78", "12345678.9", "1.23456789",
    };

    (void)state;
    for (uint32_t bytes = 1; bytes <= 5; bytes++) {
        for (uint32_t i = 0; i >> 3 * bytes == 0; i++) {
            char text[8];

            for (uint32_t at = 0; at < bytes; at++)
                text[at] = letters[i >> 3 * at & 7];
            expect_the_same_in_short(text, bytes);
        }
    }
    for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
        expect_the_same_in_short(longer[i], (uint32_t)strlen(longer[i]));
}

static void
a_short_number_of_json_has_up_to_eight_digits(void **state)
{
    static const char padded[64] = "12345678,";
    int64_t value = 0;

    (void)state;
    assert_true(pb_number_json_short((struct pb_str){ .text = padded, .bytes = 8 }, 6, &value));
    assert_int_equal(INT64_C(12345678000000), value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_exact_and_rounded_half_away_from_zero),
        cmocka_unit_test(an_exponent_makes_up_for_any_number_of_digits),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(every_byte_but_digits_ends_a_number),
        cmocka_unit_test(numbers_as_printed_read_back_the_same),
        cmocka_unit_test(whole_numbers_are_digits_only),
        cmocka_unit_test(numbers_of_json_are_as_strict_as_the_standard),
        cmocka_unit_test(short_numbers_of_json_are_the_same),
        cmocka_unit_test(a_short_number_of_json_has_up_to_eight_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
