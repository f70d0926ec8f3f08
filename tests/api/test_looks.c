/*
 * Auditors over HTTP: entries, proofs, samples and findings, each look an entry; tokens made by
 * administrators; the whole catalog and rule packs; and a monitor that follows a log from outside.
 */
#include "api/tellers.h"

#include <sys/wait.h>

static int
setup(void **state)
{
    struct people *people;
    struct pb_inquiry inquiry;
    struct site_room *room;
    int status = people_setup(state);

    people = *state;
    room = &people->room;
    room_add(room, "KSA123", "k1", PB_DAY_US);
    inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask(room, &inquiry);
    room_expect(room, PB_OK, pb_audit_publish(pb_site_audit(room->site), NULL, &room->error),
                "publish");
    /* What is served is the directory of the site. */
    (void)rmdir(people->service.directory);
    assert_true(strlen(room->path) < sizeof(people->service.directory));
    (void)snprintf(people->service.directory, sizeof(people->service.directory), "%.*s",
                   (int)sizeof(people->service.directory) - 1, room->path);
    people->service.options.audit = pb_site_audit(room->site);
    service_start(&people->service);
    return status;
}

static int
teardown(void **state)
{
    struct people *people = *state;

    people->service.directory[0] = '\0'; /* the room's, which removes it */
    return people_teardown(state);
}

static void
post(const struct people *people, const char *token, const char *target, const char *body,
     int status, const char *has)
{
    people_expect(people, token, "POST", target, target, "", body, status, has);
}

/* ---- entries ---- */

static void
an_auditor_searches_what_the_agency_asked_and_each_look_is_an_entry(void **state)
{
    static const struct {
        const char *body, *has;
    } cases[] = {
        { "{\"event\":\"query\"}", "\"person\":\"doe\"" },
        { "{\"event\":\"query\",\"person\":\"doe\",\"plate\":\"ks-a 123\"}",
          "\"plate\":\"KSA123\"" },
        { "{\"event\":\"query\",\"case_number\":\"26-00471\",\"kind\":\"plate\"}", "KSA123" },
        { "{\"event\":\"query\",\"from\":\"2026-06-01T11:00:00Z\"}", "KSA123" },
        { "{\"event\":\"query\",\"to\":\"2026-06-01T13:00:00Z\"}", "KSA123" },
        { "{\"event\":\"query\",\"to\":\"2026-06-01T11:00:00Z\"}", "{\"entries\":[]}" },
        { "{\"plate\":\"NOTHING\"}", "{\"entries\":[]}" },
        { "{\"kind\":\"place\"}", "{\"entries\":[]}" },
        { "{\"first\":100000}", "{\"entries\":[]}" },
    };
    struct people *people = *state;
    uint64_t looks = room_leaves(&people->room, "kansas-pd", "audit-read", NULL);
    struct room_found leaf;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        post(people, people->aud, "/v1/audit/search", cases[i].body, 200, cases[i].has);
    assert_int_equal(looks + COUNT_OF(cases),
                     room_leaves(&people->room, "kansas-pd", "audit-read", &leaf));
    assert_says(leaf.secrets, "person=aud\n");
    /* Others' entries are in others' logs, and who may not look sees nothing. */
    post(people, people->rivaud, "/v1/audit/search", "{\"event\":\"query\"}", 200,
         "{\"entries\":[]}");
    post(people, people->adm, "/v1/audit/search", "{}", 403, "may not look at the audit log");
    post(people, people->doe, "/v1/audit/search", "{}", 403, "may not look at the audit log");
    post(people, people->aud, "/v1/audit/search", "{\"plat\":\"X\"}", 400, "\"field\":\"plat\"");
    post(people, people->aud, "/v1/audit/search", "{\"limit\":0}", 400, "\"field\":\"limit\"");
    post(people, people->aud, "/v1/audit/search", "{\"from\":\"today\"}", 400,
         "\"field\":\"from\"");
}

