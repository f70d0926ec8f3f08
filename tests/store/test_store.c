/*
 * The read store as its callers see it: what is appended is found, whatever it lies in, and what
 * must not be seen is not.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "base/limits.h"
#include "geo/geo.h"
#include "read/read_maker.h"
#include "store/moves.h"
#include "support/model.h"

static struct pb_result
first_of_query(struct store_room *room, const struct pb_query *query, struct pb_cursor **cursor)
{
    struct pb_result result;

    room_expect(room, PB_OK, pb_store_search(room->store, query, cursor, &room->error),
                "search");
    room_expect(room, PB_OK, pb_cursor_next(*cursor, &result, &room->error), "first result");
    return result;
}

/* The one result of a question must be this read. */
static void
assert_found(struct store_room *room, const struct pb_query *query, const struct pb_read *read,
             const char *where)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result = first_of_query(room, query, &cursor);
    const char *difference = model_difference(read, &result.read, false);

    if (difference != NULL)
        fail_msg("%s: the read found differs in %s", where, difference);
    room_expect(room, PB_END, pb_cursor_next(cursor, &result, &room->error), "second result");
    pb_cursor_free(cursor);
}

/* ---- reads come back as they went in ---- */

static void
every_field_comes_back(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        uint64_t random = 7 + m;

        room_init(&room);
        for (int i = 0; i < 300; i++) {
            struct maker_room maker;
            struct pb_read read = maker_random_read(&maker, &random);
            struct pb_query query = { .from_us = read.captured_at_us,
                                      .to_us = read.captured_at_us + 1,
                                      .with_superseded = true };
            struct pb_geo_area *area = NULL;

            if (read.delete_after_us <= room.now_us)
                read.delete_after_us = PB_NEVER;
            if (read.lat_e7 == PB_NO_POSITION) {
                read.lat_e7 = 0;
                read.lon_e7 = 0;
            }
            assert_int_equal(PB_OK, room_append(&room, &read));
            if (i % 40 == 39)
                moves[m].move(&room);
            /* The maker's plates hold what patterns give a meaning to: ask by place. */
            assert_int_equal(PB_OK, pb_geo_area_from_circle(room.env, read.lat_e7, read.lon_e7,
                                                            10, &area, &room.error));
            query.area = area;
            assert_found(&room, &query, &read, moves[m].name);
            pb_geo_area_free(room.env, area);
        }
        room_done(&room);
    }
}

struct field_case {
    const char *name;
    void (*set)(struct pb_read *read);
};

static void set_slow(struct pb_read *read) { read->speed_ckmh = 0; }
static void set_speed_a(struct pb_read *read) { read->speed_ckmh = 65435; }
static void set_speed_b(struct pb_read *read) { read->speed_ckmh = 65436; }
static void set_speed_c(struct pb_read *read) { read->speed_ckmh = 65437; }
static void set_speed_d(struct pb_read *read) { read->speed_ckmh = 65534; }
static void set_north(struct pb_read *read) { read->heading_cdeg = 0; }
static void set_heading(struct pb_read *read) { read->heading_cdeg = 35999; }
static void set_kept_before_captured(struct pb_read *read)
{
    read->captured_at_us = ROOM_START_US + 400 * ROOM_DAY_US;
    read->delete_after_us = ROOM_START_US + ROOM_SECOND_US;
}
static void set_first_time(struct pb_read *read) { read->captured_at_us = PB_TIME_MIN_US; }
static void set_last_time(struct pb_read *read) { read->captured_at_us = PB_TIME_MAX_US - 1; }
static void set_last_keep(struct pb_read *read)
{
    read->captured_at_us = 1;
    read->delete_after_us = PB_TIME_MAX_US - 1;
}
static void set_2150(struct pb_read *read) { read->captured_at_us = INT64_C(5680281600000000); }
static void set_revision(struct pb_read *read) { read->revision = UINT32_MAX; }
static void set_unit(struct pb_read *read)
{
    read->confidence_scale = PB_SCALE_UNIT;
    read->confidence_e6 = 1000000;
}
static void set_confidence_0(struct pb_read *read) { read->confidence_e6 = 0; }
static void set_no_confidence(struct pb_read *read)
{
    read->confidence_scale = PB_SCALE_NONE;
    read->confidence_e6 = PB_NO_CONFIDENCE;
}
static void set_south_pole(struct pb_read *read) { read->lat_e7 = -900000000; }
static void set_north_pole(struct pb_read *read) { read->lat_e7 = 900000000; }
static void set_west(struct pb_read *read) { read->lon_e7 = -1800000000; }
static void set_east(struct pb_read *read) { read->lon_e7 = 1800000000; }
static void set_zone(struct pb_read *read) { read->utc_offset_min = -1439; }
static void set_jurisdiction(struct pb_read *read) { read->jurisdiction = UINT16_MAX; }
static void set_lane(struct pb_read *read) { read->lane = 255; }

/* Values at the ends of their ranges, each found by plate and by place. */
static void
values_at_the_ends_of_their_ranges_come_back(void **state)
{
    static const struct field_case cases[] = {
        { "speed 0", set_slow },         { "speed 65435", set_speed_a },
        { "speed 65436", set_speed_b },  { "speed 65437", set_speed_c },
        { "speed 65534", set_speed_d },  { "heading 0", set_north },
        { "heading 35999", set_heading },
        { "deleted before it is captured", set_kept_before_captured },
        { "first time", set_first_time },     { "last time", set_last_time },
        { "kept for 230 years", set_last_keep }, { "captured in 2150", set_2150 },
        { "revision", set_revision },         { "confidence of 1", set_unit },
        { "confidence 0", set_confidence_0 }, { "no confidence", set_no_confidence },
        { "south pole", set_south_pole },     { "north pole", set_north_pole },
        { "antimeridian west", set_west },    { "antimeridian east", set_east },
        { "zone", set_zone },                 { "jurisdiction", set_jurisdiction },
        { "lane", set_lane },
    };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct store_room room;
            struct pb_read read = room_read("AB12", "gate-1", 0);
            struct pb_query query = room_query("AB12");
            struct pb_geo_area *area = NULL;
            char where[128];

            room_init(&room);
            cases[i].set(&read);
            assert_int_equal(PB_OK, room_append(&room, &read));
            moves[m].move(&room);
            (void)snprintf(where, sizeof(where), "%s %s", cases[i].name, moves[m].name);
            assert_found(&room, &query, &read, where);
            assert_int_equal(PB_OK, pb_geo_area_from_circle(room.env, read.lat_e7, read.lon_e7,
                                                            50, &area, &room.error));
            query = (struct pb_query){ .area = area, .from_us = read.captured_at_us,
                                       .to_us = read.captured_at_us + 1 };
            if (room_count_query(&room, &query) != 1)
                fail_msg("%s: not found by its place", where);
            assert_found(&room, &query, &read, where);
            assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
            pb_geo_area_free(room.env, area);
            room_done(&room);
        }
    }
}

