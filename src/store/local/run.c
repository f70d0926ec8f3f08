/*
 * Run: 64 bytes a read, texts interned, sorted by radix.
 *
 * Invariants after pb_run_sort:
 *   (1) pairs of one partition lie together; within it they ascend by plate (ordinary by code, then
 *       long ones by text), jurisdiction, time, arrival.
 *   (2) a row with ROW_DROPPED is not written and was counted and reported.
 */
#include "store/local/run.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "plate/plate_code.h"
#include "store/local/encounters.h"
#include "store/local/extras.h"
#include "store/local/lookup.h"
#include "store/local/sorter.h"

#define FIRST_CHUNK_ROWS (1u << 14) /* a small run takes little */
#define CHUNK_ROWS (1u << 18)       /* a large one wants huge pages */
#define HEAP_CHUNK_BYTES (1u << 20)
#define HEAP_NONE UINT32_MAX
#define HEAP_HEAD_BYTES 3u /* u16 extras bytes, u8 plate bytes */
#define ROW_DOUBTFUL PB_RUN_DOUBTFUL /* or in conflict, unless a segment has its revision, too */
#define ROW_DROPPED 64u
#define ROW_EVENT PB_RUN_EVENT /* found by its identity, not by plate and time */
#define REVISIONS_MAX 1000u /* of one identity within a run; more are conflicts */
#define LONG_KEY UINT64_MAX /* sorts long plates behind the ordinary ones */
#define FIRST_POINTERS 64u
#define FIRST_EVENTS 256u
#define LINE_BYTES 64u
#define AHEAD 24u
#define COMMON_ROWS (1u << 16) /* of a batch of pb_run_common_rows() */

struct run_row {
    uint64_t code; /* 0: long; its text stands in the heap */
    int64_t captured_us, keep_us;
    uint32_t context, vehicle, confidence_code;
    int32_t lat, lon;
    uint32_t heap; /* extras and long plate, or HEAP_NONE */
    uint32_t revision, commit_row;
    uint16_t speed_ckmh, heading_code, jurisdiction;
    uint8_t flags;
};

struct partition {
    uint32_t month, retention_days;
    uint64_t first, count; /* of pairs */
};

struct pb_run {
    const struct pb_env *env;
    struct pb_names *names;     /* own_names, or of a part borrowed */
    struct pb_names own_names;  /* owned; unused by a part */
    void **chunks; /* owned: see row_at() */
    uint32_t chunk_count, chunk_room;
    uint64_t rows;
    uint8_t **heap;          /* owned: HEAP_CHUNK_BYTES each */
    uint32_t heap_count, heap_room; /* chunks */
    uint32_t heap_next, heap_at;    /* the chunk after the one being filled, and where in that */
    uint64_t dropped;

    struct pb_pair *pairs;   /* owned: sorted; value is the row */
    struct pb_pair *scratch; /* owned: of a part, as many as pairs */
    uint64_t pairs_room;     /* of a part */
    bool has_repeats;        /* of a sorted part: there may be some */
    struct pb_pair *events;  /* owned: identity and row, of rows that are found by it */
    uint64_t event_count, event_room;
    uint64_t correction_count; /* of these rows */
    bool has_doubtful;         /* some row may be ROW_DOUBTFUL */
    struct partition *partitions; /* owned */
    uint32_t partition_count;
};

/* ---- verdicts ---- */

void
pb_known_add(struct pb_known *known, const struct pb_read *read, const struct pb_read *stored)
{
    if (!known->is_there || stored->revision > known->newest_revision) {
        known->newest_revision = stored->revision;
        known->newest_is_revisable = stored->is_revisable;
    }
    known->is_there = true;
    if (stored->revision == read->revision) {
        known->has_revision = true;
        known->is_equal = known->is_equal || pb_read_same_content(read, stored);
    }
}

enum pb_verdict
pb_judge(const struct pb_read *read, const struct pb_known *known)
{
    if (!known->is_there)
        return PB_VERDICT_NEW;
    if (known->has_revision)
        return known->is_equal ? PB_VERDICT_DUPLICATE : PB_VERDICT_CONFLICT;
    if (!read->is_correction && !(read->is_revisable && known->newest_is_revisable))
        return PB_VERDICT_CONFLICT;
    return read->revision > known->newest_revision ? PB_VERDICT_REVISION : PB_VERDICT_HISTORY;
}

bool
pb_may_revise(const struct pb_read *read)
{
    return read->is_revisable || read->is_correction;
}

void
pb_mark_list_done(struct pb_mark_list *list, const struct pb_env *env)
{
    pb_free(env, list->marks);
    if (list->names.env != NULL)
        pb_arena_clear(&list->names);
    memset(list, 0, sizeof(*list));
}

enum pb_status
pb_mark_list_add(struct pb_mark_list *list, const struct pb_env *env, const struct pb_read *read,
                 uint64_t segment)
{
    char bytes[PB_IDENTITY_BYTES_MAX];
    struct pb_mark_entry mark = { .segment = segment, .revision = read->revision };
    enum pb_status status = PB_OK;

    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? 64 : list->room * 2;
        struct pb_mark_entry *larger = pb_realloc(env, list->marks, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        list->marks = larger;
        list->room = room;
    }
    if (list->names.env == NULL)
        pb_arena_init(&list->names, env, 1024);
    mark.name = (struct pb_str){ bytes, (uint32_t)pb_read_identity_bytes(read, bytes) };
    mark.identity = pb_identity_of_bytes(mark.name);
    status = pb_arena_copy(&list->names, mark.name, &mark.name);
    if (status == PB_OK)
        list->marks[list->count++] = mark;
    return status;
}

uint32_t
pb_retention_class(int64_t captured_us, int64_t delete_after_us)
{
    static const uint16_t classes[] = { 1,   3,   7,   14,  21,  30,  60,   90,   120,
                                        150, 180, 365, 540, 730, 913, 1095, 1825, 3650 };
    int64_t days = 0;

    if (delete_after_us == PB_NEVER)
        return UINT32_MAX;
    /* Rounded up: the class is a bound. */
    days = (delete_after_us - captured_us + PB_DAY_US - 1) / PB_DAY_US;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (days <= classes[i])
            return classes[i];
    }
    return UINT16_MAX;
}

/* ---- adding ---- */

enum pb_status
pb_run_new(const struct pb_env *env, struct pb_run **ret_run)
{
    struct pb_run *run = pb_calloc(env, 1, sizeof(*run));
    enum pb_status status = PB_OK;

    if (run == NULL)
        return PB_E_NOMEM;
    run->env = env;
    run->heap_at = HEAP_CHUNK_BYTES;
    run->names = &run->own_names;
    status = pb_names_init(run->names, env);
    if (status != PB_OK) {
        pb_run_free(run);
        return status;
    }
    *ret_run = run;
    return PB_OK;
}

void
pb_run_free(struct pb_run *run)
{
    if (run == NULL)
        return;
    for (uint32_t i = 0; i < run->chunk_count; i++)
        pb_free(run->env, run->chunks[i]);
    for (uint32_t i = 0; i < run->heap_count; i++)
        pb_free(run->env, run->heap[i]);
    pb_free(run->env, run->chunks);
    pb_free(run->env, run->heap);
    pb_free(run->env, run->pairs);
    pb_free(run->env, run->events);
    pb_free(run->env, run->partitions);
    pb_free(run->env, run->scratch);
    pb_names_done(&run->own_names);
    pb_free(run->env, run);
}

uint64_t
pb_run_rows(const struct pb_run *run)
{
    return run->rows;
}

uint64_t
pb_run_rows_left(const struct pb_run *run)
{
    return run->rows - run->dropped;
}

