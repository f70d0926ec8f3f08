/*
 * Review: auditors see their own agency's entries and nothing else, and every look is a leaf.
 */
#include "inquiry/site_room.h"

static enum pb_status
review(struct site_room *room, const char *person, const struct pb_review_filter *filter,
       struct room_found *found)
{
    memset(found, 0, sizeof(*found));
    return pb_review_read(room->site, pb_str_from(person), filter, room_note_entry, found,
                          &room->error);
}

/* Three inquiries: two plates, one of them twice. */
static void
ask_some(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    (void)room_ask(room, &inquiry);
    room->now_us += PB_HOUR_US;
    inquiry.query.plate = pb_str_from("ks-b 999");
    (void)room_ask(room, &inquiry);
    room->now_us += PB_HOUR_US;
    inquiry = room_inquiry(room, PB_INQUIRY_PATTERN, "KSA1*");
    inquiry.case_number = pb_str_from("26-00999");
    (void)room_ask(room, &inquiry);
}

static void
an_auditor_finds_entries_by_what_they_hold(void **state)
{
    struct site_room room;
    struct room_found found;
    const struct {
        struct pb_review_filter filter;
        uint64_t count;
    } cases[] = {
        { { .event = "query" }, 3 },
        { { .event = "query", .person = pb_str_from("doe") }, 3 },
        { { .event = "query", .person = pb_str_from("low") }, 0 },
        { { .event = "query", .plate = pb_str_from("KSA123") }, 1 },
        { { .event = "query", .plate = pb_str_from("KSB-999") }, 1 },
        { { .event = "query", .plate = pb_str_from("KSA1*") }, 1 },
        { { .event = "query", .case_number = pb_str_from("26-00999") }, 1 },
        { { .event = "query", .kind = pb_str_from("plate") }, 2 },
        { { .event = "query", .kind = pb_str_from("pattern") }, 1 },
        { { .event = "query", .kind = pb_str_from("pattern"), .plate = pb_str_from("KSA123") }, 0 },
        { { .event = "query",
            .from_us = ROOM_NOW_US + PB_HOUR_US - PB_SECOND_US,
            .to_us = ROOM_NOW_US + PB_HOUR_US + PB_SECOND_US },
          1 },
        { { .event = "result" }, 3 },
        { { .event = "denied" }, 0 },
    };

    (void)state;
    room_init(&room);
    ask_some(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_expect(&room, PB_OK, review(&room, "aud", &cases[i].filter, &found), "review");
        if (found.count != cases[i].count)
            fail_msg("case %zu: %llu entries", i, (unsigned long long)found.count);
    }
    /* Each look is a leaf, with what was looked for. */
    assert_int_equal(sizeof(cases) / sizeof(cases[0]),
                     room_leaves(&room, "kansas-pd", "audit-read", &found));
    assert_says(found.secrets, "person=aud\n");
    assert_says(found.secrets, "event=denied");
    room_done(&room);
}

static void
only_auditors_look_and_only_at_their_own_log(void **state)
{
    static const char *const others[] = { "doe", "sup", "adm", "low", "nobody" };
    struct pb_review_filter filter = { .event = "query" };
    struct site_room room;
    struct room_found found;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "r1", PB_HOUR_US);
    ask_some(&room);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(PB_DENIED, review(&room, others[i], &filter, &found));
        assert_int_equal(0, found.count);
    }
    /* The auditor of another agency sees that agency's log. */
    room_expect(&room, PB_OK, review(&room, "rivaud", &filter, &found), "review");
    assert_int_equal(0, found.count);
    filter.event = "disclosed";
    room_expect(&room, PB_OK, review(&room, "rivaud", &filter, &found), "review");
    assert_int_equal(2, found.count);
    assert_says(found.secrets, "person=doe\n");
    room_import(&room, "people:\n  - { id: aud, agency: kansas-pd, name: A. Udit, role: auditor,"
                       " status: suspended }\n");
    assert_int_equal(PB_DENIED, review(&room, "aud", &filter, &found));
    /* The operator has the operator's log, and no agency's. */
    filter.event = NULL;
    filter.plate = pb_str_from("KSA123");
    room_expect(&room, PB_OK, review(&room, "", &filter, &found), "review");
    assert_int_equal(0, found.count);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "audit-read", NULL));
    room_done(&room);
}

