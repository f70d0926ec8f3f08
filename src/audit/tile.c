/*
 * Tiles: paths, widths, bundles.
 */
#include "audit/tile.h"

#include <assert.h>
#include <string.h>

#include "audit/encode.h"

#define DIGITS 3u       /* of a path element */
#define ELEMENTS_MAX 7u /* 1000^7 is more than 2^62 / 256 */

void
pb_tile_put_path(struct pb_text_out *out, const struct pb_tile *tile)
{
    unsigned elements[ELEMENTS_MAX];
    uint64_t rest = tile->index;
    unsigned count = 0;

    assert(tile->width >= 1 && tile->width <= PB_TILE_WIDTH);
    assert(tile->index <= PB_TREE_SIZE_MAX);
    pb_put_text(out, "tile/");
    if (tile->level == PB_TILE_ENTRIES)
        pb_put_text(out, "entries");
    else
        pb_put_u64(out, (uint64_t)tile->level);
    do {
        elements[count++] = (unsigned)(rest % 1000);
        rest /= 1000;
    } while (rest > 0);
    while (count > 0) {
        unsigned element = elements[--count];

        pb_put_text(out, count > 0 ? "/x" : "/");
        pb_put_char(out, (char)('0' + element / 100));
        pb_put_char(out, (char)('0' + element / 10 % 10));
        pb_put_char(out, (char)('0' + element % 10));
    }
    if (tile->width < PB_TILE_WIDTH) {
        pb_put_text(out, ".p/");
        pb_put_u64(out, tile->width);
    }
}

/* ---- parsing ---- */

static bool
take(struct pb_str *rest, const char *word)
{
    size_t bytes = strlen(word);

    if (rest->bytes < bytes || memcmp(rest->text, word, bytes) != 0)
        return false;
    *rest = (struct pb_str){ rest->text + bytes, rest->bytes - (uint32_t)bytes };
    return true;
}

static bool
take_element(struct pb_str *rest, uint64_t *index)
{
    uint64_t value = 0;

    if (rest->bytes < DIGITS || *index > PB_TREE_SIZE_MAX / 1000)
        return false;
    for (unsigned i = 0; i < DIGITS; i++) {
        if (rest->text[i] < '0' || rest->text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(rest->text[i] - '0');
    }
    *index = *index * 1000 + value;
    *rest = (struct pb_str){ rest->text + DIGITS, rest->bytes - DIGITS };
    return true;
}

static bool
take_level(struct pb_str *rest, int *ret_level)
{
    if (take(rest, "entries")) {
        *ret_level = PB_TILE_ENTRIES;
        return true;
    }
    if (rest->bytes == 0 || rest->text[0] < '0' || rest->text[0] >= '0' + (int)PB_TILE_LEVELS)
        return false;
    *ret_level = rest->text[0] - '0';
    *rest = (struct pb_str){ rest->text + 1, rest->bytes - 1 };
    return true;
}

enum pb_status
pb_tile_parse_path(struct pb_str path, struct pb_tile *ret_tile)
{
    struct pb_str rest = path;
    struct pb_tile tile = { .width = PB_TILE_WIDTH };
    uint64_t width = 0;
    bool is_first = true;

    if (!take(&rest, "tile/") || !take_level(&rest, &tile.level))
        return PB_BAD_INPUT;
    while (take(&rest, "/x")) {
        if (!take_element(&rest, &tile.index) || (is_first && tile.index == 0))
            return PB_BAD_INPUT;
        is_first = false;
    }
    if (!take(&rest, "/") || !take_element(&rest, &tile.index))
        return PB_BAD_INPUT;
    if (take(&rest, ".p/")) {
        if (pb_decimal_decode(rest, &width) != PB_OK || width == 0 || width >= PB_TILE_WIDTH)
            return PB_BAD_INPUT;
        tile.width = (unsigned)width;
        rest.bytes = 0;
    }
    if (rest.bytes != 0 || tile.index > PB_TREE_SIZE_MAX / PB_TILE_WIDTH)
        return PB_BAD_INPUT;
    *ret_tile = tile;
    return PB_OK;
}

/* ---- content ---- */

unsigned
pb_tile_partial_width(uint64_t size, unsigned level)
{
    return (unsigned)(size >> PB_TILE_HEIGHT * level) % PB_TILE_WIDTH;
}

uint64_t
pb_tile_full_count(uint64_t size, unsigned level)
{
    assert(level < PB_TILE_LEVELS);
    return level + 1 == PB_TILE_LEVELS ? 0 : size >> PB_TILE_HEIGHT * (level + 1);
}

void
pb_tile_hash(const struct pb_hash *hashes, unsigned width, struct pb_hash *ret_hash)
{
    struct pb_hash row[PB_TILE_WIDTH];

    assert(width >= 1 && width <= PB_TILE_WIDTH && (width & (width - 1)) == 0);
    memcpy(row, hashes, width * sizeof(row[0]));
    for (; width > 1; width /= 2) {
        for (unsigned i = 0; i < width / 2; i++)
            pb_tree_hash_node(&row[2 * i], &row[2 * i + 1], &row[i]);
    }
    *ret_hash = row[0];
}

enum pb_status
pb_bundle_next(struct pb_str *rest, struct pb_str *ret_entry)
{
    const uint8_t *at = (const uint8_t *)rest->text;
    uint32_t bytes;

    if (rest->bytes == 0)
        return PB_END;
    if (rest->bytes < 2)
        return PB_BAD_INPUT;
    bytes = (uint32_t)at[0] << 8 | at[1];
    if (bytes > rest->bytes - 2)
        return PB_BAD_INPUT;
    *ret_entry = (struct pb_str){ rest->text + 2, bytes };
    *rest = (struct pb_str){ rest->text + 2 + bytes, rest->bytes - 2 - bytes };
    return PB_OK;
}
