/*
 * Detectors: each at its edge, one less and one more; samples that anybody can draw again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/detect.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "support/fault_env.h"

/* A Monday noon. */
#define NOON_US (INT64_C(1766966400) * 1000000 + 12 * PB_HOUR_US)
#define GOOD_REASON "witness saw the vehicle leave the depot"

struct bench {
    struct pb_detector *detector;
    uint64_t next_index;
    uint32_t counts[PB_DETECT_KINDS];
    uint32_t largest[PB_DETECT_KINDS]; /* entries of the largest finding */
    char what[PB_DETECT_KINDS][160];
    char person[PB_DETECT_KINDS][64];
    uint32_t stop_after;
    uint32_t told;
    char reason[96]; /* of the entry made last */
};

static void
begin(struct bench *bench, const struct pb_detect_limits *limits)
{
    struct pb_error error = { .message = "" };

    memset(bench, 0, sizeof(*bench));
    assert_int_equal(PB_OK, pb_detector_new(pb_env_system(), limits, &bench->detector, &error));
}

/* An entry that nothing is to be said about. */
static struct pb_detect_entry
blameless(struct bench *bench)
{
    struct pb_detect_entry entry = {
        .index = bench->next_index++,
        .at_us = NOON_US,
        .person = pb_str_from("p-1"),
        .role = pb_str_from("investigator"),
        .is_case_verified = true,
        .states = 1,
    };

    (void)snprintf(bench->reason, sizeof(bench->reason), GOOD_REASON " (%llu)",
                   (unsigned long long)entry.index);
    entry.reason = pb_str_from(bench->reason);
    entry.case_number = pb_str_from("24-00001");
    return entry;
}

static void
add(struct bench *bench, const struct pb_detect_entry *entry)
{
    assert_int_equal(PB_OK, pb_detector_add(bench->detector, entry, NULL));
}

static bool
note(void *context, const struct pb_finding *finding)
{
    struct bench *bench = context;

    assert_true(finding->index_count > 0);
    for (uint32_t i = 1; i < finding->index_count; i++)
        assert_true(finding->indices[i - 1] < finding->indices[i]);
    bench->counts[finding->kind]++;
    if (finding->index_count > bench->largest[finding->kind])
        bench->largest[finding->kind] = finding->index_count;
    (void)snprintf(bench->what[finding->kind], sizeof(bench->what[0]), "%s", finding->what);
    (void)snprintf(bench->person[finding->kind], sizeof(bench->person[0]), "%.*s",
                   (int)finding->person.bytes, finding->person.text);
    bench->told++;
    return bench->stop_after == 0 || bench->told < bench->stop_after;
}

/* Runs; findings of other kinds than the one are none. */
static void
end_with(struct bench *bench, enum pb_detect_kind kind, uint32_t findings)
{
    struct pb_error error = { .message = "" };

    assert_int_equal(PB_OK, pb_detector_run(bench->detector, note, bench, &error));
    for (uint32_t i = 0; i < PB_DETECT_KINDS; i++) {
        if (i != kind && bench->counts[i] != 0)
            fail_msg("%s: %s", pb_detect_kind_name(i), bench->what[i]);
    }
    assert_int_equal(findings, bench->counts[kind]);
    pb_detector_free(bench->detector);
}

/* ---- repeat plate ---- */

static void
repeat(uint32_t count, int64_t span_us, bool is_verified, bool is_off_shift, uint32_t findings)
{
    struct bench bench;

    begin(&bench, NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.plate = pb_str_from("SYN0001");
        entry.at_us = NOON_US + (count > 1 ? span_us / (count - 1) * i : 0);
        if (i + 1 == count)
            entry.at_us = NOON_US + span_us;
        if (is_off_shift)
            entry.at_us += 10 * PB_HOUR_US; /* 22:00, night */
        entry.is_case_verified = is_verified;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_REPEAT_PLATE, findings);
    if (findings > 0)
        assert_int_equal(count, bench.largest[PB_DETECT_REPEAT_PLATE]);
}

