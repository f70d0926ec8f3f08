/*
 * Table: rows in columns that fit their widest cell, for people.
 *
 * Cells are made harmless for a terminal and measured in terminal columns. Rows are held back until
 * PB_CLI_TABLE_ROWS of them show how wide the columns are; after that, columns only grow.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_TABLE_H
#define PB_CLI_TABLE_H

#include "base/arena.h"
#include "cli/out.h"

#define PB_CLI_TABLE_COLUMNS_MAX 12u
#define PB_CLI_TABLE_ROWS 256u

struct pb_cli_column {
    const char *title;
    bool is_right; /* aligned to the right: numbers */
};

struct pb_cli_table_cell {
    const char *text; /* in arena */
    uint32_t bytes, columns;
};

struct pb_cli_table {
    struct pb_cli_out *out;              /* borrowed */
    const struct pb_cli_column *columns; /* borrowed */
    unsigned column_count;
    size_t widths[PB_CLI_TABLE_COLUMNS_MAX];
    bool has_title; /* the titles have been written */

    struct pb_arena arena;
    struct pb_cli_table_cell *cells; /* owned: PB_CLI_TABLE_ROWS rows */
    unsigned row_count;
    unsigned next_column;
};

PB_MUST_CHECK enum pb_status pb_cli_table_init(struct pb_cli_table *table, const struct pb_env *env,
                                               struct pb_cli_out *out,
                                               const struct pb_cli_column *columns,
                                               unsigned column_count);
/* The next cell of the row; the last cell ends the row. PB_OK or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_table_cell(struct pb_cli_table *table, const char *text,
                                               size_t bytes);
/* A whole row: as many cells as there are columns. */
PB_MUST_CHECK enum pb_status pb_cli_table_row(struct pb_cli_table *table,
                                              const struct pb_str *cells);
/* Writes the rows held back, and ends the table; one that was never begun is fine. */
void pb_cli_table_done(struct pb_cli_table *table);

#endif
