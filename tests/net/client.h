/*
 * A server with some routes of its own, and a client that sends whatever bytes it is told to.
 *
 * Nothing waits for time to pass: reading waits for an answer or for the end of the stream, and a
 * test that would hang fails after PATIENCE_MS.
 */
#ifndef PB_TESTS_NET_CLIENT_H
#define PB_TESTS_NET_CLIENT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "net/log.h"
#include "net/metrics.h"
#include "net/server.h"

#define PATIENCE_MS 20000

struct fixture {
    struct pb_server_options options;
    struct pb_metrics metrics;
    struct pb_log log;
    struct pb_server *server;
    const struct pb_env *env;
    sem_t entered, go;      /* of /slow: it says that it runs, then waits */
    struct pb_reply *later; /* of /later: set before entered is posted */
    pthread_mutex_t lock;
    char logged[1 << 16]; /* guarded by lock: what went to the log, cut where it is full */
    size_t logged_bytes;
};

/* ---- routes ---- */

static inline enum pb_status
answer_hello(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    (void)context;
    (void)request;
    reply->content_type = "text/plain";
    pb_reply_put_text(reply, "hello\n");
    return PB_OK;
}

/* What it was asked, in a form that tests can compare. */
static inline enum pb_status
answer_echo(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    (void)context;
    reply->content_type = "text/plain";
    pb_reply_put(reply, request->path.text, request->path.bytes);
    for (uint32_t i = 0; i < request->param_count; i++) {
        pb_reply_put_text(reply, i == 0 ? " [" : "|");
        pb_reply_put(reply, request->params[i].value.text, request->params[i].value.bytes);
    }
    pb_reply_put_text(reply, request->param_count > 0 ? "]" : "");
    for (uint32_t i = 0; i < request->query_count; i++) {
        pb_reply_put_text(reply, i == 0 ? " ?" : "&");
        pb_reply_put(reply, request->query[i].name.text, request->query[i].name.bytes);
        pb_reply_put_text(reply, "=");
        pb_reply_put(reply, request->query[i].value.text, request->query[i].value.bytes);
    }
    if (request->body.bytes > 0) {
        pb_reply_put_text(reply, " body ");
        pb_reply_put(reply, request->body.text, request->body.bytes);
    }
    return PB_OK;
}

static inline enum pb_status
answer_slow(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct fixture *fixture = context;

    (void)sem_post(&fixture->entered);
    (void)sem_wait(&fixture->go);
    return answer_hello(NULL, request, reply);
}

/* Leaves the reply to the test. */
static inline enum pb_status
answer_later(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct fixture *fixture = context;

    (void)request;
    fixture->later = reply;
    (void)sem_post(&fixture->entered);
    return PB_END;
}

/* Says where it was called. ?wait: it would have to wait; ?later: the reply is the test's. */
static inline enum pb_status
answer_inline(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    if (request->must_not_wait && pb_request_query(request, "wait") != NULL)
        return PB_NOT_FOUND;
    if (pb_request_query(request, "later") != NULL)
        return answer_later(context, request, reply);
    if (pb_request_query(request, "failing") != NULL)
        return PB_E_BUSY;
    reply->content_type = "text/plain";
    pb_reply_put_text(reply, request->must_not_wait ? "inline " : "worker ");
    pb_reply_put(reply, request->body.text, request->body.bytes);
    return PB_OK;
}

static inline enum pb_status
answer_failure_status(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    (void)context;
    pb_reply_put_text(reply, "half an answer");
    return pb_request_query(request, "passing") != NULL ? PB_E_BUSY : PB_E_CORRUPT;
}

#define STREAM_BYTES (8u << 20)

struct stream {
    const struct pb_env *env;
    size_t left;
    size_t fail_at;
};

static inline enum pb_status
produce_stream(void *context, char *bytes, size_t room, size_t *ret_bytes)
{
    struct stream *stream = context;

    if (stream->left == stream->fail_at && stream->fail_at > 0)
        return PB_E_IO;
    if (stream->left == 0)
        return PB_END;
    *ret_bytes = room < stream->left ? room : stream->left;
    if (stream->fail_at > 0 && stream->left - *ret_bytes < stream->fail_at)
        *ret_bytes = stream->left - stream->fail_at;
    memset(bytes, 'x', *ret_bytes);
    stream->left -= *ret_bytes;
    return PB_OK;
}

static inline void
free_stream(void *context)
{
    struct stream *stream = context;

    pb_free(stream->env, stream);
}

