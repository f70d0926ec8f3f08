/*
 * Stage: the rows that are found by an event id, walked bucket by bucket whatever their plates.
 */
#include <string.h>

#include "store/local/stage_private.h"

/* What to do with each such row. */
struct visit {
    struct pb_stage *stage;
    enum pb_status (*each)(struct visit *visit, struct stage_lane *lane,
                           const struct staged_view *view);
    uint8_t *spilled; /* owned: what a lane's file holds of a bucket */
    size_t spilled_room;
    struct pb_error *error;

    struct pb_suspects *gathered; /* of pb_stage_identities() */
    const struct pb_suspects *suspects;
    uint64_t found, tail_bytes; /* of pb_stage_count_suspects() */
    /* Of pb_stage_suspects(): */
    uint32_t number, count;
    uint64_t bytes_max;
    struct pb_run *part;        /* owned: of one row, over the lane's names */
    struct stage_lane *of_part; /* whose names these are */
    struct pb_run *run;         /* owned */
    uint64_t *arrivals;         /* owned: of the run's rows */
    uint64_t arrivals_room;
};

static enum pb_status
visit_bucket(struct visit *visit, struct stage_lane *lane, const struct bucket *bucket)
{
    const struct pb_env *env = visit->stage->env;
    size_t bytes = (size_t)bucket->bin.spilled_bytes;
    struct staged_view view;
    struct row_walk walk;
    enum pb_status status = PB_OK;

    if (bytes > visit->spilled_room) {
        pb_free(env, visit->spilled);
        visit->spilled_room = 0;
        visit->spilled = pb_alloc(env, bytes);
        if (visit->spilled == NULL)
            return PB_E_NOMEM;
        visit->spilled_room = bytes;
    }
    if (bytes != 0)
        status = pb_bin_read(&lane->bins, &bucket->bin, visit->spilled, visit->error);
    if (status != PB_OK)
        return status;
    row_walk_init(&walk, bucket, visit->spilled);
    while (status == PB_OK && row_walk_next(&walk, &view)) {
        if (view.row.flags & STAGED_EVENT)
            status = visit->each(visit, lane, &view);
    }
    return status;
}

static enum pb_status
visit_lane(struct visit *visit, struct stage_lane *lane)
{
    enum pb_status status = PB_OK;

    if (lane->events == 0)
        return PB_OK;
    if (!lane->is_spread)
        return visit_bucket(visit, lane, &lane->sample);
    for (uint32_t p = 0; p < lane->partition_count; p++) {
        for (uint32_t b = 0; b <= STAGE_BUCKETS && status == PB_OK; b++)
            status = visit_bucket(visit, lane, &lane->partitions[p].buckets[b]);
    }
    return status;
}

static enum pb_status
visit_all(struct visit *visit)
{
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < visit->stage->lane_count && status == PB_OK; i++)
        status = visit_lane(visit, &visit->stage->lanes[i]);
    return status;
}

static void
visit_done(struct visit *visit)
{
    const struct pb_env *env = visit->stage->env;

    pb_free(env, visit->spilled);
    pb_free(env, visit->arrivals);
    pb_run_free(visit->part);
    pb_run_free(visit->run);
}

/* ---- identities ---- */

static enum pb_status
add_identity(struct visit *visit, struct stage_lane *lane, const struct staged_view *view)
{
    (void)lane;
    return pb_suspects_add(visit->gathered, staged_event(view).identity, visit->error);
}

static enum pb_status
sift_identity(struct visit *visit, struct stage_lane *lane, const struct staged_view *view)
{
    (void)lane;
    return pb_suspects_sift(visit->gathered, staged_event(view).identity);
}

enum pb_status
pb_stage_sift(struct pb_stage *stage, struct pb_suspects *suspects, struct pb_error *error)
{
    struct visit visit = {
        .stage = stage, .each = sift_identity, .gathered = suspects, .error = error
    };
    enum pb_status status = visit_all(&visit);

    visit_done(&visit);
    return status;
}

enum pb_status
pb_stage_identities(struct pb_stage *stage, struct pb_suspects *suspects, struct pb_error *error)
{
    struct visit visit = {
        .stage = stage, .each = add_identity, .gathered = suspects, .error = error
    };
    enum pb_status status = visit_all(&visit);

    visit_done(&visit);
    return status;
}