static void
one_plate_five_times_in_thirty_days_in_unverified_cases_is_found_and_four_are_not(void **state)
{
    (void)state;
    repeat(4, 4 * PB_DAY_US, false, false, 0);
    repeat(5, 4 * PB_DAY_US, false, false, 1);
    repeat(5, 4 * PB_DAY_US, true, false, 0);
    repeat(5, 28 * PB_DAY_US, false, false, 1);
    repeat(5, 30 * PB_DAY_US - 1, false, false, 1);
    repeat(5, 30 * PB_DAY_US, false, false, 0);
}

static void
one_plate_three_times_off_shift_is_found_in_verified_cases_too(void **state)
{
    (void)state;
    repeat(2, 2 * PB_DAY_US, true, true, 0);
    repeat(3, 2 * PB_DAY_US, true, true, 1);
    repeat(3, 2 * PB_DAY_US, true, false, 0);
}

static void
other_people_and_other_plates_do_not_add_up(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.plate = pb_str_from(i % 2 == 0 ? "SYN0001" : "SYN0002");
        entry.person = pb_str_from(i < 4 ? "p-1" : "p-2");
        entry.is_case_verified = false;
        entry.at_us += i * PB_DAY_US;
        add(&bench, &entry);
    }
    for (uint32_t i = 0; i < 8; i++) { /* questions without a plate */
        struct pb_detect_entry entry = blameless(&bench);

        entry.is_case_verified = false;
        entry.at_us += i * PB_DAY_US;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_REPEAT_PLATE, 0);
}

static void
an_unverified_run_is_found_behind_verified_ones(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, NULL);
    for (uint32_t i = 0; i < 12; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.plate = pb_str_from("SYN0001");
        entry.is_case_verified = i < 7;
        entry.at_us += i * 6 * PB_DAY_US;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_REPEAT_PLATE, 1); /* 7, 8, 9, 10, 11 */
    assert_int_equal(5, bench.largest[PB_DETECT_REPEAT_PLATE]);
}

/* ---- plate cluster ---- */

static void
cluster(uint32_t plates, uint32_t times, const char *case_number, uint32_t findings)
{
    struct bench bench;

    begin(&bench, NULL);
    for (uint32_t i = 0; i < plates * times; i++) {
        struct pb_detect_entry entry = blameless(&bench);
        char plate[16];

        (void)snprintf(plate, sizeof(plate), "SYN%04u", i % plates);
        entry.plate = pb_str_from(plate);
        entry.case_number = pb_str_from(case_number);
        entry.at_us += (int64_t)i * 30 * PB_DAY_US;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_PLATE_CLUSTER, findings);
    if (findings > 0)
        assert_int_equal(plates, bench.largest[PB_DETECT_PLATE_CLUSTER]);
}

static void
more_than_twenty_plates_under_one_case_number_are_found(void **state)
{
    (void)state;
    cluster(20, 1, "24-00001", 0);
    cluster(21, 1, "24-00001", 1);
    cluster(20, 2, "24-00001", 0);
    cluster(30, 1, "", 0);
}

/* ---- reasons ---- */

static void
reuse(uint32_t count, const char *reason, uint32_t per_day, uint32_t findings)
{
    struct bench bench;

    begin(&bench, NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.reason = pb_str_from(reason);
        entry.at_us += i / per_day * PB_DAY_US + i % per_day * PB_MINUTE_US;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_REASON_REUSE, findings);
}

static void
the_same_reason_more_than_ten_times_on_one_day_is_found(void **state)
{
    (void)state;
    reuse(10, "suspect seen near the depot in a van", 10, 0);
    reuse(11, "suspect seen near the depot in a van", 11, 1);
    reuse(20, "suspect seen near the depot in a van", 10, 0); /* over two days */
}

static void
weak(const char *reason, const char *offence, uint32_t findings)
{
    struct bench bench;
    struct pb_detect_entry entry;

    begin(&bench, NULL);
    entry = blameless(&bench);
    entry.reason = pb_str_from(reason);
    entry.offence = pb_str_from(offence);
    add(&bench, &entry);
    end_with(&bench, PB_DETECT_WEAK_REASON, findings);
}

