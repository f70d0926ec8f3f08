/*
 * import: from files to the store, on every processor.
 *
 * The main thread reads and cuts; each worker parses chunks and adds the reads to its own lane of
 * the store's loader; when the input has ended what they took is written, and segments
 * are merged. A read costs nothing here: adapters hand over whole batches, and lanes take them.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/pipeline.h"
#include "cli/rejects.h"
#include "ingest/ingest.h"

#define MEMORY_BYTES_MIN (UINT64_C(64) << 20)

struct import_args {
    struct pb_cli_input_args input;
    const char *data, *rejects;
    uint64_t threads;
    struct pb_store_options store;
    bool without_merge, is_json, is_quiet;
};

struct worker {
    struct import *import;
    struct pb_cli_reader reader;
    struct pb_lane *lane; /* borrowed from the loader */
    struct pb_error error; /* of the lane, for the parser passes only a status on */
};

struct import {
    struct pb_cli *cli;
    struct pb_cli_job job;
    struct pb_cli_inputs inputs;
    struct pb_cli_rejects rejects;
    struct pb_loader *loader;
    struct worker *workers;      /* owned: worker_count elements */
    struct pb_cli_chunk *chunks; /* owned: chunk_count elements */
    unsigned worker_count, chunk_count;
    _Atomic uint64_t reads; /* parsed so far, for the progress bar */
};

/* ---- the pipeline ---- */

static enum pb_status
on_reads(void *context, const struct pb_read *reads, size_t count)
{
    struct worker *worker = context;

    (void)atomic_fetch_add_explicit(&worker->import->reads, count, memory_order_relaxed);
    return pb_lane_add_valid(worker->lane, reads, count, &worker->error);
}

static enum pb_status
on_reject(void *context, const struct pb_rejection *rejection)
{
    struct worker *worker = context;

    pb_cli_rejects_add(&worker->import->rejects, worker->reader.input->name, rejection);
    return PB_OK;
}

static enum pb_status
bring(void *context, void *piece, struct pb_error *error)
{
    struct import *import = context;

    pb_cli_progress_show(&import->job.progress, "import", import->inputs.bytes_done,
                         import->inputs.bytes_total,
                         atomic_load_explicit(&import->reads, memory_order_relaxed), "reads");
    return pb_cli_inputs_next(&import->inputs, piece, error);
}

static enum pb_status
work(void *context, unsigned worker_number, void *piece, struct pb_error *error)
{
    struct import *import = context;
    struct worker *worker = &import->workers[worker_number];
    const struct pb_ingest_sink sink = {
        .on_reads = on_reads,
        .on_reject = on_reject,
        .context = worker,
    };
    enum pb_status status;

    worker->error.message[0] = '\0';
    status = pb_cli_reader_parse(&worker->reader, piece, &sink, error);
    if (status != PB_OK && worker->error.message[0] != '\0')
        *error = worker->error;
    return status;
}

static enum pb_status
take(void *context, void *piece, struct pb_error *error)
{
    (void)context;
    (void)error;
    pb_cli_chunk_clear(piece);
    return PB_OK;
}

/* ---- */

/* Everything that one allocation each needs; import_done frees what is there. */
static enum pb_status
make_workers(struct import *import, struct pb_store *store, unsigned count,
             struct pb_error *error)
{
    const struct pb_env *env = import->cli->env;
    enum pb_status status;

