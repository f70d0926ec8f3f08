/*
 * Native fields: one setter a field, run in the order of enum pb_native_field.
 *
 * A setter checks the form of its text. Ranges that a read can hold but must not have
 * are left to pb_read_validate, which knows them all.
 */
#include "ingest/native.h"

#include <assert.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "ingest/number.h"

#define YEAR_MIN 1885
#define YEAR_MAX 2100

enum { KEY_ALTERNATE_PLATE = PB_NATIVE_PLATE, KEY_ALTERNATE_CONFIDENCE = PB_NATIVE_CONFIDENCE };
enum { KEY_KIND = PB_NATIVE_COUNT, KEY_REF };

const char *const pb_native_keys[] = {
    "plate",
    "plate_raw",
    "jurisdiction",
    "captured_at",
    "reader",
    "lat",
    "lon",
    "heading_deg",
    "speed_kmh",
    "lane",
    "confidence_scale",
    "confidence",
    "make",
    "model",
    "color",
    "body",
    "year",
    "event_id",
    "revision",
    "delete_after",
    "alternates",
    "images",
    "revises",
    "correction",
    "identity_plate",
    "kind",
    "ref", /* of an image */
};
const size_t pb_native_key_count = sizeof(pb_native_keys) / sizeof(pb_native_keys[0]);

static_assert(sizeof(pb_native_keys) / sizeof(pb_native_keys[0]) == (size_t)KEY_REF,
              "every key has its number");

const char *
pb_native_field_name(enum pb_native_field field)
{
    assert(field > PB_NATIVE_NONE && field < PB_NATIVE_COUNT);
    return pb_native_keys[field - 1];
}

static bool
equal_without_case(struct pb_str text, const char *lower)
{
    if (text.bytes != strlen(lower))
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        char byte = text.text[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte | 0x20);
        if (byte != lower[i])
            return false;
    }
    return true;
}

enum pb_native_field
pb_native_field_of_column(struct pb_str name)
{
    for (int field = PB_NATIVE_PLATE; field <= PB_NATIVE_IMAGES; field++) {
        if (field != PB_NATIVE_PLATE_RAW &&
            equal_without_case(name, pb_native_field_name((enum pb_native_field)field)))
            return (enum pb_native_field)field;
    }
    return PB_NATIVE_NONE;
}

/* ---- setters ---- */

/* What a setter works on. */
struct target {
    struct pb_batch *batch;
    struct pb_read *read;
    struct pb_room *room;
    enum pb_confidence_scale scale; /* as the row says, or PB_SCALE_NONE */
    bool has_delete_after;
    const char *reason; /* set beside PB_BAD_INPUT */
};

static enum pb_status
bad(struct target *target, const char *reason)
{
    target->reason = reason;
    return PB_BAD_INPUT;
}

static enum pb_status
set_plate(struct target *target, struct pb_str text)
{
    /* A person's word that no plate can be read; pb_read_validate refuses it of anybody else. */
    if (text.bytes == 1 && text.text[0] == PB_PLATE_UNREADABLE[0]) {
        target->read->plate = text;
        return PB_OK;
    }
    return pb_batch_plate(target->read, target->room, text, &target->reason);
}

static enum pb_status
set_plate_raw(struct target *target, struct pb_str text)
{
    if (pb_str_equal(text, target->read->plate))
        text.bytes = 0;
    target->read->plate_raw = text;
    return PB_OK;
}

/* A code that is not known counts as unknown, but not what is no text at all. */
static enum pb_status
set_jurisdiction(struct target *target, struct pb_str text)
{
    text = pb_number_trim(text);
    target->read->jurisdiction = pb_batch_jurisdiction(target->batch, text);
    if (target->read->jurisdiction == 0) {
        if (!pb_utf8_is_valid(text.text, text.bytes))
            return bad(target, "is not UTF-8");
        for (uint32_t i = 0; i < text.bytes; i++) {
            if ((unsigned char)text.text[i] < 0x20)
                return bad(target, "has a control character");
        }
    }
    return PB_OK;
}

static enum pb_status
set_captured_at(struct target *target, struct pb_str text)
{
    struct pb_read *read = target->read;

    if (pb_time_parse(pb_number_trim(text), &read->captured_at_us, &read->utc_offset_min) != PB_OK)
        return bad(target, "is not a time with a zone from 1970 to 2199");
    return PB_OK;
}

static enum pb_status
set_reader(struct target *target, struct pb_str text)
{
    target->read->reader = text;
    return PB_OK;
}

/* A number of 10^-decimals from min to max. */
static enum pb_status
number_within(struct target *target, struct pb_str text, unsigned decimals, int64_t min,
              int64_t max, const char *range, int64_t *ret_value)
{
    if (!pb_number_decimal(pb_number_trim(text), decimals, ret_value))
        return bad(target, "is not a number");
    return *ret_value < min || *ret_value > max ? bad(target, range) : PB_OK;
}

