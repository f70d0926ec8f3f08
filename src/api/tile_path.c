/*
 * Tile paths: a small grammar, read from left to right.
 */
#include "api/tile_path.h"

#include <string.h>

#include "base/limits.h"

#define LEVEL_MAX 63u
#define WIDTH_MAX 255u

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool
take_text(struct pb_str *rest, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text);

    if (rest->bytes < bytes || memcmp(rest->text, text, bytes) != 0)
        return false;
    *rest = (struct pb_str){ rest->text + bytes, rest->bytes - bytes };
    return true;
}

/* A decimal number without leading zeros, at most three digits. */
static bool
take_number(struct pb_str *rest, unsigned max, unsigned *ret_number)
{
    unsigned number = 0;
    uint32_t digits = 0;

    while (digits < rest->bytes && digits < 3 && is_digit(rest->text[digits]))
        number = number * 10 + (unsigned)(rest->text[digits++] - '0');
    if (digits == 0 || number > max || (digits > 1 && rest->text[0] == '0'))
        return false;
    *rest = (struct pb_str){ rest->text + digits, rest->bytes - digits };
    *ret_number = number;
    return true;
}

static bool
take_group(struct pb_str *rest)
{
    if (rest->bytes < 3 || !is_digit(rest->text[0]) || !is_digit(rest->text[1]) ||
        !is_digit(rest->text[2]))
        return false;
    *rest = (struct pb_str){ rest->text + 3, rest->bytes - 3 };
    return true;
}

/* x001/x234/067. A first group of zeros would be a second way to write the same index. */
static bool
take_index(struct pb_str *rest)
{
    unsigned groups = 1;

    if (rest->bytes > 4 && memcmp(rest->text, "x000", 4) == 0)
        return false;
    for (; take_text(rest, "x"); groups++) {
        if (groups == PB_TILE_GROUPS_MAX || !take_group(rest) || !take_text(rest, "/"))
            return false;
    }
    return take_group(rest);
}

bool
pb_api_tile_path_is_valid(struct pb_str path)
{
    unsigned number;

    if (!take_text(&path, "entries") && !take_number(&path, LEVEL_MAX, &number))
        return false;
    if (!take_text(&path, "/") || !take_index(&path))
        return false;
    if (path.bytes == 0)
        return true;
    return take_text(&path, ".p/") && take_number(&path, WIDTH_MAX, &number) && number > 0 &&
           path.bytes == 0;
}

bool
pb_api_tile_log_is_valid(struct pb_str log)
{
    for (uint32_t i = 0; i < log.bytes; i++) {
        char byte = log.text[i];
        bool is_plain =
            (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || is_digit(byte);

        if (!is_plain && (i == 0 || byte == '\0' || strchr("._:-", byte) == NULL))
            return false;
    }
    return log.bytes > 0 && log.bytes <= PB_CATALOG_ID_BYTES_MAX;
}
