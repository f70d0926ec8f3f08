/*
 * Progress: one line on a terminal with a bar, the rate and the time left.
 *
 * Shown only where standard error is a terminal and nobody asked for quiet or for JSON. It
 * is also where long work learns that it should stop: report() looks for an interrupt.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_PROGRESS_H
#define PB_CLI_PROGRESS_H

#include "cli/cli.h"
#include "cli/interrupt.h"

struct pb_cli_progress {
    struct pb_cli *cli;                 /* borrowed */
    struct pb_cli_interrupt *interrupt; /* borrowed; may be NULL */
    bool is_shown;
    const char *phase;  /* static word; a new one starts the clock again */
    int64_t started_ns; /* of the phase */
    int64_t drawn_ns;
};

void pb_cli_progress_init(struct pb_cli_progress *progress, struct pb_cli *cli,
                          struct pb_cli_interrupt *interrupt, bool is_wanted);
/* Draws at most some times a second. done of total (0: unknown) tells how far; count is what the
 * rate is of, in `unit` ("reads"). */
void pb_cli_progress_show(struct pb_cli_progress *progress, const char *phase, uint64_t done,
                          uint64_t total, uint64_t count, const char *unit);
/* Takes the line away. */
void pb_cli_progress_done(struct pb_cli_progress *progress);

/* For the store's long calls; they stop soon after an interrupt. */
struct pb_progress pb_cli_progress_of_store(struct pb_cli_progress *progress);

/* "1.62 M", "812", "3.4 k": three digits that matter. */
#define PB_CLI_HUMAN_BYTES 32u
const char *pb_cli_human(double number, char ret_text[PB_CLI_HUMAN_BYTES]);

#endif
