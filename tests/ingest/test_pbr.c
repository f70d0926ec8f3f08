/* The binary form: what is written is read, and damage costs the block that it hit. */
#include "ingest/collector.h"
#include "ingest/pbr_writer.h"
#include "read/read.h"
#include "support/fault_env.h"

static struct collector collector;

struct file {
    uint8_t bytes[8192];
    size_t count;
};

static enum pb_status
append(void *context, const uint8_t *bytes, size_t count)
{
    struct file *file = context;

    assert_true(count <= sizeof(file->bytes) - file->count);
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
    return PB_OK;
}

static struct pb_read
read_of(const char *plate)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from(plate);
    read.reader = pb_str_from("g");
    read.captured_at_us = INT64_C(1772971200000000);
    return read;
}

#define READ_OF(plate) \
    "{\"plate\":\"" plate "\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"g\"}\n"

/* A file of three blocks of two reads: AA1 AA2, BB1 BB2, CC1 CC2. */
static void
make_file(struct file *file, size_t ret_blocks[4])
{
    static const char *const plates[] = { "AA1", "AA2", "BB1", "BB2", "CC1", "CC2" };
    struct pb_pbr_writer *writer = NULL;

    file->count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file->bytes);
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), append, file, &writer));
    for (size_t i = 0; i < 6; i++) {
        struct pb_read read = read_of(plates[i]);

        if (i % 2 == 0)
            ret_blocks[i / 2] = file->count;
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
        if (i % 2 == 1)
            assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    }
    assert_int_equal(PB_OK, pb_pbr_writer_flush(writer)); /* of nothing: writes nothing */
    pb_pbr_writer_free(writer);
    ret_blocks[3] = file->count;
}

static void
parse(const struct file *file)
{
    struct pb_ingest_defaults defaults = no_defaults();

    collector_init(&collector);
    assert_int_equal(PB_OK,
                     collect(&collector, PB_FORMAT_PBR, file->bytes, file->count, &defaults));
}

static void
what_is_written_is_read(void **state)
{
    struct file file;
    size_t blocks[4];

    (void)state;
    make_file(&file, blocks);
    assert_int_equal(PB_FORMAT_PBR, pb_format_detect(file.bytes, file.count));
    parse(&file);
    assert_string_equal("", collector.rejections);
    assert_string_equal(READ_OF("AA1") READ_OF("AA2") READ_OF("BB1") READ_OF("BB2") READ_OF("CC1")
                            READ_OF("CC2"),
                        collector.reads);
    file.count = PB_PBR_HEAD_BYTES;
    parse(&file);
    assert_string_equal("", collector.reads);
    assert_string_equal("", collector.rejections);
}

/* These bytes are the format: they must read the same for good. */
static void
version_1_is_these_bytes(void **state)
{
    static const char golden[] =
        "\x89PBR\r\n\x1a\n\x01\0\0\0\0\0\0\0"
        "PBRB\xF1K\r\n\x12\0\0\0\x01\0\0\0"
        "\x19\xd6\x53\x40\x3a\xc1\xbe\x76"
        "\xe4\x2c\xeb\xfc\x05\xec\x87\xed"
        "\0\0\0\0\0\xb0\x92\x06\x82\x4c\x06\0\x03" "AA1\x01g";
    struct pb_pbr_writer *writer = NULL;
    struct pb_read read = read_of("AA1");
    struct file file;

    (void)state;
    file.count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file.bytes);
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), append, &file, &writer));
    assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
    assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    pb_pbr_writer_free(writer);
    assert_int_equal(sizeof(golden) - 1, file.count);
    assert_memory_equal(golden, file.bytes, file.count);
    parse(&file);
    assert_string_equal(READ_OF("AA1"), collector.reads);
}

/* One bit at each place of the middle block. */
static void
any_wrong_bit_costs_its_block_and_no_other(void **state)
{
    struct file file;
    size_t blocks[4];

    (void)state;
    make_file(&file, blocks);
    for (size_t at = blocks[1]; at < blocks[2]; at++) {
        uint8_t bit = (uint8_t)(1u << at % 8);

        file.bytes[at] ^= bit;
        parse(&file);
        assert_string_equal("0 a damaged block\n", collector.rejections);
        assert_string_equal(READ_OF("AA1") READ_OF("AA2") READ_OF("CC1") READ_OF("CC2"),
                            collector.reads);
        file.bytes[at] ^= bit;
    }
}

