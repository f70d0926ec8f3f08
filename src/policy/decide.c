/*
 * Decide: which rules speak about an inquiry, and what follows.
 *
 * (1) Who and what: people, agencies, offence and purpose are looked up, each of which may be
 *     unknown; then what the justification gives away is added to the purpose's meaning.
 * (2) Rules about the inquiry as a whole.
 * (3) Origins fall into profiles that rules cannot tell apart; each profile is judged once, so that
 *     the cost does not grow with origins times rules.
 * (4) Origins one by one: agreements, which are between owner and parties.
 * (5) Profiles that are left: a second person, brakes, how long the log is kept.
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

/* A rule speaks once of each field; what it says again adds up. */
static void
speak(struct pb_asking *asking, const struct pb_rule *rule, enum pb_policy_verdict verdict,
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

static bool
is_overridden(const struct pb_rule *rule, const struct pb_asking *asking)
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
            is_overridden(rule, asking) ? PB_POLICY_ALLOW : findings.at[i].verdict;

        speak(asking, rule, verdict, findings.at[i].field, 0);
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

/* Calls for each pack in force that binds everyone, the parties by contract, or their states. */
typedef void pack_fn(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
                     void *context);

static void
each_state_pack(struct pb_asking *asking, uint16_t jurisdiction, enum pb_rule_bind bind,
                pack_fn *each, void *context)
{
    const struct pb_rules *rules = asking->rules;
    uint32_t i = pb_state_groups_first(rules, jurisdiction);

    for (; i < rules->state_count && rules->state_groups[i].jurisdiction == jurisdiction; i++) {
        const struct pb_pack *pack = asking->in_force[rules->state_groups[i].group];

        if (pack != NULL)
            each(asking, pack, bind, context);
    }
}

/* Packs of a state, and of the country that it is a part of. */
static void
each_law(struct pb_asking *asking, uint16_t jurisdiction, enum pb_rule_bind bind, pack_fn *each,
         void *context)
{
    uint16_t country = pb_country_of(jurisdiction);

    if (jurisdiction == 0)
        return;
    each_state_pack(asking, jurisdiction, bind, each, context);
    if (country != jurisdiction)
        each_state_pack(asking, country, bind, each, context);
}

static void
each_general_pack(struct pb_asking *asking, pack_fn *each, void *context)
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
        each_law(asking, asker->jurisdiction, PB_BINDS_ASKER_STATE, each, context);
    if (other != NULL && (asker == NULL || other->jurisdiction != asker->jurisdiction))
        each_law(asking, other->jurisdiction, PB_BINDS_ASKER_STATE, each, context);
}

static void
ask_general(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
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

    each_general_pack(asking, ask_general, &first);
    each_general_pack(asking, ask_general, &then);
}

/* ---- (3) profiles ---- */

struct judging {
    struct pb_profile *profiles;
    uint32_t profile_count;
    uint32_t *profile_of; /* one an origin */
    uint32_t *slots;      /* hash of profiles: index + 1, or 0 */
    uint32_t slot_count;  /* a power of two, above twice the origins */
    struct pb_profile *current;
    bool is_second_round;
};

static bool
is_own(const struct pb_asking *asking, uint32_t owner)
{
    return !asking->has_unknown_party && asking->party_count == 1 && asking->parties[0] == owner;
}

static struct pb_profile
profile_of(const struct pb_asking *asking, const struct pb_origin *origin)
{
    const struct pb_agency *owner = &asking->view->agencies[origin->agency];

    return (struct pb_profile){
        .capture_state = origin->capture_state,
        .owner_class = owner->class,
        .is_own = is_own(asking, origin->agency),
        .is_contributor = owner->contributes,
    };
}

static uint32_t
key_of(const struct pb_profile *profile)
{
    return (uint32_t)profile->capture_state << 4 | (uint32_t)profile->owner_class << 2 |
           (uint32_t)profile->is_own << 1 | (uint32_t)profile->is_contributor;
}

