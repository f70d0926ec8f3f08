/*
 * Ingest: bytes in, reads out. An adapter does no I/O and knows no clock.
 *
 * Input is cut into chunks at record borders, so that chunks can be parsed side by
 * side; each record becomes zero or more reads, or one rejection. One bad record
 * never stops the ones after it.
 *
 * Threads: a parser belongs to one thread; parsers of one input share nothing.
 */
#ifndef PB_INGEST_INGEST_H
#define PB_INGEST_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

enum pb_format {
    PB_FORMAT_AUTO = 0,
    PB_FORMAT_CSV,      /* docs/formats/native-csv.md */
    PB_FORMAT_NDJSON,   /* docs/formats/native-ndjson.md; also a JSON array or one object */
    PB_FORMAT_PBR,      /* docs/formats/pbr.md: the binary form */
    PB_FORMAT_OPENALPR, /* alpr_results, alpr_group, alpr_alert; one JSON object a line or one */
};
/* "csv", "ndjson", ...; and back (PB_FORMAT_AUTO also for "auto"); -1 for an unknown name. */
const char *pb_format_name(enum pb_format format);
int pb_format_from_name(const char *name);
/* Looks at the first bytes of an input (at most 64 KiB are needed). PB_FORMAT_AUTO: unknown. */
enum pb_format pb_format_detect(const uint8_t *bytes, size_t count);

/* What a source says of all its reads where they do not say it themselves. */
struct pb_ingest_defaults {
    struct pb_str reader;      /* reader id, or empty: then a read without one is rejected */
    int32_t lat_e7, lon_e7;    /* or PB_NO_POSITION */
    const char *country;       /* ISO 3166-1 alpha-2, for bare states; "US" */
    int64_t captured_at_us;    /* for records without a time; 0: they are rejected */
    int64_t delete_after_us;   /* PB_NEVER unless the caller knows better */
    int32_t retention_days;    /* >= 0: delete_after is captured time plus this; -1: unused */
};

/* One record that gave no read, or one part of a record that holds several. */
struct pb_rejection {
    uint64_t line;              /* from 1; 0 where the format has no lines */
    size_t chunk_offset;        /* where the record begins, from the start of the chunk */
    const char *field;          /* static name, or "" */
    const char *reason;         /* static; goes on after the field ("lat", "is not a number"), or
                                 * stands alone where that is "" */
    const uint8_t *record;      /* borrowed for the call: the raw record, perhaps cut */
    size_t record_bytes;
};

/* Receives what a parser finds. reads are borrowed for the call, in which they may be changed. A
 * status other than PB_OK stops the parser, which returns it. */
struct pb_ingest_sink {
    enum pb_status (*on_reads)(void *context, struct pb_read *reads, size_t count);
    enum pb_status (*on_reject)(void *context, const struct pb_rejection *rejection);
    void *context;
};

/*
 * The head of an input: for CSV its header row, for the binary form its magic; nothing for
 * others. Parsed once, then shared read-only by all parsers of that input.
 */
struct pb_input_head; /* opaque, immutable */
/* bytes: the first bytes of the input (whole input, or at least PB_LINE_BYTES_MAX of it).
 * ret_head_bytes: where records begin. PB_BAD_INPUT names the column or what is missing. */
PB_MUST_CHECK enum pb_status pb_input_head_new(const struct pb_env *env, enum pb_format format,
                                               const uint8_t *bytes, size_t count,
                                               const struct pb_ingest_defaults *defaults,
                                               struct pb_input_head **ret_head,
                                               size_t *ret_head_bytes, struct pb_error *error);
void pb_input_head_free(const struct pb_env *env, struct pb_input_head *head);
/* Line ends within the head: the first chunk's first line is this plus 1. */
uint64_t pb_input_head_lines(const struct pb_input_head *head);

/*
 * The largest prefix of bytes that ends at a record border, for cutting an input into chunks
 * (0: no border yet, more bytes are needed; for CSV quoted line ends are not borders: bytes
 * must start at a record). is_last: no bytes follow, so that an unended last record counts.
 * ret_lines: line ends within that prefix, so that the next chunk's line numbers are known.
 * A record may be longer than any limit (it is one rejection then), so a caller that gathers
 * bytes itself, instead of mapping a file, must bound how far it goes on after 0.
 */
size_t pb_input_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count,
                    bool is_last, uint64_t *ret_lines);

struct pb_parser; /* opaque: scratch memory of one thread */
PB_MUST_CHECK enum pb_status pb_parser_new(const struct pb_env *env,
                                           const struct pb_input_head *head,
                                           struct pb_parser **ret_parser, struct pb_error *error);
void pb_parser_free(struct pb_parser *parser);
/*
 * Parses one chunk (as cut by pb_input_cut). first_line: number of its first line, from 1.
 * Bytes need no padding. Reads are folded, have defaults applied and have passed
 * pb_read_validate; they come in batches of at most 256.
 */
PB_MUST_CHECK enum pb_status pb_parser_chunk(struct pb_parser *parser, const uint8_t *bytes,
                                             size_t count, uint64_t first_line, bool is_last,
                                             const struct pb_ingest_sink *sink,
                                             struct pb_error *error);

#endif