static void
damage_across_the_border_of_two_blocks_costs_these_two(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();
    struct file file;
    size_t blocks[4];

    (void)state;
    make_file(&file, blocks);
    file.bytes[blocks[1] - 1] ^= 1;
    file.bytes[blocks[1]] ^= 1;
    for (size_t window = 1; window <= file.count; window++) {
        collector_init(&collector);
        assert_int_equal(PB_OK, collect_cut(&collector, PB_FORMAT_PBR, file.bytes, file.count,
                                            &defaults, window));
        assert_string_equal("0 a damaged block\n", collector.rejections);
        assert_string_equal(READ_OF("CC1") READ_OF("CC2"), collector.reads);
    }
}

static void
lost_bytes_cost_the_blocks_they_are_lost_from(void **state)
{
    struct file file, whole;
    size_t blocks[4];

    (void)state;
    make_file(&whole, blocks);
    for (size_t at = blocks[1]; at < blocks[2]; at++) {
        file = whole;
        memmove(file.bytes + at, file.bytes + at + 1, file.count - at - 1);
        file.count--;
        parse(&file);
        assert_string_equal("0 a damaged block\n", collector.rejections);
        assert_string_equal(READ_OF("AA1") READ_OF("AA2") READ_OF("CC1") READ_OF("CC2"),
                            collector.reads);
    }
}

static void
a_file_cut_short_keeps_its_whole_blocks(void **state)
{
    struct file file;
    size_t blocks[4];

    (void)state;
    make_file(&file, blocks);
    for (file.count = blocks[2] + 1; file.count < blocks[3]; file.count++) {
        parse(&file);
        assert_string_equal("0 a damaged block\n", collector.rejections);
        assert_int_equal(4, collector.read_count);
    }
}

/* Writes a block with right checksums around any payload. */
static void
put_block(struct file *file, const void *payload, size_t bytes, uint32_t record_count)
{
    struct pb_pbr_block block = {
        .payload_bytes = (uint32_t)bytes,
        .record_count = record_count,
        .payload_checksum = pb_hash_bytes(payload, bytes),
    };
    uint8_t header[PB_PBR_BLOCK_HEADER_BYTES];

    pb_pbr_block_put(&block, header);
    assert_int_equal(PB_OK, append(file, header, sizeof(header)));
    assert_int_equal(PB_OK, append(file, payload, bytes));
}

static void
good_checksums_do_not_make_good_reads(void **state)
{
    static const struct {
        const char *plate;
        int64_t captured_at_us;
        const char *rejection;
    } cases[] = {
        { "ab1", 0, "0 plate is not a folded plate\n" },
        { "A B", 0, "0 plate is not a folded plate\n" },
        { "A\xff", 0, "0 plate is not a folded plate\n" },
        { "\xC3\xA4" "B1", 0, "0 plate is not a folded plate\n" },
        { "#", 0, "0 plate is not a folded plate\n" },
        { "AB1", -1, "0 captured_at is not from 1970 to 2199\n" },
        { "AB1", PB_TIME_MAX_US, "0 captured_at is not from 1970 to 2199\n" },
    };
    uint8_t payload[3 * PB_RECORD_BYTES_MAX];
    struct pb_read good = read_of("AA1");
    struct file file;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* The codec takes any plate text, and any time. */
        struct pb_read bad = read_of(cases[i].plate);
        size_t bytes = pb_record_encode(&good, payload);

        if (cases[i].captured_at_us != 0)
            bad.captured_at_us = cases[i].captured_at_us;
        bytes += pb_record_encode(&bad, payload + bytes);
        bytes += pb_record_encode(&good, payload + bytes);
        file.count = PB_PBR_HEAD_BYTES;
        pb_pbr_head_put(file.bytes);
        put_block(&file, payload, bytes, 3);
        parse(&file);
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_string_equal(READ_OF("AA1") READ_OF("AA1"), collector.reads);
    }
}

/* Of one block of one read. */
static void
parse_one(const struct pb_read *read, const struct pb_ingest_defaults *defaults)
{
    uint8_t payload[PB_RECORD_BYTES_MAX];
    struct file file;

    file.count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file.bytes);
    put_block(&file, payload, pb_record_encode(read, payload), 1);
    collector_init(&collector);
    assert_int_equal(PB_OK,
                     collect(&collector, PB_FORMAT_PBR, file.bytes, file.count, defaults));
}

