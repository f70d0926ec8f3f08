/*
 * Bins and places: records come back as they went in, whatever fits into memory, and in the order
 * that was promised; faults of memory and files leave nothing behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read/read_maker.h"
#include "store/local/bins.h"
#include "store/local/memo.h"
#include "store/local/places.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define SPILL "spill"
#define BINS 40u

/* ---- bins ---- */

/* A record is its length in words, its number in its bin, and that many words of the two. */
static void
put_record(uint8_t *at, uint32_t words, uint32_t number)
{
    uint32_t head[2] = { words, number };

    memcpy(at, head, sizeof(head));
    for (uint32_t i = 0; i < words; i++)
        memcpy(at + 8 + 4 * i, &number, 4);
}

/* What pb_bin_each() gives, laid side by side. */
struct flat {
    uint8_t *bytes; /* owned */
    size_t count, room;
};

static enum pb_status
lay_flat(void *context, const uint8_t *bytes, size_t count)
{
    struct flat *flat = context;

    assert_true(count <= flat->room - flat->count);
    memcpy(flat->bytes + flat->count, bytes, count);
    flat->count += count;
    return PB_OK;
}

/* Wants no more after the first stretch. */
static enum pb_status
refuse(void *context, const uint8_t *bytes, size_t count)
{
    (void)bytes;
    (void)count;
    ++*(uint32_t *)context;
    return PB_END;
}

/* Stretch by stretch the same comes as all at once. */
static enum pb_status
check_each(const struct pb_env *env, const struct pb_bins *bins, const struct pb_bin *bin,
           const uint8_t *spilled)
{
    struct pb_bin_walk walk;
    const uint8_t *at = NULL;
    const uint8_t *end = NULL;
    struct flat flat = { .count = 0 };
    uint32_t refused = 0;
    size_t seen = 0;
    enum pb_status status = PB_OK;

    pb_bin_walk_init(&walk, bin, spilled);
    while (pb_bin_walk_next(&walk, &at, &end))
        flat.room += (size_t)(end - at);
    flat.bytes = pb_alloc(env, flat.room + 1);
    status = flat.bytes == NULL ? PB_E_NOMEM : pb_bin_each(bins, bin, lay_flat, &flat, NULL);
    pb_bin_walk_init(&walk, bin, spilled);
    while (status == PB_OK && pb_bin_walk_next(&walk, &at, &end)) {
        assert_memory_equal(at, flat.bytes + seen, (size_t)(end - at));
        seen += (size_t)(end - at);
    }
    assert_true(status != PB_OK || flat.count == flat.room);
    pb_free(env, flat.bytes);
    if (status == PB_OK && bin->first != NULL) {
        status = pb_bin_each(bins, bin, refuse, &refused, NULL);
        assert_true(status != PB_END || refused == 1);
        status = status == PB_END ? PB_OK : status;
    }
    return status;
}

static enum pb_status
check_bin(const struct pb_env *env, const struct pb_bins *bins, const struct pb_bin *bin,
          uint32_t count)
{
    uint8_t *spilled = pb_alloc(env, (size_t)bin->spilled_bytes + 1);
    struct pb_bin_walk walk;
    const uint8_t *at = NULL;
    const uint8_t *end = NULL;
    uint32_t number = 0;
    enum pb_status status = PB_E_NOMEM;

    if (spilled != NULL)
        status = pb_bin_read(bins, bin, spilled, NULL);
    if (status == PB_OK) {
        pb_bin_walk_init(&walk, bin, spilled);
        while (pb_bin_walk_next(&walk, &at, &end)) {
            while (at < end) {
                uint8_t expected[PB_BINS_RECORD_BYTES_MAX];
                uint32_t words = 0;

                memcpy(&words, at, 4);
                assert_in_range(words, 0, (PB_BINS_RECORD_BYTES_MAX - 8) / 4);
                put_record(expected, words, number++);
                assert_memory_equal(expected, at, 8 + 4 * words);
                at += 8 + 4 * words;
            }
            assert_ptr_equal(at, end);
        }
        assert_int_equal(count, number);
        status = check_each(env, bins, bin, spilled);
    }
    pb_free(env, spilled);
    return status;
}

