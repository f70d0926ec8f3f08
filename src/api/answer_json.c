/*
 * Answer to JSON.
 */
#include "api/answer_json.h"

#include "api/member.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/row_text.h"
#include "net/http.h"

static void
put_rule(struct pb_reply *reply, const struct pb_spoken_rule *rule)
{
    pb_reply_put_text(reply, "{\"id\":");
    pb_reply_put_json(reply, rule->id);
    pb_api_put_text(reply, "text", rule->text);
    pb_api_put_text(reply, "source", rule->source);
    pb_api_put_text(reply, "field", pb_str_from(rule->field));
    pb_api_put_bool(reply, "verified", rule->is_verified);
    pb_api_put_text(reply, "verdict", pb_str_from(pb_policy_verdict_name(rule->verdict)));
    if (rule->origins_excluded > 0)
        pb_api_put_number(reply, "origins_excluded", rule->origins_excluded);
    pb_reply_put_text(reply, "}");
}

/* "decision":...,"rules":[...] */
static void
put_decision(struct pb_reply *reply, const struct pb_decision *decision)
{
    pb_reply_put_text(reply, "\"decision\":");
    pb_reply_put_json(reply, pb_str_from(pb_policy_verdict_name(decision->verdict)));
    pb_api_put_key(reply, "rules");
    pb_reply_put_text(reply, "[");
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        put_rule(reply, &decision->rules[i]);
    }
    pb_reply_put_text(reply, "]");
}