static void
a_search_goes_on_where_the_page_ended(void **state)
{
    struct people *people = *state;
    char body[64], next[32];
    uint64_t first = 0, pages = 0;

    for (;; pages++) {
        struct client client;
        const char *at;

        (void)snprintf(body, sizeof(body), "{\"first\":%llu,\"limit\":1}",
                       (unsigned long long)first);
        assert_int_equal(200, people_call(people, &client, people->rivaud, "POST",
                                          "/v1/audit/search", "/v1/audit/search", "", body));
        at = strstr(client_body(&client), "\"next\":");
        assert_true(pages < 100);
        if (at == NULL) {
            client_close(&client);
            break;
        }
        (void)snprintf(next, sizeof(next), "%.*s", (int)strcspn(at + 7, "}"), at + 7);
        assert_true(strtoull(next, NULL, 10) > first);
        first = strtoull(next, NULL, 10);
        client_close(&client);
        if (pages == 3)
            break; /* each look is an entry, so that the end moves on */
    }
    assert_true(first >= 3);
}

static void
one_entry_is_opened_and_proved(void **state)
{
    struct people *people = *state;
    struct room_found query;
    struct client client;
    char target[96], vkey[512];
    const char *at;

    (void)room_leaves(&people->room, "kansas-pd", "query", &query);
    (void)snprintf(target, sizeof(target), "/v1/audit/entries/%llu",
                   (unsigned long long)query.index);
    people_expect(people, people->aud, "GET", target, "/v1/audit/entries/{index}", "", NULL, 200,
                  "\"plate\":\"KSA123\"");
    people_expect(people, people->doe, "GET", target, "/v1/audit/entries/{index}", "", NULL, 403,
                  "may not look");
    people_expect(people, people->aud, "GET", "/v1/audit/entries/99999",
                  "/v1/audit/entries/{index}", "", NULL, 404, "no such entry");
    people_expect(people, people->aud, "GET", "/v1/audit/entries/one", "/v1/audit/entries/{index}",
                  "", NULL, 404, "no such entry");

    people_expect(people, people->adm, "GET", "/audit/keys", "/audit/keys", "", NULL, 200,
                  "\"log\":\"kansas-pd\"");
    assert_int_equal(200, people_call(people, &client, people->adm, "GET", "/audit/keys",
                                      "/audit/keys", "", NULL));
    at = strstr(client_body(&client), "\"log\":\"kansas-pd\"");
    assert_non_null(at);
    at = strstr(at, "\"vkey\":\"") + 8;
    (void)snprintf(vkey, sizeof(vkey), "%.*s", (int)strcspn(at, "\""), at);
    client_close(&client);

    (void)snprintf(target, sizeof(target), "/v1/audit/entries/%llu/proof?openings=true",
                   (unsigned long long)query.index);
    assert_int_equal(200, people_call(people, &client, people->aud, "GET", target,
                                      "/v1/audit/entries/{index}/proof", "", NULL));
    expect_in(client_body(&client), "\nopenings\n");
    room_expect(&people->room, PB_OK,
                pb_audit_verify_proof(people->room.env, pb_str_from(client_body(&client)), vkey,
                                      &people->room.error),
                "proof");
    client_close(&client);
    people_expect(people, people->aud, "GET", "/v1/audit/entries/99999/proof",
                  "/v1/audit/entries/{index}/proof", "", NULL, 404, "no published leaf");
    people_expect(people, people->adm, "GET", target, "/v1/audit/entries/{index}/proof", "", NULL,
                  403, "may not look");

    people_expect(people, people->aud, "GET", "/v1/audit/consistency?old=1",
                  "/v1/audit/consistency", "", NULL, 200, "old 1\n");
    people_expect(people, people->aud, "GET", "/v1/audit/consistency?old=99999",
                  "/v1/audit/consistency", "", NULL, 404, "no published leaf");
    people_expect(people, people->aud, "GET", "/v1/audit/consistency", "/v1/audit/consistency", "",
                  NULL, 400, "\"field\":\"old\"");
    people_expect(people, people->adm, "GET", "/v1/audit/consistency?old=1",
                  "/v1/audit/consistency", "", NULL, 403, "may not look");
}

static void
an_export_is_a_file_that_no_spreadsheet_runs(void **state)
{
    struct people *people = *state;
    struct client client;

    assert_int_equal(200, people_call(people, &client, people->aud, "POST", "/v1/audit/export",
                                      "/v1/audit/export", "", "{\"event\":\"query\"}"));
    expect_in(client.text, "Content-Disposition: attachment; filename=\"audit.csv\"");
    expect_in(client_body(&client), "log,index,at,event,kind");
    expect_in(client_body(&client), "\"doe\"");
    client_close(&client);
    post(people, people->adm, "/v1/audit/export", "{}", 403, "may not look");
    post(people, people->aud, "/v1/audit/export", "{\"format\":\"xls\"}", 400,
         "\"field\":\"format\"");
}

