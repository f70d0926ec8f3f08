/*
 * YAML in: records of all entities, all of them or none.
 * Format: docs/formats/catalog-yaml.md
 *
 * Entities are taken in the order of their table, whatever the document's, so that references lead
 * backwards. Only people refer to their own kind (who approved whom): that is checked when all
 * of them are there.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/yaml.h"
#include "catalog/catalog_private.h"

#define TREE_ARENA_BYTES 65536u
#define RECORD_ARENA_BYTES 4096u

struct import {
    struct pb_catalog *catalog;
    struct pb_arena scratch; /* of one record */
    struct pb_catalog_changes changes;
    struct pb_error *error;
};

/* ---- shape ---- */

/* Words of the document may be anything; only plain ones are repeated in a message. */
static const char *
shown(const struct pb_yaml *scalar)
{
    return scalar->text.bytes <= PB_CATALOG_ID_BYTES_MAX && pb_text_is_plain(scalar->text)
               ? scalar->text.text
               : "...";
}

static const struct pb_entity *
entity_of(const struct pb_yaml *key)
{
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(entities[i].plural, key->text.text) == 0)
            return &entities[i];
    }
    return NULL;
}

static enum pb_status
check_root(const struct pb_yaml *root, struct pb_error *error)
{
    if (root->kind != PB_YAML_MAP)
        return pb_fail(error, PB_BAD_INPUT,
                       "line %u: a catalog is a map such as \"agencies:\" and its list",
                       root->line);
    for (uint32_t i = 0; i < root->count; i++) {
        if (entity_of(&root->keys[i]) == NULL)
            return pb_fail(error, PB_BAD_INPUT,
                           "line %u: %s is no kind of record; there are agencies, people, "
                           "readers, offences, cases, agreements, declarations and holds",
                           root->keys[i].line, shown(&root->keys[i]));
    }
    return PB_OK;
}

