/*
 * Facts: a catalog view made by hand, and an inquiry that every shipped rule allows.
 *
 *     struct facts facts;
 *
 *     facts_init(&facts);
 *     facts.people[FACTS_ANALYST].training_valid_until_us = FACTS_NOW;
 *     ...pb_policy_decide(rules, &facts.view, &facts.request, FACTS_NOW, ...)
 *
 * Two agencies of Kansas that contribute, a federal one that only asks, a private gate; readers of
 * Kansas, and one of Illinois and of California each.
 */
#ifndef PB_TESTS_POLICY_FACTS_H
#define PB_TESTS_POLICY_FACTS_H

#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "policy/policy.h"

#define FACTS_NOW INT64_C(1780315200000000) /* 2026-06-01T12:00:00Z */
#define FACTS_LONG_AGO (FACTS_NOW - 30 * PB_DAY_US)
#define FACTS_LATER (FACTS_NOW + 30 * PB_DAY_US)

/* In the order of their ids, as a view has them. */
enum { FACTS_CITY, FACTS_FEDERAL, FACTS_GATE, FACTS_SHERIFF, FACTS_AGENCIES };
enum { FACTS_AGENT, FACTS_ANALYST, FACTS_BOSS, FACTS_DEPUTY, FACTS_GUARD, FACTS_PEOPLE };
enum {
    FACTS_CITY_KS,
    FACTS_CITY_IL,
    FACTS_SHERIFF_KS,
    FACTS_SHERIFF_CA,
    FACTS_GATE_KS,
    FACTS_ORIGINS
};
enum { FACTS_READERS = FACTS_ORIGINS + 1 }; /* the sheriff has two in Kansas */
#define FACTS_AGREEMENTS_MAX 4
#define FACTS_DECLARATIONS_MAX 4

struct facts {
    struct pb_agency agencies[FACTS_AGENCIES];
    struct pb_person people[FACTS_PEOPLE];
    struct pb_origin origins[FACTS_ORIGINS];
    struct pb_reader_entry readers[FACTS_READERS];
    struct pb_agreement agreements[FACTS_AGREEMENTS_MAX];
    struct pb_declaration declarations[FACTS_DECLARATIONS_MAX];
    struct pb_offence offences[3];
    struct pb_str federal_packs[1], gate_packs[1], purposes[2];
    struct pb_catalog_view view;
    struct pb_policy_request request;
};

static inline struct pb_agency
facts_agency(const char *id, enum pb_agency_class class, const char *jurisdiction)
{
    return (struct pb_agency){
        .id = pb_str_from(id),
        .name = pb_str_from(id),
        .class = class,
        .jurisdiction = pb_jurisdiction_from_text(pb_str_from(jurisdiction)),
        .contributes = class != PB_AGENCY_FEDERAL,
        .is_active = true,
        .retention_days = -1,
        .reviewed_at_us = FACTS_LONG_AGO,
        .created_at_us = FACTS_LONG_AGO,
    };
}

static inline struct pb_person
facts_person(const char *id, uint32_t agency, const char *role)
{
    return (struct pb_person){
        .id = pb_str_from(id),
        .name = pb_str_from(id),
        .agency = agency,
        .status = PB_PERSON_ACTIVE,
        .role = pb_str_from(role),
        .permissions = PB_MAY_PLATE | PB_MAY_PATTERN | PB_MAY_PLACE | PB_MAY_COMMON |
                       PB_MAY_ASSOCIATES | PB_MAY_EXPORT,
        .training_valid_until_us = FACTS_LATER,
    };
}

static inline void
facts_add_origin(struct facts *facts, uint32_t at, uint32_t agency, const char *state)
{
    uint16_t capture_state = pb_jurisdiction_from_text(pb_str_from(state));

    facts->origins[at] = (struct pb_origin){ agency, capture_state, 1 };
    facts->readers[at] = (struct pb_reader_entry){
        .agency = agency,
        .origin = at,
        .capture_state = capture_state,
        .is_active = true,
    };
}

static inline void
facts_init_request(struct facts *facts)
{
    facts->request = (struct pb_policy_request){
        .kind = PB_INQUIRY_PLATE,
        .person = pb_str_from("deputy"),
        .purpose = pb_str_from("criminal-investigation"),
        .offence = pb_str_from("burglary"),
        .case_number = pb_str_from("26-00471"),
        .justification = pb_str_from("Burglary series on Elm Street, vehicle seen by a witness"),
        .plate = pb_str_from("ABC123"),
        .known_characters = 6,
        .is_plate_exact = true,
        .jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-KS")),
        .from_us = FACTS_NOW - 7 * PB_DAY_US,
        .to_us = FACTS_NOW,
        .relation = PB_RELATION_SUBJECT,
        .found_count = PB_COUNT_UNKNOWN,
    };
}

