/*
 * Requests over HTTP: N clients, each on a connection of its own that is kept alive, ask the same
 * thing as fast as they are answered. Prints answers a second and how long each took.
 *
 * usage: bench_http [option...] PORT PATH
 *
 *   --clients N    connections; 64
 *   --seconds N    how long; 5
 *   --token TEXT   shown as bearer
 *   --tls          TLS 1.3, without looking at the certificate
 *   --body FILE    POST this file (application/json)
 *   --reads N      POST N new reads each time (application/x-ndjson), of reader bench-<client>
 *   --slow N       N more connections that send a head byte by byte, one each second
 */
#include <arpa/inet.h>
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

struct options {
    uint16_t port;
    const char *path, *token, *body_path;
    unsigned clients, seconds, reads, slow;
    bool is_tls;
};

struct run {
    const struct pb_env *env;
    struct options options;
    gnutls_certificate_credentials_t credentials;
    char *body; /* owned: of --body */
    size_t body_bytes;
    int64_t end_ns;
    _Atomic uint32_t sample_count;
    uint32_t *samples_us; /* owned: SAMPLES_MAX */
    _Atomic uint64_t statuses[6];
    _Atomic uint64_t reads_stored;
};

struct client {
    struct run *run;
    unsigned number;
    pthread_t thread;
    int file;
    gnutls_session_t session;
    uint64_t sent; /* reads so far */
    char *request, *answer;
    size_t request_bytes, request_room;
};

static void
die(const char *what)
{
    fprintf(stderr, "bench_http: %s\n", what);
    exit(1);
}

static void
connect_client(struct client *client)
{
    const struct run *run = client->run;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(run->options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1;

    client->file = socket(AF_INET, SOCK_STREAM, 0);
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

static void
send_all(struct client *client, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = client->session != NULL ? gnutls_record_send(client->session, bytes, count)
                                               : send(client->file, bytes, count, MSG_NOSIGNAL);

        if (sent <= 0)
            die("the server has ended a connection");
        bytes += sent;
        count -= (size_t)sent;
    }
}

/* One whole answer with a Content-Length; returns its status. */
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
            die("the server has ended a connection");
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
put_reads(const struct client *client, char *body, size_t room)
{
    const struct run *run = client->run;
    int64_t now_us = pb_now_us(run->env);
    size_t used = 0;

    for (unsigned i = 0; i < run->options.reads; i++) {
        char time[PB_TIME_BYTES_MAX];

        (void)pb_time_format(now_us - (int64_t)(run->options.reads - i), 0, time);
        used += (size_t)snprintf(body + used, room - used,
                                 "{\"plate\":\"B%07" PRIu64 "\",\"captured_at\":\"%s\","
                                 "\"reader\":\"bench-%u\",\"lat\":38.64,\"lon\":-98.31,"
                                 "\"confidence\":91.5,\"heading_deg\":181.5}\n",
                                 (client->sent + i) * 7919 % 10000000, time, client->number);
    }
    return used;
}

static void
make_request(struct client *client)
{
    const struct run *run = client->run;
    const struct options *options = &run->options;
    size_t room = (size_t)options->reads * 256 + 1, body_bytes = run->body_bytes;
    char *reads = options->reads > 0 ? malloc(room) : NULL, head[512];
    bool is_post = options->reads > 0 || run->body != NULL;
    int length;

    if (options->reads > 0)
        body_bytes = put_reads(client, reads, room);
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
                          options->reads > 0 ? "x-ndjson" : "json", body_bytes);
        put(client, head, (size_t)length);
    }
    put(client, "\r\n", 2);
    if (is_post)
        put(client, options->reads > 0 ? reads : run->body, body_bytes);
    free(reads);
}

