/*
 * World: where the readers are and what they are like, and how many vehicles live where.
 *
 * Everything follows from the options; what the world holds is a few dozen bytes a reader and
 * nothing a vehicle.
 */
#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "synth/synth_private.h"

#define MOBILE_PERMILLE 55u /* of readers; each makes three times what a fixed one makes */
#define TOWN_MOBILE_PERMILLE 90u
#define CORRIDOR_READERS_MIN 2u
#define CORRIDOR_READERS_MAX 6u
#define DEGREE_E7 INT64_C(10000000)
#define METRES_E7 90 /* of latitude: one metre is 90 x 10^-7 degrees */
#define TURNS_MAX 4096u
/* Seconds from one read of a fixed reader to its next, and between two bursts of a car. */
#define FIXED_APART_S 2u
#define BURSTS_APART_S 60u

/* Vehicles for each million reads of the whole feed; see docs/formats/synthetic-feed.md. */
#define RESIDENTS_PER_MILLION 65000u
#define COMMUTER_READS_PERMILLE 140u
#define COMMUTER_READS_A_DAY_PERMILLE 1400u /* of one commuter, on working days */
#define FLEET_READS_PERMILLE 115u
#define FLEET_READS_A_DAY 4u

uint64_t
synth_root(uint64_t value)
{
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= value)
            root += bit;
    return root;
}

uint32_t
synth_quantile_value(const struct synth_quantile *points, uint32_t bits)
{
    uint32_t permille_e3 = synth_scale(bits, 1000000);
    uint32_t from, to, share;

    while (permille_e3 >= points[1].permille * 1000u)
        points++;
    from = points[0].permille * 1000u;
    to = points[1].permille * 1000u;
    share = (uint32_t)((uint64_t)(permille_e3 - from) * 1000 / (to - from));
    return points[0].value + (points[1].value - points[0].value) * share / 1000;
}

/* Cosine of whole degrees 0 to 90 times 10^4: Bhaskara's approximation, off by at most 0.002. */
static int64_t
cosine_e4(int64_t degrees)
{
    return (32400 - 4 * degrees * degrees) * 10000 / (32400 + degrees * degrees);
}

/* As above for any whole degrees 0 to 359. */
static int64_t
cosine_any_e4(uint32_t degrees)
{
    if (degrees > 180)
        degrees = 360 - degrees;
    return degrees <= 90 ? cosine_e4(degrees) : -cosine_e4(180 - (int64_t)degrees);
}

/* Moves a position by metres north and east. Rounds to the sixth decimal. */
static void
move(int32_t *lat_e7, int32_t *lon_e7, int64_t north_m, int64_t east_m)
{
    int64_t degrees = *lat_e7 / DEGREE_E7;
    int64_t lat = *lat_e7 + north_m * METRES_E7;
    int64_t lon = *lon_e7 + east_m * METRES_E7 * 10000 / cosine_e4(degrees);

    *lat_e7 = (int32_t)(lat / 10 * 10);
    *lon_e7 = (int32_t)(lon / 10 * 10);
}

/* ---- readers ---- */

/* Where numbering of agencies and of an agency's readers has got to. */
struct numbering {
    uint32_t agencies[SYNTH_STATES];
    uint32_t left; /* readers that the present agency still takes */
    uint32_t town; /* readers of the town's own agency; 0 in the country */
    uint32_t cameras, cars;
};

static void
name_post(struct pb_synth *synth, struct synth_post *post, uint32_t index, uint32_t state,
          struct numbering *numbering, struct synth_dice *dice)
{
    char *id = synth->ids + (size_t)index * READER_ID_BYTES;
    struct pb_text_out out = pb_text_out(id, READER_ID_BYTES);
    uint32_t agency, number;

    if (numbering->left == 0) {
        numbering->agencies[state]++;
        numbering->left = numbering->town > 0
                              ? numbering->town
                              : synth_quantile_value(synth_agency_readers, synth_roll32(dice));
        numbering->cameras = numbering->cars = 0;
    }
    numbering->left--;
    number = post->is_mobile ? ++numbering->cars : ++numbering->cameras;
    agency = numbering->agencies[state];

    pb_put_char(&out, (char)(synth_states[state].code[0] | 0x20));
    pb_put_char(&out, (char)(synth_states[state].code[1] | 0x20));
    pb_put_char(&out, '-');
    for (uint32_t unit = 1000; unit > agency && unit > 1; unit /= 10)
        pb_put_char(&out, '0');
    pb_put_u64(&out, agency);
    pb_put_text(&out, post->is_mobile ? "-car" : "-cam");
    if (number < 10)
        pb_put_char(&out, '0');
    pb_put_u64(&out, number);
    assert(!out.is_cut);
    post->id = (struct pb_str){ id, (uint32_t)(out.at - id) };
}

