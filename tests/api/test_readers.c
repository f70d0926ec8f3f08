/*
 * Readers' own credentials, in a path or as a certificate; quotas of requests; and wrong
 * credentials.
 */
#include "api/service.h"
#include "inquiry/site_room.h"

#include <curl/curl.h>

#include "api/quota.h"
#include "api/token.h"
#include "net/certificate.h"
#include "net/tls.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND_NS INT64_C(1000000000)
#define AT "\"captured_at\":\"2026-06-01T11:00:00Z\""
#define WRONG "pb_0123456789ab_0123456789012345678901234567890123456789012"

struct readers {
    struct site_room room;
    struct service service;
    char header[PB_TOKEN_TEXT_BYTES]; /* kansas-pd, only k1 */
    char path[PB_TOKEN_TEXT_BYTES];   /* the same, in the path */
    char ask[PB_TOKEN_TEXT_BYTES];    /* kansas-pd, as doe */
};

/* ---- tokens ---- */

static enum pb_status
add(struct readers *readers, enum pb_api_token_via via, unsigned verbs, const char *reader,
    const char *certificate, char text[PB_TOKEN_TEXT_BYTES])
{
    struct pb_str names[1] = { pb_str_from(reader) };
    struct pb_api_token token = {
        .agency = pb_str_from("kansas-pd"),
        .person = pb_str_from((verbs & PB_TOKEN_ASK) != 0 ? "doe" : NULL),
        .verbs = verbs,
        .readers = names,
        .reader_count = reader != NULL ? 1 : 0,
        .via = via,
        .certificate = pb_str_from(certificate),
        .expires_at_us = readers->room.now_us + 30 * PB_DAY_US,
    };

    return pb_api_token_add(readers->room.env, readers->room.site, &token, text,
                            &readers->room.error);
}

static int
setup(void **state)
{
    struct readers *readers = calloc(1, sizeof(*readers));
    struct site_room *room;

    assert_non_null(readers);
    room = &readers->room;
    room_init(room);
    service_init(&readers->service);
    readers->service.env = room->env;
    readers->service.options.site = room->site;
    readers->service.options.takes_inquiries = true;
    readers->service.options.takes_reads = true;
    room_expect(room, PB_OK,
                add(readers, PB_TOKEN_HEADER, PB_TOKEN_READS, "k1", NULL, readers->header),
                "header");
    room_expect(room, PB_OK, add(readers, PB_TOKEN_PATH, PB_TOKEN_READS, "k1", NULL, readers->path),
                "path");
    room_expect(room, PB_OK, add(readers, PB_TOKEN_HEADER, PB_TOKEN_ASK, NULL, NULL, readers->ask),
                "ask");
    *state = readers;
    return 0;
}

static int
teardown(void **state)
{
    struct readers *readers = *state;

    service_done(&readers->service);
    room_done(&readers->room);
    free(readers);
    return 0;
}

/* ---- requests ---- */

