/*
 * YAML: whatever the bytes are, there is a bounded tree of valid text, or a reason with a line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static void
check_scalar(const struct pb_yaml *node)
{
    check(node->kind == PB_YAML_SCALAR);
    check(node->text.text != NULL && strlen(node->text.text) == node->text.bytes);
    check(pb_utf8_is_valid(node->text.text, node->text.bytes));
}

static void
check_tree(const struct pb_yaml *node, unsigned depth, uint32_t line_max)
{
    check(depth <= PB_YAML_DEPTH_MAX && node->line >= 1 && node->line <= line_max);
    if (node->kind == PB_YAML_SCALAR) {
        check_scalar(node);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        check_tree(&node->items[i], depth + 1, line_max);
        if (node->kind == PB_YAML_MAP) {
            check_scalar(&node->keys[i]);
            check(pb_yaml_get(node, node->keys[i].text.text) == &node->items[i]);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str text = { .text = (const char *)data, .bytes = (uint32_t)size };
    const struct pb_yaml *root = NULL;
    struct pb_error error = { .message = "" };
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 4096);
    status = pb_yaml_parse(&arena, text, &root, &error);
    check((status == PB_OK) == (root != NULL));
    if (status == PB_OK) {
        check_tree(root, 0, (uint32_t)size + 2);
    } else {
        check(status == PB_BAD_INPUT || status == PB_OVER_LIMIT);
        check(strncmp(error.message, "line ", 5) == 0);
    }
    pb_arena_clear(&arena);
    return 0;
}
