/*
 * Reads as CSV rows and JSON lines. Exports write millions of them, so nothing here
 * goes through printf and texts are copied in stretches.
 *
 * The buffer holds any read, so nothing is ever cut: a valid read has less than
 * 2,000 bytes of text, each at most six characters long in JSON.
 */
#include "read/read_text.h"

#include <assert.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"

#define TEXT_ESCAPED_BYTES_MAX (6u * 2048u) /* of all of a read's texts */
#define NAMES_AND_NUMBERS_BYTES_MAX 4096u   /* keys, commas, quotes, numbers, times */

static_assert(TEXT_ESCAPED_BYTES_MAX + NAMES_AND_NUMBERS_BYTES_MAX <= PB_READ_TEXT_BYTES_MAX,
              "any read's text fits");

const char pb_csv_header[] = "captured_at,plate,jurisdiction,reader,lat,lon,heading_deg,speed_kmh,"
                             "confidence,make,model,color,body,year,event_id,alternates\n";

/* ---- shared ---- */

/* Zone as sent. An unknown one is -00:00 (RFC 3339 4.3), so that it is unknown again when
 * read back; Z stands for a reader that said UTC. */
static void
put_time(struct pb_text_out *out, int64_t us, int16_t offset_min)
{
    char text[PB_TIME_BYTES_MAX];
    size_t length = pb_time_format(us, offset_min, text);

    if (offset_min == PB_NO_UTC_OFFSET) {
        assert(text[length - 1] == 'Z');
        pb_put_bytes(out, text, length - 1);
        pb_put_text(out, "-00:00");
        return;
    }
    pb_put_bytes(out, text, length);
}

static void
put_year_range(struct pb_text_out *out, const struct pb_read *read)
{
    pb_put_u64(out, read->year);
    pb_put_char(out, '-');
    pb_put_u64(out, read->year_last);
}

/* ---- CSV ---- */

/* Of a cell that is not empty, as is_formula(). */
static bool
needs_quotes(struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        char c = text.text[i];

        if (c == ',' || c == '"' || c == '\n' || c == '\r')
            return true;
    }
    return text.text[0] == ' ' || text.text[text.bytes - 1] == ' ';
}

/* true where a spreadsheet would take the cell for a formula. Some take the full-width forms
 * (U+FF1D, U+FF0B, U+FF0D, U+FF20) for the characters themselves. */
static bool
is_formula(struct pb_str text)
{
    switch (text.text[0]) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
    case '\n':
        return true;
    default:
        break;
    }
    return text.bytes >= 3 && (memcmp(text.text, "\xEF\xBC\x9D", 3) == 0 ||
                               memcmp(text.text, "\xEF\xBC\x8B", 3) == 0 ||
                               memcmp(text.text, "\xEF\xBC\x8D", 3) == 0 ||
                               memcmp(text.text, "\xEF\xBC\xA0", 3) == 0);
}

static void
put_quoted(struct pb_text_out *out, struct pb_str text)
{
    const char *at = text.text;
    const char *end = at + text.bytes;

    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));

        if (quote == NULL)
            break;
        pb_put_bytes(out, at, (size_t)(quote + 1 - at));
        pb_put_char(out, '"');
        at = quote + 1;
    }
    pb_put_bytes(out, at, (size_t)(end - at));
}

/* A text cell and the comma after it. */
static void
put_cell(struct pb_text_out *out, struct pb_str text, bool formula_safe)
{
    bool is_quoted;

    if (text.bytes == 0) {
        pb_put_char(out, ',');
        return;
    }
    is_quoted = needs_quotes(text);
    if (is_quoted)
        pb_put_char(out, '"');
    if (formula_safe && is_formula(text))
        pb_put_char(out, '\'');
    if (is_quoted) {
        put_quoted(out, text);
        pb_put_char(out, '"');
    } else {
        pb_put_str(out, text);
    }
    pb_put_char(out, ',');
}

