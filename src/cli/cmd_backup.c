/*
 * backup: a consistent copy of a data directory.
 */
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

struct backup {
    struct pb_cli_job job;
    struct pb_cli_job_flags flags;
};

static enum pb_status
back_up(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
        struct pb_error *error)
{
    struct backup *backup = context;
    enum pb_status status = pb_site_backup(site, arguments[0], &backup->job.store_progress, error);

    pb_cli_job_quiet(&backup->job);
    if (status != PB_OK)
        return status;
    if (backup->flags.is_json) {
        pb_cli_put_text(cli->out, "{\"backup\":");
        pb_cli_put_json_text(cli->out, arguments[0]);
        pb_cli_put_format(cli->out, ",\"seconds\":%.3f}\n", pb_cli_job_seconds(&backup->job));
    } else if (!backup->flags.is_quiet) {
        pb_cli_say(cli, "backup made in %s", arguments[0]);
    }
    return PB_OK;
}

int
pb_cmd_backup(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct backup backup = { .flags = { false, false } };
    struct pb_cli_usage usage;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &backup.flags.is_json },
        { .name = "quiet",
          .help = "no progress bar, and say nothing",
          .flag = &backup.flags.is_quiet },
    };

    pb_cli_usage_init(
        &usage, "TARGET", 1, 1,
        "Makes a consistent copy of a data directory in a new directory TARGET: reads "
        "(by hard links where the file system allows), catalog, rules and audit "
        "logs, but not the keys that sign the logs. Searching goes on meanwhile, and "
        "importing waits. For a copy on another disk, copy TARGET there with any "
        "tool.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_job_at_site(&backup.job, cli, &usage, &site_options, &backup.flags, argc, argv,
                              back_up, &backup);
}
