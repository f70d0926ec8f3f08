/*
 * Zones: places in which a law lets nobody capture. What is made there is not written, and what was
 * written before somebody said that there is such a place is seen no more, and goes.
 */
#include "inquiry/inquiry_private.h"
#include "inquiry/site_room.h"

/* A state that lets nobody capture at schools and clinics, from June on. */
static const char no_zones_pack[] =
    "pack: us-ks-zones\nversion: 1\ntitle: \"Kansas, as the tests have it\"\n"
    "valid_from: 2026-06-02\nbinds: capture_state\njurisdiction: US-KS\nrules:\n"
    "  - { id: us-ks-zones.zones, text: Nobody captures at schools or clinics., source: none,\n"
    "      verified: no, kind: no_capture_zone, places: [school, clinic] }\n";

/* A room on 2 June, with that law. */
static void
init_with_law(struct site_room *room)
{
    struct pb_actor operator= { 0 };

    room_init(room);
    room_expect(room, PB_OK,
                pb_site_put_pack(room->site, &operator, "us-ks-zones.yaml", no_zones_pack,
                                 strlen(no_zones_pack), &room->error),
                "pack");
    room->now_us += PB_DAY_US;
}

static void
put_zones(struct site_room *room, const char *zones)
{
    char yaml[400];

    (void)snprintf(yaml, sizeof(yaml),
                   "agencies:\n  - { id: kansas-pd, name: Example Kansas Police, class: local,"
                   " jurisdiction: US-KS, contributes: yes, reviewed_at: 2026-05-15,"
                   " zones: \"%s\" }\n",
                   zones);
    room_import(room, yaml);
}

static enum pb_status
stamp_at(struct site_room *room, const char *plate, const char *reader, int32_t lat_e7,
         const char **ret_reason)
{
    struct pb_stamper *stamper = NULL;
    struct pb_read read = room_read(room, plate, reader, 0);
    enum pb_status status;

    read.lat_e7 = lat_e7;
    if (lat_e7 == PB_NO_POSITION)
        read.lon_e7 = PB_NO_POSITION;
    *ret_reason = "";
    room_expect(room, PB_OK, pb_stamper_new(room->site, "kansas-pd", 0, &stamper, &room->error),
                "stamper");
    status = pb_stamper_stamp(stamper, &read, ret_reason, &room->error);
    if (status == PB_OK)
        assert_int_equal(PB_OK, room_append(room, &read));
    pb_stamper_free(stamper);
    return status;
}

