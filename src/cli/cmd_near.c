/*
 * near: the reads at a place, newest first.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/polygon.h"
#include "cli/query.h"

#define RADIUS_MAX_M 1e6

struct near_args {
    struct pb_cli_query_args query;
    int32_t lat_e7, lon_e7;
    double radius_m; /* 0: not given */
    const char *polygon;
};

/* PB_OK, or a status after saying what is wrong. */
static enum pb_status
make_area(const struct pb_cli *cli, const struct near_args *args, struct pb_geo_area **ret_area)
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
        status = pb_geo_area_from_circle(cli->env, args->lat_e7, args->lon_e7, args->radius_m,
                                         ret_area, &error);
    else
        status = pb_cli_polygon_load(cli->env, args->polygon, ret_area, &error);
    if (status != PB_OK)
        (void)pb_cli_failure(cli, status, &error);
    return status;
}

int
pb_cmd_near(struct pb_cli *cli, int argc, char **argv)
{
    struct near_args args = {
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
    };
    const struct pb_cli_option options[] = {
        { .name = "lat",
          .placeholder = "DEGREES",
          .help = "latitude of the middle",
          .degrees_e7 = &args.lat_e7,
          .real_max = 90 },
        { .name = "lon",
          .placeholder = "DEGREES",
          .help = "longitude of the middle",
          .degrees_e7 = &args.lon_e7,
          .real_max = 180 },
        { .name = "radius-m",
          .placeholder = "METRES",
          .help = "how far from the middle, up to 1,000 km",
          .real = &args.radius_m,
          .real_min = 0.1,
          .real_max = RADIUS_MAX_M },
        { .name = "polygon",
          .placeholder = "FILE",
          .help = "GeoJSON of one Polygon, or lines \"lat lon\"",
          .text = &args.polygon },
    };
    struct pb_geo_area *area = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code;

    pb_cli_query_args_init(&args.query);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds the reads at a place in a span of time, newest first: within a circle "
                      "or a polygon. Reads without a position are never found.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_query_args_add(&usage, &args.query, false);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    status = make_area(cli, &args, &area);
    if (status != PB_OK)
        return status > 0 ? PB_CLI_EXIT_USAGE : PB_CLI_EXIT_FAILURE;
    exit_code = pb_cli_query_run(cli, &args.query, area);
    pb_geo_area_free(cli->env, area);
    return exit_code;
}
