/* What all formats have in common: names, detection, cutting, memory. */
#include "ingest/collector.h"
#include "ingest/pbr_writer.h"
#include "support/fault_env.h"

static struct collector whole, cut;

#define HEAD "\"captured_at\":\"2026-03-08T12:00:00Z\",\"reader\":\"g\""
#define OBJECT "{\"plate\":\"AB12\"," HEAD "}"

static void
format_names_go_both_ways(void **state)
{
    (void)state;
    for (int format = PB_FORMAT_AUTO; format <= PB_FORMAT_OPENALPR; format++)
        assert_int_equal(format, pb_format_from_name(pb_format_name((enum pb_format)format)));
    assert_string_equal("csv", pb_format_name(PB_FORMAT_CSV));
    assert_int_equal(-1, pb_format_from_name("CSV"));
    assert_int_equal(-1, pb_format_from_name(""));
}

static void
formats_are_told_by_their_first_bytes(void **state)
{
    static const struct {
        const char *text;
        enum pb_format format;
    } cases[] = {
        { "", PB_FORMAT_AUTO },
        { "hello", PB_FORMAT_AUTO },
        { "\x89PBR\r\n\x1a\n", PB_FORMAT_PBR },
        { "captured_at,plate\n", PB_FORMAT_CSV },
        { "\xEF\xBB\xBFPlate,Captured_at,Reader\n1,2,3", PB_FORMAT_CSV },
        { "plate", PB_FORMAT_CSV },
        { "time,number\n", PB_FORMAT_AUTO },
        { OBJECT, PB_FORMAT_NDJSON },
        { "\xEF\xBB\xBF\n [ " OBJECT "]", PB_FORMAT_NDJSON },
        { "{", PB_FORMAT_NDJSON },
        { "[]", PB_FORMAT_NDJSON },
        { OBJECT "\n{\"data_type\":1}", PB_FORMAT_NDJSON },
        { "{\"data_type\":\"alpr_group\"}", PB_FORMAT_OPENALPR },
        { "[{\"x\":1,\"data_type\":null}]", PB_FORMAT_OPENALPR },
        { "{\"results\":[{\"plate\":\"A\",\"matches_template\":0}]}", PB_FORMAT_OPENALPR },
        { "{\"openalpr_webhook\":\"test\"}", PB_FORMAT_OPENALPR },
        { "{\"best_plate_number\":\"A\"}", PB_FORMAT_OPENALPR },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pb_format_detect((const uint8_t *)cases[i].text, strlen(cases[i].text)) !=
            cases[i].format)
            fail_msg("%s", cases[i].text);
    }
}

struct input {
    enum pb_format format;
    const char *text;
};

static const struct input inputs[] = {
    { PB_FORMAT_CSV, "captured_at,plate,reader\n"
                     "2026-03-08T12:00:00Z,AB1,g\n"
                     "\n"
                     "2026-03-08T12:00:00Z,AB2,\"g,h\"\r\n"
                     "2026-03-08T12:00:00Z,AB3,\"g\n\n\"\"x\"\n"
                     "2026-03-08T12:00:00Z,AB4,g\"h\n"
                     "2026-03-08T12:00:00Z,AB5,\"g\"h,\"\n"
                     "2026-03-08T12:00:00Z,AB6,\"\"\"\"\r\n"
                     "2026-03-08T12:00:00Z,AB7\n"
                     "\"2026-03-08T12:00:00Z\",\"AB8\",\"g\"\n"
                     "2026-03-08T12:00:00Z,AB9,g" },
    { PB_FORMAT_CSV, "captured_at,plate,reader\r\n"
                     "2026-03-08T12:00:00Z,AB1,g\r\n"
                     "2026-03-08T12:00:00Z,AB2,\"never closed\r\n"
                     "2026-03-08T12:00:00Z,AB3,g\r\n"
                     "2026-03-08T12:00:00Z,AB4,g\r\n" },
    { PB_FORMAT_NDJSON, OBJECT "\n\n" OBJECT "\r\n{\n}{\"a\n" OBJECT OBJECT "\n" OBJECT },
    { PB_FORMAT_NDJSON, "\n [" OBJECT "\n,\n\n" OBJECT " , {\"a\":[1,{}],\n\"b\":\"]\\\"}\"},1 ,"
                        "\"x\"\n," OBJECT "\n" OBJECT ",," OBJECT ",]\n\n" },
    { PB_FORMAT_NDJSON, "[" OBJECT ",\n" OBJECT "] x\ny" },
    { PB_FORMAT_NDJSON, "[" OBJECT ",\n" OBJECT ",\n{\"a\":[" },
    { PB_FORMAT_NDJSON, "{\n\"plate\":\"AB12\"," HEAD "}\n" OBJECT "}\n\n ] {\n} x " OBJECT "\n{" },
    { PB_FORMAT_OPENALPR, "{\n\"data_type\":\"heartbeat\"\n}\n{\n}\n{\"data_type\":\"vehicle\"}" },
};

