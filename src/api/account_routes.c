/*
 * Accounts: what administrators do with those of their agency.
 */
#include <sodium.h>
#include <string.h>

#include "api/api_private.h"
#include "api/member.h"
#include "api/texts.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/site.h"

/* Nothing where it is empty. */
static void
put_text(struct pb_reply *reply, const char *key, struct pb_str value)
{
    if (value.bytes > 0)
        pb_api_put_text(reply, key, value);
}

static void
put_account(struct pb_reply *reply, const struct pb_api_account *account, int64_t now_us)
{
    enum pb_account_state state = account->state;

    /* One that nobody used is as good as disabled, and becomes so when somebody tries it. */
    if (state == PB_ACCOUNT_ACTIVE && !pb_api_account_is_usable(account, now_us))
        state = PB_ACCOUNT_DISABLED;
    pb_reply_put_text(reply, "{\"person\":");
    pb_reply_put_json(reply, account->person);
    put_text(reply, "state", pb_str_from(pb_api_account_state_name(state)));
    put_text(reply, "creator", account->creator);
    put_text(reply, "approver", account->approver);
    pb_reply_put_text(reply, ",\"enrolled\":");
    pb_reply_put_text(reply, account->password.bytes > 0 ? "true" : "false");
    pb_api_put_time_known(reply, "created_at", account->created_at_us);
    pb_api_put_time_known(reply, "approved_at", account->approved_at_us);
    pb_api_put_time_known(reply, "signed_in_at", account->signed_in_at_us);
    pb_api_put_time_known(reply, "disabled_at", account->disabled_at_us);
    put_text(reply, "why", account->why);
    pb_reply_put_text(reply, "}");
}

/* The account of a person of the caller's agency. */
static enum pb_status
find(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
     struct pb_api_account *ret_account)
{
    struct pb_site *site = api->options.site;
    const struct pb_catalog_view *view = NULL;
    struct pb_error error = { "" };
    uint32_t index;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, &error);

    if (status != PB_OK)
        return status;
    index = pb_view_person(view, person);
    if (index == PB_NO_INDEX ||
        !pb_str_equal(view->agencies[view->people[index].agency].id, call->caller->agency))
        status = PB_NOT_FOUND;
    pb_catalog_view_drop(view);
    return status == PB_OK
               ? pb_api_account_find(site, person, call->request->arena, ret_account, &error)
               : status;
}

/* What a change came to. A person of another agency does not exist for the caller. */
static enum pb_status
answer(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
       enum pb_status status, const struct pb_error *error, struct pb_reply *reply)
{
    struct pb_api_account account;

    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 403, error->message, "person");
    if (status == PB_CONFLICT)
        return pb_api_problem(call, reply, 409, "there is one already, or it was changed meanwhile",
                              "person");
    if (status == PB_OK)
        status = find(api, call, person, &account);
    if (status == PB_NOT_FOUND)
        return pb_api_problem(call, reply, 404, "your agency has no such account", "person");
    if (status != PB_OK)
        return status;
    reply->content_type = "application/json";
    put_account(reply, &account, pb_now_us(api->env));
    pb_reply_put_text(reply, "\n");
    return PB_OK;
}

/* An administrator of their agency: a program that nobody stands behind is none. False: the reply
 * is filled, or ret_status is a failure. */
static bool
administers(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
            enum pb_status *ret_status)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_error error = { "" };
    bool may = false;

    *ret_status = pb_catalog_view_take(pb_site_catalog(api->options.site), &view, &error);
    if (*ret_status == PB_OK)
        may = pb_view_may(view, pb_view_person(view, call->caller->person), PB_MAY_ADMINISTER,
                          pb_now_us(api->env));
    pb_catalog_view_drop(view);
    if (*ret_status == PB_OK && !may)
        *ret_status = pb_api_problem(call, reply, 403, "only an administrator may do that", NULL);
    return may;
}

/* Whom a path names, where the caller may see them; false as above. */
static bool
named(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
      struct pb_str *ret_person, enum pb_status *ret_status)
{
    struct pb_api_account account;

    if (!administers(api, call, reply, ret_status))
        return false;
    *ret_person = pb_request_param(call->request, "person");
    *ret_status = find(api, call, *ret_person, &account);
    if (*ret_status == PB_NOT_FOUND)
        *ret_status = pb_api_problem(call, reply, 404, "your agency has no such account", "person");
    else if (*ret_status == PB_OK)
        return true;
    return false;
}

/* What gives somebody access is done by who has just proved to be there. */
static bool
has_stepped_up(const struct pb_api_call *call, struct pb_reply *reply)
{
    if (call->caller->has_stepped_up)
        return true;
    (void)pb_api_problem(call, reply, 403, "prove to be there first: /v1/session/step-up",
                         "session");
    return false;
}

/* ---- handlers ---- */

struct listing {
    struct pb_api *api;
    const struct pb_api_call *call;
    struct pb_reply *reply;
    const struct pb_catalog_view *view;
    bool is_first;
};

