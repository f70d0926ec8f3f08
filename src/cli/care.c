/*
 * Care: a thread that looks every half minute at what is to be done.
 */
#include "cli/care.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "cli/backups.h"
#include "cli/upkeep.h"
#include "inquiry/figures.h"

#define LOOK_S 30             /* between two looks */
#define COUNT_EVERY_LOOKS 20u /* what the audit logs say in figures */

struct pb_cli_care {
    struct pb_cli_care_options options;
    const struct pb_env *env;    /* borrowed */
    struct pb_progress progress; /* asks whether to go on */
    struct pb_cli_upkeep upkeep; /* the thread's own */
    unsigned looks;              /* likewise */
    pthread_t thread;
    _Atomic bool is_over; /* the thread is to end */

    pthread_mutex_t lock; /* held for a few instructions */
    pthread_cond_t moved; /* on the monotonic clock */
    bool wants_backup;    /* guarded by lock */
};

/* ---- what is done, on the thread ---- */

static bool
may_go_on(void *context, const char *phase, uint64_t done, uint64_t total)
{
    const struct pb_cli_care *care = context;

    (void)phase;
    (void)done;
    (void)total;
    return !atomic_load(&care->is_over);
}

/* PB_END: it was broken off, which is no failure. */
static void
tell(struct pb_cli_care *care, struct pb_word event, enum pb_status status, int64_t began_ns,
     const struct pb_error *error)
{
    bool is_well = status == PB_OK || status == PB_END;
    struct pb_log_line line;

    pb_log_begin(&line, care->options.log, is_well ? PB_LOG_INFO : PB_LOG_ERROR, event);
    pb_log_status(&line, PB_WORD("status"), status);
    pb_log_number(&line, PB_WORD("duration_us"), (pb_monotonic_ns(care->env) - began_ns) / 1000);
    pb_log_end(&line);
    if (!is_well)
        (void)pb_cli_failure(care->options.cli, status, error);
}

static void
back_up(struct pb_cli_care *care)
{
    const char *directory = care->options.backups;
    int64_t began_ns = pb_monotonic_ns(care->env);
    struct pb_error error = { "" };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    if (directory == NULL)
        status = pb_fail(&error, PB_E_IO, "the configuration names no directory for backups");
    else
        status = pb_cli_backups_make(care->env, care->options.site, directory, &care->progress,
                                     path, &error);
    tell(care, PB_WORD("backup"), status, began_ns, &error);
    if (status == PB_OK)
        pb_cli_say(care->options.cli, "backup made in %s", path);
}

/* What was put on record since, so that who asks for figures does not wait for it. */
static void
count_figures(struct pb_cli_care *care)
{
    int64_t began_ns = pb_monotonic_ns(care->env);
    struct pb_error error = { "" };
    enum pb_status status = pb_figures_count(care->options.site, &care->progress, &error);

    if (status == PB_OK && care->options.on_counted != NULL)
        care->options.on_counted(care->options.counted_context);
    tell(care, PB_WORD("figures"), status, began_ns, &error);
}

/* The process stays as small as what it holds. */
static void
look_after(struct pb_cli_care *care)
{
    if (care->options.counts && care->looks++ % COUNT_EVERY_LOOKS == 0)
        count_figures(care);
    pb_cli_upkeep_run(&care->upkeep, &care->progress);
    pb_env_system_give_back();
}

/* ---- the thread ---- */

/* True: a backup is wanted; false: it is time to look, or to end. */
static bool
wait_for_wish(struct pb_cli_care *care)
{
    struct timespec until = { .tv_sec = 0 };
    bool is_wanted;
    int code = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_S;
    (void)pthread_mutex_lock(&care->lock);
    while (code == 0 && !care->wants_backup && !atomic_load(&care->is_over))
        code = pthread_cond_timedwait(&care->moved, &care->lock, &until);
    is_wanted = care->wants_backup;
    care->wants_backup = false;
    (void)pthread_mutex_unlock(&care->lock);
    return is_wanted;
}

static void *
run(void *context)
{
    struct pb_cli_care *care = context;
    bool is_wanted = false;

    while (!atomic_load(&care->is_over)) {
        if (is_wanted)
            back_up(care);
        else
            look_after(care);
        is_wanted = wait_for_wish(care);
    }
    return NULL;
}

static void
init_lock(struct pb_cli_care *care)
{
    pthread_condattr_t attributes;

    (void)pthread_mutex_init(&care->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&care->moved, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void
done(struct pb_cli_care *care)
{
    (void)pthread_cond_destroy(&care->moved);
    (void)pthread_mutex_destroy(&care->lock);
    pb_free(care->env, care);
}

enum pb_status
pb_cli_care_start(const struct pb_cli_care_options *options, struct pb_cli_care **ret_care,
                  struct pb_error *error)
{
    const struct pb_env *env = options->cli->env;
    struct pb_cli_care *care = pb_calloc(env, 1, sizeof(*care));

    if (care == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the thread that cares for the data");
    care->options = *options;
    care->env = env;
    care->progress = (struct pb_progress){ .report = may_go_on, .context = care };
    init_lock(care);
    pb_cli_upkeep_init(&care->upkeep, env, options->site, options->log, options->upkeep_hours);
    if (pthread_create(&care->thread, NULL, run, care) != 0) {
        done(care);
        return pb_fail(error, PB_E_IO, "the system gives no thread to care for the data");
    }
    *ret_care = care;
    return PB_OK;
}

void
pb_cli_care_back_up(struct pb_cli_care *care)
{
    (void)pthread_mutex_lock(&care->lock);
    care->wants_backup = true;
    (void)pthread_cond_signal(&care->moved);
    (void)pthread_mutex_unlock(&care->lock);
}

void
pb_cli_care_break_off(struct pb_cli_care *care)
{
    if (care == NULL)
        return;
    (void)pthread_mutex_lock(&care->lock);
    atomic_store(&care->is_over, true);
    (void)pthread_cond_signal(&care->moved);
    (void)pthread_mutex_unlock(&care->lock);
}

void
pb_cli_care_stop(struct pb_cli_care *care)
{
    if (care == NULL)
        return;
    pb_cli_care_break_off(care);
    (void)pthread_join(care->thread, NULL);
    done(care);
}
