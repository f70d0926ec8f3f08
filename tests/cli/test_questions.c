/*
 * The command line: search, near and plates.
 */
#include "cli/command.h"

#define FROM_TO "--from", "2026-01-01", "--to", "2026-02-01"

/* What a private site may ask about a place in one go: at most so much area times time. */
#define WEEK "--from", "2026-01-05", "--to", "2026-01-12"
/* The middle of the invented town, over some days. */
#define TOWN                                                                                   \
    "--lat", "38.64", "--lon", "-98.31", "--radius-m", "1000", "--from", "2026-01-02", "--to", \
        "2026-01-07"

/* Seven reads whose answers can be told by looking. */
static const char reads[] =
    "captured_at,plate,jurisdiction,reader,lat,lon,confidence,make,color,alternates\n"
    "2026-01-05T08:00:00-08:00,AB123CD,US-CA,gate-1,37.7749,-122.4194,91.5,toyota,gray,"
    "A8123CD:70|AB123C0:60\n"
    "2026-01-06T08:00:00-08:00,AB123CD,US-CA,gate-2,37.8044,-122.2712,93,toyota,gray,\n"
    "2026-01-07T08:00:00Z,AB128CD,US-CA,gate-1,37.7749,-122.4194,80,,,\n"
    "2026-01-08T08:00:00Z,A8123CD,US-NV,gate-1,37.7750,-122.4195,55,ford,red,\n"
    "2026-01-09T08:00:00Z,XYZ999,FR,gate-3,52.52,13.405,99,bmw,black,\n"
    "2026-01-10T08:00:00Z,\xE4\xBA\xAC"
    "A12345,CN,gate-4,,,,,,\n"
    "2026-01-11T08:00:00Z,BC123DE,,gate-1,37.7760,-122.4194,60,,,\n";

static void
make_store(struct command *command)
{
    make_site(command, "store");
    write_text("reads.csv", reads);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 7, 0, 0, 0);
}

/* Checks how many reads came, and the newest one's plate. */
static void
expect_found(const struct command *command, size_t count, const char *first_plate)
{
    json_t *found = json_lines(command->out);

    if (command->exit_code != 0 || json_array_size(found) != count)
        fail_msg("not %zu reads: %s%s", count, command->out, command->err);
    if (count > 0)
        assert_string_equal(first_plate, text_of(json_array_get(found, 0), "plate"));
    json_decref(found);
}

static void
search_tells_all_that_a_read_holds(void **state)
{
    struct command *command = *state;
    json_t *found;
    const json_t *read;

    make_store(command);
    run(command, "search", WHO, "--data", "store", "--plate", "ab 123-cd", FROM_TO, "--format",
        "json", "--no-alternates", NULL);
    expect_found(command, 2, "AB123CD");
    found = json_lines(command->out);
    read = json_array_get(found, 1); /* newest first */
    assert_string_equal("AB123CD", text_of(read, "plate"));
    assert_string_equal("US-CA", text_of(read, "jurisdiction"));
    assert_string_equal("gate-1", text_of(read, "reader"));
    assert_int_equal(0, strncmp(text_of(read, "captured_at"), "2026-01-05T08:00:00", 19));
    expect_text(text_of(read, "captured_at"), "-08:00");
    assert_true(json_number_value(json_object_get(read, "lat")) == 37.7749);
    assert_true(json_number_value(json_object_get(read, "lon")) == -122.4194);
    assert_true(json_number_value(json_object_get(read, "confidence")) == 91.5);
    assert_string_equal("toyota", text_of(read, "make"));
    assert_string_equal("exact", text_of(read, "match"));
    assert_int_equal(2, json_array_size(json_object_get(read, "alternates")));
    json_decref(found);
    expect_text(command->err, "2 reads (");
    expect_no_text(command->err, "--page");
}

