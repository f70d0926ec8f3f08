/*
 * Sorter: pairs come out in order, equal keys as they went in, whatever fits into memory; faults of
 * memory and files leave nothing behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "read/read_maker.h"
#include "store/local/sorter.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define SPILL "spill"
#define SOME_BYTES 200000u /* of which 6250 pairs are sorted at one time, and read back in pieces */

static uint64_t
key_of(uint64_t *random, int shape)
{
    switch (shape) {
    case 0: return maker_random(random);
    case 1: return maker_below(random, 10);
    case 2: return 7;
    default: return maker_random(random) >> maker_below(random, 64);
    }
}

static enum pb_status
sort_some(const struct pb_env *env, size_t memory_bytes, uint32_t count, int shape)
{
    struct pb_sorter *sorter = NULL;
    struct pb_pair pair = { 0, 0 };
    struct pb_pair before = { 0, 0 };
    uint64_t random = count + 1;
    uint64_t added = 0;
    uint64_t given = 0;
    uint32_t got = 0;
    enum pb_status status = pb_sorter_new(env, SPILL, memory_bytes, &sorter);

    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        uint64_t key = key_of(&random, shape);

        added += key * 31 + i;
        status = pb_sorter_add(sorter, key, i, NULL);
    }
    if (status == PB_OK)
        status = pb_sorter_finish(sorter, NULL);
    while (status == PB_OK) {
        status = pb_sorter_next(sorter, &pair, NULL);
        if (status != PB_OK)
            break;
        assert_true(got == 0 || before.key < pair.key
                    || (before.key == pair.key && before.value < pair.value));
        given += pair.key * 31 + pair.value;
        before = pair;
        got++;
    }
    pb_sorter_free(sorter);
    if (status == PB_END) {
        assert_int_equal(count, got);
        assert_true(added == given);
    }
    return status;
}

static void
pairs_come_out_in_order(void **state)
{
    static const uint32_t counts[] = { 0, 1, 2, 4095, 4096, 4097, 20000, 70000 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (int shape = 0; shape < 4; shape++) {
            struct sim_fs *fs = sim_fs_new();
            struct pb_env base = sim_fs_env(fs);
            struct fault_env fault;
            uint64_t size;

            fault_env_init(&fault, &base);
            assert_int_equal(PB_END, sort_some(&fault.env, 1, counts[i], shape));
            assert_int_equal(PB_END, sort_some(&fault.env, SOME_BYTES, counts[i], shape));
            assert_true(fault_env_is_clean(&fault));
            assert_false(sim_fs_file_size(fs, SPILL, &size));
            sim_fs_free(fs);
        }
    }
}

static void
sorting_in_memory_keeps_the_order_of_equal_keys(void **state)
{
    enum { COUNT = 5000 };
    struct pb_pair *pairs = malloc(COUNT * sizeof(*pairs));
    struct pb_pair *scratch = malloc(COUNT * sizeof(*scratch));
    uint64_t random = 3;

    (void)state;
    assert_non_null(pairs);
    assert_non_null(scratch);
    for (int shape = 0; shape < 4; shape++) {
        for (size_t count = 0; count <= COUNT; count = count * 3 + 1) {
            for (size_t i = 0; i < count; i++)
                pairs[i] = (struct pb_pair){ key_of(&random, shape), i };
            pb_pairs_sort(pairs, scratch, count);
            for (size_t i = 1; i < count; i++)
                assert_true(pairs[i - 1].key < pairs[i].key
                            || (pairs[i - 1].key == pairs[i].key
                                && pairs[i - 1].value < pairs[i].value));
        }
    }
    free(pairs);
    free(scratch);
}

static void
faults_are_told_and_leave_nothing_behind(void **state)
{
    (void)state;
    for (int with_files = 0; with_files < 2; with_files++) {
        enum pb_status status = PB_E_IO;
        uint64_t at = 0;

        while (status != PB_END) {
            struct sim_fs *fs = sim_fs_new();
            struct pb_env base = sim_fs_env(fs);
            struct fault_env fault;

            fault_env_init(&fault, &base);
            at++;
            fault.fail_allocation_at = with_files ? 0 : at;
            fault.fail_file_call_at = with_files ? at : 0;
            status = sort_some(&fault.env, SOME_BYTES, 14000, 0);
            assert_true(status == PB_END || status == (with_files ? PB_E_IO : PB_E_NOMEM)
                        || fault.failure_count == 0);
            assert_true(fault_env_is_clean(&fault));
            if (status == PB_END && fault.failure_count > 0)
                status = PB_E_IO; /* it did not matter: go on with the next */
            sim_fs_free(fs);
        }
        assert_true(at > 5);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_out_in_order),
        cmocka_unit_test(sorting_in_memory_keeps_the_order_of_equal_keys),
        cmocka_unit_test(faults_are_told_and_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
