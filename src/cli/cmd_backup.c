/*
 * backup: a consistent copy of a data directory.
 */
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

int
pb_cmd_backup(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_error error = { "" };
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct pb_site *site = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    const char *data = NULL;
    bool is_json = false, is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "quiet", .help = "no progress bar, and say nothing", .flag = &is_quiet },
    };
    int first, exit_code = PB_CLI_EXIT_FAILURE;

    pb_cli_usage_init(
        &usage, "TARGET", 1, 1,
        "Makes a consistent copy of a data directory in a new directory TARGET: reads "
        "(by hard links where the file system allows), catalog, rules and audit "
        "logs, but not the keys that sign the logs. Searching goes on meanwhile, and "
        "importing waits. For a copy on another disk, copy TARGET there with any "
        "tool.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet || is_json);
    if (pb_cli_open_site(cli, data, &site_options, &site) != PB_OK)
        goto out;
    status = pb_site_backup(site, argv[first], &job.store_progress, &error);
    pb_cli_job_quiet(&job);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    if (is_json) {
        pb_cli_put_text(cli->out, "{\"backup\":");
        pb_cli_put_json_text(cli->out, argv[first]);
        pb_cli_put_format(cli->out, ",\"seconds\":%.3f}\n", pb_cli_job_seconds(&job));
    } else if (!is_quiet) {
        pb_cli_say(cli, "backup made in %s", argv[first]);
    }
    exit_code = PB_CLI_EXIT_OK;

out:
    exit_code = pb_cli_close_site(cli, site, exit_code);
    return pb_cli_job_end(&job, exit_code);
}
