/*
 * Rows of an answer as text for programs: one JSON object, one line of CSV. What the command and
 * the network give out is made here, so that it is the same.
 *
 * Every read names the agency that it belongs to: the source of record is never hidden. Every row
 * of an export carries the export's mark.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_INQUIRY_ROW_TEXT_H
#define PB_INQUIRY_ROW_TEXT_H

#include "inquiry/inquiry.h"
#include "read/read_text.h"

/* What the rows are of. */
enum pb_row_shape {
    PB_ROWS_READS,      /* PLATE, PATTERN, PLACE */
    PB_ROWS_PLATES,     /* distinct plates of a pattern */
    PB_ROWS_COMMON,     /* plates seen at several places */
    PB_ROWS_ASSOCIATES, /* plates seen beside a plate */
};
enum pb_row_shape pb_row_shape_of(const struct pb_inquiry *inquiry);

/* Any row, with its line end. */
#define PB_ROW_TEXT_BYTES_MAX (PB_READ_TEXT_BYTES_MAX + 256u)

/* One JSON object without a line end; returns its length. watermark: "" where there is none. */
size_t pb_row_to_json(const struct pb_row *row, enum pb_row_shape shape, const char *watermark,
                      char ret_text[PB_ROW_TEXT_BYTES_MAX]);
/* One CSV line with its line end; returns its length. formula_safe: what a spreadsheet would run
 * as a formula gets an apostrophe. */
size_t pb_row_to_csv(const struct pb_row *row, enum pb_row_shape shape, bool formula_safe,
                     const char *watermark, char ret_text[PB_ROW_TEXT_BYTES_MAX]);
/* The line before them. */
size_t pb_row_csv_header(enum pb_row_shape shape, bool is_marked,
                         char ret_text[PB_ROW_TEXT_BYTES_MAX]);

#endif
