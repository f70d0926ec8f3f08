/*
 * Large answers: the brake, the cap, and pages of one answer.
 */
#include "inquiry/site_room.h"

#define BRAKE 10000u
#define NEWEST 5000u

/* Reads of one plate, a second apart, the newest first_s seconds ago. */
static void
add_many(struct site_room *room, const char *plate, uint32_t count, int64_t first_s)
{
    struct pb_read *reads = calloc(count, sizeof(*reads));
    enum pb_status *statuses = calloc(count, sizeof(*statuses));

    assert_non_null(reads);
    assert_non_null(statuses);
    for (uint32_t i = 0; i < count; i++)
        reads[i] = room_read(room, plate, "k1", (first_s + (int64_t)i) * PB_SECOND_US);
    room_expect(room, PB_OK,
                pb_store_append(pb_site_store(room->site), reads, count, statuses, &room->error),
                "append");
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(PB_OK, statuses[i]);
    free(statuses);
    free(reads);
}

static void
up_to_9999_rows_are_given_and_from_10000_on_none_before_it_is_confirmed(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    char token[1024];

    (void)state;
    room_init(&room);
    add_many(&room, "KSA123", BRAKE - 1, 10);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(BRAKE - 1, room_rows(&room, &inquiry));
    assert_int_equal(BRAKE - 1, pb_answer_count(room.answer));

    add_many(&room, "KSA123", 1, 5);
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_CONFIRMATION);
    assert_int_equal(0, pb_answer_rows(room.answer));
    assert_int_equal(BRAKE, pb_answer_count(room.answer));
    assert_null(pb_answer_row(room.answer, 0));
    assert_string_equal("", pb_answer_page(room.answer));
    assert_true(strlen(pb_answer_token(room.answer)) > 0);
    (void)room_leaves(&room, "kansas-pd", "result", &leaf);
    assert_says(leaf.leaf, "\"status\":\"confirm\"");
    assert_says(leaf.leaf, "\"n\":0");

    (void)snprintf(token, sizeof(token), "%s", pb_answer_token(room.answer));
    inquiry.confirmation = pb_str_from(token);
    assert_int_equal(NEWEST, room_rows(&room, &inquiry));
    assert_int_equal(NEWEST, pb_answer_count(room.answer));
    assert_true(pb_answer_is_truncated(room.answer));
    assert_int_equal(room.now_us - 5 * PB_SECOND_US,
                     pb_answer_row(room.answer, 0)->result.read.captured_at_us);
    assert_int_equal(room.now_us - (10 + NEWEST - 2) * PB_SECOND_US,
                     pb_answer_row(room.answer, NEWEST - 1)->result.read.captured_at_us);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "confirm", NULL));
    (void)room_leaves(&room, "kansas-pd", "result", &leaf);
    assert_says(leaf.leaf, "\"truncated\":1");
    room_done(&room);
}

static void
a_confirmation_is_good_for_its_inquiry_person_and_day_alone(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_inquiry other;
    struct pb_answer *answer = NULL;
    char token[1024];

    (void)state;
    room_init(&room);
    add_many(&room, "KSA123", BRAKE, 10);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_CONFIRMATION);
    (void)snprintf(token, sizeof(token), "%s", pb_answer_token(room.answer));
    inquiry.confirmation = pb_str_from(token);

    other = inquiry;
    other.query.plate = pb_str_from("KSA124");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.person = pb_str_from("sup");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.query.from_us--;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.justification = pb_str_from("Burglary series on Oak Street, vehicle seen by a witness");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    for (size_t i = 0; i < strlen(token); i += 7) {
        char forged[1024];

        memcpy(forged, token, sizeof(forged));
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        other = inquiry;
        other.confirmation = pb_str_from(forged);
        assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    }
    /* A token of another kind is not taken for it. */
    other = inquiry;
    other.confirmation = (struct pb_str){ 0 };
    other.page = pb_str_from(token);
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    room.now_us += PB_DAY_US;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    room.now_us -= PB_SECOND_US;
    assert_int_equal(NEWEST, room_rows(&room, &inquiry));
    room_done(&room);
}

