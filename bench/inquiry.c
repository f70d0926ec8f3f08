/*
 * How fast audited inquiries are: policy, query leaf, search, result leaf, each leaf synced.
 *
 * usage: bench_inquiry DIR [READS [DAYS [SECONDS [THREADS [RATE]]]]]
 *
 * DIR is made with so many synthetic reads of one agency if it does not exist (20,000,000 over 365
 * days), then asked by so many threads (64) for so many seconds (10). Prints one JSON object.
 *
 * Without RATE each thread asks again as soon as it was answered: how much can be done. With it
 * so many inquiries are due each second, evenly, whoever is free asks the next one, and its time
 * counts from when it was due: what an asker waits at that load, queue included.
 * Common plates are asked of three places and days, associates over the whole time.
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <platebase/plate.h>

#include "audit/audit.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/inquiry.h"
#include "inquiry/inquiry_private.h"
#include "synth/synth.h"

#define BATCH 4096u
#define PLATES 4096u
#define SAMPLES 40u
#define LATENCIES_MAX 4000000u
#define THREADS_MAX 256u

struct bench {
    const struct pb_env *env;
    const char *path;
    uint64_t reads, days, seconds, threads, rate; /* rate: a second; 0: without a pause */
    _Atomic uint64_t due;                         /* inquiries that somebody has taken on */
    int64_t began_ns;
    int64_t from_us, to_us;
    struct pb_synth *synth;
    struct pb_site *site;
    struct pb_arena arena;
    struct pb_str plates[PLATES];
    uint16_t jurisdictions[PLATES];
    struct pb_error error;
};

static bool
says(struct bench *bench, enum pb_status status, const char *what)
{
    if (status == PB_OK)
        return true;
    fprintf(stderr, "bench_inquiry: %s: %s: %s\n", what, pb_status_name(status),
            bench->error.message);
    return false;
}

/* Whether it was answered; which rules are against it, where they are, goes into error. */
static bool
is_allowed(const struct pb_answer *answer, struct pb_error *error)
{
    const struct pb_decision *decision = pb_answer_decision(answer);
    struct pb_text_out out = pb_text_out(error->message, sizeof(error->message) - 1);

    if (decision->verdict == PB_POLICY_ALLOW)
        return true;
    pb_put_text(&out, pb_policy_verdict_name(decision->verdict));
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        pb_put_text(&out, i == 0 ? ": " : "; ");
        pb_put_str(&out, decision->rules[i].id);
        pb_put_text(&out, ": ");
        pb_put_str(&out, decision->rules[i].text);
    }
    *out.at = '\0';
    return false;
}

/* ---- making the site ---- */

static bool
import_catalog(struct bench *bench)
{
    struct pb_actor operator= { 0 };
    struct pb_catalog_changes changes;
    char now[PB_TIME_BYTES_MAX];
    char yaml[1024];

    (void)pb_time_format(pb_now_us(bench->env), 0, now);
    (void)snprintf(yaml, sizeof(yaml),
                   "agencies:\n  - { id: bench, name: Bench, class: local, jurisdiction: US-KS,"
                   " contributes: yes, reviewed_at: \"%s\" }\n"
                   "people:\n  - { id: asker, agency: bench, name: Asker, role: investigator,"
                   " status: active, training_valid_until: 2099-01-01,"
                   " permissions: \"pattern,place,common,associates\" }\n"
                   "offences:\n  - { id: burglary, title: Burglary, jurisdiction: US-KS,"
                   " class: felony, limitation_years: 5 }\n"
                   "cases:\n  - { id: \"bench:26-00001\", offence: burglary, verified: yes }\n",
                   now);
    return says(bench,
                pb_site_import_yaml(bench->site, &operator, yaml, strlen(yaml), &changes,
                                    &bench->error),
                "catalog");
}

struct filler {
    struct bench *bench;
    struct pb_lane *lane;
    uint64_t first, end;
    int64_t stamp_ns;
    bool is_fine;
};

