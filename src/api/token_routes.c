/*
 * Tokens: what one may do, which there are, making and revoking.
 */
#include <string.h>

#include "api/api_private.h"
#include "api/member.h"
#include "api/page.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

static void
put_verbs(struct pb_reply *reply, unsigned verbs)
{
    const char *gap = "";

    for (unsigned i = 0; i < PB_TOKEN_VERBS; i++) {
        if ((verbs & 1u << i) == 0)
            continue;
        pb_reply_put_text(reply, gap);
        pb_reply_put_json(reply, pb_str_from(pb_api_token_verb_name(i)));
        gap = ",";
    }
}

static void
put_members(struct pb_reply *reply, const struct pb_api_token *token)
{
    pb_reply_put_text(reply, "\"id\":");
    pb_reply_put_json(reply, token->id);
    pb_api_put_text(reply, "agency", token->agency);
    if (token->person.bytes > 0) {
        pb_api_put_text(reply, "person", token->person);
    }
    pb_reply_put_text(reply, ",\"verbs\":[");
    put_verbs(reply, token->verbs);
    pb_reply_put_text(reply, "],\"readers\":[");
    for (uint32_t i = 0; i < token->reader_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        pb_reply_put_json(reply, token->readers[i]);
    }
    pb_reply_put_text(reply, "],\"via\":");
    pb_reply_put_json(reply, pb_str_from(pb_api_token_via_name(token->via)));
    if (token->label.bytes > 0) {
        pb_api_put_text(reply, "label", token->label);
    }
    pb_api_put_time_known(reply, "created_at", token->created_at_us);
    pb_api_put_time_known(reply, "expires_at", token->expires_at_us);
    pb_api_put_time_known(reply, "revoked_at", token->revoked_at_us);
}

static void
put_token(struct pb_reply *reply, const struct pb_api_token *token)
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{");
    put_members(reply, token);
    pb_reply_put_text(reply, "}\n");
}

enum pb_status
pb_api_handle_token_show(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)api;
    put_token(reply, call->caller->token);
    return PB_OK;
}

static bool
is_own(const struct pb_api_caller *caller, const struct pb_api_token *token)
{
    return caller->token != NULL && pb_str_equal(token->id, caller->token->id);
}

enum pb_status
pb_api_handle_tokens_revoke(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_str id = pb_request_param(call->request, "id");
    struct pb_arena *arena = call->request->arena;
    const struct pb_api_caller *caller = call->caller;
    struct pb_error error = { "" };
    struct pb_api_token token;
    enum pb_status status = pb_api_token_find(api->options.site, id, arena, &token, &error);

    /* What is not the asker's to revoke does not exist for them. */
    if (status == PB_OK && !is_own(caller, &token) &&
        ((caller->verbs & PB_TOKEN_ADMINISTER) == 0 || !pb_str_equal(token.agency, caller->agency)))
        status = PB_NOT_FOUND;
    if (status == PB_NOT_FOUND)
        return pb_api_problem(call, reply, 404, "there is no token that you may revoke", "id");
    if (status == PB_OK)
        status = pb_api_token_revoke(api->env, api->options.site, id, &error);
    if (status == PB_OK)
        pb_api_token_cache_drop(&api->token_cache, id);
    if (status == PB_OK)
        status = pb_api_token_find(api->options.site, id, arena, &token, &error);
    if (status != PB_OK)
        return status < 0 ? status : PB_E_CORRUPT;
    put_token(reply, &token);
    return PB_OK;
}

/* ---- listing ---- */

struct listing {
    struct pb_api_page page;
    struct pb_str agency;
    bool sees_all;
};

static bool
put_listed(void *context, const struct pb_api_token *token)
{
    struct listing *listing = context;
    struct pb_reply *reply = listing->page.reply;
    bool goes_on;

    if (!listing->sees_all && !pb_str_equal(token->agency, listing->agency))
        return true;
    if (!pb_api_page_takes(&listing->page, token->id, &goes_on))
        return goes_on;
    pb_reply_put_text(reply, "{");
    put_members(reply, token);
    pb_reply_put_text(reply, "}");
    return goes_on;
}