static void
search_finds_what_it_should(void **state)
{
    static const struct {
        const char *plate;
        const char *options[6];
        size_t count;
        const char *first;
    } cases[] = {
        { "AB123CD", { NULL }, 2, "AB123CD" },
        { "AB128CD", { NULL }, 1, "AB128CD" },
        { "A8123CD", { NULL }, 2, "A8123CD" }, /* one is an alternate */
        { "A8123CD", { "--no-alternates" }, 1, "A8123CD" },
        { "AB12?CD", { "--no-alternates" }, 3, "AB128CD" },
        { "AB1*", { "--no-alternates" }, 3, "AB128CD" },
        { "AB12[38]CD", { "--no-alternates" }, 3, "AB128CD" },
        { "AB123CD", { "--edits", "1", "--no-alternates" }, 4, "A8123CD" },
        { "AB123CD", { "--lookalikes", "--no-alternates" }, 3, "A8123CD" },
        { "AB123CD", { "--reader", "gate-2" }, 1, "AB123CD" },
        { "AB123CD", { "--jurisdiction", "us-nv" }, 0, NULL },
        { "A?123CD", { "--jurisdiction", "US-NV", "--no-alternates" }, 1, "A8123CD" },
        { "AB1*", { "--make", "Toyota", "--no-alternates" }, 2, "AB123CD" },
        { "*999", { "--color", "black", "--no-alternates" }, 1, "XYZ999" },
        { "*123*", { "--min-confidence", "92", "--no-alternates" }, 1, "AB123CD" },
        { "\xE4\xBA\xAC"
          "A12345",
          { NULL },
          1,
          "\xE4\xBA\xAC"
          "A12345" },
        { "NOSUCH1", { NULL }, 0, NULL },
    };
    struct command *command = *state;

    make_store(command);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *arguments[ARGUMENTS_MAX + 1] = {
            "search", WHO, "--data", "store", "--json", "--plate", cases[i].plate, FROM_TO,
        };
        size_t count = 16;

        for (size_t j = 0; j < 6 && cases[i].options[j] != NULL; j++)
            arguments[count++] = cases[i].options[j];
        wait_for(command, start_with(NULL, -1, -1, -1, arguments));
        expect_found(command, cases[i].count, cases[i].first);
    }
}

static void
search_takes_every_kind_of_time(void **state)
{
    static const struct {
        const char *from, *to;
        size_t count;
    } cases[] = {
        { "2026-01-05", "2026-01-06", 1 },
        { "2026-01-05T08:00:00-08:00", "2026-01-05T08:00:01-08:00", 1 },
        { "2026-01-05T16:00:00Z", "2026-01-06T16:00:00Z", 1 }, /* the end is outside */
        { "1767628800000", "1767628800001", 1 },
        { "2026-01-05T16:00:00.001Z", "2026-01-06T16:00:00Z", 0 },
    };
    struct command *command = *state;

    make_store(command);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run(command, "search", WHO, "--data", "store", "--plate", "AB123CD", "--from",
            cases[i].from, "--to", cases[i].to, "--json", NULL);
        expect_found(command, cases[i].count, "AB123CD");
    }
    run(command, "search", WHO, "--data", "store", "--plate", "AB123CD", "--from", "2026-02-01",
        "--to", "2026-01-01", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--from must be before --to");
}

static void
nothing_found_is_no_failure(void **state)
{
    struct command *command = *state;

    make_store(command);
    run(command, "search", WHO, "--data", "store", "--plate", "NOSUCH1", FROM_TO, NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
    expect_text(command->err, "no reads");
}

static void
a_wrong_pattern_is_refused(void **state)
{
    struct command *command = *state;

    make_store(command);
    run(command, "search", WHO, "--data", "store", "--plate", "AB[12", FROM_TO, NULL);
    expect_exit(command, 2);
    assert_true(strlen(command->err) > strlen("platebase: \n"));
    run(command, "plates", WHO, FROM_TO, "--data", "store", "AB[12", NULL);
    expect_exit(command, 2);
    run(command, "search", WHO, "--data", "store", "--plate", "A", FROM_TO, "--jurisdiction",
        "US-XX", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--jurisdiction: 'US-XX'");
    run(command, "search", WHO, "--data", "store", "--plate", "AB123CD", FROM_TO, "--page",
        "rubbish", NULL);
    expect_exit(command, 2);
}

/* Every column begins where its title does, also after wide characters. */
static void
a_table_is_aligned_and_in_the_readers_time(void **state)
{
    struct command *command = *state;
    const char *line;
    size_t column;

    make_store(command);
    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, "--no-alternates",
        NULL);
    expect_exit(command, 0);
    assert_int_equal(6, count_lines(command->out));
    expect_text(command->out, "2026-01-06T08:00:00.000-08:00");
    column = (size_t)(strstr(command->out, "ISSUED") - command->out);
    line = strstr(command->out, "\n2026-01-08") + 1;
    assert_int_equal(0, strncmp(line + column, "US-NV", 5));
    line = strstr(command->out, "\n2026-01-10") + 1;
    /* The Chinese character has three bytes and takes two columns. */
    assert_int_equal(0, strncmp(line + column + 1, "CN", 2));
}

static void
csv_of_an_answer_imports_again(void **state)
{
    struct command *command = *state;

    make_store(command);
    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, "--no-alternates",
        "--format", "csv", "--exact-csv", NULL);
    expect_exit(command, 0);
    assert_int_equal(0, strncmp(command->out, "captured_at,plate,", 18));
    write_file("again.csv", command->out, command->out_bytes);
    run(command, "import", "--data", "store", "again.csv", NULL);
    expect_counts(command, 0, 5, 0, 0);
}

