/*
 * The command line and the one door: who asks says why, rules decide, every question and answer is
 * on record, and the record can be checked by anybody.
 */
#include "cli/command.h"

#include <time.h>

/* Dates around the demonstration's reads, which are of the last two weeks. */
static char from_date[16], to_date[16];

#define WINDOW "--from", from_date, "--to", to_date
#define RUR "--plate", "RUR7893", "--jurisdiction", "unknown"
#define PLAINS                                                                             \
    "--person", "plains.investigator", "--purpose", "stolen-vehicle", "--case", "26-1042", \
        "--why", "van taken from the depot at night"
#define FEDERAL                                                                             \
    "--person", "federal.investigator", "--purpose", "criminal-investigation", "--offence", \
        "vehicle-theft", "--case", "FB-2026-0117", "--why", "van taken across the state line"

static void
write_date(char text[16], time_t at)
{
    struct tm parts;

    assert_non_null(gmtime_r(&at, &parts));
    assert_true(strftime(text, 16, "%Y-%m-%d", &parts) > 0);
}

static void
make_demo(struct command *command)
{
    time_t now = time(NULL);

    write_date(from_date, now - 30 * 86400);
    write_date(to_date, now + 86400);
    run(command, "demo", "--quiet", "demo", NULL);
    expect_exit(command, 0);
}

/* ---- what must be said ---- */

static void
every_missing_word_of_a_question_is_named(void **state)
{
    static const char *const commands[] = { "search", "near", "plates", "common", "associates" };
    static const char *const governed[] = { "--person", "--purpose", "--why" };
    struct command *command = *state;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        run(command, commands[i], "--data", "site", NULL);
        expect_exit(command, 2);
        for (size_t j = 0; j < 3; j++) {
            char said[64];

            (void)snprintf(said, sizeof(said), "%s is missing", governed[j]);
            expect_text(command->err, said);
        }
        assert_string_equal("", command->out);
    }
    run(command, "search", "--data", "site", "--person", "p", "--purpose", "q", "--plate", "A",
        "--from", "2026-01-01", "--to", "2026-02-01", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--why is missing");
    expect_no_text(command->err, "--purpose is missing");
}

/* The rules of a denial that standard output tells a program. */
static json_t *
denied_rules(const struct command *command)
{
    json_t *denial = out_object(command), *rules;

    assert_string_equal("deny", text_of(denial, "decision"));
    assert_true(json_is_null(json_object_get(denial, "result_index")));
    rules = json_incref(json_object_get(denial, "rules"));
    assert_true(json_is_array(rules));
    json_decref(denial);
    return rules;
}

/* The rule of that id; fails where it did not speak. */
static const json_t *
rule_of(const json_t *rules, const char *id)
{
    for (size_t i = 0; i < json_array_size(rules); i++) {
        if (strcmp(text_of(json_array_get(rules, i), "id"), id) == 0)
            return json_array_get(rules, i);
    }
    fail_msg("no rule %s spoke", id);
    return NULL;
}

static void
a_case_that_a_rule_demands_is_named(void **state)
{
    struct command *command = *state;
    const json_t *rule;
    json_t *rules;

    make_demo(command);
    run(command, "search", "--data", "demo", "--person", "federal.investigator", "--purpose",
        "criminal-investigation", "--offence", "vehicle-theft", "--why",
        "van taken across the state line", RUR, WINDOW, "--json", NULL);
    expect_exit(command, 3);
    expect_text(command->err, "pia-039.Q4");
    expect_text(command->err, "it looks at --case");
    rules = denied_rules(command);
    rule = rule_of(rules, "pia-039.Q4");
    assert_string_equal("--case", text_of(rule, "option"));
    assert_true(strlen(text_of(rule, "text")) > 0);
    assert_true(strlen(text_of(rule, "source")) > 0);
    assert_true(json_is_true(json_object_get(rule, "verified")));
    json_decref(rules);

    /* A private site needs none. */
    make_site(command, "site");
    write_text("a.csv", "captured_at,plate,reader\n2026-01-05T08:00:00Z,AB123CD,gate-1\n");
    run(command, "import", "--data", "site", "a.csv", NULL);
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 0);
}

/* Not that a rule leaves nothing of what is there: there is nothing. */
static void
a_new_site_without_readers_answers_that_it_found_nothing(void **state)
{
    struct command *command = *state;

    make_site(command, "site");
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 0);
    expect_text(command->err, "no reads");
    run(command, "policy", "explain", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 0);
}

static void
a_forbidden_purpose_is_refused_with_the_rule_and_its_source(void **state)
{
    struct command *command = *state;

    make_demo(command);
    run(command, "search", "--data", "demo", "--person", "plains.investigator", "--purpose",
        "protected-activity", "--case", "26-1042", "--why", "who parked near the town hall", RUR,
        WINDOW, NULL);
    expect_exit(command, 3);
    assert_string_equal("", command->out);
    expect_text(command->err, "denied");
    expect_text(command->err, "platebase-base.protected-purposes: ");
    expect_text(command->err, "source: ");
    expect_text(command->err, "on record in log plains-police: entry ");
}

