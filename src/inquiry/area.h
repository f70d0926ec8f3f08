/*
 * Area: a shape with its words, for an inquiry about places: the words go into the audit record.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_INQUIRY_AREA_H
#define PB_INQUIRY_AREA_H

#include <platebase/geo.h>

#include "inquiry/inquiry.h"

#define PB_AREA_TEXT_BYTES_MAX 1024u

struct pb_area {
    struct pb_geo_area *area;          /* owned */
    char text[PB_AREA_TEXT_BYTES_MAX]; /* as asked: "circle 39.1,-94.6 500 m" */
};

/* As pb_geo_area_from_...: PB_OK, PB_BAD_INPUT or PB_E_NOMEM, with error filled. */
PB_MUST_CHECK enum pb_status pb_area_circle(const struct pb_env *env, int32_t lat_e7,
                                            int32_t lon_e7, double radius_m,
                                            struct pb_area *ret_area, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_area_rectangle(const struct pb_env *env, int32_t south_e7,
                                               int32_t west_e7, int32_t north_e7, int32_t east_e7,
                                               struct pb_area *ret_area, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_area_polygon(const struct pb_env *env,
                                             const struct pb_geo_point *points, size_t count,
                                             struct pb_area *ret_area, struct pb_error *error);
void pb_area_done(const struct pb_env *env, struct pb_area *area); /* all zero is fine */

/* What an inquiry takes; borrowed from area. from and to are the caller's to set. */
struct pb_place pb_area_place(const struct pb_area *area);

#endif
