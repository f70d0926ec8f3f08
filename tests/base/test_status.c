/* Statuses and messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include <platebase/status.h>

static void
every_status_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int a = PB_E_POISONED; a <= PB_DENIED; a++) {
        assert_string_not_equal("unknown status", pb_status_name((enum pb_status)a));
        for (int b = PB_E_POISONED; b < a; b++)
            assert_string_not_equal(pb_status_name((enum pb_status)b),
                                    pb_status_name((enum pb_status)a));
    }
    assert_string_equal("unknown status", pb_status_name((enum pb_status)(PB_DENIED + 1)));
    assert_string_equal("unknown status", pb_status_name((enum pb_status)(PB_E_POISONED - 1)));
}

static void
fail_fills_the_message_and_hands_the_status_on(void **state)
{
    struct pb_error error;

    (void)state;
    assert_int_equal(PB_E_CORRUPT, pb_fail(&error, PB_E_CORRUPT, "block %d of '%s'", 7, "a.seg"));
    assert_string_equal("block 7 of 'a.seg'", error.message);
    assert_int_equal(PB_E_IO, pb_fail(NULL, PB_E_IO, "nobody listens to %s", "this"));
}

static void
fail_cuts_a_long_message(void **state)
{
    struct pb_error error;
    char path[2 * PB_ERROR_BYTES_MAX];

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    memset(&error, 0x5A, sizeof(error));
    assert_int_equal(PB_E_IO, pb_fail(&error, PB_E_IO, "%s", path));
    assert_int_equal(PB_ERROR_BYTES_MAX - 1, strlen(error.message));
}

/* A wide text that has no form here makes the whole message impossible. */
static void
fail_leaves_an_empty_message_where_it_cannot_be_written(void **state)
{
    static const wchar_t none[] = { 0xD800, 0 };
    struct pb_error error;

    (void)state;
    memset(&error, 0x5A, sizeof(error));
    assert_int_equal(PB_E_IO, pb_fail(&error, PB_E_IO, "cannot read %ls", none));
    assert_string_equal("", error.message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_word_of_its_own),
        cmocka_unit_test(fail_fills_the_message_and_hands_the_status_on),
        cmocka_unit_test(fail_cuts_a_long_message),
        cmocka_unit_test(fail_leaves_an_empty_message_where_it_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
