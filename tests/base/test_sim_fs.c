/* The simulated file system: what a power cut may do, and what it must not. That it keeps the
 * contract of pb_file_ops is in test_env.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/sim_fs.h"

#define SEEDS 400u
#define SECTOR 512u
#define TEXT_BYTES_MAX 16384u

/* All files' operations take the file system itself as their context. */
static const struct pb_file_ops *
files(struct sim_fs *fs)
{
    return sim_fs_env(fs).files;
}

static struct pb_file *
must_open(struct sim_fs *fs, const char *path, enum pb_open_mode mode)
{
    struct pb_file *file = NULL;

    assert_int_equal(PB_OK, files(fs)->open(fs, path, mode, &file, NULL));
    return file;
}

static void
must_write(struct sim_fs *fs, struct pb_file *file, uint64_t offset, char letter, size_t count)
{
    char bytes[TEXT_BYTES_MAX];

    memset(bytes, letter, count);
    assert_int_equal(PB_OK, files(fs)->write(fs, file, offset, bytes, count, NULL));
}

static void
make_file(struct sim_fs *fs, const char *path, char letter, size_t count, bool is_synced)
{
    struct pb_file *file = must_open(fs, path, PB_OPEN_CREATE);

    must_write(fs, file, 0, letter, count);
    if (is_synced)
        assert_int_equal(PB_OK, files(fs)->sync(fs, file, NULL));
    files(fs)->close(fs, file);
}

static void
sync_root(struct sim_fs *fs)
{
    assert_int_equal(PB_OK, files(fs)->sync_directory(fs, "/", NULL));
}

static void
sync_file(struct sim_fs *fs, const char *path)
{
    struct pb_file *file = must_open(fs, path, PB_OPEN_READ);

    assert_int_equal(PB_OK, files(fs)->sync(fs, file, NULL));
    files(fs)->close(fs, file);
}

/* What is in a file; false where there is none. */
static bool
get(struct sim_fs *fs, const char *path, char text[TEXT_BYTES_MAX], uint64_t *ret_size)
{
    struct pb_file *file = NULL;
    enum pb_status status = files(fs)->open(fs, path, PB_OPEN_READ, &file, NULL);

    *ret_size = 0;
    if (status == PB_NOT_FOUND)
        return false;
    assert_int_equal(PB_OK, status);
    assert_int_equal(PB_OK, files(fs)->size(fs, file, ret_size, NULL));
    assert_true(*ret_size <= TEXT_BYTES_MAX);
    assert_int_equal(PB_OK, files(fs)->read(fs, file, 0, text, (size_t)*ret_size, NULL));
    files(fs)->close(fs, file);
    return true;
}

static bool
is_there(struct sim_fs *fs, const char *path)
{
    uint64_t size;

    return sim_fs_file_size(fs, path, &size);
}

/* ---- what is synced stays ---- */

static void
what_was_synced_survives_every_cut(void **state)
{
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();

        sim_fs_set_damage(fs, SIM_FS_ANY_ENTRIES | SIM_FS_GARBAGE);
        make_file(fs, "a", 'a', 3000, true);
        sync_root(fs);
        make_file(fs, "b", 'b', 3000, true);
        sim_fs_power_cut(fs, seed);
        assert_true(get(fs, "a", text, &size));
        assert_int_equal(3000, size);
        for (size_t i = 0; i < 3000; i++)
            assert_int_equal('a', text[i]);
        sim_fs_free(fs);
    }
}

/* ---- what is not synced may go ---- */

