/*
 * stats: how much a data directory holds.
 */
#include <inttypes.h>

#include "base/time.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/progress.h"

static double
bytes_per_read(const struct pb_store_stats *stats)
{
    return stats->reads > 0 ? (double)stats->bytes / (double)stats->reads : 0;
}

static void
put_json(struct pb_cli_out *out, const struct pb_store_stats *stats)
{
    pb_cli_put_format(out,
                      "{\"reads\":%" PRIu64 ",\"plates\":%" PRIu64 ",\"bytes\":%" PRIu64
                      ",\"bytes_per_read\":%.3f,\"segments\":%" PRIu64 ",\"partitions\":%" PRIu64
                      ",\"buffered\":%" PRIu64 ",\"erasures\":%" PRIu64,
                      stats->reads, stats->plates, stats->bytes, bytes_per_read(stats),
                      stats->segments, stats->partitions, stats->buffered_reads, stats->erasures);
    if (stats->oldest_us <= stats->newest_us) {
        pb_cli_put_text(out, ",\"oldest\":");
        pb_cli_put_json_time(out, stats->oldest_us);
        pb_cli_put_text(out, ",\"newest\":");
        pb_cli_put_json_time(out, stats->newest_us);
    } else {
        pb_cli_put_text(out, ",\"oldest\":null,\"newest\":null");
    }
    pb_cli_put_format(out, ",\"commit\":%" PRIu64 ",\"memory_bytes\":%" PRIu64 "}\n", stats->commit,
                      stats->memory_bytes);
}

static void
put_text(struct pb_cli_out *out, const struct pb_store_stats *stats)
{
    char oldest[PB_TIME_BYTES_MAX] = "-", newest[PB_TIME_BYTES_MAX] = "-";
    char size[PB_CLI_HUMAN_BYTES];

    if (stats->oldest_us <= stats->newest_us) {
        (void)pb_time_format(stats->oldest_us, PB_NO_UTC_OFFSET, oldest);
        (void)pb_time_format(stats->newest_us, PB_NO_UTC_OFFSET, newest);
    }
    pb_cli_put_format(out, "reads           %" PRIu64 "\n", stats->reads);
    pb_cli_put_format(out, "plates          %" PRIu64 " (at most)\n", stats->plates);
    pb_cli_put_format(out, "bytes on disk   %" PRIu64 " (%sB)\n", stats->bytes,
                      pb_cli_human((double)stats->bytes, size));
    pb_cli_put_format(out, "bytes per read  %.2f\n", bytes_per_read(stats));
    pb_cli_put_format(out, "segments        %" PRIu64 " in %" PRIu64 " partitions\n",
                      stats->segments, stats->partitions);
    pb_cli_put_format(out, "in the log      %" PRIu64 " reads\n", stats->buffered_reads);
    pb_cli_put_format(out, "erasures        %" PRIu64 " not yet applied for good\n",
                      stats->erasures);
    pb_cli_put_format(out, "oldest read     %s\n", oldest);
    pb_cli_put_format(out, "newest read     %s\n", newest);
    pb_cli_put_format(out, "newest commit   %" PRIu64 "\n", stats->commit);
}

static enum pb_status
tell(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
     struct pb_error *error)
{
    const bool *is_json = context;
    struct pb_store_stats stats;
    enum pb_status status = pb_store_stats(pb_site_store(site), &stats, error);

    (void)arguments;
    if (status == PB_OK && *is_json)
        put_json(cli->out, &stats);
    else if (status == PB_OK)
        put_text(cli->out, &stats);
    return status;
}

int
pb_cmd_stats(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct pb_cli_usage usage;
    bool is_json = false;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &is_json },
        { .name = "skip-damaged",
          .help = "leave damaged segments out instead of refusing; verify tells what is missing",
          .flag = &site_options.skips_damaged },
    };

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Says how many reads a data directory holds, and in how many bytes. It tells "
                      "nothing of any one plate, so it asks for no purpose.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, tell, &is_json);
}
