/*
 * Secrets of people: passwords, one-time codes, recovery codes.
 *
 * Passwords: argon2id by libsodium. Length and a list of common ones are looked at, never which
 * characters they are made of. One-time codes: TOTP by liboath, SHA-1, 6 digits, 30 seconds, one
 * step to either side, because clocks of telephones differ; each step is used once. Recovery
 * codes: 140 random bits, so that a plain hash is enough.
 *
 * Threads: everything here is without state. A hash takes about half a second and
 *          PB_PASSWORD_MEMORY_BYTES, so callers bound how many are made at once.
 * Source:  NIST SP 800-63B section 5.1.1, 5.1.2, 5.1.4; RFC 6238; RFC 4226; RFC 4648 section 6.
 */
#ifndef PB_API_SECRET_H
#define PB_API_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "api/session.h"

struct pb_env;
struct pb_site;

/* ---- passwords ---- */

#define PB_PASSWORD_CHARACTERS_MIN 12u
#define PB_PASSWORD_BYTES_MAX 512u /* more than 128 characters of any script */
#define PB_PASSWORD_MEMORY_BYTES (UINT32_C(256) << 20)
#define PB_PASSWORD_PASSES 3u
#define PB_PASSWORD_HASH_BYTES 128u /* as libsodium writes it, with its NUL */

/* What a hash costs; tests take less than the above. */
struct pb_password_cost {
    uint32_t memory_bytes, passes; /* 0: as above */
};

/* NULL, or a static sentence: why a password will not do. context: words that it must not be
 * made of (person, agency); may be empty. */
const char *pb_password_refuse(struct pb_str password, const struct pb_str *context,
                               unsigned context_count);
PB_MUST_CHECK enum pb_status pb_password_hash(const struct pb_password_cost *cost,
                                              struct pb_str password,
                                              char ret_hash[PB_PASSWORD_HASH_BYTES],
                                              struct pb_error *error);
/*
 * PB_OK, PB_NOT_FOUND (another password, or no hash), or PB_E_NOMEM. An empty hash takes as long
 * as one that is there. ret_is_outdated: the hash should be made anew, it cost less than now.
 */
PB_MUST_CHECK enum pb_status pb_password_verify(const struct pb_password_cost *cost,
                                                struct pb_str hash, struct pb_str password,
                                                bool *ret_is_outdated);

/* ---- one-time codes ---- */

#define PB_TOTP_DIGITS 6u
#define PB_TOTP_STEP_US (INT64_C(30) * 1000000)
#define PB_TOTP_SEALED_BYTES (2u * (24u + PB_TOTP_SECRET_BYTES + 16u) + 1u) /* with its NUL */
#define PB_BASE32_BYTES(bytes) (((bytes)*8u + 4u) / 5u + 1u)                /* with its NUL */
#define PB_OTPAUTH_BYTES 512u

/* The step of a code that is right at now_us and newer than after_step; 0: there is none. */
int64_t pb_totp_check(const uint8_t secret[PB_TOTP_SECRET_BYTES], struct pb_str code,
                      int64_t now_us, int64_t after_step);
/* Seals a secret for a person, under a key of the site. */
PB_MUST_CHECK enum pb_status pb_totp_seal(const struct pb_env *env, const struct pb_site *site,
                                          struct pb_str person,
                                          const uint8_t secret[PB_TOTP_SECRET_BYTES],
                                          char ret_text[PB_TOTP_SEALED_BYTES],
                                          struct pb_error *error);
/* false: not sealed here, for this person. */
bool pb_totp_open(const struct pb_site *site, struct pb_str person, struct pb_str text,
                  uint8_t ret_secret[PB_TOTP_SECRET_BYTES]);
/* What an authenticator takes: otpauth://totp/... */
void pb_totp_uri(struct pb_str person, const uint8_t secret[PB_TOTP_SECRET_BYTES],
                 char ret_uri[PB_OTPAUTH_BYTES]);

/* Upper case without padding; ret_text: PB_BASE32_BYTES(count) bytes. */
void pb_base32(const uint8_t *bytes, size_t count, char *ret_text);

/* ---- recovery codes ---- */

#define PB_RECOVERY_CODES 10u
#define PB_RECOVERY_CODE_BYTES 32u                       /* "ABCDEFG-HIJKLMN-..." with its NUL */
#define PB_RECOVERY_LIST_BYTES (PB_RECOVERY_CODES * 65u) /* hashes, commas, and a NUL */

PB_MUST_CHECK enum pb_status
pb_recovery_make(const struct pb_env *env,
                 char ret_codes[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES],
                 char ret_list[PB_RECOVERY_LIST_BYTES], struct pb_error *error);
/* Copies list without the code's hash; false: the code is not in it. Small letters, spaces and
 * missing dashes do not matter. ret_list: PB_RECOVERY_LIST_BYTES; may not be list's memory. */
bool pb_recovery_use(struct pb_str list, struct pb_str code, char ret_list[PB_RECOVERY_LIST_BYTES]);

#endif
