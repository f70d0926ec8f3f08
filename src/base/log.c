/*
 * Log, the writing side: one file open for appending, and the mark beside it.
 *
 * Invariants of an open log that is not poisoned:
 *   (1) the file is synced up to end_bytes, and holds nothing behind it.
 *   (2) the file has its name, durably.
 *   (3) the mark names bytes that are synced, of this log or of one before it.
 */
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/log_format.h"

struct pb_log {
    const struct pb_env *env; /* borrowed */
    uint8_t store_id[PB_STORE_ID_BYTES];
    uint64_t number;
    uint64_t end_bytes;
    uint64_t commit;           /* newest */
    struct pb_file *file;      /* owned */
    struct pb_file *mark_file; /* owned */
    uint8_t *scratch;          /* owned: one append's bytes */
    size_t scratch_bytes;
    bool is_poisoned;
    struct pb_error poison; /* set where is_poisoned: the failure */
};

static struct pb_log_owner
owner_of(const struct pb_log *log)
{
    return (struct pb_log_owner){ .store_id = log->store_id, .number = log->number };
}

static enum pb_status
grow_scratch(struct pb_log *log, size_t bytes, struct pb_error *error)
{
    size_t target = log->scratch_bytes == 0 ? 4096 : log->scratch_bytes;
    uint8_t *scratch;

    if (bytes <= log->scratch_bytes)
        return PB_OK;
    while (target < bytes)
        target *= 2;
    /* What the old block holds is of no use, so it need not be copied. */
    pb_free(log->env, log->scratch);
    log->scratch = NULL;
    log->scratch_bytes = 0;
    scratch = pb_alloc(log->env, target);
    if (scratch == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %zu bytes of the log", target);
    log->scratch = scratch;
    log->scratch_bytes = target;
    return PB_OK;
}

/* ---- creating ---- */

/* Reads the previous log's bytes [durable_bytes, bytes) and makes records of this log of them,
 * in scratch behind the file header. */
static enum pb_status
carry_records(struct pb_log *log, const char *directory, const struct pb_log_end *previous,
              struct pb_error *error)
{
    const struct pb_file_ops *files = log->env->files;
    struct pb_log_owner old_owner = { log->store_id, previous->number };
    size_t carried_bytes = (size_t)(previous->bytes - previous->durable_bytes);
    struct pb_file *file = NULL;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;
    size_t offset = 0;

    status = pb_log_file_path(directory, previous->number, ".log", path, error);
    assert(status == PB_OK); /* it is no longer than the new log's */
    status = files->open(log->env->file_context, path, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "%s: the log is gone since it was replayed", path);
    if (status != PB_OK)
        return status;
    status = files->read(log->env->file_context, file, previous->durable_bytes,
                         log->scratch + PB_LOG_HEADER_BYTES, carried_bytes, error);
    files->close(log->env->file_context, file);
    if (status != PB_OK)
        return status;

    while (offset < carried_bytes) {
        uint8_t *at = log->scratch + PB_LOG_HEADER_BYTES + offset;
        struct pb_log_record record;
        uint64_t durable;
        const char *reason;

        status = pb_log_record_decode(at, carried_bytes - offset, old_owner, &record, &durable,
                                      &reason);
        if (status != PB_OK)
            return pb_fail(error, PB_E_CORRUPT,
                           "%s: byte %" PRIu64 ": %s, where there was a good record before", path,
                           previous->durable_bytes + offset, reason);
        pb_log_record_seal(at, &record, PB_LOG_HEADER_BYTES, owner_of(log));
        offset += PB_LOG_RECORD_HEADER_BYTES + record.payload_bytes;
    }
    return PB_OK;
}

/* Fills scratch with the new file's first bytes and sets end_bytes to their count. */
static enum pb_status
build_beginning(struct pb_log *log, const char *directory, const struct pb_log_end *previous,
                struct pb_error *error)
{
    bool has_previous = previous->number != 0;
    struct pb_log_header header = {
        .number = log->number,
        .previous_number = previous->number,
        .previous_bytes = has_previous ? previous->durable_bytes : 0,
        .commit = has_previous ? previous->durable_commit : previous->commit,
    };
    uint64_t carried_bytes = has_previous ? previous->bytes - previous->durable_bytes : 0;
    enum pb_status status;

    if (carried_bytes > PB_LOG_WRITE_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "log/%" PRIu64 ".log: %" PRIu64
                       " bytes are too many to carry over", previous->number, carried_bytes);
    status = grow_scratch(log, PB_LOG_HEADER_BYTES + (size_t)carried_bytes, error);
    if (status != PB_OK)
        return status;
    if (carried_bytes > 0) {
        status = carry_records(log, directory, previous, error);
        if (status != PB_OK)
            return status;
    }
    log->end_bytes = PB_LOG_HEADER_BYTES + carried_bytes;
    header.synced_bytes = log->end_bytes;
    pb_log_header_encode(&header, log->store_id, log->scratch);
    return PB_OK;
}

/* The mark's 64 bytes are allocated and its name is synced here, so that later writing in place
 * needs neither. */
static enum pb_status
open_mark(struct pb_log *log, const char *directory, struct pb_error *error)
{
    static const uint8_t no_mark[PB_LOG_MARK_BYTES];
    const struct pb_file_ops *files = log->env->files;
    void *context = log->env->file_context;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;
    uint64_t size = 0;

    status = pb_log_path(directory, PB_LOG_MARK_NAME, path, error);
    assert(status == PB_OK); /* it is shorter than the log's */
    status = files->open(context, path, PB_OPEN_WRITE, &log->mark_file, error);
    if (status == PB_NOT_FOUND)
        status = files->open(context, path, PB_OPEN_CREATE, &log->mark_file, error);
    if (status != PB_OK)
        return status;
    status = files->size(context, log->mark_file, &size, error);
    if (status != PB_OK || size == PB_LOG_MARK_BYTES)
        return status;

    status = files->truncate(context, log->mark_file, 0, error);
    if (status != PB_OK)
        return status;
    status = files->write(context, log->mark_file, 0, no_mark, sizeof(no_mark), error);
    if (status != PB_OK)
        return status;
    status = files->sync(context, log->mark_file, error);
    if (status != PB_OK)
        return status;
    return files->sync_directory(context, directory, error);
}

/* Creating must not replace: a number that is taken means that the caller lost count. */
static enum pb_status
check_is_free(const struct pb_log *log, const char *path, struct pb_error *error)
{
    struct pb_file *file = NULL;
    enum pb_status status;

    status = log->env->files->open(log->env->file_context, path, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    if (status != PB_OK)
        return status;
    log->env->files->close(log->env->file_context, file);
    return pb_fail(error, PB_E_CORRUPT, "%s: there is such a log already", path);
}

/* Writes scratch's first end_bytes to a new file at path and syncs it. */
static enum pb_status
write_beginning(struct pb_log *log, const char *path, struct pb_error *error)
{
    const struct pb_file_ops *files = log->env->files;
    void *context = log->env->file_context;
    enum pb_status status;

    status = files->unlink(context, path, error);
    if (status != PB_OK && status != PB_NOT_FOUND)
        return status;
    status = files->open(context, path, PB_OPEN_CREATE, &log->file, error);
    if (status != PB_OK)
        return status;
    status = files->write(context, log->file, 0, log->scratch, (size_t)log->end_bytes, error);
    if (status == PB_OK)
        status = files->sync(context, log->file, error);
    if (status != PB_OK)
        (void)files->unlink(context, path, NULL); /* else it is unlinked next time */
    return status;
}

/* From here on the new log may be found by a restart, whatever is answered. */
static enum pb_status
give_name(struct pb_log *log, const char *directory, const char *from, const char *to,
          struct pb_error *error)
{
    const struct pb_file_ops *files = log->env->files;
    struct pb_error cause = { .message = "" };
    char log_directory[PB_PATH_BYTES_MAX];
    enum pb_status status;

    status = pb_log_path(directory, "log", log_directory, error);
    assert(status == PB_OK); /* it begins the log's */
    status = files->rename(log->env->file_context, from, to, &cause);
    if (status == PB_OK)
        status = files->sync_directory(log->env->file_context, log_directory, &cause);
    if (status != PB_OK)
        return pb_fail(error, PB_E_POISONED, "log/%" PRIu64
                       ".log may or may not have been made: %s; open the store again",
                       log->number, cause.message);
    return PB_OK;
}

enum pb_status
pb_log_create(const struct pb_env *env, const char *directory,
              const uint8_t store_id[PB_STORE_ID_BYTES], uint64_t number,
              const struct pb_log_end *previous, struct pb_log **ret_log, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX], temporary_path[PB_PATH_BYTES_MAX];
    struct pb_log *log = NULL;
    enum pb_status status;

    assert(env != NULL && directory != NULL && previous != NULL && ret_log != NULL);
    assert(number > previous->number && previous->durable_bytes <= previous->bytes);

    log = pb_calloc(env, 1, sizeof(*log));
    if (log == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a log");
    log->env = env;
    memcpy(log->store_id, store_id, PB_STORE_ID_BYTES);
    log->number = number;
    log->commit = previous->commit;

    status = pb_log_file_path(directory, number, ".log", path, error);
    if (status != PB_OK)
        goto out;
    status = pb_log_file_path(directory, number, ".tmp", temporary_path, error);
    assert(status == PB_OK); /* it is as long */
    status = check_is_free(log, path, error);
    if (status != PB_OK)
        goto out;
    status = build_beginning(log, directory, previous, error);
    if (status != PB_OK)
        goto out;
    status = open_mark(log, directory, error);
    if (status != PB_OK)
        goto out;
    status = write_beginning(log, temporary_path, error);
    if (status != PB_OK)
        goto out;
    status = give_name(log, directory, temporary_path, path, error);
    if (status != PB_OK)
        goto out;

    *ret_log = log;
    log = NULL; /* moved to the caller */

out:
    pb_log_close(log);
    return status;
}

/* ---- appending ---- */

/* A failed sync may have dropped what it could not write, and the next one would then succeed:
 * after the first failure nothing that this log says can be trusted. */
static enum pb_status
poison(struct pb_log *log, enum pb_status status, const struct pb_error *cause,
       struct pb_error *error)
{
    log->is_poisoned = true;
    log->poison = *cause;
    return pb_fail(error, status, "log/%" PRIu64 ".log: %s; nothing more is taken until the store "
                   "is opened again", log->number, cause->message);
}

/* Sets ret_bytes to what records take in the file. */
static enum pb_status
measure(const struct pb_log *log, const struct pb_log_record *records, size_t count,
        size_t *ret_bytes, struct pb_error *error)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        assert(records[i].commit > (i == 0 ? log->commit : records[i - 1].commit));
        assert(records[i].count >= 1 && records[i].count <= records[i].payload_bytes);
        if (records[i].payload_bytes > PB_BLOCK_BYTES_MAX)
            return pb_fail(error, PB_OVER_LIMIT, "a commit of %zu bytes is over the log's limit",
                           records[i].payload_bytes);
        bytes += PB_LOG_RECORD_HEADER_BYTES + records[i].payload_bytes;
        if (bytes > PB_LOG_WRITE_BYTES_MAX || log->end_bytes + bytes > PB_LOG_FILE_BYTES_MAX)
            return pb_fail(error, PB_OVER_LIMIT, "log/%" PRIu64 ".log: too much for one write or "
                           "for one file", log->number);
    }
    *ret_bytes = bytes;
    return PB_OK;
}

