/*
 * Fuzz target: a sealed token of an inquiry, as anybody may send one. Without the key none opens;
 * with it, what was sealed opens, and one that was changed anywhere does not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

/* Texts and numbers of a token from the input. */
static void
fill(struct pb_inquiry_token *token, const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    token->kind = (enum pb_token_kind)(1 + data[0] % 3);
    token->person = (struct pb_str){ text, (uint32_t)(size % 65) };
    token->beneficiary = (struct pb_str){ text + size / 2, (uint32_t)(size / 2 % 65) };
    token->approver = (struct pb_str){ text, (uint32_t)(data[1] % 3) };
    token->position = (struct pb_str){ text, (uint32_t)(size > 40 ? 40 : size) };
    token->index = data[2];
    token->given = data[3];
    token->total = UINT64_MAX - data[4];
    token->expires_at_us = INT64_MAX - data[5];
    memset(token->digest, data[6], sizeof(token->digest));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pb_site site;
    uint8_t room[PB_INQUIRY_TOKEN_BYTES_MAX];
    char text[PB_INQUIRY_TOKEN_BYTES_MAX];
    struct pb_inquiry_token token = { 0 };
    struct pb_inquiry_token found;
    size_t at = 0;

    check(sodium_init() >= 0);
    memset(site.key, 7, sizeof(site.key));
    if (size > UINT32_MAX)
        return 0;
    for (int kind = 1; kind <= 3; kind++)
        check(!pb_inquiry_token_open(&site, (enum pb_token_kind)kind,
                                     (struct pb_str){ (const char *)data, (uint32_t)size }, 0, room,
                                     &found));
    if (size < 130)
        return 0;
    fill(&token, data, size);
    pb_inquiry_token_seal(&site, &token, text);
    check(pb_inquiry_token_open(&site, token.kind, pb_str_from(text), 0, room, &found));
    check(pb_str_equal(found.person, token.person) &&
          pb_str_equal(found.position, token.position) && found.total == token.total &&
          found.expires_at_us == token.expires_at_us);
    check(!pb_inquiry_token_open(&site, token.kind, pb_str_from(text), INT64_MAX, room, &found));
    at = data[7] % strlen(text);
    if (text[at] != (char)data[8]) {
        text[at] = (char)data[8];
        check(!pb_inquiry_token_open(&site, token.kind, pb_str_from(text), 0, room, &found));
    }
    return 0;
}