static void
plates_of_any_length_and_script_are_found(void **state)
{
    static const char *const plates[] = {
        "A",          "0",       "ABCDEFGHIJ", "0000000000",   "ABCDEFGHIJK", "ZZZZZZZZZZZZ",
        "TÖLSL1",     "ÄB1",     "京A12345",   "قطر12345",     "AB#2",
        "12345678901234567890123456789012",   "粤B12345学",   "กข1234",
    };
    enum { COUNT = sizeof(plates) / sizeof(plates[0]) };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;

        room_init(&room);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < COUNT; i++) {
                struct pb_read read = room_read(plates[i], "gate-1", round);

                assert_int_equal(PB_OK, room_append(&room, &read));
            }
            moves[m].move(&room);
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(3, room_count(&room, plates[i]));
        assert_int_equal(3 * COUNT, room_count(&room, "*"));
        assert_int_equal(3, room_count(&room, "T?LSL?"));
        assert_int_equal(3, room_count(&room, "*学"));
        assert_int_equal(0, room_count(&room, "ABCDEFGHI"));
        room_done(&room);
    }
}

static void
one_plate_of_many_jurisdictions_is_told_apart(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_query query = room_query("AB12");
        struct pb_query wildcard = room_query("A?12");

        room_init(&room);
        for (uint16_t i = 0; i < 700; i++) {
            struct pb_read read = room_read("AB12", "gate-1", i);

            read.jurisdiction = i;
            assert_int_equal(PB_OK, room_append(&room, &read));
            if (i % 200 == 0)
                moves[m].move(&room);
        }
        moves[m].move(&room);
        assert_int_equal(700, room_count(&room, "AB12"));
        assert_int_equal(700, room_count(&room, "A?12"));
        for (uint16_t i = 1; i < 700; i += 23) {
            query.jurisdiction = i;
            wildcard.jurisdiction = i;
            assert_int_equal(1, room_count_query(&room, &query));
            assert_int_equal(1, room_count_query(&room, &wildcard));
        }
        room_done(&room);
    }
}

/* Two mobile readers, now and then without a position, all over the world. */
static struct pb_read
mobile_read(int32_t i)
{
    struct pb_read read = room_read("AB12", i % 2 == 0 ? "car-1" : "car-2", i);

    if (i % 7 == 0) {
        read.lat_e7 = PB_NO_POSITION;
        read.lon_e7 = PB_NO_POSITION;
    } else {
        read.lat_e7 = i % 2 == 0 ? 900000000 - i * 4500000 : i * 1000;
        read.lon_e7 = i % 2 == 0 ? (int32_t)(-1800000000 + INT64_C(9000000) * i)
                                 : 1800000000 - i * 3;
    }
    read.heading_cdeg = i % 5 == 0 ? PB_NO_HEADING : (uint16_t)(i * 89);
    read.lane = (uint8_t)(i % 3);
    return read;
}

static void
mobile_readers_and_many_contexts_keep_their_values(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;

        room_init(&room);
        for (int32_t i = 0; i < 400; i++) {
            struct pb_read read = mobile_read(i);

            assert_int_equal(PB_OK, room_append(&room, &read));
            if (i % 60 == 20)
                moves[m].move(&room);
        }
        moves[m].move(&room);
        for (int32_t i = 0; i < 400; i++) {
            struct pb_query query = room_query("AB12");
            struct pb_read read = mobile_read(i);

            query.from_us = read.captured_at_us;
            query.to_us = read.captured_at_us + 1;
            assert_found(&room, &query, &read, moves[m].name);
        }
        room_done(&room);
    }
}

/* Many blocks of one cell, at times beyond what 32 bits of 2^20 us hold. */
static void
reads_of_any_century_are_found_by_place_and_time(void **state)
{
    static const int64_t starts_us[] = { 0, ROOM_START_US, INT64_C(4503599600000000),
                                         INT64_C(5680281600000000),
                                         PB_TIME_MAX_US - 2001 * 60 * ROOM_SECOND_US };

    (void)state;
    for (size_t s = 0; s < sizeof(starts_us) / sizeof(starts_us[0]); s++) {
        struct store_room room;
        struct pb_geo_area *area = NULL;

        room_init(&room);
        for (int i = 0; i < 2000; i++) {
            struct pb_read read = room_read("AB12", "gate-1", 0);

            read.captured_at_us = starts_us[s] + i * 60 * ROOM_SECOND_US;
            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        room_flush(&room);
        room_merge(&room);
        assert_int_equal(PB_OK, pb_geo_area_from_circle(room.env, 377749000, -1224194000, 1000,
                                                        &area, &room.error));
        for (int i = 0; i < 2000; i += 97) {
            struct pb_query query = { .area = area,
                                      .from_us = starts_us[s] + i * 60 * ROOM_SECOND_US,
                                      .to_us = starts_us[s] + 2000 * 60 * ROOM_SECOND_US };
            struct pb_query one = query;
            uint32_t found = room_count_query(&room, &query);

            if (found != (uint32_t)(2000 - i))
                fail_msg("start %zu: %u instead of %d found", s, found, 2000 - i);
            one.to_us = one.from_us + 1;
            assert_int_equal(1, room_count_query(&room, &one));
        }
        pb_geo_area_free(room.env, area);
        room_done(&room);
    }
}

/* ---- order and resuming ---- */

static void
results_come_newest_first_and_resume_across_changes(void **state)
{
    enum { COUNT = 240, PAGE = 7 };
    struct store_room room;
    struct pb_query query = room_query("AB12");
    char token[PB_TOKEN_BYTES_MAX] = "";
    uint32_t given = 0;
    int64_t last_us = INT64_MAX;
    uint64_t seen[COUNT] = { 0 };
    bool is_over = false;

    (void)state;
    room_init(&room);
    /* Eight readers see the plate at each moment. */
    for (int i = 0; i < COUNT; i++) {
        char reader[16];
        struct pb_read read;

        (void)snprintf(reader, sizeof(reader), "gate-%d", i % 8);
        read = room_read("AB12", reader, i / 8);
        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i % 50 == 49)
            room_flush(&room);
    }
    for (size_t page = 0; !is_over; page++) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        query.resume = pb_str_from(token);
        room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                    "search");
        for (int i = 0; i < PAGE && !is_over; i++) {
            enum pb_status status = pb_cursor_next(cursor, &result, &room.error);
            uint64_t identity;

            is_over = status == PB_END;
            if (is_over)
                break;
            room_expect(&room, PB_OK, status, "next");
            identity = pb_read_identity(&result.read);
            assert_true(result.read.captured_at_us <= last_us);
            last_us = result.read.captured_at_us;
            for (uint32_t j = 0; j < given; j++)
                assert_true(seen[j] != identity);
            assert_true(given < COUNT);
            seen[given++] = identity;
        }
        if (!is_over)
            assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
        pb_cursor_free(cursor);
        moves[page % MOVE_COUNT].move(&room);
    }
    assert_int_equal(COUNT, given);
    room_done(&room);
}

