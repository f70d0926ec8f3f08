/*
 * Server: the library's callbacks, the keeper, starting and stopping.
 */
#include "net/server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "net/listen.h"
#include "net/server_private.h"

/* A connection's memory in the library: the head and what is made of it, then a piece of body. */
#define CONNECTION_BYTES 32768u
#define ACCEPTED_AT_ONCE 64u
/* Bytes that wait in the system to be sent to a client. Without a bound a thousand clients that ask
 * and do not read would take gigabytes of the system's memory, which all connections share. */
#define UNSENT_BYTES_MAX 131072
#define IO_THREADS_MAX 64u
#define WORKER_THREADS_MAX 1024u

struct pb_server_limits
pb_server_limits_usual(void)
{
    return (struct pb_server_limits){
        .connections_max = 10000,
        .connections_per_address_max = 512,
        .head_ms = 10000,
        .idle_ms = 30000,
        .rate_grace_ms = 10000,
        .rate_min_bytes_s = 1024,
        .bodies_bytes_max = (size_t)256 << 20,
        .queue_max = 1024,
        .tick_ms = 250,
    };
}

/* ---- what the library calls ---- */

/* The exchange becomes the reading thread's again. */
static void
give_back(struct pb_exchange *exchange)
{
    struct pb_server *server = exchange->server;

    atomic_store(&exchange->state, PB_EXCHANGE_ANSWERED);
    MHD_resume_connection(exchange->mhd);
    /* Under the lock: when the last one is counted, the server may be freed. */
    (void)pthread_mutex_lock(&server->lock);
    server->working--;
    if (server->working == 0)
        (void)pthread_cond_signal(&server->is_emptier);
    (void)pthread_mutex_unlock(&server->lock);
}

static void
run_job(struct pb_job *job)
{
    /* The job is the exchange's first member. */
    struct pb_exchange *exchange = (struct pb_exchange *)job;

    if (pb_exchange_handle(exchange, false) == PB_HANDLED)
        give_back(exchange);
}

/* What pb_reply_finish calls. */
static void
finish_later(struct pb_reply *reply, enum pb_status status)
{
    struct pb_exchange *exchange =
        (struct pb_exchange *)((char *)reply - offsetof(struct pb_exchange, reply));

    pb_exchange_conclude(exchange, status);
    give_back(exchange);
}

/* Has it been handled here, without a worker? A hand-over costs more than a small body does. */
static bool
is_done_inline(struct pb_exchange *exchange)
{
    size_t most = exchange->request.route->inline_bytes_max;
    enum pb_handled handled;

    if (exchange->body_bytes > most || most == 0)
        return false;
    handled = pb_exchange_handle(exchange, true);
    if (handled == PB_HANDLED)
        give_back(exchange);
    return handled != PB_HANDLED_NOT;
}

/* False where the server ends: workers may be gone by the time that they would be asked. */
static bool
begin_working(struct pb_server *server)
{
    bool is_taken;

    (void)pthread_mutex_lock(&server->lock);
    is_taken = !atomic_load(&server->is_ending);
    server->working += is_taken ? 1 : 0;
    (void)pthread_mutex_unlock(&server->lock);
    return is_taken;
}

/* The whole request is here. */
static enum MHD_Result
dispatch(struct pb_exchange *exchange)
{
    struct pb_server *server = exchange->server;

    exchange->received_ns = pb_monotonic_ns(server->env);
    pb_metric_observe_ns(server->metrics.stages[PB_STAGE_RECEIVE],
                         exchange->received_ns - exchange->started_ns);
    if (exchange->is_swallowing)
        return pb_exchange_send(exchange);
    pb_connection_enter(&server->connections, exchange->connection, PB_PHASE_WORKING);
    if (exchange->request.route->is_quick) {
        enum pb_handled handled = pb_exchange_handle(exchange, false);

        assert(handled == PB_HANDLED);
        return handled == PB_HANDLED ? pb_exchange_send(exchange) : MHD_NO;
    }
    if (!begin_working(server)) {
        pb_exchange_refuse(exchange, 503, "the server is stopping");
        return pb_exchange_send(exchange);
    }
    exchange->job.run = run_job;
    exchange->reply.finish = finish_later;
    atomic_store(&exchange->state, PB_EXCHANGE_WORKING);
    /* Suspended first: the worker may be done before push returns. */
    MHD_suspend_connection(exchange->mhd);
    if (is_done_inline(exchange))
        return MHD_YES;
    if (!pb_workers_push(server->workers, &exchange->job)) {
        pb_exchange_refuse(exchange, 503, "too many requests are waiting");
        give_back(exchange);
    }
    return MHD_YES;
}

