/*
 * Checks of what is asked, why, over which time and place.
 */
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "policy/policy_private.h"

/* ---- fields ---- */

static bool
has_window(const struct pb_policy_request *request)
{
    return request->from_us < request->to_us;
}

static bool
is_given(const struct pb_policy_request *request, unsigned field)
{
    const bool given[] = {
        [PB_ASKS_PERSON] = request->person.bytes > 0,
        [PB_ASKS_PLATE] = request->plate.bytes > 0,
        [PB_ASKS_JURISDICTION] = request->jurisdiction != 0 || request->is_jurisdiction_unknown,
        [PB_ASKS_WINDOW] = has_window(request),
        [PB_ASKS_AREA] = request->place_count > 0 && request->area_m2 > 0,
        [PB_ASKS_PURPOSE] = request->purpose.bytes > 0,
        [PB_ASKS_OFFENCE] = request->offence.bytes > 0,
        [PB_ASKS_CASE] = request->case_number.bytes > 0,
        [PB_ASKS_JUSTIFICATION] = request->justification.bytes > 0,
        [PB_ASKS_RELATION] = request->relation != PB_RELATION_UNSTATED,
        [PB_ASKS_IDENTITY] = request->identity.bytes > 0,
    };

    return given[field];
}

/* The names that a decision uses for them. */
static const char *const asked_for[] = {
    [PB_ASKS_PERSON] = "person",
    [PB_ASKS_PLATE] = "plate",
    [PB_ASKS_JURISDICTION] = "jurisdiction",
    [PB_ASKS_WINDOW] = "window",
    [PB_ASKS_AREA] = "area",
    [PB_ASKS_PURPOSE] = "purpose",
    [PB_ASKS_OFFENCE] = "offence",
    [PB_ASKS_CASE] = "case_number",
    [PB_ASKS_JUSTIFICATION] = "justification",
    [PB_ASKS_RELATION] = "relation",
    [PB_ASKS_IDENTITY] = "identity",
};

void
pb_check_fields(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    for (unsigned field = PB_ASKS_PERSON; field <= PB_ASKS_IDENTITY; field++) {
        if ((rule->fields >> field & 1u) != 0 && !is_given(asking->request, field))
            pb_find(findings, PB_POLICY_DENY, asked_for[field]);
    }
}

/* ---- case and justification ---- */

#define CASE_NUMBER_BYTES_MAX 64u

static bool
is_case_number(const struct pb_rule *rule, struct pb_asking *asking)
{
    struct pb_str number = asking->request->case_number;
    const struct pb_agency *agency = asking->asker_agency;
    void *code = NULL;
    enum pb_status status = PB_OK;

    if (number.bytes > CASE_NUMBER_BYTES_MAX || !pb_text_is_plain(number) ||
        pb_words_have(&rule->words, number))
        return false;
    if (rule->compiled_pattern != NULL)
        status = pb_case_pattern_match(asking->arena, rule->compiled_pattern, number);
    if (status == PB_OK && agency != NULL && agency->case_pattern.bytes > 0) {
        status = pb_case_pattern_compile(asking->arena, agency->case_pattern, &code, NULL);
        if (status == PB_OK)
            status = pb_case_pattern_match(asking->arena, code, number);
    }
    asking->is_out_of_memory |= status == PB_E_NOMEM;
    return status == PB_OK;
}

/* A number that is missing is for fields_required to name. */
void
pb_check_case_number(const struct pb_rule *rule, struct pb_asking *asking,
                     const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->request->case_number.bytes > 0 && !is_case_number(rule, asking))
        pb_find(findings, PB_POLICY_DENY, "case_number");
}

static void
go_beyond(enum pb_beyond beyond, const char *field, struct pb_findings *findings)
{
    if (beyond == PB_BEYOND_SECOND_PERSON)
        pb_find(findings, PB_POLICY_NEEDS_SECOND_PERSON, field);
    else if (beyond != PB_BEYOND_ALLOW)
        pb_find(findings, PB_POLICY_DENY, field);
}

void
pb_check_case_state(const struct pb_rule *rule, struct pb_asking *asking,
                    const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_case *found = asking->request->found_case;

    (void)profile;
    if (asking->request->case_number.bytes == 0)
        return;
    if (found == NULL)
        go_beyond(rule->if_unknown, "case_number", findings);
    else if (!found->is_open)
        go_beyond(rule->if_closed, "case_number", findings);
}

void
pb_check_offence_of_case(const struct pb_rule *rule, struct pb_asking *asking,
                         const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_case *found = asking->request->found_case;
    struct pb_str offence = asking->request->offence;

    (void)rule;
    (void)profile;
    if (offence.bytes > 0 && found != NULL && found->offence.bytes > 0 &&
        !pb_str_equal(offence, found->offence))
        pb_find(findings, PB_POLICY_DENY, "offence");
}

void
pb_check_justification(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    struct pb_str text = asking->request->justification;

    (void)profile;
    if (text.bytes > PB_JUSTIFICATION_BYTES_MAX || !pb_justification_is_plain(text) ||
        !pb_justification_is_enough(text, rule->at_least, rule->at_most, &rule->words))
        pb_find(findings, PB_POLICY_DENY, "justification");
}

/* ---- plate ---- */

/* Every edit lets one character be another, so that it is not known either. */
void
pb_check_plate_characters(const struct pb_rule *rule, struct pb_asking *asking,
                          const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_policy_request *request = asking->request;
    uint64_t known =
        request->known_characters > request->edits ? request->known_characters - request->edits : 0;

    (void)profile;
    if (known < rule->at_least)
        pb_find(findings, PB_POLICY_DENY, "plate");
}

/* ---- time ---- */

