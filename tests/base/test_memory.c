/* Memory and arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "support/fault_env.h"

static void
fill(unsigned char *bytes, size_t count, unsigned char first)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(first + i);
}

static bool
is_filled(const unsigned char *bytes, size_t count, unsigned char first)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != (unsigned char)(first + i))
            return false;
    }
    return true;
}

/* ---- blocks ---- */

static void
blocks_are_aligned_and_keep_their_bytes(void **state)
{
    struct fault_env fault;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    for (size_t bytes = 0; bytes < 200; bytes++) {
        unsigned char *block = pb_alloc(&fault.env, bytes);

        assert_non_null(block);
        assert_int_equal(0, (uintptr_t)block % 16);
        fill(block, bytes, 3);
        block = pb_realloc(&fault.env, block, bytes * 3 + 1);
        assert_non_null(block);
        assert_true(is_filled(block, bytes, 3));
        block = pb_realloc(&fault.env, block, bytes / 2);
        assert_non_null(block);
        assert_true(is_filled(block, bytes / 2, 3));
        pb_free(&fault.env, block);
    }
    assert_true(fault_env_is_clean(&fault));
}

/* The environment must be told the size that it was asked for before. */
struct strict_memory {
    size_t sizes[8];
    void *blocks[8];
};

static void *
strict_resize(void *context, void *memory, size_t old_bytes, size_t bytes)
{
    const struct pb_env *system = pb_env_system();
    struct strict_memory *strict = context;
    size_t index = 0;
    void *result;

    while (index < 8 && strict->blocks[index] != memory)
        index++;
    assert_true(index < 8);
    assert_int_equal(memory == NULL ? 0 : strict->sizes[index], old_bytes);
    result = system->resize(system->memory_context, memory, old_bytes, bytes);
    strict->blocks[index] = result;
    strict->sizes[index] = bytes;
    return result;
}

static void *
strict_zeroed(void *context, size_t bytes)
{
    void *result = strict_resize(context, NULL, 0, bytes);

    memset(result, 0, bytes);
    return result;
}

static void
resize_is_told_the_old_size(void **state)
{
    struct strict_memory strict = { { 0 }, { 0 } };
    struct pb_env env = *pb_env_system();
    void *first, *second;

    (void)state;
    env.resize = strict_resize;
    env.zeroed = strict_zeroed;
    env.memory_context = &strict;
    first = pb_alloc(&env, 10);
    second = pb_calloc(&env, 3, 7);
    first = pb_realloc(&env, first, 1000);
    second = pb_realloc(&env, second, 1);
    pb_free(&env, first);
    pb_free(&env, second);
    pb_free(&env, NULL);
    for (size_t i = 0; i < 8; i++)
        assert_null(strict.blocks[i]);
}

static void
impossible_sizes_are_refused(void **state)
{
    const struct pb_env *env = pb_env_system();
    /* Not constants, so that compilers do not warn of what is meant. */
    volatile size_t huge = SIZE_MAX;
    void *block;

    (void)state;
    assert_null(pb_alloc(env, huge));
    assert_null(pb_alloc(env, huge - 15));
    assert_null(pb_alloc(env, huge / 2));
    assert_null(pb_calloc(env, huge / 2, 3));
    assert_null(pb_calloc(env, 3, huge / 2));
    block = pb_calloc(env, huge, 0);
    assert_non_null(block);
    pb_free(env, block);
}

static void
calloc_gives_zeros(void **state)
{
    struct fault_env fault; /* fills new memory with something else */
    unsigned char *block;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    block = pb_calloc(&fault.env, 33, 3);
    assert_non_null(block);
    for (size_t i = 0; i < 99; i++)
        assert_int_equal(0, block[i]);
    pb_free(&fault.env, block);
}

static void
a_failed_realloc_leaves_the_block_alone(void **state)
{
    struct fault_env fault;
    unsigned char *block;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    block = pb_alloc(&fault.env, 50);
    assert_non_null(block);
    fill(block, 50, 9);
    fault.fail_allocation_at = 2;
    assert_null(pb_realloc(&fault.env, block, 500));
    assert_true(is_filled(block, 50, 9));
    pb_free(&fault.env, block);
    assert_true(fault_env_is_clean(&fault));
}

/* ---- arenas ---- */

static void
arena_blocks_are_aligned_and_apart(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    unsigned char *blocks[300];

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 64);
    for (size_t i = 0; i < 300; i++) {
        size_t bytes = i * 7 % 1000;

        blocks[i] = pb_arena_alloc(&arena, bytes);
        assert_non_null(blocks[i]);
        assert_int_equal(0, (uintptr_t)blocks[i] % 8);
        fill(blocks[i], bytes, (unsigned char)i);
    }
    for (size_t i = 0; i < 300; i++)
        assert_true(is_filled(blocks[i], i * 7 % 1000, (unsigned char)i));
    assert_true(arena.total_bytes >= atomic_load(&fault.live_bytes) - 16 * 300);
    pb_arena_clear(&arena);
    assert_int_equal(0, arena.total_bytes);
    assert_true(fault_env_is_clean(&fault));
}

