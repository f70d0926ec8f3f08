/*
 * Signing in at a provider: there, back, and with a code of ours where one factor was enough there.
 *
 * A provider says who somebody is; agency and roles are ours to say. The first who comes as a
 * person stays that person's only one at this provider: a name that is given to somebody else there
 * does not let them in here.
 */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "api/leaf.h"
#include "api/oidc.h"
#include "api/texts.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "inquiry/site.h"

#define NOTE "oidc-subject"
#define NOTE_KEY_BYTES (32u + 1u + PB_CATALOG_ID_BYTES_MAX + 1u)
#define CODE_BYTES_MAX 64u

static bool
is_served(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    if (api->options.site != NULL && pb_oidc_count(api->oidc) > 0)
        return true;
    (void)pb_api_problem(call, reply, 503, "this server knows no provider of sign-ins", NULL);
    return false;
}

enum pb_status
pb_api_handle_oidc_providers(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    (void)call;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, api->options.origin != NULL ? "{\"passkeys\":true,\"providers\":["
                                                         : "{\"passkeys\":false,\"providers\":[");
    for (unsigned i = 0; i < pb_oidc_count(api->oidc); i++) {
        pb_reply_put_text(reply, i > 0 ? ",{\"name\":" : "{\"name\":");
        pb_reply_put_json(reply, pb_str_from(pb_oidc_provider(api->oidc, i)->name));
        pb_reply_put_text(reply, ",\"label\":");
        pb_reply_put_json(reply, pb_str_from(pb_oidc_provider(api->oidc, i)->label));
        pb_reply_put_text(reply, "}");
    }
    pb_reply_put_text(reply, "]}\n");
    return PB_OK;
}

/* ---- there ---- */

/* The provider of the path; otherwise the reply is filled. */
static bool
find_provider(struct pb_api *api, const struct pb_api_call *call, unsigned *ret_index,
              struct pb_reply *reply)
{
    *ret_index = pb_oidc_find(api->oidc, pb_request_param(call->request, "provider"));
    if (*ret_index < pb_oidc_count(api->oidc))
        return true;
    (void)pb_api_problem(call, reply, 404, "there is no such provider", "provider");
    return false;
}

static enum pb_status
send_there(struct pb_api *api, const struct pb_api_call *call, struct pb_attempt *attempt,
           struct pb_reply *reply)
{
    char *url = pb_arena_alloc(call->request->arena, PB_OIDC_URL_BYTES);
    struct pb_error error = { "" };
    enum pb_status status = url != NULL ? pb_attempt_fill(api->env, attempt) : PB_E_NOMEM;

