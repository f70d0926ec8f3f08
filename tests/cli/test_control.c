/*
 * The way in for the operator while a service runs: commands about accounts are done by it, for who
 * owns the data directory and for nobody else.
 */
#include "cli/running.h"

#include <sys/un.h>

#include "cli/control.h"
#include "support/fault_env.h"

static const char *const asking[] = { "serve", "--data",   "site",        "--mode",
                                      "ask",   "--listen", "127.0.0.1:0", NULL };

/* A site with two administrators, neither of whom has an account. */
static void
make_agency(struct command *command)
{
    static const char people[] =
        "people:\n"
        "  - { id: adm, agency: police, name: A. Dmin, role: administrator, status: active,"
        " training_valid_until: 2030-01-01 }\n"
        "  - { id: sup, agency: police, name: S. Uper, role: supervisor, status: active,"
        " training_valid_until: 2030-01-01 }\n";

    run(command, "init", "site", "--quiet", "--agency", "police", "--class", "local",
        "--jurisdiction", "US-KS", "--person", "first", "--training-valid-until", "2030-01-01",
        NULL);
    expect_exit(command, 0);
    write_text("people.yaml", people);
    run(command, "catalog", "import", "--data", "site", "people.yaml", NULL);
    expect_exit(command, 0);
}

static void
let_in(struct command *command)
{
    run(command, "account", "add", "--data", "site", "adm", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "asked for");
    run(command, "account", "approve", "--data", "site", "--by", "sup", "adm", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "approved");
}

/* The reply to a request that shows a link's code. */
static char *
follow(const struct running *running, const char *link)
{
    char *splash = get(running, "/v1/session/splash"), *sha256 = strstr(splash, "\"sha256\":\"");
    const char *code = strstr(link, "?code=");
    char body[256];

    assert_non_null(sha256);
    assert_non_null(code);
    (void)snprintf(body, sizeof(body), "{\"code\":\"%.*s\",\"consent\":\"%.64s\"}",
                   (int)strcspn(code + 6, "\n"), code + 6, sha256 + 10);
    free(splash);
    return post(running, "/v1/session", "none", body);
}

static void
an_agency_is_let_in_while_the_service_runs(void **state)
{
    struct command *command = *state;
    struct running running;
    char *reply;

    make_agency(command);
    start_service(&running, asking);
    let_in(command);
    run(command, "account", "link", "--data", "site", "--origin", "http://127.0.0.1", "adm", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "http://127.0.0.1/sign-in?code=");
    expect_text(command->err, "this works once");
    expect_no_text(running.text, "adm");
    reply = follow(&running, command->out);
    expect_text(reply, "HTTP/1.1 201 ");
    free(reply);
    run(command, "account", "unlock", "--data", "site", "adm", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "are forgotten");
    run(command, "account", "disable", "--data", "site", "--why", "left", "adm", NULL);
    expect_exit(command, 0);
    run(command, "account", "show", "--data", "site", "--json", "adm", NULL);
    expect_text(command->out, "\"state\":\"disabled\"");
    end_service(&running, SIGTERM);
    /* Of the log the operator learns that it was done, and no more. */
    expect_text(running.text, "\"event\":\"order\",\"status\":\"ok\"");
    expect_no_text(running.text, "adm");
    assert_int_not_equal(0, access("site/control", F_OK));
    /* It is on record as the same command's is. */
    run(command, "audit", "verify", "--data", "site", NULL);
    expect_exit(command, 0);
}

/* Their training is over, which the catalog says. */
static void
people_whom_the_catalog_keeps_out_are_let_in_while_the_service_runs(void **state)
{
    struct command *command = *state;
    struct running running;
    char *reply;

    make_agency(command);
    let_in(command);
    run(command, "person", "change", "--data", "site", "--training-valid-until", "2020-01-01",
        "adm", NULL);
    expect_exit(command, 0);
    start_service(&running, asking);
    run(command, "person", "change", "--data", "site", "--training-valid-until", "2030-01-01",
        "--clear", "permissions", "adm", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "person adm changed");
    run(command, "person", "show", "--data", "site", "adm", NULL);
    expect_text(command->out, "2030-01-01");
    run(command, "person", "change", "--data", "site", "--status", "asleep", "adm", NULL);
    expect_exit(command, 2);
    run(command, "person", "change", "--data", "site", "--person", "sup", "--name", "x", "adm",
        NULL);
    expect_exit(command, 3);
    expect_text(command->err, "may not");
    run(command, "person", "change", "--data", "site", "--name", "two\nlines", "adm", NULL);
    expect_exit(command, 2);
    run(command, "account", "link", "--data", "site", "adm", NULL);
    expect_exit(command, 0);
    reply = follow(&running, command->out);
    expect_text(reply, "HTTP/1.1 201 ");
    free(reply);
    end_service(&running, SIGTERM);
    run(command, "audit", "verify", "--data", "site", NULL);
    expect_exit(command, 0);
}

