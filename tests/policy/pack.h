/*
 * Pack: small rule packs for tests, and the shipped base beside them.
 */
#ifndef PB_TESTS_POLICY_PACK_H
#define PB_TESTS_POLICY_PACK_H

#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "policy/policy.h"

/* The head of a pack and the beginning of its rules; lines are those of the text. */
#define PACK_HEAD(id, binds)                                                         \
    "pack: " id "\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: " binds "\n" \
    "jurisdiction: US-KS\nrules:\n"
#define PACK_RULE(id, rest) "- { id: " id ", text: T, source: S, verified: yes, " rest " }\n"

static inline struct pb_pack_source
pack_base(void)
{
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(packs[i].name, "platebase-base.yaml") == 0)
            return packs[i];
    }
    return packs[0];
}

/* Compiles the base and one more. */
static inline enum pb_status
pack_compile(const struct pb_env *env, const char *text, struct pb_rules **ret_rules,
             struct pb_error *error)
{
    struct pb_pack_source packs[2] = { pack_base(), { pb_str_from(text), "test.yaml" } };

    return pb_rules_compile(env, packs, 2, ret_rules, error);
}

#endif
