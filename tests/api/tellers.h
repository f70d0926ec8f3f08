/*
 * The service with people of two agencies who show tokens of theirs:
 *
 *   adm    administers kansas-pd       rita   administers river-pd
 *   opal   operates (of kansas-pd)     aud     audits kansas-pd
 *   doe    may neither, and has tokens for both all the same
 */
#ifndef PB_TESTS_API_TELLERS_H
#define PB_TESTS_API_TELLERS_H

#include "api/service.h"
#include "inquiry/site_room.h"

#include "api/token.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct people {
    struct site_room room;
    struct service service;
    char adm[PB_TOKEN_TEXT_BYTES], rita[PB_TOKEN_TEXT_BYTES], opal[PB_TOKEN_TEXT_BYTES];
    char aud[PB_TOKEN_TEXT_BYTES], rivaud[PB_TOKEN_TEXT_BYTES], doe[PB_TOKEN_TEXT_BYTES];
    char nobody[PB_TOKEN_TEXT_BYTES]; /* administers kansas-pd, for no person */
};

static const char people_yaml[] =
    "people:\n"
    "  - { id: rita, agency: river-pd, name: R. Ita, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: opal, agency: kansas-pd, name: O. Pal, role: operator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: \"new\", agency: kansas-pd, name: N. Ew, role: officer }\n"
    "cases:\n"
    "  - { id: \"river-pd:26/1\", offence: burglary }\n"
    "declarations:\n"
    "  - { id: promise, agency: kansas-pd, jurisdiction: US-IL, subject: il-test, signer: S. Igner,"
    " text_sha256: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff,"
    " signed_at: 2026-01-01, expires_at: 2027-01-01 }\n"
    "holds:\n"
    "  - { id: keep, agency: kansas-pd, case: \"kansas-pd:26-00471\", authority: court-order,"
    " facts: An order, plate: KSA123, from: 2026-05-01, to: 2026-06-01,"
    " expires_at: 2026-07-01 }\n";

static inline void
people_add_token(struct people *people, const char *agency, const char *person, unsigned verbs,
                 char text[PB_TOKEN_TEXT_BYTES])
{
    struct pb_api_token token = {
        .agency = pb_str_from(agency),
        .person = pb_str_from(person),
        .verbs = verbs,
        .expires_at_us = people->room.now_us + 30 * PB_DAY_US,
    };

    room_expect(&people->room, PB_OK,
                pb_api_token_add(people->room.env, people->room.site, &token, text,
                                 &people->room.error),
                "token");
}

static inline int
people_setup(void **state)
{
    struct people *people = calloc(1, sizeof(*people));
    const unsigned both = PB_TOKEN_ADMINISTER | PB_TOKEN_AUDIT;

    assert_non_null(people);
    room_init(&people->room);
    room_import(&people->room, people_yaml);
    service_init(&people->service);
    people->service.env = people->room.env;
    people->service.options.site = people->room.site;
    people->service.options.takes_inquiries = true;
    people_add_token(people, "kansas-pd", "adm", both, people->adm);
    people_add_token(people, "river-pd", "rita", both, people->rita);
    people_add_token(people, "kansas-pd", "opal", both, people->opal);
    people_add_token(people, "kansas-pd", "aud", both, people->aud);
    people_add_token(people, "river-pd", "rivaud", both, people->rivaud);
    people_add_token(people, "kansas-pd", "doe", both | PB_TOKEN_ASK, people->doe);
    people_add_token(people, "kansas-pd", NULL, PB_TOKEN_ADMINISTER, people->nobody);
    *state = people;
    return 0;
}

static inline int
people_teardown(void **state)
{
    struct people *people = *state;

    service_done(&people->service);
    room_done(&people->room);
    free(people);
    return 0;
}

/* One call; what comes back is checked against the description of `template`. more: headers with
 * their ends, or "". */
static inline int
people_call(const struct people *people, struct client *client, const char *token,
            const char *method, const char *target, const char *template, const char *more,
            const char *body)
{
    const char *type = target[0] == '/' && strstr(target, ".yaml") != NULL ? "application/yaml"
                                                                           : "application/json";
    char head[1024];
    int length = snprintf(head, sizeof(head), "Authorization: Bearer %s\r\n%s", token, more);

    assert_true(length > 0 && (size_t)length < sizeof(head));
    if (body != NULL)
        length += snprintf(head + length, sizeof(head) - (size_t)length,
                           "Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    assert_true((size_t)length < sizeof(head));
    return service_ask(&people->service, client, method, target, template, head, body);
}

/* As people_call; fails where the status is another one, or the body does not hold `has`. */
static inline void
people_expect(const struct people *people, const char *token, const char *method,
              const char *target, const char *template, const char *more, const char *body,
              int status, const char *has)
{
    struct client client;
    int got = people_call(people, &client, token, method, target, template, more, body);

    if (got != status || strstr(client_body(&client), has) == NULL)
        fail_msg("%s %s %s\n-> %d: %s", method, target, body != NULL ? body : "", got,
                 client_body(&client));
    client_close(&client);
}

#endif
