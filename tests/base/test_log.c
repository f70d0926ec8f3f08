/*
 * Log: what was acknowledged is found again after every kind of end, and damage to it is told
 * from a torn tail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/log_format.h"
#include "base/text.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define COMMITS_MAX 256u
#define SENDINGS_MAX 8u /* of one commit number, after losses */
#define PAYLOAD_BYTES_MAX 1500u

static const uint8_t store_id[PB_STORE_ID_BYTES] = "synthetic store";

/* ---- a driver that remembers what it sent, what was answered, and what was seen ---- */

/* Payloads follow from (commit, sending), so that only numbers need to be remembered. */
struct ledger {
    uint32_t sendings[COMMITS_MAX]; /* how often this commit number was used */
    uint32_t kept[COMMITS_MAX];     /* the sending that must be there for good; 0: none yet */
    uint64_t first;                 /* first log that counts */
    uint64_t commits_before;        /* commits up to here are in segments */
};

struct replayed {
    const struct ledger *ledger;
    uint32_t sending[COMMITS_MAX]; /* found; 0: not */
    uint64_t newest;
    uint64_t count;
};

static uint32_t
next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static size_t
make_payload(uint64_t commit, uint32_t sending, uint8_t *bytes)
{
    uint64_t seed = commit * 1000 + sending;
    size_t count = 1;

    /* Some commits span sectors and pages, most do not. */
    count += next_random(&seed) % (commit % 5 == 0 ? PAYLOAD_BYTES_MAX - 1 : 90);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    return count;
}

static enum pb_status
check_record(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    struct replayed *replayed = context;
    uint8_t expected[PAYLOAD_BYTES_MAX];

    (void)error;
    assert_true(record->commit > replayed->newest && record->commit < COMMITS_MAX);
    assert_int_equal(1, record->count);
    assert_int_equal((int64_t)record->commit * 7 - 100, record->received_at_us);
    for (uint32_t sending = 1; sending <= replayed->ledger->sendings[record->commit]; sending++) {
        size_t bytes = make_payload(record->commit, sending, expected);

        if (bytes == record->payload_bytes && memcmp(expected, record->payload, bytes) == 0)
            replayed->sending[record->commit] = sending;
    }
    assert_int_not_equal(0, replayed->sending[record->commit]); /* else it was never sent */
    replayed->newest = record->commit;
    replayed->count++;
    return PB_OK;
}

static void
replay_and_check(const struct pb_env *env, const struct ledger *ledger, struct replayed *replayed,
                 struct pb_log_end *end)
{
    struct pb_error error = { .message = "" };
    enum pb_status status;

    memset(replayed, 0, sizeof(*replayed));
    replayed->ledger = ledger;
    status = pb_log_replay(env, "store", store_id, ledger->first, check_record, replayed, end,
                           &error);
    if (status != PB_OK)
        fail_msg("replay: %s: %s", pb_status_name(status), error.message);
    for (uint64_t commit = ledger->commits_before + 1; commit < COMMITS_MAX; commit++) {
        if (ledger->kept[commit] != 0)
            assert_int_equal(ledger->kept[commit], replayed->sending[commit]);
    }
}

/* Appends a group of commits; they are kept where it succeeds. */
static enum pb_status
append_group(struct pb_log *log, struct ledger *ledger, uint64_t *commit, size_t count)
{
    static uint8_t payloads[4][PAYLOAD_BYTES_MAX];
    struct pb_log_record records[4];
    enum pb_status status;

    for (size_t i = 0; i < count; i++) {
        uint64_t number = *commit + 1 + i;
        uint32_t sending = ++ledger->sendings[number];

        assert_true(number < COMMITS_MAX && sending < SENDINGS_MAX);
        records[i] = (struct pb_log_record){
            .commit = number,
            .received_at_us = (int64_t)number * 7 - 100,
            .payload = payloads[i],
            .payload_bytes = make_payload(number, sending, payloads[i]),
            .count = 1,
        };
    }
    status = pb_log_append(log, records, count, NULL);
    if (status == PB_OK) {
        for (size_t i = 0; i < count; i++)
            ledger->kept[*commit + 1 + i] = ledger->sendings[*commit + 1 + i];
        *commit += count;
    }
    return status;
}

/*
 * One life of the store: replays, makes the next log, appends groups, and rotates once with
 * a flush. Ends at the first failure. What a life has seen is answered for from its first log on.
 */
static void
live(const struct pb_env *env, struct ledger *ledger, size_t groups, bool is_rotating)
{
    struct replayed replayed;
    struct pb_log_end end = { .number = 0 };
    struct pb_log *log = NULL;
    struct pb_log *next = NULL;
    uint64_t commit;
    enum pb_status status;

    replay_and_check(env, ledger, &replayed, &end);
    commit = end.commit > ledger->commits_before ? end.commit : ledger->commits_before;
    if (end.number == 0)
        end.commit = commit;
    status = pb_log_create(env, "store", store_id,
                           end.number >= ledger->first ? end.number + 1 : ledger->first, &end,
                           &log, NULL);
    if (status != PB_OK)
        return;
    for (uint64_t i = 1; i < COMMITS_MAX; i++) {
        if (ledger->kept[i] == 0)
            ledger->kept[i] = replayed.sending[i];
    }
    for (size_t i = 0; i < groups; i++) {
        if (append_group(log, ledger, &commit, 1 + i % 3) != PB_OK)
            break;
        if (!is_rotating || i != groups / 2)
            continue;
        pb_log_end_of(log, &end);
        if (pb_log_create(env, "store", store_id, end.number + 1, &end, &next, NULL) != PB_OK)
            break;
        pb_log_close(log);
        log = next;
        next = NULL;
        if (commit % 2 == 0) { /* as if a manifest with this log_first had been written */
            ledger->first = end.number + 1;
            ledger->commits_before = end.commit;
            pb_log_delete_below(env, "store", ledger->first);
        }
    }
    pb_log_close(log);
}

static struct sim_fs *
make_disk(void)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);

    assert_int_equal(PB_OK, env.files->mkdir(env.file_context, "store", NULL));
    assert_int_equal(PB_OK, env.files->mkdir(env.file_context, "store/log", NULL));
    assert_int_equal(PB_OK, env.files->sync_directory(env.file_context, "store", NULL));
    assert_int_equal(PB_OK, env.files->sync_directory(env.file_context, "", NULL));
    sim_fs_process_end(fs); /* calls are counted from here */
    return fs;
}

static struct ledger
new_ledger(void)
{
    return (struct ledger){ .first = 1 };
}

static uint64_t
count_damage(const struct pb_env *env, const struct ledger *ledger)
{
    struct pb_verify_counts counts = { 0 };

    assert_int_equal(PB_OK, pb_log_verify(env, "store", store_id, ledger->first, NULL, NULL,
                                          &counts, NULL));
    return counts.damaged;
}

/* ---- ends of every kind ---- */

