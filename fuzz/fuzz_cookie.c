/*
 * Fuzz target: the headers of a request as a browser, or anybody, may send them. A cookie that is
 * found lies within its header and is named as it must be; no bytes open a session but its own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/cookie.h"
#include "api/people.h"
#include "base/env.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
find(const struct pb_request *request, bool is_secure)
{
    struct pb_str value;
    unsigned count = pb_api_cookie_find(request, is_secure, &value);
    uint32_t within = 0;

    for (uint32_t i = 0; i < request->header_count; i++) {
        struct pb_str header = request->headers[i].value;

        within += value.text != NULL && value.text >= header.text &&
                  value.text + value.bytes <= header.text + header.bytes;
    }
    check((count > 0) == (value.text != NULL));
    check(count == 0 || within > 0);
}

static void
open(const struct pb_env *env, struct pb_str cookie)
{
    struct pb_api_session session = { .person = "doe" }, found;
    struct pb_api_sessions sessions = { .places = NULL };
    char own[PB_SESSION_COOKIE_BYTES], csrf[PB_SESSION_CSRF_BYTES];
    struct pb_error error;

    if (pb_api_sessions_init(&sessions, env, &error) != PB_OK)
        return;
    check(pb_api_sessions_begin(&sessions, &session, own, &error) == PB_OK);
    check(pb_api_sessions_find(&sessions, pb_str_from(own), true, &found));
    check(!pb_api_sessions_find(&sessions, cookie, true, &found));
    pb_api_session_csrf(cookie, csrf);
    check(strlen(csrf) == PB_SESSION_CSRF_BYTES - 1);
    pb_api_sessions_done(&sessions);
}

/* Headers are cut at line ends; their names are Cookie, Origin, Sec-Fetch-Site and Host in turn. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "Cookie", "cookie", "Origin", "Host", "Sec-Fetch-Site" };
    struct pb_pair headers[16];
    struct pb_request request = { .headers = headers };
    const char *at = (const char *)data, *end = at + size;

    if (size > 4096)
        return 0;
    while (at < end && request.header_count < 16) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        uint32_t bytes = (uint32_t)((line_end != NULL ? line_end : end) - at);

        headers[request.header_count] = (struct pb_pair){
            pb_str_from(names[request.header_count % 5]),
            { at, bytes },
        };
        request.header_count++;
        at += bytes + 1;
    }
    find(&request, false);
    find(&request, true);
    (void)pb_api_is_same_site(&request);
    open(pb_env_system(), (struct pb_str){ (const char *)data, (uint32_t)size });
    return 0;
}
