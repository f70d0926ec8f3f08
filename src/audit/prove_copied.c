/*
 * Prove, from copied files: the public side of one log is enough for a proof without openings.
 */
#include <assert.h>
#include <string.h>

#include "audit/audit_private.h"
#include "audit/proof.h"

struct copied {
    const struct pb_env *env;
    struct pb_place place;
    struct pb_checkpoint checkpoint;
    struct pb_nodes nodes;
    struct pb_tree_proof inclusion;
    uint8_t *note, *bundle; /* owned */
    size_t note_bytes, bundle_bytes;
    struct pb_str leaf; /* into bundle */
};

static enum pb_status
read_checkpoint(struct copied *copied, const char *vkey, struct pb_error *error)
{
    struct pb_vkey key;
    enum pb_status status = pb_vkey_parse(pb_str_from(vkey), &key, error);

    if (status != PB_OK)
        return status;
    status = pb_place_read(&copied->place, pb_str_from("checkpoint"), PB_NOTE_BYTES_MAX,
                           &copied->note, &copied->note_bytes, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, status, "%s: there is no checkpoint", copied->place.path);
    if (status != PB_OK)
        return status;
    return pb_checkpoint_open((struct pb_str){ (const char *)copied->note,
                                               (uint32_t)copied->note_bytes },
                              &key, &copied->checkpoint, NULL, error);
}

/* The entry itself, out of its bundle. */
static enum pb_status
read_leaf(struct copied *copied, uint64_t index, struct pb_error *error)
{
    uint64_t bundle = index / PB_TILE_WIDTH,
             after = copied->checkpoint.size - bundle * PB_TILE_WIDTH;
    unsigned width = after < PB_TILE_WIDTH ? (unsigned)after : PB_TILE_WIDTH;
    struct pb_str rest;
    enum pb_status status = pb_nodes_read_bundle(&copied->place, bundle, width, &copied->bundle,
                                                 &copied->bundle_bytes, error);

    if (status != PB_OK)
        return status;
    rest = (struct pb_str){ (const char *)copied->bundle, (uint32_t)copied->bundle_bytes };
    for (uint64_t i = bundle * PB_TILE_WIDTH; i <= index; i++)
        status = pb_bundle_next(&rest, &copied->leaf);
    assert(status == PB_OK); /* they were counted when they were read */
    return status;
}

static enum pb_status
write_proof(const struct copied *copied, uint64_t index, char **ret_text, struct pb_error *error)
{
    size_t bytes = 256 + copied->inclusion.count * 48u + copied->note_bytes + copied->leaf.bytes;
    char *text = pb_alloc(copied->env, bytes);
    struct pb_text_out out = pb_text_out(text, bytes);

    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    pb_proof_put(&out, index, &copied->inclusion,
                 (struct pb_str){ (const char *)copied->note, (uint32_t)copied->note_bytes },
                 copied->leaf, NULL);
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
    *ret_text = text;
    return PB_OK;
}

static enum pb_status
prove(struct copied *copied, const char *vkey, uint64_t index, char **ret_text,
      struct pb_error *error)
{
    enum pb_status status = read_checkpoint(copied, vkey, error);

    if (status == PB_OK && index >= copied->checkpoint.size)
        status = pb_fail(error, PB_NOT_FOUND, "the checkpoint covers %llu leaves: %llu is not one",
                         (unsigned long long)copied->checkpoint.size, (unsigned long long)index);
    if (status != PB_OK)
        return status;
    pb_nodes_init(&copied->nodes, &copied->place, copied->checkpoint.size);
    status = pb_tree_prove_inclusion(index, copied->checkpoint.size, pb_nodes_node, &copied->nodes,
                                     &copied->inclusion, error);
    if (status == PB_OK)
        status = read_leaf(copied, index, error);
    if (status == PB_OK)
        status = write_proof(copied, index, ret_text, error);
    return status;
}

enum pb_status
pb_audit_prove_copied(const struct pb_env *env, const char *path, const char *vkey, uint64_t index,
                      char **ret_text, struct pb_error *error)
{
    struct copied *copied = pb_calloc(env, 1, sizeof(*copied));
    char *text = NULL;
    enum pb_status status;

    if (copied == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    copied->env = env;
    status = pb_place_init(&copied->place, env, path, error);
    if (status == PB_OK)
        status = prove(copied, vkey, index, &text, error);
    /* Copies may be damaged or forged: what does not hold is not given out. */
    if (status == PB_OK)
        status = pb_audit_verify_proof(env, pb_str_from(text), vkey, error);
    if (status == PB_OK) {
        *ret_text = text;
        text = NULL; /* moved to the caller */
    }
    pb_free(env, text);
    pb_free(env, copied->note);
    pb_free(env, copied->bundle);
    pb_place_done(&copied->place);
    pb_free(env, copied);
    return status == PB_BAD_INPUT ? PB_E_CORRUPT : status;
}
