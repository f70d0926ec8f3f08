/*
 * Answer: reads have one shape, plates another; each as table, JSON and CSV.
 */
#include "cli/answer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/table.h"
#include "read/read_text.h"

/* Fits the longest cell: four vehicle words, or two plates with their marks. */
#define CELL_BYTES_MAX (4 * PB_VEHICLE_TEXT_BYTES_MAX + 128)

const char *
pb_cli_match_word(enum pb_match match)
{
    switch (match) {
    case PB_MATCH_EXACT:
        return "exact";
    case PB_MATCH_PATTERN:
        return "pattern";
    case PB_MATCH_LOOKALIKE:
        return "look-alike";
    case PB_MATCH_EDITS:
        return "edits";
    }
    return "";
}

/* ---- cells ---- */

/* What a column shows of a row. */
enum cell {
    CELL_CAPTURED,
    CELL_PLATE, /* of the read */
    CELL_ISSUED,
    CELL_READER,
    CELL_AGENCY,
    CELL_POSITION,
    CELL_HEADING,
    CELL_CONFIDENCE,
    CELL_VEHICLE,
    CELL_MATCH,
    CELL_ROW_PLATE, /* of a row that is a plate */
    CELL_ROW_ISSUED,
    CELL_READS,
    CELL_FIRST,
    CELL_LAST,
    CELL_PLACES,
    CELL_TOGETHER,
    CELL_EXPECTED,
    CELL_SCORE,
};

struct layout {
    unsigned count;
    const struct pb_cli_column *columns;
    const enum cell *cells;
};

static const struct pb_cli_column read_columns[] = {
    { "CAPTURED", false }, { "PLATE", false },    { "ISSUED", false }, { "READER", false },
    { "AGENCY", false },   { "POSITION", false }, { "HEADING", true }, { "CONFIDENCE", true },
    { "VEHICLE", false },  { "MATCH", false },
};
static const enum cell read_cells[] = {
    CELL_CAPTURED, CELL_PLATE,   CELL_ISSUED,     CELL_READER,  CELL_AGENCY,
    CELL_POSITION, CELL_HEADING, CELL_CONFIDENCE, CELL_VEHICLE, CELL_MATCH,
};
static const struct pb_cli_column plate_columns[] = {
    { "PLATE", false }, { "ISSUED", false }, { "READS", true },
    { "FIRST", false }, { "LAST", false },
};
static const enum cell plate_cells[] = {
    CELL_ROW_PLATE, CELL_ROW_ISSUED, CELL_READS, CELL_FIRST, CELL_LAST,
};
static const struct pb_cli_column common_columns[] = {
    { "PLATE", false }, { "ISSUED", false }, { "PLACES", true },
    { "READS", true },  { "FIRST", false },  { "LAST", false },
};
static const enum cell common_cells[] = {
    CELL_ROW_PLATE, CELL_ROW_ISSUED, CELL_PLACES, CELL_READS, CELL_FIRST, CELL_LAST,
};
static const struct pb_cli_column associate_columns[] = {
    { "PLATE", false }, { "ISSUED", false }, { "TOGETHER", true }, { "BY CHANCE", true },
    { "SCORE", true },  { "READS", true },   { "FIRST", false },   { "LAST", false },
};
static const enum cell associate_cells[] = {
    CELL_ROW_PLATE, CELL_ROW_ISSUED, CELL_TOGETHER, CELL_EXPECTED,
    CELL_SCORE,     CELL_READS,      CELL_FIRST,    CELL_LAST,
};

#define COUNT_OF(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

static struct layout
layout_of(enum pb_row_shape rows)
{
    switch (rows) {
    case PB_ROWS_PLATES:
        return (struct layout){ COUNT_OF(plate_cells), plate_columns, plate_cells };
    case PB_ROWS_COMMON:
        return (struct layout){ COUNT_OF(common_cells), common_columns, common_cells };
    case PB_ROWS_ASSOCIATES:
        return (struct layout){ COUNT_OF(associate_cells), associate_columns, associate_cells };
    case PB_ROWS_READS:
        break;
    }
    return (struct layout){ COUNT_OF(read_cells), read_columns, read_cells };
}

static void
put_vehicle(struct pb_text_out *out, const struct pb_read *read)
{
    const struct pb_str words[] = { read->color, read->make, read->model, read->body };
    const char *gap = "";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].bytes == 0)
            continue;
        pb_put_text(out, gap);
        pb_put_str(out, words[i]);
        gap = " ";
    }
    if (read->year == 0)
        return;
    pb_put_text(out, gap);
    pb_put_u64(out, read->year);
    if (read->year_last != 0) {
        pb_put_text(out, "-");
        pb_put_u64(out, read->year_last);
    }
}

static void
put_match(struct pb_text_out *out, const struct pb_result *result)
{
    pb_put_text(out, pb_cli_match_word(result->match));
    if (result->edits > 0) {
        pb_put_text(out, " ");
        pb_put_u64(out, result->edits);
    }
    if (result->alternate > 0) {
        pb_put_text(out, ", alternate ");
        pb_put_u64(out, result->alternate);
        if (result->alternate <= result->read.alternate_count) {
            pb_put_text(out, " ");
            pb_put_str(out, result->read.alternates[result->alternate - 1].plate);
        }
    }
    if (result->read.is_correction)
        pb_put_text(out, ", corrected");
    if (result->read.is_superseded)
        pb_put_text(out, ", superseded");
}

static void
put_position(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->lat_e7 == PB_NO_POSITION)
        return;
    pb_put_fixed(out, read->lat_e7, 7, 5);
    pb_put_text(out, ",");
    pb_put_fixed(out, read->lon_e7, 7, 5);
}