/* ---- suspects ---- */

static enum pb_status
count_suspect(struct visit *visit, struct stage_lane *lane, const struct staged_view *view)
{
    (void)lane;
    if (pb_suspects_is(visit->suspects, staged_event(view).identity)) {
        visit->found++;
        visit->tail_bytes += view->row.tail_bytes;
    }
    return PB_OK;
}

enum pb_status
pb_stage_count_suspects(struct pb_stage *stage, const struct pb_suspects *suspects,
                        uint64_t *ret_count, uint64_t *ret_tail_bytes, struct pb_error *error)
{
    struct visit visit = {
        .stage = stage, .each = count_suspect, .suspects = suspects, .error = error
    };
    enum pb_status status = visit_all(&visit);

    *ret_count = status == PB_OK ? visit.found : 0;
    *ret_tail_bytes = visit.tail_bytes;
    visit_done(&visit);
    return status;
}

/* Makes a part of one row over the lane's names. */
static enum pb_status
begin_row(struct visit *visit, struct stage_lane *lane, uint32_t tail_bytes)
{
    if (visit->of_part != lane) {
        enum pb_status status = PB_OK;

        pb_run_free(visit->part);
        visit->part = NULL;
        visit->of_part = NULL;
        status = pb_run_new_part(visit->stage->env, &lane->names, &visit->part);
        if (status != PB_OK)
            return status;
        visit->of_part = lane;
    }
    return pb_run_begin_part(visit->part, 0, 0, 1, tail_bytes);
}

static enum pb_status
note_arrival(struct visit *visit, uint64_t row, uint64_t arrival)
{
    if (row == visit->arrivals_room) {
        uint64_t room = row == 0 ? 256 : row * 2;
        uint64_t *larger =
            pb_realloc(visit->stage->env, visit->arrivals, (size_t)room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        visit->arrivals = larger;
        visit->arrivals_room = room;
    }
    visit->arrivals[row] = arrival;
    return PB_OK;
}

/* The share of an identity, of like ones. */
static uint32_t
share_of(uint64_t identity, uint32_t count)
{
    return (uint32_t)((identity >> 32) * count >> 32);
}

static enum pb_status
add_suspect(struct visit *visit, struct stage_lane *lane, const struct staged_view *view)
{
    struct staged_event event = staged_event(view);
    struct pb_run_room room;
    struct pb_read read;
    enum pb_status status = PB_OK;

    if (share_of(event.identity, visit->count) != visit->number ||
        !pb_suspects_is(visit->suspects, event.identity))
        return PB_OK;
    /* Shares are alike, unless one event has nearly all. */
    if (pb_run_memory(visit->run) >= visit->bytes_max)
        return pb_fail(visit->error, PB_OVER_LIMIT,
                       "the reads of one event id, or of few, take more than %llu MiB; import less "
                       "at one time",
                       (unsigned long long)(visit->bytes_max >> 20));
    status = begin_row(visit, lane, view->row.tail_bytes);
    if (status == PB_OK)
        status = note_arrival(visit, pb_run_rows(visit->run), event.arrival);
    if (status != PB_OK)
        return status;
    pb_stage_put(lane, view, visit->part);
    pb_run_read(visit->part, 0, &room, &read);
    return pb_run_add(visit->run, &read, 0);
}

enum pb_status
pb_stage_suspects(struct pb_stage *stage, const struct pb_suspects *suspects, uint32_t number,
                  uint32_t count, uint64_t bytes_max, struct pb_run **ret_run,
                  struct pb_error *error)
{
    struct visit visit = { .stage = stage,
                           .each = add_suspect,
                           .suspects = suspects,
                           .number = number,
                           .count = count,
                           .bytes_max = bytes_max,
                           .error = error };
    enum pb_status status = pb_run_new(stage->env, &visit.run);

    if (status == PB_OK)
        status = visit_all(&visit);
    if (status == PB_OK)
        status = pb_run_arrange(visit.run, visit.arrivals);
    if (status == PB_OK) {
        *ret_run = visit.run;
        visit.run = NULL; /* moved to the caller */
    }
    visit_done(&visit);
    return status;
}
