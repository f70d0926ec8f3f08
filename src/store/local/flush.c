/*
 * Flushing: rows of the buffer become segments, and their log goes.
 *
 * A flush takes the buffer's first rows, all of them or those that were sealed. Sealed rows are
 * written by a thread of their own while appends go on behind them in the same buffer: sealing
 * ends the log file, so that the files up to it hold the sealed rows and no others. When their
 * segments are made current, a new buffer with the rows behind them takes the buffer's place.
 */
#include <assert.h>

#include "base/limits.h"
#include "read/read.h"
#include "store/local/flush.h"
#include "store/local/removals.h"
#include "store/local/run.h"

/* Rows on their way into segments. */
struct flush {
    const struct pb_buffer *buffer; /* borrowed */
    uint32_t rows;                  /* its first ones */
    const struct pb_hidden *hidden; /* borrowed: what is left out */
    struct pb_run *run;             /* owned, as all below */
    struct pb_segment_entry *entries;
    uint32_t entry_count;
    struct pb_removals removals;
};

static void
flush_done(struct flush *flush, const struct pb_env *env)
{
    pb_removals_done(&flush->removals);
    pb_run_free(flush->run);
    pb_free(env, flush->entries);
}

/* The distinct commits of the rows, which ascend. commit_rows: of each row its number. */
static uint32_t
list_commits(const struct flush *flush, struct pb_run_commit *commits, uint32_t *commit_rows)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < flush->rows; row++) {
        const struct pb_read *read = pb_buffer_read(flush->buffer, row);

        if (count == 0 || commits[count - 1].commit != read->commit)
            commits[count++] = (struct pb_run_commit){ read->commit, read->received_at_us };
        commit_rows[row] = count - 1;
    }
    return count;
}

/* Fills the run with the rows that are neither expired nor erased. */
static enum pb_status
fill_run(const struct pb_store *store, struct flush *flush, const uint32_t *commit_rows)
{
    int64_t now_us = pb_now_us(store->env);
    enum pb_status status = PB_OK;

    for (uint32_t row = 0; row < flush->rows && status == PB_OK; row++) {
        struct pb_read read = *pb_buffer_read(flush->buffer, row);
        bool is_expired = read.delete_after_us <= now_us;

        read.is_superseded = pb_buffer_is_superseded(flush->buffer, row);
        if (!is_expired && !pb_hidden_is_erased(flush->hidden, &read, PB_SEGMENT_NONE))
            status = pb_run_add(flush->run, &read, commit_rows[row]);
        else if (store->on_removed != NULL)
            status = pb_removals_add(&flush->removals, read.reader, read.captured_at_us,
                                     is_expired ? PB_REMOVED_EXPIRED : PB_REMOVED_ERASED, 1);
    }
    return status;
}

/* Writes the rows into segments that are not current yet. Needs no lock. */
static enum pb_status
write_rows(struct pb_store *store, struct flush *flush, struct pb_error *error)
{
    const struct pb_env *env = store->env;
    struct pb_run_target target = { .directory = store->directory,
                                    .store_id = store->store_id,
                                    .memory_bytes = store->memory_bytes / 4 };
    struct pb_run_commit *commits = pb_calloc(env, flush->rows, sizeof(*commits));
    uint32_t *commit_rows = pb_calloc(env, flush->rows, sizeof(*commit_rows));
    enum pb_status status = commits == NULL || commit_rows == NULL ? PB_E_NOMEM : PB_OK;

    pb_removals_init(&flush->removals, env);
    if (status == PB_OK)
        status = pb_run_new(env, &flush->run);
    if (status == PB_OK) {
        target.commits = commits;
        target.commit_count = list_commits(flush, commits, commit_rows);
        status = fill_run(store, flush, commit_rows);
    }
    if (status == PB_OK)
        status = pb_run_sort_judged(flush->run);
    if (status == PB_OK)
        status = pb_run_write(flush->run, &target, pb_store_take_number, store, &flush->entries,
                              &flush->entry_count, error);
    pb_free(env, commits);
    pb_free(env, commit_rows);
    return status;
}

/* Makes the segments current and `next` the buffer. Logs up to log_last hold nothing but rows of
 * the flush. The caller holds writing. */
static enum pb_status
publish_locked(struct pb_store *store, struct flush *flush, struct pb_buffer *next,
               const struct pb_mark_list *marks, uint64_t log_last, struct pb_error *error)
{
    struct pb_change change = { .added = flush->entries,
                                .added_count = flush->entry_count,
                                .marks = marks->marks,
                                .mark_count = marks->count,
                                .applied = flush->hidden,
                                .log_first = log_last + 1,
                                .buffer = next };
    enum pb_status status = PB_OK;

    assert(log_last >= store->manifest.log_first); /* there are rows, so there was a log for them */
    status = pb_store_change(store, &change, error);
    if (status != PB_OK)
        return status;
    /* Where no log is newer, the next append begins the one that the manifest names. */
    if (store->log_end.number < store->manifest.log_first) {
        pb_log_close(store->log);
        store->log = NULL;
        store->log_end = (struct pb_log_end){ .commit = store->commit };
    }
    pb_log_delete_below(store->env, store->directory, store->manifest.log_first);
    if (store->on_removed != NULL)
        pb_removals_tell(&flush->removals, store->on_removed, store->removed_context);
    return PB_OK;
}

