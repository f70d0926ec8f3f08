/*
 * Text that people give as a reason, spans of time, and patterns of case numbers: what is enough,
 * and what anybody hostile may send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "policy/fixture.h"
#include "policy/policy_private.h"

static const struct pb_str filler_words[] = { { "the", 3 }, { "case", 4 }, { "ICE", 3 } };
static const struct pb_words filler = { filler_words, 3 };

static void
a_reason_has_words_of_its_own(void **state)
{
    static const struct {
        const char *text;
        unsigned characters, words;
        bool is_enough;
    } cases[] = {
        { "", 0, 0, true },
        { "", 1, 0, false },
        { "", 0, 1, false },
        { "abc", 3, 1, true },
        { "abc", 4, 1, false },
        { " a b c ", 3, 0, true }, /* spaces are no characters */
        { " a b c ", 4, 0, false },
        { "a b c", 0, 1, false }, /* one letter says nothing */
        { "bank robbery", 0, 2, true },
        { "bank,robbery;2026", 0, 3, true },
        { "bank robbery", 0, 3, false },
        { "bank BANK Bank", 0, 2, false },
        { "the bank", 0, 2, false },
        { "THE bank", 0, 2, false },
        { "ice bank", 0, 2, true }, /* a capital in the list is met exactly */
        { "ICE bank", 0, 2, false },
        { "xxxx bank", 0, 2, false },
        { "xyxyxy bank", 0, 2, false },
        { "aa bank", 0, 2, false },
        { "ab bank", 0, 2, true },
        { "aba bank", 0, 2, true }, /* three letters may be two */
        { "abab bank", 0, 2, false },
        { "abac bank", 0, 2, true },
        { "111 bank", 0, 2, false },
        { "\xC3\x84rger \xC3\x9C"
          "bel",
          0, 2, true },                     /* letters past ASCII */
        { "\xC3\x84\xC3\x84", 2, 0, true }, /* two characters, four bytes */
        { "\xC3\x84\xC3\x84", 3, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pb_justification_is_enough(pb_str_from(cases[i].text), cases[i].characters,
                                       cases[i].words, &filler) != cases[i].is_enough)
            fail_msg("%s", cases[i].text);
    }
}

static void
a_repetition_past_the_words_that_are_remembered_counts_as_a_word(void **state)
{
    char text[2000];
    size_t used = 0;

    (void)state;
    for (unsigned i = 0; i < 66; i++) {
        memcpy(text + used, "abc00 ", 6);
        text[used + 3] = (char)('0' + i / 10);
        text[used + 4] = (char)('0' + i % 10);
        used += 6;
    }
    memcpy(text + used, "abc65 abc65 abc01", 17);
    used += 17;
    assert_true(
        pb_justification_is_enough((struct pb_str){ text, (uint32_t)used }, 0, 68, &filler));
    assert_false(
        pb_justification_is_enough((struct pb_str){ text, (uint32_t)used }, 0, 69, &filler));
}

/* ---- hostile reasons, through a whole decision ---- */

static bool
speaks(const struct pb_decision *decision, const char *id, const char *field)
{
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        if (pb_str_equal(decision->rules[i].id, pb_str_from(id)) &&
            strcmp(decision->rules[i].field, field) == 0)
            return true;
    }
    return false;
}

static void
expect_reason(struct fixture *fixture, struct pb_str text, bool is_taken)
{
    struct pb_decision decision;

    fixture->facts.request.justification = text;
    assert_int_equal(PB_OK,
                     pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      FACTS_NOW, &fixture->arena, &decision));
    assert_int_equal(is_taken ? PB_POLICY_ALLOW : PB_POLICY_DENY, decision.verdict);
    assert_true(speaks(&decision, "platebase-base.justification", "justification") != is_taken);
}

