/*
 * import: from files to the store, on every processor.
 *
 * The main thread reads and cuts; each worker parses chunks, lets policy stamp each read with the
 * moment at which it must be gone, and adds the reads to its own lane of the store's loader; when
 * the input has ended what they took is written, and segments are merged. A read costs
 * next to nothing here: adapters hand over whole batches, and lanes take them.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/owner.h"
#include "cli/pipeline.h"
#include "cli/rejects.h"
#include "ingest/ingest.h"

#define FETCH_AHEAD 8u /* reads whose readers are fetched before they are stamped */
#define MEMORY_BYTES_MIN (UINT64_C(64) << 20)

struct import_args {
    struct pb_cli_input_args input;
    const char *data, *rejects, *agency, *capture_state;
    uint64_t threads, memory_bytes;
    bool without_merge, is_json, is_quiet;
};

struct worker {
    struct import *import;
    struct pb_cli_reader reader;
    struct pb_lane *lane;       /* borrowed from the loader */
    struct pb_stamper *stamper; /* owned */
    uint64_t expired, not_kept, refused;
    struct pb_error error; /* of lane or stamper, for the parser passes only a status on */
};

struct import {
    struct pb_cli *cli;
    struct pb_cli_job job;
    struct pb_cli_inputs inputs;
    struct pb_cli_rejects rejects;
    struct pb_site *site; /* borrowed */
    struct pb_loader *loader;
    struct worker *workers;      /* owned: worker_count elements */
    struct pb_cli_chunk *chunks; /* owned: chunk_count elements */
    unsigned worker_count, chunk_count;
    uint64_t expired_in_store; /* what the store would not take because its time is over */
    _Atomic uint64_t reads;    /* parsed so far, for the progress bar */
};

/* What became of the reads that are not in the store, beside what the loader counts. */
struct left_out {
    uint64_t expired, not_kept, rejected;
    uint64_t readers_added;
};

/* ---- the pipeline ---- */

/* A read that is not to be stored, and so must not be in a reject file either unless it only lacks
 * an owner. PB_OK, or the failure. */
static enum pb_status
leave_out(struct worker *worker, const struct pb_read *read, enum pb_status why, const char *reason)
{
    if (why == PB_EXPIRED) {
        if (reason == pb_stamp_never_stored || reason == pb_stamp_in_zone)
            worker->not_kept++;
        else
            worker->expired++;
        return PB_OK;
    }
    if (why != PB_BAD_INPUT)
        return why;
    worker->refused++;
    pb_cli_rejects_add_read(&worker->import->rejects, read, why, reason);
    return PB_OK;
}

/* Reads go to the lane in runs between those that are left out: mostly all at once. */
static enum pb_status
on_reads(void *context, struct pb_read *reads, size_t count)
{
    struct worker *worker = context;
    uint64_t fetched[FETCH_AHEAD]; /* of the reads from i on */
    enum pb_status status = PB_OK;
    size_t first = 0;

    (void)atomic_fetch_add_explicit(&worker->import->reads, count, memory_order_relaxed);
    for (size_t i = 0; i < count && i < FETCH_AHEAD; i++)
        fetched[i] = pb_stamper_fetch(worker->stamper, &reads[i]);
    for (size_t i = 0; i < count; i++) {
        const char *reason = "";
        enum pb_status stamped = pb_stamper_stamp_fetched(worker->stamper, fetched[i % FETCH_AHEAD],
                                                          &reads[i], &reason, &worker->error);

        if (i + FETCH_AHEAD < count)
            fetched[i % FETCH_AHEAD] = pb_stamper_fetch(worker->stamper, &reads[i + FETCH_AHEAD]);
        if (stamped == PB_OK)
            continue;
        if (i > first)
            status = pb_lane_add_valid(worker->lane, reads + first, i - first, &worker->error);
        if (status == PB_OK)
            status = leave_out(worker, &reads[i], stamped, reason);
        if (status != PB_OK)
            return status;
        first = i + 1;
    }
    if (first == count)
        return PB_OK;
    return pb_lane_add_valid(worker->lane, reads + first, count - first, &worker->error);
}

