/*
 * Policy, private: compiled rules, and one decision in the making.
 *
 *   compile.c      packs of YAML to rules; which version is in force
 *   members.c      what a kind of rule takes, read from YAML into struct pb_rule
 *   kinds.c        the closed vocabulary of kinds: a table
 *   purposes.c     what a purpose means, and which agreement permits it
 *   check_*.c      one small function a kind: is it satisfied?
 *   decide.c       which rules speak, and what follows from it
 *   origins.c      whose reads they leave
 *   retention.c    how long reads, holds and logs last, and where none are made; alert.c: life of a
 *                  list entry
 *
 * A rule speaks of the inquiry as a whole, or of an origin (owner and capture state). What is not
 * satisfied denies the inquiry in the first case, and takes the origin out in the second.
 */
#ifndef PB_POLICY_POLICY_PRIVATE_H
#define PB_POLICY_POLICY_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "policy/policy.h"

#define PB_BASE_PACK "platebase-base"

/* ---- vocabulary ---- */

enum pb_rule_bind {
    PB_BINDS_EVERYONE,
    PB_BINDS_ASKER,         /* an agency that lists the pack: as asker, or as beneficiary */
    PB_BINDS_ASKER_STATE,   /* agencies of the pack's jurisdiction, likewise */
    PB_BINDS_CAPTURE_STATE, /* reads captured there */
    PB_BIND_COUNT,
};

/* What a rule is about: a decision takes each apart. */
enum pb_rule_about { PB_ABOUT_INQUIRY, PB_ABOUT_ORIGIN, PB_ABOUT_ELSE, PB_ABOUT_COUNT };

enum pb_purpose_class {
    PB_PURPOSE_CRIMINAL,
    PB_PURPOSE_CIVIL,
    PB_PURPOSE_SAFETY,    /* people in danger */
    PB_PURPOSE_OVERSIGHT, /* audits, subject access */
    PB_PURPOSE_PRIVATE,   /* gates, car parks */
    PB_PURPOSE_PROTECTED, /* what nobody may be followed for */
};

/* Purposes by their number in struct pb_rules. */
#define PB_PURPOSES_MAX 256u
struct pb_purpose_set {
    uint64_t bits[PB_PURPOSES_MAX / 64];
};

static inline bool
pb_purpose_set_has(const struct pb_purpose_set *set, unsigned number)
{
    return (set->bits[number / 64] >> (number % 64) & 1u) != 0;
}

static inline void
pb_purpose_set_add(struct pb_purpose_set *set, unsigned number)
{
    set->bits[number / 64] |= UINT64_C(1) << (number % 64);
}

static inline bool
pb_purpose_sets_meet(const struct pb_purpose_set *a, const struct pb_purpose_set *b)
{
    return ((a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1]) | (a->bits[2] & b->bits[2]) |
            (a->bits[3] & b->bits[3])) != 0;
}

/*
 * A length of time. Months and years are counted on the calendar, where the moment is known that a
 * span ends at; otherwise there is the shortest and the longest that it can be.
 */
struct pb_span {
    int64_t shortest_us, longest_us; /* PB_NEVER where it never ends */
    int32_t months;                  /* 0: of a fixed length */
};

struct pb_words {
    const struct pb_str *at;
    uint32_t count;
};
struct pb_states {
    const uint16_t *at;
    uint32_t count;
};

/* What must be given: bits of a rule's `fields`, in the order of pb_request_fields. */
enum pb_request_field {
    PB_ASKS_PERSON,
    PB_ASKS_PLATE,
    PB_ASKS_JURISDICTION,
    PB_ASKS_WINDOW,
    PB_ASKS_AREA,
    PB_ASKS_PURPOSE,
    PB_ASKS_OFFENCE,
    PB_ASKS_CASE,
    PB_ASKS_JUSTIFICATION,
    PB_ASKS_RELATION,
    PB_ASKS_IDENTITY,
};

/* What happens past a limit. */
enum pb_beyond { PB_BEYOND_DENY, PB_BEYOND_SECOND_PERSON, PB_BEYOND_CLIP, PB_BEYOND_ALLOW };

/* ---- compiled rules ---- */

struct pb_pack;
struct pb_rule_kind;

