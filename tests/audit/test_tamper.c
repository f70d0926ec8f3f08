/*
 * Tampering: each attack that the logs are there to expose, and that it is exposed. What only
 * witnesses can see is in test_witness.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/proof.h"
#include "audit/verify_script.h"
#include "base/base64.h"

#define PUBLIC ROOM_PATH "/public/a42"
#define FORGED "data/forged"

static uint64_t
next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t
count_wrong(struct room *room, const char *path, const char *old_checkpoint)
{
    struct pb_audit_check check;
    const struct pb_audit_evidence evidence = { .old_checkpoint = old_checkpoint };
    struct pb_error error = { .message = "" };

    must(pb_audit_verify_log(&room->env, path, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    return check.wrong;
}

static char *
read_text(struct room *room, const char *directory, const char *name)
{
    struct pb_place place;
    struct pb_error error = { .message = "" };
    uint8_t *bytes = NULL;
    size_t count = 0;

    must(pb_place_init(&place, &room->env, directory, &error), &error);
    must(pb_place_read(&place, pb_str_from(name), 1 << 20, &bytes, &count, &error), &error);
    pb_place_done(&place);
    return (char *)bytes;
}

/* ---- T1 ---- */

struct files {
    char paths[64][128];
    uint64_t sizes[64];
    uint32_t count;
};

static void
note_public_file(void *context, const char *path, uint64_t size)
{
    struct files *files = context;

    if (strncmp(path, PUBLIC "/", strlen(PUBLIC "/")) != 0 || size == 0)
        return;
    assert_true(files->count < 64);
    (void)snprintf(files->paths[files->count], sizeof(files->paths[0]), "%s", path);
    files->sizes[files->count++] = size;
}

/* One bit of any public file. */
static void
flip_any_bit(struct room *room, const struct files *files, uint64_t *seed, const char **ret_path,
             uint64_t *ret_bit)
{
    uint32_t which = (uint32_t)(next_random(seed) % files->count);

    *ret_path = files->paths[which];
    *ret_bit = next_random(seed) % (files->sizes[which] * 8);
    assert_true(sim_fs_flip_bit(room->fs, *ret_path, *ret_bit));
}

static void
t1_one_changed_bit_in_any_public_file_is_found(void **state)
{
    struct room *room = *state;
    struct files files = { .count = 0 };
    uint32_t flips = getenv("PB_NIGHT") != NULL ? 10000 : 600;
    uint64_t seed = 1;

    append_many(room, 0, 300);
    close_room(room);
    sim_fs_each_file(room->fs, note_public_file, &files);
    /* checkpoint; two bundles; two tiles of level 0, one of level 1 */
    assert_int_equal(6, files.count);
    assert_int_equal(0, count_wrong(room, PUBLIC, NULL));
    for (uint32_t i = 0; i < flips; i++) {
        const char *path;
        uint64_t bit;

        flip_any_bit(room, &files, &seed, &path, &bit);
        if (count_wrong(room, PUBLIC, NULL) == 0)
            fail_msg("%s: bit %llu is changed and nobody sees it", path, (unsigned long long)bit);
        assert_true(sim_fs_flip_bit(room->fs, path, bit));
    }
}

static void
t1_the_independent_verifier_finds_changed_bits_too(void **state)
{
    struct room *room = *state;
    struct files files = { .count = 0 };
    char directory[] = "/tmp/pb-audit-XXXXXX";
    char arguments[1024], output[4096];
    uint32_t flips = getenv("PB_NIGHT") != NULL ? 300 : 12;
    uint64_t seed = 2;

    if (!has_python())
        skip();
    append_many(room, 0, 300);
    close_room(room);
    sim_fs_each_file(room->fs, note_public_file, &files);
    assert_non_null(mkdtemp(directory));
    (void)snprintf(arguments, sizeof(arguments), "'%s' '%s'", directory, room->vkey);
    for (uint32_t i = 0; i <= flips; i++) {
        const char *path = "";
        uint64_t bit = 0;
        int expected = i == 0 ? 0 : 1;

        if (i > 0)
            flip_any_bit(room, &files, &seed, &path, &bit);
        export_files(room, PUBLIC "/", directory);
        if (verify_script(arguments, output, sizeof(output)) != expected)
            fail_msg("%s: bit %llu: %s", path, (unsigned long long)bit, output);
        if (i > 0)
            assert_true(sim_fs_flip_bit(room->fs, path, bit));
    }
    remove_directory(directory);
}

