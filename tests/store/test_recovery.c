/*
 * What a restart makes of the log: each read once, nothing that is none, and no commit's number
 * a second time; and what it does where it cannot.
 */
#include "store/store_room.h"
#include "store/sweep.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "store/local/local.h"

static uint64_t
newest_commit(struct store_room *room)
{
    struct pb_store_stats stats;

    room_expect(room, PB_OK, pb_store_stats(room->store, &stats, &room->error), "stats");
    return stats.commit;
}

/* ---- forged logs ---- */

/* Puts records of one read each into the first log of a store that has none, and closes it. */
static void
forge_log(struct store_room *room, const struct pb_read *reads, uint32_t count)
{
    struct pb_log_end end = { .commit = room->store->commit };
    struct pb_log *log = NULL;

    room_expect(room, PB_OK,
                pb_log_create(room->env, ROOM_PATH, room->store->store_id,
                              room->store->manifest.log_first, &end, &log, &room->error),
                "create a log");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[PB_RECORD_BYTES_MAX];
        struct pb_log_record record = { .commit = end.commit + 1 + i,
                                        .received_at_us = room->now_us,
                                        .payload = bytes,
                                        .count = 1 };

        record.payload_bytes = pb_record_encode(&reads[i], bytes);
        room_expect(room, PB_OK, pb_log_append(log, &record, 1, &room->error), "append");
    }
    pb_log_close(log);
    room_close(room);
}

/* No append writes it so, but what may revise others is judged anew. */
static void
an_event_that_the_log_has_twice_is_there_once(void **state)
{
    struct pb_read reads[3] = { room_event("EVENT", "a", 1), room_read("PLAIN", "gate", 1) };
    struct store_room room;

    (void)state;
    reads[2] = reads[0];
    room_init(&room);
    forge_log(&room, reads, 3);
    room_open(&room);
    assert_int_equal(1, room_count(&room, "EVENT"));
    assert_int_equal(1, room_count_revisions(&room, "EVENT"));
    assert_int_equal(PB_DUPLICATE, room_append(&room, &reads[0]));
    assert_int_equal(PB_DUPLICATE, room_append(&room, &reads[1]));
    assert_int_equal(3, newest_commit(&room));
    room_done(&room);
}

static void
the_first_of_two_reads_that_contradict_each_other_stays(void **state)
{
    struct pb_read reads[2] = { room_event("FIRST", "a", 1), room_event("SECOND", "a", 1) };
    struct store_room room;

    (void)state;
    room_init(&room);
    forge_log(&room, reads, 2);
    room_open(&room);
    assert_int_equal(1, room_count(&room, "FIRST"));
    assert_int_equal(0, room_count_revisions(&room, "SECOND"));
    room_done(&room);
}

/* Its checksum is right, so it was written so: by another program, or by a bug of ours. */
static void
a_log_with_what_is_no_read_does_not_open(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pb_read reads[2] = { room_read("GOOD", "gate", 1), room_read("BAD", "gate", 2) };
        struct pb_log_end end;
        struct store_room room;

        if (i == 0)
            reads[1].lat_e7 = 2000000000;
        else if (i == 1)
            reads[1].lon_e7 = 2000000000;
        room_init(&room);
        end = (struct pb_log_end){ .commit = room.store->commit };
        if (i < 2) {
            forge_log(&room, reads, 2);
        } else {
            static const uint8_t bytes[3] = { 1, 2, 3 }; /* too few for any read */
            struct pb_log_record record = { .commit = end.commit + 1,
                                            .payload = bytes,
                                            .payload_bytes = sizeof(bytes),
                                            .count = 1 };
            struct pb_log *log = NULL;

            assert_int_equal(PB_OK, pb_log_create(room.env, ROOM_PATH, room.store->store_id, 1,
                                                  &end, &log, &room.error));
            assert_int_equal(PB_OK, pb_log_append(log, &record, 1, &room.error));
            pb_log_close(log);
            room_close(&room);
        }
        assert_int_equal(PB_E_CORRUPT,
                         pb_store_open(room.env, ROOM_PATH, NULL, &room.store, &room.error));
        assert_null(room.store);
        assert_string_equal(i < 2 ? "log: read 1 of commit 2 does not decode"
                                  : "log: read 1 of commit 1 does not decode",
                            room.error.message);
        room_done(&room);
    }
}

/* A load takes a number before it writes anything; what the manifest says of it holds, although the
 * log that is left says less. */
static void
no_number_of_a_commit_is_given_again_after_a_restart(void **state)
{
    const struct pb_erasure erasure = { .plate = { "NOBODY", 6 }, .to_us = PB_TIME_MAX_US };
    struct pb_read read = room_read("AB12", "gate", 1);
    struct pb_loader *loader = NULL;
    struct store_room room;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &read));
    loader = room_loader(&room, 1);
    for (int i = 0; i < 8200; i++) { /* too many to be appended */
        read = room_read("CD34", "gate", i);
        room_expect(&room, PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error),
                    "add");
    }
    room.fault.fail_file_mask = FAULT_CREATE;
    room.fault.is_file_failure_lasting = true;
    atomic_store(&room.fault.file_call_count, 0);
    room.fault.fail_file_call_at = 1;
    assert_int_equal(PB_E_IO, pb_loader_finish(loader, &room.error));
    room.fault.fail_file_call_at = 0;
    pb_loader_free(loader);
    assert_int_equal(2, newest_commit(&room));
    room_expect(&room, PB_OK, pb_store_erase(room.store, &erasure, &room.error), "erase");
    room_reopen(&room);
    assert_int_equal(2, newest_commit(&room));
    assert_int_equal(1, room_count(&room, "AB12"));
    read = room_read("EF56", "gate", 1);
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(3, newest_commit(&room));
    room_done(&room);
}

