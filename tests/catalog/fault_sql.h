/*
 * SQL that fails: passes every call on to SQLite, counts those that can fail, and fails the one
 * that the test asks for, as a full disk, a lock or no memory would. SQLite's own memory cannot be
 * made to fail without changing it for the whole process, so this stands for it.
 *
 * A failing commit commits nothing.
 */
#ifndef PB_TESTS_CATALOG_FAULT_SQL_H
#define PB_TESTS_CATALOG_FAULT_SQL_H

#include "catalog/sql.h"
#include "catalog/sqlite/sqlite.h"

struct fault_sql {
    uint64_t fail_at; /* number of the call, from 1; 0: none */
    bool is_lasting;  /* all later ones fail too */
    enum pb_status status;
    uint64_t count;
    uint64_t failures;
};

/* One for the test program: the functions of the table are given no context. */
static struct fault_sql fault_sql;

static inline bool
fault_sql_fails(struct pb_error *error)
{
    fault_sql.count++;
    if (fault_sql.fail_at == 0 || fault_sql.count < fault_sql.fail_at ||
        (fault_sql.count > fault_sql.fail_at && !fault_sql.is_lasting))
        return false;
    fault_sql.failures++;
    (void)pb_fail(error, fault_sql.status, "call %llu fails", (unsigned long long)fault_sql.count);
    return true;
}

#define FAULT_SQL(name, parameters, arguments)                                              \
    static enum pb_status fault_sql_##name parameters                                       \
    {                                                                                       \
        return fault_sql_fails(error) ? fault_sql.status : pb_sqlite_ops()->name arguments; \
    }

FAULT_SQL(open,
          (const struct pb_env *env, const char *place, enum pb_sql_mode mode,
           struct pb_sql **ret_sql, struct pb_error *error),
          (env, place, mode, ret_sql, error))
FAULT_SQL(check, (struct pb_sql * sql, struct pb_error *error), (sql, error))
FAULT_SQL(get_version, (struct pb_sql * sql, int64_t *ret_version, struct pb_error *error),
          (sql, ret_version, error))
FAULT_SQL(set_version, (struct pb_sql * sql, int64_t version, struct pb_error *error),
          (sql, version, error))
FAULT_SQL(data_version, (struct pb_sql * sql, int64_t *ret_version, struct pb_error *error),
          (sql, ret_version, error))
FAULT_SQL(exec, (struct pb_sql * sql, const char *text, struct pb_error *error), (sql, text, error))
FAULT_SQL(begin, (struct pb_sql * sql, bool is_writing, struct pb_error *error),
          (sql, is_writing, error))
FAULT_SQL(commit, (struct pb_sql * sql, struct pb_error *error), (sql, error))
FAULT_SQL(prepare,
          (struct pb_sql * sql, const char *text, struct pb_sql_statement **ret_statement,
           struct pb_error *error),
          (sql, text, ret_statement, error))
FAULT_SQL(bind_text,
          (struct pb_sql_statement * statement, unsigned position, struct pb_str text,
           struct pb_error *error),
          (statement, position, text, error))
FAULT_SQL(bind_int,
          (struct pb_sql_statement * statement, unsigned position, int64_t value,
           struct pb_error *error),
          (statement, position, value, error))
FAULT_SQL(bind_null,
          (struct pb_sql_statement * statement, unsigned position, struct pb_error *error),
          (statement, position, error))
FAULT_SQL(step, (struct pb_sql_statement * statement, struct pb_error *error), (statement, error))
FAULT_SQL(get_text,
          (struct pb_sql_statement * statement, unsigned column, struct pb_str *ret_text,
           struct pb_error *error),
          (statement, column, ret_text, error))
FAULT_SQL(backup, (struct pb_sql * sql, const char *target, struct pb_error *error),
          (sql, target, error))

static inline struct pb_sql_ops
fault_sql_ops(void)
{
    struct pb_sql_ops ops = *pb_sqlite_ops();

    ops.open = fault_sql_open;
    ops.check = fault_sql_check;
    ops.get_version = fault_sql_get_version;
    ops.set_version = fault_sql_set_version;
    ops.data_version = fault_sql_data_version;
    ops.exec = fault_sql_exec;
    ops.begin = fault_sql_begin;
    ops.commit = fault_sql_commit;
    ops.prepare = fault_sql_prepare;
    ops.bind_text = fault_sql_bind_text;
    ops.bind_int = fault_sql_bind_int;
    ops.bind_null = fault_sql_bind_null;
    ops.step = fault_sql_step;
    ops.get_text = fault_sql_get_text;
    ops.backup = fault_sql_backup;
    return ops;
}

#endif
