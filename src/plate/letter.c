/*
 * Letters: what one character of a plate folds to.
 *
 * The rules are ranges and short lists rather than Unicode's tables: plates use few
 * scripts, and a rule that fits in a line can be read and argued about. Each is in
 * docs/formats/plate-text.md. They hold for good: folded plates are on disk.
 */
#include "plate/plate_private.h"

#include <assert.h>
#include <stddef.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct range {
    uint32_t first, last;
};

/*
 * No letter and no digit: separators, punctuation, symbols, marks, invisible and format
 * characters, private use. Ascending. Fillers and the Arabic tatweel are letters to Unicode
 * but only take up room.
 */
static const struct range dropped[] = {
    { 0x00A0, 0x00B4 }, /* no-break space to acute accent; soft hyphen among them */
    { 0x00B6, 0x00BF }, /* pilcrow, middle dot, superscripts, fractions */
    { 0x00D7, 0x00D7 }, { 0x00F7, 0x00F7 }, /* multiplication and division signs */
    { 0x02B0, 0x036F }, /* modifier letters, combining marks */
    { 0x0375, 0x0375 }, { 0x037E, 0x037E }, { 0x0384, 0x0385 }, { 0x0387, 0x0387 },
    { 0x0482, 0x0489 }, /* Cyrillic signs */
    { 0x0559, 0x055F }, { 0x0589, 0x05CF }, /* Armenian punctuation, Hebrew points */
    { 0x05F3, 0x061F }, /* Hebrew and Arabic punctuation and format characters */
    { 0x0640, 0x0640 }, { 0x064B, 0x065F }, /* tatweel, vowel marks */
    { 0x066A, 0x066D }, { 0x0670, 0x0670 }, { 0x06D4, 0x06D4 }, { 0x06D6, 0x06ED },
    { 0x06FD, 0x06FE }, { 0x070F, 0x070F }, { 0x0890, 0x0891 }, { 0x08E2, 0x08E2 },
    { 0x0964, 0x0965 }, { 0x0970, 0x0970 },
    { 0x0E3F, 0x0E3F }, { 0x0E4F, 0x0E4F }, { 0x0E5A, 0x0E5B }, /* Thai signs */
    { 0x115F, 0x1160 }, { 0x1680, 0x1680 }, /* Hangul fillers, Ogham space */
    { 0x180B, 0x180E }, /* Mongolian selectors */
    { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, /* combining marks */
    { 0x2000, 0x2BFF }, /* spaces, format characters, dashes, quotes, symbols, arrows, shapes */
    { 0x2E00, 0x2E7F }, { 0x2FF0, 0x3004 }, { 0x3008, 0x3020 }, /* CJK punctuation */
    { 0x302A, 0x3030 }, { 0x3036, 0x3037 }, { 0x303D, 0x303F },
    { 0x309B, 0x309C }, { 0x30A0, 0x30A0 }, { 0x30FB, 0x30FB }, /* katakana middle dot */
    { 0x3164, 0x3164 }, { 0x3190, 0x319F }, { 0x3200, 0x33FF }, { 0x4DC0, 0x4DFF },
    { 0xD800, 0xF8FF }, /* surrogates, private use */
    { 0xFD3E, 0xFD4F }, { 0xFDFC, 0xFE6F }, { 0xFEFF, 0xFF00 }, /* selectors, BOM */
    { 0xFF5F, 0xFF65 }, { 0xFFA0, 0xFFA0 }, { 0xFFE0, 0xFFFF },
    { 0x1BCA0, 0x1BCA3 },
    { 0x1D000, 0x1DFFF }, { 0x1F000, 0x1FFFF }, /* musical and mathematical, emoji */
    { 0xE0000, 0x10FFFF }, /* tags, private use */
};

/* The code point of digit zero, for scripts whose digits are on plates. Ascending. */
static const uint32_t zeros[] = {
    0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66,
    0x0CE6, 0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810,
};

struct pair {
    uint32_t from, to;
};

/*
 * Capitals that are drawn like a Latin one, and single characters that mean one. Accented
 * Greek and Cyrillic follow their Latin shape; a Greek accent without a Latin shape goes.
 * Ascending.
 */
static const struct pair lookalikes[] = {
    { 0x017F, 'S' }, /* long s */
    { 0x037F, 'J' },
    { 0x0386, 0x00C1 }, { 0x0388, 0x00C9 }, { 0x0389, 'H' }, { 0x038A, 0x00CD },
    { 0x038C, 0x00D3 }, { 0x038E, 0x00DD }, { 0x038F, 0x03A9 }, { 0x0390, 0x00CF },
    { 0x0391, 'A' }, { 0x0392, 'B' }, { 0x0395, 'E' }, { 0x0396, 'Z' }, { 0x0397, 'H' },
    { 0x0399, 'I' }, { 0x039A, 'K' }, { 0x039C, 'M' }, { 0x039D, 'N' }, { 0x039F, 'O' },
    { 0x03A1, 'P' }, { 0x03A4, 'T' }, { 0x03A5, 'Y' }, { 0x03A7, 'X' },
    { 0x03AA, 0x00CF }, { 0x03AB, 0x0178 }, { 0x03B0, 0x0178 },
    { 0x03F9, 'C' },
    { 0x0400, 0x00C8 }, { 0x0401, 0x00CB }, { 0x0405, 'S' }, { 0x0406, 'I' },
    { 0x0407, 0x00CF }, { 0x0408, 'J' },
    { 0x0410, 'A' }, { 0x0412, 'B' }, { 0x0415, 'E' }, { 0x041A, 'K' }, { 0x041C, 'M' },
    { 0x041D, 'H' }, { 0x041E, 'O' }, { 0x0420, 'P' }, { 0x0421, 'C' }, { 0x0422, 'T' },
    { 0x0423, 'Y' }, { 0x0425, 'X' },
    { 0x04AE, 'Y' }, { 0x04C0, 'I' }, { 0x051A, 'Q' }, { 0x051C, 'W' },
    { 0x2126, 0x03A9 }, { 0x212A, 'K' }, { 0x212B, 0x00C5 }, /* ohm, kelvin, angstrom signs */
    { 0xFFFD, PB_PLATE_UNREAD },
};

/* A letter and the mark after it, where Latin-1, Latin Extended-A or Cyrillic has the two as
 * one; some systems send them apart. In the order of marks. */
static const struct composition {
    uint16_t mark;
    uint16_t letter;
    uint16_t composed;
} compositions[] = {
    { 0x0300, 'A', 0x00C0 }, { 0x0300, 'E', 0x00C8 }, { 0x0300, 'I', 0x00CC },
    { 0x0300, 'O', 0x00D2 }, { 0x0300, 'U', 0x00D9 }, { 0x0300, 0x0418, 0x040D },
    { 0x0301, 'A', 0x00C1 }, { 0x0301, 'C', 0x0106 }, { 0x0301, 'E', 0x00C9 },
    { 0x0301, 'I', 0x00CD }, { 0x0301, 'K', 0x040C }, { 0x0301, 'L', 0x0139 },
    { 0x0301, 'N', 0x0143 }, { 0x0301, 'O', 0x00D3 }, { 0x0301, 'R', 0x0154 },
    { 0x0301, 'S', 0x015A }, { 0x0301, 'U', 0x00DA }, { 0x0301, 'Y', 0x00DD },
    { 0x0301, 'Z', 0x0179 }, { 0x0301, 0x0413, 0x0403 },
    { 0x0302, 'A', 0x00C2 }, { 0x0302, 'C', 0x0108 }, { 0x0302, 'E', 0x00CA },
    { 0x0302, 'G', 0x011C }, { 0x0302, 'H', 0x0124 }, { 0x0302, 'I', 0x00CE },
    { 0x0302, 'J', 0x0134 }, { 0x0302, 'O', 0x00D4 }, { 0x0302, 'S', 0x015C },
    { 0x0302, 'U', 0x00DB }, { 0x0302, 'W', 0x0174 }, { 0x0302, 'Y', 0x0176 },
    { 0x0303, 'A', 0x00C3 }, { 0x0303, 'I', 0x0128 }, { 0x0303, 'N', 0x00D1 },
    { 0x0303, 'O', 0x00D5 }, { 0x0303, 'U', 0x0168 },
    { 0x0304, 'A', 0x0100 }, { 0x0304, 'E', 0x0112 }, { 0x0304, 'I', 0x012A },
    { 0x0304, 'O', 0x014C }, { 0x0304, 'U', 0x016A },
    { 0x0306, 'A', 0x0102 }, { 0x0306, 'E', 0x0114 }, { 0x0306, 'G', 0x011E },
    { 0x0306, 'I', 0x012C }, { 0x0306, 'O', 0x014E }, { 0x0306, 'U', 0x016C },
    { 0x0306, 'Y', 0x040E }, { 0x0306, 0x0418, 0x0419 },
    { 0x0307, 'C', 0x010A }, { 0x0307, 'E', 0x0116 }, { 0x0307, 'G', 0x0120 },
    { 0x0307, 'I', 0x0130 }, { 0x0307, 'Z', 0x017B },
    { 0x0308, 'A', 0x00C4 }, { 0x0308, 'E', 0x00CB }, { 0x0308, 'I', 0x00CF },
    { 0x0308, 'O', 0x00D6 }, { 0x0308, 'U', 0x00DC }, { 0x0308, 'Y', 0x0178 },
    { 0x030A, 'A', 0x00C5 }, { 0x030A, 'U', 0x016E },
    { 0x030B, 'O', 0x0150 }, { 0x030B, 'U', 0x0170 },
    { 0x030C, 'C', 0x010C }, { 0x030C, 'D', 0x010E }, { 0x030C, 'E', 0x011A },
    { 0x030C, 'L', 0x013D }, { 0x030C, 'N', 0x0147 }, { 0x030C, 'R', 0x0158 },
    { 0x030C, 'S', 0x0160 }, { 0x030C, 'T', 0x0164 }, { 0x030C, 'Z', 0x017D },
    { 0x0327, 'C', 0x00C7 }, { 0x0327, 'G', 0x0122 }, { 0x0327, 'K', 0x0136 },
    { 0x0327, 'L', 0x013B }, { 0x0327, 'N', 0x0145 }, { 0x0327, 'R', 0x0156 },
    { 0x0327, 'S', 0x015E }, { 0x0327, 'T', 0x0162 },
    { 0x0328, 'A', 0x0104 }, { 0x0328, 'E', 0x0118 }, { 0x0328, 'I', 0x012E },
    { 0x0328, 'U', 0x0172 },
};

bool
pb_letter_is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
}

