/*
 * The command line: generate and convert, and every format through import.
 */
#include "cli/command.h"

/* The same file, to the byte. */
static void
expect_same_file(const char *a, const char *b)
{
    size_t a_bytes, b_bytes;
    char *a_text = file_text(a, &a_bytes);
    char *b_text = file_text(b, &b_bytes);

    if (a_bytes != b_bytes || memcmp(a_text, b_text, a_bytes) != 0)
        fail_msg("%s (%zu bytes) and %s (%zu bytes) differ", a, a_bytes, b, b_bytes);
    free(a_text);
    free(b_text);
}

static void
a_feed_is_the_same_with_any_number_of_threads(void **state)
{
    static const char *const formats[] = { "csv", "ndjson", "pbr" };
    struct command *command = *state;

    for (size_t i = 0; i < 3; i++) {
        run(command, "generate", "--reads", "50000", "--alternates", "--event-ids", "--format",
            formats[i], "--threads", "1", "--out", "one", NULL);
        expect_exit(command, 0);
        run(command, "generate", "--reads", "50000", "--alternates", "--event-ids", "--format",
            formats[i], "--threads", "7", "--out", "seven", NULL);
        expect_exit(command, 0);
        expect_same_file("one", "seven");
    }
}

static void
another_seed_is_another_feed(void **state)
{
    struct command *command = *state;
    char *first;

    run(command, "generate", "--reads", "100", "--quiet", "--out", "-", NULL);
    expect_exit(command, 0);
    assert_int_equal(101, count_lines(command->out));
    assert_string_equal("", command->err);
    first = strdup(command->out);
    run(command, "generate", "--reads", "100", "--seed", "1", "--out", "-", NULL);
    assert_int_equal(101, count_lines(command->out));
    assert_string_not_equal(first, command->out);
    free(first);
}

static void
formats_convert_into_each_other_without_loss(void **state)
{
    static const char *const threads[] = { "1", "3" };
    struct command *command = *state;

    run(command, "generate", "--reads", "30000", "--alternates", "--out", "a.csv", NULL);
    expect_exit(command, 0);
    for (size_t i = 0; i < 2; i++) {
        run(command, "convert", "--to", "pbr", "--threads", threads[i], "--out", "b.pbr", "a.csv",
            NULL);
        expect_exit(command, 0);
        run(command, "convert", "--to", "ndjson", "--threads", threads[i], "--out", "c.ndjson",
            "b.pbr", NULL);
        expect_exit(command, 0);
        run(command, "convert", "--to", "csv", "--threads", threads[i], "--out", "d.csv",
            "c.ndjson", NULL);
        expect_exit(command, 0);
        expect_text(command->err, "30000 reads, 0 rejected");
        expect_same_file("a.csv", "d.csv");
    }
}

static void
every_format_imports_to_the_same_counts(void **state)
{
    struct command *command = *state;

    run(command, "generate", "--reads", "30000", "--alternates", "--out", "a.csv", NULL);
    run(command, "convert", "--to", "pbr", "--out", "b.pbr", "a.csv", NULL);
    run(command, "convert", "--to", "ndjson", "--out", "c.ndjson", "a.csv", NULL);
    make_site(command, "one");
    make_site(command, "two");
    run(command, "import", "--data", "one", "a.csv", NULL);
    expect_counts(command, 30000, 0, 0, 0);
    run(command, "import", "--data", "one", "b.pbr", "c.ndjson", NULL);
    expect_counts(command, 0, 60000, 0, 0);
    run(command, "import", "--data", "two", "--threads", "5", "c.ndjson", "b.pbr", NULL);
    expect_counts(command, 30000, 30000, 0, 0);
}

static void
convert_reports_what_gives_no_read(void **state)
{
    struct command *command = *state;
    char *text;

    write_text("a.csv", "captured_at,plate,reader\n"
                        "2026-01-01T00:00:00Z,AB123CD,gate-1\n"
                        "2026-01-01T00:00:00Z,-,gate-1\n");
    run(command, "convert", "--to", "ndjson", "--rejects", "rejects", "a.csv", NULL);
    expect_exit(command, 0);
    assert_int_equal(1, count_lines(command->out));
    expect_text(command->err, "a.csv:3: plate: ");
    text = file_text("rejects", NULL);
    assert_int_equal(1, count_lines(text));
    free(text);
    assert_int_equal(-1, access("store", F_OK));
}

static void
convert_never_empties_its_own_input(void **state)
{
    struct command *command = *state;

    run(command, "generate", "--reads", "100", "--out", "a.csv", NULL);
    run(command, "generate", "--reads", "100", "--out", "b.csv", NULL);
    run(command, "convert", "--to", "csv", "--out", "./a.csv", "a.csv", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "is an input, too");
    expect_same_file("a.csv", "b.csv");
}

static void
a_cut_binary_file_gives_its_whole_blocks(void **state)
{
    struct command *command = *state;
    json_t *summary;
    size_t bytes;
    char *text;

    run(command, "generate", "--reads", "30000", "--format", "pbr", "--out", "a.pbr", NULL);
    text = file_text("a.pbr", &bytes);
    write_file("cut.pbr", text, bytes - 1000);
    free(text);
    make_site(command, "store");
    run(command, "import", "--data", "store", "cut.pbr", NULL);
    expect_exit(command, 0);
    summary = out_object(command);
    assert_in_range(number_of(summary, "stored"), 20000, 29999);
    assert_true(number_of(summary, "rejected") > 0);
    json_decref(summary);
}

static void
output_of_openalpr_is_told_and_stored(void **state)
{
    static const char result[] =
        "{\"version\":2,\"data_type\":\"alpr_results\",\"epoch_time\":1767225600000,"
        "\"img_width\":1280,\"img_height\":720,\"results\":[{\"plate\":\"AB123CD\","
        "\"confidence\":91.609123,\"matches_template\":0,\"candidates\":["
        "{\"plate\":\"AB123CD\",\"confidence\":91.609123,\"matches_template\":0},"
        "{\"plate\":\"A8123CD\",\"confidence\":81.2,\"matches_template\":0}]}]}\n";
    struct command *command = *state;

    make_site(command, "store");
    write_text("alpr.ndjson", result);
    run(command, "import", "--data", "store", "--reader", "gate-1", "alpr.ndjson", NULL);
    expect_exit(command, 0);
    expect_counts(command, 1, 0, 0, 0);
    run(command, "search", WHO, "--data", "store", "--plate", "A8123CD", "--from", "2026-01-01",
        "--to", "2026-01-02", "--json", NULL);
    assert_int_equal(1, count_lines(command->out));
    expect_text(command->out, "\"plate\":\"AB123CD\"");
    expect_text(command->out, "\"alternate\":1");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_feed_is_the_same_with_any_number_of_threads),
        CASE(another_seed_is_another_feed),
        CASE(formats_convert_into_each_other_without_loss),
        CASE(every_format_imports_to_the_same_counts),
        CASE(convert_reports_what_gives_no_read),
        CASE(convert_never_empties_its_own_input),
        CASE(a_cut_binary_file_gives_its_whole_blocks),
        CASE(output_of_openalpr_is_told_and_stored),
    };

    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
