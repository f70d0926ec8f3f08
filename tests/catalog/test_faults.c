/*
 * Faults: each allocation, each call of the database and each file operation fails in turn, once
 * and for good. Nothing leaks, nothing is half done, and afterwards everything works.
 */
#include "catalog/catalog_room.h"

#include "base/arena.h"
#include "catalog/catalog_private.h"
#include "catalog/fault_sql.h"

/* ---- what is done while something fails ---- */

static enum pb_status
add_person(struct catalog_room *room)
{
    return room_try(room, PB_PUT_ADD, "person",
                    PAIRS("id", "ks.new", "agency", "ks", "name", "N", "role", "analyst",
                          "approved_by", "ks.boss", "permissions", "pattern"));
}

static enum pb_status
change_agency(struct catalog_room *room)
{
    return room_try(room, PB_PUT_CHANGE, "agency",
                    PAIRS("id", "ks", "case_pattern", "[0-9]+", "packs", "a,b", "contact", ""));
}

static enum pb_status
change_agreement(struct catalog_room *room)
{
    return room_try(room, PB_PUT_ANY, "agreement",
                    PAIRS("id", "a-1", "readers", "car 2,cam-1", "revoked", "yes"));
}

static enum pb_status
add_hold(struct catalog_room *room)
{
    return room_try(room, PB_PUT_ADD, "hold",
                    PAIRS("id", "h-2", "agency", "ks", "case", "ks:2026-1", "authority", "request",
                          "facts", "f", "plate", "ab 1", "readers", "cam-3", "owner", "mo", "from",
                          "2025-01-01", "to", "2025-02-01", "expires_at", "2026-02-01"));
}

static enum pb_status
add_case(struct catalog_room *room)
{
    return room_try(room, PB_PUT_ADD, "case", PAIRS("id", "ks:2026-2", "offence", "ks-5801"));
}

static enum pb_status
remove_hold(struct catalog_room *room)
{
    return pb_catalog_remove(room->catalog, pb_catalog_entity("hold"), "h-1", &room->error);
}

static enum pb_status
remove_lone_offence(struct catalog_room *room)
{
    return pb_catalog_remove(room->catalog, pb_catalog_entity("offence"), "ks-5402", &room->error);
}

static enum pb_status
show_reader(struct catalog_room *room)
{
    unsigned count = 0;
    enum pb_status status = pb_catalog_show(room->catalog, pb_catalog_entity("reader"), "cam-1",
                                            room_count_one, &count, &room->error);

    assert_int_equal(status == PB_OK, count == 1);
    return status;
}

static enum pb_status
list_people(struct catalog_room *room)
{
    unsigned count = 0;

    return pb_catalog_list(room->catalog, pb_catalog_entity("person"), room_count_one, &count,
                           &room->error);
}

static enum pb_status
take_view(struct catalog_room *room)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = pb_catalog_view_take(room->catalog, &view, &room->error);

    assert_int_equal(status == PB_OK, view != NULL);
    if (status == PB_OK)
        assert_int_equal(3, view->agency_count);
    pb_catalog_view_drop(view);
    return status;
}

static enum pb_status
look_up_case(struct catalog_room *room)
{
    struct pb_case found;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, room->env, 256);
    status = pb_catalog_case(room->catalog, pb_str_from("ks"), pb_str_from("2026-1"), &arena,
                             &found, &room->error);
    pb_arena_clear(&arena);
    return status;
}

static enum pb_status
put_note(struct catalog_room *room)
{
    return pb_catalog_note_put(room->catalog, "n", "k", pb_str_from("v"), &room->error);
}

static enum pb_status
swap_note(struct catalog_room *room)
{
    return pb_catalog_note_swap(room->catalog, "n", "old", pb_str_from("value"), pb_str_from(""),
                                &room->error);
}

static bool
ignore_note(void *context, const char *key, struct pb_str value)
{
    (void)context;
    (void)key;
    (void)value;
    return true;
}

static enum pb_status
read_notes(struct catalog_room *room)
{
    return pb_catalog_notes(room->catalog, "n", "", ignore_note, NULL, &room->error);
}

static enum pb_status
export_yaml(struct catalog_room *room)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_catalog_to_yaml(room->catalog, &text, &bytes, &room->error);

    assert_int_equal(status == PB_OK, text != NULL);
    pb_free(room->env, text);
    return status;
}

