/*
 * Jurisdictions: numbers that never change, and the ways in which people write them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_code.h"

static void
numbers_on_disk_keep_their_names(void **state)
{
    static const struct {
        uint16_t number;
        const char *name;
    } cases[] = {
        { 1 + 26 * 3 + 4, "DE" },  { 1 + 26 * 20 + 18, "US" }, { 1 + 26 * 25 + 22, "ZW" },
        { 1001, "US-AK" },         { 1006, "US-CA" },          { 1057, "US-WY" },
        { 1101, "CA-AB" },         { 1113, "CA-YT" },          { 1201, "MX-AGU" },
        { 1232, "MX-ZAC" },        { 1301, "DE-BB" },          { 1316, "DE-TH" },
        { 1401, "AT-1" },          { 1409, "AT-9" },           { 1501, "CH-AG" },
        { 1526, "CH-ZH" },         { 1601, "AU-ACT" },         { 1608, "AU-WA" },
        { 1701, "GB-ENG" },        { 1704, "GB-WLS" },         { 1801, "BR-AC" },
        { 1827, "BR-TO" },         { 1901, "IN-AN" },          { 1936, "IN-WB" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(cases[i].name, pb_jurisdiction_name(cases[i].number));
}

/* All numbers and names at once. Adding one changes the sum: check then that lines were only
 * added to jurisdiction_list.h, and none was changed. */
static void
no_number_was_given_to_another_name(void **state)
{
    uint64_t sum = 0;
    unsigned count = 0;

    (void)state;
    for (unsigned number = 0; number <= UINT16_MAX; number++) {
        char line[32];
        const char *name = pb_jurisdiction_name((uint16_t)number);

        if (name[0] == '\0')
            continue;
        (void)snprintf(line, sizeof(line), "%u=%s", number, name);
        sum += pb_hash_bytes(line, strlen(line));
        count++;
    }
    assert_int_equal(478, count);
    assert_true(sum == UINT64_C(0xD4E799822F370524));
}

static void
every_name_is_found_again(void **state)
{
    (void)state;
    assert_string_equal("", pb_jurisdiction_name(0));
    assert_string_equal("", pb_jurisdiction_name(UINT16_MAX));
    for (unsigned number = 1; number <= UINT16_MAX; number++) {
        const char *name = pb_jurisdiction_name((uint16_t)number);
        char other[8];

        if (name[0] == '\0')
            continue;
        assert_in_range(strlen(name), 2, 6);
        assert_int_equal(number, pb_jurisdiction_from_text(pb_str_from(name)));
        for (size_t i = 0; i <= strlen(name); i++) {
            other[i] = name[i];
            if (name[i] >= 'A' && name[i] <= 'Z')
                other[i] = (char)(name[i] + 32);
            else if (name[i] == '-')
                other[i] = '_';
        }
        assert_int_equal(number, pb_jurisdiction_from_text(pb_str_from(other)));
    }
}

/* All codes of three letters at once, as above: each is of one country, which has no other. */
static void
each_country_has_one_code_of_three_letters(void **state)
{
    static unsigned codes_of[UINT16_MAX + 1];
    uint64_t sum = 0;
    unsigned count = 0;

    (void)state;
    memset(codes_of, 0, sizeof(codes_of));
    for (unsigned i = 0; i < 26 * 26 * 26; i++) {
        char code[4] = { (char)('A' + i / 676), (char)('A' + i / 26 % 26), (char)('A' + i % 26) };
        uint16_t number = pb_jurisdiction_from_text(pb_str_from(code));
        char line[16];

        if (number == 0)
            continue;
        assert_int_equal(2, strlen(pb_jurisdiction_name(number)));
        assert_int_equal(1, ++codes_of[number]);
        (void)snprintf(line, sizeof(line), "%s=%s", code, pb_jurisdiction_name(number));
        sum += pb_hash_bytes(line, strlen(line));
        count++;
    }
    assert_int_equal(250, count);
    assert_true(sum == UINT64_C(0x87EF91AB0F6574F9));
}

static const char *
name_of(const char *text)
{
    return pb_jurisdiction_name(pb_jurisdiction_from_text(pb_str_from(text)));
}

