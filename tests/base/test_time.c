/* Time: parsing, formatting, months. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/time.h"

#define NOON_US INT64_C(1772973296000000) /* 2026-03-08T12:34:56Z */
#define NONE PB_NO_UTC_OFFSET

struct accepted {
    const char *text;
    int64_t us;
    int16_t offset_min;
};

static void
times_that_name_their_moment_are_taken(void **state)
{
    static const struct accepted cases[] = {
        { "2026-03-08T12:34:56Z", NOON_US, 0 },
        { "2026-03-08t12:34:56z", NOON_US, 0 },
        { "2026-03-08 12:34:56Z", NOON_US, 0 },
        { "2026-03-08T12:34:56+00:00", NOON_US, 0 },
        { "2026-03-08T12:34:56-00:00", NOON_US, NONE },
        { "2026-03-08T13:34:56+01:00", NOON_US, 60 },
        { "2026-03-08T18:04:56+0530", NOON_US, 330 },
        { "2026-03-08 12:34:56+00", NOON_US, 0 },
        { "2026-03-08T07:34:56-05", NOON_US, -300 },
        { "2026-03-07T12:35:56-23:59", NOON_US, -1439 },
        { "2026-03-09T12:33:56+23:59", NOON_US, 1439 },
        { "2026-03-08T12:34:56.7Z", NOON_US + 700000, 0 },
        { "2026-03-08T12:34:56.789Z", NOON_US + 789000, 0 },
        { "2026-03-08T12:34:56.789012Z", NOON_US + 789012, 0 },
        { "2026-03-08T12:34:56.789012999Z", NOON_US + 789012, 0 },
        { "2026-03-08T12:34:56.000000001+00:00", NOON_US, 0 },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800000000), 0 },
        { "2000-02-29T23:59:59Z", INT64_C(951868799000000), 0 },
        { "2016-12-31T23:59:60Z", INT64_C(1483228799999999), 0 },
        { "2017-01-01T01:59:60.5+02:00", INT64_C(1483228799999999), 120 },
        { "1970-01-01T00:00:00Z", 0, 0 },
        { "1969-12-31T19:00:00-05:00", 0, -300 },
        { "2199-12-31T23:59:59.999999Z", PB_TIME_MAX_US - 1, 0 },
        { "2200-01-01T05:29:59.999999+05:30", PB_TIME_MAX_US - 1, 330 },
        { "1772973296", NOON_US, NONE },
        { "1772973296.5", NOON_US + 500000, NONE },
        { "1772973296.123456789", NOON_US + 123456, NONE },
        { "1772973296789", NOON_US + 789000, NONE },
        { "1772973296789.25", NOON_US + 789250, NONE },
        { "1772973296789012", NOON_US + 789012, NONE },
        { "1772973296789012.75", NOON_US + 789012, NONE },
        { "100000000", INT64_C(100000000000000), NONE },
        { "7258118399", PB_TIME_MAX_US - PB_SECOND_US, NONE },
        { "100000000000", INT64_C(100000000000000), NONE },
        { "7258118399999", PB_TIME_MAX_US - 1000, NONE },
        { "100000000000000", INT64_C(100000000000000), NONE },
        { "7258118399999999", PB_TIME_MAX_US - 1, NONE },
        { "0001772973296", NOON_US, NONE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -7;
        int16_t offset_min = -7;

        if (pb_time_parse(pb_str_from(cases[i].text), &us, &offset_min) != PB_OK)
            fail_msg("'%s' was refused", cases[i].text);
        if (us != cases[i].us || offset_min != cases[i].offset_min)
            fail_msg("'%s': %" PRId64 ", %d", cases[i].text, us, offset_min);
        assert_int_equal(PB_OK, pb_time_parse_utc(pb_str_from(cases[i].text), &us, &offset_min));
        assert_true(us == cases[i].us);
        assert_int_equal(cases[i].offset_min, offset_min);
    }
}

