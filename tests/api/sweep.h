/*
 * Sweeps over the handlers: a request, asked while one allocation after another fails once, or one
 * call of a file after another.
 *
 * Handlers are called as the server calls them, so that what is counted is theirs. What must hold:
 * an answer is the right one or a failure of the server's, never another (a wrong password least of
 * all); what was done is on record; and after a restart what was answered is still so. Since each
 * turn asks anew, what failed was not counted against who asked, or it would soon be 429.
 */
#ifndef PB_TESTS_API_SWEEP_H
#define PB_TESTS_API_SWEEP_H

#include "inquiry/site_room.h"

#include <errno.h>
#include <semaphore.h>

#include "api/account.h"
#include "api/api_private.h"
#include "catalog/catalog.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SWEEP_BODY_BYTES 4096u
#define SWEEP_FAULTS_MAX 5000u

/* By token; nobody; and doe and adm at a browser of theirs, stepped up. */
enum who { DOE, ADM, AUD, SUP, OPAL, NOBODY, DOE_HERE, ADM_HERE };

struct sweep {
    struct site_room room;
    struct pb_api *api;
    char tokens[NOBODY][PB_TOKEN_TEXT_BYTES];
    char cookie[PB_SESSION_COOKIE_BYTES], csrf[PB_SESSION_CSRF_BYTES]; /* of this turn */
    char held[1024]; /* "$": what the turn is about, by its own preparation */
    char code[64];   /* "~": likewise, what proves somebody */
    unsigned turn;   /* in ids, so that each is new */
    char id[64];     /* "%": of this turn */
    struct {
        unsigned status;
        char *body; /* owned */
    } answer;
};

/* In a body, a path or a query "%", "$" and "~" stand for what is said above, "#" for the text that
 * people agree to. */
struct sweep_request {
    const char *endpoint;
    enum who who;
    const char *param; /* value of the only one; NULL: none */
    const char *query_name, *query;
    const char *body;
    unsigned status;
    void (*prepare)(struct sweep *sweep);
    bool (*is_done)(struct sweep *sweep); /* whether anybody can see that it was done */
};

/* ---- the room ---- */

static inline void
sweep_open(struct sweep *sweep)
{
    struct pb_api_options options = {
        .data_path = sweep->room.path,
        .site = sweep->room.site,
        .audit = pb_site_audit(sweep->room.site),
        .takes_inquiries = true,
        .takes_reads = true,
        .origin = "https://plates.example.org",
        .password_memory_bytes = 8192,
        .password_passes = 1,
    };

    room_expect(&sweep->room, PB_OK,
                pb_api_new(sweep->room.env, &options, &sweep->api, &sweep->room.error), "api");
}

static inline void
sweep_add_token(struct sweep *sweep, enum who who, const char *person, unsigned verbs)
{
    struct pb_api_token token = {
        .agency = pb_str_from("kansas-pd"),
        .person = pb_str_from(person),
        .verbs = verbs,
        .expires_at_us = sweep->room.now_us + 30 * PB_DAY_US,
    };

    room_expect(&sweep->room, PB_OK,
                pb_api_token_add(sweep->room.env, sweep->room.site, &token, sweep->tokens[who],
                                 &sweep->room.error),
                person);
}

static inline void
sweep_add_account(struct sweep *sweep, const char *person, const char *approver)
{
    struct site_room *room = &sweep->room;
    const struct pb_str by_operator = { NULL, 0 };

    room_expect(room, PB_OK,
                pb_api_account_add(room->env, room->site, by_operator, pb_str_from(person),
                                   &room->error),
                person);
    if (approver != NULL)
        room_expect(room, PB_OK,
                    pb_api_account_approve(room->env, room->site, pb_str_from(approver),
                                           pb_str_from(person), &room->error),
                    person);
}

