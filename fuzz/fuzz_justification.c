/*
 * Justifications: input is one byte of demands, then the text. What is enough for much is enough
 * for less, and what is plain has no byte that a terminal or a log would act on.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/policy_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_so)
{
    if (!is_so)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pb_str filler_words[] = { { "the", 3 }, { "case", 4 }, { "ICE", 3 } };
    static const struct pb_words filler = { filler_words, 3 };
    struct pb_str text, word;
    uint64_t characters, words;
    uint32_t at = 0;

    if (size < 1 || size > 20000)
        return 0;
    text = (struct pb_str){ (const char *)data + 1, (uint32_t)size - 1 };
    characters = data[0] >> 3;
    words = data[0] & 7u;
    if (pb_justification_is_enough(text, characters, words, &filler)) {
        expect(pb_justification_is_enough(text, characters / 2, words, &filler));
        expect(pb_justification_is_enough(text, characters, words / 2, &filler));
    }
    for (word = pb_text_word(text, &at); word.bytes > 0; word = pb_text_word(text, &at))
        (void)pb_words_have(&filler, word);
    expect(at == text.bytes);
    if (!pb_justification_is_plain(text))
        return 0;
    expect(pb_utf8_is_valid(text.text, text.bytes));
    for (uint32_t i = 0; i < text.bytes; i++)
        expect((unsigned char)text.text[i] >= 0x20 && text.text[i] != 0x7F);
    return 0;
}