static void *
fill(void *context)
{
    struct filler *filler = context;
    struct bench *bench = filler->bench;
    struct pb_read *reads = malloc(BATCH * sizeof(*reads));
    struct pb_stamper *stamper = NULL;
    struct pb_arena arena;
    struct pb_error error = { "" };
    uint16_t kansas = pb_jurisdiction_from_text(pb_str_from("US-KS"));
    enum pb_status status = pb_stamper_new(bench->site, "bench", kansas, &stamper, &error);

    pb_arena_init(&arena, bench->env, 1u << 20);
    for (uint64_t at = filler->first; at < filler->end && status == PB_OK; at += BATCH) {
        uint64_t count = filler->end - at < BATCH ? filler->end - at : BATCH;
        uint64_t kept = 0;
        int64_t started_ns = 0;

        pb_arena_reset(&arena);
        status = pb_synth_fill(bench->synth, at, count, reads, &arena);
        started_ns = pb_monotonic_ns(bench->env);
        for (uint64_t i = 0; i < count && status == PB_OK; i++) {
            const char *reason = NULL;
            enum pb_status stamped = pb_stamper_stamp(stamper, &reads[i], &reason, &error);

            if (stamped == PB_OK)
                reads[kept++] = reads[i];
            else if (stamped < 0)
                status = stamped;
        }
        filler->stamp_ns += pb_monotonic_ns(bench->env) - started_ns;
        if (status == PB_OK)
            status = pb_lane_add(filler->lane, reads, (size_t)kept, &error);
    }
    if (status == PB_OK)
        status = pb_stamper_flush(stamper, &error);
    if (status == PB_OK)
        status = pb_lane_finish(filler->lane, &error);
    filler->is_fine = status == PB_OK;
    if (!filler->is_fine)
        fprintf(stderr, "bench_inquiry: fill: %s: %s\n", pb_status_name(status), error.message);
    pb_stamper_free(stamper);
    pb_arena_clear(&arena);
    free(reads);
    return NULL;
}

