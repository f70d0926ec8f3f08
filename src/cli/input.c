/*
 * Inputs: reading, cutting, and carrying over what follows the last border; of a regular file
 * only its beginning, after which its stretches are given out.
 */
#include "cli/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <platebase/plate.h>

#include "base/limits.h"
#include "base/text.h"

/* An input's first chunk shows its head; those after it stay in a core's cache from being read to
 * being parsed, as does what an index of their JSON takes. */
#define FIRST_BYTES ((size_t)2 << 20)
#define CHUNK_BYTES ((size_t)512 << 10)
#define DETECT_BYTES ((size_t)64 << 10)
#define PIPE_BYTES (1 << 20)

static_assert(FIRST_BYTES > PB_LINE_BYTES_MAX, "the first chunk must hold the whole head");
static_assert(PB_CLI_RECORD_BYTES_MAX > PB_BLOCK_BYTES_MAX, "every valid block must fit");

/* ---- inputs and chunks ---- */

static struct pb_cli_input *
input_ref(struct pb_cli_input *input)
{
    (void)atomic_fetch_add_explicit(&input->refs, 1, memory_order_relaxed);
    return input;
}

static void
input_unref(struct pb_cli_input *input)
{
    if (input == NULL || atomic_fetch_sub_explicit(&input->refs, 1, memory_order_acq_rel) != 1)
        return;
    pb_cli_stretches_done(&input->stretches);
    pb_input_head_free(input->env, input->head);
    pb_free(input->env, input);
}

void
pb_cli_chunk_clear(struct pb_cli_chunk *chunk)
{
    input_unref(chunk->input);
    chunk->input = NULL;
    chunk->cut = (struct pb_cli_cut){ .count = 0 };
}

void
pb_cli_chunk_free(const struct pb_env *env, struct pb_cli_chunk *chunk)
{
    pb_cli_chunk_clear(chunk);
    pb_cli_buffer_done(env, &chunk->buffer);
}

/* Bytes of all inputs where all are regular files, else 0. */
static uint64_t
total_bytes(char **names, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        struct stat info;

        if (strcmp(names[i], "-") == 0 || stat(names[i], &info) != 0 || !S_ISREG(info.st_mode))
            return 0;
        total += (uint64_t)info.st_size;
    }
    return total;
}

void
pb_cli_inputs_init(struct pb_cli_inputs *inputs, struct pb_cli *cli,
                   struct pb_cli_interrupt *interrupt, enum pb_format format,
                   const struct pb_ingest_defaults *defaults, char **names, size_t name_count)
{
    *inputs = (struct pb_cli_inputs){
        .cli = cli,
        .interrupt = interrupt,
        .defaults = defaults,
        .format = format,
        .names = names,
        .name_count = name_count,
        .descriptor = -1,
        .bytes_total = total_bytes(names, name_count),
    };
}

/* Says why an input cannot be read further. From any thread. */
static void
say_failure(struct pb_cli_inputs *inputs, const char *name, enum pb_status status,
            const struct pb_error *error)
{
    pb_cli_say(inputs->cli, "%s: %s", strcmp(name, "-") == 0 ? "standard input" : name,
               error->message[0] != '\0' ? error->message : pb_status_name(status));
    (void)atomic_fetch_add_explicit(&inputs->failed, 1, memory_order_relaxed);
}

static void
close_input(struct pb_cli_inputs *inputs)
{
    if (inputs->descriptor > STDIN_FILENO)
        (void)close(inputs->descriptor);
    inputs->descriptor = -1;
    input_unref(inputs->input);
    inputs->input = NULL;
    inputs->rest_bytes = 0;
}

void
pb_cli_inputs_done(struct pb_cli_inputs *inputs)
{
    close_input(inputs);
    pb_cli_buffer_done(inputs->cli->env, &inputs->rest);
}

