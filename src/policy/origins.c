/*
 * Origins: whose reads an inquiry may be about.
 *
 * (1) Origins fall into profiles that rules cannot tell apart; each profile is judged once, so that
 *     the cost does not grow with origins times rules.
 * (2) Origins one by one: agreements, which are between owner and parties.
 * (3) Profiles that are left: a second person, brakes, how long the log is kept.
 *
 * For a correction, the same about one reader.
 */
#include <string.h>

#include "base/text.h"
#include "policy/policy_private.h"

/* ---- profiles ---- */

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

    if (pb_is_overridden(rule, asking)) {
        pb_speak(asking, rule, PB_POLICY_ALLOW, finding->field, 0);
        return;
    }
    if (finding->verdict == PB_POLICY_DENY) {
        profile->is_excluded = true;
        pb_speak(asking, rule, PB_POLICY_ALLOW, finding->field, profile->origin_count);
    }
    if (finding->verdict == PB_POLICY_NEEDS_SECOND_PERSON && judging->is_second_round)
        pb_speak(asking, rule, finding->verdict, finding->field, 0);
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
    pb_each_general_pack(asking, ask_about_profile, judging);
    pb_each_law(asking, profile->capture_state, PB_BINDS_CAPTURE_STATE, ask_about_profile, judging);
}

/* ---- agreements ---- */

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

void *
pb_new_zeros(struct pb_asking *asking, size_t bytes)
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
        granting->readers = pb_new_zeros(asking, asking->view->reader_count);
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
    granting->whole = pb_new_zeros(asking, asking->view->agency_count);
    granting->limited = pb_new_zeros(asking, asking->view->agency_count);
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
        pb_speak(asking, rule, PB_POLICY_ALLOW, "", refused);
}

/* An agreement may name readers that are all of another origin of its owner. */
static bool
narrow_to_readers(struct pb_asking *asking, const struct granting *granting, struct scope *scope)
{
    const struct pb_catalog_view *view = asking->view;
    uint32_t *admitted_of, emptied = 0;

    if (granting->readers == NULL)
        return true;
    admitted_of = pb_new_zeros(asking, view->origin_count * sizeof(*admitted_of));
    scope->admits_reader = pb_new_zeros(asking, view->reader_count);
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
        pb_speak(asking, agreement_rule(asking), PB_POLICY_ALLOW, "", emptied);
    return true;
}

/* ---- what is left ---- */

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

/* What took out all that was asked about denies. */
static void
deny_for_exclusions(struct pb_asking *asking)
{
    for (uint32_t i = 0; i < asking->spoken_count; i++) {
        if (asking->spoken[i].origins_excluded > 0)
            asking->spoken[i].verdict = PB_POLICY_DENY;
    }
}

/* Nothing is left: the rule that says so denies as well. */
static void
deny_empty_scope(struct pb_asking *asking)
{
    unsigned uses = 1u << PB_KIND_LAST;

    deny_for_exclusions(asking);
    pb_each_general_pack(asking, pb_ask_general, &uses);
}

bool
pb_judge_origins(struct pb_asking *asking, struct pb_decision *decision)
{
    struct judging judging = { .profile_count = 0 };
    struct granting granting;
    struct scope scope = { NULL, NULL };

    scope.admits_origin = pb_new_zeros(asking, asking->view->origin_count);
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

/* ---- one reader ---- */

static bool
names_reader(const struct pb_agreement *agreement, uint32_t reader)
{
    for (uint32_t i = 0; i < agreement->reader_count; i++) {
        if (agreement->readers[i] == reader)
            return true;
    }
    return agreement->reader_count == 0;
}

/* There is one party, whose agency is not the owner. */
static bool
is_reader_granted(const struct pb_asking *asking, uint32_t reader)
{
    for (uint32_t i = 0; i < asking->view->agreement_count; i++) {
        const struct pb_agreement *agreement = &asking->view->agreements[i];

        if (agreement->owner == asking->view->readers[reader].agency &&
            agreement->asker == asking->parties[0] && names_reader(agreement, reader) &&
            pb_agreement_permits(asking, agreement))
            return true;
    }
    return false;
}

bool
pb_judge_reader(struct pb_asking *asking, uint32_t reader)
{
    const struct pb_catalog_view *view = asking->view;
    struct pb_profile profile = profile_of(asking, &view->origins[view->readers[reader].origin]);
    struct judging judging = { .profile_count = 0 };
    bool has_agreement = is_reader_granted(asking, reader);

    profile.origin_count = 1;
    if (!has_agreement)
        pb_speak(asking, agreement_rule(asking), PB_POLICY_ALLOW, "", 1);
    ask_profile(asking, &judging, &profile);
    if (!profile.is_excluded && has_agreement) {
        judging.is_second_round = true;
        ask_profile(asking, &judging, &profile);
    }
    deny_for_exclusions(asking);
    return has_agreement;
}
