/*
 * Figures: what an agency does with its reads and inquiries, in numbers, by month.
 *
 * They come from the leaves of its audit log, which say event, purpose and count in the open, and
 * from what was counted as reads came in. What was counted is kept by month beside the place in
 * the log up to which it was: a call counts only what was added since, and what is kept can be
 * thrown away and counted anew.
 *
 * Published are months that are over, of agencies that say so (publishes_figures), and no count of
 * people's doings from 1 to 4: it could point at somebody. Auditors of the agency see all, the
 * month that goes on too; their look is a leaf.
 *
 * Threads: every call is safe from any thread.
 * Format:  docs/formats/figures.md
 */
#ifndef PB_INQUIRY_FIGURES_H
#define PB_INQUIRY_FIGURES_H

#include "inquiry/site.h"

#define PB_FIGURES_SMALL 5u /* below it a published count is hidden, unless it is 0 */
#define PB_FIGURES_DAYS_MAX 31u

/* Numbers of a month. */
enum pb_figure {
    PB_FIGURE_DENIED,      /* inquiries of its people */
    PB_FIGURE_HELD,        /* that had to wait for a second person */
    PB_FIGURE_BREAK_GLASS, /* in which glass was broken */
    PB_FIGURE_EXPORTS,
    PB_FIGURE_CORRECTIONS, /* wrong reads, told by its people */
    PB_FIGURE_REVIEWED,    /* entries that its auditors closed */
    PB_FIGURE_MISUSE,      /* of these found to be misuse: never hidden */
    PB_FIGURE_REMOVED,     /* reads past their date, and erased */
    PB_FIGURE_COUNT,
};
const char *pb_figure_name(enum pb_figure figure); /* "denied", "break_glass", ... */

#define PB_FIGURE_HIDDEN UINT64_MAX

struct pb_figure_line {
    struct pb_str name; /* a purpose, or an agency */
    uint64_t count;     /* inquiries, or answers that were given; or PB_FIGURE_HIDDEN */
    uint64_t reads;     /* given in them; or PB_FIGURE_HIDDEN */
};
struct pb_figure_partner {
    struct pb_str agency, name;
    const struct pb_str *purposes;
    uint32_t purpose_count;
};
struct pb_figure_retention {
    uint16_t capture_state; /* 0: not known */
    int64_t days;           /* -1: no limit */
};

/* Everything lives in the arena, or in the rules and catalog that the call looked at: copied. */
struct pb_figures {
    struct pb_str agency, name;
    int32_t month;     /* pb_time_month */
    bool is_over;      /* the month is */
    bool is_published; /* small counts are hidden */

    uint64_t numbers[PB_FIGURE_COUNT];     /* or PB_FIGURE_HIDDEN */
    uint64_t inquiries;                    /* that were let through; hidden where one purpose is */
    const struct pb_figure_line *purposes; /* by name */
    uint32_t purpose_count;
    const struct pb_figure_line *shared; /* agencies that were given reads of it, by name */
    uint32_t shared_count;

    bool is_received_known;
    bool is_received_in_part; /* a process ended before it had written all down */
    uint32_t day_count;
    uint64_t received[PB_FIGURES_DAYS_MAX]; /* reads that came in on each day of the month */
    uint64_t held;                          /* now: all that came in, less what was removed */

    uint32_t readers; /* active ones, now */
    const struct pb_figure_retention *retention;
    uint32_t retention_count;
    const struct pb_figure_partner *partners; /* who may ask over its reads, now */
    uint32_t partner_count;
};

/*
 * person  an auditor, who sees all of their own agency; empty: as anybody may
 * agency  empty with a person: theirs
 * month   pb_time_month
 *
 * Returns  PB_OK
 *          PB_NOT_FOUND  the agency publishes none, or is none
 *          PB_DENIED     the person may not
 *          PB_BAD_INPUT  the month is not there
 */
PB_MUST_CHECK enum pb_status pb_figures_read(struct pb_site *site, struct pb_str person,
                                             struct pb_str agency, int32_t month,
                                             struct pb_arena *arena, struct pb_figures *ret_figures,
                                             struct pb_error *error);
/*
 * Counts the leaves of every agency's log that were not counted yet, so that calls find little left
 * to count. Goes on where a call before ended, or broke off.
 *
 * progress  "leaves", those of the log in hand; false breaks off. NULL is fine
 *
 * Returns  PB_OK   all are counted
 *          PB_END  it was told to break off
 */
struct pb_progress;
PB_MUST_CHECK enum pb_status
pb_figures_count(struct pb_site *site, const struct pb_progress *progress, struct pb_error *error);
/* "2026-06"; false: another shape, or no month of this age. */
bool pb_figures_month(struct pb_str text, int32_t *ret_month);
/* One JSON object, in arena. PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_figures_to_json(const struct pb_figures *figures,
                                                struct pb_arena *arena, struct pb_str *ret_text);

#endif