static void
every_plate_of_a_read_is_folded(void **state)
{
    static const struct {
        const char *plate, *alternate, *identity_plate;
        bool is_correction;
        const char *rejection;
    } cases[] = {
        { "AB12", "A812", "", false, "" },
        { "\xC3\x84" "B1", "\xC3\x84" "81", "", false, "" },
        { "AB12", "A812", "A812", true, "" },
        { "AB12", "A812", "A81\xC3\x84", true, "" },
        { "#", "A812", "AB12", true, "" },
        { "AB12", "a812", "", false, "0 alternates have a plate that is not folded\n" },
        { "AB12", "A812", "a812", true, "0 identity_plate is not a folded plate\n" },
        { "?", "A812", "AB12", true, "0 plate is not a folded plate\n" },
        { "??", "A812", "AB12", true, "0 plate is not a folded plate\n" },
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_alternate alternate = { .plate = pb_str_from(cases[i].alternate),
                                          .confidence_e6 = PB_NO_CONFIDENCE };
        struct pb_read read = read_of(cases[i].plate);

        read.alternates = &alternate;
        read.alternate_count = 1;
        read.identity_plate = pb_str_from(cases[i].identity_plate);
        read.is_correction = cases[i].is_correction;
        read.is_revisable = cases[i].is_correction;
        parse_one(&read, &defaults);
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_int_equal(cases[i].rejection[0] == '\0', collector.read_count);
    }
}

/* A source's days count from when a read was captured, where that is a time at all. */
static void
days_to_keep_reads_count_from_no_impossible_time(void **state)
{
    static const struct {
        int64_t captured_at_us;
        const char *rejection;
    } cases[] = {
        { INT64_MIN, "0 captured_at is not from 1970 to 2199\n" },
        { PB_TIME_MIN_US - 1, "0 captured_at is not from 1970 to 2199\n" },
        { PB_TIME_MIN_US, "" },
        { PB_TIME_MAX_US - 1, "" },
        { PB_TIME_MAX_US, "0 captured_at is not from 1970 to 2199\n" },
        { INT64_MAX, "0 captured_at is not from 1970 to 2199\n" },
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    defaults.retention_days = 30;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = read_of("AB12");

        read.captured_at_us = cases[i].captured_at_us;
        parse_one(&read, &defaults);
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_int_equal(cases[i].rejection[0] == '\0', collector.read_count);
    }
}

/* Headers whose checksum is right, of blocks that cannot be, between two good blocks. */
static void
a_header_of_no_possible_block_costs_nothing_else(void **state)
{
    static const struct {
        uint32_t payload_bytes, record_count;
    } cases[] = {
        { 0, 0 }, { 0, 1 }, { 18, 0 }, { 18, 19 }, { PB_PBR_PAYLOAD_BYTES_MAX + 1, 1 },
        { UINT32_MAX, UINT32_MAX },
    };
    struct pb_ingest_defaults defaults = no_defaults();
    uint8_t header[PB_PBR_BLOCK_HEADER_BYTES];
    struct file whole, file;
    size_t blocks[4];

    (void)state;
    make_file(&whole, blocks);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_pbr_block block = { .payload_bytes = cases[i].payload_bytes,
                                      .record_count = cases[i].record_count };

        pb_pbr_block_put(&block, header);
        memcpy(file.bytes, whole.bytes, blocks[1]);
        file.count = blocks[1];
        file.bytes[file.count++] = 0; /* of no block */
        assert_int_equal(PB_OK, append(&file, header, sizeof(header)));
        assert_int_equal(PB_OK, append(&file, whole.bytes + blocks[1], blocks[2] - blocks[1]));
        for (size_t window = 1; window <= file.count; window += 7) {
            collector_init(&collector);
            assert_int_equal(PB_OK, collect_cut(&collector, PB_FORMAT_PBR, file.bytes, file.count,
                                                &defaults, window));
            assert_string_equal("0 a damaged block\n", collector.rejections);
            assert_string_equal(READ_OF("AA1") READ_OF("AA2") READ_OF("BB1") READ_OF("BB2"),
                                collector.reads);
        }
    }
}