static uint32_t
add_to_profile(struct judging *judging, const struct pb_profile *profile)
{
    uint32_t key = key_of(profile);
    uint32_t slot = key * UINT32_C(2654435769) >> 7 & (judging->slot_count - 1);

    for (;;) {
        uint32_t index = judging->slots[slot];

        if (index == 0) {
            judging->profiles[judging->profile_count] = *profile;
            judging->slots[slot] = ++judging->profile_count;
            index = judging->profile_count;
        }
        if (key_of(&judging->profiles[index - 1]) == key) {
            judging->profiles[index - 1].origin_count++;
            return index - 1;
        }
        slot = (slot + 1) & (judging->slot_count - 1);
    }
}

static bool
make_profiles(struct pb_asking *asking, struct judging *judging)
{
    uint32_t count = asking->view->origin_count;

    judging->slot_count = 4;
    while (judging->slot_count < 2 * count)
        judging->slot_count *= 2;
    judging->profiles = pb_arena_alloc(asking->arena, count * sizeof(*judging->profiles));
    judging->profile_of = pb_arena_alloc(asking->arena, count * sizeof(*judging->profile_of));
    judging->slots = pb_arena_alloc(asking->arena, judging->slot_count * sizeof(*judging->slots));
    if (judging->profiles == NULL || judging->profile_of == NULL || judging->slots == NULL) {
        asking->is_out_of_memory = true;
        return false;
    }
    memset(judging->slots, 0, judging->slot_count * sizeof(*judging->slots));
    for (uint32_t i = 0; i < count; i++) {
        struct pb_profile profile = profile_of(asking, &asking->view->origins[i]);

        judging->profile_of[i] = add_to_profile(judging, &profile);
    }
    return true;
}

/* First round: what takes the profile out. Second round, where something of it was admitted, so
 * that nothing denies: what else follows. */
static void
take_finding(struct pb_asking *asking, const struct pb_rule *rule, struct judging *judging,
             const struct pb_finding *finding)
{
    struct pb_profile *profile = judging->current;

    if (is_overridden(rule, asking)) {
        speak(asking, rule, PB_POLICY_ALLOW, finding->field, 0);
        return;
    }
    if (finding->verdict == PB_POLICY_DENY) {
        profile->is_excluded = true;
        speak(asking, rule, PB_POLICY_ALLOW, finding->field, profile->origin_count);
    }
    if (finding->verdict == PB_POLICY_NEEDS_SECOND_PERSON && judging->is_second_round)
        speak(asking, rule, finding->verdict, finding->field, 0);
}

static void
judge_rule(struct pb_asking *asking, const struct pb_rule *rule, struct judging *judging)
{
    struct pb_findings findings;

    findings.count = 0;
    rule->kind->check(rule, asking, judging->current, &findings);
    for (unsigned i = 0; i < findings.count; i++)
        take_finding(asking, rule, judging, &findings.at[i]);
}

static void
ask_about_profile(struct pb_asking *asking, const struct pb_pack *pack, enum pb_rule_bind bind,
                  void *context)
{
    struct judging *judging = context;
    uint32_t i, end;

    for (pb_pack_range(pack, bind, PB_ABOUT_ORIGIN, &i, &end); i < end; i++) {
        const struct pb_rule *rule = &pack->rules[i];

        if ((rule->kind->use == PB_KIND_EFFECT && !judging->is_second_round) ||
            !pb_rule_applies(rule, asking, judging->current))
            continue;
        judge_rule(asking, rule, judging);
    }
}

static void
ask_profile(struct pb_asking *asking, struct judging *judging, struct pb_profile *profile)
{
    judging->current = profile;
    each_general_pack(asking, ask_about_profile, judging);
    each_law(asking, profile->capture_state, PB_BINDS_CAPTURE_STATE, ask_about_profile, judging);
}

/* ---- (4) agreements ---- */

struct granting {
    uint8_t *whole;   /* one an agency: bits of the parties that may ask over all its readers */
    uint8_t *limited; /* likewise, over some */
    uint8_t *readers; /* one a reader: bits of the parties; NULL where no agreement names readers */
};

