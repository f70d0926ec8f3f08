/*
 * Names: each text, context and vehicle is kept once and comes back; forged bytes are refused
 * or read without harm.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "read/read_maker.h"
#include "store/failing_zstd.h"
#include "store/local/names.h"
#include "support/fault_env.h"

#define READS 600u
#define FORGERIES 20000u

/* Names of random reads by few readers, some of which move. */
static enum pb_status
fill(struct pb_names *names, const struct pb_env *env, uint64_t *random)
{
    static const char *const readers[] = { "gate-1", "gate-2", "car-3" };
    enum pb_status status = pb_names_init(names, env);

    for (uint32_t i = 0; i < READS && status == PB_OK; i++) {
        struct maker_room room;
        struct pb_read read = maker_random_read(&room, random);
        struct pb_context_rest rest;
        uint32_t number = 0;

        read.reader = pb_str_from(readers[i % 3]);
        if (i % 3 != 2 && read.lat_e7 != PB_NO_POSITION) {
            read.lat_e7 = (int32_t)(i % 5);
            read.lon_e7 = 0;
        }
        status = pb_names_read_context(names, &read, &number, &rest);
        if (status == PB_OK)
            status = pb_names_read_vehicle(names, &read, &number);
    }
    return status;
}

static void
names_are_kept_once(void **state)
{
    struct pb_names names = { 0 };
    uint32_t first = 0;
    uint32_t again = 0;
    struct pb_vehicle vehicle = { .make = 1, .year = 1999 };
    struct pb_context context = { .reader = 1, .lat_e7 = 5, .lon_e7 = -5, .lane = 2 };

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    assert_int_equal(PB_OK, pb_names_text(&names, pb_str_from(""), &first));
    assert_int_equal(PB_NO_NAME, first);
    for (uint32_t i = 0; i < 5000; i++) {
        char text[8] = { (char)('a' + i % 26), (char)('a' + i / 26 % 26),
                         (char)('a' + i / 676 % 26), 0 };

        assert_int_equal(PB_OK, pb_names_text(&names, pb_str_from(text), &first));
        assert_int_equal(i + 1, first);
        assert_int_equal(PB_OK, pb_names_text(&names, pb_str_from(text), &again));
        assert_int_equal(first, again);
        vehicle.year = (uint16_t)(1900 + i % 100);
        vehicle.model = i / 100;
        assert_int_equal(PB_OK, pb_names_vehicle(&names, &vehicle, &first));
        assert_int_equal(PB_OK, pb_names_vehicle(&names, &vehicle, &again));
        assert_int_equal(first, again);
        context.lane = (uint8_t)(i % 7);
        context.lat_e7 = (int32_t)i;
        assert_int_equal(PB_OK, pb_names_context(&names, &context, &first));
        assert_int_equal(PB_OK, pb_names_context(&names, &context, &again));
        assert_int_equal(first, again);
    }
    assert_int_equal(5001, names.text_count);
    pb_names_done(&names);
}

static void
names_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct pb_names names = { 0 };
        struct pb_names back = { 0 };
        uint64_t random = seed;
        uint8_t *bytes = NULL;
        size_t stored = 0;
        size_t raw = 0;

        assert_int_equal(PB_OK, fill(&names, pb_env_system(), &random));
        assert_int_equal(PB_OK, pb_names_encode(&names, &bytes, &stored, &raw));
        assert_int_equal(PB_OK, pb_names_decode(&back, pb_env_system(), bytes, stored, raw));
        assert_int_equal(names.text_count, back.text_count);
        assert_int_equal(names.context_count, back.context_count);
        assert_int_equal(names.vehicle_count, back.vehicle_count);
        for (uint32_t i = 0; i < names.text_count; i++)
            assert_true(pb_str_equal(names.texts[i], back.texts[i]));
        for (uint32_t i = 0; i < names.context_count; i++) {
            const struct pb_context *a = &names.contexts[i];
            const struct pb_context *b = &back.contexts[i];

            assert_true(a->reader == b->reader && a->lat_e7 == b->lat_e7
                        && a->lon_e7 == b->lon_e7 && a->heading_code == b->heading_code
                        && a->utc_offset_min == b->utc_offset_min && a->lane == b->lane
                        && a->scale == b->scale && a->is_mobile == b->is_mobile
                        && a->reports == b->reports);
        }
        for (uint32_t i = 0; i < names.vehicle_count; i++)
            assert_true(pb_vehicle_is_equal(&names.vehicles[i], &back.vehicles[i]));
        /* A load leaves this to the segments: all of it counts. */
        assert_int_equal(pb_names_memory(&back),
                         back.arena.total_bytes + back.text_count * sizeof(*back.texts) +
                             back.context_count * sizeof(*back.contexts) +
                             back.vehicle_count * sizeof(*back.vehicles));
        pb_free(pb_env_system(), bytes);
        pb_names_done(&names);
        pb_names_done(&back);
    }
}

