/*
 * Committer: a list, and a thread that takes all of it at once.
 */
#include "api/committer.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"

struct pb_api_committer {
    const struct pb_env *env; /* borrowed */
    struct pb_store *store;   /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_wanted;

    /* guarded by lock */
    struct pb_api_commit *first, *last;
    bool is_ending;

    /* The thread's own. */
    struct pb_read *reads;    /* owned: PB_APPEND_READS_MAX elements */
    enum pb_status *statuses; /* owned: as many */
};

/* Commits from the head of the list, as many as one append takes; NULL when there will be none. */
static struct pb_api_commit *
take(struct pb_api_committer *committer)
{
    struct pb_api_commit *first, *commit, *last = NULL;
    uint32_t count = 0;

    (void)pthread_mutex_lock(&committer->lock);
    while (committer->first == NULL && !committer->is_ending)
        (void)pthread_cond_wait(&committer->is_wanted, &committer->lock);
    first = committer->first;
    for (commit = first; commit != NULL && count + commit->count <= PB_APPEND_READS_MAX;
         commit = commit->next) {
        count += commit->count;
        last = commit;
    }
    if (last != NULL) {
        committer->first = last->next;
        if (committer->first == NULL)
            committer->last = NULL;
        last->next = NULL;
    }
    (void)pthread_mutex_unlock(&committer->lock);
    return first;
}

static enum pb_status
append(struct pb_api_committer *committer, const struct pb_api_commit *first)
{
    struct pb_error error = { "" };
    size_t count = 0;

    for (const struct pb_api_commit *commit = first; commit != NULL; commit = commit->next) {
        memcpy(committer->reads + count, commit->reads, commit->count * sizeof(*commit->reads));
        count += commit->count;
    }
    return pb_store_append(committer->store, committer->reads, count, committer->statuses, &error);
}

/* A commit is gone when it was told. */
static void
tell(struct pb_api_committer *committer, struct pb_api_commit *commit, enum pb_status status)
{
    size_t at = 0;

    while (commit != NULL) {
        struct pb_api_commit *next = commit->next;

        if (status == PB_OK)
            memcpy(commit->statuses, committer->statuses + at,
                   commit->count * sizeof(*commit->statuses));
        at += commit->count;
        commit->done(commit, status);
        commit = next;
    }
}

static void *
work(void *context)
{
    struct pb_api_committer *committer = context;
    struct pb_api_commit *first;

    while ((first = take(committer)) != NULL)
        tell(committer, first, append(committer, first));
    return NULL;
}

enum pb_status
pb_api_committer_new(const struct pb_env *env, struct pb_store *store,
                     struct pb_api_committer **ret_committer, struct pb_error *error)
{
    struct pb_api_committer *committer = pb_calloc(env, 1, sizeof(*committer));
    enum pb_status status = PB_OK;

    if (committer == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for commits");
    committer->env = env;
    committer->store = store;
    (void)pthread_mutex_init(&committer->lock, NULL);
    (void)pthread_cond_init(&committer->is_wanted, NULL);
    committer->reads = pb_alloc(env, PB_APPEND_READS_MAX * sizeof(*committer->reads));
    committer->statuses = pb_alloc(env, PB_APPEND_READS_MAX * sizeof(*committer->statuses));
    if (committer->reads == NULL || committer->statuses == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory for commits");
    else if (pthread_create(&committer->thread, NULL, work, committer) != 0)
        status = pb_fail(error, PB_E_IO, "cannot start a thread for commits");
    if (status == PB_OK) {
        *ret_committer = committer;
        return PB_OK;
    }
    pb_free(env, committer->reads);
    pb_free(env, committer->statuses);
    (void)pthread_cond_destroy(&committer->is_wanted);
    (void)pthread_mutex_destroy(&committer->lock);
    pb_free(env, committer);
    return status;
}

void
pb_api_committer_free(struct pb_api_committer *committer)
{
    if (committer == NULL)
        return;
    (void)pthread_mutex_lock(&committer->lock);
    committer->is_ending = true;
    (void)pthread_cond_signal(&committer->is_wanted);
    (void)pthread_mutex_unlock(&committer->lock);
    (void)pthread_join(committer->thread, NULL);
    (void)pthread_cond_destroy(&committer->is_wanted);
    (void)pthread_mutex_destroy(&committer->lock);
    pb_free(committer->env, committer->reads);
    pb_free(committer->env, committer->statuses);
    pb_free(committer->env, committer);
}

void
pb_api_committer_push(struct pb_api_committer *committer, struct pb_api_commit *commit)
{
    assert(commit->count <= PB_APPEND_READS_MAX);
    commit->next = NULL;
    (void)pthread_mutex_lock(&committer->lock);
    if (committer->last != NULL)
        committer->last->next = commit;
    else
        committer->first = commit;
    committer->last = commit;
    (void)pthread_cond_signal(&committer->is_wanted);
    (void)pthread_mutex_unlock(&committer->lock);
}
