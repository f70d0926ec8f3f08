/*
 * Corrections and holds at their edges: which words are taken, which read is meant, and what a hold
 * covers.
 */
#include "inquiry/inquiry_private.h"
#include "inquiry/site_room.h"

static struct pb_correction
correction_of(const struct site_room *room, const char *reader, int64_t before_us)
{
    return (struct pb_correction){
        .person = pb_str_from("doe"),
        .why = pb_str_from("The picture shows a B, not an 8"),
        .reader = pb_str_from(reader),
        .wrong_plate = pb_str_from("KS8123"),
        .captured_at_us = room->now_us - before_us,
        .plate = pb_str_from("KSB123"),
    };
}

static void
words_that_cannot_be_are_refused_by_field_and_leave_no_leaf(void **state)
{
    static char long_text[PB_JUSTIFICATION_BYTES_MAX + 2];
    struct site_room room;
    struct pb_correction corrections[6];
    static const char *const fields[6] = { "why",         "why",         "captured_at",
                                           "captured_at", "wrong_plate", "plate" };

    (void)state;
    room_init(&room);
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < 6; i++)
        corrections[i] = correction_of(&room, "k1", PB_HOUR_US);
    corrections[0].why = (struct pb_str){ 0 };
    corrections[1].why = pb_str_from(long_text);
    corrections[2].captured_at_us = PB_TIME_MIN_US - 1;
    corrections[3].captured_at_us = PB_TIME_MAX_US;
    corrections[4].wrong_plate = pb_str_from("?");
    corrections[5].plate = pb_str_from("*");
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(PB_BAD_INPUT, pb_inquiry_correct(room.site, &corrections[i], &room.error));
        if (strncmp(room.error.message, fields[i], strlen(fields[i])) != 0)
            fail_msg("case %zu: %s", i, room.error.message);
    }
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "correct", NULL));
    long_text[PB_JUSTIFICATION_BYTES_MAX] = '\0'; /* just what is taken */
    corrections[1].why = pb_str_from(long_text);
    assert_int_equal(PB_NOT_FOUND, pb_inquiry_correct(room.site, &corrections[1], &room.error));
    room_done(&room);
}

static void
of_reads_of_one_moment_the_event_tells_which_is_meant(void **state)
{
    struct site_room room;
    struct pb_correction correction;
    struct pb_inquiry inquiry;
    struct pb_read read;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 2; i++) {
        read = room_read(&room, "KS8123", "k1", PB_HOUR_US);
        read.event_id = pb_str_from(i == 0 ? "e-1" : "e-2");
        read.plate_raw = pb_str_from("ks-8123");
        room_expect(&room, PB_OK, room_take(&room, &read), "take");
    }
    correction = correction_of(&room, "k1", PB_HOUR_US);
    correction.event_id = pb_str_from("e-3");
    assert_int_equal(PB_NOT_FOUND, pb_inquiry_correct(room.site, &correction, &room.error));
    correction.event_id = pb_str_from("e-2");
    correction.jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-MO"));
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "correct");
    assert_int_equal(1, room_count_plate(&room, "KS8123"));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSB123");
    inquiry.query.jurisdiction = correction.jurisdiction;
    assert_int_equal(1, room_rows(&room, &inquiry));
    read = pb_answer_row(room.answer, 0)->result.read;
    assert_true(pb_str_equal(read.event_id, pb_str_from("e-2")));
    assert_true(pb_str_equal(read.plate_raw, pb_str_from("ks-8123")));
    assert_int_equal(correction.jurisdiction, read.jurisdiction);
    room_done(&room);
}

static void
a_read_is_corrected_again_and_again(void **state)
{
    struct site_room room;
    struct pb_correction correction;

    (void)state;
    room_init(&room);
    room_add(&room, "KS8123", "k1", PB_HOUR_US);
    correction = correction_of(&room, "k1", PB_HOUR_US);
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "first");
    correction.wrong_plate = pb_str_from("KSB123");
    correction.plate = pb_str_from("KSE123");
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "second");
    assert_int_equal(0, room_count_plate(&room, "KS8123"));
    assert_int_equal(0, room_count_plate(&room, "KSB123"));
    assert_int_equal(1, room_count_plate(&room, "KSE123"));
    room_done(&room);
}

static void
who_does_not_write_corrects_nothing(void **state)
{
    struct site_room room;
    struct pb_correction correction;

    (void)state;
    room_init(&room);
    room_add(&room, "KS8123", "k1", PB_HOUR_US);
    room_close(&room);
    room_open_as(&room, PB_SITE_ASK);
    correction = correction_of(&room, "k1", PB_HOUR_US);
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_correct(room.site, &correction, &room.error));
    assert_says(room.error.message, "not open for writing");
    room_done(&room);
}

