/*
 * JSON: strict (RFC 8259), bounded, many small documents at a time.
 *
 * A text is loaded (indexed) as a whole, a window of lines say, and then each document in it
 * is checked to the last byte and its known members are laid out flat:
 *
 *     {"plate":"AB1","x":[1],"alternates":[{"plate":"A81"}]}
 *     OBJECT, STRING plate, ARRAY alternates, OBJECT, STRING plate
 *
 * Members with other keys are checked too, and left out. A key that stands twice is there
 * twice. Numbers are given as their text, so that nothing is rounded.
 *
 * Threads: a pb_json belongs to one thread; pb_json_keys may be shared once made.
 * Limits:  PB_JSON_DEPTH_MAX, PB_JSON_VALUES_MAX values kept of one document.
 */
#ifndef PB_INGEST_JSON_H
#define PB_INGEST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

#define PB_JSON_VALUES_MAX 65536u
#define PB_JSON_KEYS_MAX 120u
#define PB_JSON_MEMBERS_MAX 32u
#define PB_JSON_NO_KEY 0u

enum pb_json_type {
    PB_JSON_NULL,
    PB_JSON_FALSE,
    PB_JSON_TRUE,
    PB_JSON_NUMBER,
    PB_JSON_STRING,
    PB_JSON_OBJECT,
    PB_JSON_ARRAY,
    PB_JSON_TYPE_COUNT,
};

struct pb_json_value {
    struct pb_str text; /* of a number as it stands; of a string without quotes and escapes */
    uint32_t next;      /* index of the first value after this one and all that is in it */
    uint8_t key;        /* from 1; PB_JSON_NO_KEY for what is in an array, and the document */
    uint8_t type;       /* enum pb_json_type */
};

/* The known keys: texts[0] has number 1. */
struct pb_json_keys {
    const char *const *texts; /* borrowed */
    struct pb_json_name {
        uint64_t words[2];         /* the first 16 bytes, then zeros */
        uint32_t bytes;            /* of the whole key */
    } names[PB_JSON_KEYS_MAX + 1]; /* by number */
    uint8_t slots[256];            /* numbers, by hash, open addressing */
    /* Of the first PB_JSON_MEMBERS_MAX - 1, as they stand in an object. One place each, so that one
     * may be missing. */
    uint8_t quick_slots[256];
    struct pb_json_quoted {
        uint64_t words[3]; /* quote, key, quote, colon, then zeros */
        uint64_t masks[3]; /* which bits of words these are */
        size_t span;       /* bytes up to the colon; 0 for a key that is missing */
        uint32_t bit;      /* 1 << its number */
    } quoted[PB_JSON_MEMBERS_MAX];
};
/* count: at most PB_JSON_KEYS_MAX distinct texts of 1 to 255 bytes. */
void pb_json_keys_init(struct pb_json_keys *keys, const char *const *texts, size_t count);

struct pb_json; /* opaque */
/* NULL if there is no memory. env is borrowed. */
struct pb_json *pb_json_new(const struct pb_env *env);
void pb_json_free(struct pb_json *json); /* NULL is fine */

/*
 * Loads a text of documents.
 *
 * bytes       borrowed until the next load
 * readable    how many bytes can be read at bytes, at least count; where that is not
 *             PB_JSON_PADDING_BYTES more, the text is copied
 * ret_reason  set on PB_BAD_INPUT only: a static sentence
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT  not UTF-8, a string not closed, a control character in one, or
 *                        nothing at all: of which document is not known
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_json_load(struct pb_json *json, const uint8_t *bytes, size_t count,
                                          size_t readable, const char **ret_reason);

/* true where texts of values may lie in memory that the next load overwrites; otherwise they
 * are views of the bytes that were loaded. */
bool pb_json_owns_texts(const struct pb_json *json);

/* true where all texts of values are printable ASCII. */
bool pb_json_is_ascii(const struct pb_json *json);

/*
 * Checks the one document that stands in [from, to) of the loaded text. Documents must be
 * asked for in ascending order. Texts of values stay until the next load, values until the
 * next document.
 *
 * keys        NULL: nothing but the document itself is kept
 * ret_count   0 where there is nothing but white space, otherwise values[0] is the document
 * ret_reason  set on PB_BAD_INPUT only: a static sentence
 *
 * Returns  PB_OK, PB_BAD_INPUT, PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_json_document(struct pb_json *json, size_t from, size_t to,
                                              const struct pb_json_keys *keys,
                                              const struct pb_json_value **ret_values,
                                              uint32_t *ret_count, const char **ret_reason);

/* The known members of a document that is an object, by key. Number PB_JSON_NO_KEY stands for
 * members with other keys and says nothing of use. */
struct pb_json_members {
    uint32_t types[PB_JSON_TYPE_COUNT];      /* by type: a bit for each key with such a value */
    struct pb_str text[PB_JSON_MEMBERS_MAX]; /* of scalars, as in struct pb_json_value */
    uint32_t index[PB_JSON_MEMBERS_MAX];     /* of objects and arrays: where in values */
    const struct pb_json_value *values;      /* borrowed: until the next document */
    const uint32_t *first_token;             /* for pb_json_members_undo() */
    size_t unescaped_used;                   /* likewise */
};

/*
 * The fast way for what most documents are, one object a line: as pb_json_document, without a list
 * of values in between.
 *
 * from       where a line begins
 * to         an end of a line, of this one or a later one; after from
 * keys       at most PB_JSON_MEMBERS_MAX - 1 of them
 * allowed    PB_JSON_TYPE_COUNT elements, by type: a bit for each key that may have such a value
 * unchecked  a bit for each key whose numbers the caller checks, so that no digit is looked at
 *            twice: in types[PB_JSON_NUMBER] these only stand for a value that is no string, object
 *            or array. Where the caller finds no number: pb_json_members_undo()
 *
 * Returns where the line ends, or 0, and nothing is taken, where the line is anything else than a
 * good object of members, each known key once and with an allowed type: then pb_json_document
 * says what it is.
 */
size_t pb_json_members(struct pb_json *json, size_t from, size_t to,
                       const struct pb_json_keys *keys, const uint32_t *allowed, uint32_t unchecked,
                       struct pb_json_members *ret_members);

/* Forgets a line that was taken last, for pb_json_document to take it. */
void pb_json_members_undo(struct pb_json *json, const struct pb_json_members *members);

/* The strict check on its own: is this one JSON text? Depth is limited as everywhere here. */
PB_MUST_CHECK enum pb_status pb_json_check(struct pb_json *json, const uint8_t *bytes, size_t count,
                                           const char **ret_reason);

/*
 * Where the value that begins at bytes[at] ends, by counting brackets outside strings: right
 * for valid JSON, and some border for anything else. A string ends with its line at the latest.
 * Sets ret_is_open where the value does not end, and returns count, or where an object begins
 * that cannot be within the value, so that what is not closed does not take along what follows.
 * A scalar at the end of bytes is open too.
 */
size_t pb_json_value_end(const uint8_t *bytes, size_t count, size_t at, bool *ret_is_open);

static inline bool
pb_json_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

#endif
