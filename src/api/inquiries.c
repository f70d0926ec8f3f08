/*
 * Inquiries of programs: from JSON through the one door, and back.
 */
#include <string.h>

#include "api/answer_json.h"
#include "api/api_private.h"
#include "api/inquiry_json.h"
#include "base/arena.h"
#include "base/text.h"

/* A question that the door itself takes for none: "places: 3 given; ..." names its field. */
static enum pb_status
refuse_question(const struct pb_api_call *call, struct pb_reply *reply,
                const struct pb_error *error)
{
    size_t bytes = strcspn(error->message, ": ");
    char *field;

    if (error->message[bytes] != ':')
        return pb_api_problem(call, reply, 400, error->message, NULL);
    field = pb_arena_alloc(call->request->arena, bytes + 1);
    if (field == NULL)
        return PB_E_NOMEM;
    memcpy(field, error->message, bytes);
    field[bytes] = '\0';
    return pb_api_problem(call, reply, 400, error->message, field);
}

static enum pb_status
ask(struct pb_api *api, const struct pb_api_call *call, const struct pb_inquiry *inquiry,
    struct pb_reply *reply)
{
    struct pb_answer *answer = NULL;
    struct pb_error error = { "" };
    enum pb_status status = pb_inquiry_ask(api->options.site, inquiry, &answer, &error);

    if (status > PB_OK)
        return refuse_question(call, reply, &error);
    if (status != PB_OK)
        return status;
    if (pb_answer_decision(answer)->verdict == PB_POLICY_ALLOW)
        pb_api_answer_put(reply, inquiry, answer);
    else
        pb_api_answer_refusal(reply, call->request, answer);
    pb_answer_free(answer);
    return PB_OK;
}

enum pb_status
pb_api_handle_inquiries_ask(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_api_inquiry request = { .json = NULL };
    const char *field, *why;
    enum pb_status status;

    if (!api->options.takes_inquiries)
        return pb_api_problem(call, reply, 503, "this server was not started to take inquiries",
                              NULL);
    status = pb_api_inquiry_parse(api->env, call->request->body, &request, &field, &why);
    if (status == PB_BAD_INPUT)
        return pb_api_problem(call, reply, 400, why, field[0] != '\0' ? field : NULL);
    if (status != PB_OK)
        return status;
    /* A program is nobody: it asks for a person, and can neither step up nor break glass. */
    request.inquiry.has_stepped_up = call->caller->has_stepped_up;
    request.inquiry.person = call->caller->person;
    request.inquiry.client = pb_str_from(call->caller->client);
    status = ask(api, call, &request.inquiry, reply);
    pb_api_inquiry_done(&request);
    return status;
}
