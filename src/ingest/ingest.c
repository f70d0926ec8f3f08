/*
 * Ingest: which format, its head, and the way to its parser.
 */
#include "ingest/ingest.h"

#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "ingest/ingest_private.h"
#include "ingest/number.h"
#include "ingest/pbr.h"

#define DETECT_BYTES_MAX 65536u

/* ---- detection ---- */

/* The bytes of a byte order mark at the start. */
static size_t
mark_bytes(const uint8_t *bytes, size_t count)
{
    return count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static bool
holds(const uint8_t *bytes, size_t count, const char *text)
{
    return memmem(bytes, count, text, strlen(text)) != NULL;
}

/* A guess from the first object: native reads have none of these keys. */
static enum pb_format
detect_json(const uint8_t *bytes, size_t count)
{
    static const char *const marks[] = { "\"data_type\"", "\"best_plate", "\"openalpr_webhook\"",
                                         "\"matches_template\"" };
    size_t at = 0, end;
    bool is_open;

    while (at < count && (pb_json_is_space(bytes[at]) || bytes[at] == '['))
        at++;
    end = pb_json_value_end(bytes, count, at, &is_open);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (holds(bytes + at, end - at, marks[i]))
            return PB_FORMAT_OPENALPR;
    }
    return PB_FORMAT_NDJSON;
}

static enum pb_format
detect_csv(const uint8_t *bytes, size_t count)
{
    struct pb_ingest_defaults defaults = {
        .reader = { .text = "?", .bytes = 1 }, /* what the source will say is not known here */
        .captured_at_us = 1,
    };
    struct pb_csv_head head;
    size_t head_bytes;

    return pb_csv_head_parse(bytes, count, &defaults, &head, &head_bytes, NULL) == PB_OK
               ? PB_FORMAT_CSV
               : PB_FORMAT_AUTO;
}

enum pb_format
pb_format_detect(const uint8_t *bytes, size_t count)
{
    size_t at;

    if (count >= PB_PBR_MAGIC_BYTES && memcmp(bytes, PB_PBR_MAGIC, PB_PBR_MAGIC_BYTES) == 0)
        return PB_FORMAT_PBR;
    if (count > DETECT_BYTES_MAX)
        count = DETECT_BYTES_MAX;
    at = mark_bytes(bytes, count);
    bytes += at;
    count -= at;
    for (at = 0; at < count && pb_json_is_space(bytes[at]);)
        at++;
    if (at < count && (bytes[at] == '{' || bytes[at] == '['))
        return detect_json(bytes, count);
    return count > 0 ? detect_csv(bytes, count) : PB_FORMAT_AUTO;
}

/* ---- head ---- */

static enum pb_status
copy_defaults(struct pb_input_head *head, const struct pb_ingest_defaults *defaults,
              struct pb_error *error)
{
    const char *country = defaults->country == NULL ? "" : defaults->country;

    if (defaults->reader.bytes > sizeof(head->reader))
        return pb_fail(error, PB_BAD_INPUT, "the default reader is longer than %u bytes",
                       PB_READER_BYTES_MAX);
    if (strlen(country) >= sizeof(head->country))
        return pb_fail(error, PB_BAD_INPUT, "the default country is not a code such as US");
    head->defaults = *defaults;
    if (defaults->reader.bytes > 0)
        memcpy(head->reader, defaults->reader.text, defaults->reader.bytes);
    head->defaults.reader.text = head->reader;
    memcpy(head->country, country, strlen(country) + 1);
    head->defaults.country = head->country;
    return PB_OK;
}

static enum pb_status
csv_head(struct pb_input_head *head, const uint8_t *bytes, size_t count, size_t *ret_head_bytes,
         struct pb_error *error)
{
    size_t at = mark_bytes(bytes, count), csv_bytes = 0;
    enum pb_status status =
        pb_csv_head_parse(bytes + at, count - at, &head->defaults, &head->csv, &csv_bytes, error);

    *ret_head_bytes = at + csv_bytes;
    return status;
}

/* Up to the first document: the bracket of an array is of the head. */
static size_t
json_head_bytes(struct pb_input_head *head, const uint8_t *bytes, size_t count)
{
    size_t at = mark_bytes(bytes, count);

    head->layout = pb_documents_layout(bytes + at, count - at);
    if (head->layout == PB_JSON_ELEMENTS)
        at = (size_t)((const uint8_t *)memchr(bytes + at, '[', count - at) - bytes) + 1;
    return at;
}

static enum pb_status
ndjson_head(struct pb_input_head *head, const uint8_t *bytes, size_t count, size_t *ret_head_bytes,
            struct pb_error *error)
{
    (void)error;
    pb_json_keys_init(&head->keys, pb_native_keys, pb_native_key_count);
    *ret_head_bytes = json_head_bytes(head, bytes, count);
    return PB_OK;
}

static enum pb_status
openalpr_head(struct pb_input_head *head, const uint8_t *bytes, size_t count,
              size_t *ret_head_bytes, struct pb_error *error)
{
    (void)error;
    pb_json_keys_init(&head->keys, pb_openalpr_keys, pb_openalpr_key_count);
    *ret_head_bytes = json_head_bytes(head, bytes, count);
    return PB_OK;
}

static enum pb_status
pbr_head(struct pb_input_head *head, const uint8_t *bytes, size_t count, size_t *ret_head_bytes,
         struct pb_error *error)
{
    (void)head;
    if (count < PB_PBR_HEAD_BYTES)
        return pb_fail(error, PB_BAD_INPUT, "these are not Platebase reads in binary");
    *ret_head_bytes = PB_PBR_HEAD_BYTES;
    return pb_pbr_head_get(bytes, error);
}

