/*
 * Suspects of a stage, beside segments: which reads are looked at once more, what a run of them is
 * told, and what becomes of either where something fails.
 */
#include "store/sweep.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/forged.h"
#include "store/local/stage.h"
#include "store/local/suspects.h"

static const uint8_t store_id[PB_STORE_ID_BYTES] = "suspects' test";

static void
make_directories(struct store_room *room)
{
    static const char *const paths[] = { ROOM_PATH, ROOM_PATH "/segments", ROOM_PATH "/tmp" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        room_expect(room, PB_OK,
                    room->env->files->mkdir(room->env->file_context, paths[i], &room->error),
                    "mkdir");
}

/* Read n of an event, of a plate with a code or of a long one. */
struct made {
    char plate[32], event[16];
};

static struct pb_read
make_read(uint32_t n, uint32_t plate, struct made *room)
{
    struct pb_read read;

    (void)snprintf(room->plate, sizeof(room->plate),
                   plate % 3 == 0 ? "LONGERTHANCODES%05u" : "P%05u", plate);
    (void)snprintf(room->event, sizeof(room->event), "E%u", n);
    read = room_read(room->plate, "gate-1", n);
    read.event_id = pb_str_from(room->event);
    read.is_revisable = true;
    return read;
}

static uint64_t
take_number(void *context)
{
    return ++*(uint64_t *)context;
}

/* Writes a run, which is freed, and opens what it became. */
static struct pb_segment *
segment_of(struct store_room *room, struct pb_run *run, uint64_t number)
{
    static const struct pb_run_commit commit = { .commit = 7, .received_us = ROOM_START_US };
    const struct pb_run_target target = { .directory = ROOM_PATH,
                                          .store_id = store_id,
                                          .memory_bytes = 1 << 20,
                                          .commits = &commit,
                                          .commit_count = 1 };
    struct pb_segment_entry *entries = NULL;
    struct pb_segment *segment = NULL;
    uint32_t count = 0;

    number--;
    room_expect(room, PB_OK, pb_run_sort_judged(run), "sort");
    room_expect(room, PB_OK,
                pb_run_write(run, &target, take_number, &number, &entries, &count, &room->error),
                "write");
    assert_int_equal(1, count);
    room_expect(room, PB_OK,
                pb_segment_open(room->env, ROOM_PATH, store_id, &entries[0], &segment,
                                &room->error),
                "open");
    pb_free(room->env, entries);
    pb_run_free(run);
    return segment;
}

/* A segment of events [first, end), every seventh in two revisions. */
static struct pb_segment *
new_segment(struct store_room *room, uint64_t number, uint32_t first, uint32_t end)
{
    struct pb_run *run = NULL;

    room_expect(room, PB_OK, pb_run_new(room->env, &run), "run");
    for (uint32_t n = first; n < end; n++) {
        struct made made;
        struct pb_read read = make_read(n, n, &made);

        room_expect(room, PB_OK, pb_run_add(run, &read, 0), "add");
        read.revision = 1;
        if (n % 7 == 0)
            room_expect(room, PB_OK, pb_run_add(run, &read, 0), "add");
    }
    return segment_of(room, run, number);
}

/* ---- a stage and its suspects ---- */

#define STORED 600u
#define OTHERS 100u
#define COMMON 80u /* of these: more than there is room for at first */
#define STAGED (500u + PB_STAGE_FEW_ROWS + 500u) /* more than a lane keeps together */

static struct {
    bool is_large, has_segment;
    struct pb_segment *segment, *other;
    struct pb_stage *stage;
    struct pb_suspects *suspects;
    struct pb_run *run;
    uint64_t *rows;
    uint64_t row_count, found, tail_bytes;
} work;

/* The stage has events from 500 on, the first of them twice, all of one plate. */
static void
prepare(struct store_room *room, void *context)
{
    (void)context;
    make_directories(room);
    work.segment = new_segment(room, 1, 0, STORED);
    work.other = new_segment(room, 2, STORED - COMMON, STORED - COMMON + OTHERS);
    room_expect(room, PB_OK,
                pb_stage_new(room->env, ROOM_PATH, 3, 2, work.is_large ? 1 << 19 : 1 << 24,
                             &work.stage),
                "stage");
    for (uint32_t n = 500; n < (work.is_large ? STAGED : 700); n++) {
        struct made made;
        struct pb_read read = make_read(n, 1, &made);
        struct pb_read plain = room_read("AB12", "gate-1", n);

        room_expect(room, PB_OK, pb_stage_add(work.stage, 0, &read, 1, &room->error), "add");
        if (n == 500)
            room_expect(room, PB_OK, pb_stage_add(work.stage, 0, &read, 1, &room->error), "add");
        if (n % 10 == 0)
            room_expect(room, PB_OK, pb_stage_add(work.stage, 0, &plain, 1, &room->error), "add");
    }
}

static enum pb_status
hold_back_first(struct pb_suspects *suspects)
{
    struct made made;
    struct pb_read read = make_read(500, 1, &made);

    return pb_suspects_hold_back(suspects, pb_read_identity(&read));
}

static enum pb_status
act(struct store_room *room, void *context)
{
    enum pb_status status = pb_suspects_new(room->env, ROOM_PATH "/tmp/4.suspects", 1,
                                            pb_stage_events(work.stage), &work.suspects);

    (void)context;
    if (status == PB_OK && !work.has_segment)
        status = pb_stage_sift(work.stage, work.suspects, &room->error);
    if (status == PB_OK)
        status = pb_stage_identities(work.stage, work.suspects, &room->error);
    if (status == PB_OK)
        status =
            pb_suspects_find(work.suspects, &work.segment, work.has_segment ? 1 : 0, &room->error);
    if (status == PB_OK)
        status = hold_back_first(work.suspects);
    /* Twice: another segment may have the same. */
    for (int i = 0; i < 2 && status == PB_OK; i++) {
        pb_free(room->env, work.rows);
        work.rows = NULL;
        status = pb_suspects_add_common(work.suspects, work.segment, work.other, &work.rows,
                                        &work.row_count, &room->error);
    }
    if (status == PB_OK)
        status = pb_stage_count_suspects(work.stage, work.suspects, &work.found, &work.tail_bytes,
                                         &room->error);
    if (status == PB_OK)
        status = pb_stage_suspects(work.stage, work.suspects, 0, 1, PB_RUN_BYTES_MAX, &work.run,
                                   &room->error);
    return status;
}

/* The first is there twice; others are common. Filters may take some more for such. */
static void
check(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status == PB_OK) {
        uint64_t revised = 0;

        for (uint32_t n = STORED - COMMON; n < STORED; n++)
            revised += n % 7 == 0;
        assert_in_range(work.found, COMMON + 2, work.is_large ? 400 : COMMON + 10);
        assert_int_equal(work.found, pb_run_rows(work.run));
        assert_true(work.tail_bytes >= work.found * sizeof("E500"));
        assert_int_equal(COMMON + revised, work.row_count);
        for (uint64_t i = 1; i < work.row_count; i++)
            assert_true(work.rows[i - 1] < work.rows[i]);
    }
    pb_run_free(work.run);
    pb_free(room->env, work.rows);
    pb_suspects_free(work.suspects);
    pb_stage_free(work.stage);
    pb_segment_close(work.other);
    pb_segment_close(work.segment);
    work.run = NULL;
    work.rows = NULL;
    work.suspects = NULL;
}