static void
put_csv_place(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->lat_e7 != PB_NO_POSITION)
        pb_put_fixed(out, read->lat_e7, 7, 0);
    pb_put_char(out, ',');
    if (read->lon_e7 != PB_NO_POSITION)
        pb_put_fixed(out, read->lon_e7, 7, 0);
    pb_put_char(out, ',');
    if (read->heading_cdeg != PB_NO_HEADING)
        pb_put_fixed(out, read->heading_cdeg, 2, 0);
    pb_put_char(out, ',');
    if (read->speed_ckmh != PB_NO_SPEED)
        pb_put_fixed(out, read->speed_ckmh, 2, 0);
    pb_put_char(out, ',');
}

/* A bare value of at most 1 would be read back as one on the unit scale. */
static void
put_csv_confidence(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->confidence_scale != PB_SCALE_NONE) {
        pb_put_fixed(out, read->confidence_e6, 6, 0);
        if (read->confidence_scale == PB_SCALE_PERCENT && read->confidence_e6 <= 1000000)
            pb_put_char(out, '%');
    }
    pb_put_char(out, ',');
}

static void
put_csv_alternates(struct pb_text_out *out, const struct pb_read *read, bool formula_safe)
{
    char text[PB_ALTERNATES_MAX * (PB_PLATE_BYTES_MAX + 16)];
    struct pb_text_out cell = pb_text_out(text, sizeof(text));

    if (read->alternate_count == 0) {
        pb_put_char(out, ',');
        return;
    }
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        if (i != 0)
            pb_put_char(&cell, '|');
        pb_put_str(&cell, read->alternates[i].plate);
        if (read->alternates[i].confidence_e6 != PB_NO_CONFIDENCE) {
            pb_put_char(&cell, ':');
            pb_put_fixed(&cell, read->alternates[i].confidence_e6, 6, 0);
        }
    }
    assert(!cell.is_cut);
    put_cell(out, (struct pb_str){ .text = text, .bytes = (uint32_t)(cell.at - text) },
             formula_safe);
}

/* Of a correction the corrected plate: the text as the reader sent it is another plate. */
static struct pb_str
plate_for_csv(const struct pb_read *read)
{
    return read->plate_raw.bytes != 0 && !read->is_correction ? read->plate_raw : read->plate;
}

size_t
pb_read_to_csv(const struct pb_read *read, bool formula_safe,
               char ret_text[PB_READ_TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_READ_TEXT_BYTES_MAX);

    assert(read != NULL && ret_text != NULL);
    put_time(&out, read->captured_at_us, read->utc_offset_min);
    pb_put_char(&out, ',');
    put_cell(&out, plate_for_csv(read), formula_safe);
    pb_put_text(&out, pb_jurisdiction_name(read->jurisdiction));
    pb_put_char(&out, ',');
    put_cell(&out, read->reader, formula_safe);
    put_csv_place(&out, read);
    put_csv_confidence(&out, read);
    put_cell(&out, read->make, formula_safe);
    put_cell(&out, read->model, formula_safe);
    put_cell(&out, read->color, formula_safe);
    put_cell(&out, read->body, formula_safe);
    if (read->year_last != 0)
        put_year_range(&out, read);
    else if (read->year != 0)
        pb_put_u64(&out, read->year);
    pb_put_char(&out, ',');
    put_cell(&out, read->event_id, formula_safe);
    put_csv_alternates(&out, read, formula_safe);

    assert(!out.is_cut && out.at[-1] == ',');
    out.at[-1] = '\n'; /* the last cell's comma */
    return (size_t)(out.at - ret_text);
}

/* ---- JSON ---- */