static void
pages_are_one_answer_and_one_record(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;
    int64_t whole[100];
    uint64_t query_index = 0;
    uint64_t given = 0;
    int64_t meanwhile = 0;
    char page[1024] = "";

    (void)state;
    room_init(&room);
    add_many(&room, "KSA123", 100, 10);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(100, room_rows(&room, &inquiry));
    for (uint64_t i = 0; i < 100; i++)
        whole[i] = pb_answer_row(room.answer, i)->result.read.captured_at_us;

    inquiry.rows_wanted = 30;
    do {
        const struct pb_answer *answer = NULL;

        inquiry.page = pb_str_from(page);
        answer = room_ask(&room, &inquiry);
        if (given == 0)
            query_index = pb_answer_receipt(answer).query_index;
        assert_int_equal(query_index, pb_answer_receipt(answer).query_index);
        assert_int_equal(100, pb_answer_count(answer));
        assert_int_equal(given == 90 ? 10 : 30, pb_answer_rows(answer));
        for (uint64_t i = 0; i < pb_answer_rows(answer); i++)
            assert_int_equal(whole[given + i],
                             pb_answer_row(answer, i)->result.read.captured_at_us);
        given += pb_answer_rows(answer);
        (void)snprintf(page, sizeof(page), "%s", pb_answer_page(answer));
        /* What comes meanwhile belongs to no page. */
        add_many(&room, "KSA123", 1, ++meanwhile);
    } while (page[0] != '\0');
    assert_int_equal(100, given);
    assert_int_equal(2, room_leaves(&room, "kansas-pd", "query", NULL));
    assert_int_equal(3, room_leaves(&room, "kansas-pd", "page", &leaf));
    assert_says(leaf.leaf, "\"from\":90");
    assert_says(leaf.leaf, "\"n\":10");
    room_done(&room);
}

static void
pages_of_plates_are_one_answer_too(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    char page[1024] = "";
    unsigned given = 0;

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i < 25; i++) {
        char plate[16];

        (void)snprintf(plate, sizeof(plate), "KSA1%02u", i);
        room_add(&room, plate, "k1", PB_HOUR_US);
    }
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA1*");
    inquiry.counts_plates = true;
    inquiry.rows_wanted = 10;
    do {
        const struct pb_answer *answer = NULL;

        inquiry.page = pb_str_from(page);
        answer = room_ask(&room, &inquiry);
        assert_int_equal(25, pb_answer_count(answer));
        for (uint64_t i = 0; i < pb_answer_rows(answer); i++, given++) {
            char plate[16];

            (void)snprintf(plate, sizeof(plate), "KSA1%02u", given);
            assert_true(pb_str_equal(pb_answer_row(answer, i)->plate, pb_str_from(plate)));
        }
        (void)snprintf(page, sizeof(page), "%s", pb_answer_page(answer));
    } while (page[0] != '\0');
    assert_int_equal(25, given);
    room_done(&room);
}

static void
a_page_is_decided_anew_and_ends_with_the_right_to_it(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_inquiry other;
    struct pb_answer *answer = NULL;
    char page[1024];

    (void)state;
    room_init(&room);
    add_many(&room, "KSA123", 50, 10);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.rows_wanted = 20;
    assert_int_equal(20, room_rows(&room, &inquiry));
    (void)snprintf(page, sizeof(page), "%s", pb_answer_page(room.answer));
    inquiry.page = pb_str_from(page);

    other = inquiry;
    other.person = pb_str_from("sup");
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));
    other = inquiry;
    other.query.plate = pb_str_from("KSA12?");
    other.kind = PB_INQUIRY_PATTERN;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &other, &answer, &room.error));

    room_import(&room, "people:\n  - { id: doe, agency: kansas-pd, name: J. Doe,"
                       " role: investigator, status: suspended }\n");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    assert_int_equal(0, pb_answer_rows(room.answer));
    room_import(&room, "people:\n  - { id: doe, agency: kansas-pd, name: J. Doe,"
                       " role: investigator, status: active }\n");
    assert_int_equal(20, room_rows(&room, &inquiry));
    room.now_us += 4 * PB_HOUR_US;
    assert_int_equal(PB_BAD_INPUT, pb_inquiry_ask(room.site, &inquiry, &answer, &room.error));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_9999_rows_are_given_and_from_10000_on_none_before_it_is_confirmed),
        cmocka_unit_test(a_confirmation_is_good_for_its_inquiry_person_and_day_alone),
        cmocka_unit_test(pages_are_one_answer_and_one_record),
        cmocka_unit_test(pages_of_plates_are_one_answer_too),
        cmocka_unit_test(a_page_is_decided_anew_and_ends_with_the_right_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
