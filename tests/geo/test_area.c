#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"
#include "geo/geo.h"
#include "support/fault_env.h"

#define CELL_END (UINT32_C(1) << 2 * PB_GEO_CELL_LEVEL)
#define LAT_MAX 900000000
#define LON_MAX 1800000000
#define PI 3.14159265358979323846

static uint64_t
next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* From 0 to, not including, 1. */
static double
next_unit(uint64_t *state)
{
    return (double)(next_random(state) >> 11) / 9007199254740992.0;
}

static int32_t
between(uint64_t *state, int32_t low, int32_t high)
{
    uint64_t span = (uint64_t)((int64_t)high - low) + 1;

    return (int32_t)(low + (int64_t)(next_random(state) % span));
}

static struct pb_geo_area *
circle(int32_t lat_e7, int32_t lon_e7, double radius_m)
{
    struct pb_geo_area *area = NULL;

    assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), lat_e7, lon_e7, radius_m,
                                                    &area, NULL));
    return area;
}

static struct pb_geo_area *
rectangle(int32_t south_e7, int32_t west_e7, int32_t north_e7, int32_t east_e7)
{
    struct pb_geo_area *area = NULL;

    assert_int_equal(PB_OK, pb_geo_area_from_rectangle(pb_env_system(), south_e7, west_e7, north_e7,
                                                       east_e7, &area, NULL));
    return area;
}

static struct pb_geo_area *
polygon(const struct pb_geo_point *points, size_t count)
{
    struct pb_geo_area *area = NULL;

    assert_int_equal(PB_OK, pb_geo_area_from_polygon(pb_env_system(), points, count, &area, NULL));
    return area;
}

static void
free_area(struct pb_geo_area *area)
{
    pb_geo_area_free(pb_env_system(), area);
}

