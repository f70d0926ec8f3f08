/*
 * Loading what is judged apart from the others: corrections, and events that may not be alone. What
 * somebody else stores meanwhile counts, and what fails leaves each read there once.
 */
#include "store/load_room.h"

#include <sched.h>
#include <stdatomic.h>

#include "store/sweep.h"

/* ---- a loader that has written both, so that few are written, too ---- */

#define BASE_ROWS (FEW_ROWS + 8u)
#define MORE_ROWS 3000u /* that were not corrected yet */
#define CORRECTED 4u    /* by each attempt */

static struct {
    struct store_room room;
    struct pb_loader *loader;
    uint32_t attempts; /* numbers their reads */
} fixture;

/* Of a plain read of the base: another plate. */
static struct pb_read
correction(uint32_t number, char text[48], char right[24])
{
    struct pb_read read = numbered(number, false, text);

    read.identity_plate = read.plate;
    (void)snprintf(right, 24, "RIGHT%u", number);
    read.plate = pb_str_from(right);
    read.is_correction = true;
    read.revision = 1;
    return read;
}

static void
load_base(uint32_t rows)
{
    char text[48];

    for (uint32_t i = 0; i < rows; i++) {
        struct pb_read read = numbered(i, false, text);

        add(&fixture.room, fixture.loader, 0, &read);
    }
    finish(&fixture.room, fixture.loader);
}

static void
begin_fixture(uint32_t rows, bool with_corrections)
{
    char text[48];
    char right[24];

    begin(&fixture.room, 1);
    fixture.loader = room_loader(&fixture.room, 2);
    load_base(rows);
    for (uint32_t i = 0; i < BASE_ROWS && with_corrections; i++) {
        struct pb_read read = correction(i, text, right);

        add(&fixture.room, fixture.loader, 0, &read);
    }
    finish(&fixture.room, fixture.loader);
    assert_true(spy.segments >= (with_corrections ? 2 : 1));
}

static void
end_fixture(void)
{
    pb_loader_free(fixture.loader);
    fixture.loader = NULL;
    room_done(&fixture.room);
}

static uint32_t
number_of(uint32_t i)
{
    return BASE_ROWS + fixture.attempts * CORRECTED + i;
}

/* Somebody else corrects two of the reads, one of them otherwise. */
static void
correct_some(void)
{
    struct store_room *room = &fixture.room;

    for (uint32_t i = 0; i < 2; i++) {
        char text[48];
        char right[24];
        struct pb_read read = correction(number_of(i), text, right);
        enum pb_status answer = PB_E_IO;

        if (i == 1)
            read.speed_ckmh = 7;
        (void)!pb_store_append(room->store, &read, 1, &answer, NULL); /* it may fail */
    }
}

/* One event of this attempt, twice in one load: which of them is the first is decided apart. */
static struct pb_read
suspect(char text[48])
{
    return numbered(90000 + fixture.attempts, true, text);
}

static enum pb_status
attempt(void (*on_sync)(void))
{
    struct store_room *room = &fixture.room;
    struct pb_lane *lane = pb_loader_lane(fixture.loader, 0);
    char text[CORRECTED][48];
    char right[CORRECTED][24];
    char event_text[48];
    struct pb_read reads[CORRECTED + 2];
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < CORRECTED; i++)
        reads[i] = correction(number_of(i), text[i], right[i]);
    reads[CORRECTED] = reads[CORRECTED + 1] = suspect(event_text);
    spy.on_sync = on_sync;
    /* With somebody who meddles the run alone, so that it is what is written then. */
    status = pb_lane_add(lane, reads, on_sync != NULL ? CORRECTED : CORRECTED + 2, &room->error);
    if (status == PB_OK)
        status = pb_loader_finish(fixture.loader, &room->error);
    spy.on_sync = NULL;
    return status;
}

/* Each read is there once, corrected where it was said; the event once, where it was said. */
static void
check_attempt(enum pb_status status, bool has_event)
{
    char text[48];
    struct pb_read event = suspect(text);
    uint32_t events = room_count(&fixture.room, text);

    (void)event;
    assert_true(events <= 1 && (events == 1 || status != PB_OK || !has_event));
    for (uint32_t i = 0; i < CORRECTED; i++) {
        char right[24];
        struct pb_read read = correction(number_of(i), text, right);
        uint32_t corrected = room_count(&fixture.room, right);

        assert_true(corrected <= 1);
        assert_int_equal(1 - corrected, room_count(&fixture.room, text));
        if (status == PB_OK && corrected != 1)
            fail_msg("attempt %u: read %u was not corrected", fixture.attempts, i);
        (void)read;
    }
}