/* ---- formats ---- */

/* What a format is. */
static const struct format {
    const char *name;
    enum pb_status (*head)(struct pb_input_head *head, const uint8_t *bytes, size_t count,
                           size_t *ret_head_bytes, struct pb_error *error);
    size_t (*cut)(const struct pb_input_head *head, const uint8_t *bytes, size_t count,
                  bool is_last);
    enum pb_status (*chunk)(struct pb_parser *parser, const struct pb_chunk *chunk);
    bool has_lines;
    bool is_json;
} formats[] = {
    [PB_FORMAT_AUTO] = { .name = "auto" }, /* no head has it */
    [PB_FORMAT_CSV] = { .name = "csv",
                        .head = csv_head,
                        .cut = pb_csv_cut,
                        .chunk = pb_csv_chunk,
                        .has_lines = true },
    [PB_FORMAT_NDJSON] = { .name = "ndjson",
                           .head = ndjson_head,
                           .cut = pb_documents_cut,
                           .chunk = pb_documents_chunk,
                           .has_lines = true,
                           .is_json = true },
    [PB_FORMAT_PBR] = { .name = "pbr", .head = pbr_head, .cut = pb_pbr_cut, .chunk = pb_pbr_chunk },
    [PB_FORMAT_OPENALPR] = { .name = "openalpr",
                             .head = openalpr_head,
                             .cut = pb_documents_cut,
                             .chunk = pb_documents_chunk,
                             .has_lines = true,
                             .is_json = true },
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

const char *
pb_format_name(enum pb_format format)
{
    assert((size_t)format < FORMAT_COUNT);
    return formats[format].name;
}

int
pb_format_from_name(const char *name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(name, formats[i].name) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- inputs ---- */

enum pb_status
pb_input_head_new(const struct pb_env *env, enum pb_format format, const uint8_t *bytes,
                  size_t count, const struct pb_ingest_defaults *defaults,
                  struct pb_input_head **ret_head, size_t *ret_head_bytes,
                  struct pb_error *error)
{
    struct pb_input_head *head;
    size_t head_bytes = 0;
    enum pb_status status;

    if (format == PB_FORMAT_AUTO)
        return pb_fail(error, PB_BAD_INPUT, "the format of the input is not known");
    head = pb_calloc(env, 1, sizeof(*head));
    if (head == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to begin an import");
    head->format = format;
    status = copy_defaults(head, defaults, error);
    if (status == PB_OK)
        status = formats[format].head(head, bytes, count, &head_bytes, error);
    if (status != PB_OK) {
        pb_input_head_free(env, head);
        return status;
    }
    head->line_count = pb_count_lines(bytes, head_bytes);
    *ret_head = head;
    *ret_head_bytes = head_bytes;
    return PB_OK;
}

void
pb_input_head_free(const struct pb_env *env, struct pb_input_head *head)
{
    pb_free(env, head);
}

uint64_t
pb_input_head_lines(const struct pb_input_head *head)
{
    return head->line_count;
}

/* ---- chunks ---- */

size_t
pb_input_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count, bool is_last,
             uint64_t *ret_lines)
{
    const struct format *format = &formats[head->format];
    size_t border = format->cut(head, bytes, count, is_last);

    *ret_lines = format->has_lines ? pb_count_lines(bytes, border) : 0;
    return border;
}

enum pb_status
pb_parser_new(const struct pb_env *env, const struct pb_input_head *head,
              struct pb_parser **ret_parser, struct pb_error *error)
{
    struct pb_parser *parser = pb_calloc(env, 1, sizeof(*parser));
    enum pb_status status = PB_E_NOMEM;

    if (parser == NULL)
        goto out;
    parser->env = env;
    parser->head = head;
    status = pb_batch_init(&parser->batch, env, &head->defaults);
    if (status != PB_OK)
        goto out;
    if (head->format == PB_FORMAT_CSV)
        pb_csv_scratch_init(&parser->csv, &head->csv);
    if (formats[head->format].is_json) {
        parser->json = pb_json_new(env);
        if (parser->json == NULL) {
            status = PB_E_NOMEM;
            goto out;
        }
    }
    *ret_parser = parser;
    parser = NULL; /* moved to the caller */

out:
    pb_parser_free(parser);
    return status == PB_OK ? PB_OK : pb_fail(error, status, "no memory for a parser");
}

void
pb_parser_free(struct pb_parser *parser)
{
    if (parser == NULL)
        return;
    pb_json_free(parser->json);
    pb_batch_done(&parser->batch);
    pb_free(parser->env, parser);
}

enum pb_status
pb_parser_chunk(struct pb_parser *parser, const uint8_t *bytes, size_t count, uint64_t first_line,
                bool is_last, const struct pb_ingest_sink *sink, struct pb_error *error)
{
    struct pb_chunk chunk = {
        .bytes = bytes, .count = count, .first_line = first_line, .is_last = is_last
    };
    enum pb_status status;

    parser->batch.sink = sink;
    parser->batch.chunk = bytes;
    parser->batch.is_ascii = false;
    parser->batch.count = 0; /* of an earlier chunk that the sink stopped */
    status = formats[parser->head->format].chunk(parser, &chunk);
    if (status == PB_OK)
        status = pb_batch_flush(&parser->batch);
    parser->batch.sink = NULL;
    if (status == PB_E_NOMEM)
        return pb_fail(error, status, "no memory to parse a chunk of %zu bytes", count);
    return status;
}
