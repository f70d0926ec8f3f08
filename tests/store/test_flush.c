/*
 * Flushes that go on behind those who append: rows that were sealed become segments while others
 * come, revise, erase; and what fails then.
 */
#include "store/flush_behind.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

static void
room_flush_behind(struct store_room *room, void (*meanwhile)(void *context))
{
    struct flush_behind flush = { .store = room->store,
                                  .fault = &room->fault,
                                  .operation = FAULT_SYNC,
                                  .meanwhile = meanwhile,
                                  .context = room };

    room_expect(room, PB_OK, flush_behind(&flush, &room->error), "flush behind");
    assert_true(meanwhile == NULL || flush.has_happened);
}

static uint64_t
buffered_reads(struct store_room *room)
{
    struct pb_store_stats stats;

    room_expect(room, PB_OK, pb_store_stats(room->store, &stats, &room->error), "stats");
    return stats.buffered_reads;
}

/* ---- what comes behind ---- */

static void
append_three(void *context)
{
    struct store_room *room = context;

    for (int i = 0; i < 3; i++) {
        struct pb_read read = room_read("BEHIND", "gate", i);

        assert_int_equal(PB_OK, room_append(room, &read));
    }
    assert_int_equal(3, room_count(room, "BEHIND"));
    assert_int_equal(2, room_count(room, "SEALED"));
}

