/*
 * Dates move only as they may, and what leaves the disk is told.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "store/moves.h"

#define READERS 4u
#define READS 120u
#define FAULT_READS 24u

/* ---- what a restamp says ---- */

struct rule {
    struct store_room *room; /* NULL: nothing is done meanwhile */
    void (*meanwhile)(struct store_room *room);
    uint64_t asked, act_at;
};

static int64_t
keep_all(void *context, const struct pb_read *read)
{
    (void)context;
    return read->delete_after_us;
}

static int64_t
keep_for_ever(void *context, const struct pb_read *read)
{
    (void)context;
    (void)read;
    return PB_NEVER;
}

/* gate-0 as it is; gate-1 for 10 days; gate-2 for ever; gate-3 by its plate. */
static int64_t
by_reader(void *context, const struct pb_read *read)
{
    struct rule *rule = context;

    if (rule != NULL && ++rule->asked == rule->act_at)
        rule->meanwhile(rule->room);
    switch (read->reader.text[5]) {
    case '1':
        return read->captured_at_us + 10 * ROOM_DAY_US;
    case '2':
        return PB_NEVER;
    case '3':
        return read->captured_at_us + (read->plate.bytes > 10 ? 200 : 100) * ROOM_DAY_US;
    default:
        return read->delete_after_us;
    }
}

static struct pb_read
dated_read(uint32_t number, char room[24])
{
    static const int64_t days[] = { 30, 365, 0 };
    struct pb_read read;

    (void)snprintf(room, 24, number % 5 == 0 ? "LONGPLATE%u" : "P%u", 1000 + number % 17);
    (void)snprintf(room + 16, 8, "gate-%u", number % READERS);
    read = room_read(room, room + 16, (int64_t)number * 60);
    if (days[number % 3] != 0)
        read.delete_after_us = read.captured_at_us + days[number % 3] * ROOM_DAY_US;
    return read;
}

static void
append_dated(struct store_room *room, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        char text[24];
        struct pb_read read = dated_read(i, text);

        assert_int_equal(PB_OK, room_append(room, &read));
    }
}

/* Each read has the date that fn gives it. */
static void
assert_dates(struct store_room *room, pb_restamp_fn *fn, uint32_t count, const char *where)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[24];
        struct pb_read read = dated_read(i, text);
        struct pb_query query = { .plate = read.plate,
                                  .reader = read.reader,
                                  .from_us = read.captured_at_us,
                                  .to_us = read.captured_at_us + 1 };
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        int64_t date_us = fn(NULL, &read);

        room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error),
                    "search");
        room_expect(room, date_us <= room->now_us ? PB_END : PB_OK,
                    pb_cursor_next(cursor, &result, &room->error), where);
        if (date_us > room->now_us && result.read.delete_after_us != date_us)
            fail_msg("%s: read %u is dated %lld instead of %lld", where, i,
                     (long long)result.read.delete_after_us, (long long)date_us);
        pb_cursor_free(cursor);
    }
}

static struct pb_restamp_counts
restamp(struct store_room *room, pb_restamp_fn *fn, void *context)
{
    struct pb_restamp_counts counts;

    room_expect(room, PB_OK,
                pb_store_restamp(room->store, fn, context, NULL, &counts, &room->error),
                "restamp");
    return counts;
}

static uint64_t
stored_reads(struct store_room *room)
{
    struct pb_store_stats stats;

    assert_int_equal(PB_OK, pb_store_stats(room->store, &stats, &room->error));
    return stats.reads;
}

static void
dates_become_what_the_function_says(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_restamp_counts counts;
        struct pb_store_stats stats;

        room_init(&room);
        append_dated(&room, 0, READS);
        moves[m].move(&room);
        counts = restamp(&room, by_reader, NULL);
        assert_int_equal(READS, counts.reads_asked);
        /* Of each dozen: gate-1 all earlier, gate-2 two later, gate-3 one later and two earlier. */
        assert_int_equal(READS / 12 * 5, counts.reads_earlier);
        assert_int_equal(READS / 12 * 3, counts.reads_later);
        assert_int_equal(0, counts.reads_removed);
        assert_dates(&room, by_reader, READS, moves[m].name);
        assert_int_equal(READS, stored_reads(&room));

        counts = restamp(&room, by_reader, NULL);
        assert_int_equal(0, counts.reads_later + counts.reads_earlier);
        assert_int_equal(0, counts.segments_rewritten);
        room_reopen(&room);
        assert_dates(&room, by_reader, READS, "reopened");
        room_merge(&room);
        assert_dates(&room, by_reader, READS, "merged");
        /* Classes of 14, 30, 120 and 365 days, and for ever. */
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(5, stats.partitions);
        assert_int_equal(stats.partitions, stats.segments);
        room_done(&room);
    }
}

