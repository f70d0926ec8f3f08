/*
 * Merkle trees: the recursive definitions of RFC 6962, written as loops over ranges of leaves.
 *
 * In every range [begin, end) that occurs here begin is a multiple of the largest power of two
 * below end - begin, so its complete subtrees are nodes of the tree.
 */
#include "audit/tree.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#define LEVELS_MAX 64u

void
pb_tree_hash_empty(struct pb_hash *ret_hash)
{
    (void)crypto_hash_sha256(ret_hash->bytes, (const unsigned char *)"", 0);
}

void
pb_tree_hash_leaf(const void *bytes, size_t count, struct pb_hash *ret_hash)
{
    static const uint8_t prefix = 0x00;
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, &prefix, 1);
    (void)crypto_hash_sha256_update(&state, bytes, count);
    (void)crypto_hash_sha256_final(&state, ret_hash->bytes);
}

void
pb_tree_hash_node(const struct pb_hash *left, const struct pb_hash *right, struct pb_hash *ret_hash)
{
    uint8_t bytes[1 + 2 * PB_HASH_BYTES];

    bytes[0] = 0x01;
    memcpy(bytes + 1, left->bytes, PB_HASH_BYTES);
    memcpy(bytes + 1 + PB_HASH_BYTES, right->bytes, PB_HASH_BYTES);
    (void)crypto_hash_sha256(ret_hash->bytes, bytes, sizeof(bytes));
}

bool
pb_hash_equal(const struct pb_hash *a, const struct pb_hash *b)
{
    return sodium_memcmp(a->bytes, b->bytes, PB_HASH_BYTES) == 0;
}

/* ---- making ---- */

/* Largest n with 2^n <= value, value > 0. */
static unsigned
floor_log2(uint64_t value)
{
    unsigned level = 0;

    while (value >>= 1)
        level++;
    return level;
}

/* The largest power of two below count, count > 1: where RFC 6962 splits a range. */
static uint64_t
split_of(uint64_t count)
{
    return UINT64_C(1) << floor_log2(count - 1);
}

/* MTH of the leaves [begin, end), begin < end. */
static enum pb_status
range_hash(uint64_t begin, uint64_t end, pb_tree_node_fn *node, void *context,
           struct pb_hash *ret_hash, struct pb_error *error)
{
    struct pb_hash parts[LEVELS_MAX];
    uint32_t count = 0;

    while (begin < end) {
        unsigned level = floor_log2(end - begin);
        enum pb_status status;

        assert(begin >> level << level == begin);
        status = node(context, level, begin >> level, &parts[count], error);
        if (status != PB_OK)
            return status;
        count++;
        begin += UINT64_C(1) << level;
    }
    *ret_hash = parts[--count];
    while (count > 0)
        pb_tree_hash_node(&parts[--count], ret_hash, ret_hash);
    return PB_OK;
}

enum pb_status
pb_tree_root(uint64_t size, pb_tree_node_fn *node, void *context, struct pb_hash *ret_root,
             struct pb_error *error)
{
    assert(size <= PB_TREE_SIZE_MAX);
    if (size == 0) {
        pb_tree_hash_empty(ret_root);
        return PB_OK;
    }
    return range_hash(0, size, node, context, ret_root, error);
}

/* Proofs are gathered from the root down. */
static void
turn_round(struct pb_tree_proof *proof)
{
    for (uint32_t i = 0; i < proof->count / 2; i++) {
        struct pb_hash other = proof->hashes[i];

        proof->hashes[i] = proof->hashes[proof->count - 1 - i];
        proof->hashes[proof->count - 1 - i] = other;
    }
}

enum pb_status
pb_tree_prove_inclusion(uint64_t index, uint64_t size, pb_tree_node_fn *node, void *context,
                        struct pb_tree_proof *ret_proof, struct pb_error *error)
{
    uint64_t begin = 0, end = size;

    assert(index < size && size <= PB_TREE_SIZE_MAX);
    ret_proof->count = 0;
    while (end - begin > 1) {
        uint64_t middle = begin + split_of(end - begin);
        bool is_left = index < middle;
        enum pb_status status;

        status = range_hash(is_left ? middle : begin, is_left ? end : middle, node, context,
                            &ret_proof->hashes[ret_proof->count++], error);
        if (status != PB_OK)
            return status;
        begin = is_left ? begin : middle;
        end = is_left ? middle : end;
    }
    turn_round(ret_proof);
    return PB_OK;
}

enum pb_status
pb_tree_prove_consistency(uint64_t old_size, uint64_t size, pb_tree_node_fn *node, void *context,
                          struct pb_tree_proof *ret_proof, struct pb_error *error)
{
    uint64_t begin = 0, end = size;
    enum pb_status status = PB_OK;