static void
reads_that_come_while_others_are_flushed_stay_behind(void **state)
{
    struct store_room room;
    struct pb_verify_counts counts;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 2; i++) {
        struct pb_read read = room_read("SEALED", "gate", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush_behind(&room, append_three);
    for (int round = 0; round < 2; round++) {
        struct pb_read again = room_read("SEALED", "gate", 1);

        assert_int_equal(3, buffered_reads(&room));
        assert_int_equal(2, room_count(&room, "SEALED"));
        assert_int_equal(3, room_count(&room, "BEHIND"));
        assert_int_equal(PB_DUPLICATE, room_append(&room, &again));
        again = room_read("BEHIND", "gate", 2);
        assert_int_equal(PB_DUPLICATE, room_append(&room, &again));
        room_expect(&room, PB_OK,
                    pb_store_verify(room.env, ROOM_PATH, NULL, NULL, NULL, &counts, &room.error),
                    "verify");
        assert_int_equal(0, counts.damaged);
        room_reopen(&room);
    }
    room_done(&room);
}

static void
nothing_behind_leaves_an_empty_buffer_and_the_next_append_its_log(void **state)
{
    struct pb_read read = room_read("SEALED", "gate", 1);
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush_behind(&room, NULL);
    assert_int_equal(0, buffered_reads(&room));
    read = room_read("BEHIND", "gate", 2);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_reopen(&room);
    assert_int_equal(1, buffered_reads(&room));
    assert_int_equal(1, room_count(&room, "SEALED"));
    assert_int_equal(1, room_count(&room, "BEHIND"));
    room_done(&room);
}

/* ---- revisions ---- */

static void
append_revision_of_a(void *context)
{
    struct pb_read read = room_event("NEWER", "a", 2);

    assert_int_equal(PB_OK, room_append(context, &read));
    read = room_event("OTHER", "b", 1);
    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
check_revised(struct store_room *room)
{
    assert_int_equal(0, room_count(room, "OLDER"));
    assert_int_equal(1, room_count_revisions(room, "OLDER"));
    assert_int_equal(1, room_count(room, "NEWER"));
    assert_int_equal(1, room_count(room, "OTHER"));
}

static void
a_revision_that_comes_behind_makes_a_flushed_row_history(void **state)
{
    struct pb_read read = room_event("OLDER", "a", 1);
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush_behind(&room, append_revision_of_a);
    check_revised(&room);
    room_reopen(&room);
    check_revised(&room);
    room_flush(&room);
    check_revised(&room);
    room_merge(&room);
    check_revised(&room);
    room_done(&room);
}

/* The rows behind are copied while more may come: here one is revised before, while and after it is
 * copied, at each allocation that the flush makes from its first sync on. */
struct revised_in_copy {
    struct store_room room;
    struct flush_behind flush;
    uint32_t skipped;
    bool is_revised;
};

static void
append_revision_of_b(void *context)
{
    struct revised_in_copy *test = context;
    struct pb_read read = room_event("NEWER", "b", 2);

    assert_int_equal(PB_OK, room_append(&test->room, &read));
    test->is_revised = true;
}

static void
append_and_wait_for_an_allocation(void *context)
{
    struct revised_in_copy *test = context;
    struct pb_read read = room_event("OLDER", "b", 1);

    assert_int_equal(PB_OK, room_append(&test->room, &read));
    test->flush.operation = FAULT_ALLOCATION;
    test->flush.meanwhile = append_revision_of_b;
    test->flush.skipped = test->skipped;
    test->room.fault.meanwhile = flush_behind_meanwhile;
}

static void
a_row_that_is_revised_while_it_is_copied_becomes_history(void **state)
{
    struct pb_read read = room_read("SEALED", "gate", 1);
    struct revised_in_copy test;
    uint32_t skipped = 0;

    (void)state;
    do {
        memset(&test, 0, sizeof(test));
        test.skipped = skipped++;
        room_init(&test.room);
        assert_int_equal(PB_OK, room_append(&test.room, &read));
        test.flush = (struct flush_behind){ .store = test.room.store,
                                            .fault = &test.room.fault,
                                            .operation = FAULT_SYNC,
                                            .meanwhile = append_and_wait_for_an_allocation,
                                            .context = &test };
        room_expect(&test.room, PB_OK, flush_behind(&test.flush, &test.room.error), "flush behind");
        assert_int_equal(test.is_revised ? 2 : 1, buffered_reads(&test.room));
        assert_int_equal(test.is_revised ? 0 : 1, room_count(&test.room, "OLDER"));
        assert_int_equal(1, room_count_revisions(&test.room, "OLDER"));
        assert_int_equal(test.is_revised ? 1 : 0, room_count(&test.room, "NEWER"));
        room_done(&test.room);
    } while (test.is_revised);
    assert_true(skipped > 8); /* a buffer, its tables, the rows' chunk */
}

/* ---- what goes meanwhile ---- */

static void
erase_sealed(void *context)
{
    struct store_room *room = context;
    struct pb_erasure erasure = { .plate = pb_str_from("SEALED"),
                                  .from_us = PB_TIME_MIN_US,
                                  .to_us = PB_TIME_MAX_US };

    room_expect(room, PB_OK, pb_store_erase(room->store, &erasure, &room->error), "erase");
    assert_int_equal(0, room_count(room, "SEALED"));
}

static void
what_is_erased_while_it_is_flushed_stays_erased(void **state)
{
    struct pb_read read = room_read("SEALED", "gate", 1);
    struct pb_read other = room_read("OTHER", "gate", 2);
    struct pb_store_stats stats;
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(PB_OK, room_append(&room, &other));
    room_flush_behind(&room, erase_sealed);
    assert_int_equal(0, room_count(&room, "SEALED"));
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "SEALED"));
    assert_int_equal(PB_EXPIRED, room_append(&room, &read));
    room_merge(&room);
    assert_int_equal(0, room_count(&room, "SEALED"));
    assert_int_equal(1, room_count(&room, "OTHER"));
    room_expect(&room, PB_OK,
                pb_store_purge(room.store, NULL, &(struct pb_purge_counts){ 0 }, &room.error),
                "purge");
    room_expect(&room, PB_OK, pb_store_stats(room.store, &stats, &room.error), "stats");
    assert_int_equal(1, stats.reads);
    room_done(&room);
}

