/*
 * Quotas: how much may be asked of us, by whom.
 *
 * A quota is a bucket that fills steadily: of requests (two seconds' worth), of rows that inquiries
 * give out (an hour's worth), of wrong credentials (a minute's worth). A token, a person, an agency
 * and an address has one of each. What is told as a time to wait is true: whoever waits so long and
 * is not overtaken by others of the same quota is let in.
 *
 * Rows are reserved: all that an answer may hold is taken before anybody looks for it, and what it
 * did not hold is given back. So many inquiries at once have no more than one after the other.
 *
 * Buckets lie in a table of fixed size. Where it is full of others, the one that owes least makes
 * room, which errs to the generous side and needs no memory from outside. Nothing is kept over a
 * restart.
 *
 * Threads: `lock` guards all; held for a few instructions.
 */
#ifndef PB_API_QUOTA_H
#define PB_API_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <platebase/read.h>

struct pb_peer;

enum pb_quota_who {
    PB_QUOTA_TOKEN,
    PB_QUOTA_PERSON,
    PB_QUOTA_AGENCY,
    PB_QUOTA_ADDRESS, /* of IPv6 the first 64 bits */
    PB_QUOTA_WHO_COUNT,
};

/* 0: no bound. */
struct pb_api_quota_limits {
    uint32_t requests_per_second[PB_QUOTA_WHO_COUNT];
    uint32_t rows_per_hour[PB_QUOTA_WHO_COUNT];
    uint32_t failures_per_minute; /* wrong credentials from one address */
};

/* Who asks; an empty id has no bound. */
struct pb_api_quota_holder {
    struct pb_str ids[PB_QUOTA_ADDRESS];
    const struct pb_peer *peer;
};

#define PB_QUOTA_SETS 4096u
#define PB_QUOTA_WAYS 8u

struct pb_api_quota {
    pthread_mutex_t lock;
    struct pb_api_quota_limits limits;
    uint64_t seed; /* so that nobody can choose who shares a set */
    struct pb_api_bucket {
        uint64_t key;     /* 0: empty */
        int64_t empty_ns; /* when what was taken has been filled again */
    } buckets[PB_QUOTA_SETS][PB_QUOTA_WAYS];
};

void pb_api_quota_init(struct pb_api_quota *quota, const struct pb_api_quota_limits *limits,
                       uint64_t seed);
void pb_api_quota_done(struct pb_api_quota *quota);

/*
 * Each returns how many seconds to wait; 0: it may be now. Of requests one is then taken, from all
 * of the holder's quotas or from none.
 */
uint32_t pb_api_quota_request(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                              int64_t now_ns);
/* One that was taken, and nothing came of it. */
void pb_api_quota_give_back(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                            int64_t now_ns);
/* Of rows all are taken, from all of the holder's quotas or from none; at most
 * pb_api_quota_rows_max can ever be. */
uint32_t pb_api_quota_rows_take(struct pb_api_quota *quota,
                                const struct pb_api_quota_holder *holder, uint32_t rows,
                                int64_t now_ns);
uint32_t pb_api_quota_failures_wait(struct pb_api_quota *quota, const struct pb_peer *peer,
                                    int64_t now_ns);

/* The most that one answer can be let have; UINT32_MAX: there is no bound. */
uint32_t pb_api_quota_rows_max(const struct pb_api_quota *quota,
                               const struct pb_api_quota_holder *holder);
/* Of what was taken at taken_ns, so many were not given out. What time has filled since comes off:
 * it was not kept from anybody. */
void pb_api_quota_rows_give_back(struct pb_api_quota *quota,
                                 const struct pb_api_quota_holder *holder, uint32_t rows,
                                 int64_t taken_ns, int64_t now_ns);

/* What was given out unasked, or failed. It may overdraw: who asks next waits. */
void pb_api_quota_rows_given(struct pb_api_quota *quota, const struct pb_api_quota_holder *holder,
                             uint64_t rows, int64_t now_ns);
void pb_api_quota_failed(struct pb_api_quota *quota, const struct pb_peer *peer, int64_t now_ns);

#endif
