/*
 * Witness: asking for cosignatures, and what their answers mean.
 *
 * Nothing is held while a witness is waited for. A cosignature that comes back is put under the
 * checkpoint that it was made for, if that is still the newest.
 */
#include "audit/witness.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_private.h"
#include "audit/encode.h"

#define SIZE_TYPE "text/x.tlog.size"
#define REQUEST_BYTES_MAX (16u + 20u + PB_TREE_PROOF_MAX * 45u + PB_NOTE_BYTES_MAX)

struct asking {
    struct pb_audit *audit;
    struct pb_audit_log *log;
    pb_witness_post_fn *post;
    void *post_context;
    char *checkpoint_text; /* owned: as published, perhaps with cosignatures */
    size_t checkpoint_bytes;
    struct pb_checkpoint checkpoint;
    struct pb_note note;
    struct pb_witness_reply *reply; /* owned */
    char *request;                  /* owned: REQUEST_BYTES_MAX */
};

/* ---- one request ---- */

static enum pb_status
write_request(struct asking *asking, uint64_t old_size, uint32_t *ret_bytes, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(asking->request, REQUEST_BYTES_MAX);
    struct pb_tree_proof proof;
    struct pb_nodes nodes;
    enum pb_status status;

    pb_nodes_init(&nodes, &asking->log->public_place, asking->checkpoint.size);
    status = pb_tree_prove_consistency(old_size, asking->checkpoint.size, pb_nodes_node, &nodes,
                                       &proof, error);
    if (status != PB_OK)
        return status;
    pb_put_text(&out, "old ");
    pb_put_u64(&out, old_size);
    pb_put_char(&out, '\n');
    for (uint32_t i = 0; i < proof.count; i++) {
        pb_put_base64(&out, proof.hashes[i].bytes, PB_HASH_BYTES);
        pb_put_char(&out, '\n');
    }
    pb_put_char(&out, '\n');
    pb_put_bytes(&out, asking->checkpoint_text, asking->checkpoint_bytes);
    assert(!out.is_cut);
    *ret_bytes = (uint32_t)(out.at - asking->request);
    return PB_OK;
}

/* PB_NOT_FOUND: there was no answer, and result says why. */
static enum pb_status
send_request(struct asking *asking, const struct pb_witness *witness, uint64_t old_size,
             struct pb_witness_result *result, struct pb_error *error)
{
    char url[PB_WITNESS_URL_BYTES_MAX + 32];
    uint32_t bytes = 0;
    enum pb_status status = write_request(asking, old_size, &bytes, error);

    if (status != PB_OK)
        return status;
    (void)snprintf(url, sizeof(url), "%s%sadd-checkpoint", witness->url,
                   witness->url[strlen(witness->url) - 1] == '/' ? "" : "/");
    memset(asking->reply, 0, sizeof(*asking->reply));
    status = asking->post(asking->post_context, url, (struct pb_str){ asking->request, bytes },
                          asking->reply, &result->error);
    if (status == PB_OK)
        return PB_OK;
    result->outcome = PB_WITNESS_UNREACHABLE;
    return PB_NOT_FOUND;
}

/* ---- what answers mean ---- */

static void
judge(struct pb_witness_result *result, enum pb_witness_outcome outcome, const char *why,
      const struct pb_witness *witness)
{
    enum pb_status status;

    result->outcome = outcome;
    status = pb_fail(&result->error, PB_E_IO, "witness '%s': %s", witness->name, why);
    (void)status;
}

/* The cosignature in a reply, verified over the note's text. ret_line points into the reply. */
static void
take_cosignature(struct asking *asking, const struct pb_witness *witness,
                 struct pb_witness_result *result, struct pb_str *ret_line)
{
    struct pb_str lines = { asking->reply->body, (uint32_t)asking->reply->body_bytes };
    struct pb_note note = { .text = asking->note.text, .signatures = lines };
    uint64_t time_s = 0;

    if (pb_note_parse_signatures(lines, &note.signature_count, NULL) != PB_OK ||
        !pb_utf8_is_valid(lines.text, lines.bytes)) {
        judge(result, PB_WITNESS_UNREACHABLE, "its answer is no cosignature", witness);
        return;
    }
    if (pb_note_verify(&note, &witness->key, ret_line, &time_s) != PB_OK) {
        judge(result, PB_WITNESS_UNREACHABLE, "its cosignature does not verify", witness);
        return;
    }
    result->outcome = PB_WITNESS_COSIGNED;
    result->time_s = time_s;
}