static void
reads_of_places_where_nobody_may_capture_are_never_written(void **state)
{
    /* A ten thousandth of a degree of latitude is about 11 metres. */
    static const struct {
        const char *zones, *reader;
        int32_t lat_e7;
        bool is_kept;
    } cases[] = {
        { "", "k1", ROOM_LAT_E7, true },
        { "school:38.5:-98.0:100", "k1", ROOM_LAT_E7, false },
        { "school:38.5:-98.0:100", "k1", ROOM_LAT_E7 + 8900, false }, /* 99 m */
        { "school:38.5:-98.0:100", "k1", ROOM_LAT_E7 + 9100, true },  /* 101 m */
        { "court:38.5:-98.0:100", "k1", ROOM_LAT_E7, true },          /* not in this law */
        { "court:38.5:-98.0:100,clinic:38.5:-98.0:5", "k1", ROOM_LAT_E7, false },
        { "school:38.5:-98.0:100", "k1", PB_NO_POSITION, false }, /* where its reader stands */
        { "school:38.5:-98.0:100", "k2", PB_NO_POSITION, true },
        { "school:38.5:-98.0:100", "k2", ROOM_LAT_E7, false },      /* it was elsewhere that day */
        { "school:38.5:-98.0:100", "new", ROOM_LAT_E7, false },     /* falls under the same law */
        { "school:38.5:-98.0:100", "newer", PB_NO_POSITION, true }, /* nobody knows where */
        { "school:38.5:-98.0:100", "k3", ROOM_LAT_E7, true },       /* captured in another state */
        { "school:38.5:-98.0:100", "r1", ROOM_LAT_E7, true },       /* another's, who has no zone */
    };
    struct site_room room;
    const char *reason = NULL;
    struct pb_actor operator= { 0 };

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK,
                pb_site_put_pack(room.site, &operator, "us-ks-zones.yaml", no_zones_pack,
                                 strlen(no_zones_pack), &room.error),
                "pack");
    put_zones(&room, "school:38.5:-98.0:100");
    assert_int_equal(PB_OK, stamp_at(&room, "KSB001", "k1", ROOM_LAT_E7, &reason)); /* 1 June */
    room.now_us += PB_DAY_US;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum pb_status status;

        put_zones(&room, cases[i].zones);
        status = stamp_at(&room, cases[i].is_kept ? "KSK4711" : "KSZ4711", cases[i].reader,
                          cases[i].lat_e7, &reason);
        if (status != (cases[i].is_kept ? PB_OK : PB_EXPIRED))
            fail_msg("case %zu: %s, %s", i, pb_status_name(status), reason);
        if (!cases[i].is_kept)
            assert_ptr_equal(pb_stamp_in_zone, reason);
        room.now_us += PB_SECOND_US;
    }
    assert_int_equal(0, room_files_with(room.path, "KSZ4711"));
    assert_true(room_files_with(room.path, "KSK4711") > 0);
    room_done(&room);
}

/* ---- what was stored before ---- */

#define SCHOOL "school:38.5:-98.0:100"

static void
add_at(struct site_room *room, const char *plate, const char *reader, int32_t lat_e7)
{
    struct pb_read read = room_read(room, plate, reader, 0);

    read.lat_e7 = lat_e7;
    if (lat_e7 == PB_NO_POSITION)
        read.lon_e7 = PB_NO_POSITION;
    room_expect(room, PB_OK, room_take(room, &read), plate);
}

/* Four of kansas-pd at the school; one of it elsewhere, and one of river-pd, which has no zone. */
static void
add_reads(struct site_room *room)
{
    add_at(room, "KSZ777", "k1", ROOM_LAT_E7);
    add_at(room, "KSY888", "k1", ROOM_LAT_E7);
    add_at(room, "KSX111", "k1", PB_NO_POSITION);
    add_at(room, "KSW222", "k2", ROOM_LAT_E7);
    add_at(room, "KSZ777", "k2", ROOM_LAT_E7 + 1000000);
    add_at(room, "KSV333", "r1", ROOM_LAT_E7);
}

static uint64_t
count_subject(struct site_room *room, const char *plate)
{
    static char token[1024];
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, plate);

    inquiry.kind = PB_INQUIRY_SUBJECT;
    inquiry.person = pb_str_from("aud");
    inquiry.purpose = pb_str_from("subject-access");
    inquiry.offence = pb_str_from("");
    inquiry.case_number = pb_str_from("SAR-12");
    inquiry.justification = pb_str_from("Letter of May asks for all reads of this spring");
    inquiry.identity = pb_str_from("Passport and registration seen at the desk");
    inquiry.relation = PB_RELATION_UNSTATED;
    (void)snprintf(token, sizeof(token), "%s",
                   pb_answer_token(room_ask_for(room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON)));
    room_expect(room, PB_OK,
                pb_inquiry_approve(room->site, pb_str_from("sup"), pb_str_from(token), true,
                                   pb_str_from("The letter and the passport fit"), &room->error),
                "approve");
    inquiry.approval = pb_str_from(token);
    return room_rows(room, &inquiry);
}

