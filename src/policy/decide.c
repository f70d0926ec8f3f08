/*
 * Decide: which rules speak about an inquiry, and what follows.
 *
 * (1) Who and what: people, agencies, offence and purpose are looked up, each of which may be
 *     unknown; then what the justification gives away is added to the purpose's meaning.
 * (2) Rules about the inquiry as a whole.
 * (3) Whose reads (origins.c).
 * (4) A brake, an approval, and the verdict.
 *
 * A verdict is the strictest of what was said. A denied decision admits nothing.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "policy/policy_private.h"

#define SPOKEN_MIN 16u

const char *
pb_policy_verdict_name(enum pb_policy_verdict verdict)
{
    switch (verdict) {
    case PB_POLICY_ALLOW:
        return "allow";
    case PB_POLICY_NEEDS_CONFIRMATION:
        return "needs confirmation";
    case PB_POLICY_NEEDS_SECOND_PERSON:
        return "needs a second person";
    case PB_POLICY_DENY:
        return "deny";
    }
    return "deny";
}

const char *
pb_inquiry_kind_name(enum pb_inquiry_kind kind)
{
    return (unsigned)kind <= PB_INQUIRY_SUBJECT ? pb_kind_names[kind] : "";
}

/* ---- what was said ---- */

static bool
make_room(struct pb_asking *asking)
{
    uint32_t room = asking->spoken_room == 0 ? SPOKEN_MIN : asking->spoken_room * 2;
    struct pb_spoken_rule *spoken;
    const struct pb_rule **by;

    if (asking->spoken_count < asking->spoken_room)
        return true;
    spoken = pb_arena_alloc(asking->arena, room * sizeof(*spoken));
    by = pb_arena_alloc(asking->arena, room * sizeof(*by));
    if (spoken == NULL || by == NULL) {
        asking->is_out_of_memory = true;
        return false;
    }
    if (asking->spoken_count > 0) {
        memcpy(spoken, asking->spoken, asking->spoken_count * sizeof(*spoken));
        memcpy(by, asking->spoken_by, asking->spoken_count * sizeof(*by));
    }
    asking->spoken = spoken;
    asking->spoken_by = by;
    asking->spoken_room = room;
    return true;
}

void
pb_speak(struct pb_asking *asking, const struct pb_rule *rule, enum pb_policy_verdict verdict,
         const char *field, uint32_t excluded)
{
    for (uint32_t i = 0; i < asking->spoken_count; i++) {
        struct pb_spoken_rule *spoken = &asking->spoken[i];

        if (asking->spoken_by[i] != rule || strcmp(spoken->field, field) != 0)
            continue;
        spoken->verdict = verdict > spoken->verdict ? verdict : spoken->verdict;
        spoken->origins_excluded += excluded;
        return;
    }
    if (!make_room(asking))
        return;
    asking->spoken_by[asking->spoken_count] = rule;
    asking->spoken[asking->spoken_count++] = (struct pb_spoken_rule){
        .id = rule->id,
        .text = rule->text,
        .source = rule->source,
        .field = field,
        .is_verified = rule->is_verified,
        .verdict = verdict,
        .origins_excluded = excluded,
    };
}

/* ---- (1) who and what ---- */

static const struct pb_person *
find_person(const struct pb_asking *asking, struct pb_str id)
{
    uint32_t index = id.bytes == 0 ? PB_NO_INDEX : pb_view_person(asking->view, id);

    return index == PB_NO_INDEX ? NULL : &asking->view->people[index];
}

static void
add_party(struct pb_asking *asking, uint32_t agency)
{
    for (unsigned i = 0; i < asking->party_count; i++) {
        if (asking->parties[i] == agency)
            return;
    }
    asking->parties[asking->party_count++] = agency;
}

