/*
 * Inquiry: the one door to the reads.
 *
 * Nobody asks the store but this room (scripts/check-includes and scripts/check-door). An inquiry
 * goes: policy decides -> query leaf synced -> store asked -> rows that law or agreement exclude,
 * and rows past their date, are left out before anything is counted -> result leaf synced ->
 * answer. No leaf, no answer. A denial is a leaf too.
 *
 * Owners whose rows were given out get a leaf in their own log: who asked, for what, how many.
 *
 * Threads: an answer belongs to one thread; inquiries run side by side.
 */
#ifndef PB_INQUIRY_INQUIRY_H
#define PB_INQUIRY_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/geo.h>
#include <platebase/store.h>

#include "inquiry/site.h"
#include "policy/policy.h"

struct pb_answer; /* opaque */

/* One place and window, for PLACE (one) and COMMON (two or more). */
struct pb_place {
    const struct pb_geo_area *area; /* borrowed until the answer is freed */
    struct pb_str area_text;        /* as asked, for the audit record: "circle 39.1,-94.6 500 m" */
    int64_t from_us, to_us;
};
#define PB_PLACES_MAX 16u

struct pb_inquiry {
    /* Who, for whom, why. */
    struct pb_str person, on_behalf_of, purpose, offence, case_number, justification;
    enum pb_relation relation;
    bool is_break_glass, has_stepped_up;
    struct pb_str approval;     /* token of pb_inquiry_approve, or empty */
    struct pb_str confirmation; /* token of a brake (see pb_answer_confirmation), or empty */
    struct pb_str client;       /* "cli", "web", "api" and the like, for the audit record */

    /* What. */
    enum pb_inquiry_kind kind;
    struct pb_query query; /* plate, edits, filters, window; resume must be empty */
    bool is_jurisdiction_unknown;
    const struct pb_place *places; /* PLACE: 1; COMMON: 2 to PB_PLACES_MAX */
    uint32_t place_count;
    bool counts_plates; /* PATTERN: distinct plates with counts instead of reads */

    /* SUBJECT: how the person whose plate it is proved that, in words. */
    struct pb_str identity;

    /* ASSOCIATES */
    int64_t together_us;   /* seen at the same reader at most this far apart; 0: 2 minutes */
    uint32_t together_min; /* at least this often; 0: 2 */

    uint64_t rows_wanted; /* page size; 0: all that the policy allows */
    struct pb_str page;   /* token of an earlier answer of the same inquiry, or empty: pages
                                 * belong to one audit record */

    /* Export: recorded with recipient and agreement. */
    bool is_export;
    struct pb_str export_recipient, export_agreement, export_format;
};

/*
 * Asks. Whatever the decision, PB_OK and an answer that tells it; a failure means that nothing was
 * given out (and, past the query leaf, that a result leaf may be missing, which an auditor sees).
 */
PB_MUST_CHECK enum pb_status pb_inquiry_ask(struct pb_site *site, const struct pb_inquiry *inquiry,
                                            struct pb_answer **ret_answer, struct pb_error *error);
void pb_answer_free(struct pb_answer *answer); /* NULL is fine */

/* Valid until the answer is freed. */
const struct pb_decision *pb_answer_decision(const struct pb_answer *answer);

struct pb_receipt {
    const char *log; /* id of the log, "" where nothing was recorded */
    uint64_t query_index;
    uint64_t result_index; /* UINT64_MAX: none (denied, or not asked yet) */
};
struct pb_receipt pb_answer_receipt(const struct pb_answer *answer);

/* ALLOW: rows. Counted before any was given; at most decision->rows_max. */
uint64_t pb_answer_count(const struct pb_answer *answer);
/* true where there are more rows, older ones, than the policy gives out. */
bool pb_answer_is_truncated(const struct pb_answer *answer);
/* Set where the verdict is NEEDS_CONFIRMATION or NEEDS_SECOND_PERSON: what to give back in
 * `confirmation`, or to the second person; "" otherwise. */
const char *pb_answer_token(const struct pb_answer *answer);
/* Where more rows of the same inquiry follow: what to give back in `page`; "" otherwise. */
const char *pb_answer_page(const struct pb_answer *answer);

