/*
 * Native JSON meets any bytes: lines, arrays, objects over several lines. A line that is one object
 * says the same as the only element of an array, where it is taken the long way.
 */
#include "ingest_fuzz.h"

#include "ingest/json.h"

/* Reads, and why there are none, whatever the record was and wherever it stood. */
static enum pb_status
take_reason(void *context, const struct pb_rejection *rejection)
{
    struct outcome *outcome = context;

    outcome->rejection_hash = outcome->rejection_hash * 31 +
                              pb_hash_bytes(rejection->reason, strlen(rejection->reason)) +
                              pb_hash_bytes(rejection->field, strlen(rejection->field));
    outcome->rejections++;
    return PB_OK;
}

static struct outcome
import_text(const uint8_t *text, size_t bytes)
{
    const struct pb_ingest_defaults defaults = {
        .reader = pb_str_from("g"),
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .captured_at_us = INT64_C(1772971200000000),
        .delete_after_us = PB_NEVER,
        .retention_days = -1,
    };
    struct outcome outcome = { .reads = 0 };
    const struct pb_ingest_sink sink = { take_reads, take_reason, &outcome };
    struct pb_input_head *head = NULL;
    struct pb_parser *parser = NULL;
    size_t begin = 0;

    expect(pb_input_head_new(pb_env_system(), PB_FORMAT_NDJSON, text, bytes, &defaults, &head,
                             &begin, NULL) == PB_OK);
    expect(pb_parser_new(pb_env_system(), head, &parser, NULL) == PB_OK);
    expect(pb_parser_chunk(parser, text + begin, bytes - begin, 1, true, &sink, NULL) == PB_OK);
    pb_parser_free(parser);
    pb_input_head_free(pb_env_system(), head);
    return outcome;
}

/* Twice, so that a parser meets it as its first line and behind another. */
static void
compare_line(struct pb_json *json, const uint8_t *line, size_t bytes)
{
    uint8_t *lines, *array;
    struct outcome as_line, as_element;
    const char *reason;

    if (bytes == 0 || line[0] != '{' || line[bytes - 1] != '}' ||
        pb_json_check(json, line, bytes, &reason) != PB_OK)
        return;
    lines = malloc(2 * bytes + 2);
    array = malloc(2 * bytes + 3);
    expect(lines != NULL && array != NULL);
    memcpy(lines, line, bytes);
    lines[bytes] = '\n';
    memcpy(lines + bytes + 1, line, bytes);
    lines[2 * bytes + 1] = '\n';
    array[0] = '[';
    memcpy(array + 1, line, bytes);
    array[bytes + 1] = ',';
    memcpy(array + bytes + 2, line, bytes);
    array[2 * bytes + 2] = ']';
    as_line = import_text(lines, 2 * bytes + 2);
    as_element = import_text(array, 2 * bytes + 3);
    expect(as_line.reads == as_element.reads && as_line.read_hash == as_element.read_hash);
    expect(as_line.rejections == as_element.rejections &&
           as_line.rejection_hash == as_element.rejection_hash);
    free(lines);
    free(array);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_json *json = pb_json_new(pb_env_system());
    size_t at = size > 0;

    expect(json != NULL);
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t bytes = end == NULL ? size - at : (size_t)(end - data) - at;

        compare_line(json, data + at, bytes);
        at += bytes + 1;
    }
    pb_json_free(json);
    return fuzz_format(PB_FORMAT_NDJSON, data, size);
}
