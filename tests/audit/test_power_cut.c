/*
 * Power cuts: whatever the room was doing, after the power has come back the logs open, every
 * acknowledged leaf is there with its openings and the same bytes, nothing is there that was not
 * sent, and what is published next extends everything that was ever published.
 *
 * A life is a random history of appends, publishings, keepings, new logs, reopenings and failed
 * syncs on a simulated disk. The power is cut within each mutating call of some lives and within a
 * random one of others, and again while recovering. PB_NIGHT=1 lives ten times as many.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "support/sim_fs.h"

#define LOGS 3u
#define LEAVES_MAX 1024u
#define STEPS 28u
#define BATCH_MAX 40u

static const char *const names[LOGS] = { "a42", "operator", "b7" };

/* What is known of a log, kept outside of it. */
struct ledger_log {
    bool is_there; /* its adding was answered */
    bool is_maybe; /* it was tried */
    uint32_t acked;
    uint32_t numbers[LEAVES_MAX];
    struct pb_hash hashes[LEAVES_MAX];
    struct pb_tree_edge edge;    /* of the acknowledged leaves */
    uint32_t pending[BATCH_MAX]; /* sent in the append that got no answer */
    uint32_t pending_count;
};

struct life {
    struct sim_fs *fs;
    struct pb_env env;
    struct pb_audit *audit; /* NULL: closed */
    uint64_t seed;
    int64_t now_us;
    uint32_t next_number;
    bool may_fail; /* a sync was made to fail */
    struct ledger_log logs[LOGS];
    char vkeys[LOGS][PB_VKEY_BYTES_MAX];
};

struct totals {
    uint64_t cuts, cuts_in_recovery, leaves;
};

static uint32_t
below(uint64_t *seed, uint32_t end)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ z >> 31) % end);
}

static int64_t
life_now_us(void *context)
{
    return ((struct life *)context)->now_us;
}

static bool
went_well(struct life *life, enum pb_status status, const char *what, const struct pb_error *error)
{
    if (status == PB_OK)
        return true;
    if (!sim_fs_is_cut(life->fs) && !life->may_fail)
        fail_msg("%s: %s: %s", what, pb_status_name(status), error->message);
    if (status != PB_E_IO && status != PB_E_POISONED)
        fail_msg("%s: %s: %s", what, pb_status_name(status), error->message);
    return false;
}

/* ---- what the room says ---- */

struct looking {
    struct ledger_log *log;
    uint32_t count;
};

static bool
look(void *context, const struct pb_audit_entry *entry)
{
    struct looking *looking = context;
    struct ledger_log *log = looking->log;
    struct room_leaf expected;
    struct pb_str digits;
    uint64_t number = 0;
    struct pb_hash hash;

    assert_int_equal(looking->count, entry->index);
    assert_true(looking->count < LEAVES_MAX);
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "n", &digits));
    for (uint32_t i = 0; i < digits.bytes; i++)
        number = number * 10 + (uint64_t)(digits.text[i] - '0');
    pb_tree_hash_leaf(entry->leaf.text, entry->leaf.bytes, &hash);
    room_leaf_init(&expected, entry->log, (uint32_t)number);
    assert_int_equal(ROOM_SECRETS, entry->secret_count);
    for (uint32_t i = 0; i < ROOM_SECRETS; i++)
        assert_true(pb_str_equal(expected.secrets[i].value, entry->secrets[i].value));
    if (looking->count < log->acked) {
        if (log->numbers[looking->count] != number ||
            !pb_hash_equal(&hash, &log->hashes[looking->count]))
            fail_msg("log %s: leaf %u is another than the one that was answered for", entry->log,
                     looking->count);
    } else {
        uint32_t place = looking->count - log->acked;

        if (place >= log->pending_count || log->pending[place] != number)
            fail_msg("log %s: leaf %u was not sent", entry->log, looking->count);
    }
    log->numbers[looking->count] = (uint32_t)number;
    log->hashes[looking->count] = hash;
    looking->count++;
    return true;
}

