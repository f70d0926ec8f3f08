/*
 * Workers: a fixed number of threads, and a bounded queue of jobs for them.
 *
 * Threads: push from any thread. `lock` guards the queue and nothing else is taken under it.
 */
#ifndef PB_NET_WORKERS_H
#define PB_NET_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

struct pb_env;
struct pb_workers; /* opaque */

/* Embedded in what is to be done. */
struct pb_job {
    struct pb_job *next;
    void (*run)(struct pb_job *job);
};

/* steps_back: the threads work behind all others (pb_env_system_step_back). PB_E_NOMEM, or PB_E_IO
 * where the system gives no thread. */
PB_MUST_CHECK enum pb_status pb_workers_new(const struct pb_env *env, unsigned threads,
                                            unsigned queue_max, bool steps_back,
                                            struct pb_workers **ret_workers,
                                            struct pb_error *error);
/* Does what is queued, then ends the threads. NULL is fine. */
void pb_workers_free(struct pb_workers *workers);

/* False where the queue is full: the job will not run. */
PB_MUST_CHECK bool pb_workers_push(struct pb_workers *workers, struct pb_job *job);

#endif
