/*
 * Buffer: what was added is found by every way, only once it is published, by readers who never
 * wait for the writer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "geo/geo.h"
#include "read/read.h"
#include "store/local/buffer.h"
#include "support/fault_env.h"

/* A read made of a number: few plates, few cells and few readers, so that chains grow long. */
struct made {
    struct pb_read read;
    char plate[16], event_id[16], reader[16], alternates[PB_ALTERNATES_MAX][16], image[16];
    struct pb_alternate alternate_array[PB_ALTERNATES_MAX];
    struct pb_image_ref image_array[1];
};

static uint32_t
mix(uint32_t number)
{
    uint64_t mixed = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)(mixed >> 33);
}

static struct pb_str
put_name(char *room, const char *prefix, uint32_t number)
{
    (void)snprintf(room, 16, "%s%u", prefix, number);
    return pb_str_from(room);
}

static void
make_read(struct made *made, uint32_t number)
{
    struct pb_read *read = &made->read;

    pb_read_init(read);
    read->plate = put_name(made->plate, "PL", mix(number) % 37);
    read->reader = put_name(made->reader, "gate", mix(number) % 5);
    read->captured_at_us = 1000000 + (int64_t)number;
    read->commit = number;
    /* Every seventh identity comes twice. */
    read->event_id = put_name(made->event_id, "e", number % 7 == 6 ? number - 5 : number);
    if (number % 7 == 6)
        read->reader = put_name(made->reader, "gate", mix(number - 5) % 5);
    if (number % 4 != 0) {
        read->lat_e7 = (int32_t)(mix(number) % 20) * 1000000;
        read->lon_e7 = -700000000;
    }
    if (number % 3 == 0)
        read->make = pb_str_from("toyota");
    read->alternate_count = number % (PB_ALTERNATES_MAX + 1);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        made->alternate_array[i] = (struct pb_alternate){
            .plate = put_name(made->alternates[i], "AL", mix(number + i) % 29),
            .confidence_e6 = i,
        };
    }
    read->alternates = made->alternate_array;
    if (number % 5 == 0) {
        made->image_array[0] = (struct pb_image_ref){ PB_IMAGE_PLATE,
                                                      put_name(made->image, "i", number) };
        read->images = made->image_array;
        read->image_count = 1;
    }
}

static uint32_t
add(struct pb_buffer *buffer, uint32_t number)
{
    struct made made;
    uint32_t row = PB_BUFFER_NO_ROW;

    make_read(&made, number);
    assert_int_equal(PB_OK, pb_buffer_add(buffer, &made.read, &row));
    memset(&made, 0xA5, sizeof(made)); /* nothing of it may be needed any more */
    return row;
}

static struct pb_buffer *
make_buffer(uint32_t rows_max)
{
    struct pb_buffer *buffer = NULL;

    assert_int_equal(PB_OK, pb_buffer_new(pb_env_system(), rows_max, &buffer));
    return buffer;
}

/* Each chain gives exactly the rows [0, count) that a look at every row gives, newest first. */
static void
assert_chains_are_right(struct pb_buffer *buffer, uint32_t count)
{
    struct made probe;

    for (uint32_t number = 0; number < count; number++) {
        const struct pb_read *read = pb_buffer_read(buffer, number);
        uint64_t identity = pb_read_identity(read);
        uint32_t cell = pb_geo_cell(read->lat_e7, read->lon_e7);
        uint32_t by_identity = pb_buffer_first_of_identity(buffer, identity);
        uint32_t by_plate = pb_buffer_first_of_plate(buffer, read->plate);
        uint32_t by_cell = pb_buffer_first_of_cell(buffer, cell);

        make_read(&probe, number);
        assert_true(pb_read_same_content(&probe.read, read));
        for (uint32_t row = count; row-- > 0;) {
            const struct pb_read *other = pb_buffer_read(buffer, row);

            if (pb_read_identity(other) == identity) {
                assert_int_equal(row, by_identity);
                by_identity = pb_buffer_next_of_identity(buffer, by_identity);
            }
            if (pb_str_equal(other->plate, read->plate)) {
                assert_int_equal(row, by_plate);
                by_plate = pb_buffer_next_of_plate(buffer, by_plate);
            }
            if (cell != PB_GEO_CELL_NONE &&
                pb_geo_cell(other->lat_e7, other->lon_e7) == cell) {
                assert_int_equal(row, by_cell);
                by_cell = pb_buffer_next_of_cell(buffer, by_cell);
            }
        }
        assert_int_equal(PB_BUFFER_NO_ROW, by_identity);
        assert_int_equal(PB_BUFFER_NO_ROW, by_plate);
        assert_int_equal(PB_BUFFER_NO_ROW, by_cell);
    }
}

