/*
 * Stage: filling.
 *
 * A row is 40 bytes, and behind it what only some rows have. A bucket is a bin of its lane. At
 * first a lane keeps its rows together; from their plates the ranges of the buckets are chosen, the
 * same for all lanes.
 *
 * Invariant: rows of one plate and partition lie in buckets of one number, in order of arrival.
 */
#include "store/local/stage.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "geo/geo.h"
#include "plate/plate_code.h"
#include "store/local/extras.h"
#include "store/local/stage_private.h"

#define SAMPLE_ROWS 16384u /* of a lane, from which ranges are chosen */
#define FEW_ROWS 64u       /* of a bucket, whose chunks are small */
#define PARTITIONS_FIRST 4u
#define NAMES_MEMORY_MIN ((size_t)32 << 20) /* of a lane: all readers of a nation fit */
#define KEYS_AHEAD 16u /* reads whose names are fetched before they are looked for */

static_assert(sizeof(struct staged_row) == 40, "no holes");
static_assert(sizeof(struct staged_row) + STAGED_TAIL_BYTES_MAX + 7 <= PB_BINS_RECORD_BYTES_MAX,
              "any row is a record");

static enum pb_status
init_lane(struct pb_stage *stage, struct stage_lane *lane, unsigned lane_count,
          const char *directory, uint64_t number)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    (void)snprintf(path, sizeof(path), "%s/tmp/%08llu.%u.stage", directory,
                   (unsigned long long)number, (unsigned)lane->number);
    lane->chunk_bytes = PB_BINS_CHUNK_BYTES_MAX;
    pb_memo_init(&lane->memo, stage->env, stage->memory_bytes / 8 / lane_count);
    status = pb_bins_init(&lane->bins, stage->env, &stage->budget, path);
    return status == PB_OK ? pb_names_init(&lane->names, stage->env) : status;
}

enum pb_status
pb_stage_new(const struct pb_env *env, const char *directory, uint64_t number, unsigned lane_count,
             size_t memory_bytes, struct pb_stage **ret_stage)
{
    struct pb_stage *stage = pb_calloc(env, 1, sizeof(*stage));
    enum pb_status status = PB_OK;

    if (stage == NULL)
        return PB_E_NOMEM;
    stage->env = env;
    stage->memory_bytes = memory_bytes;
    stage->bucket_bytes_max = memory_bytes / 2;
    if (stage->bucket_bytes_max > PB_RUN_BYTES_MAX)
        stage->bucket_bytes_max = PB_RUN_BYTES_MAX; /* it becomes a run */
    stage->budget.bytes_max = memory_bytes;
    (void)pthread_mutex_init(&stage->lock, NULL);
    stage->lanes = pb_calloc(env, lane_count, sizeof(*stage->lanes));
    if (stage->lanes == NULL)
        status = PB_E_NOMEM;
    for (unsigned i = 0; i < lane_count && status == PB_OK; i++) {
        stage->lanes[i].number = (uint8_t)i;
        stage->lane_count++;
        status = init_lane(stage, &stage->lanes[i], lane_count, directory, number);
    }
    if (status != PB_OK) {
        pb_stage_free(stage);
        return status;
    }
    *ret_stage = stage;
    return PB_OK;
}

static void
free_lane(struct pb_stage *stage, struct stage_lane *lane)
{
    const struct pb_env *env = stage->env;

    for (uint32_t p = 0; p < lane->partition_count; p++) {
        for (uint32_t b = 0; b <= STAGE_BUCKETS; b++)
            pb_bin_done(&lane->partitions[p].buckets[b].bin, env);
        pb_free(env, lane->partitions[p].buckets);
    }
    pb_bin_done(&lane->sample.bin, env);
    pb_bins_done(&lane->bins);
    pb_free(env, lane->partitions);
    pb_free(env, lane->reports);
    pb_memo_done(&lane->memo);
    pb_names_done(&lane->names);
}

