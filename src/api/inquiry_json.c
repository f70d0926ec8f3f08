/*
 * Inquiry from JSON: each key takes what it knows; what nobody took is refused.
 */
#include "api/inquiry_json.h"

#include <math.h>
#include <stdio.h>

#include <platebase/plate.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/area.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define RADIUS_MAX_M 100000

struct pb_api_inquiry_json {
    const struct pb_env *env; /* borrowed */
    json_t *root;             /* owned: texts point into it */
    struct pb_area *areas;    /* owned: place_count of them */
    uint32_t place_count;
    struct pb_place places[PB_PLACES_MAX];
};

/* ---- who, why ---- */

static void
take_who(struct pb_api_reading *reading, struct pb_inquiry *inquiry)
{
    /* As enum pb_relation. */
    static const char *const relations[] = { "unstated",  "subject", "victim", "witness",
                                             "associate", "other",   NULL };

    pb_api_take_text(reading, "purpose", &inquiry->purpose);
    pb_api_take_text(reading, "justification", &inquiry->justification);
    pb_api_take_text(reading, "case_number", &inquiry->case_number);
    pb_api_take_text(reading, "offence", &inquiry->offence);
    pb_api_take_text(reading, "on_behalf_of", &inquiry->on_behalf_of);
    inquiry->relation = (enum pb_relation)pb_api_take_choice(reading, "relation", relations, 0);
    pb_api_take_bool(reading, "break_glass", &inquiry->is_break_glass);
    pb_api_take_text(reading, "confirmation", &inquiry->confirmation);
    pb_api_take_text(reading, "approval", &inquiry->approval);
    pb_api_take_text(reading, "page", &inquiry->page);
    pb_api_need(reading, "purpose", inquiry->purpose);
    pb_api_need(reading, "justification", inquiry->justification);
}

/* ---- what ---- */

static void
take_jurisdiction(struct pb_api_reading *reading, struct pb_inquiry *inquiry)
{
    struct pb_str code = { NULL, 0 };

    pb_api_take_text(reading, "jurisdiction", &code);
    if (code.bytes == 0)
        return;
    inquiry->is_jurisdiction_unknown = pb_str_equal(code, pb_str_from("unknown"));
    if (inquiry->is_jurisdiction_unknown)
        return;
    inquiry->query.jurisdiction = pb_jurisdiction_from_text(code);
    if (inquiry->query.jurisdiction == 0)
        pb_api_refuse(reading, "jurisdiction", "there is no such code: US-KS, DE, or unknown");
}

static void
take_filters(struct pb_api_reading *reading, struct pb_query *query)
{
    pb_api_take_text(reading, "reader", &query->reader);
    pb_api_take_text(reading, "make", &query->make);
    pb_api_take_text(reading, "model", &query->model);
    pb_api_take_text(reading, "color", &query->color);
    pb_api_take_text(reading, "body", &query->body);
    query->confidence_min_permille =
        (int)pb_api_take_number(reading, "confidence_min_percent", 0, 100, 0) * 10;
    pb_api_take_bool(reading, "without_alternates", &query->without_alternates);
    pb_api_take_bool(reading, "with_superseded", &query->with_superseded);
}

static void
take_what(struct pb_api_reading *reading, struct pb_inquiry *inquiry)
{
    /* As enum pb_inquiry_kind. */
    static const char *const kinds[] = { "plate",      "pattern", "place", "common",
                                         "associates", "subject", NULL };

    inquiry->kind = (enum pb_inquiry_kind)pb_api_take_choice(reading, "kind", kinds, 0);
    pb_api_take_text(reading, "plate", &inquiry->query.plate);
    take_jurisdiction(reading, inquiry);
    inquiry->query.edits = (unsigned)pb_api_take_number(reading, "edits", 0, 2, 0);
    pb_api_take_bool(reading, "lookalikes", &inquiry->query.with_lookalikes);
    pb_api_take_bool(reading, "counts_plates", &inquiry->counts_plates);
    pb_api_take_text(reading, "identity", &inquiry->identity);
    pb_api_take_time(reading, "from", &inquiry->query.from_us);
    pb_api_take_time(reading, "to", &inquiry->query.to_us);
    take_filters(reading, &inquiry->query);
    inquiry->together_us =
        pb_api_take_number(reading, "together_seconds", 1, 3600, 0) * PB_SECOND_US;
    inquiry->together_min = (uint32_t)pb_api_take_number(reading, "together_min", 1, 1000000, 0);
}

