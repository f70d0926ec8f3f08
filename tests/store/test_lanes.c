/*
 * Lanes of a stage by themselves: a row comes back as the read that it was, a stage says when it is
 * full, and what cannot be written leaves no file.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/local/stage.h"
#include "store/local/stage_private.h"

static const uint8_t store_id[PB_STORE_ID_BYTES] = "a stage's test";

static struct sim_fs *
make_disk(void)
{
    static const char *const paths[] = { ROOM_PATH, ROOM_PATH "/segments", ROOM_PATH "/tmp" };
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_int_equal(PB_OK, env.files->mkdir(env.file_context, paths[i], NULL));
    return fs;
}

/* ---- rows ---- */

#define UNITS 100u

/* Reads of one that drives about: at first it seems to stand at many places, then each read differs
 * from the first in one thing only. */
static struct pb_read
unit_read(uint32_t i)
{
    struct pb_read read = room_read("AB12", "unit-1", i);

    if (i < 60)
        read.heading_cdeg = (uint16_t)(100 * i);
    switch (i < 60 ? 0 : i % 5) {
    case 1: read.lat_e7 += 7; break;
    case 2: read.lon_e7 += 7; break;
    case 3: read.heading_cdeg = 4500; break;
    case 4: read.is_superseded = true; break;
    default: break;
    }
    if (i % 7 == 6)
        read.revision = i;
    return read;
}

static void
a_row_comes_back_as_the_read_that_it_was(void **state)
{
    static const size_t batches[] = { 1, 15, 16, 17, 33, UNITS };
    static struct pb_read reads[UNITS];

    (void)state;
    for (uint32_t i = 0; i < UNITS; i++)
        reads[i] = unit_read(i);
    for (size_t b = 0; b < sizeof(batches) / sizeof(batches[0]); b++) {
        struct fault_env fault;
        struct pb_stage *stage = NULL;
        struct pb_run *run = NULL;

        fault_env_init(&fault, pb_env_system());
        assert_int_equal(PB_OK, pb_stage_new(&fault.env, ROOM_PATH, 1, 1, 1 << 20, &stage));
        for (size_t at = 0; at < UNITS; at += batches[b]) {
            size_t count = UNITS - at < batches[b] ? UNITS - at : batches[b];

            assert_int_equal(PB_OK, pb_stage_add(stage, 0, reads + at, count, NULL));
        }
        assert_int_equal(UNITS, pb_stage_rows(stage));
        assert_int_equal(PB_OK, pb_stage_run(stage, 0, &run));
        for (uint32_t i = 0; i < UNITS; i++) {
            struct pb_run_room room;
            struct pb_read found;

            pb_run_read(run, i, &room, &found);
            assert_true(pb_read_same_content(&reads[i], &found));
            assert_int_equal(reads[i].is_superseded, found.is_superseded);
        }
        pb_run_free(run);
        pb_stage_free(stage);
        assert_true(fault_env_is_clean(&fault));
    }
}

/* ---- fullness ---- */

static void
add_rows(struct pb_stage *stage, unsigned lane, uint32_t count, uint32_t plates)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        struct pb_read read;

        (void)snprintf(text, sizeof(text), "%06X", i % plates * 777);
        read = room_read(text, "gate-1", i);
        read.captured_at_us += (int64_t)(i % 2) * 40 * ROOM_DAY_US;
        assert_int_equal(PB_OK, pb_stage_add(stage, lane, &read, 1, NULL));
    }
}

