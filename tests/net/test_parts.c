/*
 * The server's parts on their own: targets, routes, heads, addresses, replies, metrics, log lines.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/head.h"
#include "net/listen.h"
#include "net/log.h"
#include "net/metrics.h"
#include "net/router.h"
#include "net/target.h"
#include "support/fault_env.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- targets ---- */

static void
targets_are_decoded_or_refused(void **state)
{
    static const struct {
        const char *text, *path; /* path NULL: refused */
        const char *query;       /* as "a=b;c=d" */
        uint32_t segments;
    } cases[] = {
        { "/", "/", "", 0 },
        { "/a", "/a", "", 1 },
        { "/a/", "/a/", "", 2 },
        { "//a", "//a", "", 2 },
        { "/a/b", "/a/b", "", 2 },
        { "/a%20b/%7Ec", "/a b/~c", "", 2 },
        { "/%C3%A9", "/\xC3\xA9", "", 1 },
        { "/a;b=c,d@e:f", "/a;b=c,d@e:f", "", 1 },
        { "/a?", "/a", "", 1 },
        { "/a?b", "/a", "b=", 1 },
        { "/a?b=", "/a", "b=", 1 },
        { "/a?b=c&d=e", "/a", "b=c;d=e", 1 },
        { "/a?b=c=d", "/a", "b=c=d", 1 },
        { "/a?b=1+2%2B3", "/a", "b=1 2+3", 1 },
        { "/a?b=%26%3D/?", "/a", "b=&=/?", 1 },
        { "/a?b=c?d", "/a", "b=c?d", 1 },
        { "/.../..a", "/.../..a", "", 2 },
        { "", NULL, NULL, 0 },
        { "a", NULL, NULL, 0 },
        { "*", NULL, NULL, 0 },
        { "?a", NULL, NULL, 0 },
        { "http://a/b", NULL, NULL, 0 },
        { "/.", NULL, NULL, 0 },
        { "/..", NULL, NULL, 0 },
        { "/a/../b", NULL, NULL, 0 },
        { "/%2E%2e/b", NULL, NULL, 0 },
        { "/a%2Fb", NULL, NULL, 0 },
        { "/a%00", NULL, NULL, 0 },
        { "/a%1F", NULL, NULL, 0 },
        { "/a%7f", NULL, NULL, 0 },
        { "/a%", NULL, NULL, 0 },
        { "/a%4", NULL, NULL, 0 },
        { "/a%G0", NULL, NULL, 0 },
        { "/a%0G", NULL, NULL, 0 },
        { "/%FF", NULL, NULL, 0 },
        { "/%C3", NULL, NULL, 0 },
        { "/%ED%A0%80", NULL, NULL, 0 },
        { "/a b", NULL, NULL, 0 },
        { "/a#b", NULL, NULL, 0 },
        { "/a\\b", NULL, NULL, 0 },
        { "/a|b", NULL, NULL, 0 },
        { "/a\"b", NULL, NULL, 0 },
        { "/a[b]", NULL, NULL, 0 },
        { "/\xC3\xA9", NULL, NULL, 0 },
        { "/a?=b", NULL, NULL, 0 },
        { "/a?&", NULL, NULL, 0 },
        { "/a?b&&c", NULL, NULL, 0 },
        { "/a?b=%00", NULL, NULL, 0 },
        { "/a?b=%0A", NULL, NULL, 0 },
        { "/a?b=%zz", NULL, NULL, 0 },
        { "/a?%ff=b", NULL, NULL, 0 },
        { "/a?b=%ff", NULL, NULL, 0 },
        { "/a?b={", NULL, NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_target target = { .segment_count = 99 };
        struct pb_arena arena;
        char query[128] = "";
        enum pb_status status;

        pb_arena_init(&arena, pb_env_system(), 256);
        status = pb_target_parse(&arena, pb_str_from(cases[i].text), &target);
        if ((status == PB_OK) != (cases[i].path != NULL))
            fail_msg("%s: %s", cases[i].text, pb_status_name(status));
        if (status != PB_OK) {
            assert_int_equal(PB_BAD_INPUT, status);
            assert_int_equal(99, target.segment_count);
            pb_arena_clear(&arena);
            continue;
        }
        assert_true(pb_str_equal(pb_str_from(cases[i].path), target.path));
        assert_int_equal(cases[i].segments, target.segment_count);
        for (uint32_t at = 0; at < target.query_count; at++) {
            const struct pb_pair *pair = &target.query[at];
            size_t used = strlen(query);

            (void)snprintf(query + used, sizeof(query) - used, "%s%.*s=%.*s", at > 0 ? ";" : "",
                           (int)pair->name.bytes, pair->name.text, (int)pair->value.bytes,
                           pair->value.text);
        }
        assert_string_equal(cases[i].query, query);
        pb_arena_clear(&arena);
    }
}

static enum pb_status
parse_repeated(const char *first, const char *again, unsigned count)
{
    char *text = calloc(1, strlen(first) + strlen(again) * count + 1), *at = text;
    struct pb_arena arena;
    struct pb_target target;
    enum pb_status status;

    assert_non_null(text);
    memcpy(at, first, strlen(first));
    at += strlen(first);
    for (unsigned i = 0; i < count; i++, at += strlen(again))
        memcpy(at, again, strlen(again));
    pb_arena_init(&arena, pb_env_system(), 256);
    status = pb_target_parse(&arena, pb_str_from(text), &target);
    pb_arena_clear(&arena);
    free(text);
    return status;
}

static void
targets_have_bounds(void **state)
{
    (void)state;
    assert_int_equal(PB_OK, parse_repeated("", "/a", PB_NET_SEGMENTS_MAX));
    assert_int_equal(PB_OVER_LIMIT, parse_repeated("", "/a", PB_NET_SEGMENTS_MAX + 1));
    assert_int_equal(PB_OK, parse_repeated("/?a", "&b=c", PB_NET_QUERY_MAX - 1));
    assert_int_equal(PB_OVER_LIMIT, parse_repeated("/?a", "&b=c", PB_NET_QUERY_MAX));
}

static void
targets_need_memory_or_say_so(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_arena arena;
        struct pb_target target;
        char text[3000];

        memset(text, 'a', sizeof(text));
        text[0] = '/';
        text[1500] = '?';
        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        pb_arena_init(&arena, &fault.env, 256);
        status = pb_target_parse(&arena, (struct pb_str){ text, sizeof(text) }, &target);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_arena_clear(&arena);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 20);
}

