/* The environment's contract: what pb_file_ops promises, on the system's files, the simulated
 * ones, and both through the fault environment. And what only the system's can promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/fault_env.h"
#include "support/sim_fs.h"

#define PATH_BYTES 512

/* One environment and an empty directory in it. */
struct place {
    struct pb_env base;
    struct fault_env fault;
    struct sim_fs *fs; /* NULL for the system's */
    char directory[PATH_BYTES / 2];
    char path[8][PATH_BYTES];
    unsigned path_count;
};

static const struct pb_file_ops *
files(const struct place *place)
{
    return place->fault.env.files;
}

static void *
context(const struct place *place)
{
    return place->fault.env.file_context;
}

/* A path below the directory; the last few stay valid. */
static const char *
at(struct place *place, const char *name)
{
    char *path = place->path[place->path_count++ % 8];

    (void)snprintf(path, PATH_BYTES, "%s/%s", place->directory, name);
    return path;
}

static int
set_up_system(void **state)
{
    const char *temporary = getenv("TMPDIR");
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    place->base = *pb_env_system();
    (void)snprintf(place->directory, sizeof(place->directory), "%s/pb-env-XXXXXX",
                   temporary == NULL ? "/tmp" : temporary);
    assert_non_null(mkdtemp(place->directory));
    fault_env_init(&place->fault, &place->base);
    *state = place;
    return 0;
}

static int
set_up_simulated(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    place->fs = sim_fs_new();
    place->base = sim_fs_env(place->fs);
    (void)snprintf(place->directory, sizeof(place->directory), "/data");
    fault_env_init(&place->fault, &place->base);
    assert_int_equal(PB_OK, files(place)->mkdir(context(place), place->directory, NULL));
    *state = place;
    return 0;
}

static bool
remove_entry(void *data, const char *name, bool is_directory)
{
    struct place *place = data;
    const char *path = at(place, name);

    assert_int_equal(PB_OK, is_directory ? files(place)->rmdir(context(place), path, NULL)
                                         : files(place)->unlink(context(place), path, NULL));
    return true;
}

static int
tear_down(void **state)
{
    struct place *place = *state;

    assert_int_equal(PB_OK, files(place)->list(context(place), place->directory, remove_entry,
                                               place, NULL));
    assert_int_equal(PB_OK, files(place)->rmdir(context(place), place->directory, NULL));
    assert_true(fault_env_is_clean(&place->fault));
    if (place->fs != NULL) {
        assert_int_equal(0, sim_fs_open_count(place->fs));
        assert_int_equal(0, sim_fs_map_count(place->fs));
    }
    sim_fs_free(place->fs);
    free(place);
    return 0;
}

/* ---- helpers ---- */

static struct pb_file *
must_open(struct place *place, const char *name, enum pb_open_mode mode)
{
    struct pb_file *file = NULL;
    struct pb_error error = { "" };

    if (files(place)->open(context(place), at(place, name), mode, &file, &error) != PB_OK)
        fail_msg("%s: %s", name, error.message);
    assert_non_null(file);
    return file;
}

static void
close_file(struct place *place, struct pb_file *file)
{
    files(place)->close(context(place), file);
}

static void
must_write(struct place *place, struct pb_file *file, uint64_t offset, const char *text)
{
    assert_int_equal(PB_OK,
                     files(place)->write(context(place), file, offset, text, strlen(text), NULL));
}

static void
make_file(struct place *place, const char *name, const char *text)
{
    struct pb_file *file = must_open(place, name, PB_OPEN_CREATE);

    must_write(place, file, 0, text);
    close_file(place, file);
}

static void
assert_holds(struct place *place, const char *name, const char *text)
{
    struct pb_file *file = must_open(place, name, PB_OPEN_READ);
    char bytes[256] = { 0 };
    uint64_t size = 0;

    assert_int_equal(PB_OK, files(place)->size(context(place), file, &size, NULL));
    assert_int_equal(strlen(text), size);
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 0, bytes, (size_t)size, NULL));
    assert_string_equal(text, bytes);
    close_file(place, file);
}

