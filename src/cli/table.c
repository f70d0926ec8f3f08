/*
 * Table: measuring, holding back, and writing rows.
 */
#include "cli/table.h"

#include <assert.h>
#include <string.h>

#define GAP "  "

enum pb_status
pb_cli_table_init(struct pb_cli_table *table, const struct pb_env *env, struct pb_cli_out *out,
                  const struct pb_cli_column *columns, unsigned column_count)
{
    assert(column_count > 0 && column_count <= PB_CLI_TABLE_COLUMNS_MAX);
    memset(table, 0, sizeof(*table));
    table->out = out;
    table->columns = columns;
    table->column_count = column_count;
    for (unsigned i = 0; i < column_count; i++)
        table->widths[i] = strlen(columns[i].title);
    pb_arena_init(&table->arena, env, 4096);
    table->cells = pb_calloc(env, (size_t)PB_CLI_TABLE_ROWS * column_count, sizeof(*table->cells));
    return table->cells == NULL ? PB_E_NOMEM : PB_OK;
}

static void
put_spaces(struct pb_cli_out *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pb_cli_put_bytes(out, " ", 1);
}

static void
put_cell(struct pb_cli_table *table, unsigned column, const char *text, size_t bytes,
         size_t columns)
{
    bool is_last = column + 1 == table->column_count;
    size_t padding = columns < table->widths[column] ? table->widths[column] - columns : 0;

    if (table->columns[column].is_right)
        put_spaces(table->out, padding);
    pb_cli_put_bytes(table->out, text, bytes);
    /* No white space at the end of a line: it would wrap on a narrow terminal. */
    if (!table->columns[column].is_right && !is_last)
        put_spaces(table->out, padding);
    pb_cli_put_text(table->out, is_last ? "\n" : GAP);
}

static void
flush(struct pb_cli_table *table)
{
    const struct pb_cli_table_cell *cell = table->cells;

    if (!table->has_title && table->row_count > 0) {
        for (unsigned i = 0; i < table->column_count; i++) {
            size_t length = strlen(table->columns[i].title);

            put_cell(table, i, table->columns[i].title, length, length);
        }
        table->has_title = true;
    }
    for (unsigned row = 0; row < table->row_count; row++) {
        for (unsigned i = 0; i < table->column_count; i++, cell++)
            put_cell(table, i, cell->text, cell->bytes, cell->columns);
    }
    table->row_count = 0;
    pb_arena_reset(&table->arena);
}

enum pb_status
pb_cli_table_cell(struct pb_cli_table *table, const char *text, size_t bytes)
{
    struct pb_cli_table_cell *cell =
        &table->cells[(size_t)table->row_count * table->column_count + table->next_column];
    /* Making text safe may turn one byte into three. */
    size_t room = bytes * 3;
    size_t columns = 0, used;
    char *copy = pb_arena_alloc(&table->arena, room);

    if (copy == NULL)
        return PB_E_NOMEM;
    used = pb_cli_safe_text(text, bytes, copy, room, &columns);
    *cell = (struct pb_cli_table_cell){
        .text = copy,
        .bytes = (uint32_t)used,
        .columns = (uint32_t)columns,
    };
    if (columns > table->widths[table->next_column])
        table->widths[table->next_column] = columns;
    table->next_column++;
    if (table->next_column == table->column_count) {
        table->next_column = 0;
        table->row_count++;
        if (table->row_count == PB_CLI_TABLE_ROWS)
            flush(table);
    }
    return PB_OK;
}

enum pb_status
pb_cli_table_row(struct pb_cli_table *table, const struct pb_str *cells)
{
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < table->column_count && status == PB_OK; i++)
        status = pb_cli_table_cell(table, cells[i].text, cells[i].bytes);
    return status;
}

void
pb_cli_table_done(struct pb_cli_table *table)
{
    if (table->arena.env == NULL)
        return;
    if (table->cells != NULL)
        flush(table);
    pb_free(table->arena.env, table->cells);
    table->cells = NULL;
    pb_arena_clear(&table->arena);
}
