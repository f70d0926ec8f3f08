/*
 * Measuring appends: many threads, one read an append, each on disk before it counts.
 *
 * Threads: called from the main thread; starts and joins its own.
 */
#ifndef PB_CLI_BENCH_APPEND_H
#define PB_CLI_BENCH_APPEND_H

#include "cli/cli.h"
#include "cli/interrupt.h"

struct pb_cli_append_result {
    uint64_t acked;
    double seconds;
    double p50_us, p99_us, max_us; /* of one append */
};

/*
 * Appends to a new store in directory scratch, which must not exist and is removed again.
 * Stops early after an interrupt.
 */
PB_MUST_CHECK enum pb_status pb_cli_bench_append(const struct pb_env *env, const char *scratch,
                                                 unsigned writers, double seconds,
                                                 struct pb_cli_interrupt *interrupt,
                                                 struct pb_cli_append_result *ret_result,
                                                 struct pb_error *error);

/* Waits so long. */
void pb_cli_pause_us(int64_t us);

/* Sorts durations and finds the value that `share` (0 to 1) of them do not exceed; 0 of none. */
void pb_cli_sort_ns(int64_t *ns, size_t count);
int64_t pb_cli_quantile_ns(const int64_t *sorted_ns, size_t count, double share);

#endif
