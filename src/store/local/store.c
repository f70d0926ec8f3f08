/*
 * Local store: opening, versions, appending.
 *
 * An append is judged, written to the log and synced by one thread (the leader) for all that
 * wait with it. Reads become visible when their sync has returned. See local.h for locks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "read/read.h"
#include "store/local/flush.h"
#include "store/local/local.h"
#include "store/local/lookup.h"
#include "store/local/run.h"

#define MEMORY_DEFAULT ((size_t)1 << 30)
#define MEMORY_MIN ((size_t)16 << 20)
#define PAYLOAD_FIRST_BYTES 4096u
#define OPEN_ATTEMPTS_MAX 20 /* of a reader beside a writer */
#define GROUP_BYTES_MAX (PB_LOG_WRITE_BYTES_MAX / 2) /* of all requests; leaves room for headers */
#define RECORD_REST_BYTES 96u /* of a record without texts and lists */
#define ROW_BYTES_MAX (PB_RECORD_BYTES_MAX + 128u) /* of a row in the log, alone in its commit */
#define LOG_ROWS_MAX (PB_BUFFER_ROWS_MAX + PB_APPEND_READS_MAX) /* behind sealed ones at most */

static_assert((uint64_t)LOG_ROWS_MAX * ROW_BYTES_MAX + PB_LOG_WRITE_BYTES_MAX
                  <= PB_LOG_FILE_BYTES_MAX,
              "what the buffer has room for, and what was carried over, fits one log");

/* ---- versions ---- */

struct pb_segment_ref *
pb_segment_ref_new(const struct pb_env *env, struct pb_segment *segment)
{
    struct pb_segment_ref *ref = pb_alloc(env, sizeof(*ref));

    if (ref != NULL) {
        atomic_init(&ref->refs, 1);
        ref->segment = segment;
    }
    return ref;
}

struct pb_segment_ref *
pb_segment_ref_take(struct pb_segment_ref *ref)
{
    atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed);
    return ref;
}

void
pb_segment_ref_drop(struct pb_segment_ref *ref)
{
    const struct pb_env *env = NULL;

    if (atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) != 1)
        return;
    env = ref->segment->env;
    pb_segment_close(ref->segment);
    pb_free(env, ref);
}

void
pb_version_drop(struct pb_version *version)
{
    if (version == NULL || atomic_fetch_sub_explicit(&version->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < version->segment_count; i++)
        pb_segment_ref_drop(version->segments[i]);
    pb_free(version->env, version->segments);
    pb_buffer_unref(version->buffer);
    pb_hidden_free(version->hidden);
    pb_free(version->env, version);
}

struct pb_version *
pb_store_version(struct pb_store *store)
{
    struct pb_version *version = NULL;

    (void)pthread_mutex_lock(&store->version_lock);
    version = store->version;
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&store->version_lock);
    return version;
}

uint64_t
pb_store_take_number(void *context)
{
    struct pb_store *store = context;
    uint64_t number = 0;

    (void)pthread_mutex_lock(&store->version_lock);
    number = store->next_segment++;
    (void)pthread_mutex_unlock(&store->version_lock);
    return number;
}

static enum pb_status
version_new(const struct pb_store *store, const struct pb_manifest *manifest,
            struct pb_buffer *buffer, uint32_t segment_room, struct pb_version **ret_version)
{
    struct pb_version *version = pb_calloc(store->env, 1, sizeof(*version));
    enum pb_status status = PB_E_NOMEM;

    if (version == NULL)
        return PB_E_NOMEM;
    version->env = store->env;
    atomic_init(&version->refs, 1);
    version->segments = pb_calloc(store->env, segment_room + 1u, sizeof(*version->segments));
    if (version->segments != NULL)
        status = pb_hidden_new(store->env, manifest, &version->hidden);
    if (status != PB_OK) {
        pb_version_drop(version);
        return status;
    }
    version->buffer = pb_buffer_ref(buffer);
    *ret_version = version;
    return PB_OK;
}

static void
swap_version(struct pb_store *store, struct pb_version *version)
{
    struct pb_version *old = NULL;

    (void)pthread_mutex_lock(&store->version_lock);
    old = store->version;
    store->version = version;
    (void)pthread_mutex_unlock(&store->version_lock);
    pb_version_drop(old);
}

/* ---- changing the manifest ---- */

static bool
is_removed(const struct pb_change *change, uint64_t number)
{
    for (uint32_t i = 0; i < change->removed_count; i++) {
        if (change->removed[i] == number)
            return true;
    }
    return false;
}

static enum pb_status
next_segments(const struct pb_manifest *old, const struct pb_change *change,
              struct pb_manifest *next)
{
    uint32_t count = 0;

    next->segments = pb_arena_alloc(&next->arena, (old->segment_count + change->added_count + 1)
                                                      * sizeof(*next->segments));
    if (next->segments == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < old->segment_count; i++) {
        if (!is_removed(change, old->segments[i].number))
            next->segments[count++] = old->segments[i];
    }
    for (uint32_t i = 0; i < change->added_count; i++) {
        uint32_t at = count++;

        /* Two loaders may finish out of order; the manifest is in order of number. */
        for (; at > 0 && next->segments[at - 1].number > change->added[i].number; at--)
            next->segments[at] = next->segments[at - 1];
        next->segments[at] = change->added[i];
    }
    next->segment_count = count;
    return count > PB_SEGMENTS_MAX ? PB_OVER_LIMIT : PB_OK;
}

static enum pb_status
copy_erasure(struct pb_manifest *next, const struct pb_erasure_entry *from)
{
    struct pb_erasure_entry *to = &next->erasures[next->erasure_count];
    enum pb_status status = PB_OK;

    *to = *from;
    status = pb_arena_copy(&next->arena, from->plate, &to->plate);
    if (status == PB_OK)
        status = pb_arena_copy(&next->arena, from->reader, &to->reader);
    if (status == PB_OK)
        next->erasure_count++;
    return status;
}

static enum pb_status
next_erasures(const struct pb_manifest *old, const struct pb_change *change,
              struct pb_manifest *next)
{
    enum pb_status status = PB_OK;

    assert(change->added_count == 0 || change->applied != NULL);
    next->erasures = pb_arena_alloc(&next->arena,
                                    (old->erasure_count + 1u) * sizeof(*next->erasures));
    if (next->erasures == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < old->erasure_count && status == PB_OK; i++) {
        status = copy_erasure(next, &old->erasures[i]);
        /* A load that began before the erasure may bring its rows after it. */
        for (uint32_t j = 0; j < change->added_count; j++) {
            if (change->added[j].number >= next->erasures[i].segment_limit
                && !pb_hidden_knows_erasure(change->applied, &old->erasures[i]))
                next->erasures[i].segment_limit = change->added[j].number + 1;
        }
    }
    if (status == PB_OK && change->erasure != NULL) {
        struct pb_erasure_entry entry = { .plate = change->erasure->plate,
                                          .reader = change->erasure->reader,
                                          .jurisdiction = change->erasure->jurisdiction,
                                          .from_us = change->erasure->from_us,
                                          .to_us = change->erasure->to_us,
                                          .segment_limit = next->next_segment };

        status = copy_erasure(next, &entry);
    }
    return status;
}

