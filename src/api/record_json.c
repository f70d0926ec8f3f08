/*
 * Records as JSON: each kind of field in its own shape, and back to the text that the catalog
 * takes.
 */
#include "api/record_json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/http.h"

#define DEGREE_DECIMALS 7
#define SHOWN_BYTES_MAX 64u

/* ---- out ---- */

static void
put_list(struct pb_reply *reply, const char *text)
{
    const char *before = "[";

    for (;;) {
        size_t bytes = strcspn(text, ",");

        pb_reply_put_text(reply, before);
        pb_reply_put_json(reply, (struct pb_str){ text, (uint32_t)bytes });
        if (text[bytes] == '\0')
            break;
        text += bytes + 1;
        before = ",";
    }
    pb_reply_put_text(reply, "]");
}

static void
put_value(struct pb_reply *reply, const struct pb_field *field, const char *text)
{
    switch (field->kind) {
    case PB_FIELD_BOOL:
        pb_reply_put_text(reply, strcmp(text, "yes") == 0 ? "true" : "false");
        return;
    case PB_FIELD_NUMBER:
    case PB_FIELD_DEGREES:
        pb_reply_put_text(reply, text);
        return;
    case PB_FIELD_CHOICES:
    case PB_FIELD_LIST:
        put_list(reply, text);
        return;
    case PB_FIELD_NUMBER_OR_NONE:
        if (strcmp(text, "none") == 0)
            break;
        pb_reply_put_text(reply, text);
        return;
    case PB_FIELD_TEXT:
    case PB_FIELD_ID:
    case PB_FIELD_NAME:
    case PB_FIELD_CHOICE:
    case PB_FIELD_TIME:
    case PB_FIELD_JURISDICTION:
    case PB_FIELD_PLATE:
    case PB_FIELD_SHA256:
        break;
    }
    pb_reply_put_json(reply, pb_str_from(text));
}

void
pb_api_record_put(struct pb_reply *reply, const struct pb_record *record)
{
    const char *before = "{";

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (record->values[i] == NULL)
            continue;
        pb_reply_put_text(reply, before);
        pb_reply_put_json(reply, pb_str_from(record->entity->fields[i].name));
        pb_reply_put_text(reply, ":");
        put_value(reply, &record->entity->fields[i], record->values[i]);
        before = ",";
    }
    pb_reply_put_text(reply, "}");
}

/* ---- in ---- */

struct reading {
    struct pb_arena *arena;
    const struct pb_field *field;
    const char *why; /* static; NULL: nothing is wrong */
};

static enum pb_status
refuse(struct reading *reading, const char *why)
{
    reading->why = why;
    return PB_BAD_INPUT;
}

static enum pb_status
keep(struct reading *reading, struct pb_str text, const char **ret_text)
{
    *ret_text = pb_arena_text(reading->arena, text);
    return *ret_text != NULL ? PB_OK : PB_E_NOMEM;
}

static enum pb_status
read_text(struct reading *reading, const json_t *value, const char **ret_text)
{
    if (!json_is_string(value) || json_string_length(value) == 0)
        return refuse(reading, "wanted is a text");
    return keep(reading,
                (struct pb_str){ json_string_value(value), (uint32_t)json_string_length(value) },
                ret_text);
}

static enum pb_status
read_number(struct reading *reading, const json_t *value, const char **ret_text)
{
    char text[24];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    if (!json_is_integer(value))
        return refuse(reading, reading->field->kind == PB_FIELD_NUMBER
                                   ? "wanted is a whole number"
                                   : "wanted is a whole number, or none");
    pb_put_i64(&out, json_integer_value(value));
    return keep(reading, (struct pb_str){ text, (uint32_t)(out.at - text) }, ret_text);
}

static enum pb_status
read_degrees(struct reading *reading, const json_t *value, const char **ret_text)
{
    double number = json_number_value(value);
    char text[32];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    if (!json_is_number(value) || !(fabs(number) <= 360))
        return refuse(reading, "wanted is a number of degrees");
    pb_put_fixed(&out, llround(number * 1e7), DEGREE_DECIMALS, 0);
    return keep(reading, (struct pb_str){ text, (uint32_t)(out.at - text) }, ret_text);
}

