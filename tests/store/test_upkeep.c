/*
 * What is merged and when, who waits for it, and copies of a store with much to remember; and what
 * each does without memory.
 */
#include "store/store_room.h"
#include "store/sweep.h"

#include <sched.h>
#include <stdio.h>

#include "base/limits.h"
#include "store/local/local.h"

static void
append_one(struct store_room *room, const char *plate, int second)
{
    struct pb_read read = room_read(plate, "gate", second);

    assert_int_equal(PB_OK, room_append(room, &read));
}

static void
make_segments(struct store_room *room, int count)
{
    for (int i = 0; i < count; i++) {
        append_one(room, "AB12", i);
        room_flush(room);
    }
}

/* As if a segment had as many rows as one may have. */
static void
make_full(struct store_room *room, uint32_t segment)
{
    room->store->version->segments[segment]->segment->entry.rows = PB_SEGMENT_ROWS_MAX;
}

/* ---- what is merged ---- */

static void
at_most_64_segments_are_merged_at_one_time(void **state)
{
    struct store_room room;
    uint64_t next = 0;

    (void)state;
    room_init(&room);
    make_segments(&room, 66);
    next = room.store->next_segment;
    room_merge(&room);
    assert_int_equal(1, room.store->manifest.segment_count);
    assert_int_equal(2, room.store->next_segment - next); /* of 64, and of that and the others */
    assert_int_equal(66, room_count(&room, "AB12"));
    room_done(&room);
}

static void
segments_that_together_are_too_large_are_not_merged(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    make_segments(&room, 3);
    make_full(&room, 0);
    make_full(&room, 2);
    room_merge(&room);
    assert_int_equal(3, room.store->manifest.segment_count);
    room_reopen(&room);
    room_merge(&room);
    assert_int_equal(1, room.store->manifest.segment_count);
    assert_int_equal(3, room_count(&room, "AB12"));
    room_done(&room);
}

