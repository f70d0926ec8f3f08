#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <platebase/plate.h>

#include "read/read_maker.h"
#include "read/read_text.h"

static void
expect_csv(struct pb_read read, bool formula_safe, const char *expected)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    size_t length = pb_read_to_csv(&read, formula_safe, text);

    assert_true(length < sizeof(text) && text[length - 1] == '\n');
    text[length - 1] = '\0';
    assert_string_equal(expected, text);
}

static void
expect_json(struct pb_read read, const struct pb_result *result, const char *expected)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    size_t length = pb_read_to_json(&read, result, text);

    assert_true(length < sizeof(text));
    text[length] = '\0';
    assert_string_equal(expected, text);
}

static struct pb_read
least(void)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from("AB12");
    read.reader = pb_str_from("g");
    read.utc_offset_min = 0;
    return read;
}

static const struct pb_alternate alternates[] = {
    { { "A8123CD", 7 }, 71200000 },
    { { "AB123C0", 7 }, PB_NO_CONFIDENCE },
};
static const struct pb_image_ref images[] = {
    { PB_IMAGE_PLATE, { "a/1.jpg", 7 } },
    { PB_IMAGE_VEHICLE, { "a/2.jpg", 7 } },
    { PB_IMAGE_SCENE, { "a/3.jpg", 7 } },
    { PB_IMAGE_OTHER, { "a/4.jpg", 7 } },
};

/* The example of docs/formats/native-ndjson.md, with more. */
static struct pb_read
full(void)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from("AB123CD");
    read.plate_raw = pb_str_from("ab-123 cd");
    read.jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-CA"));
    read.captured_at_us = INT64_C(1795442408125000);
    read.utc_offset_min = -480;
    read.received_at_us = INT64_C(1795442409000412);
    read.delete_after_us = INT64_C(1798034408125000);
    read.reader = pb_str_from("gate-4");
    read.lat_e7 = 377749000;
    read.lon_e7 = -1224194000;
    read.heading_cdeg = 18150;
    read.speed_ckmh = 4203;
    read.lane = 2;
    read.confidence_scale = PB_SCALE_PERCENT;
    read.confidence_e6 = 91609123;
    read.make = pb_str_from("toyota");
    read.model = pb_str_from("camry");
    read.color = pb_str_from("gray");
    read.body = pb_str_from("sedan");
    read.year = 2015;
    read.year_last = 2019;
    read.event_id = pb_str_from("e-17");
    read.revision = 1;
    read.is_revisable = true;
    read.alternates = alternates;
    read.alternate_count = 2;
    read.images = images;
    read.image_count = 4;
    return read;
}

static void
csv_header_names_the_columns_of_the_format_page(void **state)
{
    (void)state;
    assert_string_equal("captured_at,plate,jurisdiction,reader,lat,lon,heading_deg,speed_kmh,"
                        "confidence,make,model,color,body,year,event_id,alternates\n",
                        pb_csv_header);
}

static void
csv_row_of_a_bare_read_has_sixteen_cells(void **state)
{
    (void)state;
    expect_csv(least(), false, "1970-01-01T00:00:00.000Z,AB12,,g,,,,,,,,,,,,");
}

static void
csv_row_of_a_full_read_has_every_cell(void **state)
{
    (void)state;
    expect_csv(full(), false,
               "2026-11-23T06:00:08.125-08:00,ab-123 cd,US-CA,gate-4,37.7749,-122.4194,181.5,42.03,"
               "91.609123,toyota,camry,gray,sedan,2015-2019,e-17,A8123CD:71.2|AB123C0");
}

