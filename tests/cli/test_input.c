/*
 * Inputs: what is read from a file in stretches by several threads is what comes through a pipe,
 * and what one piece of the whole gives; also where records are long, wrong, or the file changes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/pipeline.h"
#include "ingest/pbr_writer.h"
#include "read/read_text.h"
#include "support/fault_env.h"

#define WORKERS 3u
#define PIECES (2 * WORKERS + 1)
#define MIB ((size_t)1 << 20)

static const struct pb_ingest_defaults defaults = {
    .reader = { .text = "g", .bytes = 1 },
    .lat_e7 = PB_NO_POSITION,
    .lon_e7 = PB_NO_POSITION,
    .country = "US",
    .captured_at_us = INT64_C(1772971200000000),
    .delete_after_us = PB_NEVER,
    .retention_days = -1,
};

/* ---- what an input gives ---- */

/* Hashes are sums, so that the order of chunks says nothing. */
struct outcome {
    _Atomic uint64_t reads, rejections, read_hashes, rejection_hashes;
};

static enum pb_status
take_reads(void *context, struct pb_read *reads, size_t count)
{
    struct outcome *outcome = context;
    char text[PB_READ_TEXT_BYTES_MAX];

    for (size_t i = 0; i < count; i++) {
        size_t bytes = pb_read_to_json(&reads[i], NULL, text);

        atomic_fetch_add(&outcome->read_hashes, pb_hash_bytes(text, bytes));
    }
    atomic_fetch_add(&outcome->reads, count);
    return PB_OK;
}

static enum pb_status
take_rejection(void *context, const struct pb_rejection *rejection)
{
    struct outcome *outcome = context;
    uint64_t hash = pb_hash_bytes(rejection->reason, strlen(rejection->reason)) * 31 +
                    pb_hash_bytes(rejection->field, strlen(rejection->field));

    hash = (hash * 31 + pb_hash_bytes(rejection->record, rejection->record_bytes)) * 31 +
           rejection->line;
    atomic_fetch_add(&outcome->rejection_hashes, pb_hash_bytes(&hash, sizeof(hash)));
    atomic_fetch_add(&outcome->rejections, 1);
    return PB_OK;
}

static void
assert_same(const struct outcome *expected, const struct outcome *got)
{
    assert_int_equal(expected->reads, got->reads);
    assert_int_equal(expected->rejections, got->rejections);
    assert_true(expected->read_hashes == got->read_hashes);
    assert_true(expected->rejection_hashes == got->rejection_hashes);
}

struct import {
    struct pb_cli cli;
    struct pb_cli_interrupt interrupt;
    struct pb_cli_inputs inputs;
    struct pb_cli_reader readers[WORKERS];
    struct outcome outcome;
    void (*after_first)(const char *path); /* called when the first chunk was read; or NULL */
    const char *path;
};

static enum pb_status
bring(void *context, void *piece, struct pb_error *error)
{
    struct import *import = context;
    enum pb_status status = pb_cli_inputs_next(&import->inputs, piece, error);

    if (status == PB_OK && import->after_first != NULL)
        import->after_first(import->path);
    import->after_first = NULL;
    return status;
}

static enum pb_status
work(void *context, unsigned worker, void *piece, struct pb_error *error)
{
    struct import *import = context;
    const struct pb_ingest_sink sink = {
        .on_reads = take_reads,
        .on_reject = take_rejection,
        .context = &import->outcome,
    };

    return pb_cli_reader_parse(&import->readers[worker], piece, &sink, error);
}

static enum pb_status
take(void *context, void *piece, struct pb_error *error)
{
    (void)context;
    (void)error;
    pb_cli_chunk_clear(piece);
    return PB_OK;
}

static void
import_init(struct import *import, const struct pb_env *env, char **names, size_t count)
{
    *import = (struct import){ .cli = { .env = env }, .path = names[0] };
    import->interrupt.descriptor = -1;
    pb_cli_inputs_init(&import->inputs, &import->cli, &import->interrupt, PB_FORMAT_AUTO, &defaults,
                       names, count);
}

static void
import_done(struct import *import, const struct pb_env *env, struct pb_cli_chunk *chunks,
            size_t count)
{
    for (unsigned i = 0; i < WORKERS; i++)
        pb_cli_reader_done(&import->readers[i], env);
    for (size_t i = 0; i < count; i++)
        pb_cli_chunk_free(env, &chunks[i]);
    pb_cli_inputs_done(&import->inputs);
}