/* ---- review ---- */

static void
samples_are_taken_and_closed_by_who_took_them(void **state)
{
    static const char window[] =
        "{\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}";
    struct people *people = *state;
    struct room_found leaf;
    struct client client;
    char item[96], body[256];
    const char *at;

    post(people, people->aud, "/v1/review/samples", window, 200, "{\"drawn\":1}");
    post(people, people->aud, "/v1/review/detections", window, 200, "{\"findings\":[");
    post(people, people->aud, "/v1/review/samples", "{\"from\":\"2026-06-01T00:00:00Z\"}", 400,
         "\"field\":\"to\"");
    post(people, people->adm, "/v1/review/samples", window, 403, "may not look");
    post(people, people->rivaud, "/v1/review/samples", window, 200, "{\"drawn\":0}");

    assert_int_equal(200, people_call(people, &client, people->aud, "GET", "/v1/review/items",
                                      "/v1/review/items", "", NULL));
    at = strstr(client_body(&client), "\"item\":\"");
    assert_non_null(at);
    (void)snprintf(item, sizeof(item), "%.*s", (int)strcspn(at + 8, "\""), at + 8);
    client_close(&client);
    people_expect(people, people->rivaud, "GET", "/v1/review/items", "/v1/review/items", "", NULL,
                  200, "{\"items\":[]}");

    (void)snprintf(body, sizeof(body), "{\"item\":\"%s\"}", item);
    post(people, people->rivaud, "/v1/review/take", body, 404, "not one of your agency");
    post(people, people->aud, "/v1/review/take", body, 200, "{\"taken\":true}");
    people_expect(people, people->aud, "GET", "/v1/review/items", "/v1/review/items", "", NULL, 200,
                  "\"taken_by\":\"aud\"");
    (void)room_leaves(&people->room, "kansas-pd", "review", &leaf);
    assert_says(leaf.leaf, "\"finding\":\"taken\"");

    /* A second auditor must take it before closing it. */
    room_import(&people->room,
                "people:\n  - { id: adm, agency: kansas-pd, name: A. Dmin, role: administrator,"
                " status: active, training_valid_until: 2027-06-01, permissions: audit }\n");
    (void)snprintf(body, sizeof(body),
                   "{\"item\":\"%s\",\"state\":\"fine\",\"finding\":\"fits the case file\"}", item);
    post(people, people->adm, "/v1/review/close", body, 409, "aud looks into it");
    people->room.now_us += PB_SECOND_US;
    post(people, people->aud, "/v1/review/finish", "{}", 409, "items of that time are still open");
    post(people, people->aud, "/v1/review/close", body, 200, "{\"closed\":true}");
    post(people, people->aud, "/v1/review/close", body, 404, "no open one by that name");
    post(people, people->aud, "/v1/review/close", "{\"item\":\"x\",\"state\":\"open\"}", 400,
         "\"field\":\"state\"");
    people_expect(people, people->aud, "GET", "/v1/review/items?closed=true", "/v1/review/items",
                  "", NULL, 200, "\"state\":\"fine\"");
    people_expect(people, people->aud, "GET", "/v1/review/notices", "/v1/review/notices", "", NULL,
                  200, "{\"items\":[");
    people_expect(people, people->aud, "GET", "/v1/review/disclosures", "/v1/review/disclosures",
                  "", NULL, 200, "{\"items\":[");
    people_expect(people, people->doe, "GET", "/v1/review/disclosures", "/v1/review/disclosures",
                  "", NULL, 403, "may not look");
}

/* ---- tokens ---- */

