/*
 * Facts and assumptions that the synthetic feed is made from, as constant tables.
 *
 * Which of them is a published figure and which an assumption, and where each is from, is in
 * docs/formats/synthetic-feed.md. Nothing here names or describes a real vehicle or reader.
 */
#ifndef PB_SYNTH_FACTS_H
#define PB_SYNTH_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define SYNTH_STATES 51u
#define SYNTH_HOURS 24u

enum synth_zone {
    ZONE_EASTERN,
    ZONE_CENTRAL,
    ZONE_MOUNTAIN,
    ZONE_ARIZONA, /* mountain time without summer time */
    ZONE_PACIFIC,
    ZONE_ALASKA,
    ZONE_HAWAII, /* no summer time */
    SYNTH_ZONES,
};

struct synth_state_fact {
    char code[3];
    /* Serial patterns as folded, `;` between them: A a letter, 9 a digit. `#` stands for a
     * number of one to six digits without leading zeros. */
    const char *patterns;
    uint16_t share;         /* of the country's registrations, hundredths of a percent */
    const char *neighbours; /* codes, two characters each */
    bool has_all_letters;   /* I, O and Q too */
};

/* A city whose surroundings have readers. Positions are the city's public coordinates. */
struct synth_city {
    char state[3];
    uint8_t zone;
    int32_t lat_e4, lon_e4;
    uint16_t thousands; /* people around there */
};

struct synth_model {
    const char *make, *model, *body;
    uint16_t weight;
};

struct synth_color {
    const char *name;
    uint16_t weight;
};

/* A point of a quantile function: `permille` of all are at most `value`. */
struct synth_quantile {
    uint16_t permille;
    uint16_t value;
};

/* What a reader makes of a character, and how often. */
struct synth_confusion {
    char from, to;
    uint8_t weight;
};

extern const struct synth_state_fact synth_states[SYNTH_STATES];
extern const struct synth_city synth_cities[];
extern const uint32_t synth_city_count;
extern const struct synth_city synth_town;

extern const struct synth_model synth_models[];
extern const uint32_t synth_model_count;
/* The last so many models are vans and trucks of fleets. */
extern const uint32_t synth_fleet_model_count;
extern const struct synth_color synth_colors[];
extern const uint32_t synth_color_count;

/* Share of a day's reads by local hour, in ten thousandths. */
extern const uint16_t synth_hours_fixed[SYNTH_HOURS];
extern const uint16_t synth_hours_mobile[SYNTH_HOURS];
/* By local hour of a working day, permille of a fixed reader's reads. */
extern const uint16_t synth_hours_commuters[SYNTH_HOURS];
extern const uint16_t synth_hours_fleet[SYNTH_HOURS];

extern const int16_t synth_zone_minutes[SYNTH_ZONES]; /* east of UTC, in winter */
extern const bool synth_zone_has_summer[SYNTH_ZONES];

extern const struct synth_quantile synth_reader_volumes[]; /* reads a day, fixed */
extern const struct synth_quantile synth_mobile_volumes[];
extern const struct synth_quantile synth_agency_readers[];

extern const struct synth_confusion synth_confusions[]; /* ends with from 0 */
/* How often a reader drops a character; those not listed have 1. Ends with from 0. */
extern const struct synth_confusion synth_deletions[];
extern const struct synth_confusion synth_insertions[];

#endif
