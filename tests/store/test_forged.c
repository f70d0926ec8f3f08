/*
 * Forged segments: what a file says that no writer would have written is refused by whoever reads
 * it, though all checksums fit. Nothing of it is believed, nothing crashes, and what does not
 * touch it goes on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "read/read_maker.h"
#include "store/forged.h"
#include "store/ops.h"

#define SEGMENT ROOM_PATH "/segments/00000001.seg"
#define ALL UINT32_MAX
#define MORE SIZE_MAX

/* Runs all; a bit for each that said PB_E_CORRUPT. None may say anything else but PB_OK. */
static unsigned
run_ops(struct sim_fs *fs, const char *name)
{
    struct store_room room;
    unsigned refused = 0;
    bool is_open = false;

    ops_now = name;
    for (size_t i = 0; i < OP_COUNT; i++) {
        enum pb_status status = PB_OK;

        if (is_open && ops[i].changes) {
            room_done(&room);
            is_open = false;
        }
        if (!is_open) {
            room_init_on(&room, sim_fs_clone(fs));
            room_open(&room);
            is_open = true;
        }
        status = ops[i].run(&room);
        if (status != PB_OK && status != PB_E_CORRUPT)
            fail_msg("%s: %s: %s: %s", name, ops[i].name, pb_status_name(status),
                     room.error.message);
        refused |= (unsigned)(status == PB_E_CORRUPT) << i;
    }
    room_done(&room);
    return refused;
}

/* Forges the block and runs all. */
static unsigned
try_block(struct sim_fs *fs, const struct forged_file *good, const struct forged_block *block,
          const char *name)
{
    struct forged_file file = { malloc(good->size), good->size };
    struct store_room room;
    struct sim_fs *forged = NULL;
    unsigned refused = 0;

    assert_non_null(file.bytes);
    memcpy(file.bytes, good->bytes, good->size);
    forged_replace(&file, block);
    room_init_on(&room, sim_fs_clone(fs));
    forged_write(&room, SEGMENT, &file);
    forged_name(&room, 1, &file);
    forged = sim_fs_clone(room.fs);
    room_done(&room);
    refused = run_ops(forged, name);
    sim_fs_free(forged);
    free(file.bytes);
    return refused;
}

static struct {
    struct sim_fs *fs;
    struct forged_file file;
} good;

static int
make_good(void **state)
{
    struct store_room room;

    (void)state;
    good.fs = make_store();
    room_init_on(&room, sim_fs_clone(good.fs));
    forged_read(&room, SEGMENT, &good.file);
    room_done(&room);
    return 0;
}

static int
free_good(void **state)
{
    (void)state;
    free(good.file.bytes);
    sim_fs_free(good.fs);
    return 0;
}

static uint32_t
blocks_of(enum pb_table table)
{
    return pb_get_le32(forged_table(&good.file, table) + 8);
}

static void
a_block_that_is_written_again_as_it_was_is_good(void **state)
{
    static struct forged_block block;

    (void)state;
    assert_int_equal(0, run_ops(good.fs, "good"));
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        forged_take(&good.file, (enum pb_table)t, 0, &block);
        assert_int_equal(0, try_block(good.fs, &good.file, &block, "as it was"));
    }
}

static void
a_column_that_does_not_decode_is_refused_by_whoever_needs_it(void **state)
{
    static struct forged_block block;

    (void)state;
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        for (uint32_t c = 0; c < pb_table_formats[t].columns; c++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "table %d, column %u", t, c);
            forged_take(&good.file, (enum pb_table)t,
                        t == PB_TABLE_COMMITS ? 0 : c % blocks_of((enum pb_table)t), &block);
            block.values[c][0] |= 1; /* a column of zeros is not there */
            block.undecodable = 1u << c;
            if (try_block(good.fs, &good.file, &block, name) == 0)
                fail_msg("%s: nobody refused it", name);
        }
    }
}