/* ---- forging: whoever has the signing key can make any log ---- */

struct forgery {
    struct pb_str leaves[PB_TILE_WIDTH];
    uint32_t count;
    char room[PB_TILE_WIDTH][512];
};

static bool
take_leaf(void *context, const struct pb_audit_entry *entry)
{
    struct forgery *forgery = context;

    assert_true(entry->leaf.bytes < sizeof(forgery->room[0]));
    memcpy(forgery->room[forgery->count], entry->leaf.text, entry->leaf.bytes);
    forgery->leaves[forgery->count] =
        (struct pb_str){ forgery->room[forgery->count], entry->leaf.bytes };
    forgery->count++;
    return true;
}

static void
take_leaves(struct room *room, struct forgery *forgery)
{
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };

    forgery->count = 0;
    must(pb_audit_read(room->audit, &filter, take_leaf, forgery, &error), &error);
}

/* The root of the forged leaves. */
static struct pb_hash
forged_root(const struct forgery *forgery, uint32_t count, struct pb_hash *ret_hashes)
{
    struct pb_tree_edge edge = { .size = 0 };
    struct pb_hash root;

    for (uint32_t i = 0; i < count; i++) {
        pb_tree_hash_leaf(forgery->leaves[i].text, forgery->leaves[i].bytes, &ret_hashes[i]);
        pb_tree_edge_add(&edge, &ret_hashes[i]);
    }
    pb_tree_edge_root(&edge, &root);
    return root;
}

/* A checkpoint over the forged leaves with the log's own key. */
static size_t
sign_forgery(struct room *room, uint64_t size, const struct pb_hash *root, char *ret_text,
             size_t room_bytes)
{
    struct pb_audit_log *log = pb_audit_find(room->audit, pb_str_from("a42"));
    struct pb_text_out out = pb_text_out(ret_text, room_bytes);
    struct pb_checkpoint checkpoint = { .origin = pb_str_from(log->key.name),
                                        .size = size,
                                        .root = *root };
    struct pb_error error = { .message = "" };
    uint8_t secret[64];
    struct pb_str text;

    must(pb_keys_signer(room->audit->keys, "a42", &log->key, secret, &error), &error);
    pb_checkpoint_put(&out, &checkpoint);
    text = (struct pb_str){ ret_text, (uint32_t)(out.at - ret_text) };
    pb_put_char(&out, '\n');
    pb_note_put_signature(&out, text, &log->key, secret);
    pb_put_char(&out, '\0');
    assert_false(out.is_cut);
    return (size_t)(out.at - ret_text) - 1;
}

