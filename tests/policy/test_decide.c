/*
 * Decisions: what follows from rules together, origin by origin, and what each condition means.
 * Edges of shipped rules are in rules/cases and run by test_cases.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/fixture.h"

static enum pb_policy_verdict
decide(struct fixture *fixture)
{
    assert_int_equal(PB_OK,
                     pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      FACTS_NOW, &fixture->arena, &fixture->decision));
    return fixture->decision.verdict;
}

static const struct pb_spoken_rule *
spoken(const struct fixture *fixture, const char *id)
{
    for (uint32_t i = 0; i < fixture->decision.rule_count; i++) {
        if (pb_str_equal(fixture->decision.rules[i].id, pb_str_from(id)))
            return &fixture->decision.rules[i];
    }
    return NULL;
}

/* ---- origins ---- */

static void
own_reads_need_no_agreement_and_other_owners_are_left_out(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(1, fixture->decision.origins_admitted);
    assert_int_equal(FACTS_ORIGINS - 1, fixture->decision.origins_excluded);
    assert_true(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
    assert_null(fixture->decision.admits_reader);
    assert_int_equal(3, spoken(fixture, "platebase-base.agreement")->origins_excluded);
    /* A car of Kansas that drove through California: its own reads are California's to govern. */
    assert_int_equal(1, spoken(fixture, "us-ca.in-state")->origins_excluded);
}

static void
what_is_denied_admits_nothing(void **state)
{
    struct fixture *fixture = *state;

    fixture->facts.request.purpose = pb_str_from("curiosity");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    for (int i = 0; i < FACTS_ORIGINS; i++)
        assert_false(fixture->decision.admits_origin[i]);
    assert_null(fixture->decision.admits_reader);
    assert_int_equal(0, fixture->decision.origins_admitted);
    assert_int_equal(FACTS_ORIGINS, fixture->decision.origins_excluded);
    assert_int_equal(0, fixture->decision.rows_max);
    for (uint32_t i = 1; i < fixture->decision.rule_count; i++)
        assert_true(fixture->decision.rules[i].verdict <= fixture->decision.rules[i - 1].verdict);
}

static void
an_agreement_admits_the_readers_that_it_names(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t readers[] = { FACTS_CITY_KS };
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    agreement->readers = readers;
    agreement->reader_count = 1;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_CITY_KS]);
    assert_false(fixture->decision.admits_origin[FACTS_CITY_IL]); /* none of its readers is named */
    assert_non_null(fixture->decision.admits_reader);
    for (uint32_t i = 0; i < FACTS_READERS; i++) {
        bool is_own = i == FACTS_SHERIFF_KS || i == FACTS_READERS - 1;

        assert_int_equal(is_own || i == FACTS_CITY_KS, fixture->decision.admits_reader[i]);
    }
}

static void
agreements_about_single_readers_add_up_and_leave_other_origins_alone(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t first[] = { FACTS_CITY_KS }, second[] = { FACTS_CITY_IL };
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    agreement->readers = first;
    agreement->reader_count = 1;
    agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    agreement->readers = second;
    agreement->reader_count = 1;
    /* The sheriff's reader went home; what it read in California is the sheriff's all the same. */
    fixture->facts.readers[FACTS_SHERIFF_CA].origin = FACTS_SHERIFF_KS;
    use_pack(fixture, PACK_HEAD("t", "everyone") "  []\n");
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_reader[FACTS_CITY_KS]);
    assert_true(fixture->decision.admits_reader[FACTS_CITY_IL]);
    assert_true(fixture->decision.admits_origin[FACTS_SHERIFF_CA]);
    assert_int_equal(4, fixture->decision.origins_admitted);
}

static void
an_agreement_about_readers_elsewhere_leaves_an_origin_out(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t readers[] = { FACTS_CITY_IL };
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    agreement->readers = readers;
    agreement->reader_count = 1;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    /* Illinois wants a declaration, and in Kansas no reader was named. */
    assert_false(fixture->decision.admits_origin[FACTS_CITY_KS]);
    assert_false(fixture->decision.admits_origin[FACTS_CITY_IL]);
    assert_int_equal(1, fixture->decision.origins_admitted);
    assert_non_null(spoken(fixture, "us-il.promise"));
}

static void
two_agreements_with_the_same_owner_add_up(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t readers[] = { FACTS_CITY_IL };
    struct pb_agreement *some = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    some->readers = readers;
    some->reader_count = 1;
    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    (void)facts_agree(&fixture->facts, FACTS_GATE, FACTS_CITY); /* of others */
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_CITY_KS]);
    assert_true(fixture->decision.admits_reader[FACTS_CITY_KS]);
}

static void
every_party_needs_an_agreement_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
    request->on_behalf_of = pb_str_from("agent");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    (void)facts_agree(&fixture->facts, FACTS_CITY, FACTS_FEDERAL);
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_CITY_KS]);
    assert_false(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
    (void)facts_agree(&fixture->facts, FACTS_SHERIFF, FACTS_FEDERAL);
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
}

static void
whoever_gets_an_export_is_a_party(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_SHERIFF, FACTS_CITY);

    agreement->id = pb_str_from("to-city");
    request->is_export = true;
    request->export_recipient = pb_str_from("city");
    request->export_agreement = pb_str_from("to-city");
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
    agreement->ends_at_us = FACTS_NOW;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.export"));
    assert_non_null(spoken(fixture, "platebase-base.agreement"));
    /* Somebody whom nobody knows, and somebody unknown who exports. */
    request->export_recipient = pb_str_from("nobody");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    request->person = pb_str_from("nobody");
    request->export_recipient = pb_str_from("city");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    request->export_agreement = pb_str_from("no-such");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
}