static void
put_confidence(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->confidence_scale == PB_SCALE_NONE || read->confidence_e6 == PB_NO_CONFIDENCE)
        return;
    pb_put_fixed(out, read->confidence_e6, 6, 0);
    if (read->confidence_scale == PB_SCALE_PERCENT)
        pb_put_text(out, " %");
}

static void
put_time(struct pb_text_out *out, int64_t us, int16_t offset_min)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, offset_min, text);
    pb_put_text(out, text);
}

/* Two decimals; what is no number shows as nothing. */
static void
put_real(struct pb_text_out *out, double value)
{
    if (isfinite(value) && fabs(value) < 1e15)
        pb_put_fixed(out, llround(value * 100), 2, 2);
}

static void
put_cell_of_read(struct pb_text_out *out, enum cell cell, const struct pb_row *row)
{
    const struct pb_read *read = &row->result.read;

    switch ((int)cell) {
    case CELL_CAPTURED:
        put_time(out, read->captured_at_us, read->utc_offset_min);
        break;
    case CELL_PLATE:
        pb_put_str(out, read->plate);
        break;
    case CELL_ISSUED:
        pb_put_text(out, pb_jurisdiction_name(read->jurisdiction));
        break;
    case CELL_READER:
        pb_put_str(out, read->reader);
        break;
    case CELL_AGENCY:
        pb_put_str(out, row->owner);
        break;
    case CELL_POSITION:
        put_position(out, read);
        break;
    case CELL_HEADING:
        if (read->heading_cdeg != PB_NO_HEADING)
            pb_put_fixed(out, read->heading_cdeg, 2, 0);
        break;
    case CELL_CONFIDENCE:
        put_confidence(out, read);
        break;
    case CELL_VEHICLE:
        put_vehicle(out, read);
        break;
    default:
        put_match(out, &row->result);
        break;
    }
}

/* Writes what a cell shows of a row. */
static void
put_cell(struct pb_text_out *out, enum cell cell, const struct pb_row *row)
{
    switch ((int)cell) {
    case CELL_ROW_PLATE:
        pb_put_str(out, row->plate);
        break;
    case CELL_ROW_ISSUED:
        pb_put_text(out, pb_jurisdiction_name(row->jurisdiction));
        break;
    case CELL_READS:
        pb_put_u64(out, row->reads);
        break;
    case CELL_FIRST:
        put_time(out, row->first_us, PB_NO_UTC_OFFSET);
        break;
    case CELL_LAST:
        put_time(out, row->last_us, PB_NO_UTC_OFFSET);
        break;
    case CELL_PLACES:
        pb_put_u64(out, row->places);
        break;
    case CELL_TOGETHER:
        pb_put_u64(out, row->together);
        break;
    case CELL_EXPECTED:
        put_real(out, row->expected);
        break;
    case CELL_SCORE:
        put_real(out, row->score);
        break;
    default:
        put_cell_of_read(out, cell, row);
        break;
    }
}

static enum pb_status
put_table_row(struct pb_cli_table *table, const struct layout *layout, const struct pb_row *row)
{
    char text[CELL_BYTES_MAX];

    for (unsigned i = 0; i < layout->count; i++) {
        struct pb_text_out out = pb_text_out(text, sizeof(text));
        enum pb_status status;

        put_cell(&out, layout->cells[i], row);
        status = pb_cli_table_cell(table, text, (size_t)(out.at - text));
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* ---- */

static enum pb_status
put_table(const struct pb_env *env, struct pb_cli_out *out, const struct pb_answer *answer,
          enum pb_row_shape rows)
{
    const struct layout layout = layout_of(rows);
    struct pb_cli_table table = { .out = NULL };
    enum pb_status status = pb_cli_table_init(&table, env, out, layout.columns, layout.count);

    for (uint64_t i = 0; i < pb_answer_rows(answer) && status == PB_OK && pb_cli_out_is_open(out);
         i++)
        status = put_table_row(&table, &layout, pb_answer_row(answer, i));
    pb_cli_table_done(&table);
    return status;
}

static void
put_lines(struct pb_cli_out *out, const struct pb_answer *answer, enum pb_row_shape shape,
          enum pb_cli_answer_format format, bool exact_csv)
{
    const char *watermark = pb_answer_watermark(answer);
    char text[PB_ROW_TEXT_BYTES_MAX];
    size_t bytes;

    if (format == PB_CLI_ANSWER_CSV)
        pb_cli_put_bytes(out, text, pb_row_csv_header(shape, watermark[0] != '\0', text));
    for (uint64_t i = 0; i < pb_answer_rows(answer) && pb_cli_out_is_open(out); i++) {
        const struct pb_row *row = pb_answer_row(answer, i);

        if (format == PB_CLI_ANSWER_CSV) {
            bytes = pb_row_to_csv(row, shape, !exact_csv, watermark, text);
        } else {
            bytes = pb_row_to_json(row, shape, watermark, text);
            text[bytes++] = '\n';
        }
        pb_cli_put_bytes(out, text, bytes);
    }
}

enum pb_status
pb_cli_answer_put(const struct pb_env *env, struct pb_cli_out *out, const struct pb_answer *answer,
                  enum pb_row_shape shape, enum pb_cli_answer_format format, bool exact_csv)
{
    if (format == PB_CLI_ANSWER_TABLE)
        return put_table(env, out, answer, shape);
    put_lines(out, answer, shape, format, exact_csv);
    return PB_OK;
}
