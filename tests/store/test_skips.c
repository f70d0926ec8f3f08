/*
 * Questions that go on past damage: what is left out is what the damage took, and is told; all
 * else is found as before. Without that wish damage that a question touches fails it.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "geo/geo.h"
#include "store/local/segment.h"

#define READS 1500u
#define PLATES 90u
#define SEGMENT "store/segments/00000001.seg"

/* One result, enough to tell results apart. */
struct seen {
    int64_t captured_us;
    uint64_t identity;
    unsigned alternate;
};

struct answer {
    struct seen seen[READS];
    uint32_t count;
    enum pb_status status;
};

struct told {
    uint32_t count;
    uint64_t offsets[64];
    uint64_t reads; /* of plates: their sum */
};

/* ASK_LAST: the last plate of the first block of plates; where its rows end the next one tells. */
enum question { ASK_ALL, ASK_PLATE, ASK_LONG, ASK_ALTERNATE, ASK_PATTERN, ASK_PLACE, ASK_WINDOW,
                ASK_LAST, QUESTIONS };

static void
note_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    struct told *told = context;

    assert_string_equal(SEGMENT, file);
    assert_true(what[0] != '\0');
    assert_null(strstr(what, SEGMENT));
    for (uint32_t i = 0; i < told->count; i++)
        assert_true(told->offsets[i] != offset);
    assert_true(told->count < 64);
    told->offsets[told->count++] = offset;
}

static struct pb_read
some_read(uint32_t i, char room[64], struct pb_alternate alternates[2])
{
    struct pb_read read;

    (void)snprintf(room, 32, i % PLATES % 6 == 5 ? "LONGPLATES%02u" : "P%02u", i % PLATES);
    (void)snprintf(room + 32, 16, "e-%u", i);
    read = room_read(room, i % 2 == 0 ? "gate-1" : "gate-2", (int64_t)(i * 7919 % READS) * 60);
    read.lat_e7 += (int32_t)(i % 40) * 100000;
    read.jurisdiction = (uint16_t)(i % PLATES % 4);
    if (i % 3 == 0)
        read.event_id = pb_str_from(room + 32);
    if (i % 4 == 0) {
        alternates[0] = (struct pb_alternate){ pb_str_from("OTHER1"), 5 };
        alternates[1] = (struct pb_alternate){ pb_str_from("TÖALTERNATE"), 4 };
        read.alternates = alternates;
        read.alternate_count = 2;
    }
    return read;
}

/* A store of one segment. */
static struct sim_fs *
make_store(void)
{
    struct store_room room;
    struct sim_fs *fs;

    room_init(&room);
    for (uint32_t i = 0; i < READS; i++) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read read = some_read(i, text, alternates);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush(&room);
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    return fs;
}

static void
open_to_read(struct store_room *room)
{
    room_expect(room, PB_OK, room_open_skipping(room), "open");
}

static void
ask(struct store_room *room, enum question question, bool has_pages, struct told *told,
    struct answer *ret_answer)
{
    static const char *const plates[QUESTIONS] = { "*", "P07", "LONGPLATES11", "OTHER1",
                                                   "*ALTER*", "",  "P0?", "P75" };
    struct pb_query query = room_query(plates[question]);
    struct pb_geo_area *area = NULL;
    char token[PB_TOKEN_BYTES_MAX];
    bool is_over = false;

    query.on_damage = told == NULL ? NULL : note_damage;
    query.damage_context = told;
    if (question == ASK_PLACE) {
        assert_int_equal(PB_OK, pb_geo_area_from_circle(room->env, 378749000, -1224194000, 30000,
                                                        &area, &room->error));
        query.area = area;
    }
    if (question == ASK_WINDOW) {
        query.from_us = ROOM_START_US + 300 * 60 * ROOM_SECOND_US;
        query.to_us = ROOM_START_US + 900 * 60 * ROOM_SECOND_US;
    }
    ret_answer->count = 0;
    while (!is_over) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        uint32_t page = has_pages ? 37 : UINT32_MAX;
        enum pb_status status;