static void
administrators_make_tokens_of_their_agency_while_the_server_runs(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        { "{\"verbs\":[\"reads\"],\"readers\":[\"r1\"]}", 400, "\"field\":\"readers\"" },
        { "{\"verbs\":[\"reads\"],\"agency\":\"river-pd\"}", 403, "\"field\":\"agency\"" },
        { "{\"verbs\":[\"ask\"]}", 400, "\"field\":\"person\"" },
        { "{\"verbs\":[\"ask\"],\"person\":\"roe\"}", 400, "the agency has no active person" },
        { "{\"verbs\":[\"ask\"],\"person\":\"opal\"}", 403, "no such person" },
        { "{\"verbs\":[\"administer\"],\"person\":\"adm\"}", 403, "only who signed in" },
        { "{\"verbs\":[\"audit\"],\"person\":\"aud\"}", 403, "only who signed in" },
        { "{\"verbs\":[\"fly\"]}", 400, "\"field\":\"verbs\"" },
        { "{\"verbs\":[]}", 400, "\"field\":\"verbs\"" },
        { "{\"verbs\":\"reads\"}", 400, "\"field\":\"verbs\"" },
        { "{\"verbs\":[\"reads\"],\"days\":91}", 400, "\"field\":\"days\"" },
        { "{\"verbs\":[\"reads\"],\"secret\":\"x\"}", 400, "\"field\":\"secret\"" },
        { "{\"verbs\":[\"ask\"],\"person\":\"doe\",\"label\":\"desk\",\"days\":7}", 201, "desk" },
    };
    struct people *people = *state;
    char text[PB_TOKEN_TEXT_BYTES];
    struct room_found leaf;
    struct client client;
    const char *at;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        post(people, people->adm, "/v1/tokens", cases[i].body, cases[i].status, cases[i].says);
    (void)room_leaves(&people->room, "kansas-pd", "change", &leaf);
    assert_says(leaf.secrets, "maker=adm\n");
    post(people, people->doe, "/v1/tokens", "{\"verbs\":[\"reads\"]}", 403, "may not");

    assert_int_equal(201,
                     people_call(people, &client, people->adm, "POST", "/v1/tokens", "/v1/tokens",
                                 "", "{\"verbs\":[\"reads\"],\"readers\":[\"k1\"]}"));
    at = strstr(client_body(&client), "{\"token\":\"");
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, at + 10);
    client_close(&client);
    people_expect(people, text, "GET", "/v1/token", "/v1/token", "", NULL, 200,
                  "\"readers\":[\"k1\"]");
    assert_int_equal(200, people_call(people, &client, people->adm, "GET", "/v1/tokens",
                                      "/v1/tokens", "", NULL));
    expect_in(client_body(&client), "\"readers\":[\"k1\"]");
    assert_null(strstr(client_body(&client), "river-pd"));
    assert_null(strstr(client_body(&client), text + 16));
    client_close(&client);
    people_expect(people, people->adm, "GET", "/v1/tokens?limit=1", "/v1/tokens", "", NULL, 200,
                  "\"next\":\"");
    people_expect(people, people->doe, "GET", "/v1/tokens", "/v1/tokens", "", NULL, 403, "may not");
}

/* ---- the catalog as a whole ---- */

static void
who_operates_takes_the_catalog_out_and_in_and_puts_packs(void **state)
{
    static const char yaml[] =
        "offences:\n  - { id: arson, title: Arson, jurisdiction: US-KS, class: felony,"
        " limitation_years: none }\n";
    static const char pack[] =
        "pack: site-x\nversion: 1\ntitle: Example\nvalid_from: 2020-01-01\nbinds: everyone\n"
        "rules:\n  - { id: site-x.none, text: A duty., source: Example, verified: true,"
        " kind: duty, about: training }\n";
    struct people *people = *state;
    char head[256];
    struct client client;

    people_expect(people, people->opal, "GET", "/v1/catalog", "/v1/catalog", "", NULL, 200,
                  "id: kansas-pd\n");
    assert_int_equal(1, room_leaves(&people->room, PB_AUDIT_OPERATOR, "catalog-read", NULL));
    people_expect(people, people->adm, "GET", "/v1/catalog", "/v1/catalog", "", NULL, 403,
                  "only who operates");
    (void)snprintf(head, sizeof(head),
                   "Authorization: Bearer %s\r\nContent-Type: application/yaml\r\n"
                   "Content-Length: %zu\r\n",
                   people->opal, sizeof(yaml) - 1);
    if (service_ask(&people->service, &client, "POST", "/v1/catalog", "/v1/catalog", head, yaml) !=
        200)
        fail_msg("%s", client_body(&client));
    expect_in(client_body(&client), "{\"added\":1,\"changed\":0,\"same\":0}");
    client_close(&client);
    (void)snprintf(head, sizeof(head),
                   "Authorization: Bearer %s\r\nContent-Type: application/yaml\r\n"
                   "Content-Length: 9\r\n",
                   people->opal);
    assert_int_equal(400, service_ask(&people->service, &client, "POST", "/v1/catalog",
                                      "/v1/catalog", head, "people: 1"));
    client_close(&client);
    (void)snprintf(head, sizeof(head),
                   "Authorization: Bearer %s\r\nContent-Type: application/yaml\r\n"
                   "Content-Length: %zu\r\n",
                   people->adm, sizeof(pack) - 1);
    assert_int_equal(403, service_ask(&people->service, &client, "PUT", "/v1/rules/site-x.yaml",
                                      "/v1/rules/{name}", head, pack));
    client_close(&client);
    (void)snprintf(head, sizeof(head),
                   "Authorization: Bearer %s\r\nContent-Type: application/yaml\r\n"
                   "Content-Length: %zu\r\n",
                   people->opal, sizeof(pack) - 1);
    assert_int_equal(400, service_ask(&people->service, &client, "PUT", "/v1/rules/site-x.txt",
                                      "/v1/rules/{name}", head, pack));
    expect_in(client_body(&client), "\"field\":\"name\"");
    client_close(&client);
}

