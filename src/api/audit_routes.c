/*
 * Audit: what an agency's own auditors may open of its log, and the keys with which anybody checks
 * logs. src/inquiry/review.h judges who may, and leaves an entry of each look before anything is
 * shown.
 */

#include "api/api_private.h"
#include "api/body.h"
#include "api/member.h"
#include "audit/audit.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/entry.h"
#include "inquiry/review.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define SCAN_MAX 100000u /* entries that one search looks at; the next goes on behind them */
#define EXPORT_ENTRIES_MAX 100000u
#define EXPORT_BYTES_MAX (32u << 20)

/* ---- entries into a reply ---- */

static void
put_bytes(void *context, const char *bytes, size_t count)
{
    pb_reply_put(context, bytes, count);
}

static void
put_json(void *context, struct pb_str text)
{
    pb_reply_put_json(context, text);
}

enum form { FORM_PAGE, FORM_LINES, FORM_CSV };

struct entries {
    struct pb_reply *reply;
    enum form form;
    uint64_t count, limit;
    uint64_t last; /* index of the last one shown */
    bool has_more;
};

static bool
put_entry(void *context, const struct pb_audit_entry *entry)
{
    struct entries *entries = context;
    const struct pb_entry_sink sink = { entries->reply, put_bytes, put_json };

    if (entries->count == entries->limit || entries->reply->body_bytes > EXPORT_BYTES_MAX) {
        entries->has_more = true;
        return false;
    }
    if (entries->form == FORM_CSV) {
        pb_entry_put_csv(&sink, entry);
    } else {
        pb_reply_put_text(entries->reply,
                          entries->form == FORM_PAGE && entries->count > 0 ? ",\n" : "");
        pb_entry_put_json(&sink, entry);
        pb_reply_put_text(entries->reply, entries->form == FORM_LINES ? "\n" : "");
    }
    entries->count++;
    entries->last = entry->index;
    return true;
}

/* ---- which log, and how long it is ---- */

struct sized {
    struct pb_str log;
    uint64_t count;
};

static bool
note_size(void *context, const struct pb_audit_log_info *info)
{
    struct sized *sized = context;

    if (!pb_str_equal(sized->log, pb_str_from(info->id)))
        return true;
    sized->count = info->leaf_count;
    return false;
}

static enum pb_status
log_size(const struct pb_api *api, const struct pb_api_call *call, uint64_t *ret_count)
{
    struct sized sized = { .log = call->caller->agency };
    struct pb_error error;
    enum pb_status status =
        pb_audit_each_log(pb_site_audit(api->options.site), note_size, &sized, &error);

    *ret_count = sized.count;
    return status;
}

/* ---- search and export ---- */

struct search {
    struct pb_review_filter filter;
    struct pb_str event;
    uint64_t limit;
    unsigned format;
};

static void
read_filter(struct pb_api_reading *reading, struct search *search)
{
    struct pb_review_filter *filter = &search->filter;

    pb_api_take_text(reading, "person", &filter->person);
    pb_api_take_text(reading, "plate", &filter->plate);
    pb_api_take_text(reading, "case_number", &filter->case_number);
    pb_api_take_text(reading, "kind", &filter->kind);
    pb_api_take_text(reading, "event", &search->event);
    pb_api_take_time(reading, "from", &filter->from_us);
    pb_api_take_time(reading, "to", &filter->to_us);
    /* Both or none: an end alone begins with the log. */
    if (filter->to_us == 0 && filter->from_us != 0)
        filter->to_us = PB_TIME_MAX_US;
}

static void
read_search(struct pb_api_reading *reading, void *into)
{
    struct search *search = into;

    read_filter(reading, search);
    search->filter.first = (uint64_t)pb_api_take_number(reading, "first", 0, INT64_MAX / 2, 0);
    search->limit = (uint64_t)pb_api_take_number(reading, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT);
}

static void
read_export(struct pb_api_reading *reading, void *into)
{
    static const char *const formats[] = { "csv", "json", NULL };
    struct search *search = into;

    read_filter(reading, search);
    search->format = pb_api_take_choice(reading, "format", formats, 0);
    search->limit = EXPORT_ENTRIES_MAX;
}