static void
an_overwrite_leaves_any_mix_of_its_sectors(void **state)
{
    unsigned all_old = 0, all_new = 0, torn = 0, later_without_earlier = 0, scattered = 0;
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file;
        unsigned new_count = 0, borders = 0;
        bool is_late = false;

        make_file(fs, "a", 'o', 8 * SECTOR, true);
        sync_root(fs);
        file = must_open(fs, "a", PB_OPEN_WRITE);
        must_write(fs, file, 0, 'n', 8 * SECTOR);
        files(fs)->close(fs, file);
        sim_fs_power_cut(fs, seed);

        assert_true(get(fs, "a", text, &size));
        assert_int_equal(8 * SECTOR, size);
        for (size_t i = 0; i < 8; i++) {
            char letter = text[i * SECTOR];

            assert_true(letter == 'o' || letter == 'n');
            for (size_t j = 0; j < SECTOR; j++)
                assert_int_equal(letter, text[i * SECTOR + j]);
            is_late |= letter == 'n' && new_count < i;
            borders += i > 0 && letter != text[(i - 1) * SECTOR];
            new_count += letter == 'n';
        }
        all_old += new_count == 0;
        all_new += new_count == 8;
        torn += new_count > 0 && new_count < 8;
        later_without_earlier += is_late;
        scattered += borders > 1;
        sim_fs_free(fs);
    }
    assert_in_range(all_old, SEEDS / 10, SEEDS);
    assert_in_range(all_new, SEEDS / 10, SEEDS);
    assert_in_range(torn, SEEDS / 10, SEEDS);
    assert_in_range(later_without_earlier, SEEDS / 20, SEEDS);
    assert_in_range(scattered, SEEDS / 50, SEEDS);
}

static void
a_later_write_may_survive_an_earlier_one(void **state)
{
    unsigned seen[4] = { 0 };
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file;

        make_file(fs, "a", 'o', 20, true);
        sync_root(fs);
        file = must_open(fs, "a", PB_OPEN_WRITE);
        must_write(fs, file, 0, '1', 10);
        must_write(fs, file, 10, '2', 10);
        files(fs)->close(fs, file);
        sim_fs_power_cut(fs, seed);
        assert_true(get(fs, "a", text, &size));
        seen[(text[0] == '1' ? 1 : 0) + (text[10] == '2' ? 2 : 0)]++;
        sim_fs_free(fs);
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range(seen[i], SEEDS / 20, SEEDS);
}

static void
a_growing_file_may_hold_zeros_but_only_with_garbage_more(void **state)
{
    (void)state;
    for (unsigned damage = 0; damage <= SIM_FS_GARBAGE; damage += SIM_FS_GARBAGE) {
        unsigned zeros = 0, garbage = 0, shorter = 0;

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct sim_fs *fs = sim_fs_new();
            char text[TEXT_BYTES_MAX];
            uint64_t size;

            sim_fs_set_damage(fs, damage);
            make_file(fs, "a", 'n', 10 * SECTOR + 7, false);
            sync_root(fs);
            sim_fs_power_cut(fs, seed);
            assert_true(get(fs, "a", text, &size));
            assert_true(size <= 10 * SECTOR + 7);
            shorter += size < 10 * SECTOR + 7;
            for (size_t i = 0; i < size; i++) {
                zeros += text[i] == 0;
                garbage += text[i] != 0 && text[i] != 'n';
            }
            sim_fs_free(fs);
        }
        assert_true(zeros > SEEDS && shorter > SEEDS / 10);
        assert_int_equal(damage != 0, garbage > SEEDS);
    }
}

static void
truncation_is_a_change_like_others(void **state)
{
    unsigned cut_short = 0, whole = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file;
        uint64_t size = 0;

        make_file(fs, "a", 'o', 100, true);
        sync_root(fs);
        file = must_open(fs, "a", PB_OPEN_WRITE);
        assert_int_equal(PB_OK, files(fs)->truncate(fs, file, 10, NULL));
        files(fs)->close(fs, file);
        assert_true(sim_fs_file_size(fs, "a", &size));
        assert_int_equal(10, size);
        sim_fs_power_cut(fs, seed);
        assert_true(sim_fs_file_size(fs, "a", &size));
        cut_short += size == 10;
        whole += size == 100;
        sim_fs_free(fs);
    }
    assert_int_equal(SEEDS, cut_short + whole);
    assert_in_range(cut_short, SEEDS / 10, SEEDS);
    assert_in_range(whole, SEEDS / 10, SEEDS);
}

/* ---- directories ---- */