static void
assert_alternates_are_right(struct pb_buffer *buffer, uint32_t count)
{
    for (uint32_t number = 0; number < 31; number++) {
        char room[16];
        struct pb_str plate = put_name(room, "AL", number);
        uint32_t entry = pb_buffer_first_of_alternate(buffer, plate);

        for (uint32_t row = count; row-- > 0;) {
            const struct pb_read *read = pb_buffer_read(buffer, row);

            for (uint32_t i = read->alternate_count; i-- > 0;) {
                uint32_t found_row, found_rank;

                if (!pb_str_equal(read->alternates[i].plate, plate))
                    continue;
                assert_int_not_equal(PB_BUFFER_NO_ROW, entry);
                pb_buffer_alternate(buffer, entry, &found_row, &found_rank);
                assert_int_equal(row, found_row);
                assert_int_equal(i + 1, found_rank);
                entry = pb_buffer_next_of_alternate(buffer, entry);
            }
        }
        assert_int_equal(PB_BUFFER_NO_ROW, entry);
    }
}

static void
every_way_finds_what_was_added(void **state)
{
    static const uint32_t counts[] = { 1, 16, 300, 2500 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct pb_buffer *buffer = make_buffer(counts[i]);

        for (uint32_t number = 0; number < counts[i]; number++)
            assert_int_equal(number, add(buffer, number));
        pb_buffer_publish(buffer);
        assert_int_equal(counts[i], pb_buffer_count(buffer));
        assert_chains_are_right(buffer, counts[i]);
        assert_alternates_are_right(buffer, counts[i]);
        pb_buffer_unref(buffer);
    }
}

static void
what_was_never_added_is_not_found(void **state)
{
    struct pb_buffer *buffer = make_buffer(16);

    (void)state;
    for (uint32_t number = 0; number < 16; number++) /* more keys than heads collide */
        (void)add(buffer, number);
    pb_buffer_publish(buffer);
    for (uint32_t i = 0; i < 500; i++) {
        char room[16];

        assert_int_equal(PB_BUFFER_NO_ROW, pb_buffer_first_of_identity(buffer, i));
        assert_int_equal(PB_BUFFER_NO_ROW,
                         pb_buffer_first_of_plate(buffer, put_name(room, "NO", i)));
        assert_int_equal(PB_BUFFER_NO_ROW,
                         pb_buffer_first_of_alternate(buffer, put_name(room, "NO", i)));
        assert_int_equal(PB_BUFFER_NO_ROW, pb_buffer_first_of_cell(buffer, i));
    }
    assert_int_equal(PB_BUFFER_NO_ROW, pb_buffer_first_of_cell(buffer, PB_GEO_CELL_NONE));
    pb_buffer_unref(buffer);
}

static void
rows_are_counted_when_they_are_published(void **state)
{
    struct pb_buffer *buffer = make_buffer(16);

    (void)state;
    assert_int_equal(0, pb_buffer_count(buffer));
    (void)add(buffer, 1);
    (void)add(buffer, 2);
    assert_int_equal(0, pb_buffer_count(buffer));
    assert_int_equal(2, pb_buffer_count_all(buffer));
    pb_buffer_publish(buffer);
    assert_int_equal(2, pb_buffer_count(buffer));
    pb_buffer_unref(buffer);
}

