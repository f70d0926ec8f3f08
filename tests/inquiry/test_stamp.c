/*
 * Stamper: dates on the way in, readers that nobody knew, and what is refused.
 */
#include "inquiry/site_room.h"

static struct pb_stamper *
stamper_for(struct site_room *room, const char *agency, const char *state)
{
    struct pb_stamper *stamper = NULL;

    room_expect(room, PB_OK,
                pb_stamper_new(room->site, agency, pb_jurisdiction_from_text(pb_str_from(state)),
                               &stamper, &room->error),
                "stamper");
    return stamper;
}

static void
each_origin_has_its_own_date(void **state)
{
    static const struct {
        const char *reader;
        int64_t days; /* -1: never written */
    } cases[] = { { "m1", 21 }, { "k1", 1826 }, { "k3", 1826 }, { "n1", -1 } };
    struct site_room room;
    struct pb_stamper *stamper = NULL;

    (void)state;
    room_init(&room);
    stamper = stamper_for(&room, NULL, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = room_read(&room, "KSA123", cases[i].reader, PB_HOUR_US);
        const char *reason = NULL;
        enum pb_status status = pb_stamper_stamp(stamper, &read, &reason, &room.error);

        if (cases[i].days < 0) {
            assert_int_equal(PB_EXPIRED, status);
            assert_ptr_equal(pb_stamp_never_stored, reason);
            continue;
        }
        assert_int_equal(PB_OK, status);
        assert_in_range((read.delete_after_us - read.captured_at_us) / PB_DAY_US, cases[i].days - 1,
                        cases[i].days + 1);
    }
    pb_stamper_free(stamper);
    room_done(&room);
}

static void
a_read_whose_time_is_over_is_not_taken(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    const char *reason = NULL;

    (void)state;
    room_init(&room);
    stamper = stamper_for(&room, NULL, "");
    for (int64_t late_s = -1; late_s <= 1; late_s++) {
        struct pb_read read =
            room_read(&room, "KSA123", "m1", 21 * PB_DAY_US + late_s * PB_SECOND_US);

        assert_int_equal(late_s < 0 ? PB_OK : PB_EXPIRED,
                         pb_stamper_stamp(stamper, &read, &reason, &room.error));
    }
    assert_ptr_not_equal(pb_stamp_never_stored, reason);
    pb_stamper_free(stamper);
    room_done(&room);
}

