/*
 * associates: the plates that were seen beside a plate more often than traffic explains.
 */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"

#define SECOND_US INT64_C(1000000)

struct associates_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_query_args query;
    uint64_t together_s, together_min;
};

static void
add_options(struct pb_cli_usage *usage, struct associates_args *args)
{
    const struct pb_cli_option plate = {
        .name = "plate",
        .placeholder = "PLATE",
        .help = "the whole plate whose company is looked for",
        .is_required = true,
        .example = "AB123CD",
        .text = &args->query.plate,
    };
    const struct pb_cli_option options[] = {
        { .name = "together",
          .placeholder = "SECONDS",
          .help = "seen at the same reader at most so far apart; 120 by default",
          .number = &args->together_s,
          .number_min = 1,
          .number_max = 3600 },
        { .name = "times",
          .placeholder = "N",
          .help = "at least so often; 2 by default",
          .number = &args->together_min,
          .number_min = 1,
          .number_max = 1000000 },
    };

    pb_cli_ask_args_add_who(usage, &args->ask);
    pb_cli_usage_add(usage, &plate, 1);
    pb_cli_query_args_add_window(usage, &args->query);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_ask_args_add_answer(usage, &args->ask);
}

int
pb_cmd_associates(struct pb_cli *cli, int argc, char **argv)
{
    struct associates_args args = { .together_s = 0 };
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_ASSOCIATES };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the plates that passed the same readers at about the same time as a "
                      "plate, again and again. BY CHANCE is how often traffic alone would have "
                      "brought them together, SCORE how improbable more than that is: 3 is one in "
                      "a thousand. It is a hint, never a proof.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_ask_fill(cli, &args.ask, &inquiry) ||
        !pb_cli_query_fill(cli, &args.query, &inquiry))
        return PB_CLI_EXIT_USAGE;
    inquiry.together_us = (int64_t)args.together_s * SECOND_US;
    inquiry.together_min = (uint32_t)args.together_min;
    return pb_cli_ask_run(cli, &args.ask, &inquiry);
}