        if (told != NULL)
            told->count = 0; /* each question tells by itself */
        status = pb_store_search(room->store, &query, &cursor, &room->error);
        for (; page > 0 && status == PB_OK; page--) {
            status = pb_cursor_next(cursor, &result, &room->error);
            if (status != PB_OK)
                break;
            assert_true(ret_answer->count < READS);
            ret_answer->seen[ret_answer->count++]
                = (struct seen){ result.read.captured_at_us, pb_read_identity(&result.read),
                                 result.alternate };
        }
        ret_answer->status = status;
        is_over = status != PB_OK;
        if (!is_over) {
            assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
            query.resume = pb_str_from(token);
        }
        pb_cursor_free(cursor);
    }
    pb_geo_area_free(room->env, area);
}

/* How many of the expected results are missing; what is there must come in their order. */
static uint32_t
count_missing(const struct answer *expected, const struct answer *found, const char *where)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < expected->count; i++) {
        if (at < found->count && expected->seen[i].captured_us == found->seen[at].captured_us
            && expected->seen[i].identity == found->seen[at].identity)
            at++;
    }
    if (at != found->count)
        fail_msg("%s: result %u is none, or is out of order", where, at);
    return expected->count - found->count;
}

/* A segment beside the store, to learn where its blocks lie. */
static struct pb_segment *
open_segment(struct store_room *room)
{
    struct pb_manifest manifest;
    struct pb_segment *segment = NULL;

    pb_manifest_init(&manifest, room->env);
    assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room->error));
    assert_int_equal(1, manifest.segment_count);
    assert_int_equal(PB_OK, pb_segment_open(room->env, ROOM_PATH, manifest.store_id,
                                            &manifest.segments[0], &segment, &room->error));
    pb_manifest_done(&manifest);
    return segment;
}

struct block_place {
    enum pb_table table;
    uint32_t number;
    uint64_t offset, bytes; /* bytes: without a blob */
    uint64_t blob_offset;   /* 0: none */
};

#define PLACES_MAX 64u

static uint32_t
list_blocks(struct sim_fs *fs, struct block_place ret_places[PLACES_MAX])
{
    struct store_room room;
    struct pb_segment *segment;
    uint32_t count = 0;

    room_init_on(&room, sim_fs_clone(fs));
    segment = open_segment(&room);
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        for (uint32_t b = 0; b < segment->tables[t].blocks; b++) {
            struct pb_block block;

            assert_true(count < PLACES_MAX);
            assert_int_equal(PB_OK, pb_segment_block(segment, (enum pb_table)t, b, &block,
                                                     &room.error));
            ret_places[count++] = (struct block_place){
                .table = (enum pb_table)t,
                .number = b,
                .offset = (uint64_t)(block.bytes - segment->bytes),
                .blob_offset = block.blob_raw == 0 ? 0
                                                   : (uint64_t)(block.blob - segment->bytes),
            };
        }
    }
    pb_segment_close(segment);
    room_done(&room);
    return count;
}

static bool
sum_plate(void *context, const struct pb_plate_count *plate)
{
    ((struct told *)context)->reads += plate->reads;
    return true;
}

/* What one damaged place may take: no more than its own rows, and by which question. */
static uint32_t
most_missing(const struct block_place *place, enum question question)
{
    bool is_by_alternate = question == ASK_ALTERNATE || question == ASK_PATTERN;

    switch (place->table) {
    case PB_TABLE_READS:
        return 256;
    case PB_TABLE_PLATES:
    case PB_TABLE_LONG:
        return READS; /* of up to 65 plates */
    case PB_TABLE_PLACES:
        return question == ASK_PLACE ? 128 : 0;
    case PB_TABLE_ALTERNATES:
        return is_by_alternate ? READS : 0;
    case PB_TABLE_POSTINGS:
        return is_by_alternate ? 128 : 0;
    case PB_TABLE_COMMITS:
        return 256 * 2; /* a row a commit, however they lie */
    case PB_TABLE_EVENTS:
    case PB_TABLE_COUNT:
        break;
    }
    return 0;
}