static void
an_entry_lasts_from_the_sync_of_its_directory(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();

        assert_int_equal(PB_OK, files(fs)->mkdir(fs, "sub", NULL));
        sync_root(fs);
        make_file(fs, "sub/synced", 'a', 10, true);
        assert_int_equal(PB_OK, files(fs)->sync_directory(fs, "sub", NULL));
        make_file(fs, "sub/only-its-bytes", 'b', 10, true);
        sync_root(fs); /* another directory */
        sim_fs_power_cut(fs, seed);
        assert_true(is_there(fs, "sub/synced"));
        lost += !is_there(fs, "sub/only-its-bytes");
        sim_fs_free(fs);
    }
    assert_in_range(lost, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void
the_first_changes_of_a_directory_are_kept_unless_any_may_be_lost(void **state)
{
    (void)state;
    for (unsigned damage = 0; damage <= SIM_FS_ANY_ENTRIES; damage += SIM_FS_ANY_ENTRIES) {
        unsigned counts[6] = { 0 }, gaps = 0;

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct sim_fs *fs = sim_fs_new();
            unsigned count = 0;

            sim_fs_set_damage(fs, damage);
            for (unsigned i = 0; i < 5; i++)
                make_file(fs, (char[]){ (char)('a' + i), '\0' }, 'x', 1, false);
            sim_fs_power_cut(fs, seed);
            for (unsigned i = 0; i < 5; i++) {
                if (!is_there(fs, (char[]){ (char)('a' + i), '\0' }))
                    continue;
                gaps += count < i;
                count++;
            }
            counts[count]++;
            sim_fs_free(fs);
        }
        for (size_t i = 0; i < 6; i++)
            assert_true(counts[i] > 0);
        assert_int_equal(damage != 0, gaps > 0);
    }
}

static void
a_removed_file_may_come_back_with_its_bytes(void **state)
{
    unsigned back = 0;
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();

        assert_int_equal(PB_OK, files(fs)->mkdir(fs, "sub", NULL));
        make_file(fs, "sub/a", 'a', 10, true);
        assert_int_equal(PB_OK, files(fs)->sync_directory(fs, "sub", NULL));
        sync_root(fs);
        assert_int_equal(PB_OK, files(fs)->unlink(fs, "sub/a", NULL));
        assert_int_equal(PB_OK, files(fs)->rmdir(fs, "sub", NULL));
        assert_false(is_there(fs, "sub/a"));
        sim_fs_power_cut(fs, seed);
        if (get(fs, "sub/a", text, &size)) {
            assert_int_equal(10, size);
            back++;
        }
        sim_fs_free(fs);
    }
    assert_in_range(back, SEEDS / 10, SEEDS - SEEDS / 10);
}

/* ---- the way to replace a file ---- */

enum omission { OMIT_NOTHING, OMIT_SYNC, OMIT_DIRECTORY_SYNC };

/* Replaces "a" by way of "new", as the store replaces its manifest; stops at the first failure. */
static enum pb_status
replace_file(struct sim_fs *fs, enum omission omission)
{
    struct pb_file *file = NULL;
    char bytes[5000];
    enum pb_status status;

    memset(bytes, 'n', sizeof(bytes));
    status = files(fs)->open(fs, "new", PB_OPEN_CREATE, &file, NULL);
    if (status == PB_OK)
        status = files(fs)->write(fs, file, 0, bytes, sizeof(bytes), NULL);
    if (status == PB_OK && omission != OMIT_SYNC)
        status = files(fs)->sync(fs, file, NULL);
    files(fs)->close(fs, file);
    if (status == PB_OK)
        status = files(fs)->rename(fs, "new", "a", NULL);
    if (status == PB_OK && omission != OMIT_DIRECTORY_SYNC)
        status = files(fs)->sync_directory(fs, "/", NULL);
    return status;
}

/* Cuts within each call, and after the last; returns how often "a" was neither all old nor, as
 * it must be after a success, all new. */
static unsigned
count_broken_replacements(enum omission omission, unsigned *ret_call_count)
{
    unsigned broken = 0;

    for (unsigned call = 1;; call++) {
        bool is_over = false;

        for (uint64_t seed = 0; seed < 100; seed++) {
            struct sim_fs *fs = sim_fs_new();
            char text[TEXT_BYTES_MAX];
            uint64_t size;
            enum pb_status status;
            bool is_good;

            make_file(fs, "a", 'o', 3000, true);
            sync_root(fs);
            sim_fs_cut_after(fs, sim_fs_call_count(fs) + call);
            status = replace_file(fs, omission);
            is_over = !sim_fs_is_cut(fs);
            assert_int_equal(is_over ? PB_OK : PB_E_IO, status);
            sim_fs_power_cut(fs, seed);

            is_good = get(fs, "a", text, &size) && size > 0;
            if (is_good && text[0] == 'o')
                is_good = size == 3000 && status != PB_OK;
            else if (is_good)
                is_good = size == 5000;
            for (uint64_t i = 1; is_good && i < size; i++)
                is_good = text[i] == text[0];
            broken += !is_good;
            sim_fs_free(fs);
        }
        *ret_call_count = call;
        if (is_over)
            return broken;
    }
}

