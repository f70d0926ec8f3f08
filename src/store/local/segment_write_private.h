/*
 * Writer of segments, inside.
 */
#ifndef PB_STORE_LOCAL_SEGMENT_WRITE_PRIVATE_H
#define PB_STORE_LOCAL_SEGMENT_WRITE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/local/bins.h"
#include "store/local/crew.h"
#include "store/local/places.h"
#include "store/local/segment.h"
#include "store/local/sorter.h"

#define TEXTS_RECENT 1024u

/* The block of a table that is being filled, and the index of those before. */
struct table_builder {
    enum pb_table table;
    uint64_t rows;
    uint32_t filled; /* rows in columns */
    uint32_t blocks; /* begun and full */
    uint32_t written; /* of these, what is in out or in the file */
    uint64_t key;    /* of the block being filled */
    int64_t (*columns)[PB_BLOCK_ROWS_MAX]; /* owned: columns of the table's format */
    uint64_t base;   /* offset of the first block of the group that is being written */
    struct pb_bin bases, nears, keys; /* owned: the index, as it stands in the file */
    uint8_t *blob;   /* owned */
    size_t blob_bytes, blob_room;
};

/* A full block that the crew encodes. */
struct pending_block {
    struct pb_crew_job job; /* the first, so that the one is the other */
    enum pb_table table;
    uint64_t key;
    int64_t (*columns)[PB_BLOCK_ROWS_MAX]; /* owned: PB_READS_COLUMNS of them */
    uint8_t *blob;  /* owned */
    size_t blob_room;
    uint8_t *bytes; /* owned: room for the block */
    size_t room, used;
    struct pb_block_input input;
};

struct pb_segment_writer {
    const struct pb_env *env;     /* borrowed */
    struct pb_crew *crew;         /* borrowed */
    struct pending_block *ring;   /* owned: RING_BLOCKS; NULL without a crew */
    uint32_t ring_first, ring_count;
    struct pb_names *names;       /* borrowed */
    const char *directory;        /* borrowed */
    struct pb_segment_entry entry;
    uint8_t store_id[PB_STORE_ID_BYTES];
    uint64_t seed;
    struct pb_file *file; /* owned */
    uint8_t *out;         /* owned: OUT_BYTES */
    size_t out_bytes;
    uint64_t offset;      /* of the file, without what is in out */
    struct table_builder tables[PB_TABLE_COUNT];
    struct pb_bins_budget index_budget;
    struct pb_bins index; /* of the tables' indexes */
    struct pb_places *places;               /* owned */
    struct pb_sorter *events, *alternates; /* owned; made when first needed */
    size_t memory_bytes;
    uint64_t recent_texts[TEXTS_RECENT]; /* keys whose texts went into the sorter */

    /* The plate that is open; put into its table with its first row. */
    uint64_t plate_code;
    char plate_text[PB_PLATE_BYTES_MAX];
    uint32_t plate_bytes;
    uint16_t plate_jurisdiction;
    bool has_plate_row;
    uint64_t plate_ordinal; /* of the plate that is open, once it has a row */
    bool begins_plate[PB_BLOCK_ROWS_MAX]; /* rows of the block being filled */
    bool is_finished;
};

#endif
