/*
 * Retention: no path gives a row from the second on at which its time is over, whatever date it was
 * stored with; holds keep what they cover for those who hold it.
 */
#include "inquiry/site_room.h"

#define MAINE_US (21 * PB_DAY_US)

/* Rows of one plate through a kind of inquiry; of plates, their reads. */
static uint64_t
count_by(struct site_room *room, enum pb_inquiry_kind kind, bool counts_plates)
{
    struct pb_inquiry inquiry = room_inquiry(room, kind,
                                             kind == PB_INQUIRY_PATTERN ? "KSA1?3"
                                             : kind == PB_INQUIRY_PLATE ? "KSA123"
                                                                        : "");
    const struct pb_answer *answer = NULL;
    uint64_t reads = 0;

    inquiry.counts_plates = counts_plates;
    inquiry.query.from_us = room->now_us - 40 * PB_DAY_US;
    answer = room_ask(room, &inquiry);
    if (!counts_plates) {
        assert_int_equal(pb_answer_count(answer), pb_answer_rows(answer));
        return pb_answer_rows(answer);
    }
    for (uint64_t i = 0; i < pb_answer_rows(answer); i++)
        reads += pb_answer_row(answer, i)->reads;
    return reads;
}

static void
expect_everywhere(struct site_room *room, uint64_t rows)
{
    assert_int_equal(rows, count_by(room, PB_INQUIRY_PLATE, false));
    assert_int_equal(rows, count_by(room, PB_INQUIRY_PATTERN, false));
    assert_int_equal(rows, count_by(room, PB_INQUIRY_PATTERN, true));
    assert_int_equal(rows, count_by(room, PB_INQUIRY_PLACE, false));
}

static void
a_row_is_gone_from_the_second_at_which_its_time_is_over(void **state)
{
    struct site_room room;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "m1", 0);
    room.now_us = ROOM_NOW_US + MAINE_US - PB_SECOND_US;
    expect_everywhere(&room, 1);
    room.now_us = ROOM_NOW_US + MAINE_US;
    expect_everywhere(&room, 0);
    room.now_us = ROOM_NOW_US + MAINE_US + PB_SECOND_US;
    expect_everywhere(&room, 0);
    room_done(&room);
}

/* Rows of questions about plates seen at two places, beside another, and of an export. */
static uint64_t
count_plates_by(struct site_room *room, enum pb_inquiry_kind kind)
{
    struct pb_inquiry inquiry = room_inquiry(room, kind, kind == PB_INQUIRY_COMMON ? "" : "KSC777");

    inquiry.query.from_us = room->now_us - 40 * PB_DAY_US;
    return room_rows(room, &inquiry);
}

static uint64_t
count_export(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSC777");

    inquiry.query.from_us = room->now_us - 40 * PB_DAY_US;
    inquiry.is_export = true;
    inquiry.export_recipient = pb_str_from("kansas-pd");
    inquiry.export_format = pb_str_from("csv");
    return room_rows(room, &inquiry);
}

static void
questions_about_plates_and_exports_forget_at_the_same_second(void **state)
{
    struct site_room room;

    (void)state;
    room_init(&room);
    /* Seen in Maine and in Kansas; twice in Maine with the same companion. */
    room_add(&room, "KSC777", "k2", 0);
    room_add(&room, "KSC777", "m1", 0);
    room_add(&room, "KSD888", "m1", PB_SECOND_US);
    room_add(&room, "KSC777", "m1", -PB_DAY_US);
    room_add(&room, "KSD888", "m1", -PB_DAY_US + PB_SECOND_US);
    room.now_us = ROOM_NOW_US + MAINE_US - 2 * PB_SECOND_US;
    assert_int_equal(1, count_plates_by(&room, PB_INQUIRY_COMMON));
    assert_int_equal(1, count_plates_by(&room, PB_INQUIRY_ASSOCIATES));
    assert_int_equal(3, count_export(&room));
    room.now_us = ROOM_NOW_US + MAINE_US; /* one of each two in Maine is over */
    assert_int_equal(1, count_plates_by(&room, PB_INQUIRY_COMMON));
    assert_int_equal(0, count_plates_by(&room, PB_INQUIRY_ASSOCIATES));
    assert_int_equal(2, count_export(&room));
    room.now_us = ROOM_NOW_US + PB_DAY_US + MAINE_US - PB_SECOND_US;
    assert_int_equal(1, count_plates_by(&room, PB_INQUIRY_COMMON));
    assert_int_equal(2, count_export(&room));
    room.now_us += PB_SECOND_US;
    assert_int_equal(0, count_plates_by(&room, PB_INQUIRY_COMMON));
    assert_int_equal(1, count_export(&room));
    room_done(&room);
}

