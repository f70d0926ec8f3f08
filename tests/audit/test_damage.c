/*
 * Damage: files of the logs that are missing, cut, another's, or forged with everything that a
 * forger could have. Each is found by whoever looks at it, and named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"

#define PUBLIC ROOM_PATH "/public/a42"
#define PRIVATE ROOM_PATH "/private/a42"

static const struct pb_audit_options by_hand = { .publishes_by_hand = true };
static const struct pb_audit_options only_reads = { .is_read_only = true };

static struct pb_audit_log *
log_of(struct room *room)
{
    return pb_audit_find(room->audit, pb_str_from("a42"));
}

/* Everything pending goes to its files. */
static enum pb_status
keep(struct room *room, struct pb_error *error)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&room->audit->integrating);
    status = pb_publish_locked(room->audit, NULL, true, error);
    (void)pthread_mutex_unlock(&room->audit->integrating);
    return status;
}

static void
keep_many(struct room *room, uint32_t first, uint32_t count)
{
    struct pb_error error = { .message = "" };

    append_many(room, first, count);
    must(keep(room, &error), &error);
}

static void
unlink_file(struct room *room, const char *path)
{
    struct pb_error error = { .message = "" };

    must(room->env.files->unlink(room->env.file_context, path, &error), &error);
}

static void
expect(enum pb_status expected, enum pb_status status, const struct pb_error *error,
       const char *words)
{
    if (status != expected || strstr(error->message, words) == NULL)
        fail_msg("%s: \"%s\", not \"%s\"", pb_status_name(status), error->message, words);
}

static bool
take_entry(void *context, const struct pb_audit_entry *entry)
{
    (void)entry;
    ++*(uint64_t *)context;
    return true;
}

static enum pb_status
read_log(struct room *room, struct pb_error *error)
{
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    uint64_t count = 0;

    return pb_audit_read(room->audit, &filter, take_entry, &count, error);
}

static enum pb_status
prove(struct room *room, uint64_t index, struct pb_error *error)
{
    char *text = NULL;
    enum pb_status status = pb_audit_prove(room->audit, "a42", index, true, &text, error);

    pb_free(&room->env, text);
    return status;
}

static bool
take_log(void *context, const struct pb_audit_log_info *info)
{
    (void)context;
    (void)info;
    return true;
}

/* ---- the public side ---- */

static void
a_checkpoint_that_is_missing_or_none_is_named(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    unlink_file(room, PUBLIC "/checkpoint");
    expect(PB_E_CORRUPT, pb_audit_each_log(room->audit, take_log, NULL, &error), &error,
           "there is no checkpoint");
    expect(PB_E_CORRUPT, prove(room, 0, &error), &error, "there is no checkpoint");
    put_file(room, PUBLIC, "checkpoint", "nothing\n", 8);
    expect(PB_E_CORRUPT, pb_audit_each_log(room->audit, take_log, NULL, &error), &error,
           "not a note");
    expect(PB_E_CORRUPT, prove(room, 0, &error), &error, "not a note");
}

static void
a_tile_that_is_cut_is_named_whether_at_a_hash_or_within_one(void **state)
{
    static const size_t cuts[] = { 0, 31, 32, 33, 63 };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t count = 0;
    uint8_t *bytes;

    keep_many(room, 0, 3);
    bytes = get_file(room, PUBLIC, "tile/0/000.p/3", &count);
    assert_int_equal(96, count);
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        put_file(room, PUBLIC, "tile/0/000.p/3", bytes, 96 - cuts[i]);
        if (cuts[i] == 0)
            must(read_log(room, &error), &error);
        else
            expect(PB_E_CORRUPT, read_log(room, &error), &error, "tile 0 of level 0 is cut");
    }
    pb_free(&room->env, bytes);
}

struct wrongs {
    unsigned count;
    char file[64], what[128];
};

static void
note_wrong(void *context, const char *file, const char *what)
{
    struct wrongs *wrongs = context;

    wrongs->count++;
    (void)snprintf(wrongs->file, sizeof(wrongs->file), "%s", file);
    (void)snprintf(wrongs->what, sizeof(wrongs->what), "%s", what);
}

