/*
 * bench: how fast a store answers and appends.
 *
 * Every figure has beside it how many rows it brought, so that two stores with the same reads can
 * be seen to have given the same answers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/bench_append.h"
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/version.h"
#include "geo/geo.h"

#define PLACE_RADIUS_M 1000.0
#define PLACE_READS 100u
#define SCAN_RUNS 5u
#define LIST_BYTES_MAX (UINT64_C(1) << 30)

struct bench_args {
    const char *data, *plates, *places, *like, *edit, *scratch;
    uint64_t queries; /* 0: as many as the file has */
    uint64_t append_writers;
    double append_seconds;
    bool is_json, is_quiet;
};

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
    struct pb_cli *cli;
    const struct bench_args *args;
    struct pb_cli_job job;
    struct pb_store *store;
    struct pb_store_stats stats;
    struct timing history, like, edit, place;
    struct pb_cli_append_result append;
    bool has_append;
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

/* ---- lists ---- */

/* A file of lines: text with its line ends turned into NULs, and where each line begins. */
struct lines {
    char *text;   /* owned */
    char **items; /* owned: count elements, none empty or a comment */
    size_t count;
};

static void
lines_done(const struct pb_env *env, struct lines *lines)
{
    pb_free(env, lines->items);
    pb_free(env, lines->text);
}

static enum pb_status
load_lines(const struct pb_env *env, const char *path, struct lines *lines, struct pb_error *error)
{
    size_t capacity = 0, bytes = 0;
    enum pb_status status = pb_cli_load(env, path, LIST_BYTES_MAX, &lines->text, &bytes, error);

    if (status != PB_OK)
        return status;
    for (char *at = lines->text; *at != '\0';) {
        size_t length = strcspn(at, "\r\n");
        char *next = at + length + strspn(at + length, "\r\n");

        if (length > 0 && *at != '#') {
            if (lines->count == capacity) {
                size_t larger = capacity == 0 ? 1024 : capacity * 2;
                char **items = pb_realloc(env, lines->items, larger * sizeof(*items));

                if (items == NULL)
                    return pb_fail(error, PB_E_NOMEM, "no memory for '%s'", path);
                lines->items = items;
                capacity = larger;
            }
            lines->items[lines->count++] = at;
        }
        at[length] = '\0';
        at = next;
    }
    if (lines->count == 0)
        return pb_fail(error, PB_BAD_INPUT, "'%s' has no lines", path);
    return PB_OK;
}

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

static bool
must_go_on(struct bench *bench, const char *phase, uint64_t done, uint64_t total)
{
    return bench->job.store_progress.report(bench->job.store_progress.context, phase, done, total);
}

static enum pb_status
measure_history(struct bench *bench, struct pb_error *error)
{
    const struct pb_env *env = bench->cli->env;
    struct lines lines = { 0 };
    enum pb_status status = load_lines(env, bench->args->plates, &lines, error);
    size_t queries = bench->args->queries > 0 ? (size_t)bench->args->queries : lines.count;

    if (status == PB_OK)
        status = timing_init(env, &bench->history, queries);
    for (size_t i = 0; i < queries && status == PB_OK; i++) {
        const struct pb_query query = {
            .plate = pb_str_from(lines.items[i % lines.count]),
            .from_us = PB_TIME_MIN_US,
            .to_us = PB_TIME_MAX_US,
        };
        int64_t started_ns;

        if (i % 256 == 0 && !must_go_on(bench, "history", i, queries))
            break;
        started_ns = pb_monotonic_ns(env);
        status = ask(bench->store, &query, 0, &bench->history.rows, error);
        timing_add(&bench->history, pb_monotonic_ns(env) - started_ns);
    }
    lines_done(env, &lines);
    pb_cli_sort_ns(bench->history.ns, bench->history.count);
    return status;
}

