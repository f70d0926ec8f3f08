/*
 * Zones: circles around places that a law may keep readers away from, as a list of an agency holds
 * them (docs/formats/catalog-yaml.md).
 */
#include <string.h>

#include <platebase/geo.h>

#include "base/text.h"
#include "catalog/catalog_private.h"

#define DEGREE_DECIMALS 7u

const char *const pb_place_kinds[] = { "school",  "worship",   "court",
                                       "clinic",  "food-bank", "immigration-office",
                                       "shelter", NULL };

/* What stands before the next colon, or all of it; takes both away. */
static struct pb_str
take_part(struct pb_str *rest)
{
    const char *colon = rest->bytes == 0 ? NULL : memchr(rest->text, ':', rest->bytes);
    struct pb_str part = { rest->text,
                           colon == NULL ? rest->bytes : (uint32_t)(colon - rest->text) };

    rest->text += part.bytes + (colon != NULL);
    rest->bytes -= part.bytes + (colon != NULL);
    return part;
}

static bool
read_kind(struct pb_str text, uint32_t *ret_kind)
{
    for (uint32_t i = 0; pb_place_kinds[i] != NULL; i++) {
        if (pb_str_equal(text, pb_str_from(pb_place_kinds[i]))) {
            *ret_kind = i;
            return true;
        }
    }
    return false;
}

bool
pb_zone_read(struct pb_str text, struct pb_zone *ret_zone)
{
    struct pb_str rest = text, kind = take_part(&rest), lat = take_part(&rest),
                  lon = take_part(&rest);
    int64_t lat_e7 = 0, lon_e7 = 0, radius_m = 0;

    /* Numbers past all degrees must not become others on their way into 32 bits. */
    if (!read_kind(kind, &ret_zone->kind) || !pb_decimal_read(lat, DEGREE_DECIMALS, &lat_e7) ||
        !pb_decimal_read(lon, DEGREE_DECIMALS, &lon_e7) || !pb_decimal_read(rest, 0, &radius_m) ||
        lat_e7 < -900000000 || lat_e7 > 900000000 || lon_e7 < -1800000000 || lon_e7 > 1800000000 ||
        radius_m < 1 || radius_m > PB_ZONE_RADIUS_MAX_M)
        return false;
    ret_zone->lat_e7 = (int32_t)lat_e7;
    ret_zone->lon_e7 = (int32_t)lon_e7;
    ret_zone->radius_m = (uint32_t)radius_m;
    return true;
}
