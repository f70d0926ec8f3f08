/*
 * The command line: help, refusals, init, import and rejects.
 */
#include "cli/command.h"

#include <dirent.h>
#include <stdint.h>

static const char *const commands[] = {
    "init",    "demo",    "import", "search",  "near",    "plates",   "common", "associates",
    "approve", "correct", "policy", "rules",   "audit",   "stats",    "verify", "purge",
    "merge",   "erase",   "backup", "restore", "convert", "generate", "bench",
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

#define HEADER "captured_at,plate,jurisdiction,reader,lat,lon\n"

/* ---- help ---- */

static void
every_command_explains_itself(void **state)
{
    struct command *command = *state;

    run(command, "--help", NULL);
    expect_exit(command, 0);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        expect_text(command->out, commands[i]);

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char usage[64];
        char *by_option;

        (void)snprintf(usage, sizeof(usage), "Usage: platebase %s", commands[i]);
        run(command, commands[i], "--help", NULL);
        expect_exit(command, 0);
        expect_text(command->out, usage);
        expect_text(command->out, "--help");
        assert_string_equal("", command->err);
        by_option = strdup(command->out);

        run(command, "help", commands[i], NULL);
        expect_exit(command, 0);
        assert_string_equal(by_option, command->out);
        free(by_option);
    }
}

/* Commands of commands; the manual page is that of the first word. */
static const char *const parts[][3] = {
    { "policy", "explain" },
    { "policy", "test" },

    { "rules", "list" },
    { "rules", "show" },
    { "rules", "add" },
    { "audit", "keys" },
    { "audit", "verify" },
    { "audit", "prove" },
    { "audit", "verify-proof" },
    { "audit", "open" },
    { "audit", "search" },
    { "audit", "export" },
    { "audit", "restart" },
    { "audit", "destroy-expired" },
    { "audit", "review", "sample" },
    { "audit", "review", "detect" },
    { "audit", "review", "list" },
    { "audit", "review", "close" },
    { "audit", "review", "finish" },
    { "audit", "review", "notices" },
    { "audit", "review", "disclosures" },
};
#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

/* Every option of the help text that was just printed stands in the page. */
static void
expect_options_in_page(const struct command *command, const char *name)
{
    char path[1024], missing[80] = "";
    char *page;

    (void)snprintf(path, sizeof(path), "%s/docs/man/platebase-%s.1", getenv("PB_SOURCE_DIR"), name);
    page = file_text(path, NULL);
    for (const char *at = command->out; (at = strstr(at, "\n  --")) != NULL; at++) {
        char item[80];

        (void)snprintf(item, sizeof(item), "\n.It Fl Fl %.*s", (int)strcspn(at + 5, " \n"), at + 5);
        if (strstr(page, item) == NULL)
            memcpy(missing, item, sizeof(missing));
    }
    free(page);
    if (missing[0] != '\0')
        fail_msg("platebase-%s.1 lacks%s", name, missing);
}

/* What --help names, the manual page explains. */
static void
every_option_is_in_its_manual_page(void **state)
{
    struct command *command = *state;

    if (getenv("PB_SOURCE_DIR") == NULL)
        skip();
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        run(command, commands[i], "--help", NULL);
        expect_options_in_page(command, commands[i]);
    }
}

static void
every_part_of_a_command_explains_itself(void **state)
{
    struct command *command = *state;

    for (size_t i = 0; i < PART_COUNT; i++) {
        char usage[64];

        run(command, parts[i][0], parts[i][1], parts[i][2] != NULL ? parts[i][2] : "--help",
            "--help", NULL);
        expect_exit(command, 0);
        (void)snprintf(usage, sizeof(usage), "Usage: platebase %s %s%s%s ", parts[i][0],
                       parts[i][1], parts[i][2] != NULL ? " " : "",
                       parts[i][2] != NULL ? parts[i][2] : "");
        expect_text(command->out, usage);
        if (getenv("PB_SOURCE_DIR") != NULL)
            expect_options_in_page(command, parts[i][0]);
    }
}

static void
the_version_is_printed(void **state)
{
    struct command *command = *state;

    run(command, "--version", NULL);
    expect_exit(command, 0);
    assert_int_equal(0, strncmp(command->out, "platebase ", 10));
}

/* ---- refusals ---- */

