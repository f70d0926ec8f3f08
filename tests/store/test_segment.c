/*
 * Reading of segments: where an iterator goes that is sent somewhere, and what is left out of
 * memory.
 */
#include "store/ops.h"

#include "plate/plate_code.h"
#include "store/local/segment.h"
#include "store/local/stage.h"

static struct {
    struct store_room room;
    struct pb_segment *segments[2];
} opened;

static int
open_store(void **state)
{
    (void)state;
    room_init_on(&opened.room, make_store());
    return open_segments(&opened.room, opened.segments) == PB_OK ? 0 : -1;
}

static int
close_store(void **state)
{
    (void)state;
    pb_segment_close(opened.segments[0]);
    pb_segment_close(opened.segments[1]);
    room_done(&opened.room);
    return 0;
}

static void
an_iterator_goes_to_the_first_plate_of_at_least_a_code(void **state)
{
    const struct pb_segment *segment = opened.segments[0];
    const uint64_t some = pb_plate_code(pb_str_from("P030"));
    const struct {
        uint64_t code;
        const char *plate;
    } cases[] = {
        { 0, "P000" },
        { 1, "P000" },
        { pb_plate_code(pb_str_from("P000")), "P000" },
        { some, "P030" },
        { some + 1, "P032" },
        { pb_plate_code(pb_str_from("P158")), "P158" },
        { pb_plate_code(pb_str_from("P159")), "LONGPLATES001" },
        { UINT64_MAX >> 4, "LONGPLATES001" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_plate_iterator iterator;
        struct pb_plate_rows plate;
        char text[PB_PLATE_CODE_CHARS];
        struct pb_str found;

        pb_plate_iterator_init(&iterator, segment, PB_TABLE_PLATES);
        assert_int_equal(PB_OK, pb_plate_iterator_seek(&iterator, cases[i].code, NULL));
        assert_int_equal(PB_OK, pb_plate_iterator_next(&iterator, &plate, NULL));
        found = plate.text;
        if (plate.code != 0)
            found = (struct pb_str){ text, pb_plate_code_text(plate.code, text) };
        assert_true(pb_str_equal(pb_str_from(cases[i].plate), found));
        assert_true(plate.first < plate.end);
        pb_plate_iterator_done(&iterator);
    }
}

/* Long plates come behind all codes, so there is nothing to go to. */
static void
an_iterator_among_long_plates_stays_there(void **state)
{
    static const char *const expected[] = { "LONGPLATES001", "LONGPLATES003", "LONGPLATES005" };
    struct pb_plate_iterator iterator;
    struct pb_plate_rows plate;

    (void)state;
    pb_plate_iterator_init(&iterator, opened.segments[0], PB_TABLE_PLATES);
    assert_int_equal(PB_OK,
                     pb_plate_iterator_seek(&iterator, pb_plate_code(pb_str_from("Z")), NULL));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(PB_OK, pb_plate_iterator_next(&iterator, &plate, NULL));
        assert_true(pb_str_equal(pb_str_from(expected[i]), plate.text));
        assert_int_equal(
            PB_OK, pb_plate_iterator_seek(&iterator, pb_plate_code(pb_str_from("P030")), NULL));
    }
    pb_plate_iterator_done(&iterator);
}

/* More events than a filter is made of, or no memory for one: each is looked up. */
static void
a_segment_without_a_filter_may_have_any_event(void **state)
{
    struct pb_segment *segment = opened.segments[0];
    const uint64_t rows = segment->tables[PB_TABLE_EVENTS].rows;
    const uint64_t nobodys = UINT64_C(0x123456789ABCDEF0);

    (void)state;
    assert_true(rows > 0);
    segment->tables[PB_TABLE_EVENTS].rows = UINT32_MAX;
    pb_segment_filter_events(segment);
    assert_null(segment->events);
    assert_true(pb_segment_may_have_event(segment, nobodys));
    segment->tables[PB_TABLE_EVENTS].rows = rows;
    /* It is tried once only. */
    pb_segment_filter_events(segment);
    assert_null(segment->events);
    segment->has_tried_events = false;
    opened.room.fault.fail_allocation_at = opened.room.fault.allocation_count + 1;
    pb_segment_filter_events(segment);
    assert_int_equal(1, opened.room.fault.failure_count);
    assert_null(segment->events);
    assert_true(pb_segment_may_have_event(segment, nobodys));
    opened.room.fault.fail_allocation_at = 0;
    segment->has_tried_events = false;
    pb_segment_filter_events(segment);
    assert_non_null(segment->events);
    assert_false(pb_segment_may_have_event(segment, nobodys));
}

/* ---- damage that is met on the way ---- */

/* Plates of two blocks, one read each, and one plate of which many readers read at one moment: its
 * rows lie in two blocks of reads. */
#define READERS 300u

