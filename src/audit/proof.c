/*
 * Proof: its text, and its verification from nothing but the log's key.
 */
#include "audit/proof.h"

#include <string.h>

#include <sodium.h>

#include "audit/encode.h"
#include "audit/note.h"
#include "audit/seal.h"
#include "base/base64.h"
#include "base/env.h"

#define PROOF_LINE "c2sp.org/tlog-proof@v1"
#define VALUE_TEXT_BYTES_MAX ((PB_AUDIT_SECRET_BYTES_MAX + 2) / 3 * 4)

void
pb_proof_put(struct pb_text_out *out, uint64_t index, const struct pb_tree_proof *inclusion,
             struct pb_str checkpoint, struct pb_str leaf, const struct pb_openings *openings)
{
    pb_put_text(out, PROOF_LINE "\nindex ");
    pb_put_u64(out, index);
    pb_put_char(out, '\n');
    for (uint32_t i = 0; i < inclusion->count; i++) {
        pb_put_base64(out, inclusion->hashes[i].bytes, PB_HASH_BYTES);
        pb_put_char(out, '\n');
    }
    pb_put_char(out, '\n');
    pb_put_str(out, checkpoint);
    pb_put_text(out, "\nleaf\n");
    pb_put_str(out, leaf);
    pb_put_char(out, '\n');
    if (openings == NULL)
        return;
    pb_put_text(out, "\nopenings\n");
    for (uint32_t i = 0; i < openings->count; i++) {
        pb_put_str(out, openings->openings[i].name);
        pb_put_char(out, ' ');
        pb_put_base64(out, openings->openings[i].salt, PB_SALT_BYTES);
        pb_put_char(out, ' ');
        pb_put_base64(out, openings->openings[i].value.text, openings->openings[i].value.bytes);
        pb_put_char(out, '\n');
    }
}

/* ---- parsing ---- */

static bool
take_line(struct pb_str *rest, const char *expected)
{
    struct pb_str line;

    return pb_next_line(rest, &line) == PB_OK && pb_str_equal(line, pb_str_from(expected));
}

/* A line that begins with a word and a space; the rest of it. */
static bool
take_after(struct pb_str *rest, const char *word, struct pb_str *ret_value)
{
    uint32_t bytes = (uint32_t)strlen(word);
    struct pb_str line, after = *rest;

    if (pb_next_line(&after, &line) != PB_OK || line.bytes <= bytes ||
        memcmp(line.text, word, bytes) != 0 || line.text[bytes] != ' ')
        return false;
    *ret_value = (struct pb_str){ line.text + bytes + 1, line.bytes - bytes - 1 };
    *rest = after;
    return true;
}

static enum pb_status
parse_hashes(struct pb_str *rest, struct pb_tree_proof *ret_proof, struct pb_error *error)
{
    struct pb_str line;

    ret_proof->count = 0;
    for (;;) {
        if (pb_next_line(rest, &line) != PB_OK)
            return pb_fail(error, PB_BAD_INPUT, "the proof ends within its hashes");
        if (line.bytes == 0)
            return PB_OK;
        if (ret_proof->count == PB_TREE_PROOF_MAX ||
            pb_base64_decode_exact(line, ret_proof->hashes[ret_proof->count].bytes,
                                   PB_HASH_BYTES) != PB_OK)
            return pb_fail(error, PB_BAD_INPUT,
                           "hash %u of the proof is malformed, or there are "
                           "too many",
                           ret_proof->count + 1);
        ret_proof->count++;
    }
}

/* The note: its text, an empty line, its signatures; the empty line behind it is taken too. */
static enum pb_status
parse_note(struct pb_str *rest, struct pb_str *ret_note, struct pb_error *error)
{
    const char *begin = rest->text;
    unsigned empty_lines = 0;
    struct pb_str line;

    while (empty_lines < 2) {
        if (pb_next_line(rest, &line) != PB_OK)
            return pb_fail(error, PB_BAD_INPUT, "the proof ends within its checkpoint");
        if (line.bytes == 0)
            empty_lines++;
    }
    *ret_note = (struct pb_str){ begin, (uint32_t)(rest->text - begin) - 1 };
    return PB_OK;
}

/* "name salt value" */
static bool
parse_opening(struct pb_str line, struct pb_proof_opening *ret_opening)
{
    const char *first = memchr(line.text, ' ', line.bytes), *second;
    struct pb_str salt;

    if (first == NULL)
        return false;
    ret_opening->name = (struct pb_str){ line.text, (uint32_t)(first - line.text) };
    second = memchr(first + 1, ' ', line.bytes - ret_opening->name.bytes - 1);
    if (second == NULL)
        return false;
    salt = (struct pb_str){ first + 1, (uint32_t)(second - first) - 1 };
    ret_opening->value_base64 =
        (struct pb_str){ second + 1, line.bytes - ret_opening->name.bytes - salt.bytes - 2 };
    return ret_opening->value_base64.bytes <= VALUE_TEXT_BYTES_MAX &&
           pb_base64_decode_exact(salt, ret_opening->salt, PB_SALT_BYTES) == PB_OK;
}