static void
a_rule_that_nobody_verified_says_so(void **state)
{
    struct command *command = *state;
    json_t *rules;

    make_demo(command);
    run(command, "search", "--data", "demo", "--person", "federal.investigator", "--purpose",
        "toll", "--case", "FB-2026-0117", "--why", "van that paid no toll at all", RUR, WINDOW,
        "--json", NULL);
    expect_exit(command, 3);
    rules = denied_rules(command);
    assert_true(json_is_false(json_object_get(rule_of(rules, "pia-039.Q3"), "verified")));
    json_decref(rules);
    expect_text(command->err, "not verified");
}

static void
nobody_asks_who_is_not_in_the_directory(void **state)
{
    struct command *command = *state;

    make_demo(command);
    run(command, "search", "--data", "demo", "--person", "nobody", "--purpose", "stolen-vehicle",
        "--case", "26-1042", "--why", "van taken from the depot at night", RUR, WINDOW, NULL);
    expect_exit(command, 3);
    expect_text(command->err, "platebase-base.person");
    assert_string_equal("", command->out);
}

/* ---- who sees what ---- */

static void
each_sees_what_law_and_agreement_let_them(void **state)
{
    struct command *command = *state;
    json_t *found;

    make_demo(command);
    run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, "--json", NULL);
    expect_exit(command, 0);
    found = json_lines(command->out);
    assert_int_equal(3, json_array_size(found));
    assert_string_equal("plains-police", text_of(json_array_get(found, 0), "agency"));
    json_decref(found);

    run(command, "search", "--data", "demo", "--person", "coast.investigator", "--purpose",
        "stolen-vehicle", "--case", "CC-881", "--why", "van taken in another state", RUR, WINDOW,
        "--json", NULL);
    expect_exit(command, 0);
    found = json_lines(command->out);
    assert_int_equal(1, json_array_size(found));
    assert_string_equal("coast-sheriff", text_of(json_array_get(found, 0), "agency"));
    json_decref(found);

    /* An agreement with both does not bring what the law of California keeps. */
    run(command, "search", "--data", "demo", FEDERAL, RUR, WINDOW, "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(3, count_lines(command->out));
    expect_no_text(command->out, "coast-sheriff");
    expect_text(command->err, "some readers are left out by us-ca.in-state");
}

static void
common_plates_and_associates_come_with_counts(void **state)
{
    struct command *command = *state;
    char place_a[96], place_b[96];
    json_t *found;

    make_demo(command);
    (void)snprintf(place_a, sizeof(place_a), "38.64,-98.31,900,%s,%s", from_date, to_date);
    (void)snprintf(place_b, sizeof(place_b), "38.64,-98.32,900,%s,%s", from_date, to_date);
    run(command, "common", "--data", "demo", PLAINS, "--step-up", "--place", place_a, "--place",
        place_b, "--json", NULL);
    /* A month is more than one person may ask about in one go. */
    expect_exit(command, 4);
    write_date(from_date, time(NULL) - 4 * 86400);
    write_date(to_date, time(NULL) - 2 * 86400);
    (void)snprintf(place_a, sizeof(place_a), "38.64,-98.31,900,%s,%s", from_date, to_date);
    (void)snprintf(place_b, sizeof(place_b), "38.64,-98.32,900,%s,%s", from_date, to_date);
    run(command, "common", "--data", "demo", PLAINS, "--step-up", "--place", place_a, "--place",
        place_b, "--json", NULL);
    expect_exit(command, 0);
    found = json_lines(command->out);
    assert_true(json_array_size(found) > 0);
    assert_true(number_of(json_array_get(found, 0), "places") == 2);
    assert_true(number_of(json_array_get(found, 0), "reads") >= 2);
    run(command, "associates", "--data", "demo", PLAINS, "--step-up", "--plate",
        text_of(json_array_get(found, 0), "plate"), "--jurisdiction", "unknown", "--from",
        from_date, "--to", to_date, "--together", "600", "--times", "1", "--json", NULL);
    expect_exit(command, 0);
    json_decref(found);
    found = json_lines(command->out);
    assert_true(json_array_size(found) > 0);
    assert_true(number_of(json_array_get(found, 0), "together") >= 1);
    assert_true(json_is_number(json_object_get(json_array_get(found, 0), "expected")));
    assert_true(json_is_number(json_object_get(json_array_get(found, 0), "score")));
    json_decref(found);
}

/* ---- on record ---- */

static bool
file_holds(const char *path, const char *text)
{
    size_t bytes;
    char *content = file_text(path, &bytes);
    bool holds = memmem(content, bytes, text, strlen(text)) != NULL;

    free(content);
    return holds;
}

static const char *wanted;
static char wanted_in[1024];

static int
look_for_wanted(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)walk;
    if (kind == FTW_F && file_holds(path, wanted))
        (void)snprintf(wanted_in, sizeof(wanted_in), "%s", path);
    return 0;
}