static unsigned
party_bits(const struct pb_asking *asking, uint32_t agency)
{
    for (unsigned i = 0; i < asking->party_count; i++) {
        if (asking->parties[i] == agency)
            return 1u << i;
    }
    return 0;
}

static void *
new_zeros(struct pb_asking *asking, size_t bytes)
{
    void *memory = pb_arena_alloc(asking->arena, bytes);

    if (memory == NULL)
        asking->is_out_of_memory = true;
    else
        memset(memory, 0, bytes);
    return memory;
}

static bool
grant_readers(struct pb_asking *asking, struct granting *granting,
              const struct pb_agreement *agreement, unsigned bits)
{
    if (granting->readers == NULL)
        granting->readers = new_zeros(asking, asking->view->reader_count);
    if (granting->readers == NULL)
        return false;
    granting->limited[agreement->owner] |= (uint8_t)bits;
    for (uint32_t i = 0; i < agreement->reader_count; i++)
        granting->readers[agreement->readers[i]] |= (uint8_t)bits;
    return true;
}

static bool
find_grants(struct pb_asking *asking, struct granting *granting)
{
    granting->readers = NULL;
    granting->whole = new_zeros(asking, asking->view->agency_count);
    granting->limited = new_zeros(asking, asking->view->agency_count);
    if (granting->whole == NULL || granting->limited == NULL)
        return false;
    for (uint32_t i = 0; i < asking->view->agreement_count; i++) {
        const struct pb_agreement *agreement = &asking->view->agreements[i];
        unsigned bits = party_bits(asking, agreement->asker);

        if (bits == 0 || !pb_agreement_permits(asking, agreement))
            continue;
        if (agreement->reader_count == 0)
            granting->whole[agreement->owner] |= (uint8_t)bits;
        else if (!grant_readers(asking, granting, agreement, bits))
            return false;
    }
    return true;
}

/* Bits of the parties that need an agreement with this owner. */
static unsigned
needed_bits(const struct pb_asking *asking, uint32_t owner)
{
    unsigned all = (1u << asking->party_count) - 1;

    return all & ~party_bits(asking, owner);
}

static bool
is_granted(const struct granting *granting, uint32_t owner, unsigned needed, unsigned extra)
{
    return ((granting->whole[owner] | extra) & needed) == needed;
}

/* Of an origin that is admitted in part: which readers. */
static void
admit_readers(const struct pb_asking *asking, const struct granting *granting,
              const bool *admits_origin, bool *admits_reader, uint32_t *admitted_of)
{
    const struct pb_catalog_view *view = asking->view;

    for (uint32_t i = 0; i < view->reader_count; i++) {
        const struct pb_reader_entry *reader = &view->readers[i];

        admits_reader[i] = admits_origin[reader->origin] &&
                           is_granted(granting, reader->agency, needed_bits(asking, reader->agency),
                                      granting->readers[i]);
        if (admits_reader[i])
            admitted_of[reader->origin]++;
    }
}

static const struct pb_rule *
agreement_rule(const struct pb_asking *asking)
{
    return asking->in_force[asking->rules->base_group]->agreement_rule;
}

struct scope {
    bool *admits_origin;
    bool *admits_reader;
};

/* Marks what agreements admit; profiles already excluded stay out and are not counted again. */
static void
admit_origins(struct pb_asking *asking, struct judging *judging, struct granting *granting,
              struct scope *scope)
{
    const struct pb_catalog_view *view = asking->view;
    const struct pb_rule *rule = agreement_rule(asking);
    uint32_t refused = 0;

    for (uint32_t i = 0; i < view->origin_count; i++) {
        uint32_t owner = view->origins[i].agency;
        unsigned extra = granting->readers == NULL ? 0 : granting->limited[owner];
        bool is_agreed = !asking->has_unknown_party &&
                         is_granted(granting, owner, needed_bits(asking, owner), extra);

        scope->admits_origin[i] =
            is_agreed && !judging->profiles[judging->profile_of[i]].is_excluded;
        refused += !is_agreed;
    }
    if (refused > 0)
        speak(asking, rule, PB_POLICY_ALLOW, "", refused);
}

