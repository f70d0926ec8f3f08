/*
 * Cosigning, for the audit room itself: asking witnesses about one checkpoint.
 */
#ifndef PB_AUDIT_COSIGN_H
#define PB_AUDIT_COSIGN_H

#include "audit/audit_private.h"
#include "audit/witness.h"

#define PB_WITNESS_REQUEST_BYTES_MAX (16u + 20u + PB_TREE_PROOF_MAX * 45u + PB_NOTE_BYTES_MAX)

struct pb_asking {
    struct pb_audit *audit;
    struct pb_audit_log *log;
    const struct pb_witnesses *witnesses;
    bool is_patient;                /* also asks those that were away a moment ago */
    struct pb_candidate *candidate; /* owned */
    struct pb_witness_reply *reply; /* owned */
    char *request;                  /* owned: PB_WITNESS_REQUEST_BYTES_MAX */
    struct pb_witness_result *results;
};

/* Shows one witness the candidate; ret_line: its cosignature, valid until the next call. A failure
 * is one of ours. */
PB_MUST_CHECK enum pb_status pb_witness_ask(struct pb_asking *asking,
                                            const struct pb_witness *witness,
                                            struct pb_witness_result *result,
                                            struct pb_str *ret_line, struct pb_error *error);

#endif
