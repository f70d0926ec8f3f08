/* Native JSON: lines, arrays and single objects. */
#include "base/limits.h"
#include "ingest/collector.h"

static struct collector collector;

#define HEAD "\"captured_at\":\"2026-03-08T12:00:00Z\",\"reader\":\"g\""
#define OBJECT "{\"plate\":\"AB12\"," HEAD "}"
/* Its escape keeps the parser from taking lines beside it as they stand. */
#define OBJECT_ESCAPED "{\"plate\":\"AB12\",\"x\":\"\\n\"," HEAD "}"
#define READ "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000Z\",\"reader\":\"g\"}\n"

static void
parse(const void *text, size_t bytes)
{
    struct pb_ingest_defaults defaults = no_defaults();

    collector_init(&collector);
    assert_int_equal(PB_OK, collect(&collector, PB_FORMAT_NDJSON, text, bytes, &defaults));
}

static void
objects_become_reads_however_they_lie(void **state)
{
    static const struct {
        const char *text, *reads;
    } cases[] = {
        { "", "" },
        { "\n \r\n\t\n", "" },
        { OBJECT, READ },
        { OBJECT "\n", READ },
        { "\xEF\xBB\xBF" OBJECT "\r\n\n" OBJECT "\r\n", READ READ },
        { " " OBJECT " \n  \n\t" OBJECT, READ READ },
        { "[]", "" },
        { " [ ] \n", "" },
        { "\xEF\xBB\xBF[" OBJECT "]", READ },
        { "[" OBJECT "," OBJECT "]", READ READ },
        { "\n[\n" OBJECT "\n,\n" OBJECT "\n]\n", READ READ },
        { "{\n\"plate\":\"AB12\",\n" HEAD "\n}\n", READ },
        { "{\n\"plate\":\"AB12\",\n" HEAD "\n}\n" OBJECT "\n{\n\"plate\":\"AB12\"," HEAD "}",
          READ READ READ },
        { "{\"\\u0070late\":\"\\u0041B1\\u0032\"," HEAD "}", READ },
        { "{\"plate\":\"AB12\",\"match\":\"exact\",\"x\":{\"plate\":[1,2]},\"superseded\":true,"
          "\"received_at\":\"later\",\"lat\":null,\"kind\":1," HEAD "}",
          READ },
        { "{\"plate\":\"ab 12\"," HEAD "}",
          "{\"plate\":\"AB12\",\"plate_raw\":\"ab 12\","
          "\"captured_at\":\"2026-03-08T12:00:00.000Z\",\"reader\":\"g\"}\n" },
        { "{\"plate\":\"AB12\",\"captured_at\":1772971200000,\"reader\":\"g\",\"event_id\":12}",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"g\","
          "\"event_id\":\"12\"}\n" },
        { "{\"plate\":\"AB12\",\"lat\":5.1e1,\"lon\":-5E-05,\"year\":2015," HEAD "}",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000Z\",\"reader\":\"g\","
          "\"lat\":51,\"lon\":-0.00005,\"year\":2015}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, strlen(cases[i].text));
        assert_string_equal("", collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

static void
everything_that_we_write_we_read(void **state)
{
    static const char text[] =
        "{\"plate\":\"AB123CD\",\"plate_raw\":\"ab-123 cd\",\"jurisdiction\":\"US-CA\","
        "\"captured_at\":\"2026-11-23T06:00:08.125-08:00\",\"reader\":\"gate-4\","
        "\"lat\":37.7749,\"lon\":-122.4194,\"heading_deg\":181.5,\"speed_kmh\":42.03,\"lane\":2,"
        "\"confidence\":91.609123,\"confidence_scale\":\"percent\",\"make\":\"toyota\","
        "\"model\":\"camry\",\"color\":\"gray\",\"body\":\"sedan\",\"year\":\"2015-2019\","
        "\"revision\":1,\"revises\":true,\"correction\":true,\"identity_plate\":\"A8123CD\","
        "\"delete_after\":\"2026-12-23T14:00:08.125Z\",\"alternates\":[{\"plate\":\"A8123CD\","
        "\"confidence\":71.2},{\"plate\":\"AB123C0\"}],\"images\":[{\"kind\":\"plate\",\"ref\":"
        "\"a/1.jpg\"},{\"kind\":\"other\",\"ref\":\"\\\"\\\\\xC3\xA9\"}]}\n"
        "{\"plate\":\"#\",\"plate_raw\":\"ab-12\","
        "\"captured_at\":\"2026-11-23T06:00:08.125Z\",\"reader\":\"gate-4\",\"revision\":1,"
        "\"revises\":false,\"correction\":true,\"identity_plate\":\"AB12\"}\n";

    (void)state;
    parse(text, sizeof(text) - 1);
    assert_string_equal("", collector.rejections);
    assert_string_equal(text, collector.reads);
}

static void
bad_lines_say_why_and_cost_no_other(void **state)
{
    /* Each stands as line 2 between two good lines. */
    static const struct {
        const char *line, *rejection;
    } cases[] = {
        { "{\"plate\":\"AB12\",", "2 a key is missing in an object\n" },
        { "{\"plate\":\"AB12", "2 a string is not closed\n" },
        { "{\"plate\":\"AB12\xff\"," HEAD "}", "2 not UTF-8\n" },
        { "{\"plate\":\"AB\x01\"," HEAD "}", "2 a control character within a string\n" },
        { OBJECT OBJECT, "2 text after the end of the value\n" },
        { OBJECT ",", "2 text after the end of the value\n" },
        { "[" OBJECT "]", "2 not an object\n" },
        { "\"AB12\"", "2 not an object\n" },
        { "7", "2 not an object\n" },
        { "null", "2 not an object\n" },
        { "{1:1}", "2 a key is missing in an object\n" },
        { "{plate:\"AB12\"," HEAD "}", "2 a key is missing in an object\n" },
        { "AB12,g", "2 neither a number nor any other JSON value\n" },
        { "}", "2 neither a number nor any other JSON value\n" },
        { "{" HEAD "}", "2 plate is empty\n" },
        { "{\"plate\":\"\"," HEAD "}", "2 plate is empty\n" },
        { "{\"plate\":null," HEAD "}", "2 plate is empty\n" },
        { "{\"plate\":\"AB12\",\"plate\":\"AB12\"," HEAD "}", "2 plate stands twice\n" },
        { "{\"plate\":\"AB12\",\"plate\":null," HEAD "}", "2 plate stands twice\n" },
        { "{\"plate\":12," HEAD "}", "2 plate has a value of another type\n" },
        { "{\"plate\":\"A\\u0000B\"," HEAD "}",
          "2 plate is not UTF-8, has a control character or is too long\n" },
        { "{\"plate\":\"AB12\",\"lat\":\"1\",\"lon\":2," HEAD "}",
          "2 lat has a value of another type\n" },
        { "{\"plate\":\"AB12\",\"lat\":91,\"lon\":2," HEAD "}",
          "2 lat is not from -90 to 90 degrees\n" },
        { "{\"plate\":\"AB12\",\"lat\":01,\"lon\":2," HEAD "}",
          "2 neither a number nor any other JSON value\n" },
        { "{\"plate\":\"AB12\",\"confidence\":-1," HEAD "}",
          "2 confidence is not from 0 to 100\n" },
        { "{\"plate\":\"AB12\",\"captured_at\":\"1601-01-01T00:00:00Z\",\"reader\":\"g\"}",
          "2 captured_at is not a time with a zone from 1970 to 2199\n" },
        { "{\"plate\":\"AB12\",\"captured_at\":9999999999999,\"reader\":\"g\"}",
          "2 captured_at is not a time with a zone from 1970 to 2199\n" },
        { "{\"plate\":\"AB12\",\"reader\":\"g\"}", "2 captured_at is missing\n" },
        { "{\"plate\":\"AB12\",\"captured_at\":1772971200000}", "2 reader is empty\n" },
        { "{\"plate\":\"AB12\",\"event_id\":1.5," HEAD "}",
          "2 event_id is a number that is not whole\n" },
        { "{\"plate\":\"AB12\",\"revises\":1," HEAD "}",
          "2 revises has a value of another type\n" },
        { "{\"plate\":\"AB12\",\"identity_plate\":\"ab\",\"correction\":true," HEAD "}",
          "2 identity_plate is not a folded plate\n" },
        { "{\"plate\":\"AB12\",\"correction\":true," HEAD "}",
          "2 identity_plate is needed for a correction without an event id\n" },
        { "{\"plate\":\"#\"," HEAD "}", "2 plate has no character that was read\n" },
        { "{\"plate\":\"AB12\",\"alternates\":{}," HEAD "}",
          "2 alternates has a value of another type\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[1]," HEAD "}",
          "2 alternates have an item that is not an object\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{}]," HEAD "}",
          "2 alternates have an item whose plate is not a string\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{\"plate\":\"A\",\"plate\":\"A\"}]," HEAD "}",
          "2 alternates have an item with the same key twice\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{\"plate\":\"A\",\"confidence\":1}]," HEAD "}",
          "2 alternates have a confidence where the read has none\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{\"plate\":null}]," HEAD "}",
          "2 alternates have an item whose plate is not a string\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{\"plate\":5}]," HEAD "}",
          "2 alternates have an item whose plate is not a string\n" },
        { "{\"plate\":\"AB12\",\"alternates\":[{\"plate\":\"A\\u0001\"}]," HEAD "}",
          "2 alternates have a text that cannot be a plate\n" },
        { "{\"plate\":\"AB12\",\"confidence\":50," HEAD
          ",\"alternates\":[{\"plate\":\"A\",\"confidence\":\"5\"}]}",
          "2 alternates have a confidence that is not a number on the read's scale\n" },
        { "{\"plate\":\"AB12\",\"confidence\":50," HEAD
          ",\"alternates\":[{\"plate\":\"A\",\"confidence\":101}]}",
          "2 alternates have a confidence that is not a number on the read's scale\n" },
        { "{\"plate\":\"AB12\",\"images\":[1]," HEAD "}",
          "2 images have an item that is not an object\n" },
        { "{\"plate\":\"AB12\",\"images\":[{\"kind\":\"plate\"}]," HEAD "}",
          "2 images have an item whose kind or ref is not a string\n" },
        { "{\"plate\":\"AB12\",\"images\":[{\"kind\":\"plate\",\"ref\":5}]," HEAD "}",
          "2 images have an item whose kind or ref is not a string\n" },
        { "{\"plate\":\"AB12\",\"images\":[{\"kind\":5,\"ref\":\"a\"}]," HEAD "}",
          "2 images have an item whose kind or ref is not a string\n" },
        { "{\"plate\":\"AB12\",\"images\":[{\"kind\":\"front\",\"ref\":\"a\"}]," HEAD "}",
          "2 images have a kind other than plate, vehicle, scene and other\n" },
        { "{\"plate\":\"AB12\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1"
          "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
          "2 nested too deeply\n" },
    };
    char text[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int bytes = snprintf(text, sizeof(text), OBJECT "\n%s\n" OBJECT "\n", cases[i].line);

        parse(text, (size_t)bytes);
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_string_equal(READ READ, collector.reads);
    }
}

/* Puts white space before and behind each comma and colon. */
static void
put_with_spaces(char *ret_text, size_t room, const char *line, const char *before,
                const char *behind)
{
    size_t at = 0;
    bool is_string = false;

    for (; *line != '\0'; line++) {
        bool is_between;

        if (*line == '"' && line[-1] != '\\')
            is_string = !is_string;
        is_between = !is_string && (*line == ':' || *line == ',');
        at = put_text(ret_text, room, at, "%s%c%s", is_between ? before : "", *line,
                      is_between ? behind : "");
    }
}

/* A space before a colon or a comma is white space that no writer of lines sends; a line with one
 * behind a string is taken the slow way. As that one reads it, so must others read it, whether
 * lines beside it have escapes or not. */
static void
expect_the_same_each_way(const char *line)
{
    static const struct {
        const char *before, *behind, *next;
        size_t next_reads;
    } ways[] = {
        { " ", "", "", 0 },
        { "", "", "", 0 },
        { "", " ", "", 0 },
        { "", "  ", "", 0 },
        { "", "", OBJECT_ESCAPED, 1 },
        { "", " ", OBJECT_ESCAPED, 1 },
        { "", "  ", OBJECT_ESCAPED, 1 },
    };
    char text[2048], rejections[1024], reads[1024];

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        put_with_spaces(text, sizeof(text), line, ways[i].before, ways[i].behind);
        (void)put_text(text, sizeof(text), strlen(text), "\n%s", ways[i].next);
        parse(text, strlen(text));
        if (i == 0) {
            (void)put_text(rejections, sizeof(rejections), 0, "%s", collector.rejections);
            (void)put_text(reads, sizeof(reads), 0, "%s", collector.reads);
            assert_true(rejections[0] != '\0' || reads[0] != '\0');
            continue;
        }
        assert_string_equal(rejections, collector.rejections);
        assert_int_equal(0, strncmp(reads, collector.reads, strlen(reads)));
        assert_string_equal(ways[i].next_reads == 0 ? "" : READ,
                            collector.reads + strlen(reads));
    }
}

static void
lines_mean_the_same_whichever_way_they_are_taken(void **state)
{
    static const char *const members[] = {
        "\"lat\":0.5,\"lon\":-0.25",
        "\"lat\":-90,\"lon\":180",
        "\"lat\":90.0000001,\"lon\":1",
        "\"lat\":-90.0000001,\"lon\":1",
        "\"lat\":1,\"lon\":180.1",
        "\"lat\":1,\"lon\":-180.1",
        "\"lat\":1.12345678,\"lon\":12.3456789",
        "\"lat\":1.123456789012345678,\"lon\":00.5",
        "\"lat\":1e1,\"lon\":-2E-1",
        "\"lat\":null,\"lon\":null",
        "\"lat\":1,\"lon\":true",
        "\"lat\":1.,\"lon\":2",
        "\"lat\":.1,\"lon\":2",
        "\"lat\":-,\"lon\":2",
        "\"lat\":+1,\"lon\":2",
        "\"lat\":1.5",
        "\"heading_deg\":360",
        "\"heading_deg\":360.01",
        "\"heading_deg\":359.999",
        "\"heading_deg\":-0",
        "\"heading_deg\":7.5",
        "\"heading_deg\":1%",
        "\"heading_deg\":-1",
        "\"speed_kmh\":655.34",
        "\"speed_kmh\":655.35",
        "\"speed_kmh\":12345678",
        "\"speed_kmh\":-1",
        "\"speed_kmh\":1x",
        "\"confidence\":0.5",
        "\"confidence\":1.000001",
        "\"confidence\":100",
        "\"confidence\":100.1",
        "\"confidence\":84%",
        "\"confidence\":\"84\"",
        "\"confidence\":1.5,\"confidence_scale\":\"unit\"",
        "\"confidence\":0.51,\"confidence_scale\":\"percent\"",
        "\"confidence_scale\":\"unit\",\"confidence\":0.1234567",
        "\"confidence_scale\":\"other\",\"confidence\":1",
        "\"year\":2015",
        "\"year\":2015-2019",
        "\"year\":02015",
        "\"year\":1884",
        "\"year\":1885",
        "\"year\":2101",
        "\"year\":2015.0",
        "\"year\":-2015",
        "\"year\":null",
        "\"year\":\"2015\"",
        "\"year\":\"2015-2019\"",
        "\"event_id\":12",
        "\"event_id\":1.5",
        "\"event_id\":1e5",
        "\"event_id\":-",
        "\"lane\":3,\"revision\":2",
        "\"lane\":-3",
        "\"x\":bad,\"y\":1",
        "\"x\":1,\"y\":bad",
        "\"x\":1,\"x\":\"2\",\"x\":[3],\"y\":null",
        "\"x\":\"a\\u00e9\",\"y\":\"\xC3\xA9\"",
        "\"make\":\"a\\u0041\",\"model\":\"\xC3\xA9\",\"color\":\"\\q\"",
        "\"make\":\"a\\u0041\",\"model\":\"\xC3\xA9\",\"color\":\"RED\"",
        "\"make\":\"\x7F\"",
        "\"make\":\"1234567890123456789012345678901234567890123456789\"",
        "\"lat\":1,\"lon\":2,\"lat\":1",
        "\"alternates\":[{\"plate\":\"A1\"},{\"plate\":\"A2\"}],\"lane\":1",
        "\"alternates\":[{\"plate\":\"A1\"},{\"plate\":\"A2\"}]]",
        "\"alternates\":[{\"plate\":\"A1\"},]",
        "\"alternates\":[{\"plate\":\"A1\",\"lane\":1},{\"plate\":\"A2\",\"confidence\":null}]",
        "\"alternates\":\"A1\"",
        "\"images\":[{\"ref\":\"a\"},{\"kind\":null,\"ref\":\"b\"}]",
        "\"correction\":true,\"identity_plate\":\"--\"",
        "\"images\":[{\"kind\":\"plate\",\"ref\":\"a\"}],\"speed_kmh\":1",
        "\"\":1",
        "\"heading_deg\":\"1\"",
        "\"plate_raw\":5",
        "\"jurisdiction\":\"\",\"confidence_scale\":\"\",\"make\":\"\",\"body\":\"\"",
        "\"jurisdiction\":\" ca \",\"confidence_scale\":\" percent \",\"confidence\":1",
        "\"jurisdiction\":\"DE-NW-LONG\",\"confidence_scale\":\"PERCENT\",\"confidence\":1",
        "\"jurisdiction\":\"\x7F\"",
        "\"jurisdiction\":\"\\u0001\"",
        "\"make\":\"a\",\"model\":\"aB\",\"color\":\"@[`{Z\",\"body\":\"A\"",
        "\"make\":\"abcdefgH\",\"model\":\"Abcdefgh\",\"color\":\"@[`{az09\",\"body\":"
        "\"abcdefghI\"",
        "\"make\":\"abcdefg\xC3\x81\",\"model\":\"\xC3\x81\",\"color\":\"\xC3\x9AZ\",\"body\":"
        "\"1500\"",
        "\"make\":\"abc\",\"model\":\"DEF\",\"make\":\"ghi\"",
        "\"make\":\"a\\tb\",\"model\":\"A\"",
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        (void)put_text(text, sizeof(text), 0, "{\"plate\":\"AB12\"," HEAD ",%s}", members[i]);
        expect_the_same_each_way(text);
    }
}

static void
plates_mean_the_same_whichever_way_they_are_taken(void **state)
{
    static const char *const plates[] = {
        "",         "A",       "0",         "AZ09",     "ABCDEFG8",  "ABCDEFGH9", "AB12345678",
        "ab12",     "AB 12",   "AB-12",     "ABCDEFGh", "ABCDEFG\x7F", "@A",      "[A",
        "/1",       ":1",      "#",         "A#",       "?12",       "NONE",      "NOPLATE",
        "NA",       "N1",      "UNKNOWN",   "UNREADABLE", ("\xC3\x81" "12"), "\\u0041B", "\\u0000",
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++) {
        (void)put_text(text, sizeof(text), 0, "{\"plate\":\"%s\"," HEAD "}", plates[i]);
        expect_the_same_each_way(text);
        (void)put_text(text, sizeof(text), 0, "{\"plate_raw\":\"AZ09\",\"plate\":\"%s\"," HEAD "}",
                       plates[i]);
        expect_the_same_each_way(text);
    }
}

static void
codes_and_times_mean_the_same_whichever_way_they_are_taken(void **state)
{
    static const char *const members[] = {
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"US-CA\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"ca\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"DE\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"Georgia.\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"California\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"??\"",
        "\"captured_at\":\"2026-03-08T12:00:00Z\",\"jurisdiction\":\"\\u0001\"",
        "\"captured_at\":\"\"",
        "\"captured_at\":\"later\"",
        "\"captured_at\":null",
        "\"captured_at\":1772971200000",
        "\"captured_at\":1772971200000.5",
        "\"captured_at\":12",
        "\"jurisdiction\":\"US-CA\"",
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        (void)put_text(text, sizeof(text), 0, "{\"plate\":\"AB12\",\"reader\":\"g\",%s}",
                       members[i]);
        expect_the_same_each_way(text);
    }
}

/* Python's writer puts a space behind each comma and colon; a line end may stand there instead,
 * which makes two bad lines of one object. */
static void
a_space_between_tokens_is_none_of_their_business_and_a_line_end_is(void **state)
{
    static const struct {
        const char *text, *reads, *rejections;
    } cases[] = {
        { "{\"plate\": \"AB12\", \"captured_at\": \"2026-03-08T12:00:00Z\", \"reader\": \"g\"}\n",
          READ, "" },
        { OBJECT "\n{\"plate\":\n\"AB12\"," HEAD "}\n", READ,
          "2 cut short\n3 text after the end of the value\n" },
        { OBJECT "\n{\"plate\":\"AB12\",\n" HEAD "}\n", READ,
          "2 a key is missing in an object\n3 text after the end of the value\n" },
        { OBJECT "\n{\"x\":[1,\n2],\"plate\":\"AB12\"," HEAD "}\n", READ,
          "2 cut short\n3 text after the end of the value\n" },
        { OBJECT "\n{\"plate\":\"AB12\"," HEAD "\n}\n", READ,
          "2 a comma or brace is missing in an object\n"
          "3 neither a number nor any other JSON value\n" },
        { OBJECT "\n{\"plate\":\"AB12\"," HEAD ",\"lane\":3\n}\n", READ,
          "2 a comma or brace is missing in an object\n"
          "3 neither a number nor any other JSON value\n" },
        { OBJECT "\n{\"plate\":\"AB12\"," HEAD ",\"lane\":3\n,\"year\":2015}\n", READ,
          "2 a comma or brace is missing in an object\n"
          "3 neither a number nor any other JSON value\n" },
        { OBJECT "\n " OBJECT "\n" OBJECT " \n" OBJECT "\r\n", READ READ READ READ, "" },
        { OBJECT "\n" OBJECT OBJECT "\n" OBJECT "\n", READ READ,
          "2 text after the end of the value\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, strlen(cases[i].text));
        assert_string_equal(cases[i].rejections, collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

/* Alone, and beside a line with an escape. */
static void
no_beginning_of_a_line_is_a_read(void **state)
{
    static const char *const lines[] = {
        "{\"plate\":\"AB12\",\"lane\":2,\"x\":\"a\\n\",\"alternates\":[{\"plate\":\"A1\"}]," HEAD
        "}",
        "{\"plate\": \"AB12\", \"lane\": 2, \"x\": {\"y\": [1]}, \"captured_at\": 1772971200000, "
        "\"reader\": \"g\"}",
    };
    static const char *const nexts[] = { "", "\n", "\n" OBJECT, "\n" OBJECT_ESCAPED };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t bytes = 1; bytes <= strlen(lines[i]); bytes++) {
            for (size_t next = 0; next < sizeof(nexts) / sizeof(nexts[0]); next++) {
                bool is_whole = bytes == strlen(lines[i]);
                int count = snprintf(text, sizeof(text), "%.*s%s", (int)bytes, lines[i],
                                     nexts[next]);

                parse(text, (size_t)count);
                assert_int_equal(!is_whole, collector.rejection_count);
                assert_int_equal(is_whole + (next >= 2), collector.read_count);
            }
        }
    }
}

static void
a_first_line_that_is_broken_does_not_change_how_the_rest_is_read(void **state)
{
    static const char text[] = "{\"plate\":\"AB12\",\n" OBJECT "\n" OBJECT "\n";

    (void)state;
    parse(text, sizeof(text) - 1);
    assert_string_equal("1 a key is missing in an object\n", collector.rejections);
    assert_string_equal(READ READ, collector.reads);
}

/* Among lines that are one object each a line end is the end of the record, wherever it stands in
 * an object that would be good without. */
static void
an_object_that_goes_over_a_line_end_is_bad_lines(void **state)
{
    static const char *const styles[] = {
        "{\"plate\":\"AB12\",\"year\":2015," HEAD "}",
        "{\"plate\": \"AB12\", \"year\": 2015, \"captured_at\": \"2026-03-08T12:00:00Z\"}",
        "{ \"plate\" : \"AB12\", \"x\" : [ 1, {} ] }",
        "{ \"plate\":\"AB12\",\"x\":[ 1,{}]," HEAD "}",
    };
    static const char *const neighbours[] = { OBJECT, OBJECT_ESCAPED };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
        size_t bytes = strlen(styles[i]);

        for (size_t at = 2; at < 2 * bytes; at++) {
            const char *neighbour = neighbours[at % 2];
            int count = snprintf(text, sizeof(text), "%s\n%.*s\n%s\n%s\n", neighbour, (int)at / 2,
                                 styles[i], styles[i] + at / 2, neighbour);

            parse(text, (size_t)count);
            if (collector.read_count != 2 || collector.rejection_count != 2)
                fail_msg("%s: %zu reads", text, collector.read_count);
        }
    }
}

static void
arrays_are_as_strict_as_the_standard(void **state)
{
    static const struct {
        const char *text, *reads, *rejections;
    } cases[] = {
        { "[" OBJECT, READ, "1 the array is not closed\n" },
        { "[" OBJECT ",", READ, "1 the array is not closed\n" },
        { "[" OBJECT ",]", READ, "1 a comma without an element after it\n" },
        { "[" OBJECT "\n" OBJECT "]", READ READ, "2 a comma is missing before an element\n" },
        { "[" OBJECT ",," OBJECT "]", READ READ, "1 a bracket or a comma out of place\n" },
        { "[," OBJECT "]", READ, "1 a bracket or a comma out of place\n" },
        { "[" OBJECT "]\n\nx", READ, "3 text after the end of the array\n" },
        { "[1," OBJECT ",\"a\",null]", READ,
          "1 not an object\n1 not an object\n1 not an object\n" },
        { "[{\"a\"},\n" OBJECT "]", READ, "1 a colon is missing after a key\n" },
        { "[\n\n{\"a\":1,\n" OBJECT, READ,
          "3 a bracket or a quote is not closed\n4 the array is not closed\n" },
        { "[" OBJECT ",{\"a\":\"b,\n" OBJECT "," OBJECT "]", READ READ READ,
          "1 a bracket or a quote is not closed\n" },
        { "[{\"a\":[1,\n{\"b\":2},\n", "", "1 a bracket or a quote is not closed\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, strlen(cases[i].text));
        assert_string_equal(cases[i].rejections, collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

/* The first object spans lines, so that borders are found by brackets. */
static void
broken_objects_over_several_lines_cost_no_others(void **state)
{
    static const char text[] =
        "{\n" HEAD ",\"plate\":\"AB12\"}\n}\n" OBJECT "\n{\n" HEAD "\n" OBJECT
        "\n{\n\"make\":\"a\n" HEAD "}\n{\n\"a\":\n" OBJECT "\n" OBJECT "\n{\"a\":[";

    (void)state;
    parse(text, sizeof(text) - 1);
    assert_string_equal("3 a bracket or a comma out of place\n"
                        "5 a bracket or a quote is not closed\n"
                        "8 a string is not closed\n"
                        "11 a bracket or a quote is not closed\n"
                        "15 a bracket or a quote is not closed\n",
                        collector.rejections);
    assert_string_equal(READ READ READ READ, collector.reads);
}

static void
a_line_too_long_is_one_rejection(void **state)
{
    size_t long_bytes = 10u << 20, room = long_bytes + 1024;
    char *text = malloc(room);
    size_t at;

    (void)state;
    assert_non_null(text);
    at = put_text(text, room, 0, OBJECT "\n{\"plate\":\"");
    memset(text + at, 'x', long_bytes);
    at += long_bytes;
    at = put_text(text, room, at, "\"}\n" OBJECT "\n");
    parse(text, at);
    assert_string_equal("2 the record is longer than 1 MiB\n", collector.rejections);
    assert_string_equal(READ READ, collector.reads);
    free(text);
}

/* More than one window of the index, with escapes so that texts lie in the parser's memory,
 * and with a bad line in the middle. */
static void
long_inputs_keep_their_order_and_their_line_numbers(void **state)
{
    size_t lines = 4000, at = 0, room = lines * 128;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    for (size_t i = 1; i <= lines; i++) {
        if (i == 2500)
            at = put_text(text, room, at, "{\"plate\n");
        else
            at = put_text(text, room, at, "{\"plate\":\"%s%zu\"," HEAD "}\n",
                          i % 3 == 0 ? "\\u0041" : "A", i);
    }
    parse(text, at);
    assert_string_equal("2500 a string is not closed\n", collector.rejections);
    assert_int_equal(lines - 1, collector.read_count);
    at = 0;
    for (size_t i = 1; i <= lines; i++) {
        char beginning[64];
        int bytes = snprintf(beginning, sizeof(beginning), "{\"plate\":\"A%zu\",", i);

        if (i == 2500)
            continue;
        if (strncmp(collector.reads + at, beginning, (size_t)bytes) != 0)
            fail_msg("line %zu: %.60s", i, collector.reads + at);
        at = (size_t)(strchr(collector.reads + at, '\n') - collector.reads) + 1;
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_become_reads_however_they_lie),
        cmocka_unit_test(everything_that_we_write_we_read),
        cmocka_unit_test(bad_lines_say_why_and_cost_no_other),
        cmocka_unit_test(lines_mean_the_same_whichever_way_they_are_taken),
        cmocka_unit_test(plates_mean_the_same_whichever_way_they_are_taken),
        cmocka_unit_test(codes_and_times_mean_the_same_whichever_way_they_are_taken),
        cmocka_unit_test(a_space_between_tokens_is_none_of_their_business_and_a_line_end_is),
        cmocka_unit_test(no_beginning_of_a_line_is_a_read),
        cmocka_unit_test(a_first_line_that_is_broken_does_not_change_how_the_rest_is_read),
        cmocka_unit_test(an_object_that_goes_over_a_line_end_is_bad_lines),
        cmocka_unit_test(arrays_are_as_strict_as_the_standard),
        cmocka_unit_test(broken_objects_over_several_lines_cost_no_others),
        cmocka_unit_test(a_line_too_long_is_one_rejection),
        cmocka_unit_test(long_inputs_keep_their_order_and_their_line_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
