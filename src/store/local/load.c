/*
 * Loading: reads are gathered in one stage, which all lanes fill side by side; when it is full, or
 * a lane is finished, the lane that finds it so writes it while the others wait.
 *
 * A stage is compared with the segments that the store has, written, and before its segments become
 * current compared with those that came meanwhile: what they have in common is taken out again.
 *
 * Reads that are found by an event id repeat and revise one another whatever their plates. Those
 * that may do so (suspects.h), and are not simply there already, are few as a rule: they are left
 * out of the stage's segments, and written after them as runs, in order of arrival. So are
 * corrections, which each lane gathers in a run of its own, for they must find what they correct.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "read/read.h"
#include "store/local/local.h"
#include "store/local/merge.h"
#include "store/local/run.h"
#include "store/local/stage.h"

#define APPEND_ROWS_MAX PB_STAGE_FEW_ROWS /* so few go into the log rather than into segments */
#define APPEND_BATCH 512u
#define ADD_BATCH 256u                /* reads that are added to the stage at one time */
#define SUSPECT_BYTES 256u            /* of a suspect in a run, but for its texts, about */
#define SUSPECTS_MIN 4096u            /* of a run, whatever the memory */
#define RUN_BYTES ((uint64_t)1 << 30) /* likewise, or of like ones the mean */
#define JUDGED_PARTS 32u              /* after which what was compared with is let go from memory */
#define EXPIRED_REASON "its delete_after has passed, or it was erased"

struct pb_lane {
    struct pb_loader *loader; /* borrowed */
    unsigned number;
    struct pb_run *run;       /* owned; of corrections; NULL between runs */
    struct pb_hidden *hidden; /* owned: erasures that the run's reads were checked against */
    struct pb_load_counts counts;
    int64_t now_us;
    bool has_written; /* a segment of a run: later small runs go the same way */
};

struct pb_loader {
    const struct pb_env *env;
    struct pb_store *store; /* borrowed */
    struct pb_lane *lanes;  /* owned */
    unsigned lane_count;
    size_t lane_bytes; /* budget of a lane */
    uint64_t run_bytes_max;
    pb_reject_fn *on_reject;
    void *context;
    pthread_mutex_t reject_lock;
    struct pb_run_commit commit; /* of all segments; its number is 0 until one is written;
                                    guarded by the store's writing */

    pthread_mutex_t gate;
    pthread_cond_t gate_moved;
    unsigned adding; /* lanes that are adding to the stage; guarded by gate */
    bool is_writing; /* a lane writes the stage, and has it for itself; likewise */
    uint64_t number; /* of the stage, 0 where there is none; likewise */
    uint64_t number_last;
    /* Made at the gate, then only looked at by lanes that are adding: */
    struct pb_stage *stage;   /* owned; NULL between stages */
    struct pb_hidden *hidden; /* owned: erasures that the stage's reads were checked against */
    int64_t now_us;
    /* Of whoever writes: */
    struct pb_load_counts counts;
    bool has_written;     /* a stage: later small ones go the same way */
    struct pb_crew *crew; /* borrowed: encodes runs while the loader is finished; else NULL */
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
    /* Sorting needs room for pairs, and writing for the second orders, but not at one time. */
    loader->run_bytes_max = loader->lane_bytes / 2;
    if (loader->run_bytes_max > RUN_BYTES)
        loader->run_bytes_max = RUN_BYTES;
    (void)pthread_mutex_init(&loader->reject_lock, NULL);
    (void)pthread_mutex_init(&loader->gate, NULL);
    (void)pthread_cond_init(&loader->gate_moved, NULL);
    loader->lanes = pb_calloc(store->env, lane_count, sizeof(*loader->lanes));
    if (loader->lanes == NULL) {
        pb_loader_free(loader);
        return PB_E_NOMEM;
    }
    loader->lane_count = lane_count;
    (void)pthread_mutex_lock(&store->writing);
    store->loader_count++;
    (void)pthread_mutex_unlock(&store->writing);
    for (unsigned i = 0; i < lane_count; i++) {
        loader->lanes[i].loader = loader;
        loader->lanes[i].number = i;
    }
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
    pb_stage_free(loader->stage);
    pb_hidden_free(loader->hidden);
    (void)pthread_cond_destroy(&loader->gate_moved);
    (void)pthread_mutex_destroy(&loader->gate);
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
    struct pb_load_counts sum = loader->counts;

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

/* Each read of a run may make as many marks as segments have others of its identity: seldom more
 * than two, for which pb_store_settle_marks() sees to room. */
static uint64_t
run_rows_max(const struct pb_store *store)
{
    return store->marks_max / 4;
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
                                    .commit_count = 1,
                                    .crew = lane->loader->crew };

