/* The fault environment itself: what it counts and what it fails. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault_env.h"
#include "support/sim_fs.h"

static void
allocations_are_counted_until_they_are_freed(void **state)
{
    struct fault_env fault;
    void *a, *b;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    assert_true(fault_env_is_clean(&fault));
    a = pb_alloc(&fault.env, 100);
    b = pb_calloc(&fault.env, 10, 10);
    assert_int_equal(2, atomic_load(&fault.allocation_count));
    assert_int_equal(2, atomic_load(&fault.live_count));
    assert_in_range(atomic_load(&fault.live_bytes), 200, 264);
    a = pb_realloc(&fault.env, a, 10000);
    assert_int_equal(3, atomic_load(&fault.allocation_count));
    assert_int_equal(2, atomic_load(&fault.live_count));
    assert_false(fault_env_is_clean(&fault));
    pb_free(&fault.env, a);
    pb_free(&fault.env, b);
    assert_true(fault_env_is_clean(&fault));
    assert_in_range(atomic_load(&fault.peak_bytes), 10100, 10200);
}

static void
the_chosen_allocation_fails_once_or_from_then_on(void **state)
{
    (void)state;
    for (unsigned is_lasting = 0; is_lasting < 2; is_lasting++) {
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = 3;
        fault.is_allocation_failure_lasting = is_lasting;
        for (unsigned number = 1; number <= 6; number++) {
            void *block = pb_alloc(&fault.env, 8);
            bool is_failing = is_lasting ? number >= 3 : number == 3;

            assert_int_equal(is_failing, block == NULL);
            pb_free(&fault.env, block);
        }
        assert_int_equal(is_lasting ? 4 : 1, atomic_load(&fault.failure_count));
        assert_true(fault_env_is_clean(&fault));
    }
}

/* Calls each operation once, open or create first; returns a bit for each that failed. */
static unsigned
call_everything(const struct pb_env *env, enum pb_status expected)
{
    const struct pb_file_ops *files = env->files;
    void *context = env->file_context;
    struct pb_error error = { "" };
    enum pb_status statuses[16];
    struct pb_file *created = NULL, *opened = NULL;
    const void *map = NULL;
    uint64_t size = 0;
    char byte = 0;
    unsigned failed = 0;

    memset(statuses, 0, sizeof(statuses));
    statuses[1] = files->open(context, "created", PB_OPEN_CREATE, &created, &error);
    statuses[0] = files->open(context, "old", PB_OPEN_WRITE, &opened, &error);
    if (opened != NULL) {
        statuses[3] = files->write(context, opened, 0, "abcdef", 6, &error);
        statuses[2] = files->read(context, opened, 0, &byte, 1, &error);
        statuses[4] = files->sync(context, opened, &error);
        statuses[6] = files->size(context, opened, &size, &error);
        statuses[7] = files->map(context, opened, 1, &map, &error);
        statuses[8] = files->lock(context, opened, &error);
        statuses[5] = files->truncate(context, opened, 1, &error);
    }
    files->unmap(context, map, 1);
    files->close(context, opened);
    files->close(context, created);
    statuses[12] = files->mkdir(context, "directory", &error);
    statuses[15] = files->list(context, "old-directory", NULL, NULL, &error);
    statuses[14] = files->sync_directory(context, "old-directory", &error);
    statuses[13] = files->rmdir(context, "old-directory", &error);
    statuses[11] = files->link(context, "old", "linked", &error);
    statuses[9] = files->rename(context, "old", "renamed", &error);
    statuses[10] = files->unlink(context, "other", &error);
    for (unsigned i = 0; i < 16; i++) {
        if (statuses[i] == PB_OK)
            continue;
        assert_int_equal(expected, statuses[i]);
        failed |= 1u << i;
    }
    assert_int_equal(failed != 0, error.message[0] != '\0');
    return failed;
}