/* Rows, and the two arrays of pairs that sorting needs. */
size_t
pb_run_memory_of(uint64_t rows)
{
    return (size_t)rows * (sizeof(struct run_row) + 2 * sizeof(struct pb_pair));
}

size_t
pb_run_memory(const struct pb_run *run)
{
    return pb_run_memory_of(run->rows) + (size_t)run->heap_count * HEAP_CHUNK_BYTES
           + (size_t)run->event_room * sizeof(*run->events) + pb_names_memory(run->names);
}

/* A row is one cache line, so that fetching it by number costs one miss. */
static inline struct run_row *
row_at(const struct pb_run *run, uint64_t row)
{
    uintptr_t chunk = 0;

    if (row < FIRST_CHUNK_ROWS) {
        chunk = (uintptr_t)run->chunks[0];
    } else {
        chunk = (uintptr_t)run->chunks[1 + (row - FIRST_CHUNK_ROWS) / CHUNK_ROWS];
        row = (row - FIRST_CHUNK_ROWS) % CHUNK_ROWS;
    }
    chunk = (chunk + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);
    return (struct run_row *)chunk + row;
}

/* Rows are visited in order of plate and lie in order of arrival: fetch the one AHEAD of i. GCC
 * takes a function that only prefetches for one without effect, unless it is inlined at once. */
static inline __attribute__((always_inline)) void
fetch_ahead(const struct pb_run *run, const struct pb_pair *pairs, uint64_t i, uint64_t count)
{
    if (i + AHEAD < count)
        __builtin_prefetch(row_at(run, pairs[i + AHEAD].value));
}

static inline uint8_t *
heap_at(const struct pb_run *run, uint32_t at)
{
    return &run->heap[at / HEAP_CHUNK_BYTES][at % HEAP_CHUNK_BYTES];
}

