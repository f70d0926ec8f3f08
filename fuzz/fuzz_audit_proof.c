/*
 * Fuzz target: a proof, parsed and verified. Nothing that a search finds is signed by the key, so
 * nothing may be taken.
 */
#include <stdint.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "audit/proof.h"
#include "base/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char vkey[] =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    struct pb_str text = { (const char *)data, (uint32_t)size };
    static struct pb_proof proof;

    if (size > UINT32_MAX)
        return 0;
    if (pb_proof_parse(text, &proof, NULL) == PB_OK
        && (proof.inclusion.count > PB_TREE_PROOF_MAX
            || proof.opening_count > PB_AUDIT_FIELDS_MAX))
        abort();
    if (pb_audit_verify_proof(pb_env_system(), text, vkey, NULL) != PB_BAD_INPUT)
        abort();
    return 0;
}