static enum pb_status
fill_and_check(const struct pb_env *env, size_t bytes_max, uint32_t records, bool *ret_spilled)
{
    struct pb_bins_budget budget = { .bytes_max = bytes_max };
    struct pb_bins bins = { 0 };
    struct pb_bin bin[BINS] = { 0 };
    uint32_t counts[BINS] = { 0 };
    uint64_t random = records;
    enum pb_status status = pb_bins_init(&bins, env, &budget, SPILL);

    for (uint32_t i = 0; i < records && status == PB_OK; i++) {
        uint32_t number = (uint32_t)maker_below(&random, BINS);
        uint32_t words = maker_below(&random, 50) == 0 ? (PB_BINS_RECORD_BYTES_MAX - 8) / 4
                                                       : (uint32_t)maker_below(&random, 20);
        uint32_t chunk_bytes = PB_BINS_CHUNK_BYTES_MIN << maker_below(&random, 4);
        uint8_t *at = NULL;

        /* The last bin is one that must not be spilled. */
        status = pb_bin_add(&bins, &bin[number], 8 + 4 * words, chunk_bytes, number != BINS - 1,
                            &at, NULL);
        if (status == PB_OK)
            put_record(at, words, counts[number]++);
    }
    for (uint32_t b = 0; b < BINS && status == PB_OK; b++)
        status = check_bin(env, &bins, &bin[b], counts[b]);
    if (status == PB_OK)
        assert_int_equal(0, bin[BINS - 1].spilled_bytes);
    *ret_spilled = bins.file_bytes != 0;
    for (uint32_t b = 0; b < BINS; b++)
        pb_bin_done(&bin[b], env);
    pb_bins_done(&bins);
    return status;
}

static void
records_come_back_in_order_whether_they_were_spilled_or_not(void **state)
{
    static const struct {
        size_t bytes_max;
        uint32_t records;
        bool spills;
    } cases[] = {
        { 0, 1, false },
        { 0, 30000, true },
        { (size_t)9 << 20, 60000, true },
        { (size_t)1 << 30, 60000, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_env base = sim_fs_env(fs);
        struct fault_env fault;
        bool has_spilled = false;

        fault_env_init(&fault, &base);
        assert_int_equal(PB_OK, fill_and_check(&fault.env, cases[i].bytes_max, cases[i].records,
                                               &has_spilled));
        assert_int_equal(cases[i].spills, has_spilled);
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
    }
}

/* ---- places ---- */

/* expected: the number of pairs that is told before. */
static enum pb_status
sort_expected(const struct pb_env *env, size_t memory_bytes, uint64_t expected,
              struct pb_crew *crew, uint32_t count, int shape)
{
    struct pb_places *places = NULL;
    const struct pb_pair *pairs = NULL;
    struct pb_pair before = { 0, 0 };
    uint64_t random = count + 1;
    uint64_t added = 0;
    uint64_t given = 0;
    size_t pair_count = 0;
    uint32_t got = 0;
    uint64_t sample[1000];
    size_t sample_count = shape < 4 ? 0 : shape == 4 ? 255 : 1000;
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < sample_count; i++)
        sample[i] = maker_random(&random) >> (shape == 6 ? 40 : 0);
    status = pb_places_new(env, SPILL, memory_bytes, expected, crew,
                           sample_count == 0 ? NULL : sample, sample_count, &places);
    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        uint64_t key = maker_random(&random);

        /* Anything, few values, one, and first rows that say nothing of what follows; then, of
         * anything, samples that are too small, true and wrong. */
        key = shape == 1 ? key % 10 : shape == 2 ? 7 : shape == 3 && i < 16384 ? 1 : key;
        added += key * 31 + i;
        status = pb_places_add(places, key, i, NULL);
    }
    while (status == PB_OK) {
        status = pb_places_next(places, &pairs, &pair_count, NULL);
        for (size_t i = 0; i < pair_count && status == PB_OK; i++) {
            assert_true(got == 0 || before.key < pairs[i].key ||
                        (before.key == pairs[i].key && before.value < pairs[i].value));
            before = pairs[i];
            given += before.key * 31 + before.value;
            got++;
        }
    }
    if (status == PB_END) {
        assert_int_equal(count, got);
        assert_true(added == given);
    }
    pb_places_free(places);
    return status;
}

static enum pb_status
sort_places(const struct pb_env *env, size_t memory_bytes, struct pb_crew *crew, uint32_t count,
            int shape)
{
    return sort_expected(env, memory_bytes, 0, crew, count, shape);
}

