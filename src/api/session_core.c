/*
 * Sessions of people: how one begins, is proved anew, and is shown.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "api/device.h"
#include "api/leaf.h"
#include "api/member.h"
#include "api/people.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

#define SIGN_IN_TRIES 4

/* ---- where a request comes from ---- */

/* "https://host:port" or "http://...": is it the Host that was asked? */
static bool
is_origin_of(struct pb_str origin, const struct pb_str *host)
{
    static const char *const schemes[] = { "https://", "http://" };

    for (unsigned i = 0; i < 2; i++) {
        uint32_t bytes = (uint32_t)strlen(schemes[i]);

        if (host != NULL && origin.bytes > bytes && memcmp(origin.text, schemes[i], bytes) == 0)
            return pb_str_equal((struct pb_str){ origin.text + bytes, origin.bytes - bytes },
                                *host);
    }
    return false;
}

bool
pb_api_is_same_site(const struct pb_request *request)
{
    const struct pb_str *site = pb_request_header(request, "Sec-Fetch-Site");
    const struct pb_str *origin = pb_request_header(request, "Origin");

    if (site != NULL && !pb_str_equal(*site, pb_str_from("same-origin")) &&
        !pb_str_equal(*site, pb_str_from("none")))
        return false;
    return origin == NULL || is_origin_of(*origin, pb_request_header(request, "Host"));
}

bool
pb_api_consents(struct pb_api *api, const struct pb_api_call *call, struct pb_str consent,
                struct pb_reply *reply)
{
    if (pb_str_equal(consent, pb_str_from(api->people.splash_hex)))
        return true;
    (void)pb_api_problem(call, reply, 403,
                         "agree to the text at /v1/session/splash first: give its sha256",
                         "consent");
    return false;
}

/* ---- what a session looks like ---- */

struct pb_str
pb_api_methods_text(unsigned methods, char room[96])
{
    struct pb_text_out out = pb_text_out(room, 96);

    for (unsigned i = 0; i < PB_SIGN_IN_METHODS; i++) {
        if ((methods & 1u << i) == 0)
            continue;
        if (out.at != room)
            pb_put_char(&out, ',');
        pb_put_text(&out, pb_api_sign_in_method_name(i));
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static void
put_words(struct pb_reply *reply, const char *key, unsigned bits, unsigned count,
          const char *(*name)(unsigned index))
{
    const char *gap = "";

    pb_reply_put_text(reply, ",\"");
    pb_reply_put_text(reply, key);
    pb_reply_put_text(reply, "\":[");
    for (unsigned i = 0; i < count; i++) {
        if ((bits & 1u << i) == 0)
            continue;
        pb_reply_put_text(reply, gap);
        pb_reply_put_json(reply, pb_str_from(name(i)));
        gap = ",";
    }
    pb_reply_put_text(reply, "]");
}

static const char *
state_of(const struct pb_api_session *session)
{
    if (session->is_enrolling)
        return "enrolling";
    return session->is_locked ? "locked" : "open";
}

/* Who is away sees no more of a locked session than that it is one. */
static void
put_person(struct pb_reply *reply, const struct pb_api_session *session,
           const struct pb_api_standing *standing, struct pb_str cookie)
{
    char csrf[PB_SESSION_CSRF_BYTES];

    pb_api_put_text(reply, "person", standing->person->id);
    pb_api_put_text(reply, "name", standing->person->name);
    pb_api_put_text(reply, "role", standing->person->role);
    pb_api_put_text(reply, "agency", standing->agency->id);
    pb_api_put_text(reply, "agency_name", standing->agency->name);
    put_words(reply, "verbs", session->is_enrolling ? 0 : standing->verbs, PB_TOKEN_VERBS,
              pb_api_token_verb_name);
    pb_api_put_time(reply, "training_valid_until", standing->person->training_valid_until_us);
    pb_api_session_csrf(cookie, csrf);
    pb_api_put_text(reply, "csrf", pb_str_from(csrf));
}

static void
put_times(struct pb_api *api, struct pb_reply *reply, const struct pb_api_session *session)
{
    int64_t now_us = pb_now_us(api->env), now_ns = pb_monotonic_ns(api->env);

    pb_api_put_time(reply, "consented_at", session->consented_at_us);
    pb_api_put_time(reply, "began_at", session->began_at_us);
    pb_api_put_time(reply, "ends_at",
                    now_us + (session->began_ns + PB_SESSION_LIFE_NS - now_ns) / 1000);
    if (!session->is_locked)
        pb_api_put_time(reply, "locks_at",
                        now_us + (session->used_ns + PB_SESSION_IDLE_NS - now_ns) / 1000);
    if (pb_api_session_has_stepped_up(session, now_ns))
        pb_api_put_time(reply, "stepped_up_until",
                        now_us + (session->proved_ns + PB_SESSION_STEP_UP_NS - now_ns) / 1000);
}

void
pb_api_session_put(struct pb_api *api, struct pb_reply *reply, const struct pb_api_session *session,
                   const struct pb_api_standing *standing, struct pb_str cookie,
                   char (*recovery)[PB_RECOVERY_CODE_BYTES])
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"id\":");
    pb_reply_put_json(reply, pb_str_from(session->id));
    pb_api_put_text(reply, "state", pb_str_from(state_of(session)));
    put_words(reply, "methods", session->methods, PB_SIGN_IN_METHODS, pb_api_sign_in_method_name);
    put_person(reply, session, standing, cookie);
    put_times(api, reply, session);
    for (unsigned i = 0; recovery != NULL && i < PB_RECOVERY_CODES; i++) {
        pb_reply_put_text(reply, i == 0 ? ",\"recovery_codes\":[" : ",");
        pb_reply_put_json(reply, pb_str_from(recovery[i]));
    }
    pb_reply_put_text(reply, recovery != NULL ? "]}\n" : "}\n");
}