static void
an_owner_of_another_kind_is_another_profile(void **state)
{
    struct fixture *fixture = *state;

    /* Ask for the gate's reads as police: under an agreement, police may. */
    (void)facts_agree(&fixture->facts, FACTS_GATE, FACTS_SHERIFF);
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.admits_origin[FACTS_GATE_KS]);
    fixture->facts.agencies[FACTS_GATE].contributes = false;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_false(fixture->decision.admits_origin[FACTS_GATE_KS]);
    assert_int_equal(1, spoken(fixture, "platebase-base.contributors")->origins_excluded);
}

static void
where_nobody_has_reads_it_may_be_asked_and_nothing_is_admitted(void **state)
{
    struct fixture *fixture = *state;

    fixture->facts.view.origin_count = 0;
    fixture->facts.view.reader_count = 0;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_null(spoken(fixture, "platebase-base.scope"));
    assert_int_equal(0, fixture->decision.origins_admitted);
}

/* ---- versions, packs, whom they bind ---- */

static void
before_every_base_pack_nothing_is_allowed(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(PB_OK,
                     pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      -1, &fixture->arena, &fixture->decision));
    assert_int_equal(PB_POLICY_DENY, fixture->decision.verdict);
    assert_int_equal(1, fixture->decision.rule_count);
    assert_int_equal(0, fixture->decision.origins_admitted);
    assert_int_equal(PB_NEVER, fixture->decision.log_retention_us);
    assert_false(fixture->decision.admits_origin[FACTS_SHERIFF_KS]);
}

static void
more_packs_than_there_is_room_for_deny(void **state)
{
    struct fixture *fixture = *state;
    struct pb_pack_source packs[41];
    struct pb_str names[40];
    char texts[40][160], ids[40][16];
    struct pb_rules *rules = NULL;

    packs[40] = pack_base();
    for (int i = 0; i < 40; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "p%02d", i);
        (void)snprintf(texts[i], sizeof(texts[i]),
                       "pack: %s\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\n"
                       "rules: []\n",
                       ids[i]);
        names[i] = pb_str_from(ids[i]);
        packs[i] = (struct pb_pack_source){ pb_str_from(texts[i]), ids[i] };
    }
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, 41, &rules, NULL));
    pb_rules_unref(fixture->rules);
    fixture->rules = rules;
    fixture->facts.agencies[FACTS_SHERIFF].packs = names;
    fixture->facts.agencies[FACTS_SHERIFF].pack_count = 32;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    fixture->facts.agencies[FACTS_SHERIFF].pack_count = 33;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.packs"));
}

static void
a_pack_that_two_parties_list_speaks_once(void **state)
{
    struct fixture *fixture = *state;
    struct pb_str names[2] = { pb_str_from("t"), pb_str_from("t:1") };

    use_pack(fixture, PACK_HEAD("t", "asker") PACK_RULE("t.r", "kind: second_person"));
    fixture->facts.agencies[FACTS_SHERIFF].packs = names;
    fixture->facts.agencies[FACTS_SHERIFF].pack_count = 2;
    assert_int_equal(PB_POLICY_NEEDS_SECOND_PERSON, decide(fixture));
    assert_non_null(spoken(fixture, "t.r"));
}

static void
a_rule_binds_agencies_of_its_state_as_asker_and_as_beneficiary(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    use_pack(fixture, PACK_HEAD("t", "asker_state") PACK_RULE("t.r", "kind: second_person"));
    assert_int_equal(PB_POLICY_NEEDS_SECOND_PERSON, decide(fixture));
    fixture->facts.agencies[FACTS_SHERIFF].jurisdiction =
        pb_jurisdiction_from_text(pb_str_from("US-MO"));
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    /* The city is of Kansas. */
    fixture->facts.people[FACTS_BOSS].agency = FACTS_CITY;
    (void)facts_agree(&fixture->facts, FACTS_SHERIFF, FACTS_CITY);
    request->on_behalf_of = pb_str_from("boss");
    assert_int_equal(PB_POLICY_NEEDS_SECOND_PERSON, decide(fixture));
    fixture->facts.agencies[FACTS_CITY].jurisdiction = 0;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
}

static void
a_pack_of_a_country_binds_its_states(void **state)
{
    struct fixture *fixture = *state;

    use_pack(fixture,
             "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\n"
             "binds: capture_state\njurisdiction: US\nrules:\n" PACK_RULE("t.r", "kind: deny"));
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_int_equal(FACTS_ORIGINS, spoken(fixture, "t.r")->origins_excluded);
    assert_int_equal(PB_POLICY_DENY, spoken(fixture, "t.r")->verdict);
    assert_int_equal(0, pb_policy_hold_max_us(fixture->rules, 0, -1, NULL) -
                            PB_NEVER); /* nothing is in force then */
}

