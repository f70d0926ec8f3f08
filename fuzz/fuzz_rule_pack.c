/*
 * Rule packs: input is a pack's text. Compiling takes anything; beside the base a pack only takes
 * away: what was denied stays denied, what was left out stays out, what is kept is kept no longer.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "policy/facts.h"
#include "policy/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_so)
{
    if (!is_so)
        abort();
}

struct outcome {
    struct pb_decision decision;
    int64_t retention_us, hold_us;
    struct pb_alert_limits alerts;
};

static void
ask(const struct pb_rules *rules, const struct facts *facts, struct pb_arena *arena,
    struct outcome *outcome)
{
    expect(pb_policy_decide(rules, &facts->view, &facts->request, FACTS_NOW, arena,
                            &outcome->decision) == PB_OK);
    outcome->retention_us =
        pb_policy_retention_us(rules, &facts->view, FACTS_SHERIFF_KS, FACTS_NOW, NULL);
    outcome->hold_us = pb_policy_hold_max_us(rules, facts->origins[FACTS_SHERIFF_KS].capture_state,
                                             FACTS_NOW, NULL);
    outcome->alerts =
        pb_policy_alert_limits(rules, &facts->view, FACTS_SHERIFF,
                               facts->origins[FACTS_SHERIFF_KS].capture_state, FACTS_NOW);
}

static void
compare(const struct outcome *base, const struct outcome *both)
{
    expect(both->decision.verdict >= base->decision.verdict);
    for (uint32_t i = 0; i < FACTS_ORIGINS; i++)
        expect(!both->decision.admits_origin[i] || base->decision.admits_origin[i]);
    expect(both->decision.verdict == PB_POLICY_DENY ||
           (both->decision.from_us >= base->decision.from_us &&
            both->decision.to_us <= base->decision.to_us));
    expect(both->decision.confirm_at_rows <= base->decision.confirm_at_rows);
    expect(both->decision.rows_max <= base->decision.rows_max);
    expect(both->decision.log_retention_us >= base->decision.log_retention_us);
    expect(both->retention_us <= base->retention_us && both->hold_us <= base->hold_us);
    expect(both->alerts.batch_max <= base->alerts.batch_max &&
           both->alerts.valid_us <= base->alerts.valid_us &&
           both->alerts.visibility <= base->alerts.visibility);
}

static bool
is_the_base(const struct pb_pack_info *pack)
{
    return pb_str_equal(pack->id, pb_str_from("platebase-base")) && pack->version != 1;
}

static bool
look_for_base(void *context, const struct pb_pack_info *pack)
{
    bool *has_other_base = context;

    *has_other_base |= is_the_base(pack);
    return true;
}

/* pack_count 1: the asker is bound by the pack, where it is called t. */
static void
try_requests(const struct pb_rules *alone, const struct pb_rules *both, struct facts *facts,
             uint32_t pack_count)
{
    static const enum pb_inquiry_kind kinds[] = { PB_INQUIRY_PLATE, PB_INQUIRY_PATTERN,
                                                  PB_INQUIRY_PLACE };
    static const struct pb_str names[1] = { { "t", 1 } };
    struct pb_agency *asker = &facts->agencies[FACTS_SHERIFF];
    struct pb_arena arena;

    pb_arena_init(&arena, pb_env_system(), 16384);
    facts->request.place_count = 1;
    facts->request.area_m2 = 1000;
    facts->request.has_stepped_up = true;
    asker->packs = names;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct outcome base, beside;

        facts->request.kind = kinds[i];
        asker->pack_count = 0;
        ask(alone, facts, &arena, &base);
        asker->pack_count = pack_count;
        ask(both, facts, &arena, &beside);
        compare(&base, &beside);
    }
    pb_arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct facts facts;
    struct pb_pack_source packs[2] = { pack_base(), { { (const char *)data, 0 }, "fuzz.yaml" } };
    static struct pb_rules *alone; /* kept, for it is the same each time */
    struct pb_rules *both = NULL;
    struct pb_error error;
    bool has_other_base = false;

    if (size > 65536)
        return 0;
    packs[1].text.bytes = (uint32_t)size;
    if (pb_rules_compile(pb_env_system(), packs, 2, &both, &error) != PB_OK)
        return 0;
    pb_rules_each_pack(both, FACTS_NOW, look_for_base, &has_other_base);
    expect(alone != NULL || pb_rules_compile(pb_env_system(), packs, 1, &alone, &error) == PB_OK);
    facts_init(&facts);
    if (!has_other_base) {
        try_requests(alone, both, &facts, 0);
        try_requests(alone, both, &facts, 1);
    }
    pb_rules_unref(both);
    return 0;
}
