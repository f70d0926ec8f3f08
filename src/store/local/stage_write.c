/*
 * Stage: writing.
 *
 * Buckets are taken in order, small ones several at once: one thread reads back what lies in files
 * and hands the sorting out to the crew, some parts ahead; then it pours the parts, in order,
 * into the segment.
 */
#include <assert.h>
#include <string.h>

#include "store/local/stage_private.h"

#define PARTS 3u         /* in work at one time */
#define ROWS_AHEAD 16u   /* whose names are fetched before they are looked at */
#define FEW_PER_CONTEXT 4u /* rows of a partition: fewer than contexts by so many times */
#define PART_ROWS 32768u /* buckets are taken together up to so many */

/* Buckets [first, end) of all lanes, of one partition, being sorted. */
struct part {
    struct pb_crew_job job; /* the first, so that the one is the other */
    const struct writing *writing;
    struct pb_run *run; /* owned */
    uint8_t *spilled;   /* owned: what the lanes' files hold of it */
    size_t spilled_room;
    uint32_t first, end;
    size_t bytes;
};

/* Where rows of a lane's context go: those that report the fields of bit b of `reports` to context
 * contexts[first + the number of lower bits that are set], and what they add to that. */
struct context_moves {
    uint64_t reports;
    uint32_t first;
    int32_t lat, lon;
    uint16_t heading_code;
};

struct vehicle_move {
    uint32_t vehicle;
    uint8_t reports;
};

/* From the numbers of a lane's names to those of all lanes' together. */
struct lane_moves {
    struct context_moves *moves; /* owned: by the lane's contexts */
    uint32_t *contexts;          /* owned */
    uint32_t context_count;
    struct vehicle_move *vehicles; /* owned: by the lane's vehicles */
};

/* Which names of a lane the rows of a partition have. */
struct lane_names {
    uint64_t *reports;    /* owned: by the lane's contexts, as the lane's own */
    uint8_t *has_vehicle; /* owned: by the lane's vehicles */
};

struct writing {
    struct pb_stage *stage;
    const struct pb_stage_target *target;
    struct pb_names names;    /* of all lanes, or what the partition in work has of them */
    struct lane_moves *lanes; /* owned */
    struct part parts[PARTS];
    uint32_t part_first, part_count;
    size_t part_bytes;
    uint32_t month, retention_days; /* of the partition in work */
    uint64_t *place_keys;           /* owned: that stand for all rows' */
    size_t place_key_count;
    struct pb_segment_entry *entries; /* owned */
    uint32_t entry_count, entry_room;
    struct pb_error *error;
};

/* ---- names ---- */

/* One context of a lane, by each set of fields that its rows report. */
static enum pb_status
join_context(struct writing *writing, const struct pb_names *names, uint32_t number,
             struct lane_moves *lane)
{
    struct context_moves *move = &lane->moves[number];
    struct pb_context context = names->contexts[number];
    uint32_t next = move->first;

    for (uint64_t left = move->reports; left != 0; left &= left - 1) {
        struct pb_context_move joined = { 0 };
        enum pb_status status = PB_OK;

        context.reports = (uint8_t)__builtin_ctzll(left);
        status = pb_names_join_context(&writing->names, names, &context, &joined);
        if (status != PB_OK)
            return status;
        lane->contexts[next++] = joined.context;
        move->lat = joined.rest.lat;
        move->lon = joined.rest.lon;
        move->heading_code = joined.rest.heading_code;
    }
    return PB_OK;
}

