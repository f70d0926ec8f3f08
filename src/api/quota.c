/*
 * Quotas: one moment for each bucket, at which all that was taken will have been filled again (the
 * generic cell rate algorithm).
 */
#include "api/quota.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "net/http.h"

#define SECOND_NS INT64_C(1000000000)
#define BURST_SECONDS 2
#define OVERDRAWN_MAX 24 /* an answer takes no more than what fills in so many hours */

enum what { WHAT_REQUESTS, WHAT_ROWS, WHAT_FAILURES };

/* How a bucket fills. */
struct rate {
    int64_t unit_ns; /* one more in each */
    int64_t room_ns; /* what may have been taken before one more is: all but a unit */
};

void
pb_api_quota_init(struct pb_api_quota *quota, const struct pb_api_quota_limits *limits,
                  uint64_t seed)
{
    memset(quota, 0, sizeof(*quota));
    (void)pthread_mutex_init(&quota->lock, NULL);
    quota->limits = *limits;
    quota->seed = seed;
}

void
pb_api_quota_done(struct pb_api_quota *quota)
{
    (void)pthread_mutex_destroy(&quota->lock);
}

/* False: there is no bound. */
static bool
rate_of(const struct pb_api_quota *quota, enum what what, enum pb_quota_who who,
        struct rate *ret_rate)
{
    const struct pb_api_quota_limits *limits = &quota->limits;
    uint32_t units = what == WHAT_REQUESTS ? limits->requests_per_second[who]
                     : what == WHAT_ROWS   ? limits->rows_per_hour[who]
                                           : limits->failures_per_minute;
    int64_t span_ns = what == WHAT_REQUESTS ? SECOND_NS
                      : what == WHAT_ROWS   ? 3600 * SECOND_NS
                                            : 60 * SECOND_NS;

    if (units == 0)
        return false;
    ret_rate->unit_ns = span_ns / units;
    ret_rate->room_ns =
        ret_rate->unit_ns * units * (what == WHAT_REQUESTS ? BURST_SECONDS : 1) - ret_rate->unit_ns;
    return true;
}

/* 0: there is nobody to count for. */
static uint64_t
key_of(const struct pb_api_quota *quota, enum what what, enum pb_quota_who who,
       const struct pb_api_quota_holder *holder)
{
    struct in6_addr address;
    struct pb_str id = { (const char *)address.s6_addr, sizeof(address) };
    struct {
        uint64_t seed, kind, id;
    } whole = { quota->seed, (uint64_t)what << 8 | who, 0 };

    if (who == PB_QUOTA_ADDRESS) {
        address = holder->peer->address;
        if (!IN6_IS_ADDR_V4MAPPED(&address))
            memset(&address.s6_addr[8], 0, 8);
    } else {
        id = holder->ids[who];
    }
    if (id.bytes == 0)
        return 0;
    whole.id = pb_hash_bytes(id.text, id.bytes);
    return pb_hash_bytes(&whole, sizeof(whole)) | 1;
}

static struct pb_api_bucket *
set_of(struct pb_api_quota *quota, uint64_t key)
{
    return quota->buckets[(key >> 32) % PB_QUOTA_SETS];
}

/* Until so many units can be taken, of which a bucket holds as many. */
static int64_t
wait_ns(struct pb_api_quota *quota, const struct rate *rate, uint64_t key, int64_t units,
        int64_t now_ns)
{
    const struct pb_api_bucket *set = set_of(quota, key);
    int64_t room_ns = rate->room_ns - (units - 1) * rate->unit_ns;

    for (unsigned i = 0; i < PB_QUOTA_WAYS; i++) {
        if (set[i].key == key) {
            int64_t wait = set[i].empty_ns - now_ns - room_ns;

            return wait > 0 ? wait : 0;
        }
    }
    return 0;
}

/* What fills in so many nanoseconds; below 0 it is given back. */
static void
take(struct pb_api_quota *quota, uint64_t key, int64_t ns, int64_t now_ns)
{
    struct pb_api_bucket *set = set_of(quota, key), *bucket = &set[0];

    for (unsigned i = 0; i < PB_QUOTA_WAYS && bucket->key != key; i++) {
        if (set[i].key == key || set[i].empty_ns < bucket->empty_ns)
            bucket = &set[i];
    }
    /* Who was forgotten meanwhile is owed nothing, and nobody makes room for that. */
    if (ns < 0 && bucket->key != key)
        return;
    if (bucket->key != key || bucket->empty_ns < now_ns)
        *bucket = (struct pb_api_bucket){ key, now_ns };
    bucket->empty_ns += ns;
}

