/*
 * Fuzz target: the note of a passkey, as it may lie in a catalog. What is read has a key of its
 * algorithm's length, and its id is the one that the note is named after.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/passkey.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

/* The note has to be that of the credential with these three bytes as its id. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_api_passkey passkey;
    char key[PB_PASSKEY_KEY_BYTES];
    struct pb_arena arena;
    struct pb_str note;
    enum pb_status status;

    if (size < 1 || size > 8192)
        return 0;
    note = (struct pb_str){ (const char *)data, (uint32_t)size };
    pb_arena_init(&arena, pb_env_system(), 4096);
    pb_api_passkey_key((struct pb_str){ "\x01\x02\x03", 3 }, key);
    status = pb_api_passkey_decode(&arena, key, note, &passkey);
    check(status == PB_OK || status == PB_E_CORRUPT);
    if (status == PB_OK) {
        check(passkey.id.bytes == 3 && memcmp(passkey.id.text, "\x01\x02\x03", 3) == 0);
        check(passkey.public_key.bytes == 32 || passkey.public_key.bytes == 64 ||
              passkey.public_key.bytes == 259);
        check(passkey.person.bytes > 0 && passkey.name.bytes > 0);
    }
    pb_arena_clear(&arena);
    return 0;
}
