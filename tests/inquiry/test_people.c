/*
 * The second person, broken glass, exports and corrections.
 */
#include "inquiry/site_room.h"

/* An inquiry that needs a second person: following an associate of the subject. */
static struct pb_inquiry
held_inquiry(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.relation = PB_RELATION_ASSOCIATE;
    return inquiry;
}

static void
ask_held(struct site_room *room, const struct pb_inquiry *inquiry, char token[1024])
{
    (void)room_ask_for(room, inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    assert_int_equal(0, pb_answer_rows(room->answer));
    assert_int_equal(0, pb_answer_count(room->answer));
    assert_true(strlen(pb_answer_token(room->answer)) > 0);
    (void)snprintf(token, 1024, "%s", pb_answer_token(room->answer));
}

static enum pb_status
approve(struct site_room *room, const char *person, const char *token, bool is_approved)
{
    return pb_inquiry_approve(room->site, pb_str_from(person), pb_str_from(token), is_approved,
                              pb_str_from("Seen the case file"), &room->error);
}

static void
an_approval_counts_once_for_one_inquiry(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    char token[1024];

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    inquiry = held_inquiry(&room);
    ask_held(&room, &inquiry, token);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "held", &leaf));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "query", NULL));

    /* Before somebody approved, the token says nothing. */
    inquiry.approval = pb_str_from(token);
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    room_expect(&room, PB_OK, approve(&room, "sup", token, true), "approve");
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "approve", &leaf));
    assert_says(leaf.secrets, "approver=sup\n");
    assert_int_equal(PB_BAD_INPUT, approve(&room, "sup", token, true));

    assert_int_equal(1, room_rows(&room, &inquiry));
    (void)room_leaves(&room, "kansas-pd", "query", &leaf);
    assert_says(leaf.secrets, "approver=sup\n");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "query", NULL));
    room_done(&room);
}

static void
nobody_approves_what_is_not_theirs_to_approve(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    char token[1024];
    static const char *const people[] = { "doe", "low", "aud", "chief", "nobody", "" };

    (void)state;
    room_init(&room);
    inquiry = held_inquiry(&room);
    ask_held(&room, &inquiry, token);
    for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
        assert_int_equal(PB_DENIED, approve(&room, people[i], token, true));
    assert_int_equal(PB_BAD_INPUT, approve(&room, "sup", "AAAA", true));
    /* Not for oneself by way of somebody else either. */
    inquiry.on_behalf_of = pb_str_from("sup");
    ask_held(&room, &inquiry, token);
    assert_int_equal(PB_DENIED, approve(&room, "sup", token, true));
    assert_says(room.error.message, "asked for them");
    /* A supervisor who asks needs another one. */
    inquiry = held_inquiry(&room);
    inquiry.person = pb_str_from("sup");
    ask_held(&room, &inquiry, token);
    assert_int_equal(PB_DENIED, approve(&room, "sup", token, true));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "approve", NULL));
    room_done(&room);
}

static void
what_was_refused_stays_refused(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    char token[1024];

    (void)state;
    room_init(&room);
    inquiry = held_inquiry(&room);
    ask_held(&room, &inquiry, token);
    room_expect(&room, PB_OK, approve(&room, "sup", token, false), "refuse");
    assert_int_equal(PB_BAD_INPUT, approve(&room, "sup", token, true));
    inquiry.approval = pb_str_from(token);
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "refuse", NULL));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "query", NULL));
    room_done(&room);
}

static void
an_approval_is_good_for_just_that_inquiry_and_a_day(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_inquiry other;
    struct pb_answer *answer = NULL;
    char token[1024];

    (void)state;
    room_init(&room);
    inquiry = held_inquiry(&room);
    ask_held(&room, &inquiry, token);
    room_expect(&room, PB_OK, approve(&room, "sup", token, true), "approve");
    inquiry.approval = pb_str_from(token);
    other = inquiry;
    other.query.plate = pb_str_from("KSB999");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.case_number = pb_str_from("26-00999");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.person = pb_str_from("low");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    room.now_us += PB_DAY_US;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    room.now_us -= PB_SECOND_US;
    (void)room_ask(&room, &inquiry);
    room_done(&room);
}

static bool
keep_entry(void *context, const struct pb_audit_entry *entry)
{
    return room_note_entry(context, entry);
}

static void
who_approves_sees_what_and_nothing_else(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found found = { 0 };
    char token[1024];

    (void)state;
    room_init(&room);
    inquiry = held_inquiry(&room);
    ask_held(&room, &inquiry, token);
    inquiry.query.plate = pb_str_from("KSB999");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    assert_int_equal(PB_DENIED, pb_review_pending(room.site, pb_str_from("low"), pb_str_from(token),
                                                  keep_entry, &found, &room.error));
    room_expect(&room, PB_OK,
                pb_review_pending(room.site, pb_str_from("sup"), pb_str_from(token), keep_entry,
                                  &found, &room.error),
                "pending");
    assert_int_equal(1, found.count);
    assert_says(found.secrets, "plate=KSA123\n");
    assert_says(found.secrets, "person=doe\n");
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "audit-read", NULL));
    room_done(&room);
}

