/*
 * SQL: what catalog/sql.h promises, of whatever stands behind it; and that SQLite's doors are shut.
 */
#include "catalog/catalog_room.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "catalog/sql.h"
#include "catalog/sqlite/sqlite.h"

static const struct pb_sql_ops *
ops(void)
{
    return pb_sqlite_ops();
}

static struct pb_sql *
opened(struct catalog_room *room, enum pb_sql_mode mode)
{
    struct pb_sql *sql = NULL;

    room_expect(room, PB_OK, ops()->open(room->env, room->path, mode, &sql, &room->error), "open");
    return sql;
}

/* An empty database of ours with one table. */
static struct pb_sql *
with_table(struct catalog_room *room)
{
    struct pb_sql *sql;
    char text[256];
    FILE *file;

    room_close(room);
    room_empty_directory(room);
    file = fopen(room->path, "wb");
    assert_non_null(file);
    assert_int_equal(0, fclose(file));
    sql = opened(room, PB_SQL_CREATE);
    (void)snprintf(text, sizeof(text),
                   "CREATE TABLE \"t\" (\"id\" TEXT NOT NULL PRIMARY KEY, \"n\" %s, \"of\" TEXT "
                   "REFERENCES \"t\" (\"id\") DEFERRABLE INITIALLY DEFERRED)%s",
                   ops()->integer_type, ops()->table_suffix);
    room_expect(room, PB_OK, ops()->exec(sql, text, &room->error), "create");
    return sql;
}

static enum pb_status
put(struct pb_sql *sql, const char *id, int64_t number, const char *of)
{
    struct pb_sql_statement *statement = NULL;
    enum pb_status status;

    assert_int_equal(PB_OK, ops()->prepare(sql,
                                           "INSERT INTO \"t\" (\"id\", \"n\", \"of\") VALUES "
                                           "($1, $2, $3) ON CONFLICT (\"id\") DO UPDATE SET "
                                           "\"n\" = excluded.\"n\", \"of\" = excluded.\"of\"",
                                           &statement, NULL));
    assert_int_equal(PB_OK, ops()->bind_text(statement, 1, pb_str_from(id), NULL));
    assert_int_equal(PB_OK, ops()->bind_int(statement, 2, number, NULL));
    if (of == NULL)
        assert_int_equal(PB_OK, ops()->bind_null(statement, 3, NULL));
    else
        assert_int_equal(PB_OK, ops()->bind_text(statement, 3, pb_str_from(of), NULL));
    status = ops()->step(statement, NULL);
    ops()->finish(statement);
    return status == PB_END ? PB_OK : status;
}

static unsigned
count(struct pb_sql *sql)
{
    struct pb_sql_statement *statement = NULL;
    int64_t number;

    assert_int_equal(PB_OK, ops()->prepare(sql, "SELECT count(*) FROM \"t\"", &statement, NULL));
    assert_int_equal(PB_OK, ops()->step(statement, NULL));
    number = ops()->get_int(statement, 0);
    ops()->finish(statement);
    return (unsigned)number;
}

static void
values_come_back_as_they_were_bound(void **state)
{
    static const int64_t numbers[] = { 0, -1, INT64_MAX, INT64_MIN };
    static const char *const ids[] = { "", "a", "'; DROP TABLE t; --", "\xF0\x9F\x9A\x97" };
    struct catalog_room *room = *state;
    struct pb_sql *sql = with_table(room);
    struct pb_sql_statement *statement = NULL;

    assert_int_equal(PB_OK, ops()->prepare(sql,
                                           "SELECT \"id\", \"n\", \"of\" FROM \"t\" WHERE "
                                           "\"id\" = $1",
                                           &statement, NULL));
    for (unsigned i = 0; i < 4; i++) {
        struct pb_str text;

        assert_int_equal(PB_OK, put(sql, ids[i], numbers[i], i == 0 ? NULL : ids[i - 1]));
        assert_int_equal(1, ops()->changes(sql));
        assert_int_equal(PB_OK, ops()->bind_text(statement, 1, pb_str_from(ids[i]), NULL));
        assert_int_equal(PB_OK, ops()->step(statement, NULL));
        assert_int_equal(PB_OK, ops()->get_text(statement, 0, &text, NULL));
        assert_true(pb_str_equal(pb_str_from(ids[i]), text));
        assert_false(ops()->is_null(statement, 1));
        assert_true(ops()->get_int(statement, 1) == numbers[i]);
        assert_int_equal(PB_E_CORRUPT, ops()->get_text(statement, 1, &text, &room->error));
        assert_int_equal(i == 0, ops()->is_null(statement, 2));
        assert_int_equal(PB_END, ops()->step(statement, NULL));
        ops()->reset(statement);
    }
    /* After a reset nothing is bound: no id equals nothing. */
    assert_int_equal(PB_END, ops()->step(statement, NULL));
    ops()->finish(statement);
    ops()->finish(NULL);
    assert_int_equal(4, count(sql));
    ops()->close(sql);
    ops()->close(NULL);
}

