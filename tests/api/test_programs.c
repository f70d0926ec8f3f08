/*
 * Programs: tokens, reads in, and inquiries, over HTTP and through the one door.
 */
#include "api/programs.h"

#include "api/answer_json.h"

static int
send_reads(const struct programs *programs, struct client *client, const char *token,
           const char *body)
{
    return call(programs, client, "POST", "/v1/reads", "/v1/reads", token, "application/x-ndjson",
                body);
}

static void
expect_reads(const struct programs *programs, const char *token, const char *body, int status,
             const char *has)
{
    struct client client;
    int got = send_reads(programs, &client, token, body);

    if (got != status || strstr(client_body(&client), has) == NULL)
        fail_msg("%s\n-> %d: %s", body, got, client_body(&client));
    client_close(&client);
}

static int
ask_json(const struct programs *programs, struct client *client, const char *token,
         const char *body)
{
    return call(programs, client, "POST", "/v1/inquiries", "/v1/inquiries", token,
                "application/json", body);
}

static int
show_status(const struct programs *programs, const char *token)
{
    struct client client;
    int status = call(programs, &client, "GET", "/v1/token", "/v1/token", token, NULL, NULL);

    client_close(&client);
    return status;
}

/* The id in a token's text. */
static struct pb_str
id_of(const char *token)
{
    return (struct pb_str){ token + 3, PB_TOKEN_ID_BYTES };
}

/* ---- tokens ---- */

static void
a_token_says_what_it_may_do_and_never_itself(void **state)
{
    struct programs *programs = *state;
    struct client client;

    service_start(&programs->service);
    assert_int_equal(200, call(programs, &client, "GET", "/v1/token", "/v1/token", programs->one,
                               NULL, NULL));
    expect_in(client_body(&client), "\"agency\":\"kansas-pd\"");
    expect_in(client_body(&client), "\"verbs\":[\"reads\"],\"readers\":[\"k1\"]");
    expect_in(client_body(&client), "\"expires_at\":\"2026-07-01T12:00:00.000Z\"");
    assert_null(strstr(client.text, programs->one + 16));
    client_close(&client);
    assert_null(strstr(programs->service.fixture.logged, programs->one + 16));
}

static void
what_is_no_token_or_holds_no_longer_is_refused_alike(void **state)
{
    struct programs *programs = *state;
    char other[PB_TOKEN_TEXT_BYTES], unknown[PB_TOKEN_TEXT_BYTES];
    struct client client;

    service_start(&programs->service);
    memcpy(other, programs->ask, sizeof(other));
    other[PB_TOKEN_TEXT_BYTES - 2] = other[PB_TOKEN_TEXT_BYTES - 2] == 'A' ? 'Q' : 'A';
    memcpy(unknown, programs->ask, sizeof(unknown));
    unknown[3] = unknown[3] == '0' ? '1' : '0';
    {
        const char *const wrong[] = {
            other,
            unknown,
            "pb_",
            "x",
            "pb_0123456789ab_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "pb_'; DROP TABLE_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        };

        for (size_t i = 0; i < COUNT_OF(wrong); i++) {
            assert_int_equal(401, call(programs, &client, "GET", "/v1/token", "/v1/token", wrong[i],
                                       NULL, NULL));
            expect_in(client.text, "WWW-Authenticate: Bearer");
            expect_in(client_body(&client), "this token is none, or holds no longer");
            client_close(&client);
        }
    }
    assert_int_equal(401, show_status(programs, NULL));
    assert_int_equal(200, show_status(programs, programs->ask));
    /* Twice in one request is as none. */
    (void)ask(&programs->service.fixture, &client,
              "GET /v1/token HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\n"
              "Authorization: Bearer b\r\n\r\n");
    assert_int_equal(401, client_reply(&client));
    client_close(&client);

    programs->room.now_us += 30 * DAY - 1;
    assert_int_equal(200, show_status(programs, programs->ask));
    programs->room.now_us += 1;
    assert_int_equal(401, show_status(programs, programs->ask));
}

static void
tokens_that_could_do_what_they_must_not_are_not_made(void **state)
{
    static const struct {
        const char *agency, *person, *reader;
        unsigned verbs;
        int64_t days;
        const char *says; /* NULL: it is made */
    } cases[] = {
        { "kansas-pd", NULL, NULL, PB_TOKEN_READS, 90, NULL },
        { "kansas-pd", "doe", "k2", PB_TOKEN_READS | PB_TOKEN_ASK, 1, NULL },
        { "bureau", "agent", NULL, PB_TOKEN_ASK, 1, NULL },
        { "nobody", NULL, NULL, PB_TOKEN_READS, 1, "agency: there is no active agency" },
        { "kansas-pd", NULL, NULL, 0, 1, "verbs: some of" },
        { "kansas-pd", NULL, NULL, 16, 1, "verbs: some of" },
        { "bureau", NULL, NULL, PB_TOKEN_READS, 1, "verbs: the agency contributes no reads" },
        { "kansas-pd", NULL, NULL, PB_TOKEN_READS, 91, "expires: in the future, within 90 days" },
        { "kansas-pd", NULL, NULL, PB_TOKEN_READS, 0, "expires: in the future" },
        { "kansas-pd", NULL, NULL, PB_TOKEN_READS, -1, "expires: in the future" },
        { "kansas-pd", NULL, NULL, PB_TOKEN_ASK, 1, "person: a token asks, and audits, for a" },
        { "kansas-pd", "roe", NULL, PB_TOKEN_ASK, 1, "person: the agency has no active person" },
        { "kansas-pd", "none", NULL, PB_TOKEN_ASK, 1, "person: the agency has no active person" },
        { "kansas-pd", "doe", NULL, PB_TOKEN_READS, 1, "person: a token that only sends reads" },
        { "kansas-pd", NULL, "r1", PB_TOKEN_READS, 1, "readers: the agency has no reader 'r1'" },
        { "kansas-pd", NULL, "x", PB_TOKEN_READS, 1, "readers: the agency has no reader 'x'" },
        { "kansas-pd", NULL, "k1", PB_TOKEN_ADMINISTER, 1, "readers: only a token that sends" },
    };
    struct programs *programs = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_str readers[1] = { pb_str_from(cases[i].reader) };
        struct pb_api_token token = {
            .agency = pb_str_from(cases[i].agency),
            .person = pb_str_from(cases[i].person),
            .verbs = cases[i].verbs,
            .readers = readers,
            .reader_count = cases[i].reader != NULL ? 1 : 0,
            .expires_at_us = programs->room.now_us + cases[i].days * DAY,
        };
        char text[PB_TOKEN_TEXT_BYTES] = "";
        enum pb_status status = pb_api_token_add(programs->room.env, programs->room.site, &token,
                                                 text, &programs->room.error);

        if (status != (cases[i].says == NULL ? PB_OK : PB_BAD_INPUT))
            fail_msg("case %zu: %s", i, programs->room.error.message);
        if (cases[i].says != NULL) {
            expect_in(programs->room.error.message, cases[i].says);
            assert_string_equal("", text);
        }
    }
}

