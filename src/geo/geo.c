/*
 * Geography: cells, distances, areas and their covers.
 *
 * A cover is found by walking down the quadtree of cells one level at a time. Nodes
 * outside the area are dropped, nodes inside it become ranges, and the rest is split,
 * until the grid's own level or until splitting would give more nodes than a cover may
 * have ranges: a large area gets a coarser edge. Every test for "outside" errs towards
 * "touches", so a cover may hold a cell too many and never one too few.
 *
 * Invariants of an area:
 *   (1) cover[0 .. cover_count) is ascending, disjoint and without adjacent ranges.
 *   (2) every cell that holds a point which the area contains is in the cover.
 */
#include "geo/geo.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"

#define EARTH_RADIUS_M 6371008.8 /* IUGG mean radius */
#define RADIUS_M_MAX 1000000.0
#define PI 3.14159265358979323846
#define RADIANS_PER_E7 (PI / 1800000000.0)

#define LAT_MAX_E7 INT32_C(900000000)
#define LON_MAX_E7 INT32_C(1800000000)
#define CELLS_PER_SIDE (1u << PB_GEO_CELL_LEVEL)

/* Larger than what rounding and the finite grid of positions can do to a distance. */
#define MARGIN_M 0.05

enum area_kind { AREA_CIRCLE, AREA_RECTANGLE, AREA_POLYGON };

struct pb_geo_area {
    enum area_kind kind;

    /* Circle. */
    int32_t lat_e7, lon_e7;
    double radius_m;
    double chord_max; /* haversine of the radius: what pb_geo_distance_m compares before asin */

    /* Rectangle; of a polygon its bounds, where west <= east. */
    int32_t south_e7, west_e7, north_e7, east_e7;

    struct pb_geo_point *points; /* owned: of a polygon, point_count elements, not closed */
    size_t point_count;
    bool is_simple;

    struct pb_geo_range *cover; /* owned: cover_count elements */
    size_t cover_count;
};

bool
pb_geo_is_position(int32_t lat_e7, int32_t lon_e7)
{
    return lat_e7 >= -LAT_MAX_E7 && lat_e7 <= LAT_MAX_E7 && lon_e7 >= -LON_MAX_E7 &&
           lon_e7 <= LON_MAX_E7;
}

/* ---- cells ---- */

/* Moves bit i to bit 2i, for the low 16 bits. */
static uint32_t
spread_bits(uint32_t value)
{
    value = (value | value << 8) & 0x00FF00FFu;
    value = (value | value << 4) & 0x0F0F0F0Fu;
    value = (value | value << 2) & 0x33333333u;
    value = (value | value << 1) & 0x55555555u;
    return value;
}

/* Moves bit 2i to bit i: the inverse of spread_bits. */
static uint32_t
gather_bits(uint32_t value)
{
    value &= 0x55555555u;
    value = (value | value >> 1) & 0x33333333u;
    value = (value | value >> 2) & 0x0F0F0F0Fu;
    value = (value | value >> 4) & 0x00FF00FFu;
    value = (value | value >> 8) & 0x0000FFFFu;
    return value;
}

/* offset_e7: from the south or west end of a side of span_e7. The far end belongs to the last
 * cell, so that 180 degrees east has one. */
static uint32_t
cell_step(uint32_t offset_e7, uint32_t span_e7)
{
    uint64_t step = ((uint64_t)offset_e7 << PB_GEO_CELL_LEVEL) / span_e7;

    return step < CELLS_PER_SIDE ? (uint32_t)step : CELLS_PER_SIDE - 1;
}

uint32_t
pb_geo_cell(int32_t lat_e7, int32_t lon_e7)
{
    uint32_t column, row;

    if (lat_e7 == PB_NO_POSITION || lon_e7 == PB_NO_POSITION)
        return PB_GEO_CELL_NONE;
    assert(pb_geo_is_position(lat_e7, lon_e7));
    column = cell_step((uint32_t)(lon_e7 + (int64_t)LON_MAX_E7), 2u * (uint32_t)LON_MAX_E7);
    row = cell_step((uint32_t)(lat_e7 + LAT_MAX_E7), 2u * (uint32_t)LAT_MAX_E7);
    return spread_bits(column) | spread_bits(row) << 1;
}

/* ---- distance ---- */

static double
square(double x)
{
    return x * x;
}