static void
csv_for_spreadsheets_runs_no_cell(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    write_text("a.csv", "captured_at,plate,reader\n2026-01-05T08:00:00Z,AB123CD,=cmd()\n");
    run(command, "import", "--data", "store", "a.csv", NULL);
    run(command, "search", WHO, "--data", "store", "--plate", "AB123CD", FROM_TO, "--format", "csv",
        NULL);
    expect_text(command->out, ",'=cmd()");
    run(command, "search", WHO, "--data", "store", "--plate", "AB123CD", FROM_TO, "--format", "csv",
        "--exact-csv", NULL);
    expect_text(command->out, ",=cmd()");
    expect_no_text(command->out, "'");
}

/* The token that was said, or NULL. */
static char *
said_token(const char *said)
{
    const char *at = strstr(said, "--page ");

    return at == NULL ? NULL : strndup(at + 7, strcspn(at + 7, "\n"));
}

static void
tokens_walk_the_whole_answer_once(void **state)
{
    struct command *command = *state;
    char *whole, *token = NULL;
    char walked[65536] = "";
    unsigned pages = 0;

    make_site(command, "store");
    run(command, "generate", "--town", "--reads", "2000", "--out", "reads.csv", "--from",
        "2026-01-01", NULL);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_exit(command, 0);
    run(command, "near", WHO, "--data", "store", TOWN, "--json", "--limit", "37", NULL);
    expect_exit(command, 0);
    assert_int_equal(37, count_lines(command->out));
    whole = strdup(command->out);

    do {
        const char *arguments[ARGUMENTS_MAX + 1] = {
            "near",    WHO,  "--data",
            "store",   TOWN, "--json",
            "--limit", "10", token != NULL ? "--page" : NULL,
            token,
        };

        wait_for(command, start_with(NULL, -1, -1, -1, arguments));
        expect_exit(command, 0);
        assert_true(strlen(walked) + command->out_bytes < sizeof(walked));
        memcpy(walked + strlen(walked), command->out, command->out_bytes + 1);
        free(token);
        token = said_token(command->err);
        pages++;
    } while (pages < 4 && token != NULL);
    free(token);
    assert_int_equal(4, pages);
    assert_int_equal(0, strncmp(walked, whole, strlen(whole)));
    free(whole);

    /* The last page says that there is no more. */
    run(command, "near", WHO, "--data", "store", TOWN, "--json", "--limit", "0", NULL);
    assert_true(count_lines(command->out) > 40);
    expect_no_text(command->err, "--page");
}

static void
near_finds_a_circle(void **state)
{
    struct command *command = *state;

    make_store(command);
    run(command, "near", WHO, "--data", "store", "--lat", "37.7749", "--lon", "-122.4194",
        "--radius-m", "500", WEEK, "--json", NULL);
    expect_found(command, 4, "BC123DE");
    run(command, "near", WHO, "--data", "store", "--lat", "37.7749", "--lon", "-122.4194",
        "--radius-m", "5", WEEK, "--json", NULL);
    expect_found(command, 2, "AB128CD");
    run(command, "near", WHO, "--data", "store", "--lat", "37.7749", "--lon", "-122.4194",
        "--radius-m", "500", WEEK, "--json", "--plate", "AB1*", "--no-alternates", NULL);
    expect_found(command, 2, "AB128CD");
    run(command, "near", WHO, "--data", "store", "--lat", "37.7749", "--lon", "-122.4194",
        "--radius-m", "500", WEEK, "--json", "--make", "ford", NULL);
    expect_found(command, 1, "A8123CD");
    run(command, "near", WHO, "--data", "store", "--lat", "37.7749", "--lon", "-122.4194",
        "--radius-m", "500", WEEK, "--json", "--limit", "2", NULL);
    expect_found(command, 2, "BC123DE");
    expect_text(command->err, "--page ");
}

#define POLYGON                                                                                \
    "{\"type\":\"Polygon\",\"coordinates\":[[[-122.43,37.77],[-122.41,37.77],[-122.41,37.78]," \
    "[-122.43,37.78],[-122.43,37.77]]]}"

