/*
 * How fast a read store answers, without anything in front of it: for comparing it with others.
 *
 * usage: bench_questions STORE PLATES PLACES LIKE EDIT
 *
 * STORE is a directory of reads (DIR/reads of a site), PLATES a file of one plate a line, PLACES
 * one of lines "lat lon from_ms to_ms", LIKE a pattern and EDIT a plate. Prints one JSON object.
 * Every figure has beside it how many rows it brought, so that two stores with the same reads can
 * be seen to have given the same answers.
 *
 * Not a command, and not installed: who uses Platebase asks through src/inquiry.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "cli/bench_append.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/version.h"
#include "geo/geo.h"

#define PLACE_RADIUS_M 1000.0
#define PLACE_READS 100u
#define SCAN_RUNS 5u
#define LIST_BYTES_MAX (UINT64_C(1) << 30)

/* One kind of question, asked many times. */
struct timing {
    int64_t *ns; /* owned; sorted when finished */
    size_t count, capacity;
    uint64_t rows;
};

struct place {
    int32_t lat_e7, lon_e7;
    int64_t from_us, to_us;
};

struct bench {
    const struct pb_env *env;
    struct pb_store *store;
    const char *plates, *places, *like, *edit;
    struct pb_store_stats stats;
    int64_t open_ns;
    struct timing history, like_scan, edit_scan, place;
};

/* ---- timing ---- */

static enum pb_status
timing_init(const struct pb_env *env, struct timing *timing, size_t capacity)
{
    timing->ns = pb_calloc(env, capacity, sizeof(*timing->ns));
    timing->capacity = capacity;
    return timing->ns == NULL && capacity > 0 ? PB_E_NOMEM : PB_OK;
}

static void
timing_add(struct timing *timing, int64_t ns)
{
    if (timing->count < timing->capacity)
        timing->ns[timing->count++] = ns;
}

static double
timing_us(const struct timing *timing, double share)
{
    return (double)pb_cli_quantile_ns(timing->ns, timing->count, share) / 1e3;
}

/* ---- places ---- */

/* "lat lon from_ms to_ms" */
static bool
parse_place(char *line, struct place *ret_place)
{
    char *words[4];
    uint64_t from_ms, to_ms;

    for (unsigned i = 0; i < 4; i++) {
        words[i] = line + strspn(line, " \t");
        line = words[i] + strcspn(words[i], " \t");
        if (line == words[i])
            return false;
        if (*line != '\0')
            *line++ = '\0';
    }
    if (line[strspn(line, " \t")] != '\0' || !pb_cli_degrees(words[0], 90, &ret_place->lat_e7) ||
        !pb_cli_degrees(words[1], 180, &ret_place->lon_e7) || !pb_cli_number(words[2], &from_ms) ||
        !pb_cli_number(words[3], &to_ms) || to_ms > (uint64_t)PB_TIME_MAX_US / 1000 ||
        from_ms >= to_ms)
        return false;
    ret_place->from_us = (int64_t)from_ms * 1000;
    ret_place->to_us = (int64_t)to_ms * 1000;
    return true;
}

/* ---- questions ---- */

/* Walks a cursor to its end or to `most` rows (0: all). */
static enum pb_status
ask(struct pb_store *store, const struct pb_query *query, uint64_t most, uint64_t *rows,
    struct pb_error *error)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint64_t count = 0;
    enum pb_status status;

    status = pb_store_search(store, query, &cursor, error);
    while (status == PB_OK && (most == 0 || count < most)) {
        status = pb_cursor_next(cursor, &result, error);
        count += status == PB_OK;
    }
    pb_cursor_free(cursor);
    *rows += count;
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
measure_history(struct bench *bench, struct pb_error *error)
{
    const struct pb_env *env = bench->env;
    struct pb_cli_lines lines = { 0 };
    enum pb_status status = pb_cli_load_lines(env, bench->plates, LIST_BYTES_MAX, &lines, error);

    if (status == PB_OK)
        status = timing_init(env, &bench->history, lines.count);
    for (size_t i = 0; i < lines.count && status == PB_OK; i++) {
        const struct pb_query query = {
            .plate = pb_str_from(lines.items[i]),
            .from_us = PB_TIME_MIN_US,
            .to_us = PB_TIME_MAX_US,
        };
        int64_t started_ns;

        started_ns = pb_monotonic_ns(env);
        status = ask(bench->store, &query, 0, &bench->history.rows, error);
        timing_add(&bench->history, pb_monotonic_ns(env) - started_ns);
    }
    pb_cli_lines_done(env, &lines);
    pb_cli_sort_ns(bench->history.ns, bench->history.count);
    return status;
}

static enum pb_status
measure_places(struct bench *bench, struct pb_error *error)
{
    const struct pb_env *env = bench->env;
    struct pb_cli_lines lines = { 0 };
    enum pb_status status = pb_cli_load_lines(env, bench->places, LIST_BYTES_MAX, &lines, error);

    if (status == PB_OK)
        status = timing_init(env, &bench->place, lines.count);
    for (size_t i = 0; i < lines.count && status == PB_OK; i++) {
        struct pb_geo_area *area = NULL;
        struct pb_query query = { .edits = 0 };
        struct place place;
        int64_t started_ns;

        if (!parse_place(lines.items[i], &place)) {
            status = pb_fail(error, PB_BAD_INPUT,
                             "'%s': line %zu is not \"lat lon from_ms "
                             "to_ms\"",
                             bench->places, i + 1);
            break;
        }
        started_ns = pb_monotonic_ns(env);
        status =
            pb_geo_area_from_circle(env, place.lat_e7, place.lon_e7, PLACE_RADIUS_M, &area, error);
        query.area = area;
        query.from_us = place.from_us;
        query.to_us = place.to_us;
        if (status == PB_OK)
            status = ask(bench->store, &query, PLACE_READS, &bench->place.rows, error);
        pb_geo_area_free(env, area);
        timing_add(&bench->place, pb_monotonic_ns(env) - started_ns);
    }
    pb_cli_lines_done(env, &lines);
    pb_cli_sort_ns(bench->place.ns, bench->place.count);
    return status;
}

