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

void
pb_cli_job_add_flags(struct pb_cli_usage *usage, struct pb_cli_job_flags *flags)
{
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &flags->is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &flags->is_quiet },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cli_job_at_site(struct pb_cli_job *job, struct pb_cli *cli, const struct pb_cli_usage *usage,
                   const struct pb_site_options *options, const struct pb_cli_job_flags *flags,
                   int argc, char **argv, pb_cli_act_fn *act, void *context)
{
    int first, exit_code;
    enum pb_cli_parsed parsed = pb_cli_parse(cli, usage, argc, argv, &first);

    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    pb_cli_job_begin(job, cli, flags->is_quiet || flags->is_json);
    exit_code = pb_cli_at_parsed_site(cli, usage->data, options, argv + first, act, context);
    return pb_cli_job_end(job, exit_code);
}