static void
a_token_resumes_only_its_own_question(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_result result;
    char token[PB_TOKEN_BYTES_MAX];

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                "search");
    assert_int_equal(PB_NOT_FOUND, pb_cursor_token(cursor, token));
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
    assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
    pb_cursor_free(cursor);

    query.resume = pb_str_from(token);
    assert_int_equal(0, room_count_query(&room, &query));
    query.plate = pb_str_from("AB13");
    assert_int_equal(PB_BAD_INPUT, pb_store_search(room.store, &query, &cursor, &room.error));
    query.plate = pb_str_from("AB12");
    for (size_t i = 0; token[i] != '\0'; i++) {
        char before = token[i];

        token[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(PB_BAD_INPUT, pb_store_search(room.store, &query, &cursor, &room.error));
        token[i] = before;
    }
    query.resume = pb_str_from("not a token");
    assert_int_equal(PB_BAD_INPUT, pb_store_search(room.store, &query, &cursor, &room.error));
    room_done(&room);
}

static void
a_cursor_keeps_the_version_that_it_began_with(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    struct pb_erasure erasure = { .plate = pb_str_from("AB12"), .from_us = 0,
                                  .to_us = PB_TIME_MAX_US };
    struct pb_purge_counts purged;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 100; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i == 30 || i == 60)
            room_flush(&room);
    }
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                "search");
    merge_all(&room);
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &purged, &room.error));
    assert_int_equal(100, purged.reads_removed);
    for (int i = 0; i < 100; i++)
        room_expect(&room, PB_OK, pb_cursor_next(cursor, &result, &room.error), "next");
    assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room.error));
    pb_cursor_free(cursor);
    assert_int_equal(0, room_count(&room, "AB12"));
    room_done(&room);
}

/* ---- identity ---- */

static void
sending_again_is_a_duplicate_and_other_content_a_conflict(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read by_time = room_read("AB12", "gate-1", 0);
        struct pb_read by_event = room_read("CD34", "gate-2", 5);
        struct pb_read other;

        by_event.event_id = pb_str_from("e-1");
        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &by_time));
        assert_int_equal(PB_OK, room_append(&room, &by_event));
        moves[m].move(&room);
        assert_int_equal(PB_DUPLICATE, room_append(&room, &by_time));
        assert_int_equal(PB_DUPLICATE, room_append(&room, &by_event));
        other = by_time;
        other.confidence_e6--;
        assert_int_equal(PB_CONFLICT, room_append(&room, &other));
        other = by_time;
        other.jurisdiction = 7; /* no part of the identity */
        assert_int_equal(PB_CONFLICT, room_append(&room, &other));
        other = by_event;
        other.plate = pb_str_from("CD35");
        other.captured_at_us += 40 * ROOM_DAY_US; /* another month */
        assert_int_equal(PB_CONFLICT, room_append(&room, &other));
        other = by_event;
        other.reader = pb_str_from("gate-3");
        assert_int_equal(PB_OK, room_append(&room, &other));
        assert_int_equal(2, room_count(&room, "CD34"));
        assert_int_equal(1, room_count(&room, "AB12"));
        room_done(&room);
    }
}

static void
the_newest_revision_is_the_read_whatever_comes_first(void **state)
{
    static const uint32_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 },
                                          { 0, 2, 1 }, { 2, 0, 1 }, { 1, 0, 2 } };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        for (size_t o = 0; o < 6; o++) {
            struct store_room room;
            struct pb_query query = room_query("*");

            room_init(&room);
            for (int i = 0; i < 3; i++) {
                static const char *const plates[] = { "AB10", "AB11", "AB12" };
                struct pb_read read = room_read(plates[orders[o][i]], "gate-1", orders[o][i]);

                /* Revisions may lie in other months. */
                read.captured_at_us += orders[o][i] * 20 * ROOM_DAY_US;
                read.event_id = pb_str_from("e-1");
                read.revision = orders[o][i];
                read.is_revisable = true;
                assert_int_equal(PB_OK, room_append(&room, &read));
                moves[m].move(&room);
                assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
                read.confidence_e6--;
                assert_int_equal(PB_CONFLICT, room_append(&room, &read));
                assert_int_equal(1, room_count(&room, "*"));
            }
            merge_all(&room);
            room_reopen(&room);
            assert_int_equal(1, room_count(&room, "AB12"));
            assert_int_equal(0, room_count(&room, "AB10"));
            assert_int_equal(0, room_count(&room, "AB11"));
            query.with_superseded = true;
            assert_int_equal(3, room_count_query(&room, &query));
            room_done(&room);
        }
    }
}