bool
pb_letter_is_mark(uint32_t code_point)
{
    return code_point >= 0x0300 && code_point <= 0x036F;
}

uint32_t
pb_letter_narrow(uint32_t code_point)
{
    if (code_point >= 0xFF01 && code_point <= 0xFF5E)
        return code_point - 0xFF01 + '!';
    return code_point;
}

static bool
is_dropped(uint32_t code_point)
{
    size_t low = 0, high = COUNT_OF(dropped) - 1;

    assert(code_point <= dropped[high].last); /* the last range ends where Unicode does */
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (dropped[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return dropped[low].first <= code_point;
}

/* Returns the Latin form, or the code point itself. */
static uint32_t
latin_lookalike(uint32_t code_point)
{
    size_t low = 0, high = COUNT_OF(lookalikes);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (lookalikes[middle].from < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < COUNT_OF(lookalikes) && lookalikes[low].from == code_point)
        return lookalikes[low].to;
    return code_point;
}

/* Where capitals and small letters take turns, capitals on the even or on the odd places. */
static uint32_t
upper_of_turns(uint32_t code_point, unsigned capitals)
{
    return (code_point & 1) == capitals ? code_point : code_point - 1;
}

static uint32_t
upper_latin(uint32_t c)
{
    if (c == 0x00B5)
        return 0x039C; /* micro sign: Greek mu */
    if (c == 0x00FF)
        return 0x0178;
    if (c >= 0x00E0 && c != 0x00F7 && c <= 0x00FE)
        return c - 0x20;
    if (c == 0x0131)
        return 'I'; /* dotless i */
    if (c == 0x0130 || c == 0x0138 || c == 0x0149 || c == 0x0178 || c == 0x017F)
        return c;
    if ((c >= 0x0139 && c <= 0x0148) || (c >= 0x0179 && c <= 0x017E))
        return upper_of_turns(c, 1);
    if ((c >= 0x0100 && c <= 0x0177) || (c >= 0x0218 && c <= 0x021B))
        return upper_of_turns(c, 0);
    return c;
}

static uint32_t
upper_greek(uint32_t c)
{
    if (c == 0x03AC)
        return 0x0386;
    if (c >= 0x03AD && c <= 0x03AF)
        return c - 0x25;
    if (c == 0x03C2)
        return 0x03A3; /* final sigma */
    if (c >= 0x03B1 && c <= 0x03CB)
        return c - 0x20;
    if (c == 0x03CC)
        return 0x038C;
    if (c == 0x03CD || c == 0x03CE)
        return c - 0x3F;
    if (c == 0x03F2)
        return 0x03F9; /* lunate sigma */
    if (c == 0x03F3)
        return 0x037F;
    return c;
}

/* Of U+0400 to U+052F. */
static uint32_t
upper_cyrillic(uint32_t c)
{
    if (c >= 0x0430 && c <= 0x044F)
        return c - 0x20;
    if (c >= 0x0450 && c <= 0x045F)
        return c - 0x50;
    if (c == 0x04CF)
        return 0x04C0;
    if (c >= 0x04C1 && c <= 0x04CE)
        return upper_of_turns(c, 1);
    if ((c >= 0x0460 && c <= 0x0481) || (c >= 0x048A && c <= 0x04BF) || c >= 0x04D0)
        return upper_of_turns(c, 0);
    return c;
}

static uint32_t
upper(uint32_t c)
{
    if (c < 0x0250)
        return upper_latin(c);
    if (c >= 0x0370 && c <= 0x03FF)
        return upper_greek(c);
    if (c >= 0x0400 && c <= 0x052F)
        return upper_cyrillic(c);
    if (c >= 0x0561 && c <= 0x0586)
        return c - 0x30; /* Armenian */
    return c;
}

static uint32_t
fold_ascii(uint32_t c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 'A';
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return c;
    if (c == '?' || c == '*' || c == PB_PLATE_UNREAD)
        return PB_PLATE_UNREAD;
    return 0;
}

uint32_t
pb_letter_fold(uint32_t code_point)
{
    uint32_t c = pb_letter_narrow(code_point);

    assert(!pb_letter_is_control(code_point));
    if (c < 0x80)
        return fold_ascii(c);
    for (size_t i = 0; i < COUNT_OF(zeros) && zeros[i] <= c; i++) {
        if (c - zeros[i] < 10)
            return '0' + (c - zeros[i]);
    }
    /* Before the dropped ranges: a few signs there mean a letter. */
    c = latin_lookalike(upper(c));
    return c < 0x80 || !is_dropped(c) ? c : 0;
}

uint32_t
pb_letter_compose(uint32_t letter, uint32_t mark)
{
    for (size_t i = 0; i < COUNT_OF(compositions); i++) {
        if (compositions[i].mark == mark && compositions[i].letter == letter)
            return compositions[i].composed;
    }
    return 0;
}