static void
a_reason_that_hides_something_is_refused(void **state)
{
    static const char *const hostile[] = {
        "Burglary series on Elm\nStreet", /* a line that a log would start anew */
        "Burglary series on Elm\tStreet",
        "Burglary series on Elm\x1B[2JStreet", /* a terminal's escape */
        "Burglary series on Elm\x7FStreet",
        "Burglary series on Elm\xC2\x85Street", /* next line */
        "Burglary series on \xE2\x80\xAE"
        "Elm Street", /* right-to-left override */
        "Burglary series on \xE2\x80\x8F"
        "Elm Street", /* right-to-left mark */
        "Burglary series on \xE2\x80\x8E"
        "Elm Street", /* left-to-right mark */
        "Burglary series on \xE2\x81\xA6"
        "Elm Street", /* isolate */
        "Burglary series on \xD8\x9C"
        "Elm Street", /* Arabic letter mark */
        "Burglary series on \xE2\x80\x8B"
        "Elm Street", /* zero-width space */
        "Burglary series on \xEF\xBB\xBF"
        "Elm Street", /* byte order mark */
        "Burglary series on \xF3\xA0\x81\x81"
        "Elm Street",                         /* a tag letter */
        "Burglary series on \xC3 Elm Street", /* half a character */
        "Burglary series on \xFF Elm Street",
        "Burglary series on \xC0\xAF Elm Street",     /* overlong */
        "Burglary series on \xED\xA0\x80 Elm Street", /* a surrogate */
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
        expect_reason(fixture, pb_str_from(hostile[i]), false);
    expect_reason(fixture, pb_str_from("=HYPERLINK(\"x\") Burglary series Elm"), true);
    expect_reason(fixture,
                  pb_str_from("Einbruch \xC3\xBC"
                              "ber die Stra\xC3\x9F"
                              "e"),
                  true);
}

static void
a_reason_is_at_most_two_thousand_bytes(void **state)
{
    static const char words[] = "Burglary series on Elm Street, again and again. ";
    struct fixture *fixture = *state;
    static char text[10240];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = words[i % (sizeof(words) - 1)];
    expect_reason(fixture, (struct pb_str){ text, PB_JUSTIFICATION_BYTES_MAX }, true);
    expect_reason(fixture, (struct pb_str){ text, PB_JUSTIFICATION_BYTES_MAX + 1 }, false);
    expect_reason(fixture, (struct pb_str){ text, sizeof(text) }, false);
    memset(text, 'x', sizeof(text));
    expect_reason(fixture, (struct pb_str){ text, PB_JUSTIFICATION_BYTES_MAX }, false);
    memset(text, 0, sizeof(text));
    expect_reason(fixture, (struct pb_str){ text, 100 }, false);
}

static void
a_case_number_is_bounded_and_plain(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        uint32_t bytes;
        bool is_taken;
    } cases[] = {
        { "26-00471", 8, true },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 64, true },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 65, false },
        { "26\n00471", 8, false },
        { "26\xE2\x80\xAE"
          "1",
          6, false },
        { "26\0", 3, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_decision decision;

        fixture->facts.request.case_number = (struct pb_str){ cases[i].text, cases[i].bytes };
        assert_int_equal(PB_OK, pb_policy_decide(fixture->rules, &fixture->facts.view,
                                                 &fixture->facts.request, FACTS_NOW,
                                                 &fixture->arena, &decision));
        assert_true(speaks(&decision, "platebase-base.case-number", "case_number") !=
                    cases[i].is_taken);
    }
}

/* ---- patterns ---- */

static enum pb_status
match(const char *pattern, const char *text)
{
    struct pb_arena arena;
    void *code = NULL;
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 4096);
    status = pb_case_pattern_compile(&arena, pb_str_from(pattern), &code, NULL);
    if (status == PB_OK)
        status = pb_case_pattern_match(&arena, code, pb_str_from(text));
    pb_arena_clear(&arena);
    return status;
}

static void
a_pattern_matches_the_whole_number_within_its_bounds(void **state)
{
    static char long_pattern[600];

    (void)state;
    assert_int_equal(PB_OK, match("[0-9]{2}-[0-9]+", "26-471"));
    assert_int_equal(PB_NOT_FOUND, match("[0-9]{2}-[0-9]+", "x26-471"));
    assert_int_equal(PB_NOT_FOUND, match("[0-9]{2}-[0-9]+", "26-471x"));
    assert_int_equal(PB_OK, match("a|ab", "ab"));
    assert_int_equal(PB_NOT_FOUND, match("a", "\xFF"));
    assert_int_equal(PB_BAD_INPUT, match("[", "a"));
    assert_int_equal(PB_BAD_INPUT, match("\\C", "a"));
    assert_int_equal(PB_BAD_INPUT, match("\xFF", "a"));
    memset(long_pattern, 'a', sizeof(long_pattern) - 1);
    assert_int_equal(PB_BAD_INPUT, match(long_pattern, "a"));
    /* Would take longer than anybody lives. */
    assert_int_equal(PB_NOT_FOUND,
                     match("(a+)+(a+)+(a+)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"));
}

static void
a_pattern_leaves_nothing_behind_when_memory_ends(void **state)
{
    (void)state;
    /* Memory comes in chunks: what stands before moves every allocation over their borders. */
    for (unsigned pad = 0; pad < 512; pad++) {
        enum pb_status status = PB_E_NOMEM;

        for (uint64_t at = 1; status == PB_E_NOMEM; at++) {
            struct fault_env fault;
            struct pb_arena arena;
            void *code = NULL;

            fault_env_init(&fault, pb_env_system());
            pb_arena_init(&arena, &fault.env, 1);
            for (unsigned i = 0; i < pad; i++)
                assert_non_null(pb_arena_alloc(&arena, 8));
            fault.fail_allocation_at = fault.allocation_count + at;
            status = pb_case_pattern_compile(&arena, pb_str_from("(?:[0-9]{2}-){3}[a-z]{40}"),
                                             &code, NULL);
            if (status == PB_OK)
                status = pb_case_pattern_match(&arena, code, pb_str_from("26-26-26-"));
            assert_true(status == PB_E_NOMEM || status == PB_NOT_FOUND);
            pb_arena_clear(&arena);
            assert_true(fault_env_is_clean(&fault));
        }
    }
}

