/*
 * Load: files that somebody names.
 */
#include "cli/load.h"

#include <string.h>

#include "base/load.h"

enum pb_status
pb_cli_load(const struct pb_env *env, const char *path, uint64_t bytes_max, char **ret_text,
            size_t *ret_bytes, struct pb_error *error)
{
    enum pb_status status = pb_load_file(env, path, bytes_max, ret_text, ret_bytes, error);

    return status == PB_NOT_FOUND ? pb_fail(error, status, "there is no file '%s'", path) : status;
}

/* ---- lines ---- */

void
pb_cli_lines_done(const struct pb_env *env, struct pb_cli_lines *lines)
{
    pb_free(env, lines->items);
    pb_free(env, lines->text);
}

enum pb_status
pb_cli_load_lines(const struct pb_env *env, const char *path, uint64_t bytes_max,
                  struct pb_cli_lines *lines, struct pb_error *error)
{
    size_t capacity = 0, bytes = 0;
    enum pb_status status = pb_cli_load(env, path, bytes_max, &lines->text, &bytes, error);

    if (status != PB_OK)
        return status;
    for (char *at = lines->text; *at != '\0';) {
        size_t length = strcspn(at, "\r\n");
        char *next = at + length + strspn(at + length, "\r\n");

        if (length > 0 && *at != '#') {
            if (lines->count == capacity) {
                size_t larger = capacity == 0 ? 1024 : capacity * 2;
                char **items = pb_realloc(env, lines->items, larger * sizeof(*items));

                if (items == NULL)
                    return pb_fail(error, PB_E_NOMEM, "no memory for '%s'", path);
                lines->items = items;
                capacity = larger;
            }
            lines->items[lines->count++] = at;
        }
        at[length] = '\0';
        at = next;
    }
    if (lines->count == 0)
        return pb_fail(error, PB_BAD_INPUT, "'%s' has no lines", path);
    return PB_OK;
}
