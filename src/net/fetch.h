/*
 * Fetch: one request to another server, by libcurl.
 *
 * Where requests go is configured by the operator, or said by a server that the operator named. So
 * what is guarded against is an address that is none of a server on the network (only https, or
 * http to this machine), an answer that is too long, too slow, or leads elsewhere (no redirect is
 * followed), and a certificate that does not hold.
 *
 * libcurl takes its own memory and offers no way to give it another allocator per transfer.
 *
 * Threads: every call is safe from any thread, and blocks.
 */
#ifndef PB_NET_FETCH_H
#define PB_NET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

#define PB_FETCH_URL_BYTES_MAX 2048u

/* "https://host[:port][/...]", or http where the host is 127.0.0.1, [::1] or localhost. Without a
 * name and password, fragment, white space or control characters. */
bool pb_fetch_is_allowed(struct pb_str url);

struct pb_fetch_request {
    const char *url;
    const char *content_type; /* of a POST; NULL: a GET */
    struct pb_str body;
    const char *user, *password; /* Basic; NULL: none */
    const char *trusted_path;    /* PEM of who is trusted to sign; NULL: whom the system trusts */
    long total_ms;               /* from beginning to end, at most */
    size_t bytes_max;            /* of the answer */
};

struct pb_fetch_reply {
    unsigned status; /* of HTTP */
    char *body;      /* owned: freed with pb_free; NUL behind its end */
    size_t body_bytes;
    char content_type[64]; /* lower case, without parameters */
};

/*
 * Returns  PB_OK          there is an answer, whatever its status; ret_reply->body is the caller's
 *          PB_BAD_INPUT   the address is not allowed
 *          PB_OVER_LIMIT  the answer is longer than bytes_max
 *          PB_E_IO        no answer in time, or no trust
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_fetch(const struct pb_env *env,
                                      const struct pb_fetch_request *request,
                                      struct pb_fetch_reply *ret_reply, struct pb_error *error);

#endif
