/*
 * Restamp: first only the columns that fn may look at are read, for what would change; most
 * segments need no more than that.
 */
#include "store/local/restamp.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "plate/plate_code.h"
#include "store/local/local.h"
#include "store/local/merge.h"
#include "store/local/run.h"

int64_t
pb_restamp_date(pb_restamp_fn *fn, void *context, const struct pb_read *read)
{
    int64_t date = fn(context, read);

    if (date == PB_NEVER)
        return date;
    if (date < PB_TIME_MIN_US)
        return PB_TIME_MIN_US;
    return date < PB_TIME_MAX_US ? date : PB_TIME_MAX_US - 1;
}

/* Columns that are decoded. */
enum { COLUMN_TIME, COLUMN_CONTEXT, COLUMN_KEEP, COLUMN_FLAGS, COLUMN_LAT, COLUMN_LON, COLUMNS };
static const uint32_t column_numbers[COLUMNS] = {
    [COLUMN_TIME] = PB_READS_TIME, [COLUMN_CONTEXT] = PB_READS_CONTEXT,
    [COLUMN_KEEP] = PB_READS_KEEP, [COLUMN_FLAGS] = PB_READS_FLAGS,
    [COLUMN_LAT] = PB_READS_LAT,   [COLUMN_LON] = PB_READS_LON,
};

struct scan {
    const struct pb_segment *segment;
    int64_t now_us;
    pb_restamp_fn *fn;
    void *context;
    struct pb_restamp_plan *plan;
    uint32_t block_number; /* UINT32_MAX: none is decoded */
    int64_t values[COLUMNS][PB_BLOCK_ROWS_MAX];
    struct pb_error *error;
};

static enum pb_status
load_rows(struct scan *scan, uint32_t number)
{
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = PB_OK;

    if (number == scan->block_number)
        return PB_OK;
    scan->block_number = UINT32_MAX;
    status = pb_segment_block(scan->segment, PB_TABLE_READS, number, &block, scan->error);
    for (int c = 0; c < COLUMNS && status == PB_OK; c++) {
        status = pb_segment_column(scan->segment, &block, column_numbers[c], &column, scan->error);
        if (status == PB_OK)
            pb_column_all(&column, scan->values[c]);
    }
    if (status == PB_OK)
        scan->block_number = number;
    return status;
}

static void
note_class(struct pb_restamp_plan *plan, uint32_t retention_days)
{
    uint32_t i = 0;

    while (i < plan->class_count && plan->classes[i] != retention_days)
        i++;
    if (i == plan->class_count) {
        assert(i < PB_RETENTION_CLASSES_MAX);
        plan->classes[plan->class_count++] = retention_days;
    }
}

/* Asks of one row; read has its plate and jurisdiction. */
static enum pb_status
scan_row(struct scan *scan, uint32_t at, struct pb_read *read)
{
    const struct pb_names *names = &scan->segment->names;
    uint64_t number = (uint64_t)scan->values[COLUMN_CONTEXT][at];
    const struct pb_context *context = NULL;
    struct pb_restamp_plan *plan = scan->plan;
    int64_t date = 0;

    if (number >= names->context_count)
        return pb_fail(scan->error, PB_E_CORRUPT, "%s: a row's number is out of range",
                       scan->segment->path);
    context = &names->contexts[number];
    read->captured_at_us = scan->values[COLUMN_TIME][at];
    read->delete_after_us = scan->values[COLUMN_FLAGS][at] & PB_ROW_NEVER
                                ? PB_NEVER
                                : pb_row_delete_after(read->captured_at_us,
                                                      scan->values[COLUMN_KEEP][at]);
    if (read->delete_after_us <= scan->now_us)
        return PB_OK;
    read->reader = names->texts[context->reader];
    read->lat_e7 = PB_NO_POSITION;
    read->lon_e7 = PB_NO_POSITION;
    if (context->lat_e7 != PB_NO_POSITION) {
        read->lat_e7 =
            (int32_t)((uint32_t)context->lat_e7 + (uint32_t)scan->values[COLUMN_LAT][at]);
        read->lon_e7 =
            (int32_t)((uint32_t)context->lon_e7 + (uint32_t)scan->values[COLUMN_LON][at]);
    }
    date = pb_restamp_date(scan->fn, scan->context, read);
    plan->asked++;
    plan->later += date > read->delete_after_us;
    plan->earlier += date < read->delete_after_us;
    if (date > scan->now_us)
        note_class(plan, pb_retention_class(read->captured_at_us, date));
    return PB_OK;
}

