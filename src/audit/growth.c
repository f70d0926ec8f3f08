/*
 * Growth: the public side of one log, written as the log grows.
 *
 * What is full is written once and synced. What is partial is written each time that a checkpoint
 * needs it, and not synced: until the log is kept (publish.c), the journal can bring it back.
 * After a power cut such files may be damaged, so the first publishing after a start writes
 * them again, and so does keeping, synced.
 *
 * Everything here is called with `integrating` held.
 */
#include <assert.h>
#include <string.h>

#include "audit/audit_private.h"
#include "audit/encode.h"

#define BUNDLE_FIRST_BYTES 16384u
#define WIDTHS_MAX PB_TILE_WIDTH

void
pb_growth_unload(struct pb_audit *audit, struct pb_audit_log *log)
{
    struct pb_growth *growth = &log->growth;

    for (unsigned level = 0; level < PB_TILE_LEVELS; level++)
        pb_free(audit->env, growth->tiles[level]);
    pb_free(audit->env, growth->bundle);
    memset(growth, 0, sizeof(*growth));
}

/* ---- loading ---- */

static enum pb_status
need_level(struct pb_audit *audit, struct pb_growth *growth, unsigned level, struct pb_error *error)
{
    if (growth->tiles[level] != NULL)
        return PB_OK;
    growth->tiles[level] = pb_alloc(audit->env, PB_TILE_WIDTH * sizeof(struct pb_hash));
    if (growth->tiles[level] == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a tile");
    return PB_OK;
}

static enum pb_status
load_tiles(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (unsigned level = 0; level < PB_TILE_LEVELS && status == PB_OK; level++) {
        struct pb_tile tile = { .level = (int)level,
                                .index = pb_tile_full_count(size, level),
                                .width = pb_tile_partial_width(size, level) };

        if (tile.width == 0)
            continue;
        status = need_level(audit, &log->growth, level, error);
        if (status == PB_OK)
            status = pb_nodes_read_tile(&log->public_place, &tile, log->growth.tiles[level], error);
    }
    return status;
}

static enum pb_status
load_bundle(struct pb_audit_log *log, uint64_t size, struct pb_error *error)
{
    struct pb_growth *growth = &log->growth;
    unsigned width = pb_tile_partial_width(size, 0);
    enum pb_status status;

    if (width == 0)
        return PB_OK;
    status = pb_nodes_read_bundle(&log->public_place, size / PB_TILE_WIDTH, width, &growth->bundle,
                                  &growth->bundle_bytes, error);
    if (status == PB_OK)
        growth->bundle_room = growth->bundle_bytes;
    return status;
}

/* The tree as it is on disk for good. */
static enum pb_status
load(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    uint64_t size = log->kept_size;
    struct pb_nodes nodes;
    struct pb_hash root;
    enum pb_status status;

    pb_nodes_init(&nodes, &log->public_place, size);
    status = load_tiles(audit, log, size, error);
    if (status == PB_OK)
        status = load_bundle(log, size, error);
    if (status == PB_OK)
        status = pb_tree_edge_load(size, pb_nodes_node, &nodes, &log->growth.edge, error);
    if (status == PB_OK) {
        pb_tree_edge_root(&log->growth.edge, &root);
        if (!pb_hash_equal(&root, &log->kept_root))
            status = pb_fail(error, PB_E_CORRUPT,
                             "%s: the tiles do not have the root that they "
                             "had when they were written",
                             log->public_place.path);
    }
    log->growth.is_loaded = status == PB_OK;
    if (status != PB_OK)
        pb_growth_unload(audit, log);
    return status;
}

/* ---- writing ---- */

static enum pb_status
write_tile(struct pb_audit_log *log, const struct pb_tile *tile, bool is_synced, const void *bytes,
           size_t count, struct pb_error *error)
{
    char path[PB_TILE_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(path, sizeof(path));

    pb_tile_put_path(&out, tile);
    return pb_place_write(&log->public_place, (struct pb_str){ path, (uint32_t)(out.at - path) },
                          is_synced ? PB_PLACE_SYNCED : PB_PLACE_SEEN, bytes, count, error);
}

/* The tile of a level is full: writes it and hands its hash to the level above. */
static enum pb_status
close_tile(struct pb_audit *audit, struct pb_audit_log *log, unsigned level, uint64_t index,
           struct pb_error *error)
{
    struct pb_growth *growth = &log->growth;
    struct pb_tile tile = { .level = (int)level, .index = index, .width = PB_TILE_WIDTH };
    enum pb_status status;

    status = need_level(audit, growth, level + 1, error);
    if (status == PB_OK)
        status = write_tile(log, &tile, true, growth->tiles[level], PB_TILE_WIDTH * PB_HASH_BYTES,
                            error);
    if (status == PB_OK)
        pb_tile_hash(growth->tiles[level], PB_TILE_WIDTH,
                     &growth->tiles[level + 1][index % PB_TILE_WIDTH]);
    return status;
}

static enum pb_status
close_bundle(struct pb_audit_log *log, uint64_t index, struct pb_error *error)
{
    struct pb_tile tile = { .level = PB_TILE_ENTRIES, .index = index, .width = PB_TILE_WIDTH };
    enum pb_status status =
        write_tile(log, &tile, true, log->growth.bundle, log->growth.bundle_bytes, error);

    if (status == PB_OK)
        log->growth.bundle_bytes = 0;
    return status;
}

static enum pb_status
add_entry(struct pb_audit *audit, struct pb_growth *growth, struct pb_str leaf,
          struct pb_error *error)
{
    size_t needed = growth->bundle_bytes + 2 + leaf.bytes;

    if (needed > growth->bundle_room) {
        size_t room = needed * 2 < BUNDLE_FIRST_BYTES ? BUNDLE_FIRST_BYTES : needed * 2;
        uint8_t *larger = pb_realloc(audit->env, growth->bundle, room);

        if (larger == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for an entry bundle");
        growth->bundle = larger;
        growth->bundle_room = room;
    }
    growth->bundle[growth->bundle_bytes] = (uint8_t)(leaf.bytes >> 8);
    growth->bundle[growth->bundle_bytes + 1] = (uint8_t)leaf.bytes;
    memcpy(growth->bundle + growth->bundle_bytes + 2, leaf.text, leaf.bytes);
    growth->bundle_bytes = needed;
    return PB_OK;
}

/* One leaf. A failure leaves the tree in the middle: the caller unloads it. */
static enum pb_status
add_leaf(struct pb_audit *audit, struct pb_audit_log *log, struct pb_str leaf,
         struct pb_error *error)
{
    struct pb_growth *growth = &log->growth;
    uint64_t size = growth->edge.size;
    struct pb_hash hash;
    enum pb_status status;

    status = need_level(audit, growth, 0, error);
    if (status == PB_OK)
        status = add_entry(audit, growth, leaf, error);
    if (status != PB_OK)
        return status;
    pb_tree_hash_leaf(leaf.text, leaf.bytes, &hash);
    growth->tiles[0][size % PB_TILE_WIDTH] = hash;
    pb_tree_edge_add(&growth->edge, &hash);
    size++;
    if (size % PB_TILE_WIDTH == 0)
        status = close_bundle(log, size / PB_TILE_WIDTH - 1, error);
    for (unsigned level = 0; status == PB_OK; level++) {
        if (pb_tile_partial_width(size, level) != 0)
            break;
        assert(level + 1 < PB_TILE_LEVELS); /* no tree is that large */
        status = close_tile(audit, log, level, pb_tile_full_count(size, level) - 1, error);
    }
    return status;
}

enum pb_status
pb_growth_integrate(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size,
                    struct pb_error *error)
{
    struct pb_pending items[PB_TILE_WIDTH];
    enum pb_status status = PB_OK;

    if (!log->growth.is_loaded)
        status = load(audit, log, error);
    while (status == PB_OK && log->growth.edge.size < size) {
        uint64_t first = log->growth.edge.size;
        uint32_t count = size - first < PB_TILE_WIDTH ? (uint32_t)(size - first) : PB_TILE_WIDTH;

        pb_pending_copy(audit, log, first, count, items);
        for (uint32_t i = 0; i < count && status == PB_OK; i++)
            status = add_leaf(audit, log, items[i].leaf, error);
    }
    if (status != PB_OK)
        pb_growth_unload(audit, log);
    return status;
}

/* ---- partial tiles ---- */

/* The bytes that the first width entries take in the bundle. */
static size_t
bundle_prefix(const struct pb_growth *growth, unsigned width)
{
    size_t at = 0;

    for (unsigned i = 0; i < width; i++)
        at += 2 + ((size_t)growth->bundle[at] << 8 | growth->bundle[at + 1]);
    return at;
}

/* Writes the first width hashes, or entries, of the last tile of a level. */
static enum pb_status
write_partial(struct pb_audit_log *log, int level, unsigned width, bool is_synced,
              struct pb_error *error)
{
    const struct pb_growth *growth = &log->growth;
    unsigned tile_level = level == PB_TILE_ENTRIES ? 0 : (unsigned)level;
    struct pb_tile tile = { .level = level,
                            .index = pb_tile_full_count(growth->edge.size, tile_level),
                            .width = width };

    if (level == PB_TILE_ENTRIES)
        return write_tile(log, &tile, is_synced, growth->bundle, bundle_prefix(growth, width),
                          error);
    return write_tile(log, &tile, is_synced, growth->tiles[level], (size_t)width * PB_HASH_BYTES,
                      error);
}

struct widths {
    bool is_there[WIDTHS_MAX];
};

static bool
note_width(void *context, const char *name, bool is_directory)
{
    struct widths *widths = context;
    uint64_t width = 0;

    if (!is_directory && pb_decimal_decode(pb_str_from(name), &width) == PB_OK &&
        width < WIDTHS_MAX)
        widths->is_there[width] = true;
    return true;
}

/* The directory of a tile's partial forms. */
static struct pb_str
partial_directory(int level, uint64_t index, char room[PB_TILE_PATH_BYTES_MAX])
{
    struct pb_tile tile = { .level = level, .index = index, .width = 1 };
    struct pb_text_out out = pb_text_out(room, PB_TILE_PATH_BYTES_MAX);

    pb_tile_put_path(&out, &tile);
    return (struct pb_str){ room, (uint32_t)(out.at - room) - 2 }; /* without "/1" */
}

static enum pb_status
list_widths(struct pb_audit_log *log, int level, uint64_t index, struct widths *ret_widths,
            struct pb_error *error)
{
    const struct pb_env *env = log->public_place.env;
    char name[PB_TILE_PATH_BYTES_MAX], path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    memset(ret_widths, 0, sizeof(*ret_widths));
    pb_place_path(&log->public_place, partial_directory(level, index, name), path);
    status = env->files->list(env->file_context, path, note_width, ret_widths, error);
    return status == PB_NOT_FOUND ? PB_OK : status;
}

static enum pb_status
remove_width(struct pb_audit_log *log, int level, uint64_t index, unsigned width,
             struct pb_error *error)
{
    struct pb_tile tile = { .level = level, .index = index, .width = width };
    char path[PB_TILE_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(path, sizeof(path));

    pb_tile_put_path(&out, &tile);
    return pb_place_unlink(&log->public_place, (struct pb_str){ path, (uint32_t)(out.at - path) },
                           error);
}

/* Writes again, in one level, what was written since the log was last kept and not synced. */
static enum pb_status
repair_level(struct pb_audit_log *log, int level, bool is_synced, struct pb_error *error)
{
    unsigned tile_level = level == PB_TILE_ENTRIES ? 0 : (unsigned)level;
    uint64_t kept_full = pb_tile_full_count(log->kept_size, tile_level);
    uint64_t full = pb_tile_full_count(log->growth.edge.size, tile_level);
    unsigned now = pb_tile_partial_width(log->growth.edge.size, tile_level);
    enum pb_status status = PB_OK;

    for (uint64_t index = kept_full; index <= full && status == PB_OK; index++) {
        unsigned kept = index == kept_full ? pb_tile_partial_width(log->kept_size, tile_level) : 0;
        struct widths widths;

        status = list_widths(log, level, index, &widths, error);
        for (unsigned width = kept + 1; width < WIDTHS_MAX && status == PB_OK; width++) {
            if (!widths.is_there[width])
                continue;
            status = index == full && width < now
                         ? write_partial(log, level, width, is_synced, error)
                         : remove_width(log, level, index, width, error);
        }
    }
    return status;
}

/* A level above the first has tiles once there are two hashes below it. */
static bool
has_level(uint64_t size, int level)
{
    return level < 0 || size >> PB_TILE_HEIGHT * (unsigned)(level > 0 ? level - 1 : 0) != 0;
}

enum pb_status
pb_growth_write(struct pb_audit *audit, struct pb_audit_log *log, bool is_synced,
                struct pb_error *error)
{
    uint64_t size = log->growth.edge.size;
    enum pb_status status = PB_OK;

    (void)audit;
    for (int level = PB_TILE_ENTRIES; has_level(size, level) && status == PB_OK; level++) {
        unsigned tile_level = level == PB_TILE_ENTRIES ? 0 : (unsigned)level;
        unsigned width = pb_tile_partial_width(size, tile_level);

        if (log->needs_repair || is_synced)
            status = repair_level(log, level, is_synced, error);
        if (status == PB_OK && width > 0)
            status = write_partial(log, level, width, is_synced, error);
    }
    if (status == PB_OK)
        log->needs_repair = false;
    return status;
}

static void
clean_tile(struct pb_audit_log *log, int level, uint64_t index)
{
    char name[PB_TILE_PATH_BYTES_MAX], path[PB_PATH_BYTES_MAX];
    const struct pb_env *env = log->public_place.env;
    struct widths widths;

    if (list_widths(log, level, index, &widths, NULL) != PB_OK)
        return;
    for (unsigned width = 1; width < WIDTHS_MAX; width++) {
        if (widths.is_there[width])
            (void)remove_width(log, level, index, width, NULL);
    }
    pb_place_path(&log->public_place, partial_directory(level, index, name), path);
    (void)env->files->rmdir(env->file_context, path, NULL);
}

void
pb_growth_clean(struct pb_audit *audit, struct pb_audit_log *log, uint64_t from, uint64_t to)
{
    (void)audit;
    for (int level = PB_TILE_ENTRIES; level < (int)PB_TILE_LEVELS; level++) {
        unsigned tile_level = level == PB_TILE_ENTRIES ? 0 : (unsigned)level;
        uint64_t end = pb_tile_full_count(to, tile_level);

        for (uint64_t index = pb_tile_full_count(from, tile_level); index < end; index++)
            clean_tile(log, level, index);
    }
}
