/*
 * Hours: how many of the feed's reads fall into each, and which zone's readers make them.
 *
 * Fixed readers follow traffic, patrol cars their shifts; both by the local time of the reader.
 */
#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/time.h"
#include "synth/synth_private.h"

/* Permille of a working day's reads. Weekends are quieter for patrol cars than for others, so
 * that they make 15 % of all. */
#define FIXED_SHARE 830u
#define SATURDAY 900u    /* permille of a working day, fixed readers */
#define SUNDAY 750u
#define MOBILE_WEEKEND 333u
#define SHARE_BITS 12 /* an hour's weight is kept below 2^13 */

/* Seattle's patrol cars: 5 reads in a median active minute, 22 in the tenth busiest. */
const uint8_t synth_burst_reads[BURST_KINDS] = {
    1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 8, 10, 14, 22, 31,
};

/* 0 is Sunday; 1970-01-01 was a Thursday. */
static uint32_t
weekday(int64_t local_us)
{
    return (uint32_t)((local_us / PB_DAY_US + 4) % 7);
}

static int64_t
nth_sunday_us(int32_t month, uint32_t n)
{
    int64_t start_us = pb_time_month_start_us(month);
    uint32_t first = (7 - weekday(start_us)) % 7;

    return start_us + (int64_t)(first + 7 * (n - 1)) * PB_DAY_US;
}

/* Summer time of the United States since 2007: second Sunday of March, first of November. */
static bool
is_summer(int64_t standard_us)
{
    int32_t month = pb_time_month(standard_us);
    int32_t march = month - month % 12 + 2;

    return standard_us >= nth_sunday_us(march, 2) + 2 * PB_HOUR_US &&
           standard_us < nth_sunday_us(march + 8, 1) + PB_HOUR_US;
}

/* Sums of the weights of the readers of each zone. */
static void
weigh_zones(const struct pb_synth *synth, uint64_t fixed[SYNTH_ZONES],
            uint64_t mobile[SYNTH_ZONES])
{
    memset(fixed, 0, SYNTH_ZONES * sizeof(fixed[0]));
    memset(mobile, 0, SYNTH_ZONES * sizeof(mobile[0]));
    for (uint32_t i = 0; i < synth->post_count; i++) {
        const struct synth_post *post = &synth->posts[i];

        if (post->is_mobile)
            mobile[post->zone] += post->weight;
        else
            fixed[post->zone] += post->weight;
    }
}

static uint64_t
sum_of(const uint64_t *values)
{
    uint64_t sum = 0;

    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++)
        sum += values[zone];
    return sum;
}

static void
set_local_times(struct synth_hour *hour, int64_t start_us)
{
    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++) {
        int64_t local_us = start_us + synth_zone_minutes[zone] * PB_MINUTE_US;
        int32_t offset_min = synth_zone_minutes[zone];

        if (local_us < 0)
            local_us += 7 * PB_DAY_US; /* the first hours of 1970: any week will do */
        if (synth_zone_has_summer[zone] && is_summer(local_us)) {
            offset_min += 60;
            local_us += PB_HOUR_US;
        }
        hour->offset_minutes[zone] = (int16_t)offset_min;
        hour->local_hour[zone] = (uint8_t)(local_us / PB_HOUR_US % 24);
        hour->is_weekend[zone] = weekday(local_us) == 0 || weekday(local_us) == 6;
    }
}

static void
accumulate(const uint64_t *values, uint64_t sum, uint32_t *ret_until)
{
    uint64_t before = 0;

    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++) {
        before += values[zone];
        ret_until[zone] = sum == 0 ? UINT32_MAX : (uint32_t)(before * UINT32_MAX / sum);
    }
}

/* Sets what is known of one hour but for `first`; returns its weight. */
static uint64_t
weigh_hour(struct synth_hour *hour, int64_t start_us, const uint64_t *fixed_share,
           const uint64_t *mobile_share)
{
    uint64_t fixed[SYNTH_ZONES], mobile[SYNTH_ZONES];
    uint64_t fixed_sum, mobile_sum;

    set_local_times(hour, start_us);
    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++) {
        uint32_t local = hour->local_hour[zone];
        int64_t local_us = start_us + hour->offset_minutes[zone] * PB_MINUTE_US;
        uint64_t day = 1000;

        if (hour->is_weekend[zone])
            day = weekday(local_us + 7 * PB_DAY_US) == 0 ? SUNDAY : SATURDAY;
        fixed[zone] = fixed_share[zone] * synth_hours_fixed[local] * day / 1000;
        day = hour->is_weekend[zone] ? MOBILE_WEEKEND : 1000;
        mobile[zone] = mobile_share[zone] * synth_hours_mobile[local] * day / 1000;
    }
    fixed_sum = sum_of(fixed);
    mobile_sum = sum_of(mobile);
    accumulate(fixed, fixed_sum, hour->fixed_until);
    accumulate(mobile, mobile_sum, hour->mobile_until);
    if (mobile_sum > 0)
        hour->burst_share = (uint32_t)(((mobile_sum << 16) / (fixed_sum + mobile_sum)) *
                                       CELL_READS * BURST_KINDS / BURST_SUM);
    return fixed_sum + mobile_sum;
}

enum pb_status
synth_hours_build(struct pb_synth *synth, uint32_t days)
{
    uint64_t fixed[SYNTH_ZONES], mobile[SYNTH_ZONES];
    uint64_t fixed_sum, mobile_sum, weight_sum = 0;

    synth->hour_count = days * 24;
    synth->hours = pb_calloc(synth->env, synth->hour_count + 1, sizeof(synth->hours[0]));
    if (synth->hours == NULL)
        return PB_E_NOMEM;

    /* Shares in 2^20, so that an hour's sum stays below 2^(20 + 10). */
    weigh_zones(synth, fixed, mobile);
    fixed_sum = sum_of(fixed);
    mobile_sum = sum_of(mobile);
    for (uint32_t zone = 0; zone < SYNTH_ZONES; zone++) {
        fixed[zone] = (fixed[zone] << 20) / fixed_sum * FIXED_SHARE / 1000;
        if (mobile_sum > 0)
            mobile[zone] = (mobile[zone] << 20) / mobile_sum * (1000 - FIXED_SHARE) / 1000;
    }

    for (uint32_t i = 0; i < synth->hour_count; i++) {
        uint64_t weight =
            weigh_hour(&synth->hours[i], synth->from_us + i * HOUR_US, fixed, mobile);

        synth->hours[i].first = weight_sum; /* for now; below it becomes a number of reads */
        weight_sum += weight >> (30 - SHARE_BITS);
    }
    /* reads < 2^34 + 1, weights < 2^13 each, fewer than 2^17 hours: the product fits. */
    for (uint32_t i = 0; i < synth->hour_count; i++)
        synth->hours[i].first = synth->reads * synth->hours[i].first / weight_sum;
    synth->hours[synth->hour_count].first = synth->reads;
    return PB_OK;
}