static enum MHD_Result
on_body(struct pb_exchange *exchange, const char *bytes, size_t *count)
{
    if (*count == 0)
        return dispatch(exchange);
    pb_exchange_add_body(exchange, bytes, *count);
    *count = 0;
    return MHD_YES;
}

static enum MHD_Result
on_head(struct pb_exchange *exchange, const char *method, const char *version)
{
    pb_metric_add(exchange->server->metrics.in_hand, 1);
    exchange->is_in_hand = true;
    pb_exchange_begin(exchange, method, version);
    if (exchange->is_swallowing && exchange->reply.is_closing)
        return pb_exchange_send(exchange);
    atomic_store(&exchange->state, PB_EXCHANGE_BODY);
    atomic_store_explicit(&exchange->connection->body_bytes, 0, memory_order_relaxed);
    pb_connection_enter(&exchange->server->connections, exchange->connection, PB_PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
           const char *version, const char *body, size_t *body_bytes, void **exchange_place)
{
    struct pb_exchange *exchange = *exchange_place;

    (void)context;
    (void)mhd;
    (void)url;
    if (exchange == NULL)
        return MHD_NO; /* there was no memory for it: the connection ends */
    switch (atomic_load(&exchange->state)) {
    case PB_EXCHANGE_NEW:
        return on_head(exchange, method, version);
    case PB_EXCHANGE_BODY:
        return on_body(exchange, body, body_bytes);
    case PB_EXCHANGE_WORKING:
        return MHD_YES;
    case PB_EXCHANGE_ANSWERED:
        return pb_exchange_send(exchange);
    case PB_EXCHANGE_SENDING:
        break;
    }
    return MHD_NO;
}

static struct pb_connection *
connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

static void *
on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct pb_server *server = context;
    struct pb_connection *connection = connection_of(mhd);

    if (connection == NULL)
        return NULL;
    return pb_exchange_new(server, mhd, connection, target);
}

static void
tell_emptier(struct pb_server *server)
{
    if (!atomic_load(&server->is_draining))
        return;
    (void)pthread_mutex_lock(&server->lock);
    (void)pthread_cond_signal(&server->is_emptier);
    (void)pthread_mutex_unlock(&server->lock);
}

static void
log_exchange(const struct pb_exchange *exchange, bool is_whole, int64_t duration_ns)
{
    struct pb_log_line line;

    pb_log_begin(&line, exchange->server->options.log, PB_LOG_INFO, PB_WORD("request"));
    pb_log_request_id(&line, &exchange->request.id);
    pb_log_peer(&line, &exchange->request.peer);
    pb_log_route(&line, exchange->request.route);
    pb_log_number(&line, PB_WORD("status"), exchange->reply.status);
    pb_log_number(&line, PB_WORD("received_bytes"), (int64_t)exchange->received_bytes);
    pb_log_number(&line, PB_WORD("sent_bytes"), (int64_t)exchange->sent_bytes);
    pb_log_number(&line, PB_WORD("duration_us"), duration_ns / 1000);
    pb_log_word(&line, PB_WORD("end"), is_whole ? PB_WORD("whole") : PB_WORD("cut"));
    pb_log_end(&line);
}

static void
measure(const struct pb_exchange *exchange, int64_t now_ns)
{
    struct pb_server_metrics *metrics = &exchange->server->metrics;

    if (exchange->handled_ns != 0)
        pb_metric_observe_ns(metrics->stages[PB_STAGE_SEND], now_ns - exchange->handled_ns);
    pb_metric_observe_ns(metrics->routes[exchange->route_index], now_ns - exchange->started_ns);
    pb_metric_add(metrics->statuses[exchange->reply.status / 100 % 6], 1);
    pb_metric_add(metrics->in_hand, -1);
}

/* The status that was said, or 0. */
static unsigned
said_status(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

    return info != NULL ? info->http_status : 0;
}

static void
on_completed(void *context, struct MHD_Connection *mhd, void **exchange_place,
             enum MHD_RequestTerminationCode how)
{
    struct pb_exchange *exchange = *exchange_place;
    struct pb_server *server = context;
    unsigned refusal = 0;
    int64_t now_ns;