/* Of one column, a value that nobody writes. */
static void
a_value_out_of_range_is_refused_by_whoever_follows_it(void **state)
{
    static const struct {
        const char *name;
        enum pb_table table;
        uint32_t column, row; /* ALL: of every row */
        int64_t value;
    } forgeries[] = {
        { "a context that is not there", PB_TABLE_READS, PB_READS_CONTEXT, ALL, 100000 },
        { "a negative context", PB_TABLE_READS, PB_READS_CONTEXT, ALL, -1 },
        { "a vehicle that is not there", PB_TABLE_READS, PB_READS_VEHICLE, ALL, 100000 },
        { "a commit that is not there", PB_TABLE_READS, PB_READS_COMMIT, ALL, 100000 },
        { "extras everywhere", PB_TABLE_READS, PB_READS_FLAGS, ALL, PB_ROW_EXTRAS },
        { "a time long before the segment's", PB_TABLE_READS, PB_READS_TIME, ALL, INT64_MIN },
        { "a time long after the segment's", PB_TABLE_READS, PB_READS_TIME, ALL, INT64_MAX },
        { "a plate of no characters", PB_TABLE_PLATES, PB_PLATES_CODE, 0, 0 },
        { "a plate that is no code", PB_TABLE_PLATES, PB_PLATES_CODE, 63, INT64_MAX },
        { "a plate without rows", PB_TABLE_PLATES, PB_PLATES_FIRST, 5, 0 },
        { "a row before the first plate", PB_TABLE_PLATES, PB_PLATES_FIRST, 0, 1 },
        { "a plate whose rows are not there", PB_TABLE_PLATES, PB_PLATES_FIRST, 63, INT64_MAX },
        { "a long plate of no bytes", PB_TABLE_LONG, PB_PLATES_CODE, 4, 0 },
        { "a long plate of too many bytes", PB_TABLE_LONG, PB_PLATES_CODE, 4, 1000 },
        { "long plates that do not add up", PB_TABLE_LONG, PB_PLATES_CODE, 4, 1 },
        { "a long plate without rows", PB_TABLE_LONG, PB_PLATES_FIRST, 5, 0 },
        { "a place's row that is not there", PB_TABLE_PLACES, 0, 127, INT64_MAX },
        { "an event's row that is not there", PB_TABLE_EVENTS, 1, ALL, 100000 },
        { "an alternate without postings", PB_TABLE_ALTERNATES, PB_PLATES_FIRST, 5, 0 },
        { "an alternate whose postings are not there", PB_TABLE_ALTERNATES, PB_PLATES_FIRST, 63,
          INT64_MAX },
        { "an alternate of no characters", PB_TABLE_ALTERNATES, PB_PLATES_CODE, 0, 0 },
        { "a posting's row that is not there", PB_TABLE_POSTINGS, 0, ALL, 100000 },
    };
    static struct forged_block block;

    (void)state;
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        forged_take(&good.file, forgeries[i].table, 0, &block);
        for (uint32_t row = 0; row < block.rows; row++) {
            if (forgeries[i].row == ALL || forgeries[i].row == row)
                block.values[forgeries[i].column][row] = forgeries[i].value;
        }
        if (try_block(good.fs, &good.file, &block, forgeries[i].name) == 0)
            fail_msg("%s: nobody refused it", forgeries[i].name);
    }
}

