/*
 * Care: merging, purging, backing up, restoring, verifying.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "store/local/local.h"
#include "store/local/merge.h"
#include "store/local/removals.h"

#define MERGE_COUNT_MIN 4u  /* segments of like size that are worth merging */
#define MERGE_COUNT_MAX 64u
#define SEGMENTS_MAX 24u    /* of one partition; then the smallest are merged whatever their size */
#define COPY_BYTES (1u << 20)
#define CREW_ROWS_MIN (1u << 15) /* merging fewer is done before a thread is made */

static enum pb_status
check_writable(const struct pb_store *store, struct pb_error *error)
{
    return store->is_read_only
               ? pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", store->directory)
               : PB_OK;
}

/* ---- flush ---- */

enum pb_status
pb_store_flush(struct pb_store *store, struct pb_error *error)
{
    enum pb_status status = check_writable(store, error);

    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&store->writing);
    status = pb_store_flush_locked(store, NULL, error);
    (void)pthread_mutex_unlock(&store->writing);
    return status;
}

/* ---- merge ---- */

void
pb_store_begin_maintenance(struct pb_store *store)
{
    (void)pthread_mutex_lock(&store->background_lock);
    store->maintenance_count++;
    (void)pthread_mutex_unlock(&store->background_lock);
    (void)pthread_mutex_lock(&store->maintenance);
}

void
pb_store_end_maintenance(struct pb_store *store)
{
    (void)pthread_mutex_unlock(&store->maintenance);
    (void)pthread_mutex_lock(&store->background_lock);
    store->maintenance_count--;
    (void)pthread_cond_signal(&store->background_wake);
    (void)pthread_mutex_unlock(&store->background_lock);
}

static bool
same_partition(const struct pb_segment *a, const struct pb_segment *b)
{
    return a->entry.month == b->entry.month
           && a->entry.retention_days == b->entry.retention_days;
}

/* Segments of the partition of `first` that can be merged, fewest rows first; returns how many. One
 * with so many names that no other could have as many stays as it is: others do not wait for it. */
static uint32_t
list_partition(const struct pb_version *version, const struct pb_segment *first,
               struct pb_segment **ret_segments)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < version->segment_count; i++) {
        struct pb_segment *segment = version->segments[i]->segment;
        uint32_t at = count;

        if (!same_partition(segment, first) || segment->names_bytes > PB_NAMES_BYTES_MAX / 2)
            continue;
        for (; at > 0 && ret_segments[at - 1]->entry.rows > segment->entry.rows; at--)
            ret_segments[at] = ret_segments[at - 1];
        ret_segments[at] = segment;
        count++;
    }
    return count;
}

/* How many of a partition's segments, smallest first, to merge now; 0: none. */
static uint32_t
choose_count(struct pb_segment *const *segments, uint32_t count, bool all)
{
    uint64_t sum = segments[0]->entry.rows;
    uint64_t names_bytes = segments[0]->names_bytes;
    uint32_t chosen = 1;

    while (chosen < count && chosen < MERGE_COUNT_MAX
           && sum + segments[chosen]->entry.rows <= PB_SEGMENT_ROWS_MAX
           && names_bytes + segments[chosen]->names_bytes <= PB_NAMES_BYTES_MAX) {
        /* One that is larger than all before it together can wait for more of its size. */
        if (!all && count <= SEGMENTS_MAX && segments[chosen]->entry.rows > sum
            && chosen >= MERGE_COUNT_MIN)
            break;
        if (!all && count <= SEGMENTS_MAX && segments[chosen]->entry.rows > 4 * sum)
            break;
        names_bytes += segments[chosen]->names_bytes;
        sum += segments[chosen++]->entry.rows;
    }
    if (chosen < 2 || (!all && chosen < MERGE_COUNT_MIN && count <= SEGMENTS_MAX))
        return 0;
    return chosen;
}

/* Finds something to merge; 0 where there is nothing. There is room for all of the segments. */
static uint32_t
choose_merge(const struct pb_version *version, bool all, struct pb_segment **ret_segments)
{
    for (uint32_t i = 0; i < version->segment_count; i++) {
        const struct pb_segment *first = version->segments[i]->segment;
        bool is_first = true;
        uint32_t count = 0;

        for (uint32_t j = 0; j < i && is_first; j++)
            is_first = !same_partition(version->segments[j]->segment, first);
        if (!is_first)
            continue;
        count = list_partition(version, first, ret_segments);
        if (count > 1)
            count = choose_count(ret_segments, count, all);
        if (count > 1)
            return count;
    }
    return 0;
}

