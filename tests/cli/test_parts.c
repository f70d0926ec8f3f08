/*
 * Parts of the command line that need no process: values, text for terminals, tables and
 * the pipeline.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/pipeline.h"
#include "cli/progress.h"
#include "cli/table.h"

/* ---- values ---- */

static void
numbers_are_digits_only(void **state)
{
    static const char *const wrong[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1.0",
                                         "18446744073709551616", "99999999999999999999999" };
    uint64_t number = 7;

    (void)state;
    assert_true(pb_cli_number("0", &number));
    assert_int_equal(0, number);
    assert_true(pb_cli_number("18446744073709551615", &number));
    assert_true(number == UINT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(pb_cli_number(wrong[i], &number));
}

static void
degrees_are_rounded_and_bounded(void **state)
{
    static const char *const wrong[] = { "",    "90.0000001", "-90.1", "nan", "inf",
                                         "0x1", "1e400",      "1,5",   "--1", "1 " };
    int32_t e7 = 0;

    (void)state;
    assert_true(pb_cli_degrees("-33.8688197", 90, &e7));
    assert_int_equal(-338688197, e7);
    assert_true(pb_cli_degrees("1.23456785", 90, &e7));
    assert_in_range(e7, 12345678, 12345679);
    assert_true(pb_cli_degrees("-90", 90, &e7));
    assert_int_equal(-900000000, e7);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(pb_cli_degrees(wrong[i], 90, &e7));
}

static void
word_distance_counts_steps(void **state)
{
    (void)state;
    assert_int_equal(0, pb_cli_word_distance("search", "search", 2));
    assert_int_equal(1, pb_cli_word_distance("serch", "search", 2));
    assert_int_equal(2, pb_cli_word_distance("saerch", "search", 2));
    assert_int_equal(3, pb_cli_word_distance("init", "search", 2));
    assert_int_equal(3, pb_cli_word_distance("", "merge", 2));
}

static void
human_numbers_keep_three_digits(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0, "0" },         { 999, "999" },       { 1000, "1.00 k" },  { 1624000, "1.62 M" },
        { 99940, "99.9 k" }, { 999600, "1.00 M" }, { 2.5e12, "2.50 T" },
    };
    char text[PB_CLI_HUMAN_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(cases[i].text, pb_cli_human(cases[i].number, text));
}

/* ---- text for terminals ---- */

