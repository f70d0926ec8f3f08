/*
 * Asking over HTTP beyond the first page: exports, shapes of places, whether one may, the second
 * person, corrections, rules. Every reply is checked against the OpenAPI document.
 */
#include "api/programs.h"

#define WHY                                                            \
    "\"purpose\":\"criminal-investigation\",\"offence\":\"burglary\"," \
    "\"case_number\":\"26-00471\",\"relation\":\"subject\","           \
    "\"justification\":\"Burglary series on Elm Street, vehicle seen by a witness\""
#define WINDOW "\"from\":\"2026-05-02T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\""
#define PLATE "\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY "," WINDOW

/* POSTs JSON; the caller closes the client. */
static int
post(const struct programs *programs, struct client *client, const char *path, const char *token,
     const char *body)
{
    return call(programs, client, "POST", path, path, token, "application/json", body);
}

static void
expect_post(const struct programs *programs, const char *path, const char *token, const char *body,
            int status, const char *has)
{
    struct client client;
    int got = post(programs, &client, path, token, body);

    if (got != status || strstr(client.text, has) == NULL)
        fail_msg("%s\n-> %d: %s", body, got, client.text);
    client_close(&client);
}

/* ---- exports ---- */

/* How often a text is in another. */
static unsigned
count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void
header_of(const struct client *client, const char *name, char value[128])
{
    const char *at = strstr(client->text, name);

    assert_non_null(at);
    at += strlen(name);
    (void)snprintf(value, 128, "%.*s", (int)strcspn(at, "\r"), at);
}

static void
an_export_is_a_file_whose_every_row_has_its_mark(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    struct pb_read read = room_read(room, "KSA123", "k1", PB_HOUR_US);
    struct room_found leaf;
    struct client client;
    char mark[128], line[160];

    read.make = pb_str_from("=cmd()"); /* what a spreadsheet would run */
    room_expect(room, PB_OK, room_take(room, &read), "take");
    room_add(room, "KSA123", "k1", 2 * PB_HOUR_US);
    service_start(&programs->service);
    assert_int_equal(200, post(programs, &client, "/v1/inquiries", programs->ask,
                               "{" PLATE ",\"export\":{\"recipient\":\"kansas-pd\"}}"));
    expect_in(client.text, "Content-Type: text/csv; charset=utf-8");
    expect_in(client.text, "Content-Disposition: attachment; filename=\"platebase-");
    expect_in(client.text, "Platebase-Rows: 2 of 2\r\n");
    header_of(&client, "Platebase-Watermark: ", mark);
    assert_int_equal(32, strlen(mark));
    (void)snprintf(line, sizeof(line), ",kansas-pd,%s\n", mark);
    assert_int_equal(2, count_of(client_body(&client), line));
    expect_in(client_body(&client), ",agency,watermark\n");
    expect_in(client_body(&client), ",'=cmd(),");
    client_close(&client);

    assert_int_equal(1, room_leaves(room, "kansas-pd", "export", &leaf));
    assert_says(leaf.leaf, mark);
    assert_says(leaf.secrets, "recipient=kansas-pd\n");
}

static void
an_export_of_json_lines_ends_with_what_is_known_of_it(void **state)
{
    struct programs *programs = *state;
    struct client client;
    const char *last;
    json_t *tail, *answer;

    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    assert_int_equal(200, post(programs, &client, "/v1/inquiries", programs->ask,
                               "{" PLATE
                               ",\"export\":{\"recipient\":\"kansas-pd\",\"format\":\"json\"}}"));
    expect_in(client.text, "Content-Type: application/x-ndjson");
    expect_in(client.text, "Platebase-Left-Out: ");
    last = strstr(client_body(&client), "{\"answer\":");
    assert_non_null(last);
    tail = json_loads(last, JSON_DISABLE_EOF_CHECK, NULL);
    answer = json_object_get(tail, "answer");
    assert_int_equal(1, json_integer_value(json_object_get(answer, "count")));
    assert_int_equal(32, json_string_length(json_object_get(answer, "watermark")));
    assert_non_null(json_object_get(json_object_get(answer, "receipt"), "query_index"));
    assert_int_equal(1, count_of(client_body(&client), "\"agency\":\"kansas-pd\",\"watermark\":"));
    json_decref(tail);
    client_close(&client);
}