static enum pb_status
scan_plates(struct scan *scan, struct pb_plate_iterator *plates)
{
    uint32_t rows_per_block = scan->segment->tables[PB_TABLE_READS].rows_per_block;
    struct pb_plate_rows rows;
    enum pb_status status = PB_OK;

    while (status == PB_OK) {
        char text[PB_PLATE_BYTES_MAX];
        struct pb_read read;

        status = pb_plate_iterator_next(plates, &rows, scan->error);
        if (status != PB_OK)
            break;
        pb_read_init(&read);
        read.jurisdiction = rows.jurisdiction;
        read.plate = rows.text;
        if (rows.code != 0)
            read.plate = (struct pb_str){ text, pb_plate_code_text(rows.code, text) };
        for (uint64_t row = rows.first; row < rows.end && status == PB_OK; row++) {
            status = load_rows(scan, (uint32_t)(row / rows_per_block));
            if (status == PB_OK)
                status = scan_row(scan, (uint32_t)(row % rows_per_block), &read);
        }
    }
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_restamp_plan(const struct pb_segment *segment, int64_t now_us, pb_restamp_fn *fn, void *context,
                struct pb_restamp_plan *ret_plan, struct pb_error *error)
{
    struct scan *scan = pb_alloc(segment->env, sizeof(*scan));
    struct pb_plate_iterator *plates = pb_alloc(segment->env, sizeof(*plates));
    enum pb_status status = PB_E_NOMEM;

    memset(ret_plan, 0, sizeof(*ret_plan));
    if (scan != NULL && plates != NULL) {
        scan->segment = segment;
        scan->now_us = now_us;
        scan->fn = fn;
        scan->context = context;
        scan->plan = ret_plan;
        scan->block_number = UINT32_MAX;
        scan->error = error;
        pb_plate_iterator_init(plates, segment, PB_TABLE_PLATES);
        status = scan_plates(scan, plates);
        pb_plate_iterator_done(plates);
        pb_segment_forget(segment);
    }
    pb_free(segment->env, scan);
    pb_free(segment->env, plates);
    return status;
}

/* ---- a store's segments ---- */

struct restamping {
    struct pb_store *store;
    pb_restamp_fn *fn;
    void *context;
    int64_t now_us;                     /* of the whole call */
    const struct pb_progress *progress; /* may be NULL */
    uint64_t done, total;               /* rows */
    struct pb_restamp_counts counts;
    struct pb_error *error;
};

/* What becomes of one segment. */
struct outcome {
    struct pb_segment_entry entries[PB_RETENTION_CLASSES_MAX];
    uint32_t count;
    uint64_t rows; /* of all entries */
    uint64_t gone; /* expired or erased */
    struct pb_removals removals;
};

static bool
report_rows(void *context, const char *phase, uint64_t done, uint64_t total)
{
    const struct restamping *restamping = context;

    (void)phase;
    return restamping->progress->report(restamping->progress->context, "restamp", done, total);
}

static void
discard(const struct pb_store *store, const struct outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->count; i++) {
        char path[PB_PATH_BYTES_MAX];

        pb_segment_path(path, sizeof(path), store->directory, outcome->entries[i].number);
        (void)!store->env->files->unlink(store->env->file_context, path, NULL);
    }
}

/* Writes the rows of one retention class into a segment of its own. What goes is the same for each
 * class, and noted with the first. */
static enum pb_status
write_class(struct restamping *restamping, const struct pb_version *version,
            struct pb_segment *segment, struct pb_restamp *restamp, bool is_first,
            struct outcome *outcome)
{
    struct pb_store *store = restamping->store;
    struct pb_progress progress = { report_rows, restamping };
    struct pb_merge_options options = {
        .directory = store->directory,
        .store_id = store->store_id,
        .number = pb_store_take_number(store),
        .memory_bytes = store->memory_bytes / 2,
        .now_us = restamping->now_us,
        .hidden = version->hidden,
        .removals = is_first && store->on_removed != NULL ? &outcome->removals : NULL,
        .restamp = restamp,
        .progress = restamping->progress == NULL ? NULL : &progress,
        .progress_done = restamping->done,
        .progress_total = restamping->total,
    };
    struct pb_segment_entry entry = { 0 };
    uint64_t rows = segment->entry.rows;
    enum pb_status status = pb_merge(store->env, &options, &segment, 1, &entry, restamping->error);

    if (status != PB_OK)
        return status;
    if (entry.rows != 0)
        outcome->entries[outcome->count++] = entry;
    outcome->rows += entry.rows;
    if (is_first)
        outcome->gone = rows - entry.rows - restamp->rows_elsewhere;
    return PB_OK;
}

/* Writes all that stays of a segment. */
static enum pb_status
write_classes(struct restamping *restamping, const struct pb_version *version,
              struct pb_segment *segment, const struct pb_restamp_plan *plan,
              struct outcome *outcome)
{
    enum pb_status status = PB_OK;

