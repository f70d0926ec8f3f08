/*
 * Which readers were up: by days, across restarts, and unknown rather than wrong.
 */
#include "inquiry/site_room.h"

#include "inquiry/inquiry_private.h"

static struct pb_coverage
coverage_of(struct site_room *room, int64_t from_us, int64_t to_us)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSZ999");

    inquiry.query.from_us = from_us;
    inquiry.query.to_us = to_us;
    return pb_answer_coverage(room_ask(room, &inquiry));
}

static void
a_question_about_a_plate_tells_which_readers_were_up_on_its_days(void **state)
{
    struct site_room room;
    struct pb_coverage coverage;
    int64_t today_us = ROOM_NOW_US - ROOM_NOW_US % PB_DAY_US;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    room_add(&room, "KSB123", "k1", 5 * PB_DAY_US);
    room_add(&room, "KSC123", "r1", 3 * PB_DAY_US);
    room_add(&room, "KSC123", "c1", PB_DAY_US); /* not theirs to know */
    for (unsigned i = 0; i < 2; i++) {
        coverage = coverage_of(&room, today_us - 10 * PB_DAY_US, room.now_us);
        assert_true(coverage.is_up_known);
        assert_int_equal(4, coverage.readers_in_scope); /* k1, k2, r1, m1 */
        assert_int_equal(2, coverage.readers_up);
        coverage = coverage_of(&room, today_us - PB_DAY_US, today_us);
        assert_int_equal(1, coverage.readers_up);
        coverage = coverage_of(&room, today_us - 3 * PB_DAY_US, today_us - 2 * PB_DAY_US);
        assert_int_equal(1, coverage.readers_up);
        coverage = coverage_of(&room, today_us - 2 * PB_DAY_US, today_us - PB_DAY_US);
        assert_int_equal(0, coverage.readers_up);
        coverage = coverage_of(&room, today_us, room.now_us);
        assert_int_equal(0, coverage.readers_up);
        room_reopen(&room); /* and from the file */
    }
    room_close(&room);
    room_open_as(&room, PB_SITE_ASK);
    coverage = coverage_of(&room, today_us - 10 * PB_DAY_US, room.now_us);
    assert_int_equal(2, coverage.readers_up);
    room_done(&room);
}

static void
what_was_counted_before_counts_no_longer_when_something_changed(void **state)
{
    struct site_room room;
    int64_t from_us = ROOM_NOW_US - 10 * PB_DAY_US;

    (void)state;
    room_init(&room);
    assert_int_equal(0, coverage_of(&room, from_us, room.now_us).readers_up);
    assert_int_equal(0, coverage_of(&room, from_us, room.now_us).readers_up);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    assert_int_equal(1, coverage_of(&room, from_us, room.now_us).readers_up);
    assert_int_equal(1, coverage_of(&room, from_us, room.now_us).readers_up);
    room_add(&room, "KSA123", "k2", 0);
    assert_int_equal(2, coverage_of(&room, from_us, room.now_us).readers_up);
    /* The same origins, of which one has a reader fewer. */
    room_import(&room, "readers:\n  - { id: k2, agency: kansas-pd, capture_state: US-CA, lat: 38.6,"
                       " lon: -98.0 }\n");
    assert_int_equal(1, coverage_of(&room, from_us, room.now_us).readers_up);
    room_done(&room);
}

