/*
 * Inquiry from JSON: each key takes what it knows; what nobody took is refused.
 */
#include "api/inquiry_json.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include <platebase/geo.h>
#include <platebase/plate.h>

#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define RADIUS_MAX_M 100000
#define AREA_TEXT_BYTES 64u
#define PI 3.14159265358979323846

struct place {
    struct pb_geo_area *area; /* owned */
    char text[AREA_TEXT_BYTES];
};

struct pb_api_inquiry_json {
    const struct pb_env *env; /* borrowed */
    json_t *root;             /* owned: texts point into it */
    struct place areas[PB_PLACES_MAX];
    struct pb_place places[PB_PLACES_MAX];
};

/* What is being read, and what was wrong first. */
struct reading {
    const struct pb_env *env;
    const json_t *object;
    const char *field, *why; /* static; why NULL: nothing is wrong */
    unsigned taken;          /* keys of the object */
    bool is_out_of_memory;
};

static void
refuse(struct reading *reading, const char *field, const char *why)
{
    if (reading->why != NULL)
        return;
    reading->field = field;
    reading->why = why;
}

/* The value of a key, or NULL where it is not there. */
static const json_t *
take(struct reading *reading, const char *key)
{
    const json_t *value = json_object_get(reading->object, key);

    reading->taken += value != NULL;
    return value;
}

static void
take_text(struct reading *reading, const char *key, struct pb_str *ret_text)
{
    const json_t *value = take(reading, key);

    if (value == NULL)
        return;
    if (!json_is_string(value)) {
        refuse(reading, key, "wanted is a text");
        return;
    }
    *ret_text = (struct pb_str){ json_string_value(value), (uint32_t)json_string_length(value) };
}

static void
take_bool(struct reading *reading, const char *key, bool *ret_is)
{
    const json_t *value = take(reading, key);

    if (value != NULL && !json_is_boolean(value))
        refuse(reading, key, "wanted is true or false");
    *ret_is = json_is_true(value);
}

/* A whole number; `usual` where it is not there. */
static int64_t
take_number(struct reading *reading, const char *key, int64_t min, int64_t max, int64_t usual)
{
    const json_t *value = take(reading, key);

    if (value == NULL)
        return usual;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max) {
        refuse(reading, key, "wanted is a whole number within its bounds");
        return usual;
    }
    return json_integer_value(value);
}

static double
take_real(struct reading *reading, const char *key, double min, double max)
{
    const json_t *value = take(reading, key);
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= min && number <= max)) {
        refuse(reading, key, "wanted is a number within its bounds");
        return min;
    }
    return number;
}

static void
take_time(struct reading *reading, const char *key, int64_t *ret_us)
{
    struct pb_str text = { NULL, 0 };
    int16_t offset_min;

    take_text(reading, key, &text);
    if (text.text != NULL && pb_time_parse(text, ret_us, &offset_min) != PB_OK)
        refuse(reading, key, "wanted is a time as RFC 3339 writes it, with its zone");
}

/* Where a text stands in a list that ends with NULL; 0 where it is not there. */
static unsigned
take_choice(struct reading *reading, const char *key, const char *const *choices)
{
    struct pb_str text = { NULL, 0 };

    take_text(reading, key, &text);
    if (text.text == NULL)
        return 0;
    for (unsigned i = 0; choices[i] != NULL; i++) {
        if (pb_str_equal(text, pb_str_from(choices[i])))
            return i;
    }
    refuse(reading, key, "this is none of its words");
    return 0;
}

static void
refuse_unknown(struct reading *reading)
{
    if (reading->taken < json_object_size(reading->object))
        refuse(reading, "", "there is a key that is not known");
}

/* ---- parts ---- */

static void
take_who(struct reading *reading, struct pb_inquiry *inquiry)
{
    /* As enum pb_relation. */
    static const char *const relations[] = { "unstated",  "subject", "victim", "witness",
                                             "associate", "other",   NULL };

    take_text(reading, "purpose", &inquiry->purpose);
    take_text(reading, "justification", &inquiry->justification);
    take_text(reading, "case_number", &inquiry->case_number);
    take_text(reading, "offence", &inquiry->offence);
    take_text(reading, "on_behalf_of", &inquiry->on_behalf_of);
    inquiry->relation = (enum pb_relation)take_choice(reading, "relation", relations);
    take_text(reading, "confirmation", &inquiry->confirmation);
    take_text(reading, "approval", &inquiry->approval);
    take_text(reading, "page", &inquiry->page);
    inquiry->rows_wanted = (uint64_t)take_number(reading, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT);
}

static void
take_jurisdiction(struct reading *reading, struct pb_inquiry *inquiry)
{
    struct pb_str code = { NULL, 0 };

    take_text(reading, "jurisdiction", &code);
    if (code.bytes == 0)
        return;
    inquiry->is_jurisdiction_unknown = pb_str_equal(code, pb_str_from("unknown"));
    inquiry->query.jurisdiction =
        inquiry->is_jurisdiction_unknown ? 0 : pb_jurisdiction_from_text(code);
    if (!inquiry->is_jurisdiction_unknown && inquiry->query.jurisdiction == 0)
        refuse(reading, "jurisdiction", "there is no such code: US-KS, DE, or unknown");
}

