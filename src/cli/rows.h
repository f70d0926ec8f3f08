/*
 * Rows: reads written as CSV, NDJSON or the binary form, by several threads into one file.
 *
 * Each piece of a pipeline has its rows; they are written out in the order of the pieces, so the
 * file is the same whatever the number of threads.
 *
 * Threads: rows belong to whoever has their piece; a target to the main thread.
 */
#ifndef PB_CLI_ROWS_H
#define PB_CLI_ROWS_H

#include "cli/cli.h"
#include "cli/out.h"
#include "ingest/ingest.h"

struct pb_cli_rows {
    const struct pb_env *env; /* borrowed */
    enum pb_format format;    /* CSV, NDJSON or PBR */
    char *text;               /* owned */
    size_t used, capacity;
    struct pb_pbr_writer *writer; /* owned: of the binary form */
};

void pb_cli_rows_init(struct pb_cli_rows *rows, const struct pb_env *env, enum pb_format format);
void pb_cli_rows_done(struct pb_cli_rows *rows);
/* PB_OK or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_rows_add(struct pb_cli_rows *rows, const struct pb_read *reads,
                                             size_t count);
/* Ends the piece: nothing waits for more reads. PB_OK or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_rows_end(struct pb_cli_rows *rows);

/* Where rows go: a file, or standard output for "-". */
struct pb_cli_target {
    struct pb_cli *cli; /* borrowed */
    const char *name;   /* borrowed; for messages */
    int descriptor;     /* owned; -1: standard output */
    struct pb_cli_out *out; /* &own, or the command's standard output */
    struct pb_cli_out own;
};

/*
 * Opens name for writing and writes what the format has at its beginning. What the file held is
 * gone; one of `inputs` (may be NULL) is refused, for it would be lost before it was read. Says
 * what is wrong and returns false then.
 */
PB_MUST_CHECK bool pb_cli_target_open(struct pb_cli_target *target, struct pb_cli *cli,
                                      const char *name, enum pb_format format, char **inputs,
                                      size_t input_count);
/* Writes and empties rows. PB_OK, PB_E_FULL, PB_E_IO, or PB_END where the reader has gone. */
PB_MUST_CHECK enum pb_status pb_cli_target_put(struct pb_cli_target *target,
                                               struct pb_cli_rows *rows, struct pb_error *error);
/* Writes what waits and closes. */
PB_MUST_CHECK enum pb_status pb_cli_target_close(struct pb_cli_target *target,
                                                 struct pb_error *error);

/* Names of the formats that can be written, for an option; and what an index means. */
extern const char *const pb_cli_row_formats[];
enum pb_format pb_cli_row_format(int index);

#endif
