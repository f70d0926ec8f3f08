/*
 * Secrets of people: hashing, sealing and comparing.
 */
#include "api/secret.h"

#include <assert.h>
#include <errno.h>
#include <liboath/oath.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "inquiry/site.h"

/* ---- passwords ---- */

static uint32_t
passes_of(const struct pb_password_cost *cost)
{
    return cost->passes != 0 ? cost->passes : PB_PASSWORD_PASSES;
}

static uint32_t
memory_of(const struct pb_password_cost *cost)
{
    return cost->memory_bytes != 0 ? cost->memory_bytes : PB_PASSWORD_MEMORY_BYTES;
}

enum pb_status
pb_password_hash(const struct pb_password_cost *cost, struct pb_str password,
                 char ret_hash[PB_PASSWORD_HASH_BYTES], struct pb_error *error)
{
    static_assert(PB_PASSWORD_HASH_BYTES >= crypto_pwhash_argon2id_STRBYTES, "room for a hash");
    if (crypto_pwhash_argon2id_str(ret_hash, password.text, password.bytes, passes_of(cost),
                                   memory_of(cost)) != 0)
        return pb_fail(error, PB_E_NOMEM, "no memory to hash a password");
    return PB_OK;
}

enum pb_status
pb_password_verify(const struct pb_password_cost *cost, struct pb_str hash, struct pb_str password,
                   bool *ret_is_outdated)
{
    char text[PB_PASSWORD_HASH_BYTES];
    bool is_right;

    /* What nobody's password is: its hash is only there to be computed. */
    if (hash.bytes == 0 || hash.bytes >= sizeof(text))
        (void)snprintf(text, sizeof(text),
                       "$argon2id$v=19$m=%u,t=%u,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                       memory_of(cost) / 1024, passes_of(cost));
    else
        (void)snprintf(text, sizeof(text), "%.*s", (int)hash.bytes, hash.text);
    errno = 0;
    is_right = crypto_pwhash_argon2id_str_verify(text, password.bytes > 0 ? password.text : "",
                                                 password.bytes) == 0;
    if (!is_right && errno == ENOMEM)
        return PB_E_NOMEM;
    if (!is_right || hash.bytes == 0)
        return PB_NOT_FOUND;
    *ret_is_outdated =
        crypto_pwhash_argon2id_str_needs_rehash(text, passes_of(cost), memory_of(cost)) != 0;
    return PB_OK;
}

/* ---- one-time codes ---- */

int64_t
pb_totp_check(const uint8_t secret[PB_TOTP_SECRET_BYTES], struct pb_str code, int64_t now_us,
              int64_t after_step)
{
    int64_t now_step = now_us / PB_TOTP_STEP_US, found = 0;

    if (code.bytes != PB_TOTP_DIGITS)
        return 0;
    for (int64_t step = now_step - 1; step <= now_step + 1; step++) {
        char right[PB_TOTP_DIGITS + 1];

        if (step <= 0 || oath_hotp_generate((const char *)secret, PB_TOTP_SECRET_BYTES,
                                            (uint64_t)step, PB_TOTP_DIGITS, false,
                                            OATH_HOTP_DYNAMIC_TRUNCATION, right) != OATH_OK)
            continue;
        if (sodium_memcmp(right, code.text, PB_TOTP_DIGITS) == 0 && step > after_step)
            found = step;
        sodium_memzero(right, sizeof(right));
    }
    return found;
}

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SEALED_BYTES (NONCE_BYTES + PB_TOTP_SECRET_BYTES + TAG_BYTES)

static_assert(2 * SEALED_BYTES + 1 == PB_TOTP_SEALED_BYTES, "in hexadecimal digits");

static void
sealing_key(const struct pb_site *site, uint8_t ret_key[32])
{
    static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32, "a key");
    pb_site_subkey(site, "platebase/totp/v1", ret_key);
}

enum pb_status
pb_totp_seal(const struct pb_env *env, const struct pb_site *site, struct pb_str person,
             const uint8_t secret[PB_TOTP_SECRET_BYTES], char ret_text[PB_TOTP_SEALED_BYTES],
             struct pb_error *error)
{
    uint8_t key[32], sealed[SEALED_BYTES];
    unsigned long long bytes;
    enum pb_status status = env->random(env->random_context, sealed, NONCE_BYTES);

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    sealing_key(site, key);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, &bytes, secret,
                                                     PB_TOTP_SECRET_BYTES,
                                                     (const unsigned char *)person.text,
                                                     person.bytes, NULL, sealed, key);
    (void)sodium_bin2hex(ret_text, PB_TOTP_SEALED_BYTES, sealed, sizeof(sealed));
    sodium_memzero(key, sizeof(key));
    return PB_OK;
}

bool
pb_totp_open(const struct pb_site *site, struct pb_str person, struct pb_str text,
             uint8_t ret_secret[PB_TOTP_SECRET_BYTES])
{
    uint8_t key[32], sealed[SEALED_BYTES];
    unsigned long long bytes;
    size_t count;
    bool is_open;

    if (sodium_hex2bin(sealed, sizeof(sealed), text.text, text.bytes, NULL, &count, NULL) != 0 ||
        count != sizeof(sealed))
        return false;
    sealing_key(site, key);
    is_open =
        crypto_aead_xchacha20poly1305_ietf_decrypt(ret_secret, &bytes, NULL, sealed + NONCE_BYTES,
                                                   sizeof(sealed) - NONCE_BYTES,
                                                   (const unsigned char *)person.text, person.bytes,
                                                   sealed, key) == 0;
    sodium_memzero(key, sizeof(key));
    return is_open;
}

