/*
 * Upkeep: what has expired goes by itself, in time and on record; and the thread that does it,
 * which nobody has to wait for.
 */
#include "inquiry/site_room.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "cli/care.h"
#include "cli/upkeep.h"
#include "support/kept.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

struct upkeep_room {
    struct site_room room;
    struct kept heard; /* a write is a line */
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
        .env = room->env, .sink = keep, .sink_context = &test->heard, .level = PB_LOG_INFO
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
    assert_int_equal(0, test.heard.writes);
    test.room.now_us += 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(1, reads_on_disk(&test));
    assert_int_equal(1, receipts(&test));
    assert_non_null(strstr(test.heard.text, "\"event\":\"upkeep\",\"status\":\"ok\""));
    assert_non_null(strstr(test.heard.text, "\"reads_removed\":1,"));

    test.room.now_us += PB_DAY_US - 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(1, test.heard.writes);
    test.room.now_us += 1;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, test.heard.writes);
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
    assert_int_equal(0, test.heard.writes);
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
    assert_int_equal(1, test.heard.writes);
    assert_non_null(strstr(test.heard.text, "\"level\":\"error\""));
    assert_null(strstr(test.heard.text, "\"status\":\"ok\""));
    assert_true(test.upkeep.due_ns - pb_monotonic_ns(test.room.env) == DAY_NS / 10);
    test.room.now_us += PB_DAY_US / 10;
    pb_cli_upkeep_run(&test.upkeep, NULL);
    assert_int_equal(2, test.heard.writes);
    assert_int_equal(1, reads_on_disk(&test));
    room_done(&test.room);
}

/* ---- on a thread of its own ---- */

/* A room that is cared for; what the thread does is followed by its looks at the clock. */
struct care_room {
    struct upkeep_room test;
    struct pb_env env; /* the room's, with a clock that tells of who looks at it */
    struct pb_log log;
    struct pb_cli cli;
    struct pb_cli_care_options options;
    struct pb_cli_care *care;
    pthread_t main_thread;
    _Atomic int64_t ahead_ns;                /* of the monotonic clock: it is later each time */
    void (*on_look)(struct care_room *care); /* on the thread, at its first look at the time */
    _Atomic bool has_looked;
    sem_t looked, may_go_on, said;
    unsigned counted;
};

static int64_t
care_now(void *context)
{
    return ((struct care_room *)context)->test.room.now_us;
}

/* Ten minutes later each time, so that upkeep is due at the first look. */
static int64_t
care_monotonic(void *context)
{
    struct care_room *care = context;

    if (care->on_look != NULL && !pthread_equal(pthread_self(), care->main_thread) &&
        !atomic_exchange(&care->has_looked, true))
        care->on_look(care);
    return atomic_fetch_add(&care->ahead_ns, PB_CLI_UPKEEP_FIRST_S * INT64_C(1000000000));
}

static void
hear_and_tell(void *context, const char *line, size_t bytes)
{
    struct care_room *care = context;

    keep(&care->test.heard, line, bytes);
    assert_int_equal(0, sem_post(&care->said));
}

static void
note_counted(void *context)
{
    ((struct care_room *)context)->counted++;
}

/* Two reads, one of which has expired, each in a segment of its own. */
static void
care_init(struct care_room *care)
{
    struct site_room *room = &care->test.room;

    memset(care, 0, sizeof(*care));
    room_init(room);
    room_add(room, "KSA123", "m1", 20 * PB_DAY_US);
    room_expect(room, PB_OK, pb_store_flush(pb_site_store(room->site), &room->error), "flush");
    room_add(room, "KSA124", "m1", PB_DAY_US);
    room_expect(room, PB_OK, pb_store_flush(pb_site_store(room->site), &room->error), "flush");
    room->now_us += 2 * PB_DAY_US;
    care->env = *room->env;
    care->main_thread = pthread_self();
    care->env.now_us = care_now;
    care->env.monotonic_ns = care_monotonic;
    care->env.clock_context = care;
    room_close(room);
    room->env = &care->env;
    room_open_as(room, PB_SITE_WRITE);
    care->log = (struct pb_log){
        .env = room->env, .sink = hear_and_tell, .sink_context = care, .level = PB_LOG_INFO
    };
    care->cli = (struct pb_cli){ .env = room->env, .command = "serve" };
    care->options = (struct pb_cli_care_options){
        .cli = &care->cli, .site = room->site, .log = &care->log, .upkeep_hours = 24
    };
    assert_int_equal(0, sem_init(&care->looked, 0, 0));
    assert_int_equal(0, sem_init(&care->may_go_on, 0, 0));
    assert_int_equal(0, sem_init(&care->said, 0, 0));
}

static void
care_start(struct care_room *care)
{
    room_expect(&care->test.room, PB_OK,
                pb_cli_care_start(&care->options, &care->care, &care->test.room.error), "start");
}

/* Waits for so many lines more. */
static void
care_listen(struct care_room *care, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++) {
        while (sem_wait(&care->said) != 0)
            assert_int_equal(EINTR, errno);
    }
}

static void
care_done(struct care_room *care)
{
    room_done(&care->test.room);
    assert_int_equal(0, sem_destroy(&care->looked));
    assert_int_equal(0, sem_destroy(&care->may_go_on));
    assert_int_equal(0, sem_destroy(&care->said));
}