static bool
covers(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7)
{
    uint32_t cell = pb_geo_cell(lat_e7, lon_e7);
    size_t count, low = 0;
    const struct pb_geo_range *cover = pb_geo_area_cover(area, &count);

    while (count > 0) {
        size_t half = count / 2;

        if (cover[low + half].last < cell) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    (void)pb_geo_area_cover(area, &count);
    return low < count && cover[low].first <= cell;
}

static void
expect_point(const struct pb_geo_area *area, int32_t lat_e7, int32_t lon_e7, bool is_in)
{
    assert_int_equal(is_in, pb_geo_area_contains(area, lat_e7, lon_e7));
    if (is_in)
        assert_true(covers(area, lat_e7, lon_e7));
}

/* Sorted, disjoint, not adjacent, in bounds. Returns how many cells. */
static uint64_t
check_cover(const struct pb_geo_area *area)
{
    size_t count;
    const struct pb_geo_range *cover = pb_geo_area_cover(area, &count);
    uint64_t cells = 0;

    assert_in_range(count, 1, PB_CELL_RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(cover[i].first <= cover[i].last);
        assert_true(cover[i].last < CELL_END);
        if (i > 0)
            assert_true(cover[i].first > cover[i - 1].last + 1);
        cells += cover[i].last - cover[i].first + 1;
    }
    return cells;
}

/* The position reached from a start by going distance_m along a bearing. */
static void
go(int32_t lat_e7, int32_t lon_e7, double bearing, double distance_m, int32_t *ret_lat_e7,
   int32_t *ret_lon_e7)
{
    double lat = lat_e7 * 1e-7 * PI / 180, lon = lon_e7 * 1e-7 * PI / 180;
    double angle = distance_m / 6371008.8;
    double to_lat =
        asin(fmin(1, fmax(-1, sin(lat) * cos(angle) + cos(lat) * sin(angle) * cos(bearing))));
    double to_lon =
        lon + atan2(sin(bearing) * sin(angle) * cos(lat), cos(angle) - sin(lat) * sin(to_lat));

    to_lon = remainder(to_lon, 2 * PI);
    *ret_lat_e7 = (int32_t)fmin(LAT_MAX, fmax(-LAT_MAX, round(to_lat * 180 / PI * 1e7)));
    *ret_lon_e7 = (int32_t)fmin(LON_MAX, fmax(-LON_MAX, round(to_lon * 180 / PI * 1e7)));
}

static const struct {
    int32_t lat_e7, lon_e7;
} centres[] = {
    { 377749000, -1224194000 },
    { 0, 0 },
    { 900000000, 0 }, /* poles */
    { -900000000, 1234567890 },
    { 899990000, -300000000 }, /* beside a pole */
    { -890000000, 1800000000 },
    { 515000000, 1799999000 }, /* beside the antimeridian */
    { -170000000, -1800000000 },
    { 600000000, 1700000000 },
    { -1, -1 },
};
static const double radii_m[] = { 0.5, 30, 1000, 25000, 400000, 1000000 };

#define CENTRE_COUNT (sizeof(centres) / sizeof(centres[0]))
#define RADIUS_COUNT (sizeof(radii_m) / sizeof(radii_m[0]))

static void
circle_contains_what_is_near_enough_and_its_cover_too(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < CENTRE_COUNT * RADIUS_COUNT; i++) {
        int32_t lat_e7 = centres[i / RADIUS_COUNT].lat_e7;
        int32_t lon_e7 = centres[i / RADIUS_COUNT].lon_e7;
        double radius_m = radii_m[i % RADIUS_COUNT];
        struct pb_geo_area *area = circle(lat_e7, lon_e7, radius_m);
        int inside = 0;

        check_cover(area);
        expect_point(area, lat_e7, lon_e7, true);
        for (int j = 0; j < 1000; j++) {
            /* Half of the points near the edge, where mistakes are. */
            double far = j % 2 == 0 ? next_unit(&seed) * 1.2 : 0.99 + next_unit(&seed) * 0.02;
            int32_t to_lat_e7, to_lon_e7;
            double distance_m;

            go(lat_e7, lon_e7, next_unit(&seed) * 2 * PI, far * radius_m, &to_lat_e7, &to_lon_e7);
            distance_m = pb_geo_distance_m(lat_e7, lon_e7, to_lat_e7, to_lon_e7);
            if (fabs(distance_m - radius_m) < 1e-5)
                continue; /* the last bit may fall either way */
            expect_point(area, to_lat_e7, to_lon_e7, distance_m <= radius_m);
            inside += distance_m <= radius_m;
        }
        assert_in_range(inside, 500, 900);
        free_area(area);
    }
}

static void
circle_refuses_what_is_no_circle(void **state)
{
    static const struct {
        int32_t lat_e7, lon_e7;
        double radius_m;
    } cases[] = {
        { LAT_MAX + 1, 0, 10 },
        { 0, LON_MAX + 1, 10 },
        { PB_NO_POSITION, 0, 10 },
        { 0, 0, 0 },
        { 0, 0, -1 },
        { 0, 0, 1000000.5 },
        { 0, 0, (double)NAN },
        { 0, 0, (double)INFINITY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_geo_area *area = NULL;
        struct pb_error error = { "" };

        assert_int_equal(PB_BAD_INPUT,
                         pb_geo_area_from_circle(pb_env_system(), cases[i].lat_e7, cases[i].lon_e7,
                                                 cases[i].radius_m, &area, &error));
        assert_null(area);
        assert_true(strlen(error.message) > 10);
    }
}

static void
small_circles_have_small_covers(void **state)
{
    uint64_t seed = 5;
    size_t worst = 0, total = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct pb_geo_area *area =
            circle(between(&seed, -600000000, 600000000), between(&seed, -LON_MAX, LON_MAX), 1000);
        size_t count;
        uint64_t cells = check_cover(area);

        (void)pb_geo_area_cover(area, &count);
        total += count;
        worst = count > worst ? count : worst;
        /* 2 km are at most 5 rows and, at 60 degrees, 5 columns of cells. */
        assert_in_range(cells, 4, 25);
        free_area(area);
    }
    assert_in_range(worst, 1, 16);
    assert_in_range(total / 200, 1, 8);
}

