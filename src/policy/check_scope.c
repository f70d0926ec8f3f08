/*
 * Checks of purposes, and of who would learn what was captured where.
 *
 * Whoever would learn the answer is a party: the asker's agency, the beneficiary's, and the one
 * that an export goes to. What is asked of a recipient is asked of each of them, so that nobody
 * gets through another what he could not get himself.
 */
#include "base/text.h"
#include "policy/policy_private.h"

/* ---- purposes ---- */

void
pb_check_purpose_known(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)profile;
    if (asking->purpose < 0)
        pb_find(findings, PB_POLICY_DENY, "purpose");
}

/* A contract's list: the code itself must be on it. */
void
pb_check_reason_list(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->purpose >= 0 && (pb_purpose_set_has(&rule->purposes, (unsigned)asking->purpose) ||
                                 (rule->purpose_classes >> asking->purpose_class & 1u) != 0))
        return;
    pb_find(findings, PB_POLICY_DENY, "purpose");
}

/* A statute's list: whatever the purpose counts as must be on it. */
void
pb_check_permitted_purposes(const struct pb_rule *rule, struct pb_asking *asking,
                            const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (!pb_purpose_is_permitted(asking, &rule->purposes))
        pb_find(findings, PB_POLICY_DENY, "purpose");
}

void
pb_check_veto(const struct pb_rule *rule, struct pb_asking *asking,
              const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->purpose < 0 || pb_purpose_sets_meet(&asking->meaning, &rule->purposes))
        pb_find(findings, PB_POLICY_DENY, "purpose");
}

/* Words of the justification that give a purpose away which was not stated. */
void
pb_check_text_counts_as(const struct pb_rule *rule, struct pb_asking *asking,
                        const struct pb_profile *profile, struct pb_findings *findings)
{
    struct pb_str text = asking->request->justification, word;
    uint32_t at = 0;

    (void)profile;
    if (pb_purpose_sets_meet(&asking->own_meaning, &rule->purposes))
        return;
    for (word = pb_text_word(text, &at); word.bytes > 0; word = pb_text_word(text, &at)) {
        if (!pb_words_have(&rule->words, word))
            continue;
        for (size_t i = 0; i < sizeof(asking->meaning.bits) / sizeof(asking->meaning.bits[0]); i++)
            asking->meaning.bits[i] |= rule->purposes.bits[i];
        pb_find(findings, PB_POLICY_ALLOW, "justification");
        return;
    }
}

/* ---- recipients ---- */

static bool
has_state(const struct pb_rule *rule, uint16_t jurisdiction)
{
    if (rule->is_in_state && pb_is_within(jurisdiction, rule->pack->jurisdiction))
        return true;
    for (uint32_t i = 0; i < rule->states.count; i++) {
        if (pb_is_within(jurisdiction, rule->states.at[i]))
            return true;
    }
    return false;
}

static bool
may_receive(const struct pb_rule *rule, const struct pb_agency *agency)
{
    bool names_places = rule->is_in_state || rule->states.count > 0;

    if (rule->agency_classes != 0 && (rule->agency_classes >> agency->class & 1u) == 0)
        return false;
    return !names_places || has_state(rule, agency->jurisdiction);
}

void
pb_check_recipients(const struct pb_rule *rule, struct pb_asking *asking,
                    const struct pb_profile *profile, struct pb_findings *findings)
{
    bool is_fine = !asking->has_unknown_party;

    (void)profile;
    for (unsigned i = 0; i < asking->party_count; i++)
        is_fine = is_fine && may_receive(rule, &asking->view->agencies[asking->parties[i]]);
    if (!is_fine)
        pb_find(findings, PB_POLICY_DENY, asking->is_for_other ? "on_behalf_of" : "person");
}

static bool
has_declared(const struct pb_rule *rule, const struct pb_asking *asking, uint32_t agency)
{
    for (uint32_t i = 0; i < asking->view->declaration_count; i++) {
        const struct pb_declaration *declaration = &asking->view->declarations[i];

        if (declaration->agency == agency &&
            declaration->jurisdiction == rule->pack->jurisdiction &&
            declaration->signed_at_us <= asking->now_us &&
            asking->now_us < declaration->expires_at_us &&
            pb_str_equal(declaration->subject, rule->subject))
            return true;
    }
    return false;
}

void
pb_check_declaration(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    bool is_fine = !asking->has_unknown_party;

    (void)profile;
    for (unsigned i = 0; i < asking->party_count; i++) {
        const struct pb_agency *agency = &asking->view->agencies[asking->parties[i]];

        if (rule->is_in_state && pb_is_within(agency->jurisdiction, rule->pack->jurisdiction))
            continue;
        is_fine = is_fine && has_declared(rule, asking, asking->parties[i]);
    }
    if (!is_fine)
        pb_find(findings, PB_POLICY_DENY, asking->is_for_other ? "on_behalf_of" : "person");
}

/* ---- origins ---- */

void
pb_check_no_pooling(const struct pb_rule *rule, struct pb_asking *asking,
                    const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    if (!profile->is_own)
        pb_find(findings, PB_POLICY_DENY, "");
}

void
pb_check_contributor(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    if (!profile->is_contributor)
        pb_find(findings, PB_POLICY_DENY, "");
}

void
pb_check_capture_state(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    if (profile->capture_state == 0)
        pb_find(findings, PB_POLICY_DENY, "");
}

void
pb_check_scope(const struct pb_rule *rule, struct pb_asking *asking,
               const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)rule;
    (void)asking;
    (void)profile;
    pb_find(findings, PB_POLICY_DENY, "");
}
