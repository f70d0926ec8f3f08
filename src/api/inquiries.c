/*
 * Inquiries: from JSON through the one door, and back; whether one would be allowed; the second
 * person's word; and a person's word that a read is wrong.
 *
 * Nothing here judges rights: what the room below says is told with the status that fits.
 */
#include <string.h>

#include "api/answer_json.h"
#include "api/api_private.h"
#include "api/export.h"
#include "api/inquiry_json.h"
#include "api/words_json.h"
#include "base/arena.h"
#include "base/text.h"
#include "inquiry/review.h"

/* ---- refusals ---- */

static enum pb_status
refuse_body(const struct pb_api_call *call, struct pb_reply *reply,
            const struct pb_api_refusal *refusal)
{
    return pb_api_problem(call, reply, 400, refusal->why,
                          refusal->field[0] != '\0' ? refusal->field : NULL);
}

enum pb_status
pb_api_read_body(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
                 pb_api_read_fn *read, void *into, json_t **ret_root)
{
    struct pb_api_reading reading = { .env = api->env };
    struct pb_api_refusal refusal;
    enum pb_status status = pb_api_body_parse(call->request->body, ret_root, &refusal);

    if (status == PB_OK) {
        reading.object = *ret_root;
        read(&reading, into);
        status = pb_api_body_end(&reading, &refusal);
    }
    if (status != PB_BAD_INPUT)
        return status;
    (void)refuse_body(call, reply, &refusal);
    return PB_END;
}

/* What came of it: an answer in one line, or why there is none. */
static enum pb_status
tell(const struct pb_api_call *call, struct pb_reply *reply, enum pb_status status,
     const struct pb_error *error, const char *answer)
{
    if (status == PB_END)
        return PB_OK;
    if (status > PB_OK)
        return pb_api_answer_refused(call, reply, status, error);
    if (status == PB_OK && answer != NULL) {
        reply->content_type = "application/json";
        pb_reply_put_text(reply, answer);
    }
    return status;
}

static bool
takes_inquiries(const struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    if (api->options.takes_inquiries)
        return true;
    (void)pb_api_problem(call, reply, 503, "this server was not started to take inquiries", NULL);
    return false;
}

/* ---- asking ---- */

static enum pb_status
ask(struct pb_api *api, const struct pb_api_call *call, const struct pb_inquiry *inquiry,
    const struct pb_api_rows *rows, struct pb_reply *reply)
{
    struct pb_answer *answer = NULL;
    struct pb_error error = { "" };
    enum pb_status status = pb_inquiry_ask(api->options.site, inquiry, &answer, &error);
    bool is_given = status == PB_OK && pb_answer_decision(answer)->verdict == PB_POLICY_ALLOW;

    pb_api_rows_given(api, call, rows, is_given ? pb_answer_rows(answer) : 0);
    if (status > PB_OK)
        return pb_api_answer_refused(call, reply, status, &error);
    if (status != PB_OK)
        return status;
    if (pb_answer_decision(answer)->verdict != PB_POLICY_ALLOW)
        pb_api_answer_refusal(reply, call->request, answer);
    else if (inquiry->is_export)
        return pb_api_export_put(reply, inquiry, answer);
    else
        pb_api_answer_put(reply, inquiry, answer);
    pb_answer_free(answer);
    return PB_OK;
}

/* The question of who calls. false: the reply is filled, or ret_status is a failure. */
static bool
take_inquiry(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply,
             struct pb_api_inquiry *ret_request, enum pb_status *ret_status)
{
    struct pb_inquiry *inquiry = &ret_request->inquiry;
    struct pb_api_refusal refusal;
    enum pb_status status;

    *ret_status = PB_OK;
    if (!takes_inquiries(api, call, reply))
        return false;
    status = pb_api_inquiry_parse(api->env, call->request->body, ret_request, &refusal);
    *ret_status = status < PB_OK ? status : PB_OK;
    if (status == PB_BAD_INPUT)
        (void)refuse_body(call, reply, &refusal);
    if (status != PB_OK)
        return false;
    /* Danger to life is a person's to see: a program neither breaks glass nor steps up. */
    if (inquiry->is_break_glass && call->caller->token != NULL) {
        (void)pb_api_problem(call, reply, 403, "only a person who signed in breaks the glass",
                             "break_glass");
        pb_api_inquiry_done(ret_request);
        return false;
    }
    inquiry->has_stepped_up = call->caller->has_stepped_up;
    inquiry->person = call->caller->person;
    inquiry->client = pb_str_from(call->caller->client);
    return true;
}