static void
making_and_revoking_is_on_record_without_names(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    struct room_found leaf;
    uint64_t before = room_leaves(room, "kansas-pd", "change", NULL);

    room_expect(room, PB_OK,
                pb_api_token_revoke(room->env, room->site, id_of(programs->ask), &room->error),
                "revoke");
    assert_int_equal(before + 1, room_leaves(room, "kansas-pd", "change", &leaf));
    assert_says(leaf.leaf, "\"entity\":\"token\",\"verb\":\"revoke\",\"may\":\"ask\"");
    assert_null(strstr(leaf.leaf, "doe"));
    assert_says(leaf.secrets, "person=doe\n");
    assert_says(leaf.secrets, "label=a test\n");
    /* Once more changes nothing and says nothing. */
    room_expect(room, PB_OK,
                pb_api_token_revoke(room->env, room->site, id_of(programs->ask), &room->error),
                "revoke");
    assert_int_equal(before + 1, room_leaves(room, "kansas-pd", "change", NULL));
    room_expect(room, PB_NOT_FOUND,
                pb_api_token_revoke(room->env, room->site, pb_str_from("0123456789ab"),
                                    &room->error),
                "revoke");
    room_expect(room, PB_NOT_FOUND,
                pb_api_token_revoke(room->env, room->site, pb_str_from("../../etc"), &room->error),
                "revoke");
}

static int
revoke_status(const struct programs *programs, const char *token, const char *whose)
{
    char target[64];
    struct client client;
    int status;

    (void)snprintf(target, sizeof(target), "/v1/tokens/%.12s", whose + 3);
    status = call(programs, &client, "DELETE", target, "/v1/tokens/{id}", token, NULL, NULL);
    client_close(&client);
    return status;
}

static void
a_token_revokes_itself_and_an_administrator_those_of_the_agency(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    assert_int_equal(404, revoke_status(programs, programs->reads, programs->one));
    assert_int_equal(404, revoke_status(programs, programs->river, programs->one));
    assert_int_equal(404, revoke_status(programs, programs->admin, programs->river));
    assert_int_equal(404, revoke_status(programs, programs->admin, "pb_0123456789ab"));
    assert_int_equal(200, show_status(programs, programs->one));
    assert_int_equal(200, revoke_status(programs, programs->admin, programs->one));
    assert_int_equal(401, show_status(programs, programs->one));
    assert_int_equal(200, revoke_status(programs, programs->reads, programs->reads));
    assert_int_equal(401, show_status(programs, programs->reads));
    assert_int_equal(401, revoke_status(programs, programs->reads, programs->reads));
}

