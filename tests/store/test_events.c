/*
 * Events: a load of reads with event ids stores, counts and hides what appending them one after
 * another does, whatever their plates, whatever the store has, and in however many shares the
 * suspects among them are judged.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "base/text.h"
#include "read/read_text.h"
#include "store/local/suspects.h"

#define READS 22000u
#define IDS 15000u /* so that many reads share one, and many have their own */
#define BATCH 256u

static uint32_t
mix(uint32_t number)
{
    number = (number ^ number >> 15) * 0x2c1b3c6du;
    number = (number ^ number >> 12) * 0x297a2d39u;
    return number ^ number >> 15;
}

/* Reads differ in all that may decide: id, plate, reader, revision, content, kind. */
static struct pb_read
varied(uint32_t number, char text[64])
{
    uint32_t dice = mix(number), id = mix(number + 1000000u) % IDS;
    struct pb_read read;

    (void)snprintf(text, 32, dice % 9 == 0 ? "ALONGPLATE%05u" : "P%05u", dice % 7919);
    read = room_read(text, id % 2 == 0 ? "gate-1" : "gate-2", (int64_t)(dice % 4000000));
    if (dice % 5 == 0)
        return read; /* a plain one */
    (void)snprintf(text + 32, 32, "E%u", id);
    read.event_id = pb_str_from(text + 32);
    read.is_revisable = id % 3 != 0;
    read.revision = read.is_revisable && id % 4 == 3 ? dice >> 8 & 3 : 0;
    if (id % 8 == 5) {
        /* Each time the same: a duplicate. */
        (void)snprintf(text, 32, "S%05u", id);
        read.plate = pb_str_from(text);
        read.captured_at_us = ROOM_START_US + (int64_t)id * ROOM_SECOND_US;
    }
    return read;
}

struct told {
    uint64_t stored, duplicate, conflict;
};

static struct told
append_all(struct store_room *room, uint32_t first, uint32_t end)
{
    struct told told = { 0 };

    for (uint32_t at = first; at < end; at += BATCH) {
        char texts[BATCH][64];
        struct pb_read reads[BATCH];
        enum pb_status answers[BATCH];
        uint32_t count = end - at < BATCH ? end - at : BATCH;

        for (uint32_t i = 0; i < count; i++)
            reads[i] = varied(at + i, texts[i]);
        room_expect(room, PB_OK, pb_store_append(room->store, reads, count, answers, &room->error),
                    "append");
        for (uint32_t i = 0; i < count; i++) {
            told.stored += answers[i] == PB_OK;
            told.duplicate += answers[i] == PB_DUPLICATE;
            told.conflict += answers[i] == PB_CONFLICT;
        }
    }
    return told;
}

static struct told
load_all(struct store_room *room, unsigned lanes, uint32_t first, uint32_t end)
{
    struct pb_loader *loader = room_loader(room, lanes);
    struct pb_load_counts counts;

    for (uint32_t i = first; i < end; i++) {
        char text[64];
        struct pb_read read = varied(i, text);

        room_expect(room, PB_OK,
                    pb_lane_add(pb_loader_lane(loader, i % lanes), &read, 1, &room->error), "add");
    }
    room_expect(room, PB_OK, pb_loader_finish(loader, &room->error), "finish");
    pb_loader_counts(loader, &counts);
    assert_int_equal(0, counts.rejected);
    pb_loader_free(loader);
    return (struct told){ counts.stored, counts.duplicate, counts.conflict };
}

static void
assert_same_counts(struct told expected, struct told got)
{
    assert_int_equal(expected.stored, got.stored);
    assert_int_equal(expected.duplicate, got.duplicate);
    assert_int_equal(expected.conflict, got.conflict);
}

/* The sum of hashes of all that is there, with its standing; not of when it was stored. */
static uint64_t
content(struct store_room *room)
{
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint64_t sum = 0;

    query.with_superseded = true;
    room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error), "search");
    while (pb_cursor_next(cursor, &result, &room->error) == PB_OK) {
        static char text[PB_READ_TEXT_BYTES_MAX];

        result.read.received_at_us = 0;
        sum += pb_hash_bytes(text, pb_read_to_json(&result.read, NULL, text));
    }
    pb_cursor_free(cursor);
    return sum;
}

static void
open_small(struct store_room *room)
{
    struct pb_store_options options = { .memory_bytes = 1 };

    room_close(room);
    room_expect(room, PB_OK,
                pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error), "open");
}

/* Half of it is in the store already, and in the buffer, when the rest is loaded. */
static void
a_load_says_of_events_what_appends_say(void **state)
{
    struct store_room appended, loaded;

    (void)state;
    room_init(&appended);
    room_init(&loaded);
    open_small(&loaded);
    assert_same_counts(append_all(&appended, 0, READS / 2), load_all(&loaded, 1, 0, READS / 2));
    assert_true(content(&appended) == content(&loaded));
    assert_same_counts(append_all(&appended, READS / 2, READS / 2 + 100),
                       append_all(&loaded, READS / 2, READS / 2 + 100));
    assert_same_counts(append_all(&appended, 0, READS), load_all(&loaded, 1, 0, READS));
    assert_true(content(&appended) == content(&loaded));
    room_merge(&loaded);
    assert_true(content(&appended) == content(&loaded));
    room_done(&loaded);
    room_done(&appended);
}

