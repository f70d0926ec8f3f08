/* The catalog's file: made, opened, brought up, refused, copied; two processes at once. */
#include "catalog/catalog_room.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "catalog/catalog_private.h"
#include "catalog/sqlite/sqlite.h"

/* Another program's hand on the file. */
static void
with_sqlite(const char *path, const char *text)
{
    sqlite3 *database = NULL;

    assert_int_equal(SQLITE_OK, sqlite3_open(path, &database));
    if (sqlite3_exec(database, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(database));
    assert_int_equal(SQLITE_OK, sqlite3_close(database));
}

static enum pb_status
try_open(struct catalog_room *room, bool is_read_only)
{
    enum pb_status status;

    room_close(room);
    room->error.message[0] = '\0';
    status = pb_catalog_open(room->env, room->path, is_read_only, &room->catalog, &room->error);
    assert_int_equal(status == PB_OK, room->catalog != NULL);
    return status;
}

static void
a_new_catalog_is_private_and_empty(void **state)
{
    struct catalog_room *room = *state;
    struct stat info;
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    assert_int_equal(0, stat(room->path, &info));
    assert_int_equal(S_IRUSR | S_IWUSR, info.st_mode & 07777);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(0, room_count(room, entities[i].name));
    room_furnish(room);
    {
        char path[320];

        (void)snprintf(path, sizeof(path), "%s-wal", room->path);
        assert_int_equal(0, stat(path, &info));
        assert_int_equal(S_IRUSR | S_IWUSR, info.st_mode & 07777);
    }
}

static void
a_catalog_is_not_made_over_something(void **state)
{
    struct catalog_room *room = *state;

    room_furnish(room);
    assert_int_equal(PB_E_IO, pb_catalog_create(room->env, room->path, &room->error));
    assert_int_equal(PB_E_IO,
                     pb_catalog_create(room->env, "/nonexistent-folder/catalog.db", &room->error));
    assert_int_equal(PB_OK, try_open(room, false));
    assert_int_equal(3, room_count(room, "agency"));
}

static void
what_is_not_a_catalog_is_refused(void **state)
{
    static const struct {
        const char *make;
        enum pb_status status;
        const char *message; /* is part of it */
    } cases[] = {
        { "PRAGMA application_id=0", PB_E_NOT_STORE, "is not a Platebase catalog" },
        { "PRAGMA application_id=1111", PB_E_NOT_STORE, "is not a Platebase catalog" },
        { "PRAGMA user_version=0", PB_E_CORRUPT, "its making was cut short" },
        { "PRAGMA user_version=-1", PB_E_CORRUPT, "its making was cut short" },
        { "PRAGMA user_version=4", PB_E_VERSION, "of version 4; this program knows up to 3" },
        { "PRAGMA user_version=2000000000", PB_E_VERSION, "of version 2000000000" },
        { "ALTER TABLE agency DROP COLUMN ori", PB_E_CORRUPT, "ori" },
        { "DROP TABLE hold", PB_E_CORRUPT, "hold" },
        { "DROP TABLE note", PB_E_CORRUPT, "note" },
        { "DROP TABLE catalog_state", PB_E_CORRUPT, "catalog_state" },
    };
    struct catalog_room *room = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_close(room);
        room_empty_directory(room);
        assert_int_equal(PB_OK, pb_catalog_create(room->env, room->path, NULL));
        with_sqlite(room->path, cases[i].make);
        for (unsigned is_read_only = 0; is_read_only < 2; is_read_only++) {
            room_expect(room, cases[i].status, try_open(room, is_read_only), cases[i].make);
            if (strstr(room->error.message, cases[i].message) == NULL)
                fail_msg("%s: %s", cases[i].make, room->error.message);
        }
    }
}

static void
write_file(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(count, fwrite(bytes, 1, count, file));
    assert_int_equal(0, fclose(file));
}

static void
other_files_are_no_catalog(void **state)
{
    struct catalog_room *room = *state;

    room_close(room);
    room_empty_directory(room);
    assert_int_equal(PB_E_IO, try_open(room, false)); /* nothing there, and nothing made */
    assert_int_equal(-1, access(room->path, F_OK));
    write_file(room->path, "", 0);
    assert_int_equal(PB_E_NOT_STORE, try_open(room, false));
    write_file(room->path,
               "#!/bin/sh\necho a file of some other kind, long enough to look at\n"
               "# .......................................................\n",
               120);
    assert_int_equal(PB_E_NOT_STORE, try_open(room, false));
    assert_int_equal(PB_E_NOT_STORE, try_open(room, true));
    with_sqlite(":memory:", "SELECT 1");
    room_empty_directory(room);
    with_sqlite(room->path, "CREATE TABLE agency (id TEXT); INSERT INTO agency VALUES ('x')");
    assert_int_equal(PB_E_NOT_STORE, try_open(room, false));
}