/* Writes a public side that is right in itself. */
static void
write_forgery(struct room *room, const struct forgery *forgery)
{
    static uint8_t bundle[PB_TILE_WIDTH * 514];
    struct pb_hash hashes[PB_TILE_WIDTH], root = forged_root(forgery, forgery->count, hashes);
    struct pb_error error = { .message = "" };
    struct pb_place place;
    char name[64], text[1024];
    size_t bytes = 0, text_bytes;

    must(pb_place_init(&place, &room->env, FORGED, &error), &error);
    must(pb_place_mkdir(&place, (struct pb_str){ NULL, 0 }, &error), &error);
    for (uint32_t i = 0; i < forgery->count; i++) {
        bundle[bytes] = (uint8_t)(forgery->leaves[i].bytes >> 8);
        bundle[bytes + 1] = (uint8_t)forgery->leaves[i].bytes;
        memcpy(bundle + bytes + 2, forgery->leaves[i].text, forgery->leaves[i].bytes);
        bytes += 2 + forgery->leaves[i].bytes;
    }
    (void)snprintf(name, sizeof(name), "tile/entries/000.p/%u", forgery->count);
    must(pb_place_write(&place, pb_str_from(name), 0, bundle, bytes, &error), &error);
    (void)snprintf(name, sizeof(name), "tile/0/000.p/%u", forgery->count);
    must(pb_place_write(&place, pb_str_from(name), 0, hashes, forgery->count * sizeof(hashes[0]),
                        &error),
         &error);
    text_bytes = sign_forgery(room, forgery->count, &root, text, sizeof(text));
    must(pb_place_write(&place, pb_str_from("checkpoint"), 0, text, text_bytes, &error), &error);
    pb_place_done(&place);
}

static struct forgery forgery;

/* ---- T2 ---- */

static void
t2_cut_off_leaves_are_seen_by_whoever_kept_a_checkpoint(void **state)
{
    struct room *room = *state;
    char *newest;

    append_many(room, 0, 20);
    must(pb_audit_publish(room->audit, NULL, NULL), &(struct pb_error){ "" });
    newest = read_text(room, PUBLIC, "checkpoint");
    take_leaves(room, &forgery);
    forgery.count = 15;
    write_forgery(room, &forgery);
    assert_int_equal(0, count_wrong(room, FORGED, NULL));
    assert_true(count_wrong(room, FORGED, newest) > 0);
    pb_free(&room->env, newest);
}

/* Opens the room's keys with another directory of logs. */
static enum pb_status
open_other(struct room *room, const char *path, const char *copies, struct pb_error *error)
{
    struct pb_audit_options options = { .publishes_by_hand = true, .checkpoint_copies = copies };

    return pb_audit_open(&room->env, path, ROOM_KEYS, &options, &room->audit, error);
}

static void
t2_a_log_that_lost_published_leaves_is_not_opened_for_writing(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 20);
    must(pb_audit_backup(room->audit, "data/cut", &error), &error);
    append_many(room, 20, 5);
    close_room(room);
    /* All that tells of the newer leaves is gone from the directory of logs itself. */
    assert_int_equal(PB_E_CORRUPT, open_other(room, "data/cut", NULL, &error));
    assert_non_null(strstr(error.message, "leaves are lost"));
    assert_non_null(strstr(error.message, "new origin"));
    room->audit = NULL;
}

/* ---- T3 ---- */

static void
change_a_leaf(struct forgery *what, uint32_t index)
{
    char *digit = strstr(what->room[index], "\"n\":") + 4;

    *digit = *digit == '9' ? '8' : '9';
}

static void
t3_a_rewritten_leaf_under_a_fresh_signature_contradicts_any_saved_checkpoint(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_place place;
    char *saved;

    append_many(room, 0, 10);
    must(pb_audit_publish(room->audit, NULL, NULL), &(struct pb_error){ "" });
    saved = read_text(room, PUBLIC, "checkpoint");
    append_many(room, 10, 10);
    must(pb_audit_publish(room->audit, NULL, NULL), &error);
    take_leaves(room, &forgery);
    write_forgery(room, &forgery);
    assert_int_equal(0, count_wrong(room, FORGED, saved));
    change_a_leaf(&forgery, 4);
    write_forgery(room, &forgery);
    assert_int_equal(0, count_wrong(room, FORGED, NULL)); /* right in itself */
    assert_true(count_wrong(room, FORGED, saved) > 0);
    pb_free(&room->env, saved);

    /* Under the true checkpoint nothing is wrong with the forged files but their root. */
    saved = read_text(room, PUBLIC, "checkpoint");
    must(pb_place_init(&place, &room->env, FORGED, &error), &error);
    must(pb_place_write(&place, pb_str_from("checkpoint"), 0, saved, strlen(saved), &error),
         &error);
    pb_place_done(&place);
    assert_int_equal(1, count_wrong(room, FORGED, NULL));
    pb_free(&room->env, saved);
}