static void
check_damaged(struct store_room *room, const struct block_place *place,
              const struct answer *expected, struct answer *found)
{
    for (int q = 0; q < QUESTIONS; q++) {
        struct told told = { 0 };
        char where[96];
        uint32_t missing;

        (void)snprintf(where, sizeof(where), "table %d, block %u, question %d", (int)place->table,
                       (unsigned)place->number, q);
        ask(room, (enum question)q, false, &told, found);
        if (found->status != PB_END)
            fail_msg("%s: %s", where, room->error.message);
        missing = count_missing(&expected[q], found, where);
        if (missing > most_missing(place, (enum question)q))
            fail_msg("%s: %u are missing", where, missing);
        if (missing != 0 && told.count == 0)
            fail_msg("%s: %u are missing, and nothing is told", where, missing);
        if (told.count > 1 || (told.count == 1 && told.offsets[0] != place->offset))
            fail_msg("%s: %u places are told, one at %llu", where, told.count,
                     (unsigned long long)told.offsets[0]);
        /* By pages the same. */
        ask(room, (enum question)q, true, &told, found);
        assert_int_equal(PB_END, found->status);
        assert_int_equal(missing, count_missing(&expected[q], found, where));
        /* Whoever does not go on is told by a failure, or lacks nothing. */
        ask(room, (enum question)q, false, NULL, found);
        if (found->status == PB_END)
            assert_int_equal(0, count_missing(&expected[q], found, where));
        else
            assert_int_equal(PB_E_CORRUPT, found->status);
    }
}

static void
check_plates(struct store_room *room, const struct block_place *place)
{
    struct told told = { 0 };
    struct told refused = { 0 };
    enum pb_status status;

    room_expect(room, PB_OK, pb_store_plates(room->store, pb_str_from("*"), 0, false, 0,
                                             sum_plate, note_damage, &told, &room->error),
                "plates");
    assert_true(told.reads <= READS);
    assert_int_equal(told.reads == READS, told.count == 0);
    if (place->table == PB_TABLE_READS)
        assert_in_range(READS - told.reads, 1, 256);
    else if (place->table != PB_TABLE_PLATES && place->table != PB_TABLE_LONG)
        assert_int_equal(READS, told.reads);
    status = pb_store_plates(room->store, pb_str_from("*"), 0, false, 0, sum_plate, NULL,
                             &refused, &room->error);
    assert_int_equal(told.count == 0 ? PB_OK : PB_E_CORRUPT, status);
}

static void
a_damaged_block_takes_its_own_rows_and_no_others(void **state)
{
    struct sim_fs *fs = make_store();
    struct block_place places[PLACES_MAX];
    uint32_t count = list_blocks(fs, places);
    struct answer *expected = calloc(QUESTIONS, sizeof(*expected));
    struct answer *found = calloc(1, sizeof(*found));
    struct store_room room;
    uint32_t tables_seen = 0;

    (void)state;
    assert_true(expected != NULL && found != NULL);
    room_init_on(&room, sim_fs_clone(fs));
    open_to_read(&room);
    for (int q = 0; q < QUESTIONS; q++) {
        ask(&room, (enum question)q, false, NULL, &expected[q]);
        assert_int_equal(PB_END, expected[q].status);
        assert_true(expected[q].count > 10);
    }
    room_done(&room);
    for (uint32_t i = 0; i < count; i++) {
        for (int in_blob = 0; in_blob < 1 + (places[i].blob_offset != 0); in_blob++) {
            uint64_t at = in_blob ? places[i].blob_offset : places[i].offset + 9;

            room_init_on(&room, sim_fs_clone(fs));
            assert_true(sim_fs_flip_bit(room.fs, SEGMENT, at * 8 + 3));
            open_to_read(&room);
            check_damaged(&room, &places[i], expected, found);
            if (!in_blob)
                check_plates(&room, &places[i]);
            room_done(&room);
        }
        tables_seen |= 1u << places[i].table;
    }
    assert_int_equal((1 << PB_TABLE_COUNT) - 1, tables_seen);
    free(expected);
    free(found);
    sim_fs_free(fs);
}

