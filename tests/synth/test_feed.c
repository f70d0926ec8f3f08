/* The synthetic feed: the same reads however they are asked for, all valid, in order of time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/time.h"
#include "read/read.h"
#include "support/fault_env.h"
#include "synth/synth.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FEED_READS 20000u

/* ---- a fingerprint of what a read says, the same on every machine ---- */

static uint64_t
add_number(uint64_t print, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        print = (print ^ ((number >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
    return print;
}

static uint64_t
add_text(uint64_t print, struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++)
        print = (print ^ (unsigned char)text.text[i]) * UINT64_C(0x100000001b3);
    return add_number(print, text.bytes);
}

static uint64_t
print_of(const struct pb_read *read)
{
    uint64_t print = UINT64_C(0xcbf29ce484222325);

    print = add_text(print, read->plate);
    print = add_number(print, read->jurisdiction);
    print = add_number(print, (uint64_t)read->captured_at_us);
    print = add_number(print, (uint64_t)read->utc_offset_min);
    print = add_text(print, read->reader);
    print = add_number(print, (uint64_t)read->lat_e7);
    print = add_number(print, (uint64_t)read->lon_e7);
    print = add_number(print, read->heading_cdeg);
    print = add_number(print, read->speed_ckmh);
    print = add_number(print, read->confidence_scale);
    print = add_number(print, read->confidence_e6);
    print = add_text(print, read->make);
    print = add_text(print, read->model);
    print = add_text(print, read->color);
    print = add_text(print, read->body);
    print = add_number(print, read->year);
    print = add_text(print, read->event_id);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        print = add_text(print, read->alternates[i].plate);
        print = add_number(print, read->alternates[i].confidence_e6);
    }
    return add_number(print, read->alternate_count);
}

static struct pb_synth *
make(struct pb_synth_options options)
{
    struct pb_synth *synth = NULL;

    assert_int_equal(PB_OK, pb_synth_new(pb_env_system(), &options, &synth, NULL));
    return synth;
}

/* Fills reads first to end - 1 in pieces of batch and sets their fingerprints. */
static void
print_range(const struct pb_synth *synth, uint64_t first, uint64_t end, uint64_t batch,
            uint64_t *prints)
{
    struct pb_read *reads = calloc(batch, sizeof(*reads));
    struct pb_arena arena;

    assert_non_null(reads);
    pb_arena_init(&arena, pb_env_system(), 4096);
    while (first < end) {
        uint64_t count = end - first < batch ? end - first : batch;

        assert_int_equal(PB_OK, pb_synth_fill(synth, first, count, reads, &arena));
        for (uint64_t i = 0; i < count; i++)
            prints[first + i] = print_of(&reads[i]);
        pb_arena_reset(&arena);
        first += count;
    }
    pb_arena_clear(&arena);
    free(reads);
}

static const struct pb_synth_options everything = {
    .seed = 7, .reads = FEED_READS, .with_alternates = true, .with_event_ids = true
};

static void
fill_gives_the_same_reads_however_the_feed_is_cut(void **state)
{
    static const uint64_t batches[] = { 1, 7, 31, 256, 4097 };
    static uint64_t whole[FEED_READS], cut[FEED_READS];
    struct pb_synth *synth = make(everything);

    (void)state;
    print_range(synth, 0, FEED_READS, FEED_READS, whole);
    for (size_t i = 0; i < COUNT(batches); i++) {
        memset(cut, 0, sizeof(cut));
        /* The second half first: nothing may depend on what was asked before. */
        print_range(synth, FEED_READS / 2 + 3, FEED_READS, batches[i], cut);
        print_range(synth, 0, FEED_READS / 2 + 3, batches[i], cut);
        assert_memory_equal(whole, cut, sizeof(whole));
    }
    pb_synth_free(synth);
}

struct share {
    const struct pb_synth *synth;
    uint64_t first, end;
    uint64_t *prints;
};

static void *
print_share(void *argument)
{
    struct share *share = argument;

    print_range(share->synth, share->first, share->end, 300, share->prints);
    return NULL;
}

static void
fill_gives_the_same_reads_on_four_threads(void **state)
{
    static uint64_t alone[FEED_READS], together[FEED_READS];
    struct pb_synth *synth = make(everything);
    struct share shares[4];
    pthread_t threads[4];

    (void)state;
    print_range(synth, 0, FEED_READS, 512, alone);
    for (size_t i = 0; i < 4; i++) {
        shares[i] = (struct share){ synth, i * FEED_READS / 4, (i + 1) * FEED_READS / 4,
                                    together };
        assert_int_equal(0, pthread_create(&threads[i], NULL, print_share, &shares[i]));
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(0, pthread_join(threads[i], NULL));
    assert_memory_equal(alone, together, sizeof(alone));
    pb_synth_free(synth);
}

static uint64_t
print_of_feed(struct pb_synth_options options)
{
    static uint64_t prints[FEED_READS];
    struct pb_synth *synth = make(options);
    uint64_t count = pb_synth_read_count(synth), print = 0;

    assert_true(count <= FEED_READS);
    print_range(synth, 0, count, 1000, prints);
    for (uint64_t i = 0; i < count; i++)
        print = add_number(print, prints[i]);
    pb_synth_free(synth);
    return print;
}

static void
another_seed_gives_another_feed(void **state)
{
    struct pb_synth_options other = everything;

    (void)state;
    other.seed++;
    assert_int_not_equal(print_of_feed(everything), print_of_feed(other));
}

/* Figures in documents and golden files rest on these feeds. A change of the model changes them
 * and the documents' figures together. */
static void
feeds_are_the_same_on_every_machine(void **state)
{
    struct pb_synth_options town = { .seed = 1, .is_town = true };

    (void)state;
    assert_int_equal(UINT64_C(0xce483afe247db15b), print_of_feed(everything));
    assert_int_equal(UINT64_C(0xcd5b1ddd79b7a869), print_of_feed(town));
}

/* ---- every read ---- */

static const struct pb_synth_options feeds[] = {
    { .seed = 1, .reads = 60000, .with_alternates = true, .with_event_ids = true },
    { .seed = 2, .is_town = true, .with_alternates = true },
    { .seed = 3, .reads = 1 },
    { .seed = 4, .reads = 20000, .readers = 8, .days = 1 },
    { .seed = 5, .reads = 3000, .readers = 5000, .days = 400 },
    { .seed = 6, .reads = 5000, .days = 2, .from_us = 1 },
    { .seed = 7, .reads = 5000, .days = 10, .from_us = PB_TIME_MAX_US - 11 * PB_DAY_US },
    { .seed = 8, .reads = 150000, .days = 1, .is_town = true },
};

typedef void each_fn(void *context, const struct pb_synth *synth, uint64_t index,
                     const struct pb_read *read);

static void
for_each_read(const struct pb_synth_options *options, each_fn *each, void *context)
{
    static struct pb_read reads[1000];
    struct pb_synth *synth = make(*options);
    uint64_t count = pb_synth_read_count(synth);
    struct pb_arena arena;

    pb_arena_init(&arena, pb_env_system(), 4096);
    for (uint64_t first = 0; first < count; first += COUNT(reads)) {
        uint64_t batch = count - first < COUNT(reads) ? count - first : COUNT(reads);

        assert_int_equal(PB_OK, pb_synth_fill(synth, first, batch, reads, &arena));
        for (uint64_t i = 0; i < batch; i++)
            each(context, synth, first + i, &reads[i]);
        pb_arena_reset(&arena);
    }
    pb_arena_clear(&arena);
    pb_synth_free(synth);
}

static void
check_valid(void *context, const struct pb_synth *synth, uint64_t index,
            const struct pb_read *read)
{
    const char *field = "", *reason = "";

    (void)context;
    (void)synth;
    if (pb_read_validate(read, &field, &reason) != PB_OK)
        fail_msg("read %llu: %s: %s", (unsigned long long)index, field, reason);
}

static void
all_reads_are_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(feeds); i++)
        for_each_read(&feeds[i], check_valid, NULL);
}

