/*
 * YAML out: the whole catalog as one document, from one moment.
 * Format: docs/formats/catalog-yaml.md
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "catalog/catalog_private.h"

#define ARENA_BYTES 8192u
#define TEXT_BYTES_MIN 4096u

/* Text that grows; a failure stays, so that it is looked at once a record. */
struct writer {
    struct pb_catalog *catalog;
    char *text; /* owned */
    size_t bytes, room;
    enum pb_status status;
    struct pb_error *error;
};

static void
grow(struct writer *writer, size_t more)
{
    size_t room = writer->room == 0 ? TEXT_BYTES_MIN : writer->room;
    char *text;

    while (room < writer->bytes + more)
        room *= 2;
    if (writer->bytes + more > PB_CATALOG_YAML_BYTES_MAX) {
        writer->status =
            pb_fail(writer->error, PB_OVER_LIMIT, "the catalog is larger than %u bytes of YAML",
                    PB_CATALOG_YAML_BYTES_MAX);
        return;
    }
    text = pb_realloc(writer->catalog->env, writer->text, room);
    if (text == NULL) {
        writer->status = PB_E_NOMEM;
        return;
    }
    writer->text = text;
    writer->room = room;
}

static void
put(struct writer *writer, const char *text, size_t bytes)
{
    if (writer->status == PB_OK && writer->room - writer->bytes < bytes)
        grow(writer, bytes);
    if (writer->status != PB_OK)
        return;
    memcpy(writer->text + writer->bytes, text, bytes);
    writer->bytes += bytes;
}

static void
put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* ---- scalars ---- */

/* What any reader of YAML takes for text though it stands without quotes: a word that begins with a
 * letter, and is none that some take for a boolean or nothing. */
static bool
is_plain_word(struct pb_str text)
{
    static const char *const reserved[] = { "y",   "n",    "yes",   "no",   "on",
                                            "off", "true", "false", "null", NULL };
    char lower[8] = { 0 };

    for (uint32_t i = 0; i < text.bytes; i++) {
        char character = text.text[i];
        bool is_letter =
            (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');

        if (!is_letter && (i == 0 || strchr("0123456789._-", character) == NULL))
            return false;
        if (i < sizeof(lower) - 1)
            lower[i] = (char)(is_letter ? character | 0x20 : character);
    }
    return text.bytes > 0 && (text.bytes > 5 || pb_choice_index(reserved, pb_str_from(lower)) < 0);
}

/* Fields hold no control characters, so two characters are all that needs care in quotes. */
static void
put_scalar(struct writer *writer, struct pb_str text)
{
    if (is_plain_word(text)) {
        put(writer, text.text, text.bytes);
        return;
    }
    put_text(writer, "\"");
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] == '"' || text.text[i] == '\\')
            put_text(writer, "\\");
        put(writer, text.text + i, 1);
    }
    put_text(writer, "\"");
}

static void
put_list(struct writer *writer, struct pb_str list)
{
    const char *before = "[";
    struct pb_str item;

    while (pb_list_next(&list, &item)) {
        put_text(writer, before);
        put_scalar(writer, item);
        before = ", ";
    }
    put_text(writer, "]");
}

static void
put_value(struct writer *writer, const struct pb_field *field, const char *text)
{
    if (field->kind == PB_FIELD_LIST || field->kind == PB_FIELD_CHOICES)
        put_list(writer, pb_str_from(text));
    else if (pb_kind_is_number(field->kind))
        put_text(writer, text); /* numbers, times, yes and no mean what they look like */
    else
        put_scalar(writer, pb_str_from(text));
}

/* ---- records ---- */

static bool
is_at_default(const struct pb_field *field, const char *text)
{
    return text == NULL || (field->fallback != NULL && strcmp(text, field->fallback) == 0);
}

static void
put_record(struct writer *writer, const struct pb_record *record)
{
    const char *before = "  - ";

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        const struct pb_field *field = &record->entity->fields[i];

        if (is_at_default(field, record->values[i]))
            continue;
        put_text(writer, before);
        put_text(writer, field->name);
        put_text(writer, ": ");
        put_value(writer, field, record->values[i]);
        put_text(writer, "\n");
        before = "    ";
    }
}

static enum pb_status
put_row(struct writer *writer, struct pb_sql_statement *statement, const struct pb_entity *entity,
        struct pb_arena *arena)
{
    struct pb_tuple tuple;
    struct pb_record record;
    enum pb_status status;

    pb_arena_reset(arena);
    status = pb_side_row(&writer->catalog->read, arena, statement, entity, &tuple, writer->error);
    if (status == PB_OK)
        status = pb_record_from_tuple(arena, &tuple, &record);
    if (status != PB_OK)
        return status;
    put_record(writer, &record);
    return writer->status;
}

static enum pb_status
put_entity(struct writer *writer, const struct pb_entity *entity, struct pb_arena *arena)
{
    struct pb_side *side = &writer->catalog->read;
    struct pb_sql_statement *statement;
    bool is_first = true;
    enum pb_status status;

    status = pb_side_statement(side, pb_statement_number(entity, STATEMENT_ALL), &statement,
                               writer->error);
    if (status != PB_OK)
        return status;
    while (status == PB_OK) {
        status = side->ops->step(statement, writer->error);
        if (status == PB_OK && is_first) {
            put_text(writer, entity->plural);
            put_text(writer, ":\n");
            is_first = false;
        }
        if (status == PB_OK)
            status = put_row(writer, statement, entity, arena);
    }
    side->ops->reset(statement);
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
put_all(struct writer *writer)
{
    struct pb_side *side = &writer->catalog->read;
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, writer->catalog->env, ARENA_BYTES);
    (void)pthread_mutex_lock(&side->lock);
    status = side->ops->begin(side->sql, false, writer->error);
    for (size_t i = 0; status == PB_OK && i < count; i++)
        status = put_entity(writer, &entities[i], &arena);
    side->ops->rollback(side->sql);
    (void)pthread_mutex_unlock(&side->lock);
    pb_arena_clear(&arena);
    return status;
}

enum pb_status
pb_catalog_to_yaml(struct pb_catalog *catalog, char **ret_text, size_t *ret_bytes,
                   struct pb_error *error)
{
    struct writer writer = { .catalog = catalog, .status = PB_OK, .error = error };
    enum pb_status status;

    put_text(&writer, "# Platebase catalog (docs/formats/catalog-yaml.md)\n");
    status = writer.status == PB_OK ? put_all(&writer) : writer.status;
    put(&writer, "", 1); /* the closing NUL does not count */
    if (status == PB_OK)
        status = writer.status;
    if (status != PB_OK) {
        pb_free(catalog->env, writer.text);
        return status;
    }
    *ret_text = writer.text;
    *ret_bytes = writer.bytes - 1;
    return PB_OK;
}