/* The blob of a block, cut or changed. */
static void
texts_and_extras_that_do_not_add_up_are_refused(void **state)
{
    static const struct {
        const char *name;
        enum pb_table table;
        size_t cut_to; /* 0: as long as it was; MORE: a byte longer */
        size_t at;     /* the byte that is changed */
        uint8_t byte;
    } forgeries[] = {
        { "extras without a length", PB_TABLE_READS, 1, 0, 1 },
        { "extras cut short", PB_TABLE_READS, 3, 0, 200 },
        { "extras longer than the block", PB_TABLE_READS, 0, 1, 255 },
        { "extras of no known tag", PB_TABLE_READS, 0, 2, 99 },
        { "extras whose field is too long", PB_TABLE_READS, 0, 3, 255 },
        { "long plates cut short", PB_TABLE_LONG, 20, 0, 'L' },
        { "alternates cut short", PB_TABLE_ALTERNATES, 1, 0, 10 },
        { "alternates with the text of the first only", PB_TABLE_ALTERNATES, 13, 0, 12 },
        { "alternates with more than their texts", PB_TABLE_ALTERNATES, MORE, 0, 12 },
        { "an alternate of no bytes", PB_TABLE_ALTERNATES, 0, 0, 0 },
        { "an alternate of too many bytes", PB_TABLE_ALTERNATES, 0, 0, 255 },
        { "an alternate that goes on past the end", PB_TABLE_ALTERNATES, 0, 0, 30 },
        { "an alternate that is too short", PB_TABLE_ALTERNATES, 0, 0, 3 },
    };
    static struct forged_block block;

    (void)state;
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        enum pb_table table = forgeries[i].table;

        forged_take(&good.file, table, table == PB_TABLE_ALTERNATES ? blocks_of(table) - 1 : 0,
                    &block);
        assert_true(block.blob_bytes > 3);
        if (forgeries[i].cut_to != 0)
            block.blob_bytes =
                forgeries[i].cut_to == MORE ? block.blob_bytes + 1 : forgeries[i].cut_to;
        block.blob[forgeries[i].at] = forgeries[i].byte;
        if (try_block(good.fs, &good.file, &block, forgeries[i].name) == 0)
            fail_msg("%s: nobody refused it", forgeries[i].name);
    }
}

/* An index that points elsewhere, or a block of too few rows. */
static void
an_index_that_leads_astray_is_refused(void **state)
{
    static struct forged_block block;

    (void)state;
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        forged_take(&good.file, (enum pb_table)t, 0, &block);
        if (block.rows < 2)
            continue;
        block.rows--;
        assert_true(try_block(good.fs, &good.file, &block, "a row is missing") != 0);
    }
    for (int kind = 0; kind < 2; kind++) {
        struct forged_file file = { malloc(good.file.size), good.file.size };
        struct store_room room;

        assert_non_null(file.bytes);
        memcpy(file.bytes, good.file.bytes, good.file.size);
        for (int t = 0; t < PB_TABLE_COUNT; t++)
            pb_put_le64(file.bytes + pb_get_le64(forged_table(&file, (enum pb_table)t) + 16),
                        kind == 0 ? 0 : file.size);
        forged_seal(&file);
        room_init_on(&room, sim_fs_clone(good.fs));
        forged_write(&room, SEGMENT, &file);
        forged_name(&room, 1, &file);
        assert_true(run_ops(room.fs, "an index points outside") != 0);
        room_done(&room);
        free(file.bytes);
    }
}

