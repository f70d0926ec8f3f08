/*
 * Many clients at once: limits, a full queue, and the end of the server under load.
 */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "net/client.h"

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    assert_non_null(fixture);
    fixture_init(fixture, pb_env_system());
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

static int64_t
value_of(const struct fixture *fixture, const char *name, const char *labels)
{
    for (const struct pb_metric *metric = fixture->metrics.first; metric != NULL;
         metric = metric->next) {
        if (strcmp(metric->name, name) == 0 && strcmp(metric->labels, labels) == 0)
            return atomic_load(&metric->value);
    }
    fail_msg("no series %s{%s}", name, labels);
    return 0;
}

static void
await(const struct fixture *fixture, const char *name, const char *labels, int64_t value)
{
    while (value_of(fixture, name, labels) != value)
        (void)sched_yield();
}

/* How many durations of a stage have been seen. */
static uint64_t
observed(const struct fixture *fixture, const char *labels)
{
    uint64_t count = 0;

    for (const struct pb_metric *metric = fixture->metrics.first; metric != NULL;
         metric = metric->next) {
        if (strcmp(metric->labels, labels) != 0)
            continue;
        for (unsigned i = 0; i < PB_METRIC_BUCKETS; i++)
            count += atomic_load(&metric->buckets[i]);
    }
    return count;
}