static void
look_back(const struct pb_rule *rule, struct pb_asking *asking, int64_t earliest_us,
          struct pb_findings *findings)
{
    const struct pb_policy_request *request = asking->request;

    if (!has_window(request) || request->from_us >= earliest_us)
        return;
    /* A window that ends before the limit would be clipped to nothing. */
    if (rule->beyond != PB_BEYOND_CLIP || request->to_us <= earliest_us) {
        go_beyond(rule->beyond, "window", findings);
        return;
    }
    if (asking->from_us < earliest_us)
        asking->from_us = earliest_us;
    pb_find(findings, PB_POLICY_ALLOW, "window");
}

void
pb_check_look_back(const struct pb_rule *rule, struct pb_asking *asking,
                   const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    look_back(rule, asking, pb_span_before(&rule->span, asking->now_us), findings);
}

#define YEARS_MAX (PB_SPAN_MONTHS_MAX / 12)

/* As far back as the offence may be prosecuted. Where there is no limit, two people decide. */
void
pb_check_look_back_offence(const struct pb_rule *rule, struct pb_asking *asking,
                           const struct pb_profile *profile, struct pb_findings *findings)
{
    struct pb_span limit;

    (void)profile;
    if (asking->offence == NULL) {
        pb_find(findings, PB_POLICY_DENY, "offence");
        return;
    }
    if (asking->offence->limitation_years < 0) {
        pb_find(findings, PB_POLICY_NEEDS_SECOND_PERSON, "offence");
        return;
    }
    limit = (struct pb_span){ .months = asking->offence->limitation_years > YEARS_MAX
                                            ? YEARS_MAX * 12
                                            : asking->offence->limitation_years * 12 };
    look_back(rule, asking, pb_span_before(&limit, asking->now_us), findings);
}

void
pb_check_window(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_policy_request *request = asking->request;

    (void)profile;
    if (has_window(request) &&
        (uint64_t)request->to_us - (uint64_t)request->from_us > (uint64_t)rule->span.shortest_us)
        go_beyond(rule->beyond, "window", findings);
}

/* ---- place ---- */

#define M2_PER_KM2 1e6

void
pb_check_area(const struct pb_rule *rule, struct pb_asking *asking,
              const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    /* Written so that what is not a number is too large. */
    if (!(asking->request->area_m2 <= rule->limit * M2_PER_KM2))
        go_beyond(rule->beyond, "area", findings);
}

/* Area times hours: what is seen of people who have nothing to do with the case. */
void
pb_check_exposure(const struct pb_rule *rule, struct pb_asking *asking,
                  const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_policy_request *request = asking->request;
    double hours, km2_hours;

    (void)profile;
    if (!has_window(request))
        return;
    hours = (double)((uint64_t)request->to_us - (uint64_t)request->from_us) / (double)PB_HOUR_US;
    km2_hours = request->exposure_km2_hours > 0 ? request->exposure_km2_hours
                                                : request->area_m2 / M2_PER_KM2 * hours;
    if (!(km2_hours <= rule->limit))
        go_beyond(rule->beyond, "area", findings);
}

void
pb_check_places(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    uint32_t count = asking->request->place_count;

    (void)profile;
    if (count < rule->at_least || count > rule->at_most)
        pb_find(findings, PB_POLICY_DENY, "places");
}

/* ---- offence ---- */

void
pb_check_offence_classes(const struct pb_rule *rule, struct pb_asking *asking,
                         const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    if (asking->offence == NULL || !pb_words_have(&rule->offence_classes, asking->offence->class))
        pb_find(findings, PB_POLICY_DENY, "offence");
}

/* ---- what becomes of the answer ---- */

void
pb_check_row_brake(const struct pb_rule *rule, struct pb_asking *asking,
                   const struct pb_profile *profile, struct pb_findings *findings)
{
    (void)profile;
    (void)findings;
    /* Of two that say the same the contract or law speaks, which is asked last. */
    if (rule->at_least <= asking->confirm_at) {
        asking->confirm_at = rule->at_least;
        asking->brake = rule;
    }
    if (rule->newest < asking->newest)
        asking->newest = rule->newest;
}

void
pb_check_log_retention(const struct pb_rule *rule, struct pb_asking *asking,
                       const struct pb_profile *profile, struct pb_findings *findings)
{
    int64_t us = rule->span.longest_us;

    (void)profile;
    (void)findings;
    if (us > asking->log_retention_us)
        asking->log_retention_us = us;
}

/* An agreement of the asker's agency with whom receives the export, in force. */
static bool
is_agreed(const struct pb_asking *asking, uint32_t recipient)
{
    struct pb_str id = asking->request->export_agreement;

    for (uint32_t i = 0; i < asking->view->agreement_count; i++) {
        const struct pb_agreement *agreement = &asking->view->agreements[i];

        if (pb_str_equal(agreement->id, id))
            return agreement->asker == recipient && asking->asker != NULL &&
                   agreement->owner == asking->asker->agency &&
                   pb_agreement_permits(asking, agreement);
    }
    return false;
}

void
pb_check_export(const struct pb_rule *rule, struct pb_asking *asking,
                const struct pb_profile *profile, struct pb_findings *findings)
{
    const struct pb_policy_request *request = asking->request;
    uint32_t recipient;

    (void)rule;
    (void)profile;
    if (!request->is_export)
        return;
    if (request->export_recipient.bytes == 0) {
        pb_find(findings, PB_POLICY_DENY, "export_recipient");
        return;
    }
    recipient = pb_view_agency(asking->view, request->export_recipient);
    if (recipient == PB_NO_INDEX)
        pb_find(findings, PB_POLICY_DENY, "export_recipient");
    else if ((asking->asker == NULL || recipient != asking->asker->agency) &&
             !is_agreed(asking, recipient))
        pb_find(findings, PB_POLICY_DENY, "export_agreement");
}
