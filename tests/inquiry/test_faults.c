/*
 * Faults: whatever fails, nothing is answered without its leaves.
 */
#include "inquiry/site_room.h"

/* Closes a site whose log may be poisoned, and opens it again as after a crash. */
static void
recover(struct site_room *room)
{
    enum pb_status status = PB_OK;

    room->fault.fail_file_call_at = 0;
    room->fault.fail_allocation_at = 0;
    pb_answer_free(room->answer);
    room->answer = NULL;
    status = pb_site_close(room->site, NULL);
    (void)status;
    room->site = NULL;
    room_open_as(room, PB_SITE_WRITE);
}

/* A room with something to ask for, of two owners. */
static void
room_init_filled(struct site_room *room)
{
    room_init(room);
    room_add(room, "KSA123", "k1", PB_DAY_US);
    room_add(room, "KSA123", "r1", PB_HOUR_US);
}

/* From the n-th change of a file on, every change fails; while an inquiry is asked. */
static void
fail_each_file_call(enum pb_status with)
{
    unsigned answered = 0;
    unsigned failed = 0;

    for (uint64_t n = 1; answered == 0; n++) {
        struct site_room room;
        struct pb_inquiry inquiry;
        struct pb_answer *answer = NULL;
        uint64_t queries = 0;
        enum pb_status status = PB_OK;

        assert_true(n < 200);
        room_init_filled(&room);
        inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
        room.fault.fail_file_mask = FAULT_WRITE | FAULT_SYNC;
        room.fault.fail_file_status = with;
        room.fault.is_file_failure_lasting = true;
        room.fault.file_call_count = 0;
        room.fault.fail_file_call_at = n;
        status = pb_inquiry_ask(room.site, &inquiry, &answer, &room.error);
        assert_true((status == PB_OK) == (answer != NULL));
        answered += status == PB_OK;
        failed += status != PB_OK;
        if (status != PB_OK)
            assert_true(status < 0);
        pb_answer_free(answer);

        /* What was answered stands in the log; what is in the log need not have been answered. */
        recover(&room);
        queries = room_leaves(&room, "kansas-pd", "query", NULL);
        if (status == PB_OK) {
            assert_int_equal(1, queries);
            assert_int_equal(1, room_leaves(&room, "kansas-pd", "result", NULL));
            assert_int_equal(1, room_leaves(&room, "river-pd", "disclosed", NULL));
        }
        /* And it goes on. */
        assert_int_equal(2, room_count_plate(&room, "KSA123"));
        assert_int_equal(queries + 1, room_leaves(&room, "kansas-pd", "query", NULL));
        room_done(&room);
    }
    assert_true(failed >= 2);
}

static void
no_leaf_no_answer_where_the_disk_fails(void **state)
{
    (void)state;
    fail_each_file_call(PB_E_IO);
}

static void
no_leaf_no_answer_where_the_disk_is_full(void **state)
{
    (void)state;
    fail_each_file_call(PB_E_FULL);
}

static void
a_death_between_the_two_leaves_leaves_a_query_without_a_result(void **state)
{
    unsigned orphans = 0;

    (void)state;
    for (uint64_t n = 1; n < 12; n++) {
        struct site_room room;
        struct pb_inquiry inquiry;
        struct pb_answer *answer = NULL;
        uint64_t queries = 0;
        uint64_t results = 0;
        enum pb_status status = PB_OK;

        room_init_filled(&room);
        inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
        room.fault.fail_file_mask = FAULT_WRITE | FAULT_SYNC;
        room.fault.is_file_failure_lasting = true;
        room.fault.file_call_count = 0;
        room.fault.fail_file_call_at = n;
        status = pb_inquiry_ask(room.site, &inquiry, &answer, &room.error);
        pb_answer_free(answer);
        recover(&room);
        queries = room_leaves(&room, "kansas-pd", "query", NULL);
        results = room_leaves(&room, "kansas-pd", "result", NULL);
        assert_true(results <= queries);
        if (status != PB_OK && queries == 1 && results == 0)
            orphans++;
        room_done(&room);
    }
    assert_true(orphans > 0);
}