static void
near_finds_a_polygon(void **state)
{
    static const char *const same_area[] = {
        POLYGON,
        "{\"type\":\"Feature\",\"properties\":{},\"geometry\":" POLYGON "}",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":" POLYGON
        "}]}",
        ("# the middle of the city\n37.77 -122.43\n37.77,-122.41\r\n37.78\t-122.41\n\n"
         "37.78 -122.43"),
    };
    struct command *command = *state;

    make_store(command);
    for (size_t i = 0; i < sizeof(same_area) / sizeof(same_area[0]); i++) {
        write_text("area", same_area[i]);
        run(command, "near", WHO, "--data", "store", "--polygon", "area", WEEK, "--json", NULL);
        expect_found(command, 4, "BC123DE");
    }
}

static void
a_wrong_polygon_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "{\"type\":\"Polygon\"", "not JSON" },
        { "{\"type\":\"Point\",\"coordinates\":[1,2]}", "type Point" },
        { "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1]],[[0,0],[1,0],[1,1]]]}",
          "2 rings" },
        { "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1]]]}", "point 3" },
        { "{\"type\":\"Polygon\",\"coordinates\":[[[0,91],[1,0],[1,1]]]}", "point 1" },
        { "{\"type\":\"FeatureCollection\",\"features\":[]}", "0 features" },
        { "1 2\n3\n", "line 2" },
        { "1 2\n3 4 5\n", "line 2" },
        { "1 2\n3 x\n", "line 2" },
        { "1 2\n3 4\n", "area" },
        { "", "area" },
    };
    struct command *command = *state;

    make_store(command);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text("area", cases[i].text);
        run(command, "near", WHO, "--data", "store", "--polygon", "area", FROM_TO, NULL);
        expect_text(command->err, cases[i].said);
        expect_exit(command, 2);
    }
    run(command, "near", WHO, "--data", "store", "--polygon", "missing", FROM_TO, NULL);
    expect_exit(command, 2);
    expect_text(command->err, "missing");
}

static void
plates_counts_distinct_plates(void **state)
{
    struct command *command = *state;
    json_t *found;
    const json_t *plate;

    make_store(command);
    run(command, "plates", WHO, FROM_TO, "--data", "store", "A?12?CD", "--json", NULL);
    expect_exit(command, 0);
    found = json_lines(command->out);
    assert_int_equal(3, json_array_size(found));
    plate = json_array_get(found, 1);
    assert_string_equal("AB123CD", text_of(plate, "plate"));
    assert_string_equal("US-CA", text_of(plate, "jurisdiction"));
    assert_int_equal(2, number_of(plate, "reads"));
    assert_int_equal(0, strncmp(text_of(plate, "first"), "2026-01-05T16:00:00", 19));
    assert_int_equal(0, strncmp(text_of(plate, "last"), "2026-01-06T16:00:00", 19));
    json_decref(found);

    run(command, "plates", WHO, FROM_TO, "--data", "store", "AB123CD", "--lookalikes", "--json",
        NULL);
    assert_int_equal(2, count_lines(command->out));
    run(command, "plates", WHO, FROM_TO, "--data", "store", "AB123CD", "--edits", "1", "--json",
        NULL);
    assert_int_equal(3, count_lines(command->out));
    run(command, "plates", WHO, FROM_TO, "--data", "store", "*999", "--jurisdiction", "FR", NULL);
    assert_int_equal(2, count_lines(command->out)); /* titles and one row */
    run(command, "plates", WHO, FROM_TO, "--data", "store", "A?12?CD", "--limit", "2", "--json",
        NULL);
    assert_int_equal(2, count_lines(command->out));
    expect_text(command->err, "there are more");
    run(command, "plates", WHO, FROM_TO, "--data", "store", "NOSUCH*", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "no plates");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(search_tells_all_that_a_read_holds),
        CASE(search_finds_what_it_should),
        CASE(search_takes_every_kind_of_time),
        CASE(nothing_found_is_no_failure),
        CASE(a_wrong_pattern_is_refused),
        CASE(a_table_is_aligned_and_in_the_readers_time),
        CASE(csv_of_an_answer_imports_again),
        CASE(csv_for_spreadsheets_runs_no_cell),
        CASE(tokens_walk_the_whole_answer_once),
        CASE(near_finds_a_circle),
        CASE(near_finds_a_polygon),
        CASE(a_wrong_polygon_is_refused_with_a_reason),
        CASE(plates_counts_distinct_plates),
    };

    return cmocka_run_group_tests_name("questions", tests, NULL, NULL);
}