/* An export is a page as long as can be, unless its length is said. */
static void
take_export(struct pb_api_reading *reading, struct pb_inquiry *inquiry)
{
    static const char *const formats[] = { "csv", "json", NULL };
    struct pb_api_reading inner;

    inquiry->is_export = pb_api_take_object(reading, "export", &inner);
    inquiry->rows_wanted =
        (uint64_t)pb_api_take_number(reading, "limit", 1, LIMIT_MAX,
                                     inquiry->is_export ? LIMIT_MAX : LIMIT_DEFAULT);
    if (!inquiry->is_export)
        return;
    pb_api_take_text(&inner, "recipient", &inquiry->export_recipient);
    pb_api_take_text(&inner, "agreement", &inquiry->export_agreement);
    inquiry->export_format = pb_str_from(formats[pb_api_take_choice(&inner, "format", formats, 0)]);
    pb_api_close_object(reading, &inner);
}

/* ---- places ---- */

/* Degrees times ten million. */
static int32_t
take_degrees(struct pb_api_reading *reading, const char *key, double max)
{
    return (int32_t)lround(pb_api_take_real(reading, key, -max, max) * 1e7);
}

static enum pb_status
take_circle(struct pb_api_reading *reading, struct pb_area *area)
{
    int32_t lat_e7 = take_degrees(reading, "lat", 90);
    int32_t lon_e7 = take_degrees(reading, "lon", 180);
    double radius_m = pb_api_take_real(reading, "radius_m", 1, RADIUS_MAX_M);

    if (reading->refusal.why != NULL)
        return PB_OK;
    return pb_area_circle(reading->env, lat_e7, lon_e7, radius_m, area, NULL);
}

static enum pb_status
take_rectangle(struct pb_api_reading *reading, struct pb_area *area)
{
    int32_t south_e7 = take_degrees(reading, "south", 90);
    int32_t west_e7 = take_degrees(reading, "west", 180);
    int32_t north_e7 = take_degrees(reading, "north", 90);
    int32_t east_e7 = take_degrees(reading, "east", 180);

    if (reading->refusal.why != NULL)
        return PB_OK;
    return pb_area_rectangle(reading->env, south_e7, west_e7, north_e7, east_e7, area, NULL);
}

static bool
read_point(const json_t *pair, struct pb_geo_point *ret_point)
{
    double lat = json_number_value(json_object_get(pair, "lat"));
    double lon = json_number_value(json_object_get(pair, "lon"));

    if (!json_is_number(json_object_get(pair, "lat")) ||
        !json_is_number(json_object_get(pair, "lon")) || json_object_size(pair) != 2 ||
        !(lat >= -90 && lat <= 90) || !(lon >= -180 && lon <= 180))
        return false;
    *ret_point = (struct pb_geo_point){ .lat_e7 = (int32_t)lround(lat * 1e7),
                                        .lon_e7 = (int32_t)lround(lon * 1e7) };
    return true;
}

static enum pb_status
take_polygon(struct pb_api_reading *reading, struct pb_area *area)
{
    const json_t *list = pb_api_take(reading, "polygon");
    size_t count = json_array_size(list);
    struct pb_geo_point *points;
    enum pb_status status = PB_OK;

    if (!json_is_array(list) || count < 3 || count > PB_POLYGON_POINTS_MAX) {
        pb_api_refuse(reading, "polygon", "wanted is a list of 3 to 4096 points");
        return PB_OK;
    }
    points = pb_calloc(reading->env, count, sizeof(*points));
    if (points == NULL)
        return PB_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (!read_point(json_array_get(list, i), &points[i]))
            pb_api_refuse(reading, "polygon", "wanted is lat and lon for each point");
    }
    if (reading->refusal.why == NULL)
        status = pb_area_polygon(reading->env, points, count, area, NULL);
    pb_free(reading->env, points);
    return status;
}

