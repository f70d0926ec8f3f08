/*
 * Geography: grid cells, distances and areas on the WGS 84 sphere.
 *
 * What askers need stands in platebase/geo.h; here is what the store needs beside it.
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

#include <platebase/geo.h>
#include <platebase/read.h>
#include <platebase/status.h>

#define PB_GEO_CELL_LEVEL 15u
#define PB_GEO_CELL_NONE UINT32_MAX /* of a read without a position; sorts last */

/* The cell of a position, 0 to 4^15 - 1; PB_GEO_CELL_NONE for PB_NO_POSITION. */
uint32_t pb_geo_cell(int32_t lat_e7, int32_t lon_e7);

/* Whether edges of a polygon (not closed; no point twice in a row) meet at their ends alone. */
bool pb_geo_is_simple(const struct pb_geo_point *points, size_t count);

/* Cells first to last, both included. */
struct pb_geo_range {
    uint32_t first, last;
};

/* The cover of an area: sorted, disjoint ranges, at most PB_CELL_RANGES_MAX, that hold every cell
 * which the area touches (and perhaps others). Borrowed from the area. */
const struct pb_geo_range *pb_geo_area_cover(const struct pb_geo_area *area, size_t *ret_count);

#endif