/* ---- the law of the state of capture ---- */

static const char other_states[] =
    "agencies:\n"
    "  - { id: lake-pd, name: Example Lake Police, class: local, jurisdiction: US-IL,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: wood-pd, name: Example Wood Police, class: local, jurisdiction: US-OR,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: mill-pd, name: Example Mill Police, class: local, jurisdiction: US-OR,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "people:\n"
    "  - { id: sawyer, agency: mill-pd, name: S. Awyer, role: investigator, status: active,"
    " training_valid_until: 2027-06-01, permissions: correct }\n"
    "  - { id: clerk, agency: bureau, name: C. Lerk, role: investigator, status: active,"
    " training_valid_until: 2027-06-01, permissions: correct }\n"
    "readers:\n"
    "  - { id: i1, agency: lake-pd, capture_state: US-IL }\n"
    "  - { id: o1, agency: wood-pd, capture_state: US-OR }\n"
    "agreements:\n"
    "  - { id: lake-kansas, owner: lake-pd, asker: kansas-pd, purposes: criminal-investigation,"
    " starts_at: 2026-01-01, ends_at: 2027-01-01 }\n"
    "  - { id: wood-mill, owner: wood-pd, asker: mill-pd, purposes: criminal-investigation,"
    " starts_at: 2026-01-01, ends_at: 2027-01-01 }\n"
    "declarations:\n"
    "  - { id: promise, agency: kansas-pd, jurisdiction: US-IL, subject: protected-purposes,"
    " signer: A. Dmin, text_sha256: "
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef,"
    " signed_at: 2026-06-01T12:00:00Z, expires_at: 2027-01-01 }\n";

/* Each read was made an hour before now and was read as KS8123. */
static void
a_correction_that_the_law_of_the_state_does_not_let_pass_is_denied_by_its_rule(void **state)
{
    static const struct {
        const char *person, *reader, *case_number, *plate;
        int64_t later_us;
        const char *says; /* NULL: it passes */
        const char *log, *rules;
    } cases[] = {
        { "doe", "c1", "", "KSB123", 0, "reader: us-ca.in-state: ", "kansas-pd", "us-ca.in-state" },
        { "doe", "c1", "26-00471", "", 0, "reader: us-ca.in-state: ", "kansas-pd",
          "us-ca.in-state" },
        { "doe", "i1", "", "KSB123", -1, "reader: us-il.promise: ", "kansas-pd", "us-il.promise" },
        { "doe", "i1", "", "KSB123", 0, NULL, NULL, NULL },
        { "sawyer", "o1", "", "KSB123", 0, "case_number: us-or.case: ", "mill-pd", "us-or.case" },
        { "sawyer", "o1", "26-1", "KSB123", 0, NULL, NULL, NULL },
        { "clerk", "k1", "", "KSB123", 0, "plate: platebase-base.contributors: ", "bureau",
          "platebase-base.contributors" },
        { "clerk", "k1", "", "", 0, NULL, NULL, NULL },
    };
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_import(&room, other_states);
    room_add(&room, "KS8123", "c1", PB_HOUR_US);
    room_add(&room, "KS8123", "i1", PB_HOUR_US);
    room_add(&room, "KS8123", "o1", PB_HOUR_US);
    room_add(&room, "KS8123", "k1", PB_HOUR_US);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_correction correction = correction_of(&room, cases[i].reader, PB_HOUR_US);
        enum pb_status status;

        correction.person = pb_str_from(cases[i].person);
        correction.case_number = pb_str_from(cases[i].case_number);
        correction.plate = pb_str_from(cases[i].plate);
        room.now_us += cases[i].later_us;
        status = pb_inquiry_correct(room.site, &correction, &room.error);
        room.now_us -= cases[i].later_us;
        room_expect(&room, cases[i].says == NULL ? PB_OK : PB_DENIED, status, cases[i].reader);
        if (cases[i].says == NULL)
            continue;
        assert_says(room.error.message, cases[i].says);
        assert_true(room_leaves(&room, cases[i].log, "denied", &leaf) > 0);
        assert_says(leaf.leaf, "\"kind\":\"correction\"");
        assert_says(leaf.leaf, cases[i].rules);
        assert_says(leaf.secrets, "plate=KS8123\n");
    }
    /* What was denied is not even told to the owner, for nobody looked. */
    assert_int_equal(0, room_leaves(&room, "coast-pd", "corrected", NULL));
    assert_int_equal(1, room_leaves(&room, "lake-pd", "corrected", NULL));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "corrected", NULL));
    assert_int_equal(1, room_leaves(&room, "mill-pd", "correct", &leaf));
    assert_says(leaf.secrets, "case=26-1\n");
    room_done(&room);
}

