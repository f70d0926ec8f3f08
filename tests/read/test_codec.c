#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "read/read_maker.h"

/* A copy that ends where memory ends, so that the sanitizer sees a read past it. */
static enum pb_status
decode_tight(const uint8_t *bytes, size_t count, size_t *used)
{
    struct pb_record_room room;
    struct pb_read read;
    enum pb_status status;
    uint8_t *tight = test_malloc(count != 0 ? count : 1);

    memcpy(tight, bytes, count);
    status = pb_record_decode(tight, count, &room, &read, used);
    test_free(tight);
    return status;
}

/* The example of docs/formats/read-v1.md. */
static const uint8_t example[] = {
    0x0A, 0x00, 0x00, 0x00, 0x48, 0x52, 0x56, 0x4E, 0xEB, 0x60, 0x06, 0x00, 0x08,
    0xFE, 0x83, 0x16, 0x30, 0x48, 0x08, 0xB7, 0xE0, 0x2D, 0x74, 0x05, 0x04, 0x41,
    0x42, 0x31, 0x32, 0x01, 0x67,
};

static void
record_is_as_the_format_page_shows(void **state)
{
    struct pb_read read = maker_ordinary(), decoded;
    struct pb_record_room room;
    uint8_t bytes[PB_RECORD_BYTES_MAX];
    size_t used = 0;

    (void)state;
    assert_int_equal(sizeof(example), pb_record_encode(&read, bytes));
    assert_memory_equal(example, bytes, sizeof(example));
    assert_int_equal(PB_OK, pb_record_decode(example, sizeof(example), &room, &decoded, &used));
    assert_int_equal(sizeof(example), used);
    assert_true(pb_read_same_content(&read, &decoded));
}

static void
record_brings_back_every_field(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct maker_room made;
        struct pb_record_room room;
        struct pb_read read = maker_random_read(&made, &seed), decoded;
        uint8_t bytes[PB_RECORD_BYTES_MAX], again[PB_RECORD_BYTES_MAX];
        size_t used = 0, count = pb_record_encode(&read, bytes);

        assert_in_range(count, 16, 1900);
        assert_int_equal(PB_OK, pb_record_decode(bytes, count, &room, &decoded, &used));
        assert_int_equal(count, used);
        assert_true(pb_read_same_content(&read, &decoded));
        assert_true(pb_str_equal(read.plate_raw, decoded.plate_raw));
        assert_true(read.delete_after_us == decoded.delete_after_us);
        assert_int_equal(count, pb_record_encode(&decoded, again));
        assert_memory_equal(bytes, again, count);
    }
}

static void
record_leaves_out_what_the_store_adds(void **state)
{
    struct pb_read read = maker_ordinary(), decoded;
    struct pb_record_room room;
    uint8_t bytes[PB_RECORD_BYTES_MAX];
    size_t used = 0, count;

    (void)state;
    read.received_at_us = 12345;
    read.commit = 99;
    read.is_superseded = true;
    count = pb_record_encode(&read, bytes);
    assert_int_equal(sizeof(example), count);
    assert_int_equal(PB_OK, pb_record_decode(bytes, count, &room, &decoded, &used));
    assert_int_equal(0, decoded.received_at_us);
    assert_int_equal(0, decoded.commit);
    assert_false(decoded.is_superseded);
}

