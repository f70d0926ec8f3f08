/*
 * OpenALPR and Rekor Scout: frames (alpr_results), passes (alpr_group) and alerts (alpr_alert).
 *
 * Source: docs/formats/openalpr.md. Where a key stands twice in an object, the first counts.
 */
#include <assert.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "ingest/ingest_private.h"
#include "ingest/native.h"
#include "ingest/number.h"

enum key {
    KEY_NONE = PB_JSON_NO_KEY,
    KEY_AGENT_UID,
    KEY_BEST_CONFIDENCE,
    KEY_BEST_PLATE,
    KEY_BEST_PLATE_NUMBER,
    KEY_BEST_REGION,
    KEY_BEST_UUID,
    KEY_BODY_TYPE,
    KEY_CAMERA_ID,
    KEY_CANDIDATES,
    KEY_CAPTURED_AT,
    KEY_COLOR,
    KEY_CONFIDENCE,
    KEY_COUNTRY,
    KEY_DATA_TYPE,
    KEY_EPOCH_START,
    KEY_EPOCH_TIME,
    KEY_FILE,
    KEY_GPS_LATITUDE,
    KEY_GPS_LONGITUDE,
    KEY_GROUP,
    KEY_IS_PREVIEW,
    KEY_MAKE,
    KEY_MAKE_MODEL,
    KEY_NAME,
    KEY_OPENALPR_WEBHOOK,
    KEY_PLATE,
    KEY_PLATE_INDEX,
    KEY_PLATE_INDEXES,
    KEY_REGION,
    KEY_RESULTS,
    KEY_SITE_ID,
    KEY_TRAVEL_DIRECTION,
    KEY_UUID,
    KEY_UUIDS,
    KEY_VEHICLE,
    KEY_YEAR,
    KEY_END,
};

const char *const pb_openalpr_keys[] = {
    "agent_uid",     "best_confidence",  "best_plate",    "best_plate_number", "best_region",
    "best_uuid",     "body_type",        "camera_id",     "candidates",        "captured_at",
    "color",         "confidence",       "country",       "data_type",         "epoch_start",
    "epoch_time",    "file",             "gps_latitude",  "gps_longitude",     "group",
    "is_preview",    "make",             "make_model",    "name",              "openalpr_webhook",
    "plate",         "plate_index",      "plate_indexes", "region",            "results",
    "site_id",       "travel_direction", "uuid",          "uuids",             "vehicle",
    "year",
};
const size_t pb_openalpr_key_count = sizeof(pb_openalpr_keys) / sizeof(pb_openalpr_keys[0]);

static_assert(sizeof(pb_openalpr_keys) / sizeof(pb_openalpr_keys[0]) == (size_t)KEY_END - 1,
              "every key has its number");

/* What is being made. */
struct target {
    struct pb_batch *batch;
    const struct pb_json_value *values; /* of the whole document */
    struct pb_read *read;
    struct pb_room *room;
    const char *field, *reason; /* set beside PB_BAD_INPUT */
};

static enum pb_status
bad(struct target *target, const char *field, const char *reason)
{
    target->field = field;
    target->reason = reason;
    return PB_BAD_INPUT;
}

/* ---- members ---- */

/* The member of an object, or 0, which is the document and nobody's member. */
static uint32_t
find(const struct pb_json_value *values, uint32_t object, enum key key)
{
    if (values[object].type != PB_JSON_OBJECT)
        return 0;
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next) {
        if (values[i].key == (uint8_t)key)
            return i;
    }
    return 0;
}

/* The member where it is of that type, or 0. */
static uint32_t
find_typed(const struct pb_json_value *values, uint32_t object, enum key key,
           enum pb_json_type type)
{
    uint32_t at = find(values, object, key);

    return at != 0 && values[at].type == (uint8_t)type ? at : 0;
}

/* Its text where it is a string, else empty. */
static struct pb_str
string_of(const struct pb_json_value *values, uint32_t object, enum key key)
{
    uint32_t at = find_typed(values, object, key, PB_JSON_STRING);

    return at == 0 ? (struct pb_str){ .text = NULL, .bytes = 0 } : values[at].text;
}

/* Its text where it is a number, else empty. */
static struct pb_str
number_of(const struct pb_json_value *values, uint32_t object, enum key key)
{
    uint32_t at = find_typed(values, object, key, PB_JSON_NUMBER);

    return at == 0 ? (struct pb_str){ .text = NULL, .bytes = 0 } : values[at].text;
}