/* Fails where a file below the directory holds the text. */
static void
expect_in_no_file(const char *directory, const char *text)
{
    wanted = text;
    wanted_in[0] = '\0';
    assert_int_equal(0, nftw(directory, look_for_wanted, 16, FTW_PHYS));
    if (wanted_in[0] != '\0')
        fail_msg("\"%s\" is in %s", text, wanted_in);
}

/* The receipt behind the rows. */
static json_t *
receipt_of(const struct command *command)
{
    const char *at = strstr(command->out, "{\"receipt\":");
    json_error_t error;
    json_t *trailer, *receipt;

    assert_non_null(at);
    trailer = json_loads(at, 0, &error);
    assert_non_null(trailer);
    receipt = json_incref(json_object_get(trailer, "receipt"));
    json_decref(trailer);
    return receipt;
}

static void
question_and_answer_stand_in_the_log_and_hide_what_they_must(void **state)
{
    static const char *const hidden[] = { "RUR7893", "federal.investigator", "FB-2026-0117",
                                          "state line" };
    struct command *command = *state;
    json_t *receipt, *entry;
    char index[24];

    make_demo(command);
    run(command, "search", "--data", "demo", FEDERAL, RUR, WINDOW, "--json", "--receipt", "-",
        NULL);
    expect_exit(command, 0);
    receipt = receipt_of(command);
    assert_string_equal("federal-bureau", text_of(receipt, "log"));
    assert_string_equal("allow", text_of(receipt, "decision"));
    assert_int_equal(3, number_of(receipt, "count"));
    assert_int_equal(1, number_of(receipt, "origins_excluded"));
    assert_int_equal(number_of(receipt, "query_index") + 1, number_of(receipt, "result_index"));
    (void)snprintf(index, sizeof(index), "%d", (int)number_of(receipt, "query_index"));
    json_decref(receipt);
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        expect_in_no_file("demo/audit", hidden[i]);

    run(command, "audit", "open", "--data", "demo", "--person", "federal.auditor", "--index", index,
        "--json", NULL);
    expect_exit(command, 0);
    entry = out_object(command);
    assert_string_equal("query", text_of(entry, "event"));
    assert_string_equal("RUR7893", text_of(json_object_get(entry, "opened"), "plate"));
    assert_string_equal("federal.investigator",
                        text_of(json_object_get(entry, "opened"), "person"));
    assert_string_equal("FB-2026-0117", text_of(json_object_get(entry, "opened"), "case"));
    assert_string_equal("criminal-investigation",
                        text_of(json_object_get(entry, "leaf"), "purpose"));
    json_decref(entry);

    /* Owners are told in their own log what was given out of theirs. */
    run(command, "audit", "search", "--data", "demo", "--person", "plains.auditor", "--event",
        "disclosed", "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(1, count_lines(command->out));
    expect_text(command->out, "\"asker\":\"federal-bureau\"");
}

static void
only_an_agencys_own_auditors_look_and_each_look_is_an_entry(void **state)
{
    struct command *command = *state;
    json_t *looks;

    make_demo(command);
    run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, NULL);
    expect_exit(command, 0);
    run(command, "audit", "search", "--data", "demo", "--person", "plains.investigator", NULL);
    expect_exit(command, 3);
    assert_string_equal("", command->out);
    run(command, "audit", "open", "--data", "demo", "--person", "federal.auditor", "--log",
        "plains-police", "--index", "0", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "may not look at log plains-police");

    run(command, "audit", "search", "--data", "demo", "--person", "plains.auditor", "--plate",
        "rur-7893", "--asker", "plains.investigator", "--case", "26-1042", "--kind", "plate",
        "--from", from_date, "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(1, count_lines(command->out));
    run(command, "audit", "search", "--data", "demo", "--person", "plains.auditor", "--plate",
        "OTHER1", "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(0, count_lines(command->out));
    run(command, "audit", "search", "--data", "demo", "--person", "plains.auditor", "--event",
        "audit-read", "--json", NULL);
    looks = json_lines(command->out);
    assert_true(json_array_size(looks) >= 2);
    assert_string_equal("plains.auditor",
                        text_of(json_object_get(json_array_get(looks, 0), "opened"), "person"));
    json_decref(looks);
}

/* The line of `audit keys --json` for a log; the caller drops it. */
static json_t *
key_of(struct command *command, const char *log)
{
    json_t *keys, *key = NULL;

    run(command, "audit", "keys", "--data", "demo", "--json", NULL);
    expect_exit(command, 0);
    keys = json_lines(command->out);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        if (strcmp(text_of(json_array_get(keys, i), "log"), log) == 0)
            key = json_incref(json_array_get(keys, i));
    }
    json_decref(keys);
    assert_non_null(key);
    return key;
}

static void
keys_name_origin_key_and_public_files(void **state)
{
    struct command *command = *state;
    char path[1200];
    json_t *key;

    make_demo(command);
    run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, NULL);
    key = key_of(command, "plains-police");
    assert_int_equal(0, strncmp(text_of(key, "vkey"), text_of(key, "origin"),
                                strlen(text_of(key, "origin"))));
    assert_int_equal('/', text_of(key, "path")[0]);
    (void)snprintf(path, sizeof(path), "%s/checkpoint", text_of(key, "path"));
    assert_true(file_holds(path, text_of(key, "origin")));
    (void)snprintf(path, sizeof(path), "%s/tile/0", text_of(key, "path"));
    assert_int_equal(0, access(path, R_OK));
    json_decref(key);
}

