/*
 * demo: a directory to try everything with.
 */
#include <inttypes.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/demo.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/shell.h"

static void
say_commands(const struct pb_cli *cli, const char *directory)
{
    char name[512], from[PB_TIME_BYTES_MAX], to[PB_TIME_BYTES_MAX];
    struct pb_text_out out = pb_text_out(name, sizeof(name) - 1);
    int64_t now_us = pb_now_us(cli->env);

    pb_cli_put_shell(&out, directory);
    *out.at = '\0';
    (void)pb_time_format(now_us - 30 * PB_DAY_US, PB_NO_UTC_OFFSET, from);
    (void)pb_time_format(now_us, PB_NO_UTC_OFFSET, to);
    pb_cli_say(cli, "ask, for example:");
    pb_cli_say(cli,
               "  platebase search --data %s --person plains.investigator --purpose "
               "stolen-vehicle --case 26-1042 --why 'van taken from the depot at night' --plate "
               "RUR7893 --jurisdiction unknown --from %.10s --to %.10s",
               name, from, to);
    pb_cli_say(cli, "others who may ask or look: platebase person list --data %s", name);
    pb_cli_say(cli,
               "a link that signs somebody in: platebase account link --data %s "
               "plains.investigator",
               name);
}

int
pb_cmd_demo(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct pb_cli_demo_counts counts = { 0 };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    struct pb_cli_job job;
    enum pb_status status;
    bool is_quiet = false;
    const struct pb_cli_option quiet = { .name = "quiet",
                                         .help = "no progress bar, and say nothing",
                                         .flag = &is_quiet };
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "DIR", 1, 1,
                      "Makes a data directory to try everything with: two invented agencies that "
                      "contribute reads, in Kansas and California, an invented federal one that "
                      "only asks, their people, a case each, agreements; what the real OpenALPR "
                      "read from drawn pictures; and an invented town. Reads are moved so that the "
                      "newest is of yesterday.");
    pb_cli_usage_add(&usage, &quiet, 1);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    pb_cli_job_begin(&job, cli, is_quiet);
    status = pb_site_create(cli->env, argv[first], &error);
    if (status == PB_OK)
        status = pb_site_open(cli->env, argv[first], &site_options, &site, &error);
    if (status == PB_OK)
        status = pb_cli_demo_fill(cli->env, site, &job.store_progress, &counts, &error);
    pb_cli_job_quiet(&job);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    exit_code = pb_cli_close_site(cli, site, exit_code);
    if (exit_code == PB_CLI_EXIT_OK && !is_quiet) {
        pb_cli_say(cli, "made %s: %" PRIu64 " reads of three feeds, three agencies, twelve people",
                   argv[first], counts.stored);
        say_commands(cli, argv[first]);
    }
    return pb_cli_job_end(&job, exit_code);
}
