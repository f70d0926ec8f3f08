/*
 * Random patterns and a plain way to match them, for comparing: dynamic programming over
 * (steps, characters), with nothing taken from the room's own code but folding.
 */
#ifndef PB_TESTS_PLATE_PATTERN_ORACLE_H
#define PB_TESTS_PLATE_PATTERN_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define ORACLE_STEPS_MAX 12u
#define ORACLE_FAR 1000u

enum oracle_kind { ORACLE_LITERAL, ORACLE_ANY, ORACLE_STAR, ORACLE_CLASS };

struct oracle_step {
    enum oracle_kind kind;
    bool is_negated;
    uint32_t letters[3]; /* folded; 0 where unused */
};

struct oracle_pattern {
    struct oracle_step steps[ORACLE_STEPS_MAX];
    unsigned count;
    bool has_wildcard;
    char text[128];
    uint32_t bytes;
};

struct oracle_random {
    uint64_t state; /* not 0 */
};

static inline uint32_t
oracle_below(struct oracle_random *random, uint32_t bound)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return (uint32_t)((random->state * UINT64_C(2685821657736338717)) >> 33) % bound;
}

static inline uint32_t
oracle_letter(struct oracle_random *random, const uint32_t *letters, uint32_t count)
{
    return letters[oracle_below(random, count)];
}

static inline void
oracle_put(struct oracle_pattern *pattern, uint32_t code_point)
{
    pattern->bytes += (uint32_t)pb_utf8_encode(code_point, pattern->text + pattern->bytes);
}

/* A pattern of 1 to steps_max steps over folded letters; its text sometimes with separators
 * and small letters. */
static inline void
oracle_make(struct oracle_random *random, const uint32_t *letters, uint32_t letter_count,
            unsigned steps_max, struct oracle_pattern *ret_pattern)
{
    unsigned count = 1 + oracle_below(random, steps_max);

    memset(ret_pattern, 0, sizeof(*ret_pattern));
    for (unsigned i = 0; i < count; i++) {
        struct oracle_step *step = &ret_pattern->steps[ret_pattern->count++];
        uint32_t dice = oracle_below(random, 10);

        if (oracle_below(random, 8) == 0)
            oracle_put(ret_pattern, '-');
        if (dice < 6) {
            uint32_t letter = oracle_letter(random, letters, letter_count);

            step->kind = ORACLE_LITERAL;
            step->letters[0] = letter;
            if (letter >= 'A' && letter <= 'Z' && oracle_below(random, 3) == 0)
                letter += 'a' - 'A';
            oracle_put(ret_pattern, letter);
            continue;
        }
        ret_pattern->has_wildcard = true;
        if (dice == 6) {
            step->kind = ORACLE_ANY;
            oracle_put(ret_pattern, '?');
        } else if (dice == 7) {
            step->kind = ORACLE_STAR;
            oracle_put(ret_pattern, '*');
        } else {
            step->kind = ORACLE_CLASS;
            step->is_negated = dice == 9 && oracle_below(random, 2) == 0;
            oracle_put(ret_pattern, '[');
            if (step->is_negated)
                oracle_put(ret_pattern, oracle_below(random, 2) == 0 ? '!' : '^');
            for (unsigned j = 0; j < 1 + oracle_below(random, 3); j++) {
                step->letters[j] = oracle_letter(random, letters, letter_count);
                oracle_put(ret_pattern, step->letters[j]);
            }
            oracle_put(ret_pattern, ']');
        }
    }
}

static inline bool
oracle_looks_like(uint32_t a, uint32_t b)
{
    static const char *const classes[] = { "0OQD", "1I", "8B", "5S", "2Z" };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (a < 0x80 && b < 0x80 && strchr(classes[i], (int)a) != NULL &&
            strchr(classes[i], (int)b) != NULL)
            return true;
    }
    return a == b;
}

static inline bool
oracle_takes_exactly(const struct oracle_step *step, uint32_t letter)
{
    bool is_listed = false;

    if (step->kind == ORACLE_ANY)
        return true;
    for (unsigned i = 0; i < 3; i++)
        is_listed |= step->letters[i] == letter;
    return is_listed != step->is_negated;
}

static inline bool
oracle_takes(const struct oracle_step *step, uint32_t letter, bool is_loose)
{
    static const char candidates[] = "0OQD1I8B5S2Z";

    if (oracle_takes_exactly(step, letter))
        return true;
    for (const char *c = candidates; is_loose && *c != '\0'; c++) {
        if (oracle_looks_like((uint32_t)*c, letter) &&
            oracle_takes_exactly(step, (uint32_t)*c))
            return true;
    }
    return false;
}

static inline unsigned
oracle_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The least number of edits between the text and any text that the pattern stands for. */
static inline unsigned
oracle_distance(const struct oracle_pattern *pattern, const uint32_t *letters, unsigned count,
                bool is_loose)
{
    unsigned distance[ORACLE_STEPS_MAX + 1][64];

    for (unsigned i = 0; i <= pattern->count; i++) {
        for (unsigned j = 0; j <= count; j++) {
            const struct oracle_step *step = i > 0 ? &pattern->steps[i - 1] : NULL;
            unsigned best = i == 0 && j == 0 ? 0 : ORACLE_FAR;

            if (step != NULL && step->kind == ORACLE_STAR) {
                best = distance[i - 1][j];
                if (j > 0)
                    best = oracle_least(best, distance[i][j - 1]);
            } else {
                if (step != NULL)
                    best = oracle_least(best, distance[i - 1][j] + 1);
                if (j > 0)
                    best = oracle_least(best, distance[i][j - 1] + 1);
                if (step != NULL && j > 0)
                    best = oracle_least(best, distance[i - 1][j - 1] +
                                                  !oracle_takes(step, letters[j - 1], is_loose));
            }
            distance[i][j] = best;
        }
    }
    return distance[pattern->count][count];
}

#endif
