#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "geo/geo.h"

#define CELL_END (UINT32_C(1) << 2 * PB_GEO_CELL_LEVEL)

static uint64_t
next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* The definition, bit by bit: column in the even bits, row in the odd ones. */
static uint32_t
cell_by_definition(int32_t lat_e7, int32_t lon_e7)
{
    int64_t column = ((int64_t)lon_e7 + 1800000000) * 32768 / 3600000000;
    int64_t row = ((int64_t)lat_e7 + 900000000) * 32768 / 1800000000;
    uint32_t cell = 0;

    column = column > 32767 ? 32767 : column;
    row = row > 32767 ? 32767 : row;
    for (unsigned i = 0; i < 15; i++)
        cell |= (uint32_t)(column >> i & 1) << 2 * i | (uint32_t)(row >> i & 1) << (2 * i + 1);
    return cell;
}

static void
position_is_in_range(void **state)
{
    (void)state;
    assert_true(pb_geo_is_position(900000000, 1800000000));
    assert_true(pb_geo_is_position(-900000000, -1800000000));
    assert_false(pb_geo_is_position(900000001, 0));
    assert_false(pb_geo_is_position(-900000001, 0));
    assert_false(pb_geo_is_position(0, 1800000001));
    assert_false(pb_geo_is_position(0, -1800000001));
    assert_false(pb_geo_is_position(PB_NO_POSITION, PB_NO_POSITION));
    assert_false(pb_geo_is_position(INT32_MAX, INT32_MAX));
}

/* On disk: these numbers never change. */
static void
cell_numbers_are_fixed(void **state)
{
    static const struct {
        int32_t lat_e7, lon_e7;
        uint32_t cell;
    } cases[] = {
        { -900000000, -1800000000, 0 },
        { -900000000, 1800000000, 0x15555555 },
        { 900000000, -1800000000, 0x2AAAAAAA },
        { 900000000, 1800000000, 0x3FFFFFFF },
        { 0, 0, 0x30000000 },
        { -1, -1, 0x0FFFFFFF },
        { -900000000, -1800000000 + 109863, 0 }, /* a column is 109863.28125 wide */
        { -900000000, -1800000000 + 109864, 1 },
        { -900000000 + 54931, -1800000000, 0 },  /* a row is half that high */
        { -900000000 + 54932, -1800000000, 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(cases[i].cell, pb_geo_cell(cases[i].lat_e7, cases[i].lon_e7));
}

static void
cell_equals_its_definition_everywhere(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int32_t lat_e7 = (int32_t)((int64_t)(next_random(&seed) % 1800000001u) - 900000000);
        int32_t lon_e7 = (int32_t)((int64_t)(next_random(&seed) % 3600000001u) - 1800000000);
        uint32_t cell = pb_geo_cell(lat_e7, lon_e7);

        assert_int_equal(cell_by_definition(lat_e7, lon_e7), cell);
        assert_true(cell < CELL_END);
    }
}

static void
cell_of_no_position_is_none(void **state)
{
    (void)state;
    assert_int_equal(PB_GEO_CELL_NONE, pb_geo_cell(PB_NO_POSITION, PB_NO_POSITION));
    assert_int_equal(PB_GEO_CELL_NONE, pb_geo_cell(PB_NO_POSITION, 0));
    assert_int_equal(PB_GEO_CELL_NONE, pb_geo_cell(0, PB_NO_POSITION));
}

/* Expected: haversine and the spherical law of cosines, worked out apart from this code. */
static void
distance_is_the_great_circle(void **state)
{
    static const double degree_m = 6371008.8 * 3.14159265358979323846 / 180;
    static const struct {
        int32_t lat_a_e7, lon_a_e7, lat_b_e7, lon_b_e7;
        double degrees;
    } cases[] = {
        { 0, 0, 0, 0, 0 },
        { 0, 0, 10000000, 0, 1 },
        { 0, 0, 0, 10000000, 1 },
        { 900000000, 0, 900000000, 1234567890, 0 },     /* one pole */
        { 900000000, 0, -900000000, 0, 180 },
        { 0, -1800000000, 0, 1800000000, 0 },           /* one meridian */
        { 0, 1799000000, 0, -1799000000, 0.2 },
        { 890000000, 0, 890000000, 1800000000, 2 },     /* over the pole */
        { 0, 0, 0, 1800000000, 180 },
        { 600000000, 0, 600000000, 900000000, 41.40962210927086 },
        { 377749000, -1224194000, 340522000, -1182437000, 5.028292153 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double there = pb_geo_distance_m(cases[i].lat_a_e7, cases[i].lon_a_e7, cases[i].lat_b_e7,
                                         cases[i].lon_b_e7);
        double back = pb_geo_distance_m(cases[i].lat_b_e7, cases[i].lon_b_e7, cases[i].lat_a_e7,
                                        cases[i].lon_a_e7);

        assert_true(fabs(there - cases[i].degrees * degree_m) < 0.1);
        assert_true(fabs(there - back) < 1e-6);
    }
}

static void
distance_of_neighbours_is_precise(void **state)
{
    double metres = pb_geo_distance_m(377749000, -1224194000, 377749001, -1224194000);

    (void)state;
    assert_true(fabs(metres - 0.0111195) < 1e-6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_is_in_range),
        cmocka_unit_test(cell_numbers_are_fixed),
        cmocka_unit_test(cell_equals_its_definition_everywhere),
        cmocka_unit_test(cell_of_no_position_is_none),
        cmocka_unit_test(distance_is_the_great_circle),
        cmocka_unit_test(distance_of_neighbours_is_precise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
