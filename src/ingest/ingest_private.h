/*
 * Ingest, inside: what the head of an input says, what a parser owns, and the formats'
 * entry points. Not for other rooms.
 */
#ifndef PB_INGEST_INGEST_PRIVATE_H
#define PB_INGEST_INGEST_PRIVATE_H

#include "ingest/batch.h"
#include "ingest/csv.h"
#include "ingest/json.h"

/* How JSON documents lie in an input. */
enum pb_json_layout {
    PB_JSON_LINES,     /* one object a line */
    PB_JSON_DOCUMENTS, /* objects over several lines, white space between */
    PB_JSON_ELEMENTS,  /* of one array */
};

struct pb_input_head {
    enum pb_format format;
    uint64_t line_count; /* line ends within the head itself */
    struct pb_ingest_defaults defaults; /* its texts point into the next two */
    char reader[PB_READER_BYTES_MAX];
    char country[4];
    struct pb_csv_head csv;
    enum pb_json_layout layout;
    struct pb_json_keys keys;
};

struct pb_parser {
    const struct pb_env *env;         /* borrowed */
    const struct pb_input_head *head; /* borrowed */
    struct pb_batch batch;
    struct pb_csv_scratch csv;
    struct pb_json *json; /* owned; NULL where the format is not JSON */
};

/* One chunk of bytes at hand. */
struct pb_chunk {
    const uint8_t *bytes;
    size_t count;
    uint64_t first_line;
    bool is_last;
};

/* How many line ends are in bytes. */
uint64_t pb_count_lines(const uint8_t *bytes, size_t count);
/* Where the line that begins at `at` ends: after its line end, or at count. */
size_t pb_line_end(const uint8_t *bytes, size_t count, size_t at);
/* After the last line end in bytes; 0 where there is none. */
size_t pb_last_line_end(const uint8_t *bytes, size_t count);

/* The formats: their pb_input_cut(), without the lines, and their pb_parser_chunk(). */
size_t pb_csv_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count,
                  bool is_last);
PB_MUST_CHECK enum pb_status pb_csv_chunk(struct pb_parser *parser, const struct pb_chunk *chunk);

/* JSON: native and OpenALPR. */
enum pb_json_layout pb_documents_layout(const uint8_t *bytes, size_t count);
size_t pb_documents_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count,
                        bool is_last);
PB_MUST_CHECK enum pb_status pb_documents_chunk(struct pb_parser *parser,
                                                const struct pb_chunk *chunk);

/* OpenALPR: what one document of known keys says; values[0] is the document. */
extern const char *const pb_openalpr_keys[];
extern const size_t pb_openalpr_key_count;
PB_MUST_CHECK enum pb_status pb_openalpr_document(struct pb_batch *batch,
                                                  const struct pb_json_value *values);

/* The binary form. */
size_t pb_pbr_cut(const struct pb_input_head *head, const uint8_t *bytes, size_t count,
                  bool is_last);
PB_MUST_CHECK enum pb_status pb_pbr_chunk(struct pb_parser *parser, const struct pb_chunk *chunk);

#endif
