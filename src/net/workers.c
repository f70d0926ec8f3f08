/*
 * Workers: a list, a mutex and a condition.
 */
#include "net/workers.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/env.h"

struct pb_workers {
    const struct pb_env *env; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t is_wanted;

    /* guarded by lock */
    struct pb_job *first, *last;
    unsigned queued, queue_max;
    bool is_ending;

    bool steps_back; /* as the threads begin */
    unsigned thread_count;
    pthread_t threads[]; /* owned */
};

/* The next job, or NULL when there will be none. */
static struct pb_job *
take(struct pb_workers *workers)
{
    struct pb_job *job;

    (void)pthread_mutex_lock(&workers->lock);
    while (workers->first == NULL && !workers->is_ending)
        (void)pthread_cond_wait(&workers->is_wanted, &workers->lock);
    job = workers->first;
    if (job != NULL) {
        workers->first = job->next;
        workers->queued--;
        if (workers->first == NULL)
            workers->last = NULL;
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return job;
}

static void *
work(void *context)
{
    struct pb_workers *workers = context;
    struct pb_job *job;

    if (workers->steps_back)
        pb_env_system_step_back();
    while ((job = take(workers)) != NULL)
        job->run(job);
    return NULL;
}

enum pb_status
pb_workers_new(const struct pb_env *env, unsigned threads, unsigned queue_max, bool steps_back,
               struct pb_workers **ret_workers, struct pb_error *error)
{
    struct pb_workers *workers =
        pb_calloc(env, 1, sizeof(*workers) + threads * sizeof(workers->threads[0]));

    assert(threads > 0 && queue_max > 0);
    if (workers == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for worker threads");
    workers->env = env;
    workers->queue_max = queue_max;
    workers->steps_back = steps_back;
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_cond_init(&workers->is_wanted, NULL);
    for (; workers->thread_count < threads; workers->thread_count++) {
        int failure = pthread_create(&workers->threads[workers->thread_count], NULL, work, workers);

        if (failure != 0) {
            (void)pb_fail(error, PB_E_IO, "cannot start a worker thread: %s",
                          strerrordesc_np(failure));
            pb_workers_free(workers);
            return PB_E_IO;
        }
    }
    *ret_workers = workers;
    return PB_OK;
}

void
pb_workers_free(struct pb_workers *workers)
{
    if (workers == NULL)
        return;
    (void)pthread_mutex_lock(&workers->lock);
    workers->is_ending = true;
    (void)pthread_cond_broadcast(&workers->is_wanted);
    (void)pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->thread_count; i++)
        (void)pthread_join(workers->threads[i], NULL);
    (void)pthread_cond_destroy(&workers->is_wanted);
    (void)pthread_mutex_destroy(&workers->lock);
    pb_free(workers->env, workers);
}

bool
pb_workers_push(struct pb_workers *workers, struct pb_job *job)
{
    bool is_taken;

    job->next = NULL;
    (void)pthread_mutex_lock(&workers->lock);
    is_taken = workers->queued < workers->queue_max && !workers->is_ending;
    if (is_taken) {
        if (workers->last != NULL)
            workers->last->next = job;
        else
            workers->first = job;
        workers->last = job;
        workers->queued++;
        (void)pthread_cond_signal(&workers->is_wanted);
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return is_taken;
}
