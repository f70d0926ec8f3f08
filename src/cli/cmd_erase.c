/*
 * erase: reads that nobody shall find again.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/options.h"

struct erase_args {
    struct pb_actor actor;
    const char *data, *why, *plate, *jurisdiction, *reader;
    int64_t from_us, to_us;
    bool is_sure, is_json;
};

/* Fills an erasure; plate is room for the folded plate. false after a usage error. */
static bool
fill_erasure(const struct pb_cli *cli, const struct erase_args *args,
             char plate[PB_PLATE_BYTES_MAX], struct pb_erasure *ret_erasure)
{
    uint16_t jurisdiction = 0;
    uint32_t plate_bytes = 0;

    if (args->plate == NULL && args->jurisdiction == NULL && args->reader == NULL) {
        (void)pb_cli_usage_error(cli, "say what to erase: --plate, --jurisdiction, --reader, or "
                                      "several of them");
        return false;
    }
    if (args->from_us >= args->to_us) {
        (void)pb_cli_usage_error(cli, "--from must be before --to: nothing lies between them");
        return false;
    }
    if (!pb_cli_jurisdiction(cli, "jurisdiction", args->jurisdiction, &jurisdiction))
        return false;
    /* A pattern would fold to another plate than the one that is meant. */
    if (args->plate != NULL &&
        (strpbrk(args->plate, "?*[]") != NULL ||
         pb_plate_fold(pb_str_from(args->plate), plate, &plate_bytes) != PB_OK)) {
        (void)pb_cli_usage_error(cli, "--plate: '%s' is not one plate: patterns cannot be erased",
                                 args->plate);
        return false;
    }
    *ret_erasure = (struct pb_erasure){
        .plate = { .text = plate, .bytes = plate_bytes },
        .jurisdiction = jurisdiction,
        .reader = pb_str_from(args->reader),
        .from_us = args->from_us,
        .to_us = args->to_us,
    };
    return true;
}

static bool
confirm(const struct pb_cli *cli, const struct pb_erasure *erasure)
{
    char from[PB_TIME_BYTES_MAX], to[PB_TIME_BYTES_MAX], answer[16] = "";

    (void)pb_time_format(erasure->from_us, PB_NO_UTC_OFFSET, from);
    (void)pb_time_format(erasure->to_us, PB_NO_UTC_OFFSET, to);
    pb_cli_say(cli,
               "about to erase for good the reads of plate %.*s, issued by %s, reader %.*s, "
               "captured from %s up to %s",
               erasure->plate.bytes > 0 ? (int)erasure->plate.bytes : 3,
               erasure->plate.bytes > 0 ? erasure->plate.text : "any",
               erasure->jurisdiction != 0 ? pb_jurisdiction_name(erasure->jurisdiction) : "any",
               erasure->reader.bytes > 0 ? (int)erasure->reader.bytes : 3,
               erasure->reader.bytes > 0 ? erasure->reader.text : "any", from, to);
    pb_cli_say(cli, "this cannot be undone; type \"erase\" to go on");
    if (fgets(answer, sizeof(answer), stdin) == NULL || strcmp(answer, "erase\n") != 0) {
        pb_cli_say(cli, "nothing was erased");
        return false;
    }
    return true;
}

static void
add_options(struct pb_cli_usage *usage, struct erase_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "why",
          .placeholder = "TEXT",
          .help = "why, in words that a reviewer understands",
          .is_required = true,
          .example = "'court order 17 of 3 March'",
          .text = &args->why },
        { .name = "person",
          .placeholder = "ID",
          .help = "who erases, for the record: somebody who operates; the operator of the machine "
                  "by default",
          .text = &args->actor.person },
        { .name = "plate",
          .placeholder = "TEXT",
          .help = "reads of this plate",
          .text = &args->plate },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "reads of plates issued there, such as US-CA",
          .text = &args->jurisdiction },
        { .name = "reader",
          .placeholder = "ID",
          .help = "reads of this reader",
          .text = &args->reader },
        { .name = "from",
          .placeholder = "TIME",
          .help = "captured at this time or later",
          .is_required = true,
          .example = "1970-01-01",
          .time_us = &args->from_us },
        { .name = "to",
          .placeholder = "TIME",
          .help = "captured before this time",
          .is_required = true,
          .example = "2027-01-01",
          .time_us = &args->to_us },
        { .name = "yes", .help = "do not ask", .flag = &args->is_sure },
        { .name = "json", .help = "one JSON object", .flag = &args->is_json },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_erase(struct pb_cli *cli, int argc, char **argv)
{
    struct erase_args args = { .data = NULL };
    char plate[PB_PLATE_BYTES_MAX];
    struct pb_error error = { "" };
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct pb_site *site = NULL;
    struct pb_erasure erasure;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Erases the reads that match all that is given. No question finds them from "
                      "then on; the next merge or purge removes them from disk. That it was done, "
                      "by whom and why, stays on record.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!fill_erasure(cli, &args, plate, &erasure))
        return PB_CLI_EXIT_USAGE;
    if (!args.is_sure && isatty(STDIN_FILENO) != 1)
        return pb_cli_usage_error(cli, "erasing cannot be undone: add --yes where nobody can be "
                                       "asked");
    if (!args.is_sure && !confirm(cli, &erasure))
        return PB_CLI_EXIT_FAILURE;

    if (pb_cli_open_site(cli, args.data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = pb_site_erase(site, &args.actor, pb_str_from(args.why), &erasure, &error);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    else if (args.is_json)
        pb_cli_put_text(cli->out, "{\"erased\":true}\n");
    else
        pb_cli_say(cli, "erased; 'platebase purge' removes the reads from disk now");
    return pb_cli_close_site(cli, site, exit_code);
}
