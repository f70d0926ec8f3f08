/*
 * Walk: the distinct plates of one segment that a pattern fits, in plate order.
 *
 * Blocks of plates are tested as vectors of codes where the pattern allows, and whole
 * stretches in which nothing can match are jumped over.
 */
#ifndef PB_STORE_LOCAL_WALK_H
#define PB_STORE_LOCAL_WALK_H

#include "plate/plate_code.h"
#include "store/local/segment.h"
#include "store/local/skips.h"

struct pb_walk {
    const struct pb_segment *segment;
    const struct pb_pattern *pattern;
    enum pb_table table;
    uint16_t jurisdiction;       /* 0: any */
    struct pb_skips *skips;      /* borrowed */
    struct pb_block_keys keys;   /* of table; none where its index is damaged: nothing is jumped
                                  * over then */
    bool is_exact;
    bool has_given;              /* an exact walk gave something */
    struct pb_str exact;         /* borrowed from pattern */
    bool is_long;                /* what has a code is done */
    struct pb_pattern_scan scan;
    struct pb_block block;
    uint32_t block_number, rows, at;
    uint32_t tried_block;        /* the last one that was to be loaded */
    uint64_t codes[PB_BLOCK_ROWS_MAX];
    uint64_t maybe;              /* of codes: bit i is 0 where codes[i] cannot match */
    uint64_t next_code;          /* codes below it cannot match */
    uint64_t matched_code;       /* the last one that did, or 0 */
    struct pb_pattern_match match;
    struct pb_plate_iterator plates; /* of exact walks, and of long plates */
};

/* table: PB_TABLE_PLATES (ordinary and long plates) or PB_TABLE_ALTERNATES. pattern and skips are
 * borrowed for the walk's life; failures are left in skips' error. Where damage is skipped, the
 * plates of a damaged block are left out, and the last one of the block before, whose end
 * it would tell. */
PB_MUST_CHECK enum pb_status pb_walk_init(struct pb_walk *walk, const struct pb_segment *segment,
                                          enum pb_table table, const struct pb_pattern *pattern,
                                          uint16_t jurisdiction, struct pb_skips *skips);
void pb_walk_done(struct pb_walk *walk);
/* PB_OK, PB_END, or a failure. A long plate's text is valid until the next call. */
PB_MUST_CHECK enum pb_status pb_walk_next(struct pb_walk *walk, struct pb_plate_rows *ret_plate,
                                          struct pb_pattern_match *ret_match);

#endif