static void
a_transaction_is_whole_or_nothing(void **state)
{
    struct catalog_room *room = *state;
    struct pb_sql *sql = with_table(room);

    assert_int_equal(PB_OK, ops()->begin(sql, true, NULL));
    assert_int_equal(PB_OK, put(sql, "a", 1, NULL));
    assert_int_equal(PB_OK, ops()->set_version(sql, 7, NULL));
    ops()->rollback(sql);
    ops()->rollback(sql); /* without one: nothing */
    assert_int_equal(0, count(sql));
    assert_int_equal(PB_OK, ops()->begin(sql, true, NULL));
    assert_int_equal(PB_OK, put(sql, "a", 1, "later")); /* refers to what comes yet */
    assert_int_equal(PB_OK, put(sql, "later", 2, NULL));
    assert_int_equal(PB_OK, ops()->set_version(sql, 8, NULL));
    assert_int_equal(PB_OK, ops()->commit(sql, NULL));
    assert_int_equal(2, count(sql));
    assert_int_equal(PB_OK, ops()->begin(sql, true, NULL));
    assert_int_equal(PB_OK, put(sql, "b", 1, "nothing"));
    assert_int_equal(PB_CONFLICT, ops()->commit(sql, &room->error));
    ops()->rollback(sql);
    assert_int_equal(2, count(sql));
    assert_int_equal(PB_CONFLICT,
                     ops()->exec(sql, "INSERT INTO \"t\" (\"id\") VALUES ('a')", &room->error));
    assert_int_equal(PB_E_CORRUPT, ops()->exec(sql, "SELECT 1 FROM \"nowhere\"", &room->error));
    ops()->close(sql);
}

static void
changes_by_others_move_the_data_version(void **state)
{
    struct catalog_room *room = *state;
    struct pb_sql *sql = with_table(room), *other = opened(room, PB_SQL_READ);
    int64_t first = 0, second = 0, version = -1;

    assert_int_equal(PB_OK, ops()->data_version(other, &first, NULL));
    assert_int_equal(PB_OK, ops()->data_version(other, &second, NULL));
    assert_true(first == second);
    for (unsigned i = 0; i < 5; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(PB_OK, put(sql, id, i, NULL));
        assert_int_equal(PB_OK, ops()->data_version(other, &second, NULL));
        assert_true(first != second);
        first = second;
        assert_int_equal(i + 1, count(other));
    }
    /* Nor is one missed that comes between asking and reading. */
    assert_int_equal(PB_OK, put(sql, "x", 1, NULL));
    assert_int_equal(PB_OK, ops()->begin(other, false, NULL));
    assert_int_equal(6, count(other));
    ops()->rollback(other);
    assert_int_equal(PB_OK, ops()->data_version(other, &second, NULL));
    assert_true(first != second);

    assert_int_equal(PB_OK, ops()->get_version(other, &version, NULL));
    assert_true(version == 0);
    assert_int_equal(PB_E_IO, put(other, "y", 1, NULL)); /* open to read */
    ops()->close(other);
    ops()->close(sql);
}

static void
a_reader_sees_one_moment_while_others_write(void **state)
{
    struct catalog_room *room = *state;
    struct pb_sql *sql = with_table(room), *other = opened(room, PB_SQL_READ);

    assert_int_equal(PB_OK, put(sql, "a", 1, NULL));
    assert_int_equal(PB_OK, ops()->begin(other, false, NULL));
    assert_int_equal(1, count(other));
    assert_int_equal(PB_OK, put(sql, "b", 1, NULL));
    assert_int_equal(1, count(other));
    ops()->rollback(other);
    assert_int_equal(2, count(other));
    ops()->close(other);
    ops()->close(sql);
}

/* ---- SQLite ---- */

