/*
 * What begins only with many rows: batches of what two segments have in common, and the reports of
 * a merge, which may be asked to stop.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "store/local/manifest.h"
#include "store/local/run.h"
#include "store/local/segment.h"

#define READS 70000u

/* One large segment, and a small one of the same month. */
static struct sim_fs *
make_store(void)
{
    struct store_room room;
    struct pb_loader *loader = NULL;
    struct pb_read read;
    struct sim_fs *fs = NULL;

    room_init(&room);
    loader = room_loader(&room, 1);
    for (uint32_t i = 0; i < READS; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "P%05u", i % 20000);
        read = room_read(text, "gate-1", i);
        room_expect(&room, PB_OK,
                    pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error), "add");
    }
    room_expect(&room, PB_OK, pb_loader_finish(loader, &room.error), "finish");
    pb_loader_free(loader);
    read = room_read("AB12", "gate-1", 0);
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_flush(&room);
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

static struct sim_fs *large;

static int
make_large(void **state)
{
    (void)state;
    large = make_store();
    return 0;
}

static int
free_large(void **state)
{
    (void)state;
    sim_fs_free(large);
    return 0;
}

static void
all_rows_of_a_segment_are_common_with_itself(void **state)
{
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_load_counts counts = { 0 };
    struct store_room room;
    struct pb_manifest manifest;
    struct pb_segment *segment = NULL;
    uint64_t *rows = NULL;
    uint64_t count = 0;

    (void)state;
    room_init_on(&room, sim_fs_clone(large));
    pb_manifest_init(&manifest, room.env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room.error));
    assert_int_equal(2, manifest.segment_count);
    assert_int_equal(PB_OK, pb_segment_open(room.env, ROOM_PATH, manifest.store_id,
                                            &manifest.segments[0], &segment, &room.error));
    assert_int_equal(PB_OK, pb_run_common_rows(room.env, segment, segment, &nobody, &counts, &rows,
                                               &count, &room.error));
    assert_int_equal(READS, count);
    assert_int_equal(READS, counts.duplicate);
    assert_int_equal(0, counts.conflict);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(i, rows[i]);
    pb_free(room.env, rows);
    pb_segment_close(segment);
    pb_manifest_done(&manifest);
    room_done(&room);
}

#define NOBODY UINT32_MAX

struct seen {
    uint32_t reports, stop_at; /* stop_at 0: never; NOBODY: nobody is told */
    uint64_t done;
};

static bool
note_report(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct seen *seen = context;

    assert_string_equal("merge", phase);
    assert_true(done >= seen->done && done <= total);
    assert_int_equal(READS + 1, total);
    seen->done = done;
    return ++seen->reports != seen->stop_at;
}

static void
a_merge_reports_and_stops_where_it_is_asked_to(void **state)
{
    static const uint32_t stops[] = { 0, 1, NOBODY };

    (void)state;
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        const uint32_t stop_at = stops[i];
        struct seen seen = { .stop_at = stop_at };
        const struct pb_progress progress = { note_report, &seen };
        struct pb_store_stats stats;
        struct store_room room;

        room_init_on(&room, sim_fs_clone(large));
        room_open(&room);
        room_expect(&room, PB_OK,
                    pb_store_merge(room.store, true, stop_at == NOBODY ? NULL : &progress,
                                   &room.error),
                    "merge");
        assert_int_equal(stop_at != NOBODY, seen.reports >= 1);
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(stop_at == 1 ? 2 : 1, stats.segments);
        assert_int_equal(4, room_count(&room, "P00007"));
        assert_int_equal(1, room_count(&room, "AB12"));
        room_done(&room);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_of_a_segment_are_common_with_itself),
        cmocka_unit_test(a_merge_reports_and_stops_where_it_is_asked_to),
    };

    return cmocka_run_group_tests(tests, make_large, free_large);
}
