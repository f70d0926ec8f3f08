/*
 * HTTP: what a handler sees of a request, and what it answers with.
 *
 * A handler is a function with a context; it is called on a worker thread with the whole request
 * and fills a reply. It may block. It knows nothing of connections.
 *
 * Threads: a request and its reply belong to the thread that runs the handler.
 * Limits:  base/limits.h, PB_NET_*.
 * Source:  RFC 9110, RFC 9112; problem documents: RFC 9457.
 */
#ifndef PB_NET_HTTP_H
#define PB_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena;
struct pb_env;

enum pb_method {
    PB_METHOD_GET, /* a HEAD request is a GET whose body is not sent */
    PB_METHOD_POST,
    PB_METHOD_PUT,
    PB_METHOD_PATCH,
    PB_METHOD_DELETE,
    PB_METHOD_COUNT,
};

struct pb_pair {
    struct pb_str name, value;
};

/* Who is at the other end: an IPv4 address is kept as the IPv6 address that stands for it. */
struct pb_peer {
    struct in6_addr address;
    uint16_t port;
};
#define PB_PEER_TEXT_BYTES 46u
/* The address without the port, NUL-terminated: "192.0.2.1", "2001:db8::1". */
void pb_peer_text(const struct pb_peer *peer, char ret_text[PB_PEER_TEXT_BYTES]);

/* Unique within and across runs; in the answer's X-Request-Id, in logs and problem documents. */
struct pb_request_id {
    char text[28]; /* NUL-terminated; [0-9a-f-] */
};

struct pb_request {
    struct pb_request_id id;
    struct pb_peer peer;
    struct pb_str certificate; /* SHA-256 of the client's (DER), 64 hexadecimal digits; empty: none
                                * was asked for or shown. Who it is that shows it, is not looked at,
                                * but that they have its key. */
    enum pb_method method;
    const struct pb_route *route;

    struct pb_str path;           /* decoded, UTF-8, without "." and ".." */
    const struct pb_pair *params; /* of the path, in order; a name is the route's */
    uint32_t param_count;
    const struct pb_pair *query; /* decoded, UTF-8, in order */
    uint32_t query_count;
    const struct pb_pair *headers; /* as sent, in order */
    uint32_t header_count;
    struct pb_str body; /* whole */
    bool must_not_wait; /* see pb_route.inline_bytes_max */

    struct pb_arena *arena; /* for the handler's use; lives until the reply is sent */
};

/* The first value of a header (names are compared without case), or NULL. */
const struct pb_str *pb_request_header(const struct pb_request *request, const char *name);
/* The value of a path parameter, which the route must have. */
struct pb_str pb_request_param(const struct pb_request *request, const char *name);
/* The first value in the query, or NULL. */
const struct pb_str *pb_request_query(const struct pb_request *request, const char *name);

/* ---- replies ---- */

/*
 * Gives the next bytes of a body: at most room of them. Called on a thread that serves
 * other connections too, so it must not block for long.
 *
 * Returns PB_OK (ret_bytes > 0), PB_END (the body is whole), or a failure: then the connection is
 * cut, which the client sees as an incomplete body.
 */
typedef enum pb_status pb_producer_fn(void *context, char *bytes, size_t room, size_t *ret_bytes);

#define PB_REPLY_HEADERS_MAX 12u

/*
 * Filled by handlers with the functions below. What goes wrong while filling (no memory, a header
 * that would be malformed) is remembered, and answered with 500 by who sends it.
 */
struct pb_reply {
    const struct pb_env *env;                     /* borrowed */
    struct pb_arena *arena;                       /* borrowed: the request's */
    unsigned status;                              /* 200 to begin with */
    const char *content_type;                     /* static, or NULL */
    struct pb_pair headers[PB_REPLY_HEADERS_MAX]; /* in the arena */
    uint32_t header_count;

    char *body; /* owned */
    size_t body_bytes, body_capacity;

    int file; /* owned: a descriptor whose first file_bytes are the body; -1: none */
    uint64_t file_bytes;