/* Whether there is such a read is told to nobody who may not ask for it. */
static void
a_denial_is_the_same_whether_the_read_is_there_or_not(void **state)
{
    struct site_room room;
    struct pb_correction correction;
    char first[sizeof(room.error.message)];

    (void)state;
    room_init(&room);
    correction = correction_of(&room, "c1", PB_HOUR_US);
    assert_int_equal(PB_DENIED, pb_inquiry_correct(room.site, &correction, &room.error));
    memcpy(first, room.error.message, sizeof(first));
    room_add(&room, "KS8123", "c1", PB_HOUR_US);
    assert_int_equal(PB_DENIED, pb_inquiry_correct(room.site, &correction, &room.error));
    assert_string_equal(first, room.error.message);
    room_done(&room);
}

static void
a_denial_that_cannot_be_recorded_is_a_failure(void **state)
{
    struct site_room room;
    struct pb_correction correction;

    (void)state;
    room_init(&room);
    correction = correction_of(&room, "c1", PB_HOUR_US);
    room.fault.fail_file_mask = FAULT_WRITE | FAULT_SYNC;
    room.fault.fail_file_call_at = room.fault.file_call_count + 1;
    assert_int_equal(PB_E_IO, pb_inquiry_correct(room.site, &correction, &room.error));
    room.fault.fail_file_call_at = 0;
    room.fault.fail_file_mask = FAULT_ANY;
    assert_int_equal(PB_E_POISONED, pb_inquiry_correct(room.site, &correction, &room.error));
    (void)!pb_site_close(room.site, NULL);
    room.site = NULL;
    room_done(&room);
}

/* ---- holds ---- */

static void
a_hold_covers_what_it_names_in_its_window_while_it_lasts(void **state)
{
    static const uint32_t readers[] = { 3, 5 };
    static const struct {
        struct pb_hold hold; /* what is zero is as usual */
        uint32_t reader;
        bool is_covered;
    } cases[] = {
        { { .is_released = false }, 5, true },
        { { .is_released = true }, 5, false },
        { { .expires_at_us = ROOM_NOW_US }, 5, false },
        { { .expires_at_us = ROOM_NOW_US + 1 }, 5, true },
        { { .from_us = ROOM_NOW_US - 10 }, 5, true },
        { { .from_us = ROOM_NOW_US - 9 }, 5, false },
        { { .to_us = ROOM_NOW_US - 10 }, 5, false },
        { { .to_us = ROOM_NOW_US - 9 }, 5, true },
        { { .owner = 2 }, 5, true },
        { { .owner = 1 }, 5, false },
        { { .plate = { "KSA123", 6 } }, 5, true },
        { { .plate = { "KSA124", 6 } }, 5, false },
        { { .readers = readers, .reader_count = 2 }, 5, true },
        { { .readers = readers, .reader_count = 2 }, 4, false },
        { { .readers = readers, .reader_count = 2 }, PB_NO_INDEX, false },
    };
    struct pb_read read;

    (void)state;
    pb_read_init(&read);
    read.plate = pb_str_from("KSA123");
    read.captured_at_us = ROOM_NOW_US - 10;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_hold hold = cases[i].hold;

        if (hold.owner == 0)
            hold.owner = PB_NO_INDEX;
        if (hold.to_us == 0)
            hold.to_us = ROOM_NOW_US;
        if (hold.expires_at_us == 0)
            hold.expires_at_us = ROOM_NOW_US + PB_DAY_US;
        if (pb_hold_covers(&hold, &read, cases[i].reader, 2, ROOM_NOW_US) != cases[i].is_covered)
            fail_msg("case %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_cannot_be_are_refused_by_field_and_leave_no_leaf),
        cmocka_unit_test(of_reads_of_one_moment_the_event_tells_which_is_meant),
        cmocka_unit_test(a_read_is_corrected_again_and_again),
        cmocka_unit_test(who_does_not_write_corrects_nothing),
        cmocka_unit_test(
            a_correction_that_the_law_of_the_state_does_not_let_pass_is_denied_by_its_rule),
        cmocka_unit_test(a_denial_is_the_same_whether_the_read_is_there_or_not),
        cmocka_unit_test(a_denial_that_cannot_be_recorded_is_a_failure),
        cmocka_unit_test(a_hold_covers_what_it_names_in_its_window_while_it_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