static enum pb_status
write_and_sync(struct pb_log *log, size_t bytes, uint64_t commit, struct pb_error *error)
{
    const struct pb_file_ops *files = log->env->files;
    void *context = log->env->file_context;
    struct pb_log_mark mark = { log->number, log->end_bytes + bytes, commit };
    uint8_t mark_bytes[PB_LOG_MARK_BYTES];
    enum pb_status status;

    status = files->write(context, log->file, log->end_bytes, log->scratch, bytes, error);
    if (status != PB_OK)
        return status;
    status = files->sync(context, log->file, error);
    if (status != PB_OK)
        return status;
    /* Not before the sync has returned: the mark must never be ahead of the log. */
    pb_log_mark_encode(&mark, log->store_id, mark_bytes);
    return files->write(context, log->mark_file, 0, mark_bytes, sizeof(mark_bytes), error);
}

enum pb_status
pb_log_append(struct pb_log *log, const struct pb_log_record *records, size_t count,
              struct pb_error *error)
{
    struct pb_error cause = { .message = "" };
    enum pb_status status;
    size_t bytes = 0;
    uint8_t *at;

    assert(log != NULL && records != NULL && count > 0);
    if (log->is_poisoned)
        return pb_fail(error, PB_E_POISONED, "log/%" PRIu64 ".log: an earlier write failed (%s): "
                       "open the store again", log->number, log->poison.message);
    status = measure(log, records, count, &bytes, error);
    if (status != PB_OK)
        return status;
    status = grow_scratch(log, bytes, error);
    if (status != PB_OK)
        return status;