static enum pb_status
keep_event(const struct pb_api_call *call, struct search *search)
{
    if (search->event.bytes == 0)
        return PB_OK;
    search->filter.event = pb_arena_text(call->request->arena, search->event);
    return search->filter.event != NULL ? PB_OK : PB_E_NOMEM;
}

static void
put_page_end(struct pb_reply *reply, const struct entries *entries, const struct search *search,
             uint64_t size)
{
    uint64_t next = entries->has_more ? entries->last + 1 : search->filter.last + 1;

    pb_reply_put_text(reply, "]");
    if (entries->has_more || next < size) {
        pb_reply_put_text(reply, ",\"next\":");
        pb_reply_put_number(reply, (int64_t)next);
    }
    pb_reply_put_text(reply, "}\n");
}

static enum pb_status
search_log(struct pb_api *api, const struct pb_api_call *call, const struct pb_actor *actor,
           struct search *search, struct pb_reply *reply)
{
    struct entries entries = { .reply = reply, .form = FORM_PAGE, .limit = search->limit };
    struct pb_error error = { "" };
    uint64_t size = 0;
    enum pb_status status = keep_event(call, search);

    if (status == PB_OK)
        status = log_size(api, call, &size);
    if (status != PB_OK)
        return status;
    search->filter.last = search->filter.first + SCAN_MAX - 1;
    pb_reply_put_text(reply, "{\"entries\":[");
    status = pb_review_read(api->options.site, pb_str_from(actor->person), &search->filter,
                            put_entry, &entries, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/json";
    put_page_end(reply, &entries, search, size);
    return PB_OK;
}

enum pb_status
pb_api_handle_audit_search(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct search search = { .limit = LIMIT_DEFAULT };
    struct pb_actor actor;
    json_t *root = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_api_read_body(api, call, reply, read_search, &search, &root);
    if (status == PB_OK)
        status = search_log(api, call, &actor, &search, reply);
    json_decref(root);
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
export_log(struct pb_api *api, const struct pb_api_call *call, const struct pb_actor *actor,
           struct search *search, struct pb_reply *reply)
{
    bool is_csv = search->format == 0;
    struct entries entries = { .reply = reply,
                               .form = is_csv ? FORM_CSV : FORM_LINES,
                               .limit = search->limit };
    struct pb_error error = { "" };
    enum pb_status status = keep_event(call, search);

    if (status != PB_OK)
        return status;
    if (is_csv)
        pb_reply_put_text(reply, pb_entry_csv_header);
    status = pb_review_read(api->options.site, pb_str_from(actor->person), &search->filter,
                            put_entry, &entries, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    if (entries.has_more)
        return pb_api_problem(call, reply, 422, "too much for one export: narrow the time", "from");
    reply->content_type = is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
    pb_reply_header(reply, "Content-Disposition",
                    pb_str_from(is_csv ? "attachment; filename=\"audit.csv\""
                                       : "attachment; filename=\"audit.ndjson\""));
    return PB_OK;
}

enum pb_status
pb_api_handle_audit_export(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct search search = { .limit = EXPORT_ENTRIES_MAX };
    struct pb_actor actor;
    json_t *root = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_api_read_body(api, call, reply, read_export, &search, &root);
    if (status == PB_OK)
        status = export_log(api, call, &actor, &search, reply);
    json_decref(root);
    return status == PB_END ? PB_OK : status;
}

/* ---- one entry, and its proof ---- */

/* A number of the path; false where it is none. */
static bool
take_index(const struct pb_api_call *call, uint64_t *ret_index)
{
    struct pb_str text = pb_request_param(call->request, "index");
    uint64_t number = 0;

    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.text[i] - '0');
    }
    *ret_index = number;
    return text.bytes > 0 && text.bytes <= 18;
}

static enum pb_status
answer_none(const struct pb_api_call *call, struct pb_reply *reply)
{
    return pb_api_problem(call, reply, 404, "there is no such entry", NULL);
}

enum pb_status
pb_api_handle_audit_open(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct entries entries = { .reply = reply, .form = FORM_LINES, .limit = 1 };
    struct pb_review_filter filter = { .first = 0 };
    struct pb_error error = { "" };
    struct pb_actor actor;
    uint64_t index = 0;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    if (!take_index(call, &index))
        return answer_none(call, reply);
    filter.first = index;
    filter.last = index;
    status = pb_review_read(api->options.site, pb_str_from(actor.person), &filter, put_entry,
                            &entries, &error);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    if (entries.count == 0)
        return answer_none(call, reply);
    reply->content_type = "application/json";
    return PB_OK;
}

/* A proof is text that anybody can check; the caller's to free. */
static enum pb_status
answer_proof(struct pb_api *api, const struct pb_api_call *call, enum pb_status status, char *text,
             const struct pb_error *error, struct pb_reply *reply)
{
    if (status == PB_EXPIRED)
        return pb_api_problem(call, reply, 404, "what this entry hid was destroyed: its term ended",
                              "openings");
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, error);
    reply->content_type = "text/plain; charset=utf-8";
    pb_reply_put_text(reply, text);
    pb_free(api->env, text);
    return PB_OK;
}