static void
a_correction_replaces_the_read_and_keeps_what_the_reader_said(void **state)
{
    (void)state;
    for (int with_event = 0; with_event < 2; with_event++) {
        for (size_t m = 0; m < MOVE_COUNT; m++) {
            struct store_room room;
            struct pb_read read = room_read("AB12", "gate-1", 0);
            struct pb_read corrected;
            struct pb_query query = room_query("AB12");

            if (with_event)
                read.event_id = pb_str_from("e-1");
            corrected = read;
            corrected.plate = pb_str_from("A812");
            corrected.plate_raw = pb_str_from("AB12");
            corrected.revision = 1;
            corrected.is_correction = true;
            if (!with_event)
                corrected.identity_plate = read.plate;
            room_init(&room);
            assert_int_equal(PB_OK, room_append(&room, &read));
            moves[m].move(&room);
            assert_int_equal(PB_OK, room_append(&room, &corrected));
            moves[m].move(&room);
            assert_int_equal(PB_DUPLICATE, room_append(&room, &corrected));
            assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
            assert_int_equal(1, room_count(&room, "A812"));
            assert_int_equal(0, room_count(&room, "AB12"));
            query.with_superseded = true;
            assert_int_equal(1, room_count_query(&room, &query));
            query = room_query("A812");
            assert_found(&room, &query, &corrected, moves[m].name);
            room_done(&room);
        }
    }
}

/* The newer revision has expired and a merge has dropped it; the older one, which still lies in the
 * log, was history and stays that. */
static void
history_stays_history_when_the_newer_revision_is_gone(void **state)
{
    struct store_room room;
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_read other = room_read("CD34", "gate-1", 1);

    (void)state;
    room_init(&room);
    read.event_id = pb_str_from("e-1");
    read.is_revisable = true;
    read.revision = 2;
    read.delete_after_us = room.now_us + ROOM_DAY_US - 1;
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush(&room);
    other.delete_after_us = read.delete_after_us;
    assert_int_equal(PB_OK, room_append(&room, &other));
    room_flush(&room);
    read.plate = pb_str_from("AB11");
    read.revision = 1;
    read.delete_after_us = PB_NEVER;
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(0, room_count(&room, "AB11"));
    room.now_us += 2 * ROOM_DAY_US;
    assert_int_equal(0, room_count(&room, "AB11"));
    room_merge(&room);
    assert_int_equal(0, room_count(&room, "AB11"));
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "AB11"));
    room_done(&room);
}

static void
one_append_judges_its_reads_one_after_another(void **state)
{
    struct store_room room;
    struct pb_read reads[6];
    enum pb_status answers[6];
    static const enum pb_status expected[6] = { PB_OK,       PB_DUPLICATE, PB_CONFLICT,
                                                PB_BAD_INPUT, PB_EXPIRED,   PB_OK };

    (void)state;
    room_init(&room);
    for (int i = 0; i < 6; i++)
        reads[i] = room_read("AB12", "gate-1", 0);
    reads[2].speed_ckmh = 1;
    reads[3].heading_cdeg = 36000;
    reads[4].captured_at_us++;
    reads[4].delete_after_us = room.now_us;
    reads[5].captured_at_us += 2;
    reads[5].delete_after_us = room.now_us + 1;
    assert_int_equal(PB_OK, pb_store_append(room.store, reads, 6, answers, &room.error));
    for (int i = 0; i < 6; i++)
        assert_int_equal(expected[i], answers[i]);
    assert_int_equal(2, room_count(&room, "AB12"));
    room_done(&room);
}

/* ---- alternates ---- */

static void
alternates_find_their_read_once(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_alternate alternates[] = {
            { .plate = pb_str_from("AB13"), .confidence_e6 = 80000000 },
            { .plate = pb_str_from("A813"), .confidence_e6 = PB_NO_CONFIDENCE },
            { .plate = pb_str_from("AB12"), .confidence_e6 = 1 }, /* again the plate itself */
            { .plate = pb_str_from("ABCDEFGHIJKLMNOP"), .confidence_e6 = 0 },
        };
        struct pb_read read = room_read("AB12", "gate-1", 0);
        static const struct {
            const char *plate;
            unsigned alternate;
        } cases[] = { { "AB12", 0 }, { "AB13", 1 },  { "A813", 2 },
                      { "AB1?", 0 }, { "A?13", 1 }, { "ABCDEFGHIJKLMNOP", 4 } };
        struct pb_query query;

        read.alternates = alternates;
        read.alternate_count = 4;
        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        moves[m].move(&room);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct pb_cursor *cursor = NULL;
            struct pb_result result;

            query = room_query(cases[i].plate);
            result = first_of_query(&room, &query, &cursor);
            assert_int_equal(cases[i].alternate, result.alternate);
            assert_true(pb_str_equal(read.plate, result.read.plate));
            assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room.error));
            pb_cursor_free(cursor);
            query.without_alternates = true;
            assert_int_equal(cases[i].alternate == 0, room_count_query(&room, &query));
        }
        room_done(&room);
    }
}

/* A question must not find less because rows moved from the buffer into a segment. */
static void
what_a_pattern_finds_does_not_depend_on_where_rows_lie(void **state)
{
    uint32_t counts[MOVE_COUNT];

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_alternate alternate = { .plate = pb_str_from("TÖLSL1"),
                                          .confidence_e6 = PB_NO_CONFIDENCE };
        struct pb_read read = room_read("TOLSL1", "gate-1", 0);

        read.alternates = &alternate;
        read.alternate_count = 1;
        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &read));
        moves[m].move(&room);
        counts[m] = room_count(&room, "TÖ*");
        assert_int_equal(counts[0], counts[m]);
        room_done(&room);
    }
}

/* ---- expiry, erasure, purge ---- */

static void
a_read_is_gone_from_the_second_that_it_expires(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read read = room_read("AB12", "gate-1", 0);
        struct pb_read kept = room_read("AB12", "gate-1", 1);
        struct pb_query query = room_query("AB12");
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        struct pb_purge_counts purged;
        struct pb_store_stats stats;

        room_init(&room);
        read.delete_after_us = room.now_us + ROOM_DAY_US;
        assert_int_equal(PB_OK, room_append(&room, &read));
        assert_int_equal(PB_OK, room_append(&room, &kept));
        moves[m].move(&room);
        room.now_us = read.delete_after_us - 1;
        assert_int_equal(2, room_count(&room, "AB12"));
        room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                    "search");
        assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
        room.now_us++;
        /* Even a question that is being answered. */
        assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room.error));
        pb_cursor_free(cursor);
        assert_int_equal(1, room_count(&room, "AB12"));
        assert_int_equal(1, room_count(&room, "A?12"));
        assert_int_equal(PB_EXPIRED, room_append(&room, &read));
        room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &purged, &room.error),
                    "purge");
        assert_int_equal(1, purged.reads_removed);
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(1, stats.reads);
        room_reopen(&room);
        assert_int_equal(1, room_count(&room, "AB12"));
        room_done(&room);
    }
}