/* What a reader tells and how well: by make and set-up, hence the same for all its reads. */
static void
equip_post(struct synth_post *post, struct synth_dice *dice)
{
    uint32_t quality = synth_below(dice, 1000);
    uint32_t told = synth_below(dice, 100);

    post->weight = synth_quantile_value(
        post->is_mobile ? synth_mobile_volumes : synth_reader_volumes, synth_roll32(dice));
    /* Two in a hundred on average; the worst tenth errs three times as often as the median. */
    post->misread_per_10000 = (uint16_t)(quality < 900 ? 60 + quality / 4 : 400 + quality / 5);
    post->attributes = told < 40   ? ATTRIBUTES_NONE
                       : told < 48 ? ATTRIBUTES_COLOR_BODY
                       : told < 60 ? ATTRIBUTES_MAKE_COLOR_BODY
                                   : ATTRIBUTES_ALL;
    post->has_year = post->attributes == ATTRIBUTES_ALL && synth_permille(dice, 500);
    told = synth_below(dice, 10);
    post->event_kind = told < 3 ? 0 : told < 7 ? 1 : 2;
    post->has_percent = synth_permille(dice, 600);
    post->has_tenths = post->has_percent && synth_permille(dice, 650);
    post->has_seconds_only = synth_permille(dice, post->is_mobile ? 300 : 200);
    post->has_heading = post->is_mobile || synth_permille(dice, 850);
    post->has_speed = !post->is_mobile && synth_permille(dice, 400);
    post->has_speed_tenths = synth_permille(dice, 400);
    post->has_utc_offset = synth_permille(dice, 500);
    post->has_alternates = synth_permille(dice, 667);
}

/* Places a corridor's fixed readers along a straight road through its metro. */
static void
place_corridor(const struct pb_synth *synth, const struct synth_metro *metro,
               struct synth_post *posts, uint32_t count, int64_t radius_m,
               struct synth_dice *dice)
{
    /* Streets mostly keep to the city's grid. */
    uint32_t grid = (uint32_t)(synth_hash(synth->key, metro->first_corridor) % 30);
    uint32_t bearing = synth_below(dice, 10) < 7 ? (grid + 90 * synth_below(dice, 4)) % 360
                                                 : synth_below(dice, 360);
    /* Two draws make a middle denser than the edge. */
    int64_t north_m = (int64_t)synth_below(dice, (uint32_t)radius_m) +
                      synth_below(dice, (uint32_t)radius_m) - radius_m;
    int64_t east_m = (int64_t)synth_below(dice, (uint32_t)radius_m) +
                     synth_below(dice, (uint32_t)radius_m) - radius_m;
    uint32_t limit_kmh = 40 + 10 * synth_below(dice, 7);
    int64_t along_m = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct synth_post *post = &posts[i];
        uint32_t sides = synth_below(dice, 100);

        post->lat_e7 = metro->lat_e7;
        post->lon_e7 = metro->lon_e7;
        move(&post->lat_e7, &post->lon_e7, north_m + along_m * cosine_any_e4(bearing) / 10000,
             east_m + along_m * cosine_any_e4((bearing + 270) % 360) / 10000);
        along_m += 300 + synth_below(dice, synth->is_town ? 500 : 1500);

        /* Two directions, inbound only, outbound only. */
        post->headings_cdeg[0] = sides < 73 ? (uint16_t)(bearing * 100) : PB_NO_HEADING;
        post->headings_cdeg[1] =
            sides < 46 || sides >= 73 ? (uint16_t)((bearing + 180) % 360 * 100) : PB_NO_HEADING;
        post->speed_limit_kmh = (uint16_t)limit_kmh;
    }
}