/* few: what is joined; NULL: all. */
static enum pb_status
join_contexts(struct writing *writing, const struct stage_lane *lane,
              const struct lane_names *few, struct lane_moves *moves)
{
    const struct pb_env *env = writing->stage->env;
    const struct pb_names *names = &lane->names;
    const uint64_t *reports = few == NULL ? lane->reports : few->reports;
    enum pb_status status = PB_OK;

    moves->moves = pb_calloc(env, names->context_count + 1u, sizeof(*moves->moves));
    if (moves->moves == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < names->context_count; i++) {
        /* The newest may have no row: when it was added there was no memory for more. */
        moves->moves[i].reports = i < lane->reports_room ? reports[i] : 0;
        moves->moves[i].first = moves->context_count;
        moves->context_count += (uint32_t)__builtin_popcountll(moves->moves[i].reports);
    }
    moves->contexts = pb_calloc(env, moves->context_count + 1u, sizeof(*moves->contexts));
    if (moves->contexts == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < names->context_count && status == PB_OK; i++)
        status = join_context(writing, names, i, moves);
    return status;
}

static enum pb_status
join_vehicles(struct writing *writing, const struct pb_names *names, const struct lane_names *few,
              struct lane_moves *moves)
{
    enum pb_status status = PB_OK;

    moves->vehicles =
        pb_calloc(writing->stage->env, names->vehicle_count + 1u, sizeof(*moves->vehicles));
    if (moves->vehicles == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < names->vehicle_count && status == PB_OK; i++) {
        if (few != NULL && !few->has_vehicle[i])
            continue;
        moves->vehicles[i].reports = pb_vehicle_reports(&names->vehicles[i]);
        status =
            pb_names_join_vehicle(&writing->names, names, i, &moves->vehicles[i].vehicle);
    }
    return status;
}

static enum pb_status
sort_contexts(struct writing *writing)
{
    const struct pb_env *env = writing->stage->env;
    uint32_t *numbers = pb_calloc(env, writing->names.context_count + 1u, sizeof(*numbers));
    enum pb_status status =
        numbers == NULL ? PB_E_NOMEM : pb_names_sort_contexts(&writing->names, numbers);

    for (unsigned i = 0; i < writing->stage->lane_count && status == PB_OK; i++) {
        for (uint32_t c = 0; c < writing->lanes[i].context_count; c++)
            writing->lanes[i].contexts[c] = numbers[writing->lanes[i].contexts[c]];
    }
    pb_free(env, numbers);
    return status;
}

/* few: by lane, what is joined; NULL: all. */
static enum pb_status
join_names(struct writing *writing, const struct lane_names *few)
{
    struct pb_stage *stage = writing->stage;
    enum pb_status status = pb_names_init(&writing->names, stage->env);

    writing->lanes = pb_calloc(stage->env, stage->lane_count, sizeof(*writing->lanes));
    if (writing->lanes == NULL)
        status = PB_E_NOMEM;
    for (unsigned i = 0; i < stage->lane_count && status == PB_OK; i++) {
        status = pb_names_announce(&writing->names, &stage->lanes[i].names,
                                   few == NULL ? NULL : few[i].reports);
    }
    for (unsigned i = 0; i < stage->lane_count && status == PB_OK; i++) {
        const struct lane_names *of_lane = few == NULL ? NULL : &few[i];

        status = join_contexts(writing, &stage->lanes[i], of_lane, &writing->lanes[i]);
        if (status == PB_OK)
            status = join_vehicles(writing, &stage->lanes[i].names, of_lane, &writing->lanes[i]);
    }
    return status == PB_OK ? sort_contexts(writing) : status;
}

static void
free_names(struct writing *writing)
{
    const struct pb_env *env = writing->stage->env;

    for (unsigned i = 0; writing->lanes != NULL && i < writing->stage->lane_count; i++) {
        pb_free(env, writing->lanes[i].moves);
        pb_free(env, writing->lanes[i].contexts);
        pb_free(env, writing->lanes[i].vehicles);
    }
    pb_free(env, writing->lanes);
    pb_names_done(&writing->names);
}

/* ---- parts ---- */

static const struct bucket *
bucket_at(const struct writing *writing, unsigned lane_number, uint32_t number)
{
    const struct stage_lane *lane = &writing->stage->lanes[lane_number];

    for (uint32_t p = 0; p < lane->partition_count; p++) {
        if (lane->partitions[p].month == writing->month &&
            lane->partitions[p].retention_days == writing->retention_days)
            return &lane->partitions[p].buckets[number];
    }
    return NULL;
}