/* ---- broken glass ---- */

struct notices {
    unsigned count;
    char last[1024];
};

static bool
note_notice(void *context, const char *key, struct pb_str value)
{
    struct notices *notices = context;

    (void)key;
    notices->count++;
    (void)snprintf(notices->last, sizeof(notices->last), "%.*s", (int)value.bytes, value.text);
    return true;
}

static void
broken_glass_is_told_to_owners_and_auditors(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    struct notices notices = { 0 };

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "r1", PB_HOUR_US);
    inquiry = held_inquiry(&room);
    inquiry.is_break_glass = true;
    inquiry.purpose = pb_str_from("emergency");
    inquiry.offence = (struct pb_str){ 0 };
    inquiry.justification = pb_str_from("Child taken from a playground, silver van leaving north");
    assert_int_equal(1, room_rows(&room, &inquiry));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "break-glass", NULL));
    assert_int_equal(1, room_leaves(&room, "river-pd", "break-glass", &leaf));
    assert_says(leaf.leaf, "\"asker\":\"kansas-pd\"");
    assert_int_equal(1, room_leaves(&room, "river-pd", "disclosed", NULL));

    room_expect(&room, PB_OK,
                pb_review_notices(room.site, pb_str_from("rivaud"), note_notice, &notices,
                                  &room.error),
                "notices");
    assert_int_equal(1, notices.count);
    assert_says(notices.last, "what=break-glass");
    assert_says(notices.last, "asker=kansas-pd");
    notices.count = 0;
    room_expect(&room, PB_OK,
                pb_review_notices(room.site, pb_str_from("aud"), note_notice, &notices,
                                  &room.error),
                "notices");
    assert_int_equal(1, notices.count);
    /* Only who may. */
    inquiry.person = pb_str_from("low");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    room_done(&room);
}

/* ---- exports ---- */

static void
an_export_is_registered_with_recipient_and_mark(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    struct notices register_of = { 0 };

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.is_export = true;
    inquiry.export_recipient = pb_str_from("kansas-pd");
    inquiry.export_format = pb_str_from("csv");
    assert_int_equal(1, room_rows(&room, &inquiry));
    assert_int_equal(32, strlen(pb_answer_watermark(room.answer)));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "export", &leaf));
    assert_says(leaf.leaf, pb_answer_watermark(room.answer));
    assert_says(leaf.secrets, "recipient=kansas-pd\n");
    room_expect(&room, PB_OK,
                pb_review_disclosures(room.site, pb_str_from("aud"), note_notice, &register_of,
                                      &room.error),
                "register");
    assert_int_equal(1, register_of.count);
    assert_says(register_of.last, "recipient=kansas-pd");
    assert_null(strstr(register_of.last, "KSA123"));
    /* Without a recipient there is none. */
    inquiry.export_recipient = (struct pb_str){ 0 };
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_string_equal("", pb_answer_watermark(room.answer));
    room_done(&room);
}

/* ---- corrections ---- */

static struct pb_correction
correction_of(const struct site_room *room, const char *person, const char *reader,
              int64_t before_us)
{
    return (struct pb_correction){
        .person = pb_str_from(person),
        .why = pb_str_from("The picture shows a B, not an 8"),
        .reader = pb_str_from(reader),
        .wrong_plate = pb_str_from("KS8123"),
        .captured_at_us = room->now_us - before_us,
        .plate = pb_str_from("KSB123"),
    };
}

static void
a_correction_moves_a_read_and_keeps_what_the_reader_said(void **state)
{
    struct site_room room;
    struct pb_correction correction;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    const struct pb_read *read = NULL;

    (void)state;
    room_init(&room);
    room_add(&room, "KS8123", "k1", PB_HOUR_US);
    correction = correction_of(&room, "doe", "k1", PB_HOUR_US);
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "correct");
    assert_int_equal(0, room_count_plate(&room, "KS8123"));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSB123");
    assert_int_equal(1, room_rows(&room, &inquiry));
    read = &pb_answer_row(room.answer, 0)->result.read;
    assert_true(read->is_correction);
    assert_true(pb_str_equal(read->plate_raw, pb_str_from("KS8123")));
    assert_int_equal(1, read->revision);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "correct", &leaf));
    assert_says(leaf.secrets, "plate=KS8123\n");
    assert_says(leaf.secrets, "after=KSB123\n");
    /* The history is there for who asks for it. */
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KS8123");
    inquiry.query.with_superseded = true;
    assert_int_equal(1, room_rows(&room, &inquiry));
    assert_true(pb_answer_row(room.answer, 0)->result.read.is_superseded);
    room_reopen(&room);
    assert_int_equal(1, room_count_plate(&room, "KSB123"));
    room_done(&room);
}

static void
a_read_without_a_readable_plate_is_in_no_answer(void **state)
{
    struct site_room room;
    struct pb_correction correction;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    room_add(&room, "KS8123", "k1", PB_HOUR_US);
    correction = correction_of(&room, "doe", "k1", PB_HOUR_US);
    correction.plate = (struct pb_str){ 0 };
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "correct");
    assert_int_equal(0, room_count_plate(&room, "KS8123"));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    assert_int_equal(0, room_rows(&room, &inquiry));
    room_done(&room);
}

