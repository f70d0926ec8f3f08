/*
 * Answers about plates: distinct plates, common plates, associates. Each against the same question
 * answered by hand.
 */
#include "inquiry/site_room.h"

#include <math.h>

static const struct pb_row *
row_of(const struct pb_answer *answer, const char *plate)
{
    for (uint64_t i = 0; i < pb_answer_rows(answer); i++) {
        if (pb_str_equal(pb_answer_row(answer, i)->plate, pb_str_from(plate)))
            return pb_answer_row(answer, i);
    }
    return NULL;
}

static void
distinct_plates_are_counted_in_the_window_and_within_reach_only(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    const struct pb_answer *answer = NULL;
    struct pb_read read;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA1", "k1", PB_DAY_US);
    room_add(&room, "KSA1", "k2", 2 * PB_DAY_US);
    room_add(&room, "KSA1", "k1", 40 * PB_DAY_US); /* before the window */
    room_add(&room, "KSA1", "c1", PB_DAY_US);      /* not theirs to see */
    room_add(&room, "KSA2", "c1", PB_DAY_US);
    room_add(&room, "KSA3", "r1", 3 * PB_DAY_US);
    room_add(&room, "KSB1", "k1", PB_DAY_US);
    read = room_read(&room, "KSA1", "k1", 4 * PB_DAY_US);
    read.jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-NE"));
    assert_int_equal(PB_OK, room_take(&room, &read));

    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA*");
    inquiry.counts_plates = true;
    inquiry.query.jurisdiction = 0;
    inquiry.is_jurisdiction_unknown = true;
    answer = room_ask(&room, &inquiry);
    assert_int_equal(3, pb_answer_count(answer));
    assert_int_equal(3, pb_answer_rows(answer));
    assert_int_equal(2, pb_answer_row(answer, 0)->reads); /* KSA1 of Kansas */
    assert_int_equal(room.now_us - 2 * PB_DAY_US, pb_answer_row(answer, 0)->first_us);
    assert_int_equal(room.now_us - PB_DAY_US, pb_answer_row(answer, 0)->last_us);
    assert_int_equal(1, pb_answer_row(answer, 1)->reads); /* of Nebraska */
    assert_int_equal(1, row_of(answer, "KSA3")->reads);
    assert_null(row_of(answer, "KSA2"));
    assert_int_equal(1, room_leaves(&room, "river-pd", "disclosed", NULL));
    room_done(&room);
}

static void
alternates_are_found_by_reads_and_not_counted_as_plates(void **state)
{
    struct pb_alternate alternate = { .plate = { "KSA777", 6 }, .confidence_e6 = PB_NO_CONFIDENCE };
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_read read;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KSX777", "k1", PB_DAY_US);
    read.alternates = &alternate;
    read.alternate_count = 1;
    assert_int_equal(PB_OK, room_take(&room, &read));
    assert_int_equal(1, room_count_plate(&room, "KSA777"));
    assert_int_equal(1, pb_answer_row(room.answer, 0)->result.alternate);
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA*");
    inquiry.counts_plates = true;
    assert_int_equal(0, room_rows(&room, &inquiry));
    room_done(&room);
}

