/*
 * Hashes that agree: reads, plates and names that have a hash in common are kept apart wherever
 * they lie. Who sends reads can find such pairs in a minute, so they are no matter of luck.
 */
#include "store/flush_behind.h"
#include "store/moves.h"
#include "store/old_manifest.h"
#include "store/store_room.h"
#include "store/sweep.h"

#include <stdio.h>

#include "base/bytes.h"
#include "read/read.h"
#include "store/local/local.h"
#include "store/local/names.h"
#include "store/local/run.h"

/* Event ids of reader gate-1 whose identities have the same 64-bit hash. */
static const char *const event_ids[2] = { "MEKLGMIAPLMMGMDG", "KMHLKCEANNMMEPOF" };
/* Plates whose hashes agree in 32 bits. */
static const char *const plates[2] = { "086864X", "182037X" };

static struct pb_read
event_read(int which, uint32_t revision)
{
    struct pb_read read = room_read(which == 0 ? "AB12" : "CD34", "gate-1", 5);

    read.event_id = pb_str_from(event_ids[which]);
    read.is_revisable = true;
    read.revision = revision;
    return read;
}

static void
the_pairs_agree(void **state)
{
    struct pb_read first = event_read(0, 0);
    struct pb_read second = event_read(1, 0);

    (void)state;
    assert_true(pb_read_identity(&first) == pb_read_identity(&second));
    assert_false(pb_read_same_identity(&first, &second));
    assert_true((uint32_t)pb_hash_bytes(plates[0], 7) == (uint32_t)pb_hash_bytes(plates[1], 7));
}

static void
events_with_one_hash_are_two_events_wherever_they_lie(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        for (size_t n = 0; n < MOVE_COUNT; n++) {
            struct store_room room;
            struct pb_read reads[2] = { event_read(0, 0), event_read(1, 0) };

            room_init(&room);
            assert_int_equal(PB_OK, room_append(&room, &reads[0]));
            moves[m].move(&room);
            assert_int_equal(PB_OK, room_append(&room, &reads[1]));
            moves[n].move(&room);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(PB_DUPLICATE, room_append(&room, &reads[i]));
                reads[i].speed_ckmh = 7;
                assert_int_equal(PB_CONFLICT, room_append(&room, &reads[i]));
            }
            assert_int_equal(1, room_count(&room, "AB12"));
            assert_int_equal(1, room_count(&room, "CD34"));
            assert_int_equal(2, room_count(&room, "*"));
            room_done(&room);
        }
    }
}

/* ---- marks ---- */

/* Asserts that each of the two is found once, as what it was revised to. */
static void
expect_both(struct store_room *room, uint32_t history)
{
    struct pb_query query = room_query("*");

    assert_int_equal(1, room_count(room, "AB12"));
    assert_int_equal(1, room_count(room, "CD34"));
    assert_int_equal(2, room_count_query(room, &query));
    query.with_superseded = true;
    assert_int_equal(2 + history, room_count_query(room, &query));
}

/* Neither an older revision of the other nor a newer one is taken for the one that was revised. */
static void
a_revision_of_one_of_two_events_with_one_hash_leaves_the_other(void **state)
{
    static const uint32_t others[] = { 0, 5 };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT * MOVE_COUNT * 2; m++) {
        struct store_room room;
        struct pb_read revised = event_read(0, 1);
        struct pb_read reads[2] = { event_read(0, 0), event_read(1, others[m % 2]) };

        room_init(&room);
        for (int i = 0; i < 2; i++)
            assert_int_equal(PB_OK, room_append(&room, &reads[i]));
        moves[m / 2 % MOVE_COUNT].move(&room);
        revised.speed_ckmh = 7;
        assert_int_equal(PB_OK, room_append(&room, &revised));
        expect_both(&room, 1);
        moves[m / 2 / MOVE_COUNT].move(&room);
        expect_both(&room, 1);
        assert_int_equal(PB_DUPLICATE, room_append(&room, &revised));
        assert_int_equal(PB_DUPLICATE, room_append(&room, &reads[1]));
        merge_all(&room);
        expect_both(&room, 1);
        room_reopen(&room);
        expect_both(&room, 1);
        room_done(&room);
    }
}