/* What each way to ask gives of four reads, of which the three in Maine may be over. */
static void
expect_by_all_ways(struct site_room *room, bool is_over)
{
    struct pb_inquiry together = room_inquiry(room, PB_INQUIRY_ASSOCIATES, "KSC777");

    together.query.from_us = room->now_us - 40 * PB_DAY_US;
    together.together_min = 1;
    assert_int_equal(is_over ? 0 : 2, room_rows(room, &together));
    assert_int_equal(is_over ? 0 : 1, count_plates_by(room, PB_INQUIRY_COMMON));
    assert_int_equal(is_over ? 1 : 2, count_export(room));
    assert_int_equal(is_over ? 1 : 2, room_count_plate(room, "KSC777"));
    assert_int_equal(is_over ? 0 : 1, room_count_plate(room, "KSD888"));
    assert_int_equal(is_over ? 0 : 1, count_by(room, PB_INQUIRY_PLATE, false));
    assert_int_equal(is_over ? 0 : 1, count_by(room, PB_INQUIRY_PATTERN, false));
    assert_int_equal(is_over ? 0 : 1, count_by(room, PB_INQUIRY_PATTERN, true));
    assert_int_equal(is_over ? 0 : 3, count_by(room, PB_INQUIRY_PLACE, false));
}

static void
every_way_to_ask_forgets_within_the_same_second(void **state)
{
    struct site_room room;

    (void)state;
    room_init(&room);
    room_add(&room, "KSC777", "k2", 0);
    room_add(&room, "KSC777", "m1", 0);
    room_add(&room, "KSD888", "m1", 0);
    room_add(&room, "KSA123", "m1", 0);
    room.now_us = ROOM_NOW_US + MAINE_US - PB_SECOND_US;
    expect_by_all_ways(&room, false);
    for (int second = 0; second <= 1; second++) {
        room.now_us = ROOM_NOW_US + MAINE_US + second * PB_SECOND_US;
        expect_by_all_ways(&room, true);
        /* On disk it may be still: a fresh opening gives no more of it. */
        room_reopen(&room);
        expect_by_all_ways(&room, true);
    }
    room_done(&room);
}

static void
the_law_holds_also_for_rows_that_were_stored_with_a_later_date(void **state)
{
    struct site_room room;
    struct pb_read read;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KSA123", "m1", 0);
    read.delete_after_us = PB_NEVER; /* as if no rule had been known */
    assert_int_equal(PB_OK, room_append(&room, &read));
    room.now_us = ROOM_NOW_US + MAINE_US - PB_SECOND_US;
    expect_everywhere(&room, 1);
    room.now_us = ROOM_NOW_US + MAINE_US;
    expect_everywhere(&room, 0);
    room_done(&room);
}

static void
a_date_that_came_with_the_read_holds_too(void **state)
{
    struct site_room room;
    struct pb_read read;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KSA123", "m1", 0);
    read.delete_after_us = room.now_us + PB_DAY_US;
    assert_int_equal(PB_OK, room_take(&room, &read));
    room.now_us += PB_DAY_US - PB_SECOND_US;
    expect_everywhere(&room, 1);
    room.now_us += PB_SECOND_US;
    expect_everywhere(&room, 0);
    room_done(&room);
}

