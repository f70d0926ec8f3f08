/*
 * The command line: serve and config.
 */
#include "cli/running.h"

#include <sys/un.h>

#include "cli/instead.h"
#include "net/certificate.h"

/* That of who asks. The ones before are counted until the server has seen that they are closed,
 * which may be after the client has. */
static void
expect_one_connection(const struct running *running)
{
    for (unsigned i = 0; i < 1000; i++) {
        char *reply = get(running, "/metrics");
        bool is_one = strstr(reply, "platebase_http_connections 1\n") != NULL;

        free(reply);
        if (is_one)
            return;
    }
    fail_msg("the connections that were closed are still counted");
}

static void
a_directory_is_served_until_the_service_is_told_to_stop(void **state)
{
    const char *const arguments[] = { "serve", "--data", "site", "--listen", "127.0.0.1:0", NULL };
    struct command *command = *state;
    struct running running;

    make_site(command, "site");
    start_service(&running, arguments);
    expect_text(running.text, "serving site on http://127.0.0.1:");
    expect_reply(&running, "/healthz", "{\"status\":\"ok\"}");
    expect_reply(&running, "/readyz", "{\"status\":\"ready\"}");
    expect_one_connection(&running);
    expect_reply(&running, "/docs", "<h1>Platebase");
    expect_reply(&running, "/audit/operator/checkpoint", "HTTP/1.1 200 OK");
    /* The command goes on beside it: no lock is held. */
    run(command, "audit", "keys", "--data", "site", NULL);
    assert_int_equal(0, command->exit_code);
    end_service(&running, SIGTERM);
    expect_text(running.text, "\"event\":\"stopped\",\"connections_cut\":0}");
}

static void
programs_show_tokens_that_the_command_has_made(void **state)
{
    const char *const arguments[] = { "serve", "--data",   "site",        "--mode",
                                      "write", "--listen", "127.0.0.1:0", NULL };
    struct command *command = *state;
    struct running running;
    char token[128], *reply;
    json_t *tokens;

    make_site(command, "site");
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads", "--label",
        "a gate", NULL);
    expect_exit(command, 0);
    assert_int_equal(60, command->out_bytes); /* the token and a line feed, nothing else */
    (void)snprintf(token, sizeof(token), "%.59s", command->out);
    expect_text(command->err, "this is shown once");
    run(command, "token", "list", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "a gate");
    expect_no_text(command->out, token + 16);

    start_service(&running, arguments);
    reply = post(&running, "/v1/reads", token,
                 "{\"plate\":\"AB123CD\",\"captured_at\":\"2026-11-01T00:00:00Z\","
                 "\"reader\":\"gate-1\"}");
    expect_text(reply, "\"statuses\":[\"stored\"]");
    free(reply);
    reply = post(&running, "/v1/reads", "pb_0123456789ab_wrong", "{}");
    expect_text(reply, "HTTP/1.1 401 ");
    free(reply);
    expect_no_text(running.text, token + 16);
    end_service(&running, SIGTERM);

    run(command, "stats", "--data", "site", "--json", NULL);
    expect_text(command->out, "\"reads\":1,");
    run(command, "token", "revoke", "--data", "site", "0123456789ab", NULL);
    expect_exit(command, 1);
    token[15] = '\0';
    run(command, "token", "revoke", "--data", "site", token + 3, NULL);
    expect_exit(command, 0);
    run(command, "token", "list", "--data", "site", "--json", NULL);
    tokens = json_lines(command->out);
    assert_string_equal("revoked", text_of(json_array_get(tokens, 0), "state"));
    json_decref(tokens);
}