static void
a_full_buffer_takes_no_more(void **state)
{
    struct pb_buffer *buffer = make_buffer(3);
    struct made made;
    uint32_t row = 77;

    (void)state;
    for (uint32_t number = 0; number < 3; number++)
        (void)add(buffer, number);
    make_read(&made, 3);
    assert_int_equal(PB_OVER_LIMIT, pb_buffer_add(buffer, &made.read, &row));
    assert_int_equal(77, row);
    assert_int_equal(3, pb_buffer_count_all(buffer));
    pb_buffer_unref(buffer);
    assert_int_equal(PB_OVER_LIMIT, pb_buffer_new(pb_env_system(), UINT32_MAX, &buffer));
}

static void
retracting_leaves_the_published_rows_as_they_were(void **state)
{
    (void)state;
    for (uint32_t published = 0; published < 60; published += 7) {
        struct pb_buffer *buffer = make_buffer(100);
        struct made made;
        uint32_t row;

        for (uint32_t number = 0; number < published; number++)
            (void)add(buffer, number);
        pb_buffer_publish(buffer);
        pb_buffer_retract(buffer); /* nothing to take back: it goes on */
        for (uint32_t number = published; number < published + 30; number++)
            (void)add(buffer, number);
        pb_buffer_retract(buffer);
        assert_int_equal(published, pb_buffer_count(buffer));
        assert_int_equal(published, pb_buffer_count_all(buffer));
        assert_chains_are_right(buffer, published);
        assert_alternates_are_right(buffer, published);
        make_read(&made, published + 5);
        assert_int_equal(PB_BUFFER_NO_ROW,
                         pb_buffer_first_of_identity(buffer, pb_read_identity(&made.read)));
        assert_int_equal(PB_OVER_LIMIT, pb_buffer_add(buffer, &made.read, &row));
        pb_buffer_publish(buffer);
        assert_int_equal(published, pb_buffer_count(buffer));
        pb_buffer_unref(buffer);
    }
}

static void
a_reader_on_a_row_that_is_taken_back_finds_its_way(void **state)
{
    struct pb_buffer *buffer = make_buffer(16);
    struct made made;
    uint32_t stands_on;

    (void)state;
    (void)add(buffer, 5);
    pb_buffer_publish(buffer);
    (void)add(buffer, 5); /* the same plate, cell and identity */
    make_read(&made, 5);
    stands_on = pb_buffer_first_of_plate(buffer, made.read.plate);
    assert_int_equal(1, stands_on);
    pb_buffer_retract(buffer);
    assert_int_equal(0, pb_buffer_next_of_plate(buffer, stands_on));
    assert_int_equal(0, pb_buffer_next_of_cell(buffer, stands_on));
    assert_int_equal(0, pb_buffer_next_of_identity(buffer, stands_on));
    pb_buffer_unref(buffer);
}

static void
a_superseded_row_is_told_so_for_good(void **state)
{
    struct pb_buffer *buffer = make_buffer(16);
    struct made made;
    uint32_t row;

    (void)state;
    (void)add(buffer, 1);
    make_read(&made, 2);
    made.read.is_superseded = true; /* as found in a log */
    assert_int_equal(PB_OK, pb_buffer_add(buffer, &made.read, &row));
    pb_buffer_publish(buffer);
    assert_false(pb_buffer_is_superseded(buffer, 0));
    assert_true(pb_buffer_is_superseded(buffer, 1));
    pb_buffer_supersede(buffer, 0);
    assert_true(pb_buffer_is_superseded(buffer, 0));
    pb_buffer_unref(buffer);
}

static void
every_failed_allocation_leaves_it_usable(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_buffer *buffer = NULL;
        uint32_t failures = 0, row;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_buffer_new(&fault.env, 1100, &buffer);
        if (status == PB_OK) {
            for (uint32_t number = 0; number < 1100;) {
                struct made made;

                make_read(&made, number);
                status = pb_buffer_add(buffer, &made.read, &row);
                if (status == PB_OK)
                    number++;
                else
                    failures++;
            }
            status = failures == 0 ? PB_OK : PB_E_NOMEM;
            assert_in_range(failures, 0, 1);
            pb_buffer_publish(buffer);
            assert_int_equal(1100, pb_buffer_count(buffer));
            if (fail_at % 8 == 0) {
                assert_chains_are_right(buffer, 1100);
                assert_alternates_are_right(buffer, 1100);
            }
        }
        assert_true(status == PB_OK || fault.failure_count == 1);
        pb_buffer_unref(buffer);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 8, 200);
}