struct part_size {
    uint64_t rows, tail_bytes, spilled_bytes;
};

/* Adds what all lanes have in a bucket. */
static void
add_size(const struct writing *writing, uint32_t number, struct part_size *size)
{
    for (unsigned lane = 0; lane < writing->stage->lane_count; lane++) {
        const struct bucket *bucket = bucket_at(writing, lane, number);

        if (bucket != NULL) {
            size->rows += bucket->rows;
            size->tail_bytes += bucket->tail_bytes;
            size->spilled_bytes += bucket->bin.spilled_bytes;
        }
    }
}

/* The next buckets, from `first`, that make a part; returns where they end. */
static uint32_t
choose_part(const struct writing *writing, uint32_t first, struct part_size *ret_size)
{
    uint32_t end = first;

    *ret_size = (struct part_size){ 0 };
    while (end <= STAGE_BUCKETS) {
        struct part_size size = { 0 };

        add_size(writing, end, &size);
        if (end > first && ret_size->rows + size.rows > PART_ROWS)
            break;
        ret_size->rows += size.rows;
        ret_size->tail_bytes += size.tail_bytes;
        ret_size->spilled_bytes += size.spilled_bytes;
        end++;
    }
    return end;
}

/* Reads what the lanes' files hold of a part, in the order in which sort_part() walks. */
static enum pb_status
read_spilled(struct writing *writing, struct part *part, size_t bytes)
{
    const struct pb_env *env = writing->stage->env;
    size_t at = 0;
    enum pb_status status = PB_OK;

    if (bytes > part->spilled_room) {
        pb_free(env, part->spilled);
        part->spilled_room = 0;
        part->spilled = pb_alloc(env, bytes);
        if (part->spilled == NULL)
            return PB_E_NOMEM;
        part->spilled_room = bytes;
    }
    for (uint32_t b = part->first; b < part->end; b++) {
        for (unsigned lane = 0; lane < writing->stage->lane_count; lane++) {
            const struct bucket *bucket = bucket_at(writing, lane, b);

            if (bucket == NULL)
                continue;
            status = pb_bin_read(&writing->stage->lanes[lane].bins, &bucket->bin,
                                 part->spilled + at, writing->error);
            if (status != PB_OK)
                return status;
            at += bucket->bin.spilled_bytes;
        }
    }
    return PB_OK;
}

/* Where the number stands that a lane's context has among those of all lanes, with that vehicle. */
static inline const uint32_t *
moved_context(const struct lane_moves *lane, uint32_t context, uint32_t vehicle)
{
    const struct context_moves *move = &lane->moves[context];
    uint64_t lower = move->reports & ((UINT64_C(1) << lane->vehicles[vehicle].reports) - 1);

    return &lane->contexts[move->first + (uint32_t)__builtin_popcountll(lower)];
}

/* Gives a row the numbers of the names of all lanes. */
static inline void
move_row(const struct lane_moves *lane, struct pb_row *row)
{
    const struct context_moves *move = &lane->moves[row->context];
    uint32_t context = *moved_context(lane, row->context, row->vehicle);

    row->vehicle = lane->vehicles[row->vehicle].vehicle;
    row->context = context;
    row->lat = (int32_t)((uint32_t)row->lat + (uint32_t)move->lat);
    row->lon = (int32_t)((uint32_t)row->lon + (uint32_t)move->lon);
    row->heading_code = (uint16_t)(row->heading_code + move->heading_code);
}

/* What a run is told of a staged row. */
static uint8_t
run_flags(const struct writing *writing, const struct staged_view *view)
{
    unsigned flags = view->row.flags & ~(STAGED_REST | STAGED_EVENT);

    if ((view->row.flags & STAGED_EVENT) == 0)
        return (uint8_t)flags;
    flags |= PB_RUN_EVENT;
    if (writing != NULL && writing->target->suspects != NULL &&
        pb_suspects_has(writing->target->suspects, staged_event(view).identity))
        flags |= PB_RUN_DOUBTFUL;
    return (uint8_t)flags;
}