/* Of a table, the keys by which its blocks are found. */
static uint8_t *
keys_of(const struct forged_file *file, enum pb_table table)
{
    uint32_t blocks = pb_get_le32(forged_table(file, table) + 8);
    size_t groups = (blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP;

    return file->bytes + pb_get_le64(forged_table(file, table) + 16) + groups * 8 +
           (size_t)blocks * 4;
}

/* A plate that is not there is what the first block of reads is said to begin with. */
static void
reads_of_a_plate_that_is_not_there_are_refused(void **state)
{
    struct forged_file file = { malloc(good.file.size), good.file.size };
    struct store_room room;

    (void)state;
    assert_non_null(file.bytes);
    memcpy(file.bytes, good.file.bytes, good.file.size);
    pb_put_le64(keys_of(&file, PB_TABLE_READS), UINT64_MAX);
    forged_seal(&file);
    room_init_on(&room, sim_fs_clone(good.fs));
    forged_write(&room, SEGMENT, &file);
    forged_name(&room, 1, &file);
    assert_true(run_ops(room.fs, "reads of a plate that is not there") != 0);
    room_done(&room);
    free(file.bytes);
}

/* Keys of places in any order, near one another: whoever follows them comes to an end. */
static void
places_that_are_out_of_order_lead_nobody_in_circles(void **state)
{
    const uint64_t first = pb_get_le64(keys_of(&good.file, PB_TABLE_PLACES));
    const uint32_t blocks = blocks_of(PB_TABLE_PLACES);
    uint64_t random = 5;
    uint32_t found = 0;

    (void)state;
    assert_in_range(blocks, 3, 8);
    for (int round = 0; round < 40; round++) {
        struct forged_file file = { malloc(good.file.size), good.file.size };
        struct store_room room;

        assert_non_null(file.bytes);
        memcpy(file.bytes, good.file.bytes, good.file.size);
        for (uint32_t b = 0; b < blocks; b++) /* in one cell, some hours about */
            pb_put_le64(keys_of(&file, PB_TABLE_PLACES) + (size_t)8 * b,
                        first + maker_random(&random) % 12000 - 3000);
        forged_seal(&file);
        room_init_on(&room, sim_fs_clone(good.fs));
        forged_write(&room, SEGMENT, &file);
        forged_name(&room, 1, &file);
        room_open(&room);
        for (int window = 0; window < 8; window++) {
            struct pb_query query = room_query("");
            struct pb_geo_area *area = NULL;

            assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 378749000, -1224194000,
                                                            30000, &area, &room.error));
            query.area = area;
            query.from_us = ROOM_START_US + window * 2400 * ROOM_SECOND_US;
            query.to_us = query.from_us + 2400 * ROOM_SECOND_US;
            found += room_count_query(&room, &query);
            pb_geo_area_free(pb_env_system(), area);
        }
        room_done(&room);
        free(file.bytes);
    }
    assert_true(found > 100); /* in what order rows are looked at does not make them less true */
}

/* What has a code stands before what has none. Where it does not, it has no text to be found by. */
static void
an_alternate_with_a_code_behind_those_without_is_passed_over(void **state)
{
    static struct forged_block block;
    struct pb_query query = room_query("*ALTER*");
    struct forged_file file = { malloc(good.file.size), good.file.size };
    uint64_t postings = pb_get_le64(forged_table(&good.file, PB_TABLE_POSTINGS));
    struct store_room room;
    uint32_t told = 0;
    uint32_t found = 0;
    uint32_t last = 0;

    (void)state;
    room_init_on(&room, sim_fs_clone(good.fs));
    room_open(&room);
    found = room_count_query(&room, &query);
    room_done(&room);

    assert_non_null(file.bytes);
    memcpy(file.bytes, good.file.bytes, good.file.size);
    forged_take(&file, PB_TABLE_ALTERNATES, blocks_of(PB_TABLE_ALTERNATES) - 1, &block);
    last = block.rows - 1;
    assert_true(block.values[PB_PLATES_CODE][last] < 0); /* without a code, as the one before it */
    assert_true(block.values[PB_PLATES_CODE][last - 1] < 0);
    block.values[PB_PLATES_CODE][last] = 1;
    block.blob_bytes -= 1 + strlen("TÖALTERNATE");
    forged_replace(&file, &block);
    room_init_on(&room, sim_fs_clone(good.fs));
    forged_write(&room, SEGMENT, &file);
    forged_name(&room, 1, &file);
    room_open(&room);
    query.on_damage = count_damage;
    query.damage_context = &told;
    ops_now = "an alternate with a code behind those without";
    assert_in_range(room_count_query(&room, &query), 1,
                    found - (postings - (uint64_t)block.values[PB_PLATES_FIRST][last]));
    assert_true(told != 0);
    room_done(&room);
    free(file.bytes);
}

