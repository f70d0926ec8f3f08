/*
 * Runs: which reads of one load repeat, revise and contradict one another and what the store has;
 * and that a run which fails anywhere leaves no file and no memory.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "store/local/run.h"
#include "store/sweep.h"

#define SEGMENT_DIRECTORY ROOM_PATH "/segments"
#define SENT_MAX 4u

static const uint8_t store_id[PB_STORE_ID_BYTES] = { 1, 2, 3 };

/* ---- segments and runs without a store ---- */

static void
make_directories(struct store_room *room)
{
    static const char *const paths[] = { ROOM_PATH, SEGMENT_DIRECTORY, ROOM_PATH "/tmp" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        room_expect(room, PB_OK,
                    room->env->files->mkdir(room->env->file_context, paths[i], &room->error),
                    "mkdir");
}

static void
begin(struct store_room *room)
{
    room_init_on(room, sim_fs_new());
    make_directories(room);
}

static uint64_t
next_number(void *context)
{
    return ++*(uint64_t *)context;
}

static enum pb_status
write_run(struct store_room *room, struct pb_run *run, uint64_t *number,
          struct pb_segment_entry **ret_entries, uint32_t *ret_count)
{
    static const struct pb_run_commit commit = { .commit = 7, .received_us = ROOM_START_US };
    struct pb_run_target target = { .directory = ROOM_PATH,
                                    .store_id = store_id,
                                    .memory_bytes = 1 << 20,
                                    .commits = &commit,
                                    .commit_count = 1 };

    return pb_run_write(run, &target, next_number, number, ret_entries, ret_count, &room->error);
}

static struct pb_run *
new_run(struct store_room *room, const struct pb_read *reads, size_t count)
{
    struct pb_run *run = NULL;

    room_expect(room, PB_OK, pb_run_new(room->env, &run), "run");
    for (size_t i = 0; i < count; i++)
        room_expect(room, PB_OK, pb_run_add(run, &reads[i], 0), "add");
    return run;
}

/* A segment of reads that are stored as they are. They lie in one partition. */
static struct pb_segment *
new_segment(struct store_room *room, uint64_t number, const struct pb_read *reads, size_t count)
{
    struct pb_run *run = new_run(room, reads, count);
    struct pb_segment_entry *entries = NULL;
    struct pb_segment *segment = NULL;
    uint32_t entry_count = 0;

    number--;
    room_expect(room, PB_OK, pb_run_sort_judged(run), "sort");
    room_expect(room, PB_OK, write_run(room, run, &number, &entries, &entry_count), "write");
    assert_int_equal(1, entry_count);
    room_expect(room, PB_OK,
                pb_segment_open(room->env, ROOM_PATH, store_id, &entries[0], &segment,
                                &room->error),
                "open");
    pb_free(room->env, entries);
    pb_run_free(run);
    return segment;
}

static void
count_reject(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    assert_int_equal(PB_CONFLICT, why);
    assert_true(read->plate.bytes > 0 && read->reader.bytes > 0);
    assert_true(reason[0] != '\0');
    ++*(uint32_t *)context;
}

/* ---- what is said of one event ---- */

struct said {
    uint32_t revision;
    bool is_revisable, is_correction;
    uint16_t speed; /* what the read says beside its revision; 0 ends the list */
};

static struct pb_read
event_read(const struct said *said, const char *event)
{
    struct pb_read read = room_read("AB12", "gate-1", 5);

    read.event_id = pb_str_from(event);
    read.revision = said->revision;
    read.is_revisable = said->is_revisable;
    read.is_correction = said->is_correction;
    read.speed_ckmh = said->speed;
    return read;
}

static bool
is_history(const struct pb_run *run, uint64_t row)
{
    static struct pb_run_room text;
    struct pb_read read;

    pb_run_read(run, row, &text, &read);
    return read.is_superseded;
}

static void
what_is_said_twice_of_an_event_in_one_run_is_judged_in_order_of_arrival(void **state)
{
    static const struct {
        const char *name;
        struct said said[SENT_MAX];
        uint32_t duplicates, conflicts;
        unsigned history; /* bit i: said[i] is history */
    } cases[] = {
        { "once", { { 0, true, false, 1 } }, 0, 0, 0 },
        { "the same twice", { { 0, true, false, 1 }, { 0, true, false, 1 } }, 1, 0, 0 },
        { "other content", { { 0, true, false, 1 }, { 0, true, false, 2 } }, 0, 1, 0 },
        { "a revision", { { 0, true, false, 1 }, { 1, true, false, 2 } }, 0, 0, 1 },
        { "an older revision", { { 3, true, false, 1 }, { 1, true, false, 2 } }, 0, 0, 2 },
        { "three",
          { { 0, true, false, 1 }, { 2, true, false, 2 }, { 1, true, false, 3 } },
          0,
          0,
          5 },
        { "an older revision, then a newer one",
          { { 2, true, false, 1 }, { 1, true, false, 2 }, { 3, true, false, 3 } },
          0,
          0,
          3 },
        { "a revision that must not be",
          { { 0, false, false, 1 }, { 1, true, false, 2 } },
          0,
          1,
          0 },
        { "one that is final", { { 0, true, false, 1 }, { 1, false, false, 2 } }, 0, 1, 0 },
        { "a correction", { { 0, false, false, 1 }, { 1, false, true, 2 } }, 0, 0, 1 },
        { "the same after a conflict",
          { { 0, true, false, 1 }, { 0, true, false, 2 }, { 0, true, false, 1 } },
          1,
          1,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;
        struct pb_load_counts counts = { 0 };
        uint32_t rejected = 0;
        struct pb_run_reject reject = { count_reject, &rejected };
        struct pb_run *run = NULL;
        uint32_t count = 0;

        begin(&room);
        run = new_run(&room, NULL, 0);
        for (; count < SENT_MAX && cases[i].said[count].speed != 0; count++) {
            struct pb_read read = event_read(&cases[i].said[count], "E1");

            assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
        }
        assert_int_equal(PB_OK, pb_run_sort(run, &reject, &counts));
        if (counts.duplicate != cases[i].duplicates || counts.conflict != cases[i].conflicts)
            fail_msg("%s: %u duplicates, %u conflicts", cases[i].name, (unsigned)counts.duplicate,
                     (unsigned)counts.conflict);
        assert_int_equal(cases[i].conflicts, rejected);
        assert_int_equal(count, pb_run_rows(run));
        assert_int_equal(count - cases[i].duplicates - cases[i].conflicts, pb_run_rows_left(run));
        for (uint32_t row = 0; row < count; row++) {
            if (is_history(run, row) != ((cases[i].history >> row & 1) != 0))
                fail_msg("%s: row %u", cases[i].name, row);
        }
        pb_run_free(run);
        room_done(&room);
    }
}

static void
an_event_with_a_thousand_revisions_takes_no_more(void **state)
{
    struct store_room room;
    struct pb_load_counts counts = { 0 };
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_run *run = NULL;

    (void)state;
    begin(&room);
    run = new_run(&room, NULL, 0);
    for (uint32_t i = 0; i < 1003; i++) {
        struct said said = { i, true, false, 1 };
        struct pb_read read = event_read(&said, "E1");

        assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
    }
    assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
    assert_int_equal(3, counts.conflict);
    assert_int_equal(1000, pb_run_rows_left(run));
    assert_true(is_history(run, 998));
    assert_false(is_history(run, 999));
    pb_run_free(run);
    room_done(&room);
}

static void
what_a_run_says_of_an_event_is_judged_by_what_segments_say(void **state)
{
    static const struct {
        const char *name;
        struct said stored[2]; /* each in a segment of its own */
        struct said said;
        uint32_t duplicates, conflicts, marks;
        bool has_changed, is_history;
    } cases[] = {
        { "new", { { 0 } }, { 0, true, false, 1 }, 0, 0, 0, false, false },
        { "the same", { { 0, true, false, 1 } }, { 0, true, false, 1 }, 1, 0, 0, true, false },
        { "other content", { { 0, true, false, 1 } }, { 0, true, false, 2 }, 0, 1, 0, true, false },
        { "a revision", { { 0, true, false, 1 } }, { 1, true, false, 2 }, 0, 0, 1, false, false },
        { "a revision of two",
          { { 0, true, false, 1 }, { 1, true, false, 2 } },
          { 2, true, false, 3 },
          0,
          0,
          2,
          false,
          false },
        { "an older one", { { 4, true, false, 1 } }, { 1, true, false, 2 }, 0, 0, 0, true, true },
        { "a correction",
          { { 0, false, false, 1 } },
          { 1, false, true, 2 },
          0,
          0,
          1,
          false,
          false },
        { "a revision that must not be",
          { { 0, false, false, 1 } },
          { 1, true, false, 2 },
          0,
          1,
          0,
          true,
          false },
        { "one that another segment has",
          { { 0, false, false, 1 }, { 1, false, true, 2 } },
          { 1, false, true, 2 },
          1,
          0,
          1,
          true,
          false },
        { "a doubtful one that another segment has",
          { { 0, false, false, 1 }, { 1, true, false, 2 } },
          { 1, true, false, 2 },
          1,
          0,
          0,
          true,
          false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;
        struct pb_load_counts counts = { 0 };
        struct pb_run_reject nobody = { NULL, NULL };
        struct pb_mark_list marks = { 0 };
        struct pb_read read = event_read(&cases[i].said, "E1");
        struct pb_run *run = NULL;
        bool has_changed = false;

        begin(&room);
        run = new_run(&room, &read, 1);
        assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
        for (uint32_t s = 0; s < 2 && cases[i].stored[s].speed != 0; s++) {
            struct pb_read stored = event_read(&cases[i].stored[s], "E1");
            struct pb_segment *segment = new_segment(&room, s + 1, &stored, 1);
            bool has_changed_now = false;

            room_expect(&room, PB_OK,
                        pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed_now,
                                    &room.error),
                        "join");
            has_changed = has_changed || has_changed_now;
            pb_segment_close(segment);
        }
        has_changed = pb_run_settle(run, &nobody, &counts) || has_changed;
        if (counts.duplicate != cases[i].duplicates || counts.conflict != cases[i].conflicts ||
            marks.count != cases[i].marks || has_changed != cases[i].has_changed)
            fail_msg("%s: %u duplicates, %u conflicts, %u marks, changed: %d", cases[i].name,
                     (unsigned)counts.duplicate, (unsigned)counts.conflict, marks.count,
                     has_changed);
        assert_int_equal(cases[i].is_history, is_history(run, 0));
        for (uint32_t m = 0; m < marks.count; m++) {
            assert_true(marks.marks[m].identity == pb_read_identity(&read));
            assert_true(marks.marks[m].identity == pb_identity_of_bytes(marks.marks[m].name));
            assert_int_equal(read.revision, marks.marks[m].revision);
            assert_int_equal(m + 1, marks.marks[m].segment);
        }
        pb_mark_list_done(&marks, room.env);
        pb_run_free(run);
        room_done(&room);
    }
}

/* ---- corrections of reads without an event id ---- */

static void
a_correction_finds_the_read_that_it_corrects_in_a_segment(void **state)
{
    static const struct {
        const char *plate, *corrected;
    } cases[] = {
        { "AB12", "AB13" },
        { "ALONGERPLATE12", "AB13" },
        { "AB12", "ALONGERPLATE13" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;
        struct pb_load_counts counts = { 0 };
        struct pb_run_reject nobody = { NULL, NULL };
        struct pb_mark_list marks = { 0 };
        struct pb_read stored[3] = { room_read(cases[i].plate, "gate-1", 5),
                                     room_read(cases[i].plate, "gate-1", 6),
                                     room_read(cases[i].plate, "gate-2", 5) };
        struct pb_read correction = room_read(cases[i].corrected, "gate-1", 5);
        struct pb_segment *segment = NULL;
        struct pb_run *run = NULL;
        bool has_changed = false;

        correction.identity_plate = pb_str_from(cases[i].plate);
        correction.is_correction = true;
        correction.revision = 1;
        begin(&room);
        segment = new_segment(&room, 1, stored, 3);
        run = new_run(&room, &correction, 1);
        assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
        room_expect(&room, PB_OK,
                    pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed, &room.error),
                    "join");
        assert_false(has_changed);
        assert_int_equal(0, counts.duplicate + counts.conflict);
        assert_int_equal(1, marks.count);
        assert_true(marks.marks[0].identity == pb_read_identity(&stored[0]));
        assert_true(marks.marks[0].identity == pb_identity_of_bytes(marks.marks[0].name));
        pb_mark_list_done(&marks, room.env);
        pb_segment_close(segment);
        pb_run_free(run);
        room_done(&room);
    }
}

/* ---- many ---- */

#define EVENTS 1200u /* several blocks of table events */

static struct pb_read
numbered_event(uint32_t number, char room[32])
{
    struct pb_read read;

    (void)snprintf(room, 16, "P%04u", number % 97);
    (void)snprintf(room + 16, 16, "E%u", number);
    read = room_read(room, "gate-1", (int64_t)number);
    read.event_id = pb_str_from(room + 16);
    read.is_revisable = true;
    return read;
}

/* Of a segment of many events a run has every so many: all, few, or one. */
static void
events_are_found_among_many(void **state)
{
    static const uint32_t steps[] = { 1, 7, 400, EVENTS };
    struct store_room room;
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_segment *segment = NULL;
    struct pb_run *run = NULL;
    struct pb_segment_entry *entries = NULL;
    uint64_t number = 0;
    uint32_t count = 0;
    char text[32];

    (void)state;
    begin(&room);
    run = new_run(&room, NULL, 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct pb_read read = numbered_event(i, text);

        assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
    }
    assert_int_equal(PB_OK, pb_run_sort_judged(run));
    room_expect(&room, PB_OK, write_run(&room, run, &number, &entries, &count), "write");
    assert_int_equal(1, count);
    room_expect(&room, PB_OK,
                pb_segment_open(room.env, ROOM_PATH, store_id, &entries[0], &segment, &room.error),
                "open");
    pb_free(room.env, entries);
    pb_run_free(run);
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        struct pb_load_counts counts = { 0 };
        struct pb_mark_list marks = { 0 };
        uint32_t same = 0;
        uint32_t revised = 0;
        bool has_changed = false;

        run = new_run(&room, NULL, 0);
        for (uint32_t i = 0; i < EVENTS; i += steps[s]) {
            struct pb_read read = numbered_event(i, text);

            read.revision = i % 2;
            same += i % 2 == 0;
            revised += i % 2;
            assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
        }
        for (uint32_t i = 0; i < 10; i++) { /* nobody has these */
            struct pb_read read = numbered_event(EVENTS + i, text);

            assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
        }
        assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
        room_expect(&room, PB_OK,
                    pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed, &room.error),
                    "join");
        assert_true(has_changed);
        assert_int_equal(same, counts.duplicate);
        assert_int_equal(0, counts.conflict);
        assert_int_equal(revised, marks.count);
        assert_int_equal(revised + 10, pb_run_rows_left(run));
        pb_mark_list_done(&marks, room.env);
        pb_run_free(run);
    }
    pb_segment_close(segment);
    room_done(&room);
}