static void
other_texts_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "now",
        "2026",
        "20260308",
        "20260308123456",
        "0",
        "1",
        "99999999.999",
        "-1",
        "+1",
        "1e9",
        "0x10",
        "1.",
        ".5",
        "1.1234567890",
        "12345678901234567890",
        "99999999999999999999999999999999",
        "7258118400",       /* a second too late */
        "7258118400000",    /* the same in milliseconds */
        "7258118400000000", /* the same in microseconds */
        "99999999999",      /* year 5138 */
        "1772973296 ",
        " 1772973296",
        "2026-3-8T12:34:56Z",
        "2026/03/08T12:34:56Z",
        "2026-03-08T12:34Zx",
        "2026-03-08T12.34.56Z",
        "2026-03-08T12:34:56,5Z",
        "2026-03-08T12:34:56.Z",
        "2026-03-08T12:34:56.1234567890Z",
        "2026-03-08_12:34:56Z",
        "2026-03-08  12:34:56Z",
        "2026-03-08T12:34:56 Z",
        "2026-03-08T12:34:56ZZ",
        "2026-03-08T12:34:56Z ",
        "2026-03-08T12:34:56+",
        "2026-03-08T12:34:56+1",
        "2026-03-08T12:34:56+1:00",
        "2026-03-08T12:34:56+01:",
        "2026-03-08T12:34:56+01:0",
        "2026-03-08T12:34:56+01:000",
        "2026-03-08T12:34:56+010",
        "2026-03-08T12:34:56+24:00",
        "2026-03-08T12:34:56+01:60",
        "2026-00-08T12:34:56Z",
        "2026-13-08T12:34:56Z",
        "2026-03-00T12:34:56Z",
        "2026-03-32T12:34:56Z",
        "2026-04-31T12:34:56Z",
        "2026-02-29T12:34:56Z",
        "2100-02-29T12:34:56Z",
        "2026-03-08T24:00:00Z",
        "2026-03-08T12:60:00Z",
        "2026-03-08T12:34:61Z",
        "2026-03-08T12:34:60Z",      /* no leap second can be there */
        "2016-12-31T23:59:60+01:00", /* nor there */
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "x026-03-08T12:34:56Z",
        "2x26-03-08T12:34:56Z",
        "20\xB2"
        "6-03-08T12:34:56Z",
        "2026-03-08T\xFF\xFF:34:56Z",
        "2026\xAD"
        "03-08T12:34:56Z",
        "2026-03-:8T12:34:56Z", /* ':' follows '9' */
        "2026-03-/8T12:34:56Z", /* '/' comes before '0' */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -7;
        int16_t offset_min = -7;

        if (pb_time_parse(pb_str_from(cases[i]), &us, &offset_min) != PB_BAD_INPUT)
            fail_msg("'%s' was taken", cases[i]);
        if (pb_time_parse_utc(pb_str_from(cases[i]), &us, &offset_min) != PB_BAD_INPUT)
            fail_msg("'%s' was taken by the lenient one", cases[i]);
        assert_int_equal(-7, us);
        assert_int_equal(-7, offset_min);
    }
}

static void
a_person_may_leave_out_zone_and_time(void **state)
{
    static const struct accepted cases[] = {
        { "2026-03-08", INT64_C(1772928000000000), 0 },
        { "2026-03-08 12:34", NOON_US - 56 * PB_SECOND_US, 0 },
        { "2026-03-08T12:34", NOON_US - 56 * PB_SECOND_US, 0 },
        { "2026-03-08T12:34Z", NOON_US - 56 * PB_SECOND_US, 0 },
        { "2026-03-08T13:34+01:00", NOON_US - 56 * PB_SECOND_US, 60 },
        { "2026-03-08T12:34:56", NOON_US, 0 },
        { "2026-03-08T12:34:56.25", NOON_US + 250000, 0 },
    };
    static const char *const refused[] = {
        "2026-03",        "2026-03-08T",       "2026-03-08Z", "2026-03-08T12",
        "2026-03-08T12:", "2026-03-08T12:34:", "2026-03-08 ", "2026-03-08T12:34.5"
    };
    int64_t us;
    int16_t offset_min;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        us = -7;
        offset_min = -7;
        assert_int_equal(PB_BAD_INPUT, pb_time_parse(pb_str_from(cases[i].text), &us, &offset_min));
        if (pb_time_parse_utc(pb_str_from(cases[i].text), &us, &offset_min) != PB_OK)
            fail_msg("'%s' was refused", cases[i].text);
        assert_true(us == cases[i].us);
        assert_int_equal(cases[i].offset_min, offset_min);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (pb_time_parse_utc(pb_str_from(refused[i]), &us, &offset_min) != PB_BAD_INPUT)
            fail_msg("'%s' was taken", refused[i]);
    }
}

/* The bytes after a text are not ours to read: a sanitizer sees it if we do. */
static void
parsing_stays_within_the_text(void **state)
{
    static const char whole[] = "2026-03-08T12:34:56.789012+05:30";

    (void)state;
    for (uint32_t bytes = 0; bytes < sizeof(whole) - 1; bytes++) {
        char *text = test_malloc(bytes);
        int64_t us;
        int16_t offset_min;
        enum pb_status status;

        memcpy(text, whole, bytes);
        status = pb_time_parse((struct pb_str){ text, bytes }, &us, &offset_min);
        /* "+05" and nothing else is complete without its end. */
        assert_int_equal(bytes == 29 ? PB_OK : PB_BAD_INPUT, status);
        test_free(text);
    }
}

