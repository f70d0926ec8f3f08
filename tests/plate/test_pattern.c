/*
 * Patterns: what they mean, what is refused, and that the least distance is exact.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "plate/plate_private.h"
#include "plate/pattern_oracle.h"
#include "support/fault_env.h"

static struct pb_pattern *
compile(const char *text, unsigned edits, bool with_lookalikes)
{
    struct pb_pattern *pattern = NULL;
    struct pb_error error = { "" };
    enum pb_status status = pb_pattern_compile(pb_env_system(), pb_str_from(text), edits,
                                               with_lookalikes, &pattern, &error);

    if (status != PB_OK)
        fail_msg("\"%s\": %s", text, error.message);
    return pattern;
}

static bool
matches(const char *text, unsigned edits, bool with_lookalikes, const char *plate,
        struct pb_pattern_match *ret_match)
{
    struct pb_pattern *pattern = compile(text, edits, with_lookalikes);
    bool is_match = pb_pattern_matches(pattern, pb_str_from(plate), ret_match);

    pb_pattern_free(pb_env_system(), pattern);
    return is_match;
}

static void
wildcards_and_classes_mean_what_they_say(void **state)
{
    static const struct {
        const char *pattern, *plate;
        bool is_match;
    } cases[] = {
        { "ABC123", "ABC123", true },   { "ABC123", "ABC124", false },
        { "ABC123", "ABC1234", false }, { "ABC123", "ABC12", false },
        { "abc-123", "ABC123", true },  { " a.b\xC2\xB7" "c 1 2 3 ", "ABC123", true },
        { "?AB*12", "XAB12", true },    { "?AB*12", "XABZZ12", true },
        { "?AB*12", "AB12", false },    { "?AB*12", "XABZZ123", false },
        { "*12", "12", true },          { "*12", "2", false },
        { "AB*", "AB", true },          { "*AB*", "XABY", true },
        { "*", "A", true },             { "**", "ABC", true },
        { "A**B", "AB", true },         { "A*B*C", "AXBYC", true },
        { "A*B*C", "AXCYB", false },    { "???", "ABC", true },
        { "???", "ABCD", false },       { "???*", "ABCD", true },
        { "[AB]1", "A1", true },        { "[AB]1", "C1", false },
        { "[0-9][0-9]", "42", true },   { "[0-9]", "A", false },
        { "[a-c]", "B", true },         { "[0-9A-F]", "F", true },
        { "[0-9A-F]", "G", false },     { "[!0-9]", "A", true },
        { "[!0-9]", "5", false },       { "[^AB]", "C", true },
        { "[^AB]", "B", false },        { "[A-]", "A", true },
        { "[A-]", "B", false },         { "[-A]", "A", true },
        { "[!AB]", "\xC3\x84", true },  { "[!A\xC3\x84]", "\xC3\x84", false },
        { "T\xC3\x96L*", "T\xC3\x96LSL123", true },
        { "t\xC3\xB6l*", "T\xC3\x96LSL123", true },
        { "TO\xCC\x88L*", "T\xC3\x96LSL123", true },   /* accent sent apart */
        { "T?L*", "T\xC3\x96LSL123", true },           /* `?` is a character, not a byte */
        { "[\xC3\x84\xC3\x96]", "\xC3\x96", true },
        { "[\xC3\xA0-\xC3\xB6]", "\xC3\x84", true },   /* small letters fold to capitals */
        { "[\xD0\x90-\xD0\xAF]", "A", true },          /* Cyrillic A is Latin A */
        { "[\xD0\x90-\xD0\xAF]", "\xD0\x96", true },
        { "[\xD0\x90-\xD0\xAF]", "Z", false },
        { "\xD0\x90" "12\xEF\xBC\x9F", "A123", true }, /* Cyrillic, full-width `?` */
        { "\xE4\xBA\xAC" "A*", "\xE4\xBA\xAC" "A12345", true },
        { "AB#1", "AB#1", true },       { "AB?1", "AB#1", true },
        { "[A#]", "#", true },          { "[0-Z]", "#", false },
        { "\xD9\xA1\xD9\xA2", "12", true },            /* Arabic-Indic digits */
        { "\xCC\x88" "A1", "A1", true },               /* an accent on nothing */
        { "AQ\xCC\x88" "1", "AQ1", true },             /* and on a letter that has none */
        { "?\xCC\x88" "1", "A1", true },
        { "\xD0\x93\xCC\x81" "1", "\xD0\x83" "1", true }, /* letters without symbol */
        { "\xD0\x93\xCC\x81" "1", "\xD0\x93" "1", false },
        { "[A-\xC3\xA9]1", "Q1", true },              /* control characters lie between */
        { "[A-\xC3\xA9]1", "\xC3\x89" "1", true },
        { "[A-\xC3\xA9]1", "11", false },
        { "[\xEF\xBC\x81" "0\xEF\xBC\x8D" "9]", "A", true }, /* full-width `!` and `-` */
        { "[\xEF\xBC\x81" "0\xEF\xBC\x8D" "9]", "5", false },
        { "[A\xEF\xBC\x8D]", "A", true },
        { "[!-A]", "B", true },         { "[!-A]", "A", false },
        { "[A!]", "A", true },          { "[A^]", "B", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_pattern_match match;

        if (matches(cases[i].pattern, 0, false, cases[i].plate, &match) != cases[i].is_match)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].plate);
    }
}

