/*
 * Request target: one pass that checks and decodes.
 */
#include "net/target.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* unreserved and sub-delims of RFC 3986, but for letters and digits */
static const char path_marks[] = "-._~!$&'()*+,;=:@";
static const char query_marks[] = "-._~!$'()*+,;:@/?=";

static bool
is_allowed(char byte, const char *marks)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr(marks, byte) != NULL);
}

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

/* The byte that an escape at text stands for, or -1 where it is none that we take. */
static int
decode_escape(const char *text, size_t bytes)
{
    int high, low, byte;

    if (bytes < 3)
        return -1;
    high = hex_value(text[1]);
    low = hex_value(text[2]);
    if (high < 0 || low < 0)
        return -1;
    byte = high * 16 + low;
    return byte < 0x20 || byte == 0x7F ? -1 : byte;
}

/* Decodes a piece of the target into out, which has room for all of it. False: refused. */
static bool
decode(struct pb_str piece, const char *marks, bool is_query, char **out)
{
    char *start = *out;

    for (uint32_t i = 0; i < piece.bytes; i++) {
        char byte = piece.text[i];

        if (byte == '%') {
            int decoded = decode_escape(piece.text + i, piece.bytes - i);

            if (decoded < 0 || (!is_query && decoded == '/'))
                return false;
            byte = (char)decoded;
            i += 2;
        } else if (!is_allowed(byte, marks)) {
            return false;
        } else if (is_query && byte == '+') {
            byte = ' ';
        }
        *(*out)++ = byte;
    }
    return pb_utf8_is_valid(start, (size_t)(*out - start));
}

static bool
is_dots(struct pb_str segment)
{
    return (segment.bytes == 1 && segment.text[0] == '.') ||
           (segment.bytes == 2 && memcmp(segment.text, "..", 2) == 0);
}

/* The piece of rest up to the next separator; moves rest behind that. */
static struct pb_str
cut(struct pb_str *rest, char separator)
{
    const char *end = rest->bytes > 0 ? memchr(rest->text, separator, rest->bytes) : NULL;
    struct pb_str piece = { rest->text, end != NULL ? (uint32_t)(end - rest->text) : rest->bytes };
    uint32_t taken = end != NULL ? piece.bytes + 1 : piece.bytes;

    *rest = (struct pb_str){ rest->text + taken, rest->bytes - taken };
    return piece;
}

static uint32_t
count_of(struct pb_str text, char byte)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < text.bytes; i++)
        count += text.text[i] == byte;
    return count;
}

/* path begins with a slash. */
static enum pb_status
parse_path(struct pb_arena *arena, struct pb_str path, struct pb_target *target)
{
    uint32_t count = count_of(path, '/');
    char *decoded = pb_arena_alloc(arena, path.bytes), *out = decoded;
    struct pb_str *segments;

    if (count > PB_NET_SEGMENTS_MAX)
        return PB_OVER_LIMIT;
    segments = pb_arena_alloc(arena, count * sizeof(*segments));
    if (decoded == NULL || segments == NULL)
        return PB_E_NOMEM;
    path = (struct pb_str){ path.text + 1, path.bytes - 1 };
    for (uint32_t i = 0; i < count; i++) {
        struct pb_str piece = cut(&path, '/');

        *out++ = '/';
        segments[i].text = out;
        if (!decode(piece, path_marks, false, &out))
            return PB_BAD_INPUT;
        segments[i].bytes = (uint32_t)(out - segments[i].text);
        if (is_dots(segments[i]))
            return PB_BAD_INPUT;
    }
    target->path = (struct pb_str){ decoded, (uint32_t)(out - decoded) };
    target->segments = segments;
    target->segment_count = count == 1 && segments[0].bytes == 0 ? 0 : count;
    return PB_OK;
}

static enum pb_status
parse_query(struct pb_arena *arena, struct pb_str query, struct pb_target *target)
{
    uint32_t count = query.bytes > 0 ? count_of(query, '&') + 1 : 0;
    struct pb_pair *pairs;
    char *out;

    if (count > PB_NET_QUERY_MAX)
        return PB_OVER_LIMIT;
    pairs = pb_arena_alloc(arena, count * sizeof(*pairs));
    out = pb_arena_alloc(arena, query.bytes);
    if (pairs == NULL || out == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct pb_str value = cut(&query, '&'), name = cut(&value, '=');
        struct pb_pair *pair = &pairs[i];

        pair->name.text = out;
        if (name.bytes == 0 || !decode(name, query_marks, true, &out))
            return PB_BAD_INPUT;
        pair->name.bytes = (uint32_t)(out - pair->name.text);
        pair->value.text = out;
        if (!decode(value, query_marks, true, &out))
            return PB_BAD_INPUT;
        pair->value.bytes = (uint32_t)(out - pair->value.text);
    }
    target->query = pairs;
    target->query_count = count;
    return PB_OK;
}

enum pb_status
pb_target_parse(struct pb_arena *arena, struct pb_str text, struct pb_target *ret_target)
{
    struct pb_target target = { .query = NULL };
    struct pb_str query = text, path = cut(&query, '?');
    enum pb_status status;

    assert(arena != NULL && ret_target != NULL);
    if (path.bytes == 0 || path.text[0] != '/')
        return PB_BAD_INPUT;
    status = parse_path(arena, path, &target);
    if (status == PB_OK)
        status = parse_query(arena, query, &target);
    if (status == PB_OK)
        *ret_target = target;
    return status;
}
