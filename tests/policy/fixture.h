/*
 * Fixture of the policy's tests: the shipped rules, facts to judge by, and a decision.
 */
#ifndef PB_TESTS_POLICY_FIXTURE_H
#define PB_TESTS_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "policy/facts.h"
#include "policy/pack.h"
#include "support/fault_env.h"

struct fixture {
    struct pb_rules *rules;
    struct pb_arena arena;
    struct facts facts;
    struct pb_decision decision;
};

static inline int
set_up(void **state)
{
    static struct fixture fixture;
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    if (pb_rules_compile(pb_env_system(), packs, count, &fixture.rules, NULL) != PB_OK)
        return -1;
    pb_arena_init(&fixture.arena, pb_env_system(), 16384);
    facts_init(&fixture.facts);
    *state = &fixture;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    pb_arena_clear(&fixture->arena);
    pb_rules_unref(fixture->rules);
    return 0;
}

/* Puts the base and one more pack in place of the shipped rules. */
static inline void
use_pack(struct fixture *fixture, const char *text)
{
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };

    if (pack_compile(pb_env_system(), text, &rules, &error) != PB_OK)
        fail_msg("%s", error.message);
    pb_rules_unref(fixture->rules);
    fixture->rules = rules;
}

#endif