/* Cuts a metro's fixed readers into corridors, and lets its cars roam around them. */
static void
build_corridors(struct pb_synth *synth, struct synth_metro *metro, uint32_t metro_index,
                uint32_t thousands, struct synth_dice *dice)
{
    int64_t radius_m = synth->is_town
                           ? 1800
                           : 4000 + (int64_t)synth_root(thousands * UINT64_C(200000));
    struct synth_post *posts = synth->posts + metro->first_reader;
    uint32_t fixed_count = 0, done = 0;

    while (fixed_count < metro->reader_count && !posts[fixed_count].is_mobile)
        fixed_count++;
    assert(fixed_count > 0);

    metro->first_corridor = synth->corridor_count;
    while (done < fixed_count) {
        struct synth_corridor *corridor = &synth->corridors[synth->corridor_count];
        uint32_t count = CORRIDOR_READERS_MIN +
                         synth_below(dice, CORRIDOR_READERS_MAX - CORRIDOR_READERS_MIN + 1);

        if (count > fixed_count - done)
            count = fixed_count - done;
        corridor->metro = metro_index;
        place_corridor(synth, metro, posts + done, count, radius_m, dice);
        for (uint32_t i = done; i < done + count; i++) {
            posts[i].corridor = synth->corridor_count;
            corridor->weight += posts[i].weight;
        }
        done += count;
        synth->corridor_count++;
    }
    metro->corridor_count = synth->corridor_count - metro->first_corridor;

    for (uint32_t i = fixed_count; i < metro->reader_count; i++) {
        const struct synth_post *near = &posts[synth_below(dice, fixed_count)];

        posts[i].corridor = near->corridor;
        posts[i].lat_e7 = near->lat_e7;
        posts[i].lon_e7 = near->lon_e7;
    }
}

static uint8_t
state_of_city(const struct synth_city *city)
{
    uint8_t state = 0;

    while (memcmp(synth_states[state].code, city->state, 2) != 0)
        state++;
    return state;
}

static void
build_metro(struct pb_synth *synth, const struct synth_city *city, uint32_t metro_index,
            uint32_t mobile_count, struct numbering *numbering)
{
    struct synth_metro *metro = &synth->metros[metro_index];
    struct synth_dice dice = { synth_hash(synth->key, 2000 + metro_index) };

    metro->lat_e7 = city->lat_e4 * 1000;
    metro->lon_e7 = city->lon_e4 * 1000;
    metro->zone = city->zone;
    metro->state = state_of_city(city);

    numbering->left = 0;
    for (uint32_t i = 0; i < metro->reader_count; i++) {
        uint32_t index = metro->first_reader + i;
        struct synth_post *post = &synth->posts[index];

        post->zone = metro->zone;
        post->is_mobile = i >= metro->reader_count - mobile_count;
        equip_post(post, &dice);
        name_post(synth, post, index, metro->state, numbering, &dice);
    }
    build_corridors(synth, metro, metro_index, city->thousands, &dice);
}

/* Readers stand where vehicles are: a state's cities share its registrations by their people. */
static void
weigh_cities(const struct synth_city *cities, uint32_t count, uint64_t *ret_weights)
{
    uint64_t people[SYNTH_STATES] = { 0 };

    for (uint32_t i = 0; i < count; i++)
        people[state_of_city(&cities[i])] += cities[i].thousands;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t state = state_of_city(&cities[i]);

        ret_weights[i] =
            cities[i].thousands * UINT64_C(1000) * synth_states[state].share / people[state];
    }
}

/* Makes the metros of cities with their share of the readers; a city without any is left out. */
static void
build_metros(struct pb_synth *synth, const struct synth_city *cities, uint32_t city_count,
             const uint64_t *weights)
{
    uint64_t mobile_permille = synth->is_town ? TOWN_MOBILE_PERMILLE : MOBILE_PERMILLE;
    struct numbering numbering = { .town = synth->is_town ? synth->post_count * 2 / 3 : 0 };
    uint64_t weight = 0, before = 0;
    uint32_t metro_index = 0, placed = 0;

    for (uint32_t i = 0; i < city_count; i++)
        weight += weights[i];
    for (uint32_t i = 0; i < city_count; i++) {
        struct synth_metro *metro = &synth->metros[metro_index];
        uint32_t end, mobile_count;

        before += weights[i];
        end = (uint32_t)(before * synth->post_count / weight);
        if (end == placed)
            continue;
        metro->first_reader = placed;
        metro->reader_count = end - placed;
        mobile_count = (uint32_t)(end * mobile_permille / 1000 - placed * mobile_permille / 1000);
        if (mobile_count >= metro->reader_count)
            mobile_count = metro->reader_count - 1;
        build_metro(synth, &cities[i], metro_index, mobile_count, &numbering);
        placed = end;
        metro_index++;
    }
    assert(placed == synth->post_count);
    synth->metro_count = metro_index;
}

