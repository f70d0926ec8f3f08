/*
 * Fuzz target: what people type to sign in: the body, as JSON or as a form, with one-time code,
 * recovery code and password. Only the right codes are taken, and each once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/secret.h"
#include "api/texts.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

#define NOW_US INT64_C(1780315200000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

struct typed {
    struct pb_str person, password, totp, recovery_code;
};

static bool
read_body(struct pb_arena *arena, struct pb_str body, bool is_form, struct typed *typed)
{
    const struct pb_api_text_field fields[] = {
        { "person", 64, true, &typed->person },
        { "password", PB_PASSWORD_BYTES_MAX, false, &typed->password },
        { "totp", 64, false, &typed->totp },
        { "recovery_code", 64, false, &typed->recovery_code },
    };
    const char *field = NULL, *why = NULL;
    enum pb_status status = pb_api_texts_read(arena, body, is_form, fields, 4, &field, &why);

    check(status == PB_OK || status == PB_E_NOMEM || (field != NULL && why != NULL));
    for (size_t i = 0; status == PB_OK && i < 4; i++)
        check(fields[i].place->bytes <= fields[i].bytes_max);
    return status == PB_OK;
}

/* A code that is taken is taken once. */
static void
try_totp(struct pb_str code)
{
    static const uint8_t secret[PB_TOTP_SECRET_BYTES] = "12345678901234567890";
    int64_t step = pb_totp_check(secret, code, NOW_US, 0);

    check(step == 0 ||
          (step >= NOW_US / PB_TOTP_STEP_US - 1 && step <= NOW_US / PB_TOTP_STEP_US + 1));
    check(step == 0 || pb_totp_check(secret, code, NOW_US, step) != step);
}

static void
try_recovery(struct pb_str code)
{
    char codes[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES];
    char list[PB_RECOVERY_LIST_BYTES], left[PB_RECOVERY_LIST_BYTES], again[PB_RECOVERY_LIST_BYTES];
    struct pb_error error;

    if (pb_recovery_make(pb_env_system(), codes, list, &error) != PB_OK)
        return;
    check(!pb_recovery_use(pb_str_from(list), code, left));
    check(pb_recovery_use(pb_str_from(list), pb_str_from(codes[4]), left));
    check(strlen(left) == strlen(list) - 65);
    check(!pb_recovery_use(pb_str_from(left), pb_str_from(codes[4]), again));
    /* A list that was damaged. */
    (void)pb_recovery_use(code, pb_str_from(codes[4]), again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str body = { (const char *)data, (uint32_t)size };
    struct typed typed = { .person = { NULL, 0 } };
    struct pb_arena arena;

    if (size > 4096)
        return 0;
    pb_arena_init(&arena, pb_env_system(), 4096);
    for (int is_form = 0; is_form < 2; is_form++) {
        if (!read_body(&arena, body, is_form != 0, &typed))
            continue;
        try_totp(typed.totp);
        try_recovery(typed.recovery_code);
        (void)pb_password_refuse(typed.password, &typed.person, 1);
    }
    try_totp(body);
    try_recovery(body);
    (void)pb_password_refuse(body, &body, 1);
    pb_arena_clear(&arena);
    return 0;
}