static inline int
sweep_setup(void **state)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));

    assert_non_null(sweep);
    room_init(&sweep->room);
    room_import(&sweep->room,
                "people:\n  - { id: opal, agency: kansas-pd, name: O. Pal, role: operator,"
                " status: active, training_valid_until: 2027-06-01 }\n");
    room_add(&sweep->room, "KSA123", "k1", PB_HOUR_US);
    room_add(&sweep->room, "KSA123", "k2", 2 * PB_HOUR_US);
    sweep_add_token(sweep, DOE, "doe", PB_TOKEN_ASK);
    sweep_add_token(sweep, ADM, "adm", PB_TOKEN_ADMINISTER);
    sweep_add_token(sweep, AUD, "aud", PB_TOKEN_AUDIT | PB_TOKEN_ASK);
    sweep_add_token(sweep, SUP, "sup", PB_TOKEN_ASK);
    sweep_add_token(sweep, OPAL, "opal", PB_TOKEN_ADMINISTER);
    sweep_add_account(sweep, "doe", "adm");
    sweep_add_account(sweep, "adm", "sup");
    sweep_open(sweep);
    *state = sweep;
    return 0;
}

static inline int
sweep_teardown(void **state)
{
    struct sweep *sweep = *state;

    pb_api_free(sweep->api);
    room_done(&sweep->room);
    free(sweep->answer.body);
    free(sweep);
    return 0;
}

/* As after a crash: what could not be written is not believed to have been. */
static inline void
sweep_restart(struct sweep *sweep)
{
    enum pb_status status;

    pb_api_free(sweep->api);
    sweep->api = NULL;
    status = pb_site_close(sweep->room.site, NULL); /* it may have failed for good */
    assert_true(status <= PB_OK);
    sweep->room.site = NULL;
    room_open_as(&sweep->room, PB_SITE_WRITE);
    sweep_open(sweep);
}

/* ---- asking ---- */

static inline void
sweep_fill(const struct sweep *sweep, const char *text, char *into, size_t room)
{
    size_t used = 0;

    for (; *text != '\0'; text++) {
        const char one[2] = { *text, '\0' };
        const char *part = *text == '%'   ? sweep->id
                           : *text == '$' ? sweep->held
                           : *text == '~' ? sweep->code
                           : *text == '#' ? sweep->api->people.splash_hex
                                          : one;
        int length = snprintf(into + used, room - used, "%s", part);

        assert_true(length >= 0 && used + (size_t)length < room);
        used += (size_t)length;
    }
    into[used] = '\0';
}

static inline unsigned
sweep_endpoint(const char *name)
{
    for (unsigned i = 0; i < pb_api_endpoint_count; i++) {
        if (strcmp(pb_api_endpoints[i].name, name) == 0)
            return i;
    }
    fail_msg("there is no endpoint %s", name);
    return 0;
}

/* "/v1/people/{id+}": its only parameter. */
static inline struct pb_str
sweep_param_name(const char *path)
{
    const char *begin = strchr(path, '{');

    assert_non_null(begin);
    return (struct pb_str){ begin + 1, (uint32_t)strcspn(begin + 1, "+}") };
}

/* All of what a producer gives; false where it is cut. */
static inline bool
sweep_produce(struct pb_reply *reply, char *into, size_t room)
{
    size_t used = 0, got = 0;
    enum pb_status status;

    while ((status = reply->produce(reply->produce_context, into + used, room - used, &got)) ==
           PB_OK) {
        used += got;
        assert_true(used < room);
    }
    into[used] = '\0';
    return status == PB_END;
}

/* Takes over what the client would see. A failure is the server's 500 or 503. */
static inline void
sweep_take(struct sweep *sweep, struct pb_reply *reply, enum pb_status status)
{
    const size_t room = 1 << 20;

    assert_true(status <= PB_OK);
    free(sweep->answer.body);
    sweep->answer.body = calloc(1, room);
    assert_non_null(sweep->answer.body);
    sweep->answer.status = status < PB_OK || reply->is_broken ? 500 : reply->status;
    if (sweep->answer.status == 500)
        return;
    assert_true(reply->body_bytes < room);
    if (reply->produce != NULL && !sweep_produce(reply, sweep->answer.body, room))
        sweep->answer.status = 500; /* an incomplete body is seen to be one */
    else if (reply->body_bytes > 0)
        memcpy(sweep->answer.body, reply->body, reply->body_bytes);
}