/* ---- beginning ---- */

enum pb_status
pb_api_session_leaf(struct pb_api *api, const struct pb_api_standing *standing, const char *verb,
                    unsigned methods, struct pb_error *error)
{
    struct pb_api_leaf leaf;
    char room[96];

    pb_api_leaf_init(&leaf, standing->agency->id, "sign-in");
    pb_api_leaf_text(&leaf, "verb", pb_str_from(verb));
    pb_api_leaf_text(&leaf, "by", pb_api_methods_text(methods, room));
    if (strcmp(verb, "in") == 0)
        pb_api_leaf_hash(&leaf, "agreed", api->people.splash_sha256);
    pb_api_leaf_secret(&leaf, "person", standing->person->id);
    return pb_api_leaf_append(&leaf, api->options.site, error);
}

enum pb_status
pb_api_retire(struct pb_api *api, struct pb_str person, struct pb_arena *arena,
              struct pb_error *error)
{
    struct pb_api_account account;
    enum pb_status status = pb_api_account_find(api->options.site, person, arena, &account, error);

    if (status != PB_OK || account.state != PB_ACCOUNT_ACTIVE ||
        pb_api_account_is_usable(&account, pb_now_us(api->env)))
        return status == PB_NOT_FOUND ? PB_OK : status;
    account.state = PB_ACCOUNT_DISABLED;
    account.disabled_at_us = pb_now_us(api->env);
    account.why = pb_str_from("not used for 30 days");
    status = pb_api_account_change(api->options.site, &account, (struct pb_str){ NULL, 0 },
                                   "disable", error);
    return status == PB_CONFLICT ? PB_OK : status;
}

/* Notes that the account is in use. Somebody else may change it meanwhile. */
static enum pb_status
note_use(struct pb_api *api, struct pb_api_standing *standing, struct pb_arena *arena,
         struct pb_error *error)
{
    enum pb_status status = PB_CONFLICT;

    for (int i = 0; i < SIGN_IN_TRIES && status == PB_CONFLICT; i++) {
        status = i == 0 ? PB_OK
                        : pb_api_account_find(api->options.site, standing->person->id, arena,
                                              &standing->account, error);
        if (status == PB_OK && !pb_api_account_is_usable(&standing->account, pb_now_us(api->env)))
            return PB_NOT_FOUND;
        standing->account.signed_in_at_us = pb_now_us(api->env);
        if (status == PB_OK)
            status = pb_api_account_swap(api->options.site, &standing->account, error);
    }
    return status == PB_CONFLICT ? PB_E_BUSY : status;
}

