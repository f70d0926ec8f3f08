/*
 * Measuring appends.
 */
#include "cli/bench_append.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/text.h"

#define SAMPLES_PER_WRITER 65536u
#define LOOK_US 20000 /* how often the main thread looks at the clock */

struct writer {
    const struct pb_env *env;
    struct pb_store *store;
    const _Atomic bool *must_stop;
    unsigned number;
    pthread_t thread;
    bool is_running;
    uint64_t acked;
    int64_t *samples_ns; /* owned: the newest SAMPLES_PER_WRITER durations */
    enum pb_status status;
    struct pb_error error;
};

void
pb_cli_pause_us(int64_t us)
{
    const struct timespec pause = {
        .tv_sec = (time_t)(us / 1000000),
        .tv_nsec = (long)(us % 1000000) * 1000,
    };

    (void)nanosleep(&pause, NULL);
}

static int
compare_ns(const void *a, const void *b)
{
    int64_t first, second;

    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    return (first > second) - (first < second);
}

void
pb_cli_sort_ns(int64_t *ns, size_t count)
{
    if (count > 1)
        qsort(ns, count, sizeof(*ns), compare_ns);
}

int64_t
pb_cli_quantile_ns(const int64_t *sorted_ns, size_t count, double share)
{
    size_t index;

    if (count == 0)
        return 0;
    index = (size_t)(share * (double)count);
    return sorted_ns[index < count ? index : count - 1];
}

/* A read that no other append makes. */
static void
make_read(const struct writer *writer, struct pb_read *read, char plate[8], char event_id[32])
{
    static const char reader[] = "bench-reader";
    uint64_t number = writer->acked * 1000 + writer->number;

    pb_read_init(read);
    (void)snprintf(plate, 8, "B%06u", (unsigned)(number % 1000000));
    (void)snprintf(event_id, 32, "%u-%llu", writer->number, (unsigned long long)writer->acked);
    read->plate = pb_str_from(plate);
    read->reader = pb_str_from(reader);
    read->event_id = pb_str_from(event_id);
    read->captured_at_us = pb_now_us(writer->env);
    read->lat_e7 = 377749000 + (int32_t)(number % 100000);
    read->lon_e7 = -1224194000 - (int32_t)(number % 100000);
    read->confidence_scale = PB_SCALE_PERCENT;
    read->confidence_e6 = 91000000;
}

static void *
run_writer(void *context)
{
    struct writer *writer = context;

    while (!atomic_load_explicit(writer->must_stop, memory_order_relaxed)) {
        char plate[8], event_id[32];
        enum pb_status outcome = PB_OK;
        struct pb_read read;
        int64_t started_ns;

        make_read(writer, &read, plate, event_id);
        started_ns = pb_monotonic_ns(writer->env);
        writer->status = pb_store_append(writer->store, &read, 1, &outcome, &writer->error);
        if (writer->status == PB_OK && outcome != PB_OK)
            writer->status = pb_fail(&writer->error, outcome, "an append was answered: %s",
                                     pb_status_name(outcome));
        if (writer->status != PB_OK)
            return NULL;
        writer->samples_ns[writer->acked % SAMPLES_PER_WRITER] =
            pb_monotonic_ns(writer->env) - started_ns;
        writer->acked++;
    }
    return NULL;
}

/* ---- the scratch store ---- */

struct remover {
    const struct pb_env *env;
    const char *directory;
    unsigned depth;
};

static void remove_tree(const struct pb_env *env, const char *directory, unsigned depth);

