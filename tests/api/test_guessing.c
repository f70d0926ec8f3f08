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
    char name[24];

    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, guess(doe, "doe"));
    for (int i = 0, counted = 0; counted < 55; i++) {
        int status;

        (void)snprintf(name, sizeof(name), "other%d", i);
        status = guess(doe, name);
        /* One that falls into doe's place waits as doe does, and its address is not counted. */
        browser_expect(doe, status == 429 ? 429 : 401, status);
        counted += status == 401;
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
    /* A name that falls into doe's place is counted as doe: now and then there is one. */
    assert_in_range(of_doe, 3, 5);
    assert_int_equal(GUESSERS * GUESSES_EACH, refused + waiting);
    assert_in_range(refused, 2 + GUESSERS * (GUESSES_EACH / 2), 5 + GUESSERS * (GUESSES_EACH / 2));
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

/* ---- a restart ---- */

static void
restart(struct guessing *guessing)
{
    struct service *service = &guessing->service;

    (void)pb_server_stop(service->fixture.server, 0);
    service->fixture.server = NULL;
    pb_api_free(service->api);
    service->api = NULL;
    service_start_quietly(service);
}

static void
a_restart_forgets_nobody_who_has_to_wait(void **state)
{
    struct guessing *guessing = *state;
    struct browser *doe = &guessing->doe;

    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, guess(doe, "doe"));
    for (int i = 0; i < 4; i++)
        browser_expect(doe, 401, guess(doe, "adm"));
    restart(guessing);
    browser_expect(doe, 429, browser_sign_in(doe));
    expect_in(doe->last.text, "Retry-After: 900\r\n");
    browser_expect(doe, 401, guess(doe, "adm")); /* the fifth */
    browser_expect(doe, 429, guess(doe, "adm"));
    guessing->room.now_us += 15 * 60 * PB_SECOND_US - 1;
    restart(guessing);
    browser_expect(doe, 429, guess(doe, "doe"));
    guessing->room.now_us += 1;
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, guess(doe, "doe"));
    restart(guessing);
    browser_expect(doe, 429, guess(doe, "doe"));
    expect_in(doe->last.text, "Retry-After: 1800\r\n"); /* longer each time, as without it */
    guessing->room.now_us += 30 * 60 * PB_SECOND_US;
    browser_expect(doe, 201, browser_sign_in(doe));
    restart(guessing);
    for (int i = 0; i < 5; i++) /* a success forgets, and that is kept as well */
        browser_expect(doe, 401, guess(doe, "doe"));
    browser_expect(doe, 429, guess(doe, "doe"));
    expect_in(doe->last.text, "Retry-After: 900\r\n");
}

static void
a_restart_forgets_no_address_that_has_to_wait(void **state)
{
    struct guessing *guessing = *state;
    struct browser *doe = &guessing->doe;
    char name[16];

    for (int i = 0; i < 60; i++) {
        if (i == 59)
            restart(guessing);
        (void)snprintf(name, sizeof(name), "name%d", i);
        browser_expect(doe, 401, guess(doe, name));
    }
    restart(guessing);
    browser_expect(doe, 429, browser_sign_in(doe));
    guessing->room.now_us += 5 * 60 * PB_SECOND_US;
    browser_expect(doe, 201, browser_sign_in(doe));
}

/* ---- the file ---- */

#define FILE_BYTES (4096u + 2 * 16384u * 32u)

struct kept {
    struct pb_api_lockout lockout;
    struct pb_file *file;
};

static void
kept_open(struct guessing *guessing, struct kept *kept)
{
    static const struct pb_api_lockout_rule rule = { 5, 900 * INT64_C(1000000000),
                                                     900 * INT64_C(1000000000), true };
    static const uint8_t key[16] = { 1, 2, 3 };
    const struct pb_env *env = guessing->room.env;
    struct pb_error *error = &guessing->room.error;

    memset(kept, 0, sizeof(*kept));
    room_expect(&guessing->room, PB_OK,
                pb_api_lockout_open(env, guessing->room.directory, &kept->file, error), "open");
    room_expect(&guessing->room, PB_OK, pb_api_lockout_init(&kept->lockout, env, &rule, error),
                "init");
    room_expect(&guessing->room, PB_OK,
                pb_api_lockout_keep(&kept->lockout, kept->file, 1, key, error), "keep");
}

static void
kept_close(struct guessing *guessing, struct kept *kept)
{
    pb_api_lockout_done(&kept->lockout);
    guessing->room.env->files->close(guessing->room.env->file_context, kept->file);
}

/* Locks "doe", and returns how long for. */
static unsigned
lock_doe(struct kept *kept)
{
    bool is_last = false;

    for (int i = 0; i < 5; i++)
        assert_int_equal(0, pb_api_lockout_take(&kept->lockout, pb_str_from("doe"), &is_last));
    assert_true(is_last);
    return pb_api_lockout_take(&kept->lockout, pb_str_from("doe"), &is_last);
}

/* How long "doe" has to wait after all was opened anew. */
static unsigned
wait_of_doe(struct guessing *guessing)
{
    struct kept kept;
    bool is_last;
    unsigned wait_s;

    kept_open(guessing, &kept);
    wait_s = pb_api_lockout_take(&kept.lockout, pb_str_from("doe"), &is_last);
    pb_api_lockout_give_back(&kept.lockout, pb_str_from("doe"));
    kept_close(guessing, &kept);
    return wait_s;
}

