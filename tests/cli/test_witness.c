/*
 * Witnesses and copies of checkpoints, as the operator has them: the built command against a
 * witness on this machine, which is a thread of this program and speaks HTTP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "cli/command.h"
/* Uses cmocka, which command.h brings. */
#include "audit/fake_witness.h"

#define LOGS_MAX 4u
#define REQUEST_MAX (256u << 10)

/* ---- a witness that listens ---- */

struct witness_server {
    pthread_t thread;
    int listener;
    _Atomic bool is_away; /* takes connections and says nothing */
    _Atomic int requests;
    char url[64], vkey[PB_VKEY_BYTES_MAX];
    const char *name;
    uint8_t seed;
    /* Set while no command runs. */
    struct pb_vkey logs[LOGS_MAX];
    struct fake_witness states[LOGS_MAX];
    uint32_t log_count;
};

/* The log whose origin stands in a request. */
static void
judge_http(struct witness_server *server, struct pb_str body, struct pb_witness_reply *reply)
{
    for (uint32_t i = 0; i < server->log_count; i++) {
        char origin[PB_NOTE_NAME_BYTES_MAX + 3];
        int bytes = snprintf(origin, sizeof(origin), "\n%s\n", server->logs[i].name);

        if (memmem(body.text, body.bytes, origin, (size_t)bytes) == NULL)
            continue;
        judge_request(&server->states[i], &server->logs[i], body, reply);
        return;
    }
    answer(reply, 404, "", "");
}

static void
write_all(int file, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = send(file, bytes, count, MSG_NOSIGNAL);

        if (written <= 0)
            return;
        bytes += written;
        count -= (size_t)written;
    }
}

/* Where the body begins, once all of it is there; else NULL. */
static const char *
find_body(const char *request, size_t bytes, size_t *ret_body_bytes)
{
    const char *end = memmem(request, bytes, "\r\n\r\n", 4);
    const char *length = memmem(request, bytes, "Content-Length: ", 16);

    if (end == NULL || length == NULL || length > end)
        return NULL;
    *ret_body_bytes = strtoul(length + 16, NULL, 10);
    return (size_t)(request + bytes - end - 4) >= *ret_body_bytes ? end + 4 : NULL;
}

static void
serve_one(struct witness_server *server, int file)
{
    char *request = malloc(REQUEST_MAX + 1), head[256];
    struct pb_witness_reply *reply = calloc(1, sizeof(*reply));
    const char *body = NULL;
    size_t bytes = 0, body_bytes = 0;

    while (bytes < REQUEST_MAX && body == NULL) {
        ssize_t got = recv(file, request + bytes, REQUEST_MAX - bytes, 0);

        if (got <= 0)
            break;
        bytes += (size_t)got;
        request[bytes] = '\0';
        body = find_body(request, bytes, &body_bytes);
    }
    if (body != NULL && strncmp(request, "POST /w/add-checkpoint HTTP/1.1\r\n", 33) == 0) {
        int length;

        judge_http(server, (struct pb_str){ body, (uint32_t)body_bytes }, reply);
        length = snprintf(head, sizeof(head),
                          "HTTP/1.1 %d Some\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n",
                          reply->http_status,
                          reply->content_type[0] != '\0' ? reply->content_type : "text/plain",
                          reply->body_bytes);
        write_all(file, head, (size_t)length);
        write_all(file, reply->body, reply->body_bytes);
    }
    free(request);
    free(reply);
}

static void *
serve(void *context)
{
    struct witness_server *server = context;

    for (;;) {
        int file = accept(server->listener, NULL, NULL);

        if (file < 0)
            return NULL;
        atomic_fetch_add(&server->requests, 1);
        if (!atomic_load(&server->is_away))
            serve_one(server, file);
        close(file);
    }
}

/* What it knows of one log: nothing yet. Its clock is right. */
static void
make_state(struct witness_server *server, uint32_t log)
{
    make_witness(&server->states[log], server->name, server->seed);
    server->states[log].time_s = (uint64_t)time(NULL);
}

