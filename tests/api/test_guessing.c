/*
 * Guessing: many wrong passwords at once, of many names, from many addresses.
 *
 * The hashers are kept busy by jobs of the test's own, so that nothing here depends on how long a
 * hash takes.
 */
#include "api/browser.h"

#include "api/api_private.h"
#include "net/workers.h"

#define GUESSERS 6u
#define GUESSES_EACH 25u
#define QUEUE_MAX 1000u /* more than any queue has */

/* Waits in a queue of the hashers'. */
struct waiting {
    struct pb_job job;
    sem_t *done;
};

/* A hasher that has its hands full. */
struct busy {
    struct pb_job job; /* occupies the one thread that there is */
    struct pb_workers *hashers;
    sem_t entered, go, done;
    struct waiting waiting[QUEUE_MAX];
    unsigned waiting_count;
};

struct guessing {
    struct site_room room;
    struct service service;
    struct browser doe, adm;
    struct busy busy;
};

static int
setup(void **state)
{
    struct guessing *guessing = calloc(1, sizeof(*guessing));

    assert_non_null(guessing);
    room_init(&guessing->room);
    service_init(&guessing->service);
    guessing->service.env = guessing->room.env;
    guessing->service.options.site = guessing->room.site;
    guessing->service.options.password_memory_bytes = 8192;
    guessing->service.options.password_passes = 1;
    room_account(&guessing->room, "doe", "adm");
    room_account(&guessing->room, "adm", "sup");
    browser_init(&guessing->doe, &guessing->service, &guessing->room.now_us, "doe");
    browser_init(&guessing->adm, &guessing->service, &guessing->room.now_us, "adm");
    service_start(&guessing->service);
    browser_enrol(&guessing->doe, &guessing->room);
    browser_enrol(&guessing->adm, &guessing->room);
    *state = guessing;
    return 0;
}

static int
teardown(void **state)
{
    struct guessing *guessing = *state;

    browser_done(&guessing->doe);
    browser_done(&guessing->adm);
    service_done(&guessing->service);
    room_done(&guessing->room);
    free(guessing);
    return 0;
}

/* ---- a hasher that has its hands full ---- */

static void
occupy(struct pb_job *job)
{
    struct busy *busy = (struct busy *)job;

    (void)sem_post(&busy->entered);
    (void)sem_wait(&busy->go);
}

static void
say_done(struct pb_job *job)
{
    (void)sem_post(((struct waiting *)job)->done);
}

static void
busy_begin(struct busy *busy, struct pb_workers *hashers)
{
    memset(busy, 0, sizeof(*busy));
    busy->job.run = occupy;
    busy->hashers = hashers;
    assert_int_equal(0, sem_init(&busy->entered, 0, 0));
    assert_int_equal(0, sem_init(&busy->go, 0, 0));
    assert_int_equal(0, sem_init(&busy->done, 0, 0));
    assert_true(pb_workers_push(hashers, &busy->job));
    assert_int_equal(0, sem_wait(&busy->entered));
}

/* Returns how many more found room in the queue. */
static unsigned
busy_fill(struct busy *busy)
{
    for (;;) {
        struct waiting *waiting = &busy->waiting[busy->waiting_count];

        assert_true(busy->waiting_count < QUEUE_MAX);
        *waiting = (struct waiting){ .job = { .run = say_done }, .done = &busy->done };
        if (!pb_workers_push(busy->hashers, &waiting->job))
            return busy->waiting_count;
        busy->waiting_count++;
    }
}

static void
busy_end(struct busy *busy)
{
    (void)sem_post(&busy->go);
    for (unsigned i = 0; i < busy->waiting_count; i++)
        assert_int_equal(0, sem_wait(&busy->done));
}

/* The line that makes a browser one that is known: of the last reply. */
static void
keep_device(struct browser *browser)
{
    const char *set = strstr(browser->last.text, "Set-Cookie: platebase-device=");

    assert_non_null(set);
    (void)snprintf(browser->more, sizeof(browser->more), "Cookie: %.*s\r\n",
                   (int)strcspn(set + 12, ";\r"), set + 12);
}