static void
replacing_a_file_is_atomic_when_nothing_is_left_out(void **state)
{
    unsigned call_count = 0;

    (void)state;
    assert_int_equal(0, count_broken_replacements(OMIT_NOTHING, &call_count));
    /* Create, write, sync, rename, sync of the directory, and once without a cut. */
    assert_int_equal(6, call_count);
    assert_in_range(count_broken_replacements(OMIT_SYNC, &call_count), 10, 600);
    assert_in_range(count_broken_replacements(OMIT_DIRECTORY_SYNC, &call_count), 10, 600);
}

/* ---- cuts, ends, handles ---- */

static void
after_a_cut_what_was_open_is_dead(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_file *dead, *alive;
    const void *map = NULL;
    uint64_t size = 0;
    char byte;

    (void)state;
    make_file(fs, "a", 'a', 10, true);
    sync_root(fs);
    dead = must_open(fs, "a", PB_OPEN_WRITE);
    assert_int_equal(PB_OK, files(fs)->lock(fs, dead, NULL));
    assert_int_equal(PB_OK, files(fs)->map(fs, dead, 10, &map, NULL));
    for (unsigned is_power_cut = 0; is_power_cut < 2; is_power_cut++) {
        struct pb_error error = { "" };

        if (is_power_cut)
            sim_fs_power_cut(fs, 1);
        else
            sim_fs_process_end(fs);
        assert_int_equal(PB_E_IO, files(fs)->read(fs, dead, 0, &byte, 1, &error));
        assert_int_equal(PB_E_IO, files(fs)->write(fs, dead, 0, "x", 1, NULL));
        assert_int_equal(PB_E_IO, files(fs)->sync(fs, dead, NULL));
        assert_int_equal(PB_E_IO, files(fs)->truncate(fs, dead, 0, NULL));
        assert_int_equal(PB_E_IO, files(fs)->size(fs, dead, &size, NULL));
        assert_int_equal(PB_E_IO, files(fs)->map(fs, dead, 10, &map, NULL));
        assert_int_equal(PB_E_IO, files(fs)->lock(fs, dead, NULL));
        assert_non_null(strstr(error.message, "'a'"));

        alive = must_open(fs, "a", PB_OPEN_WRITE);
        assert_int_equal(PB_OK, files(fs)->lock(fs, alive, NULL));
        assert_int_equal(PB_OK, files(fs)->read(fs, alive, 0, &byte, 1, NULL));
        assert_int_equal('a', byte);
        files(fs)->close(fs, alive);
    }
    assert_memory_equal("aaaaaaaaaa", map, 10);
    assert_int_equal(1, sim_fs_map_count(fs));
    files(fs)->unmap(fs, map, 10);
    assert_int_equal(1, sim_fs_open_count(fs));
    files(fs)->close(fs, dead);
    assert_int_equal(0, sim_fs_open_count(fs) + sim_fs_map_count(fs));
    sim_fs_free(fs);
}