static void
a_token_that_asks_too_often_has_to_wait(void **state)
{
    struct programs *programs = *state;
    struct client client;

    programs->service.options.quotas.requests_per_second[PB_QUOTA_TOKEN] = 5;
    service_start(&programs->service);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(200, show_status(programs, programs->reads));
    assert_int_equal(429, call(programs, &client, "GET", "/v1/token", "/v1/token", programs->reads,
                               NULL, NULL));
    expect_in(client.text, "Retry-After: 1\r\n");
    client_close(&client);
    assert_int_equal(200, show_status(programs, programs->ask)); /* others need not */
    programs->room.now_us += 200000;
    assert_int_equal(200, show_status(programs, programs->reads));
    assert_int_equal(429, show_status(programs, programs->reads));
}

/* ---- reads in ---- */

#define AT "\"captured_at\":\"2026-06-01T11:00:00Z\""

static void
each_read_has_its_status_and_what_is_stored_is_found(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_reads(programs, programs->reads,
                 "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"reader\":\"k1\"," AT "}\n"
                 "{\"plate\":\"KSA124\",\"reader\":\"k2\"," AT "}\n"
                 "{\"plate\":\"KSA125\",\"reader\":\"r1\"," AT "}\n"
                 "{\"plate\":\"KSA126\",\"reader\":\"gate-new\"," AT "}\n",
                 200,
                 "{\"stored\":3,\"duplicate\":0,\"conflict\":0,\"expired\":0,\"not_kept\":0,"
                 "\"refused\":1,\"rejected\":0,\"statuses\":[\"stored\",\"stored\",\"refused\","
                 "\"stored\"]}");
    assert_int_equal(1, room_count_plate(&programs->room, "KSA123"));
    /* Again, and with other content. */
    expect_reads(programs, programs->reads,
                 "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"reader\":\"k1\"," AT "}\n"
                 "{\"plate\":\"KSA124\",\"reader\":\"k2\",\"lane\":2," AT "}\n",
                 200, "\"statuses\":[\"duplicate\",\"conflict\"]");
    /* A reader that nobody knew is the agency's now: another's token may not send for it. */
    expect_reads(programs, programs->river, "{\"plate\":\"KSA1\",\"reader\":\"gate-new\"," AT "}",
                 200, "\"statuses\":[\"refused\"]");
}

static void
records_that_are_no_reads_stop_no_others(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_reads(programs, programs->reads,
                 "{\"plate\":\"KSA123\",\"reader\":\"k1\"," AT "}\n"
                 "{\"plate\":\"KSA124\",\"reader\":\"k1\"}\n"
                 "nonsense\n"
                 "{\"plate\":\"KSA125\",\"reader\":\"k1\"," AT "}\n",
                 200,
                 "\"rejected\":2,\"statuses\":[\"stored\",\"stored\"],\"rejections\":[{\"line\":2,"
                 "\"field\":\"captured_at\",\"reason\":\"is missing\"},{\"line\":3,");
    expect_reads(programs, programs->reads, "nonsense", 422, "\"rejected\":1,\"statuses\":[]");
    expect_reads(programs, programs->reads, "{\"plate\":", 422, "\"rejected\":1");
    expect_reads(programs, programs->reads, "{}", 422, "\"rejected\":1");
    expect_reads(programs, programs->reads,
                 "[{\"plate\":\"KSA1\",\"reader\":\"k1\"," AT "},{\"plate\":\"KSA2\",\"reader\":"
                 "\"k1\"," AT "}]",
                 200, "\"stored\":2");
    expect_reads(programs, programs->reads, "\n", 422, "\"statuses\":[]");
}

/* One object, over one line or several, or an array: what programs send as application/json. */
static void
json_bodies_may_be_laid_out_in_any_way(void **state)
{
    static const char *const bodies[] = {
        "{\"plate\":\"KSA1\",\"reader\":\"k1\"," AT "}",
        "\n {\"plate\":\"KSA2\",\"reader\":\"k1\"," AT "} \n",
        "{\n  \"plate\": \"KSA3\",\n  \"reader\": \"k1\",\n  " AT "\n}\n",
        "[{\"plate\":\"KSA4\",\"reader\":\"k1\"," AT "}]",
        " [\n  {\n    \"plate\": \"KSA5\",\n    \"reader\": \"k1\",\n    " AT "\n  }\n]\n",
    };
    struct programs *programs = *state;

    service_start(&programs->service);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(bodies); i++) {
            struct client client;

            assert_int_equal(200, call(programs, &client, "POST", "/v1/reads", "/v1/reads",
                                       programs->reads, "application/json", bodies[i]));
            if (strstr(client_body(&client), round == 0 ? "[\"stored\"]" : "[\"duplicate\"]") ==
                NULL)
                fail_msg("%s\n-> %s", bodies[i], client_body(&client));
            client_close(&client);
        }
    }
}

