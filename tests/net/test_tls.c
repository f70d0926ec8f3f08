/*
 * TLS: curl as the client, certificates that the test makes.
 */
#include "net/secured.h"

#include <curl/curl.h>

#include "net/tls.h"
#include "support/fault_env.h"

static int
setup(void **state)
{
    struct secured *secured = secured_new();

    secured_serve(secured);
    *state = secured;
    return 0;
}

static int
teardown(void **state)
{
    secured_free(*state);
    return 0;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    char *body = context;
    size_t used = strlen(body);

    assert_true(used + size * count < 256);
    memcpy(body + used, bytes, size * count);
    body[used + size * count] = '\0';
    return size * count;
}

/* A handle that trusts one certificate. */
static CURL *
client(const struct secured *secured, const char *trusted, char body[256])
{
    CURL *curl = curl_easy_init();
    char url[64];

    assert_non_null(curl);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/worker",
                   pb_server_address(secured->fixture.server).port);
    body[0] = '\0';
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_URL, url));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_CAINFO, trusted));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_WRITEDATA, body));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_PROXY, ""));
    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS));
    return curl;
}

static CURLcode
ask_once(const struct secured *secured, const char *trusted, long tls_version)
{
    char body[256];
    CURL *curl = client(secured, trusted, body);
    CURLcode code;

    assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_SSLVERSION, tls_version));
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        assert_string_equal("hello\n", body);
    curl_easy_cleanup(curl);
    return code;
}

static void
requests_are_answered_over_tls_1_2_and_1_3(void **state)
{
    struct secured *secured = *state;

    fixture_start(&secured->fixture);
    assert_int_equal(CURLE_OK, ask_once(secured, secured->certificate,
                                        CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3));
    assert_int_equal(CURLE_OK, ask_once(secured, secured->certificate,
                                        CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2));
    assert_int_equal(CURLE_PEER_FAILED_VERIFICATION,
                     ask_once(secured, secured->other_certificate, CURL_SSLVERSION_DEFAULT));
}

static void
elder_versions_are_refused(void **state)
{
    static const long versions[] = {
        CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1,
        CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0,
    };
    struct secured *secured = *state;

    fixture_start(&secured->fixture);
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        char body[256], why[CURL_ERROR_SIZE] = "";
        CURL *curl = client(secured, secured->certificate, body);

        /* The client would; it is the server that will not, and says so in an alert. */
        assert_int_equal(CURLE_OK,
                         curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0"));
        assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions[i]));
        assert_int_equal(CURLE_OK, curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why));
        assert_int_equal(CURLE_SSL_CONNECT_ERROR, curl_easy_perform(curl));
        /* Where the close overtakes the alert, the client sees a connection that ended. */
        if (strstr(why, "SSL_ERROR_SYSCALL") == NULL && strstr(why, "unexpected eof") == NULL)
            expect_in(why, "alert protocol version");
        curl_easy_cleanup(curl);
    }
}

static void
a_new_certificate_is_for_new_connections(void **state)
{
    struct secured *secured = *state;
    struct pb_error error = { "" };
    char body[256];
    CURL *open;

    fixture_start(&secured->fixture);
    open = client(secured, secured->certificate, body);
    assert_int_equal(CURLE_OK, curl_easy_perform(open));

    assert_int_equal(0, rename(secured->other_certificate, secured->certificate));
    assert_int_equal(0, rename(secured->other_key, secured->key));
    assert_int_equal(PB_OK, pb_server_reload(secured->fixture.server, &error));
    assert_int_equal(CURLE_OK, ask_once(secured, secured->certificate, CURL_SSLVERSION_DEFAULT));
    /* The one that is open goes on, without a new handshake. */
    body[0] = '\0';
    assert_int_equal(CURLE_OK, curl_easy_perform(open));
    assert_string_equal("hello\n", body);
    curl_easy_cleanup(open);
}

