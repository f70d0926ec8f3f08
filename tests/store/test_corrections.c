/*
 * Corrections: a person's word takes the place of the reader's, which is kept and is not found.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "geo/geo.h"
#include "store/moves.h"
#include "support/model.h"

/* A question that finds the read by where and when it was, whatever its plate. */
static uint32_t
count_at(struct store_room *room, const struct pb_read *read, bool with_superseded)
{
    struct pb_query query = { .from_us = read->captured_at_us,
                              .to_us = read->captured_at_us + 1,
                              .with_superseded = with_superseded };
    struct pb_geo_area *area = NULL;
    uint32_t count;

    assert_int_equal(PB_OK, pb_geo_area_from_circle(room->env, read->lat_e7, read->lon_e7, 50,
                                                    &area, &room->error));
    query.area = area;
    count = room_count_query(room, &query);
    pb_geo_area_free(room->env, area);
    return count;
}

static void
assert_shown(struct store_room *room, const char *plate, const struct pb_read *read,
             const char *where)
{
    struct pb_query query = room_query(plate);
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    const char *difference;

    room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error),
                "search");
    room_expect(room, PB_OK, pb_cursor_next(cursor, &result, &room->error), where);
    difference = model_difference(read, &result.read, false);
    if (difference != NULL)
        fail_msg("%s: what is shown differs in %s", where, difference);
    room_expect(room, PB_END, pb_cursor_next(cursor, &result, &room->error), where);
    pb_cursor_free(cursor);
}

struct plate_sum {
    uint64_t plates, reads;
};

static bool
add_plate(void *context, const struct pb_plate_count *plate)
{
    struct plate_sum *sum = context;

    sum->plates++;
    sum->reads += plate->reads;
    return true;
}

static struct pb_read
corrected_of(const struct pb_read *read, const char *plate, uint32_t revision)
{
    struct pb_read corrected = *read;

    corrected.plate_raw = read->plate_raw.bytes != 0 ? read->plate_raw : read->plate;
    if (read->event_id.bytes == 0)
        corrected.identity_plate = read->plate;
    corrected.plate = pb_str_from(plate);
    corrected.alternates = NULL;
    corrected.alternate_count = 0;
    corrected.revision = revision;
    corrected.is_correction = true;
    return corrected;
}

/* From what the reader said, over a wrong correction, to "no plate can be read", and back. */
static void
the_last_correction_is_the_read(void **state)
{
    static const char *const plates[] = { "A812", "LONGPLATES12", PB_PLATE_UNREADABLE, "AB12",
                                          "TÖ1" };
    enum { COUNT = sizeof(plates) / sizeof(plates[0]) };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT * 2; m++) {
        move_fn *move = moves[m % MOVE_COUNT].move;
        const char *where = moves[m % MOVE_COUNT].name;
        struct store_room room;
        struct pb_alternate alternate = { pb_str_from("AB13"), PB_NO_CONFIDENCE };
        struct pb_read read = room_read("AB12", "gate-1", 0);
        struct pb_read other = room_read("AB12", "gate-1", 1);

        read.alternates = &alternate;
        read.alternate_count = 1;
        if (m >= MOVE_COUNT)
            read.event_id = pb_str_from("e-1");
        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        assert_int_equal(PB_OK, room_append(&room, &other));
        move(&room);
        assert_int_equal(1, room_count(&room, "AB13"));
        for (uint32_t i = 0; i < COUNT; i++) {
            struct pb_read corrected = corrected_of(&read, plates[i], i + 1);
            struct pb_query query = room_query("*");
            struct plate_sum sum = { 0 };

            query.from_us = read.captured_at_us;
            query.to_us = read.captured_at_us + 1;
            assert_int_equal(PB_OK, room_append(&room, &corrected));
            move(&room);
            assert_int_equal(PB_DUPLICATE, room_append(&room, &corrected));
            assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
            if (strcmp(plates[i], "AB12") != 0)
                assert_shown(&room, plates[i], &corrected, where);
            assert_int_equal(strcmp(plates[i], "AB12") == 0 ? 2 : 1, room_count(&room, "AB12"));
            assert_int_equal(0, room_count(&room, "AB13"));
            assert_int_equal(1, count_at(&room, &read, false));
            assert_int_equal(i + 2, count_at(&room, &read, true));
            assert_int_equal(1, room_count_query(&room, &query));
            query.with_superseded = true;
            assert_int_equal(i + 2, room_count_query(&room, &query));
            assert_int_equal(PB_OK, pb_store_plates(room.store, pb_str_from("*"), 0, false, 0,
                                                    add_plate, NULL, &sum, &room.error));
            assert_int_equal(2, sum.reads);
        }
        room_done(&room);
    }
}

