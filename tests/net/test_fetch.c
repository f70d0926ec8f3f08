/*
 * Fetch: what may be asked, and what of an answer is taken.
 */
#include "net/secured.h"

#include "net/fetch.h"
#include "support/fault_env.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- routes ---- */

static enum pb_status
answer_seen(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    const struct pb_str *authorization = NULL, *type = NULL;

    (void)context;
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (strncasecmp(request->headers[i].name.text, "Authorization", 13) == 0)
            authorization = &request->headers[i].value;
        if (strncasecmp(request->headers[i].name.text, "Content-Type", 12) == 0)
            type = &request->headers[i].value;
    }
    reply->content_type = "application/json";
    pb_reply_put_text(reply, request->method == PB_METHOD_POST ? "POST " : "GET ");
    if (type != NULL)
        pb_reply_put(reply, type->text, type->bytes);
    pb_reply_put_text(reply, " ");
    if (authorization != NULL)
        pb_reply_put(reply, authorization->text, authorization->bytes);
    pb_reply_put_text(reply, " ");
    pb_reply_put(reply, request->body.text, request->body.bytes);
    return PB_OK;
}

static enum pb_status
answer_elsewhere(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    (void)context;
    (void)request;
    reply->status = 302;
    pb_reply_header(reply, "Location", pb_str_from("/seen"));
    return PB_OK;
}

static const struct pb_route routes[] = {
    { .name = "seen", .path = "/seen", .handle = answer_seen },
    { .name = "sent",
      .method = PB_METHOD_POST,
      .path = "/seen",
      .handle = answer_seen,
      .body_bytes_max = 1000,
      .body_types = { "application/x-www-form-urlencoded" } },
    { .name = "elsewhere", .path = "/elsewhere", .handle = answer_elsewhere },
    { .name = "stream", .path = "/stream", .handle = answer_stream },
};

/* ---- setting up ---- */

static int
setup(void **state)
{
    struct secured *secured = secured_new();

    free((void *)(uintptr_t)secured->fixture.options.routes);
    secured->fixture.options.routes = routes;
    secured->fixture.options.route_count = COUNT_OF(routes);
    *state = secured;
    return 0;
}

static int
teardown(void **state)
{
    struct secured *secured = *state;

    secured->fixture.options.routes = NULL;
    secured_free(secured);
    return 0;
}

static struct pb_fetch_request
request_of(const struct secured *secured, char url[128], const char *scheme, const char *path)
{
    (void)snprintf(url, 128, "%s://127.0.0.1:%u%s", scheme,
                   pb_server_address(secured->fixture.server).port, path);
    return (struct pb_fetch_request){ .url = url, .total_ms = PATIENCE_MS, .bytes_max = 4096 };
}

static enum pb_status
fetch(const struct pb_fetch_request *request, struct pb_fetch_reply *reply)
{
    struct pb_error error = { "" };
    enum pb_status status;

    memset(reply, 0, sizeof(*reply));
    status = pb_fetch(pb_env_system(), request, reply, &error);
    assert_true((status == PB_OK) == (reply->body != NULL));
    assert_true((status == PB_OK) == (error.message[0] == '\0'));
    return status;
}

/* ---- cases ---- */

static void
only_https_and_this_machine_are_asked(void **state)
{
    static const struct {
        const char *url;
        bool is_allowed;
    } cases[] = {
        { "https://login.example.org", true },
        { "https://login.example.org/realms/a?b=c", true },
        { "https://login.example.org:8443/", true },
        { "https://[2001:db8::1]/", true },
        { "http://127.0.0.1:8080/", true },
        { "http://127.0.0.1", true },
        { "http://[::1]:8080/", true },
        { "http://localhost/a", true },
        { "http://localhost?a", true },
        { "http://login.example.org/", false },
        { "http://127.0.0.1.example.org/", false },
        { "http://127.0.0.10/", false },
        { "http://localhost.example.org/", false },
        { "http://localhost@example.org/", false },
        { "http://127.0.0.1:80@example.org/", false },
        { "http://example.org/@127.0.0.1", false },
        { "http://2130706433/", false },
        { "http://0/", false },
        { "http://[::ffff:127.0.0.1]/", false },
        { "https://user:word@login.example.org/", false },
        { "https://", false },
        { "https:///a", false },
        { "https://:443/", false },
        { "https://login.example.org/#a", false },
        { "https://login.example.org/a b", false },
        { "https://login.example.org/\n", false },
        { "https://login.example.org\\@127.0.0.1/", false },
        { "https://login.ex\xc3\xa4mple.org/", false },
        { "HTTPS://login.example.org/", false },
        { "file:///etc/passwd", false },
        { "gopher://127.0.0.1/", false },
        { "ftp://127.0.0.1/", false },
        { "//login.example.org/", false },
        { "", false },
    };
    static char longest[PB_FETCH_URL_BYTES_MAX + 2] = "https://a/";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_str url = { cases[i].url, (uint32_t)strlen(cases[i].url) };

        if (pb_fetch_is_allowed(url) != cases[i].is_allowed)
            fail_msg("%s", cases[i].url);
    }
    memset(longest + 10, 'a', sizeof(longest) - 11);
    assert_false(pb_fetch_is_allowed((struct pb_str){ longest, PB_FETCH_URL_BYTES_MAX + 1 }));
    assert_true(pb_fetch_is_allowed((struct pb_str){ longest, PB_FETCH_URL_BYTES_MAX }));
}

