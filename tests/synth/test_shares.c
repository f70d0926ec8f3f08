/*
 * The synthetic feed against the figures that it follows: docs/formats/synthetic-feed.md.
 * Bounds are wide enough for any seed and narrow enough to notice a lost habit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/time.h"
#include "synth/facts.h"
#include "synth/synth.h"

#define READS 300000u

struct seen {
    struct pb_read read;
    struct pb_synth_truth truth;
};

/* One feed for all tests: reads with what they were of. */
struct feed {
    struct pb_synth *synth;
    struct pb_arena arena;
    struct pb_read *reads;
    struct pb_synth_truth *truths;
};

static int
make_feed(void **state)
{
    struct pb_synth_options options = { .seed = 20, .reads = READS, .with_alternates = true };
    struct feed *feed = calloc(1, sizeof(*feed));

    assert_non_null(feed);
    assert_int_equal(PB_OK, pb_synth_new(pb_env_system(), &options, &feed->synth, NULL));
    pb_arena_init(&feed->arena, pb_env_system(), 1u << 20);
    feed->reads = calloc(READS, sizeof(*feed->reads));
    feed->truths = calloc(READS, sizeof(*feed->truths));
    assert_non_null(feed->reads);
    assert_non_null(feed->truths);
    assert_int_equal(PB_OK, pb_synth_fill(feed->synth, 0, READS, feed->reads, &feed->arena));
    for (uint32_t i = 0; i < READS; i++)
        pb_synth_truth_at(feed->synth, i, &feed->truths[i]);
    *state = feed;
    return 0;
}

static int
free_feed(void **state)
{
    struct feed *feed = *state;

    pb_synth_free(feed->synth);
    pb_arena_clear(&feed->arena);
    free(feed->reads);
    free(feed->truths);
    free(feed);
    return 0;
}

static bool
is_mobile(const struct pb_read *read)
{
    return memcmp(read->reader.text + 7, "-car", 4) == 0;
}

/* Fails unless part is from low to high thousandths of whole. */
static void
assert_permille(const char *what, uint64_t part, uint64_t whole, uint64_t low, uint64_t high)
{
    uint64_t permille = whole == 0 ? 0 : part * 1000 / whole;

    if (permille < low || permille > high)
        fail_msg("%s: %llu permille, not %llu to %llu", what, (unsigned long long)permille,
                 (unsigned long long)low, (unsigned long long)high);
}

static void
readers_give_what_their_kind_gives(void **state)
{
    const struct feed *feed = *state;
    uint64_t mobile = 0, milliseconds = 0, looks = 0, speed = 0, no_position = 0, heading = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];

        mobile += is_mobile(read) ? 1u : 0u;
        milliseconds += read->captured_at_us % PB_SECOND_US != 0 ? 1u : 0u;
        looks += read->color.bytes > 0 ? 1u : 0u;
        speed += read->speed_ckmh != PB_NO_SPEED ? 1u : 0u;
        heading += read->heading_cdeg != PB_NO_HEADING ? 1u : 0u;
        no_position += read->lat_e7 == PB_NO_POSITION ? 1u : 0u;
        assert_int_equal(0, read->captured_at_us % 1000);
        assert_true(!is_mobile(read) || read->speed_ckmh == PB_NO_SPEED);
    }
    assert_permille("reads of mobile readers", mobile, READS, 125, 175);
    assert_permille("times with milliseconds", milliseconds, READS, 700, 870);
    assert_permille("reads with looks", looks, READS, 500, 700);
    assert_permille("speed where fixed", speed, READS - mobile, 300, 500);
    assert_permille("with heading", heading, READS, 800, 950);
    assert_permille("mobile without position", no_position, mobile, 30, 50);
}

static void
misreads_and_states_err_as_often_as_assumed(void **state)
{
    const struct feed *feed = *state;
    uint64_t misread = 0, shorter = 0, longer = 0, absent = 0, wrong = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];
        const struct pb_synth_truth *truth = &feed->truths[i];
        bool is_equal = read->plate.bytes == truth->plate_bytes &&
                        memcmp(read->plate.text, truth->plate, truth->plate_bytes) == 0;

        assert_true(is_equal == !truth->is_misread);
        misread += truth->is_misread ? 1u : 0u;
        shorter += read->plate.bytes < truth->plate_bytes ? 1u : 0u;
        longer += read->plate.bytes > truth->plate_bytes ? 1u : 0u;
        absent += read->jurisdiction == 0 ? 1u : 0u;
        wrong += read->jurisdiction != 0 && read->jurisdiction != truth->jurisdiction ? 1u : 0u;
    }
    assert_permille("misread", misread, READS, 15, 28);
    assert_permille("misread and shorter", shorter, misread, 400, 600);
    assert_permille("misread and longer", longer, misread, 80, 220);
    assert_permille("state absent", absent, READS, 25, 35);
    assert_permille("state wrong", wrong, READS, 15, 25);
}

