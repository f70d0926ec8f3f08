/*
 * The server over real sockets: requests, replies, refusals.
 */
#include "net/client.h"

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    assert_non_null(fixture);
    fixture_init(fixture, pb_env_system());
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture_done(fixture);
    free(fixture);
    return 0;
}

static void
a_request_is_answered_and_the_connection_goes_on(void **state)
{
    struct client client = client_connect(*state);

    for (int i = 0; i < 3; i++) {
        assert_true(client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        assert_int_equal(200, client_reply(&client));
        assert_string_equal("hello\n", client_body(&client));
        client_forget(&client);
        assert_true(client_say(&client, "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
        assert_int_equal(200, client_reply(&client));
        assert_string_equal("hello\n", client_body(&client));
        client_forget(&client);
    }
    client_close(&client);
}

static void
requests_that_are_sent_together_are_answered_in_order(void **state)
{
    struct client client = client_connect(*state);

    assert_true(client_say(&client,
                           "GET /at/a/of/1 HTTP/1.1\r\n" HOST "\r\n"
                           "POST /echo HTTP/1.1\r\n" HOST
                           "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\ntwo"
                           "GET /at/c/of/3 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    client_receive_all(&client);
    const char *one = strstr(client.text, "/at/a/of/1 [a|1]"), *two = strstr(client.text, "two");
    const char *three = strstr(client.text, "/at/c/of/3 [c|3]");

    assert_true(one != NULL && two != NULL && three != NULL && one < two && two < three);
    client_close(&client);
}

static void
every_reply_carries_the_security_headers(void **state)
{
    static const char *const requests[] = {
        "GET /hello HTTP/1.1\r\n" HOST "\r\n",
        "GET /nowhere HTTP/1.1\r\n" HOST "\r\n",
        "GET /failing HTTP/1.1\r\n" HOST "\r\n",
        "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct client client;

        (void)ask(*state, &client, requests[i]);
        expect_in(client.text, "X-Content-Type-Options: nosniff\r\n");
        expect_in(client.text, "Cache-Control: no-store\r\n");
        expect_in(client.text, "Referrer-Policy: no-referrer\r\n");
        expect_in(client.text, "Content-Security-Policy: default-src 'none'");
        expect_in(client.text, "X-Request-Id: ");
        assert_null(strstr(client.text, "Server:"));
        client_close(&client);
    }
}

static void
paths_and_queries_arrive_decoded(void **state)
{
    struct client client;

    assert_int_equal(200,
                     ask(*state, &client,
                         "GET /at/%C3%A9t%C3%A9/of/a/b%20c?x=1+2&y=%26 HTTP/1.1\r\n" HOST "\r\n"));
    assert_string_equal("/at/\xC3\xA9t\xC3\xA9/of/a/b c [\xC3\xA9t\xC3\xA9|a/b c] ?x=1 2&y=&",
                        client_body(&client));
    client_close(&client);
}

static void
a_head_request_gets_the_headers_alone(void **state)
{
    struct client client = client_connect(*state);

    assert_true(client_say(&client, "HEAD /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    client_receive_all(&client);
    assert_int_equal(0, strncmp(client.text, "HTTP/1.1 200", 12));
    expect_in(client.text, "Content-Length: 6\r\n");
    assert_string_equal("", client_body(&client));
    client_close(&client);
}

static void
bodies_come_whole_with_a_length_or_in_chunks(void **state)
{
    struct client client;
    char *request = malloc(100200), *expected = malloc(100020);
    int head;

    assert_int_equal(200,
                     ask(*state, &client,
                         "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain; charset=utf-8"
                         "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                         "0\r\n\r\n"));
    assert_string_equal("/echo body abcde", client_body(&client));
    /* Nothing that follows chunks is taken for a request. */
    expect_in(client.text, "Connection: close\r\n");
    client_receive_all(&client);
    client_close(&client);

    head = snprintf(request, 200,
                    "POST /echo HTTP/1.1\r\n" HOST
                    "Content-Type: application/json\r\nContent-Length: 100000"
                    "\r\n\r\n");
    memset(request + head, 'b', 100000);
    client = client_connect(*state);
    assert_true(client_send(&client, request, (size_t)head + 100000));
    assert_int_equal(200, client_reply(&client));
    (void)snprintf(expected, 100020, "/echo body %.*s", 100000, request + head);
    assert_string_equal(expected, client_body(&client));
    client_close(&client);
    free(request);
    free(expected);
}

static void
a_client_that_asks_first_is_told_to_go_on_or_not(void **state)
{
    struct client client = client_connect(*state);

    assert_true(client_say(&client, "POST /echo HTTP/1.1\r\n" HOST
                                    "Content-Type: text/plain\r\nContent-Length: 2\r\n"
                                    "Expect: 100-continue\r\n\r\n"));
    while (client.bytes < 25)
        assert_true(client_receive(&client));
    assert_string_equal("HTTP/1.1 100 Continue\r\n\r\n", client.text);
    client_forget(&client);
    assert_true(client_say(&client, "ok"));
    assert_int_equal(200, client_reply(&client));
    client_close(&client);

    assert_int_equal(413, ask(*state, &client,
                              "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                              "Content-Length: 100001\r\n"
                              "Expect: 100-continue\r\n\r\n"));
    client_close(&client);
}

static void
what_cannot_be_served_is_refused_with_a_problem_document(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *has; /* in the reply */
        bool goes_on;    /* the connection serves the next request */
    } cases[] = {
        { "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, "\"title\":\"Not Found\"", true },
        { "GET /hello/ HTTP/1.1\r\n" HOST "\r\n", 404, "", true },
        { "GET //hello HTTP/1.1\r\n" HOST "\r\n", 404, "", true },
        { "GET /at//of/x HTTP/1.1\r\n" HOST "\r\n", 404, "", true },
        { "GET /at/a/of HTTP/1.1\r\n" HOST "\r\n", 404, "", true },
        { "DELETE /hello HTTP/1.1\r\n" HOST "\r\n", 405, "Allow: GET, HEAD\r\n", true },
        { "GET /echo HTTP/1.1\r\n" HOST "\r\n", 405, "Allow: POST\r\n", true },
        { "BREW /hello HTTP/1.1\r\n" HOST "\r\n", 405, "", true },
        { "POST /echo HTTP/1.1\r\n" HOST "\r\n", 411, "", true },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
          "Content-Length: 100001\r\n\r\n",
          413, "", false },
        { "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxx", 405, "", true },
        { "GET /hello HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxx", 413, "", true },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxx", 415, "", true },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nxx",
          415, "", true },
        { "GET /failing HTTP/1.1\r\n" HOST "\r\n", 500, "\"request_id\":\"", true },
        { "GET /failing?passing HTTP/1.1\r\n" HOST "\r\n", 503, "Retry-After: 5\r\n", true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client;

        assert_int_equal(cases[i].status, ask(*state, &client, cases[i].request));
        expect_in(client.text, "Content-Type: application/problem+json\r\n");
        expect_in(client.text, cases[i].has);
        assert_null(strstr(client.text, "half an answer"));
        client_forget(&client);
        if (cases[i].goes_on)
            assert_true(client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        assert_int_equal(cases[i].goes_on ? 200 : 0, client_reply(&client));
        client_close(&client);
    }
}

static void
a_body_that_is_too_large_in_chunks_is_refused_on_the_way(void **state)
{
    struct client client = client_connect(*state);
    char chunk[20000];

    memset(chunk, 'c', sizeof(chunk));
    assert_true(client_say(&client, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 6; i++) {
        assert_true(client_say(&client, "4e20\r\n"));
        assert_true(client_send(&client, chunk, sizeof(chunk)));
        assert_true(client_say(&client, "\r\n"));
    }
    assert_true(client_say(&client, "0\r\n\r\n"));
    assert_int_equal(413, client_reply(&client));
    client_close(&client);
}

static void
streams_and_files_are_sent_whole(void **state)
{
    struct client client = client_connect(*state);

    assert_true(client_say(&client, "GET /stream HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    client_receive_all(&client);
    assert_int_equal(0, strncmp(client.text, "HTTP/1.1 200", 12));
    expect_in(client.text, "Transfer-Encoding: chunked\r\n");
    assert_true(client.bytes > STREAM_BYTES);
    assert_string_equal("\r\n0\r\n\r\n", client.text + client.bytes - 7);
    client_close(&client);

    assert_int_equal(200, ask(*state, &client, "GET /file HTTP/1.1\r\n" HOST "\r\n"));
    assert_string_equal("from file", client_body(&client));
    expect_in(client.text, "Cache-Control: public\r\n");
    assert_null(strstr(client.text, "no-store"));
    client_close(&client);
}

static void
a_stream_that_fails_is_cut_and_never_looks_whole(void **state)
{
    struct client client = client_connect(*state);

    assert_true(client_say(&client, "GET /stream?fail HTTP/1.1\r\n" HOST "\r\n"));
    client_receive_all(&client);
    assert_true(client.bytes < STREAM_BYTES);
    assert_null(strstr(client.text, "\r\n0\r\n\r\n"));
    client_close(&client);
}

static void
http_1_0_is_served(void **state)
{
    struct client client;

    assert_int_equal(200, ask(*state, &client, "GET /hello HTTP/1.0\r\n\r\n"));
    client_receive_all(&client);
    client_close(&client);
}

static void
the_log_tells_what_happened_and_nothing_that_was_sent(void **state)
{
    struct fixture *fixture = *state;
    struct client client;

    assert_int_equal(404, ask(fixture, &client,
                              "GET /SECRET1?SECRET2=SECRET3 HTTP/1.1\r\nHost: SECRET4\r\n"
                              "Authorization: Bearer SECRET5\r\nConnection: close\r\n\r\n"));
    client_receive_all(&client);
    client_close(&client);
    assert_int_equal(200, ask(fixture, &client,
                              "GET /at/SECRET6/of/SECRET7 HTTP/1.1\r\n" HOST
                              "Connection: close\r\n\r\n"));
    client_receive_all(&client);
    client_close(&client);
    (void)pb_server_stop(fixture->server, PATIENCE_MS);
    fixture->server = NULL;
    assert_null(strstr(fixture->logged, "SECRET"));
    expect_in(fixture->logged, "\"event\":\"request\"");
    expect_in(fixture->logged, "\"route\":\"none\",\"status\":404");
    expect_in(fixture->logged, "\"route\":\"path\",\"status\":200");
    expect_in(fixture->logged, "\"peer\":\"127.0.0.1\"");
    expect_in(fixture->logged, "\"end\":\"whole\"}\n");
}

/* The status of a request that ends its connection, when that has ended. */
static int
last_status_of(const struct fixture *fixture, const char *head)
{
    struct client client = client_connect(fixture);
    int status;

    assert_true(client_say(&client, head));
    assert_true(client_say(&client, "Connection: close\r\n\r\n"));
    client_receive_all(&client);
    status = client_reply(&client);
    client_close(&client);
    return status;
}

static int
status_of_bad_chunk(const struct fixture *fixture)
{
    struct client client = client_connect(fixture);
    int status;

    assert_true(client_say(&client, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    client_receive_all(&client);
    status = client_reply(&client);
    client_close(&client);
    return status;
}

/* Extensions of chunks mean nothing to us; the library drops them, or will have none. */
static void
extensions_of_chunks_are_never_part_of_a_body(void **state)
{
    struct client client;
    int status = ask(*state, &client,
                     "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n0\r\n\r\n");

    assert_int_equal(library_is_strict() ? 400 : 200, status);
    assert_null(strstr(client_body(&client), "x=y"));
    client_close(&client);
}

static void
metrics_count_requests_and_time_their_stages(void **state)
{
    struct client client;

    /* A request has been counted when its connection has ended. */
    assert_int_equal(200, last_status_of(*state, "GET /worker HTTP/1.1\r\n" HOST));
    assert_int_equal(404, last_status_of(*state, "GET /nowhere HTTP/1.1\r\n" HOST));
    assert_int_equal(400, last_status_of(*state, "GET /x HTTP/1.1\r\n"));
    assert_int_equal(400, last_status_of(*state, "GET /x HTTP/1.1\r\n" HOST HOST));
    assert_int_equal(400, status_of_bad_chunk(*state));
    assert_int_equal(200, ask(*state, &client, "GET /metrics HTTP/1.1\r\n" HOST "\r\n"));
    expect_in(client.text, "platebase_http_stage_seconds_count{stage=\"handle\"} 1\n");
    expect_in(client.text, "platebase_http_requests_total{status=\"4xx\"} 4\n");
    /* Whether we refuse it or the library does. */
    expect_in(client.text, "platebase_http_malformed_total 3\n");
    expect_in(client.text,
              "platebase_http_request_seconds_bucket{route=\"worker\",le=\"+Inf\"} 1\n");
    expect_in(client.text, "platebase_http_requests_in_hand 1\n");
    client_close(&client);
}

/* POSTs to /inline; the caller closes the client. */
static int
post_inline(struct fixture *fixture, struct client *client, const char *query, const char *body)
{
    char request[512];

    (void)snprintf(request, sizeof(request),
                   "POST /inline%s HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   query, strlen(body), body);
    *client = client_connect(fixture);
    assert_true(client_say(client, request));
    return client_reply(client);
}

static void
small_bodies_are_handled_where_they_are_read_unless_that_would_wait(void **state)
{
    static const struct {
        const char *query, *body, *says;
        int status;
    } cases[] = {
        { "", "", "inline ", 200 },
        { "", "0123456789", "inline 0123456789", 200 },
        { "", "0123456789a", "worker 0123456789a", 200 },
        { "?wait", "012", "worker 012", 200 },
        { "?failing", "012", "cannot be done at the moment", 503 },
        { "?failing&wait", "012", "cannot be done at the moment", 503 },
    };
    struct fixture *fixture = *state;
    struct client client;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cases[i].status,
                         post_inline(fixture, &client, cases[i].query, cases[i].body));
        if (strstr(client_body(&client), cases[i].says) == NULL)
            fail_msg("case %zu: %s", i, client_body(&client));
        client_close(&client);
    }
}

static void *
finish_one(void *context)
{
    struct fixture *fixture = context;

    (void)sem_wait(&fixture->entered);
    fixture->later->content_type = "text/plain";
    pb_reply_put_text(fixture->later, "later");
    pb_reply_finish(fixture->later, PB_OK);
    return NULL;
}

static void
a_reply_may_come_later_wherever_its_handler_ran(void **state)
{
    static const char *const queries[] = { "?later", "?later&wait" };
    struct fixture *fixture = *state;
    struct client client;
    pthread_t thread;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(0, pthread_create(&thread, NULL, finish_one, fixture));
        assert_int_equal(200, post_inline(fixture, &client, queries[i], ""));
        assert_string_equal("later", client_body(&client));
        client_close(&client);
        assert_int_equal(0, pthread_join(thread, NULL));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_request_is_answered_and_the_connection_goes_on),
        CASE(requests_that_are_sent_together_are_answered_in_order),
        CASE(every_reply_carries_the_security_headers),
        CASE(paths_and_queries_arrive_decoded),
        CASE(a_head_request_gets_the_headers_alone),
        CASE(bodies_come_whole_with_a_length_or_in_chunks),
        CASE(extensions_of_chunks_are_never_part_of_a_body),
        CASE(a_client_that_asks_first_is_told_to_go_on_or_not),
        CASE(what_cannot_be_served_is_refused_with_a_problem_document),
        CASE(a_body_that_is_too_large_in_chunks_is_refused_on_the_way),
        CASE(streams_and_files_are_sent_whole),
        CASE(a_stream_that_fails_is_cut_and_never_looks_whole),
        CASE(http_1_0_is_served),
        CASE(the_log_tells_what_happened_and_nothing_that_was_sent),
        CASE(small_bodies_are_handled_where_they_are_read_unless_that_would_wait),
        CASE(a_reply_may_come_later_wherever_its_handler_ran),
        CASE(metrics_count_requests_and_time_their_stages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
