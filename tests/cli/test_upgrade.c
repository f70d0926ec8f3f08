/*
 * The command line: data directories of earlier versions, and of later ones.
 *
 * tests/data/site-0.1.0.tar.gz was made by version 0.1.0 and is never made anew: init, 400 invented
 * reads imported and merged, four more imported, one of them erased, a token, a search
 * (site-0.1.0.expected is what it printed). Its keys sign nothing else. A stored format that
 * changes gets a directory of its own beside it. Its reads are kept until 2031.
 */
#include "cli/command.h"

#include <sqlite3.h>

static void
unpack(struct command *command, const char *archive)
{
    char path[1024];
    char *arguments[] = { strdup("tar"), strdup("-xzf"), path, strdup("--no-same-owner"), NULL };
    pid_t child = 0;
    int result = 0;

    (void)command;
    (void)snprintf(path, sizeof(path), "%s/tests/data/%s", getenv("PB_SOURCE_DIR"), archive);
    assert_int_equal(0, posix_spawnp(&child, "tar", NULL, NULL, arguments, environ));
    assert_int_equal(child, waitpid(child, &result, 0));
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    free(arguments[0]);
    free(arguments[1]);
    free(arguments[3]);
}

static char *
expected(const char *name)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/tests/data/%s", getenv("PB_SOURCE_DIR"), name);
    return file_text(path, NULL);
}

#define ASKING                                                                                 \
    "--person", "operator", "--purpose", "site-security", "--why",                             \
        "a bicycle was taken from the north gate", "--plate", "AB12*", "--from", "2026-11-01", \
        "--to", "2026-11-24", "--json"

static void
what_0_1_0_wrote_is_verified_asked_and_written_on(void **state)
{
    struct command *command = *state;
    char *wanted = expected("site-0.1.0.expected");

    unpack(command, "site-0.1.0.tar.gz");
    /* A newer catalog is made by the first command that may write, so this one comes first. */
    run(command, "search", "--data", "old", ASKING, NULL);
    expect_exit(command, 0);
    assert_string_equal(wanted, command->out);
    run(command, "verify", "--data", "old", NULL);
    expect_exit(command, 0);
    run(command, "audit", "verify", "--data", "old", NULL);
    expect_exit(command, 0);
    run(command, "audit", "search", "--data", "old", "--person", "operator", "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "\"operator\"");
    run(command, "token", "list", "--data", "old", NULL);
    expect_text(command->out, "the north gate");

    /* What was erased stays so, what is there is known again, and what is new is stored. */
    write_text("more.ndjson", "{\"plate\":\"AB125CD\",\"captured_at\":\"2026-11-21T10:00:00Z\","
                              "\"reader\":\"gate-2\"}\n"
                              "{\"plate\":\"ZZ999\",\"captured_at\":\"2026-11-21T09:00:00+01:00\","
                              "\"reader\":\"gate-2\",\"heading\":90}\n"
                              "{\"plate\":\"AB126CD\",\"captured_at\":\"2026-11-21T11:00:00Z\","
                              "\"reader\":\"gate-2\"}\n");
    run(command, "import", "--data", "old", "--json", "more.ndjson", NULL);
    expect_text(command->out, "\"stored\":1,\"duplicate\":1,");
    run(command, "merge", "--data", "old", NULL);
    expect_exit(command, 0);
    run(command, "stats", "--data", "old", "--json", NULL);
    expect_text(command->out, "{\"reads\":404,");
    run(command, "verify", "--data", "old", NULL);
    expect_exit(command, 0);
    free(wanted);
}

static void
what_0_1_0_wrote_is_backed_up_and_restored(void **state)
{
    struct command *command = *state;
    char *wanted = expected("site-0.1.0.expected");

    unpack(command, "site-0.1.0.tar.gz");
    run(command, "backup", "--data", "old", "copy", NULL);
    expect_exit(command, 0);
    run(command, "restore", "copy", "new", NULL);
    expect_exit(command, 0);
    run(command, "verify", "--data", "new", NULL);
    expect_exit(command, 0);
    run(command, "search", "--data", "old", ASKING, NULL);
    expect_exit(command, 0);
    assert_string_equal(wanted, command->out);
    free(wanted);
}

static void
set_catalog_version(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(SQLITE_OK, sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
}

/* Nothing of it is touched: whoever goes back to the newer version finds all as it was. */
static void
what_a_later_version_wrote_is_refused_by_name(void **state)
{
    struct command *command = *state;

    make_site(command, "site");
    write_text("site/SITE", "platebase-site 2\n");
    run(command, "search", "--data", "site", ASKING, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "a later version of Platebase");
    expect_text(command->err, "format 2");
    run(command, "serve", "--data", "site", "--listen", "127.0.0.1:0", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "a later version of Platebase");
    write_text("site/SITE", "something else\n");
    run(command, "search", "--data", "site", ASKING, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "is no Platebase data directory");

    write_text("site/SITE", "platebase-site 1\n");
    set_catalog_version("site/catalog.db", "PRAGMA user_version = 9999");
    run(command, "search", "--data", "site", ASKING, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "the catalog is of version 9999; this program knows up to ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
        CASE(what_0_1_0_wrote_is_verified_asked_and_written_on),
        CASE(what_0_1_0_wrote_is_backed_up_and_restored),
        CASE(what_a_later_version_wrote_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