static void
common_spellings_are_understood(void **state)
{
    static const struct {
        const char *text, *name;
    } cases[] = {
        { "US-GA", "US-GA" },  { "us-ga", "US-GA" },   { "US_GA", "US-GA" },
        { "US GA", "US-GA" },  { " us-ga ", "US-GA" }, { "USA", "US" },
        { "usa", "US" },       { "DEU", "DE" },        { "de", "DE" },
        { "GA", "GA" },        { "CA", "CA" },         { "MX-DIF", "MX-CMX" },
        { "CA-PQ", "CA-QC" },  { "IN-TG", "IN-TS" },   { "AT-9", "AT-9" },
        { "au-nsw", "AU-NSW" }, { "UK", "GB" },        { "GBR", "GB" },
        { "XK", "XK" },        { "CA-NF", "CA-NL" },   { "IN-CT", "IN-CG" },
        { "IN-OR", "IN-OD" },  { "IN-UT", "IN-UK" },
    };
    static const char *const unknown[] = {
        "", " ", "U", "ZZ", "ZZZ", "US-", "US-G", "US-ZZ", "US-GAA", "USGA", "US--GA", "US/GA",
        "US-G A", "1A", "A1", "12", "-", "--", "unknown", "\xC3\x84\xC3\x84", "DE-1", "GA-US",
        "US-GA-1", "us-?", "AT-0", "{A", "A~", "us-~~", "~~-GA",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(cases[i].name, name_of(cases[i].text));
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_string_equal("", name_of(unknown[i]));
}

static void
bare_codes_and_names_mean_the_country_at_hand_first(void **state)
{
    static const struct {
        const char *country, *text, *name;
    } cases[] = {
        { "US", "GA", "US-GA" },
        { "us", "ga", "US-GA" },
        { "USA", "CA", "US-CA" },
        { "US", "Georgia", "US-GA" },
        { "US", "NORTH CAROLINA", "US-NC" },
        { "US", "north_carolina", "US-NC" },
        { "US", "D.C.", "" },
        { "US", "District of Columbia", "US-DC" },
        { "US", "DE", "US-DE" },
        { "DE", "BY", "DE-BY" },
        { "US", "US-TX", "US-TX" },
        { "US", "DE-BY", "DE-BY" },
        { "US", "MX", "MX" },            /* no state: a country */
        { "US", "ON", "CA-ON" },         /* no state: the neighbour's */
        { "US", "Ontario", "CA-ON" },
        { "CA", "GA", "US-GA" },
        { "CA", "PQ", "CA-QC" },
        { "CA", "Qu\xC3\xA9" "bec", "CA-QC" },
        { "CA", "quebec", "CA-QC" },
        { "MX", "JAL", "MX-JAL" },
        { "MX", "Jalisco", "MX-JAL" },
        { "AT", "9", "AT-9" },
        { "FR", "GA", "GA" },
        { "FR", "Georgia", "" },
        { "", "US-GA", "US-GA" },
        { NULL, "USA", "US" },
        { "??", "GA", "GA" },
        { "US", "", "" },
        { "US", "Georgi", "" },
        { "US", "Georgias", "" },
        { "US", "Virginia", "US-VA" },
        { "US", "West Virginia", "US-WV" },
        { "US", "unknown", "" },
        { "US", "West.Virginia", "US-WV" },
        { "US", "West-Virginia-", "US-WV" },
        { "US", "Georgi{", "" },
        { "US", "Georgi\xC3\xA1", "" },
        { "DE", "Bayern", "DE-BY" },
        { "AT", "Wien", "AT-9" },
        { "CH", "Bern", "CH-BE" },
        { "AU", "Victoria", "AU-VIC" },
        { "GB", "Scotland", "GB-SCT" },
        { "BR", "Bahia", "BR-BA" },
        { "IN", "Kerala", "IN-KL" },
        { "DE", "Kerala", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t number = pb_jurisdiction_within(cases[i].country, pb_str_from(cases[i].text));

        if (strcmp(cases[i].name, pb_jurisdiction_name(number)) != 0)
            fail_msg("within %s, \"%s\" is \"%s\" instead of \"%s\"", cases[i].country,
                     cases[i].text, pb_jurisdiction_name(number), cases[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_on_disk_keep_their_names),
        cmocka_unit_test(no_number_was_given_to_another_name),
        cmocka_unit_test(every_name_is_found_again),
        cmocka_unit_test(each_country_has_one_code_of_three_letters),
        cmocka_unit_test(common_spellings_are_understood),
        cmocka_unit_test(bare_codes_and_names_mean_the_country_at_hand_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
