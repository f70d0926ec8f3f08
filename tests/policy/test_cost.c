/*
 * Cost: how long a decision takes at a site of many owners and states. Printed, not judged: the
 * figure depends on the machine and on how this was built. What is judged is that the cost of many
 * origins is not paid in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "policy/facts.h"

#define OWNERS 20u
#define STATES 10u
#define ROUNDS 20u
#define DECISIONS 100u /* in a round */

struct town {
    struct facts facts;
    struct pb_agency agencies[OWNERS];
    struct pb_origin origins[OWNERS * STATES];
    struct pb_agreement agreements[OWNERS];
    struct pb_str names[OWNERS], purposes[1];
    char texts[OWNERS][8];
};

static void
fill(struct town *town, struct pb_rules *rules)
{
    static const char *const states[STATES] = { "US-KS", "US-CA", "US-IL", "US-VA", "US-MN",
                                                "US-NM", "US-NC", "US-UT", "US-MT", "US-GA" };

    (void)rules;
    facts_init(&town->facts);
    town->purposes[0] = pb_str_from("criminal-investigation");
    for (uint32_t i = 0; i < OWNERS; i++) {
        (void)snprintf(town->texts[i], sizeof(town->texts[i]), "a%02u", i);
        town->agencies[i] = facts_agency(town->texts[i], PB_AGENCY_LOCAL, "US-KS");
        town->agreements[i] = (struct pb_agreement){
            .id = town->agencies[i].id,
            .owner = i,
            .asker = 0,
            .purposes = town->purposes,
            .purpose_count = 1,
            .ends_at_us = FACTS_LATER,
        };
        for (uint32_t j = 0; j < STATES; j++)
            town->origins[i * STATES + j] =
                (struct pb_origin){ i, pb_jurisdiction_from_text(pb_str_from(states[j])), 1 };
    }
    for (uint32_t i = 0; i < FACTS_PEOPLE; i++)
        town->facts.people[i].agency = 0;
    town->agencies[0].case_pattern = pb_str_from("[0-9]{2}-[0-9]{5}");
    town->facts.view.agencies = town->agencies;
    town->facts.view.agency_count = OWNERS;
    town->facts.view.agreements = town->agreements;
    town->facts.view.agreement_count = OWNERS;
    town->facts.view.origins = town->origins;
    town->facts.view.reader_count = 0;
}

/* How long so many decisions take. The least of some rounds is told, for others use the machine. */
static int64_t
round_ns(const struct pb_rules *rules, const struct facts *facts, struct pb_arena *arena,
         struct pb_decision *ret_decision)
{
    int64_t started_ns = pb_monotonic_ns(pb_env_system());

    for (uint32_t i = 0; i < DECISIONS; i++) {
        pb_arena_reset(arena);
        assert_int_equal(PB_OK, pb_policy_decide(rules, &facts->view, &facts->request, FACTS_NOW,
                                                 arena, ret_decision));
    }
    return pb_monotonic_ns(pb_env_system()) - started_ns;
}

static void
a_decision_over_many_origins_takes_microseconds_and_little_memory(void **state)
{
    static struct town town;
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);
    struct pb_rules *rules = NULL;
    struct pb_arena arena;
    struct pb_decision decision;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, count, &rules, NULL));
    fill(&town, rules);
    for (uint32_t origins = STATES; origins <= OWNERS * STATES; origins *= 2) {
        int64_t least_ns = INT64_MAX;

        town.facts.view.origin_count = origins;
        pb_arena_init(&arena, pb_env_system(), 65536);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            int64_t ns = round_ns(rules, &town.facts, &arena, &decision);

            least_ns = ns < least_ns ? ns : least_ns;
        }
        print_message("%u origins of %u states: %.1f us a decision, %u rules spoke, %u admitted\n",
                      origins, STATES, (double)least_ns / 1000 / DECISIONS, decision.rule_count,
                      decision.origins_admitted);
        assert_true(arena.total_bytes < 200000);
        assert_int_equal(PB_POLICY_ALLOW, decision.verdict);
        pb_arena_clear(&arena);
    }
    pb_rules_unref(rules);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_over_many_origins_takes_microseconds_and_little_memory),
    };

    return cmocka_run_group_tests_name("policy/cost", tests, NULL, NULL);
}
