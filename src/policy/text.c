/*
 * Text that people give as a reason: is there something to read in it?
 *
 * Words are runs of letters and digits; everything past ASCII counts as a letter. A word says
 * something if it is no filler, has two characters or more, is not one or two characters over and
 * over, and did not come before. What hides or turns text round is refused altogether, for a
 * reviewer must see what was meant.
 */
#include <string.h>

#include "base/text.h"
#include "policy/policy_private.h"

#define WORDS_SEEN_MAX 64u /* of which a repetition is noticed */

struct range {
    uint32_t first, last;
};

/* Control, direction, invisible and tag characters, and what is no character at all. Unicode 15. */
static const struct range hidden[] = {
    { 0x0000, 0x001F },   { 0x007F, 0x009F },    { 0x00AD, 0x00AD },   { 0x034F, 0x034F },
    { 0x061C, 0x061C },   { 0x115F, 0x1160 },    { 0x17B4, 0x17B5 },   { 0x180B, 0x180F },
    { 0x200B, 0x200F },   { 0x2028, 0x202E },    { 0x2060, 0x206F },   { 0x3164, 0x3164 },
    { 0xFDD0, 0xFDEF },   { 0xFE00, 0xFE0F },    { 0xFEFF, 0xFEFF },   { 0xFFA0, 0xFFA0 },
    { 0xFFF0, 0xFFFB },   { 0xFFFE, 0xFFFF },    { 0x1BCA0, 0x1BCA3 }, { 0x1D173, 0x1D17A },
    { 0xE0000, 0xE0FFF }, { 0xF0000, 0x10FFFF },
};

static bool
is_hidden(uint32_t code_point)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code_point >= hidden[i].first && code_point <= hidden[i].last)
            return true;
    }
    return false;
}

bool
pb_text_is_plain(struct pb_str text)
{
    uint32_t at = 0;

    while (at < text.bytes) {
        unsigned char byte = (unsigned char)text.text[at];
        uint32_t code_point;
        size_t bytes;

        if (byte >= 0x20 && byte < 0x7F) {
            at++;
            continue;
        }
        bytes = pb_utf8_next(text.text + at, text.bytes - at, &code_point);
        if (bytes == 0 || is_hidden(code_point))
            return false;
        at += (uint32_t)bytes;
    }
    return true;
}

static bool
is_letter(char character)
{
    unsigned char byte = (unsigned char)character;

    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte >= 0x80;
}

struct pb_str
pb_text_word(struct pb_str text, uint32_t *at)
{
    uint32_t first;

    while (*at < text.bytes && !is_letter(text.text[*at]))
        (*at)++;
    first = *at;
    while (*at < text.bytes && is_letter(text.text[*at]))
        (*at)++;
    return (struct pb_str){ .text = text.text + first, .bytes = *at - first };
}

static char
lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

static bool
is_same_word(struct pb_str a, struct pb_str b)
{
    if (a.bytes != b.bytes)
        return false;
    for (uint32_t i = 0; i < a.bytes; i++) {
        if (lower(a.text[i]) != lower(b.text[i]))
            return false;
    }
    return true;
}

bool
pb_words_have(const struct pb_words *words, struct pb_str word)
{
    for (uint32_t i = 0; i < words->count; i++) {
        struct pb_str wanted = words->at[i];
        bool is_capital = wanted.text[0] >= 'A' && wanted.text[0] <= 'Z';

        if (is_capital ? pb_str_equal(wanted, word) : is_same_word(wanted, word))
            return true;
    }
    return false;
}

/* "xxxx", "ababab", "111": at most two different characters in four or more, or one in three. */
static bool
is_repetition(struct pb_str word)
{
    char first = lower(word.text[0]), second = first;

    for (uint32_t i = 1; i < word.bytes; i++) {
        char character = lower(word.text[i]);

        if (character == first || character == second)
            continue;
        if (second != first)
            return false;
        second = character;
    }
    return word.bytes >= 4 || second == first;
}

/* Characters but for spaces. */
static uint64_t
count_characters(struct pb_str text)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        count += byte != ' ' && (byte & 0xC0u) != 0x80u;
    }
    return count;
}

struct words_seen {
    struct pb_str at[WORDS_SEEN_MAX];
    uint32_t count;
};

/* false where it came before; what is past the table's end never did. */
static bool
is_first_time(struct words_seen *seen, struct pb_str word)
{
    for (uint32_t i = 0; i < seen->count; i++) {
        if (is_same_word(seen->at[i], word))
            return false;
    }
    if (seen->count < WORDS_SEEN_MAX)
        seen->at[seen->count++] = word;
    return true;
}

bool
pb_justification_is_enough(struct pb_str text, uint64_t characters_min, uint64_t words_min,
                           const struct pb_words *filler)
{
    struct words_seen seen = { .count = 0 };
    uint64_t words = 0;
    uint32_t at = 0;

    if (count_characters(text) < characters_min)
        return false;
    while (words < words_min) {
        struct pb_str word = pb_text_word(text, &at);

        if (word.bytes == 0)
            return false;
        if (word.bytes >= 2 && !is_repetition(word) && !pb_words_have(filler, word) &&
            is_first_time(&seen, word))
            words++;
    }
    return true;
}