/* Words of vehicles, and readers, that nearly every read has others of. */
static void
segments_whose_names_together_are_too_many_are_not_merged(void **state)
{
    static const struct {
        uint64_t names_bytes[4];
        uint32_t left;
    } cases[] = {
        { { PB_NAMES_BYTES_MAX / 4, PB_NAMES_BYTES_MAX / 4, PB_NAMES_BYTES_MAX / 4,
            PB_NAMES_BYTES_MAX / 4 },
          1 },
        { { PB_NAMES_BYTES_MAX / 2, PB_NAMES_BYTES_MAX / 2, 1, 1 }, 1 },
        { { 1, PB_NAMES_BYTES_MAX / 2 + 1, 1, 1 }, 2 },
        { { PB_NAMES_BYTES_MAX / 2 + 1, PB_NAMES_BYTES_MAX, 1, PB_NAMES_BYTES_MAX }, 4 },
        { { PB_NAMES_BYTES_MAX, PB_NAMES_BYTES_MAX, PB_NAMES_BYTES_MAX, PB_NAMES_BYTES_MAX }, 4 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;

        room_init(&room);
        make_segments(&room, 4);
        for (uint32_t s = 0; s < 4; s++)
            room.store->version->segments[s]->segment->names_bytes = cases[i].names_bytes[s];
        room_merge(&room);
        assert_int_equal(cases[i].left, room.store->manifest.segment_count);
        assert_int_equal(4, room_count(&room, "AB12"));
        /* What they have for true. */
        room_reopen(&room);
        room_merge(&room);
        assert_int_equal(1, room.store->manifest.segment_count);
        room_done(&room);
    }
}

/* So many that even two are merged, which would wait for two more otherwise. */
static void
where_a_partition_has_too_many_segments_few_are_merged(void **state)
{
    (void)state;
    for (int count = 24; count < 26; count++) {
        struct store_room room;

        room_init(&room);
        make_segments(&room, count);
        for (int i = 2; i < count; i++)
            make_full(&room, (uint32_t)i);
        room_expect(&room, PB_OK, pb_store_merge(room.store, false, NULL, &room.error), "merge");
        assert_int_equal(24, room.store->manifest.segment_count);
        assert_int_equal(count, room_count(&room, "AB12"));
        room_done(&room);
    }
}

/* A large merge wants a thread to help, for which there may be no memory. */
static void
a_large_merge_without_memory_to_begin_with_changes_nothing(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    make_segments(&room, 2);
    room.store->version->segments[0]->segment->entry.rows = 1u << 16;
    for (uint64_t at = 1; at <= 3; at++) { /* the list, the numbers, the crew */
        room.fault.fail_allocation_at = atomic_load(&room.fault.allocation_count) + at;
        assert_int_equal(PB_E_NOMEM, pb_store_merge(room.store, true, NULL, &room.error));
        room.fault.fail_allocation_at = 0;
        assert_int_equal(2, room.store->manifest.segment_count);
    }
    room_reopen(&room);
    room_merge(&room);
    assert_int_equal(2, room_count(&room, "AB12"));
    room_done(&room);
}

/* ---- in the background ---- */

#define ROWS_OF_EACH 16400u /* four of them: more than a merge does before it looks up */

static void
make_large_segments(struct store_room *room)
{
    const struct pb_env *env = pb_env_system();
    struct pb_read *reads = pb_calloc(env, ROWS_OF_EACH, sizeof(*reads));
    enum pb_status *answers = pb_calloc(env, ROWS_OF_EACH, sizeof(*answers));

    assert_true(reads != NULL && answers != NULL);
    for (uint32_t s = 0; s < 4; s++) {
        for (uint32_t i = 0; i < ROWS_OF_EACH; i++)
            reads[i] = room_read("AB12", "gate", s * ROWS_OF_EACH + i);
        room_expect(room, PB_OK,
                    pb_store_append(room->store, reads, ROWS_OF_EACH, answers, &room->error),
                    "append");
        room_flush(room);
    }
    pb_free(env, reads);
    pb_free(env, answers);
}

static uint32_t
count_segments(struct store_room *room)
{
    uint32_t count = 0;

    (void)pthread_mutex_lock(&room->store->writing);
    count = room->store->manifest.segment_count;
    (void)pthread_mutex_unlock(&room->store->writing);
    return count;
}

static struct {
    struct store_room room;
    uint64_t first; /* number of a segment that is made next */
    _Atomic bool has_begun;
} waiting;

/* In the merge: goes on when somebody waits for it. */
static void
wait_for_who_waits(void *context, enum fault_operation operation)
{
    struct pb_store *store = waiting.room.store;
    bool is_waited_for = false;

    (void)context;
    if (operation != FAULT_ALLOCATION || store->next_segment == waiting.first)
        return;
    waiting.room.fault.meanwhile = NULL;
    atomic_store(&waiting.has_begun, true);
    while (!is_waited_for) {
        (void)sched_yield();
        (void)pthread_mutex_lock(&store->background_lock);
        is_waited_for = store->maintenance_count != 0;
        (void)pthread_mutex_unlock(&store->background_lock);
    }
}

/* Whoever waits comes next, and the merge once nobody waits any more. */
static void
a_merge_that_is_broken_off_for_somebody_who_waits_is_done_after_them(void **state)
{
    struct store_room *room = &waiting.room;

    (void)state;
    room_init(room);
    make_large_segments(room);
    waiting.first = room->store->next_segment;
    atomic_store(&waiting.has_begun, false);
    room->fault.meanwhile = wait_for_who_waits;
    room_expect(room, PB_OK, pb_store_start_background(room->store, &room->error), "start");
    while (!atomic_load(&waiting.has_begun))
        (void)sched_yield();
    pb_store_begin_maintenance(room->store);
    assert_int_equal(4, count_segments(room));
    assert_int_equal(waiting.first + 1, pb_store_take_number(room->store)); /* it was begun once */
    pb_store_end_maintenance(room->store);
    while (count_segments(room) != 1)
        (void)sched_yield();
    pb_store_stop_background(room->store);
    assert_int_equal(4 * ROWS_OF_EACH, room_count(room, "AB12"));
    room_done(room);
}

/* What the closing thread does at that moment. */
static void
tell_to_stop(void *context, enum fault_operation operation)
{
    struct store_room *room = context;

    if (operation != FAULT_ALLOCATION)
        return;
    room->fault.meanwhile = NULL;
    (void)pthread_mutex_lock(&room->store->background_lock);
    room->store->background_stops = true;
    (void)pthread_mutex_unlock(&room->store->background_lock);
}

static void
a_merge_is_broken_off_by_who_closes_the_store(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    make_large_segments(&room);
    room.fault.meanwhile_context = &room;
    room.fault.meanwhile = tell_to_stop;
    room_expect(&room, PB_OK, pb_store_start_background(room.store, &room.error), "start");
    assert_int_equal(0, pthread_join(room.store->background, NULL));
    room.store->has_background = false;
    assert_null(room.fault.meanwhile);
    assert_int_equal(4, count_segments(&room));
    assert_int_equal(4 * ROWS_OF_EACH, room_count(&room, "AB12"));
    room_done(&room);
}

/* ---- history ---- */

static struct pb_read
revision(uint32_t number)
{
    struct pb_read read = room_read(number == 2 ? "NEWER" : "OLDER", "tracker", 5);

    read.event_id = pb_str_from("a");
    read.is_revisable = true;
    read.revision = number;
    return read;
}

/* Two segments, one with a read that was erased, and in the log an event and its revision. */
static void
prepare_history(struct store_room *room, void *context)
{
    const struct pb_erasure erasure = { .plate = { "GONE", 4 }, .to_us = PB_TIME_MAX_US };
    struct pb_read read = room_read("GONE", "gate", 1);

    (void)context;
    room_create(room);
    assert_int_equal(PB_OK, room_append(room, &read));
    make_segments(room, 2);
    room_expect(room, PB_OK, pb_store_erase(room->store, &erasure, &room->error), "erase");
    for (uint32_t i = 2; i > 0; i--) {
        read = revision(i);
        assert_int_equal(PB_OK, room_append(room, &read));
    }
}

static enum pb_status
act_merge(struct store_room *room, void *context)
{
    (void)context;
    return pb_store_merge(room->store, true, NULL, &room->error);
}

static void
check_history(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_query query = room_query("OLDER");

    (void)context;
    (void)status;
    query.with_superseded = true;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(2, room_count(room, "AB12"));
        assert_int_equal(1, room_count(room, "NEWER"));
        assert_int_equal(0, room_count(room, "OLDER"));
        assert_int_equal(1, room_count_query(room, &query));
        assert_int_equal(0, room_count(room, "GONE"));
        room_reopen(room);
    }
}

