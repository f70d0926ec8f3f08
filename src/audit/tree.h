/*
 * Merkle trees as of RFC 6962 (SHA-256): hashes, roots, proofs and their verification.
 *
 * A tree is given by its complete subtrees: pb_tree_node_fn tells the hash of the leaves
 * [index << level, (index + 1) << level). Roots and proofs of any size are made of those.
 *
 * Threads: everything here is pure.
 * Source:  RFC 6962 section 2.1; the verifying side is that of RFC 9162 sections 2.1.3.2, 2.1.4.2.
 */
#ifndef PB_AUDIT_TREE_H
#define PB_AUDIT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#define PB_HASH_BYTES 32u
#define PB_TREE_SIZE_MAX (UINT64_C(1) << 62)
#define PB_TREE_PROOF_MAX 63u /* hashes; a longer proof cannot be of a tree of PB_TREE_SIZE_MAX */

struct pb_hash {
    uint8_t bytes[PB_HASH_BYTES];
};

struct pb_tree_proof {
    struct pb_hash hashes[PB_TREE_PROOF_MAX]; /* from the leaf's side to the root's */
    uint32_t count;
};

void pb_tree_hash_empty(struct pb_hash *ret_hash);
void pb_tree_hash_leaf(const void *bytes, size_t count, struct pb_hash *ret_hash);
/* ret_hash may be one of the two. */
void pb_tree_hash_node(const struct pb_hash *left, const struct pb_hash *right,
                       struct pb_hash *ret_hash);

/* Whether two hashes are equal, in a time that does not tell where they differ. */
bool pb_hash_equal(const struct pb_hash *a, const struct pb_hash *b);

/* level 0 to 62; any status but PB_OK is passed on. */
typedef enum pb_status pb_tree_node_fn(void *context, unsigned level, uint64_t index,
                                       struct pb_hash *ret_hash, struct pb_error *error);

/* ---- making; each returns PB_OK or what node answered ---- */

/* Root of the tree of the first size leaves, size at most PB_TREE_SIZE_MAX. */
PB_MUST_CHECK enum pb_status pb_tree_root(uint64_t size, pb_tree_node_fn *node, void *context,
                                          struct pb_hash *ret_root, struct pb_error *error);
/* index < size. */
PB_MUST_CHECK enum pb_status pb_tree_prove_inclusion(uint64_t index, uint64_t size,
                                                     pb_tree_node_fn *node, void *context,
                                                     struct pb_tree_proof *ret_proof,
                                                     struct pb_error *error);
/* old_size <= size. From 0, and from size itself, the proof is empty. */
PB_MUST_CHECK enum pb_status pb_tree_prove_consistency(uint64_t old_size, uint64_t size,
                                                       pb_tree_node_fn *node, void *context,
                                                       struct pb_tree_proof *ret_proof,
                                                       struct pb_error *error);

/* ---- growing: only the complete subtrees along the right edge are kept ---- */

struct pb_tree_edge {
    uint64_t size;
    struct pb_hash nodes[63]; /* nodes[level] is set where bit `level` of size is */
};
/* The edge of the tree of the first size leaves. */
PB_MUST_CHECK enum pb_status pb_tree_edge_load(uint64_t size, pb_tree_node_fn *node, void *context,
                                               struct pb_tree_edge *ret_edge,
                                               struct pb_error *error);
void pb_tree_edge_add(struct pb_tree_edge *edge, const struct pb_hash *leaf_hash);
void pb_tree_edge_root(const struct pb_tree_edge *edge, struct pb_hash *ret_root);

/* ---- verifying; whatever is given, PB_OK or PB_BAD_INPUT ---- */

PB_MUST_CHECK enum pb_status pb_tree_verify_inclusion(uint64_t index, uint64_t size,
                                                      const struct pb_hash *leaf_hash,
                                                      const struct pb_tree_proof *proof,
                                                      const struct pb_hash *root);
/* Any tree follows from the empty one, which proves nothing: old_size 0 is PB_BAD_INPUT. */
PB_MUST_CHECK enum pb_status pb_tree_verify_consistency(uint64_t old_size, uint64_t size,
                                                        const struct pb_hash *old_root,
                                                        const struct pb_hash *root,
                                                        const struct pb_tree_proof *proof);

#endif
