/*
 * The index of JSON has its memory from C++'s own allocator, which fails here: its functions may be
 * replaced by any program, and are by those below. Their names are those of 64-bit systems.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"
#include "support/fault_env.h"

/* ---- C++'s allocator ---- */

static size_t allocation_count, fail_allocation_at, live_count;

void *new_object(size_t bytes) __asm__("_Znwm");
void *new_array(size_t bytes) __asm__("_Znam");
void *new_object_or_null(size_t bytes, const void *nothrow) __asm__("_ZnwmRKSt9nothrow_t");
void *new_array_or_null(size_t bytes, const void *nothrow) __asm__("_ZnamRKSt9nothrow_t");
void delete_object(void *memory) __asm__("_ZdlPv");
void delete_array(void *memory) __asm__("_ZdaPv");
void delete_sized_object(void *memory, size_t bytes) __asm__("_ZdlPvm");
void delete_sized_array(void *memory, size_t bytes) __asm__("_ZdaPvm");

static void *
allocate(size_t bytes)
{
    void *memory = NULL;

    allocation_count++;
    if (allocation_count != fail_allocation_at)
        memory = malloc(bytes > 0 ? bytes : 1);
    live_count += memory != NULL;
    return memory;
}

static void
release(void *memory)
{
    live_count -= memory != NULL;
    free(memory);
}

/* These two may not give NULL, so that they never fail here. */
void *
new_object(size_t bytes)
{
    live_count++;
    return malloc(bytes > 0 ? bytes : 1);
}

void *
new_array(size_t bytes)
{
    return new_object(bytes);
}

void *
new_object_or_null(size_t bytes, const void *nothrow)
{
    (void)nothrow;
    return allocate(bytes);
}

void *
new_array_or_null(size_t bytes, const void *nothrow)
{
    (void)nothrow;
    return allocate(bytes);
}

void
delete_object(void *memory)
{
    release(memory);
}

void
delete_array(void *memory)
{
    release(memory);
}

void
delete_sized_object(void *memory, size_t bytes)
{
    (void)bytes;
    release(memory);
}

void
delete_sized_array(void *memory, size_t bytes)
{
    (void)bytes;
    release(memory);
}

/* ---- the tests ---- */

#define LONG_BYTES ((size_t)300000) /* more than is reserved at first */

/* Judges a short text and a long one; fails the allocation that was asked for, and then no more. */
static enum pb_status
judge_both(const struct pb_env *env, const uint8_t *text)
{
    struct pb_json *json = pb_json_new(env);
    const char *reason;
    enum pb_status status;

    if (json == NULL)
        return PB_E_NOMEM;
    status = pb_json_check(json, text, 2, &reason);
    if (status == PB_OK)
        status = pb_json_check(json, text, LONG_BYTES, &reason);
    if (status == PB_E_NOMEM) {
        assert_int_equal(PB_OK, pb_json_check(json, text, 2, &reason));
        assert_int_equal(PB_OK, pb_json_check(json, text, LONG_BYTES, &reason));
    }
    pb_json_free(json);
    return status;
}

static void
what_the_index_has_no_memory_for_is_told_and_works_when_there_is_some(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint8_t *text = malloc(LONG_BYTES);
    struct fault_env fault;
    size_t live_before;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', LONG_BYTES);
    memcpy(text, "[]", 2);
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OK, judge_both(&fault.env, text));
    live_before = live_count; /* what the library keeps from its first use on */
    for (fail_allocation_at = 1; status != PB_OK; fail_allocation_at++) {
        allocation_count = 0;
        status = judge_both(&fault.env, text);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_int_equal(live_before, live_count);
        assert_true(fault_env_is_clean(&fault));
    }
    /* The index itself, what it keeps for a text, and both again for a longer one. */
    assert_in_range(fail_allocation_at, 5, 50);
    fail_allocation_at = 0;
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_index_has_no_memory_for_is_told_and_works_when_there_is_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
