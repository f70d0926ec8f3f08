/*
 * Alert lists: the strictest limits, and the days of an entry's life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/facts.h"
#include "policy/pack.h"

static uint16_t
state_of(const char *code)
{
    return pb_jurisdiction_from_text(pb_str_from(code));
}

static struct pb_rules *
shipped(void)
{
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);
    struct pb_rules *rules = NULL;

    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, count, &rules, NULL));
    return rules;
}

static void
the_shipped_limits_are_those_of_the_contract_and_the_state(void **state)
{
    struct pb_rules *rules = shipped();
    struct facts facts;
    struct pb_alert_limits limits;

    (void)state;
    facts_init(&facts);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_FEDERAL, 0, FACTS_NOW);
    assert_int_equal(2500, limits.batch_max);
    assert_int_equal(365 * PB_DAY_US, limits.valid_us);
    assert_int_equal(14 * PB_DAY_US, limits.remind_before_us);
    assert_int_equal(7 * PB_DAY_US, limits.grace_us);
    assert_int_equal(PB_ALERT_OWNER, limits.visibility);
    assert_int_equal(PB_NEVER, limits.stale_after_us);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_CITY, state_of("US-NH"), FACTS_NOW);
    assert_int_equal(24 * PB_HOUR_US, limits.stale_after_us);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_CITY, state_of("US-NE"), FACTS_NOW);
    assert_int_equal(12 * PB_HOUR_US, limits.stale_after_us);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_CITY, state_of("US-KS"), FACTS_NOW);
    assert_int_equal(PB_NEVER, limits.stale_after_us);
    pb_rules_unref(rules);
}

static void
the_strictest_of_several_rules_counts(void **state)
{
    static const char text[] = PACK_HEAD("t", "everyone")
        PACK_RULE("t.wide", "kind: alert_list, batch_at_most: 9000, valid: 2 years, "
                            "remind_before: 1 day, grace: 30 days, stale_after: forever, "
                            "visible_to: agency")
            PACK_RULE("t.tight", "kind: alert_list, batch_at_most: 10, valid: 30 days, "
                                 "remind_before: 20 days, grace: 1 hour, stale_after: 1 hour, "
                                 "visible_to: owner, binds: asker_state")
                PACK_RULE("t.else", "kind: duty, of: alerts")
                    PACK_RULE("t.none", "kind: alert_list");
    struct pb_rules *rules = NULL;
    struct facts facts;
    struct pb_alert_limits limits;

    (void)state;
    facts_init(&facts);
    assert_int_equal(PB_OK, pack_compile(pb_env_system(), text, &rules, NULL));
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_SHERIFF, 0, FACTS_NOW);
    assert_int_equal(10, limits.batch_max);
    assert_int_equal(30 * PB_DAY_US, limits.valid_us);
    assert_int_equal(20 * PB_DAY_US, limits.remind_before_us);
    assert_int_equal(PB_HOUR_US, limits.grace_us);
    assert_int_equal(PB_HOUR_US, limits.stale_after_us);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_FEDERAL, 0, FACTS_NOW);
    assert_int_equal(2500, limits.batch_max);
    assert_int_equal(365 * PB_DAY_US, limits.valid_us);
    /* Before the pack's day and without the base there is nothing to be strict about. */
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_FEDERAL, 0, -1);
    assert_int_equal(UINT64_MAX, limits.batch_max);
    assert_int_equal(PB_ALERT_AGENCY, limits.visibility);
    pb_rules_unref(rules);
}

static void
an_upload_has_at_most_2500_plates(void **state)
{
    struct pb_rules *rules = shipped();
    struct facts facts;
    struct pb_alert_limits limits;

    (void)state;
    facts_init(&facts);
    limits = pb_policy_alert_limits(rules, &facts.view, FACTS_FEDERAL, 0, FACTS_NOW);
    assert_false(pb_alert_takes_batch(&limits, 0));
    assert_true(pb_alert_takes_batch(&limits, 1));
    assert_true(pb_alert_takes_batch(&limits, 2500));
    assert_false(pb_alert_takes_batch(&limits, 2501));
    pb_rules_unref(rules);
}

static void
an_entry_is_due_on_day_351_over_on_day_365_and_gone_on_day_372(void **state)
{
    const struct pb_alert_limits limits = {
        .batch_max = 2500,
        .valid_us = 365 * PB_DAY_US,
        .remind_before_us = 14 * PB_DAY_US,
        .grace_us = 7 * PB_DAY_US,
        .stale_after_us = PB_DAY_US,
    };
    static const struct {
        int64_t age_us;
        enum pb_alert_phase phase;
    } cases[] = {
        { -1, PB_ALERT_REMOVED },
        { 0, PB_ALERT_ACTIVE },
        { 351 * PB_DAY_US - 1, PB_ALERT_ACTIVE },
        { 351 * PB_DAY_US, PB_ALERT_DUE },
        { 365 * PB_DAY_US - 1, PB_ALERT_DUE },
        { 365 * PB_DAY_US, PB_ALERT_GRACE },
        { 372 * PB_DAY_US - 1, PB_ALERT_GRACE },
        { 372 * PB_DAY_US, PB_ALERT_REMOVED },
        { 5000 * PB_DAY_US, PB_ALERT_REMOVED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(cases[i].phase,
                         pb_alert_phase(&limits, FACTS_NOW - cases[i].age_us, FACTS_NOW));
}

static void
an_entry_without_limits_stays(void **state)
{
    const struct pb_alert_limits limits = { .valid_us = PB_NEVER, .remind_before_us = PB_DAY_US };

    (void)state;
    assert_int_equal(PB_ALERT_ACTIVE, pb_alert_phase(&limits, 0, FACTS_NOW));
}

static void
a_list_is_stale_after_a_day_and_a_microsecond(void **state)
{
    const struct pb_alert_limits limits = { .stale_after_us = PB_DAY_US };

    (void)state;
    assert_false(pb_alert_is_stale(&limits, FACTS_NOW, FACTS_NOW));
    assert_false(pb_alert_is_stale(&limits, FACTS_NOW - PB_DAY_US, FACTS_NOW));
    assert_true(pb_alert_is_stale(&limits, FACTS_NOW - PB_DAY_US - 1, FACTS_NOW));
    assert_true(pb_alert_is_stale(&limits, FACTS_NOW + 1, FACTS_NOW));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_limits_are_those_of_the_contract_and_the_state),
        cmocka_unit_test(the_strictest_of_several_rules_counts),
        cmocka_unit_test(an_upload_has_at_most_2500_plates),
        cmocka_unit_test(an_entry_is_due_on_day_351_over_on_day_365_and_gone_on_day_372),
        cmocka_unit_test(an_entry_without_limits_stays),
        cmocka_unit_test(a_list_is_stale_after_a_day_and_a_microsecond),
    };

    return cmocka_run_group_tests_name("policy/alert", tests, NULL, NULL);
}