static void
without_power_nothing_works_until_it_is_back(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_file *file = NULL;

    (void)state;
    make_file(fs, "a", 'a', 10, true); /* create, write, sync */
    sync_root(fs);
    assert_int_equal(4, sim_fs_call_count(fs));
    sim_fs_cut_after(fs, 6);
    assert_int_equal(PB_OK, files(fs)->mkdir(fs, "before", NULL));
    assert_false(sim_fs_is_cut(fs));
    assert_int_equal(PB_E_IO, files(fs)->sync_directory(fs, "/", NULL));
    assert_true(sim_fs_is_cut(fs));
    assert_int_equal(PB_E_IO, files(fs)->mkdir(fs, "after", NULL));
    assert_int_equal(PB_E_IO, files(fs)->open(fs, "a", PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_E_IO, files(fs)->list(fs, "/", NULL, NULL, NULL));
    assert_null(file);
    sim_fs_power_cut(fs, 7);
    assert_false(sim_fs_is_cut(fs));
    assert_int_equal(0, sim_fs_call_count(fs));
    assert_true(is_there(fs, "a"));
    assert_int_equal(PB_NOT_FOUND, files(fs)->rmdir(fs, "after", NULL));
    sim_fs_free(fs);
}

static void
the_call_that_was_cut_may_have_happened(void **state)
{
    unsigned happened = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file = NULL;

        sim_fs_cut_after(fs, 1);
        assert_int_equal(PB_E_IO, files(fs)->open(fs, "a", PB_OPEN_CREATE, &file, NULL));
        assert_null(file);
        sim_fs_power_cut(fs, seed);
        happened += is_there(fs, "a");
        sim_fs_free(fs);
    }
    assert_in_range(happened, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void
a_sync_that_was_cut_promises_nothing(void **state)
{
    unsigned lost_entries = 0, lost_bytes = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file;
        uint64_t size = 0;

        make_file(fs, "a", 'a', 10, true);
        sim_fs_cut_after(fs, sim_fs_call_count(fs) + 1);
        assert_int_equal(PB_E_IO, files(fs)->sync_directory(fs, "/", NULL));
        sim_fs_power_cut(fs, seed);
        lost_entries += !is_there(fs, "a");
        sim_fs_free(fs);

        fs = sim_fs_new();
        file = must_open(fs, "a", PB_OPEN_CREATE);
        sync_root(fs);
        must_write(fs, file, 0, 'a', 10);
        sim_fs_cut_after(fs, sim_fs_call_count(fs) + 1);
        assert_int_equal(PB_E_IO, files(fs)->sync(fs, file, NULL));
        files(fs)->close(fs, file);
        sim_fs_power_cut(fs, seed);
        assert_true(sim_fs_file_size(fs, "a", &size));
        lost_bytes += size == 0;
        sim_fs_free(fs);
    }
    assert_in_range(lost_entries, SEEDS / 10, SEEDS - SEEDS / 10);
    assert_in_range(lost_bytes, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void
the_end_of_a_process_loses_nothing_until_a_cut(void **state)
{
    unsigned lost = 0;
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();

        make_file(fs, "a", 'a', 10, false);
        sim_fs_process_end(fs);
        assert_true(get(fs, "a", text, &size));
        assert_int_equal(10, size);
        sim_fs_power_cut(fs, seed);
        lost += !is_there(fs, "a");
        sim_fs_free(fs);
    }
    assert_in_range(lost, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void
a_failed_sync_loses_what_a_later_sync_claims_to_keep(void **state)
{
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_file *file;

        make_file(fs, "a", 'o', 10, true);
        sync_root(fs);
        sim_fs_fail_sync_at(fs, 1);
        file = must_open(fs, "a", PB_OPEN_WRITE);
        must_write(fs, file, 0, 'n', 10);
        assert_int_equal(PB_E_IO, files(fs)->sync(fs, file, NULL));
        must_write(fs, file, 10, 'm', 10);
        assert_int_equal(PB_OK, files(fs)->sync(fs, file, NULL));
        files(fs)->close(fs, file);
        assert_true(get(fs, "a", text, &size));
        assert_memory_equal("nnnnnnnnnnmmmmmmmmmm", text, 20);
        sim_fs_power_cut(fs, seed);
        assert_true(get(fs, "a", text, &size));
        assert_int_equal(20, size);
        assert_memory_equal("oooooooooommmmmmmmmm", text, 20);
        sim_fs_free(fs);
    }
}

static void
a_full_disk_takes_what_fits(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_file *file;
    uint64_t size = 0;

    (void)state;
    make_file(fs, "a", 'a', 60, true);
    sim_fs_set_capacity(fs, 100);
    file = must_open(fs, "b", PB_OPEN_CREATE);
    must_write(fs, file, 0, 'b', 30);
    assert_int_equal(PB_E_FULL, files(fs)->write(fs, file, 25, "01234567890123456789", 20, NULL));
    assert_int_equal(PB_OK, files(fs)->size(fs, file, &size, NULL));
    assert_int_equal(40, size);
    assert_int_equal(PB_E_FULL, files(fs)->truncate(fs, file, 41, NULL));
    must_write(fs, file, 0, 'c', 40); /* in place */
    assert_int_equal(PB_E_FULL, files(fs)->write(fs, file, 1000, "x", 1, NULL));
    assert_int_equal(PB_OK, files(fs)->unlink(fs, "a", NULL));
    sync_root(fs); /* until then a cut may bring it back */
    must_write(fs, file, 40, 'd', 60);
    assert_int_equal(PB_OK, files(fs)->truncate(fs, file, 10, NULL));
    files(fs)->close(fs, file);
    make_file(fs, "c", 'c', 90, true);
    sim_fs_free(fs);
}

/* ---- copies and damage ---- */

struct digest {
    struct sim_fs *fs;
    uint64_t hash;
    unsigned count;
};

static void
add_to_digest(void *context, const char *path, uint64_t size)
{
    struct digest *digest = context;
    char text[TEXT_BYTES_MAX];
    uint64_t parts[4];

    assert_true(get(digest->fs, path, text, &size));
    parts[0] = digest->hash;
    parts[1] = pb_hash_bytes(path, strlen(path));
    parts[2] = pb_hash_bytes(text, (size_t)size);
    parts[3] = size;
    digest->hash = pb_hash_bytes(parts, sizeof(parts));
    digest->count++;
}

static uint64_t
digest_of(struct sim_fs *fs, unsigned *ret_count)
{
    struct digest digest = { .fs = fs };

    sim_fs_each_file(fs, add_to_digest, &digest);
    *ret_count = digest.count;
    return digest.hash;
}

/* Files in all states: synced or not, linked, renamed, removed, open. */
static struct sim_fs *
make_history(void)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_file *file;

    assert_int_equal(PB_OK, files(fs)->mkdir(fs, "sub", NULL));
    make_file(fs, "a", 'a', 5000, true);
    make_file(fs, "sub/b", 'b', 5000, true);
    sync_root(fs);
    assert_int_equal(PB_OK, files(fs)->sync_directory(fs, "sub", NULL));
    make_file(fs, "sub/c", 'c', 9000, false);
    assert_int_equal(PB_OK, files(fs)->link(fs, "a", "sub/link", NULL));
    assert_int_equal(PB_OK, files(fs)->rename(fs, "sub/b", "moved", NULL));
    file = must_open(fs, "a", PB_OPEN_WRITE);
    must_write(fs, file, 1000, 'x', 9000);
    assert_int_equal(PB_OK, files(fs)->truncate(fs, file, 7000, NULL));
    must_write(fs, file, 200, 'y', 2000);
    files(fs)->close(fs, file);
    make_file(fs, "gone", 'g', 100, true);
    assert_int_equal(PB_OK, files(fs)->unlink(fs, "gone", NULL));
    return fs;
}

static void
the_same_seed_leaves_the_same_disk_of_a_copy_too(void **state)
{
    uint64_t previous = 0;
    unsigned different = 0, count;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_fs *fs = make_history();
        struct sim_fs *copy = sim_fs_clone(fs);
        struct sim_fs *again = make_history();
        uint64_t digest = digest_of(fs, &count);

        assert_int_equal(4, count);
        assert_true(digest_of(copy, &count) == digest);
        sim_fs_power_cut(fs, seed);
        /* The copy was not touched by that. */
        assert_true(digest_of(copy, &count) == digest);
        sim_fs_power_cut(copy, seed);
        sim_fs_power_cut(again, seed);
        digest = digest_of(fs, &count);
        assert_true(digest_of(copy, &count) == digest);
        assert_true(digest_of(again, &count) == digest);
        different += digest != previous;
        previous = digest;

        /* What a cut left is on disk for good. */
        sim_fs_power_cut(fs, ~seed);
        assert_true(digest_of(fs, &count) == digest);
        sim_fs_free(fs);
        sim_fs_free(copy);
        sim_fs_free(again);
    }
    assert_in_range(different, SEEDS / 2, SEEDS);
}

static void
a_copy_leaves_out_what_is_only_open(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_file *file = must_open(fs, "a", PB_OPEN_CREATE);
    struct sim_fs *copy;
    unsigned count;

    (void)state;
    must_write(fs, file, 0, 'a', 10);
    assert_int_equal(PB_OK, files(fs)->lock(fs, file, NULL));
    copy = sim_fs_clone(fs);
    assert_int_equal(PB_OK, files(fs)->unlink(fs, "a", NULL));
    sync_root(fs);
    sim_fs_free(sim_fs_clone(fs));
    files(fs)->close(fs, file);
    sim_fs_free(fs);

    file = must_open(copy, "a", PB_OPEN_WRITE);
    assert_int_equal(PB_OK, files(copy)->lock(copy, file, NULL));
    files(copy)->close(copy, file);
    assert_int_equal(0, sim_fs_open_count(copy));
    (void)digest_of(copy, &count);
    assert_int_equal(1, count);
    sim_fs_free(copy);
}

static void
damage_is_seen_and_on_disk(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    char text[TEXT_BYTES_MAX];
    uint64_t size;

    (void)state;
    assert_int_equal(PB_OK, files(fs)->mkdir(fs, "sub", NULL));
    make_file(fs, "sub/a", 'a', 10, false);
    assert_int_equal(PB_OK, files(fs)->sync_directory(fs, "sub", NULL));
    sync_root(fs);
    assert_true(sim_fs_flip_bit(fs, "sub/a", 9));
    assert_true(sim_fs_zero(fs, "/sub/a", 3, 2));
    assert_true(sim_fs_truncate(fs, "sub/a", 7));
    assert_false(sim_fs_flip_bit(fs, "sub/a", 7 * 8));
    assert_false(sim_fs_zero(fs, "sub/a", 6, 2));
    assert_false(sim_fs_zero(fs, "sub/a", UINT64_MAX, 2));
    assert_false(sim_fs_truncate(fs, "sub/a", 8));
    assert_false(sim_fs_flip_bit(fs, "sub", 0));
    assert_false(sim_fs_flip_bit(fs, "sub/b", 0));
    assert_false(sim_fs_file_size(fs, "sub/../sub/a", &size));
    for (unsigned round = 0; round < 20; round++) {
        assert_true(get(fs, "sub/a", text, &size));
        assert_int_equal(7, size);
        assert_memory_equal("aca\0\0aa", text, 7);
        sim_fs_power_cut(fs, round);
    }
    sync_file(fs, "sub/a");
    sim_fs_free(fs);
    sim_fs_free(NULL);
}

static void
random_bytes_are_the_same_each_time(void **state)
{
    unsigned char first[16], second[16], again[16];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_env env = sim_fs_env(fs);

        assert_int_equal(PB_OK, env.random(env.random_context, round ? again : first, 16));
        assert_int_equal(PB_OK, env.random(env.random_context, second, 16));
        sim_fs_free(fs);
    }
    assert_memory_equal(first, again, 16);
    assert_memory_not_equal(first, second, 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives_every_cut),
        cmocka_unit_test(an_overwrite_leaves_any_mix_of_its_sectors),
        cmocka_unit_test(a_later_write_may_survive_an_earlier_one),
        cmocka_unit_test(a_growing_file_may_hold_zeros_but_only_with_garbage_more),
        cmocka_unit_test(truncation_is_a_change_like_others),
        cmocka_unit_test(an_entry_lasts_from_the_sync_of_its_directory),
        cmocka_unit_test(the_first_changes_of_a_directory_are_kept_unless_any_may_be_lost),
        cmocka_unit_test(a_removed_file_may_come_back_with_its_bytes),
        cmocka_unit_test(replacing_a_file_is_atomic_when_nothing_is_left_out),
        cmocka_unit_test(after_a_cut_what_was_open_is_dead),
        cmocka_unit_test(without_power_nothing_works_until_it_is_back),
        cmocka_unit_test(the_call_that_was_cut_may_have_happened),
        cmocka_unit_test(a_sync_that_was_cut_promises_nothing),
        cmocka_unit_test(the_end_of_a_process_loses_nothing_until_a_cut),
        cmocka_unit_test(a_failed_sync_loses_what_a_later_sync_claims_to_keep),
        cmocka_unit_test(a_full_disk_takes_what_fits),
        cmocka_unit_test(the_same_seed_leaves_the_same_disk_of_a_copy_too),
        cmocka_unit_test(a_copy_leaves_out_what_is_only_open),
        cmocka_unit_test(damage_is_seen_and_on_disk),
        cmocka_unit_test(random_bytes_are_the_same_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
