/*
 * Witness: asking one for its cosignature, and what its answers mean; checking cosignatures.
 */
#include "audit/witness.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "audit/cosign.h"
#include "audit/encode.h"
#include "base/base64.h"

#define SIZE_TYPE "text/x.tlog.size"

/* ---- one request ---- */

static enum pb_status
write_request(struct pb_asking *asking, uint64_t old_size, uint32_t *ret_bytes,
              struct pb_error *error)
{
    const struct pb_candidate *candidate = asking->candidate;
    struct pb_text_out out = pb_text_out(asking->request, PB_WITNESS_REQUEST_BYTES_MAX);
    struct pb_tree_proof proof;
    struct pb_nodes nodes;
    enum pb_status status;

    pb_nodes_init(&nodes, &asking->log->public_place, candidate->tree_size);
    status = pb_tree_prove_consistency(old_size, candidate->checkpoint.size, pb_nodes_node, &nodes,
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
    pb_put_bytes(&out, candidate->text, candidate->bytes);
    assert(!out.is_cut);
    *ret_bytes = (uint32_t)(out.at - asking->request);
    return PB_OK;
}

/* PB_NOT_FOUND: there was no answer, and result says why. */
static enum pb_status
send_request(struct pb_asking *asking, const struct pb_witness *witness, uint64_t old_size,
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
    status = asking->witnesses->post(asking->witnesses->post_context, url,
                                     (struct pb_str){ asking->request, bytes }, asking->reply,
                                     &result->error);
    if (status == PB_OK)
        return PB_OK;
    result->outcome = PB_WITNESS_AWAY;
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
take_cosignature(struct pb_asking *asking, const struct pb_witness *witness,
                 struct pb_witness_result *result, struct pb_str *ret_line)
{
    struct pb_str lines = { asking->reply->body, (uint32_t)asking->reply->body_bytes };
    struct pb_note note = { .text = asking->candidate->note.text, .signatures = lines };
    uint64_t time_s = 0;

    if (!pb_utf8_is_valid(lines.text, lines.bytes) ||
        pb_note_parse_signatures(lines, &note.signature_count, NULL) != PB_OK) {
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
knows_size(const struct pb_asking *asking, uint64_t *ret_size)
{
    struct pb_str rest = { asking->reply->body, (uint32_t)asking->reply->body_bytes }, line;

    return asking->reply->http_status == 409 &&
           strcmp(asking->reply->content_type, SIZE_TYPE) == 0 &&
           pb_next_line(&rest, &line) == PB_OK && rest.bytes == 0 &&
           pb_decimal_decode(line, ret_size) == PB_OK;
}

static void
judge_reply(struct pb_asking *asking, const struct pb_witness *witness,
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

/* What it is likely to have signed last: this checkpoint, where its cosignature is there. */
static uint64_t
guess_size(const struct pb_candidate *candidate, const struct pb_witness *witness)
{
    return pb_note_verify(&candidate->note, &witness->key, NULL, NULL) == PB_OK
               ? candidate->checkpoint.size
               : 0;
}

/* What it signed last it says itself: from another size it refuses to go on, with the right one. */
enum pb_status
pb_witness_ask(struct pb_asking *asking, const struct pb_witness *witness,
               struct pb_witness_result *result, struct pb_str *ret_line, struct pb_error *error)
{
    uint64_t size = guess_size(asking->candidate, witness);

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
        if (size > asking->candidate->checkpoint.size) {
            judge(result, PB_WITNESS_CONTRADICTS,
                  "it has signed more leaves than there are: leaves are lost", witness);
            return PB_OK;
        }
    }
    judge(result, PB_WITNESS_UNREACHABLE, "its size changes all the time", witness);
    return PB_OK;
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