static void
reasons_that_say_nothing_are_found(void **state)
{
    (void)state;
    weak("hit and run, 4th", "", 0); /* 16 characters */
    weak("hit and run, 4t", "", 0);  /* 15 */
    weak("hit and run, 4", "", 1);   /* 14 */
    weak("hit and run, 4", "28-693", 0);
    weak("police business, official use", "", 1);
    weak("POLICE BUSINESS, Official Use", "28-693", 1);
    weak("police business: burglary", "", 0);
    weak("", "", 1);
    weak("", "28-693", 1);
    weak("............................", "", 1);
    weak("a a a a a a a a a a a a a", "", 1);
    weak("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", "", 1); /* 8 */
    weak("averyverylongwordthatisnofiller", "", 0);
    weak("check_case{per}@police^", "", 1); /* no sign is a part of a word */
    weak("plate a1 of the case", "", 0);
    weak("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
         "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
         "", 0); /* 15 */
}

/* ---- scope ---- */

static void
scope(uint32_t states, double area_m2, uint32_t findings)
{
    struct bench bench;
    struct pb_detect_entry entry;

    begin(&bench, NULL);
    entry = blameless(&bench);
    entry.states = states;
    entry.area_m2 = area_m2;
    add(&bench, &entry);
    end_with(&bench, PB_DETECT_WIDE_SCOPE, findings);
}

static void
more_than_three_states_or_a_large_area_are_found(void **state)
{
    (void)state;
    scope(3, 0, 0);
    scope(4, 0, 1);
    scope(1, 25e6, 0);
    scope(1, 25e6 + 1, 1);
}

/* ---- volume ---- */

static void
volume(const uint32_t *counts, uint32_t people, uint32_t findings)
{
    struct bench bench;

    begin(&bench, NULL);
    for (uint32_t i = 0; i < people; i++) {
        char person[16];

        (void)snprintf(person, sizeof(person), "p-%u", i);
        for (uint32_t j = 0; j < counts[i]; j++) {
            struct pb_detect_entry entry = blameless(&bench);

            entry.person = pb_str_from(person);
            entry.at_us += (int64_t)j * PB_MINUTE_US;
            add(&bench, &entry);
        }
    }
    end_with(&bench, PB_DETECT_VOLUME, findings);
    if (findings > 0)
        assert_string_equal("p-0", bench.person[PB_DETECT_VOLUME]);
}

static void
three_deviations_above_the_others_of_the_role_are_found(void **state)
{
    /* The others: mean 10, deviation 2. */
    static const uint32_t at_limit[] = { 16, 8, 12, 8, 12 };
    static const uint32_t few[] = { 19, 1, 1, 1, 1 };
    static const uint32_t many[] = { 20, 1, 1, 1, 1 };
    static const uint32_t no_peers[] = { 90, 1, 1, 1 };
    /* mean 20, deviation 4: 32 is three of them above */
    static const uint32_t exact[] = { 32, 16, 24, 16, 24 };
    static const uint32_t above[] = { 33, 16, 24, 16, 24 };

    (void)state;
    volume(at_limit, 5, 0);
    volume(few, 5, 0);
    volume(many, 5, 1);
    volume(no_peers, 4, 0);
    volume(exact, 5, 0);
    volume(above, 5, 1);
}

static void
other_roles_are_not_compared(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, NULL);
    for (uint32_t i = 0; i < 45; i++) {
        struct pb_detect_entry entry = blameless(&bench);
        char person[16];

        (void)snprintf(person, sizeof(person), "p-%u", i < 40 ? 0 : i);
        entry.person = pb_str_from(person);
        entry.role = pb_str_from(i < 40 ? "analyst" : "patrol");
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_VOLUME, 0);
}

/* ---- odd hours ---- */

static void
at_hours(const uint32_t *hours, uint32_t count, int16_t utc_offset_min, uint32_t findings)
{
    struct pb_detect_limits limits = *pb_detect_defaults();
    struct bench bench;

    limits.utc_offset_min = utc_offset_min;
    begin(&bench, &limits);
    for (uint32_t i = 0; i < count; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.at_us = NOON_US - 12 * PB_HOUR_US + (int64_t)hours[i] * PB_HOUR_US;
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_ODD_HOURS, findings);
}

