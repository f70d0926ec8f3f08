/*
 * Looking up one identity in a segment.
 */
#ifndef PB_STORE_LOCAL_LOOKUP_H
#define PB_STORE_LOCAL_LOOKUP_H

#include "store/local/run.h"
#include "store/local/segment.h"

/* Adds to known every row of segment that has read's identity (which the caller has hashed). */
PB_MUST_CHECK enum pb_status pb_segment_find_identity(const struct pb_segment *segment,
                                                      const struct pb_read *read,
                                                      uint64_t identity, struct pb_known *known,
                                                      struct pb_error *error);

#endif
