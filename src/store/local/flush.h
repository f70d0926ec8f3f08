/*
 * Flushing of a local store's buffer: at once by whoever holds `writing`, or behind those who
 * append, by a thread of its own (`flush.c` says how).
 *
 * Threads: each function says which lock its caller holds.
 */
#ifndef PB_STORE_LOCAL_FLUSH_H
#define PB_STORE_LOCAL_FLUSH_H

#include "store/local/local.h"

/* A buffer with the room that this store's appends need. */
PB_MUST_CHECK enum pb_status pb_store_new_buffer(const struct pb_store *store,
                                                 struct pb_buffer **ret_buffer);

/* Flushes, or has flushed behind, what must go before read_count reads (at most
 * PB_APPEND_READS_MAX) fit the buffer. The caller holds writing, which is released while this
 * waits for the flusher. */
PB_MUST_CHECK enum pb_status pb_store_make_room_locked(struct pb_store *store, size_t read_count,
                                                       struct pb_error *error);

/* Seals all rows of the buffer, for pb_store_flush_sealed_locked. The caller holds writing; there
 * is a log and no row is sealed. */
void pb_store_seal_locked(struct pb_store *store);
/* Flushes the sealed rows. The caller holds writing, which is released while they are written; on
 * failure they stay where they are, unsealed. */
PB_MUST_CHECK enum pb_status pb_store_flush_sealed_locked(struct pb_store *store,
                                                          struct pb_error *error);

/* The thread that flushes what is sealed. */
PB_MUST_CHECK enum pb_status pb_store_start_flusher(struct pb_store *store,
                                                    struct pb_error *error);
void pb_store_stop_flusher(struct pb_store *store);

#endif