/* Exactly the rows of the block: in order of plate, jurisdiction and time they are known. */
static void
the_rows_of_a_damaged_block_of_reads_are_those_that_are_missing(void **state)
{
    struct sim_fs *fs = make_store();
    struct block_place places[PLACES_MAX];
    uint32_t count = list_blocks(fs, places);
    struct answer *found = calloc(1, sizeof(*found));
    struct store_room room;

    (void)state;
    assert_non_null(found);
    for (uint32_t i = 0; i < count; i++) {
        struct told told = { 0 };
        uint32_t rows = (places[i].number + 1) * 256 <= READS ? 256 : READS % 256;

        if (places[i].table != PB_TABLE_READS)
            continue;
        room_init_on(&room, sim_fs_clone(fs));
        assert_true(sim_fs_zero(room.fs, SEGMENT, places[i].offset, 16));
        open_to_read(&room);
        ask(&room, ASK_ALL, false, &told, found);
        assert_int_equal(READS - rows, found->count);
        assert_int_equal(1, told.count);
        room_done(&room);
    }
    free(found);
    sim_fs_free(fs);
}

/* Every block of reads but the last: more places than are noted at first. */
static void
each_of_many_damaged_blocks_is_told_once(void **state)
{
    struct sim_fs *fs = make_store();
    struct block_place places[PLACES_MAX];
    uint32_t count = list_blocks(fs, places);
    struct answer *found = calloc(1, sizeof(*found));
    struct store_room room;
    struct told told = { 0 };
    uint32_t damaged = 0;

    (void)state;
    assert_non_null(found);
    room_init_on(&room, fs);
    for (uint32_t i = 0; i < count; i++) {
        bool is_wanted = places[i].table == PB_TABLE_PLACES
                         || (places[i].table == PB_TABLE_READS && places[i].number > 0);

        if (is_wanted && places[i].number + 1 < (places[i].table == PB_TABLE_READS ? 6u : 12u)) {
            assert_true(sim_fs_flip_bit(fs, SEGMENT, (places[i].offset + 6) * 8));
            damaged++;
        }
    }
    open_to_read(&room);
    ask(&room, ASK_PLACE, false, &told, found);
    assert_int_equal(PB_END, found->status);
    assert_in_range(told.count, 9, damaged);
    ask(&room, ASK_ALL, false, &told, found);
    assert_int_equal(PB_END, found->status);
    assert_int_equal(256 + READS % 256, found->count);
    room_done(&room);
    free(found);
}

static void
note_any(void *context, const char *file, uint64_t offset, const char *what)
{
    assert_string_equal(SEGMENT, file);
    assert_int_equal(0, offset);
    assert_true(what[0] != '\0');
    ++*(uint32_t *)context;
}

static bool
ignore_plate(void *context, const struct pb_plate_count *plate)
{
    (void)context;
    (void)plate;
    return true;
}

/* A segment that does not open at all is told, too, to whom it may concern. */
static void
a_segment_that_was_left_out_is_told(void **state)
{
    static const struct {
        int64_t from_us, to_us;
        uint32_t told;
    } cases[] = { { 0, PB_TIME_MAX_US, 1 },
                  { ROOM_START_US + 1499 * 60 * ROOM_SECOND_US, PB_TIME_MAX_US, 1 },
                  { ROOM_START_US + 1499 * 60 * ROOM_SECOND_US + 1, PB_TIME_MAX_US, 0 },
                  { 0, ROOM_START_US + 1, 1 },
                  { 0, ROOM_START_US, 0 } };
    struct sim_fs *fs = make_store();
    struct store_room room;
    uint64_t size = 0;
    uint32_t told = 0;

    (void)state;
    assert_true(sim_fs_file_size(fs, SEGMENT, &size));
    room_init_on(&room, fs);
    assert_true(sim_fs_flip_bit(fs, SEGMENT, (size - 40) * 8));
    open_to_read(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_query query = room_query("*");
        uint32_t here = 0;

        query.from_us = cases[i].from_us;
        query.to_us = cases[i].to_us;
        query.on_damage = note_any;
        query.damage_context = &here;
        assert_int_equal(0, room_count_query(&room, &query));
        assert_int_equal(cases[i].told, here);
    }
    assert_int_equal(PB_OK, pb_store_plates(room.store, pb_str_from("*"), 0, false, 0,
                                            ignore_plate, note_any, &told, &room.error));
    assert_int_equal(1, told);
    room_done(&room);
}

static void
count_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    assert_true(file[0] != '\0' && offset != 0 && what[0] != '\0');
    ++*(uint32_t *)context;
}

