/*
 * Catalog: the whole of it as YAML, out and in, and rule packs; for who operates, as
 * src/inquiry/rights.c judges.
 */

#include "api/api_private.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "inquiry/site.h"

enum pb_status
pb_api_handle_catalog_export(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct pb_error error = { "" };
    struct pb_actor actor;
    size_t bytes = 0;
    char *text = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_site_export_yaml(api->options.site, &actor, &text, &bytes, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/yaml";
    pb_reply_put(reply, text, bytes);
    pb_free(api->env, text);
    return PB_OK;
}

enum pb_status
pb_api_handle_catalog_import(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct pb_str body = call->request->body;
    struct pb_catalog_changes changes = { .added = 0 };
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status =
        pb_site_import_yaml(api->options.site, &actor, body.text, body.bytes, &changes, &error);
    if (status > PB_OK && status != PB_DENIED)
        return pb_api_problem(call, reply, 400, error.message, NULL); /* line, entity and field */
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"added\":");
    pb_reply_put_number(reply, (int64_t)changes.added);
    pb_reply_put_text(reply, ",\"changed\":");
    pb_reply_put_number(reply, (int64_t)changes.changed);
    pb_reply_put_text(reply, ",\"same\":");
    pb_reply_put_number(reply, (int64_t)changes.same);
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_rules_put(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct pb_str name = pb_request_param(call->request, "name"), body = call->request->body;
    const char *file = pb_arena_text(call->request->arena, name);
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status = PB_E_NOMEM;

    if (file == NULL || !pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_site_put_pack(api->options.site, &actor, file, body.text, body.bytes, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"put\":");
    pb_reply_put_json(reply, name);
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}
