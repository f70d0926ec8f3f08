/*
 * Fuzz target: a witness policy, and what a witness answers. A quorum that no witness gives is
 * none, unless none is wanted; all of them together always are.
 */
#include <stdint.h>
#include <stdlib.h>

#include <sodium.h>

#include "audit/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str text = { (const char *)data, (uint32_t)size };
    static struct pb_witness_policy policy;
    uint32_t count = 0;

    if (size > UINT32_MAX || sodium_init() < 0)
        return 0;
    if (pb_witness_policy_parse(text, &policy, NULL) == PB_OK) {
        if (policy.witness_count > PB_WITNESSES_MAX || policy.group_count > PB_WITNESS_GROUPS_MAX)
            abort();
        if (pb_witness_quorum(&policy, 0) != (policy.quorum < 0)
            || !pb_witness_quorum(&policy, UINT32_MAX))
            abort();
    }
    if (pb_note_parse_signatures(text, &count, NULL) == PB_OK && count == 0)
        abort();
    return 0;
}