/* ---- many rows ---- */

/* A process that died within a flush leaves the sealed rows and those behind them. */
static void
more_rows_than_the_buffer_keeps_are_flushed_when_the_store_opens(void **state)
{
    enum { BATCH = 8192, BATCHES = PB_BUFFER_ROWS_MAX / BATCH + 1 };
    struct pb_read *reads = pb_calloc(pb_env_system(), BATCH, sizeof(*reads));
    enum pb_status *answers = pb_calloc(pb_env_system(), BATCH, sizeof(*answers));
    struct pb_store_stats stats;
    struct store_room room;

    (void)state;
    assert_true(reads != NULL && answers != NULL);
    room_init(&room);
    room.store->flush_rows = 2 * PB_BUFFER_ROWS_MAX;
    for (int b = 0; b < BATCHES; b++) {
        for (int i = 0; i < BATCH; i++)
            reads[i] = room_read("AB12", "gate", b * BATCH + i);
        room_expect(&room, PB_OK, pb_store_append(room.store, reads, BATCH, answers, &room.error),
                    "append");
    }
    for (int round = 0; round < 2; round++) {
        room_expect(&room, PB_OK, pb_store_stats(room.store, &stats, &room.error), "stats");
        assert_int_equal(BATCHES * BATCH, stats.reads);
        assert_int_equal(round == 0 ? BATCHES * BATCH : 0, stats.buffered_reads);
        assert_int_equal(round, stats.segments);
        room_reopen(&room);
    }
    room_done(&room);
    pb_free(pb_env_system(), reads);
    pb_free(pb_env_system(), answers);
}

/* ---- what fails ---- */

#define EVENTS 300u

/* Events of which every third is in a segment, too, and revised in the log; one is history. */
static struct sim_fs *
make_log(void)
{
    static char ids[EVENTS][16];
    static char readers[EVENTS][64];
    static struct pb_read reads[EVENTS];
    static enum pb_status answers[EVENTS];
    struct store_room room;
    struct sim_fs *fs = NULL;

    room_init(&room);
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t step = pass == 0 ? 3 : 1;

        for (uint32_t i = 0; i < EVENTS / step; i++) {
            (void)snprintf(ids[i], sizeof(ids[i]), "event-%u", i * step);
            (void)snprintf(readers[i], sizeof(readers[i]),
                           "a-reader-with-a-long-name-of-its-own-%u", i * step);
            reads[i] = room_event(pass == 0 ? "OLDER" : "NEWER", ids[i], pass + 1);
            reads[i].reader = pb_str_from(readers[i]);
        }
        room_expect(&room, PB_OK,
                    pb_store_append(room.store, reads, EVENTS / step, answers, &room.error),
                    "append");
        if (pass == 0)
            room_flush(&room);
    }
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

static void
check_events(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    if (status != PB_OK)
        room_open(room);
    assert_int_equal(0, room_count(room, "OLDER"));
    assert_int_equal(EVENTS / 3, room_count_revisions(room, "OLDER"));
    assert_int_equal(EVENTS, room_count(room, "NEWER"));
}

static enum pb_status
act_open(struct store_room *room, void *context)
{
    (void)context;
    return pb_store_open(room->env, ROOM_PATH, NULL, &room->store, &room->error);
}

static void
a_log_that_cannot_be_read_now_can_be_read_again(void **state)
{
    struct sweep sweep = {
        .name = "open with a log", .fs = make_log(), .act = act_open, .check = check_events
    };

    (void)state;
    sweep_all(&sweep);
    sim_fs_free(sweep.fs);
}

static bool
segment_opens(struct store_room *room)
{
    struct pb_manifest manifest;
    struct pb_segment *segment = NULL;
    enum pb_status status = PB_OK;

    pb_manifest_init(&manifest, room->env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room->error));
    status = pb_segment_open(room->env, ROOM_PATH, manifest.store_id, &manifest.segments[0],
                             &segment, &room->error);
    pb_segment_close(segment);
    pb_manifest_done(&manifest);
    return status == PB_OK;
}

/* A segment whose table of events is damaged cannot say whether the log's reads are revisions: the
 * store says so rather than show both. */
static void
a_log_that_cannot_be_judged_does_not_open(void **state)
{
    static const char path[] = ROOM_PATH "/segments/00000001.seg";
    struct sim_fs *whole = make_log();
    uint32_t judged = 0;
    uint64_t size = 0;
    struct store_room room;

    (void)state;
    assert_true(sim_fs_file_size(whole, path, &size));
    for (uint64_t at = 0; at < size; at += 16) {
        enum pb_status status;

        room_init_on(&room, sim_fs_clone(whole));
        assert_true(sim_fs_flip_bit(room.fs, path, 8 * at));
        status = pb_store_open(room.env, ROOM_PATH, NULL, &room.store, &room.error);
        assert_true(status == PB_OK || status == PB_E_CORRUPT);
        judged += status == PB_E_CORRUPT && segment_opens(&room);
        room_done(&room);
    }
    assert_in_range(judged, 1, size / 16);
    sim_fs_free(whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_the_log_has_twice_is_there_once),
        cmocka_unit_test(the_first_of_two_reads_that_contradict_each_other_stays),
        cmocka_unit_test(a_log_with_what_is_no_read_does_not_open),
        cmocka_unit_test(no_number_of_a_commit_is_given_again_after_a_restart),
        cmocka_unit_test(more_rows_than_the_buffer_keeps_are_flushed_when_the_store_opens),
        cmocka_unit_test(a_log_that_cannot_be_read_now_can_be_read_again),
        cmocka_unit_test(a_log_that_cannot_be_judged_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