static void
erasing_hides_at_once_and_for_good(void **state)
{
    static const struct {
        const char *plate, *reader;
        uint16_t jurisdiction;
        int64_t from_s, to_s;
        uint32_t left;
    } cases[] = {
        { "AB12", "", 0, -10, 100, 20 },      { "", "gate-1", 0, -10, 100, 20 },
        { "", "", 0, -10, 100, 0 },           { "AB12", "gate-1", 0, 0, 1, 39 },
        { "AB12", "gate-2", 0, -10, 100, 30 }, { "", "", 2, -10, 100, 20 },
        { "AB12", "", 1, 3, 6, 34 },          { "NONE", "", 0, -10, 100, 40 },
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (size_t before = 0; before < MOVE_COUNT; before++) {
            struct store_room room;
            struct pb_erasure erasure = {
                .plate = pb_str_from(cases[c].plate),
                .reader = pb_str_from(cases[c].reader),
                .jurisdiction = cases[c].jurisdiction,
                .from_us = ROOM_START_US + cases[c].from_s * ROOM_SECOND_US,
                .to_us = ROOM_START_US + cases[c].to_s * ROOM_SECOND_US,
            };
            struct pb_purge_counts purged;
            struct pb_store_stats stats;

            room_init(&room);
            for (int i = 0; i < 40; i++) {
                struct pb_read read = room_read(i % 2 == 0 ? "AB12" : "CD34",
                                                i % 4 < 2 ? "gate-1" : "gate-2", i / 4);

                read.jurisdiction = i % 2 == 0 ? 1 : 2;
                assert_int_equal(PB_OK, room_append(&room, &read));
                if (i == 17)
                    moves[before].move(&room);
            }
            assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
            for (size_t after = 0; after < MOVE_COUNT; after++) {
                if (room_count(&room, "*") != cases[c].left)
                    fail_msg("case %zu: %u left instead of %u, rows %s, then %s", c,
                             room_count(&room, "*"), cases[c].left, moves[before].name,
                             moves[after].name);
                moves[after].move(&room);
            }
            room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &purged, &room.error),
                        "purge");
            assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
            assert_int_equal(cases[c].left, stats.reads);
            room_reopen(&room);
            assert_int_equal(cases[c].left, room_count(&room, "*"));
            room_done(&room);
        }
    }
}

static void
what_was_erased_does_not_come_back_by_sending_it_again(void **state)
{
    struct store_room room;
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_erasure erasure = { .plate = pb_str_from("AB12"),
                                  .from_us = read.captured_at_us,
                                  .to_us = read.captured_at_us + 1 };
    struct pb_purge_counts purged;
    struct pb_loader *loader = NULL;
    struct pb_load_counts counts;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    assert_int_equal(PB_EXPIRED, room_append(&room, &read));
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &purged, &room.error));
    room_reopen(&room);
    assert_int_equal(PB_EXPIRED, room_append(&room, &read));
    assert_int_equal(PB_OK, pb_loader_new(room.store, 1, NULL, NULL, &loader, &room.error));
    assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    assert_int_equal(PB_OK, pb_lane_finish(pb_loader_lane(loader, 0), &room.error));
    pb_loader_counts(loader, &counts);
    assert_int_equal(1, counts.rejected);
    assert_int_equal(0, counts.stored);
    pb_loader_free(loader);
    assert_int_equal(0, room_count(&room, "AB12"));
    room_done(&room);
}

static bool
has_bytes(struct store_room *room, const char *path, const char *text)
{
    struct pb_file *file = NULL;
    uint64_t size = 0;
    uint8_t *bytes;
    bool is_found = false;
    size_t length = strlen(text);

    assert_int_equal(PB_OK, room->base.files->open(room->base.file_context, path, PB_OPEN_READ,
                                                   &file, NULL));
    assert_int_equal(PB_OK,
                     room->base.files->size(room->base.file_context, file, &size, NULL));
    bytes = pb_alloc(pb_env_system(), size + 1);
    assert_non_null(bytes);
    if (size > 0)
        assert_int_equal(PB_OK, room->base.files->read(room->base.file_context, file, 0, bytes,
                                                       size, NULL));
    room->base.files->close(room->base.file_context, file);
    for (uint64_t i = 0; i + length <= size && !is_found; i++)
        is_found = memcmp(bytes + i, text, length) == 0;
    pb_free(pb_env_system(), bytes);
    return is_found;
}

struct text_search {
    struct store_room *room;
    const char *text;
    bool is_found;
};

static void
search_file(void *context, const char *path, uint64_t size)
{
    struct text_search *search = context;

    /* The manifest keeps erasures, so that what was erased does not come back. */
    if (size > 0 && strstr(path, "manifest") == NULL && has_bytes(search->room, path, search->text))
        search->is_found = true;
}

struct paths {
    char names[64][128];
    uint32_t count;
};

static void
note_path(void *context, const char *path, uint64_t size)
{
    struct paths *paths = context;

    (void)size;
    assert_true(paths->count < 64);
    (void)snprintf(paths->names[paths->count++], sizeof(paths->names[0]), "%s", path);
}

static void
a_purge_leaves_no_byte_of_an_erased_read_in_the_log(void **state)
{
    struct store_room room;
    struct pb_read read = room_read("ABCDEFGHIJKLMNOP", "gate-1", 0);
    struct pb_erasure erasure = { .plate = read.plate, .from_us = 0, .to_us = PB_TIME_MAX_US };
    struct text_search search = { .room = &room, .text = "ABCDEFGHIJKLMNOP" };
    struct pb_purge_counts purged;
    struct paths paths = { .count = 0 };

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    sim_fs_each_file(room.fs, note_path, &paths);
    for (uint32_t i = 0; i < paths.count; i++)
        search_file(&search, paths.names[i], 1);
    assert_true(search.is_found);
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &purged, &room.error));
    search.is_found = false;
    paths.count = 0;
    sim_fs_each_file(room.fs, note_path, &paths);
    for (uint32_t i = 0; i < paths.count; i++)
        search_file(&search, paths.names[i], 1);
    assert_false(search.is_found);
    room_done(&room);
}

/* ---- loading ---- */

struct rejects {
    uint32_t conflicts, expired, bad;
};

