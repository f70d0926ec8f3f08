/*
 * Scanning sorted codes: finds what matching one by one finds, never jumps over a match, and
 * the prefilter never turns one away.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "plate/pattern_oracle.h"
#include "plate/plate_code.h"

#define CODES_MAX 800u

struct dictionary {
    uint64_t codes[CODES_MAX];
    unsigned count;
};

/* The last one has no place in a code: a pattern with it needs an edit. */
static const uint32_t few_letters[] = { '0', 'O', '1', 'I', 'A', 'B', 'X', 'Z', 0xC4 };
#define CODE_LETTERS_MAX 8u

static int
compare_codes(const void *a, const void *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

/* Ascending and distinct; over few letters, so that beginnings are shared. */
static void
make_dictionary(struct oracle_random *random, unsigned letter_count, struct dictionary *ret)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < CODES_MAX; i++) {
        char text[PB_PLATE_CODE_CHARS];
        /* Every third is as long as a code can be. */
        uint32_t length = i % 3 == 0 ? PB_PLATE_CODE_CHARS
                                     : 1 + oracle_below(random, PB_PLATE_CODE_CHARS);

        for (uint32_t j = 0; j < length; j++)
            text[j] = (char)oracle_letter(random, few_letters, letter_count);
        ret->codes[i] = pb_plate_code((struct pb_str){ text, length });
        assert_true(ret->codes[i] != 0);
    }
    qsort(ret->codes, CODES_MAX, sizeof(ret->codes[0]), compare_codes);
    for (unsigned i = 0; i < CODES_MAX; i++) {
        if (kept == 0 || ret->codes[i] != ret->codes[kept - 1])
            ret->codes[kept++] = ret->codes[i];
    }
    ret->count = kept;
}

struct truth {
    bool is_match;
    struct pb_pattern_match match;
};

static void
find_truth(const struct pb_pattern *pattern, const struct dictionary *dictionary,
           struct truth truth[CODES_MAX])
{
    for (unsigned i = 0; i < dictionary->count; i++) {
        char text[PB_PLATE_CODE_CHARS];
        uint32_t bytes = pb_plate_code_text(dictionary->codes[i], text);

        truth[i].is_match =
            pb_pattern_matches(pattern, (struct pb_str){ text, bytes }, &truth[i].match);
    }
}

static void
check_one(struct pb_pattern_scan *scan, uint64_t code, const struct truth *truth,
          uint64_t *ret_next)
{
    struct pb_pattern_match match;
    bool is_match = pb_pattern_scan_code(scan, code, &match, ret_next);

    assert_int_equal(truth->is_match, is_match);
    if (is_match) {
        assert_int_equal(truth->match.edits, match.edits);
        assert_int_equal(truth->match.has_lookalike, match.has_lookalike);
        assert_int_equal(truth->match.has_wildcard, match.has_wildcard);
    }
    assert_true(*ret_next > code);
}

/* Every code in turn. */
static void
check_walk(const struct pb_pattern *pattern, const struct dictionary *dictionary,
           const struct truth *truth)
{
    struct pb_pattern_scan scan;

    pb_pattern_scan_init(&scan, pattern);
    for (unsigned i = 0; i < dictionary->count; i++) {
        uint64_t next;

        check_one(&scan, dictionary->codes[i], &truth[i], &next);
        for (unsigned j = i + 1; j < dictionary->count && dictionary->codes[j] < next; j++)
            assert_false(truth[j].is_match);
    }
}

/* From jump to jump; returns how many codes were looked at. */
static unsigned
check_jumps(const struct pb_pattern *pattern, const struct dictionary *dictionary,
            const struct truth *truth)
{
    struct pb_pattern_scan scan;
    unsigned found = 0, expected = 0, looked = 0;
    uint64_t next = 0;

    pb_pattern_scan_init(&scan, pattern);
    for (unsigned i = 0; i < dictionary->count; i++) {
        expected += truth[i].is_match;
        if (dictionary->codes[i] < next)
            continue;
        check_one(&scan, dictionary->codes[i], &truth[i], &next);
        found += truth[i].is_match;
        looked++;
    }
    assert_int_equal(expected, found);
    return looked;
}

static void
check_prefilter(const struct pb_pattern *pattern, const struct dictionary *dictionary,
                const struct truth *truth)
{
    unsigned batch = 1;

    for (unsigned i = 0; i < dictionary->count; i += batch, batch = batch % 64 + 1) {
        unsigned count = dictionary->count - i < batch ? dictionary->count - i : batch;
        uint64_t maybe = pb_pattern_prefilter(pattern, dictionary->codes + i, count);

        assert_true(count == 64 || maybe >> count == 0);
        for (unsigned j = 0; j < count; j++)
            assert_true(!truth[i + j].is_match || (maybe >> j & 1) != 0);
    }
}