static enum pb_status
set_lat(struct target *target, struct pb_str text)
{
    int64_t lat_e7;
    enum pb_status status = number_within(target, text, 7, -900000000, 900000000,
                                          "is not from -90 to 90 degrees", &lat_e7);

    if (status == PB_OK)
        target->read->lat_e7 = (int32_t)lat_e7;
    return status;
}

static enum pb_status
set_lon(struct target *target, struct pb_str text)
{
    int64_t lon_e7;
    enum pb_status status = number_within(target, text, 7, -1800000000, 1800000000,
                                          "is not from -180 to 180 degrees", &lon_e7);

    if (status == PB_OK)
        target->read->lon_e7 = (int32_t)lon_e7;
    return status;
}

static enum pb_status
set_heading(struct target *target, struct pb_str text)
{
    int64_t heading_cdeg;
    enum pb_status status =
        number_within(target, text, 2, 0, 36000, "is not from 0 to 360 degrees", &heading_cdeg);

    if (status == PB_OK)
        target->read->heading_cdeg = (uint16_t)(heading_cdeg % 36000);
    return status;
}

static enum pb_status
set_speed(struct target *target, struct pb_str text)
{
    int64_t speed_ckmh;
    enum pb_status status = number_within(target, text, 2, 0, PB_NO_SPEED - 1,
                                          "is not from 0 to 655.34 km/h", &speed_ckmh);

    if (status == PB_OK)
        target->read->speed_ckmh = (uint16_t)speed_ckmh;
    return status;
}

static enum pb_status
set_lane(struct target *target, struct pb_str text)
{
    uint64_t lane;

    if (!pb_number_whole(pb_number_trim(text), &lane) || lane > UINT8_MAX)
        return bad(target, "is not a whole number from 0 to 255");
    target->read->lane = (uint8_t)lane;
    return PB_OK;
}

static enum pb_status
set_confidence_scale(struct target *target, struct pb_str text)
{
    text = pb_number_trim(text);
    if (text.bytes == 7 && memcmp(text.text, "percent", 7) == 0)
        target->scale = PB_SCALE_PERCENT; /* nearly always */
    else if (equal_without_case(text, "unit"))
        target->scale = PB_SCALE_UNIT;
    else if (equal_without_case(text, "percent"))
        target->scale = PB_SCALE_PERCENT;
    else
        return bad(target, "is neither unit nor percent");
    return PB_OK;
}

static enum pb_status
confidence_on_scale(struct target *target, struct pb_str text, enum pb_confidence_scale scale,
                    uint32_t *ret_confidence_e6)
{
    int64_t max = scale == PB_SCALE_UNIT ? 1000000 : 100000000;
    const char *range = scale == PB_SCALE_UNIT ? "is not from 0 to 1" : "is not from 0 to 100";
    int64_t confidence_e6;
    enum pb_status status = number_within(target, text, 6, 0, max, range, &confidence_e6);

    if (status == PB_OK)
        *ret_confidence_e6 = (uint32_t)confidence_e6;
    return status;
}

static enum pb_status
set_confidence(struct target *target, struct pb_str text)
{
    enum pb_confidence_scale scale = target->scale;
    struct pb_read *read = target->read;
    enum pb_status status;

    text = pb_number_trim(text);
    if (text.bytes > 0 && text.text[text.bytes - 1] == '%') {
        if (scale == PB_SCALE_UNIT)
            return bad(target, "is in percent beside the scale unit");
        scale = PB_SCALE_PERCENT;
        text.bytes--;
    }
    status = confidence_on_scale(target, text, scale == PB_SCALE_NONE ? PB_SCALE_PERCENT : scale,
                                 &read->confidence_e6);
    if (status != PB_OK)
        return status;
    if (scale == PB_SCALE_NONE)
        scale = read->confidence_e6 <= 1000000 ? PB_SCALE_UNIT : PB_SCALE_PERCENT;
    read->confidence_scale = scale;
    return PB_OK;
}

static enum pb_status
set_make(struct target *target, struct pb_str text)
{
    return pb_batch_lower(target->batch, text, &target->read->make);
}

static enum pb_status
set_model(struct target *target, struct pb_str text)
{
    return pb_batch_lower(target->batch, text, &target->read->model);
}

static enum pb_status
set_color(struct target *target, struct pb_str text)
{
    return pb_batch_lower(target->batch, text, &target->read->color);
}

static enum pb_status
set_body(struct target *target, struct pb_str text)
{
    return pb_batch_lower(target->batch, text, &target->read->body);
}

static enum pb_status
set_year(struct target *target, struct pb_str text)
{
    if (!pb_native_year(pb_number_trim(text), &target->read->year, &target->read->year_last))
        return bad(target, "is not a year or a range of years from 1885 to 2100");
    return PB_OK;
}

static enum pb_status
set_event_id(struct target *target, struct pb_str text)
{
    target->read->event_id = text;
    return PB_OK;
}