/* Bits of pb_conditions.given, in the order of pb_condition_members(). */
enum pb_condition {
    PB_WHEN_KINDS = 1u << 0,
    PB_WHEN_PURPOSES = 1u << 1,
    PB_WHEN_PURPOSE_CLASSES = 1u << 2,
    PB_WHEN_ASKER_CLASSES = 1u << 3,
    PB_WHEN_BENEFICIARY_CLASSES = 1u << 4,
    PB_WHEN_RELATIONS = 1u << 5,
    PB_WHEN_OFFENCE_CLASSES = 1u << 6,
    PB_WHEN_ROLES = 1u << 7,
    PB_WHEN_REACHES_BACK = 1u << 8,
    PB_WHEN_BREAK_GLASS = 1u << 9,
    PB_WHEN_EXPORT = 1u << 10,
    PB_WHEN_FOR_OTHER_AGENCY = 1u << 11,
    PB_WHEN_ASKER_IN_STATE = 1u << 12,
    PB_WHEN_OWNER_CLASSES = 1u << 13,
    PB_WHEN_OWN = 1u << 14,
};
#define PB_WHEN_ANY UINT32_MAX
#define PB_WHEN_NONE 0u
#define PB_WHEN_ABOUT_ORIGIN ((uint32_t)PB_WHEN_OWNER_CLASSES | (uint32_t)PB_WHEN_OWN)

/* When a rule applies: all that is given must hold. What is not known holds. */
struct pb_conditions {
    uint32_t given; /* one bit a member, in the order of its table */
    uint32_t kinds, purpose_classes, asker_classes, beneficiary_classes, relations, owner_classes;
    struct pb_purpose_set purposes;
    struct pb_words offence_classes, roles;
    struct pb_span reaches_back;
    bool is_own, is_break_glass, is_export, is_for_other_agency, is_asker_in_state;
};

struct pb_rule {
    struct pb_str id, text, source;
    const struct pb_rule_kind *kind;
    const struct pb_pack *pack;
    enum pb_rule_bind binds;
    bool is_verified;
    bool yields; /* to a break-glass inquiry */
    enum pb_rule_about about;
    uint32_t line;
    struct pb_conditions when;

    /* What its kind takes; `given` has one bit a member, in the order of the kind's table. */
    uint32_t given;
    uint32_t kinds, fields, agency_classes, purpose_classes, places;
    struct pb_purpose_set purposes;
    struct pb_words words, roles, offence_classes;
    struct pb_states states;
    struct pb_str subject, pattern;
    void *compiled_pattern; /* pcre2_code, in the rules' arena */
    struct pb_span span, late, remind, grace, stale;
    uint64_t at_least, at_most, newest;
    double limit;
    bool is_in_state, is_same_agency;
    uint32_t visibility; /* enum pb_alert_visibility */
    enum pb_beyond beyond, if_unknown, if_closed;
};

struct pb_pack {
    struct pb_str id, title;
    const char *name; /* borrowed while compiling: of the file */
    uint32_t version;
    int64_t valid_from_us;
    enum pb_rule_bind binds; /* of rules that do not say */
    uint16_t jurisdiction;
    uint8_t text_sha256[32];
    char text_sha256_hex[65];
    struct pb_rule *rules; /* by whom they bind, then by what they are about */
    uint32_t rule_count, unverified_count;
    const struct pb_rule *agreement_rule; /* NULL: none; never in the base pack */
    /* Where each of these begins. */
    uint32_t first[(unsigned)PB_BIND_COUNT * (unsigned)PB_ABOUT_COUNT + 1];
    const struct pb_yaml *root, *purposes;
};

/* The rules of a pack that bind so and are about that: [*ret_first, *ret_end). */
static inline void
pb_pack_range(const struct pb_pack *pack, enum pb_rule_bind binds, enum pb_rule_about about,
              uint32_t *ret_first, uint32_t *ret_end)
{
    unsigned place = (unsigned)binds * PB_ABOUT_COUNT + (unsigned)about;

    *ret_first = pack->first[place];
    *ret_end = pack->first[place + 1];
}

/* Versions of one pack, the oldest first by valid_from. */
struct pb_pack_group {
    const struct pb_pack *packs;
    uint32_t count;
};

struct pb_purpose {
    const struct pb_pack *pack;
    unsigned number;
    enum pb_purpose_class class;
    struct pb_str title;
    struct pb_purpose_set counts_as;
};

struct pb_state_group {
    uint16_t jurisdiction;
    uint32_t group;
};

