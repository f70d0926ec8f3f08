/*
 * Indexes of a segment: a store opens without a look at them, and nothing that a damaged one says
 * is believed. Whoever needs it is told of it, by file and offset, and all else is found as before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "store/forged.h"
#include "store/ops.h"
#include "store/sweep.h"

#define FIRST ROOM_PATH "/segments/00000001.seg"
#define SECOND ROOM_PATH "/segments/00000002.seg"
#define RESULTS_MAX 512u
#define DAMAGE "the checksum of a table's index does not fit"

/* Where the index of a table lies. */
struct place {
    uint64_t offset, bytes, keys; /* keys: where they begin, or the end */
};

static struct place
place_of(const struct forged_file *file, enum pb_table table)
{
    const uint8_t *entry = forged_table(file, table);
    uint32_t blocks = pb_get_le32(entry + 8);
    struct place place = { .offset = pb_get_le64(entry + 16), .bytes = pb_get_le64(entry + 24) };

    place.keys = place.offset + (blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP * UINT64_C(8) +
                 blocks * UINT64_C(4);
    assert_in_range(place.keys, place.offset, place.offset + place.bytes);
    return place;
}

static void
find_places(struct sim_fs *fs, const char *path, struct place ret_places[PB_TABLE_COUNT])
{
    struct forged_file file;
    struct store_room room;

    room_init_on(&room, sim_fs_clone(fs));
    forged_read(&room, path, &file);
    for (int t = 0; t < PB_TABLE_COUNT; t++)
        ret_places[t] = place_of(&file, (enum pb_table)t);
    free(file.bytes);
    room_done(&room);
}

/* ---- answers ---- */

struct answer {
    uint64_t identities[RESULTS_MAX];
    uint32_t count;
    uint32_t second; /* of the second segment's reader */
    enum pb_status status;
};

struct told {
    const char *file;
    uint64_t offset;
    uint32_t count;
};

static void
note(void *context, const char *file, uint64_t offset, const char *what)
{
    struct told *told = context;

    assert_string_equal(told->file, file);
    assert_int_equal(told->offset, offset);
    assert_memory_equal(DAMAGE, what, strlen(DAMAGE));
    told->count++;
}

static const char *const questions[] = {
    "*",  "P006",        "P158",    "LONGPLATES011", "LONGPLATES159",
    "O3", "TÖALTERNATE", "*ALTER*", "P00?",          "",
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* told: NULL for a question that does not go on past damage. */
static void
find(struct store_room *room, size_t question, struct told *told, struct answer *ret_answer)
{
    struct pb_query query = room_query(questions[question]);
    struct pb_geo_area *area = NULL;
    struct pb_cursor *cursor = NULL;
    struct pb_result result;

    if (query.plate.bytes == 0) {
        assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 378749000, -1224194000,
                                                        30000, &area, &room->error));
        query.area = area;
    }
    query.on_damage = told == NULL ? NULL : note;
    query.damage_context = told;
    ret_answer->count = 0;
    ret_answer->second = 0;
    ret_answer->status = pb_store_search(room->store, &query, &cursor, &room->error);
    while (ret_answer->status == PB_OK) {
        ret_answer->status = pb_cursor_next(cursor, &result, &room->error);
        if (ret_answer->status != PB_OK)
            break;
        assert_true(ret_answer->count < RESULTS_MAX);
        ret_answer->identities[ret_answer->count++] = pb_read_identity(&result.read);
        ret_answer->second += pb_str_equal(result.read.reader, pb_str_from("gate-3"));
    }
    pb_cursor_free(cursor);
    pb_geo_area_free(pb_env_system(), area);
}

/* Whether what was found is some of what was expected, in its order. */
static bool
is_part(const struct answer *found, const struct answer *expected)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < expected->count; i++)
        at += at < found->count && found->identities[at] == expected->identities[i];
    return at == found->count;
}

static void
check_refusal(const struct store_room *room, const struct told *place)
{
    char expected[160];

    (void)snprintf(expected, sizeof(expected), "%s: offset %llu: " DAMAGE, place->file,
                   (unsigned long long)place->offset);
    assert_non_null(strstr(room->error.message, expected));
}