static enum pb_status
build_places(struct pb_synth *synth)
{
    const struct synth_city *cities = synth->is_town ? &synth_town : synth_cities;
    uint32_t city_count = synth->is_town ? 1 : synth_city_count;
    uint64_t *weights = pb_calloc(synth->env, city_count, sizeof(*weights));
    enum pb_status status = PB_E_NOMEM;

    synth->metros = pb_calloc(synth->env, city_count, sizeof(synth->metros[0]));
    synth->corridors = pb_calloc(synth->env, synth->post_count, sizeof(synth->corridors[0]));
    synth->posts = pb_calloc(synth->env, synth->post_count, sizeof(synth->posts[0]));
    synth->ids = pb_calloc(synth->env, synth->post_count, READER_ID_BYTES);
    if (weights == NULL || synth->metros == NULL || synth->corridors == NULL ||
        synth->posts == NULL || synth->ids == NULL)
        goto out;
    weigh_cities(cities, city_count, weights);
    build_metros(synth, cities, city_count, weights);
    status = PB_OK;

out:
    pb_free(synth->env, weights);
    return status;
}

/* ---- vehicles ---- */

static uint32_t
at_least(uint64_t value, uint32_t least)
{
    return value < least ? least : (uint32_t)value;
}

/* Shares out vehicle numbers: those seen once first, then metro by metro. */
static void
settle_vehicles(struct pb_synth *synth, uint32_t days)
{
    uint64_t working_days = days * UINT64_C(5) / 7 + 1;
    uint64_t commuters = synth->reads * COMMUTER_READS_PERMILLE /
                         (COMMUTER_READS_A_DAY_PERMILLE * working_days);
    uint64_t residents = synth->reads * RESIDENTS_PER_MILLION / 1000000;
    uint64_t fleet = synth->reads * FLEET_READS_PERMILLE / (1000 * FLEET_READS_A_DAY * days);
    uint64_t next = synth->reads / THROUGH_READS + 1;
    uint64_t weight = 0;

    synth->first_yard = next;
    next += (uint64_t)synth->post_count * YARD_VEHICLES;
    for (uint32_t i = 0; i < synth->corridor_count; i++)
        weight += synth->corridors[i].weight;
    for (uint32_t i = 0; i < synth->metro_count; i++) {
        struct synth_metro *metro = &synth->metros[i];
        uint64_t metro_weight = 0;

        for (uint32_t c = 0; c < metro->corridor_count; c++) {
            struct synth_corridor *corridor = &synth->corridors[metro->first_corridor + c];

            corridor->first_commuter = next;
            corridor->commuter_count = at_least(commuters * corridor->weight / weight, 4);
            next += corridor->commuter_count;
            metro_weight += corridor->weight;
        }
        metro->resident_blocks =
            at_least(residents * metro_weight / weight / metro->corridor_count, 8);
        metro->first_resident = next;
        next += (uint64_t)metro->resident_blocks * metro->corridor_count;
        metro->fleet_blocks = at_least(
            (fleet * metro_weight / weight + metro->corridor_count / 2) / metro->corridor_count,
            1);
        metro->first_fleet = next;
        next += (uint64_t)metro->fleet_blocks * metro->corridor_count;
    }
}

/* ---- choosing readers ---- */

/* Turns so many that draws of one turn are `seconds` apart in the busiest hour, where each turn
 * lasts `reads` reads. A power of two. */
static uint32_t
turns_needed(const struct pb_synth *synth, uint64_t seconds, uint64_t reads)
{
    uint64_t busiest = 0;
    uint32_t turns = 1;

    for (uint32_t i = 0; i < synth->hour_count; i++) {
        uint64_t count = synth->hours[i + 1].first - synth->hours[i].first;

        if (count > busiest)
            busiest = count;
    }
    while (turns < TURNS_MAX && turns * reads * 3600 < busiest * seconds)
        turns *= 2;
    return turns;
}

/* Lists the readers of one kind and zone; returns how many. */
static uint32_t
list_posts(const struct pb_synth *synth, uint32_t zone, bool is_mobile, uint32_t *ret_posts)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < synth->post_count; i++)
        if (synth->posts[i].zone == zone && synth->posts[i].is_mobile == is_mobile)
            ret_posts[count++] = i;
    return count;
}

/* Room to build runs in: post_count elements each. */
struct run_room {
    uint32_t *posts;
    uint32_t *weights;
    uint64_t *scratch; /* twice as many */
};

/* Makes the runs of one zone, whose readers are room->posts, behind the first *next columns. */
static void
build_runs_of(struct pb_synth *synth, uint32_t count, uint32_t turns, struct synth_run *runs,
              struct run_room *room, uint32_t *next)
{
    uint32_t turns_here = 1;

