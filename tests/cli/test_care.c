/*
 * The command line: stats, verify, purge, merge, erase, backup, restore, and two writers.
 */
#include "cli/command.h"

#include <platebase/store.h>

#define FROM_TO "--from", "2026-01-01", "--to", "2027-01-01"

static void
make_store(struct command *command, const char *reads)
{
    make_site(command, "store");
    run(command, "generate", "--reads", reads, "--out", "reads.csv", "--from", "2026-02-01", NULL);
    expect_exit(command, 0);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_exit(command, 0);
}

static json_int_t
stat_of(struct command *command, const char *store, const char *key)
{
    json_int_t number;
    json_t *stats;

    run(command, "stats", "--data", store, "--json", NULL);
    expect_exit(command, 0);
    stats = out_object(command);
    number = number_of(stats, key);
    json_decref(stats);
    return number;
}

static void
stats_say_what_is_there(void **state)
{
    static const char *const numbers[] = { "reads",      "plates",   "bytes",    "segments",
                                           "partitions", "buffered", "erasures", "commit" };
    struct command *command = *state;
    json_t *stats;

    make_site(command, "empty");
    run(command, "stats", "--data", "empty", "--json", NULL);
    expect_exit(command, 0);
    stats = out_object(command);
    assert_int_equal(0, number_of(stats, "reads"));
    assert_true(json_is_null(json_object_get(stats, "oldest")));
    json_decref(stats);

    make_store(command, "20000");
    run(command, "stats", "--data", "store", "--json", NULL);
    expect_exit(command, 0);
    stats = out_object(command);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_true(number_of(stats, numbers[i]) >= 0);
    assert_int_equal(20000, number_of(stats, "reads"));
    assert_in_range(number_of(stats, "plates"), 1000, 20000);
    assert_true(number_of(stats, "bytes") > 20000);
    assert_true(json_is_real(json_object_get(stats, "bytes_per_read")));
    assert_int_equal(0, strncmp(text_of(stats, "oldest"), "2026-02-01T", 11));
    assert_true(strcmp(text_of(stats, "oldest"), text_of(stats, "newest")) < 0);
    json_decref(stats);
    run(command, "stats", "--data", "store", NULL);
    expect_text(command->out, "20000");
}

/* The largest file in the store: one that holds reads. */
static char largest[1024];
static off_t largest_bytes;

static int
look_at_file(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind == FTW_F && info->st_size > largest_bytes) {
        largest_bytes = info->st_size;
        (void)snprintf(largest, sizeof(largest), "%s", path);
    }
    return 0;
}

static void
verify_names_the_damaged_place(void **state)
{
    struct command *command = *state;
    const json_t *damage;
    json_t *answer;
    size_t bytes;
    char *text;

    make_store(command, "20000");
    run(command, "verify", "--data", "store", "--json", NULL);
    expect_exit(command, 0);
    answer = out_object(command);
    assert_int_equal(0, number_of(answer, "damaged"));
    assert_int_equal(0, json_array_size(json_object_get(answer, "damage")));
    assert_true(number_of(answer, "files") > 0);
    assert_true(number_of(answer, "blocks") > 0);
    assert_int_equal(20000, number_of(answer, "reads"));
    json_decref(answer);

    largest_bytes = 0;
    assert_int_equal(0, nftw("store/reads", look_at_file, 16, FTW_PHYS));
    text = file_text(largest, &bytes);
    text[bytes / 2] = (char)(text[bytes / 2] ^ 0x10);
    assert_int_equal(0, chmod(largest, 0600));
    write_file(largest, text, bytes);
    free(text);

    run(command, "verify", "--data", "store", "--json", NULL);
    expect_exit(command, 1);
    answer = out_object(command);
    assert_true(number_of(answer, "damaged") >= 1);
    damage = json_array_get(json_object_get(answer, "damage"), 0);
    /* It names the file in one way or another: its last part at least. */
    expect_text(text_of(damage, "file"), strrchr(largest, '/') + 1);
    assert_true(number_of(damage, "offset") <= (json_int_t)(bytes / 2));
    assert_true(strlen(text_of(damage, "what")) > 0);
    json_decref(answer);

    run(command, "verify", "--data", "store", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "damaged: ");
    expect_text(command->err, strrchr(largest, '/') + 1);
}