static void
a_pack_that_is_not_yet_in_force_is_silent(void **state)
{
    struct fixture *fixture = *state;
    static const char *const binds[] = { "everyone", "capture_state", "asker_state" };
    char text[400];

    for (size_t i = 0; i < 3; i++) {
        assert_true(snprintf(text, sizeof(text),
                             "pack: t\nversion: 1\ntitle: T\nvalid_from: 2026-06-02\nbinds: %s\n"
                             "jurisdiction: US-KS\nrules:\n"
                             "- { id: t.r, text: T, source: S, verified: yes, kind: deny }\n"
                             "- { id: t.k, text: T, source: S, verified: yes, kind: retention, "
                             "keep: 1 day }\n",
                             binds[i]) < (int)sizeof(text));
        use_pack(fixture, text);
        assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
        assert_true(pb_policy_retention_us(fixture->rules, &fixture->facts.view, FACTS_SHERIFF_KS,
                                           FACTS_NOW, NULL) > PB_DAY_US);
    }
}

/* ---- windows, brakes, logs ---- */

static void
a_look_back_may_clip_the_window(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    use_pack(fixture,
             PACK_HEAD("t", "everyone")
                 PACK_RULE("t.week", "kind: look_back, at_most: 7 days, beyond: clip")
                     PACK_RULE("t.month", "kind: look_back, at_most: 30 days, beyond: clip"));
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(FACTS_NOW - 7 * PB_DAY_US, fixture->decision.from_us);
    assert_null(spoken(fixture, "t.week"));
    request->from_us = FACTS_NOW - 40 * PB_DAY_US;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(FACTS_NOW - 7 * PB_DAY_US, fixture->decision.from_us);
    assert_int_equal(FACTS_NOW, fixture->decision.to_us);
    assert_non_null(spoken(fixture, "t.week"));
    assert_non_null(spoken(fixture, "t.month"));
    request->to_us = FACTS_NOW - 7 * PB_DAY_US;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
}

static void
the_strictest_brake_counts_and_a_state_brakes_what_is_searched_of_it(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    use_pack(fixture,
             PACK_HEAD("t", "capture_state")
                 PACK_RULE("t.brake", "kind: row_brake, confirm_at: 100, newest: 50")
                     PACK_RULE("t.loose", "kind: row_brake, confirm_at: 20000, newest: 20000")
                         PACK_RULE("t.log", "kind: log_retention, keep: forever"));
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(100, fixture->decision.confirm_at_rows);
    assert_int_equal(50, fixture->decision.rows_max);
    assert_int_equal(PB_NEVER, fixture->decision.log_retention_us);
    request->found_count = 99;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(UINT64_MAX, fixture->decision.rows_max);
    request->found_count = 100;
    assert_int_equal(PB_POLICY_NEEDS_CONFIRMATION, decide(fixture));
    assert_string_equal("confirmation", spoken(fixture, "t.brake")->field);
    request->has_confirmed = true;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(50, fixture->decision.rows_max);

    /* The gate's person sees nothing of Kansas but its own, which is of Missouri here. */
    fixture->facts.origins[FACTS_SHERIFF_KS].capture_state =
        pb_jurisdiction_from_text(pb_str_from("US-MO"));
    request->has_confirmed = false;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(10000, fixture->decision.confirm_at_rows);
    assert_true(fixture->decision.log_retention_us < PB_NEVER);
}

static void
what_is_no_number_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    request->kind = PB_INQUIRY_PLACE;
    request->has_stepped_up = true;
    request->place_count = 1;
    request->area_m2 = (double)NAN;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.area-limit"));
    assert_non_null(spoken(fixture, "platebase-base.exposure-limit"));
    request->area_m2 = (double)INFINITY;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    request->area_m2 = -1;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.area"));
}

static void
a_window_from_one_end_of_time_to_the_other_is_no_trouble(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    request->kind = PB_INQUIRY_COMMON;
    request->has_stepped_up = true;
    request->place_count = 2;
    request->area_m2 = 1;
    request->from_us = INT64_MIN;
    request->to_us = INT64_MAX;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.place-window"));
    request->from_us = INT64_MAX;
    request->to_us = INT64_MIN;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.fields"));
}

/* ---- what a limit does ---- */

static void
past_a_limit_happens_what_the_rule_says(void **state)
{
    static const struct {
        const char *beyond;
        enum pb_policy_verdict verdict;
    } cases[] = {
        { "", PB_POLICY_DENY },
        { ", beyond: deny", PB_POLICY_DENY },
        { ", beyond: second_person", PB_POLICY_NEEDS_SECOND_PERSON },
        { ", beyond: allow", PB_POLICY_ALLOW },
    };
    struct fixture *fixture = *state;
    char text[600];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(
            text, sizeof(text),
            PACK_HEAD(
                "t", "everyone") "- { id: t.r, text: T, source: S, verified: yes, kind: look_back, "
                                 "at_most: 1 day%s }\n",
            cases[i].beyond);
        use_pack(fixture, text);
        assert_int_equal(cases[i].verdict, decide(fixture));
        (void)snprintf(
            text, sizeof(text),
            PACK_HEAD("t",
                      "everyone") "- { id: t.r, text: T, source: S, verified: yes, kind: window, "
                                  "at_most: 1 day%s }\n",
            cases[i].beyond);
        use_pack(fixture, text);
        assert_int_equal(cases[i].verdict, decide(fixture));
    }
}

