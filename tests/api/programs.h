/*
 * Programs that ask over HTTP: the site of site_room.h behind a service, and tokens for it.
 */
#ifndef PB_TESTS_API_PROGRAMS_H
#define PB_TESTS_API_PROGRAMS_H

#include "api/service.h"
#include "inquiry/site_room.h"

#include "api/token.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define DAY (24 * 3600 * INT64_C(1000000))

struct programs {
    struct site_room room;
    struct service service;
    char reads[PB_TOKEN_TEXT_BYTES]; /* kansas-pd, any reader */
    char one[PB_TOKEN_TEXT_BYTES];   /* kansas-pd, only k1 */
    char ask[PB_TOKEN_TEXT_BYTES];   /* kansas-pd, as doe */
    char admin[PB_TOKEN_TEXT_BYTES]; /* kansas-pd */
    char river[PB_TOKEN_TEXT_BYTES]; /* river-pd: reads and administer */
};

static inline void
add_token(struct programs *programs, const char *agency, unsigned verbs, const char *person,
          const char *reader, char text[PB_TOKEN_TEXT_BYTES])
{
    struct pb_str readers[1] = { pb_str_from(reader) };
    struct pb_api_token token = {
        .agency = pb_str_from(agency),
        .person = pb_str_from(person),
        .label = pb_str_from("a test"),
        .verbs = verbs,
        .readers = readers,
        .reader_count = reader != NULL ? 1 : 0,
        .expires_at_us = programs->room.now_us + 30 * DAY,
    };

    room_expect(&programs->room, PB_OK,
                pb_api_token_add(programs->room.env, programs->room.site, &token, text,
                                 &programs->room.error),
                "token");
}

static inline int
setup(void **state)
{
    struct programs *programs = calloc(1, sizeof(*programs));

    assert_non_null(programs);
    room_init(&programs->room);
    service_init(&programs->service);
    programs->service.env = programs->room.env;
    programs->service.options.site = programs->room.site;
    programs->service.options.takes_inquiries = true;
    programs->service.options.takes_reads = true;
    add_token(programs, "kansas-pd", PB_TOKEN_READS, NULL, NULL, programs->reads);
    add_token(programs, "kansas-pd", PB_TOKEN_READS, NULL, "k1", programs->one);
    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "doe", NULL, programs->ask);
    add_token(programs, "kansas-pd", PB_TOKEN_ADMINISTER, NULL, NULL, programs->admin);
    add_token(programs, "river-pd", PB_TOKEN_READS | PB_TOKEN_ADMINISTER, NULL, NULL,
              programs->river);
    *state = programs;
    return 0;
}

static inline int
teardown(void **state)
{
    struct programs *programs = *state;

    service_done(&programs->service);
    room_done(&programs->room);
    free(programs);
    return 0;
}

/* ---- asking over HTTP ---- */

static inline int
call(const struct programs *programs, struct client *client, const char *method, const char *target,
     const char *template, const char *token, const char *type, const char *body)
{
    char more[512];
    int length = 0;

    if (token != NULL)
        length += snprintf(more + length, sizeof(more) - (size_t)length,
                           "Authorization: Bearer %s\r\n", token);
    if (body != NULL)
        length += snprintf(more + length, sizeof(more) - (size_t)length,
                           "Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    more[length] = '\0';
    return service_ask(&programs->service, client, method, target, template, more, body);
}

#endif