/* Makes an array of pointers hold one more chunk of memory. */
static enum pb_status
add_chunk(const struct pb_env *env, void ***array, uint32_t *count, uint32_t *room,
          size_t chunk_bytes)
{
    void *chunk = NULL;

    if (*count == *room) {
        uint32_t larger_room = *room == 0 ? FIRST_POINTERS : *room * 2;
        void **larger = pb_realloc(env, *array, larger_room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        *array = larger;
        *room = larger_room;
    }
    chunk = pb_alloc(env, chunk_bytes);
    if (chunk == NULL)
        return PB_E_NOMEM;
    (*array)[(*count)++] = chunk;
    return PB_OK;
}

/* plate: empty where the row's code says it. */
static enum pb_status
put_heap(struct pb_run *run, struct pb_str plate, const uint8_t *extras, size_t count,
         uint32_t *ret_heap)
{
    size_t bytes = HEAP_HEAD_BYTES + plate.bytes + count;
    uint8_t *at = NULL;

    if (bytes > HEAP_CHUNK_BYTES - run->heap_at) {
        enum pb_status status = PB_OK;

        /* Places in the heap are 32-bit numbers; see PB_RUN_BYTES_MAX. */
        assert(run->heap_next < UINT32_MAX / HEAP_CHUNK_BYTES);
        if (run->heap_next == run->heap_count)
            status = add_chunk(run->env, (void ***)&run->heap, &run->heap_count, &run->heap_room,
                               HEAP_CHUNK_BYTES);
        if (status != PB_OK)
            return status;
        run->heap_next++;
        run->heap_at = 0;
    }
    *ret_heap = (run->heap_next - 1) * HEAP_CHUNK_BYTES + run->heap_at;
    at = heap_at(run, *ret_heap);
    pb_put_le16(at, (uint16_t)count);
    at[2] = (uint8_t)plate.bytes;
    if (plate.bytes != 0)
        memcpy(at + HEAP_HEAD_BYTES, plate.text, plate.bytes);
    if (count != 0)
        memcpy(at + HEAP_HEAD_BYTES + plate.bytes, extras, count);
    run->heap_at += (uint32_t)bytes;
    return PB_OK;
}

static uint64_t
rows_room(const struct pb_run *run)
{
    return run->chunk_count == 0
               ? 0
               : FIRST_CHUNK_ROWS + (uint64_t)(run->chunk_count - 1) * CHUNK_ROWS;
}

static enum pb_status
add_rows(struct pb_run *run)
{
    size_t rows = run->chunk_count == 0 ? FIRST_CHUNK_ROWS : CHUNK_ROWS;

    return add_chunk(run->env, &run->chunks, &run->chunk_count, &run->chunk_room,
                     rows * sizeof(struct run_row) + LINE_BYTES);
}

/* Notes that the next row is found by its identity. */
static enum pb_status
add_event(struct pb_run *run, const struct pb_read *read)
{
    if (run->event_count == run->event_room) {
        uint64_t room = run->event_room == 0 ? FIRST_EVENTS : run->event_room * 2;
        struct pb_pair *larger = pb_realloc(run->env, run->events, (size_t)room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        run->events = larger;
        run->event_room = room;
    }
    run->events[run->event_count++] = (struct pb_pair){ pb_read_identity(read), run->rows };
    run->correction_count += read->is_correction;
    return PB_OK;
}

enum pb_status
pb_run_add(struct pb_run *run, const struct pb_read *read, uint32_t commit_row)
{
    uint8_t extras[PB_EXTRAS_BYTES_MAX];
    struct run_row row = { .heap = HEAP_NONE };
    struct pb_context_rest rest = { 0 };
    size_t extras_bytes = pb_extras_encode(read, extras);
    enum pb_status status = PB_OK;

    if (run->rows == rows_room(run)) {
        status = add_rows(run);
        if (status != PB_OK)
            return status;
    }
    row.code = pb_plate_code(read->plate);
    status = pb_names_read_context(run->names, read, &row.context, &rest);
    if (status == PB_OK)
        status = pb_names_read_vehicle(run->names, read, &row.vehicle);
    if (status == PB_OK && (extras_bytes != 0 || row.code == 0))
        status = put_heap(run, row.code == 0 ? read->plate : (struct pb_str){ NULL, 0 }, extras,
                          extras_bytes, &row.heap);
    if (status == PB_OK && pb_read_is_event(read))
        status = add_event(run, read);
    if (status != PB_OK)
        return status;

    row.captured_us = read->captured_at_us;
    row.confidence_code = pb_confidence_code(read);
    row.lat = rest.lat;
    row.lon = rest.lon;
    row.heading_code = rest.heading_code;
    row.speed_ckmh = read->speed_ckmh;
    row.revision = read->revision;
    row.commit_row = commit_row;
    row.jurisdiction = read->jurisdiction;
    row.flags = (uint8_t)((read->delete_after_us == PB_NEVER ? PB_ROW_NEVER : 0)
                          | (read->is_superseded ? PB_ROW_SUPERSEDED : 0)
                          | (read->is_revisable ? PB_ROW_REVISABLE : 0)
                          | (read->is_correction ? PB_ROW_CORRECTION : 0)
                          | (extras_bytes != 0 ? PB_ROW_EXTRAS : 0)
                          | (pb_read_is_event(read) ? ROW_EVENT : 0));
    if (read->delete_after_us != PB_NEVER)
        row.keep_us = read->delete_after_us - read->captured_at_us;
    *row_at(run, run->rows) = row;
    run->rows++;
    return PB_OK;
}

/* ---- parts ---- */

enum pb_status
pb_run_new_part(const struct pb_env *env, struct pb_names *names, struct pb_run **ret_run)
{
    struct pb_run *run = pb_calloc(env, 1, sizeof(*run));

    if (run == NULL)
        return PB_E_NOMEM;
    run->env = env;
    run->names = names;
    run->partition_count = 1;
    run->partitions = pb_calloc(env, 1, sizeof(*run->partitions));
    if (run->partitions == NULL) {
        pb_run_free(run);
        return PB_E_NOMEM;
    }
    *ret_run = run;
    return PB_OK;
}

static enum pb_status
reserve_heap(struct pb_run *run, uint64_t heap_bytes)
{
    /* What is left at the end of each chunk is too short for one more entry. */
    const uint64_t used_bytes_min = HEAP_CHUNK_BYTES - HEAP_HEAD_BYTES - PB_PLATE_BYTES_MAX
                                    - PB_EXTRAS_BYTES_MAX;
    uint64_t chunks = heap_bytes == 0 ? 0 : heap_bytes / used_bytes_min + 1;
    enum pb_status status = PB_OK;

    if (chunks > UINT32_MAX / HEAP_CHUNK_BYTES)
        return PB_OVER_LIMIT;
    while (run->heap_count < chunks && status == PB_OK)
        status = add_chunk(run->env, (void ***)&run->heap, &run->heap_count, &run->heap_room,
                           HEAP_CHUNK_BYTES);
    return status;
}

enum pb_status
pb_run_begin_part(struct pb_run *run, uint32_t month, uint32_t retention_days, uint64_t rows,
                  uint64_t heap_bytes)
{
    enum pb_status status = reserve_heap(run, heap_bytes + rows * HEAP_HEAD_BYTES
                                                  * (heap_bytes != 0));

    run->rows = 0;
    run->dropped = 0;
    run->has_repeats = false;
    run->has_doubtful = false;
    run->heap_next = 0;
    run->heap_at = HEAP_CHUNK_BYTES;
    run->partitions[0] = (struct partition){ .month = month, .retention_days = retention_days };
    while (rows_room(run) < rows && status == PB_OK)
        status = add_rows(run);
    if (status != PB_OK || rows <= run->pairs_room)
        return status;
    pb_free(run->env, run->pairs);
    pb_free(run->env, run->scratch);
    run->pairs_room = rows + rows / 4;
    run->pairs = pb_alloc(run->env, (size_t)run->pairs_room * sizeof(*run->pairs));
    run->scratch = pb_alloc(run->env, (size_t)run->pairs_room * sizeof(*run->scratch));
    if (run->pairs != NULL && run->scratch != NULL)
        return PB_OK;
    run->pairs_room = 0;
    return PB_E_NOMEM;
}

void
pb_run_put(struct pb_run *run, uint64_t code, struct pb_str text, uint16_t jurisdiction,
           const struct pb_row *row)
{
    struct run_row *to = row_at(run, run->rows);
    uint32_t heap = HEAP_NONE;

    if (code == 0 || row->extras_bytes != 0) {
        enum pb_status status = put_heap(run, text, row->extras, row->extras_bytes, &heap);

        assert(status == PB_OK); /* room was made for it */
        (void)status;
    }
    *to = (struct run_row){
        .code = code,
        .captured_us = row->captured_us,
        .keep_us = row->keep_us,
        .context = row->context,
        .vehicle = row->vehicle,
        .confidence_code = row->confidence_code,
        .lat = row->lat,
        .lon = row->lon,
        .heap = heap,
        .revision = row->revision,
        .commit_row = row->commit_row,
        .speed_ckmh = (uint16_t)(row->speed_code == 0 ? PB_NO_SPEED
                                                      : row->speed_code - PB_CODE_SHIFT),
        .heading_code = row->heading_code,
        .jurisdiction = jurisdiction,
        .flags = row->flags,
    };
    run->has_doubtful = run->has_doubtful || (row->flags & ROW_DOUBTFUL) != 0;
    run->rows++;
}

/* ---- rows as reads ---- */

static struct pb_str
long_plate(const struct pb_run *run, const struct run_row *row)
{
    const uint8_t *at = heap_at(run, row->heap);

    return (struct pb_str){ (const char *)at + HEAP_HEAD_BYTES, at[2] };
}

static const uint8_t *
extras_of(const struct pb_run *run, const struct run_row *row, uint32_t *ret_bytes)
{
    const uint8_t *at = NULL;

    *ret_bytes = 0;
    if ((row->flags & PB_ROW_EXTRAS) == 0)
        return NULL;
    at = heap_at(run, row->heap);
    *ret_bytes = pb_get_le16(at);
    return at + HEAP_HEAD_BYTES + at[2];
}

/* The read of a row; texts point into the run and into room. */
static void
read_of(const struct pb_run *run, const struct run_row *row, struct pb_run_room *room,
        struct pb_read *ret_read)
{
    const struct pb_context *context = &run->names->contexts[row->context];
    const struct pb_vehicle *vehicle = &run->names->vehicles[row->vehicle];
    unsigned heading = (unsigned)context->heading_code + row->heading_code;
    uint32_t extras_bytes = 0;
    const uint8_t *extras = extras_of(run, row, &extras_bytes);

    pb_read_init(ret_read);
    if (row->code == 0) {
        ret_read->plate = long_plate(run, row);
    } else {
        ret_read->plate.text = room->plate;
        ret_read->plate.bytes = pb_plate_code_text(row->code, room->plate);
    }
    ret_read->jurisdiction = row->jurisdiction;
    ret_read->captured_at_us = row->captured_us;
    ret_read->utc_offset_min = context->utc_offset_min;
    if ((row->flags & PB_ROW_NEVER) == 0)
        ret_read->delete_after_us = row->captured_us + row->keep_us;
    ret_read->reader = run->names->texts[context->reader];
    if (context->lat_e7 != PB_NO_POSITION) {
        ret_read->lat_e7 = (int32_t)((uint32_t)context->lat_e7 + (uint32_t)row->lat);
        ret_read->lon_e7 = (int32_t)((uint32_t)context->lon_e7 + (uint32_t)row->lon);
    }
    ret_read->heading_cdeg = (uint16_t)(heading == 0 ? PB_NO_HEADING : heading - PB_CODE_SHIFT);
    ret_read->speed_ckmh = row->speed_ckmh;
    ret_read->lane = context->lane;
    ret_read->confidence_scale = (enum pb_confidence_scale)context->scale;
    ret_read->confidence_e6
        = pb_confidence_of_code(row->confidence_code, ret_read->confidence_scale);
    ret_read->make = run->names->texts[vehicle->make];
    ret_read->model = run->names->texts[vehicle->model];
    ret_read->color = run->names->texts[vehicle->color];
    ret_read->body = run->names->texts[vehicle->body];
    ret_read->year = vehicle->year;
    ret_read->year_last = vehicle->year_last;
    ret_read->revision = row->revision;
    ret_read->is_revisable = (row->flags & PB_ROW_REVISABLE) != 0;
    ret_read->is_correction = (row->flags & PB_ROW_CORRECTION) != 0;
    ret_read->is_superseded = (row->flags & PB_ROW_SUPERSEDED) != 0;
    if (extras != NULL) {
        enum pb_status status = pb_extras_decode(extras, extras_bytes, &room->room, ret_read);

        assert(status == PB_OK); /* we wrote them */
        (void)status;
    }
}

void
pb_run_read(const struct pb_run *run, uint64_t row, struct pb_run_room *room,
            struct pb_read *ret_read)
{
    read_of(run, row_at(run, row), room, ret_read);
}

static void
drop_quietly(struct pb_run *run, struct run_row *row)
{
    assert((row->flags & ROW_DROPPED) == 0);
    row->flags |= ROW_DROPPED;
    run->dropped++;
}

static void
drop(struct pb_run *run, struct run_row *row, const struct pb_read *read, bool is_conflict,
     const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    drop_quietly(run, row);
    if (!is_conflict) {
        counts->duplicate++;
        return;
    }
    counts->conflict++;
    if (reject->on_reject != NULL)
        reject->on_reject(reject->context, read, PB_CONFLICT,
                          "the same read is stored with other content");
}

/* ---- sorting ---- */

/* Where a pair stands among those of the same code. */
static int
compare_rows(const struct pb_run *run, uint64_t a_number, uint64_t b_number, bool by_jurisdiction)
{
    const struct run_row *a = row_at(run, a_number);
    const struct run_row *b = row_at(run, b_number);

    if (a->code == 0) {
        int order = pb_str_compare(long_plate(run, a), long_plate(run, b));

        if (order != 0)
            return order;
    }
    if (by_jurisdiction && a->jurisdiction != b->jurisdiction)
        return a->jurisdiction < b->jurisdiction ? -1 : 1;
    if (a->captured_us != b->captured_us)
        return a->captured_us < b->captured_us ? -1 : 1;
    if ((a->flags & ROW_EVENT) != (b->flags & ROW_EVENT))
        return a->flags & ROW_EVENT ? 1 : -1;
    /* Repeats of one reader come together, in order of arrival. */
    a_number = run->names->contexts[a->context].reader;
    b_number = run->names->contexts[b->context].reader;
    return (a_number > b_number) - (a_number < b_number);
}

/* Merge sort, stable; most groups are short or sorted already. */
static void
sort_group(const struct pb_run *run, struct pb_pair *pairs, struct pb_pair *scratch, size_t count,
           bool by_jurisdiction)
{
    size_t middle = count / 2;
    size_t left = 0;
    size_t right = middle;

    if (count <= 16) {
        for (size_t i = 1; i < count; i++) {
            struct pb_pair pair = pairs[i];
            size_t j = i;

            for (; j > 0 && compare_rows(run, pairs[j - 1].value, pair.value, by_jurisdiction) > 0;
                 j--)
                pairs[j] = pairs[j - 1];
            pairs[j] = pair;
        }
        return;
    }
    sort_group(run, pairs, scratch, middle, by_jurisdiction);
    sort_group(run, pairs + middle, scratch, count - middle, by_jurisdiction);
    if (compare_rows(run, pairs[middle - 1].value, pairs[middle].value, by_jurisdiction) <= 0)
        return;
    memcpy(scratch, pairs, count * sizeof(*pairs));
    for (size_t i = 0; i < count; i++) {
        bool takes_left = right == count
                          || (left < middle
                              && compare_rows(run, scratch[left].value, scratch[right].value,
                                              by_jurisdiction) <= 0);

        pairs[i] = takes_left ? scratch[left++] : scratch[right++];
    }
}

/* Of two rows that lie next to one another: did one reader see both at one moment? Of what is found
 * by an event id that says nothing. */
static bool
may_repeat(const struct pb_run *run, const struct run_row *row, const struct run_row *before)
{
    return row->captured_us == before->captured_us
           && ((row->flags | before->flags) & ROW_EVENT) == 0
           && run->names->contexts[row->context].reader
                  == run->names->contexts[before->context].reader;
}

/* Drops repeats among rows of one plate that ascend by time: same reader, same moment. */
static void
drop_repeats(struct pb_run *run, const struct pb_pair *pairs, size_t count,
             const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    const struct run_row *kept = row_at(run, pairs[0].value);

    for (size_t i = 1; i < count; i++) {
        struct run_row *row = row_at(run, pairs[i].value);
        struct pb_run_room room;
        struct pb_run_room kept_room;
        struct pb_read read;
        struct pb_read kept_read;
        struct pb_known known = { 0 };

        if (!may_repeat(run, row, kept)) {
            kept = row;
            continue;
        }
        read_of(run, row, &room, &read);
        read_of(run, kept, &kept_room, &kept_read);
        pb_known_add(&known, &read, &kept_read);
        /* Without an event id or a correction there are no revisions. */
        drop(run, row, &read, pb_judge(&read, &known) != PB_VERDICT_DUPLICATE, reject, counts);
    }
}

static bool
same_plate(const struct pb_run *run, const struct pb_pair *a, const struct pb_pair *b)
{
    return a->key == b->key
           && (a->key != LONG_KEY
               || pb_str_equal(long_plate(run, row_at(run, a->value)),
                               long_plate(run, row_at(run, b->value))));
}

/* Notes whether rows of one plate that ascend by time may repeat one another. */
static void
note_repeats(struct pb_run *run, const struct pb_pair *pairs, size_t count)
{
    for (size_t i = 1; i < count && !run->has_repeats; i++) {
        run->has_repeats = may_repeat(run, row_at(run, pairs[i].value),
                                      row_at(run, pairs[i - 1].value));
    }
}

/* Sorts within one code, and drops repeats plate by plate, whatever their jurisdictions; without
 * reject nothing is dropped. */
static void
finish_group(struct pb_run *run, struct pb_pair *pairs, struct pb_pair *scratch, size_t count,
             const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    size_t first = 0;

    if (count == 1)
        return;
    sort_group(run, pairs, scratch, count, false);
    while (first < count) {
        size_t end = first + 1;
        bool has_several = false;

        while (end < count && same_plate(run, &pairs[first], &pairs[end])) {
            has_several = has_several || row_at(run, pairs[end].value)->jurisdiction
                                             != row_at(run, pairs[first].value)->jurisdiction;
            end++;
        }
        if (reject != NULL)
            drop_repeats(run, pairs + first, end - first, reject, counts);
        else
            note_repeats(run, pairs + first, end - first);
        if (has_several)
            sort_group(run, pairs + first, scratch, end - first, true);
        first = end;
    }
}

/* finish_group() for each code of pairs that are sorted by code. */
static void
finish_groups(struct pb_run *run, struct pb_pair *pairs, struct pb_pair *scratch, uint64_t count,
              const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    for (uint64_t first = 0; first < count;) {
        uint64_t end = first + 1;

        fetch_ahead(run, pairs, first, count);
        while (end < count && pairs[end].key == pairs[first].key)
            fetch_ahead(run, pairs, end++, count);
        finish_group(run, pairs + first, scratch, (size_t)(end - first), reject, counts);
        first = end;
    }
}

void
pb_run_order_part(struct pb_run *run)
{
    assert(run->rows <= run->pairs_room || run->rows == 0);
    for (uint64_t i = 0; i < run->rows; i++) {
        uint64_t code = row_at(run, i)->code;

        run->pairs[i] = (struct pb_pair){ code == 0 ? LONG_KEY : code, i };
    }
    run->partitions[0].count = run->rows;
    pb_pairs_sort(run->pairs, run->scratch, (size_t)run->rows);
    finish_groups(run, run->pairs, run->scratch, run->rows, NULL, NULL);
}

void
pb_run_drop_repeats(struct pb_run *run, const struct pb_run_reject *reject,
                    struct pb_load_counts *counts)
{
    if (run->has_repeats)
        finish_groups(run, run->pairs, run->scratch, run->rows, reject, counts);
}

/* ---- partitions ---- */

static uint32_t
partition_of(const struct partition *partitions, uint32_t count, uint32_t month,
             uint32_t retention_days, uint32_t hint)
{
    if (hint < count && partitions[hint].month == month
        && partitions[hint].retention_days == retention_days)
        return hint;
    for (uint32_t i = 0; i < count; i++) {
        if (partitions[i].month == month && partitions[i].retention_days == retention_days)
            return i;
    }
    return count;
}

static void
partition_key(const struct run_row *row, uint32_t *ret_month, uint32_t *ret_retention_days)
{
    *ret_month = (uint32_t)pb_time_month(row->captured_us);
    *ret_retention_days = pb_retention_class(
        row->captured_us, row->flags & PB_ROW_NEVER ? PB_NEVER : row->captured_us + row->keep_us);
}

/* Finds the partitions and lays the pairs out by them. numbers: one of each row, scratch. */
static enum pb_status
split_partitions(struct pb_run *run, uint32_t *numbers)
{
    uint32_t room = 16;
    uint32_t hint = 0;
    uint64_t first = 0;

    run->partitions = pb_alloc(run->env, room * sizeof(*run->partitions));
    if (run->partitions == NULL)
        return PB_E_NOMEM;
    for (uint64_t i = 0; i < run->rows; i++) {
        uint32_t month = 0;
        uint32_t retention_days = 0;

        partition_key(row_at(run, i), &month, &retention_days);
        hint = partition_of(run->partitions, run->partition_count, month, retention_days, hint);
        if (hint == run->partition_count) {
            if (run->partition_count == room) {
                struct partition *larger = pb_realloc(run->env, run->partitions,
                                                      2 * room * sizeof(*larger));

                if (larger == NULL)
                    return PB_E_NOMEM;
                run->partitions = larger;
                room *= 2;
            }
            run->partitions[run->partition_count++]
                = (struct partition){ .month = month, .retention_days = retention_days };
        }
        run->partitions[hint].count++;
        numbers[i] = hint;
    }
    for (uint32_t p = 0; p < run->partition_count; p++) {
        run->partitions[p].first = first;
        first += run->partitions[p].count;
        run->partitions[p].count = 0;
    }
    for (uint64_t i = 0; i < run->rows; i++) {
        struct partition *partition = &run->partitions[numbers[i]];
        uint64_t code = row_at(run, i)->code;

        run->pairs[partition->first + partition->count++]
            = (struct pb_pair){ code == 0 ? LONG_KEY : code, i };
    }
    return PB_OK;
}

/* ---- identities ---- */

/* Judges the rows of one identity hash in order of arrival. Those that stay are put first, so that
 * each is compared with them alone, however often it comes. */
static void
judge_events(struct pb_run *run, struct pb_pair *events, size_t count,
             const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    size_t kept = 1;

    for (size_t i = 1; i < count; i++) {
        struct run_row *row = row_at(run, events[i].value);
        struct run_row *newest = NULL;
        struct pb_run_room room;
        struct pb_read read;
        struct pb_known known = { 0 };
        enum pb_verdict verdict = PB_VERDICT_CONFLICT;

        read_of(run, row, &room, &read);
        for (size_t j = 0; j < kept && kept < REVISIONS_MAX; j++) {
            struct run_row *other = row_at(run, events[j].value);
            struct pb_run_room other_room;
            struct pb_read other_read;

            read_of(run, other, &other_room, &other_read);
            if (!pb_read_same_identity(&read, &other_read))
                continue;
            pb_known_add(&known, &read, &other_read);
            if (newest == NULL || other->revision > newest->revision)
                newest = other;
        }
        if (kept < REVISIONS_MAX)
            verdict = pb_judge(&read, &known);
        if (verdict == PB_VERDICT_REVISION)
            newest->flags |= PB_ROW_SUPERSEDED;
        else if (verdict == PB_VERDICT_HISTORY)
            row->flags |= PB_ROW_SUPERSEDED;
        if (verdict == PB_VERDICT_DUPLICATE || verdict == PB_VERDICT_CONFLICT) {
            drop(run, row, &read, verdict == PB_VERDICT_CONFLICT, reject, counts);
        } else {
            struct pb_pair stays = events[i];

            events[i] = events[kept];
            events[kept++] = stays;
        }
    }
}

/* scratch: of as many pairs as there are rows. */
static void
sort_events(struct pb_run *run, struct pb_pair *scratch, const struct pb_run_reject *reject,
            struct pb_load_counts *counts)
{
    pb_pairs_sort(run->events, scratch, (size_t)run->event_count);
    for (uint64_t first = 0; first < run->event_count;) {
        uint64_t end = first + 1;

        while (end < run->event_count && run->events[end].key == run->events[first].key)
            end++;
        if (end - first > 1)
            judge_events(run, run->events + first, (size_t)(end - first), reject, counts);
        first = end;
    }
}

/* Without reject nothing is dropped. */
static enum pb_status
sort_all(struct pb_run *run, const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    struct pb_pair *scratch = NULL;
    enum pb_status status = PB_E_NOMEM;

    assert(run->pairs == NULL);
    if (run->rows == 0)
        return PB_OK;
    run->pairs = pb_alloc(run->env, (size_t)run->rows * sizeof(*run->pairs));
    scratch = pb_alloc(run->env, (size_t)run->rows * sizeof(*scratch));
    if (run->pairs == NULL || scratch == NULL)
        goto out;
    if (reject != NULL)
        sort_events(run, scratch, reject, counts);
    status = split_partitions(run, (uint32_t *)(void *)scratch);
    if (status != PB_OK)
        goto out;
    for (uint32_t p = 0; p < run->partition_count; p++) {
        struct pb_pair *pairs = run->pairs + run->partitions[p].first;
        uint64_t count = run->partitions[p].count;

        pb_pairs_sort(pairs, scratch, (size_t)count);
        finish_groups(run, pairs, scratch, count, NULL, NULL);
    }

out:
    pb_free(run->env, scratch);
    return status;
}

enum pb_status
pb_run_arrange(struct pb_run *run, const uint64_t *arrivals)
{
    size_t count = (size_t)run->event_count;
    struct pb_pair *pairs = pb_alloc(run->env, (count + 1) * sizeof(*pairs));
    struct pb_pair *scratch = pb_alloc(run->env, (count + 1) * sizeof(*scratch));
    enum pb_status status = PB_E_NOMEM;

    if (pairs == NULL || scratch == NULL)
        goto out;
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct pb_pair){ arrivals[run->events[i].value], i };
    pb_pairs_sort(pairs, scratch, count);
    for (size_t i = 0; i < count; i++)
        scratch[i] = run->events[pairs[i].value];
    if (count != 0)
        memcpy(run->events, scratch, count * sizeof(*scratch));
    status = PB_OK;

out:
    pb_free(run->env, pairs);
    pb_free(run->env, scratch);
    return status;
}

enum pb_status
pb_run_sort(struct pb_run *run, const struct pb_run_reject *reject, struct pb_load_counts *counts)
{
    assert(run->event_count == run->rows);
    return sort_all(run, reject, counts);
}

enum pb_status
pb_run_sort_judged(struct pb_run *run)
{
    return sort_all(run, NULL, NULL);
}

/* ---- joining with what the store has ---- */

struct join {
    struct pb_run *run;
    const struct pb_segment *segment;
    const struct pb_run_reject *reject;
    struct pb_load_counts *counts;
    struct pb_mark_list *marks;
    bool has_changed;
    bool collects;               /* rows of the segment, instead of dropping those of the run */
    struct pb_pair *rows;        /* owned: of collects; the key is the row */
    size_t row_count, row_room;
    struct pb_reads_block reads; /* owned */
    uint32_t times_block;        /* whose rows' times are in times; UINT32_MAX: none */
    int64_t times[PB_BLOCK_ROWS_MAX];
    struct pb_error *error;
};

/* The time of a row of the segment. Rows are asked in order, so a block is decoded as a whole. */
static enum pb_status
known_time(struct join *join, uint64_t row, int64_t *ret_captured_us)
{
    uint32_t rows_per_block = join->segment->tables[PB_TABLE_READS].rows_per_block;
    uint32_t number = (uint32_t)(row / rows_per_block);
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = PB_OK;

    if (number != join->times_block) {
        join->times_block = UINT32_MAX;
        status = pb_segment_block(join->segment, PB_TABLE_READS, number, &block, join->error);
        if (status == PB_OK)
            status = pb_segment_column(join->segment, &block, PB_READS_TIME, &column,
                                       join->error);
        if (status != PB_OK)
            return status;
        pb_column_all(&column, join->times);
        join->times_block = number;
    }
    *ret_captured_us = join->times[row % rows_per_block];
    return PB_OK;
}

static enum pb_status
decode_known(struct join *join, uint64_t known_row, struct pb_record_room *room,
             struct pb_read *ret_known)
{
    enum pb_status status = pb_reads_block_load(&join->reads, join->segment, known_row,
                                                join->error);

    if (status == PB_OK)
        status = pb_reads_block_decode(&join->reads, known_row, room, ret_known, join->error);
    return status;
}

static enum pb_status
collect(struct join *join, uint64_t known_row)
{
    if (join->row_count == join->row_room) {
        size_t room = join->row_room == 0 ? 64 : join->row_room * 2;
        struct pb_pair *larger = pb_realloc(join->run->env, join->rows, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        join->rows = larger;
        join->row_room = room;
    }
    join->rows[join->row_count++] = (struct pb_pair){ known_row, 0 };
    return PB_OK;
}

/* A row of the run and a row of the segment have plate and moment in common. */
static enum pb_status
meet(struct join *join, struct run_row *row, uint64_t known_row, uint16_t known_jurisdiction)
{
    struct pb_record_room known_room;
    struct pb_run_room room;
    struct pb_read read;
    struct pb_read stored;
    struct pb_known known = { 0 };
    enum pb_status status = decode_known(join, known_row, &known_room, &stored);

    if (status != PB_OK)
        return status;
    read_of(join->run, row, &room, &read);
    stored.plate = read.plate;
    stored.jurisdiction = known_jurisdiction;
    if (row->flags & ROW_EVENT) {
        if (pb_read_same_content(&read, &stored))
            drop_quietly(join->run, row);
        return PB_OK;
    }
    if (pb_read_is_event(&stored) || !pb_read_same_identity(&read, &stored))
        return PB_OK;
    pb_known_add(&known, &read, &stored);
    join->has_changed = true;
    /* Where the segment's row is the one that goes, it is its read that is told of. */
    drop(join->run, row, join->collects ? &stored : &read,
         pb_judge(&read, &known) != PB_VERDICT_DUPLICATE, join->reject, join->counts);
    return join->collects ? collect(join, known_row) : PB_OK;
}

/* Whether a row may meet one of the same plate and moment in the segment. Of an event, which is
 * found by its identity, that tells as much as that the very same is there. */
static bool
may_meet(const struct join *join, const struct run_row *row)
{
    const struct pb_segment *segment = join->segment;

    if ((row->flags & ROW_EVENT) &&
        ((row->flags & ROW_DOUBTFUL) == 0 || segment->tables[PB_TABLE_EVENTS].rows == 0))
        return false;
    return (row->flags & ROW_DROPPED) == 0 && row->captured_us >= segment->entry.captured_min_us &&
           row->captured_us <= segment->entry.captured_max_us;
}

/* Compares the times of one plate's rows in the run and of one entry in the segment. */
static enum pb_status
join_plate(struct join *join, const struct pb_pair *pairs, size_t count,
           const struct pb_plate_rows *plate)
{
    uint64_t known_row = plate->first;
    int64_t known_us = 0;
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && status == PB_OK; i++) {
        struct run_row *row = row_at(join->run, pairs[i].value);

        /* Rows ascend by time within a jurisdiction; at its end time falls back. */
        if (i > 0 && row->captured_us < row_at(join->run, pairs[i - 1].value)->captured_us)
            known_row = plate->first;
        if (!may_meet(join, row))
            continue;
        while (known_row < plate->end) {
            status = known_time(join, known_row, &known_us);
            if (status != PB_OK || known_us >= row->captured_us)
                break;
            known_row++;
        }
        for (uint64_t other = known_row;
             other < plate->end && status == PB_OK && (row->flags & ROW_DROPPED) == 0; other++) {
            status = known_time(join, other, &known_us);
            if (status != PB_OK || known_us != row->captured_us)
                break;
            status = meet(join, row, other, plate->jurisdiction);
        }
    }
    return status;
}

/* Walks the plates of a partition and of the segment side by side. */
static enum pb_status
join_partition(struct join *join, const struct partition *partition)
{
    const struct pb_run *run = join->run;
    const struct pb_pair *pairs = run->pairs + partition->first;
    struct pb_plate_iterator iterator;
    struct pb_plate_rows plate;
    uint64_t first = 0;
    enum pb_status status = PB_OK;

    pb_plate_iterator_init(&iterator, join->segment, PB_TABLE_PLATES);
    status = pb_plate_iterator_next(&iterator, &plate, join->error);
    while (first < partition->count && status == PB_OK) {
        struct pb_str text = { NULL, 0 };
        uint64_t code = pairs[first].key == LONG_KEY ? 0 : pairs[first].key;
        uint64_t end = first + 1;

        fetch_ahead(run, pairs, first, partition->count);
        while (end < partition->count && same_plate(run, &pairs[first], &pairs[end]))
            fetch_ahead(run, pairs, end++, partition->count);
        if (code == 0)
            text = long_plate(run, row_at(run, pairs[first].value));
        if (code != 0 && plate.code != 0 && plate.code < code) {
            status = pb_plate_iterator_seek(&iterator, code, join->error);
            if (status == PB_OK)
                status = pb_plate_iterator_next(&iterator, &plate, join->error);
        }
        /* Ordinary plates of the segment come before its long ones. */
        while (status == PB_OK && code == 0
               && (plate.code != 0 || pb_str_compare(plate.text, text) < 0))
            status = pb_plate_iterator_next(&iterator, &plate, join->error);
        while (status == PB_OK && plate.code == code
               && (code != 0 || pb_str_equal(plate.text, text))) {
            status = join_plate(join, pairs + first, (size_t)(end - first), &plate);
            if (status == PB_OK)
                status = pb_plate_iterator_next(&iterator, &plate, join->error);
        }
        first = end;
    }
    pb_plate_iterator_done(&iterator);
    return status == PB_END ? PB_OK : status;
}

/* known: what the segment has of an event. */
static enum pb_status
judge_event(struct join *join, const struct pb_pair *event, const struct pb_known *known)
{
    struct run_row *row = row_at(join->run, event->value);
    struct pb_run_room room;
    struct pb_read read;
    enum pb_verdict verdict = PB_VERDICT_NEW;

    if ((row->flags & ROW_DROPPED) || !known->is_there)
        return PB_OK;
    read_of(join->run, row, &room, &read);
    verdict = pb_judge(&read, known);
    /* The revisions of a read may lie in several segments. */
    if (verdict == PB_VERDICT_CONFLICT && !known->has_revision) {
        row->flags |= ROW_DOUBTFUL;
        join->run->has_doubtful = true;
        return PB_OK;
    }
    if (verdict == PB_VERDICT_REVISION)
        return pb_mark_list_add(join->marks, join->run->env, &read, join->segment->entry.number);
    join->has_changed = true;
    if (verdict == PB_VERDICT_HISTORY)
        row->flags |= PB_ROW_SUPERSEDED;
    else
        drop(join->run, row, &read, verdict == PB_VERDICT_CONFLICT, join->reject, join->counts);
    return PB_OK;
}

/* Joins a run of corrections, few as a rule: what each corrects may be no event. */
static enum pb_status
join_corrections(struct join *join)
{
    const struct pb_run *run = join->run;
    enum pb_status status = PB_OK;

    for (uint64_t i = 0; i < run->event_count && status == PB_OK; i++) {
        const struct run_row *row = row_at(run, run->events[i].value);
        struct pb_run_room room;
        struct pb_read read;
        struct pb_known known = { 0 };

        if (row->flags & ROW_DROPPED)
            continue;
        read_of(run, row, &room, &read);
        status = pb_segment_find_identity(join->segment, &read, run->events[i].key, &known,
                                          join->error);
        if (status == PB_OK)
            status = judge_event(join, &run->events[i], &known);
    }
    return status;
}

static enum pb_status
join_events(struct join *join)
{
    const struct pb_run *run = join->run;
    struct pb_known *known = NULL;
    enum pb_status status = PB_OK;

    if (run->correction_count != 0)
        return join_corrections(join);
    if (run->event_count == 0 || join->segment->tables[PB_TABLE_EVENTS].rows == 0)
        return PB_OK;
    known = pb_calloc(run->env, (size_t)run->event_count, sizeof(*known));
    if (known == NULL)
        return PB_E_NOMEM;
    status = pb_encounters_find(run, join->segment, run->events, run->event_count, known,
                                join->error);
    for (uint64_t i = 0; i < run->event_count && status == PB_OK; i++)
        status = judge_event(join, &run->events[i], &known[i]);
    pb_free(run->env, known);
    return status;
}

bool
pb_run_settle(struct pb_run *run, const struct pb_run_reject *reject,
              struct pb_load_counts *counts)
{
    bool has_dropped = false;

    for (uint64_t i = 0; i < run->event_count && run->has_doubtful; i++) {
        struct run_row *row = row_at(run, run->events[i].value);
        struct pb_run_room room;
        struct pb_read read;

        if ((row->flags & (ROW_DOUBTFUL | ROW_DROPPED)) != ROW_DOUBTFUL)
            continue;
        read_of(run, row, &room, &read);
        drop(run, row, &read, true, reject, counts);
        has_dropped = true;
    }
    return has_dropped;
}

enum pb_status
pb_run_join(struct pb_run *run, const struct pb_segment *segment,
            const struct pb_run_reject *reject, struct pb_load_counts *counts,
            struct pb_mark_list *marks, bool *ret_changed, struct pb_error *error)
{
    struct join join = { .run = run,
                         .segment = segment,
                         .reject = reject,
                         .counts = counts,
                         .marks = marks,
                         .times_block = UINT32_MAX,
                         .error = error };
    enum pb_status status = PB_OK;

    pb_reads_block_init(&join.reads);
    for (uint32_t p = 0; p < run->partition_count; p++) {
        /* Of a part, whose rows are no events. The same moment lies in the same month, whatever the
         * retention class. */
        if (run->event_count == 0 && run->partitions[p].month == segment->entry.month)
            status = join_partition(&join, &run->partitions[p]);
        if (status != PB_OK)
            goto out;
    }
    status = join_events(&join);

out:
    pb_reads_block_done(&join.reads, run->env);
    *ret_changed = join.has_changed;
    return status;
}

enum pb_status
pb_run_hold_back(struct pb_run *run, enum pb_status (*each)(void *context, uint64_t identity),
                 void *context, uint64_t *doubtful)
{
    enum pb_status status = PB_OK;

    for (uint64_t i = 0; i < run->rows && run->has_doubtful && status == PB_OK; i++) {
        struct run_row *row = row_at(run, i);
        struct pb_run_room room;
        struct pb_read read;

        *doubtful += (row->flags & ROW_DOUBTFUL) != 0;
        if ((row->flags & (ROW_DOUBTFUL | ROW_DROPPED)) != ROW_DOUBTFUL)
            continue;
        read_of(run, row, &room, &read);
        status = each(context, pb_read_identity(&read));
        drop_quietly(run, row);
    }
    return status;
}

/* ---- what two segments have in common ---- */

/* Adds a plate's plain reads to the run. */
static enum pb_status
add_plate(struct pb_run *run, struct pb_reads_block *reads, const struct pb_segment *segment,
          const struct pb_plate_rows *plate, struct pb_error *error)
{
    struct pb_record_room room;
    char text[PB_PLATE_CODE_CHARS];
    enum pb_status status = PB_OK;

    for (uint64_t row = plate->first; row < plate->end && status == PB_OK; row++) {
        struct pb_read read;

        status = pb_reads_block_load(reads, segment, row, error);
        if (status == PB_OK)
            status = pb_reads_block_decode(reads, row, &room, &read, error);
        if (status != PB_OK || pb_read_is_event(&read))
            continue;
        read.plate = plate->text;
        if (plate->code != 0)
            read.plate = (struct pb_str){ text, pb_plate_code_text(plate->code, text) };
        read.jurisdiction = plate->jurisdiction;
        status = pb_run_add(run, &read, 0);
    }
    return status;
}

/* Joins the rows gathered in a run with the segment, and begins a new run. */
static enum pb_status
join_batch(struct join *join)
{
    enum pb_status status = pb_run_sort_judged(join->run);

    if (status != PB_OK)
        return status;
    for (uint32_t p = 0; p < join->run->partition_count; p++) {
        status = join_partition(join, &join->run->partitions[p]);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* The rows collected, ascending. */
static enum pb_status
take_common(const struct pb_env *env, struct join *join, uint64_t **ret_rows, uint64_t *ret_count)
{
    struct pb_pair *scratch = pb_alloc(env, (join->row_count + 1) * sizeof(*scratch));
    uint64_t *rows = pb_alloc(env, (join->row_count + 1) * sizeof(*rows));

    if (scratch == NULL || rows == NULL) {
        pb_free(env, scratch);
        pb_free(env, rows);
        return PB_E_NOMEM;
    }
    pb_pairs_sort(join->rows, scratch, join->row_count);
    for (size_t i = 0; i < join->row_count; i++)
        rows[i] = join->rows[i].key;
    pb_free(env, scratch);
    *ret_rows = rows;
    *ret_count = join->row_count;
    return PB_OK;
}

enum pb_status
pb_run_common_rows(const struct pb_env *env, const struct pb_segment *segment,
                   const struct pb_segment *other, const struct pb_run_reject *reject,
                   struct pb_load_counts *counts, uint64_t **ret_rows, uint64_t *ret_count,
                   struct pb_error *error)
{
    struct join join = { .segment = segment,
                         .reject = reject,
                         .counts = counts,
                         .collects = true,
                         .times_block = UINT32_MAX,
                         .error = error };
    struct pb_plate_iterator iterator;
    struct pb_reads_block reads;
    enum pb_status status = PB_OK;

    *ret_count = 0;
    if (segment->entry.month != other->entry.month)
        return PB_OK;
    pb_reads_block_init(&join.reads);
    pb_reads_block_init(&reads);
    pb_plate_iterator_init(&iterator, other, PB_TABLE_PLATES);
    while (status == PB_OK) {
        struct pb_plate_rows plate;

        status = pb_run_new(env, &join.run);
        while (status == PB_OK && join.run->rows < COMMON_ROWS) {
            status = pb_plate_iterator_next(&iterator, &plate, error);
            if (status == PB_OK)
                status = add_plate(join.run, &reads, other, &plate, error);
        }
        if (status == PB_OK || status == PB_END) {
            enum pb_status joined = join_batch(&join);

            status = joined != PB_OK ? joined : status;
        }
        pb_run_free(join.run);
        join.run = NULL;
    }
    if (status == PB_END)
        status = take_common(env, &join, ret_rows, ret_count);
    pb_plate_iterator_done(&iterator);
    pb_reads_block_done(&reads, env);
    pb_reads_block_done(&join.reads, env);
    pb_free(env, join.rows);
    return status;
}

/* ---- writing ---- */

static void
row_for_segment(const struct pb_run *run, const struct run_row *row,
                const struct pb_context_move *moves, const uint32_t *vehicles,
                struct pb_row *ret_row)
{
    *ret_row = (struct pb_row){
        .captured_us = row->captured_us,
        .keep_us = row->keep_us,
        .context = row->context,
        .vehicle = row->vehicle,
        .confidence_code = row->confidence_code,
        .lat = row->lat,
        .lon = row->lon,
        .heading_code = row->heading_code,
        .speed_code = row->speed_ckmh == PB_NO_SPEED ? 0 : row->speed_ckmh + PB_CODE_SHIFT,
        .commit_row = row->commit_row,
        .revision = row->revision,
        .flags = row->flags & (uint8_t)~(ROW_DOUBTFUL | ROW_DROPPED | ROW_EVENT),
    };
    ret_row->extras = extras_of(run, row, &ret_row->extras_bytes);
    if (moves == NULL)
        return;
    ret_row->vehicle = vehicles[row->vehicle];
    pb_context_move_row(&moves[row->context], &ret_row->context, &ret_row->lat, &ret_row->lon,
                        &ret_row->heading_code);
}

/* Context and vehicle of a row that was fetched before, and what lies in its heap. */
static inline __attribute__((always_inline)) void
fetch_rest_ahead(const struct pb_run *run, const struct pb_context_move *moves,
                 const struct pb_pair *pairs, uint64_t i, uint64_t count)
{
    const struct run_row *row = NULL;

    if (i + AHEAD / 2 >= count)
        return;
    row = row_at(run, pairs[i + AHEAD / 2].value);
    if (moves == NULL) {
        __builtin_prefetch(&run->names->contexts[row->context]);
        __builtin_prefetch(&run->names->vehicles[row->vehicle]);
    } else {
        __builtin_prefetch(&moves[row->context]);
    }
    if (row->heap != HEAP_NONE)
        __builtin_prefetch(heap_at(run, row->heap));
}

/* moves: NULL where the rows' numbers are the writer's. */
static enum pb_status
write_rows(const struct pb_run *run, const struct partition *partition,
           const struct pb_context_move *moves, const uint32_t *vehicles,
           struct pb_segment_writer *writer, struct pb_error *error)
{
    const struct pb_pair *pairs = run->pairs + partition->first;
    const struct pb_pair *before = NULL;
    uint16_t jurisdiction = 0;
    enum pb_status status = PB_OK;

    for (uint64_t i = 0; i < partition->count && status == PB_OK; i++) {
        const struct run_row *row = row_at(run, pairs[i].value);
        struct pb_row out;

        fetch_ahead(run, pairs, i, partition->count);
        fetch_rest_ahead(run, moves, pairs, i, partition->count);
        if (row->flags & ROW_DROPPED)
            continue;
        if (before == NULL || row->jurisdiction != jurisdiction
            || !same_plate(run, before, &pairs[i])) {
            struct pb_str text = { NULL, 0 };

            if (row->code == 0)
                text = long_plate(run, row);
            pb_segment_writer_plate(writer, row->code, text, row->jurisdiction);
            jurisdiction = row->jurisdiction;
        }
        before = &pairs[i];
        row_for_segment(run, row, moves, vehicles, &out);
        status = pb_segment_writer_row(writer, &out, error);
    }
    return status;
}

enum pb_status
pb_run_pour(const struct pb_run *run, struct pb_segment_writer *writer, struct pb_error *error)
{
    return write_rows(run, &run->partitions[0], NULL, NULL, writer, error);
}

static uint64_t
rows_left(const struct pb_run *run, const struct partition *partition)
{
    uint64_t count = 0;

    if (run->dropped == 0)
        return partition->count;
    for (uint64_t i = 0; i < partition->count; i++)
        count += (row_at(run, run->pairs[partition->first + i].value)->flags & ROW_DROPPED) == 0;
    return count;
}

static enum pb_status
write_partition(const struct pb_run *run, const struct partition *partition,
                const struct pb_run_target *target, struct pb_names *names,
                const struct pb_context_move *moves, const uint32_t *vehicles, uint64_t number,
                struct pb_segment_entry *ret_entry, struct pb_error *error)
{
    struct pb_segment_options options = {
        .directory = target->directory,
        .store_id = target->store_id,
        .number = number,
        .month = partition->month,
        .retention_days = partition->retention_days,
        .names = names,
        .memory_bytes = target->memory_bytes,
        .crew = target->crew,
    };
    struct pb_segment_writer *writer = NULL;
    enum pb_status status = pb_segment_writer_new(run->env, &options, &writer, error);

    for (uint32_t i = 0; i < target->commit_count && status == PB_OK; i++) {
        status = pb_segment_writer_commit(writer, target->commits[i].commit,
                                          target->commits[i].received_us, error);
    }
    if (status == PB_OK)
        status = write_rows(run, partition, moves, vehicles, writer, error);
    if (status == PB_OK)
        status = pb_segment_writer_finish(writer, ret_entry, error);
    pb_segment_writer_free(writer);
    return status;
}

enum pb_status
pb_run_write(struct pb_run *run, const struct pb_run_target *target,
             uint64_t (*take_number)(void *context), void *context,
             struct pb_segment_entry **ret_entries, uint32_t *ret_count, struct pb_error *error)
{
    struct pb_names names = { 0 };
    struct pb_context_move *moves = NULL;
    uint32_t *vehicles = NULL;
    uint32_t *numbers = NULL;
    struct pb_segment_entry *entries = NULL;
    uint32_t count = 0;
    enum pb_status status = PB_E_NOMEM;

    moves = pb_calloc(run->env, run->names->context_count + 1u, sizeof(*moves));
    vehicles = pb_calloc(run->env, run->names->vehicle_count + 1u, sizeof(*vehicles));
    entries = pb_calloc(run->env, run->partition_count + 1u, sizeof(*entries));
    if (moves == NULL || vehicles == NULL || entries == NULL)
        goto out;
    status = pb_names_init(&names, run->env);
    if (status == PB_OK)
        status = pb_names_announce(&names, run->names, NULL);
    if (status == PB_OK)
        status = pb_names_join(&names, run->names, moves, vehicles);
    if (status == PB_OK) {
        numbers = pb_calloc(run->env, names.context_count + 1u, sizeof(*numbers));
        status = numbers == NULL ? PB_E_NOMEM : pb_names_sort_contexts(&names, numbers);
    }
    for (uint32_t i = 0; i < run->names->context_count && status == PB_OK; i++)
        moves[i].context = numbers[moves[i].context];
    for (uint32_t p = 0; p < run->partition_count && status == PB_OK; p++) {
        if (rows_left(run, &run->partitions[p]) == 0)
            continue;
        status = write_partition(run, &run->partitions[p], target, &names, moves, vehicles,
                                 take_number(context), &entries[count], error);
        if (status == PB_OK)
            count++;
    }
    if (status != PB_OK) {
        /* Files that were finished belong to nobody. */
        for (uint32_t i = 0; i < count; i++) {
            char path[4096];

            pb_segment_path(path, sizeof(path), target->directory, entries[i].number);
            (void)!run->env->files->unlink(run->env->file_context, path, NULL);
        }
        goto out;
    }
    *ret_entries = entries;
    *ret_count = count;
    entries = NULL;

out:
    pb_names_done(&names);
    pb_free(run->env, moves);
    pb_free(run->env, vehicles);
    pb_free(run->env, numbers);
    pb_free(run->env, entries);
    return status;
}
