/*
 * Lockout: how often a name, or an address, may be tried before it has to wait.
 *
 * An attempt is counted before it is made, so that many at once are not more than may be made one
 * after the other; one that succeeded is taken back. A name falls into one of PB_LOCKOUT_PLACES by
 * a keyed hash, and nobody looks at the name again: names that exist and names that do not are
 * counted alike, memory is bounded, and no flood of other names makes a place forget. Two
 * names that share a place are counted together.
 *
 * Threads: `lock` guards the places; held for a few instructions.
 */
#ifndef PB_API_LOCKOUT_H
#define PB_API_LOCKOUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

#define PB_LOCKOUT_PLACES 16384u
#define PB_LOCKOUT_FORGET_NS (INT64_C(24) * 3600 * 1000000000)

struct pb_api_lockout_rule {
    uint32_t attempts_max; /* in window_ns; the last of them locks */
    int64_t window_ns;
    int64_t lock_ns; /* the first time */
    bool grows;      /* twice as long each time, at most a day, until a success or a quiet day */
};

struct pb_api_lockout {
    pthread_mutex_t lock;
    const struct pb_env *env; /* borrowed */
    struct pb_api_lockout_rule rule;
    uint8_t key[16];
    struct pb_api_lockout_place *places; /* owned */
};

PB_MUST_CHECK enum pb_status pb_api_lockout_init(struct pb_api_lockout *lockout,
                                                 const struct pb_env *env,
                                                 const struct pb_api_lockout_rule *rule,
                                                 struct pb_error *error);
void pb_api_lockout_done(struct pb_api_lockout *lockout); /* of zeroes is fine */

/* Counts an attempt. 0: it may be made, and ret_is_last tells whether none may be made after it
 * if it fails; otherwise how many seconds it has to wait. */
unsigned pb_api_lockout_take(struct pb_api_lockout *lockout, struct pb_str name, bool *ret_is_last);
/* The attempt was not made after all, or is not to be counted. */
void pb_api_lockout_give_back(struct pb_api_lockout *lockout, struct pb_str name);
/* It succeeded: everything before it is forgotten. */
void pb_api_lockout_clear(struct pb_api_lockout *lockout, struct pb_str name);

#endif
