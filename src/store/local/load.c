/*
 * Loading: each lane gathers a run of reads, and when its share of memory is used writes the run
 * as segments by itself.
 *
 * Lanes do not wait for one another but for a moment: a run is compared with the segments that
 * the store has, written, and before it becomes current compared with those that came
 * meanwhile. Only if that changes something it is written again.
 */
#include <string.h>

#include "base/limits.h"
#include "read/read.h"
#include "store/local/local.h"
#include "store/local/run.h"

#define APPEND_ROWS_MAX 8192u /* so few rows go into the log rather than into segments */
#define APPEND_BATCH 512u
#define EXPIRED_REASON "its delete_after has passed, or it was erased"

struct pb_lane {
    struct pb_loader *loader; /* borrowed */
    struct pb_run *run;       /* owned; NULL between runs */
    struct pb_hidden *hidden; /* owned: erasures that the run's reads were checked against */
    struct pb_load_counts counts;
    int64_t now_us;
    bool has_written;         /* a segment: later small runs go the same way */
};

struct pb_loader {
    const struct pb_env *env;
    struct pb_store *store; /* borrowed */
    struct pb_lane *lanes;  /* owned */
    unsigned lane_count;
    size_t lane_bytes;      /* budget of a lane */
    pb_reject_fn *on_reject;
    void *context;
    pthread_mutex_t reject_lock;
    struct pb_run_commit commit; /* of all segments; its number is 0 until one is written;
                                    guarded by the store's writing */
};

enum pb_status
pb_loader_new(struct pb_store *store, unsigned lane_count, pb_reject_fn *on_reject, void *context,
              struct pb_loader **ret_loader, struct pb_error *error)
{
    struct pb_loader *loader = NULL;

    if (store->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", store->directory);
    if (lane_count < 1 || lane_count > 256)
        return pb_fail(error, PB_BAD_INPUT, "threads: 1 to 256");
    loader = pb_calloc(store->env, 1, sizeof(*loader));
    if (loader == NULL)
        return PB_E_NOMEM;
    loader->env = store->env;
    loader->store = store;
    loader->on_reject = on_reject;
    loader->context = context;
    loader->lane_bytes = store->memory_bytes / lane_count;
    (void)pthread_mutex_init(&loader->reject_lock, NULL);
    loader->lanes = pb_calloc(store->env, lane_count, sizeof(*loader->lanes));
    if (loader->lanes == NULL) {
        pb_loader_free(loader);
        return PB_E_NOMEM;
    }
    loader->lane_count = lane_count;
    (void)pthread_mutex_lock(&store->writing);
    store->loader_count++;
    (void)pthread_mutex_unlock(&store->writing);
    for (unsigned i = 0; i < lane_count; i++)
        loader->lanes[i].loader = loader;
    *ret_loader = loader;
    return PB_OK;
}

void
pb_loader_free(struct pb_loader *loader)
{
    if (loader == NULL)
        return;
    for (unsigned i = 0; i < loader->lane_count; i++) {
        pb_run_free(loader->lanes[i].run);
        pb_hidden_free(loader->lanes[i].hidden);
    }
    if (loader->lane_count != 0) {
        (void)pthread_mutex_lock(&loader->store->writing);
        loader->store->loader_count--;
        (void)pthread_mutex_unlock(&loader->store->writing);
    }
    (void)pthread_mutex_destroy(&loader->reject_lock);
    pb_free(loader->env, loader->lanes);
    pb_free(loader->env, loader);
}

struct pb_lane *
pb_loader_lane(struct pb_loader *loader, unsigned index)
{
    return &loader->lanes[index];
}

void
pb_loader_counts(const struct pb_loader *loader, struct pb_load_counts *ret_counts)
{
    struct pb_load_counts sum = { 0 };

    for (unsigned i = 0; i < loader->lane_count; i++) {
        const struct pb_load_counts *counts = &loader->lanes[i].counts;

        sum.stored += counts->stored;
        sum.duplicate += counts->duplicate;
        sum.conflict += counts->conflict;
        sum.rejected += counts->rejected;
    }
    *ret_counts = sum;
}

/* ---- rejections ---- */

static void
tell_reject(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    struct pb_loader *loader = context;

    if (loader->on_reject == NULL)
        return;
    (void)pthread_mutex_lock(&loader->reject_lock);
    loader->on_reject(loader->context, read, why, reason);
    (void)pthread_mutex_unlock(&loader->reject_lock);
}

/* ---- a run becomes segments ---- */

static enum pb_status
join_new_segments(struct pb_lane *lane, const struct pb_version *version,
                  const struct pb_version *before, struct pb_mark_list *marks, bool *changed,
                  struct pb_error *error)
{
    struct pb_run_reject reject = { tell_reject, lane->loader };
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < version->segment_count && status == PB_OK; i++) {
        bool is_known = false;
        bool has_changed = false;

        for (uint32_t j = 0; before != NULL && j < before->segment_count && !is_known; j++)
            is_known = before->segments[j] == version->segments[i];
        if (is_known)
            continue;
        status = pb_run_join(lane->run, version->segments[i]->segment, &reject, &lane->counts,
                             marks, &has_changed, error);
        *changed = *changed || has_changed;
    }
    if (status == PB_OK && pb_run_settle(lane->run, &reject, &lane->counts))
        *changed = true;
    return status;
}

