/*
 * Profiles: a decision judges origins that rules cannot tell apart together. Judged one by one,
 * each in a catalog that has nothing else, every origin must come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "policy/facts.h"

#define AGENCIES 6u
#define PEOPLE 12u
#define ORIGINS 40u
#define AGREEMENTS 24u
#define DECLARATIONS 8u
#define ROUNDS 400u

struct world {
    uint64_t random;
    struct facts facts;
    struct pb_agency agencies[AGENCIES];
    struct pb_person people[PEOPLE];
    struct pb_origin origins[ORIGINS];
    struct pb_reader_entry readers[ORIGINS];
    struct pb_agreement agreements[AGREEMENTS];
    struct pb_declaration declarations[DECLARATIONS];
    struct pb_str purposes[4], federal_packs[1];
    uint32_t some_readers[AGREEMENTS];
};

static const char *const agency_ids[AGENCIES] = { "a0", "a1", "a2", "a3", "a4", "a5" };
static const char *const person_ids[PEOPLE] = { "p00", "p01", "p02", "p03", "p04", "p05",
                                                "p06", "p07", "p08", "p09", "p10", "p11" };
static const char *const states[] = { "US-KS", "US-CA", "US-IL",  "US-VA", "US-MN",
                                      "US-NM", "US-VT", "US-UT",  "US-WA", "US-CT",
                                      "US-MT", "US-NC", "GB-ENG", "FR" };
static const char *const purposes[] = {
    "criminal-investigation", "immigration-crime", "toll",
    "missing-person",         "court-order",       "traffic-enforcement"
};

#define PICK(world, array) (array)[pick(world, sizeof(array) / sizeof((array)[0]))]

/* xorshift64: the same worlds on every machine. */
static uint32_t
pick(struct world *world, size_t count)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random % count);
}

static uint16_t
pick_state(struct world *world)
{
    return pb_jurisdiction_from_text(pb_str_from(PICK(world, states)));
}

static void
make_people(struct world *world)
{
    for (uint32_t i = 0; i < AGENCIES; i++) {
        enum pb_agency_class class = (enum pb_agency_class)pick(world, 4);

        world->agencies[i] = facts_agency(agency_ids[i], class, PICK(world, states));
        world->agencies[i].contributes = pick(world, 4) != 0;
        if (class == PB_AGENCY_FEDERAL || class == PB_AGENCY_PRIVATE) {
            world->agencies[i].packs = world->federal_packs;
            world->agencies[i].pack_count = 1;
        }
    }
    for (uint32_t i = 0; i < PEOPLE; i++)
        world->people[i] = facts_person(person_ids[i], pick(world, AGENCIES), "investigator");
}

static void
make_origins(struct world *world)
{
    for (uint32_t i = 0; i < ORIGINS; i++) {
        uint16_t state = pick(world, 12) == 0 ? 0 : pick_state(world);

        world->origins[i] = (struct pb_origin){ pick(world, AGENCIES), state, 1 };
        world->readers[i] = (struct pb_reader_entry){ .agency = world->origins[i].agency,
                                                      .origin = i,
                                                      .capture_state = state };
    }
}

static void
make_agreements(struct world *world)
{
    for (uint32_t i = 0; i < AGREEMENTS; i++) {
        world->some_readers[i] = pick(world, ORIGINS);
        world->agreements[i] = (struct pb_agreement){
            .id = pb_str_from("g"),
            .owner = world->origins[world->some_readers[i]].agency,
            .asker = pick(world, AGENCIES),
            .purposes = world->purposes,
            .purpose_count = 4,
            .readers = &world->some_readers[i],
            .reader_count = pick(world, 3) == 0,
            .ends_at_us = FACTS_LATER,
        };
    }
    for (uint32_t i = 0; i < DECLARATIONS; i++)
        world->declarations[i] = (struct pb_declaration){
            .id = pb_str_from("d"),
            .subject = pb_str_from("protected-purposes"),
            .agency = pick(world, AGENCIES),
            .jurisdiction = pick_state(world),
            .expires_at_us = FACTS_LATER,
        };
}

static void
make_world(struct world *world)
{
    struct pb_policy_request *request = &world->facts.request;

    facts_init(&world->facts);
    for (int i = 0; i < 4; i++)
        world->purposes[i] = pb_str_from(purposes[i]);
    world->federal_packs[0] = pb_str_from("us-al"); /* one that binds nobody who asks */
    make_people(world);
    make_origins(world);
    make_agreements(world);
    world->facts.view = (struct pb_catalog_view){
        .agencies = world->agencies,
        .agency_count = AGENCIES,
        .people = world->people,
        .person_count = PEOPLE,
        .readers = world->readers,
        .reader_count = ORIGINS,
        .origins = world->origins,
        .origin_count = ORIGINS,
        .agreements = world->agreements,
        .agreement_count = AGREEMENTS,
        .declarations = world->declarations,
        .declaration_count = DECLARATIONS,
        .offences = world->facts.offences,
        .offence_count = 3,
    };
    request->person = pb_str_from(PICK(world, person_ids));
    if (pick(world, 2) == 0)
        request->on_behalf_of = pb_str_from(PICK(world, person_ids));
    request->purpose = pb_str_from(PICK(world, purposes));
    request->offence = pb_str_from(pick(world, 2) == 0 ? "burglary" : "trespass");
    request->from_us = FACTS_NOW - (int64_t)(1 + pick(world, 200)) * PB_DAY_US;
    request->found_count = pick(world, 3) == 0 ? 10000 : PB_COUNT_UNKNOWN;
}

