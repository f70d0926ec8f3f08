/*
 * generate: a synthetic feed, as a file. Ranges of the feed are filled side by side and written
 * in their order, so the file is the same whatever the number of threads.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/pipeline.h"
#include "cli/rows.h"
#include "synth/synth.h"

#define PIECE_READS 8192u

struct generate_args {
    struct pb_synth_options options;
    uint64_t readers, days;
    const char *out;
    int format;
    uint64_t threads;
    bool is_quiet;
};

struct piece {
    uint64_t first, count; /* of the feed */
    struct pb_cli_rows rows;
};

struct worker {
    struct pb_read *reads; /* owned: PIECE_READS elements */
    struct pb_arena arena;
};

struct generate {
    struct pb_cli *cli;
    struct pb_cli_job job;
    struct pb_cli_target target;
    struct pb_synth *synth; /* owned */
    struct worker *workers; /* owned */
    struct piece *pieces;   /* owned */
    unsigned worker_count, piece_count;
    uint64_t brought, written, total; /* reads */
};

static enum pb_status
bring(void *context, void *piece, struct pb_error *error)
{
    struct generate *generate = context;
    struct piece *next = piece;
    uint64_t left = generate->total - generate->brought;

    (void)error;
    pb_cli_progress_show(&generate->job.progress, "generate", generate->written, generate->total,
                         generate->written, "reads");
    if (left == 0 || pb_cli_interrupt_look(&generate->job.interrupt))
        return PB_END;
    next->first = generate->brought;
    next->count = left < PIECE_READS ? left : PIECE_READS;
    generate->brought += next->count;
    return PB_OK;
}

static enum pb_status
work(void *context, unsigned worker_number, void *piece, struct pb_error *error)
{
    struct generate *generate = context;
    struct worker *worker = &generate->workers[worker_number];
    struct piece *task = piece;
    enum pb_status status;

    pb_arena_reset(&worker->arena);
    status = pb_synth_fill(generate->synth, task->first, task->count, worker->reads,
                           &worker->arena);
    if (status == PB_OK)
        status = pb_cli_rows_add(&task->rows, worker->reads, (size_t)task->count);
    /* Pieces end a block of the binary form, whoever fills them. */
    if (status == PB_OK)
        status = pb_cli_rows_end(&task->rows);
    return status == PB_OK ? PB_OK : pb_fail(error, status, "no memory to generate reads");
}

static enum pb_status
take(void *context, void *piece, struct pb_error *error)
{
    struct generate *generate = context;
    struct piece *done = piece;

    generate->written += done->count;
    return pb_cli_target_put(&generate->target, &done->rows, error);
}

static enum pb_status
make_workers(struct generate *generate, unsigned count, enum pb_format format)
{
    const struct pb_env *env = generate->cli->env;

    generate->worker_count = count;
    generate->piece_count = 2 * count + 1;
    generate->workers = pb_calloc(env, count, sizeof(*generate->workers));
    generate->pieces = pb_calloc(env, generate->piece_count, sizeof(*generate->pieces));
    if (generate->workers == NULL || generate->pieces == NULL)
        return PB_E_NOMEM;
    for (unsigned i = 0; i < generate->piece_count; i++)
        pb_cli_rows_init(&generate->pieces[i].rows, env, format);
    for (unsigned i = 0; i < count; i++) {
        pb_arena_init(&generate->workers[i].arena, env, 1u << 20);
        generate->workers[i].reads =
            pb_calloc(env, PIECE_READS, sizeof(*generate->workers[i].reads));
        if (generate->workers[i].reads == NULL)
            return PB_E_NOMEM;
    }
    return PB_OK;
}

static void
generate_done(struct generate *generate)
{
    const struct pb_env *env = generate->cli->env;

    for (unsigned i = 0; generate->pieces != NULL && i < generate->piece_count; i++)
        pb_cli_rows_done(&generate->pieces[i].rows);
    for (unsigned i = 0; generate->workers != NULL && i < generate->worker_count; i++) {
        pb_free(env, generate->workers[i].reads);
        if (generate->workers[i].arena.env != NULL)
            pb_arena_clear(&generate->workers[i].arena);
    }
    pb_free(env, generate->workers);
    pb_free(env, generate->pieces);
    pb_synth_free(generate->synth);
}

