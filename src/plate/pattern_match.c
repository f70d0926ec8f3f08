/*
 * Patterns, second half: running the automaton over plates and plate codes.
 *
 * Only the loose masks run over everything. Where they accept, the strict ones run over that
 * one plate again and say whether a look-alike was needed.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_private.h"

/*
 * Takes one character: `reach` are the states that a step by it may reach. With an edit:
 * one character more (stay), another character (step), one character less (step without
 * taking any). States past the last one come up and never come back down. `to` may be `from`.
 */
static inline void
take(const struct pb_pattern *pattern, const uint64_t from[PB_PATTERN_LEVELS], uint64_t reach,
     uint64_t to[PB_PATTERN_LEVELS])
{
    uint64_t stars = pattern->stars;
    uint64_t zero = (from[0] << 1 & reach) | (from[0] & stars);
    uint64_t one = 0, two = 0;

    if (pattern->edits >= 1)
        one = (from[1] << 1 & reach) | (from[1] & stars) | from[0] | from[0] << 1 | zero << 1;
    if (pattern->edits >= 2)
        two = (from[2] << 1 & reach) | (from[2] & stars) | from[1] | from[1] << 1 | one << 1;
    to[0] = zero;
    to[1] = one;
    to[2] = two;
}

/* The least number of edits that accepts, or PB_PATTERN_LEVELS if none. */
static inline unsigned
accepted_edits(const struct pb_pattern *pattern, const uint64_t states[PB_PATTERN_LEVELS])
{
    unsigned edits = 0;

    while (edits < PB_PATTERN_LEVELS && (states[edits] & pattern->accept) == 0)
        edits++;
    return edits;
}

/* ---- any plate ---- */

static uint64_t
reach_of(const struct pb_pattern *pattern, const uint64_t masks[PB_SYMBOL_COUNT],
         uint32_t code_point)
{
    uint64_t reach, named = 0;

    if (code_point < 0x80 && pb_plate_symbols[code_point] != 0)
        return masks[pb_plate_symbols[code_point]];
    for (uint32_t i = 0; i < pattern->range_count; i++) {
        const struct pb_pattern_range *range = &pattern->ranges[i];

        if (code_point >= range->first && code_point <= range->last)
            named |= range->step_bit;
    }
    reach = pattern->others | named;
    return reach & ~(named & pattern->negated);
}

/* Returns the least number of edits, or PB_PATTERN_LEVELS where the plate does not match. */
static unsigned
run(const struct pb_pattern *pattern, const uint64_t masks[PB_SYMBOL_COUNT], struct pb_str plate)
{
    uint64_t states[2][PB_PATTERN_LEVELS];
    unsigned now = 0;
    uint32_t used = 0;

    memcpy(states[0], pattern->start, sizeof(states[0]));
    while (used < plate.bytes) {
        uint32_t code_point;
        size_t bytes = pb_utf8_next(plate.text + used, plate.bytes - used, &code_point);

        if (bytes == 0)
            return PB_PATTERN_LEVELS;
        used += (uint32_t)bytes;
        take(pattern, states[now], reach_of(pattern, masks, code_point), states[1 - now]);
        now = 1 - now;
    }
    return accepted_edits(pattern, states[now]);
}


bool
pb_pattern_matches(const struct pb_pattern *pattern, struct pb_str plate,
                   struct pb_pattern_match *ret_match)
{
    unsigned edits = run(pattern, pattern->loose, plate);

    if (edits == PB_PATTERN_LEVELS)
        return false;
    ret_match->edits = edits;
    ret_match->has_wildcard = pattern->has_wildcard;
    ret_match->has_lookalike =
        pattern->has_lookalikes && run(pattern, pattern->strict, plate) != edits;
    return true;
}

/* ---- codes ---- */

/* A damaged code may hold values that are no symbol: no step takes those. */
static inline uint64_t
reach_of_symbol(const uint64_t masks[PB_SYMBOL_COUNT], unsigned symbol)
{
    return symbol < PB_SYMBOL_COUNT ? masks[symbol] : 0;
}