static enum pb_status
set_revision(struct target *target, struct pb_str text)
{
    uint64_t revision;

    if (!pb_number_whole(pb_number_trim(text), &revision) || revision > UINT32_MAX)
        return bad(target, "is not a whole number from 0 to 4294967295");
    target->read->revision = (uint32_t)revision;
    target->read->is_revisable = true;
    return PB_OK;
}

static enum pb_status
set_delete_after(struct target *target, struct pb_str text)
{
    int16_t ignored_offset_min;

    text = pb_number_trim(text);
    target->has_delete_after = true;
    if (equal_without_case(text, "never")) {
        target->read->delete_after_us = PB_NEVER;
        return PB_OK;
    }
    if (pb_time_parse(text, &target->read->delete_after_us, &ignored_offset_min) != PB_OK)
        return bad(target, "is neither a time with a zone from 1970 to 2199 nor never");
    return PB_OK;
}

/* `PLATE`, or `PLATE:confidence`. */
static enum pb_status
add_alternate(struct target *target, struct pb_str item)
{
    struct pb_read *read = target->read;
    uint32_t confidence_e6 = PB_NO_CONFIDENCE;
    const char *colon = item.bytes == 0 ? NULL : memrchr(item.text, ':', item.bytes);
    enum pb_status status;

    if (colon != NULL) {
        struct pb_str number = { .text = colon + 1,
                                 .bytes = (uint32_t)(item.text + item.bytes - colon - 1) };

        if (read->confidence_scale == PB_SCALE_NONE)
            return bad(target, "have a confidence where the read has none");
        status = confidence_on_scale(target, number, read->confidence_scale, &confidence_e6);
        if (status != PB_OK)
            return bad(target, "have a confidence that is not a number on the read's scale");
        item.bytes = (uint32_t)(colon - item.text);
    }
    status = pb_batch_alternate(target->batch, read, target->room, item, confidence_e6, false);
    return status == PB_BAD_INPUT ? bad(target, "have a text that cannot be a plate") : status;
}

static enum pb_status
add_image(struct target *target, struct pb_str kind, struct pb_str ref)
{
    static const struct {
        const char *word;
        enum pb_image_kind kind;
    } kinds[] = {
        { "plate", PB_IMAGE_PLATE },
        { "vehicle", PB_IMAGE_VEHICLE },
        { "scene", PB_IMAGE_SCENE },
        { "other", PB_IMAGE_OTHER },
    };
    struct pb_read *read = target->read;

    if (read->image_count == PB_IMAGES_MAX)
        return bad(target, "are more than 4");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!equal_without_case(kind, kinds[i].word))
            continue;
        target->room->record.images[read->image_count] =
            (struct pb_image_ref){ .kind = kinds[i].kind, .ref = ref };
        read->images = target->room->record.images;
        read->image_count++;
        return PB_OK;
    }
    return bad(target, "have a kind other than plate, vehicle, scene and other");
}

/* `kind=ref`. */
static enum pb_status
add_image_item(struct target *target, struct pb_str item)
{
    const char *equals = item.bytes == 0 ? NULL : memchr(item.text, '=', item.bytes);
    struct pb_str kind, ref;

    if (equals == NULL)
        return bad(target, "have an item that is not kind=reference");
    kind = (struct pb_str){ .text = item.text, .bytes = (uint32_t)(equals - item.text) };
    ref = (struct pb_str){ .text = equals + 1, .bytes = item.bytes - kind.bytes - 1 };
    return add_image(target, pb_number_trim(kind), ref);
}

/* Calls take with each part of text between bars. */
static enum pb_status
each_item(struct target *target, struct pb_str text,
          enum pb_status (*take)(struct target *, struct pb_str))
{
    enum pb_status status = PB_OK;
    const char *at = text.text, *end = text.text + text.bytes;

    while (at <= end && status == PB_OK) {
        const char *bar = at == end ? NULL : memchr(at, '|', (size_t)(end - at));
        const char *item_end = bar == NULL ? end : bar;

        status = take(target, (struct pb_str){ .text = at, .bytes = (uint32_t)(item_end - at) });
        at = item_end + 1;
    }
    return status;
}

static enum pb_status
set_alternates(struct target *target, struct pb_str text)
{
    return each_item(target, text, add_alternate);
}

static enum pb_status
set_images(struct target *target, struct pb_str text)
{
    return each_item(target, text, add_image_item);
}

static enum pb_status
set_revises(struct target *target, struct pb_str text)
{
    target->read->is_revisable = text.bytes == 4; /* "true" */
    return PB_OK;
}

static enum pb_status
set_correction(struct target *target, struct pb_str text)
{
    target->read->is_correction = text.bytes == 4;
    return PB_OK;
}

