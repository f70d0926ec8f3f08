/*
 * Audit room, for itself: what a log is in memory, and who guards what.
 *
 * Locks, in the order in which they are taken (docs/internals/audit.md):
 *   cosigning    one who asks witnesses at a time; held while they are waited for
 *   integrating  one publisher at a time: trees, public files, state, heads
 *   writing      the journal; held through write and sync
 *   tails        sizes and leaves not yet on disk outside the journal; a few instructions
 *   queue_lock   appends that wait; never together with another
 */
#ifndef PB_AUDIT_AUDIT_PRIVATE_H
#define PB_AUDIT_AUDIT_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/keys.h"
#include "audit/leaf.h"
#include "audit/note.h"
#include "audit/place.h"
#include "audit/record.h"
#include "audit/tile.h"
#include "audit/tree.h"
#include "base/env.h"
#include "base/log.h"

#define PB_AUDIT_GROUP_REQUESTS_MAX 256u
#define PB_AUDIT_LEAVES_MAX 4096u /* of one append */
#define PB_AUDIT_WITNESSES_MAX 32u

/* The journal payload of one append; freed when all its leaves are on disk elsewhere. */
struct pb_batch {
    uint32_t references; /* guarded by tails */
    size_t count;        /* bytes used */
    uint8_t bytes[];
};

/* An acknowledged leaf that only the journal has for good. */
struct pb_pending {
    struct pb_batch *batch;  /* one reference */
    struct pb_str leaf;      /* into batch */
    struct pb_sealed sealed; /* into batch */
};

/* The growing side of a public tree, as far as publishing has come. Guarded by integrating. */
struct pb_growth {
    bool is_loaded;
    struct pb_tree_edge edge;
    struct pb_hash *tiles[PB_TILE_LEVELS]; /* owned; NULL: empty. The last, partial tile of each */
    uint8_t *bundle;                       /* owned: the last, partial entry bundle */
    size_t bundle_bytes, bundle_room;
};

struct pb_audit_log {
    char id[PB_LOG_ID_BYTES_MAX + 1];
    struct pb_vkey key;
    struct pb_place public_place;
    struct pb_place private_place;

    /* guarded by tails */
    uint64_t size;              /* acknowledged leaves */
    uint64_t kept_size;         /* of those, on disk outside the journal */
    int64_t time_ms;            /* of the newest */
    struct pb_pending *pending; /* owned: [kept_size, size) */
    uint32_t pending_count, pending_room;
    uint32_t reserved; /* of the room: for the group that is being written */

    /* guarded by writing */
    uint32_t ahead; /* leaves of the group that is being written */
    int64_t ahead_time_ms;

    /* guarded by integrating */
    struct pb_growth growth;
    uint64_t previous_size;   /* kept_size before it last grew */
    struct pb_hash kept_root; /* of kept_size */
    int64_t kept_time_ms;     /* of the newest of them */
    uint64_t published_size;  /* of this process's newest checkpoint */
    bool is_published;        /* this process has signed one */
    bool is_stopped;          /* a witness contradicts: nothing is published */
    bool is_waiting;          /* for witnesses */
    bool needs_repair;        /* what was published and not synced may be damaged */
    /* guarded by cosigning: witnesses have said what they know of it, in this process */
    bool is_known;
    /* while publishing: whether this log takes part, and what it will be */
    bool is_target;
    uint64_t target_size;
    int64_t target_time_ms;
    struct pb_hash target_root;
};

/* A thread that waits for news, and does something about them. */
struct pb_worker {
    void (*work)(struct pb_audit *audit);
    struct pb_audit *audit;
    pthread_t thread;
    long again_ms; /* after which it tries again */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t wake;
    bool is_running, is_stopping, has_news, is_urgent;
    bool tries_again; /* also without news, after a while */
};