/* Whether reads that an erasure hides may be on disk. Segments are in order of number, so the
 * first is the oldest. */
static bool
is_pending(const struct pb_manifest *manifest, const struct pb_erasure_entry *erasure)
{
    return manifest->segment_count != 0
           && manifest->segments[0].number < erasure->segment_limit;
}

/*
 * Forgets the oldest of the erasures that were applied for good, but for erasures_kept of them: as
 * long as one is kept, what it erased is refused when it is sent again. Reads of the log
 * and of loads that are under way may be hidden by any of them. The caller holds writing.
 */
static void
forget_erasures(const struct pb_store *store, const struct pb_change *change,
                struct pb_manifest *next)
{
    const struct pb_buffer *buffer = change->buffer != NULL ? change->buffer : store->buffer;
    uint32_t applied = 0;
    uint32_t count = 0;

    if (change->is_memory_only || store->loader_count != 0 || pb_buffer_count(buffer) != 0)
        return;
    for (uint32_t i = 0; i < next->erasure_count; i++)
        applied += !is_pending(next, &next->erasures[i]);
    for (uint32_t i = 0; i < next->erasure_count; i++) {
        if (applied > store->erasures_kept && !is_pending(next, &next->erasures[i]))
            applied--;
        else
            next->erasures[count++] = next->erasures[i];
    }
    next->erasure_count = count;
}

static int
by_identity(const void *a, const void *b)
{
    const struct pb_mark_entry *one = a;
    const struct pb_mark_entry *other = b;

    return (one->identity > other->identity) - (one->identity < other->identity);
}

static bool
has_segment(const struct pb_manifest *manifest, uint64_t number)
{
    uint32_t first = 0;
    uint32_t end = manifest->segment_count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if (manifest->segments[middle].number == number)
            return true;
        if (manifest->segments[middle].number < number)
            first = middle + 1;
        else
            end = middle;
    }
    return false;
}

/* Adds marks in any order to those that are there, in order; there is room. Names stay where they
 * are. Left out are those of segments that a merge replaced meanwhile, and those that are there: a
 * restart finds them in the log again. */
static enum pb_status
add_marks(const struct pb_store *store, struct pb_manifest *manifest,
          const struct pb_mark_entry *marks, uint32_t mark_count)
{
    const struct pb_env *env = manifest->arena.env;
    uint32_t old = manifest->mark_count;
    uint32_t count = 0;
    uint32_t at = 0;
    struct pb_mark_entry *added = NULL;

    if (mark_count == 0)
        return PB_OK;
    added = pb_calloc(env, mark_count, sizeof(*added));
    if (added == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < mark_count; i++) {
        if (has_segment(manifest, marks[i].segment) &&
            !pb_hidden_knows(store->version->hidden, &marks[i]))
            added[count++] = marks[i];
    }
    qsort(added, count, sizeof(*added), by_identity);
    at = old + count;
    manifest->mark_count = at;
    while (count > 0) {
        if (old > 0 && manifest->marks[old - 1].identity > added[count - 1].identity)
            manifest->marks[--at] = manifest->marks[--old];
        else
            manifest->marks[--at] = added[--count];
    }
    pb_free(env, added);
    return PB_OK;
}

static enum pb_status
next_marks(const struct pb_store *store, const struct pb_change *change, struct pb_manifest *next)
{
    const struct pb_manifest *old = &store->manifest;
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    /* What a mark means may lie in any of the segments that take one's place. */
    for (uint32_t i = 0; i < old->mark_count; i++)
        count += is_removed(change, old->marks[i].segment) ? change->added_count : 1;
    next->marks = pb_arena_alloc(&next->arena,
                                 ((size_t)count + change->mark_count + 1) * sizeof(*next->marks));
    if (next->marks == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < old->mark_count; i++) {
        struct pb_mark_entry mark = old->marks[i];

        if (!is_removed(change, mark.segment)) {
            next->marks[next->mark_count++] = mark;
            continue;
        }
        /* The merge applied what it knew; what came since concerns what it made. */
        if (change->added_count == 0 || pb_hidden_knows(change->applied, &mark))
            continue;
        for (uint32_t j = 0; j < change->added_count; j++) {
            mark.segment = change->added[j].number;
            next->marks[next->mark_count++] = mark;
        }
    }
    status = add_marks(store, next, change->marks, change->mark_count);
    return status == PB_OK ? pb_marks_own(next->marks, next->mark_count, &next->arena) : status;
}

static enum pb_status
open_segment(const struct pb_store *store, const struct pb_segment_entry *entry,
             struct pb_segment_ref **ret_ref, struct pb_error *error)
{
    struct pb_segment *segment = NULL;
    enum pb_status status = pb_segment_open(store->env, store->directory, store->store_id, entry,
                                            &segment, error);

    if (status != PB_OK)
        return status;
    *ret_ref = pb_segment_ref_new(store->env, segment);
    if (*ret_ref != NULL)
        return PB_OK;
    pb_segment_close(segment);
    return PB_E_NOMEM;
}

/* The version after the change: segments that stay are shared, added ones are opened. */
static enum pb_status
next_version(struct pb_store *store, const struct pb_change *change,
             const struct pb_manifest *next, struct pb_version **ret_version,
             struct pb_error *error)
{
    struct pb_version *version = NULL;
    struct pb_buffer *buffer = change->buffer != NULL ? change->buffer : store->buffer;
    enum pb_status status = version_new(store, next, buffer, next->segment_count, &version);

    for (uint32_t i = 0; i < store->version->segment_count && status == PB_OK; i++) {
        struct pb_segment_ref *ref = store->version->segments[i];

        if (!is_removed(change, ref->segment->entry.number))
            version->segments[version->segment_count++] = pb_segment_ref_take(ref);
    }
    for (uint32_t i = 0; i < change->added_count && status == PB_OK; i++) {
        struct pb_segment_ref *ref = NULL;

        status = open_segment(store, &change->added[i], &ref, error);
        if (status != PB_OK)
            break;
        version->segments[version->segment_count++] = ref;
        /* It may take the place of others, and was written just now: a look costs little. */
        status = pb_segment_check_indexes(ref->segment, error);
    }
    if (status != PB_OK) {
        pb_version_drop(version);
        return status;
    }
    *ret_version = version;
    return PB_OK;
}

static enum pb_status
sync_segments_directory(const struct pb_store *store, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/segments", store->directory);
    return store->env->files->sync_directory(store->env->file_context, path, error);
}

/* The manifest and the version after a change, complete but for what can fail on disk. */
struct next {
    struct pb_manifest manifest;
    struct pb_version *version; /* owned */
};

static void
next_init(struct next *next, const struct pb_store *store)
{
    next->version = NULL;
    pb_manifest_init(&next->manifest, store->env);
}