static bool
text_is(struct pb_str text, const char *word)
{
    return pb_str_equal(text, pb_str_from(word));
}

/* The parts of a text one after the other, in the batch's memory; PB_E_NOMEM. */
static enum pb_status
join(struct pb_batch *batch, const struct pb_str *parts, size_t count, struct pb_str *ret_text)
{
    size_t bytes = 0;
    struct pb_text_out out;
    char *text;

    for (size_t i = 0; i < count; i++)
        bytes += parts[i].bytes; /* parts of one document: far below 2^32 */
    text = pb_batch_text(batch, bytes);
    if (text == NULL)
        return PB_E_NOMEM;
    out = pb_text_out(text, bytes);
    for (size_t i = 0; i < count; i++)
        pb_put_str(&out, parts[i]);
    *ret_text = (struct pb_str){ .text = text, .bytes = (uint32_t)bytes };
    return PB_OK;
}

/* ---- fields ---- */

/* A percentage as 10^-6, or PB_NO_CONFIDENCE where it is none. */
static uint32_t
percent_e6(struct pb_str number)
{
    int64_t confidence_e6;

    if (!pb_number_decimal(number, 6, &confidence_e6) || confidence_e6 < 0 ||
        confidence_e6 > 100000000)
        return PB_NO_CONFIDENCE;
    return (uint32_t)confidence_e6;
}

static enum pb_status
set_confidence(struct target *target, struct pb_str number)
{
    if (number.bytes == 0)
        return PB_OK;
    target->read->confidence_e6 = percent_e6(number);
    if (target->read->confidence_e6 == PB_NO_CONFIDENCE)
        return bad(target, "confidence", "is not from 0 to 100");
    target->read->confidence_scale = PB_SCALE_PERCENT;
    return PB_OK;
}

static enum pb_status
set_plate(struct target *target, struct pb_str plate)
{
    const char *reason = "";
    enum pb_status status = pb_batch_plate(target->read, target->room, plate, &reason);

    return status == PB_BAD_INPUT ? bad(target, "plate", reason) : status;
}

/* The candidates other than the plate itself. What is no candidate is passed over: the plate is
 * worth more than they are. */
static enum pb_status
add_candidates(struct target *target, uint32_t array)
{
    const struct pb_json_value *values = target->values;

    if (array == 0)
        return PB_OK;
    for (uint32_t i = array + 1; i < values[array].next; i = values[i].next) {
        uint32_t confidence_e6 = percent_e6(number_of(values, i, KEY_CONFIDENCE));
        enum pb_status status;

        if (target->read->confidence_scale == PB_SCALE_NONE)
            confidence_e6 = PB_NO_CONFIDENCE;
        status = pb_batch_alternate(target->batch, target->read, target->room,
                                    string_of(values, i, KEY_PLATE), confidence_e6, true);
        if (status != PB_OK && status != PB_BAD_INPUT)
            return status;
    }
    return PB_OK;
}

/* A time in a member that is a number (seconds, or milliseconds, by its size) or a text. */
static enum pb_status
set_time(struct target *target, uint32_t member)
{
    struct pb_read *read = target->read;
    const struct pb_json_value *value = &target->values[member];

    if (member == 0) {
        if (!pb_batch_default_time(target->batch, read))
            return bad(target, "captured_at", "is missing");
        return PB_OK;
    }
    if ((value->type != PB_JSON_NUMBER && value->type != PB_JSON_STRING) ||
        pb_time_parse(value->text, &read->captured_at_us, &read->utc_offset_min) != PB_OK)
        return bad(target, "captured_at", "is not a time from 1970 to 2199");
    return PB_OK;
}

/* The reader is a camera of a site or an agent; else what the source says. */
static enum pb_status
set_reader(struct target *target, struct pb_str owner, struct pb_str camera)
{
    struct pb_str parts[] = { owner, pb_str_from("-cam"), camera };

    if (camera.bytes == 0 || (owner.bytes == 0 && target->batch->defaults->reader.bytes > 0))
        return PB_OK;
    if (owner.bytes == 0)
        parts[0] = pb_str_from("openalpr");
    return join(target->batch, parts, 3, &target->read->reader);
}

/* `<prefix><uuid>#<index>` */
static enum pb_status
set_event_id(struct target *target, const char *prefix, struct pb_str uuid, struct pb_str index)
{
    const struct pb_str parts[] = { pb_str_from(prefix), uuid, pb_str_from("#"), index };

    if (uuid.bytes == 0)
        return PB_OK;
    return join(target->batch, parts, 4, &target->read->event_id);
}