/* Items with commas between them, which none of them may hold itself. */
static enum pb_status
read_list(struct reading *reading, const json_t *value, const char **ret_text)
{
    char *text;
    size_t bytes = 0, index;
    json_t *item;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(reading, "wanted is a list of texts");
    json_array_foreach(value, index, item)
    {
        if (!json_is_string(item) || json_string_length(item) == 0 ||
            memchr(json_string_value(item), ',', json_string_length(item)) != NULL)
            return refuse(reading, "wanted is a list of texts without commas");
        bytes += json_string_length(item) + 1;
    }
    text = pb_arena_alloc(reading->arena, bytes);
    if (text == NULL)
        return PB_E_NOMEM;
    *ret_text = text;
    json_array_foreach(value, index, item)
    {
        memcpy(text, json_string_value(item), json_string_length(item));
        text += json_string_length(item);
        *text++ = ',';
    }
    text[-1] = '\0';
    return PB_OK;
}

static enum pb_status
read_value(struct reading *reading, const json_t *value, const char **ret_text)
{
    switch (reading->field->kind) {
    case PB_FIELD_BOOL:
        if (!json_is_boolean(value))
            return refuse(reading, "wanted is true or false");
        *ret_text = json_is_true(value) ? "yes" : "no";
        return PB_OK;
    case PB_FIELD_NUMBER_OR_NONE:
        if (json_is_string(value) && strcmp(json_string_value(value), "none") == 0) {
            *ret_text = "none";
            return PB_OK;
        }
        return read_number(reading, value, ret_text);
    case PB_FIELD_NUMBER:
        return read_number(reading, value, ret_text);
    case PB_FIELD_DEGREES:
        return read_degrees(reading, value, ret_text);
    case PB_FIELD_CHOICES:
    case PB_FIELD_LIST:
        return read_list(reading, value, ret_text);
    case PB_FIELD_TEXT:
    case PB_FIELD_ID:
    case PB_FIELD_NAME:
    case PB_FIELD_CHOICE:
    case PB_FIELD_TIME:
    case PB_FIELD_JURISDICTION:
    case PB_FIELD_PLATE:
    case PB_FIELD_SHA256:
        break;
    }
    return read_text(reading, value, ret_text);
}

static int
field_index(const struct pb_entity *entity, const char *name)
{
    for (unsigned i = 0; i < entity->field_count; i++) {
        if (strcmp(entity->fields[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static enum pb_status
read_member(struct reading *reading, const struct pb_entity *entity, bool is_change,
            const char *key, const json_t *value, struct pb_record *record)
{
    int index = field_index(entity, key);

    if (index < 0 || (is_change && index == 0))
        return refuse(reading, "there is no such field");
    reading->field = &entity->fields[index];
    if (!is_change || !json_is_null(value))
        return read_value(reading, value, &record->values[index]);
    if (reading->field->is_required)
        return refuse(reading, "it cannot be cleared");
    record->values[index] = "";
    return PB_OK;
}

static enum pb_status
read_object(struct reading *reading, const struct pb_entity *entity, bool is_change, json_t *root,
            struct pb_record *record, const char **ret_field)
{
    enum pb_status status = PB_OK;
    const char *key;
    json_t *value;

    json_object_foreach(root, key, value)
    {
        status = read_member(reading, entity, is_change, key, value, record);
        if (status == PB_BAD_INPUT) {
            size_t bytes = strlen(key);
            struct pb_str shown = { key,
                                    bytes < SHOWN_BYTES_MAX ? (uint32_t)bytes : SHOWN_BYTES_MAX };

            if (keep(reading, shown, ret_field) != PB_OK)
                return PB_E_NOMEM;
        }
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

enum pb_status
pb_api_record_parse(struct pb_arena *arena, const struct pb_entity *entity, bool is_change,
                    struct pb_str body, struct pb_record *ret_record, const char **ret_field,
                    const char **ret_why)
{
    struct reading reading = { .arena = arena, .why = "wanted is one JSON object, each key once" };
    struct pb_record record = { .entity = entity };
    json_error_t error;
    json_t *root = json_loadb(body.text, body.bytes, JSON_REJECT_DUPLICATES, &error);
    enum pb_status status = PB_BAD_INPUT;

    *ret_field = "";
    if (json_is_object(root))
        status = read_object(&reading, entity, is_change, root, &record, ret_field);
    json_decref(root);
    if (status == PB_OK)
        *ret_record = record;
    *ret_why = reading.why;
    return status;
}