static int
post(const struct readers *readers, struct client *client, const char *target, const char *template,
     const char *token, const char *body)
{
    char more[512];
    int length =
        snprintf(more, sizeof(more), "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 strlen(body));

    if (token != NULL)
        (void)snprintf(more + length, sizeof(more) - (size_t)length, "Authorization: Bearer %s\r\n",
                       token);
    return service_ask(&readers->service, client, "POST", target, template, more, body);
}

/* Sends one read; key in the path where in_path. Returns the status; the reply must have `has`. */
static int
send_read(const struct readers *readers, const char *key, bool in_path, const char *body,
          const char *has)
{
    char target[128];
    struct client client;
    int status;

    (void)snprintf(target, sizeof(target), "/r/%s", key);
    status = post(readers, &client, in_path ? target : "/v1/reads",
                  in_path ? "/r/{key}" : "/v1/reads", in_path ? NULL : key, body);
    if (strstr(client.text, has) == NULL)
        fail_msg("%d: %s", status, client.text);
    client_close(&client);
    return status;
}

static struct pb_str
id_of(const char *token)
{
    return (struct pb_str){ token + 3, PB_TOKEN_ID_BYTES };
}

/* ---- keys in a path ---- */

static void
a_key_in_the_path_sends_reads_of_its_reader_alone(void **state)
{
    struct readers *readers = *state;

    service_start(&readers->service);
    assert_int_equal(200, send_read(readers, readers->path, true,
                                    "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}",
                                    "\"statuses\":[\"stored\"]"));
    assert_int_equal(200, send_read(readers, readers->path, true,
                                    "{\"plate\":\"KSA2\",\"reader\":\"k1\"," AT "}",
                                    "\"statuses\":[\"stored\"]"));
    assert_int_equal(200, send_read(readers, readers->path, true,
                                    "{\"plate\":\"KSA3\",\"reader\":\"k2\"," AT "}",
                                    "\"statuses\":[\"refused\"]"));
    assert_int_equal(200, send_read(readers, readers->path, true,
                                    "{\"plate\":\"KSA4\",\"reader\":\"r1\"," AT "}",
                                    "\"statuses\":[\"refused\"]"));
    assert_int_equal(1, room_count_plate(&readers->room, "KSA1"));
    assert_int_equal(0, room_count_plate(&readers->room, "KSA3"));
}

static void
a_key_is_good_only_where_it_belongs(void **state)
{
    struct readers *readers = *state;
    char near[PB_TOKEN_TEXT_BYTES];

    service_start(&readers->service);
    assert_int_equal(401, send_read(readers, readers->header, true, "{}", "holds no longer"));
    assert_int_equal(401, send_read(readers, readers->path, false, "{}", "holds no longer"));
    assert_int_equal(401, send_read(readers, "x", true, "{}", "holds no longer"));
    memcpy(near, readers->path, sizeof(near));
    near[sizeof(near) - 2] = near[sizeof(near) - 2] == 'A' ? 'B' : 'A';
    assert_int_equal(401, send_read(readers, near, true, "{}", "holds no longer"));
    /* A header does not help a key that is none. */
    assert_int_equal(200,
                     send_read(readers, readers->path, true,
                               "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}", "stored"));
}

static void
keys_stand_in_no_log_and_no_reply(void **state)
{
    struct readers *readers = *state;
    struct client client;
    char target[128];

    service_start(&readers->service);
    (void)snprintf(target, sizeof(target), "/r/%s", readers->path);
    assert_int_equal(200, post(readers, &client, target, "/r/{key}", NULL,
                               "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}"));
    assert_null(strstr(client.text, readers->path + 16));
    client_close(&client);
    client = client_connect(&readers->service.fixture);
    assert_true(client_say(&client, "GET ") && client_say(&client, target) &&
                client_say(&client, " HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(405, client_reply(&client));
    assert_null(strstr(client.text, readers->path + 16));
    client_close(&client);
    (void)snprintf(target, sizeof(target), "/r/%s?x", readers->path);
    (void)post(readers, &client, target, "/r/{key}", NULL, "nonsense");
    assert_null(strstr(client.text, readers->path + 16));
    client_close(&client);
    (void)pthread_mutex_lock(&readers->service.fixture.lock);
    assert_non_null(strstr(readers->service.fixture.logged, "reads.send_by_key"));
    assert_null(strstr(readers->service.fixture.logged, readers->path + 3));
    (void)pthread_mutex_unlock(&readers->service.fixture.lock);
}

static void
a_key_that_was_revoked_is_none_at_once_or_within_a_second(void **state)
{
    struct readers *readers = *state;
    struct site_room *room = &readers->room;

    service_start(&readers->service);
    assert_int_equal(200,
                     send_read(readers, readers->path, true,
                               "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}", "stored"));
    /* As another process does it, behind the service's back. */
    room_expect(room, PB_OK,
                pb_api_token_revoke(room->env, room->site, id_of(readers->path), &room->error),
                "revoke");
    room->now_us += 2000000;
    assert_int_equal(401, send_read(readers, readers->path, true, "{}", "holds no longer"));
    assert_int_equal(1, room_leaves(room, "kansas-pd", "change", NULL) > 0);
}

static void
what_a_reader_cannot_have_is_refused_by_name(void **state)
{
    static const char print[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const struct {
        enum pb_api_token_via via;
        unsigned verbs;
        const char *reader, *certificate, *says; /* says: NULL where it can be */
    } cases[] = {
        { PB_TOKEN_PATH, PB_TOKEN_READS, "k1", NULL, NULL },
        { PB_TOKEN_PATH, PB_TOKEN_READS, NULL, NULL, "readers: " },
        { PB_TOKEN_PATH, PB_TOKEN_READS | PB_TOKEN_ADMINISTER, "k1", NULL, "readers: " },
        { PB_TOKEN_PATH, PB_TOKEN_READS, "k1", print, "certificate: " },
        { PB_TOKEN_HEADER, PB_TOKEN_READS, "k1", print, "certificate: " },
        { PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", NULL, "certificate: " },
        { PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", "0011", "certificate: " },
        { PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, NULL, print, "readers: " },
        { PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", print, NULL },
        { PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", print, "certificate: it is bound already" },
    };
    struct readers *readers = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[PB_TOKEN_TEXT_BYTES] = "";
        enum pb_status status =
            add(readers, cases[i].via, cases[i].verbs, cases[i].reader, cases[i].certificate, text);

        if (status != (cases[i].says == NULL ? PB_OK : PB_BAD_INPUT))
            fail_msg("case %zu: %s", i, readers->room.error.message);
        if (cases[i].says != NULL)
            assert_non_null(strstr(readers->room.error.message, cases[i].says));
        else if (cases[i].via == PB_TOKEN_CERTIFICATE)
            assert_string_equal("001122334455", text);
    }
}

/* ---- certificates ---- */

static size_t
drop_body(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* Sends a read over TLS, showing a certificate of the service's directory, or none. */
static long
send_secured(const struct readers *readers, const char *certificate, const char *token)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char url[64], paths[3][128], bearer[128];
    CURL *curl = curl_easy_init();
    long status = 0;

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/v1/reads",
                   pb_server_address(readers->service.fixture.server).port);
    (void)snprintf(paths[0], sizeof(paths[0]), "%s/chain.pem", readers->service.directory);
    (void)snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", token);
    if (token != NULL)
        headers = curl_slist_append(headers, bearer);
    if (certificate != NULL) {
        (void)snprintf(paths[1], sizeof(paths[1]), "%s/%s.pem", readers->service.directory,
                       certificate);
        (void)snprintf(paths[2], sizeof(paths[2]), "%s/%s-key.pem", readers->service.directory,
                       certificate);
        assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_SSLCERT, paths[1]));
        assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_SSLKEY, paths[2]));
    }
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_URL, url));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_CAINFO, paths[0]));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_PROXY, ""));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body));
    assert_int_equal(CURLE_OK,
                     curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                                      "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}"));
    assert_int_equal(CURLE_OK, curl_easy_perform(curl));
    assert_int_equal(CURLE_OK, curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status));
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}

