/*
 * SQL: the little that the catalog needs of a database, as a table of functions.
 *
 * SQLite stands behind it (sqlite/); PostgreSQL can. What the two write differently is in the words
 * of the table; everything else is SQL that both take. Values are bound, never written into a
 * statement's text. Positions count from 1 where bound and from 0 where read, as both do.
 *
 * Threads: a connection and its statements belong to one thread at a time.
 */
#ifndef PB_CATALOG_SQL_H
#define PB_CATALOG_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;
struct pb_sql;           /* a connection; opaque */
struct pb_sql_statement; /* prepared; opaque */

enum pb_sql_mode {
    PB_SQL_CREATE, /* the place is an empty file, which becomes a database of ours */
    PB_SQL_WRITE,
    PB_SQL_READ,
};

/*
 * Every call that can fail returns PB_OK, PB_E_NOMEM, PB_E_IO, PB_E_FULL, PB_E_BUSY (somebody
 * else holds the database for longer than we wait), PB_E_CORRUPT, PB_CONFLICT (a constraint of
 * the schema) or PB_OVER_LIMIT, with error filled; error may be NULL.
 */
struct pb_sql_ops {
    const char *integer_type; /* of a column that holds an int64_t */
    const char *table_suffix; /* after the columns of CREATE TABLE */

    /* PB_E_NOT_STORE where the place is no database of ours. */
    enum pb_status (*open)(const struct pb_env *env, const char *place, enum pb_sql_mode mode,
                           struct pb_sql **ret_sql, struct pb_error *error);
    void (*close)(struct pb_sql *sql); /* after its statements; NULL is fine */
    /* Reads everything, looking for damage. */
    enum pb_status (*check)(struct pb_sql *sql, struct pb_error *error);

    /* The version of the schema, 0 where there is none; to set it is part of a transaction. */
    enum pb_status (*get_version)(struct pb_sql *sql, int64_t *ret_version, struct pb_error *error);
    enum pb_status (*set_version)(struct pb_sql *sql, int64_t version, struct pb_error *error);
    /* A number that differs from the last one where another connection, of any process, has
     * changed anything since. Cheap: it is asked for each inquiry. */
    enum pb_status (*data_version)(struct pb_sql *sql, int64_t *ret_version,
                                   struct pb_error *error);

    /* Runs statements that take no values and give no rows. */
    enum pb_status (*exec)(struct pb_sql *sql, const char *text, struct pb_error *error);
    /* One transaction at a time. A writing one waits for other writers when it begins. */
    enum pb_status (*begin)(struct pb_sql *sql, bool is_writing, struct pb_error *error);
    enum pb_status (*commit)(struct pb_sql *sql, struct pb_error *error); /* durable on PB_OK */
    void (*rollback)(struct pb_sql *sql); /* without a transaction: nothing */

    enum pb_status (*prepare)(struct pb_sql *sql, const char *text,
                              struct pb_sql_statement **ret_statement, struct pb_error *error);
    void (*finish)(struct pb_sql_statement *statement); /* NULL is fine */
    /* text is borrowed until the statement is reset. */
    enum pb_status (*bind_text)(struct pb_sql_statement *statement, unsigned position,
                                struct pb_str text, struct pb_error *error);
    enum pb_status (*bind_int)(struct pb_sql_statement *statement, unsigned position, int64_t value,
                               struct pb_error *error);
    enum pb_status (*bind_null)(struct pb_sql_statement *statement, unsigned position,
                                struct pb_error *error);
    /* PB_OK: a row; PB_END: no more of them. */
    enum pb_status (*step)(struct pb_sql_statement *statement, struct pb_error *error);
    bool (*is_null)(struct pb_sql_statement *statement, unsigned column);
    int64_t (*get_int)(struct pb_sql_statement *statement, unsigned column);
    /* Borrowed until the next step or reset. PB_E_NOMEM, or PB_E_CORRUPT where it is no text. */
    enum pb_status (*get_text)(struct pb_sql_statement *statement, unsigned column,
                               struct pb_str *ret_text, struct pb_error *error);
    void (*reset)(struct pb_sql_statement *statement); /* also unbinds */
    int64_t (*changes)(struct pb_sql *sql);            /* rows that the last statement changed */

    /* A consistent copy of everything, also while others write; target is an empty file. */
    enum pb_status (*backup)(struct pb_sql *sql, const char *target, struct pb_error *error);
};

#endif
