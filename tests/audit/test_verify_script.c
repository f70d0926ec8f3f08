/*
 * scripts/verify-log, which shares no code with src/audit, accepts what src/audit wrote, at sizes
 * where tiles begin and end, and refuses what was changed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_room.h"
#include "audit/verify_script.h"

#define PUBLIC ROOM_PATH "/public/a42"
#define CHUNK 1000u

/* Leaves without secrets, many at a time. */
static void
grow_to(struct room *room, uint32_t *size, uint32_t target)
{
    static struct pb_audit_field fields[CHUNK];
    static struct pb_audit_leaf leaves[CHUNK];
    static uint64_t indices[CHUNK];
    struct pb_error error = { .message = "" };

    while (*size < target) {
        uint32_t count = target - *size < CHUNK ? target - *size : CHUNK;

        for (uint32_t i = 0; i < count; i++) {
            fields[i] = (struct pb_audit_field){ .name = "n",
                                                 .kind = PB_AUDIT_FIELD_NUMBER,
                                                 .number = *size + i };
            leaves[i] = (struct pb_audit_leaf){
                .log = "a42", .event = "query", .fields = &fields[i], .field_count = 1
            };
        }
        room->now_us += 1000;
        must(pb_audit_append(room->audit, leaves, count, indices, &error), &error);
        assert_int_equal(*size, indices[0]);
        *size += count;
    }
}

static void
assert_script(struct room *room, const char *directory, const char *old, int expected)
{
    char arguments[1024], output[4096];

    (void)snprintf(arguments, sizeof(arguments), "'%s' '%s'%s%s", directory, room->vkey,
                   old != NULL ? " --old " : "", old != NULL ? old : "");
    if (verify_script(arguments, output, sizeof(output)) != expected)
        fail_msg("verify-log %s: %s", arguments, output);
}

static void
it_accepts_logs_at_the_borders_of_tiles_and_refuses_changed_ones(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 2, 255, 256, 257, 511, 512, 769 };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char directory[] = "/tmp/pb-audit-XXXXXX", old[128], name[128];
    uint32_t size = 0;

    if (!has_python())
        skip();
    assert_non_null(mkdtemp(directory));
    (void)snprintf(old, sizeof(old), "%s.old", directory);
    (void)snprintf(name, sizeof(name), "%s/checkpoint", directory);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        grow_to(room, &size, sizes[i]);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
        if (i % 2 == 0)
            reopen(room);
        export_files(room, PUBLIC "/", directory);
        assert_verifies(room, size);
        assert_script(room, directory, i > 0 ? old : NULL, 0);
        assert_int_equal(0, rename(name, old));
    }
    /* The checkpoint of a larger log. */
    export_files(room, PUBLIC "/", directory);
    assert_true(sim_fs_flip_bit(room->fs, PUBLIC "/tile/entries/001", 12345));
    export_files(room, PUBLIC "/", directory);
    assert_script(room, directory, old, 1);
    assert_true(sim_fs_flip_bit(room->fs, PUBLIC "/tile/entries/001", 12345));
    assert_true(sim_fs_flip_bit(room->fs, PUBLIC "/tile/1/000.p/3", 77));
    export_files(room, PUBLIC "/", directory);
    assert_script(room, directory, NULL, 1);
    remove_directory(directory);
    assert_int_equal(0, remove(old));
}

static void
it_accepts_a_log_with_three_levels_of_tiles(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char directory[] = "/tmp/pb-audit-XXXXXX";
    uint32_t size = 0;

    if (!has_python())
        skip();
    assert_non_null(mkdtemp(directory));
    grow_to(room, &size, 65535);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, size);
    grow_to(room, &size, 65536 + 256 + 1);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, size);
    reopen(room);
    assert_verifies(room, size);
    export_files(room, PUBLIC "/", directory);
    assert_script(room, directory, NULL, 0);
    remove_directory(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            it_accepts_logs_at_the_borders_of_tiles_and_refuses_changed_ones, make_room, drop_room),
        cmocka_unit_test_setup_teardown(it_accepts_a_log_with_three_levels_of_tiles, make_room,
                                        drop_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
