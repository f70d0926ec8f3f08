/*
 * Fuzz target: a cursor token, as anybody may send one. What decodes is what was encoded, and
 * the same token is written for it again. The first 30 bytes are also a question and a position,
 * with a tie where there are so many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "store/local/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
decode(struct pb_str token, uint64_t question)
{
    struct pb_position position;
    char again[PB_TOKEN_BYTES_MAX];

    if (pb_token_decode(token, question, &position) != PB_OK)
        return;
    pb_token_encode(&position, question, again);
    check(strlen(again) == token.bytes && memcmp(again, token.text, token.bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str token = { (const char *)data, (uint32_t)size };
    struct pb_position position;
    struct pb_position found;
    char text[PB_TOKEN_BYTES_MAX];
    uint64_t question = 0;

    if (size > UINT32_MAX)
        return 0;
    decode(token, 0);
    if (size < 20)
        return 0;
    question = pb_get_le64(data);
    position = (struct pb_position){ .captured_us = (int64_t)pb_get_le64(data + 4),
                                     .identity = pb_get_le64(data + 12),
                                     .revision = pb_get_le32(data + 16),
                                     .tie = size < 30 ? 0 : pb_get_le64(data + 22) };
    pb_token_encode(&position, question, text);
    token = pb_str_from(text);
    check(pb_token_decode(token, question, &found) == PB_OK);
    check(pb_position_compare(&position, &found) == 0);
    check(pb_token_decode(token, question + 1, &found) != PB_OK);
    /* One character changed by the input: never taken for another position. */
    if (size >= 22) {
        char *changed = &text[data[20] % token.bytes];

        if (*changed != (char)data[21]) {
            *changed = (char)data[21];
            if (pb_token_decode(token, question, &found) == PB_OK)
                check(pb_position_compare(&position, &found) != 0);
        }
    }
    return 0;
}
