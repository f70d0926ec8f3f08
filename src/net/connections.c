/*
 * Connections: two hash tables and a list.
 */
#include <assert.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/env.h"
#include "base/text.h"
#include "net/connections.h"
#include "net/tls.h"

struct pb_address {
    struct pb_address *next; /* in its bucket */
    struct in6_addr address; /* of IPv6 the first 64 bits: one line of a provider has all of them */
    uint32_t count;
};

enum pb_status
pb_connections_init(struct pb_connections *connections, const struct pb_env *env,
                    const struct pb_server_limits *limits)
{
    *connections = (struct pb_connections){ .env = env, .limits = limits };
    (void)pthread_mutex_init(&connections->lock, NULL);
    return env->random(env->random_context, &connections->seed, sizeof(connections->seed));
}

static void
free_entry(struct pb_connections *connections, struct pb_connection *connection)
{
    pb_tls_keys_unref(connection->keys);
    pb_free(connections->env, connection);
}

void
pb_connections_done(struct pb_connections *connections)
{
    struct pb_connection *connection = connections->first;

    while (connection != NULL) {
        struct pb_connection *next = connection->next;

        free_entry(connections, connection);
        connection = next;
    }
    for (unsigned i = 0; i < PB_CONNECTION_BUCKETS; i++) {
        struct pb_address *address = connections->by_address[i];

        while (address != NULL) {
            struct pb_address *next = address->next;

            pb_free(connections->env, address);
            address = next;
        }
    }
    (void)pthread_mutex_destroy(&connections->lock);
}

/* ---- addresses ---- */

static struct in6_addr
counted_address(const struct pb_peer *peer)
{
    struct in6_addr address = peer->address;

    if (!IN6_IS_ADDR_V4MAPPED(&address))
        memset(&address.s6_addr[8], 0, 8);
    return address;
}

/* Where the pointer to an address's entry is, or would be. */
static struct pb_address **
address_place(struct pb_connections *connections, const struct in6_addr *address)
{
    struct {
        uint64_t seed;
        struct in6_addr address;
    } keyed = { connections->seed, *address };
    uint64_t bucket = pb_hash_bytes(&keyed, sizeof(keyed)) % PB_CONNECTION_BUCKETS;
    struct pb_address **place = &connections->by_address[bucket];

    while (*place != NULL && memcmp(&(*place)->address, address, sizeof(*address)) != 0)
        place = &(*place)->next;
    return place;
}

static enum pb_status
count_address(struct pb_connections *connections, const struct pb_peer *peer)
{
    struct in6_addr address = counted_address(peer);
    struct pb_address **place = address_place(connections, &address);

    if (*place == NULL) {
        *place = pb_calloc(connections->env, 1, sizeof(**place));
        if (*place == NULL)
            return PB_E_NOMEM;
        (*place)->address = address;
    }
    if ((*place)->count >= connections->limits->connections_per_address_max)
        return PB_CONFLICT;
    (*place)->count++;
    return PB_OK;
}

static void
forget_address(struct pb_connections *connections, const struct pb_peer *peer)
{
    struct in6_addr address = counted_address(peer);
    struct pb_address **place = address_place(connections, &address), *gone = *place;

    assert(gone != NULL && gone->count > 0);
    gone->count--;
    if (gone->count == 0) {
        *place = gone->next;
        pb_free(connections->env, gone);
    }
}

/* ---- entries ---- */

static struct pb_connection **
file_place(struct pb_connections *connections, int file)
{
    struct pb_connection **place = &connections->by_file[(unsigned)file % PB_CONNECTION_BUCKETS];

    while (*place != NULL && (*place)->file != file)
        place = &(*place)->next_in_bucket;
    return place;
}

static void
remove_locked(struct pb_connections *connections, struct pb_connection *connection)
{
    *file_place(connections, connection->file) = connection->next_in_bucket;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connections->count--;
    forget_address(connections, &connection->peer);
    free_entry(connections, connection);
}

static enum pb_status
add_locked(struct pb_connections *connections, int file, const struct pb_peer *peer)
{
    struct pb_connection **place = file_place(connections, file), *connection;
    enum pb_status status;

    /* The library closes a connection without a word where it has no memory to begin it. Its number
     * has come back, so it is gone. */
    if (*place != NULL)
        remove_locked(connections, *place);
    if (connections->count >= connections->limits->connections_max)
        return PB_OVER_LIMIT;
    connection = pb_calloc(connections->env, 1, sizeof(*connection));
    if (connection == NULL)
        return PB_E_NOMEM;
    status = count_address(connections, peer);
    if (status != PB_OK) {
        pb_free(connections->env, connection);
        return status;
    }
    connection->file = file;
    connection->peer = *peer;
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    place = file_place(connections, file);
    *place = connection;
    connections->count++;
    pb_connection_enter(connections, connection, PB_PHASE_FIRST);
    return PB_OK;
}

enum pb_status
pb_connections_add(struct pb_connections *connections, int file, const struct pb_peer *peer)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&connections->lock);
    status = add_locked(connections, file, peer);
    (void)pthread_mutex_unlock(&connections->lock);
    return status;
}

