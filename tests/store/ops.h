/*
 * A small store of two segments in which there is some of everything, and everything that is done
 * with a store: to be tried on damage and on calls that fail.
 *
 * Each operation says PB_OK, or the worst of what it was told. Nothing that it finds is without
 * plate or reader, and a question that goes on past damage is not failed by it.
 */
#ifndef PB_TESTS_STORE_OPS_H
#define PB_TESTS_STORE_OPS_H

#include "store/store_room.h"

#include <stdio.h>

#include "geo/geo.h"
#include "store/local/removals.h"
#include "store/local/run.h"

#define OPS_READS 320u
#define OPS_PLATES 80u

static const char *ops_now; /* for messages */

static inline int64_t
some_us(uint32_t i)
{
    return (int64_t)(i * 7919 % OPS_READS) * 60;
}

/* Each other plate is long; some reads are events, have alternates, or a text as sent. */
static inline struct pb_read
some_read(uint32_t i, char text[64], struct pb_alternate alternates[2])
{
    struct pb_read read;
    uint32_t plate = i % (2 * OPS_PLATES);

    (void)snprintf(text, 32, plate % 2 == 1 ? "LONGPLATES%03u" : "P%03u", plate);
    (void)snprintf(text + 32, 16, "e-%u", i);
    read = room_read(text, i % 3 == 0 ? "gate-1" : "gate-2", some_us(i));
    read.lat_e7 += (int32_t)(i % 40) * 100000;
    read.heading_cdeg = (uint16_t)(i % 100);
    read.speed_ckmh = (uint16_t)(i % 50 + 1);
    read.make = pb_str_from(i % 7 == 0 ? "ford" : "");
    read.jurisdiction = (uint16_t)(plate % 4);
    read.delete_after_us = read.captured_at_us + 400 * ROOM_DAY_US;
    if (i % 2 == 0) {
        read.event_id = pb_str_from(text + 32);
        read.is_revisable = true;
        read.revision = i % 4 == 0;
    }
    read.plate_raw = pb_str_from(i % 5 == 0 ? "as sent" : "");
    if (i % 3 == 0) {
        (void)snprintf(text + 48, 16, "O%u", i);
        alternates[0] = (struct pb_alternate){ pb_str_from(text + 48), 5 };
        alternates[1] = (struct pb_alternate){ pb_str_from("TÖALTERNATE"), 4 };
        read.alternates = alternates;
        read.alternate_count = 2;
    }
    return read;
}

static inline void
append(struct store_room *room, uint32_t first, uint32_t step, const char *reader)
{
    for (uint32_t i = first; i < OPS_READS; i += step) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read read = some_read(i, text, alternates);

        if (reader != NULL)
            read.reader = pb_str_from(reader);
        assert_int_equal(PB_OK, room_append(room, &read));
    }
}

/* Two segments of one partition; something of both is erased, and the second revises an event of
 * the first. */
static inline struct sim_fs *
make_store(void)
{
    static const struct pb_erasure erasure = { .plate = { "P030", 4 },
                                               .from_us = 0,
                                               .to_us = PB_TIME_MAX_US };
    struct store_room room;
    struct pb_alternate alternates[2];
    char text[64];
    struct pb_read revision;
    struct sim_fs *fs = NULL;

    room_init(&room);
    append(&room, 0, 1, NULL);
    room_flush(&room);
    append(&room, 1, 10, "gate-3");
    revision = some_read(2, text, alternates);
    revision.revision = 5;
    assert_int_equal(PB_OK, room_append(&room, &revision));
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    room_flush(&room);
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

/* ---- what is asked of a store ---- */

static inline void
count_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    (void)offset;
    assert_true(file[0] != '\0' && what[0] != '\0');
    ++*(uint32_t *)context;
}

