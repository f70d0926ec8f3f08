/*
 * Sweeps over the handlers of programs: records, inquiries, figures, tokens, review; and backups of
 * what is served, the same way.
 */
#include "api/sweep.h"

#include "cli/backups.h"

#define WHY                                                            \
    "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\"," \
    "\"case_number\":\"26-00471\",\"relation\":\"subject\","           \
    "\"justification\":\"Burglary series on Elm Street, vehicle seen by a witness\""
#define WINDOW ",\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""
#define LONG_AGO ",\"from\":\"2021-05-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""
#define PLATE "\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY

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

static bool
is_token_revoked(struct sweep *sweep)
{
    struct pb_api_token token;
    struct pb_arena arena;
    bool is_revoked;

    pb_arena_init(&arena, pb_env_system(), 1024);
    room_expect(&sweep->room, PB_OK,
                pb_api_token_find(sweep->room.site, pb_str_from(sweep->held), &arena, &token,
                                  &sweep->room.error),
                sweep->held);
    is_revoked = token.revoked_at_us != 0;
    pb_arena_clear(&arena);
    return is_revoked;
}

/* The pack of the turn stands in its file. */
static bool
is_pack_there(struct sweep *sweep)
{
    char path[512], wanted[128], text[512] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/rules/site-x.yaml", sweep->room.path);
    (void)snprintf(wanted, sizeof(wanted), "title: %s\n", sweep->id);
    file = fopen(path, "rb");
    if (file == NULL)
        return false;
    (void)!fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(0, fclose(file));
    return strstr(text, wanted) != NULL;
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
    static const struct sweep_request question = { "inquiries.ask",        DOE, NULL, NULL, NULL,
                                                   "{" PLATE LONG_AGO "}", 409, NULL, NULL };
    const char *token;

    sweep_ask(sweep, &question);
    assert_int_equal(409, sweep->answer.status);
    token = strstr(sweep->answer.body, "\"token\":\"");
    assert_non_null(token);
    token += 9;
    (void)snprintf(sweep->held, sizeof(sweep->held), "%.*s", (int)strcspn(token, "\""), token);
}

static void
have_token(struct sweep *sweep)
{
    struct pb_api_token token = {
        .agency = pb_str_from("kansas-pd"),
        .verbs = PB_TOKEN_READS,
        .expires_at_us = sweep->room.now_us + PB_DAY_US,
    };
    char text[PB_TOKEN_TEXT_BYTES];

    room_expect(&sweep->room, PB_OK,
                pb_api_token_add(sweep->room.env, sweep->room.site, &token, text,
                                 &sweep->room.error),
                "token");
    (void)snprintf(sweep->held, sizeof(sweep->held), "%.12s", text + 3);
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

static const struct sweep_request requests[] = {
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
    { "catalog.export", OPAL, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "catalog.import", OPAL, NULL, NULL, NULL,
      "people:\n  - { id: %, agency: kansas-pd, name: N. Ew, role: officer }\n", 200, NULL,
      is_person_there },
    { "rules.put", OPAL, "site-x.yaml", NULL, NULL,
      "pack: site-x\nversion: 1\ntitle: %\nvalid_from: 2020-01-01\nbinds: everyone\nrules:\n"
      "  - { id: site-x.none, text: A duty., source: Example, verified: true, kind: duty,"
      " of: statistics }\n",
      200, NULL, is_pack_there },
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
    { "tokens.revoke", ADM, "$", NULL, NULL, NULL, 200, have_token, is_token_revoked },
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
    sweep_all(*state, requests, COUNT_OF(requests), OF_MEMORY);
}

static void
without_a_file_an_answer_is_right_or_a_failure(void **state)
{
    sweep_all(*state, requests, COUNT_OF(requests), OF_FILES);
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
            assert_true(n < SWEEP_FAULTS_MAX);
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
                sweep_restart(sweep); /* it may have been its log that failed */
        } while (fault->failure_count > failures);
        room_expect(&sweep->room, PB_OK, status, "the last of them");
        assert_true(n > 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, sweep_setup, sweep_teardown)
        CASE(without_memory_an_answer_is_right_or_a_failure),
        CASE(without_a_file_an_answer_is_right_or_a_failure),
        CASE(a_backup_is_whole_or_none),
    };

    /* It is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