/* The call failed, and said so on which path. */
static void
assert_failed(enum pb_status status, struct pb_error *error, const char *name)
{
    assert_int_equal(PB_E_IO, status);
    assert_non_null(strstr(error->message, name));
    error->message[0] = '\0';
}

static bool
is_there(struct place *place, const char *name)
{
    struct pb_file *file = NULL;
    enum pb_status status;

    status = files(place)->open(context(place), at(place, name), PB_OPEN_READ, &file, NULL);
    assert_true(status == PB_OK || status == PB_NOT_FOUND);
    close_file(place, file);
    return status == PB_OK;
}

/* ---- files ---- */

static void
create_makes_a_file_once(void **state)
{
    struct place *place = *state;
    struct pb_file *file = NULL;
    struct pb_error error = { "" };

    assert_int_equal(PB_NOT_FOUND,
                     files(place)->open(context(place), at(place, "a"), PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_NOT_FOUND, files(place)->open(context(place), at(place, "a"), PB_OPEN_WRITE,
                                                      &file, NULL));
    assert_null(file);
    make_file(place, "a", "");
    assert_failed(files(place)->open(context(place), at(place, "a"), PB_OPEN_CREATE, &file, &error),
                  &error, "/a");
    assert_int_equal(PB_NOT_FOUND, files(place)->open(context(place), at(place, "no/a"),
                                                      PB_OPEN_CREATE, &file, NULL));
    assert_failed(files(place)->open(context(place), at(place, "a/b"), PB_OPEN_READ, &file, &error),
                  &error, "a/b");
    assert_null(file);
    close_file(place, NULL);
}

static void
writes_land_where_they_were_told(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    char bytes[16];
    uint64_t size = 77;

    assert_int_equal(PB_OK, files(place)->size(context(place), file, &size, NULL));
    assert_int_equal(0, size);
    must_write(place, file, 0, "hello");
    must_write(place, file, 8, "world");
    must_write(place, file, 1, "E");
    must_write(place, file, 100, "");
    assert_int_equal(PB_OK, files(place)->sync(context(place), file, NULL));
    assert_int_equal(PB_OK, files(place)->size(context(place), file, &size, NULL));
    assert_int_equal(13, size);
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 0, bytes, 13, NULL));
    assert_memory_equal("hEllo\0\0\0world", bytes, 13);
    close_file(place, file);

    /* Another opening sees the same, and can go on. */
    file = must_open(place, "a", PB_OPEN_WRITE);
    must_write(place, file, 5, "xyz");
    close_file(place, file);
    assert_holds(place, "a", "hElloxyzworld");
}

static void
reads_are_all_or_nothing(void **state)
{
    struct place *place = *state;
    struct pb_file *file;
    struct pb_error error = { "" };
    char bytes[16];

    make_file(place, "a", "0123456789");
    file = must_open(place, "a", PB_OPEN_READ);
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 4, bytes, 6, NULL));
    assert_memory_equal("456789", bytes, 6);
    assert_failed(files(place)->read(context(place), file, 4, bytes, 7, &error), &error, "/a");
    assert_failed(files(place)->read(context(place), file, 10, bytes, 1, &error), &error, "/a");
    assert_failed(files(place)->read(context(place), file, 1000, bytes, 1, &error), &error, "/a");
    assert_failed(files(place)->read(context(place), file, UINT64_MAX, bytes, 1, &error), &error,
                  "/a");
    assert_failed(files(place)->read(context(place), file, INT64_MAX, bytes, 1, &error), &error,
                  "/a");
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 10, bytes, 0, NULL));
    close_file(place, file);
}

static void
a_file_open_to_read_is_not_written(void **state)
{
    struct place *place = *state;
    struct pb_file *file;
    struct pb_error error = { "" };

    make_file(place, "a", "0123456789");
    file = must_open(place, "a", PB_OPEN_READ);
    assert_failed(files(place)->write(context(place), file, 0, "x", 1, &error), &error, "/a");
    assert_failed(files(place)->truncate(context(place), file, 0, &error), &error, "/a");
    assert_failed(files(place)->lock(context(place), file, &error), &error, "/a");
    close_file(place, file);
    assert_holds(place, "a", "0123456789");
}