static enum pb_status
import_yaml(struct catalog_room *room)
{
    static const char text[] = "agencies: [{id: ks, name: Imported, packs: [x, y]}]\n"
                               "people:\n"
                               "  - {id: a, agency: ks, name: A, role: analyst, approved_by: b}\n"
                               "  - {id: b, agency: ks, name: B, role: auditor}\n"
                               "readers: [{id: cam-9, agency: ks, lat: 1, lon: 2}]\n";
    struct pb_catalog_changes changes = { .added = 0 };
    enum pb_status status =
        pb_catalog_from_yaml(room->catalog, text, strlen(text), &changes, &room->error);

    assert_int_equal(status == PB_OK ? 3 : 0, changes.added);
    return status;
}

static enum pb_status
back_up(struct catalog_room *room)
{
    char path[320];
    enum pb_status status;

    (void)snprintf(path, sizeof(path), "%s/copy.db", room->directory);
    status = pb_catalog_backup(room->catalog, path, &room->error);
    assert_int_equal(status == PB_OK ? 0 : -1, access(path, F_OK));
    (void)unlink(path);
    return status;
}

static const struct {
    const char *name;
    enum pb_status (*run)(struct catalog_room *room);
} operations[] = {
    { "add a person", add_person },
    { "change an agency", change_agency },
    { "change an agreement", change_agreement },
    { "add a hold", add_hold },
    { "add a case", add_case },
    { "remove a hold", remove_hold },
    { "remove an offence", remove_lone_offence },
    { "show a reader", show_reader },
    { "list people", list_people },
    { "take a view", take_view },
    { "look up a case", look_up_case },
    { "put a note", put_note },
    { "swap a note", swap_note },
    { "read notes", read_notes },
    { "export", export_yaml },
    { "import", import_yaml },
    { "back up", back_up },
};

/* ---- a fresh copy of the same catalog for each try ---- */

struct fixture {
    struct catalog_room room;
    struct pb_sql_ops ops;
    char *file; /* the furnished catalog's bytes */
    size_t file_bytes;
};

static void
write_fresh(struct fixture *fixture)
{
    FILE *file;

    room_empty_directory(&fixture->room);
    file = fopen(fixture->room.path, "wb");
    assert_non_null(file);
    assert_int_equal(fixture->file_bytes, fwrite(fixture->file, 1, fixture->file_bytes, file));
    assert_int_equal(0, fclose(file));
}

static enum pb_status
open_with_faults(struct fixture *fixture)
{
    struct catalog_room *room = &fixture->room;

    return pb_catalog_open_on(room->env, &fixture->ops, pb_catalog_schema(), room->path, false,
                              &room->catalog, &room->error);
}

static void
reset_faults(struct fixture *fixture)
{
    fault_sql = (struct fault_sql){ .status = PB_E_IO };
    fixture->room.fault.fail_allocation_at = 0;
    fixture->room.fault.fail_file_call_at = 0;
    fixture->room.fault.allocation_count = 0;
    fixture->room.fault.failure_count = 0;
    fixture->room.fault.file_call_count = 0;
}

/* Everything in it: records as YAML, and notes. */
static char *
content(struct fixture *fixture)
{
    struct catalog_room *room = &fixture->room;
    char *text = NULL, *copy;
    size_t bytes = 0;
    unsigned notes = 0;

    reset_faults(fixture);
    room_expect(room, PB_OK, pb_catalog_to_yaml(room->catalog, &text, &bytes, &room->error),
                "export");
    notes += pb_catalog_note_swap(room->catalog, "n", "k", pb_str_from("v"), pb_str_from("v"),
                                  NULL) == PB_OK;
    notes += 2u * (pb_catalog_note_swap(room->catalog, "n", "old", pb_str_from("value"),
                                        pb_str_from("value"), NULL) == PB_OK);
    copy = malloc(bytes + 2);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    copy[bytes] = (char)('0' + notes);
    copy[bytes + 1] = '\0';
    pb_free(room->env, text);
    return copy;
}