/* The longest record there is, for the bound that the format page states. */
static void
record_of_the_longest_read_has_1900_bytes(void **state)
{
    struct pb_alternate alternates[PB_ALTERNATES_MAX];
    struct pb_image_ref images[PB_IMAGES_MAX];
    struct pb_record_room room;
    struct pb_read read = maker_ordinary(), decoded;
    uint8_t bytes[PB_RECORD_BYTES_MAX];
    char letters[256];
    size_t used = 0, count;

    (void)state;
    memset(letters, 'A', sizeof(letters));
    read.plate = read.identity_plate = (struct pb_str){ letters, PB_PLATE_BYTES_MAX };
    read.plate_raw = read.reader = (struct pb_str){ letters, PB_PLATE_RAW_BYTES_MAX };
    read.make = read.model = read.color = read.body = (struct pb_str){ letters, 48 };
    read.event_id = (struct pb_str){ letters, PB_EVENT_ID_BYTES_MAX };
    read.jurisdiction = 1;
    read.delete_after_us = 1;
    read.revision = 1;
    read.utc_offset_min = read.lane = 1;
    read.heading_cdeg = read.speed_ckmh = 1;
    read.year = 2000;
    read.year_last = 2001;
    for (size_t i = 0; i < PB_ALTERNATES_MAX; i++)
        alternates[i] = (struct pb_alternate){ read.plate, 1 };
    for (size_t i = 0; i < PB_IMAGES_MAX; i++)
        images[i] = (struct pb_image_ref){ PB_IMAGE_PLATE, { letters, 256 } };
    read.alternates = alternates;
    read.alternate_count = PB_ALTERNATES_MAX;
    read.images = images;
    read.image_count = PB_IMAGES_MAX;
    count = pb_record_encode(&read, bytes);
    assert_int_equal(1900, count);
    assert_int_equal(PB_OK, pb_record_decode(bytes, count, &room, &decoded, &used));
    assert_true(pb_read_same_content(&read, &decoded));
}

static void
records_follow_each_other_without_separators(void **state)
{
    struct pb_record_room room;
    struct pb_read a = maker_ordinary(), b = maker_ordinary(), decoded;
    uint8_t bytes[2 * PB_RECORD_BYTES_MAX];
    size_t first, second, used = 0;

    (void)state;
    b.plate = pb_str_from("ZZ99");
    first = pb_record_encode(&a, bytes);
    second = pb_record_encode(&b, bytes + first);
    assert_int_equal(PB_OK, pb_record_decode(bytes, first + second, &room, &decoded, &used));
    assert_int_equal(first, used);
    assert_int_equal(PB_OK, pb_record_decode(bytes + used, second, &room, &decoded, &used));
    assert_true(pb_read_same_content(&b, &decoded));
}

static void
decode_refuses_every_record_that_is_cut_short(void **state)
{
    uint64_t seed = 9;

    (void)state;
    for (int i = 0; i < 50; i++) {
        struct maker_room made;
        struct pb_read read = maker_random_read(&made, &seed);
        uint8_t bytes[PB_RECORD_BYTES_MAX];
        size_t used = 0, count = pb_record_encode(&read, bytes);

        for (size_t cut = 0; cut < count; cut++)
            assert_int_equal(PB_BAD_INPUT, decode_tight(bytes, cut, &used));
        assert_int_equal(PB_OK, decode_tight(bytes, count, &used));
    }
}

static void
decode_refuses_what_has_two_ways_to_be_written(void **state)
{
    static const struct {
        size_t at;
        uint8_t bytes[8];
        size_t count;
    } cases[] = {
        { 2, { 0x80 }, 1 },                   /* flag 23 */
        { 3, { 0x80 }, 1 },                   /* flag 31 */
        { 0, { 0x0E }, 1 },                   /* scale 3 */
        { 12, { 0, 0, 0, 0x80 }, 4 },         /* latitude: no position */
        { 16, { 0, 0, 0, 0x80 }, 4 },         /* longitude: no position */
        { 20, { 0xFF, 0xFF, 0xFF, 0xFF }, 4 }, /* no confidence */
        { 24, { 0 }, 1 },                     /* plate of no bytes */
        { 24, { 33 }, 1 },                    /* plate too long */
        { 29, { 0 }, 1 },                     /* reader of no bytes */
        { 29, { 2 }, 1 },                     /* reader past the end */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[sizeof(example)];
        size_t used = 0;

        memcpy(bytes, example, sizeof(bytes));
        memcpy(bytes + cases[i].at, cases[i].bytes, cases[i].count);
        assert_int_equal(PB_BAD_INPUT, decode_tight(bytes, sizeof(bytes), &used));
    }
}