static void
append_history_of_a(void *context)
{
    struct pb_read read = room_event("OLDER", "a", 1);

    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
rows_whose_newer_revision_expires_unwritten_are_flushed_with_it(void **state)
{
    struct pb_read read = room_event("NEWER", "a", 2);
    struct store_room room;
    struct flush_behind flush;

    (void)state;
    room_init(&room);
    read.delete_after_us = room.now_us + ROOM_SECOND_US;
    assert_int_equal(PB_OK, room_append(&room, &read));
    read = room_read("OTHER", "gate", 1);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room.now_us += 2 * ROOM_SECOND_US;
    flush = (struct flush_behind){ .store = room.store,
                                   .fault = &room.fault,
                                   .operation = FAULT_SYNC,
                                   .meanwhile = append_history_of_a,
                                   .context = &room };
    assert_int_equal(PB_E_BUSY, flush_behind(&flush, &room.error));
    assert_true(flush.has_happened);
    assert_int_equal(3, buffered_reads(&room));
    room_flush(&room);
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "OLDER"));
    assert_int_equal(1, room_count_revisions(&room, "OLDER"));
    assert_int_equal(1, room_count(&room, "OTHER"));
    room_done(&room);
}

/* ---- what fails ---- */

static void
append_behind(void *context)
{
    struct store_room *room = context;
    struct pb_read read = room_event("NEWER", "a", 2);
    enum pb_status answer = PB_E_IO;

    (void)!pb_store_append(room->store, &read, 1, &answer, &room->error);
}

static void
begin_to_flush(struct store_room *room, struct flush_behind *flush)
{
    struct pb_read read = room_event("OLDER", "a", 1);

    room_init(room);
    assert_int_equal(PB_OK, room_append(room, &read));
    *flush = (struct flush_behind){ .store = room->store,
                                    .fault = &room->fault,
                                    .operation = FAULT_SYNC,
                                    .meanwhile = append_behind,
                                    .context = room };
}

/* Whatever failed, all that was taken is there, once, before and after the store is opened anew. */
static void
check_after_failure(struct store_room *room)
{
    for (int round = 0; round < 2; round++) {
        uint32_t newer = room_count(room, "NEWER");

        assert_true(newer <= 1);
        assert_int_equal(1 - newer, room_count(room, "OLDER"));
        assert_int_equal(1, room_count_revisions(room, "OLDER"));
        room_reopen(room);
    }
    room_flush(room);
    assert_int_equal(1, room_count_revisions(room, "OLDER"));
    room_done(room);
}

static void
a_flush_behind_that_finds_no_memory_leaves_the_rows(void **state)
{
    bool has_failed = true;

    (void)state;
    for (uint64_t at = 1; has_failed; at++) {
        struct flush_behind flush;
        struct store_room room;
        enum pb_status status;

        begin_to_flush(&room, &flush);
        room.fault.fail_allocation_at = atomic_load(&room.fault.allocation_count) + at;
        status = flush_behind(&flush, &room.error);
        room.fault.fail_allocation_at = 0;
        has_failed = atomic_load(&room.fault.failure_count) != 0;
        assert_true(status == PB_OK || (status == PB_E_NOMEM && has_failed));
        check_after_failure(&room);
    }
}

static void
a_flush_behind_whose_files_fail_leaves_the_rows(void **state)
{
    bool has_failed = true;

    (void)state;
    for (uint64_t at = 1; has_failed; at++) {
        struct flush_behind flush;
        struct store_room room;
        enum pb_status status;

        begin_to_flush(&room, &flush);
        room.fault.fail_file_call_at = atomic_load(&room.fault.file_call_count) + at;
        room.fault.is_file_failure_lasting = at % 2 == 0;
        status = flush_behind(&flush, &room.error);
        room.fault.fail_file_call_at = 0;
        has_failed = atomic_load(&room.fault.failure_count) != 0;
        assert_true(status == PB_OK || has_failed);
        check_after_failure(&room);
    }
}