/* Seconds until each of a holder's buckets of a kind has so many to give. */
static uint32_t
wait_for(struct pb_api_quota *quota, enum what what, const struct pb_api_quota_holder *holder,
         int64_t units, int64_t now_ns)
{
    int64_t longest_ns = 0;

    for (unsigned who = 0; who < PB_QUOTA_WHO_COUNT; who++) {
        struct rate rate;
        uint64_t key;
        int64_t ns;

        if (!rate_of(quota, what, (enum pb_quota_who)who, &rate))
            continue;
        key = key_of(quota, what, (enum pb_quota_who)who, holder);
        ns = key != 0 ? wait_ns(quota, &rate, key, units, now_ns) : 0;
        longest_ns = ns > longest_ns ? ns : longest_ns;
    }
    return (uint32_t)((longest_ns + SECOND_NS - 1) / SECOND_NS);
}

static void
take_all(struct pb_api_quota *quota, enum what what, const struct pb_api_quota_holder *holder,
         int64_t units, int64_t now_ns)
{
    for (unsigned who = 0; who < PB_QUOTA_WHO_COUNT; who++) {
        struct rate rate;
        uint64_t key;
        int64_t most;

        if (!rate_of(quota, what, (enum pb_quota_who)who, &rate))
            continue;
        key = key_of(quota, what, (enum pb_quota_who)who, holder);
        if (key == 0)
            continue;
        most = (rate.room_ns / rate.unit_ns + 1) * OVERDRAWN_MAX;
        take(quota, key, (units < most ? units : most) * rate.unit_ns, now_ns);
    }
}

uint32_t
pb_api_quota_request(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                     int64_t now_ns)
{
    uint32_t seconds;

    (void)pthread_mutex_lock(&quota->lock);
    seconds = wait_for(quota, WHAT_REQUESTS, holder, 1, now_ns);
    if (seconds == 0)
        take_all(quota, WHAT_REQUESTS, holder, 1, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
    return seconds;
}

void
pb_api_quota_give_back(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                       int64_t now_ns)
{
    (void)pthread_mutex_lock(&quota->lock);
    take_all(quota, WHAT_REQUESTS, holder, -1, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
}

uint32_t
pb_api_quota_rows_max(const struct pb_api_quota *quota, const struct pb_api_quota_holder *holder)
{
    uint32_t least = UINT32_MAX;

    for (unsigned who = 0; who < PB_QUOTA_WHO_COUNT; who++) {
        uint32_t bound = quota->limits.rows_per_hour[who];

        if (bound > 0 && bound < least &&
            key_of(quota, WHAT_ROWS, (enum pb_quota_who)who, holder) != 0)
            least = bound;
    }
    return least;
}

uint32_t
pb_api_quota_rows_take(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                       uint32_t rows, int64_t now_ns)
{
    uint32_t seconds;

    assert(rows > 0 && rows <= pb_api_quota_rows_max(quota, holder));
    (void)pthread_mutex_lock(&quota->lock);
    seconds = wait_for(quota, WHAT_ROWS, holder, rows, now_ns);
    if (seconds == 0)
        take_all(quota, WHAT_ROWS, holder, rows, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
    return seconds;
}

void
pb_api_quota_rows_give_back(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                            uint32_t rows, int64_t taken_ns, int64_t now_ns)
{
    (void)pthread_mutex_lock(&quota->lock);
    for (unsigned who = 0; who < PB_QUOTA_WHO_COUNT; who++) {
        struct rate rate;
        uint64_t key;
        int64_t ns;

        if (!rate_of(quota, WHAT_ROWS, (enum pb_quota_who)who, &rate))
            continue;
        key = key_of(quota, WHAT_ROWS, (enum pb_quota_who)who, holder);
        ns = rows * rate.unit_ns - (now_ns - taken_ns);
        if (key != 0 && ns > 0)
            take(quota, key, -ns, now_ns);
    }
    (void)pthread_mutex_unlock(&quota->lock);
}

void
pb_api_quota_rows_given(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                        uint64_t rows, int64_t now_ns)
{
    (void)pthread_mutex_lock(&quota->lock);
    take_all(quota, WHAT_ROWS, holder, rows < INT64_MAX ? (int64_t)rows : INT64_MAX, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
}

uint32_t
pb_api_quota_failures_wait(struct pb_api_quota *quota, const struct pb_peer *peer, int64_t now_ns)
{
    const struct pb_api_quota_holder holder = { .peer = peer };
    uint32_t seconds;

    (void)pthread_mutex_lock(&quota->lock);
    seconds = wait_for(quota, WHAT_FAILURES, &holder, 1, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
    return seconds;
}

void
pb_api_quota_failed(struct pb_api_quota *quota, const struct pb_peer *peer, int64_t now_ns)
{
    const struct pb_api_quota_holder holder = { .peer = peer };

    (void)pthread_mutex_lock(&quota->lock);
    take_all(quota, WHAT_FAILURES, &holder, 1, now_ns);
    (void)pthread_mutex_unlock(&quota->lock);
}
