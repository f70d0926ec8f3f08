/*
 * Query: the options that all questions share, and printing what is found.
 *
 * When "the one door" stands in front of the store, pb_cli_query_run is the one place here that
 * asks it instead.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_QUERY_H
#define PB_CLI_QUERY_H

#include "cli/cli.h"
#include "cli/options.h"

enum pb_cli_query_format {
    PB_CLI_QUERY_TABLE = 0,
    PB_CLI_QUERY_JSON = 1,
    PB_CLI_QUERY_CSV = 2,
};

struct pb_cli_query_args {
    const char *data;
    const char *plate;
    const char *jurisdiction, *reader;
    const char *make, *model, *color, *body;
    double confidence_min_percent;
    uint64_t edits;
    bool with_lookalikes, without_alternates, with_superseded;
    int64_t from_us, to_us;
    uint64_t limit; /* 0: none */
    const char *resume;
    int format; /* enum pb_cli_query_format */
    bool is_json, is_exact_csv, skips_damaged, is_quiet;
};

void pb_cli_query_args_init(struct pb_cli_query_args *args);
/* Adds the options; is_plate_required where the plate is what is asked for. */
void pb_cli_query_args_add(struct pb_cli_usage *usage, struct pb_cli_query_args *args,
                           bool is_plate_required);
/*
 * Asks and prints. area may be NULL; it is borrowed. Returns an exit code: PB_CLI_EXIT_OK also
 * where nothing was found.
 */
int pb_cli_query_run(struct pb_cli *cli, const struct pb_cli_query_args *args,
                     const struct pb_geo_area *area);

/* A static word for people: "exact", "pattern", "look-alike", "edits". */
const char *pb_cli_match_word(enum pb_match match);

#endif
