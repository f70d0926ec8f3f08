/*
 * Router: shapes sorted by number of segments, then segment by segment, literals first.
 */
#include "net/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/head.h"
#include "net/target.h"

struct segment {
    struct pb_str text; /* of a parameter: its name */
    bool is_param, is_rest;
};

struct shape {
    const struct pb_route *route;
    uint32_t route_index;
    const struct segment *segments; /* in the arena */
    uint32_t segment_count;
    uint32_t param_count;
};

struct pb_router {
    const struct pb_env *env; /* borrowed */
    struct pb_arena arena;
    struct shape *shapes; /* in the arena: sorted by compare_shapes */
    uint32_t shape_count;
};

static bool
is_name(struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (!(text.text[i] >= 'a' && text.text[i] <= 'z') && text.text[i] != '_')
            return false;
    }
    return text.bytes > 0;
}

/* One segment of a route's path. */
static bool
parse_segment(struct pb_str text, struct segment *ret_segment)
{
    struct segment segment = { .text = text };

    if (text.bytes > 0 && text.text[0] == '{') {
        if (text.text[text.bytes - 1] != '}')
            return false;
        segment.is_param = true;
        segment.text = (struct pb_str){ text.text + 1, text.bytes - 2 };
        if (segment.text.bytes > 0 && segment.text.text[segment.text.bytes - 1] == '+') {
            segment.is_rest = true;
            segment.text.bytes--;
        }
        if (!is_name(segment.text))
            return false;
    } else if (text.bytes == 0 || memchr(text.text, '{', text.bytes) != NULL) {
        return false;
    }
    *ret_segment = segment;
    return true;
}

static enum pb_status
parse_shape(struct pb_router *router, const struct pb_route *route, struct shape *shape)
{
    struct segment *segments =
        pb_arena_alloc(&router->arena, PB_NET_SEGMENTS_MAX * sizeof(*segments));
    const char *at = route->path;

    if (segments == NULL)
        return PB_E_NOMEM;
    shape->segments = segments;
    if (at[0] != '/')
        return PB_BAD_INPUT;
    if (at[1] == '\0')
        return PB_OK;
    while (*at == '/') {
        const char *end = strchr(at + 1, '/');
        size_t bytes = end != NULL ? (size_t)(end - at - 1) : strlen(at + 1);
        struct segment *segment = &segments[shape->segment_count];

        if (shape->segment_count == PB_NET_SEGMENTS_MAX ||
            !parse_segment((struct pb_str){ at + 1, (uint32_t)bytes }, segment) ||
            (segment->is_rest && end != NULL))
            return PB_BAD_INPUT;
        shape->segment_count++;
        shape->param_count += segment->is_param;
        at += 1 + bytes;
    }
    return PB_OK;
}

static int
compare_segments(const struct segment *a, const struct segment *b)
{
    if (a->is_rest != b->is_rest)
        return a->is_rest ? 1 : -1;
    if (a->is_param != b->is_param)
        return a->is_param ? 1 : -1;
    return a->is_param ? 0 : pb_str_compare(a->text, b->text);
}

/* Literals before parameters, parameters before a rest: the first that fits is the right one. */
static int
compare_paths(const struct shape *a, const struct shape *b)
{
    for (uint32_t i = 0; i < a->segment_count && i < b->segment_count; i++) {
        int order = compare_segments(&a->segments[i], &b->segments[i]);

        if (order != 0)
            return order;
    }
    return a->segment_count < b->segment_count ? -1 : a->segment_count > b->segment_count;
}

static int
compare_shapes(const void *left, const void *right)
{
    const struct shape *a = left, *b = right;
    int order = compare_paths(a, b);

    return order != 0 ? order : (int)a->route->method - (int)b->route->method;
}

