/*
 * Files of cases themselves: what is refused, and that a case which should fail does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/cases.h"
#include "support/fault_env.h"

static int
set_up(void **state)
{
    struct pb_rules *rules = NULL;
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    if (pb_rules_compile(pb_env_system(), packs, count, &rules, NULL) != PB_OK)
        return -1;
    *state = rules;
    return 0;
}

static int
tear_down(void **state)
{
    pb_rules_unref(*state);
    return 0;
}

#define NOW "now: 2026-06-01T12:00:00Z\n"
#define FACTS                                                                                 \
    NOW "facts:\n"                                                                            \
        "  agencies:\n"                                                                       \
        "  - { id: sheriff, class: local, jurisdiction: US-KS, contributes: yes }\n"          \
        "  - { id: city, class: local, jurisdiction: US-KS, contributes: yes }\n"             \
        "  people:\n"                                                                         \
        "  - { id: deputy, agency: sheriff, role: investigator }\n"                           \
        "  readers:\n"                                                                        \
        "  - { id: s1, agency: sheriff, capture_state: US-KS }\n"                             \
        "  - { id: s2, agency: sheriff, capture_state: US-KS }\n"                             \
        "  - { id: c1, agency: city, capture_state: US-KS }\n"                                \
        "  - { id: c2, agency: city, capture_state: US-KS }\n"                                \
        "  agreements:\n"                                                                     \
        "  - { id: a, owner: city, asker: sheriff, purposes: [toll], readers: [c1], "         \
        "ends_at: 2027-01-01 }\n"                                                             \
        "  declarations:\n"                                                                   \
        "  - { id: d, agency: city, jurisdiction: US-IL, subject: s, signed_at: 2026-01-01, " \
        "expires_at: 2027-01-01 }\n"                                                          \
        "  offences: [{ id: o, class: felony, limitation_years: 5 }]\n"                       \
        "  cases:\n"                                                                          \
        "  - { id: 'sheriff:shut', status: closed }\n"                                        \
        "  - { id: 'sherif::huts', status: closed }\n"                                        \
        "  - { id: 'sheriff-huts', status: closed }\n"                                        \
        "inquiry: { person: deputy, purpose: criminal-investigation, case: C-1, "             \
        "why: Burglary series on Elm Street, plate: ABC123, jurisdiction: US-KS, "            \
        "from: 2026-05-25, to: 2026-06-01 }\n"

static void
a_file_that_is_wrong_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } refusals[] = {
        { "a: [", "file.yaml, line" },
        { "- a", "file.yaml, line 1: a map is wanted here" },
        { "what: 1", "`what` means nothing here" },
        { "cases: []", "`now` is missing" },
        { "now: later", "`now` is a time" },
        { "now: [a]", "`now` is a time" },
        { NOW, "`cases` is a list" },
        { NOW "cases: word", "`cases` is a list" },
        { NOW "cases: [word]", "a map is wanted here" },
        { NOW "cases: [{ expect: allow }]", "`name` is missing" },
        { NOW "cases: [{ name: a }]", "the case expects nothing" },
        { NOW "cases: [{ name: a, retention_of: r, now: 2026-01-01 }]", "expects nothing" },
        { NOW "cases: [{ name: a, expect: perhaps }]", "`expect` is one of: allow, confirm" },
        { NOW "cases: [{ name: a, expect: allow, more: 1 }]", "`more` means nothing here" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: word }]", "a map is wanted here" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { shoe: 1 } }]", "`shoe` means nothing" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { kind: guess } }]", "`kind` is one of" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { why: [a] } }]", "`why` is a text" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { edits: 3000000000 } }]", "too large" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { edits: many } }]", "whole number" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { jurisdiction: Oz } }]",
          "`jurisdiction` is ISO 3166" },
        { NOW "cases: [{ name: a, expect: allow, admits: { a: b } }]", "`admits` is a list" },
        { NOW "cases: [{ name: a, hold_in: Oz, keeps: 1 day }]", "`hold_in` is ISO 3166" },
        { NOW "cases: [{ name: a, hold_in: [US], keeps: 1 day }]", "`hold_in` is ISO 3166" },
        { NOW "cases: [{ name: a, retention_of: r, keeps: 1 day }]", "there is no reader r" },
        { NOW "cases: [{ name: a, correction_of: r, expect: allow }]", "there is no reader r" },
        { FACTS "cases: [{ name: a, correction_of: s1, now: 2026-01-01 }]", "expects nothing" },
        { FACTS "cases: [{ name: a, correction_of: s1, expect: deny, inquiry: { shoe: 1 } }]",
          "`shoe` means nothing" },
        { NOW "inquiry: word\ncases: []", "line 2: a map is wanted here" },
        { NOW "inquiry: { shoe: 1 }\ncases: []", "`shoe` means nothing here" },
        { NOW "inquiry: { jurisdiction: Oz }\ncases: [{ name: a, expect: allow }]",
          "line 2: `jurisdiction` is ISO 3166" },
        { NOW "inquiry: { kind: guess }\ncases: [{ name: a, expect: allow }]", "`kind` is one of" },
        { NOW "cases: [{ name: a, expect: allow, inquiry: { found: '' } }]", "whole number" },
        { NOW "facts: word\ncases: []", "a map is wanted here" },
        { NOW "facts: { shoes: [] }\ncases: []", "`shoes` means nothing here" },
        { NOW "facts: { agencies: word }\ncases: []", "`agencies` is a list of at most 10000" },
        { NOW "facts: { agencies: [word] }\ncases: []", "a map is wanted here" },
        { NOW "facts: { agencies: [{ id: a }] }\ncases: []", "`class` is missing" },
        { NOW "facts: { people: [{ id: a }] }\ncases: []", "`agency` is missing" },
        { NOW "facts: { people: [{ id: a, agency: b, role: c }] }\ncases: []",
          "people: there is no b" },
        { NOW "facts: { agencies: [{ id: b, class: local, jurisdiction: US }], "
              "people: [{ id: a, agency: b, role: c, permissions: [fly] }] }\ncases: []",
          "people: there is no fly" },
        { NOW "facts: { agencies: [{ id: b, class: local, jurisdiction: US }, "
              "{ id: b, class: local, jurisdiction: US }] }\ncases: []",
          "agencies: the id b is there twice" },
        { NOW "facts: { readers: [{ id: a }] }\ncases: []", "`agency` is missing" },
        { NOW "facts: { readers: [{ id: a, agency: '' }] }\ncases: []", "`agency` is a text" },
        { NOW "facts: { readers: [{ id: a, agency: b }] }\ncases: []", "readers: there is no b" },
        { NOW "facts: { agreements: [{ id: a }] }\ncases: []", "`owner` is missing" },
        { NOW "facts: { agreements: [{ id: a, owner: b, asker: c, ends_at: 2027-01-01 }] }\n"
              "cases: []",
          "agreements: there is no b" },
        { NOW "facts: { agencies: [{ id: b, class: local, jurisdiction: US }], "
              "agreements: [{ id: a, owner: b, asker: c, ends_at: 2027-01-01 }] }\ncases: []",
          "agreements: there is no c" },
        { NOW "facts: { agencies: [{ id: b, class: local, jurisdiction: US }], agreements: "
              "[{ id: a, owner: b, asker: b, readers: [r], ends_at: 2027-01-01 }] }\ncases: []",
          "agreements: there is no r" },
        { NOW "facts: { declarations: [{ id: a }] }\ncases: []", "`agency` is missing" },
        { NOW "facts: { declarations: [{ id: a, agency: b, jurisdiction: US-IL, subject: s, "
              "signed_at: 2026-01-01, expires_at: 2027-01-01 }] }\ncases: []",
          "declarations: there is no b" },
        { NOW "facts: { offences: [{ id: a }] }\ncases: []", "`class` is missing" },
        { NOW "facts: { offences: [{ id: a, class: felony, limitation_years: soon }] }\ncases: []",
          "`limitation_years` is 0 to 99, or none" },
        { NOW "facts: { offences: [{ id: a, class: felony, limitation_years: 1x }] }\ncases: []",
          "`limitation_years` is 0 to 99, or none" },
        { NOW "facts: { offences: [{ id: a, class: felony, limitation_years: 100 }] }\ncases: []",
          "`limitation_years` is 0 to 99, or none" },
        { NOW "facts: { offences: [{ id: a, class: felony, limitation_years: +1 }] }\ncases: []",
          "`limitation_years` is 0 to 99, or none" },
        { NOW "facts: { cases: [{ status: open }] }\ncases: []", "`id` is missing" },
        { NOW "facts: { cases: [{ id: a, status: ajar }] }\ncases: []",
          "`status` is one of: open" },
    };

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct pb_policy_case_counts counts;
        struct pb_error error = { { 0 } };
        enum pb_status status =
            pb_policy_run_cases(pb_env_system(), *state, "file.yaml", pb_str_from(refusals[i].text),
                                NULL, NULL, &counts, &error);

        if (status != PB_BAD_INPUT || strstr(error.message, refusals[i].says) == NULL ||
            strstr(error.message, "file.yaml") == NULL)
            fail_msg("expected \"%s\" and got \"%s\" for:\n%s", refusals[i].says, error.message,
                     refusals[i].text);
        assert_int_equal(0, counts.passed + counts.failed);
    }
}

/* ---- cases that fail ---- */