static void
add_scene(struct target *target, struct pb_str ref)
{
    struct pb_read *read = target->read;

    target->room->record.images[read->image_count] =
        (struct pb_image_ref){ .kind = PB_IMAGE_SCENE, .ref = ref };
    read->images = target->room->record.images;
    read->image_count++;
}

/* The picture that the agent keeps under that name. */
static enum pb_status
add_agent_image(struct target *target, struct pb_str uuid)
{
    const struct pb_str parts[] = { pb_str_from("openalpr:"), uuid };
    enum pb_status status;
    struct pb_str ref;

    if (uuid.bytes == 0)
        return PB_OK;
    status = join(target->batch, parts, 2, &ref);
    if (status == PB_OK)
        add_scene(target, ref);
    return status;
}

/* -1 and 0, both of them, is how an agent says that it has no position. */
static enum pb_status
set_position(struct target *target, uint32_t object)
{
    struct pb_str lat = number_of(target->values, object, KEY_GPS_LATITUDE);
    struct pb_str lon = number_of(target->values, object, KEY_GPS_LONGITUDE);
    int64_t lat_e7, lon_e7;

    if (lat.bytes == 0 || lon.bytes == 0)
        return PB_OK;
    if (!pb_number_decimal(lat, 7, &lat_e7) || lat_e7 < -900000000 || lat_e7 > 900000000)
        return bad(target, "gps_latitude", "is not from -90 to 90 degrees");
    if (!pb_number_decimal(lon, 7, &lon_e7) || lon_e7 < -1800000000 || lon_e7 > 1800000000)
        return bad(target, "gps_longitude", "is not from -180 to 180 degrees");
    if ((lat_e7 == 0 || lat_e7 == -10000000) && (lon_e7 == 0 || lon_e7 == -10000000))
        return PB_OK;
    target->read->lat_e7 = (int32_t)lat_e7;
    target->read->lon_e7 = (int32_t)lon_e7;
    return PB_OK;
}

/* A direction outside the circle is how an agent says that it knows none. */
static void
set_heading(struct target *target, struct pb_str number)
{
    int64_t heading_cdeg;

    if (pb_number_decimal(number, 2, &heading_cdeg) && heading_cdeg >= 0 &&
        heading_cdeg <= 36000)
        target->read->heading_cdeg = (uint16_t)(heading_cdeg % 36000);
}

/* The likeliest name of `[{name, confidence}]`; empty where there is none. */
static struct pb_str
best_name(const struct pb_json_value *values, uint32_t vehicle, enum key key)
{
    uint32_t array = find_typed(values, vehicle, key, PB_JSON_ARRAY);
    struct pb_str best = { .text = NULL, .bytes = 0 };
    int64_t best_confidence = -1;

    if (array == 0)
        return best;
    for (uint32_t i = array + 1; i < values[array].next; i = values[i].next) {
        struct pb_str name = string_of(values, i, KEY_NAME);
        int64_t confidence = 0;

        if (!pb_number_decimal(number_of(values, i, KEY_CONFIDENCE), 6, &confidence))
            confidence = 0;
        if (confidence > best_confidence) {
            best_confidence = confidence;
            best = name;
        }
    }
    if (text_is(best, "unknown"))
        best.bytes = 0;
    return best;
}

/* "toyota_camry" is a camry: makes have no underscore in them. */
static struct pb_str
model_of(struct pb_str make_model)
{
    const char *underscore =
        make_model.bytes == 0 ? NULL : memchr(make_model.text, '_', make_model.bytes);
    uint32_t make_bytes;

    if (underscore == NULL)
        return (struct pb_str){ .text = NULL, .bytes = 0 };
    make_bytes = (uint32_t)(underscore - make_model.text);
    return (struct pb_str){ .text = underscore + 1, .bytes = make_model.bytes - make_bytes - 1 };
}

static enum pb_status
set_vehicle(struct target *target, uint32_t vehicle)
{
    const struct pb_json_value *values = target->values;
    struct pb_read *read = target->read;
    const struct {
        struct pb_str name;
        struct pb_str *ret;
    } words[] = {
        { best_name(values, vehicle, KEY_MAKE), &read->make },
        { model_of(best_name(values, vehicle, KEY_MAKE_MODEL)), &read->model },
        { best_name(values, vehicle, KEY_COLOR), &read->color },
        { best_name(values, vehicle, KEY_BODY_TYPE), &read->body },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        enum pb_status status = pb_batch_lower(target->batch, words[i].name, words[i].ret);

        if (status != PB_OK)
            return status;
    }
    (void)pb_native_year(best_name(values, vehicle, KEY_YEAR), &read->year, &read->year_last);
    return PB_OK;
}