/* A reply that another thread may finish. */
struct sweep_reply {
    struct pb_reply reply;
    sem_t is_finished;
    enum pb_status status;
};

static inline void
sweep_finish(struct pb_reply *reply, enum pb_status status)
{
    struct sweep_reply *later = (struct sweep_reply *)reply;

    later->status = status;
    assert_int_equal(0, sem_post(&later->is_finished));
}

static inline enum pb_status
sweep_call(const struct pb_route *route, const struct pb_request *request,
           struct sweep_reply *later)
{
    enum pb_status status;

    assert_int_equal(0, sem_init(&later->is_finished, 0, 0));
    later->reply.finish = sweep_finish;
    status = route->handle(route->context, request, &later->reply);
    if (status == PB_END) {
        while (sem_wait(&later->is_finished) != 0)
            assert_int_equal(EINTR, errno);
        status = later->status;
    }
    assert_int_equal(0, sem_destroy(&later->is_finished));
    return status;
}

/* Headers of who asks; text holds their values. */
static inline uint32_t
sweep_show(const struct sweep *sweep, enum who who, char text[256], struct pb_pair *headers)
{
    if (who == NOBODY)
        return 0;
    if (who < NOBODY) {
        (void)snprintf(text, 256, "Bearer %s", sweep->tokens[who]);
        headers[0] = (struct pb_pair){ pb_str_from("Authorization"), pb_str_from(text) };
        return 1;
    }
    (void)snprintf(text, 256, "platebase=%s", sweep->cookie);
    headers[0] = (struct pb_pair){ pb_str_from("Cookie"), pb_str_from(text) };
    headers[1] = (struct pb_pair){ pb_str_from("X-CSRF-Token"), pb_str_from(sweep->csrf) };
    return 2;
}

/* With a body that stands for nothing but itself. */
static inline void
sweep_ask_with(struct sweep *sweep, const struct sweep_request *asked, struct pb_str body)
{
    unsigned index = sweep_endpoint(asked->endpoint), count;
    const struct pb_route *route = &pb_api_routes(sweep->api, &count)[index];
    char param[256] = "", shown[256];
    struct pb_pair headers[3] = { { pb_str_from("If-Match"), pb_str_from("*") } };
    struct pb_pair params[1], query[1];
    struct pb_request request = { .method = route->method,
                                  .route = route,
                                  .id = { "0-0" },
                                  .headers = headers,
                                  .header_count = 1,
                                  .params = params,
                                  .query = query,
                                  .body = body };
    struct pb_arena arena;
    struct sweep_reply later;
    enum pb_status status;

    request.header_count += sweep_show(sweep, asked->who, shown, headers + 1);
    if (asked->param != NULL) {
        sweep_fill(sweep, asked->param, param, sizeof(param));
        params[request.param_count++] =
            (struct pb_pair){ sweep_param_name(route->path), pb_str_from(param) };
    }
    if (asked->query != NULL)
        query[request.query_count++] =
            (struct pb_pair){ pb_str_from(asked->query_name), pb_str_from(asked->query) };
    pb_arena_init(&arena, sweep->room.env, 16); /* what is taken of it can fail by itself */
    pb_reply_init(&later.reply, sweep->room.env, &arena);
    request.arena = &arena;
    status = sweep_call(route, &request, &later);
    sweep_take(sweep, &later.reply, status);
    pb_reply_done(&later.reply);
    pb_arena_clear(&arena);
}

static inline void
sweep_ask(struct sweep *sweep, const struct sweep_request *asked)
{
    char body[SWEEP_BODY_BYTES] = "";

    if (asked->body != NULL)
        sweep_fill(sweep, asked->body, body, sizeof(body));
    sweep_ask_with(sweep, asked, pb_str_from(body));
}

/* ---- a turn ---- */

