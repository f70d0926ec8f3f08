/*
 * Review: samples and what detectors found, taken and closed one by one; notices and disclosures.
 * src/inquiry/review.h judges who may, and leaves an entry of each look.
 */
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/review.h"

#define SAMPLE_DEFAULT 20
#define SAMPLE_MAX 10000
#define PAGE_DEFAULT 100u

/* ---- bodies ---- */

struct window {
    int64_t from_us, to_us;
    uint32_t count;
};

static void
read_window(struct pb_api_reading *reading, void *into)
{
    struct window *window = into;

    pb_api_take_time(reading, "from", &window->from_us);
    pb_api_take_time(reading, "to", &window->to_us);
    if (window->from_us == 0 || window->to_us <= window->from_us)
        pb_api_refuse(reading, window->from_us == 0 ? "from" : "to",
                      "wanted is a time, and a later one");
}

static void
read_sample(struct pb_api_reading *reading, void *into)
{
    struct window *window = into;

    read_window(reading, into);
    window->count = (uint32_t)pb_api_take_number(reading, "count", 1, SAMPLE_MAX, SAMPLE_DEFAULT);
}

static void
read_until(struct pb_api_reading *reading, void *into)
{
    struct window *window = into;

    pb_api_take_time(reading, "until", &window->to_us);
}

struct word {
    struct pb_str item, finding;
    enum pb_review_state state;
};

static void
read_take(struct pb_api_reading *reading, void *into)
{
    struct word *word = into;

    pb_api_take_text(reading, "item", &word->item);
    pb_api_need(reading, "item", word->item);
}

static void
read_close(struct pb_api_reading *reading, void *into)
{
    /* As enum pb_review_state, but that open is none to close with. */
    static const char *const states[] = { "", "fine", "misuse", NULL };
    struct word *word = into;

    read_take(reading, into);
    word->state = (enum pb_review_state)pb_api_take_choice(reading, "state", states, 0);
    if (word->state == PB_REVIEW_OPEN)
        pb_api_refuse(reading, "state", "wanted is fine or misuse");
    pb_api_take_text(reading, "finding", &word->finding);
    pb_api_need(reading, "finding", word->finding);
}

/* Who looks, and what the body says. False: the reply is filled, or ret_status is a failure. The
 * caller drops ret_root in any case. */
static bool
begin(struct pb_api *api, const struct pb_api_call *call, pb_api_read_fn *read, void *into,
      struct pb_actor *ret_actor, json_t **ret_root, struct pb_reply *reply,
      enum pb_status *ret_status)
{
    *ret_root = NULL;
    if (!pb_api_actor(call, ret_actor, reply, ret_status))
        return false;
    *ret_status = pb_api_read_body(api, call, reply, read, into, ret_root);
    if (*ret_status == PB_OK)
        return true;
    *ret_status = *ret_status == PB_END ? PB_OK : *ret_status;
    return false;
}

static enum pb_status
answer(const struct pb_api_call *call, struct pb_reply *reply, enum pb_status status,
       const struct pb_error *error, const char *text)
{
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, error);
    reply->content_type = "application/json";
    pb_reply_header(reply, "Cache-Control", pb_str_from("no-store"));
    pb_reply_put_text(reply, text);
    return PB_OK;
}

/* ---- samples and detectors ---- */

enum pb_status
pb_api_handle_review_sample(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct window window = { .from_us = 0 };
    struct pb_error error = { "" };
    struct pb_actor actor;
    uint32_t drawn = 0;
    json_t *root;
    enum pb_status status;

    if (begin(api, call, read_sample, &window, &actor, &root, reply, &status)) {
        status = pb_review_sample(api->options.site, pb_str_from(actor.person), window.from_us,
                                  window.to_us, window.count, &drawn, &error);
        status = answer(call, reply, status, &error, "{\"drawn\":");
        if (reply->status == 200) {
            pb_reply_put_number(reply, drawn);
            pb_reply_put_text(reply, "}\n");
        }
    }
    json_decref(root);
    return status;
}

struct findings {
    struct pb_reply *reply;
    uint32_t count;
};

