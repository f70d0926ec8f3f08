/*
 * Inputs: reading, cutting, and carrying over what follows the last border.
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
#define CHUNK_BYTES ((size_t)256 << 10)
/* A record, or a block of the binary form, that is longer than this is cut in two. */
#define RECORD_BYTES_MAX ((size_t)64 << 20)
#define DETECT_BYTES ((size_t)64 << 10)
#define PIPE_BYTES (1 << 20)

static_assert(FIRST_BYTES > PB_LINE_BYTES_MAX, "the first chunk must hold the whole head");
static_assert(RECORD_BYTES_MAX > PB_BLOCK_BYTES_MAX, "every valid block must fit");

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
    pb_input_head_free(input->env, input->head);
    pb_free(input->env, input);
}

void
pb_cli_chunk_clear(struct pb_cli_chunk *chunk)
{
    input_unref(chunk->input);
    chunk->input = NULL;
    chunk->count = 0;
}

void
pb_cli_chunk_free(const struct pb_env *env, struct pb_cli_chunk *chunk)
{
    pb_cli_chunk_clear(chunk);
    pb_free(env, chunk->buffer);
    chunk->buffer = NULL;
    chunk->capacity = 0;
}

/* Makes room for at least `bytes`, keeping what is there. */
static enum pb_status
reserve(const struct pb_env *env, uint8_t **buffer, size_t *capacity, size_t bytes,
        struct pb_error *error)
{
    uint8_t *larger;