static void
a_token_of_one_reader_speaks_for_it_alone(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_reads(programs, programs->one,
                 "{\"plate\":\"KSA123\"," AT "}\n"
                 "{\"plate\":\"KSA124\",\"reader\":\"k1\"," AT "}\n"
                 "{\"plate\":\"KSA125\",\"reader\":\"k2\"," AT "}\n"
                 "{\"plate\":\"KSA126\",\"reader\":\"gate-new\"," AT "}\n",
                 200, "\"statuses\":[\"stored\",\"stored\",\"refused\",\"refused\"]");
    expect_reads(programs, programs->reads, "{\"plate\":\"KSA127\"," AT "}", 200,
                 "\"statuses\":[\"refused\"]");
}

static void
what_the_law_does_not_let_live_is_not_kept(void **state)
{
    struct programs *programs = *state;
    char granite[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "granite-pd", PB_TOKEN_READS, NULL, NULL, granite);
    service_start(&programs->service);
    expect_reads(programs, granite,
                 "{\"plate\":\"NHA123\",\"reader\":\"n1\","
                 "\"captured_at\":\"2026-06-01T11:59:59Z\"}",
                 200, "\"statuses\":[\"not_kept\"]");
    expect_reads(programs, programs->reads,
                 "{\"plate\":\"KSA123\",\"reader\":\"k1\",\"captured_at\":\"2026-06-01T11:00:00Z\","
                 "\"delete_after\":\"2026-06-01T11:30:00Z\"}",
                 200, "\"statuses\":[\"expired\"]");
}

static void
more_reads_than_one_commit_takes_are_all_stored(void **state)
{
    enum { COUNT = 20000 };
    struct programs *programs = *state;
    size_t room = COUNT * 80, used = 0;
    char *body = malloc(room);
    struct client client;

    service_start(&programs->service);
    for (unsigned i = 0; i < COUNT; i++)
        used += (size_t)snprintf(body + used, room - used,
                                 "{\"plate\":\"K%05u\",\"reader\":\"k1\"," AT "}\n", i);
    assert_int_equal(200, send_reads(programs, &client, programs->reads, body));
    expect_in(client_body(&client), "{\"stored\":20000,\"duplicate\":0,");
    client_close(&client);
    free(body);
}

static void
a_server_that_does_not_take_reads_acknowledges_none(void **state)
{
    struct programs *programs = *state;

    programs->service.options.takes_reads = false;
    programs->service.options.takes_inquiries = false;
    service_start(&programs->service);
    expect_reads(programs, programs->reads, "{\"plate\":\"KSA123\",\"reader\":\"k1\"," AT "}", 503,
                 "this server was not started to take reads");
    {
        struct client client;

        assert_int_equal(503, ask_json(programs, &client, programs->ask, "{}"));
        client_close(&client);
    }
}

static void
a_failed_sync_acknowledges_nothing(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    programs->room.fault.fail_file_mask = FAULT_SYNC;
    programs->room.fault.fail_file_call_at = programs->room.fault.file_call_count + 1;
    programs->room.fault.is_file_failure_lasting = true;
    for (unsigned i = 0; i < 2; i++) {
        struct client client;
        int status = send_reads(programs, &client, programs->reads,
                                "{\"plate\":\"KSA123\",\"reader\":\"k1\"," AT "}");

        assert_true(status == 500 || status == 503);
        assert_null(strstr(client_body(&client), "stored"));
        client_close(&client);
    }
    programs->room.fault.fail_file_call_at = 0;
    programs->room.fault.is_file_failure_lasting = false;
    /* And who decides where traffic goes is told. */
    assert_int_equal(503, service_get(&programs->service, "/readyz", "/readyz"));
    assert_int_equal(200, service_get(&programs->service, "/healthz", "/healthz"));
}

/* ---- inquiries ---- */

#define WHY                                                            \
    "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\"," \
    "\"case_number\":\"26-00471\",\"relation\":\"subject\","           \
    "\"justification\":\"Burglary series on Elm Street, vehicle seen by a witness\""
#define WINDOW "\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""

static void
an_inquiry_is_answered_with_its_place_in_the_log(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    struct room_found leaf;
    struct client client;
    json_t *answer;

    for (int i = 1; i <= 3; i++)
        room_add(room, "KSA123", "k1", i * PB_HOUR_US);
    service_start(&programs->service);
    assert_int_equal(200, ask_json(programs, &client, programs->ask,
                                   "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY
                                   "," WINDOW "}"));
    answer = json_loads(client_body(&client), 0, NULL);
    assert_int_equal(3, json_array_size(json_object_get(answer, "rows")));
    assert_string_equal("kansas-pd",
                        json_string_value(
                            json_object_get(json_array_get(json_object_get(answer, "rows"), 0),
                                            "agency")));
    assert_int_equal(1, room_leaves(room, "kansas-pd", "query", &leaf));
    assert_int_equal(leaf.index,
                     json_integer_value(
                         json_object_get(json_object_get(answer, "receipt"), "query_index")));
    assert_says(leaf.secrets, "person=doe\n");
    assert_says(leaf.secrets, "client=api\n");
    assert_int_equal(1, room_leaves(room, "kansas-pd", "result", &leaf));
    assert_int_equal(leaf.index,
                     json_integer_value(
                         json_object_get(json_object_get(answer, "receipt"), "result_index")));
    json_decref(answer);
    client_close(&client);
}