    at = log->scratch;
    for (size_t i = 0; i < count; i++) {
        memcpy(at + PB_LOG_RECORD_HEADER_BYTES, records[i].payload, records[i].payload_bytes);
        pb_log_record_seal(at, &records[i], log->end_bytes, owner_of(log));
        at += PB_LOG_RECORD_HEADER_BYTES + records[i].payload_bytes;
    }
    status = write_and_sync(log, bytes, records[count - 1].commit, &cause);
    if (status != PB_OK)
        return poison(log, status, &cause, error);
    log->end_bytes += bytes;
    log->commit = records[count - 1].commit;
    return PB_OK;
}

void
pb_log_end_of(const struct pb_log *log, struct pb_log_end *ret_end)
{
    *ret_end = (struct pb_log_end){
        .number = log->number,
        .bytes = log->end_bytes,
        .commit = log->commit,
        .durable_bytes = log->end_bytes,
        .durable_commit = log->commit,
    };
}

void
pb_log_close(struct pb_log *log)
{
    if (log == NULL)
        return;
    log->env->files->close(log->env->file_context, log->file);
    log->env->files->close(log->env->file_context, log->mark_file);
    pb_free(log->env, log->scratch);
    pb_free(log->env, log);
}

/* ---- deleting ---- */

static void
delete_files(const struct pb_env *env, const char *directory, const char *suffix, uint64_t first)
{
    char path[PB_PATH_BYTES_MAX];
    uint64_t *numbers = NULL;
    size_t count = 0;

    if (pb_log_list(env, directory, suffix, &numbers, &count, NULL) != PB_OK)
        return;
    for (size_t i = 0; i < count && numbers[i] < first; i++) {
        if (pb_log_file_path(directory, numbers[i], suffix, path, NULL) == PB_OK)
            (void)env->files->unlink(env->file_context, path, NULL);
    }
    pb_free(env, numbers);
}

void
pb_log_delete_below(const struct pb_env *env, const char *directory, uint64_t first)
{
    delete_files(env, directory, ".log", first);
    delete_files(env, directory, ".tmp", first);
}