/* Reads all of a log; what is there counts from now on. */
static void
look_at_log(struct life *life, uint32_t which, bool takes)
{
    struct ledger_log *log = &life->logs[which];
    struct pb_audit_filter filter = { .log = names[which], .last = UINT64_MAX };
    struct looking looking = { .log = log };
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_audit_read(life->audit, &filter, look, &looking, &error);

    if (status == PB_NOT_FOUND && !log->is_there)
        return;
    if (status != PB_OK)
        fail_msg("reading: %s: %s", pb_status_name(status), error.message);
    if (looking.count < log->acked)
        fail_msg("log %s: %u leaves were answered for, %u are there", names[which], log->acked,
                 looking.count);
    /* An append happens as a whole. */
    if (looking.count != log->acked && looking.count != log->acked + log->pending_count)
        fail_msg("log %s: a part of an append is there", names[which]);
    if (!takes)
        return;
    log->is_there = true;
    for (; log->acked < looking.count; log->acked++)
        pb_tree_edge_add(&log->edge, &log->hashes[log->acked]);
    log->pending_count = 0;
}

static bool
note_key(void *context, const struct pb_audit_log_info *info)
{
    struct life *life = context;

    for (uint32_t i = 0; i < LOGS; i++) {
        if (strcmp(names[i], info->id) == 0)
            (void)snprintf(life->vkeys[i], sizeof(life->vkeys[i]), "%s", info->vkey);
    }
    return true;
}

static void
verify_published(struct life *life, uint32_t which)
{
    struct ledger_log *log = &life->logs[which];
    struct pb_audit_check check;
    struct pb_error error = { .message = "" };
    char path[128];
    struct pb_hash root;

    (void)snprintf(path, sizeof(path), ROOM_PATH "/public/%s", names[which]);
    assert_int_equal(PB_OK, pb_audit_verify_log(&life->env, path, life->vkeys[which], NULL,
                                                tell_wrong, NULL, &check, &error));
    assert_int_equal(0, check.wrong);
    assert_int_equal(log->acked, check.size);
    pb_tree_edge_root(&log->edge, &root);
    assert_memory_equal(root.bytes, check.root, sizeof(check.root));
}

/* ---- what a life does ---- */

static bool
open_audit(struct life *life)
{
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };

    return went_well(life,
                     pb_audit_open(&life->env, ROOM_PATH, ROOM_KEYS, &options, &life->audit,
                                   &error),
                     "open", &error);
}

static bool
close_audit(struct life *life)
{
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_audit_close(life->audit, &error);

    life->audit = NULL;
    return went_well(life, status, "close", &error);
}

/* Whatever comes of it. */
static void
abandon_audit(struct life *life)
{
    enum pb_status status = pb_audit_close(life->audit, NULL);

    (void)status;
    life->audit = NULL;
}

static bool
add_log(struct life *life, uint32_t which)
{
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_audit_log_add(life->audit, names[which], NULL, &error);

    life->logs[which].is_maybe = true;
    if (status == PB_DUPLICATE)
        return true;
    if (!went_well(life, status, "log_add", &error))
        return false;
    life->logs[which].is_there = true;
    return true;
}

/* Some leaves to one log, or to several. */
static bool
append(struct life *life)
{
    static struct room_leaf made[BATCH_MAX];
    struct pb_audit_leaf leaves[BATCH_MAX];
    uint64_t indices[BATCH_MAX];
    struct pb_error error = { .message = "" };
    uint32_t count = 1 + below(&life->seed, below(&life->seed, 4) == 0 ? BATCH_MAX : 3);
    enum pb_status status;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t which = below(&life->seed, LOGS);
        struct ledger_log *log = &life->logs[which];

        if (!log->is_there || log->acked + log->pending_count >= LEAVES_MAX - 1) {
            which = 0;
            log = &life->logs[0];
        }
        room_leaf_init(&made[i], names[which], life->next_number);
        leaves[i] = made[i].leaf;
        log->pending[log->pending_count++] = life->next_number++;
    }
    life->now_us += (int64_t)below(&life->seed, 2000000) - 500000;
    status = pb_audit_append(life->audit, leaves, count, indices, &error);
    if (!went_well(life, status, "append", &error))
        return false;
    for (uint32_t i = 0; i < LOGS; i++) {
        if (life->logs[i].pending_count > 0)
            look_at_log(life, i, true);
    }
    return true;
}

