/*
 * Policy: rule packs, and the decision whether somebody may ask something.
 *
 * A rule pack is dated data (rules/<id>.yaml, docs/formats/rule-pack.md) that says what a contract
 * or a statute allows. Packs are compiled into pb_rules, which never changes. A decision is a pure
 * function of (request, catalog view, rules, now): no I/O, no clock, no allocation but from the
 * arena given, so that it can be tested at every edge and explained later from its inputs.
 *
 * Deny by default: what no rule allows is denied; what a rule does not understand (an unknown
 * purpose, an unknown capture state, a field that is missing) is denied. Where several rules speak
 * the strictest wins. A rule that nobody confirmed (verified: false) is read to the strict side and
 * shown as such. Every rule that mattered is in the decision with its id, text and source.
 *
 * Threads: everything here is pure; pb_rules may be shared.
 */
#ifndef PB_POLICY_POLICY_H
#define PB_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "catalog/catalog.h"

struct pb_env;
struct pb_arena;
struct pb_rules; /* opaque, immutable, reference counted */

/* ---- rule packs ---- */

/* One pack's text. */
struct pb_pack_source {
    struct pb_str text; /* YAML; at most PB_PACK_BYTES_MAX bytes */
    const char *name;   /* for errors: a file name */
};
/*
 * Compiles packs, in any order. Several versions of a pack may be given: the one in force at the
 * moment of a decision is the newest whose valid_from has come.
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT   error names pack, line, rule and field, and what would be right
 *          PB_OVER_LIMIT, PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_rules_compile(const struct pb_env *env,
                                              const struct pb_pack_source *packs, size_t count,
                                              struct pb_rules **ret_rules, struct pb_error *error);
struct pb_rules *pb_rules_ref(struct pb_rules *rules);
void pb_rules_unref(struct pb_rules *rules); /* NULL is fine */

/* The packs that the program ships (rules/), compiled into it. */
const struct pb_pack_source *pb_rules_shipped(size_t *ret_count);

struct pb_pack_info {
    struct pb_str id, title, text_sha256_hex;
    uint32_t version;
    int64_t valid_from_us;
    uint32_t rule_count, unverified_count;
    bool is_in_force; /* at the moment asked about */
};
typedef bool pb_pack_fn(void *context, const struct pb_pack_info *pack);
void pb_rules_each_pack(const struct pb_rules *rules, int64_t now_us, pb_pack_fn *each,
                        void *context);
/* One rule of a pack in force, as people are shown it. */
struct pb_rule_info {
    struct pb_str pack, id, text, source;
    uint32_t version;  /* of the pack */
    const char *kind;  /* docs/formats/rule-pack.md */
    bool is_verified;
};
typedef bool pb_rule_fn(void *context, const struct pb_rule_info *rule);
/* All rules of all packs in force at that moment, pack by pack. */
void pb_rules_each_rule(const struct pb_rules *rules, int64_t now_us, pb_rule_fn *each,
                        void *context);
/* SHA-256 over the hashes of all versions whose valid_from has come (a contract may hold on to an
 * older one): what an audit leaf names as `policy`. */
void pb_rules_digest(const struct pb_rules *rules, int64_t now_us, uint8_t ret_sha256[32]);

/* ---- the request ---- */

enum pb_inquiry_kind {
    PB_INQUIRY_PLATE,      /* one full plate */
    PB_INQUIRY_PATTERN,    /* partial plate, look-alikes, edits; reads or distinct plates */
    PB_INQUIRY_PLACE,      /* an area and a window */
    PB_INQUIRY_COMMON,     /* plates seen at two or more places and windows */
    PB_INQUIRY_ASSOCIATES, /* plates seen beside a plate */
    PB_INQUIRY_SUBJECT,    /* subject access: what the own agency holds of a plate, and who was
                            * given it */
};
const char *pb_inquiry_kind_name(enum pb_inquiry_kind kind); /* "plate", "pattern", ... */

/* How the person whose plate it is relates to the case. */
enum pb_relation { PB_RELATION_UNSTATED, PB_RELATION_SUBJECT, PB_RELATION_VICTIM,
                   PB_RELATION_WITNESS, PB_RELATION_ASSOCIATE, PB_RELATION_OTHER };

