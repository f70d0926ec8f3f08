/*
 * Numbers in text: exact decimals, without a detour through binary floating point.
 *
 * Threads: everything here is pure.
 * Source:  docs/formats/native-csv.md, "Cells".
 */
#ifndef PB_INGEST_NUMBER_H
#define PB_INGEST_NUMBER_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* ---- inlined where they are called for each of millions of lines ---- */

#define PB_POWERS_OF_TEN 20u
extern const uint64_t pb_powers_of_ten[PB_POWERS_OF_TEN];

/* Eight bytes, the first lowest. */
static inline uint64_t
pb_word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

/* The top bit of each byte of values that is not from 0 to 9: exact in the lowest such byte and in
 * those before it. Values of digits are without 0x30. Adding 0x76 sets the top bit of any other;
 * carries only reach bytes after one. */
static inline uint64_t
pb_other_than_digits(uint64_t values)
{
    return (values | (values + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
}

/* The number that eight values of digits are, the first lowest. Arithmetic on all bytes at once:
 * pairs, then fours, then eight. */
static inline uint64_t
pb_number_of_digits(uint64_t values)
{
    values = values * 10 + (values >> 8);
    values = (values & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
             (values >> 16 & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001);
    return values >> 32;
}

/* How many digits stand at the front of a word, and what number they are. */
static inline unsigned
pb_leading_digits(uint64_t word, uint64_t *ret_number)
{
    uint64_t values = word ^ UINT64_C(0x3030303030303030);
    uint64_t others = pb_other_than_digits(values);
    unsigned count = others == 0 ? 8 : (unsigned)__builtin_ctzll(others) / 8;

    if (count == 0) {
        *ret_number = 0;
        return 0;
    }
    *ret_number = pb_number_of_digits(values << 8 * (8 - count)); /* leading zeros */
    return count;
}

/*
 * The same for a number of JSON (RFC 8259 section 6) of at most 7 digits before the point and 7
 * behind it, and not more than decimals, which nearly all are. false also for longer ones.
 *
 * text      not empty; 20 bytes must be readable from its start
 * decimals  0 to 7
 */
static inline bool
pb_number_json(struct pb_str text, unsigned decimals, int64_t *ret_value)
{
    const char *at = text.text, *end = text.text + text.bytes;
    bool is_negative = *at == '-';
    uint64_t whole, fraction;
    unsigned count;

    assert(decimals <= 7 && text.bytes > 0);
    at += is_negative;
    count = pb_leading_digits(pb_word_at(at), &whole);
    if (count == 0 || count == 8 || (*at == '0' && count > 1))
        return false;
    at += count;
    whole *= pb_powers_of_ten[decimals];
    if (at != end) {
        count = pb_leading_digits(pb_word_at(at + 1), &fraction);
        if (*at != '.' || count == 0 || count > decimals)
            return false;
        whole += fraction * pb_powers_of_ten[decimals - count];
        at += 1 + count;
    }
    *ret_value = is_negative ? -(int64_t)whole : (int64_t)whole;
    return at == end;
}

/* The same where most are of at most 8 bytes: these are taken as one word, from which the point is
 * taken out. */
static inline bool
pb_number_json_short(struct pb_str text, unsigned decimals, int64_t *ret_value)
{
    uint64_t values, others, whole;
    unsigned point, places = 0;

    assert(decimals <= 7 && text.bytes > 0);
    if (text.bytes > 8 || (text.text[0] == '0' && text.bytes > 1 && text.text[1] != '.'))
        return pb_number_json(text, decimals, ret_value);
    values = (pb_word_at(text.text) ^ UINT64_C(0x3030303030303030)) << 8 * (8 - text.bytes);
    others = pb_other_than_digits(values);
    if (others != 0) {
        point = (unsigned)__builtin_ctzll(others) / 8;
        places = 7 - point;
        if ((values >> 8 * point & 0xFF) != ('.' ^ '0') || point + text.bytes == 8 ||
            places - 1 >= decimals)
            return pb_number_json(text, decimals, ret_value);
        whole = values & ((UINT64_C(1) << 8 * point) - 1);
        values = (values ^ whole) & ~(UINT64_C(0xFF) << 8 * point);
        values |= whole << 8;
        if (pb_other_than_digits(values) != 0)
            return false;
    }
    *ret_value = (int64_t)(pb_number_of_digits(values) * pb_powers_of_ten[decimals - places]);
    return true;
}

#endif
