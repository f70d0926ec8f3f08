/*
 * Record: what the journal holds for one append, what `state` holds of all logs, and what a file of
 * openings holds: the private bytes of the audit room.
 *
 * Threads: everything here is pure.
 * Format:  docs/formats/audit-log.md
 */
#ifndef PB_AUDIT_RECORD_H
#define PB_AUDIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/keys.h"
#include "audit/leaf.h"
#include "audit/tile.h"

/* Whether text may name a log: a letter or digit, then those and `.` `_` `:` `-`. */
bool pb_log_id_is_valid(struct pb_str id);

/* ---- journal: one leaf of a record's payload ---- */

#define PB_RECORD_LEAF_HEADER_BYTES (1u + 8u + 4u + 2u + 4u) /* and the log's id */
#define PB_SEALED_BYTES_MAX (PB_OPENINGS_BYTES_MAX + PB_SEAL_EXTRA_BYTES)

struct pb_record_leaf {
    struct pb_str log;
    uint64_t index;
    uint32_t term;
    struct pb_str leaf;
    const uint8_t *sealed;
    uint32_t sealed_bytes; /* 0: the leaf has no secrets */
};
/* Writes all but leaf and sealed, which the caller puts behind it; returns their place. */
uint8_t *pb_record_leaf_begin(const struct pb_record_leaf *leaf, uint8_t *at);
/* Takes one leaf from the front of [*at, end). PB_END at the end, PB_BAD_INPUT where malformed. */
PB_MUST_CHECK enum pb_status pb_record_leaf_next(const uint8_t **at, const uint8_t *end,
                                                 struct pb_record_leaf *ret_leaf);

/* ---- state ---- */

struct pb_state_log {
    char id[PB_LOG_ID_BYTES_MAX + 1];
    struct pb_vkey key;     /* its name is the origin */
    uint64_t size;          /* leaves that are on disk for good, outside the journal */
    uint64_t previous_size; /* as it was before: what lies between may have left-overs */
    struct pb_hash root;    /* of them */
    int64_t time_ms;        /* of the newest of them; 0: none */
};
struct pb_state {
    uint8_t audit_id[PB_AUDIT_ID_BYTES];
    uint64_t generation;       /* one more with each writing */
    uint64_t journal_first;    /* journal files below are left-overs */
    uint64_t commit;           /* newest in them */
    struct pb_state_log *logs; /* owned; ascending by id */
    uint32_t log_count;
};
#define PB_STATE_BYTES_MAX (64u << 20)
void pb_state_done(struct pb_state *state, const struct pb_env *env);
/* ret_bytes is freed with pb_free. */
PB_MUST_CHECK enum pb_status pb_state_encode(const struct pb_state *state, const struct pb_env *env,
                                             uint8_t **ret_bytes, size_t *ret_count);
/* PB_E_CORRUPT, PB_E_VERSION or PB_E_NOMEM: nothing was made. */
PB_MUST_CHECK enum pb_status pb_state_decode(const struct pb_env *env, const uint8_t *bytes,
                                             size_t count, struct pb_state *ret_state,
                                             struct pb_error *error);

/* ---- openings of up to PB_TILE_WIDTH leaves ---- */

struct pb_sealed {
    uint32_t term;
    const uint8_t *bytes; /* borrowed; NULL where count is 0 */
    uint32_t count;
};
#define PB_SEALED_FILE_BYTES_MAX (64u + PB_TILE_WIDTH * (8u + (size_t)PB_SEALED_BYTES_MAX))
size_t pb_sealed_file_bytes(const struct pb_sealed *items, uint32_t count);
/* Writes pb_sealed_file_bytes; first: index of the first leaf. */
void pb_sealed_file_encode(uint64_t first, const struct pb_sealed *items, uint32_t count,
                           uint8_t *ret_bytes);
/* Views point into bytes. */
PB_MUST_CHECK enum pb_status pb_sealed_file_decode(const uint8_t *bytes, size_t count,
                                                   uint64_t first,
                                                   struct pb_sealed ret_items[PB_TILE_WIDTH],
                                                   uint32_t *ret_count);

#endif