/* What the store itself refuses; never called twice at once. */
static void
on_store_reject(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    struct import *import = context;

    if (why == PB_EXPIRED)
        import->expired_in_store++;
    else
        pb_cli_rejects_add_read(&import->rejects, read, why, reason);
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

static enum pb_status
finish(void *context, unsigned worker_number, struct pb_error *error)
{
    struct import *import = context;

    return pb_stamper_flush(import->workers[worker_number].stamper, error);
}

/* ---- imports that were broken off ---- */

/* A file of this name is in the data directory while an import runs. A hint for people: that it
 * cannot be made or removed changes nothing of the import. */
#define MARK "importing"
#define AGAIN "import the same files again: what is stored already is not stored twice"

static void
begin_mark(struct pb_cli *cli, const char *data)
{
    const struct pb_file_ops *files = cli->env->files;
    char path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;

    (void)snprintf(path, sizeof(path), "%s/" MARK, data);
    if (files->open(cli->env->file_context, path, PB_OPEN_READ, &file, NULL) == PB_OK)
        pb_cli_say(cli, "an import before this one was broken off, and some of its reads are "
                        "missing: " AGAIN);
    else if (files->open(cli->env->file_context, path, PB_OPEN_CREATE, &file, NULL) != PB_OK)
        return;
    files->close(cli->env->file_context, file);
}

static void
end_mark(struct pb_cli *cli, const char *data)
{
    char path[PB_PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/" MARK, data);
    (void)!cli->env->files->unlink(cli->env->file_context, path, NULL);
}

/* ---- */

/* Everything that one allocation each needs; import_done frees what is there. */
static enum pb_status
make_workers(struct import *import, const struct import_args *args, uint16_t capture_state,
             struct pb_error *error)
{
    unsigned count = (unsigned)args->threads;
    const struct pb_env *env = import->cli->env;
    enum pb_status status;

    import->worker_count = count;
    /* Twice as many chunks as workers: one in work and one waiting for each. */
    import->chunk_count = 2 * count + 1;
    import->workers = pb_calloc(env, count, sizeof(*import->workers));
    import->chunks = pb_calloc(env, import->chunk_count, sizeof(*import->chunks));
    if (import->workers == NULL || import->chunks == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %u threads", count);
    status = pb_loader_new(pb_site_store(import->site), count, on_store_reject, import,
                           &import->loader, error);
    for (unsigned i = 0; i < count && status == PB_OK; i++) {
        import->workers[i].import = import;
        import->workers[i].lane = pb_loader_lane(import->loader, i);
        status = pb_stamper_new(import->site, args->agency, capture_state,
                                &import->workers[i].stamper, error);
    }
    return status;
}

static void
import_done(struct import *import)
{
    const struct pb_env *env = import->cli->env;

    for (unsigned i = 0; import->workers != NULL && i < import->worker_count; i++) {
        pb_cli_reader_done(&import->workers[i].reader, env);
        pb_stamper_free(import->workers[i].stamper);
    }
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
            const struct pb_load_counts *counts, const struct left_out *left_out, bool is_complete)
{
    const struct pb_cli_rejects *rejects = &import->rejects;
    struct pb_cli_out *out = import->cli->out;
    double seconds = pb_cli_job_seconds(&import->job);
    char rate[PB_CLI_HUMAN_BYTES];

    pb_cli_put_format(out,
                      "{\"stored\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"conflict\":%" PRIu64
                      ",\"rejected\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"not_kept\":%" PRIu64
                      ",\"readers_added\":%" PRIu64 ",\"seconds\":%.3f",
                      counts->stored, counts->duplicate, counts->conflict, left_out->rejected,
                      left_out->expired, left_out->not_kept, left_out->readers_added, seconds);
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
               counts->stored, counts->duplicate, counts->conflict, left_out->rejected, seconds,
               pb_cli_human(seconds > 0 ? (double)counts->stored / seconds : 0, rate));
    if (left_out->expired > 0)
        pb_cli_say(import->cli, "%" PRIu64 " expired: past the day to which they may be kept",
                   left_out->expired);
    if (left_out->not_kept > 0)
        pb_cli_say(import->cli,
                   "%" PRIu64 " not kept: the law where they were made lets them live "
                   "for minutes, or lets nobody capture there, so they were never written to disk",
                   left_out->not_kept);
    if (left_out->readers_added > 0)
        pb_cli_say(import->cli,
                   "%" PRIu64 " readers were new and are in the catalog now: see "
                   "'platebase reader list'",
                   left_out->readers_added);
    if (rejects->count > 0 && rejects->path != NULL && rejects->status == PB_OK)
        pb_cli_say(import->cli, "what was not stored is in %s", rejects->path);
}

/* Readers in the catalog; 0 where it cannot be read, which the stamper will say. */
static uint64_t
count_readers(struct pb_site *site)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_error ignored;
    uint64_t count = 0;

    if (pb_catalog_view_take(pb_site_catalog(site), &view, &ignored) == PB_OK)
        count = view->reader_count;
    pb_catalog_view_drop(view);
    return count;
}

static struct left_out
sum_up(const struct import *import, const struct pb_load_counts *counts, uint64_t readers_before)
{
    uint64_t readers = count_readers(import->site);
    struct left_out sum = {
        .expired = import->expired_in_store,
        .rejected = counts->rejected - import->expired_in_store + import->rejects.from_parser,
        .readers_added = readers > readers_before ? readers - readers_before : 0,
    };

    for (unsigned i = 0; i < import->worker_count; i++) {
        sum.expired += import->workers[i].expired;
        sum.not_kept += import->workers[i].not_kept;
        sum.rejected += import->workers[i].refused;
    }
    return sum;
}

/* Runs the whole import on an open site; returns an exit code. */
static int
run_import(struct import *import, const struct import_args *args, uint16_t capture_state)
{
    const struct pb_cli_pipeline_work pipeline = {
        .bring = bring,
        .work = work,
        .take = take,
        .finish = finish,
        .context = import,
    };
    struct pb_cli *cli = import->cli;
    uint64_t readers_before = count_readers(import->site);
    struct pb_load_counts counts = { 0 };
    struct pb_error error = { "" };
    int exit_code = PB_CLI_EXIT_OK;
    struct left_out left_out;
    struct pb_cli_owner owner;
    enum pb_status status, rejects_status;
    bool is_complete;

    status = pb_cli_owner_of(import->site, args->agency, capture_state, pb_now_us(cli->env), &owner,
                             &error);
    if (status == PB_OK)
        status = make_workers(import, args, owner.capture_state, &error);
    import->rejects.hides_records = status == PB_OK && !owner.keeps_records;
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);

    status = pb_cli_pipeline_run(cli->env, &pipeline, import->worker_count, import->chunks,
                                 import->chunk_count, sizeof(*import->chunks), &error);
    if (status == PB_OK)
        status = pb_loader_finish(import->loader, &error);
    pb_loader_counts(import->loader, &counts);
    if (status == PB_OK && !args->without_merge && !import->job.interrupt.is_set)
        status =
            pb_store_merge(pb_site_store(import->site), false, &import->job.store_progress, &error);
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
    left_out = sum_up(import, &counts, readers_before);
    is_complete = status == PB_OK && import->inputs.failed == 0 && !import->job.interrupt.is_set;
    put_summary(import, args, &counts, &left_out, is_complete);
    if (!is_complete)
        pb_cli_say(cli, "not all reads are stored: " AGAIN);
    return exit_code;
}

