/*
 * catalog: all records at once, as YAML.
 */
#include <inttypes.h>

#include "base/limits.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "inquiry/site.h"

static enum pb_status
put_catalog(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
            struct pb_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_catalog_to_yaml(pb_site_catalog(site), &text, &bytes, error);

    (void)arguments;
    (void)context;
    if (status == PB_OK)
        pb_cli_put_bytes(cli->out, text, bytes);
    pb_free(cli->env, text);
    return status;
}

static int
run_export(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Prints the whole catalog as YAML, as it is at one moment; 'catalog import' "
                      "takes it back.");
    pb_cli_usage_add_data(&usage, &usage.data);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, put_catalog, NULL);
}

static enum pb_status
import_file(const struct pb_cli *cli, struct pb_site *site, const char *path,
            struct pb_catalog_changes *changes, struct pb_error *error)
{
    const struct pb_actor machine = { .person = NULL };
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status =
        pb_cli_load(cli->env, path, PB_CATALOG_YAML_BYTES_MAX, &text, &bytes, error);

    if (status == PB_OK)
        status = pb_site_import_yaml(site, &machine, text, bytes, changes, error);
    pb_free(cli->env, text);
    return status;
}

static int
run_import(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct pb_catalog_changes changes = { .added = 0 };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    const char *data = NULL;
    bool is_quiet = false;
    const struct pb_cli_option quiet = { .name = "quiet",
                                         .help = "say nothing",
                                         .flag = &is_quiet };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "FILE", 1, 1,
                      "Adds and changes the records that a YAML file holds, all of them or none. "
                      "What the file leaves out stays as it is; nothing is removed. It is one "
                      "entry of the operator's audit log.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, &quiet, 1);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (pb_cli_open_site(cli, data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = import_file(cli, site, argv[first], &changes, &error);
    if (status == PB_BAD_INPUT || status == PB_OVER_LIMIT) {
        (void)pb_cli_failure(cli, status, &error);
        exit_code = PB_CLI_EXIT_USAGE;
    } else if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    } else if (!is_quiet) {
        pb_cli_say(cli, "%" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " as they were",
                   changes.added, changes.changed, changes.same);
    }
    return pb_cli_close_site(cli, site, exit_code);
}

int
pb_cmd_catalog(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "catalog export", "print all records as YAML", run_export },
        { "catalog import", "add and change records from YAML", run_import },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "The catalog holds agencies, people, readers, offences, cases, agreements, "
                "declarations\nand holds. Each has a command of its own, too.",
        .example = "platebase catalog export --data DIR >catalog.yaml",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