/* What decodes must at least point at names that are there. */
static void
forged_names_are_refused_or_harmless(void **state)
{
    struct pb_names names = { 0 };
    uint64_t random = 3;
    uint8_t *bytes = NULL;
    uint8_t *forged = NULL;
    size_t stored = 0;
    size_t raw = 0;
    uint32_t refused = 0;

    (void)state;
    assert_int_equal(PB_OK, fill(&names, pb_env_system(), &random));
    assert_int_equal(PB_OK, pb_names_encode(&names, &bytes, &stored, &raw));
    pb_names_done(&names);
    for (uint32_t i = 0; i < FORGERIES; i++) {
        struct pb_names back = { 0 };
        size_t cut = maker_below(&random, 4) == 0 ? maker_below(&random, (uint32_t)stored + 1)
                                                  : stored;
        enum pb_status status;

        forged = malloc(cut + (cut == 0));
        assert_non_null(forged);
        memcpy(forged, bytes, cut);
        for (uint32_t j = maker_below(&random, 4); j > 0 && cut > 0; j--)
            forged[maker_below(&random, (uint32_t)cut)] = (uint8_t)maker_random(&random);
        status = pb_names_decode(&back, pb_env_system(), forged, cut,
                                 maker_below(&random, 8) == 0 ? maker_below(&random, 100000)
                                                              : raw);
        assert_true(status == PB_OK || status == PB_E_CORRUPT);
        refused += status != PB_OK;
        for (uint32_t c = 0; c < back.context_count && status == PB_OK; c++)
            assert_true(back.contexts[c].reader < back.text_count);
        for (uint32_t v = 0; v < back.vehicle_count && status == PB_OK; v++) {
            const struct pb_vehicle *vehicle = &back.vehicles[v];

            assert_true(vehicle->make < back.text_count && vehicle->model < back.text_count
                        && vehicle->color < back.text_count && vehicle->body < back.text_count);
        }
        pb_names_done(&back);
        free(forged);
    }
    pb_free(pb_env_system(), bytes);
    assert_true(refused > FORGERIES / 4);
}

static void
any_allocation_may_fail(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_names names = { 0 };
        struct pb_names back = { 0 };
        uint64_t random = 1;
        uint8_t *bytes = NULL;
        size_t stored = 0;
        size_t raw = 0;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++at;
        status = fill(&names, &fault.env, &random);
        if (status == PB_OK)
            status = pb_names_encode(&names, &bytes, &stored, &raw);
        if (status == PB_OK)
            status = pb_names_decode(&back, &fault.env, bytes, stored, raw);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_free(&fault.env, bytes);
        pb_names_done(&names);
        pb_names_done(&back);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_true(at > 5);
}

/* ---- one field alone ---- */

static void
a_vehicle_is_known_by_any_one_field(void **state)
{
    struct pb_names names = { 0 };
    const struct pb_str word = pb_str_from("word");

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    for (unsigned field = 0; field < 7; field++) {
        struct pb_read read;
        uint32_t number = 99;

        pb_read_init(&read);
        read.make = field == 0 ? word : read.make;
        read.model = field == 1 ? word : read.model;
        read.color = field == 2 ? word : read.color;
        read.body = field == 3 ? word : read.body;
        read.year = field == 4 ? 2001 : 0;
        read.year_last = field == 5 ? 2001 : 0;
        assert_int_equal(PB_OK, pb_names_read_vehicle(&names, &read, &number));
        /* Each is another vehicle; where nothing is known it is the one that has no field. */
        assert_int_equal(field == 6 ? 0 : field + 1, number);
        assert_int_equal(field == 6 ? 0 : 1u << field,
                         pb_vehicle_reports(&names.vehicles[number]));
        assert_int_equal(field == 6 ? 0 : 1u << field, pb_read_reports(&read));
    }
    pb_names_done(&names);
}

/* ---- limits ---- */

