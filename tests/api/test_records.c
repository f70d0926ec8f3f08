/*
 * Records of the catalog over HTTP: who sees and changes what, lost updates, bad fields; and
 * reading them from JSON.
 */
#include "api/tellers.h"

#include "api/record_json.h"

#define MARK_HEADER_BYTES 64

static const struct {
    const char *plural, *entity, *template; /* of one */
    const char *own;                        /* kansas-pd's */
    const char *other;                      /* river-pd's alone; NULL: there is none */
} entities[] = {
    { "agencies", "agency", "/v1/agencies/{id}", "kansas-pd", "river-pd" },
    { "people", "person", "/v1/people/{id}", "low", "rita" },
    { "readers", "reader", "/v1/readers/{id}", "k1", "r1" },
    { "offences", "offence", "/v1/offences/{id}", "burglary", NULL },
    { "cases", "case", "/v1/cases/{id}", "kansas-pd:26-00999", "river-pd:26/1" },
    { "agreements", "agreement", "/v1/agreements/{id}", "kansas-bureau", "river-other" },
    { "declarations", "declaration", "/v1/declarations/{id}", "promise", NULL },
    { "holds", "hold", "/v1/holds/{id}", "keep", NULL },
};

static int
setup(void **state)
{
    struct people *people;
    int status = people_setup(state);

    people = *state;
    room_import(&people->room, "agreements:\n"
                               "  - { id: river-other, owner: river-pd, asker: pine-pd,"
                               " purposes: criminal-investigation, ends_at: 2027-01-01 }\n");
    service_start(&people->service);
    return status;
}

/* "If-Match: <the record's ETag>", as a header. */
static void
take_mark(const struct people *people, const char *token, const char *target, const char *template,
          char header[MARK_HEADER_BYTES])
{
    struct client client;
    const char *tag;

    assert_int_equal(200, people_call(people, &client, token, "GET", target, template, "", NULL));
    tag = strstr(client.text, "ETag: ");
    assert_non_null(tag);
    (void)snprintf(header, MARK_HEADER_BYTES, "If-Match: %.*s\r\n", (int)strcspn(tag + 6, "\r"),
                   tag + 6);
    client_close(&client);
}

static void
each_entity_shows_what_is_ones_own_and_nothing_else_is_there(void **state)
{
    const struct people *people = *state;
    char target[128], list[64];

    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        char quoted[96];

        (void)snprintf(quoted, sizeof(quoted), "\"id\":\"%s\"", entities[i].own);
        (void)snprintf(list, sizeof(list), "/v1/%s", entities[i].plural);
        (void)snprintf(target, sizeof(target), "/v1/%s/%s", entities[i].plural, entities[i].own);
        people_expect(people, people->adm, "GET", target, entities[i].template, "", NULL, 200,
                      quoted);
        people_expect(people, people->adm, "GET", list, list, "", NULL, 200, quoted);
        people_expect(people, people->opal, "GET", target, entities[i].template, "", NULL, 200,
                      quoted);
        people_expect(people, people->doe, "GET", target, entities[i].template, "", NULL, 403,
                      "may not look at the catalog");
        people_expect(people, people->doe, "GET", list, list, "", NULL, 403, "may not look");
        people_expect(people, people->nobody, "GET", target, entities[i].template, "", NULL, 403,
                      "a person is wanted");
        people_expect(people, people->nobody, "GET", list, list, "", NULL, 403, "a person");
        (void)snprintf(target, sizeof(target), "/v1/%s/nothing:x", entities[i].plural);
        people_expect(people, people->adm, "GET", target, entities[i].template, "", NULL, 404,
                      "there is no ");
        if (entities[i].other == NULL)
            continue;
        (void)snprintf(target, sizeof(target), "/v1/%s/%s", entities[i].plural, entities[i].other);
        (void)snprintf(quoted, sizeof(quoted), "\"id\":\"%s\"", entities[i].other);
        people_expect(people, people->rita, "GET", target, entities[i].template, "", NULL, 200,
                      quoted);
        people_expect(people, people->adm, "GET", target, entities[i].template, "", NULL, 404,
                      "there is no ");
        people_expect(people, people->adm, "PATCH", target, entities[i].template, "If-Match: *\r\n",
                      "{}", 404, "there is no ");
        people_expect(people, people->adm, "DELETE", target, entities[i].template,
                      "If-Match: *\r\n", NULL, 404, "there is no ");
    }
}