/* As if a thread flushed: what it cannot do is done, and told, by the append that needs room. */
static void
a_flush_that_failed_behind_is_told_to_the_next_append(void **state)
{
    struct store_room room;
    struct pb_read reads[4];
    enum pb_status answers[4];

    (void)state;
    room_init(&room);
    room.store->has_flusher = true;
    room.store->flush_rows = 4;
    for (int i = 0; i < 4; i++)
        reads[i] = room_read("SEALED", "gate", i);
    room_expect(&room, PB_OK, pb_store_append(room.store, reads, 4, answers, &room.error),
                "append");
    reads[0] = room_read("BEHIND", "gate", 10);
    assert_int_equal(PB_OK, room_append(&room, &reads[0]));
    assert_int_equal(4, room.store->sealed_rows);

    room.fault.fail_file_mask = FAULT_CREATE;
    room.fault.fail_file_call_at = 1;
    room.fault.is_file_failure_lasting = true;
    room.fault.fail_file_status = PB_E_FULL;
    atomic_store(&room.fault.file_call_count, 0);
    (void)pthread_mutex_lock(&room.store->writing);
    assert_int_equal(PB_E_FULL, pb_store_flush_sealed_locked(room.store, &room.error));
    (void)pthread_mutex_unlock(&room.store->writing);
    reads[0] = room_read("BEHIND", "gate", 11);
    assert_int_equal(PB_E_FULL, pb_store_append(room.store, reads, 1, answers, &room.error));
    room.fault.fail_file_call_at = 0;
    assert_int_equal(PB_OK, room_append(&room, &reads[0]));
    assert_int_equal(1, buffered_reads(&room));
    assert_int_equal(4, room_count(&room, "SEALED"));
    assert_int_equal(2, room_count(&room, "BEHIND"));
    room.store->has_flusher = false;
    room_done(&room);
}

/* A revision makes a mark, for which there must be memory before the log has it. */
static void
a_revision_without_memory_is_refused_and_others_go_on(void **state)
{
    bool has_failed = true;

    (void)state;
    for (uint64_t at = 1; has_failed; at++) {
        struct store_room room;
        struct pb_read read = room_event("OLDER", "a", 1);
        enum pb_status answer = PB_E_IO;
        enum pb_status status;

        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        room_flush(&room);
        read = room_read("OTHER", "gate", 1);
        assert_int_equal(PB_OK, room_append(&room, &read)); /* so that there is a log */
        read = room_event("NEWER", "a", 2);
        room.fault.fail_allocation_at = atomic_load(&room.fault.allocation_count) + at;
        status = pb_store_append(room.store, &read, 1, &answer, &room.error);
        room.fault.fail_allocation_at = 0;
        has_failed = atomic_load(&room.fault.failure_count) != 0;
        assert_int_equal(has_failed ? PB_E_NOMEM : PB_OK, status);
        assert_int_equal(has_failed ? 1 : 0, room_count(&room, "OLDER"));
        assert_int_equal(has_failed ? PB_OK : PB_DUPLICATE, room_append(&room, &read));
        assert_int_equal(1, room_count(&room, "NEWER"));
        assert_int_equal(0, room_count(&room, "OLDER"));
        room_done(&room);
    }
}

/* ---- who waits for whom ---- */

/* Another thread that does one thing under `writing`, and where it waits lets the others on. */
struct waiter {
    struct store_room *room;
    pthread_t thread;
    _Atomic bool has_lock;
    enum pb_status status;
};

static void *
flush_all(void *context)
{
    struct waiter *waiter = context;

    (void)pthread_mutex_lock(&waiter->room->store->writing);
    atomic_store(&waiter->has_lock, true);
    waiter->status = pb_store_flush_locked(waiter->room->store, NULL, NULL);
    (void)pthread_mutex_unlock(&waiter->room->store->writing);
    return NULL;
}

