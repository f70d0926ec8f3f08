/*
 * Plate codes: an ordinary plate in 60 bits, in plate order.
 *
 * A plate of 1 to 10 characters of 0-9 and A-Z is six bits a character, first
 * character highest (bits 54..59), unused characters 0; '0'..'9' are 1..10, 'A'..'Z'
 * are 11..36. Unsigned order of codes is byte order of the texts. Bits 60..63 are 0.
 * Other plates ("long": longer, or with other letters) have no code.
 */
#ifndef PB_PLATE_PLATE_CODE_H
#define PB_PLATE_PLATE_CODE_H

#include <platebase/plate.h>

#define PB_PLATE_CODE_CHARS 10u
#define PB_PLATE_CODE_BITS 60u

/* 0 where the plate has no code. */
uint64_t pb_plate_code(struct pb_str folded);
/* Writes the text of a code; returns its length, 1 to 10. */
uint32_t pb_plate_code_text(uint64_t code, char ret_text[PB_PLATE_CODE_CHARS]);
/* Whether that text has any character: a forged code need not. */
bool pb_plate_code_has_text(uint64_t code);

/*
 * Walks ascending codes and tells which match, sharing the work of common
 * beginnings and telling how far to jump where no code can match.
 *
 * The fast way through a sorted array: pb_pattern_prefilter on 64 codes at a time;
 * pb_pattern_scan_code on those that it leaves, or on the last of the 64 where it leaves none;
 * where ret_next is past the 64, search the array for it.
 */
struct pb_pattern_scan {
    const struct pb_pattern *pattern; /* borrowed */
    uint64_t code;                    /* last one given */
    unsigned depth;                   /* states[0..depth] are those of code's first characters */
    uint64_t states[PB_PLATE_CODE_CHARS + 1][3]; /* a depth: one word for 0, 1 and 2 edits */
};
void pb_pattern_scan_init(struct pb_pattern_scan *scan, const struct pb_pattern *pattern);
/*
 * code: not less than the one given before. Returns true with ret_match set where it matches.
 * ret_next is always set: the least code above `code` that might match, UINT64_MAX if none.
 */
bool pb_pattern_scan_code(struct pb_pattern_scan *scan, uint64_t code,
                          struct pb_pattern_match *ret_match, uint64_t *ret_next);

/*
 * Tests a batch of ascending codes against the pattern quickly where the pattern allows it
 * (exact beginning and end, compared as vectors): bit i of ret_maybe is 0 where codes[i]
 * cannot match. count is at most 64. Sound, not complete: confirm with pb_pattern_scan_code.
 */
uint64_t pb_pattern_prefilter(const struct pb_pattern *pattern, const uint64_t *codes,
                              unsigned count);

#endif