/* All three ways; returns how many codes were looked at when jumping. */
static unsigned
check_pattern(struct pb_str text, unsigned edits, bool with_lookalikes,
              const struct dictionary *dictionary)
{
    struct truth truth[CODES_MAX];
    struct pb_pattern *pattern;
    unsigned looked;

    if (pb_pattern_compile(pb_env_system(), text, edits, with_lookalikes, &pattern, NULL) !=
        PB_OK)
        return 0; /* edits and only stars */
    find_truth(pattern, dictionary, truth);
    check_walk(pattern, dictionary, truth);
    looked = check_jumps(pattern, dictionary, truth);
    check_prefilter(pattern, dictionary, truth);
    pb_pattern_free(pb_env_system(), pattern);
    return looked;
}

static void
scanning_finds_what_matching_finds(void **state)
{
    struct oracle_random random = { UINT64_C(0xD1B54A32D192ED03) };
    struct dictionary dictionary;
    unsigned looked = 0, possible = 0;

    (void)state;
    for (unsigned round = 0; round < 1200; round++) {
        struct oracle_pattern model;

        if (round % 40 == 0)
            make_dictionary(&random, 2 + oracle_below(&random, CODE_LETTERS_MAX - 1),
                            &dictionary);
        oracle_make(&random, few_letters, sizeof(few_letters) / sizeof(few_letters[0]),
                    ORACLE_STEPS_MAX, &model);
        looked += check_pattern((struct pb_str){ model.text, model.bytes },
                                oracle_below(&random, 3), oracle_below(&random, 2) == 0,
                                &dictionary);
        possible += dictionary.count;
    }
    assert_true(looked < possible / 2); /* jumping is worth something */
}

/* The shapes that people type, and those at which the prefilter takes its turns. */
static void
scanning_finds_what_matching_finds_for_common_shapes(void **state)
{
    static const char *const texts[] = {
        "*0*1*", "*A*B*", "*AB*", "*A?B*", "*0A1*", "*A0B1*", "*[01]A*", "*A", "*0A", "*?A",
        "A*", "0A*", "?A*", "?0A*1B", "0*A*1", "0*AB", "A*A", "AA*AA", "??????????", "?????0A",
        "0A", "[!0]*[!A]", "*[0-9]", "*[!0-9]*", "*O*I*", "OI*", "*OI", "01AB01AB01",
        "?01AB01AB01", "*01AB01AB01",
    };
    struct oracle_random random = { UINT64_C(0xA0761D6478BD642F) };
    struct dictionary dictionary;

    (void)state;
    for (unsigned letters = 2; letters <= CODE_LETTERS_MAX; letters += 2) {
        make_dictionary(&random, letters, &dictionary);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            for (unsigned edits = 0; edits <= 2; edits++) {
                (void)check_pattern(pb_str_from(texts[i]), edits, false, &dictionary);
                (void)check_pattern(pb_str_from(texts[i]), edits, true, &dictionary);
            }
        }
    }
}

/* Every code there is of up to three characters: the next code is not only safe but near. */
static void
jumps_land_on_codes_that_match(void **state)
{
    static const char *const texts[] = { "A?7", "?B?", "[XYZ][0-3]", "K", "?AB", "8[!0-9]8" };
    uint64_t *codes = pb_alloc(pb_env_system(), 37 * 37 * 37 * sizeof(*codes));
    unsigned count = 0;

    (void)state;
    assert_non_null(codes);
    for (uint64_t a = 1; a <= 36; a++) {
        for (uint64_t b = 0; b <= 36; b++) {
            for (uint64_t c = 0; c <= (b == 0 ? 0 : 36); c++)
                codes[count++] = a << 54 | b << 48 | c << 42;
        }
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_pattern *pattern;
        struct pb_pattern_scan scan;
        uint64_t next = 0;
        unsigned found = 0, looked = 0, expected = 0;

        assert_int_equal(PB_OK, pb_pattern_compile(pb_env_system(), pb_str_from(texts[i]), 0,
                                                   false, &pattern, NULL));
        pb_pattern_scan_init(&scan, pattern);
        for (unsigned j = 0; j < count; j++) {
            struct pb_pattern_match match;
            char text[PB_PLATE_CODE_CHARS];
            uint32_t bytes = pb_plate_code_text(codes[j], text);

            expected += pb_pattern_matches(pattern, (struct pb_str){ text, bytes }, &match);
            if (codes[j] < next)
                continue;
            looked++;
            found += pb_pattern_scan_code(&scan, codes[j], &match, &next);
        }
        assert_true(expected > 0);
        assert_int_equal(expected, found);
        assert_in_range(looked, found, 2 * found + 80);
        pb_pattern_free(pb_env_system(), pattern);
    }
    pb_free(pb_env_system(), codes);
}