static void
make_pair(const struct readers *readers, const char *name, unsigned char serial,
          char print[PB_TLS_PRINT_BYTES])
{
    char certificate[128], key[128], pem[4096];
    int64_t ends_us = 0;
    size_t bytes;
    FILE *file;

    (void)snprintf(certificate, sizeof(certificate), "%s/%s.pem", readers->service.directory, name);
    (void)snprintf(key, sizeof(key), "%s/%s-key.pem", readers->service.directory, name);
    make_certificate(certificate, key, serial);
    file = fopen(certificate, "rb");
    assert_non_null(file);
    bytes = fread(pem, 1, sizeof(pem), file);
    assert_int_equal(0, fclose(file));
    assert_int_equal(PB_OK, pb_tls_print(pem, bytes, print, &ends_us));
    assert_true(ends_us > pb_now_us(pb_env_system()));
}

static void
what_is_no_certificate_has_no_print(void **state)
{
    static const char *const texts[] = {
        "", "none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    };
    char print[PB_TLS_PRINT_BYTES] = "";
    int64_t ends_us = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(PB_BAD_INPUT, pb_tls_print(texts[i], strlen(texts[i]), print, &ends_us));
}

static void
a_certificate_stands_for_its_reader(void **state)
{
    struct readers *readers = *state;
    struct site_room *room = &readers->room;
    char print[PB_TLS_PRINT_BYTES], other[PB_TLS_PRINT_BYTES], server[PB_TLS_PRINT_BYTES];
    char id[PB_TOKEN_TEXT_BYTES], chain[128], key[128];

    make_pair(readers, "chain", 1, server);
    make_pair(readers, "reader", 2, print);
    make_pair(readers, "other", 3, other);
    assert_string_not_equal(print, other);
    room_expect(room, PB_OK, add(readers, PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", print, id),
                "certificate");
    (void)snprintf(chain, sizeof(chain), "%s/chain.pem", readers->service.directory);
    (void)snprintf(key, sizeof(key), "%s/chain-key.pem", readers->service.directory);
    readers->service.fixture.options.certificate_path = chain;
    readers->service.fixture.options.key_path = key;
    readers->service.fixture.options.asks_certificates = true;
    service_start_quietly(&readers->service);

    assert_int_equal(401, send_secured(readers, NULL, NULL));
    assert_int_equal(200, send_secured(readers, NULL, readers->header));
    assert_int_equal(200, send_secured(readers, "reader", NULL));
    assert_int_equal(1, room_count_plate(room, "KSA1"));
    assert_int_equal(401, send_secured(readers, "other", NULL));
    /* A token that is shown is what counts, good or not. */
    assert_int_equal(200, send_secured(readers, "other", readers->header));
    assert_int_equal(401, send_secured(readers, "reader", WRONG));
    room_expect(room, PB_OK,
                pb_api_token_revoke(room->env, room->site, pb_str_from(id), &room->error),
                "revoke");
    room->now_us += 2000000;
    assert_int_equal(401, send_secured(readers, "reader", NULL));
    room_expect(room, PB_BAD_INPUT,
                add(readers, PB_TOKEN_CERTIFICATE, PB_TOKEN_READS, "k1", print, id), "again");
}

/* ---- quotas ---- */

static void
quotas_fill_steadily_and_never_beyond_their_burst(void **state)
{
    static const struct pb_api_quota_limits limits = {
        .requests_per_second = { [PB_QUOTA_TOKEN] = 10, [PB_QUOTA_AGENCY] = 15 },
    };
    struct pb_api_quota *quota = calloc(1, sizeof(*quota));
    const struct pb_peer peer = { .port = 1 };
    struct pb_api_quota_holder first = { .peer = &peer }, second = { .peer = &peer };
    int64_t now_ns = 5 * SECOND_NS;
    unsigned taken = 0, of_second = 0;

    (void)state;
    first.ids[PB_QUOTA_TOKEN] = pb_str_from("0123456789ab");
    first.ids[PB_QUOTA_AGENCY] = second.ids[PB_QUOTA_AGENCY] = pb_str_from("kansas-pd");
    second.ids[PB_QUOTA_TOKEN] = pb_str_from("ba9876543210");
    pb_api_quota_init(quota, &limits, 7);
    while (pb_api_quota_request(quota, &first, now_ns) == 0)
        taken++;
    assert_int_equal(20, taken);
    /* What one was refused is not taken from what it shares. */
    while (pb_api_quota_request(quota, &second, now_ns) == 0)
        of_second++;
    assert_int_equal(10, of_second);
    now_ns += 3600 * SECOND_NS;
    for (unsigned i = 0; i < 1000; i++) { /* 1,000 times 10 ms: 100 requests, and the burst */
        now_ns += 10000000;
        taken += pb_api_quota_request(quota, &first, now_ns) == 0;
    }
    assert_int_equal(139, taken); /* the first of the burst began it */
    /* A clock that goes back gives nothing. */
    assert_true(pb_api_quota_request(quota, &first, now_ns - SECOND_NS) > 0);
    pb_api_quota_done(quota);
    free(quota);
}

static void
the_wait_that_is_told_is_true(void **state)
{
    static const struct pb_api_quota_limits limits = {
        .requests_per_second = { [PB_QUOTA_ADDRESS] = 3 },
        .rows_per_hour = { [PB_QUOTA_PERSON] = 100 },
        .failures_per_minute = 4,
    };
    struct pb_api_quota *quota = calloc(1, sizeof(*quota));
    const struct pb_peer peer = { .port = 1 };
    struct pb_api_quota_holder holder = { .peer = &peer };
    int64_t now_ns = SECOND_NS;
    uint32_t wait;

    (void)state;
    holder.ids[PB_QUOTA_PERSON] = pb_str_from("doe");
    pb_api_quota_init(quota, &limits, 7);
    while ((wait = pb_api_quota_request(quota, &holder, now_ns)) == 0)
        ;
    assert_int_equal(1, wait);
    assert_int_equal(0, pb_api_quota_request(quota, &holder, now_ns + wait * SECOND_NS));

    assert_int_equal(100, pb_api_quota_rows_max(quota, &holder));
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 99, now_ns));
    wait = pb_api_quota_rows_take(quota, &holder, 52, now_ns);
    assert_int_equal(51 * 36, wait);
    assert_true(pb_api_quota_rows_take(quota, &holder, 52, now_ns + (wait - 1) * SECOND_NS) > 0);
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 1, now_ns)); /* the hundredth */
    now_ns += (wait + 36) * SECOND_NS;
    assert_int_equal(0, pb_api_quota_rows_take(quota, &holder, 52, now_ns));
    /* Nobody waits longer than a day and two hours, whatever was given. */
    pb_api_quota_rows_given(quota, &holder, UINT64_MAX, now_ns);
    wait = pb_api_quota_rows_take(quota, &holder, 100, now_ns);
    assert_true(wait > 24 * 3600 && wait <= 26 * 3600);

    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(0, pb_api_quota_failures_wait(quota, &peer, now_ns));
        pb_api_quota_failed(quota, &peer, now_ns);
    }
    assert_int_equal(15, pb_api_quota_failures_wait(quota, &peer, now_ns));
    pb_api_quota_done(quota);
    free(quota);
}

