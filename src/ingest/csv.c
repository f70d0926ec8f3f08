/*
 * CSV: rows without quotes take the fast way, eight bytes at a time; a quote sends its
 * row the slow and exact way.
 *
 * Where a row ends must be the same for whoever cuts an input into chunks and for whoever
 * parses a chunk, also where quoting is wrong:
 *   - a quote opens a quoted cell only at the start of a cell;
 *   - where quoting is wrong (a quote elsewhere, text after a closing quote), the row ends with
 *     the line on which that is noticed;
 *   - a quote that is not closed within PB_LINE_BYTES_MAX of its row's start, or by the end of
 *     the input, makes a bad row of its first line alone, so that it cannot swallow the rest.
 */
#include "ingest/csv.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "ingest/ingest_private.h"
#include "ingest/number.h"

/* ---- rows ---- */

enum row_shape {
    ROW_GOOD,
    ROW_OPEN,
    ROW_BAD_QUOTE,
    ROW_BAD_TEXT,
};

/* What is wrong with a row of that shape. */
static const char *const shape_faults[] = {
    [ROW_GOOD] = NULL,
    [ROW_OPEN] = "a quote is not closed",
    [ROW_BAD_QUOTE] = "a quote in a cell that is not quoted",
    [ROW_BAD_TEXT] = "text after a closing quote",
};

/* Finds the quote that closes the one before at; false where there is none before end. */
static bool
find_closing_quote(const uint8_t *bytes, size_t end, size_t at, size_t *ret_at)
{
    while (at < end) {
        const uint8_t *quote = memchr(bytes + at, '"', end - at);

        if (quote == NULL)
            return false;
        at = (size_t)(quote - bytes);
        if (at + 1 >= end || bytes[at + 1] != '"') {
            *ret_at = at;
            return true;
        }
        at += 2;
    }
    return false;
}

/* Where the row that begins at `start` ends. An open one ends with its first line. */
static size_t
row_end(const uint8_t *bytes, size_t count, size_t start, enum row_shape *ret_shape)
{
    size_t limit = count - start > PB_LINE_BYTES_MAX ? start + PB_LINE_BYTES_MAX : count;
    size_t at = start;

    *ret_shape = ROW_GOOD;
    while (at < count) {
        if (bytes[at] == '"') {
            if (!find_closing_quote(bytes, limit, at + 1, &at)) {
                *ret_shape = ROW_OPEN;
                return pb_line_end(bytes, count, start);
            }
            at++;
            if (at < count && bytes[at] == '\r' && (at + 1 == count || bytes[at + 1] == '\n'))
                at++;
            if (at < count && bytes[at] != ',' && bytes[at] != '\n') {
                *ret_shape = ROW_BAD_TEXT;
                return pb_line_end(bytes, count, at);
            }
        } else {
            while (at < count && bytes[at] != ',' && bytes[at] != '\n' && bytes[at] != '"')
                at++;
            if (at < count && bytes[at] == '"') {
                *ret_shape = ROW_BAD_QUOTE;
                return pb_line_end(bytes, count, at);
            }
        }
        if (at < count && bytes[at++] == '\n')
            return at;
    }
    return count;
}

size_t
pb_csv_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count, bool is_last)
{
    const uint8_t *quote = count == 0 ? NULL : memchr(bytes, '"', count);
    enum row_shape shape;
    size_t at;

    (void)head;
    if (is_last || quote == NULL)
        return is_last ? count : pb_last_line_end(bytes, count);
    at = pb_last_line_end(bytes, (size_t)(quote - bytes));
    for (;;) {
        size_t end = row_end(bytes, count, at, &shape);

        /* What follows may close the quote or belong to the line. A row that fills bytes may
         * be a quoted cell whose closing quote is the first half of two. */
        if (shape == ROW_OPEN && count - at <= PB_LINE_BYTES_MAX)
            return at;
        if (end == at || bytes[end - 1] != '\n')
            return at;
        at = end;
    }
}

/* ---- header ---- */

/* The row at the start of bytes, as one text without its line end. */
static struct pb_str
row_text(const uint8_t *bytes, size_t end)
{
    if (end > 0 && bytes[end - 1] == '\n')
        end--;
    if (end > 0 && bytes[end - 1] == '\r')
        end--;
    return (struct pb_str){ .text = (const char *)bytes, .bytes = (uint32_t)end };
}

/* Takes the cell at *at of a good row; views the text within quotes as it stands, with
 * doubled quotes in it. Returns false after the last cell. */
