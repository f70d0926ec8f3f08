/*
 * Backups of a data directory that is being served: each in a directory named after its time.
 *
 * Threads: one at a time; the site may be in use by others meanwhile.
 */
#ifndef PB_CLI_BACKUPS_H
#define PB_CLI_BACKUPS_H

#include "base/env.h"
#include "base/limits.h"
#include "inquiry/site.h"

/*
 * As pb_site_backup, to directory/2026-11-26T01-02-03Z; directory is made where it is missing, its
 * parent is not. What a failure leaves lacks the file SITE and is no backup. ret_path is set also
 * then.
 */
PB_MUST_CHECK enum pb_status pb_cli_backups_make(const struct pb_env *env, struct pb_site *site,
                                                 const char *directory,
                                                 const struct pb_progress *progress,
                                                 char ret_path[PB_PATH_BYTES_MAX],
                                                 struct pb_error *error);

#endif