static bool
fill_all(struct bench *bench)
{
    struct filler fillers[2];
    pthread_t threads[2];
    struct pb_loader *loader = NULL;
    bool is_fine = true;

    if (!says(bench,
              pb_loader_new(pb_site_store(bench->site), 2, NULL, NULL, &loader, &bench->error),
              "loader"))
        return false;
    for (unsigned i = 0; i < 2; i++) {
        fillers[i] = (struct filler){ .bench = bench,
                                      .lane = pb_loader_lane(loader, i),
                                      .first = bench->reads * i / 2,
                                      .end = bench->reads * (i + 1) / 2 };
        (void)pthread_create(&threads[i], NULL, fill, &fillers[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        is_fine = is_fine && fillers[i].is_fine;
    }
    fprintf(stderr, "stamping: %.1f ns a read\n",
            (double)(fillers[0].stamp_ns + fillers[1].stamp_ns) / (double)bench->reads);
    pb_loader_free(loader);
    return is_fine &&
           says(bench, pb_store_merge(pb_site_store(bench->site), false, NULL, &bench->error),
                "merge");
}

static bool
open_site(struct bench *bench, enum pb_site_mode mode)
{
    struct pb_site_options options = { .mode = mode };

    return says(bench, pb_site_open(bench->env, bench->path, &options, &bench->site, &bench->error),
                "open");
}

static bool
note_any(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    *(bool *)context = true;
    return false;
}

static bool
make_site(struct bench *bench)
{
    bool is_there = false;

    if (bench->env->files->list(bench->env->file_context, bench->path, note_any, &is_there, NULL) ==
            PB_OK &&
        is_there)
        return true;
    return says(bench, pb_site_create(bench->env, bench->path, &bench->error), "create") &&
           open_site(bench, PB_SITE_WRITE) && import_catalog(bench) && fill_all(bench) &&
           says(bench, pb_site_close(bench->site, &bench->error), "close");
}

/* ---- asking ---- */

static struct pb_inquiry
inquiry_of(const struct bench *bench, enum pb_inquiry_kind kind, uint32_t plate)
{
    return (struct pb_inquiry){
        .person = pb_str_from("asker"),
        .purpose = pb_str_from("criminal-investigation"),
        .offence = pb_str_from("burglary"),
        .case_number = pb_str_from("26-00001"),
        .justification = pb_str_from("Burglary series on Elm Street, vehicle seen by a witness"),
        .relation = PB_RELATION_SUBJECT,
        .has_stepped_up = true,
        .client = pb_str_from("bench"),
        .kind = kind,
        .query = { .plate = bench->plates[plate % PLATES],
                   .jurisdiction = bench->jurisdictions[plate % PLATES],
                   .from_us = bench->from_us,
                   .to_us = bench->to_us },
        .is_jurisdiction_unknown = bench->jurisdictions[plate % PLATES] == 0,
    };
}

struct asker {
    struct bench *bench;
    uint32_t number;
    int64_t end_ns;
    int64_t *latencies_ns; /* owned */
    uint64_t count, room, rows;
    bool is_fine;
    struct pb_error error;
};

/* When the next inquiry begins to count: now, or when it is due, which is waited for. */
static int64_t
wait_for_next(struct bench *bench)
{
    uint64_t number;
    int64_t due_ns, now_ns = pb_monotonic_ns(bench->env);
    struct timespec until;

    if (bench->rate == 0)
        return now_ns;
    number = atomic_fetch_add(&bench->due, 1);
    due_ns = bench->began_ns + (int64_t)(number * 1000000000 / bench->rate);
    until = (struct timespec){ .tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000 };
    if (now_ns < due_ns)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    return due_ns;
}

static void *
ask_on(void *context)
{
    struct asker *asker = context;
    struct bench *bench = asker->bench;
    uint32_t plate = asker->number * 61;

    asker->is_fine = true;
    while (pb_monotonic_ns(bench->env) < asker->end_ns && asker->is_fine &&
           asker->count < asker->room) {
        struct pb_inquiry inquiry = inquiry_of(bench, PB_INQUIRY_PLATE, plate++);
        struct pb_answer *answer = NULL;
        int64_t started_ns = wait_for_next(bench);
        enum pb_status status = pb_inquiry_ask(bench->site, &inquiry, &answer, &asker->error);

        asker->latencies_ns[asker->count++] = pb_monotonic_ns(bench->env) - started_ns;
        asker->is_fine = status == PB_OK && is_allowed(answer, &asker->error);
        asker->rows += status == PB_OK ? pb_answer_rows(answer) : 0;
        pb_answer_free(answer);
    }
    return NULL;
}

static int
compare_ns(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static double
quantile_ms(int64_t *ns, uint64_t count, double share)
{
    if (count == 0)
        return 0.0;
    qsort(ns, (size_t)count, sizeof(*ns), compare_ns);
    return (double)ns[(uint64_t)(share * (double)(count - 1))] / 1e6;
}

static bool
bench_rate(struct bench *bench)
{
    struct asker *askers = calloc(bench->threads, sizeof(*askers));
    int64_t *all = calloc(LATENCIES_MAX, sizeof(*all));
    pthread_t threads[THREADS_MAX];
    int64_t started_ns = pb_monotonic_ns(bench->env);
    uint64_t count = 0;
    uint64_t rows = 0;
    double spent_s = 0.0;
    bool is_fine = askers != NULL && all != NULL, is_refused = false;

    bench->began_ns = started_ns;
    for (uint32_t i = 0; i < bench->threads && is_fine; i++) {
        askers[i] = (struct asker){ .bench = bench,
                                    .number = i,
                                    .end_ns = started_ns + (int64_t)bench->seconds * 1000000000,
                                    .room = LATENCIES_MAX / bench->threads };
        askers[i].latencies_ns = calloc(askers[i].room, sizeof(int64_t));
        (void)pthread_create(&threads[i], NULL, ask_on, &askers[i]);
    }
    for (uint32_t i = 0; i < bench->threads && is_fine; i++)
        (void)pthread_join(threads[i], NULL);
    spent_s = (double)(pb_monotonic_ns(bench->env) - started_ns) / 1e9;
    for (uint32_t i = 0; is_fine && i < bench->threads; i++) {
        memcpy(all + count, askers[i].latencies_ns, askers[i].count * sizeof(int64_t));
        count += askers[i].count;
        rows += askers[i].rows;
        /* All ask alike: what one was told stands for the others. */
        if (!askers[i].is_fine && !is_refused) {
            fprintf(stderr, "bench_inquiry: asking: %s\n", askers[i].error.message);
            is_refused = true;
        }
        free(askers[i].latencies_ns);
    }
    if (!is_fine || is_refused) {
        free(all);
        free(askers);
        return false;
    }
    if (bench->rate > 0)
        printf("\"rate\":%" PRIu64 ",", bench->rate);
    printf("\"threads\":%" PRIu64 ",\"inquiries\":%" PRIu64 ",\"rows\":%" PRIu64
           ",\"inquiries_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f",
           bench->threads, count, rows, (double)count / spent_s, quantile_ms(all, count, 0.5),
           quantile_ms(all, count, 0.99));
    free(all);
    free(askers);
    return true;
}

/* The decision alone, on the same facts. */
static bool
bench_policy(struct bench *bench)
{
    enum { RUNS = 20000 };
    const struct pb_catalog_view *view = NULL;
    struct pb_rules *rules = pb_site_rules(bench->site);
    struct pb_inquiry inquiry = inquiry_of(bench, PB_INQUIRY_PLATE, 0);
    struct pb_policy_request request = {
        .kind = PB_INQUIRY_PLATE,
        .person = inquiry.person,
        .purpose = inquiry.purpose,
        .offence = inquiry.offence,
        .case_number = inquiry.case_number,
        .justification = inquiry.justification,
        .relation = inquiry.relation,
        .plate = inquiry.query.plate,
        .known_characters = 7,
        .is_plate_exact = true,
        .jurisdiction = inquiry.query.jurisdiction,
        .is_jurisdiction_unknown = inquiry.is_jurisdiction_unknown,
        .from_us = inquiry.query.from_us,
        .to_us = inquiry.query.to_us,
        .has_stepped_up = true,
        .found_count = PB_COUNT_UNKNOWN,
    };
    struct pb_arena arena;
    int64_t started_ns = 0;
    bool is_fine =
        says(bench, pb_catalog_view_take(pb_site_catalog(bench->site), &view, &bench->error),
             "view");

    pb_arena_init(&arena, bench->env, 65536);
    started_ns = pb_monotonic_ns(bench->env);
    for (int i = 0; i < RUNS && is_fine; i++) {
        struct pb_decision decision;

        pb_arena_reset(&arena);
        is_fine = pb_policy_decide(rules, view, &request, pb_now_us(bench->env), &arena,
                                   &decision) == PB_OK &&
                  decision.verdict == PB_POLICY_ALLOW;
    }
    printf(",\"policy_us\":%.2f",
           (double)(pb_monotonic_ns(bench->env) - started_ns) / 1e3 / (double)RUNS);
    pb_arena_clear(&arena);
    pb_catalog_view_drop(view);
    pb_rules_unref(rules);
    return is_fine;
}

/* Stamping reads of readers that are known, in the order in which they come. */
static bool
bench_stamp(struct bench *bench)
{
    enum { RUNS = 500, READS = BATCH };
    struct pb_read *reads = calloc(READS, sizeof(*reads));
    struct pb_stamper *stamper = NULL;
    struct pb_arena arena;
    int64_t spent_ns = 0;
    bool is_fine =
        reads != NULL &&
        says(bench, pb_stamper_new(bench->site, "bench", 0, &stamper, &bench->error), "stamper");

    pb_arena_init(&arena, bench->env, 1u << 20);
    is_fine = is_fine && bench->reads >= READS &&
              pb_synth_fill(bench->synth, 0, READS, reads, &arena) == PB_OK;
    for (int i = 0; i < RUNS && is_fine; i++) {
        int64_t started_ns = pb_monotonic_ns(bench->env);

        for (uint32_t j = 0; j < READS && is_fine; j++) {
            const char *reason = NULL;

            is_fine = pb_stamper_stamp(stamper, &reads[j], &reason, &bench->error) >= 0;
        }
        /* The first run meets each reader for the first time. */
        spent_ns += i == 0 ? 0 : pb_monotonic_ns(bench->env) - started_ns;
    }
    printf(",\"stamp_ns\":%.1f", (double)spent_ns / ((RUNS - 1) * (double)READS));
    pb_stamper_free(stamper);
    pb_arena_clear(&arena);
    free(reads);
    return is_fine;
}

/* ---- common plates and associates ---- */

/* What this thread has worked, whatever else the machine does. */
static int64_t
worked_ns(void)
{
    struct timespec now = { 0, 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool
time_one(struct bench *bench, const struct pb_inquiry *inquiry, int64_t *ret_ns,
         int64_t *most_worked_ns, uint64_t *ret_rows)
{
    struct pb_answer *answer = NULL;
    int64_t started_ns = pb_monotonic_ns(bench->env);
    int64_t worked = worked_ns();
    bool is_fine =
        says(bench, pb_inquiry_ask(bench->site, inquiry, &answer, &bench->error), "asking");

    *ret_ns = pb_monotonic_ns(bench->env) - started_ns;
    worked = worked_ns() - worked;
    if (worked > *most_worked_ns)
        *most_worked_ns = worked;
    if (is_fine && !is_allowed(answer, &bench->error)) {
        fprintf(stderr, "bench_inquiry: asking: %s\n", bench->error.message);
        is_fine = false;
    }
    *ret_rows += is_fine ? pb_answer_rows(answer) : 0;
    for (uint64_t i = 0; getenv("PB_SCORES") != NULL && is_fine && i < pb_answer_rows(answer); i++)
        fprintf(stderr, "%.*s together %u expected %.2f score %.2f\n",
                (int)pb_answer_row(answer, i)->plate.bytes, pb_answer_row(answer, i)->plate.text,
                pb_answer_row(answer, i)->together, pb_answer_row(answer, i)->expected,
                pb_answer_row(answer, i)->score);
    pb_answer_free(answer);
    return is_fine;
}

static void
print_times(const char *name, int64_t *ns, uint64_t count, int64_t worked, uint64_t rows)
{
    printf(",\"%s\":{\"rows\":%" PRIu64 ",\"p50_ms\":%.1f,\"max_ms\":%.1f,\"max_cpu_ms\":%.1f}",
           name, rows, quantile_ms(ns, count, 0.5), quantile_ms(ns, count, 1.0),
           (double)worked / 1e6);
}

/* Three places, each around a reader on one day, 1 km wide. */
static bool
bench_common(struct bench *bench)
{
    int64_t ns[SAMPLES];
    int64_t worked = 0;
    uint64_t rows = 0;
    bool is_fine = true;

    for (uint32_t i = 0; i < SAMPLES && is_fine; i++) {
        struct pb_inquiry inquiry = inquiry_of(bench, PB_INQUIRY_COMMON, 0);
        struct pb_geo_area *areas[3] = { NULL };
        struct pb_place places[3];

        inquiry.query.plate = (struct pb_str){ 0 };
        inquiry.query.jurisdiction = 0;
        for (uint32_t j = 0; j < 3; j++) {
            struct pb_synth_reader reader;
            uint32_t count = pb_synth_reader_count(bench->synth);
            int64_t day_us = bench->from_us + (int64_t)(bench->days / 2 + j) * PB_DAY_US;

            pb_synth_reader_at(bench->synth, (i * 7919u + j * 3u) % count, &reader);
            is_fine =
                is_fine && says(bench,
                                pb_geo_area_from_circle(bench->env, reader.lat_e7, reader.lon_e7,
                                                        1000.0, &areas[j], &bench->error),
                                "area");
            places[j] = (struct pb_place){ .area = areas[j],
                                           .area_text = pb_str_from("circle, 1000 m"),
                                           .from_us = day_us,
                                           .to_us = day_us + PB_DAY_US };
        }
        inquiry.places = places;
        inquiry.place_count = 3;
        is_fine = is_fine && time_one(bench, &inquiry, &ns[i], &worked, &rows);
        for (uint32_t j = 0; j < 3; j++)
            pb_geo_area_free(bench->env, areas[j]);
    }
    if (is_fine)
        print_times("common", ns, SAMPLES, worked, rows);
    return is_fine;
}

static bool
bench_associates(struct bench *bench)
{
    int64_t ns[SAMPLES];
    int64_t worked = 0;
    uint64_t rows = 0;
    bool is_fine = true;

    for (uint32_t i = 0; i < SAMPLES && is_fine; i++) {
        struct pb_inquiry inquiry = inquiry_of(bench, PB_INQUIRY_ASSOCIATES, i);

        is_fine = time_one(bench, &inquiry, &ns[i], &worked, &rows);
    }
    if (is_fine)
        print_times("associates", ns, SAMPLES, worked, rows);
    return is_fine;
}

/* ---- all of it ---- */

/* Plates that are in the store, drawn evenly from the feed: often read ones come more often. */
static bool
draw_plates(struct bench *bench)
{
    for (uint32_t i = 0; i < PLATES; i++) {
        struct pb_read read;

        if (pb_synth_fill(bench->synth, bench->reads / PLATES * i, 1, &read, &bench->arena) !=
                PB_OK ||
            pb_arena_copy(&bench->arena, read.plate, &bench->plates[i]) != PB_OK)
            return false;
        bench->jurisdictions[i] = read.jurisdiction;
    }
    return true;
}

static bool
run(struct bench *bench)
{
    struct pb_synth_options options = { .reads = bench->reads,
                                        .days = (uint32_t)bench->days,
                                        .from_us = bench->from_us };

    if (!says(bench, pb_synth_new(bench->env, &options, &bench->synth, &bench->error), "synth") ||
        !draw_plates(bench) || !make_site(bench) || !open_site(bench, PB_SITE_WRITE))
        return false;
    printf("{\"reads\":%" PRIu64 ",\"days\":%" PRIu64 ",", bench->reads, bench->days);
    return bench_rate(bench) && bench_policy(bench) && bench_stamp(bench) && bench_common(bench) &&
           bench_associates(bench);
}

int
main(int argc, char **argv)
{
    struct bench bench = {
        .env = pb_env_system(), .reads = 20000000, .days = 365, .seconds = 10, .threads = 64
    };
    uint64_t *numbers[] = { &bench.reads, &bench.days, &bench.seconds, &bench.threads,
                            &bench.rate };
    bool is_fine = false;

    if (argc < 2 || argc > 7) {
        fprintf(stderr, "usage: bench_inquiry DIR [READS [DAYS [SECONDS [THREADS [RATE]]]]]\n");
        return 2;
    }
    bench.path = argv[1];
    for (int i = 2; i < argc; i++)
        *numbers[i - 2] = strtoull(argv[i], NULL, 10);
    if (bench.threads == 0 || bench.threads > THREADS_MAX || bench.days == 0) {
        fprintf(stderr, "bench_inquiry: 1 to %u threads, 1 day or more\n", THREADS_MAX);
        return 2;
    }
    /* Ends on a whole day, so that the same directory is asked the same again. */
    bench.to_us = INT64_C(1793491200000000); /* 2026-11-01 */
    bench.from_us = bench.to_us - (int64_t)bench.days * PB_DAY_US;
    pb_arena_init(&bench.arena, bench.env, 65536);
    is_fine = run(&bench);
    if (bench.site != NULL)
        is_fine = says(&bench, pb_site_close(bench.site, &bench.error), "close") && is_fine;
    printf("%s\n", is_fine ? "}" : "");
    pb_synth_free(bench.synth);
    pb_arena_clear(&bench.arena);
    return is_fine ? 0 : 1;
}
