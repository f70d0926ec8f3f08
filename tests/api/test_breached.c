/*
 * Breached passwords: each line of a list is found, nothing else is, and what is no list is
 * never taken for one that does not hold a password.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/breached.h"
#include "base/text.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PATH "breached"
#define SHA1_BYTES 20
#define LINES_MAX 40000u

struct room {
    struct sim_fs *fs;
    struct pb_env files; /* of fs */
    struct fault_env fault;
    struct pb_error error;
    char *text; /* owned: what was written */
    size_t bytes;
};

static int
setup(void **state)
{
    struct room *room = calloc(1, sizeof(*room));

    assert_non_null(room);
    room->fs = sim_fs_new();
    room->files = sim_fs_env(room->fs);
    fault_env_init(&room->fault, &room->files);
    room->text = calloc(LINES_MAX, 64);
    assert_non_null(room->text);
    *state = room;
    return 0;
}

static int
teardown(void **state)
{
    struct room *room = *state;

    assert_true(fault_env_is_clean(&room->fault));
    sim_fs_free(room->fs);
    free(room->text);
    free(room);
    return 0;
}

/* ---- lists ---- */

static void
put_file(struct room *room, const char *bytes, size_t count)
{
    const struct pb_env *env = &room->files;
    struct pb_file *file = NULL;
    enum pb_status status = env->files->unlink(env->file_context, PATH, NULL);

    assert_true(status == PB_OK || status == PB_NOT_FOUND);
    assert_int_equal(PB_OK, env->files->open(env->file_context, PATH, PB_OPEN_CREATE, &file, NULL));
    if (count > 0)
        assert_int_equal(PB_OK, env->files->write(env->file_context, file, 0, bytes, count, NULL));
    env->files->close(env->file_context, file);
}

struct entry {
    char line[64];
};

static int
by_line(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->line, ((const struct entry *)right)->line);
}

/* "password 17" */
static struct pb_str
password_of(unsigned number, char room[32])
{
    (void)snprintf(room, 32, "password %u", number);
    return pb_str_from(room);
}

static void
describe(struct entry *entry, struct pb_str password, unsigned count, const char *digit)
{
    uint8_t sha1[SHA1_BYTES];

    assert_int_equal(0, gnutls_hash_fast(GNUTLS_DIG_SHA1, password.text, password.bytes, sha1));
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        (void)snprintf(entry->line + (size_t)2 * i, 3, digit, sha1[i]);
    (void)snprintf(entry->line + 2 * SHA1_BYTES, sizeof(entry->line) - 2 * SHA1_BYTES, ":%u",
                   count);
}

/* A list of the passwords 0, 2, 4 and so on. */
static void
put_list(struct room *room, unsigned lines, const char *digit, const char *line_end,
         bool ends_with_one)
{
    struct entry *entries = calloc(lines, sizeof(*entries));
    char name[32];

    assert_non_null(entries);
    assert_true(lines <= LINES_MAX);
    for (unsigned i = 0; i < lines; i++)
        describe(&entries[i], password_of(2 * i, name), i * i + 1, digit);
    qsort(entries, lines, sizeof(*entries), by_line);
    room->bytes = 0;
    for (unsigned i = 0; i < lines; i++) {
        int length = snprintf(room->text + room->bytes, 64, "%s%s", entries[i].line,
                              i + 1 < lines || ends_with_one ? line_end : "");

        assert_true(length > 0);
        room->bytes += (size_t)length;
    }
    free(entries);
    put_file(room, room->text, room->bytes);
}

static enum pb_status
find(struct room *room, struct pb_str password)
{
    return pb_breached_find(&room->fault.env, PATH, password, &room->error);
}

static enum pb_status
check(struct room *room)
{
    return pb_breached_check(&room->fault.env, PATH, &room->error);
}

static void
expect(struct room *room, enum pb_status wanted, enum pb_status status, const char *what)
{
    if (wanted != status)
        fail_msg("%s: %d, not %d: %s", what, status, wanted, room->error.message);
}

/* ---- what is in it ---- */