/* 409 with the size that it knows. */
static bool
knows_size(const struct asking *asking, uint64_t *ret_size)
{
    struct pb_str rest = { asking->reply->body, (uint32_t)asking->reply->body_bytes }, line;

    return asking->reply->http_status == 409 &&
           strcmp(asking->reply->content_type, SIZE_TYPE) == 0 &&
           pb_next_line(&rest, &line) == PB_OK && rest.bytes == 0 &&
           pb_decimal_decode(line, ret_size) == PB_OK;
}

static void
judge_reply(struct asking *asking, const struct pb_witness *witness,
            struct pb_witness_result *result, struct pb_str *ret_line)
{
    switch (asking->reply->http_status) {
    case 200:
        take_cosignature(asking, witness, result, ret_line);
        break;
    case 422:
        judge(result, PB_WITNESS_CONTRADICTS,
              "it knows a history of this log which ours does not extend", witness);
        break;
    case 403:
    case 404:
        judge(result, PB_WITNESS_REFUSED, "it does not know this log or its key", witness);
        break;
    default:
        judge(result, PB_WITNESS_UNREACHABLE, "its answer makes no sense", witness);
        break;
    }
}

/* What it signed last it says itself: from nothing at all it refuses to go on, with the size. A
 * failure is one of ours. */
static enum pb_status
ask_one(struct asking *asking, const struct pb_witness *witness, struct pb_witness_result *result,
        struct pb_str *ret_line, struct pb_error *error)
{
    uint64_t size = 0;

    if (witness->url[0] == '\0') {
        judge(result, PB_WITNESS_NOT_ASKED, "the policy names no address", witness);
        return PB_OK;
    }
    for (int attempt = 0; attempt < 3; attempt++) {
        enum pb_status status = send_request(asking, witness, size, result, error);

        if (status != PB_OK)
            return status == PB_NOT_FOUND ? PB_OK : status;
        if (!knows_size(asking, &size)) {
            judge_reply(asking, witness, result, ret_line);
            return PB_OK;
        }
        if (size > asking->checkpoint.size) {
            judge(result, PB_WITNESS_CONTRADICTS,
                  "it has signed more leaves than there are: leaves are lost", witness);
            return PB_OK;
        }
    }
    judge(result, PB_WITNESS_UNREACHABLE, "its size changes all the time", witness);
    return PB_OK;
}

/* ---- putting it under the checkpoint ---- */

/* Adds a line, unless the checkpoint on disk is another by now, or has it. */
static enum pb_status
add_line(struct asking *asking, const struct pb_witness *witness, struct pb_str line,
         struct pb_error *error)
{
    struct pb_audit_log *log = asking->log;
    struct pb_checkpoint now;
    struct pb_note note;
    char *text = NULL, *longer = NULL;
    size_t count = 0;
    enum pb_status status;

    (void)pthread_mutex_lock(&asking->audit->integrating);
    status = pb_publish_read(asking->audit, log, &text, &count, &now, error);
    if (status == PB_OK)
        status = pb_note_parse((struct pb_str){ text, (uint32_t)count }, &note, error);
    if (status != PB_OK || now.size != asking->checkpoint.size ||
        pb_note_verify(&note, &witness->key, NULL, NULL) == PB_OK ||
        count + line.bytes > PB_NOTE_BYTES_MAX)
        goto out;
    longer = pb_alloc(asking->audit->env, count + line.bytes);
    if (longer == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for a checkpoint");
        goto out;
    }
    memcpy(longer, text, count);
    memcpy(longer + count, line.text, line.bytes);
    status = pb_publish_replace(asking->audit, log, longer, count + line.bytes, error);

out:
    (void)pthread_mutex_unlock(&asking->audit->integrating);
    pb_free(asking->audit->env, text);
    pb_free(asking->audit->env, longer);
    return status;
}

/* ---- all ---- */

