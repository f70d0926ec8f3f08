/*
 * Exchange: one request and its reply, between the library and a handler.
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "net/server_private.h"
#include "net/target.h"

#define ARENA_BYTES 2048u
#define BODY_BYTES_MIN 4096u
#define PRODUCED_BYTES 32768u /* asked of a producer at a time */

/* A body that is refused is read to its end if it is no larger, so that the connection can go on;
 * beyond that the connection is cheaper. */
#define SWALLOWED_BYTES_MAX 65536u

/* ---- life ---- */

static void
make_id(struct pb_server *server, struct pb_request_id *ret_id)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t number = atomic_fetch_add_explicit(&server->next_id, 1, memory_order_relaxed);
    struct pb_text_out out = pb_text_out(ret_id->text, sizeof(ret_id->text) - 1);

    pb_put_text(&out, server->id_prefix);
    pb_put_char(&out, '-');
    for (int shift = 60; shift >= 0; shift -= 4)
        pb_put_char(&out, hex[number >> shift & 15]);
    *out.at = '\0';
}

struct pb_exchange *
pb_exchange_new(struct pb_server *server, struct MHD_Connection *mhd,
                struct pb_connection *connection, const char *target)
{
    struct pb_exchange *exchange = pb_calloc(server->env, 1, sizeof(*exchange));
    struct pb_str raw = pb_str_from(target);

    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    exchange->mhd = mhd;
    exchange->connection = connection;
    exchange->raw_target = target;
    exchange->started_ns = pb_monotonic_ns(server->env);
    exchange->route_index = server->options.route_count;
    atomic_init(&exchange->state, PB_EXCHANGE_NEW);
    pb_arena_init(&exchange->arena, server->env, ARENA_BYTES);
    pb_reply_init(&exchange->reply, server->env, &exchange->arena);
    exchange->request.arena = &exchange->arena;
    exchange->request.peer = connection->peer;
    make_id(server, &exchange->request.id);
    /* The library takes queries apart in place, so the target is kept now. */
    if (pb_arena_copy(&exchange->arena, raw, &exchange->target) != PB_OK) {
        pb_exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

static void
drop_body(struct pb_exchange *exchange)
{
    pb_free(exchange->server->env, exchange->body);
    exchange->body = NULL;
    atomic_fetch_sub_explicit(&exchange->server->bodies_bytes, exchange->body_capacity,
                              memory_order_relaxed);
    exchange->body_capacity = exchange->body_bytes = 0;
}

void
pb_exchange_free(struct pb_exchange *exchange)
{
    drop_body(exchange);
    pb_reply_done(&exchange->reply);
    pb_arena_clear(&exchange->arena);
    pb_free(exchange->server->env, exchange);
}

/* ---- the head ---- */

void
pb_exchange_refuse(struct pb_exchange *exchange, unsigned status, const char *detail)
{
    struct pb_problem problem = { .status = status, .detail = detail };

    if (status == 503)
        problem.retry_after_s = 1;
    pb_reply_problem(&exchange->reply, &exchange->request, &problem);
    exchange->is_swallowing = true;
    drop_body(exchange);
}

/* Refuses what is malformed: nothing that follows on this connection can be trusted. */
static void
refuse_and_close(struct pb_exchange *exchange, unsigned status, const char *detail)
{
    pb_metric_add(exchange->server->metrics.malformed, 1);
    exchange->reply.is_closing = true;
    pb_exchange_refuse(exchange, status, detail);
}

/* The handshake is over: whose it was is looked at once for each connection. */
static void
note_certificate(struct pb_exchange *exchange)
{
    struct pb_connection *connection = exchange->connection;
    const union MHD_ConnectionInfo *info;

    if (!exchange->server->options.asks_certificates || exchange->server->tls == NULL)
        return;
    if (!connection->has_certificate) {
        info = MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        pb_tls_client_print(info->tls_session, connection->certificate);
        connection->has_certificate = true;
    }
    exchange->request.certificate = pb_str_from(connection->certificate);
}

/* The headers while the library tells them one by one. */
struct headers {
    struct pb_pair *raw;     /* as they lie in the library's memory */
    struct pb_pair *trimmed; /* without white space around values */
    uint32_t count;          /* PB_NET_HEADERS_MAX + 1: too many */
};

static enum MHD_Result
take_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
            const char *value, size_t value_bytes)
{
    struct headers *headers = context;
    struct pb_pair pair = { { name, (uint32_t)name_bytes },
                            { value != NULL ? value : "", (uint32_t)value_bytes } };

    (void)kind;
    headers->raw[headers->count] = pair;
    pair.value = pb_str_trim(pair.value);
    headers->trimmed[headers->count] = pair;
    headers->count++;
    return headers->count <= PB_NET_HEADERS_MAX ? MHD_YES : MHD_NO;
}

/* Did the head lie in memory as a strict reader would have found it? */
static bool
is_canonical(const struct pb_exchange *exchange, const struct pb_head *head,
             const struct headers *headers, size_t head_bytes)
{
#if MHD_VERSION < 0x01000000
    struct pb_head_layout layout = {
        .method = head->method,
        .target = { exchange->raw_target, exchange->target.bytes },
        .version = head->version,
        .fields = headers->raw,
        .field_count = headers->count,
        .end = head->method.text + head_bytes,
    };

    return exchange->raw_target != NULL && pb_head_is_canonical(&layout);
#else
    /* From 1.0 on the library itself is strict (MHD_OPTION_CLIENT_DISCIPLINE_LVL in server.c). */
    (void)head;
    (void)headers;
    (void)head_bytes;
    return exchange->raw_target != NULL;
#endif
}

/* False: refused. */
static bool
judge_head(struct pb_exchange *exchange, const struct pb_head *head, const struct headers *headers)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t head_bytes = info != NULL ? info->header_size : 0;
    const char *reason = NULL;
    unsigned refusal;