static struct answer expected_answers[QUESTIONS];

static void
ask_before(struct sim_fs *fs)
{
    struct store_room room;

    room_init_on(&room, sim_fs_clone(fs));
    room_open(&room);
    for (size_t q = 0; q < QUESTIONS; q++) {
        find(&room, q, NULL, &expected_answers[q]);
        assert_int_equal(PB_END, expected_answers[q].status);
        assert_true(expected_answers[q].count > 0);
    }
    room_done(&room);
}

/* Returns whether anybody was told. */
static bool
check_answers(struct store_room *room, const struct told *place)
{
    static struct answer found;
    uint32_t told_at_all = 0;

    for (size_t q = 0; q < QUESTIONS; q++) {
        struct told told = *place;

        find(room, q, &told, &found);
        room_expect(room, PB_END, found.status, questions[q]);
        assert_true(told.count <= 1);
        assert_true(is_part(&found, &expected_answers[q]));
        assert_int_equal(expected_answers[q].second, found.second);
        if (told.count == 0)
            assert_int_equal(expected_answers[q].count, found.count);
        told_at_all += told.count;
        find(room, q, NULL, &found);
        assert_int_equal(told.count == 0 ? PB_END : PB_E_CORRUPT, found.status);
        if (told.count != 0)
            check_refusal(room, place);
    }
    return told_at_all != 0;
}

static void
check_verify(struct store_room *room, const struct told *place)
{
    struct pb_verify_counts counts;
    struct told told = *place;

    room_expect(room, PB_OK,
                pb_store_verify(room->env, ROOM_PATH, note, &told, NULL, &counts, &room->error),
                "verify");
    assert_int_equal(1, told.count);
    assert_int_equal(1, counts.damaged);
}

/* A merge refuses, or needs nothing of what is damaged and mends it. Returns whether it does. */
static bool
check_merge(struct store_room *room, const struct told *place)
{
    static struct answer found;
    struct pb_verify_counts counts;
    enum pb_status status = pb_store_merge(room->store, true, NULL, &room->error);

    if (status != PB_OK) {
        assert_int_equal(PB_E_CORRUPT, status);
        check_refusal(room, place);
        return false;
    }
    for (size_t q = 0; q < QUESTIONS; q++) {
        find(room, q, NULL, &found);
        assert_int_equal(PB_END, found.status);
        assert_int_equal(expected_answers[q].count, found.count);
        assert_true(is_part(&found, &expected_answers[q]));
    }
    room_expect(room, PB_OK,
                pb_store_verify(room->env, ROOM_PATH, NULL, NULL, NULL, &counts, &room->error),
                "verify");
    assert_int_equal(0, counts.damaged);
    return true;
}

/* All that is done with a store says PB_OK, or that this is damaged. */
static void
check_ops(struct sim_fs *fs, const struct told *place)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        struct store_room room;
        enum pb_status status = PB_OK;

        ops_now = ops[i].name;
        room_init_on(&room, sim_fs_clone(fs));
        room_open(&room);
        status = ops[i].run(&room);
        assert_true(status == PB_OK || status == PB_E_CORRUPT);
        if (status == PB_E_CORRUPT && ops[i].run != op_verify && ops[i].run != op_removals)
            check_refusal(&room, place);
        room_done(&room);
    }
}

/* ---- damage ---- */

/* What comes of damage somewhere in a table's index. */
enum {
    TOLD_OF_KEYS = 1, /* to a question */
    TOLD_OF_OFFSETS = 2,
    REFUSED = 4, /* by a merge */
    MENDED = 8,  /* by one that needs nothing of it */
};

