/*
 * The store and a model in plain memory agree on random histories.
 *
 * Plates, readers and moments are few, so that reads meet: sent again, in conflict, revised,
 * corrected, erased, expired. Between questions rows move: flushed, merged, purged, reopened.
 * A history is made from its seed alone; a failure names seed and step. PB_NIGHT=1 runs a
 * million steps; PB_MODEL_SEED=n runs that history alone.
 */
#include "store/flush_behind.h"
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "geo/geo.h"
#include "read/read_maker.h"
#include "support/model.h"

#define STEPS_OF_HISTORY 1500u
#define STEPS_OF_SUITE 9000u
#define STEPS_OF_NIGHT 1000000u
#define READS_MAX 6u
#define PAGE_MAX 9u
#define LOAD_MAX 80u

struct history {
    struct store_room room;
    struct model model;
    uint64_t random;
    uint64_t seed;
    uint32_t step;
    bool is_small; /* opened with little memory */
    uint64_t answers[PB_EXPIRED + 1]; /* by status */
    uint64_t results, moves, behind, loaded, skipped;
    uint64_t told;     /* reads that the store said are gone from disk */
    uint64_t restamped;
};

static uint32_t
below(struct history *history, uint32_t end)
{
    return maker_below(&history->random, end);
}

#define FAIL(history, ...)                                                                \
    do {                                                                                  \
        print_error("seed %llu, step %u: ", (unsigned long long)(history)->seed,          \
                    (history)->step);                                                     \
        fail_msg(__VA_ARGS__);                                                            \
    } while (0)

static void
expect_ok(struct history *history, enum pb_status status, const char *what)
{
    if (status != PB_OK)
        FAIL(history, "%s: %s: %s", what, pb_status_name(status), history->room.error.message);
}

/* ---- reads ---- */

static const char *const plates[] = {
    "AB12",  "A812",  "AB1Z",   "0B12",       "OB12",        "AB",  "A",       "CD345",
    "CD34S", "C0345", "ZZ9999", "ABCDEFGHIJ", "ABCDEFGHIJK", "AB#2", "TÖLSL1", "京A12345",
};
#define PLATE_COUNT 16u

static const char *const alternates_of[] = { "AB12", "AB13", "CD345", "A", "ABCDEFGHIJ",
                                             "TÖLSL1", "QQ1" };
static const char *const words[] = { "", "", "red", "Red", "blue", "van" };

struct reader {
    const char *name;
    bool has_events, revises, moves, has_place;
    int64_t kept_days; /* 0: for ever */
};
static const struct reader readers[] = {
    { "gate-1", false, false, false, true, 0 },  { "gate-2", false, false, false, true, 30 },
    { "cam-3", true, false, false, true, 60 },   { "cam-4", true, true, false, true, 0 },
    { "car-5", false, false, true, true, 14 },   { "cam-6", true, true, true, true, 365 },
    { "old-7", false, false, false, false, 90 },
};
#define READER_COUNT 7u

static int64_t
some_moment(struct history *history)
{
    static const int64_t days[] = { 0, 0, 0, 1, 2, 5, 20, 33, 62 };
    int64_t day_us = history->room.now_us / ROOM_DAY_US * ROOM_DAY_US;

    return day_us - days[below(history, 9)] * ROOM_DAY_US
           + (int64_t)below(history, 4) * 3600 * ROOM_SECOND_US + (int64_t)below(history, 2);
}

struct read_room {
    struct pb_alternate alternates[PB_ALTERNATES_MAX];
    char event[8];
};

static void
add_alternates(struct history *history, struct pb_read *read, struct read_room *room)
{
    read->alternate_count = below(history, 4);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        room->alternates[i].plate = pb_str_from(alternates_of[below(history, 7)]);
        room->alternates[i].confidence_e6
            = read->confidence_scale == PB_SCALE_NONE ? PB_NO_CONFIDENCE : below(history, 1000000);
    }
    read->alternates = room->alternates;
}

