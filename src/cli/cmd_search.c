/*
 * search: the reads of a plate, newest first.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"

int
pb_cmd_search(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_query_args args;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_query_args_init(&args);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the reads of a plate in a span of time, newest first. The plate is "
                      "compared as it is stored: upper case, without spaces and dashes. The "
                      "readers' other candidates are searched too; a result says where it "
                      "came from.");
    pb_cli_query_args_add(&usage, &args, true);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    return pb_cli_query_run(cli, &args, NULL);
}
