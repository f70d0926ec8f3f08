/*
 * Queries: checked against the fields that an endpoint's description names.
 */
#include <string.h>

#include "api/api_private.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "catalog/catalog.h"

#define TEXT_BYTES_MAX 1024u

static bool
is_count(struct pb_str text, uint64_t max)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.text[i] - '0');
    }
    return text.bytes > 0 && text.bytes <= 18 && (max == 0 || number <= max);
}

uint64_t
pb_api_query_count(const struct pb_request *request, const char *name, uint64_t usual)
{
    const struct pb_str *text = pb_request_query(request, name);
    uint64_t number = 0;

    if (text == NULL)
        return usual;
    for (uint32_t i = 0; i < text->bytes; i++)
        number = number * 10 + (uint64_t)(text->text[i] - '0');
    return number;
}

static bool
fits(const struct pb_api_field *field, struct pb_str value, const char **ret_why)
{
    int64_t us;
    int16_t offset_min;

    switch (field->type) {
    case PB_API_TEXT:
        *ret_why = "the text is too long";
        return value.bytes <= TEXT_BYTES_MAX;
    case PB_API_ID:
        *ret_why = "not an id: letters, digits, and . _ : - after the first";
        return pb_catalog_is_id(value);
    case PB_API_COUNT:
        *ret_why = "not a number, or larger than it may be";
        return is_count(value, field->max);
    case PB_API_TIME:
        *ret_why = "not a time as RFC 3339 writes it";
        return pb_time_parse(value, &us, &offset_min) == PB_OK;
    case PB_API_BOOL:
        *ret_why = "true or false";
        return pb_str_equal(value, pb_str_from("true")) ||
               pb_str_equal(value, pb_str_from("false"));
    }
    return false;
}

static const struct pb_api_field *
find_field(const struct pb_api_field *fields, struct pb_str name)
{
    for (; fields->name != NULL; fields++) {
        if (pb_str_equal(name, pb_str_from(fields->name)))
            return fields;
    }
    return NULL;
}

static bool
is_repeated(const struct pb_request *request, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (pb_str_equal(request->query[i].name, request->query[index].name))
            return true;
    }
    return false;
}

bool
pb_api_query_check(const struct pb_api_field *fields, const struct pb_request *request,
                   struct pb_str *ret_field, const char **ret_why)
{
    for (uint32_t i = 0; i < request->query_count; i++) {
        const struct pb_api_field *field = find_field(fields, request->query[i].name);

        *ret_field = request->query[i].name;
        *ret_why = "this address knows no such field";
        if (field == NULL)
            return false;
        *ret_why = "the field is given twice";
        if (is_repeated(request, i))
            return false;
        if (!fits(field, request->query[i].value, ret_why))
            return false;
    }
    for (; fields->name != NULL; fields++) {
        *ret_field = pb_str_from(fields->name);
        *ret_why = "the field is missing";
        if (fields->is_required && pb_request_query(request, fields->name) == NULL)
            return false;
    }
    return true;
}