struct merge_progress {
    const struct pb_progress *progress;
    uint64_t done, total;
};

enum pb_status
pb_store_secure_history(struct pb_store *store, struct pb_error *error)
{
    uint32_t rows = pb_buffer_count(store->buffer);
    uint32_t row = 0;

    while (row < rows && !pb_buffer_is_superseded(store->buffer, row))
        row++;
    return row < rows ? pb_store_flush_locked(store, NULL, error) : PB_OK;
}

/* Merges segments and makes the result current. The caller holds maintenance. */
static enum pb_status
merge_segments(struct pb_store *store, struct pb_version *version,
               struct pb_segment *const *segments, uint32_t count,
               const struct merge_progress *progress, struct pb_segment_entry *ret_entry,
               struct pb_error *error)
{
    struct pb_merge_options options = { .directory = store->directory,
                                        .store_id = store->store_id,
                                        .number = pb_store_take_number(store),
                                        .memory_bytes = store->memory_bytes / 2,
                                        .now_us = pb_now_us(store->env),
                                        .hidden = version->hidden,
                                        .progress = progress->progress,
                                        .progress_done = progress->done,
                                        .progress_total = progress->total };
    struct pb_change change = { .added = ret_entry, .applied = version->hidden };
    uint64_t *removed = pb_calloc(store->env, count, sizeof(*removed));
    struct pb_removals removals;
    uint64_t rows = 0;
    bool may_be_current = false;
    enum pb_status status = PB_OK;

    if (removed == NULL)
        return PB_E_NOMEM;
    pb_removals_init(&removals, store->env);
    options.removals = store->on_removed == NULL ? NULL : &removals;
    for (uint32_t i = 0; i < count; i++) {
        removed[i] = segments[i]->entry.number;
        rows += segments[i]->entry.rows;
    }
    /* This thread takes blocks apart and merges, the other makes blocks. */
    if (rows >= CREW_ROWS_MIN)
        status = pb_crew_new(store->env, 1, &options.crew);
    if (status == PB_OK)
        status = pb_merge(store->env, &options, segments, count, ret_entry, error);
    pb_crew_free(options.crew);
    if (status == PB_OK) {
        change.added_count = ret_entry->rows == 0 ? 0 : 1;
        change.removed = removed;
        change.removed_count = count;
        (void)pthread_mutex_lock(&store->writing);
        if (ret_entry->rows < rows)
            status = pb_store_secure_history(store, error);
        if (status == PB_OK)
            status = pb_store_change(store, &change, error);
        if (status == PB_OK && store->on_removed != NULL)
            pb_removals_tell(&removals, store->on_removed, store->removed_context);
        may_be_current = store->is_poisoned;
        (void)pthread_mutex_unlock(&store->writing);
    }
    if (status != PB_OK && status != PB_END && ret_entry->rows != 0 && !may_be_current) {
        char path[PB_PATH_BYTES_MAX];

        pb_segment_path(path, sizeof(path), store->directory, ret_entry->number);
        (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    }
    pb_removals_done(&removals);
    pb_free(store->env, removed);
    return status;
}

/* Rows that merging all would move: for progress. */
static uint64_t
count_rows(const struct pb_version *version)
{
    uint64_t rows = 0;

    for (uint32_t i = 0; i < version->segment_count; i++)
        rows += version->segments[i]->segment->entry.rows;
    return rows;
}

static bool
has_many_marks(struct pb_store *store)
{
    uint32_t count = 0;

    (void)pthread_mutex_lock(&store->writing);
    count = store->manifest.mark_count;
    (void)pthread_mutex_unlock(&store->writing);
    return count > store->marks_max / 2;
}

/* The caller holds maintenance. */
static enum pb_status
settle_marks(struct pb_store *store, const struct pb_progress *progress, struct pb_error *error)
{
    struct merge_progress settling = { .progress = progress };
    struct pb_version *version = NULL;
    enum pb_status status = PB_OK;

    if (!has_many_marks(store))
        return PB_OK;
    version = pb_store_version(store);
    settling.total = count_rows(version);
    for (uint32_t i = 0; i < version->segment_count && status == PB_OK; i++) {
        struct pb_segment *segment = version->segments[i]->segment;
        struct pb_segment_entry entry = { 0 };

        if (pb_hidden_has_marks(version->hidden, segment->entry.number))
            status = merge_segments(store, version, &segment, 1, &settling, &entry, error);
        settling.done += segment->entry.rows;
    }
    pb_version_drop(version);
    return status;
}

enum pb_status
pb_store_settle_marks(struct pb_store *store, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (!has_many_marks(store))
        return PB_OK;
    pb_store_begin_maintenance(store);
    status = settle_marks(store, NULL, error);
    pb_store_end_maintenance(store);
    return status;
}

enum pb_status
pb_store_merge(struct pb_store *store, bool all, const struct pb_progress *progress,
               struct pb_error *error)
{
    struct merge_progress merging = { .progress = progress };
    struct pb_segment **segments = NULL;
    enum pb_status status = check_writable(store, error);

