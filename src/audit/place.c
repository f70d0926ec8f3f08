/*
 * Place: files by name.
 */
#include "audit/place.h"

#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"

enum pb_status
pb_place_init(struct pb_place *place, const struct pb_env *env, const char *path,
              struct pb_error *error)
{
    size_t bytes = strlen(path);

    memset(place, 0, sizeof(*place));
    if (bytes > PB_PLACE_PATH_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "the path of a directory is too long");
    place->path = pb_alloc(env, bytes + 1);
    if (place->path == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a path");
    memcpy(place->path, path, bytes + 1);
    place->env = env;
    place->root = place->path;
    return PB_OK;
}

enum pb_status
pb_place_init_within(struct pb_place *place, const struct pb_place *outer, struct pb_str name,
                     struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(outer, name, path);
    status = pb_place_init(place, outer->env, path, error);
    if (status == PB_OK)
        place->root = outer->root;
    return status;
}

void
pb_place_done(struct pb_place *place)
{
    if (place->env != NULL)
        pb_free(place->env, place->path);
    memset(place, 0, sizeof(*place));
}

static void
make_path(const char *directory, struct pb_str name, char ret_path[PB_PATH_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_path, PB_PATH_BYTES_MAX);

    assert(name.bytes <= PB_PLACE_NAME_BYTES_MAX);
    pb_put_text(&out, directory);
    if (name.bytes > 0) {
        pb_put_char(&out, '/');
        pb_put_str(&out, name);
    }
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
}

void
pb_place_path(const struct pb_place *place, struct pb_str name, char ret_path[PB_PATH_BYTES_MAX])
{
    make_path(place->path, name, ret_path);
}

/* ---- reading ---- */

static enum pb_status
read_file(const struct pb_env *env, struct pb_file *file, const char *path, size_t bytes_max,
          uint8_t **ret_bytes, size_t *ret_count, struct pb_error *error)
{
    uint8_t *bytes = NULL;
    uint64_t size = 0;
    enum pb_status status;

    status = env->files->size(env->file_context, file, &size, error);
    if (status != PB_OK)
        return status;
    if (size > bytes_max)
        return pb_fail(error, PB_E_CORRUPT, "'%s' is larger than such a file can be", path);
    bytes = pb_alloc(env, (size_t)size + 1);
    if (bytes == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to read '%s'", path);
    status = env->files->read(env->file_context, file, 0, bytes, (size_t)size, error);
    if (status != PB_OK) {
        pb_free(env, bytes);
        return status;
    }
    bytes[size] = 0;
    *ret_bytes = bytes;
    *ret_count = (size_t)size;
    return PB_OK;
}

enum pb_status
pb_place_read(const struct pb_place *place, struct pb_str name, size_t bytes_max,
              uint8_t **ret_bytes, size_t *ret_count, struct pb_error *error)
{
    const struct pb_env *env = place->env;
    char path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    enum pb_status status;

    pb_place_path(place, name, path);
    status = env->files->open(env->file_context, path, PB_OPEN_READ, &file, error);
    if (status != PB_OK)
        return status;
    status = read_file(env, file, path, bytes_max, ret_bytes, ret_count, error);
    env->files->close(env->file_context, file);
    return status;
}

/* ---- writing ---- */

enum pb_status
pb_place_mkdir(const struct pb_place *place, struct pb_str name, struct pb_error *error)
{
    const struct pb_env *env = place->env;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(place, name, path);
    status = env->files->mkdir(env->file_context, path, error);
    if (status != PB_E_IO)
        return status;
    /* The answer is the same whether it exists or cannot be made: what can be synced, exists. */
    if (env->files->sync_directory(env->file_context, path, NULL) == PB_OK)
        return PB_OK;
    return status;
}

/* Makes the directories above name. One that is there cannot be told from one that cannot be
 * made: whether all are there, the rename afterwards tells. */
static enum pb_status
make_parents(const struct pb_place *place, struct pb_str name, struct pb_error *error)
{
    const struct pb_env *env = place->env;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < name.bytes && (status == PB_OK || status == PB_E_IO); i++) {
        if (name.text[i] != '/')
            continue;
        pb_place_path(place, (struct pb_str){ name.text, i }, path);
        status = env->files->mkdir(env->file_context, path, error);
    }
    return status == PB_E_IO ? PB_OK : status;
}

static enum pb_status
write_temporary(const struct pb_place *place, const char *path, unsigned flags, const void *bytes,
                size_t count, struct pb_error *error)
{
    const struct pb_file_ops *files = place->env->files;
    void *context = place->env->file_context;
    enum pb_open_mode mode =
        (flags & PB_PLACE_PRIVATE) != 0 ? PB_OPEN_CREATE_PRIVATE : PB_OPEN_CREATE;
    struct pb_file *file = NULL;
    enum pb_status status;

    status = files->unlink(context, path, error);
    if (status != PB_OK && status != PB_NOT_FOUND)
        return status;
    status = files->open(context, path, mode, &file, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_IO, "the directory of '%s' is not there", path);
    if (status != PB_OK)
        return status;
    status = files->write(context, file, 0, bytes, count, error);
    if (status == PB_OK && (flags & PB_PLACE_SYNCED) != 0)
        status = files->sync(context, file, error);
    files->close(context, file);
    return status;
}

enum pb_status
pb_place_write(const struct pb_place *place, struct pb_str name, unsigned flags, const void *bytes,
               size_t count, struct pb_error *error)
{
    const struct pb_env *env = place->env;
    char path[PB_PATH_BYTES_MAX], temporary[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(place, name, path);
    make_path(place->root, pb_str_from("temporary"), temporary);
    status = write_temporary(place, temporary, flags, bytes, count, error);
    if (status != PB_OK)
        return status;
    status = env->files->rename(env->file_context, temporary, path, error);
    if (status == PB_OK)
        return PB_OK;
    status = make_parents(place, name, error);
    if (status == PB_OK)
        status = env->files->rename(env->file_context, temporary, path, error);
    return status;
}

enum pb_status
pb_place_sync_up(const struct pb_place *place, struct pb_str name, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    while (status == PB_OK && name.bytes > 0) {
        do
            name.bytes--;
        while (name.bytes > 0 && name.text[name.bytes] != '/');
        pb_place_path(place, name, path);
        status = place->env->files->sync_directory(place->env->file_context, path, error);
    }
    return status;
}

enum pb_status
pb_place_unlink(const struct pb_place *place, struct pb_str name, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(place, name, path);
    status = place->env->files->unlink(place->env->file_context, path, error);
    return status == PB_NOT_FOUND ? PB_OK : status;
}
