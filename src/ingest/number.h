/*
 * Numbers in text: exact decimals, without a detour through binary floating point.
 *
 * Threads: everything here is pure.
 * Source:  docs/formats/native-csv.md, "Cells".
 */
#ifndef PB_INGEST_NUMBER_H
#define PB_INGEST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>

/*
 * Reads `[+-]? digits [. digits] [e [+-]? digits]` as a whole number of 10^-decimals, rounded
 * half away from zero: ("34.0522342", 7) is 340522342.
 *
 * decimals  0 to 18
 * Returns false, with ret_value untouched, where text has another shape or the result
 * does not fit in int64_t.
 */
bool pb_number_decimal(struct pb_str text, unsigned decimals, int64_t *ret_value);

/*
 * The same for a number of JSON (RFC 8259 section 6) of at most 7 digits before the point and 7
 * behind it, and not more than decimals, which nearly all are. false also for longer ones.
 *
 * text      not empty; 20 bytes must be readable from its start
 * decimals  0 to 7
 */
bool pb_number_json(struct pb_str text, unsigned decimals, int64_t *ret_value);

/* Reads digits and nothing else, at most 19 of them. */
bool pb_number_whole(struct pb_str text, uint64_t *ret_value);

/* Without U+0020 at both ends. */
static inline struct pb_str
pb_number_trim(struct pb_str text)
{
    while (text.bytes > 0 && text.text[0] == ' ') {
        text.text++;
        text.bytes--;
    }
    while (text.bytes > 0 && text.text[text.bytes - 1] == ' ')
        text.bytes--;
    return text;
}

#endif
