/*
 * Filters: what was added is always found; what was not mostly is not. And what they are for: an
 * event that is sent again is known wherever it lies.
 */
#include "store/local/filter.h"

#include <stdio.h>

#include "store/local/local.h"
#include "store/store_room.h"

#define HASHES 20000u

static uint64_t
hash_number(uint32_t number)
{
    return pb_hash_bytes(&number, sizeof(number)) >> 16;
}

static void
what_was_added_is_found_and_little_else(void **state)
{
    struct fault_env fault;
    struct pb_filter *filter = NULL;
    unsigned mistaken = 0;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OK, pb_filter_new(&fault.env, HASHES, &filter));
    for (uint32_t i = 0; i < HASHES; i++)
        assert_false(pb_filter_may_have(filter, hash_number(i)));
    for (uint32_t i = 0; i < HASHES; i++)
        pb_filter_add(filter, hash_number(i));
    for (uint32_t i = 0; i < HASHES; i++)
        assert_true(pb_filter_may_have(filter, hash_number(i)));
    for (uint32_t i = HASHES; i < 2 * HASHES; i++)
        mistaken += pb_filter_may_have(filter, hash_number(i));
    assert_true(mistaken < HASHES / 20);
    assert_true(pb_filter_bytes(filter) < 2 * HASHES);
    pb_filter_free(filter);
    pb_filter_free(NULL);
    assert_true(fault_env_is_clean(&fault));
}

static void
the_ends_of_the_range_have_words(void **state)
{
    const uint64_t last = (UINT64_C(1) << 48) - 1;
    struct pb_filter *filter = NULL;

    (void)state;
    for (uint64_t count = 0; count < 12; count++) {
        assert_int_equal(PB_OK, pb_filter_new(pb_env_system(), count, &filter));
        assert_false(pb_filter_may_have(filter, 0) || pb_filter_may_have(filter, last));
        pb_filter_add(filter, 0);
        pb_filter_add(filter, last);
        assert_true(pb_filter_may_have(filter, 0) && pb_filter_may_have(filter, last));
        pb_filter_free(filter);
    }
}

static void
too_many_and_no_memory_are_said(void **state)
{
    struct fault_env fault;
    struct pb_filter *filter = NULL;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OVER_LIMIT, pb_filter_new(&fault.env, UINT64_MAX / 8, &filter));
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_filter_new(&fault.env, 1000, &filter));
    assert_null(filter);
    assert_true(fault_env_is_clean(&fault));
}

/* An append of one read with an event, or of one without. */
static enum pb_status
append(struct store_room *room, uint32_t number, bool has_event)
{
    char plate[16], event[16];
    struct pb_read read;
    enum pb_status answer = PB_NOT_FOUND;

    (void)snprintf(plate, sizeof(plate), "F%05u", number);
    (void)snprintf(event, sizeof(event), "event-%u", number);
    read = room_read(plate, "gate-1", number);
    if (has_event)
        read.event_id = pb_str_from(event);
    room_expect(room, PB_OK, pb_store_append(room->store, &read, 1, &answer, &room->error),
                "append");
    return answer;
}

static void
reads_that_are_sent_again_are_known_wherever_they_lie(void **state)
{
    struct store_room room;

    (void)state;
    room_init(&room);
    for (uint32_t part = 0; part < 4; part++) {
        for (uint32_t i = 0; i < 600; i++)
            assert_int_equal(PB_OK, append(&room, part * 600 + i, i % 2 == 0));
        if (part < 3)
            room_flush(&room);
    }
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2400; i++)
            assert_int_equal(PB_DUPLICATE, append(&room, i, i % 2 == 0));
        room_reopen(&room);
    }
    for (uint32_t i = 2400; i < 2500; i++)
        assert_int_equal(PB_OK, append(&room, i, i % 2 == 0));
    room_done(&room);
}

/* Without memory for the filter the table is looked at. */
static void
no_memory_for_a_filter_does_no_harm(void **state)
{
    (void)state;
    for (uint64_t at = 1;; at++) {
        struct store_room room;
        struct pb_read read;
        enum pb_status answer = PB_NOT_FOUND, status;
        bool was_reached;

        room_init(&room);
        assert_int_equal(PB_OK, append(&room, 1, true));
        room_flush(&room);
        read = room_read("F00001", "gate-1", 1);
        read.event_id = pb_str_from("event-1");
        room.fault.allocation_count = 0;
        room.fault.fail_allocation_at = at;
        status = pb_store_append(room.store, &read, 1, &answer, &room.error);
        was_reached = room.fault.allocation_count >= at;
        room.fault.fail_allocation_at = 0;
        assert_true(status == PB_E_NOMEM || (status == PB_OK && answer == PB_DUPLICATE));
        if (status == PB_E_NOMEM)
            assert_int_equal(PB_DUPLICATE, append(&room, 1, true));
        room_done(&room);
        if (!was_reached)
            break;
    }
}

/* As if a segment had that many events: a filter of all, of eight millions, or of half of them. */
static void
a_filter_of_very_many_events_has_room_for_half_of_them(void **state)
{
    static const struct {
        uint64_t events, room;
    } cases[] = {
        { UINT64_C(1) << 10, UINT64_C(1) << 10 },
        { UINT64_C(1) << 23, UINT64_C(1) << 23 },
        { UINT64_C(3) << 22, UINT64_C(1) << 23 },
        { UINT64_C(3) << 23, UINT64_C(3) << 22 },
    };
    struct store_room room;
    struct pb_segment *segment = NULL;
    size_t plain = 0;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, append(&room, 1, true));
    room_flush(&room);
    segment = room.store->version->segments[0]->segment;
    plain = pb_segment_memory(segment);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_filter *expected = NULL;

        assert_int_equal(PB_OK, pb_filter_new(room.env, cases[i].room, &expected));
        segment->tables[PB_TABLE_EVENTS].rows = cases[i].events;
        segment->tables[PB_TABLE_EVENTS].blocks = 0; /* there are none to be read */
        segment->has_tried_events = false;
        segment->filtered_blocks = 0;
        pb_segment_filter_events(segment);
        assert_non_null(segment->events);
        assert_int_equal(pb_filter_bytes(expected), pb_filter_bytes(segment->events));
        assert_int_equal(plain + pb_filter_bytes(expected), pb_segment_memory(segment));
        pb_filter_free(expected);
        pb_filter_free(segment->events);
        segment->events = NULL;
    }
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_little_else),
        cmocka_unit_test(the_ends_of_the_range_have_words),
        cmocka_unit_test(too_many_and_no_memory_are_said),
        cmocka_unit_test(reads_that_are_sent_again_are_known_wherever_they_lie),
        cmocka_unit_test(no_memory_for_a_filter_does_no_harm),
        cmocka_unit_test(a_filter_of_very_many_events_has_room_for_half_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