static void
truncating_cuts_and_extends_with_zeros(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    char bytes[8];
    uint64_t size = 0;

    must_write(place, file, 0, "hello");
    assert_int_equal(PB_OK, files(place)->truncate(context(place), file, 2, NULL));
    assert_int_equal(PB_OK, files(place)->truncate(context(place), file, 6, NULL));
    assert_int_equal(PB_OK, files(place)->size(context(place), file, &size, NULL));
    assert_int_equal(6, size);
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 0, bytes, 6, NULL));
    assert_memory_equal("he\0\0\0\0", bytes, 6);
    assert_int_not_equal(PB_OK, files(place)->truncate(context(place), file, UINT64_MAX, NULL));
    close_file(place, file);
}

static void
maps_show_the_file_and_outlive_it(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    const uint64_t size = 3 * 4096 + 17;
    const void *map = NULL;
    struct pb_error error = { "" };
    char *bytes = test_malloc((size_t)size);

    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 >> 3);
    assert_failed(files(place)->map(context(place), file, 0, &map, &error), &error, "/a");
    assert_int_equal(PB_OK,
                     files(place)->write(context(place), file, 0, bytes, (size_t)size, NULL));
    assert_failed(files(place)->map(context(place), file, size + 1, &map, &error), &error, "/a");
    assert_null(map);
    assert_int_equal(PB_OK, files(place)->map(context(place), file, size, &map, NULL));
    close_file(place, file);
    assert_int_equal(PB_OK, files(place)->unlink(context(place), at(place, "a"), NULL));

    for (uint64_t begin = 0; begin < size; begin += 1000)
        files(place)->fetch(context(place), (const char *)map + begin, size - begin);
    files(place)->fetch(context(place), map, 0);
    assert_memory_equal(bytes, map, (size_t)size);
    for (uint64_t begin = 0; begin < size; begin += 1000)
        files(place)->forget(context(place), (const char *)map + begin, size - begin);
    files(place)->forget(context(place), map, 0);
    files(place)->forget(context(place), NULL, 0);
    assert_memory_equal(bytes, map, (size_t)size);
    files(place)->unmap(context(place), map, size);
    files(place)->unmap(context(place), NULL, 0);
    test_free(bytes);
}

static void
a_lock_keeps_others_out_until_it_is_closed(void **state)
{
    struct place *place = *state;
    struct pb_file *first = must_open(place, "lock", PB_OPEN_CREATE);
    struct pb_file *second = must_open(place, "lock", PB_OPEN_WRITE);
    struct pb_error error = { "" };

    assert_int_equal(PB_OK, files(place)->lock(context(place), first, NULL));
    assert_int_equal(PB_OK, files(place)->lock(context(place), first, NULL));
    assert_int_equal(PB_E_BUSY, files(place)->lock(context(place), second, &error));
    assert_non_null(strstr(error.message, "lock"));
    /* Closing another opening of the file drops nothing. */
    close_file(place, second);
    second = must_open(place, "lock", PB_OPEN_WRITE);
    assert_int_equal(PB_E_BUSY, files(place)->lock(context(place), second, NULL));
    close_file(place, first);
    assert_int_equal(PB_OK, files(place)->lock(context(place), second, NULL));
    close_file(place, second);
}

/* ---- directories ---- */

struct listing {
    char names[8][32];
    bool is_directory[8];
    unsigned count;
    unsigned count_max;
};

static bool
take_name(void *data, const char *name, bool is_directory)
{
    struct listing *listing = data;

    assert_true(listing->count < 8);
    (void)snprintf(listing->names[listing->count], sizeof(listing->names[0]), "%s", name);
    listing->is_directory[listing->count++] = is_directory;
    return listing->count < listing->count_max;
}

