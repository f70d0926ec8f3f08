/*
 * Writer of segments: what it cannot write it says, whatever fails, and leaves no file; names and
 * blocks may be as large as they come.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "plate/plate_code.h"
#include "read/read_maker.h"
#include "store/failing_zstd.h"
#include "store/local/extras.h"
#include "store/local/segment_write_private.h"

#define FILE_PATH ROOM_PATH "/segments/00000007.seg"

static const uint8_t store_id[PB_STORE_ID_BYTES] = "a writer's test";

static struct sim_fs *
make_disk(void)
{
    static const char *const paths[] = { ROOM_PATH, ROOM_PATH "/segments", ROOM_PATH "/tmp" };
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_int_equal(PB_OK, env.files->mkdir(env.file_context, paths[i], NULL));
    return fs;
}

static enum pb_status
new_writer_within(const struct pb_env *env, struct pb_names *names, struct pb_crew *crew,
                  size_t memory_bytes, struct pb_segment_writer **ret_writer,
                  struct pb_error *error)
{
    const struct pb_segment_options options = { .directory = ROOM_PATH,
                                                .store_id = store_id,
                                                .number = 7,
                                                .month = 682,
                                                .retention_days = UINT32_MAX,
                                                .names = names,
                                                .memory_bytes = memory_bytes,
                                                .crew = crew };

    return pb_segment_writer_new(env, &options, ret_writer, error);
}

static enum pb_status
new_writer(const struct pb_env *env, struct pb_names *names, struct pb_crew *crew,
           struct pb_segment_writer **ret_writer, struct pb_error *error)
{
    return new_writer_within(env, names, crew, 0, ret_writer, error);
}

/* One reader of many contexts, which differ by what they report of vehicles. */
static enum pb_status
make_names(struct pb_names *names, const struct pb_env *env, bool has_position)
{
    struct pb_context context = { .lat_e7 = has_position ? 5 : PB_NO_POSITION,
                                  .lon_e7 = has_position ? 5 : PB_NO_POSITION };
    uint32_t number = 0;
    enum pb_status status = pb_names_init(names, env);

    if (status == PB_OK)
        status = pb_names_text(names, pb_str_from("gate-1"), &context.reader);
    for (unsigned reports = 0; reports < 64 && status == PB_OK; reports++) {
        context.reports = (uint8_t)reports;
        status = pb_names_context(names, &context, &number);
    }
    return status;
}

/* The i-th plate in order. */
static void
put_plate(struct pb_segment_writer *writer, uint32_t i)
{
    char text[16];
    struct pb_str plate = { text, (uint32_t)snprintf(text, sizeof(text), "P%07u", i) };

    pb_segment_writer_plate(writer, pb_plate_code(plate), plate, 0);
}

static struct pb_row
some_row(uint32_t i)
{
    return (struct pb_row){ .captured_us = ROOM_START_US + (int64_t)i,
                            .flags = PB_ROW_NEVER,
                            .speed_code = 100 };
}

/* ---- faults ---- */

#define ROWS 17000u /* more than a ring of blocks, whose bytes do not fit into memory at once */

/* Extras that hardly compress, whose alternates do not fit into memory either. */
static void
put_extras(uint32_t i, uint64_t *random, uint8_t bytes[PB_EXTRAS_BYTES_MAX], struct pb_row *row)
{
    char text[PB_PLATE_RAW_BYTES_MAX];
    char plate[PB_PLATE_BYTES_MAX];
    const struct pb_alternate alternate = { { plate, sizeof(plate) }, PB_NO_CONFIDENCE };
    struct pb_read read;

    for (size_t b = 0; b < sizeof(text); b += 8)
        pb_put_le64((uint8_t *)text + b, maker_random(random));
    memcpy(plate, text, sizeof(plate));
    pb_read_init(&read);
    read.plate_raw = (struct pb_str){ text, sizeof(text) };
    if (i % 8 == 0) {
        read.alternates = &alternate;
        read.alternate_count = 1;
    }
    row->extras = bytes;
    row->extras_bytes = (uint32_t)pb_extras_encode(&read, bytes);
    row->flags |= PB_ROW_EXTRAS;
}