struct pb_audit {
    const struct pb_env *env; /* borrowed */
    struct pb_place place;
    char *journal_path;     /* owned */
    struct pb_place copies; /* path NULL: none */
    struct pb_keys *keys;   /* owned; NULL: not given, reading only */
    struct pb_file *lock;   /* owned; NULL: reading only */
    bool is_read_only;
    uint64_t journal_start; /* number of the first journal file where there is none */
    const char *restarted;  /* borrowed: id of the log that begins again; NULL: none */
    const struct pb_witnesses *witnesses; /* borrowed; NULL: none */

    /* Logs are added, never removed. The array is guarded by tails, and by integrating together
     * with it where it changes. */
    struct pb_audit_log **logs; /* owned; ascending by id */
    uint32_t log_count, log_room;

    pthread_mutex_t cosigning, integrating, writing, tails, queue_lock;
    pthread_cond_t queue_moved;

    /* guarded by writing */
    uint8_t audit_id[PB_AUDIT_ID_BYTES];
    struct pb_log *journal; /* owned; NULL until the next append */
    struct pb_log_end journal_end;
    uint64_t commit;
    bool is_poisoned;
    struct pb_error poison;
    struct pb_log_record records[PB_AUDIT_GROUP_REQUESTS_MAX];

    /* guarded by integrating */
    uint64_t generation;    /* of the state on disk */
    uint64_t journal_first; /* likewise */
    uint64_t kept_commit;   /* likewise: newest commit below journal_first */

    /* guarded by tails */
    uint64_t pending_count;
    size_t pending_bytes;

    /* guarded by cosigning: until when a witness that gave no answer is not asked again */
    int64_t away_until_ns[PB_AUDIT_WITNESSES_MAX];

    /* guarded by queue_lock */
    struct pb_append_request *queue_first, *queue_last;
    bool has_leader;

    bool wants_background;
    void (*fails_to_publish)(void *context, const char *why); /* may be NULL */
    void *fails_context;
    bool has_failed; /* to publish, the last time; the publisher's own */
    struct pb_worker publisher; /* keeps, and publishes where there are no witnesses */
    struct pb_worker cosigner;  /* publishes what witnesses have signed */
};

/* ---- audit.c ---- */

struct pb_audit_log *pb_audit_find(struct pb_audit *audit, struct pb_str id); /* or NULL */
/* Likewise where tails is held. */
struct pb_audit_log *pb_audit_find_locked(struct pb_audit *audit, struct pb_str id);

/* What `state` will say. */
struct pb_state_change {
    bool keeps;                       /* logs that are targets are as they will be */
    const struct pb_audit_log *added; /* a log that is not in memory yet; NULL: none */
    uint64_t journal_first, commit;
};
/* The caller holds integrating. Durable on PB_OK. */
PB_MUST_CHECK enum pb_status pb_audit_write_state(struct pb_audit *audit,
                                                  const struct pb_state_change *change,
                                                  struct pb_error *error);

/* As pb_audit_open; what was given out of one log is not held against it, and nothing of it is
 * published. */
PB_MUST_CHECK enum pb_status pb_audit_open_restarting(const struct pb_env *env, const char *path,
                                                      const char *keys_path,
                                                      const struct pb_audit_options *options,
                                                      const char *log, struct pb_audit **ret_audit,
                                                      struct pb_error *error);

/* ---- append.c ---- */

/* Makes room for count more pending leaves of a log. */
PB_MUST_CHECK enum pb_status pb_pending_reserve(struct pb_audit *audit, struct pb_audit_log *log,
                                                uint32_t count);
/* Drops the pending leaves below size; the caller holds tails. */
void pb_pending_drop(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size);
/* Opens a journal file to append to; the caller holds writing. */
PB_MUST_CHECK enum pb_status pb_journal_need(struct pb_audit *audit, struct pb_error *error);
/* Reads the journal into pending leaves. */
PB_MUST_CHECK enum pb_status pb_journal_recover(struct pb_audit *audit, struct pb_error *error);