static void
three_inquiries_in_one_night_are_found(void **state)
{
    static const uint32_t night[] = { 22, 23, 24 + 5 };
    static const uint32_t two[] = { 22, 23 };
    static const uint32_t edges[] = { 21, 22, 24 + 6 };
    static const uint32_t two_nights[] = { 4, 5, 22, 23 };
    static const uint32_t noon[] = { 11, 12, 13 };

    (void)state;
    at_hours(night, 3, 0, 1);
    at_hours(two, 2, 0, 0);
    at_hours(edges, 3, 0, 0);
    at_hours(two_nights, 4, 0, 0);
    at_hours(noon, 3, 0, 0);
    at_hours(noon, 3, 12 * 60, 1);  /* it is midnight there */
    at_hours(noon, 3, -11 * 60, 1); /* and there */
}

static void
times_before_1970_have_a_day_too(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        struct pb_detect_entry entry = blameless(&bench);

        entry.at_us = -(int64_t)(i + 1) * PB_MINUTE_US; /* minutes before midnight */
        add(&bench, &entry);
    }
    end_with(&bench, PB_DETECT_ODD_HOURS, 1);
}

/* ---- all together ---- */

static void
nothing_at_all_is_nothing_to_tell(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, NULL);
    assert_int_equal(PB_OK, pb_detector_run(bench.detector, note, &bench, NULL));
    assert_int_equal(0, bench.told);
    pb_detector_free(bench.detector);
}

static void
more_entries_than_the_limit_are_refused(void **state)
{
    struct pb_detect_limits limits = *pb_detect_defaults();
    struct pb_error error = { .message = "" };
    struct pb_detect_entry entry;
    struct bench bench;

    (void)state;
    assert_int_equal(PB_DETECT_ENTRIES_MAX, limits.entries_max);
    limits.entries_max = 2;
    begin(&bench, &limits);
    for (uint32_t i = 0; i < 2; i++) {
        entry = blameless(&bench);
        add(&bench, &entry);
    }
    entry = blameless(&bench);
    assert_int_equal(PB_OVER_LIMIT, pb_detector_add(bench.detector, &entry, &error));
    assert_non_null(strstr(error.message, "more than 2 entries"));
    pb_detector_free(bench.detector);
}

/* Findings name their entries in order, in whatever order these came. */
static void
entries_of_one_moment_are_told_in_the_order_of_their_indices(void **state)
{
    static const uint64_t orders[][5] = { { 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, 0 }, { 2, 0, 4, 1, 3 } };

    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct bench bench;

        begin(&bench, NULL);
        for (uint32_t j = 0; j < 5; j++) {
            struct pb_detect_entry entry = blameless(&bench);

            entry.index = orders[i][j];
            entry.plate = pb_str_from("SYN0001");
            entry.is_case_verified = false;
            add(&bench, &entry);
        }
        end_with(&bench, PB_DETECT_REPEAT_PLATE, 1); /* whose indices note() looks at */
    }
}

