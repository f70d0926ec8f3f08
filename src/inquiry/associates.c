/*
 * Associates: plates seen beside a plate, and how likely traffic alone explains it.
 *
 * For each sighting of the plate the reads of the same reader within a few minutes are looked up by
 * place. Plates seen so at least twice are judged: their own reads at the same readers and times
 * of day tell how often they would have been there anyway. Formula and bounds:
 * docs/internals/associates.md.
 */
#include <math.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define TOGETHER_US (2 * PB_MINUTE_US) /* where none is asked for */
#define TOGETHER_MIN 2u
#define SIGHTINGS_MAX 1000u /* newest first */
#define CANDIDATES_MAX 256u /* that are judged, those most often together first */
#define HISTORY_MAX 4000u   /* reads of a candidate that are looked at */
#define TRIP_GAP_US PB_HOUR_US
#define FIXED_RADIUS_M 60.0
#define MOBILE_RADIUS_M 250.0
#define BUCKETS 144u /* of ten minutes, in a day */
#define BUCKET_US (10 * PB_MINUTE_US)
#define BUCKETS_BESIDE 3u /* on either side: 70 minutes in all */
#define BUCKETS_NEAR (2 * BUCKETS_BESIDE + 1)
#define READERS_SAMPLED_MAX 64u
#define SAMPLES 6u /* days on which a reader is looked at */

/* One sighting: reads of one reader that lie close together count as one. */
struct sighting {
    uint32_t reader; /* of the view */
    uint32_t slot;   /* number of the reader among the subject's */
    uint32_t trip;
    int64_t from_us, to_us; /* first and last read */
    int32_t lat_e7, lon_e7;
};

/* How often a reader reads anything where and when it read the subject. */
struct activity {
    uint32_t sightings; /* of the subject */
    double share;       /* of ten-minute stretches in which it did; 1: always */
};

struct associates {
    struct pb_question *question;
    int64_t together_us;
    uint32_t together_min;
    struct sighting *sightings; /* owned: newest first */
    uint32_t count;
    uint32_t *slot_of_reader; /* owned: one per reader of the view: slot + 1, or 0 */
    uint32_t slot_count;
    struct activity *activities; /* owned: one per slot */
    uint16_t *buckets;           /* owned: slot_count times BUCKETS, of one candidate */
    struct pb_tally tally;       /* plates beside */
};

/* ---- sightings ---- */

static bool
extends(const struct associates *associates, const struct sighting *newer,
        const struct pb_read *read, uint32_t reader)
{
    return newer->reader == reader &&
           newer->from_us - read->captured_at_us <= associates->together_us;
}

static void
add_sighting(struct associates *associates, const struct pb_read *read, uint32_t reader)
{
    struct sighting *newer =
        associates->count == 0 ? NULL : &associates->sightings[associates->count - 1];
    struct sighting *sighting = NULL;

    if (newer != NULL && extends(associates, newer, read, reader)) {
        newer->from_us = read->captured_at_us;
        return;
    }
    if (associates->slot_of_reader[reader] == 0)
        associates->slot_of_reader[reader] = ++associates->slot_count;
    sighting = &associates->sightings[associates->count++];
    *sighting = (struct sighting){ .reader = reader,
                                   .slot = associates->slot_of_reader[reader] - 1,
                                   .from_us = read->captured_at_us,
                                   .to_us = read->captured_at_us,
                                   .lat_e7 = read->lat_e7,
                                   .lon_e7 = read->lon_e7 };
    if (newer != NULL)
        sighting->trip =
            newer->trip + (newer->from_us - read->captured_at_us > TRIP_GAP_US ? 1 : 0);
}

