/*
 * Quotas of rows: what many ask for at once is no more than what one may have.
 */
#include "api/programs.h"

#include "api/quota.h"

#define SECOND_NS INT64_C(1000000000)
#define ASKERS 8u
#define ROWS_MAX 400u

static struct pb_api_quota *
quota_of(uint32_t rows_per_hour)
{
    struct pb_api_quota *quota = calloc(1, sizeof(*quota));
    const struct pb_api_quota_limits limits = {
        .rows_per_hour = { [PB_QUOTA_TOKEN] = rows_per_hour * 2,
                           [PB_QUOTA_AGENCY] = rows_per_hour },
    };

    assert_non_null(quota);
    pb_api_quota_init(quota, &limits, 7);
    return quota;
}

static void
quota_done(struct pb_api_quota *quota)
{
    pb_api_quota_done(quota);
    free(quota);
}

/* ---- the buckets ---- */

struct taker {
    struct pb_api_quota *quota;
    struct pb_api_quota_holder holder;
    struct pb_peer peer;
    uint32_t cap; /* it takes so many, and uses fewer */
    _Atomic uint32_t *given;
    pthread_t thread;
};

/* Time stands still, so nothing is filled: until nothing more fits. */
static void *
take_all(void *context)
{
    struct taker *taker = context;
    uint32_t turn = 0;

    while (pb_api_quota_rows_take(taker->quota, &taker->holder, taker->cap, SECOND_NS) == 0) {
        uint32_t used = 1 + turn++ % taker->cap;

        atomic_fetch_add(taker->given, used);
        pb_api_quota_rows_give_back(taker->quota, &taker->holder, taker->cap - used, SECOND_NS,
                                    SECOND_NS);
    }
    return NULL;
}

static void
many_at_once_never_have_more_than_the_quota(void **state)
{
    struct pb_api_quota *quota = quota_of(ROWS_MAX);
    static const char *const tokens[ASKERS] = { "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7" };
    struct taker takers[ASKERS];
    _Atomic uint32_t given = 0;

    (void)state;
    for (unsigned i = 0; i < ASKERS; i++) {
        struct taker *taker = &takers[i];

        *taker = (struct taker){ .quota = quota, .cap = 1 + i * 3, .given = &given };
        taker->holder.peer = &taker->peer;
        taker->holder.ids[PB_QUOTA_TOKEN] = pb_str_from(tokens[i]);
        taker->holder.ids[PB_QUOTA_AGENCY] = pb_str_from("kansas-pd");
        assert_int_equal(0, pthread_create(&taker->thread, NULL, take_all, taker));
    }
    for (unsigned i = 0; i < ASKERS; i++)
        assert_int_equal(0, pthread_join(takers[i].thread, NULL));
    assert_in_range(given, 1, ROWS_MAX);
    /* What came back while others were refused is there, to the last row, and no more. */
    while (pb_api_quota_rows_take(quota, &takers[0].holder, 1, SECOND_NS) == 0)
        given++;
    assert_int_equal(ROWS_MAX, given);
    quota_done(quota);
}

static void
what_was_not_used_is_had_again(void **state)
{
    struct pb_api_quota *quota = quota_of(100);
    const struct pb_peer peer = { .port = 1 };
    struct pb_api_quota_holder holder = { .peer = &peer };
    int64_t now_ns = SECOND_NS;

    (void)state;
    holder.ids[PB_QUOTA_TOKEN] = pb_str_from("t0");
    assert_int_equal(200, pb_api_quota_rows_max(quota, &holder));
    holder.ids[PB_QUOTA_AGENCY] = pb_str_from("kansas-pd");
    assert_int_equal(100, pb_api_quota_rows_max(quota, &holder));
    for (unsigned i = 0; i < 1000; i++) { /* a thousand that find nothing */
        assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 100, now_ns));
        assert_true(pb_api_quota_rows_take(quota, &holder, 1, now_ns) > 0);
        pb_api_quota_rows_give_back(quota, &holder, 100, now_ns, now_ns);
    }
    /* An answer that took an hour gives nothing back: time has filled the bucket already. */
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 100, now_ns));
    now_ns += 3600 * SECOND_NS;
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 100, now_ns));
    pb_api_quota_rows_give_back(quota, &holder, 100, SECOND_NS, now_ns);
    assert_true(pb_api_quota_rows_take(quota, &holder, 1, now_ns) > 0);
    /* And one of whom nothing is known any more has no credit by it. */
    holder.ids[PB_QUOTA_AGENCY] = pb_str_from("river-pd");
    pb_api_quota_rows_give_back(quota, &holder, 50, now_ns, now_ns);
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 100, now_ns));
    assert_true(pb_api_quota_rows_take(quota, &holder, 1, now_ns) > 0);
    quota_done(quota);
}

/* ---- over HTTP ---- */

#define WHY                                                                   \
    "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\","        \
    "\"case_number\":\"26-00471\",\"relation\":\"subject\","                  \
    "\"justification\":\"Burglary series on Elm Street, seen by a witness\"," \
    "\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""

/* Asks for at most `limit` rows; 0: as many as is usual. */
static int
ask_for(const struct programs *programs, struct client *client, const char *plate, unsigned limit)
{
    char body[1024], more[32] = "";

    if (limit > 0)
        (void)snprintf(more, sizeof(more), ",\"limit\":%u", limit);
    (void)snprintf(body, sizeof(body), "{\"plate\":\"%s\",\"jurisdiction\":\"US-KS\"," WHY "%s}",
                   plate, more);
    return call(programs, client, "POST", "/v1/inquiries", "/v1/inquiries", programs->ask,
                "application/json", body);
}

