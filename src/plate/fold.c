/*
 * Folding: one table for ASCII, which nearly every plate is, and the rules of
 * letter.c for the rest. Format: docs/formats/plate-text.md.
 *
 * What comes out has no separators, no control characters, none of the characters that mean
 * something in a pattern (`?` `*` `[` `]`), and folds to itself.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_private.h"

/* Marks of the table below; neither can be in a folded plate. */
#define OTHER 0x00u /* not printable ASCII: the slow way decides */
#define DROP ' '

/* clang-format off */
static const uint8_t ascii_folded[256] = {
    [0x20] = DROP, DROP, DROP, '#', DROP, DROP, DROP, DROP,
             DROP, DROP, '#', DROP, DROP, DROP, DROP, DROP,
    [0x30] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
             DROP, DROP, DROP, DROP, DROP, '#',
    [0x40] = DROP, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    [0x50] = 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', DROP, DROP, DROP, DROP, DROP,
    [0x60] = DROP, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    [0x70] = 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', DROP, DROP, DROP, DROP, OTHER,
};
/* clang-format on */

static enum pb_status
fold_any(struct pb_str raw, char ret_plate[PB_PLATE_BYTES_MAX], uint32_t *ret_bytes)
{
    uint32_t used = 0, written = 0;
    uint32_t last = 0;       /* the letter written last, 0 if none */
    uint32_t last_place = 0; /* where it begins */

    while (used < raw.bytes) {
        char encoded[4];
        uint32_t code_point, folded;
        size_t bytes = pb_utf8_next(raw.text + used, raw.bytes - used, &code_point);

        if (bytes == 0 || pb_letter_is_control(code_point))
            return PB_BAD_INPUT;
        used += (uint32_t)bytes;
        if (pb_letter_is_mark(code_point)) {
            folded = pb_letter_compose(last, code_point);
            if (folded != 0)
                written = last_place;
        } else {
            folded = pb_letter_fold(code_point);
        }
        if (folded == 0)
            continue;
        bytes = pb_utf8_encode(folded, encoded);
        if (bytes > PB_PLATE_BYTES_MAX - written)
            return PB_BAD_INPUT;
        memcpy(ret_plate + written, encoded, bytes);
        last = folded;
        last_place = written;
        written += (uint32_t)bytes;
    }
    *ret_bytes = written;
    return PB_OK;
}

/* true where not one character was read. */
static bool
is_unread(const char *plate, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (plate[i] != PB_PLATE_UNREAD)
            return false;
    }
    return true;
}

enum pb_status
pb_plate_fold(struct pb_str raw, char ret_plate[PB_PLATE_BYTES_MAX], uint32_t *ret_bytes)
{
    uint32_t written = 0;

    assert(raw.text != NULL || raw.bytes == 0);
    if (raw.bytes > PB_PLATE_RAW_BYTES_MAX)
        return PB_BAD_INPUT;
    for (uint32_t i = 0; i < raw.bytes; i++) {
        uint8_t folded = ascii_folded[(unsigned char)raw.text[i]];

        /* A long one may still fold to a short plate; that is rare enough for the slow way. */
        if (folded == OTHER || written == PB_PLATE_BYTES_MAX) {
            enum pb_status status = fold_any(raw, ret_plate, &written);

            if (status != PB_OK)
                return status;
            break;
        }
        ret_plate[written] = (char)folded;
        written += folded != DROP;
    }
    *ret_bytes = written;
    return is_unread(ret_plate, written) ? PB_NOT_FOUND : PB_OK;
}

#define WORD(literal)                                   \
    {                                                   \
        .text = (literal), .bytes = sizeof(literal) - 1 \
    }

/*
 * Words that readers send instead of a plate, folded. A plate could in law say NULL; a reader
 * that means "nothing" says so far more often, and a vehicle without plate must not become
 * the most seen plate.
 */
bool
pb_plate_is_placeholder(struct pb_str folded)
{
    static const struct pb_str words[] = {
        WORD("UNKNOWN"),
        WORD("UNKNOWNPLATE"),
        WORD("UNLICENSED"),
        WORD("UNLICENCED"),
        WORD("UNDEFINED"),
        WORD("UNREADABLE"),
        WORD("UNRECOGNIZED"),
        WORD("UNRECOGNISED"),
        WORD("NOPLATE"),
        WORD("NOPLATEFOUND"),
        WORD("NOTDEFINED"),
        WORD("NONE"),
        WORD("NULL"),
        WORD("NIL"),
        WORD("NA"),
        WORD("NAN"),
        WORD("NOREAD"),
        WORD("NOTREAD"),
        WORD("NOTREADABLE"),
        WORD("NOTFOUND"),
        WORD("NOTAVAILABLE"),
        WORD("NOTRECOGNIZED"),
        WORD("NOTRECOGNISED"),
        WORD("NOLICENSE"),
        WORD("NOLICENCE"),
        WORD("NOLICENSEPLATE"),
        WORD("NOLICENCEPLATE"),
        WORD("NONUMBERPLATE"),
        WORD("\xE6\x97\xA0\xE7\x89\x8C"),             /* "no plate" in Chinese firmware */
        WORD("\xE6\x97\xA0\xE8\xBD\xA6\xE7\x89\x8C"), /* "no vehicle plate" */
        WORD("\xE6\x9C\xAA\xE7\x9F\xA5"),             /* "unknown" */
        WORD("\xE6\x9C\xAA\xE8\xAF\x86\xE5\x88\xAB"), /* "not recognised" */
    };
    unsigned char first;

    /* Nearly every plate is turned away here. */
    if (folded.bytes < 2)
        return false;
    first = (unsigned char)folded.text[0];
    if (first != 'N' && first != 'U' && first != 0xE6)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (pb_str_equal(words[i], folded))
            return true;
    }
    return false;
}
