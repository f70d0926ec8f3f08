/*
 * Log: appended records, synced before they are acknowledged. The store of reads keeps its
 * reads in one, the audit room its leaves; what a record's payload means is theirs.
 *
 * A log is a chain of files log/<number>.log. One record is one commit. Several
 * commits share one write and one sync. A failed write or sync is final: the log
 * is poisoned and the store must be opened again.
 *
 * What a restart can tell apart:
 *   - a torn tail (never acknowledged): cut off, not an error;
 *   - damage to what was acknowledged: PB_E_CORRUPT, the store does not open. It is known
 *     from `durable` (each record says up to which byte the file was synced when it was
 *     written), from the next file's header (the end of its predecessor), and from
 *     the mark file `acked`, rewritten in place without sync after each sync: it may lag
 *     behind after a power cut, but it is never ahead.
 *
 * A log file gets its name only when its first bytes are synced, so a file that is there has a
 * whole header. Good records that a restart finds and nobody knows to be synced (the process
 * died, or a sync failed) are carried into the next file, which is synced before anything
 * is acknowledged again: after a failed sync the system may show bytes that are not on disk.
 *
 * Format: docs/formats/log-v1.md. Threads: one at a time for each pb_log.
 */
#ifndef PB_BASE_LOG_H
#define PB_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>
#include <platebase/store.h>

#include "base/env.h"

#define PB_STORE_ID_BYTES 16u

#define PB_LOG_WRITE_BYTES_MAX (64u << 20) /* of one append: its records and their headers */
#define PB_LOG_FILE_BYTES_MAX (1u << 30)
#define PB_LOG_FILES_MAX 65536u            /* of one chain */

/* One commit of `count` things, whose bytes lie one after another. */
struct pb_log_record {
    uint64_t commit;
    int64_t received_at_us;
    const uint8_t *payload; /* borrowed */
    size_t payload_bytes;   /* 1 to PB_BLOCK_BYTES_MAX */
    uint32_t count;         /* 1 to payload_bytes */
};

struct pb_log; /* opaque: one file open for appending */

/* Where a log file's good content ends. From pb_log_replay, or pb_log_end_of a log that is not
 * poisoned; where there is no log before, all 0 but for commit, which is then the manifest's. */
struct pb_log_end {
    uint64_t number; /* 0: there is no log before */
    uint64_t bytes;
    uint64_t commit;         /* newest commit so far */
    uint64_t durable_bytes;  /* up to here the file is known to be synced; at most bytes */
    uint64_t durable_commit; /* newest commit before durable_bytes */
};

/*
 * Creates <directory>/log/<number>.log after previous; durable (file and directory synced) on
 * PB_OK. What lies in previous behind its durable_bytes is carried over. directory is borrowed
 * for the call.
 *
 * number  greater than previous->number, and at least the manifest's log_first: a replay would
 *         not look at it otherwise
 *
 * PB_E_POISONED  the new file may or may not be there after a restart: the previous log
 *                must not be appended to, as the new one states its end
 * other failure  nothing was changed; the previous log may go on
 */
PB_MUST_CHECK enum pb_status pb_log_create(const struct pb_env *env, const char *directory,
                                           const uint8_t store_id[PB_STORE_ID_BYTES],
                                           uint64_t number, const struct pb_log_end *previous,
                                           struct pb_log **ret_log, struct pb_error *error);
/*
 * Appends count records with one write and one sync; commits ascend. Durable on PB_OK.
 * PB_OVER_LIMIT and PB_E_NOMEM leave the log as it was. After any other failure the records may or
 * may not be found by a restart, and every later call returns PB_E_POISONED.
 */
PB_MUST_CHECK enum pb_status pb_log_append(struct pb_log *log,
                                           const struct pb_log_record *records, size_t count,
                                           struct pb_error *error);
void pb_log_end_of(const struct pb_log *log, struct pb_log_end *ret_end);
void pb_log_close(struct pb_log *log); /* NULL is fine */

/* Returns PB_OK to go on; another status stops the replay, which returns it. */
typedef enum pb_status pb_log_fn(void *context, const struct pb_log_record *record,
                                 struct pb_error *error);
/*
 * Replays every log file numbered first or higher, in order, and sets ret_end to the end of the
 * last one (all 0 where there is none). Changes nothing on disk. Safe beside a process that
 * appends, but not beside one that deletes logs: read the manifest again and compare.
 *
 * PB_E_CORRUPT   names the file and offset where something acknowledged is missing or damaged;
 *                records before it may have been given to each
 * PB_E_VERSION   a later version wrote a file
 */
PB_MUST_CHECK enum pb_status pb_log_replay(const struct pb_env *env, const char *directory,
                                           const uint8_t store_id[PB_STORE_ID_BYTES],
                                           uint64_t first, pb_log_fn *each, void *context,
                                           struct pb_log_end *ret_end, struct pb_error *error);
/* Deletes log files numbered below first, and what an interrupted pb_log_create left there. A
 * file that cannot be deleted is left for later. */
void pb_log_delete_below(const struct pb_env *env, const char *directory, uint64_t first);

/* Checks every log file numbered first or higher and the mark; reports each damaged place (torn
 * tails that were never acknowledged are not damage) with a name such as "log/7.log". Adds to
 * files, blocks (records), reads and damaged of counts. on_damage may be NULL. */
PB_MUST_CHECK enum pb_status pb_log_verify(const struct pb_env *env, const char *directory,
                                           const uint8_t store_id[PB_STORE_ID_BYTES],
                                           uint64_t first, pb_damage_fn *on_damage, void *context,
                                           struct pb_verify_counts *counts,
                                           struct pb_error *error);

/* Parser of one log file's bytes, for the fuzz target: calls each for every good record. PB_OK
 * where a torn tail follows; PB_E_CORRUPT or PB_E_VERSION as pb_log_replay. */
PB_MUST_CHECK enum pb_status pb_log_parse(const uint8_t *bytes, size_t count,
                                          const uint8_t store_id[PB_STORE_ID_BYTES],
                                          pb_log_fn *each, void *context, struct pb_error *error);

#endif