static void
note_reject(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    struct rejects *rejects = context;

    assert_true(read->reader.bytes > 0);
    assert_non_null(reason);
    rejects->conflicts += why == PB_CONFLICT;
    rejects->expired += why == PB_EXPIRED;
    rejects->bad += why == PB_BAD_INPUT;
}

static struct pb_read
numbered_read(char *room, uint32_t number)
{
    (void)snprintf(room, 16, "P%05u", (unsigned)(number % 700));
    return room_read(room, number % 3 == 0 ? "gate-1" : "gate-2", number);
}

/* 256 lanes share the least memory that a store takes, so that a lane's run is full soon. */
static void
load_counts_are_right_and_loading_again_changes_nothing(void **state)
{
    static const uint32_t sizes[] = { 1, 100, 5000, 20000 };

    (void)state;
    for (size_t s = 0; s < 4; s++) {
        struct store_room room;
        struct pb_store_options options = { .memory_bytes = 1 };

        room_init(&room);
        room_close(&room);
        assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &room.store,
                                              &room.error));
        for (int round = 0; round < 2; round++) {
            struct pb_loader *loader = NULL;
            struct rejects rejects = { 0 };
            struct pb_load_counts counts;
            char plate[16];

            assert_int_equal(PB_OK, pb_loader_new(room.store, 256, note_reject, &rejects,
                                                  &loader, &room.error));
            for (uint32_t i = 0; i < sizes[s]; i++) {
                struct pb_read read = numbered_read(plate, i);
                struct pb_lane *lane = pb_loader_lane(loader, i / 10000);

                assert_int_equal(PB_OK, pb_lane_add(lane, &read, 1, &room.error));
                if (i % 10 == 0)
                    assert_int_equal(PB_OK, pb_lane_add(lane, &read, 1, &room.error));
                read.speed_ckmh = 3;
                if (i % 100 == 0)
                    assert_int_equal(PB_OK, pb_lane_add(lane, &read, 1, &room.error));
                read.captured_at_us++;
                read.delete_after_us = room.now_us;
                if (i % 100 == 0)
                    assert_int_equal(PB_OK, pb_lane_add(lane, &read, 1, &room.error));
                read.lat_e7 = 900000001;
                if (i % 100 == 0)
                    assert_int_equal(PB_OK, pb_lane_add(lane, &read, 1, &room.error));
            }
            for (unsigned i = 0; i < 256; i++)
                room_expect(&room, PB_OK, pb_lane_finish(pb_loader_lane(loader, i), &room.error),
                            "finish");
            pb_loader_counts(loader, &counts);
            assert_int_equal(round == 0 ? sizes[s] : 0, counts.stored);
            assert_int_equal((sizes[s] + 9) / 10 + (round == 1 ? sizes[s] : 0), counts.duplicate);
            assert_int_equal((sizes[s] + 99) / 100, counts.conflict);
            assert_int_equal(2 * ((sizes[s] + 99) / 100), counts.rejected);
            assert_int_equal(counts.conflict, rejects.conflicts);
            assert_int_equal(counts.conflict, rejects.expired);
            assert_int_equal(counts.conflict, rejects.bad);
            pb_loader_free(loader);
            assert_int_equal(sizes[s], room_count(&room, "P*"));
        }
        room_reopen(&room);
        assert_int_equal(sizes[s], room_count(&room, "P*"));
        merge_all(&room);
        assert_int_equal(sizes[s], room_count(&room, "P*"));
        assert_int_equal((sizes[s] + 699) / 700, room_count(&room, "P00000"));
        room_done(&room);
    }
}

/* A read and its correction in one bulk load: as if they had been appended. */
static void
loading_a_correction_with_its_read_makes_the_read_history(void **state)
{
    (void)state;
    for (int is_correction_first = 0; is_correction_first < 2; is_correction_first++) {
        struct store_room room;
        struct pb_store_options options = { .memory_bytes = 1 };
        struct pb_loader *loader = NULL;
        struct pb_read read = room_read("AB12", "gate-1", 0);
        struct pb_read corrected = read;
        char plate[16];

        corrected.plate = pb_str_from("A812");
        corrected.identity_plate = read.plate;
        corrected.revision = 1;
        corrected.is_correction = true;
        room_init(&room);
        room_close(&room);
        assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &room.store,
                                              &room.error));
        assert_int_equal(PB_OK, pb_loader_new(room.store, 256, NULL, NULL, &loader, &room.error));
        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &corrected, 1,
                                            &room.error));
        for (uint32_t i = 1; i < 3000; i++) {
            struct pb_read other = numbered_read(plate, i);

            assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &other, 1,
                                                &room.error));
        }
        assert_int_equal(PB_OK, pb_lane_finish(pb_loader_lane(loader, 0), &room.error));
        pb_loader_free(loader);
        assert_int_equal(1, room_count(&room, "A812"));
        assert_int_equal(0, room_count(&room, "AB12"));
        room_done(&room);
    }
}

/* ---- limits ---- */

static void
an_append_over_the_limits_is_refused_and_the_store_goes_on(void **state)
{
    enum { BIG = 16000 };
    struct store_room room;
    static char text[PB_IMAGE_REF_BYTES_MAX];
    struct pb_image_ref images[PB_IMAGES_MAX];
    struct pb_read *reads = pb_calloc(pb_env_system(), BIG, sizeof(*reads));
    enum pb_status *answers = pb_calloc(pb_env_system(), PB_APPEND_READS_MAX + 1, sizeof(*answers));
    struct pb_read one = room_read("AB12", "gate-1", -1);
    enum pb_status status;

    (void)state;
    assert_non_null(reads);
    assert_non_null(answers);
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < PB_IMAGES_MAX; i++)
        images[i] = (struct pb_image_ref){ PB_IMAGE_OTHER, { text, sizeof(text) } };
    for (int i = 0; i < BIG; i++) {
        reads[i] = room_read("CD34", "gate-1", i);
        reads[i].images = images;
        reads[i].image_count = PB_IMAGES_MAX;
    }
    room_init(&room);
    assert_int_equal(PB_OVER_LIMIT, pb_store_append(room.store, reads, PB_APPEND_READS_MAX + 1,
                                                    answers, &room.error));
    assert_int_equal(PB_OK, room_append(&room, &one));
    /* More bytes than one commit may have: refused as a whole, and nobody else is hurt. */
    status = pb_store_append(room.store, reads, BIG, answers, &room.error);
    assert_true(status == PB_OK || status == PB_OVER_LIMIT);
    one.captured_at_us++;
    assert_int_equal(PB_OK, room_append(&room, &one));
    assert_int_equal(status == PB_OK ? BIG : 0, room_count(&room, "CD34"));
    room_reopen(&room);
    assert_int_equal(2, room_count(&room, "AB12"));
    room_done(&room);
    pb_free(pb_env_system(), reads);
    pb_free(pb_env_system(), answers);
}

