/*
 * restore: a data directory from a backup.
 */
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/restore.h"

/* Whether the audit logs go on with these keys: they do not where entries were given out that the
 * backup does not have. */
static int
check_logs(struct pb_cli *cli, const char *directory)
{
    const struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct pb_site *site = NULL;

    if (pb_cli_open_site(cli, directory, &options, &site) == PB_OK)
        return pb_cli_close_site(cli, site, PB_CLI_EXIT_OK);
    pb_cli_say(
        cli,
        "everything was restored; stats and verify work, but nothing can be asked or changed "
        "until that log goes on: put the newest audit and keys into %s, or begin it again "
        "with 'platebase audit restart'",
        directory);
    return PB_CLI_EXIT_FAILURE;
}

static void
say_restored(const struct pb_cli *cli, const char *directory, bool has_keys)
{
    pb_cli_say(cli, "restored in %s", directory);
    if (!has_keys)
        pb_cli_say(cli,
                   "no backup holds keys: put the directory keys of the old data directory in "
                   "%s, or nothing can be asked and nothing signed",
                   directory);
}

int
pb_cmd_restore(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    bool is_json = false, is_quiet = false;
    const char *keys = NULL;
    const struct pb_cli_option options[] = {
        { .name = "keys",
          .placeholder = "KEYS",
          .help = "directory of keys to copy, too, such as keys of the old data directory",
          .text = &keys },
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "quiet", .help = "no progress bar, and say nothing", .flag = &is_quiet },
    };
    int first, exit_code;

    pb_cli_usage_init(
        &usage, "BACKUP DIR", 2, 2,
        "Checks BACKUP and makes a data directory of it in DIR, which must be empty or "
        "not exist yet. The backup stays as it is. Where entries of an audit log "
        "were given out after the backup was made, the log does not go on from "
        "there, so that nobody can make it forget.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    if (!pb_cli_is_site(cli, argv[first]))
        return PB_CLI_EXIT_FAILURE;
    pb_cli_job_begin(&job, cli, is_quiet || is_json);
    status =
        pb_cli_restore(cli->env, argv[first], argv[first + 1], keys, &job.store_progress, &error);
    pb_cli_job_quiet(&job);
    exit_code = PB_CLI_EXIT_OK;
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    } else if (is_json) {
        pb_cli_put_text(cli->out, "{\"restored\":");
        pb_cli_put_json_text(cli->out, argv[first + 1]);
        pb_cli_put_format(cli->out, ",\"seconds\":%.3f}\n", pb_cli_job_seconds(&job));
    } else if (!is_quiet) {
        say_restored(cli, argv[first + 1], keys != NULL);
    }
    if (status == PB_OK && keys != NULL)
        exit_code = check_logs(cli, argv[first + 1]);
    return pb_cli_job_end(&job, exit_code);
}