static void
lists_hold_only_ones_own(void **state)
{
    const struct people *people = *state;
    struct client client;

    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        char list[64], quoted[96];

        if (entities[i].other == NULL)
            continue;
        (void)snprintf(list, sizeof(list), "/v1/%s", entities[i].plural);
        (void)snprintf(quoted, sizeof(quoted), "\"id\":\"%s\"", entities[i].other);
        assert_int_equal(200,
                         people_call(people, &client, people->adm, "GET", list, list, "", NULL));
        assert_null(strstr(client_body(&client), quoted));
        client_close(&client);
        people_expect(people, people->opal, "GET", list, list, "", NULL, 200, quoted);
    }
    /* An agreement is there for who may ask by it, too, but is its owner's to change. */
    people_expect(people, people->adm, "GET", "/v1/agreements", "/v1/agreements", "", NULL, 200,
                  "\"id\":\"river-kansas\"");
    people_expect(people, people->adm, "PATCH", "/v1/agreements/river-kansas",
                  "/v1/agreements/{id}", "If-Match: *\r\n", "{\"revoked\":true}", 403,
                  "\"field\":\"owner\"");
}

static void
pages_follow_each_other_by_id(void **state)
{
    static const char *const readers[] = { "k1", "k2", "k3" };
    const struct people *people = *state;
    struct client client;
    char target[64] = "/v1/readers?limit=1", quoted[32];

    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        assert_int_equal(200, people_call(people, &client, people->adm, "GET", target,
                                          "/v1/readers", "", NULL));
        (void)snprintf(quoted, sizeof(quoted), "\"id\":\"%s\"", readers[i]);
        expect_in(client_body(&client), quoted);
        (void)snprintf(quoted, sizeof(quoted), "\"next\":\"%s\"", readers[i]);
        if (i + 1 < COUNT_OF(readers))
            expect_in(client_body(&client), quoted);
        else
            assert_null(strstr(client_body(&client), "next"));
        client_close(&client);
        (void)snprintf(target, sizeof(target), "/v1/readers?limit=1&after=%s", readers[i]);
    }
    people_expect(people, people->adm, "GET", "/v1/readers?after=k3", "/v1/readers", "", NULL, 200,
                  "{\"items\":[]}");
    people_expect(people, people->adm, "GET", "/v1/cases?limit=1", "/v1/cases", "", NULL, 200,
                  "\"next\":\"kansas-pd:26-00471\"");
    people_expect(people, people->rita, "GET", "/v1/cases", "/v1/cases", "", NULL, 200,
                  "{\"items\":[{\"id\":\"river-pd:26/1\"");
    people_expect(people, people->adm, "GET", "/v1/readers?limit=1001", "/v1/readers", "", NULL,
                  400, "\"field\":\"limit\"");
    people_expect(people, people->adm, "GET", "/v1/readers?limit=0", "/v1/readers", "", NULL, 200,
                  "\"next\":\"k1\"");
}

