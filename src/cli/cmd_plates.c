/*
 * plates: the distinct plates that fit a pattern, with how often and when they were read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query.h"
#include "cli/table.h"

#define LIMIT_DEFAULT 100u

static const struct pb_cli_column columns[] = {
    { "PLATE", false }, { "ISSUED", false }, { "READS", true },
    { "FIRST", false }, { "LAST", false },   { "MATCH", false },
};
#define COLUMN_COUNT ((unsigned)(sizeof(columns) / sizeof(columns[0])))

struct answer {
    struct pb_cli *cli;
    struct pb_cli_table table;
    bool is_json;
    uint64_t limit, count; /* limit 0: none */
    bool has_more;
    enum pb_status status;
};

static void
put_json(struct pb_cli_out *out, const struct pb_plate_count *plate)
{
    pb_cli_put_text(out, "{\"plate\":");
    pb_cli_put_json(out, plate->plate.text, plate->plate.bytes);
    if (plate->jurisdiction != 0) {
        pb_cli_put_text(out, ",\"jurisdiction\":");
        pb_cli_put_json_text(out, pb_jurisdiction_name(plate->jurisdiction));
    }
    pb_cli_put_format(out, ",\"reads\":%" PRIu64 ",\"first\":", plate->reads);
    pb_cli_put_json_time(out, plate->first_us);
    pb_cli_put_text(out, ",\"last\":");
    pb_cli_put_json_time(out, plate->last_us);
    pb_cli_put_text(out, ",\"match\":");
    /* As in the reads of search: docs/formats/native-ndjson.md. */
    pb_cli_put_json_text(out, plate->match == PB_MATCH_LOOKALIKE
                                  ? "lookalike"
                                  : pb_cli_match_word(plate->match));
    if (plate->edits > 0)
        pb_cli_put_format(out, ",\"edits\":%u", plate->edits);
    pb_cli_put_text(out, "}\n");
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_plate_count *plate)
{
    char first[PB_TIME_BYTES_MAX], last[PB_TIME_BYTES_MAX], reads[24], match[32];
    struct pb_str cells[COLUMN_COUNT];
    enum pb_status status = PB_OK;

    (void)pb_time_format(plate->first_us, PB_NO_UTC_OFFSET, first);
    (void)pb_time_format(plate->last_us, PB_NO_UTC_OFFSET, last);
    (void)snprintf(reads, sizeof(reads), "%" PRIu64, plate->reads);
    if (plate->edits > 0)
        (void)snprintf(match, sizeof(match), "%s %u", pb_cli_match_word(plate->match),
                       plate->edits);
    else
        (void)snprintf(match, sizeof(match), "%s", pb_cli_match_word(plate->match));
    cells[0] = plate->plate;
    cells[1] = pb_str_from(pb_jurisdiction_name(plate->jurisdiction));
    cells[2] = pb_str_from(reads);
    cells[3] = pb_str_from(first);
    cells[4] = pb_str_from(last);
    cells[5] = pb_str_from(match);
    for (unsigned i = 0; i < COLUMN_COUNT && status == PB_OK; i++)
        status = pb_cli_table_cell(table, cells[i].text, cells[i].bytes);
    return status;
}

static bool
put_plate(void *context, const struct pb_plate_count *plate)
{
    struct answer *answer = context;

    if (answer->limit > 0 && answer->count == answer->limit) {
        answer->has_more = true;
        return false;
    }
    answer->count++;
    if (answer->is_json)
        put_json(answer->cli->out, plate);
    else
        answer->status = put_row(&answer->table, plate);
    return answer->status == PB_OK && pb_cli_out_is_open(answer->cli->out);
}

static void
put_summary(const struct answer *answer, double seconds)
{
    if (answer->count == 0)
        pb_cli_say(answer->cli, "no plates (%.1f ms)", seconds * 1e3);
    else
        pb_cli_say(answer->cli, "%" PRIu64 " plate%s (%.1f ms)%s", answer->count,
                   answer->count == 1 ? "" : "s", seconds * 1e3,
                   answer->has_more ? "; there are more: raise --limit" : "");
}

static void
tell_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    struct answer *answer = context;

    pb_cli_tell_damage(answer->cli, file, offset, what);
}

int
pb_cmd_plates(struct pb_cli *cli, int argc, char **argv)
{
    struct answer answer = { .cli = cli, .limit = LIMIT_DEFAULT };
    const char *data = NULL, *jurisdiction_text = NULL;
    bool with_lookalikes = false, is_quiet = false;
    struct pb_store_options store_options = { .is_read_only = true };
    uint64_t edits = 0;
    const struct pb_cli_option options[] = {
        { .name = "edits",
          .placeholder = "N",
          .help = "also plates that differ by up to N characters (0 to 2)",
          .number = &edits,
          .number_max = 2 },
        { .name = "lookalikes",
          .help = "characters that look alike count as equal: 0OQD, 1I, 8B, 5S, 2Z",
          .flag = &with_lookalikes },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "only plates issued there, such as US-CA or DE",
          .text = &jurisdiction_text },
        { .name = "limit",
          .placeholder = "N",
          .help = "print at most N plates; 100 by default, 0 for all",
          .number = &answer.limit,
          .number_max = UINT64_MAX },
        { .name = "json", .help = "one JSON object a line", .flag = &answer.is_json },
        { .name = "skip-damaged",
          .help = "leave out what is damaged instead of refusing, and say what that is",
          .flag = &store_options.skips_damaged },
        { .name = "quiet", .help = "no summary", .flag = &is_quiet },
    };
    struct pb_error error = { "" };
    struct pb_store *store = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    uint16_t jurisdiction;
    int64_t started_ns;
    int first;

    pb_cli_usage_init(&usage, "PATTERN", 1, 1,
                      "Lists the distinct plates that fit a pattern, with how often, when first "
                      "and when last each was read. In a pattern ? is any one character, * any "
                      "number of them, and [AB] one of these; quote it, so that the shell leaves "
                      "it alone.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_jurisdiction(cli, jurisdiction_text, &jurisdiction))
        return PB_CLI_EXIT_USAGE;
    if (pb_cli_open_store(cli, data, &store_options, &store) != PB_OK)
        return PB_CLI_EXIT_FAILURE;

    if (!answer.is_json) {
        answer.status =
            pb_cli_table_init(&answer.table, cli->env, cli->out, columns, COLUMN_COUNT);
        if (answer.status != PB_OK)
            goto out;
    }
    started_ns = pb_monotonic_ns(cli->env);
    status = pb_store_plates(store, pb_str_from(argv[first]), (unsigned)edits, with_lookalikes,
                             jurisdiction, put_plate,
                             store_options.skips_damaged ? tell_damage : NULL, &answer, &error);
    if (!answer.is_json)
        pb_cli_table_flush(&answer.table);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        if (status == PB_BAD_INPUT || status == PB_OVER_LIMIT)
            exit_code = PB_CLI_EXIT_USAGE;
        goto out;
    }
    status = pb_cli_out_flush(cli->out, "standard output", &error);
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
        goto out;
    }
    if (!is_quiet)
        put_summary(&answer, (double)(pb_monotonic_ns(cli->env) - started_ns) / 1e9);
    exit_code = PB_CLI_EXIT_OK;

out:
    if (answer.status != PB_OK)
        exit_code = pb_cli_failure(cli, answer.status, NULL);
    pb_cli_table_done(&answer.table);
    pb_store_close(store);
    return exit_code;
}
