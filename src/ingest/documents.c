/*
 * Documents: JSON inputs cut into single documents, each handed to its format.
 *
 * One object a line is the fast way: lines are indexed a window at a time, and only
 * where a window has a fault are its lines indexed one by one, so that a bad line costs no
 * other. In an array, or where objects span lines, borders are found by counting brackets
 * outside strings; what is not closed ends where an object begins that cannot be within it, for
 * whoever cuts and whoever parses alike, and the rest is read.
 */
#include <string.h>

#include "base/limits.h"
#include "ingest/ingest_private.h"

#define WINDOW_BYTES (128u << 10)

static size_t
skip_space(const uint8_t *bytes, size_t count, size_t at)
{
    while (at < count && pb_json_is_space(bytes[at]))
        at++;
    return at;
}

/* ---- layout and cutting ---- */

/*
 * Objects span lines where the first line does not close its first object and the second
 * does not begin another one; so a first line that is merely broken does not change how the
 * rest is read.
 */
enum pb_json_layout
pb_documents_layout(const uint8_t *bytes, size_t count)
{
    size_t at = skip_space(bytes, count, 0);
    size_t line_end = pb_line_end(bytes, count, at);
    bool is_open;

    if (at == count)
        return PB_JSON_LINES;
    if (bytes[at] == '[')
        return PB_JSON_ELEMENTS;
    (void)pb_json_value_end(bytes, line_end, at, &is_open);
    at = skip_space(bytes, count, line_end);
    return is_open && at < count && bytes[at] != '{' ? PB_JSON_DOCUMENTS : PB_JSON_LINES;
}

static size_t
cut_documents(const uint8_t *bytes, size_t count)
{
    size_t border = 0;

    for (;;) {
        size_t at = skip_space(bytes, count, border), end;
        bool is_open;

        if (at == count)
            return border;
        end = pb_json_value_end(bytes, count, at, &is_open);
        if (is_open && end == count)
            return border;
        border = end == at ? at + 1 : end;
    }
}

/* A border is after a comma that another element follows, so that the last chunk alone has the
 * end of the array, and what goes wrong there. */
static size_t
cut_elements(const uint8_t *bytes, size_t count)
{
    size_t border = 0, at = 0;

    for (;;) {
        bool is_open;

        at = skip_space(bytes, count, at);
        if (at == count || bytes[at] == ']')
            return border;
        if (bytes[at] == ',') {
            at = skip_space(bytes, count, at + 1);
            if (at == count || bytes[at] == ']')
                return border;
            border = at;
            continue;
        }
        at = pb_json_value_end(bytes, count, at, &is_open);
        if (is_open && at == count)
            return border;
        if (is_open)
            border = at;
        at += at < count && bytes[at] == '}'; /* one that closes nothing */
    }
}

size_t
pb_documents_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count, bool is_last)
{
    if (is_last)
        return count;
    if (head->layout == PB_JSON_LINES)
        return pb_last_line_end(bytes, count);
    return head->layout == PB_JSON_DOCUMENTS ? cut_documents(bytes, count)
                                             : cut_elements(bytes, count);
}

/* ---- parsing ---- */

/* Where in a chunk we are. */
struct place {
    struct pb_parser *parser;
    const struct pb_chunk *chunk;
    size_t at;
    uint64_t line; /* of at */
};

static void
move_to(struct place *place, size_t at)
{
    place->line += pb_count_lines(place->chunk->bytes + place->at, at - place->at);
    place->at = at;
}

/* Makes [at, end) the record at hand. */
static void
set_record(struct place *place, size_t end)
{
    struct pb_batch *batch = &place->parser->batch;

    batch->line = place->line;
    batch->record = place->chunk->bytes + place->at;
    batch->record_bytes = end - place->at;
}

static enum pb_status
reject_up_to(struct place *place, size_t end, const char *reason)
{
    set_record(place, end);
    return pb_batch_reject(&place->parser->batch, "", reason);
}