    return pb_run_write(lane->run, &target, pb_store_take_number, store, ret_entries, ret_count,
                        error);
}

/* The one commit of the load. The caller holds writing. */
static struct pb_run_commit
commit_locked(struct pb_loader *loader)
{
    if (loader->commit.commit == 0) {
        loader->commit.commit = ++loader->store->commit;
        loader->commit.received_us = pb_now_us(loader->env);
    }
    return loader->commit;
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

/* Sorts, compares, writes and publishes the lane's run, which can only be freed then. */
static enum pb_status
write_events(struct pb_lane *lane, struct pb_error *error)
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

    if (status == PB_OK)
        status = pb_store_settle_marks(store, error);
    if (status != PB_OK)
        goto out;
    (void)pthread_mutex_lock(&store->writing);
    commit = commit_locked(loader);
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
    return status;
}

static void
end_run(struct pb_lane *lane)
{
    pb_run_free(lane->run);
    lane->run = NULL;
    pb_hidden_free(lane->hidden);
    lane->hidden = NULL;
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
append_run(struct pb_lane *lane, const struct pb_run *run, struct pb_error *error)
{
    const struct pb_env *env = lane->loader->env;
    uint64_t rows = pb_run_rows(run);
    struct pb_run_room *rooms = pb_calloc(env, APPEND_BATCH, sizeof(*rooms));
    struct pb_read *reads = pb_calloc(env, APPEND_BATCH, sizeof(*reads));
    enum pb_status *answers = pb_calloc(env, APPEND_BATCH, sizeof(*answers));
    enum pb_status status = rooms == NULL || reads == NULL || answers == NULL ? PB_E_NOMEM : PB_OK;

    if (status == PB_OK)
        status = pb_store_settle_marks(lane->loader->store, error);
    for (uint64_t first = 0; first < rows && status == PB_OK; first += APPEND_BATCH) {
        size_t count = (size_t)(rows - first < APPEND_BATCH ? rows - first : APPEND_BATCH);

        for (size_t i = 0; i < count; i++)
            pb_run_read(run, first + i, &rooms[i], &reads[i]);
        status = pb_store_append(lane->loader->store, reads, count, answers, error);
        for (size_t i = 0; i < count && status == PB_OK; i++)
            count_answer(lane, &reads[i], answers[i]);
    }
    pb_free(env, rooms);
    pb_free(env, reads);
    pb_free(env, answers);
    return status;
}

static enum pb_status
append_run_of_lane(struct pb_lane *lane, struct pb_error *error)
{
    enum pb_status status = append_run(lane, lane->run, error);

    end_run(lane);
    return status;
}

/* ---- the stage becomes segments ---- */

static bool
has_segment(const struct pb_version *version, const struct pb_segment_ref *segment)
{
    for (uint32_t i = 0; i < version->segment_count; i++) {
        if (version->segments[i] == segment)
            return true;
    }
    return false;
}

/* A stage being written. */
struct stage_writing {
    struct pb_loader *loader;
    struct pb_version *version;   /* with whose segments its reads are compared */
    struct pb_suspects *suspects; /* owned; NULL where there are no events */
    struct pb_load_counts counts;
    uint64_t suspected; /* rows that are suspects */
    uint64_t held_back; /* of these, rows that are in doubt when the stage is written */
    uint64_t left_out;  /* other events, that were written, and taken out again */
    uint32_t judged_parts;
};

static enum pb_status
hold_back(void *context, uint64_t identity)
{
    struct stage_writing *writing = context;

    writing->held_back++;
    return pb_suspects_hold_back(writing->suspects, identity);
}

static enum pb_status
judge_part(void *context, struct pb_run *part, struct pb_error *error)
{
    struct stage_writing *writing = context;
    struct pb_run_reject reject = { tell_reject, writing->loader };
    struct pb_mark_list marks = { 0 };
    bool has_changed = false;
    enum pb_status status = PB_OK;

    pb_run_drop_repeats(part, &reject, &writing->counts);
    for (uint32_t i = 0; i < writing->version->segment_count && status == PB_OK; i++) {
        status = pb_run_join(part, writing->version->segments[i]->segment, &reject,
                             &writing->counts, &marks, &has_changed, error);
    }
    if (status == PB_OK)
        status = pb_run_hold_back(part, hold_back, writing, &writing->suspected);
    for (uint32_t i = 0; i < writing->version->segment_count &&
                         writing->judged_parts % JUDGED_PARTS == JUDGED_PARTS - 1;
         i++)
        pb_segment_forget(writing->version->segments[i]->segment);
    writing->judged_parts++;
    writing->counts.stored += pb_run_rows_left(part);
    return status;
}

/* Writes one of the stage's segments again, without some rows. The old file is deleted. */
static enum pb_status
leave_out_rows(const struct stage_writing *writing, struct pb_segment *segment,
               const uint64_t *rows, uint64_t count, struct pb_segment_entry *entry,
               struct pb_error *error)
{
    struct pb_store *store = writing->loader->store;
    struct pb_merge_options options = { .directory = store->directory,
                                        .store_id = store->store_id,
                                        .number = pb_store_take_number(store),
                                        .memory_bytes = store->memory_bytes / 4,
                                        .now_us = writing->loader->now_us,
                                        .hidden = writing->loader->hidden,
                                        .left_out = rows,
                                        .left_out_count = count };
    struct pb_segment_entry made = { 0 };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = pb_merge(store->env, &options, &segment, 1, &made, error);

    if (status != PB_OK)
        return status;
    pb_segment_path(path, sizeof(path), store->directory, entry->number);
    (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    *entry = made;
    return PB_OK;
}

/* Takes out of one of the stage's segments what another one says, too. */
static enum pb_status
leave_out_common(struct stage_writing *writing, const struct pb_segment *other,
                 struct pb_segment_entry *entry, struct pb_error *error)
{
    struct pb_store *store = writing->loader->store;
    struct pb_run_reject reject = { tell_reject, writing->loader };
    struct pb_segment *segment = NULL;
    uint64_t *rows = NULL;
    uint64_t count = 0;
    enum pb_status status =
        pb_segment_open(store->env, store->directory, store->store_id, entry, &segment, error);

    if (status == PB_OK)
        status = pb_run_common_rows(store->env, segment, other, &reject, &writing->counts, &rows,
                                    &count, error);
    if (status == PB_OK && count != 0)
        status = leave_out_rows(writing, segment, rows, count, entry, error);
    if (status == PB_OK)
        writing->counts.stored -= count;
    pb_segment_close(segment);
    pb_free(store->env, rows);
    return status;
}

/* Takes out of one of the stage's segments the events that another one may have, too. They are
 * judged with the other suspects. */
static enum pb_status
leave_out_events(struct stage_writing *writing, const struct pb_segment *other,
                 struct pb_segment_entry *entry, struct pb_error *error)
{
    struct pb_store *store = writing->loader->store;
    struct pb_segment *segment = NULL;
    uint64_t *rows = NULL;
    uint64_t count = 0;
    enum pb_status status = PB_OK;

    if (writing->suspects == NULL || other->tables[PB_TABLE_EVENTS].rows == 0)
        return PB_OK;
    status = pb_segment_open(store->env, store->directory, store->store_id, entry, &segment, error);
    if (status == PB_OK)
        status = pb_suspects_add_common(writing->suspects, segment, other, &rows, &count, error);
    if (status == PB_OK && count != 0)
        status = leave_out_rows(writing, segment, rows, count, entry, error);
    if (status == PB_OK) {
        writing->counts.stored -= count;
        writing->left_out += count;
    }
    pb_segment_close(segment);
    pb_free(store->env, rows);
    return status;
}

/* Makes the stage's segments current. The caller holds writing. */
static enum pb_status
publish_stage_locked(struct stage_writing *writing, struct pb_segment_entry *entries,
                     uint32_t *count, struct pb_error *error)
{
    struct pb_store *store = writing->loader->store;
    struct pb_change change = { .applied = writing->loader->hidden, .added = entries };
    enum pb_status status = PB_OK;

    /* What was appended meanwhile is compared as a segment, too. */
    if (pb_buffer_count(store->buffer) != 0)
        status = pb_store_flush_locked(store, NULL, error);
    for (uint32_t i = 0; i < store->version->segment_count && status == PB_OK; i++) {
        if (has_segment(writing->version, store->version->segments[i]))
            continue;
        for (uint32_t e = 0; e < *count && status == PB_OK; e++) {
            const struct pb_segment *other = store->version->segments[i]->segment;

            status = leave_out_common(writing, other, &entries[e], error);
            if (status == PB_OK && entries[e].rows != 0)
                status = leave_out_events(writing, other, &entries[e], error);
            if (status == PB_OK && entries[e].rows == 0)
                entries[e--] = entries[--*count];
        }
    }
    if (status != PB_OK)
        return status;
    change.added_count = *count;
    return pb_store_change(store, &change, error);
}

/* ---- events of a stage that may not be alone ---- */

/* Finds them among those of the stage and of the store. */
static enum pb_status
find_suspects(struct stage_writing *writing, struct pb_error *error)
{
    struct pb_loader *loader = writing->loader;
    struct pb_store *store = loader->store;
    const struct pb_version *version = writing->version;
    struct pb_segment **segments = NULL;
    char path[PB_PATH_BYTES_MAX];
    bool has_events = false;
    enum pb_status status = PB_OK;

    if (pb_stage_events(loader->stage) == 0)
        return PB_OK;
    segments = pb_calloc(store->env, version->segment_count + 1u, sizeof(*segments));
    if (segments == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < version->segment_count; i++) {
        segments[i] = version->segments[i]->segment;
        has_events = has_events || segments[i]->tables[PB_TABLE_EVENTS].rows != 0;
    }
    (void)snprintf(path, sizeof(path), "%s/tmp/%08llu.suspects", store->directory,
                   (unsigned long long)pb_store_take_number(store));
    status = pb_suspects_new(store->env, path, store->memory_bytes / 8,
                             pb_stage_events(loader->stage), &writing->suspects);
    if (status == PB_OK && !has_events)
        status = pb_stage_sift(loader->stage, writing->suspects, error);
    if (status == PB_OK)
        status = pb_stage_identities(loader->stage, writing->suspects, error);
    if (status == PB_OK)
        status = pb_suspects_find(writing->suspects, segments, version->segment_count, error);
    pb_free(store->env, segments);
    return status;
}

/* Counts the rows that are to be judged. All other suspects are stored already as they are. */
static enum pb_status
count_suspects(struct stage_writing *writing, uint64_t *ret_rows, uint64_t *ret_tail_bytes,
               struct pb_error *error)
{
    enum pb_status status = PB_OK;

    *ret_rows = 0;
    *ret_tail_bytes = 0;
    if (writing->held_back + writing->left_out != 0)
        status = pb_stage_count_suspects(writing->loader->stage, writing->suspects, ret_rows,
                                         ret_tail_bytes, error);
    writing->counts.duplicate += writing->suspected + writing->left_out - *ret_rows;
    return status;
}

/* In how many like runs they are judged: as many as memory wants, and the marks that each makes. */
static uint32_t
count_runs(const struct pb_store *store, uint64_t rows, uint64_t tail_bytes)
{
    uint64_t bytes_max = store->memory_bytes / 4 + (uint64_t)SUSPECTS_MIN * SUSPECT_BYTES;
    uint64_t by_bytes = 0;
    uint64_t by_marks = rows / run_rows_max(store);

    bytes_max = bytes_max < RUN_BYTES ? bytes_max : RUN_BYTES;
    by_bytes = (rows * SUSPECT_BYTES + tail_bytes) / bytes_max;
    return (uint32_t)(by_bytes > by_marks ? by_bytes : by_marks) + 1;
}

/* Judges, writes and publishes them. The stage is current. */
static enum pb_status
write_suspects(struct stage_writing *writing, struct pb_error *error)
{
    struct pb_loader *loader = writing->loader;
    uint64_t rows = 0;
    uint64_t tail_bytes = 0;
    uint32_t runs = 0;
    enum pb_status status = count_suspects(writing, &rows, &tail_bytes, error);

    if (rows == 0)
        return status;
    runs = count_runs(loader->store, rows, tail_bytes);
    for (uint32_t i = 0; i < runs; i++) {
        struct pb_lane lane = { .loader = loader, .hidden = loader->hidden };

        status = pb_stage_suspects(loader->stage, writing->suspects, i, runs, PB_RUN_BYTES_MAX,
                                   &lane.run, error);
        if (status == PB_OK && pb_run_rows(lane.run) != 0)
            status = write_events(&lane, error);
        pb_run_free(lane.run);
        if (status != PB_OK)
            return status;
        writing->counts.stored += lane.counts.stored;
        writing->counts.duplicate += lane.counts.duplicate;
        writing->counts.conflict += lane.counts.conflict;
    }
    return PB_OK;
}

/* Of the store's memory what its segments leave: each keeps its readers and words. */
static size_t
memory_left(struct pb_store *store)
{
    struct pb_version *version = pb_store_version(store);
    size_t taken = 0;

    for (uint32_t i = 0; i < version->segment_count; i++)
        taken += pb_segment_memory(version->segments[i]->segment);
    pb_version_drop(version);
    return taken < store->memory_bytes / 2 ? store->memory_bytes - taken : store->memory_bytes / 2;
}

/* Writes and publishes a stage. */
static enum pb_status
write_segments(struct pb_loader *loader, struct pb_error *error)
{
    struct pb_store *store = loader->store;
    struct stage_writing writing = { .loader = loader };
    struct pb_run_commit commit = { 0 };
    struct pb_stage_target target = { .run = { .directory = store->directory,
                                               .store_id = store->store_id,
                                               .memory_bytes = memory_left(store) / 2,
                                               .commits = &commit,
                                               .commit_count = 1 },
                                      .take_number = pb_store_take_number,
                                      .number_context = store,
                                      .judge = judge_part,
                                      .judge_context = &writing };
    struct pb_segment_entry *entries = NULL;
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&store->writing);
    commit = commit_locked(loader);
    (void)pthread_mutex_unlock(&store->writing);
    writing.version = pb_store_version(store);
    /* Lanes wait meanwhile, so their processors are free. */
    if (loader->lane_count > 1)
        status = pb_crew_new(loader->env, loader->lane_count - 1, &target.crew);
    if (status == PB_OK)
        status = find_suspects(&writing, error);
    target.suspects = writing.suspects;
    if (status == PB_OK)
        status = pb_stage_write(loader->stage, &target, &entries, &count, error);
    pb_crew_free(target.crew);
    if (status != PB_OK)
        goto out;
    (void)pthread_mutex_lock(&store->writing);
    status = publish_stage_locked(&writing, entries, &count, error);
    /* Where the manifest may name the files already they stay: the next opening tells. */
    if (status != PB_OK && store->is_poisoned)
        count = 0;
    (void)pthread_mutex_unlock(&store->writing);
    if (status != PB_OK)
        goto out;
    pb_free(store->env, entries);
    entries = NULL;
    count = 0;
    status = write_suspects(&writing, error);

out:
    if (status != PB_OK) {
        discard(store, entries, count);
    } else {
        loader->counts.stored += writing.counts.stored;
        loader->counts.duplicate += writing.counts.duplicate;
        loader->counts.conflict += writing.counts.conflict;
        loader->has_written = true;
        pb_store_ask_background(store);
    }
    pb_suspects_free(writing.suspects);
    pb_version_drop(writing.version);
    return status;
}

static enum pb_status
append_stage(struct pb_loader *loader, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < loader->lane_count && status == PB_OK; i++) {
        struct pb_run *run = NULL;

        if (pb_stage_lane_rows(loader->stage, i) == 0)
            continue;
        status = pb_stage_run(loader->stage, i, &run);
        if (status == PB_OK)
            status = append_run(&loader->lanes[i], run, error);
        pb_run_free(run);
    }
    return status;
}