static enum pb_status
measure_places(struct bench *bench, struct pb_error *error)
{
    const struct pb_env *env = bench->cli->env;
    struct lines lines = { 0 };
    enum pb_status status = load_lines(env, bench->args->places, &lines, error);

    if (status == PB_OK)
        status = timing_init(env, &bench->place, lines.count);
    for (size_t i = 0; i < lines.count && status == PB_OK; i++) {
        struct pb_geo_area *area = NULL;
        struct pb_query query = { .edits = 0 };
        struct place place;
        int64_t started_ns;

        if (!parse_place(lines.items[i], &place)) {
            status = pb_fail(error, PB_BAD_INPUT, "'%s': line %zu is not \"lat lon from_ms "
                             "to_ms\"", bench->args->places, i + 1);
            break;
        }
        if (i % 16 == 0 && !must_go_on(bench, "places", i, lines.count))
            break;
        started_ns = pb_monotonic_ns(env);
        status = pb_geo_area_from_circle(env, place.lat_e7, place.lon_e7, PLACE_RADIUS_M, &area,
                                         error);
        query.area = area;
        query.from_us = place.from_us;
        query.to_us = place.to_us;
        if (status == PB_OK)
            status = ask(bench->store, &query, PLACE_READS, &bench->place.rows, error);
        pb_geo_area_free(env, area);
        timing_add(&bench->place, pb_monotonic_ns(env) - started_ns);
    }
    lines_done(env, &lines);
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
    const struct pb_env *env = bench->cli->env;
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

static enum pb_status
measure_append(struct bench *bench, struct pb_error *error)
{
    const struct bench_args *args = bench->args;
    char scratch[PB_PATH_BYTES_MAX];
    int length = args->scratch != NULL
                     ? snprintf(scratch, sizeof(scratch), "%s", args->scratch)
                     : snprintf(scratch, sizeof(scratch), "%s-append", args->data);

    if (length < 0 || (size_t)length >= sizeof(scratch))
        return pb_fail(error, PB_BAD_INPUT, "the path of the scratch store is too long");
    bench->has_append = true;
    return pb_cli_bench_append(bench->cli->env, scratch, (unsigned)args->append_writers,
                               args->append_seconds, &bench->job.interrupt, &bench->append,
                               error);
}

static enum pb_status
measure(struct bench *bench, struct pb_error *error)
{
    const struct bench_args *args = bench->args;
    enum pb_status status = pb_store_stats(bench->store, &bench->stats, error);

    if (status == PB_OK && args->plates != NULL)
        status = measure_history(bench, error);
    if (status == PB_OK && args->like != NULL)
        status = measure_scan(bench, &bench->like, args->like, 0, false, error);
    if (status == PB_OK && args->edit != NULL)
        status = measure_scan(bench, &bench->edit, args->edit, 2, true, error);
    if (status == PB_OK && args->places != NULL)
        status = measure_places(bench, error);
    if (status == PB_OK && args->append_writers > 0)
        status = measure_append(bench, error);
    return status;
}

/* ---- answer ---- */

static double
peak_rss_mb(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)usage.ru_maxrss / 1024;
}

static void
put_figure(const struct bench *bench, const char *key, const char *words, double value,
           int decimals)
{
    if (bench->args->is_json)
        pb_cli_put_format(bench->cli->out, ",\"%s\":%.*f", key, decimals, value);
    else
        pb_cli_put_format(bench->cli->out, "%-46s %14.*f\n", words, decimals, value);
}