static void
next_done(struct next *next)
{
    pb_version_drop(next->version);
    pb_manifest_done(&next->manifest);
}

static enum pb_status
make_next(struct pb_store *store, const struct pb_change *change, struct next *next,
          struct pb_error *error)
{
    struct pb_manifest *manifest = &next->manifest;
    enum pb_status status = PB_OK;

    memcpy(manifest->store_id, store->manifest.store_id, PB_STORE_ID_BYTES);
    manifest->generation = store->manifest.generation + (change->is_memory_only ? 0 : 1);
    manifest->log_first = change->log_first != 0 ? change->log_first : store->manifest.log_first;
    /* Loaders take numbers meanwhile: what the manifest says is a lower bound. */
    (void)pthread_mutex_lock(&store->version_lock);
    manifest->next_segment = store->next_segment;
    (void)pthread_mutex_unlock(&store->version_lock);
    manifest->commit = change->is_memory_only ? store->manifest.commit : store->commit;
    status = next_segments(&store->manifest, change, manifest);
    if (status == PB_OK)
        status = next_erasures(&store->manifest, change, manifest);
    if (status == PB_OK)
        forget_erasures(store, change, manifest);
    if (status == PB_OK)
        status = next_marks(store, change, manifest);
    /* More than there are already are refused; what makes them fewer is not. */
    if (status == PB_OK && manifest->mark_count > store->marks_max &&
        manifest->mark_count > store->manifest.mark_count)
        status = pb_fail(error, PB_OVER_LIMIT,
                         "%s: %u revisions wait to be applied to the reads that they revise; "
                         "`platebase purge` applies them",
                         store->directory, store->manifest.mark_count);
    return status == PB_OK ? next_version(store, change, manifest, &next->version, error) : status;
}

/* Makes what was made current; takes it over. */
static void
adopt(struct pb_store *store, const struct pb_change *change, struct next *next)
{
    if (change->buffer != NULL) {
        pb_buffer_ref(change->buffer);
        pb_buffer_unref(store->buffer);
        store->buffer = change->buffer;
    }
    swap_version(store, next->version);
    next->version = NULL;
    pb_manifest_done(&store->manifest);
    store->manifest = next->manifest;
    pb_manifest_init(&next->manifest, store->env);
}

enum pb_status
pb_store_change(struct pb_store *store, const struct pb_change *change, struct pb_error *error)
{
    struct next next;
    bool is_unknown = false;
    enum pb_status status = PB_OK;

    if (store->is_poisoned)
        return pb_fail(error, PB_E_POISONED,
                       "%s: an earlier write failed; open the store again", store->directory);
    next_init(&next, store);
    status = make_next(store, change, &next, error);
    if (status == PB_OK && change->added_count != 0)
        status = sync_segments_directory(store, error);
    if (status == PB_OK && !change->is_memory_only)
        status = pb_manifest_write(&next.manifest, store->directory, &is_unknown, error);
    if (status == PB_OK)
        adopt(store, change, &next);
    store->is_poisoned = is_unknown;
    for (uint32_t i = 0; i < change->removed_count && status == PB_OK; i++) {
        char path[PB_PATH_BYTES_MAX];

        pb_segment_path(path, sizeof(path), store->directory, change->removed[i]);
        /* Those who ask keep their maps; a file left behind goes at the next opening. */
        (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    }
    next_done(&next);
    return status;
}

/* ---- creating and opening ---- */

static bool
note_any(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    *(bool *)context = true;
    return false;
}

/* path leaves room for the longest name inside. */
static enum pb_status
make_directory(const struct pb_env *env, const char *path, const char *name,
               struct pb_error *error)
{
    char inner[PB_PATH_BYTES_MAX];

    (void)snprintf(inner, sizeof(inner), "%s/%s", path, name);
    return env->files->mkdir(env->file_context, inner, error);
}

/* Makes the entry of path in its parent directory durable. One that was there before may be in a
 * parent that we may not open (a service's state directory): then it is its maker's affair. */
static enum pb_status
sync_parent(const struct pb_env *env, const char *path, bool is_made, struct pb_error *error)
{
    char parent[PB_PATH_BYTES_MAX];
    size_t length = strlen(path);
    enum pb_status status = PB_OK;

    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        (void)snprintf(parent, sizeof(parent), ".");
    else
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)length, path);
    status = env->files->sync_directory(env->file_context, parent, is_made ? error : NULL);
    return is_made ? status : PB_OK;
}

enum pb_status
pb_store_make_directory(const struct pb_env *env, const char *path, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    char lock_path[PB_PATH_BYTES_MAX];
    struct pb_file *lock = NULL;
    bool has_any = false;
    bool is_made = false;
    enum pb_status status = PB_OK;

    if (strlen(path) >= PB_PATH_BYTES_MAX - 64)
        return pb_fail(error, PB_BAD_INPUT, "the path of the store is too long");
    status = files->list(env->file_context, path, note_any, &has_any, error);
    if (status == PB_NOT_FOUND) {
        status = files->mkdir(env->file_context, path, error);
        is_made = true;
    }
    if (status == PB_OK && has_any)
        status = pb_fail(error, PB_E_NOT_STORE,
                         "%s: the directory is not empty; name a new or empty one", path);
    if (status == PB_OK)
        status = sync_parent(env, path, is_made, error);
    if (status != PB_OK)
        return status;
    status = make_directory(env, path, "segments", error);
    if (status == PB_OK)
        status = make_directory(env, path, "log", error);
    if (status == PB_OK)
        status = make_directory(env, path, "tmp", error);
    if (status == PB_OK) {
        (void)snprintf(lock_path, sizeof(lock_path), "%s/lock", path);
        status = files->open(env->file_context, lock_path, PB_OPEN_CREATE, &lock, error);
    }
    files->close(env->file_context, lock);
    /* Not all file systems keep the order in which names were made. */
    if (status == PB_OK)
        status = files->sync_directory(env->file_context, path, error);
    return status;
}

enum pb_status
pb_store_create(const struct pb_env *env, const char *path, struct pb_error *error)
{
    struct pb_manifest manifest;
    bool is_unknown = false;
    enum pb_status status = PB_OK;

    pb_manifest_init(&manifest, env);
    status = pb_store_make_directory(env, path, error);
    if (status == PB_OK)
        status = env->random(env->random_context, manifest.store_id, PB_STORE_ID_BYTES);
    if (status == PB_OK) {
        manifest.generation = 1;
        manifest.next_segment = 1;
        manifest.log_first = 1;
        status = pb_manifest_write(&manifest, path, &is_unknown, error);
    }
    pb_manifest_done(&manifest);
    return status;
}

static enum pb_status
note_missing(struct pb_store *store, const struct pb_segment_entry *entry)
{
    struct pb_segment_entry *larger
        = pb_realloc(store->env, store->missing, (store->missing_count + 1u) * sizeof(*larger));

    if (larger == NULL)
        return PB_E_NOMEM;
    store->missing = larger;
    store->missing[store->missing_count++] = *entry;
    return PB_OK;
}