static void
expect(const struct programs *programs, const char *plate, unsigned limit, int status,
       const char *has)
{
    struct client client;

    if (ask_for(programs, &client, plate, limit) != status || strstr(client.text, has) == NULL)
        fail_msg("limit %u: not %d with %s: %s", limit, status, has, client.text);
    client_close(&client);
}

static int64_t
wait_told(const struct programs *programs, unsigned limit)
{
    struct client client;
    const char *text;
    int64_t seconds;

    assert_int_equal(429, ask_for(programs, &client, "KSA123", limit));
    text = strstr(client.text, "Retry-After: ");
    assert_non_null(text);
    seconds = strtoll(text + 13, NULL, 10);
    client_close(&client);
    return seconds;
}

static void
rows_are_taken_before_they_are_looked_for(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    uint64_t leaves;
    int64_t wait_s;

    for (unsigned i = 0; i < 3; i++)
        room_add(room, "KSA123", "k1", PB_DAY_US + i * 60000000);
    programs->service.options.quotas.rows_per_hour[PB_QUOTA_PERSON] = 8;
    service_start(&programs->service);
    expect(programs, "KSA123", 8, 200, "\"count\":3"); /* took 8, had 3 */
    expect(programs, "KSA999", 5, 200, "\"count\":0"); /* took 5, had none */
    expect(programs, "KSA123", 5, 200, "\"count\":3"); /* 6 of 8 */
    leaves = room_leaves(room, "kansas-pd", "query", NULL);
    expect(programs, "KSA123", 3, 429, "\"field\":\"limit\"");
    wait_s = wait_told(programs, 3);
    assert_true(wait_s > 0 && wait_s <= 450);
    assert_int_equal(leaves, room_leaves(room, "kansas-pd", "query", NULL));
    expect(programs, "KSA123", 2, 200, "\"page\":"); /* 8 of 8: the third is on the next page */
    expect(programs, "KSA123", 1, 429, "\"field\":\"limit\"");
    room->now_us += wait_told(programs, 3) * 1000000;
    expect(programs, "KSA123", 3, 200, "\"count\":3");
}

static void
what_can_never_fit_is_told_how_much_can(void **state)
{
    struct programs *programs = *state;

    programs->service.options.quotas.rows_per_hour[PB_QUOTA_AGENCY] = 20;
    programs->service.options.quotas.rows_per_hour[PB_QUOTA_TOKEN] = 50;
    service_start(&programs->service);
    expect(programs, "KSA123", 21, 400, "at most 20 rows may be had in an hour");
    expect(programs, "KSA123", 0, 400, "\"field\":\"limit\"");
    expect(programs, "KSA123", 20, 200, "\"count\":0");
}

/* What a refusal, a denial or a question that means nothing had taken is there again. */
static void
what_is_denied_costs_no_rows(void **state)
{
    struct programs *programs = *state;
    struct client client;

    programs->service.options.quotas.rows_per_hour[PB_QUOTA_TOKEN] = 5;
    service_start(&programs->service);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(403, call(programs, &client, "POST", "/v1/inquiries", "/v1/inquiries",
                                   programs->ask, "application/json",
                                   "{\"plate\":\"KSA123\",\"purpose\":\"curiosity\",\"limit\":5,"
                                   "\"justification\":\"I would like to know who that is\","
                                   "\"from\":\"2026-05-02T00:00:00Z\","
                                   "\"to\":\"2026-06-02T00:00:00Z\"}"));
        client_close(&client);
    }
    expect(programs, "KSA123", 5, 200, "\"count\":0");
}

struct asker {
    const struct programs *programs;
    unsigned number;
    unsigned rows, refused, other;
    pthread_t thread;
};

static void *
ask_often(void *context)
{
    struct asker *asker = context;

    for (unsigned i = 0; i < 6; i++) {
        struct client client;
        int status = ask_for(asker->programs, &client, "KSA123", 1 + (asker->number + i) % 4);
        const char *count = status == 200 ? client_body(&client) : NULL;

        asker->refused += status == 429;
        asker->other += status != 200 && status != 429;
        while (count != NULL && (count = strstr(count, "\"captured_at\"")) != NULL) {
            asker->rows++;
            count++;
        }
        client_close(&client);
    }
    return NULL;
}

static void
clients_that_ask_at_once_have_no_more_rows_than_one(void **state)
{
    struct programs *programs = *state;
    struct asker askers[ASKERS];
    unsigned rows = 0, refused = 0;

    for (unsigned i = 0; i < 4; i++)
        room_add(&programs->room, "KSA123", "k1", PB_DAY_US + i * 60000000);
    programs->service.options.quotas.rows_per_hour[PB_QUOTA_AGENCY] = 30;
    programs->service.fixture.options.worker_threads = ASKERS;
    service_start(&programs->service);
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .programs = programs, .number = i };
        assert_int_equal(0, pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]));
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        assert_int_equal(0, pthread_join(askers[i].thread, NULL));
        assert_int_equal(0, askers[i].other);
        rows += askers[i].rows;
        refused += askers[i].refused;
    }
    /* They would have had 120; what is left is less than the widest question took. */
    assert_in_range(rows, 27, 30);
    assert_true(refused > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        cmocka_unit_test(many_at_once_never_have_more_than_the_quota),
        cmocka_unit_test(what_was_not_used_is_had_again),
        CASE(rows_are_taken_before_they_are_looked_for),
        CASE(what_can_never_fit_is_told_how_much_can),
        CASE(what_is_denied_costs_no_rows),
        CASE(clients_that_ask_at_once_have_no_more_rows_than_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
