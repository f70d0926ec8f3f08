/*
 * Segment: an immutable file of reads in two orders, by plate and time and by place and time.
 *
 * A segment is a set of tables, each a sequence of blocks (block.h):
 *
 *   reads      every read, sorted by plate, jurisdiction, time. A row's number is its place here.
 *   plates     distinct ordinary plates (plate_code.h) with their first row
 *   long       distinct other plates, after the ordinary ones
 *   places     row numbers sorted by grid cell and time, in blocks sorted by row number
 *   events     identity hash -> row, of rows that (reader, time, plate) does not identify
 *   alternates alternate plate -> postings; postings: row and rank
 *   commits    commit numbers and when they were received
 *
 * and the names (names.h). The file ends with the indexes of the tables and a footer.
 *
 * Format: docs/formats/segment-v1.md.
 * Threads: an open segment may be asked from any thread; a writer belongs to one.
 */
#ifndef PB_STORE_LOCAL_SEGMENT_H
#define PB_STORE_LOCAL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/store.h>

#include "base/arena.h"
#include "read/read.h"
#include "store/local/block.h"
#include "store/local/crew.h"
#include "store/local/filter.h"
#include "store/local/manifest.h"
#include "store/local/names.h"

enum pb_table {
    PB_TABLE_READS,
    PB_TABLE_PLATES,
    PB_TABLE_LONG,
    PB_TABLE_PLACES,
    PB_TABLE_EVENTS,
    PB_TABLE_ALTERNATES,
    PB_TABLE_POSTINGS,
    PB_TABLE_COMMITS,
    PB_TABLE_COUNT,
};

/* Columns of `reads`. */
enum pb_reads_column {
    PB_READS_TIME,       /* captured_at_us */
    PB_READS_CONTEXT,
    PB_READS_CONFIDENCE, /* minus pb_confidence_code(); 0 where the context's scale is NONE */
    PB_READS_SPEED,      /* speed_ckmh + PB_CODE_SHIFT, 0 none */
    PB_READS_VEHICLE,    /* of which the context's `reports` are the row's own */
    PB_READS_HEADING,    /* code to add to the context's; mobile readers' alone are not 0, as */
    PB_READS_LAT,        /* are these, to add to the context's, too */
    PB_READS_LON,
    PB_READS_KEEP,       /* delete_after_us - captured_at_us; 0 where flag NEVER is set */
    PB_READS_FLAGS,
    PB_READS_COMMIT,     /* row of table commits */
    PB_READS_REVISION,
    PB_READS_COLUMNS,
};

enum pb_row_flag {
    PB_ROW_NEVER = 1,
    PB_ROW_SUPERSEDED = 2,
    PB_ROW_REVISABLE = 4,
    PB_ROW_CORRECTION = 8,
    PB_ROW_EXTRAS = 16,
};

/* When a row's read is deleted, for how long it is kept; at once where that is no time at all, as
 * only a forged row says. */
static inline int64_t
pb_row_delete_after(int64_t captured_us, int64_t keep_us)
{
    int64_t date_us = 0;

    return __builtin_add_overflow(captured_us, keep_us, &date_us) ? INT64_MIN : date_us;
}

/* Columns of `plates` and `long` and `alternates`. */
enum pb_plates_column {
    PB_PLATES_CODE, /* long: bytes of the text, which stands in the blob */
    PB_PLATES_JURISDICTION,
    PB_PLATES_FIRST, /* first row; of alternates: first posting */
    PB_PLATES_COLUMNS,
};

/* An unknown jurisdiction is kept as a number near those of subdivisions, which never means
 * anything else: so the numbers of a block lie near one another. */
#define PB_JURISDICTION_UNKNOWN_CODE 999u
static inline int64_t
pb_jurisdiction_code(uint16_t jurisdiction)
{
    return jurisdiction == 0 ? PB_JURISDICTION_UNKNOWN_CODE : jurisdiction;
}

static inline uint16_t
pb_jurisdiction_of_code(int64_t code)
{
    return code == PB_JURISDICTION_UNKNOWN_CODE ? 0 : (uint16_t)code;
}

