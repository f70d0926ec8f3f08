/* Base64: each value has one spelling, in either alphabet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/text.h"

typedef enum pb_status decode_fn(struct pb_str text, uint8_t *ret_bytes, size_t room,
                                 size_t *ret_count);

/* The examples of RFC 4648, section 10, and bytes whose digits differ between the alphabets. */
static const struct {
    const char *bytes, *padded, *url;
} values[] = {
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff", "+/8=", "-_8" },
};
#define VALUES (sizeof(values) / sizeof(values[0]))

static void
expect(decode_fn *decode, const char *text, const char *bytes)
{
    uint8_t room[6];
    size_t count = 0;

    assert_int_equal(PB_OK, decode(pb_str_from(text), room, sizeof(room), &count));
    assert_int_equal(strlen(bytes), count);
    assert_memory_equal(bytes, room, count);
    assert_int_equal(PB_BAD_INPUT, decode(pb_str_from(text), room, count - 1, &count));
}

static void
what_is_written_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        char text[16] = "";
        struct pb_text_out out = pb_text_out(text, sizeof(text));

        pb_put_base64(&out, values[i].bytes, strlen(values[i].bytes));
        assert_false(out.is_cut);
        assert_string_equal(values[i].padded, text);
        expect(pb_base64_decode, values[i].padded, values[i].bytes);
        expect(pb_base64url_decode, values[i].url, values[i].bytes);
    }
}

static void
another_spelling_is_refused(void **state)
{
    /* White space, padding that is missing or too much, bits that nothing reads, the other
     * alphabet, a digit too few. */
    static const char *const padded[] = { "Zg",   "Zg=",    "Zg===", "Zh==", "Zm9=", "Zm9v=",
                                          "-_8=", "Zm9v\n", " Zm9v", "Z",    "=",    "Zm 9v" };
    static const char *const url[] = { "",    "Zg==",   "Zg=",   "Zh", "Zm9",   "Zm9v=",
                                       "+/8", "Zm9v\n", " Zm9v", "Z",  "Zm9vY", "Zm 9v" };
    uint8_t room[8];
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++) {
        if (pb_base64_decode(pb_str_from(padded[i]), room, sizeof(room), &count) != PB_BAD_INPUT)
            fail_msg("taken: '%s'", padded[i]);
    }
    for (size_t i = 0; i < sizeof(url) / sizeof(url[0]); i++) {
        if (pb_base64url_decode(pb_str_from(url[i]), room, sizeof(room), &count) != PB_BAD_INPUT)
            fail_msg("taken: '%s'", url[i]);
    }
}

/* Some releases of the library below take bytes past 0x7f for digits. */
static void
sixty_four_bytes_are_digits(void **state)
{
    uint8_t room[3];
    size_t count;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char digits[4] = { 'A', (char)byte, 'A', 'A' };
        struct pb_str text = { digits, sizeof(digits) };
        bool is_common = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                         (byte >= '0' && byte <= '9');

        if ((pb_base64_decode(text, room, sizeof(room), &count) == PB_OK) !=
                (is_common || byte == '+' || byte == '/') ||
            (pb_base64url_decode(text, room, sizeof(room), &count) == PB_OK) !=
                (is_common || byte == '-' || byte == '_'))
            fail_msg("byte %d", byte);
    }
}

static void
a_length_that_is_known_is_the_only_one(void **state)
{
    uint8_t room[64];
    char text[96];
    struct pb_text_out out = pb_text_out(text, 7);
    size_t count = 9;

    (void)state;
    assert_int_equal(PB_OK, pb_base64_decode(pb_str_from(""), room, sizeof(room), &count));
    assert_int_equal(0, count);
    assert_int_equal(PB_OK, pb_base64_decode_exact(pb_str_from("AAAA"), room, 3));
    assert_int_equal(PB_BAD_INPUT, pb_base64_decode_exact(pb_str_from("AAAA"), room, 2));
    assert_int_equal(PB_BAD_INPUT, pb_base64_decode_exact(pb_str_from("AAAA"), room, 4));
    pb_put_base64(&out, "\0\0\0\0\0", 5);
    assert_true(out.is_cut);

    /* Longer than what is encoded in one go. */
    memset(room, 0xa5, sizeof(room));
    out = pb_text_out(text, sizeof(text));
    pb_put_base64(&out, room, sizeof(room));
    assert_int_equal(PB_OK, pb_base64_decode((struct pb_str){ text, (uint32_t)(out.at - text) },
                                             room, sizeof(room), &count));
    assert_int_equal(64, count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(another_spelling_is_refused),
        cmocka_unit_test(sixty_four_bytes_are_digits),
        cmocka_unit_test(a_length_that_is_known_is_the_only_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
