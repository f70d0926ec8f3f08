/*
 * Measuring inquiries: many threads, each asking for one plate after another through the one door,
 * every question and every answer on record.
 *
 * Threads: called from the main thread; starts and joins its own.
 */
#ifndef PB_CLI_BENCH_ASK_H
#define PB_CLI_BENCH_ASK_H

#include "cli/interrupt.h"
#include "cli/load.h"
#include "inquiry/inquiry.h"

struct pb_cli_ask_result {
    uint64_t asked, rows;
    double seconds;
    double p50_us, p99_us, max_us; /* of one inquiry */
    bool was_allowed;              /* false: a rule refused one, and nothing was measured */
};

/*
 * inquiry: all but the plate, which comes from the lines in turn. Stops early after an interrupt.
 * Where a rule refuses, ret_refused is the answer that says so, to be freed by the caller; else
 * NULL.
 */
PB_MUST_CHECK enum pb_status
pb_cli_bench_ask(const struct pb_env *env, struct pb_site *site, const struct pb_inquiry *inquiry,
                 const struct pb_cli_lines *plates, unsigned threads, double seconds,
                 struct pb_cli_interrupt *interrupt, struct pb_cli_ask_result *ret_result,
                 struct pb_answer **ret_refused, struct pb_error *error);

#endif