/* sin^2 of half the angle between two positions in radians: the haversine formula. */
static double
half_chord_squared(double lat_a, double lon_a, double lat_b, double lon_b)
{
    return square(sin((lat_b - lat_a) / 2)) +
           cos(lat_a) * cos(lat_b) * square(sin((lon_b - lon_a) / 2));
}

static double
angle_of_chord(double half_chord)
{
    return 2 * asin(fmin(1.0, sqrt(half_chord)));
}

double
pb_geo_distance_m(int32_t lat_a_e7, int32_t lon_a_e7, int32_t lat_b_e7, int32_t lon_b_e7)
{
    return EARTH_RADIUS_M *
           angle_of_chord(half_chord_squared(lat_a_e7 * RADIANS_PER_E7, lon_a_e7 * RADIANS_PER_E7,
                                             lat_b_e7 * RADIANS_PER_E7, lon_b_e7 * RADIANS_PER_E7));
}

/* ---- how an area lies to a box ---- */

/* A closed box in degrees times 10^7, as large as a quadtree node. west <= east. */
struct box {
    double south, west, north, east;
};

enum relation {
    OUTSIDE, /* for certain */
    TOUCHES, /* or perhaps not */
    INSIDE,  /* the whole box is in the area; perhaps by a rounding error less */
};

/* The least angle from a position to the part of a meridian `away` radians of longitude away,
 * from latitude south to north. */
static double
angle_to_meridian(double lat, double away, double south, double north)
{
    double least =
        fmin(half_chord_squared(lat, 0, south, away), half_chord_squared(lat, 0, north, away));
    double nearest = atan2(sin(lat), cos(lat) * cos(away));

    /* Along the meridian the cosine of the angle is one wave with its crest at `nearest`. */
    if (nearest > south && nearest < north)
        least = fmin(least, half_chord_squared(lat, 0, nearest, away));
    return angle_of_chord(least);
}

/* The least angle from a position to a box at most half the world wide; 0 for a position within.
 * On every parallel the nearest point of the box is the one with the least difference of
 * longitude, so that only the position's own meridian and the box's two sides matter. */
static double
angle_to_box(double lat, double lon, const struct box *box)
{
    double south = box->south * RADIANS_PER_E7;
    double north = box->north * RADIANS_PER_E7;
    double width = (box->east - box->west) * RADIANS_PER_E7;
    double to_west = remainder(box->west * RADIANS_PER_E7 - lon, 2 * PI); /* east is positive */
    double to_east = remainder(box->east * RADIANS_PER_E7 - lon, 2 * PI);

    if (to_west <= 0 && -to_west <= width)
        return fmax(0.0, fmax(south - lat, lat - north));
    return fmin(angle_to_meridian(lat, to_west, south, north),
                angle_to_meridian(lat, to_east, south, north));
}

static enum relation
circle_to_box(const struct pb_geo_area *area, const struct box *box)
{
    double lat = area->lat_e7 * RADIANS_PER_E7;
    double lon = area->lon_e7 * RADIANS_PER_E7;
    double least_m = EARTH_RADIUS_M * angle_to_box(lat, lon, box);
    double most_m;

    if (least_m > area->radius_m + MARGIN_M)
        return OUTSIDE;
    /* The farthest point of the box is the one nearest to the opposite end of the world. */
    most_m = EARTH_RADIUS_M * (PI - angle_to_box(-lat, lon + PI, box));
    return most_m <= area->radius_m ? INSIDE : TOUCHES;
}

static enum relation
bounds_to_box(const struct box *bounds, const struct box *box)
{
    if (box->north < bounds->south || box->south > bounds->north || box->east < bounds->west ||
        box->west > bounds->east)
        return OUTSIDE;
    return box->south >= bounds->south && box->north <= bounds->north &&
                   box->west >= bounds->west && box->east <= bounds->east
               ? INSIDE
               : TOUCHES;
}

static enum relation
rectangle_to_box(const struct pb_geo_area *area, const struct box *box)
{
    struct box bounds = { area->south_e7, area->west_e7, area->north_e7, area->east_e7 };
    enum relation west_part, east_part;

    if (area->west_e7 <= area->east_e7)
        return bounds_to_box(&bounds, box);
    bounds.east = LON_MAX_E7;
    west_part = bounds_to_box(&bounds, box);
    bounds.west = -LON_MAX_E7;
    bounds.east = area->east_e7;
    east_part = bounds_to_box(&bounds, box);
    return west_part > east_part ? west_part : east_part;
}

