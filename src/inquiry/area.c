/*
 * Area: shapes and their words.
 */
#include "inquiry/area.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

static void
put_point(struct pb_text_out *out, int32_t lat_e7, int32_t lon_e7)
{
    pb_put_char(out, ' ');
    pb_put_fixed(out, lat_e7, 7, 0);
    pb_put_char(out, ',');
    pb_put_fixed(out, lon_e7, 7, 0);
}

void
pb_area_done(const struct pb_env *env, struct pb_area *area)
{
    pb_geo_area_free(env, area->area);
    area->area = NULL;
}

struct pb_place
pb_area_place(const struct pb_area *area)
{
    return (struct pb_place){
        .area = area->area,
        .area_text = pb_str_from(area->text),
    };
}

enum pb_status
pb_area_circle(const struct pb_env *env, int32_t lat_e7, int32_t lon_e7, double radius_m,
               struct pb_area *ret_area, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_area->text, sizeof(ret_area->text) - 1);

    pb_put_text(&out, "circle");
    put_point(&out, lat_e7, lon_e7);
    pb_put_char(&out, ' ');
    pb_put_fixed(&out, llround(radius_m * 10), 1, 0);
    pb_put_text(&out, " m");
    *out.at = '\0';
    return pb_geo_area_from_circle(env, lat_e7, lon_e7, radius_m, &ret_area->area, error);
}

enum pb_status
pb_area_rectangle(const struct pb_env *env, int32_t south_e7, int32_t west_e7, int32_t north_e7,
                  int32_t east_e7, struct pb_area *ret_area, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_area->text, sizeof(ret_area->text) - 1);

    pb_put_text(&out, "rectangle");
    put_point(&out, south_e7, west_e7);
    put_point(&out, north_e7, east_e7);
    *out.at = '\0';
    return pb_geo_area_from_rectangle(env, south_e7, west_e7, north_e7, east_e7, &ret_area->area,
                                      error);
}

/* "polygon of 4 points 37.7,-122.5 ...": the points as far as there is room. */
enum pb_status
pb_area_polygon(const struct pb_env *env, const struct pb_geo_point *points, size_t count,
                struct pb_area *ret_area, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_area->text, sizeof(ret_area->text) - 1);

    pb_put_text(&out, "polygon of ");
    pb_put_u64(&out, count);
    pb_put_text(&out, " points");
    for (size_t i = 0; i < count && (size_t)(out.end - out.at) > 32; i++)
        put_point(&out, points[i].lat_e7, points[i].lon_e7);
    *out.at = '\0';
    return pb_geo_area_from_polygon(env, points, count, &ret_area->area, error);
}