/* Three segments of one size and ten reads each, the first and the last damaged at one place. */
static struct sim_fs *
make_damaged_store(void)
{
    struct store_room room;
    struct sim_fs *fs = NULL;

    room_init(&room);
    for (uint32_t i = 0; i < 30; i++) {
        struct pb_read read = room_read("P1", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i % 10 == 9)
            room_flush(&room);
    }
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    assert_true(sim_fs_flip_bit(fs, "store/segments/00000001.seg", 40 * 8));
    assert_true(sim_fs_flip_bit(fs, "store/segments/00000003.seg", 40 * 8));
    return fs;
}

static void
damage_of_several_segments_is_told_of_each(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("*");
    uint32_t told = 0;

    (void)state;
    room_init_on(&room, make_damaged_store());
    open_to_read(&room);
    query.on_damage = count_damage;
    query.damage_context = &told;
    assert_int_equal(10, room_count_query(&room, &query));
    assert_int_equal(2, told);
    room_done(&room);
}

static void
damage_that_cannot_be_noted_for_want_of_memory_fails_the_question(void **state)
{
    struct sim_fs *fs = make_damaged_store();
    uint64_t failures = 1;
    uint64_t at = 0;

    (void)state;
    while (failures != 0) {
        enum pb_status status = PB_OK;
        struct store_room room;
        struct pb_query query = room_query("*");
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        uint32_t told = 0;

        room_init_on(&room, sim_fs_clone(fs));
        open_to_read(&room);
        query.on_damage = count_damage;
        query.damage_context = &told;
        room.fault.fail_allocation_at = room.fault.allocation_count + ++at;
        status = pb_store_search(room.store, &query, &cursor, &room.error);
        while (status == PB_OK)
            status = pb_cursor_next(cursor, &result, &room.error);
        /* Some memory only makes it faster. */
        failures = room.fault.failure_count;
        assert_true(status == PB_END || (status == PB_E_NOMEM && failures != 0));
        if (status == PB_END)
            assert_int_equal(2, told);
        pb_cursor_free(cursor);
        room.fault.fail_allocation_at = 0;
        room_done(&room);
    }
    assert_in_range(at, 5, 200);
    sim_fs_free(fs);
}

static void
who_wants_no_message_is_told_by_the_status(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    struct sim_fs *fs = make_store();
    struct block_place places[PLACES_MAX];
    uint32_t at = 0;

    (void)state;
    (void)list_blocks(fs, places);
    while (places[at].table != PB_TABLE_READS)
        at++;
    room_init_on(&room, fs);
    open_to_read(&room);
    assert_int_equal(PB_OK, pb_store_search(room.store, &query, &cursor, NULL));
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, NULL));
    pb_cursor_free(cursor);
    cursor = NULL;
    room_close(&room);
    assert_true(sim_fs_flip_bit(fs, SEGMENT, (places[at].offset + 9) * 8));
    open_to_read(&room);
    assert_int_equal(PB_E_CORRUPT, pb_store_search(room.store, &query, &cursor, NULL));
    assert_null(cursor);
    assert_int_equal(PB_E_CORRUPT, pb_store_plates(room.store, pb_str_from("*"), 0, false, 0,
                                                   ignore_plate, NULL, NULL, NULL));
    room_close(&room);
    for (at = 0; places[at].table != PB_TABLE_PLATES;)
        at++;
    assert_true(sim_fs_flip_bit(fs, SEGMENT, (places[at].offset + 9) * 8));
    open_to_read(&room);
    assert_int_equal(PB_E_CORRUPT, pb_store_plates(room.store, pb_str_from("P07"), 0, false, 0,
                                                   ignore_plate, NULL, NULL, NULL));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_block_takes_its_own_rows_and_no_others),
        cmocka_unit_test(the_rows_of_a_damaged_block_of_reads_are_those_that_are_missing),
        cmocka_unit_test(each_of_many_damaged_blocks_is_told_once),
        cmocka_unit_test(a_segment_that_was_left_out_is_told),
        cmocka_unit_test(damage_of_several_segments_is_told_of_each),
        cmocka_unit_test(damage_that_cannot_be_noted_for_want_of_memory_fails_the_question),
        cmocka_unit_test(who_wants_no_message_is_told_by_the_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
