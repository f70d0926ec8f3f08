/*
 * common: the plates that were seen at several places, each in its own window.
 */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/place.h"

struct common_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_texts places;
    const char *file;
};

static bool
load_places(const struct pb_cli *cli, const struct common_args *args, struct pb_cli_places *places)
{
    struct pb_error error = { "" };
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < args->places.count && status == PB_OK; i++)
        status = pb_cli_places_add(cli->env, places, args->places.items[i], &error);
    if (status == PB_OK && args->file != NULL)
        status = pb_cli_places_load(cli->env, places, args->file, &error);
    if (status != PB_OK) {
        (void)pb_cli_usage_error(cli, "--place%s: %s",
                                 args->file != NULL && places->count >= args->places.count ? "s"
                                                                                           : "",
                                 error.message);
        return false;
    }
    if (places->count < 2) {
        (void)pb_cli_usage_error(cli, "say at which places: at least two --place "
                                      "LAT,LON,RADIUS_M,FROM,TO, or --places FILE");
        return false;
    }
    return true;
}

static void
add_options(struct pb_cli_usage *usage, struct common_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "place",
          .placeholder = "PLACE",
          .help = "LAT,LON,RADIUS_M,FROM,TO: a circle and a span of time; give it again for each "
                  "place, 16 at most",
          .texts = &args->places },
        { .name = "places",
          .placeholder = "FILE",
          .help = "one such PLACE a line",
          .text = &args->file },
    };

    pb_cli_ask_args_add_who(usage, &args->ask);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_ask_args_add_answer(usage, &args->ask);
}

/* The query's window is the hull of the places' windows. */
static void
fill_inquiry(const struct pb_cli_places *places, struct pb_inquiry *inquiry)
{
    inquiry->places = places->views;
    inquiry->place_count = places->count;
    inquiry->query.from_us = places->views[0].from_us;
    inquiry->query.to_us = places->views[0].to_us;
    for (unsigned i = 1; i < places->count; i++) {
        if (places->views[i].from_us < inquiry->query.from_us)
            inquiry->query.from_us = places->views[i].from_us;
        if (places->views[i].to_us > inquiry->query.to_us)
            inquiry->query.to_us = places->views[i].to_us;
    }
}

int
pb_cmd_common(struct pb_cli *cli, int argc, char **argv)
{
    struct common_args args = { .file = NULL };
    struct pb_cli_places places = { .count = 0 };
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_COMMON };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first, exit_code = PB_CLI_EXIT_USAGE;

    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the plates that were seen at two or more of the places given, each in "
                      "its own span of time; those seen at most places come first. Question and "
                      "answer are put on record, each place by itself.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    if (load_places(cli, &args, &places) && pb_cli_ask_fill(cli, &args.ask, &inquiry)) {
        fill_inquiry(&places, &inquiry);
        exit_code = pb_cli_ask_run(cli, &args.ask, &inquiry);
    }
    pb_cli_places_done(cli->env, &places);
    return exit_code;
}