static void
a_rule_that_becomes_shorter_counts_at_once(void **state)
{
    static const char pack[] =
        "pack: us-ks\nversion: 1\ntitle: Example Kansas rule\nvalid_from: 2020-01-01\n"
        "binds: capture_state\njurisdiction: US-KS\nrules:\n"
        "  - { id: us-ks.retention, text: Ten days., source: Example, verified: true,"
        " kind: retention, keep: 10 days }\n";
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_purge_counts counts;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", 9 * PB_DAY_US);
    room_add(&room, "KSA123", "k1", 11 * PB_DAY_US);
    assert_int_equal(2, count_by(&room, PB_INQUIRY_PLATE, false));
    room_expect(&room, PB_OK,
                pb_site_put_pack(room.site, &operator, "us-ks.yaml", pack, strlen(pack),
                                 &room.error),
                "put pack");
    assert_int_equal(1, count_by(&room, PB_INQUIRY_PLATE, false));
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", &leaf));
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &operator, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    room_reopen(&room);
    assert_int_equal(1, count_by(&room, PB_INQUIRY_PLATE, false));
    room.now_us += PB_DAY_US;
    assert_int_equal(0, count_by(&room, PB_INQUIRY_PLATE, false));
    room_done(&room);
}

static void
an_owners_own_limit_holds(void **state)
{
    struct site_room room;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", 0);
    room_import(&room, "agencies:\n  - { id: kansas-pd, name: Example Kansas Police, class: local,"
                       " jurisdiction: US-KS, retention_days: 5, reviewed_at: 2026-05-15 }\n");
    room.now_us += 5 * PB_DAY_US - PB_SECOND_US;
    expect_everywhere(&room, 1);
    room.now_us += PB_SECOND_US;
    expect_everywhere(&room, 0);
    room_done(&room);
}

static void
a_hold_keeps_what_it_covers_for_its_case_alone(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "m1", 0);
    room_add(&room, "KSB999", "m1", 0);
    room_import(&room, "holds:\n  - { id: h1, agency: kansas-pd,"
                       " case: \"kansas-pd:26-00471\","
                       " authority: court-order, facts: Court order of the example court,"
                       " plate: KSA123, owner: pine-pd, from: 2026-05-31, to: 2026-06-03,"
                       " expires_at: 2026-08-01 }\n");
    assert_int_equal(PB_OK, pb_site_purge(room.site, &(struct pb_actor){ 0 }, NULL, NULL, NULL,
                                          &(struct pb_purge_counts){ 0 }, &room.error));
    room.now_us += 30 * PB_DAY_US;
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.query.from_us = room.now_us - 40 * PB_DAY_US;
    assert_int_equal(1, room_rows(&room, &inquiry));
    inquiry.case_number = pb_str_from("26-00999");
    assert_int_equal(0, room_rows(&room, &inquiry));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSB999");
    inquiry.query.from_us = room.now_us - 40 * PB_DAY_US;
    assert_int_equal(0, room_rows(&room, &inquiry));
    /* The hold ends at midnight of the first of August. */
    room.now_us = INT64_C(1785542400000000) - PB_SECOND_US;
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.query.from_us = room.now_us - 90 * PB_DAY_US;
    assert_int_equal(1, room_rows(&room, &inquiry));
    room.now_us += PB_SECOND_US;
    assert_int_equal(0, room_rows(&room, &inquiry));
    room_done(&room);
}

