/*
 * SQLite behind catalog/sql.h: what it calls failure in our words, and its doors closed.
 *
 * Nothing of SQLite is open that the catalog does not use: no attached databases, no writing to
 * the schema but by us, no double-quoted strings, no triggers or views, low limits. What a damaged
 * or forged file can reach is small then.
 */
#include "catalog/sqlite/sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/env.h"
#include "base/limits.h"

#define BUSY_WAIT_MS 10000
#define BACKUP_PAGES 1024

struct pb_sql {
    const struct pb_env *env; /* borrowed */
    sqlite3 *database;        /* owned */
    sqlite3_stmt *data_version;
};

/* A pb_sql_statement is SQLite's own; there is nothing to add to it. */
static sqlite3_stmt *
own(struct pb_sql_statement *statement)
{
    return (sqlite3_stmt *)statement;
}

/* ---- failures ---- */

static enum pb_status
status_of(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return PB_E_NOMEM;
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return PB_E_NOMEM;
    case SQLITE_FULL:
        return PB_E_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PB_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR: /* our own statements are right: the schema is not what it should be */
    case SQLITE_MISMATCH:
        return PB_E_CORRUPT;
    case SQLITE_NOTADB:
        return PB_E_NOT_STORE;
    case SQLITE_CONSTRAINT:
        return PB_CONFLICT;
    case SQLITE_TOOBIG:
        return PB_OVER_LIMIT;
    default:
        return PB_E_IO;
    }
}

static enum pb_status
failed(sqlite3 *database, int code, struct pb_error *error)
{
    const char *what = database == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(database);
    const char *path = database == NULL ? NULL : sqlite3_db_filename(database, NULL);

    return pb_fail(error, status_of(code), "catalog '%s': %s", path == NULL ? "" : path, what);
}

static enum pb_status
judge(struct pb_sql *sql, int code, struct pb_error *error)
{
    return code == SQLITE_OK ? PB_OK : failed(sql->database, code, error);
}

/* ---- opening ---- */

static void
lower_limits(sqlite3 *database)
{
    static const struct {
        int which, value;
    } limits[] = {
        { SQLITE_LIMIT_LENGTH, 2 * PB_CATALOG_NOTE_BYTES_MAX },
        { SQLITE_LIMIT_SQL_LENGTH, 16384 },
        { SQLITE_LIMIT_COLUMN, 64 },
        { SQLITE_LIMIT_EXPR_DEPTH, 20 },
        { SQLITE_LIMIT_COMPOUND_SELECT, 2 },
        { SQLITE_LIMIT_VDBE_OP, 25000 },
        { SQLITE_LIMIT_FUNCTION_ARG, 8 },
        { SQLITE_LIMIT_ATTACHED, 0 },
        { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64 },
        { SQLITE_LIMIT_VARIABLE_NUMBER, 32 },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
        { SQLITE_LIMIT_WORKER_THREADS, 0 },
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        (void)sqlite3_limit(database, limits[i].which, limits[i].value);
}

static int
close_doors(sqlite3 *database)
{
    static const struct {
        int which, value;
    } switches[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },        { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
    };

    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        int code = sqlite3_db_config(database, switches[i].which, switches[i].value, NULL);

        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static enum pb_status
run(struct pb_sql *sql, const char *text, struct pb_error *error)
{
    return judge(sql, sqlite3_exec(sql->database, text, NULL, NULL, NULL), error);
}

static enum pb_status
number_of(struct pb_sql *sql, const char *pragma, int64_t *ret_number, struct pb_error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sql->database, pragma, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    if (code != SQLITE_OK)
        (void)failed(sql->database, code, error);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_OK ? PB_OK : status_of(code);
}

static enum pb_status
check_owner(struct pb_sql *sql, struct pb_error *error)
{
    int64_t id = 0;
    enum pb_status status = number_of(sql, "PRAGMA application_id", &id, error);

    if (status != PB_OK || id == PB_SQLITE_APPLICATION_ID)
        return status;
    return pb_fail(error, PB_E_NOT_STORE, "'%s' is not a Platebase catalog",
                   sqlite3_db_filename(sql->database, NULL));
}

static enum pb_status
set_up(struct pb_sql *sql, enum pb_sql_mode mode, struct pb_error *error)
{
    char claim[64];
    enum pb_status status;
    int code, length;

    lower_limits(sql->database);
    code = close_doors(sql->database);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(sql->database, BUSY_WAIT_MS);
    if (code != SQLITE_OK)
        return failed(sql->database, code, error);
    status = run(sql,
                 "PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
                 "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON",
                 error);
    if (status != PB_OK)
        return status;
    if (mode != PB_SQL_CREATE)
        return check_owner(sql, error);
    length = snprintf(claim, sizeof(claim), "PRAGMA application_id=%d; PRAGMA journal_mode=WAL",
                      PB_SQLITE_APPLICATION_ID);
    assert(length > 0 && (size_t)length < sizeof(claim));
    (void)length;
    return run(sql, claim, error);
}

static void
sqlite_close(struct pb_sql *sql)
{
    int code;

    if (sql == NULL)
        return;
    (void)sqlite3_finalize(sql->data_version);
    code = sqlite3_close(sql->database);
    assert(code == SQLITE_OK); /* else a statement was forgotten */
    (void)code;
    pb_free(sql->env, sql);
}

static enum pb_status
sqlite_open(const struct pb_env *env, const char *place, enum pb_sql_mode mode,
            struct pb_sql **ret_sql, struct pb_error *error)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
                (mode == PB_SQL_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    struct pb_sql *sql = pb_calloc(env, 1, sizeof(*sql));
    enum pb_status status;
    int code;

    if (sql == NULL)
        return PB_E_NOMEM;
    sql->env = env;
    code = sqlite3_open_v2(place, &sql->database, flags, NULL);
    status = code == SQLITE_OK ? set_up(sql, mode, error) : failed(sql->database, code, error);
    if (status != PB_OK)
        goto out;
    *ret_sql = sql;
    sql = NULL;

out:
    sqlite_close(sql);
    return status;
}

static enum pb_status
sqlite_check(struct pb_sql *sql, struct pb_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum pb_status status = PB_OK;
    const char *text;
    int code = sqlite3_prepare_v2(sql->database, "PRAGMA quick_check(1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code != SQLITE_ROW) {
        status = failed(sql->database, code, error);
        goto out;
    }
    text = (const char *)sqlite3_column_text(statement, 0);
    if (text == NULL)
        status = PB_E_NOMEM;
    else if (strcmp(text, "ok") != 0)
        status = pb_fail(error, PB_E_CORRUPT, "catalog '%s' is damaged: %.200s",
                         sqlite3_db_filename(sql->database, NULL), text);

out:
    (void)sqlite3_finalize(statement);
    return status;
}

/* ---- versions ---- */

static enum pb_status
sqlite_get_version(struct pb_sql *sql, int64_t *ret_version, struct pb_error *error)
{
    return number_of(sql, "PRAGMA user_version", ret_version, error);
}

static enum pb_status
sqlite_set_version(struct pb_sql *sql, int64_t version, struct pb_error *error)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "PRAGMA user_version=%lld", (long long)version);

    assert(length > 0 && (size_t)length < sizeof(text));
    (void)length;
    return run(sql, text, error);
}

