/*
 * Fetch: options for libcurl, and a body that may grow so far and no further.
 */
#include "net/fetch.h"

#include <string.h>

#include <curl/curl.h>

#include "base/env.h"

#define CONNECT_MS 5000L
#define FIRST_BYTES 4096u

/* ---- addresses ---- */

static bool
begins(struct pb_str text, const char *with)
{
    size_t bytes = strlen(with);

    return text.bytes >= bytes && memcmp(text.text, with, bytes) == 0;
}

static bool
is_plain_character(char character)
{
    return character > ' ' && character < 0x7f && strchr("\"#<>\\^`{|}", character) == NULL;
}

/* What stands between the slashes and the path. */
static struct pb_str
authority_of(struct pb_str url, uint32_t from)
{
    struct pb_str authority = { url.text + from, 0 };

    while (from + authority.bytes < url.bytes &&
           strchr("/?", authority.text[authority.bytes]) == NULL)
        authority.bytes++;
    return authority;
}

static bool
is_this_machine(struct pb_str authority)
{
    static const char *const names[] = { "127.0.0.1", "[::1]", "localhost" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t bytes = strlen(names[i]);

        if (begins(authority, names[i]) &&
            (authority.bytes == bytes || authority.text[bytes] == ':'))
            return true;
    }
    return false;
}

bool
pb_fetch_is_allowed(struct pb_str url)
{
    bool is_secure = begins(url, "https://");
    struct pb_str authority;

    if (url.bytes > PB_FETCH_URL_BYTES_MAX || (!is_secure && !begins(url, "http://")))
        return false;
    for (uint32_t i = 0; i < url.bytes; i++) {
        if (!is_plain_character(url.text[i]))
            return false;
    }
    authority = authority_of(url, is_secure ? 8 : 7);
    if (authority.bytes == 0 || authority.text[0] == ':' ||
        memchr(authority.text, '@', authority.bytes) != NULL)
        return false;
    return is_secure || is_this_machine(authority);
}

/* ---- one transfer ---- */

struct transfer {
    const struct pb_env *env;
    size_t bytes_max, capacity;
    struct pb_fetch_reply reply; /* its body is owned */
    enum pb_status status;       /* why the body was not taken */
};

static bool
make_room(struct transfer *transfer, size_t bytes)
{
    size_t capacity = transfer->capacity > 0 ? transfer->capacity : FIRST_BYTES;
    char *body;

    while (capacity < bytes)
        capacity *= 2;
    if (capacity == transfer->capacity)
        return true;
    body = pb_realloc(transfer->env, transfer->reply.body, capacity);
    if (body == NULL)
        return false;
    transfer->reply.body = body;
    transfer->capacity = capacity;
    return true;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t total = size * count, used = transfer->reply.body_bytes;

    /* Taking less than there is ends the transfer. */
    if (total > transfer->bytes_max - used) {
        transfer->status = PB_OVER_LIMIT;
        return 0;
    }
    if (!make_room(transfer, used + total + 1)) {
        transfer->status = PB_E_NOMEM;
        return 0;
    }
    memcpy(transfer->reply.body + used, bytes, total);
    transfer->reply.body_bytes += total;
    return total;
}

static bool
set_options(CURL *curl, const struct pb_fetch_request *request, struct curl_slist *headers,
            struct transfer *transfer)
{
    bool is_set = curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK;

    is_set &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http") == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->total_ms) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
    if (request->trusted_path != NULL)
        is_set &= curl_easy_setopt(curl, CURLOPT_CAINFO, request->trusted_path) == CURLE_OK;
    if (request->content_type != NULL) {
        is_set &=
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.bytes) == CURLE_OK;
        is_set &= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.text) == CURLE_OK;
    }
    if (request->user != NULL) {
        is_set &= curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
        is_set &= curl_easy_setopt(curl, CURLOPT_USERNAME, request->user) == CURLE_OK;
        is_set &= curl_easy_setopt(curl, CURLOPT_PASSWORD, request->password) == CURLE_OK;
    }
    return is_set;
}

/* NULL where there is no memory. */
static struct curl_slist *
make_headers(const struct pb_fetch_request *request)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json"), *more;
    char type[128] = "Content-Type: ";
    size_t head = strlen(type), bytes;

    if (headers == NULL || request->content_type == NULL)
        return headers;
    bytes = strlen(request->content_type);
    if (bytes < sizeof(type) - head)
        memcpy(type + head, request->content_type, bytes + 1);
    more = curl_slist_append(headers, type);
    if (more == NULL)
        curl_slist_free_all(headers);
    return more;
}

static void
note_type(CURL *curl, struct pb_fetch_reply *reply)
{
    const char *type = NULL;
    size_t bytes = 0;

    if (curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK || type == NULL)
        return;
    for (; bytes < sizeof(reply->content_type) - 1 && type[bytes] != '\0' && type[bytes] != ';' &&
           type[bytes] != ' ';
         bytes++) {
        bool is_capital = type[bytes] >= 'A' && type[bytes] <= 'Z';

        reply->content_type[bytes] = (char)(type[bytes] + (is_capital ? 'a' - 'A' : 0));
    }
}

static enum pb_status
perform(CURL *curl, const struct pb_fetch_request *request, struct transfer *transfer,
        struct pb_error *error)
{
    CURLcode code = curl_easy_perform(curl);
    long http_status = 0;

    if (transfer->status == PB_OVER_LIMIT)
        return pb_fail(error, PB_OVER_LIMIT, "'%.200s' answers with more than %zu bytes",
                       request->url, request->bytes_max);
    if (transfer->status == PB_OK && code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    if (transfer->status != PB_OK || code == CURLE_OUT_OF_MEMORY || !make_room(transfer, 1))
        return pb_fail(error, PB_E_NOMEM, "no memory for the answer of '%.200s'", request->url);
    if (code != CURLE_OK)
        return pb_fail(error, PB_E_IO, "no answer from '%.200s': %s", request->url,
                       curl_easy_strerror(code));
    transfer->reply.status = (unsigned)http_status;
    transfer->reply.body[transfer->reply.body_bytes] = '\0';
    note_type(curl, &transfer->reply);
    return PB_OK;
}

enum pb_status
pb_fetch(const struct pb_env *env, const struct pb_fetch_request *request,
         struct pb_fetch_reply *ret_reply, struct pb_error *error)
{
    struct transfer transfer = { .env = env, .bytes_max = request->bytes_max };
    struct pb_str url = { request->url, (uint32_t)strnlen(request->url, UINT32_MAX) };
    struct curl_slist *headers = NULL;
    CURL *curl = NULL;
    enum pb_status status = PB_E_NOMEM;

    if (!pb_fetch_is_allowed(url))
        return pb_fail(error, PB_BAD_INPUT,
                       "only https is asked, or http on this machine, and not '%.200s'",
                       request->url);
    curl = curl_easy_init();
    headers = make_headers(request);
    if (curl != NULL && headers != NULL && set_options(curl, request, headers, &transfer))
        status = perform(curl, request, &transfer, error);
    else
        (void)pb_fail(error, PB_E_NOMEM, "no memory to ask '%.200s'", request->url);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (status == PB_OK) {
        *ret_reply = transfer.reply;
        transfer.reply.body = NULL;
    }
    pb_free(env, transfer.reply.body);
    return status;
}