static void
an_origin_rule_may_ask_for_a_second_person_or_yield(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    use_pack(fixture,
             PACK_HEAD("t", "capture_state")
                 PACK_RULE("t.second", "kind: look_back, at_most: 1 day, beyond: second_person, "
                                       "yields_to_break_glass: yes")
                     PACK_RULE("t.old",
                               "kind: look_back, at_most: 2 days, yields_to_break_glass: yes"));
    fixture->facts.origins[FACTS_SHERIFF_CA].capture_state =
        pb_jurisdiction_from_text(pb_str_from("US-KS"));
    request->from_us = FACTS_NOW - PB_DAY_US - 1;
    assert_int_equal(PB_POLICY_NEEDS_SECOND_PERSON, decide(fixture));
    request->from_us = FACTS_NOW - 2 * PB_DAY_US - 1;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    fixture->facts.people[FACTS_DEPUTY].permissions |= PB_MAY_BREAK_GLASS;
    request->purpose = pb_str_from("emergency");
    request->is_break_glass = true;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_true(fixture->decision.notifies_owners);
    assert_int_equal(PB_POLICY_ALLOW, spoken(fixture, "t.old")->verdict);
    assert_int_equal(0, spoken(fixture, "t.old")->origins_excluded);
}

static void
a_rule_that_speaks_again_adds_up(void **state)
{
    struct fixture *fixture = *state;

    /* Two profiles of Kansas: own, and the city's; the gate's owner is of a third class. */
    use_pack(fixture, PACK_HEAD("t", "capture_state") PACK_RULE("t.r", "kind: deny"));
    assert_int_equal(PB_POLICY_ALLOW,
                     decide(fixture)); /* the sheriff's own of California are left */
    assert_int_equal(3, spoken(fixture, "t.r")->origins_excluded);
}

static void
many_rules_may_speak_at_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->facts.request = (struct pb_policy_request){ .kind = PB_INQUIRY_COMMON };
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_true(fixture->decision.rule_count > 16);
    fixture->facts.request.person = pb_str_from("agent");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_true(fixture->decision.rule_count > 24);
    assert_non_null(spoken(fixture, "pia-039.Q5"));
}

/* ---- conditions ---- */

typedef void change_fn(struct facts *facts);

static void
change_nothing(struct facts *facts)
{
    (void)facts;
}

static void
change_kind(struct facts *facts)
{
    facts->request.kind = PB_INQUIRY_ASSOCIATES;
    facts->request.has_stepped_up = true;
}

static void
change_purpose(struct facts *facts)
{
    facts->request.purpose = pb_str_from("toll");
}

static void
change_purpose_to_unknown(struct facts *facts)
{
    facts->request.purpose = pb_str_from("unheard-of");
}

static void
change_asker_to_unknown(struct facts *facts)
{
    facts->request.person = pb_str_from("stranger");
}

static void
change_beneficiary_to_unknown(struct facts *facts)
{
    facts->request.on_behalf_of = pb_str_from("stranger");
}

static void
change_beneficiary_to_federal(struct facts *facts)
{
    facts->request.on_behalf_of = pb_str_from("agent");
}

static void
change_beneficiary_to_colleague(struct facts *facts)
{
    facts->request.on_behalf_of = pb_str_from("boss");
}

static void
change_relation(struct facts *facts)
{
    facts->request.relation = PB_RELATION_VICTIM;
}

static void
change_offence(struct facts *facts)
{
    facts->request.offence = pb_str_from("trespass");
}

static void
change_offence_to_unknown(struct facts *facts)
{
    facts->request.offence = pb_str_from("unheard-of");
}

static void
change_role(struct facts *facts)
{
    facts->request.person = pb_str_from("analyst");
}

static void
change_window(struct facts *facts)
{
    facts->request.from_us -= 1;
}

static void
change_to_break_glass(struct facts *facts)
{
    facts->request.is_break_glass = true;
}

static void
change_to_export(struct facts *facts)
{
    facts->request.is_export = true;
    facts->request.export_recipient = pb_str_from("sheriff");
}

static void
change_text(struct facts *facts)
{
    facts->request.justification = pb_str_from("Asked by ERO about Elm Street");
}

static void
change_asker_state(struct facts *facts)
{
    facts->agencies[FACTS_SHERIFF].jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-MO"));
}