static void
each_line_is_found_and_nothing_else(void **state)
{
    static const struct {
        unsigned lines;
        const char *digit, *line_end;
        bool ends_with_one;
    } cases[] = {
        { 1, "%02X", "\n", true },   { 1, "%02X", "\n", false },   { 2, "%02x", "\n", true },
        { 3, "%02X", "\r\n", true }, { 3, "%02X", "\r\n", false }, { 100, "%02X", "\r\n", true },
        { 777, "%02X", "\n", true },
    };
    struct room *room = *state;
    char name[32];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put_list(room, cases[i].lines, cases[i].digit, cases[i].line_end, cases[i].ends_with_one);
        expect(room, PB_OK, check(room), "check");
        for (unsigned n = 0; n < 2 * cases[i].lines; n++)
            expect(room, n % 2 == 0 ? PB_OK : PB_NOT_FOUND, find(room, password_of(n, name)), name);
        expect(room, PB_NOT_FOUND, find(room, (struct pb_str){ "", 0 }), "nothing");
    }
}

static void
hashes_between_the_lowest_and_the_highest_are_not_there(void **state)
{
    struct room *room = *state;
    char name[32];

    (void)snprintf(room->text, 256, "%040d:3\n%.40s:1\n", 0,
                   "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    put_file(room, room->text, strlen(room->text));
    expect(room, PB_OK, check(room), "check");
    for (unsigned n = 0; n < 20; n++)
        expect(room, PB_NOT_FOUND, find(room, password_of(n, name)), name);
}

static void
what_is_asked_reads_little(void **state)
{
    struct room *room = *state;
    uint64_t before;
    char name[32];

    put_list(room, LINES_MAX, "%02X", "\r\n", true);
    room->fault.fail_file_mask = FAULT_READ;
    for (unsigned n = 0; n < 200; n++) {
        before = room->fault.file_call_count;
        expect(room, n % 2 == 0 ? PB_OK : PB_NOT_FOUND, find(room, password_of(n, name)), name);
        assert_in_range(room->fault.file_call_count - before, 1, 20);
    }
    before = room->fault.file_call_count;
    expect(room, PB_OK, check(room), "a list of more than a mebibyte");
    assert_in_range(room->fault.file_call_count - before, 100, 30000);
}

/* ---- what is no list ---- */

#define A "000000005AD76BD555C1D6D771DE417A4B87E4B4"
#define B "7C4A8D09CA3762AF61E59520943DC26494F8941B"
#define C "F7C3BC1D808E04732ADF679965CCC34CA7AE3441"

static void
what_is_no_list_is_said_to_be_none(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "empty" },
        { "\n", "byte 0" },
        { A, "byte 0: a line of a SHA-1, a colon and a count is wanted" },
        { A "\n", "byte 0" },
        { A ":\n", "byte 0" },
        { A ":1 \n", "byte 0" },
        { A ":-1\n", "byte 0" },
        { A ";1\n", "byte 0" },
        { A "0:1\n", "byte 0" },
        { A ":12345678901234567890\n", "byte 0" },
        { "G00000005AD76BD555C1D6D771DE417A4B87E4B4:1\n", "byte 0" },
        { "000000005AD76BD555C1D6D771DE417A4B87E4B/:1\n", "byte 0" },
        { "password\n", "byte 0" },
        { A ":1\n\n" B ":2\n", "byte 43" },
        { A ":1\n" B ":2\n\n", "byte 86" },
        { A ":1\r\r\n", "byte 0" },
        { A ":1\n" A ":2\n", "byte 43: the lines are not in the order" },
        { B ":1\n" A ":2\n", "byte 43: the lines are not in the order" },
        { A ":1\n" C ":2\n" B ":3\n", "byte 86: the lines are not in the order" },
        { A ":1\n" B " and a line that is longer than any line of a list can be, by far\n",
          "byte 43" },
        { "{\"accounts\":[\"0123456789012345678901234567890123456789012345678901234567890123456789"
          "01234567890123456789\"]}",
          "byte 0" },
    };
    struct room *room = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put_file(room, cases[i].text, strlen(cases[i].text));
        room->error.message[0] = '\0';
        expect(room, PB_BAD_INPUT, check(room), cases[i].text);
        if (strstr(room->error.message, cases[i].says) == NULL)
            fail_msg("'%s': %s", cases[i].text, room->error.message);
        assert_ptr_equal(room->error.message, strstr(room->error.message, PATH ": "));
    }
    put_file(room, A "\0:1\n", 44);
    expect(room, PB_BAD_INPUT, check(room), "a NUL");
    assert_int_equal(PB_OK, room->files.files->unlink(room->files.file_context, PATH, NULL));
    expect(room, PB_BAD_INPUT, check(room), "no file");
    expect(room, PB_E_IO, find(room, pb_str_from("anything")), "no file");
}

