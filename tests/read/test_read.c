#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "read/read_maker.h"
#include "support/fault_env.h"

static enum pb_status
validate(const struct pb_read *read, const char **field)
{
    const char *reason = NULL;
    enum pb_status status;

    *field = "";
    status = pb_read_validate(read, field, &reason);
    if (status != PB_OK)
        assert_non_null(reason);
    return status;
}

static void
takes(struct pb_read read)
{
    const char *field;
    enum pb_status status = validate(&read, &field);

    assert_string_equal("", field);
    assert_int_equal(PB_OK, status);
}

static bool
text_fields_are_plain(const struct pb_read *read)
{
    const struct pb_str texts[] = { read->plate, read->plate_raw, read->reader, read->make,
                                    read->model, read->color,     read->body,   read->event_id };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (uint32_t at = 0; at < texts[i].bytes; at++) {
            if (texts[i].text[at] < ' ' || texts[i].text[at] > '~')
                return false;
        }
    }
    return true;
}

static void
refuses(struct pb_read read, const char *expected_field)
{
    const char *field;

    assert_int_equal(PB_BAD_INPUT, validate(&read, &field));
    assert_string_equal(expected_field, field);
    /* What is not a matter of how texts are written the short way refuses, too. */
    if (strcmp(field, "plate") != 0 && text_fields_are_plain(&read))
        assert_false(pb_read_is_plainly_valid(&read));
}

static void
init_leaves_everything_unknown(void **state)
{
    struct pb_read read;

    (void)state;
    memset(&read, 0xA5, sizeof(read));
    pb_read_init(&read);
    assert_int_equal(0, read.plate.bytes);
    assert_int_equal(0, read.jurisdiction);
    assert_int_equal(PB_NO_UTC_OFFSET, read.utc_offset_min);
    assert_true(read.delete_after_us == PB_NEVER);
    assert_int_equal(PB_NO_POSITION, read.lat_e7);
    assert_int_equal(PB_NO_POSITION, read.lon_e7);
    assert_int_equal(PB_NO_HEADING, read.heading_cdeg);
    assert_int_equal(PB_NO_SPEED, read.speed_ckmh);
    assert_int_equal(PB_SCALE_NONE, read.confidence_scale);
    assert_int_equal(PB_NO_CONFIDENCE, read.confidence_e6);
    assert_int_equal(-1, pb_read_confidence_permille(&read));
    assert_int_equal(0, read.alternate_count);
    assert_int_equal(0, read.image_count);
    assert_false(read.is_superseded);
}

static void
confidence_of_both_scales_is_one_scale_rounded_down(void **state)
{
    static const struct {
        enum pb_confidence_scale scale;
        uint32_t e6;
        int permille;
    } cases[] = {
        { PB_SCALE_UNIT, 0, 0 },
        { PB_SCALE_UNIT, 1000000, 1000 },
        { PB_SCALE_UNIT, 937210, 937 },
        { PB_SCALE_UNIT, 899999, 899 },
        { PB_SCALE_PERCENT, 0, 0 },
        { PB_SCALE_PERCENT, 100000000, 1000 },
        { PB_SCALE_PERCENT, 91609123, 916 },
        { PB_SCALE_PERCENT, 89999999, 899 },
        { PB_SCALE_NONE, PB_NO_CONFIDENCE, -1 },
        { PB_SCALE_NONE, 500000, -1 }, /* a number without a scale says nothing */
        { (enum pb_confidence_scale)3, 500000, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = maker_ordinary();

        read.confidence_scale = cases[i].scale;
        read.confidence_e6 = cases[i].e6;
        assert_int_equal(cases[i].permille, pb_read_confidence_permille(&read));
    }
}

static void
validate_takes_every_random_valid_read(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct maker_room room;

        takes(maker_random_read(&room, &seed));
    }
}

static void
validate_takes_the_ends_of_every_range(void **state)
{
    struct pb_read read = maker_ordinary();

    (void)state;
    read.captured_at_us = PB_TIME_MIN_US;
    read.delete_after_us = PB_TIME_MIN_US;
    read.utc_offset_min = -1439;
    read.lat_e7 = -900000000;
    read.lon_e7 = -1800000000;
    read.heading_cdeg = 0;
    read.speed_ckmh = 0;
    read.confidence_e6 = 0;
    read.year = 1885;
    read.year_last = 1886;
    takes(read);

    read.captured_at_us = PB_TIME_MAX_US - 1;
    read.delete_after_us = PB_TIME_MAX_US - 1;
    read.utc_offset_min = 1439;
    read.lat_e7 = 900000000;
    read.lon_e7 = 1800000000;
    read.heading_cdeg = 35999;
    read.speed_ckmh = 65534;
    read.confidence_e6 = 100000000;
    read.year = 2100;
    read.year_last = 0;
    takes(read);

    read.confidence_scale = PB_SCALE_UNIT;
    read.confidence_e6 = 1000000;
    takes(read);
}