struct pb_policy_request {
    enum pb_inquiry_kind kind;
    struct pb_str person;        /* id of who asks */
    struct pb_str on_behalf_of;  /* id of the person for whom; empty: for self */
    struct pb_str purpose;       /* reason code */
    struct pb_str offence;       /* code; empty: none */
    struct pb_str case_number;
    const struct pb_case *found_case; /* what the catalog knows of it; NULL: nothing */
    struct pb_str justification;
    enum pb_relation relation;

    struct pb_str plate;         /* as typed */
    unsigned known_characters;   /* of the plate, counted without wildcards */
    bool is_plate_exact;
    unsigned edits;
    uint16_t jurisdiction;       /* of the plate */
    bool is_jurisdiction_unknown; /* said so explicitly */

    int64_t from_us, to_us;      /* both 0: not given */
    double area_m2;              /* of all places together */
    unsigned place_count;
    double exposure_km2_hours;   /* sum over the places of area times window; 0: area_m2 times the
                                  * window above */

    struct pb_str identity;      /* SUBJECT: how the person whose plate it is proved that */
    bool has_stepped_up;         /* proved themselves again for this inquiry */
    bool is_break_glass;
    bool is_export;
    struct pb_str export_recipient, export_agreement; /* of an export to others */
    struct pb_str approver;      /* id of the second person who approved just this; empty: none */
    uint64_t found_count;        /* rows that count; PB_COUNT_UNKNOWN before counting */
    bool has_confirmed;          /* the person confirmed a large answer */
};
#define PB_COUNT_UNKNOWN UINT64_MAX

/* ---- the decision ---- */

enum pb_policy_verdict {
    PB_POLICY_ALLOW,
    PB_POLICY_NEEDS_CONFIRMATION,
    PB_POLICY_NEEDS_SECOND_PERSON,
    PB_POLICY_DENY,
};
const char *pb_policy_verdict_name(enum pb_policy_verdict verdict);

/* What one rule said. All texts are views into the rules. */
struct pb_spoken_rule {
    struct pb_str id;      /* "pia-039.Q7" */
    struct pb_str text;    /* for the person: what it demands */
    struct pb_str source;  /* "DHS/ICE/PIA-039(a), 2017" */
    const char *field;     /* of the request that it speaks of; static; "" where none */
    bool is_verified;
    enum pb_policy_verdict verdict; /* ALLOW: it only constrained the answer */
    uint32_t origins_excluded;      /* how many origins it took out */
};

struct pb_decision {
    enum pb_policy_verdict verdict;
    const struct pb_spoken_rule *rules; /* arena: those that denied first */
    uint32_t rule_count;

    /* Constraints on an allowed answer. */
    const bool *admits_origin;   /* arena: one per view->origins */
    uint32_t origins_admitted, origins_excluded;
    /* arena: one per view->readers, or NULL where an origin is admitted whole or not at all
     * (an agreement may name single readers). */
    const bool *admits_reader;
    int64_t from_us, to_us;      /* clipped window */
    uint64_t confirm_at_rows;    /* ask for confirmation at this many; UINT64_MAX: never */
    uint64_t rows_max;           /* newest only, once that many were counted; UINT64_MAX: no cap */
    bool notifies_owners;        /* break-glass and the like: tell owner and auditor */
    int64_t log_retention_us;    /* how long openings are kept */
};

/*
 * Decides. Whatever request holds, the answer is a decision: what is wrong with it is a rule that
 * denied, with the field named.
 *
 * Returns  PB_OK, or PB_E_NOMEM (then nothing may be answered).
 */
PB_MUST_CHECK enum pb_status pb_policy_decide(const struct pb_rules *rules,
                                              const struct pb_catalog_view *view,
                                              const struct pb_policy_request *request,
                                              int64_t now_us, struct pb_arena *arena,
                                              struct pb_decision *ret_decision);