static void
what_is_not_allowed_is_not_asked(void **state)
{
    struct pb_fetch_request request = { .url = "file:///etc/hostname", .total_ms = 1000 };
    struct pb_fetch_reply reply;

    (void)state;
    assert_int_equal(PB_BAD_INPUT, fetch(&request, &reply));
}

static void
an_answer_is_given_as_it_is(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/seen");
    assert_int_equal(PB_OK, fetch(&request, &reply));
    assert_int_equal(200, reply.status);
    assert_string_equal("application/json", reply.content_type);
    assert_string_equal("GET   ", reply.body);
    assert_int_equal(6, reply.body_bytes);
    pb_free(pb_env_system(), reply.body);

    request = request_of(secured, url, "http", "/nothing");
    assert_int_equal(PB_OK, fetch(&request, &reply));
    assert_int_equal(404, reply.status);
    assert_string_equal("application/problem+json", reply.content_type);
    pb_free(pb_env_system(), reply.body);
}

static void
a_form_is_sent_with_its_secret_in_the_header(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/seen");
    request.content_type = "application/x-www-form-urlencoded";
    request.body = (struct pb_str){ "a=b&c=d", 7 };
    request.user = "platebase";
    request.password = "word";
    assert_int_equal(PB_OK, fetch(&request, &reply));
    assert_string_equal("POST application/x-www-form-urlencoded "
                        "Basic cGxhdGViYXNlOndvcmQ= a=b&c=d",
                        reply.body);
    pb_free(pb_env_system(), reply.body);
}

static void
no_redirect_is_followed(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/elsewhere");
    assert_int_equal(PB_OK, fetch(&request, &reply));
    assert_int_equal(302, reply.status);
    assert_int_equal(0, reply.body_bytes);
    pb_free(pb_env_system(), reply.body);
}

static void
an_answer_that_is_too_long_is_not_taken(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/stream");
    assert_int_equal(PB_OVER_LIMIT, fetch(&request, &reply));
    request.bytes_max = STREAM_BYTES - 1;
    assert_int_equal(PB_OVER_LIMIT, fetch(&request, &reply));
    request.bytes_max = STREAM_BYTES;
    assert_int_equal(PB_OK, fetch(&request, &reply));
    assert_int_equal(STREAM_BYTES, reply.body_bytes);
    pb_free(pb_env_system(), reply.body);
}

static void
an_answer_that_breaks_off_is_none(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/stream?fail");
    request.bytes_max = STREAM_BYTES;
    assert_int_equal(PB_E_IO, fetch(&request, &reply));
}

static void
nobody_there_is_a_failure(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/seen");
    (void)pb_server_stop(secured->fixture.server, 0);
    secured->fixture.server = NULL;
    assert_int_equal(PB_E_IO, fetch(&request, &reply));
}

static void
a_certificate_that_is_not_trusted_ends_it(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    struct pb_fetch_reply reply;
    char url[128];

    secured_serve(secured);
    fixture_start(&secured->fixture);
    request = request_of(secured, url, "https", "/seen");
    assert_int_equal(PB_E_IO, fetch(&request, &reply));
    request.trusted_path = secured->other_certificate;
    assert_int_equal(PB_E_IO, fetch(&request, &reply));
    request.trusted_path = secured->certificate;
    assert_int_equal(PB_OK, fetch(&request, &reply));
    pb_free(pb_env_system(), reply.body);
}

static void
without_memory_nothing_is_left(void **state)
{
    struct secured *secured = *state;
    struct pb_fetch_request request;
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;
    char url[128];

    fixture_start(&secured->fixture);
    request = request_of(secured, url, "http", "/stream");
    request.bytes_max = STREAM_BYTES;
    while (status != PB_OK) {
        struct pb_fetch_reply reply = { .body = NULL };
        struct pb_error error = { "" };
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_fetch(&fault.env, &request, &reply, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_free(&fault.env, reply.body);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 2, 100);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_https_and_this_machine_are_asked),
        cmocka_unit_test(what_is_not_allowed_is_not_asked),
        CASE(an_answer_is_given_as_it_is),
        CASE(a_form_is_sent_with_its_secret_in_the_header),
        CASE(no_redirect_is_followed),
        CASE(an_answer_that_is_too_long_is_not_taken),
        CASE(an_answer_that_breaks_off_is_none),
        CASE(nobody_there_is_a_failure),
        CASE(a_certificate_that_is_not_trusted_ends_it),
        CASE(without_memory_nothing_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
