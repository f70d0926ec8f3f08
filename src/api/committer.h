/*
 * Committer: reads of many requests as one commit.
 *
 * Readers that send one read at a time would each wait for a sync of their own, on a thread of its
 * own. So a request leaves its reads here and its thread goes on with the next; one thread appends
 * all that has come while the disk was busy, and each request is told when its reads are on disk.
 *
 * Threads: push from any thread; `lock` guards the list and is held for a few instructions. done is
 *          called on the committer's thread, without a lock.
 */
#ifndef PB_API_COMMITTER_H
#define PB_API_COMMITTER_H

#include <stdint.h>

#include <platebase/store.h>

struct pb_api_committer; /* opaque */
struct pb_env;

/* Embedded in what waits. */
struct pb_api_commit {
    struct pb_api_commit *next;
    const struct pb_read *reads; /* borrowed until done; at most PB_APPEND_READS_MAX */
    uint32_t count;
    enum pb_status *statuses; /* borrowed: of each read, set before done(PB_OK) */
    void (*done)(struct pb_api_commit *commit, enum pb_status status);
};

/* store: borrowed; open for writing. */
PB_MUST_CHECK enum pb_status pb_api_committer_new(const struct pb_env *env, struct pb_store *store,
                                                  struct pb_api_committer **ret_committer,
                                                  struct pb_error *error);
/* Does what is left, then ends. NULL is fine. */
void pb_api_committer_free(struct pb_api_committer *committer);

void pb_api_committer_push(struct pb_api_committer *committer, struct pb_api_commit *commit);

#endif