static char *
read_file(const char *path, size_t *ret_bytes)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    char *bytes;

    assert_non_null(file);
    assert_int_equal(0, fstat(fileno(file), &info));
    bytes = malloc((size_t)info.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(info.st_size, fread(bytes, 1, (size_t)info.st_size, file));
    assert_int_equal(0, fclose(file));
    *ret_bytes = (size_t)info.st_size;
    return bytes;
}

static void
use_all(struct catalog_room *room)
{
    const struct pb_catalog_view *view = NULL;
    char *text = NULL;
    size_t bytes = 0;

    if (pb_catalog_view_take(room->catalog, &view, NULL) == PB_OK)
        pb_catalog_view_drop(view);
    if (pb_catalog_to_yaml(room->catalog, &text, &bytes, NULL) == PB_OK)
        pb_free(room->env, text);
}

/* Whatever is damaged: an answer or a refusal, never a crash; where a page is gone, a refusal. */
static void
a_damaged_file_is_refused_or_harmless(void **state)
{
    struct catalog_room *room = *state;
    size_t bytes, refused = 0, tried = 0;
    char *whole, *damaged;

    room_furnish(room);
    room_close(room);
    whole = read_file(room->path, &bytes);
    damaged = malloc(bytes);
    assert_non_null(damaged);
    assert_true(bytes >= 16384);

    for (size_t page = 0; page < bytes; page += 4096) {
        memcpy(damaged, whole, bytes);
        memset(damaged + page, 0xA5, 4096);
        write_file(room->path, damaged, bytes);
        assert_int_not_equal(PB_OK, try_open(room, true));
    }
    for (size_t at = 0; at < bytes; at += 1 + at % 61 + (at > 8192 ? 200 : 0)) {
        memcpy(damaged, whole, bytes);
        damaged[at] = (char)(damaged[at] ^ (1 << (at % 8)));
        write_file(room->path, damaged, bytes);
        tried++;
        if (try_open(room, true) == PB_OK)
            use_all(room);
        else
            refused++;
    }
    assert_in_range(refused, 5, tried);
    for (size_t cut = 0; cut + 4096 < bytes; cut += 4000) {
        write_file(room->path, whole, cut);
        assert_int_not_equal(PB_OK, try_open(room, true));
    }
    write_file(room->path, whole, bytes);
    assert_int_equal(PB_OK, try_open(room, false));
    assert_int_equal(3, room_count(room, "agency"));
    free(whole);
    free(damaged);
}

/* A file that passes SQLite's own check, but holds what our rules never let in. */
static void
values_that_cannot_be_make_no_view(void **state)
{
    static const char *const forged[] = {
        "UPDATE agency SET class = 'galactic' WHERE id = 'ks'",
        "UPDATE agency SET jurisdiction = 'Kansas' WHERE id = 'ks'",
        "UPDATE person SET role = 'king' WHERE id = 'ks.boss'",
        "UPDATE person SET status = 'risen' WHERE id = 'ks.boss'",
        "UPDATE person SET agency = 'none' WHERE id = 'ks.boss'",
        "UPDATE reader SET kind = 'drone' WHERE id = 'cam-1'",
        "UPDATE reader SET capture_state = 'XX' WHERE id = 'cam-1'",
        "UPDATE reader SET agency = 'none' WHERE id = 'cam-1'",
        "UPDATE offence SET class = 'sin' WHERE id = 'ks-5801'",
        "UPDATE agreement SET readers = 'cam-1,cam-9' WHERE id = 'a-1'",
        "UPDATE agreement SET owner = 'none' WHERE id = 'a-1'",
        "UPDATE declaration SET text_sha256 = 'zz' WHERE id = 'd-1'",
        "UPDATE declaration SET text_sha256 = replace(text_sha256, '0', 'g') WHERE id = 'd-1'",
        "UPDATE hold SET \"case\" = 'ks:' WHERE id = 'h-1'",
        "UPDATE hold SET owner = 'none' WHERE id = 'h-1'",
        "DELETE FROM catalog_state",
    };
    struct catalog_room *room = *state;

    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        const struct pb_catalog_view *view = NULL;

        room_close(room);
        room_empty_directory(room);
        assert_int_equal(PB_OK, pb_catalog_create(room->env, room->path, NULL));
        room_open(room);
        room_furnish(room);
        room_expect(room, PB_OK, pb_catalog_view_take(room->catalog, &view, &room->error), "view");
        with_sqlite(room->path, "UPDATE catalog_state SET value = value + 1");
        with_sqlite(room->path, forged[i]);
        pb_catalog_view_drop(view);
        room_expect(room, PB_E_CORRUPT, pb_catalog_view_take(room->catalog, &view, &room->error),
                    forged[i]);
        /* And so again: nobody is given the view of before. */
        room_expect(room, PB_E_CORRUPT, pb_catalog_view_take(room->catalog, &view, &room->error),
                    forged[i]);
    }
}