/* ---- kinds of documents ---- */

static enum pb_status
finish(struct target *target, enum pb_status status)
{
    if (status == PB_BAD_INPUT)
        return pb_batch_reject(target->batch, target->field, target->reason);
    if (status != PB_OK)
        return status;
    return pb_batch_push(target->batch, false);
}

/* One element of `results` of the frame in values[0]. */
static enum pb_status
set_result(struct target *target, uint32_t result, uint32_t position)
{
    const struct pb_json_value *values = target->values;
    struct pb_str uuid = string_of(values, 0, KEY_UUID);
    struct pb_str index = number_of(values, result, KEY_PLATE_INDEX);
    struct pb_str file = string_of(values, 0, KEY_FILE);
    char digits[20];
    struct pb_text_out out = pb_text_out(digits, sizeof(digits));
    uint32_t time = find(values, 0, KEY_EPOCH_TIME);
    enum pb_status status;

    if (index.bytes == 0) {
        pb_put_u64(&out, position);
        index = (struct pb_str){ .text = digits, .bytes = (uint32_t)(out.at - digits) };
    }
    status = set_plate(target, string_of(values, result, KEY_PLATE));
    if (status == PB_OK)
        status = set_time(target, time != 0 ? time : find(values, 0, KEY_CAPTURED_AT));
    if (status == PB_OK)
        status = set_reader(target, string_of(values, 0, KEY_SITE_ID),
                            number_of(values, 0, KEY_CAMERA_ID));
    if (status == PB_OK)
        status = set_event_id(target, "", uuid, index);
    if (status == PB_OK)
        status = set_confidence(target, number_of(values, result, KEY_CONFIDENCE));
    if (status == PB_OK)
        status = add_candidates(target,
                                find_typed(values, result, KEY_CANDIDATES, PB_JSON_ARRAY));
    if (status == PB_OK)
        status = add_agent_image(target, uuid);
    if (status != PB_OK)
        return status;
    if (file.bytes > 0)
        add_scene(target, file);
    target->read->jurisdiction =
        pb_batch_jurisdiction(target->batch, string_of(values, result, KEY_REGION));
    return PB_OK;
}

static enum pb_status
take_results(struct pb_batch *batch, const struct pb_json_value *values)
{
    uint32_t array = find_typed(values, 0, KEY_RESULTS, PB_JSON_ARRAY);
    uint32_t position = 0;
    enum pb_status status = PB_OK;

    if (array == 0)
        return pb_batch_reject(batch, "results", "is missing or not an array");
    for (uint32_t i = array + 1; i < values[array].next && status == PB_OK; i = values[i].next) {
        struct target target = { .batch = batch, .values = values, .field = "", .reason = "" };

        target.read = pb_batch_slot(batch, &target.room);
        status = finish(&target, set_result(&target, i, position));
        position++;
    }
    return status;
}

/* The first element of an array member; 0 where there is none of that type. */
static uint32_t
first_of(const struct pb_json_value *values, uint32_t object, enum key key,
         enum pb_json_type type)
{
    uint32_t array = find_typed(values, object, key, PB_JSON_ARRAY);

    if (array == 0 || values[array].next == array + 1 || values[array + 1].type != (uint8_t)type)
        return 0;
    return array + 1;
}

/*
 * Preview and final word of one pass begin with the same frame and the same place in it, while
 * the plate, the best frame and the end change: so that frame and place are the pass.
 */
static enum pb_status
set_pass_identity(struct target *target, uint32_t group)
{
    const struct pb_json_value *values = target->values;
    uint32_t uuid = first_of(values, group, KEY_UUIDS, PB_JSON_STRING);
    uint32_t index = first_of(values, group, KEY_PLATE_INDEXES, PB_JSON_NUMBER);
    uint32_t preview = find(values, group, KEY_IS_PREVIEW);
    struct pb_str uuid_text =
        uuid == 0 ? string_of(values, group, KEY_BEST_UUID) : values[uuid].text;

    target->read->is_revisable = true;
    target->read->revision = preview != 0 && values[preview].type == PB_JSON_TRUE ? 0 : 1;
    return set_event_id(target, "pass:", uuid_text,
                        index == 0 ? pb_str_from("0") : values[index].text);
}

/* The group's own word on plate, region, confidence and candidates comes before that of
 * its best frame. */