static void
questions_that_make_no_sense_are_refused(void **state)
{
    struct store_room room;
    struct pb_cursor *cursor = NULL;
    static const struct pb_query cases[] = {
        { .from_us = 0, .to_us = 1 },                                         /* neither */
        { .plate = { "AB", 2 }, .from_us = 5, .to_us = 5 },                   /* no window */
        { .plate = { "AB", 2 }, .from_us = 0, .to_us = 5, .edits = 3 },
        { .plate = { "[AB", 3 }, .from_us = 0, .to_us = 5 },
        { .plate = { "-", 1 }, .from_us = 0, .to_us = 5 },
        { .plate = { "*", 1 }, .from_us = 0, .to_us = 5, .edits = 1 },
    };

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(PB_BAD_INPUT,
                         pb_store_search(room.store, &cases[i], &cursor, &room.error));
        assert_null(cursor);
    }
    room_done(&room);
}

/* ---- opening ---- */

static void
a_second_writer_is_told_that_the_store_is_busy(void **state)
{
    struct store_room room;
    struct pb_store *second = NULL;
    struct pb_store_options reading = { .is_read_only = true };
    struct pb_read read = room_read("AB12", "gate-1", 0);
    enum pb_status answer;
    struct pb_purge_counts purged;
    struct pb_loader *loader = NULL;
    struct pb_erasure erasure = { .from_us = 0, .to_us = 1 };

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(PB_E_BUSY, pb_store_open(room.env, ROOM_PATH, NULL, &second, &room.error));
    assert_null(second);
    /* Reading beside the writer is fine, and changes nothing. */
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &reading, &second, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_append(second, &read, 1, &answer, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_flush(second, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_merge(second, true, NULL, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_purge(second, NULL, &purged, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_erase(second, &erasure, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_loader_new(second, 1, NULL, NULL, &loader, &room.error));
    pb_store_close(second);
    room_close(&room);
    room_open(&room);
    assert_int_equal(1, room_count(&room, "AB12"));
    room_done(&room);
}

static void
a_reader_sees_the_store_as_it_was_when_it_opened(void **state)
{
    struct store_room room;
    struct pb_store *writer;
    struct pb_store *reader = NULL;
    struct pb_store_options reading = { .is_read_only = true };

    (void)state;
    room_init(&room);
    for (int i = 0; i < 30; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i == 10)
            room_flush(&room);
    }
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &reading, &reader, &room.error));
    for (int i = 30; i < 60; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    merge_all(&room);
    writer = room.store;
    room.store = reader;
    assert_int_equal(30, room_count(&room, "AB12"));
    pb_store_close(reader);
    room.store = writer;
    assert_int_equal(60, room_count(&room, "AB12"));
    room_done(&room);
}

/* A reader that opens while the writer flushes and merges: between its look at the manifest
 * and its look at segments and logs, these were replaced. */
struct meddler {
    struct store_room room; /* its fault environment is what file calls are given */
    struct pb_file_ops files;
    uint32_t calls_left;
    bool has_meddled;
};

static enum pb_status
meddling_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
              struct pb_error *error)
{
    struct meddler *meddler
        = (void *)((char *)context - offsetof(struct meddler, room)
                   - offsetof(struct store_room, fault));

    if (meddler->calls_left > 0 && --meddler->calls_left == 0) {
        meddler->has_meddled = true;
        room_flush(&meddler->room);
        room_merge(&meddler->room);
    }
    return meddler->room.env->files->open(context, path, mode, ret_file, error);
}

static void
a_reader_that_opens_while_the_writer_merges_sees_everything(void **state)
{
    bool goes_on = true;

    (void)state;
    for (uint32_t calls = 1; goes_on; calls++) {
        struct meddler meddler = { .calls_left = 0 };
        struct store_room *room = &meddler.room;
        struct pb_env env;
        struct pb_store_options reading = { .is_read_only = true };
        struct pb_store *writer;
        struct pb_store *reader = NULL;
        enum pb_status status;

        room_init(room);
        for (int i = 0; i < 30; i++) {
            struct pb_read read = room_read("AB12", "gate-1", i);

            assert_int_equal(PB_OK, room_append(room, &read));
            if (i == 10 || i == 20)
                room_flush(room);
        }
        meddler.files = *room->env->files;
        meddler.files.open = meddling_open;
        meddler.calls_left = calls;
        env = *room->env;
        env.files = &meddler.files;
        status = pb_store_open(&env, ROOM_PATH, &reading, &reader, &room->error);
        if (status != PB_OK)
            fail_msg("the writer at call %u: %s: %s", calls, pb_status_name(status),
                     room->error.message);
        goes_on = meddler.has_meddled;
        meddler.calls_left = 0;
        writer = room->store;
        room->store = reader;
        if (room_count(room, "AB12") != 30)
            fail_msg("the writer at call %u: %u reads instead of 30", calls,
                     room_count(room, "AB12"));
        pb_store_close(reader);
        room->store = writer;
        room_done(room);
    }
}

static void
a_directory_of_another_program_is_left_alone(void **state)
{
    struct store_room room;
    struct pb_store *store = NULL;
    struct pb_file *file = NULL;
    struct pb_verify_counts counts;
    const struct pb_file_ops *files;

    (void)state;
    room_init_on(&room, sim_fs_new());
    files = room.env->files;
    assert_int_equal(PB_E_NOT_STORE,
                     pb_store_open(room.env, "none", NULL, &store, &room.error));
    assert_int_equal(PB_OK, files->mkdir(room.env->file_context, "other", NULL));
    assert_int_equal(PB_OK, files->open(room.env->file_context, "other/notes.txt",
                                        PB_OPEN_CREATE, &file, NULL));
    files->close(room.env->file_context, file);
    assert_int_equal(PB_E_NOT_STORE, pb_store_create(room.env, "other", &room.error));
    assert_int_equal(PB_E_NOT_STORE, pb_store_open(room.env, "other", NULL, &store, &room.error));
    assert_int_equal(PB_E_NOT_STORE, pb_store_verify(room.env, "other", NULL, NULL, NULL, &counts,
                                                     &room.error));
    assert_int_equal(PB_OK, files->open(room.env->file_context, "other/notes.txt", PB_OPEN_READ,
                                        &file, NULL));
    files->close(room.env->file_context, file);
    /* A store is not made twice. */
    assert_int_equal(PB_OK, pb_store_create(room.env, ROOM_PATH, &room.error));
    assert_int_equal(PB_E_NOT_STORE, pb_store_create(room.env, ROOM_PATH, &room.error));
    assert_true(pb_store_create(room.env, "a/b/c", &room.error) < 0);
    room_done(&room);
}

/* ---- care ---- */

static void
a_backup_is_the_store_at_that_moment(void **state)
{
    struct store_room room;
    struct pb_verify_counts counts;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 50; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i % 20 == 0)
            room_flush(&room);
    }
    room_expect(&room, PB_OK, pb_store_backup(room.store, "copy", NULL, &room.error), "backup");
    assert_int_equal(PB_E_NOT_STORE, pb_store_backup(room.store, "copy", NULL, &room.error));
    for (int i = 50; i < 60; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    merge_all(&room);
    assert_int_equal(60, room_count(&room, "AB12"));
    room_close(&room);
    assert_int_equal(PB_OK, pb_store_verify(room.env, "copy", NULL, NULL, NULL, &counts,
                                            &room.error));
    assert_int_equal(0, counts.damaged);
    assert_int_equal(50, counts.reads);
    room_expect(&room, PB_OK, pb_store_restore(room.env, "copy", "again", NULL, &room.error),
                "restore");
    assert_int_equal(PB_OK, pb_store_open(room.env, "again", NULL, &room.store, &room.error));
    assert_int_equal(50, room_count(&room, "AB12"));
    {
        struct pb_read read = room_read("AB12", "gate-1", 49);
        struct pb_read next = room_read("AB12", "gate-1", 50);

        assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
        assert_int_equal(PB_OK, room_append(&room, &next));
        room_flush(&room);
        assert_int_equal(51, room_count(&room, "AB12"));
    }
    room_done(&room);
}