    assert(old_size <= size && size <= PB_TREE_SIZE_MAX);
    ret_proof->count = 0;
    if (old_size == 0 || old_size == size)
        return PB_OK;
    /* Until the range ends where the old tree ended. */
    while (end != old_size && status == PB_OK) {
        uint64_t middle = begin + split_of(end - begin);
        bool is_left = old_size <= middle;

        status = range_hash(is_left ? middle : begin, is_left ? end : middle, node, context,
                            &ret_proof->hashes[ret_proof->count++], error);
        begin = is_left ? begin : middle;
        end = is_left ? middle : end;
    }
    /* Where that range is the whole old tree, the verifier has its hash: the old root. */
    if (status == PB_OK && begin != 0)
        status =
            range_hash(begin, end, node, context, &ret_proof->hashes[ret_proof->count++], error);
    turn_round(ret_proof);
    return status;
}

/* ---- growing ---- */

enum pb_status
pb_tree_edge_load(uint64_t size, pb_tree_node_fn *node, void *context,
                  struct pb_tree_edge *ret_edge, struct pb_error *error)
{
    assert(size <= PB_TREE_SIZE_MAX);
    ret_edge->size = size;
    for (unsigned level = 0; size >> level > 0; level++) {
        enum pb_status status;

        if ((size >> level & 1) == 0)
            continue;
        /* The last complete subtree of its level is the one that has no sibling. */
        status = node(context, level, (size >> level) - 1, &ret_edge->nodes[level], error);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

void
pb_tree_edge_add(struct pb_tree_edge *edge, const struct pb_hash *leaf_hash)
{
    struct pb_hash hash = *leaf_hash;
    unsigned level = 0;

    assert(edge->size < PB_TREE_SIZE_MAX);
    for (; (edge->size >> level & 1) != 0; level++)
        pb_tree_hash_node(&edge->nodes[level], &hash, &hash);
    edge->nodes[level] = hash;
    edge->size++;
}

void
pb_tree_edge_root(const struct pb_tree_edge *edge, struct pb_hash *ret_root)
{
    bool is_first = true;

    pb_tree_hash_empty(ret_root);
    for (unsigned level = 0; edge->size >> level > 0; level++) {
        if ((edge->size >> level & 1) == 0)
            continue;
        if (is_first)
            *ret_root = edge->nodes[level];
        else
            pb_tree_hash_node(&edge->nodes[level], ret_root, ret_root);
        is_first = false;
    }
}

/* ---- verifying ---- */

enum pb_status
pb_tree_verify_inclusion(uint64_t index, uint64_t size, const struct pb_hash *leaf_hash,
                         const struct pb_tree_proof *proof, const struct pb_hash *root)
{
    struct pb_hash hash = *leaf_hash;
    uint64_t node, last;

    if (index >= size || size > PB_TREE_SIZE_MAX || proof->count > PB_TREE_PROOF_MAX)
        return PB_BAD_INPUT;
    node = index;
    last = size - 1;
    for (uint32_t i = 0; i < proof->count; i++) {
        if (last == 0)
            return PB_BAD_INPUT; /* more hashes than levels */
        if ((node & 1) != 0 || node == last) {
            pb_tree_hash_node(&proof->hashes[i], &hash, &hash);
            while ((node & 1) ==
                   0) { /* levels where the node has no sibling; it is last, and not 0 */
                node >>= 1;
                last >>= 1;
            }
        } else {
            pb_tree_hash_node(&hash, &proof->hashes[i], &hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && pb_hash_equal(&hash, root) ? PB_OK : PB_BAD_INPUT;
}

/* Both roots are rebuilt from the proof, 0 < old_size < size. */
static enum pb_status
verify_growth(uint64_t old_size, uint64_t size, const struct pb_hash *old_root,
              const struct pb_hash *root, const struct pb_tree_proof *proof)
{
    uint64_t node = old_size - 1, last = size - 1;
    struct pb_hash old_hash, hash;
    uint32_t at = 0;

    while ((node & 1) != 0) {
        node >>= 1;
        last >>= 1;
    }
    /* A complete old tree is a node of the new one, and its hash is left out of the proof. */
    if (node == 0)
        old_hash = *old_root;
    else if (proof->count == 0)
        return PB_BAD_INPUT;
    else
        old_hash = proof->hashes[at++];
    hash = old_hash;

    for (; at < proof->count; at++) {
        if (last == 0)
            return PB_BAD_INPUT;
        if ((node & 1) != 0 || node == last) {
            pb_tree_hash_node(&proof->hashes[at], &old_hash, &old_hash);
            pb_tree_hash_node(&proof->hashes[at], &hash, &hash);
            while ((node & 1) == 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            pb_tree_hash_node(&hash, &proof->hashes[at], &hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && pb_hash_equal(&old_hash, old_root) && pb_hash_equal(&hash, root)
               ? PB_OK
               : PB_BAD_INPUT;
}

enum pb_status
pb_tree_verify_consistency(uint64_t old_size, uint64_t size, const struct pb_hash *old_root,
                           const struct pb_hash *root, const struct pb_tree_proof *proof)
{
    if (old_size == 0 || old_size > size || size > PB_TREE_SIZE_MAX ||
        proof->count > PB_TREE_PROOF_MAX)
        return PB_BAD_INPUT;
    if (old_size == size)
        return proof->count == 0 && pb_hash_equal(old_root, root) ? PB_OK : PB_BAD_INPUT;
    return verify_growth(old_size, size, old_root, root, proof);
}