/* ---- the gate ---- */

/* Waits until nobody writes, and sees to it that there is a stage. */
static enum pb_status
enter(struct pb_loader *loader)
{
    struct pb_store *store = loader->store;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&loader->gate);
    while (loader->is_writing)
        (void)pthread_cond_wait(&loader->gate_moved, &loader->gate);
    if (loader->stage == NULL) {
        loader->now_us = pb_now_us(loader->env);
        (void)pthread_mutex_lock(&store->writing);
        status = pb_hidden_new(loader->env, &store->manifest, &loader->hidden);
        (void)pthread_mutex_unlock(&store->writing);
        if (status == PB_OK)
            status = pb_stage_new(loader->env, store->directory, pb_store_take_number(store),
                                  loader->lane_count, memory_left(store) / 8 * 3, &loader->stage);
        if (status == PB_OK) {
            loader->number = ++loader->number_last;
        } else {
            pb_hidden_free(loader->hidden);
            loader->hidden = NULL;
        }
    }
    if (status == PB_OK)
        loader->adding++;
    (void)pthread_mutex_unlock(&loader->gate);
    return status;
}

static void
leave(struct pb_loader *loader)
{
    (void)pthread_mutex_lock(&loader->gate);
    loader->adding--;
    (void)pthread_cond_broadcast(&loader->gate_moved);
    (void)pthread_mutex_unlock(&loader->gate);
}

