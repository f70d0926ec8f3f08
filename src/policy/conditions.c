/*
 * Conditions: does a rule apply to this inquiry, and to this origin?
 *
 * All that `when` names must hold. What is not known (an unknown person, purpose or offence) holds:
 * a rule is not escaped by leaving something out.
 */
#include "base/text.h"
#include "policy/policy_private.h"

static bool
has_bit(uint32_t mask, unsigned bit)
{
    return (mask >> bit & 1u) != 0;
}

static bool
has_class(uint32_t mask, const struct pb_agency *agency)
{
    return agency == NULL || has_bit(mask, agency->class);
}

static bool
is_asker_in_state(const struct pb_rule *rule, const struct pb_asking *asking)
{
    return asking->asker_agency != NULL &&
           pb_is_within(asking->asker_agency->jurisdiction, rule->pack->jurisdiction);
}

/* Somebody of another agency than the asker's, or somebody that nobody knows. */
static bool
is_for_other_agency(const struct pb_asking *asking)
{
    return asking->is_for_other &&
           (asking->beneficiary == NULL || asking->beneficiary_agency != asking->asker_agency);
}

static bool
meets_people(const struct pb_rule *rule, const struct pb_asking *asking)
{
    const struct pb_conditions *when = &rule->when;

    if ((when->given & PB_WHEN_ASKER_CLASSES) != 0 &&
        !has_class(when->asker_classes, asking->asker_agency))
        return false;
    if ((when->given & PB_WHEN_BENEFICIARY_CLASSES) != 0 &&
        !has_class(when->beneficiary_classes, asking->beneficiary_agency))
        return false;
    if ((when->given & PB_WHEN_ROLES) != 0 && asking->asker != NULL &&
        !pb_words_have(&when->roles, asking->asker->role))
        return false;
    if ((when->given & PB_WHEN_FOR_OTHER_AGENCY) != 0 &&
        when->is_for_other_agency != is_for_other_agency(asking))
        return false;
    return (when->given & PB_WHEN_ASKER_IN_STATE) == 0 ||
           when->is_asker_in_state == is_asker_in_state(rule, asking);
}

static bool
meets_purpose(const struct pb_conditions *when, const struct pb_asking *asking)
{
    if ((when->given & PB_WHEN_PURPOSES) != 0 && asking->purpose >= 0 &&
        !pb_purpose_sets_meet(&when->purposes, &asking->meaning))
        return false;
    if ((when->given & PB_WHEN_PURPOSE_CLASSES) != 0 && asking->purpose >= 0 &&
        !has_bit(when->purpose_classes, asking->purpose_class))
        return false;
    return (when->given & PB_WHEN_OFFENCE_CLASSES) == 0 || asking->offence == NULL ||
           pb_words_have(&when->offence_classes, asking->offence->class);
}

static bool
meets_question(const struct pb_conditions *when, const struct pb_asking *asking)
{
    const struct pb_policy_request *request = asking->request;

    if ((when->given & PB_WHEN_KINDS) != 0 && !has_bit(when->kinds, request->kind))
        return false;
    if ((when->given & PB_WHEN_RELATIONS) != 0 && !has_bit(when->relations, request->relation))
        return false;
    if ((when->given & PB_WHEN_BREAK_GLASS) != 0 && when->is_break_glass != request->is_break_glass)
        return false;
    if ((when->given & PB_WHEN_EXPORT) != 0 && when->is_export != request->is_export)
        return false;
    return (when->given & PB_WHEN_REACHES_BACK) == 0 ||
           request->from_us < pb_span_before(&when->reaches_back, asking->now_us);
}

static bool
meets_origin(const struct pb_conditions *when, const struct pb_profile *profile)
{
    if ((when->given & PB_WHEN_OWNER_CLASSES) != 0 &&
        !has_bit(when->owner_classes, profile->owner_class))
        return false;
    return (when->given & PB_WHEN_OWN) == 0 || when->is_own == profile->is_own;
}

bool
pb_rule_applies(const struct pb_rule *rule, const struct pb_asking *asking,
                const struct pb_profile *profile)
{
    const struct pb_conditions *when = &rule->when;

    if (when->given == 0)
        return true;
    if (profile != NULL && !meets_origin(when, profile))
        return false;
    return meets_question(when, asking) && meets_purpose(when, asking) &&
           meets_people(rule, asking);
}
