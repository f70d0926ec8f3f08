/*
 * Simple polygons: those whose edges meet nowhere but at their shared ends. Of these alone does the
 * sum over the edges give the area; of a figure of eight one half takes the other away.
 */
#include "geo/geo.h"

/* On which side of the line from a to b the point lies: -1, 0 (on it) or 1. The differences of
 * longitude and latitude take 32 and 31 bits, so that their products are exact. */
static int
side_of(struct pb_geo_point a, struct pb_geo_point b, struct pb_geo_point point)
{
    int64_t east = ((int64_t)b.lon_e7 - a.lon_e7) * ((int64_t)point.lat_e7 - a.lat_e7);
    int64_t north = ((int64_t)b.lat_e7 - a.lat_e7) * ((int64_t)point.lon_e7 - a.lon_e7);

    return (east > north) - (east < north);
}

static bool
is_between(int32_t a, int32_t b, int32_t value)
{
    return a < b ? value >= a && value <= b : value >= b && value <= a;
}

/* Of a point on the line through a and b. */
static bool
is_on_edge(struct pb_geo_point a, struct pb_geo_point b, struct pb_geo_point point)
{
    return is_between(a.lon_e7, b.lon_e7, point.lon_e7) &&
           is_between(a.lat_e7, b.lat_e7, point.lat_e7);
}

/* Most edges are too far apart for that: one lies north, south, east or west of the other. */
static bool
are_apart(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (a < c && a < d && b < c && b < d) || (a > c && a > d && b > c && b > d);
}

static bool
do_meet(struct pb_geo_point a, struct pb_geo_point b, struct pb_geo_point c, struct pb_geo_point d)
{
    int side_c, side_d, side_a, side_b;

    if (are_apart(a.lat_e7, b.lat_e7, c.lat_e7, d.lat_e7) ||
        are_apart(a.lon_e7, b.lon_e7, c.lon_e7, d.lon_e7))
        return false;
    side_c = side_of(a, b, c);
    side_d = side_of(a, b, d);
    side_a = side_of(c, d, a);
    side_b = side_of(c, d, b);
    if (side_c * side_d < 0 && side_a * side_b < 0)
        return true;
    return (side_c == 0 && is_on_edge(a, b, c)) || (side_d == 0 && is_on_edge(a, b, d)) ||
           (side_a == 0 && is_on_edge(c, d, a)) || (side_b == 0 && is_on_edge(c, d, b));
}

bool
pb_geo_is_simple(const struct pb_geo_point *points, size_t count)
{
    for (size_t i = 0; i + 2 < count; i++) {
        /* The last edge ends where the first one begins. */
        size_t end = i == 0 ? count - 1 : count;

        for (size_t j = i + 2; j < end; j++) {
            if (do_meet(points[i], points[i + 1], points[j], points[(j + 1) % count]))
                return false;
        }
    }
    return true;
}
