/*
 * Figures: counted once from the log, kept by month, and told so that nobody can be picked out.
 */
#include "inquiry/site_room.h"

#include <pthread.h>

#include "inquiry/figures.h"

struct figures_room {
    struct site_room room;
    struct pb_arena arena;
    struct pb_figures figures;
};

#define JUNE (56 * 12 + 5) /* 2026-06, counted from 1970-01 */

static int
setup(void **state)
{
    struct figures_room *test = calloc(1, sizeof(*test));

    assert_non_null(test);
    room_init(&test->room);
    room_import(&test->room,
                "agencies:\n  - { id: kansas-pd, name: Example Kansas Police, class: local,"
                " jurisdiction: US-KS, contributes: yes, publishes_figures: yes,"
                " reviewed_at: 2026-05-15 }\n");
    pb_arena_init(&test->arena, pb_env_system(), 4096);
    *state = test;
    return 0;
}

static int
teardown(void **state)
{
    struct figures_room *test = *state;

    pb_arena_clear(&test->arena);
    room_done(&test->room);
    free(test);
    return 0;
}

static enum pb_status
read_figures(struct figures_room *test, const char *person, const char *agency, int32_t month)
{
    pb_arena_reset(&test->arena);
    return pb_figures_read(test->room.site, pb_str_from(person), pb_str_from(agency), month,
                           &test->arena, &test->figures, &test->room.error);
}

/* As the auditor of kansas-pd. */
static const struct pb_figures *
figures_of(struct figures_room *test, int32_t month)
{
    room_expect(&test->room, PB_OK, read_figures(test, "aud", NULL, month), "figures");
    return &test->figures;
}

static const struct pb_figures *
published(struct figures_room *test, const char *agency, int32_t month)
{
    room_expect(&test->room, PB_OK, read_figures(test, NULL, agency, month), "published");
    return &test->figures;
}

static uint64_t
count_of(const struct pb_figure_line *lines, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pb_str_equal(lines[i].name, pb_str_from(name)))
            return lines[i].count;
    }
    return 0;
}