/* Of an export: what it is to be marked with, 32 hexadecimal digits; "" otherwise. */
const char *pb_answer_watermark(const struct pb_answer *answer);

/* One row of any kind; what does not belong to the kind is zero. */
struct pb_row {
    struct pb_result result; /* PLATE, PATTERN, PLACE: a read; views valid until freed */
    struct pb_str owner;     /* agency id: the source of record */
    /* PATTERN with counts_plates, COMMON, ASSOCIATES: a plate. */
    struct pb_str plate;
    uint16_t jurisdiction;
    uint64_t reads;
    int64_t first_us, last_us;
    uint32_t places;   /* COMMON: at how many places */
    uint32_t together; /* ASSOCIATES: times seen together */
    double expected;   /* ASSOCIATES: times that traffic alone would explain */
    double score;      /* ASSOCIATES: -log10 of the chance of so many or more */
};
/* Row index, 0 to pb_answer_rows() - 1, of this page. */
uint64_t pb_answer_rows(const struct pb_answer *answer);
const struct pb_row *pb_answer_row(const struct pb_answer *answer, uint64_t index);

/* SUBJECT: that reads of the plate were looked for, or given out, as the own agency's log tells. */
struct pb_disclosure {
    int64_t at_us;
    struct pb_str agency;  /* whose person asked */
    struct pb_str purpose, kind;
    uint64_t reads;        /* given in the answer, of all plates that it was about */
    bool is_case_open;     /* the case that it was for goes on: the law may let it be withheld */
};
#define PB_DISCLOSURES_MAX 1000u
struct pb_disclosures {
    const struct pb_disclosure *items; /* the oldest first */
    uint32_t count;
    bool is_cut;       /* there are more */
    uint64_t unnamed;  /* answers in that time which could hold the plate without naming it: by
                        * place, by part, or with their record's key destroyed */
};
/* Of the first page of an inquiry of kind SUBJECT; NULL of any other. Valid until it is freed. */
const struct pb_disclosures *pb_answer_disclosures(const struct pb_answer *answer);

/* Which readers in scope were up in the window, as far as their reads tell (a reader's heartbeat is
 * not looked at: one that nobody passed is not told from one that was down): a question for all
 * that passed a place looks at them, any other by the days on which reads came in. Needs the site.
 */
struct pb_coverage {
    uint32_t readers_in_scope; /* that the decision admits and the question concerns */
    uint32_t readers_up;       /* with at least one read in the window */
    bool is_up_known;          /* false: nobody knows (a directory restored without it) */
    uint32_t origins_excluded; /* that policy left out: the person is told only how many */
};
struct pb_coverage pb_answer_coverage(const struct pb_answer *answer);

/* May X ask this? The same decision, without asking; leaves no query leaf, but one that it was
 * explained. ret_decision's arrays live in arena. */
PB_MUST_CHECK enum pb_status
pb_inquiry_explain(struct pb_site *site, const struct pb_inquiry *inquiry, struct pb_arena *arena,
                   struct pb_decision *ret_decision, struct pb_error *error);

/* The second person approves (or refuses) what a token of NEEDS_SECOND_PERSON stands for; valid for
 * a day, for just that inquiry of just that person. PB_DENIED: they may not. */
PB_MUST_CHECK enum pb_status pb_inquiry_approve(struct pb_site *site, struct pb_str person,
                                                struct pb_str token, bool is_approved,
                                                struct pb_str why, struct pb_error *error);

/* A person's word that a read is wrong: a revision that keeps the reader's own text, never matched
 * against lists. plate empty: no plate can be read. The read is named by (reader, captured_at,
 * plate) or its event id. PB_DENIED: the person may not; of a reader of another agency error names
 * the rule that says so, and a leaf tells of it. */
struct pb_correction {
    struct pb_str person, why;
    struct pb_str case_number; /* where the law of the state of capture asks for one; else empty */
    struct pb_str reader, wrong_plate, event_id;
    int64_t captured_at_us;
    struct pb_str plate;
    uint16_t jurisdiction;
};
PB_MUST_CHECK enum pb_status pb_inquiry_correct(struct pb_site *site,
                                                const struct pb_correction *correction,
                                                struct pb_error *error);

#endif