void
pb_store_tell_missing(const struct pb_store *store, int64_t from_us, int64_t to_us,
                      pb_damage_fn *on_damage, void *context)
{
    for (uint32_t i = 0; i < store->missing_count && on_damage != NULL; i++) {
        const struct pb_segment_entry *entry = &store->missing[i];
        char path[PB_PATH_BYTES_MAX];

        if (entry->captured_max_us < from_us || entry->captured_min_us >= to_us)
            continue;
        pb_segment_path(path, sizeof(path), store->directory, entry->number);
        on_damage(context, path, 0, "the segment cannot be opened");
    }
}

static enum pb_status
open_segments(struct pb_store *store, struct pb_error *error)
{
    struct pb_version *version = NULL;
    enum pb_status status = version_new(store, &store->manifest, store->buffer,
                                        store->manifest.segment_count, &version);

    for (uint32_t i = 0; i < store->manifest.segment_count && status == PB_OK; i++) {
        struct pb_segment_ref *ref = NULL;

        status = open_segment(store, &store->manifest.segments[i], &ref, error);
        if (status == PB_OK)
            version->segments[version->segment_count++] = ref;
        else if (status == PB_E_CORRUPT && store->skips_damaged)
            status = note_missing(store, &store->manifest.segments[i]);
    }
    if (status == PB_OK) {
        store->version = version;
        version = NULL;
    }
    pb_version_drop(version);
    return status;
}

/* Leaves a segment out that opened, and then could not say what it has of the log's reads. */
static enum pb_status
leave_out(struct pb_store *store, uint32_t index)
{
    struct pb_version *version = store->version;
    struct pb_segment_ref *ref = version->segments[index];
    enum pb_status status = note_missing(store, &ref->segment->entry);

    if (status != PB_OK)
        return status;
    pb_segment_ref_drop(ref);
    version->segment_count--;
    for (uint32_t i = index; i < version->segment_count; i++)
        version->segments[i] = version->segments[i + 1];
    return PB_OK;
}

/* ---- judging appended reads ---- */

/* What an append does besides adding rows. */
struct admission {
    enum pb_verdict verdict;
    uint32_t superseded_row;  /* of the buffer, PB_BUFFER_NO_ROW: none */
    struct pb_mark_list *marks; /* borrowed */
};

/* Whether it is worth while to look a read up in a segment. Live reads are newer than nearly all
 * segments, and their events are in none. */
static bool
may_be_in(const struct pb_segment *segment, const struct pb_read *read, uint64_t identity)
{
    bool is_in_time = read->captured_at_us >= segment->entry.captured_min_us &&
                      read->captured_at_us <= segment->entry.captured_max_us;

    return (is_in_time && read->event_id.bytes == 0) ||
           pb_segment_may_have_event(segment, identity);
}

static enum pb_status
judge_append(struct pb_store *store, const struct pb_read *read, struct admission *admission,
             struct pb_error *error)
{
    uint64_t identity = pb_read_identity(read);
    struct pb_known known = { 0 };
    uint64_t segments_known = 0; /* bit i: segment i has the identity; of the first 64 */
    enum pb_status status = PB_OK;

    admission->superseded_row = PB_BUFFER_NO_ROW;
    for (uint32_t row = pb_buffer_first_of_identity(store->buffer, identity);
         row != PB_BUFFER_NO_ROW; row = pb_buffer_next_of_identity(store->buffer, row)) {
        const struct pb_read *stored = pb_buffer_read(store->buffer, row);

        if (!pb_read_same_identity(read, stored))
            continue;
        if (!known.is_there || stored->revision > known.newest_revision)
            admission->superseded_row = row;
        pb_known_add(&known, read, stored);
    }
    for (uint32_t i = 0; i < store->version->segment_count && status == PB_OK; i++) {
        struct pb_segment *segment = store->version->segments[i]->segment;
        struct pb_known here = known;

        pb_segment_filter_events(segment);
        if (!may_be_in(segment, read, identity))
            continue;
        status = pb_segment_find_identity(segment, read, identity, &here, error);
        if (status == PB_E_CORRUPT && store->skips_damaged) {
            status = leave_out(store, i--);
            continue;
        }
        if (here.is_there && (!known.is_there || memcmp(&here, &known, sizeof(here)) != 0))
            segments_known |= UINT64_C(1) << (i & 63);
        known = here;
    }
    if (status != PB_OK)
        return status;
    admission->verdict = pb_judge(read, &known);
    if (admission->verdict != PB_VERDICT_REVISION) {
        admission->superseded_row = PB_BUFFER_NO_ROW;
        return PB_OK;
    }
    for (uint32_t i = 0; i < store->version->segment_count && status == PB_OK; i++) {
        if (segments_known & UINT64_C(1) << (i & 63))
            status = pb_mark_list_add(admission->marks, store->env, read,
                                      store->version->segments[i]->segment->entry.number);
    }
    return status;
}

/* ---- recovering ---- */

struct recovery {
    struct pb_store *store;
    struct pb_mark_list marks; /* owned */
};

static enum pb_status
recover_read(struct recovery *recovery, const struct pb_read *read, struct pb_error *error)
{
    struct pb_store *store = recovery->store;
    struct pb_read copy = *read;
    struct admission admission = { .verdict = PB_VERDICT_NEW,
                                   .superseded_row = PB_BUFFER_NO_ROW,
                                   .marks = &recovery->marks };
    uint32_t row = 0;
    enum pb_status status = PB_OK;

    if (pb_may_revise(read)) {
        status = judge_append(store, read, &admission, error);
        if (status != PB_OK)
            return status;
        if (admission.verdict == PB_VERDICT_DUPLICATE || admission.verdict == PB_VERDICT_CONFLICT)
            return PB_OK;
        copy.is_superseded = admission.verdict == PB_VERDICT_HISTORY;
    }
    status = pb_buffer_add(store->buffer, &copy, &row);
    if (status == PB_OK && admission.superseded_row != PB_BUFFER_NO_ROW)
        pb_buffer_supersede(store->buffer, admission.superseded_row);
    return status;
}

static enum pb_status
recover_record(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    struct recovery *recovery = context;
    size_t at = 0;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < record->count && status == PB_OK; i++) {
        struct pb_record_room room;
        struct pb_read read;
        const char *field = NULL;
        const char *reason = NULL;
        size_t used = 0;

        if (pb_record_decode(record->payload + at, record->payload_bytes - at, &room, &read,
                             &used) != PB_OK
            || pb_read_validate(&read, &field, &reason) != PB_OK)
            return pb_fail(error, PB_E_CORRUPT, "log: read %u of commit %llu does not decode",
                           i + 1, (unsigned long long)record->commit);
        read.received_at_us = record->received_at_us;
        read.commit = record->commit;
        status = recover_read(recovery, &read, error);
        at += used;
    }
    if (status == PB_OK)
        recovery->store->commit = record->commit;
    return status;
}

