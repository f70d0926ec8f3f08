/*
 * Cookie: found by name, whatever stands around it.
 */
#include "api/cookie.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/attempts.h"
#include "api/device.h"
#include "api/session.h"
#include "base/text.h"

static const char *
name_of(bool is_secure)
{
    return is_secure ? "__Host-platebase" : "platebase";
}

static struct pb_str
trim(struct pb_str text)
{
    while (text.bytes > 0 && (text.text[0] == ' ' || text.text[0] == '\t'))
        text = (struct pb_str){ text.text + 1, text.bytes - 1 };
    while (text.bytes > 0 &&
           (text.text[text.bytes - 1] == ' ' || text.text[text.bytes - 1] == '\t'))
        text.bytes--;
    return text;
}

/* Counts the cookies of a name in one header. */
static unsigned
find_in(struct pb_str header, struct pb_str name, struct pb_str *ret_value)
{
    unsigned count = 0;

    while (header.bytes > 0) {
        const char *end = memchr(header.text, ';', header.bytes);
        uint32_t bytes = end != NULL ? (uint32_t)(end - header.text) : header.bytes;
        struct pb_str pair = trim((struct pb_str){ header.text, bytes });
        const char *equals = pair.bytes > 0 ? memchr(pair.text, '=', pair.bytes) : NULL;

        if (equals != NULL) {
            uint32_t name_bytes = (uint32_t)(equals - pair.text);

            if (pb_str_equal(trim((struct pb_str){ pair.text, name_bytes }), name)) {
                count++;
                *ret_value = trim((struct pb_str){ equals + 1, pair.bytes - name_bytes - 1 });
            }
        }
        bytes += end != NULL;
        header = (struct pb_str){ header.text + bytes, header.bytes - bytes };
    }
    return count;
}

static unsigned
find(const struct pb_request *request, const char *name, struct pb_str *ret_value)
{
    unsigned count = 0;

    *ret_value = (struct pb_str){ NULL, 0 };
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct pb_pair *header = &request->headers[i];

        if (header->name.bytes == 6 && strncasecmp(header->name.text, "Cookie", 6) == 0)
            count += find_in(header->value, pb_str_from(name), ret_value);
    }
    return count;
}

static void
set(struct pb_reply *reply, bool is_secure, const char *name, struct pb_str value, int age_s,
    const char *same_site)
{
    char text[256];
    int bytes = snprintf(text, sizeof(text), "%s=%.*s; Path=/; Max-Age=%d; HttpOnly; SameSite=%s%s",
                         name, (int)value.bytes, value.bytes > 0 ? value.text : "",
                         value.bytes > 0 ? age_s : 0, same_site, is_secure ? "; Secure" : "");

    pb_reply_header(reply, "Set-Cookie", (struct pb_str){ text, (uint32_t)bytes });
    explicit_bzero(text, sizeof(text));
}

unsigned
pb_api_cookie_find(const struct pb_request *request, bool is_secure, struct pb_str *ret_value)
{
    return find(request, name_of(is_secure), ret_value);
}

void
pb_api_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value)
{
    set(reply, is_secure, name_of(is_secure), value, (int)(PB_SESSION_LIFE_NS / 1000000000),
        "Strict");
}

static const char *
attempt_name_of(bool is_secure)
{
    return is_secure ? "__Host-platebase-attempt" : "platebase-attempt";
}

unsigned
pb_api_attempt_cookie_find(const struct pb_request *request, bool is_secure,
                           struct pb_str *ret_value)
{
    return find(request, attempt_name_of(is_secure), ret_value);
}

void
pb_api_attempt_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value)
{
    set(reply, is_secure, attempt_name_of(is_secure), value, PB_ATTEMPT_LIFE_S, "Lax");
}

static const char *
device_name_of(bool is_secure)
{
    return is_secure ? "__Host-platebase-device" : "platebase-device";
}

unsigned
pb_api_device_cookie_find(const struct pb_request *request, bool is_secure,
                          struct pb_str *ret_value)
{
    return find(request, device_name_of(is_secure), ret_value);
}

void
pb_api_device_cookie_set(struct pb_reply *reply, bool is_secure, struct pb_str value)
{
    set(reply, is_secure, device_name_of(is_secure), value, PB_DEVICE_DAYS * 24 * 3600, "Strict");
}
