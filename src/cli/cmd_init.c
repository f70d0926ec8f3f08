/*
 * init: an empty store.
 */
#include "cli/cli.h"
#include "cli/options.h"

int
pb_cmd_init(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "quiet", .help = "say nothing", .flag = &is_quiet },
    };
    int first;

    pb_cli_usage_init(&usage, "DIR", 1, 1,
                      "Makes an empty store in DIR, which must be empty or not exist yet. What "
                      "a store holds is sensitive: only its owner and group may look into it.");
    pb_cli_usage_add(&usage, options, 1);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    status = pb_store_create(cli->env, argv[first], &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    if (!is_quiet)
        pb_cli_say(cli, "made an empty store in %s", argv[first]);
    return PB_CLI_EXIT_OK;
}
