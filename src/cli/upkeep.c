/*
 * Upkeep: removing what has expired, when it is due.
 */
#include "cli/upkeep.h"

#include "base/time.h"

#define SECOND_NS INT64_C(1000000000)

void
pb_cli_upkeep_init(struct pb_cli_upkeep *upkeep, const struct pb_env *env, struct pb_site *site,
                   const struct pb_log *log, uint64_t period_hours)
{
    *upkeep = (struct pb_cli_upkeep){
        .env = env,
        .site = site,
        .log = log,
        .period_ns = (int64_t)period_hours * 3600 * SECOND_NS,
        .due_ns = pb_monotonic_ns(env) + PB_CLI_UPKEEP_FIRST_S * SECOND_NS,
    };
}

static void
log_end(const struct pb_cli_upkeep *upkeep, const struct pb_purge_counts *counts, uint64_t terms,
        enum pb_status status, int64_t began_ns)
{
    struct pb_log_line line;

    pb_log_begin(&line, upkeep->log,
                 status == PB_OK || status == PB_END ? PB_LOG_INFO : PB_LOG_ERROR,
                 PB_WORD("upkeep"));
    pb_log_status(&line, PB_WORD("status"), status);
    pb_log_number(&line, PB_WORD("reads_removed"), (int64_t)counts->reads_removed);
    pb_log_number(&line, PB_WORD("bytes_freed"), (int64_t)counts->bytes_freed);
    pb_log_number(&line, PB_WORD("keys_destroyed"), (int64_t)terms);
    pb_log_number(&line, PB_WORD("duration_us"), (pb_monotonic_ns(upkeep->env) - began_ns) / 1000);
    pb_log_end(&line);
}

/* Notes that it was told to stop: what is broken off is not done for this time. */
struct watched {
    const struct pb_progress *progress; /* or NULL */
    bool is_stopped;
};

static bool
watch(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct watched *watched = context;

    if (watched->progress != NULL &&
        !watched->progress->report(watched->progress->context, phase, done, total))
        watched->is_stopped = true;
    return !watched->is_stopped;
}

void
pb_cli_upkeep_run(struct pb_cli_upkeep *upkeep, const struct pb_progress *progress)
{
    const struct pb_actor operator= { .person = NULL };
    struct pb_purge_counts counts = { 0 };
    struct pb_error error = { "" };
    int64_t began_ns = pb_monotonic_ns(upkeep->env);
    struct watched watched = { .progress = progress };
    const struct pb_progress watching = { .report = watch, .context = &watched };
    uint64_t terms = 0;
    enum pb_status status;

    if (upkeep->period_ns == 0 || began_ns < upkeep->due_ns)
        return;
    status = pb_site_purge(upkeep->site, &operator, & watching, NULL, NULL, &counts, &error);
    if (watched.is_stopped)
        status = PB_END;
    if (status == PB_OK)
        status = pb_site_destroy_expired(upkeep->site, &terms, &error);
    upkeep->due_ns = began_ns + (status == PB_OK ? upkeep->period_ns : upkeep->period_ns / 10);
    log_end(upkeep, &counts, terms, status, began_ns);
}