/* What each way to ask tells, before there is a zone and with it. */
static void
expect_by_all_ways(struct site_room *room, bool has_zone)
{
    struct pb_inquiry plate = room_inquiry(room, PB_INQUIRY_PLATE, "KSZ777");
    struct pb_inquiry pattern = room_inquiry(room, PB_INQUIRY_PATTERN, "KSZ77?");
    struct pb_inquiry place = room_inquiry(room, PB_INQUIRY_PLACE, "");
    struct pb_inquiry common = room_inquiry(room, PB_INQUIRY_COMMON, "");
    struct pb_inquiry together = room_inquiry(room, PB_INQUIRY_ASSOCIATES, "KSZ777");
    struct pb_coverage coverage;

    assert_int_equal(has_zone ? 1 : 2, room_rows(room, &plate));
    assert_int_equal(has_zone ? 1 : 2, pb_answer_count(room->answer));
    coverage = pb_answer_coverage(room->answer);
    assert_true(coverage.is_up_known);
    assert_int_equal(has_zone ? 2 : 3, coverage.readers_up); /* k1 stands at the school */
    plate.query.with_superseded = true;
    assert_int_equal(has_zone ? 1 : 2, room_rows(room, &plate));
    assert_int_equal(has_zone ? 0 : 1, room_count_plate(room, "KSX111"));
    assert_int_equal(has_zone ? 0 : 1, room_count_plate(room, "KSW222"));
    assert_int_equal(1, room_count_plate(room, "KSV333"));
    assert_int_equal(has_zone ? 1 : 2, room_rows(room, &pattern));
    pattern.counts_plates = true;
    assert_int_equal(1, room_rows(room, &pattern));
    assert_int_equal(has_zone ? 1 : 2, pb_answer_row(room->answer, 0)->reads);
    assert_int_equal(has_zone ? 1 : 4, room_rows(room, &place));
    assert_int_equal(has_zone ? 1 : 3, pb_answer_coverage(room->answer).readers_up);
    place.query.plate = pb_str_from("KSY888");
    assert_int_equal(has_zone ? 0 : 1, room_rows(room, &place));
    assert_int_equal(has_zone ? 0 : 1, room_rows(room, &common));
    together.together_min = 1;
    assert_int_equal(has_zone ? 0 : 1, room_rows(room, &together));
    plate = room_inquiry(room, PB_INQUIRY_PLATE, "KSZ777");
    plate.is_export = true;
    plate.export_recipient = pb_str_from("kansas-pd");
    plate.export_format = pb_str_from("csv");
    assert_int_equal(has_zone ? 1 : 2, room_rows(room, &plate));
    assert_int_equal(has_zone ? 1 : 2, count_subject(room, "KSZ777"));
}

static enum pb_status
correct_at_school(struct site_room *room, int64_t captured_at_us)
{
    const struct pb_correction correction = {
        .person = pb_str_from("doe"),
        .why = pb_str_from("The picture shows a V, not a Y"),
        .reader = pb_str_from("k1"),
        .wrong_plate = pb_str_from("KSY888"),
        .captured_at_us = captured_at_us,
        .plate = pb_str_from("KSV888"),
    };

    return pb_inquiry_correct(room->site, &correction, &room->error);
}

/* Rows that lie in the store, whoever may see them. */
static uint64_t
stored(struct site_room *room)
{
    struct pb_store_stats stats;

    room_expect(room, PB_OK, pb_store_stats(pb_site_store(room->site), &stats, &room->error),
                "stats");
    return stats.reads;
}

struct told {
    uint64_t kansas, others;
};

static bool
note_receipt(void *context, const struct pb_purge_receipt_line *line)
{
    struct told *told = context;

    if (pb_str_equal(line->agency, pb_str_from("kansas-pd")) && line->day == 20606)
        told->kansas += line->reads;
    else
        told->others += line->reads;
    return true;
}

static struct told
purge(struct site_room *room)
{
    struct pb_actor operator= { 0 };
    struct pb_purge_counts counts;
    struct told told = { 0 };

    room_expect(room, PB_OK,
                pb_site_purge(room->site, &operator, NULL, note_receipt, &told, &counts,
                              &room->error),
                "purge");
    return told;
}

