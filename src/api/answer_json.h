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
/* A problem document: 403 where it was denied, 409 where something is missing. */
void pb_api_answer_refusal(struct pb_reply *reply, const struct pb_request *request,
                           const struct pb_answer *answer);

#endif