static void
acknowledged_records_are_replayed_in_order(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();
    struct pb_verify_counts counts = { 0 };
    struct replayed replayed;
    struct pb_log_end end;

    (void)state;
    live(&env, &ledger, 7, false);
    live(&env, &ledger, 7, false);
    replay_and_check(&env, &ledger, &replayed, &end);
    assert_int_equal(2 * 13, replayed.count);
    assert_int_equal(2, end.number);
    assert_int_equal(26, end.commit);
    assert_int_equal(end.bytes, end.durable_bytes);
    assert_int_equal(26, end.durable_commit);
    assert_int_equal(PB_OK, pb_log_verify(&env, "store", store_id, 1, NULL, NULL, &counts, NULL));
    assert_int_equal(3, counts.files); /* two logs and the mark */
    assert_int_equal(26, counts.blocks);
    assert_int_equal(26, counts.reads);
    assert_int_equal(0, counts.damaged);
    sim_fs_free(fs);
}

static void
power_cuts_lose_nothing_and_look_like_no_damage(void **state)
{
    static const unsigned damages[] = { 0, SIM_FS_ANY_ENTRIES, SIM_FS_GARBAGE,
                                        SIM_FS_ANY_ENTRIES | SIM_FS_GARBAGE };
    uint64_t runs = 0;

    (void)state;
    for (uint64_t call = 1;; call++) {
        bool is_over = false;

        for (uint64_t seed = 0; seed < 96; seed++) {
            struct sim_fs *fs = make_disk();
            struct pb_env env = sim_fs_env(fs);
            struct ledger ledger = new_ledger();
            struct replayed replayed;
            struct pb_log_end end;

            sim_fs_set_damage(fs, damages[seed % 4]);
            live(&env, &ledger, 3, false);
            sim_fs_process_end(fs);
            sim_fs_cut_after(fs, call);
            live(&env, &ledger, 6, true);
            is_over = !sim_fs_is_cut(fs);
            sim_fs_power_cut(fs, call * 1000 + seed);
            assert_int_equal(0, count_damage(&env, &ledger));
            /* Cut again while recovering, then live on. */
            sim_fs_cut_after(fs, 1 + seed % 12);
            live(&env, &ledger, 3, false);
            sim_fs_power_cut(fs, seed);
            live(&env, &ledger, 3, false);
            sim_fs_power_cut(fs, seed + 1);
            replay_and_check(&env, &ledger, &replayed, &end);
            assert_int_equal(0, count_damage(&env, &ledger));
            assert_int_equal(0, sim_fs_open_count(fs));
            assert_int_equal(0, sim_fs_map_count(fs));
            sim_fs_free(fs);
            runs++;
        }
        if (is_over)
            break;
    }
    assert_in_range(runs, 2000, 100000);
}

/* The page cache survives a process, so more is seen than was synced; and the power may
 * fail after that was shown. */
static void
what_a_restart_has_shown_survives_the_next_power_cut(void **state)
{
    (void)state;
    for (uint64_t call = 1; call < 60; call++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            struct sim_fs *fs = make_disk();
            struct pb_env env = sim_fs_env(fs);
            struct ledger ledger = new_ledger();

            live(&env, &ledger, 3, false);
            sim_fs_process_end(fs);
            sim_fs_cut_after(fs, call); /* here: the process dies within that call */
            live(&env, &ledger, 6, true);
            sim_fs_process_end(fs);
            live(&env, &ledger, seed % 3, false);
            sim_fs_power_cut(fs, seed);
            live(&env, &ledger, 2, false);
            assert_int_equal(0, count_damage(&env, &ledger));
            sim_fs_free(fs);
        }
    }
}

/* After a failed sync the system shows bytes that no later sync writes. */
static void
what_a_failed_sync_left_is_written_again_before_it_is_answered_for(void **state)
{
    uint64_t carried = 0;

    (void)state;
    for (uint64_t sync = 1; sync < 12; sync++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct sim_fs *fs = make_disk();
            struct pb_env env = sim_fs_env(fs);
            struct ledger ledger = new_ledger();
            struct pb_log_end end;
            struct replayed replayed;

            live(&env, &ledger, 2, false);
            sim_fs_fail_sync_at(fs, sync);
            live(&env, &ledger, 6, true);
            sim_fs_process_end(fs);
            replay_and_check(&env, &ledger, &replayed, &end);
            carried += end.durable_bytes < end.bytes;
            live(&env, &ledger, 1, false);
            sim_fs_power_cut(fs, seed);
            live(&env, &ledger, 2, false);
            sim_fs_power_cut(fs, seed);
            replay_and_check(&env, &ledger, &replayed, &end);
            assert_int_equal(0, count_damage(&env, &ledger));
            sim_fs_free(fs);
        }
    }
    assert_true(carried > 0); /* else this proves nothing */
}

static void
a_full_disk_poisons_the_log_and_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t capacity = 100; capacity < 6000; capacity += 97) {
        struct sim_fs *fs = make_disk();
        struct pb_env env = sim_fs_env(fs);
        struct ledger ledger = new_ledger();

        sim_fs_set_capacity(fs, capacity);
        live(&env, &ledger, 6, true);
        sim_fs_process_end(fs);
        sim_fs_set_capacity(fs, 0);
        live(&env, &ledger, 2, false);
        sim_fs_power_cut(fs, capacity);
        live(&env, &ledger, 2, false);
        assert_int_equal(0, count_damage(&env, &ledger));
        sim_fs_free(fs);
    }
}

/* ---- damage ---- */

static enum pb_status
count_record(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    uint64_t *count = context;

    (void)record;
    (void)error;
    (*count)++;
    return PB_OK;
}

static enum pb_status
replay_status(const struct pb_env *env, struct pb_error *error)
{
    struct pb_log_end end;
    uint64_t count = 0;

    return pb_log_replay(env, "store", store_id, 1, count_record, &count, &end, error);
}

/* Two logs; the second one ends with an acknowledged record, which only the mark tells. */
static struct sim_fs *
make_two_logs(void)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();

    live(&env, &ledger, 3, false);
    live(&env, &ledger, 4, false);
    sim_fs_process_end(fs);
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    return fs;
}

static void
remove_file(const struct pb_env *env, const char *path)
{
    assert_int_equal(PB_OK, env->files->unlink(env->file_context, path, NULL));
}

/* Writes over bytes of a file, in the running system's view. */
static void
overwrite(const struct pb_env *env, const char *path, uint64_t offset, const void *bytes,
          size_t count)
{
    struct pb_file *file = NULL;

    assert_int_equal(PB_OK, env->files->open(env->file_context, path, PB_OPEN_WRITE, &file, NULL));
    assert_int_equal(PB_OK, env->files->write(env->file_context, file, offset, bytes, count,
                                              NULL));
    env->files->close(env->file_context, file);
}

static void
every_flipped_bit_of_what_was_acknowledged_is_found(void **state)
{
    static const char *const paths[] = { "store/log/1.log", "store/log/2.log" };
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t size = 0;

        assert_true(sim_fs_file_size(fs, paths[i], &size));
        for (uint64_t bit = 0; bit < size * 8; bit++) {
            enum pb_status status;

            assert_true(sim_fs_flip_bit(fs, paths[i], bit));
            status = replay_status(&env, NULL);
            if (status != PB_E_CORRUPT)
                fail_msg("bit %" PRIu64 " of %s: %s", bit, paths[i], pb_status_name(status));
            assert_in_range(count_damage(&env, &ledger), 1, 3);
            assert_true(sim_fs_flip_bit(fs, paths[i], bit));
        }
    }
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    sim_fs_free(fs);
}