static void
readers_have_credentials_of_their_own(void **state)
{
    const char *const arguments[] = { "serve", "--data",   "site",        "--mode",
                                      "write", "--listen", "127.0.0.1:0", NULL };
    struct command *command = *state;
    struct running running;
    char path[160], *reply;
    json_t *tokens;

    make_site(command, "site");
    make_certificate("chain.pem", "key.pem", 1);
    write_text("readers.yaml", "readers:\n  - { id: gate-1, agency: site }\n");
    run(command, "catalog", "import", "--data", "site", "readers.yaml", NULL);
    expect_exit(command, 0);
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads",
        "--readers", "gate-1", "--certificate", "chain.pem", NULL);
    expect_exit(command, 0);
    assert_int_equal(13, command->out_bytes); /* its name and a line feed */
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads",
        "--readers", "gate-1", "--in-path", NULL);
    expect_exit(command, 0);
    (void)snprintf(path, sizeof(path), "/r/%.59s", command->out);
    run(command, "token", "list", "--data", "site", "--json", NULL);
    tokens = json_lines(command->out);
    assert_int_equal(2, json_array_size(tokens));
    for (size_t i = 0; i < 2; i++) {
        const char *via = text_of(json_array_get(tokens, i), "via");

        assert_true(strcmp(via, "path") == 0 || strcmp(via, "certificate") == 0);
    }
    json_decref(tokens);
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads",
        "--in-path", "--certificate", "chain.pem", NULL);
    expect_exit(command, 2);

    start_service(&running, arguments);
    reply = post(&running, path, "ignored",
                 "{\"plate\":\"AB123CD\",\"captured_at\":\"2026-11-01T00:00:00Z\"}");
    expect_text(reply, "\"statuses\":[\"stored\"]");
    free(reply);
    end_service(&running, SIGTERM);
    expect_no_text(running.text, path + 3 + 16);
}

/* Sends one read, told apart by number; true where the answer says `word` of it. */
static bool
send_read(const struct running *running, const char *token, unsigned number, const char *word)
{
    char read[256], wanted[64], *reply;
    bool is_said;

    (void)snprintf(read, sizeof(read),
                   "{\"plate\":\"AB%05u\",\"captured_at\":\"2026-11-01T00:00:00Z\","
                   "\"reader\":\"gate-1\"}",
                   number);
    (void)snprintf(wanted, sizeof(wanted), "\"statuses\":[\"%s\"]", word);
    reply = post(running, "/v1/reads", token, read);
    is_said = strstr(reply, wanted) != NULL;
    free(reply);
    return is_said;
}

static void
what_was_acknowledged_survives_a_kill(void **state)
{
    const char *const arguments[] = { "serve", "--data",   "site",        "--mode",
                                      "write", "--listen", "127.0.0.1:0", NULL };
    struct command *command = *state;
    struct running running;
    unsigned sent = 0;
    char token[128];

    make_site(command, "site");
    run(command, "token", "add", "--data", "site", "--agency", "site", "--may", "reads", NULL);
    expect_exit(command, 0);
    (void)snprintf(token, sizeof(token), "%.59s", command->out);
    for (unsigned round = 0; round < 3; round++) {
        start_service(&running, arguments);
        for (unsigned i = 0; i < sent; i++)
            assert_true(send_read(&running, token, i, "duplicate"));
        for (unsigned i = 0; i < 5; i++, sent++)
            assert_true(send_read(&running, token, sent, "stored"));
        assert_int_equal(0, kill(running.child, SIGKILL));
        (void)waitpid(running.child, NULL, 0);
        (void)close(running.said);
    }
    run(command, "verify", "--data", "site", NULL);
    expect_exit(command, 0);
}

static void
tokens_that_cannot_be_are_refused_by_name(void **state)
{
    static const struct {
        const char *arguments[6];
        int exit_code;
        const char *says;
    } cases[] = {
        { { "--agency", "site", "--may", "everything" }, 2, "some of reads, ask and administer" },
        { { "--agency", "site", "--may", "" }, 2, "--may" },
        { { "--agency", "nobody", "--may", "reads" }, 1, "there is no active agency" },
        { { "--agency", "site", "--may", "ask" }, 1, "a token asks, and audits, for a person" },
        { { "--agency", "site", "--may", "reads", "--days", "91" }, 2, "days" },
        { { "--agency", "site", "--may", "reads", "--readers", "x" }, 1, "has no reader 'x'" },
        { { "--agency", "site", "--may", "reads", "--in-path" }, 1, "reads of one reader" },
        { { "--agency", "site", "--may", "reads", "--certificate", "none.pem" }, 1, "none.pem" },
        { { "--agency", "site", "--may", "reads", "--certificate", "text.pem" },
          1,
          "there is no certificate" },
        { { "--agency", "site", "--may", "reads", "--certificate", "chain.pem" },
          1,
          "reads of one reader" },
    };
    struct command *command = *state;

    make_site(command, "site");
    make_certificate("chain.pem", "key.pem", 1);
    write_text("text.pem", "no certificate\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const *more = cases[i].arguments;

        run(command, "token", "add", "--data", "site", more[0], more[1], more[2], more[3], more[4],
            more[5], NULL);
        if (command->exit_code != cases[i].exit_code)
            fail_msg("case %zu: %d: %s", i, command->exit_code, command->err);
        expect_text(command->err, cases[i].says);
        assert_int_equal(0, command->out_bytes);
    }
}