static int
run_generate(struct generate *generate, const struct generate_args *args)
{
    const struct pb_cli_pipeline_work pipeline = {
        .bring = bring,
        .work = work,
        .take = take,
        .context = generate,
    };
    struct pb_cli *cli = generate->cli;
    enum pb_format format = pb_cli_row_format(args->format);
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_OK;
    enum pb_status status, close_status;

    status = pb_synth_new(cli->env, &args->options, &generate->synth, &error);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        return status == PB_BAD_INPUT ? PB_CLI_EXIT_USAGE : exit_code;
    }
    generate->total = pb_synth_read_count(generate->synth);
    if (make_workers(generate, (unsigned)args->threads, format) != PB_OK)
        return pb_cli_failure(cli, PB_E_NOMEM, NULL);
    if (!pb_cli_target_open(&generate->target, cli, args->out, format, NULL, 0))
        return PB_CLI_EXIT_FAILURE;
    status = pb_cli_pipeline_run(cli->env, &pipeline, generate->worker_count, generate->pieces,
                                 generate->piece_count, sizeof(*generate->pieces), &error);
    pb_cli_job_quiet(&generate->job);
    /* PB_END: nobody reads on, so there is nothing left to do. */
    if (status != PB_OK && status != PB_END)
        exit_code = pb_cli_failure(cli, status, &error);
    close_status = pb_cli_target_close(&generate->target, &error);
    if (close_status != PB_OK && exit_code == PB_CLI_EXIT_OK)
        exit_code = pb_cli_failure(cli, close_status, &error);
    return exit_code;
}

static void
add_options(struct pb_cli_usage *usage, struct generate_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "out",
          .placeholder = "FILE",
          .help = "write to FILE, or to standard output where it is -",
          .is_required = true,
          .example = "reads.csv",
          .text = &args->out },
        { .name = "format",
          .placeholder = "FORMAT",
          .help = "format of the feed: csv (the default), ndjson or pbr",
          .choice = &args->format,
          .choices = pb_cli_row_formats },
        { .name = "reads",
          .placeholder = "N",
          .help = "how many; 1,000,000 by default, 20,000 of a town",
          .number = &args->options.reads,
          .number_min = 1,
          .number_max = PB_SYNTH_READS_MAX },
        { .name = "readers",
          .placeholder = "N",
          .help = "how many; by the number of reads where it is not given",
          .number = &args->readers,
          .number_min = 8,
          .number_max = PB_SYNTH_READERS_MAX },
        { .name = "days",
          .placeholder = "N",
          .help = "over how many days; 30 by default, 14 of a town",
          .number = &args->days,
          .number_min = 1,
          .number_max = PB_SYNTH_DAYS_MAX },
        { .name = "from",
          .placeholder = "TIME",
          .help = "captured time of the first read; 2026-10-01 by default",
          .time_us = &args->options.from_us },
        { .name = "seed",
          .placeholder = "N",
          .help = "another number gives another feed",
          .number = &args->options.seed,
          .number_max = UINT64_MAX },
        { .name = "town",
          .help = "one small invented town instead of a country",
          .flag = &args->options.is_town },
        { .name = "alternates",
          .help = "readers send their other candidates, too",
          .flag = &args->options.with_alternates },
        { .name = "event-ids",
          .help = "readers give their reads an id",
          .flag = &args->options.with_event_ids },
        { .name = "threads",
          .placeholder = "N",
          .help = "threads; one for each processor by default",
          .number = &args->threads,
          .number_min = 1,
          .number_max = PB_CLI_THREADS_MAX },
        { .name = "quiet", .help = "no progress bar and no summary", .flag = &args->is_quiet },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_generate(struct pb_cli *cli, int argc, char **argv)
{
    struct generate_args args = { .threads = pb_cli_processors() };
    struct generate generate = { .cli = cli };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    char rate[PB_CLI_HUMAN_BYTES];
    int first, exit_code;
    double seconds;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Makes a synthetic feed of reads for tests and benchmarks: the same options "
                      "give the same bytes on every machine. Every plate, vehicle and reader in "
                      "it is invented.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    args.options.readers = (uint32_t)args.readers;
    args.options.days = (uint32_t)args.days;

    pb_cli_job_begin(&generate.job, cli, args.is_quiet);
    exit_code = run_generate(&generate, &args);
    pb_cli_job_quiet(&generate.job);
    seconds = pb_cli_job_seconds(&generate.job);
    if (exit_code == PB_CLI_EXIT_OK && !args.is_quiet)
        pb_cli_say(cli, "%" PRIu64 " reads in %.2f s (%s reads/s)", generate.written, seconds,
                   pb_cli_human(seconds > 0 ? (double)generate.written / seconds : 0, rate));
    generate_done(&generate);
    return pb_cli_job_end(&generate.job, exit_code);
}
