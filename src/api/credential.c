/*
 * What a request shows of a credential, and how often it may: RFC 6750 in the Authorization header,
 * a key in the path where the endpoint has one, or the certificate of a TLS client.
 */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "api/api_private.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

/* The token in "Bearer <token>"; empty where the header is missing, twice, or something else. */
static struct pb_str
bearer_of(const struct pb_request *request, unsigned *ret_count)
{
    static const char scheme[] = "Bearer ";
    struct pb_str shown = { NULL, 0 };
    unsigned count = 0;

    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct pb_pair *header = &request->headers[i];

        if (header->name.bytes != 13 || strncasecmp(header->name.text, "Authorization", 13) != 0)
            continue;
        count++;
        if (header->value.bytes > sizeof(scheme) - 1 &&
            strncasecmp(header->value.text, scheme, sizeof(scheme) - 1) == 0)
            shown = (struct pb_str){ header->value.text + sizeof(scheme) - 1,
                                     header->value.bytes - (uint32_t)(sizeof(scheme) - 1) };
    }
    *ret_count = count;
    return count == 1 ? shown : (struct pb_str){ NULL, 0 };
}

struct pb_api_shown
pb_api_shown(const struct pb_api_call *call)
{
    const struct pb_request *request = call->request;
    struct pb_api_shown shown = { .via = PB_TOKEN_HEADER };
    unsigned headers;

    if (call->endpoint->permission == PB_API_READER_KEY) {
        shown.via = PB_TOKEN_PATH;
        shown.text = pb_request_param(request, "key");
        return shown;
    }
    shown.text = bearer_of(request, &headers);
    /* A header, whatever it says, is what the client means. */
    if (headers == 0 && request->certificate.bytes > 0) {
        shown.via = PB_TOKEN_CERTIFICATE;
        shown.text = request->certificate;
    }
    return shown;
}

bool
pb_api_is_at_hand(struct pb_api *api, const struct pb_api_call *call)
{
    struct pb_api_shown shown = pb_api_shown(call);
    struct pb_str id = pb_api_token_id(shown.via, shown.text);
    char room[PB_TOKEN_CACHED_BYTES];
    uint64_t drops;

    return id.bytes > 0 && pb_api_token_cache_get(&api->token_cache, id, pb_monotonic_ns(api->env),
                                                  room, &drops) > 0;
}

/* ---- how often ---- */

static bool
refuse(const struct pb_api_call *call, struct pb_reply *reply, const char *detail,
       const char *field, uint32_t seconds)
{
    struct pb_problem problem = {
        .status = 429,
        .detail = detail,
        .field = field,
        .retry_after_s = seconds,
    };

    if (seconds == 0)
        return true;
    pb_reply_problem(reply, call->request, &problem);
    return false;
}

bool
pb_api_may_try(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct pb_api_shown shown = pb_api_shown(call);
    uint32_t seconds;
    struct pb_str id;

    if (shown.text.bytes == 0)
        return true;
    seconds =
        pb_api_quota_failures_wait(&api->quota, &call->request->peer, pb_monotonic_ns(api->env));
    if (seconds == 0)
        return true;
    /* Others of the same address go on with a token that is known here. */
    id = pb_api_token_id(shown.via, shown.text);
    if (id.bytes > 0 && pb_api_token_cache_knows(&api->token_cache, id))
        return true;
    return refuse(call, reply, "too many wrong credentials have come from this address", NULL,
                  seconds);
}

void
pb_api_note_try(struct pb_api *api, const struct pb_api_call *call, const struct pb_reply *reply)
{
    if (reply->status == 401 && pb_api_shown(call).text.bytes > 0)
        pb_api_quota_failed(&api->quota, &call->request->peer, pb_monotonic_ns(api->env));
}

static struct pb_api_quota_holder
holder_of(const struct pb_api_call *call)
{
    const struct pb_api_caller *caller = call->caller;
    struct pb_api_quota_holder holder = { .peer = &call->request->peer };

    if (caller == NULL)
        return holder;
    if (caller->token != NULL)
        holder.ids[PB_QUOTA_TOKEN] = caller->token->id;
    holder.ids[PB_QUOTA_PERSON] = caller->person;
    holder.ids[PB_QUOTA_AGENCY] = caller->agency;
    return holder;
}

bool
pb_api_take_request(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_api_quota_holder holder = holder_of(call);

    /* What tells whether we live must not depend on how much else is asked. */
    if (call->endpoint->is_quick)
        return true;
    return refuse(call, reply, "more requests than may be made: nothing was done", NULL,
                  pb_api_quota_request(&api->quota, &holder, pb_monotonic_ns(api->env)));
}

void
pb_api_give_request_back(struct pb_api *api, const struct pb_api_call *call)
{
    const struct pb_api_quota_holder holder = holder_of(call);

    pb_api_quota_give_back(&api->quota, &holder, pb_monotonic_ns(api->env));
}

/* More than an hour's worth never fits; the caller is told how many do. */
static bool
refuse_many(const struct pb_api_call *call, struct pb_reply *reply, uint32_t most)
{
    char text[96];
    int length =
        snprintf(text, sizeof(text), "at most %" PRIu32 " rows may be had in an hour", most);
    const char *detail =
        pb_arena_text(call->request->arena, (struct pb_str){ text, (uint32_t)length });

    (void)pb_api_problem(call, reply, 400, detail, "limit");
    return false;
}

bool
pb_api_take_rows(struct pb_api *api, const struct pb_api_call *call, uint64_t rows,
                 struct pb_api_rows *ret_rows, struct pb_reply *reply)
{
    const struct pb_api_quota_holder holder = holder_of(call);
    uint32_t most = pb_api_quota_rows_max(&api->quota, &holder);

    if (rows > most)
        return refuse_many(call, reply, most);
    *ret_rows = (struct pb_api_rows){ (uint32_t)rows, pb_monotonic_ns(api->env) };
    return refuse(call, reply, "more rows than are left of this hour: nothing was asked", "limit",
                  pb_api_quota_rows_take(&api->quota, &holder, ret_rows->taken,
                                         ret_rows->taken_ns));
}

void
pb_api_rows_given(struct pb_api *api, const struct pb_api_call *call,
                  const struct pb_api_rows *rows, uint64_t given)
{
    const struct pb_api_quota_holder holder = holder_of(call);
    int64_t now_ns = pb_monotonic_ns(api->env);

    if (given > rows->taken)
        pb_api_quota_rows_given(&api->quota, &holder, given - rows->taken, now_ns);
    else
        pb_api_quota_rows_give_back(&api->quota, &holder, rows->taken - (uint32_t)given,
                                    rows->taken_ns, now_ns);
}