static void
start_witness(struct witness_server *server, const char *name, uint8_t seed)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(address);

    memset(server, 0, sizeof(*server));
    server->name = name;
    server->seed = seed;
    for (uint32_t i = 0; i < LOGS_MAX; i++)
        make_state(server, i);
    pb_vkey_format(&server->states[0].key, server->vkey);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(server->listener, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(server->listener, 16));
    assert_int_equal(0, getsockname(server->listener, (struct sockaddr *)&address, &bytes));
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/w",
                   ntohs(address.sin_port));
    assert_int_equal(0, pthread_create(&server->thread, NULL, serve, server));
}

static void
stop_witness(struct witness_server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    assert_int_equal(0, pthread_join(server->thread, NULL));
    close(server->listener);
}

/* Gives it the keys of all logs, as their operator would. */
static void
introduce(struct command *command, struct witness_server *server, const char *data)
{
    json_t *logs;

    run(command, "audit", "keys", "--data", data, "--json", NULL);
    expect_exit(command, 0);
    logs = json_lines(command->out);
    server->log_count = 0;
    for (size_t i = 0; i < json_array_size(logs) && i < LOGS_MAX; i++) {
        const char *vkey = text_of(json_array_get(logs, i), "vkey");
        struct pb_vkey *key = &server->logs[server->log_count++];

        assert_int_equal(PB_OK, pb_vkey_parse(pb_str_from(vkey), key, NULL));
        /* A log that began again is another log. */
        if (strcmp(server->states[i].origin, key->name) != 0)
            make_state(server, (uint32_t)i);
    }
    json_decref(logs);
}

/* How many entries a log's checkpoint covers, and how many cosignatures of a name it has. */
static uint64_t
checkpoint_size(const char *path)
{
    char *text = file_text(path, NULL);
    uint64_t size = strtoul(strchr(text, '\n') + 1, NULL, 10);

    free(text);
    return size;
}

static void
expect_signed(const char *path, const char *name, bool is_signed)
{
    char line[128], *text = file_text(path, NULL);

    (void)snprintf(line, sizeof(line), "\xe2\x80\x94 %s ", name);
    if ((strstr(text, line) != NULL) != is_signed)
        fail_msg("%s: %s: %s", path, name, text);
    free(text);
}

#define OPERATOR "site/audit/public/operator/checkpoint"
#define PRIVATE "site/audit/public/site/checkpoint"
#define WINDOW "--from", "2026-01-01", "--to", "2026-02-01"

static void
import_one(struct command *command)
{
    write_text("a.csv", "captured_at,plate,reader\n2026-01-05T08:00:00Z,AB123CD,gate-1\n");
    run(command, "import", "--data", "site", "a.csv", NULL);
    expect_exit(command, 0);
}

static void
ask(struct command *command)
{
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "AB123CD");
}

/* ---- witnesses ---- */

static void
checkpoints_are_published_when_witnesses_have_signed_them(void **state)
{
    struct command *command = *state;
    struct witness_server one, two;
    char vkey[PB_VKEY_BYTES_MAX] = "";

    start_witness(&one, "one.example", 1);
    start_witness(&two, "two.example", 2);
    make_site(command, "site");
    import_one(command);
    introduce(command, &one, "site");
    introduce(command, &two, "site");
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        one.url, NULL);
    expect_exit(command, 0);
    expect_text(command->err, "1 of 1 witnesses must sign");
    run(command, "audit", "witness", "add", "two", "--data", "site", "--vkey", two.vkey, "--url",
        two.url, NULL);
    expect_exit(command, 0);
    expect_text(command->err, "2 of 2 witnesses must sign");
    /* It holds from the next opening on: the second was added under the first's eyes alone. */
    expect_signed(OPERATOR, "one.example", true);
    expect_signed(OPERATOR, "two.example", false);

    ask(command);
    expect_no_text(command->err, "waits");
    expect_signed(PRIVATE, "one.example", true);
    expect_signed(PRIVATE, "two.example", true);
    run(command, "audit", "witness", "list", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->out, two.vkey);
    expect_text(command->out, two.url);
    expect_text(command->err, "2 of 2 must sign");
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "operator: enough have signed");
    expect_text(command->out, "  two: signed at 20");
    run(command, "audit", "verify", "--data", "site", NULL);
    expect_exit(command, 0);

    /* Anybody with a copy, the log's key and the policy can tell, and that a leaf's date fits. */
    for (uint32_t i = 0; i < one.log_count; i++) {
        if (strstr(one.logs[i].name, "/site") != NULL)
            pb_vkey_format(&one.logs[i], vkey);
    }
    assert_int_equal(0, system("cp -r site/audit/public/site copy"));
    run(command, "audit", "verify", "copy", "--vkey", vkey, "--witnesses", "site/witnesses",
        "--old-checkpoint", "copy/checkpoint", NULL);
    expect_exit(command, 0);
    write_text("policy", "witness three three.example+00000000+BAAA\nquorum three\n");
    run(command, "audit", "verify", "copy", "--vkey", vkey, "--witnesses", "policy", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "line 1");
    run(command, "audit", "witness", "remove", "two", "--data", "site", "--need", "1", NULL);
    expect_exit(command, 0);
    stop_witness(&two);
    start_witness(&two, "two.example", 9);
    run(command, "audit", "witness", "add", "two", "--data", "site", "--need", "2", "--vkey",
        two.vkey, "--url", two.url, NULL);
    expect_exit(command, 0);
    run(command, "audit", "verify", "copy", "--vkey", vkey, "--witnesses", "site/witnesses", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "too few witnesses have signed");
    stop_witness(&one);
    stop_witness(&two);
}