    if (status != PB_OK)
        return status;
    segments = pb_calloc(store->env, PB_SEGMENTS_MAX, sizeof(struct pb_segment *));
    if (segments == NULL)
        return PB_E_NOMEM;
    (void)pthread_mutex_lock(&store->maintenance);
    status = settle_marks(store, progress, error);
    while (status == PB_OK) {
        struct pb_version *version = pb_store_version(store);
        struct pb_segment_entry entry = { 0 };
        uint32_t count = choose_merge(version, all, segments);
        uint64_t rows = 0;

        if (count == 0) {
            pb_version_drop(version);
            break;
        }
        for (uint32_t i = 0; i < count; i++)
            rows += segments[i]->entry.rows;
        if (merging.total == 0)
            merging.total = all ? count_rows(version) : rows;
        if (merging.total < merging.done + rows)
            merging.total = merging.done + rows;
        status = merge_segments(store, version, segments, count, &merging, &entry, error);
        merging.done += rows;
        pb_version_drop(version);
    }
    (void)pthread_mutex_unlock(&store->maintenance);
    pb_free(store->env, segments);
    return status == PB_END ? PB_OK : status;
}

/* ---- purge ---- */

/* Deletes a segment all of whose reads have expired. */
static enum pb_status
drop_segment(struct pb_store *store, const struct pb_segment *segment, struct pb_error *error)
{
    struct pb_change change = { .removed = &segment->entry.number, .removed_count = 1 };
    struct pb_removals removals;
    enum pb_status status = PB_OK;

    pb_removals_init(&removals, store->env);
    if (store->on_removed != NULL)
        status = pb_removals_add_segment(&removals, segment);
    (void)pthread_mutex_lock(&store->writing);
    if (status == PB_OK)
        status = pb_store_secure_history(store, error);
    if (status == PB_OK)
        status = pb_store_change(store, &change, error);
    if (status == PB_OK && store->on_removed != NULL)
        pb_removals_tell(&removals, store->on_removed, store->removed_context);
    (void)pthread_mutex_unlock(&store->writing);
    pb_removals_done(&removals);
    return status;
}

static enum pb_status
purge_segment(struct pb_store *store, struct pb_version *version, struct pb_segment *segment,
              const struct merge_progress *progress, struct pb_purge_counts *counts,
              struct pb_error *error)
{
    const struct pb_segment_entry *old = &segment->entry;
    int64_t now_us = pb_now_us(store->env);
    struct pb_segment_entry entry = { 0 };
    enum pb_status status = PB_OK;

    if (old->delete_after_max_us <= now_us) {
        status = drop_segment(store, segment, error);
        if (status == PB_OK)
            counts->segments_dropped++;
    } else if (old->delete_after_min_us <= now_us
               || pb_hidden_concerns(version->hidden, old->number)) {
        status = merge_segments(store, version, &segment, 1, progress, &entry, error);
        if (status == PB_OK)
            counts->segments_rewritten++;
    } else {
        return PB_OK;
    }
    if (status == PB_OK) {
        counts->reads_removed += old->rows - entry.rows;
        counts->bytes_freed += old->bytes > entry.bytes ? old->bytes - entry.bytes : 0;
    }
    return status;
}

enum pb_status
pb_store_purge(struct pb_store *store, const struct pb_progress *progress,
               struct pb_purge_counts *ret_counts, struct pb_error *error)
{
    struct pb_purge_counts counts = { 0 };
    struct merge_progress purging = { .progress = progress };
    struct pb_version *version = NULL;
    enum pb_status damage = PB_OK;
    enum pb_status status = check_writable(store, error);