static bool
put_finding(void *context, const struct pb_finding *finding)
{
    struct findings *findings = context;
    struct pb_reply *reply = findings->reply;

    pb_reply_put_text(reply, findings->count++ > 0 ? ",{\"finding\":" : "{\"finding\":");
    pb_reply_put_json(reply, pb_str_from(pb_detect_kind_name(finding->kind)));
    pb_reply_put_text(reply, ",\"person\":");
    pb_reply_put_json(reply, finding->person);
    pb_reply_put_text(reply, ",\"what\":");
    pb_reply_put_json(reply, pb_str_from(finding->what));
    pb_reply_put_text(reply, ",\"entries\":[");
    for (uint32_t i = 0; i < finding->index_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        pb_reply_put_number(reply, (int64_t)finding->indices[i]);
    }
    pb_reply_put_text(reply, "]}");
    return !reply->is_broken;
}

enum pb_status
pb_api_handle_review_detect(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct window window = { .from_us = 0 };
    struct findings findings = { .reply = reply };
    struct pb_error error = { "" };
    struct pb_actor actor;
    uint32_t count = 0;
    json_t *root;
    enum pb_status status;

    if (begin(api, call, read_window, &window, &actor, &root, reply, &status)) {
        pb_reply_put_text(reply, "{\"findings\":[");
        status = pb_review_detect(api->options.site, pb_str_from(actor.person), window.from_us,
                                  window.to_us, NULL, put_finding, &findings, &count, &error);
        status = answer(call, reply, status, &error, "]}\n");
    }
    json_decref(root);
    return status;
}

/* ---- items ---- */

struct page {
    struct pb_reply *reply;
    struct pb_arena *arena;
    struct pb_str after, last;
    uint64_t count, limit;
    bool has_more;
    enum pb_status status;
};

static struct page
new_page(const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_str *after = pb_request_query(call->request, "after");
    uint64_t limit = pb_api_query_count(call->request, "limit", PAGE_DEFAULT);

    return (struct page){ .reply = reply,
                          .arena = call->request->arena,
                          .after = after != NULL ? *after : (struct pb_str){ "", 0 },
                          .limit = limit > 0 ? limit : 1 };
}

/* Is it one for this page? Otherwise ret_goes_on says whether one may follow. */
static bool
is_on_page(struct page *page, const char *key, bool *ret_goes_on)
{
    *ret_goes_on = true;
    if (pb_str_compare(pb_str_from(key), page->after) <= 0)
        return false;
    if (page->count == page->limit) {
        page->has_more = true;
        *ret_goes_on = false;
        return false;
    }
    pb_reply_put_text(page->reply, page->count++ > 0 ? ",\n" : "");
    if (page->count == page->limit)
        page->status = pb_arena_copy(page->arena, pb_str_from(key), &page->last);
    *ret_goes_on = page->status == PB_OK;
    return true;
}

static enum pb_status
end_page(const struct pb_api_call *call, const struct page *page, enum pb_status status,
         const struct pb_error *error, struct pb_reply *reply)
{
    if (status == PB_OK)
        status = page->status;
    if (status == PB_OK && page->has_more) {
        pb_reply_put_text(reply, "],\"next\":");
        pb_reply_put_json(reply, page->last);
        return answer(call, reply, status, error, "}\n");
    }
    return answer(call, reply, status, error, "]}\n");
}

static void
put_time(struct pb_reply *reply, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    pb_reply_put_json(reply, pb_str_from(text));
}

static bool
put_item(void *context, const struct pb_review_item *item)
{
    static const char *const states[] = { "open", "fine", "misuse" };
    struct page *page = context;
    struct pb_reply *reply = page->reply;
    bool goes_on;

    if (!is_on_page(page, item->key, &goes_on))
        return goes_on;
    pb_reply_put_text(reply, "{\"item\":");
    pb_reply_put_json(reply, pb_str_from(item->key));
    pb_reply_put_text(reply, ",\"why\":");
    pb_reply_put_json(reply, item->why);
    pb_reply_put_text(reply, ",\"index\":");
    pb_reply_put_number(reply, (int64_t)item->index);
    pb_reply_put_text(reply, ",\"since\":");
    put_time(reply, item->at_us);
    pb_reply_put_text(reply, ",\"state\":");
    pb_reply_put_json(reply, pb_str_from(states[item->state]));
    if (item->taken_by.bytes > 0) {
        pb_reply_put_text(reply, ",\"taken_by\":");
        pb_reply_put_json(reply, item->taken_by);
    }
    pb_reply_put_text(reply, "}");
    return goes_on && !reply->is_broken;
}

