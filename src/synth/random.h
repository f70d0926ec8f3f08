/*
 * Randomness that can be asked for by number: draws follow from a key, not from history.
 *
 * The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", 2014). It is for invented data only and has no place near a secret.
 */
#ifndef PB_SYNTH_RANDOM_H
#define PB_SYNTH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#define PB_SYNTH_GAMMA UINT64_C(0x9E3779B97F4A7C15)

static inline uint64_t
synth_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* A value for a pair of keys. */
static inline uint64_t
synth_hash(uint64_t key, uint64_t item)
{
    return synth_mix(key + PB_SYNTH_GAMMA * (item + 1));
}

struct synth_dice {
    uint64_t state;
};

static inline uint64_t
synth_roll(struct synth_dice *dice)
{
    dice->state += PB_SYNTH_GAMMA;
    return synth_mix(dice->state);
}

static inline uint32_t
synth_roll32(struct synth_dice *dice)
{
    return (uint32_t)(synth_roll(dice) >> 32);
}

/* Scales 32 random bits to 0 .. n - 1; n > 0. */
static inline uint32_t
synth_scale(uint32_t bits, uint32_t n)
{
    return (uint32_t)(((uint64_t)bits * n) >> 32);
}

static inline uint32_t
synth_below(struct synth_dice *dice, uint32_t n)
{
    return synth_scale(synth_roll32(dice), n);
}

static inline bool
synth_permille(struct synth_dice *dice, uint32_t permille)
{
    return synth_below(dice, 1000) < permille;
}

/* u * u and u * u * u for u in [0, 1) as 32-bit fractions. */
static inline uint32_t
synth_square(uint32_t u)
{
    return (uint32_t)(((uint64_t)u * u) >> 32);
}

static inline uint32_t
synth_cube(uint32_t u)
{
    return (uint32_t)(((uint64_t)synth_square(u) * u) >> 32);
}

/*
 * Draws from one of count weighted items in constant time: Walker's alias method, as Vose
 * builds it ("A linear algorithm for generating random numbers with a given distribution",
 * 1991), in integers. A column holds its own item below threshold and `other` above.
 */
struct synth_column {
    uint32_t threshold;
    uint32_t other;
};

/* weights: count elements, not all 0, together below 2^32; count below 2^21. scratch: 2 * count
 * elements. */
void synth_columns_build(const uint32_t *weights, uint32_t count, struct synth_column *columns,
                         uint64_t *scratch);

static inline uint32_t
synth_columns_draw(const struct synth_column *columns, uint32_t count, uint64_t bits)
{
    uint32_t column = synth_scale((uint32_t)(bits >> 32), count);

    return (uint32_t)bits < columns[column].threshold ? column : columns[column].other;
}

#endif
