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
        { " [ [", PB_FORMAT_NDJSON },
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
    { PB_FORMAT_NDJSON, "[" OBJECT "},\n" OBJECT ",}" OBJECT ",\n{\"a\":[\n" OBJECT ",[1 {}," OBJECT
                        "]" },
    { PB_FORMAT_NDJSON, "[" OBJECT ",\n[1" },
    { PB_FORMAT_NDJSON, "[" OBJECT ",\n1" },
    { PB_FORMAT_NDJSON, "[" OBJECT ",\n\"x" },
    { PB_FORMAT_NDJSON, "{\n\"plate\":\"AB12\"," HEAD "}\n{\"a\":\n" OBJECT "\n{\"b\n" OBJECT
                        "{\"c\":[1\n{}\n" OBJECT },
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

/* ---- sinks that have enough ---- */

/* A sink that fails the call at fail_at, and must not be called again. */
struct failing {
    struct pb_ingest_sink sink;
    size_t call_count, fail_at;
};

static enum pb_status
count_call(struct failing *failing)
{
    failing->call_count++;
    assert_true(failing->call_count <= failing->fail_at);
    return failing->call_count == failing->fail_at ? PB_E_FULL : PB_OK;
}

static enum pb_status
on_reads(void *context, struct pb_read *reads, size_t count)
{
    (void)reads;
    assert_true(count > 0);
    return count_call(context);
}

static enum pb_status
on_reject(void *context, const struct pb_rejection *rejection)
{
    (void)rejection;
    return count_call(context);
}

/* Fails each call of the sink in turn; returns how many there are. */
static size_t
stop_at_each_call(enum pb_format format, const void *input, size_t count)
{
    const struct pb_env *env = pb_env_system();
    struct pb_ingest_defaults defaults = no_defaults();
    enum pb_status status = PB_E_FULL;
    struct pb_input_head *head = NULL;
    struct failing failing = { .fail_at = 0 };
    struct pb_parser *parser = NULL;
    struct pb_error error;
    size_t at = 0;

    failing.sink = (struct pb_ingest_sink){
        .on_reads = on_reads, .on_reject = on_reject, .context = &failing
    };
    assert_int_equal(PB_OK,
                     pb_input_head_new(env, format, input, count, &defaults, &head, &at, &error));
    assert_int_equal(PB_OK, pb_parser_new(env, head, &parser, &error));
    while (status == PB_E_FULL) { /* the parser is as good as new after each */
        failing.call_count = 0;
        failing.fail_at++;
        status = pb_parser_chunk(parser, (const uint8_t *)input + at, count - at, 1, true,
                                 &failing.sink, &error);
        assert_int_equal(failing.call_count < failing.fail_at ? PB_OK : PB_E_FULL, status);
    }
    pb_parser_free(parser);
    pb_input_head_free(env, head);
    return failing.call_count;
}

#define ESCAPED "{\"plate\":\"AB12\",\"x\":\"\\n\"," HEAD "}"