static const struct {
    const char *name;
    unsigned outcomes;
} tables[PB_TABLE_COUNT] = {
    [PB_TABLE_READS] = { "reads", TOLD_OF_KEYS | TOLD_OF_OFFSETS | REFUSED | MENDED },
    [PB_TABLE_PLATES] = { "plates", TOLD_OF_KEYS | TOLD_OF_OFFSETS | REFUSED | MENDED },
    [PB_TABLE_LONG] = { "long", TOLD_OF_OFFSETS | REFUSED },
    [PB_TABLE_PLACES] = { "places", TOLD_OF_KEYS | TOLD_OF_OFFSETS | REFUSED },
    /* Reads that are appended are looked up in it. */
    [PB_TABLE_EVENTS] = { "events", MENDED },
    [PB_TABLE_ALTERNATES] = { "alternates", TOLD_OF_KEYS | TOLD_OF_OFFSETS | MENDED },
    [PB_TABLE_POSTINGS] = { "postings", TOLD_OF_OFFSETS | MENDED },
    [PB_TABLE_COMMITS] = { "commits", TOLD_OF_OFFSETS | REFUSED },
};

/* Flips the highest bit of a byte, or zeroes some. */
static unsigned
try_damage(struct sim_fs *whole, const struct place *place, uint64_t at, uint64_t zeroed)
{
    const struct told told = { .file = FIRST, .offset = place->offset };
    struct sim_fs *fs = sim_fs_clone(whole);
    struct store_room room;
    unsigned outcomes = 0;

    if (zeroed != 0)
        assert_true(sim_fs_zero(fs, FIRST, at, zeroed));
    else
        assert_true(sim_fs_flip_bit(fs, FIRST, at * 8 + 7));
    room_init_on(&room, sim_fs_clone(fs));
    check_verify(&room, &told);
    room_open(&room);
    if (check_answers(&room, &told))
        outcomes |= at < place->keys ? TOLD_OF_OFFSETS : TOLD_OF_KEYS;
    outcomes |= check_merge(&room, &told) ? MENDED : REFUSED;
    room_done(&room);
    check_ops(fs, &told);
    sim_fs_free(fs);
    return outcomes;
}

static void
what_a_damaged_index_says_is_never_believed(void **state)
{
    struct sim_fs *fs = make_store();
    struct place places[PB_TABLE_COUNT];

    (void)state;
    ask_before(fs);
    find_places(fs, FIRST, places);
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        const struct place *place = &places[t];
        unsigned outcomes = 0;

        assert_true(place->bytes != 0);
        for (uint64_t at = 3; at < place->bytes; at += 4)
            outcomes |= try_damage(fs, place, place->offset + at, 0);
        outcomes |= try_damage(fs, place, place->offset, place->bytes);
        if (outcomes != tables[t].outcomes)
            fail_msg("%s: %u", tables[t].name, outcomes);
    }
    sim_fs_free(fs);
}

static void
a_merge_refuses_whichever_of_its_segments_is_damaged(void **state)
{
    static const char *const paths[] = { FIRST, SECOND };
    struct sim_fs *fs = make_store();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct told told = { .file = paths[i] };
        struct place places[PB_TABLE_COUNT];
        struct store_room room;

        find_places(fs, paths[i], places);
        told.offset = places[PB_TABLE_PLACES].offset;
        room_init_on(&room, sim_fs_clone(fs));
        assert_true(sim_fs_flip_bit(room.fs, paths[i], told.offset * 8));
        room_open(&room);
        room_expect(&room, PB_E_CORRUPT, op_merge(&room), "merge");
        check_refusal(&room, &told);
        room_done(&room);
    }
    sim_fs_free(fs);
}

static void
a_file_that_ends_within_its_indexes_does_not_open(void **state)
{
    struct sim_fs *fs = make_store();
    struct place places[PB_TABLE_COUNT];

    (void)state;
    find_places(fs, FIRST, places);
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        struct store_room room;

        room_init_on(&room, sim_fs_clone(fs));
        assert_true(sim_fs_truncate(room.fs, FIRST, places[t].offset + places[t].bytes / 2));
        room_expect(&room, PB_E_CORRUPT,
                    pb_store_open(room.env, ROOM_PATH, NULL, &room.store, &room.error), "open");
        assert_non_null(strstr(room.error.message, FIRST));
        room_done(&room);
    }
    sim_fs_free(fs);
}

/* The last block of reads is said to begin with the first plate of all: who looks for the plate of
 * a row does not look at all the others first. */
