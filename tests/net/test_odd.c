/*
 * Odd requests: what strict servers refuse (RFC 9112, nginx), each on a socket of its own.
 *
 * After each a second, proper request follows in the same bytes. Whatever is refused must end the
 * connection before that one is answered: else what one server takes for a body, another
 * takes for a request.
 */
#include "net/client.h"

#define NEXT "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"

/* From 1.0 on the library ends the connection without a word. */
#define STRICT_IS_SILENT 0x1000

struct odd {
    const char *what;
    const char *bytes;
    size_t count; /* 0: strlen(bytes) */
    int status;   /* 0: closed without a word; may have STRICT_IS_SILENT */
};

static const struct odd odd_ones[] = {
    /* line ends */
    { "bare LF behind the request line", "GET /hello HTTP/1.1\nHost: test\r\n\r\n", 0, 400 },
    { "bare LF behind a header", "GET /hello HTTP/1.1\r\nHost: test\nX: y\r\n\r\n", 0, 400 },
    { "bare LF as the empty line", "GET /hello HTTP/1.1\r\nHost: test\r\n\n", 0, 400 },
    { "bare LF behind the last header", "GET /hello HTTP/1.1\r\nHost: test\n\r\n", 0, 400 },
    { "bare LFs everywhere", "GET /hello HTTP/1.1\nHost: test\n\n", 0, 400 },
    { "bare CR in a value", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\rb\r\n\r\n", 0, 400 },
    { "CR CR LF", "GET /hello HTTP/1.1\r\nHost: test\r\r\n\r\n", 0, 400 },
    { "a header hidden behind a bare LF",
      "GET /hello HTTP/1.1\r\nHost: test\r\nX: y\nContent-Length: 38\r\n\r\n", 0, 400 },
    /* folded lines */
    { "folded with a space", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n", 0, 400 },
    { "folded with a tab", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\r\n\tb\r\n\r\n", 0, 400 },
    { "folded to nothing", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\r\n \r\n\r\n", 0, 400 },
    { "folded first header", "GET /hello HTTP/1.1\r\n Host: test\r\nHost: test\r\n\r\n", 0, 400 },
    { "folded length", "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n 5\r\n\r\nabcde", 0,
      400 },
    /* names and values */
    { "space before the colon", "GET /hello HTTP/1.1\r\nHost : test\r\n\r\n", 0, 400 },
    { "tab before the colon",
      "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length\t: 5\r\n\r\nabcde", 0, 400 },
    { "no colon", "GET /hello HTTP/1.1\r\nHost: test\r\nX\r\n\r\n", 0, 400 },
    { "no name", "GET /hello HTTP/1.1\r\nHost: test\r\n: y\r\n\r\n", 0, 400 },
    { "a name with a slash", "GET /hello HTTP/1.1\r\nHost: test\r\nA/B: y\r\n\r\n", 0, 400 },
    { "a name with a space", "GET /hello HTTP/1.1\r\nHost: test\r\nA B: y\r\n\r\n", 0, 400 },
    { "a name beyond ASCII", "GET /hello HTTP/1.1\r\nHost: test\r\n\xC3\xA9: y\r\n\r\n", 0, 400 },
    { "a control character in a value", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\x01\r\n\r\n", 0,
      400 },
    { "DEL in a value", "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\x7F\r\n\r\n", 0, 400 },
#define NUL_VALUE "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n"
    { "NUL in a value", NUL_VALUE, sizeof(NUL_VALUE) - 1, 400 },
#define NUL_NAME "GET /hello HTTP/1.1\r\nHost: test\r\nX\0: b\r\n\r\n"
    { "NUL in a name", NUL_NAME, sizeof(NUL_NAME) - 1, 400 },
#define NUL_TARGET "GET /hello\0x HTTP/1.1\r\nHost: test\r\n\r\n"
    { "NUL in the target", NUL_TARGET, sizeof(NUL_TARGET) - 1, 400 | STRICT_IS_SILENT },
#define NUL_METHOD "GET\0 /hello HTTP/1.1\r\nHost: test\r\n\r\n"
    { "NUL in the method", NUL_METHOD, sizeof(NUL_METHOD) - 1, 400 | STRICT_IS_SILENT },
#define NUL_LENGTH "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\0000\r\n\r\nabcde"
    { "NUL in a length", NUL_LENGTH, sizeof(NUL_LENGTH) - 1, 400 },
    /* the request line */
    { "two spaces before the target", "GET  /hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "two spaces behind the target", "GET /hello  HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "a tab before the target", "GET\t/hello HTTP/1.1\r\nHost: test\r\n\r\n", 0,
      400 | STRICT_IS_SILENT },
    { "a space behind the version", "GET /hello HTTP/1.1 \r\nHost: test\r\n\r\n", 0, 400 },
    { "a space in the target", "GET /hel lo HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "a space before the method", " GET /hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 0 },
    { "a method that is no token", "G@T /hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "no target", "GET HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "HTTP/0.9", "GET /hello\r\n", 0, 400 },
    { "HTTP/1.2", "GET /hello HTTP/1.2\r\nHost: test\r\n\r\n", 0, 505 },
    { "HTTP/2.0", "GET /hello HTTP/2.0\r\nHost: test\r\n\r\n", 0, 505 },
    { "http/1.1", "GET /hello http/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "HTTP/1.10", "GET /hello HTTP/1.10\r\nHost: test\r\n\r\n", 0, 400 },
    { "HTTP/01.1", "GET /hello HTTP/01.1\r\nHost: test\r\n\r\n", 0, 400 },
    /* targets */
    { "absolute form", "GET http://test/hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "authority form", "CONNECT test:443 HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "asterisk form", "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "a fragment", "GET /hello#x HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "dots", "GET /at/../hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "escaped dots", "GET /at/%2e%2e/hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "an escaped slash", "GET /at%2Fhello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "an escaped NUL", "GET /hello%00 HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "half an escape", "GET /hello%4 HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "an escape that is none", "GET /hello%zz HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "a backslash", "GET /at\\hello HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "bytes that are not UTF-8", "GET /hello%ff HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    { "bytes beyond ASCII", "GET /hello\xC3\xA9 HTTP/1.1\r\nHost: test\r\n\r\n", 0, 400 },
    /* Host */
    { "no Host", "GET /hello HTTP/1.1\r\n\r\n", 0, 400 },
    { "two Hosts", "GET /hello HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n", 0, 400 },
    { "the same Host twice", "GET /hello HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n", 0, 400 },
    { "an empty Host", "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 0, 400 },
    { "a Host with a path", "GET /hello HTTP/1.1\r\nHost: test/x\r\n\r\n", 0, 400 },
    { "a Host with a user", "GET /hello HTTP/1.1\r\nHost: a@test\r\n\r\n", 0, 400 },
    { "a Host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 0, 400 },
/* framing */
#define POST "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\n"
    { "chunked and a length",
      POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 0, 400 },
    { "a length and chunked",
      POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400 },
    { "two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 0, 400 },
    { "the same length twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 0, 400 },
    { "lengths in a list", POST "Content-Length: 5, 5\r\n\r\nabcde", 0, 400 },
    { "a signed length", POST "Content-Length: +5\r\n\r\nabcde", 0, 400 },
    { "a negative length", POST "Content-Length: -5\r\n\r\nabcde", 0, 400 },
    { "a hexadecimal length", POST "Content-Length: 0x5\r\n\r\nabcde", 0, 400 },
    { "an empty length", POST "Content-Length:\r\n\r\nabcde", 0, 400 },
    { "a length with a space in it", POST "Content-Length: 5 5\r\n\r\nabcde", 0, 400 },
    { "a length beyond 64 bits", POST "Content-Length: 99999999999999999999\r\n\r\nabcde", 0, 413 },
    { "a length of 19 digits", POST "Content-Length: 0000000000000000005\r\n\r\nabcde", 0, 400 },
    { "two codings",
      POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400 },
    { "a coding that is not ours", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0,
      400 },
    { "identity", POST "Transfer-Encoding: identity\r\n\r\nabcde", 0, 400 },
    { "chunked in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 0, 400 },
    { "chunked behind a vertical tab",
      POST "Transfer-Encoding: \x0B"
           "chunked\r\n\r\n0\r\n\r\n",
      0, 400 },
    { "chunked in HTTP/1.0",
      "POST /echo HTTP/1.0\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\n",
      0, 400 },
    { "an expectation that is not ours", POST "Content-Length: 5\r\nExpect: 200-ok\r\n\r\nabcde", 0,
      417 },
/* chunks */
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
    { "a size that is no number", CHUNKED "x\r\nabcde\r\n0\r\n\r\n", 0, 400 },
    { "a signed size", CHUNKED "+5\r\nabcde\r\n0\r\n\r\n", 0, 400 },
    { "a negative size", CHUNKED "-5\r\nabcde\r\n0\r\n\r\n", 0, 400 },
    { "a size with 0x", CHUNKED "0x5\r\nabcde\r\n0\r\n\r\n", 0, 400 },
    { "a size beyond 64 bits", CHUNKED "fffffffffffffffff\r\nabcde\r\n0\r\n\r\n", 0, 413 },
    { "a size with a space before it", CHUNKED " 5\r\nabcde\r\n0\r\n\r\n", 0, 400 },
    { "more than the size says", CHUNKED "5\r\nabcdef\r\n0\r\n\r\n", 0, 400 },
    { "an empty size", CHUNKED "\r\nabcde\r\n0\r\n\r\n", 0, 400 },
};

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    assert_non_null(fixture);
    fixture_init(fixture, pb_env_system());
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture_done(fixture);
    free(fixture);
    return 0;
}

static int
wanted_status(const struct odd *odd)
{
    if ((odd->status & STRICT_IS_SILENT) != 0 && library_is_strict())
        return 0;
    return odd->status & ~STRICT_IS_SILENT;
}

static void
send_odd(const struct fixture *fixture, const struct odd *odd, struct client *client)
{
    size_t count = odd->count > 0 ? odd->count : strlen(odd->bytes);

    *client = client_connect(fixture);
    (void)(client_send(client, odd->bytes, count) && client_say(client, NEXT));
    /* So that a server that waits for more sees that there is none. */
    (void)shutdown(client->file, SHUT_WR);
    client_receive_all(client);
}

static void
odd_requests_are_refused_and_end_their_connection(void **state)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof(odd_ones) / sizeof(odd_ones[0]); i++) {
        const struct odd *odd = &odd_ones[i];
        struct client client;
        int status;

        send_odd(*state, odd, &client);
        status = client_reply(&client);
        if (status != wanted_status(odd) || strstr(client.text, "hello\n") != NULL) {
            print_error("%s: %d instead of %d: %s\n", odd->what, status, wanted_status(odd),
                        client.text);
            wrong++;
        }
        client_close(&client);
    }
    assert_int_equal(0, wrong);
    assert_int_equal(200, status_of(*state, NEXT));
}

/* In one write and byte by byte the same must come of it. */
static void
odd_requests_are_refused_however_they_are_cut(void **state)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof(odd_ones) / sizeof(odd_ones[0]); i++) {
        const struct odd *odd = &odd_ones[i];
        size_t count = odd->count > 0 ? odd->count : strlen(odd->bytes);
        struct client client = client_connect(*state);
        int one = 1;

        (void)setsockopt(client.file, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
        for (size_t at = 0; at < count; at++) {
            if (!client_send(&client, odd->bytes + at, 1))
                break;
        }
        (void)shutdown(client.file, SHUT_WR);
        client_receive_all(&client);
        /* What is sent after a refusal may reset the connection before that is read. */
        if (client_reply(&client) != wanted_status(odd) && client_reply(&client) != 0) {
            print_error("%s: %s\n", odd->what, client.text);
            wrong++;
        }
        client_close(&client);
    }
    assert_int_equal(0, wrong);
}

/* Proper, if not usual: these must be served. */
static void
unusual_but_proper_requests_are_served(void **state)
{
    static const char *const requests[] = {
        "\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /hello HTTP/1.1\r\nhOsT:test\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: \t test \t \r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nX:\r\nY: \r\nZ: a: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nX: \xE4\xF6\r\nHost: test\r\n\r\n",
        "GET /h%65llo HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /hello? HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n",
        "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nCookie: a=b; c=d\r\nCookie: e\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct client client;

        if (ask(*state, &client, requests[i]) != 200)
            fail_msg("%s\n-> %s", requests[i], client.text);
        assert_string_equal("hello\n", client_body(&client));
        client_close(&client);
    }
}

/* Copies text with its NUL; returns the length. */
static size_t
put(char *at, const char *text)
{
    size_t bytes = strlen(text);

    memcpy(at, text, bytes + 1);
    return bytes;
}

/* `count` headers, or one of so many bytes. */
static int
status_with_headers(const struct fixture *fixture, unsigned count, size_t bytes)
{
    char *request = malloc(count * 16 + bytes + 200), *at = request;
    int status;

    at += put(at, "GET /hello HTTP/1.1\r\nHost: test\r\n");
    for (unsigned i = 0; i < count; i++)
        at += put(at, "X: y\r\n");
    if (bytes > 0) {
        at += put(at, "Long: ");
        memset(at, 'x', bytes);
        at += bytes;
        at += put(at, "\r\n");
    }
    (void)put(at, "\r\n");
    status = status_of(fixture, request);
    free(request);
    return status;
}

static void
heads_have_a_bound(void **state)
{
    assert_int_equal(200, status_with_headers(*state, 99, 0));
    assert_int_equal(431, status_with_headers(*state, 100, 0));
    assert_int_equal(200, status_with_headers(*state, 0, 16000));
    assert_int_equal(431, status_with_headers(*state, 0, 16400));
    assert_int_equal(431, status_with_headers(*state, 0, 100000));
    assert_int_equal(431, status_with_headers(*state, 20000, 0));
}

static void
targets_have_a_bound(void **state)
{
    static const struct {
        size_t bytes;
        int status;
    } cases[] = { { 8000, 200 }, { 8192, 414 }, { 40000, 414 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *request = malloc(cases[i].bytes + 100), *at = request;

        at += put(at, "GET /hello?x=");
        memset(at, 'y', cases[i].bytes);
        at += cases[i].bytes;
        (void)put(at, " HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_int_equal(cases[i].status, status_of(*state, request));
        free(request);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(odd_requests_are_refused_and_end_their_connection),
        CASE(odd_requests_are_refused_however_they_are_cut),
        CASE(unusual_but_proper_requests_are_served),
        CASE(heads_have_a_bound),
        CASE(targets_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
