/*
 * Requests over HTTP: N clients, each on a connection of its own that is kept alive, ask the same
 * thing as fast as they are answered. Prints answers a second and how long each took.
 *
 * usage: bench_http [option...] PORT PATH
 *
 *   --clients N       connections; 64
 *   --seconds N       how long; 5
 *   --token TEXT      shown as bearer
 *   --tls             TLS 1.3, without looking at the certificate
 *   --body FILE       POST a line of this file each time (application/json), one after another
 *   --reads N         POST N new reads each time (application/x-ndjson), of reader bench-<client>
 *   --rate N          no more than N reads (or requests without any) a second in all; times count
 *                     from when each was due
 *   --ledger FILE     what was acknowledged goes there; the server may end meanwhile
 *   --check FILE      sends again what a ledger has: all of it must be there
 *   --slow N          N more connections that send a head byte by byte, one each second
 *   --slow-bodies N   the same with bodies of reads
 *   --slow-readers N  the same with replies, which they read byte by byte
 *   --wrong N         N more requests a second with a token that is none
 *   --passwords N     N more sign-ins a second with a wrong password, each of another name, from N
 *                     addresses of the loopback interface
 *   --watch PID       memory and descriptors of the server, each ten seconds
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/env.h"
#include "base/time.h"

#define SAMPLES_MAX 4000000u
#define ANSWER_BYTES_MAX (1u << 20)
#define BODIES_BYTES_MAX ((size_t)8 << 20)
#define PIPELINED 50u  /* requests of a slow reader: more than a socket's buffers hold */
#define SLOW_ROOM 4096 /* what a slow reader takes without reading it */
#define WATCH_S 10u

enum slowness { SLOW_HEADS, SLOW_BODIES, SLOW_READERS, SLOW_KINDS };

struct options {
    uint16_t port;
    const char *path, *token, *body_path, *ledger_path, *check_path;
    unsigned clients, seconds, reads, rate, wrong, passwords, watched;
    unsigned slow[SLOW_KINDS];
    bool is_tls;
};

/* Reads that were sent together: client, time and number make them again. */
struct batch {
    unsigned client, reads;
    int64_t now_us;
    uint64_t sent;
};

struct run {
    const struct pb_env *env;
    struct options options;
    gnutls_certificate_credentials_t credentials;
    char *bodies; /* owned: of --body */
    size_t *body_ends, body_count;
    int64_t start_ns, end_ns;
    _Atomic uint32_t sample_count;
    uint32_t *samples_us; /* owned: SAMPLES_MAX */
    _Atomic uint64_t statuses[6];
    _Atomic uint64_t reads_stored, reads_known;
    _Atomic uint64_t wrong_statuses[6];
    _Atomic uint64_t password_statuses[3]; /* 401, 429, others */
    struct batch *batches;                 /* owned: to check */
    size_t batch_count;
};

struct client {
    struct run *run;
    unsigned number;
    pthread_t thread;
    int file;
    in_addr_t from; /* 0: any */
    gnutls_session_t session;
    uint64_t sent; /* reads so far */
    char *request, *answer;
    size_t request_bytes, request_room;
    struct batch *acked; /* owned: for the ledger */
    size_t acked_count, acked_room;
};

static void
die(const char *what)
{
    fprintf(stderr, "bench_http: %s\n", what);
    exit(1);
}

