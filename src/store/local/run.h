/*
 * Run: reads being loaded, kept small in memory until there are enough to sort and write
 * as segments.
 *
 * Life of a run: add reads; sort; drop what repeats within the run; drop what the store has
 * (join, once for each segment); write, one segment for each partition.
 *
 * A part of a larger load (stage.h) is a run over names that belong to somebody else, with rows
 * of one partition: make room, put rows, order, drop repeats, join, pour into a writer; clear and
 * begin again.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_RUN_H
#define PB_STORE_LOCAL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/store.h>

#include "store/local/manifest.h"
#include "store/local/segment.h"

/* What one run did to the store's rows: rows of segments that are history now. Begins as zero. */
struct pb_mark_list {
    struct pb_mark_entry *marks; /* owned */
    uint32_t count, room;
    struct pb_arena names; /* of the marks; without env until there is one */
};
void pb_mark_list_done(struct pb_mark_list *list, const struct pb_env *env);
/* Notes that read is a revision of rows of a segment. */
PB_MUST_CHECK enum pb_status pb_mark_list_add(struct pb_mark_list *list, const struct pb_env *env,
                                              const struct pb_read *read, uint64_t segment);

struct pb_run; /* opaque */

struct pb_run_reject {
    pb_reject_fn *on_reject; /* may be NULL */
    void *context;
};

PB_MUST_CHECK enum pb_status pb_run_new(const struct pb_env *env, struct pb_run **ret_run);
/* A part: see above. names is borrowed for the run's life. */
PB_MUST_CHECK enum pb_status pb_run_new_part(const struct pb_env *env, struct pb_names *names,
                                             struct pb_run **ret_run);
/* Makes a part have no rows, and room for rows of a partition with heap_bytes of extras and long
 * plates. */
PB_MUST_CHECK enum pb_status pb_run_begin_part(struct pb_run *run, uint32_t month,
                                               uint32_t retention_days, uint64_t rows,
                                               uint64_t heap_bytes);
/* Flag of a row that is found by an event id: it is not dropped, whatever stands beside it. */
#define PB_RUN_EVENT 128u
/* Flag of such a row that may be stored already: a join drops it, uncounted, where a segment has
 * the very same, and pb_run_hold_back() where none has. */
#define PB_RUN_DOUBTFUL 32u
/* Puts a row into that room, whose numbers are those of the names. text: where code is 0. */
void pb_run_put(struct pb_run *run, uint64_t code, struct pb_str text, uint16_t jurisdiction,
                const struct pb_row *row);
/* Sorts a part. Allocates nothing and only looks at the contexts of the names. */
void pb_run_order_part(struct pb_run *run);
/* Drops repeats of a sorted part, adding them to counts. */
void pb_run_drop_repeats(struct pb_run *run, const struct pb_run_reject *reject,
                         struct pb_load_counts *counts);
/* Drops, uncounted, what is still in doubt after a part was joined with all segments, and calls
 * each with its identity. *doubtful counts on, also those that a join dropped. */
PB_MUST_CHECK enum pb_status
pb_run_hold_back(struct pb_run *run, enum pb_status (*each)(void *context, uint64_t identity),
                 void *context, uint64_t *doubtful);
/* Gives a part's rows, but for the dropped ones, to a writer. */
PB_MUST_CHECK enum pb_status pb_run_pour(const struct pb_run *run,
                                         struct pb_segment_writer *writer,
                                         struct pb_error *error);
void pb_run_free(struct pb_run *run); /* NULL is fine */
/* Takes a valid read; commit_row numbers the commits given to pb_run_write. */
PB_MUST_CHECK enum pb_status pb_run_add(struct pb_run *run, const struct pb_read *read,
                                        uint32_t commit_row);
uint64_t pb_run_rows(const struct pb_run *run);
/* The read of a row in order of arrival; texts point into the run and into room. */
struct pb_run_room {
    struct pb_record_room room;
    char plate[PB_PLATE_BYTES_MAX];
};
void pb_run_read(const struct pb_run *run, uint64_t row, struct pb_run_room *room,
                 struct pb_read *ret_read);
/* Memory that the run holds, and will hold at most while it is sorted. No run may be asked to take
 * more reads than that makes PB_RUN_BYTES_MAX: places of their texts are 32-bit numbers. */
#define PB_RUN_BYTES_MAX (((uint64_t)4 << 30) - ((uint64_t)4 << 20))
size_t pb_run_memory(const struct pb_run *run);
/* Memory of a run of rows without extras: for planning. */
size_t pb_run_memory_of(uint64_t rows);