static enum pb_status
begin(struct pb_api *api, const struct pb_api_sign_in *sign_in, struct pb_api_standing *standing,
      struct pb_arena *arena, struct pb_reply *reply, struct pb_error *error)
{
    struct pb_api_session session = {
        .methods = sign_in->methods,
        .is_enrolling = sign_in->is_enrolling,
        .consented_at_us = pb_now_us(api->env),
        .began_at_us = pb_now_us(api->env),
        .proved_ns = sign_in->is_fresh ? pb_monotonic_ns(api->env) : 0,
    };
    char cookie[PB_SESSION_COOKIE_BYTES];
    enum pb_status status = pb_api_session_leaf(api, standing, "in", sign_in->methods, error);

    if (status == PB_OK && !sign_in->is_enrolling)
        status = note_use(api, standing, arena, error);
    if (status != PB_OK)
        return status;
    memcpy(session.person, sign_in->person.text, sign_in->person.bytes);
    memcpy(session.consent_sha256, api->people.splash_sha256, sizeof(session.consent_sha256));
    status = pb_api_sessions_begin(&api->people.sessions, &session, cookie, error);
    if (status != PB_OK)
        return status;
    /* Shown is what was kept: its id and times were set there. */
    if (!pb_api_sessions_find(&api->people.sessions, pb_str_from(cookie), true, &session))
        return PB_E_BUSY;
    reply->status = 201;
    pb_api_cookie_set(reply, api->people.is_secure, pb_str_from(cookie));
    pb_api_session_put(api, reply, &session, standing, pb_str_from(cookie), NULL);
    sodium_memzero(cookie, sizeof(cookie));
    return sign_in->is_enrolling ? PB_OK : pb_api_device_set(api, reply, sign_in->person);
}

enum pb_status
pb_api_session_begin(struct pb_api *api, const struct pb_api_call *call,
                     const struct pb_api_sign_in *sign_in, struct pb_reply *reply)
{
    struct pb_arena *arena = call->request->arena;
    struct pb_api_standing standing;
    struct pb_error error = { "" };
    enum pb_status status;

    if (!pb_api_consents(api, call, sign_in->consent, reply))
        return PB_OK;
    status = pb_api_standing_take(api, sign_in->person, arena, &standing, &error);
    if (status == PB_OK)
        status = begin(api, sign_in, &standing, arena, reply, &error);
    pb_api_standing_drop(&standing);
    if (status != PB_NOT_FOUND)
        return status;
    status = pb_api_retire(api, sign_in->person, arena, &error);
    if (status != PB_OK)
        return status;
    return pb_api_problem(call, reply, 401, "that does not sign anybody in", NULL);
}

/* ---- proving anew ---- */

enum pb_status
pb_api_session_prove(struct pb_api *api, const struct pb_api_call *call, unsigned methods,
                     const char *verb, bool is_fresh, struct pb_reply *reply)
{
    struct pb_api_session session = *call->caller->session;
    char cookie[PB_SESSION_COOKIE_BYTES];
    struct pb_api_standing standing;
    struct pb_error error = { "" };
    enum pb_status status = pb_api_standing_take(api, pb_str_from(session.person),
                                                 call->request->arena, &standing, &error);

    if (status == PB_OK)
        status = pb_api_session_leaf(api, &standing, verb, methods, &error);
    if (status == PB_OK && is_fresh)
        session.proved_ns = pb_monotonic_ns(api->env);
    if (status == PB_OK)
        status = pb_api_sessions_renew(&api->people.sessions, &session, cookie, &error);
    if (status == PB_OK) {
        pb_api_cookie_set(reply, api->people.is_secure, pb_str_from(cookie));
        pb_api_session_put(api, reply, &session, &standing, pb_str_from(cookie), NULL);
        sodium_memzero(cookie, sizeof(cookie));
    }
    pb_api_standing_drop(&standing);
    return status == PB_NOT_FOUND
               ? pb_api_problem(call, reply, 401, "the session has ended", "session")
               : status;
}
