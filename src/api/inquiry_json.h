/*
 * Inquiry from JSON: api/schemas/inquiry.json, strictly.
 *
 * A key that is not known, stands twice, or has a value of another type or out of range is refused
 * by name. What the rules judge (purpose, window, plate) is not judged here.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_API_INQUIRY_JSON_H
#define PB_API_INQUIRY_JSON_H

#include "api/body.h"
#include "inquiry/inquiry.h"

struct pb_api_inquiry_json; /* opaque: what an inquiry points to */

/* Kept until the answer is freed. */
struct pb_api_inquiry {
    struct pb_inquiry inquiry;        /* person and client are for the caller to say */
    struct pb_api_inquiry_json *json; /* owned */
};

/*
 * body  borrowed for the call
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT  ret_refusal names the field
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_api_inquiry_parse(const struct pb_env *env, struct pb_str body,
                                                  struct pb_api_inquiry *ret_request,
                                                  struct pb_api_refusal *ret_refusal);
void pb_api_inquiry_done(struct pb_api_inquiry *request); /* all zero is fine */

#endif
