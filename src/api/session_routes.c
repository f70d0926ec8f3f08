/*
 * Sessions: shown, proved anew, enrolled, ended.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "api/breached.h"
#include "api/member.h"
#include "api/texts.h"
#include "api/cookie.h"
#include "api/device.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "net/workers.h"

#define CODE_BYTES_MAX 64u

enum pb_status
pb_api_handle_session_splash(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    if (api->options.site == NULL)
        return pb_api_problem(call, reply, 503, "this server was not started to sign people in",
                              NULL);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"sha256\":");
    pb_reply_put_json(reply, pb_str_from(api->people.splash_hex));
    pb_reply_put_text(reply, ",\"text\":");
    pb_reply_put_json(reply,
                      (struct pb_str){ api->people.splash, (uint32_t)api->people.splash_bytes });
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_session_show(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct pb_api_standing standing;
    struct pb_error error = { "" };
    enum pb_status status =
        pb_api_standing_take(api, call->caller->person, call->request->arena, &standing, &error);

    if (status == PB_OK)
        pb_api_session_put(api, reply, call->caller->session, &standing, call->caller->cookie,
                           NULL);
    pb_api_standing_drop(&standing);
    return status == PB_NOT_FOUND ? pb_api_problem(call, reply, 401, "sign in first", "session")
                                  : status;
}

static enum pb_status
leave(struct pb_api *api, const struct pb_api_call *call, const char *verb)
{
    struct pb_api_standing standing;
    struct pb_error error = { "" };
    enum pb_status status =
        pb_api_standing_take(api, call->caller->person, call->request->arena, &standing, &error);

    if (status == PB_OK)
        status = pb_api_session_leaf(api, &standing, verb, 0, &error);
    pb_api_standing_drop(&standing);
    return status == PB_NOT_FOUND ? PB_OK : status;
}

/* Ends in any case; that it cannot be put on record is a failure all the same. */
enum pb_status
pb_api_handle_session_end(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    (void)pb_api_sessions_end(&api->people.sessions, call->caller->person,
                              pb_str_from(call->caller->session->id));
    pb_api_cookie_set(reply, api->people.is_secure, (struct pb_str){ NULL, 0 });
    /* Not all cookies: the browser stays known. */
    pb_reply_header(reply, "Clear-Site-Data", pb_str_from("\"cache\", \"storage\""));
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"ended\":1}\n");
    return leave(api, call, "out");
}

/* ---- a person's sessions ---- */

/* Who sits before a locked session may be anybody. */
static bool
is_unlocked(const struct pb_api_call *call, struct pb_reply *reply)
{
    if (!call->caller->session->is_locked)
        return true;
    (void)pb_api_problem(call, reply, 401, "the session is locked: unlock it first", "session");
    return false;
}

enum pb_status
pb_api_handle_sessions_list(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_api_session *sessions =
        pb_arena_alloc(call->request->arena, PB_SESSIONS_OF_PERSON_MAX * sizeof(*sessions));
    int64_t now_us = pb_now_us(api->env), now_ns = pb_monotonic_ns(api->env);
    unsigned count;

    if (sessions == NULL)
        return PB_E_NOMEM;
    if (!is_unlocked(call, reply))
        return PB_OK;
    count = pb_api_sessions_of(&api->people.sessions, call->caller->person, sessions);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"sessions\":[");
    for (unsigned i = 0; i < count; i++) {
        char room[96];

        pb_reply_put_text(reply, i > 0 ? ",{\"id\":" : "{\"id\":");
        pb_reply_put_json(reply, pb_str_from(sessions[i].id));
        pb_api_put_text(reply, "by", pb_api_methods_text(sessions[i].methods, room));
        pb_api_put_time(reply, "began_at", sessions[i].began_at_us);
        pb_api_put_time(reply, "used_at", now_us - (now_ns - sessions[i].used_ns) / 1000);
        pb_reply_put_text(reply, ",\"is_this\":");
        pb_reply_put_text(reply, strcmp(sessions[i].id, call->caller->session->id) == 0 ? "true}"
                                                                                        : "false}");
    }
    pb_reply_put_text(reply, "]}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_sessions_end(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct pb_str id = pb_request_param(call->request, "id");
    struct pb_str person = call->caller->person;
    unsigned count;

    if (!is_unlocked(call, reply))
        return PB_OK;
    if (pb_str_equal(id, pb_str_from("others")))
        count = pb_api_sessions_end_all(&api->people.sessions, person, call->caller->session->id);
    else
        count = pb_api_sessions_end(&api->people.sessions, person, id) ? 1 : 0;
    if (count == 0 && !pb_str_equal(id, pb_str_from("others")))
        return pb_api_problem(call, reply, 404, "you have no such session", "id");
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"ended\":");
    pb_reply_put_number(reply, count);
    pb_reply_put_text(reply, "}\n");
    return leave(api, call, "ended");
}