static void
what_was_stored_of_a_zone_is_in_no_answer_at_once_and_gone_with_the_next_purge(void **state)
{
    struct site_room room;
    struct room_found leaf;
    struct told told;
    int64_t captured_at_us;

    (void)state;
    init_with_law(&room);
    captured_at_us = room.now_us;
    add_reads(&room);
    expect_by_all_ways(&room, false);
    put_zones(&room, "court:38.5:-98.0:100"); /* of which this law does not speak */
    expect_by_all_ways(&room, false);
    put_zones(&room, SCHOOL);
    expect_by_all_ways(&room, true);
    assert_int_equal(PB_NOT_FOUND, correct_at_school(&room, captured_at_us));
    room_reopen(&room);
    expect_by_all_ways(&room, true);
    /* It is only hidden so far: a slip of the pen is made good. */
    put_zones(&room, "");
    expect_by_all_ways(&room, false);
    put_zones(&room, SCHOOL);
    assert_int_equal(6, stored(&room));

    told = purge(&room);
    assert_int_equal(4, told.kansas);
    assert_int_equal(0, told.others);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "purge", &leaf));
    assert_says(leaf.leaf, "\"zone-2026-06-02\":4");
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "purge", &leaf));
    assert_says(leaf.leaf, "\"agency\":\"kansas-pd\"");
    assert_int_equal(2, room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", &leaf));
    assert_says(leaf.leaf, "\"earlier\":4");
    assert_int_equal(2, stored(&room));
    expect_by_all_ways(&room, true);
    /* Nothing brings it back, and nothing is told twice. */
    put_zones(&room, "");
    told = purge(&room);
    assert_int_equal(0, told.kansas + told.others);
    assert_int_equal(0, room_count_plate(&room, "KSY888"));
    assert_int_equal(1, room_count_plate(&room, "KSZ777"));
    room_done(&room);
}

static void
a_zone_that_is_widened_takes_what_it_reaches_to_the_metre(void **state)
{
    struct site_room room;

    (void)state;
    init_with_law(&room);
    add_at(&room, "KSA099", "k1", ROOM_LAT_E7 + 8900); /* 99 m */
    add_at(&room, "KSA101", "k1", ROOM_LAT_E7 + 9100); /* 101 m */
    put_zones(&room, SCHOOL);
    assert_int_equal(0, room_count_plate(&room, "KSA099"));
    assert_int_equal(1, room_count_plate(&room, "KSA101"));
    assert_int_equal(1, purge(&room).kansas);
    assert_int_equal(1, room_count_plate(&room, "KSA101"));
    put_zones(&room, "school:38.5:-98.0:102");
    assert_int_equal(0, room_count_plate(&room, "KSA101"));
    assert_int_equal(1, stored(&room));
    assert_int_equal(1, purge(&room).kansas);
    assert_int_equal(0, stored(&room));
    room_done(&room);
}

/* The law itself brings reads out, from its first day on; and a reader that is said to stand
 * elsewhere, those that do not say where they were made. */
static void
a_law_that_begins_and_a_reader_that_is_moved_bring_reads_out_too(void **state)
{
    struct site_room room;
    struct pb_actor operator= { 0 };

    (void)state;
    room_init(&room);
    put_zones(&room, SCHOOL);
    room_expect(&room, PB_OK,
                pb_site_put_pack(room.site, &operator, "us-ks-zones.yaml", no_zones_pack,
                                 strlen(no_zones_pack), &room.error),
                "pack");
    add_at(&room, "KSY888", "k1", ROOM_LAT_E7);
    add_at(&room, "KSX111", "k2", PB_NO_POSITION);
    room.now_us = ROOM_NOW_US + PB_DAY_US / 2 - 1;
    assert_int_equal(1, room_count_plate(&room, "KSY888"));
    room.now_us++;
    assert_int_equal(0, room_count_plate(&room, "KSY888"));
    assert_int_equal(1, room_count_plate(&room, "KSX111"));
    assert_int_equal(1, purge(&room).others); /* made on 1 June */
    room_import(&room, "readers:\n  - { id: k2, agency: kansas-pd, capture_state: US-KS,"
                       " lat: 38.5, lon: -98.0 }\n");
    assert_int_equal(0, room_count_plate(&room, "KSX111"));
    assert_int_equal(1, purge(&room).others);
    assert_int_equal(0, stored(&room));
    room_done(&room);
}