/* room: of what comes, in the system; 0: as usual. */
static void
connect_client(struct client *client, int room)
{
    const struct run *run = client->run;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(run->options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1;

    client->file = socket(AF_INET, SOCK_STREAM, 0);
    if (room > 0)
        (void)setsockopt(client->file, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (client->from != 0) {
        struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = client->from };

        if (bind(client->file, (struct sockaddr *)&here, sizeof(here)) != 0)
            die("cannot come from another address");
    }
    if (connect(client->file, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("cannot connect");
    (void)setsockopt(client->file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!run->options.is_tls)
        return;
    if (gnutls_init(&client->session, GNUTLS_CLIENT) != 0 ||
        gnutls_set_default_priority(client->session) != 0 ||
        gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, run->credentials) != 0)
        die("no TLS");
    gnutls_transport_set_int(client->session, client->file);
    if (gnutls_handshake(client->session) != 0)
        die("the handshake failed");
}

/* The server has ended a connection: false where that is looked for. */
static bool
lose(const struct client *client)
{
    if (client->run->options.ledger_path == NULL)
        die("the server has ended a connection");
    return false;
}

static bool
send_all(struct client *client, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = client->session != NULL ? gnutls_record_send(client->session, bytes, count)
                                               : send(client->file, bytes, count, MSG_NOSIGNAL);

        if (sent <= 0)
            return lose(client);
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

/* One whole answer with a Content-Length; returns its status, 0 where there is none. */
static unsigned
receive(struct client *client)
{
    size_t used = 0, wanted = 0;

    for (;;) {
        ssize_t got =
            client->session != NULL
                ? gnutls_record_recv(client->session, client->answer + used,
                                     ANSWER_BYTES_MAX - 1 - used)
                : recv(client->file, client->answer + used, ANSWER_BYTES_MAX - 1 - used, 0);
        const char *end, *length;

        if (got <= 0)
            return lose(client);
        used += (size_t)got;
        client->answer[used] = '\0';
        if (wanted == 0) {
            end = strstr(client->answer, "\r\n\r\n");
            length = strstr(client->answer, "Content-Length: ");
            if (end == NULL || length == NULL)
                continue;
            wanted = (size_t)(end + 4 - client->answer) + strtoul(length + 16, NULL, 10);
            if (wanted >= ANSWER_BYTES_MAX)
                die("an answer is too long");
        }
        if (used >= wanted)
            return (unsigned)strtoul(client->answer + 9, NULL, 10);
    }
}

/* ---- requests ---- */

static void
put(struct client *client, const char *bytes, size_t count)
{
    if (client->request_room - client->request_bytes < count) {
        client->request_room = (client->request_bytes + count) * 2;
        client->request = realloc(client->request, client->request_room);
        if (client->request == NULL)
            die("no memory");
    }
    memcpy(client->request + client->request_bytes, bytes, count);
    client->request_bytes += count;
}

static size_t
put_reads(const struct batch *batch, char *body, size_t room)
{
    size_t used = 0;

    for (unsigned i = 0; i < batch->reads; i++) {
        char time[PB_TIME_BYTES_MAX];

        (void)pb_time_format(batch->now_us - (int64_t)(batch->reads - i), 0, time);
        used += (size_t)snprintf(body + used, room - used,
                                 "{\"plate\":\"B%07" PRIu64 "\",\"captured_at\":\"%s\","
                                 "\"reader\":\"bench-%u\",\"lat\":38.64,\"lon\":-98.31,"
                                 "\"confidence\":91.5,\"heading_deg\":181.5}\n",
                                 (batch->sent + i) * 7919 % 10000000, time, batch->client);
    }
    return used;
}

/* batch: NULL where the request is always the same. */
static void
make_request(struct client *client, const struct batch *batch)
{
    const struct run *run = client->run;
    const struct options *options = &run->options;
    size_t room = batch != NULL ? (size_t)batch->reads * 256 + 1 : 0;
    size_t number =
        run->body_count == 0 ? 0 : (client->number * 97 + client->sent) % run->body_count;
    const char *body = run->bodies;
    size_t body_bytes = 0;
    char *reads = batch != NULL ? malloc(room) : NULL, head[512];
    bool is_post = batch != NULL || run->bodies != NULL;
    int length;

    if (batch != NULL) {
        body = reads;
        body_bytes = put_reads(batch, reads, room);
    } else if (is_post) {
        size_t begin = number == 0 ? 0 : run->body_ends[number - 1] + 1;

        body += begin;
        body_bytes = run->body_ends[number] - begin;
        client->sent++;
    }
    client->request_bytes = 0;
    length = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: bench\r\n%s%s%s",
                      is_post ? "POST" : "GET", options->path,
                      options->token != NULL ? "Authorization: Bearer " : "",
                      options->token != NULL ? options->token : "",
                      options->token != NULL ? "\r\n" : "");
    put(client, head, (size_t)length);
    if (is_post) {
        length = snprintf(head, sizeof(head),
                          "Content-Type: application/%s\r\n"
                          "Content-Length: %zu\r\n",
                          batch != NULL ? "x-ndjson" : "json", body_bytes);
        put(client, head, (size_t)length);
    }
    put(client, "\r\n", 2);
    if (is_post)
        put(client, body, body_bytes);
    free(reads);
}

/* The next reads of a client. */
static struct batch
next_batch(const struct client *client)
{
    return (struct batch){ .client = client->number,
                           .reads = client->run->options.reads,
                           .now_us = pb_now_us(client->run->env),
                           .sent = client->sent };
}

static void
note_acked(struct client *client, const struct batch *batch)
{
    if (client->run->options.ledger_path == NULL)
        return;
    if (client->acked_count == client->acked_room) {
        client->acked_room = client->acked_room * 2 + 64;
        client->acked = realloc(client->acked, client->acked_room * sizeof(*client->acked));
        if (client->acked == NULL)
            die("no memory");
    }
    client->acked[client->acked_count++] = *batch;
}

/* The number behind a key of the answer; 0 where it is not there. */
static uint64_t
answer_count(const struct client *client, const char *key)
{
    const char *at = strstr(client->answer, key);

    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Sends the request that is made. False: there was no answer. */
static bool
exchange(struct client *client, int64_t began_ns)
{
    struct run *run = client->run;
    int64_t took_ns;
    uint32_t place;
    unsigned status;

    if (!send_all(client, client->request, client->request_bytes))
        return false;
    status = receive(client);
    if (status == 0)
        return false;
    took_ns = pb_monotonic_ns(run->env) - began_ns;
    place = atomic_fetch_add(&run->sample_count, 1);
    if (place < SAMPLES_MAX)
        run->samples_us[place] = (uint32_t)(took_ns / 1000);
    atomic_fetch_add(&run->statuses[status / 100 % 6], 1);
    atomic_fetch_add(&run->reads_stored, answer_count(client, "{\"stored\":"));
    atomic_fetch_add(&run->reads_known, answer_count(client, ",\"duplicate\":"));
    return true;
}

/* Waits until the n-th request of a client is due, and returns when that was. */
static int64_t
wait_until_due(const struct client *client, uint64_t number)
{
    const struct run *run = client->run;
    const struct options *options = &run->options;
    int64_t now_ns = pb_monotonic_ns(run->env), due_ns;
    double before = (double)(number * options->clients + client->number);

    if (options->rate == 0)
        return now_ns;
    before *= options->reads > 0 ? options->reads : 1;
    due_ns = run->start_ns + (int64_t)(before / options->rate * 1e9);
    if (due_ns > now_ns)
        (void)usleep((useconds_t)((due_ns - now_ns) / 1000));
    return due_ns;
}

static void *
ask_on(void *context)
{
    struct client *client = context;
    struct run *run = client->run;
    bool has_reads = run->options.reads > 0;
    struct batch batch = next_batch(client);

    client->answer = malloc(ANSWER_BYTES_MAX);
    connect_client(client, 0);
    make_request(client, has_reads ? &batch : NULL);
    for (uint64_t number = 0;; number++) {
        int64_t began_ns = wait_until_due(client, number);

        if (pb_monotonic_ns(run->env) >= run->end_ns || !exchange(client, began_ns))
            break;
        if (!has_reads) {
            make_request(client, NULL);
            continue;
        }
        if (strncmp(client->answer + 9, "200", 3) == 0)
            note_acked(client, &batch);
        client->sent += run->options.reads;
        batch = next_batch(client);
        make_request(client, &batch);
    }
    free(client->answer);
    free(client->request);
    return NULL;
}

/* Sends again what a ledger has. */
static void *
check_on(void *context)
{
    struct client *client = context;
    struct run *run = client->run;

    client->answer = malloc(ANSWER_BYTES_MAX);
    connect_client(client, 0);
    for (size_t i = client->number; i < run->batch_count; i += run->options.clients) {
        make_request(client, &run->batches[i]);
        (void)exchange(client, pb_monotonic_ns(run->env));
    }
    free(client->answer);
    free(client->request);
    return NULL;
}

/* ---- those that good clients must not notice ---- */

struct slow {
    struct run *run;
    enum slowness how;
    pthread_t thread;
};

static void
begin_slow(struct client *client, enum slowness how)
{
    static const char head[] = "POST /v1/reads HTTP/1.1\r\nHost: bench\r\n"
                               "Content-Type: application/x-ndjson\r\nContent-Length: 9999\r\n\r\n";
    static const char ask[] = "GET /openapi.json HTTP/1.1\r\nHost: bench\r\n\r\n";

    connect_client(client, how == SLOW_READERS ? SLOW_ROOM : 0);
    if (how == SLOW_BODIES)
        (void)!send(client->file, head, sizeof(head) - 1, MSG_NOSIGNAL);
    for (unsigned i = 0; how == SLOW_READERS && i < PIPELINED; i++)
        (void)!send(client->file, ask, sizeof(ask) - 1, MSG_NOSIGNAL);
}

/* A byte; one that was cut begins anew. */
static void
crawl(struct client *client, enum slowness how)
{
    char byte = 'G';
    ssize_t moved = how == SLOW_READERS ? recv(client->file, &byte, 1, MSG_DONTWAIT)
                                        : send(client->file, &byte, 1, MSG_NOSIGNAL);

    if (moved > 0 || (how == SLOW_READERS && moved < 0 && errno == EAGAIN))
        return;
    (void)close(client->file);
    begin_slow(client, how);
}

static void *
be_slow(void *context)
{
    struct slow *slow = context;
    struct run *run = slow->run;
    unsigned count = run->options.slow[slow->how];
    struct client *clients = calloc(count, sizeof(*clients));

    for (unsigned i = 0; i < count; i++) {
        clients[i].run = run;
        begin_slow(&clients[i], slow->how);
    }
    while (pb_monotonic_ns(run->env) < run->end_ns) {
        for (unsigned i = 0; i < count; i++)
            crawl(&clients[i], slow->how);
        (void)sleep(1);
    }
    for (unsigned i = 0; i < count; i++)
        (void)close(clients[i].file);
    free(clients);
    return NULL;
}

static void *
be_wrong(void *context)
{
    struct run *run = context;
    struct client client = { .run = run, .answer = malloc(ANSWER_BYTES_MAX) };
    char request[256];

    connect_client(&client, 0);
    for (unsigned i = 0; pb_monotonic_ns(run->env) < run->end_ns; i++) {
        int length = snprintf(request, sizeof(request),
                              "GET /v1/token HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "
                              "pb_%012x_%043u\r\n\r\n",
                              i, i);

        (void)send_all(&client, request, (size_t)length);
        atomic_fetch_add(&run->wrong_statuses[receive(&client) % 100 == 29 ? 2 : 1], 1);
        (void)usleep(1000000 / run->options.wrong);
    }
    (void)close(client.file);
    free(client.answer);
    return NULL;
}

/* What everybody has to agree to. */
static void
read_consent(struct client *client, char ret_sha256[65])
{
    static const char ask[] = "GET /v1/session/splash HTTP/1.1\r\nHost: bench\r\n\r\n";
    const char *at;

    (void)send_all(client, ask, sizeof(ask) - 1);
    at = receive(client) == 200 ? strstr(client->answer, "\"sha256\":\"") : NULL;
    if (at == NULL)
        die("nobody can sign in there");
    (void)snprintf(ret_sha256, 65, "%.64s", at + 10);
}

/* One guess each second; who had to wait makes up for it. */
static void *
guess_on(void *context)
{
    struct client *client = context;
    struct run *run = client->run;
    char consent[65], body[512], request[1024];
    int64_t due_ns;

    client->answer = malloc(ANSWER_BYTES_MAX);
    client->from = htonl(0x7F010000u + client->number / 250 * 256 + client->number % 250 + 1);
    connect_client(client, 0);
    read_consent(client, consent);
    due_ns = run->start_ns + INT64_C(1000000000) / run->options.passwords * client->number;
    for (;;) {
        int64_t now_ns = pb_monotonic_ns(run->env);
        int length = snprintf(body, sizeof(body),
                              "{\"person\":\"name-%u-%" PRIu64 "\",\"password\":\"a wrong one\","
                              "\"totp\":\"123456\",\"consent\":\"%s\"}",
                              client->number, client->sent++, consent);
        unsigned status;

        if (due_ns > now_ns)
            (void)usleep((useconds_t)((due_ns - now_ns) / 1000));
        if (now_ns >= run->end_ns || due_ns >= run->end_ns)
            break;
        due_ns += 1000000000;
        length = snprintf(request, sizeof(request),
                          "POST /v1/session HTTP/1.1\r\nHost: bench\r\n"
                          "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                          length, body);
        (void)send_all(client, request, (size_t)length);
        status = receive(client);
        atomic_fetch_add(&run->password_statuses[status == 401 ? 0 : status == 429 ? 1 : 2], 1);
    }
    (void)close(client->file);
    free(client->answer);
    return NULL;
}

static void *
guess_all(void *context)
{
    struct run *run = context;
    unsigned count = run->options.passwords;
    struct client *clients = calloc(count, sizeof(*clients));

    for (unsigned i = 0; i < count; i++) {
        clients[i].run = run;
        clients[i].number = i;
        if (pthread_create(&clients[i].thread, NULL, guess_on, &clients[i]) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(clients[i].thread, NULL);
    printf("wrong passwords: %" PRIu64 " refused, %" PRIu64 " told to wait, %" PRIu64 " others\n",
           run->password_statuses[0], run->password_statuses[1], run->password_statuses[2]);
    free(clients);
    return NULL;
}

/* ---- the server's process ---- */

static unsigned long
resident_kib(unsigned process)
{
    char path[64], line[256];
    unsigned long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%u/status", process);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    }
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

static unsigned
descriptors(unsigned process)
{
    char path[64];
    unsigned count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "/proc/%u/fd", process);
    directory = opendir(path);
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        (void)closedir(directory);
    return count > 2 ? count - 2 : 0;
}

static void *
watch(void *context)
{
    struct run *run = context;
    unsigned process = run->options.watched;

    while (pb_monotonic_ns(run->env) < run->end_ns) {
        int64_t seconds = (pb_monotonic_ns(run->env) - run->start_ns) / 1000000000;

        printf("%6" PRId64 " s: %lu KiB, %u descriptors, %" PRIu64 " reads stored, %" PRIu64
               " answers 5xx\n",
               seconds, resident_kib(process), descriptors(process),
               atomic_load(&run->reads_stored), atomic_load(&run->statuses[5]));
        (void)fflush(stdout);
        (void)sleep(WATCH_S);
    }
    return NULL;
}

/* ---- ledgers ---- */

static void
write_ledger(const struct run *run, const struct client *clients)
{
    FILE *file = fopen(run->options.ledger_path, "w");

    if (file == NULL)
        die("cannot write the ledger");
    for (unsigned i = 0; i < run->options.clients; i++) {
        for (size_t j = 0; j < clients[i].acked_count; j++) {
            const struct batch *batch = &clients[i].acked[j];

            fprintf(file, "%u %u %" PRId64 " %" PRIu64 "\n", batch->client, batch->reads,
                    batch->now_us, batch->sent);
        }
    }
    if (fclose(file) != 0)
        die("cannot write the ledger");
}

static void
read_ledger(struct run *run)
{
    FILE *file = fopen(run->options.check_path, "r");
    struct batch batch;
    size_t room = 0;

    if (file == NULL)
        die("cannot read the ledger");
    while (fscanf(file, "%u %u %" SCNd64 " %" SCNu64, &batch.client, &batch.reads, &batch.now_us,
                  &batch.sent) == 4) {
        if (run->batch_count == room) {
            room = room * 2 + 64;
            run->batches = realloc(run->batches, room * sizeof(*run->batches));
            if (run->batches == NULL)
                die("no memory");
        }
        run->batches[run->batch_count++] = batch;
    }
    (void)fclose(file);
}

/* 0: everything was there. */
static int
report_check(const struct run *run)
{
    uint64_t total = 0, known = atomic_load(&run->reads_known);

    for (size_t i = 0; i < run->batch_count; i++)
        total += run->batches[i].reads;
    printf("%" PRIu64 " acknowledged reads checked, %" PRIu64 " lost\n", total, total - known);
    return total == known ? 0 : 1;
}

/* ---- the run ---- */

static int
compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

static void
report(struct run *run)
{
    uint32_t count = atomic_load(&run->sample_count);
    double seconds = (double)(pb_monotonic_ns(run->env) - run->start_ns) / 1e9;

    count = count < SAMPLES_MAX ? count : SAMPLES_MAX;
    qsort(run->samples_us, count, sizeof(*run->samples_us), compare);
    printf("%.0f answers/s, p50 %.2f ms, p99 %.2f ms, most %.2f ms; 2xx %" PRIu64 ", 4xx %" PRIu64
           ", 5xx %" PRIu64 "\n",
           count / seconds, run->samples_us[count / 2] / 1e3,
           run->samples_us[(uint64_t)count * 99 / 100] / 1e3,
           run->samples_us[count > 0 ? count - 1 : 0] / 1e3, run->statuses[2], run->statuses[4],
           run->statuses[5]);
    if (run->options.reads > 0)
        printf("%.0f reads/s stored\n", (double)run->reads_stored / seconds);
    if (run->options.wrong > 0)
        printf("wrong tokens: %" PRIu64 " refused, %" PRIu64 " told to wait\n",
               run->wrong_statuses[1], run->wrong_statuses[2]);
}

static void
load_bodies(struct run *run)
{
    size_t bytes = 0;
    FILE *file = run->options.body_path != NULL ? fopen(run->options.body_path, "rb") : NULL;

    if (run->options.body_path == NULL)
        return;
    run->bodies = malloc(BODIES_BYTES_MAX);
    run->body_ends = malloc(BODIES_BYTES_MAX / 2 * sizeof(*run->body_ends));
    if (file == NULL || run->bodies == NULL || run->body_ends == NULL)
        die("cannot read the bodies");
    bytes = fread(run->bodies, 1, BODIES_BYTES_MAX, file);
    for (size_t begin = 0; begin < bytes;) {
        const char *end = memchr(run->bodies + begin, '\n', bytes - begin);

        if (end == NULL)
            die("a body without end of line, or too many");
        run->body_ends[run->body_count++] = (size_t)(end - run->bodies);
        begin = (size_t)(end - run->bodies) + 1;
    }
    if (run->body_count == 0)
        die("no bodies");
    (void)fclose(file);
}

/* The place of an option's number, or NULL. */
static unsigned *
number_of(struct options *options, int letter)
{
    switch (letter) {
    case 'c':
        return &options->clients;
    case 's':
        return &options->seconds;
    case 'r':
        return &options->reads;
    case 'R':
        return &options->rate;
    case 'l':
        return &options->slow[SLOW_HEADS];
    case 'L':
        return &options->slow[SLOW_BODIES];
    case 'p':
        return &options->slow[SLOW_READERS];
    case 'w':
        return &options->wrong;
    case 'P':
        return &options->passwords;
    case 'W':
        return &options->watched;
    default:
        return NULL;
    }
}

static void
parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        { "clients", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "token", required_argument, NULL, 't' },
        { "tls", no_argument, NULL, 'T' },
        { "body", required_argument, NULL, 'b' },
        { "reads", required_argument, NULL, 'r' },
        { "rate", required_argument, NULL, 'R' },
        { "ledger", required_argument, NULL, 'g' },
        { "check", required_argument, NULL, 'k' },
        { "slow", required_argument, NULL, 'l' },
        { "slow-bodies", required_argument, NULL, 'L' },
        { "slow-readers", required_argument, NULL, 'p' },
        { "wrong", required_argument, NULL, 'w' },
        { "passwords", required_argument, NULL, 'P' },
        { "watch", required_argument, NULL, 'W' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        unsigned *number = number_of(options, letter);

        if (number != NULL)
            *number = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 't')
            options->token = optarg;
        else if (letter == 'T')
            options->is_tls = true;
        else if (letter == 'b')
            options->body_path = optarg;
        else if (letter == 'g')
            options->ledger_path = optarg;
        else if (letter == 'k')
            options->check_path = optarg;
        else
            die("see the head of bench/http.c");
    }
    if (argc - optind != 2 || options->clients == 0 || options->seconds == 0)
        die("usage: bench_http [option...] PORT PATH");
    options->port = (uint16_t)strtoul(argv[optind], NULL, 10);
    options->path = argv[optind + 1];
}

/* Starts those that are beside the clients; returns how many. */
static unsigned
start_others(struct run *run, struct slow slow[SLOW_KINDS], pthread_t threads[SLOW_KINDS + 3])
{
    unsigned count = 0;

    for (unsigned i = 0; i < SLOW_KINDS; i++) {
        slow[i] = (struct slow){ .run = run, .how = (enum slowness)i };
        if (run->options.slow[i] > 0 &&
            pthread_create(&threads[count++], NULL, be_slow, &slow[i]) != 0)
            die("no thread");
    }
    if (run->options.wrong > 0 && pthread_create(&threads[count++], NULL, be_wrong, run) != 0)
        die("no thread");
    if (run->options.passwords > 0 && pthread_create(&threads[count++], NULL, guess_all, run) != 0)
        die("no thread");
    if (run->options.watched > 0 && pthread_create(&threads[count++], NULL, watch, run) != 0)
        die("no thread");
    return count;
}

int
main(int argc, char **argv)
{
    struct run run = { .env = pb_env_system(), .options = { .clients = 64, .seconds = 5 } };
    pthread_t others[SLOW_KINDS + 3];
    struct slow slow[SLOW_KINDS];
    struct client *clients;
    unsigned other_count;
    int result = 0;

    parse(argc, argv, &run.options);
    load_bodies(&run);
    if (run.options.check_path != NULL)
        read_ledger(&run);
    run.samples_us = calloc(SAMPLES_MAX, sizeof(*run.samples_us));
    clients = calloc(run.options.clients, sizeof(*clients));
    if (run.samples_us == NULL || clients == NULL ||
        gnutls_certificate_allocate_credentials(&run.credentials) != 0)
        die("no memory");
    run.start_ns = pb_monotonic_ns(run.env);
    run.end_ns = run.start_ns + (int64_t)run.options.seconds * 1000000000;
    other_count = start_others(&run, slow, others);
    for (unsigned i = 0; i < run.options.clients; i++) {
        clients[i].run = &run;
        clients[i].number = i;
        if (pthread_create(&clients[i].thread, NULL,
                           run.options.check_path != NULL ? check_on : ask_on, &clients[i]) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < run.options.clients; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(&run);
    if (run.options.ledger_path != NULL)
        write_ledger(&run, clients);
    if (run.options.check_path != NULL)
        result = report_check(&run);
    for (unsigned i = 0; i < other_count; i++)
        (void)pthread_join(others[i], NULL);
    for (unsigned i = 0; i < run.options.clients; i++)
        free(clients[i].acked);
    free(clients);
    free(run.samples_us);
    free(run.batches);
    free(run.bodies);
    free(run.body_ends);
    gnutls_certificate_free_credentials(run.credentials);
    return result;
}