/* ---- routes ---- */

static const struct pb_route routes[] = {
    { .name = "rest", .path = "/logs/{log}/tile/{rest+}" },
    { .name = "one", .path = "/logs/{log}" },
    { .name = "all", .path = "/logs" },
    { .name = "add", .method = PB_METHOD_POST, .path = "/logs" },
    { .name = "root", .path = "/" },
    { .name = "new", .path = "/logs/new" },
    { .name = "drop", .method = PB_METHOD_DELETE, .path = "/logs/{log}" },
    { .name = "head", .path = "/logs/{log}/head" },
    { .name = "any", .method = PB_METHOD_PUT, .path = "/{what}" },
    { .name = "zebra", .path = "/zebra/stripes" },
};

static void
the_closest_route_is_found_whatever_the_order(void **state)
{
    static const struct {
        enum pb_method method;
        const char *path, *name; /* name NULL: none */
        const char *params;
        unsigned allowed;
    } cases[] = {
        { PB_METHOD_GET, "/", "root", "", 0 },
        { PB_METHOD_GET, "/logs", "all", "", 0 },
        { PB_METHOD_POST, "/logs", "add", "", 0 },
        { PB_METHOD_GET, "/logs/new", "new", "", 0 },
        { PB_METHOD_GET, "/logs/old", "one", "log=old;", 0 },
        { PB_METHOD_DELETE, "/logs/old", "drop", "log=old;", 0 },
        { PB_METHOD_GET, "/logs/a/head", "head", "log=a;", 0 },
        { PB_METHOD_GET, "/logs/a/tile/0/x001/002", "rest", "log=a;rest=0/x001/002;", 0 },
        { PB_METHOD_GET, "/logs/a/tile/b", "rest", "log=a;rest=b;", 0 },
        { PB_METHOD_GET, "/logs/a/tile/b//", "rest", "log=a;rest=b//;", 0 },
        { PB_METHOD_PUT, "/what", "any", "what=what;", 0 },
        { PB_METHOD_GET, "/zebra/stripes", "zebra", "", 0 },
        { PB_METHOD_PUT, "/logs", NULL, "", 1u << PB_METHOD_GET | 1u << PB_METHOD_POST },
        { PB_METHOD_PUT, "/logs/a", NULL, "", 1u << PB_METHOD_GET | 1u << PB_METHOD_DELETE },
        { PB_METHOD_COUNT, "/zebra", NULL, "", 1u << PB_METHOD_PUT },
        { PB_METHOD_GET, "/logs/", NULL, "", 0 },
        { PB_METHOD_GET, "/logs/a/", NULL, "", 0 },
        { PB_METHOD_GET, "/logs/a/tile", NULL, "", 0 },
        { PB_METHOD_GET, "/logs/a/tile/", NULL, "", 0 },
        { PB_METHOD_GET, "/logs//tile/b", NULL, "", 0 },
        { PB_METHOD_GET, "/zebra/stripes/more", NULL, "", 0 },
        { PB_METHOD_GET, "/aaa/bbb", NULL, "", 0 },
        { PB_METHOD_GET, "/zzz/bbb", NULL, "", 0 },
    };
    struct pb_router *router = NULL;
    struct pb_error error;

    (void)state;
    assert_int_equal(PB_OK,
                     pb_router_new(pb_env_system(), routes, COUNT_OF(routes), &router, &error));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_arena arena;
        struct pb_target target;
        struct pb_match match;
        unsigned allowed = 0;
        char params[128] = "";
        enum pb_status status;

        pb_arena_init(&arena, pb_env_system(), 256);
        assert_int_equal(PB_OK, pb_target_parse(&arena, pb_str_from(cases[i].path), &target));
        status = pb_router_find(router, &arena, cases[i].method, &target, &match, &allowed);
        if ((status == PB_OK) != (cases[i].name != NULL) ||
            (status != PB_OK && (status != (cases[i].allowed != 0 ? PB_CONFLICT : PB_NOT_FOUND) ||
                                 allowed != cases[i].allowed)))
            fail_msg("%s: %s, allowed %x", cases[i].path, pb_status_name(status), allowed);
        if (status == PB_OK) {
            assert_string_equal(cases[i].name, match.route->name);
            assert_ptr_equal(&routes[match.route_index], match.route);
            for (uint32_t at = 0; at < match.param_count; at++) {
                size_t used = strlen(params);

                (void)snprintf(params + used, sizeof(params) - used, "%.*s=%.*s;",
                               (int)match.params[at].name.bytes, match.params[at].name.text,
                               (int)match.params[at].value.bytes, match.params[at].value.text);
            }
            assert_string_equal(cases[i].params, params);
        }
        pb_arena_clear(&arena);
    }
    pb_router_free(router);
}

