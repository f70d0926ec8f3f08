/*
 * Feed: read number i, from the world and from i alone.
 *
 * The hour that i falls into gives its time, the local hour of each zone and so which zone's
 * readers are busy. Within each cell of CELL_READS neighbours some reads may belong to
 * bursts, when a patrol car drives along a row of parked vehicles; all others are of fixed
 * readers. The reader's road and the time give the vehicle (see synth_private.h); the
 * vehicle's number gives its plate; report.c tells what the reader makes of it all.
 *
 * Draws of one read come from its own dice. Their order is part of the feed: adding one in the
 * middle changes all feeds.
 */
#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/time.h"
#include "synth/synth_private.h"

#define BURST_US_MAX 60000000u
#define JITTER_US_MIN 900000u /* real feeds are not sorted to the last second */
#define ROAM_SLOT_US INT64_C(600000000)
#define RESIDENT_SLOT_US (2 * HOUR_US)
#define FLEET_SLOT_US HOUR_US
#define RUSH_HOURS 5 /* commuters pass from 5 to 10 and from 15 to 20 */
#define BLOCK_READS 256u /* reads whose plates share one piece of the arena */

/* One patrol car's burst: reads first to first + count - 1 of the feed. */
struct burst {
    uint64_t first;
    uint32_t count;
    uint32_t post;
    int64_t start_us;
    uint32_t spacing_us;
    uint32_t bits; /* chooses the street */
};

/* What is common to neighbours of the feed: carried along while filling. */
struct walk {
    const struct pb_synth *synth;
    const struct synth_hour *hour; /* that the present read falls into */
    uint64_t cell;                 /* whose bursts these are; UINT64_MAX: none yet */
    struct burst bursts[BURSTS_MAX];
    uint32_t burst_count;
};

/* ---- time ---- */