static void
suspects_are_found_or_it_is_said_why_not(void **state)
{
    const struct sweep sweep = {
        .name = "suspects", .prepare = prepare, .act = act, .check = check, .is_once_only = true
    };

    (void)state;
    for (int segment = 0; segment < 2; segment++) {
        work.is_large = false;
        work.has_segment = segment == 1;
        sweep_all(&sweep);
        /* What lies in a file is read back in many calls: each allocation, and some of these. */
        work.is_large = true;
        for (uint64_t at = 1; sweep_run(&sweep, true, false, at); at++)
            continue;
        for (uint64_t at = 1; sweep_run(&sweep, false, false, at); at += 1 + at / 3)
            continue;
    }
}

static void
suspects_that_take_more_than_a_run_may_are_said_to_be_too_many(void **state)
{
    struct store_room room;

    (void)state;
    work.is_large = false;
    work.has_segment = true;
    room_init_on(&room, sim_fs_new());
    prepare(&room, NULL);
    room_expect(&room, PB_OK, act(&room, NULL), "act");
    pb_run_free(work.run);
    work.run = NULL;
    assert_int_equal(PB_OVER_LIMIT, pb_stage_suspects(work.stage, work.suspects, 0, 1, 1 << 20,
                                                      &work.run, &room.error));
    assert_non_null(strstr(room.error.message, "one event id"));
    assert_non_null(strstr(room.error.message, "1 MiB"));
    check(&room, NULL, PB_OVER_LIMIT);
    room_done(&room);
}

