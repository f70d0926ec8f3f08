/*
 * A certificate that a test makes for itself: for 127.0.0.1, signed by itself, Ed25519's elder
 * sister (P-256), valid for a day.
 */
#ifndef PB_TESTS_NET_CERTIFICATE_H
#define PB_TESTS_NET_CERTIFICATE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

static inline void
write_datum(const char *path, const gnutls_datum_t *datum)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(datum->size, fwrite(datum->data, 1, datum->size, file));
    assert_int_equal(0, fclose(file));
}

/* serial tells one from another. */
static inline void
make_certificate(const char *certificate_path, const char *key_path, unsigned char serial)
{
    static const unsigned char loopback[4] = { 127, 0, 0, 1 };
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t text;
    time_t now = time(NULL);

    assert_int_equal(0, gnutls_x509_privkey_init(&key));
    assert_int_equal(0,
                     gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                                  0));
    assert_int_equal(0, gnutls_x509_crt_init(&certificate));
    assert_int_equal(0, gnutls_x509_crt_set_version(certificate, 3));
    assert_int_equal(0, gnutls_x509_crt_set_serial(certificate, &serial, 1));
    assert_int_equal(0, gnutls_x509_crt_set_activation_time(certificate, now - 3600));
    assert_int_equal(0, gnutls_x509_crt_set_expiration_time(certificate, now + 86400));
    assert_int_equal(0, gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                                      "platebase test", 14));
    assert_int_equal(0, gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
                                                             loopback, 4, GNUTLS_FSAN_SET));
    assert_int_equal(0, gnutls_x509_crt_set_basic_constraints(certificate, 1, 0));
    assert_int_equal(0, gnutls_x509_crt_set_key(certificate, key));
    assert_int_equal(0, gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0));
    assert_int_equal(0, gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text));
    write_datum(certificate_path, &text);
    gnutls_free(text.data);
    assert_int_equal(0, gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text));
    write_datum(key_path, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

#endif
