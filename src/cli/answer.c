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

enum pb_cli_answer_rows
pb_cli_answer_rows_of(const struct pb_inquiry *inquiry)
{
    switch (inquiry->kind) {
    case PB_INQUIRY_COMMON:
        return PB_CLI_ROWS_COMMON;
    case PB_INQUIRY_ASSOCIATES:
        return PB_CLI_ROWS_ASSOCIATES;
    case PB_INQUIRY_PLATE:
    case PB_INQUIRY_PATTERN:
    case PB_INQUIRY_PLACE:
        break;
    }
    return inquiry->counts_plates ? PB_CLI_ROWS_PLATES : PB_CLI_ROWS_READS;
}

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

struct shape {
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

static struct shape
shape_of(enum pb_cli_answer_rows rows)
{
    switch (rows) {
    case PB_CLI_ROWS_PLATES:
        return (struct shape){ COUNT_OF(plate_cells), plate_columns, plate_cells };
    case PB_CLI_ROWS_COMMON:
        return (struct shape){ COUNT_OF(common_cells), common_columns, common_cells };
    case PB_CLI_ROWS_ASSOCIATES:
        return (struct shape){ COUNT_OF(associate_cells), associate_columns, associate_cells };
    case PB_CLI_ROWS_READS:
        break;
    }
    return (struct shape){ COUNT_OF(read_cells), read_columns, read_cells };
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
put_table_row(struct pb_cli_table *table, const struct shape *shape, const struct pb_row *row)
{
    char text[CELL_BYTES_MAX];

    for (unsigned i = 0; i < shape->count; i++) {
        struct pb_text_out out = pb_text_out(text, sizeof(text));
        enum pb_status status;

        put_cell(&out, shape->cells[i], row);
        status = pb_cli_table_cell(table, text, (size_t)(out.at - text));
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* ---- JSON ---- */

/* What ends a line: the mark by which an exported row can be told to be of this export. */
static void
put_json_end(struct pb_cli_out *out, const char *watermark)
{
    if (watermark[0] != '\0') {
        pb_cli_put_text(out, ",\"watermark\":");
        pb_cli_put_json_text(out, watermark);
    }
    pb_cli_put_text(out, "}\n");
}

/* The read's own object, with the source of record. */
static void
put_json_read(struct pb_cli_out *out, const struct pb_row *row, const char *watermark)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    size_t bytes = pb_read_to_json(&row->result.read, &row->result, text);

    assert(bytes > 1 && text[bytes - 1] == '}');
    pb_cli_put_bytes(out, text, bytes - 1);
    pb_cli_put_text(out, ",\"agency\":");
    pb_cli_put_json(out, row->owner.text, row->owner.bytes);
    put_json_end(out, watermark);
}

static void
put_json_times(struct pb_cli_out *out, const struct pb_row *row)
{
    pb_cli_put_format(out, ",\"reads\":%" PRIu64 ",\"first\":", row->reads);
    pb_cli_put_json_time(out, row->first_us);
    pb_cli_put_text(out, ",\"last\":");
    pb_cli_put_json_time(out, row->last_us);
}

static void
put_json_plate(struct pb_cli_out *out, enum pb_cli_answer_rows rows, const struct pb_row *row,
               const char *watermark)
{
    pb_cli_put_text(out, "{\"plate\":");
    pb_cli_put_json(out, row->plate.text, row->plate.bytes);
    if (row->jurisdiction != 0) {
        pb_cli_put_text(out, ",\"jurisdiction\":");
        pb_cli_put_json_text(out, pb_jurisdiction_name(row->jurisdiction));
    }
    if (rows == PB_CLI_ROWS_COMMON)
        pb_cli_put_format(out, ",\"places\":%" PRIu32, row->places);
    if (rows == PB_CLI_ROWS_ASSOCIATES)
        pb_cli_put_format(out, ",\"together\":%" PRIu32 ",\"expected\":%.6g,\"score\":%.6g",
                          row->together, isfinite(row->expected) ? row->expected : 0,
                          isfinite(row->score) ? row->score : 0);
    put_json_times(out, row);
    put_json_end(out, watermark);
}

/* ---- CSV ---- */

static void
put_csv_end(struct pb_cli_out *out, const char *watermark)
{
    if (watermark[0] != '\0') {
        pb_cli_put_text(out, ",");
        pb_cli_put_text(out, watermark);
    }
    pb_cli_put_text(out, "\n");
}

/* The source of record comes behind the read's own cells. Ids of agencies begin with a letter or
 * digit and need no quotes. */
static void
put_csv_read(struct pb_cli_out *out, const struct pb_row *row, bool exact_csv,
             const char *watermark)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    size_t bytes = pb_read_to_csv(&row->result.read, !exact_csv, text);

    assert(bytes > 0 && text[bytes - 1] == '\n');
    pb_cli_put_bytes(out, text, bytes - 1);
    pb_cli_put_text(out, ",");
    pb_cli_put_bytes(out, row->owner.text, row->owner.bytes);
    put_csv_end(out, watermark);
}

/* A plate, numbers and times: a folded plate holds nothing that a spreadsheet would run, nor a
 * quote, comma or space. */
static void
put_csv_plate(struct pb_cli_out *out, const struct shape *shape, const struct pb_row *row,
              const char *watermark)
{
    char text[CELL_BYTES_MAX];

    for (unsigned i = 0; i < shape->count; i++) {
        struct pb_text_out cell = pb_text_out(text, sizeof(text));

        put_cell(&cell, shape->cells[i], row);
        pb_cli_put_text(out, i > 0 ? "," : "");
        pb_cli_put_bytes(out, text, (size_t)(cell.at - text));
    }
    put_csv_end(out, watermark);
}

static void
put_csv_header(struct pb_cli_out *out, enum pb_cli_answer_rows rows, const char *watermark)
{
    switch (rows) {
    case PB_CLI_ROWS_READS:
        pb_cli_put_bytes(out, pb_csv_header, strlen(pb_csv_header) - 1);
        pb_cli_put_text(out, ",agency");
        break;
    case PB_CLI_ROWS_PLATES:
        pb_cli_put_text(out, "plate,jurisdiction,reads,first,last");
        break;
    case PB_CLI_ROWS_COMMON:
        pb_cli_put_text(out, "plate,jurisdiction,places,reads,first,last");
        break;
    case PB_CLI_ROWS_ASSOCIATES:
        pb_cli_put_text(out, "plate,jurisdiction,together,expected,score,reads,first,last");
        break;
    }
    put_csv_end(out, watermark[0] != '\0' ? "watermark" : "");
}

/* ---- */

static enum pb_status
put_table(const struct pb_env *env, struct pb_cli_out *out, const struct pb_answer *answer,
          enum pb_cli_answer_rows rows)
{
    const struct shape shape = shape_of(rows);
    struct pb_cli_table table = { .out = NULL };
    enum pb_status status = pb_cli_table_init(&table, env, out, shape.columns, shape.count);

    for (uint64_t i = 0; i < pb_answer_rows(answer) && status == PB_OK && pb_cli_out_is_open(out);
         i++)
        status = put_table_row(&table, &shape, pb_answer_row(answer, i));
    if (table.cells != NULL)
        pb_cli_table_flush(&table);
    pb_cli_table_done(&table);
    return status;
}

enum pb_status
pb_cli_answer_put(const struct pb_env *env, struct pb_cli_out *out, const struct pb_answer *answer,
                  enum pb_cli_answer_rows rows, enum pb_cli_answer_format format, bool exact_csv)
{
    const char *watermark = pb_answer_watermark(answer);
    const struct shape shape = shape_of(rows);

    if (format == PB_CLI_ANSWER_TABLE)
        return put_table(env, out, answer, rows);
    if (format == PB_CLI_ANSWER_CSV)
        put_csv_header(out, rows, watermark);
    for (uint64_t i = 0; i < pb_answer_rows(answer) && pb_cli_out_is_open(out); i++) {
        const struct pb_row *row = pb_answer_row(answer, i);

        if (format == PB_CLI_ANSWER_JSON && rows == PB_CLI_ROWS_READS)
            put_json_read(out, row, watermark);
        else if (format == PB_CLI_ANSWER_JSON)
            put_json_plate(out, rows, row, watermark);
        else if (rows == PB_CLI_ROWS_READS)
            put_csv_read(out, row, exact_csv, watermark);
        else
            put_csv_plate(out, &shape, row, watermark);
    }
    return PB_OK;
}
