/*
 * Ask: what every governed question has in common: who asks and why, the way through the one door
 * (src/inquiry), and what is said of the decision, of coverage and of the audit record.
 *
 * Rows go to standard output or into an export file; everything else to standard error, where a
 * program that asked with --json finds a denial on standard output, too, as one object.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_ASK_H
#define PB_CLI_ASK_H

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "inquiry/inquiry.h"

struct pb_cli_ask_args {
    const char *data;
    const char *person, *purpose, *why; /* needed */
    const char *case_number, *on_behalf_of, *offence;
    int relation;             /* as enum pb_relation */
    const char *jurisdiction; /* code or "unknown" */
    bool has_stepped_up, is_break_glass;
    const char *approval, *confirmation;

    /* Of the answer. */
    const char *page;
    uint64_t limit; /* 0: all that may be given */
    const char *export_file, *recipient, *agreement;
    const char *receipt; /* FILE, or "-" */
    int format;          /* enum pb_cli_answer_format */
    bool is_json, is_exact_csv, skips_damaged, is_quiet;
};

void pb_cli_ask_args_init(struct pb_cli_ask_args *args);
/* --data, and who asks, for whom and why. */
void pb_cli_ask_args_add_who(struct pb_cli_usage *usage, struct pb_cli_ask_args *args);
/* Page, limit, format, export, receipt. */
void pb_cli_ask_args_add_answer(struct pb_cli_usage *usage, struct pb_cli_ask_args *args);

/* Sets the members of an inquiry that the options above say; false after a usage error. What it
 * points to is borrowed from args and cli. */
PB_MUST_CHECK bool pb_cli_ask_fill(struct pb_cli *cli, const struct pb_cli_ask_args *args,
                                   struct pb_inquiry *inquiry);
/* Asks, prints the answer, and says the rest. Returns an exit code: PB_CLI_EXIT_OK also where
 * nothing was found. */
int pb_cli_ask_run(struct pb_cli *cli, const struct pb_cli_ask_args *args,
                   const struct pb_inquiry *inquiry);

#endif
