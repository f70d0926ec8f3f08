/*
 * Device: a browser at which somebody has signed in before.
 *
 * Others who guess at a name lock it for everybody but such browsers of its person: these have
 * attempts of their own and a hasher of their own, so that a flood of wrong passwords keeps nobody
 * out who was in before. What the browser holds is a cookie
 *
 *     <day><random>_<mac>     day: 4 hexadecimal digits, of 1970; random: 12; mac: 256 bits in
 *                             base64url, of both and of the person, under a key of the site
 *
 * It signs nobody in and is good for PB_DEVICE_DAYS.
 *
 * Threads: everything here is without state.
 * Source:  OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
 */
#ifndef PB_API_DEVICE_H
#define PB_API_DEVICE_H

#include <stdbool.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_api;
struct pb_reply;
struct pb_request;

#define PB_DEVICE_DAYS 30
#define PB_DEVICE_ID_CHARACTERS 16u
#define PB_DEVICE_COOKIE_BYTES (PB_DEVICE_ID_CHARACTERS + 1u + 43u + 1u) /* with its NUL */

/* Whether the request comes from a browser of the person's; ret_id: which of them. */
bool pb_api_device_find(struct pb_api *api, const struct pb_request *request, struct pb_str person,
                        struct pb_str *ret_id);
/* Tells the browser that it is one. */
PB_MUST_CHECK enum pb_status pb_api_device_set(struct pb_api *api, struct pb_reply *reply,
                                               struct pb_str person);

#endif