/* Rows become text while they are sent: more of them than any buffer holds. */
static void
a_long_export_comes_whole(void **state)
{
    enum { COUNT = 3000 };
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    struct pb_read *reads = calloc(COUNT, sizeof(*reads));
    enum pb_status *statuses = calloc(COUNT, sizeof(*statuses));
    struct client client;

    for (unsigned i = 0; i < COUNT; i++)
        reads[i] = room_read(room, "KSA123", "k1", (int64_t)(i + 10) * PB_SECOND_US);
    room_expect(room, PB_OK,
                pb_store_append(pb_site_store(room->site), reads, COUNT, statuses, &room->error),
                "append");
    service_start(&programs->service);
    assert_int_equal(200, post(programs, &client, "/v1/inquiries", programs->ask,
                               "{" PLATE ",\"export\":{\"recipient\":\"kansas-pd\"}}"));
    expect_in(client.text, "Platebase-Rows: 3000 of 3000\r\n");
    client_close(&client);
    /* And as pages, each an export of its own within one record. */
    assert_int_equal(200,
                     post(programs, &client, "/v1/inquiries", programs->ask,
                          "{" PLATE ",\"limit\":2000,\"export\":{\"recipient\":\"kansas-pd\"}}"));
    expect_in(client.text, "Platebase-Rows: 2000 of 3000\r\n");
    expect_in(client.text, "Platebase-Page: ");
    client_close(&client);
    free(statuses);
    free(reads);
}

static void
an_export_to_nobody_known_is_denied(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_post(programs, "/v1/inquiries", programs->ask,
                "{" PLATE ",\"export\":{\"recipient\":\"a friend\"}}", 403,
                "\"field\":\"export_recipient\"");
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE ",\"export\":{}}", 403,
                "\"field\":\"export_recipient\"");
    expect_post(programs, "/v1/inquiries", programs->ask,
                "{" PLATE ",\"export\":{\"recipient\":\"river-pd\"}}", 403, "platebase-base");
    assert_int_equal(0, room_leaves(&programs->room, "kansas-pd", "export", NULL));
}

/* ---- what is left out ---- */

static void
an_answer_says_what_was_left_out_and_by_which_rule(void **state)
{
    struct programs *programs = *state;

    room_add(&programs->room, "KSA123", "c1", PB_HOUR_US); /* California's */
    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200,
                "\"id\":\"us-ca.in-state\"");
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200,
                "\"origins_excluded\":");
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200, "\"count\":1");
}

/* ---- who may not ---- */

static void
a_program_breaks_no_glass(void **state)
{
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_post(programs, "/v1/inquiries", programs->ask,
                "{\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\",\"purpose\":\"emergency\","
                "\"justification\":\"Child taken from the school at noon today\","
                "\"case_number\":\"26-00471\",\"break_glass\":true," WINDOW "}",
                403, "\"field\":\"break_glass\"");
    assert_int_equal(0, room_leaves(&programs->room, "kansas-pd", "break-glass", NULL));
}

/* ---- places ---- */

