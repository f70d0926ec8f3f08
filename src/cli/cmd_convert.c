/*
 * convert: from one format to another, without a store.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/pipeline.h"
#include "cli/rejects.h"
#include "cli/rows.h"

struct convert_args {
    struct pb_cli_input_args input;
    const char *out, *rejects;
    int to;
    uint64_t threads;
    bool is_quiet;
};

struct piece {
    struct pb_cli_chunk chunk; /* what comes in */
    struct pb_cli_rows rows;   /* what goes out */
};

struct convert {
    struct pb_cli *cli;
    struct pb_cli_job job;
    struct pb_cli_inputs inputs;
    struct pb_cli_rejects rejects;
    struct pb_cli_target target;
    struct pb_cli_reader *readers; /* owned: one a worker */
    struct piece *pieces;          /* owned */
    unsigned worker_count, piece_count;
    _Atomic uint64_t reads;
};

/* One chunk in work, for the parser's sink. */
struct task {
    struct convert *convert;
    struct piece *piece;
};

static enum pb_status
on_reads(void *context, struct pb_read *reads, size_t count)
{
    struct task *task = context;

    (void)atomic_fetch_add_explicit(&task->convert->reads, count, memory_order_relaxed);
    return pb_cli_rows_add(&task->piece->rows, reads, count);
}

static enum pb_status
on_reject(void *context, const struct pb_rejection *rejection)
{
    struct task *task = context;

    pb_cli_rejects_add(&task->convert->rejects, task->piece->chunk.input->name, rejection);
    return PB_OK;
}

static enum pb_status
bring(void *context, void *piece, struct pb_error *error)
{
    struct convert *convert = context;
    struct piece *next = piece;

    pb_cli_progress_show(&convert->job.progress, "convert", convert->inputs.bytes_done,
                         convert->inputs.bytes_total,
                         atomic_load_explicit(&convert->reads, memory_order_relaxed), "reads");
    return pb_cli_inputs_next(&convert->inputs, &next->chunk, error);
}

static enum pb_status
work(void *context, unsigned worker, void *piece, struct pb_error *error)
{
    struct convert *convert = context;
    struct task task = { .convert = convert, .piece = piece };
    const struct pb_ingest_sink sink = {
        .on_reads = on_reads,
        .on_reject = on_reject,
        .context = &task,
    };
    enum pb_status status =
        pb_cli_reader_parse(&convert->readers[worker], &task.piece->chunk, &sink, error);

    if (status == PB_OK)
        status = pb_cli_rows_end(&task.piece->rows);
    return status;
}

static enum pb_status
take(void *context, void *piece, struct pb_error *error)
{
    struct convert *convert = context;
    struct piece *done = piece;

    pb_cli_chunk_clear(&done->chunk);
    return pb_cli_target_put(&convert->target, &done->rows, error);
}

static enum pb_status
make_workers(struct convert *convert, unsigned count, enum pb_format format)
{
    const struct pb_env *env = convert->cli->env;

    convert->worker_count = count;
    convert->piece_count = 2 * count + 1;
    convert->readers = pb_calloc(env, count, sizeof(*convert->readers));
    convert->pieces = pb_calloc(env, convert->piece_count, sizeof(*convert->pieces));
    if (convert->readers == NULL || convert->pieces == NULL)
        return PB_E_NOMEM;
    for (unsigned i = 0; i < convert->piece_count; i++)
        pb_cli_rows_init(&convert->pieces[i].rows, env, format);
    return PB_OK;
}

static void
convert_done(struct convert *convert)
{
    const struct pb_env *env = convert->cli->env;

    for (unsigned i = 0; convert->readers != NULL && i < convert->worker_count; i++)
        pb_cli_reader_done(&convert->readers[i], env);
    for (unsigned i = 0; convert->pieces != NULL && i < convert->piece_count; i++) {
        pb_cli_chunk_free(env, &convert->pieces[i].chunk);
        pb_cli_rows_done(&convert->pieces[i].rows);
    }
    pb_free(env, convert->readers);
    pb_free(env, convert->pieces);
    pb_cli_inputs_done(&convert->inputs);
}