    if (status != PB_OK)
        return status;
    pb_store_begin_maintenance(store);
    /* The log holds reads, too: what of them has expired is not written into a segment. */
    (void)pthread_mutex_lock(&store->writing);
    status = pb_store_flush_locked(store, &counts.reads_removed, error);
    (void)pthread_mutex_unlock(&store->writing);
    if (status == PB_OK) {
        version = pb_store_version(store);
        purging.total = count_rows(version);
    }
    for (uint32_t i = 0; status == PB_OK && i < version->segment_count; i++) {
        uint64_t rows = version->segments[i]->segment->entry.rows;

        if (progress != NULL
            && !progress->report(progress->context, "purge", purging.done, purging.total)) {
            status = PB_END;
            break;
        }
        status = purge_segment(store, version, version->segments[i]->segment, &purging, &counts,
                               error);
        purging.done += rows;
        if (status == PB_E_CORRUPT) {
            damage = status;
            status = PB_OK;
        }
    }
    pb_version_drop(version);
    pb_store_end_maintenance(store);
    if (status == PB_END)
        status = PB_OK;
    if (status == PB_OK)
        status = damage;
    if (status == PB_OK)
        *ret_counts = counts;
    return status;
}

/* ---- background ---- */

/* Whoever closes the store, or wants to purge it, does not wait for a merge of minutes. */
static bool
background_goes_on(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct pb_store *store = context;
    bool is_waited_for = false;
    bool goes_on = false;

    (void)phase;
    (void)done;
    (void)total;
    (void)pthread_mutex_lock(&store->background_lock);
    is_waited_for = store->maintenance_count != 0;
    if (is_waited_for)
        store->background_is_asked = true; /* what is broken off begins again after them */
    goes_on = !store->background_stops && !is_waited_for;
    (void)pthread_mutex_unlock(&store->background_lock);
    return goes_on;
}

static void *
background_main(void *context)
{
    struct pb_store *store = context;
    const struct pb_progress progress = { .report = background_goes_on, .context = store };

    pb_env_system_step_back();
    (void)pthread_mutex_lock(&store->background_lock);
    while (!store->background_stops) {
        /* Whoever wants maintenance has it first: what was broken off for them would only be in
         * their way again. */
        if (!store->background_is_asked || store->maintenance_count != 0) {
            (void)pthread_cond_wait(&store->background_wake, &store->background_lock);
            continue;
        }
        store->background_is_asked = false;
        (void)pthread_mutex_unlock(&store->background_lock);
        /* What fails here fails again, and is told, when somebody merges or writes. */
        (void)!pb_store_merge(store, false, &progress, NULL);
        (void)pthread_mutex_lock(&store->background_lock);
    }
    (void)pthread_mutex_unlock(&store->background_lock);
    return NULL;
}

enum pb_status
pb_store_start_background(struct pb_store *store, struct pb_error *error)
{
    store->background_is_asked = true;
    if (pthread_create(&store->background, NULL, background_main, store) != 0)
        return pb_fail(error, PB_E_NOMEM, "%s: no thread for merging could be started",
                       store->directory);
    store->has_background = true;
    return PB_OK;
}

void
pb_store_stop_background(struct pb_store *store)
{
    if (!store->has_background)
        return;
    (void)pthread_mutex_lock(&store->background_lock);
    store->background_stops = true;
    (void)pthread_cond_signal(&store->background_wake);
    (void)pthread_mutex_unlock(&store->background_lock);
    (void)pthread_join(store->background, NULL);
    store->has_background = false;
}

void
pb_store_ask_background(struct pb_store *store)
{
    (void)pthread_mutex_lock(&store->background_lock);
    store->background_is_asked = true;
    (void)pthread_cond_signal(&store->background_wake);
    (void)pthread_mutex_unlock(&store->background_lock);
}

/* ---- backup and restore ---- */

static enum pb_status
copy_file(const struct pb_env *env, const char *from, const char *to, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    struct pb_file *source = NULL;
    struct pb_file *target = NULL;
    uint8_t *bytes = pb_alloc(env, COPY_BYTES);
    uint64_t size = 0;
    enum pb_status status = bytes == NULL ? PB_E_NOMEM : PB_OK;

    if (status == PB_OK)
        status = files->open(env->file_context, from, PB_OPEN_READ, &source, error);
    if (status == PB_NOT_FOUND)
        status = pb_fail(error, PB_E_IO, "%s: the file is missing", from);
    if (status == PB_OK)
        status = files->size(env->file_context, source, &size, error);
    if (status == PB_OK)
        status = files->open(env->file_context, to, PB_OPEN_CREATE, &target, error);
    for (uint64_t at = 0; at < size && status == PB_OK;) {
        size_t count = (size_t)(size - at < COPY_BYTES ? size - at : COPY_BYTES);

        status = files->read(env->file_context, source, at, bytes, count, error);
        if (status == PB_OK)
            status = files->write(env->file_context, target, at, bytes, count, error);
        at += count;
    }
    if (status == PB_OK)
        status = files->sync(env->file_context, target, error);
    files->close(env->file_context, source);
    files->close(env->file_context, target);
    pb_free(env, bytes);
    return status;
}

/* Fills a directory that was just made at target_path with the segments of a manifest, and then
 * the manifest itself. */
static enum pb_status
fill_copy(const struct pb_env *env, const char *source_path, const char *target_path,
          const struct pb_manifest *manifest, bool may_link, const struct pb_progress *progress,
          struct pb_error *error)
{
    char from[PB_PATH_BYTES_MAX];
    char to[PB_PATH_BYTES_MAX];
    bool is_unknown = false;
    uint64_t done = 0;
    uint64_t total = 0;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < manifest->segment_count; i++)
        total += manifest->segments[i].bytes;
    for (uint32_t i = 0; i < manifest->segment_count && status == PB_OK; i++) {
        enum pb_status linked = PB_E_IO;

        pb_segment_path(from, sizeof(from), source_path, manifest->segments[i].number);
        pb_segment_path(to, sizeof(to), target_path, manifest->segments[i].number);
        if (may_link)
            linked = env->files->link(env->file_context, from, to, NULL);
        if (linked != PB_OK)
            status = copy_file(env, from, to, error);
        done += manifest->segments[i].bytes;
        if (status == PB_OK && progress != NULL
            && !progress->report(progress->context, "copy", done, total))
            status = pb_fail(error, PB_BAD_INPUT, "%s: stopped; the copy is not complete",
                             target_path);
    }
    if (status == PB_OK) {
        (void)snprintf(to, sizeof(to), "%s/segments", target_path);
        status = env->files->sync_directory(env->file_context, to, error);
    }
    return status == PB_OK ? pb_manifest_write(manifest, target_path, &is_unknown, error) : status;
}