/* Each flagged number set to the value that its absence means. */
static void
decode_refuses_an_unknown_number_with_its_flag_set(void **state)
{
    static const struct {
        uint32_t flag;
        size_t count;
        uint8_t bytes[8];
    } cases[] = {
        { 1u << 0, 8, { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F } }, /* delete_after */
        { 1u << 4, 4, { 0 } },                                              /* revision */
        { 1u << 5, 2, { 0 } },                                              /* jurisdiction */
        { 1u << 6, 2, { 0, 0x80 } },                                        /* utc_offset */
        { 1u << 7, 2, { 0xFF, 0xFF } },                                     /* heading */
        { 1u << 8, 2, { 0xFF, 0xFF } },                                     /* speed */
        { 1u << 9, 2, { 0 } },                                              /* year */
        { 1u << 10, 2, { 0 } },                                             /* year_last */
        { 1u << 11, 1, { 0 } },                                             /* lane */
        { 1u << 12, 1, { 0 } },                                             /* alternates */
        { 1u << 13, 1, { 0 } },                                             /* images */
        { 1u << 12, 1, { PB_ALTERNATES_MAX + 1 } },
        { 1u << 13, 1, { PB_IMAGES_MAX + 1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[1024] = { 0 };
        size_t used = 0, at = 12 + cases[i].count;

        bytes[0] = (uint8_t)cases[i].flag;
        bytes[1] = (uint8_t)(cases[i].flag >> 8);
        memcpy(bytes + 12, cases[i].bytes, cases[i].count);
        memcpy(bytes + at, "\1A\1g", 4);
        for (size_t j = at + 4; j < sizeof(bytes); j++)
            bytes[j] = 1; /* whatever follows is well formed */
        assert_int_equal(PB_BAD_INPUT, decode_tight(bytes, sizeof(bytes), &used));
        if (cases[i].count < 8 && cases[i].flag < 1u << 12) {
            bytes[12] = 1; /* the same with a value that is one */
            assert_int_equal(PB_OK, decode_tight(bytes, sizeof(bytes), &used));
        }
    }
}

static void
decode_refuses_an_image_of_unknown_kind(void **state)
{
    uint8_t bytes[] = { 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 'A', 1, 'g', 3, 0, 'x' };
    size_t used = 0;

    (void)state;
    assert_int_equal(PB_OK, decode_tight(bytes, sizeof(bytes), &used));
    assert_int_equal(sizeof(bytes), used);
    bytes[17] = 4;
    assert_int_equal(PB_BAD_INPUT, decode_tight(bytes, sizeof(bytes), &used));
}

/* Damage either is refused or gives a record that means just these bytes. */
static void
decode_of_damaged_bytes_is_refused_or_exact(void **state)
{
    uint64_t seed = 13;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct maker_room made;
        struct pb_record_room room;
        struct pb_read read = maker_random_read(&made, &seed), decoded;
        uint8_t bytes[PB_RECORD_BYTES_MAX], again[PB_RECORD_BYTES_MAX];
        size_t used = 0, count = pb_record_encode(&read, bytes);

        for (uint32_t flips = 1 + maker_below(&seed, 3); flips > 0; flips--)
            bytes[maker_below(&seed, (uint32_t)count)] ^= (uint8_t)(1u << maker_below(&seed, 8));
        if (pb_record_decode(bytes, count, &room, &decoded, &used) != PB_OK)
            continue;
        assert_in_range(used, 16, count);
        assert_int_equal(used, pb_record_encode(&decoded, again));
        assert_memory_equal(bytes, again, used);
    }
}

static bool
is_ascii(struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        if ((unsigned char)text.text[i] < ' ' || (unsigned char)text.text[i] > '~')
            return false;
    }
    return true;
}

static bool
are_all_ascii(const struct pb_read *read)
{
    return is_ascii(read->plate) && is_ascii(read->reader) && is_ascii(read->plate_raw) &&
           is_ascii(read->make) && is_ascii(read->model) && is_ascii(read->color) &&
           is_ascii(read->body) && is_ascii(read->event_id) && is_ascii(read->identity_plate);
}