/* true unless the edge certainly passes the box by. */
static bool
edge_touches_box(struct pb_geo_point from, struct pb_geo_point to, const struct box *box)
{
    /* Sides of the box's corners of the line through the edge. The products reach 10^19, so
     * doubles may be off by thousands (in squared units of 1 cm). */
    static const double slack = 1e5;
    double dx = (double)to.lon_e7 - from.lon_e7;
    double dy = (double)to.lat_e7 - from.lat_e7;
    double south_west, south_east, north_west, north_east;

    if (fmax(from.lat_e7, to.lat_e7) < box->south || fmin(from.lat_e7, to.lat_e7) > box->north ||
        fmax(from.lon_e7, to.lon_e7) < box->west || fmin(from.lon_e7, to.lon_e7) > box->east)
        return false;
    south_west = dx * (box->south - from.lat_e7) - dy * (box->west - from.lon_e7);
    south_east = dx * (box->south - from.lat_e7) - dy * (box->east - from.lon_e7);
    north_west = dx * (box->north - from.lat_e7) - dy * (box->west - from.lon_e7);
    north_east = dx * (box->north - from.lat_e7) - dy * (box->east - from.lon_e7);
    if (south_west > slack && south_east > slack && north_west > slack && north_east > slack)
        return false;
    return !(south_west < -slack && south_east < -slack && north_west < -slack &&
             north_east < -slack);
}

/* Even-odd rule: how many edges cross the parallel west of the point. */
static bool
polygon_has(const struct pb_geo_area *area, double lat_e7, double lon_e7)
{
    const struct pb_geo_point *from = &area->points[area->point_count - 1];
    bool is_in = false;

    for (size_t i = 0; i < area->point_count; i++) {
        const struct pb_geo_point *to = &area->points[i];

        if ((from->lat_e7 > lat_e7) != (to->lat_e7 > lat_e7)) {
            double rise = (lat_e7 - from->lat_e7) / ((double)to->lat_e7 - from->lat_e7);
            double crossing_e7 = from->lon_e7 + rise * ((double)to->lon_e7 - from->lon_e7);

            if (crossing_e7 < lon_e7)
                is_in = !is_in;
        }
        from = to;
    }
    return is_in;
}

static enum relation
polygon_to_box(const struct pb_geo_area *area, const struct box *box)
{
    struct box bounds = { area->south_e7, area->west_e7, area->north_e7, area->east_e7 };
    const struct pb_geo_point *from = &area->points[area->point_count - 1];

    if (bounds_to_box(&bounds, box) == OUTSIDE)
        return OUTSIDE;
    for (size_t i = 0; i < area->point_count; i++) {
        if (edge_touches_box(*from, area->points[i], box))
            return TOUCHES;
        from = &area->points[i];
    }
    /* No edge comes near: the whole box is on the side that its middle is on. */
    return polygon_has(area, (box->south + box->north) / 2, (box->west + box->east) / 2) ? INSIDE
                                                                                         : OUTSIDE;
}

static enum relation
flat_to_box(const struct pb_geo_area *area, const struct box *box)
{
    return area->kind == AREA_POLYGON ? polygon_to_box(area, box) : rectangle_to_box(area, box);
}

static enum relation
area_to_box(const struct pb_geo_area *area, const struct box *box)
{
    struct box meridian = *box;
    enum relation relation;

    if (area->kind == AREA_CIRCLE)
        return circle_to_box(area, box);
    relation = flat_to_box(area, box);
    if (relation != OUTSIDE)
        return relation;
    /* The meridian of 180 degrees is at both ends of the grid. */
    if (box->west <= -LON_MAX_E7) {
        meridian.west = meridian.east = LON_MAX_E7;
        relation = flat_to_box(area, &meridian);
    }
    if (relation == OUTSIDE && box->east >= LON_MAX_E7) {
        meridian.west = meridian.east = -LON_MAX_E7;
        relation = flat_to_box(area, &meridian);
    }
    return relation == OUTSIDE ? OUTSIDE : TOUCHES;
}

/* ---- covers ---- */

/* Work space of one cover. A node is the Morton code of a square at some level. */
struct cover_work {
    struct pb_geo_range ranges[PB_CELL_RANGES_MAX];
    size_t range_count;
    uint32_t nodes[PB_CELL_RANGES_MAX]; /* to be split or taken whole, all of one level */
    size_t node_count;
    uint32_t children[PB_CELL_RANGES_MAX];
    size_t child_count;
};