/* What is left is written; a partition of which nothing is left has no segment. */
static void
what_was_dropped_is_not_written(void **state)
{
    static const struct said said = { 0, true, false, 1 };
    struct store_room room;
    struct pb_load_counts counts = { 0 };
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_mark_list marks = { 0 };
    struct pb_read reads[3] = { event_read(&said, "E1"), event_read(&said, "E2"),
                                event_read(&said, "E3") };
    struct pb_segment *segment = NULL;
    struct pb_segment_entry *entries = NULL;
    struct pb_run *run = NULL;
    uint64_t number = 1;
    uint32_t count = 0;
    bool has_changed = false;

    (void)state;
    begin(&room);
    reads[1].captured_at_us += 60 * ROOM_DAY_US;
    segment = new_segment(&room, 1, &reads[0], 1);
    run = new_run(&room, reads, 3);
    assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
    room_expect(&room, PB_OK,
                pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed, &room.error),
                "join");
    pb_segment_close(segment);
    segment = new_segment(&room, 5, &reads[1], 1);
    room_expect(&room, PB_OK,
                pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed, &room.error),
                "join");
    pb_segment_close(segment);
    assert_int_equal(2, counts.duplicate);
    room_expect(&room, PB_OK, write_run(&room, run, &number, &entries, &count), "write");
    assert_int_equal(1, count);
    assert_int_equal(1, entries[0].rows);
    assert_int_equal(2, number);
    pb_free(room.env, entries);
    pb_run_free(run);
    room_done(&room);
}

