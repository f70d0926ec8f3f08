/* Native CSV: what each row becomes, or why it becomes nothing. */
#include "base/limits.h"
#include "ingest/collector.h"

static struct collector collector;

#define HEADER "captured_at,plate,reader\n"
#define ROW "2026-03-08T12:00:00Z,AB12,g\n"
#define READ "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000Z\",\"reader\":\"g\"}\n"

static enum pb_status
parse(const void *text, size_t bytes)
{
    struct pb_ingest_defaults defaults = no_defaults();

    collector_init(&collector);
    return collect(&collector, PB_FORMAT_CSV, text, bytes, &defaults);
}

static void
rows_become_reads(void **state)
{
    static const struct {
        const char *text, *reads;
    } cases[] = {
        { HEADER ROW, READ },
        { HEADER ROW ROW, READ READ },
        { HEADER, "" },
        { "captured_at,plate,reader", "" },
        { "\xEF\xBB\xBF" HEADER ROW, READ },
        { "captured_at,plate,reader\r\n2026-03-08T12:00:00Z,AB12,g\r\n", READ },
        { HEADER "\n\n" ROW "\r\n", READ },
        { HEADER "2026-03-08T12:00:00Z,AB12,g", READ },
        { HEADER "2026-03-08T12:00:00Z,AB12,g\r", READ },
        { " Reader , PLATE,color,Captured_At\ng,AB12,,2026-03-08T12:00:00Z\n", READ },
        { "unknown,captured_at,plate,reader\nanything,2026-03-08T12:00:00Z,AB12,g\n", READ },
        { HEADER "\"2026-03-08T12:00:00Z\",\"AB12\",\"g\"\r\n", READ },
        { HEADER "\"2026-03-08T12:00:00Z\",AB12,\"g\"", READ },
        { "\"captured_at\",\"plate\",\"reader\"\n" ROW, READ },
        { "captured_at,plate,reader,\"a\n,b\"\n2026-03-08T12:00:00Z,AB12,g,\"x\"\n", READ },
        { HEADER "1772971200000,AB12,g\n",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\","
          "\"reader\":\"g\"}\n" },
        { HEADER "2026-03-08T13:00:00.1234567+01:00, ab-12 ,g\n",
          "{\"plate\":\"AB12\",\"plate_raw\":\" ab-12 \","
          "\"captured_at\":\"2026-03-08T13:00:00.123456+01:00\",\"reader\":\"g\"}\n" },
        { HEADER "2026-03-08T12:00:00Z,AB12,\"a \"\"quoted\"\", reader\"\n",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000Z\","
          "\"reader\":\"a \\\"quoted\\\", reader\"}\n" },
        { "captured_at,plate,jurisdiction,reader,lat,lon,heading_deg,speed_kmh,confidence,make,"
          "model,color,body,year,event_id,alternates,lane,delete_after,revision,images\n"
          "2026-03-08T12:00:00Z,AB12,ga,g, 34.0522342 ,-118.24368495,359.996,42.03,91.609123,"
          "Toyota,CAMRY,Silver,sedan,2015-2019,e-1,A812:81.5||AB1Z|-:3|,2,2026-04-08T12:00:00Z,3,"
          "plate=a=1.jpg|scene=b\n",
          "{\"plate\":\"AB12\",\"jurisdiction\":\"US-GA\",\"captured_at\":"
          "\"2026-03-08T12:00:00.000Z\",\"reader\":\"g\",\"lat\":34.0522342,\"lon\":-118.243685,"
          "\"heading_deg\":0,\"speed_kmh\":42.03,\"lane\":2,\"confidence\":91.609123,"
          "\"confidence_scale\":\"percent\",\"make\":\"toyota\",\"model\":\"camry\","
          "\"color\":\"silver\",\"body\":\"sedan\",\"year\":\"2015-2019\",\"event_id\":\"e-1\","
          "\"revision\":3,\"revises\":true,\"delete_after\":\"2026-04-08T12:00:00.000Z\","
          "\"alternates\":[{\"plate\":\"A812\",\"confidence\":81.5},{\"plate\":\"AB1Z\"}],"
          "\"images\":[{\"kind\":\"plate\",\"ref\":\"a=1.jpg\"},{\"kind\":\"scene\",\"ref\":"
          "\"b\"}]}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(PB_OK, parse(cases[i].text, strlen(cases[i].text)));
        assert_string_equal("", collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

static void
bad_rows_say_why_and_cost_no_other(void **state)
{
    /* Each stands as line 3 between two good rows. */
    static const struct {
        const char *row, *rejection;
    } cases[] = {
        { "2026-03-08T12:00:00Z,AB12\n", "3 the row has fewer cells than the header\n" },
        { "2026-03-08T12:00:00Z,AB12,g,\n", "3 the row has more cells than the header\n" },
        { "1601-01-01T00:00:00Z,AB12,g\n",
          "3 captured_at is not a time with a zone from 1970 to 2199\n" },
        { "9999-12-31T23:59:59Z,AB12,g\n",
          "3 captured_at is not a time with a zone from 1970 to 2199\n" },
        { "2026-03-08T12:00:00,AB12,g\n",
          "3 captured_at is not a time with a zone from 1970 to 2199\n" },
        { "2026-02-29T12:00:00Z,AB12,g\n",
          "3 captured_at is not a time with a zone from 1970 to 2199\n" },
        { ",AB12,g\n", "3 captured_at is missing\n" },
        { "2026-03-08T12:00:00Z,,g\n", "3 plate is empty\n" },
        { "2026-03-08T12:00:00Z,--,g\n", "3 plate says that no plate was read\n" },
        { "2026-03-08T12:00:00Z,unknown,g\n", "3 plate says that no plate was read\n" },
        { "2026-03-08T12:00:00Z,A\xff" "B,g\n",
          "3 plate is not UTF-8, has a control character or is too long\n" },
        { "2026-03-08T12:00:00Z,AB12,\n", "3 reader is empty\n" },
        { "2026-03-08T12:00:00Z,AB12,g\xc3\n", "3 reader is not UTF-8\n" },
        { "2026-03-08T12:00:00Z,AB12,g\x01\n", "3 reader has a control character\n" },
        { "2026-03-08T12:00:00Z,AB12,"
          "0123456789012345678901234567890123456789012345678901234567890123456789\n",
          "3 reader is too long\n" },
        { "2026-03-08T12:00:00Z,AB12,g\"h\n", "3 a quote in a cell that is not quoted\n" },
        { "2026-03-08T12:00:00Z,AB12,\"g\"h\n", "3 text after a closing quote\n" },
        { "2026-03-08T12:00:00Z,AB12,\"g\"\rh\n", "3 text after a closing quote\n" },
        { "2026-03-08T12:00:00Z,\"\",g\n", "3 plate is empty\n" },
        { "2026-03-08T12:00:00Z,AB12, \"g\"\n", "3 a quote in a cell that is not quoted\n" },
        { "2026-03-08T12:00:00Z,AB12,\"g\n", "3 a quote is not closed\n" },
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int bytes = snprintf(text, sizeof(text), HEADER ROW "%s" ROW, cases[i].row);

        assert_int_equal(PB_OK, parse(text, (size_t)bytes));
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_string_equal(READ READ, collector.reads);
    }
}

static void
bad_cells_name_their_column(void **state)
{
    static const struct {
        const char *column, *cell, *rejection;
    } cases[] = {
        { "lat,lon", "91,1", "lat is not from -90 to 90 degrees" },
        { "lat,lon", "-90.00000006,1", "lat is not from -90 to 90 degrees" },
        { "lat,lon", "1,180.1", "lon is not from -180 to 180 degrees" },
        { "lat,lon", "1,", "lon is missing beside the other coordinate" },
        { "lat,lon", ",1", "lat is missing beside the other coordinate" },
        { "lat,lon", "1x,1", "lat is not a number" },
        { "lat,lon", "NaN,1", "lat is not a number" },
        { "heading_deg", "-1", "heading_deg is not from 0 to 360 degrees" },
        { "heading_deg", "360.01", "heading_deg is not from 0 to 360 degrees" },
        { "speed_kmh", "655.35", "speed_kmh is not from 0 to 655.34 km/h" },
        { "lane", "256", "lane is not a whole number from 0 to 255" },
        { "lane", "1.0", "lane is not a whole number from 0 to 255" },
        { "confidence", "-0.1", "confidence is not from 0 to 100" },
        { "confidence", "100.1", "confidence is not from 0 to 100" },
        { "confidence", "high", "confidence is not a number" },
        { "confidence", "%", "confidence is not a number" },
        { "confidence", " ", "confidence is not a number" },
        { "confidence,confidence_scale", "1.5,unit", "confidence is not from 0 to 1" },
        { "confidence,confidence_scale", "1%,unit",
          "confidence is in percent beside the scale unit" },
        { "confidence,confidence_scale", "1,ratio",
          "confidence_scale is neither unit nor percent" },
        { "confidence,confidence_scale", "1,un1t",
          "confidence_scale is neither unit nor percent" },
        { "year", "1884", "year is not a year or a range of years from 1885 to 2100" },
        { "year", "2019-2015", "year is not a year or a range of years from 1885 to 2100" },
        { "year", "2015-2101", "year is not a year or a range of years from 1885 to 2100" },
        { "year", "2015-", "year is not a year or a range of years from 1885 to 2100" },
        { "revision", "-1", "revision is not a whole number from 0 to 4294967295" },
        { "revision", "4294967296", "revision is not a whole number from 0 to 4294967295" },
        { "delete_after", "soon",
          "delete_after is neither a time with a zone from 1970 to 2199 nor never" },
        { "alternates", "A1:50", "alternates have a confidence where the read has none" },
        { "alternates", "A1|A2:50|A3", "alternates have a confidence where the read has none" },
        { "confidence,alternates", "50,A1:101",
          "alternates have a confidence that is not a number on the read's scale" },
        { "confidence,alternates", "50,A1:5%",
          "alternates have a confidence that is not a number on the read's scale" },
        { "alternates", "A\xff", "alternates have a text that cannot be a plate" },
        { "images", "a.jpg", "images have an item that is not kind=reference" },
        { "images", "plate=1|", "images have an item that is not kind=reference" },
        { "images", "front=a.jpg",
          "images have a kind other than plate, vehicle, scene and other" },
        { "images", "plate=", "images have a reference that is empty or too long" },
        { "images", "plate=1|plate=2|plate=3|plate=4|plate=5", "images are more than 4" },
        { "jurisdiction", "\xff", "jurisdiction is not UTF-8" },
        { "jurisdiction", "U\x01", "jurisdiction has a control character" },
        { "something", "\xff",
          "a cell of an unknown column is not UTF-8 or has a control character" },
        { "something", "a\tb",
          "a cell of an unknown column is not UTF-8 or has a control character" },
        { "something", "a\x7f",
          "a cell of an unknown column is not UTF-8 or has a control character" },
    };
    char text[1024], rejection[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int bytes = snprintf(text, sizeof(text),
                             "captured_at,plate,reader,%s\n2026-03-08T12:00:00Z,AB12,g,%s\n",
                             cases[i].column, cases[i].cell);

        (void)snprintf(rejection, sizeof(rejection), "2 %s\n", cases[i].rejection);
        assert_int_equal(PB_OK, parse(text, (size_t)bytes));
        assert_string_equal(rejection, collector.rejections);
        assert_string_equal("", collector.reads);
    }
}

static void
confidence_finds_its_scale(void **state)
{
    static const struct {
        const char *cells, *confidence;
    } cases[] = {
        { "0,", "\"confidence\":0,\"confidence_scale\":\"unit\"" },
        { "1.0,", "\"confidence\":1,\"confidence_scale\":\"unit\"" },
        { "1.000001,", "\"confidence\":1.000001,\"confidence_scale\":\"percent\"" },
        { "0.5%,", "\"confidence\":0.5,\"confidence_scale\":\"percent\"" },
        { "0.5,percent", "\"confidence\":0.5,\"confidence_scale\":\"percent\"" },
        { "0.5,UNIT", "\"confidence\":0.5,\"confidence_scale\":\"unit\"" },
        { "100,", "\"confidence\":100,\"confidence_scale\":\"percent\"" },
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int bytes = snprintf(text, sizeof(text),
                             "captured_at,plate,reader,confidence,confidence_scale\n"
                             "2026-03-08T12:00:00Z,AB12,g,%s\n",
                             cases[i].cells);

        assert_int_equal(PB_OK, parse(text, (size_t)bytes));
        assert_non_null(strstr(collector.reads, cases[i].confidence));
    }
}

static void
a_nul_rejects_its_row_only(void **state)
{
    static const char text[] = HEADER "2026-03-08T12:00:00Z,AB12,g\0h\n"
                                      "2026-03-08T12:00:00Z,A\0B,g\n"
                                      "\0\n" ROW;

    (void)state;
    assert_int_equal(PB_OK, parse(text, sizeof(text) - 1));
    assert_string_equal("2 reader has a control character\n"
                        "3 plate is not UTF-8, has a control character or is too long\n"
                        "4 the row has fewer cells than the header\n",
                        collector.rejections);
    assert_string_equal(READ, collector.reads);
}

static void
quoted_line_ends_belong_to_their_cell_and_count_as_lines(void **state)
{
    static const char text[] = "captured_at,plate,reader,note\n"
                               "2026-03-08T12:00:00Z,AB12,\"g\nh\",x\n"
                               "2026-03-08T12:00:00Z,AB12,g\n";

    (void)state;
    assert_int_equal(PB_OK, parse(text, sizeof(text) - 1));
    assert_string_equal("2 reader has a control character\n"
                        "4 the row has fewer cells than the header\n",
                        collector.rejections);
}

/* Ten MiB without a line end, with and without a quote before it. */
static void
a_line_too_long_is_one_rejection(void **state)
{
    static const char *const beginnings[] = { "", "2026-03-08T12:00:00Z,AB12,g," };
    size_t long_bytes = 10u << 20, room = long_bytes + 1024;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        size_t at = put_text(text, room, 0, HEADER ROW "%s", beginnings[i]);

        memset(text + at, 'x', long_bytes);
        at += long_bytes;
        at = put_text(text, room, at, "\n" ROW);
        assert_int_equal(PB_OK, parse(text, at));
        assert_string_equal("3 the row is longer than 1 MiB\n", collector.rejections);
        assert_string_equal(READ READ, collector.reads);
    }
    free(text);
}

/* Fewer bytes than a row may have follow it, and then more. */
static void
a_quote_that_nobody_closes_costs_one_line(void **state)
{
    static const size_t row_counts[] = { 3, 2 * PB_LINE_BYTES_MAX / (sizeof(ROW) - 1) };
    size_t room = 3u * PB_LINE_BYTES_MAX;
    char *text = malloc(room);
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(row_counts) / sizeof(row_counts[0]); i++) {
        size_t at = put_text(text, room, 0, HEADER "2026-03-08T12:00:00Z,AB12,\"g\n");

        for (size_t row = 0; row < row_counts[i]; row++)
            at = put_text(text, room, at, ROW);
        collector_init(&collector);
        collector.is_counting = true;
        assert_int_equal(PB_OK, collect_cut(&collector, PB_FORMAT_CSV, text, at, &defaults, 65536));
        assert_int_equal(1, collector.rejection_count);
        assert_int_equal(row_counts[i], collector.read_count);
    }
    free(text);
}

/* A header and a row of as many columns as may be, and two cells more in each of two ways. */
static void
no_row_has_more_cells_than_a_header_may_have(void **state)
{
    char commas[256], text[4096];
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    memset(commas, ',', sizeof(commas));
    for (int extra = 0; extra <= 1; extra++) {
        int bytes = snprintf(text, sizeof(text),
                             "captured_at,plate,reader%.*s\n"
                             "2026-03-08T12:00:00Z,AB12,g%.*s\n"
                             "2026-03-08T12:00:00Z,AB12,\"g\"%.*s\n",
                             253, commas, 253 + 2 * extra, commas, 253 + 2 * extra, commas);

        collector_init(&collector);
        assert_int_equal(PB_OK,
                         collect(&collector, PB_FORMAT_CSV, text, (size_t)bytes, &defaults));
        assert_string_equal(extra == 0 ? "" : "2 the row has more cells than the header\n"
                                              "3 the row has more cells than the header\n",
                            collector.rejections);
        assert_string_equal(extra == 0 ? READ READ : "", collector.reads);
    }
}

static void
headers_that_cannot_be_used_are_refused_by_name(void **state)
{
    static char long_line[PB_LINE_BYTES_MAX + 32], many_columns[512];
    static const struct {
        const char *header, *word;
    } cases[] = {
        { "", "plate" },
        { "captured_at,reader\n", "plate" },
        { "plate,reader\n", "captured_at" },
        { "plate,captured_at\n", "reader" },
        { "plate,captured_at,reader,PLATE\n", "plate twice" },
        { "plate,captured_at,\"reader\n", "quote" },
        { "plate;captured_at;reader\n", "plate" },
        { long_line, "longer than a line" },
        { many_columns, "more than 256 columns" },
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    memset(long_line, 'x', PB_LINE_BYTES_MAX);
    (void)put_text(long_line, sizeof(long_line), PB_LINE_BYTES_MAX, ",plate\n");
    memset(many_columns, ',', 256);
    (void)put_text(many_columns, sizeof(many_columns), 256, "\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_input_head *head = NULL;
        struct pb_error error;
        size_t head_bytes;

        assert_int_equal(PB_BAD_INPUT,
                         pb_input_head_new(pb_env_system(), PB_FORMAT_CSV,
                                           (const uint8_t *)cases[i].header,
                                           strlen(cases[i].header), &defaults, &head, &head_bytes,
                                           &error));
        assert_null(head);
        assert_non_null(strstr(error.message, cases[i].word));
    }
}

static void
what_a_source_says_of_all_its_reads_fills_the_gaps(void **state)
{
    static const char text[] = "plate,reader,lat,lon,delete_after\n"
                               "AB12,,,,\n"
                               "AB13,g,1,2,never\n";
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    defaults.reader = pb_str_from("gate");
    defaults.lat_e7 = 10000000;
    defaults.lon_e7 = 20000000;
    defaults.captured_at_us = INT64_C(1772971200000000);
    defaults.retention_days = 30;
    collector_init(&collector);
    assert_int_equal(PB_OK,
                     collect(&collector, PB_FORMAT_CSV, text, sizeof(text) - 1, &defaults));
    assert_string_equal("", collector.rejections);
    assert_string_equal(
        "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"gate\","
        "\"lat\":1,\"lon\":2,\"delete_after\":\"2026-04-07T12:00:00.000Z\"}\n"
        "{\"plate\":\"AB13\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"g\","
        "\"lat\":1,\"lon\":2}\n",
        collector.reads);

    defaults.retention_days = INT32_MAX; /* past the end of time: its last moment */
    collector_init(&collector);
    assert_int_equal(PB_OK,
                     collect(&collector, PB_FORMAT_CSV, text, sizeof(text) - 1, &defaults));
    assert_non_null(strstr(collector.reads, "\"delete_after\":\"2199-12-31T23:59:59.999999Z\""));

    defaults.retention_days = 30; /* a date that is sooner wins */
    defaults.delete_after_us = INT64_C(1773000000000000);
    collector_init(&collector);
    assert_int_equal(PB_OK,
                     collect(&collector, PB_FORMAT_CSV, text, sizeof(text) - 1, &defaults));
    assert_non_null(strstr(collector.reads, "\"delete_after\":\"2026-03-08T20:00:00.000Z\""));
}

static void
a_sink_that_has_enough_stops_the_parser(void **state)
{
    static const char text[] = HEADER ROW "bad\n" ROW;
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    collector_init(&collector);
    collector.answer = PB_E_FULL;
    assert_int_equal(PB_E_FULL,
                     collect(&collector, PB_FORMAT_CSV, text, sizeof(text) - 1, &defaults));
    assert_int_equal(1, collector.rejection_count + collector.read_count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_reads),
        cmocka_unit_test(bad_rows_say_why_and_cost_no_other),
        cmocka_unit_test(bad_cells_name_their_column),
        cmocka_unit_test(confidence_finds_its_scale),
        cmocka_unit_test(a_nul_rejects_its_row_only),
        cmocka_unit_test(quoted_line_ends_belong_to_their_cell_and_count_as_lines),
        cmocka_unit_test(a_line_too_long_is_one_rejection),
        cmocka_unit_test(a_quote_that_nobody_closes_costs_one_line),
        cmocka_unit_test(no_row_has_more_cells_than_a_header_may_have),
        cmocka_unit_test(headers_that_cannot_be_used_are_refused_by_name),
        cmocka_unit_test(what_a_source_says_of_all_its_reads_fills_the_gaps),
        cmocka_unit_test(a_sink_that_has_enough_stops_the_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