static struct box
box_of_node(uint32_t node, unsigned level)
{
    double columns = (double)(1u << level);
    double column = gather_bits(node), row = gather_bits(node >> 1);

    return (struct box){
        .south = -LAT_MAX_E7 + row * (2.0 * LAT_MAX_E7 / columns),
        .west = -LON_MAX_E7 + column * (2.0 * LON_MAX_E7 / columns),
        .north = -LAT_MAX_E7 + (row + 1) * (2.0 * LAT_MAX_E7 / columns),
        .east = -LON_MAX_E7 + (column + 1) * (2.0 * LON_MAX_E7 / columns),
    };
}

static void
add_range(struct cover_work *work, uint32_t node, unsigned level)
{
    unsigned shift = 2 * (PB_GEO_CELL_LEVEL - level);

    assert(work->range_count < PB_CELL_RANGES_MAX);
    work->ranges[work->range_count++] = (struct pb_geo_range){
        .first = node << shift,
        .last = (node << shift) + ((1u << shift) - 1),
    };
}

/* Splits all nodes into those of the next level. Returns false, with nothing changed, where the
 * cover would have too many ranges. */
static bool
descend(const struct pb_geo_area *area, struct cover_work *work, unsigned level)
{
    size_t range_count = work->range_count;

    work->child_count = 0;
    for (size_t i = 0; i < work->node_count * 4; i++) {
        uint32_t child = work->nodes[i / 4] << 2 | (uint32_t)(i % 4);
        struct box box = box_of_node(child, level + 1);
        enum relation relation = area_to_box(area, &box);

        if (relation == OUTSIDE)
            continue;
        if (work->range_count + work->child_count == PB_CELL_RANGES_MAX) {
            work->range_count = range_count;
            return false;
        }
        if (relation == INSIDE)
            add_range(work, child, level + 1);
        else
            work->children[work->child_count++] = child;
    }
    memcpy(work->nodes, work->children, work->child_count * sizeof(work->nodes[0]));
    work->node_count = work->child_count;
    return true;
}

static int
by_first(const void *a, const void *b)
{
    const struct pb_geo_range *left = a, *right = b;

    return (left->first > right->first) - (left->first < right->first);
}

/* Sorts the ranges and joins those without a gap. There is one at least: what an area has a point
 * in is never called outside. */
static void
join_ranges(struct cover_work *work)
{
    size_t kept = 0;

    assert(work->range_count > 0);
    qsort(work->ranges, work->range_count, sizeof(work->ranges[0]), by_first);
    for (size_t i = 1; i < work->range_count; i++) {
        assert(work->ranges[i].first > work->ranges[kept].last);
        if (work->ranges[i].first == work->ranges[kept].last + 1)
            work->ranges[kept].last = work->ranges[i].last;
        else
            work->ranges[++kept] = work->ranges[i];
    }
    work->range_count = kept + 1;
}

static void
find_ranges(const struct pb_geo_area *area, struct cover_work *work)
{
    unsigned level = 0;

    work->range_count = 0;
    work->node_count = 1;
    work->nodes[0] = 0; /* the whole world */
    while (level < PB_GEO_CELL_LEVEL && descend(area, work, level))
        level++;
    for (size_t i = 0; i < work->node_count; i++)
        add_range(work, work->nodes[i], level);
    join_ranges(work);
}

static enum pb_status
make_cover(const struct pb_env *env, struct pb_geo_area *area)
{
    struct cover_work *work = pb_alloc(env, sizeof(*work));
    enum pb_status status = PB_E_NOMEM;

    if (work == NULL)
        goto out;
    find_ranges(area, work);
    area->cover = pb_alloc(env, work->range_count * sizeof(area->cover[0]));
    if (area->cover == NULL)
        goto out;
    memcpy(area->cover, work->ranges, work->range_count * sizeof(area->cover[0]));
    area->cover_count = work->range_count;
    status = PB_OK;

out:
    pb_free(env, work);
    return status;
}

/* ---- areas ---- */

/* Gives a described area its cover and hands it over; frees it where that fails. */
static enum pb_status
finish_area(const struct pb_env *env, struct pb_geo_area *area, struct pb_geo_area **ret_area,
            struct pb_error *error)
{
    if (make_cover(env, area) != PB_OK) {
        pb_geo_area_free(env, area);
        return pb_fail(error, PB_E_NOMEM, "no memory for an area");
    }
    *ret_area = area;
    return PB_OK;
}

enum pb_status
pb_geo_area_from_circle(const struct pb_env *env, int32_t lat_e7, int32_t lon_e7, double radius_m,
                        struct pb_geo_area **ret_area, struct pb_error *error)
{
    struct pb_geo_area *area;

