/*
 * Query: from options to pb_query, and from results to a table, JSON lines or CSV.
 */
#include "cli/query.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/table.h"
#include "read/read_text.h"

#define LIMIT_DEFAULT 100u

void
pb_cli_query_args_init(struct pb_cli_query_args *args)
{
    *args = (struct pb_cli_query_args){ .limit = LIMIT_DEFAULT };
}

void
pb_cli_query_args_add(struct pb_cli_usage *usage, struct pb_cli_query_args *args,
                      bool is_plate_required)
{
    static const char *const formats[] = { "table", "json", "csv", NULL };
    const struct pb_cli_option options[] = {
        { .name = "plate",
          .placeholder = "PATTERN",
          .help = "plate; ? is any one character, * any number of them, [AB] one of these",
          .is_required = is_plate_required,
          .example = "AB123CD",
          .text = &args->plate },
        { .name = "from",
          .placeholder = "TIME",
          .help = "captured at this time or later: a date, RFC 3339 or milliseconds since 1970",
          .is_required = true,
          .example = "2026-01-01",
          .time_us = &args->from_us },
        { .name = "to",
          .placeholder = "TIME",
          .help = "captured before this time",
          .is_required = true,
          .example = "2027-01-01",
          .time_us = &args->to_us },
        { .name = "edits",
          .placeholder = "N",
          .help = "also plates that differ by up to N characters (0 to 2): replaced, missing or "
                  "too many",
          .number = &args->edits,
          .number_max = 2 },
        { .name = "lookalikes",
          .help = "characters that look alike count as equal: 0OQD, 1I, 8B, 5S, 2Z",
          .flag = &args->with_lookalikes },
        { .name = "no-alternates",
          .help = "do not search the readers' other candidates",
          .flag = &args->without_alternates },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "only plates issued there, such as US-CA or DE",
          .text = &args->jurisdiction },
        { .name = "reader",
          .placeholder = "ID",
          .help = "only reads of this reader",
          .text = &args->reader },
        { .name = "make", .placeholder = "TEXT", .help = "vehicle make", .text = &args->make },
        { .name = "model", .placeholder = "TEXT", .help = "vehicle model", .text = &args->model },
        { .name = "color", .placeholder = "TEXT", .help = "vehicle colour", .text = &args->color },
        { .name = "body", .placeholder = "TEXT", .help = "vehicle body", .text = &args->body },
        { .name = "min-confidence",
          .placeholder = "PERCENT",
          .help = "only reads at least this confident by their reader's own scale",
          .real = &args->confidence_min_percent,
          .real_max = 100 },
        { .name = "history",
          .help = "also older revisions of a read",
          .flag = &args->with_superseded },
        { .name = "limit",
          .placeholder = "N",
          .help = "print at most N reads; 100 by default, 0 for all",
          .number = &args->limit,
          .number_max = UINT64_MAX },
        { .name = "resume",
          .placeholder = "TOKEN",
          .help = "go on after the last read of an earlier answer",
          .text = &args->resume },
        { .name = "format",
          .placeholder = "FORMAT",
          .help = "how to print: table (the default), json (one object a line) or csv",
          .choice = &args->format,
          .choices = formats },
        { .name = "json", .help = "same as --format json", .flag = &args->is_json },
        { .name = "exact-csv",
          .help = "csv for importing again: without the apostrophe that keeps a spreadsheet from "
                  "running a cell",
          .flag = &args->is_exact_csv },
        { .name = "skip-damaged",
          .help = "leave out what is damaged instead of refusing, and say what that is",
          .flag = &args->skips_damaged },
        { .name = "quiet", .help = "no summary", .flag = &args->is_quiet },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

const char *
pb_cli_match_word(enum pb_match match)
{
    switch (match) {
    case PB_MATCH_EXACT:
        return "exact";
    case PB_MATCH_PATTERN:
        return "pattern";
    case PB_MATCH_LOOKALIKE:
        return "look-alike";
    case PB_MATCH_EDITS:
        return "edits";
    }
    return "";
}

/* ---- the table ---- */

static const struct pb_cli_column columns[] = {
    { "CAPTURED", false },   { "PLATE", false },   { "ISSUED", false }, { "READER", false },
    { "POSITION", false },   { "HEADING", true },  { "CONFIDENCE", true },
    { "VEHICLE", false },    { "MATCH", false },
};
#define COLUMN_COUNT ((unsigned)(sizeof(columns) / sizeof(columns[0])))

static void
put_words(struct pb_text_out *out, const struct pb_read *read)
{
    const struct pb_str words[] = { read->color, read->make, read->model, read->body };
    const char *gap = "";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].bytes == 0)
            continue;
        pb_put_text(out, gap);
        pb_put_str(out, words[i]);
        gap = " ";
    }
    if (read->year == 0)
        return;
    pb_put_text(out, gap);
    pb_put_u64(out, read->year);
    if (read->year_last != 0) {
        pb_put_text(out, "-");
        pb_put_u64(out, read->year_last);
    }
}