static void
what_is_wrong_is_told_by_file_and_in_words(void **state)
{
    struct room *room = *state;
    struct wrongs wrongs = { 0 };
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;

    keep_many(room, 0, 3);
    assert_true(sim_fs_flip_bit(room->fs, PUBLIC "/tile/0/000.p/3", 5));
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, NULL, note_wrong, &wrongs, &check,
                             &error),
         &error);
    assert_int_equal(1, wrongs.count);
    assert_int_equal(1, check.wrong);
    assert_string_equal("tile/0/000.p/3", wrongs.file);
    assert_string_equal("its hashes are not those of the entries", wrongs.what);
}

/* A leaf that is none, in its bundle and with its hash: whoever writes the files can do that. */
static void
a_leaf_that_is_none_is_not_given_out_though_all_hashes_fit(void **state)
{
    static const uint8_t bundle[] = "\0\7no leaf";
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_hash hash;

    keep_many(room, 0, 1);
    pb_tree_hash_leaf("no leaf", 7, &hash);
    put_file(room, PUBLIC, "tile/entries/000.p/1", bundle, sizeof(bundle) - 1);
    put_file(room, PUBLIC, "tile/0/000.p/1", hash.bytes, sizeof(hash.bytes));
    expect(PB_E_CORRUPT, read_log(room, &error), &error, "leaf");
    expect(PB_E_CORRUPT, prove(room, 0, &error), &error, "leaf");
}

static void
what_else_lies_among_partial_tiles_is_left_alone(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t count = 0;

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    put_file(room, PUBLIC, "tile/0/000.p/note", "x", 1);
    put_file(room, PUBLIC, "tile/0/000.p/300", "x", 1);
    must(room->env.files->mkdir(room->env.file_context, PUBLIC "/tile/0/000.p/5", &error), &error);
    keep_many(room, 3, 300);
    assert_verifies(room, 303);
    pb_free(&room->env, get_file(room, PUBLIC, "tile/0/000.p/note", &count));
    pb_free(&room->env, get_file(room, PUBLIC, "tile/0/000.p/300", &count));
}

/* ---- openings ---- */

static void
openings_that_are_missing_or_too_few_stop_reading_and_keeping(void **state)
{
    static const char words[] = "missing or damaged";
    struct room *room = *state;
    struct pb_sealed items[PB_TILE_WIDTH];
    struct pb_error error = { .message = "" };
    uint8_t *bytes, few[4096];
    uint32_t item_count = 0;
    size_t count = 0;

    keep_many(room, 0, 3);
    append_many(room, 3, 2);
    bytes = get_file(room, PRIVATE, "tile/entries/000", &count);
    assert_int_equal(PB_OK, pb_sealed_file_decode(bytes, count, 0, items, &item_count));
    assert_int_equal(3, item_count);
    pb_sealed_file_encode(0, items, 2, few);
    put_file(room, PRIVATE, "tile/entries/000", few, pb_sealed_file_bytes(items, 2));
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    expect(PB_E_CORRUPT, keep(room, &error), &error, words);
    put_file(room, PRIVATE, "tile/entries/000", "x", 1);
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    expect(PB_E_CORRUPT, keep(room, &error), &error, words);
    unlink_file(room, PRIVATE "/tile/entries/000");
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    expect(PB_E_CORRUPT, keep(room, &error), &error, words);
    put_file(room, PRIVATE, "tile/entries/000", bytes, count);
    must(keep(room, &error), &error);
    assert_reads(room, 5);
    pb_free(&room->env, bytes);
}

/* Seals other openings under the key that the true ones had. */
static void
forge_openings(struct room *room, const uint8_t *plain, size_t count, struct pb_sealed *item,
               uint8_t *sealed)
{
    static const uint8_t nonce[PB_SEAL_NONCE_BYTES] = { 9 };
    uint8_t key[PB_TERM_KEY_BYTES], file[4096];
    struct pb_error error = { .message = "" };

    must(pb_keys_term(room->audit->keys, item->term, false, key, &error), &error);
    pb_seal(key, pb_str_from("a42"), item->term, nonce, plain, count, sealed);
    item->bytes = sealed;
    item->count = (uint32_t)(count + PB_SEAL_EXTRA_BYTES);
    pb_sealed_file_encode(0, item, 1, file);
    put_file(room, PRIVATE, "tile/entries/000", file, pb_sealed_file_bytes(item, 1));
}

