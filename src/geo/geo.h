/*
 * Geography: grid cells, distances and areas on the WGS 84 sphere.
 *
 * Positions are degrees times 10^7 (lat_e7, lon_e7). A cell is a square of the
 * grid that halves longitude and latitude PB_GEO_CELL_LEVEL times: about 0.6 km
 * high and at most 1.2 km wide. Its number is the Morton (Z-order) code of its
 * column (even bits) and row (odd bits), counted from the south-west corner, so
 * that near cells mostly have near numbers. Cell numbers are stored on disk.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_GEO_GEO_H
#define PB_GEO_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

#define PB_GEO_CELL_LEVEL 15u
#define PB_GEO_CELL_NONE UINT32_MAX /* of a read without a position; sorts last */

/* true where lat is in [-90, 90] and lon in [-180, 180]. */
bool pb_geo_is_position(int32_t lat_e7, int32_t lon_e7);

/* The cell of a position, 0 to 4^15 - 1; PB_GEO_CELL_NONE for PB_NO_POSITION. */
uint32_t pb_geo_cell(int32_t lat_e7, int32_t lon_e7);

/* Great-circle distance in metres (mean radius 6,371,008.8 m). */
double pb_geo_distance_m(int32_t lat_a_e7, int32_t lon_a_e7, int32_t lat_b_e7, int32_t lon_b_e7);

/* Cells first to last, both included. */
struct pb_geo_range {
    uint32_t first, last;
};

/* Opaque: a circle, a rectangle or a polygon, with its cover in cells. Immutable. */
struct pb_geo_area;

/* radius_m: above 0, at most 1,000,000. PB_BAD_INPUT names what is wrong. */
PB_MUST_CHECK enum pb_status pb_geo_area_from_circle(const struct pb_env *env, int32_t lat_e7,
                                                     int32_t lon_e7, double radius_m,
                                                     struct pb_geo_area **ret_area,
                                                     struct pb_error *error);
/* May cross the antimeridian: then west_e7 > east_e7. */
PB_MUST_CHECK enum pb_status pb_geo_area_from_rectangle(const struct pb_env *env,
                                                        int32_t south_e7, int32_t west_e7,
                                                        int32_t north_e7, int32_t east_e7,
                                                        struct pb_geo_area **ret_area,
                                                        struct pb_error *error);
struct pb_geo_point {
    int32_t lat_e7, lon_e7;
};
/* A simple polygon, 3 to PB_POLYGON_POINTS_MAX points, closed or not, either direction; edges
 * are straight in longitude and latitude; a point on an edge may count as either. Edges that
 * jump more than 180 degrees of longitude are PB_BAD_INPUT (split it at the antimeridian). */
PB_MUST_CHECK enum pb_status pb_geo_area_from_polygon(const struct pb_env *env,
                                                      const struct pb_geo_point *points,
                                                      size_t count, struct pb_geo_area **ret_area,
                                                      struct pb_error *error);
void pb_geo_area_free(const struct pb_env *env, struct pb_geo_area *area);

bool pb_geo_area_contains(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7);

/* The cover: sorted, disjoint ranges, at most PB_CELL_RANGES_MAX, that hold every cell which
 * the area touches (and perhaps others). Borrowed from the area. */
const struct pb_geo_range *pb_geo_area_cover(const struct pb_geo_area *area, size_t *ret_count);

#endif