/* Returns when the other thread has let go of the lock, for it waits for the flush behind. */
static void
begin_to_flush_all(void *context)
{
    struct waiter *waiter = context;
    struct pb_read read = room_read("BEHIND", "gate", 9);

    assert_int_equal(PB_OK, room_append(waiter->room, &read));
    assert_int_equal(0, pthread_create(&waiter->thread, NULL, flush_all, waiter));
    while (!atomic_load(&waiter->has_lock))
        (void)sched_yield();
    (void)pthread_mutex_lock(&waiter->room->store->writing);
    assert_true(waiter->room->store->is_flushing);
    (void)pthread_mutex_unlock(&waiter->room->store->writing);
}

static void
a_flush_of_all_waits_for_the_one_behind(void **state)
{
    struct pb_read read = room_read("SEALED", "gate", 1);
    struct store_room room;
    struct waiter waiter = { .room = &room, .status = PB_E_IO };
    struct flush_behind flush;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    flush = (struct flush_behind){ .store = room.store,
                                   .fault = &room.fault,
                                   .operation = FAULT_SYNC,
                                   .meanwhile = begin_to_flush_all,
                                   .context = &waiter };
    room_expect(&room, PB_OK, flush_behind(&flush, &room.error), "flush behind");
    assert_true(flush.has_happened);
    assert_int_equal(0, pthread_join(waiter.thread, NULL));
    assert_int_equal(PB_OK, waiter.status);
    assert_int_equal(0, buffered_reads(&room));
    assert_int_equal(1, room_count(&room, "SEALED"));
    assert_int_equal(1, room_count(&room, "BEHIND"));
    room_done(&room);
}

/* A store that seals, but has no thread yet that flushes what is sealed: each of four reads. */
static void
init_sealing(struct store_room *room)
{
    room_init(room);
    room->store->has_flusher = true;
    room->store->flush_rows = 4;
}

static void
append_one(struct store_room *room, int second)
{
    struct pb_read read = room_read("SEALED", "gate", second);

    assert_int_equal(PB_OK, room_append(room, &read));
}

static void
sealed_rows_that_nobody_flushes_go_with_the_others(void **state)
{
    struct store_room room;

    (void)state;
    init_sealing(&room);
    for (int i = 0; i < 7; i++)
        append_one(&room, i);
    assert_int_equal(4, room.store->sealed_rows);
    room_flush(&room);
    assert_int_equal(0, room.store->sealed_rows);
    assert_int_equal(0, buffered_reads(&room));
    room_reopen(&room);
    assert_int_equal(7, room_count(&room, "SEALED"));
    room_done(&room);
}

/* There is nothing to end where the rows come from logs of before: they are flushed at once. */
static void
rows_that_a_restart_found_are_flushed_by_who_needs_their_room(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 4; i++)
        append_one(&room, i);
    room_reopen(&room);
    room.store->has_flusher = true;
    room.store->flush_rows = 4;
    append_one(&room, 5);
    assert_int_equal(0, room.store->sealed_rows);
    assert_int_equal(1, buffered_reads(&room));
    assert_int_equal(5, room_count(&room, "SEALED"));
    room_done(&room);
}

static void *
flush_sealed(void *context)
{
    struct waiter *waiter = context;

    (void)pthread_mutex_lock(&waiter->room->store->writing);
    waiter->status = pb_store_flush_sealed_locked(waiter->room->store, NULL);
    (void)pthread_mutex_unlock(&waiter->room->store->writing);
    return NULL;
}

/* Behind sealed rows there is room for as many again, and no more. The other thread has the lock
 * only when this one waits. */