static void
find_parties(struct pb_asking *asking)
{
    const struct pb_policy_request *request = asking->request;
    uint32_t recipient;

    if (asking->asker != NULL)
        add_party(asking, asking->asker->agency);
    if (asking->beneficiary != NULL)
        add_party(asking, asking->beneficiary->agency);
    asking->has_unknown_party = asking->asker == NULL || asking->beneficiary == NULL;
    if (!request->is_export || request->export_recipient.bytes == 0)
        return;
    recipient = pb_view_agency(asking->view, request->export_recipient);
    if (recipient == PB_NO_INDEX)
        asking->has_unknown_party = true;
    else
        add_party(asking, recipient);
}

static void
find_people(struct pb_asking *asking)
{
    const struct pb_policy_request *request = asking->request;

    asking->asker = find_person(asking, request->person);
    asking->is_for_other =
        request->on_behalf_of.bytes > 0 && !pb_str_equal(request->on_behalf_of, request->person);
    asking->beneficiary =
        asking->is_for_other ? find_person(asking, request->on_behalf_of) : asking->asker;
    asking->approver = find_person(asking, request->approver);
    if (asking->asker != NULL)
        asking->asker_agency = &asking->view->agencies[asking->asker->agency];
    if (asking->beneficiary != NULL)
        asking->beneficiary_agency = &asking->view->agencies[asking->beneficiary->agency];
    find_parties(asking);
}

static void
find_offence(struct pb_asking *asking)
{
    struct pb_str code = asking->request->offence;
    uint32_t index = code.bytes == 0 ? PB_NO_INDEX : pb_view_offence(asking->view, code);

    asking->offence = index == PB_NO_INDEX ? NULL : &asking->view->offences[index];
}

static void
bind_packs(struct pb_asking *asking, const struct pb_agency *agency)
{
    for (uint32_t i = 0; agency != NULL && i < agency->pack_count; i++) {
        const struct pb_pack *pack = pb_pack_named(asking->rules, agency->packs[i], asking->now_us);
        bool is_bound = false;

        for (unsigned j = 0; j < asking->bound_count; j++)
            is_bound |= asking->bound[j] == pack;
        if (is_bound)
            continue;
        if (pack == NULL || asking->bound_count == PB_BOUND_PACKS_MAX)
            asking->has_missing_pack = true;
        else
            asking->bound[asking->bound_count++] = pack;
    }
}

static void
find_facts(struct pb_asking *asking)
{
    find_people(asking);
    pb_purpose_find(asking);
    find_offence(asking);
    bind_packs(asking, asking->asker_agency);
    if (asking->beneficiary_agency != asking->asker_agency)
        bind_packs(asking, asking->beneficiary_agency);
}

/* ---- judging one rule ---- */

bool
pb_is_overridden(const struct pb_rule *rule, const struct pb_asking *asking)
{
    return rule->yields && asking->request->is_break_glass;
}

static void
ask_rule(struct pb_asking *asking, const struct pb_rule *rule)
{
    struct pb_findings findings = { .count = 0 };

    if (!pb_rule_applies(rule, asking, NULL))
        return;
    rule->kind->check(rule, asking, NULL, &findings);
    for (unsigned i = 0; i < findings.count; i++) {
        enum pb_policy_verdict verdict =
            pb_is_overridden(rule, asking) ? PB_POLICY_ALLOW : findings.at[i].verdict;

        pb_speak(asking, rule, verdict, findings.at[i].field, 0);
    }
}

/* ---- (2) rules about the inquiry ---- */

static void
ask_pack(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
         unsigned uses)
{
    uint32_t i, end;

    for (pb_pack_range(pack, bind, PB_ABOUT_INQUIRY, &i, &end); i < end; i++) {
        if ((1u << pack->rules[i].kind->use & uses) != 0)
            ask_rule(asking, &pack->rules[i]);
    }
}

static void
each_state_pack(struct pb_asking *asking, uint16_t jurisdiction, enum pb_rule_bind bind,
                pb_pack_use_fn *each, void *context)
{
    const struct pb_rules *rules = asking->rules;
    uint32_t i = pb_state_groups_first(rules, jurisdiction);

    for (; i < rules->state_count && rules->state_groups[i].jurisdiction == jurisdiction; i++) {
        const struct pb_pack *pack = asking->in_force[rules->state_groups[i].group];

        if (pack != NULL)
            each(asking, pack, bind, context);
    }
}