static void
a_read_that_has_expired_never_comes_back(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read gone = room_read("AB12", "gate-1", 0);
        struct pb_read held = room_read("AB12", "gate-1", 1);
        struct pb_read alone = room_read("CD34", "gate-1", 40 * 86400);
        struct pb_restamp_counts counts;

        room_init(&room);
        gone.delete_after_us = room.now_us + ROOM_DAY_US;
        held.delete_after_us = room.now_us + ROOM_DAY_US + 1;
        alone.delete_after_us = room.now_us + ROOM_DAY_US;
        assert_int_equal(PB_OK, room_append(&room, &gone));
        assert_int_equal(PB_OK, room_append(&room, &held));
        assert_int_equal(PB_OK, room_append(&room, &alone)); /* a segment of its own */
        moves[m].move(&room);
        room.now_us = gone.delete_after_us;
        counts = restamp(&room, keep_for_ever, NULL);
        assert_int_equal(1, counts.reads_asked);
        assert_int_equal(1, counts.reads_later);
        assert_int_equal(1, room_count(&room, "AB12"));
        assert_int_equal(0, room_count(&room, "CD34"));
        room.now_us += 4000 * ROOM_DAY_US;
        assert_int_equal(1, room_count(&room, "AB12"));
        room_reopen(&room);
        room_merge(&room);
        assert_int_equal(1, room_count(&room, "*"));
        room_done(&room);
    }
}

/* At its last microsecond a read is saved; a hold that ends lets it go again. */
static void
a_hold_placed_in_time_saves_a_read_and_ends(void **state)
{
    struct store_room room;
    struct pb_read read = room_read("AB12", "gate-1", 0);

    (void)state;
    room_init(&room);
    read.delete_after_us = room.now_us + ROOM_DAY_US;
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush(&room);
    room.now_us = read.delete_after_us - 1;
    (void)restamp(&room, keep_for_ever, NULL);
    room.now_us += 20 * ROOM_DAY_US;
    assert_int_equal(1, room_count(&room, "AB12"));
    assert_int_equal(1, restamp(&room, by_reader, NULL).reads_removed);
    assert_int_equal(0, room_count(&room, "AB12"));
    assert_int_equal(0, stored_reads(&room));
    (void)restamp(&room, keep_for_ever, NULL);
    assert_int_equal(0, room_count(&room, "AB12"));
    room_done(&room);
}

static int64_t
outside(void *context, const struct pb_read *read)
{
    (void)read;
    return *(const int64_t *)context;
}

static void
dates_outside_the_times_of_a_store_are_brought_in(void **state)
{
    static const struct {
        int64_t asked_us, given_us;
    } cases[] = {
        { INT64_MAX - 1, PB_TIME_MAX_US - 1 }, { PB_TIME_MAX_US, PB_TIME_MAX_US - 1 },
        { PB_TIME_MAX_US - 1, PB_TIME_MAX_US - 1 }, { PB_NEVER, PB_NEVER },
    };
    struct store_room room;
    struct pb_read read = room_read("AB12", "gate-1", 0);
    struct pb_query query = room_query("AB12");
    int64_t past_us = INT64_MIN;

    (void)state;
    room_init(&room);
    read.delete_after_us = room.now_us + ROOM_DAY_US;
    assert_int_equal(PB_OK, room_append(&room, &read));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        int64_t asked_us = cases[i].asked_us;

        assert_int_equal(1, restamp(&room, outside, &asked_us).reads_asked);
        assert_int_equal(PB_OK, pb_store_search(room.store, &query, &cursor, &room.error));
        assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
        assert_true(result.read.delete_after_us == cases[i].given_us);
        pb_cursor_free(cursor);
    }
    assert_int_equal(1, restamp(&room, outside, &past_us).reads_removed);
    assert_int_equal(0, room_count(&room, "*"));
    room_done(&room);
}