/* An alternate that has no plate code is found by the hash of its text, with this bit set. */
#define PB_ALTERNATE_HASH_BIT (UINT64_C(1) << 63)
uint64_t pb_alternate_key(struct pb_str plate);

/* Places are ordered by this key; times within 2^21 us are not told apart. */
uint64_t pb_place_key(uint32_t cell, int64_t captured_us);
#define PB_PLACE_TIME_SHIFT 21u /* so that PB_TIME_MAX_US fits 32 bits */

/* Confidences of both scales are kept as percent times 10^6, so that they share their range. */
#define PB_CONFIDENCE_UNIT 100u
static inline uint32_t
pb_confidence_code(const struct pb_read *read)
{
    if (read->confidence_scale == PB_SCALE_NONE)
        return 0;
    return read->confidence_scale == PB_SCALE_UNIT ? read->confidence_e6 * PB_CONFIDENCE_UNIT
                                                   : read->confidence_e6;
}

static inline uint32_t
pb_confidence_of_code(uint32_t code, enum pb_confidence_scale scale)
{
    if (scale == PB_SCALE_NONE)
        return PB_NO_CONFIDENCE;
    return scale == PB_SCALE_UNIT ? code / PB_CONFIDENCE_UNIT : code;
}

/* One row on its way into a segment, or out of it for a merge. */
struct pb_row {
    int64_t captured_us;
    int64_t keep_us;         /* 0 with flag NEVER */
    uint32_t context, vehicle;
    uint32_t confidence_code; /* 0 where there is none */
    int32_t lat, lon;        /* to add to the context's */
    uint16_t heading_code;   /* to add */
    uint32_t speed_code;
    uint32_t commit_row;     /* row of table commits */
    uint32_t revision;
    uint8_t flags;           /* enum pb_row_flag */
    const uint8_t *extras;   /* borrowed */
    uint32_t extras_bytes;   /* not 0 exactly where flag EXTRAS is set */
};

/* ---- writing ---- */

struct pb_segment_writer;

struct pb_segment_options {
    const char *directory;    /* the store's; borrowed for the writer's life */
    const uint8_t *store_id;  /* PB_STORE_ID_BYTES; borrowed for the call */
    uint64_t number;
    uint32_t month, retention_days;
    struct pb_names *names;   /* borrowed for the writer's life, which may add vehicles; its
                               * contexts are complete */
    size_t memory_bytes;      /* budget of the second orders */
    uint64_t rows;            /* about how many come; 0: not known */
    struct pb_crew *crew;     /* borrowed for the writer's life; NULL: blocks are encoded at once */
    const uint64_t *place_sample; /* place keys that stand for all rows' (or NULL), borrowed for
                                   * the call */
    size_t place_sample_count;
};

PB_MUST_CHECK enum pb_status pb_segment_writer_new(const struct pb_env *env,
                                                   const struct pb_segment_options *options,
                                                   struct pb_segment_writer **ret_writer,
                                                   struct pb_error *error);
/* Commits, ascending; their row numbers are given in order from 0. */
PB_MUST_CHECK enum pb_status pb_segment_writer_commit(struct pb_segment_writer *writer,
                                                      uint64_t commit, int64_t received_us,
                                                      struct pb_error *error);
/* Begins the next plate in order: ordinary ones by code, then long ones (code 0) by text; equal
 * ones by jurisdiction. text is borrowed for the call. A plate without rows leaves no trace. */
void pb_segment_writer_plate(struct pb_segment_writer *writer, uint64_t code, struct pb_str text,
                             uint16_t jurisdiction);
/* The plate's rows, ascending by time. */
PB_MUST_CHECK enum pb_status pb_segment_writer_row(struct pb_segment_writer *writer,
                                                   const struct pb_row *row,
                                                   struct pb_error *error);
uint64_t pb_segment_writer_rows(const struct pb_segment_writer *writer);
/* Writes what is left and syncs. The file is durable when its directory is synced, too. */
PB_MUST_CHECK enum pb_status pb_segment_writer_finish(struct pb_segment_writer *writer,
                                                      struct pb_segment_entry *ret_entry,
                                                      struct pb_error *error);