/* A writer with its names and its only commit. What was begun is ended whatever came of it. */
static enum pb_status
begin_segment(const struct pb_env *env, struct pb_crew *crew, bool has_position,
              size_t memory_bytes, struct pb_names *names, struct pb_segment_writer **ret_writer,
              struct pb_error *error)
{
    enum pb_status status = make_names(names, env, has_position);

    if (status == PB_OK)
        status = new_writer_within(env, names, crew, memory_bytes, ret_writer, error);
    return status == PB_OK ? pb_segment_writer_commit(*ret_writer, 1, 0, error) : status;
}

static enum pb_status
end_segment(struct pb_segment_writer *writer, struct pb_names *names, enum pb_status status,
            struct pb_segment_entry *ret_entry, struct pb_error *error)
{
    if (status == PB_OK)
        status = pb_segment_writer_finish(writer, ret_entry, error);
    pb_segment_writer_free(writer);
    pb_names_done(names);
    return status;
}

static enum pb_status
write_segment(const struct pb_env *env, struct pb_crew *crew, bool has_position,
              struct pb_segment_entry *ret_entry, struct pb_error *error)
{
    struct pb_segment_writer *writer = NULL;
    struct pb_names names = { 0 };
    uint64_t random = 3;
    enum pb_status status = begin_segment(env, crew, has_position, 0, &names, &writer, error);

    for (uint32_t i = 0; i < ROWS && status == PB_OK; i++) {
        uint8_t bytes[PB_EXTRAS_BYTES_MAX];
        struct pb_row row = some_row(i);

        put_extras(i, &random, bytes, &row);
        if (i % 4 == 0)
            put_plate(writer, i);
        status = pb_segment_writer_row(writer, &row, error);
    }
    return end_segment(writer, &names, status, ret_entry, error);
}

static void
check_segment(const struct pb_env *env, const struct pb_segment_entry *entry)
{
    struct pb_segment *segment = NULL;
    struct pb_error error = { .message = "" };
    int64_t captured_us = 0;

    if (pb_segment_open(env, ROOM_PATH, store_id, entry, &segment, &error) != PB_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ROWS, segment->tables[PB_TABLE_READS].rows);
    assert_int_equal((ROWS + 7) / 8, segment->tables[PB_TABLE_POSTINGS].rows);
    assert_int_equal(PB_OK, pb_segment_time(segment, ROWS - 1, &captured_us, &error));
    assert_int_equal(ROOM_START_US + ROWS - 1, captured_us);
    pb_segment_close(segment);
}

enum fault_kind { FAULT_OF_MEMORY, FAULT_OF_FILES, FAULT_OF_COMPRESSION };

/* Fails the call of that number; whether there are so many. */
static bool
fails_at(enum fault_kind kind, bool has_crew, uint64_t at)
{
    struct sim_fs *fs = make_disk();
    struct pb_env base = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_segment_entry entry = { 0 };
    struct pb_crew *crew = NULL;
    struct fault_env fault;
    uint64_t calls_before = failing_zstd.calls;
    uint64_t size = 0;
    bool has_failed = false;
    enum pb_status status = PB_OK;

    if (has_crew) /* without helpers: who waits does all, so that calls come in one order */
        assert_int_equal(PB_OK, pb_crew_new(&base, 0, &crew));
    fault_env_init(&fault, &base);
    fault.fail_allocation_at = kind == FAULT_OF_MEMORY ? at : 0;
    fault.fail_file_call_at = kind == FAULT_OF_FILES ? at : 0;
    failing_zstd.fail_at = kind == FAULT_OF_COMPRESSION ? calls_before + at : 0;
    /* Without places the last blocks are those that are compressed. */
    status = write_segment(&fault.env, crew, kind != FAULT_OF_COMPRESSION, &entry, &error);
    failing_zstd.fail_at = 0;
    has_failed = fault.failure_count != 0 ||
                 (kind == FAULT_OF_COMPRESSION && failing_zstd.calls >= calls_before + at);
    if (status == PB_OK) {
        /* A file of its own that cannot be deleted is no matter. */
        assert_true(!has_failed || kind == FAULT_OF_FILES);
        check_segment(&base, &entry);
    } else {
        assert_true(has_failed);
        assert_int_equal(kind == FAULT_OF_FILES ? PB_E_IO : PB_E_NOMEM, status);
        assert_false(sim_fs_file_size(fs, FILE_PATH, &size));
    }
    assert_true(fault_env_is_clean(&fault));
    pb_crew_free(crew);
    sim_fs_free(fs);
    return has_failed;
}