/* Hands over the document in [from, to) of what is loaded: the record at hand. */
static enum pb_status
take_document(struct pb_parser *parser, size_t from, size_t to)
{
    const struct pb_json_value *values;
    const char *reason;
    uint32_t count;
    enum pb_status status;

    status =
        pb_json_document(parser->json, from, to, &parser->head->keys, &values, &count, &reason);
    if (status == PB_BAD_INPUT)
        return pb_batch_reject(&parser->batch, "", reason);
    if (status != PB_OK || count == 0)
        return status;
    return parser->head->format == PB_FORMAT_OPENALPR ? pb_openalpr_document(&parser->batch, values)
                                                      : pb_native_document(&parser->batch, values);
}

/* Reads that point into what was loaded go out before the next load. */
static enum pb_status
let_go(struct pb_parser *parser)
{
    return pb_json_owns_texts(parser->json) ? pb_batch_flush(&parser->batch) : PB_OK;
}

/* Loads [at, end) of the chunk. */
static enum pb_status
load(const struct place *place, size_t end, const char **ret_reason)
{
    const struct pb_chunk *chunk = place->chunk;

    return pb_json_load(place->parser->json, chunk->bytes + place->at, end - place->at,
                        chunk->count - place->at, ret_reason);
}

/* Takes the document that fills [at, end), loaded on its own. */
static enum pb_status
take_alone(struct place *place, size_t end)
{
    const char *reason;
    enum pb_status status;

    set_record(place, end);
    if (end - place->at > PB_LINE_BYTES_MAX)
        return pb_batch_reject(&place->parser->batch, "", "the record is longer than 1 MiB");
    status = let_go(place->parser);
    if (status != PB_OK)
        return status;
    status = load(place, end, &reason);
    if (status == PB_BAD_INPUT)
        return pb_batch_reject(&place->parser->batch, "", reason);
    if (status != PB_OK)
        return status;
    return take_document(place->parser, 0, end - place->at);
}

/* Takes the lines in [at, end), each loaded on its own. */
static enum pb_status
take_lines_alone(struct place *place, size_t end)
{
    const struct pb_chunk *chunk = place->chunk;
    enum pb_status status = PB_OK;

    while (place->at < end && status == PB_OK) {
        size_t line_end = pb_line_end(chunk->bytes, end, place->at);

        if (skip_space(chunk->bytes, line_end, place->at) < line_end)
            status = take_alone(place, line_end);
        place->at = line_end;
        place->line++;
    }
    return status;
}

/* Takes the line that begins at `at`, of what was loaded from begin to end. */
static enum pb_status
take_line(struct place *place, size_t begin, size_t end)
{
    struct pb_parser *parser = place->parser;
    size_t from = place->at - begin;
    enum pb_status status = PB_OK;
    size_t to = 0;

    if (parser->head->format == PB_FORMAT_NDJSON) {
        set_record(place, end);
        to = pb_native_members(&parser->batch, parser->json, from, end - begin, &parser->head->keys,
                               &status);
    }
    if (to == 0) {
        to = pb_line_end(place->chunk->bytes, end, place->at) - begin;
        set_record(place, begin + to);
        status = take_document(parser, from, to);
    }
    place->at = begin + to;
    place->line++;
    return status;
}

/* Takes the lines in [at, end), at most WINDOW_BYTES. */
static enum pb_status
take_window(struct place *place, size_t end)
{
    size_t begin = place->at;
    const char *reason;
    enum pb_status status = let_go(place->parser);

    if (status != PB_OK)
        return status;
    status = load(place, end, &reason);
    if (status == PB_BAD_INPUT)
        return take_lines_alone(place, end);
    place->parser->batch.is_ascii = pb_json_is_ascii(place->parser->json);
    while (place->at < end && status == PB_OK)
        status = take_line(place, begin, end);
    place->parser->batch.is_ascii = false;
    return status;
}

