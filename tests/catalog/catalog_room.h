/*
 * A catalog in a directory of its own, with a clock that the test drives. SQLite opens files
 * itself, so the directory is on the system's disk; memory is counted.
 */
#ifndef PB_TESTS_CATALOG_ROOM_H
#define PB_TESTS_CATALOG_ROOM_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "catalog/catalog.h"
#include "support/fault_env.h"

#define ROOM_NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define ROOM_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct catalog_room {
    char directory[256];
    char path[300]; /* of the catalog */
    struct fault_env fault;
    const struct pb_env *env;
    int64_t now_us;
    struct pb_catalog *catalog;
    struct pb_error error;
};

static inline int64_t
room_now_us(void *context)
{
    return *(const int64_t *)context;
}

/* Says what the catalog said before it fails. */
static inline void
room_expect(const struct catalog_room *room, enum pb_status expected, enum pb_status status,
            const char *what)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", what, pb_status_name(status), pb_status_name(expected),
                 room->error.message);
}

static inline void
room_open(struct catalog_room *room)
{
    room_expect(room, PB_OK,
                pb_catalog_open(room->env, room->path, false, &room->catalog, &room->error),
                "open");
}

static inline void
room_close(struct catalog_room *room)
{
    pb_catalog_close(room->catalog);
    room->catalog = NULL;
}

