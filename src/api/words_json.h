/*
 * A person's word from JSON: that a colleague's inquiry is right, that a read is wrong.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_API_WORDS_JSON_H
#define PB_API_WORDS_JSON_H

#include "api/body.h"
#include "inquiry/inquiry.h"

struct pb_api_approval {
    struct pb_str token, why;
    bool is_refused;
};

pb_api_read_fn pb_api_read_approval;       /* struct pb_api_approval */
pb_api_read_fn pb_api_read_approval_token; /* of it only the token */
pb_api_read_fn pb_api_read_correction;     /* struct pb_correction, but for the person */

#endif
