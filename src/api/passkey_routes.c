/*
 * Passkeys: made, used to sign in and to prove anew, listed, removed.
 *
 * A passkey by which its person was verified counts as both factors. Each answer needs a question
 * of ours that was asked of the same browser: of a session, or of a cookie made for the attempt.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "api/member.h"
#include "api/passkey_json.h"
#include "api/passkey.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

/* ---- where, who ---- */

static bool
is_served(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    if (api->options.site != NULL && api->options.origin != NULL)
        return true;
    (void)pb_api_problem(call, reply, 503,
                         "this server was not told its origin, which passkeys are for", NULL);
    return false;
}

static bool
is_own_page(const struct pb_api_call *call, struct pb_reply *reply)
{
    if (pb_api_is_same_site(call->request))
        return true;
    (void)pb_api_problem(call, reply, 403, "sent from a page of another site", NULL);
    return false;
}

/* Only whoever has just proved to be there says how they will do so later. */
static bool
may_change(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_api_session *session = call->caller->session;

    if (!session->is_locked && !session->is_enrolling &&
        pb_api_session_has_stepped_up(session, pb_monotonic_ns(api->env)))
        return true;
    (void)pb_api_problem(call, reply, 403, "prove to be there first: /v1/session/step-up",
                         "session");
    return false;
}

static void
holder_of_session(const struct pb_api_call *call, uint8_t ret_holder[PB_ATTEMPT_BYTES])
{
    const char *id = call->caller->session->id;

    (void)crypto_hash_sha256(ret_holder, (const unsigned char *)id, strlen(id));
}

/* ---- questions ---- */

