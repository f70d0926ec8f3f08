/*
 * Answer: the rows of an answer as a table, as JSON lines or as CSV.
 *
 * Every read names the agency that it belongs to: the source of record is never hidden. Every row
 * of an export carries the export's mark.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_ANSWER_H
#define PB_CLI_ANSWER_H

#include "cli/cli.h"
#include "inquiry/inquiry.h"
#include "inquiry/row_text.h"

enum pb_cli_answer_format {
    PB_CLI_ANSWER_TABLE = 0,
    PB_CLI_ANSWER_JSON = 1,
    PB_CLI_ANSWER_CSV = 2,
};

/* Writes the rows of this page. exact_csv: cells as they are, for importing again; otherwise what
 * a spreadsheet would run as a formula gets an apostrophe. PB_OK or PB_E_NOMEM; look at out for
 * what could not be written. */
PB_MUST_CHECK enum pb_status pb_cli_answer_put(const struct pb_env *env, struct pb_cli_out *out,
                                               const struct pb_answer *answer,
                                               enum pb_row_shape shape,
                                               enum pb_cli_answer_format format, bool exact_csv);

/* A static word for people: "exact", "pattern", "look-alike", "edits". */
const char *pb_cli_match_word(enum pb_match match);

#endif