/* Whatever the lengths and wherever the byte that is none: it is never overlooked. */
static void
texts_are_told_to_be_ascii_only_where_they_are(void **state)
{
    static const unsigned char others[] = { 0, 1, 7, 31, 127, 128, 0xC3, 0xFF, 'x' };
    uint64_t seed = 21;
    uint32_t told = 0;
    uint32_t not_told = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char reader[60], make[40];
        struct maker_room made;
        struct pb_record_room room;
        struct pb_read read = maker_ordinary(), decoded;
        uint8_t bytes[PB_RECORD_BYTES_MAX];
        size_t used = 0, count;
        unsigned char *changed;

        if (i % 8 == 7)
            read = maker_random_read(&made, &seed);
        memset(reader, 'r', sizeof(reader));
        memset(make, 'm', sizeof(make));
        read.reader = (struct pb_str){ reader, 1 + maker_below(&seed, i % 2 ? 31 : 60) };
        read.make = (struct pb_str){ make, maker_below(&seed, i % 2 ? 31 : 40) };
        if (read.alternate_count == 0 && i % 3 == 0)
            read.event_id = pb_str_from("e");
        changed = (unsigned char *)reader + maker_below(&seed, read.reader.bytes);
        if (i % 4 == 0)
            *changed = others[maker_below(&seed, sizeof(others))];
        count = pb_record_encode(&read, bytes);
        assert_int_equal(PB_OK, pb_record_decode(bytes, count, &room, &decoded, &used));
        if (pb_record_is_ascii(bytes, used, &decoded)) {
            assert_true(are_all_ascii(&decoded));
            told++;
        } else {
            /* Long texts and lists are not looked at, and less than eight bytes neither. */
            not_told += are_all_ascii(&decoded) && read.reader.bytes < 32 && read.make.bytes < 32 &&
                        read.reader.bytes + read.make.bytes >= 8 && i % 8 != 7;
        }
    }
    assert_int_equal(0, not_told);
    assert_true(told > 5000);
}

/* The quick look takes eight bytes at once: with fewer it says no, and the long way decides. */
static void
texts_of_less_than_eight_bytes_are_not_told_to_be_ascii(void **state)
{
    static const struct {
        const char *plate; /* beside it two lengths, and a reader of one byte */
        bool is_told;
    } cases[] = { { "A", false }, { "AB12", false }, { "AB123", true }, { "AB1234", true } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = maker_ordinary(), decoded;
        struct pb_record_room room;
        uint8_t bytes[PB_RECORD_BYTES_MAX];
        size_t used = 0, count;

        read.plate = pb_str_from(cases[i].plate);
        count = pb_record_encode(&read, bytes);
        assert_int_equal(PB_OK, pb_record_decode(bytes, count, &room, &decoded, &used));
        assert_int_equal(cases[i].is_told, pb_record_is_ascii(bytes, used, &decoded));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_as_the_format_page_shows),
        cmocka_unit_test(record_brings_back_every_field),
        cmocka_unit_test(record_leaves_out_what_the_store_adds),
        cmocka_unit_test(record_of_the_longest_read_has_1900_bytes),
        cmocka_unit_test(records_follow_each_other_without_separators),
        cmocka_unit_test(decode_refuses_every_record_that_is_cut_short),
        cmocka_unit_test(decode_refuses_what_has_two_ways_to_be_written),
        cmocka_unit_test(decode_refuses_an_unknown_number_with_its_flag_set),
        cmocka_unit_test(decode_refuses_an_image_of_unknown_kind),
        cmocka_unit_test(decode_of_damaged_bytes_is_refused_or_exact),
        cmocka_unit_test(texts_are_told_to_be_ascii_only_where_they_are),
        cmocka_unit_test(texts_of_less_than_eight_bytes_are_not_told_to_be_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
