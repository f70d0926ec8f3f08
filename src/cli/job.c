/*
 * Job: putting the three together.
 */
#include "cli/job.h"

void
pb_cli_job_begin(struct pb_cli_job *job, struct pb_cli *cli, bool is_quiet)
{
    pb_cli_interrupt_init(&job->interrupt);
    pb_cli_progress_init(&job->progress, cli, &job->interrupt, !is_quiet);
    job->store_progress = pb_cli_progress_of_store(&job->progress);
    job->started_ns = pb_monotonic_ns(cli->env);
}

double
pb_cli_job_seconds(const struct pb_cli_job *job)
{
    return (double)(pb_monotonic_ns(job->progress.cli->env) - job->started_ns) / 1e9;
}

void
pb_cli_job_quiet(struct pb_cli_job *job)
{
    pb_cli_progress_done(&job->progress);
}

int
pb_cli_job_end(struct pb_cli_job *job, int exit_code)
{
    pb_cli_progress_done(&job->progress);
    if (pb_cli_interrupt_look(&job->interrupt)) {
        pb_cli_say(job->progress.cli, "interrupted: what was done so far is kept");
        exit_code = PB_CLI_EXIT_INTERRUPTED;
    }
    pb_cli_interrupt_done(&job->interrupt);
    return exit_code;
}
