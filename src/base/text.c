/*
 * Text: UTF-8 with a fast path for ASCII, and numbers written two digits at a time.
 */
#include "base/text.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- views ---- */

struct pb_str
pb_str_from(const char *text)
{
    size_t bytes = text == NULL ? 0 : strlen(text);

    assert(bytes <= UINT32_MAX);
    return (struct pb_str){ .text = text, .bytes = (uint32_t)bytes };
}

int
pb_str_compare(struct pb_str a, struct pb_str b)
{
    uint32_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.text, b.text, common);

    if (order != 0)
        return order;
    return (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static bool
is_blank(char character)
{
    return character == ' ' || character == '\t';
}

struct pb_str
pb_str_trim(struct pb_str text)
{
    while (text.bytes > 0 && is_blank(text.text[0]))
        text = (struct pb_str){ text.text + 1, text.bytes - 1 };
    while (text.bytes > 0 && is_blank(text.text[text.bytes - 1]))
        text.bytes--;
    return text;
}

uint64_t
pb_hash_bytes(const void *bytes, size_t count)
{
    return XXH3_64bits(bytes, count);
}

uint64_t
pb_hash_bytes_seeded(const void *bytes, size_t count, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, count, seed);
}

/* ---- UTF-8 ---- */

static bool
is_continuation(unsigned char byte)
{
    return (byte & 0xC0u) == 0x80u;
}

size_t
pb_utf8_next(const char *text, size_t bytes, uint32_t *ret_code_point)
{
    /* The least code point that needs each length: less than that is overlong. */
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead;
    uint32_t code_point;
    size_t length;

    if (bytes == 0)
        return 0;
    lead = (unsigned char)text[0];
    if (lead < 0x80u) {
        *ret_code_point = lead;
        return 1;
    }
    if ((lead & 0xE0u) == 0xC0u) {
        length = 2;
        code_point = lead & 0x1Fu;
    } else if ((lead & 0xF0u) == 0xE0u) {
        length = 3;
        code_point = lead & 0x0Fu;
    } else if ((lead & 0xF8u) == 0xF0u) {
        length = 4;
        code_point = lead & 0x07u;
    } else {
        return 0;
    }
    if (length > bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (!is_continuation(byte))
            return 0;
        code_point = code_point << 6 | (byte & 0x3Fu);
    }
    if (code_point < least[length] || code_point > 0x10FFFFu ||
        (code_point >= 0xD800u && code_point <= 0xDFFFu))
        return 0;
    *ret_code_point = code_point;
    return length;
}

bool
pb_utf8_is_valid(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        uint32_t code_point;
        uint64_t eight;
        size_t length;

        if (bytes - at >= sizeof(eight)) {
            memcpy(&eight, text + at, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(eight);
                continue;
            }
        }
        length = pb_utf8_next(text + at, bytes - at, &code_point);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t
pb_utf8_encode(uint32_t code_point, char ret_text[4])
{
    assert(code_point <= 0x10FFFFu && !(code_point >= 0xD800u && code_point <= 0xDFFFu));
    if (code_point < 0x80u) {
        ret_text[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800u) {
        ret_text[0] = (char)(0xC0u | code_point >> 6);
        ret_text[1] = (char)(0x80u | (code_point & 0x3Fu));
        return 2;
    }
    if (code_point < 0x10000u) {
        ret_text[0] = (char)(0xE0u | code_point >> 12);
        ret_text[1] = (char)(0x80u | (code_point >> 6 & 0x3Fu));
        ret_text[2] = (char)(0x80u | (code_point & 0x3Fu));
        return 3;
    }
    ret_text[0] = (char)(0xF0u | code_point >> 18);
    ret_text[1] = (char)(0x80u | (code_point >> 12 & 0x3Fu));
    ret_text[2] = (char)(0x80u | (code_point >> 6 & 0x3Fu));
    ret_text[3] = (char)(0x80u | (code_point & 0x3Fu));
    return 4;
}

/* ---- writing ---- */

#define DIGITS_MAX 20u /* of a uint64_t */

/* Writes value so that it ends before end; returns where it begins. */
static char *
digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";

    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + value * 2, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

/* Also right for INT64_MIN, whose negation does not fit in int64_t. */
static uint64_t
magnitude(int64_t value)
{
    return value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
}

void
pb_put_quoted(struct pb_text_out *out, struct pb_str text)
{
    pb_put_char(out, '"');
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] == '"' || text.text[i] == '\\')
            pb_put_char(out, '\\');
        pb_put_char(out, text.text[i]);
    }
    pb_put_char(out, '"');
}

