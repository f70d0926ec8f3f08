#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "read/read_maker.h"

/* On disk: these numbers never change. They are XXH3_64bits of the bytes that
 * docs/formats/read-v1.md lays out, put together without this code:
 * 02 01 67, 48 52 56 4e eb 60 06 00, "AB12" and 01 01 67, "e-17". */
static void
identity_is_the_hash_that_the_format_page_states(void **state)
{
    struct pb_read read = maker_ordinary();

    (void)state;
    assert_true(pb_read_identity(&read) == UINT64_C(0x382AC8AFC7C7CB41));
    read.event_id = pb_str_from("e-17");
    assert_true(pb_read_identity(&read) == UINT64_C(0x5169C3806BD35980));
}

/* These eight bytes are the ones of that length whose XXH3 is 0, found by running it backwards. */
static void
an_identity_is_never_0(void **state)
{
    static const char bytes[] = "\x42\xD5\x68\xE1\x38\xD7\x27\xFF";
    struct pb_str text = { bytes, sizeof(bytes) - 1 };

    (void)state;
    assert_true(pb_hash_bytes(text.text, text.bytes) == 0);
    assert_true(pb_identity_of_bytes(text) == 1);
}

static bool
have_same_bytes(const struct pb_read *a, const struct pb_read *b)
{
    char bytes[2][PB_IDENTITY_BYTES_MAX];
    size_t counts[2] = { pb_read_identity_bytes(a, bytes[0]), pb_read_identity_bytes(b, bytes[1]) };

    assert_true(pb_read_identity(a) ==
                pb_identity_of_bytes((struct pb_str){ bytes[0], (uint32_t)counts[0] }));
    return counts[0] == counts[1] && memcmp(bytes[0], bytes[1], counts[0]) == 0;
}

static void
expect_same(struct pb_read a, struct pb_read b)
{
    assert_true(have_same_bytes(&a, &b));
    assert_true(pb_read_same_identity(&a, &b));
    assert_true(pb_read_identity(&a) == pb_read_identity(&b));
}

static void
expect_other(struct pb_read a, struct pb_read b)
{
    assert_false(have_same_bytes(&a, &b));
    assert_false(pb_read_same_identity(&a, &b));
    assert_true(pb_read_identity(&a) != pb_read_identity(&b));
}

static void
identity_with_an_event_id_is_reader_and_event_id_alone(void **state)
{
    struct pb_read a = maker_ordinary(), b;

    (void)state;
    a.event_id = pb_str_from("e1");
    b = a;
    b.plate = pb_str_from("ZZ99");
    b.captured_at_us++;
    b.lat_e7++;
    b.revision = 3;
    expect_same(a, b);
    b.event_id = pb_str_from("e2");
    expect_other(a, b);
    b = a;
    b.reader = pb_str_from("h");
    expect_other(a, b);
}

static void
identity_without_an_event_id_is_reader_time_and_plate(void **state)
{
    struct pb_read a = maker_ordinary(), b;

    (void)state;
    b = a;
    b.plate_raw = pb_str_from("ab-12");
    b.utc_offset_min = 60;
    b.lon_e7++;
    b.confidence_e6--;
    expect_same(a, b);
    b.captured_at_us++;
    expect_other(a, b);
    b = a;
    b.plate = pb_str_from("AB13");
    expect_other(a, b);
    b = a;
    b.reader = pb_str_from("G");
    expect_other(a, b);
}

static void
correction_keeps_the_identity_of_what_it_corrects(void **state)
{
    struct pb_read read = maker_ordinary(), corrected;

    (void)state;
    corrected = read;
    corrected.plate = pb_str_from("AB1Z");
    corrected.identity_plate = read.plate;
    corrected.is_correction = true;
    expect_same(read, corrected);
    corrected.identity_plate = pb_str_from("AB1Y");
    expect_other(read, corrected);
}

/* An event id made to look like a time and a plate, and a border moved between fields. */
static void
identity_keeps_its_parts_apart(void **state)
{
    struct pb_read a = maker_ordinary(), b = maker_ordinary();
    char forged[8 + 4];

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        forged[i] = (char)((uint64_t)a.captured_at_us >> 8 * i);
    memcpy(forged + 8, "AB12", 4);
    b.event_id = (struct pb_str){ forged, sizeof(forged) };
    expect_other(a, b);

    a.event_id = pb_str_from("bc");
    a.reader = pb_str_from("a");
    b.event_id = pb_str_from("c");
    b.reader = pb_str_from("ab");
    expect_other(a, b);
}

static void
identity_is_never_zero_and_spreads(void **state)
{
    uint64_t seed = 3, seen_ones = 0, seen_zeros = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct maker_room room;
        struct pb_read read = maker_random_read(&room, &seed);
        uint64_t identity = pb_read_identity(&read);

        assert_true(identity != 0);
        assert_true(pb_read_same_identity(&read, &read));
        seen_ones |= identity;
        seen_zeros |= ~identity;
    }
    assert_true(seen_ones == UINT64_MAX && seen_zeros == UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_is_the_hash_that_the_format_page_states),
        cmocka_unit_test(an_identity_is_never_0),
        cmocka_unit_test(identity_with_an_event_id_is_reader_and_event_id_alone),
        cmocka_unit_test(identity_without_an_event_id_is_reader_time_and_plate),
        cmocka_unit_test(correction_keeps_the_identity_of_what_it_corrects),
        cmocka_unit_test(identity_keeps_its_parts_apart),
        cmocka_unit_test(identity_is_never_zero_and_spreads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