static void
memory_is_counted_and_little(void **state)
{
    struct fault_env fault;
    struct pb_buffer *buffer = NULL;
    size_t empty_bytes;
    uint32_t row;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OK, pb_buffer_new(&fault.env, 16, &buffer));
    assert_in_range(pb_buffer_bytes(buffer), 1, 2048);
    pb_buffer_unref(buffer);

    assert_int_equal(PB_OK, pb_buffer_new(&fault.env, 1u << 15, &buffer));
    empty_bytes = pb_buffer_bytes(buffer);
    for (uint32_t number = 0; number < 1u << 15; number++) {
        struct made made;

        make_read(&made, number);
        made.read.alternate_count = 0;
        made.read.image_count = 0;
        assert_int_equal(PB_OK, pb_buffer_add(buffer, &made.read, &row));
    }
    /* The allocator keeps a header with each block; chunks are large, so it hardly counts. */
    assert_true(pb_buffer_bytes(buffer) <= fault.live_bytes);
    assert_true(fault.live_bytes < pb_buffer_bytes(buffer) + pb_buffer_bytes(buffer) / 100);
    assert_in_range((pb_buffer_bytes(buffer) - empty_bytes) >> 15, 200, 450);
    pb_buffer_unref(buffer);
    assert_true(fault_env_is_clean(&fault));
}

/* ---- threads: the assertions matter less than ThreadSanitizer's eyes ---- */

#define THREAD_ROWS 20000u
#define READERS 3u

struct crowd {
    struct pb_buffer *buffer;
    atomic_bool is_over;
};

/* What a reader sees must be whole: its fields follow from its commit. */
static bool
is_right(struct pb_buffer *buffer, uint32_t row, struct pb_str plate)
{
    const struct pb_read *read = pb_buffer_read(buffer, row);
    struct made expected;

    make_read(&expected, (uint32_t)read->commit);
    (void)pb_buffer_is_superseded(buffer, row);
    return read->commit == row && pb_str_equal(read->plate, plate) &&
           pb_read_same_content(&expected.read, read);
}

static bool
look_around(struct pb_buffer *buffer, uint32_t turn)
{
    uint32_t count = pb_buffer_count(buffer);
    uint32_t expected = count;
    struct made made;

    if (count == 0)
        return true;
    make_read(&made, mix(turn) % count);
    /* Newest first, and no published row of the chain is left out. */
    for (uint32_t row = pb_buffer_first_of_plate(buffer, made.read.plate);
         row != PB_BUFFER_NO_ROW; row = pb_buffer_next_of_plate(buffer, row)) {
        if (row >= count)
            continue;
        if (row >= expected || !is_right(buffer, row, made.read.plate))
            return false;
        expected = row;
    }
    if (expected > mix(turn) % count)
        return false; /* that row itself was not met */
    for (uint32_t entry = pb_buffer_first_of_alternate(buffer, pb_str_from("AL3"));
         entry != PB_BUFFER_NO_ROW; entry = pb_buffer_next_of_alternate(buffer, entry)) {
        uint32_t row, rank;

        pb_buffer_alternate(buffer, entry, &row, &rank);
        if (row >= count)
            continue;
        if (!pb_str_equal(pb_buffer_read(buffer, row)->alternates[rank - 1].plate,
                          pb_str_from("AL3")))
            return false;
    }
    for (uint32_t row = pb_buffer_first_of_cell(buffer, pb_geo_cell(made.read.lat_e7,
                                                                    made.read.lon_e7));
         row != PB_BUFFER_NO_ROW; row = pb_buffer_next_of_cell(buffer, row)) {
        if (row < count && pb_buffer_read(buffer, row)->commit != row)
            return false;
    }
    return pb_buffer_first_of_identity(buffer, pb_read_identity(&made.read)) !=
               PB_BUFFER_NO_ROW &&
           pb_buffer_bytes(buffer) > 0;
}

