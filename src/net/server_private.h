/*
 * Server, for its own room: the server's parts, and one exchange of a request and its reply.
 */
#ifndef PB_NET_SERVER_PRIVATE_H
#define PB_NET_SERVER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "base/arena.h"
#include "base/env.h"
#include "net/connections.h"
#include "net/head.h"
#include "net/log.h"
#include "net/metrics.h"
#include "net/router.h"
#include "net/server.h"
#include "net/tls.h"
#include "net/workers.h"

/* Stages of a request whose durations are told. */
enum pb_stage { PB_STAGE_RECEIVE, PB_STAGE_QUEUE, PB_STAGE_HANDLE, PB_STAGE_SEND, PB_STAGE_COUNT };

struct pb_server_metrics {
    struct pb_metric *connections, *in_hand, *bodies_bytes;
    struct pb_metric *refused_all, *refused_address, *refused_system;
    struct pb_metric *late_heads, *late_idle, *late_bodies, *late_replies;
    struct pb_metric *malformed;
    struct pb_metric *stages[PB_STAGE_COUNT];
    struct pb_metric *statuses[6]; /* [2]: 2xx */
    struct pb_metric **routes;     /* owned: durations of each route, then of what had none */
};

struct pb_server {
    const struct pb_env *env;         /* borrowed */
    struct pb_server_options options; /* its pointers are borrowed */
    struct pb_peer address;
    int socket; /* owned; -1 once it is closed */
    int wake;   /* owned: an eventfd that the keeper looks at */

    struct pb_router *router; /* owned, as all below */
    struct pb_tls *tls;       /* NULL: in the clear */
    struct pb_workers *workers;
    struct MHD_Daemon *daemon;
    struct pb_connections connections;
    struct pb_server_metrics metrics;

    char id_prefix[9]; /* of request ids: random, of this run */
    _Atomic uint64_t next_id;
    _Atomic size_t bodies_bytes; /* held for requests in hand */

    _Atomic bool is_draining; /* no new connections; each reply ends its connection */
    _Atomic bool is_ending;   /* the keeper ends */
    pthread_t keeper;
    bool has_connections, has_keeper; /* what there is to undo */
    bool is_closed; /* guarded by lock: the keeper has accepted its last connection */

    pthread_mutex_t lock;
    pthread_cond_t is_emptier; /* connections or working have become fewer */
    uint32_t working;          /* exchanges that are not the library's; guarded by lock */
};

enum pb_exchange_state {
    PB_EXCHANGE_NEW,      /* the request line has been read */
    PB_EXCHANGE_BODY,     /* the head was judged; the body comes in */
    PB_EXCHANGE_WORKING,  /* on a worker; the connection is suspended */
    PB_EXCHANGE_ANSWERED, /* the reply is filled */
    PB_EXCHANGE_SENDING,
};

struct pb_exchange {
    struct pb_job job;
    struct pb_server *server;         /* borrowed */
    struct pb_connection *connection; /* borrowed */
    struct MHD_Connection *mhd;       /* borrowed */
    _Atomic enum pb_exchange_state state;

    struct pb_arena arena;
    const char *raw_target; /* in the library's memory: only its place is looked at */
    struct pb_str target;   /* a copy, in the arena */
    struct pb_request request;
    struct pb_reply reply;
    uint32_t route_index; /* into metrics.routes */
    struct pb_head_facts facts;
    bool is_swallowing; /* the body is read and dropped: the reply is a refusal already */
    bool is_in_hand;    /* counted */

    char *body; /* owned */
    size_t body_bytes, body_capacity;
    uint64_t received_bytes, sent_bytes;

    int64_t started_ns, received_ns, handling_ns, handled_ns;
};

/* ---- exchange.c: from a head to a reply ---- */

/* NULL where there is no memory. target: as the library has it, or NULL. */
struct pb_exchange *pb_exchange_new(struct pb_server *server, struct MHD_Connection *mhd,
                                    struct pb_connection *connection, const char *target);
void pb_exchange_free(struct pb_exchange *exchange);

/* Judges the head and finds the route. What is refused has its reply, and either is_closing (to be
 * sent at once) or is_swallowing. */
void pb_exchange_begin(struct pb_exchange *exchange, const char *method, const char *version);
void pb_exchange_add_body(struct pb_exchange *exchange, const char *bytes, size_t count);
enum pb_handled {
    PB_HANDLED,
    PB_HANDLED_LATER, /* the reply comes later, and the exchange may be gone already */
    PB_HANDLED_NOT,   /* it must not wait, and would have had to */
};
/* Runs the handler. */
enum pb_handled pb_exchange_handle(struct pb_exchange *exchange, bool must_not_wait);
/* What the handler's status means for the reply. */
void pb_exchange_conclude(struct pb_exchange *exchange, enum pb_status status);
void pb_exchange_refuse(struct pb_exchange *exchange, unsigned status, const char *detail);
/* Hands the reply to the library. */
enum MHD_Result pb_exchange_send(struct pb_exchange *exchange);

#endif