static bool
remove_entry(void *context, const char *name, bool is_directory)
{
    struct remover *remover = context;
    char path[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", remover->directory, name);

    if (length < 0 || (size_t)length >= sizeof(path))
        return true;
    if (is_directory && remover->depth > 0)
        remove_tree(remover->env, path, remover->depth - 1);
    else
        (void)remover->env->files->unlink(remover->env->file_context, path, NULL);
    return true;
}

/* What cannot be removed stays; it is only a scratch store. */
static void
remove_tree(const struct pb_env *env, const char *directory, unsigned depth)
{
    struct remover remover = { .env = env, .directory = directory, .depth = depth };

    (void)env->files->list(env->file_context, directory, remove_entry, &remover, NULL);
    (void)env->files->rmdir(env->file_context, directory, NULL);
}

/* ---- */

static enum pb_status
start_writers(struct writer *writers, unsigned count, const struct pb_env *env,
              struct pb_store *store, const _Atomic bool *must_stop, struct pb_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        writers[i].env = env;
        writers[i].store = store;
        writers[i].must_stop = must_stop;
        writers[i].number = i;
        writers[i].samples_ns = pb_calloc(env, SAMPLES_PER_WRITER, sizeof(*writers[i].samples_ns));
        if (writers[i].samples_ns == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for %u writers", count);
        writers[i].is_running =
            pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]) == 0;
        if (!writers[i].is_running)
            return pb_fail(error, PB_E_NOMEM, "the system gives no %u threads", count);
    }
    return PB_OK;
}

static enum pb_status
sum_up(const struct pb_env *env, const struct writer *writers, unsigned count,
       struct pb_cli_append_result *result, struct pb_error *error)
{
    size_t used = 0;
    int64_t *all;

    all = pb_calloc(env, (size_t)count * SAMPLES_PER_WRITER, sizeof(*all));
    if (all == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the durations");
    for (unsigned i = 0; i < count; i++) {
        size_t samples =
            writers[i].acked < SAMPLES_PER_WRITER ? (size_t)writers[i].acked : SAMPLES_PER_WRITER;

        memcpy(all + used, writers[i].samples_ns, samples * sizeof(*all));
        used += samples;
        result->acked += writers[i].acked;
    }
    pb_cli_sort_ns(all, used);
    result->p50_us = (double)pb_cli_quantile_ns(all, used, 0.5) / 1e3;
    result->p99_us = (double)pb_cli_quantile_ns(all, used, 0.99) / 1e3;
    result->max_us = (double)pb_cli_quantile_ns(all, used, 1) / 1e3;
    pb_free(env, all);
    return PB_OK;
}

enum pb_status
pb_cli_bench_append(const struct pb_env *env, const char *scratch, unsigned writer_count,
                    double seconds, struct pb_cli_interrupt *interrupt,
                    struct pb_cli_append_result *ret_result, struct pb_error *error)
{
    struct pb_cli_append_result result = { 0 };
    struct pb_store *store = NULL;
    struct writer *writers = NULL;
    _Atomic bool must_stop = false;
    int64_t started_ns, elapsed_ns = 0;
    enum pb_status status;

    status = pb_store_create(env, scratch, error);
    if (status != PB_OK)
        return status; /* whatever is there is not ours to remove */
    status = pb_store_open(env, scratch, NULL, &store, error);
    if (status != PB_OK)
        goto out;
    writers = pb_calloc(env, writer_count, sizeof(*writers));
    if (writers == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for %u writers", writer_count);
        goto out;
    }
    started_ns = pb_monotonic_ns(env);
    status = start_writers(writers, writer_count, env, store, &must_stop, error);
    while (status == PB_OK && (double)elapsed_ns < seconds * 1e9 &&
           !pb_cli_interrupt_look(interrupt)) {
        pb_cli_pause_us(LOOK_US);
        elapsed_ns = pb_monotonic_ns(env) - started_ns;
    }
    atomic_store_explicit(&must_stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < writer_count; i++) {
        if (writers[i].is_running)
            (void)pthread_join(writers[i].thread, NULL);
        if (status == PB_OK && writers[i].status != PB_OK)
            status = pb_fail(error, writers[i].status, "%s", writers[i].error.message);
    }
    result.seconds = (double)(pb_monotonic_ns(env) - started_ns) / 1e9;
    if (status == PB_OK)
        status = sum_up(env, writers, writer_count, &result, error);
    if (status == PB_OK)
        *ret_result = result;

out:
    for (unsigned i = 0; writers != NULL && i < writer_count; i++)
        pb_free(env, writers[i].samples_ns);
    pb_free(env, writers);
    pb_store_close(store);
    remove_tree(env, scratch, 4);
    return status;
}