/* The cover of a large area is coarser at the edge and not much larger than the area. */
static void
large_circles_have_covers_close_to_their_area(void **state)
{
    static const double world_m2 = 4 * PI * 6371008.8 * 6371008.8;

    (void)state;
    for (size_t i = 2; i < RADIUS_COUNT; i++) {
        /* At the equator, where cells have the same size. */
        struct pb_geo_area *area = circle(0, 100000000, radii_m[i]);
        double cell_m2 = world_m2 * PI / 2 / CELL_END;
        double cover_m2 = (double)check_cover(area) * cell_m2;
        double circle_m2 = PI * radii_m[i] * radii_m[i];

        assert_true(cover_m2 >= 0.97 * circle_m2);
        assert_true(cover_m2 <= (radii_m[i] > 1000 ? 1.15 : 5) * circle_m2);
        free_area(area);
    }
}

static bool
is_in_rectangle(const int32_t r[4], int32_t lat_e7, int32_t lon_e7)
{
    if (lat_e7 < r[0] || lat_e7 > r[2])
        return false;
    if (r[1] <= r[3])
        return lon_e7 >= r[1] && lon_e7 <= r[3];
    return lon_e7 >= r[1] || lon_e7 <= r[3];
}

static void
rectangle_contains_its_points_and_its_cover_too(void **state)
{
    static const int32_t cases[][4] = {
        { 377000000, -1225000000, 378000000, -1223000000 },
        { -10, -10, 10, 10 },
        { 123456789, 1790000000, 133456789, -1790000000 }, /* over the antimeridian */
        { -LAT_MAX, -LON_MAX, LAT_MAX, LON_MAX },          /* the world */
        { 890000000, -LON_MAX, LAT_MAX, LON_MAX },
        { -LAT_MAX, 1799999999, -899999999, -1799999999 },
        { 50000000, 60000000, 50000000, 60000000 }, /* one point */
        { -333333333, -777777777, 444444444, 999999999 },
        { -333333333, 999999999, 444444444, -777777777 },
    };
    uint64_t seed = 2;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int32_t *r = cases[i];
        struct pb_geo_area *area = rectangle(r[0], r[1], r[2], r[3]);

        check_cover(area);
        expect_point(area, r[0], r[1], true);
        expect_point(area, r[0], r[3], true);
        expect_point(area, r[2], r[1], true);
        expect_point(area, r[2], r[3], true);
        for (int j = 0; j < 2000; j++) {
            /* Everywhere in the world, and within a hundred metres of each corner. */
            int32_t lat_e7 = between(&seed, -LAT_MAX, LAT_MAX);
            int32_t lon_e7 = between(&seed, -LON_MAX, LON_MAX);

            if (j % 2 == 0) {
                lat_e7 = r[next_random(&seed) % 2 * 2] + between(&seed, -10000, 10000);
                lon_e7 = (int32_t)((int64_t)r[1 + next_random(&seed) % 2 * 2] +
                                   between(&seed, -10000, 10000));
                if (!pb_geo_is_position(lat_e7, lon_e7) || lon_e7 == LON_MAX || lon_e7 == -LON_MAX)
                    continue;
            }
            expect_point(area, lat_e7, lon_e7, is_in_rectangle(r, lat_e7, lon_e7));
        }
        free_area(area);
    }
}