static void
confidence_rises_with_being_right(void **state)
{
    const struct feed *feed = *state;
    uint64_t right[3][10] = { { 0 } }, all[3][10] = { { 0 } };

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];
        unsigned scale = (unsigned)read->confidence_scale;
        int permille = pb_read_confidence_permille(read);
        /* Quarters between the least and the most that this scale's readers give. */
        int least = scale == PB_SCALE_UNIT ? 450 : 730, most = scale == PB_SCALE_UNIT ? 1000 : 950;
        int bin = (permille - least) * 4 / (most - least);

        assert_true(scale == PB_SCALE_UNIT || scale == PB_SCALE_PERCENT);
        assert_in_range(bin, 0, 3);
        all[scale][bin]++;
        right[scale][bin] += feed->truths[i].is_misread ? 0u : 1u;
    }
    for (unsigned scale = PB_SCALE_UNIT; scale <= PB_SCALE_PERCENT; scale++) {
        assert_true(all[scale][0] > 100 && all[scale][3] > 10000);
        for (unsigned bin = 1; bin < 4; bin++)
            assert_true(right[scale][bin] * all[scale][bin - 1] >
                        right[scale][bin - 1] * all[scale][bin]);
        assert_permille("right where least sure", right[scale][0], all[scale][0], 0, 500);
        assert_permille("right where most sure", right[scale][3], all[scale][3], 985, 1000);
    }
}

static void
alternates_hold_the_truth_of_most_misreads(void **state)
{
    const struct feed *feed = *state;
    uint64_t misread = 0, found = 0, with_alternates = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];
        const struct pb_synth_truth *truth = &feed->truths[i];
        uint32_t last = read->confidence_e6;

        with_alternates += read->alternate_count > 0 ? 1u : 0u;
        if (truth->is_misread && read->alternate_count > 0)
            misread++;
        for (uint32_t k = 0; k < read->alternate_count; k++) {
            struct pb_str plate = read->alternates[k].plate;

            assert_true(read->alternates[k].confidence_e6 <= last);
            last = read->alternates[k].confidence_e6;
            assert_false(plate.bytes == read->plate.bytes &&
                         memcmp(plate.text, read->plate.text, plate.bytes) == 0);
            if (truth->is_misread && plate.bytes == truth->plate_bytes &&
                memcmp(plate.text, truth->plate, plate.bytes) == 0)
                found++;
        }
    }
    assert_permille("reads with alternates", with_alternates, READS, 300, 500);
    assert_permille("misreads with the truth", found, misread, 480, 660);
}

/* ---- plates ---- */

static bool
fits(const char *pattern, size_t length, const struct pb_synth_truth *truth)
{
    if (pattern[0] == '#') {
        for (uint32_t i = 0; i < truth->plate_bytes; i++)
            if (truth->plate[i] < '0' || truth->plate[i] > '9')
                return false;
        return truth->plate_bytes >= 1 && truth->plate_bytes <= 6 && truth->plate[0] != '0';
    }
    if (length != truth->plate_bytes)
        return false;
    for (size_t i = 0; i < length; i++) {
        char character = truth->plate[i];
        bool is_letter = character >= 'A' && character <= 'Z';
        bool is_digit = character >= '0' && character <= '9';

        if (pattern[i] == 'A' ? !is_letter : !is_digit)
            return false;
    }
    return true;
}

static bool
fits_state(const char *code, const struct pb_synth_truth *truth)
{
    const char *patterns = "";

    for (size_t i = 0; i < SYNTH_STATES; i++)
        if (memcmp(synth_states[i].code, code, 2) == 0)
            patterns = synth_states[i].patterns;
    while (*patterns != '\0') {
        size_t length = strcspn(patterns, ";");

        if (fits(patterns, length, truth))
            return true;
        patterns += length + (patterns[length] == ';');
    }
    return false;
}

