/*
 * verify: every byte of a store, checked; each damaged place named.
 */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

struct report {
    struct pb_cli *cli;
    bool is_json;
    uint64_t count;
};

static void
put_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    struct report *report = context;
    struct pb_cli_out *out = report->cli->out;

    if (!report->is_json) {
        pb_cli_say(report->cli, "damaged: %s at byte %" PRIu64 ": %s", file, offset, what);
        report->count++;
        return;
    }
    pb_cli_put_text(out, report->count == 0 ? "{\"damage\":[" : ",");
    pb_cli_put_text(out, "{\"file\":");
    pb_cli_put_json_text(out, file);
    pb_cli_put_format(out, ",\"offset\":%" PRIu64 ",\"what\":", offset);
    pb_cli_put_json_text(out, what);
    pb_cli_put_text(out, "}");
    report->count++;
}

static void
put_counts(const struct report *report, const struct pb_verify_counts *counts, double seconds)
{
    struct pb_cli_out *out = report->cli->out;

    if (report->is_json) {
        pb_cli_put_text(out, report->count == 0 ? "{\"damage\":[]" : "]");
        pb_cli_put_format(out,
                          ",\"files\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"reads\":%" PRIu64
                          ",\"damaged\":%" PRIu64 ",\"seconds\":%.3f}\n",
                          counts->files, counts->blocks, counts->reads, counts->damaged,
                          seconds);
        return;
    }
    pb_cli_put_format(out,
                      "%" PRIu64 " files, %" PRIu64 " blocks, %" PRIu64 " reads checked in "
                      "%.1f s: ",
                      counts->files, counts->blocks, counts->reads, seconds);
    if (counts->damaged == 0)
        pb_cli_put_text(out, "no damage\n");
    else
        pb_cli_put_format(out, "%" PRIu64 " damaged place%s\n", counts->damaged,
                          counts->damaged == 1 ? "" : "s");
}

int
pb_cmd_verify(struct pb_cli *cli, int argc, char **argv)
{
    struct report report = { .cli = cli };
    struct pb_verify_counts counts = { 0 };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    const char *data = NULL;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &report.is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &is_quiet },
    };
    int first, exit_code;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Reads every byte of a store and checks it against its checksums; names each "
                      "damaged place by file and offset. Changes nothing. Leaves with 1 "
                      "where there is damage.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet || report.is_json);
    status = pb_store_verify(cli->env, data, put_damage, &report, &job.store_progress, &counts,
                             &error);
    pb_cli_job_quiet(&job);
    if (status == PB_OK) {
        put_counts(&report, &counts, pb_cli_job_seconds(&job));
        exit_code = counts.damaged == 0 ? PB_CLI_EXIT_OK : PB_CLI_EXIT_FAILURE;
    } else {
        if (report.is_json && report.count > 0)
            put_counts(&report, &counts, pb_cli_job_seconds(&job));
        exit_code = pb_cli_failure(cli, status, &error);
    }
    return pb_cli_job_end(&job, exit_code);
}
