/*
 * Native fields: what one row of native CSV and one native JSON object have in common.
 *
 * Both are first taken apart into texts by field; the meaning of these texts is the same.
 *
 * Source: docs/formats/native-csv.md, docs/formats/native-ndjson.md.
 */
#ifndef PB_INGEST_NATIVE_H
#define PB_INGEST_NATIVE_H

#include "ingest/batch.h"
#include "ingest/json.h"

/* In the order in which they are looked at: a scale before what is on it. */
enum pb_native_field {
    PB_NATIVE_NONE = 0, /* unknown column or key */
    PB_NATIVE_PLATE,
    PB_NATIVE_PLATE_RAW,
    PB_NATIVE_JURISDICTION,
    PB_NATIVE_CAPTURED_AT,
    PB_NATIVE_READER,
    PB_NATIVE_LAT,
    PB_NATIVE_LON,
    PB_NATIVE_HEADING_DEG,
    PB_NATIVE_SPEED_KMH,
    PB_NATIVE_LANE,
    PB_NATIVE_CONFIDENCE_SCALE,
    PB_NATIVE_CONFIDENCE,
    PB_NATIVE_MAKE,
    PB_NATIVE_MODEL,
    PB_NATIVE_COLOR,
    PB_NATIVE_BODY,
    PB_NATIVE_YEAR,
    PB_NATIVE_EVENT_ID,
    PB_NATIVE_REVISION,
    PB_NATIVE_DELETE_AFTER,
    PB_NATIVE_ALTERNATES, /* of CSV; JSON has an array */
    PB_NATIVE_IMAGES,     /* likewise */
    PB_NATIVE_REVISES,    /* of JSON only, "true" or "false" */
    PB_NATIVE_CORRECTION, /* likewise */
    PB_NATIVE_IDENTITY_PLATE,
    PB_NATIVE_COUNT,
};

/* "plate", ...; static. Not of PB_NATIVE_NONE. */
const char *pb_native_field_name(enum pb_native_field field);
/* The field of a CSV column, of a name without spaces around it and in any case;
 * PB_NATIVE_NONE for unknown ones and those that are only of JSON. */
enum pb_native_field pb_native_field_of_column(struct pb_str name);

/* The keys of native JSON; the numbers up to PB_NATIVE_COUNT - 1 are fields. */
extern const char *const pb_native_keys[];
extern const size_t pb_native_key_count;

struct pb_native {
    uint32_t fields;                     /* a bit for each field whose text counts */
    struct pb_str text[PB_NATIVE_COUNT]; /* empty: unknown */
};

/* Makes a read of the texts of a row and pushes it, or rejects the record. Returns what
 * the sink returned, PB_OK or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_native_row(struct pb_batch *batch, const struct pb_native *native);

/* Likewise of a document of known keys (pb_json_document); values[0] is the document. */
PB_MUST_CHECK enum pb_status pb_native_document(struct pb_batch *batch,
                                                const struct pb_json_value *values);

/* Both steps at once for the line that begins at `from` of the loaded text and ends at or before
 * `to`, if pb_json_members() takes it: returns where it ends. Returns 0, with nothing done, if it
 * does not. ret_status: as pb_native_document. */
PB_MUST_CHECK size_t pb_native_members(struct pb_batch *batch, struct pb_json *json, size_t from,
                                       size_t to, const struct pb_json_keys *keys,
                                       enum pb_status *ret_status);

/* `2015` or `2015-2019`, from 1885 to 2100; ret_year_last is 0 where it is one year. */
bool pb_native_year(struct pb_str text, uint16_t *ret_year, uint16_t *ret_year_last);

#endif