    if (count == 0)
        return;
    /* A zone with fewer readers than turns comes round sooner. */
    while (turns_here < turns && turns_here * 2 <= count)
        turns_here *= 2;
    for (uint32_t turn = 0; turn < turns_here; turn++) {
        struct synth_run *run = &runs[turn];

        *run = (struct synth_run){ .first = *next };
        for (uint32_t i = turn; i < count; i += turns_here) {
            room->weights[run->count++] = synth->posts[room->posts[i]].weight;
            synth->run_posts[(*next)++] = room->posts[i];
        }
        synth_columns_build(room->weights, run->count, synth->run_columns + run->first,
                            room->scratch);
    }
    for (uint32_t turn = turns_here; turn < turns; turn++)
        runs[turn] = runs[turn & (turns_here - 1)];
}

static enum pb_status
build_runs(struct pb_synth *synth)
{
    const struct pb_env *env = synth->env;
    uint32_t count = synth->post_count, next = 0;
    struct run_room room = {
        .posts = pb_calloc(env, count, sizeof(*room.posts)),
        .weights = pb_calloc(env, count, sizeof(*room.weights)),
        .scratch = pb_calloc(env, count, 2 * sizeof(*room.scratch)),
    };
    enum pb_status status = PB_E_NOMEM;

    synth->fixed_turns = turns_needed(synth, FIXED_APART_S, 1);
    synth->burst_turns = turns_needed(synth, BURSTS_APART_S * BURSTS_MAX, CELL_READS);
    synth->fixed_runs =
        pb_calloc(env, (size_t)synth->fixed_turns * SYNTH_ZONES, sizeof(synth->fixed_runs[0]));
    synth->burst_runs =
        pb_calloc(env, (size_t)synth->burst_turns * SYNTH_ZONES, sizeof(synth->burst_runs[0]));
    synth->run_posts = pb_calloc(env, count, sizeof(synth->run_posts[0]));
    synth->run_columns = pb_calloc(env, count, sizeof(synth->run_columns[0]));
    if (room.posts == NULL || room.weights == NULL || room.scratch == NULL ||
        synth->fixed_runs == NULL || synth->burst_runs == NULL || synth->run_posts == NULL ||
        synth->run_columns == NULL)
        goto out;

    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++) {
        count = list_posts(synth, zone, false, room.posts);
        build_runs_of(synth, count, synth->fixed_turns,
                      synth->fixed_runs + (size_t)zone * synth->fixed_turns, &room, &next);
        count = list_posts(synth, zone, true, room.posts);
        build_runs_of(synth, count, synth->burst_turns,
                      synth->burst_runs + (size_t)zone * synth->burst_turns, &room, &next);
    }
    assert(next == synth->post_count);
    status = PB_OK;

out:
    pb_free(env, room.posts);
    pb_free(env, room.weights);
    pb_free(env, room.scratch);
    return status;
}

/* ---- vehicles' looks ---- */

static enum pb_status
build_looks(struct pb_synth *synth)
{
    uint32_t weights[128];
    uint64_t scratch[256];
    uint32_t models = synth_model_count, fleet_models = synth_fleet_model_count;

    assert(models <= 128 && synth_color_count <= 128);
    synth->model_columns =
        pb_calloc(synth->env, models + fleet_models, sizeof(synth->model_columns[0]));
    synth->color_columns =
        pb_calloc(synth->env, synth_color_count, sizeof(synth->color_columns[0]));
    if (synth->model_columns == NULL || synth->color_columns == NULL)
        return PB_E_NOMEM;

    for (uint32_t i = 0; i < models; i++)
        weights[i] = synth_models[i].weight;
    synth_columns_build(weights, models, synth->model_columns, scratch);
    synth_columns_build(weights + models - fleet_models, fleet_models,
                        synth->model_columns + models, scratch);
    for (uint32_t i = 0; i < synth_color_count; i++)
        weights[i] = synth_colors[i].weight;
    synth_columns_build(weights, synth_color_count, synth->color_columns, scratch);
    return PB_OK;
}

enum pb_status
synth_world_build(struct pb_synth *synth, uint32_t days)
{
    enum pb_status status;

    synth_states_init(synth);
    status = build_places(synth);
    if (status != PB_OK)
        return status;
    status = synth_hours_build(synth, days);
    if (status != PB_OK)
        return status;
    settle_vehicles(synth, days);
    status = build_runs(synth);
    if (status != PB_OK)
        return status;
    return build_looks(synth);
}