static void
places_come_out_in_order_of_key_and_row(void **state)
{
    static const uint32_t counts[] = { 0, 1, 300, 16384, 16385, 200000 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (int shape = 0; shape < 7; shape++) {
            struct sim_fs *fs = sim_fs_new();
            struct pb_env base = sim_fs_env(fs);
            struct pb_crew *crew = NULL;
            struct fault_env fault;

            fault_env_init(&fault, &base);
            assert_int_equal(PB_OK, pb_crew_new(&fault.env, 2, &crew));
            assert_int_equal(PB_END, sort_places(&fault.env, 1, NULL, counts[i], shape));
            assert_int_equal(PB_END, sort_places(&fault.env, 1, crew, counts[i], shape));
            assert_int_equal(PB_END, sort_places(&fault.env, 64 << 20, crew, counts[i], shape));
            /* As many bins as there can be, and as there is memory for. */
            assert_int_equal(PB_END, sort_expected(&fault.env, 1, UINT64_C(1) << 40, crew,
                                                   counts[i], shape));
            assert_int_equal(PB_END, sort_expected(&fault.env, 64 << 20, UINT64_C(1) << 40, crew,
                                                   counts[i], shape));
            pb_crew_free(crew);
            assert_true(fault_env_is_clean(&fault));
            sim_fs_free(fs);
        }
    }
}

static void
sorting_places_takes_the_memory_that_it_was_given_whatever_their_number(void **state)
{
    enum { MEMORY = 8 << 20, BESIDE = 1 << 20 };
    static const uint32_t counts[] = { 1000000, 4000000 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_env base = sim_fs_env(fs);
        struct fault_env fault;

        fault_env_init(&fault, &base);
        assert_int_equal(PB_END, sort_expected(&fault.env, MEMORY, counts[i], NULL, counts[i], 0));
        assert_in_range(fault.peak_bytes, MEMORY / 2, MEMORY + BESIDE);
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
    }
}

static void
a_sample_of_places_has_every_nth_key_whatever_their_number(void **state)
{
    static const uint32_t counts[] = { 0, 1, 4096, 4097, 1000000 };
    struct pb_place_sample *sample = malloc(sizeof(*sample));

    (void)state;
    assert_non_null(sample);
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        memset(sample, 0, sizeof(*sample));
        for (uint64_t key = 0; key < counts[c]; key++) {
            if (pb_place_sample_is_due(sample))
                pb_place_sample_add(sample, key);
        }
        assert_int_equal(sample->count, counts[c] == 0 ? 0 : (counts[c] - 1) / sample->stride + 1);
        for (uint32_t i = 0; i < sample->count; i++)
            assert_int_equal(i * sample->stride, sample->keys[i]);
        assert_true(counts[c] < 4097 || sample->count >= 2048);
    }
    free(sample);
}

static void
faults_while_bins_and_places_are_used_leave_nothing_behind(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        uint64_t failures = 1;
        uint64_t at = 0;

        while (failures > 0) {
            struct sim_fs *fs = sim_fs_new();
            struct pb_env base = sim_fs_env(fs);
            struct fault_env fault;
            bool has_spilled = false;
            enum pb_status status;

            fault_env_init(&fault, &base);
            at += 1 + at / 8;
            if (kind % 2 == 0)
                fault.fail_allocation_at = at;
            else
                fault.fail_file_call_at = at;
            status = kind < 2 ? fill_and_check(&fault.env, 0, 30000, &has_spilled)
                              : sort_places(&fault.env, 1, NULL, 200000, 0);
            failures = fault.failure_count;
            if (failures == 0)
                assert_int_equal(kind < 2 ? PB_OK : PB_END, status);
            else if (kind % 2 == 0)
                assert_int_equal(PB_E_NOMEM, status);
            else /* that the file cannot be deleted is no matter */
                assert_true(status == PB_E_IO || status == PB_OK || status == PB_END);
            assert_true(fault_env_is_clean(&fault));
            sim_fs_free(fs);
        }
        assert_in_range(at, 5, 1000000);
    }
}

/* Sorts places of which some went to the file, along a sample; each of its first and of its last
 * allocations fails in turn. */