static void
plates_fit_the_patterns_of_their_states(void **state)
{
    const struct feed *feed = *state;
    uint64_t vanity = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_synth_truth *truth = &feed->truths[i];
        const char *name = pb_jurisdiction_name(truth->jurisdiction);

        assert_int_equal(5, strlen(name));
        vanity += truth->is_vanity ? 1u : 0u;
        if (!truth->is_vanity && !fits_state(name + 3, truth))
            fail_msg("%.*s is no plate of %s", (int)truth->plate_bytes, truth->plate, name);
    }
    assert_permille("vanity plates", vanity, READS, 25, 60);
}

/* Orders by state and plate, so that equal plates stand together. */
static int
compare_truths(const void *a, const void *b)
{
    const struct pb_synth_truth *first = a, *second = b;

    if (first->jurisdiction != second->jurisdiction)
        return first->jurisdiction < second->jurisdiction ? -1 : 1;
    return strcmp(first->plate, second->plate); /* the rest of the room is 0 */
}

static struct pb_synth_truth *
sorted_truths(const struct feed *feed)
{
    struct pb_synth_truth *truths = calloc(READS, sizeof(*truths));

    assert_non_null(truths);
    memcpy(truths, feed->truths, READS * sizeof(*truths));
    qsort(truths, READS, sizeof(*truths), compare_truths);
    return truths;
}

static void
a_plate_of_a_state_is_of_one_vehicle(void **state)
{
    struct pb_synth_truth *truths = sorted_truths(*state);
    uint64_t shared = 0;

    for (uint32_t i = 1; i < READS; i++)
        if (compare_truths(&truths[i - 1], &truths[i]) == 0)
            shared += truths[i - 1].vehicle != truths[i].vehicle ? 1u : 0u;
    assert_int_equal(0, shared);
    free(truths);
}

static void
states_have_their_shares(void **state)
{
    /* More readers than such a feed has, so that no single one counts for much. */
    struct pb_synth_options options = { .seed = 21, .reads = 100000, .readers = 4000 };
    struct pb_synth *synth = NULL;
    uint64_t counts[SYNTH_STATES] = { 0 };

    (void)state;
    assert_int_equal(PB_OK, pb_synth_new(pb_env_system(), &options, &synth, NULL));
    for (uint32_t i = 0; i < options.reads; i++) {
        struct pb_synth_truth truth;
        const char *name;

        pb_synth_truth_at(synth, i, &truth);
        name = pb_jurisdiction_name(truth.jurisdiction);
        for (size_t k = 0; k < SYNTH_STATES; k++)
            counts[k] += memcmp(synth_states[k].code, name + 3, 2) == 0 ? 1u : 0u;
    }
    for (size_t k = 0; k < SYNTH_STATES; k++) {
        uint64_t expected = synth_states[k].share / 10u;

        assert_permille(synth_states[k].code, counts[k], options.reads,
                        expected < 10 ? 0 : expected * 3 / 4 - 3, expected * 5 / 4 + 6);
    }
    pb_synth_free(synth);
}

static void
many_plates_are_seen_once_and_few_very_often(void **state)
{
    struct pb_synth_truth *truths = sorted_truths(*state);
    uint64_t plates = 0, once = 0, often = 0, most = 0;

    for (uint32_t i = 0, next; i < READS; i = next) {
        next = i + 1;
        while (next < READS && compare_truths(&truths[i], &truths[next]) == 0)
            next++;
        plates++;
        once += next - i == 1 ? 1u : 0u;
        often += next - i > 10 ? 1u : 0u;
        if (next - i > most)
            most = next - i;
    }
    assert_permille("plates for each read", plates, READS, 100, 180);
    assert_permille("plates seen once", once, plates, 420, 680);
    assert_permille("plates seen more than ten times", often, plates, 80, 220);
    assert_in_range(most, 100, 1500);
    free(truths);
}

/* ---- habits ---- */

