/*
 * A flush of sealed rows, and what happens while it goes on, on one thread: whenever the flush
 * syncs and does not hold `writing`, the test's own function is called.
 */
#ifndef PB_TESTS_STORE_FLUSH_BEHIND_H
#define PB_TESTS_STORE_FLUSH_BEHIND_H

#include "store/store_room.h"

#include "store/local/flush.h"

struct flush_behind {
    struct pb_store *store;
    struct fault_env *fault;
    enum fault_operation operation; /* at which something happens */
    uint32_t skipped;               /* such operations before */
    void (*meanwhile)(void *context);
    void *context;
    bool has_happened;
};

static inline void
flush_behind_meanwhile(void *context, enum fault_operation operation)
{
    struct flush_behind *flush = context;

    if (operation != flush->operation || !flush->store->is_flushing ||
        pthread_mutex_trylock(&flush->store->writing) != 0)
        return;
    (void)pthread_mutex_unlock(&flush->store->writing);
    if (flush->skipped > 0) {
        flush->skipped--;
        return;
    }
    flush->fault->meanwhile = NULL;
    flush->has_happened = true;
    flush->meanwhile(flush->context);
}

/* Seals what is in the buffer, where there is anything and a log, and flushes it. */
static inline enum pb_status
flush_behind(struct flush_behind *flush, struct pb_error *error)
{
    struct pb_store *store = flush->store;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&store->writing);
    if (pb_buffer_count(store->buffer) != 0 && store->log != NULL) {
        pb_store_seal_locked(store);
        flush->fault->meanwhile = flush->meanwhile != NULL ? flush_behind_meanwhile : NULL;
        flush->fault->meanwhile_context = flush;
        status = pb_store_flush_sealed_locked(store, error);
        flush->fault->meanwhile = NULL;
    }
    (void)pthread_mutex_unlock(&store->writing);
    return status;
}

#endif