/* The least number of edits without look-alikes. */
static unsigned
run_strictly(const struct pb_pattern *pattern, uint64_t code)
{
    uint64_t states[PB_PATTERN_LEVELS];
    unsigned length = pb_code_length(code);

    memcpy(states, pattern->start, sizeof(states));
    for (unsigned i = 0; i < length; i++)
        take(pattern, states, reach_of_symbol(pattern->strict, pb_code_symbol(code, i)), states);
    return accepted_edits(pattern, states);
}

/* Can a code whose first `depth` characters lead here still match? */
static inline bool
is_alive(const struct pb_pattern *pattern, const uint64_t states[PB_PATTERN_LEVELS],
         unsigned depth)
{
    const uint64_t *alive = pattern->alive[depth];

    return ((states[0] & alive[0]) | (states[1] & alive[1]) | (states[2] & alive[2])) != 0;
}

/* Symbols that may come next, character number depth (from 0), bit s for symbol s. */
static uint64_t
next_symbols(const struct pb_pattern *pattern, const uint64_t states[PB_PATTERN_LEVELS],
             unsigned depth)
{
    uint64_t symbols = 0;

    for (unsigned i = 0; i < pattern->group_count; i++) {
        uint64_t to[PB_PATTERN_LEVELS];

        take(pattern, states, pattern->groups[i].reach, to);
        if (is_alive(pattern, to, depth + 1))
            symbols |= pattern->groups[i].symbols;
    }
    return symbols;
}

/*
 * The code of `depth` characters leads to states and is alive: goes on to the least code with
 * this beginning that may match, as long as each character saves the caller something.
 */
static uint64_t
extend(const struct pb_pattern *pattern, const uint64_t from[PB_PATTERN_LEVELS], unsigned depth,
       uint64_t code)
{
    uint64_t states[2][PB_PATTERN_LEVELS];
    unsigned now = 0;

    memcpy(states[0], from, sizeof(states[0]));
    while (depth < PB_PLATE_CODE_CHARS &&
           accepted_edits(pattern, states[now]) == PB_PATTERN_LEVELS) {
        uint64_t symbols = next_symbols(pattern, states[now], depth);
        unsigned symbol;

        /* A step without symbol has been left out already, for the edit that it costs; a state
         * that lives without that one goes on by some symbol to one that lives. Whoever asks
         * wrote the pattern, so it is not only asserted. */
        assert(symbols != 0);
        if (symbols == 0)
            break;
        symbol = (unsigned)__builtin_ctzll(symbols);
        if (symbol == 1)
            break; /* the very next one: it makes the code no longer jump */
        code |= (uint64_t)symbol << (PB_PLATE_CODE_BITS - PB_SYMBOL_BITS * (depth + 1));
        take(pattern, states[now], pattern->loose[symbol], states[1 - now]);
        now = 1 - now;
        depth++;
    }
    return code;
}

/* The least code that may match and does not begin with the first `depth` characters of code,
 * which is dead; states are those of its beginnings. */
static uint64_t
next_after_dead(const struct pb_pattern_scan *scan, uint64_t code, unsigned depth)
{
    const struct pb_pattern *pattern = scan->pattern;

    for (; depth > 0; depth--) {
        unsigned shift = PB_PLATE_CODE_BITS - PB_SYMBOL_BITS * depth;
        uint64_t beginning = code >> shift >> PB_SYMBOL_BITS << PB_SYMBOL_BITS << shift;
        unsigned symbol = pb_code_symbol(code, depth - 1);
        uint64_t symbols = next_symbols(pattern, scan->states[depth - 1], depth - 1);
        uint64_t to[PB_PATTERN_LEVELS];

        symbols = symbols >> symbol >> 1 << 1 << symbol; /* greater ones only */
        if (symbols == 0)
            continue;
        symbol = (unsigned)__builtin_ctzll(symbols);
        take(pattern, scan->states[depth - 1], pattern->loose[symbol], to);
        return extend(pattern, to, depth, beginning | (uint64_t)symbol << shift);
    }
    return UINT64_MAX;
}

void
pb_pattern_scan_init(struct pb_pattern_scan *scan, const struct pb_pattern *pattern)
{
    scan->pattern = pattern;
    scan->code = 0;
    scan->depth = 0;
    memcpy(scan->states[0], pattern->start, sizeof(scan->states[0]));
}