static bool
next_cell(struct pb_str row, uint32_t *at, struct pb_str *ret_cell, bool *ret_is_quoted)
{
    uint32_t begin = *at, end;
    const char *comma;
    size_t quote = 0;
    bool is_closed;

    if (begin > row.bytes)
        return false;
    *ret_is_quoted = begin < row.bytes && row.text[begin] == '"';
    if (*ret_is_quoted) {
        begin++;
        is_closed = find_closing_quote((const uint8_t *)row.text, row.bytes, begin, &quote);
        assert(is_closed); /* row_end() has found it, too */
        (void)is_closed;
        end = (uint32_t)quote;
        *at = end + 2;
    } else {
        comma = begin == row.bytes ? NULL : memchr(row.text + begin, ',', row.bytes - begin);
        end = comma == NULL ? row.bytes : (uint32_t)(comma - row.text);
        *at = end + 1;
    }
    *ret_cell = (struct pb_str){ .text = row.text + begin, .bytes = end - begin };
    return true;
}

static enum pb_status
check_columns(const struct pb_csv_head *head, const struct pb_ingest_defaults *defaults,
              struct pb_error *error)
{
    bool has[PB_NATIVE_COUNT] = { false };

    for (uint32_t i = 0; i < head->column_count; i++) {
        uint8_t field = head->fields[i];

        if (field != PB_NATIVE_NONE && has[field])
            return pb_fail(error, PB_BAD_INPUT, "the CSV header has the column %s twice",
                           pb_native_field_name((enum pb_native_field)field));
        has[field] = true;
    }
    if (!has[PB_NATIVE_PLATE])
        return pb_fail(error, PB_BAD_INPUT, "the CSV header has no column plate");
    if (!has[PB_NATIVE_CAPTURED_AT] && defaults->captured_at_us == 0)
        return pb_fail(error, PB_BAD_INPUT, "the CSV header has no column captured_at");
    if (!has[PB_NATIVE_READER] && defaults->reader.bytes == 0)
        return pb_fail(error, PB_BAD_INPUT,
                       "the CSV header has no column reader, and the source names none");
    return PB_OK;
}

enum pb_status
pb_csv_head_parse(const uint8_t *bytes, size_t count, const struct pb_ingest_defaults *defaults,
                  struct pb_csv_head *ret_head, size_t *ret_head_bytes, struct pb_error *error)
{
    enum row_shape shape;
    struct pb_str row, cell;
    uint32_t at = 0;
    bool is_quoted;
    size_t end;

    memset(ret_head, 0, sizeof(*ret_head));
    end = row_end(bytes, count, 0, &shape);
    if (shape != ROW_GOOD)
        return pb_fail(error, PB_BAD_INPUT, "the CSV header has a quote out of place");
    if (end > PB_LINE_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "the CSV header is longer than a line may be");
    row = row_text(bytes, end);
    while (next_cell(row, &at, &cell, &is_quoted)) {
        if (ret_head->column_count == PB_CSV_COLUMNS_MAX)
            return pb_fail(error, PB_BAD_INPUT, "the CSV header has more than %u columns",
                           PB_CSV_COLUMNS_MAX);
        ret_head->fields[ret_head->column_count] =
            (uint8_t)pb_native_field_of_column(pb_number_trim(cell));
        if (ret_head->fields[ret_head->column_count] == PB_NATIVE_NONE)
            ret_head->has_unknown = true;
        ret_head->column_count++;
    }
    *ret_head_bytes = end;
    return check_columns(ret_head, defaults, error);
}

/* ---- parsing ---- */

/* Text of a column that means nothing to us must be text all the same. */
static bool
is_text(struct pb_str cell)
{
    for (uint32_t i = 0; i < cell.bytes; i++) {
        if ((unsigned char)cell.text[i] < 0x20 || cell.text[i] == 0x7F)
            return false;
    }
    return pb_utf8_is_valid(cell.text, cell.bytes);
}

void
pb_csv_scratch_init(struct pb_csv_scratch *scratch, const struct pb_csv_head *head)
{
    memset(scratch, 0, sizeof(*scratch));
    for (uint32_t i = 0; i < PB_CSV_COLUMNS_MAX; i++)
        scratch->cells[i] = head->fields[i] == PB_NATIVE_NONE
                                ? &scratch->unknown[i]
                                : &scratch->native.text[head->fields[i]];
    for (uint32_t i = 0; i < head->column_count; i++) {
        if (head->fields[i] != PB_NATIVE_NONE)
            scratch->native.fields |= UINT32_C(1) << head->fields[i];
    }
}

/* Makes a read of the cells gathered. */
static enum pb_status
take_row(struct pb_parser *parser, uint32_t cell_count)
{
    const struct pb_csv_head *head = &parser->head->csv;

    if (cell_count != head->column_count)
        return pb_batch_reject(&parser->batch, "",
                               cell_count < head->column_count
                                   ? "the row has fewer cells than the header"
                                   : "the row has more cells than the header");
    for (uint32_t i = 0; head->has_unknown && i < cell_count; i++) {
        if (!is_text(parser->csv.unknown[i]))
            return pb_batch_reject(&parser->batch, "",
                                   "a cell of an unknown column is not UTF-8 or has a "
                                   "control character");
    }
    return pb_native_row(&parser->batch, &parser->csv.native);
}

