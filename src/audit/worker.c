/*
 * Workers: the threads that publish. One keeps what is pending, and publishes where there are no
 * witnesses; the other waits for witnesses, so that nobody else has to.
 *
 * Both start with the first leaf that is appended.
 */
#include <errno.h>
#include <time.h>

#include "audit/audit_private.h"

#define GATHER_MS 400      /* for more news, after the first */
#define TRY_AGAIN_MS 30000 /* what waits for witnesses */

static void
work_publisher(struct pb_audit *audit)
{
    struct pb_error error = { "" };
    enum pb_status status;

    (void)pthread_mutex_lock(&audit->integrating);
    status = pb_publish_locked(audit, NULL, pb_publish_should_keep(audit), &error);
    (void)pthread_mutex_unlock(&audit->integrating);
    /* What failed is tried again with the next leaf, and at close; it is told once. */
    if (status != PB_OK && !audit->has_failed && audit->fails_to_publish != NULL)
        audit->fails_to_publish(audit->fails_context, error.message);
    audit->has_failed = status != PB_OK;
}

static void
work_cosigner(struct pb_audit *audit)
{
    bool waits = false;
    enum pb_status status = pb_cosign_news(audit, NULL, &waits, NULL);

    (void)pthread_mutex_lock(&audit->cosigner.lock);
    audit->cosigner.tries_again = waits || status != PB_OK;
    (void)pthread_mutex_unlock(&audit->cosigner.lock);
}

static struct timespec
after_milliseconds(long milliseconds)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += milliseconds / 1000;
    at.tv_nsec += milliseconds % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* The lock is held. */
static void
wait_for_first(struct pb_worker *worker)
{
    struct timespec until = after_milliseconds(worker->again_ms);

    int waited = 0;

    while (!worker->has_news && !worker->is_stopping && waited != ETIMEDOUT)
        waited = worker->tries_again ? pthread_cond_timedwait(&worker->wake, &worker->lock, &until)
                                     : pthread_cond_wait(&worker->wake, &worker->lock);
}

/* Waits for news, then a little for more of it. false: stop. */
static bool
wait_for_news(struct pb_worker *worker)
{
    struct timespec until;
    bool is_stopping;

    (void)pthread_mutex_lock(&worker->lock);
    wait_for_first(worker);
    until = after_milliseconds(GATHER_MS);
    while (!worker->is_urgent && !worker->is_stopping &&
           pthread_cond_timedwait(&worker->wake, &worker->lock, &until) != ETIMEDOUT)
        ;
    worker->has_news = false;
    worker->is_urgent = false;
    is_stopping = worker->is_stopping;
    (void)pthread_mutex_unlock(&worker->lock);
    return !is_stopping;
}

static void *
run(void *context)
{
    struct pb_worker *worker = context;

    while (wait_for_news(worker))
        worker->work(worker->audit);
    return NULL;
}

static void
init(struct pb_worker *worker, struct pb_audit *audit, void (*work)(struct pb_audit *))
{
    pthread_condattr_t monotonic;

    worker->work = work;
    worker->audit = audit;
    worker->again_ms = TRY_AGAIN_MS;
    /* With such attributes these cannot fail on Linux. */
    (void)pthread_mutex_init(&worker->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&worker->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

static void
done(struct pb_worker *worker)
{
    (void)pthread_mutex_destroy(&worker->lock);
    (void)pthread_cond_destroy(&worker->wake);
}

static void
notify(struct pb_worker *worker, bool is_urgent)
{
    (void)pthread_mutex_lock(&worker->lock);
    if (!worker->is_running)
        worker->is_running = pthread_create(&worker->thread, NULL, run, worker) == 0;
    if (!worker->has_news || (is_urgent && !worker->is_urgent)) {
        worker->has_news = true;
        worker->is_urgent = is_urgent; /* without news nothing was */
        (void)pthread_cond_signal(&worker->wake);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

static void
stop(struct pb_worker *worker)
{
    bool is_running;

    (void)pthread_mutex_lock(&worker->lock);
    worker->is_stopping = true;
    is_running = worker->is_running;
    (void)pthread_cond_signal(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
    if (is_running)
        (void)pthread_join(worker->thread, NULL);
}

void
pb_workers_init(struct pb_audit *audit)
{
    init(&audit->publisher, audit, work_publisher);
    init(&audit->cosigner, audit, work_cosigner);
}

void
pb_workers_done(struct pb_audit *audit)
{
    done(&audit->publisher);
    done(&audit->cosigner);
}

void
pb_workers_notify(struct pb_audit *audit, bool is_urgent)
{
    if (!audit->wants_background)
        return;
    notify(&audit->publisher, is_urgent);
    if (audit->witnesses != NULL)
        notify(&audit->cosigner, false);
}

void
pb_workers_stop(struct pb_audit *audit)
{
    stop(&audit->publisher);
    stop(&audit->cosigner);
}
