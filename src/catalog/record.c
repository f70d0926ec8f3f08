/*
 * Records: one in, one out, all of an entity.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog_private.h"

#define ARENA_BYTES 4096u

/* ---- what is wrong, in words ---- */

enum pb_status
pb_put_fail(struct pb_put *put, unsigned field, const char *format, ...)
{
    const struct pb_value *id = &put->after.values[FIELD_ID];
    struct pb_error what = { .message = "" };
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what.message, sizeof(what.message), format, arguments);
    va_end(arguments);
    put->wrong_field = field;
    return pb_fail(put->error, PB_BAD_INPUT, "%s%s%s: %s: %.350s", put->entity->name,
                   id->is_set ? " " : "", id->is_set ? id->text.text : "",
                   put->entity->fields[field].name, what.message);
}

/* ---- put: from the record given to the tuple that would be written ---- */

static enum pb_status
parse_into(struct pb_put *put, unsigned field, const char *text)
{
    struct pb_error what = { .message = "" };
    struct pb_value value;
    enum pb_status status;
    size_t bytes = strlen(text);

    if (bytes > PB_CATALOG_LIST_BYTES_MAX)
        return pb_put_fail(put, field, "is much too long");
    status = pb_field_parse(put->arena, &put->entity->fields[field],
                            (struct pb_str){ text, (uint32_t)bytes }, pb_now_us(put->catalog->env),
                            &value, &what);
    if (status == PB_BAD_INPUT)
        return pb_put_fail(put, field, "%s", what.message);
    if (status == PB_OK)
        put->after.values[field] = value;
    return status;
}

/* Where a field is not given, or given as empty: its fallback. */
static enum pb_status
take_field(struct pb_put *put, unsigned field, const char *given)
{
    const char *fallback = put->entity->fields[field].fallback;
    enum pb_status status;

    if (given == NULL && put->exists)
        return PB_OK; /* stays as it is */
    status = parse_into(put, field, given == NULL ? "" : given);
    if (status == PB_OK && !put->after.values[field].is_set && fallback != NULL)
        status = parse_into(put, field, fallback);
    return status;
}

static enum pb_status
check_field(struct pb_put *put, unsigned field)
{
    const struct pb_field *description = &put->entity->fields[field];

    if (description->is_required && !put->after.values[field].is_set)
        return pb_put_fail(put, field, "must be given");
    if (description->is_fixed && put->exists &&
        !pb_value_equal(&put->before.values[field], &put->after.values[field]))
        return pb_put_fail(put, field, "cannot be changed once the %s is there", put->entity->name);
    return PB_OK;
}

static enum pb_status
take_fields(struct pb_put *put, const struct pb_record *record)
{
    enum pb_status status;

    if (put->exists)
        put->after = put->before;
    for (unsigned i = 1; i < put->entity->field_count; i++) {
        status = take_field(put, i, record->values[i]);
        if (status != PB_OK)
            return status;
    }
    status = pb_rules_derive(put);
    for (unsigned i = 0; status == PB_OK && i < put->entity->field_count; i++)
        status = check_field(put, i);
    return status;
}

/* ---- references ---- */

static enum pb_status
check_reference(struct pb_put *put, unsigned field, struct pb_str id)
{
    const struct pb_entity *entity = pb_catalog_entity(put->entity->fields[field].refers_to);
    struct pb_tuple tuple;
    enum pb_status status =
        pb_side_find(&put->catalog->write, put->arena, entity, id, &tuple, put->error);

    if (status == PB_NOT_FOUND)
        return pb_put_fail(put, field, "there is no %s %.*s", entity->name, (int)id.bytes, id.text);
    return status;
}

