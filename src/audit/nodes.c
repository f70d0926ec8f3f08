/*
 * Nodes: a tree's hashes and entries from the tiles on disk.
 */
#include <assert.h>
#include <string.h>

#include "audit/audit_private.h"

void
pb_nodes_init(struct pb_nodes *nodes, const struct pb_place *place, uint64_t size)
{
    nodes->place = place;
    nodes->size = size;
    nodes->has_tile = false;
}

/* Reads the file of a tile or bundle, or that of the full one, which begins in the same way. */
static enum pb_status
read_tile_file(const struct pb_place *place, const struct pb_tile *tile, size_t bytes_max,
               uint8_t **ret_bytes, size_t *ret_count, struct pb_error *error)
{
    struct pb_tile wanted = *tile;
    char path[PB_TILE_PATH_BYTES_MAX];
    enum pb_status status = PB_NOT_FOUND;

    for (;;) {
        struct pb_text_out out = pb_text_out(path, sizeof(path));

        pb_tile_put_path(&out, &wanted);
        status = pb_place_read(place, (struct pb_str){ path, (uint32_t)(out.at - path) }, bytes_max,
                               ret_bytes, ret_count, error);
        if (status != PB_NOT_FOUND)
            return status;
        if (wanted.width == PB_TILE_WIDTH)
            return pb_fail(error, PB_E_CORRUPT, "%s: '%.*s' is missing", place->path,
                           (int)(out.at - path), path);
        wanted.width = PB_TILE_WIDTH;
    }
}

enum pb_status
pb_nodes_read_tile(const struct pb_place *place, const struct pb_tile *tile,
                   struct pb_hash ret_hashes[PB_TILE_WIDTH], struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status = read_tile_file(place, tile, PB_TILE_WIDTH * PB_HASH_BYTES, &bytes, &count, error);
    if (status != PB_OK)
        return status;
    if (count % PB_HASH_BYTES != 0 || count < (size_t)tile->width * PB_HASH_BYTES)
        status = pb_fail(error, PB_E_CORRUPT, "%s: tile %llu of level %d is cut", place->path,
                         (unsigned long long)tile->index, tile->level);
    else
        memcpy(ret_hashes, bytes, (size_t)tile->width * PB_HASH_BYTES);
    pb_free(place->env, bytes);
    return status;
}

enum pb_status
pb_nodes_read_bundle(const struct pb_place *place, uint64_t index, unsigned width,
                     uint8_t **ret_bytes, size_t *ret_count, struct pb_error *error)
{
    struct pb_tile tile = { .level = PB_TILE_ENTRIES, .index = index, .width = width };
    struct pb_str rest, entry;
    size_t count = 0;
    enum pb_status status;

    status = read_tile_file(place, &tile, PB_BUNDLE_BYTES_MAX, ret_bytes, &count, error);
    if (status != PB_OK)
        return status;
    rest = (struct pb_str){ (const char *)*ret_bytes, (uint32_t)count };
    for (unsigned i = 0; i < width && status == PB_OK; i++)
        status = pb_bundle_next(&rest, &entry);
    *ret_count = count - rest.bytes;
    if (status == PB_OK)
        return PB_OK;
    pb_free(place->env, *ret_bytes);
    *ret_bytes = NULL;
    return pb_fail(error, PB_E_CORRUPT, "%s: entry bundle %llu is cut", place->path,
                   (unsigned long long)index);
}

/* Brings the tile with that number into nodes->hashes. */
static enum pb_status
need_tile(struct pb_nodes *nodes, unsigned level, uint64_t index, struct pb_error *error)
{
    uint64_t full_count = pb_tile_full_count(nodes->size, level);
    struct pb_tile tile = { .level = (int)level, .index = index, .width = PB_TILE_WIDTH };
    enum pb_status status;

    if (nodes->has_tile && nodes->tile.level == tile.level && nodes->tile.index == index)
        return PB_OK;
    if (index >= full_count)
        tile.width = pb_tile_partial_width(nodes->size, level);
    assert(index <= full_count && tile.width > 0);
    nodes->has_tile = false;
    status = pb_nodes_read_tile(nodes->place, &tile, nodes->hashes, error);
    if (status != PB_OK)
        return status;
    nodes->tile = tile;
    nodes->has_tile = true;
    return PB_OK;
}

enum pb_status
pb_nodes_node(void *context, unsigned level, uint64_t index, struct pb_hash *ret_hash,
              struct pb_error *error)
{
    struct pb_nodes *nodes = context;
    unsigned within = level % PB_TILE_HEIGHT; /* of the tile */
    uint64_t first = index << within;         /* among the hashes of the tile's level */
    enum pb_status status;

    assert((index + 1) << level <= nodes->size);
    status = need_tile(nodes, level / PB_TILE_HEIGHT, first / PB_TILE_WIDTH, error);
    if (status == PB_OK)
        pb_tile_hash(&nodes->hashes[first % PB_TILE_WIDTH], 1u << within, ret_hash);
    return status;
}