static struct pb_read
some_read(struct history *history, struct read_room *room)
{
    uint32_t number = below(history, READER_COUNT);
    const struct reader *reader = &readers[number];
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from(plates[below(history, PLATE_COUNT)]);
    read.reader = pb_str_from(reader->name);
    read.captured_at_us = some_moment(history);
    read.jurisdiction = (uint16_t)below(history, 3);
    if (reader->has_place) {
        read.lat_e7 = (int32_t)(520000000 + number * 100000);
        read.lon_e7 = (int32_t)(130000000 + number * 100000);
    }
    if (reader->moves) {
        read.lat_e7 += (int32_t)below(history, 200) * 10000;
        read.lon_e7 -= (int32_t)below(history, 200) * 10000;
        read.heading_cdeg = (uint16_t)below(history, 36000);
    }
    if (below(history, 2) == 0) {
        read.confidence_scale = number % 2 == 0 ? PB_SCALE_UNIT : PB_SCALE_PERCENT;
        read.confidence_e6 = below(history, 1000001) * (number % 2 == 0 ? 1 : 100);
    }
    if (below(history, 4) == 0)
        add_alternates(history, &read, room);
    read.make = pb_str_from(words[below(history, 6)]);
    read.color = pb_str_from(words[below(history, 6)]);
    if (below(history, 3) == 0)
        read.speed_ckmh = (uint16_t)below(history, 20000);
    if (reader->has_events) {
        (void)snprintf(room->event, sizeof(room->event), "e%u", below(history, 60));
        read.event_id = pb_str_from(room->event);
        read.is_revisable = reader->revises;
        read.revision = reader->revises ? below(history, 4) : 0;
    }
    if (reader->kept_days != 0)
        read.delete_after_us = read.captured_at_us + reader->kept_days * ROOM_DAY_US;
    return read;
}

/* A read that is known, sent again: as it was, with other content, or corrected. */
static struct pb_read
known_read(struct history *history, struct read_room *room)
{
    const struct model_row *row
        = &history->model.rows[below(history, history->model.row_count)];
    struct pb_read read = row->read;

    read.is_superseded = false;
    switch (below(history, 6)) {
    case 0:
        read.speed_ckmh = (uint16_t)below(history, 5);
        break;
    case 1:
        if (read.is_revisable)
            read.revision = below(history, 6);
        break;
    case 2:
    case 3:
        if (read.event_id.bytes == 0 && read.identity_plate.bytes == 0)
            read.identity_plate = read.plate;
        if (read.plate_raw.bytes == 0)
            read.plate_raw = read.plate;
        read.plate = pb_str_from(plates[below(history, PLATE_COUNT)]);
        read.is_correction = true;
        read.revision = below(history, 5);
        if (below(history, 4) == 0)
            add_alternates(history, &read, room);
        break;
    default:
        break;
    }
    return read;
}

/* ---- what changes the store ---- */

static void
append_some(struct history *history)
{
    struct read_room rooms[READS_MAX];
    struct pb_read reads[READS_MAX];
    enum pb_status expected[READS_MAX];
    enum pb_status answers[READS_MAX];
    uint32_t wanted = 1 + below(history, READS_MAX);
    uint32_t count = 0;

    while (wanted-- > 0) {
        struct pb_read read = history->model.row_count > 0 && below(history, 3) == 0
                                  ? known_read(history, &rooms[count])
                                  : some_read(history, &rooms[count]);
        bool is_history = false;

        expected[count] = model_judge(&history->model, &read, history->room.now_us, &is_history);
        if (expected[count] == PB_END) {
            history->skipped++;
            continue;
        }
        /* Texts of a known read point into the model, whose rows stay where they are. */
        reads[count] = read;
        if (expected[count] == PB_OK)
            model_store(&history->model, &read, history->room.now_us, is_history);
        count++;
    }
    if (count == 0)
        return;
    expect_ok(history, pb_store_append(history->room.store, reads, count, answers,
                                       &history->room.error), "append");
    for (uint32_t i = 0; i < count; i++) {
        if (answers[i] != expected[i])
            FAIL(history, "read %u of %u, plate %.*s, revision %u: %s instead of %s", i, count,
                 (int)reads[i].plate.bytes, reads[i].plate.text, reads[i].revision,
                 pb_status_name(answers[i]), pb_status_name(expected[i]));
        history->answers[answers[i]]++;
    }
}

/* Each read of a load must have another identity: what a run and the log make of conflicts among
 * themselves is the same in the end, but is not counted alike. */
static bool
is_new_in_load(uint64_t *identities, uint32_t *count, const struct pb_read *read)
{
    uint64_t identity = pb_read_identity(read);

    for (uint32_t i = 0; i < *count; i++) {
        if (identities[i] == identity)
            return false;
    }
    identities[(*count)++] = identity;
    return true;
}