struct pb_rules {
    const struct pb_env *env; /* borrowed */
    _Atomic uint32_t refs;
    struct pb_arena arena; /* owns all below */
    struct pb_pack *packs; /* by id, then valid_from, then version */
    uint32_t pack_count;
    struct pb_pack_group *groups;
    uint32_t group_count;
    uint32_t base_group;                 /* of PB_BASE_PACK */
    struct pb_state_group *state_groups; /* by jurisdiction */
    uint32_t state_count;
    struct pb_str *purpose_codes; /* ascending; a purpose's number is its place */
    uint32_t purpose_code_count;
    struct pb_purpose *purposes; /* one a declaration, by number */
    uint32_t purpose_count;
};

/* The version in force at a moment, or NULL. */
const struct pb_pack *pb_pack_in_force(const struct pb_pack_group *group, int64_t now_us);
/* A pack by "id" (the version in force) or "id:version" (that one, once valid); NULL: none. */
const struct pb_pack *pb_pack_named(const struct pb_rules *rules, struct pb_str name,
                                    int64_t now_us);
/* The first place in state_groups of a jurisdiction, or of a larger one. */
uint32_t pb_state_groups_first(const struct pb_rules *rules, uint16_t jurisdiction);
/* The number of a purpose, or -1. */
int pb_purpose_number(const struct pb_rules *rules, struct pb_str code);
/* The country of a subdivision; a country's own number otherwise. */
uint16_t pb_country_of(uint16_t jurisdiction);
/* Same jurisdiction, or a part of it. */
bool pb_is_within(uint16_t jurisdiction, uint16_t whole);

/* ---- one decision in the making ---- */

#define PB_PARTIES_MAX 3u
#define PB_BOUND_PACKS_MAX 32u

/* All origins that rules cannot tell apart but by their owner's agreements. */
struct pb_profile {
    uint16_t capture_state;
    enum pb_agency_class owner_class;
    bool is_own; /* of all parties */
    bool is_contributor;
    bool is_excluded;
    uint32_t origin_count, admitted_count;
};

struct pb_asking {
    const struct pb_rules *rules;
    const struct pb_catalog_view *view;
    const struct pb_policy_request *request;
    int64_t now_us;
    struct pb_arena *arena;

    const struct pb_person *asker, *beneficiary, *approver; /* NULL: not known */
    const struct pb_agency *asker_agency, *beneficiary_agency;
    bool is_for_other;                /* somebody else, known or not */
    uint32_t parties[PB_PARTIES_MAX]; /* agencies that would learn the answer, each once */
    unsigned party_count;
    bool has_unknown_party;

    const struct pb_offence *offence; /* NULL: none given, or not known */
    int purpose;                      /* number, or -1: not known */
    enum pb_purpose_class purpose_class;
    struct pb_purpose_set own_meaning; /* the purpose itself and what it counts as */
    struct pb_purpose_set counts_as;   /* the latter alone */
    struct pb_purpose_set meaning;     /* own_meaning, and what the justification speaks of */

    int64_t from_us, to_us; /* clipped */
    uint64_t confirm_at, newest;
    const struct pb_rule *brake;
    int64_t log_retention_us;
    bool notifies_owners;

    const struct pb_pack **in_force;                 /* one a group; NULL: none */
    const struct pb_pack *bound[PB_BOUND_PACKS_MAX]; /* that asker and beneficiary list */
    unsigned bound_count;
    bool has_missing_pack;

    struct pb_spoken_rule *spoken;
    const struct pb_rule **spoken_by;
    uint32_t spoken_count, spoken_room;
    bool is_out_of_memory;
};

/* What a check found: nothing where the rule is satisfied. */
struct pb_finding {
    enum pb_policy_verdict verdict;
    const char *field;
};
#define PB_FINDINGS_MAX 12u
struct pb_findings {
    struct pb_finding at[PB_FINDINGS_MAX];
    unsigned count;
};

static inline void
pb_find(struct pb_findings *findings, enum pb_policy_verdict verdict, const char *field)
{
    findings->at[findings->count++] = (struct pb_finding){ .verdict = verdict, .field = field };
}

/* profile is NULL for a rule about the whole inquiry. */
typedef void pb_rule_check(const struct pb_rule *rule, struct pb_asking *asking,
                           const struct pb_profile *profile, struct pb_findings *findings);

/* conditions.c */
bool pb_rule_applies(const struct pb_rule *rule, const struct pb_asking *asking,
                     const struct pb_profile *profile);

/* ---- deciding (decide.c, origins.c) ---- */

