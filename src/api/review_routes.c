/*
 * Review: samples and what detectors found, taken and closed one by one; notices and disclosures.
 * src/inquiry/review.h judges who may, and leaves an entry of each look.
 */
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/member.h"
#include "api/page.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/review.h"

#define SAMPLE_DEFAULT 20
#define SAMPLE_MAX 10000

/* ---- what is asked ---- */

struct asked {
    struct pb_site *site;
    struct pb_str person;
    struct pb_reply *reply;
    struct pb_arena *arena;
    /* Of the body. */
    int64_t from_us, to_us;
    uint32_t count;
    struct pb_str item, finding;
    enum pb_review_state state;
    uint32_t found;
};

static void
read_window(struct pb_api_reading *reading, void *into)
{
    struct asked *asked = into;

    pb_api_take_time(reading, "from", &asked->from_us);
    pb_api_take_time(reading, "to", &asked->to_us);
    if (asked->from_us == 0 || asked->to_us <= asked->from_us)
        pb_api_refuse(reading, asked->from_us == 0 ? "from" : "to",
                      "wanted is a time, and a later one");
}

static void
read_sample(struct pb_api_reading *reading, void *into)
{
    struct asked *asked = into;

    read_window(reading, into);
    asked->count = (uint32_t)pb_api_take_number(reading, "count", 1, SAMPLE_MAX, SAMPLE_DEFAULT);
}

static void
read_until(struct pb_api_reading *reading, void *into)
{
    struct asked *asked = into;

    asked->to_us = pb_now_us(reading->env); /* where nothing is said */
    pb_api_take_time(reading, "until", &asked->to_us);
}

static void
read_take(struct pb_api_reading *reading, void *into)
{
    struct asked *asked = into;

    pb_api_take_text(reading, "item", &asked->item);
    pb_api_need(reading, "item", asked->item);
}

static void
read_close(struct pb_api_reading *reading, void *into)
{
    /* As enum pb_review_state, but that open is none to close with. */
    static const char *const states[] = { "", "fine", "misuse", NULL };
    struct asked *asked = into;

    read_take(reading, into);
    asked->state = (enum pb_review_state)pb_api_take_choice(reading, "state", states, 0);
    if (asked->state == PB_REVIEW_OPEN)
        pb_api_refuse(reading, "state", "wanted is fine or misuse");
    pb_api_take_text(reading, "finding", &asked->finding);
    pb_api_need(reading, "finding", asked->finding);
}

static enum pb_status
answer(const struct pb_api_call *call, struct pb_reply *reply, enum pb_status status,
       const struct pb_error *error, const char *text)
{
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, error);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, text);
    return PB_OK;
}

typedef enum pb_status act_fn(struct asked *asked, struct pb_error *error);

/* Who looks and what the body says; does it; and answers, with what ends the text. */
static enum pb_status
take_action(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
            pb_api_read_fn *read, act_fn *act, const char *text)
{
    struct asked asked = { .site = api->options.site,
                           .reply = reply,
                           .arena = call->request->arena };
    struct pb_error error = { "" };
    struct pb_actor actor;
    json_t *root = NULL;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    asked.person = pb_str_from(actor.person);
    status = pb_api_read_body(api, call, reply, read, &asked, &root);
    if (status == PB_OK)
        status = answer(call, reply, act(&asked, &error), &error, text);
    json_decref(root);
    return status == PB_END ? PB_OK : status;
}

/* ---- samples and detectors ---- */

static enum pb_status
sample(struct asked *asked, struct pb_error *error)
{
    uint32_t drawn = 0;
    enum pb_status status = pb_review_sample(asked->site, asked->person, asked->from_us,
                                             asked->to_us, asked->count, &drawn, error);

    pb_reply_put_text(asked->reply, "{\"drawn\":");
    pb_reply_put_number(asked->reply, drawn);
    return status;
}

enum pb_status
pb_api_handle_review_sample(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    return take_action(api, call, reply, read_sample, sample, "}\n");
}

