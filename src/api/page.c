/*
 * Pages of a list.
 */
#include "api/page.h"

#include "api/member.h"
#include "base/arena.h"
#include "base/text.h"

#define ITEMS_USUAL 100u

struct pb_api_page
pb_api_page_begin(const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_str *after = pb_request_query(call->request, "after");
    uint64_t limit = pb_api_query_count(call->request, "limit", ITEMS_USUAL);

    pb_reply_put_text(reply, "{\"items\":[");
    return (struct pb_api_page){ .reply = reply,
                                 .arena = call->request->arena,
                                 .after = after != NULL ? *after : (struct pb_str){ "", 0 },
                                 /* A page that says nothing leads nowhere. */
                                 .limit = limit > 0 ? limit : 1 };
}

bool
pb_api_page_takes(struct pb_api_page *page, struct pb_str key, bool *ret_goes_on)
{
    *ret_goes_on = true;
    if (pb_str_compare(key, page->after) <= 0)
        return false;
    if (page->count == page->limit) {
        page->has_more = true;
        *ret_goes_on = false;
        return false;
    }
    pb_reply_put_text(page->reply, page->count++ > 0 ? ",\n" : "");
    if (page->count == page->limit)
        page->status = pb_arena_copy(page->arena, key, &page->last);
    *ret_goes_on = page->status == PB_OK;
    return true;
}

enum pb_status
pb_api_page_end(const struct pb_api_page *page, const struct pb_api_call *call,
                enum pb_status status, const struct pb_error *error)
{
    struct pb_reply *reply = page->reply;

    if (status == PB_OK)
        status = page->status;
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, error);
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "]");
    if (page->has_more)
        pb_api_put_text(reply, "next", page->last);
    pb_reply_put_text(reply, "}\n");
    return PB_OK;
}
