/*
 * Describe: a program of the build that prints the entities as JSON, so that scripts/make-api
 * describes endpoints from the tables which the handlers go by.
 */
#include <inttypes.h>
#include <stdio.h>

#include "catalog/catalog.h"

/* Help and words are our own: plain ASCII. */
static void
put_text(const char *key, const char *text)
{
    if (text == NULL)
        return;
    (void)printf(",\"%s\":\"", key);
    for (; *text != '\0'; text++)
        (void)printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    (void)printf("\"");
}

static const char *
kind_name(enum pb_field_kind kind)
{
    static const char *const names[] = {
        [PB_FIELD_TEXT] = "text",
        [PB_FIELD_ID] = "id",
        [PB_FIELD_NAME] = "name",
        [PB_FIELD_CHOICE] = "choice",
        [PB_FIELD_CHOICES] = "choices",
        [PB_FIELD_LIST] = "list",
        [PB_FIELD_BOOL] = "bool",
        [PB_FIELD_NUMBER] = "number",
        [PB_FIELD_NUMBER_OR_NONE] = "number_or_none",
        [PB_FIELD_TIME] = "time",
        [PB_FIELD_JURISDICTION] = "jurisdiction",
        [PB_FIELD_DEGREES] = "degrees",
        [PB_FIELD_PLATE] = "plate",
        [PB_FIELD_SHA256] = "sha256",
    };

    return names[kind];
}

static void
put_field(const struct pb_field *field)
{
    (void)printf("{\"required\":%s,\"fixed\":%s,\"min\":%" PRId64 ",\"max\":%" PRId64,
                 field->is_required ? "true" : "false", field->is_fixed ? "true" : "false",
                 field->number_min, field->number_max);
    put_text("name", field->name);
    put_text("kind", kind_name(field->kind));
    put_text("help", field->help);
    put_text("fallback", field->fallback);
    (void)printf(",\"choices\":[");
    for (unsigned i = 0; field->choices != NULL && field->choices[i] != NULL; i++)
        (void)printf("%s\"%s\"", i > 0 ? "," : "", field->choices[i]);
    (void)printf("]}");
}

int
main(void)
{
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    (void)printf("[");
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s{\"name\":\"%s\"", i > 0 ? ",\n" : "", entities[i].name);
        put_text("plural", entities[i].plural);
        put_text("help", entities[i].help);
        (void)printf(",\"fields\":[");
        for (unsigned field = 0; field < entities[i].field_count; field++) {
            (void)printf("%s", field > 0 ? "," : "");
            put_field(&entities[i].fields[field]);
        }
        (void)printf("]}");
    }
    (void)printf("]\n");
    return 0;
}