static void
places_of_every_shape_are_understood(void **state)
{
    static const struct {
        const char *place, *area;
    } cases[] = {
        { "{\"lat\":38.5,\"lon\":-98,\"radius_m\":200}", "circle 38.5,-98 200 m" },
        { "{\"south\":38.4,\"west\":-98.1,\"north\":38.41,\"east\":-98.09}",
          "rectangle 38.4,-98.1 38.41,-98.09" },
        { "{\"polygon\":[{\"lat\":38.4,\"lon\":-98.1},{\"lat\":38.5,\"lon\":-98.1},"
          "{\"lat\":38.5,\"lon\":-98}]}",
          "polygon of 3 points 38.4,-98.1 38.5,-98.1 38.5,-98" },
    };
    struct programs *programs = *state;

    service_start(&programs->service);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct room_found leaf;
        char body[1024];

        (void)snprintf(body, sizeof(body),
                       "{\"kind\":\"place\"," WHY ",\"places\":[%s],"
                       "\"from\":\"2026-06-01T00:00:00Z\",\"to\":\"2026-06-02T00:00:00Z\"}",
                       cases[i].place);
        /* A program cannot step up, so the rules deny it: as asked, on record. */
        expect_post(programs, "/v1/inquiries", programs->ask, body, 403, "\"field\":\"step_up\"");
        assert_int_equal(i + 1, room_leaves(&programs->room, "kansas-pd", "denied", &leaf));
        assert_says(leaf.secrets, cases[i].area);
        assert_says(leaf.leaf, "\"places\":1");
    }
}

/* ---- words that are none ---- */

/* One field of an inquiry is something else than it should be; all others are fine. */
static void
put_inquiry(char *body, size_t room, const char *field, const char *text)
{
    static const char *const fields[][2] = {
        { "plate", "KSA123" },
        { "jurisdiction", "US-KS" },
        { "purpose", "criminal-investigation" },
        { "offence", "burglary" },
        { "case_number", "26-00471" },
        { "relation", "subject" },
        { "justification", "Burglary series on Elm Street, vehicle seen by a witness" },
        { "from", "2026-05-02T00:00:00Z" },
        { "to", "2026-06-02T00:00:00Z" },
    };
    size_t used = (size_t)snprintf(body, room, "{");

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        used +=
            (size_t)snprintf(body + used, room - used, "%s\"%s\":\"%s\"", i > 0 ? "," : "",
                             fields[i][0], strcmp(fields[i][0], field) == 0 ? text : fields[i][1]);
        assert_true(used < room);
    }
    (void)snprintf(body + used, room - used, "}");
}

/* What nobody may see as it is: control characters, and what turns the direction of text. */
static void
expect_harmless(const struct client *client, const char *what)
{
    const char *body = client_body(client);

    for (const char *at = body; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\n')
            fail_msg("%s: a control character in %s", what, body);
    }
    if (strstr(body, "\xE2\x80\xAE") != NULL)
        fail_msg("%s: turned text in %s", what, body);
}

static void
hostile_words_are_refused_or_stay_words_in_every_field(void **state)
{
    static const char *const texts[] = {
        "=HYPERLINK(\\\"x\\\") burglary on Elm Street",   /* a cell that is a formula */
        "Elm \\u001b[31mStreet\\u001b[0m at night, seen", /* a terminal's colours */
        "Elm \\u202e Street burglary, seen at night",     /* the rest runs backwards */
        "Elm Street\\r\\nSet-Cookie: seen at night",      /* a second line */
        "Elm \\u0000 Street burglary, seen at night",     /* the end, for C */
        "Elm \\u200b Street burglary, seen at night",     /* something that nobody sees */
        "Elm \\ud800 Street burglary, seen at night",     /* half a character */
        "Elm \xff Street burglary, seen at night",        /* none */
        "",
    };
    static const char *const fields[] = { "plate",       "jurisdiction", "purpose",       "offence",
                                          "case_number", "relation",     "justification", "from" };
    struct programs *programs = *state;
    char *body = malloc(16384), *long_text = malloc(10241);
    struct client client;

    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    for (size_t i = 0; i < 10240; i++)
        long_text[i] = i % 7 == 6 ? ' ' : (char)('a' + i % 26);
    long_text[10240] = '\0';
    for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        for (size_t i = 0; i <= sizeof(texts) / sizeof(texts[0]); i++) {
            const char *text = i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : long_text;
            bool is_reason = strcmp(fields[f], "justification") == 0;
            int status;

            put_inquiry(body, 16384, fields[f], text);
            status = post(programs, &client, "/v1/inquiries", programs->ask, body);
            if (status != 400 && status != 403 && status != 200)
                fail_msg("%s, %zu: %d: %s", fields[f], i, status, client.text);
            /* A formula is words, too; what hides something is no reason. */
            if (is_reason && i > 0 && strstr(client.text, "\"decision\":\"allow\"") != NULL)
                fail_msg("%s, %zu: allowed: %s", fields[f], i, client.text);
            expect_harmless(&client, fields[f]);
            client_close(&client);
        }
    }
    free(body);
    free(long_text);
}

