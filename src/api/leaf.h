/*
 * Leaf: one audit record about sign-in and accounts, filled step by step.
 *
 * Threads: one at a time.
 */
#ifndef PB_API_LEAF_H
#define PB_API_LEAF_H

#include "audit/audit.h"
#include "base/limits.h"

struct pb_site;

#define PB_API_LEAF_PARTS_MAX 8u

struct pb_api_leaf {
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    const char *event; /* static */
    struct pb_audit_field fields[PB_API_LEAF_PARTS_MAX];
    struct pb_audit_secret secrets[PB_API_LEAF_PARTS_MAX];
    uint32_t field_count, secret_count;
};

/* log: an agency's id; empty: the operator's. Texts are borrowed until the leaf is appended. */
void pb_api_leaf_init(struct pb_api_leaf *leaf, struct pb_str log, const char *event);
/* Empty texts leave nothing. */
void pb_api_leaf_text(struct pb_api_leaf *leaf, const char *name, struct pb_str text);
void pb_api_leaf_number(struct pb_api_leaf *leaf, const char *name, int64_t number);
void pb_api_leaf_hash(struct pb_api_leaf *leaf, const char *name, const uint8_t sha256[32]);
void pb_api_leaf_secret(struct pb_api_leaf *leaf, const char *name, struct pb_str value);
/* Synced on PB_OK. */
PB_MUST_CHECK enum pb_status pb_api_leaf_append(const struct pb_api_leaf *leaf,
                                                struct pb_site *site, struct pb_error *error);

#endif