/* The same meridian has two numbers and two columns of cells. */
static void
antimeridian_belongs_to_areas_on_either_side(void **state)
{
    static const struct pb_geo_point points[] = {
        { 0, 1790000000 }, { 0, LON_MAX }, { 10000000, LON_MAX }, { 10000000, 1790000000 }
    };
    struct pb_geo_area *areas[5];

    (void)state;
    areas[0] = rectangle(0, 1790000000, 10000000, LON_MAX);
    areas[1] = rectangle(0, -LON_MAX, 10000000, -1790000000);
    areas[2] = rectangle(0, 1790000000, 10000000, -1790000000);
    areas[3] = circle(5000000, 1799999000, 100);
    areas[4] = circle(5000000, -1799999000, 100);
    for (size_t i = 0; i < 5; i++) {
        expect_point(areas[i], 5000000, LON_MAX, true);
        expect_point(areas[i], 5000000, -LON_MAX, true);
        expect_point(areas[i], 10000001, LON_MAX, false); /* north of it on either side */
        expect_point(areas[i], 10000001, -LON_MAX, false);
        free_area(areas[i]);
    }
    /* A point on a polygon's edge may count as either, but as the same for both numbers. */
    areas[0] = polygon(points, 4);
    assert_int_equal(pb_geo_area_contains(areas[0], 5000000, LON_MAX),
                     pb_geo_area_contains(areas[0], 5000000, -LON_MAX));
    assert_true(covers(areas[0], 5000000, LON_MAX) && covers(areas[0], 5000000, -LON_MAX));
    free_area(areas[0]);
}

static void
rectangle_refuses_what_is_no_rectangle(void **state)
{
    static const int32_t cases[][4] = {
        { 10, 0, 9, 1 },          { -LAT_MAX - 1, 0, 0, 1 },
        { 0, 0, LAT_MAX + 1, 1 }, { 0, -LON_MAX - 1, 1, 1 },
        { 0, 0, 1, LON_MAX + 1 }, { PB_NO_POSITION, PB_NO_POSITION, 1, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_geo_area *area = NULL;
        struct pb_error error = { "" };

        assert_int_equal(PB_BAD_INPUT,
                         pb_geo_area_from_rectangle(pb_env_system(), cases[i][0], cases[i][1],
                                                    cases[i][2], cases[i][3], &area, &error));
        assert_null(area);
        assert_true(strlen(error.message) > 10);
    }
}

/* A star around a centre: every point nearer than the polygon's own distance along its ray is
 * inside. Coordinates are taken as a plane, as the polygon's edges are. */
static size_t
make_star(uint64_t *seed, struct pb_geo_point centre, double reach_e7, struct pb_geo_point *points,
          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double angle = 2 * PI * (double)i / (double)count;
        double reach = reach_e7 * (0.3 + 0.7 * next_unit(seed));

        points[i].lat_e7 = centre.lat_e7 + (int32_t)(reach * sin(angle));
        points[i].lon_e7 = centre.lon_e7 + (int32_t)(reach * cos(angle));
    }
    return count;
}

/* Counts turns around the point: another rule than the code's, the same for simple polygons. */
static bool
is_wound_around(const struct pb_geo_point *points, size_t count, int32_t lat_e7, int32_t lon_e7)
{
    double turned = 0;

    for (size_t i = 0; i < count; i++) {
        struct pb_geo_point a = points[i], b = points[(i + 1) % count];
        double from = atan2((double)a.lat_e7 - lat_e7, (double)a.lon_e7 - lon_e7);
        double to = atan2((double)b.lat_e7 - lat_e7, (double)b.lon_e7 - lon_e7);

        turned += remainder(to - from, 2 * PI);
    }
    return fabs(turned) > PI;
}

