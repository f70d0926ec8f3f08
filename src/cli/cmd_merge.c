/*
 * merge: fewer, larger segments.
 */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

static void
put_counts(struct pb_cli_out *out, const struct pb_store_stats *before,
           const struct pb_store_stats *after, double seconds, bool is_json)
{
    if (is_json)
        pb_cli_put_format(out,
                          "{\"segments_before\":%" PRIu64 ",\"segments\":%" PRIu64
                          ",\"bytes_before\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f}\n",
                          before->segments, after->segments, before->bytes, after->bytes, seconds);
    else
        pb_cli_put_format(out,
                          "%" PRIu64 " segments were merged into %" PRIu64 ", %" PRIu64
                          " bytes into %" PRIu64 ", in %.1f s\n",
                          before->segments, after->segments, before->bytes, after->bytes, seconds);
}

int
pb_cmd_merge(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_store_stats before, after;
    struct pb_error error = { "" };
    struct pb_store *store;
    struct pb_site *site = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    const char *data = NULL;
    bool all = false, is_json = false, is_quiet = false;
    struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    const struct pb_cli_option options[] = {
        { .name = "all",
          .help = "until each month is as few segments as the size limit allows",
          .flag = &all },
        { .name = "memory",
          .placeholder = "SIZE",
          .help = "memory to work in, such as 2G",
          .size = &site_options.memory_bytes,
          .number_min = UINT64_C(16) << 20,
          .number_max = UINT64_MAX },
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &is_quiet },
    };
    int first, exit_code = PB_CLI_EXIT_FAILURE;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Writes what is only in the log into segments, and merges segments until no "
                      "two are worth merging. Asking goes on meanwhile.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet || is_json);
    if (pb_cli_open_site(cli, data, &site_options, &site) != PB_OK)
        goto out;
    store = pb_site_store(site);
    status = pb_store_stats(store, &before, &error);
    if (status == PB_OK)
        status = pb_store_flush(store, &error);
    if (status == PB_OK)
        status = pb_store_merge(store, all, &job.store_progress, &error);
    if (status == PB_OK)
        status = pb_store_stats(store, &after, &error);
    pb_cli_job_quiet(&job);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    put_counts(cli->out, &before, &after, pb_cli_job_seconds(&job), is_json);
    exit_code = PB_CLI_EXIT_OK;

out:
    exit_code = pb_cli_close_site(cli, site, exit_code);
    return pb_cli_job_end(&job, exit_code);
}