static void
ask_times(struct figures_room *test, unsigned times, const char *purpose,
          enum pb_policy_verdict verdict)
{
    struct pb_inquiry inquiry = room_inquiry(&test->room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.purpose = pb_str_from(purpose);
    for (unsigned i = 0; i < times; i++)
        (void)room_ask_for(&test->room, &inquiry, verdict);
}

/* Sets the clock to a day of July. */
static void
go_to_july(struct figures_room *test)
{
    test->room.now_us = ROOM_NOW_US + 32 * PB_DAY_US;
}

/* ---- counting ---- */

static void
what_people_do_is_counted_once_however_often_it_is_looked_at(void **state)
{
    struct figures_room *test = *state;
    const struct pb_figures *figures;

    ask_times(test, 7, "criminal-investigation", PB_POLICY_ALLOW);
    ask_times(test, 2, "missing-person", PB_POLICY_ALLOW);
    ask_times(test, 3, "curiosity", PB_POLICY_DENY);
    for (unsigned i = 0; i < 3; i++) {
        figures = figures_of(test, JUNE);
        assert_int_equal(9, figures->inquiries);
        assert_int_equal(2, figures->purpose_count);
        assert_int_equal(7, count_of(figures->purposes, figures->purpose_count,
                                     "criminal-investigation"));
        assert_int_equal(2, count_of(figures->purposes, figures->purpose_count, "missing-person"));
        assert_int_equal(3, figures->numbers[PB_FIGURE_DENIED]);
    }
    ask_times(test, 1, "missing-person", PB_POLICY_ALLOW);
    figures = figures_of(test, JUNE);
    assert_int_equal(3, count_of(figures->purposes, figures->purpose_count, "missing-person"));
    /* What a look leaves is no inquiry. */
    assert_int_equal(4, room_leaves(&test->room, "kansas-pd", "audit-read", NULL));
}

static void
figures_are_the_same_after_a_restart_and_when_counted_anew(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;

    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    assert_int_equal(6, figures_of(test, JUNE)->inquiries);
    room_reopen(room);
    assert_int_equal(6, figures_of(test, JUNE)->inquiries);
    ask_times(test, 1, "criminal-investigation", PB_POLICY_ALLOW);
    /* What is kept is thrown away, and made again from the log; or is no note of ours. */
    for (unsigned i = 0; i < 2; i++) {
        room_expect(room, PB_OK,
                    pb_catalog_note_put(pb_site_catalog(room->site), "figures", "kansas-pd/2026-06",
                                        pb_str_from(i == 0 ? "" : "nonsense"), &room->error),
                    "note");
        assert_int_equal(7, figures_of(test, JUNE)->inquiries);
    }
}

static void
each_month_has_its_own(void **state)
{
    struct figures_room *test = *state;

    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 8, "criminal-investigation", PB_POLICY_ALLOW);
    assert_int_equal(6, figures_of(test, JUNE)->inquiries);
    assert_true(test->figures.is_over);
    assert_int_equal(8, figures_of(test, JUNE + 1)->inquiries);
    assert_false(test->figures.is_over);
    assert_int_equal(0, figures_of(test, JUNE - 1)->inquiries);
    /* A log's time never goes back, whatever the clock does. */
    test->room.now_us = ROOM_NOW_US + PB_DAY_US;
    ask_times(test, 1, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 1, "criminal-investigation", PB_POLICY_ALLOW);
    assert_int_equal(10, figures_of(test, JUNE + 1)->inquiries);
    assert_int_equal(6, figures_of(test, JUNE)->inquiries);
    /* Where one month is lost all are counted anew. */
    room_expect(&test->room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(test->room.site), "figures",
                                    "kansas-pd/2026-06", pb_str_from("nonsense"),
                                    &test->room.error),
                "note");
    assert_int_equal(10, figures_of(test, JUNE + 1)->inquiries);
    assert_int_equal(6, figures_of(test, JUNE)->inquiries);
}

static void
what_partners_were_given_and_who_they_are_is_told(void **state)
{
    struct figures_room *test = *state;
    const struct pb_figures *figures;

    room_add(&test->room, "KSA123", "r1", PB_HOUR_US);
    room_add(&test->room, "KSA123", "r1", 2 * PB_HOUR_US);
    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    room_expect(&test->room, PB_OK, read_figures(test, "rivaud", "river-pd", JUNE), "river");
    figures = &test->figures;
    assert_int_equal(0, figures->inquiries);
    assert_int_equal(1, figures->shared_count);
    assert_true(pb_str_equal(pb_str_from("kansas-pd"), figures->shared[0].name));
    assert_int_equal(6, figures->shared[0].count);
    assert_int_equal(12, figures->shared[0].reads);
    assert_int_equal(1, figures->partner_count);
    assert_true(pb_str_equal(pb_str_from("kansas-pd"), figures->partners[0].agency));
    assert_int_equal(2, figures->partners[0].purpose_count);
    assert_int_equal(2, figures->readers);
    assert_int_equal(1, figures->retention_count);
    assert_int_equal(5 * 365, figures->retention[0].days / 10 * 10 + 5);
}

static void
misuse_that_was_found_is_never_hidden(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    struct room_found leaf;
    uint32_t drawn = 0;
    char key[128];

    ask_times(test, 1, "criminal-investigation", PB_POLICY_ALLOW);
    (void)room_leaves(room, "kansas-pd", "query", &leaf);
    room_expect(room, PB_OK,
                pb_review_sample(room->site, pb_str_from("aud"), 0, room->now_us + 1, 1, &drawn,
                                 &room->error),
                "sample");
    (void)snprintf(key, sizeof(key), "kansas-pd/%020llu-sample", (unsigned long long)leaf.index);
    room_expect(room, PB_OK,
                pb_review_close(room->site, pb_str_from("aud"), key, PB_REVIEW_MISUSE,
                                pb_str_from("No such case is known"), &room->error),
                "close");
    go_to_july(test);
    assert_int_equal(1, published(test, "kansas-pd", JUNE)->numbers[PB_FIGURE_MISUSE]);
    assert_true(test->figures.numbers[PB_FIGURE_REVIEWED] == PB_FIGURE_HIDDEN);
}