static void
pages_follow_each_other_within_one_record(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    char body[4096], page[2048];
    struct client client;
    json_t *answer;

    for (int i = 1; i <= 5; i++)
        room_add(room, "KSA123", "k1", i * PB_HOUR_US);
    service_start(&programs->service);
    assert_int_equal(200,
                     ask_json(programs, &client, programs->ask,
                              "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"limit\":3," WHY
                              "," WINDOW "}"));
    answer = json_loads(client_body(&client), 0, NULL);
    (void)snprintf(page, sizeof(page), "%s", json_string_value(json_object_get(answer, "page")));
    json_decref(answer);
    client_close(&client);
    (void)
        snprintf(body, sizeof(body),
                 "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"limit\":3,\"page\":\"%s\"," WHY
                 "," WINDOW "}",
                 page);
    assert_int_equal(200, ask_json(programs, &client, programs->ask, body));
    answer = json_loads(client_body(&client), 0, NULL);
    assert_int_equal(2, json_array_size(json_object_get(answer, "rows")));
    assert_null(json_object_get(answer, "page"));
    json_decref(answer);
    client_close(&client);
    assert_int_equal(1, room_leaves(room, "kansas-pd", "query", NULL));
}

static void
every_kind_of_inquiry_can_be_asked(void **state)
{
    static const char *const bodies[] = {
        "{\"kind\":\"pattern\",\"plate\":\"KSA12?\",\"jurisdiction\":\"US-KS\"," WHY "," WINDOW "}",
        "{\"kind\":\"pattern\",\"plate\":\"KSA12?\",\"counts_plates\":true,"
        "\"jurisdiction\":\"US-KS\"," WHY "," WINDOW "}",
        "{\"kind\":\"place\"," WHY ",\"places\":[{\"lat\":38.5,\"lon\":-98,\"radius_m\":200,"
        "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}]}",
        "{\"kind\":\"common\"," WHY ",\"places\":[{\"lat\":38.5,\"lon\":-98,\"radius_m\":200,"
        "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"},"
        "{\"lat\":38.6,\"lon\":-98.0,\"radius_m\":200.5,"
        "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}]}",
        "{\"kind\":\"associates\",\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\","
        "\"together_seconds\":60,\"together_min\":1," WHY "," WINDOW "}",
    };
    struct programs *programs = *state;

    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    room_add(&programs->room, "KSA123", "k2", 2 * PB_HOUR_US);
    service_start(&programs->service);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct client client;
        int status = ask_json(programs, &client, programs->ask, bodies[i]);

        /* What needs a person who stepped up is denied to a program, with its rule. */
        if (status != 200 && (status != 403 || strstr(client.text, "step_up") == NULL))
            fail_msg("%s\n-> %s", bodies[i], client.text);
        client_close(&client);
    }
}

static void
what_the_rules_deny_is_denied_by_name_and_on_record(void **state)
{
    struct programs *programs = *state;
    struct client client;

    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    assert_int_equal(
        403,
        ask_json(programs, &client, programs->ask,
                 "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\","
                 "\"purpose\":\"curiosity\",\"justification\":\"I want to know\"," WINDOW "}"));
    expect_in(client_body(&client), "\"decision\":\"deny\"");
    expect_in(client_body(&client), "\"field\":\"purpose\"");
    assert_null(strstr(client_body(&client), "\"rows\""));
    client_close(&client);
    assert_int_equal(1, room_leaves(&programs->room, "kansas-pd", "denied", NULL));
}

static void
a_token_asks_for_its_person_and_nobody_else(void **state)
{
    struct programs *programs = *state;
    struct client client;

    service_start(&programs->service);
    assert_int_equal(400, ask_json(programs, &client, programs->ask,
                                   "{\"person\":\"sup\",\"plate\":\"KSA123\"," WHY "," WINDOW "}"));
    client_close(&client);
    /* The person is none any more: nor is the token. */
    room_import(&programs->room,
                "people:\n  - { id: doe, agency: kansas-pd, name: J. Doe, role: investigator,"
                " status: suspended, training_valid_until: 2027-06-01 }\n");
    assert_int_equal(401, ask_json(programs, &client, programs->ask,
                                   "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY
                                   "," WINDOW "}"));
    client_close(&client);
}

