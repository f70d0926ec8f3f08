/*
 * Index: where the blocks of a segment's tables lie. For who reads segments; others ask for keys
 * (segment.h) or for blocks.
 *
 * Opening does not look at indexes: those of two billion reads are 600 MB. Where a block lies is
 * proved by what is found there, for each block says under its own checksum which one of which
 * table and segment it is. Keys are believed: so they are given out only once the checksum of
 * their index was found to fit, which is tried when somebody wants them for the first time.
 *
 * Threads: any.
 */
#ifndef PB_STORE_LOCAL_SEGMENT_INDEX_H
#define PB_STORE_LOCAL_SEGMENT_INDEX_H

#include "store/local/segment.h"

/* Takes the tables of a footer, whose checksum fits, and checks their ranges. */
PB_MUST_CHECK enum pb_status pb_indexes_open(struct pb_segment *segment, const uint8_t *footer,
                                             struct pb_error *error);

/* Whether the index's checksum fits; PB_E_CORRUPT names file and offset. Only the first time all
 * of it is looked at. */
PB_MUST_CHECK enum pb_status pb_index_check(const struct pb_segment *segment, enum pb_table table,
                                            struct pb_error *error);

/* Where a block should lie: anywhere, as long as nothing shows that it does. */
uint64_t pb_index_block_offset(const struct pb_segment *segment, enum pb_table table,
                               uint32_t block);
/* The ordinal of the plate of a block's first row, of table reads. The plate that is found there
 * tells whether it is true. */
uint64_t pb_index_plate_ordinal(const struct pb_segment *segment, uint32_t block);

/* Says PB_E_CORRUPT where what a table's index led to was not what should be there: of the
 * index, where it is that which is damaged, else of `offset`. */
PB_MUST_CHECK enum pb_status pb_index_blame(const struct pb_segment *segment, enum pb_table table,
                                            uint64_t offset, const char *what,
                                            struct pb_error *error);

#endif