static void
a_rule_applies_where_all_that_it_names_holds_or_is_not_known(void **state)
{
    static const struct {
        const char *when;
        change_fn *change;
        bool applies;
    } cases[] = {
        { "kinds: [plate, place]", change_nothing, true },
        { "kinds: [plate, place]", change_kind, false },
        { "purposes: [criminal-investigation]", change_nothing, true },
        { "purposes: [criminal-investigation]", change_purpose, false },
        { "purposes: [criminal-investigation]", change_purpose_to_unknown, true },
        { "purposes: [immigration]", change_nothing, false },
        { "purposes: [immigration]", change_text, true },
        { "purpose_classes: [criminal]", change_nothing, true },
        { "purpose_classes: [criminal]", change_purpose, false },
        { "purpose_classes: [private]", change_purpose_to_unknown, true },
        { "asker_classes: [local]", change_nothing, true },
        { "asker_classes: [federal]", change_nothing, false },
        { "asker_classes: [federal]", change_asker_to_unknown, true },
        { "beneficiary_classes: [federal]", change_nothing, false },
        { "beneficiary_classes: [federal]", change_beneficiary_to_federal, true },
        { "beneficiary_classes: [federal]", change_beneficiary_to_unknown, true },
        { "relations: [subject]", change_nothing, true },
        { "relations: [subject]", change_relation, false },
        { "offence_classes: [felony]", change_nothing, true },
        { "offence_classes: [felony]", change_offence, false },
        { "offence_classes: [civil]", change_offence_to_unknown, true },
        { "roles: [investigator]", change_nothing, true },
        { "roles: [investigator]", change_role, false },
        { "roles: [supervisor]", change_asker_to_unknown, true },
        { "reaches_back: 7 days", change_nothing, false },
        { "reaches_back: 7 days", change_window, true },
        { "break_glass: yes", change_nothing, false },
        { "break_glass: yes", change_to_break_glass, true },
        { "break_glass: no", change_to_break_glass, false },
        { "export: yes", change_nothing, false },
        { "export: yes", change_to_export, true },
        { "export: no", change_to_export, false },
        { "for_other_agency: yes", change_nothing, false },
        { "for_other_agency: yes", change_beneficiary_to_colleague, false },
        { "for_other_agency: yes", change_beneficiary_to_federal, true },
        { "for_other_agency: yes", change_beneficiary_to_unknown, true },
        { "for_other_agency: no", change_nothing, true },
        { "asker_in_state: yes", change_nothing, true },
        { "asker_in_state: yes", change_asker_state, false },
        { "asker_in_state: no", change_asker_state, true },
        { "asker_in_state: no", change_asker_to_unknown, true },
        { "owner_classes: [local]", change_nothing, true },
        { "owner_classes: [state]", change_nothing, false },
        { "own: yes", change_nothing, true },
        { "own: yes", change_beneficiary_to_federal, false },
        { "own: yes", change_beneficiary_to_colleague, true },
        { "own: yes", change_beneficiary_to_unknown, false },
        { "own: no", change_nothing, true },
        { "kinds: [plate], relations: [victim]", change_nothing, false },
        { "kinds: [plate], relations: [victim]", change_relation, true },
    };
    struct fixture *fixture = *state;
    char text[400];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        facts_init(&fixture->facts);
        cases[i].change(&fixture->facts);
        (void)snprintf(
            text, sizeof(text),
            PACK_HEAD("t",
                      "everyone") "- { id: t.r, text: T, source: S, verified: yes, kind: deny, "
                                  "when: { %s } }\n",
            cases[i].when);
        use_pack(fixture, text);
        (void)decide(fixture);
        if ((spoken(fixture, "t.r") != NULL) != cases[i].applies)
            fail_msg("case %zu: %s", i, cases[i].when);
    }
}

/* ---- purposes of agreements ---- */

static void
an_agreement_covers_a_purpose_by_its_code_or_by_all_that_it_counts_as(void **state)
{
    static const struct {
        const char *agreed[2];
        const char *asked;
        bool is_covered;
    } cases[] = {
        { { "criminal-investigation", NULL }, "criminal-investigation", true },
        { { "criminal-investigation", NULL }, "immigration-crime", false },
        { { "criminal-investigation", "immigration" }, "immigration-crime", true },
        { { "immigration", NULL }, "immigration-administrative", true },
        { { "immigration-crime", NULL }, "immigration-crime", true },
        { { "immigration-crime", NULL }, "immigration", false },
        { { "toll", "unheard-of" }, "criminal-investigation", false },
        { { NULL, NULL }, "criminal-investigation", false },
        { { "unheard-of", NULL }, "unheard-of", false },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_str purposes[2];
        struct pb_agreement *agreement;
        uint32_t count = 0;

        facts_init(&fixture->facts);
        agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);
        for (; count < 2 && cases[i].agreed[count] != NULL; count++)
            purposes[count] = pb_str_from(cases[i].agreed[count]);
        agreement->purposes = purposes;
        agreement->purpose_count = count;
        fixture->facts.request.purpose = pb_str_from(cases[i].asked);
        (void)decide(fixture);
        if (fixture->decision.admits_origin[FACTS_CITY_KS] != cases[i].is_covered)
            fail_msg("case %zu", i);
    }
}

static void
recipients_may_be_named_by_class_or_by_state_alone(void **state)
{
    static const struct {
        const char *members;
        enum pb_policy_verdict verdict;
    } cases[] = {
        { "", PB_POLICY_ALLOW },
        { ", agency_classes: [local]", PB_POLICY_ALLOW },
        { ", agency_classes: [state]", PB_POLICY_DENY },
        { ", states: [US-MO, US-KS]", PB_POLICY_ALLOW },
        { ", states: [US-MO]", PB_POLICY_DENY },
        { ", in_state: yes", PB_POLICY_ALLOW },
        { ", in_state: no", PB_POLICY_ALLOW },
        { ", states: [US]", PB_POLICY_ALLOW },
        { ", states: [GB]", PB_POLICY_DENY },
    };
    struct fixture *fixture = *state;
    char text[400];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       PACK_HEAD("t", "everyone") "- { id: t.r, text: T, source: S, verified: yes, "
                                                  "kind: recipients%s }\n",
                       cases[i].members);
        use_pack(fixture, text);
        if (decide(fixture) != cases[i].verdict)
            fail_msg("%s", cases[i].members);
    }
}