static void
a_segment_that_cannot_be_written_leaves_no_file(void **state)
{
    (void)state;
    for (int kind = FAULT_OF_MEMORY; kind <= FAULT_OF_COMPRESSION; kind++) {
        for (int has_crew = 0; has_crew < 2; has_crew++) {
            uint64_t at = 1;

            while (fails_at((enum fault_kind)kind, has_crew, at))
                at += kind == FAULT_OF_FILES ? 1 : 1 + at / (kind == FAULT_OF_MEMORY ? 20 : 2);
            assert_in_range(at, kind == FAULT_OF_FILES ? 6 : 20, 2000);
        }
    }
}

/* ---- indexes ---- */

#define INDEX_PATH ROOM_PATH "/tmp/00000007.index"
#define MANY_PLATES 200000u /* whose keys take some chunks */
#define INDEX_FITS ((size_t)64 << 20)

struct spill {
    struct sim_fs *fs;
    bool was_there;
};

/* Whether the index ever waits in a file. */
static void
note_spill(void *context, enum fault_operation operation)
{
    struct spill *spill = context;
    uint64_t size = 0;

    (void)operation;
    if (sim_fs_file_size(spill->fs, INDEX_PATH, &size) && size > 0)
        spill->was_there = true;
}

static enum pb_status
write_plates(const struct pb_env *env, size_t memory_bytes, struct pb_segment_entry *ret_entry,
             struct pb_error *error)
{
    struct pb_segment_writer *writer = NULL;
    struct pb_names names = { 0 };
    enum pb_status status = begin_segment(env, NULL, false, memory_bytes, &names, &writer, error);

    for (uint32_t i = 0; i < MANY_PLATES && status == PB_OK; i++) {
        struct pb_row row = some_row(i);

        /* As if the indexes of far more blocks had taken what is given whatever the memory. */
        if (memory_bytes == 0)
            writer->index.slab_at = writer->index.slab_end;
        put_plate(writer, i);
        status = pb_segment_writer_row(writer, &row, error);
    }
    return end_segment(writer, &names, status, ret_entry, error);
}

/* Writes within so much memory; whether its index waited in a file. */
static bool
write_within(size_t memory_bytes, struct pb_segment_entry *ret_entry)
{
    struct sim_fs *fs = make_disk();
    struct pb_env base = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct spill spill = { .fs = fs };
    struct fault_env fault;
    struct pb_segment *segment = NULL;
    struct pb_verify_counts counts = { 0 };

    fault_env_init(&fault, &base);
    fault.meanwhile = note_spill;
    fault.meanwhile_context = &spill;
    assert_int_equal(PB_OK, write_plates(&fault.env, memory_bytes, ret_entry, &error));
    assert_int_equal(PB_OK, pb_segment_open(&base, ROOM_PATH, store_id, ret_entry, &segment,
                                            &error));
    assert_int_equal(PB_OK, pb_segment_verify(segment, NULL, NULL, &counts));
    assert_int_equal(0, counts.damaged);
    pb_segment_close(segment);
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
    return spill.was_there;
}

/* The checksum of an entry goes over those of the indexes. */
static void
an_index_that_does_not_fit_into_memory_is_the_same(void **state)
{
    struct pb_segment_entry in_memory = { 0 }, in_file = { 0 };

    (void)state;
    assert_false(write_within(INDEX_FITS, &in_memory));
    assert_true(write_within(0, &in_file));
    assert_int_equal(in_memory.bytes, in_file.bytes);
    assert_int_equal(in_memory.checksum, in_file.checksum);
}

