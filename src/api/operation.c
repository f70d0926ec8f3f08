/*
 * Operation: whether the process lives, whether it serves, and how much it does.
 */
#include "api/api_private.h"
#include "net/metrics.h"

static enum pb_status
answer_status(struct pb_reply *reply, const char *status)
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"status\":\"");
    pb_reply_put_text(reply, status);
    pb_reply_put_text(reply, "\"}\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_health(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)api;
    (void)call;
    return answer_status(reply, "ok");
}

enum pb_status
pb_api_handle_ready(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    if (atomic_load(&api->has_failed))
        return pb_api_problem(call, reply, 503,
                              "the disk refused a write: nothing is stored before a restart", NULL);
    if (!atomic_load(&api->is_ready))
        return pb_api_problem(call, reply, 503, "the server is starting or stopping", NULL);
    return answer_status(reply, "ready");
}

enum pb_status
pb_api_handle_metrics(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    (void)call;
    reply->content_type = PB_METRICS_TYPE;
    pb_metrics_put(api->options.metrics, reply);
    return PB_OK;
}