static inline void
facts_init(struct facts *facts)
{
    static const char *const reader_ids[FACTS_READERS] = { "r0", "r1", "r2", "r3", "r4", "r5" };
    uint16_t ks = pb_jurisdiction_from_text(pb_str_from("US-KS"));

    memset(facts, 0, sizeof(*facts));
    facts->agencies[FACTS_CITY] = facts_agency("city", PB_AGENCY_LOCAL, "US-KS");
    facts->agencies[FACTS_FEDERAL] = facts_agency("federal", PB_AGENCY_FEDERAL, "US");
    facts->agencies[FACTS_GATE] = facts_agency("gate", PB_AGENCY_PRIVATE, "US-KS");
    facts->agencies[FACTS_SHERIFF] = facts_agency("sheriff", PB_AGENCY_LOCAL, "US-KS");
    facts->federal_packs[0] = pb_str_from("pia-039");
    facts->agencies[FACTS_FEDERAL].packs = facts->federal_packs;
    facts->agencies[FACTS_FEDERAL].pack_count = 1;
    facts->gate_packs[0] = pb_str_from("private-site");
    facts->agencies[FACTS_GATE].packs = facts->gate_packs;
    facts->agencies[FACTS_GATE].pack_count = 1;

    facts->people[FACTS_AGENT] = facts_person("agent", FACTS_FEDERAL, "investigator");
    facts->people[FACTS_ANALYST] = facts_person("analyst", FACTS_SHERIFF, "analyst");
    facts->people[FACTS_BOSS] = facts_person("boss", FACTS_SHERIFF, "supervisor");
    facts->people[FACTS_BOSS].permissions |= PB_MAY_APPROVE;
    facts->people[FACTS_DEPUTY] = facts_person("deputy", FACTS_SHERIFF, "investigator");
    facts->people[FACTS_GUARD] = facts_person("guard", FACTS_GATE, "officer");

    facts_add_origin(facts, FACTS_CITY_KS, FACTS_CITY, "US-KS");
    facts_add_origin(facts, FACTS_CITY_IL, FACTS_CITY, "US-IL");
    facts_add_origin(facts, FACTS_SHERIFF_KS, FACTS_SHERIFF, "US-KS");
    facts_add_origin(facts, FACTS_SHERIFF_CA, FACTS_SHERIFF, "US-CA");
    facts_add_origin(facts, FACTS_GATE_KS, FACTS_GATE, "US-KS");
    facts->readers[FACTS_READERS - 1] = facts->readers[FACTS_SHERIFF_KS];
    facts->origins[FACTS_SHERIFF_KS].reader_count = 2;
    for (int i = 0; i < FACTS_READERS; i++)
        facts->readers[i].id = pb_str_from(reader_ids[i]);

    facts->offences[0] = (struct pb_offence){ pb_str_from("burglary"), pb_str_from("Burglary"),
                                              pb_str_from("felony"), ks, 5 };
    facts->offences[1] = (struct pb_offence){ pb_str_from("murder"), pb_str_from("Murder"),
                                              pb_str_from("felony"), ks, -1 };
    facts->offences[2] = (struct pb_offence){ pb_str_from("trespass"), pb_str_from("Trespass"),
                                              pb_str_from("misdemeanor"), ks, 1 };
    facts->view = (struct pb_catalog_view){
        .agencies = facts->agencies,
        .agency_count = FACTS_AGENCIES,
        .people = facts->people,
        .person_count = FACTS_PEOPLE,
        .readers = facts->readers,
        .reader_count = FACTS_READERS,
        .origins = facts->origins,
        .origin_count = FACTS_ORIGINS,
        .agreements = facts->agreements,
        .declarations = facts->declarations,
        .offences = facts->offences,
        .offence_count = 3,
    };
    facts_init_request(facts);
}

/* owner lets asker ask about crime, a month from now at most. */
static inline struct pb_agreement *
facts_agree(struct facts *facts, uint32_t owner, uint32_t asker)
{
    struct pb_agreement *agreement = &facts->agreements[facts->view.agreement_count++];

    facts->purposes[0] = pb_str_from("criminal-investigation");
    *agreement = (struct pb_agreement){
        .id = pb_str_from("agreement"),
        .owner = owner,
        .asker = asker,
        .purposes = facts->purposes,
        .purpose_count = 1,
        .starts_at_us = FACTS_LONG_AGO,
        .ends_at_us = FACTS_LATER,
    };
    return agreement;
}

#endif
