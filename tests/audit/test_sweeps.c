/*
 * Sweeps: one call at a time, in which each allocation fails, and each file call. Whatever fails is
 * told, nothing is left behind in memory, and the logs are whole when they are opened again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "support/fault_env.h"

#define ROUNDS_MAX 3000u

/* A room as it was before the call, and one in which the call fails somewhere. */
struct sweep {
    struct room *room;
    struct sim_fs *fs;
    struct pb_env plain;
    struct fault_env fault;
    struct pb_audit *audit;
    uint64_t acked; /* leaves of a42 that must be there afterwards */
};

typedef enum pb_status call_fn(struct sweep *sweep);

static void
begin(struct sweep *sweep)
{
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };

    sweep->fs = sim_fs_clone(sweep->room->fs);
    sweep->plain = sim_fs_env(sweep->fs);
    sweep->plain.now_us = sweep->room->env.now_us;
    sweep->plain.clock_context = sweep->room->env.clock_context;
    fault_env_init(&sweep->fault, &sweep->plain);
    must(pb_audit_open(&sweep->fault.env, ROOM_PATH, ROOM_KEYS, &options, &sweep->audit, &error),
         &error);
}

/* What there is reads, verifies, and holds what was acknowledged. */
static void
end(struct sweep *sweep)
{
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct room after = { .fs = sweep->fs, .env = sweep->plain };
    struct pb_audit_check check;
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_audit_close(sweep->audit, NULL);

    (void)status;
    assert_true(fault_env_is_clean(&sweep->fault));
    sim_fs_process_end(sweep->fs);
    must(pb_audit_open(&after.env, ROOM_PATH, ROOM_KEYS, &options, &after.audit, &error), &error);
    must(pb_audit_publish(after.audit, NULL, &error), &error);
    assert_true(pb_audit_find(after.audit, pb_str_from("a42"))->size >= sweep->acked);
    must(pb_audit_close(after.audit, &error), &error);
    must(pb_audit_verify_log(&after.env, ROOM_PATH "/public/a42", sweep->room->vkey, NULL,
                             tell_wrong, NULL, &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    assert_true(check.leaves >= sweep->acked);
    sim_fs_free(sweep->fs);
}

/* Whether the call may come to its end although something failed on its way: removing left-overs
 * is no part of what was promised. */
enum tolerance { NOTHING, SOMETHING };

static uint32_t
fail_allocations(struct sweep *sweep, call_fn *call, enum tolerance tolerance)
{
    uint32_t at = 0;

    for (bool is_over = false; !is_over;) {
        enum pb_status status;

        begin(sweep);
        sweep->fault.fail_allocation_at = sweep->fault.allocation_count + ++at;
        status = call(sweep);
        is_over = sweep->fault.failure_count == 0;
        sweep->fault.fail_allocation_at = 0;
        if (is_over || tolerance == NOTHING || status != PB_OK)
            assert_int_equal(is_over ? PB_OK : PB_E_NOMEM, status);
        end(sweep);
        assert_true(at < ROUNDS_MAX);
    }
    return at - 1;
}

static uint32_t
fail_file_calls(struct sweep *sweep, call_fn *call, unsigned mask, enum tolerance tolerance)
{
    uint32_t at = 0;

    for (bool is_over = false; !is_over;) {
        enum pb_status status;

        begin(sweep);
        sweep->fault.fail_file_mask = mask;
        sweep->fault.file_call_count = 0;
        sweep->fault.fail_file_call_at = ++at;
        status = call(sweep);
        is_over = sweep->fault.failure_count == 0;
        sweep->fault.fail_file_call_at = 0;
        if (is_over)
            assert_int_equal(PB_OK, status);
        else if (tolerance == NOTHING)
            assert_int_not_equal(PB_OK, status);
        end(sweep);
        assert_true(at < ROUNDS_MAX);
    }
    return at - 1;
}

/* ---- appending to two logs at once ---- */

static enum pb_status
append_to_both(struct sweep *sweep)
{
    static char text[PB_AUDIT_SECRET_BYTES_MAX];
    struct room_leaf leaves[2];
    struct pb_audit_leaf both[2];
    uint64_t indices[2];

    memset(text, 'x', sizeof(text));
    for (uint32_t i = 0; i < 2; i++) {
        room_leaf_init(&leaves[i], i == 0 ? "a42" : PB_AUDIT_OPERATOR, i);
        leaves[i].secrets[2].value = (struct pb_str){ text, sizeof(text) };
        both[i] = leaves[i].leaf;
    }
    return pb_audit_append(sweep->audit, both, 2, indices, NULL);
}

static void
leaves_of_two_logs_are_both_there_or_neither(void **state)
{
    struct sweep sweep = { .room = *state };

    assert_true(fail_allocations(&sweep, append_to_both, NOTHING) >= 6);
    assert_true(fail_file_calls(&sweep, append_to_both, FAULT_WRITE | FAULT_SYNC | FAULT_CREATE,
                                NOTHING) >= 3);
}

/* ---- publishing and keeping past a full tile ---- */

static enum pb_status
publish_all(struct sweep *sweep)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&sweep->audit->integrating);
    status = pb_publish_locked(sweep->audit, NULL, true, NULL);
    (void)pthread_mutex_unlock(&sweep->audit->integrating);
    return status;
}

