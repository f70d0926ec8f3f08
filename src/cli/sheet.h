/*
 * Sheet: a new file that only its owner may read, for what is exported.
 *
 * Never over another file: what was exported before stays. A file that could not be written to its
 * end is removed again.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_SHEET_H
#define PB_CLI_SHEET_H

#include "cli/cli.h"

struct pb_cli_sheet {
    const char *path;       /* borrowed */
    struct pb_cli_out *out; /* owned; NULL: not open */
};
/* PB_OK, PB_E_IO (also where it exists) or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_sheet_open(const struct pb_env *env, struct pb_cli_sheet *sheet,
                                               const char *path, struct pb_error *error);
/* Writes what waits, syncs and closes. Where that fails, or is_unwanted, the file is removed. Does
 * nothing where it is not open. */
PB_MUST_CHECK enum pb_status pb_cli_sheet_close(const struct pb_env *env,
                                                struct pb_cli_sheet *sheet, bool is_unwanted,
                                                struct pb_error *error);

#endif