/* The directory of logs says that the forged leaves were there all along. */
static void
forge_state(struct room *room)
{
    struct pb_error error = { .message = "" };
    struct pb_hash hashes[PB_TILE_WIDTH];
    struct pb_state forged;
    struct pb_place place;
    uint8_t *bytes = NULL;
    size_t count = 0;

    must(pb_place_init(&place, &room->env, ROOM_PATH, &error), &error);
    must(pb_place_read(&place, pb_str_from("state"), 1 << 20, &bytes, &count, &error), &error);
    must(pb_state_decode(&room->env, bytes, count, &forged, &error), &error);
    pb_free(&room->env, bytes);
    assert_string_equal("a42", forged.logs[0].id);
    forged.logs[0].root = forged_root(&forgery, forgery.count, hashes);
    must(pb_state_encode(&forged, &room->env, &bytes, &count), &error);
    must(pb_place_write(&place, pb_str_from("state"), 0, bytes, count, &error), &error);
    pb_free(&room->env, bytes);
    pb_state_done(&forged, &room->env);
    pb_place_done(&place);
}

static void
t3_a_rewritten_log_is_not_opened_for_writing(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 20);
    take_leaves(room, &forgery);
    must(pb_audit_backup(room->audit, "data/aside", &error), &error); /* all is kept now */
    close_room(room);
    change_a_leaf(&forgery, 4);
    forge_state(room);
    assert_int_equal(PB_E_CORRUPT, open_other(room, ROOM_PATH, NULL, &error));
    assert_non_null(strstr(error.message, "it was changed"));
    room->audit = NULL;
}

/* ---- T5 ---- */

static void
t5_a_restored_old_backup_cannot_write_on(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t index;

    append_many(room, 0, 30);
    must(pb_audit_backup(room->audit, "data/backup", &error), &error);
    close_room(room);

    /* Nothing was given out since: the backup is as good as the original. */
    must(open_other(room, "data/backup", NULL, &error), &error);
    must(room_append(room->audit, "a42", 30, &index, &error), &error);
    assert_int_equal(30, index);
    close_room(room);

    /* Now the original is the old one. */
    assert_int_equal(PB_E_CORRUPT, open_other(room, ROOM_PATH, NULL, &error));
    room->audit = NULL;
    assert_int_equal(0, sim_fs_open_count(room->fs));
}

/* The simulated disk as it was, with the directory outside as it is now. */
static void
put_back_all_but_outside(struct room *room, struct sim_fs *before)
{
    struct pb_error error = { .message = "" };
    char *copy = read_text(room, "data/outside", "a42.checkpoint");
    struct pb_place place;

    sim_fs_free(room->fs);
    room->fs = before;
    room->env = sim_fs_env(before);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    must(pb_place_init(&place, &room->env, "data/outside", &error), &error);
    must(pb_place_write(&place, pb_str_from("a42.checkpoint"), 0, copy, strlen(copy), &error),
         &error);
    pb_place_done(&place);
    pb_free(&room->env, copy);
}

static void
t5_copies_outside_tell_when_the_keys_were_put_back_too(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct sim_fs *before;

    must(room->env.files->mkdir(room->env.file_context, "data/outside", &error), &error);
    close_room(room);
    before = sim_fs_clone(room->fs);
    must(open_other(room, ROOM_PATH, "data/outside", &error), &error);
    append_many(room, 0, 7);
    close_room(room);
    put_back_all_but_outside(room, before);
    assert_int_equal(PB_E_CORRUPT, open_other(room, ROOM_PATH, "data/outside", &error));
    assert_non_null(strstr(error.message, "the copy of its checkpoint"));
    /* Without a look outside nobody can tell. */
    must(open_other(room, ROOM_PATH, NULL, &error), &error);
}

