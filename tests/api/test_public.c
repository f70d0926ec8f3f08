/*
 * Endpoints that need no sign-in: operation, reference, and the public side of the audit logs.
 */
#include "api/service.h"

#include "api/api_private.h"
#include "api/tile_path.h"
#include "base/text.h"
#include "support/fault_env.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int
setup(void **state)
{
    struct service *service = malloc(sizeof(*service));

    assert_non_null(service);
    service_init(service);
    service_mkdir(service, "audit");
    service_mkdir(service, "audit/public");
    service_mkdir(service, "audit/public/operator");
    service_mkdir(service, "audit/public/operator/tile");
    service_mkdir(service, "audit/public/operator/tile/0");
    service_mkdir(service, "audit/public/operator/tile/0/001.p");
    service_mkdir(service, "audit/public/operator/tile/entries");
    service_mkdir(service, "audit/public/operator/tile/entries/000");
    service_write(service, "audit/public/operator/checkpoint", "a signed note\n");
    service_write(service, "audit/public/operator/tile/0/000", "hashes");
    service_write(service, "audit/public/operator/tile/0/001.p/7", "partial");
    service_write(service, "audit/public/operator/secret", "SECRET");
    service_write(service, "audit/secret", "SECRET");
    *state = service;
    return 0;
}

static int
teardown(void **state)
{
    service_done(*state);
    free(*state);
    return 0;
}

static void
every_endpoint_answers_as_it_is_described(void **state)
{
    struct service *service = *state;

    service_start(service);
    assert_int_equal(200, service_get(service, "/healthz", "/healthz"));
    assert_int_equal(200, service_get(service, "/readyz", "/readyz"));
    assert_int_equal(200, service_get(service, "/metrics", "/metrics"));
    assert_int_equal(200, service_get(service, "/openapi.json", "/openapi.json"));
    assert_int_equal(200, service_get(service, "/docs", "/docs"));
    pb_api_set_ready(service->api, false);
    assert_int_equal(503, service_get(service, "/readyz", "/readyz"));
    assert_int_equal(200, service_get(service, "/healthz", "/healthz"));
}

