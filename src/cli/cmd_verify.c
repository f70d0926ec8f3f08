/*
 * verify: every byte of a data directory, checked: reads, catalog, audit logs; each damaged place
 * named.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "catalog/catalog.h"
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/options.h"

struct report {
    struct pb_cli *cli;
    struct pb_cli_job job;
    const char *data;
    bool is_json;
    uint64_t count; /* damaged places told so far */
    struct pb_verify_counts reads;
    uint64_t logs, leaves;
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

/* ---- parts ---- */

/* DIR/<name>; PB_OVER_LIMIT where that is too long. */
static enum pb_status
path_of(const struct report *report, const char *name, char ret_path[PB_PATH_BYTES_MAX],
        struct pb_error *error)
{
    int length = snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/%s", report->data, name);

    if (length < 0 || (size_t)length >= PB_PATH_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    return PB_OK;
}

static enum pb_status
verify_reads(struct report *report, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = path_of(report, "reads", path, error);

    if (status != PB_OK)
        return status;
    return pb_store_verify(report->cli->env, path, put_damage, report, &report->job.store_progress,
                           &report->reads, error);
}

/* A part that does not open is a damaged place; only what is no such part at all is a failure. */
static enum pb_status
note_unopened(struct report *report, const char *path, enum pb_status status,
              struct pb_error *error)
{
    if (status != PB_E_CORRUPT)
        return status;
    put_damage(report, path, 0, error->message);
    return PB_OK;
}

static enum pb_status
verify_catalog(struct report *report, struct pb_error *error)
{
    struct pb_catalog *catalog = NULL;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = path_of(report, "catalog.db", path, error);

    if (status != PB_OK)
        return status;
    status = pb_catalog_open(report->cli->env, path, true, &catalog, error);
    pb_catalog_close(catalog);
    return note_unopened(report, path, status, error);
}

struct log_walk {
    struct report *report;
    enum pb_status status;
    struct pb_error *error;
};

static void
put_wrong(void *context, const char *file, const char *what)
{
    put_damage(context, file, 0, what);
}

static bool
verify_log(void *context, const struct pb_audit_log_info *info)
{
    struct log_walk *walk = context;
    struct report *report = walk->report;
    struct pb_audit_check check = { 0 };

    walk->status = pb_audit_verify_log(report->cli->env, info->path, info->vkey, NULL, put_wrong,
                                       report, &check, walk->error);
    report->logs++;
    report->leaves += check.leaves;
    return walk->status == PB_OK;
}

static enum pb_status
verify_logs(struct report *report, struct pb_error *error)
{
    const struct pb_audit_options options = { .is_read_only = true };
    struct log_walk walk = { .report = report, .error = error };
    char path[PB_PATH_BYTES_MAX], keys_path[PB_PATH_BYTES_MAX];
    struct pb_audit *audit = NULL;
    enum pb_status status = path_of(report, "audit", path, error);

    if (status == PB_OK)
        status = path_of(report, "keys", keys_path, error);
    if (status == PB_OK && access(keys_path, F_OK) != 0) {
        pb_cli_say(report->cli,
                   "'%s' is not there, as in a backup: the audit logs are not checked; "
                   "copy public/ of them and use 'platebase audit verify PATH --vkey KEY'",
                   keys_path);
        return PB_OK;
    }
    if (status == PB_OK)
        status =
            note_unopened(report, path,
                          pb_audit_open(report->cli->env, path, keys_path, &options, &audit, error),
                          error);
    if (status != PB_OK || audit == NULL)
        return status;
    status = pb_audit_each_log(audit, verify_log, &walk, error);
    if (status == PB_OK)
        status = walk.status;
    if (pb_audit_close(audit, NULL) != PB_OK && status == PB_OK)
        status = pb_fail(error, PB_E_IO, "%s: cannot be closed", path);
    return status;
}

/* ---- answer ---- */

static void
put_counts(const struct report *report)
{
    const struct pb_verify_counts *counts = &report->reads;
    double seconds = pb_cli_job_seconds(&report->job);
    struct pb_cli_out *out = report->cli->out;

    if (report->is_json) {
        pb_cli_put_text(out, report->count == 0 ? "{\"damage\":[]" : "]");
        pb_cli_put_format(out,
                          ",\"files\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"reads\":%" PRIu64
                          ",\"logs\":%" PRIu64 ",\"leaves\":%" PRIu64 ",\"damaged\":%" PRIu64
                          ",\"seconds\":%.3f}\n",
                          counts->files, counts->blocks, counts->reads, report->logs,
                          report->leaves, report->count, seconds);
        return;
    }
    pb_cli_put_format(out,
                      "%" PRIu64 " files, %" PRIu64 " blocks, %" PRIu64 " reads, the catalog, "
                      "%" PRIu64 " audit logs with %" PRIu64 " entries checked in %.1f s: ",
                      counts->files, counts->blocks, counts->reads, report->logs, report->leaves,
                      seconds);
    if (report->count == 0)
        pb_cli_put_text(out, "no damage\n");
    else
        pb_cli_put_format(out, "%" PRIu64 " damaged place%s\n", report->count,
                          report->count == 1 ? "" : "s");
}

int
pb_cmd_verify(struct pb_cli *cli, int argc, char **argv)
{
    struct report report = { .cli = cli };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "json", .help = "one JSON object", .flag = &report.is_json },
        { .name = "quiet", .help = "no progress bar", .flag = &is_quiet },
    };
    int first, exit_code;

    pb_cli_usage_init(
        &usage, "", 0, 0,
        "Reads every byte of the reads and checks it against its checksums, checks the "
        "catalog, and computes every audit log anew from its entries; names each "
        "damaged place by file and offset. Changes nothing. Leaves with 1 where "
        "there is damage.");
    pb_cli_usage_add_data(&usage, &report.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_is_site(cli, report.data))
        return PB_CLI_EXIT_FAILURE;

    pb_cli_job_begin(&report.job, cli, is_quiet || report.is_json);
    status = verify_reads(&report, &error);
    if (status == PB_OK)
        status = verify_catalog(&report, &error);
    if (status == PB_OK)
        status = verify_logs(&report, &error);
    pb_cli_job_quiet(&report.job);
    if (status == PB_OK) {
        put_counts(&report);
        exit_code = report.count == 0 ? PB_CLI_EXIT_OK : PB_CLI_EXIT_FAILURE;
    } else {
        if (report.is_json && report.count > 0)
            put_counts(&report);
        exit_code = pb_cli_failure(cli, status, &error);
    }
    return pb_cli_job_end(&report.job, exit_code);
}
