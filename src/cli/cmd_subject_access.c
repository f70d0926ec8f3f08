/*
 * subject-access: what an agency holds of somebody's plate, and who was given it.
 */
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"

struct subject_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_query_args query;
    const char *identity;
};

static void
add_options(struct pb_cli_usage *usage, struct subject_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who answers the request: an auditor of the agency; or set PLATEBASE_PERSON",
          .is_required = true,
          .example = "police.auditor",
          .environment = "PLATEBASE_PERSON",
          .text = &args->ask.person },
        { .name = "plate",
          .placeholder = "PLATE",
          .help = "the whole plate",
          .is_required = true,
          .example = "AB123CD",
          .text = &args->query.plate },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "where the plate was issued, such as US-CA or DE; or the word unknown",
          .text = &args->ask.jurisdiction },
        { .name = "identity",
          .placeholder = "TEXT",
          .help = "how the person proved who they are, and that the plate is theirs",
          .is_required = true,
          .example = "'passport and registration seen at the desk'",
          .text = &args->identity },
        { .name = "case",
          .placeholder = "NUMBER",
          .help = "number of the request",
          .text = &args->ask.case_number },
        { .name = "why",
          .placeholder = "TEXT",
          .help = "what was asked for, in words that a reviewer understands",
          .is_required = true,
          .example = "'letter of 3 March asks for all reads of this year'",
          .text = &args->ask.why },
        { .name = "approval",
          .placeholder = "TOKEN",
          .help = "what a second person has approved",
          .text = &args->ask.approval },
        { .name = "confirm",
          .placeholder = "TOKEN",
          .help = "confirm what an earlier answer asked to confirm",
          .text = &args->ask.confirmation },
    };

    pb_cli_usage_add_data(usage, &args->ask.data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_query_args_add_window(usage, &args->query);
    pb_cli_ask_args_add_answer(usage, &args->ask);
}

int
pb_cmd_subject_access(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_SUBJECT };
    struct subject_args args;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    memset(&args, 0, sizeof(args));
    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Answers somebody who asks what an agency holds of their plate: the reads, "
                      "and, from the agency's audit log, who looked for it or was given reads of "
                      "it, for which purpose. Only the own agency's reads; a second person looks "
                      "at it first, and all of it is on record.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    args.ask.purpose = "subject-access";
    if (!pb_cli_ask_fill(cli, &args.ask, &inquiry) ||
        !pb_cli_query_fill(cli, &args.query, &inquiry))
        return PB_CLI_EXIT_USAGE;
    inquiry.identity = pb_str_from(args.identity);
    return pb_cli_ask_run(cli, &args.ask, &inquiry);
}