static void
common_plates_were_at_two_places_or_more_in_their_windows(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    const struct pb_answer *answer = NULL;
    struct room_found query;

    (void)state;
    room_init(&room);
    room_add(&room, "BOTH1", "k1", 2 * PB_DAY_US);
    room_add(&room, "BOTH1", "k1", 2 * PB_DAY_US + PB_HOUR_US);
    room_add(&room, "BOTH1", "k2", PB_DAY_US);
    room_add(&room, "BOTH2", "r1", 2 * PB_DAY_US);
    room_add(&room, "BOTH2", "k2", PB_HOUR_US);
    room_add(&room, "ONCE1", "k1", 2 * PB_DAY_US);
    room_add(&room, "LATE1", "k1", 2 * PB_DAY_US);
    room_add(&room, "LATE1", "k2", 8 * PB_DAY_US); /* outside the second window */
    room_add(&room, "COAST", "c1", 2 * PB_DAY_US); /* not theirs to see */
    room_add(&room, "COAST", "k2", PB_DAY_US);

    inquiry = room_inquiry(&room, PB_INQUIRY_COMMON, "");
    room.places[0].from_us = room.now_us - 3 * PB_DAY_US;
    room.places[0].to_us = room.now_us - PB_DAY_US;
    room.places[1].from_us = room.now_us - 2 * PB_DAY_US;
    room.places[1].to_us = room.now_us;
    answer = room_ask(&room, &inquiry);
    assert_int_equal(2, pb_answer_count(answer));
    assert_int_equal(2, pb_answer_rows(answer));
    assert_int_equal(3, row_of(answer, "BOTH1")->reads);
    assert_int_equal(2, row_of(answer, "BOTH1")->places);
    assert_int_equal(2, row_of(answer, "BOTH2")->reads);
    /* Each place is recorded for itself. */
    (void)room_leaves(&room, "kansas-pd", "query", &query);
    assert_says(query.secrets, "area=circle 38.5,-98 170 m 2026-05-29T12:00:00");
    assert_says(query.secrets, "area2=circle 38.6,-98 170 m 2026-05-30T12:00:00");
    assert_says(query.leaf, "\"places\":2");
    assert_int_equal(1, room_leaves(&room, "river-pd", "disclosed", &query));
    assert_says(query.leaf, "\"n\":1");
    room_done(&room);
}

/* ---- associates ---- */

/* Twenty mornings: the subject passes k1; a companion a few seconds later on every one; a commuter
 * at the same time of day, give or take an hour; and strangers. */
static void
make_mornings(struct site_room *room)
{
    for (int day = 1; day <= 20; day++) {
        int64_t morning_us = day * PB_DAY_US;
        char stranger[16];

        room_add(room, "SUBJECT", "k1", morning_us);
        room_add(room, "FRIEND", "k1", morning_us + 20 * PB_SECOND_US);
        room_add(room, "COMMUTE", "k1", morning_us + (day * 7 % 31 - 15) * PB_MINUTE_US);
        (void)snprintf(stranger, sizeof(stranger), "STR%02d", day);
        room_add(room, stranger, "k1", morning_us - 30 * PB_SECOND_US);
        for (int hour = 0; hour < 24; hour++)
            room_add(room, "TAXI", "k1",
                     morning_us + hour * PB_HOUR_US + (day * 7 + hour * 13) % 60 * PB_MINUTE_US);
    }
}

static void
a_companion_scores_and_traffic_does_not(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    const struct pb_answer *answer = NULL;
    const struct pb_row *row = NULL;

    (void)state;
    room_init(&room);
    make_mornings(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_ASSOCIATES, "SUBJECT");
    answer = room_ask(&room, &inquiry);
    row = row_of(answer, "FRIEND");
    assert_non_null(row);
    assert_ptr_equal(row, pb_answer_row(answer, 0)); /* the best one comes first */
    assert_int_equal(20, row->together);
    assert_int_equal(20, row->reads);
    assert_true(row->score > 6.0);
    assert_true(row->expected > 0.0 && row->expected < 5.0);
    row = row_of(answer, "COMMUTE");
    assert_true(row == NULL || row->score < 1.0);
    row = row_of(answer, "TAXI");
    assert_true(row == NULL || row->score < 1.0);
    assert_null(row_of(answer, "STR05")); /* once is no coincidence at all */
    assert_null(row_of(answer, "SUBJECT"));
    for (uint64_t i = 1; i < pb_answer_rows(answer); i++)
        assert_true(pb_answer_row(answer, i)->score <= pb_answer_row(answer, i - 1)->score);
    room_done(&room);
}

static void
readers_that_a_trip_passes_together_are_one_coincidence(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    const struct pb_row *row = NULL;

    (void)state;
    room_init(&room);
    /* One drive past three readers, minutes apart, with the same car behind. */
    room_add(&room, "SUBJECT", "k1", PB_DAY_US);
    room_add(&room, "BEHIND", "k1", PB_DAY_US - 5 * PB_SECOND_US);
    room_add(&room, "SUBJECT", "r1", PB_DAY_US - 5 * PB_MINUTE_US);
    room_add(&room, "BEHIND", "r1", PB_DAY_US - 5 * PB_MINUTE_US - 5 * PB_SECOND_US);
    room_add(&room, "SUBJECT", "k2", PB_DAY_US - 10 * PB_MINUTE_US);
    room_add(&room, "BEHIND", "k2", PB_DAY_US - 10 * PB_MINUTE_US - 5 * PB_SECOND_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_ASSOCIATES, "SUBJECT");
    row = row_of(room_ask(&room, &inquiry), "BEHIND");
    assert_non_null(row);
    assert_int_equal(3, row->together);
    assert_true(row->score < 1.5);
    room_done(&room);
}

