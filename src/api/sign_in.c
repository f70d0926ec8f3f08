/*
 * Signing in: by password and a second factor, or by a link that somebody gave.
 *
 * What a password takes half a second to compute runs on the hashers' threads: few at once, so that
 * guessing takes neither all memory nor all workers. Whether a name exists, has an account, or gave
 * the wrong password or the wrong code cannot be told from the answer nor from its time.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "api/device.h"
#include "api/texts.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "net/workers.h"

#define CODE_BYTES_MAX 64u

/* Lives in the request's arena, until the reply is sent. */
struct attempt {
    struct pb_job job;
    struct pb_api *api;
    struct pb_api_call call; /* its caller is a copy */
    struct pb_reply *reply;
    struct pb_str person, password, totp, recovery_code, code, consent;
    bool is_form;
    bool is_last; /* if it fails nobody may try this name for a while */
};

/* A browser that sent a form goes on to the application. */
static enum pb_status
begin_session(struct attempt *attempt, const struct pb_api_sign_in *sign_in)
{
    struct pb_reply *reply = attempt->reply;
    enum pb_status status = pb_api_session_begin(attempt->api, &attempt->call, sign_in, reply);

    if (status == PB_OK && attempt->is_form && reply->status == 201) {
        reply->status = 303;
        reply->body_bytes = 0;
        reply->content_type = "text/plain; charset=utf-8";
        pb_reply_header(reply, "Location", pb_str_from("/"));
        pb_reply_put_text(reply, "You are signed in.\n");
    }
    return status;
}

/* ---- passwords, on a hasher's thread ---- */

/* Takes the second factor from the account. PB_NOT_FOUND: it is wrong, or was used before. */
static enum pb_status
take_second(struct attempt *attempt, struct pb_api_account *account, unsigned *ret_methods)
{
    struct pb_api *api = attempt->api;
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    int64_t step = 0;

    if (attempt->recovery_code.bytes > 0) {
        char *list = pb_arena_alloc(attempt->call.request->arena, PB_RECOVERY_LIST_BYTES);

        if (list == NULL)
            return PB_E_NOMEM;
        if (!pb_recovery_use(account->codes, attempt->recovery_code, list))
            return PB_NOT_FOUND;
        account->codes = pb_str_from(list);
        *ret_methods = PB_BY_PASSWORD | PB_BY_RECOVERY_CODE;
        return PB_OK;
    }
    if (pb_totp_open(api->options.site, account->person, account->totp, secret))
        step = pb_totp_check(secret, attempt->totp, pb_now_us(api->env), account->totp_step);
    sodium_memzero(secret, sizeof(secret));
    if (step == 0)
        return PB_NOT_FOUND;
    account->totp_step = step;
    *ret_methods = PB_BY_PASSWORD | PB_BY_TOTP;
    return PB_OK;
}

/* Hashes anew what was hashed at a lower cost. */
static enum pb_status
renew_hash(struct attempt *attempt, struct pb_api_account *account, struct pb_error *error)
{
    char *hash = pb_arena_alloc(attempt->call.request->arena, PB_PASSWORD_HASH_BYTES);
    enum pb_status status = PB_E_NOMEM;

    if (hash != NULL)
        status = pb_password_hash(&attempt->api->people.cost, attempt->password, hash, error);
    if (status == PB_OK)
        account->password = pb_str_from(hash);
    return status;
}

/* PB_OK: it is they. PB_NOT_FOUND: it is not, or cannot be. What may be used once is used up. */
static enum pb_status
prove(struct attempt *attempt, unsigned *ret_methods, struct pb_error *error)
{
    struct pb_api *api = attempt->api;
    struct pb_str hash = { NULL, 0 };
    struct pb_api_standing standing;
    bool is_outdated = false;
    enum pb_status status, verified;

    status =
        pb_api_standing_take(api, attempt->person, attempt->call.request->arena, &standing, error);
    if (status == PB_OK)
        hash = standing.account.password;
    verified = PB_NOT_FOUND;
    if (status == PB_OK || status == PB_NOT_FOUND)
        verified = pb_password_verify(&api->people.cost, hash, attempt->password, &is_outdated);
    if (status == PB_OK)
        status = verified;
    if (status == PB_OK)
        status = take_second(attempt, &standing.account, ret_methods);
    if (status == PB_OK && is_outdated)
        status = renew_hash(attempt, &standing.account, error);
    if (status == PB_OK)
        status = pb_api_account_swap(api->options.site, &standing.account, error);
    pb_api_standing_drop(&standing);
    /* Two at once with one code: the second finds it used. */
    return status == PB_CONFLICT ? PB_NOT_FOUND : status;
}