static void
put_answer(const struct bench *bench)
{
    const struct pb_store_stats *stats = &bench->stats;
    struct pb_cli_out *out = bench->cli->out;

    if (bench->args->is_json)
        pb_cli_put_text(out, "{\"engine\":\"platebase\",\"version\":\"" PB_VERSION "\"");
    put_figure(bench, "reads", "reads", (double)stats->reads, 0);
    put_figure(bench, "bytes", "bytes on disk", (double)stats->bytes, 0);
    put_figure(bench, "bytes_per_read", "bytes per read",
               stats->reads > 0 ? (double)stats->bytes / (double)stats->reads : 0, 3);
    if (bench->history.count > 0) {
        put_figure(bench, "history_queries", "histories asked", (double)bench->history.count, 0);
        put_figure(bench, "history_rows", "  reads found", (double)bench->history.rows, 0);
        put_figure(bench, "history_p50_us", "  half within, us", timing_us(&bench->history, 0.5),
                   1);
        put_figure(bench, "history_p99_us", "  99 % within, us",
                   timing_us(&bench->history, 0.99), 1);
        put_figure(bench, "history_max_us", "  slowest, us", timing_us(&bench->history, 1), 1);
    }
    if (bench->like.count > 0) {
        put_figure(bench, "like_plates", "plates that fit the pattern",
                   (double)bench->like.rows, 0);
        put_figure(bench, "like_ms", "  median, ms", timing_us(&bench->like, 0.5) / 1e3, 3);
    }
    if (bench->edit.count > 0) {
        put_figure(bench, "edit_plates", "plates within 2 edits, look-alikes equal",
                   (double)bench->edit.rows, 0);
        put_figure(bench, "edit_ms", "  median, ms", timing_us(&bench->edit, 0.5) / 1e3, 3);
    }
    if (bench->place.count > 0) {
        put_figure(bench, "place_queries", "places asked (1 km, first 100)",
                   (double)bench->place.count, 0);
        put_figure(bench, "place_rows", "  reads found", (double)bench->place.rows, 0);
        put_figure(bench, "place_ms", "  median, ms", timing_us(&bench->place, 0.5) / 1e3, 3);
        put_figure(bench, "place_p50_ms", "  half within, ms", timing_us(&bench->place, 0.5) / 1e3,
                   3);
        put_figure(bench, "place_p99_ms", "  99 % within, ms",
                   timing_us(&bench->place, 0.99) / 1e3, 3);
    }
    if (bench->has_append) {
        put_figure(bench, "append_writers", "threads that append one read at a time",
                   (double)bench->args->append_writers, 0);
        put_figure(bench, "append_per_s", "  reads acknowledged a second",
                   bench->append.seconds > 0
                       ? (double)bench->append.acked / bench->append.seconds
                       : 0,
                   0);
        put_figure(bench, "append_p50_us", "  half within, us", bench->append.p50_us, 1);
        put_figure(bench, "append_p99_us", "  99 % within, us", bench->append.p99_us, 1);
    }
    put_figure(bench, "peak_rss_mb", "most memory resident, MiB", peak_rss_mb(), 1);
    if (bench->args->is_json)
        pb_cli_put_text(out, "}\n");
}

static void
add_options(struct pb_cli_usage *usage, struct bench_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "plates",
          .placeholder = "FILE",
          .help = "one plate a line: ask for each one's whole history",
          .text = &args->plates },
        { .name = "queries",
          .placeholder = "N",
          .help = "how many histories; as many as the file has lines by default",
          .number = &args->queries,
          .number_min = 1,
          .number_max = 100000000 },
        { .name = "like",
          .placeholder = "PATTERN",
          .help = "list the distinct plates that fit, such as '?AB*12'",
          .text = &args->like },
        { .name = "edit",
          .placeholder = "PLATE",
          .help = "list the distinct plates within 2 edits, look-alikes being equal",
          .text = &args->edit },
        { .name = "places",
          .placeholder = "FILE",
          .help = "lines \"lat lon from_ms to_ms\": ask for the first 100 reads within 1 km",
          .text = &args->places },
        { .name = "append-writers",
          .placeholder = "N",
          .help = "threads that append single reads to a scratch store; none by default",
          .number = &args->append_writers,
          .number_min = 1,
          .number_max = 1024 },
        { .name = "append-seconds",
          .placeholder = "S",
          .help = "for how long; 5 by default",
          .real = &args->append_seconds,
          .real_min = 0.1,
          .real_max = 3600 },
        { .name = "scratch",
          .placeholder = "DIR",
          .help = "of the scratch store, which is removed again; beside the store by default",
          .text = &args->scratch },
        { .name = "json", .help = "one JSON object", .flag = &args->is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &args->is_quiet },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_bench(struct pb_cli *cli, int argc, char **argv)
{
    struct bench_args args = { .append_seconds = 5 };
    struct bench bench = { .cli = cli, .args = &args };
    const struct pb_store_options store_options = { .is_read_only = true };
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Measures how fast a store answers what is named, and how many single reads "
                      "a second it takes. The store is only read.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&bench.job, cli, args.is_quiet || args.is_json);
    if (pb_cli_open_store(cli, args.data, &store_options, &bench.store) != PB_OK)
        goto out;
    status = measure(&bench, &error);
    pb_cli_job_quiet(&bench.job);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    put_answer(&bench);
    exit_code = PB_CLI_EXIT_OK;

out:
    pb_free(cli->env, bench.history.ns);
    pb_free(cli->env, bench.like.ns);
    pb_free(cli->env, bench.edit.ns);
    pb_free(cli->env, bench.place.ns);
    pb_store_close(bench.store);
    return pb_cli_job_end(&bench.job, exit_code);
}
