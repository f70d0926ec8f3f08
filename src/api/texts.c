/*
 * Texts: pairs of texts against a table of fields.
 */
#include "api/texts.h"

#include <jansson.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "net/target.h"

struct reading {
    struct pb_arena *arena;
    const struct pb_api_text_field *fields;
    unsigned count;
    unsigned seen; /* a bit for each field */
    const char *field, *why;
};

static enum pb_status
refuse(struct reading *reading, const char *field, const char *why)
{
    reading->field = field;
    reading->why = why;
    return PB_BAD_INPUT;
}

static enum pb_status
take(struct reading *reading, struct pb_str name, const struct pb_str *value)
{
    for (unsigned i = 0; i < reading->count; i++) {
        const struct pb_api_text_field *field = &reading->fields[i];

        if (!pb_str_equal(name, pb_str_from(field->name)))
            continue;
        if ((reading->seen & 1u << i) != 0)
            return refuse(reading, field->name, "given twice");
        if (value == NULL)
            return refuse(reading, field->name, "wanted is a text");
        if (value->bytes > field->bytes_max)
            return refuse(reading, field->name, "the text is too long");
        reading->seen |= 1u << i;
        return pb_arena_copy(reading->arena, *value, field->place);
    }
    return refuse(reading, "", "a field that this address does not know");
}

static enum pb_status
read_json(struct reading *reading, struct pb_str body)
{
    json_t *root = json_loadb(body.text, body.bytes, JSON_REJECT_DUPLICATES, NULL);
    enum pb_status status = PB_OK;
    const char *key;
    json_t *value;

    if (!json_is_object(root)) {
        json_decref(root);
        return refuse(reading, "", "wanted is a JSON object, each key once");
    }
    json_object_foreach(root, key, value)
    {
        struct pb_str text = { json_string_value(value), (uint32_t)json_string_length(value) };

        status = take(reading, pb_str_from(key), json_is_string(value) ? &text : NULL);
        if (status != PB_OK)
            break;
    }
    json_decref(root);
    return status;
}

static enum pb_status
read_form(struct reading *reading, struct pb_str body)
{
    char *text = pb_arena_alloc(reading->arena, (size_t)body.bytes + 2);
    struct pb_target target;
    enum pb_status status;

    if (text == NULL)
        return PB_E_NOMEM;
    /* A form is written as a query is. */
    memcpy(text, "/?", 2);
    if (body.bytes > 0)
        memcpy(text + 2, body.text, body.bytes);
    status = pb_target_parse(reading->arena, (struct pb_str){ text, body.bytes + 2 }, &target);
    if (status == PB_BAD_INPUT || status == PB_OVER_LIMIT)
        return refuse(reading, "", "not what a form sends");
    for (uint32_t i = 0; status == PB_OK && i < target.query_count; i++)
        status = take(reading, target.query[i].name, &target.query[i].value);
    return status;
}

enum pb_status
pb_api_texts_read(struct pb_arena *arena, struct pb_str body, bool is_form,
                 const struct pb_api_text_field *fields, unsigned count, const char **ret_field,
                 const char **ret_why)
{
    struct reading reading = { .arena = arena, .fields = fields, .count = count };
    enum pb_status status = is_form ? read_form(&reading, body) : read_json(&reading, body);

    for (unsigned i = 0; status == PB_OK && i < count; i++) {
        if (fields[i].is_required && (reading.seen & 1u << i) == 0)
            status = refuse(&reading, fields[i].name, "the field is missing");
    }
    *ret_field = reading.field;
    *ret_why = reading.why;
    return status;
}