static void
fixed_readers_follow_the_traffic_of_their_own_hours(void **state)
{
    const struct feed *feed = *state;
    uint64_t hours[24] = { 0 }, all = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];
        int64_t local_us = read->captured_at_us + read->utc_offset_min * PB_MINUTE_US;

        if (read->utc_offset_min == PB_NO_UTC_OFFSET || is_mobile(read))
            continue;
        hours[local_us / PB_HOUR_US % 24]++;
        all++;
    }
    for (unsigned hour = 0; hour < 24; hour++) {
        uint64_t expected = synth_hours_fixed[hour] / 10;
        char what[32];

        snprintf(what, sizeof(what), "hour %u", hour);
        assert_permille(what, hours[hour], all, expected < 8 ? 0 : expected - 8, expected + 8);
    }
}

static void
commuters_keep_to_one_road_and_to_rush_hours(void **state)
{
    const struct feed *feed = *state;
    const struct pb_synth_truth *truths = feed->truths;
    uint64_t commuter = 0, through = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];
        int64_t hour;

        through += truths[i].class_of == PB_SYNTH_THROUGH ? 1u : 0u;
        if (truths[i].class_of != PB_SYNTH_COMMUTER)
            continue;
        commuter++;
        if (read->utc_offset_min == PB_NO_UTC_OFFSET)
            continue;
        hour = (read->captured_at_us + read->utc_offset_min * PB_MINUTE_US) / PB_HOUR_US % 24;
        /* The reader's second may round down across the hour. */
        assert_true((hour >= 5 && hour <= 10) || (hour >= 15 && hour <= 20));
    }
    assert_permille("commuters", commuter, READS, 100, 200);
    assert_permille("through traffic", through, READS, 55, 70);

    /* The first commuter of the feed, wherever it is seen: within a few kilometres. */
    for (uint32_t first = 0; first < READS; first++) {
        const struct pb_read *here = &feed->reads[first];

        if (truths[first].class_of != PB_SYNTH_COMMUTER)
            continue;
        for (uint32_t i = first; i < READS; i++)
            if (truths[i].vehicle == truths[first].vehicle) {
                assert_in_range(abs(feed->reads[i].lat_e7 - here->lat_e7), 0, 1200000);
                assert_in_range(abs(feed->reads[i].lon_e7 - here->lon_e7), 0, 2000000);
            }
        break;
    }
}

static void
patrol_cars_read_in_bursts(void **state)
{
    const struct feed *feed = *state;
    uint64_t mobile = 0, followed = 0;

    for (uint32_t i = 1; i < READS; i++) {
        const struct pb_read *read = &feed->reads[i];

        if (!is_mobile(read))
            continue;
        mobile++;
        followed += feed->reads[i - 1].reader.text == read->reader.text ? 1u : 0u;
    }
    assert_permille("mobile reads within a burst", followed, mobile, 750, 950);
}

static void
vehicles_keep_their_looks_but_for_classifier_noise(void **state)
{
    const struct feed *feed = *state;
    const uint32_t vehicles_max = 1u << 16;
    struct pb_str *models = calloc(vehicles_max, sizeof(*models));
    uint64_t same = 0, compared = 0;

    assert_non_null(models);
    for (uint32_t i = 0; i < READS; i++) {
        uint64_t vehicle = feed->truths[i].vehicle;
        struct pb_str model = feed->reads[i].model;

        if (vehicle >= vehicles_max || model.bytes == 0)
            continue;
        if (models[vehicle].bytes == 0) {
            models[vehicle] = model;
            continue;
        }
        compared++;
        same += models[vehicle].text == model.text ? 1u : 0u;
    }
    assert_true(compared > 1000);
    assert_permille("same model as at first", same, compared, 780, 920);
    free(models);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_give_what_their_kind_gives),
        cmocka_unit_test(misreads_and_states_err_as_often_as_assumed),
        cmocka_unit_test(confidence_rises_with_being_right),
        cmocka_unit_test(alternates_hold_the_truth_of_most_misreads),
        cmocka_unit_test(plates_fit_the_patterns_of_their_states),
        cmocka_unit_test(a_plate_of_a_state_is_of_one_vehicle),
        cmocka_unit_test(states_have_their_shares),
        cmocka_unit_test(many_plates_are_seen_once_and_few_very_often),
        cmocka_unit_test(fixed_readers_follow_the_traffic_of_their_own_hours),
        cmocka_unit_test(commuters_keep_to_one_road_and_to_rush_hours),
        cmocka_unit_test(patrol_cars_read_in_bursts),
        cmocka_unit_test(vehicles_keep_their_looks_but_for_classifier_noise),
    };

    return cmocka_run_group_tests(tests, make_feed, free_feed);
}