/* ---- may I? ---- */

static void
whether_one_may_is_told_without_asking(void **state)
{
    struct programs *programs = *state;

    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    expect_post(programs, "/v1/policy/explain", programs->ask, "{" PLATE "}", 200,
                "{\"decision\":\"allow\"");
    expect_post(programs, "/v1/policy/explain", programs->ask, "{" PLATE "}", 200,
                "\"confirm_at_rows\":10000,\"rows_max\":5000");
    expect_post(programs, "/v1/policy/explain", programs->ask,
                "{\"plate\":\"KSA123\",\"purpose\":\"curiosity\",\"justification\":\"none\"}", 200,
                "{\"decision\":\"deny\"");
    expect_post(programs, "/v1/policy/explain", programs->ask, "{\"purpose\":\"curiosity\"}", 400,
                "\"field\":\"justification\"");
    expect_post(programs, "/v1/policy/explain", programs->ask, "{" PLATE ",\"kind\":\"place\"}",
                400, "\"field\":\"places\"");
    assert_int_equal(0, room_leaves(&programs->room, "kansas-pd", "query", NULL));
    assert_int_equal(3, room_leaves(&programs->room, "kansas-pd", "explained", NULL));
}

/* ---- the second person ---- */

#define OLD                                                                                      \
    "\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\"," WHY ",\"from\":\"2021-05-01T00:00:00Z\"," \
    "\"to\":\"2026-06-02T00:00:00Z\""

/* The token of a question that needs somebody else. */
static void
ask_for_two(const struct programs *programs, char token[1024])
{
    struct client client;
    json_t *answer;

    assert_int_equal(409, post(programs, &client, "/v1/inquiries", programs->ask, "{" OLD "}"));
    answer = json_loads(client_body(&client), 0, NULL);
    assert_string_equal("needs a second person",
                        json_string_value(json_object_get(answer, "decision")));
    (void)snprintf(token, 1024, "%s", json_string_value(json_object_get(answer, "token")));
    json_decref(answer);
    client_close(&client);
}