static void
an_address_of_ipv6_is_its_first_half(void **state)
{
    static const struct pb_api_quota_limits limits = { .failures_per_minute = 1 };
    struct pb_api_quota *quota = calloc(1, sizeof(*quota));
    struct pb_peer peers[4] = { { .port = 1 }, { .port = 2 }, { .port = 3 }, { .port = 4 } };

    (void)state;
    assert_int_equal(1, inet_pton(AF_INET6, "2001:db8:1:2::1", &peers[0].address));
    assert_int_equal(1, inet_pton(AF_INET6, "2001:db8:1:2:9::9", &peers[1].address));
    assert_int_equal(1, inet_pton(AF_INET6, "::ffff:192.0.2.1", &peers[2].address));
    assert_int_equal(1, inet_pton(AF_INET6, "::ffff:192.0.2.2", &peers[3].address));
    pb_api_quota_init(quota, &limits, 7);
    pb_api_quota_failed(quota, &peers[0], SECOND_NS);
    assert_true(pb_api_quota_failures_wait(quota, &peers[1], SECOND_NS) > 0);
    pb_api_quota_failed(quota, &peers[2], SECOND_NS);
    assert_int_equal(0, pb_api_quota_failures_wait(quota, &peers[3], SECOND_NS));
    pb_api_quota_done(quota);
    free(quota);
}

