/*
 * Answer to JSON: api/schemas/answer.json and refusal.json.
 *
 * Threads: everything here is without state.
 */
#ifndef PB_API_ANSWER_JSON_H
#define PB_API_ANSWER_JSON_H

#include "inquiry/inquiry.h"

struct pb_reply;
struct pb_request;

/* The rows of an allowed answer, with decision, receipt and coverage. */
void pb_api_answer_put(struct pb_reply *reply, const struct pb_inquiry *inquiry,
                       const struct pb_answer *answer);
/* All of it but the rows, as an object. */
void pb_api_answer_put_head(struct pb_reply *reply, const struct pb_answer *answer);
/* What would be decided, and within which limits. */
void pb_api_decision_put(struct pb_reply *reply, const struct pb_decision *decision);
/* A problem document: 403 where it was denied, 409 where something is missing. */
void pb_api_answer_refusal(struct pb_reply *reply, const struct pb_request *request,
                           const struct pb_answer *answer);

#endif
