/*
 * Erasures are kept as long as they hide something, and for a while after; then the oldest go.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "base/limits.h"
#include "store/local/local.h"

#define KEPT 3u

static void
open_keeping_few(struct store_room *room)
{
    room_close(room);
    room_open(room);
    room->store->erasures_kept = KEPT;
}

static struct pb_read
plate_read(uint32_t number, char text[16])
{
    (void)snprintf(text, 16, "P%03u", number);
    return room_read(text, "gate-1", number);
}

static void
append_plate(struct store_room *room, uint32_t number, enum pb_status expected)
{
    char text[16];
    struct pb_read read = plate_read(number, text);

    assert_int_equal(expected, room_append(room, &read));
}

static void
erase_plate(struct store_room *room, uint32_t number)
{
    char text[16];
    struct pb_read read = plate_read(number, text);
    struct pb_erasure erasure = { .plate = read.plate, .from_us = 0, .to_us = PB_TIME_MAX_US };

    room_expect(room, PB_OK, pb_store_erase(room->store, &erasure, &room->error), "erase");
}

static void
purge(struct store_room *room)
{
    struct pb_purge_counts counts;

    room_expect(room, PB_OK, pb_store_purge(room->store, NULL, &counts, &room->error), "purge");
}

/* As the manifest on disk has them. */
static uint32_t
erasures_on_disk(struct store_room *room)
{
    struct pb_manifest manifest;
    uint32_t count;

    pb_manifest_init(&manifest, room->env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room->error));
    count = manifest.erasure_count;
    pb_manifest_done(&manifest);
    return count;
}

static uint64_t
erasures_pending(struct store_room *room)
{
    struct pb_store_stats stats;

    assert_int_equal(PB_OK, pb_store_stats(room->store, &stats, &room->error));
    return stats.erasures;
}

static void
the_oldest_of_many_that_are_applied_are_forgotten(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    open_keeping_few(&room);
    for (uint32_t i = 0; i < 20; i++)
        append_plate(&room, i, PB_OK);
    room_flush(&room);
    for (uint32_t i = 0; i < 10; i++)
        erase_plate(&room, i);
    assert_int_equal(10, erasures_on_disk(&room));
    assert_int_equal(10, erasures_pending(&room));
    assert_int_equal(10, room_count(&room, "*"));
    purge(&room);
    assert_int_equal(KEPT, erasures_on_disk(&room));
    assert_int_equal(0, erasures_pending(&room));
    assert_int_equal(10, room_count(&room, "*"));
    open_keeping_few(&room);
    /* What the newest erased is refused; what the oldest erased counts as never seen. */
    for (uint32_t i = 0; i < 20; i++)
        append_plate(&room, i, i < 7 ? PB_OK : i < 10 ? PB_EXPIRED : PB_DUPLICATE);
    assert_int_equal(17, room_count(&room, "*"));
    room_done(&room);
}

static void
what_still_hides_a_read_is_never_forgotten(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    open_keeping_few(&room);
    /* In the oldest segment, which nothing rewrites. */
    append_plate(&room, 0, PB_OK);
    room_flush(&room);
    erase_plate(&room, 0);
    for (uint32_t i = 1; i < 9; i++) {
        erase_plate(&room, i);
        append_plate(&room, 100 + i, PB_OK);
        room_flush(&room);
        assert_int_equal(0, room_count(&room, "P000"));
    }
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "P000"));
    room_done(&room);
}

/* As no store writes its manifest, for segments get numbers in order: one that waits before others
 * that are applied. */
static void
what_still_hides_a_read_is_not_forgotten_for_being_the_oldest(void **state)
{
    struct pb_erasure_entry entries[6];
    struct pb_manifest manifest;
    struct store_room room;
    bool is_unknown = false;

    (void)state;
    room_init(&room);
    append_plate(&room, 0, PB_OK);
    room_flush(&room);
    room_close(&room);
    for (uint32_t i = 0; i < 6; i++)
        entries[i] = (struct pb_erasure_entry){ .plate = { i == 0 ? "P000" : "NOBODY", 4 },
                                                .reader = { "", 0 },
                                                .to_us = PB_TIME_MAX_US,
                                                .segment_limit = i == 0 ? 2 : 1 };
    pb_manifest_init(&manifest, room.env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room.error));
    manifest.erasures = entries;
    manifest.erasure_count = 6;
    room_expect(&room, PB_OK,
                pb_manifest_write(&manifest, ROOM_PATH, &is_unknown, &room.error), "write");
    pb_manifest_done(&manifest);
    room_open(&room);
    room.store->erasures_kept = KEPT;
    assert_int_equal(0, room_count(&room, "P000"));
    erase_plate(&room, 7);
    assert_int_equal(1 + KEPT + 1, erasures_on_disk(&room)); /* two wait, with the new one */
    assert_int_equal(0, room_count(&room, "P000"));
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "P000"));
    room_done(&room);
}