    if (exchange == NULL)
        return;
    *exchange_place = NULL;
    pb_connection_enter(&server->connections, exchange->connection, PB_PHASE_WAITING);
    /* No reply of ours: the library's, which refuses some heads and bodies itself, or none. */
    if (atomic_load(&exchange->state) != PB_EXCHANGE_SENDING) {
        refusal = said_status(mhd);
        exchange->reply.status = refusal;
    }
    if (refusal != 0)
        pb_metric_add(server->metrics.malformed, 1);
    if (exchange->is_in_hand) {
        now_ns = pb_monotonic_ns(server->env);
        measure(exchange, now_ns);
        log_exchange(exchange, how == MHD_REQUEST_TERMINATED_COMPLETED_OK,
                     now_ns - exchange->started_ns);
    } else if (refusal != 0) {
        pb_metric_add(server->metrics.statuses[refusal / 100 % 6], 1);
    }
    pb_exchange_free(exchange);
}

static void
begin_connection(struct pb_server *server, struct MHD_Connection *mhd, void **place)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pb_connection *connection = pb_connections_find(&server->connections, info->connect_fd);

    *place = connection;
    if (connection == NULL || server->tls == NULL)
        return;
    connection->keys = pb_tls_keys(server->tls);
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (pb_tls_use(connection->keys, info->tls_session, server->options.asks_certificates) != PB_OK)
        (void)shutdown(connection->file, SHUT_RDWR);
}

static void
on_connection(void *context, struct MHD_Connection *mhd, void **place,
              enum MHD_ConnectionNotificationCode what)
{
    struct pb_server *server = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        begin_connection(server, mhd, place);
    } else if (*place != NULL) {
        pb_connections_remove(&server->connections, *place);
        pb_metric_add(server->metrics.connections, -1);
        *place = NULL;
        tell_emptier(server);
    }
}

/* Escapes are decoded by net/target.c, which is told of them all. */
static size_t
keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

/* ---- the keeper ---- */