static void
discard(const struct pb_store *store, struct pb_segment_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char path[PB_PATH_BYTES_MAX];

        pb_segment_path(path, sizeof(path), store->directory, entries[i].number);
        (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    }
    pb_free(store->env, entries);
}

static enum pb_status
write_run(struct pb_lane *lane, const struct pb_run_commit *commit,
          struct pb_segment_entry **ret_entries, uint32_t *ret_count, struct pb_error *error)
{
    struct pb_store *store = lane->loader->store;
    struct pb_run_target target = { .directory = store->directory,
                                    .store_id = store->store_id,
                                    .memory_bytes = lane->loader->lane_bytes / 4,
                                    .commits = commit,
                                    .commit_count = 1 };

    return pb_run_write(lane->run, &target, pb_store_take_number, store, ret_entries, ret_count,
                        error);
}

/* Makes a run that was compared with `version` and written current. The caller holds writing. */
static enum pb_status
publish_locked(struct pb_lane *lane, struct pb_version *version, struct pb_mark_list *marks,
               const struct pb_run_commit *commit, struct pb_segment_entry **entries,
               uint32_t *count, struct pb_error *error)
{
    struct pb_store *store = lane->loader->store;
    struct pb_change change = { .applied = lane->hidden };
    bool has_changed = false;
    enum pb_status status = PB_OK;

    /* What was appended meanwhile is compared as a segment, too. */
    if (pb_buffer_count(store->buffer) != 0)
        status = pb_store_flush_locked(store, NULL, error);
    if (status == PB_OK)
        status = join_new_segments(lane, store->version, version, marks, &has_changed, error);
    if (status == PB_OK && has_changed) {
        discard(store, *entries, *count);
        *entries = NULL;
        *count = 0;
        status = write_run(lane, commit, entries, count, error);
    }
    if (status != PB_OK)
        return status;
    change.added = *entries;
    change.added_count = *count;
    change.marks = marks->marks;
    change.mark_count = marks->count;
    return pb_store_change(store, &change, error);
}

/* Sorts, compares, writes and publishes the lane's run. */
static enum pb_status
write_lane(struct pb_lane *lane, struct pb_error *error)
{
    struct pb_loader *loader = lane->loader;
    struct pb_store *store = loader->store;
    struct pb_run_reject reject = { tell_reject, loader };
    struct pb_run_commit commit = { 0 };
    struct pb_mark_list marks = { 0 };
    struct pb_version *version = NULL;
    struct pb_segment_entry *entries = NULL;
    uint32_t count = 0;
    bool has_changed = false;
    enum pb_status status = pb_run_sort(lane->run, &reject, &lane->counts);

    if (status != PB_OK)
        goto out;
    (void)pthread_mutex_lock(&store->writing);
    if (loader->commit.commit == 0) {
        loader->commit.commit = ++store->commit;
        loader->commit.received_us = pb_now_us(loader->env);
    }
    commit = loader->commit;
    (void)pthread_mutex_unlock(&store->writing);
    version = pb_store_version(store);
    status = join_new_segments(lane, version, NULL, &marks, &has_changed, error);
    if (status == PB_OK)
        status = write_run(lane, &commit, &entries, &count, error);
    if (status != PB_OK)
        goto out;
    (void)pthread_mutex_lock(&store->writing);
    status = publish_locked(lane, version, &marks, &commit, &entries, &count, error);
    /* Where the manifest may name the files already they stay: the next opening tells. */
    if (status != PB_OK && store->is_poisoned)
        count = 0;
    (void)pthread_mutex_unlock(&store->writing);
    if (status == PB_OK) {
        lane->counts.stored += pb_run_rows_left(lane->run);
        lane->has_written = true;
        pb_store_ask_background(store);
    }

out:
    if (status != PB_OK)
        discard(store, entries, count);
    else
        pb_free(store->env, entries);
    pb_version_drop(version);
    pb_mark_list_done(&marks, store->env);
    pb_run_free(lane->run);
    lane->run = NULL;
    pb_hidden_free(lane->hidden);
    lane->hidden = NULL;
    return status;
}