static void
route_tables_that_are_no_good_are_refused(void **state)
{
    static const char *const paths[] = {
        "", "a", "/a/", "//", "/{a", "/a}b{c", "/{}", "/{+}", "/{a+}/b", "/{A}", "/{a b}", "/x{a}",
    };
    const struct pb_route twice[] = {
        { .name = "first", .path = "/a/{b}" },
        { .name = "second", .path = "/a/{c}" },
    };
    struct pb_router *router = NULL;
    struct pb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const struct pb_route route = { .name = "odd", .path = paths[i] };

        if (pb_router_new(pb_env_system(), &route, 1, &router, &error) != PB_BAD_INPUT)
            fail_msg("taken: %s", paths[i]);
        assert_non_null(strstr(error.message, "odd"));
    }
    assert_int_equal(PB_BAD_INPUT, pb_router_new(pb_env_system(), twice, 2, &router, &error));
    assert_non_null(strstr(error.message, "first and second are the same"));
    assert_null(router);
    pb_router_free(NULL);
}

static void
routers_need_memory_or_say_so(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_router *router = NULL;
        struct pb_error error;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_router_new(&fault.env, routes, COUNT_OF(routes), &router, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_router_free(router);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 20);
}

/* ---- heads ---- */

static void
the_layout_shows_what_stood_between_the_parts(void **state)
{
    /* How the library leaves "GET /a HTTP/1.1", "Host: t" and "X:y", with NULs for separators. */
    static const char good[] = "GET\0/a\0HTTP/1.1\0\0Host\0 t\0\0X\0y\0\0\0";
    struct pb_pair fields[2] = {
        { { good + 17, 4 }, { good + 23, 1 } },
        { { good + 26, 1 }, { good + 28, 1 } },
    };
    struct pb_head_layout layout = {
        .method = { good, 3 },
        .target = { good + 4, 2 },
        .version = { good + 7, 8 },
        .fields = fields,
        .field_count = 2,
        .end = good + 33,
    };
    struct pb_head_layout other;

    (void)state;
    assert_true(pb_head_is_canonical(&layout));
    other = layout;
    other.end--; /* a bare line feed somewhere behind the last value */
    assert_false(pb_head_is_canonical(&other));
    other = layout;
    other.method.bytes--;
    assert_false(pb_head_is_canonical(&other));
    other = layout;
    other.target.bytes--;
    assert_false(pb_head_is_canonical(&other));
    other = layout;
    other.version.bytes--;
    assert_false(pb_head_is_canonical(&other));
    other = layout;
    other.field_count = 1;
    assert_false(pb_head_is_canonical(&other));
    fields[0].value.bytes = 0; /* cut short, as by a NUL */
    assert_false(pb_head_is_canonical(&layout));
    fields[0].value = (struct pb_str){ good + 20, 1 }; /* before its colon */
    assert_false(pb_head_is_canonical(&layout));
    fields[0].value = (struct pb_str){ good + 28, 1 }; /* beyond: a folded line was moved */
    assert_false(pb_head_is_canonical(&layout));
    fields[0].value = (struct pb_str){ "elsewhere", 9 };
    assert_false(pb_head_is_canonical(&layout));
    fields[0] = (struct pb_pair){ { good + 17, 4 }, { good + 22, 2 } };
    assert_true(pb_head_is_canonical(&layout));
}

