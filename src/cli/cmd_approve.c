/*
 * approve: the second person's word on an inquiry of somebody else.
 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/entry.h"
#include "cli/options.h"
#include "inquiry/inquiry.h"
#include "inquiry/review.h"

static bool
put_entry(void *context, const struct pb_audit_entry *entry)
{
    pb_cli_put_entry(context, entry);
    return true;
}

int
pb_cmd_approve(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    const char *data = NULL, *person = NULL, *why = NULL;
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    bool is_refused = false, is_shown = false, is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who approves: a person who may, and not the one who asked; or set "
                  "PLATEBASE_PERSON",
          .is_required = true,
          .example = "police.supervisor",
          .environment = "PLATEBASE_PERSON",
          .text = &person },
        { .name = "why",
          .placeholder = "TEXT",
          .help = "why, in words that a reviewer understands; not needed with --show",
          .example = "'the case file supports the long window'",
          .text = &why },
        { .name = "show",
          .help = "only show what is to be approved; that it was looked at is on record",
          .flag = &is_shown },
        { .name = "refuse", .help = "refuse it instead", .flag = &is_refused },
        { .name = "quiet", .help = "say nothing", .flag = &is_quiet },
    };
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "TOKEN", 1, 1,
                      "Approves the inquiry that a token stands for, which somebody got who asked "
                      "for more than one person may decide. It is valid for a day, for just that "
                      "inquiry of just that person; both are on record.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!is_shown && why == NULL)
        return pb_cli_usage_error(cli,
                                  "--why is missing: say why you approve or refuse it, or look "
                                  "at it first with --show");
    if (pb_cli_open_site(cli, data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    if (is_shown) {
        status = pb_review_pending(site, pb_str_from(person), pb_str_from(argv[first]), put_entry,
                                   cli->out, &error);
        if (status != PB_OK)
            exit_code = pb_cli_failure(cli, status, &error);
        return pb_cli_close_site(cli, site, exit_code);
    }

    status = pb_inquiry_approve(site, pb_str_from(person), pb_str_from(argv[first]), !is_refused,
                                pb_str_from(why), &error);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    else if (!is_quiet && is_refused)
        pb_cli_say(cli, "refused");
    else if (!is_quiet)
        pb_cli_say(cli, "approved for a day: who asked repeats it with --approval %s", argv[first]);
    return pb_cli_close_site(cli, site, exit_code);
}
