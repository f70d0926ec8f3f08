/*
 * Connections: who is connected, how many, and who is too slow.
 *
 * The HTTP library only knows an idle time-out, which a client that sends a byte now and then
 * never meets. So each connection has an entry here that says what it is being waited for and since
 * when, and one thread looks through all of them at short intervals and shuts down what is over
 * its time. How far a client has come is asked from the kernel (TCP_INFO), which sees what was
 * sent and read whatever library or encryption lies above.
 *
 * Threads: `lock` guards the tables and the entries' owner; add and expire are called from one
 *          thread, find and remove from any. An entry's phase is atomic. A descriptor is only shut
 *          down under the lock, and its entry is removed before it is closed.
 */
#ifndef PB_NET_CONNECTIONS_H
#define PB_NET_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/http.h"
#include "net/server.h"

struct pb_tls_keys;

/* What a connection waits for. */
enum pb_phase {
    PB_PHASE_FIRST,   /* its first request, perhaps a TLS handshake before: head_ms */
    PB_PHASE_WAITING, /* the next request: idle_ms, and head_ms from its first byte */
    PB_PHASE_BODY,    /* the client's body: rate */
    PB_PHASE_WORKING, /* us */
    PB_PHASE_SENDING, /* the client to read our reply: rate */
};

struct pb_connection {
    struct pb_connection *next, *previous; /* of all */
    struct pb_connection *next_in_bucket;  /* by descriptor */
    int file;                              /* borrowed: the library's */
    struct pb_peer peer;
    struct pb_tls_keys *keys; /* owned: one reference, or NULL */
    char certificate[65];     /* of the client; empty: none, or not looked at yet */
    bool has_certificate;     /* it was looked at */

    _Atomic uint64_t phase_since; /* see pb_connection_enter */
    _Atomic uint64_t body_bytes;  /* of the request that is being read */

    /* Used under the lock by expire. */
    uint64_t seen_phase_since;
    uint64_t start_bytes;   /* the kernel's count when the phase was first seen */
    int64_t moved_since_ms; /* WAITING: when its count had changed; 0: not yet */
};

struct pb_address; /* an address and how many connections it has */

#define PB_CONNECTION_BUCKETS 1024u

struct pb_connections {
    const struct pb_env *env;              /* borrowed */
    const struct pb_server_limits *limits; /* borrowed */
    pthread_mutex_t lock;
    struct pb_connection *first; /* owned; and all below */
    struct pb_connection *by_file[PB_CONNECTION_BUCKETS];
    struct pb_address *by_address[PB_CONNECTION_BUCKETS];
    uint64_t seed; /* so that nobody can choose addresses that share a bucket */
    uint32_t count;
};

PB_MUST_CHECK enum pb_status pb_connections_init(struct pb_connections *connections,
                                                 const struct pb_env *env,
                                                 const struct pb_server_limits *limits);
void pb_connections_done(struct pb_connections *connections);

/* PB_OVER_LIMIT: too many in all; PB_CONFLICT: too many from this address; PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_connections_add(struct pb_connections *connections, int file,
                                                const struct pb_peer *peer);
/* NULL where there is none. */
struct pb_connection *pb_connections_find(struct pb_connections *connections, int file);
void pb_connections_remove(struct pb_connections *connections, struct pb_connection *connection);
uint32_t pb_connections_count(struct pb_connections *connections);

static inline int64_t
pb_connections_now_ms(const struct pb_connections *connections)
{
    /* Never 0, which means "not yet". */
    return pb_monotonic_ns(connections->env) / 1000000 + 1;
}

/* Phase, moment and a number that tells it from the one before are one word, so that all change at
 * once. */
void pb_connection_enter(struct pb_connections *connections, struct pb_connection *connection,
                         enum pb_phase phase);

struct pb_expired {
    uint32_t heads, idle, bodies, replies; /* shut down, by what they were late with */
};
/* Shuts down what is over its time; with is_draining also what waits for a next request. Adds to
 * ret_expired. */
void pb_connections_expire(struct pb_connections *connections, bool is_draining,
                           struct pb_expired *ret_expired);

#endif
