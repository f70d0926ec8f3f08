/*
 * Names: each text, context and vehicle is kept once and comes back; forged bytes are refused
 * or read without harm.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "read/read_maker.h"
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kept_once),
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(forged_names_are_refused_or_harmless),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
