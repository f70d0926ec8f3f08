/*
 * Measuring inquiries.
 */
#include "cli/bench_ask.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/text.h"
#include "cli/bench_append.h"

#define SAMPLES_PER_ASKER 65536u
#define LOOK_US 20000 /* how often the main thread looks at the clock */

struct asker {
    const struct pb_env *env;
    struct pb_site *site;
    const struct pb_inquiry *inquiry;
    const struct pb_cli_lines *plates;
    _Atomic bool *must_stop;
    unsigned number;
    pthread_t thread;
    bool is_running;
    uint64_t asked, rows;
    int64_t *samples_ns;       /* owned: the newest SAMPLES_PER_ASKER durations */
    struct pb_answer *refused; /* owned */
    enum pb_status status;
    struct pb_error error;
};

/* One inquiry; false where it must not go on. */
static bool
ask_one(struct asker *asker)
{
    /* Threads begin apart in the list, so that they do not all ask for the same plate. */
    uint64_t place = asker->asked + UINT64_C(7919) * asker->number;
    struct pb_inquiry inquiry = *asker->inquiry;
    struct pb_answer *answer = NULL;
    int64_t started_ns = pb_monotonic_ns(asker->env);

    inquiry.query.plate = pb_str_from(asker->plates->items[place % asker->plates->count]);
    asker->status = pb_inquiry_ask(asker->site, &inquiry, &answer, &asker->error);
    if (asker->status != PB_OK)
        return false;
    if (pb_answer_decision(answer)->verdict != PB_POLICY_ALLOW) {
        asker->refused = answer;
        return false;
    }
    asker->rows += pb_answer_rows(answer);
    pb_answer_free(answer);
    asker->samples_ns[asker->asked % SAMPLES_PER_ASKER] = pb_monotonic_ns(asker->env) - started_ns;
    asker->asked++;
    return true;
}

static void *
run_asker(void *context)
{
    struct asker *asker = context;

    while (!atomic_load_explicit(asker->must_stop, memory_order_relaxed)) {
        if (!ask_one(asker))
            atomic_store_explicit(asker->must_stop, true, memory_order_relaxed);
    }
    return NULL;
}

static enum pb_status
start_askers(struct asker *askers, unsigned count, const struct asker *like, struct pb_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        askers[i] = *like;
        askers[i].number = i;
        askers[i].samples_ns =
            pb_calloc(like->env, SAMPLES_PER_ASKER, sizeof(*askers[i].samples_ns));
        if (askers[i].samples_ns == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for %u threads", count);
        askers[i].is_running = pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]) == 0;
        if (!askers[i].is_running)
            return pb_fail(error, PB_E_NOMEM, "the system gives no %u threads", count);
    }
    return PB_OK;
}

static enum pb_status
sum_up(const struct pb_env *env, const struct asker *askers, unsigned count,
       struct pb_cli_ask_result *result, struct pb_error *error)
{
    size_t used = 0;
    int64_t *all = pb_calloc(env, (size_t)count * SAMPLES_PER_ASKER, sizeof(*all));

    if (all == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the durations");
    for (unsigned i = 0; i < count; i++) {
        size_t samples =
            askers[i].asked < SAMPLES_PER_ASKER ? (size_t)askers[i].asked : SAMPLES_PER_ASKER;

        memcpy(all + used, askers[i].samples_ns, samples * sizeof(*all));
        used += samples;
        result->asked += askers[i].asked;
        result->rows += askers[i].rows;
    }
    pb_cli_sort_ns(all, used);
    result->p50_us = (double)pb_cli_quantile_ns(all, used, 0.5) / 1e3;
    result->p99_us = (double)pb_cli_quantile_ns(all, used, 0.99) / 1e3;
    result->max_us = (double)pb_cli_quantile_ns(all, used, 1) / 1e3;
    pb_free(env, all);
    return PB_OK;
}

/* Waits for the thread and takes what it brought that is not a number. */
static enum pb_status
join_asker(struct asker *asker, enum pb_status status, struct pb_answer **refused,
           struct pb_error *error)
{
    if (asker->is_running)
        (void)pthread_join(asker->thread, NULL);
    if (*refused == NULL) {
        *refused = asker->refused;
        asker->refused = NULL;
    }
    pb_answer_free(asker->refused);
    if (status == PB_OK && asker->status != PB_OK)
        status = pb_fail(error, asker->status, "%s", asker->error.message);
    return status;
}

enum pb_status
pb_cli_bench_ask(const struct pb_env *env, struct pb_site *site, const struct pb_inquiry *inquiry,
                 const struct pb_cli_lines *plates, unsigned threads, double seconds,
                 struct pb_cli_interrupt *interrupt, struct pb_cli_ask_result *ret_result,
                 struct pb_answer **ret_refused, struct pb_error *error)
{
    _Atomic bool must_stop = false;
    const struct asker like = {
        .env = env,
        .site = site,
        .inquiry = inquiry,
        .plates = plates,
        .must_stop = &must_stop,
    };
    struct pb_cli_ask_result result = { 0 };
    struct asker *askers = pb_calloc(env, threads, sizeof(*askers));
    int64_t started_ns = pb_monotonic_ns(env);
    enum pb_status status;

    *ret_refused = NULL;
    if (askers == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %u threads", threads);
    status = start_askers(askers, threads, &like, error);
    while (status == PB_OK && (double)(pb_monotonic_ns(env) - started_ns) < seconds * 1e9 &&
           !atomic_load_explicit(&must_stop, memory_order_relaxed) &&
           !pb_cli_interrupt_look(interrupt))
        pb_cli_pause_us(LOOK_US);
    atomic_store_explicit(&must_stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < threads; i++)
        status = join_asker(&askers[i], status, ret_refused, error);
    result.seconds = (double)(pb_monotonic_ns(env) - started_ns) / 1e9;
    result.was_allowed = *ret_refused == NULL;
    if (status == PB_OK)
        status = sum_up(env, askers, threads, &result, error);
    if (status == PB_OK)
        *ret_result = result;
    for (unsigned i = 0; i < threads; i++)
        pb_free(env, askers[i].samples_ns);
    pb_free(env, askers);
    return status;
}
