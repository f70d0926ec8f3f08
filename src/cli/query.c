/*
 * Query: from options to pb_query.
 */
#include "cli/query.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

void
pb_cli_query_args_add_window(struct pb_cli_usage *usage, struct pb_cli_query_args *args)
{
    const struct pb_cli_option options[] = {
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
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

void
pb_cli_query_args_add_plate(struct pb_cli_usage *usage, struct pb_cli_query_args *args,
                            bool is_plate_required)
{
    const struct pb_cli_option options[] = {
        { .name = "plate",
          .placeholder = "PATTERN",
          .help = "plate; ? is any one character, * any number of them, [AB] one of these",
          .is_required = is_plate_required,
          .example = "AB123CD",
          .text = &args->plate },
        { .name = "edits",
          .placeholder = "N",
          .help = "also plates that differ by up to N characters (0 to 2): replaced, missing or "
                  "too many",
          .number = &args->edits,
          .number_max = 2 },
        { .name = "lookalikes",
          .help = "characters that look alike count as equal: 0OQD, 1I, 8B, 5S, 2Z",
          .flag = &args->with_lookalikes },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

void
pb_cli_query_args_add_filters(struct pb_cli_usage *usage, struct pb_cli_query_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "no-alternates",
          .help = "do not search the readers' other candidates",
          .flag = &args->without_alternates },
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
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

bool
pb_cli_query_fill(const struct pb_cli *cli, const struct pb_cli_query_args *args,
                  struct pb_inquiry *inquiry)
{
    struct pb_query *query = &inquiry->query;

    if (args->from_us >= args->to_us) {
        (void)pb_cli_usage_error(cli, "--from must be before --to: nothing lies between them");
        return false;
    }
    query->plate = pb_str_from(args->plate);
    query->edits = (unsigned)args->edits;
    query->with_lookalikes = args->with_lookalikes;
    query->without_alternates = args->without_alternates;
    query->with_superseded = args->with_superseded;
    query->from_us = args->from_us;
    query->to_us = args->to_us;
    query->reader = pb_str_from(args->reader);
    query->make = pb_str_from(args->make);
    query->model = pb_str_from(args->model);
    query->color = pb_str_from(args->color);
    query->body = pb_str_from(args->body);
    query->confidence_min_permille = (int)lround(args->confidence_min_percent * 10);
    return true;
}

enum pb_inquiry_kind
pb_cli_query_kind(const struct pb_cli_query_args *args)
{
    bool is_part = args->edits > 0 || args->with_lookalikes || args->plate == NULL ||
                   strpbrk(args->plate, "?*[]") != NULL;

    return is_part ? PB_INQUIRY_PATTERN : PB_INQUIRY_PLATE;
}