static enum pb_status
set_identity_plate(struct target *target, struct pb_str text)
{
    char folded[PB_PLATE_BYTES_MAX];
    uint32_t bytes = 0;

    if (pb_plate_fold(text, folded, &bytes) != PB_OK ||
        !pb_str_equal(text, (struct pb_str){ .text = folded, .bytes = bytes }))
        return bad(target, "is not a folded plate");
    target->read->identity_plate = text;
    return PB_OK;
}

/* ---- rows ---- */

#define KEY(field) (UINT32_C(1) << (field))

static enum pb_status (*const setters[PB_NATIVE_COUNT])(struct target *, struct pb_str) = {
    [PB_NATIVE_PLATE] = set_plate,
    [PB_NATIVE_PLATE_RAW] = set_plate_raw,
    [PB_NATIVE_JURISDICTION] = set_jurisdiction,
    [PB_NATIVE_CAPTURED_AT] = set_captured_at,
    [PB_NATIVE_READER] = set_reader,
    [PB_NATIVE_LAT] = set_lat,
    [PB_NATIVE_LON] = set_lon,
    [PB_NATIVE_HEADING_DEG] = set_heading,
    [PB_NATIVE_SPEED_KMH] = set_speed,
    [PB_NATIVE_LANE] = set_lane,
    [PB_NATIVE_CONFIDENCE_SCALE] = set_confidence_scale,
    [PB_NATIVE_CONFIDENCE] = set_confidence,
    [PB_NATIVE_MAKE] = set_make,
    [PB_NATIVE_MODEL] = set_model,
    [PB_NATIVE_COLOR] = set_color,
    [PB_NATIVE_BODY] = set_body,
    [PB_NATIVE_YEAR] = set_year,
    [PB_NATIVE_EVENT_ID] = set_event_id,
    [PB_NATIVE_REVISION] = set_revision,
    [PB_NATIVE_DELETE_AFTER] = set_delete_after,
    [PB_NATIVE_ALTERNATES] = set_alternates,
    [PB_NATIVE_IMAGES] = set_images,
    [PB_NATIVE_REVISES] = set_revises,
    [PB_NATIVE_CORRECTION] = set_correction,
    [PB_NATIVE_IDENTITY_PLATE] = set_identity_plate,
};

/* Runs the setters of the texts that are there. */
static enum pb_status
set_each(struct target *target, uint32_t fields, const struct pb_str *texts, const char **ret_field)
{
    for (; fields != 0; fields &= fields - 1) {
        int field = __builtin_ctz(fields);
        enum pb_status status;

        if (texts[field].bytes == 0)
            continue;
        status = setters[field](target, texts[field]);
        if (status != PB_OK) {
            *ret_field = pb_native_field_name((enum pb_native_field)field);
            return status;
        }
    }
    return PB_OK;
}

/* Is there what no read is without? */
static enum pb_status
check_needed(struct target *target, uint32_t fields, const struct pb_str *texts,
             const char **ret_field)
{
    bool has_time =
        (fields & KEY(PB_NATIVE_CAPTURED_AT)) != 0 && texts[PB_NATIVE_CAPTURED_AT].bytes > 0;

    if (target->read->plate.bytes == 0) {
        *ret_field = "plate";
        return bad(target, "is empty");
    }
    if (!has_time && !pb_batch_default_time(target->batch, target->read)) {
        *ret_field = "captured_at";
        return bad(target, "is missing");
    }
    return PB_OK;
}

static enum pb_status
set_all(struct target *target, uint32_t fields, const struct pb_str *texts, const char **ret_field)
{
    enum pb_status status = set_each(target, fields, texts, ret_field);

    return status == PB_OK ? check_needed(target, fields, texts, ret_field) : status;
}

static enum pb_status
finish(struct target *target, enum pb_status status, const char *field)
{
    if (status == PB_BAD_INPUT)
        return pb_batch_reject(target->batch, field, target->reason);
    if (status != PB_OK)
        return status;
    return pb_batch_push(target->batch, target->has_delete_after);
}

enum pb_status
pb_native_row(struct pb_batch *batch, const struct pb_native *native)
{
    struct target target = { .batch = batch };
    const char *field = "";
    enum pb_status status;

    target.read = pb_batch_slot(batch, &target.room);
    status = set_all(&target, native->fields, native->text, &field);
    return finish(&target, status, field);
}

bool
pb_native_year(struct pb_str text, uint16_t *ret_year, uint16_t *ret_year_last)
{
    struct pb_str first = text, last = { .text = NULL, .bytes = 0 };
    /* Most are one year, and four bytes have no room for two. */
    const char *dash = text.bytes <= 4 ? NULL : memchr(text.text, '-', text.bytes);
    uint64_t year, year_last;

    if (dash != NULL) {
        first.bytes = (uint32_t)(dash - text.text);
        last = (struct pb_str){ .text = dash + 1, .bytes = text.bytes - first.bytes - 1 };
    }
    if (!pb_number_whole(first, &year) || year < YEAR_MIN || year > YEAR_MAX)
        return false;
    year_last = year;
    if (dash != NULL && !pb_number_whole(last, &year_last))
        return false;
    if (year_last < year || year_last > YEAR_MAX)
        return false;
    *ret_year = (uint16_t)year;
    *ret_year_last = year_last == year ? 0 : (uint16_t)year_last;
    return true;
}