void
pb_base32(const uint8_t *bytes, size_t count, char *ret_text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned held = 0, bits = 0;

    for (size_t i = 0; i < count; i++) {
        held = (held << 8 | bytes[i]) & 0xFFFu;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            *ret_text++ = alphabet[held >> bits & 31u];
        }
    }
    if (bits > 0)
        *ret_text++ = alphabet[held << (5 - bits) & 31u];
    *ret_text = '\0';
}

void
pb_totp_uri(struct pb_str person, const uint8_t secret[PB_TOTP_SECRET_BYTES],
            char ret_uri[PB_OTPAUTH_BYTES])
{
    char text[PB_BASE32_BYTES(PB_TOTP_SECRET_BYTES)];

    /* Ids need no escaping but for the colon, which would end the issuer's name. */
    pb_base32(secret, PB_TOTP_SECRET_BYTES, text);
    (void)snprintf(ret_uri, PB_OTPAUTH_BYTES, "otpauth://totp/Platebase:");
    for (uint32_t i = 0; i < person.bytes; i++) {
        size_t used = strlen(ret_uri);

        if (person.text[i] == ':')
            (void)snprintf(ret_uri + used, PB_OTPAUTH_BYTES - used, "%%3A");
        else
            (void)snprintf(ret_uri + used, PB_OTPAUTH_BYTES - used, "%c", person.text[i]);
    }
    (void)snprintf(ret_uri + strlen(ret_uri), PB_OTPAUTH_BYTES - strlen(ret_uri),
                   "?secret=%s&issuer=Platebase&algorithm=SHA1&digits=6&period=30", text);
    sodium_memzero(text, sizeof(text));
}

/* ---- recovery codes ---- */

#define CODE_RANDOM_BYTES 18u
#define CODE_LETTERS 28u     /* 140 bits */
#define CODE_LETTERS_OLD 24u /* 120 bits: of codes that were given before, and are taken */
#define HASH_DIGITS 64u

static void
hash_letters(const char *letters, uint32_t count, char ret_hex[HASH_DIGITS + 1])
{
    uint8_t sha256[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(sha256, (const unsigned char *)letters, count);
    (void)sodium_bin2hex(ret_hex, HASH_DIGITS + 1, sha256, sizeof(sha256));
}

enum pb_status
pb_recovery_make(const struct pb_env *env,
                 char ret_codes[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES],
                 char ret_list[PB_RECOVERY_LIST_BYTES], struct pb_error *error)
{
    for (unsigned i = 0; i < PB_RECOVERY_CODES; i++) {
        char letters[PB_BASE32_BYTES(CODE_RANDOM_BYTES)];
        char *hash = ret_list + (size_t)i * (HASH_DIGITS + 1);
        uint8_t random[CODE_RANDOM_BYTES];
        enum pb_status status = env->random(env->random_context, random, sizeof(random));

        if (status != PB_OK)
            return pb_fail(error, status, "the system gives no random bytes");
        pb_base32(random, sizeof(random), letters);
        (void)snprintf(ret_codes[i], PB_RECOVERY_CODE_BYTES, "%.7s-%.7s-%.7s-%.7s", letters,
                       letters + 7, letters + 14, letters + 21);
        hash_letters(letters, CODE_LETTERS, hash);
        hash[HASH_DIGITS] = i + 1 < PB_RECOVERY_CODES ? ',' : '\0';
        sodium_memzero(random, sizeof(random));
        sodium_memzero(letters, sizeof(letters));
    }
    return PB_OK;
}

/* How many letters there are; 0: it can be no code. */
static uint32_t
letters_of(struct pb_str code, char ret_letters[CODE_LETTERS])
{
    uint32_t used = 0;

    if (code.bytes > 64)
        return 0;
    for (uint32_t i = 0; i < code.bytes; i++) {
        char byte = code.text[i];

        if (byte == '-' || byte == ' ')
            continue;
        if (byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 32);
        if (used == CODE_LETTERS)
            return 0;
        ret_letters[used++] = byte;
    }
    return used == CODE_LETTERS || used == CODE_LETTERS_OLD ? used : 0;
}

bool
pb_recovery_use(struct pb_str list, struct pb_str code, char ret_list[PB_RECOVERY_LIST_BYTES])
{
    char letters[CODE_LETTERS], hash[HASH_DIGITS + 1];
    struct pb_text_out out = pb_text_out(ret_list, PB_RECOVERY_LIST_BYTES - 1);
    uint32_t count = letters_of(code, letters);
    bool is_found = false;

    if (count == 0)
        return false;
    hash_letters(letters, count, hash);
    for (uint32_t at = 0; at + HASH_DIGITS <= list.bytes; at += HASH_DIGITS + 1) {
        if (sodium_memcmp(list.text + at, hash, HASH_DIGITS) == 0) {
            is_found = true;
            continue;
        }
        if (out.at != ret_list)
            pb_put_char(&out, ',');
        pb_put_bytes(&out, list.text + at, HASH_DIGITS);
    }
    *out.at = '\0';
    sodium_memzero(letters, sizeof(letters));
    return is_found;
}