/* More holders than there are buckets: who owes most is not forgotten for who owes little. */
static void
a_full_table_keeps_who_owes_most(void **state)
{
    static const struct pb_api_quota_limits limits = {
        .rows_per_hour = { [PB_QUOTA_PERSON] = 1000 },
    };
    struct pb_api_quota *quota = calloc(1, sizeof(*quota));
    const struct pb_peer peer = { .port = 1 };
    struct pb_api_quota_holder holder = { .peer = &peer };
    char name[32];

    (void)state;
    pb_api_quota_init(quota, &limits, 7);
    holder.ids[PB_QUOTA_PERSON] = pb_str_from("doe");
    pb_api_quota_rows_given(quota, &holder, 5000, SECOND_NS);
    for (unsigned i = 0; i < 2 * PB_QUOTA_SETS * PB_QUOTA_WAYS; i++) {
        (void)snprintf(name, sizeof(name), "person-%u", i);
        holder.ids[PB_QUOTA_PERSON] = pb_str_from(name);
        pb_api_quota_rows_given(quota, &holder, 1, SECOND_NS);
    }
    holder.ids[PB_QUOTA_PERSON] = pb_str_from("doe");
    assert_true(pb_api_quota_rows_take(quota, &holder, 1, SECOND_NS) > 0);
    pb_api_quota_done(quota);
    free(quota);
}

/* The number in Retry-After. */
static int64_t
wait_of(const struct client *client)
{
    const char *text = strstr(client->text, "Retry-After: ");

    assert_non_null(text);
    return strtoll(text + 13, NULL, 10);
}

static void
wrong_credentials_of_an_address_are_slowed_and_known_tokens_are_not(void **state)
{
    struct readers *readers = *state;
    struct client client;
    int64_t wait_s;

    readers->service.options.quotas.failures_per_minute = 5;
    service_start(&readers->service);
    assert_int_equal(200,
                     send_read(readers, readers->header, false,
                               "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}", "stored"));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(401, send_read(readers, WRONG, i % 2 == 0, "{}", "holds no longer"));
    assert_int_equal(429, post(readers, &client, "/v1/reads", "/v1/reads", WRONG, "{}"));
    wait_s = wait_of(&client);
    client_close(&client);
    assert_true(wait_s > 0 && wait_s <= 12);
    assert_int_equal(429, send_read(readers, readers->path, true, "{}", "too many wrong"));
    assert_int_equal(200, send_read(readers, readers->header, false, "{\"plate\":\"KSA2\"," AT "}",
                                    "stored"));
    /* To show nothing is no try. */
    assert_int_equal(401, post(readers, &client, "/v1/reads", "/v1/reads", NULL, "{}"));
    client_close(&client);
    assert_int_equal(200, service_get(&readers->service, "/docs", "/docs"));
    readers->room.now_us += wait_s * 1000000;
    assert_int_equal(200, send_read(readers, readers->path, true, "{\"plate\":\"KSA3\"," AT "}",
                                    "stored"));
}