struct heard {
    char problem[700];
    unsigned count;
};

static bool
hear(void *context, const struct pb_policy_case *result)
{
    struct heard *heard = context;

    (void)snprintf(heard->problem, sizeof(heard->problem), "%.*s", (int)result->problem.bytes,
                   result->problem.text);
    assert_int_equal(result->is_passed, result->problem.bytes == 0);
    assert_true(result->line > 0);
    heard->count++;
    return true;
}

static void
a_case_that_comes_out_otherwise_says_how(void **state)
{
    static const struct {
        const char *text, *problem; /* "": it passes */
    } cases[] = {
        { "expect: allow", "" },
        { "expect: deny", "the verdict is allow" },
        { "expect: allow, inquiry: { plate: '' }", "the verdict is deny; by platebase-base.plate" },
        { "expect: allow, speaks: [platebase-base.plate]", "silent: platebase-base.plate" },
        { "expect: deny, inquiry: { plate: '' }, silent: [platebase-base.plate]",
          "spoke: platebase-base.plate" },
        { "admits: [s1, s2]", "" },
        { "admits: [s1]", "admitted: s2" },
        { "admits: []", "admitted: s1; admitted: s2" },
        { "admits: [s1, s2, c1], inquiry: { purpose: toll }", "" },
        { "admits: [s1, s2, c1, c2], inquiry: { purpose: toll }", "left out: c2" },
        { "log_kept: 1 year", "the log is kept for another time" },
        { "log_kept: 7 years", "" },
        { "window_from: 2026-05-25", "" },
        { "window_from: 2026-05-26", "the window begins at another time" },
        { "rows_at_most: 5000", "" },
        { "rows_at_most: 5001", "another number of rows" },
        { "notifies_owners: no", "" },
        { "notifies_owners: yes", "owners are not told" },
        { "notifies_owners: no, inquiry: { break_glass: yes }", "owners are told" },
        { "retention_of: s1, keeps: 5 years", "" },
        { "retention_of: s1, keeps: 1 day", "kept for another time, in days: 1826" },
        { "retention_of: s1, speaks: [us-va.retention]", "silent: us-va.retention" },
        { "hold_in: US-VT, keeps: 1 day", "kept for another time, in days: 90" },
        { "hold_in: US-VT, silent: [us-vt.hold]", "spoke: us-vt.hold" },
        { "expect: allow, inquiry: { kind: pattern, plate: 'A?C*', stepped_up: yes }",
          "the verdict is deny; by platebase-base.known-characters" },
        { "expect: allow, inquiry: { jurisdiction: unknown, case: '' }",
          "the verdict is deny; by platebase-base.case" },
        { "expect: allow, inquiry: { relation: victim, jurisdiction: US-MO, person: deputy }", "" },
        { "expect: deny, inquiry: { case: shut }, speaks: [platebase-base.case-open]", "" },
        { "expect: allow, inquiry: { case: huts }", "" },
        { "expect: allow, inquiry: { case: uts }", "" },
        { "expect: deny, inquiry: { person: nobody }", "" },
    };
    char text[4096];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_policy_case_counts counts;
        struct pb_error error = { { 0 } };
        struct heard heard = { .count = 0 };

        (void)snprintf(text, sizeof(text), FACTS "cases: [{ name: n, %s }]\n", cases[i].text);
        if (pb_policy_run_cases(pb_env_system(), *state, "file.yaml", pb_str_from(text), hear,
                                &heard, &counts, &error) != PB_OK)
            fail_msg("%s", error.message);
        assert_int_equal(1, heard.count);
        assert_string_equal(cases[i].problem, heard.problem);
        assert_int_equal(cases[i].problem[0] == '\0', counts.passed);
        assert_int_equal(cases[i].problem[0] != '\0', counts.failed);
    }
}