/* Whether only corrections are left of a read without event id: a load does not look for those. */
static bool
has_only_corrections(const struct history *history, const struct pb_read *read)
{
    uint64_t identity = pb_read_identity(read);
    bool has_any = false;

    if (read->event_id.bytes != 0 || read->is_correction)
        return false;
    for (uint32_t i = 0; i < history->model.row_count; i++) {
        const struct model_row *row = &history->model.rows[i];

        if (row->identity != identity || !pb_read_same_identity(&row->read, read))
            continue;
        if (!row->read.is_correction)
            return false;
        has_any = true;
    }
    return has_any;
}

static void
load_some(struct history *history)
{
    struct store_room *room = &history->room;
    struct pb_loader *loader = NULL;
    struct pb_load_counts expected = { 0 };
    struct pb_load_counts counts;
    uint64_t identities[LOAD_MAX + 1];
    uint32_t identity_count = 0;
    /* 256 lanes of little memory write a segment for each 1024 reads. */
    unsigned lane_count = history->is_small ? 256 : 1 + below(history, 3);
    uint32_t wanted = below(history, LOAD_MAX);
    bool is_bulk = history->is_small && below(history, 3) == 0;
    struct pb_read filler = room_read("FILLER", "filler", 0);

    expect_ok(history, pb_loader_new(room->store, lane_count, NULL, NULL, &loader, &room->error),
              "loader");
    while (wanted-- > 0) {
        struct read_room made;
        struct pb_read read = history->model.row_count > 0 && below(history, 3) == 0
                                  ? known_read(history, &made)
                                  : some_read(history, &made);
        bool is_history = false;
        enum pb_status verdict;

        if (!is_new_in_load(identities, &identity_count, &read))
            continue;
        verdict = model_judge(&history->model, &read, room->now_us, &is_history);
        if (verdict == PB_END || has_only_corrections(history, &read)) {
            history->skipped++;
            continue;
        }
        expect_ok(history, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room->error),
                  "lane");
        expected.stored += verdict == PB_OK;
        expected.duplicate += verdict == PB_DUPLICATE;
        expected.conflict += verdict == PB_CONFLICT;
        expected.rejected += verdict == PB_EXPIRED || verdict == PB_BAD_INPUT;
        /* Lanes finish one after another; one lane keeps the order that the model saw. */
        if (verdict == PB_OK)
            model_store(&history->model, &read, room->now_us, is_history);
    }
    /* The same read over and over fills a run. */
    filler.captured_at_us = some_moment(history);
    if (is_bulk && is_new_in_load(identities, &identity_count, &filler)) {
        bool is_history = false;
        enum pb_status verdict = model_judge(&history->model, &filler, room->now_us, &is_history);

        if (verdict == PB_OK || verdict == PB_DUPLICATE) {
            for (uint32_t i = 0; i < 1100; i++)
                expect_ok(history, pb_lane_add(pb_loader_lane(loader, 0), &filler, 1,
                                               &room->error), "filler");
            expected.stored += verdict == PB_OK;
            expected.duplicate += verdict == PB_OK ? 1099 : 1100;
            if (verdict == PB_OK)
                model_store(&history->model, &filler, room->now_us, is_history);
        } else {
            expect_ok(history, PB_OK, "no filler");
        }
    }
    for (unsigned i = 0; i < lane_count; i++)
        expect_ok(history, pb_lane_finish(pb_loader_lane(loader, i), &room->error), "finish");
    pb_loader_counts(loader, &counts);
    pb_loader_free(loader);
    if (counts.stored != expected.stored || counts.duplicate != expected.duplicate
        || counts.conflict != expected.conflict || counts.rejected != expected.rejected)
        FAIL(history,
             "load%s: stored %llu/%llu duplicate %llu/%llu conflict %llu/%llu rejected %llu/%llu",
             is_bulk ? " in bulk" : "", (unsigned long long)counts.stored,
             (unsigned long long)expected.stored, (unsigned long long)counts.duplicate,
             (unsigned long long)expected.duplicate, (unsigned long long)counts.conflict,
             (unsigned long long)expected.conflict, (unsigned long long)counts.rejected,
             (unsigned long long)expected.rejected);
    history->loaded += counts.stored;
}