static inline enum pb_status
answer_stream(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct stream *stream = pb_alloc(reply->env, sizeof(*stream));

    (void)context;
    if (stream == NULL)
        return PB_E_NOMEM;
    *stream = (struct stream){ reply->env, STREAM_BYTES, 0 };
    if (pb_request_query(request, "fail") != NULL)
        stream->fail_at = STREAM_BYTES / 2;
    pb_reply_produce(reply, produce_stream, free_stream, stream);
    return PB_OK;
}

static inline enum pb_status
answer_file(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    char name[] = "/tmp/pb-net-XXXXXX";
    int file = mkstemp(name);

    (void)context;
    (void)request;
    assert_true(file >= 0);
    assert_int_equal(0, unlink(name));
    assert_int_equal(9, write(file, "from file", 9));
    pb_reply_file(reply, file, 9);
    pb_reply_header(reply, "Cache-Control", pb_str_from("public"));
    return PB_OK;
}

static inline enum pb_status
answer_metrics(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct fixture *fixture = context;

    (void)request;
    pb_metrics_put(&fixture->metrics, reply);
    return PB_OK;
}

#define FIXTURE_ROUTES 11u
static inline struct pb_route *
fixture_routes(struct fixture *fixture)
{
    static const struct pb_route routes[FIXTURE_ROUTES] = {
        { .name = "hello", .path = "/hello", .handle = answer_hello, .is_quick = true },
        { .name = "worker", .path = "/worker", .handle = answer_hello },
        { .name = "echo",
          .method = PB_METHOD_POST,
          .path = "/echo",
          .handle = answer_echo,
          .body_bytes_max = 100000,
          .body_types = { "text/plain", "application/json" } },
        { .name = "path", .path = "/at/{place}/of/{rest+}", .handle = answer_echo },
        { .name = "slow", .path = "/slow", .handle = answer_slow },
        { .name = "later", .path = "/later", .handle = answer_later },
        { .name = "inline",
          .method = PB_METHOD_POST,
          .path = "/inline",
          .handle = answer_inline,
          .body_bytes_max = 1000,
          .body_types = { "text/plain" },
          .inline_bytes_max = 10 },
        { .name = "failing", .path = "/failing", .handle = answer_failure_status },
        { .name = "stream", .path = "/stream", .handle = answer_stream },
        { .name = "file", .path = "/file", .handle = answer_file },
        { .name = "metrics", .path = "/metrics", .handle = answer_metrics },
    };
    struct pb_route *copy = malloc(sizeof(routes));

    assert_non_null(copy);
    memcpy(copy, routes, sizeof(routes));
    for (size_t i = 0; i < FIXTURE_ROUTES; i++)
        copy[i].context = fixture;
    return copy;
}

/* ---- the server ---- */

/* From 1.0 on the library refuses more itself, some of it by ending the connection alone. */
static inline bool
library_is_strict(void)
{
    return MHD_get_version()[0] != '0';
}

static inline void
keep_log(void *context, const char *line, size_t bytes)
{
    struct fixture *fixture = context;

    (void)pthread_mutex_lock(&fixture->lock);
    if (bytes < sizeof(fixture->logged) - fixture->logged_bytes) {
        memcpy(fixture->logged + fixture->logged_bytes, line, bytes);
        fixture->logged_bytes += bytes;
        fixture->logged[fixture->logged_bytes] = '\0';
    }
    (void)pthread_mutex_unlock(&fixture->lock);
}

static inline void
fixture_init(struct fixture *fixture, const struct pb_env *env)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->env = env;
    fixture->log = (struct pb_log){ env, keep_log, fixture, PB_LOG_INFO };
    pb_metrics_init(&fixture->metrics, env);
    assert_int_equal(0, sem_init(&fixture->entered, 0, 0));
    assert_int_equal(0, sem_init(&fixture->go, 0, 0));
    assert_int_equal(0, pthread_mutex_init(&fixture->lock, NULL));
    fixture->options = (struct pb_server_options){
        .routes = fixture_routes(fixture),
        .route_count = FIXTURE_ROUTES,
        .limits = pb_server_limits_usual(),
        .io_threads = 2,
        .worker_threads = 4,
        .socket = -1,
        .listen = "127.0.0.1:0",
        .log = &fixture->log,
        .metrics = &fixture->metrics,
    };
    fixture->options.limits.tick_ms = 10;
}

static inline void
fixture_start(struct fixture *fixture)
{
    struct pb_error error = { "" };

    if (pb_server_start(fixture->env, &fixture->options, &fixture->server, &error) != PB_OK)
        fail_msg("the server does not start: %s", error.message);
}

