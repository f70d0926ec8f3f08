/*
 * Query: the options that say what is looked for: plate, window, and what the read must hold.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_QUERY_H
#define PB_CLI_QUERY_H

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/options.h"

struct pb_cli_query_args {
    const char *plate, *reader;
    const char *make, *model, *color, *body;
    double confidence_min_percent;
    uint64_t edits;
    bool with_lookalikes, without_alternates, with_superseded;
    int64_t from_us, to_us;
};

/* --from and --to. */
void pb_cli_query_args_add_window(struct pb_cli_usage *usage, struct pb_cli_query_args *args);
/* The plate and how near it must come; is_plate_required where it is what is asked for. */
void pb_cli_query_args_add_plate(struct pb_cli_usage *usage, struct pb_cli_query_args *args,
                                 bool is_plate_required);
/* Reader, vehicle, confidence, history. */
void pb_cli_query_args_add_filters(struct pb_cli_usage *usage, struct pb_cli_query_args *args);

/* Sets what the options above say of the inquiry's query, and leaves the rest; false after a usage
 * error. */
PB_MUST_CHECK bool pb_cli_query_fill(const struct pb_cli *cli, const struct pb_cli_query_args *args,
                                     struct pb_inquiry *inquiry);
/* One whole plate, or a part of it, look-alikes and edits? */
enum pb_inquiry_kind pb_cli_query_kind(const struct pb_cli_query_args *args);

#endif