static void
polygon_contains_its_points_and_its_cover_too(void **state)
{
    static const size_t counts[] = { 3, 4, 7, 50 };
    static const double reaches_e7[] = { 300, 20000, 1000000, 30000000, 500000000 };
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < 20 * 3; i++) {
        size_t count = counts[i % 4];
        double reach_e7 = reaches_e7[i / 4 % 5];
        struct pb_geo_point points[51], centre;
        struct pb_geo_area *area;
        int inside = 0;

        centre.lat_e7 = between(&seed, -300000000, 300000000);
        centre.lon_e7 = between(&seed, -1200000000, 1200000000);
        make_star(&seed, centre, reach_e7, points, count);
        points[count] = points[0]; /* odd ones are closed */
        area = polygon(points, count + i % 2);
        check_cover(area);
        for (int j = 0; j < 1000; j++) {
            int32_t lat_e7 = centre.lat_e7 + (int32_t)(reach_e7 * (2 * next_unit(&seed) - 1));
            int32_t lon_e7 = centre.lon_e7 + (int32_t)(reach_e7 * (2 * next_unit(&seed) - 1));
            bool is_in = is_wound_around(points, count, lat_e7, lon_e7);

            if (reach_e7 < 1000 && is_in != pb_geo_area_contains(area, lat_e7, lon_e7))
                continue; /* so small that random points are on edges */
            expect_point(area, lat_e7, lon_e7, is_in);
            inside += is_in;
        }
        assert_in_range(inside, 50, 990);
        for (size_t j = 0; j < count; j++)
            assert_true(covers(area, points[j].lat_e7, points[j].lon_e7));
        free_area(area);
    }
}

static void
polygon_may_be_concave_and_run_either_way(void **state)
{
    /* The letter U, 3 by 3 cells of 0.1 degrees with the upper middle one left out. */
    struct pb_geo_point u[] = {
        { 0, 0 },
        { 0, 3000000 },
        { 3000000, 3000000 },
        { 3000000, 2000000 },
        { 1000000, 2000000 },
        { 1000000, 1000000 },
        { 3000000, 1000000 },
        { 3000000, 0 },
    };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pb_geo_area *area = polygon(u, 8);

        expect_point(area, 500000, 1500000, true);
        expect_point(area, 2000000, 500000, true);
        expect_point(area, 2000000, 2500000, true);
        expect_point(area, 2000000, 1500000, false);
        expect_point(area, 3500000, 500000, false);
        expect_point(area, 500000, -1, false);
        assert_false(covers(area, 2000000, 1500000)); /* the gap is wider than a cell */
        free_area(area);
        for (size_t j = 0; j < 4; j++) {
            struct pb_geo_point swapped = u[j];

            u[j] = u[7 - j];
            u[7 - j] = swapped;
        }
    }
}

static void
polygon_refuses_what_is_no_polygon(void **state)
{
    static const struct {
        struct pb_geo_point points[5];
        size_t count;
    } cases[] = {
        { { { 0, 0 } }, 0 },
        { { { 0, 0 }, { 1000, 1000 } }, 2 },
        { { { 0, 0 }, { 1000, 1000 }, { 0, 0 } }, 3 }, /* closed line */
        { { { 0, 0 }, { 1000, 0 }, { LAT_MAX + 1, 5 } }, 3 },
        { { { 0, 0 }, { 1000, 0 }, { 0, -LON_MAX - 1 } }, 3 },
        { { { PB_NO_POSITION, PB_NO_POSITION }, { 1000, 0 }, { 0, 9 } }, 3 },
        { { { 0, 1790000000 }, { 1000, -1790000000 }, { 0, -1780000000 } }, 3 },
        { { { 0, 0 }, { 0, 1000 }, { 0, 2000 } }, 3 }, /* on one line */
        { { { 0, 0 }, { 1000, 0 }, { 2000, 0 } }, 3 },
    };
    static struct pb_geo_point many[PB_POLYGON_POINTS_MAX + 1];
    struct pb_geo_area *area = NULL;
    struct pb_error error = { "" };
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error.message[0] = '\0';
        assert_int_equal(PB_BAD_INPUT, pb_geo_area_from_polygon(pb_env_system(), cases[i].points,
                                                                cases[i].count, &area, &error));
        assert_null(area);
        assert_true(strlen(error.message) > 10);
    }
    make_star(&seed, (struct pb_geo_point){ 0, 0 }, 1e8, many, PB_POLYGON_POINTS_MAX + 1);
    assert_int_equal(PB_BAD_INPUT,
                     pb_geo_area_from_polygon(pb_env_system(), many, PB_POLYGON_POINTS_MAX + 1,
                                              &area, &error));
    area = polygon(many, PB_POLYGON_POINTS_MAX);
    check_cover(area);
    free_area(area);
}