static enum pb_status
recover(struct pb_store *store, struct pb_error *error)
{
    struct recovery recovery = { .store = store };
    struct pb_change change = { .is_memory_only = true };
    enum pb_status status = PB_OK;

    store->commit = store->manifest.commit;
    status = pb_log_replay(store->env, store->directory, store->manifest.store_id,
                           store->manifest.log_first, recover_record, &recovery, &store->log_end,
                           error);
    if (store->commit < store->manifest.commit)
        store->commit = store->manifest.commit;
    if (store->log_end.number == 0)
        store->log_end.commit = store->commit;
    if (status == PB_OK)
        pb_buffer_publish(store->buffer);
    if (status == PB_OK && recovery.marks.count != 0) {
        change.marks = recovery.marks.marks;
        change.mark_count = recovery.marks.count;
        status = pb_store_change(store, &change, error);
    }
    pb_mark_list_done(&recovery.marks, store->env);
    return status;
}

/* ---- tidying ---- */

struct tidy {
    struct pb_store *store;
    const char *directory;
};

static bool
tidy_name(void *context, const char *name, bool is_directory)
{
    const struct tidy *tidy = context;
    const struct pb_store *store = tidy->store;
    char path[PB_PATH_BYTES_MAX];
    char known[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s/%s", store->directory, tidy->directory, name);

    if (is_directory || (size_t)length >= sizeof(path))
        return true;
    for (uint32_t i = 0; i < store->manifest.segment_count; i++) {
        pb_segment_path(known, sizeof(known), store->directory, store->manifest.segments[i].number);
        if (strcmp(known, path) == 0)
            return true;
    }
    /* Left by a crash or a reader's open file; if it stays now, it goes next time. */
    (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    return true;
}

/* Deletes files that belong to nothing. */
static enum pb_status
tidy_up(struct pb_store *store, struct pb_error *error)
{
    static const char *const directories[] = { "segments", "tmp" };
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]) && status == PB_OK; i++) {
        struct tidy tidy = { store, directories[i] };
        char path[PB_PATH_BYTES_MAX];

        (void)snprintf(path, sizeof(path), "%s/%s", store->directory, directories[i]);
        status = store->env->files->list(store->env->file_context, path, tidy_name, &tidy, error);
        if (status == PB_NOT_FOUND)
            status = pb_fail(error, PB_E_CORRUPT, "%s: the directory is missing", path);
    }
    if (status == PB_OK)
        pb_log_delete_below(store->env, store->directory, store->manifest.log_first);
    return status;
}

static enum pb_status
take_lock(struct pb_store *store, struct pb_error *error)
{
    const struct pb_file_ops *files = store->env->files;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    (void)snprintf(path, sizeof(path), "%s/lock", store->directory);
    status = files->open(store->env->file_context, path, PB_OPEN_WRITE, &store->lock, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE,
                       "%s: not a Platebase store; make one with `platebase init`",
                       store->directory);
    if (status == PB_OK)
        status = files->lock(store->env->file_context, store->lock, error);
    if (status == PB_E_BUSY)
        return pb_fail(error, status, "%s: another process writes to this store; wait for it or "
                       "stop it", store->directory);
    return status;
}

static enum pb_status
init_store(struct pb_store *store, const char *path, const struct pb_store_options *options)
{
    size_t path_bytes = strlen(path) + 1;

    pb_manifest_init(&store->manifest, store->env);
    store->erasures_kept = PB_ERASURES_KEPT;
    store->plates_max = PB_QUERY_PLATES_MAX;
    store->marks_max = PB_MANIFEST_MARKS_MAX;
    store->flush_rows = PB_BUFFER_ROWS_MAX;
    store->is_read_only = options != NULL && options->is_read_only;
    if (options != NULL) {
        store->skips_damaged = options->skips_damaged && store->is_read_only;
        store->has_flusher = options->merge_in_background && !store->is_read_only;
        store->on_removed = options->on_removed;
        store->removed_context = options->removed_context;
    }
    store->memory_bytes = options == NULL || options->memory_bytes == 0
                              ? MEMORY_DEFAULT
                              : (size_t)options->memory_bytes;
    if (store->memory_bytes < MEMORY_MIN)
        store->memory_bytes = MEMORY_MIN;
    /* With default attributes these cannot fail on Linux. */
    (void)pthread_mutex_init(&store->maintenance, NULL);
    (void)pthread_mutex_init(&store->writing, NULL);
    (void)pthread_cond_init(&store->flush_moved, NULL);
    (void)pthread_mutex_init(&store->version_lock, NULL);
    (void)pthread_mutex_init(&store->queue_lock, NULL);
    (void)pthread_cond_init(&store->queue_moved, NULL);
    (void)pthread_mutex_init(&store->background_lock, NULL);
    (void)pthread_cond_init(&store->background_wake, NULL);
    store->directory = pb_alloc(store->env, path_bytes);
    if (store->directory == NULL)
        return PB_E_NOMEM;
    memcpy(store->directory, path, path_bytes);
    return PB_OK;
}

/* Reads manifest, segments and logs. */
static enum pb_status
load(struct pb_store *store, struct pb_error *error)
{
    enum pb_status status = pb_manifest_read(&store->manifest, store->directory, error);

    if (status == PB_OK) {
        store->next_segment = store->manifest.next_segment;
        memcpy(store->store_id, store->manifest.store_id, PB_STORE_ID_BYTES);
        /* Two logs may be waiting: that of the last session and that of this one. */
        status = pb_buffer_new(store->env, 2 * PB_BUFFER_ROWS_MAX + PB_APPEND_READS_MAX,
                               &store->buffer);
    }
    if (status == PB_OK)
        status = open_segments(store, error);
    return status == PB_OK ? recover(store, error) : status;
}

static void
unload(struct pb_store *store)
{
    store->buffer = pb_buffer_unref(store->buffer);
    pb_version_drop(store->version);
    store->version = NULL;
    store->missing_count = 0;
    memset(&store->log_end, 0, sizeof(store->log_end));
}

/*
 * Loads beside a process that may write. It replaces the manifest before it deletes what the one
 * before named, so what was loaded is whole if the manifest is still the same.
 */
static enum pb_status
load_beside_writer(struct pb_store *store, struct pb_error *error)
{
    for (int attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
        struct pb_manifest now;
        bool is_same = false;
        enum pb_status status = load(store, error);

        if (store->version == NULL && store->buffer == NULL)
            return status; /* not even a manifest */
        pb_manifest_init(&now, store->env);
        is_same = pb_manifest_read(&now, store->directory, NULL) == PB_OK
                  && now.generation == store->manifest.generation;
        pb_manifest_done(&now);
        if (is_same || status == PB_E_NOMEM)
            return status;
        unload(store);
    }
    return pb_fail(error, PB_E_BUSY, "%s: another process changes this store all the time",
                   store->directory);
}

