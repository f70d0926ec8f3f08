/*
 * Spans: lengths of time as laws write them.
 *
 * Months and years have no fixed length. What limits is read as the shortest that they can be, what
 * obliges to keep as the longest, and a look back is counted on the calendar.
 */
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "policy/policy_private.h"

#define CYCLE_MONTHS 48 /* after which the lengths of months repeat */
#define CYCLE_FIRST 372 /* January 2001: a cycle with one leap day */
#define UNIT_COUNT_MAX 1000000u

struct unit {
    const char *name, *names;
    int64_t us;
    int32_t months;
};

static const struct unit units[] = {
    { "second", "seconds", PB_SECOND_US, 0 },
    { "minute", "minutes", PB_MINUTE_US, 0 },
    { "hour", "hours", PB_HOUR_US, 0 },
    { "day", "days", PB_DAY_US, 0 },
    { "month", "months", 0, 1 },
    { "year", "years", 0, 12 },
};

static bool
is_text(struct pb_str text, const char *wanted)
{
    return pb_str_equal(text, pb_str_from(wanted));
}

/* Digits and one space; returns where the unit begins, or 0. */
static uint32_t
read_number(struct pb_str text, uint64_t *ret_number)
{
    uint32_t at = 0;
    uint64_t number = 0;

    while (at < text.bytes && text.text[at] >= '0' && text.text[at] <= '9') {
        number = number * 10 + (uint64_t)(text.text[at++] - '0');
        if (number > UNIT_COUNT_MAX)
            return 0;
    }
    if (at == 0 || number == 0 || at == text.bytes || text.text[at] != ' ')
        return 0;
    *ret_number = number;
    return at + 1;
}

static int64_t
run_us(int32_t first_month, int32_t months)
{
    return pb_time_month_start_us(first_month + months) - pb_time_month_start_us(first_month);
}

struct pb_span
pb_span_of_months(int32_t months)
{
    struct pb_span span = { .shortest_us = INT64_MAX, .longest_us = 0, .months = months };

    for (int32_t i = 0; i < CYCLE_MONTHS; i++) {
        int64_t us = run_us(CYCLE_FIRST + i, months);

        span.shortest_us = us < span.shortest_us ? us : span.shortest_us;
        span.longest_us = us > span.longest_us ? us : span.longest_us;
    }
    return span;
}

enum pb_status
pb_span_read(struct pb_str text, struct pb_span *ret_span)
{
    struct pb_str name;
    uint64_t number;
    uint32_t at;

    if (is_text(text, "forever")) {
        *ret_span = (struct pb_span){ .shortest_us = PB_NEVER, .longest_us = PB_NEVER };
        return PB_OK;
    }
    at = read_number(text, &number);
    if (at == 0)
        return PB_BAD_INPUT;
    name = (struct pb_str){ .text = text.text + at, .bytes = text.bytes - at };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!is_text(name, number == 1 ? units[i].name : units[i].names))
            continue;
        if (units[i].months > 0) {
            if (number > PB_SPAN_MONTHS_MAX / (unsigned)units[i].months)
                return PB_BAD_INPUT;
            *ret_span = pb_span_of_months((int32_t)number * units[i].months);
            return PB_OK;
        }
        *ret_span = (struct pb_span){
            .shortest_us = (int64_t)number * units[i].us,
            .longest_us = (int64_t)number * units[i].us,
        };
        return PB_OK;
    }
    return PB_BAD_INPUT;
}

/*
 * Five years before 29 February is 1 March, for that year has no such day: a day that is missing
 * makes the look back shorter, never longer.
 */
int64_t
pb_span_before(const struct pb_span *span, int64_t us)
{
    int32_t month, then;
    int64_t moment, next;

    if (span->shortest_us == PB_NEVER)
        return INT64_MIN;
    if (us < PB_TIME_MIN_US || us >= PB_TIME_MAX_US)
        return us;
    if (span->months == 0)
        return us - span->shortest_us;
    month = pb_time_month(us);
    then = month - span->months;
    if (then < pb_time_month(PB_TIME_MIN_US))
        return PB_TIME_MIN_US;
    moment = pb_time_month_start_us(then) + (us - pb_time_month_start_us(month));
    next = pb_time_month_start_us(then + 1);
    return moment < next ? moment : next;
}