    if (headers->count > PB_NET_HEADERS_MAX || head_bytes > PB_NET_HEAD_BYTES_MAX) {
        refuse_and_close(exchange, 431, "the headers are too many or too long");
        return false;
    }
    refusal = pb_head_judge(head, &exchange->facts, &reason);
    if (refusal == 0 && !is_canonical(exchange, head, headers, head_bytes)) {
        refusal = 400;
        reason = "the head is not written as HTTP/1.1 demands (line ends, spaces, folded lines)";
    }
    if (refusal != 0)
        refuse_and_close(exchange, refusal, reason);
    return refusal == 0;
}

static void
refuse_method(struct pb_exchange *exchange, unsigned allowed)
{
    char text[64];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    for (unsigned i = 0; i < PB_METHOD_COUNT; i++) {
        if ((allowed & 1u << i) == 0)
            continue;
        if (out.at != text)
            pb_put_text(&out, ", ");
        pb_put_text(&out, pb_method_name((enum pb_method)i));
        if (i == PB_METHOD_GET)
            pb_put_text(&out, ", HEAD");
    }
    pb_exchange_refuse(exchange, 405, "this path does not take that method");
    pb_reply_header(&exchange->reply, "Allow", (struct pb_str){ text, (uint32_t)(out.at - text) });
}

