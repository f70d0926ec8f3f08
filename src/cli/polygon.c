/*
 * Polygon: GeoJSON by jansson, lines by hand.
 */
#include "cli/polygon.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/limits.h"
#include "base/text.h"
#include "cli/load.h"
#include "cli/options.h"

#define FILE_BYTES_MAX (1u << 20)

struct points {
    struct pb_geo_point at[PB_POLYGON_POINTS_MAX];
    size_t count;
};

static enum pb_status
add_point(struct points *points, double lat, double lon, struct pb_error *error)
{
    if (!(lat >= -90 && lat <= 90) || !(lon >= -180 && lon <= 180))
        return pb_fail(error, PB_BAD_INPUT,
                       "point %zu: latitude %g, longitude %g is nowhere on earth; GeoJSON has the "
                       "longitude first, lines have the latitude first",
                       points->count + 1, lat, lon);
    if (points->count == PB_POLYGON_POINTS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u points: simplify the polygon",
                       PB_POLYGON_POINTS_MAX);
    points->at[points->count++] = (struct pb_geo_point){
        .lat_e7 = (int32_t)lround(lat * 1e7),
        .lon_e7 = (int32_t)lround(lon * 1e7),
    };
    return PB_OK;
}

/* ---- GeoJSON ---- */

static enum pb_status
add_ring(struct points *points, const json_t *ring, struct pb_error *error)
{
    size_t count = json_array_size(ring);

    for (size_t i = 0; i < count; i++) {
        const json_t *position = json_array_get(ring, i);
        const json_t *lon = json_array_get(position, 0);
        const json_t *lat = json_array_get(position, 1);
        enum pb_status status;

        if (!json_is_number(lon) || !json_is_number(lat))
            return pb_fail(error, PB_BAD_INPUT, "point %zu is not [longitude, latitude]", i + 1);
        status = add_point(points, json_number_value(lat), json_number_value(lon), error);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
add_geometry(struct points *points, const json_t *geometry, struct pb_error *error)
{
    const char *type = json_string_value(json_object_get(geometry, "type"));
    const json_t *rings = json_object_get(geometry, "coordinates");

    if (type == NULL || strcmp(type, "Polygon") != 0)
        return pb_fail(error, PB_BAD_INPUT, "a geometry of type %.32s; give one Polygon",
                       type != NULL ? type : "unknown");
    if (json_array_size(rings) != 1)
        return pb_fail(error, PB_BAD_INPUT,
                       "a Polygon of %zu rings; give one without holes: ask for each part alone",
                       json_array_size(rings));
    return add_ring(points, json_array_get(rings, 0), error);
}

static enum pb_status
parse_geojson(struct points *points, const char *text, size_t bytes, struct pb_error *error)
{
    json_error_t json_error;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &json_error);
    const json_t *object = root;
    const char *type;
    enum pb_status status;

    if (root == NULL)
        return pb_fail(error, PB_BAD_INPUT, "not JSON: line %d: %s", json_error.line,
                       json_error.text);
    type = json_string_value(json_object_get(object, "type"));
    if (type != NULL && strcmp(type, "FeatureCollection") == 0) {
        const json_t *features = json_object_get(object, "features");

        if (json_array_size(features) != 1) {
            status = pb_fail(error, PB_BAD_INPUT, "a collection of %zu features; give one",
                             json_array_size(features));
            goto out;
        }
        object = json_array_get(features, 0);
        type = json_string_value(json_object_get(object, "type"));
    }
    if (type != NULL && strcmp(type, "Feature") == 0)
        object = json_object_get(object, "geometry");
    status = add_geometry(points, object, error);

out:
    json_decref(root);
    return status;
}

/* ---- lines ---- */

/* Cuts the next word out of a line; NULL where there is none. */
static char *
next_word(char **at)
{
    char *word = *at + strspn(*at, " \t,;\r");
    size_t length = strcspn(word, " \t,;\r");

    if (length == 0)
        return NULL;
    *at = word + length;
    if (**at != '\0')
        *(*at)++ = '\0';
    return word;
}

static enum pb_status
parse_lines(struct points *points, char *text, struct pb_error *error)
{
    size_t line = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char *next = text + length + (text[length] != '\0' ? 1 : 0);
        char *at = text, *lat_word, *lon_word;
        double lat, lon;
        enum pb_status status;

        text[length] = '\0';
        line++;
        lat_word = next_word(&at);
        text = next;
        if (lat_word == NULL || *lat_word == '#')
            continue;
        lon_word = next_word(&at);
        if (lon_word == NULL || next_word(&at) != NULL || !pb_cli_real(lat_word, &lat) ||
            !pb_cli_real(lon_word, &lon))
            return pb_fail(error, PB_BAD_INPUT, "line %zu is not \"lat lon\"", line);
        status = add_point(points, lat, lon, error);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* ---- */

enum pb_status
pb_cli_polygon_load(const struct pb_env *env, const char *path, struct pb_cli_place *place,
                    struct pb_error *error)
{
    struct points *points = NULL;
    struct pb_error why = { "" };
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status;

    status = pb_cli_load(env, path, FILE_BYTES_MAX, &text, &bytes, &why);
    if (status != PB_OK)
        goto out;
    points = pb_calloc(env, 1, sizeof(*points));
    if (points == NULL) {
        status = pb_fail(&why, PB_E_NOMEM, "no memory for a polygon");
        goto out;
    }
    if (text[strspn(text, " \t\r\n")] == '{')
        status = parse_geojson(points, text, bytes, &why);
    else
        status = parse_lines(points, text, &why);
    if (status != PB_OK)
        goto out;
    status = pb_area_polygon(env, points->at, points->count, &place->area, &why);

out:
    if (status != PB_OK)
        (void)pb_fail(error, status, "--polygon %.300s: %.180s", path, why.message);
    pb_free(env, points);
    pb_free(env, text);
    return status;
}