static void
an_erasure_of_one_of_two_events_with_one_hash_leaves_the_other(void **state)
{
    static const struct pb_erasure erasure = { .plate = { "AB12", 4 },
                                               .from_us = 0,
                                               .to_us = PB_TIME_MAX_US };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT * MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_read reads[3] = { event_read(0, 0), event_read(1, 0), event_read(0, 1) };

        room_init(&room);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(PB_OK, room_append(&room, &reads[i]));
            moves[m % MOVE_COUNT].move(&room);
        }
        room_expect(&room, PB_OK, pb_store_erase(room.store, &erasure, &room.error), "erase");
        for (int i = 0; i < 2; i++) {
            assert_int_equal(0, room_count(&room, "AB12"));
            assert_int_equal(1, room_count(&room, "CD34"));
            moves[m / MOVE_COUNT].move(&room);
        }
        room_done(&room);
    }
}

/* Has the second be revised at the first such operation while nobody holds `writing`. */
struct revision {
    struct store_room *room;
    enum fault_operation operation;
};

static void
append_revision_of_the_second(void *context, enum fault_operation operation)
{
    const struct revision *revision = context;
    struct store_room *room = revision->room;
    struct pb_read read = event_read(1, 1);

    if (operation != revision->operation || pthread_mutex_trylock(&room->store->writing) != 0)
        return;
    (void)pthread_mutex_unlock(&room->store->writing);
    room->fault.meanwhile = NULL;
    assert_int_equal(PB_OK, room_append(room, &read));
}

/* Though one is revised while it is made. */
static void
a_copy_of_a_store_tells_events_with_one_hash_apart(void **state)
{
    struct store_room room;
    struct revision revision = { &room, FAULT_ALLOCATION };
    struct pb_store *store = NULL;

    (void)state;
    room_init(&room);
    for (int i = 0; i < 3; i++) {
        struct pb_read read = event_read(i % 2, (uint32_t)i / 2);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i == 1)
            room_flush(&room);
    }
    room.fault.meanwhile = append_revision_of_the_second;
    room.fault.meanwhile_context = &revision;
    room_expect(&room, PB_OK, pb_store_backup(room.store, "backup", NULL, &room.error), "backup");
    assert_null(room.fault.meanwhile);
    expect_both(&room, 2);
    room_expect(&room, PB_OK, pb_store_restore(room.env, "backup", "again", NULL, &room.error),
                "restore");
    room_close(&room);
    room_expect(&room, PB_OK, pb_store_open(room.env, "again", NULL, &store, &room.error), "open");
    room.store = store;
    expect_both(&room, 1);
    merge_all(&room);
    expect_both(&room, 1);
    room_done(&room);
}

static void
append_revision_of_the_first(void *context)
{
    struct pb_read read = event_read(0, 1);

    assert_int_equal(PB_OK, room_append(context, &read));
}