/* One message that the service has sent to its manager. */
static void
expect_notice(int manager, const char *wanted)
{
    struct pollfd wait = { .fd = manager, .events = POLLIN };
    char text[64] = "";

    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("no %s came", wanted);
    assert_true(recv(manager, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(wanted, text);
}

/* As systemd starts it: with a socket that listens already, and somebody to tell. */
static void
a_socket_is_taken_over_and_the_manager_told(void **state)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct sockaddr_un notices = { .sun_family = AF_UNIX, .sun_path = "notices" };
    socklen_t bytes = sizeof(address);
    struct command *command = *state;
    struct running running = { .said = -1 };
    int listening = socket(AF_INET, SOCK_STREAM, 0), manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    int ends[2];
    char script[1024];
    char *arguments[] = { strdup("sh"), strdup("-c"), script, NULL };
    posix_spawn_file_actions_t actions;

    make_site(command, "site");
    assert_int_equal(0, bind(listening, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(listening, 8));
    assert_int_equal(0, getsockname(listening, (struct sockaddr *)&address, &bytes));
    assert_int_equal(0, bind(manager, (struct sockaddr *)&notices, sizeof(notices)));
    assert_int_equal(0, pipe(ends));
    (void)snprintf(
        script, sizeof(script),
        "NOTIFY_SOCKET=$PWD/notices LISTEN_PID=$$ LISTEN_FDS=1 exec '%s' serve --data site",
        command_path());
    assert_int_equal(0, posix_spawn_file_actions_init(&actions));
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_adddup2(&actions, listening, 3);
    assert_int_equal(0, posix_spawn(&running.child, "/bin/sh", &actions, NULL, arguments, environ));
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(0, close(ends[1]));
    running.said = ends[0];
    expect_notice(manager, "READY=1");
    running.port = ntohs(address.sin_port);
    expect_reply(&running, "/readyz", "{\"status\":\"ready\"}");
    assert_int_equal(0, kill(running.child, SIGTERM));
    expect_notice(manager, "STOPPING=1");
    end_service(&running, 0);
    (void)close(listening);
    (void)close(manager);
    free(arguments[0]);
    free(arguments[1]);
}

static void
interrupting_stops_it_too(void **state)
{
    const char *const arguments[] = { "serve", "--data", "site", "--listen", "localhost:0", NULL };
    struct command *command = *state;
    struct running running;

    make_site(command, "site");
    start_service(&running, arguments);
    end_service(&running, SIGINT);
}

static void
a_new_certificate_is_taken_on_hangup(void **state)
{
    const char *const arguments[] = { "serve", "--config", "platebase.yaml", NULL };
    struct command *command = *state;
    struct running running;

    make_site(command, "site");
    make_certificate("chain.pem", "key.pem", 1);
    write_text("platebase.yaml", "data: site\nlisten: 127.0.0.1:0\n"
                                 "tls:\n  certificate: chain.pem\n  key: key.pem\n");
    start_service(&running, arguments);
    expect_text(running.text, "serving site on https://127.0.0.1:");
    make_certificate("chain.pem", "key.pem", 2);
    assert_int_equal(0, kill(running.child, SIGHUP));
    assert_true(read_until(&running, "\"event\":\"reload\",\"status\":\"ok\"}"));
    write_text("chain.pem", "nonsense\n");
    assert_int_equal(0, kill(running.child, SIGHUP));
    assert_true(read_until(&running, "chain.pem and key.pem are no certificate"));
    end_service(&running, SIGTERM);
}

static void
what_cannot_be_served_is_said_before_anything_starts(void **state)
{
    struct command *command = *state;

    make_site(command, "site");
    run(command, "serve", "--data", "site", "--listen", "0.0.0.0:0", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "refusing to listen on 0.0.0.0 without TLS");
    run(command, "serve", "--data", "site", "--listen", "somewhere:80", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "not an address to listen on");
    run(command, "serve", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "no data directory");
    run(command, "serve", "--data", "site", "--listen", "127.0.0.1:0", "--key", "key.pem", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "given together");
    run(command, "serve", "--config", "none.yaml", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "there is no file 'none.yaml'");
}

static void
a_provider_s_secret_is_read_from_where_it_lies(void **state)
{
    static const char head[] =
        "origin: https://plates.example.org\nproviders:\n  - { name: county, "
        "issuer: https://login.example.org, client: c, agency: a, ";
    static const struct {
        const char *where, *secret; /* what the file holds; NULL: there is none */
        bool is_by_systemd;
        const char *says;
    } cases[] = {
        { "secret_file: secret }\n", "word\n", false, "no data directory" }, /* it got that far */
        { "secret_file: secret }\n", NULL, false, "secret" },
        { "secret_file: secret }\n", "\n", false, "a secret on one line" },
        { "secret_credential: secret }\n", "word", true, "no data directory" },
        { "secret_credential: other }\n", "word", true, "other" },
        { "secret_credential: secret }\n", "word", false, "LoadCredential=" },
        { "label: County }\n", NULL, false, "no data directory" },
    };
    struct command *command = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), "%s%s", head, cases[i].where);
        write_text("config.yaml", text);
        (void)unlink("secret");
        if (cases[i].secret != NULL)
            write_text("secret", cases[i].secret);
        assert_int_equal(0, cases[i].is_by_systemd ? setenv("CREDENTIALS_DIRECTORY", ".", 1)
                                                   : unsetenv("CREDENTIALS_DIRECTORY"));
        run(command, "serve", "--config", "config.yaml", NULL);
        assert_int_not_equal(0, command->exit_code);
        expect_text(command->err, cases[i].says);
        assert_null(strstr(command->err, "word"));
    }
    assert_int_equal(0, unsetenv("CREDENTIALS_DIRECTORY"));
}