/* ---- hiding ---- */

static void
small_counts_are_hidden_and_what_would_give_them_away(void **state)
{
    static const struct {
        unsigned criminal, missing;
        bool criminal_hidden, missing_hidden, sum_hidden;
    } cases[] = {
        { 0, 0, false, false, false }, { 1, 0, true, false, true }, { 4, 5, true, false, true },
        { 5, 5, false, false, false }, { 5, 4, false, true, true }, { 6, 0, false, false, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct figures_room *test;
        const struct pb_figures *figures;
        void *made = NULL;
        uint64_t criminal, missing;

        assert_int_equal(0, i == 0 ? 0 : setup(&made));
        test = i == 0 ? *state : made;
        ask_times(test, cases[i].criminal, "criminal-investigation", PB_POLICY_ALLOW);
        ask_times(test, cases[i].missing, "missing-person", PB_POLICY_ALLOW);
        go_to_july(test);
        figures = published(test, "kansas-pd", JUNE);
        criminal = count_of(figures->purposes, figures->purpose_count, "criminal-investigation");
        missing = count_of(figures->purposes, figures->purpose_count, "missing-person");
        assert_true(criminal == (cases[i].criminal_hidden ? PB_FIGURE_HIDDEN : cases[i].criminal));
        assert_true(missing == (cases[i].missing_hidden ? PB_FIGURE_HIDDEN : cases[i].missing));
        assert_true(
            figures->inquiries ==
            (cases[i].sum_hidden ? PB_FIGURE_HIDDEN : cases[i].criminal + cases[i].missing));
        /* The auditor sees them all the same. */
        assert_int_equal(cases[i].criminal + cases[i].missing, figures_of(test, JUNE)->inquiries);
        if (made != NULL)
            (void)teardown(&made);
    }
}

static void
figures_as_text_hide_what_is_hidden(void **state)
{
    struct figures_room *test = *state;
    struct pb_str text;
    char whole[8192];

    ask_times(test, 2, "criminal-investigation", PB_POLICY_ALLOW);
    ask_times(test, 5, "curiosity", PB_POLICY_DENY);
    go_to_july(test);
    (void)published(test, "kansas-pd", JUNE);
    assert_int_equal(PB_OK, pb_figures_to_json(&test->figures, &test->arena, &text));
    (void)snprintf(whole, sizeof(whole), "%.*s", (int)text.bytes, text.text);
    assert_says(whole, "\"month\":\"2026-06\",\"over\":true,\"hidden_below\":5");
    assert_says(whole, "\"allowed\":null,\"by_purpose\":[{\"purpose\":\"criminal-investigation\","
                       "\"count\":null}],\"denied\":5");
    assert_says(whole, "\"partners_now\":[{\"agency\":\"bureau\",\"name\":\"Example Bureau\"");
    assert_null(strstr(whole, "KSA123"));
    assert_null(strstr(whole, "doe"));
}

/* ---- who may ---- */

static void
only_what_is_published_is_told_to_anybody(void **state)
{
    struct figures_room *test = *state;

    go_to_july(test);
    assert_int_equal(PB_OK, read_figures(test, NULL, "kansas-pd", JUNE));
    assert_int_equal(PB_NOT_FOUND, read_figures(test, NULL, "river-pd", JUNE));
    assert_int_equal(PB_NOT_FOUND, read_figures(test, NULL, "nobody", JUNE));
    assert_int_equal(PB_NOT_FOUND, read_figures(test, NULL, NULL, JUNE));
    /* The month that goes on would tell from day to day who asked when. */
    assert_int_equal(PB_BAD_INPUT, read_figures(test, NULL, "kansas-pd", JUNE + 1));
    assert_says(test->room.error.message, "month: ");
    assert_int_equal(PB_BAD_INPUT, read_figures(test, NULL, "kansas-pd", JUNE + 2));
    assert_int_equal(PB_BAD_INPUT, read_figures(test, NULL, "kansas-pd", -1));
}

static void
auditors_see_their_own_agency_and_leave_a_leaf(void **state)
{
    struct figures_room *test = *state;

    assert_int_equal(PB_OK, read_figures(test, "aud", NULL, JUNE));
    assert_int_equal(PB_OK, read_figures(test, "aud", "kansas-pd", JUNE));
    assert_int_equal(2, room_leaves(&test->room, "kansas-pd", "audit-read", NULL));
    assert_int_equal(PB_NOT_FOUND, read_figures(test, "aud", "river-pd", JUNE));
    assert_int_equal(PB_DENIED, read_figures(test, "doe", NULL, JUNE));
    assert_says(test->room.error.message, "person: ");
    assert_int_equal(PB_DENIED, read_figures(test, "nobody", NULL, JUNE));
    assert_int_equal(PB_BAD_INPUT, read_figures(test, "aud", NULL, JUNE + 1));
    assert_int_equal(2, room_leaves(&test->room, "kansas-pd", "audit-read", NULL));
}

static void
months_are_written_in_one_way(void **state)
{
    static const struct {
        const char *text;
        int32_t month; /* -1: none */
    } cases[] = {
        { "2026-06", JUNE }, { "1970-01", 0 }, { "2026-13", -1 }, { "2026-6", -1 },
        { "", -1 },          { "June", -1 },   { "2026/06", -1 }, { "2026-06-01", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t month = -1;

        assert_true(pb_figures_month(pb_str_from(cases[i].text), &month) == (cases[i].month >= 0));
        assert_int_equal(cases[i].month, month);
    }
}

/* ---- reads ---- */

static void
reads_are_counted_by_the_day_on_which_they_came(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    const struct pb_figures *figures;

    for (int i = 1; i <= 3; i++)
        room_add(room, "KSA123", "k1", i * PB_HOUR_US);
    room_add(room, "KSA123", "r1", PB_HOUR_US); /* another agency's */
    room->now_us += 2 * PB_DAY_US;
    room_add(room, "KSA124", "k2", PB_HOUR_US);
    for (unsigned i = 0; i < 2; i++) {
        figures = figures_of(test, JUNE);
        assert_true(figures->is_received_known && !figures->is_received_in_part);
        assert_int_equal(30, figures->day_count);
        assert_int_equal(3, figures->received[0]);
        assert_int_equal(0, figures->received[1]);
        assert_int_equal(1, figures->received[2]);
        assert_int_equal(4, figures->held);
        room_reopen(room);
    }
}

static void
what_was_removed_is_held_no_longer(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    struct pb_actor operator= { 0 };
    struct pb_purge_counts counts;

    room_import(room, "agencies:\n  - { id: kansas-pd, name: Example Kansas Police, class: local,"
                      " jurisdiction: US-KS, contributes: yes, publishes_figures: yes,"
                      " retention_days: 10, reviewed_at: 2026-05-15 }\n");
    room_add(room, "KSA123", "k1", PB_HOUR_US);
    room_add(room, "KSA123", "k1", 9 * PB_DAY_US);
    room->now_us += 2 * PB_DAY_US;
    room_expect(room, PB_OK,
                pb_site_purge(room->site, &operator, NULL, NULL, NULL, &counts, &room->error),
                "purge");
    assert_int_equal(1, counts.reads_removed);
    assert_int_equal(1, figures_of(test, JUNE)->numbers[PB_FIGURE_REMOVED]);
    assert_int_equal(1, test->figures.held);
    /* Also where it was counted before, and the month is another. */
    go_to_july(test);
    assert_int_equal(1, figures_of(test, JUNE + 1)->held);
}

/* A copy of the directory while reads come in is what a kill leaves. */
static void
what_a_kill_may_have_lost_is_said(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    char path[256], text[512];
    FILE *file;

    room_add(room, "KSA123", "k1", PB_HOUR_US);
    (void)snprintf(path, sizeof(path), "%s/received", room->path);
    file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(0, fclose(file));
    assert_says(text, "open 20605\n"); /* 2026-06-01 */
    assert_says(text, "kansas-pd\t20605\t1\n");
    room_close(room);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(strlen(text), fwrite(text, 1, strlen(text), file));
    assert_int_equal(0, fclose(file));
    room_open_as(room, PB_SITE_WRITE);
    assert_true(figures_of(test, JUNE)->is_received_known);
    assert_true(test->figures.is_received_in_part);
    assert_int_equal(1, test->figures.received[0]);
    /* And for good. */
    room_add(room, "KSA123", "k1", 2 * PB_HOUR_US);
    room_reopen(room);
    assert_true(figures_of(test, JUNE)->is_received_in_part);
    assert_int_equal(2, test->figures.received[0]);
}

static void
a_file_that_cannot_be_believed_is_as_none(void **state)
{
    static const char *const files[] = {
        NULL,
        "",
        "platebase-received 2\nwhole\nend 0\n",
        "platebase-received 1\nwhole\n",
        "platebase-received 1\nwhole\nend 1\n",
        "platebase-received 1\nwhole\nend 0\nmore\n",
        "platebase-received 1\nopen x\nend 0\n",
        "platebase-received 1\nwhole\nkansas-pd\t1\tx\nend 1\n",
        "platebase-received 1\nwhole\nkansas-pd\t99999\t1\nend 1\n",
        "platebase-received 1\nwhole\n\t1\t1\nend 1\n",
        "platebase-received 1\nwhole\nkansas-pd 1 1\nend 1\n",
        "platebase-received 1\nwhole\nkansas-pd\t1\t0\nend 1\n",
        "platebase-received 1\nwhole\nkansas-pd\t1 1\nend 1\n",
        "platebase-received 1\nopen 99999\nend 0\n",
        "platebase-received 1\nopen 1\nkansas-pd\t1\tx\nend 1\n",
        "platebase-received 1\nwhole\nan-id-that-is-longer-than-the-id-of-any-agency-may-be-"
        "an-id-that-is-longer-than-the-id-of-any-agency-may-be-an-id-that-is-longer\t1\t1\nend 1\n",
    };
    struct figures_room *test = *state;
    struct site_room *room = &test->room;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[256];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/received", room->path);
        room_close(room);
        (void)remove(path);
        if (files[i] != NULL) {
            file = fopen(path, "wb");
            assert_non_null(file);
            assert_int_equal(strlen(files[i]), fwrite(files[i], 1, strlen(files[i]), file));
            assert_int_equal(0, fclose(file));
        }
        room_open_as(room, PB_SITE_WRITE);
        room_add(room, "KSA123", "k1", PB_HOUR_US + (int64_t)i * PB_SECOND_US);
        assert_false(figures_of(test, JUNE)->is_received_known);
    }
}

/* ---- at once ---- */

#define READERS 6u
#define ROUNDS 20u

struct at_once {
    struct figures_room *test;
    bool is_fine;
};

static void *
read_on(void *context)
{
    struct at_once *at_once = context;
    struct pb_error error = { "" };
    struct pb_arena arena;

    at_once->is_fine = true;
    pb_arena_init(&arena, pb_env_system(), 4096);
    for (unsigned i = 0; i < ROUNDS && at_once->is_fine; i++) {
        struct pb_figures figures;
        enum pb_status status;

        pb_arena_reset(&arena);
        status = pb_figures_read(at_once->test->room.site, pb_str_from(NULL),
                                 pb_str_from("kansas-pd"), JUNE, &arena, &figures, &error);
        at_once->is_fine = status == PB_OK && figures.inquiries == 9;
    }
    pb_arena_clear(&arena);
    return NULL;
}

/* Whoever counts, what was counted before they looked is in what they are told, once. */
static void
many_may_look_while_the_log_grows(void **state)
{
    struct figures_room *test = *state;
    struct at_once readers[READERS];
    pthread_t threads[READERS];

    ask_times(test, 9, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct at_once){ .test = test };
        assert_int_equal(0, pthread_create(&threads[i], NULL, read_on, &readers[i]));
    }
    ask_times(test, 12, "criminal-investigation", PB_POLICY_ALLOW);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_true(readers[i].is_fine);
    }
    assert_int_equal(12, figures_of(test, JUNE + 1)->inquiries);
}