static void *
read_on(void *context)
{
    struct crowd *crowd = context;
    struct pb_buffer *buffer = pb_buffer_ref(crowd->buffer);
    bool is_fine = true;
    uint32_t turn = 0;

    while (is_fine && (turn < 20 || !atomic_load(&crowd->is_over)))
        is_fine = look_around(buffer, turn++);
    pb_buffer_unref(buffer);
    return is_fine ? NULL : crowd;
}

static void
readers_see_whole_rows_while_the_writer_adds(void **state)
{
    struct crowd crowd = { .buffer = make_buffer(THREAD_ROWS) };
    pthread_t readers[READERS];

    (void)state;
    atomic_init(&crowd.is_over, false);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(0, pthread_create(&readers[i], NULL, read_on, &crowd));
    for (uint32_t number = 0; number < THREAD_ROWS - 50; number++) {
        (void)add(crowd.buffer, number);
        if (number % 11 == 0)
            pb_buffer_publish(crowd.buffer);
        if (number % 13 == 0)
            pb_buffer_supersede(crowd.buffer, number / 2);
    }
    pb_buffer_publish(crowd.buffer);
    for (uint32_t number = THREAD_ROWS - 50; number < THREAD_ROWS; number++)
        (void)add(crowd.buffer, number);
    pb_buffer_retract(crowd.buffer);
    atomic_store(&crowd.is_over, true);
    for (size_t i = 0; i < READERS; i++) {
        void *result = &crowd;

        assert_int_equal(0, pthread_join(readers[i], &result));
        assert_null(result);
    }
    assert_null(pb_buffer_unref(crowd.buffer));
}

/* Texts of all lengths, so that each of a read's parts is the first in some piece of memory. */
static void
a_read_without_memory_is_added_when_there_is_some(void **state)
{
    static char text[PB_READER_BYTES_MAX];
    struct pb_buffer *buffer = NULL;
    struct fault_env fault;
    uint32_t failures = 0;

    (void)state;
    memset(text, 'r', sizeof(text));
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OK, pb_buffer_new(&fault.env, 4096, &buffer));
    for (uint32_t number = 0; number < 2000; number++) {
        struct made made;
        enum pb_status status = PB_E_NOMEM;
        uint32_t row = 0;

        make_read(&made, number);
        (void)snprintf(text, 8, "%07u", number);
        made.read.reader = (struct pb_str){ text, 8 + number % (PB_READER_BYTES_MAX - 8) };
        while (status != PB_OK) {
            fault.fail_allocation_at = atomic_load(&fault.allocation_count) + 1;
            status = pb_buffer_add(buffer, &made.read, &row);
            fault.fail_allocation_at = 0;
            if (status == PB_OK)
                break;
            assert_int_equal(PB_E_NOMEM, status);
            assert_int_equal(number, pb_buffer_count_all(buffer));
            failures++;
            /* The one that failed is there at once now, and the next may be missing. */
            fault.fail_allocation_at = atomic_load(&fault.allocation_count) + 2;
            status = pb_buffer_add(buffer, &made.read, &row);
            fault.fail_allocation_at = 0;
        }
        assert_int_equal(number, row);
        assert_true(pb_read_same_content(&made.read, pb_buffer_read(buffer, row)));
    }
    assert_in_range(failures, 6, 2000);
    pb_buffer_unref(buffer);
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_finds_what_was_added),
        cmocka_unit_test(what_was_never_added_is_not_found),
        cmocka_unit_test(rows_are_counted_when_they_are_published),
        cmocka_unit_test(a_full_buffer_takes_no_more),
        cmocka_unit_test(retracting_leaves_the_published_rows_as_they_were),
        cmocka_unit_test(a_reader_on_a_row_that_is_taken_back_finds_its_way),
        cmocka_unit_test(a_superseded_row_is_told_so_for_good),
        cmocka_unit_test(every_failed_allocation_leaves_it_usable),
        cmocka_unit_test(memory_is_counted_and_little),
        cmocka_unit_test(readers_see_whole_rows_while_the_writer_adds),
        cmocka_unit_test(a_read_without_memory_is_added_when_there_is_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