static void
associates_count_only_what_the_asker_may_see(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    const struct pb_answer *answer = NULL;

    (void)state;
    room_init(&room);
    for (int day = 1; day <= 5; day++) {
        room_add(&room, "SUBJECT", "c1", day * PB_DAY_US); /* California keeps it */
        room_add(&room, "FRIEND", "c1", day * PB_DAY_US + PB_SECOND_US);
        room_add(&room, "SUBJECT", "k1", day * PB_DAY_US + PB_HOUR_US);
        room_add(&room, "HIDDEN", "c1", day * PB_DAY_US + PB_HOUR_US + PB_SECOND_US);
    }
    inquiry = room_inquiry(&room, PB_INQUIRY_ASSOCIATES, "SUBJECT");
    answer = room_ask(&room, &inquiry);
    assert_int_equal(0, pb_answer_rows(answer));
    assert_int_equal(0, pb_answer_count(answer));
    assert_int_equal(0, room_leaves(&room, "coast-pd", "disclosed", NULL));
    room_done(&room);
}

static void
how_near_and_how_often_can_be_asked(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    for (int day = 1; day <= 4; day++) {
        room_add(&room, "SUBJECT", "k1", day * PB_DAY_US);
        room_add(&room, "CLOSE", "k1", day * PB_DAY_US + 10 * PB_SECOND_US);
        room_add(&room, "WIDE", "k1", day * PB_DAY_US + 4 * PB_MINUTE_US);
    }
    inquiry = room_inquiry(&room, PB_INQUIRY_ASSOCIATES, "SUBJECT");
    assert_int_equal(1, room_rows(&room, &inquiry));
    assert_non_null(row_of(room.answer, "CLOSE"));
    inquiry.together_us = 4 * PB_MINUTE_US; /* both ends of it count */
    assert_int_equal(2, room_rows(&room, &inquiry));
    inquiry.together_us = 4 * PB_MINUTE_US - 1;
    assert_int_equal(1, room_rows(&room, &inquiry));
    inquiry.together_us = 0;
    inquiry.together_min = 4;
    assert_int_equal(1, room_rows(&room, &inquiry));
    inquiry.together_min = 5;
    assert_int_equal(0, room_rows(&room, &inquiry));
    room_done(&room);
}

/* How large an area is says the area: a request cannot make it small. */
static void
a_place_is_as_large_as_its_area_is(void **state)
{
    struct site_room room;
    struct pb_geo_area *large = NULL;
    struct pb_inquiry inquiry;
    struct room_found denied;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    inquiry.query.from_us = room.now_us - PB_DAY_US;
    (void)room_ask(&room, &inquiry);
    room_expect(&room, PB_OK,
                pb_geo_area_from_circle(room.env, ROOM_LAT_E7, ROOM_LON_E7, 20000.0, &large,
                                        &room.error),
                "area");
    room.places[0].area = large;
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "denied", &denied));
    assert_says(denied.leaf, "platebase-base.area-limit");
    assert_says(denied.leaf, "\"m2\":1256");
    pb_geo_area_free(room.env, large);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_plates_are_counted_in_the_window_and_within_reach_only),
        cmocka_unit_test(alternates_are_found_by_reads_and_not_counted_as_plates),
        cmocka_unit_test(common_plates_were_at_two_places_or_more_in_their_windows),
        cmocka_unit_test(a_companion_scores_and_traffic_does_not),
        cmocka_unit_test(readers_that_a_trip_passes_together_are_one_coincidence),
        cmocka_unit_test(associates_count_only_what_the_asker_may_see),
        cmocka_unit_test(how_near_and_how_often_can_be_asked),
        cmocka_unit_test(a_place_is_as_large_as_its_area_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