static void
new_readers_are_added_with_a_leaf_and_are_found(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct room_found leaf;
    const struct pb_catalog_view *view = NULL;
    uint32_t reader = 0;

    (void)state;
    room_init(&room);
    stamper = stamper_for(&room, "pine-pd", "");
    for (unsigned i = 0; i < 2000; i++) {
        char name[32];
        struct pb_read read;
        const char *reason = NULL;

        (void)snprintf(name, sizeof(name), "pine \"%u\" north\\east", i % 1200);
        read = room_read(&room, "KSA123", name, PB_HOUR_US);
        assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
        assert_int_equal(21 * PB_DAY_US, read.delete_after_us - read.captured_at_us);
        if (i == 7)
            assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_expect(&room, PB_OK, pb_stamper_flush(stamper, &room.error), "flush");
    pb_stamper_free(stamper);
    assert_int_equal(1, room_leaves(&room, "pine-pd", "change", &leaf));
    assert_says(leaf.leaf, "\"entity\":\"reader\"");
    assert_says(leaf.leaf, "\"n\":1200");
    room_expect(&room, PB_OK, pb_catalog_view_take(pb_site_catalog(room.site), &view, &room.error),
                "view");
    reader = pb_view_reader(view, pb_str_from("pine \"1199\" north\\east"));
    assert_true(reader != PB_NO_INDEX);
    assert_int_equal(pb_jurisdiction_from_text(pb_str_from("US-ME")),
                     view->readers[reader].capture_state);
    pb_catalog_view_drop(view);
    assert_int_equal(1, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

static void
a_state_of_capture_that_is_new_to_the_agency_is_judged_by_its_own_law(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct pb_read read;
    const char *reason = NULL;

    (void)state;
    room_init(&room);
    stamper = stamper_for(&room, "kansas-pd", "US-ME");
    read = room_read(&room, "KSA123", "guest", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_int_equal(21 * PB_DAY_US, read.delete_after_us - read.captured_at_us);
    /* Readers that are known keep their own state. */
    read = room_read(&room, "KSA123", "k1", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_true(read.delete_after_us - read.captured_at_us > 1000 * PB_DAY_US);
    pb_stamper_free(stamper);
    room_done(&room);
}

static void
what_nobody_owns_or_may_give_is_refused_with_a_reason(void **state)
{
    static char long_name[PB_READER_BYTES_MAX + 2];
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct pb_read read;
    const char *reason = NULL;

    (void)state;
    memset(long_name, 'r', sizeof(long_name) - 1);
    room_init(&room);
    /* Several agencies contribute, so nobody can tell whose an unknown reader is. */
    stamper = stamper_for(&room, NULL, "");
    read = room_read(&room, "KSA123", "stray", PB_HOUR_US);
    assert_int_equal(PB_BAD_INPUT, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_says(reason, "no agency");
    read.reader = (struct pb_str){ 0 };
    assert_int_equal(PB_BAD_INPUT, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    read.reader = pb_str_from(long_name);
    assert_int_equal(PB_BAD_INPUT, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    pb_stamper_free(stamper);

    stamper = stamper_for(&room, "pine-pd", "");
    read.reader = pb_str_from("one,two");
    assert_int_equal(PB_BAD_INPUT, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    pb_stamper_free(stamper);

    assert_int_equal(PB_BAD_INPUT, pb_stamper_new(room.site, "bureau", 0, &stamper, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_stamper_new(room.site, "nobody", 0, &stamper, &room.error));

    room_import(&room, "readers:\n  - { id: k2, agency: kansas-pd, status: closed }\n");
    stamper = stamper_for(&room, NULL, "");
    read = room_read(&room, "KSA123", "k2", PB_HOUR_US);
    assert_int_equal(PB_BAD_INPUT, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_says(reason, "closed");
    pb_stamper_free(stamper);
    room_done(&room);
}

static void
a_legal_hold_lengthens_and_never_shortens(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct pb_read read;
    const char *reason = NULL;

    (void)state;
    room_init(&room);
    room_import(&room, "holds:\n  - { id: h1, agency: kansas-pd, case: \"kansas-pd:26-00471\","
                       " authority: court-order, facts: Court order of the example court,"
                       " plate: KSA123, from: 2026-05-01, to: 2026-07-01,"
                       " expires_at: 2026-08-01 }\n");
    stamper = stamper_for(&room, NULL, "");
    read = room_read(&room, "KSA123", "m1", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_int_equal(INT64_C(1785542400000000), read.delete_after_us);
    read = room_read(&room, "KSB999", "m1", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_int_equal(21 * PB_DAY_US, read.delete_after_us - read.captured_at_us);
    read = room_read(&room, "KSA123", "k1", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_true(read.delete_after_us - read.captured_at_us > 1000 * PB_DAY_US);
    /* No hold puts on disk what the law keeps off it. */
    read = room_read(&room, "KSA123", "n1", PB_HOUR_US);
    assert_int_equal(PB_EXPIRED, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    pb_stamper_free(stamper);
    room_done(&room);
}

static void
two_stampers_may_meet_the_same_new_reader(void **state)
{
    struct site_room room;
    struct pb_stamper *first = NULL;
    struct pb_stamper *second = NULL;
    struct pb_read read;
    const char *reason = NULL;

    (void)state;
    room_init(&room);
    first = stamper_for(&room, "pine-pd", "");
    second = stamper_for(&room, "pine-pd", "");
    read = room_read(&room, "KSA123", "fresh", PB_HOUR_US);
    assert_int_equal(PB_OK, pb_stamper_stamp(first, &read, &reason, &room.error));
    assert_int_equal(PB_OK, pb_stamper_stamp(second, &read, &reason, &room.error));
    room_expect(&room, PB_OK, pb_stamper_flush(first, &room.error), "flush");
    room_expect(&room, PB_OK, pb_stamper_flush(second, &room.error), "flush");
    pb_stamper_free(first);
    pb_stamper_free(second);
    assert_int_equal(1, room_leaves(&room, "pine-pd", "change", NULL));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_origin_has_its_own_date),
        cmocka_unit_test(a_read_whose_time_is_over_is_not_taken),
        cmocka_unit_test(new_readers_are_added_with_a_leaf_and_are_found),
        cmocka_unit_test(a_state_of_capture_that_is_new_to_the_agency_is_judged_by_its_own_law),
        cmocka_unit_test(what_nobody_owns_or_may_give_is_refused_with_a_reason),
        cmocka_unit_test(a_legal_hold_lengthens_and_never_shortens),
        cmocka_unit_test(two_stampers_may_meet_the_same_new_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
