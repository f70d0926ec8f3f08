/*
 * Drills: what an operator does on the day when the machine is gone.
 *
 * A service that runs is backed up, the backup restored elsewhere with keys that came by another
 * way, served there and asked: the answers are the same. Where the logs went on meanwhile, they do
 * not go on from the backup, too.
 */
#include "cli/running.h"

struct drill {
    struct command *command;
    char reads_token[64], ask_token[64];
    char backup[256]; /* the path of the newest one */
};

static const char question[] = "{\"plate\":\"DR111LL\",\"purpose\":\"site-security\","
                               "\"justification\":\"a bicycle was taken from the north gate\","
                               "\"from\":\"2026-11-01T00:00:00Z\",\"to\":\"2026-11-24T00:00:00Z\"}";

static void
keep_token(struct command *command, char ret_token[64])
{
    expect_exit(command, 0);
    (void)snprintf(ret_token, 64, "%.59s", command->out);
}

/* A data directory with tokens, and a configuration for it. */
static void
begin(struct drill *drill, struct command *command)
{
    memset(drill, 0, sizeof(*drill));
    drill->command = command;
    make_site(command, "site");
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads", NULL);
    keep_token(command, drill->reads_token);
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "ask", "--person",
        "operator", NULL);
    keep_token(command, drill->ask_token);
    write_text("site.yaml", "data: site\nlisten: 127.0.0.1:0\nmode: write\nbackups: backups\n");
}

static void
serve_it(struct running *running, const char *data)
{
    const char *const arguments[] = { "serve", "--config", "site.yaml", "--data", data, NULL };

    start_service(running, arguments);
}

static void
send_reads(const struct drill *drill, const struct running *running, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char read[256], *reply;

        (void)snprintf(read, sizeof(read),
                       "{\"plate\":\"DR111LL\",\"captured_at\":\"2026-11-02T00:00:%02uZ\","
                       "\"reader\":\"gate-1\"}",
                       i);
        reply = post(running, "/v1/reads", drill->reads_token, read);
        expect_text(reply, "\"statuses\":[\"stored\"]");
        free(reply);
    }
}