static void
a_colleague_sees_what_they_approve_and_then_it_is_answered_once(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    char token[1024], body[2048], sup[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "sup", NULL, sup);
    room_add(room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    ask_for_two(programs, token);
    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    expect_post(programs, "/v1/approvals/show", sup, body, 200, "\"plate\":\"KSA123\"");
    expect_post(programs, "/v1/approvals/show", programs->ask, body, 403, "\"field\":\"person\"");
    (void)snprintf(body, sizeof(body),
                   "{\"token\":\"%s\",\"decision\":\"approve\",\"why\":\"The file says so\"}",
                   token);
    expect_post(programs, "/v1/approvals", programs->ask, body, 403, "\"field\":\"person\"");
    expect_post(programs, "/v1/approvals", sup, body, 200, "{\"decision\":\"approved\"}");
    expect_post(programs, "/v1/approvals", sup, body, 400, "\"field\":\"token\"");
    assert_int_equal(1, room_leaves(room, "kansas-pd", "approve", NULL));
    (void)snprintf(body, sizeof(body), "{" OLD ",\"approval\":\"%s\"}", token);
    expect_post(programs, "/v1/inquiries", programs->ask, body, 200, "\"count\":1");
    /* Once. */
    expect_post(programs, "/v1/inquiries", programs->ask, body, 409, "needs a second person");
}

static void
what_a_colleague_refuses_is_not_answered(void **state)
{
    struct programs *programs = *state;
    char token[1024], body[2048], sup[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "sup", NULL, sup);
    service_start(&programs->service);
    ask_for_two(programs, token);
    (void)snprintf(body, sizeof(body),
                   "{\"token\":\"%s\",\"decision\":\"refuse\",\"why\":\"No need is shown\"}",
                   token);
    expect_post(programs, "/v1/approvals", sup, body, 200, "{\"decision\":\"refused\"}");
    (void)snprintf(body, sizeof(body), "{" OLD ",\"approval\":\"%s\"}", token);
    expect_post(programs, "/v1/inquiries", programs->ask, body, 409, "needs a second person");
    assert_int_equal(1, room_leaves(&programs->room, "kansas-pd", "refuse", NULL));
}

/* Whoever is of another agency learns nothing, not even that there is such a question. */
static void
a_token_of_another_agency_opens_nothing(void **state)
{
    struct programs *programs = *state;
    char token[1024], body[2048], chief[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "bureau", PB_TOKEN_ASK, "chief", NULL, chief);
    service_start(&programs->service);
    ask_for_two(programs, token);
    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    expect_post(programs, "/v1/approvals/show", chief, body, 403, "\"field\":\"person\"");
    (void)snprintf(body, sizeof(body),
                   "{\"token\":\"%s\",\"decision\":\"approve\",\"why\":\"As a favour\"}", token);
    expect_post(programs, "/v1/approvals", chief, body, 403, "\"field\":\"person\"");
    assert_int_equal(0, room_leaves(&programs->room, "kansas-pd", "approve", NULL));
    (void)snprintf(body, sizeof(body), "{" OLD ",\"approval\":\"%s\"}", token);
    expect_post(programs, "/v1/inquiries", chief, body, 400, "\"field\":\"approval\"");
}

static void
approvals_that_say_too_little_are_refused_by_field(void **state)
{
    static const struct {
        const char *body, *field;
    } cases[] = {
        { "{\"decision\":\"approve\",\"why\":\"x\"}", "token" },
        { "{\"token\":\"x\",\"why\":\"x\"}", "decision" },
        { "{\"token\":\"x\",\"decision\":\"perhaps\",\"why\":\"x\"}", "decision" },
        { "{\"token\":\"x\",\"decision\":\"approve\"}", "why" },
        { "{\"token\":\"x\",\"decision\":\"approve\",\"why\":7}", "why" },
        { "{\"token\":\"x\",\"decision\":\"approve\",\"why\":\"x\",\"person\":\"sup\"}", "person" },
        { "{\"token\":\"AAAA\",\"decision\":\"approve\",\"why\":\"x\"}", "token" },
    };
    struct programs *programs = *state;

    service_start(&programs->service);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char has[64];

        (void)snprintf(has, sizeof(has), "\"field\":\"%s\"", cases[i].field);
        expect_post(programs, "/v1/approvals", programs->ask, cases[i].body, 400, has);
    }
    expect_post(programs, "/v1/approvals", programs->ask, "[]", 400, "wanted is one JSON object");
    expect_post(programs, "/v1/approvals/show", programs->ask, "{}", 400, "\"field\":\"token\"");
}

/* ---- corrections ---- */

#define READ_OF(reader)                                                                   \
    "\"reader\":\"" reader "\",\"captured_at\":\"2026-06-01T11:00:00Z\",\"wrong_plate\":" \
    "\"KSA128\",\"why\":\"The picture shows a three\""

static void
a_wrong_read_is_corrected_and_what_was_read_is_kept(void **state)
{
    struct programs *programs = *state;
    struct room_found leaf;

    room_add(&programs->room, "KSA128", "k1", PB_HOUR_US);
    service_start(&programs->service);
    expect_post(programs, "/v1/corrections", programs->ask,
                "{" READ_OF("k1") ",\"plate\":\"ksa 123\",\"jurisdiction\":\"US-KS\"}", 200,
                "{\"status\":\"corrected\"}");
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200, "\"count\":1");
    assert_int_equal(1, room_leaves(&programs->room, "kansas-pd", "correct", &leaf));
    assert_says(leaf.secrets, "plate=KSA128\n");
    assert_says(leaf.secrets, "after=KSA123\n");
    expect_post(programs, "/v1/corrections", programs->ask, "{" READ_OF("k2") "}", 404,
                "no read of that plate");
}