/* Runs a program of the source tree on the arguments; returns its exit code, or -1 without it. */
static int
run_script(const char *script, const char *a, const char *b, const char *c)
{
    char path[1024];
    int result = -1;
    pid_t child;

    (void)snprintf(path, sizeof(path), "%s/%s", getenv("PB_SOURCE_DIR"), script);
    if (getenv("PB_SOURCE_DIR") == NULL || access(path, X_OK) != 0)
        return -1;
    char *argv[] = { path, strdup(a), strdup(b), c != NULL ? strdup(c) : NULL, NULL };
    posix_spawn_file_actions_t actions;

    assert_int_equal(0, posix_spawn_file_actions_init(&actions));
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&child, path, &actions, NULL, argv, environ) == 0) {
        while (waitpid(child, &result, 0) < 0)
            assert_int_equal(EINTR, errno);
        result = WIFEXITED(result) ? WEXITSTATUS(result) : -2;
        result = result == 127 ? -1 : result;
    }
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 1; i < 4; i++)
        free(argv[i]);
    return result;
}

/* Copies the public files of a log with nothing but the file system. */
static const char *copied_from;

static int
copy_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    char target[1200];
    size_t bytes;
    char *text;

    (void)info;
    (void)walk;
    (void)snprintf(target, sizeof(target), "copy%s", path + strlen(copied_from));
    if (kind == FTW_D)
        return mkdir(target, 0700);
    text = file_text(path, &bytes);
    write_file(target, text, bytes);
    free(text);
    return 0;
}

static void
copied_files_and_proofs_are_checked_by_themselves(void **state)
{
    struct command *command = *state;
    json_t *key, *other;
    const char *vkey;
    size_t bytes;
    char *text, *at;

    make_demo(command);
    run(command, "search", "--data", "demo", FEDERAL, RUR, WINDOW, NULL);
    expect_exit(command, 0);
    run(command, "audit", "prove", "--data", "demo", "--person", "federal.auditor", "--index", "8",
        "--openings", "--out", "proof", NULL);
    expect_exit(command, 0);
    key = key_of(command, "federal-bureau");
    other = key_of(command, "plains-police");
    vkey = text_of(key, "vkey");
    copied_from = text_of(key, "path");
    assert_int_equal(0, nftw(copied_from, copy_one, 16, FTW_PHYS));
    assert_int_equal(0, rename("demo", "gone")); /* nothing but the copies is left */

    run(command, "audit", "verify", "copy", "--vkey", vkey, NULL);
    expect_exit(command, 0);
    expect_text(command->out, "good");
    run(command, "audit", "verify", "copy", "--vkey", text_of(other, "vkey"), NULL);
    expect_exit(command, 1);
    run(command, "audit", "verify-proof", "proof", "--vkey", vkey, NULL);
    expect_exit(command, 0);
    expect_text(command->out, "\"plate\": \"RUR7893\"");
    run(command, "audit", "verify-proof", "proof", "--vkey", text_of(other, "vkey"), NULL);
    expect_exit(command, 1);
    if (run_script("scripts/verify-log", "copy", vkey, NULL) != -1) {
        assert_int_equal(0, run_script("scripts/verify-log", "copy", vkey, NULL));
        assert_int_equal(0, run_script("scripts/verify-log", "--proof", "proof", vkey));
    }

    /* From the copy anybody makes a proof, but without what the entry hides. */
    run(command, "audit", "prove", "copy", "--vkey", vkey, "--index", "9", "--out", "second", NULL);
    expect_exit(command, 0);
    run(command, "audit", "verify-proof", "second", "--vkey", vkey, NULL);
    expect_exit(command, 0);
    expect_no_text(command->out, "RUR7893");
    run(command, "audit", "prove", "copy", "--vkey", vkey, "--index", "1000", NULL);
    expect_exit(command, 1);
    run(command, "audit", "prove", "copy", "--vkey", text_of(other, "vkey"), "--index", "1", NULL);
    expect_exit(command, 1);
    run(command, "audit", "prove", "copy", "--vkey", vkey, "--index", "1", "--openings", NULL);
    expect_exit(command, 2);

    /* A changed word of the leaf proves nothing. */
    text = file_text("proof", &bytes);
    at = strstr(text, "criminal-investigation");
    assert_non_null(at);
    memcpy(at, "traffic-enforcement---", 22);
    write_file("proof", text, bytes);
    free(text);
    run(command, "audit", "verify-proof", "proof", "--vkey", vkey, NULL);
    expect_exit(command, 1);
    assert_string_equal("", command->out);

    /* Nor does a log without its last entry, or with an older one changed. */
    text = file_text("copy/checkpoint", &bytes);
    at = strchr(text, '\n') + 1;
    *at = *at == '9' ? '8' : (char)(*at + 1);
    write_file("copy/checkpoint", text, bytes);
    free(text);
    run(command, "audit", "verify", "copy", "--vkey", vkey, NULL);
    expect_exit(command, 1);
    json_decref(key);
    json_decref(other);
}