static void
a_full_tile_is_published_and_kept_whole_or_not_yet(void **state)
{
    struct sweep sweep = { .room = *state, .acked = 2 * PB_TILE_WIDTH + 1 };

    append_many(sweep.room, 0, PB_TILE_WIDTH - 1);
    must(pb_audit_publish(sweep.room->audit, NULL, NULL), &(struct pb_error){ "" });
    append_many(sweep.room, PB_TILE_WIDTH - 1, PB_TILE_WIDTH + 2);
    assert_true(fail_allocations(&sweep, publish_all, SOMETHING) >= 5);
    assert_true(fail_file_calls(&sweep, publish_all,
                                FAULT_ANY & ~(unsigned)(FAULT_MKDIR | FAULT_LIST), SOMETHING) > 20);
}

/* ---- more logs ---- */

static enum pb_status
add_three(struct sweep *sweep)
{
    enum pb_status status = pb_audit_log_add(sweep->audit, "b1", NULL, NULL);

    if (status == PB_OK)
        status = pb_audit_log_add(sweep->audit, "b2", NULL, NULL);
    return status == PB_OK ? pb_audit_log_add(sweep->audit, "b3", NULL, NULL) : status;
}

static void
a_log_is_added_or_it_is_not(void **state)
{
    struct sweep sweep = { .room = *state };

    append_many(sweep.room, 0, 2);
    assert_true(fail_allocations(&sweep, add_three, NOTHING) > 20);
}

/* ---- backups ---- */

static enum pb_status
back_up(struct sweep *sweep)
{
    return pb_audit_backup(sweep->audit, "data/backup", NULL);
}

static void
a_backup_is_whole_or_there_is_none(void **state)
{
    struct sweep sweep = { .room = *state, .acked = 3 };

    append_many(sweep.room, 0, 3);
    assert_true(fail_allocations(&sweep, back_up, SOMETHING) >= 5);
    assert_true(fail_file_calls(&sweep, back_up, FAULT_READ | FAULT_WRITE | FAULT_LIST, SOMETHING) >
                10);
}

/* ---- terms that are over ---- */

static enum pb_status
destroy(struct sweep *sweep)
{
    uint64_t terms = 0;

    return pb_audit_destroy_expired(sweep->audit, INT64_MAX / 2, &terms, NULL);
}

static void
keys_of_terms_that_are_over_are_gone_or_it_is_told(void **state)
{
    struct sweep sweep = { .room = *state, .acked = 2 };

    append_many(sweep.room, 0, 1);
    sweep.room->now_us += INT64_C(86400000000) * 60;
    append_many(sweep.room, 1, 1);
    assert_true(fail_file_calls(&sweep, destroy, FAULT_UNLINK | FAULT_LIST | FAULT_SYNC_DIRECTORY,
                                NOTHING) >= 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(leaves_of_two_logs_are_both_there_or_neither),
        TEST(a_full_tile_is_published_and_kept_whole_or_not_yet),
        TEST(a_log_is_added_or_it_is_not),
        TEST(a_backup_is_whole_or_there_is_none),
        TEST(keys_of_terms_that_are_over_are_gone_or_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
