/*
 * What every import format must keep to, whatever the bytes: each read is valid and folded,
 * each record lies within its chunk, and how the input is cut into chunks changes nothing.
 */
#ifndef PB_FUZZ_INGEST_FUZZ_H
#define PB_FUZZ_INGEST_FUZZ_H

#include <platebase/plate.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "ingest/ingest.h"
#include "read/read.h"
#include "read/read_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out of an input: counts, and hashes of all reads and of all rejections. */
struct outcome {
    uint64_t reads, rejections;
    uint64_t read_hash, rejection_hash;
    const uint8_t *chunk; /* at hand */
    size_t chunk_bytes;
};

static inline void
expect(bool is_true)
{
    if (!is_true)
        abort(); /* also where assertions are off */
}

static inline void
expect_folded(struct pb_str plate)
{
    char folded[PB_PLATE_BYTES_MAX];
    uint32_t bytes = 0;

    expect(pb_plate_fold(plate, folded, &bytes) == PB_OK);
    expect(pb_str_equal(plate, (struct pb_str){ .text = folded, .bytes = bytes }));
}

static inline enum pb_status
take_reads(void *context, struct pb_read *reads, size_t count)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    struct outcome *outcome = context;

    expect(count > 0 && count <= 256);
    for (size_t i = 0; i < count; i++) {
        const char *field, *reason;
        size_t bytes = pb_read_to_json(&reads[i], NULL, text);

        expect(pb_read_validate(&reads[i], &field, &reason) == PB_OK);
        expect_folded(reads[i].plate);
        for (uint32_t j = 0; j < reads[i].alternate_count; j++)
            expect_folded(reads[i].alternates[j].plate);
        outcome->read_hash = outcome->read_hash * 31 + pb_hash_bytes(text, bytes);
    }
    outcome->reads += count;
    return PB_OK;
}

static inline enum pb_status
take_rejection(void *context, const struct pb_rejection *rejection)
{
    struct outcome *outcome = context;

    expect(rejection->record == outcome->chunk + rejection->chunk_offset);
    expect(rejection->chunk_offset <= outcome->chunk_bytes);
    expect(rejection->record_bytes <= outcome->chunk_bytes - rejection->chunk_offset);
    outcome->rejection_hash = outcome->rejection_hash * 31 +
                              pb_hash_bytes(rejection->reason, strlen(rejection->reason)) +
                              pb_hash_bytes(rejection->field, strlen(rejection->field)) +
                              pb_hash_bytes(rejection->record, rejection->record_bytes) +
                              rejection->line;
    outcome->rejections++;
    return PB_OK;
}

/* Parses [at, size) in chunks cut from buffers of window bytes, growing where that is too
 * little. Chunks lie in memory of their size. */
static inline struct outcome
import(const struct pb_input_head *head, const uint8_t *data, size_t size, size_t at, size_t window)
{
    struct outcome outcome = { .reads = 0 };
    const struct pb_ingest_sink sink = { take_reads, take_rejection, &outcome };
    uint64_t line = pb_input_head_lines(head) + 1;
    struct pb_parser *parser = NULL;
    size_t grown = window;

    if (pb_parser_new(pb_env_system(), head, &parser, NULL) != PB_OK)
        abort();
    while (at < size) {
        size_t seen = size - at < grown ? size - at : grown;
        uint64_t lines = 0;
        size_t cut = pb_input_cut(head, data + at, seen, at + seen == size, &lines);
        uint8_t *chunk;

        expect(cut <= seen);
        if (cut == 0) {
            expect(at + seen < size);
            grown *= 2;
            continue;
        }
        chunk = malloc(cut);
        expect(chunk != NULL);
        memcpy(chunk, data + at, cut);
        outcome.chunk = chunk;
        outcome.chunk_bytes = cut;
        expect(pb_parser_chunk(parser, chunk, cut, line, at + cut == size, &sink, NULL) == PB_OK);
        free(chunk);
        at += cut;
        line += lines;
        grown = window;
    }
    pb_parser_free(parser);
    return outcome;
}

/* The first byte says how wide the buffers are; the others are the input. */
static inline int
fuzz_format(enum pb_format format, const uint8_t *data, size_t size)
{
    const struct pb_ingest_defaults defaults = {
        .reader = pb_str_from("g"),
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .captured_at_us = INT64_C(1772971200000000),
        .delete_after_us = PB_NEVER,
        .retention_days = 30,
    };
    struct pb_input_head *head = NULL;
    struct outcome whole, cut;
    size_t head_bytes = 0, window;

    if (size == 0)
        return 0;
    window = (size_t)data[0] + 1;
    data++;
    size--;
    (void)pb_format_detect(data, size);
    if (pb_input_head_new(pb_env_system(), format, data, size, &defaults, &head, &head_bytes,
                          NULL) != PB_OK)
        return 0;
    expect(head_bytes <= size);
    whole = import(head, data, size, head_bytes, size + 1);
    cut = import(head, data, size, head_bytes, window);
    expect(whole.reads == cut.reads && whole.rejections == cut.rejections);
    expect(whole.read_hash == cut.read_hash && whole.rejection_hash == cut.rejection_hash);
    pb_input_head_free(pb_env_system(), head);
    return 0;
}

#endif
