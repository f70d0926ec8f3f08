/*
 * Review: auditors look at what their own agency asked.
 *
 * Every look leaves an "audit-read" leaf in the log that is looked at, synced before anything is
 * shown. Only active people with PB_MAY_AUDIT look, and only at their own agency's log: there stand
 * its own inquiries, and what others were given of its reads ("disclosed"). The operator of the
 * machine (person empty) looks at the operator's log alone.
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_INQUIRY_REVIEW_H
#define PB_INQUIRY_REVIEW_H

#include "audit/audit.h"
#include "audit/detect.h"
#include "inquiry/site.h"

/* What to look at; empty or zero: any. All that is given must fit. */
struct pb_review_filter {
    int64_t from_us, to_us;
    uint64_t first, last; /* indices of the log, both included; last 0: to the end */
    const char *event;    /* "query", "denied", "disclosed", ... */
    struct pb_str kind;   /* "plate", "place", ... */
    struct pb_str person; /* who asked */
    struct pb_str plate;  /* folded before it is compared */
    struct pb_str case_number;
};

/*
 * Calls each with every entry that fits, in order.
 *
 * person      who looks; empty: the operator
 *
 * Returns  PB_OK
 *          PB_DENIED      they may not; nothing was shown
 *          as pb_audit_read
 */
PB_MUST_CHECK enum pb_status pb_review_read(struct pb_site *site, struct pb_str person,
                                            const struct pb_review_filter *filter,
                                            pb_audit_entry_fn *each, void *context,
                                            struct pb_error *error);

/* A proof of one entry (pb_audit_prove), with what it hides if asked for. The caller frees it. */
PB_MUST_CHECK enum pb_status pb_review_prove(struct pb_site *site, struct pb_str person,
                                             uint64_t index, bool with_openings, char **ret_text,
                                             struct pb_error *error);

/* A proof that the log of today extends that of old_size entries (pb_audit_prove_consistency). The
 * caller frees it. */
PB_MUST_CHECK enum pb_status pb_review_prove_consistency(struct pb_site *site, struct pb_str person,
                                                         uint64_t old_size, char **ret_text,
                                                         struct pb_error *error);

/* What a second person is asked to approve: the entry that the token stands for. Only for who could
 * approve it (pb_inquiry_approve). */
PB_MUST_CHECK enum pb_status pb_review_pending(struct pb_site *site, struct pb_str person,
                                               struct pb_str token, pb_audit_entry_fn *each,
                                               void *context, struct pb_error *error);

/* ---- items: entries that somebody must look at ---- */

enum pb_review_state { PB_REVIEW_OPEN, PB_REVIEW_FINE, PB_REVIEW_MISUSE };

struct pb_review_item {
    struct pb_str taken_by; /* who looks into it; empty: nobody yet */
    const char *key;   /* to name it with: "kansas-sheriff/00000000000000000042-sample" */
    struct pb_str why; /* "sample", or which detector */
    uint64_t index;    /* of the entry */
    int64_t at_us;     /* when it was made an item */
    enum pb_review_state state;
};
typedef bool pb_review_item_fn(void *context, const struct pb_review_item *item);

/* Draws count of the window's inquiries by lot and makes each an item. The lot is cast with the
 * root of a new checkpoint, which a leaf "sample" tells: anybody can cast it again
 * (pb_sample_draw). ret_count: how many there are, where the window has fewer. */
PB_MUST_CHECK enum pb_status pb_review_sample(struct pb_site *site, struct pb_str person,
                                              int64_t from_us, int64_t to_us, uint32_t count,
                                              uint32_t *ret_count, struct pb_error *error);
/* Runs the detectors over the window's inquiries; each finding is an item (its newest entry, `why`
 * the detector's name) and is told to each, which may be NULL. limits: NULL for the defaults. */
PB_MUST_CHECK enum pb_status pb_review_detect(struct pb_site *site, struct pb_str person,
                                              int64_t from_us, int64_t to_us,
                                              const struct pb_detect_limits *limits,
                                              pb_finding_fn *each, void *context,
                                              uint32_t *ret_findings, struct pb_error *error);
/* The agency's items, open ones or all. */
PB_MUST_CHECK enum pb_status pb_review_items(struct pb_site *site, struct pb_str person,
                                             bool with_closed, pb_review_item_fn *each,
                                             void *context, struct pb_error *error);
/* The item is the person's to look into from now on, whoever had it; a leaf of the log.
 * PB_NOT_FOUND: no such open item. */
PB_MUST_CHECK enum pb_status pb_review_take(struct pb_site *site, struct pb_str person,
                                            const char *key, struct pb_error *error);
/* Says what was found; a leaf of the log. PB_CONFLICT: another person took it. PB_NOT_FOUND: no
 * such open item. */
PB_MUST_CHECK enum pb_status pb_review_close(struct pb_site *site, struct pb_str person,
                                             const char *key, enum pb_review_state state,
                                             struct pb_str finding, struct pb_error *error);
/* Ends a review: all inquiries before until_us count as reviewed. PB_CONFLICT: items of that time
 * are still open. */
PB_MUST_CHECK enum pb_status pb_review_finish(struct pb_site *site, struct pb_str person,
                                              int64_t until_us, struct pb_error *error);

/* Notices to the auditors of the agency: that glass was broken, and the like. value is text, one
 * `name=value` a line. */
typedef bool pb_review_notice_fn(void *context, const char *key, struct pb_str value);
PB_MUST_CHECK enum pb_status pb_review_notices(struct pb_site *site, struct pb_str person,
                                               pb_review_notice_fn *each, void *context,
                                               struct pb_error *error);
/* The disclosure register: exports of the agency's people. */
PB_MUST_CHECK enum pb_status pb_review_disclosures(struct pb_site *site, struct pb_str person,
                                                   pb_review_notice_fn *each, void *context,
                                                   struct pb_error *error);

#endif
