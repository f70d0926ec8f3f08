/*
 * purge: expired and erased reads, gone from disk.
 */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

static void
put_counts(struct pb_cli_out *out, const struct pb_purge_counts *counts, double seconds,
           bool is_json)
{
    char size[PB_CLI_HUMAN_BYTES];

    if (is_json)
        pb_cli_put_format(out,
                          "{\"reads_removed\":%" PRIu64 ",\"segments_dropped\":%" PRIu64
                          ",\"segments_rewritten\":%" PRIu64 ",\"bytes_freed\":%" PRIu64
                          ",\"seconds\":%.3f}\n",
                          counts->reads_removed, counts->segments_dropped,
                          counts->segments_rewritten, counts->bytes_freed, seconds);
    else
        pb_cli_put_format(out,
                          "%" PRIu64 " reads removed, %sB freed (%" PRIu64 " segments dropped, "
                          "%" PRIu64 " rewritten) in %.1f s\n",
                          counts->reads_removed, pb_cli_human((double)counts->bytes_freed, size),
                          counts->segments_dropped, counts->segments_rewritten, seconds);
}

int
pb_cmd_purge(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_purge_counts counts = { 0 };
    struct pb_error error = { "" };
    struct pb_store *store = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    const char *data = NULL;
    bool is_json = false, is_quiet = false;
    struct pb_store_options store_options = { .memory_bytes = 0 };
    const struct pb_cli_option options[] = {
        { .name = "memory",
          .placeholder = "SIZE",
          .help = "memory to work in, such as 2G",
          .size = &store_options.memory_bytes,
          .number_min = UINT64_C(16) << 20,
          .number_max = UINT64_MAX },
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &is_quiet },
    };
    int first, exit_code = PB_CLI_EXIT_FAILURE;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Removes from disk every read that has expired or was erased. No question "
                      "finds such reads even before.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet || is_json);
    if (pb_cli_open_store(cli, data, &store_options, &store) != PB_OK)
        goto out;
    status = pb_store_purge(store, &job.store_progress, &counts, &error);
    pb_cli_job_quiet(&job);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    put_counts(cli->out, &counts, pb_cli_job_seconds(&job), is_json);
    exit_code = PB_CLI_EXIT_OK;

out:
    pb_store_close(store);
    return pb_cli_job_end(&job, exit_code);
}