static void
each_quota_of_requests_is_told_by_what_refuses(void **state)
{
    struct readers *readers = *state;

    readers->service.options.quotas.requests_per_second[PB_QUOTA_ADDRESS] = 2;
    service_start(&readers->service);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(200, send_read(readers, i % 2 == 0 ? readers->header : readers->path,
                                        i % 2 != 0,
                                        "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}",
                                        "statuses"));
    assert_int_equal(429, send_read(readers, readers->path, true, "{}", "Retry-After: 1\r\n"));
    assert_int_equal(200, service_get(&readers->service, "/healthz", "/healthz"));
    readers->room.now_us += 1000000;
    assert_int_equal(200, send_read(readers, readers->path, true,
                                    "{\"plate\":\"KSA1\",\"jurisdiction\":\"US-KS\"," AT "}",
                                    "statuses"));
}

/* A reader that nobody knew, behind a token and an agency that are at hand: it is in the catalog
 * before its read is said to be stored, though the first try was not to wait. */
static void
a_new_reader_is_added_before_its_read_is_stored(void **state)
{
    struct readers *readers = *state;
    struct site_room *room = &readers->room;
    const struct pb_catalog_view *view = NULL;
    char any[PB_TOKEN_TEXT_BYTES], body[160];

    room_expect(room, PB_OK, add(readers, PB_TOKEN_HEADER, PB_TOKEN_READS, NULL, NULL, any), "any");
    service_start(&readers->service);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(body, sizeof(body), "{\"plate\":\"KSA%u\",\"reader\":\"new-%u\"," AT "}", i,
                       i / 2);
        assert_int_equal(200, send_read(readers, any, false, body, "\"statuses\":[\"stored\"]"));
        room_expect(room, PB_OK,
                    pb_catalog_view_take(pb_site_catalog(room->site), &view, &room->error), "view");
        (void)snprintf(body, sizeof(body), "new-%u", i / 2);
        assert_int_not_equal(PB_NO_INDEX, pb_view_reader(view, pb_str_from(body)));
        pb_catalog_view_drop(view);
    }
}

/* Each new reader makes the first try wait: what the second one takes is not taken twice. */
static void
a_request_that_was_tried_twice_is_one(void **state)
{
    struct readers *readers = *state;
    char any[PB_TOKEN_TEXT_BYTES], body[160];

    room_expect(&readers->room, PB_OK,
                add(readers, PB_TOKEN_HEADER, PB_TOKEN_READS, NULL, NULL, any), "any");
    readers->service.options.quotas.requests_per_second[PB_QUOTA_TOKEN] = 3;
    service_start(&readers->service);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(body, sizeof(body), "{\"plate\":\"KSA1\",\"reader\":\"new-%u\"," AT "}", i);
        assert_int_equal(200, send_read(readers, any, false, body, "stored"));
    }
    assert_int_equal(429, send_read(readers, any, false, "{}", "Retry-After: 1\r\n"));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_key_in_the_path_sends_reads_of_its_reader_alone),
        CASE(a_key_is_good_only_where_it_belongs),
        CASE(keys_stand_in_no_log_and_no_reply),
        CASE(a_key_that_was_revoked_is_none_at_once_or_within_a_second),
        CASE(what_a_reader_cannot_have_is_refused_by_name),
        CASE(a_certificate_stands_for_its_reader),
        cmocka_unit_test(what_is_no_certificate_has_no_print),
        cmocka_unit_test(quotas_fill_steadily_and_never_beyond_their_burst),
        cmocka_unit_test(the_wait_that_is_told_is_true),
        cmocka_unit_test(an_address_of_ipv6_is_its_first_half),
        cmocka_unit_test(a_full_table_keeps_who_owes_most),
        CASE(wrong_credentials_of_an_address_are_slowed_and_known_tokens_are_not),
        CASE(each_quota_of_requests_is_told_by_what_refuses),
        CASE(a_new_reader_is_added_before_its_read_is_stored),
        CASE(a_request_that_was_tried_twice_is_one),
    };
#undef CASE

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