/* Changes one field of a record, as a command does. */
static void
change(struct site_room *room, const char *entity, const char *id, const char *field,
       const char *value)
{
    struct pb_actor operator= { 0 };
    struct pb_record record = { .entity = pb_catalog_entity(entity) };

    assert_non_null(record.entity);
    record.values[0] = id;
    for (unsigned i = 0; i < record.entity->field_count; i++) {
        if (strcmp(record.entity->fields[i].name, field) == 0)
            record.values[i] = value;
    }
    room_expect(room, PB_OK,
                pb_site_put(room->site, &operator, & record, PB_PUT_CHANGE, &room->error), field);
}

/* All is as it was when the store was last looked through, but for what came in meanwhile. */
static void
what_came_in_while_a_zone_was_not_one_goes_too(void **state)
{
    struct site_room room;

    (void)state;
    init_with_law(&room);
    put_zones(&room, SCHOOL);
    (void)purge(&room);
    for (int by_import = 0; by_import <= 1; by_import++) {
        if (by_import)
            put_zones(&room, "");
        else
            change(&room, "agency", "kansas-pd", "zones", "");
        add_at(&room, "KSY888", "k1", ROOM_LAT_E7);
        if (by_import)
            put_zones(&room, SCHOOL);
        else
            change(&room, "agency", "kansas-pd", "zones", SCHOOL);
        assert_int_equal(0, room_count_plate(&room, "KSY888"));
        assert_int_equal(1, purge(&room).kansas);
        assert_int_equal(0, stored(&room));
        room.now_us += PB_SECOND_US;
    }
    /* The same where it is the reader that stood elsewhere for a time. */
    change(&room, "reader", "k1", "lat", "39.5");
    add_at(&room, "KSX111", "k1", PB_NO_POSITION);
    change(&room, "reader", "k1", "lat", "38.5");
    assert_int_equal(1, purge(&room).kansas);
    assert_int_equal(0, stored(&room));
    /* What dates do not depend on makes nobody look again. */
    change(&room, "agency", "kansas-pd", "name", "Example Kansas Police Department");
    {
        uint64_t before = room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", NULL);

        (void)purge(&room);
        assert_int_equal(before, room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", NULL));
    }
    room_done(&room);
}

/* What a court wants kept is kept, and is shown to nobody for that. */
static void
a_hold_keeps_reads_of_a_zone_from_going_and_shows_them_to_nobody(void **state)
{
    static const char hold[] =
        "holds:\n  - { id: h1, agency: kansas-pd,"
        " case: \"kansas-pd:26-00471\", authority: court-order,"
        " facts: Court order of the example court, plate: KSY888, from: 2026-05-31,"
        " to: 2026-06-03, expires_at: 2026-08-01, released: %s }\n";
    struct site_room room;
    char yaml[512];

    (void)state;
    init_with_law(&room);
    add_reads(&room);
    (void)snprintf(yaml, sizeof(yaml), hold, "no");
    room_import(&room, yaml);
    put_zones(&room, SCHOOL);
    assert_int_equal(0, room_count_plate(&room, "KSY888")); /* asked for the case of the hold */
    assert_int_equal(3, purge(&room).kansas);
    assert_int_equal(0, room_count_plate(&room, "KSY888"));
    assert_int_equal(3, stored(&room));
    (void)snprintf(yaml, sizeof(yaml), hold, "yes");
    room_import(&room, yaml);
    assert_int_equal(1, purge(&room).kansas);
    assert_int_equal(2, stored(&room));
    room_done(&room);
}

/* A read of k1 at the school, kept until `keep_us` from now. */
static void
add_until(struct site_room *room, const char *plate, int64_t before_us, int64_t keep_us)
{
    struct pb_read read = room_read(room, plate, "k1", before_us);

    read.delete_after_us = room->now_us + keep_us;
    assert_int_equal(PB_OK, room_append(room, &read));
}

/* Of one reader and day some went because their time was over, others because of the zone: also
 * where rules move dates at the same time, so that reads are asked of more than once. */
static void
a_receipt_tells_what_expired_from_what_a_zone_ended(void **state)
{
    struct site_room room;
    struct room_found leaf;
    struct told told;

    (void)state;
    init_with_law(&room);
    add_until(&room, "KSX001", 0, PB_SECOND_US); /* over by then */
    add_until(&room, "KSX002", 0, PB_SECOND_US);
    add_until(&room, "KSX003", 0, PB_NEVER - room.now_us); /* longer than any rule keeps it */
    add_until(&room, "KSX004", 0, 20 * PB_DAY_US);
    add_until(&room, "KSX005", PB_DAY_US, 20 * PB_DAY_US);
    add_at(&room, "KSX006", "k2", ROOM_LAT_E7 + 90000);
    room.now_us += 2 * PB_SECOND_US;
    put_zones(&room, SCHOOL);
    told = purge(&room);
    assert_int_equal(4, told.kansas);
    assert_int_equal(1, told.others);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "purge", &leaf));
    assert_says(leaf.leaf, "\"n\":5");
    assert_says(leaf.leaf, "\"zone-2026-06-01\":1");
    assert_says(leaf.leaf, "\"day-2026-06-02\":2");
    assert_says(leaf.leaf, "\"zone-2026-06-02\":2");
    assert_null(strstr(leaf.leaf, "day-2026-06-01"));
    assert_int_equal(1, stored(&room));
    room_done(&room);
}

