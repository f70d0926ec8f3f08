/*
 * Answer to JSON.
 */
#include "api/answer_json.h"

#include <math.h>
#include <stdio.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "net/http.h"
#include "read/read_text.h"

static void
put_key(struct pb_reply *reply, const char *key)
{
    pb_reply_put_text(reply, ",\"");
    pb_reply_put_text(reply, key);
    pb_reply_put_text(reply, "\":");
}

static void
put_number(struct pb_reply *reply, const char *key, uint64_t number)
{
    put_key(reply, key);
    pb_reply_put_number(reply, (int64_t)number);
}

static void
put_text(struct pb_reply *reply, const char *key, struct pb_str text)
{
    put_key(reply, key);
    pb_reply_put_json(reply, text);
}

static void
put_bool(struct pb_reply *reply, const char *key, bool is)
{
    put_key(reply, key);
    pb_reply_put_text(reply, is ? "true" : "false");
}

static void
put_time(struct pb_reply *reply, const char *key, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    put_text(reply, key, pb_str_from(text));
}

static void
put_rule(struct pb_reply *reply, const struct pb_spoken_rule *rule)
{
    pb_reply_put_text(reply, "{\"id\":");
    pb_reply_put_json(reply, rule->id);
    put_text(reply, "text", rule->text);
    put_text(reply, "source", rule->source);
    put_text(reply, "field", pb_str_from(rule->field));
    put_bool(reply, "verified", rule->is_verified);
    put_text(reply, "verdict", pb_str_from(pb_policy_verdict_name(rule->verdict)));
    pb_reply_put_text(reply, "}");
}

/* "decision":...,"rules":[...] */
static void
put_decision(struct pb_reply *reply, const struct pb_decision *decision)
{
    pb_reply_put_text(reply, "\"decision\":");
    pb_reply_put_json(reply, pb_str_from(pb_policy_verdict_name(decision->verdict)));
    put_key(reply, "rules");
    pb_reply_put_text(reply, "[");
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        pb_reply_put_text(reply, i > 0 ? "," : "");
        put_rule(reply, &decision->rules[i]);
    }
    pb_reply_put_text(reply, "]");
}

static void
put_index(struct pb_reply *reply, const char *key, uint64_t index)
{
    put_key(reply, key);
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
    if (coverage.is_up_known)
        put_number(reply, "readers_up", coverage.readers_up);
    put_number(reply, "origins_excluded", coverage.origins_excluded);
    pb_reply_put_text(reply, "}");
}

/* ---- rows ---- */

/* The read's own object, with the source of record. */
static void
put_read(struct pb_reply *reply, const struct pb_row *row)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    size_t bytes = pb_read_to_json(&row->result.read, &row->result, text);

    pb_reply_put(reply, text, bytes - 1); /* without the closing brace */
    put_text(reply, "agency", row->owner);
    pb_reply_put_text(reply, "}");
}

static void
put_real(struct pb_reply *reply, const char *key, double value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.6g", isfinite(value) ? value : 0);
    put_key(reply, key);
    pb_reply_put_text(reply, text);
}

static void
put_plate(struct pb_reply *reply, enum pb_inquiry_kind kind, const struct pb_row *row)
{
    pb_reply_put_text(reply, "{\"plate\":");
    pb_reply_put_json(reply, row->plate);
    if (row->jurisdiction != 0)
        put_text(reply, "jurisdiction", pb_str_from(pb_jurisdiction_name(row->jurisdiction)));
    if (kind == PB_INQUIRY_COMMON)
        put_number(reply, "places", row->places);
    if (kind == PB_INQUIRY_ASSOCIATES) {
        put_number(reply, "together", row->together);
        put_real(reply, "expected", row->expected);
        put_real(reply, "score", row->score);
    }
    put_number(reply, "reads", row->reads);
    put_time(reply, "first", row->first_us);
    put_time(reply, "last", row->last_us);
    pb_reply_put_text(reply, "}");
}

static bool
is_of_plates(const struct pb_inquiry *inquiry)
{
    return inquiry->kind == PB_INQUIRY_COMMON || inquiry->kind == PB_INQUIRY_ASSOCIATES ||
           (inquiry->kind == PB_INQUIRY_PATTERN && inquiry->counts_plates);
}

void
pb_api_answer_put(struct pb_reply *reply, const struct pb_inquiry *inquiry,
                  const struct pb_answer *answer)
{
    uint64_t count = pb_answer_rows(answer);

    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{");
    put_decision(reply, pb_answer_decision(answer));
    put_receipt(reply, answer);
    put_number(reply, "count", pb_answer_count(answer));
    put_bool(reply, "truncated", pb_answer_is_truncated(answer));
    if (pb_answer_page(answer)[0] != '\0')
        put_text(reply, "page", pb_str_from(pb_answer_page(answer)));
    put_coverage(reply, answer);
    pb_reply_put_text(reply, ",\"rows\":[");
    for (uint64_t i = 0; i < count; i++) {
        const struct pb_row *row = pb_answer_row(answer, i);

        pb_reply_put_text(reply, i > 0 ? "," : "");
        if (is_of_plates(inquiry))
            put_plate(reply, inquiry->kind, row);
        else
            put_read(reply, row);
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
    put_text(reply, "title", pb_str_from(pb_http_reason(reply->status)));
    put_number(reply, "status", reply->status);
    put_text(reply, "detail", pb_str_from(detail_of(decision->verdict)));
    put_text(reply, "request_id", pb_str_from(request->id.text));
    pb_reply_put_text(reply, ",");
    put_decision(reply, decision);
    put_receipt(reply, answer);
    if (token[0] != '\0') {
        put_text(reply, "token", pb_str_from(token));
        put_number(reply, "count", pb_answer_count(answer));
    }
    pb_reply_put_text(reply, "}\n");
}