/* What is only in the log is hidden by every erasure, whatever segments there are. */
static void
what_hides_a_read_of_the_log_is_not_forgotten(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    open_keeping_few(&room);
    append_plate(&room, 0, PB_OK);
    for (uint32_t i = 0; i < 9; i++)
        erase_plate(&room, i);
    assert_int_equal(9, erasures_on_disk(&room));
    assert_int_equal(0, room_count(&room, "*"));
    open_keeping_few(&room);
    assert_int_equal(0, room_count(&room, "*"));
    room_flush(&room);
    assert_int_equal(KEPT, erasures_on_disk(&room));
    room_reopen(&room);
    assert_int_equal(0, room_count(&room, "*"));
    room_done(&room);
}

/* A load looks at erasures when it begins and when it ends. */
static void
a_load_that_began_before_an_erasure_does_not_bring_back_what_it_erased(void **state)
{
    struct store_room room;
    struct pb_store_options options = { .memory_bytes = 1 };
    struct pb_loader *loader = NULL;
    char text[16];

    (void)state;
    room_init(&room);
    room_close(&room);
    assert_int_equal(PB_OK, pb_store_open(room.env, ROOM_PATH, &options, &room.store,
                                          &room.error));
    room.store->erasures_kept = KEPT;
    assert_int_equal(PB_OK, pb_loader_new(room.store, 256, NULL, NULL, &loader, &room.error));
    for (uint32_t i = 0; i < 900; i++) {
        struct pb_read read = plate_read(i, text);

        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    }
    for (uint32_t i = 0; i < 9; i++)
        erase_plate(&room, i);
    for (uint32_t i = 900; i < 9000; i++) {
        struct pb_read read = plate_read(i, text);

        assert_int_equal(PB_OK, pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room.error));
    }
    assert_int_equal(PB_OK, pb_lane_finish(pb_loader_lane(loader, 0), &room.error));
    for (uint32_t i = 0; i < 9; i++) {
        (void)plate_read(i, text);
        assert_int_equal(0, room_count(&room, text));
    }
    pb_loader_free(loader);
    purge(&room);
    assert_int_equal(KEPT, erasures_on_disk(&room));
    assert_int_equal(9000 - 9, room_count(&room, "*"));
    room_done(&room);
}

/* Applied ones make room, pending ones do not. */
static void
only_erasures_that_wait_count_against_the_limit(void **state)
{
    struct store_room room;
    struct pb_erasure erasure = { .from_us = 0, .to_us = 1 };

    (void)state;
    room_init(&room);
    open_keeping_few(&room);
    append_plate(&room, 0, PB_OK);
    room_flush(&room);
    erase_plate(&room, 0);
    /* So many that one more is refused: only the count is looked at. */
    room.store->manifest.erasure_count = PB_ERASURES_MAX;
    assert_int_equal(PB_OVER_LIMIT, pb_store_erase(room.store, &erasure, &room.error));
    room.store->manifest.erasure_count = 1;
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    assert_int_equal(0, room_count(&room, "*"));
    room_done(&room);
}

static void
an_erasure_that_differs_in_anything_is_another(void **state)
{
    static struct pb_erasure_entry known = { .plate = { "P001", 4 },
                                             .reader = { "gate-1", 6 },
                                             .jurisdiction = 5,
                                             .from_us = 10,
                                             .to_us = 20,
                                             .segment_limit = 3 };
    struct pb_manifest manifest = { .erasures = &known, .erasure_count = 1 };
    struct pb_hidden *hidden = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_hidden_new(pb_env_system(), &manifest, &hidden));
    for (int field = 0; field < 7; field++) {
        struct pb_erasure_entry other = known;

        other.segment_limit += field == 0; /* what it was applied to is no part of it */
        other.plate = pb_str_from(field == 1 ? "P002" : "P001");
        other.reader = pb_str_from(field == 2 ? "gate-2" : "gate-1");
        other.jurisdiction = field == 3 ? 6 : 5;
        other.from_us += field == 4;
        other.to_us += field == 5;
        assert_int_equal(field == 0 || field == 6, pb_hidden_knows_erasure(hidden, &other));
    }
    pb_hidden_free(hidden);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_of_many_that_are_applied_are_forgotten),
        cmocka_unit_test(what_still_hides_a_read_is_never_forgotten),
        cmocka_unit_test(what_still_hides_a_read_is_not_forgotten_for_being_the_oldest),
        cmocka_unit_test(what_hides_a_read_of_the_log_is_not_forgotten),
        cmocka_unit_test(a_load_that_began_before_an_erasure_does_not_bring_back_what_it_erased),
        cmocka_unit_test(only_erasures_that_wait_count_against_the_limit),
        cmocka_unit_test(an_erasure_that_differs_in_anything_is_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
