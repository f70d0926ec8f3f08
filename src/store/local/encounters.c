/*
 * Encounters: pairs of a segment's row and an event, sorted by row.
 */
#include "store/local/encounters.h"

#include "base/env.h"
#include "plate/plate_code.h"
#include "store/local/suspects.h"

#define KEY_SHIFT 16u /* from an identity to the key of table events */

struct encounters {
    const struct pb_run *run; /* borrowed, as all these */
    const struct pb_segment *segment;
    const struct pb_pair *events;
    struct pb_known *known;          /* of each event */
    struct pb_pair *pairs, *scratch; /* owned: row of the segment, number of the event */
    uint64_t count, room;            /* of pairs */
    struct pb_reads_block reads;     /* owned */
    struct pb_plate_iterator plates; /* owned */
    struct pb_plate_rows plate;      /* of the row before */
    struct pb_error *error;
};

/* ---- in order of rows ---- */

/* Rows ascend, and so do plates. */
static enum pb_status
find_plate(struct encounters *encounters, uint64_t row)
{
    enum pb_status status = PB_OK;

    if (encounters->plate.end <= row)
        status = pb_plate_iterator_seek_row(&encounters->plates, row, encounters->error);
    while (encounters->plate.end <= row && status == PB_OK)
        status = pb_plate_iterator_next(&encounters->plates, &encounters->plate, encounters->error);
    return status;
}

static enum pb_status
look_at(struct encounters *encounters, uint64_t row, uint64_t event)
{
    const struct pb_plate_rows *plate = &encounters->plate;
    struct pb_record_room stored_room;
    struct pb_run_room room;
    struct pb_read stored;
    struct pb_read read;
    char text[PB_PLATE_CODE_CHARS];
    enum pb_status status =
        pb_reads_block_load(&encounters->reads, encounters->segment, row, encounters->error);

    if (status == PB_OK)
        status = pb_reads_block_decode(&encounters->reads, row, &stored_room, &stored,
                                       encounters->error);
    if (status == PB_OK)
        status = find_plate(encounters, row);
    if (status != PB_OK)
        return status;
    stored.plate = plate->text;
    if (plate->code != 0)
        stored.plate = (struct pb_str){ text, pb_plate_code_text(plate->code, text) };
    stored.jurisdiction = plate->jurisdiction;
    pb_run_read(encounters->run, encounters->events[event].value, &room, &read);
    if (pb_read_same_identity(&read, &stored))
        pb_known_add(&encounters->known[event], &read, &stored);
    return PB_OK;
}

/* Looks at all that were noted. */
static enum pb_status
look_at_all(struct encounters *encounters)
{
    enum pb_status status = PB_OK;

    pb_pairs_sort(encounters->pairs, encounters->scratch, (size_t)encounters->count);
    pb_plate_iterator_init(&encounters->plates, encounters->segment, PB_TABLE_PLATES);
    encounters->plate.end = 0;
    for (uint64_t i = 0; i < encounters->count && status == PB_OK; i++)
        status = look_at(encounters, encounters->pairs[i].key, encounters->pairs[i].value);
    pb_plate_iterator_done(&encounters->plates);
    encounters->count = 0;
    return status;
}

/* ---- in order of identities ---- */

/* Notes that events [first, end) have the key of the row. */
static enum pb_status
note(struct encounters *encounters, uint64_t row, uint64_t first, uint64_t end)
{
    enum pb_status status = PB_OK;

    for (uint64_t event = first; event < end && status == PB_OK; event++) {
        if (encounters->count == encounters->room)
            status = look_at_all(encounters);
        encounters->pairs[encounters->count++] = (struct pb_pair){ row, event };
    }
    return status;
}

/* Walks the identities of the run and of the segment side by side. */
static enum pb_status
walk(struct encounters *encounters, uint64_t count)
{
    const struct pb_pair *events = encounters->events;
    struct pb_event_walk walk = { .segment = encounters->segment };
    uint64_t first = 0;
    enum pb_status status = PB_OK;

    while (first < count && status == PB_OK) {
        uint64_t end = first + 1;
        bool is_there = true;

        while (end < count && events[end].key >> KEY_SHIFT == events[first].key >> KEY_SHIFT)
            end++;
        while (is_there && status == PB_OK) {
            uint64_t row = 0;

            status = pb_event_walk_to(&walk, events[first].key, &is_there, encounters->error);
            if (status == PB_OK && is_there)
                status = pb_event_walk_take(&walk, &row, encounters->error);
            if (status == PB_OK && is_there)
                status = note(encounters, row, first, end);
        }
        first = end;
    }
    return status;
}

enum pb_status
pb_encounters_find(const struct pb_run *run, const struct pb_segment *segment,
                   const struct pb_pair *events, uint64_t count, struct pb_known *known,
                   struct pb_error *error)
{
    const struct pb_env *env = segment->env;
    struct encounters encounters = { .run = run,
                                     .segment = segment,
                                     .events = events,
                                     .known = known,
                                     .room = count,
                                     .error = error };
    enum pb_status status = PB_E_NOMEM;

    pb_reads_block_init(&encounters.reads);
    encounters.pairs = pb_alloc(env, (size_t)count * sizeof(*encounters.pairs));
    encounters.scratch = pb_alloc(env, (size_t)count * sizeof(*encounters.scratch));
    if (encounters.pairs != NULL && encounters.scratch != NULL)
        status = walk(&encounters, count);
    if (status == PB_OK)
        status = look_at_all(&encounters);
    pb_reads_block_done(&encounters.reads, env);
    pb_free(env, encounters.pairs);
    pb_free(env, encounters.scratch);
    return status;
}
