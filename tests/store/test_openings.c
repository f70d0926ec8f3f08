/*
 * Making and opening a store: where it lies, what else lies there, and who writes meanwhile.
 */
#include "store/store_room.h"
#include "store/sweep.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/local/local.h"

/* ---- where a store lies ---- */

static char noted[PB_PATH_BYTES_MAX];

static enum pb_status
list_nothing(void *context, const char *path, pb_list_fn *each, void *each_context,
             struct pb_error *error)
{
    (void)context;
    (void)each;
    (void)each_context;
    return pb_fail(error, PB_NOT_FOUND, "%s: not there", path);
}

static enum pb_status
make_any(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    (void)path;
    (void)error;
    return PB_OK;
}

static enum pb_status
note_and_fail(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    (void)snprintf(noted, sizeof(noted), "%s", path);
    return pb_fail(error, PB_E_IO, "%s: noted", path);
}

static void
the_directory_that_names_a_new_store_is_synced(void **state)
{
    static const char *const cases[][2] = {
        { "s", "." },           { "store", "." },   { "store/", "." },
        { "store///", "." },    { "a/store", "a" }, { "a//store/", "a" },
        { "a/b/store", "a/b" }, { "/store", "/" },  { "//store", "/" },
        { "/", "/" },           { "", "." },        { "./store", "." },
    };
    struct store_room room;
    struct pb_file_ops files;

    (void)state;
    room_init(&room);
    files = *room.env->files;
    files.list = list_nothing;
    files.mkdir = make_any;
    files.sync_directory = note_and_fail;
    room.fault.env.files = &files;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        noted[0] = '\0';
        assert_int_equal(PB_E_IO, pb_store_create(room.env, cases[i][0], &room.error));
        assert_string_equal(cases[i][1], noted);
    }
    room_done(&room);
}

/* A service's directory is made for it in a parent that it may not open. */
static void
a_store_is_made_in_a_directory_that_was_there_whatever_its_parent(void **state)
{
    (void)state;
    for (int was_there = 0; was_there < 2; was_there++) {
        struct store_room room;

        room_init_on(&room, sim_fs_new());
        if (was_there == 1)
            assert_int_equal(PB_OK, room.env->files->mkdir(room.env->file_context, ROOM_PATH,
                                                           &room.error));
        room.fault.fail_file_mask = FAULT_SYNC_DIRECTORY;
        room.fault.file_call_count = 0;
        room.fault.fail_file_call_at = 1;
        assert_int_equal(was_there == 1 ? PB_OK : PB_E_IO,
                         pb_store_create(room.env, ROOM_PATH, &room.error));
        assert_int_equal(1, room.fault.failure_count);
        room.fault.fail_file_call_at = 0;
        if (was_there == 1)
            room_open(&room);
        room_done(&room);
    }
}

static void
a_store_without_a_parent_directory_is_not_made(void **state)
{
    struct pb_error error = { .message = "" };

    (void)state;
    assert_int_equal(PB_E_IO, pb_store_create(pb_env_system(), "no-such-directory/store", &error));
    assert_non_null(strstr(error.message, "no-such-directory/store"));
}

/* ---- what else lies there ---- */

/* As deep as a store may lie: then names of some length inside do not fit a path. */
static void
make_deep_path(struct store_room *room, char path[PB_PATH_BYTES_MAX])
{
    const size_t bytes_max = PB_PATH_BYTES_MAX - 65;
    size_t bytes = 0;

    while (bytes < bytes_max) {
        size_t name = bytes_max - bytes < 102 ? bytes_max - bytes : 100;

        memset(path + bytes, 'd', name);
        bytes += name;
        path[bytes] = '\0';
        if (bytes < bytes_max) {
            assert_int_equal(PB_OK,
                             room->env->files->mkdir(room->env->file_context, path, &room->error));
            path[bytes++] = '/';
        }
    }
}

static void
make_file(struct store_room *room, const char *path)
{
    struct pb_file *file = NULL;

    room_expect(room, PB_OK,
                room->env->files->open(room->env->file_context, path, PB_OPEN_CREATE, &file,
                                       &room->error),
                path);
    assert_int_equal(PB_OK, room->env->files->write(room->env->file_context, file, 0, "1234567", 7,
                                                    &room->error));
    room->env->files->close(room->env->file_context, file);
}