static struct sim_fs *
make_crowded_store(void)
{
    struct store_room room;
    struct sim_fs *fs = NULL;

    room_init(&room);
    for (uint32_t i = 0; i < READERS + 100; i++) {
        char text[2][16];
        struct pb_read read;

        (void)snprintf(text[0], sizeof(text[0]), i < READERS ? "AB12" : "P%03u", i - READERS);
        (void)snprintf(text[1], sizeof(text[1]), "gate-%u", i);
        read = room_read(text[0], text[1], 100);
        read.plate_raw = pb_str_from(i % 2 == 0 ? "as sent" : "");
        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush(&room);
    for (uint32_t i = 0; i < 2; i++) { /* another segment, so that there is something to merge */
        struct pb_read read = room_read("ZZ99", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush(&room);
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

/* Flips a bit of a block of the first segment; returns where the block begins. */
static uint64_t
damage_block(struct store_room *room, enum pb_table table, uint32_t number, bool in_blob)
{
    struct pb_segment *segments[2] = { NULL, NULL };
    struct pb_block block;
    uint64_t offset = 0;

    assert_int_equal(PB_OK, open_segments(room, segments));
    assert_int_equal(PB_OK, pb_segment_block(segments[0], table, number, &block, &room->error));
    offset = (uint64_t)(block.bytes - segments[0]->bytes);
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/segments/00000001.seg",
                                8 * (in_blob ? (uint64_t)(block.blob - segments[0]->bytes)
                                             : offset + 9)));
    pb_segment_close(segments[0]);
    pb_segment_close(segments[1]);
    return offset;
}

/* Loads reads of the plate, and so many of another month that they become segments of their own. */
static enum pb_status
load_some(struct store_room *room, const char *plate, const int64_t *seconds, size_t count)
{
    struct pb_loader *loader = room_loader(room, 1);
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count + PB_STAGE_FEW_ROWS && status == PB_OK; i++) {
        struct pb_read read = room_read(plate, "gate-new", i < count ? seconds[i] : (int64_t)i);

        if (i >= count) {
            read.plate = pb_str_from("FILLER");
            read.captured_at_us += 60 * ROOM_DAY_US;
        }
        status = pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room->error);
    }
    if (status == PB_OK)
        status = pb_loader_finish(loader, &room->error);
    pb_loader_free(loader);
    return status;
}

static enum pb_status
load_at_the_moment(struct store_room *room)
{
    static const int64_t seconds = 100;

    return load_some(room, "AB12", &seconds, 1);
}

static enum pb_status
load_a_late_plate(struct store_room *room)
{
    static const int64_t seconds = 100;

    return load_some(room, "P099", &seconds, 1);
}

static void
damage_that_is_met_on_the_way_fails_what_met_it(void **state)
{
    static const struct {
        const char *name;
        enum pb_table table;
        uint32_t block;
        bool in_blob;
        enum pb_status (*act)(struct store_room *room);
    } cases[] = {
        { "a load into a moment that goes on in a damaged block", PB_TABLE_READS, 1, false,
          load_at_the_moment },
        { "a load of a plate of a damaged block", PB_TABLE_PLATES, 1, false, load_a_late_plate },
        { "a merge of a plate that goes on in a damaged block", PB_TABLE_READS, 1, false,
          op_merge },
        { "a merge of a block whose extras are damaged", PB_TABLE_READS, 0, true, op_merge },
        { "a merge of damaged plates", PB_TABLE_PLATES, 0, false, op_merge },
    };
    struct sim_fs *fs = make_crowded_store();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;
        struct pb_store_stats stats;
        char place[32];
        enum pb_status status = PB_OK;

        /* Without damage it is done. */
        room_init_on(&room, sim_fs_clone(fs));
        room_open(&room);
        room_expect(&room, PB_OK, cases[i].act(&room), cases[i].name);
        room_done(&room);

        room_init_on(&room, sim_fs_clone(fs));
        (void)snprintf(place, sizeof(place), "offset %llu",
                       (unsigned long long)damage_block(&room, cases[i].table, cases[i].block,
                                                        cases[i].in_blob));
        room_open(&room);
        status = cases[i].act(&room);
        if (status != PB_E_CORRUPT || strstr(room.error.message, place) == NULL)
            fail_msg("%s: %s: %s", cases[i].name, pb_status_name(status), room.error.message);
        /* Nothing was put in the place of what there is. */
        room_reopen(&room);
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(2, stats.segments);
        assert_int_equal(READERS + 100 + 2, stats.reads);
        room_done(&room);
    }
    sim_fs_free(fs);
}

/* Of one plate, before and behind all that a segment has of any. */
static void
a_load_of_earlier_and_later_reads_is_added(void **state)
{
    static const int64_t seconds[] = { -1000, 50, 100, 2000 };
    struct store_room room;

    (void)state;
    room_init_on(&room, make_crowded_store());
    room_open(&room);
    assert_int_equal(PB_OK, load_some(&room, "AB12", seconds, 4));
    assert_int_equal(READERS + 4, room_count(&room, "AB12"));
    /* Again they are known. */
    assert_int_equal(PB_OK, load_some(&room, "AB12", seconds, 4));
    assert_int_equal(READERS + 4, room_count(&room, "AB12"));
    assert_int_equal(PB_STAGE_FEW_ROWS, room_count(&room, "FILLER"));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iterator_goes_to_the_first_plate_of_at_least_a_code),
        cmocka_unit_test(an_iterator_among_long_plates_stays_there),
        cmocka_unit_test(a_segment_without_a_filter_may_have_any_event),
        cmocka_unit_test(damage_that_is_met_on_the_way_fails_what_met_it),
        cmocka_unit_test(a_load_of_earlier_and_later_reads_is_added),
    };

    return cmocka_run_group_tests(tests, open_store, close_store);
}