static void
erase_some(struct history *history)
{
    struct pb_erasure erasure = { .from_us = some_moment(history) };

    erasure.to_us = erasure.from_us + 1 + (int64_t)below(history, 3) * ROOM_DAY_US / 2;
    if (below(history, 4) != 0)
        erasure.plate = pb_str_from(plates[below(history, PLATE_COUNT)]);
    if (below(history, 2) == 0)
        erasure.reader = pb_str_from(readers[below(history, READER_COUNT)].name);
    if (below(history, 4) == 0)
        erasure.jurisdiction = (uint16_t)below(history, 3);
    expect_ok(history, pb_store_erase(history->room.store, &erasure, &history->room.error),
              "erase");
    model_erase(&history->model, &erasure);
}

/* Of every read that was stored, and is not there any more, it was told that it went. */
static void
check_told(struct history *history)
{
    uint64_t stored = history->answers[PB_OK] + history->loaded;
    struct pb_store_stats stats;

    expect_ok(history, pb_store_stats(history->room.store, &stats, &history->room.error),
              "stats");
    if (stored - history->told != stats.reads)
        FAIL(history, "%llu reads were stored, %llu told to be gone, %llu are there",
             (unsigned long long)stored, (unsigned long long)history->told,
             (unsigned long long)stats.reads);
}

static void
note_removed(void *context, const struct pb_removed *removed)
{
    struct history *history = context;

    history->told += removed->reads;
}

struct dates {
    uint64_t seed;
    int64_t now_us;
};

/* Any of some dates, told by all that a restamp may look at. */
static int64_t
date_of(void *context, const struct pb_read *read)
{
    const struct dates *dates = context;
    const int64_t numbers[] = { read->jurisdiction, read->captured_at_us, read->delete_after_us,
                                read->lat_e7, read->lon_e7 };
    uint64_t hash = dates->seed ^ pb_hash_bytes(numbers, sizeof(numbers))
                    ^ pb_hash_bytes(read->plate.text, read->plate.bytes) << 1
                    ^ pb_hash_bytes(read->reader.text, read->reader.bytes) << 2;
    static const int64_t days[] = { 7, 29, 60, 61, 200 };

    hash ^= hash >> 29;
    switch (hash % 8) {
    case 0:
        return PB_NEVER;
    case 1:
        return read->captured_at_us + days[hash / 8 % 5] * ROOM_DAY_US;
    case 2:
        return dates->now_us + (int64_t)(hash / 8 % 3) * ROOM_SECOND_US;
    default:
        return read->delete_after_us;
    }
}

static void
restamp(struct history *history)
{
    struct dates dates = { maker_random(&history->random), history->room.now_us };
    struct pb_restamp_counts counts;

    if (below(history, 4) == 0)
        dates.seed = 0; /* now and then the same as before */
    expect_ok(history, pb_store_restamp(history->room.store, date_of, &dates, NULL, &counts,
                                        &history->room.error), "restamp");
    model_restamp(&history->model, date_of, &dates, history->room.now_us);
    history->restamped += counts.reads_later + counts.reads_earlier;
    check_told(history);
}

static void
purge(struct history *history)
{
    struct pb_purge_counts purged = { 0 };
    struct pb_store_stats stats;
    uint32_t before = 0;

    expect_ok(history, pb_store_stats(history->room.store, &stats, &history->room.error),
              "stats");
    before = (uint32_t)stats.reads;
    expect_ok(history, pb_store_purge(history->room.store, NULL, &purged, &history->room.error),
              "purge");
    model_forget(&history->model, history->room.now_us);
    expect_ok(history, pb_store_stats(history->room.store, &stats, &history->room.error),
              "stats");
    if (stats.reads != history->model.row_count)
        FAIL(history, "%llu reads after a purge instead of %u", (unsigned long long)stats.reads,
             history->model.row_count);
    if (purged.reads_removed != before - stats.reads)
        FAIL(history, "a purge tells of %llu reads, and %llu went",
             (unsigned long long)purged.reads_removed,
             (unsigned long long)(before - stats.reads));
    check_told(history);
}

static void
open_again(struct history *history)
{
    struct pb_store_options options = { .on_removed = note_removed, .removed_context = history };

    pb_store_close(history->room.store);
    history->room.store = NULL;
    history->is_small = below(history, 2) == 0;
    options.memory_bytes = history->is_small;
    expect_ok(history, pb_store_open(history->room.env, ROOM_PATH, &options, &history->room.store,
                                     &history->room.error), "open");
}