static bool
put_one(void *context, const struct pb_api_account *account)
{
    struct listing *listing = context;
    uint32_t index = pb_view_person(listing->view, account->person);

    if (index == PB_NO_INDEX ||
        !pb_str_equal(listing->view->agencies[listing->view->people[index].agency].id,
                      listing->call->caller->agency))
        return true;
    pb_reply_put_text(listing->reply, listing->is_first ? "" : ",");
    listing->is_first = false;
    put_account(listing->reply, account, pb_now_us(listing->api->env));
    return true;
}

enum pb_status
pb_api_handle_accounts_list(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct listing listing = { api, call, reply, NULL, true };
    struct pb_error error = { "" };
    enum pb_status status;

    if (!administers(api, call, reply, &status))
        return status;
    status = pb_catalog_view_take(pb_site_catalog(api->options.site), &listing.view, &error);
    if (status != PB_OK)
        return status;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"accounts\":[");
    status = pb_api_account_each(api->env, api->options.site, put_one, &listing, &error);
    pb_reply_put_text(reply, "]}\n");
    pb_catalog_view_drop(listing.view);
    return status;
}

enum pb_status
pb_api_handle_accounts_show(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_str person;
    enum pb_status status;

    if (!named(api, call, reply, &person, &status))
        return status;
    return answer(api, call, person, PB_OK, NULL, reply);
}

enum pb_status
pb_api_handle_accounts_add(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct pb_str person = { NULL, 0 };
    const struct pb_api_text_field field = { "person", PB_CATALOG_ID_BYTES_MAX, true, &person };
    struct pb_error error = { "" };
    const char *name, *why;
    enum pb_status status;

    if (call->caller->person.bytes == 0)
        return pb_api_problem(call, reply, 403, "a person is wanted, not a program", NULL);
    status =
        pb_api_texts_read(call->request->arena, call->request->body, false, &field, 1, &name, &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, name[0] != '\0' ? name : NULL);
    if (status == PB_OK)
        status =
            pb_api_account_add(api->env, api->options.site, call->caller->person, person, &error);
    if (status == PB_OK)
        reply->status = 201;
    return answer(api, call, person, status, &error, reply);
}

/* pb_api_account_approve and the like. */
typedef enum pb_status change_fn(const struct pb_env *env, struct pb_site *site,
                                 struct pb_str actor, struct pb_str person, struct pb_error *error);

/* Of whom the path names, by who has just proved to be there. */
static enum pb_status
change_access(struct pb_api *api, const struct pb_api_call *call, change_fn *change, bool forgets,
              struct pb_reply *reply)
{
    struct pb_error error = { "" };
    struct pb_str person;
    enum pb_status status;

    if (!named(api, call, reply, &person, &status))
        return status;
    if (!has_stepped_up(call, reply))
        return PB_OK;
    status = change(api->env, api->options.site, call->caller->person, person, &error);
    if (status == PB_OK && forgets)
        pb_api_attempts_forget(api, person);
    return answer(api, call, person, status, &error, reply);
}

enum pb_status
pb_api_handle_accounts_approve(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    return change_access(api, call, pb_api_account_approve, false, reply);
}

enum pb_status
pb_api_handle_accounts_disable(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    struct pb_str person, why = { NULL, 0 };
    const struct pb_api_text_field field = { "why", PB_ACCOUNT_WHY_BYTES_MAX, true, &why };
    struct pb_error error = { "" };
    const char *name, *wrong;
    enum pb_status status;

    if (!named(api, call, reply, &person, &status))
        return status;
    status = pb_api_texts_read(call->request->arena, call->request->body, false, &field, 1, &name,
                               &wrong);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, wrong, name[0] != '\0' ? name : NULL);
    if (status == PB_OK)
        status = pb_api_account_disable(api->env, api->options.site, call->caller->person, person,
                                        why, &error);
    if (status == PB_OK)
        (void)pb_api_sessions_end_all(&api->people.sessions, person, NULL);
    return answer(api, call, person, status, &error, reply);
}

/* They may be locked because somebody else guessed: it takes nothing away but that. */
enum pb_status
pb_api_handle_accounts_unlock(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_reply *reply)
{
    return change_access(api, call, pb_api_account_unlock, true, reply);
}

enum pb_status
pb_api_handle_accounts_link(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    char code[PB_ACCOUNT_CODE_BYTES];
    struct pb_error error = { "" };
    struct pb_str person;
    enum pb_status status;

    if (!named(api, call, reply, &person, &status))
        return status;
    if (!has_stepped_up(call, reply))
        return PB_OK;
    status = pb_api_account_link(api->env, api->options.site, call->caller->person, person, code,
                                 &error);
    if (status != PB_OK)
        return answer(api, call, person, status, &error, reply);
    (void)pb_api_sessions_end_all(&api->people.sessions, person, NULL);
    reply->status = 201;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"person\":");
    pb_reply_put_json(reply, person);
    put_text(reply, "code", pb_str_from(code));
    pb_reply_put_text(reply, ",\"path\":\"/sign-in?code=");
    pb_reply_put_text(reply, code);
    pb_reply_put_text(reply, "\"");
    pb_api_put_time_known(reply, "expires_at", pb_now_us(api->env) + PB_ACCOUNT_LINK_US);
    pb_reply_put_text(reply, "}\n");
    sodium_memzero(code, sizeof(code));
    return PB_OK;
}
