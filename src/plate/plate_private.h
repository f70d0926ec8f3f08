/*
 * What the files of the plate room share: single characters, plate symbols and
 * the compiled pattern.
 */
#ifndef PB_PLATE_PLATE_PRIVATE_H
#define PB_PLATE_PLATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "plate/plate_code.h"

/* Stands in a folded plate for a character that the reader saw and could not read. */
#define PB_PLATE_UNREAD '#'

/* ---- single characters: letter.c ---- */

/* C0, DEL or C1: no plate has one. */
bool pb_letter_is_control(uint32_t code_point);
/* A combining mark that pb_letter_compose() may join to the letter before it. */
bool pb_letter_is_mark(uint32_t code_point);
/* The one character that a code point folds to, or 0 where it is dropped. Not for controls.
 * Folding the result again gives the result. Source: docs/formats/plate-text.md */
uint32_t pb_letter_fold(uint32_t code_point);
/* The folded letter for a folded letter and a mark after it, 0 where there is none. */
uint32_t pb_letter_compose(uint32_t letter, uint32_t mark);
/* Full-width forms of ASCII become ASCII; anything else stays. */
uint32_t pb_letter_narrow(uint32_t code_point);

/* ---- plate symbols: plate_code.c ---- */

#define PB_SYMBOL_COUNT 37u /* symbols are 1 to 36 */
#define PB_SYMBOL_BITS 6u
#define PB_SYMBOL_MASK 63u

/* By byte: '0'..'9' 1..10, 'A'..'Z' 11..36, anything else 0. */
extern const uint8_t pb_plate_symbols[256];

/* Characters of a code, 1 to 10; code is not 0. */
static inline unsigned
pb_code_length(uint64_t code)
{
    /* A symbol is not 0, so the lowest bit set lies in the last character. */
    return PB_PLATE_CODE_CHARS - (unsigned)__builtin_ctzll(code) / PB_SYMBOL_BITS;
}

/* Symbol index (0 to 9) of a code, 0 past its end. */
static inline unsigned
pb_code_symbol(uint64_t code, unsigned index)
{
    return (unsigned)(code >> (PB_PLATE_CODE_BITS - PB_SYMBOL_BITS * (index + 1))) &
           PB_SYMBOL_MASK;
}

/* ---- compiled patterns: pattern.c builds them, pattern_match.c runs them ---- */

#define PB_PATTERN_EDITS_MAX 2u
#define PB_PATTERN_LEVELS (PB_PATTERN_EDITS_MAX + 1)

/* Code points that have no symbol, named by a pattern: [first, last] at one step. */
struct pb_pattern_range {
    uint32_t first, last;
    uint64_t step_bit; /* of the state reached by that step */
};

/* Symbols that the automaton cannot tell apart. */
struct pb_pattern_group {
    uint64_t reach;   /* states that a step by one of them may reach */
    uint64_t symbols; /* bit s is symbol s */
};

/* Fields of a code that must have a value; fields with mask 0 do not matter. */
struct pb_pattern_mask {
    uint64_t mask, value;
};

#define PB_PATTERN_INNER_MAX 3u

/*
 * A pattern of n steps is an automaton of n + 1 states; state i has taken i steps, bit i of
 * a word. A star is a state that stays where it is on any character. One word for each
 * number of edits spent; word e holds every state that word e - 1 holds.
 */
struct pb_pattern {
    unsigned step_count; /* 0 to PB_PATTERN_STEPS_MAX; stars are not steps */
    unsigned edits;
    bool has_wildcard;
    bool has_lookalikes; /* was asked for: loose differs from strict */

    uint64_t stars;  /* states that stay */
    uint64_t accept; /* the last state's bit */
    uint64_t start[PB_PATTERN_LEVELS];
    /* By symbol: states that a step by it may reach. */
    uint64_t strict[PB_SYMBOL_COUNT];
    uint64_t loose[PB_SYMBOL_COUNT];
    uint64_t others;  /* the same for a code point without symbol that no range names */
    uint64_t negated; /* states of steps `[!...]`: there a range takes away */

    /* By characters taken of a code: states that can still accept before the code is full. */
    uint64_t alive[PB_PLATE_CODE_CHARS + 1][PB_PATTERN_LEVELS];
    struct pb_pattern_group groups[PB_SYMBOL_COUNT];
    unsigned group_count;

    /* What the prefilter compares. Masks of 0 where there is nothing to compare. */
    struct pb_pattern_mask prefix; /* against the code */
    struct pb_pattern_mask suffix; /* against the code moved down to end at bit 0 */
    unsigned inner_count;          /* characters in a row that must be somewhere, 0 to 3 */
    struct pb_pattern_mask inner[PB_PATTERN_INNER_MAX]; /* each repeated in every field */

    uint32_t exact_bytes; /* 0: not exact */
    char exact[PB_PLATE_BYTES_MAX];

    uint32_t range_count;
    struct pb_pattern_range ranges[];
};

#endif