/* ---- what comes meanwhile ---- */

static void
erase_and_correct(struct store_room *room)
{
    struct pb_erasure erasure = { .from_us = ROOM_START_US + 60 * 60 * ROOM_SECOND_US,
                                  .to_us = PB_TIME_MAX_US };
    char text[24];
    struct pb_read corrected = dated_read(6, text); /* of gate-2: into another class */
    struct pb_read extra = room_read("EXTRA", "gate-1", 5);

    corrected.identity_plate = corrected.plate;
    corrected.plate = pb_str_from("RIGHT");
    corrected.is_correction = true;
    corrected.revision = 1;
    assert_int_equal(PB_OK, room_append(room, &corrected));
    assert_int_equal(PB_OK, room_append(room, &extra));
    assert_int_equal(PB_OK, pb_store_erase(room->store, &erasure, &room->error));
}

/* There are three segments of 40 reads; each is asked once, then once for each class. */
static void
what_comes_meanwhile_holds_afterwards(void **state)
{
    static const uint64_t moments[] = { 1, 40, 41, 80, 100, 160, 240, 241, 640 };

    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        struct store_room room;
        struct rule rule = { &room, erase_and_correct, 0, moments[i] };
        struct pb_query query = room_query("*");

        room_init(&room);
        append_dated(&room, 0, READS);
        room_flush(&room);
        room_merge(&room);
        (void)restamp(&room, by_reader, &rule);
        assert_true(rule.asked >= rule.act_at);
        for (int pass = 0; pass < 3; pass++) {
            assert_int_equal(1, room_count(&room, "RIGHT"));
            assert_int_equal(1, room_count(&room, "EXTRA"));
            /* Half are erased, one is history. */
            assert_int_equal(READS / 2 + 1, room_count(&room, "*"));
            query.with_superseded = true;
            assert_int_equal(READS / 2 + 2, room_count_query(&room, &query));
            if (pass == 0)
                room_reopen(&room);
            else
                merge_all(&room);
        }
        room_done(&room);
    }
}

static void
a_question_that_is_being_answered_goes_on(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;

    (void)state;
    room_init(&room);
    append_dated(&room, 0, READS);
    assert_int_equal(PB_OK, pb_store_search(room.store, &query, &cursor, &room.error));
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
    (void)restamp(&room, by_reader, NULL);
    room_merge(&room);
    for (uint32_t i = 1; i < READS; i++)
        room_expect(&room, PB_OK, pb_cursor_next(cursor, &result, &room.error), "next");
    assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room.error));
    pb_cursor_free(cursor);
    room_done(&room);
}

/* ---- what is refused ---- */

static void
count_file(void *context, const char *path, uint64_t size)
{
    (void)size;
    *(uint32_t *)context += strstr(path, "segments/") != NULL;
}

static uint32_t
segment_files(struct store_room *room)
{
    uint32_t count = 0;

    sim_fs_each_file(room->fs, count_file, &count);
    return count;
}

static int64_t
by_turns(void *context, const struct pb_read *read)
{
    uint64_t *asked = context;

    return read->captured_at_us + (++*asked % 7 < 3 ? 100 : 200) * ROOM_DAY_US;
}

static bool
stop(void *context, const char *phase, uint64_t done, uint64_t total)
{
    assert_string_equal("restamp", phase);
    assert_true(done <= total);
    return ++*(int *)context < 2;
}

