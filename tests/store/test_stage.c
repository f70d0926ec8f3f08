/*
 * Loading through the stage: what goes in is found again, once, whatever fits into memory, also
 * where somebody else stores the same reads meanwhile.
 */
#include "store/sweep.h"

#include <stdio.h>

#include "read/read_maker.h"
#include "store/local/local.h"

#define READS 60000u
#define PLATES 3000u
#define SMALL_BYTES (UINT64_C(28) << 20) /* less than what the reads of one month take */
#define MIDDLE_BYTES (UINT64_C(96) << 20) /* the same of large rows, and more than names take */

/* Read n of the load: plates, months, readers, keeping times and what else rows can have, in every
 * mixture. Texts lie in room. */
struct made {
    char plate[PB_PLATE_BYTES_MAX + 1], reader[24], model[24], raw[24];
    struct pb_alternate alternate;
    struct pb_image_ref images[3];
};

/* The files that lanes put rows into, when they were opened; and what else is done when files are
 * synced. */
static struct {
    const struct pb_file_ops *files;
    struct pb_file_ops own;
    uint32_t stage_files;
    void (*on_sync)(void);
} spy;

static enum pb_status
spy_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
         struct pb_error *error)
{
    spy.stage_files += strstr(path, ".stage") != NULL;
    return spy.files->open(context, path, mode, ret_file, error);
}

static enum pb_status
spy_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    if (spy.on_sync != NULL)
        spy.on_sync();
    return spy.files->sync(context, file, error);
}

static void
spy_on(struct store_room *room)
{
    spy.files = room->fault.env.files;
    spy.own = *spy.files;
    spy.own.open = spy_open;
    spy.own.sync = spy_sync;
    spy.stage_files = 0;
    spy.on_sync = NULL;
    room->fault.env.files = &spy.own;
}

static enum load_shape {
    MIXED,
    ONE_MONTH,     /* and each read has an image, so that rows are large */
    FEW_ELSEWHERE, /* and each read has three, and there are many readers and vehicles; few reads,
                    * the first and those of some plates, are of another month */
} shape;

static struct pb_read
make_read(uint32_t n, struct made *room)
{
    static const char image[] =
        "0123456789012345678901234567890123456789012345678901234567890123456"
        "7890123456789012345678901234567890123456789012345678901234567890123"
        "4567890123456789012345678901234567890123456789012345678901234567890";
    static const char *const words[] = { "", "ford", "toyota", "red", "suv" };
    uint64_t random = n * UINT64_C(2654435761) + 1;
    uint32_t plate = (uint32_t)maker_below(&random, PLATES);
    struct pb_read read = room_read("", "", (int64_t)n);

    (void)snprintf(room->plate, sizeof(room->plate),
                   plate % 50 == 0 ? "LONGERTHANCODES%05u" : "%04XS", plate * 21);
    (void)snprintf(room->reader, sizeof(room->reader), "reader-%u",
                   (unsigned)maker_below(&random, 90));
    read.plate = pb_str_from(room->plate);
    read.reader = pb_str_from(room->reader);
    if (shape == FEW_ELSEWHERE) {
        (void)snprintf(room->reader, sizeof(room->reader), "reader-%u", n / 4);
        read.reader = pb_str_from(room->reader);
        (void)snprintf(room->model, sizeof(room->model), "model-%u", n % 701);
        read.model = pb_str_from(room->model);
    }
    if (shape == MIXED || (shape == FEW_ELSEWHERE && (plate < 30 || n == 0)))
        read.captured_at_us += (int64_t)(shape == MIXED ? plate % 3 : 1) * 40 * ROOM_DAY_US;
    read.jurisdiction = (uint16_t)(n % 7 == 0 ? 5 : 0);
    read.lat_e7 += n % 5 == 0 ? (int32_t)maker_below(&random, 100000) : 0;
    read.make = pb_str_from(words[maker_below(&random, 3)]);
    read.color = pb_str_from(words[maker_below(&random, 2) * 3]);
    read.year = (uint16_t)(n % 11 == 0 ? 2015 : 0);
    read.revision = n % 31 == 0 ? 2 : 0;
    read.is_revisable = n % 31 == 0;
    /* Few keeping times, for ever, and more of them than are numbered. */
    if (shape != MIXED) {
        read.images = room->images;
        read.image_count = shape == ONE_MONTH ? 1 : 3;
        for (uint32_t i = 0; i < read.image_count; i++)
            room->images[i] = (struct pb_image_ref){ PB_IMAGE_SCENE, pb_str_from(image) };
    } else if (plate % 4 == 1) {
        read.delete_after_us = read.captured_at_us + (plate % 3 + 1) * 100 * ROOM_DAY_US;
    } else if (plate % 4 == 2) {
        read.delete_after_us = read.captured_at_us + 300 * ROOM_DAY_US - n;
    }
    if (n % 13 == 0) {
        (void)snprintf(room->raw, sizeof(room->raw), "raw-%u", n);
        read.plate_raw = pb_str_from(room->raw);
    }
    if (n % 17 == 0) {
        room->alternate = (struct pb_alternate){ pb_str_from("ALT9"), PB_NO_CONFIDENCE };
        read.alternates = &room->alternate;
        read.alternate_count = 1;
    }
    return read;
}

