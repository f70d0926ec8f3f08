/*
 * Extras come back as they went in, and bytes that are none are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "read/read_maker.h"
#include "store/local/extras.h"
#include "support/model.h"

static void
extras_of_any_read_come_back(void **state)
{
    uint64_t random = 9;

    (void)state;
    for (int i = 0; i < 500; i++) {
        struct maker_room maker;
        struct pb_record_room room;
        struct pb_read read = maker_random_read(&maker, &random);
        struct pb_read found = read;
        uint8_t bytes[PB_EXTRAS_BYTES_MAX];
        size_t count = pb_extras_encode(&read, bytes);

        found.plate_raw = found.event_id = found.identity_plate = (struct pb_str){ NULL, 0 };
        found.alternate_count = 0;
        found.image_count = 0;
        assert_int_equal(PB_OK, pb_extras_decode(bytes, count, &room, &found));
        assert_null(model_difference(&read, &found, true));
    }
}

/* Cut anywhere, extras are refused or are those of the fields before the cut. */
static void
extras_cut_short_are_refused(void **state)
{
    uint64_t random = 10;

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct maker_room maker;
        struct pb_read read = maker_random_read(&maker, &random);
        uint8_t bytes[PB_EXTRAS_BYTES_MAX];
        size_t count = pb_extras_encode(&read, bytes);
        uint32_t whole = 0;

        for (size_t cut = 0; cut < count; cut++) {
            struct pb_record_room room;
            struct pb_read found;

            pb_read_init(&found);
            whole += pb_extras_decode(bytes, cut, &room, &found) == PB_OK;
        }
        /* At most one way to be whole for each field. */
        assert_in_range(whole, 0, 3 + read.alternate_count + read.image_count);
    }
}

static void
fields_that_are_none_are_refused(void **state)
{
    static const struct {
        uint8_t bytes[48];
        size_t count;
        enum pb_status expected;
    } cases[] = {
        { { 1, 1, 0, 'A' }, 4, PB_OK },
        { { 0, 1, 0, 'A' }, 4, PB_E_CORRUPT },             /* no such tag */
        { { 6, 1, 0, 'A' }, 4, PB_E_CORRUPT },
        { { 1, 2, 0, 'A' }, 4, PB_E_CORRUPT },             /* longer than there is */
        { { 1, 1 }, 2, PB_E_CORRUPT },
        { { 4, 5, 0, 0, 0, 0, 0, 'A' }, 8, PB_OK },        /* an alternate */
        { { 4, 3, 0, 0, 0, 0 }, 6, PB_E_CORRUPT },         /* without its confidence */
        { { 4, 4, 0, 0, 0, 0, 0 }, 7, PB_E_CORRUPT },      /* without its plate */
        { { 4, 37, 0 }, 40, PB_E_CORRUPT },                /* longer than a plate */
        { { 4, 36, 0 }, 39, PB_OK },
        { { 5, 2, 0, 3, 'a' }, 5, PB_OK },                 /* an image */
        { { 5, 0, 0 }, 3, PB_E_CORRUPT },
        { { 5, 1, 0, 3 }, 4, PB_E_CORRUPT },               /* of nothing */
        { { 5, 2, 0, 4, 'a' }, 5, PB_E_CORRUPT },          /* of no kind */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_record_room room;
        struct pb_read read;

        pb_read_init(&read);
        if (pb_extras_decode(cases[i].bytes, cases[i].count, &room, &read) != cases[i].expected)
            fail_msg("case %zu", i);
    }
}

/* Whoever puts an identity together has room for the texts of valid reads. */
static void
texts_longer_than_any_reads_are_refused(void **state)
{
    static const struct {
        uint8_t tag;
        uint32_t bytes_max;
    } cases[] = { { 1, PB_PLATE_RAW_BYTES_MAX },
                  { 2, PB_EVENT_ID_BYTES_MAX },
                  { 3, PB_PLATE_BYTES_MAX },
                  { 5, 1 + PB_IMAGE_REF_BYTES_MAX } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t more = 0; more < 3; more++) {
            uint32_t field_bytes = more == 2 ? 0 : cases[i].bytes_max + more;
            uint8_t bytes[3 + PB_IMAGE_REF_BYTES_MAX + 2] = { cases[i].tag };
            struct pb_record_room room;
            struct pb_read read;

            pb_put_le16(bytes + 1, (uint16_t)field_bytes);
            pb_read_init(&read);
            assert_int_equal(more == 0 ? PB_OK : PB_E_CORRUPT,
                             pb_extras_decode(bytes, 3 + field_bytes, &room, &read));
        }
    }
}

static void
more_alternates_and_images_than_a_read_may_have_are_refused(void **state)
{
    uint8_t alternates[(PB_ALTERNATES_MAX + 1) * 8] = { 0 };
    uint8_t images[(PB_IMAGES_MAX + 1) * 5] = { 0 };
    struct pb_record_room room;
    struct pb_read read;

    (void)state;
    for (size_t i = 0; i < PB_ALTERNATES_MAX + 1; i++)
        memcpy(alternates + i * 8, (uint8_t[]){ 4, 5, 0, 0, 0, 0, 0, 'A' }, 8);
    for (size_t i = 0; i < PB_IMAGES_MAX + 1; i++)
        memcpy(images + i * 5, (uint8_t[]){ 5, 2, 0, 1, 'a' }, 5);
    pb_read_init(&read);
    assert_int_equal(PB_OK, pb_extras_decode(alternates, sizeof(alternates) - 8, &room, &read));
    assert_int_equal(PB_ALTERNATES_MAX, read.alternate_count);
    assert_int_equal(PB_E_CORRUPT, pb_extras_decode(alternates, sizeof(alternates), &room, &read));
    assert_int_equal(PB_OK, pb_extras_decode(images, sizeof(images) - 5, &room, &read));
    assert_int_equal(PB_IMAGES_MAX, read.image_count);
    assert_int_equal(PB_E_CORRUPT, pb_extras_decode(images, sizeof(images), &room, &read));
}

static void
extras_longer_than_any_reads_are_refused(void **state)
{
    static const uint8_t field[4] = { 1, 1, 0, 'A' };
    uint8_t bytes[PB_EXTRAS_BYTES_MAX + sizeof(field)];
    struct pb_record_room room;
    struct pb_read read;

    (void)state;
    assert_int_equal(0, PB_EXTRAS_BYTES_MAX % sizeof(field));
    for (size_t at = 0; at < sizeof(bytes); at += sizeof(field))
        memcpy(bytes + at, field, sizeof(field));
    pb_read_init(&read);
    assert_int_equal(PB_OK, pb_extras_decode(bytes, PB_EXTRAS_BYTES_MAX, &room, &read));
    assert_int_equal(1, read.plate_raw.bytes);
    assert_int_equal(PB_E_CORRUPT, pb_extras_decode(bytes, sizeof(bytes), &room, &read));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extras_of_any_read_come_back),
        cmocka_unit_test(extras_cut_short_are_refused),
        cmocka_unit_test(fields_that_are_none_are_refused),
        cmocka_unit_test(texts_longer_than_any_reads_are_refused),
        cmocka_unit_test(more_alternates_and_images_than_a_read_may_have_are_refused),
        cmocka_unit_test(extras_longer_than_any_reads_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
