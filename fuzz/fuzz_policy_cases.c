/*
 * Files of policy cases: input is a file's text, run against the shipped base. Takes anything, and
 * counts every case once.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "policy/cases.h"
#include "policy/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
count(void *context, const struct pb_policy_case *result)
{
    uint32_t *cases = context;

    if (result->is_passed != (result->problem.bytes == 0))
        abort();
    ++*cases;
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_pack_source base = pack_base();
    struct pb_policy_case_counts counts;
    static struct pb_rules *rules; /* kept, for it is the same each time */
    struct pb_error error;
    uint32_t cases = 0;

    if (size > 65536)
        return 0;
    if (rules == NULL && pb_rules_compile(pb_env_system(), &base, 1, &rules, &error) != PB_OK)
        abort();
    if (pb_policy_run_cases(pb_env_system(), rules, "fuzz.yaml",
                            (struct pb_str){ (const char *)data, (uint32_t)size }, count, &cases,
                            &counts, &error) == PB_OK &&
        cases != counts.passed + counts.failed)
        abort();
    return 0;
}