static void
openings_of_another_form_or_of_another_leaf_are_not_given_out(void **state)
{
    static const char words[] = "do not fit what their leaf commits to";
    static uint8_t salts[PB_AUDIT_FIELDS_MAX][PB_SALT_BYTES];
    struct room *room = *state;
    struct pb_sealed items[PB_TILE_WIDTH];
    struct pb_error error = { .message = "" };
    uint8_t sealed[2048], plain[1024], *bytes;
    struct room_leaf leaf;
    uint32_t item_count = 0;
    size_t count = 0;

    keep_many(room, 0, 1);
    bytes = get_file(room, PRIVATE, "tile/entries/000", &count);
    assert_int_equal(PB_OK, pb_sealed_file_decode(bytes, count, 0, items, &item_count));
    forge_openings(room, (const uint8_t *)"\1", 1, &items[0], sealed);
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    expect(PB_E_CORRUPT, prove(room, 0, &error), &error, words);
    room_leaf_init(&leaf, "a42", 0);
    assert_true(pb_openings_bytes(&leaf.leaf) <= sizeof(plain));
    pb_openings_encode(&leaf.leaf, (const uint8_t(*)[PB_SALT_BYTES])salts, plain);
    forge_openings(room, plain, pb_openings_bytes(&leaf.leaf), &items[0], sealed);
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    /* Or those that were there, but for a bit. */
    assert_int_equal(PB_OK, pb_sealed_file_decode(bytes, count, 0, items, &item_count));
    memcpy(sealed, items[0].bytes, items[0].count);
    sealed[items[0].count - 1] ^= 1;
    items[0].bytes = sealed;
    pb_sealed_file_encode(0, items, 1, bytes);
    put_file(room, PRIVATE, "tile/entries/000", bytes, count);
    expect(PB_E_CORRUPT, read_log(room, &error), &error, words);
    pb_free(&room->env, bytes);
}

/* ---- keys ---- */

static void
a_signing_key_of_which_one_sign_is_another_is_none(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t count = 0;
    uint8_t *bytes = get_file(room, ROOM_KEYS, "a42.key", &count);

    append_many(room, 0, 1);
    for (size_t at = 0; at < count; at++) {
        bytes[at] ^= 3;
        put_file(room, ROOM_KEYS, "a42.key", bytes, count);
        if (pb_audit_publish(room->audit, NULL, &error) != PB_E_CORRUPT)
            fail_msg("byte %zu", at);
        bytes[at] ^= 3;
    }
    put_file(room, ROOM_KEYS, "a42.key", bytes, count);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    pb_free(&room->env, bytes);
}

static bool
expect_gone(void *context, const struct pb_audit_entry *entry)
{
    *(bool *)context = entry->secrets[0].is_destroyed && entry->secrets[0].value.bytes == 0;
    return true;
}

/* Destroyed, and made anew since: what was sealed before is gone. */
static void
a_term_key_that_is_another_opens_nothing(void **state)
{
    struct room *room = *state;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    uint8_t bytes[PB_TERM_KEY_BYTES + 8] = { 7 };
    bool is_gone = false;

    append_many(room, 0, 1);
    for (unsigned i = 0; i < 8; i++)
        bytes[PB_TERM_KEY_BYTES + i] = (uint8_t)(pb_hash_bytes(bytes, PB_TERM_KEY_BYTES) >> 8 * i);
    put_file(room, ROOM_KEYS, "terms/2027-02", bytes, sizeof(bytes));
    reopen(room);
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
    assert_true(is_gone);
}

static void
a_term_key_that_is_cut_is_damaged_and_not_destroyed(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char name[64];
    uint8_t *bytes;
    size_t count = 0;

    append_many(room, 0, 1);
    (void)snprintf(name, sizeof(name), "terms/2027-02"); /* 400 days from where the clock stands */
    bytes = get_file(room, ROOM_KEYS, name, &count);
    put_file(room, ROOM_KEYS, name, bytes, count - 1);
    reopen(room);
    expect(PB_E_CORRUPT, read_log(room, &error), &error, "of openings is damaged");
    put_file(room, ROOM_KEYS, name, bytes, count);
    must(read_log(room, &error), &error);
    pb_free(&room->env, bytes);
}