static void
list_names_what_is_there(void **state)
{
    struct place *place = *state;
    struct listing listing = { .count_max = 8 };
    struct pb_error error = { "" };
    unsigned seen = 0;

    assert_int_equal(PB_OK, files(place)->list(context(place), place->directory, take_name,
                                               &listing, NULL));
    assert_int_equal(0, listing.count);
    make_file(place, "a", "");
    make_file(place, ".hidden", "");
    assert_int_equal(PB_OK, files(place)->mkdir(context(place), at(place, "sub"), NULL));
    make_file(place, "sub/not-this-one", "");
    assert_int_equal(PB_OK, files(place)->list(context(place), place->directory, take_name,
                                               &listing, NULL));
    assert_int_equal(3, listing.count);
    for (unsigned i = 0; i < 3; i++) {
        bool is_sub = strcmp(listing.names[i], "sub") == 0;

        seen += is_sub                                     ? 1
                : strcmp(listing.names[i], "a") == 0       ? 10
                : strcmp(listing.names[i], ".hidden") == 0 ? 100
                                                           : 1000;
        assert_int_equal(is_sub, listing.is_directory[i]);
    }
    assert_int_equal(111, seen);

    listing = (struct listing){ .count_max = 2 };
    assert_int_equal(PB_OK, files(place)->list(context(place), place->directory, take_name,
                                               &listing, NULL));
    assert_int_equal(2, listing.count);
    assert_int_equal(PB_NOT_FOUND, files(place)->list(context(place), at(place, "no"), take_name,
                                                      &listing, NULL));
    assert_failed(files(place)->list(context(place), at(place, "a"), take_name, &listing, &error),
                  &error, "/a");
    assert_int_equal(PB_OK,
                     files(place)->unlink(context(place), at(place, "sub/not-this-one"), NULL));
}

static void
directories_are_made_once_and_removed_when_empty(void **state)
{
    struct place *place = *state;
    struct pb_error error = { "" };

    assert_int_equal(PB_OK, files(place)->mkdir(context(place), at(place, "sub"), NULL));
    assert_failed(files(place)->mkdir(context(place), at(place, "sub"), &error), &error, "/sub");
    assert_failed(files(place)->mkdir(context(place), at(place, "no/sub"), &error), &error,
                  "no/sub");
    make_file(place, "sub/a", "");
    assert_failed(files(place)->mkdir(context(place), at(place, "sub/a"), &error), &error, "sub/a");
    assert_failed(files(place)->rmdir(context(place), at(place, "sub"), &error), &error, "/sub");
    assert_failed(files(place)->rmdir(context(place), at(place, "sub/a"), &error), &error, "sub/a");
    assert_failed(files(place)->unlink(context(place), at(place, "sub"), &error), &error, "/sub");
    assert_int_equal(PB_OK, files(place)->sync_directory(context(place), at(place, "sub"), NULL));
    assert_failed(files(place)->sync_directory(context(place), at(place, "no"), &error), &error,
                  "/no");
    assert_failed(files(place)->sync_directory(context(place), at(place, "sub/a"), &error), &error,
                  "sub/a");
    assert_int_equal(PB_OK, files(place)->unlink(context(place), at(place, "sub/a"), NULL));
    assert_int_equal(PB_NOT_FOUND, files(place)->unlink(context(place), at(place, "sub/a"), NULL));
    assert_int_equal(PB_OK, files(place)->rmdir(context(place), at(place, "sub"), NULL));
    assert_int_equal(PB_NOT_FOUND, files(place)->rmdir(context(place), at(place, "sub"), NULL));
}

