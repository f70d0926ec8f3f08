/*
 * Text forms of bytes and numbers.
 */
#include "audit/encode.h"

#include <string.h>

#include "base/text.h"

void
pb_put_hex(struct pb_text_out *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    if (2 * count > (size_t)(out->end - out->at)) {
        out->is_cut = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        pb_put_char(out, digits[bytes[i] >> 4]);
        pb_put_char(out, digits[bytes[i] & 0x0fu]);
    }
}

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

enum pb_status
pb_hex_decode(struct pb_str text, uint8_t *ret_bytes, size_t count)
{
    if (text.bytes != 2 * count)
        return PB_BAD_INPUT;
    for (size_t i = 0; i < count; i++) {
        int high = hex_value(text.text[2 * i]);
        int low = hex_value(text.text[2 * i + 1]);

        if (high < 0 || low < 0)
            return PB_BAD_INPUT;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return PB_OK;
}

enum pb_status
pb_decimal_decode(struct pb_str text, uint64_t *ret_value)
{
    uint64_t value = 0;

    /* 19 digits stay below 2^64. */
    if (text.bytes == 0 || text.bytes > 19 || (text.text[0] == '0' && text.bytes > 1))
        return PB_BAD_INPUT;
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return PB_BAD_INPUT;
        value = value * 10 + (uint64_t)(text.text[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX)
        return PB_BAD_INPUT;
    *ret_value = value;
    return PB_OK;
}

enum pb_status
pb_next_line(struct pb_str *rest, struct pb_str *ret_line)
{
    const char *end = rest->bytes == 0 ? NULL : memchr(rest->text, '\n', rest->bytes);

    if (end == NULL)
        return PB_NOT_FOUND;
    *ret_line = (struct pb_str){ rest->text, (uint32_t)(end - rest->text) };
    *rest = (struct pb_str){ end + 1, rest->bytes - ret_line->bytes - 1 };
    return PB_OK;
}