static void
what_is_refused_is_said_as_without_a_service(void **state)
{
    static const struct {
        const char *words[10];
        const char *says;
    } cases[] = {
        { { "account", "link", "--data", "site", "adm" }, "adm has no account" },
        { { "account", "add", "--data", "site", "nobody" }, "the catalog has nobody of that id" },
        { { "account", "approve", "--data", "site", "--by", "adm", "adm" }, "adm has no account" },
        { { "account", "disable", "--data", "site", "--why", "a\nb", "adm" }, "plain text" },
        { { "account", "link", "--data", "site", "--by", "sup", "first" }, "first has no account" },
    };
    struct command *command = *state;
    struct running running;

    make_agency(command);
    start_service(&running, asking);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, cases[i].words));
        expect_exit(command, 1);
        expect_text(command->err, cases[i].says);
    }
    end_service(&running, SIGTERM);
    run(command, "account", "unlock", "--data", "site", "adm", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "no service runs here");
}

/* What a killed service left is nobody's, and the next makes it anew. */
static void
a_socket_without_a_service_is_passed_by(void **state)
{
    struct command *command = *state;
    struct running running;

    make_agency(command);
    start_service(&running, asking);
    assert_int_equal(0, kill(running.child, SIGKILL));
    assert_int_equal(running.child, waitpid(running.child, NULL, 0));
    assert_int_equal(0, close(running.said));
    assert_int_equal(0, access("site/control", F_OK));
    let_in(command);
    start_service(&running, asking);
    run(command, "account", "link", "--data", "site", "adm", NULL);
    expect_exit(command, 0);
    end_service(&running, SIGTERM);
}

/* A path of a socket has an end, that of a directory a later one. */
static void
a_directory_with_a_long_path_has_one_too(void **state)
{
    struct command *command = *state;
    char deep[160], data[256];
    const char *const arguments[] = { "serve", "--data",   data,          "--mode",
                                      "ask",   "--listen", "127.0.0.1:0", NULL };
    struct running running;

    memset(deep, 'd', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    (void)snprintf(data, sizeof(data), "%s/site", deep);
    assert_int_equal(0, mkdir(deep, 0700));
    make_agency(command);
    assert_int_equal(0, rename("site", data));
    start_service(&running, arguments);
    run(command, "account", "add", "--data", data, "adm", NULL);
    expect_exit(command, 0);
    end_service(&running, SIGTERM);
}

/* ---- who else comes ---- */

static int
reach(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "site/control" };
    int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(file >= 0);
    if (connect(file, (struct sockaddr *)&address, sizeof(address)) == 0)
        return file;
    assert_int_equal(0, close(file));
    return -1;
}

static void
what_is_no_order_is_closed_without_an_answer(void **state)
{
    struct command *command = *state;
    char large[4096], byte;
    struct running running;
    const char *const messages[] = { "hello", "order 1\nverb add\n", large };

    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    make_agency(command);
    start_service(&running, asking);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        int file = reach();
        size_t bytes = strlen(messages[i]);

        assert_true(file >= 0);
        assert_int_equal(bytes, send(file, messages[i], bytes, MSG_NOSIGNAL));
        assert_true(recv(file, &byte, 1, 0) <= 0);
        assert_int_equal(0, close(file));
    }
    assert_true(read_until(&running, "\"event\":\"order refused\",\"status\":\"bad input\""));
    run(command, "account", "add", "--data", "site", "adm", NULL);
    expect_exit(command, 0);
    end_service(&running, SIGTERM);
}

static void
only_the_owner_can_open_the_socket(void **state)
{
    struct command *command = *state;
    struct running running;
    struct stat info;

    make_agency(command);
    start_service(&running, asking);
    assert_int_equal(0, stat("site/control", &info));
    assert_true(S_ISSOCK(info.st_mode));
    assert_int_equal(0600, info.st_mode & 07777);
    end_service(&running, SIGTERM);
}