static void
questions_that_mean_nothing_are_refused_by_field(void **state)
{
    static const struct {
        const char *body, *field; /* field NULL: none is named */
    } cases[] = {
        { "", NULL },
        { "[]", NULL },
        { "nonsense", NULL },
        { "{\"purpose\":\"a\",\"purpose\":\"b\"}", NULL },
        { "{\"plate\":\"A\"}", "purpose" },
        { "{\"purpose\":\"a\"}", "justification" },
        { "{" WHY ",\"plaet\":\"A\"}", "plaet" },
        { "{" WHY ",\"plate\":5}", "plate" },
        { "{" WHY ",\"plate\":null}", "plate" },
        { "{" WHY ",\"kind\":\"everything\"}", "kind" },
        { "{" WHY ",\"jurisdiction\":\"US-XX\"}", "jurisdiction" },
        { "{" WHY ",\"edits\":3}", "edits" },
        { "{" WHY ",\"edits\":1.5}", "edits" },
        { "{" WHY ",\"edits\":-1}", "edits" },
        { "{" WHY ",\"limit\":0}", "limit" },
        { "{" WHY ",\"limit\":10001}", "limit" },
        { "{" WHY ",\"lookalikes\":\"yes\"}", "lookalikes" },
        { "{" WHY ",\"from\":\"yesterday\"}", "from" },
        { "{" WHY ",\"from\":1780315200}", "from" },
        { "{" WHY ",\"to\":\"2026-06-01\"}", "to" },
        { "{" WHY ",\"together_seconds\":0}", "together_seconds" },
        { "{" WHY ",\"places\":5}", "places" },
        { "{" WHY ",\"places\":[5]}", "places" },
        { "{" WHY ",\"places\":[{\"lat\":91,\"lon\":0,\"radius_m\":5}]}", "places[0].lat" },
        { "{" WHY ",\"places\":[{\"lat\":1,\"lon\":0}]}", "places[0].radius_m" },
        { "{" WHY ",\"places\":[{\"lat\":1,\"lon\":0,\"radius_m\":5,"
          "\"from\":\"2026-06-01T00:00:00Z\"}]}",
          "places[0].to" },
        { "{" WHY ",\"places\":[{\"south\":2,\"west\":0,\"north\":1,\"east\":1}]}", "places[0]" },
        { "{" WHY ",\"places\":[{\"south\":0,\"west\":0,\"north\":1}]}", "places[0].east" },
        { "{" WHY ",\"places\":[{\"polygon\":5}]}", "places[0].polygon" },
        { "{" WHY ",\"places\":[{\"polygon\":[{\"lat\":1,\"lon\":1},{\"lat\":2,\"lon\":2}]}]}",
          "places[0].polygon" },
        { "{" WHY ",\"places\":[{\"polygon\":[{\"lat\":1,\"lon\":1},{\"lat\":2,\"lon\":2},"
          "{\"lat\":95,\"lon\":2}]}]}",
          "places[0].polygon" },
        { "{" WHY ",\"break_glass\":1}", "break_glass" },
        { "{" WHY ",\"export\":true}", "export" },
        { "{" WHY ",\"export\":{\"format\":\"xls\"}}", "export.format" },
        { "{" WHY ",\"export\":{\"to\":\"me\"}}", "export.to" },
        { "{" WHY ",\"confidence_min_percent\":101}", "confidence_min_percent" },
        { "{" WHY ",\"places\":[{\"lat\":1,\"lon\":0,\"radius_m\":5,\"x\":1,"
          "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}]}",
          "places[0].x" },
        { "{" WHY ",\"kind\":\"place\"}", "places" },
        { "{" WHY ",\"kind\":\"common\",\"places\":[{\"lat\":1,\"lon\":0,\"radius_m\":5,"
          "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}]}",
          "places" },
    };
    struct programs *programs = *state;
    uint64_t before;

    service_start(&programs->service);
    before = room_leaves(&programs->room, "kansas-pd", "query", NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client;
        int status = ask_json(programs, &client, programs->ask, cases[i].body);
        char field[64];

        (void)snprintf(field, sizeof(field), "\"field\":\"%s\"",
                       cases[i].field != NULL ? cases[i].field : "");
        if (status != 400 ||
            (strstr(client_body(&client), field) != NULL) != (cases[i].field != NULL))
            fail_msg("%s\n-> %d: %s", cases[i].body, status, client_body(&client));
        client_close(&client);
    }
    assert_int_equal(before, room_leaves(&programs->room, "kansas-pd", "query", NULL));
}