    assert(env != NULL && ret_area != NULL);
    if (!pb_geo_is_position(lat_e7, lon_e7))
        return pb_fail(error, PB_BAD_INPUT, "the circle's centre is not a position on Earth");
    if (!(radius_m > 0 && radius_m <= RADIUS_M_MAX)) /* also refuses NaN */
        return pb_fail(error, PB_BAD_INPUT,
                       "the circle's radius must be above 0 and at most %.0f metres", RADIUS_M_MAX);
    area = pb_calloc(env, 1, sizeof(*area));
    if (area == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for an area");
    area->kind = AREA_CIRCLE;
    area->lat_e7 = lat_e7;
    area->lon_e7 = lon_e7;
    area->radius_m = radius_m;
    area->chord_max = square(sin(radius_m / EARTH_RADIUS_M / 2));
    return finish_area(env, area, ret_area, error);
}

enum pb_status
pb_geo_area_from_rectangle(const struct pb_env *env, int32_t south_e7, int32_t west_e7,
                           int32_t north_e7, int32_t east_e7, struct pb_geo_area **ret_area,
                           struct pb_error *error)
{
    struct pb_geo_area *area;

    assert(env != NULL && ret_area != NULL);
    if (!pb_geo_is_position(south_e7, west_e7) || !pb_geo_is_position(north_e7, east_e7))
        return pb_fail(error, PB_BAD_INPUT, "a corner of the rectangle is not a position on Earth");
    if (south_e7 > north_e7)
        return pb_fail(error, PB_BAD_INPUT, "the rectangle's south is north of its north");
    area = pb_calloc(env, 1, sizeof(*area));
    if (area == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for an area");
    area->kind = AREA_RECTANGLE;
    area->south_e7 = south_e7;
    area->west_e7 = west_e7;
    area->north_e7 = north_e7;
    area->east_e7 = east_e7;
    return finish_area(env, area, ret_area, error);
}

/* The bounds of the points, or PB_BAD_INPUT where they are no polygon. */
static enum pb_status
measure_polygon(struct pb_geo_area *area, const struct pb_geo_point *points, size_t count,
                struct pb_error *error)
{
    area->south_e7 = area->north_e7 = points[0].lat_e7;
    area->west_e7 = area->east_e7 = points[0].lon_e7;
    for (size_t i = 0; i < count; i++) {
        struct pb_geo_point point = points[i];
        struct pb_geo_point next = points[(i + 1) % count];

        if (!pb_geo_is_position(point.lat_e7, point.lon_e7))
            return pb_fail(error, PB_BAD_INPUT,
                           "point %zu of the polygon is not a position on Earth", i + 1);
        if (llabs((long long)next.lon_e7 - point.lon_e7) > LON_MAX_E7)
            return pb_fail(error, PB_BAD_INPUT,
                           "the polygon's edge from point %zu jumps more than 180 degrees of "
                           "longitude: split the polygon at the antimeridian",
                           i + 1);
        if (point.lat_e7 < area->south_e7)
            area->south_e7 = point.lat_e7;
        if (point.lat_e7 > area->north_e7)
            area->north_e7 = point.lat_e7;
        if (point.lon_e7 < area->west_e7)
            area->west_e7 = point.lon_e7;
        if (point.lon_e7 > area->east_e7)
            area->east_e7 = point.lon_e7;
    }
    if (area->south_e7 == area->north_e7 || area->west_e7 == area->east_e7)
        return pb_fail(error, PB_BAD_INPUT, "the polygon's points are on one line");
    return PB_OK;
}

static bool
are_same_point(struct pb_geo_point a, struct pb_geo_point b)
{
    return a.lat_e7 == b.lat_e7 && a.lon_e7 == b.lon_e7;
}

enum pb_status
pb_geo_area_from_polygon(const struct pb_env *env, const struct pb_geo_point *points, size_t count,
                         struct pb_geo_area **ret_area, struct pb_error *error)
{
    struct pb_geo_area *area = NULL;
    enum pb_status status;

    assert(env != NULL && ret_area != NULL && (points != NULL || count == 0));
    if (count > PB_POLYGON_POINTS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a polygon has at most %u points",
                       PB_POLYGON_POINTS_MAX);
    if (count > 1 && are_same_point(points[0], points[count - 1]))
        count--; /* closed: the first point given again */
    if (count < 3)
        return pb_fail(error, PB_BAD_INPUT, "a polygon has at least 3 points");

