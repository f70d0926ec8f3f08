/*
 * Rows as text. Plates and ids of agencies hold nothing that JSON or CSV would have to quote, and
 * nothing that a spreadsheet would run: plates are folded, ids are letters, digits and . _ : -.
 */
#include "inquiry/row_text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"

enum pb_row_shape
pb_row_shape_of(const struct pb_inquiry *inquiry)
{
    switch (inquiry->kind) {
    case PB_INQUIRY_COMMON:
        return PB_ROWS_COMMON;
    case PB_INQUIRY_ASSOCIATES:
        return PB_ROWS_ASSOCIATES;
    case PB_INQUIRY_PLATE:
    case PB_INQUIRY_PATTERN:
    case PB_INQUIRY_PLACE:
    case PB_INQUIRY_SUBJECT:
        break;
    }
    return inquiry->counts_plates ? PB_ROWS_PLATES : PB_ROWS_READS;
}

static void
put_time(struct pb_text_out *out, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    pb_put_text(out, text);
}

static void
put_real(struct pb_text_out *out, double value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.6g", isfinite(value) ? value : 0);
    pb_put_text(out, text);
}

/* ---- JSON ---- */

static void
put_json_text(struct pb_text_out *out, const char *key, struct pb_str text)
{
    pb_put_text(out, key);
    pb_put_char(out, '"');
    pb_put_str(out, text);
    pb_put_char(out, '"');
}

static void
put_json_number(struct pb_text_out *out, const char *key, uint64_t number)
{
    pb_put_text(out, key);
    pb_put_u64(out, number);
}

static void
put_json_time(struct pb_text_out *out, const char *key, int64_t us)
{
    pb_put_text(out, key);
    pb_put_char(out, '"');
    put_time(out, us);
    pb_put_char(out, '"');
}

static void
put_json_plate(struct pb_text_out *out, enum pb_row_shape shape, const struct pb_row *row)
{
    put_json_text(out, "{\"plate\":", row->plate);
    if (row->jurisdiction != 0)
        put_json_text(out,
                      ",\"jurisdiction\":", pb_str_from(pb_jurisdiction_name(row->jurisdiction)));
    if (shape == PB_ROWS_COMMON)
        put_json_number(out, ",\"places\":", row->places);
    if (shape == PB_ROWS_ASSOCIATES) {
        put_json_number(out, ",\"together\":", row->together);
        pb_put_text(out, ",\"expected\":");
        put_real(out, row->expected);
        pb_put_text(out, ",\"score\":");
        put_real(out, row->score);
    }
    put_json_number(out, ",\"reads\":", row->reads);
    put_json_time(out, ",\"first\":", row->first_us);
    put_json_time(out, ",\"last\":", row->last_us);
}

size_t
pb_row_to_json(const struct pb_row *row, enum pb_row_shape shape, const char *watermark,
               char ret_text[PB_ROW_TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_ROW_TEXT_BYTES_MAX);

    if (shape == PB_ROWS_READS) {
        size_t bytes = pb_read_to_json(&row->result.read, &row->result, ret_text);

        assert(bytes > 1 && ret_text[bytes - 1] == '}');
        out.at += bytes - 1;
        put_json_text(&out, ",\"agency\":", row->owner);
    } else {
        put_json_plate(&out, shape, row);
    }
    if (watermark[0] != '\0')
        put_json_text(&out, ",\"watermark\":", pb_str_from(watermark));
    pb_put_char(&out, '}');
    assert(!out.is_cut);
    return (size_t)(out.at - ret_text);
}

/* ---- CSV ---- */

static void
put_csv_plate(struct pb_text_out *out, enum pb_row_shape shape, const struct pb_row *row)
{
    pb_put_str(out, row->plate);
    pb_put_char(out, ',');
    pb_put_text(out, pb_jurisdiction_name(row->jurisdiction));
    if (shape == PB_ROWS_COMMON) {
        pb_put_char(out, ',');
        pb_put_u64(out, row->places);
    }
    if (shape == PB_ROWS_ASSOCIATES) {
        pb_put_char(out, ',');
        pb_put_u64(out, row->together);
        pb_put_char(out, ',');
        put_real(out, row->expected);
        pb_put_char(out, ',');
        put_real(out, row->score);
    }
    pb_put_char(out, ',');
    pb_put_u64(out, row->reads);
    pb_put_char(out, ',');
    put_time(out, row->first_us);
    pb_put_char(out, ',');
    put_time(out, row->last_us);
}

static size_t
end_line(struct pb_text_out *out, const char *mark, const char *start)
{
    if (mark[0] != '\0') {
        pb_put_char(out, ',');
        pb_put_text(out, mark);
    }
    pb_put_char(out, '\n');
    assert(!out->is_cut);
    return (size_t)(out->at - start);
}

size_t
pb_row_to_csv(const struct pb_row *row, enum pb_row_shape shape, bool formula_safe,
              const char *watermark, char ret_text[PB_ROW_TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_ROW_TEXT_BYTES_MAX);

    if (shape == PB_ROWS_READS) {
        size_t bytes = pb_read_to_csv(&row->result.read, formula_safe, ret_text);

        assert(bytes > 0 && ret_text[bytes - 1] == '\n');
        out.at += bytes - 1;
        pb_put_char(&out, ',');
        pb_put_str(&out, row->owner);
    } else {
        put_csv_plate(&out, shape, row);
    }
    return end_line(&out, watermark, ret_text);
}

size_t
pb_row_csv_header(enum pb_row_shape shape, bool is_marked, char ret_text[PB_ROW_TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_ROW_TEXT_BYTES_MAX);

    switch (shape) {
    case PB_ROWS_READS:
        pb_put_bytes(&out, pb_csv_header, strlen(pb_csv_header) - 1);
        pb_put_text(&out, ",agency");
        break;
    case PB_ROWS_PLATES:
        pb_put_text(&out, "plate,jurisdiction,reads,first,last");
        break;
    case PB_ROWS_COMMON:
        pb_put_text(&out, "plate,jurisdiction,places,reads,first,last");
        break;
    case PB_ROWS_ASSOCIATES:
        pb_put_text(&out, "plate,jurisdiction,together,expected,score,reads,first,last");
        break;
    }
    return end_line(&out, is_marked ? "watermark" : "", ret_text);
}