/* ---- footers ---- */

/* Opens the store with a changed file that the manifest means. */
static enum pb_status
open_with(const struct forged_file *file)
{
    struct store_room room;
    enum pb_status status = PB_OK;

    room_init_on(&room, sim_fs_clone(good.fs));
    forged_write(&room, SEGMENT, file);
    forged_name(&room, 1, file);
    status = pb_store_open(room.env, ROOM_PATH, NULL, &room.store, &room.error);
    if (status != PB_OK)
        assert_non_null(strstr(room.error.message, SEGMENT)); /* it names the file */
    room_done(&room);
    return status;
}

#define NAMES_AT PB_FOOTER_FIXED_BYTES
#define TABLE_AT(number) \
    (PB_FOOTER_FIXED_BYTES + PB_FOOTER_NAMES_BYTES + (number)*PB_FOOTER_TABLE_BYTES)

static void
a_footer_that_says_what_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at, bytes; /* of the footer */
        uint64_t value;
        enum pb_status status;
    } forgeries[] = {
        { "magic", 0, 4, 7, PB_E_VERSION },
        { "version", 8, 4, 2, PB_E_VERSION },
        { "store id", 12, 4, 7, PB_E_CORRUPT },
        { "number", 28, 8, 9, PB_E_CORRUPT },
        { "month", 36, 4, 9, PB_E_CORRUPT },
        { "retention", 40, 4, 9, PB_E_CORRUPT },
        { "rows of all", 44, 8, OPS_READS - 1, PB_E_CORRUPT },
        { "names' offset", NAMES_AT, 8, UINT64_MAX, PB_E_CORRUPT },
        { "names' bytes", NAMES_AT + 8, 8, UINT64_MAX, PB_E_CORRUPT },
        { "names that are elsewhere", NAMES_AT, 8, 16, PB_E_CORRUPT },
        { "names without bytes", NAMES_AT + 16, 8, 0, PB_E_CORRUPT },
        { "names of too many bytes", NAMES_AT + 16, 8, UINT64_MAX, PB_E_CORRUPT },
        { "rows of a table", TABLE_AT(PB_TABLE_READS), 8, UINT64_MAX / 4, PB_E_CORRUPT },
        { "fewer rows of a table", TABLE_AT(PB_TABLE_READS), 8, OPS_READS - 1, PB_E_CORRUPT },
        { "blocks of a table", TABLE_AT(PB_TABLE_PLATES) + 8, 4, 9, PB_E_CORRUPT },
        { "rows of a block", TABLE_AT(PB_TABLE_EVENTS) + 12, 4, 7, PB_E_CORRUPT },
        { "an index's offset", TABLE_AT(PB_TABLE_LONG) + 16, 8, UINT64_MAX, PB_E_CORRUPT },
        { "an index at the end", TABLE_AT(PB_TABLE_LONG) + 16, 8, 0, PB_E_CORRUPT },
        { "an index's bytes", TABLE_AT(PB_TABLE_LONG) + 24, 8, 3, PB_E_CORRUPT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        struct forged_file file = { malloc(good.file.size), good.file.size };
        uint64_t value = forgeries[i].value;
        uint8_t *at = NULL;
        enum pb_status status = PB_OK;

        assert_non_null(file.bytes);
        memcpy(file.bytes, good.file.bytes, good.file.size);
        at = forged_footer(&file) + forgeries[i].at;
        if (strcmp(forgeries[i].name, "an index at the end") == 0)
            value = file.size - 1;
        if (forgeries[i].bytes == 8)
            pb_put_le64(at, value);
        else
            pb_put_le32(at, (uint32_t)value);
        forged_seal(&file);
        status = open_with(&file);
        if (status != forgeries[i].status)
            fail_msg("%s: %s", forgeries[i].name, pb_status_name(status));
        free(file.bytes);
    }
}