static bool
publish(struct life *life, bool keeps)
{
    struct pb_error error = { .message = "" };
    enum pb_status status;

    (void)pthread_mutex_lock(&life->audit->integrating);
    status = pb_publish_locked(life->audit, NULL, keeps, &error);
    (void)pthread_mutex_unlock(&life->audit->integrating);
    return went_well(life, status, "publish", &error);
}

static bool
step(struct life *life)
{
    switch (below(&life->seed, 12)) {
    case 0:
        return close_audit(life) && open_audit(life);
    case 1:
        return publish(life, true);
    case 2:
    case 3:
        return publish(life, false);
    case 4:
        return add_log(life, below(&life->seed, LOGS));
    default:
        return append(life);
    }
}

static void
begin_life(struct life *life, uint64_t seed)
{
    memset(life, 0, sizeof(*life));
    life->seed = seed;
    life->fs = sim_fs_new();
    life->env = sim_fs_env(life->fs);
    life->env.now_us = life_now_us;
    life->env.clock_context = life;
    life->now_us = INT64_C(1767225600) * 1000000;
    assert_int_equal(PB_OK, life->env.files->mkdir(life->env.file_context, "data", NULL));
    assert_int_equal(PB_OK, life->env.files->sync_directory(life->env.file_context, "", NULL));
    assert_int_equal(PB_OK, pb_audit_create(&life->env, ROOM_PATH, ROOM_KEYS, NULL));
}

static void
end_life(struct life *life)
{
    abandon_audit(life);
    sim_fs_free(life->fs);
}

static void
live(struct life *life)
{
    bool is_alive = open_audit(life) && add_log(life, 0);

    for (uint32_t i = 0; i < STEPS && is_alive; i++)
        is_alive = step(life);
}

/* ---- afterwards ---- */

/* Who only reads sees all acknowledged leaves too, and changes nothing. */
static void
look_without_writing(struct life *life)
{
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_error error = { .message = "" };
    enum pb_status status =
        pb_audit_open(&life->env, ROOM_PATH, ROOM_KEYS, &options, &life->audit, &error);

    if (status != PB_OK)
        fail_msg("open to read: %s: %s", pb_status_name(status), error.message);
    for (uint32_t i = 0; i < LOGS; i++)
        look_at_log(life, i, false);
    assert_int_equal(PB_OK, pb_audit_close(life->audit, NULL));
    life->audit = NULL;
}

/* ---- every file that anybody may fetch ---- */

struct public_files {
    char paths[2048][96];
    uint32_t count;
};

static void
note_public(void *context, const char *path, uint64_t size)
{
    struct public_files *files = context;

    (void)size;
    if (strstr(path, "/public/") == NULL || strstr(path, "/tile/") == NULL)
        return;
    assert_true(files->count < 2048);
    (void)snprintf(files->paths[files->count++], sizeof(files->paths[0]), "%s", path);
}