/* ---- from outside ---- */

/* scripts/verify-log, which shares no code with the server, against its addresses. */
static int
follow(const struct people *people, const char *vkey, const char *old, char *output, size_t room)
{
    char command[1024];
    size_t count;
    FILE *pipe;
    int status;

    (void)snprintf(command, sizeof(command),
                   "python3 scripts/verify-log 'http://127.0.0.1:%u/audit/kansas-pd/' '%s' %s%s "
                   "2>&1",
                   pb_server_address(people->service.fixture.server).port, vkey,
                   old != NULL ? "--old " : "", old != NULL ? old : "");
    pipe = popen(command, "r");
    assert_non_null(pipe);
    count = fread(output, 1, room - 1, pipe);
    output[count] = '\0';
    status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_monitor_follows_a_log_over_http(void **state)
{
    struct people *people = *state;
    char vkey[512], output[2048], old[256];
    struct client client;
    const char *at;
    FILE *file;

    if (system("python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null") != 0)
        skip();
    assert_int_equal(200, people_call(people, &client, people->adm, "GET", "/audit/keys",
                                      "/audit/keys", "", NULL));
    at = strstr(strstr(client_body(&client), "\"log\":\"kansas-pd\""), "\"vkey\":\"") + 8;
    (void)snprintf(vkey, sizeof(vkey), "%.*s", (int)strcspn(at, "\""), at);
    client_close(&client);
    if (follow(people, vkey, NULL, output, sizeof(output)) != 0)
        fail_msg("%s", output);

    /* The checkpoint of now is kept, the log grows past a tile, and still begins with it. */
    assert_int_equal(200,
                     people_call(people, &client, people->adm, "GET", "/audit/kansas-pd/checkpoint",
                                 "/audit/{log}/checkpoint", "", NULL));
    (void)snprintf(old, sizeof(old), "%s/old", people->room.directory);
    file = fopen(old, "wb");
    assert_non_null(file);
    assert_true(fputs(client_body(&client), file) >= 0);
    assert_int_equal(0, fclose(file));
    client_close(&client);
    for (unsigned i = 0; i < 300; i++)
        post(people, people->aud, "/v1/audit/search", "{\"event\":\"none\"}", 200, "[]");
    room_expect(&people->room, PB_OK,
                pb_audit_publish(pb_site_audit(people->room.site), NULL, &people->room.error),
                "publish");
    if (follow(people, vkey, old, output, sizeof(output)) != 0)
        fail_msg("%s", output);
    expect_in(output, "good: 3");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_auditor_searches_what_the_agency_asked_and_each_look_is_an_entry),
        CASE(a_search_goes_on_where_the_page_ended),
        CASE(one_entry_is_opened_and_proved),
        CASE(an_export_is_a_file_that_no_spreadsheet_runs),
        CASE(samples_are_taken_and_closed_by_who_took_them),
        CASE(administrators_make_tokens_of_their_agency_while_the_server_runs),
        CASE(who_operates_takes_the_catalog_out_and_in_and_puts_packs),
        CASE(a_monitor_follows_a_log_over_http),
    };

    return cmocka_run_group_tests_name("api/looks", tests, NULL, NULL);
}