/* One origin of the world and nothing else, with its reader. */
static void
keep_one(const struct world *world, uint32_t origin, struct world *ret_alone)
{
    *ret_alone = *world;
    ret_alone->origins[0] = world->origins[origin];
    ret_alone->readers[0] = world->readers[origin];
    ret_alone->readers[0].origin = 0;
    ret_alone->facts.view.agencies = ret_alone->agencies;
    ret_alone->facts.view.people = ret_alone->people;
    ret_alone->facts.view.origins = ret_alone->origins;
    ret_alone->facts.view.readers = ret_alone->readers;
    ret_alone->facts.view.agreements = ret_alone->agreements;
    ret_alone->facts.view.origin_count = 1;
    ret_alone->facts.view.reader_count = 1;
    /* An agreement about another reader is one about none of these. */
    for (uint32_t i = 0; i < AGREEMENTS; i++) {
        struct pb_agreement *agreement = &ret_alone->agreements[i];

        if (agreement->reader_count == 0)
            continue;
        ret_alone->some_readers[i] = 0;
        agreement->readers = &ret_alone->some_readers[i];
        agreement->is_revoked = world->some_readers[i] != origin;
    }
}

static void
decide(const struct pb_rules *rules, const struct world *world, struct pb_arena *arena,
       struct pb_decision *ret_decision)
{
    assert_int_equal(PB_OK, pb_policy_decide(rules, &world->facts.view, &world->facts.request,
                                             FACTS_NOW, arena, ret_decision));
}

/* What the origins that are left demand together. */
struct together {
    enum pb_policy_verdict verdict;
    int64_t log_retention_us;
    uint32_t admitted;
};

static void
compare_one(const struct pb_rules *rules, const struct world *world, uint32_t origin,
            const struct pb_decision *whole, struct together *together)
{
    static struct world alone;
    struct pb_arena arena;
    struct pb_decision decision;
    bool is_admitted = whole->admits_origin[origin] &&
                       (whole->admits_reader == NULL || whole->admits_reader[origin]);

    pb_arena_init(&arena, pb_env_system(), 8192);
    keep_one(world, origin, &alone);
    decide(rules, &alone, &arena, &decision);
    assert_int_equal(is_admitted, decision.verdict != PB_POLICY_DENY);
    if (is_admitted) {
        together->admitted++;
        if (decision.verdict > together->verdict)
            together->verdict = decision.verdict;
        if (decision.log_retention_us > together->log_retention_us)
            together->log_retention_us = decision.log_retention_us;
    }
    pb_arena_clear(&arena);
}

static void
each_origin_comes_out_as_if_it_were_alone(void **state)
{
    static struct world world;
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);
    struct pb_rules *rules = NULL;
    unsigned allowed = 0, second = 0, confirmed = 0, denied = 0, partial = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, count, &rules, NULL));
    world.random = UINT64_C(88172645463325252);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct together together = { PB_POLICY_ALLOW, 0, 0 };
        struct pb_arena arena;
        struct pb_decision whole;

        make_world(&world);
        pb_arena_init(&arena, pb_env_system(), 8192);
        decide(rules, &world, &arena, &whole);
        for (uint32_t i = 0; i < ORIGINS; i++)
            compare_one(rules, &world, i, &whole, &together);
        if (whole.verdict != PB_POLICY_DENY) {
            assert_int_equal(together.verdict, whole.verdict);
            assert_int_equal(together.log_retention_us, whole.log_retention_us);
        }
        assert_int_equal(together.admitted, whole.origins_admitted);
        allowed += whole.verdict == PB_POLICY_ALLOW;
        confirmed += whole.verdict == PB_POLICY_NEEDS_CONFIRMATION;
        second += whole.verdict == PB_POLICY_NEEDS_SECOND_PERSON;
        denied += whole.verdict == PB_POLICY_DENY;
        partial += whole.admits_reader != NULL;
        pb_arena_clear(&arena);
    }
    print_message("%u allowed, %u to confirm, %u for a second person, %u denied, %u by reader\n",
                  allowed, confirmed, second, denied, partial);
    /* The worlds are varied enough to mean something. */
    assert_true(allowed > 20 && confirmed > 10 && second > 10 && denied > 20 && partial > 20);
    pb_rules_unref(rules);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_origin_comes_out_as_if_it_were_alone),
    };

    return cmocka_run_group_tests_name("policy/profiles", tests, NULL, NULL);
}