enum pb_status
pb_store_open(const struct pb_env *env, const char *path, const struct pb_store_options *options,
              struct pb_store **ret_store, struct pb_error *error)
{
    struct pb_store *store = NULL;
    enum pb_status status = PB_OK;

    /* Room for the longest name inside. */
    if (strlen(path) >= PB_PATH_BYTES_MAX - 64)
        return pb_fail(error, PB_BAD_INPUT, "the path of the store is too long");
    store = pb_calloc(env, 1, sizeof(*store));
    if (store == NULL)
        return PB_E_NOMEM;
    store->env = env;
    status = init_store(store, path, options);
    if (status == PB_OK && !store->is_read_only)
        status = take_lock(store, error);
    if (status == PB_OK)
        status = store->is_read_only ? load_beside_writer(store, error) : load(store, error);
    if (status == PB_OK && !store->is_read_only)
        status = tidy_up(store, error);
    if (status == PB_OK && !store->is_read_only
        && pb_buffer_count(store->buffer) > PB_BUFFER_ROWS_MAX)
        status = pb_store_flush_locked(store, NULL, error);
    if (status == PB_OK && store->has_flusher)
        status = pb_store_start_flusher(store, error);
    if (status == PB_OK && store->has_flusher)
        status = pb_store_start_background(store, error);
    if (status == PB_OK) {
        *ret_store = store;
        store = NULL;
    }
    pb_store_close(store);
    return status;
}

void
pb_store_close(struct pb_store *store)
{
    if (store == NULL)
        return;
    pb_store_stop_background(store);
    pb_store_stop_flusher(store);
    pb_log_close(store->log);
    pb_buffer_unref(store->buffer);
    pb_version_drop(store->version);
    pb_free(store->env, store->missing);
    pb_manifest_done(&store->manifest);
    store->env->files->close(store->env->file_context, store->lock);
    (void)pthread_mutex_destroy(&store->maintenance);
    (void)pthread_mutex_destroy(&store->writing);
    (void)pthread_cond_destroy(&store->flush_moved);
    (void)pthread_mutex_destroy(&store->version_lock);
    (void)pthread_mutex_destroy(&store->queue_lock);
    (void)pthread_cond_destroy(&store->queue_moved);
    (void)pthread_mutex_destroy(&store->background_lock);
    (void)pthread_cond_destroy(&store->background_wake);
    pb_free(store->env, store->directory);
    pb_free(store->env, store);
}

/* ---- appending ---- */

struct pb_append_request {
    const struct pb_read *reads;
    size_t count;
    size_t bytes; /* upper bound of its record */
    enum pb_status *statuses;
    struct pb_append_request *next;
    enum pb_status status;
    struct pb_error error;
    bool is_done; /* guarded by queue_lock */
};

/* What one group commit gathers before it is written. */
struct group {
    uint8_t *payload; /* owned */
    size_t payload_bytes, payload_room;
    struct pb_log_record *records; /* owned: one a request at most */
    uint32_t record_count;
    uint32_t *superseded; /* owned: rows of the buffer */
    uint32_t superseded_count, superseded_room;
    struct pb_mark_list marks; /* owned */
    int64_t now_us;
};

static void
group_done(struct group *group, const struct pb_env *env)
{
    pb_free(env, group->payload);
    pb_free(env, group->records);
    pb_free(env, group->superseded);
    pb_mark_list_done(&group->marks, env);
}

static enum pb_status
group_reserve(struct group *group, const struct pb_env *env)
{
    size_t room = group->payload_room == 0 ? PAYLOAD_FIRST_BYTES : group->payload_room;
    uint8_t *larger = NULL;

    while (room - group->payload_bytes < PB_RECORD_BYTES_MAX)
        room *= 2;
    if (room == group->payload_room)
        return PB_OK;
    larger = pb_realloc(env, group->payload, room);
    if (larger == NULL)
        return PB_E_NOMEM;
    group->payload = larger;
    group->payload_room = room;
    return PB_OK;
}

static enum pb_status
note_superseded(struct group *group, const struct pb_env *env, uint32_t row)
{
    if (row == PB_BUFFER_NO_ROW)
        return PB_OK;
    if (group->superseded_count == group->superseded_room) {
        uint32_t room = group->superseded_room == 0 ? 16 : group->superseded_room * 2;
        uint32_t *larger = pb_realloc(env, group->superseded, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        group->superseded = larger;
        group->superseded_room = room;
    }
    group->superseded[group->superseded_count++] = row;
    return PB_OK;
}

/* Judges one read; where it is to be stored, adds it to the payload and, unpublished, to the
 * buffer. */
static enum pb_status
admit(struct pb_store *store, struct group *group, const struct pb_read *read, uint64_t commit,
      enum pb_status *ret_answer, struct pb_error *error)
{
    struct admission admission = { .marks = &group->marks };
    struct pb_read copy = *read;
    const char *field = NULL;
    const char *reason = NULL;
    uint32_t row = 0;
    enum pb_status status = pb_read_validate(read, &field, &reason);

    if (status != PB_OK) {
        *ret_answer = status;
        return PB_OK;
    }
    if (read->delete_after_us <= group->now_us
        || pb_hidden_is_erased(store->version->hidden, read, PB_SEGMENT_NONE)) {
        *ret_answer = PB_EXPIRED;
        return PB_OK;
    }
    status = judge_append(store, read, &admission, error);
    if (status != PB_OK)
        return status;
    if (admission.verdict == PB_VERDICT_DUPLICATE || admission.verdict == PB_VERDICT_CONFLICT) {
        *ret_answer = admission.verdict == PB_VERDICT_DUPLICATE ? PB_DUPLICATE : PB_CONFLICT;
        return PB_OK;
    }
    copy.is_superseded = admission.verdict == PB_VERDICT_HISTORY;
    copy.received_at_us = group->now_us;
    copy.commit = commit;
    status = group_reserve(group, store->env);
    if (status == PB_OK)
        status = note_superseded(group, store->env, admission.superseded_row);
    if (status == PB_OK)
        status = pb_buffer_add(store->buffer, &copy, &row);
    if (status != PB_OK)
        return status;
    group->payload_bytes += pb_record_encode(&copy, group->payload + group->payload_bytes);
    *ret_answer = PB_OK;
    return PB_OK;
}

/* Judges all reads of a request: they become one record. Payloads are offsets until all are in. */
static enum pb_status
admit_request(struct pb_store *store, struct group *group, struct pb_append_request *request,
              struct pb_error *error)
{
    struct pb_log_record record = { .commit = store->commit + 1,
                                    .received_at_us = group->now_us };
    size_t first = group->payload_bytes;
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < request->count && status == PB_OK; i++) {
        status = admit(store, group, &request->reads[i], record.commit, &request->statuses[i],
                       error);
        if (status == PB_OK && request->statuses[i] == PB_OK)
            record.count++;
    }
    record.payload_bytes = group->payload_bytes - first;
    if (status == PB_OK && record.count != 0) {
        group->records[group->record_count++] = record;
        store->commit++;
    }
    return status;
}