static void
every_truncation_and_zeroed_sector_is_found(void **state)
{
    static const char *const paths[] = { "store/log/1.log", "store/log/2.log" };
    struct sim_fs *fs = make_two_logs();
    struct ledger ledger = new_ledger();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t size = 0;

        assert_true(sim_fs_file_size(fs, paths[i], &size));
        for (uint64_t cut = 0; cut < size; cut++) {
            struct sim_fs *copy = sim_fs_clone(fs);
            struct pb_env env = sim_fs_env(copy);

            assert_true(sim_fs_truncate(copy, paths[i], cut));
            assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
            assert_true(count_damage(&env, &ledger) > 0);
            sim_fs_free(copy);
        }
        for (uint64_t offset = 0; offset < size; offset += 512) {
            struct sim_fs *copy = sim_fs_clone(fs);
            struct pb_env env = sim_fs_env(copy);

            assert_true(sim_fs_zero(copy, paths[i], offset,
                                    size - offset < 512 ? size - offset : 512));
            assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
            sim_fs_free(copy);
        }
    }
    sim_fs_free(fs);
}

static void
without_the_mark_only_the_last_append_may_go_unnoticed(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();
    struct replayed replayed;
    struct pb_log_end end;
    uint64_t size = 0;

    (void)state;
    for (size_t i = 1; i < COMMITS_MAX; i++)
        ledger.sendings[i] = 1;
    remove_file(&env, "store/acked");
    replay_and_check(&env, &ledger, &replayed, &end);
    assert_true(end.durable_bytes < end.bytes); /* so the next log would carry it */
    assert_true(sim_fs_file_size(fs, "store/log/2.log", &size));
    for (uint64_t bit = 0; bit < size * 8; bit += 3) {
        enum pb_status status;

        assert_true(sim_fs_flip_bit(fs, "store/log/2.log", bit));
        status = replay_status(&env, NULL);
        assert_int_equal(bit / 8 < end.durable_bytes ? PB_E_CORRUPT : PB_OK, status);
        assert_true(sim_fs_flip_bit(fs, "store/log/2.log", bit));
    }
    sim_fs_free(fs);
}

static void
a_missing_log_is_named(void **state)
{
    static const struct { const char *path, *words; } cases[] = {
        { "store/log/1.log", "log/1.log: byte 0: the log is missing; log 2 follows it" },
        { "store/log/2.log", "log/2.log: byte 0: the log is missing; the mark says" },
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sim_fs *fs = make_two_logs();
        struct pb_env env = sim_fs_env(fs);
        struct ledger ledger = new_ledger();
        struct pb_error error = { .message = "" };

        remove_file(&env, cases[i].path);
        assert_int_equal(PB_E_CORRUPT, replay_status(&env, &error));
        if (strstr(error.message, cases[i].words) == NULL)
            fail_msg("%s", error.message);
        assert_int_equal(1, count_damage(&env, &ledger));
        sim_fs_free(fs);
    }
}

static void
a_log_that_is_missing_between_others_is_named(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_log *log = NULL;
    struct pb_log_end end;
    uint64_t count = 0;

    (void)state;
    assert_int_equal(PB_OK,
                     pb_log_replay(&env, "store", store_id, 1, count_record, &count, &end, NULL));
    assert_int_equal(PB_OK, pb_log_create(&env, "store", store_id, 3, &end, &log, NULL));
    pb_log_close(log);
    remove_file(&env, "store/log/2.log");
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, &error));
    assert_non_null(strstr(error.message, "log/2.log: byte 0: the log is missing; log 3 follows"));
    sim_fs_free(fs);
}

static void
logs_that_do_not_count_any_more_are_not_looked_at(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end end;
    uint64_t count = 0;

    (void)state;
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", 20 * 8));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    assert_int_equal(PB_OK,
                     pb_log_replay(&env, "store", store_id, 2, count_record, &count, &end, NULL));
    assert_int_equal(2, end.number);
    assert_int_equal(7, count);
    sim_fs_free(fs);
}

static void
all_logs_missing_is_told_from_a_new_store(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end end = { .number = 99 };
    uint64_t count = 0;

    (void)state;
    remove_file(&env, "store/log/1.log");
    remove_file(&env, "store/log/2.log");
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    /* Flushed: the manifest says that log 3 is the first. */
    assert_int_equal(PB_OK, pb_log_replay(&env, "store", store_id, 3, count_record, &count, &end,
                                          NULL));
    assert_int_equal(0, end.number);
    sim_fs_free(fs);

    fs = make_disk();
    env = sim_fs_env(fs);
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    sim_fs_free(fs);
}

static void
a_bad_mark_does_not_keep_the_store_shut_but_is_reported(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();

    (void)state;
    for (uint64_t bit = 0; bit < 64 * 8; bit++) {
        assert_true(sim_fs_flip_bit(fs, "store/acked", bit));
        assert_int_equal(PB_OK, replay_status(&env, NULL));
        assert_int_equal(1, count_damage(&env, &ledger));
        assert_true(sim_fs_flip_bit(fs, "store/acked", bit));
    }
    assert_true(sim_fs_truncate(fs, "store/acked", 40));
    assert_int_equal(1, count_damage(&env, &ledger));
    assert_true(sim_fs_truncate(fs, "store/acked", 0));
    assert_int_equal(0, count_damage(&env, &ledger));
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    /* The next log mends it. */
    for (size_t i = 1; i < COMMITS_MAX; i++)
        ledger.sendings[i] = 1;
    overwrite(&env, "store/acked", 64, "", 1);
    assert_int_equal(1, count_damage(&env, &ledger));
    live(&env, &ledger, 1, false);
    assert_int_equal(0, count_damage(&env, &ledger));
    sim_fs_free(fs);
}

static void
a_log_of_another_store_is_refused(void **state)
{
    static const uint8_t other_id[PB_STORE_ID_BYTES] = "another store";
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_log_end end;
    uint64_t count = 0;

    (void)state;
    assert_int_equal(PB_E_CORRUPT, pb_log_replay(&env, "store", other_id, 1, count_record, &count,
                                                 &end, &error));
    assert_non_null(strstr(error.message, "another store"));
    assert_int_equal(0, count);
    sim_fs_free(fs);
}

static void
a_record_moved_to_another_log_is_refused(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);

    (void)state;
    remove_file(&env, "store/log/2.log");
    assert_int_equal(PB_OK, env.files->link(env.file_context, "store/log/1.log",
                                            "store/log/2.log", NULL));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    sim_fs_free(fs);
}