static bool
stop(void *context, const struct pb_policy_case *result)
{
    (void)context;
    (void)result;
    return false;
}

static void
whoever_listens_may_stop(void **state)
{
    struct pb_policy_case_counts counts;

    assert_int_equal(PB_OK,
                     pb_policy_run_cases(pb_env_system(), *state, "file.yaml",
                                         pb_str_from(FACTS "cases: [{ name: a, expect: allow }, "
                                                           "{ name: b, expect: allow }]\n"),
                                         stop, NULL, &counts, NULL));
    assert_int_equal(1, counts.passed);
    assert_int_equal(0, counts.failed);
}

static void
more_than_there_may_be_is_refused(void **state)
{
    struct pb_policy_case_counts counts;
    char *text = malloc(PB_CASES_BYTES_MAX + 1);
    size_t used;

    assert_non_null(text);
    memset(text, '\n', PB_CASES_BYTES_MAX + 1);
    assert_int_equal(PB_OVER_LIMIT,
                     pb_policy_run_cases(pb_env_system(), *state, "file.yaml",
                                         (struct pb_str){ text, PB_CASES_BYTES_MAX + 1 }, NULL,
                                         NULL, &counts, NULL));
    used = (size_t)snprintf(text, PB_CASES_BYTES_MAX, NOW "facts:\n  offences:\n");
    for (unsigned i = 0; i <= 10000; i++)
        used += (size_t)snprintf(text + used, PB_CASES_BYTES_MAX - used,
                                 "  - { id: o%u, class: felony, limitation_years: 1 }\n", i);
    assert_int_equal(PB_BAD_INPUT, pb_policy_run_cases(pb_env_system(), *state, "file.yaml",
                                                       (struct pb_str){ text, (uint32_t)used },
                                                       NULL, NULL, &counts, NULL));
    free(text);
}