/*
 * Whether the person may correct reads of that reader of another agency: judged as their inquiry
 * of such a read would be, by agreement, law of the state of capture and whatever else binds reads
 * and purposes. A correction states no purpose: one for which all of them let it pass is enough.
 * What rules ask of an inquiry as a whole, such as permissions, is not asked. An agency that only
 * asks puts no plate in another's place, for it contributes nothing. An agency's own reads are its
 * own to correct.
 *
 * Of the request: person, case_number, justification, window, and plate, what is right (empty: that
 * none can be read). ret_decision: verdict, and the rules that spoke of the purpose that came
 * furthest; what it says of origins is not set.
 *
 * Returns  PB_OK, or PB_E_NOMEM (then nothing may be corrected).
 */
PB_MUST_CHECK enum pb_status
pb_policy_may_correct(const struct pb_rules *rules, const struct pb_catalog_view *view,
                      const struct pb_policy_request *request, uint32_t reader, int64_t now_us,
                      struct pb_arena *arena, struct pb_decision *ret_decision);

/* ---- retention ---- */

/*
 * How long a read of that origin may be kept, counted from its capture: the shortest of what the
 * capture state's law, the owner's class and the owner's own policy say. PB_NEVER: no limit.
 * ret_rule may be NULL; set to what spoke (id empty where the owner's own limit did).
 */
int64_t pb_policy_retention_us(const struct pb_rules *rules, const struct pb_catalog_view *view,
                               uint32_t origin, int64_t now_us, struct pb_spoken_rule *ret_rule);

/* Reads kept for less than this are never written to disk at all (New Hampshire's 3 minutes). */
#define PB_RETENTION_ON_DISK_MIN_US (15 * INT64_C(60000000))

/* Longest hold that a capture state's law allows from one request (14, 90, 365 days ...), and the
 * rule; PB_NEVER where none limits it. */
int64_t pb_policy_hold_max_us(const struct pb_rules *rules, uint16_t capture_state, int64_t now_us,
                              struct pb_spoken_rule *ret_rule);

/* Kinds of places (bits, by pb_place_kinds) in which the law of a capture state lets nobody capture
 * reads, whether somebody confirmed that law or not. */
uint32_t pb_policy_no_capture(const struct pb_rules *rules, uint16_t capture_state, int64_t now_us);

/* ---- lists of wanted plates: limits, until src/watch has lists ---- */

/* Who sees an entry. */
enum pb_alert_visibility { PB_ALERT_OWNER, PB_ALERT_GROUP, PB_ALERT_AGENCY };

struct pb_alert_limits {
    uint64_t batch_max;       /* plates of one upload; UINT64_MAX: no limit */
    int64_t valid_us;         /* from when an entry was added or renewed; PB_NEVER: no limit */
    int64_t remind_before_us; /* its end: the owner is asked for a continuing need */
    int64_t grace_us;         /* after its end: then it is gone */
    int64_t stale_after_us;   /* a list that was not refreshed for longer alerts nobody */
    enum pb_alert_visibility visibility; /* the widest that it may have unless shared */
};
/* The strictest of all that binds a list of this agency, and reads captured in that state (0: leave
 * states out). */
struct pb_alert_limits pb_policy_alert_limits(const struct pb_rules *rules,
                                              const struct pb_catalog_view *view, uint32_t agency,
                                              uint16_t capture_state, int64_t now_us);

enum pb_alert_phase {
    PB_ALERT_ACTIVE,
    PB_ALERT_DUE,     /* active, and its owner is to be asked */
    PB_ALERT_GRACE,   /* over: it alerts nobody, and can still be renewed */
    PB_ALERT_REMOVED, /* gone but for the log */
};
/* Of an entry that was added or last renewed at begun_us. One from the future is REMOVED. */
enum pb_alert_phase pb_alert_phase(const struct pb_alert_limits *limits, int64_t begun_us,
                                   int64_t now_us);
/* One upload may have so many plates. */
bool pb_alert_takes_batch(const struct pb_alert_limits *limits, uint64_t plates);
bool pb_alert_is_stale(const struct pb_alert_limits *limits, int64_t refreshed_us, int64_t now_us);

#endif
