/*
 * Backup of a data directory.
 *
 * A backup is a directory like the one that it copies, but for keys/: reads, catalog, audit logs,
 * rules. It is of no use for asking until keys/ is put beside it, and then the audit log's own rule
 * holds: what is older than the last checkpoint that was given out signs nothing.
 *
 * The store is copied first and the audit logs last, so that each read in the backup was stored,
 * and each answer given, before the logs in it end.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define SITE_FILE "SITE"

static enum pb_status
join(const char *directory, const char *name, char ret_path[PB_PATH_BYTES_MAX],
     struct pb_error *error)
{
    int written = snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/%s", directory, name);

    return written < 0 || (size_t)written >= PB_PATH_BYTES_MAX
               ? pb_fail(error, PB_OVER_LIMIT, "the path is too long")
               : PB_OK;
}

static enum pb_status
copy_file(const struct pb_env *env, const char *from, const char *to, const char *name,
          size_t bytes_max, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = join(from, name, path, error);

    if (status == PB_OK)
        status = pb_load_file(env, path, bytes_max, &text, &bytes, error);
    if (status == PB_OK)
        status = pb_site_write_file(env, to, name, text, bytes, error);
    pb_free(env, text);
    return status == PB_NOT_FOUND ? pb_fail(error, PB_E_IO, "'%s' has gone", path) : status;
}

struct copying {
    const struct pb_env *env;
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    struct pb_error *error;
    enum pb_status status;
};

static bool
copy_pack(void *context, const char *name, bool is_directory)
{
    struct copying *copying = context;

    if (!is_directory && name[0] != '.')
        copying->status = copy_file(copying->env, copying->from, copying->to, name,
                                    PB_PACK_BYTES_MAX, copying->error);
    return copying->status == PB_OK;
}

static enum pb_status
copy_rules(const struct pb_env *env, const char *from, const char *to, struct pb_error *error)
{
    struct copying copying = { .env = env, .error = error };
    enum pb_status status = join(from, "rules", copying.from, error);

    if (status == PB_OK)
        status = join(to, "rules", copying.to, error);
    if (status == PB_OK)
        status = env->files->mkdir(env->file_context, copying.to, error);
    if (status == PB_OK)
        status = env->files->list(env->file_context, copying.from, copy_pack, &copying, error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    return status == PB_OK ? copying.status : status;
}

/* A file that need not be there. */
static enum pb_status
copy_if_there(struct pb_site *site, const char *target_path, const char *name,
              struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_site_path(site, name, path, error);

    if (status == PB_OK)
        status = pb_load_file(site->env, path, UINT32_MAX, &text, &bytes, error);
    if (status == PB_OK)
        status = pb_site_write_file(site->env, target_path, name, text, bytes, error);
    pb_free(site->env, text);
    return status == PB_NOT_FOUND ? PB_OK : status;
}

/* Which readers were up and how much came in, as of the last time that it was saved, and whose word
 * the logs need. */
static enum pb_status
copy_single_files(struct pb_site *site, const char *target_path, struct pb_error *error)
{
    static const char *const names[] = { "activity", "received", "witnesses", "checkpoint-copies" };
    enum pb_status status =
        site->mode == PB_SITE_WRITE ? pb_activity_save(site, true, error) : PB_OK;

    if (status == PB_OK && site->mode == PB_SITE_WRITE)
        status = pb_received_save(site, true, error);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && status == PB_OK; i++)
        status = copy_if_there(site, target_path, names[i], error);
    return status;
}

static enum pb_status
leave_backup(struct pb_site *site, struct pb_error *error)
{
    return site->mode == PB_SITE_LOOK ? PB_OK : pb_site_mark(site, "backup", error);
}

enum pb_status
pb_site_backup(struct pb_site *site, const char *target_path, const struct pb_progress *progress,
               struct pb_error *error)
{
    const struct pb_env *env = site->env;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = leave_backup(site, error);

    if (status == PB_OK)
        status = env->files->mkdir(env->file_context, target_path, error);
    if (status == PB_NOT_FOUND)
        status = pb_fail(error, PB_E_IO, "%s: its parent directory does not exist", target_path);
    if (status == PB_OK)
        status = join(target_path, "reads", path, error);
    if (status == PB_OK)
        status = pb_store_backup(site->store, path, progress, error);
    if (status == PB_OK)
        status = join(target_path, "catalog.db", path, error);
    if (status == PB_OK)
        status = pb_catalog_backup(site->catalog, path, error);
    if (status == PB_OK)
        status = copy_rules(env, site->path, target_path, error);
    if (status == PB_OK)
        status = copy_single_files(site, target_path, error);
    if (status == PB_OK)
        status = join(target_path, "audit", path, error);
    if (status == PB_OK)
        status = pb_audit_backup(site->audit, path, error);
    /* Last, as when a directory is made: what lacks it is no backup. */
    if (status == PB_OK)
        status = copy_file(env, site->path, target_path, SITE_FILE, 1024, error);
    return status;
}
