/*
 * Restore: reads and catalog through their own rooms, which check them; rules, audit logs and keys
 * file by file.
 */
#include "cli/restore.h"

#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog.h"

#define DEPTH_MAX 8u
#define PIECE_BYTES ((size_t)1 << 20)

struct copying {
    const struct pb_env *env;
    uint8_t *piece; /* owned: PIECE_BYTES */
    enum pb_open_mode create;
    enum pb_status status;
    struct pb_error *error;
};

/* One directory being copied. */
struct level {
    struct copying *copying;
    const char *from, *to;
    unsigned depth;
};

static enum pb_status
join(const char *directory, const char *name, char ret_path[PB_PATH_BYTES_MAX],
     struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_path, PB_PATH_BYTES_MAX - 1);

    pb_put_text(&out, directory);
    pb_put_char(&out, '/');
    pb_put_text(&out, name);
    *out.at = '\0';
    return out.is_cut ? pb_fail(error, PB_OVER_LIMIT, "a path is too long") : PB_OK;
}

/* ---- files and directories ---- */

static enum pb_status
copy_bytes(struct copying *copying, struct pb_file *from, struct pb_file *to)
{
    const struct pb_env *env = copying->env;
    const struct pb_file_ops *files = env->files;
    uint64_t size = 0;
    enum pb_status status = files->size(env->file_context, from, &size, copying->error);

    for (uint64_t at = 0; at < size && status == PB_OK; at += PIECE_BYTES) {
        size_t count = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;

        status = files->read(env->file_context, from, at, copying->piece, count, copying->error);
        if (status == PB_OK)
            status = files->write(env->file_context, to, at, copying->piece, count, copying->error);
    }
    if (status == PB_OK)
        status = files->sync(env->file_context, to, copying->error);
    return status;
}

static enum pb_status
copy_file(struct copying *copying, const char *from_path, const char *to_path)
{
    const struct pb_env *env = copying->env;
    struct pb_file *from = NULL, *to = NULL;
    enum pb_status status;

    status = env->files->open(env->file_context, from_path, PB_OPEN_READ, &from, copying->error);
    if (status == PB_NOT_FOUND)
        status = pb_fail(copying->error, PB_E_NOT_STORE,
                         "'%s' is missing: not a backup of a data "
                         "directory",
                         from_path);
    if (status == PB_OK)
        status = env->files->open(env->file_context, to_path, copying->create, &to, copying->error);
    if (status == PB_OK)
        status = copy_bytes(copying, from, to);
    env->files->close(env->file_context, to);
    env->files->close(env->file_context, from);
    return status;
}

static enum pb_status copy_directory(struct copying *copying, const char *from, const char *to,
                                     unsigned depth);

static bool
copy_entry(void *context, const char *name, bool is_directory)
{
    const struct level *level = context;
    struct copying *copying = level->copying;
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];

    copying->status = join(level->from, name, from, copying->error);
    if (copying->status == PB_OK)
        copying->status = join(level->to, name, to, copying->error);
    if (copying->status == PB_OK && is_directory)
        copying->status = copy_directory(copying, from, to, level->depth + 1);
    else if (copying->status == PB_OK)
        copying->status = copy_file(copying, from, to);
    return copying->status == PB_OK;
}

/* A directory and what is in it; PB_NOT_FOUND where it is not there. */
static enum pb_status
copy_directory(struct copying *copying, const char *from, const char *to, unsigned depth)
{
    const struct pb_env *env = copying->env;
    struct level level = { .copying = copying, .from = from, .to = to, .depth = depth };
    enum pb_status status;

    if (depth == DEPTH_MAX)
        return pb_fail(copying->error, PB_OVER_LIMIT,
                       "'%s': too many directories within "
                       "directories",
                       from);
    status = env->files->mkdir(env->file_context, to, copying->error);
    if (status == PB_OK)
        status = env->files->list(env->file_context, from, copy_entry, &level, copying->error);
    if (status == PB_OK)
        status = copying->status;
    if (status == PB_OK)
        status = env->files->sync_directory(env->file_context, to, copying->error);
    return status;
}

/* ---- parts ---- */

static bool
note_any(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    *(bool *)context = true;
    return false;
}

static enum pb_status
make_target(const struct pb_env *env, const char *target, struct pb_error *error)
{
    bool has_any = false;
    enum pb_status status = env->files->list(env->file_context, target, note_any, &has_any, error);

    if (status == PB_NOT_FOUND)
        status = env->files->mkdir(env->file_context, target, error);
    if (status == PB_OK && has_any)
        return pb_fail(error, PB_E_NOT_STORE, "'%s' is not empty: name a new directory", target);
    return status;
}

