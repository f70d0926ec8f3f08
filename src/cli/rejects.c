/*
 * Rejects: one lock, one buffered file. Rejects are rare, so a lock costs nothing.
 */
#include "cli/rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/time.h"
#include "read/read_text.h"

#define SAID_MAX 10u

/* "<data>/rejects/20261123T060008.125Z.ndjson": sorts by time, and needs no quoting in a shell. */
static enum pb_status
default_path(struct pb_cli_rejects *rejects, const char *data)
{
    const struct pb_env *env = rejects->cli->env;
    size_t bytes = strlen(data) + 64;
    char time_text[PB_TIME_BYTES_MAX];
    char compact[PB_TIME_BYTES_MAX];
    size_t used = 0;

    (void)pb_time_format(pb_now_us(env) / 1000 * 1000, PB_NO_UTC_OFFSET, time_text);
    for (const char *at = time_text; *at != '\0'; at++) {
        if (*at != '-' && *at != ':')
            compact[used++] = *at;
    }
    compact[used] = '\0';

    rejects->directory = pb_alloc(env, bytes);
    rejects->path = pb_alloc(env, bytes);
    if (rejects->directory == NULL || rejects->path == NULL)
        return PB_E_NOMEM;
    (void)snprintf(rejects->directory, bytes, "%s/rejects", data);
    (void)snprintf(rejects->path, bytes, "%s/rejects/%s.ndjson", data, compact);
    return PB_OK;
}

enum pb_status
pb_cli_rejects_init(struct pb_cli_rejects *rejects, struct pb_cli *cli, const char *path,
                    const char *data, bool is_quiet)
{
    *rejects = (struct pb_cli_rejects){
        .cli = cli,
        .is_quiet = is_quiet,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .descriptor = -1,
    };
    if (path == NULL)
        return data == NULL ? PB_OK : default_path(rejects, data);
    rejects->path = pb_alloc(cli->env, strlen(path) + 1);
    if (rejects->path == NULL)
        return PB_E_NOMEM;
    memcpy(rejects->path, path, strlen(path) + 1);
    return PB_OK;
}

/* ---- with the lock held ---- */