static void
wrong_calls_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *arguments[20];
        const char *said;
    } cases[] = {
        { { NULL }, "no command" },
        { { "serach" }, "did you mean 'search'" },
        { { "frobnicate" }, "unknown command 'frobnicate'" },
        { { "help", "frobnicate" }, "unknown command" },
        { { "audit" }, "say which of its commands" },
        { { "audit", "verfy" }, "did you mean 'verify'" },
        { { "audit", "review", "frobnicate" }, "unknown command 'frobnicate'" },
        { { "audit", "verify" }, "say what to check" },
        { { "audit", "verify", "copy" }, "--vkey is missing" },
        { { "audit", "verify", "--data", "s", "--vkey", "k" }, "are of one log" },
        { { "audit", "verify-proof", "p" }, "--vkey is missing" },
        { { "audit", "open", "--data", "s" }, "--index is missing" },
        { { "common", WHO, "--data", "s", "--place", "1,2,3" }, "is not LAT,LON,RADIUS_M,FROM,TO" },
        { { "common", WHO, "--data", "s", "--place", "1,2,3,2026-01-02,2026-01-01" },
          "is not before" },
        { { "common", WHO, "--data", "s", "--place", "91,2,3,2026-01-01,2026-01-02" },
          "latitude and a longitude" },
        { { "common", WHO, "--data", "s", "--place", "1,2,3,2026-01-01,2026-01-02" },
          "at least two" },
        { { "correct", "--data", "s", "--person", "p", "--why", "w", "--reader", "r" },
          "say which read" },
        { { "correct", "--data", "s", "--person", "p", "--why", "w", "--reader", "r", "--event-id",
            "e" },
          "say what is right" },
        { { "init", "--bare", "--agency", "a", "d" }, "--bare makes no agency" },
        { { "init", "--class", "town", "d" }, "is not one of local, state, federal, private" },
        { { "import", "--data", "s", "--capture-state", "US-XX", "f" },
          "--capture-state: 'US-XX'" },
        { { "search", WHO, "--data", "s", "--plate", "A", "--from", "2026-01-01", "--to",
            "2026-01-02", "--recipient", "r" },
          "belong to --export" },
        { { "search", "--plte", "A" }, "did you mean --plate" },
        { { "search", "--data" }, "--data needs a value" },
        { { "search", "--plate", "A" }, "--data is missing" },
        { { "search", "--data", "s", "--plate", "A", "--to", "2026-01-01" }, "--from is missing" },
        { { "search", "--data", "s", "--plate", "A", "--from", "2026-13-01" },
          "--from: '2026-13-01' is not a time" },
        { { "search", "--data", "s", "--from", "2026-01-01", "--to", "2027-01-01" },
          "--plate is missing" },
        { { "search", "--plate", "A", "--plate", "B" }, "--plate is given twice" },
        { { "search", "--edits", "3" }, "--edits: '3' is not a whole number from 0 to 2" },
        { { "search", "--limit", "-1" }, "--limit: '-1'" },
        { { "search", "--limit", "1x" }, "--limit: '1x'" },
        { { "search", "--format", "xml" }, "is not one of table, json, csv" },
        { { "search", "--plate", "" }, "--plate is empty" },
        { { "search", "surplus" }, "--data is missing" },
        { { "near", "--lat", "91" }, "--lat: '91'" },
        { { "near", "--lon", "180.1" }, "--lon: '180.1'" },
        { { "near", "--lat", "nan" }, "--lat: 'nan'" },
        { { "near", "--radius-m", "1e9" }, "--radius-m" },
        { { "near", WHO, "--data", "s", "--lat", "1", "--from", "2026-01-01", "--to",
            "2027-01-01" },
          "say where" },
        { { "import", "--data", "s" }, "FILE... is missing" },
        { { "import", "--data", "s", "--memory", "2X", "f" }, "--memory: '2X' is not a size" },
        { { "import", "--data", "s", "--memory", "99999999999999T", "f" }, "--memory" },
        { { "import", "--data", "s", "--lat", "1", "f" }, "--lat and --lon belong together" },
        { { "import", "--data", "s", "--country", "XX", "f" }, "--country: 'XX'" },
        { { "import", "--data", "s", "--format", "xml", "f" }, "is not one of auto, csv" },
        { { "init" }, "DIR is missing" },
        { { "init", "a", "b" }, "'b' is one argument too many" },
        { { "erase", "--data", "s", "--why", "order 17", "--from", "2026-01-01", "--to",
            "2027-01-01" },
          "say what to erase" },
        { { "generate", "--out", "-", "--reads", "0" }, "--reads: '0'" },
        { { "convert", "--to", "xml", "f" }, "is not one of csv, ndjson, pbr" },
    };
    struct command *command = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, cases[i].arguments));
        expect_text(command->err, cases[i].said);
        expect_exit(command, 2);
        expect_text(command->err, "platebase: ");
        expect_text(command->err, "--help");
        assert_string_equal("", command->out);
    }
}