/* ---- spans ---- */

static void
a_span_is_read_as_laws_write_it(void **state)
{
    static const struct {
        const char *text;
        int64_t shortest_days, longest_days; /* -1: not taken */
    } cases[] = {
        { "1 day", 1, 1 },
        { "21 days", 21, 21 },
        { "24 hours", 1, 1 },
        { "1440 minutes", 1, 1 },
        { "86400 seconds", 1, 1 },
        { "1 month", 28, 31 },
        { "2 months", 59, 62 },
        { "6 months", 181, 184 },
        { "9 months", 273, 276 },
        { "12 months", 365, 366 },
        { "1 year", 365, 366 },
        { "18 months", 546, 550 },
        { "30 months", 911, 915 },
        { "3 years", 1095, 1096 },
        { "5 years", 1826, 1827 },
        { "7 years", 2556, 2557 },
        { "200 years", -2, 0 },
        { "2400 months", -2, 0 },
        { "201 years", -1, 0 },
        { "2401 months", -1, 0 },
        { "1000000 days", 1000000, 1000000 },
        { "1000001 days", -1, 0 },
        { "0 days", -1, 0 },
        { "1 days", -1, 0 },
        { "2 day", -1, 0 },
        { "days", -1, 0 },
        { "5", -1, 0 },
        { "5 ", -1, 0 },
        { "5days", -1, 0 },
        { "5  days", -1, 0 },
        { "-5 days", -1, 0 },
        { "5 fortnights", -1, 0 },
        { "", -1, 0 },
        { "forever and ever", -1, 0 },
        { "99999999999999999999 days", -1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_span span = { 0 };
        enum pb_status status = pb_span_read(pb_str_from(cases[i].text), &span);

        assert_int_equal(cases[i].shortest_days == -1 ? PB_BAD_INPUT : PB_OK, status);
        if (cases[i].shortest_days < 0)
            continue;
        assert_int_equal(cases[i].shortest_days * PB_DAY_US, span.shortest_us);
        assert_int_equal(cases[i].longest_days * PB_DAY_US, span.longest_us);
    }
}

static void
a_look_back_is_counted_on_the_calendar(void **state)
{
    static const struct {
        const char *span, *now, *before;
    } cases[] = {
        { "5 years", "2026-06-01T12:00:00Z", "2021-06-01T12:00:00Z" },
        { "5 years", "2024-02-29T12:00:00Z", "2019-03-01T00:00:00Z" },
        { "4 years", "2024-02-29T12:00:00Z", "2020-02-29T12:00:00Z" },
        { "1 month", "2026-03-31T23:00:00Z", "2026-03-01T00:00:00Z" },
        { "1 month", "2026-01-15T00:00:00Z", "2025-12-15T00:00:00Z" },
        { "90 days", "2026-06-01T12:00:00Z", "2026-03-03T12:00:00Z" },
        { "200 years", "2026-06-01T12:00:00Z", "1970-01-01T00:00:00Z" },
    };
    struct pb_span forever = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_span span = { 0 };
        int64_t now_us, before_us;
        int16_t offset;

        assert_int_equal(PB_OK, pb_span_read(pb_str_from(cases[i].span), &span));
        assert_int_equal(PB_OK, pb_time_parse(pb_str_from(cases[i].now), &now_us, &offset));
        assert_int_equal(PB_OK, pb_time_parse(pb_str_from(cases[i].before), &before_us, &offset));
        assert_int_equal(before_us, pb_span_before(&span, now_us));
        /* A clock that is out of range gives no look back at all. */
        assert_int_equal(-1, pb_span_before(&span, -1));
        assert_int_equal(INT64_MAX, pb_span_before(&span, INT64_MAX));
    }
    assert_int_equal(PB_OK, pb_span_read(pb_str_from("forever"), &forever));
    assert_int_equal(PB_NEVER, forever.shortest_us);
    assert_int_equal(INT64_MIN, pb_span_before(&forever, FACTS_NOW));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_has_words_of_its_own),
        cmocka_unit_test(a_repetition_past_the_words_that_are_remembered_counts_as_a_word),
        cmocka_unit_test_setup_teardown(a_reason_that_hides_something_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reason_is_at_most_two_thousand_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_case_number_is_bounded_and_plain, set_up, tear_down),
        cmocka_unit_test(a_pattern_matches_the_whole_number_within_its_bounds),
        cmocka_unit_test(a_pattern_leaves_nothing_behind_when_memory_ends),
        cmocka_unit_test(a_span_is_read_as_laws_write_it),
        cmocka_unit_test(a_look_back_is_counted_on_the_calendar),
    };

    return cmocka_run_group_tests_name("policy/text", tests, NULL, NULL);
}
