/*
 * Records of the catalog: list, show, add, change and remove, for every entity by the tables that
 * describe it. Who may is judged by src/inquiry; what is another agency's is not there.
 */

#include "api/api_private.h"
#include "api/page.h"
#include "api/record_json.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "inquiry/site.h"

/* ---- who and what ---- */

bool
pb_api_actor(const struct pb_api_call *call, struct pb_actor *ret_actor, struct pb_reply *reply,
             enum pb_status *ret_status)
{
    *ret_actor = (struct pb_actor){ .person = NULL };
    *ret_status = PB_OK;
    /* Nobody at all is the operator of the machine, whom no request speaks for. */
    if (call->caller->person.bytes == 0) {
        *ret_status = pb_api_problem(call, reply, 403, "a person is wanted who may do that", NULL);
        return false;
    }
    ret_actor->person = pb_arena_text(call->request->arena, call->caller->person);
    if (ret_actor->person == NULL)
        *ret_status = PB_E_NOMEM;
    return ret_actor->person != NULL;
}

/* The state that was seen, as If-Match says; "*" is any. False: the reply is filled. */
static bool
take_seen(const struct pb_api_call *call, struct pb_actor *actor, struct pb_reply *reply,
          enum pb_status *ret_status)
{
    const struct pb_str *header = pb_request_header(call->request, "If-Match");

    *ret_status = PB_OK;
    if (header == NULL) {
        *ret_status =
            pb_api_problem(call, reply, 428,
                           "say in If-Match which state was seen: the ETag of the record", NULL);
        return false;
    }
    if (pb_str_equal(*header, pb_str_from("*")))
        return true;
    /* Anything but one mark in quotes is none that was ever given out. */
    if (header->bytes == PB_RECORD_MARK_BYTES + 1 && header->text[0] == '"' &&
        header->text[header->bytes - 1] == '"')
        actor->seen = pb_arena_text(call->request->arena,
                                    (struct pb_str){ header->text + 1, PB_RECORD_MARK_BYTES - 1 });
    else
        actor->seen = "";
    if (actor->seen == NULL)
        *ret_status = PB_E_NOMEM;
    return actor->seen != NULL;
}

static const struct pb_entity *
entity_of(const struct pb_api_call *call)
{
    return pb_catalog_entity(call->endpoint->entity);
}

/* ---- answers ---- */

struct shown {
    struct pb_reply *reply;
    bool has_mark;
};

static bool
put_shown(void *context, const struct pb_record *record)
{
    struct shown *shown = context;
    char tag[PB_RECORD_MARK_BYTES + 2] = "\"";

    pb_site_record_mark(record, tag + 1);
    tag[PB_RECORD_MARK_BYTES] = '"';
    pb_reply_header(shown->reply, "ETag", (struct pb_str){ tag, PB_RECORD_MARK_BYTES + 1 });
    shown->reply->content_type = "application/json";
    pb_api_record_put(shown->reply, record);
    pb_reply_put_text(shown->reply, "\n");
    return true;
}

static enum pb_status
answer_record(struct pb_api *api, const struct pb_api_call *call, const struct pb_actor *actor,
              const char *id, struct pb_reply *reply)
{
    struct shown shown = { .reply = reply };
    struct pb_error error = { "" };
    enum pb_status status =
        pb_site_show(api->options.site, actor, entity_of(call), id, put_shown, &shown, &error);

    return status == PB_OK ? PB_OK : pb_api_answer_refused(call, reply, status, &error);
}

/* ---- the handlers ---- */

static bool
put_item(void *context, const struct pb_record *record)
{
    struct pb_api_page *page = context;
    bool goes_on;

    if (pb_api_page_takes(page, pb_str_from(record->values[0]), &goes_on))
        pb_api_record_put(page->reply, record);
    return goes_on;
}

enum pb_status
pb_api_handle_records_list(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct pb_error error = { "" };
    struct pb_api_page page;
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    page = pb_api_page_begin(call, reply);
    status = pb_site_list(api->options.site, &actor, entity_of(call), page.after, put_item, &page,
                          &error);
    return pb_api_page_end(&page, call, status, &error);
}

enum pb_status
pb_api_handle_records_show(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    const char *id = pb_arena_text(call->request->arena, pb_request_param(call->request, "id"));
    struct pb_actor actor;
    enum pb_status status;

    if (id == NULL)
        return PB_E_NOMEM;
    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    return answer_record(api, call, &actor, id, reply);
}

/* Reads the body; false: the reply is filled, or ret_status is a failure. */
static bool
take_record(const struct pb_api_call *call, bool is_change, struct pb_record *ret_record,
            struct pb_reply *reply, enum pb_status *ret_status)
{
    const char *field, *why;

    *ret_status = pb_api_record_parse(call->request->arena, entity_of(call), is_change,
                                      call->request->body, ret_record, &field, &why);
    if (*ret_status == PB_BAD_INPUT)
        *ret_status = pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    else if (*ret_status == PB_OK)
        return true;
    return false;
}

enum pb_status
pb_api_handle_records_add(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    struct pb_error error = { "" };
    struct pb_record record;
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status) ||
        !take_record(call, false, &record, reply, &status))
        return status;
    status = pb_site_put(api->options.site, &actor, &record, PB_PUT_ADD, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->status = 201;
    return answer_record(api, call, &actor, record.values[0], reply);
}

enum pb_status
pb_api_handle_records_change(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    const char *id = pb_arena_text(call->request->arena, pb_request_param(call->request, "id"));
    struct pb_error error = { "" };
    struct pb_record record;
    struct pb_actor actor;
    enum pb_status status = PB_E_NOMEM;

    if (id == NULL || !pb_api_actor(call, &actor, reply, &status) ||
        !take_seen(call, &actor, reply, &status) ||
        !take_record(call, true, &record, reply, &status))
        return status;
    record.values[0] = id;
    status = pb_site_put(api->options.site, &actor, &record, PB_PUT_CHANGE, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    return answer_record(api, call, &actor, id, reply);
}

enum pb_status
pb_api_handle_records_remove(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    const char *id = pb_arena_text(call->request->arena, pb_request_param(call->request, "id"));
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status = PB_E_NOMEM;

    if (id == NULL || !pb_api_actor(call, &actor, reply, &status) ||
        !take_seen(call, &actor, reply, &status))
        return status;
    status = pb_site_remove(api->options.site, &actor, entity_of(call), id, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"removed\":");
    pb_reply_put_json(reply, pb_str_from(id));
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}
