/*
 * Witness transport: one POST, by libcurl.
 *
 * Where requests go is configured by the operator, so what is guarded against is a witness that
 * answers with too much, too slowly, or with an address elsewhere.
 */
#include <ctype.h>
#include <string.h>

#include <curl/curl.h>

#include "audit/witness.h"

#define CONNECT_MS 5000L
#define TOTAL_MS 10000L

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct pb_witness_reply *reply = context;
    size_t total = size * count;

    /* Taking less than there is ends the transfer. */
    if (total > sizeof(reply->body) - reply->body_bytes)
        return 0;
    memcpy(reply->body + reply->body_bytes, bytes, total);
    reply->body_bytes += total;
    return total;
}

bool
pb_witness_url_is_allowed(const char *url)
{
    static const char *const plain[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };

    if (strncmp(url, "https://", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        size_t bytes = strlen(plain[i]);

        if (strncmp(url, plain[i], bytes) == 0 && (url[bytes] == ':' || url[bytes] == '/'))
            return true;
    }
    return false;
}

static void
note_type(CURL *curl, struct pb_witness_reply *reply)
{
    const char *type = NULL;
    size_t bytes = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    if (type == NULL)
        return;
    for (; bytes < sizeof(reply->content_type) - 1 && type[bytes] != '\0' && type[bytes] != ';' &&
           type[bytes] != ' ';
         bytes++)
        reply->content_type[bytes] = (char)tolower((unsigned char)type[bytes]);
    reply->content_type[bytes] = '\0';
}

static bool
set_options(CURL *curl, const char *url, struct pb_str body, struct curl_slist *headers,
            struct pb_witness_reply *reply)
{
    bool is_set = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;

    is_set &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http") == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.bytes) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.text) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    is_set &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply) == CURLE_OK;
    return is_set;
}

enum pb_status
pb_witness_post_http(void *context, const char *url, struct pb_str body,
                     struct pb_witness_reply *ret_reply, struct pb_error *error)
{
    struct curl_slist *headers = NULL;
    CURL *curl = NULL;
    long http_status = 0;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    (void)context;
    memset(ret_reply, 0, sizeof(*ret_reply));
    if (!pb_witness_url_is_allowed(url))
        return pb_fail(error, PB_E_IO,
                       "a witness is asked over https, or http on this machine, and "
                       "not at '%.200s'",
                       url);
    curl = curl_easy_init();
    headers = curl_slist_append(NULL, "Content-Type: text/plain");
    if (curl != NULL && headers != NULL && set_options(curl, url, body, headers, ret_reply))
        code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    if (code == CURLE_OK) {
        ret_reply->http_status = (int)http_status;
        note_type(curl, ret_reply);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        return pb_fail(error, PB_E_IO, "no answer from witness '%.200s': %s", url,
                       curl_easy_strerror(code));
    return PB_OK;
}