    import->worker_count = count;
    /* Twice as many chunks as workers: one in work and one waiting for each. */
    import->chunk_count = 2 * count + 1;
    import->workers = pb_calloc(env, count, sizeof(*import->workers));
    import->chunks = pb_calloc(env, import->chunk_count, sizeof(*import->chunks));
    if (import->workers == NULL || import->chunks == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %u threads", count);
    status = pb_loader_new(store, count, pb_cli_rejects_add_read, &import->rejects,
                           &import->loader, error);
    if (status != PB_OK)
        return status;
    for (unsigned i = 0; i < count; i++) {
        import->workers[i].import = import;
        import->workers[i].lane = pb_loader_lane(import->loader, i);
    }
    return PB_OK;
}

static void
import_done(struct import *import)
{
    const struct pb_env *env = import->cli->env;

    for (unsigned i = 0; import->workers != NULL && i < import->worker_count; i++)
        pb_cli_reader_done(&import->workers[i].reader);
    for (unsigned i = 0; import->chunks != NULL && i < import->chunk_count; i++)
        pb_cli_chunk_free(env, &import->chunks[i]);
    pb_free(env, import->workers);
    pb_free(env, import->chunks);
    pb_loader_free(import->loader);
    pb_cli_inputs_done(&import->inputs);
    pb_cli_rejects_done(&import->rejects);
}

/* The one line of standard output, and its twin for people. */
static void
put_summary(struct import *import, const struct import_args *args,
            const struct pb_load_counts *counts, bool is_complete)
{
    const struct pb_cli_rejects *rejects = &import->rejects;
    struct pb_cli_out *out = import->cli->out;
    double seconds = pb_cli_job_seconds(&import->job);
    uint64_t rejected = counts->rejected + rejects->from_parser;
    char rate[PB_CLI_HUMAN_BYTES];

    pb_cli_put_format(out,
                      "{\"stored\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"conflict\":%" PRIu64
                      ",\"rejected\":%" PRIu64 ",\"seconds\":%.3f",
                      counts->stored, counts->duplicate, counts->conflict, rejected, seconds);
    if (rejects->count > 0 && rejects->path != NULL && rejects->status == PB_OK) {
        pb_cli_put_text(out, ",\"reject_file\":");
        pb_cli_put_json_text(out, rejects->path);
    }
    if (!is_complete)
        pb_cli_put_text(out, ",\"complete\":false");
    pb_cli_put_text(out, "}\n");

    if (args->is_json || args->is_quiet)
        return;
    pb_cli_say(import->cli,
               "%" PRIu64 " stored, %" PRIu64 " duplicate, %" PRIu64 " conflict, %" PRIu64
               " rejected in %.2f s (%s reads/s)",
               counts->stored, counts->duplicate, counts->conflict, rejected, seconds,
               pb_cli_human(seconds > 0 ? (double)counts->stored / seconds : 0, rate));
    if (rejects->count > 0 && rejects->path != NULL && rejects->status == PB_OK)
        pb_cli_say(import->cli, "what was not stored is in %s", rejects->path);
}

/* Runs the whole import on an open store; returns an exit code. */
static int
run_import(struct import *import, const struct import_args *args, struct pb_store *store)
{
    const struct pb_cli_pipeline_work pipeline = {
        .bring = bring,
        .work = work,
        .take = take,
        .context = import,
    };
    struct pb_cli *cli = import->cli;
    struct pb_load_counts counts = { 0 };
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_OK;
    enum pb_status status, rejects_status;

    status = make_workers(import, store, (unsigned)args->threads, &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);

    status = pb_cli_pipeline_run(cli->env, &pipeline, import->worker_count, import->chunks,
                                 import->chunk_count, sizeof(*import->chunks), &error);
    if (status == PB_OK)
        status = pb_loader_finish(import->loader, &error);
    pb_loader_counts(import->loader, &counts);
    if (status == PB_OK && !args->without_merge && !import->job.interrupt.is_set)
        status = pb_store_merge(store, false, &import->job.store_progress, &error);
    pb_cli_job_quiet(&import->job);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    if (import->inputs.failed > 0)
        exit_code = PB_CLI_EXIT_FAILURE;

    rejects_status = pb_cli_rejects_close(&import->rejects, &error);
    if (rejects_status != PB_OK) {
        pb_cli_say(cli, "rejects could not be kept: %s", error.message);
        exit_code = PB_CLI_EXIT_FAILURE;
    }
    put_summary(import, args, &counts,
                status == PB_OK && import->inputs.failed == 0 && !import->job.interrupt.is_set);
    return exit_code;
}

static void
add_options(struct pb_cli_usage *usage, struct import_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "rejects",
          .placeholder = "FILE",
          .help = "keep what is not stored here; DIR/rejects/<time>.ndjson by default",
          .text = &args->rejects },
        { .name = "threads",
          .placeholder = "N",
          .help = "threads that parse and load; one for each processor by default",
          .number = &args->threads,
          .number_min = 1,
          .number_max = PB_CLI_THREADS_MAX },
        { .name = "memory",
          .placeholder = "SIZE",
          .help = "memory for loading and merging, such as 2G",
          .size = &args->store.memory_bytes,
          .number_min = MEMORY_BYTES_MIN,
          .number_max = UINT64_MAX },
        { .name = "no-merge",
          .help = "leave merging for later",
          .flag = &args->without_merge },
        { .name = "json",
          .help = "no progress bar and no summary for people",
          .flag = &args->is_json },
        { .name = "quiet",
          .help = "no progress bar, and rejects are only counted and kept",
          .flag = &args->is_quiet },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_input_args_add(usage, &args->input);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cmd_import(struct pb_cli *cli, int argc, char **argv)
{
    struct import_args args = { .threads = pb_cli_processors() };
    struct import import = { .cli = cli };
    struct pb_ingest_defaults defaults;
    struct pb_store *store = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_input_args_init(&args.input);
    pb_cli_usage_init(&usage, "FILE...", 1, UINT32_MAX,
                      "Stores the reads of files, or of standard input where FILE is -. A record "
                      "that cannot be stored is named by file, line, field and reason, kept in the "
                      "reject file, and stops nothing. Importing the same file again stores "
                      "nothing twice. Prints one line of JSON: how many reads were stored, "
                      "were duplicates, conflicts or rejected, and how long it took.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_input_args_defaults(cli, &args.input, &defaults))
        return PB_CLI_EXIT_USAGE;
    if (pb_cli_rejects_init(&import.rejects, cli, args.rejects, args.data, args.is_quiet) !=
        PB_OK) {
        pb_cli_rejects_done(&import.rejects);
        return pb_cli_failure(cli, PB_E_NOMEM, NULL);
    }

    pb_cli_job_begin(&import.job, cli, args.is_quiet || args.is_json);
    pb_cli_inputs_init(&import.inputs, cli, &import.job.interrupt,
                       (enum pb_format)args.input.format, &defaults, argv + first,
                       (size_t)(argc - first));
    if (pb_cli_open_store(cli, args.data, &args.store, &store) == PB_OK)
        exit_code = run_import(&import, &args, store);
    import_done(&import);
    pb_store_close(store);
    return pb_cli_job_end(&import.job, exit_code);
}