    if (status == PB_OK)
        status = pb_oidc_begin(api->oidc, attempt, url, &error);
    if (status == PB_E_IO) {
        pb_api_log_refused(api, call, "the provider does not answer as one");
        return pb_api_problem(call, reply, 502, "the provider does not answer as it should", NULL);
    }
    if (status == PB_OK)
        status = pb_api_attempt_cookie_make(api, reply, attempt->holder);
    if (status != PB_OK)
        return status;
    pb_attempts_put(&api->attempts, attempt, &call->request->peer);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"url\":");
    pb_reply_put_json(reply, pb_str_from(url));
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_oidc_begin(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct pb_attempt attempt = { .kind = PB_ATTEMPT_OIDC };
    struct pb_str consent = { NULL, 0 };
    const struct pb_api_text_field fields[] = {
        { "consent", PB_SPLASH_HEX_BYTES - 1, true, &consent },
    };
    const char *field = "", *why = "";
    enum pb_status status;

    if (!is_served(api, call, reply) || !find_provider(api, call, &attempt.provider, reply))
        return PB_OK;
    if (!pb_api_is_same_site(call->request))
        return pb_api_problem(call, reply, 403, "sent from a page of another site", NULL);
    status = pb_api_texts_read(call->request->arena, call->request->body, false, fields, 1, &field,
                               &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    if (status != PB_OK)
        return status;
    if (!pb_api_consents(api, call, consent, reply))
        return PB_OK;
    static_assert(sizeof(attempt.consent) == PB_SPLASH_HEX_BYTES, "room for what was agreed to");
    memcpy(attempt.consent, consent.text, consent.bytes);
    return send_there(api, call, &attempt, reply);
}

/* ---- who they are here ---- */

/* The subject that a person has at a provider. */
struct subject {
    char key[NOTE_KEY_BYTES];
    char wanted[2 * crypto_hash_sha256_BYTES + 1];
    bool is_there, is_wanted;
};

static bool
on_subject(void *context, const char *key, struct pb_str value)
{
    struct subject *subject = context;

    if (strcmp(key, subject->key) != 0)
        return true;
    subject->is_there = true;
    subject->is_wanted = pb_str_equal(value, pb_str_from(subject->wanted));
    return false;
}

static void
describe_subject(const struct pb_oidc_provider *provider, const struct pb_oidc_identity *identity,
                 struct subject *subject)
{
    crypto_hash_sha256_state state;
    uint8_t sha256[crypto_hash_sha256_BYTES];

    memset(subject, 0, sizeof(*subject));
    (void)snprintf(subject->key, sizeof(subject->key), "%s:%.*s", provider->name,
                   (int)identity->person.bytes, identity->person.text);
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)provider->issuer,
                                    strlen(provider->issuer) + 1);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)identity->subject.text,
                                    identity->subject.bytes);
    (void)crypto_hash_sha256_final(&state, sha256);
    (void)sodium_bin2hex(subject->wanted, sizeof(subject->wanted), sha256, sizeof(sha256));
}

/* Keeps who came first as a person. PB_NOT_FOUND: it was somebody else. */
static enum pb_status
check_subject(struct pb_api *api, const struct pb_oidc_provider *provider,
              const struct pb_oidc_identity *identity, struct pb_error *error)
{
    const struct pb_str nothing = { NULL, 0 };
    struct pb_catalog *catalog = pb_site_catalog(api->options.site);
    struct subject subject;
    enum pb_status status;

    describe_subject(provider, identity, &subject);
    status = pb_catalog_notes(catalog, NOTE, subject.key, on_subject, &subject, error);
    if (status != PB_OK || subject.is_wanted)
        return status;
    if (subject.is_there)
        return PB_NOT_FOUND;
    status = pb_catalog_note_swap(catalog, NOTE, subject.key, nothing, pb_str_from(subject.wanted),
                                  error);
    return status == PB_CONFLICT ? PB_E_BUSY : status;
}

/* The first role that groups give, or NULL. */
static const char *
first_role(const struct pb_oidc_provider *provider, const struct pb_oidc_identity *identity)
{
    for (unsigned i = 0; i < PB_OIDC_ROLES_MAX && provider->roles[i].group != NULL; i++) {
        if ((identity->roles & 1u << i) != 0)
            return provider->roles[i].role;
    }
    return NULL;
}

/* Adds somebody whom the catalog does not know, requested: an administrator has to approve. */
static enum pb_status
add_person(struct pb_api *api, const struct pb_oidc_provider *provider,
           const struct pb_oidc_identity *identity, struct pb_error *error)
{
    static const char *const names[] = { "id", "agency", "name", "role", "status" };
    char id[PB_CATALOG_ID_BYTES_MAX + 1];
    const char *values[] = { id, provider->agency, id, first_role(provider, identity),
                             "requested" };
    struct pb_record record = { .entity = pb_catalog_entity("person") };
    struct pb_actor operator_of_the_machine = { .person = NULL };

    memcpy(id, identity->person.text, identity->person.bytes);
    id[identity->person.bytes] = '\0';
    for (unsigned i = 0; i < record.entity->field_count; i++) {
        for (unsigned j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            if (strcmp(record.entity->fields[i].name, names[j]) == 0)
                record.values[i] = values[j];
        }
    }
    return pb_site_put(api->options.site, &operator_of_the_machine, &record, PB_PUT_ADD, error);
}