static void
places_that_cannot_be_sorted_for_want_of_memory_say_so(void **state)
{
    enum { PAIRS = 100000, LAST = 12 };
    uint64_t allocations = 1000;
    uint64_t at = 0;

    (void)state;
    while (at < allocations) {
        struct sim_fs *fs = sim_fs_new();
        struct pb_env base = sim_fs_env(fs);
        struct fault_env fault;

        fault_env_init(&fault, &base);
        fault.fail_allocation_at = at;
        if (at == 0) {
            assert_int_equal(PB_END, sort_places(&fault.env, 1, NULL, PAIRS, 5));
            assert_true(fault.file_call_count > 0);
            allocations = fault.allocation_count;
        } else {
            assert_int_equal(PB_E_NOMEM, sort_places(&fault.env, 1, NULL, PAIRS, 5));
        }
        assert_true(fault_env_is_clean(&fault));
        sim_fs_free(fs);
        at = at == LAST ? allocations - LAST : at + 1;
    }
    assert_true(allocations > 2 * LAST);
}

/* ---- memo ---- */

/* The read itself is made of what names say of it. */
static void
expect_same(const struct pb_names *names, const struct pb_read *read, uint32_t context_number,
            const struct pb_context_rest *rest, uint32_t vehicle_number)
{
    const struct pb_context *context = &names->contexts[context_number];
    const struct pb_vehicle *vehicle = &names->vehicles[vehicle_number];
    unsigned heading = (unsigned)context->heading_code + rest->heading_code;

    assert_true(pb_str_equal(read->reader, names->texts[context->reader]));
    if (read->lat_e7 == PB_NO_POSITION) {
        assert_int_equal(PB_NO_POSITION, context->lat_e7);
    } else {
        assert_int_equal(read->lat_e7, (int32_t)((uint32_t)context->lat_e7 + (uint32_t)rest->lat));
        assert_int_equal(read->lon_e7, (int32_t)((uint32_t)context->lon_e7 + (uint32_t)rest->lon));
    }
    assert_int_equal(read->heading_cdeg, heading == 0 ? PB_NO_HEADING : heading - PB_CODE_SHIFT);
    assert_int_equal(read->utc_offset_min, context->utc_offset_min);
    assert_int_equal(read->lane, context->lane);
    assert_int_equal(read->confidence_scale, context->scale);
    assert_int_equal(0, context->reports);
    assert_true(pb_str_equal(read->make, names->texts[vehicle->make]));
    assert_true(pb_str_equal(read->model, names->texts[vehicle->model]));
    assert_true(pb_str_equal(read->color, names->texts[vehicle->color]));
    assert_true(pb_str_equal(read->body, names->texts[vehicle->body]));
    assert_int_equal(read->year, vehicle->year);
    assert_int_equal(read->year_last, vehicle->year_last);
    assert_int_equal(pb_read_reports(read), pb_vehicle_reports(vehicle));
}

static void
a_memo_answers_as_names_do(void **state)
{
    static const char *const words[] = { "", "a", "ford", "chevrolet", "a-very-long-word-of-it" };
    static char texts[400][48];
    struct pb_names names;
    struct pb_memo memo;
    uint64_t random = 9;

    (void)state;
    for (size_t i = 0; i < 400; i++)
        assert_in_range(snprintf(texts[i], sizeof(texts[i]), "%s%zu",
                                 i % 9 == 0 ? "a-reader-with-a-name-that-fits-no-line-" : "reader-",
                                 i),
                        1, 47);
    assert_int_equal(PB_OK, pb_names_init(&names, pb_env_system()));
    pb_memo_init(&memo, pb_env_system(), 1 << 20);
    for (int i = 0; i < 60000; i++) {
        uint32_t number = (uint32_t)maker_below(&random, 400);
        struct pb_context_rest rest = { 0 };
        struct pb_memo_key key;
        struct pb_read read;
        uint32_t context = 0;
        uint32_t vehicle = 0;

        pb_read_init(&read);
        read.reader = pb_str_from(texts[number]);
        /* Each tenth reader drives about; each seventh has no position. */
        if (number % 7 != 0) {
            read.lat_e7 = (int32_t)number * 1000 +
                          (number % 10 == 0 ? (int32_t)maker_below(&random, 100000) : 0);
            read.lon_e7 = -read.lat_e7;
        }
        if (number % 3 == 0)
            read.heading_cdeg = (uint16_t)maker_below(&random, number % 10 == 0 ? 36000 : 2);
        read.lane = (uint8_t)maker_below(&random, 2);
        read.make = pb_str_from(words[maker_below(&random, 5)]);
        read.model = pb_str_from(words[maker_below(&random, 5)]);
        read.color = pb_str_from(words[maker_below(&random, 5)]);
        read.body = pb_str_from(words[maker_below(&random, 5)]);
        read.year = (uint16_t)(maker_below(&random, 3) * 1000);
        key = pb_memo_key(&read);
        pb_memo_fetch(&memo, &key);
        assert_int_equal(PB_OK, pb_memo_place(&memo, &names, &read, &key, &context, &rest));
        assert_int_equal(PB_OK, pb_memo_vehicle(&memo, &names, &read, &key, &vehicle));
        expect_same(&names, &read, context, &rest, vehicle);
    }
    assert_true(pb_memo_memory(&memo) > 0);
    pb_memo_done(&memo);
    pb_names_done(&names);
}

