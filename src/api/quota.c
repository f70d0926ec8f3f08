/*
 * Quota: a table of buckets.
 */
#include "api/quota.h"

#include <string.h>

#include "base/text.h"

#define BURST_SECONDS 2

void
pb_api_quota_init(struct pb_api_quota *quota, uint32_t per_second)
{
    memset(quota, 0, sizeof(*quota));
    (void)pthread_mutex_init(&quota->lock, NULL);
    quota->per_second = per_second;
}

void
pb_api_quota_done(struct pb_api_quota *quota)
{
    (void)pthread_mutex_destroy(&quota->lock);
}

bool
pb_api_quota_take(struct pb_api_quota *quota, struct pb_str id, int64_t now_ns)
{
    uint64_t key = pb_hash_bytes(id.text, id.bytes) | 1;
    int64_t full_milli = (int64_t)quota->per_second * BURST_SECONDS * 1000;
    unsigned place = (unsigned)(key >> 1) % PB_QUOTA_BUCKETS;
    bool is_taken;

    if (quota->per_second == 0)
        return true;
    (void)pthread_mutex_lock(&quota->lock);
    if (quota->buckets[place].key != key) {
        quota->buckets[place].key = key;
        quota->buckets[place].credit_milli = full_milli;
    } else {
        int64_t waited_ms = (now_ns - quota->buckets[place].filled_ns) / 1000000;

        if (waited_ms > BURST_SECONDS * 1000)
            waited_ms = BURST_SECONDS * 1000;
        /* A bucket that gained nothing yet keeps its moment, so that no fraction is lost. */
        if (waited_ms <= 0)
            now_ns = quota->buckets[place].filled_ns;
        else
            quota->buckets[place].credit_milli += waited_ms * quota->per_second;
        if (quota->buckets[place].credit_milli > full_milli)
            quota->buckets[place].credit_milli = full_milli;
    }
    quota->buckets[place].filled_ns = now_ns;
    is_taken = quota->buckets[place].credit_milli >= 1000;
    if (is_taken)
        quota->buckets[place].credit_milli -= 1000;
    (void)pthread_mutex_unlock(&quota->lock);
    return is_taken;
}
