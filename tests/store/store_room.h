/*
 * A store on a simulated file system with a clock that the test drives.
 *
 * Memory and files are counted, so that a test can tell that nothing is left behind.
 */
#ifndef PB_TESTS_STORE_ROOM_H
#define PB_TESTS_STORE_ROOM_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <platebase/store.h>

#include "base/text.h"
#include "read/read.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define ROOM_SECOND_US INT64_C(1000000)
#define ROOM_DAY_US (INT64_C(86400) * ROOM_SECOND_US)
#define ROOM_START_US INT64_C(1795413608000000) /* 2026-11-23T06:00:08Z */
#define ROOM_PATH "store"

struct store_room {
    struct sim_fs *fs;     /* owned */
    struct pb_env base;    /* the file system's */
    struct fault_env fault;
    const struct pb_env *env; /* what the store is given */
    int64_t now_us;
    struct pb_store *store;
    struct pb_error error;
};

static inline int64_t
room_now_us(void *context)
{
    return *(const int64_t *)context;
}

static inline int64_t
room_monotonic_ns(void *context)
{
    return *(const int64_t *)context * 1000;
}

static inline void
room_init_on(struct store_room *room, struct sim_fs *fs)
{
    memset(room, 0, sizeof(*room));
    room->fs = fs;
    room->base = sim_fs_env(fs);
    room->now_us = ROOM_START_US;
    fault_env_init(&room->fault, &room->base);
    room->fault.env.now_us = room_now_us;
    room->fault.env.monotonic_ns = room_monotonic_ns;
    room->fault.env.clock_context = &room->now_us;
    room->env = &room->fault.env;
}

/* Says what the store said before it fails. */
static inline void
room_expect(struct store_room *room, enum pb_status expected, enum pb_status status,
            const char *what)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", what, pb_status_name(status),
                 pb_status_name(expected), status == PB_OK ? "" : room->error.message);
}

static inline void
room_open(struct store_room *room)
{
    room_expect(room, PB_OK,
                pb_store_open(room->env, ROOM_PATH, NULL, &room->store, &room->error), "open");
}

static inline void
room_close(struct store_room *room)
{
    pb_store_close(room->store);
    room->store = NULL;
}

static inline void
room_reopen(struct store_room *room)
{
    room_close(room);
    room_open(room);
}

/* Makes an empty store and opens it. */
static inline void
room_create(struct store_room *room)
{
    room_expect(room, PB_OK, pb_store_create(room->env, ROOM_PATH, &room->error), "create");
    room_open(room);
}

static inline void
room_init(struct store_room *room)
{
    room_init_on(room, sim_fs_new());
    room_create(room);
}

/* As a reader that leaves out what does not open. */
PB_MUST_CHECK static inline enum pb_status
room_open_skipping(struct store_room *room)
{
    const struct pb_store_options options = { .is_read_only = true, .skips_damaged = true };

    return pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error);
}

/* Closes everything; nothing may be left behind. */
static inline void
room_done(struct store_room *room)
{
    room_close(room);
    assert_true(fault_env_is_clean(&room->fault));
    sim_fs_free(room->fs);
    room->fs = NULL;
}

static inline void
room_flush(struct store_room *room)
{
    room_expect(room, PB_OK, pb_store_flush(room->store, &room->error), "flush");
}

static inline void
room_merge(struct store_room *room)
{
    room_expect(room, PB_OK, pb_store_merge(room->store, true, NULL, &room->error), "merge");
}

static inline enum pb_status
room_append(struct store_room *room, const struct pb_read *read)
{
    enum pb_status answer = PB_E_IO;

    room_expect(room, PB_OK, pb_store_append(room->store, read, 1, &answer, &room->error),
                "append");
    return answer;
}

/* A read by a fixed reader, captured seconds after the start. */
static inline struct pb_read
room_read(const char *plate, const char *reader, int64_t seconds)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from(plate);
    read.reader = pb_str_from(reader);
    read.captured_at_us = ROOM_START_US + seconds * ROOM_SECOND_US;
    read.lat_e7 = 377749000;
    read.lon_e7 = -1224194000;
    read.confidence_scale = PB_SCALE_PERCENT;
    read.confidence_e6 = 91500000;
    return read;
}

/* A read that is found by an event id, and may be revised. */
static inline struct pb_read
room_event(const char *plate, const char *id, uint32_t revision)
{
    struct pb_read read = room_read(plate, "tracker", 60);

    read.event_id = pb_str_from(id);
    read.is_revisable = true;
    read.revision = revision;
    return read;
}

static inline struct pb_query
room_query(const char *plate)
{
    return (struct pb_query){ .plate = pb_str_from(plate),
                              .from_us = PB_TIME_MIN_US,
                              .to_us = PB_TIME_MAX_US };
}

static inline uint32_t
room_count_query(struct store_room *room, const struct pb_query *query)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint32_t count = 0;
    enum pb_status status;

    room_expect(room, PB_OK, pb_store_search(room->store, query, &cursor, &room->error),
                "search");
    for (;;) {
        status = pb_cursor_next(cursor, &result, &room->error);
        if (status != PB_OK)
            break;
        count++;
    }
    room_expect(room, PB_END, status, "next");
    pb_cursor_free(cursor);
    return count;
}

static inline uint32_t
room_count(struct store_room *room, const char *plate)
{
    struct pb_query query = room_query(plate);

    return room_count_query(room, &query);
}

/* With older revisions. */
static inline uint32_t
room_count_revisions(struct store_room *room, const char *plate)
{
    struct pb_query query = room_query(plate);

    query.with_superseded = true;
    return room_count_query(room, &query);
}

/* A loader that tells nobody of what it rejects. */
static inline struct pb_loader *
room_loader(struct store_room *room, unsigned lanes)
{
    struct pb_loader *loader = NULL;

    room_expect(room, PB_OK, pb_loader_new(room->store, lanes, NULL, NULL, &loader, &room->error),
                "loader");
    return loader;
}

#endif
