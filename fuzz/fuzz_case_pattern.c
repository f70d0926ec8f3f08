/*
 * Patterns of case numbers: input is a pattern, a NUL, and a number. Neither may cost more than its
 * bounds: memory stays below some megabytes, and time below the fuzzer's patience.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "policy/policy_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    struct pb_str pattern, number;
    struct pb_arena arena;
    struct pb_error error;
    void *code = NULL;

    if (end == NULL || size > 4096)
        return 0;
    pattern = (struct pb_str){ (const char *)data, (uint32_t)(end - data) };
    number = (struct pb_str){ (const char *)end + 1, (uint32_t)(size - (size_t)(end - data) - 1) };
    pb_arena_init(&arena, pb_env_system(), 4096);
    if (pb_case_pattern_compile(&arena, pattern, &code, &error) == PB_OK &&
        pb_case_pattern_match(&arena, code, number) == PB_E_NOMEM)
        abort();
    if (arena.total_bytes > (size_t)8 << 20)
        abort();
    pb_arena_clear(&arena);
    return 0;
}