static void
no_area_contains_an_unknown_position(void **state)
{
    struct pb_geo_area *area = rectangle(-LAT_MAX, -LON_MAX, LAT_MAX, LON_MAX);
    size_t count;

    (void)state;
    assert_false(pb_geo_area_contains(area, PB_NO_POSITION, PB_NO_POSITION));
    assert_true(pb_geo_area_contains(area, 0, 0));
    (void)pb_geo_area_cover(area, &count);
    assert_int_equal(1, count); /* the whole world is one range */
    free_area(area);
    free_area(NULL);
}

static void
areas_release_everything_when_any_allocation_fails(void **state)
{
    static const struct pb_geo_point triangle[] = { { 0, 0 }, { 0, 5000 }, { 5000, 0 } };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        enum pb_status status = PB_E_NOMEM;
        uint64_t fail_at = 0;

        while (status != PB_OK) {
            struct pb_geo_area *area = NULL;
            struct fault_env fault;

            fault_env_init(&fault, pb_env_system());
            fault.fail_allocation_at = ++fail_at;
            if (kind == 0)
                status = pb_geo_area_from_circle(&fault.env, 0, 0, 100, &area, NULL);
            else if (kind == 1)
                status = pb_geo_area_from_rectangle(&fault.env, 0, 0, 5, 5, &area, NULL);
            else
                status = pb_geo_area_from_polygon(&fault.env, triangle, 3, &area, NULL);
            assert_true(status == PB_OK || status == PB_E_NOMEM);
            assert_int_equal(status == PB_OK, area != NULL);
            pb_geo_area_free(&fault.env, area);
            assert_true(fault_env_is_clean(&fault));
        }
        assert_int_equal(kind == 2 ? 5 : 4, fail_at); /* each allocation did fail once */
    }
}

/* Against what is known: a small circle is flat, half a sphere is half a sphere, and a rectangle is
 * the same as a polygon of its corners. */
static void
an_area_knows_its_size(void **state)
{
    const double pi = 3.14159265358979323846, radius_m = 6371008.8;
    const struct pb_geo_point corners[] = { { 380000000, -980000000 },
                                            { 380000000, -979000000 },
                                            { 381000000, -979000000 },
                                            { 381000000, -980000000 } };
    struct pb_geo_area *area = NULL;
    double rectangle_m2;

    (void)state;
    assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 385000000, -980000000, 500.0,
                                                    &area, NULL));
    assert_true(fabs(pb_geo_area_m2(area) / (pi * 500 * 500) - 1) < 1e-6);
    pb_geo_area_free(pb_env_system(), area);
    assert_int_equal(PB_OK, pb_geo_area_from_rectangle(pb_env_system(), 0, -1800000000, 900000000,
                                                       1800000000, &area, NULL));
    assert_true(fabs(pb_geo_area_m2(area) / (2 * pi * radius_m * radius_m) - 1) < 1e-9);
    pb_geo_area_free(pb_env_system(), area);
    assert_int_equal(PB_OK, pb_geo_area_from_rectangle(pb_env_system(), 380000000, -980000000,
                                                       381000000, -979000000, &area, NULL));
    rectangle_m2 = pb_geo_area_m2(area);
    assert_true(rectangle_m2 > 97e6 && rectangle_m2 < 98e6);
    pb_geo_area_free(pb_env_system(), area);
    assert_int_equal(PB_OK, pb_geo_area_from_polygon(pb_env_system(), corners, 4, &area, NULL));
    assert_true(fabs(pb_geo_area_m2(area) / rectangle_m2 - 1) < 1e-9);
    pb_geo_area_free(pb_env_system(), area);
    /* Over the antimeridian it is as wide as elsewhere. */
    assert_int_equal(PB_OK, pb_geo_area_from_rectangle(pb_env_system(), 380000000, 1799500000,
                                                       381000000, -1799500000, &area, NULL));
    assert_true(fabs(pb_geo_area_m2(area) / rectangle_m2 - 1) < 1e-9);
    pb_geo_area_free(pb_env_system(), area);
}