static bool
put_finding(void *context, const struct pb_finding *finding)
{
    struct asked *asked = context;
    struct pb_reply *reply = asked->reply;

    pb_reply_put_text(reply, asked->found++ > 0 ? ",{\"finding\":" : "{\"finding\":");
    pb_reply_put_json(reply, pb_str_from(pb_detect_kind_name(finding->kind)));
    pb_api_put_text(reply, "person", finding->person);
    pb_api_put_text(reply, "what", pb_str_from(finding->what));
    pb_reply_put_text(reply, ",\"entries\":[");
    for (uint32_t i = 0; i < finding->index_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        pb_reply_put_number(reply, (int64_t)finding->indices[i]);
    }
    pb_reply_put_text(reply, "]}");
    return !reply->is_broken;
}

static enum pb_status
detect(struct asked *asked, struct pb_error *error)
{
    uint32_t count = 0;

    pb_reply_put_text(asked->reply, "{\"findings\":[");
    return pb_review_detect(asked->site, asked->person, asked->from_us, asked->to_us, NULL,
                            put_finding, asked, &count, error);
}

enum pb_status
pb_api_handle_review_detect(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    return take_action(api, call, reply, read_window, detect, "]}\n");
}

/* ---- items ---- */

static bool
put_item(void *context, const struct pb_review_item *item)
{
    static const char *const states[] = { "open", "fine", "misuse" };
    struct pb_api_page *page = context;
    struct pb_reply *reply = page->reply;
    bool goes_on;

    if (!pb_api_page_takes(page, pb_str_from(item->key), &goes_on))
        return goes_on;
    pb_reply_put_text(reply, "{\"item\":");
    pb_reply_put_json(reply, pb_str_from(item->key));
    pb_api_put_text(reply, "why", item->why);
    pb_api_put_number(reply, "index", item->index);
    pb_api_put_time(reply, "since", item->at_us);
    pb_api_put_text(reply, "state", pb_str_from(states[item->state]));
    if (item->taken_by.bytes > 0)
        pb_api_put_text(reply, "taken_by", item->taken_by);
    pb_reply_put_text(reply, "}");
    return goes_on && !reply->is_broken;
}

enum pb_status
pb_api_handle_review_items(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    const struct pb_str *closed = pb_request_query(call->request, "closed");
    bool with_closed = closed != NULL && pb_str_equal(*closed, pb_str_from("true"));
    struct pb_error error = { "" };
    struct pb_api_page page;
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    page = pb_api_page_begin(call, reply);
    status = pb_review_items(api->options.site, pb_str_from(actor.person), with_closed, put_item,
                             &page, &error);
    return pb_api_page_end(&page, call, status, &error);
}

static enum pb_status
take(struct asked *asked, struct pb_error *error)
{
    const char *item = pb_arena_text(asked->arena, asked->item);

    return item == NULL ? PB_E_NOMEM : pb_review_take(asked->site, asked->person, item, error);
}

enum pb_status
pb_api_handle_review_take(struct pb_api *api, const struct pb_api_call *call,
                          struct pb_reply *reply)
{
    return take_action(api, call, reply, read_take, take, "{\"taken\":true}\n");
}

static enum pb_status
close_item(struct asked *asked, struct pb_error *error)
{
    const char *item = pb_arena_text(asked->arena, asked->item);

    return item == NULL ? PB_E_NOMEM
                        : pb_review_close(asked->site, asked->person, item, asked->state,
                                          asked->finding, error);
}

enum pb_status
pb_api_handle_review_close(struct pb_api *api, const struct pb_api_call *call,
                           struct pb_reply *reply)
{
    return take_action(api, call, reply, read_close, close_item, "{\"closed\":true}\n");
}

static enum pb_status
finish(struct asked *asked, struct pb_error *error)
{
    return pb_review_finish(asked->site, asked->person, asked->to_us, error);
}

enum pb_status
pb_api_handle_review_finish(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    return take_action(api, call, reply, read_until, finish, "{\"reviewed\":true}\n");
}

/* ---- notices and disclosures ---- */

/* The value has one "name=value" a line. */
static bool
put_note(void *context, const char *key, struct pb_str value)
{
    struct pb_api_page *page = context;
    struct pb_reply *reply = page->reply;
    bool goes_on;

    if (!pb_api_page_takes(page, pb_str_from(key), &goes_on))
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
    struct pb_error error = { "" };
    struct pb_api_page page;
    struct pb_actor actor;
    enum pb_status status;

    if (!pb_api_actor(call, &actor, reply, &status))
        return status;
    page = pb_api_page_begin(call, reply);
    status = read(api->options.site, pb_str_from(actor.person), put_note, &page, &error);
    return pb_api_page_end(&page, call, status, &error);
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
