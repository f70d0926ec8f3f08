/*
 * Job: what every long command has: a progress bar, a way to be interrupted, and a clock.
 *
 * Begin it before the store is opened, so that the store's threads inherit the blocked signals.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_JOB_H
#define PB_CLI_JOB_H

#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

struct pb_cli_job {
    struct pb_cli_interrupt interrupt;
    struct pb_cli_progress progress;
    struct pb_progress store_progress; /* for the store's calls */
    int64_t started_ns;
};

void pb_cli_job_begin(struct pb_cli_job *job, struct pb_cli *cli, bool is_quiet);
/* Seconds since the beginning. */
double pb_cli_job_seconds(const struct pb_cli_job *job);
/* Takes the bar away; call before printing an answer. */
void pb_cli_job_quiet(struct pb_cli_job *job);
/* Returns exit_code, or PB_CLI_EXIT_INTERRUPTED (said) where a signal came. */
int pb_cli_job_end(struct pb_cli_job *job, int exit_code);

/* What the options --json and --quiet of a long command say. */
struct pb_cli_job_flags {
    bool is_json, is_quiet;
};
/* Adds both. */
void pb_cli_job_add_flags(struct pb_cli_usage *usage, struct pb_cli_job_flags *flags);
/* As pb_cli_at_site, with a job around it. act takes the bar away before it prints or returns. */
int pb_cli_job_at_site(struct pb_cli_job *job, struct pb_cli *cli, const struct pb_cli_usage *usage,
                       const struct pb_site_options *options, const struct pb_cli_job_flags *flags,
                       int argc, char **argv, pb_cli_act_fn *act, void *context);

#endif