static void
what_is_not_used_is_shut(void **state)
{
    static const char *const refused[] = {
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t (x)'",
        "CREATE VIRTUAL TABLE v USING nowhere(x)",
        "SELECT load_extension('x')",
        "INSERT INTO t (id) VALUES (\"a string in double quotes\")",
        "SELECT zeroblob(100000000)",
    };
    struct catalog_room *room = *state;
    struct pb_sql *sql = with_table(room);

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (ops()->exec(sql, refused[i], NULL) == PB_OK)
            fail_msg("%s", refused[i]);
    }
    assert_int_equal(0, count(sql));
    ops()->close(sql);
}

static int64_t
asked(struct pb_sql *sql, const char *text)
{
    struct pb_sql_statement *statement = NULL;
    int64_t number;

    assert_int_equal(PB_OK, ops()->prepare(sql, text, &statement, NULL));
    assert_int_equal(PB_OK, ops()->step(statement, NULL));
    number = ops()->get_int(statement, 0);
    ops()->finish(statement);
    return number;
}

static void
commits_are_synced_and_references_checked(void **state)
{
    struct catalog_room *room = *state;

    for (unsigned is_read_only = 0; is_read_only < 2; is_read_only++) {
        struct pb_sql *sql = opened(room, is_read_only ? PB_SQL_READ : PB_SQL_WRITE);

        assert_int_equal(2, asked(sql, "PRAGMA synchronous")); /* FULL */
        assert_int_equal(1, asked(sql, "PRAGMA foreign_keys"));
        assert_int_equal(0, asked(sql, "PRAGMA trusted_schema"));
        assert_int_equal(1, asked(sql, "PRAGMA secure_delete"));
        assert_int_equal(1, asked(sql, "PRAGMA cell_size_check"));
        assert_int_equal(PB_SQLITE_APPLICATION_ID, asked(sql, "PRAGMA application_id"));
        assert_int_equal(1, asked(sql, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"));
        ops()->close(sql);
    }
}

/* A forged file may bring triggers; they do not run. */
static void
triggers_in_a_file_do_nothing(void **state)
{
    struct catalog_room *room = *state;
    sqlite3 *database = NULL;

    room_furnish(room);
    room_close(room);
    assert_int_equal(SQLITE_OK, sqlite3_open(room->path, &database));
    assert_int_equal(SQLITE_OK,
                     sqlite3_exec(database,
                                  "CREATE TRIGGER x AFTER UPDATE ON agency BEGIN DELETE FROM "
                                  "hold; END",
                                  NULL, NULL, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_close(database));
    room_open(room);
    room_put(room, "agency", PAIRS("id", "ks", "name", "Renamed"));
    assert_int_equal(1, room_count(room, "hold"));
}

/* ---- a disk that takes no more ---- */

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static void
a_disk_that_takes_no_more_loses_nothing(void **state)
{
    struct catalog_room *room = *state;
    struct stat info;
    char path[320];
    enum pb_status status;

    room_furnish(room);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)snprintf(path, sizeof(path), "%s-wal", room->path);
    assert_int_equal(0, stat(path, &info));
    limit_files((rlim_t)info.st_size + 100);
    status = room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "name", "Too much"));
    assert_true(status == PB_E_IO || status == PB_E_FULL);
    room_expect_field(room, "agency", "ks", "name", "Example County Sheriff");
    (void)snprintf(path, sizeof(path), "%s/copy.db", room->directory);
    limit_files(8192);
    status = pb_catalog_backup(room->catalog, path, &room->error);
    assert_true(status == PB_E_IO || status == PB_E_FULL);
    assert_int_equal(-1, access(path, F_OK));
    limit_files(RLIM_INFINITY);
    (void)signal(SIGXFSZ, SIG_DFL);
    room_put(room, "agency", PAIRS("id", "ks", "name", "Renamed"));
    room_close(room);
    room_open(room);
    room_expect_field(room, "agency", "ks", "name", "Renamed");
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        CASE(values_come_back_as_they_were_bound),
        CASE(a_transaction_is_whole_or_nothing),
        CASE(changes_by_others_move_the_data_version),
        CASE(a_reader_sees_one_moment_while_others_write),
        CASE(what_is_not_used_is_shut),
        CASE(commits_are_synced_and_references_checked),
        CASE(triggers_in_a_file_do_nothing),
        CASE(a_disk_that_takes_no_more_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
