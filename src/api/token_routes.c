/*
 * Tokens: what one may do, and revoking.
 */
#include "api/api_private.h"
#include "base/text.h"
#include "base/time.h"

static void
put_time(struct pb_reply *reply, const char *key, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    if (us == 0)
        return;
    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    pb_reply_put_text(reply, ",\"");
    pb_reply_put_text(reply, key);
    pb_reply_put_text(reply, "\":");
    pb_reply_put_json(reply, pb_str_from(text));
}

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
put_token(struct pb_reply *reply, const struct pb_api_token *token)
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"id\":");
    pb_reply_put_json(reply, token->id);
    pb_reply_put_text(reply, ",\"agency\":");
    pb_reply_put_json(reply, token->agency);
    if (token->person.bytes > 0) {
        pb_reply_put_text(reply, ",\"person\":");
        pb_reply_put_json(reply, token->person);
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
        pb_reply_put_text(reply, ",\"label\":");
        pb_reply_put_json(reply, token->label);
    }
    put_time(reply, "created_at", token->created_at_us);
    put_time(reply, "expires_at", token->expires_at_us);
    put_time(reply, "revoked_at", token->revoked_at_us);
    pb_reply_put_text(reply, "}\n");
}

enum pb_status
pb_api_handle_token_show(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)api;
    put_token(reply, call->caller->token);
    return PB_OK;
}

enum pb_status
pb_api_handle_tokens_revoke(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_str id = pb_request_param(call->request, "id");
    struct pb_arena *arena = call->request->arena;
    const struct pb_api_token *own = call->caller->token;
    struct pb_error error = { "" };
    struct pb_api_token token;
    enum pb_status status = pb_api_token_find(api->options.site, id, arena, &token, &error);

    /* What is not the asker's to revoke does not exist for them. */
    if (status == PB_OK && !pb_str_equal(token.id, own->id) &&
        ((own->verbs & PB_TOKEN_ADMINISTER) == 0 || !pb_str_equal(token.agency, own->agency)))
        status = PB_NOT_FOUND;
    if (status == PB_NOT_FOUND)
        return pb_api_problem(call, reply, 404, "there is no token that this one may revoke", "id");
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