/* Imports on several threads. Returns how many inputs failed. */
static unsigned
import_names(char **names, size_t count, void (*after_first)(const char *),
             struct outcome *ret_outcome)
{
    const struct pb_env *env = pb_env_system();
    struct pb_cli_chunk chunks[PIECES] = { { .is_stretch = false } };
    struct import import;
    const struct pb_cli_pipeline_work pipeline = {
        .bring = bring,
        .work = work,
        .take = take,
        .context = &import,
    };
    struct pb_error error = { "" };

    import_init(&import, env, names, count);
    import.after_first = after_first;
    assert_int_equal(PB_OK, pb_cli_pipeline_run(env, &pipeline, WORKERS, chunks, PIECES,
                                                sizeof(chunks[0]), &error));
    import_done(&import, env, chunks, PIECES);
    *ret_outcome = import.outcome;
    return import.inputs.failed;
}

/* ---- texts ---- */

struct text {
    char *bytes;
    size_t count, capacity;
};

static void
add(struct text *text, const char *bytes, size_t count)
{
    while (text->capacity - text->count < count) {
        text->capacity = text->capacity == 0 ? MIB : 2 * text->capacity;
        text->bytes = realloc(text->bytes, text->capacity);
        assert_non_null(text->bytes);
    }
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
}

static void
add_text(struct text *text, const char *bytes)
{
    add(text, bytes, strlen(bytes));
}

static void
add_many(struct text *text, char byte, size_t count)
{
    char block[4096];

    memset(block, byte, sizeof(block));
    for (; count > sizeof(block); count -= sizeof(block))
        add(text, block, sizeof(block));
    add(text, block, count);
}

/* Good objects with now and then a bad one between; `end` after each. */
static void
add_objects(struct text *text, size_t until, const char *end)
{
    char line[256];

    for (unsigned i = 0; text->count < until; i++) {
        (void)snprintf(line, sizeof(line),
                       "{\"plate\":\"TST%u\",\"captured_at\":\"2026-10-%02uT00:00:%02u.086Z\",%s"
                       "\"lat\":%u.5,\"lon\":-%u.25}%s",
                       i, 1 + i % 28, i % 60, i % 7 == 0 ? "\"color\":\"red\"," : "", i % 91,
                       i % 200, end);
        add_text(text, line);
        if (i % 997 == 0 && strcmp(end, "\n") == 0) {
            add_text(text, "{\"plate\":\"TST\",\"speed_kmh\":\"fast\"}\n\n \n{\"plate\":\n");
            add_text(text, "{\"plate\":\"S\\u00e9\",\"lane\":3}\r\n{\"plate\" : \"G 1\"}\n");
        }
    }
}

static void
make_lines(struct text *text)
{
    add_objects(text, 5 * MIB, "\n");
    add_text(text, "{\"plate\":\"LAST\"}"); /* without a line end */
}

static void
make_long_lines(struct text *text)
{
    add_objects(text, 3 * MIB, "\n");
    add_text(text, "{\"plate\":\"LONG\",\"note\":\"");
    add_many(text, 'x', 3 * MIB / 2);
    add_text(text, "\"}\n{\"plate\":\"LESS\",\"note\":\"");
    add_many(text, 'y', MIB / 2);
    add_text(text, "\"}\n");
    add_many(text, '[', 11 * MIB);
    add_text(text, "\n");
    add_objects(text, 18 * MIB, "\n");
}

static void
make_documents(struct text *text)
{
    add_text(text, "{\n\"plate\":\"FIRST\"\n}\n");
    add_objects(text, 5 * MIB, "\r\n \r\n");
    add_text(text, "{\"plate\":\"OPEN\",\n");
}

static void
make_array(struct text *text)
{
    add_text(text, " [\n{\"plate\":\"FIRST\"}\n");
    for (size_t until = MIB; until <= 5 * MIB; until += MIB) {
        add_text(text, ",");
        add_objects(text, until, "\n,\n");
        add_text(text, "17\n");
    }
    add_text(text, "] ]");
}