static void
move_clock(struct history *history)
{
    static const int64_t steps_us[] = { 1, ROOM_SECOND_US, 3600 * ROOM_SECOND_US, ROOM_DAY_US,
                                        3 * ROOM_DAY_US };

    history->room.now_us += steps_us[below(history, 5)];
}

static void
happen_meanwhile(void *context)
{
    struct history *history = context;

    for (uint32_t left = below(history, 4); left > 0; left--)
        append_some(history);
    if (below(history, 4) == 0)
        erase_some(history);
    if (below(history, 8) == 0)
        move_clock(history);
}

/* Rows that are flushed while others come behind them. */
static void
flush_some_behind(struct history *history)
{
    struct flush_behind flush = { .store = history->room.store,
                                  .fault = &history->room.fault,
                                  .operation = FAULT_SYNC,
                                  .meanwhile = happen_meanwhile,
                                  .context = history };
    enum pb_status status = flush_behind(&flush, &history->room.error);

    /* Refused where a restart could not tell history from what is current. */
    if (status != PB_E_BUSY)
        expect_ok(history, status, "flush behind");
    history->behind += flush.has_happened;
}

/* Nothing of this changes what is found. */
static void
move_rows(struct history *history)
{
    struct store_room *room = &history->room;

    history->moves++;
    switch (below(history, 5)) {
    case 0:
    case 1:
        expect_ok(history, pb_store_flush(room->store, &room->error), "flush");
        break;
    case 2:
        expect_ok(history, pb_store_merge(room->store, false, NULL, &room->error), "merge");
        break;
    case 3:
        expect_ok(history, pb_store_merge(room->store, true, NULL, &room->error), "merge all");
        break;
    default:
        open_again(history);
        break;
    }
}

/* ---- questions ---- */

static void
compare_result(struct history *history, uint32_t number, const struct model_result *expected,
               const struct pb_result *found)
{
    const char *difference = model_difference(&expected->row->read, &found->read, true);

    if (difference == NULL && expected->match != found->match)
        difference = "match";
    if (difference == NULL && expected->edits != found->edits)
        difference = "edits";
    if (difference == NULL && expected->alternate != found->alternate)
        difference = "alternate";
    if (difference != NULL)
        FAIL(history, "result %u, plate %.*s: differs in %s (found %.*s, alternate %u, match %d, "
             "edits %u; wanted alternate %u, match %d, edits %u)", number,
             (int)expected->row->read.plate.bytes, expected->row->read.plate.text, difference,
             (int)found->read.plate.bytes, found->read.plate.text, found->alternate,
             (int)found->match, found->edits, expected->alternate, (int)expected->match,
             expected->edits);
}

/* Asks in pages; between pages rows may move. */
static void
compare_search(struct history *history, struct pb_query *query)
{
    struct store_room *room = &history->room;
    struct model_result *expected = NULL;
    uint32_t count = model_search(&history->model, query, room->now_us, &expected);
    bool has_pages = below(history, 3) == 0;
    char token[PB_TOKEN_BYTES_MAX];
    uint32_t given = 0;
    bool is_over = false;

    while (!is_over) {
        uint32_t page = has_pages ? 1 + below(history, PAGE_MAX) : UINT32_MAX;
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        expect_ok(history, pb_store_search(room->store, query, &cursor, &room->error), "search");
        for (; page > 0; page--) {
            enum pb_status status = pb_cursor_next(cursor, &result, &room->error);

            is_over = status == PB_END;
            if (is_over)
                break;
            expect_ok(history, status, "next");
            if (given == count)
                FAIL(history, "question %.*s: more than %u results: %.*s", (int)query->plate.bytes,
                     query->plate.text, count, (int)result.read.plate.bytes,
                     result.read.plate.text);
            compare_result(history, given, &expected[given], &result);
            given++;
        }
        if (!is_over) {
            expect_ok(history, pb_cursor_token(cursor, token), "token");
            query->resume = pb_str_from(token);
        }
        pb_cursor_free(cursor);
        if (!is_over && below(history, 6) == 0)
            move_rows(history);
    }
    if (given != count)
        FAIL(history, "question %.*s: %u results instead of %u; %.*s is missing",
             (int)query->plate.bytes, query->plate.text, given, count,
             (int)expected[given].row->read.plate.bytes, expected[given].row->read.plate.text);
    history->results += count;
    model_free(&history->model, expected);
}

