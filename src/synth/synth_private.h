/*
 * The synthetic world as its files share it. See synth.h for what it promises.
 *
 * A metro has corridors (roads with two to six fixed readers) and vehicles: commuters of one
 * corridor, and blocks of residents and of fleets. A block has one vehicle for each corridor of
 * its metro. In every time slot a block is turned against the corridors by a pseudo-random
 * number of places, so that "which vehicle of this block is on this road now" and "where is
 * this vehicle now" both take one hash, and no vehicle is on two roads at once.
 */
#ifndef PB_SYNTH_PRIVATE_H
#define PB_SYNTH_PRIVATE_H

#include "synth/facts.h"
#include "synth/random.h"
#include "synth/synth.h"

#define PATTERN_CHARS_MAX 8u
#define PATTERNS_MAX 4u
#define NEIGHBOURS_MAX 10u
#define READER_ID_BYTES 20u
#define PLATE_ROOM_BYTES 16u /* longest plate, also with errors; a multiple of 8 */

#define HOUR_US INT64_C(3600000000)
#define CELL_READS 32u /* a patrol car's burst lies within so many neighbours of the feed */
#define BURSTS_MAX 2u  /* in a cell */
#define THROUGH_READS 16u /* one read in so many is of a vehicle seen once */
#define YARD_VEHICLES 4u /* of each reader's number, though only patrol cars have a yard */
#define BURST_KINDS 16u
#define BURST_SUM 124u /* of synth_burst_reads */

struct synth_pattern {
    uint64_t space; /* how many serials it has */
    uint8_t length;
    bool is_number; /* `#`: no leading zeros */
    char classes[PATTERN_CHARS_MAX];
};

struct synth_state {
    uint64_t space; /* of all its patterns */
    uint64_t multiplier, addend; /* serial = (vehicle * multiplier + addend) mod space */
    struct synth_pattern patterns[PATTERNS_MAX];
    uint8_t pattern_count;
    uint8_t neighbour_count;
    uint8_t neighbours[NEIGHBOURS_MAX];
    uint16_t jurisdiction;
    bool has_all_letters;
};

struct synth_metro {
    uint64_t first_resident; /* vehicle numbers */
    uint64_t first_fleet;
    uint32_t first_corridor;
    uint32_t corridor_count;
    uint32_t resident_blocks;
    uint32_t fleet_blocks;
    uint32_t first_reader, reader_count;
    int32_t lat_e7, lon_e7;
    uint8_t state, zone;
};

struct synth_corridor {
    uint64_t first_commuter; /* vehicle number */
    uint32_t commuter_count;
    uint32_t metro;
    uint32_t weight; /* of its readers */
};

enum reader_attributes {
    ATTRIBUTES_NONE,
    ATTRIBUTES_COLOR_BODY,
    ATTRIBUTES_MAKE_COLOR_BODY,
    ATTRIBUTES_ALL, /* model too */
};

struct synth_post {
    struct pb_str id;
    int32_t lat_e7, lon_e7;
    uint32_t corridor;
    uint32_t weight;
    uint16_t headings_cdeg[2]; /* inbound, outbound; PB_NO_HEADING: does not look that way */
    uint16_t speed_limit_kmh;
    uint16_t misread_per_10000;
    uint8_t zone;
    uint8_t attributes; /* enum reader_attributes */
    uint8_t event_kind; /* 0 none, 1 UUID, 2 counter */
    bool is_mobile;
    bool has_percent, has_tenths; /* confidence 0 to 100; with one decimal */
    bool has_seconds_only;
    bool has_speed, has_speed_tenths;
    bool has_heading;
    bool has_year;
    bool has_utc_offset;
    bool has_alternates;
};

struct synth_hour {
    uint64_t first;                       /* read with which it begins */
    uint32_t fixed_until[SYNTH_ZONES];    /* cumulative shares of 2^32 */
    uint32_t mobile_until[SYNTH_ZONES];
    uint32_t burst_share;                 /* of 2^16: bursts a cell; may exceed 1 */
    int16_t offset_minutes[SYNTH_ZONES];
    uint8_t local_hour[SYNTH_ZONES];
    bool is_weekend[SYNTH_ZONES];
};

/* A run of alias columns: one zone's readers, or one zone's share of a turn. */
struct synth_run {
    uint32_t first, count;
};

struct pb_synth {
    const struct pb_env *env; /* borrowed */
    uint64_t key;
    uint64_t reads;
    int64_t from_us;
    uint16_t newest_year; /* of a vehicle's make */
    bool with_alternates, with_event_ids, is_town;