/* In which order reads of several lanes come is not said; but each identity is there, and nothing
 * of it twice. */
static void
lanes_store_each_event_once(void **state)
{
    struct store_room one, three;
    struct told told;

    (void)state;
    room_init(&one);
    room_init(&three);
    told = load_all(&one, 1, 0, READS);
    (void)load_all(&three, 3, 0, READS);
    assert_int_equal(0, load_all(&three, 2, 0, READS).stored);
    assert_same_counts((struct told){ 0, told.stored + told.duplicate, told.conflict },
                       load_all(&one, 1, 0, READS));
    room_done(&three);
    room_done(&one);
}

/* Appends make a filter of a segment's events bit by bit, and know what is there all the while. */
static void
appends_know_events_of_a_segment_while_its_filter_is_made(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    (void)load_all(&room, 1, 0, READS);
    for (uint32_t i = 0; i < 300; i++) {
        char text[64];
        struct pb_read read = varied(i * 73, text);

        assert_int_not_equal(PB_OK, room_append(&room, &read));
        (void)snprintf(text + 32, 32, "new %u", i);
        read.event_id = pb_str_from(text + 32);
        assert_int_equal(PB_OK, room_append(&room, &read));
        assert_int_equal(PB_DUPLICATE, room_append(&room, &read));
    }
    room_done(&room);
}

/* ---- suspects alone ---- */

static void
add_suspects(struct pb_suspects *suspects, bool is_sifting)
{
    struct pb_error error;

    for (uint64_t i = 1; i <= 10000; i++) {
        uint64_t identity = i * UINT64_C(0x9E3779B97F4A7C15);

        for (uint64_t times = 0; times < 1u + (i % 100 == 0) + (i % 1000 == 0); times++)
            assert_int_equal(PB_OK, is_sifting ? pb_suspects_sift(suspects, identity)
                                               : pb_suspects_add(suspects, identity, &error));
    }
}

static void
suspects_are_those_that_were_added_twice(void **state)
{
    (void)state;
    for (int sifts = 0; sifts < 2; sifts++) {
        struct pb_suspects *suspects = NULL;
        struct pb_error error;
        uint64_t wrong = 0;

        assert_int_equal(PB_OK,
                         pb_suspects_new(pb_env_system(), "unused", 1 << 20, 10000, &suspects));
        if (sifts)
            add_suspects(suspects, true);
        add_suspects(suspects, false);
        assert_int_equal(PB_OK, pb_suspects_find(suspects, NULL, 0, &error));
        for (uint64_t i = 1; i <= 10000; i++) {
            bool is = pb_suspects_has(suspects, i * UINT64_C(0x9E3779B97F4A7C15));

            assert_true(is || i % 100 != 0);
            assert_false(pb_suspects_is(suspects, i * UINT64_C(0x9E3779B97F4A7C15)));
            wrong += is && i % 100 != 0;
        }
        assert_in_range(wrong, 0, 200); /* what a filter may take for one */
        pb_suspects_free(suspects);
    }
    pb_suspects_free(NULL);
}

static void
suspects_that_are_held_back_are_judged(void **state)
{
    struct pb_suspects *suspects = NULL;
    struct pb_error error;
    uint64_t wrong = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_suspects_new(pb_env_system(), "unused", 1 << 20, 10000, &suspects));
    add_suspects(suspects, false);
    assert_int_equal(PB_OK, pb_suspects_find(suspects, NULL, 0, &error));
    for (uint64_t i = 200; i <= 10000; i += 200)
        assert_int_equal(PB_OK, pb_suspects_hold_back(suspects, i * UINT64_C(0x9E3779B97F4A7C15)));
    for (uint64_t i = 1; i <= 10000; i++) {
        bool is = pb_suspects_is(suspects, i * UINT64_C(0x9E3779B97F4A7C15));

        assert_true(is || i % 200 != 0);
        wrong += is && i % 200 != 0;
    }
    assert_in_range(wrong, 0, 10); /* what two filters may take for one */
    pb_suspects_free(suspects);
}

static void
where_nothing_repeats_nothing_is_suspect(void **state)
{
    struct pb_suspects *suspects = NULL;
    struct pb_error error;

    (void)state;
    assert_int_equal(PB_OK, pb_suspects_new(pb_env_system(), "unused", 1, 10, &suspects));
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(PB_OK, pb_suspects_add(suspects, i, &error));
    assert_int_equal(PB_OK, pb_suspects_find(suspects, NULL, 0, &error));
    for (uint64_t i = 1; i <= 10; i++)
        assert_false(pb_suspects_is(suspects, i));
    pb_suspects_free(suspects);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_says_of_events_what_appends_say),
        cmocka_unit_test(lanes_store_each_event_once),
        cmocka_unit_test(appends_know_events_of_a_segment_while_its_filter_is_made),
        cmocka_unit_test(suspects_are_those_that_were_added_twice),
        cmocka_unit_test(suspects_that_are_held_back_are_judged),
        cmocka_unit_test(where_nothing_repeats_nothing_is_suspect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