static void
a_released_hold_lets_go(void **state)
{
    static const char hold[] =
        "holds:\n  - { id: h1, agency: kansas-pd,"
        " case: \"kansas-pd:26-00471\", authority: court-order,"
        " facts: Court order of the example court, plate: KSA123, from: 2026-05-31,"
        " to: 2026-06-03, expires_at: 2026-08-01, released: %s }\n";
    struct site_room room;
    struct pb_purge_counts counts;
    struct pb_actor operator= { 0 };
    char yaml[512];

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "m1", 0);
    (void)snprintf(yaml, sizeof(yaml), hold, "no");
    room_import(&room, yaml);
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &operator, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    room.now_us += 30 * PB_DAY_US;
    assert_int_equal(1, count_by(&room, PB_INQUIRY_PLATE, false));
    (void)snprintf(yaml, sizeof(yaml), hold, "yes");
    room_import(&room, yaml);
    assert_int_equal(0, count_by(&room, PB_INQUIRY_PLATE, false));
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &operator, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    assert_int_equal(1, counts.reads_removed);
    room_done(&room);
}

static void
a_hold_longer_than_the_law_allows_is_refused(void **state)
{
    struct site_room room;
    struct pb_actor operator= { 0 };
    const struct pb_entity *entity = pb_catalog_entity("hold");
    struct pb_record record = { .entity = entity };

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i < entity->field_count; i++) {
        static const struct {
            const char *name, *value;
        } values[] = { { "id", "h2" },
                       { "agency", "kansas-pd" },
                       { "case", "kansas-pd:26-00471" },
                       { "authority", "request" },
                       { "facts", "Asked for by the example prosecutor" },
                       { "from", "2026-05-31" },
                       { "to", "2026-06-03" },
                       { "expires_at", "2031-01-01" } };

        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            if (strcmp(entity->fields[i].name, values[j].name) == 0)
                record.values[i] = values[j].value;
        }
    }
    assert_int_equal(PB_BAD_INPUT,
                     pb_site_put(room.site, &operator, & record, PB_PUT_ADD, &room.error));
    assert_says(room.error.message, "expires_at");
    room_done(&room);
}

struct receipt {
    uint64_t maine, kansas, others;
};

static bool
note_receipt(void *context, const struct pb_purge_receipt_line *line)
{
    struct receipt *receipt = context;

    if (pb_str_equal(line->agency, pb_str_from("pine-pd")))
        receipt->maine += line->reads;
    else if (pb_str_equal(line->agency, pb_str_from("kansas-pd")))
        receipt->kansas += line->reads;
    else
        receipt->others += line->reads;
    return true;
}

static void
a_purge_leaves_receipts_by_agency_and_day(void **state)
{
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_purge_counts counts;
    struct receipt receipt = { 0 };
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "m1", 0);
    room_add(&room, "KSA124", "m1", PB_HOUR_US);
    room_add(&room, "KSA125", "m1", PB_DAY_US);
    room_add(&room, "KSA123", "k1", 0);
    room.now_us += MAINE_US;
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &operator, NULL, note_receipt, &receipt, &counts,
                              &room.error),
                "purge");
    assert_int_equal(3, counts.reads_removed);
    assert_int_equal(3, receipt.maine);
    assert_int_equal(0, receipt.kansas + receipt.others);
    assert_int_equal(1, room_leaves(&room, "pine-pd", "purge", &leaf));
    assert_says(leaf.leaf, "\"day-2026-06-01\":2");
    assert_says(leaf.leaf, "\"day-2026-05-31\":1");
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "purge", &leaf));
    assert_says(leaf.leaf, "\"agency\":\"pine-pd\"");
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "purge", NULL));
    /* Nothing is told twice. */
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &operator, NULL, note_receipt, &receipt, &counts,
                              &room.error),
                "purge");
    assert_int_equal(3, receipt.maine);
    assert_int_equal(1, room_leaves(&room, "pine-pd", "purge", NULL));
    room_done(&room);
}

/* ---- what must never be on disk ---- */