/* Frees; a file that was not finished is deleted. NULL is fine. */
void pb_segment_writer_free(struct pb_segment_writer *writer);

/* Writes "<directory>/segments/<number>.seg". */
void pb_segment_path(char *ret_path, size_t room, const char *directory, uint64_t number);

/* ---- reading ---- */

struct pb_table_view {
    uint64_t rows;
    uint32_t blocks, rows_per_block;
};

struct pb_table_index; /* segment_index.c */

struct pb_segment {
    const struct pb_env *env;
    struct pb_segment_entry entry;
    const uint8_t *bytes; /* mapped; owned */
    uint64_t size;
    uint64_t blocks_end;  /* blocks lie in [0, blocks_end) */
    uint64_t seed;
    struct pb_names names;
    uint64_t names_bytes; /* of them in the file, before compression */
    struct pb_table_view tables[PB_TABLE_COUNT];
    struct pb_table_index *indexes; /* owned; of each table */
    char *path;           /* owned, for messages */

    _Atomic size_t filter_bytes; /* of events */

    /* Guarded by the store's writing lock, like all that appends use alone. */
    struct pb_filter *events; /* owned: of the keys of table events; NULL: none (yet) */
    uint32_t filtered_blocks; /* of that table that are in it; it says nothing before all are */
    bool has_tried_events;
};

/* For messages. */
static inline const char *
pb_segment_name(const struct pb_segment *segment)
{
    return segment->path == NULL ? "segment" : segment->path;
}

/* Opens a segment file and checks footer and names against entry; an index is checked where it is
 * first believed, a block each time. PB_E_CORRUPT names file and offset. */
PB_MUST_CHECK enum pb_status pb_segment_open(const struct pb_env *env, const char *directory,
                                             const uint8_t store_id[PB_STORE_ID_BYTES],
                                             const struct pb_segment_entry *entry,
                                             struct pb_segment **ret_segment,
                                             struct pb_error *error);
void pb_segment_close(struct pb_segment *segment); /* NULL is fine */
/* Lets the system take back the pages of what was looked at; who looks again gets them again. */
void pb_segment_forget(const struct pb_segment *segment);
size_t pb_segment_memory(const struct pb_segment *segment);

/* The same over bytes in memory (the fuzz target's entry); bytes are borrowed and must be
 * followed by PB_BLOCK_PADDING readable bytes. Whatever it answers, pb_segment_done() is next. */
PB_MUST_CHECK enum pb_status pb_segment_parse(struct pb_segment *segment, const uint8_t *bytes,
                                              uint64_t size,
                                              const uint8_t store_id[PB_STORE_ID_BYTES],
                                              struct pb_error *error);

/* Frees what parsing made. */
void pb_segment_done(struct pb_segment *segment);

/* Checks all indexes, of what is not in use yet. */
PB_MUST_CHECK enum pb_status pb_segment_check_indexes(const struct pb_segment *segment,
                                                      struct pb_error *error);

/* Says PB_E_CORRUPT, with file and offset. */
PB_MUST_CHECK enum pb_status pb_segment_fail(const struct pb_segment *segment, uint64_t offset,
                                             const char *what, struct pb_error *error);
/* What a message of PB_E_CORRUPT says, without file and offset; offset 0 where it names none. */
const char *pb_segment_damage(const struct pb_error *error, uint64_t *ret_offset);

/* A checked block of a table. */
PB_MUST_CHECK enum pb_status pb_segment_block(const struct pb_segment *segment,
                                              enum pb_table table, uint32_t block,
                                              struct pb_block *ret_block,
                                              struct pb_error *error);
/* Opens a column of a block, or says where it is damaged. */
PB_MUST_CHECK enum pb_status pb_segment_column(const struct pb_segment *segment,
                                               const struct pb_block *block, uint32_t column,
                                               struct pb_column *ret_column,
                                               struct pb_error *error);
