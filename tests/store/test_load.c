/*
 * Loading: events in runs beside plain reads in a stage, whatever else is stored meanwhile and
 * whatever fails. What was said to be stored is there, and nothing is there twice.
 */
#include "store/load_room.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "store/sweep.h"

/* ---- several runs ---- */

#define EVENTS 12000u /* a full run of a lane, and some */
#define REVISED 1500u
#define LANES 4u

/* Events 0 to EVENTS - 1; then the first REVISED of them again: the same, a revision, something
 * else in turn. */
static void
load_events(struct store_room *room, struct pb_loader *loader)
{
    char text[48];

    for (uint32_t i = 0; i < EVENTS; i++) {
        struct pb_read read = numbered(i, true, text);

        add(room, loader, 1, &read);
    }
    for (uint32_t i = 0; i < REVISED; i++) {
        struct pb_read read = numbered(i, true, text);

        read.revision = i % 3 == 1;
        read.speed_ckmh = i % 3 == 2 ? 77 : PB_NO_SPEED;
        add(room, loader, 1, &read);
    }
}

static void
events_of_several_runs_repeat_and_revise_one_another(void **state)
{
    struct store_room room;
    struct pb_loader *loader = NULL;
    struct pb_query query = room_query("*");

    (void)state;
    begin(&room, 1);
    loader = room_loader(&room, LANES);
    load_events(&room, loader);
    finish(&room, loader);
    assert_in_range(spy.segments, 2, 9);
    expect_counts(loader, EVENTS + REVISED / 3, REVISED / 3, REVISED / 3);
    pb_loader_free(loader);
    assert_int_equal(EVENTS, room_count(&room, "*"));
    query.with_superseded = true;
    assert_int_equal(EVENTS + REVISED / 3, room_count_query(&room, &query));

    /* The same again changes nothing. */
    loader = room_loader(&room, LANES);
    load_events(&room, loader);
    finish(&room, loader);
    expect_counts(loader, 0, EVENTS + 2 * (REVISED / 3), REVISED / 3);
    pb_loader_free(loader);
    room_reopen(&room);
    assert_int_equal(EVENTS, room_count(&room, "*"));
    room_done(&room);
}

/* ---- many partitions ---- */

#define MONTHS 40u
#define SPREAD (FEW_ROWS + 300u)

static void
a_load_of_many_months_is_found_month_by_month(void **state)
{
    struct store_room room;

    (void)state;
    begin(&room, 1);
    for (uint32_t pass = 0; pass < 2; pass++) {
        struct pb_loader *loader = room_loader(&room, 1);
        char text[48];

        for (uint32_t i = 0; i < SPREAD; i++) {
            struct pb_read read = numbered(i, false, text);

            read.captured_at_us -= (int64_t)(i % MONTHS) * 31 * ROOM_DAY_US;
            add(&room, loader, 0, &read);
        }
        finish(&room, loader);
        expect_counts(loader, pass == 0 ? SPREAD : 0, pass == 0 ? 0 : SPREAD, 0);
        pb_loader_free(loader);
        assert_int_equal(SPREAD, room_count(&room, "*"));
    }
    assert_in_range(spy.segments, MONTHS - 2, 3 * MONTHS);
    room_done(&room);
}

/* ---- arguments ---- */

static void
a_loader_has_1_to_256_lanes(void **state)
{
    static const unsigned wrong[] = { 0, 257, UINT32_MAX };
    struct store_room room;
    struct pb_loader *loader = NULL;

    (void)state;
    begin(&room, 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(PB_BAD_INPUT,
                         pb_loader_new(room.store, wrong[i], NULL, NULL, &loader, &room.error));
        assert_null(loader);
    }
    pb_loader_free(room_loader(&room, 1));
    pb_loader_free(room_loader(&room, 256));
    room.store->memory_bytes = (size_t)1 << 40;
    pb_loader_free(room_loader(&room, 1));
    room_done(&room);
}

/* ---- a loader that has written, so that few reads are written, too ---- */

#define BASE_ROWS (FEW_ROWS + 8u)
#define ATTEMPT_READS 8u

static struct {
    struct store_room room;
    struct pb_loader *loader;
    uint32_t attempts; /* numbers their reads */
    bool meddles;
} fixture;

static void
begin_fixture(void)
{
    char text[48];

    begin(&fixture.room, 1);
    fixture.loader = room_loader(&fixture.room, 2);
    for (unsigned lane = 0; lane < 2; lane++) {
        for (uint32_t i = 0; i < BASE_ROWS; i++) {
            struct pb_read read = numbered(i, lane == 0, text);

            if (lane == 1)
                read.reader = pb_str_from("gate-2");
            add(&fixture.room, fixture.loader, lane, &read);
        }
        room_expect(&fixture.room, PB_OK,
                    pb_lane_finish(pb_loader_lane(fixture.loader, lane), &fixture.room.error),
                    "finish");
    }
    assert_true(spy.segments >= 2);
}

static void
end_fixture(void)
{
    pb_loader_free(fixture.loader);
    fixture.loader = NULL;
    room_done(&fixture.room);
}