static void
a_directory_of_another_program_is_left_alone(void **state)
{
    struct command *command = *state;

    assert_int_equal(0, mkdir("theirs", 0700));
    write_text("theirs/important.txt", "mine\n");

    run(command, "init", "theirs", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "theirs");
    write_text("reads.csv", HEADER);
    run(command, "import", "--data", "theirs", "reads.csv", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "platebase init");
    run(command, "stats", "--data", "theirs", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "theirs");
    run(command, "stats", "--data", "nowhere", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "nowhere");

    /* Nothing was added to it. */
    DIR *directory = opendir("theirs");
    unsigned entries = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        entries++;
    closedir(directory);
    assert_int_equal(3, entries);
}

static void
init_refuses_a_store_that_is_there(void **state)
{
    struct command *command = *state;

    run(command, "init", "store", NULL);
    expect_exit(command, 0);
    run(command, "init", "store", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "store");
}

static void
data_may_come_from_the_environment(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    assert_int_equal(0, setenv("PLATEBASE_DATA", "store", 1));
    run(command, "stats", "--json", NULL);
    (void)unsetenv("PLATEBASE_DATA");
    expect_exit(command, 0);
}

static void
control_characters_never_reach_the_terminal(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    run(command, "import", "--data", "store", "no\x1b[31m\x07such\xff.csv", NULL);
    expect_exit(command, 1);
    for (const char *at = command->err; *at != '\0'; at++)
        assert_true((unsigned char)*at >= 0x20 || *at == '\n');
    expect_no_text(command->err, "\xff");
}

/* ---- import ---- */