static void
what_a_damaged_store_has_left_can_be_asked(void **state)
{
    struct command *command = *state;
    size_t bytes;
    char *text;

    make_store(command, "2000");
    run(command, "merge", "--data", "store", NULL);
    expect_exit(command, 0);
    largest_bytes = 0;
    assert_int_equal(0, nftw("store/reads", look_at_file, 16, FTW_PHYS));
    text = file_text(largest, &bytes);
    assert_int_equal(0, chmod(largest, 0600));
    write_file(largest, text, bytes / 2);
    free(text);

    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, "--json", NULL);
    expect_exit(command, 1);
    expect_text(command->err, strrchr(largest, '/') + 1);
    expect_text(command->err, "platebase verify");
    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, "--json",
        "--skip-damaged", NULL);
    expect_exit(command, 0);
    run(command, "stats", "--data", "store", "--skip-damaged", "--json", NULL);
    expect_exit(command, 0);
    run(command, "plates", WHO, FROM_TO, "--data", "store", "A?12*", "--skip-damaged", NULL);
    expect_exit(command, 0);
}

static void
what_is_erased_is_gone(void **state)
{
    struct command *command = *state;
    json_int_t before;
    json_t *counts;

    make_site(command, "store");
    write_text("a.csv", "captured_at,plate,jurisdiction,reader\n"
                        "2026-01-01T00:00:00Z,AB123CD,US-CA,gate-1\n"
                        "2026-01-02T00:00:00Z,AB123CD,US-CA,gate-2\n"
                        "2026-01-03T00:00:00Z,AB124CD,US-CA,gate-1\n");
    run(command, "import", "--data", "store", "a.csv", NULL);
    expect_counts(command, 3, 0, 0, 0);
    run(command, "merge", "--data", "store", NULL);
    expect_exit(command, 0);

    /* Nobody can be asked, and nobody said yes. */
    run(command, "erase", "--why", "court order 17", "--data", "store", "--plate", "AB123CD",
        FROM_TO, NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--yes");
    run(command, "erase", "--why", "court order 17", "--data", "store", "--plate", "AB12?CD",
        FROM_TO, "--yes", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "patterns cannot be erased");
    run(command, "search", WHO, "--data", "store", "--plate", "AB1*", FROM_TO, "--json", NULL);
    assert_int_equal(3, count_lines(command->out));

    run(command, "erase", "--why", "court order 17", "--data", "store", "--plate", "ab-123 cd",
        "--reader", "gate-1", FROM_TO, "--yes", "--json", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "store", "--plate", "AB1*", FROM_TO, "--json", NULL);
    assert_int_equal(2, count_lines(command->out));
    expect_no_text(command->out, "2026-01-01T");

    before = stat_of(command, "store", "erasures");
    assert_int_equal(1, before);
    run(command, "purge", "--data", "store", "--json", NULL);
    expect_exit(command, 0);
    counts = out_object(command);
    assert_int_equal(1, number_of(counts, "reads_removed"));
    json_decref(counts);
    assert_int_equal(2, stat_of(command, "store", "reads"));
    run(command, "search", WHO, "--data", "store", "--plate", "AB1*", FROM_TO, "--json", NULL);
    assert_int_equal(2, count_lines(command->out));
}

static void
merge_leaves_every_read_findable(void **state)
{
    struct command *command = *state;
    json_t *counts;
    size_t before;

    make_site(command, "store");
    for (int i = 0; i < 4; i++) {
        char seed[16];

        (void)snprintf(seed, sizeof(seed), "%d", i);
        run(command, "generate", "--reads", "3000", "--out", "reads.csv", "--from", "2026-02-01",
            "--days", "5", "--seed", seed, NULL);
        run(command, "import", "--data", "store", "--no-merge", "reads.csv", NULL);
        expect_exit(command, 0);
    }
    run(command, "search", WHO, "--data", "store", "--plate", "*1*2*3*", FROM_TO, "--json",
        "--limit", "0", "--no-alternates", NULL);
    expect_exit(command, 0);
    before = count_lines(command->out);
    assert_true(before > 10);
    run(command, "merge", "--data", "store", "--all", "--json", NULL);
    expect_exit(command, 0);
    counts = out_object(command);
    assert_int_equal(1, number_of(counts, "segments")); /* all reads are of one month */
    assert_true(json_is_integer(json_object_get(counts, "segments_before")));
    json_decref(counts);
    assert_int_equal(0, stat_of(command, "store", "buffered"));
    run(command, "search", WHO, "--data", "store", "--plate", "*1*2*3*", FROM_TO, "--json",
        "--limit", "0", "--no-alternates", NULL);
    assert_int_equal(before, count_lines(command->out));
    assert_int_equal(12000, stat_of(command, "store", "reads"));
}

/* What it says is what it did. */
static void
merge_says_what_was_merged_or_that_nothing_was(void **state)
{
    struct command *command = *state;

    make_site(command, "store");
    for (int i = 1; i <= 2; i++) {
        char line[96];
        char expected[64];

        (void)snprintf(line, sizeof(line),
                       "captured_at,plate,jurisdiction,reader\n"
                       "2026-01-0%dT00:00:00Z,AB123CD,US-CA,gate-1\n",
                       i);
        (void)snprintf(expected, sizeof(expected), "there was nothing to merge; segments: %d, ", i);
        write_text("a.csv", line);
        run(command, "import", "--data", "store", "--no-merge", "a.csv", NULL);
        expect_counts(command, 1, 0, 0, 0);
        run(command, "merge", "--data", "store", NULL);
        expect_exit(command, 0);
        expect_text(command->out, expected);
    }
    run(command, "merge", "--data", "store", "--all", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "2 segments were merged into 1, ");
    run(command, "merge", "--data", "store", "--all", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "there was nothing to merge; segments: 1, ");
}

/* The numbers of stats that two data directories with the same reads share. */
static void
expect_same_reads(struct command *command, const char *a, const char *b)
{
    static const char *const keys[] = { "reads", "plates", "segments", "partitions", "commit" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(stat_of(command, a, keys[i]), stat_of(command, b, keys[i]));
}

static void
a_backup_holds_all_but_the_keys(void **state)
{
    struct command *command = *state;

    make_store(command, "5000");
    run(command, "backup", "--data", "store", "copy", NULL);
    expect_exit(command, 0);
    run(command, "backup", "--data", "store", "copy", NULL);
    expect_exit(command, 1); /* never over another one */
    expect_text(command->err, "copy");
    assert_int_equal(-1, access("copy/keys", F_OK));
    run(command, "verify", "--data", "copy", NULL);
    expect_exit(command, 0);

    run(command, "restore", "copy", "store", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "store");
    run(command, "restore", "copy", "again", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "no backup holds keys");
    run(command, "verify", "--data", "again", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "again", "--plate", "*123*", FROM_TO, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "keys");
}

/* What was given out after a backup would be forgotten, so the log does not go on from there. */
static void
a_restored_backup_does_not_fork_the_log(void **state)
{
    struct command *command = *state;

    make_store(command, "1000");
    run(command, "backup", "--data", "store", "copy", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, NULL);
    expect_exit(command, 0);
    run(command, "restore", "--keys", "store/keys", "copy", "again", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "given out");
    run(command, "search", WHO, "--data", "again", "--plate", "*123*", FROM_TO, NULL);
    expect_exit(command, 1);
    assert_string_equal("", command->out);
    expect_same_reads(command, "store", "again");
    run(command, "verify", "--data", "again", NULL);
    expect_exit(command, 0);
}

static void
a_log_that_lost_entries_begins_again_under_a_new_key(void **state)
{
    struct command *command = *state;
    json_t *keys;
    char *before;

    make_store(command, "1000");
    run(command, "audit", "keys", "--data", "store", "--json", NULL);
    keys = json_lines(command->out);
    before = strdup(text_of(json_array_get(keys, 0), "vkey"));
    assert_string_equal("operator", text_of(json_array_get(keys, 0), "log"));
    json_decref(keys);
    run(command, "backup", "--data", "store", "copy", NULL);
    expect_exit(command, 0);
    run(command, "restore", "--keys", "store/keys", "copy", "again", NULL);
    expect_exit(command, 1); /* the operator's log went on when the backup was closed */

    run(command, "audit", "restart", "--data", "again", "--log", "operator", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--yes");
    run(command, "audit", "restart", "--data", "again", "--log", "operator", "--yes", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "again", "--plate", "*123*", FROM_TO, NULL);
    expect_exit(command, 0);
    run(command, "audit", "search", "--data", "again", "--event", "restart", "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(1, count_lines(command->out));
    run(command, "audit", "keys", "--data", "again", "--json", NULL);
    expect_no_text(command->out, before);
    free(before);
    run(command, "verify", "--data", "again", NULL);
    expect_exit(command, 0);
}

static void
a_damaged_backup_is_not_restored(void **state)
{
    struct command *command = *state;
    size_t bytes;
    char *text;

    make_store(command, "2000");
    run(command, "backup", "--data", "store", "copy", NULL);
    expect_exit(command, 0);
    largest_bytes = 0;
    assert_int_equal(0, nftw("copy/reads", look_at_file, 16, FTW_PHYS));
    text = file_text(largest, &bytes);
    assert_int_equal(0, remove(largest)); /* it may be a link to the store's own */
    text[bytes / 2] = (char)(text[bytes / 2] ^ 0x10);
    write_file(largest, text, bytes);
    free(text);
    run(command, "restore", "copy", "again", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "damaged");
    run(command, "stats", "--data", "again", NULL);
    expect_exit(command, 1); /* half made is not taken for whole */
}

static void
a_bare_store_of_before_is_told_how_to_move(void **state)
{
    struct command *command = *state;
    struct pb_error error;

    assert_int_equal(PB_OK, pb_store_create(pb_env_system(), "old", &error));
    run(command, "stats", "--data", "old", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "bare read store");
    expect_text(command->err, "mv old NEW/reads");
    run(command, "search", WHO, "--data", "old", "--plate", "AB123CD", FROM_TO, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "bare read store");
    run(command, "verify", "--data", "old", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "bare read store");
}

static void
a_second_writer_is_refused_and_may_still_search(void **state)
{
    struct command *command = *state;
    struct pb_store *store = NULL;
    struct pb_error error;

    make_store(command, "1000");
    assert_int_equal(PB_OK, pb_store_open(pb_env_system(), "store/reads", NULL, &store, &error));
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "another process");
    run(command, "purge", "--data", "store", NULL);
    expect_exit(command, 1);
    run(command, "search", WHO, "--data", "store", "--plate", "*123*", FROM_TO, "--json", NULL);
    expect_exit(command, 0);
    assert_true(count_lines(command->out) > 0);
    run(command, "verify", "--data", "store", NULL);
    expect_exit(command, 0);
    pb_store_close(store);
    run(command, "import", "--data", "store", "reads.csv", NULL);
    expect_counts(command, 0, 1000, 0, 0);
}

static void
bench_measures_inquiries_and_appends(void **state)
{
    static const char *const figures[] = {
        "bytes_per_read", "inquiries_per_s", "inquiry_p50_ms", "inquiry_p99_ms",
        "append_per_s",   "append_p50_us",   "append_p99_us",  "peak_rss_mb",
    };
    struct command *command = *state;
    json_t *answer;
    size_t leaves;

    make_store(command, "5000");
    write_text("plates.txt", "AB123CD\n# not a plate\nXYZ999\n");
    run(command, "bench", WHO, FROM_TO, "--data", "store", "--inquiries", "--threads", "4",
        "--seconds", "0.2", "--plates", "plates.txt", "--append-writers", "4", "--append-seconds",
        "0.1", "--json", NULL);
    expect_exit(command, 0);
    answer = out_object(command);
    assert_string_equal("platebase", text_of(answer, "engine"));
    assert_true(strlen(text_of(answer, "version")) > 0);
    assert_int_equal(5000, number_of(answer, "reads"));
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (!json_is_number(json_object_get(answer, figures[i])))
            fail_msg("no figure \"%s\": %s", figures[i], command->out);
    }
    assert_true(number_of(answer, "append_per_s") > 0);
    leaves = (size_t)number_of(answer, "inquiries");
    assert_true(leaves > 0);
    json_decref(answer);
    assert_int_equal(-1, access("store-append", F_OK));
    assert_int_equal(5000, stat_of(command, "store", "reads"));

    /* Each of them is on record, as any other. */
    run(command, "audit", "search", "--data", "store", "--person", "operator", "--event", "query",
        "--json", "--limit", "0", NULL);
    expect_exit(command, 0);
    assert_int_equal(leaves, count_lines(command->out));
}

static void
bench_asks_nothing_without_a_reason(void **state)
{
    struct command *command = *state;

    make_store(command, "1000");
    write_text("plates.txt", "AB123CD\n");
    run(command, "bench", "--data", "store", "--inquiries", "--plates", "plates.txt", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--person");
    run(command, "bench", "--data", "store", "--inquiries", "--plates", "plates.txt", "--person",
        "operator", "--purpose", "immigration", "--why", "for the fun of it", "--seconds", "0.2",
        NULL);
    expect_exit(command, 3);
    assert_string_equal("", command->out);
    expect_text(command->err, "private-site.purposes");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(stats_say_what_is_there),
        CASE(verify_names_the_damaged_place),
        CASE(what_a_damaged_store_has_left_can_be_asked),
        CASE(what_is_erased_is_gone),
        CASE(merge_leaves_every_read_findable),
        CASE(merge_says_what_was_merged_or_that_nothing_was),
        CASE(a_backup_holds_all_but_the_keys),
        CASE(a_restored_backup_does_not_fork_the_log),
        CASE(a_log_that_lost_entries_begins_again_under_a_new_key),
        CASE(a_damaged_backup_is_not_restored),
        CASE(a_bare_store_of_before_is_told_how_to_move),
        CASE(a_second_writer_is_refused_and_may_still_search),
        CASE(bench_measures_inquiries_and_appends),
        CASE(bench_asks_nothing_without_a_reason),
    };

    return cmocka_run_group_tests_name("care", tests, NULL, NULL);
}
