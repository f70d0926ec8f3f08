/*
 * A synthetic feed's life: options, building, freeing, and what is known of its readers.
 */
#include "synth/synth.h"

#include <assert.h>

#include "base/env.h"
#include "base/time.h"
#include "synth/synth_private.h"

#define DEFAULT_FROM_US INT64_C(1790812800000000) /* 2026-10-01T00:00:00Z */
#define DEFAULT_READS 1000000u
#define READS_A_READER 1000u /* up to LINEAR_READS; above, readers grow as the square root */
#define LINEAR_READS UINT64_C(20000000)
#define READERS_MIN 8u
#define DEFAULT_READERS_MIN 60u
#define TOWN_READS 20000u
#define TOWN_READERS 24u
#define TOWN_DAYS 14u
#define YEAR_MAX 2100u /* that a read may give */

static uint32_t
default_readers(uint64_t reads)
{
    uint64_t readers = reads / READS_A_READER;

    if (reads > LINEAR_READS)
        readers = synth_root(reads * (LINEAR_READS / READS_A_READER) / READS_A_READER);
    return readers < DEFAULT_READERS_MIN ? DEFAULT_READERS_MIN : (uint32_t)readers;
}

static struct pb_synth_options
with_defaults(struct pb_synth_options options)
{
    if (options.reads == 0)
        options.reads = options.is_town ? TOWN_READS : DEFAULT_READS;
    if (options.days == 0)
        options.days = options.is_town ? TOWN_DAYS : 30;
    if (options.readers == 0)
        options.readers = options.is_town ? TOWN_READERS : default_readers(options.reads);
    if (options.from_us == 0)
        options.from_us = DEFAULT_FROM_US;
    return options;
}

static enum pb_status
check(const struct pb_synth_options *options, struct pb_error *error)
{
    if (options->reads > PB_SYNTH_READS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a synthetic feed has at most %llu reads",
                       (unsigned long long)PB_SYNTH_READS_MAX);
    if (options->days > PB_SYNTH_DAYS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a synthetic feed has at most %u days",
                       PB_SYNTH_DAYS_MAX);
    if (options->readers < READERS_MIN || options->readers > PB_SYNTH_READERS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a synthetic feed has %u to %u readers", READERS_MIN,
                       PB_SYNTH_READERS_MAX);
    if (options->from_us < PB_TIME_MIN_US ||
        options->from_us > PB_TIME_MAX_US - (options->days + INT64_C(1)) * PB_DAY_US)
        return pb_fail(error, PB_BAD_INPUT,
                       "a synthetic feed lies between the years 1970 and 2200");
    return PB_OK;
}

enum pb_status
pb_synth_new(const struct pb_env *env, const struct pb_synth_options *options,
             struct pb_synth **ret_synth, struct pb_error *error)
{
    struct pb_synth_options full;
    struct pb_synth *synth;
    enum pb_status status;

    assert(env != NULL && options != NULL && ret_synth != NULL);
    full = with_defaults(*options);
    status = check(&full, error);
    if (status != PB_OK)
        return status;

    synth = pb_calloc(env, 1, sizeof(*synth));
    if (synth == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a synthetic feed");
    synth->env = env;
    synth->key = synth_mix(full.seed + PB_SYNTH_GAMMA);
    synth->reads = full.reads;
    synth->from_us = full.from_us;
    synth->post_count = full.readers;
    synth->newest_year = (uint16_t)(1970 + pb_time_month(full.from_us) / 12);
    if (synth->newest_year > YEAR_MAX)
        synth->newest_year = YEAR_MAX;
    synth->with_alternates = full.with_alternates;
    synth->with_event_ids = full.with_event_ids;
    synth->is_town = full.is_town;

    status = synth_world_build(synth, full.days);
    if (status != PB_OK) {
        pb_fail(error, status, "no memory for a synthetic feed of %u readers", full.readers);
        goto out;
    }
    *ret_synth = synth;
    synth = NULL; /* moved to the caller */

out:
    pb_synth_free(synth);
    return status;
}

void
pb_synth_free(struct pb_synth *synth)
{
    const struct pb_env *env;

    if (synth == NULL)
        return;
    env = synth->env;
    pb_free(env, synth->hours);
    pb_free(env, synth->metros);
    pb_free(env, synth->corridors);
    pb_free(env, synth->posts);
    pb_free(env, synth->ids);
    pb_free(env, synth->fixed_runs);
    pb_free(env, synth->burst_runs);
    pb_free(env, synth->run_posts);
    pb_free(env, synth->run_columns);
    pb_free(env, synth->model_columns);
    pb_free(env, synth->color_columns);
    pb_free(env, synth);
}

uint64_t
pb_synth_read_count(const struct pb_synth *synth)
{
    return synth->reads;
}

uint32_t
pb_synth_reader_count(const struct pb_synth *synth)
{
    return synth->post_count;
}

void
pb_synth_reader_at(const struct pb_synth *synth, uint32_t index,
                   struct pb_synth_reader *ret_reader)
{
    const struct synth_post *post;

    assert(index < synth->post_count);
    post = &synth->posts[index];
    *ret_reader = (struct pb_synth_reader){
        .id = post->id,
        .lat_e7 = post->lat_e7,
        .lon_e7 = post->lon_e7,
        .is_mobile = post->is_mobile,
    };
}
