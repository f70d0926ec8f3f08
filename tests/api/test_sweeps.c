/*
 * Sweeps over the handlers: a table of requests, each asked while one allocation after another
 * fails once, and one call of a file after another. And backups of what is served, the same way.
 *
 * Handlers are called as the server calls them, on the test's own thread, so that what is counted
 * is theirs. What must hold: an answer is the right one or a failure of the server's, never
 * another; what was done is on record; and after a restart what was answered is still so.
 */
#include "inquiry/site_room.h"

#include "api/account.h"
#include "api/api_private.h"
#include "catalog/catalog.h"
#include "cli/backups.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define BODY_BYTES 4096u
#define ALLOCATIONS_MAX 5000u

enum who { DOE, ADM, AUD, SUP, NOBODY, WHO_COUNT };

struct sweep {
    struct site_room room;
    struct pb_api *api;
    char tokens[WHO_COUNT][PB_TOKEN_TEXT_BYTES]; /* NOBODY: "" */
    char held[1024];                             /* the question that waits for a second person */
    unsigned turn;                               /* in ids, so that each is new */
    char id[64];                                 /* of this turn */
    struct {
        unsigned status;
        char *body; /* owned */
    } answer;
};

#define WHY                                                            \
    "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\"," \
    "\"case_number\":\"26-00471\",\"relation\":\"subject\","           \
    "\"justification\":\"Burglary series on Elm Street, vehicle seen by a witness\""
#define WINDOW ",\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""
#define LONG_AGO ",\"from\":\"2021-05-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""
#define PLATE "\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY

/* In a body, a path or a query "%" stands for the id of the turn, "$" for the held question. */
struct request {
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

static void
open_api(struct sweep *sweep)
{
    struct pb_api_options options = {
        .data_path = sweep->room.path,
        .site = sweep->room.site,
        .audit = pb_site_audit(sweep->room.site),
        .takes_inquiries = true,
        .takes_reads = true,
        .password_memory_bytes = 8192,
        .password_passes = 1,
    };

    room_expect(&sweep->room, PB_OK,
                pb_api_new(sweep->room.env, &options, &sweep->api, &sweep->room.error), "api");
}

static void
add_token(struct sweep *sweep, enum who who, const char *person, unsigned verbs)
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

static int
setup(void **state)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));

    assert_non_null(sweep);
    room_init(&sweep->room);
    room_add(&sweep->room, "KSA123", "k1", PB_HOUR_US);
    room_add(&sweep->room, "KSA123", "k2", 2 * PB_HOUR_US);
    add_token(sweep, DOE, "doe", PB_TOKEN_ASK);
    add_token(sweep, ADM, "adm", PB_TOKEN_ADMINISTER);
    add_token(sweep, AUD, "aud", PB_TOKEN_AUDIT | PB_TOKEN_ASK);
    add_token(sweep, SUP, "sup", PB_TOKEN_ASK);
    open_api(sweep);
    *state = sweep;
    return 0;
}

static int
teardown(void **state)
{
    struct sweep *sweep = *state;

    pb_api_free(sweep->api);
    room_done(&sweep->room);
    free(sweep->answer.body);
    free(sweep);
    return 0;
}

/* As after a crash: what could not be written is not believed to have been. */
static void
restart(struct sweep *sweep)
{
    enum pb_status status;

    pb_api_free(sweep->api);
    sweep->api = NULL;
    status = pb_site_close(sweep->room.site, NULL); /* it may have failed for good */
    assert_true(status <= PB_OK);
    sweep->room.site = NULL;
    room_open_as(&sweep->room, PB_SITE_WRITE);
    open_api(sweep);
}

/* ---- asking ---- */

static void
fill(const struct sweep *sweep, const char *text, char *into, size_t room)
{
    size_t used = 0;

    for (; *text != '\0'; text++) {
        const char *part = *text == '%' ? sweep->id : sweep->held;
        int length = *text == '%' || *text == '$' ? snprintf(into + used, room - used, "%s", part)
                                                  : snprintf(into + used, room - used, "%c", *text);

        assert_true(length >= 0 && used + (size_t)length < room);
        used += (size_t)length;
    }
    into[used] = '\0';
}