static void
an_index_that_cannot_be_put_aside_or_read_again_leaves_no_segment(void **state)
{
    uint64_t failures = 0;

    (void)state;
    for (bool goes_on = true; goes_on;) {
        struct sim_fs *fs = make_disk();
        struct pb_env base = sim_fs_env(fs);
        struct pb_error error = { .message = "" };
        struct pb_segment_entry entry = { 0 };
        struct fault_env fault;
        uint64_t size = 0;

        fault_env_init(&fault, &base);
        fault.fail_file_mask = FAULT_READ | FAULT_WRITE;
        fault.fail_file_call_at = ++failures;
        if (write_plates(&fault.env, 0, &entry, &error) == PB_OK) {
            goes_on = false;
            assert_int_equal(0, fault.failure_count);
        } else {
            assert_false(sim_fs_file_size(fs, FILE_PATH, &size));
        }
        assert_false(sim_fs_file_size(fs, INDEX_PATH, &size));
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
    }
    assert_in_range(failures, 10, 500);
}

/* ---- vehicles ---- */

/* Of one plate the rows report something else each: together they are a vehicle that the names do
 * not have yet, and the last one disagrees with the others. */
static enum pb_status
write_vehicles(const struct pb_env *env, uint32_t vehicles_before, struct pb_names *names,
               struct pb_error *error)
{
    static const struct {
        struct pb_vehicle vehicle;
        uint8_t reports;
    } rows[] = {
        { { .make = 1 }, PB_REPORTS_MAKE },
        { { .model = 2 }, PB_REPORTS_MODEL },
        { { .year = 2001 }, PB_REPORTS_YEAR },
        { { .make = 3, .color = 9 }, PB_REPORTS_MAKE },
    };
    struct pb_segment_writer *writer = NULL;
    struct pb_segment_entry entry;
    enum pb_status status = make_names(names, env, false);

    /* Those of the rows, and others to make that many. */
    for (uint32_t i = 0; i < vehicles_before && status == PB_OK; i++) {
        struct pb_vehicle vehicle = { .year = 1000, .year_last = (uint16_t)i };
        uint32_t number = 0;

        status = pb_names_vehicle(names, i < 4 ? &rows[i].vehicle : &vehicle, &number);
    }
    if (status == PB_OK)
        status = new_writer(env, names, NULL, &writer, error);
    if (status == PB_OK)
        status = pb_segment_writer_commit(writer, 1, 0, error);
    if (status == PB_OK)
        put_plate(writer, 1);
    for (uint32_t i = 0; i < 4 && status == PB_OK; i++) {
        struct pb_row row = some_row(i);

        row.vehicle = 1 + i;
        row.context = rows[i].reports;
        status = pb_segment_writer_row(writer, &row, error);
    }
    if (status == PB_OK)
        status = pb_segment_writer_finish(writer, &entry, error);
    pb_segment_writer_free(writer);
    return status;
}

static void
vehicles_that_cannot_be_put_together_for_want_of_memory_are_said(void **state)
{
    static const struct pb_vehicle together = { .make = 1, .model = 2, .year = 2001 };
    static const struct pb_vehicle apart = { .make = 3 };

    (void)state;
    for (uint32_t before = 252; before < 257; before++) {
        enum pb_status status = PB_E_NOMEM;
        uint64_t at = 0;

        while (status != PB_OK) {
            struct sim_fs *fs = make_disk();
            struct pb_env base = sim_fs_env(fs);
            struct pb_names names = { 0 };
            struct fault_env fault;

            fault_env_init(&fault, &base);
            fault.fail_allocation_at = ++at;
            status = write_vehicles(&fault.env, before, &names, NULL);
            assert_int_equal(fault.failure_count == 0 ? PB_OK : PB_E_NOMEM, status);
            if (status == PB_OK) {
                /* One is unknown. */
                assert_int_equal(1 + before + 2, names.vehicle_count);
                assert_true(pb_vehicle_is_equal(&together, &names.vehicles[1 + before]));
                assert_true(pb_vehicle_is_equal(&apart, &names.vehicles[2 + before]));
            }
            pb_names_done(&names);
            assert_true(fault_env_is_clean(&fault));
            sim_fs_free(fs);
        }
        assert_in_range(at, 20, 100);
    }
}

