/*
 * Upkeep: what a service does to its data directory by itself, for nothing else can write there
 * while it runs.
 *
 * What has expired or was erased is removed from disk, with its receipt in the audit logs, and keys
 * of openings whose time is over are destroyed: for the first time some minutes after the start, so
 * that a service that is started again each day does it, too, and then once each period.
 *
 * Threads: one at a time; the site may be in use by others meanwhile.
 */
#ifndef PB_CLI_UPKEEP_H
#define PB_CLI_UPKEEP_H

#include "base/env.h"
#include "inquiry/site.h"
#include "net/log.h"

#define PB_CLI_UPKEEP_FIRST_S 600

struct pb_cli_upkeep {
    const struct pb_env *env;  /* borrowed */
    struct pb_site *site;      /* borrowed: PB_SITE_WRITE */
    const struct pb_log *log;  /* borrowed */
    int64_t period_ns, due_ns; /* 0: never; on the monotonic clock */
};

/* period_hours 0: never. */
void pb_cli_upkeep_init(struct pb_cli_upkeep *upkeep, const struct pb_env *env,
                        struct pb_site *site, const struct pb_log *log, uint64_t period_hours);

/* Does what is due, and logs what came of it. Where progress (which may be NULL) says to stop, or
 * it failed, it is tried again after a tenth of the period. */
void pb_cli_upkeep_run(struct pb_cli_upkeep *upkeep, const struct pb_progress *progress);

#endif
