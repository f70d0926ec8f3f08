/*
 * Load: a small file as one text.
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

#endif