struct order {
    int64_t first_us, end_us, newest_us;
};

static void
check_order(void *context, const struct pb_synth *synth, uint64_t index,
            const struct pb_read *read)
{
    struct order *order = context;

    (void)synth;
    (void)index;
    assert_true(read->captured_at_us >= order->first_us - PB_SECOND_US);
    assert_true(read->captured_at_us < order->end_us + PB_SYNTH_DISORDER_US_MAX);
    assert_true(order->newest_us - read->captured_at_us <= PB_SYNTH_DISORDER_US_MAX);
    if (read->captured_at_us > order->newest_us)
        order->newest_us = read->captured_at_us;
}

static void
captured_time_rises_but_for_the_promised_disorder(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(feeds); i++) {
        int64_t days = feeds[i].days != 0 ? feeds[i].days : feeds[i].is_town ? 14 : 30;
        struct order order = { .first_us = feeds[i].from_us };

        if (order.first_us == 0)
            order.first_us = INT64_C(1790812800) * PB_SECOND_US;
        order.end_us = order.first_us + days * PB_DAY_US;
        for_each_read(&feeds[i], check_order, &order);
    }
}

/* ---- identity ---- */

struct identities {
    uint64_t *values;
    size_t count;
};

static void
keep_identity(void *context, const struct pb_synth *synth, uint64_t index,
              const struct pb_read *read)
{
    struct identities *identities = context;

    (void)synth;
    (void)index;
    identities->values[identities->count++] = pb_read_identity(read);
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t first, second;

    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    return first < second ? -1 : first > second;
}

