/*
 * Each limit that a law sets, a second before it, at it and after it: a read is gone from its
 * second on, whatever asks and wherever it lies.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "geo/geo.h"
#include "store/moves.h"

struct clock_case {
    int64_t offset_us;
    bool is_there;
};

static const struct clock_case clock_cases[] = {
    { -ROOM_SECOND_US, true }, { -1, true },                  { 0, false },
    { 1, false },              { ROOM_SECOND_US, false },
};
#define CLOCK_CASES (sizeof(clock_cases) / sizeof(clock_cases[0]))

static bool
add_reads(void *context, const struct pb_plate_count *plate)
{
    *(uint64_t *)context += plate->reads;
    return true;
}

/* All ways to ask agree on how many reads there are. */
static void
assert_everywhere(struct store_room *room, uint32_t count, const char *where)
{
    static const char *const plates[] = { "AB12", "AB1?", "*", "A812", "OTHER1" };
    struct pb_geo_area *area = NULL;
    struct pb_query query;
    uint64_t counted = 0;

    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++) {
        query = room_query(plates[i]);
        query.with_lookalikes = i == 3;
        if (room_count_query(room, &query) != count)
            fail_msg("%s: asked for %s", where, plates[i]);
    }
    assert_int_equal(PB_OK, pb_geo_area_from_circle(room->env, 377749000, -1224194000, 500, &area,
                                                    &room->error));
    query = room_query("");
    query.area = area;
    if (room_count_query(room, &query) != count)
        fail_msg("%s: asked by place", where);
    query.plate = pb_str_from("AB12");
    if (room_count_query(room, &query) != count)
        fail_msg("%s: asked by plate and place", where);
    pb_geo_area_free(room->env, area);
    assert_int_equal(PB_OK, pb_store_plates(room->store, pb_str_from("AB*"), 0, false, 0,
                                            add_reads, NULL, &counted, &room->error));
    if (counted != count)
        fail_msg("%s: counted by plate", where);
}

static struct pb_read
kept_read(int64_t days, struct pb_alternate *alternate)
{
    struct pb_read read = room_read("AB12", "gate-1", 0);

    *alternate = (struct pb_alternate){ pb_str_from("OTHER1"), PB_NO_CONFIDENCE };
    read.alternates = alternate;
    read.alternate_count = 1;
    read.captured_at_us += 123456;
    read.delete_after_us = read.captured_at_us + (days == 0 ? 180 * ROOM_SECOND_US
                                                            : days * ROOM_DAY_US);
    return read;
}

/* The limits that states set, from three minutes to thirty months. */
static const int64_t limits_days[] = { 0, 21, 30, 60, 90, 150, 180, 365, 913 };

static void
a_read_is_there_until_its_second_by_every_way_to_ask(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof(limits_days) / sizeof(limits_days[0]); l++) {
        for (size_t m = 0; m < MOVE_COUNT; m++) {
            struct store_room room;
            struct pb_alternate alternate;
            struct pb_read read = kept_read(limits_days[l], &alternate);

            room_init(&room);
            assert_int_equal(PB_OK, room_append(&room, &read));
            moves[m].move(&room);
            for (size_t c = 0; c < CLOCK_CASES; c++) {
                char where[96];

                room.now_us = read.delete_after_us + clock_cases[c].offset_us;
                (void)snprintf(where, sizeof(where), "%d days, %d us, %s", (int)limits_days[l],
                               (int)clock_cases[c].offset_us, moves[m].name);
                assert_everywhere(&room, clock_cases[c].is_there, where);
            }
            room_done(&room);
        }
    }
}

/* What was backed up in time is not there when the backup is opened or restored too late. */
static void
a_backup_holds_nothing_past_its_date(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof(limits_days) / sizeof(limits_days[0]); l++) {
        struct store_room room;
        struct pb_alternate alternate;
        struct pb_read read = kept_read(limits_days[l], &alternate);

        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        assert_int_equal(PB_OK, pb_store_backup(room.store, "copy", NULL, &room.error));
        room_close(&room);
        for (size_t c = 0; c < CLOCK_CASES; c++) {
            char target[16];

            room.now_us = read.delete_after_us + clock_cases[c].offset_us;
            (void)snprintf(target, sizeof(target), "restored-%zu", c);
            assert_int_equal(PB_OK, pb_store_open(room.env, "copy", NULL, &room.store,
                                                  &room.error));
            assert_everywhere(&room, clock_cases[c].is_there, "the backup");
            room_close(&room);
            room_expect(&room, PB_OK, pb_store_restore(room.env, "copy", target, NULL,
                                                       &room.error), "restore");
            assert_int_equal(PB_OK, pb_store_open(room.env, target, NULL, &room.store,
                                                  &room.error));
            assert_everywhere(&room, clock_cases[c].is_there, "the restored store");
            room_close(&room);
        }
        room_done(&room);
    }
}

static void
a_read_sent_at_its_second_is_refused_and_one_before_it_is_taken(void **state)
{
    (void)state;
    for (size_t c = 0; c < CLOCK_CASES; c++) {
        struct store_room room;
        struct pb_alternate alternate;
        struct pb_read read = kept_read(0, &alternate);
        struct pb_loader *loader = NULL;
        struct pb_load_counts counts;

        room_init(&room);
        room.now_us = read.delete_after_us + clock_cases[c].offset_us;
        assert_int_equal(clock_cases[c].is_there ? PB_OK : PB_EXPIRED, room_append(&room, &read));
        read.captured_at_us++;
        assert_int_equal(PB_OK, pb_loader_new(room.store, 1, NULL, NULL, &loader, &room.error));
        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
        assert_int_equal(PB_OK, pb_lane_finish(pb_loader_lane(loader, 0), &room.error));
        pb_loader_counts(loader, &counts);
        assert_int_equal(clock_cases[c].is_there, counts.stored);
        assert_int_equal(!clock_cases[c].is_there, counts.rejected);
        pb_loader_free(loader);
        room_done(&room);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_there_until_its_second_by_every_way_to_ask),
        cmocka_unit_test(a_backup_holds_nothing_past_its_date),
        cmocka_unit_test(a_read_sent_at_its_second_is_refused_and_one_before_it_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
