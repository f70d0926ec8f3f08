/*
 * Time: civil dates by integer arithmetic.
 *
 * Years are counted from March, so that the leap day is the last of its year and a
 * month's first day is a straight line in the month's number: (153 m + 2) / 5 days
 * after the first of March, m = 0 for March.
 */
#include "base/time.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#define DAYS_BEFORE_1970 719468 /* from 0000-03-01 to 1970-01-01 */
#define DAYS_IN_400_YEARS 146097
#define DAYS_IN_4_YEARS 1461

#define YEAR_1_US (INT64_C(-62135596800) * PB_SECOND_US)             /* 0001-01-01 */
#define YEAR_9999_LAST_US (INT64_C(253402300800) * PB_SECOND_US - 1) /* its last moment */

#define OFFSET_MIN_MAX 1439

struct civil_day {
    uint32_t year;  /* 1 to 9999 */
    uint32_t month; /* 1 to 12 */
    uint32_t day;   /* 1 to 31 */
};

/* ---- calendar ---- */

static int32_t
days_from_civil(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t march_year = month > 2 ? year : year - 1;
    uint32_t march_month = month > 2 ? month - 3 : month + 9;
    uint32_t days = 365 * march_year + march_year / 4 - march_year / 100 + march_year / 400 +
                    (153 * march_month + 2) / 5 + day - 1;

    return (int32_t)days - DAYS_BEFORE_1970;
}

static struct civil_day
civil_from_days(int32_t days_since_1970)
{
    uint32_t days = (uint32_t)(days_since_1970 + DAYS_BEFORE_1970);
    uint32_t quarters = 4 * days + 3;
    uint32_t century = quarters / DAYS_IN_400_YEARS;
    uint32_t in_century = quarters % DAYS_IN_400_YEARS / 4 * 4 + 3;
    uint32_t year = 100 * century + in_century / DAYS_IN_4_YEARS;
    uint32_t day_of_year = in_century % DAYS_IN_4_YEARS / 4;
    uint32_t march_month = (5 * day_of_year + 2) / 153;
    struct civil_day result;

    result.day = day_of_year - (153 * march_month + 2) / 5 + 1;
    result.month = march_month < 10 ? march_month + 3 : march_month - 9;
    result.year = year + (march_month < 10 ? 0 : 1);
    return result;
}

static int64_t
floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

static bool
is_day_possible(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint8_t days_in_month[13] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month < 1 || month > 12 || day < 1 || day > days_in_month[month])
        return false;
    return month != 2 || day != 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

int32_t
pb_time_month(int64_t us)
{
    struct civil_day civil;

    assert(us >= YEAR_1_US && us <= YEAR_9999_LAST_US);
    civil = civil_from_days((int32_t)floor_divide(us, PB_DAY_US));
    return (int32_t)(civil.year * 12 + civil.month - 1) - 1970 * 12;
}

int64_t
pb_time_month_start_us(int32_t month)
{
    uint32_t months = (uint32_t)(month + 1970 * 12);

    assert(months >= 12 && months < 10000 * 12);
    return days_from_civil(months / 12, months % 12 + 1, 1) * PB_DAY_US;
}

/* ---- parsing ---- */

/* What is left to read. */
struct scan {
    const char *at;
    const char *end;
};

static size_t
left(const struct scan *scan)
{
    return (size_t)(scan->end - scan->at);
}

static uint32_t
digit(char character)
{
    return (uint32_t)(unsigned char)character - '0'; /* above 9 where it is no digit */
}