void
pb_api_decision_put(struct pb_reply *reply, const struct pb_decision *decision)
{
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{");
    put_decision(reply, decision);
    if (decision->verdict != PB_POLICY_DENY) {
        pb_api_put_time(reply, "from", decision->from_us);
        pb_api_put_time(reply, "to", decision->to_us);
        pb_api_put_bool(reply, "notifies_owners", decision->notifies_owners);
        if (decision->confirm_at_rows != UINT64_MAX)
            pb_api_put_number(reply, "confirm_at_rows", decision->confirm_at_rows);
        if (decision->rows_max != UINT64_MAX)
            pb_api_put_number(reply, "rows_max", decision->rows_max);
    }
    pb_api_put_number(reply, "origins_admitted", decision->origins_admitted);
    pb_api_put_number(reply, "origins_excluded", decision->origins_excluded);
    pb_reply_put_text(reply, "}\n");
}

static void
put_index(struct pb_reply *reply, const char *key, uint64_t index)
{
    pb_api_put_key(reply, key);
    if (index == UINT64_MAX)
        pb_reply_put_text(reply, "null");
    else
        pb_reply_put_number(reply, (int64_t)index);
}

static void
put_receipt(struct pb_reply *reply, const struct pb_answer *answer)
{
    struct pb_receipt receipt = pb_answer_receipt(answer);

    pb_reply_put_text(reply, ",\"receipt\":{\"log\":");
    pb_reply_put_json(reply, pb_str_from(receipt.log));
    put_index(reply, "query_index", receipt.log[0] != '\0' ? receipt.query_index : UINT64_MAX);
    put_index(reply, "result_index", receipt.result_index);
    pb_reply_put_text(reply, "}");
}

static void
put_coverage(struct pb_reply *reply, const struct pb_answer *answer)
{
    struct pb_coverage coverage = pb_answer_coverage(answer);

    pb_reply_put_text(reply, ",\"coverage\":{\"readers_in_scope\":");
    pb_reply_put_number(reply, coverage.readers_in_scope);
    if (coverage.is_up_known) {
        pb_api_put_number(reply, "readers_up", coverage.readers_up);
        pb_reply_put_text(reply, ",\"known_by\":\"reads\"");
    }
    pb_api_put_number(reply, "origins_excluded", coverage.origins_excluded);
    pb_reply_put_text(reply, "}");
}

static void
put_disclosure(struct pb_reply *reply, const struct pb_disclosure *disclosure)
{
    char at[PB_TIME_BYTES_MAX];

    (void)pb_time_format(disclosure->at_us, PB_NO_UTC_OFFSET, at);
    pb_reply_put_text(reply, "{\"at\":");
    pb_reply_put_json(reply, pb_str_from(at));
    pb_api_put_text(reply, "agency", disclosure->agency);
    pb_api_put_text(reply, "purpose", disclosure->purpose);
    pb_api_put_text(reply, "kind", disclosure->kind);
    pb_api_put_number(reply, "reads", disclosure->reads);
    pb_api_put_bool(reply, "case_open", disclosure->is_case_open);
    pb_reply_put_text(reply, "}");
}

/* Of subject access: who was given reads of the plate. */
static void
put_disclosures(struct pb_reply *reply, const struct pb_answer *answer)
{
    const struct pb_disclosures *disclosures = pb_answer_disclosures(answer);

    if (disclosures == NULL)
        return;
    pb_api_put_key(reply, "disclosures");
    pb_reply_put_text(reply, "{\"items\":[");
    for (uint32_t i = 0; i < disclosures->count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        put_disclosure(reply, &disclosures->items[i]);
    }
    pb_reply_put_text(reply, "]");
    pb_api_put_bool(reply, "cut", disclosures->is_cut);
    pb_api_put_number(reply, "unnamed", disclosures->unnamed);
    pb_reply_put_text(reply, "}");
}

/* All but the rows. */
static void
put_head(struct pb_reply *reply, const struct pb_answer *answer)
{
    put_decision(reply, pb_answer_decision(answer));
    put_receipt(reply, answer);
    pb_api_put_number(reply, "count", pb_answer_count(answer));
    pb_api_put_bool(reply, "truncated", pb_answer_is_truncated(answer));
    if (pb_answer_page(answer)[0] != '\0')
        pb_api_put_text(reply, "page", pb_str_from(pb_answer_page(answer)));
    if (pb_answer_watermark(answer)[0] != '\0')
        pb_api_put_text(reply, "watermark", pb_str_from(pb_answer_watermark(answer)));
    put_coverage(reply, answer);
    put_disclosures(reply, answer);
}

void
pb_api_answer_put_head(struct pb_reply *reply, const struct pb_answer *answer)
{
    pb_reply_put_text(reply, "{");
    put_head(reply, answer);
    pb_reply_put_text(reply, "}");
}

/* ---- rows ---- */

void
pb_api_answer_put(struct pb_reply *reply, const struct pb_inquiry *inquiry,
                  const struct pb_answer *answer)
{
    enum pb_row_shape shape = pb_row_shape_of(inquiry);
    uint64_t count = pb_answer_rows(answer);
    char text[PB_ROW_TEXT_BYTES_MAX];

    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{");
    put_head(reply, answer);
    pb_reply_put_text(reply, ",\"rows\":[");
    for (uint64_t i = 0; i < count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        pb_reply_put(reply, text, pb_row_to_json(pb_answer_row(answer, i), shape, "", text));
    }
    pb_reply_put_text(reply, "]}\n");
}

/* ---- refusals ---- */

static const char *
detail_of(enum pb_policy_verdict verdict)
{
    switch (verdict) {
    case PB_POLICY_NEEDS_CONFIRMATION:
        return "confirm it: send it again with the token as confirmation";
    case PB_POLICY_NEEDS_SECOND_PERSON:
        return "a second person has to approve it: give them the token, then send it again with "
               "the token as approval";
    case PB_POLICY_ALLOW:
    case PB_POLICY_DENY:
        break;
    }
    return "the rules do not allow it";
}

void
pb_api_answer_refusal(struct pb_reply *reply, const struct pb_request *request,
                      const struct pb_answer *answer)
{
    const struct pb_decision *decision = pb_answer_decision(answer);
    const char *token = pb_answer_token(answer);

    reply->status = decision->verdict == PB_POLICY_DENY ? 403 : 409;
    reply->content_type = "application/problem+json";
    pb_reply_put_text(reply, "{\"type\":\"about:blank\"");
    pb_api_put_text(reply, "title", pb_str_from(pb_http_reason(reply->status)));
    pb_api_put_number(reply, "status", reply->status);
    pb_api_put_text(reply, "detail", pb_str_from(detail_of(decision->verdict)));
    pb_api_put_text(reply, "request_id", pb_str_from(request->id.text));
    pb_reply_put_text(reply, ",");
    put_decision(reply, decision);
    put_receipt(reply, answer);
    if (token[0] != '\0') {
        pb_api_put_text(reply, "token", pb_str_from(token));
        pb_api_put_number(reply, "count", pb_answer_count(answer));
    }
    pb_reply_put_text(reply, "}\n");
}