/* Words of one length, so that only their letters tell vehicles apart. */
static enum pb_status
ask_memo(const struct pb_env *env, size_t bytes_max, uint32_t count)
{
    struct pb_names names = { 0 };
    struct pb_memo memo;
    uint64_t random = 4;
    enum pb_status status = pb_names_init(&names, env);

    pb_memo_init(&memo, env, bytes_max);
    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        struct pb_context_rest rest = { 0 };
        struct pb_memo_key key;
        struct pb_read read;
        uint32_t context = 0;
        uint32_t vehicle = 0;
        char words[5][8];

        for (int w = 0; w < 5; w++)
            (void)snprintf(words[w], sizeof(words[w]), "w%03u", maker_below(&random, 9));
        pb_read_init(&read);
        read.reader = pb_str_from(words[0]);
        read.make = pb_str_from(words[1]);
        read.model = pb_str_from(words[2]);
        read.color = pb_str_from(words[3]);
        read.body = pb_str_from(words[4]);
        key = pb_memo_key(&read);
        status = pb_memo_place(&memo, &names, &read, &key, &context, &rest);
        if (status == PB_OK)
            status = pb_memo_vehicle(&memo, &names, &read, &key, &vehicle);
        if (status == PB_OK)
            expect_same(&names, &read, context, &rest, vehicle);
    }
    pb_memo_done(&memo);
    pb_names_done(&names);
    return status;
}

static void
a_memo_of_any_size_tells_vehicles_apart(void **state)
{
    (void)state;
    for (size_t bytes_max = 0; bytes_max <= (size_t)1 << 22; bytes_max += bytes_max / 2 + 40000)
        assert_int_equal(PB_OK, ask_memo(pb_env_system(), bytes_max, 20000));
    assert_int_equal(PB_OK, ask_memo(pb_env_system(), (size_t)1 << 30, 1000));
}

static void
a_memo_without_memory_forgets_and_names_without_memory_say_so(void **state)
{
    uint64_t failures = 1;
    uint32_t forgot = 0;

    (void)state;
    for (uint64_t at = 1; failures != 0; at++) {
        struct fault_env fault;
        enum pb_status status = PB_OK;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = at;
        status = ask_memo(&fault.env, (size_t)1 << 20, 3000);
        failures = fault.failure_count;
        assert_true(status == PB_OK || (status == PB_E_NOMEM && failures != 0));
        forgot += status == PB_OK && failures != 0;
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(forgot, 2, 10);
}

static void
what_was_never_begun_can_be_ended(void **state)
{
    static const struct pb_bins no_bins;
    static const struct pb_memo no_memo;
    struct pb_bins bins = { 0 };
    struct pb_memo memo = { 0 };

    (void)state;
    pb_bins_done(&bins);
    assert_memory_equal(&no_bins, &bins, sizeof(bins));
    pb_memo_done(&memo);
    assert_memory_equal(&no_memo, &memo, sizeof(memo));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order_whether_they_were_spilled_or_not),
        cmocka_unit_test(places_come_out_in_order_of_key_and_row),
        cmocka_unit_test(sorting_places_takes_the_memory_that_it_was_given_whatever_their_number),
        cmocka_unit_test(a_sample_of_places_has_every_nth_key_whatever_their_number),
        cmocka_unit_test(faults_while_bins_and_places_are_used_leave_nothing_behind),
        cmocka_unit_test(places_that_cannot_be_sorted_for_want_of_memory_say_so),
        cmocka_unit_test(a_memo_answers_as_names_do),
        cmocka_unit_test(a_memo_of_any_size_tells_vehicles_apart),
        cmocka_unit_test(a_memo_without_memory_forgets_and_names_without_memory_say_so),
        cmocka_unit_test(what_was_never_begun_can_be_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
