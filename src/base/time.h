/*
 * Time: texts to and from microseconds since 1970 in UTC, and calendar months.
 *
 * All times are on the proleptic Gregorian calendar without leap seconds. Nothing
 * here asks the system: no time zone data, no locale, no clock.
 *
 * Threads: everything here is pure.
 * Source:  RFC 3339.
 */
#ifndef PB_BASE_TIME_H
#define PB_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#define PB_TIME_BYTES_MAX 33u /* "2026-03-08T12:34:56.123456+05:30" and its NUL */

#define PB_SECOND_US INT64_C(1000000)
#define PB_MINUTE_US (60 * PB_SECOND_US)
#define PB_HOUR_US (60 * PB_MINUTE_US)
#define PB_DAY_US (24 * PB_HOUR_US)

/*
 * Parses a time that says for itself which moment it is:
 *
 *   RFC 3339    2026-03-08T12:34:56.789+01:00: `T`, `t` or one space between date and time; a
 *               fraction of 1 to 9 digits, of which those past microseconds are dropped; `Z`,
 *               `z`, +hh:mm, and as databases write it +hhmm or +hh.
 *   a number    since 1970, a fraction of 1 to 9 digits allowed. Its size tells the unit: from
 *               10^8 seconds, from 10^11 milliseconds, from 10^14 microseconds. So each moment
 *               since March 1973 has one reading; smaller numbers are refused, for they are
 *               sooner years or dates without dashes.
 *
 * Second 60 is taken where a leap second can be, at 23:59:60 in UTC, and becomes the last
 * microsecond of that minute.
 *
 * ret_us          PB_TIME_MIN_US to PB_TIME_MAX_US - 1; set on PB_OK only
 * ret_offset_min  minutes east of UTC, -1439 to 1439; 0 for Z; PB_NO_UTC_OFFSET for a number
 *                 and for -00:00, which says that the zone is not known. Set on PB_OK only.
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT  another shape, no zone, no such day or hour, or out of range
 */
PB_MUST_CHECK enum pb_status pb_time_parse(struct pb_str text, int64_t *ret_us,
                                           int16_t *ret_offset_min);

/* As pb_time_parse, for what a person types: the zone may be missing (it is UTC then), and so
 * may the seconds, or the whole time of day (it is midnight then): "2026-03-08",
 * "2026-03-08 14:00". ret_offset_min is 0 where there was no zone. */
PB_MUST_CHECK enum pb_status pb_time_parse_utc(struct pb_str text, int64_t *ret_us,
                                               int16_t *ret_offset_min);

/*
 * Writes RFC 3339 with milliseconds, or microseconds where they are needed, and a NUL; returns
 * the length without it. Any us is safe: what is outside years 1 to 9999 becomes their
 * first or last moment.
 *
 * offset_min  -1439 to 1439 writes that zone's time; 0, PB_NO_UTC_OFFSET and anything else
 *             write UTC with Z.
 */
size_t pb_time_format(int64_t us, int16_t offset_min, char ret_text[PB_TIME_BYTES_MAX]);

/* Whole months in UTC since 1970-01, 0 for that month; and when month begins.
 * us in years 1 to 9999. */
int32_t pb_time_month(int64_t us);
int64_t pb_time_month_start_us(int32_t month);

#endif