static void
a_record_is_added_changed_and_removed_each_on_record(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    char seen[MARK_HEADER_BYTES], newer[MARK_HEADER_BYTES];
    struct room_found leaf;
    struct client client;

    assert_int_equal(201,
                     people_call(people, &client, people->adm, "POST", "/v1/cases", "/v1/cases", "",
                                 "{\"id\":\"kansas-pd:26/7 a\",\"offence\":\"burglary\","
                                 "\"verified\":true}"));
    expect_in(client.text, "ETag: \"");
    expect_in(client_body(&client), "\"agency\":\"kansas-pd\"");
    expect_in(client_body(&client), "\"status\":\"open\",\"verified\":true");
    client_close(&client);
    (void)room_leaves(room, "kansas-pd", "change", &leaf);
    assert_says(leaf.leaf, "\"entity\":\"case\",\"verb\":\"add\"");
    assert_says(leaf.secrets, "person=adm\n");
    people_expect(people, people->adm, "POST", "/v1/cases", "/v1/cases", "",
                  "{\"id\":\"kansas-pd:26/7 a\"}", 409, "is there already");

    take_mark(people, people->adm, "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}", seen);
    people_expect(people, people->adm, "PATCH", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  "", "{\"note\":\"x\"}", 428, "If-Match");
    people_expect(people, people->adm, "PATCH", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  seen, "{\"note\":\"first\",\"verified\":null}", 200, "\"note\":\"first\"");
    people_expect(people, people->adm, "PATCH", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  seen, "{\"note\":\"second\"}", 412, "look at it again");
    people_expect(people, people->adm, "PATCH", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  "If-Match: W/\"x\"\r\n", "{\"note\":\"second\"}", 412, "look at it again");
    take_mark(people, people->adm, "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}", newer);
    assert_string_not_equal(seen, newer);
    people_expect(people, people->adm, "PATCH", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  "If-Match: *\r\n", "{\"note\":null}", 200, "\"verified\":false");

    people_expect(people, people->adm, "DELETE", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  "", NULL, 428, "If-Match");
    people_expect(people, people->adm, "DELETE", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  newer, NULL, 412, "look at it again");
    take_mark(people, people->adm, "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}", seen);
    people_expect(people, people->adm, "DELETE", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  seen, NULL, 200, "{\"removed\":\"kansas-pd:26/7 a\"}");
    people_expect(people, people->adm, "DELETE", "/v1/cases/kansas-pd:26/7%20a", "/v1/cases/{id}",
                  seen, NULL, 404, "there is no ");
    (void)room_leaves(room, "kansas-pd", "change", &leaf);
    assert_says(leaf.leaf, "\"verb\":\"remove\"");
    people_expect(people, people->adm, "DELETE", "/v1/cases/kansas-pd:26-00471", "/v1/cases/{id}",
                  "If-Match: *\r\n", NULL, 409, "referred to by hold keep");
    people_expect(people, people->adm, "DELETE", "/v1/readers/k1", "/v1/readers/{id}",
                  "If-Match: *\r\n", NULL, 409, "stays");
}

static void
bodies_that_say_nothing_are_refused_by_field(void **state)
{
    static const struct {
        const char *target, *body, *field;
    } cases[] = {
        { "/v1/readers", "", NULL },
        { "/v1/readers", "[]", NULL },
        { "/v1/readers", "{\"id\":\"x\",\"id\":\"y\"}", NULL },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"nam\":\"y\"}", "nam" },
        { "/v1/readers", "{\"id\":7,\"agency\":\"kansas-pd\"}", "id" },
        { "/v1/readers", "{\"id\":\"\",\"agency\":\"kansas-pd\"}", "id" },
        { "/v1/readers", "{\"id\":\"a,b\",\"agency\":\"kansas-pd\"}", "id" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"kind\":\"van\"}", "kind" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"lat\":\"1\"}", "lat" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"lat\":91,\"lon\":1}", "lat" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"lat\":1e99}", "lat" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"lat\":1}", "lon" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"note\":null}", "note" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"note\":\"a\\u202Eb\"}", "note" },
        { "/v1/people", "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"name\":\"X\"}", "role" },
        { "/v1/people",
          "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"name\":\"X\",\"role\":\"officer\","
          "\"permissions\":\"plate\"}",
          "permissions" },
        { "/v1/people",
          "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"name\":\"X\",\"role\":\"officer\","
          "\"permissions\":[\"plate,place\"]}",
          "permissions" },
        { "/v1/cases", "{\"id\":\"kansas-pd:9\",\"verified\":\"yes\"}", "verified" },
        { "/v1/cases", "{\"id\":\"kansas-pd:9\",\"offence\":\"none\"}", "offence" },
    };
    const struct people *people = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char says[64] = "";

        if (cases[i].field != NULL)
            (void)snprintf(says, sizeof(says), "\"field\":\"%s\"", cases[i].field);
        people_expect(people, people->adm, "POST", cases[i].target, cases[i].target, "",
                      cases[i].body, 400, says);
    }
    people_expect(people, people->adm, "PATCH", "/v1/people/low", "/v1/people/{id}",
                  "If-Match: *\r\n", "{\"name\":null}", 400, "\"field\":\"name\"");
    people_expect(people, people->adm, "PATCH", "/v1/people/low", "/v1/people/{id}",
                  "If-Match: *\r\n", "{\"id\":\"high\"}", 400, "\"field\":\"id\"");
    people_expect(people, people->adm, "PATCH", "/v1/people/low", "/v1/people/{id}",
                  "If-Match: *\r\n", "{\"agency\":\"river-pd\"}", 400, "\"field\":\"agency\"");
}

