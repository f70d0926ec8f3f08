/*
 * Fuzz target: what a request shows of a credential, and the fields of its query. The first line is
 * a query, "name=value&...", every other one a header's value: Authorization, or a cookie of each
 * kind. What is found lies within what was sent, and a query that passes has each field once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "base/text.h"

#define PAIRS_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

/* Cuts the next piece off; false: there is none. */
static bool
cut(struct pb_str *rest, char end, struct pb_str *ret_piece)
{
    const char *found = rest->bytes > 0 ? memchr(rest->text, end, rest->bytes) : NULL;
    uint32_t bytes = found != NULL ? (uint32_t)(found - rest->text) : rest->bytes;

    if (rest->bytes == 0)
        return false;
    *ret_piece = (struct pb_str){ rest->text, bytes };
    bytes += found != NULL;
    *rest = (struct pb_str){ rest->text + bytes, rest->bytes - bytes };
    return true;
}

static bool
lies_in(struct pb_str inner, struct pb_str outer)
{
    return inner.text >= outer.text && inner.text + inner.bytes <= outer.text + outer.bytes;
}

static void
check_credential(const struct pb_request *request, struct pb_str all)
{
    static const struct pb_api_endpoint endpoint = { .permission = PB_API_ASK };
    const struct pb_api_call call = { .request = request, .endpoint = &endpoint };
    struct pb_api_shown shown = pb_api_shown(&call);
    unsigned headers = 0;

    for (uint32_t i = 0; i < request->header_count; i++)
        headers += (request->headers[i].name.text[0] | 0x20) == 'a';
    check(shown.via == PB_TOKEN_HEADER);
    /* Twice is not at all: whose rights counted would depend on the reader. */
    check(shown.text.bytes == 0 || (headers == 1 && lies_in(shown.text, all)));
}

static void
check_cookies(const struct pb_request *request, struct pb_str all)
{
    static unsigned (*const finders[])(const struct pb_request *, bool, struct pb_str *) = {
        pb_api_cookie_find,
        pb_api_attempt_cookie_find,
        pb_api_device_cookie_find,
    };

    for (unsigned i = 0; i < 6; i++) {
        struct pb_str value = { NULL, 0 };
        unsigned count = finders[i / 2](request, i % 2 == 0, &value);

        check(count == 0 || lies_in(value, all));
    }
}

static void
check_query(const struct pb_request *request)
{
    static const struct pb_api_field fields[] = {
        { "text", PB_API_TEXT, false, 0 },      { "id", PB_API_ID, true, 0 },
        { "limit", PB_API_COUNT, false, 1000 }, { "at", PB_API_TIME, false, 0 },
        { "is", PB_API_BOOL, false, 0 },        { NULL, PB_API_TEXT, false, 0 },
    };
    struct pb_str field = { NULL, 0 };
    const char *why = NULL;
    bool is_good = pb_api_query_check(fields, request, &field, &why);

    check(is_good || (field.text != NULL && why != NULL));
    if (!is_good)
        return;
    check(request->query_count <= 5 && pb_request_query(request, "id")->bytes > 0);
    check(pb_api_query_count(request, "limit", 7) <= 1000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "Authorization", "Cookie", "authorization", "COOKIE" };
    struct pb_str all = { (const char *)data, (uint32_t)size }, rest = all, line, pair;
    struct pb_pair headers[PAIRS_MAX], query[PAIRS_MAX];
    struct pb_request request = { .headers = headers, .query = query };

    if (size > 8192)
        return 0;
    if (!cut(&rest, '\n', &line))
        return 0;
    while (request.query_count < PAIRS_MAX && cut(&line, '&', &pair)) {
        struct pb_pair *to = &query[request.query_count++];

        if (!cut(&pair, '=', &to->name))
            to->name = (struct pb_str){ line.text, 0 };
        to->value = pair;
    }
    /* The first character chooses the header, so that one of a kind can stand alone. */
    while (request.header_count < PAIRS_MAX && cut(&rest, '\n', &line)) {
        if (line.bytes == 0)
            continue;
        headers[request.header_count++] = (struct pb_pair){
            pb_str_from(names[(unsigned char)line.text[0] % 4]),
            { line.text + 1, line.bytes - 1 },
        };
    }
    check_credential(&request, all);
    check_cookies(&request, all);
    check_query(&request);
    return 0;
}