static void
validate_refuses_numbers_out_of_range(void **state)
{
    const struct pb_read good = maker_ordinary();
    struct pb_read read;

    (void)state;
    read = good, read.captured_at_us = -1, refuses(read, "captured_at");
    read = good, read.captured_at_us = PB_TIME_MAX_US, refuses(read, "captured_at");
    read = good, read.captured_at_us = INT64_MIN, refuses(read, "captured_at");
    read = good, read.utc_offset_min = 1440, refuses(read, "captured_at");
    read = good, read.utc_offset_min = -1440, refuses(read, "captured_at");
    read = good, read.delete_after_us = -1, refuses(read, "delete_after");
    read = good, read.delete_after_us = PB_TIME_MAX_US, refuses(read, "delete_after");
    read = good, read.lat_e7 = 900000001, refuses(read, "lat");
    read = good, read.lat_e7 = -900000001, refuses(read, "lat");
    read = good, read.lon_e7 = 1800000001, refuses(read, "lon");
    read = good, read.lon_e7 = -1800000001, refuses(read, "lon");
    read = good, read.lat_e7 = PB_NO_POSITION, refuses(read, "lat");
    read = good, read.lon_e7 = PB_NO_POSITION, refuses(read, "lon");
    read = good, read.heading_cdeg = 36000, refuses(read, "heading_deg");
    read = good, read.confidence_e6 = 100000001, refuses(read, "confidence");
    read = good, read.confidence_e6 = PB_NO_CONFIDENCE, refuses(read, "confidence");
    read = good, read.confidence_scale = PB_SCALE_UNIT, refuses(read, "confidence");
    read = good, read.confidence_scale = PB_SCALE_NONE, refuses(read, "confidence");
    read = good, read.confidence_scale = (enum pb_confidence_scale)3, refuses(read, "confidence");
    read = good, read.year = 1884, refuses(read, "year");
    read = good, read.year = 2101, refuses(read, "year");
    read = good, read.year_last = 2019, refuses(read, "year");
    read = good, read.year = 2019, read.year_last = 2019, refuses(read, "year");
    read = good, read.year = 2019, read.year_last = 2101, refuses(read, "year");
}

static void
validate_refuses_texts_that_are_missing_or_too_long(void **state)
{
    static const struct {
        const char *field;
        size_t offset;
        uint32_t bytes_max;
        bool is_needed;
    } cases[] = {
        { "plate", offsetof(struct pb_read, plate), 32, true },
        { "plate_raw", offsetof(struct pb_read, plate_raw), 64, false },
        { "reader", offsetof(struct pb_read, reader), 64, true },
        { "make", offsetof(struct pb_read, make), 48, false },
        { "model", offsetof(struct pb_read, model), 48, false },
        { "color", offsetof(struct pb_read, color), 48, false },
        { "body", offsetof(struct pb_read, body), 48, false },
        { "event_id", offsetof(struct pb_read, event_id), 128, false },
        { "identity_plate", offsetof(struct pb_read, identity_plate), 32, true },
    };
    char letters[129];

    (void)state;
    memset(letters, 'A', sizeof(letters));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = maker_ordinary();
        struct pb_str *text = (void *)((char *)&read + cases[i].offset);

        read.is_correction = cases[i].offset == offsetof(struct pb_read, identity_plate);
        *text = (struct pb_str){ letters, cases[i].bytes_max };
        takes(read);
        text->bytes++;
        refuses(read, cases[i].field);
        text->bytes = 2;
        text->text = "A\n";
        refuses(read, cases[i].field);
        text->text = "A\xFF";
        refuses(read, cases[i].field);
        *text = (struct pb_str){ NULL, 0 };
        if (cases[i].is_needed)
            refuses(read, cases[i].field);
        else
            takes(read);
    }
}

/* The fast path looks at eight bytes at once: each byte value at each place of each length. */
static void
validate_finds_any_bad_byte_anywhere_in_a_text(void **state)
{
    (void)state;
    for (uint32_t bytes = 1; bytes <= 40; bytes++) {
        for (uint32_t at = 0; at < bytes; at++) {
            for (unsigned value = 0; value <= 0xFF; value++) {
                struct pb_read read = maker_ordinary();
                char text[40];

                memset(text, 'x', sizeof(text));
                text[at] = (char)value;
                read.event_id = (struct pb_str){ text, bytes };
                if (value >= 0x20 && value <= 0x7E)
                    takes(read);
                else
                    refuses(read, "event_id");
            }
        }
    }
}