static inline void
fixture_done(struct fixture *fixture)
{
    (void)pb_server_stop(fixture->server, 0);
    fixture->server = NULL;
    pb_metrics_done(&fixture->metrics);
    free((void *)(uintptr_t)fixture->options.routes);
    (void)sem_destroy(&fixture->entered);
    (void)sem_destroy(&fixture->go);
    (void)pthread_mutex_destroy(&fixture->lock);
}

/* ---- the client ---- */

struct client {
    int file;
    char *text; /* owned: everything that came; NUL-terminated */
    size_t bytes, capacity;
    bool is_at_end;
};

/* from: an IPv4 address of the loopback interface, in network order. */
static inline struct client
client_connect_from(const struct fixture *fixture, in_addr_t from)
{
    struct client client = { .file = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = from };
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(pb_server_address(fixture->server).port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    assert_true(client.file >= 0);
    /* What is bound keeps its port for a while, so this is for those who need it. */
    if (from != htonl(INADDR_LOOPBACK))
        assert_int_equal(0, bind(client.file, (struct sockaddr *)&here, sizeof(here)));
    assert_int_equal(0, connect(client.file, (struct sockaddr *)&address, sizeof(address)));
    return client;
}

static inline struct client
client_connect(const struct fixture *fixture)
{
    return client_connect_from(fixture, htonl(INADDR_LOOPBACK));
}

static inline void
client_close(struct client *client)
{
    if (client->file >= 0)
        (void)close(client->file);
    client->file = -1;
    free(client->text);
    client->text = NULL;
}

/* False where the server has ended the connection. */
static inline bool
client_send(struct client *client, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(client->file, bytes, count, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static inline bool
client_say(struct client *client, const char *text)
{
    return client_send(client, text, strlen(text));
}

/* One piece of what comes; false at the end of the stream. */
static inline bool
client_receive(struct client *client)
{
    struct pollfd wait = { .fd = client->file, .events = POLLIN };
    ssize_t got;

    if (client->capacity - client->bytes < 65537) {
        client->capacity = client->capacity * 2 + (1 << 17);
        client->text = realloc(client->text, client->capacity);
        assert_non_null(client->text);
    }
    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("nothing came; so far: %.*s", (int)client->bytes, client->text);
    got = recv(client->file, client->text + client->bytes, 65536, 0);
    client->is_at_end = got <= 0;
    if (got > 0)
        client->bytes += (size_t)got;
    client->text[client->bytes] = '\0';
    return !client->is_at_end;
}

static inline void
client_receive_all(struct client *client)
{
    while (client_receive(client))
        ;
}

/* Forgets what came, so that the next reply is looked at alone. */
static inline void
client_forget(struct client *client)
{
    client->bytes = 0;
}

/* Has all come of a reply in chunks whose head ends at end? Only where it is the last that came. */
static inline bool
client_has_chunks(const struct client *client, const char *end)
{
    static const char last[] = "\r\n0\r\n\r\n";
    const char *coding = strstr(client->text, "Transfer-Encoding: chunked");

    return coding == NULL || coding > end ||
           (client->bytes >= sizeof(last) - 1 &&
            memcmp(client->text + client->bytes - (sizeof(last) - 1), last, sizeof(last) - 1) == 0);
}

/* Waits for one whole reply with a Content-Length, in chunks or without a body; returns its
 * status. */
static inline int
client_reply(struct client *client)
{
    const char *end, *length;

    for (;;) {
        end = client->bytes > 0 ? strstr(client->text, "\r\n\r\n") : NULL;
        length = end != NULL ? strstr(client->text, "Content-Length: ") : NULL;
        if (end != NULL && client_has_chunks(client, end) &&
            (length == NULL || length > end ||
             client->bytes >=
                 (size_t)(end + 4 - client->text) + (size_t)strtoul(length + 16, NULL, 10)))
            break;
        if (!client_receive(client))
            break;
    }
    if (client->bytes < 12)
        return 0;
    return (int)strtol(client->text + 9, NULL, 10);
}

static inline const char *
client_body(const struct client *client)
{
    const char *end = strstr(client->text, "\r\n\r\n");

    return end != NULL ? end + 4 : "";
}

#define HOST "Host: test\r\n"

/* One request on a connection of its own; returns the status. */
static inline int
ask(const struct fixture *fixture, struct client *client, const char *request)
{
    *client = client_connect(fixture);
    (void)client_say(client, request);
    return client_reply(client);
}

/* As ask, for who wants nothing but the status. */
static inline int
status_of(const struct fixture *fixture, const char *request)
{
    struct client client;
    int status = ask(fixture, &client, request);

    client_close(&client);
    return status;
}

static inline void
expect_in(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL)
        fail_msg("'%s' is not in: %s", wanted, text);
}

#endif