static void
a_restamp_that_cannot_be_done_changes_nothing(void **state)
{
    struct store_room room;
    struct pb_restamp_counts counts;
    struct pb_store_options reading = { .is_read_only = true };
    struct pb_store *reader = NULL;
    uint64_t asked = 0;
    int reports = 0;
    struct pb_progress progress = { stop, &reports };
    uint32_t files;

    (void)state;
    room_init(&room);
    append_dated(&room, 0, READS);
    room_flush(&room);
    files = segment_files(&room);
    assert_int_equal(PB_BAD_INPUT, pb_store_restamp(room.store, by_turns, &asked, NULL, &counts,
                                                    &room.error));
    assert_dates(&room, keep_all, READS, "two answers");
    assert_int_equal(files, segment_files(&room));
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &reading, &reader, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_restamp(reader, keep_all, NULL, NULL, &counts,
                                                    &room.error));
    pb_store_close(reader);
    /* Told to stop: what is done is done, and the rest is as it was; again completes it. */
    assert_int_equal(PB_BAD_INPUT, pb_store_restamp(room.store, by_reader, NULL, &progress,
                                                    &counts, &room.error));
    assert_int_equal(2, reports);
    assert_int_equal(READS, room_count(&room, "*"));
    (void)restamp(&room, by_reader, NULL);
    assert_dates(&room, by_reader, READS, "completed");
    room_done(&room);
}

/* ---- what leaves the disk is told ---- */

#define DAYS 8u

/* By reader, day and reason. */
struct receipt {
    uint64_t reads[READERS + 1][DAYS][2]; /* the last reader is the one nobody could tell */
    uint64_t calls, sum;
};

static void
note_removed(void *context, const struct pb_removed *removed)
{
    struct receipt *receipt = context;
    int32_t day = removed->day - (int32_t)(ROOM_START_US / ROOM_DAY_US);
    uint32_t reader = removed->reader.bytes == 0 ? READERS
                                                 : (uint32_t)(removed->reader.text[5] - '0');

    assert_true(day >= 0 && day < (int32_t)DAYS && reader <= READERS && removed->reads > 0);
    receipt->reads[reader][day][removed->why] += removed->reads;
    receipt->calls++;
    receipt->sum += removed->reads;
}

static void
open_with_receipt(struct store_room *room, struct receipt *receipt)
{
    struct pb_store_options options = { .on_removed = note_removed, .removed_context = receipt };

    room_close(room);
    room_expect(room, PB_OK,
                pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error),
                "open");
}

/* Reads of all readers on some days; those of gate-1 expire, those of gate-2 will be erased. */
static void
append_days(struct store_room *room, uint32_t from_day, uint32_t to_day)
{
    for (uint32_t i = 0; i < 40; i++) {
        for (uint32_t day = from_day; day < to_day; day++) {
            char reader[16];
            struct pb_read read;

            (void)snprintf(reader, sizeof(reader), "gate-%u", i % READERS);
            read = room_read(i % 3 == 0 ? "LONGPLATES12" : "AB12", reader,
                             (int64_t)day * 86400 + i);
            read.delete_after_us = i % READERS == 1 ? ROOM_START_US + 20 * ROOM_DAY_US
                                                    : ROOM_START_US + 25 * ROOM_DAY_US;
            assert_int_equal(PB_OK, room_append(room, &read));
        }
    }
}

static void
purge_it(struct store_room *room)
{
    struct pb_purge_counts counts;

    room_expect(room, PB_OK, pb_store_purge(room->store, NULL, &counts, &room->error), "purge");
}

static int64_t
one_second_longer(void *context, const struct pb_read *read)
{
    (void)context;
    return read->delete_after_us + ROOM_SECOND_US;
}

static void
restamp_it(struct store_room *room)
{
    (void)restamp(room, one_second_longer, NULL);
}

static void
flush_and_merge(struct store_room *room)
{
    room_flush(room);
    /* So that there is something to merge in each partition. */
    append_days(room, 6, 7);
    room_flush(room);
    append_days(room, 7, 8);
    room_flush(room);
    room_merge(room);
}

