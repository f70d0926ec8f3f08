/*
 * A witness as c2sp.org/tlog-witness describes it, of one log, in the process that tests it.
 */
#ifndef PB_TESTS_FAKE_WITNESS_H
#define PB_TESTS_FAKE_WITNESS_H

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "audit/encode.h"
#include "audit/tree.h"
#include "audit/witness.h"
#include "base/base64.h"

struct fake_witness {
    struct pb_vkey key;
    uint8_t secret[64];
    char origin[PB_NOTE_NAME_BYTES_MAX + 1]; /* of the one log that it has seen; "": none */
    uint64_t size;
    struct pb_hash root;
    uint64_t time_s;
    uint32_t requests;
    /* What to answer instead, for bad witnesses. */
    int http_status; /* 0: what is right */
    const char *content_type;
    const char *body;
    bool is_away;
};

static inline void
make_witness(struct fake_witness *witness, const char *name, uint8_t seed_byte)
{
    uint8_t seed[32], public_key[32];

    memset(witness, 0, sizeof(*witness));
    memset(seed, seed_byte, sizeof(seed));
    (void)crypto_sign_seed_keypair(public_key, witness->secret, seed);
    pb_vkey_make(pb_str_from(name), PB_KEY_COSIGNATURE, public_key, &witness->key);
    witness->time_s = 1767225600 + seed_byte;
}

static inline void
answer(struct pb_witness_reply *reply, int http_status, const char *type, const char *body)
{
    reply->http_status = http_status;
    (void)snprintf(reply->content_type, sizeof(reply->content_type), "%s", type);
    reply->body_bytes = strlen(body);
    memcpy(reply->body, body, reply->body_bytes);
}

static inline void
sign_checkpoint(struct fake_witness *witness, struct pb_str text, struct pb_witness_reply *reply)
{
    struct pb_text_out out = pb_text_out(reply->body, sizeof(reply->body));

    pb_note_put_cosignature(&out, text, &witness->key, witness->secret, witness->time_s++);
    reply->body_bytes = (size_t)(out.at - reply->body);
    reply->http_status = 200;
}

/* As the specification orders the checks. */
static inline void
judge_request(struct fake_witness *witness, const struct pb_vkey *log, struct pb_str body,
              struct pb_witness_reply *reply)
{
    struct pb_str rest = body, line;
    struct pb_tree_proof proof = { .count = 0 };
    struct pb_checkpoint checkpoint;
    struct pb_note note;
    uint64_t old_size = 0;
    char text[32];

    assert_int_equal(PB_OK, pb_next_line(&rest, &line));
    assert_memory_equal("old ", line.text, 4);
    assert_int_equal(PB_OK, pb_decimal_decode((struct pb_str){ line.text + 4, line.bytes - 4 },
                                              &old_size));
    for (;;) {
        assert_int_equal(PB_OK, pb_next_line(&rest, &line));
        if (line.bytes == 0)
            break;
        assert_true(proof.count < PB_TREE_PROOF_MAX);
        assert_int_equal(PB_OK, pb_base64_decode_exact(line, proof.hashes[proof.count++].bytes,
                                                       PB_HASH_BYTES));
    }
    if (pb_checkpoint_open(rest, log, &checkpoint, &note, NULL) != PB_OK) {
        answer(reply, 403, "", "");
        return;
    }
    if (witness->origin[0] != '\0' &&
        !pb_str_equal(checkpoint.origin, pb_str_from(witness->origin))) {
        answer(reply, 404, "", "");
        return;
    }
    if (old_size != witness->size) {
        (void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)witness->size);
        answer(reply, 409, "text/x.tlog.size", text);
        return;
    }
    if (old_size == 0 ? proof.count != 0
                      : pb_tree_verify_consistency(old_size, checkpoint.size, &witness->root,
                                                   &checkpoint.root, &proof) != PB_OK) {
        answer(reply, 422, "", "");
        return;
    }
    memcpy(witness->origin, checkpoint.origin.text, checkpoint.origin.bytes);
    witness->origin[checkpoint.origin.bytes] = '\0';
    witness->size = checkpoint.size;
    witness->root = checkpoint.root;
    sign_checkpoint(witness, note.text, reply);
}

#endif
