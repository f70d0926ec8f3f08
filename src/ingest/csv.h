/*
 * CSV: which column is which field, and where rows end.
 *
 * Source: docs/formats/native-csv.md.
 */
#ifndef PB_INGEST_CSV_H
#define PB_INGEST_CSV_H

#include <platebase/status.h>

#include "ingest/ingest.h"
#include "ingest/native.h"

#define PB_CSV_COLUMNS_MAX 256u

struct pb_csv_head {
    uint32_t column_count;
    uint8_t fields[PB_CSV_COLUMNS_MAX]; /* enum pb_native_field, by column */
    bool has_unknown;                   /* some are PB_NATIVE_NONE */
};

/* A row being taken apart. Known columns are overwritten by every row, and others stay
 * empty, so that nothing is cleared in between. */
struct pb_csv_scratch {
    struct pb_native native;
    struct pb_str unknown[PB_CSV_COLUMNS_MAX]; /* cells of unknown columns, by column */
    /* Where the cell of each column goes: in native or unknown. */
    struct pb_str *cells[PB_CSV_COLUMNS_MAX];
};
/* head is borrowed for the call. */
void pb_csv_scratch_init(struct pb_csv_scratch *scratch, const struct pb_csv_head *head);

/* Parses the header row at the start of bytes. PB_BAD_INPUT names the column. */
PB_MUST_CHECK enum pb_status pb_csv_head_parse(const uint8_t *bytes, size_t count,
                                               const struct pb_ingest_defaults *defaults,
                                               struct pb_csv_head *ret_head,
                                               size_t *ret_head_bytes, struct pb_error *error);
#endif