static void
take_what(struct reading *reading, struct pb_inquiry *inquiry)
{
    /* As enum pb_inquiry_kind. */
    static const char *const kinds[] = {
        "plate", "pattern", "place", "common", "associates", NULL
    };

    inquiry->kind = (enum pb_inquiry_kind)take_choice(reading, "kind", kinds);
    take_text(reading, "plate", &inquiry->query.plate);
    take_jurisdiction(reading, inquiry);
    inquiry->query.edits = (unsigned)take_number(reading, "edits", 0, 2, 0);
    take_bool(reading, "lookalikes", &inquiry->query.with_lookalikes);
    take_bool(reading, "counts_plates", &inquiry->counts_plates);
    take_time(reading, "from", &inquiry->query.from_us);
    take_time(reading, "to", &inquiry->query.to_us);
    inquiry->together_us = take_number(reading, "together_seconds", 1, 3600, 0) * PB_SECOND_US;
    inquiry->together_min = (uint32_t)take_number(reading, "together_min", 1, 1000000, 0);
}

static void
put_area_text(char text[AREA_TEXT_BYTES], int32_t lat_e7, int32_t lon_e7, double radius_m)
{
    struct pb_text_out out = pb_text_out(text, AREA_TEXT_BYTES - 1);

    pb_put_text(&out, "circle ");
    pb_put_fixed(&out, lat_e7, 7, 0);
    pb_put_char(&out, ',');
    pb_put_fixed(&out, lon_e7, 7, 0);
    pb_put_char(&out, ' ');
    pb_put_fixed(&out, llround(radius_m * 10), 1, 0);
    pb_put_text(&out, " m");
    assert(!out.is_cut);
    *out.at = '\0';
}

static void
take_place(struct reading *outer, const json_t *object, struct place *area, struct pb_place *place)
{
    struct reading reading = { .env = outer->env, .object = object };
    struct pb_error ignored;
    enum pb_status status;
    int32_t lat_e7, lon_e7;
    double radius_m;

    if (!json_is_object(object)) {
        refuse(outer, "places", "wanted is an object for each place");
        return;
    }
    lat_e7 = (int32_t)lround(take_real(&reading, "lat", -90, 90) * 1e7);
    lon_e7 = (int32_t)lround(take_real(&reading, "lon", -180, 180) * 1e7);
    radius_m = take_real(&reading, "radius_m", 1, RADIUS_MAX_M);
    take_time(&reading, "from", &place->from_us);
    take_time(&reading, "to", &place->to_us);
    refuse_unknown(&reading);
    if (reading.why == NULL && (place->from_us == 0 || place->to_us == 0))
        refuse(&reading, "", "a place needs from and to");
    if (reading.why != NULL) {
        refuse(outer, "places", reading.why);
        return;
    }
    put_area_text(area->text, lat_e7, lon_e7, radius_m);
    status = pb_geo_area_from_circle(outer->env, lat_e7, lon_e7, radius_m, &area->area, &ignored);
    outer->is_out_of_memory |= status == PB_E_NOMEM;
    if (status != PB_OK)
        refuse(outer, "places", "there is no such circle");
    place->area = area->area;
    place->area_text = pb_str_from(area->text);
    place->area_m2 = PI * radius_m * radius_m;
}

static void
take_places(struct reading *reading, struct pb_inquiry *inquiry, struct pb_api_inquiry_json *json)
{
    const json_t *list = take(reading, "places");

    if (list == NULL)
        return;
    if (!json_is_array(list) || json_array_size(list) > PB_PLACES_MAX) {
        refuse(reading, "places", "wanted is a list of at most 16 places");
        return;
    }
    inquiry->places = json->places;
    inquiry->place_count = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < inquiry->place_count && reading->why == NULL; i++)
        take_place(reading, json_array_get(list, i), &json->areas[i], &json->places[i]);
}

/* ---- the whole ---- */

static enum pb_status
read_root(struct pb_api_inquiry_json *json, struct pb_inquiry *inquiry, const char **ret_field,
          const char **ret_why)
{
    struct reading reading = { .env = json->env, .object = json->root };

    take_who(&reading, inquiry);
    take_what(&reading, inquiry);
    take_places(&reading, inquiry, json);
    refuse_unknown(&reading);
    if (inquiry->purpose.bytes == 0)
        refuse(&reading, "purpose", "it is missing");
    if (inquiry->justification.bytes == 0)
        refuse(&reading, "justification", "it is missing");
    if (reading.is_out_of_memory)
        return PB_E_NOMEM;
    *ret_field = reading.field;
    *ret_why = reading.why;
    return reading.why == NULL ? PB_OK : PB_BAD_INPUT;
}

enum pb_status
pb_api_inquiry_parse(const struct pb_env *env, struct pb_str body,
                     struct pb_api_inquiry *ret_request, const char **ret_field,
                     const char **ret_why)
{
    struct pb_api_inquiry request = { .json = pb_calloc(env, 1, sizeof(*request.json)) };
    enum pb_status status;
    json_error_t error;

    if (request.json == NULL)
        return PB_E_NOMEM;
    request.json->env = env;
    request.json->root = json_loadb(body.text, body.bytes, JSON_REJECT_DUPLICATES, &error);
    *ret_field = "";
    *ret_why = "wanted is one JSON object, with each key once";
    status = json_is_object(request.json->root)
                 ? read_root(request.json, &request.inquiry, ret_field, ret_why)
                 : PB_BAD_INPUT;
    if (status != PB_OK)
        pb_api_inquiry_done(&request);
    else
        *ret_request = request;
    return status;
}

void
pb_api_inquiry_done(struct pb_api_inquiry *request)
{
    if (request->json == NULL)
        return;
    for (unsigned i = 0; i < PB_PLACES_MAX; i++)
        pb_geo_area_free(request->json->env, request->json->areas[i].area);
    json_decref(request->json->root);
    pb_free(request->json->env, request->json);
    request->json = NULL;
}