/* ---- proving anew ---- */

/* Lives in the request's arena, until the reply is sent. */
struct proof {
    struct pb_job job;
    struct pb_api *api;
    struct pb_api_call call;     /* its caller is the copy below */
    struct pb_api_caller caller; /* its session is of the arena, too */
    struct pb_reply *reply;
    struct pb_str password, totp, current;
    bool is_last; /* if it fails the session ends */
};

static enum pb_status
read_proof(struct proof *proof, unsigned count, const char **ret_field, const char **ret_why)
{
    const struct pb_request *request = proof->call.request;
    const struct pb_api_text_field fields[] = {
        { "totp", CODE_BYTES_MAX, count == 1, &proof->totp },
        { "password", PB_PASSWORD_BYTES_MAX, false, &proof->password },
        { "current_password", PB_PASSWORD_BYTES_MAX, false, &proof->current },
    };

    return pb_api_texts_read(request->arena, request->body, false, fields, count, ret_field,
                             ret_why);
}

/* The proof of a request, the first count of its fields read and the attempt counted. PB_END: go
 * on. */
static enum pb_status
begin_proof(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
            unsigned count, struct proof **ret_proof)
{
    struct proof *proof = pb_arena_alloc(call->request->arena, sizeof(*proof));
    const char *field, *why;
    unsigned wait_s;
    enum pb_status status;

    if (proof == NULL)
        return PB_E_NOMEM;
    *proof = (struct proof){ .api = api, .call = *call, .caller = *call->caller, .reply = reply };
    proof->call.caller = &proof->caller;
    status = read_proof(proof, count, &field, &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    if (status != PB_OK)
        return status;
    wait_s = pb_api_lockout_take(&api->people.proofs, call->caller->person, &proof->is_last);
    if (wait_s > 0) {
        struct pb_problem problem = { .status = 429,
                                      .detail = "too many tries: nothing was looked at",
                                      .retry_after_s = wait_s };

        pb_reply_problem(reply, call->request, &problem);
        return PB_OK;
    }
    *ret_proof = proof;
    return PB_END;
}

/* Says so; the last failure ends the session. */
static enum pb_status
fail_proof(struct proof *proof, const char *what)
{
    struct pb_api *api = proof->api;
    struct pb_error error = { "" };
    enum pb_status status =
        pb_api_attempt_failed(api, proof->caller.person, what, proof->is_last, &error);

    if (proof->is_last)
        (void)pb_api_sessions_end(&api->people.sessions, proof->caller.person,
                                  pb_str_from(proof->caller.session->id));
    return status != PB_OK ? status
                           : pb_api_problem(&proof->call, proof->reply, 401, "that is not right",
                                            proof->password.bytes > 0 ? "password" : "totp");
}

/* What failed here was no wrong proof: it is not counted as one. */
static enum pb_status
break_off(struct proof *proof, enum pb_status status)
{
    pb_api_lockout_give_back(&proof->api->people.proofs, proof->caller.person);
    return status;
}

static enum pb_status
succeed(struct proof *proof, unsigned method, const char *verb, bool is_fresh)
{
    pb_api_lockout_clear(&proof->api->people.proofs, proof->caller.person);
    return pb_api_session_prove(proof->api, &proof->call, method, verb, is_fresh, proof->reply);
}

/* Uses up the code. PB_NOT_FOUND: it is wrong, or was used. */
static enum pb_status
take_totp(struct proof *proof, struct pb_error *error)
{
    struct pb_api *api = proof->api;
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    struct pb_api_account account;
    int64_t step = 0;
    enum pb_status status = pb_api_account_find(api->options.site, proof->caller.person,
                                                proof->call.request->arena, &account, error);

    if (status != PB_OK)
        return status;
    if (pb_totp_open(api->options.site, account.person, account.totp, secret))
        step = pb_totp_check(secret, proof->totp, pb_now_us(api->env), account.totp_step);
    sodium_memzero(secret, sizeof(secret));
    if (step == 0)
        return PB_NOT_FOUND;
    account.totp_step = step;
    status = pb_api_account_swap(api->options.site, &account, error);
    return status == PB_CONFLICT ? PB_NOT_FOUND : status;
}

static enum pb_status
prove_by_totp(struct proof *proof, const char *verb)
{
    struct pb_error error = { "" };
    enum pb_status status = take_totp(proof, &error);

    if (status == PB_NOT_FOUND)
        return fail_proof(proof, verb);
    return status == PB_OK ? succeed(proof, PB_BY_TOTP, verb, true) : break_off(proof, status);
}

static void
run_unlock(struct pb_job *job)
{
    struct proof *proof = (struct proof *)job;
    struct pb_api *api = proof->api;
    struct pb_error error = { "" };
    struct pb_api_account account;
    bool is_outdated;
    enum pb_status status = pb_api_account_find(api->options.site, proof->caller.person,
                                                proof->call.request->arena, &account, &error);

    if (status == PB_OK)
        status =
            pb_password_verify(&api->people.cost, account.password, proof->password, &is_outdated);
    if (status == PB_OK)
        status = succeed(proof, PB_BY_PASSWORD, "unlock", false);
    else if (status == PB_NOT_FOUND)
        status = fail_proof(proof, "unlock");
    else
        status = break_off(proof, status);
    pb_reply_finish(proof->reply, status);
}

enum pb_status
pb_api_handle_session_unlock(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct proof *proof;
    enum pb_status status = begin_proof(api, call, reply, 2, &proof);

    if (status != PB_END)
        return status;
    if ((proof->totp.bytes == 0) == (proof->password.bytes == 0)) {
        pb_api_lockout_give_back(&api->people.proofs, call->caller->person);
        return pb_api_problem(call, reply, 400, "a one-time code, or the password", "totp");
    }
    if (proof->totp.bytes > 0)
        return prove_by_totp(proof, "unlock");
    proof->job.run = run_unlock;
    if (pb_workers_push(api->people.known_hashers, &proof->job))
        return PB_END;
    pb_api_lockout_give_back(&api->people.proofs, call->caller->person);
    return PB_E_BUSY;
}

enum pb_status
pb_api_handle_session_step_up(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_reply *reply)
{
    struct proof *proof = NULL;
    enum pb_status status = begin_proof(api, call, reply, 1, &proof);

    return status == PB_END ? prove_by_totp(proof, "step-up") : status;
}

/* ---- setting how one signs in ---- */

/* Who came by a link that is for it, or has just proved to be there. */
static bool
may_enrol(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_api_session *session = call->caller->session;

    if (!session->is_locked && (session->is_enrolling ||
                                pb_api_session_has_stepped_up(session, pb_monotonic_ns(api->env))))
        return true;
    (void)pb_api_problem(call, reply, 403, "prove to be there first: /v1/session/step-up",
                         "session");
    return false;
}

enum pb_status
pb_api_handle_session_enrol_begin(struct pb_api *api, const struct pb_api_call *call,
                                  struct pb_reply *reply)
{
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    char text[PB_BASE32_BYTES(PB_TOTP_SECRET_BYTES)], uri[PB_OTPAUTH_BYTES];
    enum pb_status status;

    if (!may_enrol(api, call, reply))
        return PB_OK;
    status = api->env->random(api->env->random_context, secret, sizeof(secret));
    if (status != PB_OK)
        return status;
    if (!pb_api_sessions_set_pending(&api->people.sessions, call->caller->session->id, secret))
        return pb_api_problem(call, reply, 401, "the session has ended", "session");
    pb_base32(secret, sizeof(secret), text);
    pb_totp_uri(call->caller->person, secret, uri);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"secret\":");
    pb_reply_put_json(reply, pb_str_from(text));
    pb_api_put_text(reply, "uri", pb_str_from(uri));
    pb_reply_put_text(reply, "}\n");
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    sodium_memzero(uri, sizeof(uri));
    return PB_OK;
}