/* ---- small runs go the way of appends ---- */

static void
count_answer(struct pb_lane *lane, const struct pb_read *read, enum pb_status answer)
{
    if (answer == PB_OK) {
        lane->counts.stored++;
    } else if (answer == PB_DUPLICATE) {
        lane->counts.duplicate++;
    } else if (answer == PB_CONFLICT) {
        lane->counts.conflict++;
        tell_reject(lane->loader, read, answer, "the same read is stored with other content");
    } else {
        lane->counts.rejected++;
        tell_reject(lane->loader, read, answer, EXPIRED_REASON);
    }
}

static enum pb_status
append_lane(struct pb_lane *lane, struct pb_error *error)
{
    const struct pb_env *env = lane->loader->env;
    uint64_t rows = pb_run_rows(lane->run);
    struct pb_run_room *rooms = pb_calloc(env, APPEND_BATCH, sizeof(*rooms));
    struct pb_read *reads = pb_calloc(env, APPEND_BATCH, sizeof(*reads));
    enum pb_status *answers = pb_calloc(env, APPEND_BATCH, sizeof(*answers));
    enum pb_status status = rooms == NULL || reads == NULL || answers == NULL ? PB_E_NOMEM : PB_OK;

    for (uint64_t first = 0; first < rows && status == PB_OK; first += APPEND_BATCH) {
        size_t count = (size_t)(rows - first < APPEND_BATCH ? rows - first : APPEND_BATCH);

        for (size_t i = 0; i < count; i++)
            pb_run_read(lane->run, first + i, &rooms[i], &reads[i]);
        status = pb_store_append(lane->loader->store, reads, count, answers, error);
        for (size_t i = 0; i < count && status == PB_OK; i++)
            count_answer(lane, &reads[i], answers[i]);
    }
    pb_free(env, rooms);
    pb_free(env, reads);
    pb_free(env, answers);
    pb_run_free(lane->run);
    lane->run = NULL;
    pb_hidden_free(lane->hidden);
    lane->hidden = NULL;
    return status;
}

/* ---- the lane ---- */

static enum pb_status
begin_run(struct pb_lane *lane)
{
    struct pb_store *store = lane->loader->store;
    enum pb_status status = pb_run_new(lane->loader->env, &lane->run);

    if (status != PB_OK)
        return status;
    lane->now_us = pb_now_us(lane->loader->env);
    (void)pthread_mutex_lock(&store->writing);
    status = pb_hidden_new(lane->loader->env, &store->manifest, &lane->hidden);
    (void)pthread_mutex_unlock(&store->writing);
    return status;
}

/* Sorting needs room for pairs, and writing for the second orders, but not at one time. */
static bool
is_full(const struct pb_lane *lane)
{
    return pb_run_memory(lane->run) >= lane->loader->lane_bytes / 10 * 7;
}

enum pb_status
pb_lane_add_valid(struct pb_lane *lane, const struct pb_read *reads, size_t count,
                  struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && status == PB_OK; i++) {
        if (lane->run == NULL)
            status = begin_run(lane);
        if (status != PB_OK)
            break;
        if (reads[i].delete_after_us <= lane->now_us
            || pb_hidden_is_erased(lane->hidden, &reads[i], PB_SEGMENT_NONE)) {
            lane->counts.rejected++;
            tell_reject(lane->loader, &reads[i], PB_EXPIRED, EXPIRED_REASON);
            continue;
        }
        status = pb_run_add(lane->run, &reads[i], 0);
        if (status == PB_OK && (pb_run_rows(lane->run) & 1023) == 0 && is_full(lane))
            status = write_lane(lane, error);
    }
    return status;
}

enum pb_status
pb_lane_add(struct pb_lane *lane, const struct pb_read *reads, size_t count,
            struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && status == PB_OK; i++) {
        const char *field = NULL;
        const char *reason = NULL;

        if (pb_read_validate(&reads[i], &field, &reason) == PB_OK) {
            status = pb_lane_add_valid(lane, &reads[i], 1, error);
        } else {
            lane->counts.rejected++;
            tell_reject(lane->loader, &reads[i], PB_BAD_INPUT, reason);
        }
    }
    return status;
}

enum pb_status
pb_lane_finish(struct pb_lane *lane, struct pb_error *error)
{
    if (lane->run == NULL)
        return PB_OK;
    if (!lane->has_written && pb_run_rows(lane->run) <= APPEND_ROWS_MAX)
        return append_lane(lane, error);
    return write_lane(lane, error);
}
