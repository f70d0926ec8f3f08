/* Loading: a whole file or nothing, with a NUL behind it, and never more than was allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/load.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

static struct sim_fs *
make_file(const char *text)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file *file = NULL;

    assert_int_equal(PB_OK, env.files->open(env.file_context, "f", PB_OPEN_CREATE, &file, NULL));
    assert_int_equal(PB_OK, env.files->write(env.file_context, file, 0, text, strlen(text), NULL));
    env.files->close(env.file_context, file);
    return fs;
}

static void
a_file_is_loaded_whole_up_to_its_limit(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes_max;
        enum pb_status status;
    } cases[] = {
        { "", 0, PB_OK },          { "", 10, PB_OK },
        { "plates", 6, PB_OK },    { "plates", 5, PB_OVER_LIMIT },
        { "p", 0, PB_OVER_LIMIT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_fs *fs = make_file(cases[i].text);
        struct pb_env env = sim_fs_env(fs);
        char *text = NULL;
        size_t bytes = 99;

        assert_int_equal(cases[i].status,
                         pb_load_file(&env, "f", cases[i].bytes_max, &text, &bytes, NULL));
        if (cases[i].status == PB_OK) {
            assert_string_equal(cases[i].text, text);
            assert_int_equal(strlen(cases[i].text), bytes);
        } else {
            assert_null(text);
            assert_int_equal(99, bytes);
        }
        pb_free(&env, text);
        sim_fs_free(fs);
    }
}

static void
a_file_that_is_not_there_is_told(void **state)
{
    struct sim_fs *fs = make_file("");
    struct pb_env env = sim_fs_env(fs);
    char *text = NULL;
    size_t bytes = 0;

    (void)state;
    assert_int_equal(PB_NOT_FOUND, pb_load_file(&env, "g", 10, &text, &bytes, NULL));
    assert_null(text);
    sim_fs_free(fs);
}

static void
nothing_is_left_wherever_loading_fails(void **state)
{
    (void)state;
    for (int is_memory = 0; is_memory < 2; is_memory++) {
        enum pb_status status = PB_E_IO;
        uint64_t fail_at = 0;

        while (status != PB_OK) {
            struct sim_fs *fs = make_file("plates");
            struct pb_env sim_env = sim_fs_env(fs);
            struct fault_env fault;
            char *text = NULL;
            size_t bytes = 0;

            fault_env_init(&fault, &sim_env);
            fail_at++;
            fault.fail_allocation_at = is_memory ? fail_at : 0;
            fault.fail_file_call_at = is_memory ? 0 : fail_at;
            status = pb_load_file(&fault.env, "f", 10, &text, &bytes, NULL);
            assert_true(status == PB_OK || status == (is_memory ? PB_E_NOMEM : PB_E_IO));
            assert_int_equal(status == PB_OK, text != NULL);
            pb_free(&fault.env, text);
            assert_true(fault_env_is_clean(&fault));
            sim_fs_free(fs);
        }
        assert_int_equal(is_memory ? 2 : 4, fail_at); /* open, size and read */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_loaded_whole_up_to_its_limit),
        cmocka_unit_test(a_file_that_is_not_there_is_told),
        cmocka_unit_test(nothing_is_left_wherever_loading_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