static void
harmful_characters_are_replaced(void **state)
{
    static const struct {
        const char *raw, *safe;
        size_t columns;
    } cases[] = {
        { "AB123", "AB123", 5 },
        { "\x1b[31m", "\xEF\xBF\xBD[31m", 5 },
        { "a\nb\tc\x7f", "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" "c\xEF\xBF\xBD", 6 },
        { "\xC2\x9B" "x", "\xEF\xBF\xBDx", 2 },       /* the one-byte form of ESC [ */
        { "\xE2\x80\xAE" "abc", "\xEF\xBF\xBD" "abc", 4 }, /* right to left from here on */
        { "\xff\xfe", "\xEF\xBF\xBD\xEF\xBF\xBD", 2 },
        { "\xE4\xBA\xAC" "A1", "\xE4\xBA\xAC" "A1", 4 },
        { "\xC3\x9F", "\xC3\x9F", 1 },
        { "e\xCC\x81", "e\xCC\x81", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char safe[64];
        size_t columns = 99;
        size_t bytes = pb_cli_safe_text(cases[i].raw, strlen(cases[i].raw), safe, sizeof(safe) - 1,
                                        &columns);

        safe[bytes] = '\0';
        assert_string_equal(cases[i].safe, safe);
        assert_int_equal(cases[i].columns, columns);
    }
}

static void
safe_text_never_cuts_a_character(void **state)
{
    char safe[4];

    (void)state;
    assert_int_equal(1, pb_cli_safe_text("a\xE4\xBA\xAC", 4, safe, 3, NULL));
    assert_int_equal(4, pb_cli_safe_text("a\xE4\xBA\xAC", 4, safe, 4, NULL));
}

/* What an output wrote, read back from a file. */
static size_t
written(FILE *file, char *ret_text, size_t room)
{
    size_t bytes;

    rewind(file);
    bytes = fread(ret_text, 1, room - 1, file);
    ret_text[bytes] = '\0';
    fclose(file);
    return bytes;
}

static void
json_strings_are_escaped(void **state)
{
    static const char raw[] = "a\"\\\n\x01\x7f\xff" "\0z\xC3\xA4";
    FILE *file = tmpfile();
    struct pb_cli_out out;
    struct pb_error error;
    char text[256];

    (void)state;
    assert_non_null(file);
    pb_cli_out_init(&out, fileno(file));
    pb_cli_put_json(&out, raw, sizeof(raw) - 1);
    assert_int_equal(PB_OK, pb_cli_out_flush(&out, "a file", &error));
    written(file, text, sizeof(text));
    assert_string_equal("\"a\\\"\\\\\\u000a\\u0001\\u007f\xEF\xBF\xBD\\u0000z\xC3\xA4\"", text);
}

static void
output_larger_than_the_buffer_is_whole(void **state)
{
    static char text[4 * PB_CLI_OUT_BUFFER_BYTES];
    static char back[4 * PB_CLI_OUT_BUFFER_BYTES + 8];
    FILE *file = tmpfile();
    struct pb_cli_out out;
    struct pb_error error;

    (void)state;
    assert_non_null(file);
    memset(text, 'x', sizeof(text));
    pb_cli_out_init(&out, fileno(file));
    pb_cli_put_text(&out, "ab");
    pb_cli_put_bytes(&out, text, sizeof(text));
    pb_cli_put_text(&out, "yz");
    assert_int_equal(PB_OK, pb_cli_out_flush(&out, "a file", &error));
    assert_int_equal(sizeof(text) + 4, written(file, back, sizeof(back)));
    assert_int_equal(0, strncmp(back, "abxx", 4));
    assert_string_equal("xxyz", back + sizeof(text));
}

static void
a_table_fits_its_widest_cells(void **state)
{
    static const struct pb_cli_column columns[] = { { "A", false }, { "COUNT", true } };
    static const char *const cells[] = { "\xE4\xBA\xAC", "7", "longer", "12345678" };
    struct pb_cli_table table;
    FILE *file = tmpfile();
    struct pb_cli_out out;
    struct pb_error error;
    char text[256];

    (void)state;
    assert_non_null(file);
    pb_cli_out_init(&out, fileno(file));
    assert_int_equal(PB_OK, pb_cli_table_init(&table, pb_env_system(), &out, columns, 2));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(PB_OK, pb_cli_table_cell(&table, cells[i], strlen(cells[i])));
    pb_cli_table_done(&table);
    assert_int_equal(PB_OK, pb_cli_out_flush(&out, "a file", &error));
    written(file, text, sizeof(text));
    assert_string_equal("A          COUNT\n"
                        "\xE4\xBA\xAC             7\n"
                        "longer  12345678\n",
                        text);
}

/* ---- pipeline ---- */

#define NUMBERS 1000u

struct numbers {
    unsigned brought, taken;
    unsigned fail_at; /* the piece whose work fails; NUMBERS: none */
    _Atomic unsigned worked, finished;
};

struct piece {
    unsigned number;
    unsigned square;
};

static enum pb_status
bring_number(void *context, void *piece, struct pb_error *error)
{
    struct numbers *numbers = context;
    struct piece *next = piece;

    (void)error;
    if (numbers->brought == NUMBERS)
        return PB_END;
    next->number = numbers->brought++;
    next->square = 0;
    return PB_OK;
}

static enum pb_status
square_number(void *context, unsigned worker, void *piece, struct pb_error *error)
{
    struct numbers *numbers = context;
    struct piece *task = piece;

    (void)worker;
    if (task->number == numbers->fail_at)
        return pb_fail(error, PB_E_FULL, "number %u does not fit", task->number);
    task->square = task->number * task->number;
    atomic_fetch_add(&numbers->worked, 1);
    return PB_OK;
}

static enum pb_status
take_number(void *context, void *piece, struct pb_error *error)
{
    struct numbers *numbers = context;
    const struct piece *done = piece;

    (void)error;
    assert_int_equal(numbers->taken, done->number);
    assert_int_equal(done->number * done->number, done->square);
    numbers->taken++;
    return PB_OK;
}

static enum pb_status
finish_numbers(void *context, unsigned worker, struct pb_error *error)
{
    struct numbers *numbers = context;

    (void)worker;
    (void)error;
    atomic_fetch_add(&numbers->finished, 1);
    return PB_OK;
}

static enum pb_status
run_numbers(struct numbers *numbers, unsigned workers, struct pb_error *error)
{
    const struct pb_cli_pipeline_work work = {
        .bring = bring_number,
        .work = square_number,
        .take = take_number,
        .finish = finish_numbers,
        .context = numbers,
    };
    struct piece pieces[17];

    return pb_cli_pipeline_run(pb_env_system(), &work, workers, pieces, workers * 2 + 1,
                               sizeof(pieces[0]), error);
}

static void
pieces_come_back_in_order(void **state)
{
    static const unsigned workers[] = { 1, 2, 8 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct numbers numbers = { .fail_at = NUMBERS };
        struct pb_error error;

        assert_int_equal(PB_OK, run_numbers(&numbers, workers[i], &error));
        assert_int_equal(NUMBERS, numbers.taken);
        assert_int_equal(NUMBERS, numbers.worked);
        assert_int_equal(workers[i], numbers.finished);
    }
}

static void
a_failure_ends_the_pipeline_with_its_words(void **state)
{
    static const unsigned places[] = { 0, 1, 500, NUMBERS - 1 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct numbers numbers = { .fail_at = places[i] };
        struct pb_error error = { "" };
        char said[64];

        (void)snprintf(said, sizeof(said), "number %u does not fit", places[i]);
        assert_int_equal(PB_E_FULL, run_numbers(&numbers, 3, &error));
        assert_string_equal(said, error.message);
        assert_true(numbers.taken <= places[i]);
        /* A worker may have found the end before another one failed; the one that failed never
         * finishes. */
        assert_true(numbers.finished < 3);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_only),
        cmocka_unit_test(degrees_are_rounded_and_bounded),
        cmocka_unit_test(word_distance_counts_steps),
        cmocka_unit_test(human_numbers_keep_three_digits),
        cmocka_unit_test(harmful_characters_are_replaced),
        cmocka_unit_test(safe_text_never_cuts_a_character),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(output_larger_than_the_buffer_is_whole),
        cmocka_unit_test(a_table_fits_its_widest_cells),
        cmocka_unit_test(pieces_come_back_in_order),
        cmocka_unit_test(a_failure_ends_the_pipeline_with_its_words),
    };

    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