static void
run_password(struct pb_job *job)
{
    struct attempt *attempt = (struct attempt *)job;
    struct pb_api *api = attempt->api;
    struct pb_error error = { "" };
    struct pb_api_sign_in sign_in = { .person = attempt->person, .consent = attempt->consent };
    enum pb_status status = prove(attempt, &sign_in.methods, &error);

    if (status == PB_OK) {
        pb_api_attempt_succeeded(api, &attempt->call, attempt->person);
        sign_in.is_fresh = (sign_in.methods & PB_BY_TOTP) != 0;
        status = begin_session(attempt, &sign_in);
    } else if (status == PB_NOT_FOUND) {
        status = pb_api_attempt_failed(api, attempt->person, "sign-in", attempt->is_last, &error);
        if (status == PB_OK)
            status = pb_api_retire(api, attempt->person, attempt->call.request->arena, &error);
        if (status == PB_OK)
            status = pb_api_problem(&attempt->call, attempt->reply, 401,
                                    "that does not sign anybody in", NULL);
    } else {
        pb_api_attempt_give_back(api, &attempt->call, attempt->person);
    }
    pb_reply_finish(attempt->reply, status);
}

/* ---- links ---- */

static enum pb_status
by_link(struct attempt *attempt)
{
    struct pb_api *api = attempt->api;
    struct pb_api_sign_in sign_in = { .methods = PB_BY_LINK, .consent = attempt->consent };
    struct pb_str nobody = { NULL, 0 };
    struct pb_error error = { "" };
    bool signs_in = false, is_last;
    enum pb_status status;

    /* A code cannot be guessed; that it is tried costs a look into the catalog. */
    if (!pb_api_attempt_take(api, &attempt->call, attempt->code, &is_last, attempt->reply))
        return PB_OK;
    status =
        pb_api_account_use_link(api->env, api->options.site, attempt->code,
                                attempt->call.request->arena, &sign_in.person, &signs_in, &error);
    if (status == PB_NOT_FOUND) {
        status = pb_api_attempt_failed(api, nobody, "link", false, &error);
        return status != PB_OK
                   ? status
                   : pb_api_problem(&attempt->call, attempt->reply, 401,
                                    "this link is none, was used, or is too old", "code");
    }
    pb_api_attempt_give_back(api, &attempt->call, attempt->code);
    if (status != PB_OK)
        return status;
    sign_in.is_enrolling = !signs_in;
    sign_in.is_fresh = signs_in;
    return begin_session(attempt, &sign_in);
}

/* ---- the request ---- */

static enum pb_status
parse(struct attempt *attempt, const char **ret_field, const char **ret_why)
{
    const struct pb_api_text_field fields[] = {
        { "person", PB_CATALOG_ID_BYTES_MAX, false, &attempt->person },
        { "password", PB_PASSWORD_BYTES_MAX, false, &attempt->password },
        { "totp", CODE_BYTES_MAX, false, &attempt->totp },
        { "recovery_code", CODE_BYTES_MAX, false, &attempt->recovery_code },
        { "code", CODE_BYTES_MAX, false, &attempt->code },
        { "consent", PB_SPLASH_HEX_BYTES - 1, true, &attempt->consent },
    };
    const struct pb_request *request = attempt->call.request;
    enum pb_status status =
        pb_api_texts_read(request->arena, request->body, attempt->is_form, fields,
                          sizeof(fields) / sizeof(fields[0]), ret_field, ret_why);

    if (status != PB_OK || attempt->code.bytes > 0)
        return status;
    *ret_field = attempt->person.bytes == 0 ? "person" : "password";
    *ret_why = "the field is missing";
    if (attempt->person.bytes == 0 || attempt->password.bytes == 0)
        return PB_BAD_INPUT;
    *ret_field = "totp";
    *ret_why = "a one-time code, or a recovery code";
    return (attempt->totp.bytes == 0) == (attempt->recovery_code.bytes == 0) ? PB_BAD_INPUT : PB_OK;
}

static enum pb_status
refuse_crowd(struct attempt *attempt)
{
    struct pb_problem problem = {
        .status = 429,
        .detail = "too many sign in at once: nothing was looked at",
        .retry_after_s = 5,
    };

    pb_reply_problem(attempt->reply, attempt->call.request, &problem);
    return PB_OK;
}

static enum pb_status
by_password(struct attempt *attempt)
{
    struct pb_api *api = attempt->api;
    struct pb_workers *hashers = api->people.hashers;
    struct pb_str id;

    if (!pb_api_attempt_take(api, &attempt->call, attempt->person, &attempt->is_last,
                             attempt->reply))
        return PB_OK;
    if (pb_api_device_find(api, attempt->call.request, attempt->person, &id))
        hashers = api->people.known_hashers;
    attempt->job.run = run_password;
    if (pb_workers_push(hashers, &attempt->job))
        return PB_END;
    pb_api_attempt_give_back(api, &attempt->call, attempt->person);
    return refuse_crowd(attempt);
}