/* ---- a run beside a segment ---- */

static struct {
    struct pb_run *run;
    struct pb_load_counts counts;
    struct pb_mark_list marks;
} joined;

static void
note_reject(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    (void)context;
    assert_int_equal(PB_CONFLICT, why);
    assert_true(read->event_id.bytes != 0 && reason[0] != '\0');
}

/* Events that lie apart: as they are stored, with another speed, of the second revision, of a third
 * one, and some that are not stored. */
static void
prepare_join(struct store_room *room, void *context)
{
    static const struct pb_run_reject reject = { note_reject, NULL };

    (void)context;
    memset(&joined, 0, sizeof(joined));
    make_directories(room);
    work.segment = new_segment(room, 1, 0, 3000);
    room_expect(room, PB_OK, pb_run_new(room->env, &joined.run), "run");
    for (uint32_t n = 0; n < 3100; n += 13) {
        struct made made;
        struct pb_read read = make_read(n, n, &made);

        if (n % 4 == 1)
            read.speed_ckmh = 9;
        else if (n % 4 >= 2)
            read.revision = n % 4 - 1;
        read.speed_ckmh = n % 40 == 0 ? 9 : read.speed_ckmh;
        room_expect(room, PB_OK, pb_run_add(joined.run, &read, 0), "add");
    }
    room_expect(room, PB_OK, pb_run_sort(joined.run, &reject, &joined.counts), "sort");
}

static enum pb_status
act_join(struct store_room *room, void *context)
{
    static const struct pb_run_reject reject = { note_reject, NULL };
    bool has_changed = false;

    (void)context;
    return pb_run_join(joined.run, work.segment, &reject, &joined.counts, &joined.marks,
                       &has_changed, &room->error);
}

static void
check_join(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status == PB_OK) {
        uint64_t duplicates = 0, conflicts = 0, revisions = 0, others = 0;

        for (uint32_t n = 0; n < 3100; n += 13) {
            bool is_stored = n % 4 < 2 || (n % 4 == 2 && n % 7 == 0);
            bool is_same = n % 4 != 1 && n % 40 != 0;

            others += n >= 3000;
            duplicates += n < 3000 && is_stored && is_same;
            conflicts += n < 3000 && is_stored && !is_same;
            revisions += n < 3000 && !is_stored;
        }
        assert_true(duplicates > 3 && conflicts > 3 && revisions > 3 && others > 0);
        assert_int_equal(duplicates, joined.counts.duplicate);
        assert_int_equal(conflicts, joined.counts.conflict);
        assert_int_equal(revisions, joined.marks.count);
        assert_int_equal(revisions + others, pb_run_rows_left(joined.run));
    }
    pb_mark_list_done(&joined.marks, room->env);
    pb_run_free(joined.run);
    pb_segment_close(work.segment);
}