static inline enum pb_status
ask(struct store_room *room, struct pb_query *query)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint32_t count = 0;
    enum pb_status status = pb_store_search(room->store, query, &cursor, &room->error);

    while (status == PB_OK) {
        status = pb_cursor_next(cursor, &result, &room->error);
        count += status == PB_OK;
        if (status == PB_OK && (result.read.plate.bytes == 0 || result.read.reader.bytes == 0))
            fail_msg("%s: a result without plate or reader", ops_now);
        assert_true(count <= 4 * OPS_READS);
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

/* Every kind of question, and each also past damage, which then must not fail it. */
static inline enum pb_status
op_ask(struct store_room *room)
{
    static const char *const plates[] = {
        "*",  "P006",        "P158",    "LONGPLATES011", "LONGPLATES159",
        "O3", "TÖALTERNATE", "*ALTER*", "P00?",          ""
    };
    const size_t count = sizeof(plates) / sizeof(plates[0]);
    enum pb_status worst = PB_OK;

    for (size_t i = 0; i < 2 * count + 2; i++) {
        struct pb_query query = room_query(plates[i / 2 % count]);
        struct pb_geo_area *area = NULL;
        uint32_t told = 0;
        enum pb_status status = PB_OK;

        if (query.plate.bytes == 0) {
            assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 378749000, -1224194000,
                                                            30000, &area, &room->error));
            query.area = area;
        }
        if (i >= 2 * count) {
            query.jurisdiction = 2;
            query.from_us = ROOM_START_US + 5000 * ROOM_SECOND_US;
            query.to_us = ROOM_START_US + 9000 * ROOM_SECOND_US;
            query.reader = pb_str_from("gate-2");
        }
        query.on_damage = i % 2 == 0 ? NULL : count_damage;
        query.damage_context = &told;
        status = ask(room, &query);
        pb_geo_area_free(pb_env_system(), area);
        if (status == PB_E_CORRUPT && i % 2 == 1)
            fail_msg("%s past damage: %s", plates[i / 2 % count], room->error.message);
        if (status != PB_OK)
            worst = status;
    }
    return worst;
}

static inline bool
take_plate(void *context, const struct pb_plate_count *plate)
{
    (void)context;
    assert_true(plate->plate.bytes > 0);
    return true;
}

static inline enum pb_status
op_plates(struct store_room *room)
{
    static const char *const patterns[] = { "*", "LONG*", "P0[12]*" };
    enum pb_status worst = PB_OK;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        uint32_t told = 0;
        enum pb_status status = pb_store_plates(room->store, pb_str_from(patterns[i]), 0, false, 0,
                                                take_plate, NULL, NULL, &room->error);

        if (status != PB_OK)
            worst = status;
        status = pb_store_plates(room->store, pb_str_from(patterns[i]), 0, false, 0, take_plate,
                                 count_damage, &told, &room->error);
        if (status == PB_E_CORRUPT)
            fail_msg("plates past damage: %s", room->error.message);
        if (status != PB_OK)
            worst = status;
    }
    return worst;
}

/* The same reads again, and corrections of some. */
static inline enum pb_status
op_append(struct store_room *room)
{
    enum pb_status worst = PB_OK;

    for (uint32_t i = 0; i < OPS_READS; i += 3) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read read = some_read(i, text, alternates);
        enum pb_status answer = PB_E_IO;
        enum pb_status status = PB_OK;

        if (i % 2 == 1 && i % 9 == 0) {
            read.identity_plate = read.plate;
            read.is_correction = true;
            read.revision = 1;
        }
        status = pb_store_append(room->store, &read, 1, &answer, &room->error);
        if (status != PB_OK)
            worst = status;
    }
    return worst;
}

static inline enum pb_status
op_merge(struct store_room *room)
{
    return pb_store_merge(room->store, true, NULL, &room->error);
}

static inline enum pb_status
op_purge(struct store_room *room)
{
    struct pb_purge_counts counts;

    return pb_store_purge(room->store, NULL, &counts, &room->error);
}

static inline int64_t
one_day_more(void *context, const struct pb_read *read)
{
    (void)context;
    assert_true(read->plate.bytes > 0);
    return read->delete_after_us + ROOM_DAY_US;
}

static inline enum pb_status
op_restamp(struct store_room *room)
{
    struct pb_restamp_counts counts;

    return pb_store_restamp(room->store, one_day_more, NULL, NULL, &counts, &room->error);
}

static inline enum pb_status
open_segments(struct store_room *room, struct pb_segment *ret_segments[2])
{
    struct pb_manifest manifest;
    enum pb_status status = PB_OK;

    pb_manifest_init(&manifest, room->env);
    status = pb_manifest_read(&manifest, ROOM_PATH, &room->error);
    for (int i = 0; i < 2 && status == PB_OK; i++)
        status = pb_segment_open(room->env, ROOM_PATH, manifest.store_id, &manifest.segments[i],
                                 &ret_segments[i], &room->error);
    pb_manifest_done(&manifest);
    return status;
}