static void
corrections_that_cannot_be_are_refused_by_field(void **state)
{
    static const struct {
        const char *body, *field;
        int status;
    } cases[] = {
        { "{\"captured_at\":\"2026-06-01T11:00:00Z\",\"wrong_plate\":\"A\",\"why\":\"b\"}",
          "reader", 400 },
        { "{\"reader\":\"k1\",\"wrong_plate\":\"A\",\"why\":\"b\"}", "captured_at", 400 },
        { "{\"reader\":\"k1\",\"captured_at\":\"noon\",\"wrong_plate\":\"A\",\"why\":\"b\"}",
          "captured_at", 400 },
        { "{\"reader\":\"k1\",\"captured_at\":\"2026-06-01T11:00:00Z\",\"why\":\"b\"}",
          "wrong_plate", 400 },
        { "{\"reader\":\"k1\",\"captured_at\":\"2026-06-01T11:00:00Z\",\"wrong_plate\":\"A\"}",
          "why", 400 },
        { "{" READ_OF("k1") ",\"jurisdiction\":\"US-XX\"}", "jurisdiction", 400 },
        { "{" READ_OF("k1") ",\"person\":\"sup\"}", "person", 400 },
        { "{" READ_OF("x9") "}", "reader", 400 },
        { "{" READ_OF("n1") "}", "reader", 403 }, /* nobody let them ask over it */
        { "{" READ_OF("x9") ",\"case_number\":7}", "case_number", 400 },
    };
    struct programs *programs = *state;

    service_start(&programs->service);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char has[64];

        (void)snprintf(has, sizeof(has), "\"field\":\"%s\"", cases[i].field);
        expect_post(programs, "/v1/corrections", programs->ask, cases[i].body, cases[i].status,
                    has);
    }
    programs->service.options.takes_reads = false;
}

static void
who_may_not_correct_is_told_so(void **state)
{
    struct programs *programs = *state;
    char aud[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "aud", NULL, aud);
    service_start(&programs->service);
    expect_post(programs, "/v1/corrections", aud, "{" READ_OF("k1") "}", 403,
                "\"field\":\"person\"");
}

static void
a_server_that_only_answers_corrects_nothing(void **state)
{
    struct programs *programs = *state;

    programs->service.options.takes_reads = false;
    service_start(&programs->service);
    expect_post(programs, "/v1/corrections", programs->ask, "{" READ_OF("k1") "}", 503,
                "not started to write");
}

/* ---- rules ---- */

static void
the_rules_in_force_can_be_read_by_whoever_is_known(void **state)
{
    struct programs *programs = *state;
    struct client client;
    size_t rules = 0, unverified = 0, index;
    json_t *list, *pack;

    service_start(&programs->service);
    assert_int_equal(200, call(programs, &client, "GET", "/v1/rules", "/v1/rules", programs->reads,
                               NULL, NULL));
    list = json_loads(client_body(&client), 0, NULL);
    json_array_foreach(json_object_get(list, "packs"), index, pack)
    {
        size_t at;
        json_t *rule;

        json_array_foreach(json_object_get(pack, "rules"), at, rule)
        {
            rules++;
            unverified += json_is_false(json_object_get(rule, "verified"));
        }
    }
    assert_true(rules > 100 && unverified > 0 && unverified < rules);
    expect_in(client_body(&client), "\"id\":\"platebase-base.step-up\"");
    json_decref(list);
    client_close(&client);
    assert_int_equal(401,
                     call(programs, &client, "GET", "/v1/rules", "/v1/rules", NULL, NULL, NULL));
    client_close(&client);
}

/* ---- transparency ---- */

#define PUBLIC "/v1/agencies/coast-pd/transparency"

