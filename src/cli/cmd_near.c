/*
 * near: the reads at a place, newest first.
 */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/polygon.h"
#include "cli/query.h"

struct near_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_query_args query;
    int32_t lat_e7, lon_e7;
    double radius_m; /* 0: not given */
    const char *polygon;
};

/* PB_OK, or a status after saying what is wrong. */
static enum pb_status
make_place(const struct pb_cli *cli, const struct near_args *args, struct pb_cli_place *place)
{
    bool has_circle =
        args->lat_e7 != PB_NO_POSITION && args->lon_e7 != PB_NO_POSITION && args->radius_m > 0;
    bool has_any_of_circle =
        args->lat_e7 != PB_NO_POSITION || args->lon_e7 != PB_NO_POSITION || args->radius_m > 0;
    struct pb_error error = { "" };
    enum pb_status status;

    if (args->polygon != NULL ? has_any_of_circle : !has_circle) {
        (void)pb_cli_usage_error(cli, "say where: either --lat, --lon and --radius-m, for example "
                                      "--lat 37.7749 --lon -122.4194 --radius-m 1000, or "
                                      "--polygon FILE");
        return PB_BAD_INPUT;
    }
    if (has_circle)
        status = pb_area_circle(cli->env, args->lat_e7, args->lon_e7, args->radius_m, &place->area,
                                &error);
    else
        status = pb_cli_polygon_load(cli->env, args->polygon, place, &error);
    if (status != PB_OK)
        (void)pb_cli_failure(cli, status, &error);
    place->from_us = args->query.from_us;
    place->to_us = args->query.to_us;
    return status;
}

static void
add_options(struct pb_cli_usage *usage, struct near_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "lat",
          .placeholder = "DEGREES",
          .help = "latitude of the middle",
          .degrees_e7 = &args->lat_e7,
          .real_max = 90 },
        { .name = "lon",
          .placeholder = "DEGREES",
          .help = "longitude of the middle",
          .degrees_e7 = &args->lon_e7,
          .real_max = 180 },
        { .name = "radius-m",
          .placeholder = "METRES",
          .help = "how far from the middle, up to 1,000 km",
          .real = &args->radius_m,
          .real_min = 0.1,
          .real_max = PB_CLI_RADIUS_MAX_M },
        { .name = "polygon",
          .placeholder = "FILE",
          .help = "GeoJSON of one Polygon, or lines \"lat lon\"",
          .text = &args->polygon },
    };

    pb_cli_ask_args_add_who(usage, &args->ask);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_query_args_add_window(usage, &args->query);
    pb_cli_query_args_add_plate(usage, &args->query, false);
    pb_cli_query_args_add_filters(usage, &args->query);
    pb_cli_ask_args_add_answer(usage, &args->ask);
}

int
pb_cmd_near(struct pb_cli *cli, int argc, char **argv)
{
    struct near_args args = {
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
    };
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_PLACE };
    struct pb_cli_place place = { .from_us = 0 };
    struct pb_place view;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code = PB_CLI_EXIT_USAGE;

    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the reads at a place in a span of time, newest first, where the rules "
                      "allow it: within a circle or a polygon. Question and answer are put on "
                      "record. Reads without a position are never found.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    status = make_place(cli, &args, &place);
    if (status != PB_OK)
        return status > 0 ? PB_CLI_EXIT_USAGE : PB_CLI_EXIT_FAILURE;
    if (pb_cli_ask_fill(cli, &args.ask, &inquiry) &&
        pb_cli_query_fill(cli, &args.query, &inquiry)) {
        view = pb_cli_place_view(&place);
        inquiry.places = &view;
        inquiry.place_count = 1;
        exit_code = pb_cli_ask_run(cli, &args.ask, &inquiry);
    }
    pb_cli_place_done(cli->env, &place);
    return exit_code;
}