/* Keys of a table's blocks. They can be believed: their index was checked. */
struct pb_block_keys {
    const uint8_t *bytes; /* u64 a block */
    uint32_t count;       /* of blocks */
};
/* The table has keys. The first time its index is checked: PB_E_CORRUPT. */
PB_MUST_CHECK enum pb_status pb_segment_keys(const struct pb_segment *segment,
                                             enum pb_table table, struct pb_block_keys *ret_keys,
                                             struct pb_error *error);
uint64_t pb_block_key(const struct pb_block_keys *keys, uint32_t block);
/* The last block whose key is at most key, or block 0. */
uint32_t pb_block_keys_find(const struct pb_block_keys *keys, uint64_t key);

/* One distinct plate with its rows [first, end). */
struct pb_plate_rows {
    uint64_t code;      /* 0: a long plate; of an alternate its key */
    struct pb_str text; /* of what has no plate code; points into the iterator */
    uint16_t jurisdiction;
    uint64_t first, end;
};

/*
 * Walks distinct plates in order, of ordinary and long plates, or of alternates (then rows
 * are postings, and the key of a long one is its hash).
 */
struct pb_plate_iterator {
    const struct pb_segment *segment;
    enum pb_table table;
    uint32_t block, row, rows; /* next row of the block that is decoded */
    bool is_past;              /* the block could not be read: the next one is next */
    int64_t columns[PB_PLATES_COLUMNS][PB_BLOCK_ROWS_MAX];
    uint8_t *blob;             /* owned; texts of a block that has some */
    size_t blob_room;
    uint32_t texts[PB_BLOCK_ROWS_MAX + 1]; /* where they begin in the blob */
};
/* table: PB_TABLE_PLATES (goes on with long ones), PB_TABLE_LONG, or PB_TABLE_ALTERNATES. */
void pb_plate_iterator_init(struct pb_plate_iterator *iterator, const struct pb_segment *segment,
                            enum pb_table table);
void pb_plate_iterator_done(struct pb_plate_iterator *iterator);
/* PB_OK, PB_END, or a failure. After PB_E_CORRUPT the next call goes on behind what is damaged. */
PB_MUST_CHECK enum pb_status pb_plate_iterator_next(struct pb_plate_iterator *iterator,
                                                    struct pb_plate_rows *ret_plate,
                                                    struct pb_error *error);
/* Goes to the first ordinary plate (or alternate) of at least code. Only forwards. After
 * PB_E_CORRUPT the next plate may be one before it. */
PB_MUST_CHECK enum pb_status pb_plate_iterator_seek(struct pb_plate_iterator *iterator,
                                                    uint64_t code, struct pb_error *error);
/* Goes to where the plate of a row may be the next one, or one after it is. Rows ascend. */
PB_MUST_CHECK enum pb_status pb_plate_iterator_seek_row(struct pb_plate_iterator *iterator,
                                                        uint64_t row, struct pb_error *error);
/* Goes to the first long plate of at least text. */
PB_MUST_CHECK enum pb_status pb_plate_iterator_seek_text(struct pb_plate_iterator *iterator,
                                                         struct pb_str text,
                                                         struct pb_error *error);

/* Where the rows of the last plate of a block of plates (or alternates) end. */
PB_MUST_CHECK enum pb_status pb_segment_plates_end(const struct pb_segment *segment,
                                                   enum pb_table table, uint32_t block,
                                                   uint64_t *ret_row, struct pb_error *error);

/* The captured time of one row. */
PB_MUST_CHECK enum pb_status pb_segment_time(const struct pb_segment *segment, uint64_t row,
                                             int64_t *ret_captured_us, struct pb_error *error);
/* The first row of [first, end), one plate's, that was captured at or after captured_us. */
PB_MUST_CHECK enum pb_status pb_segment_lower_bound(const struct pb_segment *segment,
                                                    uint64_t first, uint64_t end,
                                                    int64_t captured_us, uint64_t *ret_row,
                                                    struct pb_error *error);

/* The plate that a row belongs to. */
struct pb_plate_text {
    char text[PB_PLATE_BYTES_MAX];
    uint32_t bytes;
    uint16_t jurisdiction;
    uint64_t first, end; /* all its rows */
};
PB_MUST_CHECK enum pb_status pb_segment_plate_of_row(const struct pb_segment *segment,
                                                     uint64_t row, struct pb_plate_text *ret_plate,
                                                     struct pb_error *error);

