/*
 * Prove: making a proof of one leaf from a log's files.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/proof.h"
#include "base/base64.h"

/* Everything that a proof is made of. */
struct making {
    struct pb_checkpoint checkpoint;
    char *checkpoint_text; /* owned */
    size_t checkpoint_bytes;
    struct pb_tree_proof inclusion;
    struct pb_audit_run run; /* owned parts */
    struct pb_openings openings;
    uint8_t *plain; /* owned: PB_OPENINGS_BYTES_MAX */
};

/* The newest checkpoint that covers the leaf; one is made where there is none. */
static enum pb_status
find_checkpoint(struct pb_audit *audit, struct pb_audit_log *log, uint64_t index,
                struct making *making, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (!audit->is_read_only && !log->is_stopped)
        status = pb_publish_locked(audit, log, false, error);
    if (status == PB_OK)
        status = pb_publish_read(audit, log, &making->checkpoint_text, &making->checkpoint_bytes,
                                 &making->checkpoint, error);
    if (status == PB_OK && index >= making->checkpoint.size)
        status = pb_fail(error, PB_NOT_FOUND, "audit log '%s' has no published leaf %llu%s",
                         log->id, (unsigned long long)index,
                         log->is_waiting ? ": its checkpoint waits for witnesses" : "");
    return status;
}

/* Before the lock is taken. A log that they contradict has proofs of what was published before. */
static enum pb_status
ask_witnesses(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (audit->witnesses != NULL && !audit->is_read_only)
        status = pb_cosign_news(audit, log, NULL, error);
    return status == PB_E_CORRUPT ? PB_OK : status;
}

static enum pb_status
open_leaf(struct pb_audit *audit, struct pb_audit_log *log, struct making *making,
          struct pb_error *error)
{
    bool is_gone = false;
    struct pb_leaf leaf;
    enum pb_status status;

    making->plain = pb_alloc(audit->env, PB_OPENINGS_BYTES_MAX);
    if (making->plain == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for openings");
    if (pb_leaf_parse(making->run.leaves[0], &leaf, error) != PB_OK)
        return PB_E_CORRUPT;
    status = pb_audit_run_open(audit, log, &making->run.sealed[0], &leaf, making->plain,
                               &making->openings, &is_gone, error);
    if (status == PB_OK && is_gone)
        status = pb_fail(error, PB_EXPIRED, "the openings of this leaf of log '%s' were destroyed",
                         log->id);
    return status;
}

static size_t
proof_bytes(const struct making *making, bool with_openings)
{
    size_t bytes = 256 + making->inclusion.count * 48u + making->checkpoint_bytes +
                   making->run.leaves[0].bytes;

    for (uint32_t i = 0; with_openings && i < making->openings.count; i++)
        bytes += 64 + making->openings.openings[i].name.bytes +
                 (size_t)making->openings.openings[i].value.bytes / 3 * 4;
    return bytes;
}

static enum pb_status
write_proof(struct pb_audit *audit, const struct making *making, uint64_t index, bool with_openings,
            char **ret_text, struct pb_error *error)
{
    size_t bytes = proof_bytes(making, with_openings);
    char *text = pb_alloc(audit->env, bytes);
    struct pb_text_out out = pb_text_out(text, bytes);

    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    pb_proof_put(&out, index, &making->inclusion,
                 (struct pb_str){ making->checkpoint_text, (uint32_t)making->checkpoint_bytes },
                 making->run.leaves[0], with_openings ? &making->openings : NULL);
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
    *ret_text = text;
    return PB_OK;
}

static enum pb_status
prove(struct pb_audit *audit, struct pb_audit_log *log, uint64_t index, bool with_openings,
      struct making *making, char **ret_text, struct pb_error *error)
{
    struct pb_nodes nodes;
    enum pb_status status = find_checkpoint(audit, log, index, making, error);