static void
a_plate_is_looked_for_near_where_the_index_says(void **state)
{
    enum { READS = 1500 };
    struct place places[PB_TABLE_COUNT];
    struct told told = { .file = FIRST };
    struct store_room room;
    struct pb_query query = room_query("P1499");

    (void)state;
    room_init(&room);
    for (uint32_t i = 0; i < READS; i++) {
        char plate[16];
        struct pb_read read;

        (void)snprintf(plate, sizeof(plate), "P%04u", i);
        read = room_read(plate, "gate", i);
        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_flush(&room);
    room_close(&room);
    find_places(room.fs, FIRST, places);
    told.offset = places[PB_TABLE_READS].offset;
    assert_true(sim_fs_zero(room.fs, FIRST, told.offset + places[PB_TABLE_READS].bytes - 8, 8));
    room_open(&room);
    query.on_damage = note;
    query.damage_context = &told;
    assert_int_equal(0, room_count_query(&room, &query));
    assert_int_equal(1, told.count);
    query = room_query("P0700");
    assert_int_equal(1, room_count_query(&room, &query));
    room_done(&room);
}

/* ---- what was just written ---- */

static struct {
    const struct pb_file_ops *files;
    struct sim_fs *fs;
    uint64_t offset;
} spoiling;

static enum pb_status
spoil_and_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
               struct pb_error *error)
{
    if (mode == PB_OPEN_READ && strcmp(path, FIRST) == 0)
        assert_true(sim_fs_flip_bit(spoiling.fs, FIRST, spoiling.offset * 8));
    return spoiling.files->open(context, path, mode, ret_file, error);
}

static void
begin_to_flush(struct store_room *room)
{
    struct pb_read read = room_read("AB12", "gate", 1);

    room_init(room);
    assert_int_equal(PB_OK, room_append(room, &read));
}

/* What a disk garbles at once takes no other segment's place, nor the log's. */
static void
a_segment_whose_index_is_not_what_was_written_is_not_made_current(void **state)
{
    struct place places[PB_TABLE_COUNT];
    struct pb_file_ops files;
    struct store_room room;

    (void)state;
    begin_to_flush(&room);
    room_flush(&room);
    room_close(&room);
    find_places(room.fs, FIRST, places);
    room_done(&room);
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        const struct told told = { .file = FIRST, .offset = places[t].offset };

        if (places[t].bytes == 0)
            continue;
        begin_to_flush(&room);
        spoiling.files = room.fault.env.files;
        spoiling.fs = room.fs;
        spoiling.offset = places[t].offset;
        files = *spoiling.files;
        files.open = spoil_and_open;
        room.fault.env.files = &files;
        assert_int_equal(PB_E_CORRUPT, pb_store_flush(room.store, &room.error));
        check_refusal(&room, &told);
        room.fault.env.files = spoiling.files;
        room_reopen(&room);
        assert_int_equal(1, room_count(&room, "AB12"));
        room_flush(&room);
        assert_int_equal(1, room_count(&room, "AB12"));
        room_done(&room);
    }
}

/* ---- the log's reads ---- */

/* Two segments with a read each, and a third with a revision of the first one's, whose table of
 * events is damaged in `damaged`; the log has one of each. */
static struct sim_fs *
make_undecided(uint32_t damaged)
{
    static const char *const ids[] = { "e-1", "e-2", "e-3" };
    char path[64];
    struct place places[PB_TABLE_COUNT];
    struct store_room room;
    struct sim_fs *fs = NULL;

    room_init(&room);
    for (uint32_t i = 0; i < 6; i++) {
        struct pb_read read = room_event(i < 3 ? "OLDER" : "NEWER", ids[i % 3], i / 3 + 1);

        assert_int_equal(PB_OK, room_append(&room, &read));
        if (i < 3)
            room_flush(&room);
    }
    room_close(&room);
    fs = sim_fs_clone(room.fs);
    room_done(&room);
    (void)snprintf(path, sizeof(path), ROOM_PATH "/segments/%08u.seg", damaged);
    find_places(fs, path, places);
    assert_true(sim_fs_flip_bit(fs, path, places[PB_TABLE_EVENTS].keys * 8));
    return fs;
}

static enum pb_status
act_read(struct store_room *room, void *context)
{
    (void)context;
    return room_open_skipping(room);
}

