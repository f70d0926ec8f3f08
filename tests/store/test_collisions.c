/*
 * Hashes that agree: reads, plates and names that have a hash in common are kept apart wherever
 * they lie. Who sends reads can find such pairs in a minute, so they are no matter of luck.
 */
#include "store/moves.h"
#include "store/store_room.h"

#include "read/read.h"
#include "store/local/names.h"
#include "store/local/run.h"

/* Event ids of reader gate-1 whose identities have the same 64-bit hash. */
static const char *const event_ids[2] = { "MEKLGMIAPLMMGMDG", "KMHLKCEANNMMEPOF" };
/* Plates whose hashes agree in 32 bits. */
static const char *const plates[2] = { "086864X", "182037X" };

static struct pb_read
event_read(int which, uint32_t revision)
{
    struct pb_read read = room_read(which == 0 ? "AB12" : "CD34", "gate-1", 5);

    read.event_id = pb_str_from(event_ids[which]);
    read.is_revisable = true;
    read.revision = revision;
    return read;
}

static void
the_pairs_agree(void **state)
{
    struct pb_read first = event_read(0, 0);
    struct pb_read second = event_read(1, 0);

    (void)state;
    assert_true(pb_read_identity(&first) == pb_read_identity(&second));
    assert_false(pb_read_same_identity(&first, &second));
    assert_true((uint32_t)pb_hash_bytes(plates[0], 7) == (uint32_t)pb_hash_bytes(plates[1], 7));
}

static void
events_with_one_hash_are_two_events_wherever_they_lie(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        for (size_t n = 0; n < MOVE_COUNT; n++) {
            struct store_room room;
            struct pb_read reads[2] = { event_read(0, 0), event_read(1, 0) };

            room_init(&room);
            assert_int_equal(PB_OK, room_append(&room, &reads[0]));
            moves[m].move(&room);
            assert_int_equal(PB_OK, room_append(&room, &reads[1]));
            moves[n].move(&room);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(PB_DUPLICATE, room_append(&room, &reads[i]));
                reads[i].speed_ckmh = 7;
                assert_int_equal(PB_CONFLICT, room_append(&room, &reads[i]));
            }
            assert_int_equal(1, room_count(&room, "AB12"));
            assert_int_equal(1, room_count(&room, "CD34"));
            /* Nothing tells which of them comes first but where they lie. */
            assert_int_equal(2, room_count(&room, "*"));
            room_done(&room);
        }
    }
}

/* A revision of the one says nothing of a newer one of the other in the same segment. */
static void
a_revision_of_one_of_two_events_with_one_hash_leaves_the_other(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read revised = event_read(0, 1);
        struct pb_read reads[2] = { event_read(0, 0), event_read(1, 5) };

        room_init(&room);
        for (int i = 0; i < 2; i++)
            assert_int_equal(PB_OK, room_append(&room, &reads[i]));
        room_flush(&room);
        revised.speed_ckmh = 7;
        assert_int_equal(PB_OK, room_append(&room, &revised));
        moves[m].move(&room);
        assert_int_equal(1, room_count(&room, "AB12"));
        assert_int_equal(1, room_count(&room, "CD34"));
        assert_int_equal(2, room_count(&room, "*"));
        room_done(&room);
    }
}

/* They come from the heap of sources in any order, with a third one of the same moment. */
static void
events_with_one_hash_come_in_the_order_of_their_segments(void **state)
{
    static const char *const expected[] = { "AB12", "CD34" };
    struct store_room room;
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 3; i++) {
        struct pb_read read = i == 0 ? room_read("EF56", "gate-1", 5) : event_read(i - 1, 0);

        assert_int_equal(PB_OK, room_append(&room, &read));
        room_flush(&room);
    }
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error), "search");
    for (;;) {
        status = pb_cursor_next(cursor, &result, &room.error);
        if (status != PB_OK)
            break;
        if (!pb_str_equal(pb_str_from("EF56"), result.read.plate))
            assert_true(count < 2 &&
                        pb_str_equal(pb_str_from(expected[count++]), result.read.plate));
    }
    assert_int_equal(PB_END, status);
    assert_int_equal(2, count);
    pb_cursor_free(cursor);
    room_done(&room);
}

