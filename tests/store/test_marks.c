/*
 * Marks: how many revisions of reads in segments may wait to be applied to them, and what makes
 * room for more.
 */
#include "store/load_room.h"

#include "store/sweep.h"

#define EVENTS 12u
#define MARKS_MAX 8u

static struct pb_read
event(uint32_t number, uint32_t revision, char id[16])
{
    (void)snprintf(id, 16, "E%u", number);
    return room_event("AB12", id, revision);
}

static enum pb_status
append_event(struct store_room *room, uint32_t number, uint32_t revision)
{
    char id[16];
    struct pb_read read = event(number, revision, id);
    enum pb_status answer = PB_E_IO;
    enum pb_status status = pb_store_append(room->store, &read, 1, &answer, &room->error);

    assert_true(status != PB_OK || answer == PB_OK);
    return status;
}

/* Events in two segments. */
static void
append_events(struct store_room *room)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        room_expect(room, PB_OK, append_event(room, i, 0), "append");
        if (i % (EVENTS / 2) == EVENTS / 2 - 1)
            room_flush(room);
    }
    assert_int_equal(2, room->store->manifest.segment_count);
    room->store->marks_max = MARKS_MAX;
}

static void
expect_reads(struct store_room *room, uint32_t revisions)
{
    assert_int_equal(EVENTS, room_count(room, "*"));
    assert_int_equal(EVENTS + revisions, room_count_revisions(room, "*"));
}

static void
a_revision_that_there_is_no_room_to_mark_is_refused_until_a_purge(void **state)
{
    struct pb_purge_counts counts = { 0 };
    struct store_room room;
    struct pb_read plain = room_read("CD34", "gate", 1);

    (void)state;
    room_init(&room);
    append_events(&room);
    for (uint32_t i = 0; i < MARKS_MAX; i++)
        room_expect(&room, PB_OK, append_event(&room, i, 1), "append");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(PB_OVER_LIMIT, append_event(&room, MARKS_MAX, 1));
        assert_non_null(strstr(room.error.message, "platebase purge"));
        expect_reads(&room, MARKS_MAX);
        /* The same after all that was appended was written: what adds none is not refused, even if
         * there were more than there may be. */
        room.store->marks_max = MARKS_MAX / 2;
        room_flush(&room);
        room.store->marks_max = MARKS_MAX;
    }
    room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error), "purge");
    assert_int_equal(2, counts.segments_rewritten);
    assert_int_equal(0, room.store->manifest.mark_count);
    room_expect(&room, PB_OK, append_event(&room, MARKS_MAX, 1), "append");
    expect_reads(&room, MARKS_MAX + 1);
    assert_int_equal(PB_OK, room_append(&room, &plain));
    room_done(&room);
}

static void
a_merge_applies_marks_that_take_more_than_half_of_their_room(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    append_events(&room);
    for (uint32_t i = 0; i <= MARKS_MAX / 2; i++) {
        room_expect(&room, PB_OK, append_event(&room, i, 1), "append");
        room_expect(&room, PB_OK, pb_store_merge(room.store, false, NULL, &room.error), "merge");
        assert_int_equal(i < MARKS_MAX / 2 ? i + 1 : 0, room.store->manifest.mark_count);
        expect_reads(&room, i + 1);
    }
    assert_int_equal(2, room.store->manifest.segment_count);
    room_done(&room);
}

/* ---- what fails ---- */

static void
prepare_marks(struct store_room *room, void *context)
{
    (void)context;
    room_create(room);
    append_events(room);
    for (uint32_t i = 0; i < MARKS_MAX; i++)
        room_expect(room, PB_OK, append_event(room, i + 2, 1), "append");
}

static enum pb_status
act_settle(struct store_room *room, void *context)
{
    (void)context;
    return pb_store_settle_marks(room->store, &room->error);
}

static void
check_settled(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status == PB_OK)
        assert_int_equal(0, room->store->manifest.mark_count);
    for (int round = 0; round < 2; round++) {
        expect_reads(room, MARKS_MAX);
        room_reopen(room);
    }
    room->store->marks_max = MARKS_MAX;
    for (int round = 0; round < 2; round++)
        room_expect(room, PB_OK, pb_store_settle_marks(room->store, &room->error), "settle");
    assert_true(room->store->manifest.mark_count <= MARKS_MAX / 2);
    expect_reads(room, MARKS_MAX);
}

