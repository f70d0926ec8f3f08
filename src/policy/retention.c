/*
 * Retention: how long reads may be kept, and how long one request may hold them.
 *
 * Reads: the shortest of what the capture state's law, the owner's contract, the base rules and the
 * owner itself say. A span of months counts as the shortest that so many months can be.
 * Places in which no reads are made: all that any of these laws names.
 */
#include "base/text.h"
#include "base/time.h"
#include "policy/policy_private.h"

struct limit {
    const struct pb_agency *owner; /* NULL: not asked about */
    const struct pb_rule_kind *kind;
    int64_t us;
    const struct pb_rule *rule;
    uint32_t places; /* of all rules of that kind */
};

static void
look_at(struct limit *limit, const struct pb_pack *pack, enum pb_rule_bind bind)
{
    uint32_t i, end;

    for (pb_pack_range(pack, bind, PB_ABOUT_ELSE, &i, &end); i < end; i++) {
        const struct pb_rule *rule = &pack->rules[i];
        int64_t us;

        if (rule->kind != limit->kind)
            continue;
        limit->places |= rule->places;
        if (limit->owner != NULL && (rule->when.given & PB_WHEN_OWNER_CLASSES) != 0 &&
            (rule->when.owner_classes >> limit->owner->class & 1u) == 0)
            continue;
        us = rule->span.shortest_us;
        /* Of two that say the same the law speaks, which is looked at last. */
        if (us > limit->us)
            continue;
        limit->us = us;
        limit->rule = rule;
    }
}

static void
look_at_state(struct limit *limit, const struct pb_rules *rules, uint16_t jurisdiction,
              int64_t now_us)
{
    uint32_t i = pb_state_groups_first(rules, jurisdiction);

    for (; i < rules->state_count && rules->state_groups[i].jurisdiction == jurisdiction; i++) {
        const struct pb_pack *pack =
            pb_pack_in_force(&rules->groups[rules->state_groups[i].group], now_us);

        if (pack != NULL)
            look_at(limit, pack, PB_BINDS_CAPTURE_STATE);
    }
}

static void
look_at_laws(struct limit *limit, const struct pb_rules *rules, uint16_t capture_state,
             int64_t now_us)
{
    uint16_t country = pb_country_of(capture_state);

    for (uint32_t i = 0; i < rules->group_count; i++) {
        const struct pb_pack *pack = pb_pack_in_force(&rules->groups[i], now_us);

        if (pack != NULL)
            look_at(limit, pack, PB_BINDS_EVERYONE);
    }
    look_at_state(limit, rules, capture_state, now_us);
    if (country != capture_state)
        look_at_state(limit, rules, country, now_us);
}

static void
tell(const struct limit *limit, struct pb_spoken_rule *ret_rule)
{
    if (ret_rule == NULL)
        return;
    *ret_rule = (struct pb_spoken_rule){ .field = "", .verdict = PB_POLICY_ALLOW };
    if (limit->rule == NULL)
        return;
    ret_rule->id = limit->rule->id;
    ret_rule->text = limit->rule->text;
    ret_rule->source = limit->rule->source;
    ret_rule->is_verified = limit->rule->is_verified;
}

int64_t
pb_policy_retention_us(const struct pb_rules *rules, const struct pb_catalog_view *view,
                       uint32_t origin, int64_t now_us, struct pb_spoken_rule *ret_rule)
{
    const struct pb_agency *owner = &view->agencies[view->origins[origin].agency];
    struct limit limit = { .owner = owner,
                           .kind = pb_rule_kind(pb_str_from("retention")),
                           .us = PB_NEVER };

    look_at_laws(&limit, rules, view->origins[origin].capture_state, now_us);
    for (uint32_t i = 0; i < owner->pack_count; i++) {
        const struct pb_pack *pack = pb_pack_named(rules, owner->packs[i], now_us);

        if (pack != NULL)
            look_at(&limit, pack, PB_BINDS_ASKER);
    }
    if (owner->retention_days >= 0 && owner->retention_days * PB_DAY_US < limit.us) {
        limit.us = owner->retention_days * PB_DAY_US;
        limit.rule = NULL;
    }
    tell(&limit, ret_rule);
    return limit.us;
}

int64_t
pb_policy_hold_max_us(const struct pb_rules *rules, uint16_t capture_state, int64_t now_us,
                      struct pb_spoken_rule *ret_rule)
{
    struct limit limit = { .kind = pb_rule_kind(pb_str_from("hold")), .us = PB_NEVER };

    look_at_laws(&limit, rules, capture_state, now_us);
    tell(&limit, ret_rule);
    return limit.us;
}

uint32_t
pb_policy_no_capture(const struct pb_rules *rules, uint16_t capture_state, int64_t now_us)
{
    struct limit limit = { .kind = pb_rule_kind(pb_str_from("no_capture_zone")), .us = PB_NEVER };

    look_at_laws(&limit, rules, capture_state, now_us);
    return limit.places;
}