    if (bytes <= *capacity)
        return PB_OK;
    larger = pb_realloc(env, *buffer, bytes);
    if (larger == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %zu bytes of input", bytes);
    *buffer = larger;
    *capacity = bytes;
    return PB_OK;
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

static const char *
spoken_name(const struct pb_cli_inputs *inputs)
{
    const char *name = inputs->names[inputs->next_name - 1];

    return strcmp(name, "-") == 0 ? "standard input" : name;
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
    pb_free(inputs->cli->env, inputs->rest);
    inputs->rest = NULL;
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

    assert(until <= chunk->capacity);
    while (*have < until) {
        ssize_t got;

        if (pb_cli_interrupt_wait_for(inputs->interrupt, inputs->descriptor))
            return PB_OK;
        got = read(inputs->descriptor, chunk->buffer + *have, until - *have);
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

static uint64_t
count_lines(const uint8_t *bytes, size_t count)
{
    const uint8_t *end = bytes + count;
    uint64_t lines = 0;

    while (bytes < end) {
        const uint8_t *found = memchr(bytes, '\n', (size_t)(end - bytes));

        if (found == NULL)
            break;
        lines++;
        bytes = found + 1;
    }
    return lines;
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
    atomic_init(&input->refs, 1);
    status = pb_input_head_new(env, format, bytes, count, inputs->defaults, &input->head,
                               ret_begin, error);
    if (status != PB_OK) {
        input_unref(input);
        return status;
    }
    inputs->input = input;
    inputs->next_line += pb_input_head_lines(input->head);
    return PB_OK;
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
    size_t until = have < wanted / 2 ? wanted : have * 2;
    size_t begin = 0, cut = 0;
    uint64_t lines = 0;
    bool is_end = false, is_forced = false;
    enum pb_status status;

    status = reserve(env, &chunk->buffer, &chunk->capacity, until, error);
    if (status != PB_OK)
        return status;
    if (have > 0)
        memcpy(chunk->buffer, inputs->rest, have);

    for (;;) {
        status = read_until(inputs, chunk, &have, until, error);
        if (status != PB_OK && status != PB_END)
            return status;
        is_end = status == PB_END;
        /* Interrupted with less than a chunk in hand, the lines in hand still count. */
        if (inputs->input == NULL && have > 0 &&
            (is_end || have >= until || memchr(chunk->buffer, '\n', have) != NULL)) {
            status = start_input(inputs, chunk->buffer, have, &begin, error);
            if (status != PB_OK)
                return status;
        }
        if (inputs->input == NULL)
            break; /* empty, or interrupted before anything could be told */
        cut = pb_input_cut(inputs->input->head, chunk->buffer + begin, have - begin, is_end,
                           &lines);
        if (cut > 0 || is_end || inputs->interrupt->is_set)
            break;
        if (until >= RECORD_BYTES_MAX) {
            /* Handed over as if it ended here: the parser rejects it, then the rest of it, and
             * takes what follows. */
            cut = have - begin;
            lines = count_lines(chunk->buffer + begin, cut);
            is_forced = true;
            break;
        }
        until *= 2;
        status = reserve(env, &chunk->buffer, &chunk->capacity, until, error);
        if (status != PB_OK)
            return status;
    }

    inputs->rest_bytes = have - begin - cut;
    status = reserve(env, &inputs->rest, &inputs->rest_capacity, inputs->rest_bytes, error);
    if (status != PB_OK)
        return status;
    if (inputs->rest_bytes > 0)
        memcpy(inputs->rest, chunk->buffer + begin + cut, inputs->rest_bytes);

    *ret_is_over = is_end || inputs->interrupt->is_set;
    if (cut == 0)
        return PB_NOT_FOUND;
    chunk->begin = begin;
    chunk->count = cut;
    chunk->first_line = inputs->next_line;
    chunk->is_last = is_end || is_forced;
    chunk->input = input_ref(inputs->input);
    inputs->next_line += lines;
    return PB_OK;
}

enum pb_status
pb_cli_inputs_next(struct pb_cli_inputs *inputs, struct pb_cli_chunk *chunk,
                   struct pb_error *error)
{
    assert(chunk->input == NULL);
    for (;;) {
        bool is_over = false;
        enum pb_status status;

        if (pb_cli_interrupt_look(inputs->interrupt))
            return PB_END;
        if (inputs->descriptor < 0) {
            if (inputs->next_name == inputs->name_count)
                return PB_END;
            if (!open_input(inputs)) {
                inputs->failed++;
                continue;
            }
        }
        error->message[0] = '\0';
        status = fill_chunk(inputs, chunk, &is_over, error);
        if (status == PB_E_NOMEM)
            return status;
        if (status != PB_OK && status != PB_NOT_FOUND) {
            pb_cli_say(inputs->cli, "%s: %s", spoken_name(inputs),
                       error->message[0] != '\0' ? error->message : pb_status_name(status));
            inputs->failed++;
            is_over = true;
        }
        if (is_over)
            close_input(inputs);
        if (status == PB_OK)
            return PB_OK;
    }
}

/* ---- readers ---- */

enum pb_status
pb_cli_reader_parse(struct pb_cli_reader *reader, const struct pb_cli_chunk *chunk,
                    const struct pb_ingest_sink *sink, struct pb_error *error)
{
    if (reader->input != chunk->input) {
        enum pb_status status;

        pb_cli_reader_done(reader);
        status = pb_parser_new(chunk->input->env, chunk->input->head, &reader->parser, error);
        if (status != PB_OK)
            return status;
        reader->input = input_ref(chunk->input);
    }
    return pb_parser_chunk(reader->parser, chunk->buffer + chunk->begin, chunk->count,
                           chunk->first_line, chunk->is_last, sink, error);
}

void
pb_cli_reader_done(struct pb_cli_reader *reader)
{
    pb_parser_free(reader->parser);
    reader->parser = NULL;
    input_unref(reader->input);
    reader->input = NULL;
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
        [PB_FORMAT_AUTO] = "auto",
        [PB_FORMAT_CSV] = "csv",
        [PB_FORMAT_NDJSON] = "ndjson",
        [PB_FORMAT_PBR] = "pbr",
        [PB_FORMAT_OPENALPR] = "openalpr",
        NULL,
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
        (void)pb_cli_usage_error(cli, "--country: '%s' is not a country code of ISO 3166-1 "
                                 "such as US or DE", args->country);
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
        .retention_days =
            args->retention_days == NOT_GIVEN ? -1 : (int32_t)args->retention_days,
    };
    return true;
}