/* Somebody at a browser of theirs, who has just proved to be there. */
static inline void
sweep_sit_down(struct sweep *sweep, const char *person)
{
    struct pb_api_session session = { .methods = PB_BY_PASSWORD | PB_BY_TOTP,
                                      .proved_ns = pb_monotonic_ns(sweep->room.env) };

    (void)snprintf(session.person, sizeof(session.person), "%s", person);
    room_expect(&sweep->room, PB_OK,
                pb_api_sessions_begin(&sweep->api->people.sessions, &session, sweep->cookie,
                                      &sweep->room.error),
                person);
    pb_api_session_csrf(pb_str_from(sweep->cookie), sweep->csrf);
}

static inline void
sweep_next_turn(struct sweep *sweep, const struct sweep_request *asked)
{
    sweep->turn++;
    sweep->room.now_us += 2 * PB_SECOND_US; /* nothing is believed from the turn before */
    (void)snprintf(sweep->id, sizeof(sweep->id), "turn-%u", sweep->turn);
    if (asked->who > NOBODY)
        sweep_sit_down(sweep, asked->who == DOE_HERE ? "doe" : "adm");
    if (asked->prepare != NULL)
        asked->prepare(sweep);
}

static inline uint64_t
sweep_leaves(struct sweep *sweep)
{
    return room_leaves(&sweep->room, "kansas-pd", NULL, NULL) +
           room_leaves(&sweep->room, PB_AUDIT_OPERATOR, NULL, NULL);
}

static inline void
sweep_check(struct sweep *sweep, const struct sweep_request *asked, bool is_recorded,
            const char *what, uint64_t n)
{
    const struct pb_api_endpoint *endpoint = &pb_api_endpoints[sweep_endpoint(asked->endpoint)];
    bool is_answered = sweep->answer.status == asked->status;
    bool is_done = asked->is_done != NULL && asked->is_done(sweep);

    if (!is_answered && sweep->answer.status < 500)
        fail_msg("%s, %s %llu: %u: %s", asked->endpoint, what, (unsigned long long)n,
                 sweep->answer.status, sweep->answer.body);
    if (is_answered && asked->is_done != NULL && !is_done)
        fail_msg("%s, %s %llu: said to be done, and is not", asked->endpoint, what,
                 (unsigned long long)n);
    if ((is_done || (is_answered && endpoint->is_audited)) && !is_recorded)
        fail_msg("%s, %s %llu: done, and not on record", asked->endpoint, what,
                 (unsigned long long)n);
}

/* ---- sweeps ---- */

enum sweep_of { OF_MEMORY, OF_FILES };

/* One turn, with the n-th of what fails failing. False: it did not get that far. A log that could
 * not be synced takes nothing more, so after a failing file the site is opened anew. */
static inline bool
sweep_turn(struct sweep *sweep, const struct sweep_request *asked, enum sweep_of of, uint64_t n)
{
    struct fault_env *fault = &sweep->room.fault;
    uint64_t failures, leaves;
    bool has_failed;

    sweep_next_turn(sweep, asked);
    leaves = sweep_leaves(sweep);
    failures = fault->failure_count;
    if (of == OF_MEMORY)
        fault->fail_allocation_at = fault->allocation_count + n;
    else
        fault->fail_file_call_at = fault->file_call_count + n;
    sweep_ask(sweep, asked);
    fault->fail_allocation_at = fault->fail_file_call_at = 0;
    has_failed = fault->failure_count > failures;
    if (has_failed && of == OF_FILES)
        sweep_restart(sweep);
    sweep_check(sweep, asked, sweep_leaves(sweep) > leaves,
                of == OF_MEMORY ? "allocation" : "file call", n);
    return has_failed;
}

static inline void
sweep_all(struct sweep *sweep, const struct sweep_request *requests, size_t count, enum sweep_of of)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t n = 1;

        while (sweep_turn(sweep, &requests[i], of, n))
            assert_true(++n < SWEEP_FAULTS_MAX);
        assert_int_equal(requests[i].status, sweep->answer.status);
        assert_true(n > 1 || of == OF_FILES);
    }
}

#endif
