/*
 * restore: a store from a backup.
 */
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

int
pb_cmd_restore(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    bool is_json = false, is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "quiet", .help = "no progress bar, and say nothing", .flag = &is_quiet },
    };
    int first, exit_code;

    pb_cli_usage_init(&usage, "BACKUP DIR", 2, 2,
                      "Checks every byte of BACKUP and makes a store of it in DIR, which must be "
                      "empty or not exist yet. The backup stays as it is.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet || is_json);
    status = pb_store_restore(cli->env, argv[first], argv[first + 1], &job.store_progress, &error);
    pb_cli_job_quiet(&job);
    exit_code = PB_CLI_EXIT_OK;
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    } else if (is_json) {
        pb_cli_put_text(cli->out, "{\"store\":");
        pb_cli_put_json_text(cli->out, argv[first + 1]);
        pb_cli_put_format(cli->out, ",\"seconds\":%.3f}\n", pb_cli_job_seconds(&job));
    } else if (!is_quiet) {
        pb_cli_say(cli, "store restored in %s", argv[first + 1]);
    }
    return pb_cli_job_end(&job, exit_code);
}