static void
what_a_run_meets_in_a_segment_is_told_or_it_is_said_why_not(void **state)
{
    const struct sweep sweep = { .name = "encounters",
                                 .prepare = prepare_join,
                                 .act = act_join,
                                 .check = check_join,
                                 .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* One event, of which the segment has two revisions: both of them again, and a third one. */
static void
prepare_revisions(struct store_room *room, void *context)
{
    static const struct pb_run_reject reject = { note_reject, NULL };
    struct made made;
    struct pb_read read = make_read(7, 7, &made);

    (void)context;
    memset(&joined, 0, sizeof(joined));
    make_directories(room);
    work.segment = new_segment(room, 1, 0, 20);
    room_expect(room, PB_OK, pb_run_new(room->env, &joined.run), "run");
    for (read.revision = 0; read.revision < 3; read.revision++)
        room_expect(room, PB_OK, pb_run_add(joined.run, &read, 0), "add");
    room_expect(room, PB_OK, pb_run_sort(joined.run, &reject, &joined.counts), "sort");
}

static void
check_revisions(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status == PB_OK) {
        assert_int_equal(2, joined.counts.duplicate);
        assert_int_equal(0, joined.counts.conflict);
        assert_int_equal(1, joined.marks.count);
        assert_int_equal(1, pb_run_rows_left(joined.run));
    }
    pb_mark_list_done(&joined.marks, room->env);
    pb_run_free(joined.run);
    pb_segment_close(work.segment);
}

static void
revisions_of_an_event_meet_each_of_those_that_are_stored(void **state)
{
    const struct sweep sweep = { .name = "revisions",
                                 .prepare = prepare_revisions,
                                 .act = act_join,
                                 .check = check_revisions,
                                 .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- what two segments have in common ---- */

#define PLAIN 100u /* more rows than there is room for at first */

static struct pb_segment *
new_plain_segment(struct store_room *room, uint64_t number)
{
    struct pb_run *run = NULL;

    room_expect(room, PB_OK, pb_run_new(room->env, &run), "run");
    for (uint32_t n = 0; n < PLAIN; n++) {
        struct pb_read read = room_read("AB12", "gate-1", n);

        room_expect(room, PB_OK, pb_run_add(run, &read, 0), "add");
    }
    return segment_of(room, run, number);
}

static void
prepare_common(struct store_room *room, void *context)
{
    (void)context;
    memset(&joined, 0, sizeof(joined));
    make_directories(room);
    work.segment = new_plain_segment(room, 1);
    work.other = new_plain_segment(room, 2);
}

static enum pb_status
act_common(struct store_room *room, void *context)
{
    static const struct pb_run_reject reject = { note_reject, NULL };

    (void)context;
    return pb_run_common_rows(room->env, work.segment, work.other, &reject, &joined.counts,
                              &work.rows, &work.row_count, &room->error);
}

static void
check_common(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status == PB_OK) {
        assert_int_equal(PLAIN, work.row_count);
        assert_int_equal(PLAIN, joined.counts.duplicate);
        for (uint32_t i = 0; i < PLAIN; i++)
            assert_int_equal(i, work.rows[i]);
    }
    pb_free(room->env, work.rows);
    work.rows = NULL;
    pb_segment_close(work.other);
    pb_segment_close(work.segment);
}

static void
what_two_segments_have_in_common_is_found_or_it_is_said_why_not(void **state)
{
    const struct sweep sweep = { .name = "common rows",
                                 .prepare = prepare_common,
                                 .act = act_common,
                                 .check = check_common,
                                 .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- damage ---- */

/* Puts a forged block into the segment's file, and opens it again. */
static void
forge(struct store_room *room, struct pb_segment **segment, const struct forged_block *block)
{
    struct pb_segment_entry entry = (*segment)->entry;
    struct forged_file file;
    char path[PB_PATH_BYTES_MAX];

    pb_segment_close(*segment);
    *segment = NULL;
    pb_segment_path(path, sizeof(path), ROOM_PATH, entry.number);
    forged_read(room, path, &file);
    forged_replace(&file, block);
    forged_write(room, path, &file);
    entry.bytes = file.size;
    entry.checksum = pb_get_le64(file.bytes + file.size - PB_SEGMENT_TRAILER_BYTES + 16);
    free(file.bytes);
    room_expect(room, PB_OK,
                pb_segment_open(room->env, ROOM_PATH, store_id, &entry, segment, &room->error),
                "open");
}

/* Whoever looks: for suspects, what both have (in either order), and what a run meets. */
static enum pb_status
look(struct store_room *room, int who)
{
    enum pb_status status = PB_OK;

    if (who == 3)
        return act_join(room, NULL);
    status = pb_suspects_new(room->env, ROOM_PATH "/tmp/4.suspects", 1, 10, &work.suspects);
    if (status == PB_OK && who == 0)
        status = pb_stage_identities(work.stage, work.suspects, &room->error);
    if (status == PB_OK && who == 0) {
        struct pb_segment *segments[2] = { work.segment, work.other };

        return pb_suspects_find(work.suspects, segments, 2, &room->error);
    }
    return pb_suspects_add_common(work.suspects, who == 1 ? work.segment : work.other,
                                  who == 1 ? work.other : work.segment, &work.rows, &work.row_count,
                                  &room->error);
}

static void
damage_that_is_met_is_told(void **state)
{
    static const struct {
        const char *name;
        enum pb_table table;
        uint32_t block, column, undecodable;
        const char *who; /* of find, common, common the other way, join: x is told */
    } cases[] = {
        { "keys of events", PB_TABLE_EVENTS, 0, 0, 1, "xxxx" },
        { "keys of later events", PB_TABLE_EVENTS, 1, 0, 1, "xxxx" },
        { "rows of events", PB_TABLE_EVENTS, 0, 1, 2, "xxxx" },
        { "events' rows that are not there", PB_TABLE_EVENTS, 0, 1, 0, "-x-x" },
        { "a column of reads", PB_TABLE_READS, 0, PB_READS_TIME, 1, "---x" },
        { "a context that is not there", PB_TABLE_READS, 0, PB_READS_CONTEXT, 0, "---x" },
        { "plates", PB_TABLE_PLATES, 0, PB_PLATES_CODE, 1, "---x" },
    };
    static struct forged_block block;

    (void)state;
    work.is_large = false;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int who = 0; who < 4; who++) {
            struct store_room room;
            struct forged_file file;
            char path[PB_PATH_BYTES_MAX];
            enum pb_status status = PB_OK;

            room_init_on(&room, sim_fs_new());
            if (who == 3)
                prepare_join(&room, NULL);
            else
                prepare(&room, NULL);
            pb_segment_path(path, sizeof(path), ROOM_PATH, work.segment->entry.number);
            forged_read(&room, path, &file);
            forged_take(&file, cases[i].table, cases[i].block, &block);
            free(file.bytes);
            block.undecodable = cases[i].undecodable;
            for (uint32_t row = 0; row < block.rows; row++)
                block.values[cases[i].column][row] += cases[i].undecodable != 0 ? row == 0 : 100000;
            forge(&room, &work.segment, &block);
            status = look(&room, who);
            if (status != (cases[i].who[who] == 'x' ? PB_E_CORRUPT : PB_OK))
                fail_msg("%s, %d: %s", cases[i].name, who, pb_status_name(status));
            if (who == 3)
                check_join(&room, NULL, PB_E_CORRUPT);
            else
                check(&room, NULL, PB_E_CORRUPT);
            room_done(&room);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suspects_are_found_or_it_is_said_why_not),
        cmocka_unit_test(suspects_that_take_more_than_a_run_may_are_said_to_be_too_many),
        cmocka_unit_test(what_a_run_meets_in_a_segment_is_told_or_it_is_said_why_not),
        cmocka_unit_test(revisions_of_an_event_meet_each_of_those_that_are_stored),
        cmocka_unit_test(what_two_segments_have_in_common_is_found_or_it_is_said_why_not),
        cmocka_unit_test(damage_that_is_met_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