/* One call fails; whether there were so many. */
static bool
attempt_with_fault(bool is_allocation, uint64_t at, bool meddles)
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
    status = attempt(meddles ? correct_some : NULL);
    has_failed = room->fault.failure_count != 0;
    if (!(has_failed ? sweep_is_expected(room, status) : status == PB_OK))
        fail_msg("attempt %u: %s: %s", fixture.attempts, pb_status_name(status),
                 room->error.message);
    room->fault.fail_allocation_at = 0;
    room->fault.fail_file_call_at = 0;
    check_attempt(status, !meddles);
    if (pb_store_append(room->store, &probe, 1, &answer, &room->error) != PB_OK) {
        assert_true(has_failed && !is_allocation);
        pb_loader_free(fixture.loader);
        fixture.loader = NULL;
        room_reopen(room);
        check_attempt(status, !meddles);
        end_fixture();
        begin_fixture(BASE_ROWS + MORE_ROWS, true);
        fixture.attempts = 0;
    } else {
        /* What is left in the stage goes, so that each attempt makes the same calls. */
        room_expect(room, PB_OK, pb_loader_finish(fixture.loader, &room->error), "finish");
        check_attempt(status, !meddles);
    }
    if (fixture.attempts % 16 == 8) {
        room_expect(room, PB_OK, attempt(NULL), "the same again");
        check_attempt(PB_OK, true);
        room_merge(room);
    }
    fixture.attempts++;
    assert_true(number_of(CORRECTED) < BASE_ROWS + MORE_ROWS);
    return has_failed;
}

static void
what_corrects_and_what_may_not_be_alone_is_there_once_whatever_fails(void **state)
{
    (void)state;
    for (int meddles = 0; meddles < 2; meddles++) {
        fixture.attempts = 0;
        begin_fixture(BASE_ROWS + MORE_ROWS, true);
        for (int kind = 0; kind < 2; kind++) {
            uint64_t at = 1;

            while (attempt_with_fault(kind == 0, at, meddles == 1))
                at++;
            assert_in_range(at, 15, 5000);
        }
        end_fixture();
    }
}

/* ---- what comes meanwhile ---- */

static struct pb_read meanwhile[2];
static uint32_t meanwhile_count;

static void
append_meanwhile(void)
{
    for (uint32_t i = 0; i < meanwhile_count; i++)
        assert_int_equal(PB_OK, room_append(&fixture.room, &meanwhile[i]));
}

static void
expect_more(const struct pb_load_counts *before, uint64_t stored, uint64_t duplicate,
            uint64_t conflict)
{
    expect_counts(fixture.loader, before->stored + stored, before->duplicate + duplicate,
                  before->conflict + conflict);
}

/* Of an event that was loaded twice; the other revision comes when it was found to be the first. */
static void
an_event_that_contradicts_what_came_meanwhile_is_left_out(void **state)
{
    char text[48];
    struct pb_load_counts before;
    struct pb_read read;

    (void)state;
    begin_fixture(BASE_ROWS, false);
    pb_loader_counts(fixture.loader, &before);
    read = numbered(70000, true, text);
    read.is_revisable = false;
    meanwhile[0] = read;
    meanwhile[0].plate = pb_str_from("MEANWHILE");
    meanwhile_count = 1;
    read.revision = 2;
    for (int i = 0; i < 2; i++)
        add(&fixture.room, fixture.loader, 0, &read);
    spy.on_sync = append_meanwhile;
    finish(&fixture.room, fixture.loader);
    assert_null(spy.on_sync);
    expect_more(&before, 0, 1, 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(0, room_count(&fixture.room, text));
        assert_int_equal(1, room_count(&fixture.room, "MEANWHILE"));
        if (round == 0) {
            pb_loader_free(fixture.loader);
            fixture.loader = NULL;
            room_reopen(&fixture.room);
        }
    }
    end_fixture();
}

/* Three months, each with one read: one that stays, and of two all is stored by somebody else while
 * they are written, as a plain read and as an event. */