static int
guess(struct browser *browser, const char *name)
{
    browser->cookie[0] = browser->csrf[0] = '\0';
    return browser_sign_in_with(browser, name, "a wrong one", "totp", "123456");
}

/* ---- a queue that is full ---- */

static void
a_full_queue_is_told_and_costs_nobody_a_try(void **state)
{
    struct guessing *guessing = *state;
    struct pb_api_people *people = &guessing->service.api->people;
    struct browser *doe = &guessing->doe, stranger;

    browser_init(&stranger, &guessing->service, &guessing->room.now_us, "doe");
    memcpy(stranger.consent, doe->consent, sizeof(stranger.consent));
    memcpy(stranger.totp, doe->totp, sizeof(stranger.totp));
    busy_begin(&guessing->busy, people->hashers);
    assert_int_equal(32, busy_fill(&guessing->busy));
    for (int i = 0; i < 70; i++) { /* more than a name may fail, and an address */
        browser_expect(&stranger, 429,
                       i % 2 == 0 ? guess(&stranger, "doe") : browser_sign_in(&stranger));
        expect_in(stranger.last.text, "Retry-After: 5\r\n");
        expect_in(client_body(&stranger.last), "too many sign in at once");
    }
    /* All else goes on: what takes no password, who is in, and who was in here before. */
    assert_int_equal(200, service_get(&guessing->service, "/healthz", "/healthz"));
    browser_expect(&stranger, 200, browser_get(&stranger, "/v1/session/splash"));
    browser_expect(&guessing->adm, 200, browser_get(&guessing->adm, "/v1/session"));
    browser_expect(&guessing->adm, 200, browser_totp(&guessing->adm, "/v1/session/step-up"));
    keep_device(doe);
    browser_expect(doe, 201, browser_sign_in(doe));
    busy_end(&guessing->busy);
    guessing->room.now_us += PB_TOTP_STEP_US;
    browser_expect(&stranger, 201, browser_sign_in(&stranger));
    browser_done(&stranger);
}

/* What is known from the counters alone is told before a password is hashed: the hasher is not
 * free, and nothing is left in its queue. */
static void
who_has_to_wait_costs_no_hash(void **state)
{
    struct guessing *guessing = *state;
    struct browser *doe = &guessing->doe;
    char name[16];

    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, guess(doe, "doe"));
    for (int i = 0; i < 55; i++) {
        (void)snprintf(name, sizeof(name), "name%d", i);
        browser_expect(doe, 401, guess(doe, name));
    }
    busy_begin(&guessing->busy, guessing->service.api->people.hashers);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "name%d", 60 + i);
        browser_expect(doe, 429, guess(doe, i % 2 == 0 ? "doe" : name));
        expect_in(client_body(&doe->last), "too many tries");
    }
    /* Nor do requests that mean nothing, or do not agree, or come from elsewhere. */
    browser_expect(doe, 400, browser_send(doe, "POST", "/v1/session", "{\"person\":\"doe\"}"));
    doe->consent[0] ^= 1;
    browser_expect(doe, 403, guess(doe, "doe"));
    doe->consent[0] ^= 1;
    (void)snprintf(doe->more, sizeof(doe->more), "Origin: https://elsewhere.example\r\n");
    browser_expect(doe, 403, guess(doe, "doe"));
    assert_int_equal(32, busy_fill(&guessing->busy));
    busy_end(&guessing->busy);
}

/* ---- many at once ---- */

struct guesser {
    struct guessing *guessing;
    unsigned number;
    unsigned refused, waiting, other, of_doe; /* replies: 401, 429, neither; 401 to doe's name */
    pthread_t thread;
};

