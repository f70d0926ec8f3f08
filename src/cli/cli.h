/*
 * Command line: what all commands share.
 *
 * A command is one file, cmd_<name>.c, and one row of the table in main.c. It parses
 * its options, calls the store and prints; it decides nothing about reads itself.
 *
 * Standard output carries answers only. Everything said to a person goes to standard error,
 * after "platebase: ", with control characters made harmless.
 *
 * Threads: pb_cli_say may be called from any thread, the rest from the main thread.
 */
#ifndef PB_CLI_CLI_H
#define PB_CLI_CLI_H

#include <stdbool.h>

#include <platebase/status.h>
#include <platebase/store.h>

#include "audit/audit.h"
#include "base/env.h"
#include "cli/out.h"
#include "inquiry/site.h"

enum pb_cli_exit {
    PB_CLI_EXIT_OK = 0,
    PB_CLI_EXIT_FAILURE = 1,       /* it was asked rightly and did not work */
    PB_CLI_EXIT_USAGE = 2,         /* it was asked wrongly; nothing was done */
    PB_CLI_EXIT_DENIED = 3,        /* a rule forbids it, or who asks may not */
    PB_CLI_EXIT_NEEDS = 4,         /* somebody must confirm or approve it first */
    PB_CLI_EXIT_INTERRUPTED = 130, /* SIGINT or SIGTERM; what was in hand is finished */
};

struct pb_cli {
    const struct pb_env *env; /* borrowed */
    const char *command;      /* borrowed: name of the running command */
    int argc;                 /* as typed, for saying it again */
    char **argv;              /* borrowed: argc elements */
    struct pb_cli_out *out;   /* borrowed: standard output */
    bool has_progress_line;   /* a progress bar stands on the line where a message would go */
};

struct pb_cli_command {
    const char *name;
    const char *summary; /* a few words, no full stop */
    int (*run)(struct pb_cli *cli, int argc, char **argv);
};

/* Says one line to the person, after "platebase: ". */
void pb_cli_say(const struct pb_cli *cli, const char *format, ...) PB_PRINTF(2, 3);
/* As pb_cli_say for a mistake in how the command was called; points to its --help.
 * Returns PB_CLI_EXIT_USAGE. */
int pb_cli_usage_error(const struct pb_cli *cli, const char *format, ...) PB_PRINTF(2, 3);
/* Says what failed (or the status's name where error is empty) and how to mend it where that is
 * known. Returns PB_CLI_EXIT_FAILURE, or PB_CLI_EXIT_DENIED where who asks may not. */
int pb_cli_failure(const struct pb_cli *cli, enum pb_status status, const struct pb_error *error);
/* A pb_damage_fn whose context is the struct pb_cli: says what an answer leaves out. */
void pb_cli_tell_damage(void *cli, const char *file, uint64_t offset, const char *what);

/* false, after saying so, where path is a bare read store, as older versions made it. */
PB_MUST_CHECK bool pb_cli_is_site(const struct pb_cli *cli, const char *path);
/* As pb_site_open; says what failed, and how to mend it where path is a bare read store. */
PB_MUST_CHECK enum pb_status pb_cli_open_site(const struct pb_cli *cli, const char *path,
                                              const struct pb_site_options *options,
                                              struct pb_site **ret_site);
/* How this process is told of to others that find the directory in use. */
void pb_cli_holder(const struct pb_cli *cli, char ret_text[PB_AUDIT_HOLDER_BYTES]);
/* Closes it (NULL is fine), and says what failed; returns exit_code, or PB_CLI_EXIT_FAILURE where
 * that was PB_CLI_EXIT_OK and closing failed. */
int pb_cli_close_site(const struct pb_cli *cli, struct pb_site *site, int exit_code);

/* Processors that this process may run on, 1 to PB_CLI_THREADS_MAX. */
#define PB_CLI_THREADS_MAX 64u
unsigned pb_cli_processors(void);

int pb_cmd_account(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_agency(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_agreement(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_approve(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_associates(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_audit(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_backup(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_bench(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_case(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_catalog(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_common(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_config(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_convert(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_correct(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_declaration(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_demo(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_erase(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_generate(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_hold(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_import(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_init(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_merge(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_near(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_offence(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_person(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_plates(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_policy(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_purge(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_reader(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_restore(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_rules(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_search(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_serve(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_stats(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_subject_access(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_token(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_transparency(struct pb_cli *cli, int argc, char **argv);
int pb_cmd_verify(struct pb_cli *cli, int argc, char **argv);

#endif