static FILE *
open_file(const struct guessing *guessing, const char *mode)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/lockouts", guessing->room.directory);
    file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void
a_clock_that_was_set_locks_nobody_for_ever(void **state)
{
    struct guessing *guessing = *state;
    struct kept kept;

    kept_open(guessing, &kept);
    assert_int_equal(900, lock_doe(&kept));
    kept_close(guessing, &kept);
    guessing->room.now_us -= 365 * 24 * PB_HOUR_US;
    assert_int_equal(24 * 3600, wait_of_doe(guessing));
    guessing->room.now_us += 365 * 24 * PB_HOUR_US + 900 * PB_SECOND_US;
    assert_int_equal(0, wait_of_doe(guessing));
}

static void
what_is_no_such_file_knows_nobody(void **state)
{
    static const char *const begins[] = { "", "platebase-lockouts 2\n", "x" };
    struct guessing *guessing = *state;

    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        struct kept kept;
        FILE *file;

        kept_open(guessing, &kept);
        assert_int_equal(900, lock_doe(&kept));
        kept_close(guessing, &kept);
        assert_true(wait_of_doe(guessing) > 0);
        file = open_file(guessing, "r+b");
        (void)fputs(begins[i], file);
        if (i == 0)
            assert_int_equal(0, ftruncate(fileno(file), FILE_BYTES - 1));
        assert_int_equal(0, fclose(file));
        assert_int_equal(0, wait_of_doe(guessing));
        file = open_file(guessing, "rb");
        assert_int_equal(0, fseek(file, 0, SEEK_END));
        assert_int_equal(FILE_BYTES, ftell(file));
        assert_int_equal(0, fclose(file));
    }
}

/* Each byte of the place, and of nothing else, is what locks; no name is in it. */
static void
a_place_that_was_damaged_is_nobodys(void **state)
{
    struct guessing *guessing = *state;
    uint8_t *bytes = malloc(FILE_BYTES);
    size_t at = 4096;
    struct kept kept;
    FILE *file;

    assert_non_null(bytes);
    kept_open(guessing, &kept);
    assert_int_equal(900, lock_doe(&kept));
    kept_close(guessing, &kept);
    file = open_file(guessing, "rb");
    assert_int_equal(FILE_BYTES, fread(bytes, 1, FILE_BYTES, file));
    assert_int_equal(0, fclose(file));
    assert_null(memmem(bytes, FILE_BYTES, "doe", 3));
    while (bytes[at] == 0)
        at++;
    at -= at % 32;
    for (size_t i = 0; i < 32; i++) {
        file = open_file(guessing, "r+b");
        bytes[at + i] ^= 0x10;
        assert_int_equal(0, fseek(file, (long)at, SEEK_SET));
        assert_int_equal(32, fwrite(bytes + at, 1, 32, file));
        assert_int_equal(0, fclose(file));
        bytes[at + i] ^= 0x10;
        assert_int_equal(0, wait_of_doe(guessing));
    }
    free(bytes);
}

static void
counting_goes_on_where_nothing_can_be_kept(void **state)
{
    struct guessing *guessing = *state;
    struct fault_env *fault = &guessing->room.fault;
    struct kept kept;

    kept_open(guessing, &kept);
    fault->fail_file_mask = FAULT_WRITE;
    fault->file_call_count = 0;
    fault->fail_file_call_at = 1;
    fault->is_file_failure_lasting = true;
    assert_int_equal(900, lock_doe(&kept));
    fault->fail_file_call_at = 0;
    fault->is_file_failure_lasting = false;
    fault->fail_file_mask = FAULT_ANY;
    kept_close(guessing, &kept);
}

static void
opening_the_file_fails_as_a_whole(void **state)
{
    struct guessing *guessing = *state;
    enum pb_status status = PB_E_IO;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/lockouts", guessing->room.directory);
    for (int is_there = 0; is_there < 2; is_there++) {
        uint64_t fail_at = 0;

        for (status = PB_E_IO; status != PB_OK;) {
            struct pb_file *file = NULL;
            struct fault_env fault;

            if (is_there == 0)
                (void)unlink(path);
            fault_env_init(&fault, pb_env_system());
            fault.fail_file_call_at = ++fail_at;
            status = pb_api_lockout_open(&fault.env, guessing->room.directory, &file,
                                         &guessing->room.error);
            assert_true((status == PB_OK) == (file != NULL));
            fault.env.files->close(fault.env.file_context, file);
            assert_true(fault_env_is_clean(&fault));
        }
        assert_in_range(fail_at, 3, 10);
    }
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
        CASE(a_restart_forgets_nobody_who_has_to_wait),
        CASE(a_restart_forgets_no_address_that_has_to_wait),
        CASE(a_clock_that_was_set_locks_nobody_for_ever),
        CASE(what_is_no_such_file_knows_nobody),
        CASE(a_place_that_was_damaged_is_nobodys),
        CASE(counting_goes_on_where_nothing_can_be_kept),
        CASE(opening_the_file_fails_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