/* False: refused. */
static bool
find_route(struct pb_exchange *exchange, struct pb_str method_text)
{
    struct pb_request *request = &exchange->request;
    struct pb_target target;
    struct pb_match match;
    enum pb_status status;
    unsigned allowed = 0;
    bool is_head;

    if (exchange->target.bytes > PB_NET_TARGET_BYTES_MAX) {
        refuse_and_close(exchange, 414, "the address is too long");
        return false;
    }
    status = pb_target_parse(&exchange->arena, exchange->target, &target);
    if (status == PB_E_NOMEM) {
        pb_exchange_refuse(exchange, 503, "no memory");
        return false;
    }
    if (status != PB_OK) {
        refuse_and_close(exchange, 400, "the address is malformed");
        return false;
    }
    request->path = target.path;
    request->query = target.query;
    request->query_count = target.query_count;
    request->method = pb_head_method(method_text, &is_head);
    status = pb_router_find(exchange->server->router, &exchange->arena, request->method, &target,
                            &match, &allowed);
    if (status == PB_NOT_FOUND)
        pb_exchange_refuse(exchange, 404, "there is nothing at this address");
    else if (status == PB_CONFLICT)
        refuse_method(exchange, allowed);
    else if (status != PB_OK)
        pb_exchange_refuse(exchange, 503, "no memory");
    if (status != PB_OK)
        return false;
    request->route = match.route;
    request->params = match.params;
    request->param_count = match.param_count;
    exchange->route_index = match.route_index;
    return true;
}

static bool
takes_type(const struct pb_route *route, const struct pb_str *type)
{
    for (unsigned i = 0; type != NULL && route->body_types[i] != NULL; i++) {
        if (pb_head_is_type(*type, route->body_types[i]))
            return true;
    }
    return false;
}

/* Can the body that is announced be taken? */
static void
judge_body(struct pb_exchange *exchange)
{
    const struct pb_route *route = exchange->request.route;
    const struct pb_head_facts *facts = &exchange->facts;
    bool has_body = facts->is_chunked || facts->content_bytes > 0;

    if (has_body && route->body_bytes_max == 0)
        pb_exchange_refuse(exchange, 413, "this address takes no body");
    else if (facts->content_bytes > route->body_bytes_max)
        pb_exchange_refuse(exchange, 413, "the body is too large");
    else if (route->body_bytes_max > 0 && !facts->is_chunked && !facts->has_length)
        pb_exchange_refuse(exchange, 411, "the length of the body is missing");
    else if (has_body && !takes_type(route, pb_request_header(&exchange->request, "Content-Type")))
        pb_exchange_refuse(exchange, 415, "this address does not take that kind of body");
}

static void
begin(struct pb_exchange *exchange, const char *method, const char *version)
{
    struct headers headers = { NULL, NULL, 0 };
    size_t bytes = (PB_NET_HEADERS_MAX + 1) * sizeof(*headers.raw);
    struct pb_head head = { pb_str_from(method), pb_str_from(version), NULL, 0 };

    headers.raw = pb_arena_alloc(&exchange->arena, bytes);
    headers.trimmed = pb_arena_alloc(&exchange->arena, bytes);
    if (headers.raw == NULL || headers.trimmed == NULL) {
        pb_exchange_refuse(exchange, 503, "no memory");
        return;
    }
    (void)MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, take_header, &headers);
    head.headers = exchange->request.headers = headers.trimmed;
    head.header_count = exchange->request.header_count = headers.count;
    if (judge_head(exchange, &head, &headers) && find_route(exchange, head.method))
        judge_body(exchange);
}

void
pb_exchange_begin(struct pb_exchange *exchange, const char *method, const char *version)
{
    const struct pb_head_facts *facts = &exchange->facts;

    note_certificate(exchange);
    begin(exchange, method, version);
    /* What follows a body whose end the client marks itself is never read as a request: chunks are
     * where servers have disagreed most. */
    if (facts->is_chunked)
        exchange->reply.is_closing = true;
    if (exchange->is_swallowing && (facts->is_chunked || facts->expects_continue ||
                                    facts->content_bytes > SWALLOWED_BYTES_MAX))
        exchange->reply.is_closing = true;
}

/* ---- the body ---- */

