/*
 * Slow clients, against a clock that the test moves: no test waits for a real time-out.
 */
#include <netinet/tcp.h>
#include <sched.h>

#include "net/client.h"

#define LATE "platebase_http_late_total"

struct clocked {
    struct fixture fixture;
    struct pb_env env;
    _Atomic int64_t now_ns;
};

static int64_t
driven_ns(void *context)
{
    struct clocked *clocked = context;

    return atomic_load(&clocked->now_ns);
}

static int64_t
real_us(void *context)
{
    (void)context;
    return pb_now_us(pb_env_system());
}

static int
setup(void **state)
{
    struct clocked *clocked = calloc(1, sizeof(*clocked));

    assert_non_null(clocked);
    clocked->env = *pb_env_system();
    clocked->env.now_us = real_us;
    clocked->env.monotonic_ns = driven_ns;
    clocked->env.clock_context = clocked;
    atomic_init(&clocked->now_ns, INT64_C(1000000000));
    fixture_init(&clocked->fixture, &clocked->env);
    fixture_start(&clocked->fixture);
    *state = clocked;
    return 0;
}

static int
teardown(void **state)
{
    struct clocked *clocked = *state;

    fixture_done(&clocked->fixture);
    free(clocked);
    return 0;
}

static int64_t count_of(const struct clocked *clocked, const char *name, const char *labels);

/* Moves the clock, when all that was answered is done with also on the server's side. */
static void
advance_ms(struct clocked *clocked, int64_t ms, int64_t in_hand)
{
    while (count_of(clocked, "platebase_http_requests_in_hand", "") > in_hand)
        (void)sched_yield();
    atomic_fetch_add(&clocked->now_ns, ms * 1000000);
}

/* The connection has ended, and nothing more came. */
static void
expect_end(struct client *client)
{
    client_forget(client);
    assert_false(client_receive(client));
    client_close(client);
}

static int64_t
count_of(const struct clocked *clocked, const char *name, const char *labels)
{
    for (const struct pb_metric *metric = clocked->fixture.metrics.first; metric != NULL;
         metric = metric->next) {
        if (strcmp(metric->name, name) == 0 && strcmp(metric->labels, labels) == 0)
            return atomic_load(&metric->value);
    }
    fail_msg("no series with %s", labels);
    return 0;
}

/* The count is made just after the client can see its end. */
static void
await_count(const struct clocked *clocked, const char *labels, int64_t count)
{
    while (count_of(clocked, LATE, labels) < count)
        assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(count, count_of(clocked, LATE, labels));
}

/* Returns when the keeper has looked once more at all connections: a canary that has been waiting
 * for longest is ended by it. The clock must just have been moved by 10 seconds and more. */
static void
expect_canary_end(struct client *canary)
{
    expect_end(canary);
}

static void
who_never_ends_a_head_is_ended(void **state)
{
    struct clocked *clocked = *state;
    struct client silent = client_connect(&clocked->fixture);
    struct client slow = client_connect(&clocked->fixture);

    /* That it is answered says that all three have been taken. */
    assert_true(client_say(&slow, "GET /hello HTTP/1.1\r\nHo"));
    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 10010, 0);
    expect_end(&silent);
    expect_end(&slow);
    await_count(clocked, "with=\"head\"", 2);
}

static void
a_byte_now_and_then_gives_no_more_time(void **state)
{
    struct clocked *clocked = *state;
    struct client canary = client_connect(&clocked->fixture);
    struct client slow;

    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 5000, 0);
    slow = client_connect(&clocked->fixture);
    assert_true(client_say(&slow, "GET /hello HTTP/1.1\r\n"));
    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 5010, 0);
    expect_canary_end(&canary);
    /* Half of its time is over: still there, and a few bytes more do not begin it anew. */
    assert_true(client_say(&slow, "X: y\r\n"));
    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 5010, 0);
    expect_end(&slow);
}

