/*
 * Patterns of case numbers: PCRE2, with bounds on what a pattern may cost.
 *
 * All of its memory is an arena's, so that nothing needs to be freed, and a decision stays pure.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "policy/policy_private.h"

#define PATTERN_BYTES_MAX 512u
#define MATCH_STEPS_MAX 20000u
#define MATCH_DEPTH_MAX 250u
#define MATCH_HEAP_KIB_MAX 1024u

static void *
take_memory(size_t bytes, void *arena)
{
    return pb_arena_alloc(arena, bytes);
}

static void
leave_memory(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static enum pb_status
describe(int code, struct pb_error *error)
{
    PCRE2_UCHAR text[128] = { 0 };

    if (code == PCRE2_ERROR_HEAP_FAILED)
        return PB_E_NOMEM;
    (void)pcre2_get_error_message(code, text, sizeof(text));
    return pb_fail(error, PB_BAD_INPUT, "not a pattern: %s", (const char *)text);
}

enum pb_status
pb_case_pattern_compile(struct pb_arena *arena, struct pb_str pattern, void **ret_code,
                        struct pb_error *error)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, leave_memory, arena);
    pcre2_compile_context *context;
    PCRE2_SIZE offset;
    pcre2_code *code;
    int number = 0;

    if (pattern.bytes > PATTERN_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a pattern of more than %u bytes", PATTERN_BYTES_MAX);
    context = general == NULL ? NULL : pcre2_compile_context_create(general);
    if (context == NULL)
        return PB_E_NOMEM;
    code = pcre2_compile((PCRE2_SPTR)pattern.text, pattern.bytes,
                         PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C |
                             PCRE2_NO_AUTO_CAPTURE,
                         &number, &offset, context);
    if (code == NULL)
        return describe(number, error);
    *ret_code = code;
    return PB_OK;
}

enum pb_status
pb_case_pattern_match(struct pb_arena *arena, const void *code, struct pb_str text)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, leave_memory, arena);
    pcre2_match_context *context;
    pcre2_match_data *data;
    int result;

    context = general == NULL ? NULL : pcre2_match_context_create(general);
    data = context == NULL ? NULL : pcre2_match_data_create(1, general);
    if (data == NULL)
        return PB_E_NOMEM;
    (void)pcre2_set_match_limit(context, MATCH_STEPS_MAX);
    (void)pcre2_set_depth_limit(context, MATCH_DEPTH_MAX);
    (void)pcre2_set_heap_limit(context, MATCH_HEAP_KIB_MAX);
    result = pcre2_match(code, (PCRE2_SPTR)text.text, text.bytes, 0, 0, data, context);
    if (result == PCRE2_ERROR_NOMEMORY)
        return PB_E_NOMEM;
    return result >= 0 ? PB_OK : PB_NOT_FOUND;
}
