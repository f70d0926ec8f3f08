/*
 * The way from a question to rows: what is recorded, what is counted, what is left out.
 */
#include "inquiry/site_room.h"

static void
an_answer_has_its_rows_its_receipt_and_its_leaves(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found query;
    struct room_found result;
    struct pb_receipt receipt;
    const struct pb_row *row = NULL;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", 2 * PB_DAY_US);
    room_add(&room, "KSA123", "k2", PB_DAY_US);
    room_add(&room, "KSB777", "k1", PB_DAY_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "ksa-123");

    assert_int_equal(2, room_rows(&room, &inquiry));
    assert_int_equal(2, pb_answer_count(room.answer));
    assert_false(pb_answer_is_truncated(room.answer));
    assert_string_equal("", pb_answer_token(room.answer));
    assert_string_equal("", pb_answer_page(room.answer));
    row = pb_answer_row(room.answer, 0);
    assert_true(pb_str_equal(row->result.read.reader, pb_str_from("k2")));
    assert_true(pb_str_equal(row->owner, pb_str_from("kansas-pd")));
    assert_null(pb_answer_row(room.answer, 2));

    receipt = pb_answer_receipt(room.answer);
    assert_string_equal("kansas-pd", receipt.log);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "query", &query));
    assert_int_equal(receipt.query_index, query.index);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "result", &result));
    assert_int_equal(receipt.result_index, result.index);
    assert_says(query.leaf, "\"purpose\":\"criminal-investigation\"");
    assert_says(query.leaf, "\"kind\":\"plate\"");
    assert_says(query.secrets, "person=doe\n");
    assert_says(query.secrets, "plate=KSA123\n");
    assert_says(query.secrets, "case=26-00471\n");
    assert_says(query.secrets, "client=test\n");
    assert_says(result.leaf, "\"status\":\"ok\"");
    assert_says(result.leaf, "\"n\":2");
    room_done(&room);
}

static void
a_leaf_shows_no_plate_person_case_or_reason(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found query;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask(&room, &inquiry);
    (void)room_leaves(&room, "kansas-pd", "query", &query);
    assert_null(strstr(query.leaf, "KSA123"));
    assert_null(strstr(query.leaf, "doe"));
    assert_null(strstr(query.leaf, "26-00471"));
    assert_null(strstr(query.leaf, "Elm"));
    room_done(&room);
}

static void
a_denial_is_a_leaf_and_asks_nothing(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found denied;
    const struct pb_answer *answer = NULL;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.purpose = pb_str_from("reproductive-care");
    answer = room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(0, pb_answer_rows(answer));
    assert_int_equal(0, pb_answer_count(answer));
    assert_true(pb_answer_decision(answer)->rule_count > 0);
    assert_int_equal(UINT64_MAX, pb_answer_receipt(answer).result_index);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "denied", &denied));
    assert_int_equal(pb_answer_receipt(answer).query_index, denied.index);
    assert_says(denied.leaf, "\"verdict\":\"deny\"");
    assert_says(denied.leaf, "platebase-base.protected-purposes");
    assert_says(denied.secrets, "purpose=reproductive-care\n");
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "query", NULL));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "result", NULL));
    room_done(&room);
}

static void
a_person_whom_nobody_knows_is_denied_in_the_operators_log(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found denied;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.person = pb_str_from("nobody");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_string_equal(PB_AUDIT_OPERATOR, pb_answer_receipt(room.answer).log);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "denied", &denied));
    assert_says(denied.secrets, "person=nobody\n");
    room_done(&room);
}

static void
hostile_text_is_denied_and_recorded_within_bounds(void **state)
{
    static char large[10001];
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found denied;

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.justification = (struct pb_str){ large, sizeof(large) - 1 };
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "denied", &denied));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.purpose = pb_str_from("crime\n\"}\xE2\x80\xAE,");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(2, room_leaves(&room, "kansas-pd", "denied", &denied));
    assert_null(strchr(denied.leaf, '\n'));
    room_done(&room);
}