static void
a_later_version_is_told_from_damage(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();
    struct pb_log_header header = { .number = 1, .synced_bytes = PB_LOG_HEADER_BYTES };
    uint8_t bytes[PB_LOG_HEADER_BYTES];

    (void)state;
    pb_log_header_encode(&header, store_id, bytes);
    overwrite(&env, "store/log/1.log", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_OK, replay_status(&env, NULL)); /* the same header as before */
    bytes[8] = 2;
    overwrite(&env, "store/log/1.log", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    pb_put_le64(bytes + 88, pb_hash_bytes(bytes, 88));
    overwrite(&env, "store/log/1.log", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_E_VERSION, replay_status(&env, NULL));
    assert_int_equal(1, count_damage(&env, &ledger));
    sim_fs_free(fs);
}

/* Headers with right checksums that contradict the file that they are in or the chain. */
static void
a_header_that_contradicts_the_chain_is_refused(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct ledger ledger = new_ledger();
    struct pb_log_end end;
    uint64_t count = 0, size = 0;
    struct pb_log_header good;
    uint8_t bytes[PB_LOG_HEADER_BYTES];

    (void)state;
    assert_true(sim_fs_file_size(fs, "store/log/1.log", &size));
    good = (struct pb_log_header){ 2, 1, size, 6, PB_LOG_HEADER_BYTES };
    const struct pb_log_header headers[] = {
        { 3, 1, size, 6, 96 },      /* number of another file */
        { 2, 0, 0, 6, 96 },         /* no log before, but there is one */
        { 2, 1, size - 1, 6, 96 },  /* ends within a record */
        { 2, 1, size + 1, 6, 96 },  /* ends behind the file */
        { 2, 1, 96, 0, 96 },        /* ends before records that were synced */
        { 2, 1, size, 5, 96 },      /* another commit */
        { 2, 1, size, 6, 1 },       /* impossible */
        { 2, 1, size, 6, 1 << 20 }, /* synced behind its end */
        { 2, 2, size, 6, 96 },      /* follows itself */
    };

    pb_log_header_encode(&good, store_id, bytes);
    overwrite(&env, "store/log/2.log", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        pb_log_header_encode(&headers[i], store_id, bytes);
        overwrite(&env, "store/log/2.log", 0, bytes, sizeof(bytes));
        if (replay_status(&env, NULL) != PB_E_CORRUPT)
            fail_msg("header %zu was taken", i);
        assert_in_range(count_damage(&env, &ledger), 1, 4);
    }
    /* The first log that counts must not follow one that counts and is not there. */
    pb_log_header_encode(&good, store_id, bytes);
    overwrite(&env, "store/log/2.log", 0, bytes, sizeof(bytes));
    remove_file(&env, "store/log/1.log");
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    assert_int_equal(PB_OK, pb_log_replay(&env, "store", store_id, 2, count_record, &count, &end,
                                          NULL));
    sim_fs_free(fs);
}

/* Adds one record with right checksums to a file in memory; returns the file's new length. */
static size_t
add_record(uint8_t *bytes, size_t at, uint64_t number, uint64_t commit, uint64_t durable)
{
    struct pb_log_record record = { .commit = commit, .payload_bytes = 4, .count = 1 };

    memcpy(bytes + at + PB_LOG_RECORD_HEADER_BYTES, "read", 4);
    pb_log_record_seal(bytes + at, &record, durable, (struct pb_log_owner){ store_id, number });
    return at + PB_LOG_RECORD_HEADER_BYTES + 4;
}

static void
a_record_that_contradicts_those_before_is_refused(void **state)
{
    static const struct { uint64_t commit, durable; enum pb_status status; } cases[] = {
        { 12, 156, PB_OK },        /* of a second append */
        { 12, 96, PB_OK },         /* of the same append */
        { 11, 156, PB_E_CORRUPT }, /* the commit is not newer */
        { 12, 97, PB_E_CORRUPT },  /* no append began there */
        { 12, 157, PB_E_CORRUPT }, /* synced before it was written */
        { 12, 0, PB_E_CORRUPT },
    };
    struct pb_log_header header = { .number = 4, .commit = 10, .synced_bytes = 96 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[512] = { 0 };
        uint64_t count = 0;
        size_t size;

        pb_log_header_encode(&header, store_id, bytes);
        size = add_record(bytes, 96, 4, 11, 96);
        assert_int_equal(156, size);
        size = add_record(bytes, size, 4, cases[i].commit, cases[i].durable);
        assert_int_equal(cases[i].status, pb_log_parse(bytes, size, store_id, count_record, &count,
                                                       NULL));
        assert_int_equal(cases[i].status == PB_OK ? 2 : 1, count);
    }
    header.commit = 11; /* and not newer than all logs before */
    for (int is_newer = 0; is_newer < 2; is_newer++) {
        uint8_t bytes[512] = { 0 };
        uint64_t count = 0;
        size_t size;

        pb_log_header_encode(&header, store_id, bytes);
        size = add_record(bytes, 96, 4, is_newer ? 12 : 11, 96);
        assert_int_equal(is_newer ? PB_OK : PB_E_CORRUPT,
                         pb_log_parse(bytes, size, store_id, count_record, &count, NULL));
    }
}

static void
a_record_with_impossible_numbers_is_refused(void **state)
{
    static const struct { size_t offset; uint32_t value; } cases[] = {
        { 4, 0 }, { 4, 5 }, { 8, 0 }, { 8, PB_BLOCK_BYTES_MAX + 1 }, { 8, UINT32_MAX }, { 12, 1 },
    };
    struct pb_log_header header = { .number = 4, .synced_bytes = 96 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[512] = { 0 };
        uint8_t covered[48 + PB_STORE_ID_BYTES + 8];
        uint64_t count = 0;

        pb_log_header_encode(&header, store_id, bytes);
        (void)add_record(bytes, 96, 4, 1, 96);
        pb_put_le32(bytes + 96 + cases[i].offset, cases[i].value);
        memcpy(covered, bytes + 96, 48);
        memcpy(covered + 48, store_id, PB_STORE_ID_BYTES);
        pb_put_le64(covered + 48 + PB_STORE_ID_BYTES, 4);
        pb_put_le64(bytes + 96 + 48, pb_hash_bytes(covered, sizeof(covered)));
        assert_int_equal(PB_E_CORRUPT, pb_log_parse(bytes, sizeof(bytes), store_id, count_record,
                                                    &count, NULL));
        assert_int_equal(0, count);
    }
}

static void
a_mark_that_contradicts_the_log_is_damage(void **state)
{
    static const struct { uint64_t number, bytes, commit; enum pb_status status; } cases[] = {
        { 4, 156, 11, PB_OK },
        { 4, 216, 12, PB_OK },
        { 4, 96, 10, PB_OK },
        { 3, 9999, 99, PB_OK },        /* of a log that does not count any more */
        { 4, 156, 12, PB_E_CORRUPT },  /* another commit */
        { 4, 157, 11, PB_E_CORRUPT },  /* within a record */
        { 4, 217, 12, PB_E_CORRUPT },  /* behind the end */
        { 4, 20, 10, PB_E_CORRUPT },   /* within the header */
        { 5, 96, 12, PB_E_CORRUPT },   /* of a log that is not there */
    };
    struct pb_log_header header = { .number = 4, .previous_number = 3, .previous_bytes = 96,
                                    .commit = 10, .synced_bytes = 96 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_fs *fs = make_disk();
        struct pb_env env = sim_fs_env(fs);
        struct pb_log_mark mark = { cases[i].number, cases[i].bytes, cases[i].commit };
        struct ledger ledger = { .first = 4 };
        struct pb_file *file = NULL;
        struct pb_log_end end;
        uint8_t bytes[512];
        uint64_t count = 0;
        size_t size;

        pb_log_header_encode(&header, store_id, bytes);
        size = add_record(bytes, 96, 4, 11, 96);
        size = add_record(bytes, size, 4, 12, 156);
        assert_int_equal(PB_OK, env.files->open(env.file_context, "store/log/4.log",
                                                PB_OPEN_CREATE, &file, NULL));
        env.files->close(env.file_context, file);
        overwrite(&env, "store/log/4.log", 0, bytes, size);
        assert_int_equal(PB_OK, env.files->open(env.file_context, "store/acked", PB_OPEN_CREATE,
                                                &file, NULL));
        env.files->close(env.file_context, file);
        pb_log_mark_encode(&mark, store_id, bytes);
        overwrite(&env, "store/acked", 0, bytes, PB_LOG_MARK_BYTES);

        if (pb_log_replay(&env, "store", store_id, 4, count_record, &count, &end, NULL) !=
            cases[i].status)
            fail_msg("case %zu", i);
        assert_int_equal(cases[i].status != PB_OK, count_damage(&env, &ledger));
        sim_fs_free(fs);
    }
}

static void
a_log_that_was_synced_behind_its_stated_end_is_refused(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_header header = { .number = 1, .synced_bytes = 1 << 20 };
    uint8_t bytes[PB_LOG_HEADER_BYTES];

    (void)state;
    pb_log_header_encode(&header, store_id, bytes);
    overwrite(&env, "store/log/1.log", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, NULL));
    sim_fs_free(fs);
}