static void
t5_a_copy_outside_that_is_none_is_not_passed_over(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    must(room->env.files->mkdir(room->env.file_context, "data/outside", &error), &error);
    close_room(room);
    must(open_other(room, ROOM_PATH, "data/outside", &error), &error);
    append_many(room, 0, 7);
    close_room(room);
    assert_true(sim_fs_flip_bit(room->fs, "data/outside/a42.checkpoint", 100));
    assert_int_equal(PB_E_CORRUPT, open_other(room, ROOM_PATH, "data/outside", &error));
    room->audit = NULL;
}

/* ---- T6 ---- */

static void
t6_two_leaves_in_another_order_do_not_have_the_root(void **state)
{
    struct room *room = *state;
    struct pb_str leaf;
    char *checkpoint;
    struct pb_error error = { .message = "" };
    struct pb_place place;

    append_many(room, 0, 20);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    checkpoint = read_text(room, PUBLIC, "checkpoint");
    take_leaves(room, &forgery);
    leaf = forgery.leaves[7];
    forgery.leaves[7] = forgery.leaves[8];
    forgery.leaves[8] = leaf;
    write_forgery(room, &forgery);
    assert_true(count_wrong(room, FORGED, checkpoint) > 0);
    /* With the true checkpoint in place of the forged one. */
    must(pb_place_init(&place, &room->env, FORGED, &error), &error);
    must(pb_place_write(&place, pb_str_from("checkpoint"), 0, checkpoint, strlen(checkpoint),
                        &error),
         &error);
    pb_place_done(&place);
    assert_true(count_wrong(room, FORGED, NULL) > 0);
    pb_free(&room->env, checkpoint);
}

/* Puts a record of one leaf into the journal of a closed room. */
static void
write_journal_record(struct room *room, uint64_t index)
{
    static const char text[] = "{\"v\":1,\"t\":1767225600123,\"ev\":\"query\",\"c\":{}}";
    struct pb_record_leaf leaf = { .log = pb_str_from("a42"),
                                   .index = index,
                                   .leaf = pb_str_from(text) };
    uint8_t payload[256], *at = pb_record_leaf_begin(&leaf, payload);
    struct pb_audit *audit;
    struct pb_log_record record;
    struct pb_error error = { .message = "" };

    memcpy(at, text, strlen(text));
    open_room(room);
    audit = room->audit;
    must(pb_journal_need(audit, &error), &error);
    record = (struct pb_log_record){ .commit = audit->commit + 1,
                                     .payload = payload,
                                     .payload_bytes = (size_t)(at - payload) + strlen(text),
                                     .count = 1 };
    must(pb_log_append(audit->journal, &record, 1, &error), &error);
    close_room(room);
}

static void
t6_an_index_that_is_used_twice_or_left_out_is_corruption(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    close_room(room);
    write_journal_record(room, 3); /* the next one: fine */
    open_room(room);
    assert_int_equal(4, pb_audit_find(room->audit, pb_str_from("a42"))->size);
    close_room(room);
    write_journal_record(room, 3);
    assert_int_equal(PB_E_CORRUPT, open_other(room, ROOM_PATH, NULL, &error));
    assert_non_null(strstr(error.message, "leaf 3 of log 'a42'"));
    room->audit = NULL;
}

/* ---- T7 ---- */

static void
t7_a_leaf_that_is_dated_back_is_reported(void **state)
{
    struct room *room = *state;
    char *digit;

    append_many(room, 0, 20);
    take_leaves(room, &forgery);
    digit = strstr(forgery.room[9], "\"t\":") + 4;
    assert_int_equal('1', *digit);
    digit[3] = '6'; /* long before the others */
    assert_true(memcmp(forgery.room[9], forgery.room[8], 25) < 0);
    write_forgery(room, &forgery);
    assert_true(count_wrong(room, FORGED, NULL) > 0);
}