static void
expect_get(const struct programs *programs, const char *target, const char *template,
           const char *token, int status, const char *has)
{
    struct client client;
    int got = call(programs, &client, "GET", target, template, token, NULL, NULL);

    if (got != status || strstr(client.text, has) == NULL)
        fail_msg("%s\n-> %d: %s", target, got, client.text);
    client_close(&client);
}

static void
figures_are_public_where_the_agency_says_so(void **state)
{
    static const char template[] = "/v1/agencies/{agency}/transparency";
    struct programs *programs = *state;

    service_start(&programs->service);
    expect_get(programs, PUBLIC, template, NULL, 200, "\"month\":\"2026-05\",\"over\":true");
    expect_get(programs, PUBLIC "?month=2026-04", template, NULL, 200, "\"month\":\"2026-04\"");
    expect_get(programs, PUBLIC "?month=2026-06", template, NULL, 400, "\"field\":\"month\"");
    expect_get(programs, PUBLIC "?month=April", template, NULL, 400, "\"field\":\"month\"");
    expect_get(programs, PUBLIC "?day=1", template, NULL, 400, "\"field\":\"day\"");
    expect_get(programs, "/v1/agencies/kansas-pd/transparency", template, NULL, 404,
               "publishes any");
    expect_get(programs, "/v1/agencies/nobody/transparency", template, NULL, 404, "publishes any");
}

static void
nobody_has_years_counted_by_asking(void **state)
{
    static const char template[] = "/v1/agencies/{agency}/transparency";
    struct programs *programs = *state;
    char aud[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "kansas-pd", PB_TOKEN_AUDIT, "aud", NULL, aud);
    programs->service.options.counts_later = true;
    service_start(&programs->service);
    expect_get(programs, PUBLIC, template, NULL, 503, "Retry-After: 10\r\n");
    expect_get(programs, "/v1/transparency", "/v1/transparency", aud, 503, "Retry-After: 10\r\n");
    pb_api_set_counted(programs->service.api);
    expect_get(programs, PUBLIC, template, NULL, 200, "\"month\":\"2026-05\"");
    expect_get(programs, "/v1/transparency", "/v1/transparency", aud, 200, "\"month\":");
}

static void
auditors_see_every_count_of_their_own(void **state)
{
    struct programs *programs = *state;
    char aud[PB_TOKEN_TEXT_BYTES], doe[PB_TOKEN_TEXT_BYTES];

    add_token(programs, "kansas-pd", PB_TOKEN_AUDIT, "aud", NULL, aud);
    add_token(programs, "kansas-pd", PB_TOKEN_AUDIT, "doe", NULL, doe);
    service_start(&programs->service);
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200, "\"count\":0");
    expect_get(programs, "/v1/transparency?month=2026-06", "/v1/transparency", aud, 200,
               "{\"allowed\":1,\"by_purpose\":[{\"purpose\":\"criminal-investigation\","
               "\"count\":1}]");
    expect_get(programs, "/v1/transparency?month=2026-07", "/v1/transparency", aud, 400,
               "\"field\":\"month\"");
    expect_get(programs, "/v1/transparency", "/v1/transparency", doe, 403, "\"field\":\"person\"");
    assert_int_equal(1, room_leaves(&programs->room, "kansas-pd", "audit-read", NULL));
}

/* ---- subject access ---- */

#define SUBJECT                                                                       \
    "\"kind\":\"subject\",\"plate\":\"KSA123\",\"jurisdiction\":\"US-KS\","           \
    "\"purpose\":\"subject-access\",\"case_number\":\"SAR-12\","                      \
    "\"justification\":\"Letter of May asks for all reads\",\"identity\":\"Passport " \
    "seen\"," WINDOW

