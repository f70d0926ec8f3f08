/*
 * Inputs: the files and pipes of an import, cut into chunks at record borders.
 *
 * A file that cannot be read or told apart is said, counted and skipped; the others go on.
 * The main thread reads pipes, and the beginning of each regular file; the rest of a file is read
 * in stretches by those who parse it (cli/stretch.h). Files are not mapped: a file that shrinks
 * meanwhile cannot kill the process, and memory stays bounded.
 *
 * Threads: inputs belong to the main thread, a chunk to whoever has it, a reader to its worker.
 */
#ifndef PB_CLI_INPUT_H
#define PB_CLI_INPUT_H

#include <stdatomic.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/stretch.h"
#include "ingest/ingest.h"

/* What one input is, for those who parse its chunks. Reference counted. */
struct pb_cli_input {
    const struct pb_env *env;     /* borrowed */
    const char *name;             /* borrowed: as given; "-" for standard input */
    struct pb_input_head *head;   /* owned */
    struct pb_cli_inputs *inputs; /* borrowed: for what any thread may do */
    struct pb_cli_stretches stretches;
    _Atomic uint32_t refs;
};

struct pb_cli_chunk {
    bool is_stretch;               /* then it is still to be read, by pb_cli_reader_parse */
    struct pb_cli_stretch stretch; /* where it is one */
    struct pb_cli_buffer buffer;   /* where it is none: with the records */
    struct pb_cli_cut cut;         /* likewise */
    struct pb_cli_input *input;    /* a reference; dropped by pb_cli_chunk_clear */
};
void pb_cli_chunk_clear(struct pb_cli_chunk *chunk);
void pb_cli_chunk_free(const struct pb_env *env, struct pb_cli_chunk *chunk);

struct pb_cli_inputs {
    struct pb_cli *cli;                        /* borrowed */
    struct pb_cli_interrupt *interrupt;        /* borrowed */
    const struct pb_ingest_defaults *defaults; /* borrowed */
    enum pb_format format;
    char **names; /* borrowed: name_count elements */
    size_t name_count, next_name;

    int descriptor;             /* of the current input; -1: none */
    struct pb_cli_input *input; /* current one, when its head is known */
    struct pb_cli_buffer rest;  /* what followed the last border */
    size_t rest_bytes;
    uint64_t next_line;
    uint64_t next_stretch, offset,
        size;                /* where it is read in stretches: of the next, and in all */
    uint64_t bytes_done;     /* of all inputs */
    uint64_t bytes_total;    /* 0 where an input is a pipe */
    _Atomic unsigned failed; /* inputs that could not be read to their end */
};

void pb_cli_inputs_init(struct pb_cli_inputs *inputs, struct pb_cli *cli,
                        struct pb_cli_interrupt *interrupt, enum pb_format format,
                        const struct pb_ingest_defaults *defaults, char **names, size_t name_count);
void pb_cli_inputs_done(struct pb_cli_inputs *inputs);
/* The next chunk. PB_OK, PB_END (after the last, or after an interrupt), PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_inputs_next(struct pb_cli_inputs *inputs,
                                                struct pb_cli_chunk *chunk, struct pb_error *error);

/* One worker's parser, made anew where the input changes. */
struct pb_cli_reader {
    struct pb_cli_input *input; /* a reference; NULL at first */
    struct pb_parser *parser;   /* owned */
    struct pb_cli_buffer buffer;
};
/* Parses a chunk; one that is a stretch of a file is read first, which may wait for those before
 * it. */
PB_MUST_CHECK enum pb_status pb_cli_reader_parse(struct pb_cli_reader *reader,
                                                 const struct pb_cli_chunk *chunk,
                                                 const struct pb_ingest_sink *sink,
                                                 struct pb_error *error);
void pb_cli_reader_done(struct pb_cli_reader *reader, const struct pb_env *env);

/* The options of import and convert that say what the input is. */
struct pb_cli_input_args {
    int format; /* index into the names that --format takes: as enum pb_format */
    const char *reader;
    int32_t lat_e7, lon_e7;
    const char *country;
    uint64_t retention_days; /* UINT64_MAX: not given */
    int64_t captured_at_us;
};
void pb_cli_input_args_init(struct pb_cli_input_args *args);
void pb_cli_input_args_add(struct pb_cli_usage *usage, struct pb_cli_input_args *args);
/* Checks what the options say together; false after a usage error. */
PB_MUST_CHECK bool pb_cli_input_args_defaults(const struct pb_cli *cli,
                                              const struct pb_cli_input_args *args,
                                              struct pb_ingest_defaults *ret_defaults);

#endif