void
pb_stage_free(struct pb_stage *stage)
{
    if (stage == NULL)
        return;
    for (unsigned i = 0; i < stage->lane_count; i++)
        free_lane(stage, &stage->lanes[i]);
    pb_free(stage->env, stage->lanes);
    (void)pthread_mutex_destroy(&stage->lock);
    pb_free(stage->env, stage);
}

bool
pb_stage_is_full(const struct pb_stage *stage)
{
    return atomic_load_explicit(&stage->is_full, memory_order_relaxed) ||
           atomic_load_explicit(&stage->budget.is_exceeded, memory_order_relaxed);
}

uint64_t
pb_stage_lane_rows(const struct pb_stage *stage, unsigned lane)
{
    return stage->lanes[lane].rows;
}

uint64_t
pb_stage_events(const struct pb_stage *stage)
{
    uint64_t events = 0;

    for (unsigned i = 0; i < stage->lane_count; i++)
        events += stage->lanes[i].events;
    return events;
}

uint64_t
pb_stage_rows(const struct pb_stage *stage)
{
    uint64_t rows = 0;

    for (unsigned i = 0; i < stage->lane_count; i++)
        rows += stage->lanes[i].rows;
    return rows;
}

/* Large chunks where there are few, so that all open ones together take a part of the memory. */
static uint32_t
chunk_bytes(const struct pb_stage *stage, const struct stage_lane *lane)
{
    size_t fair =
        stage->memory_bytes / 8 / stage->lane_count / STAGE_BUCKETS / (lane->partition_count + 1u);
    uint32_t bytes = PB_BINS_CHUNK_BYTES_MIN;

    while (bytes < PB_BINS_CHUNK_BYTES_MAX && bytes * 2 <= fair)
        bytes *= 2;
    return bytes;
}

static enum pb_status
put_row(struct stage_lane *lane, struct bucket *bucket, const struct staged_row *row,
        const uint8_t *tail, struct pb_error *error)
{
    uint32_t chunk = bucket->rows < FEW_ROWS ? PB_BINS_CHUNK_BYTES_MIN : lane->chunk_bytes;
    uint8_t *at = NULL;
    enum pb_status status = pb_bin_add(&lane->bins, &bucket->bin, staged_bytes(row), chunk,
                                       bucket != &lane->sample, &at, error);

    if (status != PB_OK)
        return status;
    memcpy(at, row, sizeof(*row));
    if (row->tail_bytes != 0)
        memcpy(at + sizeof(*row), tail, row->tail_bytes);
    bucket->rows++;
    bucket->tail_bytes += row->tail_bytes;
    return PB_OK;
}

/* ---- which bucket ---- */

