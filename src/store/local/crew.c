/*
 * Crew: one queue under one lock. A job takes some microseconds or more, so that the lock costs
 * little beside it; but waking a helper costs as much as a short job does, so a helper that sleeps
 * is woken for several of these. Who waits for a job does what is queued, so none is left behind.
 */
#include "store/local/crew.h"

#include <assert.h>
#include <pthread.h>

#define HELPERS_MAX 64u
#define SHORT_JOBS 8u /* that a helper is woken for */

struct pb_crew {
    const struct pb_env *env; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t has_job;  /* or is_over */
    pthread_cond_t has_done; /* some job */
    /* All guarded by lock: */
    struct pb_crew_job *first, *last;
    unsigned queued_count;
    bool is_over;

    unsigned helper_count;
    pthread_t helpers[HELPERS_MAX];
};

/* Takes the first job out of the queue; NULL where it is empty. The caller holds the lock. */
static struct pb_crew_job *
take_job(struct pb_crew *crew)
{
    struct pb_crew_job *job = crew->first;

    if (job != NULL) {
        crew->first = job->next;
        crew->queued_count--;
        if (crew->first == NULL)
            crew->last = NULL;
    }
    return job;
}

/* Runs a job. The caller holds the lock, which is not held meanwhile. */
static void
run_job(struct pb_crew *crew, struct pb_crew_job *job)
{
    (void)pthread_mutex_unlock(&crew->lock);
    job->run(job);
    (void)pthread_mutex_lock(&crew->lock);
    job->is_done = true;
    (void)pthread_cond_signal(&crew->has_done);
}

static void *
help(void *context)
{
    struct pb_crew *crew = context;

    (void)pthread_mutex_lock(&crew->lock);
    for (;;) {
        struct pb_crew_job *job = take_job(crew);

        if (job != NULL)
            run_job(crew, job);
        else if (crew->is_over)
            break;
        else
            (void)pthread_cond_wait(&crew->has_job, &crew->lock);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    return NULL;
}

enum pb_status
pb_crew_new(const struct pb_env *env, unsigned helper_count, struct pb_crew **ret_crew)
{
    struct pb_crew *crew = pb_calloc(env, 1, sizeof(*crew));

    if (crew == NULL)
        return PB_E_NOMEM;
    crew->env = env;
    (void)pthread_mutex_init(&crew->lock, NULL);
    (void)pthread_cond_init(&crew->has_job, NULL);
    (void)pthread_cond_init(&crew->has_done, NULL);
    if (helper_count > HELPERS_MAX)
        helper_count = HELPERS_MAX;
    while (crew->helper_count < helper_count &&
           pthread_create(&crew->helpers[crew->helper_count], NULL, help, crew) == 0)
        crew->helper_count++;
    *ret_crew = crew;
    return PB_OK;
}

void
pb_crew_free(struct pb_crew *crew)
{
    if (crew == NULL)
        return;
    (void)pthread_mutex_lock(&crew->lock);
    assert(crew->first == NULL);
    crew->is_over = true;
    (void)pthread_cond_broadcast(&crew->has_job);
    (void)pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; i < crew->helper_count; i++)
        (void)pthread_join(crew->helpers[i], NULL);
    (void)pthread_cond_destroy(&crew->has_done);
    (void)pthread_cond_destroy(&crew->has_job);
    (void)pthread_mutex_destroy(&crew->lock);
    pb_free(crew->env, crew);
}

void
pb_crew_submit(struct pb_crew *crew, struct pb_crew_job *job)
{
    job->next = NULL;
    job->is_done = false;
    if (crew == NULL) {
        job->run(job);
        job->is_done = true;
        return;
    }
    (void)pthread_mutex_lock(&crew->lock);
    if (crew->last == NULL)
        crew->first = job;
    else
        crew->last->next = job;
    crew->last = job;
    crew->queued_count++;
    if (!job->is_short || crew->queued_count >= SHORT_JOBS)
        (void)pthread_cond_signal(&crew->has_job);
    (void)pthread_mutex_unlock(&crew->lock);
}

void
pb_crew_wait(struct pb_crew *crew, struct pb_crew_job *job)
{
    if (crew == NULL)
        return;
    (void)pthread_mutex_lock(&crew->lock);
    while (!job->is_done) {
        struct pb_crew_job *other = take_job(crew);

        if (other != NULL)
            run_job(crew, other);
        else
            (void)pthread_cond_wait(&crew->has_done, &crew->lock);
    }
    (void)pthread_mutex_unlock(&crew->lock);
}