/* Whom the catalog has under the name, as far as the provider may speak for them. */
enum known { KNOWN, UNKNOWN, OTHER };

static enum pb_status
look_up(struct pb_api *api, const struct pb_oidc_provider *provider,
        const struct pb_oidc_identity *identity, enum known *ret_known, const char **ret_why,
        struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(api->options.site), &view, error);
    const struct pb_person *person;
    uint32_t index;

    if (status != PB_OK)
        return status;
    index = pb_view_person(view, identity->person);
    person = index != PB_NO_INDEX ? &view->people[index] : NULL;
    *ret_known = KNOWN;
    if (person == NULL) {
        *ret_known = UNKNOWN;
    } else if (!pb_str_equal(view->agencies[person->agency].id, pb_str_from(provider->agency))) {
        *ret_known = OTHER;
        *ret_why = "a person of another agency than the provider's";
    } else if (!pb_oidc_gives(provider, identity, person->role)) {
        *ret_known = OTHER;
        *ret_why = "in no group that stands for the person's role";
    }
    pb_catalog_view_drop(view);
    return PB_OK;
}

/* Asks for an account, where there is none yet. */
static enum pb_status
ask_for_account(struct pb_api *api, struct pb_str person, struct pb_error *error)
{
    enum pb_status status =
        pb_api_account_add(api->env, api->options.site, (struct pb_str){ NULL, 0 }, person, error);

    return status == PB_CONFLICT ? PB_OK : status;
}

/* ---- back ---- */

/* Pages for a browser that comes from elsewhere: without scripts. */
static void
put_page(struct pb_reply *reply, const char *head, const char *body)
{
    reply->content_type = "text/html; charset=utf-8";
    pb_reply_header(reply, "Content-Security-Policy",
                    pb_str_from("default-src 'none'; base-uri 'none'; form-action 'self'; "
                                "frame-ancestors 'none'"));
    pb_reply_put_text(reply, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                             "<meta name=\"viewport\" content=\"width=device-width\">");
    pb_reply_put_text(reply, head);
    pb_reply_put_text(reply, "</head><body><main>");
    pb_reply_put_text(reply, body);
    pb_reply_put_text(reply, "</main></body></html>\n");
}

/* The session's cookie is for pages of this server alone, and a browser that another site sent here
 * is none yet: so a page of ours goes on to the application. */
static enum pb_status
begin_session(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
              unsigned methods, const char *consent, struct pb_reply *reply)
{
    struct pb_api_sign_in sign_in = {
        .person = person,
        .methods = methods,
        .consent = pb_str_from(consent),
        .is_fresh = (methods & PB_BY_TOTP) != 0,
    };
    enum pb_status status = pb_api_session_begin(api, call, &sign_in, reply);

    if (status == PB_OK && reply->status == 201) {
        reply->status = 200;
        reply->body_bytes = 0;
        put_page(reply,
                 "<title>Signed in: Platebase</title>"
                 "<meta http-equiv=\"refresh\" content=\"0;url=/\">",
                 "<p>You are signed in. <a href=\"/\">Go on</a></p>");
    }
    return status;
}

/* One factor was enough there: ours comes on top. */
static enum pb_status
ask_for_code(struct pb_api *api, const struct pb_api_call *call, struct pb_attempt *attempt,
             struct pb_str person, struct pb_reply *reply)
{
    attempt->kind = PB_ATTEMPT_OIDC_CODE;
    memcpy(attempt->person, person.text, person.bytes);
    attempt->person[person.bytes] = '\0';
    pb_attempts_put(&api->attempts, attempt, &call->request->peer);
    put_page(reply, "<title>One more step: Platebase</title>",
             "<form method=\"post\" action=\"/v1/session/oidc-code\">"
             "<p><label>One-time code <input name=\"totp\" inputmode=\"numeric\" "
             "autocomplete=\"one-time-code\" required autofocus></label></p>"
             "<p><button>Sign in</button></p></form>");
    return PB_OK;
}

