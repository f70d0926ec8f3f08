/*
 * Catalog: opening and closing, the two connections, transactions, backup.
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog_private.h"
#include "catalog/sqlite/sqlite.h"

/* ---- files ---- */

/* The directory that holds path, so that it can be synced. */
static enum pb_status
sync_parent(const struct pb_env *env, const char *path, struct pb_error *error)
{
    char parent[PB_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);

    if (bytes >= sizeof(parent))
        return pb_fail(error, PB_OVER_LIMIT, "the path is too long");
    memcpy(parent, slash == NULL ? "." : path, bytes);
    parent[bytes] = '\0';
    return env->files->sync_directory(env->file_context, parent, error);
}

/* What a failed beginning leaves must not look like a catalog. */
static void
remove_file(const struct pb_env *env, const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
    char name[PB_PATH_BYTES_MAX];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        struct pb_text_out out = pb_text_out(name, sizeof(name) - 1);

        pb_put_text(&out, path);
        pb_put_text(&out, endings[i]);
        *out.at = '\0';
        if (!out.is_cut)
            (void)env->files->unlink(env->file_context, name, NULL);
    }
}

/* An empty file that was not there before, with its name on disk. Names, cases and contacts are
 * nobody else's business; SQLite gives its other files the same mode. */
static enum pb_status
create_file(const struct pb_env *env, const char *path, struct pb_error *error)
{
    struct pb_file *file = NULL;
    enum pb_status status;

    status = env->files->open(env->file_context, path, PB_OPEN_CREATE_PRIVATE, &file, error);
    if (status != PB_OK)
        return status == PB_NOT_FOUND
                   ? pb_fail(error, PB_E_IO, "cannot create '%s': no such directory", path)
                   : status;
    env->files->close(env->file_context, file);
    status = sync_parent(env, path, error);
    if (status != PB_OK)
        remove_file(env, path);
    return status;
}

/* ---- sides ---- */

static enum pb_status
open_side(struct pb_side *side, const struct pb_env *env, const char *path, enum pb_sql_mode mode,
          struct pb_error *error)
{
    return side->ops->open(env, path, mode, &side->sql, error);
}

static void
close_side(struct pb_side *side)
{
    if (side->sql == NULL)
        return;
    for (unsigned i = 0; i < STATEMENTS; i++) {
        side->ops->finish(side->statements[i]);
        side->statements[i] = NULL;
    }
    side->ops->close(side->sql);
    side->sql = NULL;
}