static const struct synth_hour *
hour_of(const struct pb_synth *synth, uint64_t index)
{
    uint32_t low = 0, high = synth->hour_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (synth->hours[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return &synth->hours[low];
}

static int64_t
time_of(const struct pb_synth *synth, const struct synth_hour *hour, uint64_t index,
        uint32_t bits)
{
    int64_t hour_us = synth->from_us + (hour - synth->hours) * HOUR_US;
    uint64_t count = hour[1].first - hour->first;
    uint64_t place_us = (index - hour->first) * (uint64_t)HOUR_US / count;
    uint64_t width_us = (uint64_t)HOUR_US / count;

    if (width_us < JITTER_US_MIN)
        width_us = JITTER_US_MIN;
    return hour_us + (int64_t)(place_us + ((width_us * bits) >> 32));
}

/* ---- who reads ---- */

static uint32_t
draw_zone(const uint32_t *until, uint32_t bits)
{
    uint32_t zone = 0;

    if (bits == UINT32_MAX) /* so that the last border is above all */
        bits--;
    while (bits >= until[zone])
        zone++;
    return zone;
}

static uint32_t
draw_post(const struct pb_synth *synth, const struct synth_run *run, uint64_t bits)
{
    return synth->run_posts[run->first + synth_columns_draw(synth->run_columns + run->first,
                                                            run->count, bits)];
}

/* Finds the bursts of the cell that the walk has come to. */
static void
enter_cell(struct walk *walk, uint64_t cell)
{
    const struct pb_synth *synth = walk->synth;
    const struct synth_hour *hour = hour_of(synth, cell * CELL_READS);
    struct synth_dice dice = { synth_hash(synth_salted(synth, SALT_CELL), cell) };
    uint64_t next = cell * CELL_READS;
    uint32_t left = CELL_READS;
    uint32_t share = hour->burst_share;

    walk->cell = cell;
    walk->burst_count = 0;
    while (walk->burst_count < BURSTS_MAX && left > 0 && (synth_roll32(&dice) >> 16) < share) {
        uint64_t turn = (cell * BURSTS_MAX + walk->burst_count) & (synth->burst_turns - 1);
        struct burst *burst = &walk->bursts[walk->burst_count++];
        uint64_t zone = draw_zone(hour->mobile_until, synth_roll32(&dice));
        uint32_t gap;

        burst->count = synth_burst_reads[synth_below(&dice, BURST_KINDS)];
        if (burst->count > left)
            burst->count = left;
        gap = synth_below(&dice, left - burst->count + 1);
        burst->first = next + gap;
        burst->post = draw_post(synth, &synth->burst_runs[zone * synth->burst_turns + turn],
                                synth_roll(&dice));
        burst->bits = synth_roll32(&dice);
        /* A quarter of a second to four seconds a vehicle, mostly few. */
        burst->spacing_us = 250000 + synth_scale(synth_cube(synth_roll32(&dice)), 3750000);
        if (burst->spacing_us > BURST_US_MAX / burst->count)
            burst->spacing_us = BURST_US_MAX / burst->count;
        burst->start_us = burst->first < synth->reads
                              ? time_of(synth, hour_of(synth, burst->first), burst->first, 0)
                              : 0;

        next = burst->first + burst->count;
        left -= gap + burst->count;
        share = share > 65536 ? share - 65536 : 0;
    }
}

static void
walk_to(struct walk *walk, uint64_t index)
{
    while (walk->hour[1].first <= index)
        walk->hour++;
    if (index / CELL_READS != walk->cell)
        enter_cell(walk, index / CELL_READS);
}

static struct walk
start_walk(const struct pb_synth *synth, uint64_t index)
{
    return (struct walk){
        .synth = synth,
        .hour = hour_of(synth, index),
        .cell = UINT64_MAX,
    };
}

static const struct burst *
burst_at(const struct walk *walk, uint64_t index)
{
    for (uint32_t i = 0; i < walk->burst_count; i++)
        if (index - walk->bursts[i].first < walk->bursts[i].count)
            return &walk->bursts[i];
    return NULL;
}

/* ---- who passes ---- */

/* The vehicle of a block that is on corridor (counted within its metro) during a slot. */
static uint64_t
resident_on(const struct pb_synth *synth, const struct synth_metro *metro, uint32_t block,
            uint32_t corridor, int64_t time_us)
{
    uint64_t slot = (uint64_t)(time_us / RESIDENT_SLOT_US);
    uint64_t key = synth_salted(synth, SALT_RESIDENT) + slot;
    uint64_t turn = synth_hash(key, metro->first_resident + block);
    uint32_t away = turn & 1 ? synth_scale((uint32_t)(turn >> 32), metro->corridor_count) : 0;
    uint32_t home = (corridor + metro->corridor_count - away) % metro->corridor_count;

    return metro->first_resident + (uint64_t)block * metro->corridor_count + home;
}

static uint64_t
fleet_vehicle_on(const struct pb_synth *synth, const struct synth_metro *metro, uint32_t block,
                 uint32_t corridor, int64_t time_us)
{
    uint64_t slot = (uint64_t)(time_us / FLEET_SLOT_US);
    uint64_t turn = synth_hash(synth_salted(synth, SALT_FLEET) + slot, metro->first_fleet + block);
    uint32_t away = synth_scale((uint32_t)(turn >> 32), metro->corridor_count);
    uint32_t home = (corridor + metro->corridor_count - away) % metro->corridor_count;

    return metro->first_fleet + (uint64_t)block * metro->corridor_count + home;
}

/*
 * Commuters of a road are numbered by when they pass, so that the time of day tells who it is.
 * All of a road are early or late together, by the day.
 */
static uint64_t
commuter_at(const struct pb_synth *synth, uint32_t corridor_index, int64_t local_us)
{
    const struct synth_corridor *corridor = &synth->corridors[corridor_index];
    int64_t day = local_us / PB_DAY_US;
    int64_t rush_us = local_us % PB_DAY_US;
    uint64_t key = synth_salted(synth, SALT_DELAY) + (uint64_t)day;
    uint64_t delay = synth_hash(key, corridor_index) % 3;
    uint64_t rank;

    rush_us -= rush_us < PB_DAY_US / 2 ? 5 * HOUR_US : 15 * HOUR_US;
    if (rush_us < 0)
        rush_us = 0;
    rank = (uint64_t)rush_us * corridor->commuter_count / (RUSH_HOURS * (uint64_t)HOUR_US);
    return corridor->first_commuter + (rank + delay) % corridor->commuter_count;
}

/* Draws which residents pass: some daily, two in three no more than thrice a month, a few
 * hundreds of times. u runs from the most seen to the least: u^2 / 4 + 3 u^16 / 4. */
static uint32_t
often_seen(uint32_t u)
{
    uint32_t square = synth_square(u);
    uint32_t sixteenth = synth_square(synth_square(synth_square(square)));

    return square / 4 + sixteenth / 4 * 3;
}

static bool
is_through(const struct pb_synth *synth, uint64_t index)
{
    uint64_t chosen = synth_hash(synth_salted(synth, SALT_THROUGH), index / THROUGH_READS);

    return index % THROUGH_READS == chosen % THROUGH_READS;
}

/* Chooses who passes a fixed reader, and which way. */
static void
pass_fixed(const struct walk *walk, struct synth_sight *sight, struct synth_dice *dice)
{
    const struct pb_synth *synth = walk->synth;
    const struct synth_post *post = sight->post;
    const struct synth_metro *metro = sight->metro;
    uint32_t local_hour = walk->hour->local_hour[post->zone];
    uint32_t corridor = post->corridor - metro->first_corridor;
    uint32_t side = local_hour < 12 ? 0 : 1; /* commuters come in and go out again */
    uint64_t luck = synth_roll(dice);
    uint32_t kind = synth_scale((uint32_t)(luck >> 32), 1000);
    uint32_t commuters = synth_hours_commuters[local_hour];
    uint32_t fleet = synth_hours_fleet[local_hour];
    uint32_t bits = synth_roll32(dice);
    int64_t local_us = sight->captured_us + sight->offset_minutes * PB_MINUTE_US;

    if (walk->hour->is_weekend[post->zone] || post->headings_cdeg[side] == PB_NO_HEADING)
        commuters = 0;
    if (kind < commuters) {
        sight->class_of = PB_SYNTH_COMMUTER;
        sight->vehicle = commuter_at(synth, post->corridor, local_us);
        sight->is_rush = true;
    } else {
        side = luck & 1;
        if (post->headings_cdeg[side] == PB_NO_HEADING)
            side = 1 - side;
        if (kind >= 1000 - fleet) {
            sight->class_of = PB_SYNTH_FLEET;
            sight->vehicle =
                fleet_vehicle_on(synth, metro, synth_scale(synth_cube(bits), metro->fleet_blocks),
                                 corridor, sight->captured_us);
        } else {
            sight->class_of = PB_SYNTH_RESIDENT;
            sight->vehicle = resident_on(
                synth, metro, synth_scale(often_seen(bits), metro->resident_blocks), corridor,
                sight->captured_us);
        }
    }
    sight->heading_cdeg = post->headings_cdeg[side];
}

/* Chooses which parked or oncoming vehicle is number `place` of a burst. */
static void
pass_mobile(const struct walk *walk, const struct burst *burst, uint32_t place,
            struct synth_sight *sight, struct synth_dice *dice)
{
    const struct pb_synth *synth = walk->synth;
    const struct synth_metro *metro = sight->metro;
    uint32_t corridor = sight->post->corridor - metro->first_corridor;

    if (place == 0 && synth_permille(dice, 300)) {
        /* Some vehicles stand where this car sets out, one of them always. */
        sight->class_of = PB_SYNTH_YARD;
        sight->vehicle = synth->first_yard + (uint64_t)burst->post * YARD_VEHICLES +
                         synth_scale(synth_square(synth_roll32(dice)), YARD_VEHICLES);
        return;
    }
    corridor = (corridor + burst->bits % 3) % metro->corridor_count;
    sight->class_of = PB_SYNTH_RESIDENT;
    sight->vehicle = resident_on(
        synth, metro,
        (synth_scale(burst->bits, metro->resident_blocks) + place) % metro->resident_blocks,
        corridor, burst->start_us);
}

/* A car's way: from one corner to the next in each slot, first north or south, then east or
 * west. Positions have five decimals, as receivers give them. */
static void
roam(const struct pb_synth *synth, uint32_t post_index, struct synth_sight *sight, uint32_t bits)
{
    const struct synth_post *post = sight->post;
    uint64_t slot = (uint64_t)(sight->captured_us / ROAM_SLOT_US);
    int64_t in_slot_us = sight->captured_us % ROAM_SLOT_US;
    uint64_t key = synth_salted(synth, SALT_ROAM) + post_index;
    uint64_t from = synth_hash(key, slot), to = synth_hash(key, slot + 1);
    int32_t reach = synth->is_town ? 120000 : 250000; /* 1.3 or 2.8 km of latitude */
    int32_t from_lat = (int32_t)((from & 0xffff) * (uint64_t)reach >> 15) - reach;
    int32_t from_lon = (int32_t)((from >> 16 & 0xffff) * (uint64_t)reach >> 15) - reach;
    int32_t to_lat = (int32_t)((to & 0xffff) * (uint64_t)reach >> 15) - reach;
    int32_t to_lon = (int32_t)((to >> 16 & 0xffff) * (uint64_t)reach >> 15) - reach;
    int64_t half_us = ROAM_SLOT_US / 2;
    int32_t lat = to_lat, lon = from_lon;
    uint32_t heading;

    if (in_slot_us < half_us) {
        lat = from_lat + (int32_t)((to_lat - from_lat) * in_slot_us / half_us);
        heading = to_lat >= from_lat ? 36000 : 18000;
    } else {
        lon = from_lon + (int32_t)((to_lon - from_lon) * (in_slot_us - half_us) / half_us);
        heading = to_lon >= from_lon ? 9000 : 27000;
    }
    sight->lat_e7 = (post->lat_e7 + lat) / 100 * 100;
    sight->lon_e7 = (post->lon_e7 + lon) / 100 * 100;
    /* Streets are not quite straight: up to three degrees either way, in tenths. */
    heading += 10 * (bits % 61);
    sight->heading_cdeg = (uint16_t)((heading + 36000 - 300) % 36000);
}

static uint32_t
state_of(const struct pb_synth *synth, uint32_t home, uint64_t vehicle, bool is_through_traffic)
{
    uint64_t bits = synth_hash(synth_salted(synth, SALT_STATE), vehicle);
    uint32_t share = synth_scale((uint32_t)bits, 1000);
    const struct synth_state *state = &synth->states[home];

    if (share < (is_through_traffic ? 450u : 920u))
        return home;
    if (share < (is_through_traffic ? 750u : 970u))
        return state->neighbours[(bits >> 32) % state->neighbour_count];
    return synth_columns_draw(synth->state_columns, SYNTH_STATES, synth_mix(bits));
}

/* ---- what is read ---- */

static void
read_plate(struct synth_sight *sight, struct synth_dice *dice)
{
    uint32_t edits;

    memcpy(sight->read_plate, sight->true_plate, PLATE_ROOM_BYTES);
    sight->read_bytes = sight->true_bytes;
    sight->is_misread = synth_below(dice, 10000) < sight->post->misread_per_10000;
    if (!sight->is_misread)
        return;

    /* Of misread plates 63 % are one error away from the truth, 29 % two, 8 % three. */
    edits = synth_below(dice, 100);
    edits = edits < 63 ? 1 : edits < 92 ? 2 : 3;
    while (edits-- > 0)
        sight->read_bytes = synth_plate_spoil(dice, sight->read_plate, sight->read_bytes);
    while (sight->read_bytes == sight->true_bytes &&
           memcmp(sight->read_plate, sight->true_plate, sight->true_bytes) == 0)
        sight->read_bytes = synth_plate_spoil(dice, sight->read_plate, sight->read_bytes);
}

static void
look(const struct walk *walk, uint64_t index, struct synth_sight *sight, struct synth_dice *dice)
{
    const struct pb_synth *synth = walk->synth;
    const struct burst *burst = burst_at(walk, index);
    uint32_t post_index;

    dice->state = synth_hash(synth_salted(synth, SALT_FEED), index);
    if (burst != NULL) {
        uint32_t place = (uint32_t)(index - burst->first);

        post_index = burst->post;
        sight->captured_us = burst->start_us + (int64_t)place * burst->spacing_us +
                             synth_scale(synth_roll32(dice), burst->spacing_us);
    } else {
        uint64_t zone = draw_zone(walk->hour->fixed_until, synth_roll32(dice));
        uint64_t turn = index & (synth->fixed_turns - 1);

        post_index = draw_post(synth, &synth->fixed_runs[zone * synth->fixed_turns + turn],
                               synth_roll(dice));
        sight->captured_us = time_of(synth, walk->hour, index, synth_roll32(dice));
    }
    sight->post = &synth->posts[post_index];
    sight->metro = &synth->metros[synth->corridors[sight->post->corridor].metro];
    sight->captured_us -= sight->captured_us % (sight->post->has_seconds_only ? 1000000 : 1000);
    sight->offset_minutes = walk->hour->offset_minutes[sight->post->zone];
    sight->is_rush = false;

    if (burst != NULL) {
        pass_mobile(walk, burst, (uint32_t)(index - burst->first), sight, dice);
        roam(synth, post_index, sight, synth_roll32(dice));
    } else {
        pass_fixed(walk, sight, dice);
        sight->lat_e7 = sight->post->lat_e7;
        sight->lon_e7 = sight->post->lon_e7;
    }
    if (is_through(synth, index)) {
        sight->class_of = PB_SYNTH_THROUGH;
        sight->vehicle = index / THROUGH_READS;
    }
    sight->state = state_of(synth, sight->metro->state, sight->vehicle,
                            sight->class_of == PB_SYNTH_THROUGH);
    memset(sight->true_plate, 0, PLATE_ROOM_BYTES);
    sight->true_bytes = synth_plate_write(synth, sight->state, sight->vehicle, sight->true_plate,
                                          &sight->is_vanity);
    read_plate(sight, dice);
}

/* ---- the public side ---- */

enum pb_status
pb_synth_fill(const struct pb_synth *synth, uint64_t first, uint64_t count,
              struct pb_read *ret_reads, struct pb_arena *arena)
{
    struct walk walk;
    char *plates = NULL;

    assert(first <= synth->reads && count <= synth->reads - first);
    if (count == 0)
        return PB_OK;
    walk = start_walk(synth, first);
    for (uint64_t i = 0; i < count; i++) {
        struct pb_read *read = &ret_reads[i];
        struct synth_sight sight;
        struct synth_dice dice;
        enum pb_status status;

        if (i % BLOCK_READS == 0) {
            uint64_t left = count - i;

            plates = pb_arena_alloc(
                arena, (size_t)(left < BLOCK_READS ? left : BLOCK_READS) * PLATE_ROOM_BYTES);
            if (plates == NULL)
                return PB_E_NOMEM;
        }
        walk_to(&walk, first + i);
        look(&walk, first + i, &sight, &dice);

        pb_read_init(read);
        memcpy(plates, sight.read_plate, PLATE_ROOM_BYTES);
        read->plate = (struct pb_str){ plates, sight.read_bytes };
        plates += PLATE_ROOM_BYTES;
        status = synth_report(synth, first + i, &sight, &dice, arena, read);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

void
pb_synth_truth_at(const struct pb_synth *synth, uint64_t index, struct pb_synth_truth *ret_truth)
{
    struct walk walk;
    struct synth_sight sight;
    struct synth_dice dice;

    assert(index < synth->reads);
    walk = start_walk(synth, index);
    walk_to(&walk, index);
    look(&walk, index, &sight, &dice);

    *ret_truth = (struct pb_synth_truth){
        .plate_bytes = sight.true_bytes,
        .jurisdiction = synth->states[sight.state].jurisdiction,
        .vehicle = sight.vehicle,
        .class_of = sight.class_of,
        .is_vanity = sight.is_vanity,
        .is_misread = sight.is_misread,
    };
    memcpy(ret_truth->plate, sight.true_plate, sight.true_bytes);
}