static void
a_pattern_that_no_code_fits_ends_at_once(void **state)
{
    static const char *const texts[] = { "T\xC3\x96L*", "ABCDEFGHIJK", "[\xC3\x84]",
                                         "????????????" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_pattern *pattern;
        struct pb_pattern_scan scan;
        struct pb_pattern_match match;
        uint64_t next = 0;

        assert_int_equal(PB_OK, pb_pattern_compile(pb_env_system(), pb_str_from(texts[i]), 0,
                                                   false, &pattern, NULL));
        pb_pattern_scan_init(&scan, pattern);
        assert_false(pb_pattern_scan_code(&scan, pb_plate_code(pb_str_from("0")), &match, &next));
        assert_true(next == UINT64_MAX);
        pb_pattern_free(pb_env_system(), pattern);
    }
}

static void
the_same_code_again_gives_the_same_answer(void **state)
{
    static const char *const texts[] = { "AB*1", "AB12", "*2", "C*" };
    uint64_t code = pb_plate_code(pb_str_from("AB12"));

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_pattern_match first = { 9, false, false }, again = { 9, false, false };
        uint64_t next_first = 0, next_again = 0;
        struct pb_pattern *pattern;
        struct pb_pattern_scan scan;
        bool is_match;

        assert_int_equal(PB_OK, pb_pattern_compile(pb_env_system(), pb_str_from(texts[i]), 0, true,
                                                   &pattern, NULL));
        pb_pattern_scan_init(&scan, pattern);
        is_match = pb_pattern_scan_code(&scan, code, &first, &next_first);
        assert_int_equal(i == 1 || i == 2, is_match);
        assert_int_equal(is_match, pb_pattern_scan_code(&scan, code, &again, &next_again));
        assert_int_equal(first.edits, again.edits);
        assert_int_equal(first.has_lookalike, again.has_lookalike);
        assert_true(next_first == next_again);
        pb_pattern_free(pb_env_system(), pattern);
    }
}

static void
of_no_codes_none_may_match(void **state)
{
    static const char *const texts[] = { "A*", "*A*", "*" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_pattern *pattern;

        assert_int_equal(PB_OK, pb_pattern_compile(pb_env_system(), pb_str_from(texts[i]), 0, false,
                                                   &pattern, NULL));
        assert_true(pb_pattern_prefilter(pattern, NULL, 0) == 0);
        pb_pattern_free(pb_env_system(), pattern);
    }
}

static void
damaged_codes_do_no_harm(void **state)
{
    static const char *const texts[] = { "A*", "*1", "*A1*", "???", "ABC" };
    struct oracle_random random = { UINT64_C(0x2545F4914F6CDD1D) };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_pattern *pattern;
        struct pb_pattern_scan scan;

        assert_int_equal(PB_OK, pb_pattern_compile(pb_env_system(), pb_str_from(texts[i]),
                                                   (unsigned)i % 3, true, &pattern, NULL));
        pb_pattern_scan_init(&scan, pattern);
        for (unsigned j = 0; j < 5000; j++) {
            uint64_t code = (uint64_t)oracle_below(&random, UINT32_MAX) << 29 ^
                            oracle_below(&random, UINT32_MAX);
            struct pb_pattern_match match;
            uint64_t next;

            /* In no order; some end early, some have a hole. */
            code = (code & ((UINT64_C(1) << PB_PLATE_CODE_BITS) - 1)) | UINT64_C(1) << 54;
            code &= UINT64_MAX << 6 * oracle_below(&random, 10);
            code &= ~(UINT64_C(63) << 6 * oracle_below(&random, 9));
            (void)pb_pattern_prefilter(pattern, &code, 1);
            (void)pb_pattern_scan_code(&scan, code, &match, &next);
            assert_true(next > code);
        }
        pb_pattern_free(pb_env_system(), pattern);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanning_finds_what_matching_finds),
        cmocka_unit_test(scanning_finds_what_matching_finds_for_common_shapes),
        cmocka_unit_test(jumps_land_on_codes_that_match),
        cmocka_unit_test(a_pattern_that_no_code_fits_ends_at_once),
        cmocka_unit_test(the_same_code_again_gives_the_same_answer),
        cmocka_unit_test(of_no_codes_none_may_match),
        cmocka_unit_test(damaged_codes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
