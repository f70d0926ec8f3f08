/*
 * A sink that keeps what it is given as text: reads as JSON lines, rejections as
 * "line field reason" lines, so that tests compare texts.
 */
#ifndef PB_TESTS_COLLECTOR_H
#define PB_TESTS_COLLECTOR_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "ingest/ingest.h"
#include "read/read_text.h"

#define COLLECTOR_BYTES_MAX (1u << 20)

struct collector {
    struct pb_ingest_sink sink;
    size_t read_count, rejection_count;
    size_t reads_bytes, rejections_bytes;
    enum pb_status answer; /* what the sink returns */
    bool is_counting;      /* keep no text of reads */
    char reads[COLLECTOR_BYTES_MAX];
    char rejections[COLLECTOR_BYTES_MAX];
};

static inline enum pb_status
collector_on_reads(void *context, struct pb_read *reads, size_t count)
{
    static char text[PB_READ_TEXT_BYTES_MAX];
    struct collector *collector = context;

    for (size_t i = 0; i < count && !collector->is_counting; i++) {
        size_t bytes = pb_read_to_json(&reads[i], NULL, text);

        assert_true(collector->reads_bytes + bytes + 2 < sizeof(collector->reads));
        memcpy(collector->reads + collector->reads_bytes, text, bytes);
        collector->reads_bytes += bytes;
        collector->reads[collector->reads_bytes++] = '\n';
        collector->reads[collector->reads_bytes] = '\0';
    }
    collector->read_count += count;
    return collector->answer;
}

static inline enum pb_status
collector_on_reject(void *context, const struct pb_rejection *rejection)
{
    struct collector *collector = context;
    size_t room = sizeof(collector->rejections) - collector->rejections_bytes;
    int bytes = snprintf(collector->rejections + collector->rejections_bytes, room, "%llu %s%s%s\n",
                         (unsigned long long)rejection->line, rejection->field,
                         rejection->field[0] == '\0' ? "" : " ", rejection->reason);

    assert_true(bytes > 0 && (size_t)bytes < room);
    assert_non_null(rejection->record);
    collector->rejections_bytes += (size_t)bytes;
    collector->rejection_count++;
    return collector->answer;
}

static inline void
collector_init(struct collector *collector)
{
    collector->sink = (struct pb_ingest_sink){
        .on_reads = collector_on_reads, .on_reject = collector_on_reject, .context = collector
    };
    collector->read_count = collector->rejection_count = 0;
    collector->reads_bytes = collector->rejections_bytes = 0;
    collector->reads[0] = collector->rejections[0] = '\0';
    collector->answer = PB_OK;
    collector->is_counting = false;
}

/* Nothing is said by the source but its country. */
static inline struct pb_ingest_defaults
no_defaults(void)
{
    return (struct pb_ingest_defaults){
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .delete_after_us = PB_NEVER,
        .retention_days = -1,
    };
}

/*
 * Parses an input whose head is read from all of it, in chunks: of each buffer of up to
 * window bytes as much as pb_input_cut allows, the window growing where that is nothing.
 * Every chunk is parsed from memory of its very size, so that reading past it is seen.
 */
static inline enum pb_status
collect_cut(struct collector *collector, enum pb_format format, const void *input, size_t count,
            const struct pb_ingest_defaults *defaults, size_t window)
{
    const struct pb_env *env = pb_env_system();
    const uint8_t *bytes = input;
    struct pb_input_head *head = NULL;
    struct pb_parser *parser = NULL;
    struct pb_error error;
    size_t at = 0, grown = window;
    uint64_t line;
    enum pb_status status =
        pb_input_head_new(env, format, bytes, count, defaults, &head, &at, &error);

    if (status != PB_OK)
        return status;
    assert_int_equal(PB_OK, pb_parser_new(env, head, &parser, &error));
    line = pb_input_head_lines(head) + 1;
    do {
        size_t left = count - at, seen = left < grown ? left : grown;
        uint64_t lines = 0;
        size_t cut = pb_input_cut(head, bytes + at, seen, seen == left, &lines);
        uint8_t *chunk;

        assert_true(cut <= seen);
        if (cut == 0 && seen < left) {
            grown *= 2;
            continue;
        }
        assert_true(cut > 0 || seen == left);
        chunk = malloc(cut > 0 ? cut : 1);
        assert_non_null(chunk);
        memcpy(chunk, bytes + at, cut);
        status = pb_parser_chunk(parser, chunk, cut, line, at + cut == count, &collector->sink,
                                 &error);
        free(chunk);
        at += cut;
        line += lines;
        grown = window;
    } while (at < count && status == PB_OK);
    pb_parser_free(parser);
    pb_input_head_free(env, head);
    return status;
}

/* The same in one chunk. */
static inline enum pb_status
collect(struct collector *collector, enum pb_format format, const void *input, size_t count,
        const struct pb_ingest_defaults *defaults)
{
    return collect_cut(collector, format, input, count, defaults, SIZE_MAX / 2);
}

/* Writes at text[at] of room bytes; returns where that ends. */
PB_PRINTF(4, 5) static inline size_t
put_text(char *text, size_t room, size_t at, const char *format, ...)
{
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(text + at, room - at, format, arguments);
    va_end(arguments);
    assert_true(bytes >= 0 && (size_t)bytes < room - at);
    return at + (size_t)bytes;
}

/* The whole of a file below the source tree; the caller frees it. NULL where it is absent. */
static inline uint8_t *
file_bytes(const char *path, size_t *ret_count)
{
    const char *root = getenv("PB_SOURCE_DIR");
    uint8_t *bytes = NULL;
    char whole[4096];
    FILE *file;
    long size;

    if (root == NULL)
        root = ".";
    assert_true(snprintf(whole, sizeof(whole), "%s%s%s", path[0] == '/' ? "" : root,
                         path[0] == '/' ? "" : "/", path) < (int)sizeof(whole));
    file = fopen(whole, "rb");
    if (file == NULL)
        return NULL;
    assert_int_equal(0, fseek(file, 0, SEEK_END));
    size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    *ret_count = fread(bytes, 1, (size_t)size, file);
    assert_int_equal(size, *ret_count);
    assert_int_equal(0, fclose(file));
    return bytes;
}

#endif