enum pb_status
pb_side_run(struct pb_side *side, struct pb_sql_statement *statement, struct pb_error *error)
{
    enum pb_status status = side->ops->step(statement, error);

    side->ops->reset(statement);
    assert(status != PB_OK); /* a row, where none was asked for */
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
read_value(struct pb_side *side, struct pb_arena *arena, struct pb_sql_statement *statement,
           const struct pb_field *field, unsigned column, struct pb_value *value,
           struct pb_error *error)
{
    struct pb_str text;
    enum pb_status status;

    *value = (struct pb_value){ .is_set = !side->ops->is_null(statement, column) };
    if (!value->is_set)
        return PB_OK;
    if (pb_kind_is_number(field->kind)) {
        value->number = side->ops->get_int(statement, column);
        return PB_OK;
    }
    status = side->ops->get_text(statement, column, &text, error);
    return status == PB_OK ? pb_copy_text(arena, text, &value->text) : status;
}

enum pb_status
pb_side_row(struct pb_side *side, struct pb_arena *arena, struct pb_sql_statement *statement,
            const struct pb_entity *entity, struct pb_tuple *ret_tuple, struct pb_error *error)
{
    ret_tuple->entity = entity;
    for (unsigned i = 0; i < entity->field_count; i++) {
        enum pb_status status =
            read_value(side, arena, statement, &entity->fields[i], i, &ret_tuple->values[i], error);

        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

enum pb_status
pb_side_find(struct pb_side *side, struct pb_arena *arena, const struct pb_entity *entity,
             struct pb_str id, struct pb_tuple *ret_tuple, struct pb_error *error)
{
    struct pb_sql_statement *statement;
    enum pb_status status;

    status = pb_side_statement(side, pb_statement_number(entity, STATEMENT_GET), &statement, error);
    if (status != PB_OK)
        return status;
    status = side->ops->bind_text(statement, 1, id, error);
    if (status == PB_OK)
        status = side->ops->step(statement, error);
    if (status == PB_OK)
        status = pb_side_row(side, arena, statement, entity, ret_tuple, error);
    side->ops->reset(statement);
    return status == PB_END ? PB_NOT_FOUND : status;
}

enum pb_status
pb_side_version(struct pb_side *side, uint64_t *ret_version, struct pb_error *error)
{
    struct pb_sql_statement *statement;
    enum pb_status status = pb_side_statement(side, STATEMENT_VERSION, &statement, error);

    if (status != PB_OK)
        return status;
    status = side->ops->step(statement, error);
    if (status == PB_OK)
        *ret_version = (uint64_t)side->ops->get_int(statement, 0);
    side->ops->reset(statement);
    return status == PB_END ? pb_fail(error, PB_E_CORRUPT, "the catalog has no version") : status;
}

/* ---- transactions ---- */

enum pb_status
pb_catalog_begin(struct pb_catalog *catalog, struct pb_error *error)
{
    struct pb_side *side = &catalog->write;
    enum pb_status status;

    if (side->sql == NULL)
        return pb_fail(error, PB_E_IO, "the catalog is open to read only");
    (void)pthread_mutex_lock(&side->lock);
    status = side->ops->begin(side->sql, true, error);
    if (status != PB_OK)
        (void)pthread_mutex_unlock(&side->lock);
    return status;
}

enum pb_status
pb_catalog_end(struct pb_catalog *catalog, enum pb_status status, struct pb_error *error)
{
    struct pb_side *side = &catalog->write;

    if (status == PB_OK)
        status = side->ops->commit(side->sql, error);
    if (status != PB_OK)
        side->ops->rollback(side->sql);
    (void)pthread_mutex_unlock(&side->lock);
    return status;
}

/* ---- opening and closing ---- */

static struct pb_catalog *
new_catalog(const struct pb_env *env, const struct pb_sql_ops *ops, const char *path)
{
    struct pb_catalog *catalog = pb_calloc(env, 1, sizeof(*catalog));
    size_t bytes = strlen(path) + 1;

    if (catalog == NULL)
        return NULL;
    catalog->path = pb_alloc(env, bytes);
    if (catalog->path == NULL) {
        pb_free(env, catalog);
        return NULL;
    }
    memcpy(catalog->path, path, bytes);
    catalog->env = env;
    catalog->ops = ops;
    catalog->read.ops = ops;
    catalog->write.ops = ops;
    /* These fail only where memory for a special kind of lock is wanted. */
    (void)pthread_mutex_init(&catalog->read.lock, NULL);
    (void)pthread_mutex_init(&catalog->write.lock, NULL);
    return catalog;
}

void
pb_catalog_close(struct pb_catalog *catalog)
{
    if (catalog == NULL)
        return;
    pb_view_forget(catalog);
    /* The writing one last, for it tidies the write-ahead log away. */
    close_side(&catalog->read);
    close_side(&catalog->write);
    (void)pthread_mutex_destroy(&catalog->read.lock);
    (void)pthread_mutex_destroy(&catalog->write.lock);
    pb_free(catalog->env, catalog->path);
    pb_free(catalog->env, catalog);
}

enum pb_status
pb_catalog_create_on(const struct pb_env *env, const struct pb_sql_ops *ops, const char *path,
                     struct pb_error *error)
{
    struct pb_side side = { .ops = ops };
    enum pb_status status = create_file(env, path, error);

    if (status != PB_OK)
        return status;
    status = open_side(&side, env, path, PB_SQL_CREATE, error);
    if (status == PB_OK)
        status = pb_schema_create(&side, error);
    close_side(&side);
    if (status != PB_OK)
        remove_file(env, path);
    return status;
}

enum pb_status
pb_catalog_create(const struct pb_env *env, const char *path, struct pb_error *error)
{
    return pb_catalog_create_on(env, pb_sqlite_ops(), path, error);
}

/* Damage is looked for before anything is believed or changed. */
static enum pb_status
open_both(struct pb_catalog *catalog, const struct pb_schema *schema, bool is_read_only,
          struct pb_error *error)
{
    const struct pb_env *env = catalog->env;
    struct pb_side *first = is_read_only ? &catalog->read : &catalog->write;
    enum pb_status status;

    status = open_side(first, env, catalog->path, is_read_only ? PB_SQL_READ : PB_SQL_WRITE, error);
    if (status == PB_OK)
        status = first->ops->check(first->sql, error);
    if (status == PB_OK)
        status = pb_schema_migrate(first, schema, is_read_only, error);
    if (status == PB_OK && !is_read_only)
        status = open_side(&catalog->read, env, catalog->path, PB_SQL_READ, error);
    return status == PB_OK ? pb_schema_check(&catalog->read, error) : status;
}

enum pb_status
pb_catalog_open_on(const struct pb_env *env, const struct pb_sql_ops *ops,
                   const struct pb_schema *schema, const char *path, bool is_read_only,
                   struct pb_catalog **ret_catalog, struct pb_error *error)
{
    struct pb_catalog *catalog = new_catalog(env, ops, path);
    enum pb_status status;

    if (catalog == NULL)
        return PB_E_NOMEM;
    status = open_both(catalog, schema, is_read_only, error);
    if (status != PB_OK) {
        pb_catalog_close(catalog);
        return status;
    }
    *ret_catalog = catalog;
    return PB_OK;
}

enum pb_status
pb_catalog_open(const struct pb_env *env, const char *path, bool is_read_only,
                struct pb_catalog **ret_catalog, struct pb_error *error)
{
    assert(env != NULL && path != NULL && ret_catalog != NULL);
    return pb_catalog_open_on(env, pb_sqlite_ops(), pb_catalog_schema(), path, is_read_only,
                              ret_catalog, error);
}

/* ---- backup ---- */

static enum pb_status
copy_to(struct pb_catalog *catalog, const char *target_path, struct pb_error *error)
{
    struct pb_sql *source = NULL, *copy = NULL;
    enum pb_status status;

    /* A connection of its own, so that nobody waits for the copy. */
    status = catalog->ops->open(catalog->env, catalog->path, PB_SQL_READ, &source, error);
    if (status == PB_OK)
        status = catalog->ops->backup(source, target_path, error);
    catalog->ops->close(source);
    if (status != PB_OK)
        return status;
    status = catalog->ops->open(catalog->env, target_path, PB_SQL_WRITE, &copy, error);
    if (status == PB_OK)
        status = catalog->ops->check(copy, error);
    catalog->ops->close(copy);
    return status;
}

enum pb_status
pb_catalog_backup(struct pb_catalog *catalog, const char *target_path, struct pb_error *error)
{
    const struct pb_env *env = catalog->env;
    enum pb_status status = create_file(env, target_path, error);

    if (status != PB_OK)
        return status;
    status = copy_to(catalog, target_path, error);
    if (status != PB_OK)
        remove_file(env, target_path);
    return status;
}