static void
heads_larger_than_any_are_as_good_as_none(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t bytes = 48 + (size_t)PB_LOGS_MAX * (1 + PB_LOG_ID_BYTES_MAX + 8 + PB_HASH_BYTES) + 9;
    uint8_t *large = calloc(1, bytes);

    append_many(room, 0, 2);
    close_room(room);
    assert_non_null(large);
    put_file(room, ROOM_KEYS, "heads.0", large, bytes);
    free(large);
    /* The other one may be older or newer: either is whole. */
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &only_reads, &room->audit, &error),
         &error);
    assert_reads(room, 2);
}

/* Heads of before the log was there: keys that were put back from a copy. */
static void
a_log_of_which_the_heads_know_nothing_can_begin_again(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint8_t *heads[2];
    size_t counts[2];
    struct pb_audit_filter filter = { .log = "b7", .last = UINT64_MAX };
    uint64_t count = 0;

    heads[0] = get_file(room, ROOM_KEYS, "heads.0", &counts[0]);
    heads[1] = get_file(room, ROOM_KEYS, "heads.1", &counts[1]);
    must(pb_audit_log_add(room->audit, "b7", "logs.example/agency/b7", &error), &error);
    close_room(room);
    put_file(room, ROOM_KEYS, "heads.0", heads[0], counts[0]);
    put_file(room, ROOM_KEYS, "heads.1", heads[1], counts[1]);
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, "b7", &error), &error);
    open_room(room);
    must(pb_audit_read(room->audit, &filter, take_entry, &count, &error), &error);
    assert_int_equal(1, count); /* the leaf that says so */
    assert_int_equal(1, pb_keys_head(room->audit->keys, "b7")->size);
    pb_free(&room->env, heads[0]);
    pb_free(&room->env, heads[1]);
}

/* ---- the state ---- */

static void
change_state(struct room *room, void (*change)(struct pb_state *state))
{
    struct pb_state state;
    struct pb_error error = { .message = "" };
    size_t count = 0;
    uint8_t *bytes = get_file(room, ROOM_PATH, "state", &count);

    must(pb_state_decode(&room->env, bytes, count, &state, &error), &error);
    pb_free(&room->env, bytes);
    change(&state);
    must(pb_state_encode(&state, &room->env, &bytes, &count), &error);
    put_file(room, ROOM_PATH, "state", bytes, count);
    pb_free(&room->env, bytes);
    pb_state_done(&state, &room->env);
}

static void
drop_last_log(struct pb_state *state)
{
    state->log_count--;
}

/* While one log begins again, another that is missing is told of when it is its turn. */
static void
a_log_begins_again_beside_one_that_is_missing(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t index;

    append_many(room, 0, 2);
    must(room_append(room->audit, PB_AUDIT_OPERATOR, 0, &index, &error), &error);
    must(keep(room, &error), &error);
    close_room(room);
    change_state(room, drop_last_log);
    expect(PB_E_CORRUPT,
           pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, &room->audit, &error), &error,
           "audit log 'operator' is missing");
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, "a42", &error), &error);
    expect(PB_E_CORRUPT,
           pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, &room->audit, &error), &error,
           "audit log 'operator' is missing");
    room->audit = NULL;
}

#define MANY_TILES 999u

static struct pb_hash root_of_many;

static void
make_it_long(struct pb_state *state)
{
    state->logs[0].root = root_of_many;
    state->logs[0].size = MANY_TILES * PB_TILE_WIDTH;
    state->logs[0].previous_size = state->logs[0].size;
}

/* Passes on to the disk, and counts the directories of bundles that are synced. */
struct synced {
    const struct pb_file_ops *below;
    struct pb_file_ops files;
    unsigned first, second;
};
static struct synced synced;

static enum pb_status
note_sync(void *context, const char *path, struct pb_error *error)
{
    synced.first += strcmp(path, PUBLIC "/tile/entries") == 0;
    synced.second += strcmp(path, PUBLIC "/tile/entries/x001") == 0;
    return synced.below->sync_directory(context, path, error);
}

static void
count_syncs(struct room *room)
{
    synced = (struct synced){ .below = room->env.files, .files = *room->env.files };
    synced.files.sync_directory = note_sync;
    room->env.files = &synced.files;
}