/* An agreement may name readers that are all of another origin of its owner. */
static bool
narrow_to_readers(struct pb_asking *asking, const struct granting *granting, struct scope *scope)
{
    const struct pb_catalog_view *view = asking->view;
    uint32_t *admitted_of, emptied = 0;

    if (granting->readers == NULL)
        return true;
    admitted_of = new_zeros(asking, view->origin_count * sizeof(*admitted_of));
    scope->admits_reader = new_zeros(asking, view->reader_count);
    if (admitted_of == NULL || scope->admits_reader == NULL)
        return false;
    admit_readers(asking, granting, scope->admits_origin, scope->admits_reader, admitted_of);
    for (uint32_t i = 0; i < view->origin_count; i++) {
        uint32_t owner = view->origins[i].agency;

        if (!scope->admits_origin[i] || admitted_of[i] > 0 ||
            is_granted(granting, owner, needed_bits(asking, owner), 0))
            continue;
        scope->admits_origin[i] = false;
        emptied++;
    }
    if (emptied > 0)
        speak(asking, agreement_rule(asking), PB_POLICY_ALLOW, "", emptied);
    return true;
}

/* ---- (5) what is left ---- */

static void
count_admitted(struct pb_asking *asking, struct judging *judging, const struct scope *scope,
               struct pb_decision *decision)
{
    for (uint32_t i = 0; i < asking->view->origin_count; i++) {
        decision->origins_admitted += scope->admits_origin[i];
        judging->profiles[judging->profile_of[i]].admitted_count += scope->admits_origin[i];
    }
    decision->origins_excluded = asking->view->origin_count - decision->origins_admitted;
}

/* Nothing is left: the rule that says so denies, and so do those that took everything out. */
static void
deny_empty_scope(struct pb_asking *asking)
{
    unsigned uses = 1u << PB_KIND_LAST;

    for (uint32_t i = 0; i < asking->spoken_count; i++) {
        if (asking->spoken[i].origins_excluded > 0)
            asking->spoken[i].verdict = PB_POLICY_DENY;
    }
    each_general_pack(asking, ask_general, &uses);
}

static bool
judge_origins(struct pb_asking *asking, struct pb_decision *decision)
{
    struct judging judging = { .profile_count = 0 };
    struct granting granting;
    struct scope scope = { NULL, NULL };

    scope.admits_origin = new_zeros(asking, asking->view->origin_count);
    if (scope.admits_origin == NULL || !make_profiles(asking, &judging))
        return false;
    for (uint32_t i = 0; i < judging.profile_count; i++)
        ask_profile(asking, &judging, &judging.profiles[i]);
    if (!find_grants(asking, &granting))
        return false;
    admit_origins(asking, &judging, &granting, &scope);
    if (!narrow_to_readers(asking, &granting, &scope))
        return false;
    count_admitted(asking, &judging, &scope, decision);
    judging.is_second_round = true;
    for (uint32_t i = 0; i < judging.profile_count; i++) {
        if (judging.profiles[i].admitted_count > 0)
            ask_profile(asking, &judging, &judging.profiles[i]);
    }
    /* Where there are no readers at all nothing is left out: the answer is that there are none. */
    if (decision->origins_admitted == 0 && asking->view->origin_count > 0)
        deny_empty_scope(asking);
    decision->admits_origin = scope.admits_origin;
    decision->admits_reader = scope.admits_reader;
    return true;
}

/* ---- the verdict ---- */

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
    speak(asking, asking->brake,
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
    bool *nothing = new_zeros(asking, asking->view->origin_count);
    struct pb_spoken_rule *spoken = new_zeros(asking, sizeof(*spoken));

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
    if (!judge_origins(asking, decision))
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