/* Partners, what they were given, rules and months: each allocation that telling takes. */
static void
telling_may_fail_anywhere_and_is_right_after_it(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    room_add(room, "KSA123", "r1", PB_HOUR_US);
    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    room_expect(room, PB_OK, pb_figures_count(room->site, NULL, &room->error), "count");
    while (status != PB_OK) {
        struct pb_figures figures;
        struct pb_arena arena;

        /* What is taken of it can fail by itself. */
        pb_arena_init(&arena, room->env, 16);
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_figures_read(room->site, pb_str_from("rivaud"), pb_str_from("river-pd"), JUNE,
                                 &arena, &figures, &room->error);
        room->fault.fail_allocation_at = 0;
        if (status == PB_OK) {
            assert_int_equal(1, figures.shared_count);
            assert_int_equal(6, figures.shared[0].count);
            assert_int_equal(1, figures.partner_count);
            assert_int_equal(2, figures.partners[0].purpose_count);
        } else if (status != PB_E_NOMEM) {
            fail_msg("allocation %llu: %s: %s", (unsigned long long)n, pb_status_name(status),
                     room->error.message);
        }
        pb_arena_clear(&arena);
        assert_true(n < 300);
    }
    assert_true(n > 10);
}

/* Who only looks counts for themselves, keeps nothing, and mends nothing. */
static void
a_look_counts_what_was_not_counted_and_keeps_nothing(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;

    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    room_expect(room, PB_OK, pb_figures_count(room->site, NULL, &room->error), "count");
    ask_times(test, 5, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 7, "criminal-investigation", PB_POLICY_ALLOW);
    room_close(room);
    room_open_as(room, PB_SITE_LOOK);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(11, published(test, "kansas-pd", JUNE)->inquiries);
    room_close(room);
    room_open_as(room, PB_SITE_WRITE);
    room_expect(room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(room->site), "figures", "kansas-pd/2026-06",
                                    pb_str_from("nonsense"), &room->error),
                "note");
    room_close(room);
    room_open_as(room, PB_SITE_LOOK);
    assert_int_equal(PB_E_CORRUPT, read_figures(test, NULL, "kansas-pd", JUNE));
    room_close(room);
    room_open_as(room, PB_SITE_WRITE);
    assert_int_equal(11, published(test, "kansas-pd", JUNE)->inquiries);
}