static void
the_page_allows_nothing_but_its_own_style(void **state)
{
    struct service *service = *state;
    struct client client;

    service_start(service);
    assert_int_equal(200, service_ask(service, &client, "GET", "/docs", "/docs", "", NULL));
    expect_in(client.text, "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
    assert_null(strstr(client_body(&client), "<script"));
    assert_null(strstr(client_body(&client), "http://"));
    assert_null(strstr(client_body(&client), "https://"));
    expect_in(client_body(&client), "/audit/{log}/checkpoint");
    client_close(&client);
}

static void
every_route_is_in_the_document_and_the_other_way_round(void **state)
{
    struct service *service = *state;
    size_t described = 0;
    const char *path, *method;
    json_t *methods, *operation;

    service_start(service);
    json_object_foreach(json_object_get(service->document, "paths"), path, methods)
    {
        json_object_foreach(methods, method, operation)
        {
            assert_non_null(json_object_get(operation, "x-permission"));
            assert_true(json_is_boolean(json_object_get(operation, "x-audited")));
            described++;
        }
    }
    assert_int_equal(described, service->fixture.options.route_count);
    assert_string_equal("3.1.0", json_string_value(json_object_get(service->document, "openapi")));
}

static void
fields_that_are_not_described_are_refused_by_name(void **state)
{
    struct service *service = *state;
    struct client client;

    service_start(service);
    assert_int_equal(400, service_ask(service, &client, "GET", "/healthz?verb%6fse=1", "/healthz",
                                      "", NULL));
    expect_in(client_body(&client), "\"field\":\"verbose\"");
    client_close(&client);
}

static void
queries_are_checked_against_their_fields(void **state)
{
    static const struct pb_api_field fields[] = {
        { "id", PB_API_ID, true, 0 },      { "n", PB_API_COUNT, false, 100 },
        { "at", PB_API_TIME, false, 0 },   { "is", PB_API_BOOL, false, 0 },
        { "text", PB_API_TEXT, false, 0 }, { NULL, PB_API_TEXT, false, 0 },
    };
    static const struct {
        const char *names[3], *values[3];
        const char *field; /* that is refused; NULL: none */
    } cases[] = {
        { { "id" }, { "a.b:c-d_e" }, NULL },
        { { "id", "n", "is" }, { "a", "100", "true" }, NULL },
        { { "id", "at", "text" }, { "a", "2026-01-02T03:04:05Z", "" }, NULL },
        { { NULL }, { NULL }, "id" },
        { { "n" }, { "1" }, "id" },
        { { "id", "n" }, { "a", "101" }, "n" },
        { { "id", "n" }, { "a", "" }, "n" },
        { { "id", "n" }, { "a", "-1" }, "n" },
        { { "id", "n" }, { "a", "99999999999999999999" }, "n" },
        { { "id", "at" }, { "a", "2026-01-02" }, "at" },
        { { "id", "is" }, { "a", "yes" }, "is" },
        { { "id" }, { "" }, "id" },
        { { "id" }, { "-a" }, "id" },
        { { "id" }, { "a/b" }, "id" },
        { { "id", "id" }, { "a", "a" }, "id" },
        { { "id", "other" }, { "a", "b" }, "other" },
        { { "ID" }, { "a" }, "ID" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_pair pairs[3];
        struct pb_request request = { .query = pairs };
        struct pb_str field = { NULL, 0 };
        const char *why = NULL;

        for (unsigned at = 0; at < 3 && cases[i].names[at] != NULL; at++)
            pairs[request.query_count++] = (struct pb_pair){ pb_str_from(cases[i].names[at]),
                                                             pb_str_from(cases[i].values[at]) };
        if (pb_api_query_check(fields, &request, &field, &why) != (cases[i].field == NULL))
            fail_msg("case %zu: %.*s: %s", i, (int)field.bytes, field.text, why);
        if (cases[i].field != NULL)
            assert_true(pb_str_equal(pb_str_from(cases[i].field), field));
    }
}

/* ---- audit logs ---- */

#define CHECKPOINT "/audit/{log}/checkpoint"
#define TILE "/audit/{log}/tile/{tile}"

static void
logs_are_given_out_as_they_lie_on_disk(void **state)
{
    struct service *service = *state;
    struct client client;

    service_start(service);
    assert_int_equal(200, service_ask(service, &client, "GET", "/audit/operator/checkpoint",
                                      CHECKPOINT, "", NULL));
    assert_string_equal("a signed note\n", client_body(&client));
    expect_in(client.text, "Cache-Control: no-cache\r\n");
    client_close(&client);
    assert_int_equal(200, service_ask(service, &client, "GET", "/audit/operator/tile/0/000", TILE,
                                      "", NULL));
    assert_string_equal("hashes", client_body(&client));
    expect_in(client.text, "immutable");
    expect_in(client.text, "Access-Control-Allow-Origin: *\r\n");
    expect_in(client.text, "Content-Type: application/octet-stream\r\n");
    client_close(&client);
    assert_int_equal(200, service_ask(service, &client, "GET", "/audit/operator/tile/0/001.p/7",
                                      TILE, "", NULL));
    assert_string_equal("partial", client_body(&client));
    client_close(&client);
}

static void
nothing_but_checkpoints_and_tiles_can_be_named(void **state)
{
    static const char *const targets[] = {
        "/audit/operator/secret",
        "/audit/operator/tile/secret",
        "/audit/operator/tile/0/../../secret",
        "/audit/operator/tile/0/%2e%2e/%2e%2e/secret",
        "/audit/operator/tile/0/000%00",
        "/audit/operator/tile/0/..%2f..%2fsecret",
        "/audit/../secret",
        "/audit/.../checkpoint",
        "/audit/%2e%2e/checkpoint",
        "/audit/.hidden/checkpoint",
        "/audit/operator%2F/checkpoint",
        "/audit//checkpoint",
        "/audit/operator//checkpoint",
        "/audit/operator/checkpoint/",
        "/audit/operator/tile/0",
        "/audit/operator/tile/0/",
        "/audit/operator/tile/0/0",
        "/audit/operator/tile/00/000",
        "/audit/operator/tile/0/002",
        "/audit/operator/tile/0/000.p/1",
        "/audit/operator/tile/entries/000", /* a directory */
        "/audit/nobody/checkpoint",
    };
    struct service *service = *state;

    service_start(service);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct client client;
        char request[256];
        int status;

        (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i]);
        status = ask(&service->fixture, &client, request);
        if ((status != 404 && status != 400) || strstr(client.text, "SECRET") != NULL)
            fail_msg("%s: %s", targets[i], client.text);
        client_close(&client);
    }
}

