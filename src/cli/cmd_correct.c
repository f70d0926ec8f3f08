/*
 * correct: a person's word that a read is wrong.
 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "inquiry/inquiry.h"

struct correct_args {
    const char *data, *person, *why, *case_number, *reader, *wrong_plate, *event_id, *plate,
        *jurisdiction;
    int64_t captured_at_us;
    bool is_unreadable, is_quiet;
};

static void
add_options(struct pb_cli_usage *usage, struct correct_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who says so; or set PLATEBASE_PERSON",
          .is_required = true,
          .example = "operator",
          .environment = "PLATEBASE_PERSON",
          .text = &args->person },
        { .name = "why",
          .placeholder = "TEXT",
          .help = "how it can be seen",
          .is_required = true,
          .example = "'the picture shows an 8, not a B'",
          .text = &args->why },
        { .name = "case",
          .placeholder = "NUMBER",
          .help = "the case in which it was noticed, where a law asks for it",
          .text = &args->case_number },
        { .name = "reader",
          .placeholder = "ID",
          .help = "reader that made the read",
          .is_required = true,
          .example = "gate-1",
          .text = &args->reader },
        { .name = "event-id",
          .placeholder = "ID",
          .help = "the reader's own id of the read, where it gave one",
          .text = &args->event_id },
        { .name = "captured-at",
          .placeholder = "TIME",
          .help = "when it was made, to the millisecond, as search prints it",
          .time_us = &args->captured_at_us },
        { .name = "wrong-plate",
          .placeholder = "TEXT",
          .help = "what it says",
          .text = &args->wrong_plate },
        { .name = "plate", .placeholder = "TEXT", .help = "what is right", .text = &args->plate },
        { .name = "unreadable", .help = "no plate can be read", .flag = &args->is_unreadable },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "where the right plate was issued, such as US-CA",
          .text = &args->jurisdiction },
        { .name = "quiet", .help = "say nothing", .flag = &args->is_quiet },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static bool
fill_correction(const struct pb_cli *cli, const struct correct_args *args,
                struct pb_correction *ret_correction)
{
    uint16_t jurisdiction = 0;

    if (args->event_id == NULL && (args->captured_at_us == 0 || args->wrong_plate == NULL)) {
        (void)pb_cli_usage_error(cli, "say which read: --event-id, or --captured-at and "
                                      "--wrong-plate");
        return false;
    }
    if ((args->plate != NULL) == args->is_unreadable) {
        (void)pb_cli_usage_error(cli, "say what is right: --plate TEXT, or --unreadable");
        return false;
    }
    if (!pb_cli_jurisdiction(cli, "jurisdiction", args->jurisdiction, &jurisdiction))
        return false;
    *ret_correction = (struct pb_correction){
        .person = pb_str_from(args->person),
        .why = pb_str_from(args->why),
        .case_number = pb_str_from(args->case_number),
        .reader = pb_str_from(args->reader),
        .wrong_plate = pb_str_from(args->wrong_plate),
        .event_id = pb_str_from(args->event_id),
        .captured_at_us = args->captured_at_us,
        .plate = pb_str_from(args->plate),
        .jurisdiction = jurisdiction,
    };
    return true;
}

int
pb_cmd_correct(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct correct_args args = { .data = NULL };
    struct pb_correction correction;
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int first, exit_code = PB_CLI_EXIT_OK;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Says that a read is wrong, and what is right. The reader's own text is kept "
                      "as history; searching finds the corrected read from then on, and says that "
                      "it was corrected. The correction is put on record.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!fill_correction(cli, &args, &correction))
        return PB_CLI_EXIT_USAGE;
    if (pb_cli_open_site(cli, args.data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;

    status = pb_inquiry_correct(site, &correction, &error);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    else if (!args.is_quiet)
        pb_cli_say(cli, "corrected; --history of search still shows what the reader said");
    return pb_cli_close_site(cli, site, exit_code);
}