static void
a_log_that_was_rewritten_does_not_extend_an_older_checkpoint(void **state)
{
    struct command *command = *state;
    json_t *key;
    size_t bytes;
    char *text;

    make_demo(command);
    run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, NULL);
    text = file_text("demo/audit/public/plains-police/checkpoint", &bytes);
    write_file("kept", text, bytes);
    free(text);
    run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, NULL);
    key = key_of(command, "plains-police");
    run(command, "audit", "verify", text_of(key, "path"), "--vkey", text_of(key, "vkey"),
        "--old-checkpoint", "kept", NULL);
    expect_exit(command, 0);
    json_decref(key);
    key = key_of(command, "operator");
    run(command, "audit", "verify", text_of(key, "path"), "--vkey", text_of(key, "vkey"),
        "--old-checkpoint", "kept", NULL);
    expect_exit(command, 1);
    json_decref(key);
}

static void
explaining_asks_nothing(void **state)
{
    struct command *command = *state;
    json_t *decision;

    make_demo(command);
    run(command, "policy", "explain", "--data", "demo", FEDERAL, RUR, WINDOW, "--json", NULL);
    expect_exit(command, 0);
    decision = out_object(command);
    assert_string_equal("allow", text_of(decision, "decision"));
    assert_int_equal(1, number_of(decision, "origins_excluded"));
    json_decref(decision);
    run(command, "policy", "explain", "--data", "demo", "--person", "federal.investigator", NULL);
    expect_exit(command, 3);
    expect_text(command->out, "it looks at --case");
    expect_text(command->out, "it looks at --purpose");
    run(command, "audit", "search", "--data", "demo", "--person", "federal.auditor", "--event",
        "query", "--json", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
}

/* ---- brakes and second persons ---- */

static void
a_large_answer_is_confirmed_first(void **state)
{
    struct command *command = *state;
    json_t *held;
    char *token;
    FILE *file;

    make_site(command, "site");
    file = fopen("many.csv", "wb");
    assert_non_null(file);
    fputs("captured_at,plate,reader\n", file);
    for (int i = 0; i < 10000; i++)
        fprintf(file, "2026-01-02T%02d:%02d:%02dZ,AB123CD,gate-1\n", i / 3600, i / 60 % 60, i % 60);
    assert_int_equal(0, fclose(file));
    run(command, "import", "--data", "site", "--quiet", "many.csv", NULL);
    expect_exit(command, 0);

    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--limit", "0", "--json", NULL);
    expect_exit(command, 4);
    held = out_object(command);
    token = strdup(text_of(held, "token"));
    assert_true(strlen(token) > 0);
    assert_int_equal(10000, number_of(held, "count"));
    json_decref(held);
    expect_text(command->err, "platebase-base.brake");
    expect_text(command->err, "--confirm ");
    expect_text(command->err, "'a bicycle was taken from the north gate'");

    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--limit", "0", "--json", "--confirm", token, NULL);
    expect_exit(command, 0);
    assert_int_equal(5000, count_lines(command->out));
    expect_text(command->err, "these are the newest");
    /* It stands for just that inquiry. */
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2025-12-31",
        "--to", "2026-02-01", "--limit", "0", "--json", "--confirm", token, NULL);
    assert_int_not_equal(0, command->exit_code);
    free(token);
}

static void
a_second_person_approves_once(void **state)
{
    struct command *command = *state;
    json_t *held;
    char *token;

    make_demo(command);
    run(command, "search", "--data", "demo", PLAINS, "--relation", "associate", RUR, WINDOW,
        "--json", NULL);
    expect_exit(command, 4);
    expect_text(command->err, "platebase approve --data demo");
    held = out_object(command);
    token = strdup(text_of(held, "token"));
    json_decref(held);

    run(command, "approve", "--data", "demo", "--person", "plains.investigator", "--why",
        "I say so myself", token, NULL);
    expect_exit(command, 3);
    run(command, "search", "--data", "demo", PLAINS, "--relation", "associate", RUR, WINDOW,
        "--json", "--approval", token, NULL);
    expect_exit(command, 4);

    run(command, "approve", "--data", "demo", "--person", "plains.supervisor", "--show", token,
        NULL);
    expect_exit(command, 0);
    expect_text(command->out, "RUR7893");
    run(command, "approve", "--data", "demo", "--person", "plains.supervisor", token, NULL);
    expect_exit(command, 2);
    expect_text(command->err, "--why is missing");
    run(command, "approve", "--data", "demo", "--person", "plains.supervisor", "--why",
        "the file says that they met", token, NULL);
    expect_exit(command, 0);
    run(command, "search", "--data", "demo", PLAINS, "--relation", "associate", RUR, WINDOW,
        "--json", "--approval", token, NULL);
    expect_exit(command, 0);
    assert_int_equal(3, count_lines(command->out));
    run(command, "search", "--data", "demo", PLAINS, "--relation", "associate", RUR, WINDOW,
        "--json", "--approval", token, NULL);
    assert_int_not_equal(0, command->exit_code); /* once */
    free(token);
}