/* A copy of a manifest that needs no log. */
static enum pb_status
copy_manifest(const struct pb_manifest *from, struct pb_manifest *to)
{
    enum pb_status status = PB_OK;

    memcpy(to->store_id, from->store_id, PB_STORE_ID_BYTES);
    to->generation = from->generation;
    to->next_segment = from->next_segment;
    to->log_first = from->log_first;
    to->commit = from->commit;
    to->segments = pb_arena_alloc(&to->arena, (from->segment_count + 1u) * sizeof(*to->segments));
    to->erasures = pb_arena_alloc(&to->arena, (from->erasure_count + 1u) * sizeof(*to->erasures));
    to->marks = pb_arena_alloc(&to->arena, (from->mark_count + 1u) * sizeof(*to->marks));
    if (to->segments == NULL || to->erasures == NULL || to->marks == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < from->segment_count; i++)
        to->segments[i] = from->segments[i];
    for (uint32_t i = 0; i < from->mark_count; i++)
        to->marks[i] = from->marks[i];
    for (uint32_t i = 0; i < from->erasure_count && status == PB_OK; i++) {
        to->erasures[i] = from->erasures[i];
        status = pb_arena_copy(&to->arena, from->erasures[i].plate, &to->erasures[i].plate);
        if (status == PB_OK)
            status = pb_arena_copy(&to->arena, from->erasures[i].reader, &to->erasures[i].reader);
    }
    to->segment_count = from->segment_count;
    to->erasure_count = from->erasure_count;
    to->mark_count = from->mark_count;
    return status == PB_OK ? pb_marks_own(to->marks, to->mark_count, &to->arena) : status;
}

enum pb_status
pb_store_backup(struct pb_store *store, const char *target_path,
                const struct pb_progress *progress, struct pb_error *error)
{
    struct pb_manifest manifest;
    enum pb_status status = check_writable(store, error);

    if (status != PB_OK)
        return status;
    pb_manifest_init(&manifest, store->env);
    /* Files that merges would delete stay as long as maintenance is held. */
    pb_store_begin_maintenance(store);
    (void)pthread_mutex_lock(&store->writing);
    status = pb_store_flush_locked(store, NULL, error);
    if (status == PB_OK)
        status = copy_manifest(&store->manifest, &manifest);
    (void)pthread_mutex_unlock(&store->writing);
    if (status == PB_OK)
        status = pb_store_make_directory(store->env, target_path, error);
    if (status == PB_OK)
        status = fill_copy(store->env, store->directory, target_path, &manifest, true, progress,
                           error);
    pb_store_end_maintenance(store);
    pb_manifest_done(&manifest);
    return status;
}