static enum pb_status
take_lines(struct place *place)
{
    const struct pb_chunk *chunk = place->chunk;
    enum pb_status status = PB_OK;

    while (place->at < chunk->count && status == PB_OK) {
        size_t left = chunk->count - place->at;
        size_t window =
            pb_last_line_end(chunk->bytes + place->at, left < WINDOW_BYTES ? left : WINDOW_BYTES);

        if (left <= WINDOW_BYTES)
            status = take_window(place, chunk->count);
        else if (window > 0)
            status = take_window(place, place->at + window);
        else
            status = take_lines_alone(place, pb_line_end(chunk->bytes, chunk->count, place->at));
    }
    return status;
}

/* Takes the value at `at`, which is neither white space nor the end; sets ret_is_open where an
 * object or array is not closed. */
static enum pb_status
take_value(struct place *place, bool *ret_is_open)
{
    const struct pb_chunk *chunk = place->chunk;
    enum pb_status status;
    bool is_open;
    size_t end = pb_json_value_end(chunk->bytes, chunk->count, place->at, &is_open);

    *ret_is_open = is_open && (chunk->bytes[place->at] == '{' || chunk->bytes[place->at] == '[');
    if (*ret_is_open) {
        status = reject_up_to(place, end, "a bracket or a quote is not closed");
    } else if (end == place->at) {
        end++;
        status = reject_up_to(place, end, "a bracket or a comma out of place");
    } else {
        status = take_alone(place, end);
    }
    move_to(place, end);
    return status;
}

static enum pb_status
take_documents(struct place *place)
{
    const struct pb_chunk *chunk = place->chunk;
    enum pb_status status = PB_OK;
    bool is_open;

    while (status == PB_OK) {
        move_to(place, skip_space(chunk->bytes, chunk->count, place->at));
        if (place->at == chunk->count)
            break;
        status = take_value(place, &is_open);
    }
    return status;
}

/* After the bracket that closes the array. */
static enum pb_status
take_array_end(struct place *place)
{
    const struct pb_chunk *chunk = place->chunk;

    move_to(place, skip_space(chunk->bytes, chunk->count, place->at + 1));
    if (place->at == chunk->count)
        return PB_OK;
    return reject_up_to(place, chunk->count, "text after the end of the array");
}

static enum pb_status
take_elements(struct place *place)
{
    const struct pb_chunk *chunk = place->chunk;
    enum pb_status status = PB_OK;
    bool needs_comma = false, has_comma = false, is_open = false;

    while (status == PB_OK) {
        uint8_t byte;

        move_to(place, skip_space(chunk->bytes, chunk->count, place->at));
        if (place->at == chunk->count)
            return chunk->is_last && !is_open
                       ? reject_up_to(place, place->at, "the array is not closed")
                       : PB_OK;
        byte = chunk->bytes[place->at];
        if (byte == ']' && !has_comma)
            return take_array_end(place);
        if (byte == ']') {
            status = reject_up_to(place, place->at + 1, "a comma without an element after it");
            return status == PB_OK ? take_array_end(place) : status;
        }
        if (byte == ',' && needs_comma) {
            move_to(place, place->at + 1);
            needs_comma = false;
            has_comma = true;
            continue;
        }
        if (needs_comma)
            status = reject_up_to(place, place->at + 1, "a comma is missing before an element");
        if (status == PB_OK)
            status = take_value(place, &is_open);
        needs_comma = byte != ',' && !is_open;
        has_comma = byte == ',';
    }
    return status;
}

enum pb_status
pb_documents_chunk(struct pb_parser *parser, const struct pb_chunk *chunk)
{
    struct place place = { .parser = parser, .chunk = chunk, .at = 0, .line = chunk->first_line };

    if (parser->head->layout == PB_JSON_LINES)
        return take_lines(&place);
    return parser->head->layout == PB_JSON_DOCUMENTS ? take_documents(&place)
                                                     : take_elements(&place);
}