enum pb_status
pb_api_handle_review_items(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    const struct pb_str *closed = pb_request_query(call->request, "closed");
    bool with_closed = closed != NULL && pb_str_equal(*closed, pb_str_from("true"));
    struct page page = new_page(call, reply);
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    pb_reply_put_text(reply, "{\"items\":[");
    status = pb_review_items(api->options.site, pb_str_from(actor.person), with_closed, put_item,
                             &page, &error);
    return end_page(call, &page, status, &error, reply);
}

enum pb_status
pb_api_handle_review_take(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    struct word word = { .item = { NULL, 0 } };
    struct pb_error error = { "" };
    struct pb_actor actor;
    json_t *root;
    enum pb_status status;

    if (begin(api, call, read_take, &word, &actor, &root, reply, &status)) {
        const char *name = pb_arena_text(call->request->arena, word.item);

        status = name == NULL
                     ? PB_E_NOMEM
                     : pb_review_take(api->options.site, pb_str_from(actor.person), name, &error);
        status = answer(call, reply, status, &error, "{\"taken\":true}\n");
    }
    json_decref(root);
    return status;
}

enum pb_status
pb_api_handle_review_close(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    struct word word = { .item = { NULL, 0 } };
    struct pb_error error = { "" };
    struct pb_actor actor;
    json_t *root;
    enum pb_status status;

    if (begin(api, call, read_close, &word, &actor, &root, reply, &status)) {
        const char *name = pb_arena_text(call->request->arena, word.item);

        status = name == NULL ? PB_E_NOMEM
                              : pb_review_close(api->options.site, pb_str_from(actor.person), name,
                                                word.state, word.finding, &error);
        status = answer(call, reply, status, &error, "{\"closed\":true}\n");
    }
    json_decref(root);
    return status;
}

enum pb_status
pb_api_handle_review_finish(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct window window = { .from_us = 0 };
    struct pb_error error = { "" };
    struct pb_actor actor;
    json_t *root;
    enum pb_status status;

    if (begin(api, call, read_until, &window, &actor, &root, reply, &status)) {
        if (window.to_us == 0)
            window.to_us = pb_now_us(api->env);
        status =
            pb_review_finish(api->options.site, pb_str_from(actor.person), window.to_us, &error);
        status = answer(call, reply, status, &error, "{\"reviewed\":true}\n");
    }
    json_decref(root);
    return status;
}

/* ---- notices and disclosures ---- */

/* The value has one "name=value" a line. */
static bool
put_note(void *context, const char *key, struct pb_str value)
{
    struct page *page = context;
    struct pb_reply *reply = page->reply;
    bool goes_on;

    if (!is_on_page(page, key, &goes_on))
        return goes_on;
    pb_reply_put_text(reply, "{\"key\":");
    pb_reply_put_json(reply, pb_str_from(key));
    while (value.bytes > 0) {
        const char *end = memchr(value.text, '\n', value.bytes);
        uint32_t bytes = end != NULL ? (uint32_t)(end - value.text) : value.bytes;
        const char *equals = memchr(value.text, '=', bytes);

        if (equals != NULL) {
            uint32_t name_bytes = (uint32_t)(equals - value.text);

            pb_reply_put_text(reply, ",");
            pb_reply_put_json(reply, (struct pb_str){ value.text, name_bytes });
            pb_reply_put_text(reply, ":");
            pb_reply_put_json(reply, (struct pb_str){ equals + 1, bytes - name_bytes - 1 });
        }
        bytes += end != NULL;
        value = (struct pb_str){ value.text + bytes, value.bytes - bytes };
    }
    pb_reply_put_text(reply, "}");
    return goes_on && !reply->is_broken;
}

typedef enum pb_status read_notes_fn(struct pb_site *site, struct pb_str person,
                                     pb_review_notice_fn *each, void *context,
                                     struct pb_error *error);

static enum pb_status
answer_notes(struct pb_api *api, const struct pb_api_call *call, read_notes_fn *read,
             struct pb_reply *reply)
{
    struct page page = new_page(call, reply);
    struct pb_error error = { "" };
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    pb_reply_put_text(reply, "{\"items\":[");
    status = read(api->options.site, pb_str_from(actor.person), put_note, &page, &error);
    return end_page(call, &page, status, &error, reply);
}

enum pb_status
pb_api_handle_review_notices(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    return answer_notes(api, call, pb_review_notices, reply);
}

enum pb_status
pb_api_handle_review_disclosures(struct pb_api *api, const struct pb_api_call *call,
                                 struct pb_reply *reply)
{
    return answer_notes(api, call, pb_review_disclosures, reply);
}
