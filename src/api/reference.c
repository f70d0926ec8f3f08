/*
 * Reference: the OpenAPI document and the page, both compiled in.
 */
#include "api/api_private.h"
#include "base/text.h"

enum pb_status
pb_api_handle_openapi(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)api;
    (void)call;
    reply->content_type = "application/json";
    pb_reply_put(reply, pb_api_openapi, pb_api_openapi_bytes);
    return PB_OK;
}

enum pb_status
pb_api_handle_docs(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)api;
    (void)call;
    reply->content_type = "text/html; charset=utf-8";
    pb_reply_header(reply, "Content-Security-Policy", pb_str_from(pb_api_page_policy));
    pb_reply_put(reply, pb_api_page, pb_api_page_bytes);
    return PB_OK;
}