enum pb_status
pb_store_new_buffer(const struct pb_store *store, struct pb_buffer **ret_buffer)
{
    /* Behind sealed rows as many again may come, and the last append goes beyond. */
    return pb_buffer_new(store->env, (store->has_flusher ? 2 : 1) * PB_BUFFER_ROWS_MAX, ret_buffer);
}

enum pb_status
pb_store_flush_locked(struct pb_store *store, uint64_t *ret_dropped, struct pb_error *error)
{
    struct pb_mark_list no_marks = { 0 };
    struct flush flush = { 0 };
    struct pb_version *version = NULL;
    struct pb_buffer *next = NULL;
    enum pb_status status = PB_OK;

    if (ret_dropped != NULL)
        *ret_dropped = 0;
    while (store->is_flushing)
        (void)pthread_cond_wait(&store->flush_moved, &store->writing);
    if (store->sealed_rows != 0) {
        store->sealed_rows = 0; /* they go with the others; who waits for them need not any more */
        (void)pthread_cond_broadcast(&store->flush_moved);
    }
    if (store->is_poisoned)
        return pb_fail(error, PB_E_POISONED, "%s: an earlier write failed; open the store again",
                       store->directory);
    if (pb_buffer_count(store->buffer) == 0)
        return PB_OK;
    version = pb_store_version(store);
    flush.buffer = version->buffer;
    flush.rows = pb_buffer_count(version->buffer);
    flush.hidden = version->hidden;
    status = write_rows(store, &flush, error);
    if (status == PB_OK)
        status = pb_store_new_buffer(store, &next);
    if (status == PB_OK)
        status = publish_locked(store, &flush, next, &no_marks, store->log_end.number, error);
    if (status == PB_OK) {
        store->flush_has_failed = false;
        if (ret_dropped != NULL)
            *ret_dropped = flush.rows - pb_run_rows(flush.run);
    }
    pb_buffer_unref(next);
    pb_version_drop(version);
    flush_done(&flush, store->env);
    return status;
}

/* ---- sealed rows ---- */

void
pb_store_seal_locked(struct pb_store *store)
{
    assert(store->sealed_rows == 0 && store->log != NULL);
    pb_log_close(store->log); /* log_end says where it ends */
    store->log = NULL;
    store->sealed_rows = pb_buffer_count(store->buffer);
    store->sealed_log = store->log_end.number;
    (void)pthread_cond_broadcast(&store->flush_moved);
}

/* Copies the published rows of `from`, beginning with the row that `to` has got to. */
static enum pb_status
copy_rest(const struct pb_buffer *from, uint32_t first, struct pb_buffer *to)
{
    uint32_t count = pb_buffer_count(from);
    uint32_t row = 0;
    enum pb_status status = PB_OK;

    for (uint32_t at = first + pb_buffer_count_all(to); at < count && status == PB_OK; at++) {
        struct pb_read read = *pb_buffer_read(from, at);

        read.is_superseded = pb_buffer_is_superseded(from, at);
        status = pb_buffer_add(to, &read, &row);
    }
    return status;
}

/* A revision that came behind sealed rows makes some of them history that were written as current:
 * marks for all segments that they may be in. */
static enum pb_status
mark_revised(const struct pb_store *store, const struct flush *flush, struct pb_mark_list *marks)
{
    const struct pb_buffer *buffer = store->buffer;
    uint32_t count = pb_buffer_count(buffer);
    enum pb_status status = PB_OK;

    for (uint32_t at = flush->rows; at < count && status == PB_OK; at++) {
        const struct pb_read *read = pb_buffer_read(buffer, at);
        uint32_t row = PB_BUFFER_NO_ROW;

        if (!pb_may_revise(read))
            continue;
        row = pb_buffer_next_of_identity(buffer, at);
        while (row != PB_BUFFER_NO_ROW &&
               (row >= flush->rows || !pb_read_same_identity(read, pb_buffer_read(buffer, row))))
            row = pb_buffer_next_of_identity(buffer, row);
        for (uint32_t i = 0; i < flush->entry_count && row != PB_BUFFER_NO_ROW && status == PB_OK;
             i++)
            status = pb_mark_list_add(marks, store->env, read, flush->entries[i].number);
    }
    return status;
}

/* Whether a restart may judge a row anew because of one that the flush left out: it would come back
 * as current. */
