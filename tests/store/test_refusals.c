/*
 * What a store refuses, and what it does at its own bounds.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/local/local.h"
#include "store/moves.h"

static void
fill_path(char *path, size_t bytes)
{
    memset(path, 'a', bytes);
    path[bytes] = '\0';
}

static void
paths_that_are_too_long_are_refused(void **state)
{
    static const size_t sizes[] = { PB_PATH_BYTES_MAX - 65, PB_PATH_BYTES_MAX - 64,
                                    PB_PATH_BYTES_MAX, 2 * PB_PATH_BYTES_MAX };
    struct store_room room;
    static char path[2 * PB_PATH_BYTES_MAX + 1];
    struct pb_store *store = NULL;

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fill_path(path, sizes[i]);
        assert_true(pb_store_create(room.env, path, &room.error) != PB_OK);
        assert_true(pb_store_open(room.env, path, NULL, &store, &room.error) != PB_OK);
        assert_null(store);
    }
    room_done(&room);
}

static void
erasures_that_make_no_sense_are_refused(void **state)
{
    static char text[PB_READER_BYTES_MAX + 1];
    const struct pb_erasure cases[] = {
        { .from_us = 5, .to_us = 5 },
        { .from_us = 6, .to_us = 5 },
        { .plate = { text, PB_PLATE_BYTES_MAX + 1 }, .from_us = 0, .to_us = 1 },
        { .reader = { text, PB_READER_BYTES_MAX + 1 }, .from_us = 0, .to_us = 1 },
    };
    struct store_room room;

    (void)state;
    memset(text, 'A', sizeof(text));
    room_init(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(PB_BAD_INPUT, pb_store_erase(room.store, &cases[i], &room.error));
    room_done(&room);
}

static void
an_append_of_nothing_is_nothing(void **state)
{
    struct store_room room;
    struct pb_store_stats stats;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, pb_store_append(room.store, NULL, 0, NULL, &room.error));
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(0, stats.commit);
    room_done(&room);
}

static void
count_told(void *context, const struct pb_removed *removed)
{
    *(uint64_t *)context += removed->reads;
}

/* The buffer has room for 131,072 rows: what comes then flushes it. */
static void
a_full_buffer_is_flushed_by_the_next_append(void **state)
{
    enum { BATCH = PB_APPEND_READS_MAX };
    struct store_room room;
    uint64_t told = 0;
    struct pb_store_options options = { .on_removed = count_told, .removed_context = &told };
    struct pb_read *reads = calloc(BATCH, sizeof(*reads));
    enum pb_status *answers = calloc(BATCH, sizeof(*answers));
    struct pb_store_stats stats;

    (void)state;
    assert_true(reads != NULL && answers != NULL);
    room_init(&room);
    room_close(&room);
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &room.store,
                                          &room.error));
    for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < BATCH; i++) {
            reads[i] = room_read("AB12", "gate-1", batch * BATCH + i);
            if (i == 0)
                reads[i].delete_after_us = room.now_us + ROOM_SECOND_US;
        }
        room_expect(&room, PB_OK,
                    pb_store_append(room.store, reads, BATCH, answers, &room.error), "append");
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        assert_int_equal(batch < 2 ? (batch + 1) * BATCH : BATCH, stats.buffered_reads);
        assert_int_equal(batch < 2 ? 0 : 2, told); /* expired when they were flushed */
        if (batch == 1)
            room.now_us += ROOM_SECOND_US;
    }
    assert_int_equal(3 * BATCH - 2, stats.reads);
    room_reopen(&room);
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(3 * BATCH - 2, stats.reads);
    room_done(&room);
    free(reads);
    free(answers);
}

/* As if there were room for few. */
static void
a_question_that_follows_too_many_plates_is_refused(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("P*");
    struct pb_cursor *cursor = NULL;

    (void)state;
    room_init(&room);
    for (uint32_t i = 0; i < 100; i++) {
        char plate[16];
        struct pb_read read;

        (void)snprintf(plate, sizeof(plate), "P%03u", i);
        read = room_read(plate, "gate-1", (int64_t)i);
        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush(&room);
    room.store->plates_max = 64;
    assert_int_equal(PB_OVER_LIMIT, pb_store_search(room.store, &query, &cursor, &room.error));
    assert_int_equal(PB_OVER_LIMIT, pb_store_search(room.store, &query, &cursor, NULL));
    assert_null(cursor);
    assert_string_equal("plate: more than 64 plates or places fit; narrow the pattern, the area or "
                        "the time",
                        room.error.message);
    assert_int_equal(10, room_count(&room, "P00?"));
    room.store->plates_max = 100;
    assert_int_equal(100, room_count(&room, "P*"));
    room_done(&room);
}

/* ---- care that is stopped or that lacks something ---- */

static bool
refuse(void *context, const char *phase, uint64_t done, uint64_t total)
{
    assert_true(phase[0] != '\0' && done <= total);
    ++*(uint32_t *)context;
    return false;
}

static void
fill(struct store_room *room)
{
    for (int i = 0; i < 3; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(room, &read));
        room_flush(room);
    }
}

