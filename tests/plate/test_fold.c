/*
 * Folding of plates: what is kept, what goes, what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_private.h"

struct fold_case {
    const char *raw;
    const char *folded;
};

static void
assert_folds(const struct fold_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char plate[PB_PLATE_BYTES_MAX];
        uint32_t bytes = 0;
        enum pb_status status = pb_plate_fold(pb_str_from(cases[i].raw), plate, &bytes);

        if (status != PB_OK || bytes != strlen(cases[i].folded) ||
            memcmp(plate, cases[i].folded, bytes) != 0)
            fail_msg("\"%s\": status %d, \"%.*s\" instead of \"%s\"", cases[i].raw, (int)status,
                     (int)bytes, plate, cases[i].folded);
    }
}

#define ASSERT_FOLDS(cases) assert_folds(cases, sizeof(cases) / sizeof((cases)[0]))

static enum pb_status
fold_status(const char *raw, uint32_t bytes)
{
    char plate[PB_PLATE_BYTES_MAX];
    uint32_t written;

    return pb_plate_fold((struct pb_str){ .text = raw, .bytes = bytes }, plate, &written);
}

static void
fold_takes_out_separators_and_upper_cases(void **state)
{
    static const struct fold_case cases[] = {
        { "ABC1234", "ABC1234" },
        { "abc 1234", "ABC1234" },
        { "ABC-1234", "ABC1234" },
        { "SGX 7923G", "SGX7923G" },
        { "AB\xC2\xB7" "12345", "AB12345" },             /* middle dot */
        { "AB\xE2\x80\xA2" "12", "AB12" },               /* bullet */
        { "_abc__123_", "ABC123" },                      /* padding */
        { "A/B'C,D:E;F|G`H\"I.J", "ABCDEFGHIJ" },
        { "\xE2\x80\x98" "A1\xE2\x80\x99", "A1" },       /* curly quotes */
        { "A\xC2\xA0" "1\xE2\x80\x89" "2\xE3\x80\x80" "3", "A123" }, /* Unicode spaces */
        { "A\xE2\x80\x93" "1\xE2\x88\x92" "2", "A12" },  /* en dash, minus sign */
        { "[ABC123]", "ABC123" },
        { "(A)&B+C=1@2!3%4$5<6>7{8}9~0^", "ABC1234567890" },
        { "zZ09aA", "ZZ09AA" },
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_drops_invisible_and_format_characters(void **state)
{
    static const struct fold_case cases[] = {
        { "\xEF\xBB\xBF" "AB12", "AB12" },                  /* byte order mark */
        { "A\xC2\xAD" "B", "AB" },                          /* soft hyphen */
        { "A\xE2\x80\x8B" "B\xE2\x80\x8D" "C", "ABC" },     /* zero width */
        { "\xE2\x80\xAE" "12AB\xE2\x80\xAC", "12AB" },      /* right-to-left override */
        { "\xE2\x81\xA6" "AB\xE2\x81\xA9", "AB" },          /* isolates */
        { "A\xD8\x9C" "1\xE1\xA0\x8E" "2", "A12" },         /* Arabic mark, Mongolian separator */
        { "A\xEF\xB8\x8F" "1", "A1" },                      /* variation selector */
        { "A\xE3\x85\xA4" "1", "A1" },                      /* Hangul filler */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_makes_lookalike_letters_latin(void **state)
{
    static const struct fold_case cases[] = {
        /* Greek capitals, then small letters. */
        { "\xCE\x91\xCE\x92\xCE\x95\xCE\x96\xCE\x97\xCE\x99\xCE\x9A", "ABEZHIK" },
        { "\xCE\x9C\xCE\x9D\xCE\x9F\xCE\xA1\xCE\xA4\xCE\xA5\xCE\xA7", "MNOPTYX" },
        { "\xCE\xB1\xCE\xB2\xCF\x87", "ABX" },
        { "\xCE\x86\xCE\xAC", "\xC3\x81\xC3\x81" }, /* alpha with accent: as A with acute */
        /* Cyrillic. */
        { "\xD0\x90\xD0\x92\xD0\x95\xD0\x9A\xD0\x9C\xD0\x9D", "ABEKMH" },
        { "\xD0\x9E\xD0\xA0\xD0\xA1\xD0\xA2\xD0\xA3\xD0\xA5", "OPCTYX" },
        { "\xD0\x86\xD0\x88\xD0\x85", "IJS" },
        { "\xD0\xB0" "123\xD0\xB2\xD1\x81", "A123BC" },
        { "\xD1\x96\xD1\x98\xD1\x95\xD1\x97", "IJS\xC3\x8F" },
        /* Full width, also of small letters and signs. */
        { "\xEF\xBC\xA1\xEF\xBD\x82\xEF\xBC\x91\xEF\xBC\x8D\xEF\xBC\x92", "AB12" },
        { "\xC2\xB5", "M" },         /* micro sign is Greek mu */
        { "\xE2\x84\xAA", "K" },     /* kelvin sign */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_keeps_non_ascii_letters(void **state)
{
    static const struct fold_case cases[] = {
        { "T\xC3\x96LSL123", "T\xC3\x96LSL123" },
        { "t\xC3\xB6lsl123", "T\xC3\x96LSL123" },
        { "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA5\xC3\xB8\xC3\xA6",
          "\xC3\x84\xC3\x96\xC3\x9C\xC3\x85\xC3\x98\xC3\x86" },
        { "\xC3\xBF\xC3\x9F", "\xC5\xB8\xC3\x9F" },
        { "\xC4\x8D\xC5\xA1\xC5\xBE\xC4\x91\xC5\x82\xC5\x84",
          "\xC4\x8C\xC5\xA0\xC5\xBD\xC4\x90\xC5\x81\xC5\x83" },
        { "\xC4\xB1\xC5\xBF", "IS" },                          /* dotless i, long s */
        { "\xCF\x83\xCF\x82\xCF\x89", "\xCE\xA3\xCE\xA3\xCE\xA9" }, /* sigma, final, omega */
        { "\xD0\xB6\xD1\x8F\xD1\x94\xD2\x91", "\xD0\x96\xD0\xAF\xD0\x84\xD2\x90" },
        { "\xE4\xBA\xAC" "A12345", "\xE4\xBA\xAC" "A12345" },  /* CJK */
        { "\xE5\x93\x81\xE5\xB7\x9D 500 \xE3\x81\x95 12-34",
          "\xE5\x93\x81\xE5\xB7\x9D" "500\xE3\x81\x95" "1234" },
        { "12\xEA\xB0\x80" "3456", "12\xEA\xB0\x80" "3456" },  /* Hangul */
        { "\xE0\xB8\x81\xE0\xB8\x82 1234", "\xE0\xB8\x81\xE0\xB8\x82" "1234" }, /* Thai */
        { "\xD8\xA3 \xD8\xA8 \xD8\xAC 123", "\xD8\xA3\xD8\xA8\xD8\xAC" "123" }, /* Arabic */
        { "\xD9\x87\xD9\x80 12", "\xD9\x87" "12" },            /* tatweel only takes up room */
        { "\xF0\xA0\x80\x8B" "1", "\xF0\xA0\x80\x8B" "1" },    /* CJK extension B */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_composes_letter_and_accent(void **state)
{
    static const struct fold_case cases[] = {
        { "O\xCC\x88", "\xC3\x96" },
        { "to\xCC\x88lsl1", "T\xC3\x96LSL1" },
        { "A\xCC\x8A", "\xC3\x85" },
        { "\xD0\xB8\xCC\x86", "\xD0\x99" },          /* Cyrillic short i */
        { "Q\xCC\x88" "1", "Q1" },                   /* no such letter: the mark goes */
        { "\xCC\x88" "A1", "A1" },
        { "A\xCC\x88\xCC\x84", "\xC3\x84" },         /* one mark at most */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_makes_digits_ascii(void **state)
{
    static const struct fold_case cases[] = {
        { "\xD9\xA0\xD9\xA1\xD9\xA9", "019" },                     /* Arabic-Indic */
        { "\xDB\xB0\xDB\xB4\xDB\xB9", "049" },                     /* Persian */
        { "\xE0\xA5\xA6\xE0\xA5\xAF", "09" },                      /* Devanagari */
        { "\xE0\xA7\xAA", "4" },                                   /* Bengali */
        { "\xE0\xB9\x91\xE0\xB9\x92", "12" },                      /* Thai */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_keeps_the_place_of_unread_characters(void **state)
{
    static const struct fold_case cases[] = {
        { "AB?123", "AB#123" },
        { "AB*12#", "AB#12#" },
        { "AB\xEF\xBC\x9F" "1", "AB#1" },       /* full-width question mark */
        { "AB\xEF\xBF\xBD" "1", "AB#1" },       /* replacement character */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_drops_symbols_and_emoji(void **state)
{
    static const struct fold_case cases[] = {
        { "I\xE2\x9D\xA4NY", "INY" },
        { "\xF0\x9F\x9A\x97" "AB12", "AB12" },
        { "A\xE2\x82\xAC\xC2\xA3\xC2\xA9" "1", "A1" },
        { "A\xEE\x80\x80" "1", "A1" },                  /* private use */
        { "A\xE3\x83\xBB" "1", "A1" },                  /* katakana middle dot */
    };

    (void)state;
    ASSERT_FOLDS(cases);
}

static void
fold_says_where_no_plate_was_read(void **state)
{
    static const char *const raws[] = {
        "", "-", "--", "   ", "?", "???", "***", "-?-", "\xEF\xBB\xBF", "\xF0\x9F\x9A\x97", "_",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++)
        assert_int_equal(PB_NOT_FOUND, fold_status(raws[i], (uint32_t)strlen(raws[i])));
    assert_int_equal(PB_NOT_FOUND, fold_status(NULL, 0));
}

static void
fold_refuses_controls_and_broken_utf8(void **state)
{
    static const struct {
        const char *raw;
        uint32_t bytes;
    } cases[] = {
        { "AB\0" "1", 4 },           { "AB\t1", 4 },
        { "AB\n", 3 },               { "AB\x7F", 3 },
        { "AB\xC2\x85", 4 },         { "AB\x80", 3 },
        { "AB\xC3", 3 },             { "\xC0\x80", 2 },        /* overlong NUL */
        { "\xE0\x80\xAF", 3 },       { "\xED\xA0\x80", 3 },    /* surrogate */
        { "\xF4\x90\x80\x80", 4 },   { "\xFF", 1 },            /* past U+10FFFF */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(PB_BAD_INPUT, fold_status(cases[i].raw, cases[i].bytes));
}

static void
fold_refuses_what_is_too_long(void **state)
{
    char raw[PB_PLATE_RAW_BYTES_MAX + 1];
    char plate[PB_PLATE_BYTES_MAX];
    uint32_t bytes;

    (void)state;
    memset(raw, 'A', sizeof(raw));
    assert_int_equal(PB_OK, fold_status(raw, PB_PLATE_BYTES_MAX));
    assert_int_equal(PB_BAD_INPUT, fold_status(raw, PB_PLATE_BYTES_MAX + 1));
    memset(raw, '-', sizeof(raw));
    assert_int_equal(PB_NOT_FOUND, fold_status(raw, PB_PLATE_RAW_BYTES_MAX));
    assert_int_equal(PB_BAD_INPUT, fold_status(raw, PB_PLATE_RAW_BYTES_MAX + 1));

    /* Long as sent, short as folded: a full plate of letters each after a dash. */
    for (size_t i = 0; i < PB_PLATE_RAW_BYTES_MAX; i++)
        raw[i] = i % 2 == 0 ? '-' : 'B';
    assert_int_equal(PB_OK,
                     pb_plate_fold((struct pb_str){ raw, PB_PLATE_RAW_BYTES_MAX }, plate, &bytes));
    assert_int_equal(PB_PLATE_BYTES_MAX, bytes);
    raw[0] = 'B';
    assert_int_equal(PB_BAD_INPUT, fold_status(raw, PB_PLATE_RAW_BYTES_MAX));

    /* The last letter does not fit by one byte. */
    memset(raw, 'A', PB_PLATE_BYTES_MAX - 1);
    memcpy(raw + PB_PLATE_BYTES_MAX - 1, "\xC3\x84", 2);
    assert_int_equal(PB_BAD_INPUT, fold_status(raw, PB_PLATE_BYTES_MAX + 1));
}

/* Every code point, between two letters. */
static void
fold_is_idempotent_and_free_of_pattern_characters(void **state)
{
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c++) {
        char raw[8] = { 'x' }, once[PB_PLATE_BYTES_MAX], twice[PB_PLATE_BYTES_MAX];
        uint32_t raw_bytes, once_bytes, twice_bytes;
        enum pb_status status;

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        raw_bytes = 1 + (uint32_t)pb_utf8_encode(c, raw + 1);
        raw[raw_bytes++] = 'z';
        status = pb_plate_fold((struct pb_str){ raw, raw_bytes }, once, &once_bytes);
        if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
            assert_int_equal(PB_BAD_INPUT, status);
            continue;
        }
        assert_int_equal(PB_OK, status);
        assert_in_range(once_bytes, 2, 6);
        for (uint32_t i = 0; i < once_bytes; i++)
            assert_null(memchr("?*[]-^! ", once[i], 9)); /* NUL included */
        assert_int_equal(PB_OK,
                         pb_plate_fold((struct pb_str){ once, once_bytes }, twice, &twice_bytes));
        assert_int_equal(once_bytes, twice_bytes);
        assert_memory_equal(once, twice, once_bytes);
    }
}

static void
placeholders_are_known(void **state)
{
    static const char *const words[] = {
        "UNKNOWN", "NOPLATE", "UNLICENSED", "NOTDEFINED", "NONE", "NULL", "NA",
        "\xE6\x97\xA0\xE7\x89\x8C", "\xE6\x97\xA0\xE8\xBD\xA6\xE7\x89\x8C",
    };
    static const char *const plates[] = {
        "", "N", "NAA", "NA1234", "NONE1", "UNKNOWN1", "ABC1234", "NUL", "ULL",
        "\xE6\x97\xA0", "\xE4\xBA\xACX12345", "unknown",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_true(pb_plate_is_placeholder(pb_str_from(words[i])));
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++)
        assert_false(pb_plate_is_placeholder(pb_str_from(plates[i])));
}

/* What readers really send for "nothing", through both steps. */
static void
readers_words_for_no_plate_never_become_a_plate(void **state)
{
    static const char *const raws[] = {
        "unknown", "Unknown", "UNKNOWN", "--", "-", "unlicensed", "Not defined", "", "NOPLATE",
        "No Plate", "null", "N/A", "none", "_______",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
        char plate[PB_PLATE_BYTES_MAX];
        uint32_t bytes;
        enum pb_status status = pb_plate_fold(pb_str_from(raws[i]), plate, &bytes);

        if (status == PB_NOT_FOUND)
            continue;
        assert_int_equal(PB_OK, status);
        assert_true(pb_plate_is_placeholder((struct pb_str){ plate, bytes }));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_takes_out_separators_and_upper_cases),
        cmocka_unit_test(fold_drops_invisible_and_format_characters),
        cmocka_unit_test(fold_makes_lookalike_letters_latin),
        cmocka_unit_test(fold_keeps_non_ascii_letters),
        cmocka_unit_test(fold_composes_letter_and_accent),
        cmocka_unit_test(fold_makes_digits_ascii),
        cmocka_unit_test(fold_keeps_the_place_of_unread_characters),
        cmocka_unit_test(fold_drops_symbols_and_emoji),
        cmocka_unit_test(fold_says_where_no_plate_was_read),
        cmocka_unit_test(fold_refuses_controls_and_broken_utf8),
        cmocka_unit_test(fold_refuses_what_is_too_long),
        cmocka_unit_test(fold_is_idempotent_and_free_of_pattern_characters),
        cmocka_unit_test(placeholders_are_known),
        cmocka_unit_test(readers_words_for_no_plate_never_become_a_plate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