static void
validate_takes_utf8_and_refuses_what_only_looks_like_it(void **state)
{
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        { "\xC3\x84" "B12", true },             /* A with diaeresis */
        { "\xE4\xBA\xAC" "A12345", true },      /* one Chinese character */
        { "\xF0\x9F\x9A\x97", true },           /* outside the basic plane */
        { "12345678\xC3\x84", true },
        { "\xC2\xA0", true },                   /* the first after the control characters */
        { "\xC2\x80", false },                  /* C1 control character */
        { "\xC2\x9F", false },
        { "abc\xC3", false },                   /* cut short */
        { "\xC0\x80", false },                  /* NUL, overlong */
        { "\xC1\xBF", false },
        { "\xE0\x80\x80", false },
        { "\xED\xA0\x80", false },              /* surrogate */
        { "\xF4\x90\x80\x80", false },          /* above U+10FFFF */
        { "\xF8\x88\x80\x80\x80", false },
        { "\x80", false },
        { "\xC3\x84\x1F", false },              /* control character after other text */
        { "\xC3\x84\x7F", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = maker_ordinary();

        read.make = pb_str_from(cases[i].text);
        if (cases[i].is_valid)
            takes(read);
        else
            refuses(read, "make");
    }
}

static void
validate_checks_alternates(void **state)
{
    struct pb_alternate alternates[PB_ALTERNATES_MAX + 1];
    struct pb_read read = maker_ordinary();
    char letters[33];

    (void)state;
    memset(letters, 'A', sizeof(letters));
    for (size_t i = 0; i < PB_ALTERNATES_MAX + 1; i++)
        alternates[i] = (struct pb_alternate){ { letters, 32 }, 100000000 };
    read.alternates = alternates;
    read.alternate_count = PB_ALTERNATES_MAX;
    takes(read);
    read.alternate_count++;
    refuses(read, "alternates");
    read.alternate_count = 2;
    alternates[1].plate.bytes = 33;
    refuses(read, "alternates");
    alternates[1].plate.bytes = 0;
    refuses(read, "alternates");
    alternates[1].plate = pb_str_from("A\x01");
    refuses(read, "alternates");
    alternates[1].plate = pb_str_from("A");
    alternates[1].confidence_e6 = 100000001;
    refuses(read, "alternates");
    alternates[1].confidence_e6 = PB_NO_CONFIDENCE;
    takes(read);
    read.confidence_scale = PB_SCALE_NONE;
    read.confidence_e6 = PB_NO_CONFIDENCE;
    refuses(read, "alternates"); /* the first one's confidence is on no scale */
    alternates[0].confidence_e6 = PB_NO_CONFIDENCE;
    takes(read);
}

static void
validate_checks_images(void **state)
{
    struct pb_image_ref images[PB_IMAGES_MAX + 1];
    struct pb_read read = maker_ordinary();
    char letters[257];

    (void)state;
    memset(letters, 'A', sizeof(letters));
    for (size_t i = 0; i < PB_IMAGES_MAX + 1; i++)
        images[i] = (struct pb_image_ref){ PB_IMAGE_SCENE, { letters, 256 } };
    read.images = images;
    read.image_count = PB_IMAGES_MAX;
    takes(read);
    read.image_count++;
    refuses(read, "images");
    read.image_count = 2;
    images[1].ref.bytes = 257;
    refuses(read, "images");
    images[1].ref.bytes = 0;
    refuses(read, "images");
    images[1].ref = pb_str_from("a\tb");
    refuses(read, "images");
    images[1].ref = pb_str_from("a");
    images[1].kind = (enum pb_image_kind)4;
    refuses(read, "images");
    images[1].kind = PB_IMAGE_OTHER;
    takes(read);
}

static void
validate_wants_an_identity_plate_just_of_a_correction_without_event_id(void **state)
{
    struct pb_read read = maker_ordinary();

    (void)state;
    read.identity_plate = pb_str_from("AB1Z");
    refuses(read, "identity_plate");
    read.is_correction = true;
    takes(read);
    read.event_id = pb_str_from("e1");
    refuses(read, "identity_plate");
    read.identity_plate = (struct pb_str){ NULL, 0 };
    takes(read);
    read.event_id = (struct pb_str){ NULL, 0 };
    refuses(read, "identity_plate");
}

