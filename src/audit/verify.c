/*
 * Verify: one log's public side, recomputed from its entries. Needs nothing of what made it.
 *
 * Every hash is computed again: of each entry, of each tile, of the root; and held against what
 * the files say. Where something is wrong, the rest is still looked at.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/witness.h"

#define TIME_MAX_S INT64_C(253402300799) /* the year 9999 */

struct verifying {
    struct pb_place place;
    struct pb_vkey key;
    pb_audit_wrong_fn *on_wrong;
    void *context;
    struct pb_audit_check *check;
    struct pb_tree_edge edge;
    struct pb_hash *tiles[PB_TILE_LEVELS]; /* owned: the one that is being filled, of each level */
    struct pb_checkpoint checkpoint;
    uint64_t old_size; /* 0: none given */
    struct pb_hash old_root;
    int64_t time_ms; /* of the newest leaf so far */
    /* What cosignatures say of when leaves were there: all of them, those past old_size. */
    int64_t not_after_ms, not_before_ms;
};

static void
wrong(struct verifying *verifying, const char *file, const char *what)
{
    verifying->check->wrong++;
    if (verifying->on_wrong != NULL)
        verifying->on_wrong(verifying->context, file, what);
}

static void
tile_name(const struct pb_tile *tile, char ret_name[PB_TILE_PATH_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_name, PB_TILE_PATH_BYTES_MAX);

    pb_tile_put_path(&out, tile);
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
}

/* What cannot be read is wrong; what cannot be read for lack of memory, or of a working disk,
 * ends the verification. */
static bool
is_finding(enum pb_status status)
{
    return status == PB_E_CORRUPT || status == PB_NOT_FOUND;
}

/* ---- tiles ---- */

/* Holds the computed hashes of a tile against its file. */
static enum pb_status
check_tile(struct verifying *verifying, unsigned level, uint64_t index, unsigned width,
           struct pb_error *error)
{
    struct pb_tile tile = { .level = (int)level, .index = index, .width = width };
    struct pb_hash hashes[PB_TILE_WIDTH];
    char name[PB_TILE_PATH_BYTES_MAX];
    enum pb_status status;

    tile_name(&tile, name);
    verifying->check->tiles++;
    status = pb_nodes_read_tile(&verifying->place, &tile, hashes, error);
    if (is_finding(status)) {
        wrong(verifying, name, "missing or cut");
        return PB_OK;
    }
    if (status == PB_OK && memcmp(hashes, verifying->tiles[level], width * sizeof(hashes[0])) != 0)
        wrong(verifying, name, "its hashes are not those of the entries");
    return status;
}

