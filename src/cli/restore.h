/*
 * Restore: a data directory from a backup of one.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_RESTORE_H
#define PB_CLI_RESTORE_H

#include <platebase/status.h>
#include <platebase/store.h>

#include "base/env.h"

/*
 * Checks every byte of the reads and the catalog in backup, and copies all of it to target (new or
 * empty). keys: directory of keys to copy, too (no backup holds any); NULL: none. The file that
 * makes a directory a site is written last.
 *
 * Returns  PB_OK
 *          PB_E_NOT_STORE  backup is none, or target holds something
 *          PB_E_CORRUPT    the backup is damaged
 *          a failure       target is half made and not taken for a site
 */
PB_MUST_CHECK enum pb_status pb_cli_restore(const struct pb_env *env, const char *backup,
                                            const char *target, const char *keys,
                                            const struct pb_progress *progress,
                                            struct pb_error *error);

#endif