/* Events, or corrections of plain reads, as a load has them. */
static inline enum pb_status
fill_run(struct pb_run *run, bool with_corrections)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = with_corrections ? 1 : 0; i < OPS_READS && status == PB_OK; i += 2) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read read = some_read(i, text, alternates);

        read.identity_plate = with_corrections ? read.plate : (struct pb_str){ NULL, 0 };
        read.is_correction = with_corrections;
        read.revision += with_corrections;
        status = pb_run_add(run, &read, 0);
    }
    return status;
}

static inline enum pb_status
join_run(struct store_room *room, const struct pb_segment *segment, bool with_corrections)
{
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_load_counts counts = { 0 };
    struct pb_mark_list marks = { 0 };
    struct pb_run *run = NULL;
    bool has_changed = false;
    enum pb_status status = pb_run_new(room->env, &run);

    if (status == PB_OK)
        status = fill_run(run, with_corrections);
    if (status == PB_OK)
        status = pb_run_sort(run, &nobody, &counts);
    if (status == PB_OK)
        status = pb_run_join(run, segment, &nobody, &counts, &marks, &has_changed, &room->error);
    pb_mark_list_done(&marks, room->env);
    pb_run_free(run);
    return status;
}

static inline enum pb_status
find_common(struct store_room *room, const struct pb_segment *segment,
            const struct pb_segment *other)
{
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_load_counts counts = { 0 };
    uint64_t *rows = NULL;
    uint64_t count = 0;
    enum pb_status status = pb_run_common_rows(room->env, segment, other, &nobody, &counts, &rows,
                                               &count, &room->error);

    pb_free(room->env, rows);
    return status;
}

/* What loading asks: which events of a run, and which plain reads, a segment has. */
static inline enum pb_status
op_load(struct store_room *room)
{
    struct pb_segment *segments[2] = { NULL, NULL };
    enum pb_status worst = open_segments(room, segments);

    for (int i = 0; i < 5 && segments[1] != NULL; i++) {
        enum pb_status status =
            i < 2 ? join_run(room, segments[0], i == 1)
                  : find_common(room, segments[i % 2], segments[i == 4 ? 0 : 1 - i % 2]);

        if (status != PB_OK)
            worst = status;
    }
    pb_segment_close(segments[0]);
    pb_segment_close(segments[1]);
    return worst;
}

/* What is told of a segment that goes as a whole: damaged blocks have no reader. */
static inline void
sum_removed(void *context, const struct pb_removed *removed)
{
    uint64_t *sums = context;

    sums[removed->reader.bytes == 0] += removed->reads;
}

static inline enum pb_status
op_removals(struct store_room *room)
{
    struct pb_segment *segments[2] = { NULL, NULL };
    struct pb_removals removals;
    uint64_t sums[2] = { 0, 0 };
    enum pb_status status = open_segments(room, segments);

    pb_removals_init(&removals, room->env);
    if (status == PB_OK)
        status = pb_removals_add_segment(&removals, segments[0]);
    if (status == PB_OK) {
        pb_removals_tell(&removals, sum_removed, sums);
        assert_int_equal(OPS_READS, sums[0] + sums[1]);
    }
    pb_removals_done(&removals);
    pb_segment_close(segments[0]);
    pb_segment_close(segments[1]);
    return status == PB_OK && sums[1] != 0 ? PB_E_CORRUPT : status;
}

static inline enum pb_status
op_verify(struct store_room *room)
{
    struct pb_verify_counts counts;
    uint32_t told = 0;

    enum pb_status status =
        pb_store_verify(room->env, ROOM_PATH, count_damage, &told, NULL, &counts, &room->error);

    if (status != PB_OK)
        return status;
    assert_int_equal(told, counts.damaged);
    return told == 0 ? PB_OK : PB_E_CORRUPT;
}

static const struct {
    enum pb_status (*run)(struct store_room *room);
    const char *name;
    bool changes; /* the store: each begins with its own copy */
} ops[] = {
    { op_ask, "ask", false },        { op_plates, "plates", false },
    { op_load, "load", false },      { op_removals, "removals", false },
    { op_verify, "verify", false },  { op_append, "append", false },
    { op_merge, "merge", true },     { op_purge, "purge", true },
    { op_restamp, "restamp", true },
};
#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

#endif
