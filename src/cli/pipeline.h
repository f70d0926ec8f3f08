/*
 * Pipeline: the main thread brings pieces of work, workers do them side by side, and the main
 * thread takes them back in the order in which it brought them.
 *
 * Invariants: (1) a piece belongs to one thread at a time; (2) piece i is taken before piece
 * i + 1; (3) at most piece_count pieces are under way, which bounds the memory.
 */
#ifndef PB_CLI_PIPELINE_H
#define PB_CLI_PIPELINE_H

#include <stddef.h>

#include <platebase/status.h>

#include "base/env.h"

/* The first status that is neither PB_OK nor bring's PB_END ends the pipeline: what is under way
 * is dropped, finish is not called, and pb_cli_pipeline_run returns it with its error. */
struct pb_cli_pipeline_work {
    /* Main thread: fills the piece. PB_END: there is no more, the piece was not used. */
    enum pb_status (*bring)(void *context, void *piece, struct pb_error *error);
    /* Worker number `worker`: does it. */
    enum pb_status (*work)(void *context, unsigned worker, void *piece, struct pb_error *error);
    /* Main thread: takes it back. May be NULL. */
    enum pb_status (*take)(void *context, void *piece, struct pb_error *error);
    /* Each worker, when there is no more work. May be NULL. */
    enum pb_status (*finish)(void *context, unsigned worker, struct pb_error *error);
    void *context;
};

/* pieces: borrowed; piece_count of piece_bytes each, at least one more than worker_count. */
PB_MUST_CHECK enum pb_status pb_cli_pipeline_run(const struct pb_env *env,
                                                 const struct pb_cli_pipeline_work *work,
                                                 unsigned worker_count, void *pieces,
                                                 size_t piece_count, size_t piece_bytes,
                                                 struct pb_error *error);

#endif