static void
events_with_one_hash_do_not_repeat_one_another_in_a_run(void **state)
{
    struct pb_load_counts counts = { 0 };
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_run *run = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_run_new(pb_env_system(), &run));
    for (int i = 0; i < 4; i++) {
        struct pb_read read = event_read(i % 2, 0);

        assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
    }
    assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
    assert_int_equal(2, counts.duplicate);
    assert_int_equal(0, counts.conflict);
    assert_int_equal(2, pb_run_rows_left(run));
    pb_run_free(run);
}

/* In the buffer, which finds plates and alternates by their hash alone. */
static void
plates_with_one_hash_are_found_each_for_itself(void **state)
{
    struct store_room room;
    struct pb_alternate alternates[2];

    (void)state;
    room_init(&room);
    for (int i = 0; i < 2; i++) {
        struct pb_read read = room_read(plates[i], "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        read = room_read("AB12", "gate-1", 2 + i);
        alternates[i] = (struct pb_alternate){ pb_str_from(plates[i]), PB_NO_CONFIDENCE };
        read.alternates = &alternates[i];
        read.alternate_count = 1;
        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    for (int i = 0; i < 2; i++) {
        struct pb_query query = room_query(plates[i]);

        assert_int_equal(2, room_count_query(&room, &query));
        query.without_alternates = true;
        assert_int_equal(1, room_count_query(&room, &query));
    }
    room_done(&room);
}

/* What an identity is hashed from is a text like any other. */
static void
texts_with_one_hash_are_two_names(void **state)
{
    struct pb_names names;
    uint32_t numbers[2] = { 0, 0 };
    uint32_t again = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    for (int i = 0; i < 4; i++) {
        char text[24] = { 1, 6 };
        struct pb_str name = { text, sizeof(text) };

        memcpy(text + 2, "gate-1", 6);
        memcpy(text + 8, event_ids[i % 2], 16);
        assert_int_equal(PB_OK, pb_names_text(&names, name, i < 2 ? &numbers[i] : &again));
        if (i >= 2)
            assert_int_equal(numbers[i % 2], again);
    }
    assert_int_not_equal(numbers[0], numbers[1]);
    pb_names_done(&names);
}

/* Their hashes agree in what a slot shows of them, and in the slot where a search begins. */
static void
contexts_and_vehicles_with_one_hash_are_two(void **state)
{
    static const struct pb_context contexts[2] = {
        { .reader = 367, .lat_e7 = 377842030, .lon_e7 = -1224194000, .heading_code = 9100 },
        { .reader = 135, .lat_e7 = 377852720, .lon_e7 = -1224194000, .heading_code = 9100 },
    };
    static const struct pb_vehicle vehicles[2] = {
        { .make = 3, .model = 147, .color = 417, .body = 519, .year = 2015, .year_last = 2018 },
        { .make = 95, .model = 115, .color = 419, .body = 519, .year = 2015, .year_last = 2018 },
    };
    struct pb_names names;
    uint32_t context_numbers[2] = { 0, 0 };
    uint32_t vehicle_numbers[2] = { 0, 0 };

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    for (int i = 0; i < 4; i++) {
        uint32_t number = 0;

        assert_int_equal(PB_OK, pb_names_context(&names, &contexts[i % 2], &number));
        if (i < 2)
            context_numbers[i] = number;
        assert_int_equal(context_numbers[i % 2], number);
        assert_int_equal(contexts[i % 2].reader, names.contexts[number].reader);
        assert_int_equal(PB_OK, pb_names_vehicle(&names, &vehicles[i % 2], &number));
        if (i < 2)
            vehicle_numbers[i] = number;
        assert_int_equal(vehicle_numbers[i % 2], number);
        assert_int_equal(vehicles[i % 2].make, names.vehicles[number].make);
    }
    assert_int_not_equal(context_numbers[0], context_numbers[1]);
    assert_int_not_equal(vehicle_numbers[0], vehicle_numbers[1]);
    pb_names_done(&names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pairs_agree),
        cmocka_unit_test(events_with_one_hash_are_two_events_wherever_they_lie),
        cmocka_unit_test(a_revision_of_one_of_two_events_with_one_hash_leaves_the_other),
        cmocka_unit_test(events_with_one_hash_come_in_the_order_of_their_segments),
        cmocka_unit_test(events_with_one_hash_do_not_repeat_one_another_in_a_run),
        cmocka_unit_test(plates_with_one_hash_are_found_each_for_itself),
        cmocka_unit_test(texts_with_one_hash_are_two_names),
        cmocka_unit_test(contexts_and_vehicles_with_one_hash_are_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