/* ---- what is large ---- */

/* One row, with these names. */
static enum pb_status
write_row(const struct pb_env *env, struct pb_names *names, struct pb_segment_entry *ret_entry,
          struct pb_error *error)
{
    struct pb_segment_writer *writer = NULL;
    struct pb_row row = some_row(0);
    enum pb_status status = new_writer(env, names, NULL, &writer, error);

    if (status == PB_OK)
        status = pb_segment_writer_commit(writer, 1, 0, error);
    if (status == PB_OK) {
        put_plate(writer, 1);
        status = pb_segment_writer_row(writer, &row, error);
    }
    if (status == PB_OK)
        status = pb_segment_writer_finish(writer, ret_entry, error);
    pb_segment_writer_free(writer);
    return status;
}

static void
names_larger_than_what_is_written_at_once_come_back(void **state)
{
    enum { TEXTS = 60000, TEXT_BYTES = 24 };
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_segment *segment = NULL;
    struct pb_segment_entry entry = { 0 };
    struct pb_error error = { .message = "" };
    struct pb_names names = { 0 };
    enum pb_status status = PB_E_IO;
    uint64_t random = 7;
    uint64_t at = 0;

    (void)state;
    assert_int_equal(PB_OK, make_names(&names, &env, false));
    for (int i = 0; i < TEXTS; i++) {
        uint8_t text[TEXT_BYTES];
        uint32_t number = 0;

        for (int b = 0; b < TEXT_BYTES; b += 8)
            pb_put_le64(text + b, maker_random(&random));
        assert_int_equal(PB_OK, pb_names_text(&names, (struct pb_str){ (char *)text, TEXT_BYTES },
                                              &number));
    }
    while (status != PB_OK) {
        struct fault_env fault;
        uint64_t size = 0;

        fault_env_init(&fault, &env);
        fault.fail_file_mask = FAULT_CREATE | FAULT_WRITE | FAULT_SYNC;
        fault.fail_file_call_at = ++at;
        status = write_row(&fault.env, &names, &entry, NULL);
        assert_int_equal(fault.failure_count == 0 ? PB_OK : PB_E_IO, status);
        assert_int_equal(status == PB_OK, sim_fs_file_size(fs, FILE_PATH, &size));
    }
    assert_in_range(at, 5, 10); /* at least two writes */
    assert_true(entry.bytes > TEXTS * TEXT_BYTES);
    assert_int_equal(PB_OK, pb_segment_open(&env, ROOM_PATH, store_id, &entry, &segment, &error));
    assert_int_equal(names.text_count, segment->names.text_count);
    for (uint32_t i = 0; i < names.text_count; i++)
        assert_true(pb_str_equal(names.texts[i], segment->names.texts[i]));
    pb_segment_close(segment);
    pb_names_done(&names);
    sim_fs_free(fs);
}

static void
more_names_than_a_segment_may_have_are_refused(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_segment_entry entry = { 0 };
    struct pb_error error = { .message = "" };
    struct pb_names names = { 0 };
    uint64_t size = 0;

    (void)state;
    assert_int_equal(PB_OK, make_names(&names, &env, false));
    names.context_count = PB_NAMES_BYTES_MAX / 20; /* as if there were so many */
    assert_int_equal(PB_OVER_LIMIT, write_row(&env, &names, &entry, &error));
    assert_non_null(strstr(error.message, "segment 7: the names of its readers and vehicles take "
                                          "more than 256 MiB"));
    assert_false(sim_fs_file_size(fs, FILE_PATH, &size));
    pb_names_done(&names);
    sim_fs_free(fs);
}

