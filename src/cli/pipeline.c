/*
 * Pipeline: a ring of pieces under one lock.
 *
 * Pieces are large (some MiB), so the lock is taken some hundred times a second and its cost is
 * nothing beside the work.
 */
#include "cli/pipeline.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pipeline {
    const struct pb_cli_pipeline_work *work;
    unsigned char *pieces;
    size_t piece_count, piece_bytes;

    pthread_mutex_t lock;
    pthread_cond_t for_workers; /* a piece was brought, or it is over */
    pthread_cond_t for_main;    /* a piece was done, or something failed */
    /* All guarded by lock: */
    uint64_t brought, started, taken; /* taken <= started <= brought <= taken + piece_count */
    bool *is_done;                    /* owned: piece_count elements */
    bool is_ended;                    /* nothing more will be brought */
    enum pb_status status;            /* first failure, or PB_OK */
    struct pb_error error;
};

struct worker {
    struct pipeline *pipeline;
    unsigned number;
    bool is_running;
    pthread_t thread;
};

static void *
piece_at(const struct pipeline *pipeline, uint64_t number)
{
    return pipeline->pieces + (size_t)(number % pipeline->piece_count) * pipeline->piece_bytes;
}

/* Call with the lock held. */
static void
note_failure(struct pipeline *pipeline, enum pb_status status, const struct pb_error *error)
{
    if (pipeline->status == PB_OK) {
        pipeline->status = status;
        pipeline->error = *error;
    }
    (void)pthread_cond_broadcast(&pipeline->for_workers);
    (void)pthread_cond_broadcast(&pipeline->for_main);
}

/* Takes the next piece to do; false where there is none any more. */
static bool
start_piece(struct pipeline *pipeline, uint64_t *ret_number)
{
    bool is_some;

    (void)pthread_mutex_lock(&pipeline->lock);
    while (pipeline->started == pipeline->brought && !pipeline->is_ended &&
           pipeline->status == PB_OK)
        (void)pthread_cond_wait(&pipeline->for_workers, &pipeline->lock);
    is_some = pipeline->status == PB_OK && pipeline->started < pipeline->brought;
    if (is_some)
        *ret_number = pipeline->started++;
    (void)pthread_mutex_unlock(&pipeline->lock);
    return is_some;
}

static void
end_piece(struct pipeline *pipeline, uint64_t number, enum pb_status status,
          const struct pb_error *error)
{
    (void)pthread_mutex_lock(&pipeline->lock);
    pipeline->is_done[number % pipeline->piece_count] = true;
    if (status != PB_OK)
        note_failure(pipeline, status, error);
    (void)pthread_cond_signal(&pipeline->for_main);
    (void)pthread_mutex_unlock(&pipeline->lock);
}

static bool
has_failed(struct pipeline *pipeline)
{
    bool result;

    (void)pthread_mutex_lock(&pipeline->lock);
    result = pipeline->status != PB_OK;
    (void)pthread_mutex_unlock(&pipeline->lock);
    return result;
}

static void *
run_worker(void *context)
{
    struct worker *worker = context;
    struct pipeline *pipeline = worker->pipeline;
    const struct pb_cli_pipeline_work *work = pipeline->work;
    struct pb_error error = { "" };
    enum pb_status status;
    uint64_t number;

    while (start_piece(pipeline, &number)) {
        status = work->work(work->context, worker->number, piece_at(pipeline, number), &error);
        end_piece(pipeline, number, status, &error);
    }
    if (work->finish == NULL || has_failed(pipeline))
        return NULL;
    status = work->finish(work->context, worker->number, &error);
    if (status != PB_OK) {
        (void)pthread_mutex_lock(&pipeline->lock);
        note_failure(pipeline, status, &error);
        (void)pthread_mutex_unlock(&pipeline->lock);
    }
    return NULL;
}