static enum pb_status
need_log(struct pb_store *store, struct pb_error *error)
{
    uint64_t number = store->log_end.number + 1;
    enum pb_status status = PB_OK;

    if (store->log != NULL)
        return PB_OK;
    if (number < store->manifest.log_first)
        number = store->manifest.log_first;
    status = pb_log_create(store->env, store->directory, store->manifest.store_id, number,
                           &store->log_end, &store->log, error);
    /* Whether or not something is appended to it: a flush must know it to do away with it. */
    if (status == PB_OK)
        pb_log_end_of(store->log, &store->log_end);
    return status;
}

/* ret_is_final: on failure, whether a restart may find what was not acknowledged. */
static enum pb_status
write_group(struct pb_store *store, struct group *group, bool *ret_is_final,
            struct pb_error *error)
{
    /* The log brings these marks back after a restart. */
    const struct pb_change change = { .marks = group->marks.marks,
                                      .mark_count = group->marks.count,
                                      .is_memory_only = true };
    const uint8_t *at = group->payload;
    struct next next;
    enum pb_status status = PB_OK;

    /* What a restart found in the log and nobody knows to be synced is carried into the next log:
     * until that is made nobody may be told that it is there ("duplicate"). */
    if (group->record_count == 0
        && (store->log != NULL || store->log_end.bytes == store->log_end.durable_bytes))
        return PB_OK;
    for (uint32_t i = 0; i < group->record_count; i++) {
        group->records[i].payload = at;
        at += group->records[i].payload_bytes;
    }
    status = need_log(store, error);
    *ret_is_final = status == PB_E_POISONED;
    if (status != PB_OK || group->record_count == 0)
        return status;
    next_init(&next, store);
    /* Once it is in the log nothing may fail any more. */
    if (change.mark_count != 0)
        status = make_next(store, &change, &next, error);
    if (status == PB_OK) {
        status = pb_log_append(store->log, group->records, group->record_count, error);
        *ret_is_final = status != PB_OK && status != PB_E_NOMEM;
    }
    if (status == PB_OK) {
        pb_log_end_of(store->log, &store->log_end);
        for (uint32_t i = 0; i < group->superseded_count; i++)
            pb_buffer_supersede(store->buffer, group->superseded[i]);
        pb_buffer_publish(store->buffer);
    }
    if (status == PB_OK && change.mark_count != 0)
        adopt(store, &change, &next);
    next_done(&next);
    return status;
}

/* Puts a buffer of the published rows alone in the place of one that has others, too. */
static enum pb_status
renew_buffer(struct pb_store *store)
{
    struct pb_change change = { .is_memory_only = true };
    struct pb_buffer *buffer = NULL;
    uint32_t count = pb_buffer_count(store->buffer);
    uint32_t row = 0;
    enum pb_status status = pb_store_new_buffer(store, &buffer);

    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        struct pb_read read = *pb_buffer_read(store->buffer, i);

        read.is_superseded = pb_buffer_is_superseded(store->buffer, i);
        status = pb_buffer_add(buffer, &read, &row);
    }
    if (status == PB_OK) {
        pb_buffer_publish(buffer);
        change.buffer = buffer;
        status = pb_store_change(store, &change, NULL);
    }
    pb_buffer_unref(buffer);
    return status;
}

/* Commits the requests of a list, whose reads fit the buffer. The caller holds writing. */
static enum pb_status
commit_group(struct pb_store *store, struct pb_append_request *requests, uint32_t request_count,
             size_t read_count, struct pb_error *error)
{
    struct group group = { 0 };
    uint64_t commit = store->commit;
    bool is_final = false;
    enum pb_status status = pb_store_make_room_locked(store, read_count, error);

    if (status == PB_OK && store->is_poisoned)
        status = pb_fail(error, PB_E_POISONED, "%s: an earlier write failed; open the store again",
                         store->directory);
    if (status != PB_OK)
        return status;
    group.now_us = pb_now_us(store->env);
    group.records = pb_calloc(store->env, request_count, sizeof(*group.records));
    if (group.records == NULL)
        status = PB_E_NOMEM;
    for (struct pb_append_request *request = requests; request != NULL && status == PB_OK;
         request = request->next)
        status = admit_request(store, &group, request, error);
    if (status == PB_OK)
        status = write_group(store, &group, &is_final, error);
    if (status != PB_OK) {
        /* Nothing of the group is visible. Where only memory or a look-up failed, a fresh buffer
         * lets others go on; once the log may have failed nobody can. */
        pb_buffer_retract(store->buffer);
        store->commit = commit;
        if (is_final || renew_buffer(store) != PB_OK)
            store->is_poisoned = true;
    }
    group_done(&group, store->env);
    return status;
}

/* Takes as many waiting requests as one group may hold. The caller holds queue_lock. */
static struct pb_append_request *
take_requests(struct pb_store *store, uint32_t *ret_requests, size_t *ret_reads)
{
    struct pb_append_request *first = store->queue_first;
    struct pb_append_request *last = first;
    size_t reads = first->count;
    size_t bytes = first->bytes;
    uint32_t requests = 1;

    while (last->next != NULL && reads + last->next->count <= PB_APPEND_READS_MAX
           && bytes + last->next->bytes <= GROUP_BYTES_MAX) {
        last = last->next;
        reads += last->count;
        bytes += last->bytes;
        requests++;
    }
    store->queue_first = last->next;
    if (store->queue_first == NULL)
        store->queue_last = NULL;
    last->next = NULL;
    *ret_requests = requests;
    *ret_reads = reads;
    return first;
}

static void
lead(struct pb_store *store)
{
    struct pb_append_request *requests = NULL;
    struct pb_error error = { { 0 } };
    uint32_t request_count = 0;
    size_t read_count = 0;
    enum pb_status status = PB_OK;

    store->has_leader = true;
    requests = take_requests(store, &request_count, &read_count);
    (void)pthread_mutex_unlock(&store->queue_lock);

    (void)pthread_mutex_lock(&store->writing);
    status = commit_group(store, requests, request_count, read_count, &error);
    (void)pthread_mutex_unlock(&store->writing);

    (void)pthread_mutex_lock(&store->queue_lock);
    while (requests != NULL) {
        struct pb_append_request *next = requests->next;

        requests->status = status;
        requests->error = error;
        requests->is_done = true;
        requests = next;
    }
    store->has_leader = false;
    (void)pthread_cond_broadcast(&store->queue_moved);
}

/* Upper bound of the bytes that reads take in the log. Invalid ones are not written. */
static size_t
bound_bytes(const struct pb_read *reads, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        const struct pb_read *read = &reads[i];
        size_t of_read = (size_t)RECORD_REST_BYTES + read->plate.bytes + read->plate_raw.bytes
                         + read->reader.bytes + read->make.bytes + read->model.bytes
                         + read->color.bytes + read->body.bytes + read->event_id.bytes
                         + read->identity_plate.bytes
                         + read->alternate_count * (size_t)(PB_PLATE_BYTES_MAX + 8)
                         + read->image_count * (size_t)(PB_IMAGE_REF_BYTES_MAX + 8);

        bytes += of_read < PB_RECORD_BYTES_MAX ? of_read : PB_RECORD_BYTES_MAX;
    }
    return bytes;
}

