/*
 * Fuzz: a request target, the route that it means, and the names of tiles.
 *
 * What is taken is valid UTF-8 without control characters or dots, its segments are its path, and
 * writing it again with every byte escaped means the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/tile_path.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "net/router.h"
#include "net/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_text(struct pb_str text)
{
    require(pb_utf8_is_valid(text.text, text.bytes));
    for (uint32_t i = 0; i < text.bytes; i++)
        require((unsigned char)text.text[i] >= 0x20 && text.text[i] != 0x7F);
}

static void
check_segments(const struct pb_target *target)
{
    const char *at = target->path.text;

    for (uint32_t i = 0; i < target->segment_count; i++) {
        struct pb_str segment = target->segments[i];

        require(*at == '/' && segment.text == at + 1);
        require(segment.bytes == 0 || memchr(segment.text, '/', segment.bytes) == NULL);
        require(!pb_str_equal(segment, pb_str_from(".")));
        require(!pb_str_equal(segment, pb_str_from("..")));
        at = segment.text + segment.bytes;
    }
    require(at == target->path.text + target->path.bytes
            || (target->segment_count == 0 && target->path.bytes == 1));
    check_text(target->path);
}

static void
put_escaped(char **out, struct pb_str text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        *(*out)++ = '%';
        *(*out)++ = hex[byte >> 4];
        *(*out)++ = hex[byte & 15];
    }
}

static void
check_escaped_again(struct pb_arena *arena, const struct pb_target *target, size_t size)
{
    char *text = pb_arena_alloc(arena, size * 3 + 16), *out = text;
    struct pb_target again;

    require(text != NULL);
    *out++ = '/';
    for (uint32_t i = 0; i < target->segment_count; i++) {
        if (i > 0)
            *out++ = '/';
        put_escaped(&out, target->segments[i]);
    }
    for (uint32_t i = 0; i < target->query_count; i++) {
        *out++ = i == 0 ? '?' : '&';
        put_escaped(&out, target->query[i].name);
        *out++ = '=';
        put_escaped(&out, target->query[i].value);
    }
    require(pb_target_parse(arena, (struct pb_str){ text, (uint32_t)(out - text) }, &again)
            == PB_OK);
    require(pb_str_equal(again.path, target->path));
    require(again.query_count == target->query_count);
    for (uint32_t i = 0; i < again.query_count; i++) {
        require(pb_str_equal(again.query[i].name, target->query[i].name));
        require(pb_str_equal(again.query[i].value, target->query[i].value));
        check_text(again.query[i].name);
        check_text(again.query[i].value);
    }
}

static void
check_route(struct pb_arena *arena, const struct pb_target *target)
{
    static const struct pb_route routes[] = {
        { .name = "tile", .path = "/audit/{log}/tile/{tile+}" },
        { .name = "checkpoint", .path = "/audit/{log}/checkpoint" },
        { .name = "docs", .path = "/docs" },
        { .name = "root", .path = "/" },
    };
    struct pb_router *router = NULL;
    struct pb_match match;
    unsigned allowed = 0;

    require(pb_router_new(pb_env_system(), routes, 4, &router, NULL) == PB_OK);
    if (pb_router_find(router, arena, PB_METHOD_GET, target, &match, &allowed) == PB_OK) {
        for (uint32_t i = 0; i < match.param_count; i++) {
            struct pb_str value = match.params[i].value;

            require(value.bytes > 0 && value.text > target->path.text
                    && value.text + value.bytes <= target->path.text + target->path.bytes);
        }
    }
    pb_router_free(router);
}

/* A name of a tile is made of few characters, and never climbs. */
static void
check_tile(struct pb_str text)
{
    if (!pb_api_tile_path_is_valid(text))
        return;
    require(text.bytes <= PB_TILE_PATH_BYTES_MAX);
    for (uint32_t i = 0; i < text.bytes; i++)
        require(strchr("0123456789x/.pentris", text.text[i]) != NULL);
    require(memmem(text.text, text.bytes, "..", 2) == NULL);
    require(memmem(text.text, text.bytes, "//", 2) == NULL);
    require(text.text[0] != '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str text = { (const char *)data, (uint32_t)size };
    struct pb_arena arena;
    struct pb_target target;

    if (size > 16384)
        return 0;
    check_tile(text);
    pb_arena_init(&arena, pb_env_system(), 1024);
    if (pb_target_parse(&arena, text, &target) == PB_OK) {
        check_segments(&target);
        check_escaped_again(&arena, &target, size);
        check_route(&arena, &target);
    }
    pb_arena_clear(&arena);
    return 0;
}