static void
odds_and_ends_of_kinds(void **state)
{
    static const struct {
        const char *rule;
        change_fn *change;
        bool speaks;
    } cases[] = {
        { "kind: reason_list, purposes: [toll]", change_nothing, true },
        { "kind: reason_list, purposes: [toll]", change_purpose, false },
        { "kind: reason_list, purpose_classes: [civil]", change_purpose, false },
        { "kind: reason_list", change_purpose, true },
        { "kind: permitted_purposes, purposes: [toll]", change_purpose_to_unknown, true },
        { "kind: veto_purposes, purposes: [toll]", change_purpose_to_unknown, true },
        { "kind: roles_allowed, roles: [analyst]", change_nothing, true },
        { "kind: roles_allowed, roles: [analyst]", change_role, false },
        { "kind: roles_allowed, roles: [analyst]", change_asker_to_unknown, true },
        { "kind: approver, roles: [supervisor]", change_nothing, false },
        { "kind: review_overdue, every: 1 year, late: forever", change_nothing, false },
        { "kind: review_overdue, every: 20 days, late: 9 days", change_nothing, true },
        { "kind: review_overdue, every: 20 days, late: 10 days", change_nothing, false },
        { "kind: review_overdue, every: 20 days, late: 10 days", change_asker_to_unknown, true },
        { "kind: case_number, pattern: '[0-9]+'", change_nothing, true },
        { "kind: case_number, pattern: '[0-9-]+'", change_nothing, false },
        { "kind: case_number, pattern: '[0-9-]+'", change_asker_to_unknown, false },
        { "kind: declaration, subject: x", change_nothing, true },
        { "kind: declaration, subject: x, out_of_state_only: yes", change_nothing, false },
        { "kind: declaration, subject: x, out_of_state_only: yes", change_asker_to_unknown, true },
        { "kind: fields_required, fields: [relation, offence, area]", change_nothing, true },
        { "kind: fields_required, fields: [relation, offence]", change_nothing, false },
        { "kind: training_valid", change_asker_to_unknown, true },
        { "kind: pack_required", change_asker_to_unknown, true },
        { "kind: text_counts_as, words: [ERO], purposes: [toll]", change_text, true },
        { "kind: case_state, if_unknown: second_person, if_closed: deny", change_nothing, true },
    };
    struct fixture *fixture = *state;
    char text[400];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        facts_init(&fixture->facts);
        cases[i].change(&fixture->facts);
        (void)snprintf(
            text, sizeof(text),
            PACK_HEAD("t", "everyone") "- { id: t.r, text: T, source: S, verified: yes, %s }\n",
            cases[i].rule);
        use_pack(fixture, text);
        (void)decide(fixture);
        if ((spoken(fixture, "t.r") != NULL) != cases[i].speaks)
            fail_msg("case %zu: %s", i, cases[i].rule);
    }
}

static void
a_second_person_of_the_wrong_role_does_not_count(void **state)
{
    struct fixture *fixture = *state;

    use_pack(fixture,
             PACK_HEAD("t", "everyone") PACK_RULE("t.r", "kind: approver, roles: [inspector]"));
    fixture->facts.request.approver = pb_str_from("boss");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    fixture->facts.people[FACTS_BOSS].role = pb_str_from("inspector");
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
}

static void
a_case_without_an_offence_does_not_contradict(void **state)
{
    struct fixture *fixture = *state;
    struct pb_case found = { .is_open = true };

    fixture->facts.request.found_case = &found;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    found.offence = pb_str_from("burglary");
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    found.offence = pb_str_from("murder");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    fixture->facts.request.offence = pb_str_from("");
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
}

/* ---- keeping ---- */

static void
retention_tells_which_rule_spoke(void **state)
{
    struct fixture *fixture = *state;
    struct pb_spoken_rule rule;
    struct pb_str listed[1] = { pb_str_from("t") }, missing[1] = { pb_str_from("no-such-pack") };

    use_pack(fixture, PACK_HEAD("t", "asker") PACK_RULE("t.k", "kind: retention, keep: 90 days"));
    fixture->facts.agencies[FACTS_GATE].packs = listed;
    assert_int_equal(90 * PB_DAY_US, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                            FACTS_GATE_KS, FACTS_NOW, &rule));
    assert_true(pb_str_equal(rule.id, pb_str_from("t.k")));
    fixture->facts.agencies[FACTS_GATE].retention_days = 90;
    assert_int_equal(90 * PB_DAY_US, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                            FACTS_GATE_KS, FACTS_NOW, &rule));
    assert_int_equal(3, rule.id.bytes); /* the contract speaks where both say the same */
    fixture->facts.agencies[FACTS_GATE].retention_days = 0;
    assert_int_equal(0, pb_policy_retention_us(fixture->rules, &fixture->facts.view, FACTS_GATE_KS,
                                               FACTS_NOW, &rule));
    assert_int_equal(0, rule.id.bytes);
    fixture->facts.agencies[FACTS_GATE].retention_days = -1;
    fixture->facts.agencies[FACTS_GATE].packs = missing;
    assert_int_equal(1826 * PB_DAY_US, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                              FACTS_GATE_KS, FACTS_NOW, NULL));
    assert_int_equal(PB_NEVER, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                      FACTS_GATE_KS, -1, &rule));
    assert_int_equal(0, rule.id.bytes);
    assert_int_equal(365 * PB_DAY_US, pb_policy_hold_max_us(fixture->rules, 0, FACTS_NOW, &rule));
    assert_true(pb_str_equal(rule.id, pb_str_from("platebase-base.hold")));
}

/* The least base that is one. */
static const char small_base[] =
    "pack: platebase-base\nversion: 1\ntitle: T\nvalid_from: 1970-01-01\nbinds: everyone\n"
    "purposes: [{ code: e, title: E, class: safety }]\nrules:\n"
