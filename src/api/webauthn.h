/*
 * WebAuthn: what a browser answers when a passkey is made or used, read and verified.
 *
 * Who is there must have been present and verified (UP and UV), for this site alone, in answer to
 * one challenge of ours. Signatures are verified by libfido2; before it sees a byte, all of the
 * answer has been read by the bounded readers here, and what they read is what is kept.
 *
 * An attestation says what device a key lives in. None is asked for. One of format "packed", by the
 * key itself or with a certificate, is verified, and a wrong one is refused; no certificate is
 * believed further. Statements of other formats are not looked at.
 *
 * Threads: everything here is without state.
 * Limits:  PB_WEBAUTHN_*.
 * Source:  W3C Web Authentication Level 3, 7.1 and 7.2; keys: RFC 9052, 9053, 8812.
 */
#ifndef PB_API_WEBAUTHN_H
#define PB_API_WEBAUTHN_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#define PB_WEBAUTHN_CHALLENGE_BYTES 32u
#define PB_WEBAUTHN_CLIENT_DATA_BYTES_MAX 4096u
#define PB_WEBAUTHN_ATTESTATION_BYTES_MAX 16384u
#define PB_WEBAUTHN_DATA_BYTES_MAX 4096u
#define PB_WEBAUTHN_SIGNATURE_BYTES_MAX 512u
#define PB_WEBAUTHN_ID_BYTES_MAX 1023u /* of a credential */
#define PB_WEBAUTHN_KEY_BYTES_MAX 259u

/* Numbers of COSE. */
enum pb_webauthn_algorithm {
    PB_WEBAUTHN_ES256 = -7,
    PB_WEBAUTHN_EDDSA = -8, /* Ed25519 */
    PB_WEBAUTHN_RS256 = -257,
};

struct pb_webauthn_key {
    enum pb_webauthn_algorithm algorithm;
    uint32_t bytes;                           /* ES256: 64, EdDSA: 32, RS256: 259 */
    uint8_t point[PB_WEBAUTHN_KEY_BYTES_MAX]; /* x, y; x; modulus and exponent */
};

/* What an answer must fit. All is borrowed. */
struct pb_webauthn_want {
    const char *origin;       /* "https://plates.example.org": exactly this */
    const char *site;         /* the relying party's id: "plates.example.org" */
    const uint8_t *challenge; /* PB_WEBAUTHN_CHALLENGE_BYTES of them */
};

enum pb_webauthn_flag {
    PB_WEBAUTHN_PRESENT = 1u << 0,
    PB_WEBAUTHN_VERIFIED = 1u << 2,
    PB_WEBAUTHN_MAY_BACK_UP = 1u << 3,
    PB_WEBAUTHN_IS_BACKED_UP = 1u << 4,
    PB_WEBAUTHN_HAS_CREDENTIAL = 1u << 6,
    PB_WEBAUTHN_HAS_EXTENSIONS = 1u << 7,
};

/* Authenticator data. Views are of what was read. */
struct pb_webauthn_data {
    const uint8_t *site_sha256; /* 32 */
    unsigned flags;             /* of enum pb_webauthn_flag, and bits that mean nothing yet */
    uint32_t counter;           /* 0: this authenticator does not count */
    const uint8_t *model;       /* 16 bytes (AAGUID); with HAS_CREDENTIAL alone, as what follows */
    struct pb_str id;           /* of the credential */
    struct pb_webauthn_key key;
    int protection; /* of the extension credProtect; 0: not there */
};

struct pb_webauthn_attestation {
    struct pb_str format, statement, data; /* views: text, a CBOR map, authenticator data */
};

/* ---- readers ----
 * true: it is well formed, and ret_* is set. A sentence why not is in *ret_why, static. */

bool pb_webauthn_read_data(struct pb_str bytes, struct pb_webauthn_data *ret_data,
                           const char **ret_why);
bool pb_webauthn_read_attestation(struct pb_str bytes, struct pb_webauthn_attestation *ret_parts,
                                  const char **ret_why);
/* kind: "webauthn.create" or "webauthn.get". Says also whether it fits what is wanted. */
bool pb_webauthn_check_client_data(struct pb_str json, const char *kind,
                                   const struct pb_webauthn_want *want, const char **ret_why);

/* ---- verifying ----
 * PB_OK, PB_BAD_INPUT (*ret_why: a static sentence; what is refused is for logs, not for who
 * asks), PB_E_NOMEM. */

struct pb_webauthn_made {
    struct pb_str client_data, attestation;
};
/* ret_data: what is to be kept of the passkey; its views are of the answer. */
PB_MUST_CHECK enum pb_status pb_webauthn_verify_made(const struct pb_webauthn_want *want,
                                                     const struct pb_webauthn_made *made,
                                                     struct pb_webauthn_data *ret_data,
                                                     const char **ret_why);

struct pb_webauthn_used {
    struct pb_str client_data, data, signature;
};
/*
 * counter  as it was when the passkey was used last: one that did not grow since is refused,
 *          for then two devices have the same key
 */
PB_MUST_CHECK enum pb_status pb_webauthn_verify_used(const struct pb_webauthn_want *want,
                                                     const struct pb_webauthn_used *used,
                                                     const struct pb_webauthn_key *key,
                                                     uint32_t counter, uint32_t *ret_counter,
                                                     const char **ret_why);

#endif