static void
verify_counts_what_is_there(void **state)
{
    struct store_room room;
    struct pb_verify_counts counts;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 500; i++) {
        struct pb_read read = room_read(i % 2 == 0 ? "AB12" : "ABCDEFGHIJKLM", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i == 400)
            room_flush(&room);
    }
    room_expect(&room, PB_OK, pb_store_verify(room.env, ROOM_PATH, NULL, NULL, NULL, &counts,
                                              &room.error), "verify");
    assert_int_equal(0, counts.damaged);
    assert_int_equal(500, counts.reads);
    room_done(&room);
}

static void
figures_tell_what_the_store_holds(void **state)
{
    struct store_room room;
    struct pb_store_stats stats;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(0, stats.reads);
    assert_true(stats.oldest_us > stats.newest_us);
    for (int i = 0; i < 30; i++) {
        struct pb_read read = room_read(i % 3 == 0 ? "AB12" : "CD34", "gate-1",
                                        i * 3 * 24 * 3600);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i == 20)
            room_flush(&room);
    }
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(30, stats.reads);
    assert_int_equal(9, stats.buffered_reads);
    assert_true(stats.plates >= 2);
    assert_int_equal(ROOM_START_US, stats.oldest_us);
    assert_int_equal(ROOM_START_US + 29 * 3 * ROOM_DAY_US, stats.newest_us);
    assert_true(stats.segments >= 2 && stats.partitions == stats.segments);
    assert_true(stats.bytes > 0 && stats.memory_bytes > 0);
    assert_int_equal(30, stats.commit);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(values_at_the_ends_of_their_ranges_come_back),
        cmocka_unit_test(plates_of_any_length_and_script_are_found),
        cmocka_unit_test(one_plate_of_many_jurisdictions_is_told_apart),
        cmocka_unit_test(mobile_readers_and_many_contexts_keep_their_values),
        cmocka_unit_test(reads_of_any_century_are_found_by_place_and_time),
        cmocka_unit_test(results_come_newest_first_and_resume_across_changes),
        cmocka_unit_test(a_token_resumes_only_its_own_question),
        cmocka_unit_test(a_cursor_keeps_the_version_that_it_began_with),
        cmocka_unit_test(sending_again_is_a_duplicate_and_other_content_a_conflict),
        cmocka_unit_test(the_newest_revision_is_the_read_whatever_comes_first),
        cmocka_unit_test(a_correction_replaces_the_read_and_keeps_what_the_reader_said),
        cmocka_unit_test(history_stays_history_when_the_newer_revision_is_gone),
        cmocka_unit_test(one_append_judges_its_reads_one_after_another),
        cmocka_unit_test(alternates_find_their_read_once),
        cmocka_unit_test(what_a_pattern_finds_does_not_depend_on_where_rows_lie),
        cmocka_unit_test(a_read_is_gone_from_the_second_that_it_expires),
        cmocka_unit_test(erasing_hides_at_once_and_for_good),
        cmocka_unit_test(what_was_erased_does_not_come_back_by_sending_it_again),
        cmocka_unit_test(a_purge_leaves_no_byte_of_an_erased_read_in_the_log),
        cmocka_unit_test(load_counts_are_right_and_loading_again_changes_nothing),
        cmocka_unit_test(loading_a_correction_with_its_read_makes_the_read_history),
        cmocka_unit_test(an_append_over_the_limits_is_refused_and_the_store_goes_on),
        cmocka_unit_test(questions_that_make_no_sense_are_refused),
        cmocka_unit_test(a_second_writer_is_told_that_the_store_is_busy),
        cmocka_unit_test(a_reader_sees_the_store_as_it_was_when_it_opened),
        cmocka_unit_test(a_reader_that_opens_while_the_writer_merges_sees_everything),
        cmocka_unit_test(a_directory_of_another_program_is_left_alone),
        cmocka_unit_test(a_backup_is_the_store_at_that_moment),
        cmocka_unit_test(verify_counts_what_is_there),
        cmocka_unit_test(figures_tell_what_the_store_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