static void
nothing_is_added_for_others_and_no_refusal_tells_of_theirs(void **state)
{
    static const struct {
        const char *target, *body;
        int status;
        const char *says;
    } cases[] = {
        { "/v1/agencies",
          "{\"id\":\"own-pd\",\"name\":\"X\",\"class\":\"local\",\"jurisdiction\":\"US-KS\"}", 403,
          "only who operates" },
        { "/v1/offences",
          "{\"id\":\"x\",\"title\":\"X\",\"jurisdiction\":\"US-KS\",\"class\":\"civil\","
          "\"limitation_years\":\"none\"}",
          403, "only who operates" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"river-pd\"}", 403, "\"field\":\"agency\"" },
        { "/v1/readers", "{\"id\":\"x\",\"agency\":\"nobody\"}", 403, "\"field\":\"agency\"" },
        { "/v1/readers", "{\"id\":\"r1\",\"agency\":\"kansas-pd\"}", 409, "id: taken already" },
        { "/v1/cases", "{\"id\":\"river-pd:26/1\"}", 403, "\"field\":\"id\"" },
        { "/v1/cases", "{\"id\":\"river-pd:26/2\"}", 403, "\"field\":\"id\"" },
        { "/v1/cases", "{\"id\":\"kansas-pd\"}", 400, "\"field\":\"id\"" },
        { "/v1/agreements",
          "{\"id\":\"x\",\"owner\":\"river-pd\",\"asker\":\"kansas-pd\",\"ends_at\":"
          "\"2027-01-01\"}",
          403, "\"field\":\"owner\"" },
        { "/v1/agreements",
          "{\"id\":\"x\",\"owner\":\"kansas-pd\",\"asker\":\"river-pd\",\"readers\":[\"k1\","
          "\"r1\"],\"ends_at\":\"2027-01-01\"}",
          400, "readers: the agency has no reader 'r1'" },
        { "/v1/agreements",
          "{\"id\":\"x\",\"owner\":\"kansas-pd\",\"asker\":\"river-pd\",\"readers\":[\"zz\"],"
          "\"ends_at\":\"2027-01-01\"}",
          400, "readers: the agency has no reader 'zz'" },
        { "/v1/holds",
          "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"case\":\"river-pd:26/1\",\"authority\":"
          "\"request\",\"facts\":\"f\",\"from\":\"2026-01-01\",\"to\":\"2026-02-01\","
          "\"expires_at\":\"2026-07-01\"}",
          400, "case: there is no such case of the agency" },
        { "/v1/holds",
          "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"case\":\"river-pd:99\",\"authority\":"
          "\"request\",\"facts\":\"f\",\"from\":\"2026-01-01\",\"to\":\"2026-02-01\","
          "\"expires_at\":\"2026-07-01\"}",
          400, "case: there is no such case of the agency" },
    };
    const struct people *people = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        people_expect(people, people->adm, "POST", cases[i].target, cases[i].target, "",
                      cases[i].body, cases[i].status, cases[i].says);
}

static void
accounts_take_two_and_nobody_makes_themselves_more(void **state)
{
    static const struct {
        const char *target, *body;
        int status;
        const char *says;
    } cases[] = {
        { "new", "{\"status\":\"active\",\"approved_by\":\"doe\"}", 403,
          "\"field\":\"approved_by\"" },
        { "new", "{\"status\":\"active\",\"approved_by\":\"adm\"}", 200, "\"status\":\"active\"" },
        { "adm", "{\"permissions\":[\"plate\"]}", 403, "of their own account" },
        { "adm", "{\"training_valid_until\":\"2030-01-01\"}", 403, "of their own account" },
        { "adm", "{\"name\":\"A. D. Min\",\"contact\":\"desk\"}", 200, "A. D. Min" },
        { "low", "{\"role\":\"operator\"}", 403, "\"field\":\"role\"" },
        { "low", "{\"permissions\":[\"plate\",\"operate\"]}", 403, "\"field\":\"role\"" },
        { "opal", "{\"status\":\"suspended\"}", 403, "\"field\":\"role\"" },
        { "low", "{\"status\":\"suspended\",\"note\":\"on leave\"}", 200, "suspended" },
    };
    const struct people *people = *state;
    char target[64];

    people_expect(people, people->adm, "POST", "/v1/people", "/v1/people", "",
                  "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"name\":\"X\",\"role\":\"auditor\","
                  "\"status\":\"active\"}",
                  403, "\"field\":\"status\"");
    people_expect(people, people->adm, "POST", "/v1/people", "/v1/people", "",
                  "{\"id\":\"x\",\"agency\":\"kansas-pd\",\"name\":\"X\",\"role\":\"auditor\"}",
                  201, "\"status\":\"requested\"");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(target, sizeof(target), "/v1/people/%s", cases[i].target);
        people_expect(people, people->adm, "PATCH", target, "/v1/people/{id}", "If-Match: *\r\n",
                      cases[i].body, cases[i].status, cases[i].says);
    }
}