static void
every_day_agrees_with_the_system(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 84006; day++) {
        time_t seconds = (time_t)(day * 86400 + day * 7919 % 86400);
        char expected[64], written[PB_TIME_BYTES_MAX];
        struct tm fields;
        int64_t us = -1;
        int16_t offset_min = -1;
        size_t bytes;

        assert_non_null(gmtime_r(&seconds, &fields));
        assert_int_not_equal(0, strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z",
                                         &fields));
        bytes = pb_time_format(seconds * PB_SECOND_US, 0, written);
        assert_string_equal(expected, written);
        assert_int_equal(strlen(expected), bytes);
        assert_int_equal(PB_OK, pb_time_parse(pb_str_from(written), &us, &offset_min));
        assert_true(us == seconds * PB_SECOND_US);

        assert_int_equal((fields.tm_year - 70) * 12 + fields.tm_mon, pb_time_month(us));
        fields.tm_mday = 1;
        fields.tm_hour = fields.tm_min = fields.tm_sec = 0;
        assert_true(pb_time_month_start_us(pb_time_month(us)) ==
                    (int64_t)timegm(&fields) * PB_SECOND_US);
    }
}

static void
months_before_1970_are_negative(void **state)
{
    (void)state;
    assert_int_equal(0, pb_time_month(0));
    assert_int_equal(-1, pb_time_month(-1));
    assert_int_equal(-1, pb_time_month(-31 * PB_DAY_US));
    assert_int_equal(-2, pb_time_month(-31 * PB_DAY_US - 1));
    assert_true(pb_time_month_start_us(-1) == -31 * PB_DAY_US);
    assert_true(pb_time_month_start_us(230 * 12) == PB_TIME_MAX_US);
}

static void
formatting_writes_what_is_needed(void **state)
{
    static const struct {
        int64_t us;
        int16_t offset_min;
        const char *text;
    } cases[] = {
        { NOON_US, 0, "2026-03-08T12:34:56.000Z" },
        { NOON_US, NONE, "2026-03-08T12:34:56.000Z" },
        { NOON_US + 789000, 60, "2026-03-08T13:34:56.789+01:00" },
        { NOON_US + 789012, -570, "2026-03-08T03:04:56.789012-09:30" },
        { NOON_US + 1, 0, "2026-03-08T12:34:56.000001Z" },
        { NOON_US + 10, 1439, "2026-03-09T12:33:56.000010+23:59" },
        { NOON_US, 1440, "2026-03-08T12:34:56.000Z" },
        { NOON_US, -1440, "2026-03-08T12:34:56.000Z" },
        { 0, -1, "1969-12-31T23:59:00.000-00:01" },
        { -1, 0, "1969-12-31T23:59:59.999999Z" },
        { PB_TIME_MAX_US - 1, 0, "2199-12-31T23:59:59.999999Z" },
        { PB_NEVER, 0, "9999-12-31T23:59:59.999999Z" },
        { PB_NEVER, 60, "9999-12-31T23:59:59.999999+01:00" },
        { INT64_MIN, 0, "0001-01-01T00:00:00.000Z" },
        { INT64_MIN, -60, "0001-01-01T00:00:00.000-01:00" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PB_TIME_BYTES_MAX];

        assert_int_equal(strlen(cases[i].text),
                         pb_time_format(cases[i].us, cases[i].offset_min, text));
        assert_string_equal(cases[i].text, text);
    }
}

static void
every_offset_survives_writing_and_parsing(void **state)
{
    (void)state;
    for (int offset_min = -1439; offset_min <= 1439; offset_min++) {
        char text[PB_TIME_BYTES_MAX];
        int64_t us = 0;
        int16_t again_min = NONE;

        (void)pb_time_format(NOON_US + offset_min, (int16_t)offset_min, text);
        assert_int_equal(PB_OK, pb_time_parse(pb_str_from(text), &us, &again_min));
        assert_true(us == NOON_US + offset_min);
        assert_int_equal(offset_min, again_min);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_name_their_moment_are_taken),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(a_person_may_leave_out_zone_and_time),
        cmocka_unit_test(parsing_stays_within_the_text),
        cmocka_unit_test(every_day_agrees_with_the_system),
        cmocka_unit_test(months_before_1970_are_negative),
        cmocka_unit_test(formatting_writes_what_is_needed),
        cmocka_unit_test(every_offset_survives_writing_and_parsing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