/* The rows of the answer, as text that can be compared; the caller frees it. */
static char *
ask(const struct drill *drill, const struct running *running)
{
    char *reply = post(running, "/v1/inquiries", drill->ask_token, question), *text;
    const char *body = strstr(reply, "\r\n\r\n");
    json_t *answer;

    if (strncmp(reply, "HTTP/1.1 200 ", 13) != 0)
        fail_msg("no answer, but: %s", reply);
    answer = json_loads(body + 4, 0, NULL);
    assert_true(json_is_array(json_object_get(answer, "rows")));
    text = json_dumps(json_object_get(answer, "rows"), JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(answer);
    free(reply);
    return text;
}

static void
expect_answer(const struct drill *drill, const struct running *running, const char *wanted)
{
    char *answer = ask(drill, running);

    assert_string_equal(wanted, answer);
    free(answer);
}

/* As cron would: a signal, and the log says how it went. */
static void
back_up(struct drill *drill, struct running *running)
{
    const char *path;

    assert_int_equal(0, kill(running->child, SIGUSR1));
    if (!read_until(running, "platebase: backup made in ") || !read_until(running, "Z\n"))
        fail_msg("no backup was made: %s", running->text);
    expect_text(running->text, "\"event\":\"backup\",\"status\":\"ok\"");
    path = strstr(running->text, "backup made in ") + strlen("backup made in ");
    (void)snprintf(drill->backup, sizeof(drill->backup), "%.*s", (int)strcspn(path, "\n"), path);
}

static void
copy_keys(const char *from, const char *to)
{
    char *arguments[] = { strdup("cp"), strdup("-a"), strdup(from), strdup(to), NULL };
    pid_t child = 0;
    int result = 0;

    assert_int_equal(0, posix_spawnp(&child, "cp", NULL, NULL, arguments, environ));
    assert_int_equal(child, waitpid(child, &result, 0));
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    for (unsigned i = 0; i < 4; i++)
        free(arguments[i]);
}

static void
a_running_service_is_backed_up_and_restored_elsewhere(void **state)
{
    struct running running;
    struct drill drill;
    char *before, *reply;

    begin(&drill, *state);
    serve_it(&running, "site");
    send_reads(&drill, &running, 0, 5);
    before = ask(&drill, &running);
    expect_text(before, "DR111LL");
    back_up(&drill, &running);
    copy_keys("site/keys", "keys-elsewhere");
    /* The machine burns: nothing is closed in order. */
    assert_int_equal(0, kill(running.child, SIGKILL));
    (void)waitpid(running.child, NULL, 0);
    (void)close(running.said);

    run(drill.command, "restore", "--keys", "keys-elsewhere", drill.backup, "elsewhere", NULL);
    expect_exit(drill.command, 0);
    run(drill.command, "verify", "--data", "elsewhere", NULL);
    expect_exit(drill.command, 0);
    serve_it(&running, "elsewhere");
    expect_answer(&drill, &running, before);
    /* Tokens came with the catalog, and reads go on being stored once. */
    reply = post(&running, "/v1/reads", drill.reads_token,
                 "{\"plate\":\"DR111LL\",\"captured_at\":\"2026-11-02T00:00:00Z\","
                 "\"reader\":\"gate-1\"}");
    expect_text(reply, "\"statuses\":[\"duplicate\"]");
    free(reply);
    send_reads(&drill, &running, 5, 1);
    end_service(&running, SIGTERM);
    run(drill.command, "audit", "verify", "--data", "elsewhere", NULL);
    expect_exit(drill.command, 0);
    run(drill.command, "verify", "--data", "elsewhere", NULL);
    expect_exit(drill.command, 0);
    free(before);
}

static void
a_backup_of_before_does_not_fork_logs_that_went_on(void **state)
{
    const char *const arguments[] = {
        "serve", "--config", "site.yaml", "--data", "elsewhere", NULL
    };
    struct running running;
    struct drill drill;
    char *answer;

    begin(&drill, *state);
    serve_it(&running, "site");
    send_reads(&drill, &running, 0, 2);
    back_up(&drill, &running);
    /* Somebody was answered after it, and the checkpoint that holds the answer was given out. */
    answer = ask(&drill, &running);
    free(answer);
    end_service(&running, SIGTERM);

    run(drill.command, "restore", "--keys", "site/keys", drill.backup, "elsewhere", NULL);
    expect_exit(drill.command, 1);
    expect_text(drill.command->err, "given out");
    wait_for(drill.command, start_with(NULL, -1, -1, -1, arguments));
    expect_exit(drill.command, 1);
    expect_text(drill.command->err, "given out");
    /* What went on is still there, and goes on. */
    serve_it(&running, "site");
    answer = ask(&drill, &running);
    free(answer);
    end_service(&running, SIGTERM);
}

static void
a_backup_that_cannot_be_made_is_told_and_stops_nothing(void **state)
{
    struct running running;
    struct drill drill;
    char *answer;

    begin(&drill, *state);
    write_text("backups", "a file where the directory should be\n");
    serve_it(&running, "site");
    assert_int_equal(0, kill(running.child, SIGUSR1));
    assert_true(read_until(&running, "\"event\":\"backup\",\"status\":\"input/output error\""));
    send_reads(&drill, &running, 0, 1);
    answer = ask(&drill, &running);
    free(answer);
    end_service(&running, SIGTERM);

    write_text("site.yaml", "data: site\nlisten: 127.0.0.1:0\nmode: write\n");
    serve_it(&running, "site");
    assert_int_equal(0, kill(running.child, SIGUSR1));
    assert_true(read_until(&running, "names no directory for backups"));
    end_service(&running, SIGTERM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
        CASE(a_running_service_is_backed_up_and_restored_elsewhere),
        CASE(a_backup_of_before_does_not_fork_logs_that_went_on),
        CASE(a_backup_that_cannot_be_made_is_told_and_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