static void
types_are_compared_without_parameters_and_case(void **state)
{
    (void)state;
    assert_true(pb_head_is_type(pb_str_from("application/json"), "application/json"));
    assert_true(pb_head_is_type(pb_str_from("Application/JSON"), "application/json"));
    assert_true(pb_head_is_type(pb_str_from("application/json ; charset=x"), "application/json"));
    assert_false(pb_head_is_type(pb_str_from("application/jso"), "application/json"));
    assert_false(pb_head_is_type(pb_str_from("application/json2"), "application/json"));
    assert_false(pb_head_is_type(pb_str_from("text/plain; application/json"), "application/json"));
    assert_false(pb_head_is_type(pb_str_from(""), "application/json"));
}

static void
every_method_has_its_name(void **state)
{
    bool is_head;

    (void)state;
    for (unsigned i = 0; i < PB_METHOD_COUNT; i++) {
        struct pb_str text = pb_str_from(pb_method_name((enum pb_method)i));

        assert_int_equal(i, pb_head_method(text, &is_head));
        assert_false(is_head);
    }
    assert_int_equal(PB_METHOD_GET, pb_head_method(pb_str_from("HEAD"), &is_head));
    assert_true(is_head);
    assert_int_equal(PB_METHOD_COUNT, pb_head_method(pb_str_from("GETT"), &is_head));
    assert_int_equal(PB_METHOD_COUNT, pb_head_method(pb_str_from("TRACE"), &is_head));
}

/* ---- addresses ---- */