static void
open_with(struct store_room *room, uint64_t memory_bytes)
{
    struct pb_store_options options = { .memory_bytes = memory_bytes };

    room_close(room);
    room_expect(room, PB_OK,
                pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error), "open");
}

/* Adds reads [first, end) to the lanes in turn, some together and some twice; returns how many were
 * added twice. */
static uint32_t
add_reads(struct store_room *room, struct pb_loader *loader, unsigned lanes, uint32_t first,
          uint32_t end)
{
    uint32_t twice = 0;

    for (uint32_t n = first; n < end; n++) {
        struct made made[2];
        struct pb_read reads[2] = { make_read(n, &made[0]), make_read(n, &made[1]) };
        size_t count = n % 19 == 0 ? 2 : 1;

        twice += count == 2;
        room_expect(room, PB_OK,
                    pb_lane_add(pb_loader_lane(loader, n % lanes), reads, count, &room->error),
                    "add");
    }
    return twice;
}

/* Every read [0, end) is there, once, as it was. */
static void
expect_all(struct store_room *room, uint32_t end)
{
    static uint8_t found[READS];
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    uint32_t count = 0;
    enum pb_status status;

    memset(found, 0, sizeof(found));
    query.without_alternates = true;
    room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error), "search");
    for (;;) {
        struct pb_result result;
        struct pb_read expected;
        struct made made;
        int64_t n = 0;

        status = pb_cursor_next(cursor, &result, &room->error);
        if (status != PB_OK)
            break;
        n = (result.read.captured_at_us - ROOM_START_US) / ROOM_SECOND_US % (40 * 86400);
        assert_in_range(n, 0, end - 1);
        expected = make_read((uint32_t)n, &made);
        assert_true(pb_read_same_content(&expected, &result.read));
        assert_int_equal(expected.delete_after_us, result.read.delete_after_us);
        assert_int_equal(0, found[n]++);
        count++;
    }
    room_expect(room, PB_END, status, "next");
    pb_cursor_free(cursor);
    assert_int_equal(end, count);
}

/* The segment of the few rows knows their readers and vehicles, and no others. */
static void
expect_own_names(struct store_room *room)
{
    const struct pb_version *version = room->store->version;
    const struct pb_segment *few = NULL, *many = NULL;
    bool is_first = false;

    assert_int_equal(2, version->segment_count);
    is_first =
        version->segments[0]->segment->entry.rows < version->segments[1]->segment->entry.rows;
    few = version->segments[!is_first]->segment;
    many = version->segments[is_first]->segment;
    assert_true(few->names.context_count <= few->entry.rows);
    assert_true(few->names.context_count < many->names.context_count / 10);
    assert_true(few->names.vehicle_count < many->names.vehicle_count);
}

