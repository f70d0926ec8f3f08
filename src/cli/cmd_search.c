/*
 * search: the reads of a plate, newest first.
 */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"

int
pb_cmd_search(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_PLATE };
    struct pb_cli_query_args query = { .plate = NULL };
    struct pb_cli_ask_args ask;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_ask_args_init(&ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the reads of a plate in a span of time, newest first, where the rules "
                      "allow it; question and answer are put on record. The plate is compared "
                      "as it is stored: upper case, without spaces and dashes. The readers' other "
                      "candidates are searched too; a result says where it came from.");
    pb_cli_ask_args_add_who(&usage, &ask);
    pb_cli_query_args_add_plate(&usage, &query, true);
    pb_cli_query_args_add_window(&usage, &query);
    pb_cli_query_args_add_filters(&usage, &query);
    pb_cli_ask_args_add_answer(&usage, &ask);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_ask_fill(cli, &ask, &inquiry) || !pb_cli_query_fill(cli, &query, &inquiry))
        return PB_CLI_EXIT_USAGE;
    inquiry.kind = pb_cli_query_kind(&query);
    return pb_cli_ask_run(cli, &ask, &inquiry);
}