static void
put_escape(struct pb_text_out *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

    switch (c) {
    case '"':
        pb_put_bytes(out, "\\\"", 2);
        break;
    case '\\':
        pb_put_bytes(out, "\\\\", 2);
        break;
    case '\b':
        pb_put_bytes(out, "\\b", 2);
        break;
    case '\t':
        pb_put_bytes(out, "\\t", 2);
        break;
    case '\n':
        pb_put_bytes(out, "\\n", 2);
        break;
    case '\f':
        pb_put_bytes(out, "\\f", 2);
        break;
    case '\r':
        pb_put_bytes(out, "\\r", 2);
        break;
    default:
        pb_put_bytes(out, escape, sizeof(escape));
        break;
    }
}

static void
put_string(struct pb_text_out *out, struct pb_str text)
{
    uint32_t begin = 0;

    pb_put_char(out, '"');
    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.text[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        pb_put_bytes(out, text.text + begin, i - begin);
        put_escape(out, c);
        begin = i + 1;
    }
    if (begin < text.bytes)
        pb_put_bytes(out, text.text + begin, text.bytes - begin);
    pb_put_char(out, '"');
}

/* key is the literal between values: comma, quotes and colon included. */
static void
put_string_if_any(struct pb_text_out *out, const char *key, struct pb_str text)
{
    if (text.bytes == 0)
        return;
    pb_put_text(out, key);
    put_string(out, text);
}

static void
put_json_time(struct pb_text_out *out, const char *key, int64_t us, int16_t offset_min)
{
    pb_put_text(out, key);
    pb_put_char(out, '"');
    put_time(out, us, offset_min);
    pb_put_char(out, '"');
}

static void
put_json_place(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->lat_e7 != PB_NO_POSITION) {
        pb_put_text(out, ",\"lat\":");
        pb_put_fixed(out, read->lat_e7, 7, 0);
        pb_put_text(out, ",\"lon\":");
        pb_put_fixed(out, read->lon_e7, 7, 0);
    }
    if (read->heading_cdeg != PB_NO_HEADING) {
        pb_put_text(out, ",\"heading_deg\":");
        pb_put_fixed(out, read->heading_cdeg, 2, 0);
    }
    if (read->speed_ckmh != PB_NO_SPEED) {
        pb_put_text(out, ",\"speed_kmh\":");
        pb_put_fixed(out, read->speed_ckmh, 2, 0);
    }
    if (read->lane != 0) {
        pb_put_text(out, ",\"lane\":");
        pb_put_u64(out, read->lane);
    }
}

static void
put_json_confidence(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->confidence_scale == PB_SCALE_NONE)
        return;
    pb_put_text(out, ",\"confidence\":");
    pb_put_fixed(out, read->confidence_e6, 6, 0);
    pb_put_text(out, ",\"confidence_scale\":");
    pb_put_text(out, read->confidence_scale == PB_SCALE_UNIT ? "\"unit\"" : "\"percent\"");
}

static void
put_json_vehicle(struct pb_text_out *out, const struct pb_read *read)
{
    put_string_if_any(out, ",\"make\":", read->make);
    put_string_if_any(out, ",\"model\":", read->model);
    put_string_if_any(out, ",\"color\":", read->color);
    put_string_if_any(out, ",\"body\":", read->body);
    if (read->year_last != 0) {
        pb_put_text(out, ",\"year\":\"");
        put_year_range(out, read);
        pb_put_char(out, '"');
    } else if (read->year != 0) {
        pb_put_text(out, ",\"year\":");
        pb_put_u64(out, read->year);
    }
}

static void
put_json_history(struct pb_text_out *out, const struct pb_read *read)
{
    put_string_if_any(out, ",\"event_id\":", read->event_id);
    if (read->revision != 0 || read->is_revisable) {
        pb_put_text(out, ",\"revision\":");
        pb_put_u64(out, read->revision);
        pb_put_text(out, read->is_revisable ? ",\"revises\":true" : ",\"revises\":false");
    }
    if (read->is_correction)
        pb_put_text(out, ",\"correction\":true");
    put_string_if_any(out, ",\"identity_plate\":", read->identity_plate);
    if (read->is_superseded)
        pb_put_text(out, ",\"superseded\":true");
    if (read->delete_after_us != PB_NEVER)
        put_json_time(out, ",\"delete_after\":", read->delete_after_us, 0);
}