/* ---- faults ---- */

/* Counting fails at any allocation or write: told, and right the next time. */
static void
counting_may_fail_anywhere_and_is_right_after_it(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 7, "criminal-investigation", PB_POLICY_ALLOW);
    while (status != PB_OK) {
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = read_figures(test, NULL, "kansas-pd", JUNE);
        room->fault.fail_allocation_at = 0;
        if (status != PB_OK && status != PB_E_NOMEM)
            fail_msg("allocation %llu: %s: %s", (unsigned long long)n, pb_status_name(status),
                     room->error.message);
        assert_true(n < 300);
    }
    assert_true(n > 5);
    assert_int_equal(6, published(test, "kansas-pd", JUNE)->inquiries);
    assert_int_equal(7, figures_of(test, JUNE + 1)->inquiries);
}

/* Breaks off at the n-th question whether to go on. */
static bool
break_off(void *context, const char *phase, uint64_t done, uint64_t total)
{
    unsigned *left = context;

    (void)phase;
    (void)done;
    (void)total;
    return --*left > 0;
}

/* Next to ask is a leaf that was not counted, or the end. */
static void
counting_ahead_goes_on_where_it_broke_off(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    enum pb_status status = PB_END;
    unsigned rounds = 0;

    ask_times(test, 60, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 60, "criminal-investigation", PB_POLICY_ALLOW);
    while (status == PB_END) {
        unsigned left = 2;
        const struct pb_progress progress = { .report = break_off, .context = &left };

        status = pb_figures_count(room->site, &progress, &room->error);
        assert_true(status == PB_OK || status == PB_END);
        assert_true(++rounds < 10);
    }
    assert_in_range(rounds, 2, 9);
    assert_int_equal(60, published(test, "kansas-pd", JUNE)->inquiries);
    assert_int_equal(60, figures_of(test, JUNE + 1)->inquiries);
    room_expect(room, PB_OK, pb_figures_count(room->site, NULL, &room->error), "again");
    assert_int_equal(60, figures_of(test, JUNE + 1)->inquiries);
}