static void
a_merge_that_cannot_flush_history_first_leaves_it(void **state)
{
    static const struct sweep sweep = { .name = "merge beside history",
                                        .prepare = prepare_history,
                                        .act = act_merge,
                                        .check = check_history };

    (void)state;
    sweep_all(&sweep);
}

/* ---- much to remember ---- */

#define REMEMBERED 300u

/* As many erasures, each of another plate, and as many events of which the revision lies elsewhere:
 * lists too long for what the manifest's memory has at hand. */
static struct sim_fs *
make_rich(void)
{
    struct store_room room;
    struct sim_fs *fs = NULL;

    room_init(&room);
    append_one(&room, "KEPT", 1);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < REMEMBERED; i++) {
            struct pb_read read = revision(pass + 1);
            char id[16];

            (void)snprintf(id, sizeof(id), "event-%u", i);
            read.event_id = pb_str_from(id);
            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        room_flush(&room);
    }
    for (uint32_t i = 0; i < REMEMBERED; i++) {
        char plate[PB_PLATE_BYTES_MAX + 1];
        struct pb_erasure erasure = { .to_us = PB_TIME_MAX_US };

        (void)snprintf(plate, sizeof(plate), "NOBODY%026u", i);
        erasure.plate = pb_str_from(plate);
        room_expect(&room, PB_OK, pb_store_erase(room.store, &erasure, &room.error), "erase");
    }
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

static void
prepare_open(struct store_room *room, void *context)
{
    (void)context;
    room_open(room);
}

static void
assert_rich(struct store_room *room, uint32_t erasures)
{
    assert_int_equal(erasures, room->store->manifest.erasure_count);
    assert_int_equal(REMEMBERED, room->store->manifest.mark_count);
    assert_int_equal(REMEMBERED, room_count(room, "NEWER"));
    assert_int_equal(0, room_count(room, "OLDER"));
    assert_int_equal(1, room_count(room, "KEPT"));
}

static enum pb_status
act_backup(struct store_room *room, void *context)
{
    (void)context;
    return pb_store_backup(room->store, "copy", NULL, &room->error);
}

static void
check_backup(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    assert_rich(room, REMEMBERED);
    if (status == PB_OK) {
        room_close(room);
        room_expect(room, PB_OK, pb_store_open(room->env, "copy", NULL, &room->store, &room->error),
                    "open");
        assert_rich(room, REMEMBERED);
    }
}

static enum pb_status
act_erase(struct store_room *room, void *context)
{
    /* There is no such read yet. */
    const struct pb_erasure erasure = { .plate = { "AB12", 4 }, .to_us = PB_TIME_MAX_US };

    (void)context;
    return pb_store_erase(room->store, &erasure, &room->error);
}

static void
check_erase(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_read read = room_read("AB12", "gate", 1);

    (void)context;
    if (room->store->is_poisoned) {
        room_reopen(room);
        assert_in_range(room->store->manifest.erasure_count, REMEMBERED, REMEMBERED + 1);
    } else {
        assert_rich(room, status == PB_OK ? REMEMBERED + 1 : REMEMBERED);
        assert_int_equal(status == PB_OK ? PB_EXPIRED : PB_OK, room_append(room, &read));
    }
}