static void
who_was_given_a_plate_is_told_to_whom_it_belongs(void **state)
{
    struct programs *programs = *state;
    char aud[PB_TOKEN_TEXT_BYTES], sup[PB_TOKEN_TEXT_BYTES], token[1024] = "", body[2048];
    struct client client;
    json_t *answer;

    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "aud", NULL, aud);
    add_token(programs, "kansas-pd", PB_TOKEN_ASK, "sup", NULL, sup);
    room_add(&programs->room, "KSA123", "k1", PB_HOUR_US);
    service_start(&programs->service);
    expect_post(programs, "/v1/inquiries", programs->ask, "{" PLATE "}", 200, "\"count\":1");
    expect_post(programs, "/v1/inquiries", programs->ask, "{" SUBJECT "}", 403,
                "\"id\":\"platebase-base.permission\"");
    assert_int_equal(409, post(programs, &client, "/v1/inquiries", aud, "{" SUBJECT "}"));
    answer = json_loads(client_body(&client), 0, NULL);
    (void)snprintf(token, sizeof(token), "%s", json_string_value(json_object_get(answer, "token")));
    json_decref(answer);
    client_close(&client);
    (void)snprintf(body, sizeof(body),
                   "{\"token\":\"%s\",\"decision\":\"approve\",\"why\":\"The letter fits\"}",
                   token);
    expect_post(programs, "/v1/approvals", sup, body, 200, "approved");
    (void)snprintf(body, sizeof(body), "{" SUBJECT ",\"approval\":\"%s\"}", token);
    expect_post(programs, "/v1/inquiries", aud, body, 200,
                "\"agency\":\"kansas-pd\",\"purpose\":\"criminal-investigation\","
                "\"kind\":\"plate\",\"reads\":1,\"case_open\":true}],\"cut\":false");
}

/* ---- faults ---- */

/* An export while the n-th allocation fails: whole, cut off so that the client sees it, or none. */
static void
an_export_without_memory_is_refused_or_whole(void **state)
{
    struct programs *programs = *state;
    struct site_room *room = &programs->room;
    int status = 0;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    programs->service.fixture.options.io_threads = 1;
    programs->service.fixture.options.worker_threads = 1;
    service_start(&programs->service);
    for (uint64_t n = 1; status != 200; n++) {
        struct client client;

        assert_true(n < 400);
        room->fault.fail_allocation_at = room->fault.allocation_count + n;
        status = post(programs, &client, "/v1/inquiries", programs->ask,
                      "{" PLATE ",\"export\":{\"recipient\":\"kansas-pd\",\"format\":\"json\"}}");
        room->fault.fail_allocation_at = 0;
        if (status != 200 && status != 503 && status != 500)
            fail_msg("allocation %llu: %d: %s", (unsigned long long)n, status, client.text);
        if (status == 200)
            expect_in(client.text, "{\"answer\":");
        client_close(&client);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(an_export_is_a_file_whose_every_row_has_its_mark),
        CASE(an_export_of_json_lines_ends_with_what_is_known_of_it),
        CASE(a_long_export_comes_whole),
        CASE(an_export_to_nobody_known_is_denied),
        CASE(an_answer_says_what_was_left_out_and_by_which_rule),
        CASE(a_program_breaks_no_glass),
        CASE(places_of_every_shape_are_understood),
        CASE(hostile_words_are_refused_or_stay_words_in_every_field),
        CASE(whether_one_may_is_told_without_asking),
        CASE(a_colleague_sees_what_they_approve_and_then_it_is_answered_once),
        CASE(what_a_colleague_refuses_is_not_answered),
        CASE(a_token_of_another_agency_opens_nothing),
        CASE(approvals_that_say_too_little_are_refused_by_field),
        CASE(a_wrong_read_is_corrected_and_what_was_read_is_kept),
        CASE(corrections_that_cannot_be_are_refused_by_field),
        CASE(who_may_not_correct_is_told_so),
        CASE(a_server_that_only_answers_corrects_nothing),
        CASE(the_rules_in_force_can_be_read_by_whoever_is_known),
        CASE(figures_are_public_where_the_agency_says_so),
        CASE(auditors_see_every_count_of_their_own),
        CASE(nobody_has_years_counted_by_asking),
        CASE(who_was_given_a_plate_is_told_to_whom_it_belongs),
        CASE(an_export_without_memory_is_refused_or_whole),
    };

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
