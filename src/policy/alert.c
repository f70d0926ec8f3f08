/*
 * Alert lists: what the rules allow of a list of wanted plates, and where an entry stands.
 */
#include "base/text.h"
#include "policy/policy_private.h"

#define HAS_BATCH (1u << 0)
#define HAS_VALID (1u << 1)
#define HAS_REMIND (1u << 2)
#define HAS_GRACE (1u << 3)
#define HAS_STALE (1u << 4)
#define HAS_VISIBILITY (1u << 5)

static int64_t
lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
tighten(struct pb_alert_limits *limits, const struct pb_rule *rule)
{
    if ((rule->given & HAS_BATCH) != 0 && rule->at_most < limits->batch_max)
        limits->batch_max = rule->at_most;
    if ((rule->given & HAS_VALID) != 0)
        limits->valid_us = lesser(limits->valid_us, rule->span.shortest_us);
    if ((rule->given & HAS_REMIND) != 0 && rule->remind.longest_us > limits->remind_before_us)
        limits->remind_before_us = rule->remind.longest_us;
    if ((rule->given & HAS_GRACE) != 0)
        limits->grace_us = lesser(limits->grace_us, rule->grace.shortest_us);
    if ((rule->given & HAS_STALE) != 0)
        limits->stale_after_us = lesser(limits->stale_after_us, rule->stale.shortest_us);
    if ((rule->given & HAS_VISIBILITY) != 0 && rule->visibility < (uint32_t)limits->visibility)
        limits->visibility = (enum pb_alert_visibility)rule->visibility;
}

static void
tighten_by(struct pb_alert_limits *limits, const struct pb_pack *pack, enum pb_rule_bind bind)
{
    const struct pb_rule_kind *kind = pb_rule_kind(pb_str_from("alert_list"));
    uint32_t i, end;

    if (pack == NULL)
        return;
    for (pb_pack_range(pack, bind, PB_ABOUT_ELSE, &i, &end); i < end; i++) {
        if (pack->rules[i].kind == kind)
            tighten(limits, &pack->rules[i]);
    }
}

static void
tighten_by_laws(struct pb_alert_limits *limits, const struct pb_rules *rules, uint16_t jurisdiction,
                enum pb_rule_bind bind, int64_t now_us)
{
    for (uint32_t i = 0; i < rules->state_count; i++) {
        if (pb_is_within(jurisdiction, rules->state_groups[i].jurisdiction))
            tighten_by(limits,
                       pb_pack_in_force(&rules->groups[rules->state_groups[i].group], now_us),
                       bind);
    }
}

struct pb_alert_limits
pb_policy_alert_limits(const struct pb_rules *rules, const struct pb_catalog_view *view,
                       uint32_t agency, uint16_t capture_state, int64_t now_us)
{
    const struct pb_agency *owner = &view->agencies[agency];
    struct pb_alert_limits limits = {
        .batch_max = UINT64_MAX,
        .valid_us = PB_NEVER,
        .grace_us = PB_NEVER,
        .stale_after_us = PB_NEVER,
        .visibility = PB_ALERT_AGENCY,
    };

    for (uint32_t i = 0; i < rules->group_count; i++)
        tighten_by(&limits, pb_pack_in_force(&rules->groups[i], now_us), PB_BINDS_EVERYONE);
    for (uint32_t i = 0; i < owner->pack_count; i++)
        tighten_by(&limits, pb_pack_named(rules, owner->packs[i], now_us), PB_BINDS_ASKER);
    tighten_by_laws(&limits, rules, owner->jurisdiction, PB_BINDS_ASKER_STATE, now_us);
    tighten_by_laws(&limits, rules, capture_state, PB_BINDS_CAPTURE_STATE, now_us);
    return limits;
}

enum pb_alert_phase
pb_alert_phase(const struct pb_alert_limits *limits, int64_t begun_us, int64_t now_us)
{
    int64_t age_us;

    if (begun_us > now_us)
        return PB_ALERT_REMOVED;
    age_us = now_us - begun_us;
    if (age_us < limits->valid_us) {
        bool is_due =
            limits->valid_us != PB_NEVER && age_us >= limits->valid_us - limits->remind_before_us;

        return is_due ? PB_ALERT_DUE : PB_ALERT_ACTIVE;
    }
    return age_us - limits->valid_us < limits->grace_us ? PB_ALERT_GRACE : PB_ALERT_REMOVED;
}

bool
pb_alert_takes_batch(const struct pb_alert_limits *limits, uint64_t plates)
{
    return plates > 0 && plates <= limits->batch_max;
}

bool
pb_alert_is_stale(const struct pb_alert_limits *limits, int64_t refreshed_us, int64_t now_us)
{
    return refreshed_us > now_us || now_us - refreshed_us > limits->stale_after_us;
}
