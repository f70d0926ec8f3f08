/*
 * Jurisdictions: numbers for ISO 3166 codes.
 *
 * It runs once for every imported read, nearly always with the same few codes: a switch over
 * packed characters becomes a decision tree that the processor predicts, needs no set-up, and
 * makes the compiler refuse a code that is listed twice.
 */
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "plate/jurisdiction_list.h"
#include "plate/plate_private.h"

#define SUBDIVISION_FIRST 1000u
#define BLOCK_NUMBERS 100u
#define NUMBER_END 2000u

/* Characters as plate symbols (1 to 36), six bits each; 0 where there is none. */
#define SYMBOL(c) ((unsigned)((c) == 0 ? 0 : (c) <= '9' ? (c) - '0' + 1 : (c) - 'A' + 11))
#define KEY2(a, b) (SYMBOL(a) << 6 | SYMBOL(b))
#define KEY3(a, b, c) (KEY2(a, b) << 6 | SYMBOL(c))
#define COUNTRY_NUMBER(a, b) (1u + 26u * (SYMBOL(a) - SYMBOL('A')) + SYMBOL(b) - SYMBOL('A'))
#define COUNTRY_KEY_SHIFT 18 /* a subdivision key is its country's key and three characters */

#define COUNTRY_NAME(a, b, a3, b3, c3, name) [COUNTRY_NUMBER(a, b)] = name,
#define SUBDIVISION_NAME(number, a, b, s, t, u, name, full) [number] = name,
#define SUBDIVISION_FULL(number, a, b, s, t, u, name, full) [(number) - SUBDIVISION_FIRST] = full,

static const char *const names[NUMBER_END] = {
    PB_COUNTRIES(COUNTRY_NAME)
    PB_SUBDIVISIONS(SUBDIVISION_NAME)
};

static const char *const full_names[NUMBER_END - SUBDIVISION_FIRST] = {
    PB_SUBDIVISIONS(SUBDIVISION_FULL)
};

/* ---- codes ---- */

static unsigned
symbol_of(char character)
{
    unsigned char byte = (unsigned char)character;

    if (byte >= 'a' && byte <= 'z')
        byte = (unsigned char)(byte - 'a' + 'A');
    return pb_plate_symbols[byte];
}

/* Packs one to three letters or digits; 0 where there are others. */
static uint32_t
pack(const char *text, uint32_t bytes)
{
    uint32_t key = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        unsigned symbol = symbol_of(text[i]);

        if (symbol == 0)
            return 0;
        key = key << 6 | symbol;
    }
    return key;
}

static uint16_t
country_from_alpha2(uint32_t key)
{
    unsigned first = key >> 6, second = key & 63u;
    unsigned number;

    if (key == KEY2('U', 'K'))
        return COUNTRY_NUMBER('G', 'B'); /* reserved by ISO for this, and common */
    if (first < SYMBOL('A') || second < SYMBOL('A'))
        return 0;
    number = 1 + 26 * (first - SYMBOL('A')) + (second - SYMBOL('A'));
    return names[number] != NULL ? (uint16_t)number : 0;
}

#define COUNTRY_CASE(a, b, a3, b3, c3, name) \
    case KEY3(a3, b3, c3): \
        return COUNTRY_NUMBER(a, b);

static uint16_t
country_from_alpha3(uint32_t key)
{
    switch (key) {
        PB_COUNTRIES(COUNTRY_CASE)
    default:
        return 0;
    }
}

static uint16_t
country_from_text(struct pb_str text)
{
    if (text.bytes == 2)
        return country_from_alpha2(pack(text.text, 2));
    if (text.bytes == 3)
        return country_from_alpha3(pack(text.text, 3));
    return 0;
}

#define SUBDIVISION_CASE(number, a, b, s, t, u, name, full) \
    case KEY2(a, b) << COUNTRY_KEY_SHIFT | KEY3(s, t, u): \
        return number;
#define ALIAS_CASE(number, a, b, s, t, u) \
    case KEY2(a, b) << COUNTRY_KEY_SHIFT | KEY3(s, t, u): \
        return number;

