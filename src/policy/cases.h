/*
 * Cases: tables of "may X ask Y for Z?" with the answer that is expected.
 *
 * A site tries its rules and agreements on such a file before it changes them, and the shipped
 * rules are tested by the files in rules/cases. Format: docs/formats/policy-cases.md.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_POLICY_CASES_H
#define PB_POLICY_CASES_H

#include "policy/policy.h"

#define PB_CASES_BYTES_MAX (4u << 20)

/* What came of one case. Views are valid during the call that brings it. */
struct pb_policy_case {
    struct pb_str name;
    uint32_t line;
    bool is_passed;
    struct pb_str problem;              /* what was expected and what came; empty where passed */
    const struct pb_decision *decision; /* NULL: a case about keeping, not asking */
    const struct pb_str *speaks;        /* ids of rules that it expects to hear */
    uint32_t speaks_count;
    const struct pb_str *silent; /* and not to hear */
    uint32_t silent_count;
};
typedef bool pb_policy_case_fn(void *context,
                               const struct pb_policy_case *result); /* false stops */

struct pb_policy_case_counts {
    uint32_t passed, failed;
};

/*
 * Runs the cases of one file, in order, against rules. each may be NULL.
 *
 * Returns  PB_OK          whether or not cases failed
 *          PB_BAD_INPUT   the file is wrong: error names file, line and what would be right
 *          PB_OVER_LIMIT  larger than PB_CASES_BYTES_MAX
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status
pb_policy_run_cases(const struct pb_env *env, const struct pb_rules *rules, const char *file_name,
                    struct pb_str text, pb_policy_case_fn *each, void *context,
                    struct pb_policy_case_counts *ret_counts, struct pb_error *error);

#endif