static void
csv_quotes_only_what_needs_it(void **state)
{
    static const struct {
        const char *reader;
        const char *cell;
    } cases[] = {
        { "a b", "a b" },
        { "a,b", "\"a,b\"" },
        { "a\"b", "\"a\"\"b\"" },
        { "\"", "\"\"\"\"" },
        { "\"a\"", "\"\"\"a\"\"\"" },
        { "a\nb", "\"a\nb\"" },
        { "a\r", "\"a\r\"" },
        { " a", "\" a\"" },
        { "a ", "\"a \"" },
        { "a;b|c:d'e", "a;b|c:d'e" },
        { "\xC3\x84", "\xC3\x84" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = least();
        char expected[128] = "1970-01-01T00:00:00.000Z,AB12,,";

        read.reader = pb_str_from(cases[i].reader);
        strncat(expected, cases[i].cell, 64);
        strncat(expected, ",,,,,,,,,,,,", 64);
        expect_csv(read, false, expected);
    }
}

static void
csv_gives_one_year_or_a_range(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.year = 2015;
    expect_csv(read, true, "1970-01-01T00:00:00.000Z,AB12,,g,,,,,,,,,,2015,,");
    read.year_last = 2019;
    expect_csv(read, true, "1970-01-01T00:00:00.000Z,AB12,,g,,,,,,,,,,2015-2019,,");
}

static void
csv_disarms_formulas_when_asked_and_leaves_numbers_alone(void **state)
{
    static const struct {
        const char *make;
        const char *cell;
    } cases[] = {
        { "=1+1", "'=1+1" },
        { "+1", "'+1" },
        { "-1", "'-1" },
        { "@a", "'@a" },
        { "\ta", "'\ta" },
        { "\ra", "\"'\ra\"" },
        { "=a,b", "\"'=a,b\"" },
        { "=\"a\"", "\"'=\"\"a\"\"\"" },
        { "\xEF\xBC\x9D" "1", "'\xEF\xBC\x9D" "1" },
        { "\xEF\xBC\x8B" "1", "'\xEF\xBC\x8B" "1" },
        { "\xEF\xBC\x8D" "1", "'\xEF\xBC\x8D" "1" },
        { "\xEF\xBC\xA0" "a", "'\xEF\xBC\xA0" "a" },
        { "\xEF\xBC\xA1", "\xEF\xBC\xA1" }, /* a full-width A is no formula */
        { "a=1", "a=1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = least();
        char expected[128] = "1970-01-01T00:00:00.000Z,AB12,,g,-1.5,-2.5,,,,";

        read.lat_e7 = -15000000;
        read.lon_e7 = -25000000;
        read.make = pb_str_from(cases[i].make);
        strncat(expected, cases[i].cell, 64);
        strncat(expected, ",,,,,,", 64);
        expect_csv(read, true, expected);
    }
}

static void
csv_without_formula_safety_changes_no_text(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.plate_raw = pb_str_from("=AB-12");
    read.event_id = pb_str_from("-1");
    expect_csv(read, false, "1970-01-01T00:00:00.000Z,=AB-12,,g,,,,,,,,,,,-1,");
    expect_csv(read, true, "1970-01-01T00:00:00.000Z,'=AB-12,,g,,,,,,,,,,,'-1,");
}

/* What pb_read_to_csv promises the importer: see Confidence in docs/formats/native-csv.md. */
static void
csv_confidence_says_its_scale(void **state)
{
    static const struct {
        enum pb_confidence_scale scale;
        uint32_t e6;
        const char *cell;
    } cases[] = {
        { PB_SCALE_UNIT, 0, "0" },
        { PB_SCALE_UNIT, 937210, "0.93721" },
        { PB_SCALE_UNIT, 1000000, "1" },
        { PB_SCALE_PERCENT, 0, "0%" },
        { PB_SCALE_PERCENT, 1, "0.000001%" },
        { PB_SCALE_PERCENT, 1000000, "1%" },
        { PB_SCALE_PERCENT, 1000001, "1.000001" },
        { PB_SCALE_PERCENT, 100000000, "100" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = least();
        char expected[128] = "1970-01-01T00:00:00.000Z,AB12,,g,,,,,";

        read.confidence_scale = cases[i].scale;
        read.confidence_e6 = cases[i].e6;
        strncat(expected, cases[i].cell, 64);
        strncat(expected, ",,,,,,,", 64);
        expect_csv(read, false, expected);
    }
}

static void
csv_of_a_correction_shows_the_corrected_plate(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.plate_raw = pb_str_from("A812");
    read.is_correction = true;
    expect_csv(read, false, "1970-01-01T00:00:00.000Z,AB12,,g,,,,,,,,,,,,");
}

static void
times_keep_their_zone_and_an_unknown_zone_stays_unknown(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.captured_at_us = INT64_C(1795413608125001);
    read.utc_offset_min = PB_NO_UTC_OFFSET;
    expect_csv(read, false, "2026-11-23T06:00:08.125001-00:00,AB12,,g,,,,,,,,,,,,");
    read.utc_offset_min = 345;
    expect_csv(read, false, "2026-11-23T11:45:08.125001+05:45,AB12,,g,,,,,,,,,,,,");
    read.utc_offset_min = -1439;
    read.captured_at_us = 0;
    expect_csv(read, false, "1969-12-31T00:01:00.000-23:59,AB12,,g,,,,,,,,,,,,");
    read.utc_offset_min = 1439;
    read.captured_at_us = PB_TIME_MAX_US - 1;
    expect_csv(read, false, "2200-01-01T23:58:59.999999+23:59,AB12,,g,,,,,,,,,,,,");
}

static void
positions_print_their_shortest_exact_decimals(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.lat_e7 = -900000000;
    read.lon_e7 = 1;
    expect_csv(read, false, "1970-01-01T00:00:00.000Z,AB12,,g,-90,0.0000001,,,,,,,,,,");
    read.lat_e7 = 0;
    read.lon_e7 = -5;
    read.heading_cdeg = 0;
    read.speed_ckmh = 65534;
    expect_csv(read, false, "1970-01-01T00:00:00.000Z,AB12,,g,0,-0.0000005,0,655.34,,,,,,,,");
}

static void
json_of_a_bare_read_has_only_what_is_known(void **state)
{
    (void)state;
    expect_json(least(), NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\","
                "\"reader\":\"g\"}");
}

static void
json_of_a_full_read_is_as_the_format_page_shows(void **state)
{
    (void)state;
    expect_json(full(), NULL,
                "{\"plate\":\"AB123CD\",\"plate_raw\":\"ab-123 cd\",\"jurisdiction\":\"US-CA\","
                "\"captured_at\":\"2026-11-23T06:00:08.125-08:00\","
                "\"received_at\":\"2026-11-23T14:00:09.000412Z\",\"reader\":\"gate-4\","
                "\"lat\":37.7749,\"lon\":-122.4194,\"heading_deg\":181.5,\"speed_kmh\":42.03,"
                "\"lane\":2,\"confidence\":91.609123,\"confidence_scale\":\"percent\","
                "\"make\":\"toyota\",\"model\":\"camry\",\"color\":\"gray\",\"body\":\"sedan\","
                "\"year\":\"2015-2019\",\"event_id\":\"e-17\",\"revision\":1,\"revises\":true,"
                "\"delete_after\":\"2026-12-23T14:00:08.125Z\","
                "\"alternates\":[{\"plate\":\"A8123CD\",\"confidence\":71.2},"
                "{\"plate\":\"AB123C0\"}],"
                "\"images\":[{\"kind\":\"plate\",\"ref\":\"a/1.jpg\"},"
                "{\"kind\":\"vehicle\",\"ref\":\"a/2.jpg\"},"
                "{\"kind\":\"scene\",\"ref\":\"a/3.jpg\"},"
                "{\"kind\":\"other\",\"ref\":\"a/4.jpg\"}]}");
}

static void
json_says_which_scale_a_confidence_has(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.confidence_scale = PB_SCALE_UNIT;
    read.confidence_e6 = 937210;
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\",\"reader\":\"g\","
                "\"confidence\":0.93721,\"confidence_scale\":\"unit\"}");
}

/* A program that was built for a later version may hand on what this one does not know. */
static void
json_takes_a_kind_or_match_that_it_does_not_know_for_the_first(void **state)
{
    static const struct pb_image_ref image = { (enum pb_image_kind)77, { "a/5.jpg", 7 } };
    struct pb_result result = { .match = (enum pb_match)77 };
    struct pb_read read = least();

    (void)state;
    read.images = &image;
    read.image_count = 1;
    expect_json(read, &result,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\",\"reader\":\"g\","
                "\"images\":[{\"kind\":\"other\",\"ref\":\"a/5.jpg\"}],\"match\":\"exact\"}");
}

static void
json_tells_corrections_and_superseded_reads(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.year = 2015;
    read.revision = 2;
    read.is_correction = true;
    read.identity_plate = pb_str_from("A812");
    read.is_superseded = true;
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\",\"reader\":\"g\","
                "\"year\":2015,\"revision\":2,\"revises\":false,\"correction\":true,"
                "\"identity_plate\":\"A812\",\"superseded\":true}");
    read = least();
    read.is_revisable = true;
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\",\"reader\":\"g\","
                "\"revision\":0,\"revises\":true}");
}