/* A directory holds a thousand bundles: keeping syncs each in which something got a name. */
static void
every_directory_that_got_names_is_synced_and_none_in_vain(void **state)
{
    static uint8_t hashes[PB_TILE_WIDTH * PB_HASH_BYTES];
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_nodes nodes;
    uint64_t index = 0;

    /* A log of 999 tiles, of which there is only what appending looks at. */
    put_file(room, PUBLIC, "tile/1/003.p/231", hashes, 231 * PB_HASH_BYTES);
    put_file(room, PUBLIC, "tile/2/000.p/3", hashes, 3 * PB_HASH_BYTES);
    pb_nodes_init(&nodes, &log_of(room)->public_place, MANY_TILES * PB_TILE_WIDTH);
    must(pb_tree_root(MANY_TILES * PB_TILE_WIDTH, pb_nodes_node, &nodes, &root_of_many, &error),
         &error);
    close_room(room);
    change_state(room, make_it_long);
    open_room(room);
    for (uint32_t i = 0; i < 3 * PB_TILE_WIDTH + 5; i++)
        must(room_append(room->audit, "a42", i, &index, &error), &error);
    assert_int_equal((MANY_TILES + 3) * PB_TILE_WIDTH + 4, index);
    count_syncs(room);
    must(keep(room, &error), &error);
    room->env.files = synced.below;
    assert_true(synced.first > 0 && synced.second > 0);
    assert_int_equal((MANY_TILES + 3) * PB_TILE_WIDTH + 5, log_of(room)->kept_size);
}

/* As many logs as there may be, of which but two have files. */
static void
there_is_no_log_past_the_last(void **state)
{
    struct room *room = *state;
    struct pb_state_log *logs = calloc(PB_LOGS_MAX, sizeof(*logs));
    struct pb_error error = { .message = "" };
    struct pb_state now, full;
    size_t count = 0;
    uint8_t *bytes;

    close_room(room);
    bytes = get_file(room, ROOM_PATH, "state", &count);
    must(pb_state_decode(&room->env, bytes, count, &now, &error), &error);
    pb_free(&room->env, bytes);
    assert_non_null(logs);
    for (uint32_t i = 0; i < PB_LOGS_MAX; i++) {
        logs[i] = now.logs[i == 0 ? 0 : 1];
        if (i > 0)
            (void)snprintf(logs[i].id, sizeof(logs[i].id),
                           i + 1 == PB_LOGS_MAX ? "operator" : "b%05u", i);
    }
    full = now;
    full.logs = logs;
    full.log_count = PB_LOGS_MAX;
    must(pb_state_encode(&full, &room->env, &bytes, &count), &error);
    pb_state_done(&now, &room->env);
    put_file(room, ROOM_PATH, "state", bytes, count);
    pb_free(&room->env, bytes);
    free(logs);
    open_room(room);
    expect(PB_OVER_LIMIT, pb_audit_log_add(room->audit, "c1", NULL, &error), &error,
           "at most 65536 audit logs");
    append_many(room, 0, 1);
}

/* ---- copies of checkpoints ---- */

static void
a_log_begins_again_beside_others_whose_copies_are_looked_at(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .checkpoint_copies = "data/outside" };
    struct pb_error error = { .message = "" };

    must(room->env.files->mkdir(room->env.file_context, "data/outside", &error), &error);
    append_many(room, 0, 2);
    close_room(room);
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &options, "a42", &error), &error);
    put_file(room, "data/outside", "operator.checkpoint", "none\n", 5);
    /* What is wrong with another is no hindrance, and stays wrong. */
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &options, "a42", &error), &error);
    expect(PB_E_CORRUPT,
           pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error,
           "operator.checkpoint' is no checkpoint of this log");
    room->audit = NULL;
}

/* ---- what is set aside ---- */

static void
a_log_begins_again_under_a_number_that_nothing_is_set_aside_under(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char path[128];
    size_t count = 0;

    append_many(room, 0, 2);
    close_room(room);
    /* Half of something that was interrupted is in the way, too. */
    must(room->env.files->mkdir(room->env.file_context, ROOM_PATH "/private/a42~1", &error),
         &error);
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, "a42", &error), &error);
    pb_free(&room->env, get_file(room, ROOM_PATH "/public/a42~2", "checkpoint", &count));
    for (unsigned number = 3; number < 1000; number++) {
        (void)snprintf(path, sizeof(path), ROOM_PATH "/public/a42~%u", number);
        must(room->env.files->mkdir(room->env.file_context, path, &error), &error);
    }
    expect(PB_OVER_LIMIT,
           pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, "a42", &error), &error,
           "begun again too often");
    open_room(room); /* nothing happened */
}

/* ---- backups ---- */