static void
without_a_file_that_can_be_believed_nobody_is_said_to_be_down(void **state)
{
    static const char *const texts[] = {
        NULL, /* no file */
        "",
        "platebase-activity 2\nend 0\n",
        "platebase-activity 1\n",
        "platebase-activity 1\nend 1\n",
        "platebase-activity 1\n20600\t1\tk1\n",
        "platebase-activity 1\n20600\t1\tk1\nend 2\n",
        "platebase-activity 1\n20600\t1\tk1\nend 1\nmore",
        "platebase-activity 1\n20600\tx\tk1\nend 1\n",
        "platebase-activity 1\n20600\t1\t\nend 1\n",
        "platebase-activity 1\n20600\tG\tk1\nend 1\n",
        "platebase-activity 1\n20600\t/\tk1\nend 1\n",
        "platebase-activity 1\n20600\t`\tk1\nend 1\n",
        "platebase-activity 1\n20600\t1 k1\nend 1\n",
        "platebase-activity "
        "1\n20600\t1\tan-id-that-is-longer-than-the-id-of-any-reader-may-be-an-id-"
        "that-is-longer-than-the-id-of-any-reader-may-be-an-id-that-is-longer-than-any\nend 1\n",
        "platebase-activity 1\n-1\t1\tk1\nend 1\n",
        "platebase-activity 1\n9999999\t1\tk1\nend 1\n",
        "platebase-activity 1\n89999\t1\tk1\nend 1\n",
    };
    struct site_room room;
    char path[256];

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    (void)snprintf(path, sizeof(path), "%s/activity", room.path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pb_coverage coverage;

        room_close(&room);
        assert_int_equal(0, unlink(path));
        if (texts[i] != NULL) {
            FILE *file = fopen(path, "w");

            assert_non_null(file);
            fputs(texts[i], file);
            (void)fclose(file);
        }
        room_open_as(&room, PB_SITE_WRITE);
        coverage = coverage_of(&room, room.now_us - 10 * PB_DAY_US, room.now_us);
        if (coverage.is_up_known)
            fail_msg("text %zu is believed", i);
        if (texts[i] == NULL) {
            /* It stays unknown: what came before can no longer be told. */
            FILE *file = fopen(path, "w");

            assert_non_null(file);
            (void)fclose(file);
        }
    }
    room_done(&room);
}

/* Random days of random readers, against a table. */
static void
days_are_what_was_noted_in_whatever_order_also_after_saving(void **state)
{
    enum { READERS = 40, DAYS = 700, NOTES = 3000 };
    static bool table[READERS][DAYS];
    struct site_room room;
    uint64_t seed = 99;
    int32_t first_day = (int32_t)(ROOM_NOW_US / PB_DAY_US) - DAYS + 1;
    char yaml[READERS * 96] = "readers:\n";
    size_t used = strlen(yaml);

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i < READERS; i++) {
        used += (size_t)snprintf(yaml + used, sizeof(yaml) - used,
                                 "  - { id: z%02u, agency: kansas-pd, capture_state: US-KS }\n", i);
        assert_true(used < sizeof(yaml));
    }
    room_import(&room, yaml);
    for (unsigned i = 0; i < NOTES; i++) {
        struct pb_activity_day day;
        char name[8];
        unsigned reader = 0;
        unsigned at = 0;

        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        reader = (unsigned)(seed >> 33) % READERS;
        at = (unsigned)(seed >> 48) % DAYS;
        table[reader][at] = true;
        (void)snprintf(name, sizeof(name), "z%02u", reader);
        day = (struct pb_activity_day){ pb_str_from(name), first_day + (int32_t)at };
        pb_activity_note(room.site->activity, &day, 1);
    }
    room_reopen(&room);
    for (unsigned i = 0; i < 60; i++) {
        unsigned from = i * 11;
        unsigned to = from + i % 7;
        unsigned expected = 0;
        struct pb_coverage coverage;

        for (unsigned reader = 0; reader < READERS; reader++) {
            bool was_up = false;

            for (unsigned day = from; day <= to && day < DAYS; day++)
                was_up = was_up || table[reader][day];
            expected += was_up;
        }
        coverage = coverage_of(&room, (int64_t)(first_day + (int32_t)from) * PB_DAY_US,
                               (int64_t)(first_day + (int32_t)to + 1) * PB_DAY_US);
        assert_true(coverage.is_up_known);
        assert_int_equal(expected, coverage.readers_up);
    }
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_about_a_plate_tells_which_readers_were_up_on_its_days),
        cmocka_unit_test(what_was_counted_before_counts_no_longer_when_something_changed),
        cmocka_unit_test(without_a_file_that_can_be_believed_nobody_is_said_to_be_down),
        cmocka_unit_test(days_are_what_was_noted_in_whatever_order_also_after_saving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
