/*
 * Kinds: the closed vocabulary of rules, as a table. docs/formats/rule-pack.md says what each
 * means; a test holds the page against this table.
 */
#include <stddef.h>

#include "base/text.h"
#include "policy/policy_private.h"

/* clang-format off */

#define MEMBER(name, type, field) \
    { name, PB_MEMBER_##type, offsetof(struct pb_rule, field), true, NULL }
#define OPTION(name, type, field) \
    { name, PB_MEMBER_##type, offsetof(struct pb_rule, field), false, NULL }
#define CONDITION(name, type, field) \
    { name, PB_MEMBER_##type, offsetof(struct pb_conditions, field), false, NULL }

/* In the order of the bits in pb_conditions.given: see pb_condition. */
static const struct pb_member conditions[] = {
    CONDITION("kinds", KINDS, kinds),
    CONDITION("purposes", PURPOSES, purposes),
    CONDITION("purpose_classes", PURPOSE_CLASSES, purpose_classes),
    CONDITION("asker_classes", AGENCY_CLASSES, asker_classes),
    CONDITION("beneficiary_classes", AGENCY_CLASSES, beneficiary_classes),
    CONDITION("relations", RELATIONS, relations),
    CONDITION("offence_classes", WORDS, offence_classes),
    CONDITION("roles", WORDS, roles),
    CONDITION("reaches_back", SPAN, reaches_back),
    CONDITION("break_glass", BOOL, is_break_glass),
    CONDITION("export", BOOL, is_export),
    CONDITION("for_other_agency", BOOL, is_for_other_agency),
    CONDITION("asker_in_state", BOOL, is_asker_in_state),
    CONDITION("owner_classes", AGENCY_CLASSES, owner_classes),
    CONDITION("own", BOOL, is_own),
};

/* name, use, is_mandatory, conditions, check, members */
static const struct pb_rule_kind kinds[] = {
    { "account_active", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_account_active, { { 0 } } },
    { "agreement", PB_KIND_OWNER, true, PB_WHEN_NONE, NULL, { { 0 } } },
    { "alert_list", PB_KIND_DATA, false, PB_WHEN_NONE, NULL, {
        OPTION("batch_at_most", COUNT, at_most),
        OPTION("valid", SPAN, span),
        OPTION("remind_before", SPAN, remind),
        OPTION("grace", SPAN, grace),
        OPTION("stale_after", SPAN, stale),
        { "visible_to", PB_MEMBER_WORD_OF, offsetof(struct pb_rule, visibility), false,
          pb_visibility_names } } },
    { "approver", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_approver, {
        OPTION("roles", WORDS, roles),
        OPTION("same_agency", BOOL, is_same_agency) } },
    { "area", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_area, {
        MEMBER("at_most_km2", NUMBER, limit),
        OPTION("beyond", BEYOND, beyond) } },
    { "beneficiary_known", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_beneficiary, { { 0 } } },
    { "break_glass", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_break_glass, {
        MEMBER("purposes", PURPOSES, purposes) } },
    { "capture_state_known", PB_KIND_ORIGIN, true, PB_WHEN_ANY, pb_check_capture_state, { { 0 } } },
    { "case_number", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_case_number, {
        OPTION("pattern", PATTERN, pattern),
        OPTION("filler", WORDS, words) } },
    { "case_state", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_case_state, {
        MEMBER("if_unknown", BEYOND, if_unknown),
        MEMBER("if_closed", BEYOND, if_closed) } },
    { "contributors_only", PB_KIND_ORIGIN, true, PB_WHEN_ANY, pb_check_contributor, { { 0 } } },
    { "declaration", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_declaration, {
        MEMBER("subject", TEXT, subject),
        OPTION("out_of_state_only", BOOL, is_in_state) } },
    { "deny", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_deny, { { 0 } } },
    { "duty", PB_KIND_DATA, false, PB_WHEN_NONE, NULL, {
        MEMBER("of", TEXT, subject),
        OPTION("within", SPAN, span),
        OPTION("at_least", COUNT, at_least) } },
    { "export", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_export, { { 0 } } },
    { "exposure", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_exposure, {
        MEMBER("at_most_km2_hours", NUMBER, limit),
        OPTION("beyond", BEYOND, beyond) } },
    { "fields_required", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_fields, {
        MEMBER("fields", FIELDS, fields) } },
    { "hold", PB_KIND_DATA, false, PB_WHEN_NONE, NULL, {
        MEMBER("at_most", SPAN, span) } },
    { "justification", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_justification, {
        MEMBER("characters_at_least", COUNT, at_least),
        MEMBER("words_at_least", COUNT, at_most),
        OPTION("filler", WORDS, words) } },
    { "kinds_allowed", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_kinds, {
        MEMBER("kinds", KINDS, kinds) } },
    { "log_retention", PB_KIND_EFFECT, true, PB_WHEN_ANY, pb_check_log_retention, {
        MEMBER("keep", SPAN, span) } },
    { "look_back", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_look_back, {
        MEMBER("at_most", SPAN, span),
        OPTION("beyond", BEYOND, beyond) } },
    { "look_back_by_offence", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_look_back_offence,
      { { 0 } } },
    { "no_capture_zone", PB_KIND_DATA, false, PB_WHEN_NONE, NULL, {
        MEMBER("places", PLACES, places) } },
    { "no_pooling", PB_KIND_ORIGIN, false, PB_WHEN_ANY, pb_check_no_pooling, { { 0 } } },
    { "offence_classes", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_offence_classes, {
        MEMBER("classes", WORDS, offence_classes) } },
    { "offence_of_case", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_offence_of_case, { { 0 } } },
    { "packs_in_force", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_packs, { { 0 } } },
    { "pack_required", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_pack_required, { { 0 } } },
    { "permission", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_permission, { { 0 } } },
    { "permitted_purposes", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_permitted_purposes, {
        MEMBER("purposes", PURPOSES, purposes) } },
    { "person_known", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_person, { { 0 } } },
    { "places", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_places, {
        MEMBER("at_least", COUNT, at_least),
        MEMBER("at_most", COUNT, at_most) } },
    { "plate_characters", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_plate_characters, {
        MEMBER("at_least", COUNT, at_least) } },
    { "purpose_known", PB_KIND_ASKS, true, PB_WHEN_ANY, pb_check_purpose_known, { { 0 } } },
    { "reason_list", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_reason_list, {
        OPTION("purposes", PURPOSES, purposes),
        OPTION("purpose_classes", PURPOSE_CLASSES, purpose_classes) } },
    { "recipients", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_recipients, {
        OPTION("agency_classes", AGENCY_CLASSES, agency_classes),
        OPTION("states", STATES, states),
        OPTION("in_state", BOOL, is_in_state) } },
    { "retention", PB_KIND_DATA, false, PB_WHEN_OWNER_CLASSES, NULL, {
        MEMBER("keep", SPAN, span) } },
    { "review_overdue", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_review, {
        MEMBER("every", SPAN, span),
        MEMBER("late", SPAN, late) } },
    { "roles_allowed", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_roles, {
        MEMBER("roles", WORDS, roles) } },
    { "row_brake", PB_KIND_EFFECT, false, PB_WHEN_ANY, pb_check_row_brake, {
        MEMBER("confirm_at", COUNT, at_least),
        MEMBER("newest", COUNT, newest) } },
    { "scope_not_empty", PB_KIND_LAST, true, PB_WHEN_ANY, pb_check_scope, { { 0 } } },
    { "second_person", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_second_person, { { 0 } } },
    { "step_up", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_step_up, { { 0 } } },
    { "text_counts_as", PB_KIND_MEANING, false, PB_WHEN_NONE, pb_check_text_counts_as, {
        MEMBER("words", WORDS, words),
        MEMBER("purposes", PURPOSES, purposes) } },
    { "training_valid", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_training, { { 0 } } },
    { "veto_purposes", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_veto, {
        MEMBER("purposes", PURPOSES, purposes) } },
    { "window", PB_KIND_ASKS, false, PB_WHEN_ANY, pb_check_window, {
        MEMBER("at_most", SPAN, span),
        OPTION("beyond", BEYOND, beyond) } },
};

/* clang-format on */

const struct pb_rule_kind *
pb_rule_kinds(size_t *ret_count)
{
    *ret_count = sizeof(kinds) / sizeof(kinds[0]);
    return kinds;
}

const struct pb_rule_kind *
pb_rule_kind(struct pb_str name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (pb_str_equal(pb_str_from(kinds[i].name), name))
            return &kinds[i];
    }
    return NULL;
}

const struct pb_member *
pb_condition_members(size_t *ret_count)
{
    *ret_count = sizeof(conditions) / sizeof(conditions[0]);
    return conditions;
}