/* Whoever can write there could lay a link; it leads nowhere. */
static void
links_are_not_followed(void **state)
{
    struct service *service = *state;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/audit/public/operator/tile/0/003", service->directory);
    assert_int_equal(0, symlink("../../secret", path));
    (void)snprintf(path, sizeof(path), "%s/audit/public/linked", service->directory);
    assert_int_equal(0, symlink("operator", path));
    (void)snprintf(path, sizeof(path), "%s/audit/public/operator/tile/1", service->directory);
    assert_int_equal(0, symlink("/", path));
    service_start(service);
    assert_int_equal(404, service_get(service, "/audit/operator/tile/0/003", TILE));
    assert_int_equal(404, service_get(service, "/audit/linked/checkpoint", CHECKPOINT));
    assert_int_equal(404, service_get(service, "/audit/operator/tile/1/000", TILE));
}

static void
a_directory_without_logs_is_served_too(void **state)
{
    struct service *service = *state;
    char path[256], moved[256];

    (void)snprintf(path, sizeof(path), "%s/audit", service->directory);
    (void)snprintf(moved, sizeof(moved), "%s/elsewhere", service->directory);
    assert_int_equal(0, rename(path, moved));
    service_start(service);
    assert_int_equal(404, service_get(service, "/audit/operator/checkpoint", CHECKPOINT));
    assert_int_equal(200, service_get(service, "/healthz", "/healthz"));
}

