/*
 * Facts of a cases file: a catalog view from YAML, without a catalog.
 */
#ifndef PB_POLICY_CASE_FACTS_H
#define PB_POLICY_CASE_FACTS_H

#include "policy/policy_private.h"

struct pb_case_facts {
    struct pb_catalog_view view;
    struct pb_case *cases; /* number is "agency:number", ascending */
    uint32_t case_count;
};

/* facts may be NULL: none. now_us is what a moment that is left out is counted from. */
PB_MUST_CHECK enum pb_status pb_case_facts_read(const struct pb_pack_reader *reader,
                                                const struct pb_yaml *facts, int64_t now_us,
                                                struct pb_case_facts *ret_facts);

#endif