/* ---- parts ---- */

static void
a_part_whose_texts_need_more_than_a_heap_is_refused(void **state)
{
    struct store_room room;
    struct pb_names names;
    struct pb_run *run = NULL;

    (void)state;
    begin(&room);
    assert_int_equal(PB_OK, pb_names_init(&names, room.env));
    assert_int_equal(PB_OK, pb_run_new_part(room.env, &names, &run));
    assert_int_equal(PB_OVER_LIMIT, pb_run_begin_part(run, 24321, 30, 1, UINT64_C(1) << 33));
    assert_int_equal(0, pb_run_rows(run));
    /* It can still take what fits; 66 chunks are more than the first pointers to them. */
    assert_int_equal(PB_OK, pb_run_begin_part(run, 24321, 30, 1, UINT64_C(65) << 20));
    assert_true(pb_run_memory(run) >= (size_t)66 << 20);
    pb_run_free(run);
    pb_names_done(&names);
    room_done(&room);
}

/* ---- sweeps ---- */

static void
count_files(void *context, const char *path, uint64_t size)
{
    (void)size;
    *(uint32_t *)context += strstr(path, ".seg") != NULL;
}

/* Rows of each kind: events, corrections, extras, long plates, vehicles, two partitions. */
static struct pb_read
mixed_read(uint32_t i, char text[32])
{
    struct pb_read read;

    (void)snprintf(text, 32, i % 3 == 0 ? "ALONGERPLATE%u" : "P%u", i % 5);
    read = room_read(text, i % 2 == 0 ? "gate-1" : "gate-2", (int64_t)i);
    (void)snprintf(text + 20, 12, "E%u", i / 2);
    read.event_id = pb_str_from(text + 20);
    read.is_revisable = true;
    read.revision = i % 2;
    read.reader = pb_str_from("gate-1");
    read.plate_raw = pb_str_from(i % 4 == 0 ? "as sent" : "");
    read.make = pb_str_from(i % 2 == 0 ? "ford" : "");
    if (i % 6 >= 4)
        read.captured_at_us += 60 * ROOM_DAY_US;
    return read;
}