static void
an_append_waits_where_twice_the_rows_are_there(void **state)
{
    struct store_room room;
    struct waiter waiter = { .room = &room, .status = PB_E_IO };

    (void)state;
    init_sealing(&room);
    for (int i = 0; i < 8; i++)
        append_one(&room, i);
    assert_int_equal(8, buffered_reads(&room));
    (void)pthread_mutex_lock(&room.store->writing);
    assert_int_equal(0, pthread_create(&waiter.thread, NULL, flush_sealed, &waiter));
    room_expect(&room, PB_OK, pb_store_make_room_locked(room.store, 1, &room.error), "make room");
    (void)pthread_mutex_unlock(&room.store->writing);
    assert_int_equal(0, pthread_join(waiter.thread, NULL));
    assert_int_equal(PB_OK, waiter.status);
    /* The four that were left are sealed now. */
    assert_int_equal(4, buffered_reads(&room));
    assert_int_equal(4, room.store->sealed_rows);
    append_one(&room, 8);
    room_flush(&room);
    assert_int_equal(9, room_count(&room, "SEALED"));
    room_done(&room);
}

/* The thread flushes what was sealed before it began, whether or not it can. */
static void
the_thread_flushes_what_is_sealed(void **state)
{
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        struct store_room room;

        init_sealing(&room);
        for (int i = 0; i < 5; i++)
            append_one(&room, i);
        if (is_full != 0) {
            room.fault.fail_file_mask = FAULT_CREATE;
            room.fault.fail_file_call_at = 1;
            room.fault.is_file_failure_lasting = true;
            atomic_store(&room.fault.file_call_count, 0);
        }
        room_expect(&room, PB_OK, pb_store_start_flusher(room.store, &room.error), "start");
        (void)pthread_mutex_lock(&room.store->writing);
        while (room.store->sealed_rows != 0)
            (void)pthread_cond_wait(&room.store->flush_moved, &room.store->writing);
        assert_int_equal(is_full != 0, room.store->flush_has_failed);
        (void)pthread_mutex_unlock(&room.store->writing);
        pb_store_stop_flusher(room.store);
        room.fault.fail_file_call_at = 0;
        assert_int_equal(is_full != 0 ? 5 : 1, buffered_reads(&room));
        assert_int_equal(5, room_count(&room, "SEALED"));
        room_done(&room);
    }
}

/* Stacks of a size that no machine has. */
static void
a_store_whose_thread_cannot_be_had_does_not_open(void **state)
{
    const struct pb_store_options options = { .merge_in_background = true };
    struct store_room room;
    pthread_attr_t attributes;
    size_t stack_bytes = 0;

    (void)state;
    room_init(&room);
    append_one(&room, 1);
    assert_int_equal(0, pthread_getattr_default_np(&attributes));
    assert_int_equal(0, pthread_attr_getstacksize(&attributes, &stack_bytes));
    assert_int_equal(0, pthread_attr_setstacksize(&attributes, (size_t)1 << 46));
    assert_int_equal(0, pthread_setattr_default_np(&attributes));
    /* Each of the two threads for itself, and then the first of them. */
    assert_int_equal(PB_E_NOMEM, pb_store_start_flusher(room.store, &room.error));
    assert_int_equal(PB_E_NOMEM, pb_store_start_background(room.store, &room.error));
    room_close(&room);
    assert_int_equal(PB_E_NOMEM,
                     pb_store_open(room.env, ROOM_PATH, &options, &room.store, &room.error));
    assert_int_equal(0, pthread_attr_setstacksize(&attributes, stack_bytes));
    assert_int_equal(0, pthread_setattr_default_np(&attributes));
    assert_int_equal(0, pthread_attr_destroy(&attributes));
    assert_null(room.store);
    room_open(&room);
    assert_int_equal(1, room_count(&room, "SEALED"));
    room_done(&room);
}

/* ---- more that comes behind ---- */

/* Two events whose identities have one hash (test_collisions.c). */
static struct pb_read
twin(int which, uint32_t revision)
{
    static const char *const ids[2] = { "MEKLGMIAPLMMGMDG", "KMHLKCEANNMMEPOF" };
    struct pb_read read = room_event(which == 0 ? "TWINA" : "TWINB", ids[which], revision);

    read.reader = pb_str_from("gate-1");
    return read;
}