/* ---- documents ---- */

#define KEYS_OF_TEXT_OR_NUMBER                                                    \
    (KEY(PB_NATIVE_CAPTURED_AT) | KEY(PB_NATIVE_YEAR) | KEY(PB_NATIVE_EVENT_ID) | \
     KEY(PB_NATIVE_DELETE_AFTER))
#define KEYS_OF_BOOLEAN (KEY(PB_NATIVE_REVISES) | KEY(PB_NATIVE_CORRECTION))
/* `kind` and `ref` mean something within images only; elsewhere they may be anything. */
#define KEYS_WITHOUT_MEANING (KEY(KEY_KIND) | KEY(KEY_REF))

/* Which keys may have a value of each type. */
static const uint32_t keys_of_types[PB_JSON_TYPE_COUNT] = {
    [PB_JSON_NULL] = UINT32_MAX,
    [PB_JSON_FALSE] = KEYS_OF_BOOLEAN | KEYS_WITHOUT_MEANING,
    [PB_JSON_TRUE] = KEYS_OF_BOOLEAN | KEYS_WITHOUT_MEANING,
    [PB_JSON_NUMBER] = KEYS_OF_TEXT_OR_NUMBER | KEY(PB_NATIVE_LAT) | KEY(PB_NATIVE_LON) |
                       KEY(PB_NATIVE_HEADING_DEG) | KEY(PB_NATIVE_SPEED_KMH) | KEY(PB_NATIVE_LANE) |
                       KEY(PB_NATIVE_CONFIDENCE) | KEY(PB_NATIVE_REVISION) | KEYS_WITHOUT_MEANING,
    [PB_JSON_STRING] = KEYS_OF_TEXT_OR_NUMBER | KEY(PB_NATIVE_PLATE) | KEY(PB_NATIVE_PLATE_RAW) |
                       KEY(PB_NATIVE_JURISDICTION) | KEY(PB_NATIVE_READER) |
                       KEY(PB_NATIVE_CONFIDENCE_SCALE) | KEY(PB_NATIVE_MAKE) |
                       KEY(PB_NATIVE_MODEL) | KEY(PB_NATIVE_COLOR) | KEY(PB_NATIVE_BODY) |
                       KEY(PB_NATIVE_IDENTITY_PLATE) | KEYS_WITHOUT_MEANING,
    [PB_JSON_OBJECT] = KEYS_WITHOUT_MEANING,
    [PB_JSON_ARRAY] = KEY(PB_NATIVE_ALTERNATES) | KEY(PB_NATIVE_IMAGES) | KEYS_WITHOUT_MEANING,
};

static_assert((int)KEY_REF < (int)PB_JSON_MEMBERS_MAX, "keys fit in one word of bits");

/* One object of `alternates` or `images`: two members by key, absent ones NULL. */
static enum pb_status
take_pair(struct target *target, const struct pb_json_value *values, uint32_t object,
          uint8_t first_key, uint8_t second_key, const struct pb_json_value **ret_first,
          const struct pb_json_value **ret_second)
{
    *ret_first = NULL;
    *ret_second = NULL;
    if (values[object].type != PB_JSON_OBJECT)
        return bad(target, "have an item that is not an object");
    for (uint32_t i = object + 1; i < values[object].next; i = values[i].next) {
        const struct pb_json_value **ret = NULL;

        if (values[i].key == first_key)
            ret = ret_first;
        else if (values[i].key == second_key)
            ret = ret_second;
        if (ret == NULL)
            continue;
        if (*ret != NULL)
            return bad(target, "have an item with the same key twice");
        *ret = &values[i];
    }
    if (*ret_first != NULL && (*ret_first)->type == PB_JSON_NULL)
        *ret_first = NULL;
    if (*ret_second != NULL && (*ret_second)->type == PB_JSON_NULL)
        *ret_second = NULL;
    return PB_OK;
}

