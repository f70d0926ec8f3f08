/*
 * Corrections: whether somebody may correct reads of another agency. Edges of the states' laws are
 * in rules/cases/corrections.yaml and run by test_cases.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/fixture.h"

static enum pb_policy_verdict
judge(struct fixture *fixture, uint32_t reader, int64_t now_us)
{
    assert_int_equal(PB_OK, pb_policy_may_correct(fixture->rules, &fixture->facts.view,
                                                  &fixture->facts.request, reader, now_us,
                                                  &fixture->arena, &fixture->decision));
    return fixture->decision.verdict;
}

static bool
has_spoken(const struct fixture *fixture, const char *id)
{
    for (uint32_t i = 0; i < fixture->decision.rule_count; i++) {
        if (pb_str_equal(fixture->decision.rules[i].id, pb_str_from(id)))
            return true;
    }
    return false;
}

static void
an_agreement_is_one_from_its_first_moment_up_to_its_last_for_who_and_what_it_names(void **state)
{
    static const uint32_t others[] = { FACTS_CITY_IL }, both[] = { FACTS_CITY_IL, FACTS_CITY_KS };
    static const struct pb_str unheard_of[] = { { "unheard-of", 10 } };
    static const struct {
        struct pb_agreement agreement; /* what is zero is as usual */
        const char *asker;
        bool counts;
    } cases[] = {
        { { .is_revoked = false }, "deputy", true },
        { { .is_revoked = false }, "guard", false },
        { { .owner = FACTS_GATE }, "deputy", false },
        { { .is_revoked = true }, "deputy", false },
        { { .starts_at_us = FACTS_NOW }, "deputy", true },
        { { .starts_at_us = FACTS_NOW + 1 }, "deputy", false },
        { { .ends_at_us = FACTS_NOW + 1 }, "deputy", true },
        { { .ends_at_us = FACTS_NOW }, "deputy", false },
        { { .readers = others, .reader_count = 1 }, "deputy", false },
        { { .readers = both, .reader_count = 2 }, "deputy", true },
        { { .purposes = unheard_of, .purpose_count = 1 }, "deputy", false },
        { { .purposes = unheard_of, .purpose_count = 0 }, "deputy", false },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_agreement *given = &cases[i].agreement;
        struct pb_agreement *agreement;

        facts_init(&fixture->facts);
        agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
        agreement->is_revoked = given->is_revoked;
        agreement->readers = given->readers;
        agreement->reader_count = given->reader_count;
        if (given->owner != 0)
            agreement->owner = given->owner;
        if (given->starts_at_us != 0)
            agreement->starts_at_us = given->starts_at_us;
        if (given->ends_at_us != 0)
            agreement->ends_at_us = given->ends_at_us;
        if (given->purposes != NULL) {
            agreement->purposes = given->purposes;
            agreement->purpose_count = given->purpose_count;
        }
        fixture->facts.request.person = pb_str_from(cases[i].asker);
        if ((judge(fixture, FACTS_CITY_KS, FACTS_NOW) == PB_POLICY_ALLOW) != cases[i].counts)
            fail_msg("case %zu", i);
        if (!cases[i].counts && !has_spoken(fixture, "platebase-base.agreement"))
            fail_msg("case %zu: another rule", i);
    }
}

static void
an_agreement_for_a_purpose_that_is_not_in_force_yet_is_none(void **state)
{
    static const char later[] =
        "pack: t\nversion: 1\ntitle: T\nvalid_from: 2026-06-02\nbinds: everyone\npurposes:\n"
        "- { code: tomorrow, class: criminal, title: T }\nrules: []\n";
    struct fixture *fixture = *state;
    struct pb_str purposes[] = { pb_str_from("tomorrow") };
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    int64_t begins_us = FACTS_NOW + PB_DAY_US / 2;

    agreement->purposes = purposes;
    use_pack(fixture, later);
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_CITY_KS, begins_us - 1));
    assert_int_equal(PB_POLICY_ALLOW, judge(fixture, FACTS_CITY_KS, begins_us));
}

static void
what_the_request_says_of_an_inquiry_as_a_whole_is_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    fixture->facts.people[FACTS_DEPUTY].permissions = 0;
    *request = (struct pb_policy_request){
        .kind = PB_INQUIRY_SUBJECT,
        .person = pb_str_from("deputy"),
        .on_behalf_of = pb_str_from("nobody"),
        .purpose = pb_str_from("immigration"),
        .is_break_glass = true,
        .is_export = true,
        .export_recipient = pb_str_from("nowhere"),
    };
    assert_int_equal(PB_POLICY_ALLOW, judge(fixture, FACTS_CITY_KS, FACTS_NOW));
}

