/*
 * Audit appends: what an inquiry costs in leaves. Each of N threads appends a query leaf, then a
 * result leaf, each synced, as fast as it can, or RATE pairs a second in all. Prints pairs a second
 * and how long a pair took.
 *
 * usage: audit_append DIRECTORY [THREADS [SECONDS [RATE]]]
 *
 * DIRECTORY must not exist; it is made, and left behind.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/env.h"
#include "base/text.h"

#define THREADS_MAX 1024u
#define SAMPLES_MAX 2000000u
#define KEEP_US (INT64_C(86400000000) * 365)

struct run {
    const struct pb_env *env;
    struct pb_audit *audit;
    int64_t end_ns;
    int64_t interval_ns; /* between two pairs of one thread; 0: none */
    _Atomic uint32_t sample_count;
    uint32_t *samples_us; /* owned: SAMPLES_MAX */
    _Atomic bool has_failed;
};

static bool
append(struct run *run, const char *event, const struct pb_audit_field *fields, uint32_t count,
       const struct pb_audit_secret *secrets, uint32_t secret_count)
{
    struct pb_audit_leaf leaf = { .log = "a42",
                                  .event = event,
                                  .fields = fields,
                                  .field_count = count,
                                  .secrets = secrets,
                                  .secret_count = secret_count,
                                  .keep_openings_us = KEEP_US };
    struct pb_error error = { .message = "" };
    uint64_t index = 0;

    if (pb_audit_append(run->audit, &leaf, 1, &index, &error) == PB_OK)
        return true;
    fprintf(stderr, "audit_append: %s\n", error.message);
    atomic_store(&run->has_failed, true);
    return false;
}

static bool
append_pair(struct run *run, int64_t number)
{
    static const uint8_t digest[32] = { 1 };
    const struct pb_audit_field query[] = {
        { .name = "agency", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from("a42") },
        { .name = "purpose", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from("stolen-vehicle") },
        { .name = "kind", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from("plate") },
        { .name = "days", .kind = PB_AUDIT_FIELD_NUMBER, .number = 30 },
        { .name = "policy", .kind = PB_AUDIT_FIELD_HASH, .text = { (const char *)digest, 32 } },
    };
    const struct pb_audit_secret secrets[] = {
        { "plate", pb_str_from("SYN1234") },
        { "person", pb_str_from("p-0001") },
        { "case", pb_str_from("24-00001") },
        { "reason", pb_str_from("stolen, seen twice") },
        { "window", pb_str_from("2026-01-01/2026-02-01") },
        { "client", pb_str_from("bench") },
    };
    const struct pb_audit_field result[] = {
        { .name = "of", .kind = PB_AUDIT_FIELD_NUMBER, .number = number },
        { .name = "n", .kind = PB_AUDIT_FIELD_NUMBER, .number = 3 },
        { .name = "ids", .kind = PB_AUDIT_FIELD_HASH, .text = { (const char *)digest, 32 } },
    };

    return append(run, "query", query, 5, secrets, 6) &&
           append(run, "result", result, 3, secrets, 1);
}

static void *
work(void *context)
{
    struct run *run = context;
    int64_t started_ns = pb_monotonic_ns(run->env);
    int64_t next_ns = started_ns;

    for (int64_t number = 0; started_ns < run->end_ns; number++) {
        int64_t now_ns;
        uint32_t place;

        next_ns += run->interval_ns;
        if (next_ns > started_ns)
            pb_pause_us(run->env, (next_ns - started_ns) / 1000);
        started_ns = pb_monotonic_ns(run->env);

        if (!append_pair(run, number))
            break;
        now_ns = pb_monotonic_ns(run->env);
        place = atomic_fetch_add(&run->sample_count, 1);
        if (place < SAMPLES_MAX)
            run->samples_us[place] = (uint32_t)((now_ns - started_ns) / 1000);
        started_ns = now_ns;
    }
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void
print_figures(struct run *run, unsigned threads, double seconds)
{
    uint32_t count = atomic_load(&run->sample_count);
    static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };

    count = count < SAMPLES_MAX ? count : SAMPLES_MAX;
    qsort(run->samples_us, count, sizeof(run->samples_us[0]), compare);
    printf("%u threads: %.0f pairs/s", threads, count / seconds);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]) && count > 0; i++)
        printf(", p%g %.2f ms", shares[i] * 100,
               run->samples_us[(uint32_t)(shares[i] * (count - 1))] / 1000.0);
    printf(", longest %.2f ms\n", count > 0 ? run->samples_us[count - 1] / 1000.0 : 0.0);
}

static bool
open_audit(struct run *run, const char *directory, struct pb_error *error)
{
    char path[1024], keys[1024];

    (void)snprintf(path, sizeof(path), "%s/audit", directory);
    (void)snprintf(keys, sizeof(keys), "%s/keys", directory);
    return run->env->files->mkdir(run->env->file_context, directory, error) == PB_OK &&
           pb_audit_create(run->env, path, keys, error) == PB_OK &&
           pb_audit_open(run->env, path, keys, NULL, &run->audit, error) == PB_OK &&
           pb_audit_log_add(run->audit, "a42", NULL, error) == PB_OK;
}

int
main(int argc, char **argv)
{
    struct run run = { .env = pb_env_system() };
    struct pb_error error = { .message = "" };
    unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 64;
    unsigned seconds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 10;
    unsigned rate = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
    pthread_t handles[THREADS_MAX];
    int64_t started_ns;

    if (argc < 2 || threads == 0 || threads > THREADS_MAX || seconds == 0) {
        fprintf(stderr, "usage: %s DIRECTORY [THREADS [SECONDS [RATE]]]\n", argv[0]);
        return 2;
    }
    if (rate > 0)
        run.interval_ns = (int64_t)threads * 1000000000 / rate;
    run.samples_us = calloc(SAMPLES_MAX, sizeof(run.samples_us[0]));
    if (run.samples_us == NULL || !open_audit(&run, argv[1], &error)) {
        fprintf(stderr, "audit_append: %s\n", error.message);
        return 1;
    }
    started_ns = pb_monotonic_ns(run.env);
    run.end_ns = started_ns + (int64_t)seconds * 1000000000;
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_create(&handles[i], NULL, work, &run);
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(handles[i], NULL);
    print_figures(&run, threads, (double)(pb_monotonic_ns(run.env) - started_ns) / 1e9);
    started_ns = pb_monotonic_ns(run.env);
    if (pb_audit_close(run.audit, &error) != PB_OK) {
        fprintf(stderr, "audit_append: %s\n", error.message);
        return 1;
    }
    printf("closing: %.1f ms\n", (double)(pb_monotonic_ns(run.env) - started_ns) / 1e6);
    free(run.samples_us);
    return atomic_load(&run.has_failed) ? 1 : 0;
}