    /* Where nothing stays one look tells what goes. */
    for (uint32_t i = 0; status == PB_OK && i < (plan->class_count == 0 ? 1 : plan->class_count);
         i++) {
        struct pb_restamp restamp = { .fn = restamping->fn,
                                      .context = restamping->context,
                                      .retention_days = plan->classes[i] };

        status = write_class(restamping, version, segment, &restamp, i == 0, outcome);
    }
    if (status == PB_OK && outcome->rows + outcome->gone != segment->entry.rows)
        status = pb_fail(restamping->error, PB_BAD_INPUT,
                         "restamp: two dates were given for one read of %s", segment->path);
    return status;
}

/* Puts what was written in the place of the segment. */
static enum pb_status
publish(struct restamping *restamping, const struct pb_version *version,
        const struct pb_segment *segment, const struct outcome *outcome, bool *ret_may_be_current)
{
    struct pb_store *store = restamping->store;
    struct pb_change change = { .added = outcome->entries,
                                .added_count = outcome->count,
                                .removed = &segment->entry.number,
                                .removed_count = 1,
                                .applied = version->hidden };
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&store->writing);
    if (outcome->gone != 0)
        status = pb_store_secure_history(store, restamping->error);
    if (status == PB_OK)
        status = pb_store_change(store, &change, restamping->error);
    if (status == PB_OK && store->on_removed != NULL)
        pb_removals_tell(&outcome->removals, store->on_removed, store->removed_context);
    *ret_may_be_current = status != PB_OK && store->is_poisoned;
    (void)pthread_mutex_unlock(&store->writing);
    return status;
}

static enum pb_status
restamp_segment(struct restamping *restamping, const struct pb_version *version,
                struct pb_segment *segment)
{
    struct pb_store *store = restamping->store;
    struct outcome *outcome = NULL;
    struct pb_restamp_plan plan = { 0 };
    bool may_be_current = false;
    enum pb_status status = PB_OK;

    if (segment->entry.delete_after_max_us <= restamping->now_us)
        return PB_OK;
    status = pb_restamp_plan(segment, restamping->now_us, restamping->fn, restamping->context,
                             &plan, restamping->error);
    if (status != PB_OK)
        return status;
    restamping->counts.reads_asked += plan.asked;
    if (plan.later == 0 && plan.earlier == 0)
        return PB_OK;
    outcome = pb_calloc(store->env, 1, sizeof(*outcome));
    if (outcome == NULL)
        return PB_E_NOMEM;
    pb_removals_init(&outcome->removals, store->env);
    status = write_classes(restamping, version, segment, &plan, outcome);
    if (status == PB_OK)
        status = publish(restamping, version, segment, outcome, &may_be_current);
    if (status == PB_OK) {
        restamping->counts.reads_later += plan.later;
        restamping->counts.reads_earlier += plan.earlier;
        restamping->counts.reads_removed += outcome->gone;
        restamping->counts.segments_rewritten++;
    } else if (!may_be_current) {
        discard(store, outcome);
    }
    pb_removals_done(&outcome->removals);
    pb_free(store->env, outcome);
    return status;
}

/* All segments; the damage of one is told at the end. */
static enum pb_status
restamp_version(struct restamping *restamping, const struct pb_version *version)
{
    enum pb_status told = PB_OK;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < version->segment_count; i++)
        restamping->total += version->segments[i]->segment->entry.rows;
    for (uint32_t i = 0; i < version->segment_count && status == PB_OK; i++) {
        struct pb_segment *segment = version->segments[i]->segment;
        const struct pb_progress *progress = restamping->progress;

        status = restamp_segment(restamping, version, segment);
        restamping->done += segment->entry.rows;
        if (status == PB_E_CORRUPT) {
            told = status;
            status = PB_OK;
        }
        if (status == PB_OK && progress != NULL &&
            !progress->report(progress->context, "restamp", restamping->done, restamping->total))
            status = PB_END;
    }
    if (status == PB_END)
        status = pb_fail(restamping->error, PB_BAD_INPUT,
                         "%s: stopped before all reads had their new dates",
                         restamping->store->directory);
    return status == PB_OK ? told : status;
}

enum pb_status
pb_store_restamp(struct pb_store *store, pb_restamp_fn *fn, void *context,
                 const struct pb_progress *progress, struct pb_restamp_counts *ret_counts,
                 struct pb_error *error)
{
    struct restamping restamping = { .store = store,
                                     .fn = fn,
                                     .context = context,
                                     .now_us = pb_now_us(store->env),
                                     .progress = progress,
                                     .error = error };
    struct pb_version *version = NULL;
    enum pb_status status = PB_OK;

    if (store->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", store->directory);
    pb_store_begin_maintenance(store);
    /* Reads of the log have dates, too. */
    (void)pthread_mutex_lock(&store->writing);
    status = pb_store_flush_locked(store, NULL, error);
    (void)pthread_mutex_unlock(&store->writing);
    if (status == PB_OK) {
        version = pb_store_version(store);
        status = restamp_version(&restamping, version);
    }
    pb_version_drop(version);
    pb_store_end_maintenance(store);
    if (status == PB_OK)
        *ret_counts = restamping.counts;
    return status;
}