enum pb_status
pb_api_handle_tokens_list(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    struct listing listing = { .agency = call->caller->agency };
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_site_may_administer(api->options.site, &actor, call->caller->agency, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    listing.sees_all = pb_site_may_operate(api->options.site, &actor, &error) == PB_OK;
    listing.page = pb_api_page_begin(call, reply);
    status = pb_api_token_each(api->env, api->options.site, put_listed, &listing, &error);
    return pb_api_page_end(&listing.page, call, status, &error);
}

/* ---- making ---- */

#define DAYS_DEFAULT 90

struct adding {
    struct pb_api_token token;
    struct pb_str readers[PB_TOKEN_READERS_MAX];
    int64_t days;
};

/* Texts of a list; false where it is none, or too long. */
static bool
take_texts(const json_t *list, struct pb_str *texts, uint32_t max, uint32_t *ret_count)
{
    *ret_count = (uint32_t)json_array_size(list);
    if (!json_is_array(list) || json_array_size(list) > max)
        return false;
    for (uint32_t i = 0; i < *ret_count; i++) {
        const json_t *text = json_array_get(list, i);

        if (!json_is_string(text))
            return false;
        texts[i] = (struct pb_str){ json_string_value(text), (uint32_t)json_string_length(text) };
    }
    return true;
}

static void
read_token(struct pb_api_reading *reading, void *into)
{
    struct adding *adding = into;
    struct pb_str verbs[PB_TOKEN_VERBS];
    const json_t *list;
    uint32_t count = 0;

    pb_api_take_text(reading, "agency", &adding->token.agency);
    pb_api_take_text(reading, "person", &adding->token.person);
    pb_api_take_text(reading, "label", &adding->token.label);
    adding->days = pb_api_take_number(reading, "days", 1, DAYS_DEFAULT, DAYS_DEFAULT);
    if (!take_texts(pb_api_take(reading, "verbs"), verbs, PB_TOKEN_VERBS, &count) || count == 0)
        pb_api_refuse(reading, "verbs", "wanted is a list: some of reads, ask, administer, audit");
    for (uint32_t i = 0; reading->refusal.why == NULL && i < count; i++) {
        unsigned verb = pb_api_token_verb(verbs[i]);

        if (verb == 0)
            pb_api_refuse(reading, "verbs", "some of reads, ask, administer, audit");
        adding->token.verbs |= verb;
    }
    list = pb_api_take(reading, "readers");
    adding->token.readers = adding->readers;
    if (list != NULL &&
        !take_texts(list, adding->readers, PB_TOKEN_READERS_MAX, &adding->token.reader_count))
        pb_api_refuse(reading, "readers", "wanted is a list of at most 256 readers' ids");
}

/* What an administrator must not gain by making a token: a program makes none that looks or
 * administers, and nobody one in which somebody else does, or that acts for who operates. */
static enum pb_status
check_power(struct pb_api *api, const struct pb_api_call *call, const struct pb_api_token *token,
            struct pb_error *error)
{
    const unsigned strong = PB_TOKEN_ADMINISTER | PB_TOKEN_AUDIT;
    bool is_own = pb_str_equal(token->person, call->caller->person);
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = PB_OK;
    uint32_t person;

    if ((token->verbs & strong) != 0 && (call->caller->token != NULL || !is_own))
        return pb_fail(error, PB_DENIED,
                       "verbs: only who signed in makes a token that administers or audits, for "
                       "themselves");
    status = pb_catalog_view_take(pb_site_catalog(api->options.site), &view, error);
    if (status != PB_OK)
        return status;
    person = pb_view_person(view, token->person);
    if (!is_own && person != PB_NO_INDEX &&
        (view->people[person].permissions & PB_MAY_OPERATE) != 0)
        status = pb_fail(error, PB_DENIED, "person: the agency has no such person");
    pb_catalog_view_drop(view);
    return status;
}

static enum pb_status
add(struct pb_api *api, const struct pb_api_call *call, const struct pb_actor *actor,
    struct adding *adding, struct pb_reply *reply)
{
    struct pb_api_token *token = &adding->token;
    struct pb_error error = { "" };
    char text[PB_TOKEN_TEXT_BYTES];
    enum pb_status status;

    if (token->agency.bytes == 0)
        token->agency = call->caller->agency;
    token->maker = call->caller->person;
    token->expires_at_us = pb_now_us(api->env) + adding->days * PB_DAY_US;
    status = pb_site_may_administer(api->options.site, actor, token->agency, &error);
    if (status == PB_OK)
        status = check_power(api, call, token, &error);
    if (status == PB_OK)
        status = pb_api_token_add(api->env, api->options.site, token, text, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    token->id = (struct pb_str){ text + 3, PB_TOKEN_ID_BYTES };
    token->created_at_us = pb_now_us(api->env);
    reply->status = 201;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"token\":");
    pb_reply_put_json(reply, pb_str_from(text));
    pb_reply_put_text(reply, ",");
    put_members(reply, token);
    pb_reply_put_text(reply, "}\n");
    explicit_bzero(text, sizeof(text));
    return PB_OK;
}

enum pb_status
pb_api_handle_tokens_add(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct adding *adding = pb_arena_alloc(call->request->arena, sizeof(*adding));
    struct pb_actor actor;
    json_t *root = NULL;
    enum pb_status status = PB_E_NOMEM;

    if (adding == NULL || !pb_api_actor(call, &actor, reply, &status))
        return status;
    memset(adding, 0, sizeof(*adding));
    status = pb_api_read_body(api, call, reply, read_token, adding, &root);
    if (status == PB_OK)
        status = add(api, call, &actor, adding, reply);
    json_decref(root);
    return status == PB_END ? PB_OK : status;
}
