/*
 * YAML: a small, bounded tree with line numbers, for configuration and rule packs.
 *
 * What people write by hand is accepted, what makes YAML dangerous or surprising is refused:
 * aliases and anchors, tags, more than one document, a key twice, keys that are not scalars,
 * nesting past PB_YAML_DEPTH_MAX, a NUL within a text. Every scalar is text; what it means is for
 * the caller to say ("no" is no boolean here). Built on libyaml (ADR 0006).
 *
 * libyaml takes its own memory, a small multiple of the longest scalar, from malloc and offers no
 * way to give it another allocator; everything else comes from the arena and its environment.
 *
 * Threads: a tree never changes.
 */
#ifndef PB_BASE_YAML_H
#define PB_BASE_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/limits.h"

struct pb_arena;

#define PB_YAML_DEPTH_MAX 16u
#define PB_YAML_NODES_MAX 4000000u
#define PB_YAML_KEYS_MAX 256u /* of one map */

enum pb_yaml_kind { PB_YAML_SCALAR, PB_YAML_LIST, PB_YAML_MAP };

struct pb_yaml {
    enum pb_yaml_kind kind;
    uint32_t line;               /* from 1 */
    struct pb_str text;          /* SCALAR: NUL-terminated too; empty for "", ~ and null */
    bool is_quoted;              /* SCALAR: "5" rather than 5 */
    uint32_t count;              /* LIST and MAP */
    const struct pb_yaml *items; /* LIST: count elements. MAP: values, in order */
    const struct pb_yaml *keys;  /* MAP: count scalars */
};

/*
 * Parses text (UTF-8) into arena. An empty document is an empty map.
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT   error names the line and what is wrong
 *          PB_OVER_LIMIT  more than PB_YAML_BYTES_MAX bytes, too deep, too many nodes, or too
 *                         many keys in a map
 *          PB_E_NOMEM     what was built so far stays in the arena
 */
PB_MUST_CHECK enum pb_status pb_yaml_parse(struct pb_arena *arena, struct pb_str text,
                                           const struct pb_yaml **ret_root, struct pb_error *error);
/* The value of a key, or NULL where map is no map or has no such key. */
const struct pb_yaml *pb_yaml_get(const struct pb_yaml *map, const char *key);

#endif
