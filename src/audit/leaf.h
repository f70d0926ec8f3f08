/*
 * Leaves: the bytes of one audit record, commitments to what it hides, and the openings that
 * reveal it.
 *
 * The bytes of a leaf are made once, stored, hashed and never made again. A leaf is put together
 * of two parts, since its time is known only when its place in the log is: what follows the time
 * is made first (pb_leaf_put_tail).
 *
 * Threads: everything here is pure.
 * Format:  docs/formats/audit-log.md
 */
#ifndef PB_AUDIT_LEAF_H
#define PB_AUDIT_LEAF_H

#include <stdint.h>

#include "audit/audit.h"
#include "audit/tree.h"
#include "base/limits.h"
#include "base/text.h"

#define PB_LEAF_NAME_BYTES_MAX 32u /* of members, secrets and events */
#define PB_LEAF_TEXT_BYTES_MAX 256u
#define PB_LEAF_HEAD "{\"v\":1,\"t\":"
#define PB_LEAF_HEAD_BYTES_MAX 32u /* with the longest time */
#define PB_SALT_BYTES 32u

/* SHA-256("platebase/commit/v1" 00 name 00 salt length value). */
void pb_commitment(struct pb_str name, const uint8_t salt[PB_SALT_BYTES], struct pb_str value,
                   struct pb_hash *ret_hash);

/*
 * Writes what follows the time. salts: leaf->secret_count of them. What does not fit sets
 * out->is_cut.
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT   a name or text that may not stand in a leaf, or a name twice
 *          PB_OVER_LIMIT  too many members, or a value that is too long
 */
PB_MUST_CHECK enum pb_status pb_leaf_put_tail(struct pb_text_out *out,
                                              const struct pb_audit_leaf *leaf,
                                              const uint8_t (*salts)[PB_SALT_BYTES],
                                              struct pb_error *error);

struct pb_leaf_commitment {
    struct pb_str name;
    struct pb_hash hash;
};
/* A leaf as read. Views point into its bytes. */
struct pb_leaf {
    int64_t time_ms;
    struct pb_str event;
    struct pb_leaf_commitment commitments[PB_AUDIT_FIELDS_MAX];
    uint32_t commitment_count;
};
/* Takes exactly what this version writes. PB_BAD_INPUT says what is wrong. */
PB_MUST_CHECK enum pb_status pb_leaf_parse(struct pb_str bytes, struct pb_leaf *ret_leaf,
                                           struct pb_error *error);
/* The text of a member in the open, as written (with its escapes); PB_NOT_FOUND. Numbers are
 * their digits. */
PB_MUST_CHECK enum pb_status pb_leaf_member(struct pb_str bytes, const char *name,
                                            struct pb_str *ret_value);

/* ---- openings ---- */

struct pb_opening {
    struct pb_str name;
    const uint8_t *salt; /* borrowed; PB_SALT_BYTES */
    struct pb_str value;
};
/* All of one leaf, in the clear. */
struct pb_openings {
    struct pb_opening openings[PB_AUDIT_FIELDS_MAX];
    uint32_t count;
};
#define PB_OPENINGS_BYTES_MAX   \
    (1u + PB_AUDIT_FIELDS_MAX * \
              (1u + PB_LEAF_NAME_BYTES_MAX + PB_SALT_BYTES + 4u + PB_AUDIT_SECRET_BYTES_MAX))

size_t pb_openings_bytes(const struct pb_audit_leaf *leaf);
/* Writes pb_openings_bytes(leaf) bytes; the leaf was taken by pb_leaf_put_tail. */
void pb_openings_encode(const struct pb_audit_leaf *leaf, const uint8_t (*salts)[PB_SALT_BYTES],
                        uint8_t *ret_bytes);
/* Views point into bytes. PB_BAD_INPUT: another form. */
PB_MUST_CHECK enum pb_status pb_openings_parse(const uint8_t *bytes, size_t count,
                                               struct pb_openings *ret_openings);

/* Checks each opening against its commitment: all of the leaf's and no other, in their order.
 * PB_BAD_INPUT names the first that does not fit. */
PB_MUST_CHECK enum pb_status pb_openings_check(const struct pb_openings *openings,
                                               const struct pb_leaf *leaf, struct pb_error *error);

#endif