static bool
make_room(struct pb_exchange *exchange, size_t count)
{
    struct pb_server *server = exchange->server;
    size_t limit = exchange->request.route->body_bytes_max;
    size_t capacity =
        exchange->body_capacity < BODY_BYTES_MIN ? BODY_BYTES_MIN : exchange->body_capacity;
    size_t more, held;
    char *body;

    while (capacity < exchange->body_bytes + count)
        capacity *= 2;
    capacity = capacity > limit && exchange->body_bytes + count <= limit ? limit : capacity;
    more = capacity - exchange->body_capacity;
    if (more == 0)
        return true;
    held = atomic_fetch_add_explicit(&server->bodies_bytes, more, memory_order_relaxed);
    body = held + more > server->options.limits.bodies_bytes_max
               ? NULL
               : pb_realloc(server->env, exchange->body, capacity);
    if (body == NULL) {
        atomic_fetch_sub_explicit(&server->bodies_bytes, more, memory_order_relaxed);
        return false;
    }
    exchange->body = body;
    exchange->body_capacity = capacity;
    return true;
}

void
pb_exchange_add_body(struct pb_exchange *exchange, const char *bytes, size_t count)
{
    exchange->received_bytes += count;
    atomic_store_explicit(&exchange->connection->body_bytes, exchange->received_bytes,
                          memory_order_relaxed);
    if (exchange->is_swallowing)
        return;
    if (count > exchange->request.route->body_bytes_max - exchange->body_bytes) {
        pb_exchange_refuse(exchange, 413, "the body is too large");
        exchange->reply.is_closing = true;
        return;
    }
    if (!make_room(exchange, count)) {
        pb_exchange_refuse(exchange, 503, "too many bodies are in hand");
        return;
    }
    memcpy(exchange->body + exchange->body_bytes, bytes, count);
    exchange->body_bytes += count;
}

/* ---- the handler ---- */

static void
answer_failure(struct pb_exchange *exchange, enum pb_status status)
{
    bool is_passing = status == PB_E_NOMEM || status == PB_E_FULL || status == PB_E_BUSY ||
                      status == PB_E_POISONED;
    struct pb_problem problem = {
        .status = is_passing ? 503 : 500,
        .detail = is_passing ? "this cannot be done at the moment; nothing was changed"
                             : "this failed; the operator's log says more under this request id",
        .retry_after_s = is_passing ? 5 : 0,
    };
    struct pb_log_line line;

    pb_log_begin(&line, exchange->server->options.log, PB_LOG_ERROR, PB_WORD("failed"));
    pb_log_request_id(&line, &exchange->request.id);
    pb_log_route(&line, exchange->request.route);
    pb_log_status(&line, PB_WORD("status"), status);
    pb_log_end(&line);
    pb_reply_problem(&exchange->reply, &exchange->request, &problem);
}

void
pb_exchange_conclude(struct pb_exchange *exchange, enum pb_status status)
{
    assert(status <= PB_OK);
    if (status == PB_OK && exchange->reply.is_broken)
        status = PB_E_NOMEM;
    if (status != PB_OK)
        answer_failure(exchange, status);
    exchange->handled_ns = pb_monotonic_ns(exchange->server->env);
    pb_metric_observe_ns(exchange->server->metrics.stages[PB_STAGE_HANDLE],
                         exchange->handled_ns - exchange->handling_ns);
}

enum pb_handled
pb_exchange_handle(struct pb_exchange *exchange, bool must_not_wait)
{
    const struct pb_route *route = exchange->request.route;
    enum pb_status status;

    exchange->handling_ns = pb_monotonic_ns(exchange->server->env);
    exchange->request.body = (struct pb_str){ exchange->body, (uint32_t)exchange->body_bytes };
    exchange->request.must_not_wait = must_not_wait;
    /* After PB_END the exchange may be gone, so what is counted is counted before. */
    if (!must_not_wait)
        pb_metric_observe_ns(exchange->server->metrics.stages[PB_STAGE_QUEUE],
                             exchange->handling_ns - exchange->received_ns);
    status = route->handle(route->context, &exchange->request, &exchange->reply);
    if (status == PB_END)
        return PB_HANDLED_LATER;
    if (status == PB_NOT_FOUND && must_not_wait)
        return PB_HANDLED_NOT;
    pb_exchange_conclude(exchange, status);
    return PB_HANDLED;
}