void
pb_each_law(struct pb_asking *asking, uint16_t jurisdiction, enum pb_rule_bind bind,
            pb_pack_use_fn *each, void *context)
{
    uint16_t country = pb_country_of(jurisdiction);

    if (jurisdiction == 0)
        return;
    each_state_pack(asking, jurisdiction, bind, each, context);
    if (country != jurisdiction)
        each_state_pack(asking, country, bind, each, context);
}

void
pb_each_general_pack(struct pb_asking *asking, pb_pack_use_fn *each, void *context)
{
    const struct pb_rules *rules = asking->rules;
    const struct pb_agency *asker = asking->asker_agency, *other = asking->beneficiary_agency;

    for (uint32_t i = 0; i < rules->group_count; i++) {
        if (asking->in_force[i] != NULL)
            each(asking, asking->in_force[i], PB_BINDS_EVERYONE, context);
    }
    for (unsigned i = 0; i < asking->bound_count; i++)
        each(asking, asking->bound[i], PB_BINDS_ASKER, context);
    if (asker != NULL)
        pb_each_law(asking, asker->jurisdiction, PB_BINDS_ASKER_STATE, each, context);
    if (other != NULL && (asker == NULL || other->jurisdiction != asker->jurisdiction))
        pb_each_law(asking, other->jurisdiction, PB_BINDS_ASKER_STATE, each, context);
}

void
pb_ask_general(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
               void *context)
{
    const unsigned *uses = context;

    ask_pack(asking, pack, bind, *uses);
}

static void
ask_about_inquiry(struct pb_asking *asking)
{
    unsigned first = 1u << PB_KIND_MEANING;
    unsigned then = 1u << PB_KIND_ASKS | 1u << PB_KIND_EFFECT;

    pb_each_general_pack(asking, pb_ask_general, &first);
    pb_each_general_pack(asking, pb_ask_general, &then);
}

/* ---- (4) the verdict ---- */

/* A large answer is counted first, confirmed, and then cut to its newest rows. */
static void
apply_brake(struct pb_asking *asking, struct pb_decision *decision)
{
    uint64_t found = asking->request->found_count;

    decision->confirm_at_rows = asking->confirm_at;
    decision->rows_max = asking->newest;
    if (found == PB_COUNT_UNKNOWN || asking->brake == NULL)
        return;
    if (found < asking->confirm_at) {
        decision->rows_max = UINT64_MAX;
        return;
    }
    pb_speak(asking, asking->brake,
             asking->request->has_confirmed ? PB_POLICY_ALLOW : PB_POLICY_NEEDS_CONFIRMATION,
             "confirmation", 0);
}

/* The second person has approved: those who asked for one are content. Whether the person may do
 * that is judged by a rule of its own, which denies. */
static void
apply_approval(struct pb_asking *asking)
{
    if (asking->request->approver.bytes == 0)
        return;
    for (uint32_t i = 0; i < asking->spoken_count; i++) {
        if (asking->spoken[i].verdict == PB_POLICY_NEEDS_SECOND_PERSON)
            asking->spoken[i].verdict = PB_POLICY_ALLOW;
    }
}

/* The strictest first; otherwise in the order in which they spoke. */
static bool
sort_spoken(struct pb_asking *asking, struct pb_decision *decision)
{
    struct pb_spoken_rule *sorted =
        pb_arena_alloc(asking->arena, asking->spoken_count * sizeof(*sorted));
    uint32_t count = 0;

    if (sorted == NULL)
        return false;
    for (int verdict = PB_POLICY_DENY; verdict >= PB_POLICY_ALLOW; verdict--) {
        for (uint32_t i = 0; i < asking->spoken_count; i++) {
            if ((int)asking->spoken[i].verdict == verdict)
                sorted[count++] = asking->spoken[i];
        }
    }
    decision->rules = sorted;
    decision->rule_count = count;
    decision->verdict = count == 0 ? PB_POLICY_ALLOW : sorted[0].verdict;
    return true;
}