/* Says when each row of a run of events arrived, by its number: rows were added in another order.
 * Before they are sorted. */
PB_MUST_CHECK enum pb_status pb_run_arrange(struct pb_run *run, const uint64_t *arrivals);
/* Sorts reads that are found by an event id (all of them: pb_read_is_event()) and drops repeats
 * among them, adding these to counts. */
PB_MUST_CHECK enum pb_status pb_run_sort(struct pb_run *run, const struct pb_run_reject *reject,
                                         struct pb_load_counts *counts);
/* Sorts reads that were judged when they were appended. */
PB_MUST_CHECK enum pb_status pb_run_sort_judged(struct pb_run *run);
/* Drops reads that segment has already; notes in marks which of its rows are history now.
 * ret_changed: a read was dropped or became history. */
PB_MUST_CHECK enum pb_status pb_run_join(struct pb_run *run, const struct pb_segment *segment,
                                         const struct pb_run_reject *reject,
                                         struct pb_load_counts *counts,
                                         struct pb_mark_list *marks, bool *ret_changed,
                                         struct pb_error *error);

/* Drops reads that no segment knew as they are, though some knew them with another revision that
 * these may not follow. To be called after the joins. Whether any was dropped. */
bool pb_run_settle(struct pb_run *run, const struct pb_run_reject *reject,
                   struct pb_load_counts *counts);

/* Rows of segment, ascending, that other's plain reads (not those found by an event id) say, too:
 * for what came into a store while a segment was written for it. ret_rows is the caller's to free;
 * what other says differently is a conflict, the rest duplicates. */
PB_MUST_CHECK enum pb_status pb_run_common_rows(const struct pb_env *env,
                                                const struct pb_segment *segment,
                                                const struct pb_segment *other,
                                                const struct pb_run_reject *reject,
                                                struct pb_load_counts *counts,
                                                uint64_t **ret_rows, uint64_t *ret_count,
                                                struct pb_error *error);

struct pb_run_commit {
    uint64_t commit;
    int64_t received_us;
};
/*
 * Writes one segment for each partition that has rows left, numbered from *next_segment on (which
 * counts on), and appends their entries. Files are synced, their directory is not.
 */
struct pb_run_target {
    const char *directory;
    const uint8_t *store_id;
    size_t memory_bytes;
    const struct pb_run_commit *commits; /* ascending */
    uint32_t commit_count;
    struct pb_crew *crew; /* that encodes; may be NULL, and a stage has its own */
};
PB_MUST_CHECK enum pb_status pb_run_write(struct pb_run *run, const struct pb_run_target *target,
                                          uint64_t (*take_number)(void *context), void *context,
                                          struct pb_segment_entry **ret_entries,
                                          uint32_t *ret_count, struct pb_error *error);
/* Reads that are neither dropped nor anything else: what pb_run_write writes. */
uint64_t pb_run_rows_left(const struct pb_run *run);

/* The retention class, in days, of a read that is kept for keep_us; UINT32_MAX for ever. */
uint32_t pb_retention_class(int64_t captured_us, int64_t delete_after_us);

/*
 * What is known of a read's identity, and what that means for the read: the one rule for
 * buffer, runs and segments. Start from zero; add every stored row of the identity.
 */
struct pb_known {
    bool is_there;
    uint32_t newest_revision;
    bool newest_is_revisable;
    bool has_revision;    /* a row of the read's own revision is there */
    bool is_equal;        /* and says the same */
};
void pb_known_add(struct pb_known *known, const struct pb_read *read,
                  const struct pb_read *stored);

enum pb_verdict {
    PB_VERDICT_NEW,
    PB_VERDICT_DUPLICATE,
    PB_VERDICT_CONFLICT,
    PB_VERDICT_REVISION, /* store it; the known ones become history */
    PB_VERDICT_HISTORY,  /* store it as history: a newer one is known */
};
enum pb_verdict pb_judge(const struct pb_read *read, const struct pb_known *known);
/* Whether the verdict on a read that is stored may have been other than "new". */
bool pb_may_revise(const struct pb_read *read);

/* Whether a read is found by table events: its plate, reader and time are not its identity. */
static inline bool
pb_read_is_event(const struct pb_read *read)
{
    return read->event_id.bytes != 0 || read->identity_plate.bytes != 0;
}

#endif
