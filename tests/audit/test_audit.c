/*
 * Audit logs as others use them: create, append, publish, read, prove, verify.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_room.h"

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