static void
a_stage_says_when_it_is_full(void **state)
{
    enum { ROWS = 60000 };
    static const struct {
        const char *name;
        size_t memory_bytes;
        uint32_t plates;
        uint64_t rows_before; /* as if so many had come */
        bool is_full;
    } cases[] = {
        { "of few rows", (size_t)1 << 30, 20000, 0, false },
        { "of few rows, with more memory than there is", (size_t)1 << 44, 20000, 0, false },
        { "of one plate, with memory", (size_t)1 << 30, 1, 0, false },
        { "of one plate, whose rows take half the memory to sort", (size_t)4 << 20, 1, 0, true },
        { "of as many plates, whose rows do not", (size_t)16 << 20, 20000, 0, false },
        { "of as many rows as a segment may have", (size_t)1 << 30, 20000,
          PB_SEGMENT_ROWS_MAX - ROWS, true },
        { "of fewer", (size_t)1 << 30, 20000, PB_SEGMENT_ROWS_MAX - 2 * ROWS, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_fs *fs = make_disk();
        struct pb_env env = sim_fs_env(fs);
        struct pb_stage *stage = NULL;

        assert_int_equal(PB_OK,
                         pb_stage_new(&env, ROOM_PATH, 1, 1, cases[i].memory_bytes, &stage));
        atomic_store(&stage->rows, cases[i].rows_before);
        assert_false(pb_stage_is_full(stage));
        add_rows(stage, 0, ROWS, cases[i].plates);
        if (pb_stage_is_full(stage) != cases[i].is_full)
            fail_msg("a stage %s", cases[i].name);
        pb_stage_free(stage);
        sim_fs_free(fs);
    }
}

/* ---- writing ---- */

static struct {
    uint64_t numbers;
    uint32_t parts_until_failure; /* 0: none fails */
} target_state;

static uint64_t
take_number(void *context)
{
    (void)context;
    return ++target_state.numbers;
}

static enum pb_status
judge(void *context, struct pb_run *part, struct pb_error *error)
{
    (void)context;
    (void)part;
    (void)error;
    if (target_state.parts_until_failure != 0 && --target_state.parts_until_failure == 0)
        return PB_E_IO;
    return PB_OK;
}

static enum pb_status
write_stage(struct pb_stage *stage, struct pb_segment_entry **ret_entries, uint32_t *ret_count)
{
    static const struct pb_run_commit commit = { .commit = 7, .received_us = ROOM_START_US };
    const struct pb_stage_target target = { .run = { .directory = ROOM_PATH,
                                                     .store_id = store_id,
                                                     .memory_bytes = 1 << 20,
                                                     .commits = &commit,
                                                     .commit_count = 1 },
                                            .take_number = take_number,
                                            .judge = judge };

    target_state.numbers = 0;
    return pb_stage_write(stage, &target, ret_entries, ret_count, NULL);
}

static void
fail_on_segment(void *context, const char *path, uint64_t size)
{
    (void)context;
    (void)size;
    if (strstr(path, ".seg") != NULL)
        fail_msg("%s is left", path);
}

static void
parts_of_any_size_are_written_and_none_where_one_fails(void **state)
{
    static const struct {
        uint32_t rows, plates;
    } cases[] = {
        { 100, 100 },
        { 80000, 1 },      /* one part, and nothing but empty buckets behind it */
        { 300000, 20000 }, /* more parts than are sorted at one time */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t failure = 0; failure < 3; failure++) {
            struct sim_fs *fs = make_disk();
            struct pb_env env = sim_fs_env(fs);
            struct pb_segment_entry *entries = NULL;
            struct pb_stage *stage = NULL;
            uint64_t rows = 0;
            uint32_t count = 0;
            enum pb_status status = PB_OK;

            assert_int_equal(PB_OK,
                             pb_stage_new(&env, ROOM_PATH, 1, 1, (size_t)1 << 30, &stage));
            add_rows(stage, 0, cases[i].rows, cases[i].plates);
            target_state.parts_until_failure = failure;
            status = write_stage(stage, &entries, &count);
            assert_int_equal(failure == 0 ? PB_OK : PB_E_IO, status);
            if (status == PB_OK)
                assert_int_equal(2, count); /* months */
            else
                sim_fs_each_file(fs, fail_on_segment, NULL);
            for (uint32_t e = 0; e < count; e++)
                rows += entries[e].rows;
            assert_int_equal(failure == 0 ? cases[i].rows : 0, rows);
            pb_free(&env, entries);
            pb_stage_free(stage);
            sim_fs_free(fs);
        }
    }
}

static void
events_are_written_like_others_where_none_is_suspected(void **state)
{
    enum { EVENTS = 100 };
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_segment_entry *entries = NULL;
    struct pb_stage *stage = NULL;
    uint32_t count = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_stage_new(&env, ROOM_PATH, 1, 1, 1 << 20, &stage));
    for (uint32_t i = 0; i < EVENTS; i++) {
        char id[16];
        struct pb_read read = room_event("AB12", "", 0);

        (void)snprintf(id, sizeof(id), "E%u", i);
        read.event_id = pb_str_from(id);
        assert_int_equal(PB_OK, pb_stage_add(stage, 0, &read, 1, NULL));
    }
    assert_int_equal(EVENTS, pb_stage_events(stage));
    target_state.parts_until_failure = 0;
    assert_int_equal(PB_OK, write_stage(stage, &entries, &count));
    assert_int_equal(1, count);
    assert_int_equal(EVENTS, entries[0].rows);
    pb_free(&env, entries);
    pb_stage_free(stage);
    sim_fs_free(fs);
}

/* Two lanes, two months, and rows of which some went to a file. */
static bool
write_with_fault(bool is_allocation, uint64_t at)
{
    struct sim_fs *fs = make_disk();
    struct pb_env base = sim_fs_env(fs);
    struct pb_segment_entry *entries = NULL;
    struct pb_stage *stage = NULL;
    struct fault_env fault;
    uint32_t count = 0;
    bool has_failed = false;
    enum pb_status status = PB_OK;

    fault_env_init(&fault, &base);
    assert_int_equal(PB_OK, pb_stage_new(&fault.env, ROOM_PATH, 1, 2, 1, &stage));
    add_rows(stage, 0, PB_STAGE_FEW_ROWS + 2000, 20);
    add_rows(stage, 1, 100, 20);
    assert_true(stage->lanes[0].bins.file_bytes != 0);
    fault.fail_allocation_at = is_allocation ? fault.allocation_count + at : 0;
    fault.fail_file_call_at = is_allocation ? 0 : fault.file_call_count + at;
    target_state.parts_until_failure = 0;
    status = write_stage(stage, &entries, &count);
    has_failed = fault.failure_count != 0;
    if (has_failed)
        assert_int_equal(is_allocation ? PB_E_NOMEM : PB_E_IO, status);
    else
        assert_int_equal(PB_OK, status);
    if (status != PB_OK)
        sim_fs_each_file(fs, fail_on_segment, NULL);
    else
        assert_int_equal(2, count);
    pb_free(&fault.env, entries);
    pb_stage_free(stage);
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
    return has_failed;
}

static void
a_stage_that_cannot_be_written_leaves_no_file(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        uint64_t at = 1;

        while (write_with_fault(kind == 0, at))
            at++;
        assert_in_range(at, 10, 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_comes_back_as_the_read_that_it_was),
        cmocka_unit_test(a_stage_says_when_it_is_full),
        cmocka_unit_test(parts_of_any_size_are_written_and_none_where_one_fails),
        cmocka_unit_test(events_are_written_like_others_where_none_is_suspected),
        cmocka_unit_test(a_stage_that_cannot_be_written_leaves_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