    pb_producer_fn *produce; /* or NULL */
    void (*produce_free)(void *context);
    void *produce_context;

    bool is_broken;  /* see above */
    bool is_closing; /* the connection ends with this reply */

    void (*finish)(struct pb_reply *reply, enum pb_status status); /* the server's */
};

/*
 * For a handler that returned PB_END: the reply is filled now, or, with a status below PB_OK, is to
 * be a failure. Called once, from any thread; after it, request and reply are gone. Until then
 * the server does not end.
 */
static inline void
pb_reply_finish(struct pb_reply *reply, enum pb_status status)
{
    reply->finish(reply, status);
}

void pb_reply_init(struct pb_reply *reply, const struct pb_env *env, struct pb_arena *arena);
/* Frees what the reply owns. */
void pb_reply_done(struct pb_reply *reply);
/* As done and init: begins again. */
void pb_reply_reset(struct pb_reply *reply);

/* name: static. The value is copied; control characters break the reply. Replaces an earlier one
 * of that name, also the server's defaults; but each Set-Cookie stands beside the others. */
void pb_reply_header(struct pb_reply *reply, const char *name, struct pb_str value);
void pb_reply_put(struct pb_reply *reply, const void *bytes, size_t count);
void pb_reply_put_text(struct pb_reply *reply, const char *text);
void pb_reply_put_number(struct pb_reply *reply, int64_t number);
/* A JSON string with its quotes. What is not UTF-8 becomes U+FFFD, byte by byte. */
void pb_reply_put_json(struct pb_reply *reply, struct pb_str text);
/* The body is a file, which the reply takes over. */
void pb_reply_file(struct pb_reply *reply, int file, uint64_t bytes);
void pb_reply_produce(struct pb_reply *reply, pb_producer_fn *produce, void (*context_free)(void *),
                      void *context);

/*
 * Turns the reply into a problem document (application/problem+json), dropping what was
 * filled. detail and field may be NULL; field names the part of the request that is wrong.
 * retry_after_s: Retry-After; 0: none.
 */
struct pb_problem {
    unsigned status;
    const char *detail; /* a sentence for a person: static text, or from a status's error */
    const char *field;
    unsigned retry_after_s;
};
void pb_reply_problem(struct pb_reply *reply, const struct pb_request *request,
                      const struct pb_problem *problem);

/* "Not Found" and the like; "Unknown" for a status that this server never sends. */
const char *pb_http_reason(unsigned status);

/* ---- routes ---- */

/*
 * Returns  PB_OK   the reply is filled
 *          PB_END  it will be filled by another thread, which calls pb_reply_finish; not of a
 *                  route that is quick
 *          PB_NOT_FOUND  with must_not_wait alone: it would have had to wait, and has done nothing
 *          a failure, which drops the reply and is answered with 500, or with 503 where it is
 *          PB_E_NOMEM, PB_E_FULL, PB_E_BUSY or PB_E_POISONED
 */
typedef enum pb_status pb_handler_fn(void *context, const struct pb_request *request,
                                     struct pb_reply *reply);

/*
 * One endpoint. A path is segments behind slashes, each a literal or a parameter: "{log}" takes
 * one segment, "{rest+}", only at the end, one or more with their slashes.
 */
struct pb_route {
    const char *name; /* "audit.tile": in logs and metrics */
    enum pb_method method;
    const char *path; /* "/audit/{log}/tile/{rest+}" */
    pb_handler_fn *handle;
    void *context;
    size_t body_bytes_max;     /* 0: takes no body */
    const char *body_types[4]; /* "application/json"; ends with NULL */
    bool is_quick;             /* never blocks: runs where it was read, without a worker */

    /* Where a body is no larger, the handler is called where it was read first, with must_not_wait:
     * then it does what it can do from memory at once, or nothing, and returns PB_NOT_FOUND to be
     * called again on a worker. 0: never. */
    size_t inline_bytes_max;
};

#endif
