/*
 * Proof: the text that shows that one leaf stands in a log.
 *
 * Threads: everything here is pure.
 * Format:  docs/formats/audit-proof.md; its first part is c2sp.org/tlog-proof.
 */
#ifndef PB_AUDIT_PROOF_H
#define PB_AUDIT_PROOF_H

#include <stdint.h>

#include "audit/leaf.h"
#include "audit/tree.h"

#define PB_PROOF_BYTES_MAX (512u << 10)

struct pb_proof_opening {
    struct pb_str name;
    uint8_t salt[PB_SALT_BYTES];
    struct pb_str value_base64;
};
/* Views point into the text. */
struct pb_proof {
    uint64_t index;
    struct pb_tree_proof inclusion;
    struct pb_str checkpoint; /* signed note, whole */
    struct pb_str leaf;
    struct pb_proof_opening openings[PB_AUDIT_FIELDS_MAX];
    uint32_t opening_count;
};

/* PB_BAD_INPUT says which line is wrong. */
PB_MUST_CHECK enum pb_status pb_proof_parse(struct pb_str text, struct pb_proof *ret_proof,
                                            struct pb_error *error);
/* openings: NULL where none are given away. */
void pb_proof_put(struct pb_text_out *out, uint64_t index, const struct pb_tree_proof *inclusion,
                  struct pb_str checkpoint, struct pb_str leaf, const struct pb_openings *openings);

#endif