/* What a pattern says of one character that nobody could read holds of "no plate", too. */
static void
no_plate_is_found_by_what_fits_an_unread_character(void **state)
{
    static const struct {
        const char *plate;
        unsigned edits;
        uint32_t count;
    } cases[] = { { "#", 0, 1 }, { "?", 0, 1 },   { "*", 0, 1 },  { "A", 0, 0 },
                  { "A", 1, 1 }, { "[A#]", 0, 1 }, { "??", 0, 0 }, { "AB12", 2, 0 } };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read read = room_read("AB12", "gate-1", 0);
        struct pb_read corrected = corrected_of(&read, PB_PLATE_UNREADABLE, 1);

        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        assert_int_equal(PB_OK, room_append(&room, &corrected));
        moves[m].move(&room);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct pb_query query = room_query(cases[i].plate);

            query.edits = cases[i].edits;
            if (room_count_query(&room, &query) != cases[i].count)
                fail_msg("%s with %u edits, %s", cases[i].plate, cases[i].edits, moves[m].name);
        }
        room_done(&room);
    }
}

static void
a_correction_that_names_no_read_or_says_no_plate_of_itself_is_refused(void **state)
{
    struct store_room room;
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_read corrected = corrected_of(&read, "A812", 1);

    (void)state;
    room_init(&room);
    corrected.identity_plate = (struct pb_str){ NULL, 0 };
    assert_int_equal(PB_BAD_INPUT, room_append(&room, &corrected));
    read.plate = pb_str_from(PB_PLATE_UNREADABLE);
    assert_int_equal(PB_BAD_INPUT, room_append(&room, &read));
    read.plate = pb_str_from("##");
    assert_int_equal(PB_BAD_INPUT, room_append(&room, &read));
    room_done(&room);
}

/* An older correction that comes late is history at once; another of the same number is none. */
static void
corrections_go_by_their_number(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read read = room_read("AB12", "gate-1", 0);
        struct pb_read second = corrected_of(&read, "A812", 2);
        struct pb_read first = corrected_of(&read, "A813", 1);
        struct pb_read rival = corrected_of(&read, "A814", 2);

        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        moves[m].move(&room);
        assert_int_equal(PB_OK, room_append(&room, &second));
        moves[m].move(&room);
        assert_int_equal(PB_OK, room_append(&room, &first));
        assert_int_equal(PB_CONFLICT, room_append(&room, &rival));
        moves[m].move(&room);
        assert_shown(&room, "A81?", &second, moves[m].name);
        room_done(&room);
    }
}

static int64_t
keep_what_was_read(void *context, const struct pb_read *read)
{
    (void)context;
    return pb_str_equal(read->plate, pb_str_from("AB12"))
               ? read->captured_at_us + 900 * ROOM_DAY_US
               : read->delete_after_us;
}

/* In bulk a run is compared with one segment after another; the correction lies in an older one
 * than the read, which a restamp wrote anew. */
static void
loading_again_what_was_corrected_is_a_duplicate(void **state)
{
    struct store_room room;
    struct pb_store_options options = { .memory_bytes = 1 };
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_read corrected;
    struct pb_restamp_counts restamped;
    struct pb_load_counts counts;
    struct pb_loader *loader = NULL;

    (void)state;
    room_init(&room);
    read.event_id = pb_str_from("e-1");
    corrected = corrected_of(&read, "A812", 1);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush(&room);
    assert_int_equal(PB_OK, room_append(&room, &corrected));
    room_flush(&room);
    assert_int_equal(PB_OK, pb_store_restamp(room.store, keep_what_was_read, NULL, NULL,
                                             &restamped, &room.error));
    assert_int_equal(1, restamped.segments_rewritten);
    room_close(&room);
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &room.store,
                                          &room.error));
    assert_int_equal(PB_OK, pb_loader_new(room.store, 256, NULL, NULL, &loader, &room.error));
    assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    read.speed_ckmh = 7;
    read.event_id = (struct pb_str){ NULL, 0 };
    for (uint32_t i = 0; i < 3000; i++) {
        read.captured_at_us++;
        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    }
    /* The same number and other words: a conflict, whichever segment says so. */
    read = room_read("AB13", "gate-1", 0);
    read.event_id = pb_str_from("e-1");
    assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    assert_int_equal(PB_OK, pb_lane_finish(pb_loader_lane(loader, 0), &room.error));
    pb_loader_counts(loader, &counts);
    pb_loader_free(loader);
    assert_int_equal(3000, counts.stored);
    assert_int_equal(1, counts.duplicate);
    assert_int_equal(1, counts.conflict);
    assert_int_equal(1, room_count(&room, "A812"));
    assert_int_equal(3000, room_count(&room, "AB12"));
    assert_int_equal(0, room_count(&room, "AB13"));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_correction_is_the_read),
        cmocka_unit_test(no_plate_is_found_by_what_fits_an_unread_character),
        cmocka_unit_test(a_correction_that_names_no_read_or_says_no_plate_of_itself_is_refused),
        cmocka_unit_test(corrections_go_by_their_number),
        cmocka_unit_test(loading_again_what_was_corrected_is_a_duplicate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