/* Takes back what is done, in order. Waits for one where must_wait. false on failure. */
static bool
take_pieces(struct pipeline *pipeline, bool must_wait)
{
    struct pb_error error = { "" };

    for (;;) {
        enum pb_status status = PB_OK;
        bool is_done;

        (void)pthread_mutex_lock(&pipeline->lock);
        while (must_wait && pipeline->status == PB_OK &&
               !pipeline->is_done[pipeline->taken % pipeline->piece_count])
            (void)pthread_cond_wait(&pipeline->for_main, &pipeline->lock);
        is_done = pipeline->taken < pipeline->brought &&
                  pipeline->is_done[pipeline->taken % pipeline->piece_count];
        status = pipeline->status;
        (void)pthread_mutex_unlock(&pipeline->lock);
        if (status != PB_OK)
            return false;
        if (!is_done)
            return true;

        /* Only this thread changes taken and brought, so reading them needs no lock here. */
        if (pipeline->work->take != NULL)
            status = pipeline->work->take(pipeline->work->context,
                                          piece_at(pipeline, pipeline->taken), &error);
        (void)pthread_mutex_lock(&pipeline->lock);
        pipeline->is_done[pipeline->taken % pipeline->piece_count] = false;
        pipeline->taken++;
        if (status != PB_OK)
            note_failure(pipeline, status, &error);
        (void)pthread_mutex_unlock(&pipeline->lock);
        if (status != PB_OK)
            return false;
        must_wait = false;
    }
}

static void
bring_pieces(struct pipeline *pipeline)
{
    const struct pb_cli_pipeline_work *work = pipeline->work;
    struct pb_error error = { "" };

    for (;;) {
        bool is_full = pipeline->brought - pipeline->taken == pipeline->piece_count;
        enum pb_status status;

        if (!take_pieces(pipeline, is_full))
            return;
        status = work->bring(work->context, piece_at(pipeline, pipeline->brought), &error);
        (void)pthread_mutex_lock(&pipeline->lock);
        if (status == PB_OK) {
            pipeline->brought++;
            (void)pthread_cond_signal(&pipeline->for_workers);
        } else if (status != PB_END) {
            note_failure(pipeline, status, &error);
        }
        (void)pthread_mutex_unlock(&pipeline->lock);
        if (status != PB_OK)
            break;
    }

    (void)pthread_mutex_lock(&pipeline->lock);
    pipeline->is_ended = true;
    (void)pthread_cond_broadcast(&pipeline->for_workers);
    (void)pthread_mutex_unlock(&pipeline->lock);
    while (pipeline->taken < pipeline->brought && take_pieces(pipeline, true))
        ;
}

enum pb_status
pb_cli_pipeline_run(const struct pb_env *env, const struct pb_cli_pipeline_work *work,
                    unsigned worker_count, void *pieces, size_t piece_count, size_t piece_bytes,
                    struct pb_error *error)
{
    struct pipeline pipeline = {
        .work = work,
        .pieces = pieces,
        .piece_count = piece_count,
        .piece_bytes = piece_bytes,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .for_workers = PTHREAD_COND_INITIALIZER,
        .for_main = PTHREAD_COND_INITIALIZER,
    };
    struct worker *workers = NULL;
    enum pb_status status = PB_E_NOMEM;

    assert(worker_count > 0 && piece_count > worker_count);
    pipeline.is_done = pb_calloc(env, piece_count, sizeof(*pipeline.is_done));
    workers = pb_calloc(env, worker_count, sizeof(*workers));
    if (pipeline.is_done == NULL || workers == NULL) {
        (void)pb_fail(error, status, "no memory for %u threads", worker_count);
        goto out;
    }

    for (unsigned i = 0; i < worker_count; i++) {
        workers[i].pipeline = &pipeline;
        workers[i].number = i;
        workers[i].is_running =
            pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0;
        if (!workers[i].is_running) {
            struct pb_error no_thread;

            (void)pb_fail(&no_thread, PB_E_NOMEM, "the system gives no thread number %u: use "
                          "fewer --threads", i + 1);
            (void)pthread_mutex_lock(&pipeline.lock);
            note_failure(&pipeline, PB_E_NOMEM, &no_thread);
            (void)pthread_mutex_unlock(&pipeline.lock);
            break;
        }
    }
    bring_pieces(&pipeline);
    for (unsigned i = 0; i < worker_count; i++) {
        if (workers[i].is_running)
            (void)pthread_join(workers[i].thread, NULL);
    }
    status = pipeline.status;
    if (status != PB_OK)
        (void)pb_fail(error, status, "%s", pipeline.error.message);

out:
    (void)pthread_cond_destroy(&pipeline.for_main);
    (void)pthread_cond_destroy(&pipeline.for_workers);
    (void)pthread_mutex_destroy(&pipeline.lock);
    pb_free(env, workers);
    pb_free(env, pipeline.is_done);
    return status;
}
