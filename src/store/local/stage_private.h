/*
 * Stage, inside: how rows lie in memory and in the lanes' files, which are read by the process that
 * wrote them and by no other.
 */
#ifndef PB_STORE_LOCAL_STAGE_PRIVATE_H
#define PB_STORE_LOCAL_STAGE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/limits.h"
#include "store/local/bins.h"
#include "store/local/extras.h"
#include "store/local/memo.h"
#include "store/local/places.h"
#include "store/local/stage.h"

#define STAGE_BUCKETS 512u /* of ordinary plates; one more of long ones */
#define PREFIX_BITS 12u    /* of a plate code: what a bucket is chosen by */
#define STAGED_KEEPS 64u
#define KEEP_NEVER UINT32_MAX
#define KEEP_IN_TAIL (UINT32_MAX - 1)
#define STAGED_REST 32u  /* flag: a staged_rest is in the tail */
#define STAGED_EVENT 64u /* flag: a staged_event begins the tail */
#define LOOK_ROWS 1024u
#define STAGE_PART_ROW_BYTES 104u /* of a row while its bucket is sorted, but for its tail */

/* What the row reports of its vehicle is what the vehicle says. */
struct staged_row {
    uint64_t code; /* 0: long; its text stands in the tail */
    int64_t captured_us;
    uint32_t context, vehicle; /* numbers in the lane's names */
    uint32_t confidence_code;
    uint32_t keep; /* number in the lane's keeps */
    uint16_t speed_ckmh, jurisdiction;
    uint16_t tail_bytes;
    uint8_t flags; /* enum pb_row_flag, STAGED_REST */
    uint8_t lane;
};

/* What a mobile reader's rows have, and some others. */
struct staged_rest {
    int64_t keep_us;
    int32_t lat, lon;
    uint32_t revision;
    uint16_t heading_code, unused;
};

/* What a read has that is found by an event id. */
struct staged_event {
    uint64_t identity;
    uint64_t arrival; /* lane and number in the lane, so that all lanes' can be put in order */
};

#define STAGED_TAIL_BYTES_MAX                                                            \
    (sizeof(struct staged_event) + sizeof(struct staged_rest) + 1 + PB_PLATE_BYTES_MAX + \
     PB_EXTRAS_BYTES_MAX)

struct bucket {
    struct pb_bin bin;
    uint64_t rows, tail_bytes;
};

struct lane_partition {
    uint32_t month, retention_days;
    struct bucket *buckets; /* owned: STAGE_BUCKETS + 1 */
};

struct stage_lane {
    struct pb_names names; /* whose contexts do not say what they report */
    struct pb_memo memo;   /* of names */
    uint64_t *reports;     /* owned: by context, a bit for each set of fields that rows report */
    uint32_t reports_room;
    uint64_t rows, events; /* events: of rows, those found by an event id */
    uint8_t number;
    bool is_spread; /* over partitions; before that rows are in sample */
    struct bucket sample;
    struct lane_partition *partitions; /* owned */
    uint32_t partition_count, partition_room;
    int64_t keeps[STAGED_KEEPS];

    /* The partition of the row before, and what makes it that. */
    uint32_t partition;
    int64_t month_first_us, month_end_us, keep_before_us;

    struct pb_bins bins;
    uint32_t chunk_bytes; /* of theirs */
    struct pb_place_sample places;
};

struct pb_stage {
    const struct pb_env *env; /* borrowed */
    size_t memory_bytes;
    uint64_t bucket_bytes_max; /* of one in all lanes, while it is sorted */
    struct pb_bins_budget budget;
    struct stage_lane *lanes; /* owned */
    unsigned lane_count;
    _Atomic uint64_t rows; /* about */
    _Atomic bool is_full;

    pthread_mutex_t lock;                /* while buckets are chosen */
    _Atomic bool has_buckets;            /* and then buckets do not change */
    uint16_t buckets[1u << PREFIX_BITS]; /* by the first bits of a plate code */
};

/* Lays the lane's first rows out by partition and plate. */
PB_MUST_CHECK enum pb_status pb_stage_spread(struct pb_stage *stage, struct stage_lane *lane,
                                             struct pb_error *error);

/* Puts a row into a part over the lane's names. */
struct staged_view;
void pb_stage_put(const struct stage_lane *lane, const struct staged_view *view,
                  struct pb_run *run);

/* Rows are aligned for their largest number. */
static inline uint32_t
staged_bytes(const struct staged_row *row)
{
    return (uint32_t)sizeof(*row) + ((row->tail_bytes + 7u) & ~7u);
}

/* A row and its tail, which points into where the row lies. */
struct staged_view {
    struct staged_row row;
    const uint8_t *tail;
};

/* Walks the rows of a bucket in order of arrival. */
struct row_walk {
    struct pb_bin_walk walk;
    const uint8_t *at, *end;
};

/* spilled: what pb_bin_read() read of the bucket; NULL where it has nothing in a file. */
static inline void
row_walk_init(struct row_walk *walk, const struct bucket *bucket, const uint8_t *spilled)
{
    pb_bin_walk_init(&walk->walk, &bucket->bin, spilled);
    walk->at = NULL;
    walk->end = NULL;
}

static inline bool
row_walk_next(struct row_walk *walk, struct staged_view *ret_view)
{
    while (walk->at == walk->end) {
        if (!pb_bin_walk_next(&walk->walk, &walk->at, &walk->end))
            return false;
    }
    memcpy(&ret_view->row, walk->at, sizeof(ret_view->row));
    ret_view->tail = walk->at + sizeof(ret_view->row);
    walk->at += staged_bytes(&ret_view->row);
    return true;
}

/* Only of a row with STAGED_EVENT. */
static inline struct staged_event
staged_event(const struct staged_view *view)
{
    struct staged_event event;

    memcpy(&event, view->tail, sizeof(event));
    return event;
}

static inline struct staged_rest
staged_rest(const struct staged_view *view)
{
    struct staged_rest rest;
    size_t before = view->row.flags & STAGED_EVENT ? sizeof(struct staged_event) : 0;

    memcpy(&rest, view->tail + before, sizeof(rest));
    return rest;
}

/* How long a row's read is kept; PB_NEVER for ever. */
static inline int64_t
staged_keep(const struct stage_lane *lane, const struct staged_view *view)
{
    if (view->row.keep == KEEP_NEVER)
        return PB_NEVER;
    if (view->row.keep != KEEP_IN_TAIL)
        return lane->keeps[view->row.keep];
    return staged_rest(view).keep_us;
}

#endif
