/*
 * Detect: what an auditor should look at, found in opened entries; and samples drawn for reviews.
 *
 * A detector does not judge. It names entries that have a pattern which misuse also has: one person
 * after one plate again and again, one case number for everything, the same words each time.
 * Entries are added in any order; findings come out in the order of detectors, then of names.
 *
 * Threads: one at a time for each pb_detector.
 * The defaults stand in one table, with their reasons in docs/internals/audit.md.
 */
#ifndef PB_AUDIT_DETECT_H
#define PB_AUDIT_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;
struct pb_detector; /* opaque */

enum pb_detect_kind {
    PB_DETECT_REPEAT_PLATE,  /* one person asks for one plate again and again */
    PB_DETECT_PLATE_CLUSTER, /* one case number, many plates */
    PB_DETECT_REASON_REUSE,  /* the same words many times a day */
    PB_DETECT_WEAK_REASON,   /* next to nothing said */
    PB_DETECT_WIDE_SCOPE,    /* many states, or a large area */
    PB_DETECT_VOLUME,        /* far more than others in the same role */
    PB_DETECT_ODD_HOURS,     /* at night, again and again */
};
#define PB_DETECT_KINDS 7u
const char *pb_detect_kind_name(enum pb_detect_kind kind); /* "repeat-plate", ... */

struct pb_detect_limits {
    uint32_t repeat_count;           /* 5: of one plate by one person, in unverified cases ... */
    uint32_t repeat_off_shift_count; /* 3: ... or off shift, in any case ... */
    int64_t repeat_window_us;        /* 30 days: ... within less than this */
    uint32_t cluster_plates;         /* 20: more distinct plates under one case number */
    uint32_t reason_per_day;         /* 10: the same words more often on one day */
    uint32_t reason_characters_min;  /* 15: fewer are weak, and so are filler words alone */
    uint32_t scope_states;           /* 3: more are wide */
    double scope_area_m2;            /* 25 km2: more is wide */
    double volume_deviations;  /* 3: standard deviations above the mean of the role's others */
    uint32_t volume_peers_min; /* 4: others in the role, or no comparison is made */
    uint32_t volume_count_min; /* 20: fewer are never many */
    uint32_t odd_hours_count;  /* 3: by one person in one night */
    uint32_t shift_first_hour; /* 6: local hours of the shift, first included ... */
    uint32_t shift_end_hour;   /* 22: ... and end not */
    int16_t utc_offset_min;    /* 0: of local time */
    uint32_t entries_max;      /* PB_DETECT_ENTRIES_MAX */
};
/* The defaults above, in one table. */
const struct pb_detect_limits *pb_detect_defaults(void);

/* One opened query entry. All texts are copied. */
struct pb_detect_entry {
    uint64_t index;
    int64_t at_us;
    struct pb_str person, role, plate, case_number, reason, offence;
    bool is_case_verified;
    uint32_t states; /* capture states that it asked over */
    double area_m2;  /* 0: no area */
};

struct pb_finding {
    enum pb_detect_kind kind;
    struct pb_str person;    /* whom it is about; empty where it is about no one person */
    const uint64_t *indices; /* of the entries that show it, ascending; at least one */
    uint32_t index_count;
    const char *what; /* for the auditor: "the same plate 6 times in 30 days"; names no plate */
};
/* Everything is borrowed for the call; false stops. */
typedef bool pb_finding_fn(void *context, const struct pb_finding *finding);

#define PB_DETECT_ENTRIES_MAX 4000000u

/* limits: NULL for the defaults. Copied. */
PB_MUST_CHECK enum pb_status pb_detector_new(const struct pb_env *env,
                                             const struct pb_detect_limits *limits,
                                             struct pb_detector **ret_detector,
                                             struct pb_error *error);
void pb_detector_free(struct pb_detector *detector); /* NULL is fine */
/* PB_OVER_LIMIT: more than entries_max. */
PB_MUST_CHECK enum pb_status pb_detector_add(struct pb_detector *detector,
                                             const struct pb_detect_entry *entry,
                                             struct pb_error *error);
/* Calls each with every finding. May be called again after more was added. */
PB_MUST_CHECK enum pb_status pb_detector_run(struct pb_detector *detector, pb_finding_fn *each,
                                             void *context, struct pb_error *error);

/* ---- reviews ---- */

/* How late a review is, and so what its agency may still ask. */
enum pb_review_delay {
    PB_REVIEW_IN_TIME,
    PB_REVIEW_LATE,     /* more than 15 days: no area and no partial plate */
    PB_REVIEW_VERY_LATE /* more than 45 days: nothing but emergencies */
};
enum pb_review_delay pb_detect_review_delay(int64_t due_us, int64_t now_us);

/*
 * Draws `wanted` of the entries in a way that anybody can repeat: those are chosen whose
 * SHA-256("platebase/sample/v1" || 00 || seed || index, 8 bytes big-endian) is smallest. As seed,
 * take what nobody could choose: the root of a checkpoint that was signed after the period.
 *
 * indices      count of them, none twice, any order
 * ret_indices  at least the smaller of wanted and count elements; ascending
 * ret_count    how many were drawn
 */
PB_MUST_CHECK enum pb_status pb_sample_draw(const struct pb_env *env, const uint8_t seed[32],
                                            const uint64_t *indices, uint32_t count,
                                            uint32_t wanted, uint64_t *ret_indices,
                                            uint32_t *ret_count, struct pb_error *error);

#endif
