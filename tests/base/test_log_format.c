/* Log format: what a header, a record and a name may say, and which numbers a directory has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/log_format.h"
#include "base/text.h"
#include "support/fault_env.h"

static const uint8_t store_id[PB_STORE_ID_BYTES] = "synthetic store";

/* ---- headers ---- */

static void
headers_that_cannot_be_are_refused_with_a_reason(void **state)
{
    static const struct {
        uint64_t number_in_name; /* 0 takes any */
        struct pb_log_header header;
        const char *words; /* NULL: it is taken */
    } cases[] = {
        { 7, { 7, 0, 0, 5, 96 }, NULL },
        { 0, { 7, 0, 0, 5, 96 }, NULL },
        { 7, { 7, 6, 96, 5, PB_LOG_FILE_BYTES_MAX }, NULL },
        { 8, { 7, 0, 0, 5, 96 }, "another number" },
        { 0, { 0, 0, 0, 5, 96 }, "another number" },
        { 7, { 7, 7, 96, 5, 96 }, "not before it" },
        { 7, { 7, 8, 96, 5, 96 }, "not before it" },
        { 7, { 7, 0, 96, 5, 96 }, "the end of no log" },
        { 7, { 7, 6, 95, 5, 96 }, "impossible end" },
        { 7, { 7, 6, 0, 5, 96 }, "impossible end" },
        { 7, { 7, 6, 96, 5, 95 }, "impossible synced length" },
        { 7, { 7, 6, 96, 5, PB_LOG_FILE_BYTES_MAX + 1 }, "impossible synced length" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_log_owner owner = { store_id, cases[i].number_in_name };
        uint8_t bytes[PB_LOG_HEADER_BYTES];
        struct pb_log_header header = { .number = 99 };
        const char *reason = NULL;
        enum pb_status status;

        pb_log_header_encode(&cases[i].header, store_id, bytes);
        status = pb_log_header_decode(bytes, sizeof(bytes), owner, &header, &reason);
        assert_int_equal(cases[i].words == NULL ? PB_OK : PB_E_CORRUPT, status);
        if (cases[i].words == NULL)
            assert_memory_equal(&cases[i].header, &header, sizeof(header));
        else if (strstr(reason, cases[i].words) == NULL)
            fail_msg("header %zu: %s", i, reason);
        assert_int_equal(cases[i].words == NULL ? cases[i].header.number : 99, header.number);
    }
}

/* A header says how long it is, so that a later version may have a longer one. */
static void
headers_of_another_length_are_not_of_this_version(void **state)
{
    static const struct {
        uint32_t version, header_bytes, count;
        uint8_t reserved;
        enum pb_status status;
        const char *words;
    } cases[] = {
        { 1, 96, 200, 0, PB_OK, NULL },
        { 2, 104, 200, 1, PB_E_VERSION, "later version" },
        { 1, 104, 200, 0, PB_E_CORRUPT, "not those of version 1" },
        { 1, 96, 200, 1, PB_E_CORRUPT, "not those of version 1" },
        { 1, 95, 200, 0, PB_E_CORRUPT, "length is impossible" },
        { 1, 201, 200, 0, PB_E_CORRUPT, "length is impossible" },
        { 1, 4097, 5000, 0, PB_E_CORRUPT, "length is impossible" },
        { 1, 96, 95, 0, PB_E_CORRUPT, "shorter than its header" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_log_header good = { .number = 7, .synced_bytes = 96 };
        struct pb_log_owner owner = { store_id, 7 };
        uint8_t bytes[5000] = { 0 };
        struct pb_log_header header;
        const char *reason = NULL;

        pb_log_header_encode(&good, store_id, bytes);
        pb_put_le32(bytes + 8, cases[i].version);
        pb_put_le32(bytes + 12, cases[i].header_bytes);
        bytes[72] = cases[i].reserved;
        pb_put_le64(bytes + cases[i].header_bytes - 8,
                    pb_hash_bytes(bytes, cases[i].header_bytes - 8));
        assert_int_equal(cases[i].status,
                         pb_log_header_decode(bytes, cases[i].count, owner, &header, &reason));
        if (cases[i].words != NULL && strstr(reason, cases[i].words) == NULL)
            fail_msg("header %zu: %s", i, reason);
    }
}

/* ---- records ---- */

static void
where_nothing_is_left_no_record_is(void **state)
{
    struct pb_log_owner owner = { store_id, 7 };
    const uint8_t bytes[PB_LOG_RECORD_HEADER_BYTES] = { 0 };
    struct pb_log_record record;
    const char *reason = NULL;
    uint64_t durable = 0;

    (void)state;
    assert_int_equal(PB_NOT_FOUND,
                     pb_log_record_decode(bytes, 0, owner, &record, &durable, &reason));
    assert_string_equal("the file ends here", reason);
    assert_int_equal(PB_NOT_FOUND,
                     pb_log_record_decode(bytes, sizeof(bytes), owner, &record, &durable, &reason));
    assert_string_equal("no record begins here", reason);
}

/* ---- names ---- */

static void
paths_fit_to_the_last_byte_or_are_refused(void **state)
{
    static char directory[PB_PATH_BYTES_MAX + 1];
    char path[PB_PATH_BYTES_MAX];
    struct pb_error error = { "" };

    (void)state;
    memset(directory, 'd', sizeof(directory) - 1);
    directory[PB_PATH_BYTES_MAX - 1 - strlen("/acked")] = '\0';
    assert_int_equal(PB_OK, pb_log_path(directory, "acked", path, NULL));
    assert_int_equal(PB_PATH_BYTES_MAX - 1, strlen(path));
    assert_int_equal(PB_OVER_LIMIT, pb_log_path(directory, "acked1", path, &error));
    assert_non_null(strstr(error.message, "too long")); /* before the message is cut */
    directory[PB_PATH_BYTES_MAX - 1 - strlen("/log/7.log")] = '\0';
    assert_int_equal(PB_OK, pb_log_file_path(directory, 7, ".log", path, NULL));
    assert_int_equal(PB_OVER_LIMIT, pb_log_file_path(directory, 10, ".log", path, NULL));
}

/* A directory of as many logs as the test says, in no order, among other names. */
struct listing {
    uint64_t log_count;
    enum pb_status status;
};

static enum pb_status
list_names(void *context, const char *path, pb_list_fn *each, void *each_context,
           struct pb_error *error)
{
    static const char *const others[] = { "x.log", "07.log", "7.tmp", "7", ".log", "7.log2" };
    const struct listing *listing = context;
    bool goes_on = each(each_context, "5000000.log", true); /* a directory */

    (void)path;
    if (listing->status != PB_OK)
        return pb_fail(error, listing->status, "as the test wants it");
    for (size_t i = 0; goes_on && i < sizeof(others) / sizeof(others[0]); i++)
        goes_on = each(each_context, others[i], false);
    for (uint64_t i = 0; goes_on && i < listing->log_count; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%u.log", (unsigned)(1 + (i ^ 1)));
        goes_on = each(each_context, name, false);
    }
    return PB_OK;
}

static enum pb_status
list_logs(const struct pb_env *memory, struct listing listing, uint64_t **ret_numbers,
          size_t *ret_count, struct pb_error *error)
{
    struct pb_file_ops files = *pb_env_system()->files;
    struct pb_env env = *memory;

    files.list = list_names;
    env.files = &files;
    env.file_context = &listing;
    return pb_log_list(&env, "store", ".log", ret_numbers, ret_count, error);
}

static void
numbers_of_logs_ascend_and_other_names_mean_nothing(void **state)
{
    static const uint64_t counts[] = { 0, 1, 2, 17, 100, PB_LOG_FILES_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t log_count = counts[i] + counts[i] % 2; /* they come in pairs */
        uint64_t *numbers = NULL;
        size_t count = 99;

        assert_int_equal(PB_OK, list_logs(pb_env_system(), (struct listing){ log_count, PB_OK },
                                          &numbers, &count, NULL));
        assert_int_equal(log_count, count);
        for (size_t j = 0; j < count; j++)
            assert_int_equal(j + 1, numbers[j]);
        pb_free(pb_env_system(), numbers);
    }
}

static void
too_many_logs_and_a_list_that_fails_are_told(void **state)
{
    static char long_directory[PB_PATH_BYTES_MAX];
    struct pb_error error = { "" };
    uint64_t *numbers = NULL;
    size_t count = 99;

    (void)state;
    assert_int_equal(PB_OVER_LIMIT,
                     list_logs(pb_env_system(), (struct listing){ PB_LOG_FILES_MAX + 2, PB_OK },
                               &numbers, &count, &error));
    assert_non_null(strstr(error.message, "too many logs"));
    assert_int_equal(PB_E_IO, list_logs(pb_env_system(), (struct listing){ 2, PB_E_IO }, &numbers,
                                        &count, &error));
    assert_string_equal("as the test wants it", error.message);
    memset(long_directory, 'd', sizeof(long_directory) - 2);
    assert_int_equal(PB_OVER_LIMIT,
                     pb_log_list(pb_env_system(), long_directory, ".log", &numbers, &count, NULL));
    assert_null(numbers);
    assert_int_equal(99, count);
    /* Before the first log there is no directory of logs. */
    assert_int_equal(PB_OK, list_logs(pb_env_system(), (struct listing){ 2, PB_NOT_FOUND },
                                      &numbers, &count, NULL));
    assert_null(numbers);
    assert_int_equal(0, count);
}

static void
a_list_is_given_back_when_any_allocation_fails(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        struct pb_error error = { "" };
        uint64_t *numbers = NULL;
        struct fault_env fault;
        size_t count = 0;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        status = list_logs(&fault.env, (struct listing){ 40, PB_OK }, &numbers, &count, &error);
        assert_int_equal(status == PB_OK ? 40 : 0, count);
        if (status != PB_OK) {
            assert_int_equal(PB_E_NOMEM, status);
            assert_non_null(strstr(error.message, "no memory"));
            assert_null(numbers);
        }
        pb_free(&fault.env, numbers);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_int_equal(4, fail_at); /* 16, 32 and 64 numbers */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_cannot_be_are_refused_with_a_reason),
        cmocka_unit_test(headers_of_another_length_are_not_of_this_version),
        cmocka_unit_test(where_nothing_is_left_no_record_is),
        cmocka_unit_test(paths_fit_to_the_last_byte_or_are_refused),
        cmocka_unit_test(numbers_of_logs_ascend_and_other_names_mean_nothing),
        cmocka_unit_test(too_many_logs_and_a_list_that_fails_are_told),
        cmocka_unit_test(a_list_is_given_back_when_any_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