static void
the_short_way_takes_an_ordinary_read_and_leaves_the_rest_to_the_long_one(void **state)
{
    static const struct pb_alternate alternate = { { "AB13", 4 }, PB_NO_CONFIDENCE };
    static const struct pb_image_ref image = { PB_IMAGE_OTHER, { "a", 1 } };
    struct pb_read read = maker_ordinary();

    (void)state;
    assert_true(pb_read_is_plainly_valid(&read));
    read.alternates = &alternate;
    read.alternate_count = 1;
    takes(read);
    assert_false(pb_read_is_plainly_valid(&read));
    read = maker_ordinary();
    read.images = &image;
    read.image_count = 1;
    takes(read);
    assert_false(pb_read_is_plainly_valid(&read));
    read = maker_ordinary();
    read.event_id = pb_str_from("e1");
    read.is_correction = true;
    takes(read);
    assert_false(pb_read_is_plainly_valid(&read));
    read = maker_ordinary();
    read.plate = pb_str_from("#A");
    takes(read);
    assert_false(pb_read_is_plainly_valid(&read));
    read.plate = (struct pb_str){ NULL, 0 };
    assert_false(pb_read_is_plainly_valid(&read));
}

static void
validate_takes_a_plate_that_nobody_read_only_of_a_person(void **state)
{
    static const struct {
        const char *plate;
        bool is_correction, is_taken;
    } cases[] = {
        { "#", false, false },  { "##", false, false }, { "#", true, true },
        { "##", true, false },  { "A#", false, true },  { "#A", false, true },
        { "##A", false, true }, { "#É", false, true },
    };

    (void)state;
    assert_string_equal("#", PB_PLATE_UNREADABLE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_read read = maker_ordinary();

        read.plate = pb_str_from(cases[i].plate);
        read.is_correction = cases[i].is_correction;
        if (read.is_correction)
            read.identity_plate = pb_str_from("AB12");
        if (cases[i].is_taken)
            takes(read);
        else
            refuses(read, "plate");
    }
}

static void
same_content_ignores_what_the_store_adds(void **state)
{
    struct pb_read a = maker_ordinary();
    struct pb_read b = maker_ordinary();

    (void)state;
    b.received_at_us = 5;
    b.commit = 7;
    b.delete_after_us = 9;
    b.is_superseded = true;
    assert_true(pb_read_same_content(&a, &b));
    b.plate_raw = a.plate; /* says no more than an empty one */
    assert_true(pb_read_same_content(&a, &b));
    assert_true(pb_read_same_content(&b, &a));
    b.plate_raw = pb_str_from("ab 12");
    assert_false(pb_read_same_content(&a, &b));
}

/* Any two different random reads differ; a deep copy never does. */
static void
same_content_tells_reads_apart_and_copies_together(void **state)
{
    struct pb_arena arena;
    uint64_t seed = 7;

    (void)state;
    pb_arena_init(&arena, pb_env_system(), 4096);
    for (int i = 0; i < 500; i++) {
        struct maker_room room_a, room_b;
        struct pb_read a = maker_random_read(&room_a, &seed);
        struct pb_read b = maker_random_read(&room_b, &seed);
        struct pb_read copy;

        assert_false(pb_read_same_content(&a, &b));
        assert_int_equal(PB_OK, pb_read_copy(&arena, &a, &copy));
        assert_true(pb_read_same_content(&a, &copy));
        pb_arena_reset(&arena);
    }
    pb_arena_clear(&arena);
}