static void
counts_and_records_that_disagree_are_told(void **state)
{
    uint8_t payload[2 * PB_RECORD_BYTES_MAX];
    struct pb_read good = read_of("AA1");
    size_t bytes = pb_record_encode(&good, payload);
    struct file file;

    (void)state;
    bytes += pb_record_encode(&good, payload + bytes);
    file.count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file.bytes);
    put_block(&file, payload, bytes, 1);
    put_block(&file, payload, bytes, 3);
    put_block(&file, payload, bytes - 1, 2);
    put_block(&file, "\xff\xff\xff\xff", 4, 1);
    put_block(&file, payload, bytes, 2);
    parse(&file);
    assert_string_equal("0 a block with more in it than its header says\n"
                        "0 a record that cannot be decoded\n"
                        "0 a record that cannot be decoded\n"
                        "0 a record that cannot be decoded\n",
                        collector.rejections);
    assert_int_equal(1 + 2 + 1 + 0 + 2, collector.read_count);
}

static void
other_files_and_versions_are_refused(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();
    struct file file;
    size_t blocks[4];

    (void)state;
    for (size_t at = 0; at < PB_PBR_HEAD_BYTES; at++) {
        make_file(&file, blocks);
        file.bytes[at] ^= 0x20;
        collector_init(&collector);
        assert_int_equal(PB_BAD_INPUT, collect(&collector, PB_FORMAT_PBR, file.bytes, file.count,
                                               &defaults));
    }
    make_file(&file, blocks);
    for (size_t count = 0; count < PB_PBR_HEAD_BYTES; count++)
        assert_int_equal(PB_BAD_INPUT,
                         collect(&collector, PB_FORMAT_PBR, file.bytes, count, &defaults));
}

static enum pb_status
count_blocks(void *context, const uint8_t *bytes, size_t count)
{
    size_t *block_count = context;
    struct pb_pbr_block block;

    assert_true(pb_pbr_block_get(bytes, &block));
    assert_int_equal(count, PB_PBR_BLOCK_HEADER_BYTES + block.payload_bytes);
    (*block_count)++;
    return PB_OK;
}

static void
full_blocks_are_emitted_on_their_own(void **state)
{
    struct pb_pbr_writer *writer = NULL;
    struct pb_read read = read_of("AA1");
    size_t block_count = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), count_blocks, &block_count,
                                              &writer));
    for (size_t i = 0; i < 40000; i++) /* of 18 bytes */
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
    assert_int_equal(2, block_count);
    assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    assert_int_equal(3, block_count);
    pb_pbr_writer_free(writer);
    pb_pbr_writer_free(NULL);
}

static enum pb_status
refuse(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    (void)count;
    return PB_E_FULL;
}

static void
a_writer_tells_what_it_could_not_write_or_have(void **state)
{
    struct pb_pbr_writer *writer = NULL;
    struct pb_read read = read_of("AA1");
    struct fault_env fault;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_pbr_writer_new(&fault.env, refuse, NULL, &writer));
    assert_null(writer);
    assert_int_equal(PB_OK, pb_pbr_writer_new(&fault.env, refuse, NULL, &writer));
    assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
    assert_int_equal(PB_E_FULL, pb_pbr_writer_flush(writer));
    pb_pbr_writer_free(writer);
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(version_1_is_these_bytes),
        cmocka_unit_test(any_wrong_bit_costs_its_block_and_no_other),
        cmocka_unit_test(damage_across_the_border_of_two_blocks_costs_these_two),
        cmocka_unit_test(lost_bytes_cost_the_blocks_they_are_lost_from),
        cmocka_unit_test(a_file_cut_short_keeps_its_whole_blocks),
        cmocka_unit_test(good_checksums_do_not_make_good_reads),
        cmocka_unit_test(every_plate_of_a_read_is_folded),
        cmocka_unit_test(days_to_keep_reads_count_from_no_impossible_time),
        cmocka_unit_test(a_header_of_no_possible_block_costs_nothing_else),
        cmocka_unit_test(counts_and_records_that_disagree_are_told),
        cmocka_unit_test(other_files_and_versions_are_refused),
        cmocka_unit_test(full_blocks_are_emitted_on_their_own),
        cmocka_unit_test(a_writer_tells_what_it_could_not_write_or_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