static void
every_read_that_goes_is_told_with_reader_day_and_reason(void **state)
{
    static const struct {
        move_fn *remove;
        const char *name;
    } removers[] = {
        { purge_it, "purge" },
        { restamp_it, "restamp" },
        { flush_and_merge, "merge" },
    };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        for (size_t r = 0; r < sizeof(removers) / sizeof(removers[0]); r++) {
            struct store_room room;
            struct receipt receipt = { .calls = 0 };
            struct pb_erasure erasure = { .reader = pb_str_from("gate-2"), .from_us = 0,
                                          .to_us = ROOM_START_US + 5 * ROOM_DAY_US / 2 };
            struct pb_purge_counts counts;

            room_init(&room);
            append_days(&room, 0, 5);
            moves[m].move(&room);
            open_with_receipt(&room, &receipt);
            assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
            assert_int_equal(0, receipt.sum);
            room.now_us = ROOM_START_US + 20 * ROOM_DAY_US;
            if (removers[r].remove == flush_and_merge)
                room.now_us--; /* for what it appends */
            removers[r].remove(&room);
            room.now_us = ROOM_START_US + 20 * ROOM_DAY_US;
            room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error),
                        "purge");
            for (uint32_t day = 0; day < 5; day++) {
                assert_int_equal(10, receipt.reads[1][day][PB_REMOVED_EXPIRED]);
                assert_int_equal(day < 3 ? 10 : 0, receipt.reads[2][day][PB_REMOVED_ERASED]);
                assert_int_equal(0, receipt.reads[0][day][PB_REMOVED_EXPIRED]
                                        + receipt.reads[3][day][PB_REMOVED_EXPIRED]
                                        + receipt.reads[1][day][PB_REMOVED_ERASED]);
            }
            if (removers[r].remove == purge_it)
                assert_int_equal(0, counts.reads_removed);
            /* All the rest goes as whole segments. */
            room.now_us = ROOM_START_US + 26 * ROOM_DAY_US;
            receipt.sum = 0;
            room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error),
                        "purge");
            assert_int_equal(counts.reads_removed, receipt.sum);
            assert_true(counts.segments_dropped > 0);
            assert_int_equal(0, stored_reads(&room));
            assert_int_equal(10, receipt.reads[0][4][PB_REMOVED_EXPIRED]);
            room_done(&room);
        }
    }
}

/* Damage keeps reads from being told one by one, not from going when all of a segment has expired,
 * nor others from going. */
static void
what_is_damaged_goes_with_its_segment(void **state)
{
    struct store_room room;
    struct receipt receipt = { .calls = 0 };
    struct pb_purge_counts counts;
    struct pb_restamp_counts restamped;
    uint64_t size = 0;

    (void)state;
    room_init(&room);
    append_days(&room, 0, 2); /* gate-1 in another class than the others */
    room_flush(&room);
    append_days(&room, 2, 4);
    room_flush(&room);
    room_close(&room);
    /* The first block of the first segment is one of reads. */
    assert_true(sim_fs_file_size(room.fs, "store/segments/00000001.seg", &size));
    assert_true(sim_fs_flip_bit(room.fs, "store/segments/00000001.seg", 8 * 100));
    open_with_receipt(&room, &receipt);
    assert_int_equal(PB_E_CORRUPT, pb_store_restamp(room.store, one_second_longer, NULL, NULL,
                                                    &restamped, &room.error));
    /* What could be asked has its new date. */
    room.now_us = ROOM_START_US + 25 * ROOM_DAY_US;
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error));
    room.now_us += ROOM_SECOND_US;
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error));
    assert_int_equal(160, receipt.sum);
    assert_true(receipt.reads[READERS][0][PB_REMOVED_EXPIRED] > 0);
    assert_int_equal(0, stored_reads(&room));
    room_done(&room);
}

/* ---- faults ---- */

/* A store with reads in three segments; nothing is open in it. */
static struct sim_fs *
make_dated(void)
{
    struct store_room room;
    struct sim_fs *fs;

    room_init(&room);
    append_dated(&room, 0, FAULT_READS);
    room_flush(&room);
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

/* Each read has the date that it came with or the one of by_reader. */
static void
assert_old_or_new(struct store_room *room, uint64_t at)
{
    for (uint32_t i = 0; i < FAULT_READS; i++) {
        char text[24];
        struct pb_read read = dated_read(i, text);
        struct pb_query query = { .plate = read.plate,
                                  .from_us = read.captured_at_us,
                                  .to_us = read.captured_at_us + 1 };
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        assert_int_equal(PB_OK, pb_store_search(room->store, &query, &cursor, &room->error));
        room_expect(room, PB_OK, pb_cursor_next(cursor, &result, &room->error), "next");
        if (result.read.delete_after_us != read.delete_after_us
            && result.read.delete_after_us != by_reader(NULL, &read))
            fail_msg("fault %llu: read %u has a date of its own", (unsigned long long)at, i);
        assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room->error));
        pb_cursor_free(cursor);
    }
}