static void
the_marks_name_is_on_disk_before_anything_is_acknowledged(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim_fs *fs = make_disk();
        struct pb_env env = sim_fs_env(fs);
        struct ledger ledger = new_ledger();
        uint64_t size = 0;

        live(&env, &ledger, 1, false);
        sim_fs_power_cut(fs, seed);
        assert_true(sim_fs_file_size(fs, "store/acked", &size));
        assert_int_equal(PB_LOG_MARK_BYTES, size);
        sim_fs_free(fs);
    }
}

static void
damage_is_reported_with_its_file_and_place(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };

    (void)state;
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", (PB_LOG_HEADER_BYTES + 60) * 8));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, &error));
    assert_non_null(strstr(error.message, "log/1.log: byte 96: the record fails its checksum, "
                                          "but the next log says that the log was synced up to "
                                          "byte "));
    sim_fs_free(fs);
}

/* The mark may lag behind and still be of the log before the newest: both then say the same. */
static void
the_mark_is_named_where_the_next_log_says_no_more(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_log_mark mark = { .number = 1, .commit = 6 };
    uint8_t bytes[PB_LOG_MARK_BYTES];

    (void)state;
    assert_true(sim_fs_file_size(fs, "store/log/1.log", &mark.bytes));
    pb_log_mark_encode(&mark, store_id, bytes);
    overwrite(&env, "store/acked", 0, bytes, sizeof(bytes));
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", (PB_LOG_HEADER_BYTES + 60) * 8));
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, &error));
    assert_non_null(strstr(error.message, "but the mark says that the log was synced up to"));
    sim_fs_free(fs);
}

struct told {
    char places[8][64]; /* "file:byte" */
    size_t count;
};

static void
remember_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    struct told *told = context;

    assert_true(told->count < 8 && strlen(what) > 10);
    (void)snprintf(told->places[told->count++], sizeof(told->places[0]), "%s:%" PRIu64, file,
                   offset);
}

/* Two records side by side are one damaged place: what looks like a record in it is none. */
static void
each_damaged_place_is_told_once(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end none = { .number = 0 };
    const uint8_t payload[] = "payload";
    struct pb_verify_counts counts = { 0 };
    struct told told = { .count = 0 };
    struct pb_log_mark mark = { 1, 96 + 4 * 63, 99 }; /* of a commit that never was */
    uint8_t mark_bytes[PB_LOG_MARK_BYTES];
    struct pb_log *log = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_log_create(&env, "store", store_id, 1, &none, &log, NULL));
    for (uint64_t commit = 1; commit <= 4; commit++) {
        struct pb_log_record record = {
            .commit = commit, .payload = payload, .payload_bytes = 7, .count = 1
        };

        assert_int_equal(PB_OK, pb_log_append(log, &record, 1, NULL));
    }
    pb_log_close(log);
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", (96 + 60) * 8));
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", (96 + 63 + 60) * 8));
    assert_int_equal(PB_OK, pb_log_verify(&env, "store", store_id, 1, remember_damage, &told,
                                          &counts, NULL));
    assert_int_equal(1, counts.damaged);
    assert_int_equal(2, counts.blocks);
    assert_int_equal(1, told.count);
    assert_string_equal("log/1.log:96", told.places[0]);

    /* Behind damage nobody knows what the mark should name. */
    pb_log_mark_encode(&mark, store_id, mark_bytes);
    overwrite(&env, "store/acked", 0, mark_bytes, sizeof(mark_bytes));
    counts.damaged = 0;
    assert_int_equal(PB_OK, pb_log_verify(&env, "store", store_id, 1, remember_damage, &told,
                                          &counts, NULL));
    assert_int_equal(1, counts.damaged);
    sim_fs_free(fs);
}

static void
verifying_goes_on_behind_damage(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_verify_counts whole = { 0 }, damaged = { 0 };
    uint64_t size = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_log_verify(&env, "store", store_id, 1, NULL, NULL, &whole, NULL));
    assert_true(sim_fs_flip_bit(fs, "store/log/1.log", 100 * 8)); /* the first record */
    assert_true(sim_fs_file_size(fs, "store/log/2.log", &size));
    assert_true(sim_fs_flip_bit(fs, "store/log/2.log", size * 8 - 1)); /* the last one */
    assert_true(sim_fs_flip_bit(fs, "store/log/2.log", 20 * 8)); /* the header */
    assert_int_equal(PB_OK, pb_log_verify(&env, "store", store_id, 1, NULL, NULL, &damaged, NULL));
    assert_int_equal(3, damaged.damaged);
    assert_int_equal(whole.blocks - 2, damaged.blocks);
    sim_fs_free(fs);
}

/* ---- failures ---- */

