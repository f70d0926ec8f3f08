/*
 * Keys: signing keys of logs, keys of openings, and the heads that were last given out.
 *
 *   <id>.key         signs the log's checkpoints
 *   terms/<month>    opens what was sealed for that month (src/audit/seal.h)
 *   <id>.stopped     why the log is not published any more, where it is not
 *   heads.0, heads.1 size and root of each log as last given out, written in turn
 *
 * The directory lies apart from the logs, so that a backup of them which is put back does not
 * bring back the heads: a log that does not reach its head has lost something.
 *
 * Threads: pb_keys_term from any thread; the rest one at a time.
 * Format:  docs/formats/audit-log.md
 */
#ifndef PB_AUDIT_KEYS_H
#define PB_AUDIT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/note.h"
#include "audit/place.h"
#include "audit/seal.h"

#define PB_AUDIT_ID_BYTES 16u /* of one data directory's logs together */
#define PB_LOG_ID_BYTES_MAX 64u
#define PB_LOGS_MAX 65536u

struct pb_keys; /* opaque */

/* The directory must not exist. */
PB_MUST_CHECK enum pb_status pb_keys_create(const struct pb_env *env, const char *path,
                                            const uint8_t audit_id[PB_AUDIT_ID_BYTES],
                                            struct pb_error *error);
/* PB_E_CORRUPT: no heads, or those of another audit directory. */
PB_MUST_CHECK enum pb_status pb_keys_open(const struct pb_env *env, const char *path,
                                          const uint8_t audit_id[PB_AUDIT_ID_BYTES],
                                          bool is_read_only, struct pb_keys **ret_keys,
                                          struct pb_error *error);
void pb_keys_close(struct pb_keys *keys); /* NULL is fine */

/* ---- signing ---- */

/* Makes a key, durably; one that is there without a log of its own is replaced. */
PB_MUST_CHECK enum pb_status pb_keys_make_signer(struct pb_keys *keys, const char *log,
                                                 struct pb_str origin, struct pb_vkey *ret_key,
                                                 struct pb_error *error);
/* ret_secret: libsodium's 64 bytes; the caller wipes them. PB_E_CORRUPT: not the key of public. */
PB_MUST_CHECK enum pb_status pb_keys_signer(struct pb_keys *keys, const char *log,
                                            const struct pb_vkey *public_key,
                                            uint8_t ret_secret[64], struct pb_error *error);

/* Moves the log's key aside, to <id>~<number>.key; that there is none is fine. */
PB_MUST_CHECK enum pb_status pb_keys_retire_signer(struct pb_keys *keys, const char *log,
                                                   unsigned number, struct pb_error *error);

/* ---- stopping ---- */

/* Durable on PB_OK. */
PB_MUST_CHECK enum pb_status pb_keys_stop(struct pb_keys *keys, const char *log, const char *reason,
                                          struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_keys_is_stopped(struct pb_keys *keys, const char *log,
                                                bool *ret_is_stopped, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_keys_unstop(struct pb_keys *keys, const char *log,
                                            struct pb_error *error);

/* ---- openings ---- */

/* PB_NOT_FOUND: there is no such key (any more). With makes, one is made, durably. */
PB_MUST_CHECK enum pb_status pb_keys_term(struct pb_keys *keys, uint32_t term, bool makes,
                                          uint8_t ret_key[PB_TERM_KEY_BYTES],
                                          struct pb_error *error);
/* Destroys the keys of all terms that are over. */
PB_MUST_CHECK enum pb_status pb_keys_destroy_over(struct pb_keys *keys, int64_t now_us,
                                                  uint64_t *ret_terms, struct pb_error *error);

/* ---- heads ---- */

struct pb_head {
    char log[PB_LOG_ID_BYTES_MAX + 1];
    uint64_t size;
    struct pb_hash root;
};
const struct pb_head *pb_keys_head(const struct pb_keys *keys, const char *log); /* or NULL */
const struct pb_head *pb_keys_heads(const struct pb_keys *keys, uint32_t *ret_count);
/* Notes a head in memory, for pb_keys_sync_heads. */
PB_MUST_CHECK enum pb_status pb_keys_set_head(struct pb_keys *keys, const struct pb_head *head,
                                              struct pb_error *error);
/* Durable on PB_OK. After a failure nothing may be given out. */
PB_MUST_CHECK enum pb_status pb_keys_sync_heads(struct pb_keys *keys, struct pb_error *error);

/* Parser of a heads file, for the fuzz target. heads: PB_LOGS_MAX at most, freed with pb_free. */
PB_MUST_CHECK enum pb_status pb_heads_parse(const struct pb_env *env, const uint8_t *bytes,
                                            size_t count, const uint8_t audit_id[PB_AUDIT_ID_BYTES],
                                            uint64_t *ret_sequence, struct pb_head **ret_heads,
                                            uint32_t *ret_count);

#endif