static void
nothing_is_shown_where_the_look_cannot_be_recorded(void **state)
{
    struct pb_review_filter filter = { .event = "query" };
    struct site_room room;
    struct room_found found;

    (void)state;
    room_init(&room);
    ask_some(&room);
    room.fault.fail_file_mask = FAULT_MUTATING;
    room.fault.fail_file_call_at = room.fault.file_call_count + 1;
    room.fault.is_file_failure_lasting = true;
    room.fault.fail_file_call_at = 1;
    assert_true(review(&room, "aud", &filter, &found) < 0);
    assert_int_equal(0, found.count);
    room.fault.fail_file_call_at = 0;
    pb_answer_free(room.answer);
    room.answer = NULL;
    (void)!pb_site_close(room.site, NULL); /* the log is poisoned */
    room.site = NULL;
    room_done(&room);
}

struct items {
    unsigned count;
    char keys[8][160];
    enum pb_review_state state;
};

static bool
note_item(void *context, const struct pb_review_item *item)
{
    struct items *items = context;

    assert_true(items->count < 8);
    assert_true(pb_str_equal(item->why, pb_str_from("sample")));
    (void)snprintf(items->keys[items->count++], sizeof(items->keys[0]), "%s", item->key);
    items->state = item->state;
    return true;
}

static unsigned
list_items(struct site_room *room, bool with_closed, struct items *items)
{
    memset(items, 0, sizeof(*items));
    room_expect(room, PB_OK,
                pb_review_items(room->site, pb_str_from("aud"), with_closed, note_item, items,
                                &room->error),
                "items");
    return items->count;
}

static void
a_review_draws_a_sample_closes_its_items_and_is_finished(void **state)
{
    struct site_room room;
    struct items items;
    struct room_found leaf;
    const struct pb_catalog_view *view = NULL;
    uint32_t drawn = 0;

    (void)state;
    room_init(&room);
    ask_some(&room);
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, pb_str_from("aud"), ROOM_NOW_US - PB_DAY_US,
                                 room.now_us + PB_SECOND_US, 2, &drawn, &room.error),
                "sample");
    assert_int_equal(2, drawn);
    assert_int_equal(2, list_items(&room, false, &items));
    assert_int_equal(PB_CONFLICT,
                     pb_review_finish(room.site, pb_str_from("aud"), room.now_us, &room.error));

    room_expect(&room, PB_OK,
                pb_review_close(room.site, pb_str_from("aud"), items.keys[0], PB_REVIEW_FINE,
                                pb_str_from("Case file agrees"), &room.error),
                "close");
    assert_int_equal(PB_NOT_FOUND,
                     pb_review_close(room.site, pb_str_from("aud"), items.keys[0], PB_REVIEW_MISUSE,
                                     pb_str_from("Again"), &room.error));
    /* Not by another agency's auditor, nor without a word. */
    assert_int_equal(PB_NOT_FOUND,
                     pb_review_close(room.site, pb_str_from("rivaud"), items.keys[1],
                                     PB_REVIEW_FINE, pb_str_from("Fine"), &room.error));
    assert_int_equal(PB_BAD_INPUT,
                     pb_review_close(room.site, pb_str_from("aud"), items.keys[1], PB_REVIEW_FINE,
                                     (struct pb_str){ 0 }, &room.error));
    room_expect(&room, PB_OK,
                pb_review_close(room.site, pb_str_from("aud"), items.keys[1], PB_REVIEW_MISUSE,
                                pb_str_from("No such case"), &room.error),
                "close");
    assert_int_equal(2, room_leaves(&room, "kansas-pd", "review", &leaf));
    assert_says(leaf.leaf, "\"finding\":\"misuse\"");
    assert_int_equal(0, list_items(&room, false, &items));
    assert_int_equal(2, list_items(&room, true, &items));

    assert_int_equal(PB_BAD_INPUT, pb_review_finish(room.site, pb_str_from("aud"),
                                                    room.now_us + PB_SECOND_US, &room.error));
    room_expect(&room, PB_OK,
                pb_review_finish(room.site, pb_str_from("aud"), room.now_us, &room.error),
                "finish");
    room_expect(&room, PB_OK, pb_catalog_view_take(pb_site_catalog(room.site), &view, &room.error),
                "view");
    assert_int_equal(room.now_us,
                     view->agencies[pb_view_agency(view, pb_str_from("kansas-pd"))].reviewed_at_us);
    pb_catalog_view_drop(view);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "reviewed", NULL));
    room_done(&room);
}