static void
put_base64(struct pb_reply *reply, const void *bytes, size_t count)
{
    char text[sodium_base64_ENCODED_LEN(PB_WEBAUTHN_ID_BYTES_MAX,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

    (void)sodium_bin2base64(text, sizeof(text), bytes, count,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    pb_reply_put_json(reply, pb_str_from(text));
}

static void
put_challenge(struct pb_reply *reply, const struct pb_attempt *attempt)
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"challenge\":");
    put_base64(reply, attempt->challenge, sizeof(attempt->challenge));
    pb_reply_put_text(reply, ",\"timeout\":");
    pb_reply_put_number(reply, PB_ATTEMPT_LIFE_S * 1000);
}

/* What the list of a person's passkeys is written with. */
struct list {
    struct pb_reply *reply;
    int64_t reset_at_us; /* older ones are void */
    const char *gap;
};

static bool
put_descriptor(void *context, const struct pb_api_passkey *passkey)
{
    struct list *list = context;

    pb_reply_put_text(list->reply, list->gap);
    pb_reply_put_text(list->reply, "{\"type\":\"public-key\",\"id\":");
    put_base64(list->reply, passkey->id.text, passkey->id.bytes);
    pb_reply_put_text(list->reply, "}");
    list->gap = ",";
    return true;
}

static enum pb_status
put_descriptors(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct list list = { reply, 0, "" };
    struct pb_error error = { "" };

    return pb_api_passkey_each(api->env, api->options.site, call->caller->person, put_descriptor,
                               &list, &error);
}

/* Asks a session for something. */
static enum pb_status
ask_session(struct pb_api *api, const struct pb_api_call *call, enum pb_attempt_kind kind,
            struct pb_attempt *ret_attempt)
{
    struct pb_attempt attempt = { .kind = kind };
    enum pb_status status = pb_attempt_fill(api->env, &attempt);

    if (status != PB_OK)
        return status;
    holder_of_session(call, attempt.holder);
    pb_attempts_put(&api->attempts, &attempt, &call->request->peer);
    *ret_attempt = attempt;
    return PB_OK;
}

enum pb_status
pb_api_handle_passkey_sign_in_options(struct pb_api *api, const struct pb_api_call *call,
                                      struct pb_reply *reply)
{
    struct pb_attempt attempt = { .kind = PB_ATTEMPT_PASSKEY_SIGN_IN };
    enum pb_status status;

    if (!is_served(api, call, reply) || !is_own_page(call, reply))
        return PB_OK;
    status = pb_attempt_fill(api->env, &attempt);
    if (status == PB_OK)
        status = pb_api_attempt_cookie_make(api, reply, attempt.holder);
    if (status != PB_OK)
        return status;
    pb_attempts_put(&api->attempts, &attempt, &call->request->peer);
    put_challenge(reply, &attempt);
    pb_api_put_text(reply, "rpId", pb_str_from(api->origin_host));
    /* Which passkeys there are is not told: the authenticator knows which of its own are for us. */
    pb_reply_put_text(reply, ",\"userVerification\":\"required\",\"allowCredentials\":[]}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_passkey_step_up_options(struct pb_api *api, const struct pb_api_call *call,
                                      struct pb_reply *reply)
{
    struct pb_attempt attempt;
    enum pb_status status;

    if (!is_served(api, call, reply))
        return PB_OK;
    status = ask_session(api, call, PB_ATTEMPT_PASSKEY_STEP_UP, &attempt);
    if (status != PB_OK)
        return status;
    put_challenge(reply, &attempt);
    pb_api_put_text(reply, "rpId", pb_str_from(api->origin_host));
    pb_reply_put_text(reply, ",\"userVerification\":\"required\",\"allowCredentials\":[");
    status = put_descriptors(api, call, reply);
    pb_reply_put_text(reply, "]}\n");
    return status;
}

static void
put_user(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    uint8_t user[PB_PASSKEY_USER_BYTES];

    pb_api_passkey_user(api->origin_host, call->caller->person, user);
    pb_reply_put_text(reply, ",\"user\":{\"id\":");
    put_base64(reply, user, sizeof(user));
    pb_api_put_text(reply, "name", call->caller->person);
    pb_api_put_text(reply, "displayName", call->caller->person);
    pb_reply_put_text(reply, "},\"rp\":{\"name\":\"Platebase\",\"id\":");
    pb_reply_put_json(reply, pb_str_from(api->origin_host));
    pb_reply_put_text(reply, "}");
}

enum pb_status
pb_api_handle_passkeys_options(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    struct pb_attempt attempt;
    enum pb_status status;

    if (!is_served(api, call, reply) || !may_change(api, call, reply))
        return PB_OK;
    status = ask_session(api, call, PB_ATTEMPT_PASSKEY_ADD, &attempt);
    if (status != PB_OK)
        return status;
    put_challenge(reply, &attempt);
    put_user(api, call, reply);
    pb_reply_put_text(reply, ",\"pubKeyCredParams\":[{\"type\":\"public-key\",\"alg\":-8},"
                             "{\"type\":\"public-key\",\"alg\":-7},"
                             "{\"type\":\"public-key\",\"alg\":-257}],"
                             "\"authenticatorSelection\":{\"residentKey\":\"required\","
                             "\"requireResidentKey\":true,\"userVerification\":\"required\"},"
                             "\"attestation\":\"none\",\"excludeCredentials\":[");
    status = put_descriptors(api, call, reply);
    pb_reply_put_text(reply, "]}\n");
    return status;
}

/* ---- answers ---- */

static struct pb_webauthn_want
want_of(const struct pb_api *api, const struct pb_attempt *attempt)
{
    return (struct pb_webauthn_want){ .origin = api->options.origin,
                                      .site = api->origin_host,
                                      .challenge = attempt->challenge };
}

/* Reads the body; otherwise the reply is filled, or *ret_status is a failure. */
static bool
read_body(const struct pb_api_call *call, bool is_made, const char *word,
          struct pb_api_credential *ret_credential, struct pb_reply *reply,
          enum pb_status *ret_status)
{
    const char *field = "", *why = "";

    *ret_status = pb_api_passkey_read(call->request->arena, call->request->body, is_made, word,
                                      ret_credential, &field, &why);
    if (*ret_status == PB_BAD_INPUT)
        *ret_status = pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    else if (*ret_status == PB_OK)
        return true;
    return false;
}

/* The passkey that was used, by whom it is. PB_NOT_FOUND: nobody's, or not used as it must be. */
static enum pb_status
verify_used(struct pb_api *api, const struct pb_attempt *attempt,
            const struct pb_api_credential *credential, struct pb_arena *arena,
            struct pb_api_passkey *ret_passkey, const char **ret_why, struct pb_error *error)
{
    struct pb_webauthn_want want = want_of(api, attempt);
    struct pb_webauthn_used used = { credential->client_data, credential->data,
                                     credential->signature };
    uint8_t user[PB_PASSKEY_USER_BYTES];
    char key[PB_PASSKEY_KEY_BYTES];
    uint32_t counter = 0;
    enum pb_status status;

    pb_api_passkey_key(credential->id, key);
    *ret_why = "no such passkey";
    status = pb_api_passkey_find(api->options.site, key, arena, ret_passkey, error);
    if (status != PB_OK)
        return status;
    pb_api_passkey_user(api->origin_host, ret_passkey->person, user);
    *ret_why = "for another user";
    if (credential->user.bytes > 0 &&
        !pb_str_equal(credential->user, (struct pb_str){ (const char *)user, sizeof(user) }))
        return PB_NOT_FOUND;
    status = pb_webauthn_verify_used(&want, &used, &ret_passkey->public_key, ret_passkey->counter,
                                     &counter, ret_why);
    if (status == PB_OK) {
        *ret_why = "used twice at once";
        status = pb_api_passkey_used(api->env, api->options.site, ret_passkey, counter, error);
    }
    return status == PB_BAD_INPUT || status == PB_CONFLICT ? PB_NOT_FOUND : status;
}

/* Whether the account still takes what was added then: a link makes void what was before it. */
static enum pb_status
check_account(struct pb_api *api, const struct pb_api_passkey *passkey, struct pb_arena *arena,
              const char **ret_why, struct pb_error *error)
{
    struct pb_api_account account;
    enum pb_status status =
        pb_api_account_find(api->options.site, passkey->person, arena, &account, error);

    *ret_why = "of an account that takes it no longer";
    if (status == PB_OK && passkey->created_at_us <= account.reset_at_us)
        status = PB_NOT_FOUND;
    return status;
}

static enum pb_status
sign_in(struct pb_api *api, const struct pb_api_call *call, const struct pb_attempt *attempt,
        const struct pb_api_credential *credential, struct pb_api_passkey *passkey,
        const char **ret_why, struct pb_error *error)
{
    struct pb_arena *arena = call->request->arena;
    enum pb_status status;

    if (attempt->kind == PB_ATTEMPT_NONE) {
        *ret_why = "no question was asked, or too long ago";
        return PB_NOT_FOUND;
    }
    status = verify_used(api, attempt, credential, arena, passkey, ret_why, error);
    if (status == PB_OK && credential->user.bytes == 0) {
        *ret_why = "without its user";
        status = PB_NOT_FOUND;
    }
    return status == PB_OK ? check_account(api, passkey, arena, ret_why, error) : status;
}

enum pb_status
pb_api_handle_passkey_sign_in(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_reply *reply)
{
    struct pb_api_passkey passkey = { .key = "" };
    struct pb_attempt attempt = { .kind = PB_ATTEMPT_NONE };
    struct pb_api_credential credential;
    char key[PB_PASSKEY_KEY_BYTES];
    struct pb_error error = { "" };
    const char *why;
    bool is_last;
    enum pb_status status = PB_OK;

    if (!is_served(api, call, reply) || !is_own_page(call, reply) ||
        !read_body(call, false, "consent", &credential, reply, &status))
        return status;
    if (!pb_api_consents(api, call, credential.word, reply))
        return PB_OK;
    pb_api_passkey_key(credential.id, key);
    if (!pb_api_attempt_take(api, call, pb_str_from(key), &is_last, reply))
        return PB_OK;
    (void)pb_api_attempt_cookie_take(api, call, PB_ATTEMPT_PASSKEY_SIGN_IN, &attempt);
    status = sign_in(api, call, &attempt, &credential, &passkey, &why, &error);
    if (status == PB_NOT_FOUND) {
        pb_api_log_refused(api, call, why);
        status = pb_api_attempt_failed(api, passkey.person, "passkey", is_last, &error);
        return status != PB_OK ? status
                               : pb_api_problem(call, reply, 401,
                                                "that passkey does not sign anybody in", NULL);
    }
    if (status != PB_OK) {
        pb_api_attempt_give_back(api, call, pb_str_from(key));
        return status;
    }
    pb_api_attempt_succeeded(api, call, pb_str_from(key));
    return pb_api_session_begin(api, call,
                                &(struct pb_api_sign_in){ .person = passkey.person,
                                                          .methods = PB_BY_PASSKEY,
                                                          .consent = credential.word,
                                                          .is_fresh = true },
                                reply);
}

/* ---- proving anew ---- */

static enum pb_status
prove(struct pb_api *api, const struct pb_api_call *call,
      const struct pb_api_credential *credential, const char **ret_why, struct pb_error *error)
{
    struct pb_arena *arena = call->request->arena;
    uint8_t holder[PB_ATTEMPT_BYTES];
    struct pb_api_passkey passkey;
    struct pb_attempt attempt;
    enum pb_status status;

    holder_of_session(call, holder);
    *ret_why = "no question was asked, or too long ago";
    if (!pb_attempts_take(&api->attempts, PB_ATTEMPT_PASSKEY_STEP_UP, holder, &attempt))
        return PB_NOT_FOUND;
    status = verify_used(api, &attempt, credential, arena, &passkey, ret_why, error);
    if (status != PB_OK)
        return status;
    *ret_why = "somebody else's";
    if (!pb_str_equal(passkey.person, call->caller->person))
        return PB_NOT_FOUND;
    return check_account(api, &passkey, arena, ret_why, error);
}

/* The last failure ends the session. */
static enum pb_status
fail_proof(struct pb_api *api, const struct pb_api_call *call, bool is_last, struct pb_reply *reply)
{
    struct pb_error error = { "" };
    enum pb_status status =
        pb_api_attempt_failed(api, call->caller->person, "passkey", is_last, &error);

    if (is_last)
        (void)pb_api_sessions_end(&api->people.sessions, call->caller->person,
                                  pb_str_from(call->caller->session->id));
    return status != PB_OK ? status
                           : pb_api_problem(call, reply, 401, "that is not right", "credential");
}

enum pb_status
pb_api_handle_passkey_step_up(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_reply *reply)
{
    const struct pb_api_session *session = call->caller->session;
    struct pb_api_credential credential;
    struct pb_error error = { "" };
    const char *why;
    bool is_last;
    unsigned wait_s;
    enum pb_status status = PB_OK;

    if (!is_served(api, call, reply) || !read_body(call, false, NULL, &credential, reply, &status))
        return status;
    wait_s = pb_api_lockout_take(&api->people.proofs, call->caller->person, &is_last);
    if (wait_s > 0) {
        pb_reply_problem(reply, call->request,
                         &(struct pb_problem){ .status = 429,
                                               .detail = "too many tries: nothing was looked at",
                                               .retry_after_s = wait_s });
        return PB_OK;
    }
    status = prove(api, call, &credential, &why, &error);
    if (status == PB_NOT_FOUND) {
        pb_api_log_refused(api, call, why);
        return fail_proof(api, call, is_last, reply);
    }
    if (status != PB_OK) {
        pb_api_lockout_give_back(&api->people.proofs, call->caller->person);
        return status;
    }
    pb_api_lockout_clear(&api->people.proofs, call->caller->person);
    return pb_api_session_prove(api, call, PB_BY_PASSKEY, session->is_locked ? "unlock" : "step-up",
                                true, reply);
}

/* ---- a person's own ---- */

static bool
put_passkey(void *context, const struct pb_api_passkey *passkey)
{
    struct list *list = context;
    struct pb_reply *reply = list->reply;

    pb_reply_put_text(reply, list->gap);
    pb_reply_put_text(reply, "{\"id\":");
    pb_reply_put_json(reply, pb_str_from(passkey->key));
    pb_api_put_text(reply, "name", passkey->name);
    pb_reply_put_text(reply, passkey->may_back_up ? ",\"may_be_copied\":true"
                                                  : ",\"may_be_copied\":false");
    pb_reply_put_text(reply, passkey->created_at_us <= list->reset_at_us ? ",\"is_void\":true"
                                                                         : ",\"is_void\":false");
    pb_api_put_time_known(reply, "created_at", passkey->created_at_us);
    pb_api_put_time_known(reply, "used_at", passkey->used_at_us);
    pb_reply_put_text(reply, "}");
    list->gap = ",";
    return true;
}

enum pb_status
pb_api_handle_passkeys_list(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct list list = { reply, 0, "" };
    struct pb_api_account account;
    struct pb_error error = { "" };
    enum pb_status status;

    if (!is_served(api, call, reply))
        return PB_OK;
    if (call->caller->session->is_locked)
        return pb_api_problem(call, reply, 401, "the session is locked: unlock it first",
                              "session");
    status = pb_api_account_find(api->options.site, call->caller->person, call->request->arena,
                                 &account, &error);
    if (status != PB_OK)
        return status < 0 ? status : PB_E_CORRUPT;
    list.reset_at_us = account.reset_at_us;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"passkeys\":[");
    status = pb_api_passkey_each(api->env, api->options.site, call->caller->person, put_passkey,
                                 &list, &error);
    pb_reply_put_text(reply, "]}\n");
    return status;
}

static enum pb_status
add(struct pb_api *api, const struct pb_api_call *call, const struct pb_api_credential *credential,
    char ret_key[PB_PASSKEY_KEY_BYTES], const char **ret_why, struct pb_error *error)
{
    struct pb_webauthn_made made = { credential->client_data, credential->attestation };
    uint8_t holder[PB_ATTEMPT_BYTES];
    struct pb_webauthn_data data;
    struct pb_webauthn_want want;
    struct pb_attempt attempt;
    enum pb_status status;

    holder_of_session(call, holder);
    *ret_why = "no passkey was asked for, or too long ago: begin at /v1/passkeys/options";
    if (!pb_attempts_take(&api->attempts, PB_ATTEMPT_PASSKEY_ADD, holder, &attempt))
        return PB_BAD_INPUT;
    want = want_of(api, &attempt);
    status = pb_webauthn_verify_made(&want, &made, &data, ret_why);
    if (status != PB_OK)
        return status;
    *ret_why = "its id is not the credential's";
    if (!pb_str_equal(data.id, credential->id))
        return PB_BAD_INPUT;
    status = pb_api_passkey_add(api->env, api->options.site, call->caller->person, credential->word,
                                &data, ret_key, error);
    *ret_why = error->message;
    return status;
}

enum pb_status
pb_api_handle_passkeys_add(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct pb_error *error = pb_arena_alloc(call->request->arena, sizeof(*error));
    struct pb_api_credential credential;
    struct pb_api_passkey passkey;
    char key[PB_PASSKEY_KEY_BYTES];
    const char *why = "";
    enum pb_status status = PB_OK;

    if (error == NULL)
        return PB_E_NOMEM;
    if (!is_served(api, call, reply) || !may_change(api, call, reply) ||
        !read_body(call, true, "name", &credential, reply, &status))
        return status;
    status = add(api, call, &credential, key, &why, error);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, "credential");
    if (status == PB_CONFLICT || status == PB_OVER_LIMIT)
        return pb_api_problem(call, reply, 409, why, NULL);
    if (status == PB_OK)
        status = pb_api_passkey_find(api->options.site, key, call->request->arena, &passkey, error);
    if (status != PB_OK)
        return status < 0 ? status : PB_E_CORRUPT;
    reply->status = 201;
    reply->content_type = "application/json";
    (void)put_passkey(&(struct list){ reply, 0, "" }, &passkey);
    return PB_OK;
}

enum pb_status
pb_api_handle_passkeys_remove(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_reply *reply)
{
    struct pb_str id = pb_request_param(call->request, "id");
    char key[PB_PASSKEY_KEY_BYTES] = "";
    struct pb_error error = { "" };
    enum pb_status status;

    if (!is_served(api, call, reply) || !may_change(api, call, reply))
        return PB_OK;
    if (id.bytes == sizeof(key) - 1)
        memcpy(key, id.text, id.bytes);
    status = pb_api_passkey_remove(api->env, api->options.site, call->caller->person, key, &error);
    if (status == PB_NOT_FOUND)
        return pb_api_problem(call, reply, 404, "you have no such passkey", "id");
    if (status != PB_OK)
        return status < 0 ? status : PB_E_CORRUPT;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"removed\":1}\n");
    return PB_OK;
}