static bool
loses_history(const struct flush *flush, const struct pb_buffer *next)
{
    uint32_t row = 0;

    if (pb_run_rows(flush->run) == flush->rows)
        return false;
    while (row < pb_buffer_count(next) && !pb_buffer_is_superseded(next, row))
        row++;
    return row < pb_buffer_count(next);
}

/* Makes the sealed rows' segments current; next has most of the rows behind them. */
static enum pb_status
publish_sealed_locked(struct pb_store *store, struct flush *flush, struct pb_buffer *next,
                      struct pb_error *error)
{
    struct pb_mark_list marks = { 0 };
    uint32_t copied = pb_buffer_count_all(next);
    enum pb_status status = copy_rest(store->buffer, flush->rows, next);

    for (uint32_t row = 0; row < copied; row++) {
        if (pb_buffer_is_superseded(store->buffer, flush->rows + row))
            pb_buffer_supersede(next, row);
    }
    pb_buffer_publish(next);
    if (status == PB_OK && loses_history(flush, next))
        status = PB_E_BUSY; /* all rows go together, at once */
    if (status == PB_OK)
        status = mark_revised(store, flush, &marks);
    if (status == PB_OK)
        status = publish_locked(store, flush, next, &marks, store->sealed_log, error);
    pb_mark_list_done(&marks, store->env);
    return status;
}

enum pb_status
pb_store_flush_sealed_locked(struct pb_store *store, struct pb_error *error)
{
    struct flush flush = { .rows = store->sealed_rows };
    struct pb_version *version = pb_store_version(store);
    struct pb_buffer *next = NULL;
    enum pb_status status = PB_OK;

    store->is_flushing = true;
    (void)pthread_mutex_unlock(&store->writing);
    flush.buffer = version->buffer;
    flush.hidden = version->hidden;
    status = write_rows(store, &flush, error);
    if (status == PB_OK)
        status = pb_store_new_buffer(store, &next);
    /* What has come meanwhile is copied without the lock, the little that comes now with it. */
    if (status == PB_OK)
        status = copy_rest(version->buffer, flush.rows, next);
    (void)pthread_mutex_lock(&store->writing);
    if (status == PB_OK)
        status = publish_sealed_locked(store, &flush, next, error);
    store->flush_has_failed = status != PB_OK;
    store->is_flushing = false;
    store->sealed_rows = 0;
    (void)pthread_cond_broadcast(&store->flush_moved);
    pb_buffer_unref(next);
    pb_version_drop(version);
    flush_done(&flush, store->env);
    return status;
}

enum pb_status
pb_store_make_room_locked(struct pb_store *store, size_t read_count, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    while (status == PB_OK && pb_buffer_count(store->buffer) != 0 &&
           pb_buffer_count(store->buffer) + read_count > store->flush_rows) {
        /* A flush that failed behind fails again here, where somebody is told. */
        if (store->sealed_rows == 0 &&
            (!store->has_flusher || store->log == NULL || store->flush_has_failed)) {
            status = pb_store_flush_locked(store, NULL, error);
            if (status == PB_OK)
                pb_store_ask_background(store);
            continue;
        }
        if (store->sealed_rows == 0)
            pb_store_seal_locked(store);
        if (pb_buffer_count(store->buffer) + read_count <= 2 * (size_t)store->flush_rows)
            break;
        (void)pthread_cond_wait(&store->flush_moved, &store->writing);
    }
    return status;
}

/* ---- the thread ---- */

static void *
flusher_main(void *context)
{
    struct pb_store *store = context;

    pb_env_system_step_back();
    (void)pthread_mutex_lock(&store->writing);
    while (!store->flusher_stops) {
        if (store->sealed_rows == 0) {
            (void)pthread_cond_wait(&store->flush_moved, &store->writing);
            continue;
        }
        /* What fails here is told to the append that needs the room. */
        if (pb_store_flush_sealed_locked(store, NULL) == PB_OK)
            pb_store_ask_background(store);
    }
    (void)pthread_mutex_unlock(&store->writing);
    return NULL;
}

enum pb_status
pb_store_start_flusher(struct pb_store *store, struct pb_error *error)
{
    if (pthread_create(&store->flusher, NULL, flusher_main, store) != 0)
        return pb_fail(error, PB_E_NOMEM, "%s: no thread for flushing could be started",
                       store->directory);
    store->flusher_runs = true;
    return PB_OK;
}

void
pb_store_stop_flusher(struct pb_store *store)
{
    if (!store->flusher_runs)
        return;
    (void)pthread_mutex_lock(&store->writing);
    store->flusher_stops = true;
    (void)pthread_cond_broadcast(&store->flush_moved);
    (void)pthread_mutex_unlock(&store->writing);
    (void)pthread_join(store->flusher, NULL);
    store->flusher_runs = false;
}