#define MIXED 40u

static struct {
    struct sim_fs *fs; /* with segment 1, which has every third event */
    struct pb_segment_entry known;
    struct pb_segment_entry *entries;
    uint32_t entry_count;
    uint64_t rows_left;
    struct pb_load_counts counts;
} life;

static enum pb_status
live_run(struct store_room *room, struct pb_run *run, struct pb_mark_list *marks)
{
    static uint32_t rejected;
    struct pb_run_reject reject = { count_reject, &rejected };
    struct pb_segment *segment = NULL;
    uint64_t number = 1;
    bool has_changed = false;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < MIXED && status == PB_OK; i++) {
        char text[32];
        struct pb_read read = mixed_read(i, text);

        status = pb_run_add(run, &read, 0);
    }
    if (status == PB_OK)
        status = pb_run_sort(run, &reject, &life.counts);
    if (status == PB_OK)
        status =
            pb_segment_open(room->env, ROOM_PATH, store_id, &life.known, &segment, &room->error);
    if (status == PB_OK)
        status =
            pb_run_join(run, segment, &reject, &life.counts, marks, &has_changed, &room->error);
    pb_segment_close(segment);
    if (status == PB_OK) {
        (void)pb_run_settle(run, &reject, &life.counts);
        life.rows_left = pb_run_rows_left(run);
        status = write_run(room, run, &number, &life.entries, &life.entry_count);
    }
    return status;
}

