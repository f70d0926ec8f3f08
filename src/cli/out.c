/*
 * Output: buffering, JSON strings, and text that a terminal may be given.
 */
#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

void
pb_cli_out_init(struct pb_cli_out *out, int descriptor)
{
    out->descriptor = descriptor;
    out->error_code = 0;
    out->is_closed = false;
    out->used = 0;
}

bool
pb_cli_out_is_open(const struct pb_cli_out *out)
{
    return out->error_code == 0 && !out->is_closed;
}

static void
write_all(struct pb_cli_out *out, const char *bytes, size_t count)
{
    while (count > 0 && pb_cli_out_is_open(out)) {
        ssize_t put = write(out->descriptor, bytes, count);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            if (errno == EPIPE)
                out->is_closed = true;
            else
                out->error_code = errno;
            return;
        }
        bytes += put;
        count -= (size_t)put;
    }
}

static void
write_buffer(struct pb_cli_out *out)
{
    write_all(out, out->buffer, out->used);
    out->used = 0;
}

enum pb_status
pb_cli_out_flush(struct pb_cli_out *out, const char *name, struct pb_error *error)
{
    char buffer[128];

    write_buffer(out);
    if (out->error_code == 0)
        return PB_OK;
    return pb_fail(error, out->error_code == ENOSPC ? PB_E_FULL : PB_E_IO,
                   "cannot write to %s: %s", name,
                   strerror_r(out->error_code, buffer, sizeof(buffer)));
}

void
pb_cli_put_bytes(struct pb_cli_out *out, const void *bytes, size_t count)
{
    if (count > sizeof(out->buffer) - out->used) {
        write_buffer(out);
        if (count >= sizeof(out->buffer)) {
            write_all(out, bytes, count);
            return;
        }
    }
    if (count > 0)
        memcpy(out->buffer + out->used, bytes, count);
    out->used += count;
}

void
pb_cli_put_text(struct pb_cli_out *out, const char *text)
{
    pb_cli_put_bytes(out, text, strlen(text));
}

void
pb_cli_put_format(struct pb_cli_out *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        pb_cli_put_bytes(out, text,
                         (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void
pb_cli_put_json(struct pb_cli_out *out, const char *text, size_t bytes)
{
    size_t at = 0;

    pb_cli_put_bytes(out, "\"", 1);
    while (at < bytes) {
        uint32_t code_point = 0;
        size_t length = pb_utf8_next(text + at, bytes - at, &code_point);

        if (length == 0) {
            pb_cli_put_text(out, replacement);
            at++;
            continue;
        }
        if (code_point == '"' || code_point == '\\')
            pb_cli_put_bytes(out, "\\", 1);
        if (code_point < 0x20u || code_point == 0x7Fu)
            pb_cli_put_format(out, "\\u%04x", (unsigned)code_point);
        else
            pb_cli_put_bytes(out, text + at, length);
        at += length;
    }
    pb_cli_put_bytes(out, "\"", 1);
}

void
pb_cli_put_json_text(struct pb_cli_out *out, const char *text)
{
    pb_cli_put_json(out, text, strlen(text));
}

void
pb_cli_put_json_time(struct pb_cli_out *out, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    pb_cli_put_json_text(out, text);
}

/* ---- terminals ---- */

static bool
is_within(uint32_t code_point, uint32_t first, uint32_t last)
{
    return code_point >= first && code_point <= last;
}

/* What moves the cursor, ends the line, or turns the direction of the text around it. */
static bool
is_harmful(uint32_t code_point)
{
    return code_point < 0x20u || is_within(code_point, 0x7Fu, 0x9Fu) ||
           is_within(code_point, 0x200Eu, 0x200Fu) || is_within(code_point, 0x2028u, 0x202Eu) ||
           is_within(code_point, 0x2066u, 0x2069u) || code_point == 0x061Cu ||
           code_point == 0xFEFFu;
}

/* Columns on a terminal, near enough for aligning: marks take none, East Asian wide forms two.
 * Source: Unicode Standard Annex 11, the blocks that plates and names are written in. */
static size_t
columns_of(uint32_t code_point)
{
    if (is_within(code_point, 0x0300u, 0x036Fu) || is_within(code_point, 0x200Bu, 0x200Du) ||
        is_within(code_point, 0xFE00u, 0xFE0Fu))
        return 0;
    if (is_within(code_point, 0x1100u, 0x115Fu) || is_within(code_point, 0x2E80u, 0xA4CFu) ||
        is_within(code_point, 0xAC00u, 0xD7A3u) || is_within(code_point, 0xF900u, 0xFAFFu) ||
        is_within(code_point, 0xFE30u, 0xFE6Fu) || is_within(code_point, 0xFF00u, 0xFF60u) ||
        is_within(code_point, 0xFFE0u, 0xFFE6u) || is_within(code_point, 0x1F300u, 0x1FAFFu) ||
        is_within(code_point, 0x20000u, 0x3FFFDu))
        return 2;
    return 1;
}

size_t
pb_cli_safe_text(const char *text, size_t bytes, char *ret_text, size_t room, size_t *ret_columns)
{
    size_t at = 0, used = 0, columns = 0;

    while (at < bytes) {
        uint32_t code_point = 0;
        size_t length = pb_utf8_next(text + at, bytes - at, &code_point);
        const char *source = text + at;
        size_t source_bytes = length;

        if (length == 0 || is_harmful(code_point)) {
            length = length == 0 ? 1 : length;
            code_point = 0xFFFDu;
            source = replacement;
            source_bytes = sizeof(replacement) - 1;
        }
        if (source_bytes > room - used)
            break;
        memcpy(ret_text + used, source, source_bytes);
        used += source_bytes;
        columns += columns_of(code_point);
        at += length;
    }
    if (ret_columns != NULL)
        *ret_columns = columns;
    return used;
}