/* The two digits at text, or a number above 99 where they are none. */
static uint32_t
two_digits(const char *text)
{
    uint32_t tens = digit(text[0]), ones = digit(text[1]);

    return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

/*
 * Reads 8 characters, "dd-dd-dd" where the separator is a dash; false for another shape.
 * Dates and times of day both have it, and all 8 are judged and turned into numbers at
 * once, one to a byte of a word: a loader parses millions of times a second.
 */
static bool
three_pairs(const char *text, char separator, uint32_t ret_pairs[3])
{
    const uint64_t between = UINT64_C(0x0000010000010000); /* the bytes of the separators */
    const uint64_t zeros = UINT64_C(0x3030003030003030);   /* '0' in those of the digits */
    /* Sets the top bit of a digit's byte above 9 and of a separator's above 0. A carry into
     * the next byte needs a byte that has its own top bit set, which is refused as well. */
    const uint64_t excess = UINT64_C(0x76767F76767F7676);
    uint64_t bytes;

    memcpy(&bytes, text, sizeof(bytes));
    bytes = le64toh(bytes);
    bytes ^= zeros | between * (unsigned char)separator;
    if (((bytes + excess) | bytes) & UINT64_C(0x8080808080808080))
        return false;
    bytes = bytes * 10 + (bytes >> 8);
    ret_pairs[0] = bytes & 0xFF;
    ret_pairs[1] = bytes >> 24 & 0xFF;
    ret_pairs[2] = bytes >> 48 & 0xFF;
    return true;
}

static bool
take(struct scan *scan, char character)
{
    if (scan->at == scan->end || *scan->at != character)
        return false;
    scan->at++;
    return true;
}

/* Takes "yyyy-mm-dd". */
static bool
take_date(struct scan *scan, int32_t *ret_days)
{
    uint32_t century, year, pairs[3]; /* pairs: the year's last two digits, month, day */

    if (left(scan) < 10)
        return false;
    century = two_digits(scan->at);
    if (century > 99 || !three_pairs(scan->at + 2, '-', pairs))
        return false;
    year = century * 100 + pairs[0];
    if (year == 0 || !is_day_possible(year, pairs[1], pairs[2]))
        return false;
    *ret_days = days_from_civil(year, pairs[1], pairs[2]);
    scan->at += 10;
    return true;
}

/* Takes 1 to 9 digits after a point as microseconds; without a point nothing. */
static bool
take_fraction(struct scan *scan, uint32_t *ret_us)
{
    uint32_t us = 0, unit = 100000;
    unsigned count = 0;

    *ret_us = 0;
    if (!take(scan, '.'))
        return true;
    while (scan->at < scan->end && digit(*scan->at) <= 9) {
        us += digit(*scan->at++) * unit;
        unit /= 10; /* 0 past the sixth digit: cut off */
        count++;
    }
    *ret_us = us;
    return count >= 1 && count <= 9;
}

/* Takes "hh:mm:ss" with a fraction, or "hh:mm" where the seconds are optional. */
static bool
take_time_of_day(struct scan *scan, bool is_seconds_optional, int64_t *ret_us,
                 bool *ret_is_leap_second)
{
    uint32_t us = 0, pairs[3]; /* hour, minute, second */

    if (left(scan) >= 8 && three_pairs(scan->at, ':', pairs)) {
        scan->at += 8;
        if (!take_fraction(scan, &us))
            return false;
    } else if (is_seconds_optional && left(scan) >= 5 && scan->at[2] == ':') {
        pairs[0] = two_digits(scan->at);
        pairs[1] = two_digits(scan->at + 3);
        pairs[2] = 0;
        scan->at += 5;
    } else {
        return false;
    }
    if (pairs[0] > 23 || pairs[1] > 59 || pairs[2] > 60)
        return false;
    *ret_is_leap_second = pairs[2] == 60;
    if (pairs[2] == 60) {
        pairs[2] = 59;
        us = 999999;
    }
    *ret_us = (int64_t)(pairs[0] * 3600 + pairs[1] * 60 + pairs[2]) * PB_SECOND_US + us;
    return true;
}

/* Takes Z, +hh:mm, +hhmm or +hh, or nothing at all where the zone is optional. */
static bool
take_zone(struct scan *scan, bool is_optional, int32_t *ret_offset_min, bool *ret_is_unknown)
{
    uint32_t hours, minutes = 0;
    bool is_west;

    *ret_offset_min = 0;
    *ret_is_unknown = false;
    if (scan->at == scan->end)
        return is_optional;
    if (take(scan, 'Z') || take(scan, 'z'))
        return true;
    is_west = take(scan, '-');
    if (!is_west && !take(scan, '+'))
        return false;
    if (left(scan) < 2)
        return false;
    hours = two_digits(scan->at);
    scan->at += 2;
    if (take(scan, ':') || scan->at < scan->end) {
        if (left(scan) < 2)
            return false;
        minutes = two_digits(scan->at);
        scan->at += 2;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *ret_offset_min = (int32_t)(hours * 60 + minutes) * (is_west ? -1 : 1);
    *ret_is_unknown = is_west && *ret_offset_min == 0;
    return true;
}

static enum pb_status
parse_calendar(struct scan scan, bool is_lenient, int64_t *ret_us, int16_t *ret_offset_min)
{
    int64_t us, time_of_day_us = 0;
    int32_t days, offset_min = 0;
    bool is_leap_second = false, is_zone_unknown = false;

    if (!take_date(&scan, &days))
        return PB_BAD_INPUT;
    if (scan.at < scan.end || !is_lenient) {
        if (!take(&scan, 'T') && !take(&scan, ' ') && !take(&scan, 't'))
            return PB_BAD_INPUT;
        if (!take_time_of_day(&scan, is_lenient, &time_of_day_us, &is_leap_second))
            return PB_BAD_INPUT;
        if (!take_zone(&scan, is_lenient, &offset_min, &is_zone_unknown))
            return PB_BAD_INPUT;
    }
    if (scan.at != scan.end)
        return PB_BAD_INPUT;

    us = days * PB_DAY_US + time_of_day_us - offset_min * PB_MINUTE_US;
    if (us < PB_TIME_MIN_US || us >= PB_TIME_MAX_US)
        return PB_BAD_INPUT;
    if (is_leap_second && us % PB_DAY_US != PB_DAY_US - 1)
        return PB_BAD_INPUT;
    *ret_us = us;
    *ret_offset_min = is_zone_unknown ? PB_NO_UTC_OFFSET : (int16_t)offset_min;
    return PB_OK;
}

static enum pb_status
parse_number(struct scan scan, int64_t *ret_us)
{
    uint64_t value = 0, unit_us, us;
    uint32_t fraction_e6 = 0;
    unsigned count = 0;

    while (scan.at < scan.end && digit(*scan.at) <= 9) {
        if (++count > 17) /* all larger ones are past the last time we take */
            return PB_BAD_INPUT;
        value = value * 10 + digit(*scan.at++);
    }
    if (count == 0 || !take_fraction(&scan, &fraction_e6) || scan.at != scan.end)
        return PB_BAD_INPUT;

    /* Sooner a year or a date without dashes than a moment before March 1973. */
    if (value < UINT64_C(100000000))
        return PB_BAD_INPUT;
    if (value < UINT64_C(100000000000))
        unit_us = 1000000;
    else if (value < UINT64_C(100000000000000))
        unit_us = 1000;
    else
        unit_us = 1;
    us = value * unit_us + fraction_e6 * unit_us / 1000000;
    if (us >= (uint64_t)PB_TIME_MAX_US)
        return PB_BAD_INPUT;
    *ret_us = (int64_t)us;
    return PB_OK;
}

static enum pb_status
parse(struct pb_str text, bool is_lenient, int64_t *ret_us, int16_t *ret_offset_min)
{
    struct scan scan;
    enum pb_status status;

    if (text.bytes == 0)
        return PB_BAD_INPUT;
    scan = (struct scan){ .at = text.text, .end = text.text + text.bytes };
    if (text.bytes > 4 && text.text[4] == '-')
        return parse_calendar(scan, is_lenient, ret_us, ret_offset_min);
    status = parse_number(scan, ret_us);
    if (status == PB_OK)
        *ret_offset_min = PB_NO_UTC_OFFSET;
    return status;
}

enum pb_status
pb_time_parse(struct pb_str text, int64_t *ret_us, int16_t *ret_offset_min)
{
    return parse(text, false, ret_us, ret_offset_min);
}

enum pb_status
pb_time_parse_utc(struct pb_str text, int64_t *ret_us, int16_t *ret_offset_min)
{
    return parse(text, true, ret_us, ret_offset_min);
}

/* ---- formatting ---- */

static char *
put_two_digits(char *at, uint32_t value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

/* Writes 8 characters, "dd-dd-dd" where the separator is a dash: three_pairs() backwards. */
static void
put_three_pairs(char *at, char separator, uint32_t first, uint32_t second, uint32_t third)
{
    const uint64_t ones = UINT64_C(0x0001000001000001); /* the byte of each pair's tens */
    uint64_t pairs = first | (uint64_t)second << 24 | (uint64_t)third << 48;
    uint64_t tens = pairs * 205 >> 11 & ones * 0xF; /* 205 / 2048 is 1 / 10 up to 99 */
    uint64_t bytes = tens | (pairs - tens * 10) << 8 | UINT64_C(0x3030003030003030) |
                     UINT64_C(0x0000010000010000) * (unsigned char)separator;

    bytes = htole64(bytes);
    memcpy(at, &bytes, sizeof(bytes));
}

static int64_t
within_four_digit_years(int64_t us)
{
    if (us < YEAR_1_US)
        return YEAR_1_US;
    return us > YEAR_9999_LAST_US ? YEAR_9999_LAST_US : us;
}

static char *
put_zone(char *at, int32_t offset_min)
{
    uint32_t minutes = (uint32_t)(offset_min < 0 ? -offset_min : offset_min);

    if (offset_min == 0) {
        *at = 'Z';
        return at + 1;
    }
    *at++ = offset_min < 0 ? '-' : '+';
    at = put_two_digits(at, minutes / 60);
    *at++ = ':';
    return put_two_digits(at, minutes % 60);
}

size_t
pb_time_format(int64_t us, int16_t offset_min, char ret_text[PB_TIME_BYTES_MAX])
{
    int32_t zone_min = offset_min < -OFFSET_MIN_MAX || offset_min > OFFSET_MIN_MAX ? 0 : offset_min;
    char *at = ret_text;
    struct civil_day civil;
    uint32_t second_of_day, fraction_us;
    int64_t days, in_day_us;

    us = within_four_digit_years(us);
    us = within_four_digit_years(us + zone_min * PB_MINUTE_US);
    days = floor_divide(us, PB_DAY_US);
    in_day_us = us - days * PB_DAY_US;
    second_of_day = (uint32_t)(in_day_us / PB_SECOND_US);
    fraction_us = (uint32_t)(in_day_us % PB_SECOND_US);
    civil = civil_from_days((int32_t)days);

    at = put_two_digits(at, civil.year / 100);
    put_three_pairs(at, '-', civil.year % 100, civil.month, civil.day);
    at[8] = 'T';
    put_three_pairs(at + 9, ':', second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    at[17] = '.';
    at += 18;
    at = put_two_digits(at, fraction_us / 10000);
    *at++ = (char)('0' + fraction_us / 1000 % 10);
    if (fraction_us % 1000 != 0) {
        *at++ = (char)('0' + fraction_us / 100 % 10);
        at = put_two_digits(at, fraction_us % 100);
    }
    at = put_zone(at, zone_min);
    *at = '\0';
    return (size_t)(at - ret_text);
}