/* What a program may not ask its person may: the rows are written all the same. */
static void
rows_of_every_kind_fit_their_description(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    const struct {
        enum pb_inquiry_kind kind;
        const char *plate;
        bool counts_plates;
        const char *has;
    } cases[] = {
        { PB_INQUIRY_PLATE, "KSA123", false, "\"match\":\"exact\",\"agency\":\"kansas-pd\"}" },
        { PB_INQUIRY_PATTERN, "KSA12?", false, "\"match\":\"pattern\"" },
        { PB_INQUIRY_PATTERN, "KSA12?", true,
          "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"reads\":2,\"first\":\"" },
        { PB_INQUIRY_PLACE, NULL, false, "\"reader\":\"k1\"" },
        { PB_INQUIRY_COMMON, NULL, false, "\"places\":2,\"reads\":2" },
        { PB_INQUIRY_ASSOCIATES, "KSA123", false, "{\"plate\":\"KSB999\"" },
    };

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    room_add(room, "KSA123", "k2", 2 * PB_HOUR_US);
    room_add(room, "KSB999", "k1", PB_HOUR_US + PB_SECOND_US);
    room_add(room, "KSB999", "k2", 2 * PB_HOUR_US + PB_SECOND_US);
    service_start(&programs->service);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_inquiry inquiry = room_inquiry(room, cases[i].kind, cases[i].plate);
        struct schema_check check = { .document = programs->service.document };
        struct pb_arena arena;
        struct pb_reply reply;
        json_t *body, *schema = json_pack("{s:s}", "$ref", "#/components/schemas/answer");

        inquiry.counts_plates = cases[i].counts_plates;
        pb_arena_init(&arena, room->env, 256);
        pb_reply_init(&reply, room->env, &arena);
        pb_api_answer_put(&reply, &inquiry, room_ask(room, &inquiry));
        pb_reply_put(&reply, "", 1);
        assert_false(reply.is_broken);
        body = json_loads(reply.body, 0, NULL);
        assert_non_null(body);
        if (!schema_fits(&check, "body", schema, body))
            fail_msg("case %zu: %s: %s", i, check.where, reply.body);
        if (strstr(reply.body, cases[i].has) == NULL)
            fail_msg("case %zu: %s", i, reply.body);
        json_decref(body);
        json_decref(schema);
        pb_reply_done(&reply);
        pb_arena_clear(&arena);
    }
}

static void
a_large_answer_is_to_be_confirmed_first(void **state)
{
    enum { COUNT = 10000 };
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    struct pb_read *reads = calloc(COUNT, sizeof(*reads));
    enum pb_status *statuses = calloc(COUNT, sizeof(*statuses));
    char body[4096];
    struct client client;
    json_t *answer;

    for (unsigned i = 0; i < COUNT; i++)
        reads[i] = room_read(room, "KSA123", "k1", (int64_t)(i + 10) * PB_SECOND_US);
    room_expect(room, PB_OK,
                pb_store_append(pb_site_store(room->site), reads, COUNT, statuses, &room->error),
                "append");
    service_start(&programs->service);
    assert_int_equal(409, ask_json(programs, &client, programs->ask,
                                   "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY
                                   "," WINDOW "}"));
    answer = json_loads(client_body(&client), 0, NULL);
    assert_int_equal(COUNT, json_integer_value(json_object_get(answer, "count")));
    assert_null(json_object_get(answer, "rows"));
    (void)snprintf(body, sizeof(body),
                   "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"limit\":5,"
                   "\"confirmation\":\"%s\"," WHY "," WINDOW "}",
                   json_string_value(json_object_get(answer, "token")));
    json_decref(answer);
    client_close(&client);
    assert_int_equal(200, ask_json(programs, &client, programs->ask, body));
    answer = json_loads(client_body(&client), 0, NULL);
    assert_int_equal(5, json_array_size(json_object_get(answer, "rows")));
    assert_true(json_is_true(json_object_get(answer, "truncated")));
    json_decref(answer);
    client_close(&client);
    free(statuses);
    free(reads);
}

/* ---- what is kept of a token ---- */

#define HASH "sha256 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

