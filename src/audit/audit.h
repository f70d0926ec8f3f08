/*
 * Audit: tamper-evident logs, one for each agency and one for the operator.
 *
 * A log is a Merkle tree (RFC 6962 hashing) that grows and never changes. Its public side is the
 * static C2SP layout (tlog-tiles): `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`; anybody may
 * fetch and check it. Leaves hold no plate, person, case, reason or area: only commitments
 * with fresh salts. What opens them lies beside the log, encrypted per agency and
 * term, and can be destroyed without touching the log.
 *
 * pb_audit_append returns only when leaf and openings are synced; concurrent callers share one sync
 * (all logs share one journal). Tiles and checkpoint follow within a second, or at close. A
 * failed sync is final: every later append returns PB_E_POISONED.
 *
 * Who opens the logs for writing holds a lock: a second process waits for it for some seconds, then
 * gets PB_E_BUSY. At opening, the last checkpoint that was given out (also to copies and
 * witnesses) must be one that the log on disk extends; otherwise PB_E_CORRUPT, and nothing is
 * signed: a restored backup cannot fork a log.
 *
 * Threads: every call is safe from any thread.
 * Formats: docs/formats/audit-log.md
 */
#ifndef PB_AUDIT_AUDIT_H
#define PB_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;
struct pb_audit;          /* opaque: all logs of one data directory */
struct pb_witnesses;      /* src/audit/witness.h */
struct pb_witness_policy; /* likewise */

#define PB_AUDIT_HASH_BYTES 32u

struct pb_audit_options {
    bool is_read_only; /* no lock, no appends: to verify, open and search */
    /* Nothing is published but by pb_audit_publish and at close; otherwise a thread does it, within
     * a second. */
    bool publishes_by_hand;
    /* What a process that finds the lock taken is told of this one: "serve, process 4711". NULL:
     * nothing. */
    const char *holder;
    /* The lock is taken, by what its holder says of itself ("" where it says nothing): true to wait
     * for some seconds. NULL: waits. */
    bool (*on_busy)(void *context, const char *holder);
    void *busy_context;
    /* Directory outside, which exists: each published checkpoint is copied there, and the copies
     * are looked at when opening; NULL: none. */
    const char *checkpoint_copies;
    /* Borrowed while the logs are open: a checkpoint is published only when enough of these have
     * signed it, and they are asked what they know before anything is signed; NULL: none. */
    const struct pb_witnesses *witnesses;
    /* Told, by a thread of the logs, when publishing begins to fail, and why: what monitors see
     * stands still then, until it is told of no more. Not of want of witnesses. NULL: nobody is. */
    void (*fails_to_publish)(void *context, const char *why);
    void *fails_context;
};

/* Directory path (new): empty; logs come with pb_audit_log_add. keys_path: directory for private
 * keys (each file 0600), apart so that it can lie on other storage. */
PB_MUST_CHECK enum pb_status pb_audit_create(const struct pb_env *env, const char *path,
                                             const char *keys_path, struct pb_error *error);
/* What whoever holds the lock, or held it last, says of itself; "" where it said nothing, or where
 * that cannot be read. */
#define PB_AUDIT_HOLDER_BYTES 96u
void pb_audit_holder(const struct pb_env *env, const char *path,
                     char ret_holder[PB_AUDIT_HOLDER_BYTES]);
PB_MUST_CHECK enum pb_status pb_audit_open(const struct pb_env *env, const char *path,
                                           const char *keys_path,
                                           const struct pb_audit_options *options,
                                           struct pb_audit **ret_audit, struct pb_error *error);
/* Writes tiles and checkpoints of what is new, then closes. Where witnesses are away, the
 * checkpoint waits for another time, which is no failure: leaves are safe. */
PB_MUST_CHECK enum pb_status pb_audit_close(struct pb_audit *audit, struct pb_error *error);

/* A new log with its own origin and keys: id is an agency's, or PB_AUDIT_OPERATOR. origin:
 * "platebase.example/agency/<id>"; NULL: made from a random site name. PB_DUPLICATE: it is
 * there. */
#define PB_AUDIT_OPERATOR "operator"
PB_MUST_CHECK enum pb_status pb_audit_log_add(struct pb_audit *audit, const char *id,
                                              const char *origin, struct pb_error *error);

