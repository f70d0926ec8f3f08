/*
 * Backups of a data directory that is being served.
 */
#include "cli/backups.h"

#include "base/text.h"
#include "base/time.h"

/* 2026-11-26T01-02-03Z: a colon is no part of a name on every file system. */
static void
put_moment(struct pb_text_out *out, int64_t now_us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(now_us, PB_NO_UTC_OFFSET, text);
    for (unsigned i = 0; i < sizeof("2026-11-26T01:02:03") - 1; i++)
        pb_put_char(out, text[i] == ':' ? '-' : text[i]);
    pb_put_char(out, 'Z');
}

static bool
stop_looking(void *context, const char *name, bool is_directory)
{
    (void)context;
    (void)name;
    (void)is_directory;
    return false;
}

/* The first backup makes it; the others find it. */
static enum pb_status
have_directory(const struct pb_env *env, const char *directory, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    enum pb_status status = files->list(env->file_context, directory, stop_looking, NULL, error);

    if (status != PB_NOT_FOUND)
        return status;
    status = files->mkdir(env->file_context, directory, error);
    return status == PB_NOT_FOUND
               ? pb_fail(error, PB_E_IO, "%s: its parent directory does not exist", directory)
               : status;
}

enum pb_status
pb_cli_backups_make(const struct pb_env *env, struct pb_site *site, const char *directory,
                    const struct pb_progress *progress, char ret_path[PB_PATH_BYTES_MAX],
                    struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_path, PB_PATH_BYTES_MAX - 1);
    enum pb_status status;

    pb_put_text(&out, directory);
    pb_put_char(&out, '/');
    put_moment(&out, pb_now_us(env));
    *out.at = '\0';
    if (out.is_cut)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the backup is too long");
    status = have_directory(env, directory, error);
    return status == PB_OK ? pb_site_backup(site, ret_path, progress, error) : status;
}