/* ---- the reply ---- */

static ssize_t
produce(void *context, uint64_t position, char *bytes, size_t room)
{
    struct pb_exchange *exchange = context;
    struct pb_reply *reply = &exchange->reply;
    size_t count = 0;
    enum pb_status status = reply->produce(reply->produce_context, bytes, room, &count);

    (void)position;
    if (status == PB_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (status != PB_OK || count == 0 || count > room)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    exchange->sent_bytes += count;
    return (ssize_t)count;
}

static struct MHD_Response *
make_response(struct pb_exchange *exchange)
{
    struct pb_reply *reply = &exchange->reply;
    struct MHD_Response *response;

    if (reply->produce != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PRODUCED_BYTES, produce,
                                                 exchange, NULL);
    if (reply->file >= 0) {
        response = MHD_create_response_from_fd64(reply->file_bytes, reply->file);
        if (response != NULL) {
            reply->file = -1; /* the library closes it */
            exchange->sent_bytes = reply->file_bytes;
        }
        return response;
    }
    exchange->sent_bytes = reply->body_bytes;
    /* The body lives as long as the exchange, which outlives the response. */
    return MHD_create_response_from_buffer(reply->body_bytes, reply->body, MHD_RESPMEM_PERSISTENT);
}

static const struct {
    const char *name, *value;
} usual_headers[] = {
    { "Cache-Control", "no-store" },
    { "Content-Security-Policy",
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Referrer-Policy", "no-referrer" },
    { "X-Content-Type-Options", "nosniff" },
};

static bool
has_header(const struct pb_reply *reply, const char *name)
{
    struct pb_str wanted = pb_str_from(name);

    for (uint32_t i = 0; i < reply->header_count; i++) {
        if (pb_str_equal(reply->headers[i].name, wanted))
            return true;
    }
    return false;
}

static bool
add_headers(const struct pb_exchange *exchange, struct MHD_Response *response)
{
    const struct pb_reply *reply = &exchange->reply;
    bool is_whole =
        MHD_add_response_header(response, "X-Request-Id", exchange->request.id.text) == MHD_YES;

    for (size_t i = 0; i < sizeof(usual_headers) / sizeof(usual_headers[0]); i++) {
        if (!has_header(reply, usual_headers[i].name))
            is_whole &= MHD_add_response_header(response, usual_headers[i].name,
                                                usual_headers[i].value) == MHD_YES;
    }
    for (uint32_t i = 0; i < reply->header_count; i++)
        is_whole &= MHD_add_response_header(response, reply->headers[i].name.text,
                                            reply->headers[i].value.text) == MHD_YES;
    if (reply->content_type != NULL)
        is_whole &=
            MHD_add_response_header(response, "Content-Type", reply->content_type) == MHD_YES;
    if (exchange->server->tls != NULL)
        is_whole &= MHD_add_response_header(response, "Strict-Transport-Security",
                                            "max-age=31536000; includeSubDomains") == MHD_YES;
    if (reply->is_closing || atomic_load(&exchange->server->is_draining))
        is_whole &= MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    return is_whole;
}

enum MHD_Result
pb_exchange_send(struct pb_exchange *exchange)
{
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    if (exchange->reply.is_broken)
        pb_exchange_refuse(exchange, 503, "no memory");
    response = make_response(exchange);
    if (response == NULL)
        return MHD_NO;
    if (add_headers(exchange, response)) {
        atomic_store(&exchange->state, PB_EXCHANGE_SENDING);
        pb_connection_enter(&exchange->server->connections, exchange->connection, PB_PHASE_SENDING);
        result = MHD_queue_response(exchange->mhd, exchange->reply.status, response);
    }
    MHD_destroy_response(response);
    return result;
}