static void
a_sample_is_never_larger_than_what_there_is(void **state)
{
    struct site_room room;
    struct items items;
    uint32_t drawn = 0;

    (void)state;
    room_init(&room);
    ask_some(&room);
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, pb_str_from("aud"), ROOM_NOW_US - PB_DAY_US,
                                 room.now_us + PB_SECOND_US, 7, &drawn, &room.error),
                "sample");
    assert_int_equal(3, drawn);
    assert_int_equal(3, list_items(&room, false, &items));
    /* Drawn again, an item stays one. */
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, pb_str_from("aud"), ROOM_NOW_US - PB_DAY_US,
                                 room.now_us + PB_SECOND_US, 7, &drawn, &room.error),
                "sample");
    assert_int_equal(3, list_items(&room, false, &items));
    assert_int_equal(PB_BAD_INPUT,
                     pb_review_sample(room.site, pb_str_from("aud"), 0, 1, 0, &drawn, &room.error));
    assert_int_equal(PB_DENIED,
                     pb_review_sample(room.site, pb_str_from("doe"), 0, 1, 1, &drawn, &room.error));
    room_done(&room);
}

/* ---- detectors ---- */

struct findings {
    unsigned count;
    enum pb_detect_kind kinds[8];
    char whats[8][128];
};

static bool
note_finding(void *context, const struct pb_finding *finding)
{
    struct findings *findings = context;

    assert_true(findings->count < 8);
    findings->kinds[findings->count] = finding->kind;
    (void)snprintf(findings->whats[findings->count++], sizeof(findings->whats[0]), "%s",
                   finding->what);
    return true;
}

static bool
note_any_item(void *context, const struct pb_review_item *item)
{
    struct items *items = context;

    assert_true(items->count < 8);
    (void)snprintf(items->keys[items->count++], sizeof(items->keys[0]), "%s", item->key);
    return true;
}

static void
what_detectors_find_becomes_an_item(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct findings findings = { 0 };
    struct items items = { 0 };
    uint32_t found = 0;

    (void)state;
    room_init(&room);
    /* One plate, day after day, in a case that nobody verified; each day in other words. */
    for (unsigned day = 0; day < 6; day++) {
        char why[96];

        (void)snprintf(why, sizeof(why), "Burglary number %u on Elm Street, seen by a witness",
                       day);
        inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, day % 2 == 0 ? "KSA123" : "ks-a 123");
        inquiry.justification = pb_str_from(why);
        (void)room_ask(&room, &inquiry);
        room.now_us += PB_DAY_US;
    }
    assert_int_equal(PB_DENIED,
                     pb_review_detect(room.site, pb_str_from("doe"), 0, room.now_us, NULL,
                                      note_finding, &findings, &found, &room.error));
    room_expect(&room, PB_OK,
                pb_review_detect(room.site, pb_str_from("aud"), ROOM_NOW_US - PB_DAY_US,
                                 room.now_us, NULL, note_finding, &findings, &found, &room.error),
                "detect");
    assert_int_equal(1, found);
    assert_int_equal(1, findings.count);
    assert_int_equal(PB_DETECT_REPEAT_PLATE, findings.kinds[0]);
    assert_null(strstr(findings.whats[0], "KSA123"));
    room_expect(&room, PB_OK,
                pb_review_items(room.site, pb_str_from("aud"), false, note_any_item, &items,
                                &room.error),
                "items");
    assert_int_equal(1, items.count);
    assert_says(items.keys[0], "-repeat-plate");
    /* Found again it stays one item; and once it is closed it stays closed. */
    room_expect(&room, PB_OK,
                pb_review_close(room.site, pb_str_from("aud"), items.keys[0], PB_REVIEW_FINE,
                                pb_str_from("A series, one car"), &room.error),
                "close");
    room_expect(&room, PB_OK,
                pb_review_detect(room.site, pb_str_from("aud"), ROOM_NOW_US - PB_DAY_US,
                                 room.now_us, NULL, NULL, NULL, &found, &room.error),
                "detect");
    assert_int_equal(1, found);
    memset(&items, 0, sizeof(items));
    room_expect(&room, PB_OK,
                pb_review_items(room.site, pb_str_from("aud"), false, note_any_item, &items,
                                &room.error),
                "items");
    assert_int_equal(0, items.count);
    room_done(&room);
}