/* Makes "" one quote. */
static enum pb_status
undouble_quotes(struct pb_batch *batch, struct pb_str *cell)
{
    char *text;
    uint32_t bytes = 0;

    if (cell->bytes == 0 || memchr(cell->text, '"', cell->bytes) == NULL)
        return PB_OK;
    text = pb_batch_text(batch, cell->bytes);
    if (text == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < cell->bytes; i++) {
        text[bytes++] = cell->text[i];
        i += cell->text[i] == '"';
    }
    *cell = (struct pb_str){ .text = text, .bytes = bytes };
    return PB_OK;
}

/* A row with a quote somewhere, from batch.record to end. */
static enum pb_status
quoted_row(struct pb_parser *parser, size_t end, enum row_shape shape)
{
    struct pb_batch *batch = &parser->batch;
    struct pb_str row = row_text(batch->record, end), cell;
    uint32_t cell_count = 0, at = 0;
    bool is_quoted;

    if (shape != ROW_GOOD)
        return pb_batch_reject(batch, "", shape_faults[shape]);
    while (next_cell(row, &at, &cell, &is_quoted)) {
        enum pb_status status = is_quoted ? undouble_quotes(batch, &cell) : PB_OK;

        if (status != PB_OK)
            return status;
        if (cell_count < PB_CSV_COLUMNS_MAX)
            *parser->csv.cells[cell_count] = cell;
        cell_count++;
    }
    return take_row(parser, cell_count);
}

/* The top bit of each byte of word that is `byte`; exact in every byte. */
static uint64_t
bytes_equal(uint64_t word, uint8_t byte)
{
    const uint64_t low_bits = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t differences = word ^ UINT64_C(0x0101010101010101) * byte;

    return ~(((differences & low_bits) + low_bits) | differences | low_bits);
}

/* Eight bytes, the first lowest; after the end line ends. */
static uint64_t
eight_bytes(const uint8_t *at, const uint8_t *end)
{
    uint64_t word = UINT64_C(0x0A0A0A0A0A0A0A0A);

    if (end - at >= 8)
        memcpy(&word, at, 8);
    else
        memcpy(&word, at, (size_t)(end - at));
    return le64toh(word);
}

/* Finds the cells of the row at `row`, up to its line end or a quote. Returns where that
 * is (end: neither was found). */
static const uint8_t *
find_cells(struct pb_str *const *cells, const uint8_t *row, const uint8_t *end,
           uint32_t *ret_count)
{
    const uint8_t *at = row, *cell = row, *stop;
    uint32_t count = 0;

    for (;; at += 8) {
        uint64_t word = eight_bytes(at, end);
        uint64_t commas = bytes_equal(word, ',');
        uint64_t stops = bytes_equal(word, '\n') | bytes_equal(word, '"');

        if (stops != 0)
            commas &= (stops & (UINT64_C(0) - stops)) - 1;
        for (; commas != 0; commas &= commas - 1) {
            const uint8_t *comma = at + __builtin_ctzll(commas) / 8;

            if (count < PB_CSV_COLUMNS_MAX) {
                cells[count]->text = (const char *)cell;
                cells[count]->bytes = (uint32_t)(comma - cell);
            }
            count++;
            cell = comma + 1;
        }
        if (stops != 0) {
            stop = at + __builtin_ctzll(stops) / 8;
            break;
        }
    }
    if (count < PB_CSV_COLUMNS_MAX) {
        const uint8_t *cell_end = stop;

        cell_end -= cell_end > cell && cell_end[-1] == '\r';
        cells[count]->text = (const char *)cell;
        cells[count]->bytes = (uint32_t)(cell_end - cell);
    }
    *ret_count = count + 1;
    return stop;
}

enum pb_status
pb_csv_chunk(struct pb_parser *parser, const struct pb_chunk *chunk)
{
    const uint8_t *row = chunk->bytes, *end = chunk->bytes + chunk->count;
    struct pb_batch *batch = &parser->batch;
    enum pb_status status = PB_OK;
    uint64_t line = chunk->first_line;

    while (row < end && status == PB_OK) {
        enum row_shape shape;
        uint32_t cell_count;
        const uint8_t *stop = find_cells(parser->csv.cells, row, end, &cell_count);
        size_t bytes = (size_t)(stop - row) + (stop < end);
        bool has_quote = stop < end && *stop == '"';

        if (has_quote)
            bytes = row_end(chunk->bytes, chunk->count, (size_t)(row - chunk->bytes), &shape) -
                    (size_t)(row - chunk->bytes);
        batch->line = line;
        batch->record = row;
        batch->record_bytes = bytes;
        if (bytes > PB_LINE_BYTES_MAX)
            status = pb_batch_reject(batch, "", "the row is longer than 1 MiB");
        else if (has_quote)
            status = quoted_row(parser, bytes, shape);
        else if (cell_count > 1 || parser->csv.cells[0]->bytes > 0)
            status = take_row(parser, cell_count);
        line += has_quote ? pb_count_lines(row, bytes) : 1;
        row += bytes;
    }
    return status;
}
