/*
 * Lines of notes: a word, a space, a value.
 */
#include "api/note_lines.h"

#include "base/text.h"

void
pb_api_line_put(struct pb_text_out *out, const char *word, struct pb_str value)
{
    if (value.bytes == 0)
        return;
    pb_put_text(out, word);
    pb_put_char(out, ' ');
    pb_put_str(out, value);
    pb_put_char(out, '\n');
}

void
pb_api_line_put_number(struct pb_text_out *out, const char *word, int64_t number)
{
    char text[24];
    struct pb_text_out digits = pb_text_out(text, sizeof(text));

    if (number == 0)
        return;
    pb_put_i64(&digits, number);
    pb_api_line_put(out, word, (struct pb_str){ text, (uint32_t)(digits.at - text) });
}

bool
pb_api_line_take(struct pb_str *rest, const char *word, struct pb_str *ret_value)
{
    uint32_t bytes = (uint32_t)strlen(word);
    const char *end = rest->bytes > 0 ? memchr(rest->text, '\n', rest->bytes) : NULL;
    uint32_t line_bytes;

    if (end == NULL || rest->bytes < bytes + 2 || memcmp(rest->text, word, bytes) != 0 ||
        rest->text[bytes] != ' ')
        return false;
    line_bytes = (uint32_t)(end - rest->text);
    if (line_bytes <= bytes + 1)
        return false;
    *ret_value = (struct pb_str){ rest->text + bytes + 1, line_bytes - bytes - 1 };
    *rest = (struct pb_str){ end + 1, rest->bytes - line_bytes - 1 };
    return true;
}

bool
pb_api_line_take_number(struct pb_str *rest, const char *word, int64_t *ret_number)
{
    struct pb_str behind = *rest, text;
    int64_t number = 0;

    /* A line that is no number stays, so that whoever could do without it notices. */
    if (!pb_api_line_take(&behind, word, &text) || text.bytes > 18 || text.text[0] == '0')
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (text.text[i] - '0');
    }
    *ret_number = number;
    *rest = behind;
    return true;
}