static enum pb_status
take_alternates(struct target *target, const struct pb_json_value *values, uint32_t array)
{
    for (uint32_t i = array + 1; i < values[array].next; i = values[i].next) {
        const struct pb_json_value *plate, *confidence;
        uint32_t confidence_e6 = PB_NO_CONFIDENCE;
        enum pb_status status = take_pair(target, values, i, KEY_ALTERNATE_PLATE,
                                          KEY_ALTERNATE_CONFIDENCE, &plate, &confidence);

        if (status != PB_OK)
            return status;
        if (plate == NULL || plate->type != PB_JSON_STRING)
            return bad(target, "have an item whose plate is not a string");
        if (confidence != NULL) {
            if (target->read->confidence_scale == PB_SCALE_NONE)
                return bad(target, "have a confidence where the read has none");
            if (confidence->type != PB_JSON_NUMBER ||
                confidence_on_scale(target, confidence->text, target->read->confidence_scale,
                                    &confidence_e6) != PB_OK)
                return bad(target, "have a confidence that is not a number on the read's scale");
        }
        status = pb_batch_alternate(target->batch, target->read, target->room, plate->text,
                                    confidence_e6, false);
        if (status == PB_BAD_INPUT)
            return bad(target, "have a text that cannot be a plate");
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
take_images(struct target *target, const struct pb_json_value *values, uint32_t array)
{
    for (uint32_t i = array + 1; i < values[array].next; i = values[i].next) {
        const struct pb_json_value *kind, *ref;
        struct pb_str word = { .text = "other", .bytes = 5 };
        enum pb_status status = take_pair(target, values, i, KEY_KIND, KEY_REF, &kind, &ref);

        if (status != PB_OK)
            return status;
        if (ref == NULL || ref->type != PB_JSON_STRING ||
            (kind != NULL && kind->type != PB_JSON_STRING))
            return bad(target, "have an item whose kind or ref is not a string");
        if (kind != NULL)
            word = kind->text;
        status = add_image(target, word, ref->text);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* A number may stand for an event id where it is whole. */
static bool
is_whole(struct pb_str text)
{
    for (uint32_t i = text.text[0] == '-'; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
    }
    return true;
}

/* Takes the members of values[0] apart. */
static enum pb_status
take_members(struct target *target, const struct pb_json_value *values, struct pb_native *native,
             uint32_t *ret_alternates, uint32_t *ret_images, const char **ret_field)
{
    uint32_t seen = 0;

    native->fields = 0;
    for (uint32_t i = 1; i < values[0].next; i = values[i].next) {
        const struct pb_json_value *value = &values[i];
        uint8_t key = value->key;
        uint32_t bit;

        if (key >= PB_NATIVE_COUNT)
            continue; /* `kind` and `ref` mean something within images only */
        bit = UINT32_C(1) << key;
        *ret_field = pb_native_field_name((enum pb_native_field)key);
        if (seen & bit)
            return bad(target, "stands twice");
        seen |= bit;
        if (value->type == PB_JSON_NULL)
            continue;
        if ((keys_of_types[value->type] & bit) == 0)
            return bad(target, "has a value of another type");
        if (key == PB_NATIVE_EVENT_ID && value->type == PB_JSON_NUMBER && !is_whole(value->text))
            return bad(target, "is a number that is not whole");
        if (key == PB_NATIVE_ALTERNATES) {
            *ret_alternates = i;
        } else if (key == PB_NATIVE_IMAGES) {
            *ret_images = i;
        } else {
            native->text[key].text = value->text.text;
            native->text[key].bytes = value->text.bytes;
            native->fields |= bit;
        }
    }
    return PB_OK;
}

static enum pb_status
set_arrays(struct target *target, const struct pb_json_value *values, const uint32_t *alternates,
           const uint32_t *images, const char **ret_field)
{
    enum pb_status status = PB_OK;

    if (alternates != NULL) {
        *ret_field = "alternates";
        status = take_alternates(target, values, *alternates);
    }
    if (status == PB_OK && images != NULL) {
        *ret_field = "images";
        status = take_images(target, values, *images);
    }
    return status;
}

static enum pb_status
set_document(struct target *target, const struct pb_json_value *values, struct pb_native *native,
             const char **ret_field)
{
    uint32_t alternates = 0, images = 0; /* never 0 where they are there */
    enum pb_status status = take_members(target, values, native, &alternates, &images, ret_field);

    if (status == PB_OK)
        status = set_all(target, native->fields, native->text, ret_field);
    if (status == PB_OK)
        status = set_arrays(target, values, alternates == 0 ? NULL : &alternates,
                            images == 0 ? NULL : &images, ret_field);
    return status;
}

enum pb_status
pb_native_document(struct pb_batch *batch, const struct pb_json_value *values)
{
    struct target target = { .batch = batch };
    struct pb_native native;
    const char *field = "";
    enum pb_status status;

    if (values[0].type != PB_JSON_OBJECT)
        return pb_batch_reject(batch, "", "not an object");
    target.read = pb_batch_slot(batch, &target.room);
    status = set_document(&target, values, &native, &field);
    return finish(&target, status, field);
}

/* Those of pb_json_members() whose digits are looked at here only. */
#define KEYS_OF_DECIMALS                                                    \
    (KEY(PB_NATIVE_LAT) | KEY(PB_NATIVE_LON) | KEY(PB_NATIVE_HEADING_DEG) | \
     KEY(PB_NATIVE_SPEED_KMH) | KEY(PB_NATIVE_CONFIDENCE) | KEY(PB_NATIVE_YEAR))

/* Sets what is a decimal of the usual kind and in range; false where one is another. */
static bool
set_decimals(struct pb_read *read, const struct pb_json_members *members)
{
    uint32_t fields = members->types[PB_JSON_NUMBER];
    const struct pb_str *text = members->text;
    int64_t value;

    if (fields & KEY(PB_NATIVE_LAT)) {
        if (!pb_number_json(text[PB_NATIVE_LAT], 7, &value) || value < -900000000 ||
            value > 900000000)
            return false;
        read->lat_e7 = (int32_t)value;
    }
    if (fields & KEY(PB_NATIVE_LON)) {
        if (!pb_number_json(text[PB_NATIVE_LON], 7, &value) || value < -1800000000 ||
            value > 1800000000)
            return false;
        read->lon_e7 = (int32_t)value;
    }
    if (fields & KEY(PB_NATIVE_HEADING_DEG)) {
        if (!pb_number_json_short(text[PB_NATIVE_HEADING_DEG], 2, &value) || value < 0 ||
            value >= 36000)
            return false;
        read->heading_cdeg = (uint16_t)value;
    }
    if (fields & KEY(PB_NATIVE_SPEED_KMH)) {
        if (!pb_number_json_short(text[PB_NATIVE_SPEED_KMH], 2, &value) || value < 0 ||
            value >= PB_NO_SPEED)
            return false;
        read->speed_ckmh = (uint16_t)value;
    }
    if (fields & KEY(PB_NATIVE_YEAR)) {
        if (!pb_number_json_short(text[PB_NATIVE_YEAR], 0, &value) || value < YEAR_MIN ||
            value > YEAR_MAX)
            return false;
        read->year = (uint16_t)value;
    }
    return true;
}

/* Likewise of the confidence, whose scale is known by now. */
static bool
set_decimal_confidence(struct target *target, const struct pb_json_members *members)
{
    enum pb_confidence_scale scale = target->scale;
    int64_t value;

    if ((members->types[PB_JSON_NUMBER] & KEY(PB_NATIVE_CONFIDENCE)) == 0)
        return true;
    if (!pb_number_json_short(members->text[PB_NATIVE_CONFIDENCE], 6, &value) || value < 0 ||
        value > (scale == PB_SCALE_UNIT ? 1000000 : 100000000))
        return false;
    if (scale == PB_SCALE_NONE)
        scale = value <= 1000000 ? PB_SCALE_UNIT : PB_SCALE_PERCENT;
    target->read->confidence_scale = scale;
    target->read->confidence_e6 = (uint32_t)value;
    return true;
}

/* The top bit of each byte of word that is from first to last, which are ASCII; exact in every
 * byte. */
static inline uint64_t
bytes_within(uint64_t word, uint8_t first, uint8_t last)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & 0x7F * ones;
    uint64_t from_first = low + (0x80u - first) * ones;
    uint64_t behind_last = low + (0x7Fu - last) * ones;

    return from_first & ~behind_last & ~word & 0x80 * ones;
}

/* A word of 1 to 8 bytes of text, without what is behind them. */
static inline uint64_t
without_rest(uint64_t word, uint32_t bytes)
{
    return word << 8 * (8 - bytes);
}

/* As set_plate, of a text with padding after it: nearly every one is folded as it stands. */
static inline enum pb_status
set_usual_plate(struct target *target, struct pb_str text)
{
    uint64_t word, others;

    if (text.bytes > 8)
        return set_plate(target, text);
    word = pb_word_at(text.text);
    others = ~(bytes_within(word, 'A', 'Z') | bytes_within(word, '0', '9')) &
             UINT64_C(0x8080808080808080);
    if (without_rest(others, text.bytes) != 0 || pb_plate_is_placeholder(text))
        return set_plate(target, text);
    target->read->plate = text;
    return PB_OK;
}

/* As set_jurisdiction, likewise. */
static inline enum pb_status
set_usual_jurisdiction(struct target *target, struct pb_str text)
{
    if (text.bytes <= 8)
        target->read->jurisdiction = pb_batch_jurisdiction_of_code(
            target->batch, pb_word_at(text.text) & UINT64_MAX >> 8 * (8 - text.bytes), text);
    return target->read->jurisdiction != 0 ? PB_OK : set_jurisdiction(target, text);
}

/* As pb_batch_lower, of a text with padding after it. */
static inline enum pb_status
set_lower(struct target *target, struct pb_str text, struct pb_str *ret_text)
{
    uint64_t found;

    if (text.bytes == 0)
        return PB_OK;
    if (text.bytes > 8)
        return pb_batch_lower(target->batch, text, ret_text);
    found = bytes_within(pb_word_at(text.text), 'A', 'Z');
    if (without_rest(found, text.bytes) != 0)
        return pb_batch_lower(target->batch, text, ret_text);
    *ret_text = text;
    return PB_OK;
}

#define KEYS_OF_USUAL_TEXTS                                                            \
    (KEY(PB_NATIVE_PLATE) | KEY(PB_NATIVE_JURISDICTION) | KEY(PB_NATIVE_CAPTURED_AT) | \
     KEY(PB_NATIVE_READER) | KEY(PB_NATIVE_CONFIDENCE_SCALE) | KEY(PB_NATIVE_MAKE) |   \
     KEY(PB_NATIVE_MODEL) | KEY(PB_NATIVE_COLOR) | KEY(PB_NATIVE_BODY))

/* Sets those texts that are in most lines, as set_all would, but one after another: where calls are
 * direct, and each branch has a history of its own. */
static enum pb_status
set_usual_texts(struct target *target, uint32_t fields, const struct pb_str *text)
{
    struct pb_read *read = target->read;
    enum pb_status status = PB_OK;

    if (fields & KEY(PB_NATIVE_READER))
        read->reader = text[PB_NATIVE_READER];
    if ((fields & KEY(PB_NATIVE_PLATE)) && text[PB_NATIVE_PLATE].bytes > 0)
        status = set_usual_plate(target, text[PB_NATIVE_PLATE]);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_JURISDICTION)) &&
        text[PB_NATIVE_JURISDICTION].bytes > 0)
        status = set_usual_jurisdiction(target, text[PB_NATIVE_JURISDICTION]);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_CAPTURED_AT)) &&
        text[PB_NATIVE_CAPTURED_AT].bytes > 0)
        status = set_captured_at(target, text[PB_NATIVE_CAPTURED_AT]);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_CONFIDENCE_SCALE)) &&
        text[PB_NATIVE_CONFIDENCE_SCALE].bytes > 0)
        status = set_confidence_scale(target, text[PB_NATIVE_CONFIDENCE_SCALE]);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_MAKE)))
        status = set_lower(target, text[PB_NATIVE_MAKE], &read->make);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_MODEL)))
        status = set_lower(target, text[PB_NATIVE_MODEL], &read->model);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_COLOR)))
        status = set_lower(target, text[PB_NATIVE_COLOR], &read->color);
    if (status == PB_OK && (fields & KEY(PB_NATIVE_BODY)))
        status = set_lower(target, text[PB_NATIVE_BODY], &read->body);
    return status;
}

