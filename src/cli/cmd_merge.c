/*
 * merge: fewer, larger segments.
 */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

static void
put_json(struct pb_cli_out *out, const struct pb_store_stats *before,
         const struct pb_store_stats *after, double seconds)
{
    pb_cli_put_format(out,
                      "{\"segments_before\":%" PRIu64 ",\"segments\":%" PRIu64
                      ",\"bytes_before\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f}\n",
                      before->segments, after->segments, before->bytes, after->bytes, seconds);
}

/* flushed: with the segments of what was only in the log. A merge makes them fewer. */
static void
put_text(struct pb_cli_out *out, const struct pb_store_stats *flushed,
         const struct pb_store_stats *after, double seconds)
{
    if (after->segments == flushed->segments)
        pb_cli_put_format(out,
                          "there was nothing to merge; segments: %" PRIu64 ", bytes: %" PRIu64 "\n",
                          after->segments, after->bytes);
    else
        pb_cli_put_format(out,
                          "%" PRIu64 " segments were merged into %" PRIu64 ", %" PRIu64
                          " bytes into %" PRIu64 ", in %.1f s\n",
                          flushed->segments, after->segments, flushed->bytes, after->bytes,
                          seconds);
}

struct merge {
    struct pb_cli_job job;
    struct pb_cli_job_flags flags;
    bool all;
};

static enum pb_status
merge(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
      struct pb_error *error)
{
    struct merge *work = context;
    struct pb_store *store = pb_site_store(site);
    struct pb_store_stats before, flushed, after;
    enum pb_status status = pb_store_stats(store, &before, error);

    (void)arguments;
    if (status == PB_OK)
        status = pb_store_flush(store, error);
    if (status == PB_OK)
        status = pb_store_stats(store, &flushed, error);
    if (status == PB_OK)
        status = pb_store_merge(store, work->all, &work->job.store_progress, error);
    if (status == PB_OK)
        status = pb_store_stats(store, &after, error);
    pb_cli_job_quiet(&work->job);
    if (status == PB_OK && work->flags.is_json)
        put_json(cli->out, &before, &after, pb_cli_job_seconds(&work->job));
    else if (status == PB_OK)
        put_text(cli->out, &flushed, &after, pb_cli_job_seconds(&work->job));
    return status;
}

int
pb_cmd_merge(struct pb_cli *cli, int argc, char **argv)
{
    struct merge context = { .all = false };
    struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct pb_cli_usage usage;
    const struct pb_cli_option options[] = {
        { .name = "all",
          .help = "until each month is as few segments as the size limit allows",
          .flag = &context.all },
        { .name = "memory",
          .placeholder = "SIZE",
          .help = "memory to work in, such as 2G",
          .size = &site_options.memory_bytes,
          .number_min = UINT64_C(16) << 20,
          .number_max = UINT64_MAX },
    };

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Writes what is only in the log into segments, and merges segments until no "
                      "two are worth merging. Asking goes on meanwhile.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_job_add_flags(&usage, &context.flags);
    return pb_cli_job_at_site(&context.job, cli, &usage, &site_options, &context.flags, argc, argv,
                              merge, &context);
}