static void
put_json_alternates(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->alternate_count == 0)
        return;
    pb_put_text(out, ",\"alternates\":[");
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        pb_put_text(out, i == 0 ? "{\"plate\":" : ",{\"plate\":");
        put_string(out, read->alternates[i].plate);
        if (read->alternates[i].confidence_e6 != PB_NO_CONFIDENCE) {
            pb_put_text(out, ",\"confidence\":");
            pb_put_fixed(out, read->alternates[i].confidence_e6, 6, 0);
        }
        pb_put_char(out, '}');
    }
    pb_put_char(out, ']');
}

static const char *
image_kind_name(enum pb_image_kind kind)
{
    switch (kind) {
    case PB_IMAGE_PLATE:
        return "plate";
    case PB_IMAGE_VEHICLE:
        return "vehicle";
    case PB_IMAGE_SCENE:
        return "scene";
    case PB_IMAGE_OTHER:
        break;
    }
    return "other";
}

static void
put_json_images(struct pb_text_out *out, const struct pb_read *read)
{
    if (read->image_count == 0)
        return;
    pb_put_text(out, ",\"images\":[");
    for (uint32_t i = 0; i < read->image_count; i++) {
        pb_put_text(out, i == 0 ? "{\"kind\":\"" : ",{\"kind\":\"");
        pb_put_text(out, image_kind_name(read->images[i].kind));
        pb_put_text(out, "\",\"ref\":");
        put_string(out, read->images[i].ref);
        pb_put_char(out, '}');
    }
    pb_put_char(out, ']');
}

static const char *
match_name(enum pb_match match)
{
    switch (match) {
    case PB_MATCH_PATTERN:
        return "pattern";
    case PB_MATCH_LOOKALIKE:
        return "lookalike";
    case PB_MATCH_EDITS:
        return "edits";
    case PB_MATCH_EXACT:
        break;
    }
    return "exact";
}

static void
put_json_result(struct pb_text_out *out, const struct pb_result *result)
{
    pb_put_text(out, ",\"match\":\"");
    pb_put_text(out, match_name(result->match));
    pb_put_char(out, '"');
    if (result->edits != 0) {
        pb_put_text(out, ",\"edits\":");
        pb_put_u64(out, result->edits);
    }
    if (result->alternate != 0) {
        pb_put_text(out, ",\"alternate\":");
        pb_put_u64(out, result->alternate);
    }
}

size_t
pb_read_to_json(const struct pb_read *read, const struct pb_result *result,
                char ret_text[PB_READ_TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_READ_TEXT_BYTES_MAX);

    assert(read != NULL && ret_text != NULL);
    pb_put_text(&out, "{\"plate\":");
    put_string(&out, read->plate);
    put_string_if_any(&out, ",\"plate_raw\":", read->plate_raw);
    if (read->jurisdiction != 0)
        put_string_if_any(&out, ",\"jurisdiction\":",
                          pb_str_from(pb_jurisdiction_name(read->jurisdiction)));
    put_json_time(&out, ",\"captured_at\":", read->captured_at_us, read->utc_offset_min);
    if (read->received_at_us != 0)
        put_json_time(&out, ",\"received_at\":", read->received_at_us, 0);
    put_string_if_any(&out, ",\"reader\":", read->reader);
    put_json_place(&out, read);
    put_json_confidence(&out, read);
    put_json_vehicle(&out, read);
    put_json_history(&out, read);
    put_json_alternates(&out, read);
    put_json_images(&out, read);
    if (result != NULL)
        put_json_result(&out, result);
    pb_put_char(&out, '}');
    assert(!out.is_cut);
    return (size_t)(out.at - ret_text);
}