static bool
restamp_with_fault(struct sim_fs *fs, bool is_allocation, uint64_t at)
{
    struct store_room room;
    struct receipt receipt = { .calls = 0 };
    struct pb_restamp_counts counts;
    enum pb_status status;
    uint64_t before;
    bool is_over;

    room_init_on(&room, sim_fs_clone(fs));
    open_with_receipt(&room, &receipt);
    before = is_allocation ? room.fault.allocation_count : room.fault.file_call_count;
    if (is_allocation)
        room.fault.fail_allocation_at = before + at;
    else
        room.fault.fail_file_call_at = before + at;
    room.fault.fail_file_mask = FAULT_ANY;
    room.fault.fail_file_status = PB_E_IO;
    status = pb_store_restamp(room.store, by_reader, NULL, NULL, &counts, &room.error);
    is_over = room.fault.failure_count == 0;
    room.fault.fail_allocation_at = 0;
    room.fault.fail_file_call_at = 0;
    /* What cannot be deleted stays for the next opening, and is no failure. */
    if (status != PB_OK && status != (is_allocation ? PB_E_NOMEM : PB_E_IO)
        && status != PB_E_POISONED)
        fail_msg("fault %llu: %s: %s", (unsigned long long)at, pb_status_name(status),
                 room.error.message);
    assert_old_or_new(&room, at);
    open_with_receipt(&room, &receipt);
    assert_old_or_new(&room, at);
    (void)restamp(&room, by_reader, NULL);
    assert_dates(&room, by_reader, FAULT_READS, "in the end");
    assert_int_equal(0, receipt.sum);
    room_reopen(&room);
    /* Nothing is left of what was given up: one file a segment. */
    {
        struct pb_store_stats stats;

        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(stats.segments, segment_files(&room));
    }
    room_done(&room);
    return is_over;
}

static void
a_restamp_that_fails_anywhere_leaves_each_read_its_old_or_new_date(void **state)
{
    struct sim_fs *fs = make_dated();

    (void)state;
    for (int is_allocation = 0; is_allocation < 2; is_allocation++) {
        uint64_t at = 1;

        while (!restamp_with_fault(fs, is_allocation, at))
            at++;
        assert_in_range(at, 30, 2000);
    }
    sim_fs_free(fs);
}

/* The power fails within any call of a restamp. */
static void
a_power_cut_within_a_restamp_leaves_each_read_its_old_or_new_date(void **state)
{
    struct sim_fs *fs = make_dated();
    uint64_t cuts = 0;
    bool is_over = false;

    (void)state;
    while (!is_over) {
        struct store_room room;
        struct pb_restamp_counts counts;
        enum pb_status status;

        room_init_on(&room, sim_fs_clone(fs));
        room_open(&room);
        sim_fs_cut_after(room.fs, sim_fs_call_count(room.fs) + ++cuts);
        status = pb_store_restamp(room.store, by_reader, NULL, NULL, &counts, &room.error);
        is_over = !sim_fs_is_cut(room.fs);
        assert_true(!is_over || status == PB_OK);
        room_close(&room);
        sim_fs_power_cut(room.fs, cuts);
        room_open(&room);
        if (status == PB_OK)
            assert_dates(&room, by_reader, FAULT_READS, "after a cut");
        else
            assert_old_or_new(&room, cuts);
        (void)restamp(&room, by_reader, NULL);
        assert_dates(&room, by_reader, FAULT_READS, "in the end");
        room_done(&room);
    }
    assert_in_range(cuts, 20, 1000);
    sim_fs_free(fs);
}