static void
names_that_fit_no_path_are_left_alone(void **state)
{
    static char path[PB_PATH_BYTES_MAX];
    static char inner[2 * PB_PATH_BYTES_MAX];
    char name[120];
    struct pb_store_stats before;
    struct pb_store_stats after;
    struct store_room room;
    uint64_t size = 0;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    room_init_on(&room, sim_fs_new());
    make_deep_path(&room, path);
    room_expect(&room, PB_OK, pb_store_create(room.env, path, &room.error), "create");
    for (int pass = 0; pass < 2; pass++) {
        room_expect(&room, PB_OK, pb_store_open(room.env, path, NULL, &room.store, &room.error),
                    "open");
        room_expect(&room, PB_OK,
                    pb_store_stats(room.store, pass == 0 ? &before : &after, &room.error), "stats");
        room_close(&room);
        (void)snprintf(inner, sizeof(inner), "%s/segments/%s", path, name);
        if (pass == 0)
            make_file(&room, inner);
    }
    assert_true(sim_fs_file_size(room.fs, inner, &size));
    assert_int_equal(before.bytes, after.bytes);
    room_done(&room);
}

/* Files that no manifest names go; a directory is none of ours. */
static void
only_files_are_tidied_away(void **state)
{
    static const char directory[] = ROOM_PATH "/segments/lost+found";
    static const char file[] = ROOM_PATH "/segments/lost+found/00000001.seg";
    static const char orphan[] = ROOM_PATH "/segments/00000009.seg";
    struct pb_store_stats stats;
    struct store_room room;
    uint64_t bytes = 0;
    uint64_t size = 0;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK, pb_store_stats(room.store, &stats, &room.error), "stats");
    bytes = stats.bytes;
    room_close(&room);
    assert_int_equal(PB_OK, room.env->files->mkdir(room.env->file_context, directory, &room.error));
    make_file(&room, file);
    make_file(&room, orphan);
    room_open(&room);
    assert_true(sim_fs_file_size(room.fs, file, &size));
    assert_false(sim_fs_file_size(room.fs, orphan, &size));
    room_expect(&room, PB_OK, pb_store_stats(room.store, &stats, &room.error), "stats");
    assert_int_equal(bytes, stats.bytes);
    room_done(&room);
}

/* ---- readers beside a writer ---- */

/* Two segments, of which the second is damaged where it is opened. */
static struct sim_fs *
make_damaged(void)
{
    struct store_room room;
    struct sim_fs *fs = NULL;
    uint64_t size = 0;

    room_init(&room);
    for (int i = 0; i < 3; i++) {
        struct pb_read read = room_read(i == 1 ? "LOST" : "KEPT", "gate", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i < 2)
            room_flush(&room);
    }
    room_close(&room);
    assert_true(sim_fs_file_size(room.fs, ROOM_PATH "/segments/00000002.seg", &size));
    assert_true(sim_fs_flip_bit(room.fs, ROOM_PATH "/segments/00000002.seg", 8 * (size - 5)));
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

static enum pb_status
act_read(struct store_room *room, void *context)
{
    (void)context;
    return room_open_skipping(room);
}

static void
count_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    assert_string_equal(ROOM_PATH "/segments/00000002.seg", file);
    assert_true(offset == 0 && what[0] != '\0');
    ++*(uint32_t *)context;
}

static void
check_read(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_query query = room_query("*");
    uint32_t told = 0;

    if (status != PB_OK)
        room_expect(room, PB_OK, act_read(room, context), "open again");
    query.on_damage = count_damage;
    query.damage_context = &told;
    assert_int_equal(2, room_count_query(room, &query));
    assert_int_equal(1, told);
    /* A writer takes nothing where a segment is missing; the sweep must not open one. */
    room_close(room);
}

static void
a_reader_that_cannot_open_now_can_open_again(void **state)
{
    struct sweep sweep = {
        .name = "a reader opens", .fs = make_damaged(), .act = act_read, .check = check_read
    };

    (void)state;
    sweep_all(&sweep);
    sim_fs_free(sweep.fs);
}

static void
a_writer_that_asks_to_skip_damage_is_refused(void **state)
{
    const struct pb_store_options options = { .skips_damaged = true };
    struct sim_fs *fs = make_damaged();
    struct store_room room;

    (void)state;
    room_init_on(&room, sim_fs_clone(fs));
    room_expect(&room, PB_E_CORRUPT,
                pb_store_open(room.env, ROOM_PATH, &options, &room.store, &room.error), "open");
    room_done(&room);
    sim_fs_free(fs);
}