static void
json_of_a_result_tells_how_it_matches(void **state)
{
    static const struct {
        enum pb_match match;
        unsigned edits, alternate;
        const char *keys;
    } cases[] = {
        { PB_MATCH_EXACT, 0, 0, "\"match\":\"exact\"}" },
        { PB_MATCH_PATTERN, 0, 0, "\"match\":\"pattern\"}" },
        { PB_MATCH_LOOKALIKE, 0, 3, "\"match\":\"lookalike\",\"alternate\":3}" },
        { PB_MATCH_EDITS, 2, 1, "\"match\":\"edits\",\"edits\":2,\"alternate\":1}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[256] = "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\","
                             "\"reader\":\"g\",";
        struct pb_result result = {
            .match = cases[i].match, .edits = cases[i].edits, .alternate = cases[i].alternate
        };

        strncat(expected, cases[i].keys, 128);
        expect_json(least(), &result, expected);
    }
}

static void
json_strings_escape_what_json_demands(void **state)
{
    struct pb_read read = least();

    (void)state;
    read.reader = pb_str_from("a\"b\\c/\xC3\x84\xE2\x80\xA8\x7F");
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\","
                "\"reader\":\"a\\\"b\\\\c/\xC3\x84\xE2\x80\xA8\x7F\"}");
    read.reader = pb_str_from("\b\t\n\f\r\x01\x1F");
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\","
                "\"reader\":\"\\b\\t\\n\\f\\r\\u0001\\u001f\"}");
    read.reader = (struct pb_str){ "\0x", 2 };
    expect_json(read, NULL,
                "{\"plate\":\"AB12\",\"captured_at\":\"1970-01-01T00:00:00.000Z\","
                "\"reader\":\"\\u0000x\"}");
}