/* country_key: of two letters. code: one to three letters or digits, or none of these. */
static uint16_t
subdivision(uint32_t country_key, struct pb_str code)
{
    uint32_t key;

    if (code.bytes > 3)
        return 0;
    key = pack(code.text, code.bytes);
    if (key == 0)
        return 0;
    key <<= 6 * (3 - code.bytes);
    switch (country_key << COUNTRY_KEY_SHIFT | key) {
        PB_SUBDIVISIONS(SUBDIVISION_CASE)
        PB_SUBDIVISION_ALIASES(ALIAS_CASE)
    default:
        return 0;
    }
}

/* ---- names in full ---- */

static bool
is_between_words(char character)
{
    return character == ' ' || character == '-' || character == '_' || character == '.';
}

static char
upper_ascii(char character)
{
    return character >= 'a' && character <= 'z' ? (char)(character - 'a' + 'A') : character;
}

/* Equal but for the case of ASCII letters and what stands between words. */
static bool
is_same_name(const char *name, struct pb_str text)
{
    uint32_t at = 0;

    for (;;) {
        while (is_between_words(*name))
            name++;
        while (at < text.bytes && is_between_words(text.text[at]))
            at++;
        if (*name == '\0' || at == text.bytes)
            return *name == '\0' && at == text.bytes;
        if (upper_ascii(*name) != upper_ascii(text.text[at]))
            return false;
        name++;
        at++;
    }
}

#define BLOCK_CASE(number, a, b) \
    case KEY2(a, b): \
        return number;

/* The first number of a country's hundred, 0 where it has no subdivisions here. */
static unsigned
block_of(uint32_t country_key)
{
    switch (country_key) {
        PB_COUNTRY_BLOCKS(BLOCK_CASE)
    default:
        return 0;
    }
}

static uint16_t
subdivision_from_name(uint32_t country_key, struct pb_str text)
{
    unsigned block = block_of(country_key);

    if (block == 0 || text.bytes < 3)
        return 0;
    for (unsigned number = block; number < block + BLOCK_NUMBERS; number++) {
        const char *name = full_names[number - SUBDIVISION_FIRST];

        if (name != NULL && upper_ascii(name[0]) == upper_ascii(text.text[0]) &&
            is_same_name(name, text))
            return (uint16_t)number;
    }
    if (country_key == KEY2('C', 'A') && is_same_name("Qu\xC3\xA9" "bec", text))
        return subdivision(country_key, pb_str_from("QC"));
    return 0;
}

/* ---- public ---- */

static struct pb_str
trimmed(struct pb_str text)
{
    while (text.bytes > 0 && text.text[text.bytes - 1] == ' ')
        text.bytes--;
    while (text.bytes > 0 && text.text[0] == ' ') {
        text.text++;
        text.bytes--;
    }
    return text;
}

uint16_t
pb_jurisdiction_from_text(struct pb_str text)
{
    text = trimmed(text);
    if (text.bytes >= 4 && text.bytes <= 6 &&
        (text.text[2] == '-' || text.text[2] == '_' || text.text[2] == ' ')) {
        struct pb_str code = { .text = text.text + 3, .bytes = text.bytes - 3 };

        return subdivision(pack(text.text, 2), code);
    }
    return country_from_text(text);
}

uint16_t
pb_jurisdiction_within(const char *country, struct pb_str text)
{
    struct pb_str country_text = trimmed(pb_str_from(country));
    const char *country_name = pb_jurisdiction_name(country_from_text(country_text));
    uint32_t country_key, neighbour_key = 0;
    uint16_t number;

    text = trimmed(text);
    if (country_name[0] == '\0' || text.bytes == 0)
        return pb_jurisdiction_from_text(text);
    country_key = pack(country_name, 2);
    /* The two countries share roads and give no code twice. */
    if (country_key == KEY2('U', 'S'))
        neighbour_key = KEY2('C', 'A');
    else if (country_key == KEY2('C', 'A'))
        neighbour_key = KEY2('U', 'S');

    number = subdivision(country_key, text);
    if (number == 0 && neighbour_key != 0)
        number = subdivision(neighbour_key, text);
    if (number == 0)
        number = pb_jurisdiction_from_text(text);
    if (number == 0)
        number = subdivision_from_name(country_key, text);
    if (number == 0 && neighbour_key != 0)
        number = subdivision_from_name(neighbour_key, text);
    return number;
}

const char *
pb_jurisdiction_name(uint16_t jurisdiction)
{
    if (jurisdiction >= NUMBER_END || names[jurisdiction] == NULL)
        return "";
    return names[jurisdiction];
}