/* Says why, where that can be said in the clear, without waiting for anybody. */
static void
turn_away(const struct pb_server *server, int file)
{
    static const char words[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                                "Content-Length: 0\r\nConnection: close\r\n\r\n";

    if (server->tls == NULL)
        (void)send(file, words, sizeof(words) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(file);
}

static void
greet(struct pb_server *server, int file, const struct sockaddr_storage *address, socklen_t bytes)
{
    const int unsent_bytes = UNSENT_BYTES_MAX;
    enum pb_status status = PB_E_IO;
    struct pb_peer peer;

    (void)setsockopt(file, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
    if (pb_peer_from_address(address, &peer))
        status = pb_connections_add(&server->connections, file, &peer);
    if (status != PB_OK) {
        pb_metric_add(status == PB_OVER_LIMIT ? server->metrics.refused_all
                      : status == PB_CONFLICT ? server->metrics.refused_address
                                              : server->metrics.refused_system,
                      1);
        turn_away(server, file);
        return;
    }
    pb_metric_add(server->metrics.connections, 1);
    /* The library closes the descriptor whatever comes of it. */
    if (MHD_add_connection(server->daemon, file, (const struct sockaddr *)address, bytes) !=
        MHD_YES) {
        pb_connections_remove(&server->connections,
                              pb_connections_find(&server->connections, file));
        pb_metric_add(server->metrics.connections, -1);
        pb_metric_add(server->metrics.refused_system, 1);
    }
}

/* False where the system is out of descriptors: better to wait than to ask again at once. */
static bool
accept_some(struct pb_server *server)
{
    for (unsigned i = 0; i < ACCEPTED_AT_ONCE; i++) {
        struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
        socklen_t bytes = sizeof(address);
        int file = accept4(server->socket, (struct sockaddr *)&address, &bytes,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (file >= 0) {
            greet(server, file, &address, bytes);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pb_metric_add(server->metrics.refused_system, 1);
            return false;
        }
        return true;
    }
    return true;
}

static void
end_late_ones(struct pb_server *server)
{
    struct pb_expired expired = { 0 };

    pb_connections_expire(&server->connections, atomic_load(&server->is_draining), &expired);
    pb_metric_add(server->metrics.late_heads, expired.heads);
    pb_metric_add(server->metrics.late_idle, expired.idle);
    pb_metric_add(server->metrics.late_bodies, expired.bodies);
    pb_metric_add(server->metrics.late_replies, expired.replies);
    pb_metric_set(server->metrics.bodies_bytes, (int64_t)atomic_load(&server->bodies_bytes));
}

/* What was accepted until now is counted, and no more will be. */
static void
say_closed(struct pb_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->is_closed = true;
    (void)pthread_cond_signal(&server->is_emptier);
    (void)pthread_mutex_unlock(&server->lock);
}

static void *
keep(void *context)
{
    struct pb_server *server = context;
    int64_t tick_ns = server->options.limits.tick_ms * 1000000;
    int64_t next_ns = pb_monotonic_ns(server->env) + tick_ns;
    bool is_accepting = true;

    while (!atomic_load(&server->is_ending)) {
        bool is_draining = atomic_load(&server->is_draining);
        struct pollfd polls[2] = {
            { .fd = server->wake, .events = POLLIN },
            { .fd = is_accepting && !is_draining ? server->socket : -1, .events = POLLIN },
        };
        int64_t now_ns, wait_ns = next_ns - pb_monotonic_ns(server->env);
        uint64_t count;

        if (is_draining)
            say_closed(server);
        (void)poll(polls, 2, wait_ns > 0 ? (int)(wait_ns / 1000000) + 1 : 0);
        if ((polls[0].revents & POLLIN) != 0)
            (void)!read(server->wake, &count, sizeof(count));
        if ((polls[1].revents & POLLIN) != 0)
            is_accepting = accept_some(server);
        now_ns = pb_monotonic_ns(server->env);
        if (polls[0].revents != 0 || now_ns >= next_ns) {
            end_late_ones(server);
            next_ns = now_ns + tick_ns;
            is_accepting = true;
        }
    }
    return NULL;
}

static void
wake_keeper(const struct pb_server *server)
{
    const uint64_t one = 1;

    (void)!write(server->wake, &one, sizeof(one));
}

/* ---- starting ---- */

static enum pb_status
add_metrics(struct pb_server *server, struct pb_metrics *set)
{
    static const char *const stages[PB_STAGE_COUNT] = { "receive", "queue", "handle", "send" };
    static const char *const statuses[6] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
    struct pb_server_metrics *metrics = &server->metrics;
    const struct pb_server_options *options = &server->options;
    const char *name, *help;
    bool is_whole;

#define ADD(place, kind, label, value)                                                            \
    is_whole &= (metrics->place = pb_metrics_add_labels(set, PB_METRIC_##kind, name, help, label, \
                                                        value)) != NULL
#define ADD_PLAIN(place, kind) \
    is_whole &= (metrics->place = pb_metrics_add(set, PB_METRIC_##kind, name, help, "")) != NULL

    is_whole = (metrics->routes = pb_calloc(server->env, options->route_count + 1,
                                            sizeof(*metrics->routes))) != NULL;
    if (!is_whole)
        return PB_E_NOMEM;
    name = "platebase_http_connections";
    help = "Connections that are open.";
    ADD_PLAIN(connections, GAUGE);
    name = "platebase_http_requests_in_hand";
    help = "Requests whose head was read and whose reply is not yet sent.";
    ADD_PLAIN(in_hand, GAUGE);
    name = "platebase_http_bodies_bytes";
    help = "Memory that bodies of requests in hand take.";
    ADD_PLAIN(bodies_bytes, GAUGE);
    name = "platebase_http_connections_refused_total";
    help = "Connections turned away, by the limit that was reached.";
    ADD(refused_all, COUNTER, "limit", "all");
    ADD(refused_address, COUNTER, "limit", "address");
    ADD(refused_system, COUNTER, "limit", "system");
    name = "platebase_http_late_total";
    help = "Connections ended because the client was too slow, by what it was late with.";
    ADD(late_heads, COUNTER, "with", "head");
    ADD(late_idle, COUNTER, "with", "request");
    ADD(late_bodies, COUNTER, "with", "body");
    ADD(late_replies, COUNTER, "with", "reading");
    name = "platebase_http_malformed_total";
    help = "Requests refused because they are not proper HTTP.";
    ADD_PLAIN(malformed, COUNTER);
    name = "platebase_http_requests_total";
    help = "Requests answered, by the class of their status.";
    for (unsigned i = 0; i < 6; i++)
        ADD(statuses[i], COUNTER, "status", statuses[i]);
    name = "platebase_http_stage_seconds";
    help = "Time that requests spent in each stage.";
    for (unsigned i = 0; i < PB_STAGE_COUNT; i++)
        ADD(stages[i], SECONDS, "stage", stages[i]);
    name = "platebase_http_request_seconds";
    help = "Time from a request's first line to the end of its reply, by route.";
    for (uint32_t i = 0; i < options->route_count; i++)
        ADD(routes[i], SECONDS, "route", options->routes[i].name);
    ADD(routes[options->route_count], SECONDS, "route", "none");
#undef ADD
#undef ADD_PLAIN
    return is_whole ? PB_OK : PB_E_NOMEM;
}

static enum pb_status
make_id_prefix(struct pb_server *server)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t number = 0;
    enum pb_status status =
        server->env->random(server->env->random_context, &number, sizeof(number));

    for (unsigned i = 0; i < 8; i++)
        server->id_prefix[i] = hex[number >> (28 - 4 * i) & 15];
    return status;
}

static enum pb_status
open_socket(struct pb_server *server, struct pb_error *error)
{
    const struct pb_server_options *options = &server->options;
    enum pb_status status;

    if (server->socket >= 0)
        return pb_listen_adopt(server->socket, &server->address, error);
    status = pb_listen_parse(options->listen, &server->address, error);
    if (status != PB_OK)
        return status;
    if (options->certificate_path == NULL && !pb_listen_is_loopback(&server->address))
        return PB_OK; /* refused below, before anybody can connect */
    status = pb_listen_open(&server->address, &server->socket, error);
    return status != PB_OK ? status : pb_listen_adopt(server->socket, &server->address, error);
}

static enum pb_status
secure(struct pb_server *server, struct pb_error *error)
{
    const struct pb_server_options *options = &server->options;
    char text[PB_PEER_TEXT_BYTES];

    if ((options->certificate_path == NULL) != (options->key_path == NULL))
        return pb_fail(error, PB_BAD_INPUT, "a certificate and its key are given together");
    if (options->certificate_path != NULL)
        return pb_tls_new(server->env, options->certificate_path, options->key_path, &server->tls,
                          error);
    if (pb_listen_is_loopback(&server->address))
        return PB_OK;
    pb_peer_text(&server->address, text);
    return pb_fail(error, PB_BAD_INPUT,
                   "refusing to listen on %s without TLS: give a certificate and key, or "
                   "listen on 127.0.0.1 behind a proxy that has them",
                   text);
}

static enum pb_status
start_daemon(struct pb_server *server, struct pb_error *error)
{
    const struct pb_server_options *options = &server->options;
    struct pb_tls_keys *keys = server->tls != NULL ? pb_tls_keys(server->tls) : NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | (keys != NULL ? MHD_USE_TLS : 0);
    struct MHD_OptionItem items[16];
    unsigned count = 0;

#define PUT(name, number, pointer) \
    items[count++] = (struct MHD_OptionItem){ MHD_OPTION_##name, number, pointer }
    PUT(NOTIFY_COMPLETED, (intptr_t)on_completed, server);
    PUT(NOTIFY_CONNECTION, (intptr_t)on_connection, server);
    PUT(URI_LOG_CALLBACK, (intptr_t)on_target, server);
    PUT(UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL);
    PUT(CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL);
    /* Ours is the limit that counts; the library's is per thread, and connections are not spread
     * evenly. */
    PUT(CONNECTION_LIMIT, (intptr_t)(options->limits.connections_max * options->io_threads), NULL);
    if (options->io_threads > 1)
        PUT(THREAD_POOL_SIZE, (intptr_t)options->io_threads, NULL);
#if MHD_VERSION >= 0x01000000
    PUT(CLIENT_DISCIPLINE_LVL, 1, NULL); /* before, what it let through is found by net/head.c */
#endif
    if (keys != NULL) {
        PUT(HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PB_TLS_PRIORITIES);
        /* Each session is given its own keys as it begins; these are those that it begins with. */
        PUT(HTTPS_MEM_CERT, 0, (void *)(uintptr_t)pb_tls_certificate(keys));
        PUT(HTTPS_MEM_KEY, 0, (void *)(uintptr_t)pb_tls_key(keys));
    }
    PUT(END, 0, NULL);
#undef PUT
    assert(count <= sizeof(items) / sizeof(items[0]));
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_ARRAY,
                                      items, MHD_OPTION_END);
    pb_tls_keys_unref(keys);
    if (server->daemon == NULL)
        return pb_fail(error, PB_E_IO, "the HTTP library does not start (threads, memory?)");
    return PB_OK;
}

static enum pb_status
start_keeper(struct pb_server *server, struct pb_error *error)
{
    int failure;

    server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (server->wake < 0)
        return pb_fail(error, PB_E_IO, "no event descriptor: %s", strerrordesc_np(errno));
    failure = pthread_create(&server->keeper, NULL, keep, server);
    if (failure != 0)
        return pb_fail(error, PB_E_IO, "cannot start a thread: %s", strerrordesc_np(failure));
    server->has_keeper = true;
    return PB_OK;
}

/* Everything, in the order in which each needs the one before. */
static enum pb_status
start_parts(struct pb_server *server, struct pb_error *error)
{
    const struct pb_server_options *options = &server->options;
    enum pb_status status =
        pb_router_new(server->env, options->routes, options->route_count, &server->router, error);

    if (status == PB_OK)
        status = add_metrics(server, options->metrics);
    if (status == PB_OK)
        status = make_id_prefix(server);
    if (status == PB_OK)
        status = open_socket(server, error);
    if (status == PB_OK)
        status = secure(server, error);
    if (status == PB_OK) {
        status = pb_connections_init(&server->connections, server->env, &server->options.limits);
        server->has_connections = true;
    }
    if (status == PB_OK)
        status = pb_workers_new(server->env, options->worker_threads, options->limits.queue_max,
                                false, &server->workers, error);
    if (status == PB_OK)
        status = start_daemon(server, error);
    if (status == PB_OK)
        status = start_keeper(server, error);
    return status;
}

enum pb_status
pb_server_start(const struct pb_env *env, const struct pb_server_options *options,
                struct pb_server **ret_server, struct pb_error *error)
{
    struct pb_server *server;
    pthread_condattr_t monotonic;
    enum pb_status status;

    assert(options->io_threads > 0 && options->io_threads <= IO_THREADS_MAX);
    assert(options->worker_threads > 0 && options->worker_threads <= WORKER_THREADS_MAX);
    assert(options->metrics != NULL && options->limits.tick_ms > 0);
    server = pb_calloc(env, 1, sizeof(*server));
    if (server == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the server");
    server->env = env;
    server->options = *options;
    server->socket = options->socket;
    server->wake = -1;
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&server->is_emptier, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (error != NULL)
        error->message[0] = '\0';
    status = start_parts(server, error);
    if (status != PB_OK) {
        (void)pb_server_stop(server, 0);
        return status;
    }
    *ret_server = server;
    return PB_OK;
}

/* ---- stopping ---- */

static void
wait_until_empty(struct pb_server *server, int64_t grace_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += grace_ms / 1000;
    until.tv_nsec += grace_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&server->lock);
    while ((!server->is_closed || pb_connections_count(&server->connections) > 0) &&
           pthread_cond_timedwait(&server->is_emptier, &server->lock, &until) == 0)
        ;
    (void)pthread_mutex_unlock(&server->lock);
}

static void
wait_for_working(struct pb_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    while (server->working > 0)
        (void)pthread_cond_wait(&server->is_emptier, &server->lock);
    (void)pthread_mutex_unlock(&server->lock);
}

static void
close_if_open(int file)
{
    if (file >= 0)
        (void)close(file);
}

static uint32_t
drain(struct pb_server *server, int64_t grace_ms)
{
    uint32_t cut;

    atomic_store(&server->is_draining, true);
    wake_keeper(server);
    wait_until_empty(server, grace_ms);
    atomic_store(&server->is_ending, true);
    wake_keeper(server);
    (void)pthread_join(server->keeper, NULL);
    cut = pb_connections_count(&server->connections);
    return cut;
}

uint32_t
pb_server_stop(struct pb_server *server, int64_t grace_ms)
{
    uint32_t cut = 0;

    if (server == NULL)
        return 0;
    if (server->has_keeper)
        cut = drain(server, grace_ms);
    close_if_open(server->socket);
    /* What is queued is still done, and what others fill is waited for: a suspended connection
     * could not be ended. Nothing new is begun meanwhile. */
    wait_for_working(server);
    pb_workers_free(server->workers);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    if (server->has_connections)
        pb_connections_done(&server->connections);
    close_if_open(server->wake);
    pb_tls_free(server->tls);
    pb_router_free(server->router);
    pb_free(server->env, server->metrics.routes);
    (void)pthread_cond_destroy(&server->is_emptier);
    (void)pthread_mutex_destroy(&server->lock);
    pb_free(server->env, server);
    return cut;
}

enum pb_status
pb_server_reload(struct pb_server *server, struct pb_error *error)
{
    return server->tls != NULL ? pb_tls_reload(server->tls, error) : PB_OK;
}

struct pb_peer
pb_server_address(const struct pb_server *server)
{
    return server->address;
}

bool
pb_server_is_tls(const struct pb_server *server)
{
    return server->tls != NULL;
}