static void
tile_paths_have_one_form(void **state)
{
    static const char *const good[] = {
        "0/000",           "63/999",
        "8/x001/067",      "0/x001/x234/067",
        "entries/000",     "0/000.p/1",
        "0/000.p/255",     "entries/x001/234.p/17",
        "0/x001/x000/000", "0/x999/x999/x999/x999/x999/999",
    };
    static const char *const bad[] = {
        "",
        "0",
        "0/",
        "/000",
        "0/0",
        "0/00",
        "0/0000",
        "00/000",
        "64/000",
        "100/000",
        "-1/000",
        "+1/000",
        "a/000",
        "0/x000/001",
        "0/x01/001",
        "0/001/002",
        "0/x001",
        "0/x001/",
        "0/x001/x002",
        "0/X001/002",
        "0/000.p",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/1/",
        "0/000.p/1.p/1",
        "0/000.P/1",
        "entries",
        "entries/",
        "Entries/000",
        "entries/000/",
        "0/..",
        "../000",
        "0/x001/../001",
        "0/x001//002",
        "0//000",
        " 0/000",
        "0/000 ",
        "0/000\n",
        "0/x999/x999/x999/x999/x999/x999/999",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!pb_api_tile_path_is_valid(pb_str_from(good[i])))
            fail_msg("refused: %s", good[i]);
        assert_true(strlen(good[i]) <= PB_TILE_PATH_BYTES_MAX);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (pb_api_tile_path_is_valid(pb_str_from(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
    assert_false(pb_api_tile_path_is_valid((struct pb_str){ "0/0\0000", 6 }));
    assert_true(pb_api_tile_log_is_valid(pb_str_from("operator")));
    assert_true(pb_api_tile_log_is_valid(pb_str_from("KS-0870100:x")));
    assert_false(pb_api_tile_log_is_valid(pb_str_from("")));
    assert_false(pb_api_tile_log_is_valid(pb_str_from(".a")));
    assert_false(pb_api_tile_log_is_valid(pb_str_from("a/b")));
    assert_false(pb_api_tile_log_is_valid((struct pb_str){ "a\0b", 3 }));
    assert_false(pb_api_tile_log_is_valid(
        pb_str_from("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

static void
the_interface_needs_memory_or_says_so(void **state)
{
    struct service *service = *state;
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_api_options options = { .data_path = service->directory };
        struct pb_api *api = NULL;
        struct pb_error error;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_api_new(&fault.env, &options, &api, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_api_free(api);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 20);
}

/* "/v1/people/{id}" with something in the place of each parameter. */
static void
fill_path(const char *path, char *text, size_t room)
{
    size_t used = 0;

    for (; *path != '\0'; path++) {
        assert_true(used + 2 < room);
        text[used++] = *path == '{' ? 'x' : *path;
        if (*path == '{')
            path += strcspn(path, "}");
    }
    text[used] = '\0';
}

/* Whatever takes a body takes it as it says: forms with files are nowhere looked into. */
static void
multipart_is_refused_everywhere(void **state)
{
    struct service *service = *state;
    unsigned tried = 0;

    service_start(service);
    for (unsigned i = 0; i < pb_api_endpoint_count; i++) {
        static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
        static const char body[] = "--b\r\nContent-Disposition: form-data; name=\"person\"\r\n\r\n"
                                   "doe\r\n--b--\r\n";
        const struct pb_api_endpoint *endpoint = &pb_api_endpoints[i];
        char path[256], request[1024];
        struct client client;
        int status;

        if (endpoint->body_bytes_max == 0)
            continue;
        fill_path(endpoint->path, path, sizeof(path));
        (void)snprintf(request, sizeof(request),
                       "%s %s HTTP/1.1\r\n" HOST "Content-Type: multipart/form-data; boundary=b\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       methods[endpoint->method], path, strlen(body), body);
        status = ask(&service->fixture, &client, request);
        if (status != 415)
            fail_msg("%s: %d", endpoint->name, status);
        client_close(&client);
        tried++;
    }
    assert_true(tried > 30);
}

/* So that none has to show how to sign out. */
static void
no_page_is_behind_the_sign_in(void **state)
{
    struct service *service = *state;
    const char *path, *method, *code;
    json_t *methods, *endpoint, *reply;
    unsigned pages = 0;

    service_start(service);
    json_object_foreach(json_object_get(service->document, "paths"), path, methods)
    {
        json_object_foreach(methods, method, endpoint)
        {
            const char *permission = json_string_value(json_object_get(endpoint, "x-permission"));

            json_object_foreach(json_object_get(endpoint, "responses"), code, reply)
            {
                if (json_object_get(json_object_get(reply, "content"), "text/html") == NULL)
                    continue;
                if (permission == NULL || strcmp(permission, "public") != 0)
                    fail_msg("%s %s", method, path);
                pages++;
            }
        }
    }
    assert_in_range(pages, 3, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(every_endpoint_answers_as_it_is_described),
        CASE(the_page_allows_nothing_but_its_own_style),
        CASE(every_route_is_in_the_document_and_the_other_way_round),
        CASE(fields_that_are_not_described_are_refused_by_name),
        cmocka_unit_test(queries_are_checked_against_their_fields),
        CASE(logs_are_given_out_as_they_lie_on_disk),
        CASE(nothing_but_checkpoints_and_tiles_can_be_named),
        CASE(links_are_not_followed),
        CASE(a_directory_without_logs_is_served_too),
        cmocka_unit_test(tile_paths_have_one_form),
        CASE(the_interface_needs_memory_or_says_so),
        CASE(multipart_is_refused_everywhere),
        CASE(no_page_is_behind_the_sign_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