/* What is made of the new password and the confirmed secret. */
struct made {
    char password[PB_PASSWORD_HASH_BYTES];
    char totp[PB_TOTP_SEALED_BYTES];
    char codes[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES];
    char list[PB_RECOVERY_LIST_BYTES];
};

static enum pb_status
make(struct proof *proof, struct made *made, struct pb_error *error)
{
    struct pb_api *api = proof->api;
    enum pb_status status =
        pb_password_hash(&api->people.cost, proof->password, made->password, error);

    if (status == PB_OK)
        status = pb_totp_seal(api->env, api->options.site, proof->caller.person,
                              proof->caller.session->pending, made->totp, error);
    if (status == PB_OK)
        status = pb_recovery_make(api->env, made->codes, made->list, error);
    return status;
}

/* Who did not come by a link for it gives the password of before, where there is one. */
static enum pb_status
check_current(struct proof *proof, const struct pb_api_account *account)
{
    bool is_outdated;

    if (proof->caller.session->is_enrolling || account->password.bytes == 0)
        return PB_OK;
    return pb_password_verify(&proof->api->people.cost, account->password, proof->current,
                              &is_outdated);
}

static enum pb_status
keep(struct proof *proof, const struct pb_api_account *found, const struct made *made, int64_t step,
     struct pb_error *error)
{
    struct pb_api *api = proof->api;
    struct pb_api_account account = *found;