static enum pb_status
add_partition(struct pb_stage *stage, struct stage_lane *lane, uint32_t month,
              uint32_t retention_days)
{
    if (lane->partition_count == lane->partition_room) {
        uint32_t room = lane->partition_room == 0 ? PARTITIONS_FIRST : lane->partition_room * 2;
        struct lane_partition *larger =
            pb_realloc(stage->env, lane->partitions, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        lane->partitions = larger;
        lane->partition_room = room;
    }
    lane->partitions[lane->partition_count] = (struct lane_partition){
        .month = month,
        .retention_days = retention_days,
        .buckets = pb_calloc(stage->env, STAGE_BUCKETS + 1u, sizeof(struct bucket)),
    };
    if (lane->partitions[lane->partition_count].buckets == NULL)
        return PB_E_NOMEM;
    lane->partition_count++;
    lane->chunk_bytes = chunk_bytes(stage, lane);
    return PB_OK;
}

/* Sets lane->partition to that of a row. Most have month and keeping time of the row before. */
static enum pb_status
find_partition(struct pb_stage *stage, struct stage_lane *lane, int64_t captured_us,
               int64_t keep_us)
{
    uint32_t month = 0;
    uint32_t retention_days = 0;

    if (captured_us >= lane->month_first_us && captured_us < lane->month_end_us &&
        keep_us == lane->keep_before_us)
        return PB_OK;
    month = (uint32_t)pb_time_month(captured_us);
    lane->month_first_us = pb_time_month_start_us((int32_t)month);
    lane->month_end_us = pb_time_month_start_us((int32_t)month + 1);
    lane->keep_before_us = keep_us;
    retention_days =
        pb_retention_class(captured_us, keep_us == PB_NEVER ? PB_NEVER : captured_us + keep_us);
    for (lane->partition = 0; lane->partition < lane->partition_count; lane->partition++) {
        if (lane->partitions[lane->partition].month == month &&
            lane->partitions[lane->partition].retention_days == retention_days)
            return PB_OK;
    }
    /* What was remembered is not so until the partition is there. */
    lane->month_end_us = INT64_MIN;
    if (add_partition(stage, lane, month, retention_days) != PB_OK)
        return PB_E_NOMEM;
    lane->month_end_us = pb_time_month_start_us((int32_t)month + 1);
    return PB_OK;
}

static uint32_t
bucket_of(const struct pb_stage *stage, uint64_t code)
{
    return code == 0 ? STAGE_BUCKETS : stage->buckets[code >> (PB_PLATE_CODE_BITS - PREFIX_BITS)];
}

static enum pb_status
put_by_plate(struct pb_stage *stage, struct stage_lane *lane, const struct staged_row *row,
             int64_t keep_us, const uint8_t *tail, struct pb_error *error)
{
    enum pb_status status = find_partition(stage, lane, row->captured_us, keep_us);
    struct bucket *bucket = NULL;

    if (status != PB_OK)
        return status;
    bucket = &lane->partitions[lane->partition].buckets[bucket_of(stage, row->code)];
    status = put_row(lane, bucket, row, tail, error);
    if ((bucket->rows * STAGE_PART_ROW_BYTES + 2 * bucket->tail_bytes) * stage->lane_count >=
        stage->bucket_bytes_max)
        atomic_store_explicit(&stage->is_full, true, memory_order_relaxed);
    return status;
}

/* Gives each bucket a like share of the plates of some rows. The caller holds the lock. */
static void
choose_buckets(struct pb_stage *stage, const struct bucket *sample)
{
    uint32_t counts[1u << PREFIX_BITS] = { 0 };
    struct row_walk walk;
    struct staged_view view;
    uint64_t before = 0;

    row_walk_init(&walk, sample, NULL);
    while (row_walk_next(&walk, &view)) {
        if (view.row.code != 0)
            counts[view.row.code >> (PB_PLATE_CODE_BITS - PREFIX_BITS)]++;
    }
    for (uint32_t i = 0; i < 1u << PREFIX_BITS; i++) {
        stage->buckets[i] = (uint16_t)(before * STAGE_BUCKETS / (sample->rows + 1));
        before += counts[i];
    }
    atomic_store_explicit(&stage->has_buckets, true, memory_order_release);
}

enum pb_status
pb_stage_spread(struct pb_stage *stage, struct stage_lane *lane, struct pb_error *error)
{
    struct row_walk walk;
    struct staged_view view;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&stage->lock);
    if (!atomic_load_explicit(&stage->has_buckets, memory_order_relaxed))
        choose_buckets(stage, &lane->sample);
    (void)pthread_mutex_unlock(&stage->lock);
    row_walk_init(&walk, &lane->sample, NULL);
    while (status == PB_OK && row_walk_next(&walk, &view))
        status = put_by_plate(stage, lane, &view.row, staged_keep(lane, &view), view.tail, error);
    lane->is_spread = true;
    return status;
}

/* ---- adding ---- */