static enum pb_status
act_life(struct store_room *room, void *context)
{
    struct pb_mark_list marks = { 0 };
    struct pb_run *run = NULL;
    enum pb_status status = PB_OK;

    (void)context;
    life.entries = NULL;
    life.entry_count = 0;
    memset(&life.counts, 0, sizeof(life.counts));
    status = pb_run_new(room->env, &run);
    if (status == PB_OK)
        status = live_run(room, run, &marks);
    pb_mark_list_done(&marks, room->env);
    pb_run_free(run);
    return status;
}

/* All files that were written are named, and are whole. */
static void
check_life(struct store_room *room, void *context, enum pb_status status)
{
    uint32_t files = 0;
    uint64_t rows = 0;

    (void)context;
    sim_fs_each_file(room->fs, count_files, &files);
    /* A file that cannot be deleted either is left to the next opening of the store. */
    if (!room->fault.is_file_failure_lasting || status == PB_OK)
        assert_int_equal(1 + life.entry_count, files);
    if (status != PB_OK) {
        assert_null(life.entries);
        return;
    }
    assert_int_equal(2, life.entry_count);
    for (uint32_t i = 0; i < life.entry_count; i++) {
        struct pb_segment *segment = NULL;
        struct pb_verify_counts counts = { 0 };

        room_expect(room, PB_OK,
                    pb_segment_open(room->env, ROOM_PATH, store_id, &life.entries[i], &segment,
                                    &room->error),
                    "open");
        assert_int_equal(PB_OK, pb_segment_verify(segment, NULL, NULL, &counts));
        assert_int_equal(0, counts.damaged);
        rows += counts.reads;
        pb_segment_close(segment);
    }
    assert_int_equal(life.rows_left, rows);
    assert_int_equal((MIXED + 2) / 3, life.counts.duplicate);
    pb_free(room->env, life.entries);
}