/* ---- nodes.c: a tree's nodes from its tiles on disk ---- */

struct pb_nodes {
    const struct pb_place *place; /* borrowed: public side */
    uint64_t size;                /* of the tree whose tiles are there */
    bool has_tile;
    struct pb_tile tile; /* the one in hashes */
    struct pb_hash hashes[PB_TILE_WIDTH];
};
void pb_nodes_init(struct pb_nodes *nodes, const struct pb_place *place, uint64_t size);
/* context is a pb_nodes. PB_E_CORRUPT where a tile is missing or too short. */
enum pb_status pb_nodes_node(void *context, unsigned level, uint64_t index,
                             struct pb_hash *ret_hash, struct pb_error *error);
/* Reads a tile's first width hashes, from the full tile where the partial one is gone. */
PB_MUST_CHECK enum pb_status pb_nodes_read_tile(const struct pb_place *place,
                                                const struct pb_tile *tile,
                                                struct pb_hash ret_hashes[PB_TILE_WIDTH],
                                                struct pb_error *error);
/* Likewise an entry bundle with at least width entries; freed with pb_free. */
PB_MUST_CHECK enum pb_status pb_nodes_read_bundle(const struct pb_place *place, uint64_t index,
                                                  unsigned width, uint8_t **ret_bytes,
                                                  size_t *ret_count, struct pb_error *error);

/* ---- growth.c: the public side of one log, written as it grows ---- */

void pb_growth_unload(struct pb_audit *audit, struct pb_audit_log *log);
/* Takes the leaves up to size into the tree, writing what becomes full. */
PB_MUST_CHECK enum pb_status pb_growth_integrate(struct pb_audit *audit, struct pb_audit_log *log,
                                                 uint64_t size, struct pb_error *error);
/* Writes what is partial; with is_synced so that it is there for good. */
PB_MUST_CHECK enum pb_status pb_growth_write(struct pb_audit *audit, struct pb_audit_log *log,
                                             bool is_synced, struct pb_error *error);
/* Removes partial tiles whose full tile is on disk for good, [from, to) having become so. */
void pb_growth_clean(struct pb_audit *audit, struct pb_audit_log *log, uint64_t from, uint64_t to);
/* Copies of the pending leaves [first, first + count), which must all be there. */
void pb_pending_copy(struct pb_audit *audit, struct pb_audit_log *log, uint64_t first,
                     uint32_t count, struct pb_pending *ret_items);

/* ---- publish.c ---- */

/* Publishes one log, or all; with keeps, also puts on disk for good what the journal has. The
 * caller holds integrating. */
PB_MUST_CHECK enum pb_status pb_publish_locked(struct pb_audit *audit, struct pb_audit_log *only,
                                               bool keeps, struct pb_error *error);
/* Whether so much is pending that it should be kept now. */
bool pb_publish_should_keep(struct pb_audit *audit);
/* Likewise for who closes, when nobody else uses the logs any more. */
bool pb_publish_should_keep_at_close(const struct pb_audit *audit);
/* Publishes without holding any lock, by witnesses where there are any: one log, or all. */
PB_MUST_CHECK enum pb_status pb_publish(struct pb_audit *audit, struct pb_audit_log *only,
                                        bool keeps, struct pb_error *error);
/* How far the newest checkpoint on disk reaches. The caller holds integrating. */
uint64_t pb_publish_size(struct pb_audit *audit, struct pb_audit_log *log);
/* The newest checkpoint of a log on disk: text (freed with pb_free) and what it says. */
PB_MUST_CHECK enum pb_status pb_publish_read(struct pb_audit *audit, struct pb_audit_log *log,
                                             char **ret_text, size_t *ret_count,
                                             struct pb_checkpoint *ret_checkpoint,
                                             struct pb_error *error);
