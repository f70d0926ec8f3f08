/*
 * bench: how fast a data directory answers governed inquiries, and how fast a store takes reads.
 *
 * What is asked here goes the whole way, through policy and audit; the read store alone is measured
 * by bench/questions.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/ask.h"
#include "cli/bench_append.h"
#include "cli/bench_ask.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/job.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/query.h"
#include "cli/version.h"

#define LIST_BYTES_MAX (UINT64_C(1) << 30)

struct bench_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_query_args query;
    const char *plates, *scratch;
    uint64_t append_writers, threads;
    double append_seconds, seconds;
    bool is_asking, is_json, is_quiet;
};

struct bench {
    struct pb_cli *cli;
    const struct bench_args *args;
    struct pb_cli_job job;
    struct pb_site *site;
    struct pb_store_stats stats;
    struct pb_cli_append_result append;
    struct pb_cli_ask_result ask;
    struct pb_answer *refused; /* owned */
};

/* ---- measuring ---- */

static enum pb_status
measure_append(struct bench *bench, struct pb_error *error)
{
    const struct bench_args *args = bench->args;
    char scratch[PB_PATH_BYTES_MAX];
    int length = args->scratch != NULL
                     ? snprintf(scratch, sizeof(scratch), "%s", args->scratch)
                     : snprintf(scratch, sizeof(scratch), "%s-append", args->ask.data);

    if (length < 0 || (size_t)length >= sizeof(scratch))
        return pb_fail(error, PB_BAD_INPUT, "the path of the scratch store is too long");
    return pb_cli_bench_append(bench->cli->env, scratch, (unsigned)args->append_writers,
                               args->append_seconds, &bench->job.interrupt, &bench->append, error);
}

static enum pb_status
measure_asking(struct bench *bench, const struct pb_inquiry *inquiry, struct pb_error *error)
{
    const struct bench_args *args = bench->args;
    const struct pb_env *env = bench->cli->env;
    struct pb_cli_lines plates = { .count = 0 };
    enum pb_status status = pb_cli_load_lines(env, args->plates, LIST_BYTES_MAX, &plates, error);

    if (status == PB_OK)
        status = pb_cli_bench_ask(env, bench->site, inquiry, &plates, (unsigned)args->threads,
                                  args->seconds, &bench->job.interrupt, &bench->ask,
                                  &bench->refused, error);
    pb_cli_lines_done(env, &plates);
    return status;
}

