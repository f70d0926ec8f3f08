/*
 * Transparency: figures of an agency, by month: as anybody may see them, and as its auditors do.
 */
#include "api/api_private.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/figures.h"

/* The month that is asked for, or the last that is over. */
static bool
find_month(const struct pb_api *api, const struct pb_request *request, int32_t *ret_month)
{
    const struct pb_str *text = pb_request_query(request, "month");

    *ret_month = pb_time_month(pb_now_us(api->env)) - 1;
    return text == NULL || pb_figures_month(*text, ret_month);
}

/* A log of years takes minutes to be counted: nobody has that done by asking. */
static enum pb_status
refuse_early(const struct pb_api_call *call, struct pb_reply *reply)
{
    const struct pb_problem problem = {
        .status = 503,
        .detail = "the figures are being counted: ask again",
        .retry_after_s = 10,
    };

    pb_reply_problem(reply, call->request, &problem);
    return PB_OK;
}

static enum pb_status
answer(struct pb_api *api, const struct pb_api_call *call, struct pb_str person,
       struct pb_str agency, struct pb_reply *reply)
{
    struct pb_error error = { "" };
    struct pb_figures figures;
    struct pb_str text;
    int32_t month;
    enum pb_status status;

    if (api->options.site == NULL)
        return pb_api_problem(call, reply, 503, "this server was not started for a site", NULL);
    if (!atomic_load(&api->is_counted))
        return refuse_early(call, reply);
    if (!find_month(api, call->request, &month))
        return pb_api_problem(call, reply, 400, "wanted is a month: 2026-06", "month");
    status = pb_figures_read(api->options.site, person, agency, month, call->request->arena,
                             &figures, &error);
    if (status == PB_OK)
        status = pb_figures_to_json(&figures, call->request->arena, &text);
    if (status != PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    reply->content_type = "application/json";
    pb_reply_put(reply, text.text, text.bytes);
    pb_reply_put_text(reply, "\n");
    return PB_OK;
}

enum pb_status
pb_api_handle_transparency_public(struct pb_api *api, const struct pb_api_call *call,
                                  struct pb_reply *reply)
{
    return answer(api, call, (struct pb_str){ NULL, 0 }, pb_request_param(call->request, "agency"),
                  reply);
}

enum pb_status
pb_api_handle_transparency_own(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    return answer(api, call, call->caller->person, (struct pb_str){ NULL, 0 }, reply);
}