static int
post_guess(const struct guesser *guesser, struct client *client, const char *name)
{
    char body[512], request[1024];

    (void)snprintf(body, sizeof(body),
                   "{\"person\":\"%s\",\"password\":\"a wrong one\",\"totp\":\"123456\","
                   "\"consent\":\"%s\"}",
                   name, guesser->guessing->doe.consent);
    (void)snprintf(request, sizeof(request),
                   "POST /v1/session HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    client_forget(client);
    return client_say(client, request) ? client_reply(client) : 0;
}

/* Each from an address of its own, so that names alone are what bounds them. */
static void *
guess_on(void *context)
{
    struct guesser *guesser = context;
    struct client client = client_connect_from(&guesser->guessing->service.fixture,
                                               htonl(INADDR_LOOPBACK + 1 + guesser->number));

    for (unsigned i = 0; i < GUESSES_EACH; i++) {
        char name[32];
        int status;

        (void)snprintf(name, sizeof(name), "name%u-%u", guesser->number, i);
        status = post_guess(guesser, &client, i % 2 == 0 ? "doe" : name);
        guesser->refused += status == 401;
        guesser->waiting += status == 429;
        guesser->other += status != 401 && status != 429;
        guesser->of_doe += status == 401 && i % 2 == 0;
    }
    client_close(&client);
    return NULL;
}

static void
of_many_guesses_at_once_five_are_looked_at(void **state)
{
    struct guessing *guessing = *state;
    struct guesser guessers[GUESSERS];
    unsigned of_doe = 0, refused = 0, waiting = 0;

    for (unsigned i = 0; i < GUESSERS; i++) {
        guessers[i] = (struct guesser){ .guessing = guessing, .number = i };
        assert_int_equal(0, pthread_create(&guessers[i].thread, NULL, guess_on, &guessers[i]));
    }
    for (int i = 0; i < 20; i++) { /* meanwhile who is in goes on */
        browser_expect(&guessing->adm, 200, browser_get(&guessing->adm, "/v1/session"));
        assert_int_equal(200, service_get(&guessing->service, "/readyz", "/readyz"));
    }
    for (unsigned i = 0; i < GUESSERS; i++) {
        assert_int_equal(0, pthread_join(guessers[i].thread, NULL));
        assert_int_equal(0, guessers[i].other);
        of_doe += guessers[i].of_doe;
        refused += guessers[i].refused;
        waiting += guessers[i].waiting;
    }
    assert_int_equal(5, of_doe);
    assert_int_equal(GUESSERS * GUESSES_EACH, refused + waiting);
    assert_int_equal(5 + GUESSERS * (GUESSES_EACH / 2), refused);
    guessing->doe.more[0] = '\0';
    browser_expect(&guessing->doe, 429, browser_sign_in(&guessing->doe));
}

/* ---- nobody is locked out for ever ---- */

static void
a_link_lets_in_whom_others_have_locked_and_keeps_them_in(void **state)
{
    struct guessing *guessing = *state;
    struct browser *doe = &guessing->doe;

    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, guess(doe, "doe"));
    browser_expect(doe, 429, browser_sign_in(doe));
    browser_enrol(doe, &guessing->room);
    keep_device(doe); /* enrolling made the browser known */
    browser_expect(doe, 201, browser_sign_in(doe));
    /* The lock of the name stands for everybody else, and grows. */
    doe->more[0] = '\0';
    browser_expect(doe, 429, browser_sign_in(doe));
    for (int round = 0; round < 3; round++) {
        guessing->room.now_us += 24 * PB_HOUR_US;
        for (int i = 0; i < 5; i++)
            browser_expect(doe, 401, guess(doe, "doe"));
        browser_expect(doe, 429, guess(doe, "doe"));
    }
    guessing->room.now_us += 24 * PB_HOUR_US; /* at most a day */
    browser_expect(doe, 201, browser_sign_in(doe));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_full_queue_is_told_and_costs_nobody_a_try),
        CASE(who_has_to_wait_costs_no_hash),
        CASE(of_many_guesses_at_once_five_are_looked_at),
        CASE(a_link_lets_in_whom_others_have_locked_and_keeps_them_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
