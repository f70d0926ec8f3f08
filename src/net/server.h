/*
 * Server: HTTP/1.1 for a table of routes, over TLS, or in the clear on the loopback interface.
 *
 * Built on libmicrohttpd, which reads and writes; what it is too lenient or too patient about is
 * judged by net/head.h and net/connections.h. docs/internals/net.md follows one request.
 *
 * Threads: one keeper accepts connections and ends late ones; io_threads read and write; handlers
 *          run on worker_threads (those that are quick where they were read). All of it may be
 *          started and stopped from one thread; reload from any.
 * Limits:  struct pb_server_limits; base/limits.h, PB_NET_*.
 */
#ifndef PB_NET_SERVER_H
#define PB_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "net/http.h"

struct pb_log;
struct pb_metrics;
struct pb_server; /* opaque */

struct pb_server_limits {
    uint32_t connections_max;
    uint32_t connections_per_address_max; /* of IPv6: per /64 */
    int64_t head_ms;       /* from the first byte of a request to the end of its headers */
    int64_t idle_ms;       /* between requests */
    int64_t rate_grace_ms; /* how long a body or a reply may take before its rate is looked at */
    uint32_t rate_min_bytes_s;
    size_t bodies_bytes_max; /* of all requests in hand */
    uint32_t queue_max;      /* requests that wait for a worker */
    int64_t tick_ms;         /* how often lateness is looked for */
};
struct pb_server_limits pb_server_limits_usual(void);

struct pb_server_options {
    const struct pb_route *routes; /* borrowed, and what they point to */
    uint32_t route_count;
    struct pb_server_limits limits;
    unsigned io_threads, worker_threads; /* 1 or more */

    int socket;         /* that listens; becomes the server's; -1: open one on `listen` */
    const char *listen; /* see net/listen.h */
    /* PEM files; both NULL: no TLS, and then only a loopback address will do. */
    const char *certificate_path, *key_path;
    bool asks_certificates; /* clients may show one: see pb_request.certificate */

    const struct pb_log *log;   /* borrowed; NULL: none */
    struct pb_metrics *metrics; /* borrowed: series are added to it */
};

/*
 * Returns  PB_OK         it serves
 *          PB_BAD_INPUT  an option is wrong, a public address lacks TLS, a certificate or the
 *                        route table is no good; error says which
 *          PB_E_IO       the address is taken, a file cannot be read, no thread can be had
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_server_start(const struct pb_env *env,
                                             const struct pb_server_options *options,
                                             struct pb_server **ret_server, struct pb_error *error);

/*
 * Takes no more connections, lets requests in hand be answered, ends idle connections, and frees
 * the server. After grace_ms what is left is cut; handlers that run are still waited for.
 * NULL is fine. Returns how many connections were cut.
 */
uint32_t pb_server_stop(struct pb_server *server, int64_t grace_ms);

/* Reads certificate and key again for new connections; without TLS it does nothing. On failure
 * those of before stay in use. */
PB_MUST_CHECK enum pb_status pb_server_reload(struct pb_server *server, struct pb_error *error);

/* What it listens on. */
struct pb_peer pb_server_address(const struct pb_server *server);
bool pb_server_is_tls(const struct pb_server *server);

#endif
