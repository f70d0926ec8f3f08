/*
 * Reading of segments: where an iterator goes that is sent somewhere, and what is left out of
 * memory.
 */
#include "store/ops.h"

#include "plate/plate_code.h"
#include "store/local/segment.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iterator_goes_to_the_first_plate_of_at_least_a_code),
        cmocka_unit_test(an_iterator_among_long_plates_stays_there),
        cmocka_unit_test(a_segment_without_a_filter_may_have_any_event),
    };

    return cmocka_run_group_tests(tests, open_store, close_store);
}
