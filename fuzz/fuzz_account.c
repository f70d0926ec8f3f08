/*
 * Fuzz target: the note of an account. What is taken for one says what it may in one way: its
 * texts lie within the note, and an active account was approved.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/account.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_within(struct pb_str part, struct pb_str whole)
{
    check(part.bytes == 0 ||
          (part.text >= whole.text && part.text + part.bytes <= whole.text + whole.bytes));
    check(part.bytes == 0 || memchr(part.text, '\n', part.bytes) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str note = { (const char *)data, (uint32_t)size };
    struct pb_api_account account;
    struct pb_arena arena;

    if (size > 8192)
        return 0;
    pb_arena_init(&arena, pb_env_system(), 1024);
    if (pb_api_account_decode(&arena, pb_str_from("doe"), note, &account) == PB_OK) {
        check(pb_str_equal(account.note, note));
        check_within(account.creator, account.note);
        check_within(account.approver, account.note);
        check_within(account.password, account.note);
        check_within(account.totp, account.note);
        check_within(account.codes, account.note);
        check_within(account.why, account.note);
        check(account.created_at_us > 0);
        check(account.state != PB_ACCOUNT_ACTIVE || account.approved_at_us > 0);
        check(account.state == PB_ACCOUNT_ACTIVE || !pb_api_account_is_usable(&account, 1));
    }
    pb_arena_clear(&arena);
    return 0;
}