/* ---- migration ---- */

/* As the first version left it: what the steps of these tests begin with. */
static void
make_first_version(struct catalog_room *room)
{
    room_close(room);
    with_sqlite(room->path, "ALTER TABLE agency DROP COLUMN publishes_figures;"
                            "ALTER TABLE agency DROP COLUMN zones;"
                            "PRAGMA user_version=1");
}

static void
a_catalog_of_the_first_version_gets_what_it_lacks(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view = NULL;

    room_furnish(room);
    make_first_version(room);
    room_open(room);
    room_expect(room, PB_OK, pb_catalog_view_take(room->catalog, &view, &room->error), "view");
    assert_true(view->agency_count > 0);
    for (uint32_t i = 0; i < view->agency_count; i++)
        assert_true(!view->agencies[i].publishes_figures && view->agencies[i].zone_count == 0);
    pb_catalog_view_drop(view);
}

static enum pb_status
open_with(struct catalog_room *room, const char *const *steps, size_t count, bool is_read_only)
{
    struct pb_schema schema = {
        .version = (int64_t)count + 1,
        .steps = steps,
        .step_count = count,
    };
    enum pb_status status;

    room_close(room);
    status = pb_catalog_open_on(room->env, pb_sqlite_ops(), &schema, room->path, is_read_only,
                                &room->catalog, &room->error);
    return status;
}

static void
an_older_catalog_is_brought_up_step_by_step(void **state)
{
    static const char *const steps[] = {
        "CREATE TABLE x (id TEXT NOT NULL PRIMARY KEY) STRICT; INSERT INTO x VALUES ('first')",
        "INSERT INTO x VALUES ('second'); INSERT INTO note VALUES ('step', 'b', '2')",
        "INSERT INTO x VALUES ('third')",
    };
    struct catalog_room *room = *state;

    room_furnish(room);
    room_close(room);
    with_sqlite(room->path, "PRAGMA user_version=1");
    assert_int_equal(PB_E_VERSION, open_with(room, steps, 1, true));
    assert_non_null(strstr(room->error.message, "must be opened for writing once"));
    room_expect(room, PB_OK, open_with(room, steps, 1, false), "to 2");
    assert_int_equal(3, room_count(room, "agency"));
    room_expect(room, PB_OK, open_with(room, steps, 1, true), "at 2");
    room_expect(room, PB_OK, open_with(room, steps, 3, false), "to 4"); /* each step once */
    room_expect(room, PB_OK, open_with(room, steps, 3, false), "at 4");
    assert_int_equal(PB_E_VERSION, open_with(room, steps, 2, false));
    room_close(room);
    with_sqlite(room->path, "INSERT INTO x VALUES ('fourth'); DELETE FROM x WHERE id IN "
                            "('first', 'second', 'third', 'fourth')");
    assert_int_equal(PB_E_VERSION, try_open(room, false));
}

static void
a_step_that_fails_leaves_everything_as_it_was(void **state)
{
    static const char *const half[] = {
        "CREATE TABLE x (id TEXT NOT NULL PRIMARY KEY) STRICT",
        "INSERT INTO x VALUES ('a'); INSERT INTO nowhere VALUES ('b')",
    };
    static const char *const breaking[] = {
        "CREATE TABLE x (id TEXT NOT NULL PRIMARY KEY) STRICT",
        "INSERT INTO x VALUES ('a'); DELETE FROM agency WHERE id = 'ks'", /* referred to */
    };
    static const char *const forgetful[] = { "ALTER TABLE hold DROP COLUMN facts" };
    struct catalog_room *room = *state;

    room_furnish(room);
    room_close(room);
    with_sqlite(room->path, "PRAGMA user_version=1");
    assert_int_equal(PB_E_CORRUPT, open_with(room, half, 2, false));
    room_expect(room, PB_CONFLICT, open_with(room, breaking, 2, false), "breaking");
    with_sqlite(room->path, "INSERT INTO x VALUES ('a')"); /* it is not there yet */
    room_expect(room, PB_OK, open_with(room, half, 1, false), "at 2");
    room_expect_field(room, "agency", "ks", "name", "Example County Sheriff");
    room_close(room);
    with_sqlite(room->path, "PRAGMA user_version=1");
    assert_int_equal(PB_E_CORRUPT, open_with(room, forgetful, 1, false));
}

/* ---- backup ---- */