static void
revise_twin_b(void *context)
{
    struct pb_read read = twin(1, 2);

    read.plate = pb_str_from("NEWER");
    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
a_revision_behind_leaves_an_event_with_the_same_hash(void **state)
{
    (void)state;
    for (int newest = 0; newest < 2; newest++) {
        struct store_room room;

        room_init(&room);
        for (int i = 0; i < 2; i++) {
            int which = i == 0 ? !newest : newest;
            struct pb_read read = twin(which, which == 0 ? 3 : 1);

            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        room_flush_behind(&room, revise_twin_b);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(1, room_count(&room, "TWINA"));
            assert_int_equal(0, room_count(&room, "TWINB"));
            assert_int_equal(1, room_count(&room, "NEWER"));
            room_reopen(&room);
            if (round == 1)
                room_flush(&room);
        }
        room_done(&room);
    }
}

/* Behind two months of sealed rows, so that two segments are marked: a revision and others come
 * before the copy, and more than the copy has taken memory for come within it. */
struct crowd {
    struct store_room room;
    struct flush_behind flush;
    uint32_t taken; /* of those that came behind */
};

static void
append_crowd(struct crowd *crowd, uint32_t first, uint32_t count)
{
    static char reader[PB_READER_BYTES_MAX + 1];

    for (uint32_t i = first; i < first + count; i++) {
        struct pb_read read = room_read("CROWD", reader, (int64_t)i);
        enum pb_status answer = PB_E_IO;

        (void)snprintf(reader, sizeof(reader), "%0*u", (int)sizeof(reader) - 1, i);
        read.reader = pb_str_from(reader);
        if (pb_store_append(crowd->room.store, &read, 1, &answer, NULL) == PB_OK)
            crowd->taken++;
    }
}

static void
append_within_the_copy(void *context)
{
    append_crowd(context, 100, 60);
}

static void
append_before_the_copy(void *context)
{
    struct crowd *crowd = context;

    append_behind(&crowd->room);
    append_crowd(crowd, 10, 3);
    crowd->flush.operation = FAULT_ALLOCATION;
    crowd->flush.meanwhile = append_within_the_copy;
    crowd->flush.skipped = 8; /* the tables of the new buffer */
    crowd->room.fault.meanwhile = flush_behind_meanwhile;
}

static void
begin_crowd(struct crowd *crowd)
{
    struct pb_read read = room_event("OLDER", "a", 1);

    memset(crowd, 0, sizeof(*crowd));
    room_init(&crowd->room);
    assert_int_equal(PB_OK, room_append(&crowd->room, &read));
    read = room_read("OTHER", "gate", 40 * 24 * 3600);
    assert_int_equal(PB_OK, room_append(&crowd->room, &read));
    crowd->flush = (struct flush_behind){ .store = crowd->room.store,
                                          .fault = &crowd->room.fault,
                                          .operation = FAULT_SYNC,
                                          .meanwhile = append_before_the_copy,
                                          .context = crowd };
}

static void
a_flush_behind_a_crowd_that_finds_no_memory_leaves_the_rows(void **state)
{
    bool has_failed = true;

    (void)state;
    for (uint64_t at = 1; has_failed; at++) {
        struct crowd crowd;
        struct store_room *room = &crowd.room;
        enum pb_status status;

        begin_crowd(&crowd);
        room->fault.fail_allocation_at = atomic_load(&room->fault.allocation_count) + at;
        status = flush_behind(&crowd.flush, &room->error);
        room->fault.fail_allocation_at = 0;
        has_failed = atomic_load(&room->fault.failure_count) != 0;
        assert_true(status == PB_OK || (status == PB_E_NOMEM && has_failed));
        assert_int_equal(crowd.taken, room_count(room, "CROWD"));
        assert_int_equal(1, room_count(room, "OTHER"));
        check_after_failure(room);
    }
}

/* Once the rows behind were copied the store is locked for what came within the copy: then no
 * memory is found any more. At which moment they came is counted in allocations. */
struct late {
    struct crowd crowd;
    uint32_t skipped; /* allocations before they come */
    bool have_come;
};

static void
come_late_and_fail(void *context, enum fault_operation operation)
{
    struct late *late = context;
    struct store_room *room = &late->crowd.room;

    if (operation != FAULT_ALLOCATION || !room->store->is_flushing)
        return;
    if (pthread_mutex_trylock(&room->store->writing) != 0) {
        room->fault.fail_allocation_at = atomic_load(&room->fault.allocation_count) + 1;
        room->fault.meanwhile = NULL;
        return;
    }
    (void)pthread_mutex_unlock(&room->store->writing);
    if (late->have_come || late->skipped-- > 0)
        return;
    late->have_come = true;
    room->fault.meanwhile = NULL;
    append_crowd(&late->crowd, 100, 60);
    room->fault.meanwhile = come_late_and_fail;
}

static void
a_flush_behind_that_finds_no_memory_in_the_end_leaves_the_rows(void **state)
{
    bool have_come = true;

    (void)state;
    for (uint32_t skipped = 0; have_come; skipped++) {
        struct late late = { .skipped = skipped };
        struct store_room *room = &late.crowd.room;

        begin_crowd(&late.crowd);
        append_crowd(&late.crowd, 10, 3);
        (void)pthread_mutex_lock(&room->store->writing);
        pb_store_seal_locked(room->store);
        room->store->sealed_rows -= 3; /* as if these had come behind the others */
        room->fault.meanwhile_context = &late;
        room->fault.meanwhile = come_late_and_fail;
        assert_int_equal(PB_E_NOMEM, pb_store_flush_sealed_locked(room->store, &room->error));
        room->fault.meanwhile = NULL;
        (void)pthread_mutex_unlock(&room->store->writing);
        room->fault.fail_allocation_at = 0;
        have_come = late.have_come;
        assert_int_equal(have_come ? 63 : 3, late.crowd.taken);
        assert_int_equal(late.crowd.taken, room_count(room, "CROWD"));
        room_reopen(room);
        assert_int_equal(late.crowd.taken, room_count(room, "CROWD"));
        assert_int_equal(1, room_count(room, "OLDER"));
        room_done(room);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_that_come_while_others_are_flushed_stay_behind),
        cmocka_unit_test(nothing_behind_leaves_an_empty_buffer_and_the_next_append_its_log),
        cmocka_unit_test(a_revision_that_comes_behind_makes_a_flushed_row_history),
        cmocka_unit_test(a_row_that_is_revised_while_it_is_copied_becomes_history),
        cmocka_unit_test(what_is_erased_while_it_is_flushed_stays_erased),
        cmocka_unit_test(rows_whose_newer_revision_expires_unwritten_are_flushed_with_it),
        cmocka_unit_test(a_flush_behind_that_finds_no_memory_leaves_the_rows),
        cmocka_unit_test(a_flush_behind_whose_files_fail_leaves_the_rows),
        cmocka_unit_test(a_flush_that_failed_behind_is_told_to_the_next_append),
        cmocka_unit_test(a_revision_without_memory_is_refused_and_others_go_on),
        cmocka_unit_test(a_flush_of_all_waits_for_the_one_behind),
        cmocka_unit_test(sealed_rows_that_nobody_flushes_go_with_the_others),
        cmocka_unit_test(rows_that_a_restart_found_are_flushed_by_who_needs_their_room),
        cmocka_unit_test(an_append_waits_where_twice_the_rows_are_there),
        cmocka_unit_test(the_thread_flushes_what_is_sealed),
        cmocka_unit_test(a_store_whose_thread_cannot_be_had_does_not_open),
        cmocka_unit_test(a_revision_behind_leaves_an_event_with_the_same_hash),
        cmocka_unit_test(a_flush_behind_a_crowd_that_finds_no_memory_leaves_the_rows),
        cmocka_unit_test(a_flush_behind_that_finds_no_memory_in_the_end_leaves_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