    account.password = pb_str_from(made->password);
    account.totp = pb_str_from(made->totp);
    account.totp_step = step;
    account.codes = pb_str_from(made->list);
    account.signed_in_at_us = pb_now_us(api->env);
    return pb_api_account_change(api->options.site, &account, proof->caller.person, "enrol", error);
}

/* The session goes on under a new cookie, with all rights; the person's others end. */
static enum pb_status
answer_enrolled(struct proof *proof, struct made *made, struct pb_error *error)
{
    struct pb_api *api = proof->api;
    struct pb_api_session session = *proof->caller.session;
    char cookie[PB_SESSION_COOKIE_BYTES];
    struct pb_api_standing standing;
    enum pb_status status = pb_api_standing_take(api, proof->caller.person,
                                                 proof->call.request->arena, &standing, error);

    session.is_enrolling = false;
    session.has_pending = false;
    sodium_memzero(session.pending, sizeof(session.pending));
    session.methods |= PB_BY_PASSWORD | PB_BY_TOTP;
    session.proved_ns = pb_monotonic_ns(api->env);
    if (status == PB_OK)
        status = pb_api_sessions_renew(&api->people.sessions, &session, cookie, error);
    if (status == PB_OK) {
        (void)pb_api_sessions_end_all(&api->people.sessions, proof->caller.person, session.id);
        pb_api_cookie_set(proof->reply, api->people.is_secure, pb_str_from(cookie));
        pb_api_session_put(api, proof->reply, &session, &standing, pb_str_from(cookie),
                           made->codes);
        sodium_memzero(cookie, sizeof(cookie));
        status = pb_api_device_set(api, proof->reply, proof->caller.person);
    }
    pb_api_standing_drop(&standing);
    return status;
}