/* The number of a time that reads are kept for; KEEP_IN_TAIL where there are too many. */
static uint32_t
keep_number(struct stage_lane *lane, int64_t keep_us)
{
    uint32_t slot = (uint32_t)((uint64_t)keep_us * UINT64_C(0x9e3779b97f4a7c15) >> 58);

    if (lane->keeps[slot] == keep_us)
        return slot;
    if (lane->keeps[slot] != 0)
        return KEEP_IN_TAIL;
    lane->keeps[slot] = keep_us;
    return slot;
}

static_assert(STAGED_KEEPS == 64, "the hash above has six bits");

/* Writes what does not stand in the row itself; returns its length. event: NULL where the read is
 * none. */
static uint32_t
put_tail(struct staged_row *row, const struct pb_read *read, const struct pb_context_rest *rest,
         const struct staged_event *event, int64_t keep_us, uint8_t *tail)
{
    uint8_t *at = tail;
    size_t extras_bytes = 0;

    if (event != NULL) {
        row->flags |= STAGED_EVENT;
        memcpy(at, event, sizeof(*event));
        at += sizeof(*event);
    }
    if (row->keep == KEEP_IN_TAIL || rest->lat != 0 || rest->lon != 0 || rest->heading_code != 0 ||
        read->revision != 0) {
        struct staged_rest more = { .keep_us = keep_us,
                                    .lat = rest->lat,
                                    .lon = rest->lon,
                                    .revision = read->revision,
                                    .heading_code = rest->heading_code };

        row->flags |= STAGED_REST;
        memcpy(at, &more, sizeof(more));
        at += sizeof(more);
    }
    if (row->code == 0) {
        *at++ = (uint8_t)read->plate.bytes;
        memcpy(at, read->plate.text, read->plate.bytes);
        at += read->plate.bytes;
    }
    if (event != NULL || read->plate_raw.bytes != 0 || read->alternate_count != 0 ||
        read->image_count != 0)
        extras_bytes = pb_extras_encode(read, at);
    if (extras_bytes != 0)
        row->flags |= PB_ROW_EXTRAS;
    return (uint32_t)(at - tail) + (uint32_t)extras_bytes;
}

static void
look_whether_full(struct pb_stage *stage, struct stage_lane *lane)
{
    size_t names_bytes = pb_names_memory(&lane->names);
    /* So that those of all lanes fit into one segment. */
    size_t names_bytes_max = PB_NAMES_BYTES_MAX / stage->lane_count;
    uint64_t rows = atomic_fetch_add_explicit(&stage->rows, LOOK_ROWS, memory_order_relaxed);

    if (names_bytes_max < NAMES_MEMORY_MIN)
        names_bytes_max = NAMES_MEMORY_MIN;
    if (rows + (uint64_t)LOOK_ROWS * (stage->lane_count + 1u) >= PB_SEGMENT_ROWS_MAX ||
        names_bytes >= names_bytes_max ||
        names_bytes + pb_memo_memory(&lane->memo) >= stage->memory_bytes / 2 / stage->lane_count)
        atomic_store_explicit(&stage->is_full, true, memory_order_relaxed);
}