static unsigned
endpoint_index(const char *name)
{
    for (unsigned i = 0; i < pb_api_endpoint_count; i++) {
        if (strcmp(pb_api_endpoints[i].name, name) == 0)
            return i;
    }
    fail_msg("there is no endpoint %s", name);
    return 0;
}

/* "/v1/people/{id+}": its only parameter. */
static struct pb_str
param_name(const char *path)
{
    const char *begin = strchr(path, '{');

    assert_non_null(begin);
    return (struct pb_str){ begin + 1, (uint32_t)strcspn(begin + 1, "+}") };
}

/* All of what a producer gives; false where it is cut. */
static bool
produce_all(struct pb_reply *reply, char *into, size_t room)
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
static void
take_answer(struct sweep *sweep, struct pb_reply *reply, enum pb_status status)
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
    if (reply->produce != NULL && !produce_all(reply, sweep->answer.body, room))
        sweep->answer.status = 500; /* an incomplete body is seen to be one */
    else if (reply->body_bytes > 0)
        memcpy(sweep->answer.body, reply->body, reply->body_bytes);
}

static void
ask(struct sweep *sweep, const struct request *asked)
{
    unsigned index = endpoint_index(asked->endpoint), count;
    const struct pb_route *route = &pb_api_routes(sweep->api, &count)[index];
    char body[BODY_BYTES] = "", param[256] = "", shown[PB_TOKEN_TEXT_BYTES + 16];
    struct pb_pair headers[2] = { { pb_str_from("If-Match"), pb_str_from("*") } };
    struct pb_pair params[1], query[1];
    struct pb_request request = { .method = route->method,
                                  .route = route,
                                  .id = { "0-0" },
                                  .headers = headers,
                                  .header_count = 1,
                                  .params = params,
                                  .query = query };
    struct pb_arena arena;
    struct pb_reply reply;
    enum pb_status status;

    if (asked->who != NOBODY) {
        (void)snprintf(shown, sizeof(shown), "Bearer %s", sweep->tokens[asked->who]);
        headers[request.header_count++] =
            (struct pb_pair){ pb_str_from("Authorization"), pb_str_from(shown) };
    }
    if (asked->param != NULL) {
        fill(sweep, asked->param, param, sizeof(param));
        params[request.param_count++] =
            (struct pb_pair){ param_name(route->path), pb_str_from(param) };
    }
    if (asked->query != NULL)
        query[request.query_count++] =
            (struct pb_pair){ pb_str_from(asked->query_name), pb_str_from(asked->query) };
    if (asked->body != NULL)
        fill(sweep, asked->body, body, sizeof(body));
    request.body = pb_str_from(body);
    pb_arena_init(&arena, sweep->room.env, 2048);
    pb_reply_init(&reply, sweep->room.env, &arena);
    request.arena = &arena;
    status = route->handle(route->context, &request, &reply);
    take_answer(sweep, &reply, status);
    pb_reply_done(&reply);
    pb_arena_clear(&arena);
}

static void
next_turn(struct sweep *sweep, const struct request *asked)
{
    sweep->turn++;
    sweep->room.now_us += 2 * PB_SECOND_US; /* nothing is believed from the turn before */
    (void)snprintf(sweep->id, sizeof(sweep->id), "turn-%u", sweep->turn);
    if (asked->prepare != NULL)
        asked->prepare(sweep);
}

/* ---- what must hold ---- */

static uint64_t
leaves(struct sweep *sweep)
{
    return room_leaves(&sweep->room, "kansas-pd", NULL, NULL);
}