/* ---- exports ---- */

static void
an_export_is_marked_recorded_and_safe_for_spreadsheets(void **state)
{
    struct command *command = *state;
    struct stat info;
    char *text;

    make_site(command, "site");
    write_text("a.csv",
               "captured_at,plate,reader,make\n2026-01-05T08:00:00Z,AB123CD,gate-1,=1+1\n");
    run(command, "import", "--data", "site", "a.csv", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--export", "out.csv", "--recipient", "site", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
    expect_text(command->err, "exported to out.csv");
    text = file_text("out.csv", NULL);
    expect_text(text, ",agency,watermark\n");
    expect_text(text, "'=1+1");
    expect_no_text(text, ",=1+1");
    free(text);
    assert_int_equal(0, stat("out.csv", &info));
    assert_int_equal(0600, info.st_mode & 0777);
    run(command, "audit", "review", "disclosures", "--data", "site", "--person", "operator",
        "--json", NULL);
    expect_exit(command, 0);
    assert_int_equal(1, count_lines(command->out));

    /* Never over another file, and nothing is asked then. */
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--export", "out.csv", "--recipient", "site", NULL);
    expect_exit(command, 1);
    /* What is refused leaves no file. */
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--export", "new.csv", "--recipient", "nobody-known", NULL);
    expect_exit(command, 3);
    assert_int_equal(-1, access("new.csv", F_OK));
}

static void
hostile_words_of_a_reason_stay_words(void **state)
{
    static const char *const reasons[] = {
        "=HYPERLINK(\"x\") the gate was open",     "the \x1b[31mgate\x1b[0m was open at night",
        "the gate \xE2\x80\xAE was open at night", "the gate, \"open\"\r\nsecond line",
        "the gate \xff\xfe was open at night",
    };
    struct command *command = *state;
    char *long_reason = malloc(10241);
    char *text;

    assert_non_null(long_reason);
    memset(long_reason, 'a', 10240);
    for (size_t i = 50; i < 10240; i += 7)
        long_reason[i] = ' ';
    long_reason[10240] = '\0';
    make_site(command, "site");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        run(command, "search", "--data", "site", "--person", "operator", "--purpose",
            "site-security", "--why", reasons[i], "--plate", "AB123CD", "--from", "2026-01-01",
            "--to", "2026-02-01", NULL);
        assert_in_range(command->exit_code, 0, 4);
        expect_no_text(command->err, "\x1b");
    }
    run(command, "search", "--data", "site", "--person", "operator", "--purpose", "site-security",
        "--why", long_reason, "--plate", "AB123CD", "--from", "2026-01-01", "--to", "2026-02-01",
        NULL);
    assert_int_not_equal(0, command->exit_code);
    assert_string_equal("", command->out);
    free(long_reason);

    run(command, "audit", "export", "--data", "site", "--person", "operator", "log.csv", NULL);
    expect_exit(command, 0);
    text = file_text("log.csv", NULL);
    expect_text(text, "\"'=HYPERLINK(\"\"x\"\") the gate was open\"");
    expect_no_text(text, "\x1b");
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strncmp(line, "log,", 4) == 0 || strncmp(line, "site,", 5) == 0);
    free(text);
    run(command, "audit", "search", "--data", "site", "--person", "operator", "--limit", "0", NULL);
    expect_exit(command, 0);
    expect_no_text(command->out, "\x1b");
    expect_no_text(command->out, "\xE2\x80\xAE");
    run(command, "audit", "search", "--data", "site", "--person", "operator", "--limit", "0",
        "--json", NULL);
    expect_exit(command, 0);
    json_decref(json_lines(command->out));
}

/* ---- keeping ---- */

static void
what_may_live_for_minutes_is_written_nowhere(void **state)
{
    struct command *command = *state;
    json_t *summary;

    run(command, "init", "--class", "local", "--jurisdiction", "US-NH", "--quiet", "site", NULL);
    expect_exit(command, 0);
    write_text("a.csv", "captured_at,plate,reader\n2026-01-05T08:00:00Z,NHPLATE1,gate-1\n"
                        "2026-01-05T08:00:00Z,NHPLATE2,gate-1\n");
    run(command, "import", "--data", "site", "a.csv", NULL);
    expect_exit(command, 0);
    expect_counts(command, 0, 0, 0, 0);
    summary = out_object(command);
    assert_int_equal(2, number_of(summary, "not_kept"));
    assert_int_equal(0, number_of(summary, "expired"));
    assert_int_equal(1, number_of(summary, "readers_added"));
    assert_null(json_object_get(summary, "reject_file"));
    json_decref(summary);
    /* Nor is a line that could not be read: where and why is all that is kept of it. */
    write_text("b.csv", "captured_at,plate,reader\nyesterday,NHPLATE3,gate-1\n");
    run(command, "import", "--data", "site", "b.csv", NULL);
    expect_counts(command, 0, 0, 0, 1);
    expect_text(command->err, "b.csv:2: captured_at");
    expect_no_text(command->err, "NHPLATE");
    expect_in_no_file("site", "NHPLATE");
}