    area = pb_calloc(env, 1, sizeof(*area));
    if (area == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for an area");
    area->kind = AREA_POLYGON;
    status = measure_polygon(area, points, count, error);
    if (status != PB_OK)
        goto out;
    area->points = pb_alloc(env, count * sizeof(area->points[0]));
    if (area->points == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for an area");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !are_same_point(points[i], points[i - 1]))
            area->points[area->point_count++] = points[i];
    }
    area->is_simple = pb_geo_is_simple(area->points, area->point_count);
    status = finish_area(env, area, ret_area, error);
    area = NULL; /* moved, or freed */

out:
    pb_geo_area_free(env, area);
    return status;
}

void
pb_geo_area_free(const struct pb_env *env, struct pb_geo_area *area)
{
    if (area == NULL)
        return;
    pb_free(env, area->cover);
    pb_free(env, area->points);
    pb_free(env, area);
}

static bool
circle_contains(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7)
{
    double lat = lat_e7 * RADIANS_PER_E7;
    double centre_lat = area->lat_e7 * RADIANS_PER_E7;

    if (fabs(lat - centre_lat) * EARTH_RADIUS_M > area->radius_m + MARGIN_M)
        return false; /* most are too far north or south, which needs no sine to tell */
    return half_chord_squared(centre_lat, area->lon_e7 * RADIANS_PER_E7, lat,
                              lon_e7 * RADIANS_PER_E7) <= area->chord_max;
}

static bool
flat_contains(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7)
{
    if (lat_e7 < area->south_e7 || lat_e7 > area->north_e7)
        return false;
    if (area->west_e7 <= area->east_e7 ? lon_e7 < area->west_e7 || lon_e7 > area->east_e7
                                       : lon_e7 < area->west_e7 && lon_e7 > area->east_e7)
        return false;
    return area->kind == AREA_RECTANGLE || polygon_has(area, lat_e7, lon_e7);
}

bool
pb_geo_area_contains(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7)
{
    assert(area != NULL);
    if (!pb_geo_is_position(lat_e7, lon_e7))
        return false; /* PB_NO_POSITION too */
    if (area->kind == AREA_CIRCLE)
        return circle_contains(area, lat_e7, lon_e7);
    if (flat_contains(area, lat_e7, lon_e7))
        return true;
    /* 180 degrees east and west are one meridian, however it was written. */
    return (lon_e7 == LON_MAX_E7 || lon_e7 == -LON_MAX_E7) && flat_contains(area, lat_e7, -lon_e7);
}

static double
rectangle_m2(const struct pb_geo_area *area)
{
    double width = (double)area->east_e7 - (double)area->west_e7;

    if (width < 0) /* over the antimeridian */
        width += 2.0 * LON_MAX_E7;
    return (sin(area->north_e7 * RADIANS_PER_E7) - sin(area->south_e7 * RADIANS_PER_E7)) * width *
           RADIANS_PER_E7 * EARTH_RADIUS_M * EARTH_RADIUS_M;
}

/* Edges are taken as straight in longitude and sine of latitude. */
static double
polygon_m2(const struct pb_geo_area *area)
{
    double sum = 0;

    for (size_t i = 0; i < area->point_count; i++) {
        const struct pb_geo_point *a = &area->points[i];
        const struct pb_geo_point *b = &area->points[(i + 1) % area->point_count];

        sum += ((double)b->lon_e7 - (double)a->lon_e7) * RADIANS_PER_E7 *
               (2 + sin(a->lat_e7 * RADIANS_PER_E7) + sin(b->lat_e7 * RADIANS_PER_E7));
    }
    return fabs(sum) / 2 * EARTH_RADIUS_M * EARTH_RADIUS_M;
}

double
pb_geo_area_m2(const struct pb_geo_area *area)
{
    double half = sin(area->radius_m / EARTH_RADIUS_M / 2);

    /* Halves of a polygon that crosses itself would take away from each other. */
    if (area->kind == AREA_RECTANGLE || (area->kind == AREA_POLYGON && !area->is_simple))
        return rectangle_m2(area);
    return area->kind == AREA_POLYGON ? polygon_m2(area)
                                      : 4 * PI * EARTH_RADIUS_M * EARTH_RADIUS_M * half * half;
}

const struct pb_geo_range *
pb_geo_area_cover(const struct pb_geo_area *area, size_t *ret_count)
{
    assert(area != NULL && ret_count != NULL);
    *ret_count = area->cover_count;
    return area->cover;
}