static enum pb_status
set_group_plate(struct target *target, uint32_t group)
{
    const struct pb_json_value *values = target->values;
    uint32_t best = find_typed(values, group, KEY_BEST_PLATE, PB_JSON_OBJECT);
    struct pb_str plate = string_of(values, group, KEY_BEST_PLATE_NUMBER);
    struct pb_str confidence = number_of(values, group, KEY_BEST_CONFIDENCE);
    struct pb_str region = string_of(values, group, KEY_BEST_REGION);
    struct pb_str country = string_of(values, group, KEY_COUNTRY);
    uint32_t candidates = find_typed(values, group, KEY_CANDIDATES, PB_JSON_ARRAY);
    const char *within = target->batch->defaults->country;
    enum pb_status status;

    if (best != 0) {
        if (plate.bytes == 0)
            plate = string_of(values, best, KEY_PLATE);
        if (confidence.bytes == 0)
            confidence = number_of(values, best, KEY_CONFIDENCE);
        if (region.bytes == 0)
            region = string_of(values, best, KEY_REGION);
        if (candidates == 0)
            candidates = find_typed(values, best, KEY_CANDIDATES, PB_JSON_ARRAY);
    }
    if (text_is(country, "us"))
        within = "US";
    target->read->jurisdiction = pb_jurisdiction_within(within, region);
    status = set_plate(target, plate);
    if (status == PB_OK)
        status = set_confidence(target, confidence);
    return status == PB_OK ? add_candidates(target, candidates) : status;
}

static enum pb_status
set_group(struct target *target, uint32_t group)
{
    const struct pb_json_value *values = target->values;
    uint32_t vehicle = find_typed(values, group, KEY_VEHICLE, PB_JSON_OBJECT);
    enum pb_status status = set_group_plate(target, group);

    if (status == PB_OK)
        status = set_time(target, find(values, group, KEY_EPOCH_START));
    if (status == PB_OK)
        status = set_reader(target, string_of(values, group, KEY_AGENT_UID),
                            number_of(values, group, KEY_CAMERA_ID));
    if (status == PB_OK)
        status = set_pass_identity(target, group);
    if (status == PB_OK)
        status = set_position(target, group);
    if (status == PB_OK)
        status = add_agent_image(target, string_of(values, group, KEY_BEST_UUID));
    if (status == PB_OK && vehicle != 0)
        status = set_vehicle(target, vehicle);
    if (status == PB_OK)
        set_heading(target, number_of(values, group, KEY_TRAVEL_DIRECTION));
    return status;
}

static enum pb_status
take_group(struct pb_batch *batch, const struct pb_json_value *values, uint32_t group)
{
    struct target target = { .batch = batch, .values = values, .field = "", .reason = "" };

    target.read = pb_batch_slot(batch, &target.room);
    return finish(&target, set_group(&target, group));
}

enum pb_status
pb_openalpr_document(struct pb_batch *batch, const struct pb_json_value *values)
{
    uint32_t kind = find(values, 0, KEY_DATA_TYPE);
    uint32_t group = find_typed(values, 0, KEY_GROUP, PB_JSON_OBJECT);
    struct pb_str word = string_of(values, 0, KEY_DATA_TYPE);

    if (values[0].type != PB_JSON_OBJECT)
        return pb_batch_reject(batch, "", "not an object");
    if (text_is(word, "alpr_results"))
        return take_results(batch, values);
    if (text_is(word, "alpr_group"))
        return take_group(batch, values, 0);
    if (text_is(word, "heartbeat") || text_is(word, "vehicle"))
        return PB_OK;
    if (text_is(word, "alpr_alert") && group == 0)
        return pb_batch_reject(batch, "group", "is missing in an alert");
    if (word.bytes > 0 && !text_is(word, "alpr_alert"))
        return pb_batch_reject(batch, "data_type", "is not one that is known");
    if (kind != 0 && values[kind].type != PB_JSON_STRING && values[kind].type != PB_JSON_NULL)
        return pb_batch_reject(batch, "data_type", "is not a string");
    if (group != 0)
        return take_group(batch, values, group);
    if (find(values, 0, KEY_RESULTS) != 0)
        return take_results(batch, values);
    if (find(values, 0, KEY_BEST_PLATE) != 0 || find(values, 0, KEY_BEST_PLATE_NUMBER) != 0)
        return take_group(batch, values, 0);
    if (find(values, 0, KEY_OPENALPR_WEBHOOK) != 0)
        return PB_OK; /* the agent tries out its address */
    return pb_batch_reject(batch, "data_type", "is missing");
}