static void
a_backup_or_a_check_that_is_stopped_says_that_it_is_not_complete(void **state)
{
    struct store_room room;
    struct pb_store *store = NULL;
    struct pb_verify_counts counts;
    uint32_t reports = 0;
    struct pb_progress progress = { refuse, &reports };

    (void)state;
    room_init(&room);
    fill(&room);
    assert_int_equal(PB_BAD_INPUT,
                     pb_store_backup(room.store, "copy", &progress, &room.error));
    assert_int_equal(1, reports);
    assert_int_equal(PB_E_NOT_STORE,
                     pb_store_open(room.env, "copy", NULL, &store, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_store_verify(room.env, ROOM_PATH, NULL, NULL, &progress,
                                                   &counts, &room.error));
    assert_int_equal(2, reports);
    assert_int_equal(PB_BAD_INPUT, pb_store_restore(room.env, ROOM_PATH, "again", &progress,
                                                    &room.error));
    assert_int_equal(3, room_count(&room, "AB12"));
    room_done(&room);
}

static void
a_restore_of_what_is_no_backup_or_damaged_is_refused(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    fill(&room);
    assert_int_equal(PB_OK, pb_store_backup(room.store, "copy", NULL, &room.error));
    assert_int_equal(PB_E_NOT_STORE,
                     pb_store_restore(room.env, "none", "again", NULL, &room.error));
    assert_true(sim_fs_flip_bit(room.fs, "copy/segments/00000001.seg", 200));
    assert_int_equal(PB_E_CORRUPT,
                     pb_store_restore(room.env, "copy", "again", NULL, &room.error));
    room_done(&room);
}

static enum pb_status
no_link(void *context, const char *from, const char *to, struct pb_error *error)
{
    (void)context;
    return pb_fail(error, PB_E_IO, "%s: no links to %s here", from, to);
}

/* Where there are no hard links files are copied, and a missing one is named. */
static void
a_backup_copies_where_it_cannot_link_and_names_what_is_missing(void **state)
{
    struct store_room room;
    struct pb_file_ops files;
    uint64_t size = 0;

    (void)state;
    room_init(&room);
    fill(&room);
    files = *room.env->files;
    files.link = no_link;
    room.fault.env.files = &files;
    assert_int_equal(PB_OK, pb_store_backup(room.store, "copy", NULL, &room.error));
    assert_true(sim_fs_file_size(room.fs, "copy/segments/00000002.seg", &size));
    assert_int_equal(PB_OK, files.unlink(room.env->file_context, "store/segments/00000002.seg",
                                         NULL));
    assert_int_equal(PB_E_IO, pb_store_backup(room.store, "copy2", NULL, &room.error));
    assert_non_null(strstr(room.error.message, "00000002.seg"));
    room_done(&room);
}

static void
a_store_without_its_directories_is_damaged(void **state)
{
    static const char *const names[] = { "store/tmp", "store/segments" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct store_room room;

        room_init(&room);
        room_close(&room);
        assert_int_equal(PB_OK, room.env->files->rmdir(room.env->file_context, names[i], NULL));
        assert_int_equal(PB_E_CORRUPT, pb_store_open(room.env, ROOM_PATH, NULL, &room.store,
                                                     &room.error));
        assert_non_null(strstr(room.error.message, names[i]));
        room_done(&room);
    }
}

/* One segment that is damaged and has something to purge does not keep others from it. */
static void
a_purge_goes_past_what_is_damaged_and_tells_of_it(void **state)
{
    struct store_room room;
    struct pb_purge_counts counts;
    struct pb_store_stats stats;

    (void)state;
    room_init(&room);
    for (int segment = 0; segment < 3; segment++) {
        for (int i = 0; i < 4; i++) {
            struct pb_read read = room_read("AB12", "gate-1", segment * 10 + i);

            read.delete_after_us = read.captured_at_us + (i % 2 == 0 ? 23 : 24) * 3600
                                                             * ROOM_SECOND_US;
            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        room_flush(&room);
    }
    room_close(&room);
    assert_true(sim_fs_flip_bit(room.fs, "store/segments/00000002.seg", 8 * 30));
    room_open(&room);
    room.now_us = ROOM_START_US + 23 * 3600 * ROOM_SECOND_US + 100 * ROOM_SECOND_US;
    assert_int_equal(PB_E_CORRUPT, pb_store_purge(room.store, NULL, &counts, &room.error));
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(2 + 4 + 2, stats.reads);
    room.now_us += ROOM_DAY_US;
    assert_int_equal(PB_OK, pb_store_purge(room.store, NULL, &counts, &room.error));
    assert_int_equal(8, counts.reads_removed);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_that_are_too_long_are_refused),
        cmocka_unit_test(erasures_that_make_no_sense_are_refused),
        cmocka_unit_test(an_append_of_nothing_is_nothing),
        cmocka_unit_test(a_full_buffer_is_flushed_by_the_next_append),
        cmocka_unit_test(a_question_that_follows_too_many_plates_is_refused),
        cmocka_unit_test(a_backup_or_a_check_that_is_stopped_says_that_it_is_not_complete),
        cmocka_unit_test(a_restore_of_what_is_no_backup_or_damaged_is_refused),
        cmocka_unit_test(a_backup_copies_where_it_cannot_link_and_names_what_is_missing),
        cmocka_unit_test(a_store_without_its_directories_is_damaged),
        cmocka_unit_test(a_purge_goes_past_what_is_damaged_and_tells_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
