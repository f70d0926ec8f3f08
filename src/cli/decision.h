/*
 * Decision: saying what policy decided, and which rules spoke.
 *
 * Every rule is told with its id, its text and its source; one that nobody confirmed says so. Where
 * a rule speaks of a field that an option sets, the option is named.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_DECISION_H
#define PB_CLI_DECISION_H

#include "cli/cli.h"
#include "policy/policy.h"

/* What a person types to set a field of a request: "--case"; NULL where no option does. */
const char *pb_cli_option_of(const char *field);

/* To standard error: the verdict, then the rules that made it, with how to mend each. */
void pb_cli_say_decision(const struct pb_cli *cli, const struct pb_decision *decision);
/* To standard error: the rules that took something out of an allowed answer. */
void pb_cli_say_left_out(const struct pb_cli *cli, const struct pb_decision *decision);

/* Members of a JSON object without its braces: "decision" and "rules". */
void pb_cli_put_decision(struct pb_cli_out *out, const struct pb_decision *decision);

/* The exit code that goes with a verdict. */
int pb_cli_verdict_exit(enum pb_policy_verdict verdict);

#endif