static void
counting_ahead_may_fail_anywhere_and_is_right_after_it(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    ask_times(test, 6, "criminal-investigation", PB_POLICY_ALLOW);
    go_to_july(test);
    ask_times(test, 7, "criminal-investigation", PB_POLICY_ALLOW);
    while (status != PB_OK) {
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_figures_count(room->site, NULL, &room->error);
        room->fault.fail_allocation_at = 0;
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true(n < 300);
    }
    assert_true(n > 3);
    assert_int_equal(6, published(test, "kansas-pd", JUNE)->inquiries);
    assert_int_equal(7, figures_of(test, JUNE + 1)->inquiries);
}

/* An auditor's look that cannot be recorded shows nothing. */
static void
no_leaf_no_figures(void **state)
{
    struct figures_room *test = *state;
    struct site_room *room = &test->room;

    room->fault.fail_file_mask = FAULT_SYNC;
    room->fault.fail_file_call_at = room->fault.file_call_count + 1;
    room->fault.is_file_failure_lasting = true;
    assert_true(read_figures(test, "aud", NULL, JUNE) < PB_OK);
    assert_int_equal(0, test->figures.purpose_count);
    room->fault.fail_file_call_at = 0;
    room->fault.is_file_failure_lasting = false;
    /* The failure is final: nothing else can be written, not even at the end. */
    assert_true(pb_site_close(room->site, NULL) < PB_OK);
    room->site = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(what_people_do_is_counted_once_however_often_it_is_looked_at),
        CASE(figures_are_the_same_after_a_restart_and_when_counted_anew),
        CASE(each_month_has_its_own),
        CASE(what_partners_were_given_and_who_they_are_is_told),
        CASE(misuse_that_was_found_is_never_hidden),
        CASE(small_counts_are_hidden_and_what_would_give_them_away),
        CASE(figures_as_text_hide_what_is_hidden),
        CASE(only_what_is_published_is_told_to_anybody),
        CASE(auditors_see_their_own_agency_and_leave_a_leaf),
        cmocka_unit_test(months_are_written_in_one_way),
        CASE(reads_are_counted_by_the_day_on_which_they_came),
        CASE(what_was_removed_is_held_no_longer),
        CASE(what_a_kill_may_have_lost_is_said),
        CASE(a_file_that_cannot_be_believed_is_as_none),
        CASE(many_may_look_while_the_log_grows),
        CASE(counting_may_fail_anywhere_and_is_right_after_it),
        CASE(telling_may_fail_anywhere_and_is_right_after_it),
        CASE(a_look_counts_what_was_not_counted_and_keeps_nothing),
        CASE(counting_ahead_goes_on_where_it_broke_off),
        CASE(counting_ahead_may_fail_anywhere_and_is_right_after_it),
        CASE(no_leaf_no_figures),
    };

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