static void
the_thread_counts_and_then_removes_what_has_expired(void **state)
{
    struct care_room care;

    (void)state;
    care_init(&care);
    care.options.counts = true;
    care.options.on_counted = note_counted;
    care.options.counted_context = &care;
    care_start(&care);
    care_listen(&care, 2);
    pb_cli_care_stop(care.care);
    assert_int_equal(1, care.counted);
    assert_ptr_equal(strstr(care.test.heard.text, "\"event\":"),
                     strstr(care.test.heard.text, "\"event\":\"figures\",\"status\":\"ok\""));
    assert_non_null(strstr(care.test.heard.text, "\"event\":\"upkeep\",\"status\":\"ok\""));
    assert_int_equal(1, reads_on_disk(&care.test));
    care_done(&care);
}

static void
wait_in_the_middle(struct care_room *care)
{
    assert_int_equal(0, sem_post(&care->looked));
    while (sem_wait(&care->may_go_on) != 0)
        assert_int_equal(EINTR, errno);
}

/* It has begun, and goes on when it may. */
static void
care_start_in_the_middle(struct care_room *care)
{
    care->on_look = wait_in_the_middle;
    care_start(care);
    while (sem_wait(&care->looked) != 0)
        assert_int_equal(EINTR, errno);
}

/* Told to while it begins with the first of two segments, it does not touch the second, is not
 * said to have failed, and removes nothing. */
static void
upkeep_that_is_told_to_stop_ends_after_the_segment_in_hand(void **state)
{
    struct care_room care;

    (void)state;
    care_init(&care);
    care_start_in_the_middle(&care);
    pb_cli_care_break_off(care.care);
    assert_int_equal(0, sem_post(&care.may_go_on));
    pb_cli_care_stop(care.care);
    assert_non_null(
        strstr(care.test.heard.text, "\"level\":\"info\",\"event\":\"upkeep\",\"status\":\"end\""));
    assert_int_equal(1, care.test.heard.writes);
    assert_int_equal(2, reads_on_disk(&care.test));
    care_done(&care);
}

/* Counting asks after 64 entries. */
static void
counting_that_is_told_to_stop_is_no_failure(void **state)
{
    struct pb_inquiry inquiry;
    struct care_room care;

    (void)state;
    care_init(&care);
    inquiry = room_inquiry(&care.test.room, PB_INQUIRY_PLATE, "KSA123");
    for (unsigned i = 0; i < 40; i++)
        (void)room_ask_for(&care.test.room, &inquiry, PB_POLICY_ALLOW);
    care.options.counts = true;
    care.options.on_counted = note_counted;
    care.options.counted_context = &care;
    care_start_in_the_middle(&care);
    pb_cli_care_break_off(care.care);
    assert_int_equal(0, sem_post(&care.may_go_on));
    pb_cli_care_stop(care.care);
    assert_int_equal(0, care.counted);
    assert_non_null(strstr(care.test.heard.text,
                           "\"level\":\"info\",\"event\":\"figures\",\"status\":\"end\""));
    care_done(&care);
}

/* The wish is handed over while upkeep is in hand, and nobody waits for that. */
static void
backups_are_asked_for_without_waiting_and_made_afterwards(void **state)
{
    struct care_room care;
    char directory[256];

    (void)state;
    care_init(&care);
    (void)snprintf(directory, sizeof(directory), "%s/backups", care.test.room.directory);
    care.options.backups = directory;
    care_start_in_the_middle(&care);
    pb_cli_care_back_up(care.care);
    pb_cli_care_back_up(care.care);
    assert_int_equal(0, care.test.heard.writes);
    assert_int_equal(0, sem_post(&care.may_go_on));
    care_listen(&care, 2);
    pb_cli_care_stop(care.care);
    assert_int_equal(2, care.test.heard.writes);
    assert_true(strstr(care.test.heard.text, "\"event\":\"upkeep\",\"status\":\"ok\"") <
                strstr(care.test.heard.text, "\"event\":\"backup\",\"status\":\"ok\""));
    care_done(&care);
}

static void
a_backup_without_a_place_is_a_failure_that_is_told(void **state)
{
    struct care_room care;

    (void)state;
    care_init(&care);
    care.options.upkeep_hours = 0;
    care_start(&care);
    pb_cli_care_back_up(care.care);
    care_listen(&care, 1);
    pb_cli_care_stop(care.care);
    assert_non_null(strstr(care.test.heard.text, "\"level\":\"error\",\"event\":\"backup\""));
    care_done(&care);
}

static void
without_memory_nothing_is_started(void **state)
{
    struct care_room care;
    struct fault_env *fault = &care.test.room.fault;

    (void)state;
    care_init(&care);
    fault->fail_allocation_at = fault->allocation_count + 1;
    assert_int_equal(PB_E_NOMEM, pb_cli_care_start(&care.options, &care.care, NULL));
    fault->fail_allocation_at = 0;
    assert_null(care.care);
    pb_cli_care_break_off(care.care);
    pb_cli_care_stop(care.care);
    care_done(&care);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_expired_goes_minutes_after_the_start_and_then_each_period),
        cmocka_unit_test(without_a_period_nothing_is_done),
        cmocka_unit_test(a_failure_is_logged_and_tried_again_sooner),
        cmocka_unit_test(the_thread_counts_and_then_removes_what_has_expired),
        cmocka_unit_test(upkeep_that_is_told_to_stop_ends_after_the_segment_in_hand),
        cmocka_unit_test(counting_that_is_told_to_stop_is_no_failure),
        cmocka_unit_test(backups_are_asked_for_without_waiting_and_made_afterwards),
        cmocka_unit_test(a_backup_without_a_place_is_a_failure_that_is_told),
        cmocka_unit_test(without_memory_nothing_is_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
