/*
 * Load: a small file as one text, or as lines.
 *
 * Threads: any.
 */
#ifndef PB_CLI_LOAD_H
#define PB_CLI_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"

/* The whole file at path, at most bytes_max, with a NUL behind it. ret_text: the caller frees it
 * with pb_free. PB_NOT_FOUND, PB_OVER_LIMIT, PB_E_IO and PB_E_NOMEM fill error, too. */
PB_MUST_CHECK enum pb_status pb_cli_load(const struct pb_env *env, const char *path,
                                         uint64_t bytes_max, char **ret_text, size_t *ret_bytes,
                                         struct pb_error *error);

/* A file of lines: its text with line ends turned into NULs, and where each line begins. */
struct pb_cli_lines {
    char *text;   /* owned */
    char **items; /* owned: count elements, none empty or a comment (#) */
    size_t count;
};
/* lines: all zero; to be released also after a failure. PB_BAD_INPUT: there is no line. */
PB_MUST_CHECK enum pb_status pb_cli_load_lines(const struct pb_env *env, const char *path,
                                               uint64_t bytes_max, struct pb_cli_lines *lines,
                                               struct pb_error *error);
void pb_cli_lines_done(const struct pb_env *env, struct pb_cli_lines *lines);

#endif