static void
no_two_reads_are_the_same_read(void **state)
{
    static const struct pb_synth_options options[] = {
        { .seed = 1, .reads = 200000 },
        { .seed = 2, .reads = 50000, .with_event_ids = true },
        { .seed = 3, .is_town = true },
    };
    struct identities identities = { calloc(200000, sizeof(uint64_t)), 0 };

    (void)state;
    assert_non_null(identities.values);
    for (size_t i = 0; i < COUNT(options); i++) {
        identities.count = 0;
        for_each_read(&options[i], keep_identity, &identities);
        qsort(identities.values, identities.count, sizeof(uint64_t), compare_numbers);
        for (size_t k = 1; k < identities.count; k++)
            assert_int_not_equal(identities.values[k - 1], identities.values[k]);
    }
    free(identities.values);
}

/* ---- readers ---- */

static void
readers_have_ids_of_their_own_and_places(void **state)
{
    struct pb_synth_options options = { .seed = 1, .reads = 1000, .readers = 3000 };
    struct pb_synth *synth = make(options);
    uint64_t *prints = calloc(3000, sizeof(*prints));
    uint32_t mobile = 0;

    (void)state;
    assert_non_null(prints);
    assert_int_equal(3000, pb_synth_reader_count(synth));
    for (uint32_t i = 0; i < 3000; i++) {
        struct pb_synth_reader reader;

        pb_synth_reader_at(synth, i, &reader);
        prints[i] = add_text(1, reader.id);
        mobile += reader.is_mobile ? 1u : 0u;
        assert_memory_equal(reader.id.text + 2, "-", 1);
        assert_memory_equal(reader.id.text + 7, reader.is_mobile ? "-car" : "-cam", 4);
        assert_in_range(reader.lat_e7, 180000000, 720000000);
        assert_true(reader.lon_e7 > -1800000000 && reader.lon_e7 < -650000000);
    }
    qsort(prints, 3000, sizeof(*prints), compare_numbers);
    for (uint32_t i = 1; i < 3000; i++)
        assert_int_not_equal(prints[i - 1], prints[i]);
    assert_in_range(mobile, 90, 210);
    free(prints);
    pb_synth_free(synth);
}

/* ---- refusals and failures ---- */

static void
new_refuses_options_out_of_range(void **state)
{
    static const struct pb_synth_options cases[] = {
        { .reads = PB_SYNTH_READS_MAX + 1 },
        { .readers = 7 },
        { .readers = PB_SYNTH_READERS_MAX + 1 },
        { .days = PB_SYNTH_DAYS_MAX + 1 },
        { .from_us = -1 },
        { .from_us = PB_TIME_MAX_US - 30 * PB_DAY_US },
        { .from_us = INT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pb_synth *synth = NULL;
        struct pb_error error = { .message = "" };

        assert_int_equal(PB_BAD_INPUT, pb_synth_new(pb_env_system(), &cases[i], &synth, &error));
        assert_null(synth);
        assert_true(strlen(error.message) > 0);
    }
}

static void
new_releases_everything_when_any_allocation_fails(void **state)
{
    struct pb_synth_options options = { .seed = 1, .is_town = true };
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_synth *synth = NULL;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = pb_synth_new(&fault.env, &options, &synth, NULL);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (synth != NULL));
        pb_synth_free(synth);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 10, 100); /* the sweep did fail something */
}

static void
fill_says_so_when_any_allocation_fails(void **state)
{
    struct pb_synth_options options = { .seed = 1, .is_town = true, .with_alternates = true };
    static struct pb_read reads[5000];
    struct pb_synth *synth = make(options);
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_arena arena;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        pb_arena_init(&arena, &fault.env, 256);
        status = pb_synth_fill(synth, 0, COUNT(reads), reads, &arena);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_arena_clear(&arena);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 3, 10000);
    pb_synth_free(synth);
}

static void
fill_of_nothing_is_fine(void **state)
{
    struct pb_synth *synth = make(everything);
    struct pb_arena arena;

    (void)state;
    pb_arena_init(&arena, pb_env_system(), 256);
    assert_int_equal(PB_OK, pb_synth_fill(synth, FEED_READS, 0, NULL, &arena));
    pb_arena_clear(&arena);
    pb_synth_free(synth);
    pb_synth_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_gives_the_same_reads_however_the_feed_is_cut),
        cmocka_unit_test(fill_gives_the_same_reads_on_four_threads),
        cmocka_unit_test(another_seed_gives_another_feed),
        cmocka_unit_test(feeds_are_the_same_on_every_machine),
        cmocka_unit_test(all_reads_are_valid),
        cmocka_unit_test(captured_time_rises_but_for_the_promised_disorder),
        cmocka_unit_test(no_two_reads_are_the_same_read),
        cmocka_unit_test(readers_have_ids_of_their_own_and_places),
        cmocka_unit_test(new_refuses_options_out_of_range),
        cmocka_unit_test(new_releases_everything_when_any_allocation_fails),
        cmocka_unit_test(fill_says_so_when_any_allocation_fails),
        cmocka_unit_test(fill_of_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