static void
rows_of_others_need_agreement_reader_and_law(void **state)
{
    static const struct {
        const char *reader;
        bool is_seen;
    } cases[] = {
        { "k1", true },  /* own */
        { "k3", false }, /* own, but captured in California */
        { "r1", true },  /* agreement names it */
        { "r2", false }, /* agreement does not */
        { "m1", true },  /* agreement over all */
        { "c1", false }, /* agreement, but California's law says no */
    };
    struct site_room room;

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        room_add(&room, "KSA123", cases[i].reader, (int64_t)(i + 1) * PB_HOUR_US);
    for (unsigned kind = 0; kind <= PB_INQUIRY_PLACE; kind++) {
        struct pb_inquiry inquiry = room_inquiry(&room, (enum pb_inquiry_kind)kind,
                                                 kind == PB_INQUIRY_PATTERN ? "KSA1?3"
                                                 : kind == PB_INQUIRY_PLATE ? "KSA123"
                                                                            : "");
        const struct pb_answer *answer = room_ask(&room, &inquiry);
        bool is_seen[sizeof(cases) / sizeof(cases[0])] = { false };

        assert_int_equal(3, pb_answer_count(answer));
        assert_int_equal(3, pb_answer_rows(answer));
        for (uint64_t row = 0; row < pb_answer_rows(answer); row++) {
            for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                is_seen[i] |= pb_str_equal(pb_answer_row(answer, row)->result.read.reader,
                                           pb_str_from(cases[i].reader));
        }
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            assert_int_equal(cases[i].is_seen, is_seen[i]);
    }
    room_done(&room);
}

static void
what_is_left_out_leaves_no_trace_in_the_answer(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_coverage before;
    struct pb_coverage after;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    before = pb_answer_coverage(room_ask(&room, &inquiry));
    for (int i = 0; i < 50; i++)
        room_add(&room, "KSA123", "c1", PB_HOUR_US + i * PB_SECOND_US);
    after = pb_answer_coverage(room_ask(&room, &inquiry));
    assert_int_equal(1, pb_answer_count(room.answer));
    assert_string_equal("", pb_answer_page(room.answer));
    assert_memory_equal(&before, &after, sizeof(before));
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA1*");
    inquiry.counts_plates = true;
    assert_int_equal(1, room_rows(&room, &inquiry));
    assert_int_equal(1, pb_answer_row(room.answer, 0)->reads);
    assert_int_equal(room.now_us - PB_DAY_US, pb_answer_row(room.answer, 0)->last_us);
    room_done(&room);
}

static void
a_read_of_an_unknown_reader_is_in_no_answer(void **state)
{
    struct site_room room;
    struct pb_read read;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KSA123", "stray", PB_DAY_US);
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(0, room_count_plate(&room, "KSA123"));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    assert_int_equal(0, room_rows(&room, &inquiry));
    room_done(&room);
}

static void
owners_are_told_what_was_given_of_theirs(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found disclosed;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    room_add(&room, "KSA123", "r1", PB_HOUR_US);
    room_add(&room, "KSA123", "r1", 2 * PB_HOUR_US);
    room_add(&room, "KSA123", "r2", 3 * PB_HOUR_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(3, room_rows(&room, &inquiry));
    assert_int_equal(1, room_leaves(&room, "river-pd", "disclosed", &disclosed));
    assert_says(disclosed.leaf, "\"asker\":\"kansas-pd\"");
    assert_says(disclosed.leaf, "\"n\":2");
    assert_says(disclosed.leaf, "\"purpose\":\"criminal-investigation\"");
    assert_says(disclosed.secrets, "person=doe\n");
    assert_says(disclosed.secrets, "case=26-00471\n");
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "disclosed", NULL));
    assert_int_equal(0, room_leaves(&room, "pine-pd", "disclosed", NULL));
    assert_int_equal(0, room_leaves(&room, "coast-pd", "disclosed", NULL));
    room_done(&room);
}