static void
check(struct sweep *sweep, const struct request *asked, uint64_t leaves_before, const char *what,
      uint64_t n)
{
    const struct pb_api_endpoint *endpoint = &pb_api_endpoints[endpoint_index(asked->endpoint)];
    bool is_answered = sweep->answer.status == asked->status;
    bool is_done = asked->is_done != NULL && asked->is_done(sweep);
    bool is_recorded = leaves(sweep) > leaves_before;

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

static void
sweep_memory(struct sweep *sweep, const struct request *asked)
{
    struct fault_env *fault = &sweep->room.fault;
    uint64_t n = 0, failures;

    do {
        uint64_t before;

        assert_true(++n < ALLOCATIONS_MAX);
        next_turn(sweep, asked);
        before = leaves(sweep);
        failures = fault->failure_count;
        fault->fail_allocation_at = fault->allocation_count + n;
        ask(sweep, asked);
        fault->fail_allocation_at = 0;
        check(sweep, asked, before, "allocation", n);
    } while (fault->failure_count > failures);
    assert_int_equal(asked->status, sweep->answer.status);
    assert_true(n > 1);
}

/* The same with calls of files. A log that could not be synced takes nothing more, so each has a
 * site that was opened anew. */
static void
sweep_files(struct sweep *sweep, const struct request *asked)
{
    struct fault_env *fault = &sweep->room.fault;
    uint64_t n = 0, failures;

    do {
        uint64_t before;

        assert_true(++n < ALLOCATIONS_MAX);
        next_turn(sweep, asked);
        before = leaves(sweep);
        failures = fault->failure_count;
        fault->fail_file_call_at = fault->file_call_count + n;
        ask(sweep, asked);
        fault->fail_file_call_at = 0;
        if (fault->failure_count == failures)
            break;
        restart(sweep);
        check(sweep, asked, before, "file call", n);
    } while (true);
    assert_int_equal(asked->status, sweep->answer.status);
}

/* ---- what was done ---- */

struct seen {
    bool is_there;
    char value[256]; /* of the field */
    unsigned field;
};

static bool
see(void *context, const struct pb_record *record)
{
    struct seen *seen = context;
    const char *value = record->values[seen->field];

    seen->is_there = true;
    (void)snprintf(seen->value, sizeof(seen->value), "%s", value != NULL ? value : "");
    return true;
}

static struct seen
record_of(struct sweep *sweep, const char *entity, const char *id, const char *field)
{
    const struct pb_entity *kind = pb_catalog_entity(entity);
    struct seen seen = { .is_there = false };
    enum pb_status status;

    while (strcmp(kind->fields[seen.field].name, field) != 0)
        seen.field++;
    status = pb_catalog_show(pb_site_catalog(sweep->room.site), kind, id, see, &seen,
                             &sweep->room.error);
    assert_true(status == PB_OK || status == PB_NOT_FOUND);
    return seen;
}

static bool
is_person_there(struct sweep *sweep)
{
    return record_of(sweep, "person", sweep->id, "id").is_there;
}

static bool
is_person_gone(struct sweep *sweep)
{
    return !is_person_there(sweep);
}

static bool
is_reader_there(struct sweep *sweep)
{
    return record_of(sweep, "reader", sweep->id, "id").is_there;
}

static bool
is_person_named(struct sweep *sweep)
{
    return strcmp(record_of(sweep, "person", "low", "name").value, sweep->id) == 0;
}

static bool
is_account_there(struct sweep *sweep)
{
    struct pb_api_account account;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 1024);
    status = pb_api_account_find(sweep->room.site, pb_str_from(sweep->id), &arena, &account,
                                 &sweep->room.error);
    pb_arena_clear(&arena);
    assert_true(status == PB_OK || status == PB_NOT_FOUND);
    return status == PB_OK;
}

/* ---- what has to be there before ---- */

static void
add_person(struct sweep *sweep, const char *status)
{
    char yaml[256];

    (void)snprintf(yaml, sizeof(yaml),
                   "people:\n  - { id: %s, agency: kansas-pd, name: N. Ew, role: officer,"
                   " training_valid_until: 2027-06-01, status: %s }\n",
                   sweep->id, status);
    room_import(&sweep->room, yaml);
}

static void
have_requested_person(struct sweep *sweep)
{
    add_person(sweep, "requested");
}

static void
have_person(struct sweep *sweep)
{
    add_person(sweep, "active");
}

