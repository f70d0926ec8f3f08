/*
 * Upkeep: what has expired goes by itself, in time and on record.
 */
#include "inquiry/site_room.h"

#include "cli/upkeep.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

/* Lines of the log, one after another. */
struct heard {
    char text[4096];
    size_t bytes;
    unsigned lines;
};

static void
hear(void *context, const char *line, size_t bytes)
{
    struct heard *heard = context;

    assert_true(heard->bytes + bytes < sizeof(heard->text));
    memcpy(heard->text + heard->bytes, line, bytes);
    heard->bytes += bytes;
    heard->text[heard->bytes] = '\0';
    heard->lines++;
}

struct upkeep_room {
    struct site_room room;
    struct heard heard;
    struct pb_log log;
    struct pb_cli_upkeep upkeep;
};

/* A Maine agency keeps its reads for 21 days: of two one has a day left. */
static void
upkeep_init(struct upkeep_room *test, uint64_t period_hours)
{
    struct site_room *room = &test->room;

    memset(test, 0, sizeof(*test));
    room_init(room);
    room_add(room, "KSA123", "m1", 20 * PB_DAY_US);
    room_add(room, "KSA123", "m1", PB_DAY_US);
    test->log = (struct pb_log){
        .env = room->env, .sink = hear, .sink_context = &test->heard, .level = PB_LOG_INFO
    };
    pb_cli_upkeep_init(&test->upkeep, room->env, room->site, &test->log, period_hours);
}

static uint64_t
reads_on_disk(struct upkeep_room *test)
{
    struct pb_store_stats stats;

    room_expect(&test->room, PB_OK,
                pb_store_stats(pb_site_store(test->room.site), &stats, &test->room.error), "stats");
    return stats.reads;
}

static uint64_t
receipts(struct upkeep_room *test)
{
    return room_leaves(&test->room, PB_AUDIT_OPERATOR, "purge", NULL);
}

static void
what_has_expired_goes_minutes_after_the_start_and_then_each_period(void **state)
{
    struct upkeep_room test;

    (void)state;
    upkeep_init(&test, 24);
    test.room.now_us += 2 * PB_DAY_US;
    pb_cli_upkeep_init(&test.upkeep, test.room.env, test.room.site, &test.log, 24);
    test.room.now_us += PB_CLI_UPKEEP_FIRST_S * PB_SECOND_US - 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, reads_on_disk(&test));
    assert_int_equal(0, test.heard.lines);
    test.room.now_us += 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(1, reads_on_disk(&test));
    assert_int_equal(1, receipts(&test));
    assert_non_null(strstr(test.heard.text, "\"event\":\"upkeep\",\"status\":\"ok\""));
    assert_non_null(strstr(test.heard.text, "\"reads_removed\":1,"));

    test.room.now_us += PB_DAY_US - 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(1, test.heard.lines);
    test.room.now_us += 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, test.heard.lines);
    test.room.now_us += 30 * PB_DAY_US;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(0, reads_on_disk(&test));
    room_done(&test.room);
}

static void
without_a_period_nothing_is_done(void **state)
{
    struct upkeep_room test;

    (void)state;
    upkeep_init(&test, 0);
    test.room.now_us += 100 * PB_DAY_US;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, reads_on_disk(&test));
    assert_int_equal(0, test.heard.lines);
    room_done(&test.room);
}

/* What fails is told, and tried again before the period is over. */
static void
a_failure_is_logged_and_tried_again_sooner(void **state)
{
    struct upkeep_room test;

    (void)state;
    upkeep_init(&test, 24);
    test.room.now_us += 3 * PB_DAY_US;
    test.room.fault.fail_allocation_at = test.room.fault.allocation_count + 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    test.room.fault.fail_allocation_at = 0;
    assert_int_equal(1, test.heard.lines);
    assert_non_null(strstr(test.heard.text, "\"level\":\"error\""));
    assert_null(strstr(test.heard.text, "\"status\":\"ok\""));
    assert_true(test.upkeep.due_ns - pb_monotonic_ns(test.room.env) == DAY_NS / 10);
    test.room.now_us += PB_DAY_US / 10;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, test.heard.lines);
    assert_int_equal(1, reads_on_disk(&test));
    room_done(&test.room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_expired_goes_minutes_after_the_start_and_then_each_period),
        cmocka_unit_test(without_a_period_nothing_is_done),
        cmocka_unit_test(a_failure_is_logged_and_tried_again_sooner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