/* What cannot be told apart stays what it was, and goes all the same. */
static void
without_memory_reads_of_a_zone_go_with_the_next_purge(void **state)
{
    struct pb_actor operator= { 0 };
    struct site_room room;
    bool has_failed = true;

    (void)state;
    init_with_law(&room);
    for (uint64_t n = 1; has_failed; n++) {
        uint64_t failures = room.fault.failure_count;
        struct pb_purge_counts counts;
        struct told told = { 0 };
        enum pb_status status;

        put_zones(&room, "");
        add_until(&room, "KSX001", 0, PB_SECOND_US);
        add_until(&room, "KSX004", 0, 20 * PB_DAY_US);
        room.now_us += 2 * PB_SECOND_US;
        put_zones(&room, SCHOOL);
        room.fault.fail_allocation_at = room.fault.allocation_count + n;
        status =
            pb_site_purge(room.site, &operator, NULL, note_receipt, &told, &counts, &room.error);
        room.fault.fail_allocation_at = 0;
        has_failed = room.fault.failure_count > failures;
        if (status != PB_OK) {
            assert_int_equal(PB_E_NOMEM, status);
            (void)purge(&room);
        }
        assert_int_equal(0, stored(&room));
    }
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_places_where_nobody_may_capture_are_never_written),
        cmocka_unit_test(
            what_was_stored_of_a_zone_is_in_no_answer_at_once_and_gone_with_the_next_purge),
        cmocka_unit_test(a_zone_that_is_widened_takes_what_it_reaches_to_the_metre),
        cmocka_unit_test(a_law_that_begins_and_a_reader_that_is_moved_bring_reads_out_too),
        cmocka_unit_test(what_came_in_while_a_zone_was_not_one_goes_too),
        cmocka_unit_test(a_receipt_tells_what_expired_from_what_a_zone_ended),
        cmocka_unit_test(without_memory_reads_of_a_zone_go_with_the_next_purge),
        cmocka_unit_test(a_hold_keeps_reads_of_a_zone_from_going_and_shows_them_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
