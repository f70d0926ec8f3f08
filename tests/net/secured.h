/*
 * A server over TLS, with two certificates that the test makes: its own, and one of nobody here.
 */
#ifndef PB_TESTS_NET_SECURED_H
#define PB_TESTS_NET_SECURED_H

#include "net/client.h"

#include <ftw.h>

#include "net/certificate.h"

struct secured {
    struct fixture fixture;
    char directory[64];
    char certificate[96], key[96], other_certificate[96], other_key[96];
};

static inline void
secured_name(const struct secured *secured, char path[96], const char *file)
{
    (void)snprintf(path, 96, "%s/%s", secured->directory, file);
}

/* The certificates are made; the server is not told of them yet. */
static inline struct secured *
secured_new(void)
{
    struct secured *secured = calloc(1, sizeof(*secured));

    assert_non_null(secured);
    (void)snprintf(secured->directory, sizeof(secured->directory), "/tmp/pb-tls-XXXXXX");
    assert_non_null(mkdtemp(secured->directory));
    secured_name(secured, secured->certificate, "chain.pem");
    secured_name(secured, secured->key, "key.pem");
    secured_name(secured, secured->other_certificate, "other.pem");
    secured_name(secured, secured->other_key, "other-key.pem");
    make_certificate(secured->certificate, secured->key, 1);
    make_certificate(secured->other_certificate, secured->other_key, 2);
    fixture_init(&secured->fixture, pb_env_system());
    return secured;
}

static inline void
secured_serve(struct secured *secured)
{
    secured->fixture.options.certificate_path = secured->certificate;
    secured->fixture.options.key_path = secured->key;
}

static inline int
secured_remove(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void
secured_free(struct secured *secured)
{
    fixture_done(&secured->fixture);
    (void)nftw(secured->directory, secured_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(secured);
}

#endif