static void
a_failed_append_poisons_the_log_for_good(void **state)
{
    static const enum fault_operation operations[] = { FAULT_WRITE, FAULT_SYNC };

    (void)state;
    /* Call 1 of write is the record's, 2 the mark's. */
    for (size_t i = 0; i < 3; i++) {
        struct sim_fs *fs = make_disk();
        struct pb_env sim_env = sim_fs_env(fs);
        struct pb_log_end none = { .number = 0 }, before, after;
        struct pb_log *log = NULL;
        struct pb_error error = { .message = "" };
        struct fault_env fault;
        const uint8_t payload[] = "payload";
        struct pb_log_record record = { .commit = 1, .payload = payload, .payload_bytes = 7,
                                        .count = 2 };

        fault_env_init(&fault, &sim_env);
        assert_int_equal(PB_OK, pb_log_create(&fault.env, "store", store_id, 1, &none, &log,
                                              NULL));
        assert_int_equal(PB_OK, pb_log_append(log, &record, 1, NULL));
        pb_log_end_of(log, &before);
        fault.fail_file_mask = (unsigned)operations[i % 2];
        fault.file_call_count = 0;
        fault.fail_file_call_at = i == 2 ? 2 : 1;
        fault.fail_file_status = PB_E_FULL;
        record.commit = 2;
        assert_int_equal(PB_E_FULL, pb_log_append(log, &record, 1, &error));
        assert_non_null(strstr(error.message, "log/1.log"));
        error.message[0] = '\0';
        assert_int_equal(PB_E_POISONED, pb_log_append(log, &record, 1, &error));
        assert_non_null(strstr(error.message, "earlier write failed"));
        pb_log_end_of(log, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        pb_log_close(log);
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
    }
}

static void
too_much_is_refused_before_anything_is_written(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end none = { .number = 0 }, before, after;
    struct pb_log *log = NULL;
    uint8_t *payload = calloc(1, PB_BLOCK_BYTES_MAX + 1);
    struct pb_log_record records[5];
    uint64_t calls;

    (void)state;
    assert_non_null(payload);
    for (size_t i = 0; i < 5; i++) {
        records[i] = (struct pb_log_record){ .commit = i + 1, .payload = payload, .count = 1,
                                             .payload_bytes = PB_BLOCK_BYTES_MAX };
    }
    assert_int_equal(PB_OK, pb_log_create(&env, "store", store_id, 1, &none, &log, NULL));
    pb_log_end_of(log, &before);
    calls = sim_fs_call_count(fs);
    assert_int_equal(PB_OVER_LIMIT, pb_log_append(log, records, 4, NULL)); /* and their headers */
    records[0].payload_bytes++;
    assert_int_equal(PB_OVER_LIMIT, pb_log_append(log, records, 1, NULL));
    assert_int_equal(calls, sim_fs_call_count(fs));
    pb_log_end_of(log, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    records[0].payload_bytes = PB_BLOCK_BYTES_MAX;
    assert_int_equal(PB_OK, pb_log_append(log, records, 3, NULL));
    pb_log_close(log);
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    free(payload);
    sim_fs_free(fs);
}

static void
no_memory_for_an_append_leaves_the_log_usable(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env sim_env = sim_fs_env(fs);
    struct pb_log_end none = { .number = 0 };
    struct pb_log *log = NULL;
    struct fault_env fault;
    uint8_t payload[20000] = { 0 };
    struct pb_log_record record = { .commit = 1, .payload = payload, .count = 1,
                                    .payload_bytes = sizeof(payload) };

    (void)state;
    fault_env_init(&fault, &sim_env);
    assert_int_equal(PB_OK, pb_log_create(&fault.env, "store", store_id, 1, &none, &log, NULL));
    fault.allocation_count = 0;
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_log_append(log, &record, 1, NULL));
    fault.fail_allocation_at = 0;
    assert_int_equal(PB_OK, pb_log_append(log, &record, 1, NULL));
    pb_log_close(log);
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
}

static void
creating_fails_cleanly_wherever_it_fails(void **state)
{
    (void)state;
    for (int is_memory = 0; is_memory < 2; is_memory++) {
        for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
            enum pb_status status = PB_E_IO;
            uint64_t fail_at = 0;

            while (status != PB_OK) {
                struct sim_fs *fs = make_two_logs();
                struct pb_env sim_env = sim_fs_env(fs);
                struct ledger ledger = new_ledger();
                struct pb_log_end end, again;
                struct pb_log *log = NULL;
                struct fault_env fault;
                uint64_t count = 0;

                remove_file(&sim_env, "store/acked"); /* so that records are carried */
                assert_int_equal(PB_OK, pb_log_replay(&sim_env, "store", store_id, 1,
                                                      count_record, &count, &end, NULL));
                assert_true(end.durable_bytes < end.bytes);
                fault_env_init(&fault, &sim_env);
                fail_at++;
                fault.fail_allocation_at = is_memory ? fail_at : 0;
                fault.is_allocation_failure_lasting = is_lasting;
                fault.fail_file_call_at = is_memory ? 0 : fail_at;
                fault.is_file_failure_lasting = is_lasting;
                fault.is_write_short = true;
                status = pb_log_create(&fault.env, "store", store_id, 3, &end, &log, NULL);
                assert_true((status == PB_OK) == (log != NULL));
                assert_true(status == PB_OK || status == PB_E_POISONED ||
                            status == (is_memory ? PB_E_NOMEM : PB_E_IO));
                pb_log_close(log);
                assert_true(fault_env_is_clean(&fault));

                /* Nothing is lost, and unless it said so nothing has changed. */
                count = 0;
                assert_int_equal(PB_OK, pb_log_replay(&sim_env, "store", store_id, 1,
                                                      count_record, &count, &again, NULL));
                assert_int_equal(6 + 7, count);
                assert_int_equal(0, count_damage(&sim_env, &ledger));
                if (status != PB_OK && status != PB_E_POISONED)
                    assert_int_equal(2, again.number);
                sim_fs_free(fs);
            }
            assert_in_range(fail_at, 2, 100);
        }
    }
}

static void
replaying_and_verifying_report_every_failure(void **state)
{
    (void)state;
    for (int is_verify = 0; is_verify < 2; is_verify++) {
        for (int is_memory = 0; is_memory < 2; is_memory++) {
            struct sim_fs *fs = make_two_logs();
            struct pb_env sim_env = sim_fs_env(fs);
            enum pb_status status = PB_E_IO;
            uint64_t fail_at = 0;

            while (status != PB_OK) {
                struct pb_verify_counts counts = { 0 };
                struct pb_log_end end = { .number = 77 };
                uint64_t count = 0;
                struct fault_env fault;

                fault_env_init(&fault, &sim_env);
                fail_at++;
                fault.fail_allocation_at = is_memory ? fail_at : 0;
                fault.fail_file_call_at = is_memory ? 0 : fail_at;
                if (is_verify)
                    status = pb_log_verify(&fault.env, "store", store_id, 1, NULL, NULL, &counts,
                                           NULL);
                else
                    status = pb_log_replay(&fault.env, "store", store_id, 1, count_record, &count,
                                           &end, NULL);
                assert_true(status == PB_OK || status == (is_memory ? PB_E_NOMEM : PB_E_IO));
                assert_true(is_verify || (status == PB_OK) == (end.number == 2));
                assert_true(fault_env_is_clean(&fault));
            }
            assert_in_range(fail_at, 2, 100);
            sim_fs_free(fs);
        }
    }
}

/* Each opening in turn finds nothing: the first is the mark's, which need not be there. */
static void
a_log_that_goes_while_it_is_replayed_is_named(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env sim_env = sim_fs_env(fs);
    uint64_t fail_at = 0;
    enum pb_status status;

    (void)state;
    do {
        struct pb_error error = { .message = "" };
        struct fault_env fault;

        fault_env_init(&fault, &sim_env);
        fault.fail_file_mask = FAULT_OPEN;
        fault.fail_file_status = PB_NOT_FOUND;
        fault.fail_file_call_at = ++fail_at;
        status = replay_status(&fault.env, &error);
        assert_int_equal(fail_at == 1 || fail_at > 5 ? PB_OK : PB_E_IO, status);
        if (status != PB_OK)
            assert_non_null(strstr(error.message, "was there and is gone"));
        assert_true(fault_env_is_clean(&fault));
    } while (fail_at < 6);
    sim_fs_free(fs);
}

/* What a log after it would carry over is not there any more as it was replayed. */
static void
what_changed_since_the_replay_is_not_carried_over(void **state)
{
    (void)state;
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        struct sim_fs *fs = make_two_logs();
        struct pb_env env = sim_fs_env(fs);
        struct pb_error error = { .message = "" };
        struct pb_log *log = NULL;
        struct pb_log_end end;
        uint64_t count = 0, size = 0;

        remove_file(&env, "store/acked"); /* so that records are carried */
        assert_int_equal(PB_OK, pb_log_replay(&env, "store", store_id, 1, count_record, &count,
                                              &end, NULL));
        if (is_gone)
            remove_file(&env, "store/log/2.log");
        else
            assert_true(sim_fs_flip_bit(fs, "store/log/2.log", end.bytes * 8 - 1));
        assert_int_equal(PB_E_CORRUPT,
                         pb_log_create(&env, "store", store_id, 3, &end, &log, &error));
        assert_non_null(strstr(error.message, is_gone ? "gone since it was replayed"
                                                      : "where there was a good record before"));
        assert_null(log);
        assert_false(sim_fs_file_size(fs, "store/log/3.log", &size));
        sim_fs_free(fs);
    }
}