static void
arena_takes_few_chunks_for_many_blocks(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 4096);
    for (size_t i = 0; i < 100000; i++)
        assert_non_null(pb_arena_alloc(&arena, 40));
    assert_in_range(atomic_load(&fault.allocation_count), 2, 13);
    pb_arena_clear(&arena);
}

static void
a_large_block_leaves_the_small_chunk_in_use(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    char *before, *after;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 4096);
    before = pb_arena_alloc(&arena, 8);
    assert_non_null(pb_arena_alloc(&arena, 1000000));
    after = pb_arena_alloc(&arena, 8);
    assert_ptr_equal(before + 8, after);
    assert_int_equal(2, atomic_load(&fault.allocation_count));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

static void
a_large_block_may_be_the_first(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    char *large;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 4096);
    large = pb_arena_alloc(&arena, 1000000);
    assert_non_null(large);
    memset(large, 'x', 1000000);
    assert_non_null(pb_arena_alloc(&arena, 8));
    assert_int_equal(2, atomic_load(&fault.allocation_count));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

static void
a_reset_arena_asks_for_no_more_memory(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    uint64_t count;
    void *first;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 1024);
    pb_arena_reset(&arena);
    for (unsigned round = 0; round < 20; round++) {
        pb_arena_reset(&arena);
        for (unsigned i = 0; i < 100; i++)
            assert_non_null(pb_arena_alloc(&arena, 100));
    }
    count = atomic_load(&fault.allocation_count);
    pb_arena_reset(&arena);
    first = pb_arena_alloc(&arena, 1);
    pb_arena_reset(&arena);
    assert_ptr_equal(first, pb_arena_alloc(&arena, 1));
    pb_arena_reset(&arena);
    for (unsigned i = 0; i < 100; i++)
        assert_non_null(pb_arena_alloc(&arena, 100));
    assert_int_equal(count, atomic_load(&fault.allocation_count));
    assert_int_equal(1, atomic_load(&fault.live_count));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));

    /* And may be used again. */
    assert_non_null(pb_arena_alloc(&arena, 1));
    pb_arena_clear(&arena);
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

static void
arena_copies_texts(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    struct pb_str copy = { NULL, 77 };
    char text[] = "BPX 123";

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 1024);
    assert_int_equal(PB_OK, pb_arena_copy(&arena, (struct pb_str){ NULL, 0 }, &copy));
    assert_int_equal(0, copy.bytes);
    assert_int_equal(0, atomic_load(&fault.allocation_count));

    assert_int_equal(PB_OK, pb_arena_copy(&arena, (struct pb_str){ text, 7 }, &copy));
    text[0] = 'x';
    assert_int_equal(7, copy.bytes);
    assert_memory_equal("BPX 123", copy.text, 7);

    fault.fail_allocation_at = atomic_load(&fault.allocation_count) + 1;
    pb_arena_clear(&arena);
    assert_int_equal(PB_E_NOMEM, pb_arena_copy(&arena, (struct pb_str){ text, 6 }, &copy));
    assert_int_equal(7, copy.bytes);
    assert_null(pb_arena_alloc(&arena, SIZE_MAX - 3));
    assert_null(pb_arena_alloc(&arena, PTRDIFF_MAX));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

static void
arena_ends_texts_with_a_nul(void **state)
{
    struct fault_env fault;
    struct pb_arena arena;
    const char *copy;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    pb_arena_init(&arena, &fault.env, 1024);
    copy = pb_arena_text(&arena, (struct pb_str){ "BPX 123", 3 });
    assert_non_null(copy);
    assert_string_equal("BPX", copy);
    copy = pb_arena_text(&arena, (struct pb_str){ NULL, 0 });
    assert_non_null(copy);
    assert_string_equal("", copy);
    fault.fail_allocation_at = atomic_load(&fault.allocation_count) + 1;
    pb_arena_clear(&arena);
    assert_null(pb_arena_text(&arena, (struct pb_str){ "BPX", 3 }));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_keep_their_bytes),
        cmocka_unit_test(resize_is_told_the_old_size),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(calloc_gives_zeros),
        cmocka_unit_test(a_failed_realloc_leaves_the_block_alone),
        cmocka_unit_test(arena_blocks_are_aligned_and_apart),
        cmocka_unit_test(arena_takes_few_chunks_for_many_blocks),
        cmocka_unit_test(a_large_block_leaves_the_small_chunk_in_use),
        cmocka_unit_test(a_large_block_may_be_the_first),
        cmocka_unit_test(a_reset_arena_asks_for_no_more_memory),
        cmocka_unit_test(arena_copies_texts),
        cmocka_unit_test(arena_ends_texts_with_a_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