static double
polygon_m2_of(const int32_t (*corners)[2], size_t count, int32_t scale)
{
    struct pb_geo_point points[16];
    struct pb_geo_area *area = NULL;
    double m2 = 0;

    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct pb_geo_point){ corners[i][1] * scale, corners[i][0] * scale };
    assert_int_equal(PB_OK, pb_geo_area_from_polygon(pb_env_system(), points, count, &area, NULL));
    m2 = pb_geo_area_m2(area);
    pb_geo_area_free(pb_env_system(), area);
    return m2;
}

/* By east and north; each is within a square of 4. Where parts would cancel out, the whole square
 * counts, so that nobody asks about more than they are held to. */
static void
an_area_that_crosses_or_touches_itself_is_as_large_as_its_bounds(void **state)
{
    static const struct {
        const char *name;
        int32_t corners[10][2];
        size_t count;
        double share; /* of the bounds */
    } cases[] = {
        { "square", { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 0, 4 } }, 4, 1 },
        { "square, closed and with points twice",
          { { 0, 0 }, { 0, 0 }, { 4, 0 }, { 4, 4 }, { 4, 4 }, { 0, 4 }, { 0, 0 } },
          7,
          1 },
        { "triangle", { { 0, 0 }, { 4, 0 }, { 4, 4 } }, 3, 0.5 },
        { "hook", { { 0, 0 }, { 4, 0 }, { 4, 1 }, { 1, 1 }, { 1, 4 }, { 0, 4 } }, 6, 7.0 / 16 },
        { "arrow head", { { 0, 0 }, { 2, 1 }, { 4, 0 }, { 2, 4 } }, 4, 6.0 / 16 },
        { "figure of eight", { { 0, 0 }, { 4, 4 }, { 4, 0 }, { 0, 4 } }, 4, 1 },
        { "figure of eight, upright", { { 0, 0 }, { 4, 0 }, { 0, 4 }, { 4, 4 } }, 4, 1 },
        { "two that touch in a point, one the other way round",
          { { 0, 4 }, { 2, 2 }, { 4, 0 }, { 4, 4 }, { 2, 2 }, { 0, 0 } },
          6,
          1 },
        { "a corner that touches an edge",
          { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 2, 0 }, { 0, 4 } },
          5,
          1 },
        { "edges on one another",
          { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 3, 4 }, { 3, 0 }, { 1, 0 }, { 1, 4 }, { 0, 4 } },
          8,
          1 },
        { "twice around", { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 0, 0 }, { 4, 0 }, { 4, 4 } }, 6, 1 },
        { "there and back", { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 2, 2 }, { 4, 4 }, { 0, 4 } }, 6, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const int32_t square[4][2] = { { 0, 0 }, { 4, 0 }, { 4, 4 }, { 0, 4 } };
        double bounds_m2 = polygon_m2_of(square, 4, 10000);
        double m2 = polygon_m2_of(cases[i].corners, cases[i].count, 10000);

        if (fabs(m2 / bounds_m2 - cases[i].share) > 1e-3)
            fail_msg("%s: %f of its bounds", cases[i].name, m2 / bounds_m2);
    }
}

/* Whether two edges have a point in common, worked out another way than by sides: where along each
 * of them the two lines cross. */
