/*
 * A real browser: Chromium with its virtual authenticator adds a passkey and signs in by it, over
 * the DevTools protocol on a pipe. Skipped where there is no Chromium.
 */
#include "api/ways.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "net/listen.h"

#define PATIENCE_OF_BROWSER_MS 60000

struct chromium {
    struct ways ways;
    char origin[64], profile[64];
    pid_t pid;
    int to, from; /* pipes; -1: none */
    int last_id;
    char *heard; /* owned: what came and was not taken yet */
    size_t heard_bytes;
    char session[128]; /* of DevTools: the page */
};

/* ---- the process ---- */

static const char *
find_chromium(char path[256])
{
    static const char *const names[] = { "chromium", "chromium-browser", "google-chrome" };
    const char *given = getenv("PB_CHROMIUM");

    if (given != NULL)
        return access(given, X_OK) == 0 ? given : NULL;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, 256, "/usr/bin/%s", names[i]);
        if (access(path, X_OK) == 0)
            return path;
    }
    return NULL;
}

/* Reads commands on 3 and answers on 4. */
static void
become_chromium(const char *path, const char *profile, int in, int out)
{
    char directory[128];
    int nowhere = open("/dev/null", O_RDWR);

    (void)snprintf(directory, sizeof(directory), "--user-data-dir=%s", profile);
    if (nowhere < 0 || dup2(in, 13) < 0 || dup2(out, 14) < 0 || dup2(13, 3) < 0 ||
        dup2(14, 4) < 0 || dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 || dup2(nowhere, 2) < 0)
        _exit(127);
    execl(path, path, "--headless=new", "--remote-debugging-pipe", "--no-first-run",
          "--disable-gpu", "--disable-dev-shm-usage", "--no-sandbox", "--disable-extensions",
          "--disable-background-networking", "--no-proxy-server", directory, "about:blank",
          (char *)NULL);
    _exit(127);
}

static void
start_chromium(struct chromium *chromium, const char *path)
{
    int commands[2], answers[2];

    (void)snprintf(chromium->profile, sizeof(chromium->profile), "/tmp/pb-chromium-XXXXXX");
    assert_non_null(mkdtemp(chromium->profile));
    assert_int_equal(0, pipe2(commands, O_CLOEXEC));
    assert_int_equal(0, pipe2(answers, O_CLOEXEC));
    chromium->pid = fork();
    assert_true(chromium->pid >= 0);
    if (chromium->pid == 0)
        become_chromium(path, chromium->profile, commands[0], answers[1]);
    (void)close(commands[0]);
    (void)close(answers[1]);
    chromium->to = commands[1];
    chromium->from = answers[0];
}

