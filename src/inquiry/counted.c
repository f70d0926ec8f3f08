/*
 * Files of counted lines: what they are, a line for each thing, and "end COUNT".
 *
 * They hold what is convenient to know and can be lost: a file that is not there, or cannot be
 * believed, is no failure, only nothing known.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

bool
pb_counted_number(struct pb_str *text, char end, uint64_t *ret_number)
{
    uint64_t number = 0;
    uint32_t at = 0;

    for (; at < text->bytes && at < 18 && text->text[at] >= '0' && text->text[at] <= '9'; at++)
        number = number * 10 + (uint64_t)(text->text[at] - '0');
    if (at == 0 || at == text->bytes || text->text[at] != end)
        return false;
    text->text += at + 1;
    text->bytes -= at + 1;
    *ret_number = number;
    return true;
}

bool
pb_counted_word(struct pb_str *text, const char *word)
{
    size_t bytes = strlen(word);

    if (text->bytes < bytes || memcmp(text->text, word, bytes) != 0)
        return false;
    text->text += bytes;
    text->bytes -= (uint32_t)bytes;
    return true;
}

enum pb_status
pb_counted_lines(struct pb_str text, pb_counted_line_fn *take, void *context)
{
    uint64_t lines = 0, said = 0;

    while (!pb_counted_word(&text, "end ")) {
        const char *end = memchr(text.text, '\n', text.bytes);
        struct pb_str line = text;
        enum pb_status status;

        if (end == NULL)
            return PB_BAD_INPUT;
        line.bytes = (uint32_t)(end - text.text) + 1;
        status = take(context, line);
        if (status != PB_OK)
            return status;
        lines++;
        text.text += line.bytes;
        text.bytes -= line.bytes;
    }
    return pb_counted_number(&text, '\n', &said) && said == lines && text.bytes == 0 ? PB_OK
                                                                                     : PB_BAD_INPUT;
}

enum pb_status
pb_counted_load(struct pb_site *site, const char *name, size_t bytes_max, pb_counted_line_fn *parse,
                void *context, bool *ret_is_known, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_site_path(site, name, path, error);

    *ret_is_known = false;
    if (status == PB_OK)
        status = pb_load_file(site->env, path, bytes_max, &text, &bytes, error);
    if (status == PB_OK)
        status = parse(context, (struct pb_str){ text, (uint32_t)bytes });
    pb_free(site->env, text);
    *ret_is_known = status == PB_OK;
    if (status == PB_E_NOMEM)
        return pb_fail(error, status, "no memory for what '%s' says", path);
    return status > PB_OK ? PB_OK : status;
}