static void
a_segment_of_which_all_came_meanwhile_goes(void **state)
{
    char text[3][48];
    struct pb_read reads[3];
    struct pb_load_counts before;
    struct pb_store_stats stats;

    (void)state;
    begin_fixture(BASE_ROWS, false);
    pb_loader_counts(fixture.loader, &before);
    for (uint32_t i = 0; i < 3; i++) {
        reads[i] = numbered(80000 + i, i == 1, text[i]);
        reads[i].captured_at_us += (int64_t)(i + 1) * 60 * ROOM_DAY_US;
        add(&fixture.room, fixture.loader, 0, &reads[i]);
    }
    meanwhile[0] = reads[0];
    meanwhile[1] = reads[1];
    meanwhile_count = 2;
    spy.on_sync = append_meanwhile;
    finish(&fixture.room, fixture.loader);
    assert_null(spy.on_sync);
    expect_more(&before, 1, 2, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(1, room_count(&fixture.room, text[i]));
    room_expect(&fixture.room, PB_OK,
                pb_store_stats(fixture.room.store, &stats, &fixture.room.error), "stats");
    assert_int_equal(BASE_ROWS + 3, stats.reads);
    end_fixture();
}

/* One event so often that with little memory it is judged in two runs, one of which has nothing of
 * it. */
static void
an_event_that_repeats_all_the_time_is_there_once(void **state)
{
    enum { TIMES = 8000 };
    static const size_t memory_bytes[] = { (size_t)1 << 20, (size_t)1 << 40 };
    char text[48];

    (void)state;
    begin_fixture(BASE_ROWS, false);
    for (uint32_t m = 0; m < 2; m++) {
        struct pb_load_counts before;
        struct pb_read read = numbered(50000 + m, true, text);

        pb_loader_counts(fixture.loader, &before);
        for (int i = 0; i < TIMES; i++)
            add(&fixture.room, fixture.loader, 0, &read);
        fixture.room.store->memory_bytes = memory_bytes[m];
        finish(&fixture.room, fixture.loader);
        expect_more(&before, 1, TIMES - 1, 0);
        assert_int_equal(1, room_count(&fixture.room, text));
    }
    end_fixture();
}

/* ---- small loads ---- */

#define SMALL 300u /* more than are added at one time */

/* By turns three plain reads and a correction of the first of them, at once; some one by one. */
static enum pb_status
act_small(struct store_room *room, void *context)
{
    static char text[SMALL][48];
    static char right[SMALL][24];
    static struct pb_read reads[SMALL];
    struct pb_loader *loader = NULL;
    enum pb_status status = pb_loader_new(room->store, 2, NULL, NULL, &loader, &room->error);

    (void)context;
    for (uint32_t i = 0; i < SMALL; i++)
        reads[i] = i % 4 == 3 ? correction(i - 3, text[i], right[i]) : numbered(i, false, text[i]);
    if (status == PB_OK)
        status = pb_lane_add_valid(pb_loader_lane(loader, 0), reads, SMALL, &room->error);
    if (status == PB_OK)
        status = pb_lane_add(pb_loader_lane(loader, 1), reads, 8, &room->error);
    if (loader != NULL) {
        /* What was taken before is written, whether or not all was taken. */
        enum pb_status finished = pb_loader_finish(loader, &room->error);

        status = status == PB_OK ? finished : status;
    }
    pb_loader_free(loader);
    return status;
}

static void
check_small(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (room->store->is_poisoned)
        room_reopen(room);
    if (status != PB_OK)
        room_expect(room, PB_OK, act_small(room, NULL), "the same again");
    assert_int_equal(SMALL * 3 / 4, room_count(room, "*"));
    assert_int_equal(SMALL / 4, room_count(room, "RIGHT*"));
}

static void
a_small_load_of_reads_and_corrections_can_be_sent_again(void **state)
{
    static const struct sweep sweep = { .name = "a small load with corrections",
                                        .prepare = sweep_prepare_empty,
                                        .act = act_small,
                                        .check = check_small,
                                        .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- lanes that are finished together ---- */

static struct {
    pthread_t thread;
    _Atomic bool has_begun;
    enum pb_status status;
} other;

static void *
finish_other(void *context)
{
    (void)context;
    atomic_store(&other.has_begun, true);
    other.status = pb_lane_finish(pb_loader_lane(fixture.loader, 1), NULL);
    return NULL;
}

static void
begin_other(void)
{
    atomic_store(&other.has_begun, false);
    assert_int_equal(0, pthread_create(&other.thread, NULL, finish_other, NULL));
    while (!atomic_load(&other.has_begun))
        (void)sched_yield();
    for (int i = 0; i < 1000; i++)
        (void)sched_yield();
}

static void
a_lane_that_is_finished_while_another_writes_finds_all_written(void **state)
{
    char text[48];

    (void)state;
    begin_fixture(BASE_ROWS, false);
    for (unsigned lane = 0; lane < 2; lane++) {
        struct pb_read read = numbered(60000 + lane, false, text);

        add(&fixture.room, fixture.loader, lane, &read);
    }
    spy.on_sync = begin_other;
    room_expect(&fixture.room, PB_OK,
                pb_lane_finish(pb_loader_lane(fixture.loader, 0), &fixture.room.error), "finish");
    assert_int_equal(0, pthread_join(other.thread, NULL));
    assert_int_equal(PB_OK, other.status);
    for (unsigned lane = 0; lane < 2; lane++) {
        (void)numbered(60000 + lane, false, text);
        assert_int_equal(1, room_count(&fixture.room, text));
    }
    end_fixture();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_corrects_and_what_may_not_be_alone_is_there_once_whatever_fails),
        cmocka_unit_test(an_event_that_contradicts_what_came_meanwhile_is_left_out),
        cmocka_unit_test(a_segment_of_which_all_came_meanwhile_goes),
        cmocka_unit_test(an_event_that_repeats_all_the_time_is_there_once),
        cmocka_unit_test(a_small_load_of_reads_and_corrections_can_be_sent_again),
        cmocka_unit_test(a_lane_that_is_finished_while_another_writes_finds_all_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
