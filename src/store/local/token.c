/*
 * Tokens: version, position, question and checksum in base64url, and between them a tie where one
 * needs it.
 */
#include "store/local/token.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "read/read.h"

#define CHECKSUM_BYTES 4u
/* Both are multiples of 3: no padding. */
#define TOKEN_BYTES 33u     /* of version 1 */
#define TOKEN_TIE_BYTES 42u /* of version 2 */
#define TIE_AT (TOKEN_BYTES - CHECKSUM_BYTES)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int
pb_position_compare(const struct pb_position *a, const struct pb_position *b)
{
    if (a->captured_us != b->captured_us)
        return a->captured_us > b->captured_us ? -1 : 1;
    if (a->identity != b->identity)
        return a->identity < b->identity ? -1 : 1;
    if (a->revision != b->revision)
        return a->revision > b->revision ? -1 : 1;
    return (a->tie > b->tie) - (a->tie < b->tie);
}

uint64_t
pb_tie_of(const struct pb_read *read, const uint8_t *store_id)
{
    char bytes[PB_IDENTITY_BYTES_MAX];
    size_t count = pb_read_identity_bytes(read, bytes);
    uint64_t tie = pb_hash_bytes_seeded(bytes, count, pb_hash_bytes(store_id, PB_STORE_ID_BYTES));

    return tie + (tie == 0); /* never 0 */
}

void
pb_token_encode(const struct pb_position *position, uint64_t question,
                char ret_token[PB_TOKEN_BYTES_MAX])
{
    uint8_t bytes[TOKEN_TIE_BYTES] = { position->tie == 0 ? 1 : 2 };
    size_t count = position->tie == 0 ? TOKEN_BYTES : TOKEN_TIE_BYTES;
    char *at = ret_token;

    pb_put_le64(bytes + 1, (uint64_t)position->captured_us);
    pb_put_le64(bytes + 9, position->identity);
    pb_put_le32(bytes + 17, position->revision);
    pb_put_le64(bytes + 21, question);
    if (position->tie != 0)
        pb_put_le64(bytes + TIE_AT, position->tie);
    pb_put_le32(bytes + count - CHECKSUM_BYTES,
                (uint32_t)pb_hash_bytes(bytes, count - CHECKSUM_BYTES));
    for (size_t i = 0; i < count; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = alphabet[three >> shift & 63];
    }
    *at = '\0';
}

/* token has as many characters as so many bytes give. */
static enum pb_status
decode_bytes(struct pb_str token, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < token.bytes / 4; i++) {
        uint32_t three = 0;

        for (size_t j = 0; j < 4; j++) {
            char character = token.text[4 * i + j];
            const char *found = character == '\0' ? NULL : strchr(alphabet, character);

            if (found == NULL)
                return PB_BAD_INPUT;
            three = three << 6 | (uint32_t)(found - alphabet);
        }
        ret_bytes[3 * i] = (uint8_t)(three >> 16);
        ret_bytes[3 * i + 1] = (uint8_t)(three >> 8 & 255);
        ret_bytes[3 * i + 2] = (uint8_t)(three & 255);
    }
    return PB_OK;
}

enum pb_status
pb_token_decode(struct pb_str token, uint64_t question, struct pb_position *ret_position)
{
    uint8_t bytes[TOKEN_TIE_BYTES] = { 0 }; /* compilers do not see that all are set */
    size_t count = token.bytes / 4 * 3;
    bool has_tie = count == TOKEN_TIE_BYTES;

    if (token.bytes % 4 != 0 || (count != TOKEN_BYTES && !has_tie) ||
        decode_bytes(token, bytes) != PB_OK || bytes[0] != (has_tie ? 2 : 1) ||
        pb_get_le32(bytes + count - CHECKSUM_BYTES) !=
            (uint32_t)pb_hash_bytes(bytes, count - CHECKSUM_BYTES) ||
        pb_get_le64(bytes + 21) != question)
        return PB_BAD_INPUT;
    *ret_position = (struct pb_position){ .captured_us = (int64_t)pb_get_le64(bytes + 1),
                                          .identity = pb_get_le64(bytes + 9),
                                          .revision = pb_get_le32(bytes + 17),
                                          .tie = has_tie ? pb_get_le64(bytes + TIE_AT) : 0 };
    return has_tie && (ret_position->tie == 0 || bytes[TIE_AT + 8] != 0) ? PB_BAD_INPUT : PB_OK;
}