/* Puts a staged row into a run whose names are those of all lanes, or (writing is NULL) of its
 * own. */
static void
put_staged(const struct writing *writing, const struct stage_lane *lane,
           const struct staged_view *view, struct pb_run *run)
{
    const struct staged_row *from = &view->row;
    const uint8_t *tail = view->tail;
    struct pb_str text = { NULL, 0 };
    int64_t keep_us = staged_keep(lane, view);
    struct pb_row row = {
        .captured_us = from->captured_us,
        .keep_us = keep_us == PB_NEVER ? 0 : keep_us,
        .context = from->context,
        .vehicle = from->vehicle,
        .confidence_code = from->confidence_code,
        .speed_code = from->speed_ckmh == PB_NO_SPEED ? 0 : from->speed_ckmh + PB_CODE_SHIFT,
        .flags = run_flags(writing, view),
    };

    if (from->flags & STAGED_EVENT)
        tail += sizeof(struct staged_event);
    if (from->flags & STAGED_REST) {
        struct staged_rest rest = staged_rest(view);

        tail += sizeof(rest);
        row.lat = rest.lat;
        row.lon = rest.lon;
        row.heading_code = rest.heading_code;
        row.revision = rest.revision;
    }
    if (from->code == 0) {
        text = (struct pb_str){ (const char *)tail + 1, tail[0] };
        tail += 1 + text.bytes;
    }
    row.extras = tail;
    row.extras_bytes = from->tail_bytes - (uint32_t)(tail - view->tail);
    if (writing != NULL)
        move_row(&writing->lanes[lane->number], &row);
    pb_run_put(run, from->code, text, from->jurisdiction, &row);
}

/* Puts a bucket's rows into a run. What is known of their names is fetched some rows ahead. */
static void
put_bucket(const struct writing *writing, const struct stage_lane *lane,
           const struct bucket *bucket, const uint8_t *spilled, struct pb_run *run)
{
    const struct lane_moves *moves = &writing->lanes[lane->number];
    struct staged_view views[ROWS_AHEAD];
    struct row_walk walk;
    uint32_t count = 0;

    row_walk_init(&walk, bucket, spilled);
    do {
        for (count = 0; count < ROWS_AHEAD && row_walk_next(&walk, &views[count]); count++) {
            __builtin_prefetch(&moves->vehicles[views[count].row.vehicle]);
            __builtin_prefetch(&moves->moves[views[count].row.context]);
        }
        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(moved_context(moves, views[i].row.context, views[i].row.vehicle));
        for (uint32_t i = 0; i < count; i++)
            put_staged(writing, lane, &views[i], run);
    } while (count == ROWS_AHEAD);
}

static void
sort_part(struct pb_crew_job *job)
{
    struct part *part = (struct part *)(void *)job;
    const struct writing *writing = part->writing;
    const uint8_t *spilled = part->spilled;

    for (uint32_t b = part->first; b < part->end; b++) {
        for (unsigned i = 0; i < writing->stage->lane_count; i++) {
            const struct bucket *bucket = bucket_at(writing, i, b);

            if (bucket == NULL)
                continue;
            put_bucket(writing, &writing->stage->lanes[i], bucket, spilled, part->run);
            spilled += bucket->bin.spilled_bytes;
        }
    }
    pb_run_order_part(part->run);
}