/* A file that is whole, and not the one that the manifest means. */
static void
a_file_in_the_place_of_another_is_refused(void **state)
{
    struct pb_segment_entry entry = { 0 };

    (void)state;
    for (int field = 0; field < 7; field++) {
        struct store_room room;
        struct pb_manifest manifest;
        struct pb_segment *segment = NULL;
        enum pb_status status = PB_OK;

        room_init_on(&room, sim_fs_clone(good.fs));
        pb_manifest_init(&manifest, room.env);
        assert_int_equal(PB_OK, pb_manifest_read(&manifest, ROOM_PATH, &room.error));
        entry = manifest.segments[0];
        entry.bytes += field == 1;
        entry.rows += field == 2;
        entry.month += field == 3;
        entry.retention_days += field == 4;
        entry.checksum += field == 5;
        if (field == 6) {
            /* Under the name of the second, which is as long. */
            struct forged_file file = good.file;

            forged_write(&room, ROOM_PATH "/segments/00000002.seg", &file);
            entry.number = 2;
        }
        status =
            pb_segment_open(room.env, ROOM_PATH, manifest.store_id, &entry, &segment, &room.error);
        assert_int_equal(field == 0 ? PB_OK : PB_E_CORRUPT, status);
        pb_segment_close(segment);
        pb_manifest_done(&manifest);
        room_done(&room);
    }
}

static void
too_few_bytes_are_no_segment(void **state)
{
    (void)state;
    for (size_t size = 0; size < PB_SEGMENT_HEAD_BYTES + PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES;
         size += 37) {
        struct pb_segment segment = { .env = pb_env_system() };
        struct pb_error error;
        uint64_t offset = 0;

        assert_int_equal(PB_E_CORRUPT, pb_segment_parse(&segment, good.file.bytes, size,
                                                        good.file.bytes, &error));
        assert_string_equal("the file is cut short; restore it from a backup",
                            pb_segment_damage(&error, &offset));
        assert_int_equal(size, offset);
    }
}

/* What a message tells is taken from behind its last offset; of any other it is all. */
static void
a_message_is_taken_apart_where_it_names_an_offset(void **state)
{
    static const struct {
        const char *message, *what;
        uint64_t offset;
    } cases[] = {
        { "a: offset 12: torn", "torn", 12 },
        { "a: offset 1: offset 12: torn", "torn", 12 },
        { "torn", "torn", 0 },
        { "a: offset 12 torn", "a: offset 12 torn", 12 },
        { "a: offset 12:torn", "a: offset 12:torn", 12 },
        { "a: offset x: torn", "a: offset x: torn", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_error error;
        uint64_t offset = 99;

        (void)snprintf(error.message, sizeof(error.message), "%s", cases[i].message);
        assert_string_equal(cases[i].what, pb_segment_damage(&error, &offset));
        assert_int_equal(cases[i].offset, offset);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_is_written_again_as_it_was_is_good),
        cmocka_unit_test(a_column_that_does_not_decode_is_refused_by_whoever_needs_it),
        cmocka_unit_test(a_value_out_of_range_is_refused_by_whoever_follows_it),
        cmocka_unit_test(texts_and_extras_that_do_not_add_up_are_refused),
        cmocka_unit_test(an_index_that_leads_astray_is_refused),
        cmocka_unit_test(an_alternate_with_a_code_behind_those_without_is_passed_over),
        cmocka_unit_test(reads_of_a_plate_that_is_not_there_are_refused),
        cmocka_unit_test(places_that_are_out_of_order_lead_nobody_in_circles),
        cmocka_unit_test(a_footer_that_says_what_cannot_be_is_refused),
        cmocka_unit_test(a_file_in_the_place_of_another_is_refused),
        cmocka_unit_test(too_few_bytes_are_no_segment),
        cmocka_unit_test(a_message_is_taken_apart_where_it_names_an_offset),
    };

    return cmocka_run_group_tests(tests, make_good, free_good);
}