void
pb_put_u64(struct pb_text_out *out, uint64_t value)
{
    char buffer[DIGITS_MAX];
    const char *begin = digits_before(buffer + sizeof(buffer), value);

    pb_put_bytes(out, begin, (size_t)(buffer + sizeof(buffer) - begin));
}

void
pb_put_i64(struct pb_text_out *out, int64_t value)
{
    char buffer[1 + DIGITS_MAX];
    char *begin = digits_before(buffer + sizeof(buffer), magnitude(value));

    if (value < 0)
        *--begin = '-';
    pb_put_bytes(out, begin, (size_t)(buffer + sizeof(buffer) - begin));
}

void
pb_put_fixed(struct pb_text_out *out, int64_t value, unsigned decimals, unsigned decimals_min)
{
    char buffer[2 + 2 * DIGITS_MAX]; /* sign, whole part, point, decimals */
    char *end = buffer + sizeof(buffer);
    char *begin, *point;
    uint64_t whole = magnitude(value), fraction, unit = 1;

    assert(decimals <= 18 && decimals_min <= decimals);
    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    fraction = whole % unit;
    whole /= unit;

    while (decimals > decimals_min && fraction % 10 == 0) {
        fraction /= 10;
        decimals--;
    }
    begin = end;
    if (decimals > 0) {
        point = end - decimals - 1;
        begin = digits_before(end, fraction);
        while (begin > point + 1)
            *--begin = '0';
        *point = '.';
        begin = point;
    }
    begin = digits_before(begin, whole);
    if (value < 0)
        *--begin = '-';
    pb_put_bytes(out, begin, (size_t)(end - begin));
}

/* ---- plain text ---- */

struct code_range {
    uint32_t first, last;
};

/* Control, direction, invisible and tag characters, and what is no character at all (Unicode 15).
 * The marks U+061C, U+200E and U+200F turn nothing round and belong to Arabic and Hebrew text. */
static const struct code_range hidden[] = {
    { 0x0000, 0x001F },    { 0x007F, 0x009F },   { 0x00AD, 0x00AD },   { 0x034F, 0x034F },
    { 0x115F, 0x1160 },    { 0x17B4, 0x17B5 },   { 0x180B, 0x180F },   { 0x200B, 0x200D },
    { 0x2028, 0x202E },    { 0x2060, 0x206F },   { 0x3164, 0x3164 },   { 0xFDD0, 0xFDEF },
    { 0xFE00, 0xFE0F },    { 0xFEFF, 0xFEFF },   { 0xFFA0, 0xFFA0 },   { 0xFFF0, 0xFFFB },
    { 0xFFFE, 0xFFFF },    { 0x1BCA0, 0x1BCA3 }, { 0x1D173, 0x1D17A }, { 0xE0000, 0xE0FFF },
    { 0xF0000, 0x10FFFF },
};

static bool
is_hidden(uint32_t code_point)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code_point >= hidden[i].first && code_point <= hidden[i].last)
            return true;
    }
    return false;
}

bool
pb_text_is_plain(struct pb_str text)
{
    uint32_t at = 0;

    while (at < text.bytes) {
        unsigned char byte = (unsigned char)text.text[at];
        uint32_t code_point;
        size_t bytes;

        if (byte >= 0x20 && byte < 0x7F) {
            at++;
            continue;
        }
        bytes = pb_utf8_next(text.text + at, text.bytes - at, &code_point);
        if (bytes == 0 || is_hidden(code_point))
            return false;
        at += (uint32_t)bytes;
    }
    return true;
}
