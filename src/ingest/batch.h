/*
 * Batch: reads on their way from an adapter to the sink, 256 at a time.
 *
 * An adapter tells where the record at hand lies, takes a slot, fills it, and pushes it; or
 * rejects the record. What a read points to must stay until the batch is flushed: the chunk
 * itself, the slot's room, or text made with pb_batch_text().
 *
 * Threads: a batch belongs to one parser.
 */
#ifndef PB_INGEST_BATCH_H
#define PB_INGEST_BATCH_H

#include "base/arena.h"
#include "ingest/ingest.h"
#include "read/read.h"

#define PB_BATCH_READS 256u

/* Room for what a read points to. */
struct pb_room {
    char plate[PB_PLATE_BYTES_MAX];
    struct pb_record_room record; /* alternates and images */
};

/* A code looked up before: most inputs have few jurisdictions and many reads. */
struct pb_code_memo {
    uint64_t code; /* up to 8 bytes of text; 0 where nothing is remembered */
    uint16_t jurisdiction;
};
#define PB_CODE_MEMOS 256u

struct pb_batch {
    const struct pb_env *env;                  /* borrowed */
    const struct pb_ingest_defaults *defaults; /* borrowed */
    const struct pb_ingest_sink *sink;         /* borrowed for one chunk */
    struct pb_read *reads;                     /* owned: PB_BATCH_READS elements */
    struct pb_room *rooms;                     /* owned: PB_BATCH_READS elements */
    size_t count;
    struct pb_arena texts; /* reset with every flush */
    struct pb_code_memo memos[PB_CODE_MEMOS];

    const uint8_t *chunk; /* borrowed: where offsets count from */
    /* The record at hand. */
    uint64_t line;
    const uint8_t *record;
    size_t record_bytes;
    bool is_ascii; /* every text of it is printable ASCII; an adapter that cannot tell leaves it */
};

PB_MUST_CHECK enum pb_status pb_batch_init(struct pb_batch *batch, const struct pb_env *env,
                                           const struct pb_ingest_defaults *defaults);
void pb_batch_done(struct pb_batch *batch); /* also of a batch that is all zero */

/* The next slot, at its "unknown" values. Taking it twice without a push starts it anew. */
struct pb_read *pb_batch_slot(struct pb_batch *batch, struct pb_room **ret_room);

/* The same for a decoder that sets every field itself: they may have any value. */
struct pb_read *pb_batch_empty_slot(struct pb_batch *batch, struct pb_room **ret_room);

/*
 * Folds raw into the slot: plate, and plate_raw where it differs. PB_OK, or PB_BAD_INPUT with
 * ret_reason set: no plate, or a text that cannot be one.
 */
PB_MUST_CHECK enum pb_status pb_batch_plate(struct pb_read *read, struct pb_room *room,
                                            struct pb_str raw, const char **ret_reason);

/*
 * Adds an alternate to the slot: skipped where it folds to nothing, where it is
 * without_repeats and stands there already, and after the eighth. PB_OK, PB_BAD_INPUT (not a
 * plate's text) or PB_E_NOMEM.
 */
PB_MUST_CHECK enum pb_status pb_batch_alternate(struct pb_batch *batch, struct pb_read *read,
                                                struct pb_room *room, struct pb_str raw,
                                                uint32_t confidence_e6, bool without_repeats);

/* pb_jurisdiction_within() the source's country. */
uint16_t pb_batch_jurisdiction(struct pb_batch *batch, struct pb_str text);

/* The same for a text of 1 to 8 bytes. code: these, the first lowest. */
uint16_t pb_batch_jurisdiction_of_code(struct pb_batch *batch, uint64_t code, struct pb_str text);

/* Sets the default time on a read without one; false where there is no default. */
bool pb_batch_default_time(const struct pb_batch *batch, struct pb_read *read);

/*
 * Applies the other defaults to the slot, validates it, and either keeps it or rejects the
 * record. has_delete_after: delete_after is the record's own word, also if it is PB_NEVER.
 * Returns what the sink returned, or PB_OK.
 */
PB_MUST_CHECK enum pb_status pb_batch_push(struct pb_batch *batch, bool has_delete_after);

/* Tells the sink of the record at hand. field and reason are static. */
PB_MUST_CHECK enum pb_status pb_batch_reject(struct pb_batch *batch, const char *field,
                                             const char *reason);

/* Hands everything pushed to the sink. */
PB_MUST_CHECK enum pb_status pb_batch_flush(struct pb_batch *batch);

/* Memory until the next flush; NULL if there is none. */
char *pb_batch_text(struct pb_batch *batch, size_t bytes);

/* text with ASCII letters lowered; text itself where it has no capitals. PB_OK, PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_batch_lower(struct pb_batch *batch, struct pb_str text,
                                            struct pb_str *ret_text);

#endif