static void
check_tile_file(const struct ledger_log *log, const char *path, const struct pb_tile *tile,
                const uint8_t *bytes, size_t count)
{
    struct pb_str rest = { (const char *)bytes, (uint32_t)count }, entry;
    uint64_t first = tile->index * PB_TILE_WIDTH;

    if (tile->level > 0)
        return; /* what is current of these was verified */
    assert_true(first + tile->width <= log->acked);
    for (unsigned i = 0; i < tile->width; i++) {
        struct pb_hash hash = { { 0 } };

        if (tile->level == 0 && count >= (i + 1) * PB_HASH_BYTES) {
            memcpy(hash.bytes, bytes + (size_t)i * PB_HASH_BYTES, PB_HASH_BYTES);
        } else if (tile->level != 0 && pb_bundle_next(&rest, &entry) == PB_OK) {
            pb_tree_hash_leaf(entry.text, entry.bytes, &hash);
        }
        if (!pb_hash_equal(&hash, &log->hashes[first + i]))
            fail_msg("%s is damaged at leaf %u, and stays so", path, i);
    }
}

/* Also those of older checkpoints. */
static void
check_public_files(struct life *life)
{
    static struct public_files files;

    files.count = 0;
    sim_fs_each_file(life->fs, note_public, &files);
    for (uint32_t i = 0; i < files.count; i++) {
        const char *tile_path = strstr(files.paths[i], "/tile/") + 1;
        struct pb_place place;
        struct pb_tile tile;
        uint8_t *bytes = NULL;
        size_t count = 0;

        assert_int_equal(PB_OK, pb_tile_parse_path(pb_str_from(tile_path), &tile));
        assert_int_equal(PB_OK, pb_place_init(&place, &life->env, "data", NULL));
        assert_int_equal(PB_OK, pb_place_read(&place, pb_str_from(files.paths[i] + 5), 1 << 24,
                                              &bytes, &count, NULL));
        for (uint32_t which = 0; which < LOGS; which++) {
            char prefix[64];

            (void)snprintf(prefix, sizeof(prefix), ROOM_PATH "/public/%s/", names[which]);
            if (strncmp(files.paths[i], prefix, strlen(prefix)) == 0)
                check_tile_file(&life->logs[which], files.paths[i], &tile, bytes, count);
        }
        pb_free(&life->env, bytes);
        pb_place_done(&place);
    }
}

static void
check_everything(struct life *life, struct totals *totals)
{
    struct pb_error error = { .message = "" };

    for (uint32_t i = 0; i < LOGS; i++)
        look_at_log(life, i, true);
    assert_true(publish(life, false));
    assert_int_equal(PB_OK, pb_audit_each_log(life->audit, note_key, life, &error));
    for (uint32_t i = 0; i < LOGS; i++) {
        if (!life->logs[i].is_there)
            continue;
        verify_published(life, i);
        totals->leaves += life->logs[i].acked;
    }
    check_public_files(life);
}

/* Leaves under the checkpoints that anybody could see at the moment of the cut. */
static void
note_seen(struct life *life, uint64_t sizes[LOGS])
{
    struct sim_fs *still = sim_fs_clone(life->fs); /* with what was written and not synced */
    struct pb_env env = sim_fs_env(still);

    for (uint32_t i = 0; i < LOGS; i++) {
        struct pb_checkpoint checkpoint;
        struct pb_place place;
        struct pb_note note;
        char path[128];
        uint8_t *bytes = NULL;
        size_t count = 0;

        sizes[i] = 0;
        (void)snprintf(path, sizeof(path), ROOM_PATH "/public/%s", names[i]);
        assert_int_equal(PB_OK, pb_place_init(&place, &env, path, NULL));
        if (pb_place_read(&place, pb_str_from("checkpoint"), PB_NOTE_BYTES_MAX, &bytes, &count,
                          NULL) == PB_OK) {
            assert_int_equal(PB_OK, pb_note_parse((struct pb_str){ (char *)bytes, (uint32_t)count },
                                                  &note, NULL));
            assert_int_equal(PB_OK, pb_checkpoint_parse(note.text, &checkpoint, NULL));
            sizes[i] = checkpoint.size;
            pb_free(&env, bytes);
        }
        pb_place_done(&place);
    }
    sim_fs_free(still);
}