static void
a_problem_that_is_longer_than_its_room_is_cut(void **state)
{
    struct pb_policy_case_counts counts;
    struct heard heard = { .count = 0 };
    char *text = malloc(20000);
    size_t used;

    assert_non_null(text);
    used = (size_t)snprintf(text, 20000, FACTS "cases:\n- name: n\n  speaks:\n");
    for (unsigned i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, 20000 - used, "  - rule-that-nobody-knows.%u\n", i);
    assert_int_equal(PB_OK, pb_policy_run_cases(pb_env_system(), *state, "file.yaml",
                                                (struct pb_str){ text, (uint32_t)used }, hear,
                                                &heard, &counts, NULL));
    assert_int_equal(1, counts.failed);
    assert_true(strlen(heard.problem) > 500);
    free(text);
}

/* Fails each allocation of a run over text. */
static void
sweep(const struct pb_rules *rules, struct pb_str text)
{
    enum pb_status status = PB_E_NOMEM;

    for (uint64_t at = 1; status != PB_OK; at++) {
        struct fault_env fault;
        struct pb_policy_case_counts counts;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = at;
        status =
            pb_policy_run_cases(&fault.env, rules, "file.yaml", text, NULL, NULL, &counts, NULL);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_int_equal(status != PB_OK, fault.failure_count);
        assert_true(fault_env_is_clean(&fault));
    }
}

/* Memory comes in chunks: what stands before moves every allocation over their borders. */
static void
sweep_padded(const struct pb_rules *rules, const char *cases, int pads)
{
    static char text[16384];

    for (int pad = 0; pad < pads; pad++) {
        int bytes = snprintf(text, sizeof(text), "%sabout: [%0*d", cases, 1 + pad % 8 * 8, 0);

        for (int i = 0; i < pad; i++)
            bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, ", x");
        bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, "]\n");
        assert_in_range(bytes, 1, sizeof(text) - 1);
        sweep(rules, (struct pb_str){ text, (uint32_t)bytes });
    }
}

static void
running_gives_everything_back_when_any_allocation_fails(void **state)
{
    sweep_padded(*state,
                 FACTS "cases: [{ name: a, expect: allow, admits: [s1, s2] }, "
                       "{ name: b, retention_of: s1, keeps: 5 years }]\n",
                 400);
    sweep_padded(*state, FACTS "cases: [{ name: a, correction_of: c1, expect: deny }]\n", 100);
}

/* So many that they do not fit into what is left of a chunk. */
static void
an_agreement_about_many_readers_finds_no_memory_or_all_of_them(void **state)
{
    static char text[16384];
    int bytes = snprintf(text, sizeof(text),
                         NOW "facts:\n"
                             "  agencies:\n"
                             "  - { id: a, class: local, jurisdiction: US-KS }\n"
                             "  readers: [{ id: r, agency: a, capture_state: US-KS }]\n"
                             "  agreements:\n"
                             "  - { id: g, owner: a, asker: a, ends_at: 2027-01-01, readers: [r");

    for (int i = 1; i < 256; i++)
        bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, ",r");
    bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, "] }\ncases: []\n");
    assert_in_range(bytes, 1, sizeof(text) - 1);
    sweep_padded(*state, text, 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_wrong_is_refused_with_its_line),
        cmocka_unit_test(a_case_that_comes_out_otherwise_says_how),
        cmocka_unit_test(whoever_listens_may_stop),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(a_problem_that_is_longer_than_its_room_is_cut),
        cmocka_unit_test(running_gives_everything_back_when_any_allocation_fails),
        cmocka_unit_test(an_agreement_about_many_readers_finds_no_memory_or_all_of_them),
    };

    return cmocka_run_group_tests_name("policy/case_file", tests, set_up, tear_down);
}
