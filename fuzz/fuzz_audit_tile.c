/*
 * Fuzz target: paths of tiles, and entry bundles. A path that is taken is written again as it was;
 * entries lie within the bundle, one behind the other.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
parse_path(struct pb_str text)
{
    char again[PB_TILE_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(again, sizeof(again));
    struct pb_tile tile;

    if (pb_tile_parse_path(text, &tile) != PB_OK)
        return;
    pb_tile_put_path(&out, &tile);
    check(!out.is_cut
          && pb_str_equal(text, (struct pb_str){ again, (uint32_t)(out.at - again) }));
}

static void
parse_bundle(struct pb_str bytes)
{
    const char *at = bytes.text;
    struct pb_str rest = bytes, entry;

    while (pb_bundle_next(&rest, &entry) == PB_OK) {
        check(entry.text == at + 2);
        at = entry.text + entry.bytes;
        check(rest.text == at);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str bytes = { (const char *)data, (uint32_t)size };

    if (size > UINT32_MAX)
        return 0;
    parse_path(bytes);
    parse_bundle(bytes);
    return 0;
}