static void
reads_of_new_hampshire_are_never_written(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct pb_read read;
    char backup[256];
    const char *reason = NULL;

    (void)state;
    room_init(&room);
    read = room_read(&room, "NHQ4711", "n1", 0);
    room_expect(&room, PB_OK, pb_stamper_new(room.site, "granite-pd", 0, &stamper, &room.error),
                "stamper");
    assert_int_equal(PB_EXPIRED, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_ptr_equal(pb_stamp_never_stored, reason);
    /* An unknown reader of that agency falls under the same law. */
    read.reader = pb_str_from("n-new");
    assert_int_equal(PB_EXPIRED, pb_stamper_stamp(stamper, &read, &reason, &room.error));
    assert_ptr_equal(pb_stamp_never_stored, reason);
    pb_stamper_free(stamper);
    room_add(&room, "KSA123", "k1", 0); /* so that there is something to look through */
    /* Also while journals and what SQLite writes ahead are still there, and in a copy of it all. */
    assert_int_equal(0, room_files_with(room.path, "NHQ4711"));
    assert_true(room_files_with(room.path, "KSA123") > 0);
    (void)snprintf(backup, sizeof(backup), "%s/backup", room.directory);
    room_expect(&room, PB_OK, pb_site_backup(room.site, backup, NULL, &room.error), "backup");
    assert_int_equal(0, room_files_with(backup, "NHQ4711"));
    assert_true(room_files_with(backup, "platebase-site") > 0);
    room_close(&room);
    assert_int_equal(0, room_files_with(room.path, "NHQ4711"));
    room_done(&room);
}

static void
what_a_query_only_agency_asks_is_nowhere_in_clear_and_in_no_answer(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_stamper *stamper = NULL;
    struct room_found query;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "FDQ4711");
    inquiry.person = pb_str_from("agent");
    inquiry.case_number = pb_str_from("FD-2026-0815");
    inquiry.justification = pb_str_from("Customs fraud ring, seen by warehouse staff");
    assert_int_equal(0, room_rows(&room, &inquiry));
    assert_int_equal(1, room_leaves(&room, "bureau", "query", &query));
    assert_says(query.secrets, "plate=FDQ4711\n"); /* its own auditor can open it */
    assert_int_equal(0, room_count_plate(&room, "FDQ4711"));
    /* It cannot bring reads in either. */
    assert_int_equal(PB_BAD_INPUT, pb_stamper_new(room.site, "bureau", 0, &stamper, &room.error));
    room_close(&room);
    assert_int_equal(0, room_files_with(room.path, "FDQ4711"));
    assert_int_equal(0, room_files_with(room.path, "FD-2026-0815"));
    assert_int_equal(0, room_files_with(room.path, "warehouse staff"));
    room_done(&room);
}

/* ---- erasing ---- */

static enum pb_status
erase(struct site_room *room, const char *person, const char *why, const char *plate)
{
    const struct pb_actor actor = { .person = person };
    const struct pb_erasure erasure = { .plate = pb_str_from(plate),
                                        .from_us = 0,
                                        .to_us = room->now_us };

    return pb_site_erase(room->site, &actor, pb_str_from(why), &erasure, &room->error);
}

static void
what_is_erased_is_gone_and_on_record(void **state)
{
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    room_add(&room, "KSB456", "k1", PB_HOUR_US);
    room_expect(&room, PB_OK, erase(&room, NULL, "court order 17", "KSA123"), "erase");
    assert_int_equal(0, room_count_plate(&room, "KSA123"));
    assert_int_equal(1, room_count_plate(&room, "KSB456"));
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "erase", &leaf));
    assert_says(leaf.secrets, "reason=court order 17\n");
    assert_says(leaf.secrets, "plate=KSA123\n");
    room_done(&room);
}

static void
only_who_operates_erases_and_says_why(void **state)
{
    static const char *const people[] = { "doe", "sup", "aud", "adm", "nobody" };
    struct site_room room;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
        assert_int_equal(PB_DENIED, erase(&room, people[i], "court order 17", "KSA123"));
    assert_int_equal(PB_BAD_INPUT, erase(&room, NULL, "", "KSA123"));
    assert_int_equal(1, room_count_plate(&room, "KSA123"));
    room_close(&room);
    room_open_as(&room, PB_SITE_ASK);
    assert_int_equal(PB_BAD_INPUT, erase(&room, NULL, "court order 17", "KSA123"));
    assert_int_equal(0, room_leaves(&room, PB_AUDIT_OPERATOR, "erase", NULL));
    room_done(&room);
}

