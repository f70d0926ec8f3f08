/*
 * Reads as text for programs and people: one CSV row, one JSON line.
 * Formats: docs/formats/native-csv.md, docs/formats/native-ndjson.md.
 */
#ifndef PB_READ_READ_TEXT_H
#define PB_READ_READ_TEXT_H

#include <stddef.h>

#include <platebase/store.h>

/* Any read's row or line fits in this. */
#define PB_READ_TEXT_BYTES_MAX 32768u

/* The native CSV header, with its line end. */
extern const char pb_csv_header[];

/* Writes one native CSV row with its line end; returns its length. RFC 4180 quoting. With
 * formula_safe, a cell that a spreadsheet would run (= + - @ tab CR first) gets a leading
 * apostrophe; without it the row imports again without loss. */
size_t pb_read_to_csv(const struct pb_read *read, bool formula_safe,
                      char ret_text[PB_READ_TEXT_BYTES_MAX]);

/* Writes the read as one JSON object without a line end; returns its length. Absent fields are
 * left out. `result` may be NULL; where given, `match`, `edits` and `alternate` are added. */
size_t pb_read_to_json(const struct pb_read *read, const struct pb_result *result,
                       char ret_text[PB_READ_TEXT_BYTES_MAX]);

#endif