/*
 * What to do where pb_audit_open says that leaves are lost or that a log was changed, or where a
 * witness contradicts it: log begins again, under its origin with `/2` (then `/3` ...) behind it
 * and a new key. What is left of it stays beside it as <log>~1; the first leaf of the new one,
 * `restart`, says what was last given out of the old one. Everybody who knows the log's key must
 * be told. Not for a directory that is open.
 */
PB_MUST_CHECK enum pb_status pb_audit_restart(const struct pb_env *env, const char *path,
                                              const char *keys_path,
                                              const struct pb_audit_options *options,
                                              const char *log, struct pb_error *error);

struct pb_audit_log_info {
    const char *id, *origin, *vkey; /* vkey: C2SP signed-note verifier key; valid during the call */
    const char *path;               /* of the public side */
    uint64_t leaf_count;            /* acknowledged */
    uint64_t published_count;       /* of those, under the newest checkpoint */
    uint8_t root[PB_AUDIT_HASH_BYTES]; /* of that checkpoint */
};
typedef bool pb_audit_log_fn(void *context, const struct pb_audit_log_info *info);
PB_MUST_CHECK enum pb_status pb_audit_each_log(struct pb_audit *audit, pb_audit_log_fn *each,
                                               void *context, struct pb_error *error);

/* ---- writing ---- */

/* A value that the leaf only commits to. name is one of the names of docs/formats/audit-log.md:
 * plate, jurisdiction, person, beneficiary, case, reason, area, window, approver, client, ids ...
 * */
struct pb_audit_secret {
    const char *name;
    struct pb_str value; /* any bytes, at most PB_AUDIT_SECRET_BYTES_MAX */
};
/* A member of the leaf in the open: purpose, kind, verdict, counts, rule ids, digests. */
struct pb_audit_field {
    const char *name;
    enum { PB_AUDIT_FIELD_TEXT, PB_AUDIT_FIELD_NUMBER, PB_AUDIT_FIELD_HASH } kind;
    struct pb_str text; /* TEXT: pb_text_is_plain, 256 bytes at most; HASH: raw, put in hex */
    int64_t number;
};
/* One leaf. The bytes that are hashed are made here once, stored, and never made again. */
struct pb_audit_leaf {
    const char *log;   /* id */
    const char *event; /* "query", "result", "denied", "change", "purge", "audit-read", ... */
    const struct pb_audit_field *fields;
    uint32_t field_count;
    const struct pb_audit_secret *secrets;
    uint32_t secret_count;
    int64_t keep_openings_us; /* how long the secrets can be opened, from now; PB_NEVER */
};
/*
 * Appends leaves (to one log or several) as one commit: all or none, one sync.
 *
 * ret_indices  count elements: each leaf's index in its log; set on PB_OK only
 *
 * Returns  PB_OK           synced
 *          PB_NOT_FOUND    no such log
 *          PB_OVER_LIMIT   a leaf or secret is too large
 *          PB_E_FULL, PB_E_IO, PB_E_POISONED, PB_E_NOMEM: nothing counts as recorded
 */
PB_MUST_CHECK enum pb_status pb_audit_append(struct pb_audit *audit,
                                             const struct pb_audit_leaf *leaves, uint32_t count,
                                             uint64_t *ret_indices, struct pb_error *error);
/* Writes tiles and signs a checkpoint over everything appended so far (of one log; NULL: all).
 * PB_OK also where too few witnesses answer: then the checkpoint before is still the newest. */
PB_MUST_CHECK enum pb_status pb_audit_publish(struct pb_audit *audit, const char *log,
                                              struct pb_error *error);

/* ---- reading by those who may (src/inquiry leaves a leaf for every such look) ---- */

struct pb_audit_opened {
    const char *name;
    struct pb_str value; /* empty and is_destroyed where the key is gone */
    bool is_destroyed;
};
struct pb_audit_entry {
    const char *log;
    uint64_t index;
    int64_t at_us;
    const char *event;
    struct pb_str leaf;                    /* the bytes as hashed: one line of JSON */
    const struct pb_audit_opened *secrets; /* each checked against its commitment */
    uint32_t secret_count;
};
/* Everything is borrowed for the call; false stops. */
typedef bool pb_audit_entry_fn(void *context, const struct pb_audit_entry *entry);