/* With the least memory the stage is written again and again; with some, rows go to the lanes'
 * files; with much, all stays in memory. */
static void
what_is_loaded_is_found_whatever_fits_into_memory(void **state)
{
    static const struct {
        uint64_t memory_bytes;
        unsigned lanes;
        enum load_shape shape;
        bool by_lane, spills;
    } cases[] = {
        { 1, 2, MIXED, false, false },
        { SMALL_BYTES, 1, MIXED, false, false },
        { SMALL_BYTES, 1, ONE_MONTH, false, true },
        { SMALL_BYTES, 2, ONE_MONTH, false, true },
        { UINT64_C(1) << 30, 2, MIXED, false, false },
        { UINT64_C(1) << 30, 3, MIXED, true, false },
        { MIDDLE_BYTES, 2, FEW_ELSEWHERE, false, true },
        { UINT64_C(1) << 30, 2, FEW_ELSEWHERE, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_room room;
        struct pb_load_counts counts;
        struct pb_store_stats stats;
        struct pb_loader *loader = NULL;
        uint32_t twice = 0;

        shape = cases[i].shape;
        room_init(&room);
        room_close(&room);
        spy_on(&room);
        open_with(&room, cases[i].memory_bytes);
        loader = room_loader(&room, cases[i].lanes);
        twice = add_reads(&room, loader, cases[i].lanes, 0, READS);
        for (unsigned lane = 0; cases[i].by_lane && lane < cases[i].lanes; lane++)
            room_expect(&room, PB_OK, pb_lane_finish(pb_loader_lane(loader, lane), &room.error),
                        "finish a lane");
        room_expect(&room, PB_OK, pb_loader_finish(loader, &room.error), "finish");
        pb_loader_counts(loader, &counts);
        assert_int_equal(READS, counts.stored);
        assert_int_equal(twice, counts.duplicate);
        assert_int_equal(0, counts.conflict + counts.rejected);
        pb_loader_free(loader);
        expect_all(&room, READS);
        assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
        if (cases[i].memory_bytes > SMALL_BYTES || cases[i].shape != MIXED)
            assert_int_equal(cases[i].spills ? cases[i].lanes : 0, spy.stage_files);
        if (cases[i].memory_bytes > SMALL_BYTES || cases[i].spills)
            assert_int_equal(stats.partitions, stats.segments);
        if (cases[i].shape == FEW_ELSEWHERE)
            expect_own_names(&room);

        /* The same again changes nothing. */
        loader = room_loader(&room, cases[i].lanes);
        (void)add_reads(&room, loader, cases[i].lanes, 0, READS);
        room_expect(&room, PB_OK, pb_loader_finish(loader, &room.error), "finish again");
        pb_loader_counts(loader, &counts);
        assert_int_equal(0, counts.stored);
        assert_int_equal(READS + twice, counts.duplicate);
        pb_loader_free(loader);
        room_reopen(&room);
        expect_all(&room, READS);
        room_done(&room);
    }
}

static void
a_load_that_is_dropped_stores_nothing_and_leaves_nothing(void **state)
{
    struct store_room room;
    struct pb_loader *loader = NULL;

    (void)state;
    shape = ONE_MONTH;
    room_init(&room);
    open_with(&room, SMALL_BYTES);
    loader = room_loader(&room, 2);
    (void)add_reads(&room, loader, 2, 0, READS);
    pb_loader_free(loader);
    expect_all(&room, 0);
    room_done(&room);
}

/* With so many lanes each may have few. */
static void
a_stage_is_written_before_its_lanes_have_more_names_than_a_segment_may(void **state)
{
    enum { COUNT = 80000, LANES = 16 };
    struct pb_load_counts counts;
    struct pb_store_stats stats;
    struct pb_loader *loader = NULL;
    struct store_room room;

    (void)state;
    room_init(&room);
    open_with(&room, UINT64_C(4) << 30);
    loader = room_loader(&room, LANES);
    for (uint32_t n = 0; n < COUNT; n++) {
        char words[4][PB_VEHICLE_TEXT_BYTES_MAX + 1];
        struct pb_read read = room_read("AB12", "gate", n);

        for (uint32_t w = 0; w < 4; w++)
            (void)snprintf(words[w], sizeof(words[w]), "%048u", 4 * n + w);
        read.make = pb_str_from(words[0]);
        read.model = pb_str_from(words[1]);
        read.color = pb_str_from(words[2]);
        read.body = pb_str_from(words[3]);
        room_expect(&room, PB_OK, pb_lane_add(pb_loader_lane(loader, 3), &read, 1, &room.error),
                    "add");
    }
    room_expect(&room, PB_OK, pb_loader_finish(loader, &room.error), "finish");
    pb_loader_counts(loader, &counts);
    assert_int_equal(COUNT, counts.stored);
    pb_loader_free(loader);
    assert_int_equal(PB_OK, pb_store_stats(room.store, &stats, &room.error));
    assert_int_equal(2, stats.segments);
    assert_int_equal(COUNT, room_count(&room, "AB12"));
    room_done(&room);
}

/* ---- what others store meanwhile ---- */

/* Stores some of the reads when the first segment is synced: when the stage is as good as written
 * and not current yet. */
static struct {
    struct store_room *room;
    uint32_t same, other;
} meddler;

static void
meddle(void)
{
    spy.on_sync = NULL;
    for (uint32_t n = 0; n < READS; n += 100) {
        struct made made;
        struct pb_read read = make_read(n, &made);
        enum pb_status answer = PB_E_IO;

        /* Each third one says something else of its read. */
        if (n % 300 == 0)
            read.speed_ckmh = 7;
        assert_int_equal(PB_OK, pb_store_append(meddler.room->store, &read, 1, &answer,
                                                &meddler.room->error));
        assert_int_equal(PB_OK, answer);
        meddler.same += n % 300 != 0;
        meddler.other += n % 300 == 0;
    }
}

static void
note_conflict(void *context, const struct pb_read *read, enum pb_status why, const char *reason)
{
    assert_int_equal(PB_CONFLICT, why);
    assert_true(read->reader.bytes > 0 && read->plate.bytes > 0);
    assert_non_null(reason);
    ++*(uint32_t *)context;
}

static void
reads_that_come_while_a_stage_is_written_are_not_stored_twice(void **state)
{
    struct store_room room;
    struct pb_load_counts counts;
    struct pb_loader *loader = NULL;
    struct pb_query query = room_query("*");
    uint32_t conflicts = 0;

    (void)state;
    shape = MIXED;
    room_init(&room);
    room_close(&room);
    spy_on(&room);
    meddler.room = &room;
    open_with(&room, UINT64_C(1) << 30);
    room_expect(&room, PB_OK,
                pb_loader_new(room.store, 2, note_conflict, &conflicts, &loader, &room.error),
                "loader");
    (void)add_reads(&room, loader, 2, 0, READS);
    spy.on_sync = meddle;
    room_expect(&room, PB_OK, pb_loader_finish(loader, &room.error), "finish");
    assert_true(meddler.same > 0 && meddler.other > 0);
    pb_loader_counts(loader, &counts);
    assert_int_equal(READS - meddler.same - meddler.other, counts.stored);
    assert_int_equal(meddler.other, counts.conflict);
    assert_int_equal(meddler.other, conflicts);
    pb_loader_free(loader);
    query.without_alternates = true;
    assert_int_equal(READS, room_count_query(&room, &query));
    room_reopen(&room);
    assert_int_equal(READS, room_count_query(&room, &query));
    room_done(&room);
}

/* ---- faults ---- */

/* Loads with files in use, and with one call failing; what was said to be stored is found. */
static uint64_t
load_with_fault(uint64_t allocation, uint64_t file_call)
{
    struct store_room room;
    struct pb_loader *loader = NULL;
    uint64_t failures = 0;
    enum pb_status status = PB_OK;

    shape = ONE_MONTH;
    room_init(&room);
    open_with(&room, SMALL_BYTES);
    loader = room_loader(&room, 2);
    room.fault.file_call_count = 0;
    room.fault.allocation_count = 0;
    room.fault.fail_allocation_at = allocation;
    room.fault.fail_file_call_at = file_call;
    for (uint32_t n = 0; n < READS && status == PB_OK; n++) {
        struct made made;
        struct pb_read read = make_read(n, &made);

        status = pb_lane_add(pb_loader_lane(loader, n % 2), &read, 1, &room.error);
    }
    if (status == PB_OK)
        status = pb_loader_finish(loader, &room.error);
    failures = room.fault.failure_count;
    room.fault.fail_allocation_at = 0;
    room.fault.fail_file_call_at = 0;
    pb_loader_free(loader);
    assert_true(failures > 0 || status == PB_OK);
    room_reopen(&room);
    if (status == PB_OK)
        expect_all(&room, READS);
    else
        assert_true(room_count(&room, "0000S") < READS);
    room_done(&room);
    return failures;
}

static void
a_fault_while_a_stage_is_filled_or_written_leaves_a_sound_store(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        uint64_t at = 1;

        while (load_with_fault(kind == 0 ? at : 0, kind == 1 ? at : 0) > 0)
            at += 1 + at / 3;
        assert_in_range(at, 20, 100000);
    }
}