static void
note_segment(void *context, const char *file, uint64_t offset, const char *what)
{
    struct told *told = context;

    assert_string_equal(told->file, file);
    assert_true(offset == 0 && what[0] != '\0');
    told->count++;
}

static void
check_undecided(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_query query = room_query("*");
    struct told told = { .file = context };

    if (status != PB_OK)
        room_expect(room, PB_OK, act_read(room, context), "open again");
    query.on_damage = note_segment;
    query.damage_context = &told;
    query.with_superseded = true;
    assert_int_equal(5, room_count_query(room, &query));
    assert_int_equal(1, told.count);
    assert_int_equal(3, room_count(room, "NEWER"));
    assert_int_equal(0, room_count(room, "OLDER"));
    room_close(room);
}

static void
a_reader_leaves_out_the_segment_that_cannot_judge_the_log(void **state)
{
    (void)state;
    for (uint32_t damaged = 1; damaged <= 3; damaged++) {
        char path[64];
        struct sweep sweep = { .name = "a reader opens",
                               .fs = make_undecided(damaged),
                               .act = act_read,
                               .check = check_undecided,
                               .context = path };
        struct store_room room;

        (void)snprintf(path, sizeof(path), ROOM_PATH "/segments/%08u.seg", damaged);
        sweep_all(&sweep);
        /* Who writes would take the revision for a read of its own. */
        room_init_on(&room, sim_fs_clone(sweep.fs));
        room_expect(&room, PB_E_CORRUPT,
                    pb_store_open(room.env, ROOM_PATH, NULL, &room.store, &room.error), "open");
        assert_non_null(strstr(room.error.message, path));
        room_done(&room);
        sim_fs_free(sweep.fs);
    }
}

/* ---- threads ---- */

struct looker {
    struct store_room *room;
    pthread_barrier_t *barrier;
    pthread_t thread;
    struct answer answers[QUESTIONS];
};

static void *
look(void *context)
{
    struct looker *looker = context;
    struct store_room room = { .store = looker->room->store };

    (void)pthread_barrier_wait(looker->barrier);
    for (size_t q = 0; q < QUESTIONS; q++)
        find(&room, q, NULL, &looker->answers[q]);
    return NULL;
}

static void
any_thread_may_be_the_first_to_look_at_an_index(void **state)
{
    static struct looker lookers[3];
    struct sim_fs *fs = make_store();

    (void)state;
    ask_before(fs);
    for (int round = 0; round < 5; round++) {
        pthread_barrier_t barrier;
        struct store_room room;

        room_init_on(&room, sim_fs_clone(fs));
        room.base.now_us = room_now_us;
        room.base.clock_context = &room.now_us;
        room.env = &room.base; /* what makes calls fail is for one thread */
        room_open(&room);
        assert_int_equal(0, pthread_barrier_init(&barrier, NULL, 3));
        for (int i = 0; i < 3; i++) {
            lookers[i].room = &room;
            lookers[i].barrier = &barrier;
            assert_int_equal(0, pthread_create(&lookers[i].thread, NULL, look, &lookers[i]));
        }
        for (int i = 0; i < 3; i++)
            (void)pthread_join(lookers[i].thread, NULL);
        (void)pthread_barrier_destroy(&barrier);
        for (int i = 0; i < 3; i++) {
            for (size_t q = 0; q < QUESTIONS; q++) {
                assert_int_equal(PB_END, lookers[i].answers[q].status);
                assert_int_equal(expected_answers[q].count, lookers[i].answers[q].count);
            }
        }
        room_done(&room);
    }
    sim_fs_free(fs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_damaged_index_says_is_never_believed),
        cmocka_unit_test(a_merge_refuses_whichever_of_its_segments_is_damaged),
        cmocka_unit_test(a_file_that_ends_within_its_indexes_does_not_open),
        cmocka_unit_test(a_plate_is_looked_for_near_where_the_index_says),
        cmocka_unit_test(a_segment_whose_index_is_not_what_was_written_is_not_made_current),
        cmocka_unit_test(a_reader_leaves_out_the_segment_that_cannot_judge_the_log),
        cmocka_unit_test(any_thread_may_be_the_first_to_look_at_an_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