static void
rename_moves_and_replaces(void **state)
{
    struct place *place = *state;
    struct pb_file *replaced;
    struct pb_error error = { "" };
    char bytes[4] = { 0 };

    make_file(place, "a", "new");
    make_file(place, "b", "old");
    assert_int_equal(PB_OK, files(place)->mkdir(context(place), at(place, "sub"), NULL));
    replaced = must_open(place, "b", PB_OPEN_READ);

    assert_int_equal(PB_OK,
                     files(place)->rename(context(place), at(place, "a"), at(place, "b"), NULL));
    assert_false(is_there(place, "a"));
    assert_holds(place, "b", "new");
    /* What was replaced lives on for whom has it open. */
    assert_int_equal(PB_OK, files(place)->read(context(place), replaced, 0, bytes, 3, NULL));
    assert_string_equal("old", bytes);
    close_file(place, replaced);

    assert_int_equal(PB_OK, files(place)->rename(context(place), at(place, "b"), at(place, "sub/c"),
                                                 NULL));
    assert_false(is_there(place, "b"));
    assert_holds(place, "sub/c", "new");
    assert_int_equal(PB_OK, files(place)->rename(context(place), at(place, "sub/c"),
                                                 at(place, "sub/c"), NULL));
    assert_holds(place, "sub/c", "new");

    assert_failed(files(place)->rename(context(place), at(place, "b"), at(place, "x"), &error),
                  &error, "/b");
    assert_failed(files(place)->rename(context(place), at(place, "sub/c"), at(place, "no/c"),
                                       &error),
                  &error, "sub/c");
    assert_failed(files(place)->rename(context(place), at(place, "sub/c"), at(place, "sub"),
                                       &error),
                  &error, "sub/c");
    assert_int_equal(PB_OK, files(place)->rename(context(place), at(place, "sub"), at(place, "dir"),
                                                 NULL));
    assert_holds(place, "dir/c", "new");
    assert_int_equal(PB_OK, files(place)->unlink(context(place), at(place, "dir/c"), NULL));
}

static void
links_are_two_names_of_one_file(void **state)
{
    struct place *place = *state;
    struct pb_file *file;
    struct pb_error error = { "" };

    make_file(place, "a", "one");
    assert_int_equal(PB_OK,
                     files(place)->link(context(place), at(place, "a"), at(place, "b"), NULL));
    assert_failed(files(place)->link(context(place), at(place, "a"), at(place, "b"), &error),
                  &error, "/b");
    assert_failed(files(place)->link(context(place), at(place, "no"), at(place, "c"), &error),
                  &error, "/no");
    file = must_open(place, "b", PB_OPEN_WRITE);
    must_write(place, file, 0, "two");
    close_file(place, file);
    assert_holds(place, "a", "two");
    assert_int_equal(PB_OK, files(place)->unlink(context(place), at(place, "a"), NULL));
    assert_holds(place, "b", "two");
}

static void
an_unlinked_file_lives_while_it_is_open(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    char bytes[4] = { 0 };

    assert_int_equal(PB_OK, files(place)->unlink(context(place), at(place, "a"), NULL));
    assert_false(is_there(place, "a"));
    must_write(place, file, 0, "abc");
    assert_int_equal(PB_OK, files(place)->sync(context(place), file, NULL));
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 0, bytes, 3, NULL));
    assert_string_equal("abc", bytes);
    close_file(place, file);
}

/* ---- the system's own ---- */

