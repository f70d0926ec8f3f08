/*
 * Areas to ask about: a circle, a rectangle or a polygon on the WGS 84 sphere.
 *
 * Positions are degrees times 10^7 (lat_e7, lon_e7).
 *
 * Threads: an area never changes; it may be shared.
 */
#ifndef PLATEBASE_GEO_H
#define PLATEBASE_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pb_env;      /* platebase/store.h: pb_env_system() */
struct pb_geo_area; /* opaque */

/* true where lat is in [-90, 90] and lon in [-180, 180]. */
bool pb_geo_is_position(int32_t lat_e7, int32_t lon_e7);

/* Great-circle distance in metres (mean radius 6,371,008.8 m). */
double pb_geo_distance_m(int32_t lat_a_e7, int32_t lon_a_e7, int32_t lat_b_e7, int32_t lon_b_e7);

/*
 * Each makes an area that the caller owns; ret_area is set on PB_OK only.
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT  error names what is wrong
 *          PB_E_NOMEM
 */

/* radius_m: above 0, at most 1,000,000. */
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
/* A polygon of 3 to 4,096 points, closed or not, either direction, which should not cross itself;
 * edges are straight in longitude and latitude; a point on an edge may count as either. Edges that
 * jump more than 180 degrees of longitude are PB_BAD_INPUT (split it at the antimeridian). */
PB_MUST_CHECK enum pb_status pb_geo_area_from_polygon(const struct pb_env *env,
                                                      const struct pb_geo_point *points,
                                                      size_t count, struct pb_geo_area **ret_area,
                                                      struct pb_error *error);
/* env: the one it was made with. NULL is a fine area. */
void pb_geo_area_free(const struct pb_env *env, struct pb_geo_area *area);

/* Square metres on the sphere; of a polygon to a percent, where it spans a few degrees at most. Of
 * one that is not simple they are those of its bounds: never less than it contains. */
double pb_geo_area_m2(const struct pb_geo_area *area);

bool pb_geo_area_contains(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7);

#ifdef __cplusplus
}
#endif
#endif