static void
who_operates_makes_agencies_and_their_first_administrators(void **state)
{
    struct people *people = *state;
    struct room_found leaf;

    people_expect(people, people->opal, "POST", "/v1/agencies", "/v1/agencies", "",
                  "{\"id\":\"lake-pd\",\"name\":\"Example Lake\",\"class\":\"local\","
                  "\"jurisdiction\":\"US-KS\",\"contributes\":true,\"retention_days\":90}",
                  201, "\"retention_days\":90");
    people_expect(people, people->opal, "POST", "/v1/people", "/v1/people", "",
                  "{\"id\":\"lakeman\",\"agency\":\"lake-pd\",\"name\":\"L. Man\","
                  "\"role\":\"administrator\",\"status\":\"active\","
                  "\"training_valid_until\":\"2027-01-01\"}",
                  201, "\"training_valid_until\":\"2027-01-01T00:00:00.000Z\"");
    (void)room_leaves(&people->room, "lake-pd", "change", &leaf);
    assert_says(leaf.secrets, "person=opal\n");
    people_expect(people, people->opal, "POST", "/v1/offences", "/v1/offences", "",
                  "{\"id\":\"x\",\"title\":\"X\",\"jurisdiction\":\"US-KS\",\"class\":\"civil\","
                  "\"limitation_years\":\"none\"}",
                  201, "\"limitation_years\":\"none\"");
    people_expect(people, people->opal, "POST", "/v1/offences", "/v1/offences", "",
                  "{\"id\":\"y\",\"title\":\"Y\",\"jurisdiction\":\"US-KS\",\"class\":\"civil\","
                  "\"limitation_years\":5}",
                  201, "\"limitation_years\":5");
}

/* ---- without memory ---- */

static const char full_reader[] =
    "{\"id\":\"k9\",\"agency\":\"kansas-pd\",\"lat\":38.5000001,\"lon\":-98,\"note\":\"n\"}";

static void
a_record_without_memory_changes_nothing(void **state)
{
    struct fault_env fault;
    const struct pb_entity *entity = pb_catalog_entity("reader");
    enum pb_status status = PB_E_NOMEM;

    (void)state;
    for (uint64_t n = 1; status == PB_E_NOMEM; n++) {
        struct pb_record record = { .entity = NULL };
        const char *field, *why;
        struct pb_arena arena;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = n;
        pb_arena_init(&arena, &fault.env, 16);
        status = pb_api_record_parse(&arena, entity, false, pb_str_from(full_reader), &record,
                                     &field, &why);
        if (status == PB_OK) {
            assert_string_equal("k9", record.values[0]);
            assert_true(n > 1);
        } else {
            assert_null(record.entity);
        }
        pb_arena_clear(&arena);
        assert_true(fault_env_is_clean(&fault));
        assert_true(n < 100);
    }
    assert_int_equal(PB_OK, status);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, people_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_entity_shows_what_is_ones_own_and_nothing_else_is_there),
        CASE(lists_hold_only_ones_own),
        CASE(pages_follow_each_other_by_id),
        CASE(a_record_is_added_changed_and_removed_each_on_record),
        CASE(bodies_that_say_nothing_are_refused_by_field),
        CASE(nothing_is_added_for_others_and_no_refusal_tells_of_theirs),
        CASE(accounts_take_two_and_nobody_makes_themselves_more),
        CASE(who_operates_makes_agencies_and_their_first_administrators),
        cmocka_unit_test(a_record_without_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
