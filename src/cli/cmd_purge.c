/*
 * purge: expired and erased reads, gone from disk, and a receipt of what went.
 */
#include <inttypes.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

struct report {
    struct pb_cli *cli;
    struct pb_cli_job job;
    struct pb_cli_job_flags flags;
    struct pb_actor actor;
    uint64_t lines; /* of the receipt */
};

/* One agency and one day, as it comes. */
static bool
put_line(void *context, const struct pb_purge_receipt_line *line)
{
    struct report *report = context;
    struct pb_cli_out *out = report->cli->out;
    char day[PB_TIME_BYTES_MAX];

    pb_cli_job_quiet(&report->job);
    (void)pb_time_format(line->day * PB_DAY_US, PB_NO_UTC_OFFSET, day);
    if (report->flags.is_json) {
        pb_cli_put_text(out, report->lines == 0 ? "{\"receipt\":[{\"agency\":" : ",{\"agency\":");
        pb_cli_put_json(out, line->agency.text, line->agency.bytes);
        pb_cli_put_format(out, ",\"day\":\"%.10s\",\"why\":\"%s\",\"reads\":%" PRIu64 "}", day,
                          line->why, line->reads);
    } else {
        pb_cli_put_format(out, "%.10s  %.*s  %" PRIu64 " reads  %s\n", day, (int)line->agency.bytes,
                          line->agency.text, line->reads, line->why);
    }
    report->lines++;
    return true;
}

static void
put_counts(const struct report *report, const struct pb_purge_counts *counts)
{
    struct pb_cli_out *out = report->cli->out;
    double seconds = pb_cli_job_seconds(&report->job);
    char size[PB_CLI_HUMAN_BYTES];

    if (report->flags.is_json) {
        pb_cli_put_text(out, report->lines == 0 ? "{\"receipt\":[]" : "]");
        pb_cli_put_format(out,
                          ",\"reads_removed\":%" PRIu64 ",\"segments_dropped\":%" PRIu64
                          ",\"segments_rewritten\":%" PRIu64 ",\"bytes_freed\":%" PRIu64
                          ",\"seconds\":%.3f}\n",
                          counts->reads_removed, counts->segments_dropped,
                          counts->segments_rewritten, counts->bytes_freed, seconds);
        return;
    }
    pb_cli_put_format(out,
                      "%" PRIu64 " reads removed, %sB freed (%" PRIu64 " segments dropped, "
                      "%" PRIu64 " rewritten) in %.1f s\n",
                      counts->reads_removed, pb_cli_human((double)counts->bytes_freed, size),
                      counts->segments_dropped, counts->segments_rewritten, seconds);
}

static enum pb_status
purge(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
      struct pb_error *error)
{
    struct report *report = context;
    struct pb_purge_counts counts = { 0 };
    enum pb_status status = pb_site_purge(site, &report->actor, &report->job.store_progress,
                                          put_line, report, &counts, error);

    (void)arguments;
    pb_cli_job_quiet(&report->job);
    if (status == PB_OK)
        put_counts(report, &counts);
    else if (report->flags.is_json && report->lines > 0)
        pb_cli_put_text(cli->out, "],\"complete\":false}\n");
    return status;
}

int
pb_cmd_purge(struct pb_cli *cli, int argc, char **argv)
{
    struct report report = { .cli = cli };
    struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct pb_cli_usage usage;
    const struct pb_cli_option options[] = {
        { .name = "memory",
          .placeholder = "SIZE",
          .help = "memory to work in, such as 2G",
          .size = &site_options.memory_bytes,
          .number_min = UINT64_C(16) << 20,
          .number_max = UINT64_MAX },
        { .name = "person",
          .placeholder = "ID",
          .help = "who has it done, for the record; the operator of the machine by default",
          .text = &report.actor.person },
    };

    pb_cli_usage_init(
        &usage, "", 0, 0,
        "Brings the dates of stored reads in line with today's rules and legal holds, "
        "then removes from disk every read that has expired or was erased. No "
        "question finds such reads even before. Prints a receipt, how many reads of "
        "which agency and day are gone and why, which goes into the audit logs, too.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    pb_cli_job_add_flags(&usage, &report.flags);
    return pb_cli_job_at_site(&report.job, cli, &usage, &site_options, &report.flags, argc, argv,
                              purge, &report);
}