/* A block of `reads`, for decoding several of its rows. */
struct pb_reads_block {
    const struct pb_segment *segment;
    uint32_t block_number; /* UINT32_MAX: none */
    uint32_t decodes;      /* rows that were decoded of it */
    uint16_t opened;       /* a bit for each column that is ready */
    uint16_t decoded;      /* a bit for each column whose values are in values */
    struct pb_block block;
    struct pb_column columns[PB_READS_COLUMNS];
    int64_t (*values)[PB_BLOCK_ROWS_MAX]; /* owned: PB_READS_COLUMNS; NULL until there is need */
    uint8_t *blob;         /* owned; extras, decompressed when first needed */
    size_t blob_room;
    bool has_blob;
    uint32_t extras_row, extras_at; /* a row, and where in the blob its extras begin */
    /* The commit looked up last: most rows of a block have one in common. */
    uint64_t commit_row;   /* UINT64_MAX: none */
    uint64_t commit;
    int64_t received_us;
};
void pb_reads_block_init(struct pb_reads_block *reads);
void pb_reads_block_done(struct pb_reads_block *reads, const struct pb_env *env);
/* Makes reads hold the block of row. */
PB_MUST_CHECK enum pb_status pb_reads_block_load(struct pb_reads_block *reads,
                                                 const struct pb_segment *segment, uint64_t row,
                                                 struct pb_error *error);
/* The same with some columns only, a bit for each: nothing but what needs these may be asked. */
#define PB_READS_OF_TIME (1u << PB_READS_TIME)
#define PB_READS_OF_PLACE (1u << PB_READS_CONTEXT | 1u << PB_READS_LAT | 1u << PB_READS_LON)
PB_MUST_CHECK enum pb_status pb_reads_block_load_columns(struct pb_reads_block *reads,
                                                         const struct pb_segment *segment,
                                                         uint64_t row, unsigned columns,
                                                         struct pb_error *error);
/* Tells that the block of a row will be loaded soon. */
void pb_reads_block_fetch(const struct pb_segment *segment, uint64_t row);
/* Place of a row: PB_NO_POSITION where it has none. */
void pb_reads_block_position(const struct pb_reads_block *reads, uint64_t row, int32_t *ret_lat_e7,
                             int32_t *ret_lon_e7);
/* Sets captured and delete-after time and whether the row is history, nothing else. */
void pb_reads_block_lifetime(const struct pb_reads_block *reads, uint64_t row,
                             struct pb_read *ret_read);
int64_t pb_reads_block_time(const struct pb_reads_block *reads, uint64_t row);
/* All of a row but its plate and jurisdiction, which the caller knows or asks. Texts point into
 * the segment's names and into reads' blob, arrays into room. */
PB_MUST_CHECK enum pb_status pb_reads_block_decode(struct pb_reads_block *reads, uint64_t row,
                                                   struct pb_record_room *room,
                                                   struct pb_read *ret_read,
                                                   struct pb_error *error);

/* Makes the filter of events, a part at each call; as long as it is not whole, or not to be had,
 * they are looked up. The caller holds the store's writing lock. */
void pb_segment_filter_events(struct pb_segment *segment);
/* False: no row of table events has this identity. Needs the same lock. */
bool pb_segment_may_have_event(const struct pb_segment *segment, uint64_t identity);
/* Rows of an identity hash in table events; candidates whose hash merely agrees are among
 * them. Calls each with the row; false stops. The table has rows. */
typedef bool pb_row_fn(void *context, uint64_t row);
PB_MUST_CHECK enum pb_status pb_segment_find_event(const struct pb_segment *segment,
                                                   uint64_t identity, pb_row_fn *each,
                                                   void *context, struct pb_error *error);

/* Reads every byte and checks it. */
PB_MUST_CHECK enum pb_status pb_segment_verify(const struct pb_segment *segment,
                                               pb_damage_fn *on_damage, void *context,
                                               struct pb_verify_counts *counts);

#endif
