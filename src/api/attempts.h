/*
 * Attempts: what was asked of a browser and is not answered yet: challenges of passkeys, and
 * ways to a provider of sign-ins and back.
 *
 * Each belongs to one holder (a session, or a cookie made for a sign-in), is good for five minutes
 * and can be taken once. Kept in memory: what was begun before a restart begins again. Where
 * there are too many, the oldest of the same address goes first, then the oldest of all.
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_API_ATTEMPTS_H
#define PB_API_ATTEMPTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/limits.h"
#include "net/http.h"

#define PB_ATTEMPTS_MAX 4096u
#define PB_ATTEMPTS_PER_ADDRESS_MAX 64u /* of IPv6: per /64 */
#define PB_ATTEMPT_LIFE_S 300
#define PB_ATTEMPT_BYTES 32u

enum pb_attempt_kind {
    PB_ATTEMPT_NONE,
    PB_ATTEMPT_PASSKEY_ADD,
    PB_ATTEMPT_PASSKEY_SIGN_IN,
    PB_ATTEMPT_PASSKEY_STEP_UP,
    PB_ATTEMPT_OIDC,
    PB_ATTEMPT_OIDC_CODE, /* back from there, and a one-time code is wanted */
};

struct pb_attempt {
    enum pb_attempt_kind kind;
    uint8_t holder[PB_ATTEMPT_BYTES];         /* a hash of what the holder alone knows */
    uint8_t challenge[PB_ATTEMPT_BYTES];      /* of a passkey; of OIDC: state */
    uint8_t nonce[PB_ATTEMPT_BYTES];          /* OIDC */
    uint8_t verifier[PB_ATTEMPT_BYTES];       /* OIDC: of PKCE */
    unsigned provider;                        /* OIDC: which one */
    char consent[65];                         /* OIDC: SHA-256, in digits, of what they agreed to */
    char person[PB_CATALOG_ID_BYTES_MAX + 1]; /* OIDC_CODE: who it is, says the provider */
    uint8_t network[16];                      /* from where; set by put */
    int64_t until_ns;                         /* monotonic; set by put */
};

struct pb_attempts {
    const struct pb_env *env; /* borrowed */
    pthread_mutex_t lock;     /* held for a walk over the table */
    struct pb_attempt *table; /* owned; PB_ATTEMPTS_MAX, free ones are PB_ATTEMPT_NONE; guarded */
};

PB_MUST_CHECK enum pb_status pb_attempts_init(struct pb_attempts *attempts,
                                              const struct pb_env *env);
void pb_attempts_done(struct pb_attempts *attempts); /* also one that is all zeros */

/* Random bytes for challenge, nonce and verifier. */
PB_MUST_CHECK enum pb_status pb_attempt_fill(const struct pb_env *env, struct pb_attempt *attempt);
/* Keeps it, in place of one of the same holder and kind. */
void pb_attempts_put(struct pb_attempts *attempts, const struct pb_attempt *attempt,
                     const struct pb_peer *peer);
/* The holder's attempt of a kind, which is then gone; false where there is none, or it is too
 * old. */
bool pb_attempts_take(struct pb_attempts *attempts, enum pb_attempt_kind kind,
                      const uint8_t holder[PB_ATTEMPT_BYTES], struct pb_attempt *ret_attempt);

#endif