static void
reads_live_as_long_as_their_owner_says_and_leave_a_receipt(void **state)
{
    struct command *command = *state;
    char now[32], csv[256];
    json_t *summary;
    time_t at = time(NULL) - 60;
    struct tm parts;

    run(command, "init", "--retention-days", "1", "--quiet", "site", NULL);
    expect_exit(command, 0);
    assert_non_null(gmtime_r(&at, &parts));
    assert_true(strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
    (void)snprintf(csv, sizeof(csv),
                   "captured_at,plate,reader\n%s,AB123CD,gate-1\n"
                   "2026-01-05T08:00:00Z,AB124CD,gate-1\n",
                   now);
    write_text("a.csv", csv);
    run(command, "import", "--data", "site", "a.csv", NULL);
    expect_counts(command, 1, 0, 0, 0);
    summary = out_object(command);
    assert_int_equal(1, number_of(summary, "expired"));
    json_decref(summary);

    run(command, "erase", "--data", "site", "--why", "court order 17", "--plate", "AB123CD",
        "--from", "2020-01-01", "--to", "2190-01-01", "--yes", "--json", NULL);
    expect_exit(command, 0);
    run(command, "purge", "--data", "site", "--json", NULL);
    expect_exit(command, 0);
    summary = out_object(command);
    assert_int_equal(1, number_of(summary, "reads_removed"));
    assert_int_equal(1, json_array_size(json_object_get(summary, "receipt")));
    assert_string_equal("site",
                        text_of(json_array_get(json_object_get(summary, "receipt"), 0), "agency"));
    json_decref(summary);
    run(command, "audit", "search", "--data", "site", "--event", "erase", "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "court order 17");
    run(command, "audit", "search", "--data", "site", "--event", "purge", "--json", NULL);
    assert_int_equal(1, count_lines(command->out));
}

/* ---- corrections, rules, reviews ---- */

static void
a_corrected_read_is_found_as_what_it_is(void **state)
{
    struct command *command = *state;

    make_site(command, "site");
    write_text("a.csv", "captured_at,plate,reader\n2026-01-05T08:00:00Z,AB123CD,gate-1\n");
    run(command, "import", "--data", "site", "a.csv", NULL);
    run(command, "correct", "--data", "site", "--person", "operator", "--why",
        "the picture shows an 8", "--reader", "gate-1", "--captured-at", "2026-01-05T08:00:00Z",
        "--wrong-plate", "AB123CD", "--plate", "A8123CD", NULL);
    expect_exit(command, 0);
    run(command, "search", WHO, "--data", "site", "--plate", "A8123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "corrected");
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", "--from", "2026-01-01",
        "--to", "2026-02-01", "--no-alternates", "--json", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
    run(command, "correct", "--data", "site", "--person", "operator", "--why",
        "the picture shows an 8", "--reader", "gate-1", "--captured-at", "2026-01-06T08:00:00Z",
        "--wrong-plate", "AB123CD", "--plate", "A8123CD", NULL);
    expect_exit(command, 1); /* no such read */
}

static void
rules_are_listed_shown_and_added(void **state)
{
    struct command *command = *state;
    json_t *packs;
    bool has_unverified = false;

    make_site(command, "site");
    run(command, "rules", "list", "--data", "site", "--json", NULL);
    expect_exit(command, 0);
    packs = json_lines(command->out);
    assert_true(json_array_size(packs) > 20);
    for (size_t i = 0; i < json_array_size(packs); i++) {
        const json_t *pack = json_array_get(packs, i);

        assert_int_equal(64, strlen(text_of(pack, "sha256")));
        assert_true(number_of(pack, "version") >= 1);
        has_unverified = has_unverified || number_of(pack, "unverified") > 0;
    }
    json_decref(packs);
    assert_true(has_unverified);
    run(command, "rules", "list", "--data", "site", NULL);
    expect_text(command->out, "private-site");
    run(command, "rules", "show", "--data", "site", "us-il", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "pack: us-il");
    run(command, "rules", "show", "--data", "site", "us-xx", NULL);
    expect_exit(command, 1);

    write_text("bad.yaml", "pack: my-city\nversion: 1\ntitle: T\nvalid_from: 2026-01-01\n"
                           "binds: asker\nrules:\n  - { id: my-city.x, kind: nonsense }\n");
    run(command, "rules", "add", "--data", "site", "bad.yaml", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "line ");
    write_text("my-city.yaml", "pack: my-city\nversion: 1\ntitle: T\nvalid_from: 2026-01-01\n"
                               "binds: asker\nrules:\n"
                               "  - { id: my-city.x, text: T, source: S, verified: true, "
                               "kind: fields_required, fields: [case] }\n");
    run(command, "rules", "add", "--data", "site", "my-city.yaml", NULL);
    expect_exit(command, 0);
    run(command, "rules", "show", "--data", "site", "my-city", NULL);
    expect_exit(command, 0);
    run(command, "audit", "search", "--data", "site", "--event", "change", "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "my-city");
}

static void
auditors_draw_look_and_close(void **state)
{
    struct command *command = *state;
    json_t *items;
    char *item;

    make_demo(command);
    for (int i = 0; i < 3; i++) {
        run(command, "search", "--data", "demo", PLAINS, RUR, WINDOW, "--quiet", NULL);
        expect_exit(command, 0);
    }
    run(command, "audit", "review", "sample", "--data", "demo", "--person", "plains.auditor",
        "--from", from_date, "--to", to_date, "--count", "2", "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "{\"drawn\":2}");
    run(command, "audit", "review", "list", "--data", "demo", "--person", "plains.auditor",
        "--json", NULL);
    expect_exit(command, 0);
    items = json_lines(command->out);
    assert_int_equal(2, json_array_size(items));
    item = strdup(text_of(json_array_get(items, 0), "item"));
    json_decref(items);
    run(command, "audit", "review", "finish", "--data", "demo", "--person", "plains.auditor", NULL);
    expect_exit(command, 1); /* two are open */
    run(command, "audit", "review", "close", "--data", "demo", "--person", "plains.auditor",
        "--finding", "fits the case file", item, NULL);
    expect_exit(command, 0);
    run(command, "audit", "review", "close", "--data", "demo", "--person", "plains.auditor",
        "--finding", "fits the case file", item, NULL);
    expect_exit(command, 1);
    run(command, "audit", "review", "list", "--data", "demo", "--person", "plains.auditor",
        "--json", NULL);
    assert_int_equal(1, count_lines(command->out));
    run(command, "audit", "review", "list", "--data", "demo", "--person", "plains.investigator",
        NULL);
    expect_exit(command, 3);
    free(item);
}

/* What a demonstration directory answers about the middle of the town; the caller frees it. */
static char *
reads_of_demo(struct command *command, const char *directory)
{
    run(command, "near", "--data", directory, PLAINS, "--step-up", "--lat", "38.64", "--lon",
        "-98.31", "--radius-m", "1500", WINDOW, "--limit", "0", "--format", "csv", NULL);
    expect_exit(command, 0);
    return strdup(command->out);
}

static void
the_demonstration_is_the_same_but_for_keys(void **state)
{
    struct command *command = *state;
    char *first, *second;

    make_demo(command);
    run(command, "demo", "--quiet", "again", NULL);
    expect_exit(command, 0);
    write_date(from_date, time(NULL) - 3 * 86400);
    write_date(to_date, time(NULL) - 1 * 86400);
    first = reads_of_demo(command, "demo");
    second = reads_of_demo(command, "again");
    assert_true(count_lines(first) > 100);
    assert_string_equal(first, second);
    free(first);
    free(second);
    run(command, "verify", "--data", "demo", NULL);
    expect_exit(command, 0);
    run(command, "demo", "demo", NULL);
    expect_exit(command, 1); /* never over another one */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_missing_word_of_a_question_is_named),
        CASE(a_case_that_a_rule_demands_is_named),
        CASE(a_new_site_without_readers_answers_that_it_found_nothing),
        CASE(a_forbidden_purpose_is_refused_with_the_rule_and_its_source),
        CASE(a_rule_that_nobody_verified_says_so),
        CASE(nobody_asks_who_is_not_in_the_directory),
        CASE(each_sees_what_law_and_agreement_let_them),
        CASE(common_plates_and_associates_come_with_counts),
        CASE(question_and_answer_stand_in_the_log_and_hide_what_they_must),
        CASE(only_an_agencys_own_auditors_look_and_each_look_is_an_entry),
        CASE(keys_name_origin_key_and_public_files),
        CASE(copied_files_and_proofs_are_checked_by_themselves),
        CASE(a_log_that_was_rewritten_does_not_extend_an_older_checkpoint),
        CASE(explaining_asks_nothing),
        CASE(a_large_answer_is_confirmed_first),
        CASE(a_second_person_approves_once),
        CASE(an_export_is_marked_recorded_and_safe_for_spreadsheets),
        CASE(hostile_words_of_a_reason_stay_words),
        CASE(what_may_live_for_minutes_is_written_nowhere),
        CASE(reads_live_as_long_as_their_owner_says_and_leave_a_receipt),
        CASE(a_corrected_read_is_found_as_what_it_is),
        CASE(rules_are_listed_shown_and_added),
        CASE(auditors_draw_look_and_close),
        CASE(the_demonstration_is_the_same_but_for_keys),
    };

    return cmocka_run_group_tests_name("governed", tests, NULL, NULL);
}
