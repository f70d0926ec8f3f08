/*
 * TLS: a certificate chain and its key from files, replaced while connections go on.
 *
 * A connection holds the keys that it began with; new ones get the newest.
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_NET_TLS_H
#define PB_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

struct pb_env;
struct pb_tls;      /* opaque */
struct pb_tls_keys; /* opaque, reference counted */

/* certificate_path: PEM, the server's own certificate first; key_path: PEM, not encrypted. Both are
 * borrowed and must outlive it. PB_BAD_INPUT: they do not parse or do not fit together. */
PB_MUST_CHECK enum pb_status pb_tls_new(const struct pb_env *env, const char *certificate_path,
                                        const char *key_path, struct pb_tls **ret_tls,
                                        struct pb_error *error);
void pb_tls_free(struct pb_tls *tls); /* NULL is fine */
/* Reads the files again. On failure the keys of before stay. */
PB_MUST_CHECK enum pb_status pb_tls_reload(struct pb_tls *tls, struct pb_error *error);

/* The newest keys, with a reference. */
struct pb_tls_keys *pb_tls_keys(struct pb_tls *tls);
void pb_tls_keys_unref(struct pb_tls_keys *keys); /* NULL is fine */
/* Makes a session of GnuTLS (gnutls_session_t), before its handshake, use these keys.
 * asks_certificate: the client may show one, and goes on without. */
PB_MUST_CHECK enum pb_status pb_tls_use(const struct pb_tls_keys *keys, void *session,
                                        bool asks_certificate);
/* SHA-256 of the certificate that the client has shown, as hexadecimal digits; empty: none was. */
#define PB_TLS_PRINT_BYTES 65u
void pb_tls_client_print(void *session, char ret_print[PB_TLS_PRINT_BYTES]);
/* The same of the first in a PEM text, and when it ends. PB_BAD_INPUT: there is none. */
PB_MUST_CHECK enum pb_status pb_tls_print(const char *pem, size_t bytes,
                                          char ret_print[PB_TLS_PRINT_BYTES],
                                          int64_t *ret_ends_us);

/* PEM texts as they were read, NUL-terminated; valid while the keys are. */
const char *pb_tls_certificate(const struct pb_tls_keys *keys);
const char *pb_tls_key(const struct pb_tls_keys *keys);

/* TLS 1.2 and 1.3; ciphers with forward secrecy and authentication only. A GnuTLS priority text. */
#define PB_TLS_PRIORITIES                                            \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:"      \
    "-AES-128-CBC:-AES-256-CBC:-CAMELLIA-128-CBC:-CAMELLIA-256-CBC:" \
    "-SHA1:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION"

#endif