static const char *const patterns[] = { "A*",   "*12",     "A?1?",   "*",    "[AC]*", "?B12",
                                        "T*",   "*[0-9]",  "*345*",  "A",    "??",    "[!A]*",
                                        "*L1",  "ABCDEF*", "*HIJ?",  "AB#2", "京*",   "Z*9" };

static struct pb_str
some_pattern(struct history *history, unsigned *ret_edits)
{
    *ret_edits = 0;
    if (below(history, 3) == 0)
        return pb_str_from(patterns[below(history, 18)]);
    if (below(history, 3) == 0)
        *ret_edits = 1 + below(history, 2);
    return pb_str_from(below(history, 6) == 0 ? alternates_of[below(history, 7)]
                                              : plates[below(history, PLATE_COUNT)]);
}

static void
ask(struct history *history)
{
    struct pb_query query = { .from_us = PB_TIME_MIN_US, .to_us = PB_TIME_MAX_US };
    struct pb_geo_area *area = NULL;

    if (below(history, 3) == 0) {
        struct store_room *room = &history->room;
        int32_t lat_e7 = (int32_t)(520000000 + below(history, 30) * 100000);
        int32_t lon_e7 = (int32_t)(130000000 - below(history, 30) * 100000);
        double radius_m = below(history, 2) == 0 ? 3000.0 : 40000.0;

        if (below(history, 2) == 0)
            expect_ok(history, pb_geo_area_from_circle(pb_env_system(), lat_e7, lon_e7, radius_m,
                                                       &area, &room->error), "circle");
        else
            expect_ok(history, pb_geo_area_from_rectangle(pb_env_system(), lat_e7 - 300000,
                                                          lon_e7 - 900000, lat_e7 + 700000,
                                                          lon_e7 + 700000, &area, &room->error),
                      "rectangle");
        query.area = area;
    }
    if (area == NULL || below(history, 2) == 0)
        query.plate = some_pattern(history, &query.edits);
    query.with_lookalikes = query.plate.bytes != 0 && below(history, 4) == 0;
    query.without_alternates = below(history, 3) == 0;
    query.with_superseded = below(history, 3) == 0;
    if (below(history, 3) == 0) {
        query.from_us = some_moment(history);
        query.to_us = query.from_us + 1 + (int64_t)below(history, 30) * ROOM_DAY_US / 4;
    }
    if (below(history, 5) == 0)
        query.jurisdiction = (uint16_t)below(history, 3);
    if (below(history, 5) == 0)
        query.reader = pb_str_from(readers[below(history, READER_COUNT)].name);
    if (below(history, 8) == 0)
        query.make = pb_str_from(words[below(history, 6)]);
    if (below(history, 8) == 0)
        query.color = pb_str_from(words[below(history, 6)]);
    if (below(history, 8) == 0)
        query.confidence_min_permille = (int)below(history, 1001);
    compare_search(history, &query);
    pb_geo_area_free(pb_env_system(), area);
}

struct plate_check {
    struct history *history;
    struct pb_plate_count *expected;
    uint32_t count, given;
};

static bool
check_plate(void *context, const struct pb_plate_count *plate)
{
    struct plate_check *check = context;
    const struct pb_plate_count *expected = &check->expected[check->given];

    if (check->given == check->count)
        FAIL(check->history, "plates: more than %u: %.*s", check->count, (int)plate->plate.bytes,
             plate->plate.text);
    if (!pb_str_equal(expected->plate, plate->plate)
        || expected->jurisdiction != plate->jurisdiction || expected->reads != plate->reads
        || expected->first_us != plate->first_us || expected->last_us != plate->last_us
        || expected->match != plate->match || expected->edits != plate->edits)
        FAIL(check->history, "plates: %.*s/%u with %llu reads instead of %.*s/%u with %llu",
             (int)plate->plate.bytes, plate->plate.text, plate->jurisdiction,
             (unsigned long long)plate->reads, (int)expected->plate.bytes, expected->plate.text,
             expected->jurisdiction, (unsigned long long)expected->reads);
    check->given++;
    return true;
}