static bool
have_common_point(struct pb_geo_point a, struct pb_geo_point b, struct pb_geo_point c,
                  struct pb_geo_point d)
{
    int r_x = b.lon_e7 - a.lon_e7, r_y = b.lat_e7 - a.lat_e7;
    int s_x = d.lon_e7 - c.lon_e7, s_y = d.lat_e7 - c.lat_e7;
    int q_x = c.lon_e7 - a.lon_e7, q_y = c.lat_e7 - a.lat_e7;
    int both = r_x * s_y - r_y * s_x;
    int along_r = q_x * s_y - q_y * s_x; /* of `both` */
    int along_s = q_x * r_y - q_y * r_x;

    if (both < 0) {
        both = -both;
        along_r = -along_r;
        along_s = -along_s;
    }
    if (both != 0)
        return along_r >= 0 && along_r <= both && along_s >= 0 && along_s <= both;
    if (along_r != 0 || along_s != 0)
        return false; /* side by side */
    return fmin(a.lon_e7, b.lon_e7) <= fmax(c.lon_e7, d.lon_e7) &&
           fmin(c.lon_e7, d.lon_e7) <= fmax(a.lon_e7, b.lon_e7) &&
           fmin(a.lat_e7, b.lat_e7) <= fmax(c.lat_e7, d.lat_e7) &&
           fmin(c.lat_e7, d.lat_e7) <= fmax(a.lat_e7, b.lat_e7);
}

/* Every one with its corners on a grid of 4 by 4: edges that cross, touch, lie on one another or on
 * one line, and edges without length. */
static void
a_quadrilateral_is_simple_where_opposite_edges_do_not_meet(void **state)
{
    unsigned simple_count = 0;

    (void)state;
    for (unsigned corners = 0; corners < 65536; corners++) {
        struct pb_geo_point points[4];
        bool is_simple;

        for (unsigned i = 0; i < 4; i++) {
            points[i].lat_e7 = (int32_t)(corners >> 4 * i & 3);
            points[i].lon_e7 = (int32_t)(corners >> (4 * i + 2) & 3);
        }
        is_simple = !have_common_point(points[0], points[1], points[2], points[3]) &&
                    !have_common_point(points[1], points[2], points[3], points[0]);
        if (is_simple != pb_geo_is_simple(points, 4))
            fail_msg("corners %04x: simple is %d", corners, is_simple);
        simple_count += is_simple;
    }
    assert_in_range(simple_count, 10000, 60000);
}

/* At the ends of the Earth no difference overflows. */
static void
a_polygon_around_the_world_is_measured(void **state)
{
    static const int32_t corners[][2] = { { -18, -9 }, { 0, -9 }, { 18, -9 }, { 18, 9 },
                                          { 0, 9 },    { -18, 9 } };
    const double pi = 3.14159265358979323846;
    const double radius_m = 6371008.8;

    (void)state;
    assert_true(fabs(polygon_m2_of(corners, 6, 100000000) / (4 * pi * radius_m * radius_m) - 1) <
                1e-6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circle_contains_what_is_near_enough_and_its_cover_too),
        cmocka_unit_test(circle_refuses_what_is_no_circle),
        cmocka_unit_test(small_circles_have_small_covers),
        cmocka_unit_test(large_circles_have_covers_close_to_their_area),
        cmocka_unit_test(an_area_that_crosses_or_touches_itself_is_as_large_as_its_bounds),
        cmocka_unit_test(a_quadrilateral_is_simple_where_opposite_edges_do_not_meet),
        cmocka_unit_test(a_polygon_around_the_world_is_measured),
        cmocka_unit_test(rectangle_contains_its_points_and_its_cover_too),
        cmocka_unit_test(antimeridian_belongs_to_areas_on_either_side),
        cmocka_unit_test(rectangle_refuses_what_is_no_rectangle),
        cmocka_unit_test(polygon_contains_its_points_and_its_cover_too),
        cmocka_unit_test(polygon_may_be_concave_and_run_either_way),
        cmocka_unit_test(polygon_refuses_what_is_no_polygon),
        cmocka_unit_test(no_area_contains_an_unknown_position),
        cmocka_unit_test(an_area_knows_its_size),
        cmocka_unit_test(areas_release_everything_when_any_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