/* What is denied admits nothing, whatever else was found. */
static void
close_door(const struct pb_asking *asking, struct pb_decision *decision, bool *admits_origin)
{
    memset(admits_origin, 0, asking->view->origin_count);
    decision->admits_origin = admits_origin;
    decision->admits_reader = NULL;
    decision->origins_admitted = 0;
    decision->origins_excluded = asking->view->origin_count;
    decision->rows_max = 0;
}

/* The clock stands before every version of the base pack: there are no rules to allow anything. */
static enum pb_status
deny_without_rules(struct pb_asking *asking, struct pb_decision *decision)
{
    bool *nothing = pb_new_zeros(asking, asking->view->origin_count);
    struct pb_spoken_rule *spoken = pb_new_zeros(asking, sizeof(*spoken));

    if (nothing == NULL || spoken == NULL)
        return PB_E_NOMEM;
    spoken->id = pb_str_from(PB_BASE_PACK);
    spoken->text = pb_str_from("No version of the base rules is in force: look at the clock.");
    spoken->source = pb_str_from("Platebase");
    spoken->field = "";
    spoken->verdict = PB_POLICY_DENY;
    decision->verdict = PB_POLICY_DENY;
    decision->rules = spoken;
    decision->rule_count = 1;
    decision->log_retention_us = PB_NEVER;
    close_door(asking, decision, nothing);
    return PB_OK;
}

static bool
find_packs_in_force(struct pb_asking *asking)
{
    const struct pb_rules *rules = asking->rules;

    asking->in_force =
        pb_arena_alloc(asking->arena, rules->group_count * sizeof(*asking->in_force));
    if (asking->in_force == NULL)
        return false;
    for (uint32_t i = 0; i < rules->group_count; i++)
        asking->in_force[i] = pb_pack_in_force(&rules->groups[i], asking->now_us);
    return true;
}

static bool
judge(struct pb_asking *asking, struct pb_decision *decision)
{
    find_facts(asking);
    ask_about_inquiry(asking);
    if (!pb_judge_origins(asking, decision))
        return false;
    apply_brake(asking, decision);
    apply_approval(asking);
    if (asking->is_out_of_memory || !sort_spoken(asking, decision))
        return false;
    decision->from_us = asking->from_us;
    decision->to_us = asking->to_us;
    decision->notifies_owners = asking->notifies_owners;
    decision->log_retention_us = asking->log_retention_us;
    return true;
}

enum pb_status
pb_policy_decide(const struct pb_rules *rules, const struct pb_catalog_view *view,
                 const struct pb_policy_request *request, int64_t now_us, struct pb_arena *arena,
                 struct pb_decision *ret_decision)
{
    struct pb_asking asking = {
        .rules = rules,
        .view = view,
        .request = request,
        .now_us = now_us,
        .arena = arena,
        .from_us = request->from_us,
        .to_us = request->to_us,
        .confirm_at = UINT64_MAX,
        .newest = UINT64_MAX,
    };
    struct pb_decision decision = { .verdict = PB_POLICY_DENY };

    assert(request->kind <= PB_INQUIRY_SUBJECT);
    if (!find_packs_in_force(&asking))
        return PB_E_NOMEM;
    if (asking.in_force[rules->base_group] == NULL) {
        enum pb_status status = deny_without_rules(&asking, &decision);

        if (status == PB_OK)
            *ret_decision = decision;
        return status;
    }
    if (!judge(&asking, &decision))
        return PB_E_NOMEM;
    if (decision.verdict == PB_POLICY_DENY)
        close_door(&asking, &decision, (bool *)decision.admits_origin);
    *ret_decision = decision;
    return PB_OK;
}

/* ---- corrections ---- */