static void
have_held_question(struct sweep *sweep)
{
    static const struct request question = { "inquiries.ask",        DOE, NULL, NULL, NULL,
                                             "{" PLATE LONG_AGO "}", 409, NULL, NULL };
    const char *token;

    ask(sweep, &question);
    assert_int_equal(409, sweep->answer.status);
    token = strstr(sweep->answer.body, "\"token\":\"");
    assert_non_null(token);
    token += 9;
    (void)snprintf(sweep->held, sizeof(sweep->held), "%.*s", (int)strcspn(token, "\""), token);
}

static void
have_wrong_read(struct sweep *sweep)
{
    struct pb_read read = room_read(&sweep->room, "KSB100", "k1", PB_HOUR_US);

    read.event_id = pb_str_from(sweep->id);
    read.captured_at_us = ROOM_NOW_US - PB_HOUR_US;
    room_expect(&sweep->room, PB_OK, room_take(&sweep->room, &read), "read");
}

/* ---- the table ---- */

static const struct request requests[] = {
    /* The catalog. */
    { "people.list", ADM, NULL, "limit", "3", NULL, 200, NULL, NULL },
    { "people.show", ADM, "low", NULL, NULL, NULL, 200, NULL, NULL },
    { "people.add", ADM, NULL, NULL, NULL,
      "{\"id\":\"%\",\"agency\":\"kansas-pd\",\"name\":\"N. Ew\",\"role\":\"officer\"}", 201, NULL,
      is_person_there },
    { "people.change", ADM, "low", NULL, NULL, "{\"name\":\"%\"}", 200, NULL, is_person_named },
    { "people.remove", ADM, "%", NULL, NULL, NULL, 200, have_requested_person, is_person_gone },
    { "readers.add", ADM, NULL, NULL, NULL,
      "{\"id\":\"%\",\"agency\":\"kansas-pd\",\"capture_state\":\"US-KS\"}", 201, NULL,
      is_reader_there },
    { "agreements.show", ADM, "kansas-bureau", NULL, NULL, NULL, 200, NULL, NULL },
    { "rules.list", ADM, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    /* The second person, and corrections. */
    { "approvals.show", SUP, NULL, NULL, NULL, "{\"token\":\"$\"}", 200, have_held_question, NULL },
    { "approvals.give", SUP, NULL, NULL, NULL,
      "{\"token\":\"$\",\"decision\":\"approve\",\"why\":\"The file says so\"}", 200,
      have_held_question, NULL },
    { "corrections.make", DOE, NULL, NULL, NULL,
      "{\"reader\":\"k1\",\"captured_at\":\"2026-06-01T11:00:00Z\",\"wrong_plate\":\"KSB100\","
      "\"event_id\":\"%\",\"plate\":\"KSB108\",\"why\":\"The picture shows an 8\"}",
      200, have_wrong_read, NULL },
    /* Asking. */
    { "inquiries.ask", DOE, NULL, NULL, NULL, "{" PLATE WINDOW "}", 200, NULL, NULL },
    { "inquiries.ask", DOE, NULL, NULL, NULL,
      "{" PLATE WINDOW ",\"export\":{\"recipient\":\"kansas-pd\",\"format\":\"csv\"}}", 200, NULL,
      NULL },
    { "inquiries.ask", DOE, NULL, NULL, NULL,
      "{" PLATE WINDOW ",\"export\":{\"recipient\":\"kansas-pd\",\"format\":\"json\"}}", 200, NULL,
      NULL },
    { "inquiries.ask", AUD, NULL, NULL, NULL,
      "{\"kind\":\"subject\",\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\","
      "\"purpose\":\"subject-access\",\"case_number\":\"SAR-12\","
      "\"justification\":\"Letter of May asks for all reads\",\"identity\":\"Passport "
      "seen\"" WINDOW "}",
      409, NULL, NULL },
    { "policy.explain", DOE, NULL, NULL, NULL, "{" PLATE WINDOW "}", 200, NULL, NULL },
    /* Figures. */
    { "transparency.own", AUD, NULL, "month", "2026-06", NULL, 200, NULL, NULL },
    { "transparency.public", NOBODY, "coast-pd", NULL, NULL, NULL, 200, NULL, NULL },
    /* Tokens and accounts. */
    { "token.show", DOE, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "tokens.list", ADM, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "tokens.add", ADM, NULL, NULL, NULL,
      "{\"verbs\":[\"reads\"],\"readers\":[\"k1\"],\"label\":\"%\",\"days\":1}", 201, NULL, NULL },
    { "accounts.list", ADM, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "accounts.add", ADM, NULL, NULL, NULL, "{\"person\":\"%\"}", 201, have_person,
      is_account_there },
    /* Looking. */
    { "audit.search", AUD, NULL, NULL, NULL, "{}", 200, NULL, NULL },
    { "review.items", AUD, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "review.sample", AUD, NULL, NULL, NULL,
      "{\"from\":\"2026-05-01T00:00:00Z\",\"to\":\"2026-06-03T00:00:00Z\",\"count\":3}", 200, NULL,
      NULL },
    { "audit.keys", NOBODY, NULL, NULL, NULL, NULL, 200, NULL, NULL },
};

static void
without_memory_an_answer_is_right_or_a_failure(void **state)
{
    struct sweep *sweep = *state;

    for (size_t i = 0; i < COUNT_OF(requests); i++)
        sweep_memory(sweep, &requests[i]);
}

static void
without_a_file_an_answer_is_right_or_a_failure(void **state)
{
    struct sweep *sweep = *state;

    for (size_t i = 0; i < COUNT_OF(requests); i++)
        sweep_files(sweep, &requests[i]);
}

/* ---- backups of what is served ---- */

/* Is it one that can be served, or nothing that could be taken for one? */
static void
check_backup(struct sweep *sweep, enum pb_status status, const char *path)
{
    const struct pb_site_options options = { .mode = PB_SITE_LOOK };
    struct pb_site *site = NULL;
    char mark[PB_PATH_BYTES_MAX + 8];

    (void)snprintf(mark, sizeof(mark), "%s/SITE", path);
    assert_true((status == PB_OK) == (access(mark, R_OK) == 0));
    if (status != PB_OK)
        return;
    room_expect(&sweep->room, PB_OK,
                pb_site_open(sweep->room.env, path, &options, &site, &sweep->room.error), path);
    room_expect(&sweep->room, PB_OK, pb_site_close(site, &sweep->room.error), path);
}

static enum pb_status
back_up(struct sweep *sweep, char path[PB_PATH_BYTES_MAX])
{
    char directory[192];

    (void)snprintf(directory, sizeof(directory), "%s/backups", sweep->room.directory);
    sweep->room.now_us += PB_SECOND_US;
    return pb_cli_backups_make(sweep->room.env, sweep->room.site, directory, NULL, path,
                               &sweep->room.error);
}

static void
a_backup_is_whole_or_none(void **state)
{
    struct sweep *sweep = *state;
    struct fault_env *fault = &sweep->room.fault;
    char path[PB_PATH_BYTES_MAX];

    for (int of_files = 0; of_files < 2; of_files++) {
        uint64_t n = 0, failures;
        enum pb_status status;

        do {
            n += n < 30 || getenv("PB_NIGHT") != NULL ? 1 : 13; /* each copies everything */
            assert_true(n < ALLOCATIONS_MAX);
            failures = fault->failure_count;
            if (of_files == 0)
                fault->fail_allocation_at = fault->allocation_count + n;
            else
                fault->fail_file_call_at = fault->file_call_count + n;
            status = back_up(sweep, path);
            fault->fail_allocation_at = fault->fail_file_call_at = 0;
            assert_true(status <= PB_OK);
            check_backup(sweep, status, path);
            if (of_files == 1 && status != PB_OK)
                restart(sweep); /* it may have been its log that failed */
        } while (fault->failure_count > failures);
        room_expect(&sweep->room, PB_OK, status, "the last of them");
        assert_true(n > 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(without_memory_an_answer_is_right_or_a_failure),
        CASE(without_a_file_an_answer_is_right_or_a_failure),
        CASE(a_backup_is_whole_or_none),
    };

    /* It is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