static void
stop_chromium(struct chromium *chromium)
{
    int status;

    if (chromium->pid <= 0)
        return;
    (void)close(chromium->to);
    (void)close(chromium->from);
    (void)kill(chromium->pid, SIGKILL);
    (void)waitpid(chromium->pid, &status, 0);
    (void)nftw(chromium->profile, service_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the protocol: JSON, a NUL behind each ---- */

static json_t *
next_message(struct chromium *chromium)
{
    for (;;) {
        char *end =
            chromium->heard_bytes > 0 ? memchr(chromium->heard, '\0', chromium->heard_bytes) : NULL;
        struct pollfd ready = { .fd = chromium->from, .events = POLLIN };
        ssize_t got;

        if (end != NULL) {
            size_t bytes = (size_t)(end - chromium->heard) + 1;
            json_t *message = json_loads(chromium->heard, 0, NULL);

            assert_non_null(message);
            memmove(chromium->heard, end + 1, chromium->heard_bytes - bytes);
            chromium->heard_bytes -= bytes;
            return message;
        }
        if (poll(&ready, 1, PATIENCE_OF_BROWSER_MS) != 1)
            fail_msg("the browser does not answer");
        chromium->heard = realloc(chromium->heard, chromium->heard_bytes + 65536);
        assert_non_null(chromium->heard);
        got = read(chromium->from, chromium->heard + chromium->heard_bytes, 65536);
        if (got <= 0)
            fail_msg("the browser has ended");
        chromium->heard_bytes += (size_t)got;
    }
}

/* Sends a command and waits for its result, which the caller frees. params: taken over. */
static json_t *
command(struct chromium *chromium, const char *method, json_t *params)
{
    json_t *message = json_pack("{s:i,s:s,s:o}", "id", ++chromium->last_id, "method", method,
                                "params", params != NULL ? params : json_object());
    char *text;

    assert_non_null(message);
    if (chromium->session[0] != '\0')
        (void)json_object_set_new(message, "sessionId", json_string(chromium->session));
    text = json_dumps(message, JSON_COMPACT);
    assert_non_null(text);
    assert_int_equal(strlen(text) + 1, write(chromium->to, text, strlen(text) + 1));
    free(text);
    json_decref(message);
    for (;;) {
        json_t *answer = next_message(chromium), *result;

        if (json_integer_value(json_object_get(answer, "id")) == chromium->last_id) {
            result = json_incref(json_object_get(answer, "result"));
            if (result == NULL) {
                text = json_dumps(answer, 0);
                fail_msg("%s: %s", method, text);
            }
            json_decref(answer);
            return result;
        }
        json_decref(answer);
    }
}

static void
do_command(struct chromium *chromium, const char *method, json_t *params)
{
    json_decref(command(chromium, method, params));
}

/* Runs a script in the page, with a person's gesture; the text that it comes to. */
static void
run(struct chromium *chromium, const char *script, char *ret_text, size_t room)
{
    json_t *result = command(chromium, "Runtime.evaluate",
                             json_pack("{s:s,s:b,s:b,s:b}", "expression", script, "awaitPromise", 1,
                                       "userGesture", 1, "returnByValue", 1));
    const char *text =
        json_string_value(json_object_get(json_object_get(result, "result"), "value"));

    if (text == NULL) {
        char *all = json_dumps(result, 0);

        fail_msg("%s", all);
    }
    (void)snprintf(ret_text, room, "%s", text);
    json_decref(result);
}

static void
open_page(struct chromium *chromium)
{
    json_t *made =
        command(chromium, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
    json_t *attached = command(chromium, "Target.attachToTarget",
                               json_pack("{s:O,s:b}", "targetId", json_object_get(made, "targetId"),
                                         "flatten", 1));
    char url[128];

    (void)snprintf(chromium->session, sizeof(chromium->session), "%s",
                   json_string_value(json_object_get(attached, "sessionId")));
    json_decref(made);
    json_decref(attached);
    do_command(chromium, "Page.enable", NULL);
    do_command(chromium, "Runtime.enable", NULL);
    /* Pages of this server load nothing and run nothing; here they lend their origin alone. */
    do_command(chromium, "Page.setBypassCSP", json_pack("{s:b}", "enabled", 1));
    (void)snprintf(url, sizeof(url), "%s/sign-in", chromium->origin);
    do_command(chromium, "Page.navigate", json_pack("{s:s}", "url", url));
    for (;;) {
        json_t *event = next_message(chromium);
        const char *method = json_string_value(json_object_get(event, "method"));
        bool is_loaded = method != NULL && strcmp(method, "Page.loadEventFired") == 0;

        json_decref(event);
        if (is_loaded)
            break;
    }
    do_command(chromium, "WebAuthn.enable", NULL);
    do_command(chromium, "WebAuthn.addVirtualAuthenticator",
               json_pack("{s:{s:s,s:s,s:b,s:b,s:b,s:b}}", "options", "protocol", "ctap2",
                         "transport", "internal", "hasResidentKey", 1, "hasUserVerification", 1,
                         "isUserVerified", 1, "automaticPresenceSimulation", 1));
}

/* ---- the case ---- */

static const char functions[] =
    "window.ask = async (method, path, body) => {"
    "  const reply = await fetch(path, {method, headers: {'Content-Type': 'application/json',"
    "    ...(window.csrf ? {'X-CSRF-Token': window.csrf} : {})},"
    "    body: body === undefined ? undefined : JSON.stringify(body)});"
    "  const json = await reply.json();"
    "  if (json.csrf) window.csrf = json.csrf;"
    "  return {status: reply.status, json};"
    "};"
    "window.consent = async () => (await ask('GET', '/v1/session/splash')).json.sha256;"
    "location.origin";
static const char add_passkey[] =
    "(async () => {"
    "  const options = (await ask('POST', '/v1/passkeys/options')).json;"
    "  const made = await navigator.credentials.create("
    "    {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)});"
    "  const reply = await ask('POST', '/v1/passkeys', {name: 'virtual', credential: "
    "made.toJSON()});"
    "  return reply.status + ' ' + JSON.stringify(reply.json);"
    "})()";
static const char sign_in[] =
    "(async () => {"
    "  window.csrf = undefined;"
    "  const options = (await ask('POST', '/v1/session/passkey/options')).json;"
    "  const used = await navigator.credentials.get("
    "    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});"
    "  const reply = await ask('POST', '/v1/session/passkey',"
    "    {consent: await consent(), credential: used.toJSON()});"
    "  return reply.status + ' ' + JSON.stringify(reply.json);"
    "})()";
static const char step_up[] =
    "(async () => {"
    "  const options = (await ask('POST', '/v1/session/step-up/passkey/options')).json;"
    "  const used = await navigator.credentials.get("
    "    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});"
    "  const reply = await ask('POST', '/v1/session/step-up/passkey', {credential: used.toJSON()});"
    "  return reply.status + ' ' + JSON.stringify(reply.json);"
    "})()";

static void
begin_by_link(struct chromium *chromium, char *text, size_t room)
{
    struct site_room *site = &chromium->ways.room;
    char code[PB_ACCOUNT_CODE_BYTES], script[512];

    room_expect(site, PB_OK,
                pb_api_account_link(site->env, site->site, (struct pb_str){ NULL, 0 },
                                    pb_str_from("doe"), code, &site->error),
                "link");
    (void)snprintf(script, sizeof(script),
                   "(async () => String((await ask('POST', '/v1/session', {code: '%s', consent: "
                   "await consent()})).status))()",
                   code);
    run(chromium, script, text, room);
}

static int
listen_anywhere(struct chromium *chromium)
{
    struct pb_peer any, address;
    struct pb_error error;
    int socket = -1;

    assert_int_equal(PB_OK, pb_listen_parse("127.0.0.1:0", &any, &error));
    assert_int_equal(PB_OK, pb_listen_open(&any, &socket, &error));
    assert_int_equal(PB_OK, pb_listen_adopt(socket, &address, &error));
    (void)snprintf(chromium->origin, sizeof(chromium->origin), "http://localhost:%u", address.port);
    return socket;
}

static void
a_browser_adds_a_passkey_and_signs_in_by_it(void **state)
{
    struct chromium *chromium = *state;
    char path[256], text[4096];
    const char *program = find_chromium(path);

    if (program == NULL) {
        print_message("no Chromium: skipped\n");
        skip();
    }
    chromium->ways.service.fixture.options.socket = listen_anywhere(chromium);
    chromium->ways.service.options.origin = chromium->origin;
    service_start(&chromium->ways.service);
    start_chromium(chromium, program);
    open_page(chromium);

    run(chromium, functions, text, sizeof(text));
    assert_string_equal(chromium->origin, text);
    begin_by_link(chromium, text, sizeof(text));
    assert_string_equal("201", text);
    run(chromium, add_passkey, text, sizeof(text));
    expect_in(text, "201 {");
    expect_in(text, "\"name\":\"virtual\"");
    run(chromium, "ask('DELETE', '/v1/session').then(reply => String(reply.status))", text,
        sizeof(text));
    assert_string_equal("200", text);

    run(chromium, sign_in, text, sizeof(text));
    expect_in(text, "201 {");
    expect_in(text, "\"methods\":[\"passkey\"]");
    expect_in(text, "\"person\":\"doe\"");
    run(chromium, step_up, text, sizeof(text));
    expect_in(text, "200 {");
}

static int
setup(void **state)
{
    struct chromium *chromium = calloc(1, sizeof(*chromium));

    assert_non_null(chromium);
    chromium->to = chromium->from = -1;
    ways_init(&chromium->ways);
    ways_account(&chromium->ways, "doe");
    *state = chromium;
    return 0;
}

static int
teardown(void **state)
{
    struct chromium *chromium = *state;

    stop_chromium(chromium);
    ways_done(&chromium->ways);
    free(chromium->heard);
    free(chromium);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_browser_adds_a_passkey_and_signs_in_by_it, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