/* Begins to sort the next part, of that size. */
static enum pb_status
begin_part(struct writing *writing, uint32_t first, uint32_t end, const struct part_size *size)
{
    struct part *part = &writing->parts[(writing->part_first + writing->part_count) % PARTS];
    enum pb_status status = PB_OK;

    if (part->run == NULL)
        status = pb_run_new_part(writing->stage->env, &writing->names, &part->run);
    if (status != PB_OK)
        return status;
    part->writing = writing;
    part->first = first;
    part->end = end;
    part->bytes =
        (size_t)(size->rows * STAGE_PART_ROW_BYTES + size->tail_bytes + size->spilled_bytes);
    part->job.run = sort_part;
    status = pb_run_begin_part(part->run, writing->month, writing->retention_days, size->rows,
                               size->tail_bytes);
    if (status == PB_OK)
        status = read_spilled(writing, part, (size_t)size->spilled_bytes);
    if (status != PB_OK)
        return status;
    pb_crew_submit(writing->target->crew, &part->job);
    writing->part_bytes += part->bytes;
    writing->part_count++;
    return PB_OK;
}

/* Takes back the part that was begun first. */
static struct part *
end_part(struct writing *writing)
{
    struct part *part = &writing->parts[writing->part_first];

    pb_crew_wait(writing->target->crew, &part->job);
    writing->part_first = (writing->part_first + 1) % PARTS;
    writing->part_count--;
    writing->part_bytes -= part->bytes;
    return part;
}

void
pb_stage_put(const struct stage_lane *lane, const struct staged_view *view, struct pb_run *run)
{
    put_staged(NULL, lane, view, run);
}

/* ---- segments ---- */

static enum pb_status
pour_parts(struct writing *writing, struct pb_segment_writer *writer)
{
    const struct pb_stage_target *target = writing->target;
    uint32_t next = 0;
    enum pb_status status = PB_OK;

    while (status == PB_OK) {
        struct part_size size;
        uint32_t end = choose_part(writing, next, &size);
        bool fits =
            writing->part_count == 0 || writing->part_bytes + size.rows * STAGE_PART_ROW_BYTES <=
                                            writing->stage->memory_bytes / 2;

        if (next <= STAGE_BUCKETS && writing->part_count < PARTS && fits) {
            if (size.rows != 0)
                status = begin_part(writing, next, end, &size);
            next = end;
        } else if (writing->part_count > 0) {
            struct part *part = end_part(writing);

            status = target->judge(target->judge_context, part->run, writing->error);
            if (status == PB_OK)
                status = pb_run_pour(part->run, writer, writing->error);
        } else {
            break;
        }
    }
    while (writing->part_count > 0)
        (void)end_part(writing);
    return status;
}