static void
add_options(struct pb_cli_usage *usage, struct import_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "agency",
          .placeholder = "ID",
          .help = "owner of readers that the catalog does not know yet; by default the only agency "
                  "that contributes reads",
          .text = &args->agency },
        { .name = "capture-state",
          .placeholder = "CODE",
          .help =
              "whose law governs what such readers see, such as US-CA; the owner's own state, or "
              "country, by default",
          .text = &args->capture_state },
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
          .size = &args->memory_bytes,
          .number_min = MEMORY_BYTES_MIN,
          .number_max = UINT64_MAX },
        { .name = "no-merge", .help = "leave merging for later", .flag = &args->without_merge },
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
    struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    uint16_t capture_state = 0;
    int exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_input_args_init(&args.input);
    pb_cli_usage_init(&usage, "FILE...", 1, UINT32_MAX,
                      "Stores the reads of files, or of standard input where FILE is -. A record "
                      "that cannot be stored is named by file, line, field and reason, kept in the "
                      "reject file, and stops nothing. Importing the same file again stores "
                      "nothing twice. Each read gets the date at which it must be gone, from its "
                      "owner and the state where it was made; what is past that date, or may not "
                      "be kept at all, is only counted. Prints one line of JSON: how many reads "
                      "were stored, were duplicates, conflicts, rejected, expired or not kept, and "
                      "how long it took.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_input_args_defaults(cli, &args.input, &defaults) ||
        !pb_cli_jurisdiction(cli, "capture-state", args.capture_state, &capture_state))
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
    site_options.memory_bytes = args.memory_bytes;
    if (pb_cli_open_site(cli, args.data, &site_options, &import.site) == PB_OK) {
        begin_mark(cli, args.data);
        exit_code = run_import(&import, &args, capture_state);
        end_mark(cli, args.data);
    }
    import_done(&import);
    exit_code = pb_cli_close_site(cli, import.site, exit_code);
    return pb_cli_job_end(&import.job, exit_code);
}