struct pb_audit_filter {
    const char *log;        /* needed */
    uint64_t first, last;   /* indices, both included; last UINT64_MAX: to the end */
    int64_t from_us, to_us; /* both 0: any time */
    const char *event;      /* NULL: any */
    /* Only entries whose opened secret of that name equals the value; NULL: any. */
    const char *secret_name;
    struct pb_str secret_value;
    bool is_closed;            /* leaves alone: nothing that they hide is opened */
};
/* In order of index. PB_E_CORRUPT: bytes do not fit their hash, or an opening its commitment. */
PB_MUST_CHECK enum pb_status pb_audit_read(struct pb_audit *audit,
                                           const struct pb_audit_filter *filter,
                                           pb_audit_entry_fn *each, void *context,
                                           struct pb_error *error);

/* Destroys the keys of openings whose term has ended; counts the terms. Leaves stay provable. */
PB_MUST_CHECK enum pb_status pb_audit_destroy_expired(struct pb_audit *audit, int64_t now_us,
                                                      uint64_t *ret_terms, struct pb_error *error);

/* (PB_NOT_FOUND: no such leaf under a checkpoint; PB_EXPIRED: its openings were destroyed.)
 * A proof that anybody can check offline: c2sp.org/tlog-proof@v1 text, with the leaf and (where
 * with_openings) the salts and values beside it (docs/formats/audit-proof.md). The caller frees
 * it. */
PB_MUST_CHECK enum pb_status pb_audit_prove(struct pb_audit *audit, const char *log, uint64_t index,
                                            bool with_openings, char **ret_text,
                                            struct pb_error *error);

/* A proof that the newest checkpoint's tree begins with the first old_size leaves: "old <size>",
 * the hashes in base64 a line each, an empty line and the checkpoint, as c2sp.org/tlog-witness has
 * it.
 * PB_NOT_FOUND: no such log, or it never had so many leaves under a checkpoint. The caller frees
 * it. */
PB_MUST_CHECK enum pb_status pb_audit_prove_consistency(struct pb_audit *audit, const char *log,
                                                        uint64_t old_size, char **ret_text,
                                                        struct pb_error *error);

/* ---- checking, offline, from copied files alone ---- */

struct pb_audit_check {
    uint64_t leaves, tiles; /* looked at; tiles: with entry bundles */
    uint64_t wrong;         /* places told to on_wrong */
    uint64_t size;          /* of the checkpoint */
    uint8_t root[PB_AUDIT_HASH_BYTES];
};
typedef void pb_audit_wrong_fn(void *context, const char *file, const char *what);
/* What is held against a log beside its own key; what is NULL is not. */
struct pb_audit_evidence {
    const char *old_checkpoint; /* text of a signed note, not a path: the log must extend it */
    /* Enough of these must have signed the checkpoint; no entry may be dated after that, nor one
     * that the older checkpoint lacks before that was signed. */
    const struct pb_witness_policy *witnesses;
};
/*
 * Recomputes the tree of one log's public side from its entries, and compares tiles, root,
 * signature and evidence (which may be NULL).
 * PB_OK also where something is wrong: see ret_check->wrong.
 */
PB_MUST_CHECK enum pb_status
pb_audit_verify_log(const struct pb_env *env, const char *path, const char *vkey,
                    const struct pb_audit_evidence *evidence, pb_audit_wrong_fn *on_wrong,
                    void *context, struct pb_audit_check *ret_check, struct pb_error *error);
/* A proof without openings from a copy of one log's public side: what anybody can make.
 * PB_NOT_FOUND: no such leaf; PB_E_CORRUPT: the copy is damaged, or not of that key. The caller
 * frees it. */
PB_MUST_CHECK enum pb_status pb_audit_prove_copied(const struct pb_env *env, const char *path,
                                                   const char *vkey, uint64_t index,
                                                   char **ret_text, struct pb_error *error);
/* Checks a proof of pb_audit_prove against vkey. PB_BAD_INPUT: it proves nothing; error says
 * why. */
PB_MUST_CHECK enum pb_status pb_audit_verify_proof(const struct pb_env *env, struct pb_str proof,
                                                   const char *vkey, struct pb_error *error);

/* A consistent copy of public sides and sealed openings at target_path, which must not exist. No
 * key is in it: neither those that sign nor those that open, so what is destroyed stays
 * destroyed. Put back, it opens only if nothing was given out since. */
PB_MUST_CHECK enum pb_status pb_audit_backup(struct pb_audit *audit, const char *target_path,
                                             struct pb_error *error);

#endif