static void
an_idle_connection_ends_after_its_time(void **state)
{
    struct clocked *clocked = *state;
    struct client idle, canary = client_connect(&clocked->fixture);

    assert_int_equal(200, ask(&clocked->fixture, &idle, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 10010, 0);
    expect_canary_end(&canary);
    client_forget(&idle);
    assert_true(client_say(&idle, "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(200, client_reply(&idle));
    advance_ms(clocked, 30010, 0);
    expect_end(&idle);
    await_count(clocked, "with=\"request\"", 1);
}

static void
a_second_head_has_its_time_from_its_first_byte(void **state)
{
    struct clocked *clocked = *state;
    struct client slow, canary = client_connect(&clocked->fixture);

    /* The keeper looks at the newest first: when the canary has ended, it has seen the other one
     * waiting. */
    assert_int_equal(200, ask(&clocked->fixture, &slow, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 10010, 0);
    expect_canary_end(&canary);
    assert_true(client_say(&slow, "GET /he"));
    canary = client_connect(&clocked->fixture);
    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 10010, 0);
    expect_canary_end(&canary);
    advance_ms(clocked, 10010, 0);
    expect_end(&slow);
    await_count(clocked, "with=\"request\"", 0);
}

static void
a_body_that_trickles_is_ended(void **state)
{
    struct clocked *clocked = *state;
    struct client slow = client_connect(&clocked->fixture);

    assert_true(client_say(&slow, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                                  "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n"));
    while (slow.bytes < 25)
        assert_true(client_receive(&slow));
    assert_true(client_say(&slow, "some"));
    advance_ms(clocked, 10100, 1);
    expect_end(&slow);
    await_count(clocked, "with=\"body\"", 1);
}

static void
a_body_that_flows_has_all_the_time_it_needs(void **state)
{
    struct clocked *clocked = *state;
    struct client good = client_connect(&clocked->fixture), canary;
    char *body = malloc(60000);

    memset(body, 'x', 60000);
    assert_true(client_say(&good, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                                  "Content-Length: 60000\r\nExpect: 100-continue\r\n\r\n"));
    while (good.bytes < 25)
        assert_true(client_receive(&good));
    client_forget(&good);
    /* 3 KB for each of 20 seconds, three times what it must be. */
    for (unsigned i = 0; i < 2; i++) {
        assert_true(client_send(&good, body + i * 29999, 29999));
        canary = client_connect(&clocked->fixture);
        assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        advance_ms(clocked, 10010, 1);
        expect_canary_end(&canary);
    }
    assert_true(client_send(&good, body, 2));
    assert_int_equal(200, client_reply(&good));
    client_close(&good);
    free(body);
}

static void
who_does_not_read_the_reply_is_ended(void **state)
{
    struct clocked *clocked = *state;
    int room = 4096;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(pb_server_address(clocked->fixture.server).port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct client slow = { .file = socket(AF_INET, SOCK_STREAM, 0) };

    assert_int_equal(0, setsockopt(slow.file, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
    assert_int_equal(0, connect(slow.file, (struct sockaddr *)&address, sizeof(address)));
    assert_true(client_say(&slow, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(client_receive(&slow));
    /* What the kernels take is acknowledged; then it stands still. The clock runs until it is
     * noticed. */
    while (count_of(clocked, LATE, "with=\"reading\"") < 1) {
        assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        advance_ms(clocked, 1000, 1);
    }
    client_receive_all(&slow);
    assert_true(slow.bytes < STREAM_BYTES);
    client_close(&slow);
}

/* The server's end of a client's connection: it is in this process, too. */
static int
other_end(const struct client *client)
{
    struct sockaddr_in own, peer;
    socklen_t bytes = sizeof(own);

    assert_int_equal(0, getsockname(client->file, (struct sockaddr *)&own, &bytes));
    for (int file = 3; file < 1024; file++) {
        bytes = sizeof(peer);
        if (file != client->file && getpeername(file, (struct sockaddr *)&peer, &bytes) == 0 &&
            peer.sin_family == AF_INET && peer.sin_port == own.sin_port)
            return file;
    }
    fail_msg("the server has no such connection");
    return -1;
}

/* What clients do not read lies in the system's memory, which all connections share. */
static void
what_waits_to_be_sent_is_bounded(void **state)
{
    struct clocked *clocked = *state;
    struct client client;
    int bound = 0;
    socklen_t bytes = sizeof(bound);

    client = client_connect(&clocked->fixture);
    assert_true(client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(200, client_reply(&client));
    assert_int_equal(0, getsockopt(other_end(&client), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bound,
                                   &bytes));
    assert_int_equal(131072, bound);
    client_close(&client);
}

static void
a_handler_has_all_the_time_it_needs(void **state)
{
    struct clocked *clocked = *state;
    struct client client = client_connect(&clocked->fixture), canary;

    assert_true(client_say(&client, "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)sem_wait(&clocked->fixture.entered);
    canary = client_connect(&clocked->fixture);
    assert_int_equal(200, status_of(&clocked->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 3600000, 1);
    expect_canary_end(&canary);
    (void)sem_post(&clocked->fixture.go);
    assert_int_equal(200, client_reply(&client));
    client_close(&client);
}

static void
slow_ones_in_hundreds_do_not_keep_others_out(void **state)
{
    enum { SLOW = 300 };
    struct clocked *clocked = *state;
    struct client *slow = calloc(SLOW, sizeof(*slow));

    for (unsigned i = 0; i < SLOW; i++) {
        slow[i] = client_connect(&clocked->fixture);
        assert_true(client_say(&slow[i], i % 2 == 0 ? "GET /hello HTTP/1.1\r\nX: "
                                                    : "POST /echo HTTP/1.1\r\n" HOST
                                                      "Content-Type: text/plain\r\n"
                                                      "Content-Length: 9\r\n\r\n12345678"));
    }
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(200, status_of(&clocked->fixture, "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
    advance_ms(clocked, 11010, SLOW / 2);
    for (unsigned i = 0; i < SLOW; i++)
        expect_end(&slow[i]);
    assert_int_equal(SLOW / 2, count_of(clocked, LATE, "with=\"head\""));
    assert_int_equal(SLOW / 2, count_of(clocked, LATE, "with=\"body\""));
    free(slow);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(who_never_ends_a_head_is_ended),
        CASE(a_byte_now_and_then_gives_no_more_time),
        CASE(an_idle_connection_ends_after_its_time),
        CASE(a_second_head_has_its_time_from_its_first_byte),
        CASE(a_body_that_trickles_is_ended),
        CASE(a_body_that_flows_has_all_the_time_it_needs),
        CASE(who_does_not_read_the_reply_is_ended),
        CASE(what_waits_to_be_sent_is_bounded),
        CASE(a_handler_has_all_the_time_it_needs),
        CASE(slow_ones_in_hundreds_do_not_keep_others_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