static bool
purge_with_fault(struct sim_fs *fs, bool is_allocation, uint64_t at)
{
    struct store_room room;
    struct receipt receipt = { .calls = 0 };
    struct pb_purge_counts counts;
    enum pb_status status;
    uint64_t removed = 0;
    bool is_over;

    room_init_on(&room, sim_fs_clone(fs));
    room.now_us = ROOM_START_US + 20 * ROOM_DAY_US;
    open_with_receipt(&room, &receipt);
    if (is_allocation)
        room.fault.fail_allocation_at = room.fault.allocation_count + at;
    else
        room.fault.fail_file_call_at = room.fault.file_call_count + at;
    room.fault.fail_file_mask = FAULT_ANY;
    room.fault.fail_file_status = PB_E_IO;
    status = pb_store_purge(room.store, NULL, &counts, &room.error);
    is_over = room.fault.failure_count == 0;
    room.fault.fail_allocation_at = 0;
    room.fault.fail_file_call_at = 0;
    if (status == PB_OK)
        assert_int_equal(counts.reads_removed, receipt.sum);
    /* Each read that goes is told once, also of a purge that failed half way; only where the store
     * does not know whether it is gone nothing is told. */
    if (status != PB_E_POISONED && !is_over)
        status = pb_store_purge(room.store, NULL, &counts, &room.error);
    if (status == PB_E_POISONED) {
        open_with_receipt(&room, &receipt);
        status = pb_store_purge(room.store, NULL, &counts, &room.error);
        assert_in_range(receipt.sum, 0, 70);
    } else {
        assert_int_equal(70, receipt.sum);
    }
    room_expect(&room, PB_OK, status, "purge again");
    removed = 200 - stored_reads(&room);
    assert_int_equal(70, removed);
    room_done(&room);
    return is_over;
}

static void
what_goes_is_told_once_whatever_fails(void **state)
{
    struct store_room room;
    struct pb_erasure erasure = { .reader = pb_str_from("gate-2"), .from_us = 0,
                                  .to_us = ROOM_START_US + 2 * ROOM_DAY_US };
    struct sim_fs *fs;

    (void)state;
    room_init(&room);
    append_days(&room, 0, 4);
    room_flush(&room);
    append_days(&room, 4, 5); /* in the log */
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    for (int is_allocation = 0; is_allocation < 2; is_allocation++) {
        uint64_t at = 1;

        while (!purge_with_fault(fs, is_allocation, at))
            at++;
        assert_in_range(at, 20, 2000);
    }
    sim_fs_free(fs);
}

/* ---- a purge that is told to stop ---- */

static bool
stop_before_second(void *context, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    assert_true(done <= total);
    return (*(uint32_t *)context)++ == 0;
}

static void
a_purge_stops_between_segments_when_it_is_told_to(void **state)
{
    uint32_t asked = 0;
    const struct pb_progress progress = { stop_before_second, &asked };
    struct pb_purge_counts counts = { 0 };
    struct pb_store_stats stats;
    struct store_room room;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 3; i++) {
        struct pb_read read = room_read("EXPIRES", "gate", i);

        read.delete_after_us = room.now_us + ROOM_DAY_US;
        assert_int_equal(PB_OK, room_append(&room, &read));
        room_flush(&room);
    }
    room.now_us += 2 * ROOM_DAY_US;
    room_expect(&room, PB_OK, pb_store_purge(room.store, &progress, &counts, &room.error), "purge");
    assert_int_equal(2, asked);
    assert_int_equal(1, counts.segments_dropped);
    assert_int_equal(1, counts.reads_removed);
    room_expect(&room, PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error), "purge");
    assert_int_equal(2, counts.segments_dropped);
    room_expect(&room, PB_OK, pb_store_stats(room.store, &stats, &room.error), "stats");
    assert_int_equal(0, stats.reads);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_become_what_the_function_says),
        cmocka_unit_test(a_read_that_has_expired_never_comes_back),
        cmocka_unit_test(a_hold_placed_in_time_saves_a_read_and_ends),
        cmocka_unit_test(dates_outside_the_times_of_a_store_are_brought_in),
        cmocka_unit_test(what_comes_meanwhile_holds_afterwards),
        cmocka_unit_test(a_question_that_is_being_answered_goes_on),
        cmocka_unit_test(a_restamp_that_cannot_be_done_changes_nothing),
        cmocka_unit_test(every_read_that_goes_is_told_with_reader_day_and_reason),
        cmocka_unit_test(what_is_damaged_goes_with_its_segment),
        cmocka_unit_test(a_restamp_that_fails_anywhere_leaves_each_read_its_old_or_new_date),
        cmocka_unit_test(a_power_cut_within_a_restamp_leaves_each_read_its_old_or_new_date),
        cmocka_unit_test(what_goes_is_told_once_whatever_fails),
        cmocka_unit_test(a_purge_stops_between_segments_when_it_is_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