static enum pb_status
restore_reads(const struct pb_env *env, const char *backup, const char *target,
              const struct pb_progress *progress, struct pb_error *error)
{
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    enum pb_status status = join(backup, "reads", from, error);

    if (status == PB_OK)
        status = join(target, "reads", to, error);
    if (status == PB_OK)
        status = pb_store_restore(env, from, to, progress, error);
    return status;
}

static enum pb_status
restore_catalog(const struct pb_env *env, const char *backup, const char *target,
                struct pb_error *error)
{
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    struct pb_catalog *catalog = NULL;
    enum pb_status status = join(backup, "catalog.db", from, error);

    if (status == PB_OK)
        status = join(target, "catalog.db", to, error);
    if (status == PB_OK)
        status = pb_catalog_open(env, from, true, &catalog, error);
    if (status == PB_OK)
        status = pb_catalog_backup(catalog, to, error);
    pb_catalog_close(catalog);
    return status;
}

/* DIR/name from the backup, or an empty one where the backup has none and may lack it. */
static enum pb_status
restore_folder(struct copying *copying, const char *backup, const char *target, const char *name,
               bool may_lack)
{
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    enum pb_status status = join(backup, name, from, copying->error);

    if (status == PB_OK)
        status = join(target, name, to, copying->error);
    if (status == PB_OK)
        status = copy_directory(copying, from, to, 0);
    if (status == PB_NOT_FOUND)
        status = may_lack ? PB_OK
                          : pb_fail(copying->error, PB_E_NOT_STORE,
                                    "'%s' is missing: not a "
                                    "backup of a data directory",
                                    from);
    return status;
}

static enum pb_status
restore_keys(struct copying *copying, const char *keys, const char *target)
{
    char to[PB_PATH_BYTES_MAX];
    enum pb_status status = join(target, "keys", to, copying->error);

    if (status != PB_OK)
        return status;
    copying->create = PB_OPEN_CREATE_PRIVATE;
    status = copy_directory(copying, keys, to, 0);
    copying->create = PB_OPEN_CREATE;
    return status == PB_NOT_FOUND
               ? pb_fail(copying->error, PB_E_IO, "there is no directory '%s'", keys)
               : status;
}

/* On which days readers were up; without it answers say that they do not know. */
/* A file that need not be there. */
static enum pb_status
restore_file(struct copying *copying, const char *backup, const char *target, const char *name)
{
    const struct pb_env *env = copying->env;
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    enum pb_status status = join(backup, name, from, copying->error);

    if (status == PB_OK)
        status = join(target, name, to, copying->error);
    if (status == PB_OK)
        status = env->files->open(env->file_context, from, PB_OPEN_READ, &file, copying->error);
    env->files->close(env->file_context, file);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    return status == PB_OK ? copy_file(copying, from, to) : status;
}

/* What makes it a site, after all else. */
static enum pb_status
finish_site(struct copying *copying, const char *backup, const char *target)
{
    const struct pb_env *env = copying->env;
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    enum pb_status status = join(target, "rejects", to, copying->error);

    if (status == PB_OK)
        status = env->files->mkdir(env->file_context, to, copying->error);
    if (status == PB_OK)
        status = join(backup, "SITE", from, copying->error);
    if (status == PB_OK)
        status = join(target, "SITE", to, copying->error);
    if (status == PB_OK)
        status = copy_file(copying, from, to);
    if (status == PB_OK)
        status = env->files->sync_directory(env->file_context, target, copying->error);
    return status;
}

enum pb_status
pb_cli_restore(const struct pb_env *env, const char *backup, const char *target, const char *keys,
               const struct pb_progress *progress, struct pb_error *error)
{
    static const char *const names[] = { "activity", "witnesses", "checkpoint-copies" };
    struct copying copying = { .env = env, .create = PB_OPEN_CREATE, .error = error };
    enum pb_status status;

    copying.piece = pb_alloc(env, PIECE_BYTES);
    if (copying.piece == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to copy files");
    status = make_target(env, target, error);
    if (status == PB_OK)
        status = restore_reads(env, backup, target, progress, error);
    if (status == PB_OK)
        status = restore_catalog(env, backup, target, error);
    if (status == PB_OK)
        status = restore_folder(&copying, backup, target, "rules", true);
    if (status == PB_OK)
        status = restore_folder(&copying, backup, target, "audit", false);
    if (status == PB_OK && keys != NULL)
        status = restore_keys(&copying, keys, target);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && status == PB_OK; i++)
        status = restore_file(&copying, backup, target, names[i]);
    if (status == PB_OK)
        status = finish_site(&copying, backup, target);
    pb_free(env, copying.piece);
    return status;
}
