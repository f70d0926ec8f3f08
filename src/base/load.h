/*
 * Load: a file as one text.
 *
 * Threads: any.
 */
#ifndef PB_BASE_LOAD_H
#define PB_BASE_LOAD_H

#include "base/env.h"

/* The whole file at path, at most bytes_max, with a NUL behind it. ret_text: the caller frees it
 * with pb_free. PB_NOT_FOUND leaves error as it was; PB_OVER_LIMIT, and failures, fill it. */
PB_MUST_CHECK enum pb_status pb_load_file(const struct pb_env *env, const char *path,
                                          uint64_t bytes_max, char **ret_text, size_t *ret_bytes,
                                          struct pb_error *error);

#endif
