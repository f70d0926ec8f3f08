/*
 * Authentication by session: a cookie, and for what changes anything a header that only a page of
 * this server can know.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

static bool
refuse(const struct pb_api_call *call, struct pb_reply *reply, unsigned status, const char *detail,
       const char *field)
{
    (void)pb_api_problem(call, reply, status, detail, field);
    if (status == 401)
        pb_reply_header(reply, "WWW-Authenticate", pb_str_from("Bearer realm=\"platebase\""));
    return false;
}

static bool
has_csrf(const struct pb_request *request, struct pb_str cookie)
{
    const struct pb_str *shown = pb_request_header(request, "X-CSRF-Token");
    char right[PB_SESSION_CSRF_BYTES];

    pb_api_session_csrf(cookie, right);
    return shown != NULL && shown->bytes == sizeof(right) - 1 &&
           sodium_memcmp(shown->text, right, sizeof(right) - 1) == 0;
}

/* Is it the person at their own browser who asks? */
static bool
is_meant(const struct pb_api_call *call, struct pb_str cookie, struct pb_reply *reply)
{
    if (call->request->method == PB_METHOD_GET)
        return true;
    if (!pb_api_is_same_site(call->request))
        return refuse(call, reply, 403, "sent from a page of another site", NULL);
    if (!has_csrf(call->request, cookie))
        return refuse(call, reply, 403, "the session's csrf is wanted in X-CSRF-Token",
                      "X-CSRF-Token");
    return true;
}

/* May a session in its state do what the endpoint does? */
static bool
may(const struct pb_api_call *call, const struct pb_api_session *session,
    const struct pb_api_standing *standing, struct pb_reply *reply)
{
    unsigned needed = pb_api_verbs_needed(call->endpoint->permission);

    if (call->endpoint->permission == PB_API_SESSION)
        return true;
    if (call->endpoint->permission == PB_API_TOKEN)
        return refuse(call, reply, 403, "this address is for tokens", NULL);
    if (session->is_locked)
        return refuse(call, reply, 401, "the session is locked: unlock it first", "session");
    if (session->is_enrolling)
        return refuse(call, reply, 403, "set how you sign in first", "session");
    if (needed != 0 && !standing->is_trained)
        return refuse(call, reply, 403, "your training is no longer valid", "training");
    if ((standing->verbs & needed) != needed)
        return refuse(call, reply, 403, "you may not do that", NULL);
    return true;
}

static enum pb_status
fill_caller(struct pb_api *api, const struct pb_api_call *call,
            const struct pb_api_session *session, const struct pb_api_standing *standing,
            struct pb_str cookie, struct pb_api_caller *caller)
{
    struct pb_arena *arena = call->request->arena;
    struct pb_api_session *copy = pb_arena_alloc(arena, sizeof(*copy));
    enum pb_status status = copy != NULL ? PB_OK : PB_E_NOMEM;

    if (status == PB_OK) {
        *copy = *session;
        *caller = (struct pb_api_caller){
            .session = copy,
            .cookie = cookie,
            .person = pb_str_from(copy->person),
            .verbs = standing->verbs,
            .has_stepped_up = pb_api_session_has_stepped_up(session, pb_monotonic_ns(api->env)),
            .client = "web",
        };
        status = pb_arena_copy(arena, standing->agency->id, &caller->agency);
    }
    return status;
}

bool
pb_api_authenticate_session(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_str cookie, struct pb_api_caller *ret_caller,
                            struct pb_reply *reply, enum pb_status *ret_status)
{
    bool uses = call->endpoint->permission != PB_API_SESSION;
    struct pb_api_standing standing;
    struct pb_api_session session;
    struct pb_error error = { "" };
    struct pb_str person;
    enum pb_status status;
    bool is_in;

    *ret_status = PB_OK;
    if (cookie.bytes == 0 || !pb_api_sessions_find(&api->people.sessions, cookie, uses, &session))
        return refuse(call, reply, 401, "sign in first", "session");
    if (!is_meant(call, cookie, reply))
        return false;
    person = pb_str_from(session.person);
    status = pb_api_standing_take(api, person, call->request->arena, &standing, &error);
    is_in = status == PB_OK && may(call, &session, &standing, reply);
    if (is_in)
        status = fill_caller(api, call, &session, &standing, cookie, ret_caller);
    if (status == PB_NOT_FOUND) {
        /* Disabled, or no longer anybody: with all that they left open. */
        (void)pb_api_sessions_end_all(&api->people.sessions, person, NULL);
        (void)refuse(call, reply, 401, "sign in first", "session");
    } else if (status != PB_OK) {
        *ret_status = status < 0 ? status : PB_E_CORRUPT;
        is_in = false;
    }
    pb_api_standing_drop(&standing);
    return is_in;
}