static void
import_names_counts_and_keeps_bad_lines(void **state)
{
    static const struct {
        json_int_t line;
        const char *field;
        const char *record;
    } wanted[] = {
        { 3, "lat", "2026-01-02T00:00:00Z,AB124CD,US-CA,gate-1,91,-122" },
        { 4, "captured_at", "1601-01-01T00:00:00Z,AB125CD,US-CA,gate-1,," },
        { 6, "plate", "2026-01-03T00:00:00Z,,US-CA,gate-1,," },
    };
    struct command *command = *state;
    json_t *summary, *rejects;
    char *text;

    make_site(command, "store");
    write_text("bad.csv", HEADER "2026-01-01T00:00:00Z,ab 123-cd,US-CA,gate-1,37.5,-122\n"
                                 "2026-01-02T00:00:00Z,AB124CD,US-CA,gate-1,91,-122\n"
                                 "1601-01-01T00:00:00Z,AB125CD,US-CA,gate-1,,\n"
                                 "2026-01-02T00:00:00Z,AB126CD,US-CA,gate-1,,\n"
                                 "2026-01-03T00:00:00Z,,US-CA,gate-1,,\n"
                                 "2026-01-04T00:00:00Z,AB127CD,US-CA,gate-1,,\n");
    run(command, "import", "--data", "store", "bad.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 3, 0, 0, 3);
    expect_text(command->err, "bad.csv:3: lat: ");
    expect_text(command->err, "bad.csv:4: captured_at: ");
    expect_text(command->err, "bad.csv:6: plate: ");
    assert_int_equal(1, count_lines(command->out));

    summary = out_object(command);
    assert_int_equal(0, strncmp(text_of(summary, "reject_file"), "store/rejects/", 14));
    text = file_text(text_of(summary, "reject_file"), NULL);
    rejects = json_lines(text);
    assert_int_equal(3, json_array_size(rejects));
    for (size_t i = 0; i < 3; i++) {
        const json_t *reject = json_array_get(rejects, i);
        const char *record = text_of(reject, "record");

        assert_string_equal("bad.csv", text_of(reject, "file"));
        assert_int_equal(wanted[i].line, number_of(reject, "line"));
        assert_string_equal(wanted[i].field, text_of(reject, "field"));
        assert_true(strlen(text_of(reject, "reason")) > 0);
        assert_int_equal(0, strncmp(record, wanted[i].record, strlen(wanted[i].record)));
    }
    json_decref(rejects);
    json_decref(summary);
    free(text);
}

static void
importing_again_stores_nothing_twice(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    run(command, "generate", "--reads", "5000", "--out", "reads.csv", "--event-ids", NULL);
    expect_exit(command, 0);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_counts(command, 5000, 0, 0, 0);
    run(command, "import", "--data", "store", "--json", "reads.csv", NULL);
    expect_counts(command, 0, 5000, 0, 0);
    assert_string_equal("", command->err);
    /* A file beside a file of which it holds the half. */
    run(command, "import", "--data", "store", "--quiet", "reads.csv", "reads.csv", NULL);
    expect_counts(command, 0, 10000, 0, 0);
    assert_string_equal("", command->err);
}

static void
the_same_read_with_other_content_is_a_conflict_and_kept(void **state)
{
    struct command *command = *state;
    json_t *summary, *rejects;
    const json_t *reject;
    char *text;

    make_site(command, "store");
    write_text("a.csv", "captured_at,plate,reader,event_id\n"
                        "2026-01-01T00:00:00Z,AB123CD,gate-1,e-1\n");
    write_text("b.csv", "captured_at,plate,reader,event_id\n"
                        "2026-01-01T00:00:00Z,AB128CD,gate-1,e-1\n");
    run(command, "import", "--data", "store", "a.csv", NULL);
    expect_counts(command, 1, 0, 0, 0);
    run(command, "import", "--data", "store", "--rejects", "mine.ndjson", "b.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 0, 0, 1, 0);

    summary = out_object(command);
    assert_string_equal("mine.ndjson", text_of(summary, "reject_file"));
    text = file_text("mine.ndjson", NULL);
    rejects = json_lines(text);
    assert_int_equal(1, json_array_size(rejects));
    reject = json_array_get(rejects, 0);
    assert_true(json_is_null(json_object_get(reject, "file")));
    assert_true(json_is_null(json_object_get(reject, "line")));
    expect_text(text_of(reject, "record"), "AB128CD");
    json_decref(rejects);
    json_decref(summary);
    free(text);
}

static void
import_goes_on_after_a_file_that_cannot_be_read(void **state)
{
    struct command *command = *state;
    json_t *summary;

    make_site(command, "store");
    write_text("a.csv", HEADER "2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1,,\n");
    write_text("b.csv", HEADER "2026-01-01T00:00:01Z,AB123CD,US-CA,gate-1,,\n");
    write_text("prose.txt", "Dear Sir or Madam,\n");
    write_text("empty.csv", "");
    assert_int_equal(0, mkdir("folder", 0700));
    run(command, "import", "--data", "store", "a.csv", "missing.csv", "folder", "prose.txt",
        "empty.csv", "b.csv", NULL);
    expect_exit(command, 1);
    expect_counts(command, 2, 0, 0, 0);
    expect_text(command->err, "missing.csv");
    expect_text(command->err, "'folder' is a directory");
    expect_text(command->err, "prose.txt: ");
    expect_no_text(command->err, "empty.csv");
    summary = out_object(command);
    assert_true(json_is_false(json_object_get(summary, "complete")));
    json_decref(summary);
}

static void
import_reads_standard_input(void **state)
{
    const char *arguments[] = { "import", "--data", "store", "--json", "-", NULL };
    struct command *command = *state;

    make_site(command, "store");
    write_text("a.ndjson",
               "{\"plate\":\"AB123CD\",\"captured_at\":1767225600000,\"reader\":\"gate-1\"}\n"
               "{\"plate\":\"AB124CD\",\"captured_at\":true,\"reader\":\"gate-1\"}\n");
    wait_for(command, start_with("a.ndjson", -1, -1, -1, arguments));
    expect_exit(command, 0);
    expect_counts(command, 1, 0, 0, 1);
    expect_text(command->err, "standard input:2: captured_at");
}

static void
hostile_bytes_are_rejected_and_stop_nothing(void **state)
{
    static const char good[] = "2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1,,\n";
    static const char last[] = "2026-01-02T00:00:00Z,AB124CD,US-CA,gate-1,,";
    static const struct {
        const char *bytes;
        size_t count;
    } bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
        BAD("2026-01-01T00:00:00Z,AB\0CD,US-CA,gate-1,,\n"),
        BAD("2026-01-01T00:00:00Z,AB\xff\xfe,US-CA,gate-1,,\n"),
        BAD("2026-01-01T00:00:00Z,AB\x1b[2J,US-CA,gate-1,,\n"),
        BAD("9999-12-31T00:00:00Z,AB123CD,US-CA,gate-1,,\n"),
        BAD("2026-01-01T00:00:00,AB123CD,US-CA,gate-1,,\n"),
        BAD("2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1,1,\n"),
        BAD("2026-01-01T00:00:00Z,AB123CD,US-CA\n"),
        BAD("2026-01-01T00:00:00Z,\"AB123CD\"x,US-CA,gate-1,,\n"),
        BAD("\r\r\r,,,\n"),
#undef BAD
    };
    struct command *command = *state;
    const size_t long_bytes = 10u << 20;
    char *long_line = malloc(long_bytes);
    FILE *file;

    assert_non_null(long_line);
    memset(long_line, 'A', long_bytes);
    make_site(command, "store");
    file = fopen("bad.csv", "wb");
    assert_non_null(file);
    fputs("\xEF\xBB\xBF"
          "captured_at,plate,jurisdiction,reader,lat,lon\r\n",
          file);
    fwrite(good, 1, sizeof(good) - 1, file);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        fwrite(bad[i].bytes, 1, bad[i].count, file);
    fwrite(long_line, 1, long_bytes, file);
    fputc('\n', file);
    fwrite(last, 1, sizeof(last) - 1, file); /* no line end */
    assert_int_equal(0, fclose(file));
    free(long_line);

    run(command, "import", "--data", "store", "bad.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 2, 0, 0, (int)(sizeof(bad) / sizeof(bad[0])) + 1);
    expect_text(command->err, "bad.csv:12: "); /* the long line */
}

static void
only_some_rejects_are_said_and_all_are_kept(void **state)
{
    struct command *command = *state;
    json_t *summary;
    char *text;
    FILE *file;

    make_site(command, "store");
    file = fopen("bad.csv", "wb");
    assert_non_null(file);
    fputs(HEADER, file);
    for (int i = 0; i < 100; i++)
        fputs("yesterday,AB123CD,US-CA,gate-1,,\n", file);
    assert_int_equal(0, fclose(file));
    run(command, "import", "--data", "store", "bad.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 0, 0, 0, 100);
    expect_text(command->err, "bad.csv:11: ");
    expect_no_text(command->err, "bad.csv:12: ");
    summary = out_object(command);
    text = file_text(text_of(summary, "reject_file"), NULL);
    assert_int_equal(100, count_lines(text));
    free(text);
    json_decref(summary);
}

static void
no_reject_file_is_made_where_nothing_is_rejected(void **state)
{
    struct command *command = *state;
    json_t *summary;

    make_site(command, "store");
    write_text("a.csv", HEADER "2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1,,\n");
    run(command, "import", "--data", "store", "a.csv", NULL);
    summary = out_object(command);
    assert_null(json_object_get(summary, "reject_file"));
    json_decref(summary);
    assert_int_equal(0, rmdir("store/rejects")); /* which succeeds where it is empty */
}

static void
rejects_that_cannot_be_kept_fail_the_import_but_store_the_rest(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    write_text("a.csv", HEADER "2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1,,\n"
                               "never,AB123CD,US-CA,gate-1,,\n");
    run(command, "import", "--data", "store", "--rejects", "missing/rejects.ndjson", "a.csv", NULL);
    expect_exit(command, 1);
    expect_counts(command, 1, 0, 0, 1);
    expect_text(command->err, "missing/rejects.ndjson");
}

static void
defaults_of_the_source_fill_what_records_lack(void **state)
{
    struct command *command = *state;
    json_t *found;
    const json_t *read;

    make_site(command, "store");
    write_text("a.csv", "plate,jurisdiction\nAB123CD,GA\n");
    run(command, "import", "--data", "store", "--reader", "gate-7", "--lat", "37.7749", "--lon",
        "-122.4194", "--captured-at", "2026-01-01T10:00:00Z", "--country", "us", "a.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 1, 0, 0, 0);
    run(command, "search", WHO, "--data", "store", "--plate", "ab123cd", "--from", "2026-01-01",
        "--to", "2026-01-02", "--json", NULL);
    expect_exit(command, 0);
    found = json_lines(command->out);
    assert_int_equal(1, json_array_size(found));
    read = json_array_get(found, 0);
    assert_string_equal("gate-7", text_of(read, "reader"));
    assert_string_equal("US-GA", text_of(read, "jurisdiction"));
    assert_true(json_number_value(json_object_get(read, "lat")) == 37.7749);
    json_decref(found);
}

static void
a_read_past_its_retention_is_not_stored(void **state)
{
    struct command *command = *state;
    json_t *summary;

    make_site(command, "store");
    write_text("a.csv", HEADER "2001-01-01T00:00:00Z,AB123CD,US-CA,gate-1,,\n"
                               "2190-01-01T00:00:00Z,AB124CD,US-CA,gate-1,,\n");
    run(command, "import", "--data", "store", "--retention-days", "30", "a.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 1, 0, 0, 0);
    summary = out_object(command);
    assert_int_equal(1, number_of(summary, "expired"));
    /* What may not be kept is not kept among the rejects. */
    assert_null(json_object_get(summary, "reject_file"));
    json_decref(summary);
    assert_int_equal(0, rmdir("store/rejects"));
}

/* ---- signals and closed ends ---- */

/* The command has made its mark when it reads, which it does where more is written than a pipe
 * holds. */
static void
an_import_that_was_killed_is_spoken_of_by_the_next(void **state)
{
    const char *arguments[] = { "import", "--data", "store", "-", NULL };
    struct command *command = *state;
    size_t bytes = 0, at = 0;
    int ends[2];
    pid_t child;
    char *text;

    (void)signal(SIGPIPE, SIG_IGN);
    make_site(command, "store");
    run(command, "generate", "--reads", "60000", "--out", "reads.csv", NULL);
    text = file_text("reads.csv", &bytes);
    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    child = start_with(NULL, ends[0], -1, -1, arguments);
    assert_int_equal(0, close(ends[0]));
    while (at < bytes) {
        ssize_t put = write(ends[1], text + at, bytes - at);

        assert_true(put > 0);
        at += (size_t)put;
    }
    assert_int_equal(0, kill(child, SIGKILL));
    assert_int_equal(child, waitpid(child, NULL, 0));
    assert_int_equal(0, close(ends[1]));
    free(text);

    for (int time = 0; time < 2; time++) {
        json_t *summary;

        run(command, "import", "--data", "store", "reads.csv", NULL);
        expect_exit(command, 0);
        assert_int_equal(time == 0, strstr(command->err, "broken off") != NULL);
        summary = out_object(command);
        assert_int_equal(60000, number_of(summary, "stored") + number_of(summary, "duplicate"));
        json_decref(summary);
    }
}

/*
 * More than a pipe holds is written, so when the writing returns the command is reading, and has
 * long set up its signals.
 */
static void
an_interrupted_import_keeps_what_it_has_in_hand(void **state)
{
    const char *arguments[] = { "import", "--data", "store", "-", NULL };
    struct command *command = *state;
    size_t bytes = 0, at = 0;
    json_t *summary, *stats;
    json_int_t stored;
    int ends[2];
    pid_t child;
    char *text;

    (void)signal(SIGPIPE, SIG_IGN);
    make_site(command, "store");
    run(command, "generate", "--reads", "60000", "--out", "reads.csv", NULL);
    text = file_text("reads.csv", &bytes);
    assert_true(bytes > (4u << 20));
    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    child = start_with(NULL, ends[0], -1, -1, arguments);
    assert_int_equal(0, close(ends[0]));
    while (at < bytes) {
        ssize_t put = write(ends[1], text + at, bytes - at);

        assert_true(put > 0);
        at += (size_t)put;
    }
    assert_int_equal(0, kill(child, SIGINT));
    wait_for(command, child); /* with the pipe still open */
    assert_int_equal(0, close(ends[1]));
    free(text);

    expect_exit(command, 130);
    expect_text(command->err, "interrupted");
    expect_text(command->err, "import the same files again");
    summary = out_object(command);
    stored = number_of(summary, "stored");
    assert_in_range(stored, 1, 60000);
    assert_true(json_is_false(json_object_get(summary, "complete")));
    assert_int_equal(0, number_of(summary, "rejected"));
    json_decref(summary);

    run(command, "stats", "--data", "store", "--json", NULL);
    stats = out_object(command);
    assert_int_equal(stored, number_of(stats, "reads"));
    json_decref(stats);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_counts(command, 60000 - (int)stored, (int)stored, 0, 0);
}

static void
a_reader_that_leaves_early_is_no_failure(void **state)
{
    const char *arguments[] = { "generate", "--reads", "100000", "--quiet", "--out", "-", NULL };
    struct command *command = *state;
    int ends[2];

    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    assert_int_equal(0, close(ends[0]));
    wait_for(command, start_with(NULL, -1, ends[1], -1, arguments));
    assert_int_equal(0, close(ends[1]));
    expect_exit(command, 0);
    assert_string_equal("", command->err);
}

static void
a_full_disk_under_standard_output_is_a_failure(void **state)
{
    const char *arguments[] = { "--help", NULL };
    struct command *command = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    if (full < 0)
        skip();
    wait_for(command, start_with(NULL, -1, full, -1, arguments));
    assert_int_equal(0, close(full));
    expect_exit(command, 1);
    expect_text(command->err, "standard output");
}

/* Runs import with standard error on a terminal; returns what the terminal got. */
static void
import_on_terminal(struct command *command, const char *option, char *ret_text, size_t room)
{
    const char *arguments[] = { "import", "--data", "store", "reads.csv", option, NULL };
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ssize_t got = 0;
    size_t used = 0;
    int other;

    assert_true(terminal >= 0);
    assert_int_equal(0, grantpt(terminal));
    assert_int_equal(0, unlockpt(terminal));
    other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(other >= 0);
    wait_for(command, start_with(NULL, -1, -1, other, arguments));
    assert_int_equal(0, fcntl(terminal, F_SETFL, O_NONBLOCK));
    while (used < room - 1 && (got = read(terminal, ret_text + used, room - 1 - used)) > 0)
        used += (size_t)got;
    ret_text[used] = '\0';
    close(other);
    close(terminal);
}

static void
progress_is_drawn_for_terminals_only(void **state)
{
    struct command *command = *state;
    char text[65536];

    make_site(command, "store");
    run(command, "generate", "--reads", "50000", "--out", "reads.csv", NULL);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_exit(command, 0);
    expect_no_text(command->err, "\033");

    import_on_terminal(command, NULL, text, sizeof(text));
    expect_exit(command, 0);
    expect_text(text, "import [");
    import_on_terminal(command, "--json", text, sizeof(text));
    expect_exit(command, 0);
    assert_string_equal("", text);
    import_on_terminal(command, "--quiet", text, sizeof(text));
    assert_string_equal("", text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_command_explains_itself),
        CASE(every_option_is_in_its_manual_page),
        CASE(every_part_of_a_command_explains_itself),
        CASE(the_version_is_printed),
        CASE(wrong_calls_are_refused_with_a_reason),
        CASE(a_directory_of_another_program_is_left_alone),
        CASE(init_refuses_a_store_that_is_there),
        CASE(data_may_come_from_the_environment),
        CASE(control_characters_never_reach_the_terminal),
        CASE(import_names_counts_and_keeps_bad_lines),
        CASE(importing_again_stores_nothing_twice),
        CASE(the_same_read_with_other_content_is_a_conflict_and_kept),
        CASE(import_goes_on_after_a_file_that_cannot_be_read),
        CASE(import_reads_standard_input),
        CASE(hostile_bytes_are_rejected_and_stop_nothing),
        CASE(only_some_rejects_are_said_and_all_are_kept),
        CASE(no_reject_file_is_made_where_nothing_is_rejected),
        CASE(rejects_that_cannot_be_kept_fail_the_import_but_store_the_rest),
        CASE(defaults_of_the_source_fill_what_records_lack),
        CASE(a_read_past_its_retention_is_not_stored),
        CASE(an_import_that_was_killed_is_spoken_of_by_the_next),
        CASE(an_interrupted_import_keeps_what_it_has_in_hand),
        CASE(a_reader_that_leaves_early_is_no_failure),
        CASE(a_full_disk_under_standard_output_is_a_failure),
        CASE(progress_is_drawn_for_terminals_only),
    };

    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