static uint64_t
stage_number(struct pb_loader *loader)
{
    uint64_t number = 0;

    (void)pthread_mutex_lock(&loader->gate);
    number = loader->number;
    (void)pthread_mutex_unlock(&loader->gate);
    return number;
}

/* Writes the stage of that number unless another lane did. Other lanes wait. */
static enum pb_status
write_stage(struct pb_loader *loader, uint64_t number, struct pb_error *error)
{
    bool is_mine = false;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&loader->gate);
    while (loader->is_writing)
        (void)pthread_cond_wait(&loader->gate_moved, &loader->gate);
    if (number != 0 && number == loader->number) {
        loader->is_writing = true;
        is_mine = true;
        while (loader->adding > 0)
            (void)pthread_cond_wait(&loader->gate_moved, &loader->gate);
    }
    (void)pthread_mutex_unlock(&loader->gate);
    if (!is_mine)
        return PB_OK;

    if (!loader->has_written && pb_stage_rows(loader->stage) <= APPEND_ROWS_MAX)
        status = append_stage(loader, error);
    else
        status = write_segments(loader, error);
    pb_stage_free(loader->stage);
    loader->stage = NULL;
    pb_hidden_free(loader->hidden);
    loader->hidden = NULL;
    (void)pthread_mutex_lock(&loader->gate);
    loader->is_writing = false;
    loader->number = 0;
    (void)pthread_cond_broadcast(&loader->gate_moved);
    (void)pthread_mutex_unlock(&loader->gate);
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
    if (status != PB_OK) {
        pb_run_free(lane->run);
        lane->run = NULL;
    }
    return status;
}