static enum pb_status
parse_openings(struct pb_str *rest, struct pb_proof *ret_proof, struct pb_error *error)
{
    struct pb_str line;

    if (!take_line(rest, "") || !take_line(rest, "openings"))
        return pb_fail(error, PB_BAD_INPUT,
                       "expected an empty line and 'openings' behind the leaf");
    while (rest->bytes > 0) {
        if (ret_proof->opening_count == PB_AUDIT_FIELDS_MAX || pb_next_line(rest, &line) != PB_OK ||
            line.bytes == 0 || !parse_opening(line, &ret_proof->openings[ret_proof->opening_count]))
            return pb_fail(error, PB_BAD_INPUT,
                           "opening %u of the proof is malformed, or there are "
                           "too many",
                           ret_proof->opening_count + 1);
        ret_proof->opening_count++;
    }
    return PB_OK;
}

enum pb_status
pb_proof_parse(struct pb_str text, struct pb_proof *ret_proof, struct pb_error *error)
{
    struct pb_str rest = text, value;
    enum pb_status status;

    ret_proof->opening_count = 0;
    if (text.bytes > PB_PROOF_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a proof of more than %u bytes", PB_PROOF_BYTES_MAX);
    if (!take_line(&rest, PROOF_LINE))
        return pb_fail(error, PB_BAD_INPUT, "not a proof: the first line is not " PROOF_LINE);
    if (!take_after(&rest, "index", &value) || pb_decimal_decode(value, &ret_proof->index) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "the proof names no index");
    status = parse_hashes(&rest, &ret_proof->inclusion, error);
    if (status == PB_OK)
        status = parse_note(&rest, &ret_proof->checkpoint, error);
    if (status != PB_OK)
        return status;
    if (!take_line(&rest, "leaf") || pb_next_line(&rest, &ret_proof->leaf) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "the proof has no leaf");
    return rest.bytes == 0 ? PB_OK : parse_openings(&rest, ret_proof, error);
}

/* ---- verifying ---- */

static const struct pb_leaf_commitment *
find_commitment(const struct pb_leaf *leaf, struct pb_str name)
{
    for (uint32_t i = 0; i < leaf->commitment_count; i++) {
        if (pb_str_equal(leaf->commitments[i].name, name))
            return &leaf->commitments[i];
    }
    return NULL;
}

static enum pb_status
verify_opening(const struct pb_leaf *leaf, const struct pb_proof_opening *opening,
               struct pb_error *error)
{
    const struct pb_leaf_commitment *commitment = find_commitment(leaf, opening->name);
    uint8_t value[PB_AUDIT_SECRET_BYTES_MAX];
    size_t bytes = 0;
    struct pb_hash hash;
    bool is_good = false;

    if (commitment != NULL &&
        pb_base64_decode(opening->value_base64, value, sizeof(value), &bytes) == PB_OK) {
        pb_commitment(opening->name, opening->salt,
                      (struct pb_str){ (const char *)value, (uint32_t)bytes }, &hash);
        is_good = pb_hash_equal(&hash, &commitment->hash);
    }
    sodium_memzero(value, sizeof(value));
    if (!is_good)
        return pb_fail(error, PB_BAD_INPUT, "the opening of '%.*s' does not fit the leaf",
                       opening->name.bytes > 64 ? 64 : (int)opening->name.bytes,
                       opening->name.text);
    return PB_OK;
}

static enum pb_status
verify(const struct pb_proof *proof, const struct pb_vkey *key, struct pb_error *error)
{
    struct pb_checkpoint checkpoint;
    struct pb_leaf leaf;
    struct pb_hash hash;
    enum pb_status status;

    status = pb_checkpoint_open(proof->checkpoint, key, &checkpoint, NULL, error);
    if (status == PB_OK)
        status = pb_leaf_parse(proof->leaf, &leaf, error);
    if (status != PB_OK)
        return status;
    pb_tree_hash_leaf(proof->leaf.text, proof->leaf.bytes, &hash);
    if (pb_tree_verify_inclusion(proof->index, checkpoint.size, &hash, &proof->inclusion,
                                 &checkpoint.root) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT,
                       "the leaf is not at index %llu of the log under this "
                       "checkpoint",
                       (unsigned long long)proof->index);
    for (uint32_t i = 0; i < proof->opening_count && status == PB_OK; i++)
        status = verify_opening(&leaf, &proof->openings[i], error);
    return status;
}

enum pb_status
pb_audit_verify_proof(const struct pb_env *env, struct pb_str proof, const char *vkey,
                      struct pb_error *error)
{
    struct pb_proof *parsed = NULL;
    struct pb_vkey key;
    enum pb_status status;

    pb_seal_ready();
    status = pb_vkey_parse(pb_str_from(vkey), &key, error);
    if (status != PB_OK)
        return status;
    parsed = pb_alloc(env, sizeof(*parsed));
    if (parsed == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a proof");
    status = pb_proof_parse(proof, parsed, error);
    if (status == PB_OK)
        status = verify(parsed, &key, error);
    pb_free(env, parsed);
    return status;
}