static void
a_run_that_fails_anywhere_leaves_no_file(void **state)
{
    struct sweep sweep = { .name = "a run's life", .act = act_life, .check = check_life };
    struct store_room room;
    struct pb_read reads[MIXED];
    char texts[MIXED][32];
    uint32_t count = 0;
    struct pb_segment *segment = NULL;

    (void)state;
    begin(&room);
    for (uint32_t i = 0; i < MIXED; i += 3) {
        reads[count] = mixed_read(i, texts[count]);
        if (reads[count].captured_at_us < ROOM_START_US + 60 * ROOM_DAY_US)
            count++;
    }
    segment = new_segment(&room, 1, reads, count);
    life.known = segment->entry;
    pb_segment_close(segment);
    life.fs = sim_fs_clone(room.fs);
    room_done(&room);
    sweep.fs = life.fs;
    sweep_all(&sweep);
    sim_fs_free(life.fs);
}

/* More partitions than a run has room for at first. */
static void
a_run_of_many_months_that_cannot_be_sorted_for_want_of_memory_says_so(void **state)
{
    enum { MONTHS = 40 };
    enum pb_status status = PB_E_NOMEM;
    uint64_t at = 0;

    (void)state;
    while (status != PB_OK) {
        struct store_room room;
        struct pb_read reads[MONTHS];
        struct pb_run *run = NULL;
        struct pb_segment_entry *entries = NULL;
        uint32_t entry_count = 0;
        uint64_t number = 0;

        begin(&room);
        for (int64_t i = 0; i < MONTHS; i++) {
            reads[i] = room_read("AB12", "gate-1", 0);
            reads[i].captured_at_us += i * 31 * ROOM_DAY_US;
        }
        run = new_run(&room, reads, MONTHS);
        room.fault.fail_allocation_at = room.fault.allocation_count + ++at;
        status = pb_run_sort_judged(run);
        assert_int_equal(room.fault.failure_count == 0 ? PB_OK : PB_E_NOMEM, status);
        room.fault.fail_allocation_at = 0;
        if (status == PB_OK) {
            room_expect(&room, PB_OK, write_run(&room, run, &number, &entries, &entry_count),
                        "write");
            assert_int_equal(MONTHS, entry_count);
            pb_free(room.env, entries);
        }
        pb_run_free(run);
        room_done(&room);
    }
    assert_in_range(at, 5, 10);
}

static void
a_run_of_nothing_is_in_any_order(void **state)
{
    struct pb_run *run = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_run_new(pb_env_system(), &run));
    assert_int_equal(PB_OK, pb_run_arrange(run, NULL));
    assert_int_equal(0, pb_run_rows(run));
    pb_run_free(run);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_twice_of_an_event_in_one_run_is_judged_in_order_of_arrival),
        cmocka_unit_test(an_event_with_a_thousand_revisions_takes_no_more),
        cmocka_unit_test(what_a_run_says_of_an_event_is_judged_by_what_segments_say),
        cmocka_unit_test(a_correction_finds_the_read_that_it_corrects_in_a_segment),
        cmocka_unit_test(events_are_found_among_many),
        cmocka_unit_test(what_was_dropped_is_not_written),
        cmocka_unit_test(a_part_whose_texts_need_more_than_a_heap_is_refused),
        cmocka_unit_test(a_run_that_fails_anywhere_leaves_no_file),
        cmocka_unit_test(a_run_of_many_months_that_cannot_be_sorted_for_want_of_memory_says_so),
        cmocka_unit_test(a_run_of_nothing_is_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
