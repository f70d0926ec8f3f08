/*
 * Audit logs as others use them: create, append, publish, read, prove, verify.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_room.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

struct room {
    struct sim_fs *fs;
    struct pb_env env;
    struct pb_audit *audit;
    int64_t now_us;
    char vkey[512];
};

static int64_t
room_now_us(void *context)
{
    return ((struct room *)context)->now_us;
}

static void
must(enum pb_status status, const struct pb_error *error)
{
    if (status != PB_OK)
        fail_msg("%s: %s", pb_status_name(status), error->message);
}

static void
open_room(struct room *room)
{
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };

    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
}

static void
close_room(struct room *room)
{
    struct pb_error error = { .message = "" };

    must(pb_audit_close(room->audit, &error), &error);
    room->audit = NULL;
}

static void
reopen(struct room *room)
{
    close_room(room);
    open_room(room);
}

static bool
note_vkey(void *context, const struct pb_audit_log_info *info)
{
    struct room *room = context;

    if (strcmp(info->id, "a42") == 0)
        (void)snprintf(room->vkey, sizeof(room->vkey), "%s", info->vkey);
    return true;
}

static int
make_room(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    struct pb_error error = { .message = "" };

    room->fs = sim_fs_new();
    room->env = sim_fs_env(room->fs);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    room->now_us = INT64_C(1767225600) * 1000000;
    must(room->env.files->mkdir(room->env.file_context, "data", &error), &error);
    must(pb_audit_create(&room->env, ROOM_PATH, ROOM_KEYS, &error), &error);
    open_room(room);
    must(pb_audit_log_add(room->audit, "a42", "logs.example/agency/a42", &error), &error);
    must(pb_audit_log_add(room->audit, PB_AUDIT_OPERATOR, NULL, &error), &error);
    must(pb_audit_each_log(room->audit, note_vkey, room, &error), &error);
    *state = room;
    return 0;
}

static int
drop_room(void **state)
{
    struct room *room = *state;

    if (room->audit != NULL)
        close_room(room);
    sim_fs_free(room->fs);
    free(room);
    return 0;
}

static void
append_many(struct room *room, uint32_t first, uint32_t count)
{
    struct pb_error error = { .message = "" };

    for (uint32_t i = first; i < first + count; i++) {
        uint64_t index = UINT64_MAX;

        room->now_us += 1000;
        must(room_append(room->audit, "a42", i, &index, &error), &error);
        assert_int_equal(i, index);
    }
}

static void
tell_wrong(void *context, const char *file, const char *what)
{
    (void)context;
    print_error("%s: %s\n", file, what);
}

static void
assert_verifies(struct room *room, uint64_t size)
{
    struct pb_audit_check check;
    struct pb_error error = { .message = "" };

    must(pb_audit_verify_log(&room->env, ROOM_PATH "/public/a42", room->vkey, NULL, tell_wrong,
                             NULL, &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    assert_int_equal(size, check.size);
    assert_int_equal(size, check.leaves);
}

struct seen {
    uint64_t next;
    uint64_t count;
};

static bool
check_entry(void *context, const struct pb_audit_entry *entry)
{
    struct seen *seen = context;
    struct room_leaf expected;

    assert_int_equal(seen->next, entry->index);
    room_leaf_init(&expected, "a42", (uint32_t)entry->index);
    assert_string_equal("query", entry->event);
    assert_int_equal(ROOM_SECRETS, entry->secret_count);
    for (uint32_t i = 0; i < ROOM_SECRETS; i++) {
        assert_string_equal(expected.secrets[i].name, entry->secrets[i].name);
        assert_false(entry->secrets[i].is_destroyed);
        assert_true(pb_str_equal(expected.secrets[i].value, entry->secrets[i].value));
    }
    seen->next++;
    seen->count++;
    return true;
}

static void
assert_reads(struct room *room, uint64_t size)
{
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    struct seen seen = { .next = 0 };

    must(pb_audit_read(room->audit, &filter, check_entry, &seen, &error), &error);
    assert_int_equal(size, seen.count);
}

/* ---- */

static void
what_is_appended_is_read_back_and_verifies(void **state)
{
    static const uint32_t sizes[] = { 1, 2, 255, 256, 257, 511, 600, 1300 };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint32_t size = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        append_many(room, size, sizes[i] - size);
        size = sizes[i];
        assert_reads(room, size);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
        assert_verifies(room, size);
        assert_reads(room, size);
        reopen(room);
        assert_reads(room, size);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
        assert_verifies(room, size);
    }
}

static void
a_proof_proves_its_leaf_and_nothing_else(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 300);
    for (uint64_t index = 0; index < 300; index += 37) {
        for (int with_openings = 0; with_openings < 2; with_openings++) {
            char *text = NULL;
            struct pb_str proof;

            must(pb_audit_prove(room->audit, "a42", index, with_openings == 1, &text, &error),
                 &error);
            proof = pb_str_from(text);
            must(pb_audit_verify_proof(&room->env, proof, room->vkey, &error), &error);
            pb_free(&room->env, text);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_appended_is_read_back_and_verifies, make_room,
                                        drop_room),
        cmocka_unit_test_setup_teardown(a_proof_proves_its_leaf_and_nothing_else, make_room,
                                        drop_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