/* What was seen is remembered, so a log that is put back older than that is refused. */
static void
check_heads(struct life *life, const uint64_t sizes[LOGS])
{
    for (uint32_t i = 0; i < LOGS; i++) {
        const struct pb_head *head = pb_keys_head(life->audit->keys, names[i]);

        if (sizes[i] > 0 && (head == NULL || head->size < sizes[i]))
            fail_msg("log %s: a checkpoint of %llu leaves was seen and is forgotten", names[i],
                     (unsigned long long)sizes[i]);
    }
}

static void
recover_and_check(struct life *life, uint64_t cut_in_recovery, struct totals *totals)
{
    uint64_t seen[LOGS];

    if (sim_fs_is_cut(life->fs))
        note_seen(life, seen);
    else
        memset(seen, 0, sizeof(seen));
    abandon_audit(life);
    sim_fs_power_cut(life->fs, life->seed);
    life->may_fail = false;
    if (cut_in_recovery > 0) {
        sim_fs_cut_after(life->fs, cut_in_recovery);
        if (open_audit(life)) {
            (void)publish(life, true);
            abandon_audit(life);
        }
        totals->cuts_in_recovery += sim_fs_is_cut(life->fs);
        sim_fs_power_cut(life->fs, life->seed + 1);
    }
    look_without_writing(life);
    assert_true(open_audit(life));
    check_heads(life, seen);
    check_everything(life, totals);
    /* And it goes on. */
    assert_true(add_log(life, 0));
    for (uint32_t i = 0; i < 5; i++)
        assert_true(step(life));
    check_everything(life, totals);
}

static uint32_t
night_factor(void)
{
    return getenv("PB_NIGHT") != NULL ? 10 : 1;
}

static void
tell(const char *what, const struct totals *totals)
{
    print_message("%s: %llu cuts, %llu more while recovering, %llu leaves found\n", what,
                  (unsigned long long)totals->cuts, (unsigned long long)totals->cuts_in_recovery,
                  (unsigned long long)totals->leaves);
}

static void
a_cut_within_any_call_loses_no_acknowledged_leaf(void **state)
{
    static struct life life;
    struct totals totals = { 0 };

    (void)state;
    for (uint64_t seed = 1; seed <= 1 * night_factor(); seed++) {
        bool is_over = false;

        for (uint64_t call = 1; !is_over; call++) {
            begin_life(&life, seed);
            sim_fs_cut_after(life.fs, call + sim_fs_call_count(life.fs));
            live(&life);
            is_over = !sim_fs_is_cut(life.fs);
            totals.cuts += !is_over;
            life.seed = call; /* another fate for each */
            recover_and_check(&life, 0, &totals);
            end_life(&life);
        }
    }
    assert_true(totals.cuts > 200);
    tell("each call", &totals);
}

static void
random_cuts_with_failed_syncs_and_cuts_while_recovering(void **state)
{
    static struct life life;
    struct totals totals = { 0 };

    (void)state;
    for (uint64_t seed = 1000; seed < 1000 + 300 * (uint64_t)night_factor(); seed++) {
        uint64_t random = seed;

        begin_life(&life, seed);
        if (below(&random, 3) == 0)
            sim_fs_set_damage(life.fs, SIM_FS_ANY_ENTRIES | SIM_FS_GARBAGE);
        if (below(&random, 3) == 0) {
            sim_fs_fail_sync_at(life.fs, 1 + below(&random, 60));
            life.may_fail = true;
        }
        sim_fs_cut_after(life.fs, sim_fs_call_count(life.fs) + 1 + below(&random, 700));
        live(&life);
        totals.cuts += sim_fs_is_cut(life.fs);
        recover_and_check(&life, below(&random, 2) * (1 + below(&random, 60)), &totals);
        end_life(&life);
    }
    assert_true(totals.cuts > 0 && totals.cuts_in_recovery > 0);
    tell("random", &totals);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_within_any_call_loses_no_acknowledged_leaf),
        cmocka_unit_test(random_cuts_with_failed_syncs_and_cuts_while_recovering),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