static void
a_revision_that_comes_behind_leaves_the_other_event_with_its_hash(void **state)
{
    struct store_room room;
    struct flush_behind flush = { .fault = &room.fault,
                                  .operation = FAULT_SYNC,
                                  .meanwhile = append_revision_of_the_first,
                                  .context = &room };

    (void)state;
    room_init(&room);
    flush.store = room.store;
    for (int i = 0; i < 2; i++) {
        struct pb_read read = event_read(i, 0);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_expect(&room, PB_OK, flush_behind(&flush, &room.error), "flush behind");
    assert_true(flush.has_happened);
    expect_both(&room, 1);
    room_reopen(&room);
    expect_both(&room, 1);
    merge_all(&room);
    expect_both(&room, 1);
    room_done(&room);
}

/* A merge knows the mark of the one, and the other is revised alike while it goes on. */
static void
a_mark_that_comes_while_the_like_of_it_is_applied_stays(void **state)
{
    struct store_room room;
    struct revision revision = { &room, FAULT_SYNC };

    (void)state;
    room_init(&room);
    for (int i = 0; i < 3; i++) {
        struct pb_read read = event_read(i % 2, (uint32_t)i / 2);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i > 0)
            room_flush(&room);
    }
    room.fault.meanwhile = append_revision_of_the_second;
    room.fault.meanwhile_context = &revision;
    room_merge(&room);
    assert_null(room.fault.meanwhile);
    expect_both(&room, 2);
    merge_all(&room);
    expect_both(&room, 2);
    room_done(&room);
}

/* ---- a manifest of version 1 ---- */

/* Puts a manifest of version 1 in the place of the store's. */
static void
make_old(struct store_room *room)
{
    const struct pb_file_ops *files = room->base.files;
    void *context = room->base.file_context;
    uint8_t bytes[2048];
    struct pb_file *file = NULL;
    uint64_t size = 0;
    size_t count = 0;

    assert_true(sim_fs_file_size(room->fs, ROOM_PATH "/manifest", &size) && size <= sizeof(bytes));
    assert_int_equal(PB_OK, files->open(context, ROOM_PATH "/manifest", PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_OK, files->read(context, file, 0, bytes, (size_t)size, NULL));
    files->close(context, file);
    count = old_manifest_make(bytes);
    assert_true(count < size); /* there are marks */
    assert_int_equal(PB_OK, files->unlink(context, ROOM_PATH "/manifest", NULL));
    assert_int_equal(PB_OK,
                     files->open(context, ROOM_PATH "/manifest", PB_OPEN_CREATE, &file, NULL));
    assert_int_equal(PB_OK, files->write(context, file, 0, bytes, count, NULL));
    files->close(context, file);
}

static uint32_t
manifest_version(struct store_room *room)
{
    uint8_t bytes[12];
    struct pb_file *file = NULL;

    assert_int_equal(PB_OK, room->base.files->open(room->base.file_context, ROOM_PATH "/manifest",
                                                   PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_OK, room->base.files->read(room->base.file_context, file, 0, bytes,
                                                   sizeof(bytes), NULL));
    room->base.files->close(room->base.file_context, file);
    return pb_get_le32(bytes + 8);
}

/* What was written on a store of version 1 is told apart, though a mark of version 1 is not. */
static void
a_store_with_marks_of_version_1_is_asked_and_written_on(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;

        room_init(&room);
        for (uint32_t i = 0; i < 2; i++) {
            struct pb_read read = room_read("EF56", "gate-2", 5);

            read.event_id = pb_str_from("an event");
            read.is_revisable = true;
            read.revision = i;
            assert_int_equal(PB_OK, room_append(&room, &read));
            room_flush(&room);
        }
        room_close(&room);
        make_old(&room);
        room_open(&room);
        assert_int_equal(1, manifest_version(&room));
        assert_int_equal(1, room_count(&room, "EF56"));
        for (int i = 0; i < 3; i++) {
            struct pb_read read = event_read(i % 2, (uint32_t)i / 2);

            assert_int_equal(PB_OK, room_append(&room, &read));
            if (i == 1)
                room_flush(&room);
        }
        assert_int_equal(2, manifest_version(&room));
        moves[m].move(&room);
        for (int i = 0; i < 2; i++) {
            struct pb_query query = room_query("EF56");

            assert_int_equal(1, room_count_query(&room, &query));
            query.with_superseded = true;
            assert_int_equal(2, room_count_query(&room, &query));
            assert_int_equal(1, room_count(&room, "AB12"));
            assert_int_equal(1, room_count(&room, "CD34"));
            room_reopen(&room);
        }
        room_done(&room);
    }
}

/* ---- order ---- */

/* The plates that are found, comma after each, in pages of so many. between: moves the rows from
 * page to page; may be NULL. */
static void
list_plates(struct store_room *room, uint32_t per_page, move_fn *between, char ret_list[64])
{
    struct pb_query query = room_query("*");
    char token[PB_TOKEN_BYTES_MAX];
    struct pb_result result;
    size_t length = 0;
    enum pb_status status = PB_OK;

    ret_list[0] = '\0';
    while (status == PB_OK) {
        struct pb_cursor *cursor = NULL;

        room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error),
                    "search");
        for (uint32_t i = 0; i < per_page && status == PB_OK; i++) {
            status = pb_cursor_next(cursor, &result, &room->error);
            if (status == PB_OK) {
                assert_int_equal(4, result.read.plate.bytes);
                assert_true(length + 5 < 64);
                memcpy(ret_list + length, result.read.plate.text, 4);
                memcpy(ret_list + length + 4, ",", 2);
                length += 5;
                assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
            }
        }
        pb_cursor_free(cursor);
        query.resume = pb_str_from(token);
        if (between != NULL)
            between(room);
    }
    room_expect(room, PB_END, status, "next");
}

