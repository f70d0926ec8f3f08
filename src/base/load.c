/*
 * Load: open, size, read, close.
 */
#include "base/load.h"

#include <inttypes.h>

enum pb_status
pb_load_file(const struct pb_env *env, const char *path, uint64_t bytes_max, char **ret_text,
             size_t *ret_bytes, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    struct pb_file *file = NULL;
    uint64_t size = 0;
    char *text = NULL;
    enum pb_status status = files->open(env->file_context, path, PB_OPEN_READ, &file, error);

    if (status != PB_OK)
        return status;
    status = files->size(env->file_context, file, &size, error);
    if (status == PB_OK && size > bytes_max)
        status =
            pb_fail(error, PB_OVER_LIMIT, "'%s' is larger than %" PRIu64 " bytes", path, bytes_max);
    if (status != PB_OK)
        goto out;
    text = pb_alloc(env, (size_t)size + 1);
    if (text == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for '%s'", path);
        goto out;
    }
    if (size > 0)
        status = files->read(env->file_context, file, 0, text, (size_t)size, error);
    if (status != PB_OK)
        goto out;
    text[size] = '\0';
    *ret_text = text;
    *ret_bytes = (size_t)size;
    text = NULL;

out:
    pb_free(env, text);
    files->close(env->file_context, file);
    return status;
}