static void
while_witnesses_are_away_answers_are_given_and_checkpoints_wait(void **state)
{
    struct command *command = *state;
    struct witness_server one;
    uint64_t before;

    start_witness(&one, "one.example", 1);
    make_site(command, "site");
    import_one(command);
    introduce(command, &one, "site");
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        one.url, "--quiet", NULL);
    expect_exit(command, 0);
    before = checkpoint_size(PRIVATE);
    atomic_store(&one.is_away, true);
    ask(command);
    expect_text(command->err, "the checkpoint of log site waits for its witnesses");
    expect_text(command->err, "nothing is lost");
    assert_int_equal(before, checkpoint_size(PRIVATE));
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->out, "site: TOO FEW have signed");
    expect_text(command->out, "one: away");

    /* One that answers sets it right. */
    atomic_store(&one.is_away, false);
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_exit(command, 0);
    assert_in_range(checkpoint_size(PRIVATE), before + 2, UINT32_MAX);
    expect_signed(PRIVATE, "one.example", true);
    stop_witness(&one);
}

/* As when a machine is set back: data and keys together. Only a witness can tell. */
static void
a_directory_set_back_with_its_keys_is_stopped_by_its_witness(void **state)
{
    struct command *command = *state;
    struct witness_server one;
    uint64_t before;

    start_witness(&one, "one.example", 1);
    make_site(command, "site");
    import_one(command);
    introduce(command, &one, "site");
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        one.url, NULL);
    expect_exit(command, 0);
    ask(command);
    assert_int_equal(0, system("cp -a site then"));
    ask(command);
    ask(command);
    assert_int_equal(0, system("rm -rf site && mv then site"));
    before = checkpoint_size(PRIVATE);
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "leaves are lost");
    assert_int_equal(before, checkpoint_size(PRIVATE));
    run(command, "audit", "keys", "--data", "site", NULL);
    expect_exit(command, 0);

    /* It begins again under a new key, which the witness must be told first. */
    run(command, "audit", "restart", "--data", "site", "--log", "site", "--yes", NULL);
    expect_exit(command, 0);
    introduce(command, &one, "site");
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_text(command->out, "site: enough have signed");
    stop_witness(&one);
}

static void
a_policy_is_refused_where_nobody_could_obey_it(void **state)
{
    struct command *command = *state;
    struct witness_server one;
    char *text;

    start_witness(&one, "one.example", 1);
    make_site(command, "site");
    run(command, "audit", "witness", "list", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "there are no witnesses");
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_exit(command, 1);
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        "http://192.0.2.1/", NULL);
    expect_exit(command, 2);
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", "x+y", "--url",
        one.url, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "--vkey");
    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        one.url, "--need", "2", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "how many of the members");
    run(command, "audit", "witness", "remove", "one", "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "no witness 'one'");
    write_text("policy", "nonsense\n");
    run(command, "audit", "witness", "set", "policy", "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "line 1");
    /* What was put there by hand and is spoilt keeps the site from asking, not from looking. */
    write_text("site/witnesses", "nonsense\n");
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "line 1");
    run(command, "audit", "keys", "--data", "site", NULL);
    expect_exit(command, 0);
    assert_int_equal(0, remove("site/witnesses"));

    run(command, "audit", "witness", "add", "one", "--data", "site", "--vkey", one.vkey, "--url",
        one.url, "--need", "0", NULL);
    expect_exit(command, 0);
    text = file_text("site/witnesses", NULL);
    expect_text(text, "quorum none");
    free(text);
    run(command, "audit", "witness", "remove", "one", "--data", "site", NULL);
    expect_exit(command, 0);
    assert_int_equal(-1, access("site/witnesses", F_OK));
    stop_witness(&one);
}

