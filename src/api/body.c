/*
 * Body: jansson holds the object; here each key is taken once, and counted.
 */
#include "api/body.h"

#include <assert.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"

enum pb_status
pb_api_body_parse(struct pb_str body, json_t **ret_root, struct pb_api_refusal *ret_refusal)
{
    json_error_t error;
    json_t *root = json_loadb(body.text, body.bytes, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(root)) {
        *ret_root = root;
        return PB_OK;
    }
    json_decref(root);
    *ret_refusal = (struct pb_api_refusal){
        .why = "wanted is one JSON object, with each key once",
    };
    return PB_BAD_INPUT;
}

void
pb_api_refuse(struct pb_api_reading *reading, const char *field, const char *why)
{
    struct pb_api_refusal *refusal = &reading->refusal;
    struct pb_text_out out = pb_text_out(refusal->field, sizeof(refusal->field) - 1);

    if (refusal->why != NULL)
        return;
    refusal->why = why;
    pb_put_text(&out, reading->path);
    /* A key that is too long to be named is named in part; a key may be any text. */
    for (const char *at = field; *at != '\0' && !out.is_cut; at++)
        pb_put_char(&out, *at);
    if (*field == '\0' && out.at > refusal->field)
        out.at--; /* the object itself: without the dot */
    *out.at = '\0';
}

const json_t *
pb_api_take(struct pb_api_reading *reading, const char *key)
{
    assert(reading->taken_count < PB_API_KEYS_MAX);
    reading->taken[reading->taken_count++] = key;
    return json_object_get(reading->object, key);
}

void
pb_api_take_text(struct pb_api_reading *reading, const char *key, struct pb_str *ret_text)
{
    const json_t *value = pb_api_take(reading, key);

    if (value == NULL)
        return;
    if (!json_is_string(value)) {
        pb_api_refuse(reading, key, "wanted is a text");
        return;
    }
    *ret_text = (struct pb_str){ json_string_value(value), (uint32_t)json_string_length(value) };
}

void
pb_api_take_bool(struct pb_api_reading *reading, const char *key, bool *ret_is)
{
    const json_t *value = pb_api_take(reading, key);

    if (value != NULL && !json_is_boolean(value))
        pb_api_refuse(reading, key, "wanted is true or false");
    if (value != NULL)
        *ret_is = json_is_true(value);
}

int64_t
pb_api_take_number(struct pb_api_reading *reading, const char *key, int64_t min, int64_t max,
                   int64_t usual)
{
    const json_t *value = pb_api_take(reading, key);

    if (value == NULL)
        return usual;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max) {
        pb_api_refuse(reading, key, "wanted is a whole number within its bounds");
        return usual;
    }
    return json_integer_value(value);
}

double
pb_api_take_real(struct pb_api_reading *reading, const char *key, double min, double max)
{
    const json_t *value = pb_api_take(reading, key);
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= min && number <= max)) {
        pb_api_refuse(reading, key, "wanted is a number within its bounds");
        return min;
    }
    return number;
}

void
pb_api_take_time(struct pb_api_reading *reading, const char *key, int64_t *ret_us)
{
    struct pb_str text = { NULL, 0 };
    int16_t offset_min;

    pb_api_take_text(reading, key, &text);
    if (text.text != NULL && pb_time_parse(text, ret_us, &offset_min) != PB_OK)
        pb_api_refuse(reading, key, "wanted is a time as RFC 3339 writes it, with its zone");
}

void
pb_api_take_jurisdiction(struct pb_api_reading *reading, const char *key,
                         uint16_t *ret_jurisdiction)
{
    struct pb_str code = { NULL, 0 };

    pb_api_take_text(reading, key, &code);
    if (code.bytes == 0)
        return;
    *ret_jurisdiction = pb_jurisdiction_from_text(code);
    if (*ret_jurisdiction == 0)
        pb_api_refuse(reading, key, "there is no such code: US-KS or DE");
}

unsigned
pb_api_take_choice(struct pb_api_reading *reading, const char *key, const char *const *choices,
                   unsigned usual)
{
    struct pb_str text = { NULL, 0 };

    pb_api_take_text(reading, key, &text);
    if (text.text == NULL)
        return usual;
    for (unsigned i = 0; choices[i] != NULL; i++) {
        if (pb_str_equal(text, pb_str_from(choices[i])))
            return i;
    }
    pb_api_refuse(reading, key, "this is none of its words");
    return usual;
}

bool
pb_api_take_object(struct pb_api_reading *reading, const char *key,
                   struct pb_api_reading *ret_inner)
{
    const json_t *value = pb_api_take(reading, key);
    struct pb_text_out out;

    if (value == NULL)
        return false;
    if (!json_is_object(value)) {
        pb_api_refuse(reading, key, "wanted is an object");
        return false;
    }
    *ret_inner = (struct pb_api_reading){ .env = reading->env, .object = value };
    out = pb_text_out(ret_inner->path, sizeof(ret_inner->path) - 1);
    pb_put_text(&out, reading->path);
    pb_put_text(&out, key);
    pb_put_char(&out, '.');
    assert(!out.is_cut); /* what lies deeper than this is our mistake */
    *out.at = '\0';
    return true;
}

/* The first key that nobody took. */
static void
refuse_unknown(struct pb_api_reading *reading)
{
    void *at = json_object_iter((json_t *)(uintptr_t)reading->object);

    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)reading->object, at)) {
        const char *key = json_object_iter_key(at);
        bool is_taken = false;

        for (unsigned i = 0; i < reading->taken_count && !is_taken; i++)
            is_taken = strcmp(reading->taken[i], key) == 0;
        if (!is_taken)
            pb_api_refuse(reading, key, "there is no such key here");
    }
}

void
pb_api_close_object(struct pb_api_reading *reading, struct pb_api_reading *inner)
{
    refuse_unknown(inner);
    reading->is_out_of_memory |= inner->is_out_of_memory;
    if (reading->refusal.why == NULL)
        reading->refusal = inner->refusal;
}

void
pb_api_need(struct pb_api_reading *reading, const char *key, struct pb_str text)
{
    if (text.bytes == 0)
        pb_api_refuse(reading, key, "it is missing");
}

enum pb_status
pb_api_body_end(struct pb_api_reading *reading, struct pb_api_refusal *ret_refusal)
{
    refuse_unknown(reading);
    if (reading->is_out_of_memory)
        return PB_E_NOMEM;
    *ret_refusal = reading->refusal;
    return reading->refusal.why == NULL ? PB_OK : PB_BAD_INPUT;
}