/* Each allocation of a whole inquiry fails in turn; the site goes on unharmed. */
static void
sweep_allocations(enum pb_inquiry_kind kind, const char *plate, bool counts_plates)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    uint64_t failed = 0;
    enum pb_status status = PB_E_NOMEM;

    room_init_filled(&room);
    room_add(&room, "KSA123", "k2", 2 * PB_HOUR_US);
    room_add(&room, "KSB222", "k2", 2 * PB_HOUR_US + PB_SECOND_US);
    room_add(&room, "KSB222", "r1", PB_HOUR_US + PB_SECOND_US);
    inquiry = room_inquiry(&room, kind, plate);
    inquiry.counts_plates = counts_plates;
    for (uint64_t n = 1; status != PB_OK; n++) {
        struct pb_answer *answer = NULL;

        assert_true(n < 5000);
        room.fault.allocation_count = 0;
        room.fault.fail_allocation_at = n;
        status = pb_inquiry_ask(room.site, &inquiry, &answer, &room.error);
        room.fault.fail_allocation_at = 0;
        if (status != PB_OK && status != PB_E_NOMEM)
            fail_msg("allocation %llu: %s: %s", (unsigned long long)n, pb_status_name(status),
                     room.error.message);
        assert_true((status == PB_OK) == (answer != NULL));
        if (status == PB_OK)
            assert_true(pb_answer_rows(answer) > 0);
        failed += status == PB_E_NOMEM;
        pb_answer_free(answer);
    }
    assert_true(failed > 10);
    assert_true(room_rows(&room, &inquiry) > 0);
    room_done(&room);
}

static void
an_inquiry_without_memory_fails_and_harms_nothing(void **state)
{
    (void)state;
    sweep_allocations(PB_INQUIRY_PLATE, "KSA123", false);
    sweep_allocations(PB_INQUIRY_PATTERN, "KSA1*", true);
    sweep_allocations(PB_INQUIRY_PLACE, "", false);
    sweep_allocations(PB_INQUIRY_COMMON, "", false);
    sweep_allocations(PB_INQUIRY_ASSOCIATES, "KSA123", false);
}

/* Opens with the n-th call failing, for each n until none is left to fail. */
static unsigned
fail_each_in_opening(struct site_room *room, bool is_allocation, enum pb_status expected)
{
    struct pb_site_options options = { .mode = PB_SITE_WRITE,
                                       .publishes_by_hand = true,
                                       .memory_bytes = 64u << 20 };
    unsigned failed = 0;

    for (uint64_t n = 1;; n++) {
        enum pb_status status = PB_OK;
        uint64_t injected = 0;

        assert_true(n < 3000);
        room->fault.failure_count = 0;
        room->fault.fail_file_mask = FAULT_ANY;
        room->fault.allocation_count = 0;
        room->fault.file_call_count = 0;
        room->fault.fail_allocation_at = is_allocation ? n : 0;
        room->fault.fail_file_call_at = is_allocation ? 0 : n;
        status = pb_site_open(room->env, room->path, &options, &room->site, &room->error);
        room->fault.fail_allocation_at = 0;
        room->fault.fail_file_call_at = 0;
        injected = room->fault.failure_count;
        if (status == PB_OK) {
            status = pb_site_close(room->site, &room->error);
            assert_true(status == PB_OK || injected > 0);
            room->site = NULL;
        } else {
            assert_int_equal(expected, status);
            failed++;
        }
        assert_true(fault_env_is_clean(&room->fault));
        if (injected == 0)
            return failed;
    }
}