/* Even where the modes of directory and socket let them in. */
static void
another_user_is_closed_without_an_answer(void **state)
{
    static const char order[] = "order 1\nverb add\nperson adm\n";
    struct command *command = *state;
    struct running running;
    int result = 0;
    pid_t child;

    if (geteuid() != 0) {
        print_message("only root can be somebody else\n");
        skip();
    }
    make_agency(command);
    start_service(&running, asking);
    assert_int_equal(0, chmod(".", 0755));
    assert_int_equal(0, chmod("site", 0755));
    assert_int_equal(0, chmod("site/control", 0666));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        int file = setuid(65534) == 0 ? reach() : -1;

        /* 2: it was not reached; 1: it answered */
        if (file < 0)
            _exit(2);
        (void)!send(file, order, sizeof(order) - 1, MSG_NOSIGNAL);
        _exit(recv(file, &byte, 1, 0) > 0 ? 1 : 0);
    }
    assert_int_equal(child, waitpid(child, &result, 0));
    assert_true(WIFEXITED(result));
    assert_int_equal(0, WEXITSTATUS(result));
    assert_true(read_until(&running, "\"event\":\"order refused\",\"status\":\"denied\""));
    run(command, "account", "show", "--data", "site", "adm", NULL);
    expect_text(command->err, "adm has no account");
    end_service(&running, SIGTERM);
}

/* Root is not the owner either, where somebody else is. */
static void
a_command_of_another_user_says_that_it_was_not_answered(void **state)
{
    struct command *command = *state;
    struct running running;

    if (geteuid() != 0) {
        print_message("only root can give a directory away\n");
        skip();
    }
    make_agency(command);
    assert_int_equal(0, chown("site", 65534, (gid_t)-1));
    start_service(&running, asking);
    run(command, "account", "add", "--data", "site", "adm", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "did not answer, which it does to the owner of the directory alone");
    run(command, "account", "list", "--data", "site", "--json", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
    end_service(&running, SIGTERM);
}

/* All else is served as ever. */
static void
without_a_socket_the_service_says_so_and_serves(void **state)
{
    struct command *command = *state;
    struct running running;

    make_agency(command);
    assert_int_equal(0, mkdir("site/control", 0700));
    start_service(&running, asking);
    expect_text(running.text, "site/control: cannot remove what is there: Is a directory");
    expect_reply(&running, "/readyz", "HTTP/1.1 200 ");
    run(command, "account", "add", "--data", "site", "adm", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "ask it instead: POST /v1/accounts ");
    end_service(&running, SIGTERM);
}

static void
what_cannot_be_started_leaves_nothing(void **state)
{
    struct fault_env fault;
    struct pb_cli_control_options options = { .data = "." };
    struct pb_cli_control *control = NULL;
    struct pb_error error;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = fault.allocation_count + 1;
    assert_int_equal(PB_E_NOMEM, pb_cli_control_start(&fault.env, &options, &control, &error));
    fault.fail_allocation_at = 0;
    options.data = "nowhere";
    assert_int_equal(PB_E_IO, pb_cli_control_start(&fault.env, &options, &control, &error));
    assert_string_equal("nowhere/control: cannot look at the directory: No such file or directory",
                        error.message);
    assert_null(control);
    assert_true(fault_env_is_clean(&fault));
    pb_cli_control_stop(NULL);
}

static void
a_service_that_only_looks_takes_no_orders(void **state)
{
    static const char *const looking[] = { "serve",    "--data",      "site",
                                           "--listen", "127.0.0.1:0", NULL };
    struct command *command = *state;
    struct running running;

    make_agency(command);
    start_service(&running, looking);
    assert_int_not_equal(0, access("site/control", F_OK));
    let_in(command);
    end_service(&running, SIGTERM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
        CASE(an_agency_is_let_in_while_the_service_runs),
        CASE(people_whom_the_catalog_keeps_out_are_let_in_while_the_service_runs),
        CASE(what_is_refused_is_said_as_without_a_service),
        CASE(a_socket_without_a_service_is_passed_by),
        CASE(a_directory_with_a_long_path_has_one_too),
        CASE(what_is_no_order_is_closed_without_an_answer),
        CASE(only_the_owner_can_open_the_socket),
        CASE(another_user_is_closed_without_an_answer),
        CASE(a_command_of_another_user_says_that_it_was_not_answered),
        CASE(without_a_socket_the_service_says_so_and_serves),
        CASE(what_cannot_be_started_leaves_nothing),
        CASE(a_service_that_only_looks_takes_no_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