/* The tables are not filled so far: the counts alone say that they are. */
static void
more_names_than_numbers_are_refused(void **state)
{
    const struct pb_vehicle vehicle = { .make = 1 };
    const struct pb_context context = { .reader = 1 };
    const struct pb_str text = pb_str_from("one more");
    const uint32_t full = 1u << 30;
    struct pb_names names = { 0 };
    uint8_t *bytes = NULL;
    uint32_t number = 77;
    size_t stored = 0;
    size_t raw = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    names.context_count = full;
    assert_int_equal(PB_OVER_LIMIT, pb_names_context(&names, &context, &number));
    names.context_count = PB_NAMES_BYTES_MAX / 20;
    assert_int_equal(PB_OVER_LIMIT, pb_names_encode(&names, &bytes, &stored, &raw));
    assert_null(bytes);
    names.context_count = 0;
    names.vehicle_count = full;
    assert_int_equal(PB_OVER_LIMIT, pb_names_vehicle(&names, &vehicle, &number));
    names.vehicle_count = 1;
    names.text_count = full;
    assert_int_equal(PB_OVER_LIMIT, pb_names_text(&names, text, &number));
    names.text_count = 1;
    assert_int_equal(77, number);
    assert_int_equal(PB_OK, pb_names_text(&names, text, &number));
    assert_int_equal(1, number);
    pb_names_done(&names);
}

static void
names_that_cannot_be_compressed_for_want_of_memory_are_not_written(void **state)
{
    struct fault_env fault;
    struct pb_names names = { 0 };
    uint8_t *bytes = NULL;
    size_t stored = 0;
    size_t raw = 0;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    assert_int_equal(PB_OK, pb_names_init(&names, &fault.env));
    failing_zstd.fail_at = failing_zstd.calls + 1;
    assert_int_equal(PB_E_NOMEM, pb_names_encode(&names, &bytes, &stored, &raw));
    assert_null(bytes);
    failing_zstd.fail_at = 0;
    assert_int_equal(PB_OK, pb_names_encode(&names, &bytes, &stored, &raw));
    pb_free(&fault.env, bytes);
    pb_names_done(&names);
    assert_true(fault_env_is_clean(&fault));
}

/* ---- made by hand ---- */

enum {
    TEXTS_AT = 12,              /* of bytes 0 and 2 */
    CONTEXTS_AT = TEXTS_AT + 6, /* one */
    VEHICLES_AT = CONTEXTS_AT + 20, /* two */
    HAND_BYTES = VEHICLES_AT + 2 * 20,
};

static void
names_that_say_what_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at, bytes;
        uint32_t value;
        size_t raw; /* 0: all */
        enum pb_status status;
    } cases[] = {
        { "as it was", 0, 4, 2, 0, PB_OK },
        { "no texts", 0, 4, 0, 0, PB_E_CORRUPT },
        { "a text less", 0, 4, 1, 0, PB_E_CORRUPT },
        { "a text more", 0, 4, 3, 0, PB_E_CORRUPT },
        { "texts without end", 0, 4, UINT32_MAX, 0, PB_E_CORRUPT },
        { "no contexts", 4, 4, 0, 0, PB_E_CORRUPT },
        { "a context more", 4, 4, 2, 0, PB_E_CORRUPT },
        { "contexts without end", 4, 4, UINT32_MAX, 0, PB_E_CORRUPT },
        { "no vehicles", 8, 4, 0, 0, PB_E_CORRUPT },
        { "a vehicle less", 8, 4, 1, 0, PB_E_CORRUPT },
        { "vehicles without end", 8, 4, UINT32_MAX, 0, PB_E_CORRUPT },
        { "a text that goes on past the end", TEXTS_AT + 2, 2, UINT16_MAX, 0, PB_E_CORRUPT },
        { "a text that goes on among what follows", TEXTS_AT + 2, 2, 3, 0, PB_E_CORRUPT },
        { "a reader that is not there", CONTEXTS_AT, 4, 2, 0, PB_E_CORRUPT },
        { "a reader of no name", CONTEXTS_AT, 4, 0, 0, PB_E_CORRUPT },
        { "a scale that is none", CONTEXTS_AT + 17, 1, PB_SCALE_PERCENT + 1, 0, PB_E_CORRUPT },
        { "neither fixed nor mobile", CONTEXTS_AT + 18, 1, 2, 0, PB_E_CORRUPT },
        { "a make that is not there", VEHICLES_AT, 4, 2, 0, PB_E_CORRUPT },
        { "a model that is not there", VEHICLES_AT + 4, 4, 2, 0, PB_E_CORRUPT },
        { "a colour that is not there", VEHICLES_AT + 28, 4, 2, 0, PB_E_CORRUPT },
        { "a body that is not there", VEHICLES_AT + 32, 4, UINT32_MAX, 0, PB_E_CORRUPT },
        { "shorter than its head", 0, 4, 2, 11, PB_E_CORRUPT },
        { "a byte less", 0, 4, 2, HAND_BYTES - 1, PB_E_CORRUPT },
        { "longer than it is", 0, 4, 2, HAND_BYTES + 1, PB_E_CORRUPT },
        { "longer than names may be", 0, 4, 2, (size_t)PB_NAMES_BYTES_MAX + 1, PB_E_CORRUPT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t plain[HAND_BYTES] = { 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 'a', 'b',
                                      1 };
        uint8_t packed[4 * HAND_BYTES];
        struct pb_names names = { 0 };
        size_t stored = 0;
        enum pb_status status = PB_OK;

        for (size_t b = 0; b < cases[i].bytes; b++)
            plain[cases[i].at + b] = (uint8_t)(cases[i].value >> 8 * b);
        stored = ZSTD_compress(packed, sizeof(packed), plain, HAND_BYTES, 1);
        assert_false(ZSTD_isError(stored));
        status = pb_names_decode(&names, pb_env_system(), packed, stored,
                                 cases[i].raw != 0 ? cases[i].raw : HAND_BYTES);
        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].name, pb_status_name(status));
        if (status == PB_OK) {
            assert_true(pb_str_equal(pb_str_from("ab"), names.texts[1]));
            assert_int_equal(1, names.contexts[0].reader);
        }
        pb_names_done(&names);
    }
}

