/*
 * The built command as a service: started, asked over the loopback, and ended.
 *
 * Nothing here waits for time to pass: what the service says is read until it comes.
 */
#ifndef PB_TESTS_CLI_RUNNING_H
#define PB_TESTS_CLI_RUNNING_H

#include "cli/command.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#define PATIENCE_MS 20000

/* A service that runs. */
struct running {
    pid_t child;
    int said;         /* what it writes to standard error */
    char text[16384]; /* so far */
    size_t bytes;
    unsigned port;
};

/* Reads on until `wanted` was said; false at the end of what it says. */
static inline bool
read_until(struct running *running, const char *wanted)
{
    while (strstr(running->text, wanted) == NULL) {
        struct pollfd wait = { .fd = running->said, .events = POLLIN };
        char more[1024];
        ssize_t got;

        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("\"%s\" was not said, but: %s", wanted, running->text);
        got = read(running->said, more, sizeof(more));
        if (got <= 0)
            return false;
        assert_true(running->bytes + (size_t)got < sizeof(running->text));
        memcpy(running->text + running->bytes, more, (size_t)got);
        running->bytes += (size_t)got;
        running->text[running->bytes] = '\0';
    }
    return true;
}

static inline void
start_service(struct running *running, const char *const *arguments)
{
    const char *port;
    int ends[2];

    memset(running, 0, sizeof(*running));
    assert_int_equal(0, pipe(ends));
    running->said = ends[0];
    running->child = start_with(NULL, -1, -1, ends[1], arguments);
    assert_int_equal(0, close(ends[1]));
    /* "platebase: serving site on http://127.0.0.1:4711"; the log may say more at once. */
    if (!read_until(running, "platebase: serving ") || !read_until(running, "://") ||
        !read_until(running, "\n"))
        fail_msg("it does not serve: %s", running->text);
    port = strstr(strstr(running->text, "platebase: serving "), "://") + 3;
    port += strcspn(port, "\n");
    while (*port != ':')
        port--;
    running->port = (unsigned)strtoul(port + 1, NULL, 10);
}

static inline void
end_service(struct running *running, int signal)
{
    int result = 0;

    assert_int_equal(0, kill(running->child, signal));
    (void)read_until(running, "there is nothing of this kind");
    assert_int_equal(0, close(running->said));
    while (waitpid(running->child, &result, 0) < 0)
        assert_int_equal(EINTR, errno);
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        fail_msg("it ended with %d: %s", result, running->text);
}

/* The whole reply to one request; the caller frees it. */
static inline char *
get(const struct running *running, const char *path)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)running->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    char *text = calloc(1, 1 << 20);
    size_t used = 0;
    ssize_t got;
    int file = socket(AF_INET, SOCK_STREAM, 0), length;

    assert_int_equal(0, connect(file, (struct sockaddr *)&address, sizeof(address)));
    length =
        snprintf(text, 1024, "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(length, send(file, text, (size_t)length, MSG_NOSIGNAL));
    while ((got = recv(file, text + used, (1 << 20) - 1 - used, 0)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    assert_int_equal(0, close(file));
    return text;
}

static inline void
expect_reply(const struct running *running, const char *path, const char *wanted)
{
    char *reply = get(running, path);

    expect_text(reply, wanted);
    free(reply);
}

/* POSTs text; the caller frees the whole reply. */
static inline char *
post(const struct running *running, const char *path, const char *token, const char *text)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)running->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    char *reply = calloc(1, 1 << 16);
    int file = socket(AF_INET, SOCK_STREAM, 0), length;
    size_t used = 0;
    ssize_t got;

    assert_int_equal(0, connect(file, (struct sockaddr *)&address, sizeof(address)));
    length = snprintf(reply, 1 << 16,
                      "POST %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                      "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      path, token, strlen(text), text);
    assert_int_equal(length, send(file, reply, (size_t)length, MSG_NOSIGNAL));
    while ((got = recv(file, reply + used, (1 << 16) - 1 - used, 0)) > 0)
        used += (size_t)got;
    reply[used] = '\0';
    assert_int_equal(0, close(file));
    return reply;
}

#endif
