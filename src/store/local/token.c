/*
 * Tokens: version, position, question and checksum, 32 bytes in base64url.
 */
#include "store/local/token.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define TOKEN_VERSION 1u
#define TOKEN_BYTES 33u /* a multiple of 3: no padding */
#define TOKEN_CHARS (TOKEN_BYTES / 3u * 4u)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int
pb_position_compare(const struct pb_position *a, const struct pb_position *b)
{
    if (a->captured_us != b->captured_us)
        return a->captured_us > b->captured_us ? -1 : 1;
    if (a->identity != b->identity)
        return a->identity < b->identity ? -1 : 1;
    return (a->revision < b->revision) - (a->revision > b->revision);
}

void
pb_token_encode(const struct pb_position *position, uint64_t question,
                char ret_token[PB_TOKEN_BYTES_MAX])
{
    uint8_t bytes[TOKEN_BYTES];
    char *at = ret_token;

    bytes[0] = TOKEN_VERSION;
    pb_put_le64(bytes + 1, (uint64_t)position->captured_us);
    pb_put_le64(bytes + 9, position->identity);
    pb_put_le32(bytes + 17, position->revision);
    pb_put_le64(bytes + 21, question);
    pb_put_le32(bytes + 29, (uint32_t)pb_hash_bytes(bytes, 29));
    for (size_t i = 0; i < TOKEN_BYTES; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = alphabet[three >> shift & 63];
    }
    *at = '\0';
}

enum pb_status
pb_token_decode(struct pb_str token, uint64_t question, struct pb_position *ret_position)
{
    uint8_t bytes[TOKEN_BYTES];

    if (token.bytes != TOKEN_CHARS)
        return PB_BAD_INPUT;
    for (size_t i = 0; i < TOKEN_BYTES / 3; i++) {
        uint32_t three = 0;

        for (size_t j = 0; j < 4; j++) {
            char character = token.text[4 * i + j];
            const char *found = character == '\0' ? NULL : strchr(alphabet, character);

            if (found == NULL)
                return PB_BAD_INPUT;
            three = three << 6 | (uint32_t)(found - alphabet);
        }
        bytes[3 * i] = (uint8_t)(three >> 16);
        bytes[3 * i + 1] = (uint8_t)(three >> 8 & 255);
        bytes[3 * i + 2] = (uint8_t)(three & 255);
    }
    if (bytes[0] != TOKEN_VERSION || pb_get_le32(bytes + 29) != (uint32_t)pb_hash_bytes(bytes, 29)
        || pb_get_le64(bytes + 21) != question)
        return PB_BAD_INPUT;
    ret_position->captured_us = (int64_t)pb_get_le64(bytes + 1);
    ret_position->identity = pb_get_le64(bytes + 9);
    ret_position->revision = pb_get_le32(bytes + 17);
    return PB_OK;
}
