/*
 * Restamp: the dates of a segment's reads become what a function says of them.
 *
 * Threads: one at a time for each segment, which may be asked meanwhile.
 */
#ifndef PB_STORE_LOCAL_RESTAMP_H
#define PB_STORE_LOCAL_RESTAMP_H

#include <platebase/store.h>

#include "store/local/segment.h"

/* What a merge does with dates. Of the rows that stay, only those of one retention class are
 * written: a segment whose reads go into several is merged once for each. */
struct pb_restamp {
    pb_restamp_fn *fn;
    void *context;
    uint32_t retention_days;
    uint64_t rows_elsewhere; /* set by the merge: rows that stay, but in another class */
};

/* The new date of a read, brought into the range of dates. */
int64_t pb_restamp_date(pb_restamp_fn *fn, void *context, const struct pb_read *read);

#define PB_RETENTION_CLASSES_MAX 32u

/* What restamping a segment would do. */
struct pb_restamp_plan {
    uint64_t asked, later, earlier;
    uint32_t classes[PB_RETENTION_CLASSES_MAX]; /* of the rows that stay */
    uint32_t class_count;
};
/* Asks fn of every read of a segment that has not expired at now_us. */
PB_MUST_CHECK enum pb_status pb_restamp_plan(const struct pb_segment *segment, int64_t now_us,
                                             pb_restamp_fn *fn, void *context,
                                             struct pb_restamp_plan *ret_plan,
                                             struct pb_error *error);

#endif