static void
only_who_may_corrects_and_the_owner_is_told(void **state)
{
    struct site_room room;
    struct pb_correction correction;

    (void)state;
    room_init(&room);
    room_add(&room, "KS8123", "r1", PB_HOUR_US);
    room_add(&room, "KS8123", "r2", PB_HOUR_US);
    correction = correction_of(&room, "aud", "r1", PB_HOUR_US);
    assert_int_equal(PB_DENIED, pb_inquiry_correct(room.site, &correction, &room.error));
    correction = correction_of(&room, "doe", "r2", PB_HOUR_US); /* not in the agreement */
    assert_int_equal(PB_DENIED, pb_inquiry_correct(room.site, &correction, &room.error));
    assert_says(room.error.message, "reader: platebase-base.agreement: ");
    correction = correction_of(&room, "doe", "stray", PB_HOUR_US);
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_correct(room.site, &correction, &room.error));
    correction = correction_of(&room, "doe", "r1", PB_HOUR_US);
    correction.why = (struct pb_str){ 0 };
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_correct(room.site, &correction, &room.error));
    assert_int_equal(0, room_leaves(&room, "river-pd", "corrected", NULL));

    correction = correction_of(&room, "doe", "r1", PB_HOUR_US);
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "correct");
    assert_int_equal(1, room_leaves(&room, "river-pd", "corrected", NULL));
    /* What is not there is a leaf and no more. */
    assert_int_equal(PB_NOT_FOUND, pb_inquiry_correct(room.site, &correction, &room.error));
    assert_int_equal(2, room_leaves(&room, "kansas-pd", "correct", NULL));
    room_done(&room);
}

static void
reads_of_others_are_corrected_under_an_agreement_alone(void **state)
{
    static const struct {
        const char *fields;
        enum pb_status expected;
    } cases[] = {
        { "purposes: \"\", starts_at: 2026-01-01, ends_at: 2027-01-01", PB_DENIED },
        { "purposes: unheard-of, starts_at: 2026-01-01, ends_at: 2027-01-01", PB_DENIED },
        { "purposes: emergency, starts_at: 2026-01-01, ends_at: 2026-06-01T12:00:00Z", PB_DENIED },
        { "purposes: emergency, starts_at: 2026-01-01, ends_at: 2026-06-01T12:00:00.000001Z",
          PB_OK },
    };
    struct site_room room;
    struct pb_correction correction;
    char yaml[300];

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum pb_status status;

        (void)snprintf(yaml, sizeof(yaml),
                       "agreements:\n  - { id: river-kansas, owner: river-pd, asker: kansas-pd, "
                       "readers: r1, %s }\n",
                       cases[i].fields);
        room_import(&room, yaml);
        room_add(&room, "KS8123", "r1", (int64_t)(i + 1) * PB_HOUR_US);
        correction = correction_of(&room, "doe", "r1", (int64_t)(i + 1) * PB_HOUR_US);
        status = pb_inquiry_correct(room.site, &correction, &room.error);
        room_expect(&room, cases[i].expected, status, cases[i].fields);
    }
    assert_int_equal(1, room_leaves(&room, "river-pd", "corrected", NULL));
    room_done(&room);
}

static void
an_expired_read_is_not_there_to_be_corrected(void **state)
{
    struct site_room room;
    struct pb_correction correction;
    struct pb_read read;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KS8123", "m1", 0);
    assert_int_equal(PB_OK, room_append(&room, &read)); /* stored without a date */
    room.now_us += 21 * PB_DAY_US;
    correction = correction_of(&room, "doe", "m1", 21 * PB_DAY_US);
    assert_int_equal(PB_NOT_FOUND, pb_inquiry_correct(room.site, &correction, &room.error));
    room.now_us -= PB_SECOND_US;
    room_expect(&room, PB_OK, pb_inquiry_correct(room.site, &correction, &room.error), "correct");
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_approval_counts_once_for_one_inquiry),
        cmocka_unit_test(nobody_approves_what_is_not_theirs_to_approve),
        cmocka_unit_test(what_was_refused_stays_refused),
        cmocka_unit_test(an_approval_is_good_for_just_that_inquiry_and_a_day),
        cmocka_unit_test(who_approves_sees_what_and_nothing_else),
        cmocka_unit_test(broken_glass_is_told_to_owners_and_auditors),
        cmocka_unit_test(an_export_is_registered_with_recipient_and_mark),
        cmocka_unit_test(a_correction_moves_a_read_and_keeps_what_the_reader_said),
        cmocka_unit_test(a_read_without_a_readable_plate_is_in_no_answer),
        cmocka_unit_test(only_who_may_corrects_and_the_owner_is_told),
        cmocka_unit_test(reads_of_others_are_corrected_under_an_agreement_alone),
        cmocka_unit_test(an_expired_read_is_not_there_to_be_corrected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