/* One line of a large list is wrong: where a question comes by, it does not answer. */
static void
a_damaged_line_answers_nothing(void **state)
{
    struct room *room = *state;
    unsigned refused = 0;
    char name[32];

    put_list(room, 101, "%02X", "\n", true);
    for (uint64_t at = 0; at < room->bytes; at += 7) {
        char kept = room->text[at];

        room->text[at] = 'x';
        put_file(room, room->text, room->bytes);
        room->text[at] = kept;
        if (kept == '\n')
            continue;
        expect(room, PB_BAD_INPUT, check(room), "damaged");
        for (unsigned n = 0; n < 202; n += 2) {
            enum pb_status status = find(room, password_of(n, name));

            assert_true(status == PB_OK || status == PB_E_CORRUPT);
            refused += status == PB_E_CORRUPT;
        }
    }
    assert_in_range(refused, 100, 1000000);
}

/* As the same list comes in the order of its counts. */
static void
a_list_in_another_order_is_found_out(void **state)
{
    struct room *room = *state;
    size_t half;
    char *turned;

    put_list(room, LINES_MAX, "%02X", "\n", true);
    half = room->bytes / 2;
    while (room->text[half - 1] != '\n')
        half++;
    turned = malloc(room->bytes);
    assert_non_null(turned);
    memcpy(turned, room->text + half, room->bytes - half);
    memcpy(turned + room->bytes - half, room->text, half);
    put_file(room, turned, room->bytes);
    free(turned);
    expect(room, PB_BAD_INPUT, check(room), "its halves changed about");
    assert_non_null(strstr(room->error.message, "not in the order"));
}

/* Not every question can see it, but none goes on past it. */
static void
a_question_that_meets_lines_out_of_order_is_not_answered(void **state)
{
    static const char *const lists[] = {
        A ":1\n" C ":2\n" B ":3\n", /* for what lies behind the line in the middle */
        C ":1\n" B ":2\n" C ":3\n", /* before it */
    };
    struct room *room = *state;
    char name[32];

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        unsigned refused = 0;

        put_file(room, lists[i], strlen(lists[i]));
        for (unsigned n = 0; n < 200; n++) {
            enum pb_status status = find(room, password_of(n, name));

            assert_true(status == PB_NOT_FOUND || status == PB_E_CORRUPT);
            if (status != PB_E_CORRUPT)
                continue;
            assert_non_null(strstr(room->error.message, "not in the order"));
            refused++;
        }
        assert_in_range(refused, 1, 199);
    }
}

/* ---- faults ---- */

static void
a_read_that_fails_answers_nothing(void **state)
{
    struct room *room = *state;
    struct fault_env *fault = &room->fault;
    enum pb_status status;
    char name[32];

    put_list(room, 300, "%02X", "\r\n", true);
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        for (unsigned which = 0; which < 3; which++) {
            uint64_t n = 0, failures;

            do {
                failures = fault->failure_count;
                n++;
                if (in_memory != 0)
                    fault->fail_allocation_at = fault->allocation_count + n;
                else
                    fault->fail_file_call_at = fault->file_call_count + n;
                status = which == 2 ? check(room) : find(room, password_of(which, name));
                fault->fail_allocation_at = fault->fail_file_call_at = 0;
                assert_true(fault->failure_count == failures || status < PB_OK);
                assert_int_equal(0, fault->open_file_count);
            } while (fault->failure_count > failures);
            expect(room, which == 1 ? PB_NOT_FOUND : PB_OK, status, "the last of them");
            assert_true(in_memory != 0 || n > 3);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(each_line_is_found_and_nothing_else),
        CASE(hashes_between_the_lowest_and_the_highest_are_not_there),
        CASE(what_is_asked_reads_little),
        CASE(what_is_no_list_is_said_to_be_none),
        CASE(a_damaged_line_answers_nothing),
        CASE(a_list_in_another_order_is_found_out),
        CASE(a_question_that_meets_lines_out_of_order_is_not_answered),
        CASE(a_read_that_fails_answers_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