static void
a_sample_can_be_cast_again_from_the_log_alone(void **state)
{
    struct site_room room;
    struct items items;
    struct room_found leaf;
    uint8_t seed[32];
    uint64_t indices[20];
    uint64_t drawn[20];
    uint32_t count = 0;
    uint32_t again = 0;

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i < 20; i++) {
        struct pb_inquiry inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");

        (void)room_ask(&room, &inquiry);
        indices[i] = pb_answer_receipt(room.answer).query_index;
    }
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, pb_str_from("aud"), 0, room.now_us + PB_SECOND_US, 5,
                                 &count, &room.error),
                "sample");
    assert_int_equal(5, count);
    (void)room_leaves(&room, "kansas-pd", "sample", &leaf);
    for (unsigned i = 0; i < 32; i++) {
        unsigned byte = 0;

        assert_int_equal(1, sscanf(strstr(leaf.leaf, "\"seed\":\"") + 8 + 2 * i, "%2x", &byte));
        seed[i] = (uint8_t)byte;
    }
    room_expect(&room, PB_OK,
                pb_sample_draw(room.env, seed, indices, 20, 5, drawn, &again, &room.error), "draw");
    assert_int_equal(5, again);
    assert_int_equal(5, list_items(&room, false, &items));
    for (unsigned i = 0; i < 5; i++) {
        char index[32];

        (void)snprintf(index, sizeof(index), "/%020llu-", (unsigned long long)drawn[i]);
        assert_says(items.keys[i], index);
    }
    room_done(&room);
}

static void
a_proof_is_given_to_auditors_with_a_leaf_and_checks_offline(void **state)
{
    struct site_room room;
    struct room_found query;
    char *proof = NULL;

    (void)state;
    room_init(&room);
    ask_some(&room);
    (void)room_leaves(&room, "kansas-pd", "query", &query);
    assert_int_equal(PB_DENIED, pb_review_prove(room.site, pb_str_from("doe"), query.index, true,
                                                   &proof, &room.error));
    assert_null(proof);
    room_expect(&room, PB_OK,
                pb_review_prove(room.site, pb_str_from("aud"), query.index, true, &proof,
                                &room.error),
                "prove");
    assert_says(proof, "c2sp.org/tlog-proof@v1");
    pb_free(room.env, proof);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "audit-read", NULL));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_auditor_finds_entries_by_what_they_hold),
        cmocka_unit_test(only_auditors_look_and_only_at_their_own_log),
        cmocka_unit_test(nothing_is_shown_where_the_look_cannot_be_recorded),
        cmocka_unit_test(a_review_draws_a_sample_closes_its_items_and_is_finished),
        cmocka_unit_test(a_sample_is_never_larger_than_what_there_is),
        cmocka_unit_test(what_detectors_find_becomes_an_item),
        cmocka_unit_test(a_sample_can_be_cast_again_from_the_log_alone),
        cmocka_unit_test(a_proof_is_given_to_auditors_with_a_leaf_and_checks_offline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