static struct sim_fs *
new_fs(struct pb_env *ret_env)
{
    static const char *const names[] = { "old", "other" };
    struct sim_fs *fs = sim_fs_new();

    *ret_env = sim_fs_env(fs);
    for (size_t i = 0; i < 2; i++) {
        struct pb_file *file = NULL;

        assert_int_equal(PB_OK, ret_env->files->open(fs, names[i], PB_OPEN_CREATE, &file, NULL));
        assert_int_equal(PB_OK, ret_env->files->write(fs, file, 0, "xxxxxxxx", 8, NULL));
        ret_env->files->close(fs, file);
    }
    assert_int_equal(PB_OK, ret_env->files->mkdir(fs, "old-directory", NULL));
    return fs;
}

static void
each_operation_fails_when_its_bit_is_chosen(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 16; bit++) {
        struct fault_env fault;
        struct pb_env base;
        struct sim_fs *fs = new_fs(&base);

        fault_env_init(&fault, &base);
        fault.fail_file_mask = 1u << bit;
        fault.fail_file_call_at = 1;
        fault.fail_file_status = PB_E_BUSY;
        assert_int_equal(1u << bit, call_everything(&fault.env, PB_E_BUSY));
        assert_int_equal(1, atomic_load(&fault.file_call_count));
        assert_int_equal(1, atomic_load(&fault.failure_count));
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
    }
}

static void
nothing_fails_unless_asked(void **state)
{
    struct fault_env fault;
    struct pb_env base;
    struct sim_fs *fs = new_fs(&base);

    (void)state;
    fault_env_init(&fault, &base);
    assert_int_equal(0, call_everything(&fault.env, PB_OK));
    assert_int_equal(16, atomic_load(&fault.file_call_count));
    assert_int_equal(0, atomic_load(&fault.failure_count));
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
}

static void
a_lasting_failure_fails_all_that_follow(void **state)
{
    struct fault_env fault;
    struct pb_env base;
    struct sim_fs *fs = new_fs(&base);

    (void)state;
    fault_env_init(&fault, &base);
    fault.fail_file_mask = FAULT_MUTATING;
    fault.fail_file_call_at = 2;
    fault.is_file_failure_lasting = true;
    fault.fail_file_status = PB_E_FULL;
    /* All mutating ones but the first, which creates a file. */
    assert_int_equal(FAULT_MUTATING & ~(unsigned)FAULT_CREATE,
                     call_everything(&fault.env, PB_E_FULL));
    sim_fs_free(fs);
}

static void
a_short_write_leaves_its_first_half(void **state)
{
    struct fault_env fault;
    struct pb_env base;
    struct sim_fs *fs = new_fs(&base);
    struct pb_file *file = NULL;
    char bytes[8];

    (void)state;
    fault_env_init(&fault, &base);
    fault.fail_file_mask = FAULT_WRITE;
    fault.fail_file_call_at = 1;
    fault.is_write_short = true;
    assert_int_equal(PB_OK, fault.env.files->open(&fault, "old", PB_OPEN_WRITE, &file, NULL));
    assert_int_equal(PB_E_IO, fault.env.files->write(&fault, file, 1, "abcd", 4, NULL));
    assert_int_equal(PB_OK, fault.env.files->read(&fault, file, 0, bytes, 8, NULL));
    assert_memory_equal("xabxxxxx", bytes, 8);
    fault.env.files->close(&fault, file);
    sim_fs_free(fs);
}

static void *
allocate_and_free(void *context)
{
    struct fault_env *fault = context;

    for (size_t i = 0; i < 2000; i++)
        pb_free(&fault->env, pb_realloc(&fault->env, pb_alloc(&fault->env, i), 2 * i));
    return NULL;
}

static void
counts_are_right_with_many_threads(void **state)
{
    struct fault_env fault;
    pthread_t threads[4];

    (void)state;
    fault_env_init(&fault, pb_env_system());
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, allocate_and_free, &fault));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(0, pthread_join(threads[i], NULL));
    assert_int_equal(4 * 2000 * 2, atomic_load(&fault.allocation_count));
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_counted_until_they_are_freed),
        cmocka_unit_test(the_chosen_allocation_fails_once_or_from_then_on),
        cmocka_unit_test(each_operation_fails_when_its_bit_is_chosen),
        cmocka_unit_test(nothing_fails_unless_asked),
        cmocka_unit_test(a_lasting_failure_fails_all_that_follow),
        cmocka_unit_test(a_short_write_leaves_its_first_half),
        cmocka_unit_test(counts_are_right_with_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
