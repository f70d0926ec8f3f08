/*
 * Decisions: what follows from rules together, origin by origin. Edges of single rules are in
 * rules/cases and run by test_cases.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "policy/facts.h"
#include "support/fault_env.h"

struct fixture {
    struct pb_rules *rules;
    struct pb_arena arena;
    struct facts facts;
    struct pb_decision decision;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct pb_error error = { { 0 } };
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    if (pb_rules_compile(pb_env_system(), packs, count, &fixture.rules, &error) != PB_OK) {
        print_error("%s\n", error.message);
        return -1;
    }
    pb_arena_init(&fixture.arena, pb_env_system(), 16384);
    facts_init(&fixture.facts);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    pb_arena_clear(&fixture->arena);
    pb_rules_unref(fixture->rules);
    return 0;
}

static enum pb_policy_verdict
decide(struct fixture *fixture)
{
    assert_int_equal(PB_OK,
                     pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      FACTS_NOW, &fixture->arena, &fixture->decision));
    return fixture->decision.verdict;
}

static void
print_spoken(const struct pb_decision *decision)
{
    for (uint32_t i = 0; i < decision->rule_count; i++)
        print_message("%s: %.*s (%s) excluded %u\n",
                      pb_policy_verdict_name(decision->rules[i].verdict),
                      (int)decision->rules[i].id.bytes, decision->rules[i].id.text,
                      decision->rules[i].field, decision->rules[i].origins_excluded);
}

static void
own_reads_need_no_agreement_and_other_owners_are_left_out(void **state)
{
    struct fixture *fixture = *state;

    if (decide(fixture) != PB_POLICY_ALLOW)
        print_spoken(&fixture->decision);
    assert_int_equal(PB_POLICY_ALLOW, fixture->decision.verdict);
    assert_int_equal(1, fixture->decision.origins_admitted);
    assert_int_equal(FACTS_ORIGINS - 1, fixture->decision.origins_excluded);
    assert_true(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
    assert_null(fixture->decision.admits_reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_reads_need_no_agreement_and_other_owners_are_left_out,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests_name("policy/decide", tests, NULL, NULL);
}