/* ---- T8 ---- */

static uint64_t
size_of_log(struct room *room)
{
    return pb_audit_find(room->audit, pb_str_from("a42"))->size;
}

static void
t8_without_room_nothing_is_recorded_and_with_room_again_it_goes_on(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t index = 77;

    append_many(room, 0, 3);
    sim_fs_set_capacity(room->fs, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(PB_E_FULL, room_append(room->audit, "a42", 3, &index, &error));
        assert_int_equal(77, index);
        assert_int_equal(3, size_of_log(room));
    }
    assert_int_equal(PB_E_FULL, pb_audit_publish(room->audit, NULL, &error));
    sim_fs_set_capacity(room->fs, 0);
    append_many(room, 3, 3);
    close_room(room);
    open_room(room);
    assert_int_equal(6, size_of_log(room));
    assert_verifies(room, 6);
}

static void
t8_after_a_failed_sync_nothing_more_is_taken(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t index = 77;

    append_many(room, 0, 3);
    sim_fs_fail_sync_at(room->fs, 1);
    assert_int_equal(PB_E_IO, room_append(room->audit, "a42", 3, &index, &error));
    assert_int_equal(PB_E_POISONED, room_append(room->audit, "a42", 3, &index, &error));
    assert_int_equal(77, index);
    assert_int_equal(3, size_of_log(room));
    must(pb_audit_publish(room->audit, NULL, &error), &error); /* what was acknowledged */
    assert_verifies(room, 3);
    close_room(room);
    /* What was written is seen and was not acknowledged: it may count, once it is synced. */
    open_room(room);
    assert_int_equal(4, size_of_log(room));
    close_room(room);
    sim_fs_power_cut(room->fs, 1);
    open_room(room);
    assert_int_equal(4, size_of_log(room));
}

/* ---- T9 ---- */

static void
t9_a_leaf_of_another_shape_or_version_is_reported(void **state)
{
    static const char *const shapes[] = {
        "{\"v\":2,\"t\":1767225600123,\"ev\":\"query\",\"c\":{}}",
        "{\"v\":1,\"ev\":\"query\",\"c\":{}}",
        "{\"v\":1,\"t\":1767225600123,\"c\":{}}",
        "{\"v\":1,\"t\":1767225600123,\"ev\":\"query\"}",
        "{\"t\":1767225600123,\"ev\":\"query\",\"c\":{}}",
        "anything",
        "",
    };
    struct room *room = *state;

    append_many(room, 0, 20);
    take_leaves(room, &forgery);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        forgery.leaves[19] = pb_str_from(shapes[i]);
        write_forgery(room, &forgery);
        assert_int_equal(1, count_wrong(room, FORGED, NULL));
    }
}

/* ---- T10 ---- */

struct guessing {
    struct room *room;
    const uint8_t *wanted;
    size_t count;
    bool is_found;
};