static enum pb_status
find_sightings(struct associates *associates, struct pb_error *error)
{
    struct pb_question *question = associates->question;
    struct pb_query query = question->inquiry->query;
    struct pb_cursor *cursor = NULL;
    enum pb_status status = PB_OK;

    if (!pb_question_window(question, NULL, &query.from_us, &query.to_us))
        return PB_OK;
    query.without_alternates = true;
    status = pb_store_search(question->site->store, &query, &cursor, error);
    while (status == PB_OK && associates->count < SIGHTINGS_MAX) {
        struct pb_result result;
        uint32_t reader = 0;

        status = pb_cursor_next(cursor, &result, error);
        /* Where there is no position the store cannot look beside. */
        if (status == PB_OK && result.read.lat_e7 != PB_NO_POSITION &&
            pb_sieve_admits(&question->sieve, &result.read, &reader)) {
            add_sighting(associates, &result.read, reader);
            question->reads_by_agency[question->facts->view->readers[reader].agency]++;
        }
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

/* ---- beside ---- */

static bool
is_subject(const struct associates *associates, const struct pb_read *read)
{
    return pb_str_equal(read->plate, associates->question->plate);
}

static void
count_together(struct associates *associates, uint32_t index, uint32_t number)
{
    struct pb_tally_plate *plate = &associates->tally.plates[index];
    uint32_t trip = associates->sightings[number].trip;

    if (plate->last_sighting == number + 1)
        return;
    if (plate->last_sighting == 0 || associates->sightings[plate->last_sighting - 1].trip != trip)
        plate->trips++;
    plate->together++;
    plate->last_sighting = number + 1;
}

/* Starts a question for what a sighting's reader read near where it read the subject. The caller
 * frees ret_area after the cursor. */
static enum pb_status
search_near(const struct associates *associates, const struct sighting *sighting, int64_t from_us,
            int64_t to_us, struct pb_geo_area **ret_area, struct pb_cursor **ret_cursor,
            struct pb_error *error)
{
    struct pb_site *site = associates->question->site;
    const struct pb_reader_entry *reader =
        &associates->question->facts->view->readers[sighting->reader];
    bool is_fixed = pb_str_equal(reader->kind, pb_str_from("fixed"));
    struct pb_query query = { .reader = reader->id,
                              .from_us = from_us,
                              .to_us = to_us,
                              .on_damage = associates->question->inquiry->query.on_damage,
                              .damage_context =
                                  associates->question->inquiry->query.damage_context };
    enum pb_status status =
        pb_geo_area_from_circle(site->env, sighting->lat_e7, sighting->lon_e7,
                                is_fixed ? FIXED_RADIUS_M : MOBILE_RADIUS_M, ret_area, error);

    query.area = *ret_area;
    return status == PB_OK ? pb_store_search(site->store, &query, ret_cursor, error) : status;
}

static enum pb_status
look_beside(struct associates *associates, uint32_t number, struct pb_error *error)
{
    struct pb_question *question = associates->question;
    const struct pb_catalog_view *view = question->facts->view;
    const struct sighting *sighting = &associates->sightings[number];
    struct pb_geo_area *area = NULL;
    struct pb_cursor *cursor = NULL;
    enum pb_status status =
        search_near(associates, sighting, sighting->from_us - associates->together_us,
                    sighting->to_us + associates->together_us + 1, &area, &cursor, error);

    while (status == PB_OK) {
        struct pb_result result;
        uint32_t found = 0;
        uint32_t plate = 0;

        status = pb_cursor_next(cursor, &result, error);
        if (status != PB_OK || is_subject(associates, &result.read) ||
            !pb_sieve_admits(&question->sieve, &result.read, &found))
            continue;
        status = pb_tally_add(&associates->tally, &result.read, view->readers[found].agency, &plate,
                              error);
        if (status == PB_OK)
            count_together(associates, plate, number);
    }
    pb_cursor_free(cursor);
    pb_geo_area_free(question->site->env, area);
    return status == PB_END ? PB_OK : status;
}

/* ---- how active readers are ---- */

static double
span_days(const struct associates *associates)
{
    const struct sighting *sightings = associates->sightings;

    return 1.0 +
           (double)((sightings[0].to_us - sightings[associates->count - 1].from_us) / PB_DAY_US);
}

/* Whether the sighting's reader read anything there in the ten minutes around a moment. */
static enum pb_status
is_active(const struct associates *associates, const struct sighting *sighting, int64_t at_us,
          bool *ret_is_active, struct pb_error *error)
{
    struct pb_geo_area *area = NULL;
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint32_t reader = 0;
    enum pb_status status = search_near(associates, sighting, at_us - BUCKET_US / 2,
                                        at_us + BUCKET_US / 2, &area, &cursor, error);

    *ret_is_active = false;
    while (status == PB_OK && !*ret_is_active) {
        status = pb_cursor_next(cursor, &result, error);
        *ret_is_active =
            status == PB_OK && pb_sieve_admits(&associates->question->sieve, &result.read, &reader);
    }
    pb_cursor_free(cursor);
    pb_geo_area_free(associates->question->site->env, area);
    return status == PB_END ? PB_OK : status;
}

/* Looks at a reader at the sighting's time of day, on days spread evenly over the whole span. */
static enum pb_status
sample_reader(struct associates *associates, const struct sighting *sighting,
              struct activity *activity, struct pb_error *error)
{
    const struct sighting *oldest = &associates->sightings[associates->count - 1];
    int64_t days = (int64_t)span_days(associates);
    int64_t day = (sighting->to_us - oldest->from_us) / PB_DAY_US;
    uint32_t looked = 0;
    uint32_t active = 0;
    enum pb_status status = PB_OK;

    for (uint32_t i = 1; i <= SAMPLES && status == PB_OK; i++) {
        int64_t other = (day + days * i / (SAMPLES + 1)) % days;
        bool was_active = false;

        if (other == day)
            continue;
        status = is_active(associates, sighting, sighting->to_us + (other - day) * PB_DAY_US,
                           &was_active, error);
        looked++;
        active += was_active;
    }
    activity->share = looked == 0 ? 1.0 : (double)active / looked;
    return status;
}

static enum pb_status
sample_readers(struct associates *associates, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < associates->count && status == PB_OK; i++) {
        const struct sighting *sighting = &associates->sightings[i];
        struct activity *activity = &associates->activities[sighting->slot];

        if (activity->sightings++ > 0)
            continue;
        activity->share = 1.0;
        if (sighting->slot < READERS_SAMPLED_MAX)
            status = sample_reader(associates, sighting, activity, error);
    }
    return status;
}

/* ---- chance ---- */

static uint32_t
bucket_of(int64_t captured_us)
{
    return (uint32_t)(captured_us % PB_DAY_US / BUCKET_US);
}

/* Counts a candidate's reads at the subject's readers by time of day. */
static enum pb_status
count_history(struct associates *associates, const struct pb_tally_plate *plate,
              struct pb_error *error)
{
    struct pb_question *question = associates->question;
    const struct sighting *sightings = associates->sightings;
    struct pb_query query = {
        .plate = { plate->text, plate->bytes },
        .jurisdiction = plate->jurisdiction,
        .without_alternates = true,
        .from_us = sightings[associates->count - 1].from_us - PB_DAY_US / 2,
        .to_us = sightings[0].to_us + PB_DAY_US / 2,
        .on_damage = question->inquiry->query.on_damage,
        .damage_context = question->inquiry->query.damage_context,
    };
    struct pb_cursor *cursor = NULL;
    enum pb_status status = PB_OK;

    memset(associates->buckets, 0, associates->slot_count * BUCKETS * sizeof(*associates->buckets));
    status = pb_store_search(question->site->store, &query, &cursor, error);
    for (uint32_t i = 0; i < HISTORY_MAX && status == PB_OK; i++) {
        struct pb_result result;
        uint32_t reader = 0;
        uint32_t slot = 0;
        uint16_t *bucket = NULL;

        status = pb_cursor_next(cursor, &result, error);
        if (status != PB_OK || result.read.jurisdiction != plate->jurisdiction ||
            !pb_sieve_admits(&question->sieve, &result.read, &reader))
            continue;
        slot = associates->slot_of_reader[reader];
        if (slot == 0)
            continue;
        bucket = &associates->buckets[(slot - 1) * BUCKETS + bucket_of(result.read.captured_at_us)];
        *bucket = (uint16_t)(*bucket + (*bucket < UINT16_MAX));
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

/* How often the candidate passed the sighting's reader near its time of day. */
static uint32_t
passes_near(const struct associates *associates, const struct sighting *sighting)
{
    const uint16_t *buckets = &associates->buckets[sighting->slot * BUCKETS];
    uint32_t middle = bucket_of(sighting->to_us);
    uint32_t passes = 0;

    for (uint32_t i = 0; i <= 2 * BUCKETS_BESIDE; i++)
        passes += buckets[(middle + BUCKETS + i - BUCKETS_BESIDE) % BUCKETS];
    return passes;
}

static double
least(double a, double b)
{
    return a < b ? a : b;
}

static double
greatest(double a, double b)
{
    return a > b ? a : b;
}

/* Chance that the candidate is read beside one sighting if the two know nothing of each other. */
static double
chance_beside(const struct associates *associates, const struct sighting *sighting, double days)
{
    const struct activity *activity = &associates->activities[sighting->slot];
    double passes = passes_near(associates, sighting);
    /* Stretches of ten minutes near that time of day in which the reader read anything. */
    double stretches =
        greatest(activity->share * BUCKETS_NEAR * days, greatest(activity->sightings, passes));
    double width = (double)(sighting->to_us - sighting->from_us + 2 * associates->together_us) /
                   (double)BUCKET_US;
    /* A reader that seldom reads, such as a patrol car's, reads in bursts. */
    double share = least(1.0, width / greatest(activity->share, 1e-9));

    return 1.0 - exp(-(passes + 0.5) / (stretches + 1.0) * share);
}

/* log10 of the chance of count or more where mean are expected (Poisson). */
static double
log10_tail(uint32_t count, double mean)
{
    double log_term = -mean + count * log(mean);
    double sum = 1.0;
    double ratio = 1.0;

    if (count == 0 || mean >= count)
        return 0.0;
    for (uint32_t i = 2; i <= count; i++)
        log_term -= log(i);
    for (uint32_t i = count + 1; ratio > 1e-12 && i < count + 1000; i++) {
        ratio *= mean / i;
        sum += ratio;
    }
    return (log_term + log(sum)) / log(10.0);
}

static void
judge(struct associates *associates, struct pb_tally_plate *plate)
{
    const struct sighting *sightings = associates->sightings;
    double days = span_days(associates);
    double trips = 0.0;
    double missed = 1.0; /* chance of no read beside in the trip at hand */
    double log10_chance = 0.0;

    for (uint32_t i = 0; i < associates->count; i++) {
        double chance = chance_beside(associates, &sightings[i], days);

        plate->expected += chance;
        missed *= 1.0 - chance;
        if (i + 1 == associates->count || sightings[i + 1].trip != sightings[i].trip) {
            trips += 1.0 - missed;
            missed = 1.0;
        }
    }
    /* So many plates were beside that some would be there twice by chance: count them all. */
    log10_chance = log10_tail(plate->trips, trips) + log10(associates->tally.plate_count);
    plate->score = log10_chance < 0.0 ? -log10_chance : 0.0;
}

/* ---- order ---- */

static int
compare_together(const struct pb_tally_plate *a, const struct pb_tally_plate *b)
{
    if (a->trips != b->trips)
        return a->trips > b->trips ? -1 : 1;
    if (a->together != b->together)
        return a->together > b->together ? -1 : 1;
    return pb_tally_compare_plates(a, b);
}

static int
compare_scores(const struct pb_tally_plate *a, const struct pb_tally_plate *b)
{
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return compare_together(a, b);
}

static bool
is_judged(const struct pb_tally_plate *plate)
{
    return plate->expected > 0.0;
}

static enum pb_status
judge_candidates(struct associates *associates, struct pb_error *error)
{
    struct pb_tally *tally = &associates->tally;
    uint32_t *order = NULL;
    uint32_t count = 0;
    uint32_t judged = 0;
    enum pb_status status = pb_tally_order(tally, NULL, compare_together, &order, &count);

    for (uint32_t i = 0; i < count && judged < CANDIDATES_MAX && status == PB_OK; i++) {
        struct pb_tally_plate *plate = &tally->plates[order[i]];

        if (plate->together < associates->together_min)
            continue;
        status = count_history(associates, plate, error);
        if (status == PB_OK)
            judge(associates, plate);
        judged++;
    }
    pb_free(tally->env, order);
    return status;
}

static enum pb_status
give(struct associates *associates, struct pb_error *error)
{
    uint32_t *order = NULL;
    uint32_t count = 0;
    enum pb_status status =
        pb_tally_order(&associates->tally, is_judged, compare_scores, &order, &count);

    if (status == PB_OK)
        status =
            pb_question_give_plates(associates->question, &associates->tally, order, count, error);
    pb_free(associates->tally.env, order);
    return status;
}

static enum pb_status
find_associates(struct associates *associates, struct pb_error *error)
{
    const struct pb_env *env = associates->question->site->env;
    enum pb_status status = find_sightings(associates, error);

    for (uint32_t i = 0; i < associates->count && status == PB_OK; i++)
        status = look_beside(associates, i, error);
    if (status != PB_OK || associates->count == 0)
        return status;
    associates->buckets =
        pb_calloc(env, associates->slot_count, BUCKETS * sizeof(*associates->buckets));
    associates->activities =
        pb_calloc(env, associates->slot_count, sizeof(*associates->activities));
    if (associates->buckets == NULL || associates->activities == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to judge associates");
    status = sample_readers(associates, error);
    if (status == PB_OK)
        status = judge_candidates(associates, error);
    return status == PB_OK ? give(associates, error) : status;
}

enum pb_status
pb_question_associates(struct pb_question *question, struct pb_error *error)
{
    const struct pb_env *env = question->site->env;
    const struct pb_inquiry *inquiry = question->inquiry;
    struct associates associates = {
        .question = question,
        .together_us = inquiry->together_us > 0 ? inquiry->together_us : TOGETHER_US,
        .together_min = inquiry->together_min > 0 ? inquiry->together_min : TOGETHER_MIN,
    };
    enum pb_status status = PB_OK;

    pb_tally_init(&associates.tally, env);
    associates.sightings = pb_calloc(env, SIGHTINGS_MAX, sizeof(*associates.sightings));
    associates.slot_of_reader = pb_calloc(env, question->facts->view->reader_count + 1u,
                                          sizeof(*associates.slot_of_reader));
    if (associates.sightings == NULL || associates.slot_of_reader == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory to find associates");
    if (status == PB_OK)
        status = find_associates(&associates, error);
    pb_free(env, associates.buckets);
    pb_free(env, associates.activities);
    pb_free(env, associates.slot_of_reader);
    pb_free(env, associates.sightings);
    pb_tally_done(&associates.tally);
    return status;
}
