/*
 * Schema: SQL from the tables of entities, and the way from older versions to this one.
 *
 * A new catalog is made from the tables as they are now. An older one is brought up by numbered
 * steps, each in a transaction that also sets the version; at the end every entity must find its
 * columns, so a step that was forgotten or is wrong is found at once.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "catalog/catalog_private.h"

#define SQL_BYTES_MAX 8192u

/* Steps are never changed once released: a golden database of each version is opened by a test. */
const struct pb_schema *
pb_catalog_schema(void)
{
    static const char *const steps[] = {
        "ALTER TABLE \"agency\" ADD COLUMN \"publishes_figures\" INTEGER",
        "ALTER TABLE \"agency\" ADD COLUMN \"zones\" TEXT",
    };
    static const struct pb_schema schema = { .version = 3,
                                             .steps = steps,
                                             .step_count = sizeof(steps) / sizeof(steps[0]) };

    return &schema;
}

/* ---- texts ---- */

static void
put_name(struct pb_text_out *out, const char *name)
{
    pb_put_char(out, '"');
    pb_put_text(out, name);
    pb_put_char(out, '"');
}

static void
put_names(struct pb_text_out *out, const struct pb_entity *entity)
{
    for (unsigned i = 0; i < entity->field_count; i++) {
        pb_put_text(out, i == 0 ? "" : ", ");
        put_name(out, entity->fields[i].name);
    }
}

static void
put_select(struct pb_text_out *out, const struct pb_entity *entity)
{
    pb_put_text(out, "SELECT ");
    put_names(out, entity);
    pb_put_text(out, " FROM ");
    put_name(out, entity->name);
}

static void
put_upsert(struct pb_text_out *out, const struct pb_entity *entity)
{
    pb_put_text(out, "INSERT INTO ");
    put_name(out, entity->name);
    pb_put_text(out, " (");
    put_names(out, entity);
    pb_put_text(out, ") VALUES (");
    for (unsigned i = 0; i < entity->field_count; i++) {
        pb_put_text(out, i == 0 ? "$" : ", $");
        pb_put_u64(out, i + 1);
    }
    pb_put_text(out, ") ON CONFLICT (\"id\") DO UPDATE SET ");
    for (unsigned i = 1; i < entity->field_count; i++) {
        pb_put_text(out, i == 1 ? "" : ", ");
        put_name(out, entity->fields[i].name);
        pb_put_text(out, " = excluded.");
        put_name(out, entity->fields[i].name);
    }
}

static void
put_entity_statement(struct pb_text_out *out, const struct pb_entity *entity,
                     enum pb_entity_statement statement)
{
    switch (statement) {
    case STATEMENT_GET:
        put_select(out, entity);
        pb_put_text(out, " WHERE \"id\" = $1");
        break;
    case STATEMENT_PAGE:
        put_select(out, entity);
        pb_put_text(out, " WHERE \"id\" > $1 ORDER BY \"id\" LIMIT ");
        pb_put_u64(out, PB_PAGE_ROWS);
        break;
    case STATEMENT_ALL:
        put_select(out, entity);
        pb_put_text(out, " ORDER BY \"id\"");
        break;
    case STATEMENT_COUNT:
        pb_put_text(out, "SELECT count(*) FROM ");
        put_name(out, entity->name);
        break;
    case STATEMENT_PUT:
        put_upsert(out, entity);
        break;
    default:
        assert(statement == STATEMENT_REMOVE);
        pb_put_text(out, "DELETE FROM ");
        put_name(out, entity->name);
        pb_put_text(out, " WHERE \"id\" = $1");
    }
}

