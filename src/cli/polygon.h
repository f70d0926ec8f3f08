/*
 * Polygon: the points of an area, from a file.
 *
 * Either GeoJSON (a Polygon, a Feature of one, or a FeatureCollection of one such feature), or
 * lines "lat lon". What GeoJSON can say and an area cannot hold (holes, several parts) is refused,
 * never left out.
 *
 * Threads: pure but for reading the file.
 * Source:  RFC 7946.
 */
#ifndef PB_CLI_POLYGON_H
#define PB_CLI_POLYGON_H

#include "cli/cli.h"
#include "cli/place.h"

/* Sets area and text of place, whose owner calls pb_cli_place_done. PB_BAD_INPUT,
 * PB_OVER_LIMIT, PB_E_IO and PB_E_NOMEM fill error. */
PB_MUST_CHECK enum pb_status pb_cli_polygon_load(const struct pb_env *env, const char *path,
                                                 struct pb_cli_place *place,
                                                 struct pb_error *error);

#endif