#define ORIGIN "origin: https://plates.example.org\n"
#define PROVIDER "providers:\n  - { name: county, issuer: https://login.example.org, "

static void
a_configuration_is_checked_to_the_line(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* NULL: good */
    } cases[] = {
        { "", NULL },
        { "data: somewhere\nlisten: '[::1]:8443'\nlog: warning\nstop_seconds: 0\n", NULL },
        { "threads:\n  io: 2\n  workers: 8\n", NULL },
        { "memory_mib: 64\nupkeep_hours: 0\n", NULL },
        { "limits:\n  connections: 65536\n  header_seconds: 1\n  bodies_mib: 64\n  queue: 9\n"
          "  connections_per_address: 1\n  idle_seconds: 5\n  rate_bytes_per_second: 0\n"
          "  rate_grace_seconds: 2\n",
          NULL },
        { "limits:\n  token_requests_per_second: 1\n  person_requests_per_second: 2\n"
          "  agency_requests_per_second: 3\n  address_requests_per_second: 4\n"
          "  token_rows_per_hour: 5\n  person_rows_per_hour: 6\n  agency_rows_per_hour: 7\n"
          "  address_rows_per_hour: 1000000000\n  address_failures_per_minute: 0\n",
          NULL },
        { "limits:\n  token_rows_per_hour: 1000000001\n", "a number from 0 to 1000000000" },
        { "limits:\n  person_rows: 5\n", "unknown key 'limits.person_rows'" },
        { "tls:\n  reader_certificates: yes\n", "are shown to a server that has its own" },
        { "tls:\n  reader_certificates: maybe\n", "wanted is yes or no" },
        { "tls:\n  reader_certificates: no\n", NULL },
        { "lisen: 127.0.0.1:1\n", "config.yaml:1: unknown key 'lisen': did you mean 'listen'?" },
        { "data: x\nport: 80\n", "config.yaml:2: unknown key 'port'" },
        { "thread:\n  io: 2\n", "did you mean 'threads'?" },
        { "threads:\n  ios: 2\n", "unknown key 'threads.ios': did you mean 'io'?" },
        { "threads:\n  io: 0\n", "config.yaml:2: io: wanted is a number from 1 to 64" },
        { "threads:\n  io: two\n", "a number from 1 to 64" },
        { "threads: 2\n", "keys with values are wanted here" },
        { "listen: 8080\n", "config.yaml:1: listen: wanted is not an address to listen on" },
        { "log: loud\n", "error, warning or info" },
        { "data:\n  - a\n", "wanted is one value" },
        { "data:\n", "wanted is one value" },
        { "tls:\n  certificate: a.pem\n", "certificate and key are given together" },
        { "tls:\n  certificate: a.pem\n  key: b.pem\n", "a.pem: no such file" },
        { "data: x\ndata: y\n", "config.yaml" },
        { "breached_passwords: list.txt\n", NULL },
        { "breached_passwords: none.txt\n", "none.txt: there is no such file" },
        { "breached_passwords: words.txt\n",
          "words.txt: byte 0: a line of a SHA-1, a colon and a count is wanted" },
        { "breached_passwords: by-count.txt\n",
          "by-count.txt: byte 43: the lines are not in the order of their SHA-1" },
        { "origin: https://plates.example.org\n", NULL },
        { "origin: https://plates.example.org:8443\n", NULL },
        { "origin: http://localhost:8080\n", NULL },
        { "origin: http://localhost\n", NULL },
        { "origin: http://plates.example.org\n", "config.yaml:1: origin: wanted is https://host" },
        { "origin: http://localhost.example.org\n", "origin: wanted is" },
        { "origin: https://plates.example.org/\n", "origin: wanted is" },
        { "origin: https://Plates.example.org\n", "origin: wanted is" },
        { "origin: plates.example.org\n", "origin: wanted is" },
        { "origin: 'https://'\n", "origin: wanted is" },
        { ORIGIN "providers: []\n", NULL },
        { ORIGIN PROVIDER "client: c, agency: a }\n", NULL },
        { ORIGIN PROVIDER
          "client: c, agency: a, label: County, scopes: openid, "
          "person_claim: email, suffix: '@county.example', groups_claim: g, trusted: ca.pem, "
          "roles: { a: auditor, i: investigator }, acr: [gold], amr: [mfa, hwk], "
          "adds_people: yes, secret_credential: county }\n",
          NULL },
        { PROVIDER "client: c, agency: a }\n", "providers need origin" },
        { ORIGIN "providers: county\n", "config.yaml:2: wanted is a list of at most 16" },
        { ORIGIN "providers: [county]\n", "config.yaml:2: keys with values" },
        { ORIGIN PROVIDER "agency: a }\n", "config.yaml:3: a provider needs name" },
        { ORIGIN PROVIDER "client: c, agency: a, sekret: x }\n",
          "config.yaml:3: unknown key 'providers.sekret'" },
        { ORIGIN PROVIDER "client: c, agency: a, secret_file: x, secret_credential: y }\n",
          "not both" },
        { ORIGIN PROVIDER "client: c, agency: a, secret_credential: ../y }\n", "not a path" },
        { ORIGIN PROVIDER "client: [c], agency: a }\n", "wanted is one value" },
        { ORIGIN PROVIDER "client: c, agency: a, amr: mfa }\n", "a list of at most 8" },
        { ORIGIN PROVIDER "client: c, agency: a, roles: [x] }\n", "a role for each" },
        { ORIGIN PROVIDER "client: c, agency: a, roles: { x: [y] } }\n", "wanted is one value" },
        { ORIGIN PROVIDER "client: c, agency: a, adds_people: perhaps }\n", "yes or no" },
        { ORIGIN PROVIDER "client: c, agency: a, adds_people: yes }\n", "which groups" },
        { ORIGIN "providers:\n  - { name: County, issuer: https://a.example, client: c, "
                 "agency: a }\n",
          "provider 'County': name" },
        { ORIGIN "providers:\n  - { name: county, issuer: http://a.example, client: c, "
                 "agency: a }\n",
          "issuer: an address that begins with https" },
        { "- a\n", "keys with values" },
    };
    struct command *command = *state;

    write_text("words.txt", "password\nqwerty\n");
    write_text("list.txt", "7C4A8D09CA3762AF61E59520943DC26494F8941B:37\r\n"
                           "F7C3BC1D808E04732ADF679965CCC34CA7AE3441:6\r\n");
    write_text("by-count.txt", "F7C3BC1D808E04732ADF679965CCC34CA7AE3441:9\n"
                               "7C4A8D09CA3762AF61E59520943DC26494F8941B:8\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text("config.yaml", cases[i].text);
        run(command, "config", "check", "config.yaml", NULL);
        if (command->exit_code != (cases[i].says == NULL ? 0 : 1))
            fail_msg("%s: %s", cases[i].text, command->err);
        expect_text(command->err, cases[i].says == NULL ? "config.yaml: good" : cases[i].says);
    }
    run(command, "config", "chekc", "config.yaml", NULL);
    expect_exit(command, 2);
    run(command, "config", "check", NULL);
    expect_exit(command, 2);
}