static enum pb_status
begin(struct pb_api *api, const struct pb_api_call *call, bool is_form, struct pb_reply *reply)
{
    struct attempt *attempt = pb_arena_alloc(call->request->arena, sizeof(*attempt));
    const char *field, *why;
    enum pb_status status;

    if (api->options.site == NULL)
        return pb_api_problem(call, reply, 503, "this server was not started to sign people in",
                              NULL);
    if (attempt == NULL)
        return PB_E_NOMEM;
    *attempt = (struct attempt){ .api = api, .call = *call, .reply = reply, .is_form = is_form };
    if (!pb_api_is_same_site(call->request))
        return pb_api_problem(call, reply, 403, "sent from a page of another site", NULL);
    status = parse(attempt, &field, &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    if (status != PB_OK)
        return status;
    if (!pb_api_consents(api, call, attempt->consent, reply))
        return PB_OK;
    return attempt->code.bytes > 0 ? by_link(attempt) : by_password(attempt);
}

enum pb_status
pb_api_handle_session_begin(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    return begin(api, call, false, reply);
}

/* ---- the same by a page without scripts ---- */

static const char page_style[] =
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem}"
    "pre{white-space:pre-wrap;font:inherit;border:1px solid;padding:1rem}"
    "label{display:block;margin:1rem 0}input{display:block;font:inherit;width:100%;"
    "box-sizing:border-box}button{font:inherit;padding:.5rem 1rem}";

static void
put_html(struct pb_reply *reply, struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        switch (text.text[i]) {
        case '<':
            pb_reply_put_text(reply, "&lt;");
            break;
        case '&':
            pb_reply_put_text(reply, "&amp;");
            break;
        case '"':
            pb_reply_put_text(reply, "&quot;");
            break;
        default:
            pb_reply_put(reply, text.text + i, 1);
        }
    }
}

static void
put_policy(struct pb_reply *reply)
{
    uint8_t sha256[crypto_hash_sha256_BYTES];
    char base64[48], policy[256];
    struct pb_text_out out = pb_text_out(policy, sizeof(policy));

    (void)crypto_hash_sha256(sha256, (const unsigned char *)page_style, sizeof(page_style) - 1);
    (void)sodium_bin2base64(base64, sizeof(base64), sha256, sizeof(sha256),
                            sodium_base64_VARIANT_ORIGINAL);
    pb_put_text(&out, "default-src 'none'; style-src 'sha256-");
    pb_put_text(&out, base64);
    pb_put_text(&out, "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    pb_reply_header(reply, "Content-Security-Policy",
                    (struct pb_str){ policy, (uint32_t)(out.at - policy) });
}

static void
put_fields(struct pb_reply *reply, const struct pb_str *code)
{
    if (code != NULL) {
        pb_reply_put_text(reply, "<input type=\"hidden\" name=\"code\" value=\"");
        put_html(reply, *code);
        pb_reply_put_text(reply, "\">");
        return;
    }
    pb_reply_put_text(reply,
                      "<label>Id <input name=\"person\" autocomplete=\"username\" required></label>"
                      "<label>Password <input type=\"password\" name=\"password\" "
                      "autocomplete=\"current-password\" required></label>"
                      "<label>One-time code <input name=\"totp\" inputmode=\"numeric\" "
                      "autocomplete=\"one-time-code\" required></label>");
}

enum pb_status
pb_api_handle_sign_in_page(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    if (api->options.site == NULL)
        return pb_api_problem(call, reply, 503, "this server was not started to sign people in",
                              NULL);
    reply->content_type = "text/html; charset=utf-8";
    put_policy(reply);
    pb_reply_put_text(reply, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                             "<meta name=\"viewport\" content=\"width=device-width\">"
                             "<title>Sign in: Platebase</title><style>");
    pb_reply_put_text(reply, page_style);
    pb_reply_put_text(reply, "</style></head><body><main><h1>Platebase</h1><pre>");
    put_html(reply, (struct pb_str){ api->people.splash, (uint32_t)api->people.splash_bytes });
    pb_reply_put_text(reply, "</pre><form method=\"post\" action=\"/sign-in\">"
                             "<input type=\"hidden\" name=\"consent\" value=\"");
    pb_reply_put_text(reply, api->people.splash_hex);
    pb_reply_put_text(reply, "\">");
    put_fields(reply, pb_request_query(call->request, "code"));
    pb_reply_put_text(reply, "<button>I agree: sign in</button></form></main></body></html>\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_sign_in_send(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    return begin(api, call, true, reply);
}