/* A directory and an environment; no catalog yet. */
static inline void
room_init(struct catalog_room *room)
{
    const char *temporary = getenv("TMPDIR");

    memset(room, 0, sizeof(*room));
    (void)snprintf(room->directory, sizeof(room->directory), "%s/pb-catalog-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(room->directory));
    (void)snprintf(room->path, sizeof(room->path), "%s/catalog.db", room->directory);
    room->now_us = ROOM_NOW_US;
    fault_env_init(&room->fault, pb_env_system());
    room->fault.env.now_us = room_now_us;
    room->fault.env.clock_context = &room->now_us;
    room->env = &room->fault.env;
}

static inline bool
room_remove_name(void *context, const char *name, bool is_directory)
{
    char path[600];

    (void)is_directory;
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    (void)unlink(path);
    return true;
}

static inline void
room_empty_directory(struct catalog_room *room)
{
    const struct pb_env *env = pb_env_system();

    assert_int_equal(PB_OK, env->files->list(env->file_context, room->directory, room_remove_name,
                                             room->directory, NULL));
}

static inline void
room_done(struct catalog_room *room)
{
    room_close(room);
    room_empty_directory(room);
    assert_int_equal(0, rmdir(room->directory));
    assert_true(fault_env_is_clean(&room->fault));
}

static inline int
room_setup(void **state)
{
    struct catalog_room *room = calloc(1, sizeof(*room));

    if (room == NULL)
        return -1;
    *state = room;
    room_init(room);
    room_expect(room, PB_OK, pb_catalog_create(room->env, room->path, &room->error), "create");
    room_open(room);
    return 0;
}

static inline int
room_teardown(void **state)
{
    struct catalog_room *room = *state;

    room_done(room);
    free(room);
    return 0;
}

/* ---- records: "field", "value" pairs, at most a record's, ended by NULL ---- */

static inline void
room_fill(struct pb_record *record, const char *const *pairs)
{
    for (; *pairs != NULL; pairs += 2) {
        unsigned i = 0;

        while (i < record->entity->field_count &&
               strcmp(record->entity->fields[i].name, pairs[0]) != 0)
            i++;
        if (i == record->entity->field_count)
            fail_msg("%s has no field %s", record->entity->name, pairs[0]);
        record->values[i] = pairs[1];
    }
}

static inline enum pb_status
room_try(struct catalog_room *room, enum pb_put_mode mode, const char *entity,
         const char *const *pairs)
{
    struct pb_record record = { .entity = pb_catalog_entity(entity) };

    assert_non_null(record.entity);
    room_fill(&record, pairs);
    room->error.message[0] = '\0';
    return pb_catalog_put(room->catalog, &record, mode, &room->error);
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static inline void
room_put(struct catalog_room *room, const char *entity, const char *const *pairs)
{
    room_expect(room, PB_OK, room_try(room, PB_PUT_ANY, entity, pairs), pairs[1]);
}

struct room_shown {
    const char *field;
    char text[20000];
    bool is_set;
};

static inline bool
room_keep_field(void *context, const struct pb_record *record)
{
    struct room_shown *shown = context;

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (strcmp(record->entity->fields[i].name, shown->field) != 0)
            continue;
        shown->is_set = record->values[i] != NULL;
        (void)snprintf(shown->text, sizeof(shown->text), "%s",
                       shown->is_set ? record->values[i] : "");
        return true;
    }
    fail_msg("no field %s", shown->field);
    return false;
}

/* expected NULL: not set. */
static inline void
room_expect_field(struct catalog_room *room, const char *entity, const char *id, const char *field,
                  const char *expected)
{
    static struct room_shown shown;

    shown.field = field;
    room_expect(room, PB_OK,
                pb_catalog_show(room->catalog, pb_catalog_entity(entity), id, room_keep_field,
                                &shown, &room->error),
                id);
    assert_int_equal(expected != NULL, shown.is_set);
    if (expected != NULL)
        assert_string_equal(expected, shown.text);
}

static inline bool
room_count_one(void *context, const struct pb_record *record)
{
    (void)record;
    ++*(unsigned *)context;
    return true;
}

static inline unsigned
room_count(struct catalog_room *room, const char *entity)
{
    unsigned count = 0;

    room_expect(room, PB_OK,
                pb_catalog_list(room->catalog, pb_catalog_entity(entity), room_count_one, &count,
                                &room->error),
                entity);
    return count;
}

/* At least one record of each entity, with every field of some. */
static inline void
room_furnish(struct catalog_room *room)
{
    room_put(room, "agency",
             PAIRS("id", "ks", "name", "Example County Sheriff", "class", "local", "jurisdiction",
                   "US-KS", "ori", "KS0000000", "contributes", "yes", "retention_days", "180",
                   "case_pattern", "[0-9]{4}-[0-9]+", "packs", "us-ks, pia-039", "reviewed_at",
                   "2025-12-01", "contact", "desk@example.org", "privacy_review", "PR-1"));
    room_put(room, "agency",
             PAIRS("id", "mo", "name", "Example Police", "class", "local", "jurisdiction", "US-MO",
                   "contributes", "yes"));
    room_put(room, "agency",
             PAIRS("id", "fed", "name", "Example Bureau", "class", "federal", "jurisdiction",
                   "US"));
    room_put(room, "person",
             PAIRS("id", "ks.boss", "agency", "ks", "name", "B. Example", "role", "supervisor",
                   "status", "active", "training_valid_until", "2027-01-01"));
    room_put(room, "person",
             PAIRS("id", "fed.agent", "agency", "fed", "name", "A. Example", "role", "investigator",
                   "status", "active", "permissions", "pattern,place", "training_valid_until",
                   "2026-06-30T12:00:00-05:00", "consent_sha256", ROOM_HASH, "consent_at",
                   "2026-01-01", "approved_by", "ks.boss", "contact", "+1 555 0100", "note",
                   "on loan"));
    room_put(room, "reader",
             PAIRS("id", "cam-1", "agency", "ks", "name", "North gate", "lat", "39.1", "lon",
                   "-94.6", "time_zone", "America/Chicago", "capture_state", "US-KS",
                   "heartbeat_at", "2026-01-01", "note", "pole 7"));
    room_put(room, "reader", PAIRS("id", "car 2", "agency", "ks", "kind", "mobile"));
    room_put(room, "reader",
             PAIRS("id", "cam-3", "agency", "mo", "capture_state", "US-MO", "status", "closed"));
    room_put(room, "offence",
             PAIRS("id", "ks-5801", "title", "Theft", "jurisdiction", "US-KS", "class", "felony",
                   "limitation_years", "5"));
    room_put(room, "offence",
             PAIRS("id", "ks-5402", "title", "Murder", "jurisdiction", "US-KS", "class", "felony",
                   "limitation_years", "none"));
    room_put(room, "case",
             PAIRS("id", "ks:2026-1", "offence", "ks-5801", "verified", "yes", "note", "first"));
    room_put(room, "agreement",
             PAIRS("id", "a-1", "owner", "ks", "asker", "fed", "purposes", "criminal,civil",
                   "readers", "cam-1,car 2", "starts_at", "2026-01-01", "ends_at", "2027-01-01",
                   "note", "yearly"));
    room_put(room, "declaration",
             PAIRS("id", "d-1", "agency", "fed", "jurisdiction", "US-IL", "subject",
                   "no-immigration", "signer", "Chief Example", "text_sha256", ROOM_HASH,
                   "signed_at", "2026-01-01", "expires_at", "2027-01-01"));
    room_put(room, "hold",
             PAIRS("id", "h-1", "agency", "ks", "case", "ks:2026-1", "authority", "court-order",
                   "facts", "An order of the example court", "plate", "ab-12 c", "readers", "cam-3",
                   "owner", "mo", "from", "2025-06-01", "to", "2025-07-01", "expires_at",
                   "2026-06-01"));
}

#endif
