/*
 * Many programs at once: nothing acknowledged is missing, and a revocation holds.
 */
#include "api/service.h"

#include <sched.h>

#include "inquiry/site_room.h"

#include "api/token.h"

#define SENDERS 6u
#define READS_EACH 40u
#define ASKERS 3u
#define ASKS_EACH 15u

struct together {
    struct site_room room;
    struct service service;
    char reads[PB_TOKEN_TEXT_BYTES];
    char ask[PB_TOKEN_TEXT_BYTES];
    char doomed[PB_TOKEN_TEXT_BYTES];
    _Atomic bool is_revoked;
    _Atomic unsigned uses; /* of the doomed one */
};

struct sender {
    struct together *together;
    unsigned number;
    unsigned stored, answered, after_revocation;
    pthread_t thread;
};

static void
add_token(struct together *together, unsigned verbs, const char *person,
          char text[PB_TOKEN_TEXT_BYTES])
{
    struct pb_api_token token = {
        .agency = pb_str_from("kansas-pd"),
        .person = pb_str_from(person),
        .verbs = verbs,
        .expires_at_us = together->room.now_us + PB_DAY_US,
    };

    room_expect(&together->room, PB_OK,
                pb_api_token_add(together->room.env, together->room.site, &token, text,
                                 &together->room.error),
                "token");
}

static int
setup(void **state)
{
    struct together *together = calloc(1, sizeof(*together));

    assert_non_null(together);
    room_init(&together->room);
    service_init(&together->service);
    together->service.env = together->room.env;
    together->service.options.site = together->room.site;
    together->service.options.takes_inquiries = true;
    together->service.options.takes_reads = true;
    together->service.fixture.options.worker_threads = 8;
    add_token(together, PB_TOKEN_READS, NULL, together->reads);
    add_token(together, PB_TOKEN_ASK, "doe", together->ask);
    add_token(together, PB_TOKEN_READS, NULL, together->doomed);
    service_start(&together->service);
    *state = together;
    return 0;
}

static int
teardown(void **state)
{
    struct together *together = *state;

    service_done(&together->service);
    room_done(&together->room);
    free(together);
    return 0;
}

/* One request with a body on an open connection; the status. */
static int
post(struct client *client, const char *path, const char *token, const char *body)
{
    char request[2048];

    client_forget(client);
    (void)snprintf(request, sizeof(request),
                   "POST %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   path, token, strlen(body), body);
    return client_say(client, request) ? client_reply(client) : 0;
}

static void *
send_on(void *context)
{
    struct sender *sender = context;
    struct client client = client_connect(&sender->together->service.fixture);

    for (unsigned i = 0; i < READS_EACH; i++) {
        char body[256];

        /* Every sender brings readers that nobody knows yet, some of them the same. */
        (void)snprintf(body, sizeof(body),
                       "{\"plate\":\"K%u%03u\",\"reader\":\"new-%u\","
                       "\"captured_at\":\"2026-06-01T11:00:00Z\"}",
                       sender->number, i, (sender->number + i) % 4);
        if (post(&client, "/v1/reads", sender->together->reads, body) == 200)
            sender->stored += strstr(client_body(&client), "[\"stored\"]") != NULL;
    }
    client_close(&client);
    return NULL;
}

static void *
ask_on(void *context)
{
    static const char body[] =
        "{\"plate\":\"K0000\",\"jurisdiction\":\"unknown\","
        "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\","
        "\"case_number\":\"26-00471\",\"relation\":\"subject\","
        "\"justification\":\"Burglary series on Elm Street, vehicle seen by a witness\","
        "\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}";
    struct sender *sender = context;
    struct client client = client_connect(&sender->together->service.fixture);

    for (unsigned i = 0; i < ASKS_EACH; i++)
        sender->answered += post(&client, "/v1/inquiries", sender->together->ask, body) == 200;
    client_close(&client);
    return NULL;
}

static void *
use_until_refused(void *context)
{
    struct sender *sender = context;
    struct together *together = sender->together;
    struct client client = client_connect(&together->service.fixture);

    for (;;) {
        bool was_revoked = atomic_load(&together->is_revoked);
        int status = post(&client, "/v1/reads", together->doomed,
                          "{\"plate\":\"KSA1\",\"reader\":\"k1\","
                          "\"captured_at\":\"2026-06-01T11:00:00Z\"}");

        if (status != 200)
            break;
        (void)atomic_fetch_add(&together->uses, 1);
        sender->after_revocation += was_revoked;
    }
    client_close(&client);
    return NULL;
}

static void
what_is_acknowledged_to_many_is_there_after_a_restart(void **state)
{
    struct together *together = *state;
    struct sender senders[SENDERS] = { 0 }, askers[ASKERS] = { 0 };
    struct pb_store_stats stats;

    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .together = together, .number = i };
        assert_int_equal(0, pthread_create(&senders[i].thread, NULL, send_on, &senders[i]));
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i] = (struct sender){ .together = together };
        assert_int_equal(0, pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]));
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(0, pthread_join(senders[i].thread, NULL));
        assert_int_equal(READS_EACH, senders[i].stored);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        assert_int_equal(0, pthread_join(askers[i].thread, NULL));
        assert_int_equal(ASKS_EACH, askers[i].answered);
    }
    assert_int_equal(ASKERS * ASKS_EACH, room_leaves(&together->room, "kansas-pd", "query", NULL));
    assert_int_equal(ASKERS * ASKS_EACH, room_leaves(&together->room, "kansas-pd", "result", NULL));

    service_done(&together->service);
    room_reopen(&together->room);
    room_expect(&together->room, PB_OK,
                pb_store_stats(pb_site_store(together->room.site), &stats, &together->room.error),
                "stats");
    assert_int_equal(SENDERS * READS_EACH, stats.reads);
    service_init(&together->service); /* for teardown */
}

static void
a_revoked_token_sends_nothing_once_that_was_said(void **state)
{
    struct together *together = *state;
    struct sender users[3];
    struct client client;
    char request[512];

    for (unsigned i = 0; i < 3; i++) {
        users[i] = (struct sender){ .together = together };
        assert_int_equal(0, pthread_create(&users[i].thread, NULL, use_until_refused, &users[i]));
    }
    while (atomic_load(&together->uses) < 5)
        (void)sched_yield();
    client = client_connect(&together->service.fixture);
    (void)snprintf(request, sizeof(request),
                   "DELETE /v1/tokens/%.12s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\n\r\n",
                   together->doomed + 3, together->doomed);
    assert_true(client_say(&client, request));
    assert_int_equal(200, client_reply(&client));
    atomic_store(&together->is_revoked, true);
    client_close(&client);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(0, pthread_join(users[i].thread, NULL));
        assert_int_equal(0, users[i].after_revocation);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(what_is_acknowledged_to_many_is_there_after_a_restart),
        CASE(a_revoked_token_sends_nothing_once_that_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
