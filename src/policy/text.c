/*
 * Text that people give as a reason: is there something to read in it?
 *
 * Words are runs of letters and digits; everything past ASCII counts as a letter. A word says
 * something if it is no filler, has two characters or more, is not one or two characters over and
 * over, and did not come before.
 */
#include <string.h>

#include "base/text.h"
#include "policy/policy_private.h"

#define WORDS_SEEN_MAX 64u /* of which a repetition is noticed */

/* Marks of direction are no letters, and cannot be seen: within a word they would hide it from
 * whoever looks for that word. */
static bool
is_direction_mark(uint32_t code_point)
{
    return code_point == 0x061C || code_point == 0x200E || code_point == 0x200F;
}

bool
pb_justification_is_plain(struct pb_str text)
{
    uint32_t at = 0;

    if (!pb_text_is_plain(text))
        return false;
    while (at < text.bytes) {
        uint32_t code_point;

        at += (uint32_t)pb_utf8_next(text.text + at, text.bytes - at, &code_point);
        if (is_direction_mark(code_point))
            return false;
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

    if (text.bytes == 0) /* there may be no text to point into */
        return text;
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