/* So few reads are enough for a stage that is written, and not too many to be loaded often. */
#define SWEPT_READS 8300u

static void
fill_stage(struct store_room *room, void *context)
{
    struct pb_loader **loader = context;

    shape = FEW_ELSEWHERE;
    room_create(room);
    *loader = room_loader(room, 1);
    (void)add_reads(room, *loader, 1, 0, SWEPT_READS);
}

static enum pb_status
act_finish(struct store_room *room, void *context)
{
    return pb_loader_finish(*(struct pb_loader **)context, &room->error);
}

static void
check_finished(struct store_room *room, void *context, enum pb_status status)
{
    pb_loader_free(*(struct pb_loader **)context);
    room_reopen(room);
    if (status == PB_OK) {
        expect_own_names(room);
        expect_all(room, SWEPT_READS);
    } else {
        (void)room_count(room, "0000S");
    }
}

static void
few_rows_are_written_with_their_names_or_the_load_fails(void **state)
{
    struct pb_loader *loader = NULL;
    const struct sweep sweep = { .name = "few rows",
                                 .prepare = fill_stage,
                                 .act = act_finish,
                                 .check = check_finished,
                                 .context = &loader,
                                 .is_once_only = true };

    (void)state;
    sweep_all(&sweep);
}

/* The few rows are the first that are read back from the lanes' files. */
static void
few_rows_that_cannot_be_read_back_end_the_load(void **state)
{
    struct store_room room;
    struct pb_loader *loader = NULL;

    (void)state;
    shape = FEW_ELSEWHERE;
    room_init(&room);
    open_with(&room, MIDDLE_BYTES);
    loader = room_loader(&room, 2);
    (void)add_reads(&room, loader, 2, 0, READS);
    room.fault.fail_file_mask = FAULT_READ;
    room.fault.file_call_count = 0;
    room.fault.fail_file_call_at = 1;
    assert_int_equal(PB_E_IO, pb_loader_finish(loader, &room.error));
    room.fault.fail_file_call_at = 0;
    pb_loader_free(loader);
    expect_all(&room, 0);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_loaded_is_found_whatever_fits_into_memory),
        cmocka_unit_test(a_load_that_is_dropped_stores_nothing_and_leaves_nothing),
        cmocka_unit_test(a_stage_is_written_before_its_lanes_have_more_names_than_a_segment_may),
        cmocka_unit_test(reads_that_come_while_a_stage_is_written_are_not_stored_twice),
        cmocka_unit_test(a_fault_while_a_stage_is_filled_or_written_leaves_a_sound_store),
        cmocka_unit_test(few_rows_are_written_with_their_names_or_the_load_fails),
        cmocka_unit_test(few_rows_that_cannot_be_read_back_end_the_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