/* How many first characters two codes have in common. */
static unsigned
common_characters(uint64_t a, uint64_t b)
{
    if (a == b)
        return PB_PLATE_CODE_CHARS;
    return ((unsigned)__builtin_clzll(a ^ b) - (64 - PB_PLATE_CODE_BITS)) / PB_SYMBOL_BITS;
}

bool
pb_pattern_scan_code(struct pb_pattern_scan *scan, uint64_t code,
                     struct pb_pattern_match *ret_match, uint64_t *ret_next)
{
    const struct pb_pattern *pattern = scan->pattern;
    unsigned length, depth, edits;

    assert(code != 0 && code >> PB_PLATE_CODE_BITS == 0);
    length = pb_code_length(code);
    depth = common_characters(scan->code, code);
    if (depth > scan->depth)
        depth = scan->depth;
    /* Codes ascend; those of a damaged segment need not. */
    if (depth > length)
        depth = length;
    scan->code = code;
    while (depth < length) {
        take(pattern, scan->states[depth],
             reach_of_symbol(pattern->loose, pb_code_symbol(code, depth)),
             scan->states[depth + 1]);
        depth++;
        if (!is_alive(pattern, scan->states[depth], depth)) {
            scan->depth = depth;
            *ret_next = next_after_dead(scan, code, depth);
            return false;
        }
    }
    scan->depth = depth;
    *ret_next = code + 1;
    edits = accepted_edits(pattern, scan->states[depth]);
    if (edits == PB_PATTERN_LEVELS)
        return false;
    ret_match->edits = edits;
    ret_match->has_wildcard = pattern->has_wildcard;
    ret_match->has_lookalike =
        pattern->has_lookalikes && run_strictly(pattern, code) != edits;
    return true;
}

/* ---- prefilter ---- */

/* Bit 5 of each field is set where the field of a code equals the inner character. */
static inline uint64_t
equal_fields(struct pb_pattern_mask inner, uint64_t code)
{
    const uint64_t low_bits = UINT64_C(0x07DF7DF7DF7DF7DF);  /* bits 0 to 4 of each field */
    const uint64_t high_bits = UINT64_C(0x0820820820820820); /* bit 5 of each field */
    uint64_t difference = (code ^ inner.value) & inner.mask;

    /* Adding 31 to the low bits carries into bit 5 unless they are 0. */
    return ~(((difference & low_bits) + low_bits) | difference) & high_bits;
}

static inline bool
may_match(const struct pb_pattern *pattern, uint64_t code)
{
    uint64_t down = code >> ((unsigned)__builtin_ctzll(code) / PB_SYMBOL_BITS * PB_SYMBOL_BITS);

    return (((code & pattern->prefix.mask) ^ pattern->prefix.value) |
            ((down & pattern->suffix.mask) ^ pattern->suffix.value)) == 0;
}

/* Do the inner characters follow each other somewhere in the code? */
static inline bool
has_inner(const struct pb_pattern *pattern, uint64_t code)
{
    uint64_t found = equal_fields(pattern->inner[0], code);

    for (unsigned i = 1; i < pattern->inner_count; i++)
        found &= equal_fields(pattern->inner[i], code) << (PB_SYMBOL_BITS * i);
    return found != 0;
}

uint64_t
pb_pattern_prefilter(const struct pb_pattern *pattern, const uint64_t *codes, unsigned count)
{
    uint64_t maybe = 0;

    assert(count <= 64);
    if ((pattern->prefix.mask | pattern->suffix.mask) != 0) {
        for (unsigned i = 0; i < count; i++)
            maybe |= (uint64_t)may_match(pattern, codes[i]) << i;
    } else if (count > 0) {
        maybe = UINT64_MAX >> (64 - count);
    }
    if (pattern->inner_count > 0 && maybe != 0) {
        uint64_t with_inner = 0;

        for (unsigned i = 0; i < count; i++)
            with_inner |= (uint64_t)has_inner(pattern, codes[i]) << i;
        maybe &= with_inner;
    }
    return maybe;
}