enum pb_status
pb_store_append(struct pb_store *store, const struct pb_read *reads, size_t count,
                enum pb_status *ret_statuses, struct pb_error *error)
{
    struct pb_append_request request = { .reads = reads,
                                         .count = count,
                                         .statuses = ret_statuses };

    if (store->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", store->directory);
    if (count == 0)
        return PB_OK;
    if (count > PB_APPEND_READS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u reads in one append",
                       PB_APPEND_READS_MAX);
    request.bytes = bound_bytes(reads, count);
    if (request.bytes > PB_BLOCK_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u bytes in one append; append fewer reads",
                       PB_BLOCK_BYTES_MAX);
    (void)pthread_mutex_lock(&store->queue_lock);
    if (store->queue_last == NULL)
        store->queue_first = &request;
    else
        store->queue_last->next = &request;
    store->queue_last = &request;
    while (!request.is_done) {
        if (store->has_leader)
            (void)pthread_cond_wait(&store->queue_moved, &store->queue_lock);
        else
            lead(store);
    }
    (void)pthread_mutex_unlock(&store->queue_lock);
    if (request.status != PB_OK && error != NULL)
        *error = request.error;
    return request.status;
}

/* ---- erasing, figures ---- */

enum pb_status
pb_store_erase(struct pb_store *store, const struct pb_erasure *erasure, struct pb_error *error)
{
    struct pb_change change = { .erasure = erasure };
    enum pb_status status = PB_OK;

    if (store->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", store->directory);
    if (erasure->from_us >= erasure->to_us)
        return pb_fail(error, PB_BAD_INPUT, "from, to: the window is empty");
    if (erasure->plate.bytes > PB_PLATE_BYTES_MAX || erasure->reader.bytes > PB_READER_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "plate, reader: too long");
    (void)pthread_mutex_lock(&store->writing);
    if (store->manifest.erasure_count >= PB_ERASURES_MAX)
        status = pb_fail(error, PB_OVER_LIMIT, "%u erasures wait to be applied; purge the store",
                         PB_ERASURES_MAX);
    else
        status = pb_store_change(store, &change, error);
    (void)pthread_mutex_unlock(&store->writing);
    return status;
}

struct sizes {
    const struct pb_store *store;
    const char *directory;
    uint64_t bytes;
};

static bool
add_size(void *context, const char *name, bool is_directory)
{
    struct sizes *sizes = context;
    const struct pb_env *env = sizes->store->env;
    char path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    uint64_t bytes = 0;
    int length = snprintf(path, sizeof(path), "%s/%s%s", sizes->store->directory,
                          sizes->directory, name);

    if (is_directory || (size_t)length >= sizeof(path))
        return true;
    /* A file may vanish meanwhile: then it has no size. */
    if (env->files->open(env->file_context, path, PB_OPEN_READ, &file, NULL) == PB_OK
        && env->files->size(env->file_context, file, &bytes, NULL) == PB_OK)
        sizes->bytes += bytes;
    env->files->close(env->file_context, file);
    return true;
}

static enum pb_status
measure(const struct pb_store *store, const char *inner, uint64_t *bytes, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char prefix[16];
    struct sizes sizes = { .store = store, .directory = prefix };
    enum pb_status status = PB_OK;

    (void)snprintf(path, sizeof(path), "%s/%s", store->directory, inner);
    (void)snprintf(prefix, sizeof(prefix), inner[0] == '\0' ? "%s" : "%s/", inner);
    status = store->env->files->list(store->env->file_context, path, add_size, &sizes, error);
    *bytes += sizes.bytes;
    return status;
}

static uint64_t
count_partitions(const struct pb_version *version)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < version->segment_count; i++) {
        const struct pb_segment_entry *entry = &version->segments[i]->segment->entry;
        bool is_first = true;

        for (uint32_t j = 0; j < i && is_first; j++) {
            const struct pb_segment_entry *other = &version->segments[j]->segment->entry;

            is_first = other->month != entry->month
                       || other->retention_days != entry->retention_days;
        }
        count += is_first;
    }
    return count;
}

/* Erasures whose reads may still be on disk. The caller holds writing. */
static uint64_t
count_pending_erasures(const struct pb_store *store)
{
    const struct pb_manifest *manifest = &store->manifest;
    uint64_t count = 0;

    for (uint32_t i = 0; i < manifest->erasure_count; i++)
        count += is_pending(manifest, &manifest->erasures[i])
                 || pb_buffer_count(store->buffer) != 0;
    return count;
}

enum pb_status
pb_store_stats(struct pb_store *store, struct pb_store_stats *ret_stats, struct pb_error *error)
{
    struct pb_version *version = pb_store_version(store);
    struct pb_store_stats stats = { .oldest_us = INT64_MAX, .newest_us = INT64_MIN };
    uint32_t buffered = pb_buffer_count(version->buffer);
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < version->segment_count; i++) {
        const struct pb_segment *segment = version->segments[i]->segment;

        stats.reads += segment->entry.rows;
        stats.plates += segment->tables[PB_TABLE_PLATES].rows + segment->tables[PB_TABLE_LONG].rows;
        stats.memory_bytes += pb_segment_memory(segment);
        if (segment->entry.captured_min_us < stats.oldest_us)
            stats.oldest_us = segment->entry.captured_min_us;
        if (segment->entry.captured_max_us > stats.newest_us)
            stats.newest_us = segment->entry.captured_max_us;
    }
    for (uint32_t row = 0; row < buffered; row++) {
        const struct pb_read *read = pb_buffer_read(version->buffer, row);

        if (read->captured_at_us < stats.oldest_us)
            stats.oldest_us = read->captured_at_us;
        if (read->captured_at_us > stats.newest_us)
            stats.newest_us = read->captured_at_us;
        /* A plate of the buffer counts where it is the first of its plate there. */
        stats.plates += pb_buffer_next_of_plate(version->buffer, row) == PB_BUFFER_NO_ROW;
    }
    stats.reads += buffered;
    stats.buffered_reads = buffered;
    stats.segments = version->segment_count;
    stats.partitions = count_partitions(version);
    stats.memory_bytes += pb_buffer_bytes(version->buffer);
    pb_version_drop(version);

    status = measure(store, "", &stats.bytes, error);
    if (status == PB_OK)
        status = measure(store, "segments", &stats.bytes, error);
    if (status == PB_OK)
        status = measure(store, "log", &stats.bytes, error);
    (void)pthread_mutex_lock(&store->writing);
    stats.erasures = count_pending_erasures(store);
    stats.commit = store->commit;
    (void)pthread_mutex_unlock(&store->writing);
    if (status == PB_OK)
        *ret_stats = stats;
    return status;
}
