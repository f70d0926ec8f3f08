/*
 * Load: open, size, read, close.
 */
#include "cli/load.h"

#include <inttypes.h>
#include <string.h>

enum pb_status
pb_cli_load(const struct pb_env *env, const char *path, uint64_t bytes_max, char **ret_text,
            size_t *ret_bytes, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    struct pb_file *file = NULL;
    char *text = NULL;
    uint64_t size = 0;
    enum pb_status status;

    status = files->open(env->file_context, path, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, status, "there is no file '%s'", path);
    if (status != PB_OK)
        return status;
    status = files->size(env->file_context, file, &size, error);
    if (status != PB_OK)
        goto out;
    if (size > bytes_max) {
        status =
            pb_fail(error, PB_OVER_LIMIT, "'%s' is larger than %" PRIu64 " bytes", path, bytes_max);
        goto out;
    }
    text = pb_alloc(env, (size_t)size + 1);
    if (text == NULL) {
        status =
            pb_fail(error, PB_E_NOMEM, "no memory for the %" PRIu64 " bytes of '%s'", size, path);
        goto out;
    }
    status = files->read(env->file_context, file, 0, text, (size_t)size, error);
    if (status != PB_OK)
        goto out;
    text[size] = '\0';
    *ret_text = text;
    *ret_bytes = (size_t)size;
    text = NULL; /* moved to the caller */

out:
    pb_free(env, text);
    files->close(env->file_context, file);
    return status;
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