/* A server keeps others from writing for as long as it runs. Who wants to is told so at once, and
 * what only looks goes on. */
static void
commands_beside_a_server_look_and_are_told_where_to_write(void **state)
{
    const char *const arguments[] = { "serve", "--data",   "site",        "--mode",
                                      "write", "--listen", "127.0.0.1:0", NULL };
    static const char *const looking[][6] = {
        { "stats", "--data", "site" },           { "verify", "--data", "site" },
        { "audit", "verify", "--data", "site" }, { "audit", "keys", "--data", "site" },
        { "agency", "list", "--data", "site" },  { "catalog", "export", "--data", "site" },
        { "rules", "list", "--data", "site" },   { "token", "list", "--data", "site" },
    };
    static const char *const writing[][8] = {
        { "agency", "remove", "nobody", "--data", "site" },
        { "purge", "--data", "site" },
        { "audit", "review", "list", "--data", "site", "--person", "x" },
    };
    struct command *command = *state;
    struct running running;

    make_site(command, "site");
    start_service(&running, arguments);
    for (size_t i = 0; i < sizeof(looking) / sizeof(looking[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, looking[i]));
        expect_exit(command, 0);
    }
    for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, writing[i]));
        expect_exit(command, 1);
        expect_text(command->err, "is being served by platebase serve (process ");
    }
    end_service(&running, SIGTERM);
    wait_for(command, start_with(NULL, -1, -1, -1, writing[1]));
    expect_exit(command, 0);
}

