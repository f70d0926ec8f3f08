/*
 * Listening: from "127.0.0.1:8080" to a socket.
 *
 * Threads: everything here is without state.
 */
#ifndef PB_NET_LISTEN_H
#define PB_NET_LISTEN_H

#include "net/http.h"

/* "192.0.2.1:443", "[::1]:8080", "localhost:8080" (127.0.0.1), "*:443" (every address). No names
 * are looked up. Port 0: any that is free. PB_BAD_INPUT: error says what would be right. */
PB_MUST_CHECK enum pb_status pb_listen_parse(const char *text, struct pb_peer *ret_address,
                                             struct pb_error *error);
/* 127.0.0.0/8 or ::1. */
bool pb_listen_is_loopback(const struct pb_peer *address);

/* A listening socket that does not block; the caller closes it. PB_E_IO, also where the address is
 * taken. */
PB_MUST_CHECK enum pb_status pb_listen_open(const struct pb_peer *address, int *ret_socket,
                                            struct pb_error *error);
/* What a socket that somebody else opened listens on. PB_BAD_INPUT: it is not a TCP socket that
 * listens. */
PB_MUST_CHECK enum pb_status pb_listen_adopt(int socket, struct pb_peer *ret_address,
                                             struct pb_error *error);

struct sockaddr_storage;
/* False where it is neither IPv4 nor IPv6. */
bool pb_peer_from_address(const struct sockaddr_storage *address, struct pb_peer *ret_peer);

#endif