    struct synth_state states[SYNTH_STATES];
    struct synth_column state_columns[SYNTH_STATES];

    struct synth_hour *hours; /* owned: hour_count + 1 elements, the last only with `first` */
    uint32_t hour_count;

    uint64_t first_yard; /* vehicle number */
    struct synth_metro *metros; /* owned */
    uint32_t metro_count;
    struct synth_corridor *corridors; /* owned */
    uint32_t corridor_count;
    struct synth_post *posts; /* owned: readers, metro by metro */
    char *ids;                /* owned: READER_ID_BYTES a reader */
    uint32_t post_count;

    /*
     * Readers take turns: read i may only be of fixed readers of turn i % fixed_turns, burst b
     * of cell c only of cars of turn (c * BURSTS_MAX + b) % burst_turns. So one reader's reads
     * are apart in the feed, hence in time, and no two of them have the same plate at the same
     * moment: each has an identity of its own.
     */
    uint32_t fixed_turns, burst_turns; /* powers of two */
    struct synth_run *fixed_runs;      /* owned: SYNTH_ZONES * fixed_turns */
    struct synth_run *burst_runs;      /* owned: SYNTH_ZONES * burst_turns */
    uint32_t *run_posts;              /* owned: the reader of each column */
    struct synth_column *run_columns; /* owned: post_count elements */

    struct synth_column *model_columns; /* owned: those of all, then those of fleets */
    struct synth_column *color_columns; /* owned */
};

/* What draws are for, so that two uses of one number do not agree. */
enum synth_salt {
    SALT_FEED = 0x11,
    SALT_CELL = 0x22,
    SALT_THROUGH = 0x33,
    SALT_STATE = 0x44,
    SALT_LOOKS = 0x55,
    SALT_RESIDENT = 0x66,
    SALT_FLEET = 0x77,
    SALT_ROAM = 0x88,
    SALT_DELAY = 0x99,
    SALT_COMPANY = 0xaa,
};

static inline uint64_t
synth_salted(const struct pb_synth *synth, enum synth_salt salt)
{
    return synth->key ^ ((uint64_t)salt << 56);
}

/* What happens on the road, and what the reader makes of the plate. */
struct synth_sight {
    const struct synth_post *post;
    const struct synth_metro *metro;
    int64_t captured_us;
    int32_t lat_e7, lon_e7;
    uint64_t vehicle;
    enum pb_synth_class class_of;
    uint32_t state;
    uint16_t heading_cdeg;
    int16_t offset_minutes; /* of local time, east of UTC */
    bool is_rush;
    bool is_vanity, is_misread;
    uint32_t true_bytes, read_bytes;
    char true_plate[PLATE_ROOM_BYTES];
    char read_plate[PLATE_ROOM_BYTES];
};

/* plates.c */
void synth_states_init(struct pb_synth *synth);
/* Writes the plate of a vehicle; returns its length. Unique within a state as long as there are
 * no more vehicles than serials. */
uint32_t synth_plate_write(const struct pb_synth *synth, uint32_t state, uint64_t vehicle,
                           char ret_plate[PLATE_ROOM_BYTES], bool *ret_is_vanity);
/* Makes one error in a plate, as readers do; returns the length that it has then. */
uint32_t synth_plate_spoil(struct synth_dice *dice, char plate[PLATE_ROOM_BYTES],
                           uint32_t length);
/* As above, but a look-alike for a character where there is one: what a reader holds
 * for the second best. */
uint32_t synth_plate_rival(struct synth_dice *dice, char plate[PLATE_ROOM_BYTES],
                           uint32_t length);

/* world.c */
/* Fills what synth_new leaves 0; a half-built world is freed as a whole one. */
PB_MUST_CHECK enum pb_status synth_world_build(struct pb_synth *synth, uint32_t days);
uint32_t synth_quantile_value(const struct synth_quantile *points, uint32_t bits);
/* Integer square root, rounded down. */
uint64_t synth_root(uint64_t value);
/* hours.c */
extern const uint8_t synth_burst_reads[BURST_KINDS]; /* a burst's length is one of these */
PB_MUST_CHECK enum pb_status synth_hours_build(struct pb_synth *synth, uint32_t days);

/* report.c */
/* Sets all of an initialised read but its plate. Texts go into arena. PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status synth_report(const struct pb_synth *synth, uint64_t index,
                                          const struct synth_sight *sight,
                                          struct synth_dice *dice, struct pb_arena *arena,
                                          struct pb_read *read);

#endif