static int
run_convert(struct convert *convert, const struct convert_args *args, char **names, size_t count)
{
    const struct pb_cli_pipeline_work pipeline = {
        .bring = bring,
        .work = work,
        .take = take,
        .context = convert,
    };
    struct pb_cli *cli = convert->cli;
    enum pb_format format = pb_cli_row_format(args->to);
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_OK;
    enum pb_status status, close_status;

    if (make_workers(convert, (unsigned)args->threads, format) != PB_OK)
        return pb_cli_failure(cli, PB_E_NOMEM, NULL);
    if (!pb_cli_target_open(&convert->target, cli, args->out, format, names, count))
        return PB_CLI_EXIT_FAILURE;
    status = pb_cli_pipeline_run(cli->env, &pipeline, convert->worker_count, convert->pieces,
                                 convert->piece_count, sizeof(*convert->pieces), &error);
    pb_cli_job_quiet(&convert->job);
    /* PB_END: nobody reads on, so there is nothing left to do. */
    if (status != PB_OK && status != PB_END)
        exit_code = pb_cli_failure(cli, status, &error);
    close_status = pb_cli_target_close(&convert->target, &error);
    if (close_status != PB_OK && exit_code == PB_CLI_EXIT_OK)
        exit_code = pb_cli_failure(cli, close_status, &error);
    if (convert->inputs.failed > 0)
        exit_code = PB_CLI_EXIT_FAILURE;
    if (pb_cli_rejects_close(&convert->rejects, &error) != PB_OK)
        exit_code = pb_cli_failure(cli, PB_E_IO, &error);
    return exit_code;
}

/* On standard error: standard output may be where the rows went. */
static void
put_summary(const struct convert *convert, const struct convert_args *args)
{
    uint64_t reads = atomic_load_explicit(&convert->reads, memory_order_relaxed);
    double seconds = pb_cli_job_seconds(&convert->job);
    char rate[PB_CLI_HUMAN_BYTES];

    if (!args->is_quiet)
        pb_cli_say(convert->cli, "%" PRIu64 " reads, %" PRIu64 " rejected in %.2f s (%s reads/s)",
                   reads, convert->rejects.count, seconds,
                   pb_cli_human(seconds > 0 ? (double)reads / seconds : 0, rate));
}

static void
add_options(struct pb_cli_usage *usage, struct convert_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "to",
          .placeholder = "FORMAT",
          .help = "format to write: csv, ndjson or pbr",
          .is_required = true,
          .example = "ndjson",
          .choice = &args->to,
          .choices = pb_cli_row_formats },
        { .name = "out",
          .placeholder = "FILE",
          .help = "write to FILE; to standard output by default",
          .text = &args->out },
        { .name = "rejects",
          .placeholder = "FILE",
          .help = "keep records that give no read here",
          .text = &args->rejects },
        { .name = "threads",
          .placeholder = "N",
          .help = "threads; one for each processor by default",
          .number = &args->threads,
          .number_min = 1,
          .number_max = PB_CLI_THREADS_MAX },
        { .name = "quiet",
          .help = "no progress bar and no summary; rejects are only counted and kept",
          .flag = &args->is_quiet },
    };

    pb_cli_input_args_add(usage, &args->input);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_convert(struct pb_cli *cli, int argc, char **argv)
{
    struct convert_args args = { .out = "-", .threads = pb_cli_processors() };
    struct convert convert = { .cli = cli };
    struct pb_ingest_defaults defaults;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code;

    pb_cli_input_args_init(&args.input);
    pb_cli_usage_init(&usage, "FILE...", 1, UINT32_MAX,
                      "Turns the reads of files, or of standard input where FILE is -, into "
                      "another format, in their order. ndjson and pbr carry everything; csv has "
                      "no lane, pictures or revisions.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_input_args_defaults(cli, &args.input, &defaults))
        return PB_CLI_EXIT_USAGE;
    status = pb_cli_rejects_init(&convert.rejects, cli, args.rejects, NULL, args.is_quiet);
    if (status != PB_OK) {
        pb_cli_rejects_done(&convert.rejects);
        return pb_cli_failure(cli, status, NULL);
    }

    pb_cli_job_begin(&convert.job, cli, args.is_quiet);
    pb_cli_inputs_init(&convert.inputs, cli, &convert.job.interrupt,
                       (enum pb_format)args.input.format, &defaults, argv + first,
                       (size_t)(argc - first));
    exit_code = run_convert(&convert, &args, argv + first, (size_t)(argc - first));
    pb_cli_job_quiet(&convert.job);
    put_summary(&convert, &args);
    convert_done(&convert);
    pb_cli_rejects_done(&convert.rejects);
    return pb_cli_job_end(&convert.job, exit_code);
}