static int
fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct catalog_room *room;
    struct stat info;
    FILE *file;

    if (fixture == NULL)
        return -1;
    *state = fixture;
    room = &fixture->room;
    fixture->ops = fault_sql_ops();
    room_init(room);
    room_expect(room, PB_OK, pb_catalog_create(room->env, room->path, &room->error), "create");
    room_open(room);
    room_furnish(room);
    room_expect(room, PB_OK,
                pb_catalog_note_put(room->catalog, "n", "old", pb_str_from("value"), NULL), "note");
    room_close(room);
    file = fopen(room->path, "rb");
    assert_non_null(file);
    assert_int_equal(0, fstat(fileno(file), &info));
    fixture->file_bytes = (size_t)info.st_size;
    fixture->file = malloc(fixture->file_bytes);
    assert_non_null(fixture->file);
    assert_int_equal(fixture->file_bytes, fread(fixture->file, 1, fixture->file_bytes, file));
    assert_int_equal(0, fclose(file));
    reset_faults(fixture);
    return 0;
}

static int
fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    reset_faults(fixture);
    room_done(&fixture->room);
    free(fixture->file);
    free(fixture);
    return 0;
}

enum kind { SQL_CALLS, ALLOCATIONS, FILE_CALLS };

/* Lets the n-th of that kind fail from here on. */
static void
arm(struct fixture *fixture, enum kind kind, uint64_t number, bool is_lasting)
{
    struct fault_env *fault = &fixture->room.fault;

    reset_faults(fixture);
    if (kind == SQL_CALLS) {
        fault_sql.fail_at = number;
        fault_sql.is_lasting = is_lasting;
        fault_sql.status = number % 3 == 0 ? PB_E_FULL : number % 3 == 1 ? PB_E_IO : PB_E_BUSY;
    } else if (kind == ALLOCATIONS) {
        fault->fail_allocation_at = number;
        fault->is_allocation_failure_lasting = is_lasting;
    } else {
        fault->fail_file_call_at = number;
        fault->is_file_failure_lasting = is_lasting;
    }
}

static bool
has_failed(const struct fixture *fixture)
{
    return fault_sql.failures > 0 || fixture->room.fault.failure_count > 0;
}

static enum pb_status
expected_failure(enum kind kind)
{
    return kind == SQL_CALLS ? fault_sql.status : kind == ALLOCATIONS ? PB_E_NOMEM : PB_E_IO;
}

/* One operation with its n-th call failing: false where it has no n-th. */
static bool
try_one(struct fixture *fixture, size_t operation, enum kind kind, uint64_t number, bool is_lasting)
{
    struct catalog_room *room = &fixture->room;
    char *before, *after;
    enum pb_status status;
    bool failed;

    write_fresh(fixture);
    reset_faults(fixture);
    room_expect(room, PB_OK, open_with_faults(fixture), "open");
    before = content(fixture);

    arm(fixture, kind, number, is_lasting);
    status = operations[operation].run(room);
    failed = has_failed(fixture);
    if (status != (failed ? expected_failure(kind) : PB_OK))
        fail_msg("%s, fault %llu of kind %d: %s: %s", operations[operation].name,
                 (unsigned long long)number, kind, pb_status_name(status), room->error.message);
    if (failed) {
        after = content(fixture);
        if (strcmp(before, after) != 0)
            fail_msg("%s, fault %llu of kind %d: half done", operations[operation].name,
                     (unsigned long long)number, kind);
        free(after);
        reset_faults(fixture);
        room_expect(room, PB_OK, operations[operation].run(room), operations[operation].name);
    }
    free(before);
    room_close(room);
    assert_int_equal(0, room->fault.live_count);
    return failed;
}

static void
sweep(struct fixture *fixture, enum kind kind, bool is_lasting, uint64_t least)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        uint64_t number = 1;

        while (try_one(fixture, i, kind, number, is_lasting))
            number++;
        if (number - 1 < least)
            fail_msg("%s: only %llu faults", operations[i].name, (unsigned long long)number - 1);
    }
}

static void
every_call_of_the_database_may_fail_once(void **state)
{
    sweep(*state, SQL_CALLS, false, 3);
}

static void
every_call_of_the_database_may_fail_for_good(void **state)
{
    sweep(*state, SQL_CALLS, true, 3);
}

static void
every_allocation_may_fail_once(void **state)
{
    sweep(*state, ALLOCATIONS, false, 0);
}

static void
every_allocation_may_fail_for_good(void **state)
{
    sweep(*state, ALLOCATIONS, true, 0);
}

static void
every_file_operation_of_a_backup_may_fail(void **state)
{
    uint64_t number = 1;

    while (
        try_one(*state, sizeof(operations) / sizeof(operations[0]) - 1, FILE_CALLS, number, false))
        number++;
    assert_in_range(number, 2, 20);
}