static void
search_file(void *context, const char *path, uint64_t size)
{
    struct guessing *guessing = context;
    const struct pb_env *env = &guessing->room->env;
    struct pb_file *file = NULL;
    uint8_t *bytes;

    if (strncmp(path, ROOM_PATH "/", strlen(ROOM_PATH "/")) != 0)
        return;
    bytes = malloc((size_t)size + 1);
    assert_int_equal(PB_OK, env->files->open(env->file_context, path, PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_OK,
                     env->files->read(env->file_context, file, 0, bytes, (size_t)size, NULL));
    env->files->close(env->file_context, file);
    if (memmem(bytes, (size_t)size, guessing->wanted, guessing->count) != NULL)
        guessing->is_found = true;
    free(bytes);
}

static char paths_seen[512][256];

/* Whether bytes stand anywhere in the directory of logs: public side, openings, journal, state. */
static bool
is_anywhere(struct room *room, const void *wanted, size_t count)
{
    struct guessing guessing = { room, wanted, count, false };

    memset(paths_seen, 0, sizeof(paths_seen));
    sim_fs_each_file(room->fs, add_path, paths_seen);
    for (size_t i = 0; i < 511 && paths_seen[i][0] != '\0' && !guessing.is_found; i++) {
        uint64_t size = 0;

        assert_true(sim_fs_file_size(room->fs, paths_seen[i], &size));
        search_file(&guessing, paths_seen[i], size);
    }
    return guessing.is_found;
}

static void
t10_no_plate_case_or_reason_stands_in_any_file_nor_any_hash_of_one(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct room_leaf leaf;

    append_many(room, 0, 40);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    for (int round = 0; round < 2; round++) {
        assert_true(is_anywhere(room, "stolen-vehicle", 14)); /* so the search can find */
        for (uint32_t number = 0; number < 40; number += 13) {
            room_leaf_init(&leaf, "a42", number);
            for (uint32_t i = 0; i < ROOM_SECRETS; i++) {
                struct pb_str value = leaf.secrets[i].value;
                char text[65];
                struct pb_text_out out = pb_text_out(text, sizeof(text));
                struct pb_hash hash;

                assert_false(is_anywhere(room, value.text, value.bytes));
                (void)crypto_hash_sha256(hash.bytes, (const uint8_t *)value.text, value.bytes);
                assert_false(is_anywhere(room, hash.bytes, sizeof(hash.bytes)));
                pb_put_base64(&out, hash.bytes, sizeof(hash.bytes));
                assert_false(is_anywhere(room, text, (size_t)(out.at - text)));
            }
        }
        reopen(room);
        must(pb_audit_backup(room->audit, round == 0 ? "data/b1" : "data/b2", &error), &error);
    }
}

static void
t10_trying_every_plate_without_the_salt_fits_no_commitment(void **state)
{
    static const uint8_t no_salt[PB_SALT_BYTES];
    struct room *room = *state;
    struct pb_leaf leaf;
    uint32_t hits = 0;

    append_many(room, 0, 2);
    take_leaves(room, &forgery);
    assert_int_equal(PB_OK, pb_leaf_parse(forgery.leaves[1], &leaf, NULL));
    for (uint32_t number = 0; number < 10000; number++) {
        char plate[16];
        struct pb_hash hash;

        (void)snprintf(plate, sizeof(plate), "SYN%04u", number);
        pb_commitment(pb_str_from("plate"), no_salt, pb_str_from(plate), &hash);
        for (uint32_t i = 0; i < leaf.commitment_count; i++)
            hits += pb_hash_equal(&hash, &leaf.commitments[i].hash);
    }
    assert_int_equal(0, hits);
}

static void
t10_equal_values_do_not_look_equal(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_leaf first, second;
    uint64_t index;

    for (int i = 0; i < 2; i++)
        must(room_append(room->audit, "a42", 7, &index, &error), &error);
    take_leaves(room, &forgery);
    assert_int_equal(PB_OK, pb_leaf_parse(forgery.leaves[0], &first, NULL));
    assert_int_equal(PB_OK, pb_leaf_parse(forgery.leaves[1], &second, NULL));
    for (uint32_t i = 0; i < ROOM_SECRETS; i++)
        assert_false(pb_hash_equal(&first.commitments[i].hash, &second.commitments[i].hash));
}

/* ---- T11 (with the published vectors in test_tree.c) ---- */

static void
t11_every_changed_byte_of_a_proof_is_refused(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char *text = NULL;
    size_t bytes;

    append_many(room, 0, 21);
    must(pb_audit_prove(room->audit, "a42", 13, true, &text, &error), &error);
    must(pb_audit_verify_proof(&room->env, pb_str_from(text), room->vkey, &error), &error);
    bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        char before = text[i];

        for (int change = 1; change < 256; change = change * 2 + 1) {
            text[i] = (char)(before ^ change);
            if (text[i] != '\0' &&
                pb_audit_verify_proof(&room->env, (struct pb_str){ text, (uint32_t)bytes },
                                      room->vkey, &error) != PB_BAD_INPUT)
                fail_msg("byte %zu changed from '%c' to '%c' is taken", i, before, text[i]);
        }
        text[i] = before;
    }
    /* Cut anywhere. Where whole openings are gone the rest is still a proof. */
    for (size_t i = 0; i < bytes; i++) {
        bool may_end = text[i - (i > 0)] == '\n' && strstr(text, "\nopenings\n") + 10 <= text + i;
        bool is_without = i > 0 && strstr(text, "\n\nopenings\n") + 1 == text + i;

        if (pb_audit_verify_proof(&room->env, (struct pb_str){ text, (uint32_t)i }, room->vkey,
                                  &error) == PB_OK &&
            !may_end && !is_without)
            fail_msg("cut at byte %zu is taken", i);
    }
    pb_free(&room->env, text);
}