static bool
count_plate(void *context, const struct pb_plate_count *plate)
{
    uint64_t *count = context;

    (void)plate;
    (*count)++;
    return true;
}

/* A scan of the distinct plates, several times. */
static enum pb_status
measure_scan(struct bench *bench, struct timing *timing, const char *pattern, unsigned edits,
             bool with_lookalikes, struct pb_error *error)
{
    const struct pb_env *env = bench->env;
    enum pb_status status = timing_init(env, timing, SCAN_RUNS);

    for (unsigned i = 0; i < SCAN_RUNS && status == PB_OK; i++) {
        int64_t started_ns = pb_monotonic_ns(env);

        timing->rows = 0;
        status = pb_store_plates(bench->store, pb_str_from(pattern), edits, with_lookalikes, 0,
                                 count_plate, NULL, &timing->rows, error);
        timing_add(timing, pb_monotonic_ns(env) - started_ns);
    }
    pb_cli_sort_ns(timing->ns, timing->count);
    return status;
}

static double
peak_rss_mb(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)usage.ru_maxrss / 1024;
}

static void
put_history(const struct timing *history)
{
    printf(",\"history_queries\":%zu,\"history_rows\":%" PRIu64
           ",\"history_p50_us\":%.1f,\"history_p99_us\":%.1f,\"history_max_us\":%.1f",
           history->count, history->rows, timing_us(history, 0.5), timing_us(history, 0.99),
           timing_us(history, 1));
}

static void
put_places(const struct timing *place)
{
    printf(",\"place_queries\":%zu,\"place_rows\":%" PRIu64
           ",\"place_ms\":%.3f,\"place_p50_ms\":%.3f,\"place_p99_ms\":%.3f",
           place->count, place->rows, timing_us(place, 0.5) / 1e3, timing_us(place, 0.5) / 1e3,
           timing_us(place, 0.99) / 1e3);
}

static void
put_scan(const char *name, const struct timing *scan)
{
    printf(",\"%s_plates\":%" PRIu64 ",\"%s_ms\":%.3f", name, scan->rows, name,
           timing_us(scan, 0.5) / 1e3);
}

static void
put_answer(const struct bench *bench)
{
    const struct pb_store_stats *stats = &bench->stats;

    printf("{\"engine\":\"platebase\",\"version\":\"" PB_VERSION "\"");
    printf(",\"reads\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bytes_per_read\":%.3f", stats->reads,
           stats->bytes, stats->reads > 0 ? (double)stats->bytes / (double)stats->reads : 0);
    printf(",\"segments\":%" PRIu64 ",\"open_ms\":%.1f", stats->segments,
           (double)bench->open_ns / 1e6);
    put_history(&bench->history);
    put_scan("like", &bench->like_scan);
    put_scan("edit", &bench->edit_scan);
    put_places(&bench->place);
    printf(",\"peak_rss_mb\":%.1f}\n", peak_rss_mb());
}

static enum pb_status
measure(struct bench *bench, struct pb_error *error)
{
    enum pb_status status = pb_store_stats(bench->store, &bench->stats, error);

    if (status == PB_OK)
        status = measure_history(bench, error);
    if (status == PB_OK)
        status = measure_scan(bench, &bench->like_scan, bench->like, 0, false, error);
    if (status == PB_OK)
        status = measure_scan(bench, &bench->edit_scan, bench->edit, 2, true, error);
    if (status == PB_OK)
        status = measure_places(bench, error);
    return status;
}

int
main(int argc, char **argv)
{
    const struct pb_store_options options = { .is_read_only = true };
    struct bench bench = { .env = pb_env_system() };
    struct pb_error error = { "" };
    enum pb_status status;

    if (argc != 6) {
        fprintf(stderr, "usage: bench_questions STORE PLATES PLACES LIKE EDIT\n");
        return PB_CLI_EXIT_USAGE;
    }
    bench.plates = argv[2];
    bench.places = argv[3];
    bench.like = argv[4];
    bench.edit = argv[5];
    bench.open_ns = -pb_monotonic_ns(bench.env);
    status = pb_store_open(bench.env, argv[1], &options, &bench.store, &error);
    bench.open_ns += pb_monotonic_ns(bench.env);
    if (status == PB_OK)
        status = measure(&bench, &error);
    if (status == PB_OK)
        put_answer(&bench);
    else
        fprintf(stderr, "bench_questions: %s: %s\n", pb_status_name(status), error.message);

    pb_free(bench.env, bench.history.ns);
    pb_free(bench.env, bench.like_scan.ns);
    pb_free(bench.env, bench.edit_scan.ns);
    pb_free(bench.env, bench.place.ns);
    pb_store_close(bench.store);
    return status == PB_OK ? PB_CLI_EXIT_OK : PB_CLI_EXIT_FAILURE;
}