static enum pb_status
set_members(struct target *target, const struct pb_json_members *members, const char **ret_field)
{
    const uint32_t *types = members->types;
    uint32_t fields = types[PB_JSON_STRING] | (types[PB_JSON_NUMBER] & ~KEYS_OF_DECIMALS) |
                      types[PB_JSON_TRUE] | types[PB_JSON_FALSE];
    bool has_alternates = (types[PB_JSON_ARRAY] & KEY(PB_NATIVE_ALTERNATES)) != 0;
    bool has_images = (types[PB_JSON_ARRAY] & KEY(PB_NATIVE_IMAGES)) != 0;
    enum pb_status status;

    if ((types[PB_JSON_NUMBER] & KEY(PB_NATIVE_EVENT_ID)) != 0 &&
        !is_whole(members->text[PB_NATIVE_EVENT_ID])) {
        *ret_field = "event_id";
        return bad(target, "is a number that is not whole");
    }
    fields &= KEY(PB_NATIVE_COUNT) - KEY(PB_NATIVE_PLATE); /* the known ones with a meaning */
    status = set_usual_texts(target, fields, members->text);
    if (status == PB_OK)
        status = set_each(target, fields & ~KEYS_OF_USUAL_TEXTS, members->text, ret_field);
    if (status == PB_OK)
        status = check_needed(target, fields, members->text, ret_field);
    if (status == PB_OK && !set_decimal_confidence(target, members))
        status = PB_BAD_INPUT;
    if (status == PB_OK && (has_alternates || has_images))
        status = set_arrays(target, members->values,
                            has_alternates ? &members->index[PB_NATIVE_ALTERNATES] : NULL,
                            has_images ? &members->index[PB_NATIVE_IMAGES] : NULL, ret_field);
    return status;
}

size_t
pb_native_members(struct pb_batch *batch, struct pb_json *json, size_t from, size_t to,
                  const struct pb_json_keys *keys, enum pb_status *ret_status)
{
    struct target target = { .batch = batch };
    struct pb_json_members members;
    const char *field = "";
    size_t end = pb_json_members(json, from, to, keys, keys_of_types, KEYS_OF_DECIMALS, &members);

    if (end == 0)
        return 0;
    target.read = pb_batch_slot(batch, &target.room);
    *ret_status =
        set_decimals(target.read, &members) ? set_members(&target, &members, &field) : PB_BAD_INPUT;
    if (*ret_status == PB_BAD_INPUT) {
        /* The slow way looks at the members in their order, and has the words for it. */
        pb_json_members_undo(json, &members);
        return 0;
    }
    batch->record_bytes = end - from;
    *ret_status = finish(&target, *ret_status, field);
    return end;
}