static void
put_match(struct pb_text_out *out, const struct pb_result *result)
{
    pb_put_text(out, pb_cli_match_word(result->match));
    if (result->edits > 0) {
        pb_put_text(out, " ");
        pb_put_u64(out, result->edits);
    }
    if (result->alternate > 0) {
        pb_put_text(out, ", alternate ");
        pb_put_u64(out, result->alternate);
        if (result->alternate <= result->read.alternate_count) {
            pb_put_text(out, " ");
            pb_put_str(out, result->read.alternates[result->alternate - 1].plate);
        }
    }
    if (result->read.is_correction)
        pb_put_text(out, ", corrected");
    if (result->read.is_superseded)
        pb_put_text(out, ", superseded");
}

/* Writes what column number `column` shows of a result. */
static void
put_column(struct pb_text_out *out, unsigned column, const struct pb_result *result)
{
    const struct pb_read *read = &result->read;
    char time_text[PB_TIME_BYTES_MAX];

    switch (column) {
    case 0:
        (void)pb_time_format(read->captured_at_us, read->utc_offset_min, time_text);
        pb_put_text(out, time_text);
        break;
    case 1:
        pb_put_str(out, read->plate);
        break;
    case 2:
        pb_put_text(out, pb_jurisdiction_name(read->jurisdiction));
        break;
    case 3:
        pb_put_str(out, read->reader);
        break;
    case 4:
        if (read->lat_e7 == PB_NO_POSITION)
            break;
        pb_put_fixed(out, read->lat_e7, 7, 5);
        pb_put_text(out, ",");
        pb_put_fixed(out, read->lon_e7, 7, 5);
        break;
    case 5:
        if (read->heading_cdeg != PB_NO_HEADING)
            pb_put_fixed(out, read->heading_cdeg, 2, 0);
        break;
    case 6:
        if (read->confidence_scale != PB_SCALE_NONE && read->confidence_e6 != PB_NO_CONFIDENCE)
            pb_put_fixed(out, read->confidence_e6, 6, 0);
        if (read->confidence_scale == PB_SCALE_PERCENT)
            pb_put_text(out, " %");
        break;
    case 7:
        put_words(out, read);
        break;
    default:
        put_match(out, result);
        break;
    }
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_result *result)
{
    /* Fits the longest cell: four vehicle words, or two plates with their marks. */
    char text[4 * PB_VEHICLE_TEXT_BYTES_MAX + 128];

    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        struct pb_text_out out = pb_text_out(text, sizeof(text));
        enum pb_status status;

        put_column(&out, i, result);
        status = pb_cli_table_cell(table, text, (size_t)(out.at - text));
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* ---- answers ---- */

struct answer {
    struct pb_cli *cli;
    const struct pb_cli_query_args *args;
    enum pb_cli_query_format format;
    struct pb_cli_table table;
    uint64_t count;
    char token[PB_TOKEN_BYTES_MAX]; /* empty: that was all */
};

static enum pb_status
put_result(struct answer *answer, const struct pb_result *result)
{
    struct pb_cli_out *out = answer->cli->out;
    char text[PB_READ_TEXT_BYTES_MAX];

    switch (answer->format) {
    case PB_CLI_QUERY_TABLE:
        return put_row(&answer->table, result);
    case PB_CLI_QUERY_JSON:
        pb_cli_put_bytes(out, text, pb_read_to_json(&result->read, result, text));
        pb_cli_put_text(out, "\n");
        return PB_OK;
    case PB_CLI_QUERY_CSV:
        pb_cli_put_bytes(out, text,
                         pb_read_to_csv(&result->read, !answer->args->is_exact_csv, text));
        return PB_OK;
    }
    return PB_OK;
}

/* Prints up to the limit; takes a token where more would follow. */
static enum pb_status
put_results(struct answer *answer, struct pb_cursor *cursor, struct pb_error *error)
{
    uint64_t limit = answer->args->limit;

    while (pb_cli_out_is_open(answer->cli->out)) {
        struct pb_result result;
        enum pb_status status;

        if (limit > 0 && answer->count == limit) {
            status = pb_cursor_token(cursor, answer->token);
            if (status != PB_OK)
                return pb_fail(error, status, "no token to go on with");
        }
        status = pb_cursor_next(cursor, &result, error);
        if (status == PB_END)
            answer->token[0] = '\0';
        if (status != PB_OK || answer->token[0] != '\0')
            return status == PB_END ? PB_OK : status;
        status = put_result(answer, &result);
        if (status != PB_OK)
            return pb_fail(error, status, "no memory to print a read");
        answer->count++;
    }
    return PB_OK;
}

/* On standard error, so that standard output holds reads only. */
static void
put_summary(const struct answer *answer, double seconds)
{
    const struct pb_cli *cli = answer->cli;

    if (answer->args->is_quiet || !pb_cli_out_is_open(cli->out))
        return;
    if (answer->count == 0)
        pb_cli_say(cli, "no reads (%.1f ms)", seconds * 1e3);
    else
        pb_cli_say(cli, "%" PRIu64 " read%s (%.1f ms)", answer->count,
                   answer->count == 1 ? "" : "s", seconds * 1e3);
    if (answer->token[0] != '\0')
        pb_cli_say(cli, "there are more: --resume %s", answer->token);
}

/* Fills a query; false after a usage error. */
static bool
fill_query(const struct pb_cli *cli, const struct pb_cli_query_args *args,
           const struct pb_geo_area *area, struct pb_query *ret_query)
{
    uint16_t jurisdiction = 0;

    if (args->from_us >= args->to_us) {
        (void)pb_cli_usage_error(cli, "--from must be before --to: nothing can be found between "
                                 "them");
        return false;
    }
    if (!pb_cli_jurisdiction(cli, args->jurisdiction, &jurisdiction))
        return false;
    *ret_query = (struct pb_query){
        .plate = pb_str_from(args->plate),
        .edits = (unsigned)args->edits,
        .with_lookalikes = args->with_lookalikes,
        .without_alternates = args->without_alternates,
        .with_superseded = args->with_superseded,
        .area = area,
        .from_us = args->from_us,
        .to_us = args->to_us,
        .jurisdiction = jurisdiction,
        .reader = pb_str_from(args->reader),
        .make = pb_str_from(args->make),
        .model = pb_str_from(args->model),
        .color = pb_str_from(args->color),
        .body = pb_str_from(args->body),
        .confidence_min_permille = (int)lround(args->confidence_min_percent * 10),
        .resume = pb_str_from(args->resume),
    };
    return true;
}

int
pb_cli_query_run(struct pb_cli *cli, const struct pb_cli_query_args *args,
                 const struct pb_geo_area *area)
{
    struct answer answer = {
        .cli = cli,
        .args = args,
        .format = args->is_json ? PB_CLI_QUERY_JSON : (enum pb_cli_query_format)args->format,
    };
    const struct pb_store_options options = {
        .is_read_only = true,
        .skips_damaged = args->skips_damaged,
    };
    struct pb_error error = { "" };
    struct pb_store *store = NULL;
    struct pb_cursor *cursor = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    enum pb_status status;
    struct pb_query query;
    int64_t started_ns;

    if (!fill_query(cli, args, area, &query))
        return PB_CLI_EXIT_USAGE;
    query.on_damage = args->skips_damaged ? pb_cli_tell_damage : NULL;
    query.damage_context = cli;
    if (pb_cli_open_store(cli, args->data, &options, &store) != PB_OK)
        return PB_CLI_EXIT_FAILURE;

    started_ns = pb_monotonic_ns(cli->env);
    status = pb_store_search(store, &query, &cursor, &error);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        /* What the store refuses to be asked was asked wrongly. */
        if (status == PB_BAD_INPUT || status == PB_OVER_LIMIT)
            exit_code = PB_CLI_EXIT_USAGE;
        goto out;
    }
    if (answer.format == PB_CLI_QUERY_TABLE) {
        status = pb_cli_table_init(&answer.table, cli->env, cli->out, columns, COLUMN_COUNT);
        if (status != PB_OK) {
            exit_code = pb_cli_failure(cli, status, NULL);
            goto out;
        }
    } else if (answer.format == PB_CLI_QUERY_CSV) {
        pb_cli_put_text(cli->out, pb_csv_header);
    }
    status = put_results(&answer, cursor, &error);
    /* Also after a failure: what was found before it is true. */
    if (answer.format == PB_CLI_QUERY_TABLE)
        pb_cli_table_flush(&answer.table);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    status = pb_cli_out_flush(cli->out, "standard output", &error);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    put_summary(&answer, (double)(pb_monotonic_ns(cli->env) - started_ns) / 1e9);
    exit_code = PB_CLI_EXIT_OK;

out:
    pb_cli_table_done(&answer.table);
    pb_cursor_free(cursor);
    pb_store_close(store);
    return exit_code;
}
