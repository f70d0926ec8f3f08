/*
 * Sealing: openings are encrypted for the log and the month in which they may be forgotten.
 *
 * A term is a month of UTC, counted as pb_time_month does; PB_TERM_NEVER has no end. Each term has
 * one secret key (src/audit/keys.h), of which that of a log is derived. Who destroys a term's key
 * destroys what all copies of these bytes hold, wherever they are.
 *
 * Threads: everything here is pure.
 * Source:  XChaCha20-Poly1305 (IETF) and BLAKE2b of libsodium; docs/formats/audit-log.md.
 */
#ifndef PB_AUDIT_SEAL_H
#define PB_AUDIT_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#define PB_TERM_NEVER UINT32_MAX
#define PB_TERM_KEY_BYTES 32u
#define PB_SEAL_NONCE_BYTES 24u
#define PB_SEAL_KEY_ID_BYTES 8u
#define PB_SEAL_EXTRA_BYTES (PB_SEAL_KEY_ID_BYTES + PB_SEAL_NONCE_BYTES + 16u)

/* The term in which at_us lies, PB_NEVER included. */
uint32_t pb_term_of(int64_t at_us);
/* Whether the whole term lies before now. */
bool pb_term_is_over(uint32_t term, int64_t now_us);

/* Writes count + PB_SEAL_EXTRA_BYTES bytes. */
void pb_seal(const uint8_t term_key[PB_TERM_KEY_BYTES], struct pb_str log, uint32_t term,
             const uint8_t nonce[PB_SEAL_NONCE_BYTES], const uint8_t *bytes, size_t count,
             uint8_t *ret_sealed);
/*
 * Writes count - PB_SEAL_EXTRA_BYTES bytes.
 *
 * Returns  PB_OK
 *          PB_NOT_FOUND   sealed under another key than this: the one that could open it is gone
 *          PB_E_CORRUPT   changed, or of another log or term
 */
PB_MUST_CHECK enum pb_status pb_unseal(const uint8_t term_key[PB_TERM_KEY_BYTES], struct pb_str log,
                                       uint32_t term, const uint8_t *sealed, size_t count,
                                       uint8_t *ret_bytes);

/* Readies libsodium; whatever uses it calls this once before. That it may find no source of
 * randomness is no matter: what is random comes from the environment. */
void pb_seal_ready(void);

#endif