static enum pb_status
measure(struct bench *bench, const struct pb_inquiry *inquiry, struct pb_error *error)
{
    enum pb_status status = pb_store_stats(pb_site_store(bench->site), &bench->stats, error);

    if (status == PB_OK && bench->args->is_asking)
        status = measure_asking(bench, inquiry, error);
    if (status == PB_OK && bench->args->append_writers > 0 && bench->refused == NULL)
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

static double
per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

static void
put_asking(const struct bench *bench)
{
    const struct pb_cli_ask_result *ask = &bench->ask;

    put_figure(bench, "inquiry_threads", "threads that ask", (double)bench->args->threads, 0);
    put_figure(bench, "inquiries", "  inquiries, each on record before its answer",
               (double)ask->asked, 0);
    put_figure(bench, "inquiry_rows", "  reads found", (double)ask->rows, 0);
    put_figure(bench, "inquiries_per_s", "  a second", per_second(ask->asked, ask->seconds), 0);
    put_figure(bench, "inquiry_p50_ms", "  half within, ms", ask->p50_us / 1e3, 3);
    put_figure(bench, "inquiry_p99_ms", "  99 % within, ms", ask->p99_us / 1e3, 3);
    put_figure(bench, "inquiry_max_ms", "  slowest, ms", ask->max_us / 1e3, 3);
}

static void
put_append(const struct bench *bench)
{
    const struct pb_cli_append_result *append = &bench->append;

    put_figure(bench, "append_writers", "threads that append one read at a time",
               (double)bench->args->append_writers, 0);
    put_figure(bench, "append_per_s", "  reads acknowledged a second",
               per_second(append->acked, append->seconds), 0);
    put_figure(bench, "append_p50_us", "  half within, us", append->p50_us, 1);
    put_figure(bench, "append_p99_us", "  99 % within, us", append->p99_us, 1);
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
    if (bench->args->is_asking)
        put_asking(bench);
    if (bench->args->append_writers > 0)
        put_append(bench);
    put_figure(bench, "peak_rss_mb", "most memory resident, MiB", peak_rss_mb(), 1);
    if (bench->args->is_json)
        pb_cli_put_text(out, "}\n");
}

/* ---- options ---- */

static void
add_options(struct pb_cli_usage *usage, struct bench_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "inquiries",
          .help = "ask for one plate after another through policy and audit; every one of these "
                  "inquiries stays on record",
          .flag = &args->is_asking },
        { .name = "plates",
          .placeholder = "FILE",
          .help = "of --inquiries: one plate a line",
          .text = &args->plates },
        { .name = "threads",
          .placeholder = "N",
          .help = "of --inquiries: threads that ask; 64 by default",
          .number = &args->threads,
          .number_min = 1,
          .number_max = 1024 },
        { .name = "seconds",
          .placeholder = "S",
          .help = "of --inquiries: for how long; 5 by default",
          .real = &args->seconds,
          .real_min = 0.1,
          .real_max = 3600 },
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
          .help = "of the scratch store, which is removed again; beside the data directory by "
                  "default",
          .text = &args->scratch },
        { .name = "json", .help = "one JSON object", .flag = &args->is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &args->is_quiet },
    };

    pb_cli_ask_args_add_who(usage, &args->ask);
    pb_cli_query_args_add_window(usage, &args->query);
    /* Only --inquiries needs them: fill_inquiry looks. */
    for (unsigned i = 0; i < usage->option_count; i++)
        usage->options[i].is_required = strcmp(usage->options[i].name, "data") == 0;
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

/* false after a usage error. */
static bool
fill_inquiry(struct pb_cli *cli, struct bench_args *args, struct pb_inquiry *inquiry)
{
    if (!args->is_asking)
        return true;
    if (args->ask.person == NULL || args->ask.purpose == NULL || args->ask.why == NULL ||
        args->plates == NULL) {
        (void)pb_cli_usage_error(cli, "--inquiries needs --person, --purpose, --why and --plates "
                                      "FILE, for asking is on record here, too");
        return false;
    }
    if (args->query.to_us == 0)
        args->query.to_us = pb_now_us(cli->env);
    if (args->query.from_us == 0)
        args->query.from_us = args->query.to_us - 365 * PB_DAY_US;
    return pb_cli_ask_fill(cli, &args->ask, inquiry) &&
           pb_cli_query_fill(cli, &args->query, inquiry);
}

int
pb_cmd_bench(struct pb_cli *cli, int argc, char **argv)
{
    struct bench_args args = { .append_seconds = 5, .seconds = 5, .threads = 64 };
    struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_PLATE };
    struct bench bench = { .cli = cli, .args = &args };
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Measures how many inquiries a second a data directory answers, all the way "
                      "through policy and audit, and how many single reads a second a store "
                      "takes.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!fill_inquiry(cli, &args, &inquiry))
        return PB_CLI_EXIT_USAGE;
    if (args.is_asking)
        site_options.mode = PB_SITE_ASK;

    pb_cli_job_begin(&bench.job, cli, args.is_quiet || args.is_json);
    if (pb_cli_open_site(cli, args.ask.data, &site_options, &bench.site) != PB_OK)
        goto out;
    status = measure(&bench, &inquiry, &error);
    pb_cli_job_quiet(&bench.job);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    } else if (bench.refused != NULL) {
        pb_cli_say_decision(cli, pb_answer_decision(bench.refused));
        exit_code = pb_cli_verdict_exit(pb_answer_decision(bench.refused)->verdict);
    } else {
        put_answer(&bench);
        exit_code = PB_CLI_EXIT_OK;
    }

out:
    pb_answer_free(bench.refused);
    exit_code = pb_cli_close_site(cli, bench.site, exit_code);
    return pb_cli_job_end(&bench.job, exit_code);
}