static void
notes_of_tokens_have_one_form(void **state)
{
    static const struct {
        const char *note;
        bool is_good;
    } cases[] = {
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2\n", true },
        { "token 1\n" HASH "agency a\nperson p\nverbs reads,ask,administer\nreaders x,y\n"
          "label some words\ncreated 1\nexpires 2\nrevoked 3\n",
          true },
        { "token 1\n" HASH "agency a\nverbs reads\nreaders x\nvia path\nlabel l\ncreated 1\n"
          "expires 2\n",
          true },
        { "token 1\n" HASH "agency a\nverbs reads\nreaders x\nvia certificate\ncreated 1\n"
          "expires 2\n",
          true },
        { "token 1\n" HASH "agency a\nverbs reads\nreaders x\nvia header\ncreated 1\n"
          "expires 2\n",
          false },
        { "token 1\n" HASH "agency a\nverbs reads\nvia path\nreaders x\ncreated 1\n"
          "expires 2\n",
          false },
        { "", false },
        { "token 2\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2\n", false },
        { "token 01\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2\n", false },
        { "token 1\nsha256 0011\nagency a\nverbs reads\ncreated 1\nexpires 2\n", false },
        { "token 1\nagency a\nverbs reads\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "verbs reads\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency \nverbs reads\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\nverbs everything\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\nverbs reads,\ncreated 1\nexpires 2\n", true },
        { "token 1\n" HASH "agency a\nverbs ,\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\nreaders x,,y\ncreated 1\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\nexpires 2\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires -2\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 0\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 1234567890123456789\n",
          false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2\nrevoked x\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2\nmore 1\n", false },
        { "token 1\n" HASH "agency a\nverbs reads\ncreated 1\nexpires 2", false },
        { "token 1\n" HASH "agency a\nagency b\nverbs reads\ncreated 1\nexpires 2\n", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_api_token token;
        uint8_t sha256[32];
        struct pb_arena arena;
        enum pb_status status;

        pb_arena_init(&arena, pb_env_system(), 256);
        status = pb_api_token_decode(&arena, pb_str_from("0123456789ab"),
                                     pb_str_from(cases[i].note), &token, sha256);
        if (status != (cases[i].is_good ? PB_OK : PB_E_CORRUPT))
            fail_msg("%s-> %s", cases[i].note, pb_status_name(status));
        pb_arena_clear(&arena);
    }
}

/* A note that somebody has changed by hand opens nothing. */
static void
a_damaged_note_is_a_failure_and_no_token(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    char key[PB_TOKEN_ID_BYTES + 1];

    memcpy(key, programs->reads + 3, PB_TOKEN_ID_BYTES);
    key[PB_TOKEN_ID_BYTES] = '\0';
    room_expect(room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(room->site), "token", key,
                                    pb_str_from("token 1\nverbs administer\n"), &room->error),
                "note");
    service_start(&programs->service);
    assert_int_equal(500, show_status(programs, programs->reads));
    assert_int_equal(200, show_status(programs, programs->ask));
}

/* ---- faults ---- */

static void
tokens_are_made_wholly_or_not_at_all(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    while (status != PB_OK) {
        struct pb_api_token token = {
            .agency = pb_str_from("kansas-pd"),
            .verbs = PB_TOKEN_READS,
            .expires_at_us = room->now_us + DAY,
        };
        char text[PB_TOKEN_TEXT_BYTES] = "";

        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_api_token_add(room->env, room->site, &token, text, &room->error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (text[0] != '\0'));
    }
    room->fault.fail_allocation_at = 0;
    assert_in_range(n, 2, 200);
}

static void
an_interface_that_takes_reads_needs_memory_or_says_so(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    while (status != PB_OK) {
        struct pb_api_options options = programs->service.options;
        struct pb_api *api = NULL;

        options.data_path = programs->service.directory;
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_api_new(room->env, &options, &api, &room->error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_api_free(api);
    }
    room->fault.fail_allocation_at = 0;
    assert_in_range(n, 5, 20);
}

/* One read is sent while the n-th allocation fails: stored, or refused as a whole. */
static void
reads_without_memory_are_refused_and_can_be_sent_again(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    int status = 0;

    programs->service.fixture.options.io_threads = 1;
    programs->service.fixture.options.worker_threads = 1;
    service_start(&programs->service);
    for (uint64_t n = 1; status != 200; n++) {
        struct client client;

        assert_true(n < 300);
        room->fault.fail_allocation_at = room->fault.allocation_count + n;
        status = send_reads(programs, &client, programs->reads,
                            "{\"plate\":\"KSA123\",\"reader\":\"k1\"," AT "}");
        room->fault.fail_allocation_at = 0;
        if (status != 200 && status != 503 && status != 500)
            fail_msg("allocation %llu: %d: %s", (unsigned long long)n, status,
                     client_body(&client));
        client_close(&client);
    }
    expect_reads(programs, programs->reads, "{\"plate\":\"KSA123\",\"reader\":\"k1\"," AT "}", 200,
                 "\"statuses\":[\"duplicate\"]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_token_says_what_it_may_do_and_never_itself),
        CASE(what_is_no_token_or_holds_no_longer_is_refused_alike),
        CASE(tokens_that_could_do_what_they_must_not_are_not_made),
        CASE(making_and_revoking_is_on_record_without_names),
        CASE(a_token_revokes_itself_and_an_administrator_those_of_the_agency),
        CASE(a_token_that_asks_too_often_has_to_wait),
        CASE(each_read_has_its_status_and_what_is_stored_is_found),
        CASE(records_that_are_no_reads_stop_no_others),
        CASE(json_bodies_may_be_laid_out_in_any_way),
        CASE(a_token_of_one_reader_speaks_for_it_alone),
        CASE(what_the_law_does_not_let_live_is_not_kept),
        CASE(more_reads_than_one_commit_takes_are_all_stored),
        CASE(a_server_that_does_not_take_reads_acknowledges_none),
        CASE(a_failed_sync_acknowledges_nothing),
        CASE(an_inquiry_is_answered_with_its_place_in_the_log),
        CASE(pages_follow_each_other_within_one_record),
        CASE(every_kind_of_inquiry_can_be_asked),
        CASE(what_the_rules_deny_is_denied_by_name_and_on_record),
        CASE(a_token_asks_for_its_person_and_nobody_else),
        CASE(questions_that_mean_nothing_are_refused_by_field),
        CASE(rows_of_every_kind_fit_their_description),
        CASE(a_large_answer_is_to_be_confirmed_first),
        cmocka_unit_test(notes_of_tokens_have_one_form),
        CASE(a_damaged_note_is_a_failure_and_no_token),
        CASE(tokens_are_made_wholly_or_not_at_all),
        CASE(an_interface_that_takes_reads_needs_memory_or_says_so),
        CASE(reads_without_memory_are_refused_and_can_be_sent_again),
    };

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