static void
keys_that_are_destroyed_leave_a_leaf_and_no_keys_none(void **state)
{
    struct site_room room;
    struct room_found leaf;
    uint64_t terms = 9;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK, pb_site_destroy_expired(room.site, &terms, &room.error), "destroy");
    assert_int_equal(0, terms);
    assert_int_equal(0, room_leaves(&room, PB_AUDIT_OPERATOR, "destroy", NULL));
    room.now_us += 20 * 366 * PB_DAY_US;
    room_expect(&room, PB_OK, pb_site_destroy_expired(room.site, &terms, &room.error), "destroy");
    assert_true(terms > 0);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "destroy", &leaf));
    assert_says(leaf.leaf, "\"terms\":1");
    room_close(&room);
    room_open_as(&room, PB_SITE_LOOK);
    assert_int_equal(PB_BAD_INPUT, pb_site_destroy_expired(room.site, &terms, &room.error));
    room_done(&room);
}

/* What went before the disk failed is told, for no later run finds it. */
static void
keys_that_went_before_a_failure_are_told(void **state)
{
    struct site_room room;
    struct room_found leaf;
    uint64_t terms = 0;

    (void)state;
    room_init(&room);
    room.now_us += 40 * PB_DAY_US; /* a leaf of another month has another key */
    room_import(&room, "agencies:\n  - { id: other-pd, name: Example Other Police, class: local,"
                       " jurisdiction: US-KS }\n");
    room.now_us += 20 * 366 * PB_DAY_US;
    room.fault.fail_file_mask = FAULT_UNLINK;
    room.fault.fail_file_call_at = room.fault.file_call_count + 2;
    assert_int_equal(PB_E_IO, pb_site_destroy_expired(room.site, &terms, &room.error));
    room.fault.fail_file_call_at = 0;
    room.fault.fail_file_mask = FAULT_ANY;
    assert_int_equal(1, terms);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "destroy", &leaf));
    assert_says(leaf.leaf, "\"terms\":1");
    room_expect(&room, PB_OK, pb_site_destroy_expired(room.site, &terms, &room.error), "destroy");
    assert_true(terms > 0);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_gone_from_the_second_at_which_its_time_is_over),
        cmocka_unit_test(questions_about_plates_and_exports_forget_at_the_same_second),
        cmocka_unit_test(every_way_to_ask_forgets_within_the_same_second),
        cmocka_unit_test(the_law_holds_also_for_rows_that_were_stored_with_a_later_date),
        cmocka_unit_test(a_date_that_came_with_the_read_holds_too),
        cmocka_unit_test(a_rule_that_becomes_shorter_counts_at_once),
        cmocka_unit_test(an_owners_own_limit_holds),
        cmocka_unit_test(a_hold_keeps_what_it_covers_for_its_case_alone),
        cmocka_unit_test(a_released_hold_lets_go),
        cmocka_unit_test(a_hold_longer_than_the_law_allows_is_refused),
        cmocka_unit_test(a_purge_leaves_receipts_by_agency_and_day),
        cmocka_unit_test(reads_of_new_hampshire_are_never_written),
        cmocka_unit_test(what_is_erased_is_gone_and_on_record),
        cmocka_unit_test(only_who_operates_erases_and_says_why),
        cmocka_unit_test(keys_that_are_destroyed_leave_a_leaf_and_no_keys_none),
        cmocka_unit_test(keys_that_went_before_a_failure_are_told),
        cmocka_unit_test(what_a_query_only_agency_asks_is_nowhere_in_clear_and_in_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
