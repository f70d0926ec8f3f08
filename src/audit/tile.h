/*
 * Tiles: where hashes and entries of a log lie, and what an entry bundle is.
 *
 * Level 0 holds the hashes of leaves, level n + 1 those of full tiles of level n. Entries lie in
 * bundles that run beside level 0.
 *
 * Threads: everything here is pure.
 * Source:  c2sp.org/tlog-tiles.
 */
#ifndef PB_AUDIT_TILE_H
#define PB_AUDIT_TILE_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/tree.h"
#include "base/text.h"

#define PB_TILE_WIDTH 256u
#define PB_TILE_HEIGHT 8u
#define PB_TILE_LEVELS 8u    /* of a tree of PB_TREE_SIZE_MAX */
#define PB_TILE_ENTRIES (-1) /* in the place of a level: an entry bundle */
#define PB_TILE_PATH_BYTES_MAX 64u
#define PB_BUNDLE_BYTES_MAX (PB_TILE_WIDTH * (2u + 65535u))

struct pb_tile {
    int level;      /* 0 to PB_TILE_LEVELS - 1, or PB_TILE_ENTRIES */
    uint64_t index; /* of the tile within its level */
    unsigned width; /* 1 to PB_TILE_WIDTH, which is a full tile */
};

/* "tile/0/x001/x234/067", "tile/entries/003.p/17": relative to the log's public directory. */
void pb_tile_put_path(struct pb_text_out *out, const struct pb_tile *tile);
/* Only what pb_tile_put_path writes is taken; PB_BAD_INPUT otherwise. */
PB_MUST_CHECK enum pb_status pb_tile_parse_path(struct pb_str path, struct pb_tile *ret_tile);

/* Hashes in the last, partial tile of a level in a tree of that size; 0 where there is none. */
unsigned pb_tile_partial_width(uint64_t size, unsigned level);
/* Full tiles of a level in a tree of that size. */
uint64_t pb_tile_full_count(uint64_t size, unsigned level);
/* Root of a full tile, or with a width that is a power of two of its beginning. */
void pb_tile_hash(const struct pb_hash *hashes, unsigned width, struct pb_hash *ret_hash);

/* Takes the next entry out of rest. PB_END at the end, PB_BAD_INPUT where it is cut. */
PB_MUST_CHECK enum pb_status pb_bundle_next(struct pb_str *rest, struct pb_str *ret_entry);

#endif