static void
questions_without_meaning_are_refused_before_anything_is_recorded(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_answer *answer = NULL;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA1*");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    assert_says(room.error.message, "pattern");
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA[");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry = room_inquiry(&room, PB_INQUIRY_COMMON, "");
    inquiry.place_count = 1;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.query.area = room.area;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.query.to_us = inquiry.query.from_us;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.page = pb_str_from("AAAA");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry.page = (struct pb_str){ 0 };
    inquiry.confirmation = pb_str_from("AAAA");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    inquiry.confirmation = (struct pb_str){ 0 };
    inquiry.approval = pb_str_from("AAAA");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    assert_null(answer);
    assert_int_equal(0, room_leaves(&room, "kansas-pd", NULL, NULL));
    room_done(&room);
}

static void
explaining_decides_and_records_but_asks_nothing(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_decision decision;
    struct pb_arena arena;
    struct room_found explained;

    (void)state;
    room_init(&room);
    pb_arena_init(&arena, room.env, 1024);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    room_expect(&room, PB_OK,
                pb_inquiry_explain(room.site, &inquiry, &arena, &decision, &room.error), "explain");
    assert_int_equal(PB_POLICY_ALLOW, decision.verdict);
    inquiry.purpose = pb_str_from("protected-activity");
    room_expect(&room, PB_OK,
                pb_inquiry_explain(room.site, &inquiry, &arena, &decision, &room.error), "explain");
    assert_int_equal(PB_POLICY_DENY, decision.verdict);
    assert_true(decision.rule_count > 0 && decision.rules[0].id.bytes > 0);
    assert_int_equal(2, room_leaves(&room, "kansas-pd", "explained", &explained));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "query", NULL));
    pb_arena_clear(&arena);
    room_done(&room);
}

static void
looking_at_a_site_asks_nothing(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_answer *answer = NULL;

    (void)state;
    room_init(&room);
    room_close(&room);
    room_open_as(&room, PB_SITE_LOOK);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    room_done(&room);
}

static void
coverage_tells_which_readers_of_a_place_were_up(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_coverage coverage;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    room_add(&room, "KSB123", "k1", PB_DAY_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    coverage = pb_answer_coverage(room_ask(&room, &inquiry));
    /* k1, r1 and m1 stand there and are the asker's to see; one of them was heard of. */
    assert_int_equal(3, coverage.readers_in_scope);
    assert_true(coverage.is_up_known);
    assert_int_equal(1, coverage.readers_up);
    assert_true(coverage.origins_excluded > 0);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    coverage = pb_answer_coverage(room_ask(&room, &inquiry));
    assert_int_equal(4, coverage.readers_in_scope);
    assert_true(coverage.is_up_known);
    assert_int_equal(1, coverage.readers_up);
    room_done(&room);
}

/* ---- how large it is ---- */

/* Two triangles of 150 square kilometres each, of which one goes the other way round. */
static void
an_area_is_as_large_as_what_it_contains_whatever_its_words_or_its_shape_say(void **state)
{
    static const struct pb_geo_point corners[] = { { ROOM_LAT_E7, ROOM_LON_E7 - 1000000 },
                                                   { ROOM_LAT_E7 + 1600000, ROOM_LON_E7 + 1000000 },
                                                   { ROOM_LAT_E7, ROOM_LON_E7 + 1000000 },
                                                   { ROOM_LAT_E7 + 1600000,
                                                     ROOM_LON_E7 - 1000000 } };
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_geo_area *area = NULL;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK, pb_geo_area_from_polygon(room.env, corners, 4, &area, &room.error),
                "area");
    inquiry = room_inquiry(&room, PB_INQUIRY_PLACE, "");
    room.places[0].area = area;
    room.places[0].area_text = pb_str_from("circle 38.5,-98 1 m");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_true(pb_str_equal(pb_answer_decision(room.answer)->rules[0].id,
                             pb_str_from("platebase-base.area-limit")));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "denied", &leaf));
    assert_says(leaf.leaf, "\"m2\":309");
    pb_geo_area_free(room.env, area);
    room_done(&room);
}

/* ---- how long it takes ---- */

static int64_t
pause_of(struct site_room *room, const struct pb_inquiry *inquiry, int64_t tick_ns)
{
    room->paused_us = 0;
    room->tick_ns = tick_ns;
    (void)room_ask(room, inquiry);
    room->tick_ns = 0;
    return room->paused_us;
}