static enum pb_status
list_nothing(void *context, const char *path, pb_list_fn *each, void *each_context,
             struct pb_error *error)
{
    (void)context;
    (void)path;
    (void)each;
    (void)each_context;
    (void)error;
    return PB_NOT_FOUND;
}

static void
what_a_backup_finds_missing_is_named(void **state)
{
    struct room *room = *state;
    const struct pb_file_ops *below = room->env.files;
    struct pb_file_ops files = *below;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 2);
    must(keep(room, &error), &error);
    unlink_file(room, ROOM_PATH "/lock");
    expect(PB_E_CORRUPT, pb_audit_backup(room->audit, "data/b1", &error), &error,
           "'lock' was there and is gone");
    put_file(room, ROOM_PATH, "lock", "", 0);
    files.list = list_nothing;
    room->env.files = &files;
    expect(PB_E_CORRUPT, pb_audit_backup(room->audit, "data/b2", &error), &error,
           "public' is missing");
    room->env.files = below;
    must(pb_audit_backup(room->audit, "data/b3", &error), &error);
}

static void
a_backup_follows_no_path_without_end(void **state)
{
    static char deep[400] = PUBLIC;
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t used;

    for (int i = 0; i < 16; i++) {
        used = strlen(deep);
        memcpy(deep + used, "/d", 3);
        must(room->env.files->mkdir(room->env.file_context, deep, &error), &error);
    }
    expect(PB_E_CORRUPT, pb_audit_backup(room->audit, "data/b1", &error), &error, "without end");
    while (strlen(deep) > strlen(PUBLIC)) {
        must(room->env.files->rmdir(room->env.file_context, deep, &error), &error);
        deep[strlen(deep) - 2] = '\0';
    }
    for (int i = 0; i < 3; i++) {
        used = strlen(deep);
        deep[used] = '/';
        memset(deep + used + 1, 'l', 90);
        deep[used + 91] = '\0';
        must(room->env.files->mkdir(room->env.file_context, deep, &error), &error);
    }
    expect(PB_OVER_LIMIT, pb_audit_backup(room->audit, "data/b2", &error), &error,
           "the path of a file is too long");
}

/* ---- places ---- */

static void
a_place_without_its_directory_takes_no_file(void **state)
{
    struct room *room = *state;
    struct pb_place place;
    struct pb_error error = { .message = "" };

    must(pb_place_init(&place, &room->env, "data/nowhere", &error), &error);
    assert_int_equal(PB_E_IO, pb_place_write(&place, pb_str_from("x"), 0, "x", 1, &error));
    assert_int_equal(PB_OK, pb_place_unlink(&place, pb_str_from("x"), &error));
    pb_place_done(&place);
    must(pb_place_init(&place, &room->env, "data", &error), &error);
    assert_int_equal(PB_E_IO, pb_place_sync_up(&place, pb_str_from("nowhere/x"), &error));
    pb_place_done(&place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_checkpoint_that_is_missing_or_none_is_named),
        TEST(a_tile_that_is_cut_is_named_whether_at_a_hash_or_within_one),
        TEST(what_is_wrong_is_told_by_file_and_in_words),
        TEST(a_leaf_that_is_none_is_not_given_out_though_all_hashes_fit),
        TEST(what_else_lies_among_partial_tiles_is_left_alone),
        TEST(openings_that_are_missing_or_too_few_stop_reading_and_keeping),
        TEST(openings_of_another_form_or_of_another_leaf_are_not_given_out),
        TEST(a_signing_key_of_which_one_sign_is_another_is_none),
        TEST(a_term_key_that_is_another_opens_nothing),
        TEST(a_term_key_that_is_cut_is_damaged_and_not_destroyed),
        TEST(heads_larger_than_any_are_as_good_as_none),
        TEST(a_log_of_which_the_heads_know_nothing_can_begin_again),
        TEST(a_log_begins_again_beside_one_that_is_missing),
        TEST(every_directory_that_got_names_is_synced_and_none_in_vain),
        TEST(there_is_no_log_past_the_last),
        TEST(a_log_begins_again_beside_others_whose_copies_are_looked_at),
        TEST(a_log_begins_again_under_a_number_that_nothing_is_set_aside_under),
        TEST(what_a_backup_finds_missing_is_named),
        TEST(a_backup_follows_no_path_without_end),
        TEST(a_place_without_its_directory_takes_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
