/*
 * Listening: addresses are kept as IPv6, one socket takes both kinds.
 */
#include "net/listen.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

#define BACKLOG 1024

static bool
is_ipv4(const struct pb_peer *peer)
{
    return IN6_IS_ADDR_V4MAPPED(&peer->address);
}

static void
set_ipv4(struct pb_peer *peer, struct in_addr address)
{
    memset(&peer->address, 0, sizeof(peer->address));
    peer->address.s6_addr[10] = peer->address.s6_addr[11] = 0xFF;
    memcpy(&peer->address.s6_addr[12], &address, sizeof(address));
}

bool
pb_peer_from_address(const struct sockaddr_storage *address, struct pb_peer *ret_peer)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        set_ipv4(ret_peer, in->sin_addr);
        ret_peer->port = ntohs(in->sin_port);
        return true;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

        ret_peer->address = in6->sin6_addr;
        ret_peer->port = ntohs(in6->sin6_port);
        return true;
    }
    return false;
}

void
pb_peer_text(const struct pb_peer *peer, char ret_text[PB_PEER_TEXT_BYTES])
{
    const char *text =
        is_ipv4(peer) ? inet_ntop(AF_INET, &peer->address.s6_addr[12], ret_text, PB_PEER_TEXT_BYTES)
                      : inet_ntop(AF_INET6, &peer->address, ret_text, PB_PEER_TEXT_BYTES);

    if (text == NULL)
        ret_text[0] = '\0';
}

bool
pb_listen_is_loopback(const struct pb_peer *address)
{
    return is_ipv4(address) ? address->address.s6_addr[12] == 127
                            : IN6_IS_ADDR_LOOPBACK(&address->address);
}

/* ---- text ---- */

static bool
parse_port(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool
parse_host(const char *host, struct pb_peer *address)
{
    struct in_addr ipv4;
    size_t bytes = strlen(host);

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (strcmp(host, "*") == 0) {
        address->address = in6addr_any;
        return true;
    }
    if (inet_pton(AF_INET, host, &ipv4) == 1) {
        set_ipv4(address, ipv4);
        return true;
    }
    if (bytes > 2 && host[0] == '[' && host[bytes - 1] == ']') {
        char inner[PB_PEER_TEXT_BYTES];

        if (bytes - 2 >= sizeof(inner))
            return false;
        memcpy(inner, host + 1, bytes - 2);
        inner[bytes - 2] = '\0';
        return inet_pton(AF_INET6, inner, &address->address) == 1;
    }
    return false;
}

enum pb_status
pb_listen_parse(const char *text, struct pb_peer *ret_address, struct pb_error *error)
{
    const char *colon = strrchr(text, ':');
    struct pb_peer address = { .port = 0 };
    char host[PB_PEER_TEXT_BYTES + 2];

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        goto wrong;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (!parse_host(host, &address) || !parse_port(colon + 1, &address.port))
        goto wrong;
    *ret_address = address;
    return PB_OK;

wrong:
    return pb_fail(error, PB_BAD_INPUT,
                   "not an address to listen on: '%.60s' (127.0.0.1:8080, [::1]:8080 or *:443)",
                   text);
}

/* ---- sockets ---- */

static struct sockaddr_storage
to_address(const struct pb_peer *peer, socklen_t *ret_bytes)
{
    struct sockaddr_storage storage = { .ss_family = AF_UNSPEC };

    if (is_ipv4(peer)) {
        struct sockaddr_in *in = (struct sockaddr_in *)&storage;

        in->sin_family = AF_INET;
        in->sin_port = htons(peer->port);
        memcpy(&in->sin_addr, &peer->address.s6_addr[12], sizeof(in->sin_addr));
        *ret_bytes = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(peer->port);
        in6->sin6_addr = peer->address;
        *ret_bytes = sizeof(*in6);
    }
    return storage;
}

enum pb_status
pb_listen_open(const struct pb_peer *address, int *ret_socket, struct pb_error *error)
{
    static const int yes = 1;
    char text[PB_PEER_TEXT_BYTES];
    socklen_t bytes;
    struct sockaddr_storage storage = to_address(address, &bytes);
    int file = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    pb_peer_text(address, text);
    /* A server that starts again must not wait until connections of the one before are gone. */
    if (file >= 0 && setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
        bind(file, (struct sockaddr *)&storage, bytes) == 0 && listen(file, BACKLOG) == 0) {
        *ret_socket = file;
        return PB_OK;
    }
    (void)pb_fail(error, PB_E_IO, "cannot listen on %s port %u: %s", text, address->port,
                  strerrordesc_np(errno));
    if (file >= 0)
        (void)close(file);
    return PB_E_IO;
}

enum pb_status
pb_listen_adopt(int socket, struct pb_peer *ret_address, struct pb_error *error)
{
    struct sockaddr_storage storage = { .ss_family = AF_UNSPEC };
    socklen_t bytes = sizeof(storage), option_bytes = sizeof(int);
    int is_listening = 0, flags = fcntl(socket, F_GETFL);

    if (getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &option_bytes) != 0 ||
        is_listening == 0 || getsockname(socket, (struct sockaddr *)&storage, &bytes) != 0 ||
        !pb_peer_from_address(&storage, ret_address))
        return pb_fail(error, PB_BAD_INPUT, "descriptor %d is not a TCP socket that listens",
                       socket);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(socket, F_SETFD, FD_CLOEXEC) != 0)
        return pb_fail(error, PB_E_IO, "descriptor %d: %s", socket, strerrordesc_np(errno));
    return PB_OK;
}