static void
more_than_one_write_may_hold_is_not_carried_over(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_log_end end = { .number = 2,
                              .bytes = PB_LOG_HEADER_BYTES + PB_LOG_WRITE_BYTES_MAX + 1,
                              .durable_bytes = PB_LOG_HEADER_BYTES };
    struct pb_log *log = NULL;

    (void)state;
    assert_int_equal(PB_OVER_LIMIT, pb_log_create(&env, "store", store_id, 3, &end, &log, &error));
    assert_non_null(strstr(error.message, "too many to carry over"));
    assert_null(log);
    sim_fs_free(fs);
}

/* ---- the rest ---- */

/* A directory whose name leaves room for that of the mark and none for that of log 7. */
static enum pb_status
list_log_7(void *context, const char *path, pb_list_fn *each, void *each_context,
           struct pb_error *error)
{
    (void)context;
    (void)path;
    (void)error;
    (void)each(each_context, "7.log", false);
    return PB_OK;
}

static enum pb_status
find_nothing(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
             struct pb_error *error)
{
    (void)context;
    (void)mode;
    (void)ret_file;
    return pb_fail(error, PB_NOT_FOUND, "%s is not there", path);
}

static void
a_directory_with_too_long_a_name_is_refused(void **state)
{
    static char directory[PB_PATH_BYTES_MAX + 1];
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file_ops files = *env.files;
    struct pb_log_end end = { .number = 0 };
    struct pb_log *log = NULL;
    uint64_t count = 0, calls;

    (void)state;
    files.list = list_log_7;
    files.open = find_nothing;
    env.files = &files;
    memset(directory, 'd', sizeof(directory) - 1);
    for (size_t left = 0; left < strlen("/log/7.log") + 1; left++) {
        directory[PB_PATH_BYTES_MAX - left] = '\0';
        assert_int_equal(PB_OVER_LIMIT, pb_log_replay(&env, directory, store_id, 1, count_record,
                                                      &count, &end, NULL));
        assert_int_equal(PB_OVER_LIMIT,
                         pb_log_create(&env, directory, store_id, 7, &end, &log, NULL));
        assert_null(log);
        calls = sim_fs_call_count(fs);
        pb_log_delete_below(&env, directory, 8); /* leaves it for later */
        assert_int_equal(calls, sim_fs_call_count(fs));
    }
    sim_fs_free(fs);
}

static enum pb_status
take_any_write(void *context, struct pb_file *file, uint64_t offset, const void *bytes,
               size_t count, struct pb_error *error)
{
    (void)context;
    (void)file;
    (void)offset;
    (void)bytes;
    (void)count;
    (void)error;
    return PB_OK;
}

/* On a disk that forgets what is written, so that the test needs no gibibyte. */
static void
a_log_ends_at_its_largest_size(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file_ops files = *env.files;
    struct pb_error error = { .message = "" };
    struct pb_log_end end = { .number = 0 };
    uint8_t *payload = calloc(1, PB_BLOCK_BYTES_MAX);
    struct pb_log_record records[3];
    struct pb_log *log = NULL;
    enum pb_status status = PB_OK;

    (void)state;
    assert_non_null(payload);
    files.write = take_any_write;
    env.files = &files;
    assert_int_equal(PB_OK, pb_log_create(&env, "store", store_id, 1, &end, &log, NULL));
    while (status == PB_OK) {
        pb_log_end_of(log, &end);
        for (size_t i = 0; i < 3; i++)
            records[i] = (struct pb_log_record){ .commit = end.commit + 1 + i,
                                                 .payload = payload,
                                                 .payload_bytes = PB_BLOCK_BYTES_MAX,
                                                 .count = 1 };
        status = pb_log_append(log, records, 3, &error);
    }
    assert_int_equal(PB_OVER_LIMIT, status);
    assert_non_null(strstr(error.message, "for one file"));
    assert_in_range(end.bytes, PB_LOG_FILE_BYTES_MAX - 4 * PB_BLOCK_BYTES_MAX,
                    PB_LOG_FILE_BYTES_MAX);
    pb_log_close(log);
    free(payload);
    sim_fs_free(fs);
}

/* From which call on a file has more bytes than a log may have; 0: from none. */
static unsigned huge_from;
static unsigned size_calls;

static enum pb_status
size_or_huge(void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error)
{
    (void)context;
    (void)file;
    (void)error;
    *ret_size = ++size_calls == 1 ? 0 : size_calls < huge_from ? 96 : PB_LOG_FILE_BYTES_MAX + 1u;
    return PB_OK;
}

static enum pb_status
map_no_more_than_a_log(void *context, struct pb_file *file, uint64_t size, const void **ret_bytes,
                       struct pb_error *error)
{
    (void)context;
    (void)file;
    (void)ret_bytes;
    assert_int_equal(PB_LOG_FILE_BYTES_MAX, size);
    return pb_fail(error, PB_E_IO, "as the test wants it");
}

static void
a_file_that_goes_on_behind_a_log_is_damage(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file_ops files = *env.files;
    struct pb_error error = { .message = "" };
    struct pb_verify_counts counts = { 0 };
    struct told told = { .count = 0 };

    (void)state;
    files.size = size_or_huge;
    files.map = map_no_more_than_a_log;
    env.files = &files;
    huge_from = 4; /* behind the mark and both headers */
    size_calls = 0;
    assert_int_equal(PB_E_CORRUPT, replay_status(&env, &error));
    assert_non_null(strstr(error.message, "log/1.log: byte 1073741824: the file goes on"));
    size_calls = 0;
    assert_int_equal(PB_E_IO, pb_log_verify(&env, "store", store_id, 1, remember_damage, &told,
                                            &counts, NULL));
    assert_int_equal(1, told.count);
    assert_string_equal("log/1.log:1073741824", told.places[0]);
    sim_fs_free(fs);
}

static void
logs_that_cannot_be_listed_are_not_deleted(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env sim_env = sim_fs_env(fs);
    struct fault_env fault;
    uint64_t size;

    (void)state;
    fault_env_init(&fault, &sim_env);
    fault.fail_file_mask = FAULT_LIST;
    fault.fail_file_call_at = 1;
    fault.is_file_failure_lasting = true;
    pb_log_delete_below(&fault.env, "store", 9);
    assert_true(sim_fs_file_size(fs, "store/log/1.log", &size));
    pb_log_delete_below(&sim_env, "store", 9);
    assert_false(sim_fs_file_size(fs, "store/log/1.log", &size));
    sim_fs_free(fs);
}

