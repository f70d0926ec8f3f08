/*
 * Texts: what is given out of entries, rows and areas, as JSON and CSV. What stands in a cell is
 * never run by a spreadsheet, and what stands in a text never ends it.
 */
#include <math.h>

#include "inquiry/area.h"
#include "inquiry/entry.h"
#include "inquiry/row_text.h"
#include "inquiry/site_room.h"
#include "support/kept.h"

static void
keep_json(void *context, struct pb_str text)
{
    keep(context, "\"", 1);
    keep(context, text.text, text.bytes);
    keep(context, "\"", 1);
}

/* ---- entries ---- */

#define LEAF_BEGIN "{\"v\":1,\"t\":1780315200000,\"ev\":\"query\""

static struct pb_audit_entry
entry_of(const char *leaf, const struct pb_audit_opened *secrets, uint32_t count)
{
    return (struct pb_audit_entry){
        .log = "kansas-pd",
        .index = 7,
        .at_us = ROOM_NOW_US,
        .event = "query",
        .leaf = pb_str_from(leaf),
        .secrets = secrets,
        .secret_count = count,
    };
}

static void
members_are_found_by_name_and_nothing_else_is(void **state)
{
    static const struct {
        const char *leaf, *name, *value;
    } cases[] = {
        { LEAF_BEGIN ",\"kind\":\"plate\",\"n\":17,\"c\":{}}", "kind", "plate" },
        { LEAF_BEGIN ",\"kind\":\"plate\",\"n\":17,\"c\":{}}", "n", "17" },
        { LEAF_BEGIN ",\"n\":17}", "n", "17" },
        { LEAF_BEGIN ",\"n\":17", "n", "17" },
        { LEAF_BEGIN ",\"kind\":\"plate\",\"c\":{}}", "v", "1" },
        { LEAF_BEGIN ",\"kind\":\"plate\",\"c\":{}}", "kin", "" },
        { LEAF_BEGIN ",\"kind\":\"plate\",\"c\":{}}", "kinds", "" },
        /* A text that holds what looks like a member, behind a quote of its own. */
        { LEAF_BEGIN ",\"a\":\"\\\"n\\\":1\",\"n\":2,\"c\":{}}", "n", "2" },
        { LEAF_BEGIN ",\"a\":\"x\\\"y\\\\\",\"n\":2,\"c\":{}}", "a", "x\\\"y\\\\" },
        { LEAF_BEGIN ",\"a\":\"n\",\"n\":2,\"c\":{}}", "n", "2" },
        /* What is hidden is no member. */
        { LEAF_BEGIN ",\"c\":{\"plate\":\"AAAA\"}}", "plate", "" },
        /* What is cut, or none. */
        { LEAF_BEGIN ",\"a\":\"x", "a", "x" },
        { LEAF_BEGIN ",\"a\":\"x\\", "a", "x\\" },
        { LEAF_BEGIN ",\"a\":", "a", "" },
        { LEAF_BEGIN ",\"a\"", "a", "" },
        { "", "a", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_audit_entry entry = entry_of(cases[i].leaf, NULL, 0);
        struct pb_str value = pb_entry_member(&entry, cases[i].name);

        if (!pb_str_equal(value, pb_str_from(cases[i].value)))
            fail_msg("case %zu: %.*s", i, (int)value.bytes, value.text);
    }
}

static void
a_secret_is_given_while_it_can_be_opened(void **state)
{
    static const char digest[32] = "\x01\xff";
    const struct pb_audit_opened secrets[] = {
        { .name = "plate", .value = { "SYN0001", 7 } },
        { .name = "person", .is_destroyed = true },
        { .name = "digest", .value = { digest, sizeof(digest) } },
        { .name = "words", .value = { "thirty-two letters, all of ASCII", 32 } },
    };
    struct pb_audit_entry entry = entry_of(LEAF_BEGIN ",\"c\":{}}", secrets, 4);
    char room[PB_ENTRY_HEX_BYTES];
    struct kept kept = { .bytes = 0 };
    const struct pb_entry_sink sink = { &kept, keep, keep_json };

    (void)state;
    assert_true(pb_str_equal(pb_str_from("SYN0001"), pb_entry_secret(&entry, "plate")));
    assert_int_equal(0, pb_entry_secret(&entry, "person").bytes);
    assert_int_equal(0, pb_entry_secret(&entry, "case").bytes);
    assert_int_equal(64, pb_entry_shown(&secrets[2], room).bytes);
    assert_memory_equal("01ff00", pb_entry_shown(&secrets[2], room).text, 6);
    assert_int_equal(32, pb_entry_shown(&secrets[3], room).bytes);
    pb_entry_put_json(&sink, &entry);
    assert_says(kept.text, "{\"log\":\"kansas-pd\",\"index\":7,\"at\":\"2026-06-01T12:00:00.000");
    assert_says(kept.text, "\"opened\":{\"plate\":\"SYN0001\",\"person\":null,\"digest\":\"01ff00");
}

static void
a_cell_ends_where_it_should_and_is_no_formula(void **state)
{
    static const struct {
        const char *reason, *cell;
    } cases[] = {
        { "plain", ",\"plain\"," },
        { "=1+1", ",\"'=1+1\"," },
        { "+1", ",\"'+1\"," },
        { "-1", ",\"'-1\"," },
        { "@SUM(A1)", ",\"'@SUM(A1)\"," },
        { "\tx", ",\"' x\"," },
        { "\rx", ",\"' x\"," },
        { "say \"no\"", ",\"say \"\"no\"\"\"," },
        { "two\nlines\x7f", ",\"two lines \"," },
        { "", ",\"\"," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_audit_opened secrets[] = {
            { .name = "reason", .value = pb_str_from(cases[i].reason) },
            { .name = "purpose", .value = pb_str_from("unheard of") },
        };
        struct pb_audit_entry entry =
            entry_of(LEAF_BEGIN ",\"kind\":\"plate\",\"n\":3,\"c\":{}}", secrets, 2);
        struct kept kept = { .bytes = 0 };
        const struct pb_entry_sink sink = { &kept, keep, keep_json };

        pb_entry_put_csv(&sink, &entry);
        assert_says(kept.text, cases[i].cell);
        assert_says(kept.text, ",query,\"plate\",\"\",\"unheard of\","); /* hidden, and opened */
        assert_says(kept.text, ",\"3\",\"\"\n");
    }
}

/* ---- rows ---- */

static struct pb_row
row_of(struct pb_str plate)
{
    struct pb_row row = { .owner = { "kansas-pd", 9 },
                          .plate = plate,
                          .jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-KS")),
                          .reads = 5,
                          .first_us = ROOM_NOW_US - PB_HOUR_US,
                          .last_us = ROOM_NOW_US,
                          .places = 2,
                          .together = 4,
                          .expected = 0.25,
                          .score = 7.5 };

    pb_read_init(&row.result.read);
    row.result.read.plate = plate;
    row.result.read.reader = pb_str_from("=k1");
    row.result.read.captured_at_us = ROOM_NOW_US;
    return row;
}

static void
rows_of_each_shape_say_what_they_are_and_carry_their_mark(void **state)
{
    static const struct {
        enum pb_row_shape shape;
        const char *header, *json, *csv;
    } cases[] = {
        { PB_ROWS_READS, ",agency", "\"agency\":\"kansas-pd\"", ",kansas-pd" },
        { PB_ROWS_PLATES, "plate,jurisdiction,reads,first,last",
          "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\",\"reads\":5,\"first\":\"2026",
          "KSA1,US-KS,5,2026" },
        { PB_ROWS_COMMON, "plate,jurisdiction,places,reads,first,last",
          "\"US-KS\",\"places\":2,\"reads\":5,", "KSA1,US-KS,2,5,2026" },
        { PB_ROWS_ASSOCIATES, "plate,jurisdiction,together,expected,score,reads,first,last",
          "\"together\":4,\"expected\":0.25,\"score\":7.5,\"reads\":5,",
          "KSA1,US-KS,4,0.25,7.5,5,2026" },
    };
    static char text[PB_ROW_TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_row row = row_of(pb_str_from("KSA1"));

        for (int is_marked = 0; is_marked < 2; is_marked++) {
            const char *mark = is_marked != 0 ? "0123abcd" : "";
            size_t bytes = pb_row_csv_header(cases[i].shape, is_marked != 0, text);

            text[bytes] = '\0';
            assert_says(text, cases[i].header);
            assert_int_equal(is_marked != 0, strstr(text, ",watermark\n") != NULL);
            text[pb_row_to_json(&row, cases[i].shape, mark, text)] = '\0';
            assert_says(text, cases[i].json);
            assert_int_equal('}', text[strlen(text) - 1]);
            assert_int_equal(is_marked != 0, strstr(text, ",\"watermark\":\"0123abcd\"}") != NULL);
            bytes = pb_row_to_csv(&row, cases[i].shape, true, mark, text);
            text[bytes] = '\0';
            assert_says(text, cases[i].csv);
            assert_int_equal(is_marked != 0, strstr(text, ",0123abcd\n") != NULL);
        }
    }
}

static void
what_a_row_does_not_know_is_left_out_and_no_number_is_none(void **state)
{
    static char text[PB_ROW_TEXT_BYTES_MAX];
    struct pb_row row = row_of(pb_str_from("KSA1"));

    (void)state;
    row.jurisdiction = 0;
    row.score = INFINITY;
    text[pb_row_to_json(&row, PB_ROWS_ASSOCIATES, "", text)] = '\0';
    assert_null(strstr(text, "jurisdiction"));
    assert_says(text, "\"score\":0,");
    text[pb_row_to_csv(&row, PB_ROWS_READS, true, "", text)] = '\0';
    assert_says(text, "'=k1");
    text[pb_row_to_csv(&row, PB_ROWS_READS, false, "", text)] = '\0';
    assert_null(strstr(text, "'=k1"));
}

static void
each_kind_of_inquiry_has_rows_of_its_shape(void **state)
{
    static const struct {
        enum pb_inquiry_kind kind;
        bool counts_plates;
        enum pb_row_shape shape;
    } cases[] = {
        { PB_INQUIRY_PLATE, false, PB_ROWS_READS },
        { PB_INQUIRY_PATTERN, false, PB_ROWS_READS },
        { PB_INQUIRY_PATTERN, true, PB_ROWS_PLATES },
        { PB_INQUIRY_PLACE, false, PB_ROWS_READS },
        { PB_INQUIRY_COMMON, false, PB_ROWS_COMMON },
        { PB_INQUIRY_ASSOCIATES, true, PB_ROWS_ASSOCIATES },
        { PB_INQUIRY_SUBJECT, false, PB_ROWS_READS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_inquiry inquiry = { .kind = cases[i].kind,
                                      .counts_plates = cases[i].counts_plates };

        assert_int_equal(cases[i].shape, pb_row_shape_of(&inquiry));
    }
}

/* ---- areas ---- */

static void
an_area_says_its_shape_and_points_as_far_as_there_is_room(void **state)
{
    static struct pb_geo_point points[100];
    const struct pb_env *env = pb_env_system();
    struct pb_error error = { .message = "" };
    struct pb_area area = { .area = NULL };

    (void)state;
    assert_int_equal(PB_OK, pb_area_circle(env, 385000000, -980000000, 170, &area, &error));
    assert_string_equal("circle 38.5,-98 170 m", area.text);
    assert_true(pb_str_equal(pb_area_place(&area).area_text, pb_str_from(area.text)));
    assert_ptr_equal(area.area, pb_area_place(&area).area);
    pb_area_done(env, &area);
    assert_null(area.area);
    assert_int_equal(PB_OK, pb_area_rectangle(env, 380000000, -980000000, 385000000, -970000000,
                                              &area, &error));
    assert_string_equal("rectangle 38,-98 38.5,-97", area.text);
    pb_area_done(env, &area);
    /* Along one side of a crescent and back along the other. */
    for (int32_t i = 0; i < 100; i++)
        points[i] = (struct pb_geo_point){ 380000001 + (i < 50 ? i : 100 - i) * 10000,
                                           -980000001 + (i < 50 ? i * i * 100 : 1000000) };
    for (size_t count = 3; count <= 100; count += 97) {
        assert_int_equal(PB_OK, pb_area_polygon(env, points, count, &area, &error));
        assert_int_equal(count == 3, strstr(area.text, "polygon of 3 points") != NULL);
        assert_says(area.text, " 38.0000001,-98.0000001");
        assert_true(strlen(area.text) < sizeof(area.text));
        pb_area_done(env, &area);
    }
    assert_int_equal(PB_BAD_INPUT, pb_area_polygon(env, points, 2, &area, &error));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_name_and_nothing_else_is),
        cmocka_unit_test(a_secret_is_given_while_it_can_be_opened),
        cmocka_unit_test(a_cell_ends_where_it_should_and_is_no_formula),
        cmocka_unit_test(rows_of_each_shape_say_what_they_are_and_carry_their_mark),
        cmocka_unit_test(what_a_row_does_not_know_is_left_out_and_no_number_is_none),
        cmocka_unit_test(each_kind_of_inquiry_has_rows_of_its_shape),
        cmocka_unit_test(an_area_says_its_shape_and_points_as_far_as_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