static void
marks_are_applied_or_stay_whatever_fails(void **state)
{
    static const struct sweep sweep = { .name = "marks",
                                        .prepare = prepare_marks,
                                        .act = act_settle,
                                        .check = check_settled,
                                        .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- marks that say nothing ---- */

/* The manifest has the mark, and so has the log. */
static void
a_mark_that_a_restart_finds_again_is_there_once(void **state)
{
    const struct pb_erasure erasure = { .plate = { "GONE", 4 }, .to_us = PB_TIME_MAX_US };
    struct store_room room;

    (void)state;
    room_init(&room);
    append_events(&room);
    room_expect(&room, PB_OK, append_event(&room, 1, 1), "append");
    room_expect(&room, PB_OK, pb_store_erase(room.store, &erasure, &room.error), "erase");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(1, room.store->manifest.mark_count);
        expect_reads(&room, 1);
        room_reopen(&room);
    }
    room_done(&room);
}

/* ---- loads ---- */

static struct store_room loaded;

static void
load(struct pb_loader *loader, bool are_events, uint32_t first, uint32_t end, uint32_t revision)
{
    for (uint32_t i = first; i < end; i++) {
        char text[48];
        struct pb_read read = numbered(i, are_events, text);

        read.revision = revision;
        add(&loaded, loader, 0, &read);
    }
    finish(&loaded, loader);
}

/* So many reads that a segment is made of them, and of few later ones, too. */
static struct pb_loader *
begin_load(bool are_events)
{
    struct pb_loader *loader = NULL;

    begin(&loaded, 1);
    loader = room_loader(&loaded, 1);
    load(loader, are_events, 0, FEW_ROWS + 1, 0);
    assert_int_equal(1, loaded.store->manifest.segment_count);
    return loader;
}

static void
a_load_of_more_revisions_than_there_is_room_to_mark_makes_room(void **state)
{
    enum { ROOM = 400, REVISED = 1000 };
    struct pb_loader *loader = begin_load(true);

    (void)state;
    loaded.store->marks_max = ROOM;
    load(loader, true, 0, REVISED, 1);
    expect_counts(loader, FEW_ROWS + 1 + REVISED, 0, 0);
    pb_loader_free(loader);
    assert_in_range(loaded.store->manifest.mark_count, 1, ROOM);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(FEW_ROWS + 1, room_count(&loaded, "*"));
        assert_int_equal(FEW_ROWS + 1 + REVISED, room_count_revisions(&loaded, "*"));
        room_reopen(&loaded);
    }
    room_done(&loaded);
}

/* Corrections become runs of their own while they come in. */
static void
a_load_of_more_corrections_than_there_is_room_to_mark_makes_room(void **state)
{
    enum { ROOM = 100, CORRECTED = 200 };
    struct pb_loader *loader = begin_load(false);

    (void)state;
    loaded.store->marks_max = ROOM;
    for (uint32_t i = 0; i < CORRECTED; i++) {
        char text[48];
        struct pb_read read = numbered(i, false, text);

        read.identity_plate = read.plate;
        read.plate = pb_str_from("RIGHT");
        read.is_correction = true;
        read.revision = 1;
        add(&loaded, loader, 0, &read);
        assert_true(loaded.store->manifest.mark_count <= ROOM);
    }
    finish(&loaded, loader);
    pb_loader_free(loader);
    assert_int_equal(FEW_ROWS + 1, room_count(&loaded, "*"));
    assert_int_equal(CORRECTED, room_count(&loaded, "RIGHT"));
    room_done(&loaded);
}

static void
merge_meanwhile(void)
{
    room_merge(&loaded);
}

/* What is revised moves to another segment while the revision is written. */
static void
a_mark_of_a_segment_that_went_meanwhile_goes(void **state)
{
    struct pb_loader *loader = begin_load(true);
    struct pb_read plain = room_read("CD34", "gate", 1);
    bool is_there = false;

    (void)state;
    assert_int_equal(PB_OK, room_append(&loaded, &plain));
    room_flush(&loaded);
    spy.on_sync = merge_meanwhile;
    load(loader, true, 5, 6, 1);
    assert_null(spy.on_sync);
    pb_loader_free(loader);
    assert_int_equal(2, loaded.store->manifest.segment_count);
    assert_int_equal(1, loaded.store->manifest.mark_count);
    for (uint32_t i = 0; i < 2; i++) {
        is_there = is_there || loaded.store->manifest.segments[i].number ==
                                   loaded.store->manifest.marks[0].segment;
    }
    assert_true(is_there);
    assert_int_equal(FEW_ROWS + 2, room_count(&loaded, "*"));
    assert_int_equal(FEW_ROWS + 3, room_count_revisions(&loaded, "*"));
    room_done(&loaded);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revision_that_there_is_no_room_to_mark_is_refused_until_a_purge),
        cmocka_unit_test(a_merge_applies_marks_that_take_more_than_half_of_their_room),
        cmocka_unit_test(marks_are_applied_or_stay_whatever_fails),
        cmocka_unit_test(a_mark_that_a_restart_finds_again_is_there_once),
        cmocka_unit_test(a_load_of_more_revisions_than_there_is_room_to_mark_makes_room),
        cmocka_unit_test(a_load_of_more_corrections_than_there_is_room_to_mark_makes_room),
        cmocka_unit_test(a_mark_of_a_segment_that_went_meanwhile_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
