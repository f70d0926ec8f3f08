/*
 * Files of a site: paths, whole files written durably, whole files read.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

static enum pb_status
join(const char *directory, const char *name, char ret_path[PB_PATH_BYTES_MAX],
     struct pb_error *error)
{
    int written = snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/%s", directory, name);

    if (written < 0 || (size_t)written >= PB_PATH_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    return PB_OK;
}

enum pb_status
pb_site_path(const struct pb_site *site, const char *name, char ret_path[PB_PATH_BYTES_MAX],
             struct pb_error *error)
{
    return join(site->path, name, ret_path, error);
}

/* Writes and syncs a new file. */
static enum pb_status
write_new(const struct pb_env *env, const char *path, const void *bytes, size_t count,
          struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    struct pb_file *file = NULL;
    enum pb_status status =
        files->open(env->file_context, path, PB_OPEN_CREATE_PRIVATE, &file, error);

    if (status != PB_OK)
        return status == PB_NOT_FOUND
                   ? pb_fail(error, PB_E_IO, "'%s' has no parent directory", path)
                   : status;
    status = files->write(env->file_context, file, 0, bytes, count, error);
    if (status == PB_OK)
        status = files->sync(env->file_context, file, error);
    files->close(env->file_context, file);
    return status;
}

enum pb_status
pb_site_write_file(const struct pb_env *env, const char *directory, const char *name,
                   const void *bytes, size_t count, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    char path[PB_PATH_BYTES_MAX];
    char temporary[PB_PATH_BYTES_MAX];
    char temporary_name[256];
    enum pb_status status = join(directory, name, path, error);

    (void)snprintf(temporary_name, sizeof(temporary_name), ".%.200s.new", name);
    if (status == PB_OK)
        status = join(directory, temporary_name, temporary, error);
    if (status != PB_OK)
        return status;
    /* What a crash left of an earlier try. */
    status = files->unlink(env->file_context, temporary, error);
    if (status == PB_OK || status == PB_NOT_FOUND)
        status = write_new(env, temporary, bytes, count, error);
    if (status == PB_OK)
        status = files->rename(env->file_context, temporary, path, error);
    if (status == PB_OK)
        status = files->sync_directory(env->file_context, directory, error);
    return status;
}
