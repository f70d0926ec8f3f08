/*
 * Subject access: what the own agency holds of a plate, and who was given it, to an auditor, after
 * a second person, on record.
 */
#include "inquiry/inquiry_private.h"
#include "inquiry/site_room.h"

static struct pb_inquiry
subject_inquiry(struct site_room *room, const char *plate)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, plate);

    inquiry.kind = PB_INQUIRY_SUBJECT;
    inquiry.person = pb_str_from("aud");
    inquiry.purpose = pb_str_from("subject-access");
    inquiry.offence = pb_str_from("");
    inquiry.case_number = pb_str_from("SAR-12");
    inquiry.justification = pb_str_from("Letter of May asks for all reads of this spring");
    inquiry.identity = pb_str_from("Passport and registration seen at the desk");
    inquiry.relation = PB_RELATION_UNSTATED;
    inquiry.has_stepped_up = false;
    return inquiry;
}

/* Asks, has it approved by the supervisor, and asks again. */
static const struct pb_answer *
ask_approved(struct site_room *room, struct pb_inquiry inquiry)
{
    static char token[1024];

    (void)snprintf(token, sizeof(token), "%s",
                   pb_answer_token(room_ask_for(room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON)));
    room_expect(room, PB_OK,
                pb_inquiry_approve(room->site, pb_str_from("sup"), pb_str_from(token), true,
                                   pb_str_from("The letter and the passport fit"), &room->error),
                "approve");
    inquiry.approval = pb_str_from(token);
    return room_ask(room, &inquiry);
}

static int
setup(void **state)
{
    struct site_room *room = calloc(1, sizeof(*room));

    assert_non_null(room);
    room_init(room);
    *state = room;
    return 0;
}

static int
teardown(void **state)
{
    struct site_room *room = *state;

    room_done(room);
    free(room);
    return 0;
}

static void
the_reads_are_the_own_agencys_alone(void **state)
{
    struct site_room *room = *state;
    struct pb_inquiry inquiry = subject_inquiry(room, "KSA123");
    const struct pb_answer *answer;
    struct room_found leaf;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    room_add(room, "KSA123", "k2", 2 * PB_HOUR_US);
    room_add(room, "KSA123", "r1", PB_HOUR_US); /* another agency's, which lets them ask */
    room_add(room, "KSA124", "k1", PB_HOUR_US); /* somebody else's */
    answer = ask_approved(room, inquiry);
    assert_int_equal(2, pb_answer_rows(answer));
    for (uint64_t i = 0; i < 2; i++)
        assert_true(pb_str_equal(pb_str_from("kansas-pd"), pb_answer_row(answer, i)->owner));
    assert_non_null(pb_answer_disclosures(answer));
    assert_int_equal(0, pb_answer_disclosures(answer)->count);
    assert_int_equal(1, room_leaves(room, "kansas-pd", "query", &leaf));
    assert_says(leaf.leaf, "\"kind\":\"subject\",\"purpose\":\"subject-access\"");
    assert_says(leaf.secrets, "identity=Passport and registration seen at the desk\n");
    assert_says(leaf.secrets, "approver=sup\n");
    assert_null(strstr(leaf.leaf, "KSA123"));
    assert_int_equal(0, room_leaves(room, "river-pd", "disclosed", NULL));
}

