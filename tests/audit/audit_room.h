/*
 * Audit room: what tests of src/audit share. A room is a directory of logs on some environment,
 * and leaves that are made of numbers.
 */
#ifndef PB_TESTS_AUDIT_ROOM_H
#define PB_TESTS_AUDIT_ROOM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/place.h"
#include "base/env.h"
#include "base/text.h"
#include "support/sim_fs.h"

#define ROOM_PATH "data/audit"
#define ROOM_KEYS "data/keys"
#define ROOM_SECRETS 3u

/* A leaf that says its number, and hides a plate, a case and a reason. */
struct room_leaf {
    char plate[16], case_number[16], reason[64];
    struct pb_audit_field fields[2];
    struct pb_audit_secret secrets[ROOM_SECRETS];
    struct pb_audit_leaf leaf;
};

static inline void
room_leaf_init(struct room_leaf *leaf, const char *log, uint32_t number)
{
    (void)snprintf(leaf->plate, sizeof(leaf->plate), "SYN%04u", number % 10000);
    (void)snprintf(leaf->case_number, sizeof(leaf->case_number), "24-%05u", number % 100000);
    (void)snprintf(leaf->reason, sizeof(leaf->reason), "reason number %u", number);
    leaf->fields[0] = (struct pb_audit_field){ .name = "purpose",
                                               .kind = PB_AUDIT_FIELD_TEXT,
                                               .text = pb_str_from("stolen-vehicle") };
    leaf->fields[1] =
        (struct pb_audit_field){ .name = "n", .kind = PB_AUDIT_FIELD_NUMBER, .number = number };
    leaf->secrets[0] = (struct pb_audit_secret){ "plate", pb_str_from(leaf->plate) };
    leaf->secrets[1] = (struct pb_audit_secret){ "case", pb_str_from(leaf->case_number) };
    leaf->secrets[2] = (struct pb_audit_secret){ "reason", pb_str_from(leaf->reason) };
    leaf->leaf = (struct pb_audit_leaf){ .log = log,
                                         .event = "query",
                                         .fields = leaf->fields,
                                         .field_count = 2,
                                         .secrets = leaf->secrets,
                                         .secret_count = ROOM_SECRETS,
                                         .keep_openings_us = INT64_C(86400000000) * 400 };
}

static inline enum pb_status
room_append(struct pb_audit *audit, const char *log, uint32_t number, uint64_t *ret_index,
            struct pb_error *error)
{
    struct room_leaf leaf;

    room_leaf_init(&leaf, log, number);
    return pb_audit_append(audit, &leaf.leaf, 1, ret_index, error);
}

/* ---- a room on a simulated disk, whose clock the test drives ---- */

struct room {
    struct sim_fs *fs;
    struct pb_env env;
    struct pb_audit *audit;
    int64_t now_us;
    char vkey[512];
};

static inline int64_t
room_now_us(void *context)
{
    return ((struct room *)context)->now_us;
}

static inline void
must(enum pb_status status, const struct pb_error *error)
{
    if (status != PB_OK)
        fail_msg("%s: %s", pb_status_name(status), error->message);
}

static inline void
open_room(struct room *room)
{
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };

    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
}

static inline void
close_room(struct room *room)
{
    struct pb_error error = { .message = "" };

    must(pb_audit_close(room->audit, &error), &error);
    room->audit = NULL;
}

static inline void
reopen(struct room *room)
{
    close_room(room);
    open_room(room);
}

/* Any file of a directory, as it is or as somebody wants it. */
static inline void
put_file(struct room *room, const char *directory, const char *name, const void *bytes,
         size_t count)
{
    struct pb_place place;
    struct pb_error error = { .message = "" };

    must(pb_place_init(&place, &room->env, directory, &error), &error);
    must(pb_place_write(&place, pb_str_from(name), 0, bytes, count, &error), &error);
    pb_place_done(&place);
}

static inline uint8_t *
get_file(struct room *room, const char *directory, const char *name, size_t *ret_count)
{
    struct pb_place place;
    struct pb_error error = { .message = "" };
    static uint8_t *bytes; /* GCC 12 takes a pointer in here for one to here, were it not static */

    bytes = NULL;
    must(pb_place_init(&place, &room->env, directory, &error), &error);
    must(pb_place_read(&place, pb_str_from(name), 1 << 20, &bytes, ret_count, &error), &error);
    pb_place_done(&place);
    return bytes;
}

static inline bool
note_vkey(void *context, const struct pb_audit_log_info *info)
{
    struct room *room = context;

    if (strcmp(info->id, "a42") == 0)
        (void)snprintf(room->vkey, sizeof(room->vkey), "%s", info->vkey);
    return true;
}

static inline int
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

static inline int
drop_room(void **state)
{
    struct room *room = *state;

    if (room->audit != NULL)
        close_room(room);
    sim_fs_free(room->fs);
    free(room);
    return 0;
}

static inline void
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

static inline void
tell_wrong(void *context, const char *file, const char *what)
{
    (void)context;
    print_error("%s: %s\n", file, what);
}

static inline void
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

static inline bool
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

static inline void
assert_reads(struct room *room, uint64_t size)
{
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    struct seen seen = { .next = 0 };

    must(pb_audit_read(room->audit, &filter, check_entry, &seen, &error), &error);
    assert_int_equal(size, seen.count);
}

#endif