/* A signed checkpoint that is shown to witnesses before it is published. */
struct pb_candidate {
    uint64_t tree_size; /* of the tree whose tiles are written, which has all nodes of it */
    struct pb_checkpoint checkpoint;
    struct pb_note note;
    size_t bytes;
    char text[PB_NOTE_BYTES_MAX]; /* of which checkpoint and note are made */
};
/* Of everything appended so far, its head being durable; or, with is_old, of what was last given
 * out, for which nothing new is signed. Both write tiles. The caller holds integrating. */
PB_MUST_CHECK enum pb_status pb_publish_prepare(struct pb_audit *audit, struct pb_audit_log *log,
                                                bool is_old, struct pb_candidate *ret_candidate,
                                                struct pb_error *error);
/* Publishes a candidate, unless something newer is published. The caller holds integrating. */
PB_MUST_CHECK enum pb_status pb_publish_candidate(struct pb_audit *audit, struct pb_audit_log *log,
                                                  const struct pb_candidate *candidate,
                                                  struct pb_error *error);
/* Puts everything pending on disk for good, that of stopped logs too, though unsigned. The caller
 * holds integrating. */
PB_MUST_CHECK enum pb_status pb_publish_keep(struct pb_audit *audit, struct pb_error *error);
/* Makes the directories and the public side of a log without leaves, durably. */
PB_MUST_CHECK enum pb_status pb_publish_begin_log(struct pb_audit *audit, struct pb_audit_log *log,
                                                  struct pb_error *error);
/* Publishes a log no more, not even after a restart. */
PB_MUST_CHECK enum pb_status pb_publish_stop_log(struct pb_audit *audit, struct pb_audit_log *log,
                                                 const char *reason, struct pb_error *error);
/* Whether all logs reach what was ever given out of them. */
PB_MUST_CHECK enum pb_status pb_publish_check_heads(struct pb_audit *audit, struct pb_error *error);

/* ---- worker.c ---- */

void pb_workers_init(struct pb_audit *audit);
void pb_workers_done(struct pb_audit *audit);
/* Says that there is something to publish; starts the threads. */
void pb_workers_notify(struct pb_audit *audit, bool is_urgent);
/* Ends the threads, when they have done what they are at. */
void pb_workers_stop(struct pb_audit *audit);

/* ---- cosign.c: publishing what witnesses have signed ---- */

/* Asks the witnesses about what is new in a log, or in all, and publishes where enough of them have
 * signed. ret_waits: something is not published for want of witnesses; may be NULL. */
PB_MUST_CHECK enum pb_status pb_cosign_news(struct pb_audit *audit, struct pb_audit_log *only,
                                            bool *ret_waits, struct pb_error *error);

/* ---- read.c ---- */

/* Leaves of one log that lie together: at most those of one bundle. */
struct pb_audit_run {
    uint64_t first;
    uint32_t count;
    struct pb_str leaves[PB_TILE_WIDTH];
    struct pb_sealed sealed[PB_TILE_WIDTH];
    uint8_t *bytes, *sealed_bytes; /* owned */
};
void pb_audit_run_done(struct pb_audit_run *run, const struct pb_env *env);
/* Reads from `first` on, checked against the tree where it is on disk; with_sealed: openings, too.
 * PB_END where the log ends. */
PB_MUST_CHECK enum pb_status pb_audit_run_read(struct pb_audit *audit, struct pb_audit_log *log,
                                               uint64_t first, bool with_sealed,
                                               struct pb_audit_run *run, struct pb_error *error);
/* Opens what belongs to one leaf and checks it. plain has PB_OPENINGS_BYTES_MAX bytes. ret_is_gone:
 * the key is destroyed. */
PB_MUST_CHECK enum pb_status pb_audit_run_open(struct pb_audit *audit, struct pb_audit_log *log,
                                               const struct pb_sealed *sealed,
                                               const struct pb_leaf *leaf, uint8_t *plain,
                                               struct pb_openings *ret_openings, bool *ret_is_gone,
                                               struct pb_error *error);

#endif
