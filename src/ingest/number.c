/*
 * Numbers in text: digits are gathered as one whole number, then scaled by a power of ten.
 *
 * The first 19 significant digits are kept. Those after can never change the result:
 * rounding is half away from zero, so that what was kept already decides.
 */
#include "ingest/number.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "base/limits.h"

#define DIGITS_KEPT (PB_POWERS_OF_TEN - 1) /* the most that always fit in uint64_t */
/* No line has as many digits as this, so that from here on its value says nothing more. */
#define EXPONENT_MAX 10000000

const uint64_t pb_powers_of_ten[PB_POWERS_OF_TEN] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

static_assert(PB_LINE_BYTES_MAX < EXPONENT_MAX, "an exponent makes up for any number of digits");

/* value is digits times 10^exponent, but for digits that were left out. */
struct decimal {
    uint64_t digits;
    int32_t exponent;
    unsigned kept; /* significant digits in `digits` */
};

/* Eight bytes, the first lowest; what is not before end is 0. Nothing before begin and nothing
 * from end on is read. */
static inline uint64_t
eight_bytes(const char *begin, const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    uint64_t word = 0;

    if (left >= 8) {
        memcpy(&word, at, 8);
        return le64toh(word);
    }
    if (end - begin >= 8 && left > 0) {
        memcpy(&word, end - 8, 8);
        return le64toh(word) >> 8 * (8 - left);
    }
    if (left >= 4) {
        uint32_t first, last;

        memcpy(&first, at, 4);
        memcpy(&last, end - 4, 4);
        return le32toh(first) | (uint64_t)le32toh(last) << 8 * (left - 4);
    }
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)(unsigned char)at[i] << 8 * i;
    return word;
}

/* Takes the digits at `at`, however many; returns where they end. */
static const char *
take_digits(const char *at, const char *end, bool is_fraction, struct decimal *decimal)
{
    for (; at < end; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - (unsigned)'0';

        if (digit > 9)
            break;
        if (decimal->kept == DIGITS_KEPT) {
            decimal->exponent += !is_fraction;
            continue;
        }
        decimal->digits = decimal->digits * 10 + digit;
        decimal->kept += decimal->digits != 0;
        decimal->exponent -= is_fraction;
    }
    return at;
}

/* Takes `[+-]? digits` up to end; false where something else stands there. */
static bool
take_exponent(const char *at, const char *end, int32_t *ret_exponent)
{
    bool is_negative = false;
    int32_t exponent = 0;

    if (at < end && (*at == '+' || *at == '-')) {
        is_negative = *at == '-';
        at++;
    }
    if (at == end)
        return false;
    for (; at < end; at++) {
        int32_t digit = (int32_t)(unsigned char)*at - (int32_t)'0';

        if (digit < 0 || digit > 9)
            return false;
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + digit;
    }
    *ret_exponent = is_negative ? -exponent : exponent;
    return true;
}

/* digits times 10^exponent; false where that is above INT64_MAX. */
static bool
scale(uint64_t digits, int32_t exponent, uint64_t *ret_value)
{
    uint64_t power, rest;

    if (exponent >= 0) {
        if (digits == 0) {
            *ret_value = 0;
            return true;
        }
        if (exponent > 18)
            return false;
        power = pb_powers_of_ten[exponent];
        if (digits > (uint64_t)INT64_MAX / power)
            return false;
        *ret_value = digits * power;
        return true;
    }
    if (exponent < -(int32_t)DIGITS_KEPT) {
        *ret_value = 0; /* below a tenth of the last place */
        return true;
    }
    power = pb_powers_of_ten[-exponent];
    rest = digits % power;
    *ret_value = digits / power + (rest >= power - rest);
    return *ret_value <= (uint64_t)INT64_MAX;
}

/* Any text; at points behind the sign. */
static bool
read_any(const char *at, const char *end, unsigned decimals, uint64_t *ret_magnitude)
{
    struct decimal decimal = { .digits = 0, .exponent = 0, .kept = 0 };
    const char *begin = at;
    int32_t exponent = 0;

    at = take_digits(at, end, false, &decimal);
    if (at == begin)
        return false;
    if (at < end && *at == '.') {
        begin = ++at;
        at = take_digits(at, end, true, &decimal);
        if (at == begin)
            return false;
    }
    if (at < end) {
        if (*at != 'e' && *at != 'E')
            return false;
        if (!take_exponent(at + 1, end, &exponent))
            return false;
    }
    /* Each part is bounded by EXPONENT_MAX * 10 or by the length of text, together far below
     * 2^31 for any text that PB_LINE_BYTES_MAX lets in. */
    exponent += decimal.exponent + (int32_t)decimals;
    return scale(decimal.digits, exponent, ret_magnitude);
}

/* One to three digits and nothing else: a heading, a speed. */
static inline bool
read_tiny(const char *at, const char *end, unsigned decimals, uint64_t *ret_magnitude)
{
    uint64_t whole = 0;

    if (at == end || end - at > 3 || decimals > 7)
        return false;
    for (; at < end; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - (unsigned)'0';

        if (digit > 9)
            return false;
        whole = whole * 10 + digit;
    }
    *ret_magnitude = whole * pb_powers_of_ten[decimals];
    return true;
}

/* Nearly every other text: at most 7 digits, then at most 7 more behind a point, and not more
 * than are wanted. false: it is another one. */
static bool
read_short(const char *at, const char *end, unsigned decimals, uint64_t *ret_magnitude)
{
    const char *begin = at;
    uint64_t whole, fraction;
    unsigned count = pb_leading_digits(eight_bytes(begin, at, end), &whole);

    if (count == 0 || count == 8)
        return false;
    at += count;
    if (at == end) {
        *ret_magnitude = whole * pb_powers_of_ten[decimals];
        return decimals <= 7;
    }
    at++;
    count = pb_leading_digits(eight_bytes(begin, at, end), &fraction);
    if (at[-1] != '.' || count == 0 || count == 8 || at + count != end || count > decimals ||
        decimals > 7)
        return false;
    *ret_magnitude =
        whole * pb_powers_of_ten[decimals] + fraction * pb_powers_of_ten[decimals - count];
    return true;
}

bool
pb_number_decimal(struct pb_str text, unsigned decimals, int64_t *ret_value)
{
    const char *at = text.text, *end;
    bool is_negative = false;
    uint64_t magnitude;

    assert(decimals <= 18);
    if (text.bytes == 0)
        return false;
    end = at + text.bytes;
    if (*at == '+' || *at == '-') {
        is_negative = *at == '-';
        at++;
    }
    if (!read_tiny(at, end, decimals, &magnitude) && !read_short(at, end, decimals, &magnitude) &&
        !read_any(at, end, decimals, &magnitude))
        return false;
    *ret_value = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

bool
pb_number_whole(struct pb_str text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.bytes == 0 || text.bytes > DIGITS_KEPT)
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned digit = (unsigned)(unsigned char)text.text[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}