/* A rule speaks once of each field; what it says again adds up. */
void pb_speak(struct pb_asking *asking, const struct pb_rule *rule, enum pb_policy_verdict verdict,
              const char *field, uint32_t excluded);
/* By breaking the glass. */
bool pb_is_overridden(const struct pb_rule *rule, const struct pb_asking *asking);
typedef void pb_pack_use_fn(struct pb_asking *asking, const struct pb_pack *pack,
                            enum pb_rule_bind bind, void *context);
/* Calls for each pack in force that binds everyone, the parties by contract, or their states. */
void pb_each_general_pack(struct pb_asking *asking, pb_pack_use_fn *each, void *context);
/* Packs of a state, and of the country that it is a part of. */
void pb_each_law(struct pb_asking *asking, uint16_t jurisdiction, enum pb_rule_bind bind,
                 pb_pack_use_fn *each, void *context);
/* Lets the pack's rules about the inquiry speak, of the uses that *context has as bits. */
pb_pack_use_fn pb_ask_general;
/* From the arena; NULL, and asking->is_out_of_memory, where there is none. */
void *pb_new_zeros(struct pb_asking *asking, size_t bytes);
/* Sets what of the decision is about origins; false: no memory. */
PB_MUST_CHECK bool pb_judge_origins(struct pb_asking *asking, struct pb_decision *decision);
/* Lets rules and agreements about reads of that reader speak; those that take it out deny. false:
 * no agreement permits the purpose. */
bool pb_judge_reader(struct pb_asking *asking, uint32_t reader);

/* ---- kinds ---- */

enum pb_member_type {
    PB_MEMBER_TEXT,
    PB_MEMBER_WORDS,
    PB_MEMBER_PURPOSES,
    PB_MEMBER_PURPOSE_CLASSES,
    PB_MEMBER_AGENCY_CLASSES,
    PB_MEMBER_KINDS,
    PB_MEMBER_PLACES,
    PB_MEMBER_RELATIONS,
    PB_MEMBER_FIELDS,
    PB_MEMBER_STATES,
    PB_MEMBER_COUNT,
    PB_MEMBER_NUMBER,
    PB_MEMBER_SPAN,
    PB_MEMBER_BOOL,
    PB_MEMBER_BEYOND,
    PB_MEMBER_PATTERN,
    /* of cases files */
    PB_MEMBER_TIME,
    PB_MEMBER_STATE,
    PB_MEMBER_UNSIGNED,
    PB_MEMBER_WORD_OF,       /* its place among `words` */
    PB_MEMBER_ANY_TEXT,      /* empty, or as long as the file allows */
    PB_MEMBER_WORDS_OR_NONE, /* the list may be empty */
};

struct pb_member {
    const char *name;
    enum pb_member_type type;
    size_t offset; /* in struct pb_rule, struct pb_conditions, ... */
    bool is_required;
    const char *const *words; /* of PB_MEMBER_WORD_OF; ends with NULL */
};

enum pb_kind_use {
    PB_KIND_ASKS,    /* judges an inquiry, or an origin where the rule is about origins */
    PB_KIND_ORIGIN,  /* always about origins */
    PB_KIND_OWNER,   /* about single owners: origins.c does it */
    PB_KIND_EFFECT,  /* never denies: brakes and keeping */
    PB_KIND_MEANING, /* widens what the inquiry means, before anything is judged */
    PB_KIND_LAST,    /* judged when the origins are known */
    PB_KIND_DATA,    /* for other calls of policy.h, or for people */
};

struct pb_rule_kind {
    const char *name;
    enum pb_kind_use use;
    bool is_mandatory;   /* the base pack must carry one, without `when` */
    uint32_t conditions; /* that its `when` may name: PB_WHEN_ANY, ... */
    pb_rule_check *check;
    struct pb_member members[7]; /* ends with a NULL name */
};

const struct pb_rule_kind *pb_rule_kinds(size_t *ret_count);
const struct pb_rule_kind *pb_rule_kind(struct pb_str name); /* NULL: none such */
const struct pb_member *pb_condition_members(size_t *ret_count);

/* ---- reading members (members.c) ---- */

struct pb_pack_reader {
    const struct pb_rules *rules; /* for purposes */
    struct pb_arena *arena;
    struct pb_error *error;
    const char *file_name;
    struct pb_str rule_id; /* empty: none */
};
/* Fills error with pack, line, rule and what; returns PB_BAD_INPUT. */
enum pb_status pb_pack_wrong(const struct pb_pack_reader *reader, uint32_t line, const char *format,
                             ...) PB_PRINTF(3, 4);