static void
take_shape(struct pb_api_reading *reading, struct pb_area *area)
{
    enum pb_status status;

    if (json_object_get(reading->object, "polygon") != NULL)
        status = take_polygon(reading, area);
    else if (json_object_get(reading->object, "south") != NULL)
        status = take_rectangle(reading, area);
    else
        status = take_circle(reading, area);
    reading->is_out_of_memory |= status == PB_E_NOMEM;
    if (status != PB_OK)
        pb_api_refuse(reading, "", "there is no such area");
}

/* A place may have a window of its own; otherwise it has the inquiry's. */
static void
take_place(struct pb_api_reading *outer, uint32_t index, const json_t *object, struct pb_area *area,
           struct pb_place *place)
{
    struct pb_api_reading reading = { .env = outer->env, .object = object };

    (void)snprintf(reading.path, sizeof(reading.path), "places[%u].", index);
    if (!json_is_object(object)) {
        pb_api_refuse(outer, "places", "wanted is an object for each place");
        return;
    }
    take_shape(&reading, area);
    *place = pb_area_place(area);
    pb_api_take_time(&reading, "from", &place->from_us);
    pb_api_take_time(&reading, "to", &place->to_us);
    if ((place->from_us == 0) != (place->to_us == 0))
        pb_api_refuse(&reading, place->from_us == 0 ? "from" : "to", "it is missing");
    pb_api_close_object(outer, &reading);
}

static void
take_places(struct pb_api_reading *reading, struct pb_inquiry *inquiry,
            struct pb_api_inquiry_json *json)
{
    const json_t *list = pb_api_take(reading, "places");
    uint32_t count = (uint32_t)json_array_size(list);

    if (list == NULL)
        return;
    if (!json_is_array(list) || json_array_size(list) > PB_PLACES_MAX) {
        pb_api_refuse(reading, "places", "wanted is a list of at most 16 places");
        return;
    }
    if (count == 0)
        return;
    json->areas = pb_calloc(json->env, count, sizeof(*json->areas));
    if (json->areas == NULL) {
        reading->is_out_of_memory = true;
        return;
    }
    inquiry->places = json->places;
    inquiry->place_count = count;
    for (uint32_t i = 0; i < count; i++)
        take_place(reading, i, json_array_get(list, i), &json->areas[i], &json->places[i]);
}

/* ---- the whole ---- */

enum pb_status
pb_api_inquiry_parse(const struct pb_env *env, struct pb_str body,
                     struct pb_api_inquiry *ret_request, struct pb_api_refusal *ret_refusal)
{
    struct pb_api_inquiry request = { .json = pb_calloc(env, 1, sizeof(*request.json)) };
    struct pb_api_reading reading = { .env = env };
    enum pb_status status;

    if (request.json == NULL)
        return PB_E_NOMEM;
    request.json->env = env;
    status = pb_api_body_parse(body, &request.json->root, ret_refusal);
    if (status == PB_OK) {
        reading.object = request.json->root;
        take_who(&reading, &request.inquiry);
        take_what(&reading, &request.inquiry);
        take_export(&reading, &request.inquiry);
        take_places(&reading, &request.inquiry, request.json);
        request.json->place_count = request.inquiry.place_count;
        status = pb_api_body_end(&reading, ret_refusal);
    }
    if (status != PB_OK)
        pb_api_inquiry_done(&request);
    else
        *ret_request = request;
    return status;
}

void
pb_api_inquiry_done(struct pb_api_inquiry *request)
{
    struct pb_api_inquiry_json *json = request->json;

    if (json == NULL)
        return;
    for (uint32_t i = 0; i < json->place_count; i++)
        pb_area_done(json->env, &json->areas[i]);
    pb_free(json->env, json->areas);
    json_decref(json->root);
    pb_free(json->env, json);
    request->json = NULL;
}