/* Two findings of each kind that gathers: who has enough after the first hears no second. */
static void
a_listener_that_has_enough_hears_no_second_of_a_kind(void **state)
{
    static const enum pb_detect_kind kinds[] = { PB_DETECT_PLATE_CLUSTER, PB_DETECT_REASON_REUSE,
                                                 PB_DETECT_VOLUME };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bench bench;

        begin(&bench, NULL);
        for (uint32_t j = 0; j < 200; j++) {
            struct pb_detect_entry entry = blameless(&bench);
            char plate[16], person[16];

            (void)snprintf(plate, sizeof(plate), "SYN%04u", j);
            (void)snprintf(person, sizeof(person), "p-%u", j % 100 < 50 ? 0 : j % 5 + 1);
            entry.at_us = NOON_US + (int64_t)j * PB_SECOND_US;
            if (kinds[i] == PB_DETECT_PLATE_CLUSTER) {
                entry.plate = pb_str_from(plate);
                entry.case_number = pb_str_from(j % 2 == 0 ? "24-1" : "24-2");
            } else if (kinds[i] == PB_DETECT_REASON_REUSE) {
                entry.reason = pb_str_from(j % 2 == 0 ? GOOD_REASON : GOOD_REASON " again");
            } else {
                entry.person = pb_str_from(person);
                entry.role = pb_str_from(j < 100 ? "analyst" : "officer");
            }
            add(&bench, &entry);
        }
        assert_int_equal(PB_OK, pb_detector_run(bench.detector, note, &bench, NULL));
        if (bench.counts[kinds[i]] != 2)
            fail_msg("%s: %u", pb_detect_kind_name(kinds[i]), bench.counts[kinds[i]]);
        memset(bench.counts, 0, sizeof(bench.counts));
        bench.told = 0;
        bench.stop_after = 1;
        assert_int_equal(PB_OK, pb_detector_run(bench.detector, note, &bench, NULL));
        assert_int_equal(1, bench.counts[kinds[i]]);
        assert_int_equal(1, bench.told);
        pb_detector_free(bench.detector);
    }
}

static void
a_listener_that_has_enough_is_told_no_more(void **state)
{
    struct bench bench;
    uint32_t all = 0;

    (void)state;
    for (uint32_t stop_after = 0;; stop_after++) {
        begin(&bench, NULL);
        bench.stop_after = stop_after;
        for (uint32_t i = 0; i < 40; i++) {
            struct pb_detect_entry entry = blameless(&bench);
            char plate[16], person[16];

            (void)snprintf(plate, sizeof(plate), "SYN%04u", i < 10 ? 0 : i);
            entry.plate = pb_str_from(plate);
            (void)snprintf(person, sizeof(person), "p-%u", i < 30 ? 0 : i % 5 + 1);
            entry.person = pb_str_from(person);
            entry.reason = pb_str_from("police business");
            entry.is_case_verified = false;
            entry.states = 9;
            entry.at_us = NOON_US + 11 * PB_HOUR_US + i * PB_SECOND_US;
            add(&bench, &entry);
        }
        assert_int_equal(PB_OK, pb_detector_run(bench.detector, note, &bench, NULL));
        pb_detector_free(bench.detector);
        if (stop_after == 0) {
            all = bench.told;
            for (uint32_t i = 0; i < PB_DETECT_KINDS; i++)
                assert_true(bench.counts[i] > 0);
            continue;
        }
        assert_int_equal(stop_after < all ? stop_after : all, bench.told);
        if (stop_after > all)
            break;
    }
}

static bool
ignore(void *context, const struct pb_finding *finding)
{
    (void)context;
    (void)finding;
    return true;
}

static void
without_memory_nothing_is_lost_but_the_answer(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_detector *detector = NULL;
        struct pb_detect_entry entry = { .person = pb_str_from("p-1"),
                                         .role = pb_str_from("x"),
                                         .plate = pb_str_from("SYN1"),
                                         .case_number = pb_str_from("1"),
                                         .reason = pb_str_from("a reason"),
                                         .offence = pb_str_from("1") };
        uint64_t index = 7;
        uint32_t count = 0;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_detector_new(&fault.env, NULL, &detector, NULL);
        if (status == PB_OK)
            status = pb_detector_add(detector, &entry, NULL);
        if (status == PB_OK)
            status = pb_detector_run(detector, ignore, NULL, NULL);
        if (status == PB_OK)
            status = pb_sample_draw(&fault.env, (const uint8_t *)"01234567890123456789012345678901",
                                    &index, 1, 1, &index, &count, NULL);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_detector_free(detector);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 5, 40);
}

/* ---- reviews ---- */