/* It is a map, and every key of it is one of words, or of members. Either may be NULL. */
PB_MUST_CHECK enum pb_status pb_keys_check(const struct pb_pack_reader *reader,
                                           const struct pb_yaml *map, const char *const *words,
                                           const struct pb_member *members, size_t count);
/* Reads those of the members that map has into target; ret_given gets a bit for each. */
PB_MUST_CHECK enum pb_status pb_members_read(const struct pb_pack_reader *reader,
                                             const struct pb_member *members, size_t count,
                                             const struct pb_yaml *map, void *target,
                                             uint32_t *ret_given);
/* Reads one member's value to where it belongs. */
PB_MUST_CHECK enum pb_status pb_member_read(const struct pb_pack_reader *reader,
                                            const struct pb_member *member,
                                            const struct pb_yaml *value, void *target);
/* The place of a word in a list that ends with NULL, or -1. */
int pb_word_place(const char *const *words, struct pb_str word);
extern const char *const pb_bind_names[];
extern const char *const pb_purpose_class_names[];
extern const char *const pb_agency_class_names[];
extern const char *const pb_kind_names[];
extern const char *const pb_relation_names[];
extern const char *const pb_request_fields[];
extern const char *const pb_visibility_names[];

/* ---- spans (span.c) ---- */

#define PB_SPAN_MONTHS_MAX 2400 /* two hundred years */
/* "21 days", "30 months", "forever"; PB_BAD_INPUT: anything else. */
PB_MUST_CHECK enum pb_status pb_span_read(struct pb_str text, struct pb_span *ret_span);
struct pb_span pb_span_of_months(int32_t months); /* at most PB_SPAN_MONTHS_MAX */
/* The moment that lies a span before us; INT64_MIN for a span that never ends. */
int64_t pb_span_before(const struct pb_span *span, int64_t us);

/* ---- text (justification.c, case_number.c) ---- */

/* The next word from *at on, or an empty text at the end. */
struct pb_str pb_text_word(struct pb_str text, uint32_t *at);
/* Equal but for the case of ASCII letters; a wanted word in upper case must be met exactly. */
bool pb_words_have(const struct pb_words *words, struct pb_str word);
/* Plain text (base/text.h), and no marks of direction. */
bool pb_justification_is_plain(struct pb_str text);
bool pb_justification_is_enough(struct pb_str text, uint64_t characters_min, uint64_t words_min,
                                const struct pb_words *filler);

/* The whole text matches. PB_NOT_FOUND: it does not, or a limit was reached; PB_BAD_INPUT: no such
 * pattern; PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_case_pattern_compile(struct pb_arena *arena, struct pb_str pattern,
                                                     void **ret_code, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_case_pattern_match(struct pb_arena *arena, const void *code,
                                                   struct pb_str text);

/* ---- the checks ---- */

pb_rule_check pb_check_account_active, pb_check_approver, pb_check_area, pb_check_beneficiary,
    pb_check_break_glass, pb_check_capture_state, pb_check_case_number, pb_check_case_state,
    pb_check_contributor, pb_check_declaration, pb_check_deny, pb_check_exposure, pb_check_export,
    pb_check_fields, pb_check_justification, pb_check_kinds, pb_check_log_retention,
    pb_check_look_back, pb_check_look_back_offence, pb_check_no_pooling, pb_check_offence_classes,
    pb_check_offence_of_case, pb_check_packs, pb_check_pack_required, pb_check_permission,
    pb_check_permitted_purposes, pb_check_person, pb_check_places, pb_check_plate_characters,
    pb_check_purpose_known, pb_check_reason_list, pb_check_recipients, pb_check_review,
    pb_check_roles, pb_check_row_brake, pb_check_scope, pb_check_second_person, pb_check_step_up,
    pb_check_text_counts_as, pb_check_training, pb_check_veto, pb_check_window;

/* ---- purposes (purposes.c) ---- */

/* What the stated purpose means, as far as packs in force know it. */
void pb_purpose_find(struct pb_asking *asking);
/* All of a purpose's meaning is in the set: what an agreement or a statute must list. */
bool pb_purpose_is_permitted(const struct pb_asking *asking, const struct pb_purpose_set *set);
/* As above, with the codes of an agreement. */
bool pb_agreement_permits(const struct pb_asking *asking, const struct pb_agreement *agreement);

#endif