/* However an input is cut, the same reads, rejections and line numbers come out. */
static void
cuts_change_nothing(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        const struct input *input = &inputs[i];
        size_t count = strlen(input->text);

        collector_init(&whole);
        assert_int_equal(PB_OK, collect(&whole, input->format, input->text, count, &defaults));
        assert_true(whole.read_count + whole.rejection_count > 0);
        for (size_t window = 1; window <= count; window++) {
            collector_init(&cut);
            assert_int_equal(PB_OK, collect_cut(&cut, input->format, input->text, count,
                                                &defaults, window));
            assert_string_equal(whole.reads, cut.reads);
            assert_string_equal(whole.rejections, cut.rejections);
        }
    }
}

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

static void
make_binary(struct file *file)
{
    struct pb_pbr_writer *writer = NULL;
    struct pb_read read;

    pb_read_init(&read);
    read.reader = pb_str_from("g");
    file->count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file->bytes);
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), append, file, &writer));
    for (size_t i = 0; i < 10; i++) {
        char plate[] = "AB0";

        plate[2] = (char)('0' + i);
        read.plate = pb_str_from(plate);
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
        if (i % 3 == 0)
            assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    }
    assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    pb_pbr_writer_free(writer);
}

/* With a wrong bit in each place: same reads and rejections from any cuts. */
static void
cuts_change_nothing_in_damaged_binary(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();
    struct file file;

    (void)state;
    make_binary(&file);
    for (size_t at = PB_PBR_HEAD_BYTES; at < file.count; at += 3) {
        file.bytes[at] ^= 0x40;
        collector_init(&whole);
        assert_int_equal(PB_OK,
                         collect(&whole, PB_FORMAT_PBR, file.bytes, file.count, &defaults));
        assert_int_equal(1, whole.rejection_count);
        for (size_t window = 1; window <= file.count; window += 13) {
            collector_init(&cut);
            assert_int_equal(PB_OK, collect_cut(&cut, PB_FORMAT_PBR, file.bytes, file.count,
                                                &defaults, window));
            assert_string_equal(whole.reads, cut.reads);
            assert_string_equal(whole.rejections, cut.rejections);
        }
        file.bytes[at] ^= 0x40;
    }
}

static void
records_can_be_found_again_by_their_offset(void **state)
{
    static const char text[] = "captured_at,plate,reader\n"
                               "2026-03-08T12:00:00Z,AB1,g\n"
                               "bad\n";
    struct pb_ingest_defaults defaults = no_defaults();
    struct pb_input_head *head = NULL;
    struct pb_error error;
    size_t head_bytes = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_input_head_new(pb_env_system(), PB_FORMAT_CSV,
                                              (const uint8_t *)text, sizeof(text) - 1, &defaults,
                                              &head, &head_bytes, &error));
    assert_int_equal(25, head_bytes);
    assert_int_equal(1, pb_input_head_lines(head));
    pb_input_head_free(pb_env_system(), head);
}

/* ---- memory ---- */

static enum pb_status
import(const struct pb_env *env, const struct input *input, size_t count)
{
    const uint8_t *bytes = (const uint8_t *)input->text;
    struct pb_ingest_defaults defaults = no_defaults();
    struct pb_input_head *head = NULL;
    struct pb_parser *parser = NULL;
    struct pb_error error;
    size_t at = 0;
    enum pb_status status =
        pb_input_head_new(env, input->format, bytes, count, &defaults, &head, &at, &error);

    if (status == PB_OK)
        status = pb_parser_new(env, head, &parser, &error);
    if (status == PB_OK)
        status = pb_parser_chunk(parser, bytes + at, count - at, 1, true, &whole.sink, &error);
    pb_parser_free(parser);
    pb_input_head_free(env, head);
    return status;
}

static void
every_failing_allocation_is_told_and_leaks_nothing(void **state)
{
    static const struct input more[] = {
        { PB_FORMAT_CSV, "captured_at,plate,reader,make,alternates\n"
                         "2026-03-08T12:00:00Z,AB1,\"a\"\"b\",KIA,A81|A82\n" },
        { PB_FORMAT_NDJSON, "{\"plate\":\"\\u0041B1\"," HEAD ",\"make\":\"KIA\",\"alternates\":["
                            "{\"plate\":\"A81\"}]}" },
        { PB_FORMAT_OPENALPR,
          "{\"epoch_time\":1772971200000,\"uuid\":\"u\",\"camera_id\":3,\"results\":[{\"plate\":"
          "\"AB12\",\"candidates\":[{\"plate\":\"A812\"}]}]}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        enum pb_status status = PB_E_NOMEM;
        uint64_t fail_at = 0;

        while (status != PB_OK) {
            struct fault_env fault;

            fault_env_init(&fault, pb_env_system());
            fault.fail_allocation_at = ++fail_at;
            collector_init(&whole);
            status = import(&fault.env, &more[i], strlen(more[i].text));
            assert_true(status == PB_OK || status == PB_E_NOMEM);
            assert_true(fault_env_is_clean(&fault));
        }
        assert_in_range(fail_at, 4, 100);
        assert_int_equal(1, whole.read_count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_names_go_both_ways),
        cmocka_unit_test(formats_are_told_by_their_first_bytes),
        cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(cuts_change_nothing_in_damaged_binary),
        cmocka_unit_test(records_can_be_found_again_by_their_offset),
        cmocka_unit_test(every_failing_allocation_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