static void
t11_the_independent_verifier_takes_proofs_and_refuses_changed_ones(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char directory[] = "/tmp/pb-audit-XXXXXX";
    char path[128], arguments[1024], output[4096];
    uint64_t seed = 3;

    if (!has_python())
        skip();
    append_many(room, 0, 300);
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/proof", directory);
    (void)snprintf(arguments, sizeof(arguments), "--proof '%s' '%s'", path, room->vkey);
    for (uint64_t i = 0; i < 4; i++) {
        char *text = NULL;
        size_t bytes, at;

        must(pb_audit_prove(room->audit, "a42", i * 99, i % 2 == 0, &text, &error), &error);
        bytes = strlen(text);
        write_file(path, text, bytes);
        if (verify_script(arguments, output, sizeof(output)) != 0)
            fail_msg("refused: %s", output);
        at = (size_t)(next_random(&seed) % bytes);
        text[at] = (char)(text[at] ^ 1);
        write_file(path, text, bytes);
        if (verify_script(arguments, output, sizeof(output)) != 1)
            fail_msg("byte %zu changed: %s", at, output);
        pb_free(&room->env, text);
    }
    remove_directory(directory);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(t1_one_changed_bit_in_any_public_file_is_found),
        ROOM_TEST(t1_the_independent_verifier_finds_changed_bits_too),
        ROOM_TEST(t2_cut_off_leaves_are_seen_by_whoever_kept_a_checkpoint),
        ROOM_TEST(t2_a_log_that_lost_published_leaves_is_not_opened_for_writing),
        ROOM_TEST(t3_a_rewritten_leaf_under_a_fresh_signature_contradicts_any_saved_checkpoint),
        ROOM_TEST(t3_a_rewritten_log_is_not_opened_for_writing),
        ROOM_TEST(t5_a_restored_old_backup_cannot_write_on),
        ROOM_TEST(t5_copies_outside_tell_when_the_keys_were_put_back_too),
        ROOM_TEST(t5_a_copy_outside_that_is_none_is_not_passed_over),
        ROOM_TEST(t6_two_leaves_in_another_order_do_not_have_the_root),
        ROOM_TEST(t6_an_index_that_is_used_twice_or_left_out_is_corruption),
        ROOM_TEST(t7_a_leaf_that_is_dated_back_is_reported),
        ROOM_TEST(t8_without_room_nothing_is_recorded_and_with_room_again_it_goes_on),
        ROOM_TEST(t8_after_a_failed_sync_nothing_more_is_taken),
        ROOM_TEST(t9_a_leaf_of_another_shape_or_version_is_reported),
        ROOM_TEST(t10_no_plate_case_or_reason_stands_in_any_file_nor_any_hash_of_one),
        ROOM_TEST(t10_trying_every_plate_without_the_salt_fits_no_commitment),
        ROOM_TEST(t10_equal_values_do_not_look_equal),
        ROOM_TEST(t11_every_changed_byte_of_a_proof_is_refused),
        ROOM_TEST(t11_the_independent_verifier_takes_proofs_and_refuses_changed_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