static void
a_match_says_how_far_it_is(void **state)
{
    static const struct {
        const char *pattern, *plate;
        unsigned edits;
        bool has_lookalikes;
        bool is_match;
        struct pb_pattern_match match;
    } cases[] = {
        { "ABC123", "ABC123", 2, true, true, { 0, false, false } },
        { "ABC123", "ABC12", 2, true, true, { 1, false, false } },
        { "ABC123", "ABCC123", 2, true, true, { 1, false, false } },
        { "ABC123", "AXC123", 2, true, true, { 1, false, false } },
        { "ABC123", "BC12", 2, true, true, { 2, false, false } },
        { "ABC123", "C12", 2, true, false, { 0, false, false } },
        { "ABC123", "A8C123", 0, true, true, { 0, true, false } },
        { "ABC123", "A8C123", 0, false, false, { 0, false, false } },
        { "ABC123", "A8CI23", 1, true, true, { 0, true, false } },
        { "ABC123", "A8CI2", 1, true, true, { 1, true, false } },
        /* With a look-alike or without it is one edit: no look-alike is needed. */
        { "ABC123", "ABC12Z", 2, true, true, { 1, false, false } },
        { "0", "D", 0, true, true, { 0, true, false } },
        { "O", "Q", 0, true, true, { 0, true, false } },
        { "Z5", "2S", 0, true, true, { 0, true, false } },
        { "B?*1", "8X1", 0, true, true, { 0, true, true } },
        { "A*1", "AXX2", 1, false, true, { 1, false, true } },
        { "A*1", "X", 1, false, false, { 0, false, true } },
        { "A*1", "X", 2, false, true, { 2, false, true } },
        { "[0-9]X", "OX", 0, true, true, { 0, true, true } },
        { "T\xC3\x96L", "TOL", 1, true, true, { 1, false, false } },
        { "TOL", "T\xC3\x96L", 1, true, true, { 1, false, false } },
        { "\xC3\x96", "\xC3\x84", 2, true, true, { 1, false, false } },
        { "AB", "", 2, false, true, { 2, false, false } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_pattern_match match = { 9, false, false };
        bool is_match = matches(cases[i].pattern, cases[i].edits, cases[i].has_lookalikes,
                                cases[i].plate, &match);

        if (is_match != cases[i].is_match ||
            (is_match && (match.edits != cases[i].match.edits ||
                          match.has_lookalike != cases[i].match.has_lookalike ||
                          match.has_wildcard != cases[i].match.has_wildcard)))
            fail_msg("\"%s\" and \"%s\": %d, %u edits, look-alike %d, wildcard %d",
                     cases[i].pattern, cases[i].plate, is_match, match.edits,
                     match.has_lookalike, match.has_wildcard);
    }
}

static void
refusals_say_what_is_wrong(void **state)
{
    static const struct {
        const char *pattern;
        unsigned edits;
        enum pb_status status;
        const char *word; /* in the message */
    } cases[] = {
        { "", 0, PB_BAD_INPUT, "no letter" },
        { "--", 0, PB_BAD_INPUT, "no letter" },
        { "[AB", 0, PB_BAD_INPUT, "closing" },
        { "[", 0, PB_BAD_INPUT, "closing" },
        { "[!", 0, PB_BAD_INPUT, "closing" },
        { "[A-", 0, PB_BAD_INPUT, "closing" },
        { "[A-\xC3", 0, PB_BAD_INPUT, "UTF-8" },
        { "AB]", 0, PB_BAD_INPUT, "] without [" },
        { "[]", 0, PB_BAD_INPUT, "in [...]" },
        { "[!]", 0, PB_BAD_INPUT, "in [...]" },
        { "[-]", 0, PB_BAD_INPUT, "in [...]" },
        { "[A?]", 0, PB_BAD_INPUT, "inside" },
        { "[A*]", 0, PB_BAD_INPUT, "inside" },
        { "[A-?]", 0, PB_BAD_INPUT, "inside" },
        { "[!?]", 0, PB_BAD_INPUT, "inside" },
        { "[!\xC3", 0, PB_BAD_INPUT, "UTF-8" },
        { "[A\t]", 0, PB_BAD_INPUT, "control" },
        { "[[A]]", 0, PB_BAD_INPUT, "inside" },
        { "[9-0]", 0, PB_BAD_INPUT, "backwards" },
        { "[--A]", 0, PB_BAD_INPUT, "letter or digit" },
        { "[A-~]", 0, PB_BAD_INPUT, "letter or digit" },
        { "[A\xCC\x88]", 0, PB_BAD_INPUT, "accent" },
        { "[0-\xE4\xBA\xAC]", 0, PB_OVER_LIMIT, "more than" },
        { "*", 1, PB_BAD_INPUT, "*" },
        { "***", 2, PB_BAD_INPUT, "*" },
        { "ABC", 3, PB_BAD_INPUT, "edits" },
        { "AB\xC3", 0, PB_BAD_INPUT, "UTF-8" },
        { "AB\t", 0, PB_BAD_INPUT, "control" },
        { "AB\xC2\x85", 0, PB_BAD_INPUT, "control" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_pattern *pattern = NULL;
        struct pb_error error = { "" };
        enum pb_status status =
            pb_pattern_compile(pb_env_system(), pb_str_from(cases[i].pattern), cases[i].edits,
                               false, &pattern, &error);

        if (status != cases[i].status || strstr(error.message, cases[i].word) == NULL)
            fail_msg("\"%s\": status %d, \"%s\"", cases[i].pattern, (int)status, error.message);
        assert_null(pattern);
        assert_int_equal(cases[i].status,
                         pb_pattern_compile(pb_env_system(), pb_str_from(cases[i].pattern),
                                            cases[i].edits, false, &pattern, NULL));
    }
}

static enum pb_status
compile_status(const char *text, uint32_t bytes)
{
    struct pb_pattern *pattern = NULL;
    enum pb_status status = pb_pattern_compile(
        pb_env_system(), (struct pb_str){ text, bytes }, 0, false, &pattern, NULL);

    pb_pattern_free(pb_env_system(), pattern);
    return status;
}

static void
limits_hold_to_the_last_one(void **state)
{
    char text[PB_PATTERN_BYTES_MAX + 1];

    (void)state;
    memset(text, 'A', sizeof(text));
    assert_int_equal(PB_OK, compile_status(text, PB_PATTERN_STEPS_MAX));
    assert_int_equal(PB_OVER_LIMIT, compile_status(text, PB_PATTERN_STEPS_MAX + 1));
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = '*'; /* stars count */
    assert_int_equal(PB_OK, compile_status(text, PB_PATTERN_STEPS_MAX));
    assert_int_equal(PB_OVER_LIMIT, compile_status(text, PB_PATTERN_STEPS_MAX + 1));
    memset(text, 'A', PB_PATTERN_STEPS_MAX);
    text[PB_PATTERN_STEPS_MAX] = '*'; /* the one too many may be a star */
    assert_int_equal(PB_OVER_LIMIT, compile_status(text, PB_PATTERN_STEPS_MAX + 1));
    memset(text + 1, '*', sizeof(text) - 1); /* but a row of them is one */
    assert_int_equal(PB_OK, compile_status(text, PB_PATTERN_BYTES_MAX));
    memset(text + 1, '-', sizeof(text) - 1);
    assert_int_equal(PB_OK, compile_status(text, PB_PATTERN_BYTES_MAX));
    assert_int_equal(PB_OVER_LIMIT, compile_status(text, PB_PATTERN_BYTES_MAX + 1));
}

/* Where capitals and small letters take turns, folding leaves every second one: none lies beside
 * another, and each makes a range of its own. */
static void
classes_together_hold_so_many_letters_and_no_more(void **state)
{
    static const char class[] = "[\xD1\xA0-\xD2\x81\xD2\x8A-\xD2\xBF\xD3\x90-\xD4\xAF]";
    const uint32_t class_bytes = (uint32_t)sizeof(class) - 1;
    struct pb_pattern *pattern = NULL;
    struct pb_error error = { "" };
    char text[PB_PATTERN_BYTES_MAX];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        memcpy(text + i * class_bytes, class, class_bytes);
    assert_int_equal(PB_OK, compile_status(text, 2 * class_bytes));
    assert_int_equal(PB_OVER_LIMIT,
                     pb_pattern_compile(pb_env_system(), (struct pb_str){ text, 3 * class_bytes },
                                        0, false, &pattern, &error));
    assert_non_null(strstr(error.message, "too many different characters"));
    assert_null(pattern);
}

static void
longest_patterns_match_with_all_edits(void **state)
{
    static const char pattern[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345*ABCDEFGHIJ*9*";
    struct pb_pattern_match match;

    (void)state;
    assert_true(matches(pattern, 2, true, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345ABCDEFGHIJ9", &match));
    assert_int_equal(0, match.edits);
    assert_true(matches(pattern, 2, true, "BCDEFGHIJKLMNOPQRSTUVWXYZ012345ABCDEFGHIJ", &match));
    assert_int_equal(2, match.edits);
    assert_false(matches(pattern, 2, true, "BCDEFGHIJKLMNOPQRSTUVWXYZ01245ABCDEFGHIJ", &match));
}

static void
exact_patterns_are_known(void **state)
{
    static const struct {
        const char *pattern;
        unsigned edits;
        bool with_lookalikes;
        const char *plate; /* NULL: not exact */
    } cases[] = {
        { "abc-123", 0, false, "ABC123" },
        { "t\xC3\xB6l 1", 0, false, "T\xC3\x96L1" },
        { "AC34", 0, true, "AC34" },     /* none of its characters looks like another */
        { "ABC123", 0, true, NULL },
        { "AC34", 1, false, NULL },
        { "AC3?", 0, false, NULL },
        { "AC3*", 0, false, NULL },
        { "AC3[4]", 0, false, NULL },
        { "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH", 0, false, "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH" },
        { "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH1", 0, false, NULL }, /* too long for a plate */
        { "###", 0, false, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_pattern *pattern =
            compile(cases[i].pattern, cases[i].edits, cases[i].with_lookalikes);
        struct pb_str plate = { NULL, 0 };

        assert_int_equal(cases[i].plate != NULL, pb_pattern_is_exact(pattern, &plate));
        if (cases[i].plate != NULL)
            assert_true(pb_str_equal(pb_str_from(cases[i].plate), plate));
        pb_pattern_free(pb_env_system(), pattern);
    }
}

static void
broken_utf8_matches_nothing(void **state)
{
    struct pb_pattern_match match;

    (void)state;
    assert_false(matches("*", 0, false, "AB\xC3", &match));
    assert_false(matches("??", 2, false, "\xFF", &match));
}

/* Characters that meet often: look-alikes, others, letters without a plate symbol. */
static const uint32_t few_letters[] = { '0', 'O', 'D', '1', 'I', '8', 'B', 'A',
                                        'X', 0xC4, 0x416, '#' };

static void
least_distance_is_exact(void **state)
{
    struct oracle_random random = { UINT64_C(0x9E3779B97F4A7C15) };
    unsigned match_count = 0, lookalike_count = 0;

    (void)state;
    for (unsigned round = 0; round < 10000; round++) {
        struct oracle_pattern model;
        struct pb_pattern *pattern = NULL;
        unsigned edits = oracle_below(&random, 3);
        bool with_lookalikes = oracle_below(&random, 2) == 0;
        enum pb_status status;

        oracle_make(&random, few_letters, sizeof(few_letters) / sizeof(few_letters[0]), 8,
                    &model);
        status = pb_pattern_compile(pb_env_system(), (struct pb_str){ model.text, model.bytes },
                                    edits, with_lookalikes, &pattern, NULL);
        if (status == PB_BAD_INPUT && edits > 0)
            continue; /* only stars */
        assert_int_equal(PB_OK, status);
        for (unsigned i = 0; i < 12; i++) {
            uint32_t letters[10];
            char text[40];
            uint32_t bytes = 0;
            unsigned count = oracle_below(&random, 10);
            unsigned loose, strict;
            struct pb_pattern_match match;
            bool is_match;

            for (unsigned j = 0; j < count; j++) {
                /* Half of the time what the pattern has there, so that many are near. */
                letters[j] = oracle_letter(&random, few_letters, 12);
                if (j < model.count && model.steps[j].letters[0] != 0 &&
                    oracle_below(&random, 2) == 0)
                    letters[j] = model.steps[j].letters[0];
                bytes += (uint32_t)pb_utf8_encode(letters[j], text + bytes);
            }
            strict = oracle_distance(&model, letters, count, false);
            loose = with_lookalikes ? oracle_distance(&model, letters, count, true) : strict;
            is_match = pb_pattern_matches(pattern, (struct pb_str){ text, bytes }, &match);
            if (is_match != (loose <= edits) ||
                (is_match && (match.edits != loose || match.has_lookalike != (strict != loose) ||
                              match.has_wildcard != model.has_wildcard)))
                fail_msg("\"%.*s\" and \"%.*s\": edits %u, look-alikes %d: expected %u",
                         (int)model.bytes, model.text, (int)bytes, text, edits, with_lookalikes,
                         loose);
            match_count += is_match;
            lookalike_count += is_match && match.has_lookalike;
        }
        pb_pattern_free(pb_env_system(), pattern);
    }
    /* The pairs were worth comparing. */
    assert_in_range(match_count, 20000, 100000);
    assert_in_range(lookalike_count, 1000, 100000);
}

static void
compiling_without_memory_fails_cleanly(void **state)
{
    struct fault_env fault;
    struct pb_pattern *pattern = NULL;
    struct pb_error error = { "" };

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_pattern_compile(&fault.env, pb_str_from("A*[BC]"), 1, true,
                                                    &pattern, &error));
    assert_null(pattern);
    assert_string_not_equal("", error.message);
    assert_true(fault_env_is_clean(&fault));
    pb_pattern_free(&fault.env, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_and_classes_mean_what_they_say),
        cmocka_unit_test(a_match_says_how_far_it_is),
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(limits_hold_to_the_last_one),
        cmocka_unit_test(classes_together_hold_so_many_letters_and_no_more),
        cmocka_unit_test(longest_patterns_match_with_all_edits),
        cmocka_unit_test(exact_patterns_are_known),
        cmocka_unit_test(broken_utf8_matches_nothing),
        cmocka_unit_test(least_distance_is_exact),
        cmocka_unit_test(compiling_without_memory_fails_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