#define SMALL(name, kind) \
    "- { id: platebase-base." name ", text: T, source: S, verified: yes, kind: " kind " }\n"
    SMALL("z", "duty, of: nothing") SMALL("a", "account_active") SMALL("b", "agreement")
        SMALL("c", "approver") SMALL("d", "beneficiary_known")
            SMALL("e", "break_glass, purposes: [e]") SMALL("f", "capture_state_known")
                SMALL("g", "contributors_only") SMALL("h", "log_retention, keep: 7 years")
                    SMALL("i", "packs_in_force") SMALL("j", "permission") SMALL("k", "person_known")
                        SMALL("l", "purpose_known") SMALL("m", "scope_not_empty");

static void
use_small_base(struct fixture *fixture, const char *more)
{
    struct pb_pack_source packs[2] = { { pb_str_from(small_base), "base.yaml" },
                                       { pb_str_from(more), "test.yaml" } };
    struct pb_rules *rules = NULL;

    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, more[0] == '\0' ? 1 : 2,
                                             &rules, NULL));
    pb_rules_unref(fixture->rules);
    fixture->rules = rules;
}

static void
the_least_base_pack_keeps_the_door_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    use_small_base(fixture, "");
    request->found_count = 1000000;
    assert_int_equal(PB_POLICY_DENY, decide(fixture)); /* a purpose that it does not declare */
    request->purpose = pb_str_from("e");
    request->is_break_glass = true;
    fixture->facts.people[FACTS_DEPUTY].permissions |= PB_MAY_BREAK_GLASS;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    assert_int_equal(UINT64_MAX, fixture->decision.confirm_at_rows);
    assert_int_equal(UINT64_MAX, fixture->decision.rows_max);
    assert_int_equal(PB_NEVER, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                      FACTS_SHERIFF_KS, FACTS_NOW, NULL));
    request->person = pb_str_from("stranger");
    request->on_behalf_of = pb_str_from("boss");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
}

static void
a_purpose_is_unknown_until_its_pack_is_in_force(void **state)
{
    struct fixture *fixture = *state;
    static const char pack[] =
        "pack: t\nversion: 1\ntitle: T\nvalid_from: 2026-06-01T12:00:00.000001Z\n"
        "binds: everyone\npurposes: [{ code: new, title: N, class: civil }]\nrules: []\n";

    use_pack(fixture, pack);
    fixture->facts.request.purpose = pb_str_from("new");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_non_null(spoken(fixture, "platebase-base.purpose"));
    assert_int_equal(PB_OK,
                     pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                      FACTS_NOW + 1, &fixture->arena, &fixture->decision));
    assert_int_equal(PB_POLICY_ALLOW, fixture->decision.verdict);
}

static void
an_offence_with_a_limit_past_reason_is_two_hundred_years(void **state)
{
    struct fixture *fixture = *state;

    use_pack(fixture, PACK_HEAD("t", "everyone") PACK_RULE("t.r", "kind: look_back_by_offence"));
    fixture->facts.offences[0].limitation_years = 100000;
    assert_int_equal(PB_POLICY_ALLOW, decide(fixture));
    fixture->facts.offences[0].limitation_years = 0;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
}

static void
whoever_nobody_knows_breaks_no_glass(void **state)
{
    struct fixture *fixture = *state;

    fixture->facts.request.person = pb_str_from("stranger");
    fixture->facts.request.on_behalf_of = pb_str_from("boss");
    fixture->facts.request.purpose = pb_str_from("emergency");
    fixture->facts.request.is_break_glass = true;
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_int_equal(PB_POLICY_DENY, spoken(fixture, "platebase-base.break-glass")->verdict);
}

static void
an_export_under_another_owners_agreement_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct pb_policy_request *request = &fixture->facts.request;

    facts_agree(&fixture->facts, FACTS_GATE, FACTS_CITY)->id = pb_str_from("of-the-gate");
    request->is_export = true;
    request->export_recipient = pb_str_from("city");
    request->export_agreement = pb_str_from("of-the-gate");
    assert_int_equal(PB_POLICY_DENY, decide(fixture));
    assert_string_equal("export_agreement", spoken(fixture, "platebase-base.export")->field);
}

static void
a_law_that_keeps_longer_than_the_base_is_silent(void **state)
{
    struct fixture *fixture = *state;
    struct pb_spoken_rule rule;

    use_pack(fixture,
             PACK_HEAD("t", "capture_state") PACK_RULE("t.k", "kind: retention, keep: 9 years"));
    assert_int_equal(1826 * PB_DAY_US, pb_policy_retention_us(fixture->rules, &fixture->facts.view,
                                                              FACTS_SHERIFF_KS, FACTS_NOW, &rule));
    assert_true(pb_str_equal(rule.id, pb_str_from("platebase-base.retention")));
}

/* ---- memory ---- */

/* Fails each allocation of a decision whose arena begins with so large a chunk. */
static void
sweep_from(struct fixture *fixture, size_t chunk_bytes, int64_t now_us)
{
    enum pb_status status = PB_E_NOMEM;

    for (uint64_t at = 1; status != PB_OK; at++) {
        struct fault_env fault;
        struct pb_arena arena;
        struct pb_decision decision = { .verdict = PB_POLICY_DENY };

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = at;
        pb_arena_init(&arena, &fault.env, chunk_bytes);
        status = pb_policy_decide(fixture->rules, &fixture->facts.view, &fixture->facts.request,
                                  now_us, &arena, &decision);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true(status == PB_OK || decision.rules == NULL); /* untouched */
        pb_arena_clear(&arena);
        assert_true(fault_env_is_clean(&fault));
    }
}