    if (status != PB_OK)
        return status;
    pb_nodes_init(&nodes, &log->public_place, making->checkpoint.size);
    status = pb_tree_prove_inclusion(index, making->checkpoint.size, pb_nodes_node, &nodes,
                                     &making->inclusion, error);
    if (status == PB_OK)
        status = pb_audit_run_read(audit, log, index, with_openings, &making->run, error);
    if (status == PB_OK && with_openings)
        status = open_leaf(audit, log, making, error);
    if (status == PB_OK)
        status = write_proof(audit, making, index, with_openings, ret_text, error);
    return status == PB_END ? PB_NOT_FOUND : status;
}

/* ---- consistency ---- */

static enum pb_status
write_consistency(struct pb_audit *audit, const struct making *making, uint64_t old_size,
                  char **ret_text, struct pb_error *error)
{
    size_t bytes = 64 + making->inclusion.count * 48u + making->checkpoint_bytes;
    char *text = pb_alloc(audit->env, bytes);
    struct pb_text_out out = pb_text_out(text, bytes);

    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    pb_put_text(&out, "old ");
    pb_put_u64(&out, old_size);
    pb_put_char(&out, '\n');
    for (uint32_t i = 0; i < making->inclusion.count; i++) {
        pb_put_base64(&out, making->inclusion.hashes[i].bytes, PB_HASH_BYTES);
        pb_put_char(&out, '\n');
    }
    pb_put_char(&out, '\n');
    pb_put_bytes(&out, making->checkpoint_text, making->checkpoint_bytes);
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
    *ret_text = text;
    return PB_OK;
}

static enum pb_status
prove_consistency(struct pb_audit *audit, struct pb_audit_log *log, uint64_t old_size,
                  bool with_openings, struct making *making, char **ret_text,
                  struct pb_error *error)
{
    struct pb_nodes nodes;
    enum pb_status status =
        find_checkpoint(audit, log, old_size > 0 ? old_size - 1 : 0, making, error);

    (void)with_openings;
    if (status != PB_OK)
        return status;
    pb_nodes_init(&nodes, &log->public_place, making->checkpoint.size);
    status = pb_tree_prove_consistency(old_size, making->checkpoint.size, pb_nodes_node, &nodes,
                                       &making->inclusion, error);
    return status == PB_OK ? write_consistency(audit, making, old_size, ret_text, error) : status;
}

/* ---- either ---- */

typedef enum pb_status prove_fn(struct pb_audit *audit, struct pb_audit_log *log, uint64_t number,
                                bool with_openings, struct making *making, char **ret_text,
                                struct pb_error *error);

static enum pb_status
make(struct pb_audit *audit, const char *log, prove_fn *prove_it, uint64_t number,
     bool with_openings, char **ret_text, struct pb_error *error)
{
    struct pb_audit_log *found = pb_audit_find(audit, pb_str_from(log));
    struct making *making = NULL;
    enum pb_status status;

    if (found == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", log);
    making = pb_calloc(audit->env, 1, sizeof(*making));
    if (making == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    status = ask_witnesses(audit, found, error);
    (void)pthread_mutex_lock(&audit->integrating);
    if (status == PB_OK)
        status = prove_it(audit, found, number, with_openings, making, ret_text, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    if (making->plain != NULL)
        sodium_memzero(making->plain, PB_OPENINGS_BYTES_MAX);
    pb_free(audit->env, making->plain);
    pb_free(audit->env, making->checkpoint_text);
    pb_audit_run_done(&making->run, audit->env);
    pb_free(audit->env, making);
    return status;
}

enum pb_status
pb_audit_prove(struct pb_audit *audit, const char *log, uint64_t index, bool with_openings,
               char **ret_text, struct pb_error *error)
{
    return make(audit, log, prove, index, with_openings, ret_text, error);
}

enum pb_status
pb_audit_prove_consistency(struct pb_audit *audit, const char *log, uint64_t old_size,
                           char **ret_text, struct pb_error *error)
{
    return make(audit, log, prove_consistency, old_size, false, ret_text, error);
}