static bool
is_run_full(const struct pb_lane *lane)
{
    return lane->run != NULL && (pb_run_memory(lane->run) >= lane->loader->run_bytes_max ||
                                 pb_run_rows(lane->run) >= run_rows_max(lane->loader->store));
}

static void
count_expired(struct pb_lane *lane, const struct pb_read *read)
{
    lane->counts.rejected++;
    tell_reject(lane->loader, read, PB_EXPIRED, EXPIRED_REASON);
}

static enum pb_status
add_event(struct pb_lane *lane, const struct pb_read *read)
{
    if (lane->run == NULL) {
        enum pb_status status = begin_run(lane);

        if (status != PB_OK)
            return status;
    }
    if (read->delete_after_us <= lane->now_us ||
        pb_hidden_is_erased(lane->hidden, read, PB_SEGMENT_NONE)) {
        count_expired(lane, read);
        return PB_OK;
    }
    return pb_run_add(lane->run, read, 0);
}

/* Whether a read goes into the stage as it is; one that does not is dealt with. */
static enum pb_status
is_for_stage(struct pb_lane *lane, const struct pb_read *read, bool *ret_is)
{
    const struct pb_loader *loader = lane->loader;

    *ret_is = false;
    if (read->is_correction)
        return add_event(lane, read);
    *ret_is = read->delete_after_us > loader->now_us &&
              !pb_hidden_is_erased(loader->hidden, read, PB_SEGMENT_NONE);
    if (!*ret_is)
        count_expired(lane, read);
    return PB_OK;
}