static void
more_than_a_log_may_have_is_not_parsed(void **state)
{
    struct pb_log_header header = { .number = 4, .synced_bytes = 96 };
    struct pb_error error = { .message = "" };
    uint8_t bytes[PB_LOG_HEADER_BYTES];
    uint64_t count = 0;

    (void)state;
    pb_log_header_encode(&header, store_id, bytes);
    assert_int_equal(PB_OK,
                     pb_log_parse(bytes, sizeof(bytes), store_id, count_record, &count, NULL));
    /* Nothing behind the header is looked at. */
    assert_int_equal(PB_E_CORRUPT, pb_log_parse(bytes, (size_t)PB_LOG_FILE_BYTES_MAX + 1, store_id,
                                                count_record, &count, &error));
    assert_string_equal("the log is too long", error.message);
}

static enum pb_status
stop_at_three(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    uint64_t *count = context;

    (void)record;
    return ++*count == 3 ? pb_fail(error, PB_END, "enough") : PB_OK;
}

static void
the_callers_status_stops_the_replay(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_log_end end = { .number = 77 };
    uint64_t count = 0;

    (void)state;
    assert_int_equal(PB_END, pb_log_replay(&env, "store", store_id, 1, stop_at_three, &count, &end,
                                           &error));
    assert_int_equal(3, count);
    assert_int_equal(77, end.number);
    assert_string_equal("enough", error.message);
    sim_fs_free(fs);
}

static void
a_taken_number_is_not_written_over(void **state)
{
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end none = { .number = 0 };
    struct pb_log *log = NULL;

    (void)state;
    assert_int_equal(PB_E_CORRUPT, pb_log_create(&env, "store", store_id, 2, &none, &log, NULL));
    assert_null(log);
    assert_int_equal(PB_OK, replay_status(&env, NULL));
    sim_fs_free(fs);
}

static void
deleting_takes_older_logs_and_left_overs_only(void **state)
{
    static const char *const others[] = { "store/log/1.tmp", "store/log/9.tmp", "store/log/x.log",
                                          "store/log/01.log", "store/log/1.log.old",
                                          "store/log/99999999999999999999.log" };
    struct sim_fs *fs = make_two_logs();
    struct pb_env env = sim_fs_env(fs);
    uint64_t size;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct pb_file *file = NULL;

        assert_int_equal(PB_OK, env.files->open(env.file_context, others[i], PB_OPEN_CREATE, &file,
                                                NULL));
        env.files->close(env.file_context, file);
    }
    assert_int_equal(PB_OK, replay_status(&env, NULL)); /* other names mean nothing */
    pb_log_delete_below(&env, "store", 2);
    assert_false(sim_fs_file_size(fs, "store/log/1.log", &size));
    assert_false(sim_fs_file_size(fs, others[0], &size));
    assert_true(sim_fs_file_size(fs, "store/log/2.log", &size));
    for (size_t i = 1; i < 6; i++)
        assert_true(sim_fs_file_size(fs, others[i], &size));
    sim_fs_free(fs);
}

static void
a_torn_tail_ends_the_parse_without_an_error(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_log_end none = { .number = 0 };
    const uint8_t payload[] = "0123456789";
    struct pb_log_record record = { .commit = 5, .received_at_us = -1, .payload = payload,
                                    .payload_bytes = 10, .count = 3 };
    struct pb_log *log = NULL;
    struct pb_file *file = NULL;
    uint8_t bytes[96 + 66];
    uint64_t count = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_log_create(&env, "store", store_id, 1, &none, &log, NULL));
    assert_int_equal(PB_OK, pb_log_append(log, &record, 1, NULL));
    pb_log_close(log);
    assert_int_equal(PB_OK, env.files->open(env.file_context, "store/log/1.log", PB_OPEN_READ,
                                            &file, NULL));
    assert_int_equal(PB_OK, env.files->read(env.file_context, file, 0, bytes, sizeof(bytes),
                                            NULL));
    env.files->close(env.file_context, file);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        enum pb_status status;

        count = 0;
        status = pb_log_parse(bytes, size, store_id, count_record, &count, NULL);
        assert_int_equal(size < 96 ? PB_E_CORRUPT : PB_OK, status);
        assert_int_equal(size == sizeof(bytes), count);
    }
    sim_fs_free(fs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_records_are_replayed_in_order),
        cmocka_unit_test(power_cuts_lose_nothing_and_look_like_no_damage),
        cmocka_unit_test(what_a_restart_has_shown_survives_the_next_power_cut),
        cmocka_unit_test(what_a_failed_sync_left_is_written_again_before_it_is_answered_for),
        cmocka_unit_test(a_full_disk_poisons_the_log_and_loses_nothing),
        cmocka_unit_test(every_flipped_bit_of_what_was_acknowledged_is_found),
        cmocka_unit_test(every_truncation_and_zeroed_sector_is_found),
        cmocka_unit_test(without_the_mark_only_the_last_append_may_go_unnoticed),
        cmocka_unit_test(a_missing_log_is_named),
        cmocka_unit_test(a_log_that_is_missing_between_others_is_named),
        cmocka_unit_test(logs_that_do_not_count_any_more_are_not_looked_at),
        cmocka_unit_test(all_logs_missing_is_told_from_a_new_store),
        cmocka_unit_test(a_bad_mark_does_not_keep_the_store_shut_but_is_reported),
        cmocka_unit_test(a_log_of_another_store_is_refused),
        cmocka_unit_test(a_record_moved_to_another_log_is_refused),
        cmocka_unit_test(a_later_version_is_told_from_damage),
        cmocka_unit_test(a_header_that_contradicts_the_chain_is_refused),
        cmocka_unit_test(a_record_that_contradicts_those_before_is_refused),
        cmocka_unit_test(a_record_with_impossible_numbers_is_refused),
        cmocka_unit_test(a_mark_that_contradicts_the_log_is_damage),
        cmocka_unit_test(a_log_that_was_synced_behind_its_stated_end_is_refused),
        cmocka_unit_test(the_marks_name_is_on_disk_before_anything_is_acknowledged),
        cmocka_unit_test(damage_is_reported_with_its_file_and_place),
        cmocka_unit_test(the_mark_is_named_where_the_next_log_says_no_more),
        cmocka_unit_test(each_damaged_place_is_told_once),
        cmocka_unit_test(verifying_goes_on_behind_damage),
        cmocka_unit_test(a_failed_append_poisons_the_log_for_good),
        cmocka_unit_test(too_much_is_refused_before_anything_is_written),
        cmocka_unit_test(no_memory_for_an_append_leaves_the_log_usable),
        cmocka_unit_test(creating_fails_cleanly_wherever_it_fails),
        cmocka_unit_test(replaying_and_verifying_report_every_failure),
        cmocka_unit_test(a_log_that_goes_while_it_is_replayed_is_named),
        cmocka_unit_test(what_changed_since_the_replay_is_not_carried_over),
        cmocka_unit_test(more_than_one_write_may_hold_is_not_carried_over),
        cmocka_unit_test(a_directory_with_too_long_a_name_is_refused),
        cmocka_unit_test(a_log_ends_at_its_largest_size),
        cmocka_unit_test(a_file_that_goes_on_behind_a_log_is_damage),
        cmocka_unit_test(logs_that_cannot_be_listed_are_not_deleted),
        cmocka_unit_test(the_callers_status_stops_the_replay),
        cmocka_unit_test(a_taken_number_is_not_written_over),
        cmocka_unit_test(deleting_takes_older_logs_and_left_overs_only),
        cmocka_unit_test(a_torn_tail_ends_the_parse_without_an_error),
        cmocka_unit_test(more_than_a_log_may_have_is_not_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
