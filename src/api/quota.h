/*
 * Quota: how many requests a token may make in a second.
 *
 * Each token has a bucket that fills steadily and holds two seconds' worth. There are few buckets;
 * where two tokens meet in one, the one that asks takes it over full, which errs to the generous
 * side and needs no memory from outside.
 *
 * Threads: `lock` guards all; held for a few instructions.
 */
#ifndef PB_API_QUOTA_H
#define PB_API_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>

#define PB_QUOTA_BUCKETS 4096u

struct pb_api_quota {
    pthread_mutex_t lock;
    uint32_t per_second; /* 0: no bound */
    struct {
        uint64_t key;         /* hash of the token's id; 0: empty */
        int64_t filled_ns;    /* when it was last filled */
        int64_t credit_milli; /* requests times 1000 */
    } buckets[PB_QUOTA_BUCKETS];
};

void pb_api_quota_init(struct pb_api_quota *quota, uint32_t per_second);
void pb_api_quota_done(struct pb_api_quota *quota);
/* Takes one request; false where the token has to wait. */
bool pb_api_quota_take(struct pb_api_quota *quota, struct pb_str id, int64_t now_ns);

#endif