/* The caller is through the gate. */
static enum pb_status
add_reads(struct pb_lane *lane, const struct pb_read *reads, size_t count, struct pb_error *error)
{
    struct pb_stage *stage = lane->loader->stage;
    size_t first = 0; /* of those that go into the stage together */
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && status == PB_OK; i++) {
        bool is_for = false;

        status = is_for_stage(lane, &reads[i], &is_for);
        if (is_for || status != PB_OK)
            continue;
        status = pb_stage_add(stage, lane->number, reads + first, i - first, error);
        first = i + 1;
    }
    return status == PB_OK ? pb_stage_add(stage, lane->number, reads + first, count - first, error)
                           : status;
}

/* Writes the stage and then the lane's run. */
static enum pb_status
write_lane(struct pb_lane *lane, struct pb_error *error)
{
    enum pb_status status = write_stage(lane->loader, stage_number(lane->loader), error);

    if (status != PB_OK || lane->run == NULL)
        return status;
    if (!lane->has_written && pb_run_rows(lane->run) <= APPEND_ROWS_MAX)
        return append_run_of_lane(lane, error);
    status = write_events(lane, error);
    end_run(lane);
    return status;
}

enum pb_status
pb_lane_add_valid(struct pb_lane *lane, const struct pb_read *reads, size_t count,
                  struct pb_error *error)
{
    enum pb_status status = PB_OK;

    while (count > 0 && status == PB_OK) {
        size_t batch = count < ADD_BATCH ? count : ADD_BATCH;
        uint64_t number = 0;
        bool is_full = false;

        status = enter(lane->loader);
        if (status != PB_OK)
            break;
        status = add_reads(lane, reads, batch, error);
        is_full = pb_stage_is_full(lane->loader->stage);
        number = lane->loader->number;
        leave(lane->loader);
        if (status == PB_OK && is_full)
            status = write_stage(lane->loader, number, error);
        if (status == PB_OK && is_run_full(lane))
            status = write_lane(lane, error);
        reads += batch;
        count -= batch;
    }
    return status;
}

enum pb_status
pb_lane_add(struct pb_lane *lane, const struct pb_read *reads, size_t count, struct pb_error *error)
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
    return write_lane(lane, error);
}

enum pb_status
pb_loader_finish(struct pb_loader *loader, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (loader->lane_count > 1)
        status = pb_crew_new(loader->env, loader->lane_count - 1, &loader->crew);
    for (unsigned i = 0; i < loader->lane_count && status == PB_OK; i++)
        status = write_lane(&loader->lanes[i], error);
    pb_crew_free(loader->crew);
    loader->crew = NULL;
    return status;
}