static void
make_rows(struct text *text)
{
    char line[256];

    add_text(text, "plate,captured_at,color,lat,lon\n");
    for (unsigned i = 0; text->count < 5 * MIB; i++) {
        (void)snprintf(line, sizeof(line), "TST%u,2026-10-%02uT00:00:%02u.086Z,%s,%u.5,-%u.25\n", i,
                       1 + i % 28, i % 60, i % 7 == 0 ? "\"r\ne\"\"d\"" : "red", i % 100, i % 200);
        add_text(text, line);
        if (i % 997 == 0)
            add_text(text, "TST,1,red\nT\"ST,,,,\n\"TST\"x,,,,\n\n");
        if (i == 30000) {
            add_text(text, "TST,,\"");
            add_many(text, 'q', MIB + MIB / 2); /* longer than a row may be: its end is no end */
            add_text(text, "\",,\n");
        }
    }
    add_text(text, "TST,,\"a quote that is not closed\n,,\n,,");
}

struct block_sink {
    struct pb_pbr_writer *writer;
    struct text *text;
};

static enum pb_status
emit_block(void *context, const uint8_t *bytes, size_t count)
{
    struct block_sink *sink = context;

    add(sink->text, (const char *)bytes, count);
    return PB_OK;
}

static enum pb_status
write_reads(void *context, struct pb_read *reads, size_t count)
{
    struct block_sink *sink = context;

    for (size_t i = 0; i < count; i++)
        assert_int_equal(PB_OK, pb_pbr_writer_add(sink->writer, &reads[i]));
    return PB_OK;
}

static enum pb_status
ignore_rejection(void *context, const struct pb_rejection *rejection)
{
    (void)context;
    (void)rejection;
    return PB_OK;
}

/* Hands everything in the text to the sink as one chunk. */
static void
parse_whole(const struct text *text, const struct pb_ingest_sink *sink)
{
    const struct pb_env *env = pb_env_system();
    const uint8_t *bytes = (const uint8_t *)text->bytes;
    enum pb_format format = pb_format_detect(bytes, text->count);
    struct pb_input_head *head = NULL;
    struct pb_parser *parser = NULL;
    size_t begin = 0;

    assert_int_equal(PB_OK, pb_input_head_new(env, format, bytes, text->count, &defaults, &head,
                                              &begin, NULL));
    assert_int_equal(PB_OK, pb_parser_new(env, head, &parser, NULL));
    assert_int_equal(PB_OK, pb_parser_chunk(parser, bytes + begin, text->count - begin,
                                            pb_input_head_lines(head) + 1, true, sink, NULL));
    pb_parser_free(parser);
    pb_input_head_free(env, head);
}

static void
make_blocks(struct text *text)
{
    struct text lines = { .bytes = NULL };
    uint8_t head[PB_PBR_HEAD_BYTES];
    struct block_sink sink = { .text = text };
    const struct pb_ingest_sink reads = {
        .on_reads = write_reads,
        .on_reject = ignore_rejection,
        .context = &sink,
    };

    add_objects(&lines, 16 * MIB, "\n");
    pb_pbr_head_put(head);
    add(text, (const char *)head, sizeof(head));
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), emit_block, &sink, &sink.writer));
    parse_whole(&lines, &reads);
    assert_int_equal(PB_OK, pb_pbr_writer_flush(sink.writer));
    pb_pbr_writer_free(sink.writer);
    free(lines.bytes);
    assert_true(text->count > 3 * MIB);
    memset(text->bytes + 5 * MIB / 2, 0x55, 100); /* a damaged stretch */
}

/* ---- files and pipes ---- */

struct place {
    char directory[64], file[96], pipe[96];
};

static void
place_init(struct place *place)
{
    (void)snprintf(place->directory, sizeof(place->directory), "/tmp/pb-input-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->file, sizeof(place->file), "%s/file", place->directory);
    (void)snprintf(place->pipe, sizeof(place->pipe), "%s/pipe", place->directory);
}

static void
place_done(const struct place *place)
{
    (void)unlink(place->file);
    (void)unlink(place->pipe);
    assert_int_equal(0, rmdir(place->directory));
}

static void
write_all(const char *path, int flags, const struct text *text)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    size_t done = 0;

    if (descriptor < 0)
        abort(); /* may run on a thread, where cmocka cannot fail a test */
    while (done < text->count) {
        ssize_t more = write(descriptor, text->bytes + done, text->count - done);

        if (more <= 0)
            abort();
        done += (size_t)more;
    }
    (void)close(descriptor);
}

struct pour {
    const char *path;
    const struct text *text;
};

static void *
pour(void *context)
{
    const struct pour *what = context;

    write_all(what->path, 0, what->text);
    return NULL;
}