/* Opens the next named input; false where that failed, which is said. */
static bool
open_input(struct pb_cli_inputs *inputs)
{
    const char *name = inputs->names[inputs->next_name++];
    char buffer[128];
    struct stat info;

    inputs->next_line = 1;
    inputs->rest_bytes = 0;
    if (strcmp(name, "-") == 0) {
        inputs->descriptor = STDIN_FILENO;
    } else {
        inputs->descriptor = open(name, O_RDONLY | O_CLOEXEC);
        if (inputs->descriptor < 0) {
            pb_cli_say(inputs->cli, "cannot open '%s': %s", name,
                       strerror_r(errno, buffer, sizeof(buffer)));
            return false;
        }
    }
    if (fstat(inputs->descriptor, &info) == 0 && S_ISDIR(info.st_mode)) {
        pb_cli_say(inputs->cli, "'%s' is a directory: name the files in it", name);
        close_input(inputs);
        return false;
    }
    /* Hints; that they may fail does not matter. */
    (void)posix_fadvise(inputs->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    (void)fcntl(inputs->descriptor, F_SETPIPE_SZ, PIPE_BYTES);
    return true;
}

/* Reads until `until` bytes are in the chunk's buffer, the input ends, or an interrupt comes.
 * PB_OK, PB_END at the end of the input, or PB_E_IO. */
static enum pb_status
read_until(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk, size_t *have, size_t until,
           struct pb_error *error)
{
    char buffer[128];

    assert(until <= chunk->buffer.capacity);
    while (*have < until) {
        ssize_t got;

        if (pb_cli_interrupt_wait_for(inputs->interrupt, inputs->descriptor))
            return PB_OK;
        got = read(inputs->descriptor, chunk->buffer.bytes + *have, until - *have);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return pb_fail(error, PB_E_IO, "cannot read: %s",
                           strerror_r(errno, buffer, sizeof(buffer)));
        if (got == 0)
            return PB_END;
        *have += (size_t)got;
        inputs->bytes_done += (uint64_t)got;
    }
    return PB_OK;
}

/* Reads the head from the first bytes of the input. Sets where records begin. */
static enum pb_status
start_input(struct pb_cli_inputs *inputs, const uint8_t *bytes, size_t count, size_t *ret_begin,
            struct pb_error *error)
{
    const struct pb_env *env = inputs->cli->env;
    enum pb_format format = inputs->format;
    struct pb_cli_input *input;
    enum pb_status status;

    if (format == PB_FORMAT_AUTO)
        format = pb_format_detect(bytes, count < DETECT_BYTES ? count : DETECT_BYTES);
    if (format == PB_FORMAT_AUTO)
        return pb_fail(error, PB_BAD_INPUT,
                       "its format cannot be told from its beginning: name it with --format");
    input = pb_calloc(env, 1, sizeof(*input));
    if (input == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for an input");
    input->env = env;
    input->name = inputs->names[inputs->next_name - 1];
    input->inputs = inputs;
    atomic_init(&input->refs, 1);
    pb_cli_stretches_init(&input->stretches, env);
    status = pb_input_head_new(env, format, bytes, count, inputs->defaults, &input->head, ret_begin,
                               error);
    if (status != PB_OK) {
        input_unref(input);
        return status;
    }
    inputs->input = input;
    inputs->next_line += pb_input_head_lines(input->head);
    return PB_OK;
}

/* Twice as many bytes, and not more than a record may have. */
static size_t
grown(size_t bytes)
{
    return bytes < PB_CLI_RECORD_BYTES_MAX / 2 ? 2 * bytes : PB_CLI_RECORD_BYTES_MAX;
}

/*
 * Fills the chunk from the current input. PB_OK: it has records; PB_NOT_FOUND: it has none, go
 * on; PB_E_NOMEM; any other status: this input cannot be read further.
 * ret_is_over: nothing more comes from this input.
 */
static enum pb_status
fill_chunk(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk, bool *ret_is_over,
           struct pb_error *error)
{
    const struct pb_env *env = inputs->cli->env;
    size_t have = inputs->rest_bytes;
    size_t wanted = inputs->input == NULL ? FIRST_BYTES : CHUNK_BYTES;
    size_t until = have < wanted / 2 ? wanted : grown(have);
    size_t begin = 0, cut = 0;
    uint64_t lines = 0;
    bool is_end = false, is_forced = false;
    enum pb_status status;

    status = pb_cli_buffer_reserve(env, &chunk->buffer, until, error);
    if (status != PB_OK)
        return status;
    if (have > 0)
        memcpy(chunk->buffer.bytes, inputs->rest.bytes, have);

    for (;;) {
        status = read_until(inputs, chunk, &have, until, error);
        if (status != PB_OK && status != PB_END)
            return status;
        is_end = status == PB_END;
        /* Interrupted with less than a chunk in hand, the lines in hand still count. */
        if (inputs->input == NULL && have > 0 &&
            (is_end || have >= until || memchr(chunk->buffer.bytes, '\n', have) != NULL)) {
            status = start_input(inputs, chunk->buffer.bytes, have, &begin, error);
            if (status != PB_OK)
                return status;
        }
        if (inputs->input == NULL)
            break; /* empty, or interrupted before anything could be told */
        cut = pb_input_cut(inputs->input->head, chunk->buffer.bytes + begin, have - begin, is_end,
                           &lines);
        if (cut > 0 || is_end || inputs->interrupt->is_set)
            break;
        if (until == PB_CLI_RECORD_BYTES_MAX) {
            /* Handed over as if it ended here: the parser rejects it, then the rest of it, and
             * takes what follows. */
            cut = have - begin;
            lines = pb_cli_count_lines(chunk->buffer.bytes + begin, cut);
            is_forced = true;
            break;
        }
        until = grown(until);
        status = pb_cli_buffer_reserve(env, &chunk->buffer, until, error);
        if (status != PB_OK)
            return status;
    }

    inputs->rest_bytes = have - begin - cut;
    status = pb_cli_buffer_reserve(env, &inputs->rest, inputs->rest_bytes, error);
    if (status != PB_OK)
        return status;
    if (inputs->rest_bytes > 0)
        memcpy(inputs->rest.bytes, chunk->buffer.bytes + begin + cut, inputs->rest_bytes);

    *ret_is_over = is_end || inputs->interrupt->is_set;
    if (cut == 0)
        return PB_NOT_FOUND;
    chunk->is_stretch = false;
    chunk->cut = (struct pb_cli_cut){
        .begin = begin,
        .count = cut,
        .first_line = inputs->next_line,
        .is_last = is_end || is_forced,
    };
    chunk->input = input_ref(inputs->input);
    inputs->next_line += lines;
    return PB_OK;
}

/* ---- stretches of a regular file ---- */

/* Lets the rest of the current input be read in stretches, where it is a regular file. */
static enum pb_status
begin_stretches(struct pb_cli_inputs *inputs, struct pb_error *error)
{
    struct stat info;
    off_t offset;
    enum pb_status status;

    if (inputs->descriptor == STDIN_FILENO || fstat(inputs->descriptor, &info) != 0 ||
        !S_ISREG(info.st_mode))
        return PB_OK;
    offset = lseek(inputs->descriptor, 0, SEEK_CUR);
    if (offset < 0 || info.st_size <= offset)
        return PB_OK;
    status =
        pb_cli_stretches_begin(&inputs->input->stretches, inputs->descriptor, inputs->rest.bytes,
                               inputs->rest_bytes, inputs->next_line, error);
    if (status != PB_OK)
        return status;
    inputs->descriptor = -1; /* moved */
    inputs->rest_bytes = 0;
    inputs->offset = (uint64_t)offset;
    inputs->size = (uint64_t)info.st_size;
    inputs->next_stretch = 0;
    return PB_OK;
}

static bool
is_in_stretches(const struct pb_cli_inputs *inputs)
{
    return inputs->input != NULL && inputs->input->stretches.descriptor >= 0;
}

/* Makes the next stretch the chunk; closes the input after the last. PB_OK, PB_NOT_FOUND. */
static enum pb_status
give_stretch(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk)
{
    struct pb_cli_stretches *stretches = &inputs->input->stretches;
    struct stat info;
    uint64_t left;

    if (pb_cli_stretches_is_over(stretches)) {
        close_input(inputs);
        return PB_NOT_FOUND;
    }
    /* What was added meanwhile is read, too, as of a pipe. */
    if (inputs->size - inputs->offset <= CHUNK_BYTES && fstat(stretches->descriptor, &info) == 0 &&
        (uint64_t)info.st_size > inputs->size)
        inputs->size = (uint64_t)info.st_size;
    left = inputs->size - inputs->offset;
    chunk->is_stretch = true;
    chunk->stretch = (struct pb_cli_stretch){
        .number = inputs->next_stretch,
        .offset = inputs->offset,
        .bytes = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES,
        .is_last = left <= CHUNK_BYTES,
    };
    chunk->input = input_ref(inputs->input);
    inputs->next_stretch++;
    inputs->offset += chunk->stretch.bytes;
    inputs->bytes_done += chunk->stretch.bytes;
    if (chunk->stretch.is_last)
        close_input(inputs);
    return PB_OK;
}

/* The next chunk of the current input, which may be its last. PB_OK; PB_NOT_FOUND: it has none
 * any more, or none that can be read, which was said; PB_E_NOMEM. */
static enum pb_status
next_of_input(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk, struct pb_error *error)
{
    bool is_first = inputs->input == NULL, is_over = false;
    enum pb_status status;

    if (is_in_stretches(inputs))
        return give_stretch(inputs, chunk);
    error->message[0] = '\0';
    status = fill_chunk(inputs, chunk, &is_over, error);
    if (status == PB_OK && is_first && !is_over && begin_stretches(inputs, error) != PB_OK)
        status = PB_E_NOMEM;
    if (status == PB_E_NOMEM)
        return status;
    if (status != PB_OK && status != PB_NOT_FOUND) {
        say_failure(inputs, inputs->names[inputs->next_name - 1], status, error);
        status = PB_NOT_FOUND;
        is_over = true;
    }
    if (is_over)
        close_input(inputs);
    return status;
}

enum pb_status
pb_cli_inputs_next(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk, struct pb_error *error)
{
    enum pb_status status = PB_NOT_FOUND;

    assert(chunk->input == NULL);
    while (status == PB_NOT_FOUND) {
        if (pb_cli_interrupt_look(inputs->interrupt))
            return PB_END;
        if (inputs->descriptor < 0 && !is_in_stretches(inputs)) {
            if (inputs->next_name == inputs->name_count)
                return PB_END;
            if (!open_input(inputs)) {
                (void)atomic_fetch_add_explicit(&inputs->failed, 1, memory_order_relaxed);
                continue;
            }
        }
        status = next_of_input(inputs, chunk, error);
    }
    return status;
}

/* ---- readers ---- */

/* Reads a stretch and cuts it. That it cannot be read is said, and is no failure of the reader. */
static enum pb_status
take_stretch(struct pb_cli_reader *reader, const struct pb_cli_chunk *chunk,
             struct pb_cli_cut *ret_cut, struct pb_error *error)
{
    struct pb_cli_input *input = chunk->input;
    enum pb_status status;

    error->message[0] = '\0';
    status = pb_cli_stretch_take(&input->stretches, input->head, &chunk->stretch, &reader->buffer,
                                 ret_cut, error);
    if (status != PB_E_IO)
        return status;
    say_failure(input->inputs, input->name, status, error);
    return PB_OK;
}

/* Makes the parser one for the input. */
static enum pb_status
turn_to(struct pb_cli_reader *reader, struct pb_cli_input *input, struct pb_error *error)
{
    enum pb_status status;

    if (reader->input == input)
        return PB_OK;
    pb_parser_free(reader->parser);
    reader->parser = NULL;
    input_unref(reader->input);
    reader->input = NULL;
    status = pb_parser_new(input->env, input->head, &reader->parser, error);
    if (status == PB_OK)
        reader->input = input_ref(input);
    return status;
}

enum pb_status
pb_cli_reader_parse(struct pb_cli_reader *reader, const struct pb_cli_chunk *chunk,
                    const struct pb_ingest_sink *sink, struct pb_error *error)
{
    const struct pb_cli_buffer *buffer = chunk->is_stretch ? &reader->buffer : &chunk->buffer;
    struct pb_cli_cut cut = chunk->cut;
    enum pb_status status = PB_OK;

    /* A stretch first of all: those after it wait for its turn. */
    if (chunk->is_stretch)
        status = take_stretch(reader, chunk, &cut, error);
    if (status == PB_OK)
        status = turn_to(reader, chunk->input, error);
    if (status != PB_OK || cut.count == 0)
        return status;
    return pb_parser_chunk(reader->parser, buffer->bytes + cut.begin, cut.count, cut.first_line,
                           cut.is_last, sink, error);
}

void
pb_cli_reader_done(struct pb_cli_reader *reader, const struct pb_env *env)
{
    pb_parser_free(reader->parser);
    reader->parser = NULL;
    input_unref(reader->input);
    reader->input = NULL;
    pb_cli_buffer_done(env, &reader->buffer);
}

/* ---- options ---- */

#define RETENTION_DAYS_MAX 100000u
#define NOT_GIVEN UINT64_MAX

void
pb_cli_input_args_init(struct pb_cli_input_args *args)
{
    *args = (struct pb_cli_input_args){
        .format = PB_FORMAT_AUTO,
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .retention_days = NOT_GIVEN,
    };
}

void
pb_cli_input_args_add(struct pb_cli_usage *usage, struct pb_cli_input_args *args)
{
    static const char *const formats[] = {
        [PB_FORMAT_AUTO] = "auto", [PB_FORMAT_CSV] = "csv",           [PB_FORMAT_NDJSON] = "ndjson",
        [PB_FORMAT_PBR] = "pbr",   [PB_FORMAT_OPENALPR] = "openalpr", NULL,
    };
    const struct pb_cli_option options[] = {
        { .name = "format",
          .placeholder = "FORMAT",
          .help = "format of the input: auto (the default), csv, ndjson, pbr or openalpr",
          .choice = &args->format,
          .choices = formats },
        { .name = "reader",
          .placeholder = "ID",
          .help = "reader of records that name none",
          .text = &args->reader },
        { .name = "lat",
          .placeholder = "DEGREES",
          .help = "latitude of records without a position",
          .degrees_e7 = &args->lat_e7,
          .real_max = 90 },
        { .name = "lon",
          .placeholder = "DEGREES",
          .help = "longitude of records without a position",
          .degrees_e7 = &args->lon_e7,
          .real_max = 180 },
        { .name = "country",
          .placeholder = "CODE",
          .help = "country whose states bare codes such as GA mean; US by default",
          .text = &args->country },
        { .name = "captured-at",
          .placeholder = "TIME",
          .help = "captured time of records that have none",
          .time_us = &args->captured_at_us },
        { .name = "retention-days",
          .placeholder = "N",
          .help = "delete each read this many days after it was captured",
          .number = &args->retention_days,
          .number_max = RETENTION_DAYS_MAX },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

bool
pb_cli_input_args_defaults(const struct pb_cli *cli, const struct pb_cli_input_args *args,
                           struct pb_ingest_defaults *ret_defaults)
{
    const char *country;

    if ((args->lat_e7 == PB_NO_POSITION) != (args->lon_e7 == PB_NO_POSITION)) {
        (void)pb_cli_usage_error(cli, "--lat and --lon belong together: give both or neither");
        return false;
    }
    country = pb_jurisdiction_name(pb_jurisdiction_from_text(pb_str_from(args->country)));
    if (strlen(country) != 2) {
        (void)pb_cli_usage_error(cli,
                                 "--country: '%s' is not a country code of ISO 3166-1 "
                                 "such as US or DE",
                                 args->country);
        return false;
    }
    if (args->reader != NULL && strlen(args->reader) > PB_READER_BYTES_MAX) {
        (void)pb_cli_usage_error(cli, "--reader: longer than %u bytes", PB_READER_BYTES_MAX);
        return false;
    }
    *ret_defaults = (struct pb_ingest_defaults){
        .reader = pb_str_from(args->reader),
        .lat_e7 = args->lat_e7,
        .lon_e7 = args->lon_e7,
        .country = country,
        .captured_at_us = args->captured_at_us,
        .delete_after_us = PB_NEVER,
        .retention_days = args->retention_days == NOT_GIVEN ? -1 : (int32_t)args->retention_days,
    };
    return true;
}
