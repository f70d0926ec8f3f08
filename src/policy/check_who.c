/*
 * Checks of who asks, for whom, and under which contract.
 *
 * Where the person is not known there is nothing that could be allowed: each check then denies.
 */
#include <assert.h>

#include "base/text.h"
#include "policy/policy_private.h"

void
pb_check_person(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->asker == NULL)
        pb_find(findings, PB_POLICY_DENY, "person");
}

void
pb_check_beneficiary(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->beneficiary == NULL)
        pb_find(findings, PB_POLICY_DENY, asking->is_for_other ? "on_behalf_of" : "person");
}

static bool
is_active(const struct pb_person *person, const struct pb_agency *agency)
{
    return person != NULL && person->status == PB_PERSON_ACTIVE && agency->is_active;
}

void
pb_check_account_active(const struct pb_rule *rule, struct pb_asking *asking,
                        const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (!is_active(asking->asker, asking->asker_agency))
        pb_find(findings, PB_POLICY_DENY, "person");
    if (asking->is_for_other && !is_active(asking->beneficiary, asking->beneficiary_agency))
        pb_find(findings, PB_POLICY_DENY, "on_behalf_of");
}

void
pb_check_training(const struct pb_rule *rule, struct pb_asking *asking,
                  const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->asker == NULL || asking->asker->training_valid_until_us <= asking->now_us)
        pb_find(findings, PB_POLICY_DENY, "person");
}

/* Permissions and kinds of inquiry are bits in the same order. */
static_assert(PB_MAY_PLATE == 1u << PB_INQUIRY_PLATE &&
                  PB_MAY_PATTERN == 1u << PB_INQUIRY_PATTERN &&
                  PB_MAY_PLACE == 1u << PB_INQUIRY_PLACE &&
                  PB_MAY_COMMON == 1u << PB_INQUIRY_COMMON &&
                  PB_MAY_ASSOCIATES == 1u << PB_INQUIRY_ASSOCIATES,
              "a kind's permission has the kind's place");

/* Who looks after the log tells people what is held of them: auditors, never those who
 * investigate. */
static uint32_t
permission_of(enum pb_inquiry_kind kind)
{
    return kind == PB_INQUIRY_SUBJECT ? (uint32_t)PB_MAY_AUDIT : 1u << kind;
}

void
pb_check_permission(const struct pb_rule *rule, struct pb_asking *asking,
                    const struct pb_profile *profile, struct pb_findings *findings)
{
    uint32_t permissions = asking->asker == NULL ? 0 : asking->asker->permissions;

    (void)rule;
    (void)profile;
    if ((permissions & permission_of(asking->request->kind)) == 0)
        pb_find(findings, PB_POLICY_DENY, "kind");
    if (asking->request->is_export && (permissions & PB_MAY_EXPORT) == 0)
        pb_find(findings, PB_POLICY_DENY, "export_recipient");
}

void
pb_check_step_up(const struct pb_rule *rule, struct pb_asking *asking,
                 const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (!asking->request->has_stepped_up)
        pb_find(findings, PB_POLICY_DENY, "step_up");
}

void
pb_check_roles(const struct pb_rule *rule, struct pb_asking *asking,
               const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->asker == NULL || !pb_words_have(&rule->roles, asking->asker->role))
        pb_find(findings, PB_POLICY_DENY, "person");
}

void
pb_check_kinds(const struct pb_rule *rule, struct pb_asking *asking,
               const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if ((rule->kinds >> asking->request->kind & 1u) == 0)
        pb_find(findings, PB_POLICY_DENY, "kind");
}

void
pb_check_packs(const struct pb_rule *rule, struct pb_asking *asking,
               const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->has_missing_pack)
        pb_find(findings, PB_POLICY_DENY, "person");
}

void
pb_check_pack_required(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->asker_agency == NULL || asking->asker_agency->pack_count == 0)
        pb_find(findings, PB_POLICY_DENY, "person");
}

void
pb_check_second_person(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    (void)profile;
    pb_find(findings, PB_POLICY_NEEDS_SECOND_PERSON, "approver");
}

void
pb_check_deny(const struct pb_rule *rule, struct pb_asking *asking,
              const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    (void)profile;
    pb_find(findings, PB_POLICY_DENY, "");
}

/* Somebody else, who may approve, and who gains nothing. */
static bool
may_approve(const struct pb_rule *rule, const struct pb_asking *asking)
{
    const struct pb_person *approver = asking->approver;

    if (approver == NULL || approver == asking->asker || approver == asking->beneficiary)
        return false;
    if (!is_active(approver, &asking->view->agencies[approver->agency]))
        return false;
    if ((approver->permissions & PB_MAY_APPROVE) == 0)
        return false;
    if (approver->training_valid_until_us <= asking->now_us)
        return false;
    if (rule->roles.count > 0 && !pb_words_have(&rule->roles, approver->role))
        return false;
    return !rule->is_same_agency ||
           &asking->view->agencies[approver->agency] == asking->asker_agency;
}

void
pb_check_approver(const struct pb_rule *rule, struct pb_asking *asking,
                  const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->request->approver.bytes > 0 && !may_approve(rule, asking))
        pb_find(findings, PB_POLICY_DENY, "approver");
}

/* Breaking the glass and an emergency are one: neither is claimed without the other. */
void
pb_check_break_glass(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    bool is_emergency =
        asking->purpose >= 0 && pb_purpose_set_has(&rule->purposes, (unsigned)asking->purpose);

    (void)profile;
    if (!asking->request->is_break_glass) {
        if (is_emergency)
            pb_find(findings, PB_POLICY_DENY, "break_glass");
        return;
    }
    if (!is_emergency)
        pb_find(findings, PB_POLICY_DENY, "purpose");
    if (asking->asker == NULL || (asking->asker->permissions & PB_MAY_BREAK_GLASS) == 0)
        pb_find(findings, PB_POLICY_DENY, "person");
    asking->notifies_owners = true;
    if (findings->count == 0)
        pb_find(findings, PB_POLICY_ALLOW, "break_glass");
}

void
pb_check_review(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_agency *agency = asking->asker_agency;
    int64_t patience_us, since_us;

    (void)profile;
    if (agency == NULL) {
        pb_find(findings, PB_POLICY_DENY, "person");
        return;
    }
    patience_us = rule->span.shortest_us > PB_NEVER - rule->late.shortest_us
                      ? PB_NEVER
                      : rule->span.shortest_us + rule->late.shortest_us;
    since_us = agency->reviewed_at_us > agency->created_at_us ? agency->reviewed_at_us
                                                              : agency->created_at_us;
    /* A review that is said to end in the future gives no credit. */
    if (since_us > asking->now_us || asking->now_us - since_us > patience_us)
        pb_find(findings, PB_POLICY_DENY, "person");
}