static void
whoever_looked_for_the_plate_or_was_given_it_is_told(void **state)
{
    struct site_room *room = *state;
    struct pb_inquiry own = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_inquiry others = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_inquiry unnamed = room_inquiry(room, PB_INQUIRY_PATTERN, "KSA12?");
    struct pb_inquiry another = room_inquiry(room, PB_INQUIRY_PLATE, "KSB999");
    const struct pb_disclosures *disclosures;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    room_add(room, "KSA123", "k1", 2 * PB_HOUR_US);
    assert_int_equal(2, room_rows(room, &own));
    others.person = pb_str_from("agent"); /* of the bureau, under an agreement */
    others.purpose = pb_str_from("criminal-investigation");
    assert_int_equal(2, room_rows(room, &others));
    assert_int_equal(2, room_rows(room, &unnamed));
    (void)room_ask(room, &another);
    disclosures = pb_answer_disclosures(ask_approved(room, subject_inquiry(room, "ksa-123")));
    assert_int_equal(2, disclosures->count);
    assert_true(pb_str_equal(pb_str_from("kansas-pd"), disclosures->items[0].agency));
    assert_true(pb_str_equal(pb_str_from("plate"), disclosures->items[0].kind));
    assert_true(pb_str_equal(pb_str_from("criminal-investigation"), disclosures->items[0].purpose));
    assert_int_equal(2, disclosures->items[0].reads);
    assert_true(disclosures->items[0].is_case_open);
    assert_true(pb_str_equal(pb_str_from("bureau"), disclosures->items[1].agency));
    assert_int_equal(2, disclosures->items[1].reads);
    assert_false(disclosures->items[1].is_case_open); /* no case of theirs is known */
    assert_int_equal(1, disclosures->unnamed);
    assert_false(disclosures->is_cut);
    /* And the next one tells of this. */
    disclosures = pb_answer_disclosures(ask_approved(room, subject_inquiry(room, "KSA123")));
    assert_int_equal(3, disclosures->count);
    assert_true(pb_str_equal(pb_str_from("subject"), disclosures->items[2].kind));
}

static void
who_may_not_or_does_not_say_enough_is_denied(void **state)
{
    static const struct {
        const char *person, *purpose, *identity, *says;
    } cases[] = {
        { "doe", "subject-access", "Passport seen", "platebase-base.permission" },
        { "sup", "subject-access", "Passport seen", "platebase-base.permission" },
        { "aud", "criminal-investigation", "Passport seen", "platebase-base.subject-purpose" },
        { "aud", "subject-access", "", "platebase-base.subject-identity" },
    };
    struct site_room *room = *state;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_inquiry inquiry = subject_inquiry(room, "KSA123");
        const struct pb_decision *decision;
        bool is_said = false;

        inquiry.person = pb_str_from(cases[i].person);
        inquiry.purpose = pb_str_from(cases[i].purpose);
        inquiry.identity = pb_str_from(cases[i].identity);
        decision = pb_answer_decision(room_ask_for(room, &inquiry, PB_POLICY_DENY));
        for (uint32_t at = 0; at < decision->rule_count; at++)
            is_said |= decision->rules[at].verdict == PB_POLICY_DENY &&
                       pb_str_equal(decision->rules[at].id, pb_str_from(cases[i].says));
        if (!is_said)
            fail_msg("case %zu: %s did not speak", i, cases[i].says);
        assert_null(pb_answer_disclosures(room->answer));
        assert_int_equal(0, pb_answer_rows(room->answer));
    }
    assert_int_equal(0, room_leaves(room, "kansas-pd", "query", NULL));
}

/* An approval is for just this person's request. */
static void
another_plate_needs_another_approval(void **state)
{
    struct site_room *room = *state;
    struct pb_inquiry inquiry = subject_inquiry(room, "KSA123");
    char token[1024];

    (void)snprintf(token, sizeof(token), "%s",
                   pb_answer_token(room_ask_for(room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON)));
    room_expect(room, PB_OK,
                pb_inquiry_approve(room->site, pb_str_from("sup"), pb_str_from(token), true,
                                   pb_str_from("The letter and the passport fit"), &room->error),
                "approve");
    inquiry = subject_inquiry(room, "KSB999");
    inquiry.approval = pb_str_from(token);
    pb_answer_free(room->answer);
    room->answer = NULL;
    assert_int_equal(PB_BAD_INPUT,
                     pb_inquiry_ask(room->site, &inquiry, &room->answer, &room->error));
    inquiry = subject_inquiry(room, "KSA123");
    inquiry.identity = pb_str_from("Nothing was seen");
    inquiry.approval = pb_str_from(token);
    assert_int_equal(PB_BAD_INPUT,
                     pb_inquiry_ask(room->site, &inquiry, &room->answer, &room->error));
}

