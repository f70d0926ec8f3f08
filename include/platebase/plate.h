/*
 * Plate text: folding, jurisdictions, patterns.
 *
 * Threads: everything here is pure; a compiled pattern may be shared.
 */
#ifndef PLATEBASE_PLATE_H
#define PLATEBASE_PLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pb_env;
struct pb_pattern; /* opaque, immutable */

/*
 * Folds a plate as sent into the form that is stored and searched: upper case; full-width forms
 * and Greek and Cyrillic capitals that look like Latin ones become Latin; spaces, dashes, dots
 * and other separators and symbols go; other letters and digits stay (as UTF-8, upper case
 * where Unicode's simple mapping has one in the blocks that plates use). `?` and `*`, which say
 * that a character could not be read, become `#`. The result folds to itself and holds none of
 * `?` `*` `[` `]`.
 *
 * raw          at most PB_PLATE_RAW_BYTES_MAX bytes of UTF-8
 * ret_bytes    length of what was written to ret_plate
 *
 * Returns  PB_OK
 *          PB_NOT_FOUND   nothing is left: no plate was read ("", "-", "--", "???")
 *          PB_BAD_INPUT   not UTF-8, a control character, or longer than the limits
 * Source   docs/formats/plate-text.md
 */
PB_MUST_CHECK enum pb_status pb_plate_fold(struct pb_str raw,
                                           char ret_plate[PB_PLATE_BYTES_MAX],
                                           uint32_t *ret_bytes);

/*
 * true where a folded text is a reader's way to say that it read no plate:
 * UNKNOWN, NOPLATE, UNLICENSED, NOTDEFINED, NONE, NULL, NA...
 */
bool pb_plate_is_placeholder(struct pb_str folded);

/*
 * Jurisdictions are numbers for ISO 3166 codes: 0 unknown; a country ("US", "DE") or a
 * subdivision ("US-CA", "CA-ON", "MX-JAL"). Numbers are stored on disk: never renumber, only add.
 *
 * Accepted: "US-CA", "us-ca", "US_CA", "CA" with country "US"..., and a number's own name.
 */
uint16_t pb_jurisdiction_from_text(struct pb_str text); /* 0 if not known */
/* As above; a bare code such as "GA" is looked up within country ("US") first, then (US and CA)
 * in its neighbour; then as above; then as a name in full ("Georgia"). country may be NULL. */
uint16_t pb_jurisdiction_within(const char *country, struct pb_str text);
const char *pb_jurisdiction_name(uint16_t jurisdiction); /* "" for 0 and unknown numbers */

/*
 * Compiles what a person types to find plates: folded as plates are, but for
 * `?` exactly one character, `*` any number, `[AB0-9]` one of, `[!AB]` none of. Unlike characters
 * match with edits (0 to 2: substitutions, insertions, deletions) and lookalikes (0OQD, 1I, 8B,
 * 5S, 2Z).
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT   empty, unclosed class, only stars with edits, not UTF-8, edits over 2
 *          PB_OVER_LIMIT  longer than PB_PATTERN_BYTES_MAX or PB_PATTERN_STEPS_MAX
 *          PB_E_NOMEM
 * Source   docs/formats/pattern-language.md
 */
PB_MUST_CHECK enum pb_status pb_pattern_compile(const struct pb_env *env, struct pb_str text,
                                                unsigned edits, bool with_lookalikes,
                                                struct pb_pattern **ret_pattern,
                                                struct pb_error *error);
void pb_pattern_free(const struct pb_env *env, struct pb_pattern *pattern);

/* true where one plate is all that can match (no wildcard, no edits, no look-alike in it);
 * then ret_plate, a view into the pattern, is that folded plate. */
bool pb_pattern_is_exact(const struct pb_pattern *pattern, struct pb_str *ret_plate);

struct pb_pattern_match {
    unsigned edits;      /* least distance found, look-alikes counting 0 */
    bool has_lookalike;  /* no match without look-alikes at that distance */
    bool has_wildcard;   /* the pattern has `?`, `*` or a class */
};
/* Matches one folded plate (any UTF-8). ret_match is set where it matches. */
bool pb_pattern_matches(const struct pb_pattern *pattern, struct pb_str plate,
                        struct pb_pattern_match *ret_match);

#ifdef __cplusplus
}
#endif
#endif