static enum pb_status
begin(struct asking *asking, struct pb_error *error)
{
    const struct pb_env *env = asking->audit->env;
    enum pb_status status;

    asking->reply = pb_alloc(env, sizeof(*asking->reply));
    asking->request = pb_alloc(env, REQUEST_BYTES_MAX);
    if (asking->reply == NULL || asking->request == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for asking witnesses");
    (void)pthread_mutex_lock(&asking->audit->integrating);
    status = pb_publish_locked(asking->audit, asking->log, false, error);
    if (status == PB_OK)
        status = pb_publish_read(asking->audit, asking->log, &asking->checkpoint_text,
                                 &asking->checkpoint_bytes, &asking->checkpoint, error);
    (void)pthread_mutex_unlock(&asking->audit->integrating);
    if (status == PB_OK)
        status = pb_note_parse((struct pb_str){ asking->checkpoint_text,
                                                (uint32_t)asking->checkpoint_bytes },
                               &asking->note, error);
    return status;
}

static enum pb_status
stop(struct asking *asking, const struct pb_witness_result *result, struct pb_error *error)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&asking->audit->integrating);
    status = pb_publish_stop_log(asking->audit, asking->log, result->error.message, error);
    (void)pthread_mutex_unlock(&asking->audit->integrating);
    if (status != PB_OK)
        return status;
    return pb_fail(error, PB_E_CORRUPT, "%s: audit log '%s' is stopped: %.300s",
                   asking->audit->place.path, asking->log->id, result->error.message);
}

static enum pb_status
ask_all(struct asking *asking, const struct pb_witness_policy *policy,
        struct pb_witness_result *results, uint32_t *ret_witnesses, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    *ret_witnesses = 0;
    for (uint32_t i = 0; i < policy->witness_count && status == PB_OK; i++) {
        struct pb_str line = { NULL, 0 };

        memset(&results[i], 0, sizeof(results[i]));
        status = ask_one(asking, &policy->witnesses[i], &results[i], &line, error);
        if (status != PB_OK)
            break;
        if (results[i].outcome == PB_WITNESS_CONTRADICTS)
            return stop(asking, &results[i], error);
        if (results[i].outcome != PB_WITNESS_COSIGNED)
            continue;
        *ret_witnesses |= 1u << i;
        status = add_line(asking, &policy->witnesses[i], line, error);
    }
    return status;
}

enum pb_status
pb_audit_cosign(struct pb_audit *audit, const char *log, const struct pb_witness_policy *policy,
                pb_witness_post_fn *post, void *context, struct pb_witness_result *ret_results,
                bool *ret_has_quorum, struct pb_error *error)
{
    struct asking asking = { .audit = audit, .post = post, .post_context = context };
    uint32_t witnesses = 0;
    enum pb_status status;

    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    asking.log = pb_audit_find(audit, pb_str_from(log));
    if (asking.log == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", log);
    status = begin(&asking, error);
    if (status == PB_OK)
        status = ask_all(&asking, policy, ret_results, &witnesses, error);
    if (ret_has_quorum != NULL)
        *ret_has_quorum = status == PB_OK && pb_witness_quorum(policy, witnesses);
    pb_free(audit->env, asking.checkpoint_text);
    pb_free(audit->env, asking.request);
    pb_free(audit->env, asking.reply);
    return status;
}

enum pb_status
pb_witness_check(struct pb_str checkpoint, const struct pb_vkey *log,
                 const struct pb_witness_policy *policy, uint32_t *ret_witnesses,
                 uint64_t *ret_oldest_s, struct pb_error *error)
{
    struct pb_checkpoint parsed;
    struct pb_note note;
    uint64_t oldest_s = UINT64_MAX;
    enum pb_status status = pb_checkpoint_open(checkpoint, log, &parsed, &note, error);

    if (status != PB_OK)
        return status;
    *ret_witnesses = 0;
    for (uint32_t i = 0; i < policy->witness_count; i++) {
        uint64_t time_s = 0;

        status = pb_note_verify(&note, &policy->witnesses[i].key, NULL, &time_s);
        if (status == PB_BAD_INPUT)
            return pb_fail(error, status, "the checkpoint has a false cosignature of '%s'",
                           policy->witnesses[i].name);
        if (status != PB_OK)
            continue;
        *ret_witnesses |= 1u << i;
        oldest_s = time_s < oldest_s ? time_s : oldest_s;
    }
    if (ret_oldest_s != NULL)
        *ret_oldest_s = *ret_witnesses != 0 ? oldest_s : 0;
    return PB_OK;
}
