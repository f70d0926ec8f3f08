/*
 * Sealing of openings.
 */
#include "audit/seal.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/time.h"

#define LOG_BYTES_MAX 64u

static_assert(PB_SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
static_assert(PB_TERM_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
static_assert(PB_SEAL_EXTRA_BYTES == PB_SEAL_KEY_ID_BYTES + PB_SEAL_NONCE_BYTES +
                                         crypto_aead_xchacha20poly1305_ietf_ABYTES,
              "what sealing adds");

uint32_t
pb_term_of(int64_t at_us)
{
    if (at_us >= PB_TIME_MAX_US)
        return PB_TERM_NEVER;
    return (uint32_t)pb_time_month(at_us < 0 ? 0 : at_us);
}

bool
pb_term_is_over(uint32_t term, int64_t now_us)
{
    return term != PB_TERM_NEVER && term < pb_term_of(now_us);
}

/* What is sealed is bound to: "platebase/openings/v1" 00 log 00 term. */
static size_t
context_of(struct pb_str log, uint32_t term, uint8_t ret_context[128])
{
    static const char prefix[] = "platebase/openings/v1";
    size_t bytes = sizeof(prefix);

    assert(log.bytes <= LOG_BYTES_MAX);
    memcpy(ret_context, prefix, sizeof(prefix));
    memcpy(ret_context + bytes, log.text, log.bytes);
    bytes += log.bytes;
    ret_context[bytes++] = 0;
    pb_put_le32(ret_context + bytes, term);
    return bytes + 4;
}

/* The key of this log in this term, and a name for it that says nothing about it. */
static void
derive(const uint8_t *term_key, const uint8_t *context, size_t context_bytes,
       uint8_t ret_key[PB_TERM_KEY_BYTES], uint8_t ret_id[PB_SEAL_KEY_ID_BYTES])
{
    static const uint8_t id_of[] = "platebase/openings/key-id/v1";
    uint8_t hash[32];

    (void)crypto_generichash(ret_key, PB_TERM_KEY_BYTES, context, context_bytes, term_key,
                             PB_TERM_KEY_BYTES);
    (void)crypto_generichash(hash, sizeof(hash), id_of, sizeof(id_of), ret_key, PB_TERM_KEY_BYTES);
    memcpy(ret_id, hash, PB_SEAL_KEY_ID_BYTES);
}

void
pb_seal(const uint8_t term_key[PB_TERM_KEY_BYTES], struct pb_str log, uint32_t term,
        const uint8_t nonce[PB_SEAL_NONCE_BYTES], const uint8_t *bytes, size_t count,
        uint8_t *ret_sealed)
{
    uint8_t context[128], key[PB_TERM_KEY_BYTES];
    size_t context_bytes = context_of(log, term, context);

    derive(term_key, context, context_bytes, key, ret_sealed);
    memcpy(ret_sealed + PB_SEAL_KEY_ID_BYTES, nonce, PB_SEAL_NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret_sealed + PB_SEAL_KEY_ID_BYTES +
                                                         PB_SEAL_NONCE_BYTES,
                                                     NULL, bytes, count, context, context_bytes,
                                                     NULL, nonce, key);
    sodium_memzero(key, sizeof(key));
}

enum pb_status
pb_unseal(const uint8_t term_key[PB_TERM_KEY_BYTES], struct pb_str log, uint32_t term,
          const uint8_t *sealed, size_t count, uint8_t *ret_bytes)
{
    uint8_t context[128], key[PB_TERM_KEY_BYTES], id[PB_SEAL_KEY_ID_BYTES];
    const uint8_t *nonce = sealed + PB_SEAL_KEY_ID_BYTES;
    size_t context_bytes = context_of(log, term, context);
    enum pb_status status = PB_OK;

    if (count < PB_SEAL_EXTRA_BYTES)
        return PB_E_CORRUPT;
    derive(term_key, context, context_bytes, key, id);
    if (memcmp(id, sealed, sizeof(id)) != 0)
        status = PB_NOT_FOUND;
    else if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_bytes, NULL, NULL,
                                                        nonce + PB_SEAL_NONCE_BYTES,
                                                        count - PB_SEAL_KEY_ID_BYTES -
                                                            PB_SEAL_NONCE_BYTES,
                                                        context, context_bytes, nonce, key) != 0)
        status = PB_E_CORRUPT;
    sodium_memzero(key, sizeof(key));
    return status;
}

void
pb_seal_ready(void)
{
    int ready = sodium_init();

    (void)ready;
}