static void
a_backup_is_a_catalog_of_one_moment(void **state)
{
    struct catalog_room *room = *state;
    struct catalog_room copy = *room;
    struct stat info;

    room_furnish(room);
    (void)snprintf(copy.path, sizeof(copy.path), "%s/copy.db", room->directory);
    room_expect(room, PB_OK, pb_catalog_backup(room->catalog, copy.path, &room->error), "backup");
    assert_int_equal(0, stat(copy.path, &info));
    assert_int_equal(S_IRUSR | S_IWUSR, info.st_mode & 07777);
    assert_int_equal(PB_E_IO, pb_catalog_backup(room->catalog, copy.path, &room->error));
    room_put(room, "agency", PAIRS("id", "ks", "name", "Later"));
    copy.catalog = NULL;
    room_open(&copy);
    room_expect_field(&copy, "agency", "ks", "name", "Example County Sheriff");
    assert_int_equal(3, room_count(&copy, "reader"));
    room_put(&copy, "agency", PAIRS("id", "ks", "name", "A catalog of its own"));
    room_close(&copy);
    room_expect_field(room, "agency", "ks", "name", "Later");
    assert_int_not_equal(PB_OK, pb_catalog_backup(room->catalog, "/nonexistent-folder/copy.db",
                                                  &room->error));
}

static void
a_backup_goes_on_while_others_write(void **state)
{
    struct catalog_room *room = *state;
    char path[320];

    room_furnish(room);
    assert_int_equal(PB_OK, pb_catalog_begin(room->catalog, NULL));
    (void)snprintf(path, sizeof(path), "%s/copy.db", room->directory);
    room_expect(room, PB_OK, pb_catalog_backup(room->catalog, path, &room->error), "backup");
    assert_int_equal(PB_OK, pb_catalog_end(room->catalog, PB_OK, NULL));
}

/* ---- processes ---- */

static int
change_in_a_process(struct catalog_room *room, unsigned number)
{
    struct catalog_room mine = *room;
    char id[32];

    mine.env = pb_env_system();
    mine.catalog = NULL;
    if (pb_catalog_open(mine.env, mine.path, false, &mine.catalog, NULL) != PB_OK)
        return 1;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof(id), "p%u-%u", number, i);
        if (room_try(&mine, PB_PUT_ADD, "reader", PAIRS("id", id, "agency", "ks")) != PB_OK)
            return 2;
    }
    pb_catalog_close(mine.catalog);
    return 0;
}

static void
processes_write_side_by_side_and_lose_nothing(void **state)
{
    enum { PROCESSES = 4 };
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view = NULL;
    pid_t children[PROCESSES];

    room_furnish(room);
    room_expect(room, PB_OK, pb_catalog_view_take(room->catalog, &view, &room->error), "view");
    pb_catalog_view_drop(view);
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(change_in_a_process(room, i));
        assert_true(children[i] > 0);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int end = -1;

        assert_int_equal(children[i], waitpid(children[i], &end, 0));
        assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
    }
    assert_int_equal(3 + PROCESSES * 20, room_count(room, "reader"));
    room_expect(room, PB_OK, pb_catalog_view_take(room->catalog, &view, &room->error), "view");
    assert_int_equal(3 + PROCESSES * 20, view->reader_count);
    pb_catalog_view_drop(view);
}

/* What a process that died left in the write-ahead log counts as far as it was committed. */
static void
a_change_survives_the_end_of_its_process(void **state)
{
    struct catalog_room *room = *state;
    pid_t child;
    int end = -1;

    room_furnish(room);
    room_close(room);
    child = fork();
    if (child == 0) {
        struct catalog_room mine = *room;

        mine.env = pb_env_system();
        if (pb_catalog_open(mine.env, mine.path, false, &mine.catalog, NULL) == PB_OK &&
            room_try(&mine, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "name", "Committed")) ==
                PB_OK &&
            pb_catalog_begin(mine.catalog, NULL) == PB_OK)
            _exit(0); /* with a transaction open */
        _exit(1);
    }
    assert_int_equal(child, waitpid(child, &end, 0));
    assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
    assert_int_equal(PB_OK, try_open(room, false));
    room_expect_field(room, "agency", "ks", "name", "Committed");
    room_put(room, "agency", PAIRS("id", "ks", "name", "And on"));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_new_catalog_is_private_and_empty),
        CASE(a_catalog_is_not_made_over_something),
        CASE(what_is_not_a_catalog_is_refused),
        CASE(other_files_are_no_catalog),
        CASE(a_damaged_file_is_refused_or_harmless),
        CASE(values_that_cannot_be_make_no_view),
        CASE(a_catalog_of_the_first_version_gets_what_it_lacks),
        CASE(an_older_catalog_is_brought_up_step_by_step),
        CASE(a_step_that_fails_leaves_everything_as_it_was),
        CASE(a_backup_is_a_catalog_of_one_moment),
        CASE(a_backup_goes_on_while_others_write),
        CASE(processes_write_side_by_side_and_lose_nothing),
        CASE(a_change_survives_the_end_of_its_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