enum pb_status
pb_put_check_references(struct pb_put *put, bool to_own_kind)
{
    for (unsigned i = 0; i < put->entity->field_count; i++) {
        const struct pb_field *field = &put->entity->fields[i];
        struct pb_str text = put->after.values[i].text, id;
        bool is_list = field->kind == PB_FIELD_LIST;
        enum pb_status status = PB_OK;

        if (field->refers_to == NULL || !put->after.values[i].is_set ||
            (strcmp(field->refers_to, put->entity->name) == 0) != to_own_kind)
            continue;
        if (!is_list)
            status = check_reference(put, i, text);
        while (is_list && status == PB_OK && pb_list_next(&text, &id))
            status = check_reference(put, i, id);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* ---- put: writing ---- */

static enum pb_status
bind_value(struct pb_side *side, struct pb_sql_statement *statement, unsigned position,
           const struct pb_field *field, const struct pb_value *value, struct pb_error *error)
{
    if (!value->is_set)
        return side->ops->bind_null(statement, position, error);
    if (pb_kind_is_number(field->kind))
        return side->ops->bind_int(statement, position, value->number, error);
    return side->ops->bind_text(statement, position, value->text, error);
}

static enum pb_status
run_other(struct pb_side *side, unsigned number, struct pb_error *error)
{
    struct pb_sql_statement *statement;
    enum pb_status status = pb_side_statement(side, number, &statement, error);

    return status == PB_OK ? pb_side_run(side, statement, error) : status;
}

/* A view need not be made again for cases, which are looked up, nor for a reader's sign of life. */
static bool
is_seen_in_view(const struct pb_put *put)
{
    enum pb_entity_number entity = pb_entity_number(put->entity);

    if (entity == PB_ENTITY_CASE)
        return false;
    if (entity != PB_ENTITY_READER || !put->exists)
        return true;
    for (unsigned i = 0; i < READER_FIELDS; i++) {
        if (i != READER_HEARTBEAT && !pb_value_equal(&put->before.values[i], &put->after.values[i]))
            return true;
    }
    return false;
}

static enum pb_status
write_tuple(struct pb_put *put)
{
    struct pb_side *side = &put->catalog->write;
    struct pb_sql_statement *statement;
    enum pb_status status;

    status = pb_side_statement(side, pb_statement_number(put->entity, STATEMENT_PUT), &statement,
                               put->error);
    if (status != PB_OK)
        return status;
    for (unsigned i = 0; status == PB_OK && i < put->entity->field_count; i++)
        status = bind_value(side, statement, i + 1, &put->entity->fields[i], &put->after.values[i],
                            put->error);
    if (status != PB_OK) {
        side->ops->reset(statement);
        return status;
    }
    status = pb_side_run(side, statement, put->error);
    if (status == PB_OK && is_seen_in_view(put))
        status = run_other(side, STATEMENT_BUMP, put->error);
    return status;
}

static bool
is_same(const struct pb_put *put)
{
    for (unsigned i = 0; i < put->entity->field_count; i++) {
        if (!pb_value_equal(&put->before.values[i], &put->after.values[i]))
            return false;
    }
    return true;
}

static enum pb_status
check_mode(struct pb_put *put, enum pb_put_mode mode)
{
    const char *id = put->after.values[FIELD_ID].text.text;

    if (mode == PB_PUT_ADD && put->exists)
        return pb_fail(put->error, PB_CONFLICT, "%s %s is there already", put->entity->name, id);
    if (mode == PB_PUT_CHANGE && !put->exists)
        return pb_fail(put->error, PB_NOT_FOUND, "there is no %s %s", put->entity->name, id);
    return PB_OK;
}

static enum pb_status
find_before(struct pb_put *put, const struct pb_record *record)
{
    const char *id = record->values[FIELD_ID];
    enum pb_status status = parse_into(put, FIELD_ID, id == NULL ? "" : id);

    if (status == PB_OK)
        status = check_field(put, FIELD_ID);
    if (status != PB_OK)
        return status;
    status = pb_side_find(&put->catalog->write, put->arena, put->entity,
                          put->after.values[FIELD_ID].text, &put->before, put->error);
    put->exists = status == PB_OK;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

enum pb_status
pb_put_record(struct pb_put *put, const struct pb_record *record, enum pb_put_mode mode,
              enum pb_put_outcome *ret_outcome)
{
    enum pb_status status;

    put->exists = false;
    put->after = (struct pb_tuple){ .entity = put->entity };
    status = find_before(put, record);
    if (status == PB_OK)
        status = check_mode(put, mode);
    if (status == PB_OK)
        status = take_fields(put, record);
    if (status == PB_OK)
        status = pb_put_check_references(put, false);
    if (status == PB_OK && put->checks_own_kind)
        status = pb_put_check_references(put, true);
    if (status == PB_OK)
        status = pb_rules_of_record(put);
    if (status != PB_OK)
        return status;
    *ret_outcome = !put->exists ? PB_PUT_ADDED : is_same(put) ? PB_PUT_SAME : PB_PUT_CHANGED;
    return *ret_outcome == PB_PUT_SAME ? PB_OK : write_tuple(put);
}

enum pb_status
pb_catalog_put(struct pb_catalog *catalog, const struct pb_record *record, enum pb_put_mode mode,
               struct pb_error *error)
{
    enum pb_put_outcome outcome;
    struct pb_arena arena;
    struct pb_put put = {
        .catalog = catalog,
        .arena = &arena,
        .entity = record->entity,
        .checks_own_kind = true,
        .error = error,
    };
    enum pb_status status = pb_catalog_begin(catalog, error);

    if (status != PB_OK)
        return status;
    pb_arena_init(&arena, catalog->env, ARENA_BYTES);
    status = pb_catalog_end(catalog, pb_put_record(&put, record, mode, &outcome), error);
    pb_arena_clear(&arena);
    return status;
}

/* ---- remove ---- */

/* Any row of `by` whose field names id; a list's commas are part of what is looked for. */
static enum pb_status
prepare_referrer(struct pb_side *side, const struct pb_entity *by, const struct pb_field *field,
                 struct pb_sql_statement **ret_statement, struct pb_error *error)
{
    const char *form = field->kind == PB_FIELD_LIST
                           ? "SELECT \"id\" FROM \"%s\" WHERE replace(',' || \"%s\" || ',', "
                             "',' || $1 || ',', '') <> ',' || \"%s\" || ',' LIMIT 1"
                           : "SELECT \"id\" FROM \"%s\" WHERE \"%s\" = $1 LIMIT 1";
    char text[512];
    int length = snprintf(text, sizeof(text), form, by->name, field->name, field->name);

    assert(length > 0 && (size_t)length < sizeof(text));
    (void)length;
    return side->ops->prepare(side->sql, text, ret_statement, error);
}

static enum pb_status
check_referrer(struct pb_side *side, const struct pb_entity *by, const struct pb_field *field,
               const struct pb_entity *entity, struct pb_str id, struct pb_error *error)
{
    struct pb_sql_statement *statement = NULL;
    enum pb_status status = prepare_referrer(side, by, field, &statement, error);
    struct pb_str other;

    if (status == PB_OK)
        status = side->ops->bind_text(statement, 1, id, error);
    if (status == PB_OK)
        status = side->ops->step(statement, error);
    if (status == PB_OK)
        status = side->ops->get_text(statement, 0, &other, error);
    if (status == PB_OK)
        status =
            pb_fail(error, PB_CONFLICT, "%s %.*s is referred to by %s %.*s (%s)", entity->name,
                    (int)id.bytes, id.text, by->name, (int)other.bytes, other.text, field->name);
    side->ops->finish(statement);
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
check_referrers(struct pb_side *side, const struct pb_entity *entity, struct pb_str id,
                struct pb_error *error)
{
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < entities[i].field_count; j++) {
            const struct pb_field *field = &entities[i].fields[j];
            enum pb_status status;

            if (field->refers_to == NULL || strcmp(field->refers_to, entity->name) != 0)
                continue;
            status = check_referrer(side, &entities[i], field, entity, id, error);
            if (status != PB_OK)
                return status;
        }
    }
    return PB_OK;
}

/* Who or what audit records may speak of stays: an account that was never more than requested is
 * the one exception. */
static enum pb_status
check_never_took_part(const struct pb_tuple *tuple, struct pb_error *error)
{
    enum pb_entity_number entity = pb_entity_number(tuple->entity);
    bool is_kept =
        entity == PB_ENTITY_AGENCY || entity == PB_ENTITY_READER || entity == PB_ENTITY_PERSON;

    if (!is_kept || (entity == PB_ENTITY_PERSON &&
                     pb_str_equal(tuple->values[PERSON_STATUS].text, pb_str_from("requested"))))
        return PB_OK;
    return pb_fail(error, PB_CONFLICT,
                   "%s %s stays, so that audit records keep their meaning: set its status to "
                   "closed instead",
                   tuple->entity->name, tuple->values[FIELD_ID].text.text);
}

static enum pb_status
remove_row(struct pb_catalog *catalog, const struct pb_entity *entity, struct pb_str id,
           struct pb_error *error)
{
    struct pb_side *side = &catalog->write;
    struct pb_sql_statement *statement;
    enum pb_status status;

    status =
        pb_side_statement(side, pb_statement_number(entity, STATEMENT_REMOVE), &statement, error);
    if (status != PB_OK)
        return status;
    status = side->ops->bind_text(statement, 1, id, error);
    if (status != PB_OK) {
        side->ops->reset(statement);
        return status;
    }
    status = pb_side_run(side, statement, error);
    if (status == PB_OK && pb_entity_number(entity) != PB_ENTITY_CASE)
        status = run_other(side, STATEMENT_BUMP, error);
    return status;
}

static enum pb_status
remove_checked(struct pb_catalog *catalog, struct pb_arena *arena, const struct pb_entity *entity,
               struct pb_str id, struct pb_error *error)
{
    struct pb_tuple tuple;
    enum pb_status status = pb_side_find(&catalog->write, arena, entity, id, &tuple, error);

    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_NOT_FOUND, "there is no such %s", entity->name);
    if (status == PB_OK)
        status = check_referrers(&catalog->write, entity, id, error);
    if (status == PB_OK)
        status = check_never_took_part(&tuple, error);
    return status == PB_OK ? remove_row(catalog, entity, id, error) : status;
}

enum pb_status
pb_catalog_remove(struct pb_catalog *catalog, const struct pb_entity *entity, const char *id,
                  struct pb_error *error)
{
    struct pb_arena arena;
    enum pb_status status = pb_catalog_begin(catalog, error);

    if (status != PB_OK)
        return status;
    pb_arena_init(&arena, catalog->env, ARENA_BYTES);
    status = pb_catalog_end(catalog,
                            remove_checked(catalog, &arena, entity, pb_str_from(id), error), error);
    pb_arena_clear(&arena);
    return status;
}

/* ---- show and list ---- */

enum pb_status
pb_record_from_tuple(struct pb_arena *arena, const struct pb_tuple *tuple,
                     struct pb_record *ret_record)
{
    *ret_record = (struct pb_record){ .entity = tuple->entity };
    for (unsigned i = 0; i < tuple->entity->field_count; i++) {
        enum pb_status status = pb_field_format(arena, &tuple->entity->fields[i], &tuple->values[i],
                                                &ret_record->values[i]);

        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

enum pb_status
pb_catalog_show(struct pb_catalog *catalog, const struct pb_entity *entity, const char *id,
                pb_record_fn *each, void *context, struct pb_error *error)
{
    struct pb_record record;
    struct pb_tuple tuple;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, catalog->env, ARENA_BYTES);
    (void)pthread_mutex_lock(&catalog->read.lock);
    status = pb_side_find(&catalog->read, &arena, entity, pb_str_from(id), &tuple, error);
    (void)pthread_mutex_unlock(&catalog->read.lock);
    if (status == PB_OK)
        status = pb_record_from_tuple(&arena, &tuple, &record);
    if (status == PB_OK)
        (void)each(context, &record);
    pb_arena_clear(&arena);
    return status;
}

/* The next rows after an id, in memory: so that a listener may call the catalog, and may take its
 * time, without holding anybody up. */
static enum pb_status
read_page(struct pb_catalog *catalog, struct pb_arena *arena, const struct pb_entity *entity,
          struct pb_str after, struct pb_tuple *tuples, unsigned *ret_count, struct pb_error *error)
{
    struct pb_side *side = &catalog->read;
    struct pb_sql_statement *statement;
    unsigned count = 0;
    enum pb_status status;

    status =
        pb_side_statement(side, pb_statement_number(entity, STATEMENT_PAGE), &statement, error);
    if (status != PB_OK)
        return status;
    status = side->ops->bind_text(statement, 1, after, error);
    while (status == PB_OK) {
        status = side->ops->step(statement, error);
        if (status == PB_OK)
            status = pb_side_row(side, arena, statement, entity, &tuples[count], error);
        count += status == PB_OK;
        assert(count <= PB_PAGE_ROWS);
    }
    side->ops->reset(statement);
    *ret_count = count;
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
give_page(struct pb_arena *arena, const struct pb_tuple *tuples, unsigned count, pb_record_fn *each,
          void *context, bool *ret_goes_on)
{
    for (unsigned i = 0; i < count && *ret_goes_on; i++) {
        struct pb_record record;
        enum pb_status status = pb_record_from_tuple(arena, &tuples[i], &record);

        if (status != PB_OK)
            return status;
        *ret_goes_on = each(context, &record);
    }
    return PB_OK;
}

/* Where the next page begins: after the last id of this one. */
static enum pb_status
keep_last(const struct pb_tuple *tuple, char *last, struct pb_str *after, struct pb_error *error)
{
    struct pb_str id = tuple->values[FIELD_ID].text;

    if (id.bytes > PB_CATALOG_ID_BYTES_MAX)
        return pb_fail(error, PB_E_CORRUPT, "the catalog holds a %s with an id that is too long",
                       tuple->entity->name);
    memcpy(last, id.text, id.bytes);
    *after = (struct pb_str){ .text = last, .bytes = id.bytes };
    return PB_OK;
}

enum pb_status
pb_catalog_list(struct pb_catalog *catalog, const struct pb_entity *entity, pb_record_fn *each,
                void *context, struct pb_error *error)
{
    return pb_catalog_list_after(catalog, entity, (struct pb_str){ "", 0 }, each, context, error);
}

enum pb_status
pb_catalog_list_after(struct pb_catalog *catalog, const struct pb_entity *entity,
                      struct pb_str after, pb_record_fn *each, void *context,
                      struct pb_error *error)
{
    struct pb_tuple *tuples;
    char last[PB_CATALOG_ID_BYTES_MAX];
    enum pb_status status = PB_OK;
    bool goes_on = true;
    unsigned count = PB_PAGE_ROWS;

    if (after.bytes > PB_CATALOG_ID_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "after: too long for an id");
    tuples = pb_calloc(catalog->env, PB_PAGE_ROWS, sizeof(*tuples));
    if (tuples == NULL)
        return PB_E_NOMEM;
    while (status == PB_OK && goes_on && count == PB_PAGE_ROWS) {
        struct pb_arena arena;

        pb_arena_init(&arena, catalog->env, ARENA_BYTES);
        (void)pthread_mutex_lock(&catalog->read.lock);
        status = read_page(catalog, &arena, entity, after, tuples, &count, error);
        (void)pthread_mutex_unlock(&catalog->read.lock);
        if (status == PB_OK)
            status = give_page(&arena, tuples, count, each, context, &goes_on);
        if (status == PB_OK && count == PB_PAGE_ROWS)
            status = keep_last(&tuples[count - 1], last, &after, error);
        pb_arena_clear(&arena);
    }
    pb_free(catalog->env, tuples);
    return status;
}