static void
ask_plates(struct history *history)
{
    struct plate_check check = { .history = history };
    unsigned edits = 0;
    struct pb_str pattern = some_pattern(history, &edits);
    bool with_lookalikes = below(history, 3) == 0;
    uint16_t jurisdiction = (uint16_t)(below(history, 3) == 0 ? below(history, 3) : 0);

    check.count = model_plates(&history->model, pattern, edits, with_lookalikes, jurisdiction,
                               history->room.now_us, &check.expected);
    expect_ok(history, pb_store_plates(history->room.store, pattern, edits, with_lookalikes,
                                       jurisdiction, check_plate, NULL, &check,
                                       &history->room.error),
              "plates");
    if (check.given != check.count)
        FAIL(history, "plates %.*s: %u instead of %u", (int)pattern.bytes, pattern.text,
             check.given, check.count);
    model_free(&history->model, check.expected);
}

/* ---- histories ---- */

static void
take_step(struct history *history)
{
    uint32_t kind = below(history, 100);

    if (kind < 40)
        append_some(history);
    else if (kind < 72)
        ask(history);
    else if (kind < 80)
        ask_plates(history);
    else if (kind < 87)
        move_rows(history);
    else if (kind < 89)
        flush_some_behind(history);
    else if (kind < 92)
        load_some(history);
    else if (kind < 94)
        erase_some(history);
    else if (kind < 95)
        restamp(history);
    else if (kind < 97)
        purge(history);
    else
        move_clock(history);
}

static void
verify_all(struct history *history)
{
    struct pb_verify_counts counts;

    expect_ok(history, pb_store_verify(history->room.env, ROOM_PATH, NULL, NULL, NULL, &counts,
                                       &history->room.error), "verify");
    if (counts.damaged != 0)
        FAIL(history, "%llu places are damaged", (unsigned long long)counts.damaged);
}

static void
run_history(uint64_t seed, uint32_t steps, struct history *totals)
{
    struct history *history = calloc(1, sizeof(*history));

    assert_non_null(history);
    history->seed = seed;
    history->random = seed;
    room_init(&history->room);
    model_init(&history->model, pb_env_system());
    open_again(history);
    for (history->step = 0; history->step < steps; history->step++)
        take_step(history);
    verify_all(history);
    room_done(&history->room);
    model_done(&history->model);
    for (int i = 0; i <= PB_EXPIRED; i++)
        totals->answers[i] += history->answers[i];
    totals->results += history->results;
    totals->moves += history->moves;
    totals->behind += history->behind;
    totals->loaded += history->loaded;
    totals->skipped += history->skipped;
    totals->told += history->told;
    totals->restamped += history->restamped;
    free(history);
}

static void
the_store_equals_the_model_on_random_histories(void **state)
{
    const char *night = getenv("PB_NIGHT");
    const char *alone = getenv("PB_MODEL_SEED");
    uint32_t steps = night != NULL && night[0] == '1' ? STEPS_OF_NIGHT : STEPS_OF_SUITE;
    uint32_t done = 0;
    struct history totals;

    (void)state;
    memset(&totals, 0, sizeof(totals));
    if (alone != NULL) {
        run_history(strtoull(alone, NULL, 10), STEPS_OF_HISTORY, &totals);
        return;
    }
    for (uint64_t seed = 1; done < steps; seed++, done += STEPS_OF_HISTORY)
        run_history(seed, STEPS_OF_HISTORY, &totals);
    print_message("%u steps: %llu stored, %llu duplicate, %llu conflict, %llu expired, %llu "
                  "loaded, %llu results compared, %llu moves, %llu flushes behind, %llu skipped, "
                  "%llu dates moved, %llu reads gone\n",
                  done, (unsigned long long)totals.answers[PB_OK],
                  (unsigned long long)totals.answers[PB_DUPLICATE],
                  (unsigned long long)totals.answers[PB_CONFLICT],
                  (unsigned long long)totals.answers[PB_EXPIRED],
                  (unsigned long long)totals.loaded, (unsigned long long)totals.results,
                  (unsigned long long)totals.moves, (unsigned long long)totals.behind,
                  (unsigned long long)totals.skipped,
                  (unsigned long long)totals.restamped, (unsigned long long)totals.told);
    /* The histories did hold what they are for. */
    assert_true(totals.answers[PB_OK] > 1000 && totals.answers[PB_DUPLICATE] > 100);
    assert_true(totals.answers[PB_CONFLICT] > 100 && totals.answers[PB_EXPIRED] > 10);
    assert_true(totals.restamped > 1000 && totals.told > 1000 && totals.behind > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_equals_the_model_on_random_histories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
