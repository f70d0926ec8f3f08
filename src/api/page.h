/*
 * Pages of a list: `{"items":[...],"next":"..."}`. A page begins behind the key `after` of the
 * query and has `limit` items at most, 100 where it says none; `next` is the last key of one that
 * others follow.
 *
 * Threads: those of the request.
 */
#ifndef PB_API_PAGE_H
#define PB_API_PAGE_H

#include "api/api_private.h"

struct pb_api_page {
    struct pb_reply *reply;
    struct pb_arena *arena;
    struct pb_str after, last; /* last: in the arena */
    uint64_t count, limit;
    bool has_more;
    enum pb_status status;
};

struct pb_api_page pb_api_page_begin(const struct pb_api_call *call, struct pb_reply *reply);
/* Is it for this page? Then it is written next. ret_goes_on: may one follow? Keys ascend. */
bool pb_api_page_takes(struct pb_api_page *page, struct pb_str key, bool *ret_goes_on);
/* Ends the page, or answers with why there is none. */
enum pb_status pb_api_page_end(const struct pb_api_page *page, const struct pb_api_call *call,
                               enum pb_status status, const struct pb_error *error);

#endif