static void
a_sink_that_has_enough_stops_the_parser_wherever_it_is(void **state)
{
    static const struct input more[] = {
        { PB_FORMAT_NDJSON, ESCAPED "\n{\"\n" ESCAPED "\n" ESCAPED "\n" },
        { PB_FORMAT_NDJSON, "[" ESCAPED "," ESCAPED ",]" },
        { PB_FORMAT_NDJSON, "{\n" HEAD ",\"plate\":\"\\u0041B1\"}\n" ESCAPED "{\n}" },
        { PB_FORMAT_OPENALPR,
          "{\"epoch_time\":1772971200000,\"camera_id\":3,\"results\":[{\"plate\":\"AB12\"},"
          "{\"plate\":\"\"},{\"plate\":\"AB13\"},{\"plate\":\"\"}]}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        (void)stop_at_each_call(inputs[i].format, inputs[i].text, strlen(inputs[i].text));
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        assert_true(stop_at_each_call(more[i].format, more[i].text, strlen(more[i].text)) > 1);
}

/* Lines whose texts lie in the parser's memory go out before the next window is loaded. */
static void
a_sink_that_has_enough_stops_the_parser_between_windows(void **state)
{
    enum { LINES = 200, PAD = 2000 }; /* of more than two windows, and fewer than a batch */
    size_t room = LINES * (PAD + 128), at = 0;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LINES; i++)
        at = put_text(text, room, at, "{\"plate\":\"AB1\",\"x\":\"\\n%0*d\"," HEAD "}\n", PAD, 0);
    assert_in_range(stop_at_each_call(PB_FORMAT_NDJSON, text, at), 3, LINES / 2);
    free(text);
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

/* One read that is no read in each block, and one with a wrong bit. */
static void
a_sink_that_has_enough_stops_the_parser_of_binary(void **state)
{
    struct pb_pbr_writer *writer = NULL;
    struct pb_read read;
    struct file file;
    size_t bad;

    (void)state;
    pb_read_init(&read);
    read.reader = pb_str_from("g");
    file.count = PB_PBR_HEAD_BYTES;
    pb_pbr_head_put(file.bytes);
    assert_int_equal(PB_OK, pb_pbr_writer_new(pb_env_system(), append, &file, &writer));
    for (size_t i = 0; i < 4; i++) {
        read.plate = pb_str_from("no plate");
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
        read.plate = pb_str_from("AB1");
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
        assert_int_equal(PB_OK, pb_pbr_writer_add(writer, &read));
        bad = file.count;
        assert_int_equal(PB_OK, pb_pbr_writer_flush(writer));
    }
    pb_pbr_writer_free(writer);
    file.bytes[bad] ^= 1;
    assert_int_equal(3 + 1 + 1, stop_at_each_call(PB_FORMAT_PBR, file.bytes, file.count));
}

static void
what_a_source_cannot_say_is_refused(void **state)
{
    static const char long_text[PB_READER_BYTES_MAX + 1] = { 'g' };
    static const struct {
        enum pb_format format;
        uint32_t reader_bytes;
        const char *country, *word;
    } cases[] = {
        { PB_FORMAT_AUTO, 0, "US", "not known" },
        { PB_FORMAT_NDJSON, PB_READER_BYTES_MAX + 1, "US", "reader is longer than 64" },
        { PB_FORMAT_NDJSON, 0, "United States", "country is not a code" },
        { PB_FORMAT_NDJSON, PB_READER_BYTES_MAX, NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_ingest_defaults defaults = no_defaults();
        struct pb_input_head *head = NULL;
        struct pb_error error;
        size_t head_bytes;
        enum pb_status status;

        defaults.reader = (struct pb_str){ .text = long_text, .bytes = cases[i].reader_bytes };
        defaults.country = cases[i].country;
        status = pb_input_head_new(pb_env_system(), cases[i].format, (const uint8_t *)OBJECT,
                                   sizeof(OBJECT) - 1, &defaults, &head, &head_bytes, &error);
        assert_int_equal(cases[i].word == NULL ? PB_OK : PB_BAD_INPUT, status);
        if (status != PB_OK)
            assert_non_null(strstr(error.message, cases[i].word));
        pb_input_head_free(pb_env_system(), head);
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
    enum pb_status status;

    defaults.reader = pb_str_from("gate");
    status = pb_input_head_new(env, input->format, bytes, count, &defaults, &head, &at, &error);
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
    /* 100 plates, and a uuid for which no chunk of memory has room. */
    static char many_values[4096], long_uuid[16384];
    static const struct input more[] = {
        { PB_FORMAT_CSV, "captured_at,plate,reader,make,alternates\n"
                         "2026-03-08T12:00:00Z,AB1,\"a\"\"b\",KIA,A81|A82\n" },
        { PB_FORMAT_NDJSON, "{\"plate\":\"\\u0041B1\"," HEAD ",\"make\":\"KIA\",\"alternates\":["
                            "{\"plate\":\"A81\"}]}" },
        { PB_FORMAT_OPENALPR,
          "{\"epoch_time\":1772971200000,\"uuid\":\"u\",\"camera_id\":3,\"site_id\":\"gate\","
          "\"results\":[{\"plate\":\"AB12\",\"candidates\":[{\"plate\":\"A812\"}]}]}" },
        /* The first that a read needs memory for is something else in each. */
        { PB_FORMAT_CSV, "captured_at,plate,alternates\n2026-03-08T12:00:00Z,AB1,A81\n" },
        { PB_FORMAT_NDJSON, "[{\"plate\":\"AB1\"," HEAD ",\"alternates\":[{\"plate\":\"A81\"}]}]" },
        { PB_FORMAT_OPENALPR, "{\"epoch_time\":1772971200000,\"results\":[{\"plate\":\"AB12\","
                              "\"candidates\":[{\"plate\":\"A812\"}]}]}" },
        { PB_FORMAT_OPENALPR, "{\"data_type\":\"alpr_group\",\"best_plate_number\":\"AB12\","
                              "\"epoch_start\":1772971200000,\"vehicle\":{\"color\":[{\"name\":"
                              "\"RED\"}]}}" },
        { PB_FORMAT_NDJSON, many_values },
        { PB_FORMAT_OPENALPR, long_uuid },
    };
    size_t at;

    (void)state;
    at = put_text(many_values, sizeof(many_values), 0,
                  "[{\"plate\":\"AB1\"," HEAD ",\"alternates\":[");
    for (int i = 0; i < 128; i++)
        at = put_text(many_values, sizeof(many_values), at, "%s{\"plate\":\"A81\"}",
                      i == 0 ? "" : ",");
    (void)put_text(many_values, sizeof(many_values), at, "]}]");
    (void)put_text(long_uuid, sizeof(long_uuid), 0,
                   "{\"epoch_time\":1772971200000,\"results\":[{\"plate\":\"AB12\"}],\"uuid\":"
                   "\"%010000d\"}", 0);
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
        assert_int_equal(1, whole.read_count + whole.rejection_count);
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
        cmocka_unit_test(a_sink_that_has_enough_stops_the_parser_wherever_it_is),
        cmocka_unit_test(a_sink_that_has_enough_stops_the_parser_between_windows),
        cmocka_unit_test(a_sink_that_has_enough_stops_the_parser_of_binary),
        cmocka_unit_test(what_a_source_cannot_say_is_refused),
        cmocka_unit_test(records_can_be_found_again_by_their_offset),
        cmocka_unit_test(every_failing_allocation_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