/* Notes that rows of a context report these fields. */
static enum pb_status
note_reports(struct pb_stage *stage, struct stage_lane *lane, uint32_t context, uint8_t reports)
{
    if (context >= lane->reports_room) {
        uint32_t room = lane->names.context_room;
        uint64_t *larger = pb_realloc(stage->env, lane->reports, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        memset(larger + lane->reports_room, 0, (room - lane->reports_room) * sizeof(*larger));
        lane->reports = larger;
        lane->reports_room = room;
    }
    lane->reports[context] |= UINT64_C(1) << reports;
    return PB_OK;
}

static enum pb_status
add_read(struct pb_stage *stage, struct stage_lane *lane, const struct pb_read *read,
         const struct pb_memo_key *key, struct pb_error *error)
{
    uint8_t tail[STAGED_TAIL_BYTES_MAX];
    struct pb_context_rest rest = { 0 };
    struct staged_event event;
    struct staged_row row;
    int64_t keep_us = PB_NEVER;
    bool is_event = pb_read_is_event(read);
    enum pb_status status =
        pb_memo_place(&lane->memo, &lane->names, read, key, &row.context, &rest);

    assert(!read->is_correction); /* each is an event, and those are not for a stage */
    if (status == PB_OK)
        status = pb_memo_vehicle(&lane->memo, &lane->names, read, key, &row.vehicle);
    if (status == PB_OK)
        status = note_reports(stage, lane, row.context, pb_read_reports(read));
    if (status != PB_OK)
        return status;
    if (read->delete_after_us != PB_NEVER)
        keep_us = read->delete_after_us - read->captured_at_us;
    row.code = pb_plate_code(read->plate);
    row.captured_us = read->captured_at_us;
    row.confidence_code = pb_confidence_code(read);
    row.keep = keep_us == PB_NEVER ? KEEP_NEVER : keep_number(lane, keep_us);
    row.speed_ckmh = read->speed_ckmh;
    row.jurisdiction = read->jurisdiction;
    row.lane = lane->number;
    row.flags = (uint8_t)((keep_us == PB_NEVER ? PB_ROW_NEVER : 0) |
                          (read->is_superseded ? PB_ROW_SUPERSEDED : 0) |
                          (read->is_revisable ? PB_ROW_REVISABLE : 0));
    if (is_event) {
        event.identity = pb_read_identity(read);
        event.arrival = (uint64_t)lane->number << 32 | lane->rows;
        lane->events++;
    }
    row.tail_bytes = (uint16_t)put_tail(&row, read, &rest, is_event ? &event : NULL, keep_us, tail);
    if (read->lat_e7 != PB_NO_POSITION && pb_place_sample_is_due(&lane->places)) {
        pb_place_sample_add(&lane->places, pb_place_key(pb_geo_cell(read->lat_e7, read->lon_e7),
                                                        read->captured_at_us));
    }
    lane->rows++;
    if (lane->is_spread)
        return put_by_plate(stage, lane, &row, keep_us, tail, error);
    return put_row(lane, &lane->sample, &row, tail, error);
}

/* Whether a lane has seen enough to choose ranges, or holds more than it should at one place. Few
 * rows are left together: they may go another way (pb_stage_run). */
static bool
is_sample_large(const struct pb_stage *stage, const struct stage_lane *lane)
{
    uint64_t bytes = lane->rows * sizeof(struct staged_row) + lane->sample.tail_bytes;

    return lane->rows >= SAMPLE_ROWS ||
           (lane->rows > PB_STAGE_FEW_ROWS && bytes >= stage->memory_bytes / 8 / stage->lane_count);
}

enum pb_status
pb_stage_add(struct pb_stage *stage, unsigned lane_number, const struct pb_read *reads,
             size_t count, struct pb_error *error)
{
    struct stage_lane *lane = &stage->lanes[lane_number];
    struct pb_memo_key keys[KEYS_AHEAD];
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && i < KEYS_AHEAD; i++) {
        keys[i] = pb_memo_key(&reads[i]);
        pb_memo_fetch(&lane->memo, &keys[i]);
    }
    for (size_t i = 0; i < count && status == PB_OK; i++) {
        struct pb_memo_key key = keys[i % KEYS_AHEAD];

        if (i + KEYS_AHEAD < count) {
            keys[i % KEYS_AHEAD] = pb_memo_key(&reads[i + KEYS_AHEAD]);
            pb_memo_fetch(&lane->memo, &keys[i % KEYS_AHEAD]);
        }
        status = add_read(stage, lane, &reads[i], &key, error);
        if (status == PB_OK && lane->rows % LOOK_ROWS == 0)
            look_whether_full(stage, lane);
        if (status == PB_OK && !lane->is_spread && is_sample_large(stage, lane))
            status = pb_stage_spread(stage, lane, error);
    }
    return status;
}
