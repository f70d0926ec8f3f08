/*
 * Cookies: the session's and an attempt's, in the headers of a request and of a reply.
 *
 * Over TLS its name begins with __Host-, so that a browser takes it from this host alone, over TLS
 * alone, for every path; in the clear on the loopback interface it cannot.
 *
 * Threads: everything here is without state.
 * Source:  RFC 6265 section 4.2; draft-ietf-httpbis-rfc6265bis (prefixes, SameSite).
 */
#ifndef PB_API_COOKIE_H
#define PB_API_COOKIE_H

#include <stdbool.h>

#include "net/http.h"

/* How many session cookies a request shows; ret_value: the last of them. */
unsigned pb_api_cookie_find(const struct pb_request *request, bool is_secure,
                            struct pb_str *ret_value);
/* value empty: the browser forgets it. */
void pb_api_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value);

/* The same for the cookie of an attempt to sign in, which comes along when another site sends the
 * browser here, and is forgotten after some minutes. */
#define PB_ATTEMPT_COOKIE_CHARACTERS 43u
unsigned pb_api_attempt_cookie_find(const struct pb_request *request, bool is_secure,
                                    struct pb_str *ret_value);
void pb_api_attempt_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value);

/* The same for the cookie of a browser at which somebody has signed in (api/device.h). */
unsigned pb_api_device_cookie_find(const struct pb_request *request, bool is_secure,
                                   struct pb_str *ret_value);
void pb_api_device_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value);

#endif
