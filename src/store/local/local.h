/*
 * The local store: one directory, one writing process.
 *
 * A version is what the store consists of at one moment: segments, buffer, what is hidden. It
 * never changes; writers make a new one and swap a pointer. Whoever asks holds a
 * reference to a version and never waits for flushes and merges.
 *
 * Locks, in the order in which they are taken:
 *   maintenance  one merge, restamp, purge or backup at a time
 *   writing      the log, the active buffer, the manifest
 *   version      the pointer to the current version; held for a few instructions only
 *   queue        requests that wait for a group commit; never held together with others
 */
#ifndef PB_STORE_LOCAL_LOCAL_H
#define PB_STORE_LOCAL_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/store.h>

#include "base/log.h"
#include "store/local/buffer.h"
#include "store/local/hidden.h"
#include "store/local/manifest.h"
#include "store/local/segment.h"

/* A segment that versions share. */
struct pb_segment_ref {
    _Atomic uint32_t refs;
    struct pb_segment *segment; /* owned */
};
struct pb_segment_ref *pb_segment_ref_new(const struct pb_env *env, struct pb_segment *segment);
struct pb_segment_ref *pb_segment_ref_take(struct pb_segment_ref *ref);
void pb_segment_ref_drop(struct pb_segment_ref *ref);

struct pb_version {
    const struct pb_env *env;
    _Atomic uint32_t refs;
    struct pb_segment_ref **segments; /* owned */
    uint32_t segment_count;
    struct pb_buffer *buffer;         /* reference */
    struct pb_hidden *hidden;         /* owned */
};
void pb_version_drop(struct pb_version *version); /* NULL is fine */

struct pb_store {
    const struct pb_env *env; /* borrowed */
    char *directory;          /* owned */
    uint8_t store_id[PB_STORE_ID_BYTES]; /* as in the manifest, but never replaced */
    bool is_read_only;
    bool skips_damaged; /* segments, when the store is opened */
    size_t memory_bytes;
    pb_removed_fn *on_removed; /* may be NULL; called under writing */
    void *removed_context;
    struct pb_file *lock;     /* owned; NULL if read only */

    struct pb_segment_entry *missing; /* owned: segments that are damaged and were left out */
    uint32_t missing_count;

    pthread_mutex_t maintenance;

    pthread_mutex_t writing;
    struct pb_manifest manifest;   /* guarded by writing */
    struct pb_log *log;            /* owned; guarded by writing; NULL until the first append */
    struct pb_log_end log_end;     /* of the newest log; guarded by writing */
    struct pb_buffer *buffer;      /* reference; guarded by writing */
    uint32_t flush_rows;           /* of the buffer, that are flushed: PB_BUFFER_ROWS_MAX */
    uint32_t sealed_rows;          /* of the buffer, to be flushed behind; guarded by writing */
    uint64_t sealed_log;           /* the last log with such rows; guarded by writing */
    bool is_flushing;              /* sealed rows are being written; guarded by writing */
    bool flush_has_failed;         /* the last one behind; guarded by writing */
    pthread_cond_t flush_moved;    /* with writing: rows are sealed, a flush is over, a stop */
    uint64_t commit;               /* newest; guarded by writing */
    uint32_t loader_count;         /* loaders that are there; guarded by writing */
    uint32_t erasures_kept;        /* of those that are applied: PB_ERASURES_KEPT */
    uint32_t plates_max;           /* that one question may follow: PB_QUERY_PLATES_MAX */
    uint32_t marks_max;            /* of the manifest: PB_MANIFEST_MARKS_MAX */
    uint64_t next_segment;         /* guarded by version_lock, so that loaders need not wait */
    bool is_poisoned;              /* guarded by writing */

    pthread_mutex_t version_lock;
    struct pb_version *version;    /* guarded by version_lock */

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_moved;
    struct pb_append_request *queue_first, *queue_last; /* guarded by queue_lock */
    bool has_leader;               /* guarded by queue_lock */

    bool has_flusher;              /* sealed rows are flushed by a thread */
    pthread_t flusher;
    bool flusher_runs;
    bool flusher_stops;            /* guarded by writing */

    pthread_t background;
    pthread_mutex_t background_lock;
    pthread_cond_t background_wake;
    bool has_background, background_stops, background_is_asked; /* guarded by background_lock */
    uint32_t maintenance_count; /* of those who want maintenance or have it, but for merges;
                                   likewise */
};

/* Makes a directory, new or empty, with all that a store has but for the manifest. The manifest is
 * what makes it a store: it comes last, so that what was interrupted never passes for one. */
PB_MUST_CHECK enum pb_status pb_store_make_directory(const struct pb_env *env, const char *path,
                                                     struct pb_error *error);

/* The current version; drop it when done. */
struct pb_version *pb_store_version(struct pb_store *store);

/* Tells a question of the segments that were left out when the store was opened and that may hold
 * reads captured in [from_us, to_us). on_damage may be NULL. */
void pb_store_tell_missing(const struct pb_store *store, int64_t from_us, int64_t to_us,
                           pb_damage_fn *on_damage, void *context);

/* Number of the next segment file. */
uint64_t pb_store_take_number(void *store);

/* ---- changes of the manifest; the caller holds `writing` ---- */

struct pb_change {
    const struct pb_segment_entry *added;   /* segments that were written and synced */
    uint32_t added_count;
    const uint64_t *removed;                /* numbers */
    uint32_t removed_count;
    const struct pb_mark_entry *marks;      /* to add */
    uint32_t mark_count;
    const struct pb_hidden *applied;        /* what the added segments take account of */
    const struct pb_erasure *erasure;       /* to add, or NULL */
    uint64_t log_first;                     /* 0: as before */
    struct pb_buffer *buffer;               /* to take the place of the one so far, or NULL */
    bool is_memory_only;                    /* marks that the log brings back after a restart */
};
/* Makes the change durable and current. On failure added files are left to the next opening,
 * and where it is not known whether the manifest took effect the store is poisoned. */
PB_MUST_CHECK enum pb_status pb_store_change(struct pb_store *store,
                                             const struct pb_change *change,
                                             struct pb_error *error);

/* Flush of the whole buffer; the caller holds writing, which is released where this has to wait for
 * a flush that goes on behind. ret_dropped may be NULL: expired or erased reads that were not
 * written. */
PB_MUST_CHECK enum pb_status pb_store_flush_locked(struct pb_store *store,
                                                   uint64_t *ret_dropped,
                                                   struct pb_error *error);

/*
 * To be called before rows go for good. A restart judges the reads of the log anew: one that is
 * history because of a row that is gone by then would come back. The caller holds writing, which
 * may be released for a while.
 */
PB_MUST_CHECK enum pb_status pb_store_secure_history(struct pb_store *store,
                                                     struct pb_error *error);

/* Locks maintenance; a merge of the background thread that holds it is broken off, and none is
 * begun until it is unlocked. */
void pb_store_begin_maintenance(struct pb_store *store);
void pb_store_end_maintenance(struct pb_store *store);

/* Where marks take more than half of their room, writes the segments that they concern anew, so
 * that there is room for as many again. The caller holds no lock. */
PB_MUST_CHECK enum pb_status pb_store_settle_marks(struct pb_store *store, struct pb_error *error);

/* Tells the background thread that there may be work. */
void pb_store_ask_background(struct pb_store *store);

/* A thread that merges when it is asked. */
PB_MUST_CHECK enum pb_status pb_store_start_background(struct pb_store *store,
                                                       struct pb_error *error);
void pb_store_stop_background(struct pb_store *store);

#endif