static const char *
other_statement(unsigned number)
{
    switch (number) {
    case STATEMENT_VERSION:
        return "SELECT \"value\" FROM \"catalog_state\" WHERE \"name\" = 'view'";
    case STATEMENT_BUMP:
        return "UPDATE \"catalog_state\" SET \"value\" = \"value\" + 1 WHERE \"name\" = 'view'";
    case STATEMENT_ORIGINS:
        return "SELECT \"agency\", \"capture_state\", count(*) FROM \"reader\""
               " GROUP BY \"agency\", \"capture_state\" ORDER BY \"agency\", \"capture_state\"";
    case STATEMENT_NOTE_GET:
        return "SELECT \"value\" FROM \"note\" WHERE \"name\" = $1 AND \"key\" = $2";
    case STATEMENT_NOTE_PUT:
        return "INSERT INTO \"note\" (\"name\", \"key\", \"value\") VALUES ($1, $2, $3)"
               " ON CONFLICT (\"name\", \"key\") DO UPDATE SET \"value\" = excluded.\"value\"";
    case STATEMENT_NOTE_REMOVE:
        return "DELETE FROM \"note\" WHERE \"name\" = $1 AND \"key\" = $2";
    default:
        assert(number == STATEMENT_NOTE_PAGE);
        return "SELECT \"key\", \"value\" FROM \"note\" WHERE \"name\" = $1 AND \"key\" >= $2"
               " ORDER BY \"key\" LIMIT 16";
    }
}
static_assert(PB_NOTE_PAGE_ROWS == 16, "as the statement says");

enum pb_status
pb_side_statement(struct pb_side *side, unsigned number, struct pb_sql_statement **ret_statement,
                  struct pb_error *error)
{
    char text[SQL_BYTES_MAX];
    struct pb_text_out out = pb_text_out(text, sizeof(text) - 1);
    enum pb_status status = PB_OK;
    size_t count;

    assert(number < STATEMENTS);
    if (side->statements[number] == NULL) {
        if (number < STATEMENT_VERSION)
            put_entity_statement(&out, pb_catalog_entities(&count) + number / ENTITY_STATEMENTS,
                                 (enum pb_entity_statement)(number % ENTITY_STATEMENTS));
        else
            pb_put_text(&out, other_statement(number));
        assert(!out.is_cut);
        *out.at = '\0';
        status = side->ops->prepare(side->sql, text, &side->statements[number], error);
    }
    *ret_statement = side->statements[number];
    return status;
}

/* ---- tables ---- */

static void
put_column(struct pb_text_out *out, const struct pb_sql_ops *ops, const struct pb_field *field)
{
    put_name(out, field->name);
    pb_put_char(out, ' ');
    pb_put_text(out, pb_kind_is_number(field->kind) ? ops->integer_type : "TEXT");
    if (field->is_required)
        pb_put_text(out, " NOT NULL");
    if (strcmp(field->name, "id") == 0)
        pb_put_text(out, " PRIMARY KEY");
    /* The database checks single references once more; those in lists are checked by us alone.
     * Deferred, for people of one import may approve each other in any order. */
    if (field->refers_to != NULL && field->kind != PB_FIELD_LIST) {
        pb_put_text(out, " REFERENCES ");
        put_name(out, field->refers_to);
        pb_put_text(out, " (\"id\") DEFERRABLE INITIALLY DEFERRED");
    }
}

static void
put_table(struct pb_text_out *out, const struct pb_sql_ops *ops, const struct pb_entity *entity)
{
    pb_put_text(out, "CREATE TABLE ");
    put_name(out, entity->name);
    pb_put_text(out, " (");
    for (unsigned i = 0; i < entity->field_count; i++) {
        pb_put_text(out, i == 0 ? "" : ", ");
        put_column(out, ops, &entity->fields[i]);
    }
    pb_put_char(out, ')');
    pb_put_text(out, ops->table_suffix);
}

static void
put_state_table(struct pb_text_out *out, const struct pb_sql_ops *ops)
{
    pb_put_text(out, "CREATE TABLE \"catalog_state\" (\"name\" TEXT NOT NULL PRIMARY KEY, "
                     "\"value\" ");
    pb_put_text(out, ops->integer_type);
    pb_put_text(out, " NOT NULL)");
    pb_put_text(out, ops->table_suffix);
}

static void
put_note_table(struct pb_text_out *out, const struct pb_sql_ops *ops)
{
    pb_put_text(out, "CREATE TABLE \"note\" (\"name\" TEXT NOT NULL, \"key\" TEXT NOT NULL, "
                     "\"value\" TEXT NOT NULL, PRIMARY KEY (\"name\", \"key\"))");
    pb_put_text(out, ops->table_suffix);
}