static void
a_review_is_late_after_15_days_and_very_late_after_45(void **state)
{
    (void)state;
    assert_int_equal(PB_REVIEW_IN_TIME, pb_detect_review_delay(NOON_US, NOON_US - 1));
    assert_int_equal(PB_REVIEW_IN_TIME, pb_detect_review_delay(NOON_US, NOON_US + 15 * PB_DAY_US));
    assert_int_equal(PB_REVIEW_LATE, pb_detect_review_delay(NOON_US, NOON_US + 15 * PB_DAY_US + 1));
    assert_int_equal(PB_REVIEW_LATE, pb_detect_review_delay(NOON_US, NOON_US + 45 * PB_DAY_US));
    assert_int_equal(PB_REVIEW_VERY_LATE,
                     pb_detect_review_delay(NOON_US, NOON_US + 45 * PB_DAY_US + 1));
}

static void
a_sample_is_the_same_for_the_same_seed_in_any_order(void **state)
{
    uint8_t seed[32] = { 1 };
    uint64_t indices[500], first[20], second[20];
    uint32_t count = 0, hits[5] = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 500; i++)
        indices[i] = i * 3;
    assert_int_equal(PB_OK,
                     pb_sample_draw(pb_env_system(), seed, indices, 500, 20, first, &count, NULL));
    assert_int_equal(20, count);
    for (uint32_t i = 0; i < 500; i++)
        indices[i] = (uint64_t)(499 - i) * 3;
    assert_int_equal(PB_OK,
                     pb_sample_draw(pb_env_system(), seed, indices, 500, 20, second, &count, NULL));
    assert_memory_equal(first, second, sizeof(first));
    for (uint32_t i = 1; i < 20; i++)
        assert_true(first[i - 1] < first[i]);
    seed[0] = 2;
    assert_int_equal(PB_OK,
                     pb_sample_draw(pb_env_system(), seed, indices, 500, 20, second, &count, NULL));
    assert_memory_not_equal(first, second, sizeof(first));

    /* Each is as likely as any other: over many seeds each fifth gets its share. */
    for (uint32_t i = 0; i < 500; i++) {
        uint64_t drawn[1];

        seed[1] = (uint8_t)i;
        seed[2] = (uint8_t)(i >> 8);
        assert_int_equal(PB_OK, pb_sample_draw(pb_env_system(), seed, indices, 500, 1, drawn,
                                               &count, NULL));
        hits[drawn[0] / 300]++;
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_in_range(hits[i], 60, 140);
    assert_int_equal(PB_OK,
                     pb_sample_draw(pb_env_system(), seed, indices, 3, 20, second, &count, NULL));
    assert_int_equal(3, count);
    assert_int_equal(PB_OK,
                     pb_sample_draw(pb_env_system(), seed, indices, 0, 20, second, &count, NULL));
    assert_int_equal(0, count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            one_plate_five_times_in_thirty_days_in_unverified_cases_is_found_and_four_are_not),
        cmocka_unit_test(one_plate_three_times_off_shift_is_found_in_verified_cases_too),
        cmocka_unit_test(other_people_and_other_plates_do_not_add_up),
        cmocka_unit_test(an_unverified_run_is_found_behind_verified_ones),
        cmocka_unit_test(more_than_twenty_plates_under_one_case_number_are_found),
        cmocka_unit_test(the_same_reason_more_than_ten_times_on_one_day_is_found),
        cmocka_unit_test(reasons_that_say_nothing_are_found),
        cmocka_unit_test(more_than_three_states_or_a_large_area_are_found),
        cmocka_unit_test(three_deviations_above_the_others_of_the_role_are_found),
        cmocka_unit_test(other_roles_are_not_compared),
        cmocka_unit_test(three_inquiries_in_one_night_are_found),
        cmocka_unit_test(times_before_1970_have_a_day_too),
        cmocka_unit_test(nothing_at_all_is_nothing_to_tell),
        cmocka_unit_test(more_entries_than_the_limit_are_refused),
        cmocka_unit_test(entries_of_one_moment_are_told_in_the_order_of_their_indices),
        cmocka_unit_test(a_listener_that_has_enough_hears_no_second_of_a_kind),
        cmocka_unit_test(a_listener_that_has_enough_is_told_no_more),
        cmocka_unit_test(without_memory_nothing_is_lost_but_the_answer),
        cmocka_unit_test(a_review_is_late_after_15_days_and_very_late_after_45),
        cmocka_unit_test(a_sample_is_the_same_for_the_same_seed_in_any_order),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