static void
what_a_store_remembers_is_copied_and_added_to_or_stays(void **state)
{
    struct sweep backup = { .name = "a backup of much",
                            .fs = make_rich(),
                            .prepare = prepare_open,
                            .act = act_backup,
                            .check = check_backup,
                            .is_once_only = true };
    struct sweep erase = { .name = "one more erasure",
                           .fs = backup.fs,
                           .prepare = prepare_open,
                           .act = act_erase,
                           .check = check_erase,
                           .is_once_only = true };

    (void)state;
    sweep_all(&backup);
    sweep_all(&erase);
    sim_fs_free(backup.fs);
}

/* ---- told on the way ---- */

static bool
go_on(void *context, const char *phase, uint64_t done, uint64_t total)
{
    uint64_t *last = context;

    assert_true(phase[0] != '\0' && done >= last[0] && done <= total);
    last[0] = done;
    last[1] = total;
    return true;
}

static enum pb_status
act_verify(struct store_room *room, void *context)
{
    uint64_t last[2] = { 0, 0 };
    const struct pb_progress progress = { go_on, last };
    struct pb_verify_counts counts;
    enum pb_status status =
        pb_store_verify(room->env, ROOM_PATH, NULL, NULL, &progress, &counts, &room->error);

    (void)context;
    if (status == PB_OK) {
        assert_true(last[1] != 0 && last[0] == last[1]);
        /* A segment that cannot be read now looks damaged. */
        assert_true(counts.damaged == 0 || room->fault.failure_count != 0);
    }
    return status;
}

static void
a_check_and_a_copy_tell_how_far_they_are(void **state)
{
    static struct sweep sweep = { .name = "verify", .prepare = prepare_open, .act = act_verify };
    uint64_t last[2] = { 0, 0 };
    const struct pb_progress progress = { go_on, last };
    struct store_room room;

    (void)state;
    sweep.fs = make_rich();
    sweep_all(&sweep);
    room_init_on(&room, sim_fs_clone(sweep.fs));
    room_open(&room);
    room_expect(&room, PB_OK, pb_store_backup(room.store, "copy", &progress, &room.error),
                "backup");
    assert_true(last[1] != 0 && last[0] == last[1]);
    room_done(&room);
    sim_fs_free(sweep.fs);
}

/* What a segment has to hide goes with it. */
static void
a_segment_that_goes_takes_its_marks_along(void **state)
{
    struct pb_purge_counts counts;
    struct store_room room;

    (void)state;
    room_init(&room);
    for (uint32_t i = 1; i < 3; i++) {
        struct pb_read read = revision(i);

        if (i == 1)
            read.delete_after_us = room.now_us + 60 * ROOM_SECOND_US;
        assert_int_equal(PB_OK, room_append(&room, &read));
        room_flush(&room);
    }
    assert_int_equal(1, room.store->manifest.mark_count);
    room.now_us += 120 * ROOM_SECOND_US;
    room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error), "purge");
    assert_int_equal(1, counts.segments_dropped);
    assert_int_equal(0, room.store->manifest.mark_count);
    assert_int_equal(1, room_count(&room, "NEWER"));
    room_done(&room);
}

/* ---- verify ---- */

static void
a_check_that_cannot_be_made_need_not_say_why(void **state)
{
    struct pb_verify_counts counts;
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_E_NOT_STORE,
                     pb_store_verify(room.env, "nothing", NULL, NULL, NULL, &counts, NULL));
    assert_int_equal(PB_E_NOT_STORE,
                     pb_store_verify(room.env, "nothing", NULL, NULL, NULL, &counts, &room.error));
    assert_non_null(strstr(room.error.message, "nothing"));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_64_segments_are_merged_at_one_time),
        cmocka_unit_test(segments_that_together_are_too_large_are_not_merged),
        cmocka_unit_test(segments_whose_names_together_are_too_many_are_not_merged),
        cmocka_unit_test(where_a_partition_has_too_many_segments_few_are_merged),
        cmocka_unit_test(a_large_merge_without_memory_to_begin_with_changes_nothing),
        cmocka_unit_test(a_merge_that_is_broken_off_for_somebody_who_waits_is_done_after_them),
        cmocka_unit_test(a_merge_is_broken_off_by_who_closes_the_store),
        cmocka_unit_test(a_merge_that_cannot_flush_history_first_leaves_it),
        cmocka_unit_test(what_a_store_remembers_is_copied_and_added_to_or_stays),
        cmocka_unit_test(a_check_and_a_copy_tell_how_far_they_are),
        cmocka_unit_test(a_segment_that_goes_takes_its_marks_along),
        cmocka_unit_test(a_check_that_cannot_be_made_need_not_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