/* Whoever puts a read's texts together has room for those of valid reads. */
static void
names_longer_than_any_reads_are_refused(void **state)
{
    static const char text[PB_READER_BYTES_MAX + 1] = { 'x' };
    static const struct {
        uint32_t reader_bytes, make_bytes;
        enum pb_status status;
    } cases[] = {
        { PB_READER_BYTES_MAX, PB_VEHICLE_TEXT_BYTES_MAX, PB_OK },
        { PB_READER_BYTES_MAX + 1, PB_VEHICLE_TEXT_BYTES_MAX, PB_E_CORRUPT },
        { PB_READER_BYTES_MAX, PB_VEHICLE_TEXT_BYTES_MAX + 1, PB_E_CORRUPT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_context context = { .reader = 0 };
        struct pb_vehicle vehicle = { .make = 0 };
        struct pb_names names, back = { 0 };
        uint8_t *bytes = NULL;
        size_t stored = 0, raw = 0;
        uint32_t number = 0;

        assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
        assert_int_equal(PB_OK,
                         pb_names_text(&names, (struct pb_str){ text, cases[i].reader_bytes },
                                       &context.reader));
        assert_int_equal(PB_OK, pb_names_text(&names, (struct pb_str){ text, cases[i].make_bytes },
                                              &vehicle.make));
        assert_int_equal(PB_OK, pb_names_context(&names, &context, &number));
        assert_int_equal(PB_OK, pb_names_vehicle(&names, &vehicle, &number));
        assert_int_equal(PB_OK, pb_names_encode(&names, &bytes, &stored, &raw));
        assert_int_equal(cases[i].status,
                         pb_names_decode(&back, pb_env_system(), bytes, stored, raw));
        pb_free(pb_env_system(), bytes);
        pb_names_done(&back);
        pb_names_done(&names);
    }
}

/* ---- joining ---- */

#define MANY 1500u /* readers and words; each table grows on its way to them */

/* Every reader and vehicle is another one. */
static enum pb_status
fill_many(struct pb_names *names, const struct pb_env *env, const char *prefix)
{
    enum pb_status status = pb_names_init(names, env);

    for (uint32_t i = 0; i < MANY && status == PB_OK; i++) {
        char text[2][16];
        struct pb_read read;
        struct pb_context_rest rest;
        uint32_t number = 0;

        pb_read_init(&read);
        (void)snprintf(text[0], sizeof(text[0]), "%s-r%u", prefix, i);
        (void)snprintf(text[1], sizeof(text[1]), "%s-m%u", prefix, i);
        read.reader = pb_str_from(text[0]);
        read.make = pb_str_from(text[1]);
        read.lat_e7 = (int32_t)i;
        status = pb_names_read_context(names, &read, &number, &rest);
        if (status == PB_OK)
            status = pb_names_read_vehicle(names, &read, &number);
    }
    return status;
}

static void
a_join_that_fails_for_want_of_memory_says_so(void **state)
{
    static struct pb_context_move moves[MANY];
    static uint32_t vehicles[MANY + 1];
    struct pb_names source = { 0 };
    uint64_t failures = 0;

    (void)state;
    assert_int_equal(PB_OK, fill_many(&source, pb_env_system(), "s"));
    for (int is_announced = 0; is_announced < 2; is_announced++) {
        enum pb_status status = PB_E_NOMEM;

        for (uint64_t at = 1; status != PB_OK; at++) {
            struct fault_env fault;
            struct pb_names target = { 0 };

            fault_env_init(&fault, pb_env_system());
            assert_int_equal(PB_OK, pb_names_init(&target, &fault.env));
            fault.fail_allocation_at = fault.allocation_count + at;
            status = is_announced ? pb_names_announce(&target, &source, NULL) : PB_OK;
            if (status == PB_OK)
                status = pb_names_join(&target, &source, moves, vehicles);
            assert_int_equal(fault.failure_count == 0 ? PB_OK : PB_E_NOMEM, status);
            failures += fault.failure_count;
            for (uint32_t i = 0; i < MANY && status == PB_OK; i++) {
                const struct pb_context *context = &target.contexts[moves[i].context];

                assert_true(pb_str_equal(source.texts[source.contexts[i].reader],
                                         target.texts[context->reader]));
                assert_true(pb_str_equal(source.texts[source.vehicles[i + 1].make],
                                         target.texts[target.vehicles[vehicles[i + 1]].make]));
            }
            pb_names_done(&target);
            assert_true(fault_env_is_clean(&fault));
        }
    }
    assert_true(failures > 20);
    pb_names_done(&source);
}

/* A unit of many headings whose place nobody knows, and then one that is known. */
static void
what_is_mobile_here_is_mobile_there(void **state)
{
    struct pb_names source = { 0 };
    struct pb_context_move move = { .context = 99 };
    const struct pb_context *joined = NULL;
    uint32_t number = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_names_init(&source, pb_env_system()));
    for (uint16_t i = 0; i < PB_FIXED_CONTEXTS_MAX + 2; i++) {
        struct pb_context_rest rest = { 0 };
        struct pb_read read;

        pb_read_init(&read);
        read.reader = pb_str_from("unit-1");
        read.heading_cdeg = (uint16_t)(100 * i);
        if (i > PB_FIXED_CONTEXTS_MAX) {
            read.lat_e7 = 5;
            read.lon_e7 = 6;
        }
        assert_int_equal(PB_OK, pb_names_read_context(&source, &read, &number, &rest));
        assert_int_equal(i >= PB_FIXED_CONTEXTS_MAX, source.contexts[number].is_mobile);
    }
    for (uint32_t from = 0; from < source.context_count; from++) {
        bool is_placed = source.contexts[from].lat_e7 != PB_NO_POSITION;

        for (int is_announced = 0; is_announced < 2; is_announced++) {
            struct pb_names target = { 0 };

            assert_int_equal(PB_OK, pb_names_init(&target, pb_env_system()));
            if (is_announced)
                assert_int_equal(PB_OK, pb_names_announce(&target, &source, NULL));
            assert_int_equal(PB_OK, pb_names_join_context(&target, &source, &source.contexts[from],
                                                          &move));
            joined = &target.contexts[move.context];
            /* Announced, all rows of the reader are as those of its mobile context. */
            assert_int_equal(is_announced || source.contexts[from].is_mobile, joined->is_mobile);
            assert_int_equal(is_placed ? 5 : PB_NO_POSITION, joined->lat_e7 + move.rest.lat);
            assert_int_equal(source.contexts[from].heading_code,
                             joined->heading_code + move.rest.heading_code);
            pb_names_done(&target);
        }
    }
    pb_names_done(&source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kept_once),
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(forged_names_are_refused_or_harmless),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(a_vehicle_is_known_by_any_one_field),
        cmocka_unit_test(more_names_than_numbers_are_refused),
        cmocka_unit_test(names_that_cannot_be_compressed_for_want_of_memory_are_not_written),
        cmocka_unit_test(names_that_say_what_cannot_be_are_refused),
        cmocka_unit_test(names_longer_than_any_reads_are_refused),
        cmocka_unit_test(a_join_that_fails_for_want_of_memory_says_so),
        cmocka_unit_test(what_is_mobile_here_is_mobile_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
