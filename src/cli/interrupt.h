/*
 * Interrupt: SIGINT and SIGTERM as something to look at, not as something that happens.
 *
 * Both are blocked and arrive on a descriptor. Set up before any thread starts, so that
 * every thread inherits the block. After the first signal has been seen the block is lifted, so
 * that a second one ends the process at once; nothing acknowledged is lost by that.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_INTERRUPT_H
#define PB_CLI_INTERRUPT_H

#include <stdbool.h>

#include "cli/cli.h"

struct pb_cli_interrupt {
    int descriptor; /* owned; -1 where the system gave none: then signals act as usual */
    bool is_set;    /* a signal has been seen */
};

void pb_cli_interrupt_init(struct pb_cli_interrupt *interrupt);
void pb_cli_interrupt_done(struct pb_cli_interrupt *interrupt);
/* Looks without waiting; returns is_set. */
bool pb_cli_interrupt_look(struct pb_cli_interrupt *interrupt);
/* Waits until input can be read or a signal has come; returns is_set. */
bool pb_cli_interrupt_wait_for(struct pb_cli_interrupt *interrupt, int input);

#endif
