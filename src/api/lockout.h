/*
 * Lockout: how often a name, or an address, may be tried before it has to wait.
 *
 * An attempt is counted before it is made, so that many at once are not more than may be made one
 * after the other; one that succeeded is taken back. A name falls into one of PB_LOCKOUT_PLACES by
 * a keyed hash, and nobody looks at the name again: names that exist and names that do not are
 * counted alike, memory is bounded, and no flood of other names makes a place forget. Two
 * names that share a place are counted together.
 *
 * Places may be kept in a file, so that a restart forgets nobody who has to wait. What changes is
 * written there at once and not synced: it outlives the process, and a power cut alone may bring
 * back what was before. A try costs a write to memory of the system's, not the disk's time.
 *
 * Threads: `lock` guards the places; held for a few instructions and such a write.
 * Format:  docs/formats/lockouts.md
 */
#ifndef PB_API_LOCKOUT_H
#define PB_API_LOCKOUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;
struct pb_file;

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
    struct pb_file *file;                /* borrowed; NULL: nothing is kept */
    uint64_t file_at;                    /* where its places begin */
    struct pb_api_lockout_place *places; /* owned */
};

PB_MUST_CHECK enum pb_status pb_api_lockout_init(struct pb_api_lockout *lockout,
                                                 const struct pb_env *env,
                                                 const struct pb_api_lockout_rule *rule,
                                                 struct pb_error *error);
void pb_api_lockout_done(struct pb_api_lockout *lockout); /* of zeroes is fine */

/* Opens DIR/lockouts of a data directory, or makes one that knows nobody, also in the place of what
 * is none. The caller closes it. */
PB_MUST_CHECK enum pb_status pb_api_lockout_open(const struct pb_env *env, const char *data_path,
                                                 struct pb_file **ret_file, struct pb_error *error);
/*
 * Takes over what the file keeps in table `table` (0 to PB_LOCKOUT_TABLES - 1), and keeps there
 * what changes from now on. To be called before anything is counted.
 *
 * file  borrowed until lockout is done with
 * key   of the names; the same as before, or nobody is found again
 */
#define PB_LOCKOUT_TABLES 2u
PB_MUST_CHECK enum pb_status pb_api_lockout_keep(struct pb_api_lockout *lockout,
                                                 struct pb_file *file, unsigned table,
                                                 const uint8_t key[16], struct pb_error *error);

/* Counts an attempt. 0: it may be made, and ret_is_last tells whether none may be made after it
 * if it fails; otherwise how many seconds it has to wait. */
unsigned pb_api_lockout_take(struct pb_api_lockout *lockout, struct pb_str name, bool *ret_is_last);
/* The attempt was not made after all, or is not to be counted. */
void pb_api_lockout_give_back(struct pb_api_lockout *lockout, struct pb_str name);
/* It succeeded: everything before it is forgotten. */
void pb_api_lockout_clear(struct pb_api_lockout *lockout, struct pb_str name);

#endif