static void
the_system_clock_and_random_bytes_work(void **state)
{
    const struct pb_env *env = pb_env_system();
    unsigned char a[300], b[300];
    int64_t before_ns = pb_monotonic_ns(env);

    (void)state;
    assert_true(pb_monotonic_ns(env) >= before_ns);
    before_ns = pb_monotonic_ns(env);
    pb_pause_us(env, 1500);
    assert_true(pb_monotonic_ns(env) >= before_ns + 1500000);
    assert_true(pb_now_us(env) > INT64_C(1700000000000000));
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    assert_int_equal(PB_OK, env->random(env->random_context, a, sizeof(a)));
    assert_int_equal(PB_OK, env->random(env->random_context, b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(PB_OK, env->random(env->random_context, a, 0));
}

static void
others_cannot_read_what_is_made(void **state)
{
    struct place *place = *state;
    struct stat info;

    make_file(place, "a", "secret");
    assert_int_equal(PB_OK, files(place)->mkdir(context(place), at(place, "sub"), NULL));
    assert_int_equal(0, stat(at(place, "a"), &info));
    assert_int_equal(0, info.st_mode & 0137);
    assert_int_equal(0, stat(at(place, "sub"), &info));
    assert_int_equal(0, info.st_mode & 0027);

    close_file(place, must_open(place, "key", PB_OPEN_CREATE_PRIVATE));
    assert_int_equal(0, stat(at(place, "key"), &info));
    assert_int_equal(0, info.st_mode & 0177);
    assert_int_equal(PB_E_IO, files(place)->open(context(place), at(place, "key"),
                                                 PB_OPEN_CREATE_PRIVATE, &(struct pb_file *){ 0 },
                                                 NULL));
}

/* A link is what it leads to; one that leads nowhere is no directory. */
static void
links_are_listed_as_what_they_lead_to(void **state)
{
    struct place *place = *state;
    struct listing listing = { .count_max = 8 };

    make_file(place, "a", "");
    assert_int_equal(PB_OK, files(place)->mkdir(context(place), at(place, "sub"), NULL));
    assert_int_equal(0, symlink("a", at(place, "to-a")));
    assert_int_equal(0, symlink("sub", at(place, "to-sub")));
    assert_int_equal(0, symlink("no", at(place, "to-no")));
    assert_int_equal(PB_OK, files(place)->list(context(place), place->directory, take_name,
                                               &listing, NULL));
    assert_int_equal(5, listing.count);
    for (unsigned i = 0; i < 5; i++) {
        bool is_sub = strstr(listing.names[i], "sub") != NULL;

        assert_int_equal(is_sub, listing.is_directory[i]);
        if (strncmp(listing.names[i], "to-", 3) == 0)
            assert_int_equal(0, unlink(at(place, listing.names[i])));
    }
}

/* A directory opens to be read as a file does, and that is all. */
static void
what_the_system_refuses_is_told_with_its_path(void **state)
{
    struct place *place = *state;
    struct pb_file *file = NULL;
    struct pb_error error = { "" };
    const void *map = NULL;
    char byte;

    assert_int_equal(PB_OK, files(place)->open(context(place), place->directory, PB_OPEN_READ,
                                               &file, NULL));
    assert_failed(files(place)->read(context(place), file, 0, &byte, 1, &error), &error,
                  place->directory);
    assert_failed(files(place)->map(context(place), file, 1, &map, &error), &error,
                  place->directory);
    assert_failed(files(place)->lock(context(place), file, &error), &error, place->directory);
    assert_null(map);
    close_file(place, file);
    assert_failed(files(place)->sync_directory(context(place), "/proc", &error), &error, "/proc");
    if (files(place)->open(context(place), "/dev/full", PB_OPEN_WRITE, &file, NULL) == PB_OK) {
        assert_failed(files(place)->sync(context(place), file, &error), &error, "/dev/full");
        close_file(place, file);
    }
}

static void
impossible_offsets_and_sizes_are_refused(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    struct pb_error error = { "" };
    const void *map = NULL;
    char byte = 'x';

    assert_failed(files(place)->write(context(place), file, INT64_MAX, &byte, 1, &error), &error,
                  "/a");
    assert_failed(files(place)->write(context(place), file, UINT64_MAX, &byte, 1, &error), &error,
                  "/a");
    assert_failed(files(place)->read(context(place), file, INT64_MAX, &byte, 1, &error), &error,
                  "/a");
    assert_failed(files(place)->map(context(place), file, (uint64_t)PTRDIFF_MAX + 1, &map, &error),
                  &error, "/a");
    assert_null(map);
    close_file(place, file);
}

static void
large_pieces_are_written_and_large_blocks_are_zero(void **state)
{
    const size_t bytes = (size_t)16 << 20;
    struct place *place = *state;
    const struct pb_env *env = pb_env_system();
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    unsigned char *block = env->zeroed(env->memory_context, bytes);
    unsigned char *read = env->resize(env->memory_context, NULL, 0, bytes);

    assert_non_null(block);
    assert_non_null(read);
    for (size_t i = 0; i < bytes; i += 4096)
        assert_int_equal(0, block[i]);
    for (size_t i = 0; i < bytes; i += 1000)
        block[i] = (unsigned char)(i / 1000);
    assert_int_equal(PB_OK, files(place)->write(context(place), file, 5, block, 1u << 20, NULL));
    assert_int_equal(PB_OK, files(place)->sync(context(place), file, NULL));
    assert_int_equal(PB_OK, files(place)->read(context(place), file, 5, read, 1u << 20, NULL));
    assert_memory_equal(block, read, 1u << 20);
    (void)env->resize(env->memory_context, block, bytes, 0);
    (void)env->resize(env->memory_context, read, bytes, 0);
    pb_env_system_give_back(); /* of which nothing is seen but that it is harmless */
    close_file(place, file);
}

static void
a_pause_of_less_than_nothing_ends_at_once(void **state)
{
    const struct pb_env *env = pb_env_system();

    (void)state;
    pb_pause_us(env, 0);
    pb_pause_us(env, -1);
}

static void
messages_say_what_was_tried_and_why_it_failed(void **state)
{
    const struct pb_env *env = pb_env_system();
    struct pb_error error = { "" };

    (void)state;
    assert_int_equal(PB_E_IO, env->files->mkdir(env->file_context, "/proc/pb-no", &error));
    assert_string_equal("cannot make directory '/proc/pb-no': No such file or directory",
                        error.message);
}

static void
a_full_disk_is_told_apart(void **state)
{
    const struct pb_env *env = pb_env_system();
    struct pb_file *file = NULL;

    (void)state;
    if (env->files->open(env->file_context, "/dev/full", PB_OPEN_WRITE, &file, NULL) != PB_OK)
        skip();
    assert_int_equal(PB_E_FULL, env->files->write(env->file_context, file, 0, "x", 1, NULL));
    env->files->close(env->file_context, file);
}

static uint64_t
resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long total = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(2, fscanf(file, "%llu %llu", &total, &resident));
    (void)fclose(file);
    return resident;
}

static void
forgotten_bytes_leave_resident_memory(void **state)
{
    struct place *place = *state;
    struct pb_file *file = must_open(place, "a", PB_OPEN_CREATE);
    const uint64_t size = 8u << 20;
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    const void *map = NULL;
    unsigned sum = 0;
    uint64_t before;

    assert_int_equal(PB_OK, files(place)->truncate(context(place), file, size, NULL));
    assert_int_equal(PB_OK, files(place)->map(context(place), file, size, &map, NULL));
    for (uint64_t i = 0; i < size; i += page_bytes)
        sum += ((const unsigned char *)map)[i];
    assert_int_equal(0, sum);
    before = resident_pages();
    /* Borders within pages: these two stay. */
    files(place)->forget(context(place), (const char *)map + 1, size - 2);
    assert_in_range(before - resident_pages(), size / page_bytes / 2, size / page_bytes);
    files(place)->unmap(context(place), map, size);
    close_file(place, file);
}

#define ON_BOTH(name)                                                 \
    { #name " (system)", name, set_up_system, tear_down, NULL },      \
    {                                                                 \
#name " (simulated)", name, set_up_simulated, tear_down, NULL \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(create_makes_a_file_once),
        ON_BOTH(writes_land_where_they_were_told),
        ON_BOTH(reads_are_all_or_nothing),
        ON_BOTH(a_file_open_to_read_is_not_written),
        ON_BOTH(truncating_cuts_and_extends_with_zeros),
        ON_BOTH(maps_show_the_file_and_outlive_it),
        ON_BOTH(a_lock_keeps_others_out_until_it_is_closed),
        ON_BOTH(list_names_what_is_there),
        ON_BOTH(directories_are_made_once_and_removed_when_empty),
        ON_BOTH(rename_moves_and_replaces),
        ON_BOTH(links_are_two_names_of_one_file),
        ON_BOTH(an_unlinked_file_lives_while_it_is_open),
        cmocka_unit_test(the_system_clock_and_random_bytes_work),
        cmocka_unit_test_setup_teardown(others_cannot_read_what_is_made, set_up_system, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_bytes_leave_resident_memory, set_up_system,
                                        tear_down),
        cmocka_unit_test_setup_teardown(links_are_listed_as_what_they_lead_to, set_up_system,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_system_refuses_is_told_with_its_path,
                                        set_up_system, tear_down),
        cmocka_unit_test_setup_teardown(impossible_offsets_and_sizes_are_refused, set_up_system,
                                        tear_down),
        cmocka_unit_test_setup_teardown(large_pieces_are_written_and_large_blocks_are_zero,
                                        set_up_system, tear_down),
        cmocka_unit_test(a_pause_of_less_than_nothing_ends_at_once),
        cmocka_unit_test(messages_say_what_was_tried_and_why_it_failed),
        cmocka_unit_test(a_full_disk_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