static void
a_purpose_that_nobody_may_ask_for_is_none(void **state)
{
    static const struct pb_str protected_purpose[] = { { "reproductive-care", 17 } };
    struct fixture *fixture = *state;
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    agreement->purposes = protected_purpose;
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_CITY_KS, FACTS_NOW));
    assert_true(has_spoken(fixture, "platebase-base.protected-purposes"));
    assert_false(has_spoken(fixture, "platebase-base.agreement"));
}

static void
a_rule_about_purposes_binds_corrections_too(void **state)
{
    static const struct {
        const char *rule;
        enum pb_policy_verdict verdict;
    } cases[] = {
        { "kind: permitted_purposes, purposes: [toll]", PB_POLICY_DENY },
        { "kind: permitted_purposes, purposes: [toll, criminal-investigation]", PB_POLICY_ALLOW },
        { "kind: reason_list, purposes: [toll]", PB_POLICY_DENY },
        { "kind: veto_purposes, purposes: [criminal-investigation]", PB_POLICY_DENY },
        { "kind: deny", PB_POLICY_ALLOW }, /* is not about purposes */
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];

        facts_init(&fixture->facts);
        (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
        (void)snprintf(text, sizeof(text), PACK_HEAD("t", "everyone") PACK_RULE("t.p", "%s"),
                       cases[i].rule);
        use_pack(fixture, text);
        if (judge(fixture, FACTS_CITY_KS, FACTS_NOW) != cases[i].verdict)
            fail_msg("case %zu", i);
    }
}

static void
one_s_own_need_nobody_and_who_is_not_known_corrects_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(PB_POLICY_ALLOW, judge(fixture, FACTS_SHERIFF_CA, FACTS_NOW));
    assert_int_equal(0, fixture->decision.rule_count);
    fixture->facts.request.person = pb_str_from("nobody");
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_SHERIFF_KS, FACTS_NOW));
    fixture->facts.request.person = (struct pb_str){ 0 };
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_SHERIFF_KS, FACTS_NOW));
}

static void
before_every_base_pack_nothing_is_corrected(void **state)
{
    struct fixture *fixture = *state;

    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_CITY_KS, -1));
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_SHERIFF_KS, -1));
    assert_true(has_spoken(fixture, "platebase-base"));
}

static void
who_only_asks_puts_no_plate_in_place_of_another(void **state)
{
    struct fixture *fixture = *state;

    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_FEDERAL);
    fixture->facts.request.person = pb_str_from("agent");
    assert_int_equal(PB_POLICY_DENY, judge(fixture, FACTS_CITY_KS, FACTS_NOW));
    assert_true(has_spoken(fixture, "platebase-base.contributors"));
    assert_string_equal("plate", fixture->decision.rules[0].field);
    fixture->facts.request.plate = (struct pb_str){ 0 };
    assert_int_equal(PB_POLICY_ALLOW, judge(fixture, FACTS_CITY_KS, FACTS_NOW));
}

static void
without_memory_there_is_no_answer(void **state)
{
    struct fixture *fixture = *state;
    unsigned failed = 0;

    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    for (size_t chunk_bytes = 64; chunk_bytes < 4000; chunk_bytes += 8) {
        enum pb_status status = PB_E_NOMEM;

        for (uint64_t at = 1; status != PB_OK; at++) {
            struct fault_env fault;
            struct pb_arena arena;
            struct pb_decision decision;

            fault_env_init(&fault, pb_env_system());
            fault.fail_allocation_at = at;
            pb_arena_init(&arena, &fault.env, chunk_bytes);
            status =
                pb_policy_may_correct(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      FACTS_CITY_IL, FACTS_NOW, &arena, &decision);
            assert_true(status == PB_OK || status == PB_E_NOMEM);
            assert_int_equal(status != PB_OK, fault.failure_count);
            failed += status != PB_OK;
            pb_arena_clear(&arena);
            assert_true(fault_env_is_clean(&fault));
        }
    }
    assert_true(failed > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agreement_is_one_from_its_first_moment_up_to_its_last_for_who_and_what_it_names),
        TEST(an_agreement_for_a_purpose_that_is_not_in_force_yet_is_none),
        TEST(what_the_request_says_of_an_inquiry_as_a_whole_is_not_looked_at),
        TEST(a_purpose_that_nobody_may_ask_for_is_none),
        TEST(a_rule_about_purposes_binds_corrections_too),
        TEST(one_s_own_need_nobody_and_who_is_not_known_corrects_nothing),
        TEST(before_every_base_pack_nothing_is_corrected),
        TEST(who_only_asks_puts_no_plate_in_place_of_another),
        TEST(without_memory_there_is_no_answer),
    };

    return cmocka_run_group_tests_name("policy/corrections", tests, NULL, NULL);
}
