/*
 * The server when memory ends: at its start, and in the middle of requests.
 */
#include "net/client.h"

#include <sched.h>

#include "support/fault_env.h"

static void
starting_needs_memory_or_says_so(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct fixture fixture;
        struct pb_error error = { "" };

        fault_env_init(&fault, pb_env_system());
        fixture_init(&fixture, &fault.env);
        fault.fail_allocation_at = ++fail_at;
        status = pb_server_start(&fault.env, &fixture.options, &fixture.server, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (fixture.server != NULL));
        fixture_done(&fixture);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 20, 100);
}

static enum pb_status
no_random(void *context, void *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    (void)count;
    return PB_E_IO;
}

static void
starting_without_randomness_fails(void **state)
{
    struct fault_env fault;
    struct fixture fixture;
    struct pb_error error;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.env.random = no_random;
    fixture_init(&fixture, &fault.env);
    assert_int_equal(PB_E_IO,
                     pb_server_start(&fault.env, &fixture.options, &fixture.server, &error));
    fixture_done(&fixture);
    assert_true(fault_env_is_clean(&fault));
}

static void
what_cannot_be_served_is_refused_at_the_start(void **state)
{
    static const struct {
        const char *listen, *says;
    } cases[] = {
        { "0.0.0.0:0", "refusing to listen on 0.0.0.0 without TLS" },
        { "*:0", "refusing to listen on :: without TLS" },
        { "192.0.2.1:0", "without TLS" },
        { "[2001:db8::1]:0", "without TLS" },
        { "nonsense", "not an address" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        struct pb_error error = { "" };

        fixture_init(&fixture, pb_env_system());
        fixture.options.listen = cases[i].listen;
        assert_int_equal(PB_BAD_INPUT, pb_server_start(pb_env_system(), &fixture.options,
                                                       &fixture.server, &error));
        expect_in(error.message, cases[i].says);
        fixture_done(&fixture);
    }
}

/* A socket that was handed over is judged as one that we open. */
static void
a_public_socket_without_tls_is_refused_too(void **state)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    struct fixture fixture;
    struct pb_error error = { "" };

    (void)state;
    fixture_init(&fixture, pb_env_system());
    fixture.options.socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(0, bind(fixture.options.socket, (struct sockaddr *)&any, sizeof(any)));
    assert_int_equal(0, listen(fixture.options.socket, 1));
    assert_int_equal(PB_BAD_INPUT,
                     pb_server_start(pb_env_system(), &fixture.options, &fixture.server, &error));
    expect_in(error.message, "without TLS");
    fixture_done(&fixture);
}

static void
a_socket_that_was_handed_over_is_served(void **state)
{
    struct sockaddr_in loopback = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, pb_env_system());
    fixture.options.socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(0,
                     bind(fixture.options.socket, (struct sockaddr *)&loopback, sizeof(loopback)));
    assert_int_equal(0, listen(fixture.options.socket, 1));
    fixture_start(&fixture);
    assert_int_equal(200, status_of(&fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    fixture_done(&fixture);
}

/* Requests while the n-th allocation fails: answered, refused with 503, or the connection ends;
 * never half an answer, and nothing is kept. */
static void
requests_without_memory_are_refused_wholly(void **state)
{
    static const char *const requests[] = {
        "GET /worker HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        "GET /at/a/of/b?c=d HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 4\r\n"
        "Connection: close\r\n\r\nbody",
        "GET /stream HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
    };
    struct fault_env fault;
    struct fixture fixture;
    const struct pb_metric *connections;
    unsigned refused = 0;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fixture_init(&fixture, &fault.env);
    fixture.options.io_threads = 1;
    fixture.options.worker_threads = 1;
    fixture_start(&fixture);
    connections = fixture.metrics.first;
    assert_string_equal("platebase_http_connections", connections->name);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        bool is_answered = false;

        for (uint64_t n = 1; !is_answered; n++) {
            struct client client;
            uint64_t failures = fault.failure_count;
            int status;

            /* The keeper alone allocates for a connection, and only the threads of this request
             * besides: none is under way now. */
            while (atomic_load(&connections->value) > 0)
                (void)sched_yield();
            fault.fail_allocation_at = fault.allocation_count + n;
            client = client_connect(&fixture);
            (void)client_say(&client, requests[i]);
            client_receive_all(&client);
            status = client_reply(&client);
            assert_true(status == 0 || status == 200 || status == 404 || status == 503);
            refused += status == 503;
            if (status == 200 && i == 4)
                assert_string_equal("\r\n0\r\n\r\n", client.text + client.bytes - 7);
            is_answered = fault.failure_count == failures;
            client_close(&client);
        }
    }
    assert_true(refused > 5);
    fixture_done(&fixture);
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starting_needs_memory_or_says_so),
        cmocka_unit_test(starting_without_randomness_fails),
        cmocka_unit_test(what_cannot_be_served_is_refused_at_the_start),
        cmocka_unit_test(a_public_socket_without_tls_is_refused_too),
        cmocka_unit_test(a_socket_that_was_handed_over_is_served),
        cmocka_unit_test(requests_without_memory_are_refused_wholly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