static void
addresses_to_listen_on_are_read_or_refused(void **state)
{
    static const struct {
        const char *text, *address; /* NULL: refused */
        unsigned port;
        bool is_loopback;
    } cases[] = {
        { "127.0.0.1:8080", "127.0.0.1", 8080, true },
        { "127.9.9.9:1", "127.9.9.9", 1, true },
        { "localhost:0", "127.0.0.1", 0, true },
        { "[::1]:8443", "::1", 8443, true },
        { "192.0.2.1:65535", "192.0.2.1", 65535, false },
        { "0.0.0.0:80", "0.0.0.0", 80, false },
        { "*:443", "::", 443, false },
        { "[2001:db8::1]:443", "2001:db8::1", 443, false },
        { "[::]:443", "::", 443, false },
        { "[::ffff:127.0.0.1]:443", "127.0.0.1", 443, true },
        { "[::ffff:192.0.2.1]:443", "192.0.2.1", 443, false },
        { "", NULL, 0, false },
        { "8080", NULL, 0, false },
        { ":8080", NULL, 0, false },
        { "127.0.0.1", NULL, 0, false },
        { "127.0.0.1:", NULL, 0, false },
        { "127.0.0.1:65536", NULL, 0, false },
        { "127.0.0.1:123456", NULL, 0, false },
        { "127.0.0.1:80x", NULL, 0, false },
        { "127.0.0.1:-1", NULL, 0, false },
        { "127.1:80", NULL, 0, false },
        { "::1:8080", NULL, 0, false },
        { "[::1:8080", NULL, 0, false },
        { "[]:80", NULL, 0, false },
        { "[::1]]:80", NULL, 0, false },
        { "example.org:80", NULL, 0, false },
        { "[1:2:3:4:5:6:7:8:1:2:3:4:5:6:7:8:1:2:3:4:5:6:7:8]:80", NULL, 0, false },
        { "1111111111111111111111111111111111111111111111111111:80", NULL, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_peer peer;
        struct pb_error error = { "" };
        char text[PB_PEER_TEXT_BYTES];
        enum pb_status status = pb_listen_parse(cases[i].text, &peer, &error);

        if ((status == PB_OK) != (cases[i].address != NULL))
            fail_msg("%s: %s", cases[i].text, pb_status_name(status));
        if (status != PB_OK) {
            assert_int_equal(PB_BAD_INPUT, status);
            assert_non_null(strstr(error.message, "127.0.0.1:8080"));
            continue;
        }
        pb_peer_text(&peer, text);
        assert_string_equal(cases[i].address, text);
        assert_int_equal(cases[i].port, peer.port);
        assert_int_equal(cases[i].is_loopback, pb_listen_is_loopback(&peer));
    }
}

static void
only_a_socket_that_listens_is_adopted(void **state)
{
    struct pb_peer address, adopted;
    struct pb_error error;
    int pair[2], listening, file = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(PB_BAD_INPUT, pb_listen_adopt(file, &adopted, &error));
    assert_int_equal(0, close(file));
    assert_int_equal(PB_BAD_INPUT, pb_listen_adopt(file, &adopted, &error));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    assert_int_equal(PB_BAD_INPUT, pb_listen_adopt(pair[0], &adopted, &error));
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(PB_OK, pb_listen_parse("127.0.0.1:0", &address, &error));
    assert_int_equal(PB_OK, pb_listen_open(&address, &listening, &error));
    assert_int_equal(PB_OK, pb_listen_adopt(listening, &adopted, &error));
    assert_true(adopted.port > 0);
    assert_true(pb_listen_is_loopback(&adopted));
    /* An address that is taken is said to be. */
    assert_int_equal(PB_E_IO, pb_listen_open(&adopted, &file, &error));
    assert_non_null(strstr(error.message, "cannot listen on 127.0.0.1 port"));
    (void)close(listening);
}

/* ---- replies ---- */

static struct pb_reply
new_reply(struct pb_arena *arena)
{
    struct pb_reply reply;

    pb_arena_init(arena, pb_env_system(), 256);
    pb_reply_init(&reply, pb_env_system(), arena);
    return reply;
}

static void
json_strings_are_escaped_so_that_nothing_gets_out(void **state)
{
    static const struct {
        struct pb_str text;
        const char *json;
    } cases[] = {
        { { "", 0 }, "\"\"" },
        { { "plain", 5 }, "\"plain\"" },
        { { "a\"b\\c", 5 }, "\"a\\\"b\\\\c\"" },
        { { "\n\t\x01\x7F", 4 }, "\"\\u000a\\u0009\\u0001\\u007f\"" },
        { { "a\0b", 3 }, "\"a\\u0000b\"" },
        { { "<script>", 8 }, "\"\\u003cscript>\"" },
        { { "\xC3\xA9", 2 }, "\"\xC3\xA9\"" },
        { { "\xC3", 1 }, "\"\xEF\xBF\xBD\"" },
        { { "\xFFx\xC3(", 4 }, "\"\xEF\xBF\xBDx\xEF\xBF\xBD(\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_arena arena;
        struct pb_reply reply = new_reply(&arena);

        pb_reply_put_json(&reply, cases[i].text);
        assert_int_equal(strlen(cases[i].json), reply.body_bytes);
        assert_memory_equal(cases[i].json, reply.body, reply.body_bytes);
        pb_reply_done(&reply);
        pb_arena_clear(&arena);
    }
}

static void
headers_cannot_be_split(void **state)
{
    static const char *const values[] = { "a\r\nb: c", "a\nb", "a\rb", "a\x01", "\x7F" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct pb_arena arena;
        struct pb_reply reply = new_reply(&arena);

        pb_reply_header(&reply, "X-Name", pb_str_from(values[i]));
        assert_true(reply.is_broken);
        assert_int_equal(0, reply.headers[0].value.bytes);
        pb_reply_done(&reply);
        pb_arena_clear(&arena);
    }
}

static void
a_header_is_there_once_with_its_last_value(void **state)
{
    struct pb_arena arena;
    struct pb_reply reply = new_reply(&arena);

    (void)state;
    pb_reply_header(&reply, "X-Name", pb_str_from("one"));
    pb_reply_header(&reply, "X-Other", pb_str_from(""));
    pb_reply_header(&reply, "x-name", pb_str_from("two"));
    assert_int_equal(2, reply.header_count);
    assert_string_equal("two", reply.headers[0].value.text);
    assert_false(reply.is_broken);
    pb_reply_done(&reply);
    pb_arena_clear(&arena);
}

static void
a_reply_without_memory_is_broken_and_not_short(void **state)
{
    bool is_whole = false;
    uint64_t fail_at = 0;

    (void)state;
    while (!is_whole) {
        struct fault_env fault;
        struct pb_arena arena;
        struct pb_reply reply;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        pb_arena_init(&arena, &fault.env, 256);
        pb_reply_init(&reply, &fault.env, &arena);
        for (unsigned i = 0; i < 500; i++)
            pb_reply_put_text(&reply, "some text ");
        pb_reply_header(&reply, "X-Name", pb_str_from("value"));
        is_whole = !reply.is_broken;
        if (is_whole)
            assert_int_equal(5000, reply.body_bytes);
        pb_reply_done(&reply);
        pb_arena_clear(&arena);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 20);
}

static void
every_status_that_we_send_has_its_words(void **state)
{
    (void)state;
    assert_string_equal("Not Found", pb_http_reason(404));
    assert_string_equal("HTTP Version Not Supported", pb_http_reason(505));
    assert_string_equal("Unknown", pb_http_reason(299));
}

/* ---- metrics ---- */

static void
metrics_are_told_as_prometheus_reads_them(void **state)
{
    static const char expected[] = "# HELP a_total A.\n"
                                   "# TYPE a_total counter\n"
                                   "a_total{x=\"1\"} 3\n"
                                   "a_total{x=\"2\"} 0\n"
                                   "# HELP b B.\n"
                                   "# TYPE b gauge\n"
                                   "b -5\n"
                                   "# HELP c_seconds C.\n"
                                   "# TYPE c_seconds histogram\n"
                                   "c_seconds_bucket{le=\"0.00001\"} 1\n"
                                   "c_seconds_bucket{le=\"0.000025\"} 2\n";
    struct pb_arena arena;
    struct pb_reply reply = new_reply(&arena);
    struct pb_metrics metrics;
    struct pb_metric *series[4];

    (void)state;
    pb_metrics_init(&metrics, pb_env_system());
    series[0] = pb_metrics_add(&metrics, PB_METRIC_COUNTER, "a_total", "A.", "x=\"1\"");
    series[1] = pb_metrics_add_labels(&metrics, PB_METRIC_COUNTER, "a_total", "A.", "x", "2");
    series[2] = pb_metrics_add(&metrics, PB_METRIC_GAUGE, "b", "B.", "");
    series[3] = pb_metrics_add(&metrics, PB_METRIC_SECONDS, "c_seconds", "C.", "");
    pb_metric_add(series[0], 3);
    pb_metric_set(series[2], -5);
    pb_metric_observe_ns(series[3], 10000); /* a bound belongs to its bucket */
    pb_metric_observe_ns(series[3], 10001);
    pb_metric_observe_ns(series[3], 20000000000);
    pb_metrics_put(&metrics, &reply);
    pb_reply_put(&reply, "", 1);
    assert_memory_equal(expected, reply.body, sizeof(expected) - 1);
    assert_non_null(strstr(reply.body, "c_seconds_bucket{le=\"10\"} 2\n"
                                       "c_seconds_bucket{le=\"+Inf\"} 3\n"
                                       "c_seconds_sum 20.000020001\n"
                                       "c_seconds_count 3\n"));
    pb_reply_done(&reply);
    pb_arena_clear(&arena);
    pb_metrics_done(&metrics);
}

/* ---- log ---- */

static void
keep_line(void *context, const char *line, size_t bytes)
{
    char *text = context;

    assert_true(bytes < PB_LOG_LINE_BYTES_MAX);
    memcpy(text, line, bytes);
    text[bytes] = '\0';
}

static void
a_line_is_whole_json_and_below_its_level_nothing(void **state)
{
    char text[PB_LOG_LINE_BYTES_MAX] = "";
    struct pb_log log = { pb_env_system(), keep_line, text, PB_LOG_WARNING };
    struct pb_request_id id = { "abc-1" };
    struct pb_log_line line;
    struct pb_peer peer;

    (void)state;
    assert_int_equal(PB_OK, pb_listen_parse("[2001:db8::7]:1", &peer, NULL));
    pb_log_begin(&line, &log, PB_LOG_INFO, PB_WORD("quiet"));
    pb_log_number(&line, PB_WORD("n"), 1);
    pb_log_peer(&line, &peer);
    pb_log_end(&line);
    assert_string_equal("", text);
    pb_log_begin(&line, NULL, PB_LOG_ERROR, PB_WORD("nobody"));
    pb_log_end(&line);
    pb_log_begin(&line, &log, PB_LOG_ERROR, PB_WORD("loud"));
    pb_log_request_id(&line, &id);
    pb_log_number(&line, PB_WORD("n"), -7);
    pb_log_status(&line, PB_WORD("status"), PB_E_NOMEM);
    pb_log_peer(&line, &peer);
    pb_log_route(&line, NULL);
    pb_log_end(&line);
    assert_memory_equal("{\"time\":\"2", text, 10);
    assert_non_null(strstr(text,
                           "Z\",\"level\":\"error\",\"event\":\"loud\",\"request_id\":\"abc-1\","
                           "\"n\":-7,\"status\":\""));
    assert_non_null(strstr(text, "\",\"peer\":\"2001:db8::7\",\"route\":\"none\"}\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_decoded_or_refused),
        cmocka_unit_test(targets_have_bounds),
        cmocka_unit_test(targets_need_memory_or_say_so),
        cmocka_unit_test(the_closest_route_is_found_whatever_the_order),
        cmocka_unit_test(route_tables_that_are_no_good_are_refused),
        cmocka_unit_test(routers_need_memory_or_say_so),
        cmocka_unit_test(the_layout_shows_what_stood_between_the_parts),
        cmocka_unit_test(types_are_compared_without_parameters_and_case),
        cmocka_unit_test(every_method_has_its_name),
        cmocka_unit_test(addresses_to_listen_on_are_read_or_refused),
        cmocka_unit_test(only_a_socket_that_listens_is_adopted),
        cmocka_unit_test(json_strings_are_escaped_so_that_nothing_gets_out),
        cmocka_unit_test(headers_cannot_be_split),
        cmocka_unit_test(a_header_is_there_once_with_its_last_value),
        cmocka_unit_test(a_reply_without_memory_is_broken_and_not_short),
        cmocka_unit_test(every_status_that_we_send_has_its_words),
        cmocka_unit_test(metrics_are_told_as_prometheus_reads_them),
        cmocka_unit_test(a_line_is_whole_json_and_below_its_level_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