/* Of the rules about the inquiry those that judge its purpose. */
static void
ask_about_purpose(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
                  void *context)
{
    uint32_t i, end;

    (void)context;
    for (pb_pack_range(pack, bind, PB_ABOUT_INQUIRY, &i, &end); i < end; i++) {
        pb_rule_check *check = pack->rules[i].kind->check;

        if (check == pb_check_veto || check == pb_check_reason_list ||
            check == pb_check_permitted_purposes)
            ask_rule(asking, &pack->rules[i]);
    }
}

/* What a query-only agency submits is not to be found by anybody. */
static void
ask_about_contribution(struct pb_asking *asking)
{
    const struct pb_pack *base = asking->in_force[asking->rules->base_group];

    if (asking->asker_agency->contributes || asking->request->plate.bytes == 0)
        return;
    for (uint32_t i = 0; i < base->rule_count; i++) {
        if (base->rules[i].kind->check == pb_check_contributor)
            pb_speak(asking, &base->rules[i], PB_POLICY_DENY, "plate", 0);
    }
}

/* How far a purpose came: no agreement, something else denies, allowed. */
enum reach { REACH_NOTHING, REACH_AGREEMENT, REACH_ALLOWED };

static bool
judge_correction(struct pb_asking *asking, uint32_t reader, struct pb_decision *decision,
                 enum reach *ret_reach)
{
    unsigned first = 1u << PB_KIND_MEANING;

    find_facts(asking);
    pb_each_general_pack(asking, pb_ask_general, &first);
    *ret_reach = pb_judge_reader(asking, reader) ? REACH_AGREEMENT : REACH_NOTHING;
    pb_each_general_pack(asking, ask_about_purpose, NULL);
    ask_about_contribution(asking);
    if (asking->is_out_of_memory || !sort_spoken(asking, decision))
        return false;
    if (decision->verdict == PB_POLICY_ALLOW)
        *ret_reach = REACH_ALLOWED;
    return true;
}

/* For each purpose that is known: an inquiry about the plate, as far as there is one. */
static enum pb_status
judge_purposes(const struct pb_asking *from, uint32_t reader, struct pb_decision *ret_decision)
{
    enum reach furthest = REACH_NOTHING, reach = REACH_NOTHING;

    for (uint32_t i = 0; i < from->rules->purpose_code_count && furthest != REACH_ALLOWED; i++) {
        const struct pb_policy_request request = {
            .kind = PB_INQUIRY_PLATE,
            .person = from->request->person,
            .purpose = from->rules->purpose_codes[i],
            .case_number = from->request->case_number,
            .justification = from->request->justification,
            .plate = from->request->plate,
            .from_us = from->request->from_us,
            .to_us = from->request->to_us,
            .found_count = PB_COUNT_UNKNOWN,
        };
        struct pb_asking asking = *from;
        struct pb_decision decision = { .verdict = PB_POLICY_DENY };

        asking.request = &request;
        if (!judge_correction(&asking, reader, &decision, &reach))
            return PB_E_NOMEM;
        if (i == 0 || reach > furthest) {
            furthest = reach;
            *ret_decision = decision;
        }
    }
    return PB_OK;
}

enum pb_status
pb_policy_may_correct(const struct pb_rules *rules, const struct pb_catalog_view *view,
                      const struct pb_policy_request *request, uint32_t reader, int64_t now_us,
                      struct pb_arena *arena, struct pb_decision *ret_decision)
{
    struct pb_asking asking = {
        .rules = rules, .view = view, .request = request, .now_us = now_us, .arena = arena
    };
    uint32_t person = pb_view_person(view, request->person);

    *ret_decision = (struct pb_decision){ .verdict = PB_POLICY_DENY };
    if (!find_packs_in_force(&asking))
        return PB_E_NOMEM;
    if (asking.in_force[rules->base_group] == NULL)
        return deny_without_rules(&asking, ret_decision);
    if (person == PB_NO_INDEX)
        return PB_OK;
    if (view->people[person].agency == view->readers[reader].agency) {
        ret_decision->verdict = PB_POLICY_ALLOW;
        return PB_OK;
    }
    return judge_purposes(&asking, reader, ret_decision);
}
