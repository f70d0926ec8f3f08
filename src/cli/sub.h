/*
 * Sub-commands: "platebase audit verify" is one row of audit's table.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_SUB_H
#define PB_CLI_SUB_H

#include "cli/cli.h"

/* Their names are whole: "audit verify", so that messages and --help name what was typed. */
struct pb_cli_sub {
    const struct pb_cli_command *commands; /* borrowed: count elements */
    size_t count;
    const char *text;    /* for --help: what they have in common */
    const char *example; /* one line to type */
};
/* argv[0] is the command ("audit"), argv[1] says which of them; returns an exit code. */
int pb_cli_sub_run(struct pb_cli *cli, const struct pb_cli_sub *sub, int argc, char **argv);

#endif
