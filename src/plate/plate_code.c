/*
 * Plate codes: one table from bytes to symbols, and shifts; for loading, eight bytes at once.
 */
#include <endian.h>
#include <string.h>

#include "plate/plate_private.h"

/* clang-format off */
const uint8_t pb_plate_symbols[256] = {
    ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ['A'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
            24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
};
/* clang-format on */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Up to eight bytes, the first one highest; zeros behind the last. */
static inline uint64_t
first_eight(const char *text, uint32_t bytes)
{
    uint64_t word = 0;

    if (bytes >= 8) {
        memcpy(&word, text, 8);
        return be64toh(word);
    }
    if (bytes >= 4) {
        uint32_t first, last;

        memcpy(&first, text, 4);
        memcpy(&last, text + bytes - 4, 4);
        /* The bytes that both have stand at the same place in both. */
        return (uint64_t)be32toh(first) << 32 | (uint64_t)be32toh(last) << (64 - 8 * bytes);
    }
    for (uint32_t i = 0; i < bytes; i++)
        word |= (uint64_t)(unsigned char)text[i] << (56 - 8 * i);
    return word;
}

/*
 * The symbols of the first bytes of a word in 48 bits, the first one highest, all at once. Sets the
 * top bit of some byte of ret_others where one of them is none of 0-9 and A-Z, or there are others.
 */
static inline uint64_t
eight_symbols(uint64_t word, uint32_t bytes, uint64_t *ret_others)
{
    uint64_t wanted = bytes == 0 ? 0 : EACH(1) << (64 - 8 * (bytes < 8 ? bytes : 8));
    /* 1 in each byte that is not 0, and in each from 0x40 on. */
    uint64_t present = ((word & EACH(0x7F)) + EACH(0x7F)) >> 7 & EACH(1);
    uint64_t letters = word >> 6 & EACH(1);
    /* '0' becomes 1 and 'A' 11. What is no symbol goes below the first of its kind or above the
     * last, which is 10 or 36; a byte that borrows is one of these itself. */
    uint64_t symbols = word - present * 0x2F - letters * 7;
    uint64_t below = symbols - present - letters * 10;
    uint64_t above = symbols + EACH(0x80 - 11) - letters * 26;

    *ret_others = (word | below | above | (present ^ wanted) << 7) & EACH(0x80);
    symbols =
        (symbols & UINT64_C(0x3F003F003F003F00)) >> 2 | (symbols & UINT64_C(0x003F003F003F003F));
    symbols =
        (symbols & UINT64_C(0x0FFF00000FFF0000)) >> 4 | (symbols & UINT64_C(0x00000FFF00000FFF));
    return symbols >> 32 << 24 | (symbols & UINT64_C(0xFFFFFF));
}

uint64_t
pb_plate_code(struct pb_str folded)
{
    uint64_t code, others;

    if (folded.bytes > PB_PLATE_CODE_CHARS)
        return 0;
    code = eight_symbols(first_eight(folded.text, folded.bytes), folded.bytes, &others) << 12;
    for (uint32_t i = 8; i < folded.bytes; i++) {
        uint64_t symbol = pb_plate_symbols[(unsigned char)folded.text[i]];

        others |= symbol == 0;
        code |= symbol << (54 - PB_SYMBOL_BITS * i);
    }
    return others != 0 ? 0 : code;
}

bool
pb_plate_code_has_text(uint64_t code)
{
    uint64_t first = code >> (PB_PLATE_CODE_BITS - PB_SYMBOL_BITS);

    return first != 0 && first < PB_SYMBOL_COUNT;
}

uint32_t
pb_plate_code_text(uint64_t code, char ret_text[PB_PLATE_CODE_CHARS])
{
    static const char letters[] = "\0"
                                  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint32_t length = 0;

    while (length < PB_PLATE_CODE_CHARS) {
        unsigned symbol = pb_code_symbol(code, length);

        /* A damaged code may hold values that are no symbol; end there. */
        if (symbol == 0 || symbol >= PB_SYMBOL_COUNT)
            break;
        ret_text[length++] = letters[symbol];
    }
    return length;
}
