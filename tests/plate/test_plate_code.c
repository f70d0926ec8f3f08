/*
 * Plate codes: the layout that is on disk, order, and what has no code.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_code.h"

static void
code_has_the_documented_bits(void **state)
{
    static const struct {
        const char *plate;
        uint64_t code;
    } cases[] = {
        { "0", UINT64_C(1) << 54 },
        { "9", UINT64_C(10) << 54 },
        { "A", UINT64_C(11) << 54 },
        { "Z", UINT64_C(36) << 54 },
        { "A1", UINT64_C(11) << 54 | UINT64_C(2) << 48 },
        { "000000000Z", UINT64_C(0x0041041041041064) },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(cases[i].code == pb_plate_code(pb_str_from(cases[i].plate)));
}

static void
code_gives_back_its_text(void **state)
{
    static const char *const plates[] = { "0", "Z", "ABC1234", "0123456789", "ZZZZZZZZZZ", "A0" };

    (void)state;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++) {
        char text[PB_PLATE_CODE_CHARS];
        uint64_t code = pb_plate_code(pb_str_from(plates[i]));

        assert_true(code != 0 && code >> PB_PLATE_CODE_BITS == 0);
        assert_int_equal(strlen(plates[i]), pb_plate_code_text(code, text));
        assert_memory_equal(plates[i], text, strlen(plates[i]));
    }
}

static void
code_order_is_byte_order(void **state)
{
    static const char *const ascending[] = {
        "0",       "00", "0000000000", "0000000001", "00Z",        "01",      "1",
        "9",       "9Z", "A",          "A0",         "AB",         "ABC1234", "ABC12340",
        "ABC1235", "B",  "Z",          "ZZZZZZZZZ",  "ZZZZZZZZZZ",
    };

    (void)state;
    for (size_t i = 1; i < sizeof(ascending) / sizeof(ascending[0]); i++) {
        struct pb_str before = pb_str_from(ascending[i - 1]), after = pb_str_from(ascending[i]);

        assert_true(pb_str_compare(before, after) < 0);
        assert_true(pb_plate_code(before) < pb_plate_code(after));
    }
}

static void
long_and_foreign_plates_have_no_code(void **state)
{
    static const char *const plates[] = {
        "", "ABCDEFGHIJK", "ab", "A-1", "AB#1", "T\xC3\x96L1", "A ", "@", "[", "/", ":", "`",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++)
        assert_true(pb_plate_code(pb_str_from(plates[i])) == 0);
}

/* Every byte at every place of plates of every length. */
static void
only_digits_and_capitals_have_a_symbol_wherever_they_stand(void **state)
{
    (void)state;
    for (uint32_t bytes = 1; bytes <= PB_PLATE_CODE_CHARS; bytes++) {
        for (uint32_t at = 0; at < bytes; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                bool is_symbol = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z');
                char text[PB_PLATE_CODE_CHARS], back[PB_PLATE_CODE_CHARS];
                uint64_t code;

                memcpy(text, "A0Z9Q5B8M1", sizeof(text));
                text[at] = (char)byte;
                code = pb_plate_code((struct pb_str){ .text = text, .bytes = bytes });
                assert_int_equal(is_symbol, code != 0);
                if (code != 0) {
                    assert_int_equal(bytes, pb_plate_code_text(code, back));
                    assert_memory_equal(text, back, bytes);
                }
            }
        }
    }
}

static void
damaged_codes_end_where_they_make_no_sense(void **state)
{
    static const uint64_t first_symbols[] = { 0, 1, 36, 37, 63, 64, 1023 };
    char text[PB_PLATE_CODE_CHARS];

    (void)state;
    for (size_t i = 0; i < sizeof(first_symbols) / sizeof(first_symbols[0]); i++) {
        uint64_t code = first_symbols[i] << 54 | 1;

        assert_int_equal(i == 1 || i == 2, pb_plate_code_has_text(code));
        if (pb_plate_code_has_text(code))
            assert_true(pb_plate_code_text(code, text) >= 1);
    }
    assert_int_equal(0, pb_plate_code_text(0, text));
    assert_int_equal(0, pb_plate_code_text(1, text));
    assert_int_equal(1, pb_plate_code_text(UINT64_C(11) << 54 | UINT64_C(37) << 48, text));
    assert_int_equal('A', text[0]);
    assert_int_equal(0, pb_plate_code_text(UINT64_MAX, text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_has_the_documented_bits),
        cmocka_unit_test(code_gives_back_its_text),
        cmocka_unit_test(code_order_is_byte_order),
        cmocka_unit_test(long_and_foreign_plates_have_no_code),
        cmocka_unit_test(only_digits_and_capitals_have_a_symbol_wherever_they_stand),
        cmocka_unit_test(damaged_codes_end_where_they_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