/* New reads, events and plain ones, on plates of their own: four are new and have their plate
 * alone; one more for each revises or repeats what the store has. */
static struct pb_read
attempt_read(uint32_t i, char text[48])
{
    uint32_t number = 20000 + fixture.attempts * ATTEMPT_READS + i;
    struct pb_read read = numbered(number, i % 2 == 0, text);

    if (i >= 4) {
        read = numbered(fixture.attempts * 4 + i, i % 2 == 0, text);
        read.revision = i == 4;
        if (i % 2 == 1)
            read.reader = pb_str_from("gate-2");
    }
    return read;
}

/* Somebody else stores two of the reads, one of them with other content. */
static void
meddle(void)
{
    struct store_room *room = &fixture.room;

    for (uint32_t i = 0; i < 3; i++) {
        char text[48];
        struct pb_read read = attempt_read(i, text);
        enum pb_status answer = PB_E_IO;
        enum pb_status status = PB_OK;

        if (i == 1)
            read.speed_ckmh = 7;
        status = pb_store_append(room->store, &read, 1, &answer, &room->error);
        if (room->fault.failure_count == 0)
            room_expect(room, PB_OK, status, "append meanwhile");
    }
}

/* on_sync may append only while the first segment is written: later the store is locked. */
static enum pb_status
attempt(void (*on_sync)(void))
{
    struct store_room *room = &fixture.room;
    enum pb_status status = PB_OK;

    spy.on_sync = on_sync;
    for (uint32_t i = 0; i < ATTEMPT_READS && status == PB_OK; i++) {
        char text[48];
        struct pb_read read = attempt_read(i, text);

        status = pb_lane_add(pb_loader_lane(fixture.loader, i / 2 % 2), &read, 1, &room->error);
    }
    if (status == PB_OK)
        status = pb_loader_finish(fixture.loader, &room->error);
    spy.on_sync = NULL;
    return status;
}

/* Each read is there at most once, and exactly once where they were said to be stored. */
static void
check_attempt(enum pb_status status)
{
    for (uint32_t i = 0; i < ATTEMPT_READS; i++) {
        char text[48];
        char plate[PB_PLATE_BYTES_MAX + 1];
        struct pb_read read = attempt_read(i, text);
        uint32_t most = i < 4 ? 1 : 2; /* of an older plate there is one of each gate */
        uint32_t found = 0;

        memcpy(plate, read.plate.text, read.plate.bytes);
        plate[read.plate.bytes] = '\0';
        found = room_count(&fixture.room, plate);
        if (found > most || (status == PB_OK && found != most))
            fail_msg("attempt %u, %s: read %u is there %u times", fixture.attempts,
                     pb_status_name(status), i, found);
    }
}

/* One call fails; whether there were so many. */
static bool
attempt_with_fault(bool is_allocation, uint64_t at)
{
    struct store_room *room = &fixture.room;
    struct pb_read probe = room_read("PROBE", "gate-3", fixture.attempts);
    enum pb_status answer = PB_E_IO;
    enum pb_status status = PB_OK;
    bool has_failed = false;

    room->fault.failure_count = 0;
    room->fault.allocation_count = 0;
    room->fault.file_call_count = 0;
    room->fault.fail_allocation_at = is_allocation ? at : 0;
    room->fault.fail_file_call_at = is_allocation ? 0 : at;
    status = attempt(fixture.meddles ? meddle : NULL);
    has_failed = room->fault.failure_count != 0;
    if (!(has_failed ? sweep_is_expected(room, status) : status == PB_OK))
        fail_msg("attempt %u: %s: %s", fixture.attempts, pb_status_name(status),
                 room->error.message);
    room->fault.fail_allocation_at = 0;
    room->fault.fail_file_call_at = 0;
    check_attempt(status);
    if (pb_store_append(room->store, &probe, 1, &answer, &room->error) != PB_OK) {
        /* Poisoned: what is there after it is opened again is the same. */
        if (!has_failed || is_allocation)
            fail_msg("attempt %u, allocation %llu: %s", fixture.attempts, (unsigned long long)at,
                     room->error.message);
        pb_loader_free(fixture.loader);
        fixture.loader = NULL;
        room_reopen(room);
        check_attempt(status);
        end_fixture();
        begin_fixture();
    } else {
        /* What is left in the stage goes, so that each attempt makes the same calls. */
        room_expect(room, PB_OK, pb_loader_finish(fixture.loader, &room->error), "finish");
        check_attempt(status);
    }
    if (fixture.attempts % 8 == 0) {
        room_expect(room, PB_OK, attempt(NULL), "the same again");
        check_attempt(PB_OK);
        room_merge(room);
    }
    fixture.attempts++;
    return has_failed;
}

static void
what_is_loaded_is_there_at_most_once_whatever_fails(void **state)
{
    (void)state;
    for (int meddles = 0; meddles < 2; meddles++) {
        fixture.meddles = meddles == 1;
        fixture.attempts = 1;
        begin_fixture();
        for (int kind = 0; kind < 2; kind++) {
            uint64_t at = 1;

            while (attempt_with_fault(kind == 0, at))
                at++;
            assert_in_range(at, 15, 10000);
        }
        print_message("%u loads failed in turn\n", fixture.attempts);
        end_fixture();
    }
}