/* With a third one of their moment, and found by an alternate as well. */
static void
events_with_one_hash_come_in_one_order_page_by_page(void **state)
{
    static const struct pb_alternate alternate = { { "XY99", 4 }, PB_NO_CONFIDENCE };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT * MOVE_COUNT; m++) {
        struct store_room room;
        char whole[64];

        room_init(&room);
        for (int i = 0; i < 3; i++) {
            struct pb_read read =
                i == 0 ? room_read("EF56", "gate-1", 5) : event_read((i + (int)m) % 2, 0);

            read.alternates = &alternate;
            read.alternate_count = 1;
            assert_int_equal(PB_OK, room_append(&room, &read));
            moves[i == 1 ? m % MOVE_COUNT : m / MOVE_COUNT].move(&room);
        }
        list_plates(&room, 10, NULL, whole);
        assert_int_equal(15, strlen(whole));
        assert_true(strstr(whole, "AB12,") && strstr(whole, "CD34,") && strstr(whole, "EF56,"));
        for (uint32_t per_page = 1; per_page < 4; per_page++) {
            char list[64];

            list_plates(&room, per_page, per_page == 2 ? NULL : merge_all, list);
            assert_string_equal(whole, list);
        }
        room_done(&room);
    }
}

/* Revisions of the two are between one another, and are all found when history is asked. */
static void
histories_with_one_hash_are_found_page_by_page(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("*");
    char token[PB_TOKEN_BYTES_MAX]; /* of the page before */
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    (void)state;
    query.with_superseded = true;
    room_init(&room);
    for (int i = 0; i < 6; i++) {
        struct pb_read read = event_read(i % 2, (uint32_t)i / 2);

        assert_int_equal(PB_OK, room_append(&room, &read));
        moves[i % (int)MOVE_COUNT].move(&room);
    }
    while (status == PB_OK) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                    "search");
        status = pb_cursor_next(cursor, &result, &room.error);
        if (status == PB_OK) {
            assert_int_equal(2 - count / 2, result.read.revision);
            count++;
            assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
            query.resume = pb_str_from(token);
        }
        pb_cursor_free(cursor);
    }
    room_expect(&room, PB_END, status, "next");
    assert_int_equal(6, count);
    room_done(&room);
}

/* Two with one hash, whose plates are longer than a plate code, and others of their moment. */
static void
prepare_twins(struct store_room *room, void *context)
{
    static const char *const long_plates[2] = { "LONGERTHANCODES1", "LONGERTHANCODES2" };

    (void)context;
    room_create(room);
    for (int i = 0; i < 10; i++) {
        char plate[8];
        struct pb_read read = event_read(i % 2, 0);

        if (i < 2) {
            read.plate = pb_str_from(long_plates[i]);
        } else {
            (void)snprintf(plate, sizeof(plate), "EF%d", i);
            read = room_read(plate, "gate-1", 5);
        }
        assert_int_equal(PB_OK, room_append(room, &read));
    }
    room_flush(room);
}