static void
open_file(struct pb_cli_rejects *rejects)
{
    const struct pb_env *env = rejects->cli->env;
    char buffer[128];

    if (rejects->directory != NULL && mkdir(rejects->directory, 0700) != 0 && errno != EEXIST) {
        rejects->status = pb_fail(&rejects->error, PB_E_IO, "cannot make directory '%s': %s",
                                  rejects->directory, strerror_r(errno, buffer, sizeof(buffer)));
        return;
    }
    rejects->out = pb_alloc(env, sizeof(*rejects->out));
    if (rejects->out == NULL) {
        rejects->status = pb_fail(&rejects->error, PB_E_NOMEM, "no memory for the reject file");
        return;
    }
    /* Never over another import's rejects, and plates are nobody else's business. */
    rejects->descriptor = open(rejects->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (rejects->descriptor < 0) {
        rejects->status = pb_fail(&rejects->error, PB_E_IO, "cannot write rejects to '%s': %s",
                                  rejects->path, strerror_r(errno, buffer, sizeof(buffer)));
        pb_free(env, rejects->out);
        rejects->out = NULL;
        return;
    }
    pb_cli_out_init(rejects->out, rejects->descriptor);
}

/* The place to write to, or NULL where none is kept or keeping failed, which is said once. */
static struct pb_cli_out *
out_of(struct pb_cli_rejects *rejects)
{
    if (rejects->out != NULL || rejects->path == NULL || rejects->status != PB_OK)
        return rejects->out;
    open_file(rejects);
    if (rejects->out == NULL)
        pb_cli_say(rejects->cli, "%s", rejects->error.message);
    return rejects->out;
}

/* The end of a line: what was rejected, or null where that may not be written down. */
static void
put_record(struct pb_cli_rejects *rejects, const char *record, size_t bytes)
{
    pb_cli_put_text(rejects->out, ",\"record\":");
    if (rejects->hides_records)
        pb_cli_put_text(rejects->out, "null");
    else
        pb_cli_put_json(rejects->out, record, bytes);
    pb_cli_put_text(rejects->out, "}\n");
}

/* true where this one is said, too. */
static bool
count_one(struct pb_cli_rejects *rejects)
{
    rejects->count++;
    if (rejects->count == SAID_MAX + 1 && !rejects->is_quiet) {
        if (rejects->path != NULL)
            pb_cli_say(rejects->cli, "further rejects are only kept in %s", rejects->path);
        else
            pb_cli_say(rejects->cli, "further rejects are only counted");
    }
    return rejects->count <= SAID_MAX && !rejects->is_quiet;
}

/* ---- */

void
pb_cli_rejects_add(struct pb_cli_rejects *rejects, const char *file,
                   const struct pb_rejection *rejection)
{
    const char *name = strcmp(file, "-") == 0 ? "standard input" : file;
    const char *field = rejection->field;
    struct pb_cli_out *out;

    (void)pthread_mutex_lock(&rejects->lock);
    rejects->from_parser++;
    if (count_one(rejects))
        pb_cli_say(rejects->cli, "%s:%" PRIu64 ": %s%s%s", name, rejection->line, field,
                   field[0] != '\0' ? ": " : "", rejection->reason);
    out = out_of(rejects);
    if (out != NULL) {
        pb_cli_put_text(out, "{\"file\":");
        pb_cli_put_json_text(out, file);
        pb_cli_put_format(out, ",\"line\":%" PRIu64 ",\"field\":", rejection->line);
        pb_cli_put_json_text(out, field);
        pb_cli_put_text(out, ",\"reason\":");
        pb_cli_put_json_text(out, rejection->reason);
        put_record(rejects, (const char *)rejection->record, rejection->record_bytes);
    }
    (void)pthread_mutex_unlock(&rejects->lock);
}

void
pb_cli_rejects_add_read(void *context, const struct pb_read *read, enum pb_status why,
                        const char *reason)
{
    struct pb_cli_rejects *rejects = context;
    char text[PB_READ_TEXT_BYTES_MAX];
    struct pb_cli_out *out;

    (void)pthread_mutex_lock(&rejects->lock);
    if (count_one(rejects) && !rejects->hides_records)
        pb_cli_say(rejects->cli, "read of %.*s by %.*s: %s: %s", (int)read->plate.bytes,
                   read->plate.text, (int)read->reader.bytes, read->reader.text,
                   pb_status_name(why), reason);
    out = out_of(rejects);
    if (out != NULL) {
        pb_cli_put_text(out, "{\"file\":null,\"line\":null,\"field\":\"\",\"reason\":");
        pb_cli_put_json_text(out, reason);
        put_record(rejects, text, pb_read_to_json(read, NULL, text));
    }
    (void)pthread_mutex_unlock(&rejects->lock);
}

enum pb_status
pb_cli_rejects_close(struct pb_cli_rejects *rejects, struct pb_error *error)
{
    if (rejects->out != NULL) {
        enum pb_status status = pb_cli_out_flush(rejects->out, rejects->path, error);

        if (status == PB_OK && fdatasync(rejects->descriptor) != 0 && errno != EINVAL &&
            errno != EROFS)
            status = pb_fail(error, PB_E_IO, "cannot sync '%s'", rejects->path);
        (void)close(rejects->descriptor);
        rejects->descriptor = -1;
        pb_free(rejects->cli->env, rejects->out);
        rejects->out = NULL;
        if (status != PB_OK)
            return status;
    }
    if (rejects->status != PB_OK)
        (void)pb_fail(error, rejects->status, "%s", rejects->error.message);
    return rejects->status;
}

void
pb_cli_rejects_done(struct pb_cli_rejects *rejects)
{
    struct pb_error ignored;

    /* What could not be kept was said by pb_cli_rejects_close. */
    if (pb_cli_rejects_close(rejects, &ignored) != PB_OK)
        rejects->status = PB_OK;
    pb_free(rejects->cli->env, rejects->path);
    pb_free(rejects->cli->env, rejects->directory);
    (void)pthread_mutex_destroy(&rejects->lock);
}