enum pb_status
pb_api_handle_audit_prove(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    const struct pb_str *openings = pb_request_query(call->request, "openings");
    bool with_openings = openings != NULL && pb_str_equal(*openings, pb_str_from("true"));
    struct pb_error error = { "" };
    struct pb_actor actor;
    uint64_t index = 0;
    char *text = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    if (!take_index(call, &index))
        return answer_none(call, reply);
    status = pb_review_prove(api->options.site, pb_str_from(actor.person), index, with_openings,
                             &text, &error);
    return answer_proof(api, call, status, text, &error, reply);
}

enum pb_status
pb_api_handle_audit_consistency(struct pb_api *api, const struct pb_api_call *call,
                                struct pb_reply *reply)
{
    uint64_t old_size = pb_api_query_count(call->request, "old", 0);
    struct pb_error error = { "" };
    struct pb_actor actor;
    char *text = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    status = pb_review_prove_consistency(api->options.site, pb_str_from(actor.person), old_size,
                                         &text, &error);
    return answer_proof(api, call, status, text, &error, reply);
}

/* ---- keys ---- */

struct keys {
    struct pb_reply *reply;
    uint32_t count;
};

static bool
put_key(void *context, const struct pb_audit_log_info *info)
{
    struct keys *keys = context;
    struct pb_reply *reply = keys->reply;

    pb_reply_put_text(reply, keys->count++ > 0 ? ",\n{\"log\":" : "{\"log\":");
    pb_reply_put_json(reply, pb_str_from(info->id));
    pb_api_put_text(reply, "origin", pb_str_from(info->origin));
    pb_api_put_text(reply, "vkey", pb_str_from(info->vkey));
    pb_reply_put_text(reply, ",\"path\":\"/audit/");
    pb_reply_put_text(reply, info->id); /* letters, digits and . _ : - */
    pb_reply_put_text(reply, "/\",\"size\":");
    pb_reply_put_number(reply, (int64_t)info->published_count);
    pb_reply_put_text(reply, "}");
    return !reply->is_broken;
}

enum pb_status
pb_api_handle_audit_keys(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct keys keys = { .reply = reply };
    struct pb_error error;
    enum pb_status status;

    if (api->options.audit == NULL)
        return pb_api_problem(call, reply, 404, "there are no logs", NULL);
    reply->content_type = "application/json";
    pb_reply_header(reply, "Cache-Control", pb_str_from("no-cache"));
    pb_reply_header(reply, "Access-Control-Allow-Origin", pb_str_from("*"));
    pb_reply_put_text(reply, "{\"logs\":[");
    status = pb_audit_each_log(api->options.audit, put_key, &keys, &error);
    pb_reply_put_text(reply, "]}\n");
    return status;
}