/* However long the store took, 8 ms, 16 ms, 32 ms... after it was asked there is an answer. */
static void
an_answer_from_which_anything_is_left_out_waits_for_the_next_step(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    int64_t looks; /* at the time, between when the store was asked and when it was done */

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "c1", PB_HOUR_US); /* not theirs to see */
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(8000, pause_of(&room, &inquiry, 0));
    looks = 8000 - pause_of(&room, &inquiry, 1000);
    assert_in_range(looks, 1, 7);
    for (int64_t spent_us = 1000; spent_us < 1000000; spent_us = spent_us * 3 / 2) {
        int64_t step_us = 8000;
        int64_t tick_us = spent_us / looks;

        while (step_us <= tick_us * looks)
            step_us *= 2;
        assert_int_equal(step_us - tick_us * looks, pause_of(&room, &inquiry, tick_us * 1000));
    }
    /* A plate that nobody ever read, a page, and what fails on its way. */
    inquiry.query.plate = pb_str_from("KSN000");
    assert_int_equal(8000, pause_of(&room, &inquiry, 0));
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    room_add(&room, "KSA123", "k1", 2 * PB_HOUR_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.rows_wanted = 1;
    assert_int_equal(8000, pause_of(&room, &inquiry, 0));
    {
        char page[1024];

        (void)snprintf(page, sizeof(page), "%s", pb_answer_page(room.answer));
        inquiry.page = pb_str_from(page);
        assert_int_equal(8000, pause_of(&room, &inquiry, 0));
    }
    /* Denied is denied at once: nothing was read. */
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.purpose = pb_str_from("protected-activity");
    room.paused_us = 0;
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(0, room.paused_us);
    room_done(&room);
}

static void
an_answer_from_which_nothing_is_left_out_waits_for_nothing(void **state)
{
    static const char catalog[] =
        "agencies:\n"
        "  - { id: kansas-pd, name: Example Kansas Police, class: local, jurisdiction: US-KS,"
        " contributes: yes, reviewed_at: 2026-05-15 }\n"
        "people:\n"
        "  - { id: doe, agency: kansas-pd, name: J. Doe, role: investigator, status: active,"
        " training_valid_until: 2027-06-01 }\n"
        "readers:\n"
        "  - { id: k1, agency: kansas-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
        "offences:\n"
        "  - { id: burglary, title: Burglary, jurisdiction: US-KS, class: felony,"
        " limitation_years: 5 }\n";
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init_directory(&room);
    room_expect(&room, PB_OK, pb_site_create(room.env, room.path, &room.error), "create");
    room_open_as(&room, PB_SITE_WRITE);
    room_import(&room, catalog);
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(0, pause_of(&room, &inquiry, 0));
    assert_int_equal(0, pause_of(&room, &inquiry, 9000000));
    assert_int_equal(1, pb_answer_rows(room.answer));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_rows_its_receipt_and_its_leaves),
        cmocka_unit_test(a_leaf_shows_no_plate_person_case_or_reason),
        cmocka_unit_test(a_denial_is_a_leaf_and_asks_nothing),
        cmocka_unit_test(a_person_whom_nobody_knows_is_denied_in_the_operators_log),
        cmocka_unit_test(hostile_text_is_denied_and_recorded_within_bounds),
        cmocka_unit_test(rows_of_others_need_agreement_reader_and_law),
        cmocka_unit_test(what_is_left_out_leaves_no_trace_in_the_answer),
        cmocka_unit_test(a_read_of_an_unknown_reader_is_in_no_answer),
        cmocka_unit_test(owners_are_told_what_was_given_of_theirs),
        cmocka_unit_test(questions_without_meaning_are_refused_before_anything_is_recorded),
        cmocka_unit_test(explaining_decides_and_records_but_asks_nothing),
        cmocka_unit_test(looking_at_a_site_asks_nothing),
        cmocka_unit_test(coverage_tells_which_readers_of_a_place_were_up),
        cmocka_unit_test(
            an_area_is_as_large_as_what_it_contains_whatever_its_words_or_its_shape_say),
        cmocka_unit_test(an_answer_from_which_anything_is_left_out_waits_for_the_next_step),
        cmocka_unit_test(an_answer_from_which_nothing_is_left_out_waits_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