static enum pb_status
sqlite_data_version(struct pb_sql *sql, int64_t *ret_version, struct pb_error *error)
{
    int code = SQLITE_OK;

    if (sql->data_version == NULL)
        code = sqlite3_prepare_v3(sql->database, "PRAGMA data_version", -1,
                                  SQLITE_PREPARE_PERSISTENT, &sql->data_version, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(sql->data_version);
    if (code == SQLITE_ROW) {
        *ret_version = sqlite3_column_int64(sql->data_version, 0);
        code = sqlite3_reset(sql->data_version);
    } else if (sql->data_version != NULL) {
        (void)sqlite3_reset(sql->data_version);
    }
    return judge(sql, code, error);
}

/* ---- transactions ---- */

static enum pb_status
sqlite_begin(struct pb_sql *sql, bool is_writing, struct pb_error *error)
{
    return run(sql, is_writing ? "BEGIN IMMEDIATE" : "BEGIN", error);
}

static enum pb_status
sqlite_commit(struct pb_sql *sql, struct pb_error *error)
{
    return run(sql, "COMMIT", error);
}

static void
sqlite_rollback(struct pb_sql *sql)
{
    /* Some failures have rolled back already. Where this fails too, so does the next begin. */
    if (!sqlite3_get_autocommit(sql->database))
        (void)sqlite3_exec(sql->database, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- statements ---- */

static enum pb_status
sqlite_prepare(struct pb_sql *sql, const char *text, struct pb_sql_statement **ret_statement,
               struct pb_error *error)
{
    sqlite3_stmt *statement = NULL;
    int code =
        sqlite3_prepare_v3(sql->database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

    if (code != SQLITE_OK)
        return failed(sql->database, code, error);
    assert(statement != NULL);
    *ret_statement = (struct pb_sql_statement *)statement;
    return PB_OK;
}

static void
sqlite_finish(struct pb_sql_statement *statement)
{
    (void)sqlite3_finalize(own(statement));
}

static enum pb_status
judge_statement(struct pb_sql_statement *statement, int code, struct pb_error *error)
{
    return code == SQLITE_OK ? PB_OK : failed(sqlite3_db_handle(own(statement)), code, error);
}

static enum pb_status
sqlite_bind_text(struct pb_sql_statement *statement, unsigned position, struct pb_str text,
                 struct pb_error *error)
{
    const char *bytes = text.bytes == 0 ? "" : text.text; /* NULL would bind no value */

    return judge_statement(statement,
                           sqlite3_bind_text64(own(statement), (int)position, bytes, text.bytes,
                                               SQLITE_STATIC, SQLITE_UTF8),
                           error);
}

static enum pb_status
sqlite_bind_int(struct pb_sql_statement *statement, unsigned position, int64_t value,
                struct pb_error *error)
{
    return judge_statement(statement, sqlite3_bind_int64(own(statement), (int)position, value),
                           error);
}

static enum pb_status
sqlite_bind_null(struct pb_sql_statement *statement, unsigned position, struct pb_error *error)
{
    return judge_statement(statement, sqlite3_bind_null(own(statement), (int)position), error);
}

static enum pb_status
sqlite_step(struct pb_sql_statement *statement, struct pb_error *error)
{
    int code = sqlite3_step(own(statement));

    if (code == SQLITE_ROW)
        return PB_OK;
    if (code == SQLITE_DONE)
        return PB_END;
    return failed(sqlite3_db_handle(own(statement)), code, error);
}

static bool
sqlite_is_null(struct pb_sql_statement *statement, unsigned column)
{
    return sqlite3_column_type(own(statement), (int)column) == SQLITE_NULL;
}

static int64_t
sqlite_get_int(struct pb_sql_statement *statement, unsigned column)
{
    return sqlite3_column_int64(own(statement), (int)column);
}

static enum pb_status
sqlite_get_text(struct pb_sql_statement *statement, unsigned column, struct pb_str *ret_text,
                struct pb_error *error)
{
    const char *text;

    /* The type before the text, which would convert it. */
    if (sqlite3_column_type(own(statement), (int)column) != SQLITE_TEXT)
        return pb_fail(error, PB_E_CORRUPT, "catalog: a column that should be text is not");
    text = (const char *)sqlite3_column_text(own(statement), (int)column);
    if (text == NULL)
        return PB_E_NOMEM;
    *ret_text = (struct pb_str){
        .text = text,
        .bytes = (uint32_t)sqlite3_column_bytes(own(statement), (int)column),
    };
    return PB_OK;
}

static void
sqlite_reset(struct pb_sql_statement *statement)
{
    (void)sqlite3_reset(own(statement)); /* repeats what step said */
    (void)sqlite3_clear_bindings(own(statement));
}

static int64_t
sqlite_changes(struct pb_sql *sql)
{
    return sqlite3_changes64(sql->database);
}

/* ---- backup ---- */

static enum pb_status
sqlite_backup(struct pb_sql *sql, const char *target, struct pb_error *error)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE;
    sqlite3_backup *backup = NULL;
    sqlite3 *copy = NULL;
    enum pb_status status;
    int code = sqlite3_open_v2(target, &copy, flags, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(copy, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        status = failed(copy, code, error);
        goto out;
    }
    backup = sqlite3_backup_init(copy, "main", sql->database, "main");
    if (backup == NULL) {
        status = failed(copy, sqlite3_extended_errcode(copy), error);
        goto out;
    }
    do {
        code = sqlite3_backup_step(backup, BACKUP_PAGES);
    } while (code == SQLITE_OK);
    (void)sqlite3_backup_finish(backup);
    status = code == SQLITE_DONE ? PB_OK : failed(copy, code, error);

out:
    (void)sqlite3_close(copy);
    return status;
}

const struct pb_sql_ops *
pb_sqlite_ops(void)
{
    static const struct pb_sql_ops ops = {
        .integer_type = "INTEGER",
        .table_suffix = " STRICT, WITHOUT ROWID",
        .open = sqlite_open,
        .close = sqlite_close,
        .check = sqlite_check,
        .get_version = sqlite_get_version,
        .set_version = sqlite_set_version,
        .data_version = sqlite_data_version,
        .exec = run,
        .begin = sqlite_begin,
        .commit = sqlite_commit,
        .rollback = sqlite_rollback,
        .prepare = sqlite_prepare,
        .finish = sqlite_finish,
        .bind_text = sqlite_bind_text,
        .bind_int = sqlite_bind_int,
        .bind_null = sqlite_bind_null,
        .step = sqlite_step,
        .is_null = sqlite_is_null,
        .get_int = sqlite_get_int,
        .get_text = sqlite_get_text,
        .reset = sqlite_reset,
        .changes = sqlite_changes,
        .backup = sqlite_backup,
    };

    return &ops;
}
