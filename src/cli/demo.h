/*
 * Demo: the demonstration directory: three invented agencies, what a real reader program made of
 * drawn pictures, and an invented town. The same on every machine but for keys and for the day on
 * which it is made: reads are moved so that the newest is of yesterday.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_DEMO_H
#define PB_CLI_DEMO_H

#include "inquiry/site.h"

struct pb_cli_demo_counts {
    uint64_t stored, left_out;
};
/* Fills a site (open for writing) that has nothing in it. */
PB_MUST_CHECK enum pb_status pb_cli_demo_fill(const struct pb_env *env, struct pb_site *site,
                                              const struct pb_progress *progress,
                                              struct pb_cli_demo_counts *ret_counts,
                                              struct pb_error *error);

/* The text with each "@+N@" or "@-N@" replaced by the date N days from now. The caller frees it
 * with pb_free; NULL where there is no memory. */
char *pb_cli_demo_dates(const struct pb_env *env, struct pb_str text, int64_t now_us,
                        size_t *ret_bytes);

#endif