/* ---- opening and making ---- */

static void
sweep_opening(struct fixture *fixture, enum kind kind)
{
    struct catalog_room *room = &fixture->room;
    uint64_t number = 0;
    bool failed = true;

    while (failed) {
        enum pb_status status;

        write_fresh(fixture);
        number++;
        arm(fixture, kind, number, number % 2 == 0);
        status = open_with_faults(fixture);
        failed = has_failed(fixture);
        assert_int_equal(failed ? expected_failure(kind) : PB_OK, status);
        assert_int_equal(failed, room->catalog == NULL);
        reset_faults(fixture);
        room_close(room);
        assert_int_equal(0, room->fault.live_count);
    }
    assert_in_range(number, 4, 200);
}

static void
opening_may_fail_anywhere(void **state)
{
    sweep_opening(*state, SQL_CALLS);
    sweep_opening(*state, ALLOCATIONS);
}

/* What could not be made as a whole is not there, so that it can be made again. */
static void
sweep_making(struct fixture *fixture, enum kind kind, uint64_t least)
{
    struct catalog_room *room = &fixture->room;
    uint64_t number = 0;
    bool failed = true;

    while (failed) {
        enum pb_status status;

        room_empty_directory(room);
        arm(fixture, kind, ++number, false);
        status = pb_catalog_create_on(room->env, &fixture->ops, room->path, &room->error);
        failed = has_failed(fixture);
        /* Tidying away may be what fails; then the first failure is told. */
        assert_int_equal(failed ? expected_failure(kind) : PB_OK, status);
        reset_faults(fixture);
        if (failed && access(room->path, F_OK) == 0)
            room_expect(room, PB_OK,
                        room->env->files->unlink(room->env->file_context, room->path, NULL),
                        "unlink");
        if (failed)
            room_expect(room, PB_OK, pb_catalog_create(room->env, room->path, &room->error),
                        "create again");
        room_expect(room, PB_OK, open_with_faults(fixture), "open");
        room_furnish(room);
        room_close(room);
        assert_int_equal(0, room->fault.live_count);
    }
    assert_in_range(number, least, 200);
}

static void
making_may_fail_anywhere(void **state)
{
    sweep_making(*state, SQL_CALLS, 10);
    sweep_making(*state, ALLOCATIONS, 2);
    sweep_making(*state, FILE_CALLS, 3);
}

static void
a_migration_may_fail_anywhere(void **state)
{
    /* Those before the last two were made when the catalog was. */
    const struct pb_schema *now = pb_catalog_schema();
    const char *steps[16];
    struct pb_schema schema = { .version = now->version + 2,
                                .steps = steps,
                                .step_count = (size_t)now->version + 1 };
    struct fixture *fixture = *state;
    struct catalog_room *room = &fixture->room;
    uint64_t number = 0;
    bool failed = true;

    assert_in_range(schema.step_count, 2, 16);
    for (size_t i = 0; i + 2 < schema.step_count; i++)
        steps[i] = "SELECT 1";
    steps[schema.step_count - 2] = "CREATE TABLE x (id TEXT NOT NULL PRIMARY KEY) STRICT";
    steps[schema.step_count - 1] = "INSERT INTO x VALUES ('a')";
    while (failed) {
        enum pb_status status;

        write_fresh(fixture);
        arm(fixture, SQL_CALLS, ++number, false);
        status = pb_catalog_open_on(room->env, &fixture->ops, &schema, room->path, false,
                                    &room->catalog, &room->error);
        failed = has_failed(fixture);
        assert_int_equal(failed ? fault_sql.status : PB_OK, status);
        reset_faults(fixture);
        room_close(room);
        /* From wherever it stopped it goes on, and each step is made once. */
        room_expect(room, PB_OK,
                    pb_catalog_open_on(room->env, &fixture->ops, &schema, room->path, false,
                                       &room->catalog, &room->error),
                    "open again");
        assert_int_equal(3, room_count(room, "agency"));
        room_close(room);
    }
    assert_in_range(number, 10, 200);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_call_of_the_database_may_fail_once),
        CASE(every_call_of_the_database_may_fail_for_good),
        CASE(every_allocation_may_fail_once),
        CASE(every_allocation_may_fail_for_good),
        CASE(every_file_operation_of_a_backup_may_fail),
        CASE(opening_may_fail_anywhere),
        CASE(making_may_fail_anywhere),
        CASE(a_migration_may_fail_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