static enum pb_status
fill(struct pb_router *router, const struct pb_route *routes, uint32_t count,
     struct pb_error *error)
{
    router->shapes = pb_arena_alloc(&router->arena, count * sizeof(*router->shapes));
    if (router->shapes == NULL)
        return PB_E_NOMEM;
    router->shape_count = count;
    for (uint32_t i = 0; i < count; i++) {
        enum pb_status status;

        router->shapes[i] = (struct shape){ .route = &routes[i], .route_index = i };
        status = parse_shape(router, &routes[i], &router->shapes[i]);
        if (status != PB_OK)
            return pb_fail(error, status, "route %s: no such path can be: %s", routes[i].name,
                           routes[i].path);
    }
    qsort(router->shapes, count, sizeof(*router->shapes), compare_shapes);
    for (uint32_t i = 1; i < count; i++) {
        if (compare_shapes(&router->shapes[i - 1], &router->shapes[i]) == 0)
            return pb_fail(error, PB_BAD_INPUT, "routes %s and %s are the same",
                           router->shapes[i - 1].route->name, router->shapes[i].route->name);
    }
    return PB_OK;
}

enum pb_status
pb_router_new(const struct pb_env *env, const struct pb_route *routes, uint32_t count,
              struct pb_router **ret_router, struct pb_error *error)
{
    struct pb_router *router;
    enum pb_status status;

    assert(env != NULL && ret_router != NULL && count <= PB_NET_ROUTES_MAX);
    router = pb_calloc(env, 1, sizeof(*router));
    if (router == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the route table");
    router->env = env;
    pb_arena_init(&router->arena, env, 4096);
    status = fill(router, routes, count, error);
    if (status != PB_OK)
        goto out;
    *ret_router = router;
    router = NULL;

out:
    pb_router_free(router);
    return status;
}

void
pb_router_free(struct pb_router *router)
{
    if (router == NULL)
        return;
    pb_arena_clear(&router->arena);
    pb_free(router->env, router);
}

/* ---- finding ---- */

static bool
fits(const struct shape *shape, const struct pb_target *target)
{
    for (uint32_t i = 0; i < shape->segment_count; i++) {
        const struct segment *segment = &shape->segments[i];

        if (i == target->segment_count || target->segments[i].bytes == 0)
            return false;
        if (segment->is_rest)
            return true;
        if (!segment->is_param && !pb_str_equal(segment->text, target->segments[i]))
            return false;
    }
    return shape->segment_count == target->segment_count;
}

/* From a segment to the end of the path. */
static struct pb_str
rest_of(const struct pb_target *target, uint32_t index)
{
    const char *start = target->segments[index].text;

    return (struct pb_str){ start, (uint32_t)(target->path.text + target->path.bytes - start) };
}

static enum pb_status
fill_match(const struct shape *shape, struct pb_arena *arena, const struct pb_target *target,
           struct pb_match *ret_match)
{
    struct pb_pair *params = pb_arena_alloc(arena, shape->param_count * sizeof(*params));
    uint32_t count = 0;

    if (params == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < shape->segment_count; i++) {
        const struct segment *segment = &shape->segments[i];

        if (segment->is_param)
            params[count++] =
                (struct pb_pair){ segment->text,
                                  segment->is_rest ? rest_of(target, i) : target->segments[i] };
    }
    *ret_match = (struct pb_match){ shape->route, shape->route_index, params, count };
    return PB_OK;
}

/* The first shape that does not sort before the target's literals: halving on the first segment
 * is enough, for few routes share it. */
static uint32_t
first_candidate(const struct pb_router *router, const struct pb_target *target)
{
    uint32_t low = 0, high = router->shape_count;

    if (target->segment_count == 0)
        return 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct shape *shape = &router->shapes[middle];

        if (shape->segment_count == 0 ||
            (!shape->segments[0].is_param &&
             pb_str_compare(shape->segments[0].text, target->segments[0]) < 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum pb_status
pb_router_find(const struct pb_router *router, struct pb_arena *arena, enum pb_method method,
               const struct pb_target *target, struct pb_match *ret_match, unsigned *ret_allowed)
{
    const struct shape *found = NULL;
    unsigned allowed = 0;

    for (uint32_t i = first_candidate(router, target); i < router->shape_count; i++) {
        const struct shape *shape = &router->shapes[i];

        if (found != NULL && compare_paths(found, shape) != 0)
            break; /* another path that fits too, but less closely */
        if (!fits(shape, target))
            continue;
        found = shape;
        if (shape->route->method == method)
            return fill_match(shape, arena, target, ret_match);
        allowed |= 1u << shape->route->method;
    }
    *ret_allowed = allowed;
    return found != NULL ? PB_CONFLICT : PB_NOT_FOUND;
}