static enum pb_status
add_entry(struct writing *writing, const struct pb_segment_entry *entry)
{
    if (writing->entry_count == writing->entry_room) {
        uint32_t room = writing->entry_room == 0 ? 8 : writing->entry_room * 2;
        struct pb_segment_entry *larger =
            pb_realloc(writing->stage->env, writing->entries, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        writing->entries = larger;
        writing->entry_room = room;
    }
    writing->entries[writing->entry_count++] = *entry;
    return PB_OK;
}

/* Writes the segment of writing's partition. */
static enum pb_status
write_segment(struct writing *writing)
{
    const struct pb_run_target *target = &writing->target->run;
    struct pb_segment_options options = {
        .directory = target->directory,
        .store_id = target->store_id,
        .number = writing->target->take_number(writing->target->number_context),
        .month = writing->month,
        .retention_days = writing->retention_days,
        .names = &writing->names,
        .memory_bytes = target->memory_bytes,
        .crew = writing->target->crew,
        .place_sample = writing->place_keys,
        .place_sample_count = writing->place_key_count,
    };
    struct pb_segment_entry entry = { .number = options.number };
    struct pb_segment_writer *writer = NULL;
    /* Room first: what was finished must not be lost for want of it. */
    enum pb_status status = add_entry(writing, &entry);

    if (status != PB_OK)
        return status;
    status = pb_segment_writer_new(writing->stage->env, &options, &writer, writing->error);
    for (uint32_t i = 0; i < target->commit_count && status == PB_OK; i++) {
        status = pb_segment_writer_commit(writer, target->commits[i].commit,
                                          target->commits[i].received_us, writing->error);
    }
    if (status == PB_OK)
        status = pour_parts(writing, writer);
    if (status == PB_OK && pb_segment_writer_rows(writer) != 0) {
        status = pb_segment_writer_finish(writer, &entry, writing->error);
        writing->entries[writing->entry_count - 1] = entry;
    }
    if (status != PB_OK || entry.rows == 0)
        writing->entry_count--;
    pb_segment_writer_free(writer);
    return status;
}

/* ---- few rows ---- */

/* Rows of a lane whose names are noted. */
struct noting {
    const struct pb_names *names;
    struct lane_names *few;
};

static enum pb_status
note_names(void *context, const uint8_t *bytes, size_t count)
{
    const struct noting *noting = context;
    struct staged_row row;

    for (size_t at = 0; at < count; at += staged_bytes(&row)) {
        const struct pb_vehicle *vehicle;

        memcpy(&row, bytes + at, sizeof(row));
        vehicle = &noting->names->vehicles[row.vehicle];
        noting->few->reports[row.context] |= UINT64_C(1) << pb_vehicle_reports(vehicle);
        noting->few->has_vehicle[row.vehicle] = 1;
    }
    return PB_OK;
}

/* Notes the names that a lane's rows of writing's partition have. */
static enum pb_status
note_lane(const struct writing *writing, unsigned number, struct lane_names *few)
{
    const struct stage_lane *lane = &writing->stage->lanes[number];
    struct noting noting = { .names = &lane->names, .few = few };
    enum pb_status status = PB_OK;

    few->reports =
        pb_calloc(writing->stage->env, lane->names.context_count + 1u, sizeof(*few->reports));
    few->has_vehicle = pb_calloc(writing->stage->env, lane->names.vehicle_count + 1u, 1);
    if (few->reports == NULL || few->has_vehicle == NULL)
        return PB_E_NOMEM;
    for (uint32_t b = 0; b <= STAGE_BUCKETS && status == PB_OK; b++) {
        const struct bucket *bucket = bucket_at(writing, number, b);

        if (bucket == NULL)
            break;
        status = pb_bin_each(&lane->bins, &bucket->bin, note_names, &noting, writing->error);
    }
    return status;
}

/* Writes the segment of a partition with few rows, of which a load over a month's border has some,
 * with the names of these rows alone: an open segment keeps its names in memory. */
static enum pb_status
write_few(struct writing *writing)
{
    const struct pb_env *env = writing->stage->env;
    struct pb_names all_names = writing->names;
    struct lane_moves *all_lanes = writing->lanes;
    struct lane_names *few = pb_calloc(env, writing->stage->lane_count, sizeof(*few));
    enum pb_status status = few == NULL ? PB_E_NOMEM : PB_OK;

    memset(&writing->names, 0, sizeof(writing->names));
    writing->lanes = NULL;
    for (unsigned i = 0; i < writing->stage->lane_count && status == PB_OK; i++)
        status = note_lane(writing, i, &few[i]);
    if (status == PB_OK)
        status = join_names(writing, few);
    if (status == PB_OK)
        status = write_segment(writing);
    for (unsigned i = 0; few != NULL && i < writing->stage->lane_count; i++) {
        pb_free(env, few[i].reports);
        pb_free(env, few[i].has_vehicle);
    }
    pb_free(env, few);
    free_names(writing);
    writing->names = all_names;
    writing->lanes = all_lanes;
    return status;
}

static bool
has_few_rows(const struct writing *writing)
{
    struct part_size size = { 0 };

    for (uint32_t b = 0; b <= STAGE_BUCKETS; b++)
        add_size(writing, b, &size);
    return size.rows < writing->names.context_count / FEW_PER_CONTEXT;
}

static enum pb_status
write_segments(struct writing *writing)
{
    const struct pb_stage *stage = writing->stage;

    for (unsigned i = 0; i < stage->lane_count; i++) {
        for (uint32_t p = 0; p < stage->lanes[i].partition_count; p++) {
            bool is_written = false;
            enum pb_status status = PB_OK;

            writing->month = stage->lanes[i].partitions[p].month;
            writing->retention_days = stage->lanes[i].partitions[p].retention_days;
            /* With the first lane that has it. */
            for (unsigned j = 0; j < i && !is_written; j++)
                is_written = bucket_at(writing, j, 0) != NULL;
            if (!is_written)
                status = has_few_rows(writing) ? write_few(writing) : write_segment(writing);
            if (status != PB_OK)
                return status;
        }
    }
    return PB_OK;
}

static void
writing_done(struct writing *writing)
{
    const struct pb_env *env = writing->stage->env;

    assert(writing->part_count == 0);
    for (unsigned i = 0; i < PARTS; i++) {
        pb_run_free(writing->parts[i].run);
        pb_free(env, writing->parts[i].spilled);
    }
    free_names(writing);
    pb_free(env, writing->entries);
    pb_free(env, writing->place_keys);
}

/* Samples of lanes are of different strides: each has a share by its rows. */
static enum pb_status
join_place_samples(struct writing *writing)
{
    const struct pb_stage *stage = writing->stage;
    uint64_t stride = 1;

    for (unsigned i = 0; i < stage->lane_count; i++) {
        if (stage->lanes[i].places.stride > stride)
            stride = stage->lanes[i].places.stride;
    }
    writing->place_keys = pb_alloc(stage->env, stage->lane_count * (size_t)PB_PLACE_SAMPLE_KEYS *
                                                   sizeof(*writing->place_keys));
    if (writing->place_keys == NULL)
        return PB_E_NOMEM;
    for (unsigned i = 0; i < stage->lane_count; i++) {
        const struct pb_place_sample *sample = &stage->lanes[i].places;

        for (uint64_t k = 0; k < sample->count; k += stride / sample->stride)
            writing->place_keys[writing->place_key_count++] = sample->keys[k];
    }
    return PB_OK;
}

enum pb_status
pb_stage_write(struct pb_stage *stage, const struct pb_stage_target *target,
               struct pb_segment_entry **ret_entries, uint32_t *ret_count, struct pb_error *error)
{
    struct writing writing = { .stage = stage, .target = target, .error = error };
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < stage->lane_count && status == PB_OK; i++) {
        if (!stage->lanes[i].is_spread && stage->lanes[i].rows != 0)
            status = pb_stage_spread(stage, &stage->lanes[i], error);
    }
    if (status == PB_OK)
        status = join_names(&writing, NULL);
    if (status == PB_OK)
        status = join_place_samples(&writing);
    if (status == PB_OK)
        status = write_segments(&writing);
    if (status == PB_OK) {
        *ret_entries = writing.entries;
        *ret_count = writing.entry_count;
        writing.entries = NULL;
    }
    for (uint32_t i = 0; status != PB_OK && i < writing.entry_count; i++) {
        char path[PB_PATH_BYTES_MAX];

        pb_segment_path(path, sizeof(path), target->run.directory, writing.entries[i].number);
        (void)!stage->env->files->unlink(stage->env->file_context, path, NULL);
    }
    writing_done(&writing);
    return status;
}

enum pb_status
pb_stage_run(struct pb_stage *stage, unsigned lane_number, struct pb_run **ret_run)
{
    struct stage_lane *lane = &stage->lanes[lane_number];
    struct pb_run *run = NULL;
    struct staged_view view;
    struct row_walk walk;
    enum pb_status status = pb_run_new_part(stage->env, &lane->names, &run);

    assert(!lane->is_spread && lane->rows <= PB_STAGE_FEW_ROWS);
    if (status == PB_OK)
        status = pb_run_begin_part(run, 0, 0, lane->rows, lane->sample.tail_bytes);
    if (status != PB_OK) {
        pb_run_free(run);
        return status;
    }
    row_walk_init(&walk, &lane->sample, NULL);
    while (row_walk_next(&walk, &view))
        put_staged(NULL, lane, &view, run);
    *ret_run = run;
    return PB_OK;
}