static void
a_part_of_a_plate_is_nobodys(void **state)
{
    struct site_room *room = *state;
    struct pb_inquiry inquiry = subject_inquiry(room, "KSA12?");

    assert_int_equal(PB_BAD_INPUT,
                     pb_inquiry_ask(room->site, &inquiry, &room->answer, &room->error));
    assert_says(room->error.message, "plate: one whole plate");
}

/* Any allocation fails, or any call of a file: no answer, or a whole one with its leaves. */
static void
without_memory_there_is_no_answer_or_a_whole_one(void **state)
{
    struct site_room *room = *state;
    struct pb_inquiry own = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_inquiry inquiry = subject_inquiry(room, "KSA123");
    enum pb_status status = PB_E_NOMEM;
    char token[1024];
    uint64_t n = 0;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    (void)room_ask(room, &own);
    while (status != PB_OK) {
        uint64_t answers;

        /* An approval is used up by an attempt that comes as far as that. */
        inquiry.approval = pb_str_from("");
        (void)snprintf(token, sizeof(token), "%s",
                       pb_answer_token(
                           room_ask_for(room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON)));
        room_expect(room, PB_OK,
                    pb_inquiry_approve(room->site, pb_str_from("sup"), pb_str_from(token), true,
                                       pb_str_from("The letter fits"), &room->error),
                    "approve");
        inquiry.approval = pb_str_from(token);
        pb_answer_free(room->answer);
        room->answer = NULL;
        answers = room_leaves(room, "kansas-pd", "result", NULL);
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_inquiry_ask(room->site, &inquiry, &room->answer, &room->error);
        room->fault.fail_allocation_at = 0;
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        if (status == PB_OK) {
            assert_int_equal(1, pb_answer_rows(room->answer));
            assert_true(pb_answer_disclosures(room->answer)->count >= 1);
            assert_true(room_leaves(room, "kansas-pd", "result", NULL) > answers);
        }
        assert_true(n < 500);
    }
    assert_true(n > 20);
}

/* As if so many answers had held the plate. */
static void
disclose(struct site_room *room, uint32_t count)
{
    struct pb_draft *leaves = calloc(count, sizeof(*leaves));
    uint64_t *indices = calloc(count, sizeof(*indices));

    assert_non_null(leaves);
    assert_non_null(indices);
    for (uint32_t i = 0; i < count; i++) {
        pb_draft_init(&leaves[i], "kansas-pd", "disclosed", PB_KEEP_OPENINGS_US);
        pb_draft_text(&leaves[i], "asker", pb_str_from("river-pd"));
        pb_draft_number(&leaves[i], "n", 1);
        pb_draft_secret(&leaves[i], "plate", pb_str_from("KSA123"));
    }
    room_expect(room, PB_OK, pb_drafts_append(room->site, leaves, count, indices, &room->error),
                "leaves");
    free(leaves);
    free(indices);
}

static void
a_thousand_are_told_and_that_there_are_more(void **state)
{
    struct site_room *room = *state;
    const struct pb_disclosures *told;

    disclose(room, PB_DISCLOSURES_MAX - 1);
    told = pb_answer_disclosures(ask_approved(room, subject_inquiry(room, "KSA123")));
    assert_int_equal(PB_DISCLOSURES_MAX - 1, told->count);
    assert_false(told->is_cut);
    /* That inquiry is one itself now. */
    told = pb_answer_disclosures(ask_approved(room, subject_inquiry(room, "KSA123")));
    assert_int_equal(PB_DISCLOSURES_MAX, told->count);
    assert_false(told->is_cut);
    told = pb_answer_disclosures(ask_approved(room, subject_inquiry(room, "KSA123")));
    assert_int_equal(PB_DISCLOSURES_MAX, told->count);
    assert_true(told->is_cut);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(the_reads_are_the_own_agencys_alone),
        CASE(whoever_looked_for_the_plate_or_was_given_it_is_told),
        CASE(who_may_not_or_does_not_say_enough_is_denied),
        CASE(another_plate_needs_another_approval),
        CASE(a_part_of_a_plate_is_nobodys),
        CASE(without_memory_there_is_no_answer_or_a_whole_one),
        CASE(a_thousand_are_told_and_that_there_are_more),
    };

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
