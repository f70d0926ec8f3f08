/*
 * TLS: credentials of GnuTLS with a count of references.
 */
#include "net/tls.h"

#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/load.h"

struct pb_tls_keys {
    const struct pb_env *env; /* borrowed */
    _Atomic unsigned refs;
    char *certificate, *key;                      /* owned: PEM, NUL-terminated */
    gnutls_certificate_credentials_t credentials; /* owned */
};

struct pb_tls {
    const struct pb_env *env;                /* borrowed */
    const char *certificate_path, *key_path; /* borrowed */
    pthread_mutex_t lock;
    struct pb_tls_keys *newest; /* guarded by lock; one reference */
};

static enum pb_status
read_file(const struct pb_env *env, const char *path, char **ret_text, struct pb_error *error)
{
    size_t bytes = 0;
    enum pb_status status = pb_load_file(env, path, PB_NET_PEM_BYTES_MAX, ret_text, &bytes, error);

    return status == PB_NOT_FOUND ? pb_fail(error, status, "%s: no such file", path) : status;
}

static void
forget(const struct pb_env *env, char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    pb_free(env, secret);
}

void
pb_tls_keys_unref(struct pb_tls_keys *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->refs, 1) != 1)
        return;
    if (keys->credentials != NULL)
        gnutls_certificate_free_credentials(keys->credentials);
    pb_free(keys->env, keys->certificate);
    forget(keys->env, keys->key);
    pb_free(keys->env, keys);
}

static enum pb_status
make_credentials(struct pb_tls_keys *keys, const struct pb_tls *tls, struct pb_error *error)
{
    gnutls_datum_t certificate = { (unsigned char *)keys->certificate,
                                   (unsigned)strlen(keys->certificate) };
    gnutls_datum_t key = { (unsigned char *)keys->key, (unsigned)strlen(keys->key) };
    int result = gnutls_certificate_allocate_credentials(&keys->credentials);

    if (result != GNUTLS_E_SUCCESS) {
        keys->credentials = NULL;
        return pb_fail(error, PB_E_NOMEM, "no memory for a certificate");
    }
    result = gnutls_certificate_set_x509_key_mem(keys->credentials, &certificate, &key,
                                                 GNUTLS_X509_FMT_PEM);
    if (result < 0)
        return pb_fail(error, PB_BAD_INPUT, "%s and %s are no certificate with its key: %s",
                       tls->certificate_path, tls->key_path, gnutls_strerror(result));
    return PB_OK;
}

static enum pb_status
load(const struct pb_tls *tls, struct pb_tls_keys **ret_keys, struct pb_error *error)
{
    struct pb_tls_keys *keys = pb_calloc(tls->env, 1, sizeof(*keys));
    enum pb_status status;

    if (keys == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a certificate");
    keys->env = tls->env;
    atomic_init(&keys->refs, 1);
    status = read_file(tls->env, tls->certificate_path, &keys->certificate, error);
    if (status == PB_OK)
        status = read_file(tls->env, tls->key_path, &keys->key, error);
    if (status == PB_OK)
        status = make_credentials(keys, tls, error);
    if (status != PB_OK)
        goto out;
    *ret_keys = keys;
    keys = NULL;

out:
    pb_tls_keys_unref(keys);
    return status;
}

enum pb_status
pb_tls_new(const struct pb_env *env, const char *certificate_path, const char *key_path,
           struct pb_tls **ret_tls, struct pb_error *error)
{
    struct pb_tls *tls = pb_calloc(env, 1, sizeof(*tls));
    enum pb_status status;

    if (tls == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a certificate");
    tls->env = env;
    tls->certificate_path = certificate_path;
    tls->key_path = key_path;
    (void)pthread_mutex_init(&tls->lock, NULL);
    status = load(tls, &tls->newest, error);
    if (status != PB_OK) {
        pb_tls_free(tls);
        return status;
    }
    *ret_tls = tls;
    return PB_OK;
}

void
pb_tls_free(struct pb_tls *tls)
{
    if (tls == NULL)
        return;
    pb_tls_keys_unref(tls->newest);
    (void)pthread_mutex_destroy(&tls->lock);
    pb_free(tls->env, tls);
}

enum pb_status
pb_tls_reload(struct pb_tls *tls, struct pb_error *error)
{
    struct pb_tls_keys *keys = NULL, *old;
    enum pb_status status = load(tls, &keys, error);

    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&tls->lock);
    old = tls->newest;
    tls->newest = keys;
    (void)pthread_mutex_unlock(&tls->lock);
    pb_tls_keys_unref(old);
    return PB_OK;
}

struct pb_tls_keys *
pb_tls_keys(struct pb_tls *tls)
{
    struct pb_tls_keys *keys;

    (void)pthread_mutex_lock(&tls->lock);
    keys = tls->newest;
    atomic_fetch_add(&keys->refs, 1);
    (void)pthread_mutex_unlock(&tls->lock);
    return keys;
}

enum pb_status
pb_tls_use(const struct pb_tls_keys *keys, void *session, bool asks_certificate)
{
    int result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, keys->credentials);

    if (asks_certificate)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    return result == GNUTLS_E_SUCCESS ? PB_OK : PB_E_NOMEM;
}

static void
print_of(const gnutls_datum_t *der, char ret_print[PB_TLS_PRINT_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char hash[(PB_TLS_PRINT_BYTES - 1) / 2];
    size_t bytes = sizeof(hash);

    ret_print[0] = '\0';
    if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, hash, &bytes) != GNUTLS_E_SUCCESS)
        return;
    for (size_t i = 0; i < sizeof(hash); i++) {
        ret_print[2 * i] = hex[hash[i] >> 4];
        ret_print[2 * i + 1] = hex[hash[i] & 15];
    }
    ret_print[PB_TLS_PRINT_BYTES - 1] = '\0';
}

void
pb_tls_client_print(void *session, char ret_print[PB_TLS_PRINT_BYTES])
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

    ret_print[0] = '\0';
    if (chain != NULL && count > 0)
        print_of(&chain[0], ret_print);
}

enum pb_status
pb_tls_print(const char *pem, size_t bytes, char ret_print[PB_TLS_PRINT_BYTES],
             int64_t *ret_ends_us)
{
    gnutls_datum_t text = { (unsigned char *)(uintptr_t)pem, (unsigned)bytes }, der = { NULL, 0 };
    gnutls_x509_crt_t certificate;
    enum pb_status status = PB_BAD_INPUT;

    if (gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS)
        return PB_E_NOMEM;
    if (gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS &&
        gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der) == GNUTLS_E_SUCCESS) {
        print_of(&der, ret_print);
        *ret_ends_us = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * 1000000;
        status = ret_print[0] != '\0' ? PB_OK : PB_E_NOMEM;
    }
    gnutls_free(der.data);
    gnutls_x509_crt_deinit(certificate);
    return status;
}

const char *
pb_tls_certificate(const struct pb_tls_keys *keys)
{
    return keys->certificate;
}

const char *
pb_tls_key(const struct pb_tls_keys *keys)
{
    return keys->key;
}