static enum pb_status
run_text(struct pb_side *side, struct pb_text_out *out, char *text, struct pb_error *error)
{
    assert(!out->is_cut);
    *out->at = '\0';
    return side->ops->exec(side->sql, text, error);
}

static enum pb_status
create_tables(struct pb_side *side, struct pb_error *error)
{
    char text[SQL_BYTES_MAX];
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);
    enum pb_status status = PB_OK;

    for (size_t i = 0; status == PB_OK && i < count + 2; i++) {
        struct pb_text_out out = pb_text_out(text, sizeof(text) - 1);

        if (i < count)
            put_table(&out, side->ops, &entities[i]);
        else if (i == count)
            put_state_table(&out, side->ops);
        else
            put_note_table(&out, side->ops);
        status = run_text(side, &out, text, error);
    }
    if (status != PB_OK)
        return status;
    return side->ops->exec(side->sql,
                           "INSERT INTO \"catalog_state\" (\"name\", \"value\") VALUES ('view', 1)",
                           error);
}

/* ---- versions ---- */

enum pb_status
pb_schema_create(struct pb_side *side, struct pb_error *error)
{
    enum pb_status status = side->ops->begin(side->sql, true, error);

    if (status != PB_OK)
        return status;
    status = create_tables(side, error);
    if (status == PB_OK)
        status = side->ops->set_version(side->sql, pb_catalog_schema()->version, error);
    if (status == PB_OK)
        status = side->ops->commit(side->sql, error);
    if (status != PB_OK)
        side->ops->rollback(side->sql);
    return status;
}

/* One step; the version is read again within the transaction, for another process may have made
 * the step meanwhile. */
static enum pb_status
take_step(struct pb_side *side, const struct pb_schema *schema, int64_t *version,
          struct pb_error *error)
{
    enum pb_status status = side->ops->begin(side->sql, true, error);

    if (status != PB_OK)
        return status;
    status = side->ops->get_version(side->sql, version, error);
    if (status == PB_OK && *version < schema->version) {
        status = side->ops->exec(side->sql, schema->steps[*version - 1], error);
        *version += 1;
        if (status == PB_OK)
            status = side->ops->set_version(side->sql, *version, error);
    }
    if (status == PB_OK)
        status = side->ops->commit(side->sql, error);
    if (status != PB_OK)
        side->ops->rollback(side->sql);
    return status;
}

enum pb_status
pb_schema_migrate(struct pb_side *side, const struct pb_schema *schema, bool is_read_only,
                  struct pb_error *error)
{
    int64_t version = 0;
    enum pb_status status = side->ops->get_version(side->sql, &version, error);

    assert(schema->version == 1 + (int64_t)schema->step_count);
    if (status != PB_OK)
        return status;
    if (version < 1)
        return pb_fail(error, PB_E_CORRUPT,
                       "the catalog has no tables: its making was cut short; make it again");
    if (version > schema->version)
        return pb_fail(error, PB_E_VERSION,
                       "the catalog is of version %lld; this program knows up to %lld",
                       (long long)version, (long long)schema->version);
    if (version < schema->version && is_read_only)
        return pb_fail(error, PB_E_VERSION,
                       "the catalog is of version %lld and must be opened for writing once, to "
                       "bring it to %lld",
                       (long long)version, (long long)schema->version);
    while (status == PB_OK && version < schema->version)
        status = take_step(side, schema, &version, error);
    return status;
}

enum pb_status
pb_schema_check(struct pb_side *side, struct pb_error *error)
{
    /* A statement that names all columns cannot be prepared where one is missing. */
    for (unsigned number = 0; number < STATEMENTS; number++) {
        struct pb_sql_statement *statement;
        enum pb_status status;

        if (number < STATEMENT_VERSION && number % ENTITY_STATEMENTS != STATEMENT_GET)
            continue;
        status = pb_side_statement(side, number, &statement, error);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}