static enum pb_status
add_hash(struct verifying *verifying, const struct pb_hash *leaf_hash, struct pb_error *error)
{
    struct pb_hash hash = *leaf_hash;
    uint64_t size = verifying->edge.size + 1;
    enum pb_status status = PB_OK;

    pb_tree_edge_add(&verifying->edge, leaf_hash);
    for (unsigned level = 0; status == PB_OK; level++) {
        unsigned place = (unsigned)((size >> PB_TILE_HEIGHT * level) - 1) % PB_TILE_WIDTH;

        if (verifying->tiles[level] == NULL)
            verifying->tiles[level] =
                pb_alloc(verifying->place.env, PB_TILE_WIDTH * sizeof(struct pb_hash));
        if (verifying->tiles[level] == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for a tile");
        verifying->tiles[level][place] = hash;
        if (place != PB_TILE_WIDTH - 1)
            break;
        assert(level + 1 < PB_TILE_LEVELS); /* no tree is that large */
        status =
            check_tile(verifying, level, pb_tile_full_count(size, level) - 1, PB_TILE_WIDTH, error);
        pb_tile_hash(verifying->tiles[level], PB_TILE_WIDTH, &hash);
    }
    return status;
}

static enum pb_status
check_partial_tiles(struct verifying *verifying, struct pb_error *error)
{
    uint64_t size = verifying->edge.size;
    enum pb_status status = PB_OK;

    for (unsigned level = 0; level < PB_TILE_LEVELS && status == PB_OK; level++) {
        unsigned width = pb_tile_partial_width(size, level);

        if (width > 0)
            status = check_tile(verifying, level, pb_tile_full_count(size, level), width, error);
    }
    return status;
}

/* ---- entries ---- */

static void
wrong_leaf(struct verifying *verifying, const char *name, const char *text)
{
    char what[PB_ERROR_BYTES_MAX + 64];

    (void)snprintf(what, sizeof(what), "leaf %llu%s", (unsigned long long)verifying->edge.size,
                   text);
    wrong(verifying, name, what);
}

static void
check_leaf(struct verifying *verifying, const char *name, struct pb_str entry)
{
    struct pb_error error = { .message = ": " };
    struct pb_error why = { .message = "" };
    struct pb_leaf leaf;

    verifying->check->leaves++;
    if (pb_leaf_parse(entry, &leaf, &why) != PB_OK) {
        (void)snprintf(error.message + 2, sizeof(error.message) - 2, "%.*s",
                       (int)sizeof(error.message) - 3, why.message);
        wrong_leaf(verifying, name, error.message);
        return;
    }
    if (leaf.time_ms < verifying->time_ms)
        wrong_leaf(verifying, name, " is dated before the one in front of it");
    if (leaf.time_ms > verifying->not_after_ms)
        wrong_leaf(verifying, name, " is dated after witnesses signed that it was there");
    if (verifying->edge.size >= verifying->old_size && leaf.time_ms < verifying->not_before_ms)
        wrong_leaf(verifying, name, " is dated before witnesses signed the checkpoint without it");
    verifying->time_ms = leaf.time_ms;
}

static void
check_old(struct verifying *verifying)
{
    struct pb_hash root;

    if (verifying->edge.size != verifying->old_size)
        return;
    pb_tree_edge_root(&verifying->edge, &root);
    if (!pb_hash_equal(&root, &verifying->old_root))
        wrong(verifying, "checkpoint",
              "the log does not extend the older checkpoint: it was "
              "rewritten");
}

static enum pb_status
check_entries(struct verifying *verifying, const char *name, const uint8_t *bytes, size_t count,
              struct pb_error *error)
{
    struct pb_str rest = { (const char *)bytes, (uint32_t)count }, entry;
    enum pb_status status = PB_OK;

    while (status == PB_OK && pb_bundle_next(&rest, &entry) == PB_OK) {
        struct pb_hash hash;

        check_leaf(verifying, name, entry);
        pb_tree_hash_leaf(entry.text, entry.bytes, &hash);
        status = add_hash(verifying, &hash, error);
        check_old(verifying);
    }
    return status;
}

/* PB_END: the log cannot be followed further. */
static enum pb_status
check_bundle(struct verifying *verifying, uint64_t index, unsigned width, struct pb_error *error)
{
    struct pb_tile tile = { .level = PB_TILE_ENTRIES, .index = index, .width = width };
    char name[PB_TILE_PATH_BYTES_MAX];
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    tile_name(&tile, name);
    verifying->check->tiles++;
    status = pb_nodes_read_bundle(&verifying->place, index, width, &bytes, &count, error);
    if (is_finding(status)) {
        wrong(verifying, name, "missing or cut; what follows cannot be checked");
        return PB_END;
    }
    if (status == PB_OK)
        status = check_entries(verifying, name, bytes, count, error);
    pb_free(verifying->place.env, bytes);
    return status;
}

/* ---- the whole ---- */

/* When the first of its witnesses signed a checkpoint, in ms; false: none has. */
static bool
cosigned_at(struct verifying *verifying, const struct pb_witness_policy *witnesses,
            struct pb_str text, int64_t *ret_ms)
{
    struct pb_error why = { .message = "" };
    uint32_t signers = 0;
    uint64_t time_s = 0;

    if (pb_witness_check(text, &verifying->key, witnesses, &signers, &time_s, &why) != PB_OK)
        wrong(verifying, "checkpoint", why.message);
    else if (!pb_witness_quorum(witnesses, signers))
        wrong(verifying, "checkpoint", "too few witnesses have signed it");
    *ret_ms = time_s > (uint64_t)TIME_MAX_S ? TIME_MAX_S * 1000 : (int64_t)time_s * 1000;
    return signers != 0;
}

/* PB_END: without a checkpoint there is nothing to check against. */
static enum pb_status
open_checkpoint(struct verifying *verifying, const struct pb_audit_evidence *evidence,
                char **ret_text, struct pb_error *error)
{
    struct pb_error why = { .message = "" };
    int64_t at_ms = 0;
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status = pb_place_read(&verifying->place, pb_str_from("checkpoint"),
                                          PB_NOTE_BYTES_MAX, &bytes, &count, error);

    if (is_finding(status)) {
        wrong(verifying, "checkpoint", "missing or too large");
        return PB_END;
    }
    if (status != PB_OK)
        return status;
    *ret_text = (char *)bytes;
    status = pb_checkpoint_open((struct pb_str){ (char *)bytes, (uint32_t)count }, &verifying->key,
                                &verifying->checkpoint, NULL, &why);
    if (status != PB_OK) {
        wrong(verifying, "checkpoint", why.message);
        return PB_END;
    }
    verifying->check->size = verifying->checkpoint.size;
    memcpy(verifying->check->root, verifying->checkpoint.root.bytes, PB_HASH_BYTES);
    if (evidence->witnesses != NULL &&
        cosigned_at(verifying, evidence->witnesses,
                    (struct pb_str){ (char *)bytes, (uint32_t)count }, &at_ms))
        verifying->not_after_ms = at_ms + PB_WITNESS_SKEW_S * 1000;
    return PB_OK;
}

static enum pb_status
open_old(struct verifying *verifying, const struct pb_audit_evidence *evidence,
         struct pb_error *error)
{
    struct pb_str text = pb_str_from(evidence->old_checkpoint);
    struct pb_checkpoint old;
    int64_t at_ms = 0;
    enum pb_status status = pb_checkpoint_open(text, &verifying->key, &old, NULL, error);

    if (status != PB_OK)
        return status;
    verifying->old_size = old.size;
    verifying->old_root = old.root;
    if (old.size > verifying->checkpoint.size)
        wrong(verifying, "checkpoint", "the older checkpoint covers more leaves: some are gone");
    if (evidence->witnesses != NULL && cosigned_at(verifying, evidence->witnesses, text, &at_ms))
        verifying->not_before_ms = at_ms - PB_WITNESS_SKEW_S * 1000;
    return PB_OK;
}

static enum pb_status
check_all(struct verifying *verifying, struct pb_error *error)
{
    uint64_t size = verifying->checkpoint.size;
    struct pb_hash root;
    enum pb_status status = PB_OK;

    while (status == PB_OK && verifying->edge.size < size) {
        uint64_t rest = size - verifying->edge.size;

        status = check_bundle(verifying, verifying->edge.size / PB_TILE_WIDTH,
                              rest < PB_TILE_WIDTH ? (unsigned)rest : PB_TILE_WIDTH, error);
    }
    if (status == PB_OK)
        status = check_partial_tiles(verifying, error);
    if (status != PB_OK)
        return status;
    pb_tree_edge_root(&verifying->edge, &root);
    if (!pb_hash_equal(&root, &verifying->checkpoint.root))
        wrong(verifying, "checkpoint", "its root is not that of the entries");
    return PB_OK;
}

static enum pb_status
verify_log(struct verifying *verifying, const struct pb_audit_evidence *evidence,
           struct pb_error *error)
{
    char *text = NULL;
    enum pb_status status = open_checkpoint(verifying, evidence, &text, error);

    if (status == PB_OK && evidence->old_checkpoint != NULL)
        status = open_old(verifying, evidence, error);
    if (status == PB_OK)
        status = check_all(verifying, error);
    pb_free(verifying->place.env, text);
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_audit_verify_log(const struct pb_env *env, const char *path, const char *vkey,
                    const struct pb_audit_evidence *evidence, pb_audit_wrong_fn *on_wrong,
                    void *context, struct pb_audit_check *ret_check, struct pb_error *error)
{
    static const struct pb_audit_evidence none;
    struct verifying *verifying = NULL;
    enum pb_status status;

    assert(env != NULL && path != NULL && vkey != NULL && ret_check != NULL);
    memset(ret_check, 0, sizeof(*ret_check));
    pb_seal_ready();
    verifying = pb_calloc(env, 1, sizeof(*verifying));
    if (verifying == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for verifying a log");
    verifying->on_wrong = on_wrong;
    verifying->context = context;
    verifying->check = ret_check;
    verifying->not_after_ms = INT64_MAX;
    verifying->not_before_ms = INT64_MIN;
    status = pb_vkey_parse(pb_str_from(vkey), &verifying->key, error);
    if (status == PB_OK)
        status = pb_place_init(&verifying->place, env, path, error);
    if (status == PB_OK)
        status = verify_log(verifying, evidence != NULL ? evidence : &none, error);
    for (unsigned level = 0; level < PB_TILE_LEVELS; level++)
        pb_free(env, verifying->tiles[level]);
    pb_place_done(&verifying->place);
    pb_free(env, verifying);
    return status;
}
