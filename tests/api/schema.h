/*
 * Does a JSON value fit a schema? Enough of JSON Schema for what api/schemas uses; a keyword that
 * is not known here fails, so that nothing is taken to be checked that is not.
 */
#ifndef PB_TESTS_API_SCHEMA_H
#define PB_TESTS_API_SCHEMA_H

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

struct schema_check {
    const json_t *document; /* the OpenAPI document */
    char where[256];        /* of what does not fit */
};

static inline bool
schema_refuse(struct schema_check *check, const char *path, const char *what)
{
    if (check->where[0] == '\0')
        (void)snprintf(check->where, sizeof(check->where), "%s: %s", path, what);
    return false;
}

static inline const json_t *
schema_follow(const struct schema_check *check, const json_t *schema)
{
    static const char begin[] = "#/components/schemas/";
    const char *reference = json_string_value(json_object_get(schema, "$ref"));

    if (reference == NULL)
        return schema;
    if (strncmp(reference, begin, sizeof(begin) - 1) != 0)
        return NULL;
    return json_object_get(json_object_get(json_object_get(check->document, "components"),
                                           "schemas"),
                           reference + sizeof(begin) - 1);
}

static inline bool
schema_is_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static inline bool
schema_fits_type(const json_t *value, const json_t *type)
{
    size_t index;
    json_t *one;

    if (json_is_string(type))
        return schema_is_type(value, json_string_value(type));
    json_array_foreach(type, index, one)
    {
        if (schema_is_type(value, json_string_value(one)))
            return true;
    }
    return false;
}

static inline bool
schema_is_one_of(const json_t *value, const json_t *list)
{
    size_t index;
    json_t *one;

    json_array_foreach(list, index, one)
    {
        if (json_equal(value, one))
            return true;
    }
    return false;
}

static inline bool schema_fits(struct schema_check *check, const char *path, const json_t *schema,
                               const json_t *value);

static inline bool
schema_fits_object(struct schema_check *check, const char *path, const json_t *schema,
                   const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *more = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member, *one;
    size_t index;

    json_array_foreach(json_object_get(schema, "required"), index, one)
    {
        if (json_object_get(value, json_string_value(one)) == NULL)
            return schema_refuse(check, path, json_string_value(one));
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *known = json_object_get(properties, key);
        char below[200];

        (void)snprintf(below, sizeof(below), "%s.%s", path, key);
        if (known == NULL && json_is_false(more))
            return schema_refuse(check, below, "not described");
        if (known != NULL && !schema_fits(check, below, known, member))
            return false;
    }
    return true;
}

/* Patterns are such as POSIX extended expressions know, too. */
static inline bool
schema_matches(const char *text, const json_t *pattern)
{
    regex_t expression;
    bool fits = regcomp(&expression, json_string_value(pattern), REG_EXTENDED | REG_NOSUB) == 0 &&
                regexec(&expression, text, 0, NULL, 0) == 0;

    regfree(&expression);
    return fits;
}

static inline bool
schema_fits_any(struct schema_check *check, const char *path, const json_t *list,
                const json_t *value)
{
    size_t index;
    json_t *one;

    json_array_foreach(list, index, one)
    {
        if (schema_fits(check, path, one, value)) {
            check->where[0] = '\0';
            return true;
        }
    }
    return false;
}

static inline bool
schema_fits(struct schema_check *check, const char *path, const json_t *schema, const json_t *value)
{
    const char *key;
    json_t *rule;

    schema = schema_follow(check, schema);
    if (schema == NULL)
        return schema_refuse(check, path, "no such schema");
    json_object_foreach((json_t *)(uintptr_t)schema, key, rule)
    {
        bool fits = true;

        if (strcmp(key, "type") == 0)
            fits = schema_fits_type(value, rule);
        else if (strcmp(key, "enum") == 0)
            fits = schema_is_one_of(value, rule);
        else if (strcmp(key, "minimum") == 0)
            fits = !json_is_number(value) || json_number_value(value) >= json_number_value(rule);
        else if (strcmp(key, "maximum") == 0)
            fits = !json_is_number(value) || json_number_value(value) <= json_number_value(rule);
        else if (strcmp(key, "minLength") == 0)
            fits = !json_is_string(value) ||
                   json_string_length(value) >= (size_t)json_integer_value(rule);
        else if (strcmp(key, "minItems") == 0)
            fits =
                !json_is_array(value) || json_array_size(value) >= (size_t)json_integer_value(rule);
        else if (strcmp(key, "pattern") == 0)
            fits = !json_is_string(value) || schema_matches(json_string_value(value), rule);
        else if (strcmp(key, "anyOf") == 0)
            fits = schema_fits_any(check, path, rule, value);
        else if (strcmp(key, "maxLength") == 0)
            fits = !json_is_string(value) ||
                   json_string_length(value) <= (size_t)json_integer_value(rule);
        else if (strcmp(key, "items") == 0) {
            size_t index;
            json_t *item;

            json_array_foreach(value, index, item)
            {
                if (!schema_fits(check, path, rule, item))
                    return false;
            }
        } else if (strcmp(key, "description") != 0 && strcmp(key, "properties") != 0 &&
                   strcmp(key, "required") != 0 && strcmp(key, "additionalProperties") != 0 &&
                   strcmp(key, "format") != 0 && strcmp(key, "examples") != 0)
            return schema_refuse(check, key, "a keyword that the test does not know");
        if (!fits)
            return schema_refuse(check, path, key);
    }
    return !json_is_object(value) || schema_fits_object(check, path, schema, value);
}

#endif
