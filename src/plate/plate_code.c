/*
 * Plate codes: one table from bytes to symbols, and shifts.
 */
#include "plate/plate_private.h"

/* clang-format off */
const uint8_t pb_plate_symbols[256] = {
    ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ['A'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
            24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
};
/* clang-format on */

uint64_t
pb_plate_code(struct pb_str folded)
{
    uint64_t code = 0;
    unsigned shift = PB_PLATE_CODE_BITS;
    bool has_other = false;

    if (folded.bytes > PB_PLATE_CODE_CHARS)
        return 0;
    /* No way out of the loop in the middle: plates differ in where it would be taken. */
    for (uint32_t i = 0; i < folded.bytes; i++) {
        uint64_t symbol = pb_plate_symbols[(unsigned char)folded.text[i]];

        has_other |= symbol == 0;
        shift -= PB_SYMBOL_BITS;
        code |= symbol << shift;
    }
    return has_other ? 0 : code;
}

uint32_t
pb_plate_code_text(uint64_t code, char ret_text[PB_PLATE_CODE_CHARS])
{
    static const char letters[] = "\0" "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
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