/* Changes the store whenever its manifest is opened. */
static struct {
    const struct pb_file_ops *files;
    struct pb_file_ops own;
    struct pb_store *writer; /* NULL: changes nothing */
    uint32_t changes;
} busy;

static enum pb_status
open_busy(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
          struct pb_error *error)
{
    struct pb_store *writer = busy.writer;

    if (writer != NULL && strcmp(path, ROOM_PATH "/manifest") == 0) {
        struct pb_erasure erasure = { .plate = { "GONE", 4 }, .to_us = ++busy.changes };

        busy.writer = NULL;
        assert_int_equal(PB_OK, pb_store_erase(writer, &erasure, error));
        busy.writer = writer;
    }
    return busy.files->open(context, path, mode, ret_file, error);
}

static void
a_reader_of_a_store_that_changes_all_the_time_is_told_so(void **state)
{
    const struct pb_store_options options = { .is_read_only = true };
    struct pb_read read = room_read("AB12", "gate", 1);
    struct pb_store *reader = NULL;
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    busy.files = room.fault.env.files;
    busy.own = *busy.files;
    busy.own.open = open_busy;
    busy.writer = room.store;
    busy.changes = 0;
    room.fault.env.files = &busy.own;
    assert_int_equal(PB_E_BUSY, pb_store_open(room.env, ROOM_PATH, &options, &reader, &room.error));
    assert_null(reader);
    assert_true(busy.changes > 2);
    busy.writer = NULL;
    room_expect(&room, PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &reader, &room.error),
                "open");
    pb_store_close(reader);
    room_done(&room);
}

static void
a_reader_has_no_threads_of_its_own(void **state)
{
    const struct pb_store_options options = { .is_read_only = true, .merge_in_background = true };
    struct pb_read read = room_read("AB12", "gate", 1);
    struct pb_store *reader = NULL;
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_expect(&room, PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &reader, &room.error),
                "open");
    assert_false(reader->has_flusher || reader->flusher_runs || reader->has_background);
    assert_int_equal(PB_BAD_INPUT, pb_store_backup(reader, "copy", NULL, &room.error));
    pb_store_close(reader);
    room_done(&room);
}

/* ---- too many ---- */

static void
a_change_to_more_segments_than_there_may_be_changes_nothing(void **state)
{
    struct pb_segment_entry *entries =
        pb_calloc(pb_env_system(), PB_SEGMENTS_MAX, sizeof(*entries));
    struct pb_read read = room_read("AB12", "gate", 1);
    struct pb_change change = { .added = entries, .added_count = PB_SEGMENTS_MAX };
    struct store_room room;

    (void)state;
    assert_non_null(entries);
    for (uint32_t i = 0; i < PB_SEGMENTS_MAX; i++)
        entries[i].number = 2 + i;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush(&room);
    (void)pthread_mutex_lock(&room.store->writing);
    change.applied = room.store->version->hidden;
    assert_int_equal(PB_OVER_LIMIT, pb_store_change(room.store, &change, &room.error));
    (void)pthread_mutex_unlock(&room.store->writing);
    assert_int_equal(1, room.store->manifest.segment_count);
    read = room_read("CD34", "gate", 2);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_reopen(&room);
    assert_int_equal(2, room_count(&room, "*"));
    room_done(&room);
    pb_free(pb_env_system(), entries);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directory_that_names_a_new_store_is_synced),
        cmocka_unit_test(a_store_is_made_in_a_directory_that_was_there_whatever_its_parent),
        cmocka_unit_test(a_store_without_a_parent_directory_is_not_made),
        cmocka_unit_test(names_that_fit_no_path_are_left_alone),
        cmocka_unit_test(only_files_are_tidied_away),
        cmocka_unit_test(a_reader_that_cannot_open_now_can_open_again),
        cmocka_unit_test(a_writer_that_asks_to_skip_damage_is_refused),
        cmocka_unit_test(a_reader_of_a_store_that_changes_all_the_time_is_told_so),
        cmocka_unit_test(a_reader_has_no_threads_of_its_own),
        cmocka_unit_test(a_change_to_more_segments_than_there_may_be_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
