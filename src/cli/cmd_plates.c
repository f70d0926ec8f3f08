/*
 * plates: the distinct plates that fit a pattern, with how often and when they were read.
 */
#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"

static void
add_options(struct pb_cli_usage *usage, struct pb_cli_query_args *query)
{
    const struct pb_cli_option options[] = {
        { .name = "edits",
          .placeholder = "N",
          .help = "also plates that differ by up to N characters (0 to 2)",
          .number = &query->edits,
          .number_max = 2 },
        { .name = "lookalikes",
          .help = "characters that look alike count as equal: 0OQD, 1I, 8B, 5S, 2Z",
          .flag = &query->with_lookalikes },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_plates(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_PATTERN, .counts_plates = true };
    struct pb_cli_query_args query = { .plate = NULL };
    struct pb_cli_ask_args ask;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_ask_args_init(&ask);
    pb_cli_usage_init(&usage, "PATTERN", 1, 1,
                      "Lists the distinct plates that fit a pattern, with how often, when first "
                      "and when last each was read in a span of time. In a pattern ? is any one "
                      "character, * any number of them, and [AB] one of these; quote it, so that "
                      "the shell leaves it alone.");
    pb_cli_ask_args_add_who(&usage, &ask);
    add_options(&usage, &query);
    pb_cli_query_args_add_window(&usage, &query);
    pb_cli_ask_args_add_answer(&usage, &ask);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    query.plate = argv[first];
    if (!pb_cli_ask_fill(cli, &ask, &inquiry) || !pb_cli_query_fill(cli, &query, &inquiry))
        return PB_CLI_EXIT_USAGE;
    return pb_cli_ask_run(cli, &ask, &inquiry);
}