static void *
ask_on(void *context)
{
    struct client *client = context;
    struct run *run = client->run;

    client->answer = malloc(ANSWER_BYTES_MAX);
    connect_client(client);
    make_request(client);
    for (;;) {
        int64_t began_ns = pb_monotonic_ns(run->env), took_ns;
        uint32_t place;
        unsigned status;

        if (began_ns >= run->end_ns)
            break;
        send_all(client, client->request, client->request_bytes);
        status = receive(client);
        took_ns = pb_monotonic_ns(run->env) - began_ns;
        place = atomic_fetch_add(&run->sample_count, 1);
        if (place < SAMPLES_MAX)
            run->samples_us[place] = (uint32_t)(took_ns / 1000);
        atomic_fetch_add(&run->statuses[status / 100 % 6], 1);
        if (run->options.reads > 0) {
            const char *stored = strstr(client->answer, "{\"stored\":");

            if (stored != NULL)
                atomic_fetch_add(&run->reads_stored, strtoul(stored + 10, NULL, 10));
            client->sent += run->options.reads;
            make_request(client);
        }
    }
    free(client->answer);
    free(client->request);
    return NULL;
}

/* Heads that never end: what the good ones must not notice. */
static void *
be_slow(void *context)
{
    struct run *run = context;
    struct client *clients = calloc(run->options.slow, sizeof(*clients));

    for (unsigned i = 0; i < run->options.slow; i++) {
        clients[i].run = run;
        connect_client(&clients[i]);
    }
    while (pb_monotonic_ns(run->env) < run->end_ns) {
        for (unsigned i = 0; i < run->options.slow; i++)
            (void)!send(clients[i].file, "G", 1, MSG_NOSIGNAL);
        (void)sleep(1);
    }
    free(clients);
    return NULL;
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
    double seconds = run->options.seconds;

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
}

static void
load_body(struct run *run)
{
    FILE *file = run->options.body_path != NULL ? fopen(run->options.body_path, "rb") : NULL;

    if (run->options.body_path == NULL)
        return;
    run->body = malloc(1 << 20);
    if (file == NULL || run->body == NULL)
        die("cannot read the body");
    run->body_bytes = fread(run->body, 1, 1 << 20, file);
    (void)fclose(file);
}

static void
parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        { "clients", required_argument, NULL, 'c' }, { "seconds", required_argument, NULL, 's' },
        { "token", required_argument, NULL, 't' },   { "tls", no_argument, NULL, 'T' },
        { "body", required_argument, NULL, 'b' },    { "reads", required_argument, NULL, 'r' },
        { "slow", required_argument, NULL, 'l' },    { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        unsigned number = optarg != NULL ? (unsigned)strtoul(optarg, NULL, 10) : 0;

        switch (letter) {
        case 'c':
            options->clients = number;
            break;
        case 's':
            options->seconds = number;
            break;
        case 't':
            options->token = optarg;
            break;
        case 'T':
            options->is_tls = true;
            break;
        case 'b':
            options->body_path = optarg;
            break;
        case 'r':
            options->reads = number;
            break;
        case 'l':
            options->slow = number;
            break;
        default:
            die("see the head of bench/http.c");
        }
    }
    if (argc - optind != 2 || options->clients == 0 || options->seconds == 0)
        die("usage: bench_http [option...] PORT PATH");
    options->port = (uint16_t)strtoul(argv[optind], NULL, 10);
    options->path = argv[optind + 1];
}

int
main(int argc, char **argv)
{
    struct run run = { .env = pb_env_system(), .options = { .clients = 64, .seconds = 5 } };
    struct client *clients;
    pthread_t slow;

    parse(argc, argv, &run.options);
    load_body(&run);
    run.samples_us = calloc(SAMPLES_MAX, sizeof(*run.samples_us));
    clients = calloc(run.options.clients, sizeof(*clients));
    if (run.samples_us == NULL || clients == NULL ||
        gnutls_certificate_allocate_credentials(&run.credentials) != 0)
        die("no memory");
    run.end_ns = pb_monotonic_ns(run.env) + (int64_t)run.options.seconds * 1000000000;
    if (run.options.slow > 0 && pthread_create(&slow, NULL, be_slow, &run) != 0)
        die("no thread");
    for (unsigned i = 0; i < run.options.clients; i++) {
        clients[i].run = &run;
        clients[i].number = i;
        if (pthread_create(&clients[i].thread, NULL, ask_on, &clients[i]) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < run.options.clients; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(&run);
    if (run.options.slow > 0)
        (void)pthread_join(slow, NULL);
    free(clients);
    free(run.samples_us);
    free(run.body);
    gnutls_certificate_free_credentials(run.credentials);
    return 0;
}
