/*
 * Crew: threads that help one other thread with jobs of computing.
 *
 * The thread that hands out jobs takes their results in whatever order it likes, and does jobs
 * itself while it waits; so it gets on without any helper, too. A job must touch nothing but
 * its own memory: no file, no allocation, so that what can fail happens in one thread and in one
 * order.
 *
 * Threads: everything but the jobs themselves is called by one thread at a time.
 */
#ifndef PB_STORE_LOCAL_CREW_H
#define PB_STORE_LOCAL_CREW_H

#include <stdbool.h>

#include <platebase/status.h>

#include "base/env.h"

struct pb_crew; /* opaque */

/* Part of what it is for, which knows by itself what to do. Nobody touches it between
 * pb_crew_submit and pb_crew_wait. */
struct pb_crew_job {
    void (*run)(struct pb_crew_job *job);
    struct pb_crew_job *next; /* guarded by the crew's lock, as is_done */
    bool is_done;
    bool is_short; /* not worth waking a helper for, but with others */
};

/* helper_count: how many threads beside the caller's; fewer where the system gives no more. */
PB_MUST_CHECK enum pb_status pb_crew_new(const struct pb_env *env, unsigned helper_count,
                                         struct pb_crew **ret_crew);
/* Every job was waited for. NULL is fine. */
void pb_crew_free(struct pb_crew *crew);

/* Hands out a job. A crew of NULL does it at once. */
void pb_crew_submit(struct pb_crew *crew, struct pb_crew_job *job);
/* Returns when the job is done, and does others, earlier first, meanwhile. */
void pb_crew_wait(struct pb_crew *crew, struct pb_crew_job *job);

#endif