/* The plates of 64 blocks are found from one place in the file, in 32 bits. */
static void
plates_whose_rows_take_four_gigabytes_are_refused(void **state)
{
    enum { PLATES_OF_A_BLOCK = 64 };

    (void)state;
    for (uint64_t more = 0; more < 2; more++) {
        struct sim_fs *fs = make_disk();
        struct pb_env env = sim_fs_env(fs);
        struct pb_segment_writer *writer = NULL;
        struct pb_error error = { .message = "" };
        struct pb_names names = { 0 };
        struct pb_row last = some_row(0);

        assert_int_equal(PB_OK, make_names(&names, &env, false));
        assert_int_equal(PB_OK, new_writer(&env, &names, NULL, &writer, &error));
        for (uint32_t i = 0; i < 2 * PLATES_OF_A_BLOCK; i++) {
            struct pb_row row = some_row(i);

            put_plate(writer, i);
            assert_int_equal(PB_OK, pb_segment_writer_row(writer, &row, &error));
            /* As if the rows of this plate took that much. */
            if (i == PLATES_OF_A_BLOCK) {
                writer->offset = writer->tables[PB_TABLE_PLATES].base + UINT32_MAX -
                                 writer->out_bytes + more;
            }
        }
        put_plate(writer, 2 * PLATES_OF_A_BLOCK);
        assert_int_equal(more == 0 ? PB_OK : PB_OVER_LIMIT,
                         pb_segment_writer_row(writer, &last, &error));
        assert_string_equal(more == 0 ? "" : "segment 7: 64 blocks take more than 4 GiB",
                            error.message);
        pb_segment_writer_free(writer);
        pb_names_done(&names);
        sim_fs_free(fs);
    }
}

static void
more_rows_than_a_segment_may_have_are_refused(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_segment_writer *writer = NULL;
    struct pb_error error = { .message = "" };
    struct pb_names names = { 0 };
    struct pb_row row = some_row(0);

    (void)state;
    assert_int_equal(PB_OK, make_names(&names, &env, false));
    assert_int_equal(PB_OK, new_writer(&env, &names, NULL, &writer, &error));
    put_plate(writer, 1);
    writer->entry.rows = PB_SEGMENT_ROWS_MAX - 1; /* as if there were so many */
    assert_int_equal(PB_OK, pb_segment_writer_row(writer, &row, &error));
    assert_int_equal(PB_OVER_LIMIT, pb_segment_writer_row(writer, &row, &error));
    assert_int_equal(PB_SEGMENT_ROWS_MAX, pb_segment_writer_rows(writer));
    assert_string_equal("segment 7: too many rows", error.message);
    pb_segment_writer_free(writer);
    pb_names_done(&names);
    sim_fs_free(fs);
}

static void
extras_that_are_none_are_not_written(void **state)
{
    static const uint8_t extras[] = { 99, 1, 0, 'A' };
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_segment_writer *writer = NULL;
    struct pb_error error = { .message = "" };
    struct pb_names names = { 0 };
    struct pb_row row = some_row(0);
    uint64_t size = 0;

    (void)state;
    row.extras = extras;
    row.extras_bytes = sizeof(extras);
    row.flags |= PB_ROW_EXTRAS;
    assert_int_equal(PB_OK, make_names(&names, &env, false));
    assert_int_equal(PB_OK, new_writer(&env, &names, NULL, &writer, &error));
    put_plate(writer, 1);
    assert_int_equal(PB_E_CORRUPT, pb_segment_writer_row(writer, &row, &error));
    assert_string_equal("segment 7: extras of a row do not decode", error.message);
    pb_segment_writer_free(writer);
    assert_false(sim_fs_file_size(fs, FILE_PATH, &size));
    pb_names_done(&names);
    sim_fs_free(fs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_that_cannot_be_written_leaves_no_file),
        cmocka_unit_test(an_index_that_does_not_fit_into_memory_is_the_same),
        cmocka_unit_test(an_index_that_cannot_be_put_aside_or_read_again_leaves_no_segment),
        cmocka_unit_test(vehicles_that_cannot_be_put_together_for_want_of_memory_are_said),
        cmocka_unit_test(names_larger_than_what_is_written_at_once_come_back),
        cmocka_unit_test(more_names_than_a_segment_may_have_are_refused),
        cmocka_unit_test(plates_whose_rows_take_four_gigabytes_are_refused),
        cmocka_unit_test(more_rows_than_a_segment_may_have_are_refused),
        cmocka_unit_test(extras_that_are_none_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