struct pb_connection *
pb_connections_find(struct pb_connections *connections, int file)
{
    struct pb_connection *connection;

    (void)pthread_mutex_lock(&connections->lock);
    connection = *file_place(connections, file);
    (void)pthread_mutex_unlock(&connections->lock);
    return connection;
}

void
pb_connections_remove(struct pb_connections *connections, struct pb_connection *connection)
{
    (void)pthread_mutex_lock(&connections->lock);
    remove_locked(connections, connection);
    (void)pthread_mutex_unlock(&connections->lock);
}

uint32_t
pb_connections_count(struct pb_connections *connections)
{
    uint32_t count;

    (void)pthread_mutex_lock(&connections->lock);
    count = connections->count;
    (void)pthread_mutex_unlock(&connections->lock);
    return count;
}

/* milliseconds << 16 | number of the phase << 3 | phase */
#define PHASE_BITS 3u
#define NUMBER_MASK UINT64_C(0x1FFF)
#define MS_SHIFT 16u

void
pb_connection_enter(struct pb_connections *connections, struct pb_connection *connection,
                    enum pb_phase phase)
{
    uint64_t now_ms = (uint64_t)pb_connections_now_ms(connections);
    uint64_t before = atomic_load_explicit(&connection->phase_since, memory_order_relaxed);
    uint64_t number = (before >> PHASE_BITS) + 1;

    atomic_store_explicit(&connection->phase_since,
                          now_ms << MS_SHIFT | (number & NUMBER_MASK) << PHASE_BITS | phase,
                          memory_order_release);
}

/* ---- time ---- */

/* Bytes that have come from the client, or that it has acknowledged; 0 where the kernel does not
 * say. */
static uint64_t
kernel_count(int file, bool is_received)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);

    memset(&info, 0, sizeof(info));
    if (getsockopt(file, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
        return 0;
    return is_received ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
}

/* Too few bytes for the time that has passed? The first rate_grace_ms are not looked at. */
static bool
is_too_slow(const struct pb_server_limits *limits, int64_t elapsed_ms, uint64_t bytes)
{
    return elapsed_ms > limits->rate_grace_ms &&
           bytes < (uint64_t)(elapsed_ms - limits->rate_grace_ms) * limits->rate_min_bytes_s / 1000;
}

/* What the connection is late with, or NULL. */
static uint32_t *
find_lateness(struct pb_connections *connections, struct pb_connection *connection, int64_t now_ms,
              bool is_draining, struct pb_expired *expired)
{
    const struct pb_server_limits *limits = connections->limits;
    uint64_t phase_since = atomic_load_explicit(&connection->phase_since, memory_order_acquire);
    enum pb_phase phase = (enum pb_phase)(phase_since & ((1u << PHASE_BITS) - 1));
    int64_t elapsed_ms = now_ms - (int64_t)(phase_since >> MS_SHIFT);
    bool is_new = phase_since != connection->seen_phase_since;
    uint64_t bytes;

    connection->seen_phase_since = phase_since;
    switch (phase) {
    case PB_PHASE_FIRST:
        return elapsed_ms > limits->head_ms ? &expired->heads : NULL;
    case PB_PHASE_WAITING:
        bytes = kernel_count(connection->file, true);
        if (is_new) {
            connection->start_bytes = bytes;
            connection->moved_since_ms = 0;
        }
        if (bytes != connection->start_bytes && connection->moved_since_ms == 0)
            connection->moved_since_ms = now_ms;
        if (connection->moved_since_ms != 0)
            return now_ms - connection->moved_since_ms > limits->head_ms ? &expired->heads : NULL;
        return is_draining || elapsed_ms > limits->idle_ms ? &expired->idle : NULL;
    case PB_PHASE_BODY:
        bytes = atomic_load_explicit(&connection->body_bytes, memory_order_relaxed);
        return is_too_slow(limits, elapsed_ms, bytes) ? &expired->bodies : NULL;
    case PB_PHASE_WORKING:
        return NULL;
    case PB_PHASE_SENDING:
        bytes = kernel_count(connection->file, false);
        if (is_new)
            connection->start_bytes = bytes;
        return is_too_slow(limits, elapsed_ms, bytes - connection->start_bytes) ? &expired->replies
                                                                                : NULL;
    }
    return NULL;
}

void
pb_connections_expire(struct pb_connections *connections, bool is_draining,
                      struct pb_expired *ret_expired)
{
    int64_t now_ms = pb_connections_now_ms(connections);

    (void)pthread_mutex_lock(&connections->lock);
    for (struct pb_connection *connection = connections->first; connection != NULL;
         connection = connection->next) {
        uint32_t *late = find_lateness(connections, connection, now_ms, is_draining, ret_expired);

        if (late == NULL)
            continue;
        /* The library sees the end of the stream and closes; until then it is not late again. */
        (void)shutdown(connection->file, SHUT_RDWR);
        pb_connection_enter(connections, connection, PB_PHASE_WORKING);
        (*late)++;
    }
    (void)pthread_mutex_unlock(&connections->lock);
}
