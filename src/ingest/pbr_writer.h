/*
 * Writer of the binary form: gathers reads into blocks.
 *
 * The head of the file (pb_pbr_head_put) is the caller's to write first.
 *
 * Threads: a writer belongs to one thread. Blocks of several writers may follow each other in
 *          one file in any order.
 * Source:  docs/formats/pbr.md.
 */
#ifndef PB_INGEST_PBR_WRITER_H
#define PB_INGEST_PBR_WRITER_H

#include <platebase/read.h>

#include "ingest/pbr.h"

struct pb_env;
struct pb_pbr_writer; /* opaque */

/* Takes one whole block; bytes are borrowed for the call. What it returns, if not PB_OK, is
 * what the writer's function returns; the block is lost then. */
typedef enum pb_status pb_pbr_emit_fn(void *context, const uint8_t *bytes, size_t count);

/* env is borrowed. PB_OK, PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_pbr_writer_new(const struct pb_env *env, pb_pbr_emit_fn *emit,
                                               void *context, struct pb_pbr_writer **ret_writer);
/* What was not flushed is lost. NULL is fine. */
void pb_pbr_writer_free(struct pb_pbr_writer *writer);

/* Adds a valid read (pb_read_validate); emits a block when one is full. */
PB_MUST_CHECK enum pb_status pb_pbr_writer_add(struct pb_pbr_writer *writer,
                                               const struct pb_read *read);
/* Emits what has been gathered, if anything. */
PB_MUST_CHECK enum pb_status pb_pbr_writer_flush(struct pb_pbr_writer *writer);

#endif