/* The buffer's size is a promise: the longest read whose every byte must be escaped. */
static void
text_of_the_longest_read_fits(void **state)
{
    struct pb_alternate many_alternates[PB_ALTERNATES_MAX];
    struct pb_image_ref many_images[PB_IMAGES_MAX];
    struct pb_read read = full();
    char worst[256];
    char *text = test_malloc(PB_READ_TEXT_BYTES_MAX);

    (void)state;
    memset(worst, 0x01, sizeof(worst));
    read.plate = read.identity_plate = (struct pb_str){ worst, PB_PLATE_BYTES_MAX };
    read.plate_raw = read.reader = (struct pb_str){ worst, PB_PLATE_RAW_BYTES_MAX };
    read.make = read.model = read.color = read.body = (struct pb_str){ worst, 48 };
    read.event_id = (struct pb_str){ worst, PB_EVENT_ID_BYTES_MAX };
    read.is_correction = read.is_superseded = true;
    for (size_t i = 0; i < PB_ALTERNATES_MAX; i++)
        many_alternates[i] = (struct pb_alternate){ read.plate, 99999999 };
    for (size_t i = 0; i < PB_IMAGES_MAX; i++)
        many_images[i] = (struct pb_image_ref){ PB_IMAGE_VEHICLE, { worst, 256 } };
    read.alternates = many_alternates;
    read.alternate_count = PB_ALTERNATES_MAX;
    read.images = many_images;
    read.image_count = PB_IMAGES_MAX;
    assert_in_range(pb_read_to_json(&read, NULL, text), 11000, 16384);
    assert_int_equal('}', text[pb_read_to_json(&read, NULL, text) - 1]);

    memset(worst, '"', sizeof(worst));
    assert_in_range(pb_read_to_csv(&read, true, text), 1500, 4096);
    test_free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_header_names_the_columns_of_the_format_page),
        cmocka_unit_test(csv_row_of_a_bare_read_has_sixteen_cells),
        cmocka_unit_test(csv_row_of_a_full_read_has_every_cell),
        cmocka_unit_test(csv_quotes_only_what_needs_it),
        cmocka_unit_test(csv_gives_one_year_or_a_range),
        cmocka_unit_test(csv_disarms_formulas_when_asked_and_leaves_numbers_alone),
        cmocka_unit_test(csv_without_formula_safety_changes_no_text),
        cmocka_unit_test(csv_confidence_says_its_scale),
        cmocka_unit_test(csv_of_a_correction_shows_the_corrected_plate),
        cmocka_unit_test(times_keep_their_zone_and_an_unknown_zone_stays_unknown),
        cmocka_unit_test(positions_print_their_shortest_exact_decimals),
        cmocka_unit_test(json_of_a_bare_read_has_only_what_is_known),
        cmocka_unit_test(json_of_a_full_read_is_as_the_format_page_shows),
        cmocka_unit_test(json_says_which_scale_a_confidence_has),
        cmocka_unit_test(json_takes_a_kind_or_match_that_it_does_not_know_for_the_first),
        cmocka_unit_test(json_tells_corrections_and_superseded_reads),
        cmocka_unit_test(json_of_a_result_tells_how_it_matches),
        cmocka_unit_test(json_strings_escape_what_json_demands),
        cmocka_unit_test(text_of_the_longest_read_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