static int
field_index(const struct pb_entity *entity, const struct pb_yaml *key)
{
    for (unsigned i = 0; i < entity->field_count; i++) {
        if (strcmp(entity->fields[i].name, key->text.text) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- one record ---- */

/* A list of scalars as text with commas between. */
static enum pb_status
join(struct import *import, const struct pb_yaml *list, const char **ret_text)
{
    size_t bytes = 1, at = 0;
    char *text;

    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != PB_YAML_SCALAR ||
            memchr(list->items[i].text.text, ',', list->items[i].text.bytes) != NULL)
            return PB_BAD_INPUT;
        bytes += (size_t)list->items[i].text.bytes + 1;
    }
    text = pb_arena_alloc(&import->scratch, bytes);
    if (text == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < list->count; i++) {
        struct pb_str item = list->items[i].text;

        if (i > 0)
            text[at++] = ',';
        memcpy(text + at, item.text, item.bytes);
        at += item.bytes;
    }
    text[at] = '\0';
    *ret_text = text;
    return PB_OK;
}

static enum pb_status
take_value(struct import *import, const struct pb_field *field, const struct pb_yaml *value,
           const char **ret_text)
{
    if (value->kind == PB_YAML_SCALAR) {
        *ret_text = value->text.text;
        return PB_OK;
    }
    if (value->kind == PB_YAML_LIST &&
        (field->kind == PB_FIELD_LIST || field->kind == PB_FIELD_CHOICES))
        return join(import, value, ret_text);
    return PB_BAD_INPUT;
}

static const char *
id_of(const struct pb_yaml *item)
{
    const struct pb_yaml *id = pb_yaml_get(item, "id");

    return id == NULL || id->kind != PB_YAML_SCALAR ? "" : shown(id);
}

static enum pb_status
fill_record(struct import *import, const struct pb_yaml *item, struct pb_record *record)
{
    const struct pb_entity *entity = record->entity;

    if (item->kind != PB_YAML_MAP)
        return pb_fail(import->error, PB_BAD_INPUT, "line %u: %s: a record is a map of fields",
                       item->line, entity->name);
    for (uint32_t i = 0; i < item->count; i++) {
        const struct pb_yaml *key = &item->keys[i];
        int field = field_index(entity, key);
        enum pb_status status;

        if (field < 0)
            return pb_fail(import->error, PB_BAD_INPUT, "line %u: %s %s: there is no field %s",
                           key->line, entity->name, id_of(item), shown(key));
        status =
            take_value(import, &entity->fields[field], &item->items[i], &record->values[field]);
        if (status == PB_BAD_INPUT)
            return pb_fail(import->error, PB_BAD_INPUT, "line %u: %s %s: %s: must be %s",
                           item->items[i].line, entity->name, id_of(item), key->text.text,
                           item->items[i].kind == PB_YAML_LIST ? "a list of names, or one value"
                                                               : "one value, not a map");
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* With the line of the field that is wrong, or of the record where it is not there. */
static enum pb_status
with_line(struct import *import, const struct pb_yaml *item, const struct pb_put *put,
          const struct pb_error *what)
{
    const struct pb_yaml *field = pb_yaml_get(item, put->entity->fields[put->wrong_field].name);

    return pb_fail(import->error, PB_BAD_INPUT, "line %u: %.480s",
                   field == NULL ? item->line : field->line, what->message);
}

static enum pb_status
put_item(struct import *import, const struct pb_entity *entity, const struct pb_yaml *item,
         struct pb_put *put)
{
    struct pb_record record = { .entity = entity };
    enum pb_put_outcome outcome = PB_PUT_SAME;
    struct pb_error what = { .message = "" };
    enum pb_status status = fill_record(import, item, &record);

    if (status != PB_OK)
        return status;
    put->error = &what;
    status = pb_put_record(put, &record, PB_PUT_ANY, &outcome);
    if (status != PB_OK)
        return status == PB_BAD_INPUT ? with_line(import, item, put, &what)
                                      : pb_fail(import->error, status, "%s", what.message);
    import->changes.added += outcome == PB_PUT_ADDED;
    import->changes.changed += outcome == PB_PUT_CHANGED;
    import->changes.same += outcome == PB_PUT_SAME;
    return PB_OK;
}

/* ---- all of an entity ---- */

static struct pb_put
new_put(struct import *import, const struct pb_entity *entity)
{
    pb_arena_reset(&import->scratch);
    return (struct pb_put){
        .catalog = import->catalog,
        .arena = &import->scratch,
        .entity = entity,
        .checks_own_kind = false,
        .error = import->error,
    };
}

/* A record that is written already is read again, and its references looked at. */
static enum pb_status
check_own_kind(struct import *import, const struct pb_entity *entity, const struct pb_yaml *item)
{
    struct pb_put put = new_put(import, entity);
    struct pb_str id = pb_yaml_get(item, "id")->text;
    struct pb_error what = { .message = "" };
    struct pb_value parsed;
    enum pb_status status;

    /* As it was taken: without the spaces at its ends. */
    status = pb_field_parse(&import->scratch, &entity->fields[FIELD_ID], id, 0, &parsed, &what);
    if (status == PB_OK)
        status = pb_side_find(&import->catalog->write, &import->scratch, entity, parsed.text,
                              &put.after, import->error);
    if (status != PB_OK)
        return status;
    put.error = &what;
    status = pb_put_check_references(&put, true);
    if (status == PB_BAD_INPUT)
        return with_line(import, item, &put, &what);
    return status == PB_OK ? PB_OK : pb_fail(import->error, status, "%s", what.message);
}

static bool
refers_to_own_kind(const struct pb_entity *entity)
{
    for (unsigned i = 0; i < entity->field_count; i++) {
        const char *other = entity->fields[i].refers_to;

        if (other != NULL && strcmp(other, entity->name) == 0)
            return true;
    }
    return false;
}

/* ---- an id once ---- */

struct named {
    struct pb_str id; /* without the spaces at its ends, which do not count */
    unsigned line;
};

static int
compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = pb_str_compare(a->id, b->id);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* Two records of one id in one file: which of them was meant? */
static enum pb_status
check_ids(struct import *import, const struct pb_entity *entity, const struct pb_yaml *list)
{
    struct named *named = pb_calloc(import->catalog->env, list->count + 1u, sizeof(*named));
    enum pb_status status = PB_OK;
    uint32_t count = 0;

    if (named == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct pb_yaml *id =
            list->items[i].kind == PB_YAML_MAP ? pb_yaml_get(&list->items[i], "id") : NULL;

        if (id != NULL && id->kind == PB_YAML_SCALAR)
            named[count++] = (struct named){ pb_str_trim(id->text), id->line };
    }
    qsort(named, count, sizeof(*named), compare_named);
    for (uint32_t i = 1; status == PB_OK && i < count; i++) {
        if (pb_str_equal(named[i - 1].id, named[i].id))
            status = pb_fail(import->error, PB_BAD_INPUT,
                             "line %u: %s %.*s: id: is on line %u already", named[i].line,
                             entity->name, named[i].id.bytes < 64 ? (int)named[i].id.bytes : 64,
                             named[i].id.text, named[i - 1].line);
    }
    pb_free(import->catalog->env, named);
    return status;
}

static enum pb_status
take_entity(struct import *import, const struct pb_entity *entity, const struct pb_yaml *list)
{
    enum pb_status status = PB_OK;

    if (list->kind == PB_YAML_SCALAR && list->text.bytes == 0 && !list->is_quoted)
        return PB_OK; /* "people:" and nothing */
    if (list->kind != PB_YAML_LIST)
        return pb_fail(import->error, PB_BAD_INPUT, "line %u: %s: must be a list of records",
                       list->line, entity->plural);
    status = check_ids(import, entity, list);
    for (uint32_t i = 0; status == PB_OK && i < list->count; i++) {
        struct pb_put put = new_put(import, entity);

        status = put_item(import, entity, &list->items[i], &put);
    }
    if (!refers_to_own_kind(entity))
        return status;
    for (uint32_t i = 0; status == PB_OK && i < list->count; i++)
        status = check_own_kind(import, entity, &list->items[i]);
    return status;
}

static enum pb_status
take_tree(struct import *import, const struct pb_yaml *root)
{
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);
    enum pb_status status = PB_OK;

    for (size_t i = 0; status == PB_OK && i < count; i++) {
        const struct pb_yaml *list = pb_yaml_get(root, entities[i].plural);

        if (list != NULL)
            status = take_entity(import, &entities[i], list);
    }
    return status;
}

static enum pb_status
take_in_transaction(struct pb_catalog *catalog, const struct pb_yaml *root,
                    struct pb_catalog_changes *ret_changes, struct pb_error *error)
{
    struct import import = { .catalog = catalog, .error = error };
    enum pb_status status = pb_catalog_begin(catalog, error);

    if (status != PB_OK)
        return status;
    pb_arena_init(&import.scratch, catalog->env, RECORD_ARENA_BYTES);
    status = pb_catalog_end(catalog, take_tree(&import, root), error);
    pb_arena_clear(&import.scratch);
    if (status == PB_OK)
        *ret_changes = import.changes;
    return status;
}

enum pb_status
pb_catalog_from_yaml(struct pb_catalog *catalog, const char *text, size_t bytes,
                     struct pb_catalog_changes *ret_changes, struct pb_error *error)
{
    const struct pb_yaml *root = NULL;
    struct pb_arena tree;
    enum pb_status status;

    static_assert(PB_CATALOG_YAML_BYTES_MAX <= PB_YAML_BYTES_MAX, "a whole catalog is read");
    if (bytes > PB_CATALOG_YAML_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "a catalog in YAML is at most %u bytes",
                       PB_CATALOG_YAML_BYTES_MAX);
    pb_arena_init(&tree, catalog->env, TREE_ARENA_BYTES);
    status = pb_yaml_parse(&tree, (struct pb_str){ text, (uint32_t)bytes }, &root, error);
    if (status == PB_OK)
        status = check_root(root, error);
    if (status == PB_OK)
        status = take_in_transaction(catalog, root, ret_changes, error);
    pb_arena_clear(&tree);
    return status;
}