static void
a_thousand_connections_are_served(void **state)
{
    enum { COUNT = 1000 };
    struct fixture *fixture = *state;
    struct client *clients = calloc(COUNT, sizeof(*clients));
    struct rlimit limit;

    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < 2 * COUNT + 100)
        skip();
    fixture->options.limits.connections_per_address_max = COUNT;
    fixture_start(fixture);
    for (unsigned i = 0; i < COUNT; i++)
        clients[i] = client_connect(fixture);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++)
            assert_true(client_say(&clients[i], "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
        for (unsigned i = 0; i < COUNT; i++) {
            assert_int_equal(200, client_reply(&clients[i]));
            client_forget(&clients[i]);
        }
    }
    await(fixture, "platebase_http_connections", "", COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        client_close(&clients[i]);
    await(fixture, "platebase_http_connections", "", 0);
    free(clients);
}

/* Opens connections up to a limit of 3; the fourth is turned away, until one has ended. */
static void
check_limit(struct fixture *fixture, const char *labels)
{
    struct client clients[3], more;

    fixture_start(fixture);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(200, ask(fixture, &clients[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(503, ask(fixture, &more, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    expect_in(more.text, "Retry-After: 1\r\n");
    client_receive_all(&more);
    client_close(&more);
    await(fixture, "platebase_http_connections_refused_total", labels, 1);
    client_close(&clients[0]);
    await(fixture, "platebase_http_connections", "", 2);
    assert_int_equal(200, ask(fixture, &clients[0], "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    for (unsigned i = 0; i < 3; i++)
        client_close(&clients[i]);
}

static void
connections_in_all_have_a_bound(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.connections_max = 3;
    check_limit(fixture, "limit=\"all\"");
}

static void
connections_of_one_address_have_a_bound(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.connections_per_address_max = 3;
    check_limit(fixture, "limit=\"address\"");
}

static void
a_full_queue_is_said_and_nothing_is_lost(void **state)
{
    enum { COUNT = 6 };
    struct fixture *fixture = *state;
    struct client busy, clients[COUNT];
    unsigned answered = 0, refused = 0;

    fixture->options.worker_threads = 1;
    fixture->options.limits.queue_max = 2;
    fixture_start(fixture);
    busy = client_connect(fixture);
    assert_true(client_say(&busy, "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)sem_wait(&fixture->entered);
    /* The only worker is taken: two of these wait, the rest is told so at once. */
    for (unsigned i = 0; i < COUNT; i++) {
        clients[i] = client_connect(fixture);
        assert_true(client_say(&clients[i], "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
    }
    await(fixture, "platebase_http_requests_total", "status=\"5xx\"", COUNT - 2);
    (void)sem_post(&fixture->go);
    assert_int_equal(200, client_reply(&busy));
    client_close(&busy);
    for (unsigned i = 0; i < COUNT; i++) {
        int status = client_reply(&clients[i]);

        answered += status == 200;
        refused += status == 503 && strstr(clients[i].text, "Retry-After: 1\r\n") != NULL;
        client_close(&clients[i]);
    }
    assert_int_equal(2, answered);
    assert_int_equal(COUNT - 2, refused);
}

static int
status_of_body(const struct fixture *fixture, size_t bytes)
{
    char *request = calloc(1, bytes + 200);
    struct client client = client_connect(fixture);
    int head = snprintf(request, 200,
                        "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        bytes);
    int status;

    memset(request + head, 'x', bytes);
    (void)client_send(&client, request, (size_t)head + bytes);
    status = client_reply(&client);
    client_close(&client);
    free(request);
    return status;
}

static void
bodies_in_hand_have_a_bound_together(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.bodies_bytes_max = 30000;
    fixture_start(fixture);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(200, status_of_body(fixture, 10000));
        assert_int_equal(503, status_of_body(fixture, 50000));
    }
}

static void
a_reply_may_come_later_from_another_thread(void **state)
{
    struct fixture *fixture = *state;
    struct client client;

    fixture_start(fixture);
    client = client_connect(fixture);
    for (unsigned i = 0; i < 3; i++) {
        client_forget(&client);
        assert_true(client_say(&client, "GET /later HTTP/1.1\r\n" HOST "\r\n"));
        (void)sem_wait(&fixture->entered);
        /* No worker is held by it. */
        for (unsigned at = 0; at < 2 * fixture->options.worker_threads; at++)
            assert_int_equal(200, status_of(fixture, "GET /worker HTTP/1.1\r\n" HOST "\r\n"));
        pb_reply_put_text(fixture->later, i == 1 ? "half" : "late");
        pb_reply_finish(fixture->later, i == 1 ? PB_E_FULL : PB_OK);
        assert_int_equal(i == 1 ? 503 : 200, client_reply(&client));
        if (i != 1)
            assert_string_equal("late", client_body(&client));
        assert_null(strstr(client.text, "half"));
    }
    client_close(&client);
}

/* ---- the end ---- */

struct stopping {
    struct fixture *fixture;
    uint32_t cut;
    int64_t grace_ms; /* 0: as long as a test is patient */
};

/* Waits a moment for a thread that should not end. */
static int
try_join(pthread_t thread)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_timedjoin_np(thread, NULL, &until);
}

static void *
stop_server(void *context)
{
    struct stopping *stopping = context;

    stopping->cut = pb_server_stop(stopping->fixture->server,
                                   stopping->grace_ms > 0 ? stopping->grace_ms : PATIENCE_MS);
    return NULL;
}

static void
what_is_in_hand_is_answered_before_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct stopping stopping = { .fixture = fixture };
    struct client slow, idle;
    pthread_t thread;

    fixture_start(fixture);
    assert_int_equal(200, ask(fixture, &idle, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    client_forget(&idle);
    slow = client_connect(fixture);
    assert_true(client_say(&slow, "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)sem_wait(&fixture->entered);
    assert_int_equal(0, pthread_create(&thread, NULL, stop_server, &stopping));
    /* The idle one is ended at once, while the other is still in hand. */
    assert_false(client_receive(&idle));
    (void)sem_post(&fixture->go);
    assert_int_equal(200, client_reply(&slow));
    expect_in(slow.text, "Connection: close\r\n");
    client_receive_all(&slow);
    assert_int_equal(0, pthread_join(thread, NULL));
    fixture->server = NULL;
    assert_int_equal(0, stopping.cut);
    client_close(&slow);
    client_close(&idle);
}

static void
the_end_waits_for_a_reply_that_comes_later(void **state)
{
    struct fixture *fixture = *state;
    struct stopping stopping = { .fixture = fixture };
    struct client client;
    pthread_t thread;

    fixture_start(fixture);
    client = client_connect(fixture);
    assert_true(client_say(&client, "GET /later HTTP/1.1\r\n" HOST "\r\n"));
    (void)sem_wait(&fixture->entered);
    stopping.grace_ms = 1; /* long over when the reply comes */
    assert_int_equal(0, pthread_create(&thread, NULL, stop_server, &stopping));
    assert_int_equal(ETIMEDOUT, try_join(thread));
    (void)answer_hello(NULL, NULL, fixture->later);
    pb_reply_finish(fixture->later, PB_OK);
    assert_int_equal(0, pthread_join(thread, NULL));
    fixture->server = NULL;
    client_receive_all(&client);
    client_close(&client);
}

static void
who_is_late_at_the_end_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct client half;

    fixture_start(fixture);
    half = client_connect(fixture);
    assert_true(client_say(&half, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                                  "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"));
    while (half.bytes < 25)
        assert_true(client_receive(&half));
    assert_int_equal(1, pb_server_stop(fixture->server, 1));
    fixture->server = NULL;
    client_forget(&half);
    assert_false(client_receive(&half));
    client_close(&half);
}

/* One client that asks again and again until the server is gone. */
struct asker {
    struct fixture *fixture;
    uint16_t port;
    unsigned answered, broken;
    pthread_t thread;
};

static void *
ask_on(void *context)
{
    struct asker *asker = context;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(asker->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    for (;;) {
        struct client client = { .file = socket(AF_INET, SOCK_STREAM, 0) };
        bool is_connected = connect(client.file, (struct sockaddr *)&address, sizeof(address)) == 0;

        for (unsigned i = 0; is_connected && i < 10; i++) {
            client_forget(&client);
            if (!client_say(&client, "GET /worker HTTP/1.1\r\n" HOST "\r\n"))
                break;
            if (client_reply(&client) != 200) {
                /* Ended before it was answered: fine. Half an answer would not be. */
                asker->broken += client.bytes > 0;
                break;
            }
            asker->answered++;
        }
        client_close(&client);
        if (!is_connected)
            return NULL;
    }
}

static void
the_end_under_load_answers_wholly_or_not_at_all(void **state)
{
    enum { ASKERS = 8 };
    struct fixture *fixture = *state;
    struct asker askers[ASKERS];

    fixture_start(fixture);
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ fixture, pb_server_address(fixture->server).port, 0, 0, 0 };
        assert_int_equal(0, pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]));
    }
    while (observed(fixture, "stage=\"handle\"") < 500)
        (void)sched_yield();
    assert_int_equal(0, pb_server_stop(fixture->server, PATIENCE_MS));
    fixture->server = NULL;
    for (unsigned i = 0; i < ASKERS; i++) {
        assert_int_equal(0, pthread_join(askers[i].thread, NULL));
        assert_true(askers[i].answered > 0);
        assert_int_equal(0, askers[i].broken);
    }
    assert_int_equal(0, value_of(fixture, "platebase_http_connections", ""));
    assert_int_equal(0, value_of(fixture, "platebase_http_requests_in_hand", ""));
}

/* One client that connects again and again to a socket that stays. */
struct caller {
    uint16_t port;
    _Atomic bool is_enough;
    _Atomic unsigned answered, refused;
    pthread_t thread;
};

static void *
call_on(void *context)
{
    struct caller *caller = context;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(caller->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    while (!atomic_load(&caller->is_enough)) {
        struct client client = { .file = socket(AF_INET, SOCK_STREAM, 0) };
        bool is_answered =
            connect(client.file, (struct sockaddr *)&address, sizeof(address)) == 0 &&
            client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n") &&
            client_reply(&client) == 200;

        atomic_fetch_add(is_answered ? &caller->answered : &caller->refused, 1);
        client_close(&client);
    }
    return NULL;
}

static int
listening_socket(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(address);
    int file = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(file >= 0);
    assert_int_equal(0, bind(file, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(file, 100));
    assert_int_equal(0, getsockname(file, (struct sockaddr *)&address, &bytes));
    *ret_port = ntohs(address.sin_port);
    return file;
}

/* As under systemd, which holds the socket: each client is answered, by this server or the next. */
static void
nobody_is_refused_while_servers_follow_each_other_on_a_socket(void **state)
{
    enum { CALLERS = 4, SERVERS = 100 };
    struct fixture *fixture = *state;
    struct caller callers[CALLERS];
    uint16_t port;
    int file = listening_socket(&port);

    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .port = port };
        assert_int_equal(0, pthread_create(&callers[i].thread, NULL, call_on, &callers[i]));
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        struct fixture next;
        unsigned before = atomic_load(&callers[0].answered);

        fixture_init(&next, fixture->env);
        next.options.socket = dup(file);
        fixture_start(&next);
        while (atomic_load(&callers[0].answered) < before + 2 &&
               atomic_load(&callers[0].refused) == 0)
            (void)sched_yield();
        if (i == SERVERS - 1) {
            for (unsigned j = 0; j < CALLERS; j++)
                atomic_store(&callers[j].is_enough, true);
            for (unsigned j = 0; j < CALLERS; j++)
                assert_int_equal(0, pthread_join(callers[j].thread, NULL));
        }
        assert_int_equal(0, pb_server_stop(next.server, PATIENCE_MS));
        next.server = NULL;
        fixture_done(&next);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        assert_true(callers[i].answered > 0);
        assert_int_equal(0, callers[i].refused);
    }
    assert_int_equal(0, close(file));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_thousand_connections_are_served),
        CASE(connections_in_all_have_a_bound),
        CASE(connections_of_one_address_have_a_bound),
        CASE(a_full_queue_is_said_and_nothing_is_lost),
        CASE(bodies_in_hand_have_a_bound_together),
        CASE(a_reply_may_come_later_from_another_thread),
        CASE(what_is_in_hand_is_answered_before_the_end),
        CASE(the_end_waits_for_a_reply_that_comes_later),
        CASE(who_is_late_at_the_end_is_cut),
        CASE(the_end_under_load_answers_wholly_or_not_at_all),
        CASE(nobody_is_refused_while_servers_follow_each_other_on_a_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
