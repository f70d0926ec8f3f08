/*
 * Care: what a service does to its data directory beside serving it, on a thread of its own:
 * figures are counted, what has expired is removed, and backups are made when they are asked for.
 *
 * One thing after another. Whoever waits for signals hands a wish over and goes on; told to break
 * off, the thread ends at the next step of what it has in hand: a segment, or 2^18 rows of one, or
 * 64 entries of an audit log.
 *
 * Threads: start and stop from one thread; the rest from any.
 */
#ifndef PB_CLI_CARE_H
#define PB_CLI_CARE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "net/log.h"

struct pb_cli_care; /* opaque */

struct pb_cli_care_options {
    const struct pb_cli *cli; /* borrowed: its env, and for messages */
    struct pb_site *site;     /* borrowed */
    const struct pb_log *log; /* borrowed */
    const char *backups;      /* borrowed: directory of backups; NULL: none are made */
    uint64_t upkeep_hours;    /* between two removals of what has expired; 0: never */
    bool counts;              /* figures are counted: first, and every ten minutes */
    /* From the thread, each time that all figures were counted; NULL is fine. */
    void (*on_counted)(void *context);
    void *counted_context; /* borrowed */
};

/* PB_E_NOMEM, or PB_E_IO where the system gives no thread. */
PB_MUST_CHECK enum pb_status pb_cli_care_start(const struct pb_cli_care_options *options,
                                               struct pb_cli_care **ret_care,
                                               struct pb_error *error);
/* Asks for a backup, after what is in hand. Asked twice before it begins, it is made once. */
void pb_cli_care_back_up(struct pb_cli_care *care);
/* Tells the thread to end, and does not wait for it. NULL is fine. */
void pb_cli_care_break_off(struct pb_cli_care *care);
/* Breaks off, and waits for the step in hand. NULL is fine. */
void pb_cli_care_stop(struct pb_cli_care *care);

#endif