enum pb_status
pb_api_handle_inquiries_ask(struct pb_api *api, const struct pb_api_call *call,
                            struct pb_reply *reply)
{
    struct pb_api_inquiry request = { .json = NULL };
    struct pb_api_rows rows = { .taken = 0 };
    enum pb_status status;

    if (!take_inquiry(api, call, reply, &request, &status))
        return status;
    /* Danger to life waits for no quota; what it was given is counted after. */
    if (request.inquiry.is_break_glass ||
        pb_api_take_rows(api, call, request.inquiry.rows_wanted, &rows, reply))
        status = ask(api, call, &request.inquiry, &rows, reply);
    pb_api_inquiry_done(&request);
    return status;
}

enum pb_status
pb_api_handle_policy_explain(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct pb_api_inquiry request = { .json = NULL };
    struct pb_error error = { "" };
    struct pb_decision decision;
    enum pb_status status;

    if (!take_inquiry(api, call, reply, &request, &status))
        return status;
    status = pb_inquiry_explain(api->options.site, &request.inquiry, call->request->arena,
                                &decision, &error);
    if (status == PB_OK)
        pb_api_decision_put(reply, &decision);
    else if (status > PB_OK)
        status = pb_api_answer_refused(call, reply, status, &error);
    pb_api_inquiry_done(&request);
    return status;
}

/* ---- the second person ---- */

enum pb_status
pb_api_handle_approvals_give(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct pb_api_approval approval = { .is_refused = false };
    struct pb_error error = { "" };
    json_t *root = NULL;
    enum pb_status status;

    if (!takes_inquiries(api, call, reply))
        return PB_OK;
    status = pb_api_read_body(api, call, reply, pb_api_read_approval, &approval, &root);
    if (status == PB_OK)
        status = pb_inquiry_approve(api->options.site, call->caller->person, approval.token,
                                    !approval.is_refused, approval.why, &error);
    status = tell(call, reply, status, &error,
                  approval.is_refused ? "{\"decision\":\"refused\"}\n"
                                      : "{\"decision\":\"approved\"}\n");
    json_decref(root);
    return status;
}

static bool
put_pending(void *context, const struct pb_audit_entry *entry)
{
    struct pb_reply *reply = context;

    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"leaf\":");
    pb_reply_put(reply, entry->leaf.text, entry->leaf.bytes);
    pb_reply_put_text(reply, ",\"opened\":{");
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        pb_reply_put_json(reply, pb_str_from(entry->secrets[i].name));
        pb_reply_put_text(reply, ":");
        pb_reply_put_json(reply, entry->secrets[i].value);
    }
    pb_reply_put_text(reply, "}}\n");
    return false;
}

enum pb_status
pb_api_handle_approvals_show(struct pb_api *api, const struct pb_api_call *call,
                             struct pb_reply *reply)
{
    struct pb_api_approval approval = { .is_refused = false };
    struct pb_error error = { "" };
    json_t *root = NULL;
    enum pb_status status;

    if (!takes_inquiries(api, call, reply))
        return PB_OK;
    status = pb_api_read_body(api, call, reply, pb_api_read_approval_token, &approval, &root);
    if (status == PB_OK)
        status = pb_review_pending(api->options.site, call->caller->person, approval.token,
                                   put_pending, reply, &error);
    status = tell(call, reply, status, &error, NULL);
    json_decref(root);
    return status;
}

/* ---- corrections ---- */

enum pb_status
pb_api_handle_corrections_make(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    struct pb_correction correction = { .person = call->caller->person };
    struct pb_error error = { "" };
    json_t *root = NULL;
    enum pb_status status;

    if (!api->options.takes_reads)
        return pb_api_problem(call, reply, 503, "this server was not started to write", NULL);
    status = pb_api_read_body(api, call, reply, pb_api_read_correction, &correction, &root);
    if (status == PB_OK)
        status = pb_inquiry_correct(api->options.site, &correction, &error);
    status = tell(call, reply, status, &error, "{\"status\":\"corrected\"}\n");
    json_decref(root);
    return status;
}