/* PB_END: the new password may be set. Otherwise the reply says why not, or it is a failure. */
static enum pb_status
judge(struct proof *proof, const struct pb_api_account *account, struct pb_error *error)
{
    struct pb_api *api = proof->api;
    const char *path = api->options.breached_passwords;
    enum pb_status status = check_current(proof, account);

    if (status == PB_NOT_FOUND)
        return fail_proof(proof, "enrolment");
    if (status != PB_OK)
        return break_off(proof, status);
    if (path == NULL)
        return PB_END;
    status = pb_breached_find(api->env, path, proof->password, error);
    if (status == PB_NOT_FOUND)
        return PB_END;
    if (status == PB_OK)
        status = pb_api_problem(&proof->call, proof->reply, 400,
                                "this password was found in a breach elsewhere: take another",
                                "password");
    return break_off(proof, status);
}

static enum pb_status
enrol(struct proof *proof, int64_t step, struct made *made, struct pb_error *error)
{
    struct pb_api *api = proof->api;
    struct pb_api_account account;
    enum pb_status status = pb_api_account_find(api->options.site, proof->caller.person,
                                                proof->call.request->arena, &account, error);

    if (status == PB_OK) {
        status = judge(proof, &account, error);
        if (status != PB_END)
            return status;
        status = make(proof, made, error);
    }
    if (status == PB_OK)
        status = keep(proof, &account, made, step, error);
    if (status == PB_OK) {
        pb_api_lockout_clear(&api->people.proofs, proof->caller.person);
        status = answer_enrolled(proof, made, error);
    }
    if (status == PB_NOT_FOUND || status == PB_CONFLICT)
        return pb_api_problem(&proof->call, proof->reply, 409,
                              "the account was changed meanwhile: begin again", NULL);
    return status < PB_OK ? break_off(proof, status) : status;
}

static void
run_enrol(struct pb_job *job)
{
    struct proof *proof = (struct proof *)job;
    int64_t step =
        pb_totp_check(proof->caller.session->pending, proof->totp, pb_now_us(proof->api->env), 0);
    struct pb_error error = { "" };
    struct made made;
    enum pb_status status;

    if (step == 0) {
        status = pb_api_problem(&proof->call, proof->reply, 401,
                                "that is not the code of the secret that was given", "totp");
    } else {
        status = enrol(proof, step, &made, &error);
        sodium_memzero(&made, sizeof(made));
    }
    pb_reply_finish(proof->reply, status);
}

enum pb_status
pb_api_handle_session_enrol(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    const struct pb_str context[] = { call->caller->person, call->caller->agency };
    struct proof *proof;
    const char *why;
    enum pb_status status;

    if (!may_enrol(api, call, reply))
        return PB_OK;
    if (!call->caller->session->has_pending)
        return pb_api_problem(call, reply, 409, "begin with POST /v1/session/enrolment", NULL);
    status = begin_proof(api, call, reply, 3, &proof);
    if (status != PB_END)
        return status;
    why = pb_password_refuse(proof->password, context, 2);
    if (why != NULL) {
        pb_api_lockout_give_back(&api->people.proofs, call->caller->person);
        return pb_api_problem(call, reply, 400, why, "password");
    }
    proof->job.run = run_enrol;
    if (pb_workers_push(api->people.known_hashers, &proof->job))
        return PB_END;
    pb_api_lockout_give_back(&api->people.proofs, call->caller->person);
    return PB_E_BUSY;
}
