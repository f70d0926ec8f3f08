/*
 * Export: an answer as a file to be kept, CSV or JSON lines, every row with the export's mark.
 *
 * Rows become text while they are sent, so that a long export takes no more memory than its answer.
 *
 * Threads: belongs to the reply.
 */
#ifndef PB_API_EXPORT_H
#define PB_API_EXPORT_H

#include "inquiry/inquiry.h"

struct pb_reply;

/* Fills the reply with an allowed answer, which it takes over, also where it fails. */
PB_MUST_CHECK enum pb_status pb_api_export_put(struct pb_reply *reply,
                                               const struct pb_inquiry *inquiry,
                                               struct pb_answer *answer);

#endif