static void
a_new_certificate_that_is_no_good_changes_nothing(void **state)
{
    static const struct {
        const char *text;
        enum pb_status status;
    } cases[] = { { "not PEM\n", PB_BAD_INPUT }, { "", PB_BAD_INPUT }, { NULL, PB_NOT_FOUND } };
    struct secured *secured = *state;
    char copy[96];

    secured_name(secured, copy, "copy.pem");
    make_certificate(copy, secured->other_key, 3);
    assert_int_equal(0, rename(secured->certificate, copy)); /* what clients trust */
    assert_int_equal(0, link(copy, secured->certificate));
    fixture_start(&secured->fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_error error = { "" };

        assert_int_equal(0, unlink(secured->certificate));
        if (cases[i].text != NULL) {
            gnutls_datum_t text = { (unsigned char *)(uintptr_t)cases[i].text,
                                    (unsigned)strlen(cases[i].text) };

            write_datum(secured->certificate, &text);
        }
        assert_int_equal(cases[i].status, pb_server_reload(secured->fixture.server, &error));
        expect_in(error.message, secured->certificate);
        assert_int_equal(CURLE_OK, ask_once(secured, copy, CURL_SSLVERSION_DEFAULT));
    }
}

static void
a_key_of_another_certificate_is_refused_at_start(void **state)
{
    struct secured *secured = *state;
    struct pb_error error = { "" };

    secured->fixture.options.key_path = secured->other_key;
    assert_int_equal(PB_BAD_INPUT, pb_server_start(pb_env_system(), &secured->fixture.options,
                                                   &secured->fixture.server, &error));
    expect_in(error.message, "no certificate with its key");
    secured->fixture.options.key_path = NULL;
    assert_int_equal(PB_BAD_INPUT, pb_server_start(pb_env_system(), &secured->fixture.options,
                                                   &secured->fixture.server, &error));
    expect_in(error.message, "given together");
}

static void
what_is_not_tls_gets_nothing_in_the_clear(void **state)
{
    struct secured *secured = *state;
    struct client plain;

    fixture_start(&secured->fixture);
    plain = client_connect(&secured->fixture);
    assert_true(client_say(&plain, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    client_receive_all(&plain);
    assert_null(strstr(plain.text, "HTTP/"));
    client_close(&plain);
    assert_int_equal(CURLE_OK, ask_once(secured, secured->certificate, CURL_SSLVERSION_DEFAULT));
}

static void
keys_are_loaded_wholly_or_not_at_all(void **state)
{
    struct secured *secured = *state;
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_tls *tls = NULL;
        struct pb_error error = { "" };

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_tls_new(&fault.env, secured->certificate, secured->key, &tls, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (tls != NULL));
        if (tls != NULL) {
            fault.fail_allocation_at = fault.allocation_count + 2;
            assert_int_equal(PB_E_NOMEM, pb_tls_reload(tls, &error));
            pb_tls_keys_unref(pb_tls_keys(tls));
        }
        pb_tls_free(tls);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 20);
    for (fail_at = 1, status = PB_E_IO; status != PB_OK; fail_at++) {
        struct fault_env fault;
        struct pb_tls *tls = NULL;
        struct pb_error error = { "" };

        fault_env_init(&fault, pb_env_system());
        fault.fail_file_call_at = fail_at;
        status = pb_tls_new(&fault.env, secured->certificate, secured->key, &tls, &error);
        assert_true(status == PB_OK || status == PB_E_IO);
        pb_tls_free(tls);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_true(fail_at > 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(requests_are_answered_over_tls_1_2_and_1_3),
        CASE(elder_versions_are_refused),
        CASE(a_new_certificate_is_for_new_connections),
        CASE(a_new_certificate_that_is_no_good_changes_nothing),
        CASE(a_key_of_another_certificate_is_refused_at_start),
        CASE(what_is_not_tls_gets_nothing_in_the_clear),
        CASE(keys_are_loaded_wholly_or_not_at_all),
    };
    int failed;

    assert_int_equal(CURLE_OK, curl_global_init(CURL_GLOBAL_DEFAULT));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