/* Memory comes in chunks, and each allocation is once the first that no longer fits. */
static void
sweep(struct fixture *fixture)
{
    for (size_t chunk_bytes = 256; chunk_bytes < 10000; chunk_bytes += 8)
        sweep_from(fixture, chunk_bytes, FACTS_NOW);
}

/* As long as the clock stands before every base pack nobody looks at origins. */
static void
sweep_without_rules(struct fixture *fixture)
{
    fixture->facts.view.origin_count = 64;
    for (size_t chunk_bytes = 256; chunk_bytes < 600; chunk_bytes += 8)
        sweep_from(fixture, chunk_bytes, -1);
}

static void
without_memory_there_is_no_decision(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t readers[] = { FACTS_CITY_KS };
    struct pb_agreement *agreement = facts_agree(&fixture->facts, FACTS_CITY, FACTS_SHERIFF);

    agreement->readers = readers;
    agreement->reader_count = 1;
    fixture->facts.agencies[FACTS_SHERIFF].case_pattern = pb_str_from("[0-9]{2}-(?:[0-9]{5})+");
    sweep(fixture);
    fixture->facts.request = (struct pb_policy_request){ .kind = PB_INQUIRY_COMMON };
    sweep(fixture);
    fixture->facts.view.origin_count = 0;
    sweep(fixture);
    sweep_without_rules(fixture);
}

static void
names_are_for_people(void **state)
{
    (void)state;
    assert_string_equal("allow", pb_policy_verdict_name(PB_POLICY_ALLOW));
    assert_string_equal("needs confirmation", pb_policy_verdict_name(PB_POLICY_NEEDS_CONFIRMATION));
    assert_string_equal("needs a second person",
                        pb_policy_verdict_name(PB_POLICY_NEEDS_SECOND_PERSON));
    assert_string_equal("deny", pb_policy_verdict_name(PB_POLICY_DENY));
    assert_string_equal("deny", pb_policy_verdict_name((enum pb_policy_verdict)99));
    assert_string_equal("plate", pb_inquiry_kind_name(PB_INQUIRY_PLATE));
    assert_string_equal("associates", pb_inquiry_kind_name(PB_INQUIRY_ASSOCIATES));
    assert_string_equal("", pb_inquiry_kind_name((enum pb_inquiry_kind)99));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(own_reads_need_no_agreement_and_other_owners_are_left_out),
        TEST(what_is_denied_admits_nothing),
        TEST(an_agreement_admits_the_readers_that_it_names),
        TEST(agreements_about_single_readers_add_up_and_leave_other_origins_alone),
        TEST(an_agreement_about_readers_elsewhere_leaves_an_origin_out),
        TEST(two_agreements_with_the_same_owner_add_up),
        TEST(every_party_needs_an_agreement_of_its_own),
        TEST(whoever_gets_an_export_is_a_party),
        TEST(an_owner_of_another_kind_is_another_profile),
        TEST(where_nobody_has_reads_it_may_be_asked_and_nothing_is_admitted),
        TEST(before_every_base_pack_nothing_is_allowed),
        TEST(more_packs_than_there_is_room_for_deny),
        TEST(a_pack_that_two_parties_list_speaks_once),
        TEST(a_rule_binds_agencies_of_its_state_as_asker_and_as_beneficiary),
        TEST(a_pack_of_a_country_binds_its_states),
        TEST(a_pack_that_is_not_yet_in_force_is_silent),
        TEST(a_look_back_may_clip_the_window),
        TEST(the_strictest_brake_counts_and_a_state_brakes_what_is_searched_of_it),
        TEST(what_is_no_number_is_too_large),
        TEST(a_window_from_one_end_of_time_to_the_other_is_no_trouble),
        TEST(past_a_limit_happens_what_the_rule_says),
        TEST(an_origin_rule_may_ask_for_a_second_person_or_yield),
        TEST(a_rule_that_speaks_again_adds_up),
        TEST(many_rules_may_speak_at_once),
        TEST(a_rule_applies_where_all_that_it_names_holds_or_is_not_known),
        TEST(an_agreement_covers_a_purpose_by_its_code_or_by_all_that_it_counts_as),
        TEST(recipients_may_be_named_by_class_or_by_state_alone),
        TEST(odds_and_ends_of_kinds),
        TEST(a_second_person_of_the_wrong_role_does_not_count),
        TEST(a_case_without_an_offence_does_not_contradict),
        TEST(retention_tells_which_rule_spoke),
        TEST(the_least_base_pack_keeps_the_door_and_nothing_else),
        TEST(a_purpose_is_unknown_until_its_pack_is_in_force),
        TEST(an_offence_with_a_limit_past_reason_is_two_hundred_years),
        TEST(whoever_nobody_knows_breaks_no_glass),
        TEST(an_export_under_another_owners_agreement_is_refused),
        TEST(a_law_that_keeps_longer_than_the_base_is_silent),
        TEST(without_memory_there_is_no_decision),
        TEST(names_are_for_people),
    };

    return cmocka_run_group_tests_name("policy/decide", tests, NULL, NULL);
}