static enum pb_status
fail(struct pb_api *api, const struct pb_api_call *call, struct pb_str person, const char *why,
     struct pb_reply *reply)
{
    struct pb_error error = { "" };
    enum pb_status status = pb_api_attempt_failed(api, person, "provider", false, &error);

    pb_api_log_refused(api, call, why);
    return status != PB_OK ? status
                           : pb_api_problem(call, reply, 401,
                                            "the provider signs nobody in here: try again, or "
                                            "ask an administrator",
                                            NULL);
}

static enum pb_status
wait_for_approval(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
                  struct pb_reply *reply)
{
    struct pb_error error = { "" };
    enum pb_status status = ask_for_account(api, person, &error);

    if (status != PB_OK && status != PB_BAD_INPUT)
        return status;
    return pb_api_problem(call, reply, 403,
                          "you are known; an administrator has to approve your account first",
                          NULL);
}

/* The provider has said who it is. */
static enum pb_status
let_in(struct pb_api *api, const struct pb_api_call *call, struct pb_attempt *attempt,
       const struct pb_oidc_identity *identity, struct pb_reply *reply)
{
    struct pb_api_standing standing;
    struct pb_error error = { "" };
    bool has_totp = false;
    enum pb_status status =
        pb_api_standing_take(api, identity->person, call->request->arena, &standing, &error);

    if (status == PB_OK)
        has_totp = standing.account.totp.bytes > 0;
    pb_api_standing_drop(&standing);
    if (status == PB_NOT_FOUND)
        return wait_for_approval(api, call, identity->person, reply);
    if (status != PB_OK)
        return status;
    if (identity->is_mfa)
        return begin_session(api, call, identity->person, PB_BY_PROVIDER, attempt->consent, reply);
    if (has_totp)
        return ask_for_code(api, call, attempt, identity->person, reply);
    return pb_api_problem(call, reply, 403,
                          "your provider asks for one factor: set one-time codes here first, by "
                          "a link of an administrator's",
                          NULL);
}

static enum pb_status
receive(struct pb_api *api, const struct pb_api_call *call, struct pb_attempt *attempt,
        const struct pb_oidc_identity *identity, struct pb_reply *reply)
{
    const struct pb_oidc_provider *provider = pb_oidc_provider(api->oidc, attempt->provider);
    struct pb_error error = { "" };
    enum known known = OTHER;
    const char *why = "";
    enum pb_status status = look_up(api, provider, identity, &known, &why, &error);

    if (status != PB_OK)
        return status;
    if (known == UNKNOWN && (!provider->adds_people || first_role(provider, identity) == NULL))
        return fail(api, call, identity->person, "nobody of the catalog", reply);
    if (known == OTHER)
        return fail(api, call, identity->person, why, reply);
    status = check_subject(api, provider, identity, &error);
    if (status == PB_NOT_FOUND)
        return fail(api, call, identity->person, "another subject came as this person before",
                    reply);
    if (status != PB_OK)
        return status;
    if (known == UNKNOWN) {
        status = add_person(api, provider, identity, &error);
        return status == PB_OK || status == PB_CONFLICT
                   ? wait_for_approval(api, call, identity->person, reply)
                   : status;
    }
    return let_in(api, call, attempt, identity, reply);
}

static struct pb_str
brought_text(const struct pb_request *request, const char *name)
{
    const struct pb_str *value = pb_request_query(request, name);

    return value != NULL ? *value : (struct pb_str){ NULL, 0 };
}