/* A segment of which all was stored by somebody else meanwhile goes. */
static void
nothing_is_left_of_a_segment_that_was_stored_meanwhile(void **state)
{
    struct store_room *room = &fixture.room;
    struct pb_load_counts before;
    struct pb_load_counts after;
    char text[48];
    struct pb_read read;

    (void)state;
    fixture.attempts = 1;
    begin_fixture();
    pb_loader_counts(fixture.loader, &before);
    read = attempt_read(2, text); /* one that meddle() stores, too */
    read.event_id = (struct pb_str){ NULL, 0 };
    read.is_revisable = false;
    assert_int_equal(PB_OK, room_append(room, &read));
    room_flush(room);
    add(room, fixture.loader, 0, &read);
    read.captured_at_us += 60 * ROOM_DAY_US;
    add(room, fixture.loader, 0, &read);
    finish(room, fixture.loader);
    pb_loader_counts(fixture.loader, &after);
    assert_int_equal(before.duplicate + 1, after.duplicate);
    assert_int_equal(before.stored + 1, after.stored);
    end_fixture();
}

/* ---- loads that are so small that they are appended ---- */

static enum pb_status
act_small(struct store_room *room, void *context)
{
    struct pb_loader *loader = NULL;
    enum pb_status status = pb_loader_new(room->store, 3, NULL, NULL, &loader, &room->error);

    (void)context;
    for (uint32_t i = 0; i < 9 && status == PB_OK; i++) {
        char text[48];
        struct pb_read reads[2] = { numbered(i, i % 2 == 0, text), numbered(i, i % 2 == 0, text) };

        status = pb_lane_add_valid(pb_loader_lane(loader, i % 3), reads, 2, &room->error);
    }
    if (status == PB_OK)
        status = pb_loader_finish(loader, &room->error);
    pb_loader_free(loader);
    return status;
}

static void
check_small(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_read probe = room_read("PROBE", "gate-3", 1);
    uint32_t found = room_count(room, "*");

    (void)context;
    assert_in_range(found, status == PB_OK ? 9 : 0, 9);
    room_reopen(room);
    assert_in_range(room_count(room, "*"), found, 9);
    if (status != PB_OK)
        room_expect(room, PB_OK, act_small(room, NULL), "the same again");
    assert_int_equal(9, room_count(room, "*"));
    assert_int_equal(PB_OK, room_append(room, &probe));
}

static void
a_small_load_that_fails_can_be_sent_again(void **state)
{
    static const struct sweep sweep = { .name = "a small load",
                                        .prepare = sweep_prepare_empty,
                                        .act = act_small,
                                        .check = check_small,
                                        .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- lanes beside one another ---- */

static struct {
    pthread_t thread;
    _Atomic bool has_begun;
    enum pb_status status;
} other;

/* Adds and finishes while the first lane writes: it must wait, and then be written, too. */
static void *
other_lane(void *context)
{
    char text[48];
    struct pb_read read = numbered(30001, false, text);
    struct pb_lane *lane = pb_loader_lane(fixture.loader, 1);

    (void)context;
    atomic_store(&other.has_begun, true);
    other.status = pb_lane_add(lane, &read, 1, NULL);
    if (other.status == PB_OK)
        other.status = pb_lane_finish(lane, NULL);
    return NULL;
}

static void
begin_other(void)
{
    atomic_store(&other.has_begun, false);
    assert_int_equal(0, pthread_create(&other.thread, NULL, other_lane, NULL));
    while (!atomic_load(&other.has_begun))
        (void)sched_yield();
    for (int i = 0; i < 1000; i++)
        (void)sched_yield();
}

static void
a_lane_that_comes_while_another_writes_waits_for_it(void **state)
{
    struct store_room *room = &fixture.room;
    char text[48];
    struct pb_read read;

    (void)state;
    fixture.attempts = 1;
    begin_fixture();
    read = numbered(30000, false, text);
    add(room, fixture.loader, 0, &read);
    spy.on_sync = begin_other;
    room_expect(room, PB_OK, pb_lane_finish(pb_loader_lane(fixture.loader, 0), &room->error),
                "finish");
    assert_int_equal(0, pthread_join(other.thread, NULL));
    assert_int_equal(PB_OK, other.status);
    assert_int_equal(1, room_count(room, "P30000"));
    assert_int_equal(1, room_count(room, "P30001"));
    end_fixture();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_several_runs_repeat_and_revise_one_another),
        cmocka_unit_test(a_load_of_many_months_is_found_month_by_month),
        cmocka_unit_test(a_loader_has_1_to_256_lanes),
        cmocka_unit_test(what_is_loaded_is_there_at_most_once_whatever_fails),
        cmocka_unit_test(nothing_is_left_of_a_segment_that_was_stored_meanwhile),
        cmocka_unit_test(a_small_load_that_fails_can_be_sent_again),
        cmocka_unit_test(a_lane_that_comes_while_another_writes_waits_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