static enum pb_status
act_search(struct store_room *room, void *context)
{
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    enum pb_status status = pb_store_search(room->store, &query, &cursor, &room->error);

    (void)context;
    while (status == PB_OK)
        status = pb_cursor_next(cursor, &result, &room->error);
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

static void
check_twins(struct store_room *room, void *context, enum pb_status status)
{
    (void)context;
    (void)status;
    assert_int_equal(10, room_count(room, "*"));
}

static void
events_with_one_hash_are_put_in_order_or_it_is_said_why_not(void **state)
{
    static const struct sweep sweep = { .name = "events with one hash",
                                        .prepare = prepare_twins,
                                        .act = act_search,
                                        .check = check_twins,
                                        .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* ---- elsewhere ---- */

static void
an_event_with_the_hash_of_a_stored_one_is_new_beside_it(void **state)
{
    struct pb_load_counts counts = { 0 };
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_mark_list marks = { 0 };
    struct pb_run *run = NULL;
    struct store_room room;
    struct pb_read reads[2] = { event_read(0, 0), event_read(1, 1) };
    bool has_changed = true;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_OK, room_append(&room, &reads[0]));
    room_flush(&room);
    assert_int_equal(PB_OK, pb_run_new(room.env, &run));
    assert_int_equal(PB_OK, pb_run_add(run, &reads[1], 0));
    assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
    assert_int_equal(PB_OK, pb_run_join(run, room.store->version->segments[0]->segment, &nobody,
                                        &counts, &marks, &has_changed, &room.error));
    assert_false(has_changed);
    assert_int_equal(1, pb_run_rows_left(run));
    assert_int_equal(0, counts.duplicate + counts.conflict + marks.count);
    pb_mark_list_done(&marks, room.env);
    pb_run_free(run);
    room_done(&room);
}

static void
events_with_one_hash_do_not_repeat_one_another_in_a_run(void **state)
{
    struct pb_load_counts counts = { 0 };
    struct pb_run_reject nobody = { NULL, NULL };
    struct pb_run *run = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_run_new(pb_env_system(), &run));
    for (int i = 0; i < 4; i++) {
        struct pb_read read = event_read(i % 2, 0);

        assert_int_equal(PB_OK, pb_run_add(run, &read, 0));
    }
    assert_int_equal(PB_OK, pb_run_sort(run, &nobody, &counts));
    assert_int_equal(2, counts.duplicate);
    assert_int_equal(0, counts.conflict);
    assert_int_equal(2, pb_run_rows_left(run));
    pb_run_free(run);
}

/* In the buffer, which finds plates and alternates by their hash alone. */
static void
plates_with_one_hash_are_found_each_for_itself(void **state)
{
    struct store_room room;
    struct pb_alternate alternates[2];

    (void)state;
    room_init(&room);
    for (int i = 0; i < 2; i++) {
        struct pb_read read = room_read(plates[i], "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        read = room_read("AB12", "gate-1", 2 + i);
        alternates[i] = (struct pb_alternate){ pb_str_from(plates[i]), PB_NO_CONFIDENCE };
        read.alternates = &alternates[i];
        read.alternate_count = 1;
        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    for (int i = 0; i < 2; i++) {
        struct pb_query query = room_query(plates[i]);

        assert_int_equal(2, room_count_query(&room, &query));
        query.without_alternates = true;
        assert_int_equal(1, room_count_query(&room, &query));
    }
    room_done(&room);
}

/* What an identity is hashed from is a text like any other. */
static void
texts_with_one_hash_are_two_names(void **state)
{
    struct pb_names names;
    uint32_t numbers[2] = { 0, 0 };
    uint32_t again = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    for (int i = 0; i < 4; i++) {
        char text[24] = { 1, 6 };
        struct pb_str name = { text, sizeof(text) };

        memcpy(text + 2, "gate-1", 6);
        memcpy(text + 8, event_ids[i % 2], 16);
        assert_int_equal(PB_OK, pb_names_text(&names, name, i < 2 ? &numbers[i] : &again));
        if (i >= 2)
            assert_int_equal(numbers[i % 2], again);
    }
    assert_int_not_equal(numbers[0], numbers[1]);
    pb_names_done(&names);
}

/* Their hashes agree in what a slot shows of them, and in the slot where a search begins. */
static void
contexts_and_vehicles_with_one_hash_are_two(void **state)
{
    static const struct pb_context contexts[2] = {
        { .reader = 367, .lat_e7 = 377842030, .lon_e7 = -1224194000, .heading_code = 9100 },
        { .reader = 135, .lat_e7 = 377852720, .lon_e7 = -1224194000, .heading_code = 9100 },
    };
    static const struct pb_vehicle vehicles[2] = {
        { .make = 3, .model = 147, .color = 417, .body = 519, .year = 2015, .year_last = 2018 },
        { .make = 95, .model = 115, .color = 419, .body = 519, .year = 2015, .year_last = 2018 },
    };
    struct pb_names names;
    uint32_t context_numbers[2] = { 0, 0 };
    uint32_t vehicle_numbers[2] = { 0, 0 };

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    for (int i = 0; i < 4; i++) {
        uint32_t number = 0;

        assert_int_equal(PB_OK, pb_names_context(&names, &contexts[i % 2], &number));
        if (i < 2)
            context_numbers[i] = number;
        assert_int_equal(context_numbers[i % 2], number);
        assert_int_equal(contexts[i % 2].reader, names.contexts[number].reader);
        assert_int_equal(PB_OK, pb_names_vehicle(&names, &vehicles[i % 2], &number));
        if (i < 2)
            vehicle_numbers[i] = number;
        assert_int_equal(vehicle_numbers[i % 2], number);
        assert_int_equal(vehicles[i % 2].make, names.vehicles[number].make);
    }
    assert_int_not_equal(context_numbers[0], context_numbers[1]);
    assert_int_not_equal(vehicle_numbers[0], vehicle_numbers[1]);
    pb_names_done(&names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pairs_agree),
        cmocka_unit_test(events_with_one_hash_are_two_events_wherever_they_lie),
        cmocka_unit_test(a_revision_of_one_of_two_events_with_one_hash_leaves_the_other),
        cmocka_unit_test(an_erasure_of_one_of_two_events_with_one_hash_leaves_the_other),
        cmocka_unit_test(a_copy_of_a_store_tells_events_with_one_hash_apart),
        cmocka_unit_test(a_revision_that_comes_behind_leaves_the_other_event_with_its_hash),
        cmocka_unit_test(a_mark_that_comes_while_the_like_of_it_is_applied_stays),
        cmocka_unit_test(a_store_with_marks_of_version_1_is_asked_and_written_on),
        cmocka_unit_test(events_with_one_hash_come_in_one_order_page_by_page),
        cmocka_unit_test(histories_with_one_hash_are_found_page_by_page),
        cmocka_unit_test(events_with_one_hash_are_put_in_order_or_it_is_said_why_not),
        cmocka_unit_test(an_event_with_the_hash_of_a_stored_one_is_new_beside_it),
        cmocka_unit_test(events_with_one_hash_do_not_repeat_one_another_in_a_run),
        cmocka_unit_test(plates_with_one_hash_are_found_each_for_itself),
        cmocka_unit_test(texts_with_one_hash_are_two_names),
        cmocka_unit_test(contexts_and_vehicles_with_one_hash_are_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