static void
a_policy_with_groups_is_put_in_place_as_a_file(void **state)
{
    struct command *command = *state;
    struct witness_server one;
    char text[1024];

    start_witness(&one, "one.example", 1);
    make_site(command, "site");
    introduce(command, &one, "site");
    (void)snprintf(text, sizeof(text),
                   "# one office\nwitness a %s %s\ngroup office any a\nquorum office\n", one.vkey,
                   one.url);
    write_text("policy", text);
    run(command, "audit", "witness", "set", "policy", "--data", "site", NULL);
    expect_exit(command, 0);
    run(command, "audit", "witness", "check", "--data", "site", NULL);
    expect_exit(command, 0);
    run(command, "audit", "witness", "list", "--data", "site", "--json", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "\"name\":\"a\"");
    expect_text(command->err, "groups of its own");
    run(command, "audit", "witness", "remove", "a", "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "audit witness set");
    /* The change is on record. */
    run(command, "audit", "search", "--data", "site", "--event", "change", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "witnesses");
    stop_witness(&one);
}

/* ---- copies ---- */

static void
checkpoints_are_copied_outside_and_compared_at_the_start(void **state)
{
    struct command *command = *state;
    char outside[600], copy[700];

    make_site(command, "site");
    import_one(command);
    (void)snprintf(outside, sizeof(outside), "%s/outside", command->directory);
    run(command, "audit", "copies", outside, "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "is not there");
    run(command, "audit", "copies", "outside", "--data", "site", NULL);
    expect_exit(command, 1);
    expect_text(command->err, "absolute path");
    assert_int_equal(0, mkdir(outside, 0700));
    run(command, "audit", "copies", outside, "--data", "site", NULL);
    expect_exit(command, 0);
    run(command, "audit", "copies", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->out, outside);

    ask(command);
    (void)snprintf(copy, sizeof(copy), "%s/site.checkpoint", outside);
    assert_int_equal(checkpoint_size(PRIVATE), checkpoint_size(copy));

    /* Data and keys are set back together: the copy outside tells. */
    assert_int_equal(0, system("cp -a site then"));
    ask(command);
    assert_int_equal(0, system("rm -rf site && mv then site"));
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "the copy of its checkpoint");
    expect_text(command->err, "platebase audit restart");

    /* Beginning again looks at the copies, too, and mends what it is about. */
    run(command, "audit", "restart", "--data", "site", "--log", "site", "--yes", NULL);
    expect_exit(command, 0);
    ask(command);
    assert_int_equal(checkpoint_size(PRIVATE), checkpoint_size(copy));

    /* Where they are not there nothing is asked, until somebody says that there are none. */
    assert_int_equal(0, rename(outside, "elsewhere"));
    run(command, "search", WHO, "--data", "site", "--plate", "AB123CD", WINDOW, NULL);
    expect_exit(command, 1);
    expect_text(command->err, "mount it");
    run(command, "audit", "copies", "--none", "--data", "site", NULL);
    expect_exit(command, 0);
    ask(command);
    run(command, "audit", "copies", "--data", "site", NULL);
    expect_text(command->err, "not copied anywhere");
}

#define COMMAND_TEST(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(checkpoints_are_published_when_witnesses_have_signed_them),
        COMMAND_TEST(while_witnesses_are_away_answers_are_given_and_checkpoints_wait),
        COMMAND_TEST(a_directory_set_back_with_its_keys_is_stopped_by_its_witness),
        COMMAND_TEST(a_policy_is_refused_where_nobody_could_obey_it),
        COMMAND_TEST(a_policy_with_groups_is_put_in_place_as_a_file),
        COMMAND_TEST(checkpoints_are_copied_outside_and_compared_at_the_start),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("cli/witness", tests, NULL, NULL);
}
