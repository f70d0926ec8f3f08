/*
 * Flushes that go on behind those who append: rows that were sealed become segments while others
 * come, revise, erase; and what fails then.
 */
#include "store/flush_behind.h"

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

static struct pb_read
event(const char *plate, const char *id, uint32_t revision)
{
    struct pb_read read = room_read(plate, "tracker", 60);

    read.event_id = pb_str_from(id);
    read.is_revisable = true;
    read.revision = revision;
    return read;
}

static uint32_t
count_all_revisions(struct store_room *room, const char *plate)
{
    struct pb_query query = room_query(plate);

    query.with_superseded = true;
    return room_count_query(room, &query);
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
    struct pb_read read = event("NEWER", "a", 2);

    assert_int_equal(PB_OK, room_append(context, &read));
    read = event("OTHER", "b", 1);
    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
check_revised(struct store_room *room)
{
    assert_int_equal(0, room_count(room, "OLDER"));
    assert_int_equal(1, count_all_revisions(room, "OLDER"));
    assert_int_equal(1, room_count(room, "NEWER"));
    assert_int_equal(1, room_count(room, "OTHER"));
}

static void
a_revision_that_comes_behind_makes_a_flushed_row_history(void **state)
{
    struct pb_read read = event("OLDER", "a", 1);
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
    struct pb_read read = event("NEWER", "b", 2);

    assert_int_equal(PB_OK, room_append(&test->room, &read));
    test->is_revised = true;
}

static void
append_and_wait_for_an_allocation(void *context)
{
    struct revised_in_copy *test = context;
    struct pb_read read = event("OLDER", "b", 1);

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
        assert_int_equal(1, count_all_revisions(&test.room, "OLDER"));
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
    struct pb_read read = event("OLDER", "a", 1);

    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
rows_whose_newer_revision_expires_unwritten_are_flushed_with_it(void **state)
{
    struct pb_read read = event("NEWER", "a", 2);
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
    assert_int_equal(1, count_all_revisions(&room, "OLDER"));
    assert_int_equal(1, room_count(&room, "OTHER"));
    room_done(&room);
}

/* ---- what fails ---- */

static void
append_behind(void *context)
{
    struct store_room *room = context;
    struct pb_read read = event("NEWER", "a", 2);
    enum pb_status answer = PB_E_IO;

    (void)!pb_store_append(room->store, &read, 1, &answer, &room->error);
}

static void
begin_to_flush(struct store_room *room, struct flush_behind *flush)
{
    struct pb_read read = event("OLDER", "a", 1);

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
        assert_int_equal(1, count_all_revisions(room, "OLDER"));
        room_reopen(room);
    }
    room_flush(room);
    assert_int_equal(1, count_all_revisions(room, "OLDER"));
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
        struct pb_read read = event("OLDER", "a", 1);
        enum pb_status answer = PB_E_IO;
        enum pb_status status;

        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        room_flush(&room);
        read = room_read("OTHER", "gate", 1);
        assert_int_equal(PB_OK, room_append(&room, &read)); /* so that there is a log */
        read = event("NEWER", "a", 2);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