enum pb_status
pb_store_restore(const struct pb_env *env, const char *backup_path, const char *target_path,
                 const struct pb_progress *progress, struct pb_error *error)
{
    struct pb_verify_counts counts = { 0 };
    struct pb_manifest manifest;
    enum pb_status status = pb_store_verify(env, backup_path, NULL, NULL, progress, &counts, error);

    if (status != PB_OK)
        return status;
    if (counts.damaged != 0)
        return pb_fail(error, PB_E_CORRUPT,
                       "%s: the backup is damaged in %llu places; `platebase verify` lists them",
                       backup_path, (unsigned long long)counts.damaged);
    pb_manifest_init(&manifest, env);
    status = pb_manifest_read(&manifest, backup_path, error);
    if (status == PB_OK)
        status = pb_store_make_directory(env, target_path, error);
    if (status == PB_OK)
        status = fill_copy(env, backup_path, target_path, &manifest, false, progress, error);
    pb_manifest_done(&manifest);
    return status;
}

/* ---- verify ---- */

/* Of damage that was found when a file was opened: the message names the offset. */
static void
tell_damage(pb_damage_fn *on_damage, void *context, struct pb_verify_counts *counts,
            const char *file, const char *what)
{
    counts->damaged++;
    if (on_damage != NULL)
        on_damage(context, file, 0, what);
}

static enum pb_status
verify_segment(const struct pb_env *env, const char *path, const struct pb_manifest *manifest,
               const struct pb_segment_entry *entry, pb_damage_fn *on_damage, void *context,
               struct pb_verify_counts *counts)
{
    struct pb_segment *segment = NULL;
    struct pb_error inner = { { 0 } };
    char file[PB_PATH_BYTES_MAX];
    enum pb_status status = pb_segment_open(env, path, manifest->store_id, entry, &segment, &inner);

    counts->files++;
    if (status == PB_E_NOMEM)
        return status;
    if (status != PB_OK) {
        pb_segment_path(file, sizeof(file), path, entry->number);
        tell_damage(on_damage, context, counts, file, inner.message);
        return PB_OK;
    }
    status = pb_segment_verify(segment, on_damage, context, counts);
    pb_segment_close(segment);
    return status;
}

enum pb_status
pb_store_verify(const struct pb_env *env, const char *path, pb_damage_fn *on_damage,
                void *context, const struct pb_progress *progress,
                struct pb_verify_counts *ret_counts, struct pb_error *error)
{
    struct pb_verify_counts counts = { 0 };
    struct pb_manifest manifest;
    struct pb_error inner = { { 0 } };
    char file[PB_PATH_BYTES_MAX];
    uint64_t done = 0;
    uint64_t total = 0;
    enum pb_status status = PB_OK;

    pb_manifest_init(&manifest, env);
    status = pb_manifest_read(&manifest, path, &inner);
    if (status == PB_E_CORRUPT) {
        /* Without the manifest it is not known what should be there. */
        (void)snprintf(file, sizeof(file), "%s/manifest", path);
        counts.files = 1;
        tell_damage(on_damage, context, &counts, file, inner.message);
        *ret_counts = counts;
        pb_manifest_done(&manifest);
        return PB_OK;
    }
    if (status != PB_OK && error != NULL)
        *error = inner;
    if (status == PB_OK)
        counts.files = 1;
    for (uint32_t i = 0; i < manifest.segment_count; i++)
        total += manifest.segments[i].bytes;
    for (uint32_t i = 0; i < manifest.segment_count && status == PB_OK; i++) {
        status = verify_segment(env, path, &manifest, &manifest.segments[i], on_damage, context,
                                &counts);
        done += manifest.segments[i].bytes;
        if (status == PB_OK && progress != NULL
            && !progress->report(progress->context, "verify", done, total))
            status = pb_fail(error, PB_BAD_INPUT, "%s: stopped before all was checked", path);
    }
    if (status == PB_OK)
        status = pb_log_verify(env, path, manifest.store_id, manifest.log_first, on_damage,
                               context, &counts, error);
    pb_manifest_done(&manifest);
    if (status == PB_OK)
        *ret_counts = counts;
    return status;
}