/* Is the method one of the path's in the document? */
static void
expect_described(const json_t *document, const char *endpoint)
{
    char method[16], path[128];
    const json_t *paths = json_object_get(document, "paths");

    if (sscanf(endpoint, "%15[A-Z] %127s", method, path) != 2)
        fail_msg("'%s' is no endpoint", endpoint);
    for (size_t i = 0; method[i] != '\0'; i++)
        method[i] = (char)(method[i] + 32);
    if (json_object_get(json_object_get(paths, path), method) == NULL)
        fail_msg("'%s' is not described", endpoint);
}

/* What a command says beside a service: the endpoint that does the same, as it is described there,
 * or that there is none. */
static void
commands_beside_a_server_name_the_endpoint_that_does_the_same(void **state)
{
    static const char *const served[] = { "serve", "--data",   "site",        "--mode",
                                          "write", "--listen", "127.0.0.1:0", NULL };
    static const struct {
        const char *words[16];
        const char *says; /* NULL: none does */
    } cases[] = {
        { { "account", "add", "x" }, "POST /v1/accounts" },
        { { "account", "approve", "x", "--by", "y" }, "POST /v1/accounts/{person}/approve" },
        { { "account", "disable", "x", "--why", "y" }, "POST /v1/accounts/{person}/disable" },
        { { "account", "link", "x" }, "POST /v1/accounts/{person}/link" },
        { { "account", "unlock", "x" }, "POST /v1/accounts/{person}/unlock" },
        { { "token", "add", "--agency", "x", "--may", "reads" }, "POST /v1/tokens" },
        { { "token", "revoke", "0123456789ab" }, "DELETE /v1/tokens/{id}" },
        { { "approve", "x", "--person", "y", "--why", "z" }, "POST /v1/approvals" },
        { { "audit", "export", "--person", "x", "file" }, "POST /v1/audit/export" },
        { { "audit", "open", "--person", "x", "--index", "1" }, "GET /v1/audit/entries/{index}" },
        { { "audit", "search", "--person", "x" }, "POST /v1/audit/search" },
        { { "audit", "review", "list", "--person", "x" }, "GET /v1/review/items" },
        { { "audit", "review", "notices", "--person", "x" }, "GET /v1/review/notices" },
        { { "audit", "review", "disclosures", "--person", "x" }, "GET /v1/review/disclosures" },
        { { "agency", "remove", "x" }, "DELETE /v1/agencies/{id}" },
        { { "person", "change", "x", "--name", "y" }, "PATCH /v1/people/{id}" },
        { { "case", "remove", "x:1" }, "DELETE /v1/cases/{id}" },
        { { "hold", "remove", "x" }, "DELETE /v1/holds/{id}" },
        { { "search", "--person", "x", "--purpose", "p", "--why", "because of a case", "--plate",
            "A", "--from", "2026-01-01", "--to", "2026-02-01" },
          "POST /v1/inquiries" },
        { { "transparency", "--agency", "x", "--person", "y" }, "GET /v1/transparency" },
        { { "purge" }, NULL },
        { { "merge" }, NULL },
        { { "backup", "there" }, NULL },
        { { "audit", "destroy-expired" }, NULL },
    };
    /* These want more than a word before they look at a directory. */
    static const char *const others[] = {
        "associates",
        "audit review close",
        "audit review detect",
        "audit review finish",
        "audit review sample",
        "catalog import",
        "common",
        "correct",
        "import",
        "near",
        "plates",
        "policy explain",
        "rules add",
        "subject-access",
        "agreement add",
        "case change",
        "declaration add",
        "offence change",
        "reader add",
        "person add",
    };
    struct command *command = *state;
    struct running running;
    json_t *document;
    char *reply;

    make_site(command, "site");
    assert_int_equal(0, setenv("PLATEBASE_DATA", "site", 1));
    start_service(&running, served);
    /* Accounts have a way of their own, while it is there. */
    assert_int_equal(0, remove("site/control"));
    reply = get(&running, "/openapi.json");
    assert_non_null(strstr(reply, "\r\n\r\n"));
    document = json_loads(strstr(reply, "\r\n\r\n") + 4, 0, NULL);
    assert_non_null(document);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[256] = "stop it first";

        wait_for(command, start_with(NULL, -1, -1, -1, cases[i].words));
        if (command->exit_code != 1)
            fail_msg("%s %s: %s", cases[i].words[0], cases[i].words[1], command->err);
        if (cases[i].says != NULL) {
            expect_described(document, cases[i].says);
            (void)snprintf(wanted, sizeof(wanted), "ask it instead: %s (see /docs), or stop it",
                           cases[i].says);
        }
        expect_text(command->err, wanted);
        assert_true((strstr(command->err, "instead") != NULL) == (cases[i].says != NULL));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char text[PB_CLI_INSTEAD_BYTES];

        pb_cli_instead(others[i], text);
        assert_ptr_equal(text, strstr(text, "ask it instead: "));
        expect_described(document, text + strlen("ask it instead: "));
    }
    json_decref(document);
    free(reply);
    end_service(&running, SIGTERM);
    assert_int_equal(0, unsetenv("PLATEBASE_DATA"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
        CASE(a_directory_is_served_until_the_service_is_told_to_stop),
        CASE(commands_beside_a_server_look_and_are_told_where_to_write),
        CASE(commands_beside_a_server_name_the_endpoint_that_does_the_same),
        CASE(programs_show_tokens_that_the_command_has_made),
        CASE(readers_have_credentials_of_their_own),
        CASE(what_was_acknowledged_survives_a_kill),
        CASE(tokens_that_cannot_be_are_refused_by_name),
        CASE(a_socket_is_taken_over_and_the_manager_told),
        CASE(interrupting_stops_it_too),
        CASE(a_new_certificate_is_taken_on_hangup),
        CASE(what_cannot_be_served_is_said_before_anything_starts),
        CASE(a_configuration_is_checked_to_the_line),
        CASE(a_provider_s_secret_is_read_from_where_it_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