static void
opening_that_fails_leaves_nothing_behind(void **state)
{
    struct site_room room;

    (void)state;
    room_init_filled(&room);
    room_close(&room);
    pb_geo_area_free(room.env, room.area);
    pb_geo_area_free(room.env, room.other_area);
    room.area = NULL;
    room.other_area = NULL;
    assert_true(fail_each_in_opening(&room, true, PB_E_NOMEM) > 20);
    assert_true(fail_each_in_opening(&room, false, PB_E_IO) > 20);
    room_open_as(&room, PB_SITE_WRITE);
    assert_int_equal(2, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

static void
a_stamper_that_cannot_add_a_reader_stores_nothing_under_its_name(void **state)
{
    struct site_room room;
    struct pb_stamper *stamper = NULL;
    struct pb_read read;
    const char *reason = NULL;
    enum pb_status status = PB_OK;

    (void)state;
    room_init_filled(&room);
    room_expect(&room, PB_OK,
                pb_stamper_new(room.site, "kansas-pd",
                               pb_jurisdiction_from_text(pb_str_from("US-NE")), &stamper,
                               &room.error),
                "stamper");
    room.fault.fail_file_mask = FAULT_SYNC;
    room.fault.is_file_failure_lasting = true;
    room.fault.file_call_count = 0;
    room.fault.fail_file_call_at = 1;
    read = room_read(&room, "KSA123", "fresh", PB_HOUR_US);
    status = pb_stamper_stamp(stamper, &read, &reason, &room.error);
    assert_true(status < 0);
    pb_stamper_free(stamper);
    recover(&room);
    assert_int_equal(2, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

static void
a_change_whose_leaf_cannot_be_written_is_not_made(void **state)
{
    const struct pb_catalog_view *view = NULL;
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_record record = { .entity = pb_catalog_entity("agency") };
    enum pb_status status = PB_OK;

    (void)state;
    room_init_filled(&room);
    record.values[0] = "kansas-pd";
    for (unsigned i = 0; i < record.entity->field_count; i++) {
        if (strcmp(record.entity->fields[i].name, "status") == 0)
            record.values[i] = "closed";
    }
    room.fault.fail_file_mask = FAULT_SYNC;
    room.fault.is_file_failure_lasting = true;
    room.fault.file_call_count = 0;
    room.fault.fail_file_call_at = 1;
    status = pb_site_put(room.site, &operator, & record, PB_PUT_CHANGE, &room.error);
    assert_true(status < 0);
    recover(&room);
    room_expect(&room, PB_OK, pb_catalog_view_take(pb_site_catalog(room.site), &view, &room.error),
                "view");
    assert_true(view->agencies[pb_view_agency(view, pb_str_from("kansas-pd"))].is_active);
    pb_catalog_view_drop(view);
    room_done(&room);
}

/* ---- two processes ---- */

static void
a_second_process_waits_and_is_refused_while_the_first_writes(void **state)
{
    struct pb_site_options options = { .mode = PB_SITE_WRITE };
    struct site_room room;
    struct pb_site *other = NULL;

    (void)state;
    room_init_filled(&room);
    assert_int_equal(PB_E_BUSY, pb_site_open(room.env, room.path, &options, &other, &room.error));
    options.mode = PB_SITE_ASK;
    assert_int_equal(PB_E_BUSY, pb_site_open(room.env, room.path, &options, &other, &room.error));
    assert_null(other);
    /* Looking needs nobody's leave. */
    options.mode = PB_SITE_LOOK;
    room_expect(&room, PB_OK, pb_site_open(room.env, room.path, &options, &other, &room.error),
                "look");
    room_expect(&room, PB_OK, pb_site_close(other, &room.error), "close");
    room_close(&room);
    options.mode = PB_SITE_ASK;
    room_expect(&room, PB_OK, pb_site_open(room.env, room.path, &options, &room.site, &room.error),
                "ask");
    assert_int_equal(2, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

static void
a_clock_that_jumps_neither_frees_rows_nor_breaks_the_log(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init_filled(&room);
    room_add(&room, "KSA123", "m1", 0);
    assert_int_equal(3, room_count_plate(&room, "KSA123"));
    room.now_us += 22 * PB_DAY_US;
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    assert_int_equal(2, room_rows(&room, &inquiry));
    room.now_us -= 22 * PB_DAY_US;
    inquiry.query.to_us = room.now_us + PB_SECOND_US;
    assert_int_equal(3, room_rows(&room, &inquiry));
    room.now_us -= 10 * PB_DAY_US; /* before the agency was there: it has no right to ask yet */
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    room.now_us += 10 * PB_DAY_US;
    room_reopen(&room);
    assert_int_equal(3, room_leaves(&room, "kansas-pd", "query", NULL));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "denied", NULL));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_leaf_no_answer_where_the_disk_fails),
        cmocka_unit_test(no_leaf_no_answer_where_the_disk_is_full),
        cmocka_unit_test(a_death_between_the_two_leaves_leaves_a_query_without_a_result),
        cmocka_unit_test(an_inquiry_without_memory_fails_and_harms_nothing),
        cmocka_unit_test(opening_that_fails_leaves_nothing_behind),
        cmocka_unit_test(a_stamper_that_cannot_add_a_reader_stores_nothing_under_its_name),
        cmocka_unit_test(a_change_whose_leaf_cannot_be_written_is_not_made),
        cmocka_unit_test(a_second_process_waits_and_is_refused_while_the_first_writes),
        cmocka_unit_test(a_clock_that_jumps_neither_frees_rows_nor_breaks_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