/* Imports the text once as a file, and once through a pipe. */
static void
import_both_ways(const struct text *text, struct outcome *ret_file, struct outcome *ret_pipe)
{
    struct place place;
    struct pour what = { .text = text };
    char *file[] = { NULL }, *pipe[] = { NULL };
    pthread_t thread;

    place_init(&place);
    file[0] = place.file;
    pipe[0] = place.pipe;
    what.path = place.pipe;
    write_all(place.file, O_CREAT, text);
    assert_int_equal(0, import_names(file, 1, NULL, ret_file));
    assert_int_equal(0, mkfifo(place.pipe, 0600));
    assert_int_equal(0, pthread_create(&thread, NULL, pour, &what));
    assert_int_equal(0, import_names(pipe, 1, NULL, ret_pipe));
    assert_int_equal(0, pthread_join(thread, NULL));
    place_done(&place);
}

/* ---- cases ---- */

static void
a_file_gives_what_a_pipe_and_one_piece_give(void **state)
{
    static const struct {
        const char *name;
        void (*make)(struct text *);
        uint64_t reads_min, rejections_min;
    } cases[] = {
        { "lines", make_lines, 40000, 40 },        { "long lines", make_long_lines, 40000, 40 },
        { "documents", make_documents, 40000, 1 }, { "array", make_array, 40000, 5 },
        { "rows", make_rows, 40000, 40 },          { "blocks", make_blocks, 40000, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome whole = { 0 }, file, pipe;
        const struct pb_ingest_sink sink = {
            .on_reads = take_reads,
            .on_reject = take_rejection,
            .context = &whole,
        };
        struct text text = { .bytes = NULL };

        cases[i].make(&text);
        parse_whole(&text, &sink);
        assert_true(whole.reads >= cases[i].reads_min);
        assert_true(whole.rejections >= cases[i].rejections_min);
        import_both_ways(&text, &file, &pipe);
        assert_same(&whole, &file);
        assert_same(&whole, &pipe);
        free(text.bytes);
    }
}

static void
a_record_that_is_too_long_to_gather_is_cut_at_the_same_byte(void **state)
{
    struct text text = { .bytes = NULL };
    struct outcome file, pipe;

    (void)state;
    add_objects(&text, 3 * MIB, "\n");
    add_many(&text, 'x', PB_CLI_RECORD_BYTES_MAX + 3 * MIB);
    add_text(&text, "\n{\"plate\":\"\"}\n{\"plate\":\"AFTER1\"}\n");
    import_both_ways(&text, &file, &pipe);
    assert_true(pipe.rejections > 2);
    assert_same(&pipe, &file);
    free(text.bytes);
}

static void
shorten(const char *path)
{
    assert_int_equal(0, truncate(path, 4 * (off_t)MIB - 10));
}

static void
lengthen(const char *path)
{
    struct text more = { .bytes = NULL };

    add_objects(&more, 2 * MIB, "\n");
    write_all(path, O_APPEND, &more);
    free(more.bytes);
}

static void
a_file_that_becomes_shorter_fails_and_gives_its_whole_records(void **state)
{
    struct text text = { .bytes = NULL };
    struct outcome whole = { 0 }, got;
    const struct pb_ingest_sink sink = {
        .on_reads = take_reads,
        .on_reject = take_rejection,
        .context = &whole,
    };
    struct place place;
    char *names[] = { NULL, NULL };

    (void)state;
    place_init(&place);
    names[0] = names[1] = place.file;
    add_objects(&text, 6 * MIB, "\n");
    write_all(place.file, O_CREAT, &text);
    /* The second time it is whole as it is, and its last line is a broken one. */
    assert_int_equal(1, import_names(names, 1, shorten, &got));
    text.count = 4 * MIB - 10;
    while (text.bytes[text.count - 1] != '\n')
        text.count--;
    parse_whole(&text, &sink);
    assert_same(&whole, &got);
    assert_int_equal(0, import_names(names, 2, NULL, &got));
    assert_int_equal(2 * whole.reads, got.reads);
    assert_int_equal(2 * whole.rejections + 2, got.rejections);
    free(text.bytes);
    place_done(&place);
}

static void
what_is_added_meanwhile_is_read_too(void **state)
{
    struct text text = { .bytes = NULL };
    struct outcome whole = { 0 }, got;
    const struct pb_ingest_sink sink = {
        .on_reads = take_reads,
        .on_reject = ignore_rejection,
        .context = &whole,
    };
    struct place place;
    char *names[] = { NULL };

    (void)state;
    place_init(&place);
    names[0] = place.file;
    add_objects(&text, 3 * MIB, "\n");
    write_all(place.file, O_CREAT, &text);
    assert_int_equal(0, import_names(names, 1, lengthen, &got));
    parse_whole(&text, &sink);
    text.count = 0;
    add_objects(&text, 2 * MIB, "\n");
    parse_whole(&text, &sink); /* the sums of both */
    assert_int_equal(whole.reads, got.reads);
    assert_true(whole.read_hashes == got.read_hashes);
    free(text.bytes);
    place_done(&place);
}

/* Two stretches of a file that may only be written: the first says why, the second nothing. */
static void
a_stretch_that_cannot_be_read_ends_its_input(void **state)
{
    static const char line[] = "{\"plate\":\"TST1\"}\n";
    const struct pb_env *env = pb_env_system();
    struct pb_cli_stretch stretch = { .bytes = 10 };
    struct pb_cli_buffer buffer = { .bytes = NULL };
    struct pb_cli_stretches stretches;
    struct pb_error error = { "" };
    struct pb_input_head *head = NULL;
    struct pb_cli_cut cut;
    struct place place;
    size_t begin;

    (void)state;
    place_init(&place);
    assert_int_equal(PB_OK, pb_input_head_new(env, PB_FORMAT_NDJSON, (const uint8_t *)line,
                                              strlen(line), &defaults, &head, &begin, NULL));
    pb_cli_stretches_init(&stretches, env);
    assert_int_equal(PB_OK,
                     pb_cli_stretches_begin(&stretches, open(place.file, O_CREAT | O_WRONLY, 0600),
                                            (const uint8_t *)line, 5, 1, &error));
    assert_false(pb_cli_stretches_is_over(&stretches));
    assert_int_equal(PB_E_IO,
                     pb_cli_stretch_take(&stretches, head, &stretch, &buffer, &cut, &error));
    assert_string_equal("cannot read: Bad file descriptor", error.message);
    assert_int_equal(0, cut.count);
    assert_true(pb_cli_stretches_is_over(&stretches));
    stretch.number = 1;
    stretch.is_last = true;
    assert_int_equal(PB_OK, pb_cli_stretch_take(&stretches, head, &stretch, &buffer, &cut, &error));
    assert_int_equal(0, cut.count);
    pb_cli_buffer_done(env, &buffer);
    pb_cli_stretches_done(&stretches);
    pb_input_head_free(env, head);
    place_done(&place);
}

/* One thread; the status of what failed, or PB_OK. */
static enum pb_status
import_alone(const struct pb_env *env, char **names)
{
    struct pb_cli_chunk chunk = { .is_stretch = false };
    struct pb_error error = { "" };
    enum pb_status status = PB_OK;
    struct import import;

    import_init(&import, env, names, 1);
    while (status == PB_OK) {
        status = bring(&import, &chunk, &error);
        if (status == PB_OK)
            status = work(&import, 0, &chunk, &error);
        pb_cli_chunk_clear(&chunk);
    }
    assert_true(status == PB_E_NOMEM ? error.message[0] != '\0' : status == PB_END);
    import_done(&import, env, &chunk, 1);
    return status == PB_END ? PB_OK : status;
}

static void
any_allocation_may_fail(void **state)
{
    struct text text = { .bytes = NULL };
    enum pb_status status = PB_E_NOMEM;
    uint64_t failed = 0;
    struct place place;
    char *names[] = { NULL };

    (void)state;
    place_init(&place);
    names[0] = place.file;
    add_objects(&text, 9 * MIB / 4, "\n");
    add_text(&text, "{\"note\":\"");
    add_many(&text, 'x', MIB); /* more is left than fits in front of a stretch */
    add_text(&text, "\"}\n");
    write_all(place.file, O_CREAT, &text);
    while (status != PB_OK) {
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++failed;
        status = import_alone(&fault.env, names);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_int_equal(status != PB_OK, fault.failure_count);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(failed, 10, 200);
    free(text.bytes);
    place_done(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gives_what_a_pipe_and_one_piece_give),
        cmocka_unit_test(a_record_that_is_too_long_to_gather_is_cut_at_the_same_byte),
        cmocka_unit_test(a_file_that_becomes_shorter_fails_and_gives_its_whole_records),
        cmocka_unit_test(what_is_added_meanwhile_is_read_too),
        cmocka_unit_test(a_stretch_that_cannot_be_read_ends_its_input),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