static void
same_content_looks_at_each_field(void **state)
{
    struct pb_alternate alternate = { { "AB1Z", 4 }, 5 }, other_alternate = { { "AB1Z", 4 }, 6 };
    struct pb_image_ref image = { PB_IMAGE_PLATE, { "x", 1 } };
    struct pb_image_ref other_image = { PB_IMAGE_SCENE, { "x", 1 } };
    struct pb_image_ref other_ref = { PB_IMAGE_PLATE, { "y", 1 } };
    struct pb_alternate other_plate = { { "AB1Y", 4 }, 5 };
    struct pb_read good = maker_ordinary();
    struct pb_read reads[29];
    size_t count = 0;

    (void)state;
    good.alternates = &alternate;
    good.alternate_count = 1;
    good.images = &image;
    good.image_count = 1;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        reads[i] = good;
    reads[count++].plate = pb_str_from("AB13");
    reads[count++].jurisdiction = 1;
    reads[count++].captured_at_us++;
    reads[count++].utc_offset_min = 0;
    reads[count++].reader = pb_str_from("h");
    reads[count++].lat_e7++;
    reads[count++].lon_e7++;
    reads[count++].heading_cdeg = 0;
    reads[count++].speed_ckmh = 0;
    reads[count++].lane = 1;
    reads[count++].confidence_scale = PB_SCALE_UNIT;
    reads[count++].confidence_e6++;
    reads[count++].make = pb_str_from("m");
    reads[count++].model = pb_str_from("m");
    reads[count++].color = pb_str_from("m");
    reads[count++].body = pb_str_from("m");
    reads[count++].year = 2000;
    reads[count++].year_last = 2001;
    reads[count++].event_id = pb_str_from("m");
    reads[count++].revision = 1;
    reads[count++].is_revisable = true;
    reads[count++].is_correction = true;
    reads[count++].identity_plate = pb_str_from("AB1Z");
    reads[count++].alternates = &other_alternate;
    reads[count++].alternates = &other_plate;
    reads[count++].alternate_count = 0;
    reads[count++].images = &other_image;
    reads[count++].images = &other_ref;
    reads[count++].image_count = 0;
    assert_int_equal(sizeof(reads) / sizeof(reads[0]), count);
    for (size_t i = 0; i < count; i++) {
        assert_false(pb_read_same_content(&good, &reads[i]));
        assert_false(pb_read_same_content(&reads[i], &good));
    }
}

static void
copy_shares_no_memory_with_the_original(void **state)
{
    struct maker_room *room = test_malloc(sizeof(*room));
    struct pb_read original, copy;
    struct pb_arena arena;
    uint8_t before[PB_RECORD_BYTES_MAX], after[PB_RECORD_BYTES_MAX];
    uint64_t seed = 11;
    size_t count;

    (void)state;
    pb_arena_init(&arena, pb_env_system(), 512);
    do {
        original = maker_random_read(room, &seed);
    } while (original.alternate_count == 0 || original.image_count == 0);
    count = pb_record_encode(&original, before);
    assert_int_equal(PB_OK, pb_read_copy(&arena, &original, &copy));
    memset(room, 0, sizeof(*room));
    test_free(room); /* a pointer left into it would be found by the sanitizer */
    assert_int_equal(count, pb_record_encode(&copy, after));
    assert_memory_equal(before, after, count);
    pb_arena_clear(&arena);
}

static void
copy_leaves_its_target_alone_without_memory(void **state)
{
    struct pb_read original = maker_ordinary(), copy = maker_ordinary();
    struct fault_env fault;
    struct pb_arena arena;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = 1;
    pb_arena_init(&arena, &fault.env, 512);
    copy.plate = pb_str_from("KEEP");
    assert_int_equal(PB_E_NOMEM, pb_read_copy(&arena, &original, &copy));
    assert_true(pb_str_equal(copy.plate, pb_str_from("KEEP")));
    assert_int_equal(PB_OK, pb_read_copy(&arena, &original, &copy));
    assert_true(pb_str_equal(copy.plate, original.plate));
    pb_arena_clear(&arena);
    assert_true(fault_env_is_clean(&fault));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_leaves_everything_unknown),
        cmocka_unit_test(confidence_of_both_scales_is_one_scale_rounded_down),
        cmocka_unit_test(validate_takes_every_random_valid_read),
        cmocka_unit_test(validate_takes_the_ends_of_every_range),
        cmocka_unit_test(validate_refuses_numbers_out_of_range),
        cmocka_unit_test(validate_refuses_texts_that_are_missing_or_too_long),
        cmocka_unit_test(validate_finds_any_bad_byte_anywhere_in_a_text),
        cmocka_unit_test(validate_takes_utf8_and_refuses_what_only_looks_like_it),
        cmocka_unit_test(validate_checks_alternates),
        cmocka_unit_test(validate_checks_images),
        cmocka_unit_test(validate_wants_an_identity_plate_just_of_a_correction_without_event_id),
        cmocka_unit_test(the_short_way_takes_an_ordinary_read_and_leaves_the_rest_to_the_long_one),
        cmocka_unit_test(validate_takes_a_plate_that_nobody_read_only_of_a_person),
        cmocka_unit_test(same_content_ignores_what_the_store_adds),
        cmocka_unit_test(same_content_tells_reads_apart_and_copies_together),
        cmocka_unit_test(same_content_looks_at_each_field),
        cmocka_unit_test(copy_shares_no_memory_with_the_original),
        cmocka_unit_test(copy_leaves_its_target_alone_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
