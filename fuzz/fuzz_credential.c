/*
 * Fuzz target: what a page sends of a passkey, made or used, with and without a word beside it.
 * What is taken has all that its ceremony needs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/passkey_json.h"
#include "base/arena.h"
#include "base/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
read_as(struct pb_str body, bool is_made, const char *word)
{
    struct pb_api_credential credential;
    const char *field = NULL, *why = NULL;
    struct pb_arena arena;
    enum pb_status status;

    memset(&credential, 0, sizeof(credential));
    pb_arena_init(&arena, pb_env_system(), 1024);
    status = pb_api_passkey_read(&arena, body, is_made, word, &credential, &field, &why);
    check(status == PB_OK || status == PB_E_NOMEM || (field != NULL && why != NULL));
    if (status == PB_OK) {
        check(credential.id.bytes > 0 && credential.client_data.bytes > 0);
        check(is_made ? credential.attestation.bytes > 0
                      : credential.data.bytes > 0 && credential.signature.bytes > 0);
        check(word != NULL || credential.word.bytes == 0);
    }
    pb_arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str body = { (const char *)data, (uint32_t)size };

    if (size > 65536)
        return 0;
    read_as(body, true, "name");
    read_as(body, false, "consent");
    read_as(body, false, NULL);
    return 0;
}