enum pb_status
pb_api_handle_oidc_return(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    const struct pb_request *request = call->request;
    struct pb_oidc_return brought = {
        .code = brought_text(request, "code"),
        .state = brought_text(request, "state"),
        .issuer = brought_text(request, "iss"),
        .wrong = brought_text(request, "error"),
    };
    struct pb_str nobody = { NULL, 0 };
    struct pb_oidc_identity identity;
    struct pb_attempt attempt;
    struct pb_error error = { "" };
    const char *why = "";
    unsigned index;
    enum pb_status status;

    if (!is_served(api, call, reply) || !find_provider(api, call, &index, reply))
        return PB_OK;
    if (!pb_api_attempt_cookie_take(api, call, PB_ATTEMPT_OIDC, &attempt) ||
        attempt.provider != index)
        return fail(api, call, nobody, "this browser was not sent there, or too long ago", reply);
    status = pb_oidc_finish(api->oidc, &attempt, &brought, request->arena, &identity, &why, &error);
    if (status == PB_BAD_INPUT)
        return fail(api, call, nobody, why, reply);
    if (status == PB_E_IO) {
        pb_api_log_refused(api, call, "the provider does not answer as one");
        return pb_api_problem(call, reply, 502, "the provider does not answer as it should", NULL);
    }
    return status == PB_OK ? receive(api, call, &attempt, &identity, reply) : status;
}

/* ---- a code of ours on top ---- */

/* Uses up the code. PB_NOT_FOUND: it is wrong, or was used, or they may not sign in. */
static enum pb_status
take_code(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
          struct pb_str code, struct pb_error *error)
{
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    struct pb_api_standing standing;
    int64_t step = 0;
    enum pb_status status =
        pb_api_standing_take(api, person, call->request->arena, &standing, error);

    if (status == PB_OK) {
        struct pb_api_account *account = &standing.account;

        if (pb_totp_open(api->options.site, account->person, account->totp, secret))
            step = pb_totp_check(secret, code, pb_now_us(api->env), account->totp_step);
        sodium_memzero(secret, sizeof(secret));
        account->totp_step = step;
        status = step != 0 ? pb_api_account_swap(api->options.site, account, error) : PB_NOT_FOUND;
    }
    pb_api_standing_drop(&standing);
    return status == PB_CONFLICT ? PB_NOT_FOUND : status;
}

static enum pb_status
try_code(struct pb_api *api, const struct pb_api_call *call, const struct pb_attempt *attempt,
         struct pb_str code, struct pb_reply *reply)
{
    struct pb_str person = pb_str_from(attempt->person);
    struct pb_error error = { "" };
    bool is_last;
    enum pb_status status;

    if (!pb_api_attempt_take(api, call, person, &is_last, reply))
        return PB_OK;
    status = take_code(api, call, person, code, &error);
    if (status == PB_NOT_FOUND) {
        /* It may be tried again, as often as a name may. */
        if (!is_last)
            pb_attempts_put(&api->attempts, attempt, &call->request->peer);
        status = pb_api_attempt_failed(api, person, "provider", is_last, &error);
        return status != PB_OK ? status
                               : pb_api_problem(call, reply, 401, "that is not right", "totp");
    }
    if (status != PB_OK) {
        pb_api_attempt_give_back(api, call, person);
        return status;
    }
    pb_api_attempt_succeeded(api, call, person);
    return begin_session(api, call, person, PB_BY_PROVIDER | PB_BY_TOTP, attempt->consent, reply);
}

enum pb_status
pb_api_handle_oidc_code(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_request *request = call->request;
    struct pb_str code = { NULL, 0 };
    const struct pb_api_text_field fields[] = { { "totp", CODE_BYTES_MAX, true, &code } };
    const char *field = "", *why = "";
    struct pb_attempt attempt;
    enum pb_status status;

    if (!is_served(api, call, reply))
        return PB_OK;
    if (!pb_api_is_same_site(request))
        return pb_api_problem(call, reply, 403, "sent from a page of another site", NULL);
    status = pb_api_texts_read(request->arena, request->body, true, fields, 1, &field, &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    if (status != PB_OK)
        return status;
    if (!pb_api_attempt_cookie_take(api, call, PB_ATTEMPT_OIDC_CODE, &attempt))
        return pb_api_problem(call, reply, 401, "begin with your provider", NULL);
    return try_code(api, call, &attempt, code, reply);
}
